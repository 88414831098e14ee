//! What a messenger promises its handlers and those who run it: order of start and stop, drain, panics, timers, errors.
//!
//! The handlers are scripted: a test gives one function from events to acts, and afterwards reads the log of everything
//! that was called. Tests about order in time step the workers themselves ([`Messenger::workers`]), so that they are
//! exact; tests about threads wait with a deadline. What happens when the bus is full is in `tests/flood.rs`.

#[path = "messenger/attached.rs"]
mod attached;
#[path = "messenger/making.rs"]
mod making;
#[cfg(all(unix, feature = "serde"))]
#[path = "messenger/placement.rs"]
mod placement;
#[path = "messenger/restarts.rs"]
mod restarts;
mod support;

use rust_messenger::message_bus::{CircularBus, CondvarBus};
use rust_messenger::messenger::{Cause, Left, OnPanic, RunError, StartError, Step, Tap, Workers};
use rust_messenger::testing::ManualClock;
use rust_messenger::traits::{
    BusWriter, DeserializeFrom, ExtendedMessage, Handle, Handler, Header, Message, MessageBus, New, NoWriter, Payload,
    Publish, ReadError, Reader, Report, Sender, SubscribeError, Time, WriteError, Writer,
};
use rust_messenger::{Due, Messenger, Options};
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use support::{PATIENCE, around_bus, around_reader, settle, wait_until, within};

// ------------------------------------------------------------------------------------------------------------ handlers

/// A number in as many bytes as it is told to take, at least 8.
struct Num {
    number: u64,
    size: usize,
}

/// No handler ever sees this number: it cannot be decoded.
const POISON: u64 = 0xDEAD;

impl Message for Num {
    type Id = u16;
    const ID: u16 = 7;
}

/// Another message, which carries nothing.
struct Other;

impl Message for Other {
    type Id = u16;
    const ID: u16 = 8;
}

impl ExtendedMessage for Other {
    fn get_size(&self) -> usize {
        0
    }

    fn write_into(&self, _: &mut [u8]) {}
}

impl DeserializeFrom for Other {
    fn deserialize_from(_: &[u8]) -> Self {
        Other
    }
}

impl<const ID: u16> Handle<Due> for Scripted<ID> {
    fn handle<W: Writer>(&mut self, due: &Due, writer: &W) {
        self.act(What::Due(due.time.as_nanos()), writer);
    }
}

impl<const ID: u16> Handle<Other> for Scripted<ID> {
    fn handle<W: Writer>(&mut self, _: &Other, _: &W) {}
}

impl ExtendedMessage for Num {
    fn get_size(&self) -> usize {
        self.size
    }

    fn write_into(&self, buffer: &mut [u8]) {
        buffer.fill(self.number as u8);
        buffer[..8].copy_from_slice(&self.number.to_le_bytes());
    }
}

impl DeserializeFrom for Num {
    fn deserialize_from(buffer: &[u8]) -> Self {
        let Some(first) = buffer.first_chunk::<8>() else { quiet_panic("too short for a number") };
        let number = u64::from_le_bytes(*first);
        if number == POISON {
            quiet_panic("poison");
        }
        assert!(buffer[8..].iter().all(|&byte| byte == number as u8), "torn message {number}");
        Num { number, size: buffer.len() }
    }
}

/// Panics without the hook that prints, so that panics which are meant to happen do not fill the output.
fn quiet_panic(text: &str) -> ! {
    resume_unwind(Box::new(text.to_owned()))
}

/// What was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    New,
    Start,
    Loop,
    Message(u64),
    Due(u64),
    Stop,
    Dropped,
}

/// What a handler is to do.
enum Act {
    Send(u64),
    Sized(u64, usize),
    TrySend(u64),
    Stop,
    Fail(&'static str),
    Panic(&'static str),
    Deadline(Option<Time>),
    /// From now on asking for the deadline panics.
    NoDeadline,
    Sleep(Duration),
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    who: u16,
    what: What,
    now: Time,
    thread: String,
}

type Script = Arc<dyn Fn(u16, What, Time) -> Vec<Act> + Send + Sync>;

struct Config {
    script: Script,
    log: Arc<Mutex<Vec<Entry>>>,
    tried: Arc<Mutex<Vec<Result<(), WriteError>>>>,
    clones: Arc<AtomicUsize>,
}

impl Clone for Config {
    fn clone(&self) -> Self {
        self.clones.fetch_add(1, Ordering::Relaxed);
        self.share()
    }
}

impl Config {
    fn new(script: impl Fn(u16, What, Time) -> Vec<Act> + Send + Sync + 'static) -> Config {
        Config { script: Arc::new(script), log: Arc::default(), tried: Arc::default(), clones: Arc::default() }
    }

    /// Handlers that do nothing.
    fn idle() -> Config {
        Config::new(|_, _, _| Vec::new())
    }

    /// The same thing once more, not counted as a clone.
    fn share(&self) -> Config {
        let Config { script, log, tried, clones } = self;
        Config {
            script: Arc::clone(script),
            log: Arc::clone(log),
            tried: Arc::clone(tried),
            clones: Arc::clone(clones),
        }
    }

    fn log(&self) -> Vec<Entry> {
        self.log.lock().unwrap().clone()
    }

    /// What was called on one handler.
    fn calls(&self, who: u16) -> Vec<What> {
        self.log.lock().unwrap().iter().filter(|entry| entry.who == who).map(|entry| entry.what).collect()
    }

    fn count(&self, who: u16, what: What) -> usize {
        self.log.lock().unwrap().iter().filter(|entry| entry.who == who && entry.what == what).count()
    }

    /// The numbers one handler was given.
    fn numbers(&self, who: u16) -> Vec<u64> {
        let number = |what| if let What::Message(number) = what { Some(number) } else { None };
        self.calls(who).into_iter().filter_map(number).collect()
    }
}

/// A handler that does as the script says.
struct Scripted<const ID: u16> {
    config: Config,
    deadline: Result<Option<Time>, ()>,
    /// Handlers need not be `Send`.
    _stays_here: Rc<()>,
}

impl<const ID: u16> Scripted<ID> {
    fn call(&self, what: What, now: Time) -> Vec<Act> {
        let thread = thread::current().name().unwrap_or_default().to_owned();
        self.config.log.lock().unwrap().push(Entry { who: ID, what, now, thread });
        (self.config.script)(ID, what, now)
    }

    fn act<W: Writer>(&mut self, what: What, writer: &W) {
        for act in self.call(what, writer.now()) {
            match act {
                Act::Send(number) => Self::send(&Num { number, size: 8 }, writer),
                Act::Sized(number, size) => Self::send(&Num { number, size }, writer),
                Act::TrySend(number) => {
                    let result = Self::try_send(&Num { number, size: 8 }, writer);
                    self.config.tried.lock().unwrap().push(result);
                }
                Act::Stop => writer.stop(),
                Act::Fail(text) => writer.fail(text),
                Act::Panic(text) => quiet_panic(text),
                Act::Deadline(deadline) => self.deadline = Ok(deadline),
                Act::NoDeadline => self.deadline = Err(()),
                #[expect(clippy::disallowed_methods, reason = "a handler that takes its time is part of the plan")]
                Act::Sleep(time) => thread::sleep(time),
            }
        }
    }

    fn act_without_writer(&self, what: What) {
        for act in self.call(what, Time::default()) {
            if let Act::Panic(text) = act {
                quiet_panic(text);
            }
        }
    }
}

impl<const ID: u16> Handler for Scripted<ID> {
    type Id = u16;
    const ID: u16 = ID;

    fn on_start<W: Writer>(&mut self, writer: &W) {
        self.act(What::Start, writer);
    }

    fn on_loop<W: Writer>(&mut self, writer: &W) {
        self.act(What::Loop, writer);
    }

    fn on_stop(&mut self) {
        self.act_without_writer(What::Stop);
    }

    fn next_deadline(&self) -> Option<Time> {
        self.deadline.unwrap_or_else(|()| quiet_panic("no deadline"))
    }
}

impl<const ID: u16> New<Config> for Scripted<ID> {
    fn new<W: Writer>(config: &Config, writer: &W) -> Self {
        let mut handler = Scripted { config: config.share(), deadline: Ok(None), _stays_here: Rc::new(()) };
        handler.act(What::New, writer);
        handler
    }
}

impl<const ID: u16> Handle<Num> for Scripted<ID> {
    fn handle<W: Writer>(&mut self, message: &Num, writer: &W) {
        self.act(What::Message(message.number), writer);
    }
}

impl<const ID: u16> Drop for Scripted<ID> {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.act_without_writer(What::Dropped);
        }
    }
}

/// Whoever writes from outside does it in this handler's name.
type Outside = Scripted<9>;
const OUTSIDE: u16 = 9;
const NUM: u16 = Num::ID;

fn write(writer: &impl Publish, number: u64) -> Result<(), WriteError> {
    writer.write_bytes(OUTSIDE, NUM, &number.to_le_bytes())
}

fn write_now(writer: &impl Publish, number: u64) -> Result<(), WriteError> {
    writer.try_write_bytes(OUTSIDE, NUM, &number.to_le_bytes())
}

// -------------------------------------------------------------------------------------------------------------- tables

Messenger! {
    type Solo;
    Config,
    Alpha:
        handlers: [ a: Scripted<1> ]
        routes: [ Outside, Num: [ a ], Scripted<1>, Num: [ a ] ]
}

Messenger! {
    type Pair;
    Config,
    Alpha:
        handlers: [ a: Scripted<1>, b: Scripted<2> ]
        routes: [ Outside, Num: [ a, b ] ]
}

Messenger! {
    type Chain;
    Config,
    Alpha:
        handlers: [ a: Scripted<1> ]
        routes: [ Outside, Num: [ a ] ]
    Beta:
        handlers: [ b: Scripted<2> ]
        routes: [ Scripted<1>, Num: [ b ] ]
}

Messenger! {
    type Cycle;
    Config,
    Alpha:
        handlers: [ a: Scripted<1> ]
        routes: [ Outside, Num: [ a ], Scripted<2>, Num: [ a ] ]
    Beta:
        handlers: [ b: Scripted<2> ]
        routes: [ Scripted<1>, Num: [ b ] ]
}

// Both hear everything.
Messenger! {
    type Duo;
    Config,
    Alpha:
        handlers: [ a: Scripted<1> ]
        routes: [ Outside, Num: [ a ], Scripted<2>, Num: [ a ] ]
    Beta:
        handlers: [ b: Scripted<2> ]
        routes: [ Outside, Num: [ b ], Scripted<2>, Num: [ b ] ]
}

// Everybody hears everybody.
Messenger! {
    type Trio;
    Config,
    Alpha:
        handlers: [ a: Scripted<1> ]
        routes: [
            Outside, Num: [ a ], Scripted<1>, Num: [ a ], Scripted<2>, Num: [ a ], Scripted<3>, Num: [ a ],
        ]
    Beta:
        handlers: [ b: Scripted<2> ]
        routes: [
            Outside, Num: [ b ], Scripted<1>, Num: [ b ], Scripted<2>, Num: [ b ], Scripted<3>, Num: [ b ],
        ]
    Gamma:
        handlers: [ c: Scripted<3> ]
        routes: [
            Outside, Num: [ c ], Scripted<1>, Num: [ c ], Scripted<2>, Num: [ c ], Scripted<3>, Num: [ c ],
        ]
}

// The deadlines of the first handler are messages, those of the second one are not.
Messenger! {
    type Timed;
    Config,
    Alpha:
        handlers: [ a: Scripted<1>, #[allow(unrouted)] b: Scripted<2> ]
        routes: [ Outside, Num: [ a ], Scripted<1>, Due: [ a ] ]
    Gamma:
        handlers: [ c: Scripted<3> ]
        routes: [ Scripted<1>, Num: [ c ] ]
}

// The first worker is a source for its deadlines only.
Messenger! {
    type Alarm;
    Config,
    Alpha:
        handlers: [ a: Scripted<1> ]
        routes: [ Scripted<1>, Due: [ a ] ]
    Beta:
        handlers: [ b: Scripted<2> ]
        routes: [ Outside, Num: [ b ] ]
}

Messenger! {
    type Lone;
    Config,
    Alpha:
        handlers: [ a: Scripted<18> ]
        routes: [ Scripted<17>, Num: [ a ] ]
}

// The first handler sends what the second one gets, and more; the third may send what it wants.
Messenger! {
    type Loose;
    Config,
    Alpha:
        handlers: [ a: Scripted<1>, #[allow(unrouted)] c: Scripted<3> ]
        routes: [ Outside, Num: [ a ], Outside, Other: [ c ] ]
    Beta:
        handlers: [ b: Scripted<2> ]
        routes: [ Scripted<1>, Num: [ b ] ]
}

// ------------------------------------------------------------------------------------------------------------- helpers

/// Options with which no drain ends before its time, however slow the machine is.
fn patient() -> Options {
    Options { drain: PATIENCE / 2, ..Options::default() }
}

/// Reports as text, and the options that gather them.
fn gathering(reports: &Arc<Mutex<Vec<String>>>) -> Options {
    let reports = Arc::clone(reports);
    let gather = move |report: &rust_messenger::traits::Report| reports.lock().unwrap().push(format!("{report:?}"));
    Options { on_report: Some(Arc::new(gather)), ..patient() }
}

/// The one failure there is.
#[track_caller]
fn only(error: &RunError) -> (&'static str, &Cause) {
    assert_eq!(error.failures.len(), 1, "one failure expected: {error}");
    (error.failures[0].worker, &error.failures[0].cause)
}

/// A pair of a gate that holds a handler, and what opens it.
fn gate() -> (Arc<Mutex<Receiver<()>>>, std::sync::mpsc::Sender<()>) {
    let (open, held) = channel();
    (Arc::new(Mutex::new(held)), open)
}

/// Runs each test on the ring and on the blocking wrapper around it, on a thread of its own that may not hang.
macro_rules! on_both_buses {
    ($( $test:ident: $capacity:expr; )+) => {
        mod on_the_ring { $(
            #[test]
            fn $test() {
                super::within(stringify!($test), || super::$test(super::CircularBus::new($capacity).unwrap()));
            }
        )+ }

        mod on_a_condvar { $(
            #[test]
            #[cfg_attr(miri, ignore = "minutes: how it waits is seen in the contract, and the rest on the ring")]
            fn $test() {
                let bus = || super::CondvarBus::new(super::CircularBus::new($capacity).unwrap());
                super::within(stringify!($test), move || super::$test(bus()));
            }
        )+ }
    };
}

// Here, so that it has the macro above.
#[cfg(feature = "async")]
#[path = "messenger/door.rs"]
mod door;

on_both_buses! {
    start_loop_and_stop_come_in_order: 4096;
    stop_drains_what_was_written_before: 4096;
    writers_that_race_with_a_stop_lose_nothing: 4096;
    stop_works_from_everywhere_and_more_than_once: 1024;
    the_deadline_bounds_the_drain: 16 * 1024;
    a_handler_that_never_returns_is_stuck: 4096;
    dropped_handles_stop_and_join: 4096;
    starts_and_stops_by_the_thousand: 1024;
    an_isolated_panic_freezes_nobody: 4096;
    a_panic_stops_all_drained: 4096;
    a_deadline_fires: 1024;
    a_deadline_fires_under_constant_load: 1024;
    a_deadline_in_the_past_keeps_awake: 1024;
    a_due_wakes_its_worker: 1024;
    nothing_is_written_before_all_are_subscribed: 1024;
    sending_in_time_waits_so_long_and_no_longer: 1024;
    a_tap_sees_everything_until_the_last_worker_has_left: 4096;
    a_tap_holds_nobody_back_and_says_what_it_missed: 1024;
    a_tap_that_waits_wakes_at_messages_and_at_the_end: 4096;
    blocked_writers_get_closed_at_the_stop: 1024;
    waiting_for_room_ends_when_the_bus_is_closed: 1024;
}

// -------------------------------------------------------------------------------------------------------- start, stop

fn start_loop_and_stop_come_in_order<B: MessageBus>(bus: B) {
    // What is sent from `new` reaches workers whose handlers are not made yet: all are subscribed by then.
    let config = Config::new(|who, what, _| match what {
        What::New => vec![Act::Send(u64::from(who))],
        What::Start => vec![Act::Send(u64::from(10 + who))],
        _ => Vec::new(),
    });
    let messenger = Trio::with_options(bus, patient());
    let handles = messenger.run(&config);
    wait_until("everybody heard everybody", || (1..=3).all(|who| config.numbers(who).len() == 6));
    wait_until("everybody went idle", || (1..=3).all(|who| config.count(who, What::Loop) != 0));
    messenger.stop();
    assert_eq!(handles.join().unwrap().left, []);

    for (who, thread) in [(1, "Alpha"), (2, "Beta"), (3, "Gamma")] {
        let calls = config.calls(who);
        let (first, last) = (&calls[..2], &calls[calls.len() - 2..]);
        assert_eq!(first, [What::New, What::Start]);
        assert_eq!(last, [What::Stop, What::Dropped]);
        let between = &calls[2..calls.len() - 2];
        assert!(between.iter().all(|what| matches!(what, What::Loop | What::Message(_))), "{calls:?}");
        let mut numbers = config.numbers(who);
        for source in 1..=3 {
            let place = |wanted| numbers.iter().position(|&number| number == wanted);
            assert!(place(source) < place(10 + source), "the order of one source: {numbers:?}");
        }
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 3, 11, 12, 13]);
        let own: Vec<_> = config.log().into_iter().filter(|entry| entry.who == who).collect();
        assert!(own.iter().all(|entry| entry.thread == thread), "a thread is named after its worker");
        // `on_stop` and `drop` have no writer to ask for the time.
        assert!(own[..own.len() - 2].is_sorted_by_key(|entry| entry.now), "time went backwards");
    }
    assert_eq!(config.clones.load(Ordering::Relaxed), 3, "each worker has the configuration to itself");
}

#[test]
#[cfg_attr(miri, ignore = "hundreds of messages, to look at a count")]
fn a_step_takes_no_more_than_it_may() {
    let config = Config::idle();
    let messenger = Pair::with_options(CircularBus::new(64 * 1024).unwrap(), patient());
    let writer = messenger.writer().unwrap();
    let mut workers = messenger.workers(&config).unwrap();
    settle(&mut workers);
    for number in 0..300 {
        write(&writer, number).unwrap();
    }
    let mut handled = 0;
    for (most, takes) in [(1, 1), (2, 2), (0, 1), (40, 40), (usize::MAX, 256)] {
        handled += takes;
        let worker = workers.iter_mut().next().unwrap();
        assert_eq!(worker.step_up_to(most), Step::Worked);
        assert_eq!(config.numbers(1).len(), handled, "after a step of up to {most}");
    }
}

#[test]
fn on_loop_runs_once_before_each_wait() {
    let config = Config::idle();
    let messenger = Pair::with_options(CircularBus::new(4096).unwrap(), patient());
    let writer = messenger.writer().unwrap();
    let mut workers = messenger.workers(&config).unwrap();
    assert_eq!(workers.step(), Step::Worked);
    assert_eq!(config.calls(1), [What::New, What::Start]);
    assert_eq!(workers.step(), Step::Idle);
    assert_eq!(config.calls(1), [What::New, What::Start, What::Loop]);
    write(&writer, 1).unwrap();
    write(&writer, 2).unwrap();
    assert_eq!(workers.step(), Step::Worked, "messages first");
    assert_eq!(workers.step(), Step::Idle);
    let calls = [What::New, What::Start, What::Loop, What::Message(1), What::Message(2), What::Loop];
    assert_eq!(config.calls(1), calls);
    assert_eq!(config.calls(2), calls, "the second handler of the worker is called like the first");
    let order: Vec<_> = config.log().into_iter().map(|entry| entry.who).collect();
    assert_eq!(order, [1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2], "handlers take turns in the order of the table");
}

fn stop_drains_what_was_written_before<B: MessageBus>(bus: B) {
    const MESSAGES: u64 = if cfg!(miri) { 100 } else { 2000 };
    let config = Config::new(|who, what, _| match what {
        // One that is behind when the stop comes.
        What::Message(number) if who == 2 && number % 64 == 0 => vec![Act::Sleep(Duration::from_millis(1))],
        _ => Vec::new(),
    });
    let messenger = Trio::with_options(bus, patient());
    let handles = messenger.run(&config);
    let writer = messenger.writer().unwrap();
    for number in 0..MESSAGES {
        write(&writer, number).unwrap();
    }
    messenger.stop();
    assert_eq!(write(&writer, MESSAGES), Err(WriteError::Closed));
    assert_eq!(writer.try_write_bytes(OUTSIDE, NUM, &[0; 8]), Err(WriteError::Closed));
    let summary = handles.join().unwrap();
    assert_eq!(summary, Default::default(), "nothing to complain about");
    for who in 1..=3 {
        assert!(config.numbers(who).into_iter().eq(0..MESSAGES), "handler {who} did not get everything, in order");
        assert_eq!(config.count(who, What::Stop), 1);
    }
}

fn writers_that_race_with_a_stop_lose_nothing<B: MessageBus>(bus: B) {
    const WRITERS: u64 = 4;
    let config = Config::idle();
    let messenger = Trio::with_options(bus, patient());
    let handles = messenger.run(&config);
    let written: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..WRITERS)
            .map(|source| {
                let writer = messenger.writer().unwrap();
                scope.spawn(move || {
                    let mut written = 0;
                    loop {
                        match write(&writer, source << 32 | written) {
                            Ok(()) => written += 1,
                            Err(error) => {
                                assert_eq!(error, WriteError::Closed);
                                return written;
                            }
                        }
                    }
                })
            })
            .collect();
        wait_until("some messages came through", || config.numbers(1).len() >= if cfg!(miri) { 20 } else { 500 });
        messenger.stop();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let summary = handles.join().unwrap();
    assert_eq!(summary.left, []);
    for who in 1..=3 {
        let numbers = config.numbers(who);
        for source in 0..WRITERS {
            let own = numbers.iter().filter(|&&number| number >> 32 == source).map(|&number| number & 0xFFFF_FFFF);
            assert!(own.enumerate().all(|(index, number)| index as u64 == number), "handler {who}: gap or double");
        }
        let handled = numbers.len() as u64;
        assert!(handled <= written);
        assert!(
            handled + summary.after_stop >= written,
            "{written} written, {} of them after the stop, but handler {who} got {handled}",
            summary.after_stop
        );
    }
}

#[test]
fn what_workers_write_after_the_end_is_counted() {
    let config = Config::new(|who, what, _| match what {
        What::Message(number) if number < 100 && who == 1 => vec![Act::Send(100 + number)],
        _ => Vec::new(),
    });
    let messenger = Trio::with_options(CircularBus::new(4096).unwrap(), patient());
    let writer = messenger.writer().unwrap();
    let mut workers = messenger.workers(&config).unwrap();
    workers.step();
    for number in 0..10 {
        write(&writer, number).unwrap();
    }
    messenger.stop();
    while config.numbers(1).len() < 10 {
        assert_eq!(workers.step(), Step::Worked);
    }
    // The answers are on the bus now; stopping once more does not bring them before the end.
    messenger.stop();
    assert_eq!(settle(&mut workers), Step::Finished);
    let summary = workers.conclude().unwrap();
    assert_eq!(summary.after_stop, 10, "one answer to each of the ten");
    assert_eq!(summary.left, []);
    for who in 1..=3 {
        assert!(config.numbers(who).into_iter().eq(0..10), "the drain ends where the stop came");
        assert_eq!(config.calls(who).last_chunk(), Some(&[What::Stop, What::Dropped]));
    }
}

#[test]
fn no_on_loop_once_the_end_is_fixed() {
    let config = Config::new(|_, what, _| match what {
        What::Start => vec![Act::Deadline(Some(Time::default()))],
        _ => Vec::new(),
    });
    let messenger = Solo::with_options(CircularBus::new(4096).unwrap(), patient());
    let mut workers = messenger.workers(&config).unwrap();
    workers.step();
    let writer = messenger.writer().unwrap();
    for number in 0..3 {
        write(&writer, number).unwrap();
    }
    messenger.stop();
    assert_eq!(settle(&mut workers), Step::Finished);
    workers.conclude().unwrap();
    let messages = (0..3).map(What::Message);
    let calls: Vec<_> =
        [What::New, What::Start].into_iter().chain(messages).chain([What::Stop, What::Dropped]).collect();
    assert_eq!(config.calls(1), calls, "the timer is due, but what it sent would come too late");
}

#[test]
fn nobody_goes_beyond_the_end() {
    within("nobody goes beyond the end", || {
        let [(first, open_first), (second, open_second), (third, open_third)] = [gate(), gate(), gate()];
        let config = Config::new(move |who, what, _| {
            let held = match (who, what) {
                (2, What::Message(0)) => &first,
                (1, What::Message(5)) => &second,
                (1, What::Message(10)) => &third,
                (2, What::Message(number)) if number < 20 => return vec![Act::Send(100 + number)],
                _ => return Vec::new(),
            };
            let _ = held.lock().unwrap().recv();
            Vec::new()
        });
        let messenger = Duo::with_options(CircularBus::new(4096).unwrap(), patient());
        let handles = messenger.run(&config);
        let writer = messenger.writer().unwrap();
        for number in 0..20 {
            write(&writer, number).unwrap();
        }
        wait_until("Alpha and Beta are held", || config.numbers(1).last() == Some(&5) && config.numbers(2) == [0]);
        messenger.stop();
        // Alpha goes on and is held in the middle of a batch before the end is fixed, because Beta is still held.
        drop(open_second);
        wait_until("Alpha is held again", || config.numbers(1).last() == Some(&10));
        // Now Beta has the end fixed, answers what comes before it, and ends: its answers come after the end.
        drop(open_first);
        wait_until("Beta has ended", || config.count(2, What::Stop) == 1);
        drop(open_third);
        let summary = handles.join().unwrap();
        assert_eq!((summary.after_stop, summary.left), (19, vec![]));
        for who in 1..=2 {
            assert!(config.numbers(who).into_iter().eq(0..20), "{who}: {:?}", config.numbers(who));
        }
    });
}

#[test]
fn outboxes_pending_at_the_stop_are_flushed_before_the_end_is_fixed() {
    const ANSWERS: u64 = if cfg!(miri) { 80 } else { 200 };
    let config = Config::new(|who, what, _| match (who, what) {
        (1, What::Message(_)) => (0..ANSWERS).map(Act::Send).collect(),
        _ => Vec::new(),
    });
    let messenger = Chain::with_options(CircularBus::new(1024).unwrap(), patient());
    let writer = messenger.writer().unwrap();
    let mut workers = messenger.workers(&config).unwrap();
    settle(&mut workers);
    write(&writer, 0).unwrap();
    workers.iter_mut().next().unwrap().step();
    let high_water = messenger.stats().readers[0].outbox_high_water;
    assert!(high_water > 8 * (ANSWERS - 1024 / 16), "the answers do not fit into the ring: {high_water}");
    messenger.stop();
    assert_eq!(settle(&mut workers), Step::Finished);
    assert_eq!(workers.conclude().unwrap(), Default::default());
    assert!(config.numbers(2).into_iter().eq(0..ANSWERS));
}

fn stop_works_from_everywhere_and_more_than_once<B: MessageBus>(bus: B) {
    // Before the start: the workers come up, and go down again.
    let config = Config::idle();
    let messenger = Trio::with_options(bus, patient());
    messenger.stop();
    messenger.stop();
    assert_eq!(messenger.run(&config).join().unwrap(), Default::default());
    messenger.stop();
    for who in 1..=3 {
        assert_eq!(config.calls(who), [What::New, What::Start, What::Stop, What::Dropped]);
    }

    // From a handler, wherever it is called, and from all of them at once.
    for moment in [What::New, What::Start, What::Loop, What::Message(3)] {
        let config = Config::new(move |_, what, _| if what == moment { vec![Act::Stop, Act::Stop] } else { vec![] });
        let messenger = Trio::with_options(CircularBus::new(1024).unwrap(), patient());
        let handles = messenger.run(&config);
        if let What::Message(number) = moment {
            let writer = messenger.writer().unwrap();
            for number in 0..=number {
                write(&writer, number).unwrap();
            }
        }
        assert_eq!(handles.join().unwrap(), Default::default(), "{moment:?}");
        for who in 1..=3 {
            assert_eq!(config.count(who, What::Stop), 1);
        }
    }

    // By a writer from outside.
    let messenger = Trio::with_options(CircularBus::new(1024).unwrap(), patient());
    let handles = messenger.run(&Config::idle());
    assert!(!handles.is_finished());
    messenger.writer().unwrap().stop();
    wait_until("the stop took effect", || handles.is_finished());
    handles.join().unwrap();
}

fn the_deadline_bounds_the_drain<B: MessageBus>(bus: B) {
    // What is left is counted within the grace second.
    const MESSAGES: u64 = if cfg!(miri) { 20 } else { 200 };
    let pause = Duration::from_millis(if cfg!(miri) { 200 } else { 20 });
    let (held, open) = gate();
    let config = Config::new(move |_, what, _| match what {
        // The first one is in its hands until the stop has begun: an error, for nobody sends anything.
        What::Message(0) => {
            let _ = held.lock().unwrap().recv();
            Vec::new()
        }
        What::Message(_) => vec![Act::Sleep(pause)],
        _ => Vec::new(),
    });
    let options = Options { drain: 5 * pause, ..patient() };
    let messenger = Solo::with_options(bus, options);
    let writer = messenger.writer().unwrap();
    // Written before the start, and hence not seen; written after it, all of them wait in the ring.
    let handles = messenger.run(&config);
    for number in 0..MESSAGES {
        write(&writer, number).unwrap();
    }
    messenger.stop();
    drop(open);
    // All of them would take many times as long as the drain may.
    let summary = handles.join().unwrap();
    let handled = config.numbers(1).len() as u64;
    let [Left { worker: "Alpha", unread, unsent: 0, .. }] = summary.left[..] else {
        panic!("Alpha left something: {summary:?}")
    };
    assert!(unread != 0);
    assert_eq!(handled + unread, MESSAGES, "what was not handled is counted");
    assert_eq!(config.calls(1).last_chunk(), Some(&[What::Stop, What::Dropped]));
}

fn a_handler_that_never_returns_is_stuck<B: MessageBus>(bus: B) {
    let (held, open) = gate();
    let config = Config::new(move |who, what, _| {
        if who == 2 && what == What::Message(0) {
            // An error when the test is over: then the handler does return, and its thread ends.
            let _ = held.lock().unwrap().recv();
        }
        Vec::new()
    });
    let options = Options { drain: Duration::from_millis(50), ..patient() };
    let messenger = Trio::with_options(bus, options);
    let handles = messenger.run(&config);
    write(&messenger.writer().unwrap(), 0).unwrap();
    wait_until("the handler holds its message", || config.numbers(2) == [0]);
    messenger.stop();
    // Comes back although the handler does not.
    let error = handles.join().unwrap_err();
    let (worker, cause) = only(&error);
    assert!(matches!(cause, Cause::Stuck), "{error}");
    assert_eq!(worker, "Beta", "whoever is stuck is named");
    for who in [1, 3] {
        assert_eq!(config.count(who, What::Stop), 1, "the others ended well");
    }
    drop(open);
    wait_until("the thread that was left behind ends", || config.count(2, What::Dropped) == 1);
}

fn dropped_handles_stop_and_join<B: MessageBus>(bus: B) {
    let config = Config::idle();
    let messenger = Trio::with_options(bus, patient());
    let handles = messenger.run(&config);
    let writer = messenger.writer().unwrap();
    for number in 0..20 {
        write(&writer, number).unwrap();
    }
    drop(handles);
    for who in 1..=3 {
        assert!(config.numbers(who).into_iter().eq(0..20), "dropping drains");
        assert_eq!(config.calls(who).last(), Some(&What::Dropped), "the handlers are gone when the handles are");
    }
    assert_eq!(write(&writer, 20), Err(WriteError::Closed));
}

fn starts_and_stops_by_the_thousand<B: MessageBus>(bus: B) {
    drop(bus);
    let rounds = if cfg!(miri) { 10 } else { 1500 };
    for round in 0..rounds {
        let config = Config::idle();
        let ring = CircularBus::new(1024).unwrap();
        // The type of the bus decides which of the two is meant.
        if std::any::type_name::<B>().contains("Condvar") {
            start_and_stop(Cycle::with_options(CondvarBus::new(ring), patient()), &config, round);
        } else {
            start_and_stop(Cycle::with_options(ring, patient()), &config, round);
        }
    }
}

fn start_and_stop<B: MessageBus>(messenger: Cycle<B>, config: &Config, round: u64) {
    let handles = messenger.run(config);
    let expected = round % 3;
    for number in 0..expected {
        write(&messenger.writer().unwrap(), number).unwrap();
    }
    if round.is_multiple_of(2) {
        messenger.stop();
        assert_eq!(handles.join().unwrap(), Default::default());
    } else {
        drop(handles);
    }
    assert!(config.numbers(1).into_iter().eq(0..expected));
    assert_eq!((config.count(1, What::Stop), config.count(2, What::Stop)), (1, 1));
}

#[test]
fn a_messenger_runs_once() {
    let config = Config::idle();
    let messenger = Solo::with_options(CircularBus::new(4096).unwrap(), patient());
    let handles = messenger.run(&config);
    let again = messenger.run(&Config::idle());
    let error = again.join().unwrap_err();
    assert!(matches!(only(&error), ("", Cause::Start(StartError::RanBefore))), "{error}");
    assert!(matches!(messenger.try_run(&Config::idle()), Err(StartError::RanBefore)));
    assert!(matches!(messenger.workers(&Config::idle()), Err(StartError::RanBefore)));
    // Nothing ran behind these handles, so dropping them ends nothing.
    drop(messenger.run(&Config::idle()));

    let writer = messenger.writer().unwrap();
    write(&writer, 0).expect("the one that runs is not disturbed");
    writer.try_write_bytes(OUTSIDE, NUM, &POISON.to_le_bytes()).unwrap();
    write(&writer, 1).unwrap();
    messenger.stop();
    let summary = handles.join().unwrap();
    assert_eq!((summary.undecodable, summary.left), (1, vec![]), "the summary belongs to the one that ran");
    assert_eq!(config.numbers(1), [0, 1]);
    assert!(matches!(messenger.try_run(&Config::idle()), Err(StartError::RanBefore)), "nor does it run again");
}

#[test]
fn a_start_that_failed_can_be_repeated() {
    // Miri takes half a minute for so many readers.
    for stepped in [false, true].into_iter().take(if cfg!(miri) { 1 } else { 2 }) {
        let bus = CircularBus::new(4096).unwrap();
        let mut taken = Vec::new();
        let max = loop {
            match bus.subscribe("taken") {
                Ok(reader) => taken.push(reader),
                Err(SubscribeError::TooManyReaders { max }) => break max,
                Err(other) => panic!("{other}"),
            }
        };
        assert_eq!(taken.len(), max);
        // Room for the first worker of three: what was made for it has to be taken back.
        taken.pop();
        let messenger = Trio::with_options(bus, patient());
        let config = Config::idle();
        let error = match stepped {
            false => messenger.try_run(&config).map(drop).unwrap_err(),
            true => messenger.workers(&config).map(drop).unwrap_err(),
        };
        let StartError::Subscribe { worker, error: SubscribeError::TooManyReaders { max: reported } } = error else {
            panic!("{error}")
        };
        assert_eq!((worker, reported), ("Beta", max));
        let joined = messenger.run(&config).join().unwrap_err();
        assert!(matches!(only(&joined), ("", Cause::Start(StartError::Subscribe { worker: "Beta", .. }))), "{joined}");
        assert_eq!(config.log(), [], "no handler was made");
        assert_eq!(messenger.stats().readers.len(), max - 1, "the first worker's place is free again");

        taken.clear();
        let handles = messenger.run(&config);
        write(&messenger.writer().unwrap(), 1).unwrap();
        messenger.stop();
        assert_eq!(handles.join().unwrap(), Default::default());
        assert_eq!(config.numbers(3), [1]);
    }
}

// -------------------------------------------------------------------------------------------------- panics, failures

#[test]
fn a_panic_is_an_error_that_says_where() {
    let moments = [What::Message(2), What::New, What::Start, What::Dropped, What::Loop, What::Stop];
    for moment in moments.into_iter().step_by(if cfg!(miri) { 3 } else { 1 }) {
        let config = Config::new(move |who, what, _| match who {
            2 if what == moment => vec![Act::Panic("as planned")],
            _ => Vec::new(),
        });
        let messenger = Pair::with_options(CircularBus::new(4096).unwrap(), patient());
        let mut workers = messenger.workers(&config).unwrap();
        let writer = messenger.writer().unwrap();
        for number in 0..2 {
            write(&writer, number).unwrap();
        }
        let position = messenger.stats().tail;
        write(&writer, 2).unwrap();
        write(&writer, 3).unwrap();
        if moment == What::Stop || moment == What::Dropped {
            messenger.stop();
        }
        assert_eq!(settle(&mut workers), Step::Finished, "{moment:?} stops the messenger");
        let error = workers.conclude().unwrap_err();
        let ("Alpha", Cause::Panicked { handler, header, text }) = only(&error) else { panic!("{moment:?}: {error}") };
        if moment != What::Dropped {
            assert_eq!(*handler, "b", "{moment:?}");
        }
        assert!(text.ends_with("as planned"), "{text}");
        match (moment, header) {
            (What::Message(_), Some(header)) => {
                assert_eq!((header.source, header.message, header.size), (OUTSIDE, NUM, 8));
                assert_eq!(header.position, position);
                assert_eq!(config.numbers(1), [0, 1, 2], "the handler before it had its turn");
                let text = error.to_string();
                for part in ["worker Alpha", "handler b", "message 7", "source 9", &position.to_string(), "as planned"]
                {
                    assert!(text.contains(part), "`{part}` is missing in `{text}`");
                }
                let [Left { worker: "Alpha", unread: 1, unsent: 0, .. }] = error.summary.left[..] else {
                    panic!("message 3 was left: {:?}", error.summary)
                };
            }
            (What::Message(_), None) => panic!("a panic in handle says which message"),
            (_, header) => assert_eq!(*header, None, "{moment:?} has no message in its hands"),
        }
        assert_eq!(messenger.stats().readers, [], "{moment:?}: no reader holds writers back");
    }
}

#[test]
fn a_panic_between_two_messages_is_not_blamed_on_the_next() {
    let config = Config::new(|who, what, _| match (who, what) {
        (1, What::Message(1)) => vec![Act::NoDeadline],
        _ => Vec::new(),
    });
    let messenger = Pair::with_options(CircularBus::new(4096).unwrap(), patient());
    let mut workers = messenger.workers(&config).unwrap();
    let writer = messenger.writer().unwrap();
    for number in 0..2 {
        write(&writer, number).unwrap();
    }
    let next = messenger.stats().tail;
    write(&writer, 2).unwrap();
    assert_eq!(settle(&mut workers), Step::Finished);
    let error = workers.conclude().unwrap_err();
    let ("Alpha", Cause::Panicked { handler, header, .. }) = only(&error) else { panic!("{error}") };
    assert!(header.is_none_or(|header| header.position != next), "nobody had that message in hands: {error}");
    assert_eq!(*handler, "a", "the handler that was asked");
    let [Left { worker: "Alpha", unread: 1, unsent: 0, .. }] = error.summary.left[..] else {
        panic!("message 2 was left: {:?}", error.summary)
    };
}

#[test]
fn a_panic_on_a_thread_reaches_join() {
    let moments = [What::Message(0), What::New, What::Start, What::Dropped, What::Loop, What::Stop];
    for moment in moments.into_iter().step_by(if cfg!(miri) { 3 } else { 1 }) {
        within("a panic on a thread reaches join", move || {
            let config = Config::new(move |who, what, _| match who {
                2 if what == moment => vec![Act::Panic("as planned")],
                _ => Vec::new(),
            });
            let messenger = Trio::with_options(CircularBus::new(4096).unwrap(), patient());
            let handles = messenger.run(&config);
            if moment == What::Message(0) {
                write(&messenger.writer().unwrap(), 0).unwrap();
            }
            if moment == What::Stop || moment == What::Dropped {
                messenger.stop();
            }
            let error = handles.join().unwrap_err();
            assert!(
                matches!(only(&error), ("Beta", Cause::Panicked { text, .. }) if text.ends_with("as planned")),
                "{moment:?}: {error}"
            );
            for who in [1, 3] {
                assert_eq!(config.count(who, What::Stop), 1, "{moment:?}: the others ended well");
            }
        });
    }
}

const A10: u64 = if cfg!(miri) { 100 } else { 1000 };

fn panic_half_way() -> Config {
    Config::new(|who, what, _| match (who, what) {
        (2, What::Message(number)) if number == A10 / 2 => vec![Act::Panic("half way")],
        _ => Vec::new(),
    })
}

fn an_isolated_panic_freezes_nobody<B: MessageBus>(bus: B) {
    let config = panic_half_way();
    let messenger = Trio::with_options(bus, Options { on_panic: OnPanic::Isolate, ..patient() });
    let handles = messenger.run(&config);
    let writer = messenger.writer().unwrap();
    for number in 0..A10 {
        // Several times the ring: a reader that nobody moves any more would stop this for good.
        write(&writer, number).unwrap();
    }
    wait_until("the other two got everything", || [1, 3].iter().all(|&who| config.numbers(who).len() as u64 == A10));
    assert!(!handles.is_finished(), "the others go on");
    messenger.stop();
    let error = handles.join().unwrap_err();
    let ("Beta", Cause::Panicked { handler: "b", header: Some(header), text }) = only(&error) else {
        panic!("{error}")
    };
    assert_eq!((header.source, text.as_str()), (OUTSIDE, "half way"));
    for who in [1, 3] {
        assert!(config.numbers(who).into_iter().eq(0..A10), "handler {who}: all, in order");
        assert_eq!(config.count(who, What::Stop), 1);
    }
    assert!(config.numbers(2).into_iter().eq(0..=A10 / 2));
    assert_eq!(config.count(2, What::Stop), 0, "a broken handler is left alone");
}

fn a_panic_stops_all_drained<B: MessageBus>(bus: B) {
    let config = panic_half_way();
    let messenger = Trio::with_options(bus, patient());
    let handles = messenger.run(&config);
    let writer = messenger.writer().unwrap();
    let written = (0..A10).take_while(|&number| write(&writer, number).is_ok()).count() as u64;
    let error = handles.join().unwrap_err();
    assert!(matches!(only(&error), ("Beta", Cause::Panicked { handler: "b", .. })), "{error}");
    for who in [1, 3] {
        let numbers = config.numbers(who);
        let handled = numbers.len() as u64;
        assert!(numbers.into_iter().eq(0..handled), "handler {who}: in order, without a gap");
        assert!(handled <= written && handled + error.summary.after_stop >= written, "handler {who}: drained");
        assert_eq!(config.count(who, What::Stop), 1);
    }
}

#[test]
fn a_panicked_worker_gives_up_its_turn() {
    // Alpha panics with a full outbox, hence with the oldest ticket; Beta must be able to write afterwards.
    let config = Config::new(|who, what, _| match (who, what) {
        (1, What::Message(0)) => (0..50).map(|_| Act::Send(10)).chain([Act::Panic("with a full outbox")]).collect(),
        (2, What::Message(0)) => (0..50).map(|_| Act::Send(20)).collect(),
        _ => Vec::new(),
    });
    let options = Options { on_panic: OnPanic::Isolate, ..patient() };
    let messenger = Trio::with_options(CircularBus::new(1024).unwrap(), options);
    let mut workers = messenger.workers(&config).unwrap();
    workers.step();
    let writer = messenger.writer().unwrap();
    write(&writer, 0).unwrap();
    assert_eq!(settle(&mut workers), Step::Idle);
    let from_beta = |who| config.numbers(who).into_iter().filter(|&number| number == 20).count();
    assert_eq!((from_beta(2), from_beta(3)), (50, 50));
    writer.try_write_bytes(OUTSIDE, NUM, &[1, 0, 0, 0, 0, 0, 0, 0]).expect("nobody's outbox is pending any more");
    messenger.stop();
    assert_eq!(settle(&mut workers), Step::Finished);
    let error = workers.conclude().unwrap_err();
    assert!(matches!(only(&error), ("Alpha", Cause::Panicked { handler: "a", .. })), "{error}");
    let arrived = config.numbers(3).into_iter().filter(|&number| number == 10).count() as u64;
    let [Left { worker: "Alpha", unsent, .. }] = error.summary.left[..] else { panic!("{:?}", error.summary) };
    assert_eq!(arrived + unsent, 50, "sent, or counted as left");
}

#[test]
fn a_handler_that_cannot_go_on_says_so() {
    for moment in [What::New, What::Start, What::Loop, What::Message(1)] {
        within("a handler that cannot go on says so", move || {
            let config = Config::new(move |who, what, _| match who {
                2 if what == moment => vec![Act::Fail("no such device")],
                _ => Vec::new(),
            });
            let messenger = Trio::with_options(CircularBus::new(4096).unwrap(), patient());
            let handles = messenger.run(&config);
            if let What::Message(_) = moment {
                let writer = messenger.writer().unwrap();
                // The second may meet a bus that is closed already.
                write(&writer, 1).unwrap();
                let _ = write(&writer, 2);
            }
            let error = handles.join().unwrap_err();
            let ("Beta", Cause::Failed { handler: "b", error: said }) = only(&error) else { panic!("{error}") };
            assert_eq!(said.to_string(), "no such device");
            if moment == What::New {
                assert_eq!(config.count(2, What::Start), 0, "what could not be made is not started");
            }
            assert!(!config.numbers(2).contains(&2), "{moment:?}: a failed worker takes no further message");
            for who in [1, 3] {
                assert_eq!(config.count(who, What::Stop), 1, "{moment:?}: the others ended well");
            }
        });
    }

    // In the middle of a batch, too, and of a drain.
    for draining in [false, true] {
        let config = Config::new(move |_, what, _| match what {
            What::Message(1) => vec![Act::Fail("no such device")],
            _ => Vec::new(),
        });
        let messenger = Solo::with_options(CircularBus::new(4096).unwrap(), patient());
        let mut workers = messenger.workers(&config).unwrap();
        let writer = messenger.writer().unwrap();
        for number in 0..4 {
            write(&writer, number).unwrap();
        }
        if draining {
            messenger.stop();
        }
        assert_eq!(settle(&mut workers), Step::Finished);
        let error = workers.conclude().unwrap_err();
        assert_eq!(config.numbers(1), [0, 1]);
        assert_eq!(config.calls(1).last_chunk(), Some(&[What::Stop, What::Dropped]));
        let [Left { worker: "Alpha", unread: 2, unsent: 0, .. }] = error.summary.left[..] else { panic!("{error:?}") };
    }

    let messenger = Solo::with_options(CircularBus::new(4096).unwrap(), patient());
    let handles = messenger.run(&Config::idle());
    messenger.writer().unwrap().fail("seen from outside");
    let error = handles.join().unwrap_err();
    assert!(matches!(only(&error), ("", Cause::Failed { .. })), "{error}");
    assert!(error.to_string().contains("seen from outside"));
}

#[test]
fn what_cannot_be_decoded_is_reported_and_skipped() {
    let reports = Arc::default();
    let config = Config::idle();
    let messenger = Trio::with_options(CircularBus::new(4096).unwrap(), gathering(&reports));
    let handles = messenger.run(&config);
    let writer = messenger.writer().unwrap();
    write(&writer, 1).unwrap();
    let poisoned = messenger.stats().tail;
    write(&writer, POISON).unwrap();
    writer.write_bytes(OUTSIDE, NUM, &[1, 2, 3]).unwrap();
    writer.write_bytes(OUTSIDE, NUM + 1, &[1, 2, 3]).unwrap();
    write(&writer, 2).unwrap();
    messenger.stop();
    let summary = handles.join().unwrap();
    assert_eq!(summary.undecodable, 6, "two messages, each routed to three workers");
    assert_eq!(summary.unrouted, 1, "nobody asked for the third");
    for who in 1..=3 {
        assert_eq!(config.numbers(who), [1, 2], "the worker lives");
    }
    let mut reports = reports.lock().unwrap();
    let all = reports.len();
    reports.retain(|report| !report.contains("Unrouted"));
    assert_eq!((all, reports.len()), (7, 6));
    let poison = reports.iter().filter(|report| report.contains("poison")).collect::<Vec<_>>();
    assert_eq!(poison.len(), 3);
    for part in ["Undecodable", "source: 9", "message: 7", "size: 8", &format!("position: {poisoned}")] {
        assert!(poison.iter().all(|report| report.contains(part)), "`{part}` is missing in {poison:?}");
    }
    assert_eq!(reports.iter().filter(|report| report.contains("too short") && report.contains("size: 3")).count(), 3);
}

#[test]
fn what_cannot_be_sent_is_reported() {
    let reports = Arc::default();
    let bus = CircularBus::new(4096).unwrap();
    let max = bus.max_payload();
    let config = Config::new(move |_, what, _| match what {
        What::Start => vec![Act::Sized(1, max), Act::Sized(2, max + 1), Act::Send(3)],
        _ => Vec::new(),
    });
    let messenger = Solo::with_options(bus, gathering(&reports));
    let mut workers = messenger.workers(&config).unwrap();
    settle(&mut workers);
    assert_eq!(config.numbers(1), [1, 3]);
    messenger.stop();
    settle(&mut workers);
    assert_eq!(workers.conclude().unwrap().unsent, 1);
    let expected = format!("Unsent {{ source: 1, message: 7, error: TooLarge {{ size: {}, max: {max} }} }}", max + 1);
    assert_eq!(*reports.lock().unwrap(), [expected]);
}

#[test]
fn what_cannot_be_sent_is_reported_with_a_pending_outbox_too() {
    let reports = Arc::default();
    let bus = CircularBus::new(1024).unwrap();
    let max = bus.max_payload();
    let config = Config::new(move |_, what, _| match what {
        What::Start => {
            (0..20).map(|number| Act::Sized(number, max)).chain([Act::Sized(20, max + 1), Act::Send(21)]).collect()
        }
        _ => Vec::new(),
    });
    let messenger = Solo::with_options(bus, gathering(&reports));
    let mut workers = messenger.workers(&config).unwrap();
    workers.step();
    assert_eq!(reports.lock().unwrap().len(), 1, "at once, not when its turn in the outbox comes");
    settle(&mut workers);
    assert!(config.numbers(1).into_iter().eq((0..20).chain([21])));
    assert_eq!(reports.lock().unwrap().len(), 1);
    assert!(reports.lock().unwrap()[0].contains("TooLarge"));
}

// ---------------------------------------------------------------------------------------------------------------- time

fn a_deadline_fires<B: MessageBus>(bus: B) {
    const SHOTS: usize = 10;
    // On a busy machine any of them may be late, but sooner or later one is not.
    let is_enough = |lateness: &[Duration]| {
        lateness.len() >= SHOTS && (cfg!(miri) || lateness.iter().any(|&late| late < Duration::from_millis(50)))
    };
    let lateness = Arc::new(Mutex::new(Vec::new()));
    let config = Config::new({
        let (lateness, armed) = (Arc::clone(&lateness), Mutex::new(None::<Time>));
        move |_, what, now| {
            let mut armed = armed.lock().unwrap();
            let mut lateness = lateness.lock().unwrap();
            match (what, *armed) {
                (What::Loop, Some(deadline)) if now >= deadline => lateness.push(now.since(deadline)),
                (What::Start, _) => {}
                _ => return Vec::new(),
            }
            *armed = (!is_enough(&lateness)).then(|| now + Duration::from_millis(5));
            vec![Act::Deadline(*armed)]
        }
    });
    let messenger = Solo::with_options(bus, patient());
    let handles = messenger.run(&config);
    wait_until("the timer fired, and once in time", || is_enough(&lateness.lock().unwrap()));
    messenger.stop();
    handles.join().unwrap();
    // A wait that ends early may call it in vain, but a worker that waits does not spin.
    let (loops, shots) = (config.count(1, What::Loop), lateness.lock().unwrap().len());
    assert!(cfg!(miri) || loops < 20 * shots, "{loops} calls for {shots} timers");
}

fn a_deadline_fires_under_constant_load<B: MessageBus>(bus: B) {
    let fired = Arc::new(AtomicUsize::new(0));
    let config = Config::new({
        let (fired, armed) = (Arc::clone(&fired), Mutex::new(Time::default()));
        move |_, what, now| match what {
            // Every message is answered by the next one: the bus is never empty.
            What::Message(number) => vec![Act::Send(number + 1)],
            What::Start => vec![Act::Send(0), Act::Send(0), Act::Deadline(Some(now))],
            What::Loop if now >= *armed.lock().unwrap() => {
                fired.fetch_add(1, Ordering::Relaxed);
                *armed.lock().unwrap() = now + Duration::from_millis(1);
                vec![Act::Deadline(Some(now + Duration::from_millis(1)))]
            }
            _ => Vec::new(),
        }
    });
    let messenger = Solo::with_options(bus, patient());
    let handles = messenger.run(&config);
    wait_until("timers fired", || fired.load(Ordering::Relaxed) >= 20);
    messenger.stop();
    let summary = handles.join().unwrap();
    assert!(summary.after_stop != 0, "there was a message at all times");
}

fn a_deadline_in_the_past_keeps_awake<B: MessageBus>(bus: B) {
    let config = Config::new(|_, what, _| match what {
        What::Start => vec![Act::Deadline(Some(Time::default()))],
        _ => Vec::new(),
    });
    let messenger = Solo::with_options(bus, patient());
    let handles = messenger.run(&config);
    wait_until("the worker went round without a message", || {
        config.count(1, What::Loop) > if cfg!(miri) { 20 } else { 1000 }
    });
    write(&messenger.writer().unwrap(), 5).unwrap();
    wait_until("it still takes messages", || config.numbers(1) == [5]);
    messenger.stop();
    handles.join().unwrap();
}

#[test]
fn stepped_workers_live_in_virtual_time() {
    let clock = ManualClock::new();
    let second = Duration::from_secs(1);
    let config = Config::new(move |_, what, now| match what {
        What::Start => vec![Act::Deadline(Some(now + second))],
        What::Loop if now >= Time::default() + second => vec![Act::Deadline(None), Act::Send(77)],
        _ => Vec::new(),
    });
    let options = Options { clock: Arc::new(clock.clone()), drain: second, ..patient() };
    let messenger = Solo::with_options(CircularBus::new(4096).unwrap(), options);
    let writer = messenger.writer().unwrap();
    let mut workers = messenger.workers(&config).unwrap();
    settle(&mut workers);
    let deadline = |workers: &mut Workers| workers.iter_mut().next().unwrap().next_deadline();
    assert_eq!(deadline(&mut workers), Some(Time::default() + second));
    clock.set(Time::from_nanos(999_999_999));
    assert_eq!(writer.now(), Time::from_nanos(999_999_999));
    // With messages there is no other reason to run `on_loop` than a deadline that has come.
    let loops = config.count(1, What::Loop);
    write(&writer, 1).unwrap();
    assert_eq!(workers.step(), Step::Worked);
    assert_eq!(config.count(1, What::Loop), loops, "too early by a nanosecond");
    clock.set(Time::from_nanos(1_000_000_000));
    write(&writer, 2).unwrap();
    assert_eq!(workers.step(), Step::Worked);
    assert_eq!(config.count(1, What::Loop), loops + 1, "on the dot");
    settle(&mut workers);
    assert_eq!(config.numbers(1), [1, 2, 77]);
    assert_eq!(deadline(&mut workers), None);
    // The stop's deadline is in the same time, and a second stop does not put it off.
    messenger.stop();
    clock.set(Time::from_nanos(1_500_000_000));
    messenger.stop();
    assert_eq!(deadline(&mut workers), Some(Time::from_nanos(2_000_000_000)));
    assert_eq!(settle(&mut workers), Step::Finished);
    assert_eq!(workers.conclude().unwrap(), Default::default());
    assert!(config.log().iter().all(|entry| entry.now <= Time::from_nanos(1_500_000_000)), "no other clock was asked");
}

#[test]
fn the_stops_deadline_is_seen_between_two_messages() {
    let clock = ManualClock::new();
    let config = Config::new({
        let clock = clock.clone();
        // Each message takes a second of virtual time.
        move |_, what, _| {
            if let What::Message(_) = what {
                clock.advance(Duration::from_nanos(1_000_000_000));
            }
            Vec::new()
        }
    });
    let drain = Duration::from_secs(5);
    let options = Options { clock: Arc::new(clock.clone()), drain, ..patient() };
    let messenger = Solo::with_options(CircularBus::new(4096).unwrap(), options);
    let writer = messenger.writer().unwrap();
    let mut workers = messenger.workers(&config).unwrap();
    workers.step();
    for number in 0..20 {
        write(&writer, number).unwrap();
    }
    messenger.stop();
    assert_eq!(settle(&mut workers), Step::Finished);
    let summary = workers.conclude().unwrap();
    assert!(config.numbers(1).into_iter().eq(0..5), "five seconds are five messages: {:?}", config.numbers(1));
    let [Left { worker: "Alpha", unread: 15, unsent: 0, .. }] = summary.left[..] else { panic!("{summary:?}") };
}

/// A worker with two timed handlers wakes for the earlier one, in whatever order they stand, and then for the other.
#[test]
fn two_timers_of_a_worker_fire_each_at_its_time() {
    let at = |seconds| Time::default() + Duration::from_secs(seconds);
    for due in [[1, 2], [2, 1]] {
        let clock = ManualClock::new();
        let config = Config::new(move |who, what, now| match what {
            What::Start => vec![Act::Deadline(Some(at(due[usize::from(who) - 1])))],
            What::Loop if now >= at(due[usize::from(who) - 1]) => vec![Act::Deadline(None)],
            _ => Vec::new(),
        });
        let options = Options { clock: Arc::new(clock.clone()), ..patient() };
        let messenger = Pair::with_options(CircularBus::new(4096).unwrap(), options);
        let mut workers = messenger.workers(&config).unwrap();
        let deadline = |workers: &mut Workers| workers.iter_mut().next().unwrap().next_deadline();
        for seconds in [1, 2] {
            settle(&mut workers);
            assert_eq!(deadline(&mut workers), Some(at(seconds)), "{due:?}");
            clock.set(at(seconds));
        }
        settle(&mut workers);
        assert_eq!(deadline(&mut workers), None, "{due:?}");
    }
}

#[test]
fn a_timer_does_not_wait_for_a_batch_to_end() {
    let clock = ManualClock::new();
    let config = Config::new({
        let clock = clock.clone();
        move |_, what, now| match what {
            What::Start => vec![Act::Deadline(Some(now + Duration::from_millis(10)))],
            What::Message(_) => {
                clock.advance(Duration::from_nanos(1_000_000));
                Vec::new()
            }
            What::Loop if now >= Time::from_nanos(10_000_000) => vec![Act::Deadline(None)],
            _ => Vec::new(),
        }
    });
    let options = Options { clock: Arc::new(clock.clone()), ..patient() };
    let messenger = Solo::with_options(CircularBus::new(8192).unwrap(), options);
    let writer = messenger.writer().unwrap();
    let mut workers = messenger.workers(&config).unwrap();
    settle(&mut workers);
    for number in 0..100 {
        write(&writer, number).unwrap();
    }
    settle(&mut workers);
    let log = config.log();
    let fired = log.iter().find(|entry| entry.what == What::Loop && entry.now >= Time::from_nanos(10_000_000));
    let late = fired.unwrap().now.since(Time::from_nanos(10_000_000));
    assert!(late <= Duration::from_millis(16), "{late:?} late, with messages that take a millisecond each");
}

// ------------------------------------------------------------------------------------------------------------ stepping

#[test]
fn one_thread_drives_all_workers_and_repeats_itself() {
    let run = || {
        let clock = ManualClock::new();
        let config = Config::new(|who, what, _| match what {
            What::Start => vec![Act::Send(u64::from(who)), Act::Send(u64::from(who) + 10)],
            What::Message(number) if number < if cfg!(miri) { 5 } else { 200 } => {
                vec![Act::Send(number * 3 + u64::from(who))]
            }
            _ => Vec::new(),
        });
        let options = Options { clock: Arc::new(clock), ..patient() };
        let messenger = Trio::with_options(CircularBus::new(1024).unwrap(), options);
        let mut workers = messenger.workers(&config).unwrap();
        let names: Vec<_> = workers.iter_mut().map(|worker| worker.name()).collect();
        assert_eq!(names, ["Alpha", "Beta", "Gamma"]);
        assert_eq!(settle(&mut workers), Step::Idle);
        messenger.stop();
        assert_eq!(settle(&mut workers), Step::Finished);
        assert_eq!(workers.step(), Step::Finished, "an ended worker stays so");
        assert_eq!(workers.conclude().unwrap(), Default::default());
        assert_eq!(config.clones.load(Ordering::Relaxed), 3);
        config.log()
    };
    let first = run();
    assert!(first.len() > 50, "too little happened for a comparison");
    assert!(first == run(), "the second run differs from the first");
}

/// A worker that ends gives back what others may wait for: whoever steps them must not go to sleep then.
#[test]
fn the_end_of_a_worker_is_no_idleness() {
    let is_over = Arc::new(AtomicU64::new(0));
    let config = Config::new({
        let is_over = Arc::clone(&is_over);
        move |who, what, _| match (who, what) {
            (1, What::Loop) if is_over.load(Ordering::Relaxed) != 0 => vec![Act::Panic("as planned")],
            _ => Vec::new(),
        }
    });
    let options = Options { on_panic: OnPanic::Isolate, ..patient() };
    let messenger = Duo::with_options(CircularBus::new(1024).unwrap(), options);
    let mut workers = messenger.workers(&config).unwrap();
    assert_eq!(settle(&mut workers), Step::Idle);
    is_over.store(1, Ordering::Relaxed);
    assert_eq!(workers.step(), Step::Worked, "one has ended, and the other one has nothing to do");
    assert_eq!(workers.step(), Step::Idle);
}

#[test]
fn a_step_is_bounded() {
    within("a step", || {
        let config = Config::new(|_, what, _| match what {
            What::Message(number) => vec![Act::Send(number + 1)],
            What::Start => vec![Act::Send(0)],
            _ => Vec::new(),
        });
        let messenger = Solo::with_options(CircularBus::new(4096).unwrap(), patient());
        let mut workers = messenger.workers(&config).unwrap();
        // The first one starts.
        for _ in 0..if cfg!(miri) { 2 } else { 3 } {
            // There is always one more message, and nothing but the end of the step keeps the worker from it.
            assert_eq!(workers.step(), Step::Worked);
        }
        assert!((2..5000).contains(&config.numbers(1).len()), "{}", config.numbers(1).len());
    });
}

#[test]
fn workers_that_are_dropped_leave_the_bus_as_it_was() {
    let config = Config::idle();
    let messenger = Trio::with_options(CircularBus::new(4096).unwrap(), patient());
    let writer = messenger.writer().unwrap();
    let mut workers = messenger.workers(&config).unwrap();
    workers.step();
    for number in 0..5 {
        write(&writer, number).unwrap();
    }
    let summary = workers.conclude().unwrap();
    assert_eq!(messenger.stats().readers, []);
    let left: Vec<_> = summary.left.iter().map(|left| (left.worker, left.unread, left.unsent)).collect();
    assert_eq!(left, [("Alpha", 5, 0), ("Beta", 5, 0), ("Gamma", 5, 0)], "what was left is counted");
    for number in 0..1000 {
        write(&writer, number).expect("nobody holds writers back");
    }
    messenger.stop();
    assert_eq!(write(&writer, 0), Err(WriteError::Closed));
}

// -------------------------------------------------------------------------------------------------------------- outbox

#[test]
fn a_pending_outbox_keeps_the_order() {
    // A message too large for what is left of the ring is followed by small ones that would still fit.
    let config = Config::new(|who, what, _| match (who, what) {
        (1, What::Message(100)) => {
            (0..8).map(|number| Act::Sized(number, 112)).chain([Act::TrySend(50), Act::Send(8), Act::Send(9)]).collect()
        }
        _ => Vec::new(),
    });
    let bus = CircularBus::new(1024).unwrap();
    assert_eq!(bus.max_payload(), 112);
    let messenger = Chain::with_options(bus, patient());
    let mut workers = messenger.workers(&config).unwrap();
    workers.step();
    write(&messenger.writer().unwrap(), 100).unwrap();
    settle(&mut workers);
    assert_eq!(*config.tried.lock().unwrap(), [Err(WriteError::Full)], "`try_send` does not overtake the outbox");
    assert_eq!(config.numbers(2), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "nor does `send`");
    // Three messages, and what it costs to keep them.
    let high_water = messenger.stats().readers[0].outbox_high_water;
    assert!((112 + 8 + 8..3 * 256).contains(&high_water), "{high_water}");
}

/// Also while it waits for more room, when nobody puts anything there.
#[test]
#[cfg(all(target_os = "linux", not(miri)))]
fn what_is_left_of_an_outbox_is_seen_from_outside() {
    use rust_messenger::NamedOptions;
    use rust_messenger::message_bus::NamedStats;

    let config = Config::new(|who, what, _| match (who, what) {
        (1, What::Message(100)) => (0..60).map(Act::Send).collect(),
        _ => Vec::new(),
    });
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ring");
    let bus = CircularBus::create(&path, NamedOptions { capacity: Some(1024), ..NamedOptions::default() }).unwrap();
    let mut slow = bus.subscribe("slow").unwrap();
    let messenger = Chain::with_options(bus, patient());
    let handles = messenger.run(&config);
    write(&messenger.writer().unwrap(), 100).unwrap();
    let alpha = || {
        let readers = NamedStats::read(&path).unwrap().readers;
        readers.iter().find(|reader| reader.name == "Alpha").map_or((0, false), |alpha| (alpha.outbox, alpha.asleep))
    };
    let mut all = 0;
    wait_until("it sleeps before a ring that is full", || {
        let (outbox, asleep) = alpha();
        all = outbox;
        outbox != 0 && asleep
    });
    for _ in 0..10 {
        slow.try_read(|_, _| ()).unwrap();
    }
    slow.release();
    wait_until("some of it has gone to the ring", || (1..all).contains(&alpha().0));
    drop(slow);
    wait_until("it is empty", || alpha().0 == 0 && config.numbers(2).len() == 60);
    messenger.stop();
    assert_eq!(handles.join().unwrap().left, []);
}

#[test]
fn outboxes_flush_in_the_order_in_which_they_became_pending() {
    let config = Config::new(|who, what, _| match (who, what) {
        (1, What::Message(0)) => (0..40).map(|_| Act::Send(10)).collect(),
        (2, What::Message(0)) => (0..40).map(|_| Act::Send(20)).collect(),
        _ => Vec::new(),
    });
    let messenger = Trio::with_options(CircularBus::new(1024).unwrap(), patient());
    let mut workers = messenger.workers(&config).unwrap();
    workers.step();
    let writer = messenger.writer().unwrap();
    write(&writer, 0).unwrap();
    let step = |workers: &mut Workers, who: usize| workers.iter_mut().nth(who - 1).unwrap().step();
    // Alpha's outbox is pending first, then Beta's; then Gamma reads all there is and Alpha lets go.
    step(&mut workers, 1);
    step(&mut workers, 2);
    step(&mut workers, 3);
    step(&mut workers, 1);
    let before = messenger.stats();
    for _ in 0..5 {
        step(&mut workers, 2);
        assert_eq!(messenger.stats().messages, before.messages, "it was not Beta's turn");
        assert_eq!(write_now(&writer, 1), Err(WriteError::Full), "while an outbox is pending, outsiders wait");
    }
    settle(&mut workers);
    let numbers = config.numbers(3);
    let of = |wanted| numbers.iter().filter(move |&&number| number == wanted).count();
    assert_eq!((of(10), of(20)), (40, 40));
    // What came to Alpha's outbox after its ticket was taken queues up behind Beta.
    let in_ring = before.messages as usize;
    let first_of_beta = numbers.iter().position(|&number| number == 20).unwrap();
    assert!(first_of_beta > in_ring, "Beta was before Alpha: {numbers:?}");
    assert!(numbers[..first_of_beta].iter().skip(1).all(|&number| number == 10));
    write_now(&writer, 1).expect("no outbox is pending any more");
}

#[test]
fn writers_from_outside_wait_while_an_outbox_is_pending() {
    let config = Config::new(|who, what, _| match (who, what) {
        (1, What::Message(15)) => (0..30).map(Act::Send).collect(),
        _ => Vec::new(),
    });
    let messenger = Chain::with_options(CircularBus::new(1024).unwrap(), patient());
    let mut workers = messenger.workers(&config).unwrap();
    workers.step();
    let writer = messenger.writer().unwrap();
    for number in 0..16 {
        write(&writer, number).unwrap();
    }
    let step = |workers: &mut Workers, who: usize| workers.iter_mut().nth(who - 1).unwrap().step();
    // Half of the ring is input. Beta holds it all, so not all of what Alpha makes of it fits.
    step(&mut workers, 1);
    step(&mut workers, 1);
    assert!(messenger.stats().readers[0].outbox_high_water != 0);
    // Now half of the ring is free, but Alpha was first.
    step(&mut workers, 2);
    assert_eq!(write_now(&writer, 100), Err(WriteError::Full));
    step(&mut workers, 1);
    settle(&mut workers);
    write_now(&writer, 100).unwrap();
    assert!(config.numbers(2).into_iter().eq(0..30));
}

#[test]
fn with_a_pending_outbox_only_the_slowest_takes_input() {
    let config = Config::new(|who, what, _| match (who, what) {
        (1, What::Start) => vec![Act::Deadline(Some(Time::default()))],
        (1, What::Message(0)) => (0..40).map(|_| Act::Send(10)).collect(),
        _ => Vec::new(),
    });
    let messenger = Chain::with_options(CircularBus::new(1024).unwrap(), patient());
    let mut workers = messenger.workers(&config).unwrap();
    workers.step();
    workers.step();
    let writer = messenger.writer().unwrap();
    for number in 0..10 {
        write(&writer, number).unwrap();
    }
    let loops = config.count(1, What::Loop);
    // Beta has read nothing: Alpha, ahead of it, may go no further once its outbox is pending.
    for _ in 0..10 {
        workers.iter_mut().next().unwrap().step();
    }
    assert_eq!(config.numbers(1), [0], "took input though its outbox was pending and Beta stood behind it");
    assert_eq!(config.count(1, What::Loop), loops, "no `on_loop` with a pending outbox");
    let deadline = workers.iter_mut().next().unwrap().next_deadline();
    assert_eq!(deadline, None, "a timer that cannot be served need not keep anybody awake");
    settle(&mut workers);
    assert!(config.numbers(1).into_iter().eq(0..10));
    assert_eq!(config.numbers(2), [10; 40]);
}

#[test]
fn the_outbox_is_flushed_before_anything_else() {
    let config = Config::new(|who, what, _| match (who, what) {
        (1, What::Message(0)) => (0..28).map(Act::Send).collect(),
        (1, What::Message(1)) => vec![Act::TrySend(28)],
        _ => Vec::new(),
    });
    let messenger = Chain::with_options(CircularBus::new(1024).unwrap(), patient());
    let mut workers = messenger.workers(&config).unwrap();
    settle(&mut workers);
    let writer = messenger.writer().unwrap();
    // Eight slots' worth of room come free once everybody is past the first message.
    writer.write_bytes(OUTSIDE, NUM, &[0; 112]).unwrap();
    write(&writer, 1).unwrap();
    let step = |workers: &mut Workers, who: usize| workers.iter_mut().nth(who - 1).unwrap().step();
    step(&mut workers, 1);
    assert!(messenger.stats().readers[0].outbox_high_water != 0, "the last of the 28 found no room");
    step(&mut workers, 1);
    assert_eq!(config.numbers(1), [0]);
    step(&mut workers, 2);
    step(&mut workers, 1);
    assert_eq!(config.numbers(1), [0, 1]);
    assert_eq!(*config.tried.lock().unwrap(), [Ok(())], "the outbox was empty and there was room when it came");
    settle(&mut workers);
    assert!(config.numbers(2).into_iter().eq(0..=28));
}

#[test]
fn try_send_goes_through_while_there_is_room() {
    let config = Config::new(|who, what, _| match (who, what) {
        (1, What::Message(0)) => (1..100).map(Act::TrySend).collect(),
        _ => Vec::new(),
    });
    let messenger = Chain::with_options(CircularBus::new(1024).unwrap(), patient());
    let mut workers = messenger.workers(&config).unwrap();
    workers.step();
    write(&messenger.writer().unwrap(), 0).unwrap();
    settle(&mut workers);
    let tried = config.tried.lock().unwrap();
    let sent = tried.iter().take_while(|result| result.is_ok()).count() as u64;
    assert!(sent > 0 && sent < 99, "{sent} of 99 fitted");
    assert!(tried[sent as usize..].iter().all(|result| *result == Err(WriteError::Full)));
    assert!(config.numbers(2).into_iter().eq(1..=sent));
    assert_eq!(messenger.stats().readers[0].outbox_high_water, 0, "`try_send` leaves the outbox alone");
}

/// A ring that notes in which order its readers and writers are given up; for workers that are stepped.
#[derive(Clone)]
struct Watched {
    bus: CircularBus,
    given_up: Arc<Mutex<Vec<&'static str>>>,
    /// What every write comes to, if not what it would.
    refused: Arc<Mutex<Option<WriteError>>>,
}

struct Watching<T> {
    inner: T,
    name: &'static str,
    watched: Watched,
}

impl Watched {
    fn new(capacity: usize) -> Watched {
        Watched { bus: CircularBus::new(capacity).unwrap(), given_up: Arc::default(), refused: Arc::default() }
    }

    fn watch<T>(&self, inner: T, name: &'static str) -> Watching<T> {
        Watching { inner, name, watched: self.clone() }
    }
}

impl<T> Drop for Watching<T> {
    fn drop(&mut self) {
        self.watched.given_up.lock().unwrap().push(self.name);
    }
}

impl MessageBus for Watched {
    type Reader = Watching<<CircularBus as MessageBus>::Reader>;
    type BusWriter = Watching<<CircularBus as MessageBus>::BusWriter>;

    const MANY_WRITERS: bool = true;

    fn subscribe(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        Ok(self.watch(self.bus.subscribe(name)?, "reader"))
    }

    fn subscribe_evictable(&self, _: &str) -> Result<Self::Reader, SubscribeError> {
        Err(SubscribeError::NotEvictable)
    }

    fn writer(&self) -> Result<Self::BusWriter, NoWriter> {
        Ok(self.watch(self.bus.writer()?, "writer"))
    }

    fn worker_writer(&self, reader: &Self::Reader) -> Result<Self::BusWriter, NoWriter> {
        Ok(self.watch(self.bus.worker_writer(&reader.inner)?, "writer"))
    }

    around_bus!(bus);
}

impl<R: Reader> Reader for Watching<R> {
    fn try_read<T>(&mut self, deliver: impl FnOnce(&Header, &[u8]) -> T) -> Result<T, ReadError> {
        self.inner.try_read(deliver)
    }

    around_reader!(inner);

    fn unblock(&mut self) -> Option<Duration> {
        self.inner.unblock()
    }
}

impl<W: Publish> Publish for Watching<W> {
    fn try_put<P: Payload>(&self, source: u16, message: u16, payload: &mut P) -> Result<(), WriteError> {
        match &*self.watched.refused.lock().unwrap() {
            Some(error) => Err(error.clone()),
            None => self.inner.try_put(source, message, payload),
        }
    }

    fn wait_for_room(&self, size: usize) {
        self.inner.wait_for_room(size);
    }
}

impl<W: BusWriter> BusWriter for Watching<W> {
    fn take_ticket(&self) {
        self.inner.take_ticket();
    }

    fn give_up_ticket(&self) {
        self.inner.give_up_ticket();
    }

    fn is_slowest(&self) -> bool {
        self.inner.is_slowest()
    }

    fn has_room(&self, size: usize) -> bool {
        self.inner.has_room(size)
    }

    fn record_outbox(&self, bytes: usize) {
        self.inner.record_outbox(bytes);
    }
}

#[test]
fn the_ticket_is_given_up_before_the_reader() {
    // The ticket stands in the reader's entry, which is anybody's as soon as the reader is gone: whoever subscribes
    // then would take the ticket over, and outsiders would find the bus full for ever.
    for ending in ["stop", "panic", "drop"] {
        let bus = Watched::new(1024);
        let config = Config::new(move |_, what, _| match what {
            What::Message(0) if ending == "panic" => vec![Act::Panic("as planned")],
            _ => Vec::new(),
        });
        let messenger = Solo::with_options(bus.clone(), Options { on_panic: OnPanic::Isolate, ..patient() });
        let mut workers = messenger.workers(&config).unwrap();
        workers.step();
        bus.bus.writer().unwrap().write_bytes(OUTSIDE, NUM, &[0; 8]).unwrap();
        match ending {
            "stop" => messenger.stop(),
            "panic" => {}
            _ => {}
        }
        if ending != "drop" {
            assert_eq!(settle(&mut workers), Step::Finished);
        }
        let _ = workers.conclude();
        assert_eq!(bus.given_up.lock().unwrap()[..2], ["writer", "reader"], "{ending}");
    }
}

/// What found no room may find something worse than that later, and its sender does not wait for it.
#[test]
fn what_an_outbox_cannot_send_is_reported() {
    let reports = Arc::default();
    let config = Config::new(|_, what, _| match what {
        What::Message(0) => (1..=3).map(Act::Send).collect(),
        _ => Vec::new(),
    });
    let bus = Watched::new(1024);
    let messenger = Solo::with_options(bus.clone(), gathering(&reports));
    let mut workers = messenger.workers(&config).unwrap();
    workers.step();
    write(&messenger.writer().unwrap(), 0).unwrap();
    *bus.refused.lock().unwrap() = Some(WriteError::Full);
    workers.step();
    assert_eq!(*reports.lock().unwrap(), [""; 0], "there may be room later");
    *bus.refused.lock().unwrap() = Some(WriteError::NoSpace);
    settle(&mut workers);
    let unsent = format!("Unsent {{ source: 1, message: {NUM}, error: NoSpace }}");
    assert_eq!(*reports.lock().unwrap(), [&unsent[..]; 3]);
    messenger.stop();
    settle(&mut workers);
    let summary = workers.conclude().unwrap();
    assert_eq!((summary.unsent, &summary.left[..]), (3, &[][..]));
}

/// In a drain what stands in an outbox comes after the end: a worker that has messages to handle does not sleep for
/// room.
#[test]
fn a_drain_waits_for_messages_and_not_for_room() {
    within("a wait in a drain", || {
        let config = Config::new(|who, what, _| match (who, what) {
            (1, What::Message(0)) => (0..12).map(|number| Act::Sized(number + 100, 112)).collect(),
            _ => Vec::new(),
        });
        let options = Options { drain: Duration::MAX, ..patient() };
        let messenger = Duo::with_options(CircularBus::new(1024).unwrap(), options);
        let mut workers = messenger.workers(&config).unwrap();
        settle(&mut workers);
        let writer = messenger.writer().unwrap();
        write(&writer, 0).unwrap();
        thread::scope(|scope| {
            let ((begun, is_begun), (go_on, gone_on)) = (channel(), channel::<()>());
            let held = scope.spawn(move || {
                writer.write(OUTSIDE, NUM, 8, |bytes| {
                    begun.send(()).unwrap();
                    let _ = gone_on.recv();
                    bytes.copy_from_slice(&1_u64.to_le_bytes());
                })
            });
            is_begun.recv().unwrap();
            messenger.stop();
            // Both see the stop, and with that the end is fixed, behind what is being written.
            workers.step();
            let alpha = workers.iter_mut().next().unwrap();
            while alpha.step() != Step::Idle {}
            assert_eq!(config.numbers(1), [0]);
            assert!(messenger.stats().readers[0].outbox_high_water != 0, "there was room for everything");
            // The first wait after the stop ends by it.
            alpha.wait();
            drop(go_on);
            held.join().unwrap().unwrap();
            // Nobody makes room: the other worker stands still.
            alpha.wait();
            assert_eq!(alpha.step(), Step::Worked);
            assert_eq!(config.numbers(1), [0, 1]);
        });
        settle(&mut workers);
        assert_eq!(config.numbers(2), [0, 1]);
    });
}

// ----------------------------------------------------------------------------------------------------------------- due

/// A timed table in virtual time, and what steps its first worker only.
struct InTime<B = CircularBus> {
    clock: ManualClock,
    config: Config,
    messenger: Timed<B>,
    workers: Workers,
}

impl InTime {
    fn new(capacity: usize, config: Config) -> InTime {
        InTime::on(CircularBus::new(capacity).unwrap(), config, patient())
    }
}

impl<B: MessageBus> InTime<B> {
    fn on(bus: B, config: Config, options: Options) -> InTime<B> {
        let clock = ManualClock::new();
        let options = Options { clock: Arc::new(clock.clone()), ..options };
        let messenger = Timed::with_options(bus, options);
        let mut workers = messenger.workers(&config).unwrap();
        // The handlers of both are made, and those of the first start in its next step. The other one takes no more.
        workers.step();
        InTime { clock, config, messenger, workers }
    }

    fn step(&mut self) -> Step {
        self.workers.iter_mut().next().unwrap().step()
    }

    fn next_deadline(&mut self) -> Option<u64> {
        self.workers.iter_mut().next().unwrap().next_deadline().map(Time::as_nanos)
    }

    fn at(&self, nanos: u64) {
        self.clock.set(Time::from_nanos(nanos));
    }
}

/// Steps the first worker until it has nothing to do.
fn settle_first<B: MessageBus>(run: &mut InTime<B>) {
    while run.step() == Step::Worked {}
}

fn deadline(nanos: u64) -> Vec<Act> {
    vec![Act::Deadline(Some(Time::from_nanos(nanos)))]
}

#[test]
fn a_deadline_with_a_route_is_a_message() {
    let mut run = InTime::new(
        4096,
        Config::new(|who, what, now| match (who, what) {
            (1, What::Start) => deadline(100),
            (1, What::Due(100)) => deadline(300),
            (1, What::Due(_)) => vec![Act::Deadline(None)],
            (2, What::Start) => deadline(200),
            (2, What::Loop) if now.as_nanos() == 250 => deadline(400),
            _ => Vec::new(),
        }),
    );
    assert_eq!((run.step(), run.step()), (Step::Worked, Step::Idle));
    let before_waits = vec![What::New, What::Start, What::Loop];
    assert_eq!((run.config.calls(1), run.next_deadline()), (before_waits.clone(), Some(100)));
    run.at(150);
    assert_eq!(run.step(), Step::Worked, "written, and nobody is in a loop for that");
    assert_eq!((run.messenger.stats().messages, run.config.calls(1)), (1, before_waits.clone()));
    assert_eq!(run.next_deadline(), Some(200), "the other one's: this one is on its way");
    assert_eq!(run.step(), Step::Worked);
    let mut calls = before_waits.clone();
    calls.push(What::Due(100));
    assert_eq!(run.config.calls(1), calls, "as it was named, in `handle`");
    assert_eq!((run.step(), run.next_deadline()), (Step::Idle, Some(200)));
    calls.push(What::Loop);
    assert_eq!(run.config.calls(1), calls, "the call before a wait stays");
    // A deadline that is no message calls all loops of its worker, as ever.
    run.at(250);
    write(&run.messenger.writer().unwrap(), 1).unwrap();
    assert_eq!(run.step(), Step::Worked);
    calls.extend([What::Message(1), What::Loop]);
    assert_eq!(run.config.calls(1), calls);
    assert_eq!(run.config.count(2, What::Loop), 3);
    assert_eq!(run.messenger.stats().messages, 2);
    // Between two messages, too, one that is a message calls none.
    run.at(350);
    write(&run.messenger.writer().unwrap(), 2).unwrap();
    assert_eq!(run.step(), Step::Worked);
    calls.push(What::Message(2));
    assert_eq!((run.config.calls(1), run.messenger.stats().messages), (calls, 4));
    settle(&mut run.workers);
    assert_eq!(run.config.count(1, What::Due(300)), 1);
    run.messenger.stop();
    settle(&mut run.workers);
    assert_eq!(run.workers.conclude().unwrap(), Default::default(), "its own row: it is not unrouted");
}

#[test]
fn one_due_is_on_its_way_at_a_time() {
    let mut run = InTime::new(
        64 * 1024,
        Config::new(|who, what, _| match (who, what) {
            (1, What::Start) => deadline(100),
            (1, What::Due(100)) => vec![Act::Deadline(None)],
            _ => Vec::new(),
        }),
    );
    run.step();
    run.at(200);
    let writer = run.messenger.writer().unwrap();
    // One of an earlier process stands there, too: it is handled, and is not the one that is on its way.
    write(&writer, 0).unwrap();
    writer.write_bytes(1, Due::ID, &7_u64.to_le_bytes()).unwrap();
    for number in 1..300 {
        write(&writer, number).unwrap();
    }
    settle(&mut run.workers);
    assert_eq!(run.config.numbers(1).len(), 300);
    let dues: Vec<_> = run.config.calls(1).into_iter().filter(|what| matches!(what, What::Due(_))).collect();
    assert_eq!(dues, [What::Due(7), What::Due(100)]);
    assert_eq!(run.messenger.stats().messages, 302);
    assert_eq!(run.next_deadline(), None);
}

#[test]
fn a_due_that_finds_the_bus_full_goes_through_the_outbox() {
    let mut run = InTime::new(
        1024,
        Config::new(|who, what, _| match (who, what) {
            // The whole ring, to the last slot.
            (1, What::Start) => (0..32).map(Act::Send).chain(deadline(100)).collect(),
            (1, What::Due(_)) => vec![Act::Deadline(None)],
            _ => Vec::new(),
        }),
    );
    run.step();
    settle_first(&mut run);
    assert_eq!(run.messenger.stats().readers[0].outbox_high_water, 0, "all had room");
    run.at(150);
    // The other worker has read nothing.
    assert_eq!(run.step(), Step::Worked);
    let high_water = run.messenger.stats().readers[0].outbox_high_water;
    assert_ne!(high_water, 0);
    for _ in 0..10 {
        assert_eq!((run.step(), run.next_deadline()), (Step::Idle, None));
    }
    assert_eq!(run.messenger.stats().readers[0].outbox_high_water, high_water, "one is on its way");
    settle(&mut run.workers);
    assert_eq!((run.config.count(1, What::Due(100)), run.messenger.stats().messages), (1, 33));
}

#[test]
fn a_due_that_cannot_be_written_is_reported_and_tried_again() {
    const SECOND: u64 = 1_000_000_000;
    let reports: Arc<Mutex<Vec<String>>> = Arc::default();
    let bus = Watched::new(1024);
    let says = Arc::clone(&bus.refused);
    let config = Config::new(|who, what, _| match (who, what) {
        (1, What::Start) => deadline(100),
        (1, What::Due(_)) => vec![Act::Deadline(None)],
        _ => Vec::new(),
    });
    let mut run = InTime::on(bus, config, gathering(&reports));
    settle_first(&mut run);
    run.at(200);
    let unsent = "Unsent { source: 1, message: 65296, error: NoSpace }";
    *says.lock().unwrap() = Some(WriteError::NoSpace);
    for _ in 0..5 {
        assert_eq!((run.step(), run.next_deadline()), (Step::Idle, Some(200 + SECOND)));
    }
    assert_eq!(*reports.lock().unwrap(), [unsent], "once, and then there is a pause");
    // Into the outbox, and lost from there.
    run.at(200 + SECOND);
    *says.lock().unwrap() = Some(WriteError::Full);
    assert_eq!((run.step(), run.next_deadline()), (Step::Worked, None));
    *says.lock().unwrap() = Some(WriteError::NoSpace);
    settle_first(&mut run);
    assert_eq!(run.next_deadline(), Some(200 + 2 * SECOND));
    assert_eq!(*reports.lock().unwrap(), [unsent; 2]);
    *says.lock().unwrap() = None;
    run.at(200 + 2 * SECOND);
    settle(&mut run.workers);
    assert_eq!((run.config.count(1, What::Due(100)), run.messenger.stats().messages), (1, 1));
}

#[test]
fn no_due_is_written_once_a_stop_drains() {
    let mut run = InTime::new(
        1024,
        Config::new(|who, what, _| match (who, what) {
            (1, What::Start) => deadline(100),
            _ => Vec::new(),
        }),
    );
    settle(&mut run.workers);
    write(&run.messenger.writer().unwrap(), 1).unwrap();
    run.at(200);
    run.messenger.stop();
    // What was pending at the stop is flushed before the end is fixed.
    settle(&mut run.workers);
    let InTime { workers, messenger, .. } = run;
    assert_eq!((workers.conclude().unwrap(), messenger.stats().messages), (Default::default(), 1));
}

#[test]
fn a_handler_with_a_due_is_the_one_writer() {
    let clock = ManualClock::new();
    let config = Config::new(|who, what, _| match (who, what) {
        (1, What::Start) => deadline(100),
        (1, What::Due(_)) => vec![Act::Deadline(None)],
        _ => Vec::new(),
    });
    let options = Options { clock: Arc::new(clock.clone()), ..patient() };
    let messenger = Alarm::with_options(CircularBus::one_writer(1024).unwrap(), options);
    let mut workers = messenger.workers(&config).unwrap();
    assert!(matches!(messenger.writer(), Err(NoWriter::Taken)));
    settle(&mut workers);
    clock.set(Time::from_nanos(100));
    settle(&mut workers);
    assert_eq!(config.count(1, What::Due(100)), 1);
}

fn a_due_wakes_its_worker<B: MessageBus>(bus: B) {
    let config = Config::new(|who, what, now| match (who, what) {
        (1, What::Start) => vec![Act::Deadline(Some(now + Duration::from_millis(5)))],
        (1, What::Due(time)) => vec![Act::Deadline(Some(Time::from_nanos(time) + Duration::from_millis(5)))],
        _ => Vec::new(),
    });
    let messenger = Timed::with_options(bus, patient());
    let handles = messenger.run(&config);
    let dues = || config.calls(1).into_iter().filter(|what| matches!(what, What::Due(_))).count();
    wait_until("ten deadlines came", || dues() >= 10);
    messenger.stop();
    handles.join().unwrap();
    for entry in config.log() {
        if let What::Due(time) = entry.what {
            assert!(entry.now.as_nanos() >= time, "before its time");
        }
    }
}

// ------------------------------------------------------------------------------------------------------------ unrouted

#[test]
fn what_nobody_receives_is_counted_and_told_once() {
    let config = Config::idle();
    let reports = Arc::default();
    let messenger = Loose::with_options(CircularBus::new(64 * 1024).unwrap(), gathering(&reports));
    let mut workers = messenger.workers(&config).unwrap();
    let writer = messenger.writer().unwrap();
    let send = |source: u16, message: u16, times: usize| {
        for _ in 0..times {
            writer.write_bytes(source, message, &1_u64.to_le_bytes()).unwrap();
        }
    };
    // What somebody receives, in the first worker or another one; what no source of this table sends; what a handler
    // sends that may; and what the library sends by itself.
    send(OUTSIDE, NUM, 3);
    send(OUTSIDE, Other::ID, 3);
    send(1, NUM, 3);
    send(77, NUM, 3);
    send(3, NUM, 3);
    send(1, 0xFF04, 3);
    settle(&mut workers);
    assert_eq!((config.numbers(1).len(), config.numbers(2).len()), (3, 3));
    assert_eq!((messenger.stats().unrouted, &*reports.lock().unwrap()), (0, &Vec::new()));
    // What a known source sends that nobody takes: of a message that is routed from another, and one that is unknown;
    // of a handler that only receives.
    send(1, Other::ID, 3);
    settle(&mut workers);
    send(1, 500, 2);
    send(2, NUM, 4);
    send(1, Other::ID, 3);
    settle(&mut workers);
    assert_eq!(messenger.stats().unrouted, 12, "counted once, whatever the number of workers");
    let header = |source, message, position| Header { source, message, size: 8, position };
    let told = |header, source: &str, message: Option<&str>| {
        format!("Unrouted {{ header: {header:?}, source: {source:?}, message: {message:?} }}")
    };
    let first = 18 * 32;
    assert_eq!(
        *reports.lock().unwrap(),
        [
            told(header(1, Other::ID, first), "Scripted<1>", Some("Other")),
            told(header(1, 500, first + 3 * 32), "Scripted<1>", None),
            told(header(2, NUM, first + 5 * 32), "Scripted<2>", Some("Num")),
        ]
    );
    messenger.stop();
    settle(&mut workers);
    let summary = workers.conclude().unwrap();
    assert_eq!((summary.unrouted, summary.unsent, summary.left), (12, 0, vec![]));
}

#[test]
fn two_tables_on_one_bus_leave_each_other_alone() {
    let reports = Arc::default();
    let bus = CircularBus::new(64 * 1024).unwrap();
    let one = Chain::with_options(bus.clone(), gathering(&reports));
    let other = Lone::with_options(bus, gathering(&reports));
    let (mut first, mut second) = (one.workers(&Config::idle()).unwrap(), other.workers(&Config::idle()).unwrap());
    let (to_one, to_other) = (one.writer().unwrap(), other.writer().unwrap());
    write(&to_one, 1).unwrap();
    to_other.write_bytes(17, NUM, &[0; 8]).unwrap();
    to_other.write_bytes(18, NUM, &[0; 8]).unwrap();
    settle(&mut first);
    settle(&mut second);
    assert_eq!((one.stats().unrouted, other.stats().unrouted), (0, 1), "each counts what its own sources send");
    assert_eq!(reports.lock().unwrap().len(), 1);
    let text = Report::Unrouted {
        header: Header { source: 18, message: 7, size: 8, position: 64 },
        source: "Lonely",
        message: Some("Num"),
    };
    let text = text.to_string();
    assert_eq!(text, "message 7 (Num) from source 18 (Lonely) at position 64 has no route: nobody receives it");
}

// ---------------------------------------------------------------------------------------------------------- one writer

#[test]
fn a_bus_for_one_writer_serves_one_writing_worker() {
    within("a bus for one writer", || {
        const MESSAGES: u64 = if cfg!(miri) { 50 } else { 1000 };
        let reports = Arc::default();
        let config = Config::new(|who, what, _| match (who, what) {
            (1, What::Start) => (0..MESSAGES).map(Act::Send).collect(),
            // No route has this handler as its source, so its worker has no writer.
            (2, What::Message(7)) => vec![Act::Send(1), Act::TrySend(1)],
            _ => Vec::new(),
        });
        let messenger = Chain::with_options(CircularBus::one_writer(1024).unwrap(), gathering(&reports));
        let handles = messenger.run(&config);
        assert!(matches!(messenger.writer(), Err(NoWriter::Taken)), "the one writer is a worker's");
        wait_until("all came through", || config.numbers(2).len() as u64 == MESSAGES);
        messenger.stop();
        let summary = handles.join().unwrap();
        assert!(config.numbers(2).into_iter().eq(0..MESSAGES));
        assert_eq!(*reports.lock().unwrap(), ["Unsent { source: 2, message: 7, error: NotAWriter }"]);
        assert_eq!(summary.unsent, 1);
        assert_eq!(*config.tried.lock().unwrap(), [Err(WriteError::NotAWriter)]);
        assert!(messenger.writer().is_ok(), "the place is free again");
    });
}

#[test]
fn a_bus_for_one_writer_refuses_a_second_one() {
    for stepped in [false, true] {
        let messenger = Cycle::with_options(CircularBus::one_writer(1024).unwrap(), patient());
        let config = Config::idle();
        let error = match stepped {
            false => messenger.try_run(&config).map(drop).unwrap_err(),
            true => messenger.workers(&config).map(drop).unwrap_err(),
        };
        let StartError::Writer { worker: "Beta", error: NoWriter::Taken } = error else { panic!("{error}") };
        assert_eq!(config.log(), []);
        assert_eq!(messenger.stats().readers, []);
    }
    let messenger = Chain::with_options(CondvarBus::new(CircularBus::one_writer(1024).unwrap()), patient());
    let outside = messenger.writer().unwrap();
    let error = messenger.try_run(&Config::idle()).map(drop).unwrap_err();
    let StartError::Writer { worker: "Alpha", error: NoWriter::Taken } = error else { panic!("{error}") };
    drop(outside);
    let handles = messenger.run(&Config::idle());
    messenger.stop();
    assert_eq!(handles.join().unwrap(), Default::default(), "started after all");
}

// -------------------------------------------------------------------------------------------------------- from outside

fn nothing_is_written_before_all_are_subscribed<B: MessageBus>(bus: B) {
    let config = Config::idle();
    let messenger = Solo::with_options(bus.clone(), patient());
    let writer = messenger.writer().unwrap();
    // The one that waits does not wait for this.
    assert_eq!(write(&writer, 1), Err(WriteError::NotStarted));
    assert_eq!(write_now(&writer, 2), Err(WriteError::NotStarted));
    assert_eq!(messenger.stats().messages, 0);
    // The bus itself knows of no messenger. Nobody who subscribes later sees this.
    write(&bus.writer().unwrap(), 3).unwrap();
    let handles = messenger.run(&config);
    write(&writer, 4).unwrap();
    write_now(&writer, 5).unwrap();
    messenger.stop();
    assert_eq!(write(&writer, 6), Err(WriteError::Closed));
    handles.join().unwrap();
    assert_eq!(config.numbers(1), [4, 5]);
}

fn sending_in_time_waits_so_long_and_no_longer<B: MessageBus>(bus: B) {
    let config = Config::idle();
    let messenger = Solo::with_options(bus, patient());
    let writer = messenger.writer().unwrap();
    let send = |number, timeout| writer.send_timeout::<Outside, _>(&Num { number, size: 8 }, timeout);
    assert_eq!(send(0, Duration::MAX), Err(WriteError::NotStarted), "no wait makes that better");
    let mut workers = messenger.workers(&config).unwrap();
    settle(&mut workers);

    let sent = (1..).take_while(|&number| send(number, Duration::ZERO).is_ok()).count() as u64;
    assert_eq!(send(0, Duration::ZERO), Err(WriteError::Full));
    let (start, timeout) = (Instant::now(), Duration::from_millis(20));
    assert_eq!(send(0, timeout), Err(WriteError::Full));
    assert!(start.elapsed() >= timeout, "given up early");
    let too_large = writer.send_timeout::<Outside, _>(&Num { number: 0, size: 4096 }, Duration::MAX);
    assert!(matches!(too_large, Err(WriteError::TooLarge { .. })), "{too_large:?}");

    // Acts once a thread has found the bus full that sends without a limit. Returns what became of that.
    let waits_until = |number, act: &mut dyn FnMut()| {
        let refused = messenger.stats().full;
        let writer = messenger.writer().unwrap();
        thread::scope(|scope| {
            let message = Num { number, size: 8 };
            let sender = scope.spawn(move || writer.send_timeout::<Outside, _>(&message, Duration::MAX));
            wait_until("the sender has found no room", || messenger.stats().full > refused);
            act();
            sender.join().unwrap()
        })
    };
    let sent_at_last = waits_until(sent + 1, &mut || _ = settle(&mut workers));
    assert_eq!(sent_at_last, Ok(()));
    while send(0, Duration::ZERO).is_ok() {}
    assert_eq!(waits_until(0, &mut || messenger.stop()), Err(WriteError::Closed));
    assert_eq!(send(0, Duration::MAX), Err(WriteError::Closed));
    settle(&mut workers);
    assert!(config.numbers(1).into_iter().filter(|&number| number != 0).eq(1..=sent + 1));
}

fn number_of(_: &Header, payload: &[u8]) -> u64 {
    u64::from_le_bytes(payload[..8].try_into().unwrap())
}

/// Also what handlers send while they drain, on a bus that is closed by then.
fn a_tap_sees_everything_until_the_last_worker_has_left<B: MessageBus>(bus: B) {
    let config = Config::new(|who, what, _| match (who, what) {
        (1, What::Message(number)) => vec![Act::Send(100 + number)],
        _ => Vec::new(),
    });
    let messenger = Chain::with_options(bus, patient());
    let mut tap = messenger.tap().unwrap();
    assert_eq!(tap.read_timeout(Duration::ZERO, number_of), Err(ReadError::Empty));
    let mut workers = messenger.workers(&config).unwrap();
    let writer = messenger.writer().unwrap();
    (1..=3).for_each(|number| write(&writer, number).unwrap());
    messenger.stop();
    let read = |tap: &mut Tap<B>, count| -> Vec<_> {
        (0..count).map(|_| tap.read_timeout(Duration::MAX, number_of)).collect()
    };
    assert_eq!(read(&mut tap, 3), [Ok(1), Ok(2), Ok(3)]);
    let mut late = messenger.tap().unwrap();
    assert_eq!(tap.read_timeout(Duration::ZERO, number_of), Err(ReadError::Empty), "the workers are there");
    assert_eq!(tap.read_timeout(Duration::from_millis(1), number_of), Err(ReadError::Empty));
    assert_eq!(settle(&mut workers), Step::Finished);
    assert_eq!(read(&mut tap, 4), [Ok(101), Ok(102), Ok(103), Err(ReadError::Closed)]);
    assert_eq!(tap.read_timeout(Duration::MAX, number_of), Err(ReadError::Closed));
    assert!(tap.next().is_none());
    assert_eq!(read(&mut late, 4), [Ok(101), Ok(102), Ok(103), Err(ReadError::Closed)]);
}

fn a_tap_holds_nobody_back_and_says_what_it_missed<B: MessageBus>(bus: B) {
    let config = Config::idle();
    let messenger = Solo::with_options(bus, patient());
    let mut tap = messenger.tap().unwrap();
    let mut workers = messenger.workers(&config).unwrap();
    let writer = messenger.writer().unwrap();
    // Many times around. Only the worker's own reader makes room; the tap never moves.
    const COUNT: u64 = 500;
    for number in 0..COUNT {
        if write_now(&writer, number) == Err(WriteError::Full) {
            assert_eq!(settle(&mut workers), Step::Idle);
            write_now(&writer, number).expect("the worker has made room");
        }
    }
    settle(&mut workers);
    assert!(config.numbers(1).into_iter().eq(0..COUNT));
    messenger.stop();
    assert_eq!(settle(&mut workers), Step::Finished);

    let missed = tap.read_timeout(Duration::MAX, |_, _| panic!("it stands where the bus has gone round"));
    let Err(ReadError::Lagged(missed)) = missed else { panic!("{missed:?}") };
    let seen: Vec<_> = tap.collect();
    assert!(!seen.is_empty() && missed > 0);
    // What it yields is its own: the bus and the messenger are not needed any more.
    drop((workers, writer, messenger));
    for (number, seen) in (missed..).zip(&seen) {
        let Ok((header, payload)) = seen else { panic!("moved on though nobody writes: {seen:?}") };
        assert_eq!((header.source, header.message, number_of(header, payload)), (OUTSIDE, NUM, number));
    }
    assert_eq!(missed + seen.len() as u64, COUNT);
}

fn a_tap_that_waits_wakes_at_messages_and_at_the_end<B: MessageBus>(bus: B) {
    let config = Config::idle();
    let messenger = Solo::with_options(bus, patient());
    let tap = messenger.tap().unwrap();
    let mut workers = messenger.workers(&config).unwrap();
    let writer = messenger.writer().unwrap();
    let seen = AtomicU64::new(0);
    thread::scope(|scope| {
        let seen = &seen;
        let tapping = scope.spawn(move || tap.inspect(|_| _ = seen.fetch_add(1, Ordering::Release)).count());
        for number in 0..3 {
            write(&writer, number).unwrap();
            wait_until("it is seen", || seen.load(Ordering::Acquire) == number + 1);
        }
        messenger.stop();
        assert_eq!(settle(&mut workers), Step::Finished);
        assert_eq!(tapping.join().unwrap(), 3);
    });
}

/// Whatever the tap misses on a ring, a journal keeps for it.
#[test]
#[cfg(unix)]
#[cfg_attr(miri, ignore = "megabytes of memory take Miri many minutes")]
fn a_tap_on_a_journal_is_never_moved_on() {
    use rust_messenger::message_bus::{PersistentBus, PersistentOptions};
    within("tap on a journal", || {
        let bus = PersistentBus::in_memory(PersistentOptions { capacity: 1 << 26, ..Default::default() }).unwrap();
        let messenger = Solo::with_options(bus, patient());
        let tap = messenger.tap().unwrap();
        let handles = messenger.run(&Config::idle());
        let writer = messenger.writer().unwrap();
        (0..10_000).for_each(|number| write(&writer, number).unwrap());
        messenger.stop();
        handles.join().unwrap();
        let numbers = tap.map(|seen| seen.map(|(header, payload)| number_of(&header, &payload)));
        assert!(numbers.eq((0..10_000).map(Ok)));
    });
}

#[test]
fn a_tap_that_cannot_be_is_an_error() {
    let error = Solo::with_options(Watched::new(1024), patient()).tap().map(drop);
    assert_eq!(error, Err(SubscribeError::NotEvictable));
    let messenger = Solo::with_options(CircularBus::new(1024).unwrap(), patient());
    let taps: Vec<_> = (0..).map_while(|_: u32| messenger.tap().ok()).collect();
    assert_eq!(messenger.tap().map(drop), Err(SubscribeError::TooManyReaders { max: taps.len() }));
    // Nobody ran, so nobody will send anything.
    messenger.stop();
    assert_eq!(taps.into_iter().map(Iterator::count).sum::<usize>(), 0);
}

#[test]
fn a_start_that_failed_is_no_start() {
    let bus = CircularBus::new(1024).unwrap();
    let readers: Vec<_> = (0..).map_while(|number: u32| bus.subscribe(&number.to_string()).ok()).collect();
    let messenger = Solo::with_options(bus, patient());
    let writer = messenger.writer().unwrap();
    assert!(matches!(messenger.try_run(&Config::idle()), Err(StartError::Subscribe { .. })));
    assert_eq!(write(&writer, 1), Err(WriteError::NotStarted));
    drop(readers);
    let config = Config::idle();
    let mut workers = messenger.workers(&config).unwrap();
    write(&writer, 2).unwrap();
    settle(&mut workers);
    assert_eq!(config.numbers(1), [2]);
    messenger.stop();
    // A stop that comes before the start ends what was never started.
    let messenger = Solo::with_options(CircularBus::new(1024).unwrap(), patient());
    messenger.stop();
    assert_eq!(write(&messenger.writer().unwrap(), 1), Err(WriteError::Closed));
}

fn blocked_writers_get_closed_at_the_stop<B: MessageBus>(bus: B) {
    const WRITERS: u64 = if cfg!(miri) { 3 } else { 8 };
    let (held, open) = gate();
    let config = Config::new(move |_, what, _| {
        if what == What::Message(0) {
            let _ = held.lock().unwrap().recv();
        }
        Vec::new()
    });
    let messenger = Solo::with_options(bus, patient());
    let handles = messenger.run(&config);
    write(&messenger.writer().unwrap(), 0).unwrap();
    wait_until("the worker is busy", || config.numbers(1) == [0]);
    let written = AtomicU64::new(1);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..WRITERS)
            .map(|_| {
                let (writer, written) = (messenger.writer().unwrap(), &written);
                scope.spawn(move || {
                    loop {
                        match write(&writer, 1) {
                            Ok(()) => written.fetch_add(1, Ordering::Relaxed),
                            Err(error) => return error,
                        };
                    }
                })
            })
            .collect();
        let full = || messenger.stats().full;
        wait_until("everybody has found the ring full", || full() >= WRITERS);
        assert!(threads.iter().all(|thread| !thread.is_finished()), "`write` waits for room");
        messenger.stop();
        for thread in threads {
            // The handler still holds the ring: it is the stop that ends these waits.
            assert_eq!(thread.join().unwrap(), WriteError::Closed);
        }
    });
    drop(open);
    handles.join().unwrap();
    assert_eq!(config.numbers(1).len() as u64, written.into_inner(), "what was written was handled");
}

fn waiting_for_room_ends_when_the_bus_is_closed<B: MessageBus>(bus: B) {
    let (held, open) = gate();
    let config = Config::new(move |_, what, _| {
        if what == What::Message(0) {
            let _ = held.lock().unwrap().recv();
        }
        Vec::new()
    });
    let messenger = Solo::with_options(bus, patient());
    let handles = messenger.run(&config);
    let writer = messenger.writer().unwrap();
    write(&writer, 0).unwrap();
    wait_until("the worker is busy", || config.numbers(1) == [0]);
    while writer.try_write_bytes(OUTSIDE, NUM, &1u64.to_le_bytes()).is_ok() {}
    // Between a `try_write` that found no room and the wait for it there is room for a stop.
    messenger.stop();
    writer.wait_for_room(8);
    assert_eq!(write(&writer, 1), Err(WriteError::Closed));
    drop(open);
    handles.join().unwrap();
}

#[test]
fn writers_from_outside_leave_the_last_quarter_to_workers() {
    let config = Config::new(|who, what, _| match (who, what) {
        (1, What::Message(0)) => (10..14).map(Act::Send).collect(),
        _ => Vec::new(),
    });
    let messenger = Chain::with_options(CircularBus::new(1024).unwrap(), patient());
    let mut workers = messenger.workers(&config).unwrap();
    let writer = messenger.writer().unwrap();
    let written = (0..).take_while(|number| writer.try_write_bytes(OUTSIDE, NUM, &u64::to_le_bytes(*number)).is_ok());
    let written = written.count() as u64;
    assert!(messenger.stats().tail <= 768, "three quarters at most");
    assert!(written >= 16, "{written} messages are much less than three quarters");
    workers.step();
    workers.iter_mut().next().unwrap().step();
    assert_eq!(messenger.stats().readers[0].outbox_high_water, 0, "a worker finds room where outsiders do not");
    settle(&mut workers);
    assert_eq!(config.numbers(2), [10, 11, 12, 13]);
    assert!(config.numbers(1).into_iter().eq(0..written));
}

// ------------------------------------------------------------------------------------------------------------- pinning

#[test]
#[cfg(target_os = "linux")]
#[cfg_attr(miri, ignore = "asks the kernel which cores a thread may use")]
fn pinned_threads_run_where_they_are_told() {
    fn allowed(who: &str) -> String {
        let status = std::fs::read_to_string(format!("/proc/{who}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
        line.trim().to_owned()
    }
    let first = allowed("self").split([',', '-']).next().unwrap().parse::<usize>().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let config = Config::new({
        let seen = Arc::clone(&seen);
        move |who, what, _| {
            if what == What::Start {
                seen.lock().unwrap().push((who, allowed("thread-self")));
            }
            Vec::new()
        }
    });
    let reports = Arc::default();
    let pin = vec![("Alpha", first), ("Beta", 10_000), ("Nobody", 0)];
    let messenger = Trio::with_options(CircularBus::new(4096).unwrap(), Options { pin, ..gathering(&reports) });
    let handles = messenger.run(&config);
    write(&messenger.writer().unwrap(), 1).unwrap();
    messenger.stop();
    assert_eq!(handles.join().unwrap(), Default::default(), "an unpinned worker is not a failed one");
    for who in 1..=3 {
        assert_eq!(config.numbers(who), [1]);
    }
    assert!(seen.lock().unwrap().contains(&(1, first.to_string())), "Alpha is pinned to {first}: {seen:?}");
    let reports = reports.lock().unwrap();
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert!(reports[0].starts_with("NotPinned { worker: \"Beta\", core: 10000"), "{reports:?}");
}
