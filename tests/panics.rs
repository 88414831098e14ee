//! A panic in every place where the library calls a user's code, under each [`OnPanic`] and on every bus: the process
//! lives, `join()` returns, blames whoever it was, and the other workers finish their work.
//!
//! The places are [`Spot`]s, and the table of "A panic of a user's code" in `ARCHITECTURE.md` lists them. A spot panics
//! once. What two panics at a time come to is at the end.

#![cfg(feature = "serde")]

mod support;

use rust_messenger::message_bus::wait::{Idle, WaitStrategy};
use rust_messenger::message_bus::{CircularBus, CondvarBus, ManyWriters, OneWriter, RingOptions};
use rust_messenger::messenger::{Budget, Cause, OnPanic, Place, RunError, StartError, Summary, SystemClock};
use rust_messenger::traits::{
    Clock, DecodeError, DeserializeFrom, EncodeError, Encoded, ExtendedMessage, Handle, Handler, Message, MessageBus,
    New, Payload, Poller, Publish, Report, Sender, Space, Time, WriteError, Writer,
};
use rust_messenger::{Messenger, Options};
use scene::*;
use std::cell::Cell;
use std::error::Error;
use std::mem::ManuallyDrop;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use support::{Bell, wait_until, within};

/// A message of eight bytes.
macro_rules! empty {
    ($( $message:ident )+) => { $(
        impl ExtendedMessage for $message {
            fn get_size(&self) -> usize {
                8
            }

            fn write_into(&self, buffer: &mut [u8]) {
                buffer.fill(1);
            }
        }
    )+ };
}

#[path = "panics/meetings.rs"]
mod meetings;
#[path = "panics/scene.rs"]
mod scene;

// --------------------------------------------------------------------------------------------------------------- spots

macro_rules! spots {
    ($( $spot:ident, )+) => {
        /// Where a panic is played.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Spot { $( $spot, )+ }

        impl Spot {
            const ALL: &[Spot] = &[$( Spot::$spot, )+];
        }
    };
}

spots! {
    New, OnStart, OnLoop, OnStop, NextDeadline, NamePoller, Handle, HandlerDrop, ErrorInto, IdInto,
    GetSize, AsEncoded, WriteInto, Encode, Serialize, PayloadSize, PayloadFill, Fill,
    DeserializeFrom, Decode, Deserialize, MessageDrop,
    PollerWait, PollerPoll, PollerNotify, PollerDrop,
    StrategyDefault, StrategyBegin, StrategyIdle, StrategyDrop,
    ClockNow, ClockInStop, ClockInJoin, JournalClock,
    OnReport, OnReportUndecodable, OnReportUnrouted, OnReportPinning,
    ConfigClone, ConfigDrop, StrategyInStart, StrategyInJoin,
}

/// Who is blamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blamed {
    /// The handler `mean`, with the trigger in its hands.
    Handling,
    /// The handler `mean`, between messages.
    Handler,
    /// What the worker called with this message at hand.
    On(Place, u16),
    /// What the worker called between messages.
    In(Place),
    /// What the messenger called on the thread that stops and joins it.
    Messenger(Place),
    /// What the messenger called as it started.
    Start(Place),
    /// Nobody: the message counts as undecodable.
    Nobody,
}

/// When it panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// By itself, while all are at work.
    Running,
    /// In a stop, or after one.
    Stopping,
    Joining,
    Starting,
}

impl Spot {
    fn blamed(self) -> Blamed {
        use Spot::*;
        match self {
            New | OnStart | OnLoop | OnStop | NextDeadline | NamePoller | HandlerDrop => Blamed::Handler,
            Handle | ErrorInto | GetSize | AsEncoded | WriteInto | Encode | Serialize | PayloadSize | PayloadFill
            | Fill | JournalClock => Blamed::Handling,
            IdInto => Blamed::On(Place::Routing, Plain::ID),
            Decode => Blamed::On(Place::Decoding("Raw"), Raw::ID),
            Deserialize => Blamed::On(Place::Decoding("Serde"), 4),
            DeserializeFrom => Blamed::Nobody,
            MessageDrop => Blamed::On(Place::Dropping("Trigger"), Trigger::ID),
            PollerWait | PollerPoll | PollerNotify | PollerDrop => Blamed::In(Place::Poller),
            StrategyDefault | StrategyBegin | StrategyIdle | StrategyDrop => Blamed::In(Place::WaitStrategy),
            ClockNow => Blamed::In(Place::Clock),
            OnReport | OnReportUndecodable => Blamed::On(Place::Report, Trigger::ID),
            OnReportUnrouted => Blamed::On(Place::Report, 9),
            OnReportPinning => Blamed::In(Place::Report),
            ConfigDrop => Blamed::In(Place::Config),
            ClockInStop | ClockInJoin => Blamed::Messenger(Place::Clock),
            StrategyInJoin => Blamed::Messenger(Place::WaitStrategy),
            ConfigClone => Blamed::Start(Place::Config),
            StrategyInStart => Blamed::Start(Place::WaitStrategy),
        }
    }

    fn when(self) -> When {
        use Spot::*;
        match self {
            OnStop | HandlerDrop | PollerNotify | PollerDrop | StrategyDrop | ConfigDrop | ClockInStop => {
                When::Stopping
            }
            ClockInJoin | StrategyInJoin => When::Joining,
            ConfigClone | StrategyInStart => When::Starting,
            _ => When::Running,
        }
    }

    fn applies_to(self, bus: &Kind) -> bool {
        match self {
            Spot::JournalClock => bus.is_journal,
            Spot::StrategyDefault | Spot::StrategyBegin | Spot::StrategyIdle => bus.has_strategy,
            _ => true,
        }
    }

    /// Whether it is called so often that it panics only once the trigger is being handled.
    fn is_armed_by_trigger(self) -> bool {
        matches!(self, Spot::IdInto | Spot::MessageDrop | Spot::JournalClock)
    }

    /// Whether it panics on the thread that runs, stops and joins.
    fn is_outside(self) -> bool {
        matches!(self.blamed(), Blamed::Messenger(_) | Blamed::Start(_)) || self == Spot::PollerNotify
    }
}

/// What differs between buses.
struct Kind {
    many_writers: bool,
    is_journal: bool,
    /// Whether its readers' strategy is asked.
    has_strategy: bool,
}

/// The spot that panics next, and 0 when it has.
static ARMED: AtomicU64 = AtomicU64::new(0);
/// How many have.
static SPRUNG: AtomicU64 = AtomicU64::new(0);
/// What a worker that is not to panic has been sent, and has handled.
static SENT: AtomicU64 = AtomicU64::new(0);
static HANDLED: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Whether this is the thread that runs, stops and joins.
    static OUTSIDE: Cell<bool> = const { Cell::new(false) };
}

/// The spots of a process are armed by one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    for counter in [&ARMED, &SPRUNG, &SENT, &HANDLED] {
        counter.store(0, Ordering::Relaxed);
    }
    one
}

fn arm(spot: Spot) {
    ARMED.store(spot as u64 + 1, Ordering::SeqCst);
}

fn has_sprung() -> bool {
    SPRUNG.load(Ordering::SeqCst) != 0
}

fn all_handled() -> bool {
    HANDLED.load(Ordering::SeqCst) == SENT.load(Ordering::SeqCst)
}

/// Panics if it is this spot's turn and this is its thread, without the hook that prints.
fn spring(spot: Spot) {
    if ARMED.load(Ordering::SeqCst) != spot as u64 + 1 {
        return;
    }
    let is_its_thread = match spot {
        // Whoever lets go of it last.
        Spot::PollerDrop => true,
        _ if spot.is_outside() => OUTSIDE.get(),
        _ => thread::current().name() == Some("Victim"),
    };
    if is_its_thread && ARMED.swap(0, Ordering::SeqCst) != 0 {
        SPRUNG.fetch_add(1, Ordering::SeqCst);
        resume_unwind(Box::new(format!("{spot:?}")));
    }
}

// ---------------------------------------------------------------------------------------------------------------- play

/// Plays one panic, and looks at what came of it.
fn play<B: MessageBus>(spot: Spot, on_panic: OnPanic, kind: &Kind, bus: B) {
    let _alone = alone();
    OUTSIDE.set(true);
    let bed = Arc::new(Bed::default());
    let sleeps_in_bed = spot.blamed() == Blamed::In(Place::Poller);
    let config = Config { spot, poller: sleeps_in_bed.then(|| Arc::clone(&bed)) };
    let messenger = Messenger::with_options(bus, options(spot, on_panic));
    let when = spot.when();
    if matches!(when, When::Starting | When::Running) && !spot.is_armed_by_trigger() {
        arm(spot);
    }
    let outside = kind.many_writers.then(|| messenger.writer().unwrap());
    let handles = messenger.run(&config);
    let restarts = matches!(on_panic, OnPanic::Restart(_));
    let breaks = when == When::Running && spot.blamed() != Blamed::Nobody;
    let is_fatal = breaks && !restarts;
    match when {
        When::Starting => {
            // Nothing came of the start, so that there may be another one.
            let error = handles.join().unwrap_err();
            check(spot, Err(error));
            assert_eq!(messenger.stats().readers.len(), 0, "{spot:?}: a place is left taken");
            let handles = messenger.run(&config);
            messenger.stop();
            assert!(handles.join().is_ok(), "{spot:?}");
            return;
        }
        When::Running => {
            wait_until(&format!("{spot:?} panics"), has_sprung);
        }
        When::Stopping | When::Joining => {
            wait_until("everybody works", || SENT.load(Ordering::SeqCst) == 16 && all_handled());
        }
    }
    if spot == Spot::PollerNotify {
        wait_until("the worker sleeps", || bed.is_asleep.load(Ordering::SeqCst));
    }
    if let (Some(writer), OnPanic::Isolate, true) = (&outside, on_panic, is_fatal) {
        for _ in 0..8 {
            SENT.fetch_add(1, Ordering::SeqCst);
            writer.write_bytes(First::ID, Plain::ID, &[1; 8]).unwrap();
        }
        wait_until("the others go on", all_handled);
    }
    if when == When::Stopping {
        arm(spot);
    }
    // `StopAll` stops by itself.
    if !is_fatal || on_panic == OnPanic::Isolate {
        messenger.stop();
    }
    if when == When::Joining {
        arm(spot);
    }
    let result = handles.join();
    assert!(has_sprung(), "{spot:?} did not panic");
    assert!(all_handled(), "{spot:?}: the other worker left something");
    // Some are asleep when it happens, and come back; others have left.
    let may_be_asleep = matches!(spot, Spot::StrategyDrop | Spot::PollerDrop | Spot::PollerNotify);
    if restarts && (breaks || may_be_asleep && result.is_ok()) {
        let summary = result.unwrap_or_else(|error| panic!("{spot:?}: {error}"));
        assert_eq!(summary.restarts, 1, "{spot:?}");
        assert!(summary.last_panic.is_some_and(|text| text.contains("worker Victim")), "{spot:?}");
        let in_hand = matches!(spot.blamed(), Blamed::Handling | Blamed::On(..));
        assert_eq!(summary.dead, u64::from(in_hand), "{spot:?}");
    } else {
        check(spot, result);
    }
    OUTSIDE.set(false);
}

fn check(spot: Spot, result: Result<Summary, RunError>) {
    let blamed = spot.blamed();
    if blamed == Blamed::Nobody {
        assert_eq!(result.unwrap().undecodable, 1, "{spot:?}");
        return;
    }
    let error = result.expect_err(&format!("{spot:?} is no error"));
    let [failure] = &error.failures[..] else { panic!("{spot:?}: {error}") };
    let message = |header: &Option<rust_messenger::traits::Header>| header.map(|header| header.message);
    match (&failure.cause, blamed) {
        (Cause::Panicked { handler: "mean", header, text }, Blamed::Handling) => {
            assert_eq!((message(header), &**text), (Some(Trigger::ID), &*format!("{spot:?}")));
        }
        (Cause::Panicked { handler: "mean", header: None, text }, Blamed::Handler) => {
            assert!(text.ends_with(&format!("{spot:?}")), "{text}");
        }
        (Cause::PanickedIn { place, header, text }, Blamed::On(expected, id)) => {
            assert_eq!((*place, message(header), &**text), (expected, Some(id), &*format!("{spot:?}")));
        }
        (Cause::PanickedIn { place, header: None, text }, Blamed::In(expected) | Blamed::Messenger(expected)) => {
            assert_eq!(*place, expected, "{spot:?}");
            assert!(text.ends_with(&format!("{spot:?}")), "{text}");
        }
        (Cause::Start(StartError::Panicked { worker: "Victim", place, text }), Blamed::Start(expected)) => {
            assert_eq!((*place, &**text), (expected, &*format!("{spot:?}")));
        }
        (cause, expected) => panic!("{spot:?}: {cause} where it is {expected:?}"),
    }
    let is_victims = matches!(blamed, Blamed::Handling | Blamed::Handler | Blamed::On(..) | Blamed::In(_));
    assert_eq!(failure.worker, if is_victims { "Victim" } else { "" }, "{error}");
}

/// Plays all of them on a bus.
fn play_all<B: MessageBus>(kind: &Kind, bus: impl Fn() -> B) {
    for on_panic in [OnPanic::StopAll, OnPanic::Isolate] {
        for &spot in Spot::ALL.iter().filter(|spot| spot.applies_to(kind)) {
            play(spot, on_panic, kind, bus());
        }
    }
    for &spot in Spot::ALL.iter().filter(|spot| spot.applies_to(kind) && !kind.is_journal) {
        play(spot, OnPanic::Restart(Budget { backoff: Duration::from_millis(1), ..Budget::default() }), kind, bus());
    }
}

fn ring<C: rust_messenger::message_bus::Claim>() -> CircularBus<C, Strategy> {
    let options = RingOptions { capacity: 1 << 16, ..RingOptions::default() };
    CircularBus::<C>::with_options(options).unwrap().waiting()
}

const MANY: Kind = Kind { many_writers: true, is_journal: false, has_strategy: true };
const ONE: Kind = Kind { many_writers: false, is_journal: false, has_strategy: true };

#[test]
#[cfg_attr(miri, ignore = "one bus takes Miri minutes")]
fn on_a_ring() {
    within("on a ring", || play_all(&MANY, ring::<ManyWriters>));
}

#[test]
#[cfg_attr(miri, ignore = "one bus takes Miri minutes")]
fn on_a_ring_for_one_writer() {
    within("on a ring for one writer", || play_all(&ONE, ring::<OneWriter>));
}

#[test]
#[cfg_attr(miri, ignore = "one bus takes Miri minutes")]
fn on_a_condvar() {
    let kind = Kind { has_strategy: false, ..MANY };
    within("on a condvar", move || play_all(&kind, || CondvarBus::new(ring::<ManyWriters>())));
}

#[cfg(unix)]
mod on_a_journal {
    use super::*;
    use rust_messenger::message_bus::{PersistentBus, PersistentOptions};

    fn options() -> PersistentOptions {
        let clock = Arc::new(Watch(&[Spot::JournalClock]));
        PersistentOptions {
            capacity: 1 << 20,
            max_payload: 1 << 10,
            step: 1 << 16,
            clock,
            ..PersistentOptions::default()
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "one bus takes Miri minutes")]
    fn in_memory() {
        let kind = Kind { is_journal: true, ..MANY };
        let bus = || PersistentBus::in_memory(options()).unwrap().waiting::<Strategy>();
        within("on a journal in memory", move || play_all(&kind, bus));
    }

    #[test]
    #[cfg_attr(miri, ignore = "one bus takes Miri minutes")]
    fn in_memory_for_one_writer() {
        let kind = Kind { is_journal: true, ..ONE };
        let bus = || PersistentBus::one_writer_in_memory(options()).unwrap().waiting::<Strategy>();
        within("on a journal in memory for one writer", move || play_all(&kind, bus));
    }

    #[test]
    #[cfg(not(miri))] // There is no file to map.
    fn in_a_file() {
        let kind = Kind { is_journal: true, ..MANY };
        let directory = tempfile::tempdir().unwrap();
        let number = AtomicU64::new(0);
        let bus = move || {
            let path = directory.path().join(number.fetch_add(1, Ordering::Relaxed).to_string());
            PersistentBus::open(path, options()).unwrap().0.waiting::<Strategy>()
        };
        within("on a journal in a file", move || play_all(&kind, bus));
    }
}

/// The list for people has all of them.
#[test]
#[cfg(not(miri))] // Reads a file only.
fn the_map_lists_every_spot() {
    let map = include_str!("../ARCHITECTURE.md");
    let (_, section) = map.split_once("## A panic of a user's code\n").expect("the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    for spot in Spot::ALL {
        assert!(section.contains(&format!("`{spot:?}`")), "{spot:?} is not in the table");
    }
}
