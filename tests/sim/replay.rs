//! A recorded journal as a test: handled again by all workers, and its inputs played in other schedules.

use super::system::{Back, Bug, Config, Market};
use rust_messenger::message_bus::{Entry, Journal, JournalError, Start};
use rust_messenger::messenger::Step;
use rust_messenger::prelude::*;
use rust_messenger::testing::{Faults, ReplayError, Sim, replay};
use rust_messenger::traits::{DeadLetter, Divergence, MessageBus, Poller, Supervisor};
use rust_messenger::{Message, PersistentBus, PersistentOptions};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Number(u64);
serde_message!(Number, 1);

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Twice(u64);
serde_message!(Twice, 2);

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Sum(u64);
serde_message!(Sum, 3);

/// From which number on a handler is wrong, and whether one panics.
#[derive(Clone, Copy)]
struct Wrong {
    doubler: u64,
    adder: u64,
    panics: u64,
}

const RIGHT: Wrong = Wrong { doubler: u64::MAX, adder: u64::MAX, panics: u64::MAX };

struct Gate;
handler!(Gate, 1);

struct Doubler(Wrong);
handler!(Doubler, 2);

impl New<Wrong> for Doubler {
    fn new<W: Writer>(wrong: &Wrong, _: &W) -> Doubler {
        Doubler(*wrong)
    }
}

impl Handle<Number> for Doubler {
    fn handle<W: Writer>(&mut self, number: &Number, writer: &W) {
        assert!(number.0 < self.0.panics, "{} is too much", number.0);
        Self::send(&Twice(2 * number.0 + u64::from(number.0 >= self.0.doubler)), writer);
    }
}

/// Adds what comes twice.
struct Adder {
    wrong: Wrong,
    numbers: u64,
    sum: u64,
}
handler!(Adder, 3);

impl New<Wrong> for Adder {
    fn new<W: Writer>(wrong: &Wrong, _: &W) -> Adder {
        Adder { wrong: *wrong, numbers: 0, sum: 0 }
    }
}

impl Handle<Twice> for Adder {
    fn handle<W: Writer>(&mut self, twice: &Twice, writer: &W) {
        // The time, too, is what it was.
        self.sum = self.sum.wrapping_mul(3).wrapping_add(twice.0 ^ writer.now().as_nanos());
        if self.numbers != self.wrong.adder {
            Self::send(&Sum(self.sum), writer);
        }
        self.numbers += 1;
    }
}

Messenger! {
    type Sums;
    Wrong,
    Left: handlers: [ doubler: Doubler ] routes: [ Gate, Number: [ doubler ] ]
    Right: handlers: [ #[allow(unrouted)] adder: Adder ] routes: [ Doubler, Twice: [ adder ] ]
}

const NUMBERS: u64 = 20;

/// A journal of a table that is right, and where each of its numbers stands.
fn recorded(path: &Path) -> Vec<u64> {
    let small = PersistentOptions { capacity: 1 << 20, max_payload: 1024, step: 64 << 10, ..Default::default() };
    let options = PersistentOptions { start: Start::Resume, ..small }.table(Sums::table());
    let (bus, _) = PersistentBus::open(path, options).unwrap();
    let sums = Sums::new(bus);
    let mut workers = sums.workers(&RIGHT).unwrap();
    let outside = sums.writer().unwrap();
    let mut positions = Vec::new();
    for n in 0..NUMBERS {
        Gate::try_send(&Number(n), &outside).unwrap();
        while workers.step() == Step::Worked {}
    }
    let journal = Journal::open(path).unwrap();
    let mut entries = journal.entries();
    while let Some(entry) = entries.next().unwrap() {
        if let Entry::Message { header, .. } = entry {
            positions.extend((header.message == Number::ID).then_some(header.position));
        }
    }
    positions
}

fn difference(path: &Path, wrong: Wrong) -> Divergence {
    match replay::<Sums, _>(path, &wrong) {
        Err(ReplayError::Diverged(difference)) => *difference,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_journal_is_handled_again_and_the_first_difference_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sums.journal");
    let numbers = recorded(&path);
    let bytes = fs::read(&path).unwrap();
    for _ in 0..2 {
        assert_eq!(replay::<Sums, _>(&path, &RIGHT).unwrap().undecodable, 0);
    }
    // Whoever is wrong first is named, in whichever worker, and however many are wrong.
    let doubler = difference(&path, Wrong { doubler: 7, adder: 9, ..RIGHT });
    assert_eq!((doubler.position, &*doubler.handler), (numbers[7], "Doubler"));
    assert_ne!((doubler.expected, doubler.actual.clone()), (doubler.actual, None));
    let adder = difference(&path, Wrong { doubler: 9, adder: 7, ..RIGHT });
    assert_eq!((&*adder.handler, adder.actual.is_none()), ("Adder", true));
    assert!(numbers[7] < adder.position && adder.position < numbers[8]);
    let last = difference(&path, Wrong { adder: NUMBERS - 1, ..RIGHT });
    assert!(last.position > numbers[19], "the last message counts, too");
    assert!(fs::read(&path).unwrap() == bytes, "the file is as it was");
    assert_eq!(directory.path().read_dir().unwrap().count(), 1, "nothing else is there");
}

#[test]
fn what_is_no_replay_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sums.journal");
    let numbers = recorded(&path);
    let other = replay::<Market, _>(&path, &Config::with(Bug::None));
    let Err(error @ ReplayError::OtherTable { .. }) = other else { panic!("{other:?}") };
    let text = error.to_string();
    assert!(text.contains("table Sums") && text.contains("Market") && text.contains("sums.journal"), "{text}");
    let panicked = replay::<Sums, _>(&path, &Wrong { panics: 3, ..RIGHT });
    let Err(ReplayError::Failed(error)) = panicked else { panic!("{panicked:?}") };
    assert!(error.to_string().contains("doubler panicked") && error.to_string().contains("3 is too much"), "{error}");
    let missing = replay::<Sums, _>(directory.path().join("none"), &RIGHT);
    assert!(matches!(missing, Err(ReplayError::Journal(JournalError::Io { .. }))), "{missing:?}");
    let mut damaged = fs::read(&path).unwrap();
    damaged[numbers[3] as usize + 16] ^= 1;
    fs::write(&path, damaged).unwrap();
    let damaged = replay::<Sums, _>(&path, &RIGHT);
    assert!(matches!(damaged, Err(ReplayError::Journal(JournalError::Damaged { .. }))), "{damaged:?}");
}

#[derive(Debug)]
struct Bed;

impl Poller for Bed {
    fn wait(&self, _: Option<Duration>) {}
    fn notify(&self) {}
}

/// It has the id and the name of a handler in the journal, and waits for the world.
mod bridged {
    use super::*;

    pub struct Doubler;

    impl Handler for Doubler {
        type Id = u16;
        const ID: u16 = 2;

        fn on_start<W: Writer>(&mut self, _: &W) {
            unreachable!("it would listen");
        }

        fn poller(&self) -> Option<Arc<dyn Poller>> {
            Some(Arc::new(Bed))
        }
    }

    impl New<()> for Doubler {
        fn new<W: Writer>(_: &(), _: &W) -> Doubler {
            Doubler
        }
    }

    Messenger! {
        type Bridged;
        (),
        Left: handlers: [ #[allow(unrouted)] doubler: Doubler ] routes: []
    }
}

#[test]
fn a_handler_that_waits_in_a_poller_is_refused_by_a_replay() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sums.journal");
    recorded(&path);
    let refused = replay::<bridged::Bridged, _>(&path, &());
    let waits = matches!(refused, Err(ReplayError::Waits { worker: "Left", handler: "doubler" }));
    assert!(waits, "{refused:?}");
}

#[test]
fn what_came_from_outside_is_played_in_other_schedules() {
    const LIVES: u64 = 20;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sums.journal");
    let dead = recorded(&path)[7];
    let (bus, _) = PersistentBus::open(&path, PersistentOptions::default().table(Sums::table())).unwrap();
    Supervisor::try_send(&DeadLetter { position: dead, ..DeadLetter::default() }, &bus.writer().unwrap()).unwrap();
    bus.requeue(dead).unwrap();
    drop(bus);
    let orders = Arc::new(Mutex::new(BTreeSet::new()));
    let seen_orders = Arc::clone(&orders);
    Sim::new(|| CircularBus::new(4096))
        .recorded(&path)
        .unwrap()
        .node("sums", Sums::with_options, RIGHT)
        .faults(Faults { full: 0.1, ..Faults::default() })
        .law("numbers come from outside, in their order", 0, |next, seen| {
            let Some(Number(n)) = seen.written::<Number>() else { return Ok(()) };
            *next += 1;
            if (n + 1, seen.node) == (*next, "") { Ok(()) } else { Err(format!("{n} of {} is {next}.", seen.node)) }
        })
        .law("nobody is dead here", (), |(), seen| match seen.written::<DeadLetter>() {
            None => Ok(()),
            Some(letter) => Err(format!("{letter:?}")),
        })
        .at_end("only handlers write what handlers wrote", move |seen| {
            let written: Vec<u16> = seen
                .iter()
                .filter(|seen| seen.written::<Number>().is_some() || seen.written::<Twice>().is_some())
                .map(|seen| seen.header.message)
                .collect();
            let numbers = written.iter().filter(|message| **message == Number::ID).count();
            let is_all = (numbers, written.len() - numbers) == (NUMBERS as usize, NUMBERS as usize);
            seen_orders.lock().unwrap().insert(written);
            if is_all { Ok(()) } else { Err(format!("{numbers} numbers")) }
        })
        .seeds(LIVES)
        .run();
    let orders = orders.lock().unwrap().len();
    assert!(orders > LIVES as usize / 2, "{orders} different orders in {LIVES} lives");
}

/// Its ids are the same, and its types have other names.
#[test]
fn a_journal_of_another_system_has_no_inputs() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sums.journal");
    recorded(&path);
    let ring = || Sim::new(|| CircularBus::new(4096));
    let config = Config::with(Bug::None);
    let finding = ring().node("back", Back::with_options, config).recorded(&path).unwrap().try_run().unwrap_err();
    let text = finding.to_string();
    assert!(text.contains("sums.journal: nothing that came from outside is for a node"), "{text}");
    let missing = ring().recorded(directory.path().join("none"));
    assert!(matches!(missing, Err(JournalError::Io { .. })), "{missing:?}");
}
