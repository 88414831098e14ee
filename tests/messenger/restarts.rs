//! Workers that are restarted: what is dead, who is told, and when it ends.
//!
//! Most tests step the workers in virtual time, so that a pause ends when the test says so.

use super::{
    Act, Chain, Config, NUM, Num, OUTSIDE, Outside, POISON, Pair, Timed, Trio, What, gathering, only, patient,
    quiet_panic, settle, write,
};
use crate::support::{wait_until, within};
use rust_messenger::message_bus::{CircularBus, CondvarBus};
use rust_messenger::messenger::{Budget, Cause, OnPanic, StartError, Step, Summary};
use rust_messenger::prelude::*;
use rust_messenger::testing::ManualClock;
use rust_messenger::traits::{
    DeadLetter, DeserializeFrom, Message, MessageBus, ReadError, RequeueError, Supervisor, Time, WriteError,
};
#[cfg(unix)]
use rust_messenger::{PersistentBus, PersistentOptions};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const BACKOFF: Duration = Duration::from_millis(20);
const SECOND: Duration = Duration::from_secs(1);

fn budget() -> Budget {
    Budget { backoff: BACKOFF, ..Budget::default() }
}

fn restarting(options: Options, worker: &'static str, budget: Budget) -> Options {
    Options { on_panic_of: vec![(worker, OnPanic::Restart(budget))], ..options }
}

/// A script that panics the first time that `who` comes to `moment`.
fn once(who: u16, moment: What) -> Config {
    times(1, who, moment)
}

fn times(times: u64, who: u16, moment: What) -> Config {
    let count = AtomicU64::new(0);
    Config::new(move |id, what, _| {
        let panics = (id, what) == (who, moment) && count.fetch_add(1, Ordering::Relaxed) < times;
        if panics { vec![Act::Panic("as planned")] } else { Vec::new() }
    })
}

/// The letters that a tap sees.
fn letters<B: MessageBus>(tap: &mut rust_messenger::messenger::Tap<B>) -> Vec<DeadLetter> {
    let mut letters = Vec::new();
    loop {
        let read = tap.read_timeout(Duration::ZERO, |header, payload| {
            let is_letter = (header.source, header.message) == (Supervisor::ID, DeadLetter::ID);
            is_letter.then(|| DeadLetter::try_deserialize_from(payload).unwrap())
        });
        match read {
            Ok(letter) => letters.extend(letter),
            Err(ReadError::Empty | ReadError::Closed) => return letters,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_worker_comes_back_behind_the_message_that_broke_it() {
    let (config, reports, clock) = (once(1, What::Message(2)), Arc::default(), Arc::new(ManualClock::default()));
    let options = Options { clock: clock.clone(), ..gathering(&reports) };
    let messenger = Pair::with_options(CircularBus::new(4096).unwrap(), restarting(options, "Alpha", budget()));
    let (mut tap, mut workers) = (messenger.tap().unwrap(), messenger.workers(&config).unwrap());
    let writer = messenger.writer().unwrap();
    (0..2).for_each(|number| write(&writer, number).unwrap());
    let position = messenger.stats().tail;
    (2..5).for_each(|number| write(&writer, number).unwrap());
    assert_eq!(settle(&mut workers), Step::Idle);
    assert_eq!(config.numbers(1), [0, 1, 2], "it pauses");
    assert_eq!(config.count(1, What::Dropped) + config.count(2, What::Dropped), 2, "and holds nothing meanwhile");
    let until = workers.iter_mut().next().unwrap().next_deadline();
    assert_eq!(until, Some(Time::default() + BACKOFF));

    clock.advance(BACKOFF);
    assert_eq!(settle(&mut workers), Step::Idle);
    assert_eq!((config.numbers(1), config.numbers(2)), (vec![0, 1, 2, 3, 4], vec![0, 1, 3, 4]));
    for who in [1, 2] {
        assert_eq!((config.count(who, What::New), config.count(who, What::Start)), (2, 2), "made anew, and started");
    }
    let [letter] = &letters(&mut tap)[..] else { panic!("one letter") };
    let expected = DeadLetter {
        position,
        source: OUTSIDE,
        message: NUM,
        attempts: 1,
        worker: "Alpha".to_owned(),
        handler: "a".to_owned(),
        text: "as planned".to_owned(),
        unreached: vec!["b".to_owned()],
    };
    assert_eq!(*letter, expected);

    messenger.stop();
    assert_eq!(settle(&mut workers), Step::Finished);
    let Summary { restarts: 1, dead: 1, unrouted: 0, last_panic: Some(last), left, .. } = workers.conclude().unwrap()
    else {
        panic!("one restart, one letter, which needs no route")
    };
    assert!(left.is_empty(), "{left:?}");
    for part in ["worker Alpha", "handler a", "message 7", "source 9", &position.to_string(), "as planned"] {
        assert!(last.contains(part), "`{part}` is missing in `{last}`");
    }
    let reports = reports.lock().unwrap();
    assert_eq!(reports.len(), 2, "{reports:?}");
    assert!(reports[0].starts_with("Dead") && reports[1].starts_with("Restarting"), "{reports:?}");
}

/// A panic that is not at a message costs none, and the handlers are made anew.
fn between_messages<B: MessageBus>(bus: impl Fn() -> B, has_history: bool) {
    for moment in [What::New, What::Start, What::Loop] {
        let config = once(2, moment);
        let options = restarting(patient(), "Alpha", Budget { backoff: Duration::ZERO, ..budget() });
        let messenger = Pair::with_options(bus(), options);
        let mut workers = messenger.workers(&config).unwrap();
        let writer = messenger.writer().unwrap();
        (0..3).for_each(|number| write(&writer, number).unwrap());
        assert_eq!(settle(&mut workers), Step::Idle, "{moment:?}");
        // The loop comes after the messages, and those are what the handlers had come to.
        let again = has_history && moment == What::Loop;
        let numbers = [0, 1, 2].repeat(if again { 2 } else { 1 });
        assert_eq!((config.numbers(1), config.numbers(2)), (numbers.clone(), numbers), "{moment:?}");
        assert_eq!(config.count(2, What::New), 2, "{moment:?}");
        messenger.stop();
        assert_eq!(settle(&mut workers), Step::Finished, "{moment:?}");
        let summary = workers.conclude().unwrap();
        assert_eq!((summary.restarts, summary.dead), (1, 0), "{moment:?}");
        assert!(summary.last_panic.unwrap().contains("handler b"), "{moment:?}");
    }
}

#[test]
fn a_panic_between_messages_restarts_too() {
    between_messages(|| CircularBus::new(4096).unwrap(), false);
}

#[test]
#[cfg(unix)]
fn a_panic_between_messages_of_a_journal_restarts_too() {
    let small = PersistentOptions { capacity: 1 << 18, step: 64 * 1024, max_payload: 1024, ..Default::default() };
    between_messages(|| PersistentBus::in_memory(small.clone().table(Pair::table())).unwrap(), true);
}

/// The others have not started yet, and wait.
#[test]
fn nobody_starts_before_a_worker_that_comes_back_has_made_its_handlers() {
    let (config, clock) = (once(2, What::New), Arc::new(ManualClock::default()));
    let options = Options { clock: clock.clone(), ..patient() };
    let messenger = Trio::with_options(CircularBus::new(4096).unwrap(), restarting(options, "Beta", budget()));
    let mut workers = messenger.workers(&config).unwrap();
    assert_eq!(settle(&mut workers), Step::Idle);
    assert_eq!(config.count(1, What::Start) + config.count(3, What::Start), 0);
    clock.advance(BACKOFF);
    assert_eq!(settle(&mut workers), Step::Idle);
    for who in 1..=3 {
        assert_eq!(config.count(who, What::Start), 1);
    }
    messenger.stop();
    assert_eq!(settle(&mut workers), Step::Finished);
    workers.conclude().unwrap();
}

#[test]
fn a_budget_that_is_used_up_ends_the_worker_as_any_panic() {
    for on_panic in [OnPanic::StopAll, OnPanic::Isolate] {
        let config = times(u64::MAX, 2, What::Message(7));
        let clock = Arc::new(ManualClock::default());
        let options = Options { clock: clock.clone(), on_panic, ..patient() };
        let options = restarting(options, "Beta", Budget { restarts: 2, within: SECOND, ..budget() });
        let messenger = Trio::with_options(CircularBus::new(4096).unwrap(), options);
        let mut workers = messenger.workers(&config).unwrap();
        let writer = messenger.writer().unwrap();
        let mut poison = |forward| {
            write(&writer, 7).unwrap();
            settle(&mut workers);
            clock.advance(forward);
            settle(&mut workers)
        };
        // The third one comes when the first is forgotten.
        for forward in [SECOND / 2, SECOND / 2, BACKOFF] {
            assert_eq!(poison(forward), Step::Idle);
        }
        let end = poison(BACKOFF);
        assert_eq!(end, if on_panic == OnPanic::StopAll { Step::Finished } else { Step::Idle });
        messenger.stop();
        assert_eq!(settle(&mut workers), Step::Finished);
        let error = workers.conclude().unwrap_err();
        assert!(
            matches!(only(&error), ("Beta", Cause::Panicked { handler: "b", header: Some(_), .. })),
            "{on_panic:?}: {error}"
        );
        assert_eq!((error.summary.restarts, error.summary.dead), (3, 3), "{on_panic:?}");
    }
}

/// The clock stands still, so nothing but the stop ends the pause.
#[test]
fn a_stop_ends_the_pause() {
    within("a stop ends the pause", || {
        let config = times(2, 2, What::Message(1));
        let options = Options { clock: Arc::new(ManualClock::default()), ..patient() };
        let messenger = Trio::with_options(CircularBus::new(4096).unwrap(), restarting(options, "Beta", budget()));
        let handles = messenger.run(&config);
        let writer = messenger.writer().unwrap();
        // The second one breaks it while the messenger stops.
        [1, 1, 2].into_iter().for_each(|number| write(&writer, number).unwrap());
        wait_until("the worker is broken", || config.count(2, What::Dropped) == 1);
        messenger.stop();
        let summary = handles.join().unwrap();
        assert_eq!((summary.restarts, summary.dead, summary.left.len()), (2, 2, 0));
        for who in 1..=3 {
            assert_eq!(config.numbers(who), [1, 1, 2]);
            assert_eq!(config.count(who, What::Stop), 1);
        }
    });
}

/// Nothing comes after `on_stop` that a worker would have to come back for.
#[test]
fn a_panic_in_on_stop_is_final() {
    let config = times(u64::MAX, 2, What::Stop);
    let messenger = Pair::with_options(CircularBus::new(4096).unwrap(), restarting(patient(), "Alpha", budget()));
    let mut workers = messenger.workers(&config).unwrap();
    settle(&mut workers);
    messenger.stop();
    assert_eq!(settle(&mut workers), Step::Finished);
    let error = workers.conclude().unwrap_err();
    assert!(matches!(only(&error), ("Alpha", Cause::Panicked { handler: "b", .. })), "{error}");
    assert_eq!(error.summary.restarts, 0);
}

#[test]
fn what_is_in_the_outbox_stays_there() {
    // More than the ring holds.
    const SENT: u64 = 100;
    let config = Config::new(|who, what, _| match (who, what) {
        (1, What::Message(0)) => (0..SENT).map(Act::Send).chain([Act::Panic("too much")]).collect(),
        _ => Vec::new(),
    });
    let budget = Budget { backoff: Duration::ZERO, ..budget() };
    let messenger = Chain::with_options(CircularBus::new(1024).unwrap(), restarting(patient(), "Alpha", budget));
    let (mut workers, writer) = (messenger.workers(&config).unwrap(), messenger.writer().unwrap());
    write(&writer, 0).unwrap();
    assert_eq!(settle(&mut workers), Step::Idle);
    assert_eq!(config.numbers(2), (0..SENT).collect::<Vec<_>>(), "once and in order");
    write(&writer, 1).unwrap();
    messenger.stop();
    assert_eq!(settle(&mut workers), Step::Finished);
    assert_eq!(config.numbers(1), [0, 1]);
    let summary = workers.conclude().unwrap();
    assert_eq!((summary.restarts, summary.dead, summary.left.len()), (1, 1, 0));
}

#[test]
fn what_cannot_be_decoded_is_dead_and_restarts_nobody() {
    let config = Config::idle();
    let messenger = Pair::with_options(CircularBus::new(4096).unwrap(), restarting(patient(), "Alpha", budget()));
    let (mut tap, mut workers) = (messenger.tap().unwrap(), messenger.workers(&config).unwrap());
    let writer = messenger.writer().unwrap();
    [1, POISON, 2].into_iter().for_each(|number| write(&writer, number).unwrap());
    assert_eq!(settle(&mut workers), Step::Idle);
    let [letter] = &letters(&mut tap)[..] else { panic!("one letter") };
    assert_eq!((letter.attempts, letter.handler.as_str(), letter.message), (0, "", NUM));
    assert_eq!(letter.unreached, ["a", "b"]);
    assert!(letter.text.contains("poison"), "{}", letter.text);
    messenger.stop();
    assert_eq!(settle(&mut workers), Step::Finished);
    assert_eq!(config.numbers(1), [1, 2]);
    let summary = workers.conclude().unwrap();
    assert_eq!((summary.restarts, summary.dead, summary.undecodable), (0, 1, 1));
}

/// Of two workers that cannot decode it, one writes letters.
#[test]
fn only_a_worker_with_a_budget_writes_letters() {
    let (config, reports) = (Config::idle(), Arc::default());
    let options = restarting(gathering(&reports), "Beta", budget());
    let messenger = Trio::with_options(CircularBus::new(4096).unwrap(), options);
    let (mut tap, mut workers) = (messenger.tap().unwrap(), messenger.workers(&config).unwrap());
    write(&messenger.writer().unwrap(), POISON).unwrap();
    assert_eq!(settle(&mut workers), Step::Idle);
    let written = letters(&mut tap);
    assert_eq!(written.iter().map(|letter| letter.worker.as_str()).collect::<Vec<_>>(), ["Beta"]);
    messenger.stop();
    assert_eq!(settle(&mut workers), Step::Finished);
    let summary = workers.conclude().unwrap();
    assert_eq!((summary.dead, summary.undecodable), (1, 3));
    let reports = reports.lock().unwrap();
    let of = |what: &str| reports.iter().filter(|report| report.starts_with(what)).count();
    assert_eq!((of("Dead"), of("Undecodable")), (1, 3), "{reports:?}");
}

/// On a bus for one writer another worker has nowhere to write its letter: that it is dead is a report.
#[test]
fn who_may_not_write_reports_what_is_dead() {
    let (reports, clock) = (Arc::default(), Arc::new(ManualClock::default()));
    let config = Config::new(|who, what, _| match (who, what) {
        (1, What::Start) => (0..4).map(Act::Send).collect(),
        (2, What::Message(1)) => vec![Act::Panic("as planned")],
        _ => Vec::new(),
    });
    let options = restarting(Options { clock: clock.clone(), ..gathering(&reports) }, "Beta", budget());
    let messenger = Chain::with_options(CircularBus::one_writer(4096).unwrap(), options);
    let (mut tap, mut workers) = (messenger.tap().unwrap(), messenger.workers(&config).unwrap());
    assert_eq!(settle(&mut workers), Step::Idle);
    clock.advance(BACKOFF);
    assert_eq!(settle(&mut workers), Step::Idle);
    assert_eq!(config.numbers(2), [0, 1, 2, 3], "it goes on behind it");
    assert_eq!(letters(&mut tap), []);
    messenger.stop();
    assert_eq!(settle(&mut workers), Step::Finished);
    let summary = workers.conclude().unwrap();
    assert_eq!((summary.restarts, summary.dead, summary.unsent), (1, 1, 0));
    let reports = reports.lock().unwrap();
    assert!(
        reports.len() == 2 && reports[0].starts_with("Dead") && reports[1].starts_with("Restarting"),
        "{reports:?}"
    );
}

/// A ring has lost what was on it, and before a start nobody would get it.
#[test]
fn nothing_comes_again_on_a_ring() {
    let config = once(1, What::Message(2));
    let messenger = Pair::with_options(CircularBus::new(4096).unwrap(), restarting(patient(), "Alpha", budget()));
    assert_eq!(messenger.requeue(0), Err(RequeueError::Write(WriteError::NotStarted)));
    let (mut tap, mut workers) = (messenger.tap().unwrap(), messenger.workers(&config).unwrap());
    write(&messenger.writer().unwrap(), 2).unwrap();
    assert_eq!(settle(&mut workers), Step::Idle);
    let [letter] = &letters(&mut tap)[..] else { panic!("one letter") };
    assert_eq!(messenger.requeue(letter.position), Err(RequeueError::NoJournal));
    messenger.stop();
    assert_eq!(settle(&mut workers), Step::Finished);
}

#[test]
fn a_handler_that_fails_is_final() {
    let config = Config::new(|who, what, _| match (who, what) {
        (1, What::Message(0)) => vec![Act::Fail("enough"), Act::Panic("and more")],
        _ => Vec::new(),
    });
    let messenger = Pair::with_options(CircularBus::new(4096).unwrap(), restarting(patient(), "Alpha", budget()));
    let mut workers = messenger.workers(&config).unwrap();
    write(&messenger.writer().unwrap(), 0).unwrap();
    assert_eq!(settle(&mut workers), Step::Finished);
    let error = workers.conclude().unwrap_err();
    assert!(matches!(error.failures[0].cause, Cause::Failed { handler: "a", .. }), "{error}");
    assert_eq!(error.summary.restarts, 0);
}

/// A deadline that is a message breaks its handler: the next one comes all the same.
#[test]
fn a_due_may_be_dead() {
    let (clock, broken) = (Arc::new(ManualClock::default()), AtomicU64::new(0));
    let at = |nanos| Some(Time::from_nanos(nanos));
    let config = Config::new(move |who, what, _| match (who, what) {
        (1, What::New) => vec![Act::Deadline(at(10 + broken.load(Ordering::Relaxed)))],
        (1, What::Due(_)) if broken.fetch_add(1, Ordering::Relaxed) == 0 => vec![Act::Panic("not now")],
        (1, What::Due(_)) => vec![Act::Deadline(None)],
        _ => Vec::new(),
    });
    let options = Options { clock: clock.clone(), ..patient() };
    let messenger = Timed::with_options(CircularBus::new(4096).unwrap(), restarting(options, "Alpha", budget()));
    let mut workers = messenger.workers(&config).unwrap();
    settle(&mut workers);
    for _ in 0..2 {
        clock.advance(BACKOFF);
        assert_eq!(settle(&mut workers), Step::Idle);
    }
    let dues = config.calls(1).into_iter().filter(|what| matches!(what, What::Due(_))).collect::<Vec<_>>();
    assert_eq!(dues, [What::Due(10), What::Due(11)]);
    messenger.stop();
    assert_eq!(settle(&mut workers), Step::Finished);
    assert_eq!(workers.conclude().unwrap().dead, 1);
}

#[test]
fn what_is_no_budget_is_refused() {
    let start = |options| {
        let messenger = Pair::with_options(CircularBus::new(4096).unwrap(), options);
        messenger.try_run(&Config::idle()).map(drop)
    };
    for budget in [Budget { restarts: 0, ..budget() }, Budget { within: Duration::ZERO, ..budget() }] {
        let own = restarting(patient(), "Alpha", budget);
        for options in [own, Options { on_panic: OnPanic::Restart(budget), ..patient() }] {
            let error = start(options).unwrap_err();
            assert!(matches!(error, StartError::Budget { worker: "Alpha", .. }), "{error}");
        }
    }
    let error = start(restarting(patient(), "Omega", budget())).unwrap_err();
    assert!(matches!(error, StartError::UnknownWorker { worker: "Omega", .. }), "{error}");
    assert_eq!(error.to_string(), "the table has no worker Omega; it has Alpha");
    start(restarting(patient(), "Alpha", Budget { attempts: 0, backoff: Duration::ZERO, ..budget() })).unwrap();
}

// ------------------------------------------------------------------------------------------------------ on real tables

/// What the handlers below have seen.
#[derive(Clone, Default)]
struct Office {
    letters: Arc<Mutex<Vec<DeadLetter>>>,
    sums: Arc<[AtomicU64; 3]>,
    panics: u64,
}

/// Adds up what it gets, and fails now and then.
struct Adder<const ID: u16>(Office);

impl<const ID: u16> Handler for Adder<ID> {
    type Id = u16;
    const ID: u16 = ID;
}

impl<const ID: u16> New<Office> for Adder<ID> {
    fn new<W: Writer>(office: &Office, _: &W) -> Self {
        Adder(office.clone())
    }
}

impl<const ID: u16> TryHandle<Num> for Adder<ID> {
    type Error = &'static str;

    fn try_handle<W: Writer>(&mut self, message: &Num, _: &W) -> Result<(), &'static str> {
        // Every other one is an error.
        match message.number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32 {
            chance if ID == 2 && chance.is_multiple_of(self.0.panics) && (chance / self.0.panics).is_multiple_of(2) => {
                quiet_panic("an even one")
            }
            chance if ID == 2 && chance.is_multiple_of(self.0.panics) => Err("an odd one"),
            _ => {
                self.0.sums[usize::from(ID) - 1].fetch_add(message.number, Ordering::Relaxed);
                Ok(())
            }
        }
    }
}

struct Clerk(Office);
handler!(Clerk, 7);

impl New<Office> for Clerk {
    fn new<W: Writer>(office: &Office, _: &W) -> Self {
        Clerk(office.clone())
    }
}

impl Handle<DeadLetter> for Clerk {
    fn handle<W: Writer>(&mut self, letter: &DeadLetter, _: &W) {
        let mut letters = self.0.letters.lock().unwrap();
        letters.push(letter.clone());
        if letter.position == u64::MAX {
            drop(letters);
            quiet_panic("no more of these");
        }
    }
}

Messenger! {
    type Offices;
    Office,
    Front:
        handlers: [ adder: Adder<1> ]
        routes: [ Outside, Num: [ adder ] ]
    Middle:
        handlers: [ adder: Adder<2>, last: Adder<3> ]
        routes: [ Outside, Num: [ adder, last ] ]
    Back:
        handlers: [ clerk: Clerk ]
        routes: [ Supervisor, DeadLetter: [ clerk ] ]
}

/// One of many messages breaks a worker, again and again. Each one is handled to the end once, or dead once.
fn sums_are_right<B: MessageBus>(bus: B) {
    let told = std::env::var("RESTART_MESSAGES").ok().map(|count| count.parse().expect("a number"));
    let (count, panics) = if cfg!(miri) { (60, 10) } else { (told.unwrap_or(50_000), 1000) };
    let office = Office { panics, ..Office::default() };
    let budget = Budget { restarts: u32::MAX, backoff: Duration::ZERO, ..budget() };
    let messenger = Offices::with_options(bus, restarting(patient(), "Middle", budget));
    let handles = messenger.run(&office);
    let writer = messenger.writer().unwrap();
    let numbers = || (1..=count).filter(|&number| number != POISON);
    numbers().for_each(|number| write(&writer, number).unwrap());
    let broken = |number: &u64| (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32).is_multiple_of(panics);
    let (all, lost) = (numbers().sum::<u64>(), numbers().filter(broken).sum::<u64>());
    let dead = numbers().filter(broken).count() as u64;
    // Those that are written after the drain's end are nobody's.
    wait_until("all letters are read", || office.letters.lock().unwrap().len() as u64 == dead);
    messenger.stop();
    let summary = handles.join().unwrap();

    assert!(dead > 1, "no proof of anything");
    let sums = office.sums.each_ref().map(|sum| sum.load(Ordering::Relaxed));
    assert_eq!(sums, [all, all - lost, all - lost]);
    assert_eq!((summary.restarts, summary.dead), (dead, dead));
    let letters = office.letters.lock().unwrap();
    assert_eq!((letters.len() as u64, summary.after_stop), (dead, 0));
    assert!(letters.is_sorted_by_key(|letter| letter.position));
    assert!(letters.iter().any(|letter| letter.text == "an even one"));
    assert!(letters.iter().any(|letter| letter.text == "an odd one"));
    assert!(letters.iter().all(|letter| letter.handler == "adder" && letter.unreached == ["last"]));
}

#[test]
fn sums_are_right_on_the_ring() {
    within("sums are right on the ring", || sums_are_right(CircularBus::new(64 * 1024).unwrap()));
}

#[test]
#[cfg_attr(miri, ignore = "minutes: how it waits is seen in the contract, and the rest on the ring")]
fn sums_are_right_on_a_condvar() {
    within("sums are right on a condvar", || sums_are_right(CondvarBus::new(CircularBus::new(64 * 1024).unwrap())));
}

/// Changes before it breaks, so that a restart has something to undo.
struct Ledger {
    office: Office,
    sum: u64,
}
handler!(Ledger, 4);

impl New<Office> for Ledger {
    fn new<W: Writer>(office: &Office, _: &W) -> Self {
        Ledger { office: office.clone(), sum: 0 }
    }
}

impl Handle<Num> for Ledger {
    fn handle<W: Writer>(&mut self, message: &Num, _: &W) {
        self.sum += message.number;
        if message.number.is_multiple_of(self.office.panics) {
            quiet_panic("one of many");
        }
        self.office.sums[0].store(self.sum, Ordering::Relaxed);
        self.office.sums[1].store(message.number, Ordering::Relaxed);
    }
}

Messenger! {
    type Ledgers;
    Office,
    Middle:
        handlers: [ ledger: Ledger ]
        routes: [ Outside, Num: [ ledger ] ]
    Back:
        handlers: [ clerk: Clerk ]
        routes: [ Supervisor, DeadLetter: [ clerk ] ]
}

/// On a journal each restart goes through all of it, while others write to it and read from it.
#[test]
#[cfg(unix)]
fn sums_are_right_on_a_journal_in_memory() {
    within("sums are right on a journal", || {
        let (count, panics) = if cfg!(miri) { (25, 8) } else { (1025, 64) };
        let office = Office { panics, ..Office::default() };
        let options = PersistentOptions { capacity: 1 << 18, step: 4096, max_payload: 1024, ..Default::default() };
        let bus = PersistentBus::in_memory(options.table(Ledgers::table())).unwrap();
        let budget = Budget { restarts: u32::MAX, backoff: Duration::ZERO, ..budget() };
        let messenger = Ledgers::with_options(bus, restarting(patient(), "Middle", budget));
        let handles = messenger.run(&office);
        let writer = messenger.writer().unwrap();
        (1..=count).for_each(|number| write(&writer, number).unwrap());
        let dead = count / panics;
        let is_done = || office.letters.lock().unwrap().len() as u64 == dead;
        wait_until("all letters are read", is_done);
        // The last one breaks nobody.
        wait_until("all is handled", || office.sums[1].load(Ordering::Relaxed) == count);
        messenger.stop();
        let summary = handles.join().unwrap();
        let sum = (1..=count).filter(|number| !number.is_multiple_of(panics)).sum::<u64>();
        assert_eq!(office.sums[0].load(Ordering::Relaxed), sum);
        assert_eq!((summary.restarts, summary.dead), (2 * dead, dead), "each is tried once more");
        assert!(office.letters.lock().unwrap().iter().all(|letter| letter.handler == "ledger" && letter.attempts == 2));
    });
}

/// A letter about a letter would have another one follow it, and so on.
#[test]
fn a_letter_about_a_letter_is_a_report() {
    let (office, reports) = (Office { panics: u64::MAX, ..Office::default() }, Arc::default());
    let options = restarting(gathering(&reports), "Back", Budget { backoff: Duration::ZERO, ..budget() });
    let messenger = Offices::with_options(CircularBus::new(4096).unwrap(), options);
    let (mut tap, mut workers) = (messenger.tap().unwrap(), messenger.workers(&office).unwrap());
    let writer = messenger.writer().unwrap();
    Supervisor::send(&DeadLetter { position: u64::MAX, ..DeadLetter::default() }, &writer);
    assert_eq!(settle(&mut workers), Step::Idle);
    assert_eq!(letters(&mut tap).len(), 1, "the one that was written");
    messenger.stop();
    assert_eq!(settle(&mut workers), Step::Finished);
    let summary = workers.conclude().unwrap();
    assert_eq!((summary.restarts, summary.dead), (1, 1));
    assert_eq!(reports.lock().unwrap().iter().filter(|report| report.starts_with("Dead")).count(), 1);
}
