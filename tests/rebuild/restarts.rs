//! Workers of a journal that are restarted: their handlers come back to where they were, whatever broke them.
//!
//! Five handlers send to each other and panic by a seed, some of them each time, others once. They are stepped by hand,
//! on a journal in memory, so that a kill is an image of it between two steps.

use super::support::{mix, settle};
use super::{Input, Outside};
use rust_messenger::message_bus::{PersistentBus, PersistentOptions, Retention, Start};
use rust_messenger::messenger::{Budget, Cause, OnPanic, Options, StartError, Step, Summary};
use rust_messenger::traits::{
    CursorError, DeadLetter, DecodeError, DeserializeFrom, EncodeError, Every, ExtendedMessage, Handle, Handler,
    Message, MessageBus, New, ReadError, Reader, Report, RequeueError, Sender, Snapshot, SubscribeError, Supervisor,
    Writer,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

number_message!(Passed, 11);

/// What breaks handlers, and what they have come to.
#[derive(Clone, Default)]
struct Plan {
    seed: u64,
    /// One of so many messages breaks a handler each time, and one of so many once.
    rare: u64,
    /// Whether nothing breaks anybody any more.
    cured: Arc<AtomicBool>,
    /// Whether no snapshot is good enough.
    refuses: Arc<AtomicBool>,
    /// What has broken somebody once.
    broken: Arc<Mutex<BTreeSet<(u16, u64)>>>,
    /// The states of the handlers.
    states: Arc<Mutex<BTreeMap<u16, Vec<u64>>>>,
    /// What was handled to the end, by whom, each time.
    handled: Arc<Mutex<Vec<(u16, u64)>>>,
}

impl Plan {
    /// After how many sends the handler breaks at this number, if it does.
    fn breaks(&self, who: u16, number: u64) -> Option<u64> {
        if self.cured.load(Ordering::Relaxed) {
            return None;
        }
        let chance = mix(self.seed ^ number ^ u64::from(who) << 48);
        let always = chance.is_multiple_of(self.rare);
        let once = chance % self.rare == 1 && self.broken.lock().unwrap().insert((who, number));
        (always || once).then_some((chance >> 32) % 3)
    }
}

/// Sends two messages for each that it gets, and keeps all that it got.
struct Node<const ID: u16> {
    plan: Plan,
    state: Vec<u64>,
}

impl<const ID: u16> Handler for Node<ID> {
    type Id = u16;
    const ID: u16 = ID;

    fn on_start<W: Writer>(&mut self, writer: &W) {
        Self::send(&Passed(u64::from(ID)), writer);
    }

    fn snapshot(&mut self) -> Option<&mut dyn Snapshot> {
        Some(self)
    }
}

impl<const ID: u16> Snapshot for Node<ID> {
    fn version(&self) -> u32 {
        1
    }

    fn save(&mut self, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        bytes.extend(self.state.iter().flat_map(|number| number.to_le_bytes()));
        Ok(())
    }

    fn load(&mut self, _: u32, bytes: &[u8]) -> Result<(), DecodeError> {
        if self.plan.refuses.load(Ordering::Relaxed) {
            return Err(DecodeError::new("not good enough"));
        }
        let numbers = bytes.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
        self.state = numbers.collect();
        self.plan.states.lock().unwrap().insert(ID, self.state.clone());
        Ok(())
    }
}

impl<const ID: u16> New<Plan> for Node<ID> {
    fn new<W: Writer>(plan: &Plan, _: &W) -> Self {
        plan.states.lock().unwrap().insert(ID, Vec::new());
        Node { plan: plan.clone(), state: Vec::new() }
    }
}

impl<const ID: u16> Node<ID> {
    fn take<W: Writer>(&mut self, number: u64, writer: &W) {
        // Before anything else, so that a restart has something to undo.
        self.state.push(number);
        let breaks = self.plan.breaks(ID, number);
        for sent in 0..3 {
            if breaks == Some(sent) {
                resume_unwind(Box::new(format!("node {ID} breaks at {number} after {sent}")));
            }
            if sent < 2 {
                Self::send(&Passed(mix(number ^ mix(u64::from(ID) << 8 | sent)) ^ self.state.len() as u64), writer);
            }
        }
        self.plan.handled.lock().unwrap().push((ID, number));
        self.plan.states.lock().unwrap().insert(ID, self.state.clone());
    }
}

impl<const ID: u16> Handle<Input> for Node<ID> {
    fn handle<W: Writer>(&mut self, input: &Input, writer: &W) {
        self.take(input.0, writer);
    }
}

impl<const ID: u16> Handle<Passed> for Node<ID> {
    fn handle<W: Writer>(&mut self, passed: &Passed, writer: &W) {
        self.take(passed.0, writer);
    }
}

rust_messenger::Messenger! {
    type Five;
    Plan,
    Work:
        handlers: [
            one: Node<21>, two: Node<22>, three: Node<23>, #[allow(unrouted)] four: Node<24>,
            #[allow(unrouted)] five: Node<25>,
        ]
        routes: [
            Outside, Input: [ one, two ],
            Node<21>, Passed: [ three ],
            Node<22>, Passed: [ four, five ],
        ]
}

/// What is dead for the second one was sent by the first one.
mod two {
    use super::{Node, Outside, Passed, Plan};
    use crate::Input;

    rust_messenger::Messenger! {
        Plan,
        First:
            handlers: [ one: Node<21> ]
            routes: [ Outside, Input: [ one ] ]
        Second:
            handlers: [ #[allow(unrouted)] two: Node<22> ]
            routes: [ Node<21>, Passed: [ two ] ]
    }
}

mod unknown {
    use super::{Node, Outside, Plan};
    use crate::Input;

    rust_messenger::Messenger! {
        Plan,
        Work:
            handlers: [ one: Node<21> ]
            routes: [ Outside, Input: [ one ] ]
        Again:
            handlers: [ one: Node<21> ]
            routes: [ Outside, Input: [ one ] ]
    }
}

fn journal(start: Start) -> PersistentOptions {
    let options = PersistentOptions { step: 64 * 1024, capacity: 1 << 18, max_payload: 1024, ..Default::default() };
    PersistentOptions { start, ..options }.table(Five::table())
}

pub fn budget(attempts: u32) -> OnPanic {
    let forever = Budget { restarts: u32::MAX, attempts, backoff: Duration::ZERO, ..Budget::default() };
    OnPanic::Restart(forever)
}

/// A journal's messages: source, id, bytes.
fn content(bus: &PersistentBus) -> Vec<(u64, u16, u16, Vec<u8>)> {
    let mut reader = bus.subscribe_held("content", None).unwrap();
    let mut content = Vec::new();
    loop {
        let read = reader.try_read(|header, bytes| (header.position, header.source, header.message, bytes.to_vec()));
        match read {
            Ok(message) => content.push(message),
            Err(ReadError::Empty) => break,
            Err(error) => panic!("{error}"),
        }
    }
    drop(reader);
    assert!(bus.remove_cursor("content"));
    content
}

fn letters(content: &[(u64, u16, u16, Vec<u8>)]) -> Vec<DeadLetter> {
    let letters =
        content.iter().filter(|(_, source, message, _)| (*source, *message) == (Supervisor::ID, DeadLetter::ID));
    letters.map(|(.., bytes)| DeadLetter::try_deserialize_from(bytes).unwrap()).collect()
}

/// What a journal holds is what handlers come to that are rebuilt from it, and nothing is sent twice.
#[track_caller]
fn is_whole(image: Vec<u8>, plan: &Plan, why: &str) {
    is_whole_with(image.clone(), plan, budget(1), why);
    is_whole_with(image, plan, OnPanic::StopAll, why);
}

#[track_caller]
fn is_whole_with(image: Vec<u8>, plan: &Plan, on_panic: OnPanic, why: &str) {
    let (bus, _) = PersistentBus::from_image(image, journal(Start::Rebuild)).unwrap();
    let before = content(&bus);
    let states = plan.states.lock().unwrap().clone();
    let messenger = Five::with_options(bus.clone(), Options { on_panic, ..Options::default() });
    let mut workers = messenger.workers(plan).unwrap();
    assert_eq!(settle(&mut workers), Step::Idle, "{why}");
    let summary = workers.conclude().unwrap_or_else(|error| panic!("{why}: {error}"));
    assert_eq!((summary.restarts, summary.dead), (0, 0), "{why}: what is dead is not handled again");
    assert_eq!(content(&bus), before, "{why}: it sent something once more");
    assert_eq!(*plan.states.lock().unwrap(), states, "{why}: a rebuild from zero comes to something else");
    let dead = letters(&before).into_iter().map(|letter| letter.position).collect::<Vec<_>>();
    assert_eq!(dead.iter().collect::<BTreeSet<_>>().len(), dead.len(), "{why}: dead twice");
}

/// What there is to be seen of restarts that begin with a snapshot.
#[derive(Default)]
struct Kept {
    /// The positions of what is dead in one journal.
    dead: Vec<u64>,
    /// How often a worker began with a snapshot, and how often something behind that was dead by then.
    loads: u64,
    loads_before_dead: u64,
}

impl Kept {
    fn see(&mut self, report: &Report) {
        match report {
            Report::Dead { letter } => self.dead.push(letter.position),
            Report::Rebuilding { snapshot: Some(position), skipped, .. } => {
                assert!(skipped.is_empty(), "{skipped:?}");
                self.loads += 1;
                self.loads_before_dead += u64::from(self.dead.iter().any(|dead| dead >= position));
            }
            _ => {}
        }
    }
}

/// One life of a worker with these inputs. Whether it stops, if it ends well: then it is kept once more.
fn live(
    bus: &PersistentBus,
    plan: &Plan,
    seed: u64,
    inputs: Range<u64>,
    stops: bool,
    kept: &Arc<Mutex<Kept>>,
) -> Summary {
    let seen = Arc::clone(kept);
    let on_report = move |report: &Report| seen.lock().unwrap().see(report);
    let on_panic = budget((seed % 3) as u32);
    let options = Options { on_panic, on_report: Some(Arc::new(on_report)), ..Options::default() };
    let messenger = Five::with_options(bus.clone(), options);
    let mut workers = messenger.workers(plan).unwrap();
    let outside = messenger.writer().unwrap();
    for input in inputs {
        Outside::try_send(&Input(mix(seed << 8 | input)), &outside).unwrap();
        for worker in workers.iter_mut() {
            worker.step_up_to((mix(seed ^ input) % 4) as usize + 1);
        }
    }
    assert_eq!(settle(&mut workers), Step::Idle, "seed {seed}");
    if stops {
        messenger.stop();
        assert_eq!(settle(&mut workers), Step::Finished, "seed {seed}");
    }
    workers.conclude().unwrap_or_else(|error| panic!("seed {seed}: {error}"))
}

/// One of eight tables stands on a disk, has two lives, and begins with what was kept: the second time, and whenever it
/// is restarted.
#[test]
fn the_state_after_restarts_is_that_of_a_rebuild_from_zero() {
    let (mut restarts, mut dead) = (0, 0);
    let (in_memory, on_disk) = (Arc::default(), Arc::<Mutex<Kept>>::default());
    for seed in 0..1000 {
        let plan = Plan { seed: mix(seed), rare: 8 + seed % 40, ..Plan::default() };
        let mut add = |summary: Summary| (restarts, dead) = (restarts + summary.restarts, dead + summary.dead);
        let image = if seed % 8 == 7 {
            let (_directory, path) = super::scratch();
            on_disk.lock().unwrap().dead.clear();
            let open = || {
                let snapshots = vec![("Work", Every::Messages(5))];
                let options = PersistentOptions { snapshots, ..journal(Start::Rebuild) };
                PersistentBus::open(&path, options).unwrap().0
            };
            // Half of the first lives are cut short.
            add(live(&open(), &plan, seed, 0..6, seed % 16 == 7, &on_disk));
            let bus = open();
            add(live(&bus, &plan, seed, 6..12, false, &on_disk));
            bus.image()
        } else {
            let start = if seed % 2 == 0 { Start::Rebuild } else { Start::Latest };
            let bus = PersistentBus::in_memory(journal(start)).unwrap();
            add(live(&bus, &plan, seed, 0..12, false, &in_memory));
            bus.image()
        };
        is_whole(image, &plan, &format!("seed {seed}"));
    }
    assert!(restarts > 3000 && dead > 1000, "{restarts} restarts, {dead} dead: no proof of anything");
    let Kept { loads, loads_before_dead, .. } = *on_disk.lock().unwrap();
    assert!(loads > 300 && loads_before_dead > 100, "{loads} loads, {loads_before_dead} of them before a dead message");
    assert_eq!(in_memory.lock().unwrap().loads, 0);
}

/// Killed between any two steps, and each time once more: the next life goes on.
#[test]
fn whenever_it_is_killed_the_next_life_goes_on() {
    for seed in 0..20 {
        let plan = Plan { seed: mix(seed), rare: 6, ..Plan::default() };
        let mut image = None;
        for life in 0..40 {
            let options = journal(Start::Rebuild);
            let bus = match image.take() {
                None => PersistentBus::in_memory(options).unwrap(),
                Some(image) => PersistentBus::from_image(image, options).unwrap().0,
            };
            let messenger = Five::with_options(bus.clone(), Options { on_panic: budget(1), ..Options::default() });
            let mut workers = messenger.workers(&plan).unwrap();
            Outside::try_send(&Input(mix(seed << 8 | life)), &messenger.writer().unwrap()).unwrap();
            for _ in 0..mix(seed ^ life) % 12 {
                for worker in workers.iter_mut() {
                    worker.step_up_to(1);
                }
            }
            if life == 39 {
                assert_eq!(settle(&mut workers), Step::Idle);
            }
            image = Some(bus.image());
            let ended = workers.conclude();
            assert!(ended.is_ok(), "seed {seed}, life {life}: {}", ended.unwrap_err());
        }
        is_whole(image.unwrap(), &plan, &format!("seed {seed}"));
    }
}

/// What was dead comes again when its handlers are cured: to each of its receivers, and in each rebuild.
#[test]
fn what_comes_again_is_handled_and_rebuilt() {
    let mut requeued = BTreeMap::<u16, usize>::new();
    for seed in 0..100 {
        let plan = Plan { seed: mix(seed), rare: 8, ..Plan::default() };
        let bus = PersistentBus::in_memory(journal(Start::Latest)).unwrap();
        let messenger = Five::with_options(bus.clone(), Options { on_panic: budget(1), ..Options::default() });
        let mut workers = messenger.workers(&plan).unwrap();
        let outside = messenger.writer().unwrap();
        (0..12).for_each(|input| Outside::try_send(&Input(mix(seed << 8 | input)), &outside).unwrap());
        assert_eq!(settle(&mut workers), Step::Idle, "seed {seed}");
        let before = content(&bus);
        plan.cured.store(true, Ordering::Relaxed);
        for letter in letters(&before) {
            let (_, source, _, bytes) = before.iter().find(|(position, ..)| *position == letter.position).unwrap();
            let (at, handled) = (bus.tail(), plan.handled.lock().unwrap().len());
            messenger.requeue(letter.position).unwrap();
            assert_eq!(messenger.requeue(letter.position), Err(RequeueError::AlreadyRequeued { at }));
            assert_eq!(settle(&mut workers), Step::Idle, "seed {seed}");
            let receivers = match *source {
                Outside::ID => &[21, 22][..],
                21 => &[23],
                22 => &[24, 25],
                _ => panic!("nobody receives from {source}"),
            };
            let number = u64::from_le_bytes(bytes[..].try_into().unwrap());
            let expected = receivers.iter().map(|&who| (who, number)).collect::<Vec<_>>();
            assert_eq!(plan.handled.lock().unwrap()[handled..][..expected.len()], expected, "seed {seed}");
            *requeued.entry(*source).or_default() += 1;
        }
        let image = bus.image();
        workers.conclude().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        is_whole(image, &plan, &format!("seed {seed}"));
    }
    assert!(requeued.len() == 3 && requeued.values().all(|&count| count > 50), "{requeued:?}: no proof of anything");
}

/// Who had sent what comes again has not sent it a second time.
#[test]
fn what_comes_again_was_sent_once() {
    let mut requeued = 0;
    for seed in 0..20 {
        let plan = Plan { seed: mix(seed), rare: 8, ..Plan::default() };
        let options = PersistentOptions { table: None, ..journal(Start::Rebuild) }.table(two::Messenger::table());
        let bus = PersistentBus::in_memory(options.clone()).unwrap();
        let run = |bus: PersistentBus| {
            let messenger = two::Messenger::with_options(bus, Options { on_panic: budget(0), ..Options::default() });
            let workers = messenger.workers(&plan).unwrap();
            (messenger, workers)
        };
        let (messenger, mut workers) = run(bus.clone());
        let outside = messenger.writer().unwrap();
        (0..12).for_each(|input| Outside::try_send(&Input(mix(seed << 8 | input)), &outside).unwrap());
        assert_eq!(settle(&mut workers), Step::Idle, "seed {seed}");
        plan.cured.store(true, Ordering::Relaxed);
        for letter in letters(&content(&bus)).iter().filter(|letter| letter.source == 21) {
            messenger.requeue(letter.position).unwrap();
            requeued += 1;
        }
        assert_eq!(settle(&mut workers), Step::Idle, "seed {seed}");
        let (image, before, states) = (bus.image(), content(&bus), plan.states.lock().unwrap().clone());
        workers.conclude().unwrap_or_else(|error| panic!("seed {seed}: {error}"));

        let (bus, _) = PersistentBus::from_image(image, options).unwrap();
        let (_, mut workers) = run(bus.clone());
        assert_eq!(settle(&mut workers), Step::Idle, "seed {seed}");
        workers.conclude().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!((content(&bus), plan.states.lock().unwrap().clone()), (before, states), "seed {seed}");
    }
    assert!(requeued > 20, "{requeued}: no proof of anything");
}

/// A worker that resumes: its letter is written, its cursor still stands before, and the process dies.
#[test]
fn a_message_is_dead_once_though_the_cursor_had_not_passed_it() {
    // Each message breaks somebody, each time.
    let plan = Plan { rare: 1, ..Plan::default() };
    let bus = PersistentBus::in_memory(journal(Start::Resume)).unwrap();
    let messenger = Five::with_options(bus.clone(), Options { on_panic: budget(0), ..Options::default() });
    let mut workers = messenger.workers(&plan).unwrap();
    let outside = messenger.writer().unwrap();
    (0..5).for_each(|input| Outside::try_send(&Input(input), &outside).unwrap());
    let mut between = 0;
    for _ in 0..60 {
        workers.step();
        let image = bus.image();
        let written = letters(&content(&bus)).len();
        let (next, _) = PersistentBus::from_image(image, journal(Start::Resume)).unwrap();
        let cursor = next.cursors()["Work"];
        between += u64::from(letters(&content(&next)).iter().any(|letter| letter.position >= cursor));
        let messenger = Five::with_options(next.clone(), Options { on_panic: budget(0), ..Options::default() });
        let mut workers = messenger.workers(&plan).unwrap();
        assert_eq!(settle(&mut workers), Step::Idle);
        let dead = letters(&content(&next)).into_iter().map(|letter| letter.position).collect::<Vec<_>>();
        assert_eq!(dead.iter().collect::<BTreeSet<_>>().len(), dead.len(), "dead twice, after {written} letters");
        let summary = workers.conclude().unwrap();
        assert_eq!(summary.dead as usize + written, dead.len());
    }
    assert!(between > 5, "a letter was written {between} times before the cursor had passed");
}

#[test]
fn a_message_is_tried_so_often_and_no_more() {
    for attempts in 0..4 {
        let plan = Plan { rare: 1, ..Plan::default() };
        let bus = PersistentBus::in_memory(journal(Start::Latest)).unwrap();
        let messenger = Five::with_options(bus.clone(), Options { on_panic: budget(attempts), ..Options::default() });
        let mut workers = messenger.workers(&plan).unwrap();
        let outside = messenger.writer().unwrap();
        Outside::try_send(&Input(7), &outside).unwrap();
        assert_eq!(settle(&mut workers), Step::Idle);
        let letters = letters(&content(&bus));
        let first = letters.iter().find(|letter| letter.source == Outside::ID).unwrap();
        assert_eq!((first.attempts, first.handler.as_str()), (attempts + 1, "one"));
        assert!(first.unreached.is_empty(), "nobody keeps anything of it");
        assert!(letters.iter().all(|letter| letter.attempts == attempts + 1));
        let summary = workers.conclude().unwrap();
        assert_eq!(summary.restarts, u64::from(attempts + 1) * letters.len() as u64);
    }
}

/// One of a thousand messages breaks the worker: each is handled to the end once, or dead once, in order.
#[test]
fn sums_are_right_on_a_journal() {
    let plan = Plan { seed: 1, rare: 1000, ..Plan::default() };
    let options = PersistentOptions { capacity: 1 << 24, ..journal(Start::Latest) };
    let bus = PersistentBus::in_memory(options).unwrap();
    let messenger = Five::with_options(bus.clone(), Options { on_panic: budget(1), ..Options::default() });
    let mut workers = messenger.workers(&plan).unwrap();
    let outside = messenger.writer().unwrap();
    (0..2000).for_each(|input| Outside::try_send(&Input(input), &outside).unwrap());
    assert_eq!(settle(&mut workers), Step::Idle);
    let image = bus.image();
    let dead = letters(&content(&bus)).into_iter().map(|letter| letter.position).collect::<BTreeSet<_>>();
    let expected = content(&bus).into_iter().filter(|(position, source, message, _)| {
        (*source, *message) == (Outside::ID, Input::ID) && !dead.contains(position)
    });
    let expected = expected.map(|(.., bytes)| u64::from_le_bytes(bytes.try_into().unwrap())).collect::<Vec<_>>();
    assert_eq!(plan.states.lock().unwrap()[&21], expected, "each once, in order");
    let summary = workers.conclude().unwrap();
    assert!(summary.restarts >= 8 && summary.dead >= 4, "{summary:?}");
    is_whole(image, &plan, "all of them");
}

#[test]
fn nobody_is_restarted_who_cannot_be_rebuilt() {
    let options = PersistentOptions { table: None, ..journal(Start::Latest) }.table(unknown::Messenger::table());
    let bus = PersistentBus::in_memory(options).unwrap();
    let messenger = unknown::Messenger::with_options(bus, Options { on_panic: budget(1), ..Options::default() });
    let error = messenger.workers(&Plan::default()).unwrap_err();
    let StartError::Subscribe { worker: "Work", error: SubscribeError::Journal(CursorError::NoSources) } = error else {
        panic!("{error}")
    };
}

/// Handlers that were loaded are loaded again.
#[test]
fn who_began_with_a_snapshot_begins_with_it_again() {
    let (_directory, path) = super::scratch();
    let snapshots = vec![("Work", Every::Messages(10))];
    let plan = Plan { seed: 3, rare: 12, ..Plan::default() };
    let (mut loaded, mut restarts) = (0, 0);
    for life in 0..6 {
        let options = PersistentOptions { snapshots: snapshots.clone(), ..journal(Start::Rebuild) };
        let (bus, _) = PersistentBus::open(&path, options).unwrap();
        let reports = Arc::new(Mutex::new(0));
        let count = Arc::clone(&reports);
        let on_report = move |report: &Report| {
            *count.lock().unwrap() += u64::from(matches!(report, Report::Rebuilding { snapshot: Some(_), .. }));
        };
        let options = Options { on_panic: budget(1), on_report: Some(Arc::new(on_report)), ..Options::default() };
        let messenger = Five::with_options(bus.clone(), options);
        let mut workers = messenger.workers(&plan).unwrap();
        let outside = messenger.writer().unwrap();
        (0..8).for_each(|input| Outside::try_send(&Input(mix(life << 8 | input)), &outside).unwrap());
        assert_eq!(settle(&mut workers), Step::Idle, "life {life}");
        let image = bus.image();
        messenger.stop();
        assert_eq!(settle(&mut workers), Step::Finished, "life {life}");
        restarts += workers.conclude().unwrap().restarts;
        loaded += *reports.lock().unwrap();
        is_whole(image, &plan, &format!("life {life}"));
    }
    assert!(restarts > 5 && loaded > 10, "{restarts} restarts, {loaded} loads");
}

/// Where no snapshot can be loaded, what was dead before them stays dead.
#[test]
fn what_was_dead_before_a_snapshot_stays_dead_without_it() {
    let plan = Plan { seed: 3, rare: 12, ..Plan::default() };
    let (_directory, path) = super::scratch();
    let mut dead = 0;
    for (on_panic, inputs) in [(budget(1), 40), (OnPanic::StopAll, 0)] {
        plan.refuses.store(inputs == 0, Ordering::Relaxed);
        let states = plan.states.lock().unwrap().clone();
        let snapshots = vec![("Work", Every::Messages(10))];
        let options = PersistentOptions { snapshots, ..journal(Start::Rebuild) };
        let (bus, _) = PersistentBus::open(&path, options).unwrap();
        let messenger = Five::with_options(bus.clone(), Options { on_panic, ..Options::default() });
        let mut workers = messenger.workers(&plan).unwrap();
        let outside = messenger.writer().unwrap();
        (0..inputs).for_each(|input| Outside::try_send(&Input(mix(input)), &outside).unwrap());
        assert_eq!(settle(&mut workers), Step::Idle);
        messenger.stop();
        assert_eq!(settle(&mut workers), Step::Finished);
        dead += workers.conclude().unwrap().dead;
        assert!(inputs != 0 || *plan.states.lock().unwrap() == states);
    }
    assert!(dead > 5, "{dead} dead: no proof of anything");
}

/// What opening has left out, and a snapshot stands for, is not searched for letters either: it may be damaged. Where
/// the snapshot cannot be loaded it is.
#[test]
fn what_is_dead_behind_where_a_worker_begins_stays_dead() {
    for is_damaged in [true, false] {
        let plan = Plan { seed: 3, rare: 12, ..Plan::default() };
        let (_directory, path) = super::scratch();
        let live = |inputs: std::ops::Range<u64>, ends_well: bool| {
            let every = Every::Messages(if ends_well { 10 } else { 1000 });
            let options = PersistentOptions { snapshots: vec![("Work", every)], ..journal(Start::Rebuild) };
            let (bus, _) = PersistentBus::open(&path, options).unwrap();
            let messenger = Five::with_options(bus.clone(), Options { on_panic: budget(1), ..Options::default() });
            let mut workers = messenger.workers(&plan).unwrap();
            let outside = messenger.writer().unwrap();
            inputs.for_each(|input| Outside::try_send(&Input(mix(input)), &outside).unwrap());
            assert_eq!(settle(&mut workers), Step::Idle);
            if !ends_well {
                return Summary::default();
            }
            messenger.stop();
            assert_eq!(settle(&mut workers), Step::Finished);
            workers.conclude().unwrap()
        };
        live(0..20, true);
        let (bus, _) = PersistentBus::open(&path, journal(Start::Oldest)).unwrap();
        let (first, snapshot) = (content(&bus)[0].0, bus.tail());
        drop(bus);
        live(20..60, false);
        if is_damaged {
            let mut bytes = std::fs::read(&path).unwrap();
            // The length of the first message.
            bytes[first as usize + 8] ^= 0x40;
            std::fs::write(&path, bytes).unwrap();
        }
        plan.refuses.store(!is_damaged, Ordering::Relaxed);
        let summary = live(60..100, true);
        let (bus, _) = PersistentBus::open(&path, journal(Start::Latest)).unwrap();
        let all = letters(&content(&bus)).into_iter().map(|letter| letter.position).collect::<Vec<_>>();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "dead twice");
        let behind = all.iter().filter(|position| **position > snapshot).count() as u64 - summary.dead;
        assert!(behind > 2 && summary.restarts > 2, "{behind} letters, {} restarts: no proof", summary.restarts);
    }
}

/// What a worker may have to handle again is no one's to forget.
#[test]
fn retention_keeps_what_a_worker_begins_again_with() {
    let plan = Plan { rare: u64::MAX, ..Plan::default() };
    let retention = Retention { size: Some(0), ..Retention::default() };
    let bus = PersistentBus::in_memory(PersistentOptions { retention, ..journal(Start::Latest) }).unwrap();
    let outside = bus.writer().unwrap();
    let write = || (0..100).for_each(|input| Outside::try_send(&Input(input), &outside).unwrap());
    write();
    let began = bus.tail();
    let messenger = Five::with_options(bus.clone(), Options { on_panic: budget(1), ..Options::default() });
    let mut workers = messenger.workers(&plan).unwrap();
    write();
    assert_eq!(settle(&mut workers), Step::Idle);
    let retained = bus.retain().unwrap();
    assert_eq!((retained.from, retained.pinned_by.as_deref()), (began, Some("Work")));
    drop(workers);
    assert!(bus.retain().unwrap().from > began, "nobody begins there again");
}

/// A letter that cannot be written leaves its message where it is.
#[test]
fn without_room_for_a_letter_the_worker_ends_before_the_message() {
    let plan = Plan { rare: 1, ..Plan::default() };
    let bus = PersistentBus::in_memory(PersistentOptions { capacity: 1 << 17, ..journal(Start::Resume) }).unwrap();
    let messenger = Five::with_options(bus.clone(), Options { on_panic: budget(0), ..Options::default() });
    let mut workers = messenger.workers(&plan).unwrap();
    settle(&mut workers);
    let position = bus.tail();
    let outside = messenger.writer().unwrap();
    Outside::try_send(&Input(1), &outside).unwrap();
    // Nothing fits behind it.
    while rust_messenger::traits::Publish::try_write_bytes(&outside, 1, 9, &[]).is_ok() {}
    assert_eq!(settle(&mut workers), Step::Finished);
    let error = workers.conclude().unwrap_err();
    assert!(matches!(error.failures[0].cause, Cause::Panicked { handler: "one", .. }), "{error}");
    assert_eq!((error.summary.dead, error.summary.unsent), (2, 1), "two greetings had broken it before");
    assert_eq!(bus.cursors()["Work"], position);
}
