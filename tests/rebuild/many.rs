//! Many messages, many restarts, many kills: each message is handled to the end once, or is dead once, in order.
//!
//! One of a thousand messages breaks the worker, half of them each time that they are handled. It answers each message
//! with what it has come to, so the journal says what was handled, in which order, and what came of it. The longer runs
//! are those of the environment variables below.

use super::restarts::budget;
use super::snapshots::Refusing;
use super::support::{mix, settle, within};
use super::{Input, Output, Outside};
use rust_messenger::message_bus::{Entry, Journal, PersistentBus, PersistentOptions, Start};
use rust_messenger::messenger::{OnPanic, Options, Step, Summary, Workers};
use rust_messenger::traits::{
    DeadLetter, DecodeError, DeserializeFrom, EncodeError, Every, Handle, Handler, Message, New, Report, Sender,
    Snapshot, Supervisor, Writer,
};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::ops::Range;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How many messages there are, if not a few.
const MESSAGES: &str = "RESTART_MESSAGES";
/// How many processes are killed, if not a few.
const KILLS: &str = "RESTART_KILLS";
/// What a process that is to be killed is told: its journal, and how it lives.
const CHILD: &str = "RESTART_CHILD";

/// One of so many messages breaks the worker.
const RARE: u64 = 1000;

fn told(variable: &str, few: u64) -> u64 {
    std::env::var(variable).map_or(few, |value| value.parse().expect(variable))
}

#[derive(Clone, Default)]
pub struct Plan {
    rare: u64,
    /// What has broken the worker once.
    broken: Arc<Mutex<BTreeSet<u64>>>,
    /// What breaks it once besides.
    breaks: Arc<Mutex<Option<u64>>>,
    /// How often it was handed a message.
    handled: Arc<AtomicU64>,
    /// What the other worker has come to: a sum, and how many letters it got.
    other: Arc<[AtomicU64; 2]>,
}

impl Plan {
    pub fn rare(rare: u64) -> Plan {
        Plan { rare, ..Plan::default() }
    }

    /// Each message breaks the worker.
    pub fn poisoned() -> Plan {
        Plan::default()
    }

    pub fn breaks_at(&self, number: u64) {
        *self.breaks.lock().unwrap() = Some(number);
    }

    /// How often the worker was handed a message.
    pub fn handled(&self) -> u64 {
        self.handled.load(Ordering::Relaxed)
    }

    fn breaks(&self, number: u64) -> bool {
        match mix(number).checked_rem(2 * self.rare) {
            None | Some(0) => true,
            Some(1) => self.broken.lock().unwrap().insert(number),
            _ => self.breaks.lock().unwrap().take_if(|breaks| *breaks == number).is_some(),
        }
    }
}

/// Says what it has come to at each message.
struct Book {
    plan: Plan,
    state: u64,
}

impl Handler for Book {
    type Id = u16;
    const ID: u16 = 2;

    fn snapshot(&mut self) -> Option<&mut dyn Snapshot> {
        Some(self)
    }
}

impl New<Plan> for Book {
    fn new<W: Writer>(plan: &Plan, _: &W) -> Self {
        Book { plan: plan.clone(), state: 0 }
    }
}

impl Snapshot for Book {
    fn version(&self) -> u32 {
        1
    }

    fn save(&mut self, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        bytes.extend_from_slice(&self.state.to_le_bytes());
        Ok(())
    }

    fn load(&mut self, _: u32, bytes: &[u8]) -> Result<(), DecodeError> {
        let bytes = bytes.try_into().map_err(|_| DecodeError::new("not eight bytes"))?;
        self.state = u64::from_le_bytes(bytes);
        Ok(())
    }
}

impl Handle<Input> for Book {
    fn handle<W: Writer>(&mut self, input: &Input, writer: &W) {
        self.plan.handled.fetch_add(1, Ordering::Relaxed);
        self.state = mix(self.state ^ input.0);
        let breaks = self.plan.breaks(input.0);
        if breaks && mix(input.0) & 1 << 40 == 0 {
            resume_unwind(Box::new("before it was sent"));
        }
        Self::send(&Output(self.state), writer);
        if breaks {
            resume_unwind(Box::new("after it was sent"));
        }
    }
}

/// Another worker's: nobody else's panic changes what it gets.
struct Sum(Plan);

impl Handler for Sum {
    type Id = u16;
    const ID: u16 = 3;
}

impl New<Plan> for Sum {
    fn new<W: Writer>(plan: &Plan, _: &W) -> Self {
        Sum(plan.clone())
    }
}

impl Handle<Input> for Sum {
    fn handle<W: Writer>(&mut self, input: &Input, _: &W) {
        self.0.other[0].fetch_add(input.0, Ordering::Relaxed);
    }
}

impl Handle<DeadLetter> for Sum {
    fn handle<W: Writer>(&mut self, _: &DeadLetter, _: &W) {
        self.0.other[1].fetch_add(1, Ordering::Relaxed);
    }
}

rust_messenger::Messenger! {
    type Shop;
    Plan,
    Work:
        handlers: [ book: Book ]
        routes: [ Outside, Input: [ book ] ]
    Other:
        handlers: [ sum: Sum ]
        routes: [ Outside, Input: [ sum ], Supervisor, DeadLetter: [ sum ] ]
}

pub fn options(start: Start, every: Option<u64>) -> PersistentOptions {
    let snapshots = every.map(|every| ("Work", Every::Messages(every))).into_iter().collect();
    let options = PersistentOptions { max_payload: 1024, start, snapshots, ..PersistentOptions::default() };
    options.table(Shop::table())
}

pub fn restarting(on_panic: OnPanic, report: impl Fn(&Report) + Send + Sync + 'static) -> Options {
    let drain = Duration::from_secs(600);
    Options { on_panic_of: vec![("Work", on_panic)], drain, on_report: Some(Arc::new(report)), ..Options::default() }
}

/// A message of the journal: its position, its cause, its payload.
type Found = (u64, u64, Vec<u8>);

/// The messages with this source and id, in their order.
pub fn of<M: Message<Id = u16>>(path: &Path, source: u16) -> Vec<Found> {
    let (journal, mut found) = (Journal::open(path).unwrap(), Vec::new());
    let mut entries = journal.entries();
    while let Some(entry) = entries.next().unwrap() {
        if let Entry::Message { header, payload, cause, .. } = entry
            && (header.source, header.message) == (source, M::ID)
        {
            found.push((header.position, cause, payload.to_vec()));
        }
    }
    found
}

fn number(payload: &[u8]) -> u64 {
    u64::from_le_bytes(payload.try_into().unwrap())
}

/// Whether the journal says that each of `0..count` was answered once or is dead once, in order. Returns how many are
/// dead.
#[track_caller]
fn is_right(path: &Path, count: u64) -> u64 {
    let letters = of::<DeadLetter>(path, Supervisor::ID);
    let letters = letters.iter().map(|(.., payload)| DeadLetter::try_deserialize_from(payload).unwrap().position);
    let all = letters.collect::<Vec<_>>();
    let dead = all.iter().copied().collect::<BTreeSet<_>>();
    assert_eq!(dead.len(), all.len(), "dead twice");
    let inputs = of::<Input>(path, Outside::ID);
    assert!(inputs.iter().map(|(.., payload)| number(payload)).eq(0..count), "other inputs");
    // What was sent before the handler broke stays sent, once.
    let (of_dead, answers): (Vec<_>, Vec<_>) =
        of::<Output>(path, Book::ID).into_iter().partition(|(_, cause, _)| dead.contains(cause));
    let causes = of_dead.iter().map(|(_, cause, _)| *cause).collect::<BTreeSet<_>>();
    assert_eq!(causes.len(), of_dead.len(), "a failed handling's messages came twice");
    let mut state = 0;
    let handled = inputs.iter().filter(|(position, ..)| !dead.contains(position));
    let expected = handled.map(|(position, _, payload)| {
        state = mix(state ^ number(payload));
        (*position, state)
    });
    let expected = expected.collect::<Vec<_>>();
    let answers = answers.iter().map(|(_, cause, payload)| (*cause, number(payload))).collect::<Vec<_>>();
    let differs = expected.iter().zip(&answers).position(|(expected, answer)| expected != answer);
    assert_eq!(differs, None, "of {} answers", answers.len());
    assert_eq!((answers.len(), (answers.len() + dead.len()) as u64), (expected.len(), count));
    dead.len() as u64
}

/// All of it in one process, whose workers have threads of their own. Returns how often a message was handled for
/// nothing, and the restarts.
fn run(count: u64, every: Option<u64>) -> (u64, Summary) {
    let (_directory, path) = super::scratch();
    let plan = Plan::rare(RARE);
    let (bus, _) = PersistentBus::open(&path, options(Start::Rebuild, every)).unwrap();
    let messenger = Shop::with_options(bus.clone(), restarting(budget(1), |_| ()));
    let handles = messenger.run(&plan);
    let outside = messenger.writer().unwrap();
    (0..count).for_each(|number| Outside::try_send(&Input(number), &outside).unwrap());
    drop(outside);
    messenger.stop();
    let summary = handles.join().unwrap();
    drop((messenger, bus));
    let dead = is_right(&path, count);
    assert_eq!(summary.dead, dead);
    let [sum, letters] = plan.other.each_ref().map(|number| number.load(Ordering::Relaxed));
    assert_eq!(sum, (0..count).sum::<u64>());
    // Those that were written after the end of the drain are nobody's.
    assert!(letters <= dead && letters + summary.after_stop >= dead, "{letters} letters of {dead}");
    (plan.handled.load(Ordering::Relaxed) - (count - dead), summary)
}

/// A restart repeats what came after the newest snapshot, and not what came before.
#[test]
fn one_of_a_thousand_breaks_a_worker_that_is_kept() {
    within("a thousand restarts", || {
        let count = told(MESSAGES, 60_000);
        let (again, summary) = run(count, Some(1000));
        // A batch may be in between, and the one that breaks it is handled twice.
        assert!(again < summary.restarts * 1400, "{again} messages again, in {} restarts", summary.restarts);
        assert!(summary.restarts > count / RARE / 2 && summary.dead > count / RARE / 4, "{summary:?}");
    });
}

#[test]
fn one_of_a_thousand_breaks_a_worker_that_is_not_kept() {
    within("twenty restarts", || {
        let (_, summary) = run(20_000, None);
        assert!(summary.restarts > 15 && summary.dead > 4, "{summary:?}");
    });
}

// ------------------------------------------------------------------------------------------------------------- killed

/// How a process lives that is to be killed.
const LIVES: [(&str, Start, Option<u64>); 4] = [
    ("kept", Start::Rebuild, Some(50)),
    // Between a letter and what passes its message.
    ("letter", Start::Rebuild, Some(50)),
    // Its bus has no room in the end: neither when a snapshot is due, nor for a letter.
    ("refused", Start::Rebuild, Some(20)),
    ("history", Start::Rebuild, None),
];

fn inputs(path: &Path) -> u64 {
    if path.exists() { of::<Input>(path, Outside::ID).len() as u64 } else { 0 }
}

/// Goes on sending inputs until it is killed. Says so of each hundred; or where it stays until it is killed.
#[test]
fn child_is_restarted_until_it_is_killed() {
    let Ok(child) = std::env::var(CHILD) else { return };
    let (life, path) = child.split_once(':').unwrap();
    let (_, start, every) = LIVES.into_iter().find(|(name, ..)| *name == life).unwrap();
    let path = PathBuf::from(path);
    let from = inputs(&path);
    let (bus, _) = PersistentBus::open(&path, options(start, every)).unwrap();
    let say = || std::io::stderr().write_all(b".").unwrap();
    let stays = life == "letter";
    let report = move |report: &Report| {
        if stays && matches!(report, Report::Dead { .. }) {
            say();
            loop {
                std::thread::park();
            }
        }
    };
    let refuses = Arc::new(Mutex::new(false));
    let bus = Refusing { bus, refuses: Arc::clone(&refuses) };
    let messenger = Shop::with_options(bus, restarting(budget(1), report));
    let outside = messenger.writer().unwrap();
    let send = |inputs: Range<u64>| {
        inputs.for_each(|input| Outside::try_send(&Input(input), &outside).unwrap());
    };
    let settled = |mut workers: Workers| {
        if settle(&mut workers) == Step::Finished {
            panic!("{}", workers.conclude().unwrap_err());
        }
        workers
    };
    let mut workers = settled(messenger.workers(&Plan::rare(20)).unwrap());
    for first in (from..).step_by(64) {
        send(first..first + 64);
        let fills_outbox = life == "refused" && first != from;
        *refuses.lock().unwrap() = fills_outbox;
        workers = settled(workers);
        if !stays {
            say();
        }
        if fills_outbox {
            loop {
                std::thread::park();
            }
        }
    }
}

/// Whatever it is at when it is killed, the next one goes on: what it repeats is compared with what it had sent.
#[test]
fn whoever_is_killed_the_next_one_goes_on() {
    for (life, start, every) in LIVES {
        let (_directory, path) = super::scratch();
        let kills = told(KILLS, 12).div_ceil(LIVES.len() as u64);
        for kill in 0..kills {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "many::child_is_restarted_until_it_is_killed", "--nocapture", "--test-threads=1"]);
            command.env(CHILD, format!("{life}:{}", path.display())).stdout(Stdio::null()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let dots = match life {
                "letter" => 1,
                "refused" => 2,
                _ => 1 + mix(kill) as usize % 5,
            };
            let mut dots = vec![0; dots];
            let read = child.stderr.as_mut().unwrap().read_exact(&mut dots);
            child.kill().unwrap();
            let status = child.wait().unwrap();
            let said = String::from_utf8_lossy(&dots);
            assert!(read.is_ok() && said.bytes().all(|dot| dot == b'.'), "{life}, kill {kill}, {status}: {said}");
        }
        let count = inputs(&path);
        let (bus, _) = PersistentBus::open(&path, options(start, every)).unwrap();
        let messenger = Shop::with_options(bus.clone(), restarting(budget(1), |_| ()));
        let mut workers = messenger.workers(&Plan::rare(20)).unwrap();
        assert_eq!(settle(&mut workers), Step::Idle, "{life}");
        workers.conclude().unwrap_or_else(|error| panic!("{life}: {error}"));
        drop((messenger, bus));
        let dead = is_right(&path, count);
        assert!(dead >= kills.min(count / 80), "{life}: {dead} dead of {count}: no proof of anything");
    }
}
