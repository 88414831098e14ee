//! Handlers that cannot be made, or cannot handle: what a start and a run come to.

use super::{NUM, Num, OUTSIDE, Outside, quiet_panic, write};
use crate::support::{PATIENCE, wait_until, within};
use rust_messenger::message_bus::CircularBus;
use rust_messenger::messenger::{Cause, OnPanic, StartError, Step};
use rust_messenger::prelude::*;
use rust_messenger::traits::WriteError;
use std::error::Error;
use std::io;
use std::num::TryFromIntError;
use std::sync::mpsc::{Receiver, Sender as Opener, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

type Boxed = Box<dyn Error + Send + Sync>;
/// What is done as the handler of this number is made.
type Maker = dyn Fn(&Plan, u16) -> Result<(), Boxed> + Send + Sync;

#[derive(Clone)]
struct Plan {
    maker: Arc<Maker>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Plan {
    fn new(maker: impl Fn(&Plan, u16) -> Result<(), Boxed> + Send + Sync + 'static) -> Plan {
        Plan { maker: Arc::new(maker), log: Arc::default() }
    }

    fn note(&self, what: &str, who: u16) {
        self.log.lock().unwrap().push(format!("{what} {who}"));
    }

    fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    fn has(&self, what: &str) -> bool {
        self.log().iter().any(|entry| entry == what)
    }

    fn counts(&self, what: &str) -> usize {
        self.log().iter().filter(|entry| entry.starts_with(what)).count()
    }
}

struct Made<const ID: u16>(Plan);

impl<const ID: u16> Made<ID> {
    fn open(plan: &Plan) -> Result<Self, Boxed> {
        (plan.maker)(plan, ID)?;
        plan.note("made", ID);
        Ok(Made(plan.clone()))
    }
}

impl<const ID: u16> Handler for Made<ID> {
    type Id = u16;
    const ID: u16 = ID;

    fn on_start<W: Writer>(&mut self, _: &W) {
        self.0.note("started", ID);
    }

    fn on_stop(&mut self) {
        self.0.note("stopped", ID);
    }
}

impl<const ID: u16> Drop for Made<ID> {
    fn drop(&mut self) {
        self.0.note("dropped", ID);
    }
}

impl<const ID: u16> Handle<Num> for Made<ID> {
    fn handle<W: Writer>(&mut self, _: &Num, _: &W) {
        self.0.note("handled", ID);
    }
}

/// Made by `New`, as others always were.
struct Plain(Made<3>);

handler!(Plain, 3);

impl New<Plan> for Plain {
    fn new<W: Writer>(plan: &Plan, _: &W) -> Self {
        Plain(Made::open(plan).expect("the plan of a plain handler"))
    }
}

impl Handle<Num> for Plain {
    fn handle<W: Writer>(&mut self, message: &Num, writer: &W) {
        self.0.handle(message, writer);
    }
}

Messenger! {
    type Making;
    Plan,
    First:
        handlers: [ plain: Plain, a: Made<1> = |plan| Made::open(plan)? ]
        routes: [ Outside, Num: [ a, plain ] ]
    Second:
        handlers: [ b: Made<2> = |plan| Made::open(plan)? ]
        routes: [ Outside, Num: [ b ] ]
}

fn bus() -> CircularBus {
    CircularBus::new(4096).unwrap()
}

fn options(on_panic: OnPanic) -> Options {
    Options { drain: PATIENCE, on_panic, ..Options::default() }
}

/// The second one cannot be made, once those of the first worker are.
fn refusing() -> Plan {
    Plan::new(|plan, who| match who {
        2 => {
            wait_until("the first worker has made its handlers", || plan.has("made 1") && plan.has("made 3"));
            Err("the venue is closed".into())
        }
        _ => Ok(()),
    })
}

fn is_refusal(error: &StartError) -> bool {
    matches!(error, StartError::Handler { worker: "Second", handler: "b", error } if error.to_string() == "the venue is closed")
}

#[test]
fn a_handler_that_cannot_be_made_is_a_failed_start() {
    for on_panic in [OnPanic::StopAll, OnPanic::Isolate] {
        let plan = refusing();
        let messenger = Making::with_options(bus(), options(on_panic));
        let writer = messenger.writer().unwrap();
        let error = messenger.try_run(&plan).map(drop).unwrap_err();
        assert!(is_refusal(&error), "{error:?}");
        assert_eq!(error.to_string(), "handler b of worker Second cannot be made: the venue is closed");
        assert_eq!(error.source().unwrap().to_string(), "the venue is closed");
        let log = plan.log();
        assert_eq!(log[..2], ["made 3", "made 1"], "{log:?}");
        assert_eq!(log[2..].len(), 2, "dropped, and neither started nor stopped: {log:?}");
        assert_eq!(plan.counts("dropped"), 2, "{log:?}");
        assert_eq!(write(&writer, 1), Err(WriteError::Closed), "nobody would ever handle it");
        assert!(matches!(messenger.try_run(&plan), Err(StartError::RanBefore)));
    }
}

#[test]
fn who_joins_is_told_which_handler_could_not_be_made() {
    let plan = refusing();
    let messenger = Making::with_options(bus(), options(OnPanic::Isolate));
    let error = messenger.run(&plan).join().unwrap_err();
    assert_eq!(error.failures.len(), 1, "{error}");
    assert_eq!(error.failures[0].worker, "");
    assert!(matches!(&error.failures[0].cause, Cause::Start(error) if is_refusal(error)), "{error}");
    assert_eq!((plan.counts("started"), plan.counts("dropped")), (0, 2));
}

#[test]
fn stepped_workers_are_idle_until_all_handlers_are_made() {
    let plan = Plan::new(|_, _| Ok(()));
    let messenger = Making::with_options(bus(), options(OnPanic::StopAll));
    let mut workers = messenger.workers(&plan).unwrap();
    write(&messenger.writer().unwrap(), 1).unwrap();
    {
        let [first, second] = &mut workers.iter_mut().collect::<Vec<_>>()[..] else { panic!("two workers") };
        assert_eq!(first.step(), Step::Worked);
        for _ in 0..3 {
            assert_eq!(first.step(), Step::Idle);
            // Returns, though only this thread could make the handlers that it waits for.
            first.wait();
        }
        assert_eq!(plan.log(), ["made 3", "made 1"]);
        assert_eq!(second.step(), Step::Worked);
        assert_eq!(plan.log()[2..], ["made 2", "started 2"]);
        assert_eq!(first.step(), Step::Worked);
        assert_eq!(plan.log()[4..], ["started 1"]);
    }
    messenger.stop();
    while workers.step() != Step::Finished {}
    workers.conclude().unwrap();
    assert_eq!((plan.counts("handled"), plan.counts("stopped")), (3, 2));
}

#[test]
fn stepped_workers_do_not_start_when_one_of_them_cannot() {
    let plan = refusing();
    let messenger = Making::with_options(bus(), options(OnPanic::StopAll));
    let mut workers = messenger.workers(&plan).unwrap();
    write(&messenger.writer().unwrap(), 1).unwrap();
    while workers.step() != Step::Finished {}
    let error = workers.conclude().unwrap_err();
    assert!(matches!(&error.failures[0].cause, Cause::Start(error) if is_refusal(error)), "{error}");
    assert_eq!((plan.counts("started"), plan.counts("handled"), plan.counts("stopped")), (0, 0, 0));
    let left: Vec<_> = error.summary.left.iter().map(|left| (left.worker, left.unread)).collect();
    assert_eq!(left, [("Second", 1), ("First", 1)]);
}

/// Holds up the second handler until it is opened. Also tells when that has begun.
fn held() -> (Plan, Opener<()>, Receiver<()>) {
    let (open, held) = channel::<()>();
    let (begin, begun) = channel();
    let (held, begin) = (Mutex::new(held), Mutex::new(begin));
    let plan = Plan::new(move |_, who| {
        if who == 2 {
            let _ = begin.lock().unwrap().send(());
            let _ = held.lock().unwrap().recv();
        }
        Ok(())
    });
    (plan, open, begun)
}

#[test]
#[cfg_attr(miri, ignore = "waits for a time")]
fn who_tries_to_run_waits_for_all_handlers() {
    within("handlers that take their time", || {
        let (plan, open, begun) = held();
        let messenger = Making::with_options(bus(), options(OnPanic::StopAll));
        thread::scope(|scope| {
            let (tell, returned) = channel();
            let (messenger, config) = (&messenger, plan.clone());
            scope.spawn(move || tell.send(messenger.try_run(&config).unwrap()));
            begun.recv().unwrap();
            wait_until("the first worker waits", || plan.has("made 1"));
            // Within this time it would return if it did not wait; that it waits for longer cannot be shown.
            assert!(returned.recv_timeout(Duration::from_millis(300)).is_err(), "did not wait");
            assert_eq!(plan.counts("started"), 0);
            open.send(()).unwrap();
            let handles = returned.recv().unwrap();
            assert_eq!(plan.counts("made"), 3);
            messenger.stop();
            handles.join().unwrap();
            assert_eq!((plan.counts("started"), plan.counts("stopped")), (2, 2));
        });
    });
}

#[test]
#[cfg_attr(miri, ignore = "waits for a second")]
fn a_stop_ends_the_wait_for_a_handler_that_is_never_made() {
    within("a handler that is never made", || {
        let (plan, open, begun) = held();
        let messenger = Making::with_options(bus(), Options { drain: Duration::ZERO, ..Options::default() });
        thread::scope(|scope| {
            let messenger = &messenger;
            scope.spawn(move || {
                begun.recv().unwrap();
                messenger.stop();
            });
            let handles = messenger.try_run(&plan).unwrap();
            let error = handles.join().unwrap_err();
            assert!(matches!(&error.failures[..], [only] if only.worker == "Second"), "{error}");
            assert!(matches!(error.failures[0].cause, Cause::Stuck), "{error}");
            assert_eq!((plan.counts("started"), plan.counts("dropped")), (0, 2), "the others left");
        });
        drop(open);
        wait_until("it is made after all, and goes", || plan.has("dropped 2"));
    });
}

#[test]
fn a_panic_as_a_handler_is_made_is_no_failed_start() {
    for on_panic in [OnPanic::StopAll, OnPanic::Isolate] {
        let plan = Plan::new(|_, who| if who == 2 { quiet_panic("as planned") } else { Ok(()) });
        let messenger = Making::with_options(bus(), options(on_panic));
        let handles = messenger.try_run(&plan).unwrap();
        wait_until("the others start", || plan.has("started 1"));
        if on_panic == OnPanic::Isolate {
            write(&messenger.writer().unwrap(), 1).unwrap();
            messenger.stop();
        }
        let error = handles.join().unwrap_err();
        assert_eq!(error.failures.len(), 1, "{error}");
        assert!(matches!(error.failures[0].cause, Cause::Panicked { handler: "b", header: None, .. }), "{error}");
        assert_eq!(plan.counts("handled"), if on_panic == OnPanic::Isolate { 2 } else { 0 });
        assert_eq!(plan.counts("stopped"), 1);
    }
}

#[test]
#[cfg(unix)]
fn no_cursor_moves_when_a_handler_cannot_be_made() {
    use rust_messenger::message_bus::Start;
    let options = || PersistentOptions { start: Start::Resume, capacity: 1 << 24, ..PersistentOptions::default() };
    let journal = PersistentBus::in_memory(options()).unwrap();
    // A life before, so that there are cursors, and messages behind them.
    let plan = Plan::new(|_, _| Ok(()));
    let messenger = Making::new(journal.clone());
    let mut workers = messenger.workers(&plan).unwrap();
    let writer = messenger.writer().unwrap();
    (0..3).for_each(|number| write(&writer, number).unwrap());
    while plan.counts("handled") < 9 {
        workers.step();
    }
    (3..5).for_each(|number| write(&writer, number).unwrap());
    drop((writer, workers));
    let before = journal.cursors();
    assert_eq!(before.len(), 2);

    let plan = refusing();
    let messenger = Making::new(journal.clone());
    assert!(is_refusal(&messenger.try_run(&plan).map(drop).unwrap_err()));
    assert_eq!(journal.cursors(), before);
    // They stand on the first message that was not handled.
    let mut reader = journal.subscribe("First").unwrap();
    let number = reader.try_read(|_, payload| u64::from_le_bytes(payload[..8].try_into().unwrap()));
    assert_eq!(number.unwrap(), 3);
}

// ----------------------------------------------------------------------------------------- handlers that cannot handle

/// Handles numbers that fit into a byte.
#[derive(Default)]
struct Narrow {
    sum: u64,
}

handler!(Narrow, 4, default);

impl TryHandle<Num> for Narrow {
    type Error = TryFromIntError;

    fn try_handle<W: Writer>(&mut self, message: &Num, _: &W) -> Result<(), TryFromIntError> {
        self.sum += u64::from(u8::try_from(message.number)?);
        Ok(())
    }
}

/// Fails with a text.
struct Wordy;

impl TryHandle<Num> for Wordy {
    type Error = &'static str;

    fn try_handle<W: Writer>(&mut self, _: &Num, _: &W) -> Result<(), &'static str> {
        Err("not today")
    }
}

handler!(Wordy, 5);

Messenger! {
    type Failing;
    (),
    Only:
        handlers: [ narrow: Narrow ]
        routes: [ Outside, Num: [ narrow ] ]
}

Messenger! {
    type Wording;
    (),
    Only:
        handlers: [ wordy: Wordy = |_| Wordy ]
        routes: [ Outside, Num: [ wordy ] ]
}

#[test]
fn an_error_in_a_handler_is_a_failure() {
    let messenger = Failing::with_options(bus(), options(OnPanic::Isolate));
    let handles = messenger.try_run(&()).unwrap();
    let writer = messenger.writer().unwrap();
    for number in [1, 255, 256] {
        write(&writer, number).unwrap();
    }
    // What comes after the one that failed is left.
    let _ = write(&writer, 2);
    let error = handles.join().unwrap_err();
    let [failure] = &error.failures[..] else { panic!("{error}") };
    let Cause::Failed { handler: "narrow", error: source } = &failure.cause else { panic!("{error}") };
    assert!(source.is::<TryFromIntError>(), "{source:?}");
    assert!(error.summary.left.iter().all(|left| left.unread == 1), "{:?}", error.summary);
}

#[test]
fn a_handler_may_fail_with_a_text() {
    let messenger = Wording::with_options(bus(), options(OnPanic::StopAll));
    let mut workers = messenger.workers(&()).unwrap();
    write(&messenger.writer().unwrap(), 1).unwrap();
    for _ in 0..100 {
        workers.step();
    }
    assert_eq!(workers.conclude().unwrap_err().to_string(), "worker Only: handler wordy failed: not today");
}

#[test]
#[cfg(unix)]
fn a_message_whose_handling_failed_is_not_handled() {
    use rust_messenger::message_bus::Start;
    let options = PersistentOptions { start: Start::Resume, capacity: 1 << 24, ..PersistentOptions::default() };
    let journal = PersistentBus::in_memory(options).unwrap();
    let mut failed_at = Vec::new();
    for life in 0..2 {
        let messenger = Failing::new(journal.clone());
        let mut workers = messenger.workers(&()).unwrap();
        if life == 0 {
            let writer = messenger.writer().unwrap();
            [7, 256, 8].into_iter().for_each(|number| write(&writer, number).unwrap());
        }
        while workers.step() != Step::Finished {}
        let error = workers.conclude().unwrap_err();
        assert!(matches!(error.failures[0].cause, Cause::Failed { handler: "narrow", .. }), "{error}");
        assert_eq!(error.summary.left.iter().map(|left| left.unread).collect::<Vec<_>>(), [1]);
        failed_at.push(journal.cursors()["Only"]);
    }
    assert_eq!(failed_at[0], failed_at[1], "the next life begins with the message that failed, and fails in it");
    let mut reader = journal.subscribe("Only").unwrap();
    let number = reader.try_read(|header, payload| {
        assert_eq!((header.source, header.message), (OUTSIDE, NUM));
        u64::from_le_bytes(payload[..8].try_into().unwrap())
    });
    assert_eq!(number.unwrap(), 256);
}

/// The error that a venue gives, in one of the forms in which `?` takes it.
#[test]
fn any_error_will_do_where_a_handler_is_made() {
    #[derive(Clone)]
    struct Port(&'static str);

    impl Port {
        fn open(&self) -> io::Result<()> {
            Err(io::Error::new(io::ErrorKind::NotFound, self.0))
        }
    }

    Messenger! {
        type Ports;
        Port,
        Only:
            handlers: [
                #[allow(unrouted)] first: Wordy = |_| Wordy,
                narrow: Narrow = |port| {
                    port.open()?;
                    Narrow { sum: 1 }
                },
            ]
            routes: [ Outside, Num: [ narrow ] ]
    }

    let messenger = Ports::new(bus());
    let error = messenger.try_run(&Port("no such port")).map(drop).unwrap_err();
    let StartError::Handler { worker: "Only", handler: "narrow", error } = error else { panic!("{error}") };
    assert_eq!(error.downcast::<io::Error>().unwrap().kind(), io::ErrorKind::NotFound);
}
