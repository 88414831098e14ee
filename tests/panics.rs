//! A panic in every place where the library calls a user's code, under both [`OnPanic`]s and on every bus: the process
//! lives, `join()` returns, blames whoever it was, and the other workers finish their work.
//!
//! The places are [`Spot`]s, and the table of "A panic of a user's code" in `ARCHITECTURE.md` lists them. A spot panics
//! once. What two panics at a time come to is at the end.

mod support;

use rust_messenger::message_bus::wait::{Idle, WaitStrategy};
use rust_messenger::message_bus::{CircularBus, CondvarBus, ManyWriters, OneWriter, RingOptions};
use rust_messenger::messenger::{Cause, OnPanic, Place, RunError, StartError, Summary, SystemClock};
use rust_messenger::traits::{
    Clock, DecodeError, DeserializeFrom, EncodeError, Encoded, ExtendedMessage, Handle, Handler, Message, MessageBus,
    New, Payload, Poller, Publish, Report, Sender, Space, Time, WriteError, Writer,
};
use rust_messenger::{Messenger, Options};
use std::cell::Cell;
use std::error::Error;
use std::mem::ManuallyDrop;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use support::{Bell, wait_until, within};

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

// ------------------------------------------------------------------------------------------------------------ messages

/// Handled by everybody.
struct Plain;

/// Makes `mean` do what panics.
struct Trigger;

/// Sent by `mean`.
struct Trapped;

/// Written and read by hand, in another way.
struct Raw;

#[repr(u16)]
enum TrappedId {
    Only = 3,
}

impl From<TrappedId> for u16 {
    fn from(id: TrappedId) -> u16 {
        spring(Spot::IdInto);
        id as u16
    }
}

impl Message for Plain {
    type Id = u16;
    const ID: u16 = 1;
}

impl Message for Trigger {
    type Id = u16;
    const ID: u16 = 2;
}

impl Message for Raw {
    type Id = u16;
    const ID: u16 = 5;
}

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

empty! { Plain Trigger }

impl DeserializeFrom for Plain {
    fn deserialize_from(_: &[u8]) -> Self {
        Plain
    }
}

impl DeserializeFrom for Trigger {
    fn deserialize_from(buffer: &[u8]) -> Self {
        spring(Spot::DeserializeFrom);
        if buffer.is_empty() {
            resume_unwind(Box::new("no trigger"));
        }
        Trigger
    }
}

impl Drop for Trigger {
    fn drop(&mut self) {
        spring(Spot::MessageDrop);
    }
}

impl Message for Trapped {
    type Id = TrappedId;
    const ID: TrappedId = TrappedId::Only;
}

impl ExtendedMessage for Trapped {
    fn get_size(&self) -> usize {
        spring(Spot::GetSize);
        8
    }

    fn write_into(&self, _: &mut [u8]) {
        spring(Spot::WriteInto);
    }

    fn encode(&self, space: &mut Space<'_>) -> Result<(), EncodeError> {
        spring(Spot::Encode);
        self.write_into(space.zeroed());
        Ok(())
    }

    fn as_encoded(&self) -> Option<&[u8]> {
        spring(Spot::AsEncoded);
        None
    }
}

impl DeserializeFrom for Trapped {
    fn deserialize_from(_: &[u8]) -> Self {
        Trapped
    }
}

impl ExtendedMessage for Raw {
    fn get_size(&self) -> usize {
        0
    }

    fn write_into(&self, _: &mut [u8]) {}
}

impl Encoded for Raw {
    type Decoded<'a> = Raw;

    fn decode(_: &[u8]) -> Result<Raw, DecodeError> {
        spring(Spot::Decode);
        Ok(Raw)
    }
}

/// Encoded by serde.
struct Serde;

rust_messenger::serde_message!(Serde, 4);

impl serde::Serialize for Serde {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        spring(Spot::Serialize);
        serializer.serialize_u8(1)
    }
}

impl<'de> serde::Deserialize<'de> for Serde {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        spring(Spot::Deserialize);
        <u8 as serde::Deserialize>::deserialize(deserializer).map(|_| Serde)
    }
}

/// What is written without a message.
struct Trap;

impl Payload for Trap {
    fn size(&self) -> usize {
        spring(Spot::PayloadSize);
        8
    }

    fn fill(&mut self, _: &mut Space<'_>) -> Result<(), EncodeError> {
        spring(Spot::PayloadFill);
        Ok(())
    }
}

/// What `mean` fails with.
struct Refusal;

impl From<Refusal> for Box<dyn Error + Send + Sync> {
    fn from(_: Refusal) -> Self {
        spring(Spot::ErrorInto);
        "it did not panic".into()
    }
}

// ------------------------------------------------------------------------------------------------------------ handlers

struct Config {
    spot: Spot,
    poller: Option<Arc<Bed>>,
}

impl Clone for Config {
    fn clone(&self) -> Self {
        spring(Spot::ConfigClone);
        Config { spot: self.spot, poller: self.poller.clone() }
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        spring(Spot::ConfigDrop);
    }
}

/// What the worker sleeps in.
#[derive(Debug, Default)]
struct Bed {
    bell: Bell,
    is_asleep: AtomicBool,
}

impl Poller for Bed {
    fn wait(&self, timeout: Option<Duration>) {
        spring(Spot::PollerWait);
        self.is_asleep.store(true, Ordering::SeqCst);
        self.bell.wait(timeout);
        self.is_asleep.store(false, Ordering::SeqCst);
    }

    fn poll(&self) -> bool {
        spring(Spot::PollerPoll);
        false
    }

    fn notify(&self) {
        spring(Spot::PollerNotify);
        self.bell.notify();
    }
}

/// A poller of one worker, which goes with it.
#[derive(Debug)]
struct Own(Arc<Bed>);

impl Poller for Own {
    fn wait(&self, timeout: Option<Duration>) {
        self.0.wait(timeout);
    }

    fn poll(&self) -> bool {
        self.0.poll()
    }

    fn notify(&self) {
        self.0.notify();
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        spring(Spot::PollerDrop);
    }
}

/// Sends what the others handle.
struct First;

/// Panics, or calls what does.
struct Mean {
    spot: Spot,
    poller: Option<Arc<Bed>>,
}

/// Stands behind it.
struct Last;

/// Works on another worker.
struct Counter;

impl Handler for First {
    type Id = u16;
    const ID: u16 = 1;

    fn on_start<W: Writer>(&mut self, writer: &W) {
        for number in 0..16 {
            Self::send(&Plain, writer);
            SENT.fetch_add(1, Ordering::SeqCst);
            if number == 7 {
                let is_empty = ARMED.load(Ordering::SeqCst) == Spot::OnReportUndecodable as u64 + 1;
                writer.write_bytes(Self::ID, Trigger::ID, if is_empty { &[] } else { &[1; 8] }).unwrap();
            }
        }
    }
}

impl Handler for Mean {
    type Id = u16;
    const ID: u16 = 2;

    fn on_start<W: Writer>(&mut self, _: &W) {
        spring(Spot::OnStart);
    }

    fn on_loop<W: Writer>(&mut self, _: &W) {
        spring(Spot::OnLoop);
    }

    fn on_stop(&mut self) {
        spring(Spot::OnStop);
    }

    fn next_deadline(&self) -> Option<Time> {
        spring(Spot::NextDeadline);
        (self.spot == Spot::ClockNow).then_some(Time::from_nanos(u64::MAX))
    }

    fn poller(&self) -> Option<Arc<dyn Poller>> {
        spring(Spot::NamePoller);
        self.poller.clone().map(|bed| Arc::new(Own(bed)) as Arc<dyn Poller>)
    }
}

impl Drop for Mean {
    fn drop(&mut self) {
        spring(Spot::HandlerDrop);
    }
}

impl Handler for Last {
    type Id = u16;
    const ID: u16 = 3;
}

impl Handler for Counter {
    type Id = u16;
    const ID: u16 = 4;
}

impl New<Config> for First {
    fn new<W: Writer>(_: &Config, _: &W) -> Self {
        First
    }
}

impl New<Config> for Mean {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        spring(Spot::New);
        Mean { spot: config.spot, poller: config.poller.clone() }
    }
}

impl New<Config> for Last {
    fn new<W: Writer>(_: &Config, _: &W) -> Self {
        Last
    }
}

impl New<Config> for Counter {
    fn new<W: Writer>(_: &Config, _: &W) -> Self {
        Counter
    }
}

impl Handle<Trigger> for Mean {
    fn handle<W: Writer>(&mut self, _: &Trigger, writer: &W) {
        if self.spot.is_armed_by_trigger() {
            arm(self.spot);
        }
        spring(Spot::Handle);
        match self.spot {
            Spot::GetSize | Spot::AsEncoded | Spot::WriteInto | Spot::Encode | Spot::JournalClock => {
                Self::send(&Trapped, writer);
            }
            Spot::Serialize | Spot::Deserialize => Self::send(&Serde, writer),
            Spot::Decode => Self::send(&Raw, writer),
            Spot::OnReportUnrouted => writer.write_bytes(Self::ID, 9, &[]).unwrap(),
            Spot::PayloadSize | Spot::PayloadFill => writer.put(Self::ID, 9, &mut Trap).unwrap(),
            Spot::Fill => writer.write(Self::ID, 9, 8, |_| spring(Spot::Fill)).unwrap(),
            Spot::ErrorInto => writer.fail(Refusal),
            Spot::OnReport => writer.report(Report::Unsent { source: 1, message: 1, error: WriteError::Full }),
            _ => {}
        }
    }
}

impl Handle<Plain> for First {
    fn handle<W: Writer>(&mut self, _: &Plain, _: &W) {}
}

impl Handle<Plain> for Last {
    fn handle<W: Writer>(&mut self, _: &Plain, _: &W) {}
}

impl Handle<Plain> for Counter {
    fn handle<W: Writer>(&mut self, _: &Plain, _: &W) {
        HANDLED.fetch_add(1, Ordering::SeqCst);
    }
}

impl Handle<Trapped> for Mean {
    fn handle<W: Writer>(&mut self, _: &Trapped, _: &W) {}
}

impl Handle<Raw> for Mean {
    fn handle<W: Writer>(&mut self, _: &Raw, _: &W) {}
}

impl Handle<Serde> for Mean {
    fn handle<W: Writer>(&mut self, _: &Serde, _: &W) {}
}

Messenger! {
    Config,
    Victim:
        handlers: [ first: First, mean: Mean, last: Last ]
        routes: [
            Mean, Trapped: [ mean ],
            First, Plain: [ first, last ],
            First, Trigger: [ mean ],
            Mean, Raw: [ mean ],
            Mean, Serde: [ mean ],
        ]
    Other:
        handlers: [ counter: Counter ]
        routes: [ First, Plain: [ counter ] ]
}

// ----------------------------------------------------------------------------------------- what buses and options hold

#[derive(Debug)]
struct Strategy;

impl Default for Strategy {
    fn default() -> Self {
        spring(Spot::StrategyInStart);
        spring(Spot::StrategyDefault);
        Strategy
    }
}

impl WaitStrategy for Strategy {
    fn begin(&mut self, _: u64) {
        spring(Spot::StrategyBegin);
    }

    fn idle(&mut self) -> Idle {
        spring(Spot::StrategyIdle);
        Idle::Park
    }
}

impl Drop for Strategy {
    fn drop(&mut self) {
        spring(Spot::StrategyInJoin);
        spring(Spot::StrategyDrop);
    }
}

/// Tells the time of the messenger, or of the journal.
struct Watch(&'static [Spot]);

impl Clock for Watch {
    fn now(&self) -> Time {
        self.0.iter().for_each(|&spot| spring(spot));
        SystemClock.now()
    }
}

fn options(spot: Spot, on_panic: OnPanic) -> Options {
    let on_report = move |_: &Report| {
        for spot in [Spot::OnReport, Spot::OnReportUndecodable, Spot::OnReportUnrouted, Spot::OnReportPinning] {
            spring(spot);
        }
    };
    Options {
        // So long that whoever does not end by itself hangs the test.
        drain: support::PATIENCE,
        on_panic,
        pin: if spot == Spot::OnReportPinning { vec![("Victim", usize::MAX)] } else { Vec::new() },
        on_report: Some(Arc::new(on_report)),
        clock: Arc::new(Watch(&[Spot::ClockNow, Spot::ClockInStop, Spot::ClockInJoin])),
        ..Options::default()
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
    let is_fatal = when == When::Running && spot.blamed() != Blamed::Nobody;
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
    check(spot, result);
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
}

fn ring<C: rust_messenger::message_bus::Claim>() -> CircularBus<C, Strategy> {
    let options = RingOptions { capacity: 1 << 16, ..RingOptions::default() };
    CircularBus::<C>::with_options(options).unwrap().waiting()
}

const MANY: Kind = Kind { many_writers: true, is_journal: false, has_strategy: true };
const ONE: Kind = Kind { many_writers: false, is_journal: false, has_strategy: true };

#[test]
fn on_a_ring() {
    within("on a ring", || play_all(&MANY, ring::<ManyWriters>));
}

#[test]
fn on_a_ring_for_one_writer() {
    within("on a ring for one writer", || play_all(&ONE, ring::<OneWriter>));
}

#[test]
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
    fn in_memory() {
        let kind = Kind { is_journal: true, ..MANY };
        let bus = || PersistentBus::in_memory(options()).unwrap().waiting::<Strategy>();
        within("on a journal in memory", move || play_all(&kind, bus));
    }

    #[test]
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

// ------------------------------------------------------------------------------------------------- more than one panic

/// Panics whenever it is dropped, with itself.
struct Relentless;

impl Drop for Relentless {
    fn drop(&mut self) {
        resume_unwind(Box::new(Relentless));
    }
}

/// What panics as it is dropped, in this mess or in none.
struct Mood(Option<Mess>);

impl Drop for Mood {
    fn drop(&mut self) {
        if self.0.is_some_and(Mess::is_now) {
            drop(Relentless);
        }
    }
}

/// Panics that meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mess {
    /// All handlers panic as they are dropped, and so do the poller and the configuration.
    AllDrops,
    /// A handler panics as it is made, and the one before it as it is dropped for that.
    NewAndDrop,
    /// A handler panics with a message in its hands that panics as it is dropped.
    HandlerAndMessage,
    /// The callback for reports panics, and the error that it was given as it is dropped.
    ReportAndError,
    /// A fill panics, and the poller that is notified of its end.
    FillAndPoller,
}

impl Mess {
    /// Which one is being made; one at a time.
    fn is_now(self) -> bool {
        ARMED.load(Ordering::SeqCst) == self as u64 + 1
    }
}

struct Beast(#[allow(dead_code, reason = "it is there to be dropped")] Mood);

impl Message for Beast {
    type Id = u16;
    const ID: u16 = 1;
}

empty! { Beast }

impl DeserializeFrom for Beast {
    fn deserialize_from(_: &[u8]) -> Self {
        // Where its handler panics: elsewhere its drop would be a panic of its own.
        Beast(Mood((thread::current().name() == Some("Cage")).then_some(Mess::HandlerAndMessage)))
    }
}

struct Plan(#[allow(dead_code, reason = "it is there to be dropped")] Mood);

impl Clone for Plan {
    fn clone(&self) -> Self {
        Plan(Mood(self.0.0))
    }
}

#[derive(Debug)]
struct Nest(Bell);

impl Poller for Nest {
    fn wait(&self, timeout: Option<Duration>) {
        self.0.wait(timeout);
    }

    fn notify(&self) {
        self.0.notify();
        if Mess::FillAndPoller.is_now() {
            drop(Relentless);
        }
    }
}

impl Drop for Nest {
    fn drop(&mut self) {
        drop(Mood(Some(Mess::AllDrops)));
    }
}

#[derive(Debug)]
struct WildError;

impl std::fmt::Display for WildError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("wild")
    }
}

impl Error for WildError {}

impl Drop for WildError {
    fn drop(&mut self) {
        drop(Mood(Some(Mess::ReportAndError)));
    }
}

struct Tame(#[allow(dead_code, reason = "it is there to be dropped")] [Mood; 1]);

struct Wild(#[allow(dead_code, reason = "it is there to be dropped")] [Mood; 1]);

/// On another worker, asleep in a poller of its own.
struct Sleeper;

impl Handler for Tame {
    type Id = u16;
    const ID: u16 = 1;

    fn on_start<W: Writer>(&mut self, writer: &W) {
        Self::send(&Beast(Mood(None)), writer);
    }

    fn poller(&self) -> Option<Arc<dyn Poller>> {
        Some(Arc::new(Nest(Bell::default())))
    }
}

impl Handler for Wild {
    type Id = u16;
    const ID: u16 = 2;
}

impl Handler for Sleeper {
    type Id = u16;
    const ID: u16 = 3;
}

impl New<Plan> for Tame {
    fn new<W: Writer>(_: &Plan, _: &W) -> Self {
        Tame([Mood(Some(if Mess::NewAndDrop.is_now() { Mess::NewAndDrop } else { Mess::AllDrops }))])
    }
}

impl New<Plan> for Wild {
    fn new<W: Writer>(_: &Plan, _: &W) -> Self {
        if Mess::NewAndDrop.is_now() {
            resume_unwind(Box::new(Relentless));
        }
        Wild([Mood(Some(Mess::AllDrops))])
    }
}

impl New<Plan> for Sleeper {
    fn new<W: Writer>(_: &Plan, _: &W) -> Self {
        Sleeper
    }
}

impl Handle<Beast> for Wild {
    fn handle<W: Writer>(&mut self, _: &Beast, writer: &W) {
        if Mess::HandlerAndMessage.is_now() {
            resume_unwind(Box::new(Relentless));
        }
        if Mess::ReportAndError.is_now() {
            writer.report(Report::Network { source: 1, error: Box::new(WildError) });
        }
    }
}

impl Handle<Beast> for Sleeper {
    fn handle<W: Writer>(&mut self, _: &Beast, _: &W) {
        HANDLED.fetch_add(1, Ordering::SeqCst);
    }
}

Messenger! {
    type Zoo;
    Plan,
    Cage:
        handlers: [ tame: Tame, wild: Wild ]
        routes: [ Tame, Beast: [ wild ] ]
    Barn:
        handlers: [ sleeper: Sleeper ]
        routes: [ Tame, Beast: [ sleeper ] ]
}

/// Who is blamed in a mess, in order.
fn blamed_in(mess: Mess) -> Vec<String> {
    let _alone = alone();
    ARMED.store(mess as u64 + 1, Ordering::SeqCst);
    let on_report = |_: &Report| drop(Mood(Some(Mess::ReportAndError)));
    let options = Options { on_report: Some(Arc::new(on_report)), ..Options::default() };
    let bus = CircularBus::new(1 << 16).unwrap();
    let messenger = Zoo::with_options(bus, options);
    // Only the clones are dropped.
    let plan = ManuallyDrop::new(Plan(Mood(Some(Mess::AllDrops))));
    let handles = messenger.run(&*plan);
    match mess {
        Mess::NewAndDrop => {}
        _ => wait_until("the other worker works", || HANDLED.load(Ordering::SeqCst) == 1),
    }
    if mess == Mess::FillAndPoller {
        let writer = messenger.writer().unwrap();
        // Until it meets a sleeper.
        wait_until("the poller panics", || {
            let fill = || writer.write(9, 9, 8, |_| resume_unwind(Box::new("fill")));
            match std::panic::catch_unwind(std::panic::AssertUnwindSafe(fill)) {
                Err(panic) => assert_eq!(panic.downcast_ref(), Some(&"fill"), "the writer gets its own panic"),
                Ok(written) => assert_eq!(written, Err(WriteError::Closed)),
            }
            handles.is_finished()
        });
    }
    if mess == Mess::AllDrops {
        messenger.stop();
    }
    let error = handles.join().unwrap_err();
    ARMED.store(0, Ordering::SeqCst);
    let mut blamed: Vec<_> = error.failures.iter().map(ToString::to_string).collect();
    if mess == Mess::AllDrops {
        // Of two workers.
        blamed.sort();
    }
    blamed
}

#[test]
fn panics_that_meet_end_no_process() {
    const SILENT: &str = "a panic without a text";
    within("panics that meet", || {
        let drops = [
            "Barn: the configuration",
            "Cage: handler tame",
            "Cage: handler wild",
            "Cage: the configuration",
            "Cage: the poller",
        ];
        let drops = drops.map(|who| format!("worker {who} panicked: while it was dropped: {SILENT}"));
        assert_eq!(blamed_in(Mess::AllDrops), drops);

        let new = format!("worker Cage: handler wild panicked: {SILENT}");
        let dropped = format!("worker Cage: handler tame panicked: while it was dropped: {SILENT}");
        assert_eq!(blamed_in(Mess::NewAndDrop), [new, dropped]);

        let blamed = blamed_in(Mess::HandlerAndMessage);
        let [handler] = &blamed[..] else { panic!("{blamed:?}") };
        assert!(handler.starts_with("worker Cage: handler wild panicked on message 1 from source 1"), "{handler}");

        let blamed = blamed_in(Mess::ReportAndError);
        let [report] = &blamed[..] else { panic!("{blamed:?}") };
        assert!(report.starts_with("worker Cage: the callback for reports panicked on message 1"), "{report}");

        assert_eq!(blamed_in(Mess::FillAndPoller), [format!("worker Cage: the poller panicked: {SILENT}")]);
    });
}

/// A clock that has panicked once and goes on doing so: the stop goes by the system's time, and drains.
#[test]
fn a_clock_that_never_works_again_keeps_nobody_from_the_end() {
    struct Broken;

    impl Clock for Broken {
        fn now(&self) -> Time {
            resume_unwind(Box::new("no time"));
        }
    }

    impl Drop for Broken {
        fn drop(&mut self) {
            drop(Relentless);
        }
    }

    within("a clock that never works again", || {
        let _alone = alone();
        // Dropped last, with the messenger, where nobody can be told.
        let held = Relentless;
        let on_report = move |_: &Report| _ = &held;
        let options = Options { clock: Arc::new(Broken), on_report: Some(Arc::new(on_report)), ..Options::default() };
        let messenger = Zoo::with_options(CircularBus::new(1 << 16).unwrap(), options);
        let handles = messenger.run(&Plan(Mood(None)));
        wait_until("all are at work", || HANDLED.load(Ordering::SeqCst) == 1);
        messenger.stop();
        let error = handles.join().unwrap_err();
        assert_eq!(error.failures[0].to_string(), "the clock panicked: no time");
        assert_eq!((error.failures.len(), error.summary.left.len()), (1, 0), "{error}");
    });
}
