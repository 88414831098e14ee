//! Named cursors: whatever ends a worker, the next one goes on with the message at which it ended.
//!
//! Method: a journal lives many lives. In each a messenger resumes, and is ended in one of all the ways there are, at a
//! message by lot. Each worker's handler notes which messages it was handed and from which it returned; the next life
//! must begin with the first one from which it had not, and go on without a gap.

use super::{child, options, scratch, told};
use crate::support::{PATIENCE, compose, composed, mix, number_of, size_of, wait_until, within};
use rust_messenger::message_bus::wait::{Idle, WaitStrategy};
use rust_messenger::message_bus::{
    CondvarBus, CursorError, Journal, JournalError, ManyWriters, OneWriter, PersistentBus, PersistentOptions,
    Retention, Start,
};
use rust_messenger::messenger::Step;
use rust_messenger::messenger::{Cause, Failure, OnPanic, RunError, Summary, SystemClock};
use rust_messenger::traits::{
    BusWriter, Clock, DecodeError, DeserializeFrom, ExtendedMessage, Handle, Handler, Message, MessageBus, New,
    NoWriter, Payload, Publish, Reader, Sender, Stats, SubscribeError, Time, WriteError, Writer,
};
use rust_messenger::{Messenger, Options};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender as Opener, TryRecvError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Panic(OnPanic),
    /// Of the other worker.
    PanicElsewhere(OnPanic),
    Fail,
    FailInStart,
    FailInLoop,
    FailOutside,
    Overflow,
    /// A stop whose drain has no time.
    Late,
    Stuck,
    Stop,
    DropHandles,
    DropWorkers,
    /// Of the process.
    Kill,
    /// A stop, while the first worker answers every message.
    Answered,
}

const WAYS: [Way; 15] = [
    Way::Panic(OnPanic::StopAll),
    Way::Panic(OnPanic::Isolate),
    Way::PanicElsewhere(OnPanic::StopAll),
    Way::PanicElsewhere(OnPanic::Isolate),
    Way::Fail,
    Way::FailInStart,
    Way::FailInLoop,
    Way::FailOutside,
    Way::Overflow,
    Way::Late,
    Way::Stuck,
    Way::Stop,
    Way::DropHandles,
    Way::DropWorkers,
    Way::Kill,
];

/// What one handler was handed, and from which messages it returned.
#[derive(Default)]
struct Seen {
    handed: Vec<u64>,
    returned: Vec<u64>,
}

#[derive(Clone)]
struct Config {
    way: Way,
    /// At which message.
    at: u64,
    seen: Arc<[Mutex<Seen>; 2]>,
    /// What a stuck handler waits for, and what ends it.
    held: Arc<Mutex<Receiver<()>>>,
    open: Arc<Mutex<Option<Opener<()>>>>,
    clock: Arc<dyn Clock>,
}

impl Config {
    fn new(way: Way, at: u64) -> Config {
        let (open, held) = channel();
        let (held, open) = (Arc::new(Mutex::new(held)), Arc::new(Mutex::new(Some(open))));
        Config { way, at, seen: Arc::default(), held, open, clock: Arc::new(SystemClock) }
    }

    fn last_handed(&self, worker: usize) -> Option<u64> {
        self.seen[worker].lock().unwrap().handed.last().copied()
    }
}

struct Num(u64);

impl Message for Num {
    type Id = u16;
    const ID: u16 = 1;
}

impl DeserializeFrom for Num {
    fn deserialize_from(bytes: &[u8]) -> Self {
        Self::try_deserialize_from(bytes).unwrap()
    }

    fn try_deserialize_from(bytes: &[u8]) -> Result<Self, DecodeError> {
        let number = bytes.first_chunk().ok_or_else(|| DecodeError::new("too short"))?;
        Ok(Num(u64::from_le_bytes(*number)))
    }
}

impl ExtendedMessage for Num {
    fn get_size(&self) -> usize {
        8
    }

    fn write_into(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.0.to_le_bytes());
    }
}

struct Outside;

impl Handler for Outside {
    type Id = u16;
    const ID: u16 = 9;
}

/// The handler of worker `WORKER`.
struct Notes<const WORKER: u16> {
    config: Config,
    handed: u64,
}

impl<const WORKER: u16> Handler for Notes<WORKER> {
    type Id = u16;
    const ID: u16 = WORKER;

    fn on_start<W: Writer>(&mut self, writer: &W) {
        if WORKER == 0 && self.config.way == Way::FailInStart {
            writer.fail("as planned");
        }
    }

    fn on_loop<W: Writer>(&mut self, writer: &W) {
        if self.next_deadline().is_some() {
            writer.fail("as planned");
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        let is_due = WORKER == 0 && self.config.way == Way::FailInLoop && self.handed > self.config.at;
        is_due.then_some(Time::default())
    }
}

impl<const WORKER: u16> New<Config> for Notes<WORKER> {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Notes { config: config.clone(), handed: 0 }
    }
}

impl<const WORKER: u16> Handle<Num> for Notes<WORKER> {
    fn handle<W: Writer>(&mut self, &Num(number): &Num, writer: &W) {
        let seen = &self.config.seen[usize::from(WORKER)];
        seen.lock().unwrap().handed.push(number);
        self.handed = number + 1;
        let is_at = number == self.config.at;
        match (self.config.way, WORKER) {
            (Way::Panic(_), 0) | (Way::PanicElsewhere(_), 1) if is_at => resume_unwind(Box::new("as planned")),
            (Way::Fail, 0) if is_at => return writer.fail("as planned"),
            (Way::Overflow, 0) if is_at => return (0..1000).for_each(|_| Self::send(&Num(0), writer)),
            (Way::Answered, 0) => Self::send(&Num(number), writer),
            (Way::Late | Way::Stop, 0) if is_at => writer.stop(),
            (Way::Stuck, 0) if is_at => _ = self.config.held.lock().unwrap().recv(),
            (Way::Kill, _) => {
                let mut told = [WORKER as u8; 9];
                told[1..].copy_from_slice(&number.to_le_bytes());
                std::io::stderr().write_all(&told).unwrap();
            }
            _ => {}
        }
        seen.lock().unwrap().returned.push(number);
    }
}

// On a bus for one writer the first worker is the one.
Messenger! {
    Config,
    First:
        handlers: [ first: Notes<0> ]
        routes: [ Outside, Num: [ first ] ]
    Second:
        handlers: [ second: Notes<1> ]
        routes: [ Outside, Num: [ second ], Notes<0>, Num: [ second ] ]
}

/// A bus whose workers never find room: a journal is never full, and what it may be wrapped in is.
#[derive(Clone)]
struct Full<B>(B);

struct NoRoom<W>(W);

impl<B: MessageBus> MessageBus for Full<B> {
    type Reader = B::Reader;
    type BusWriter = NoRoom<B::BusWriter>;

    const MANY_WRITERS: bool = B::MANY_WRITERS;

    fn subscribe(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        self.0.subscribe(name)
    }

    fn subscribe_latest(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        self.0.subscribe_latest(name)
    }

    fn subscribe_evictable(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        self.0.subscribe_evictable(name)
    }

    fn writer(&self) -> Result<Self::BusWriter, NoWriter> {
        self.0.writer().map(NoRoom)
    }

    fn worker_writer(&self, reader: &Self::Reader) -> Result<Self::BusWriter, NoWriter> {
        self.0.worker_writer(reader).map(NoRoom)
    }

    fn close(&self) {
        self.0.close();
    }

    fn wake(&self) {
        self.0.wake();
    }

    fn tail(&self) -> u64 {
        self.0.tail()
    }

    fn max_payload(&self) -> usize {
        self.0.max_payload()
    }

    fn stats(&self) -> Stats {
        self.0.stats()
    }
}

impl<W: Publish> Publish for NoRoom<W> {
    fn try_put<P: Payload>(&self, _: u16, _: u16, _: &mut P) -> Result<(), WriteError> {
        Err(WriteError::Full)
    }

    fn wait_for_room(&self, size: usize) {
        self.0.wait_for_room(size);
    }
}

impl<W: BusWriter> BusWriter for NoRoom<W> {
    fn take_ticket(&self) {
        self.0.take_ticket();
    }

    fn give_up_ticket(&self) {
        self.0.give_up_ticket();
    }

    fn is_slowest(&self) -> bool {
        self.0.is_slowest()
    }

    fn has_room(&self, _: usize) -> bool {
        false
    }

    fn record_outbox(&self, bytes: usize) {
        self.0.record_outbox(bytes);
    }
}

// --------------------------------------------------------------------------------------------------------------- lives

/// A messenger on `bus` from its start to its end.
fn live<B: MessageBus>(
    bus: B,
    config: &Config,
    stepped: bool,
    while_stuck: impl FnOnce(),
) -> Result<Summary, RunError> {
    let Config { way, at, .. } = *config;
    let on_panic = match way {
        Way::Panic(on_panic) | Way::PanicElsewhere(on_panic) => on_panic,
        _ => OnPanic::StopAll,
    };
    let drain = Duration::from_secs(if matches!(way, Way::Late | Way::Stuck) { 0 } else { 100 });
    let clock = Arc::clone(&config.clock);
    let options = Options { drain, on_panic, outbox_limit: 1000, clock, ..Options::default() };
    let messenger = Messenger::with_options(bus, options);
    let are_there = || (0..2).all(|worker| config.last_handed(worker).is_some_and(|handed| handed >= at));
    let is_ended = matches!(way, Way::FailOutside | Way::Stuck | Way::DropHandles | Way::DropWorkers)
        || on_panic == OnPanic::Isolate;
    let end = || match messenger.writer() {
        Ok(writer) if way == Way::FailOutside => writer.fail("as planned"),
        _ => messenger.stop(),
    };
    if stepped {
        let (mut workers, mut is_told) = (messenger.workers(config).unwrap(), false);
        while workers.step() != Step::Finished {
            if is_ended && !is_told && are_there() {
                is_told = true;
                match way {
                    Way::DropWorkers => break,
                    _ => end(),
                }
            }
        }
        return workers.conclude();
    }
    let handles = messenger.run(config);
    if is_ended {
        wait_until("the workers are there", are_there);
        match way {
            Way::DropHandles | Way::DropWorkers => {
                drop(handles);
                return Ok(Summary::default());
            }
            _ => end(),
        }
    }
    let ended = handles.join();
    while_stuck();
    ended
}

/// A journal that lives many lives.
struct Lives {
    path: PathBuf,
    kind: Kind,
    /// Where each message stands.
    positions: Vec<u64>,
    /// Messages that were damaged.
    lost: BTreeSet<u64>,
    /// Up to where each worker returned, and whether it was killed since.
    returned: [u64; 2],
    killed: [bool; 2],
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Many,
    One,
    Condvar,
}

/// How many messages are written in each life.
const MESSAGES: u64 = 150;

impl Lives {
    fn new(path: PathBuf, kind: Kind) -> Lives {
        Lives { path, kind, positions: Vec::new(), lost: BTreeSet::new(), returned: [0; 2], killed: [false; 2] }
    }

    /// The first message at or after `number` that was not damaged.
    fn whole(&self, number: u64) -> u64 {
        (number..).find(|number| !self.lost.contains(number)).unwrap()
    }

    fn live(&mut self, way: Way, stepped: bool, lot: u64) {
        let who = usize::from(matches!(way, Way::PanicElsewhere(_)));
        let at = self.whole(self.returned[who] + lot % (MESSAGES / 2));
        let config = Config::new(way, at);
        let ended = match (way, self.kind) {
            (Way::Kill, _) => self.kill(&config, lot),
            (_, Kind::Many) => self.run(open_many(&self.path), &config, stepped),
            (_, Kind::One) => self.run(open_one(&self.path), &config, stepped),
            (_, Kind::Condvar) => self.run(CondvarBus::new(open_many(&self.path)), &config, stepped),
        };
        // A handler that was stuck has its bus for a moment longer.
        wait_until("the journal is closed", || {
            !matches!(PersistentBus::open(&self.path, options()), Err(JournalError::Locked { .. }))
        });
        self.check(&config, ended, &format!("{:?}, {way:?} at {at}, stepped: {stepped}", self.kind));
    }

    /// Writes, and runs a messenger that ends as the configuration says.
    fn run<B: MessageBus>(&mut self, bus: B, config: &Config, stepped: bool) -> Option<Summary> {
        self.write(&bus);
        let (path, at) = (self.path.clone(), self.positions[config.at as usize]);
        let config = config.clone();
        let while_stuck = || {
            if config.way == Way::Stuck {
                assert!(cursor(&path, "First") <= at, "a cursor has passed what is being handled");
            }
            *config.open.lock().unwrap() = None;
        };
        let ended = match config.way {
            Way::Overflow => live(Full(bus), &config, stepped, while_stuck),
            _ => live(bus, &config, stepped, while_stuck),
        };
        let failed = match &ended {
            Ok(_) => "",
            Err(error) if error.failures.len() > 1 => panic!("said again: {error}"),
            Err(error) => match &error.failures[0].cause {
                Cause::Panicked { .. } => "panicked",
                Cause::Failed { .. } => "failed",
                Cause::OutboxFull { .. } => "overflow",
                Cause::Stuck => "stuck",
                other => panic!("{other}"),
            },
        };
        let expected = match config.way {
            Way::Panic(_) | Way::PanicElsewhere(_) => "panicked",
            Way::FailOutside if matches!(self.kind, Kind::One) => "",
            Way::Fail | Way::FailInStart | Way::FailInLoop | Way::FailOutside => "failed",
            Way::Overflow => "overflow",
            Way::Stuck => "stuck",
            _ => "",
        };
        assert_eq!(failed, expected, "{:?}", config.way);
        let is_counted =
            !matches!(config.way, Way::Stuck | Way::DropHandles) && (stepped || config.way != Way::DropWorkers);
        is_counted.then(|| ended.unwrap_or_else(|error| error.summary))
    }

    fn write(&mut self, bus: &impl MessageBus) {
        let writer = bus.writer().unwrap();
        for _ in 0..MESSAGES {
            let number = self.positions.len() as u64;
            self.positions.push(bus.tail());
            writer.write_bytes(Outside::ID, Num::ID, &composed(Outside::ID, number, size_of(1, number, 3000))).unwrap();
        }
    }

    /// Has another process run the messenger, and kills it.
    fn kill(&mut self, config: &Config, lot: u64) -> Option<Summary> {
        self.write(&open_many(&self.path));
        let told = format!("{} {:?}", self.path.display(), self.kind);
        let mut process = child(child_handles_until_it_is_killed, &told);
        let mut process = process.stdin(Stdio::piped()).spawn().unwrap();
        let mut pipe = process.stderr.take().unwrap();
        let mut told = [0; 9];
        let note = |told: &[u8; 9]| {
            let number = u64::from_le_bytes(*told.last_chunk().unwrap());
            let mut seen = config.seen[usize::from(told[0])].lock().unwrap();
            seen.handed.push(number);
            seen.returned.push(number);
        };
        // Each worker has as many to tell at least.
        for _ in 0..1 + lot % (2 * MESSAGES - 20) {
            pipe.read_exact(&mut told).expect("a child that handles until it is killed");
            note(&told);
        }
        process.kill().unwrap();
        process.wait().unwrap();
        while pipe.read_exact(&mut told).is_ok() {
            note(&told);
        }
        None
    }

    /// Whether both workers went on where they had come to.
    fn check(&mut self, config: &Config, ended: Option<Summary>, life: &str) {
        for (worker, name) in ["First", "Second"].into_iter().enumerate() {
            let seen = config.seen[worker].lock().unwrap();
            let from = self.whole(self.returned[worker]);
            if let Some(&first) = seen.handed.first() {
                let is_next = if self.killed[worker] { first <= from } else { first == from };
                assert!(is_next, "{life}: {name} goes on with {first} and not with {from}");
                self.killed[worker] = false;
                let there = (first..).filter(|number| !self.lost.contains(number));
                assert!(there.zip(&seen.handed).all(|(there, handed)| there == *handed), "{life}: {name} skipped some");
                assert!(seen.handed.starts_with(&seen.returned));
            }
            if let Some(summary) = &ended {
                let left = summary.left.iter().find(|left| left.worker == name);
                let unread = left.map_or(0, |left| left.unread + left.unread_bytes);
                let first = seen.handed.first().copied().unwrap_or(from);
                let all = (first..self.positions.len() as u64).filter(|number| !self.lost.contains(number)).count();
                if !self.killed[worker] {
                    assert_eq!(seen.handed.len() as u64 + unread, all as u64, "{life}: {name} leaves {summary:?}");
                }
            }
            if let Some(&last) = seen.returned.last() {
                self.returned[worker] = last + 1;
            }
            self.killed[worker] |= config.way == Way::Kill;
        }
    }

    /// Damages a message that nobody has handled.
    fn damage(&mut self, lot: u64) {
        let from = self.returned.into_iter().max().unwrap();
        let Some(&position) = self.positions.get((from + lot % 50) as usize) else { return };
        let mut bytes = fs::read(&self.path).unwrap();
        bytes[position as usize + 48] ^= 1 << (lot % 8);
        fs::write(&self.path, bytes).unwrap();
        self.lost.insert(from + lot % 50);
    }
}

/// Both workers resume.
fn resuming() -> PersistentOptions {
    PersistentOptions { start: Start::Resume, ..options() }
}

fn open_many(path: &Path) -> PersistentBus<ManyWriters> {
    PersistentBus::open(path, resuming()).unwrap().0
}

fn open_one(path: &Path) -> PersistentBus<OneWriter> {
    PersistentBus::open_one_writer(path, resuming()).unwrap().0
}

/// Where the cursor of this name stands in the file.
fn cursor(path: &Path, name: &str) -> u64 {
    let cursors = Journal::open(path).unwrap().cursors().unwrap();
    cursors[name].unwrap()
}

/// Handles all that there is, says so of each message on its standard error, and waits to be killed.
#[test]
fn child_handles_until_it_is_killed() {
    let Some(told) = told() else { return };
    let (path, kind) = told.split_once(' ').unwrap();
    let (path, config) = (Path::new(path), Config::new(Way::Kill, 0));
    match kind {
        "Many" => handle_until_killed(open_many(path), &config),
        "One" => handle_until_killed(open_one(path), &config),
        _ => handle_until_killed(CondvarBus::new(open_many(path)), &config),
    }
}

fn handle_until_killed(bus: impl MessageBus, config: &Config) {
    let _handles = Messenger::new(bus).run(config);
    std::io::stdin().read_exact(&mut [0]).unwrap();
}

fn lives(kind: Kind, stepped: bool) {
    let (_directory, path) = scratch();
    let mut lives = Lives::new(path, kind);
    for round in 0..3 {
        for (number, way) in WAYS.into_iter().enumerate() {
            let lot = mix(round << 32 | number as u64);
            // A handler that is stuck would be stuck in a step, and a second is long enough to wait for it.
            if way == Way::Stuck && (stepped || round > 0) {
                continue;
            }
            lives.live(way, stepped, lot);
            if lot.is_multiple_of(3) {
                lives.damage(mix(lot));
            }
        }
    }
    lives.live(Way::Stop, stepped, u64::from(u32::MAX));
    lives.live(Way::FailOutside, stepped, u64::from(u32::MAX));
    assert_eq!(lives.returned, [lives.positions.len() as u64; 2], "all was handled in the end");
}

#[test]
fn whatever_ends_threads_they_resume_where_they_ended() {
    within("lives of threads", || {
        [Kind::Many, Kind::One, Kind::Condvar].into_iter().for_each(|kind| lives(kind, false))
    });
}

#[test]
fn whatever_ends_stepped_workers_they_resume_where_they_ended() {
    within("lives of stepped workers", || {
        [Kind::Many, Kind::One, Kind::Condvar].into_iter().for_each(|kind| lives(kind, true));
    });
}

// --------------------------------------------------------------------------------------------------- where a stop ends

/// Everything that is there at the stop is handled, and what comes later is counted, wherever readers begin.
fn stop_drains<B: MessageBus>(bus: B, cursors: impl Fn() -> BTreeMap<String, u64>, life: &str) {
    let mut lives = Lives::new(PathBuf::new(), Kind::Many);
    lives.write(&bus);
    let config = Config::new(Way::Answered, 0);
    let messenger = Messenger::with_options(bus, Options { drain: PATIENCE, ..Options::default() });
    let mut workers = messenger.workers(&config).unwrap();
    workers.step();
    messenger.stop();
    while workers.step() != Step::Finished {}
    let summary = workers.conclude().expect(life);
    for seen in config.seen.iter() {
        assert!(seen.lock().unwrap().returned.iter().copied().eq(0..MESSAGES), "{life}: {summary:?}");
    }
    assert_eq!((summary.after_stop, &summary.left[..]), (MESSAGES, &[][..]), "{life}");
    assert!(cursors().keys().all(|name| ["First", "Second"].contains(&name.as_str())), "{life}: a cursor");
}

#[test]
fn a_stop_drains_wherever_readers_begin() {
    let first = PersistentBus::in_memory(PersistentOptions { capacity: 1 << 24, ..options() }).unwrap().tail();
    for start in [Start::Oldest, Start::Resume, Start::At(first)] {
        let memory = || PersistentOptions { start, capacity: 1 << 24, ..options() };
        let bus = PersistentBus::in_memory(memory()).unwrap();
        stop_drains(bus.clone(), || bus.cursors(), &format!("{start:?}"));
        let bus = PersistentBus::one_writer_in_memory(memory()).unwrap();
        stop_drains(bus.clone(), || bus.cursors(), &format!("{start:?}, one writer"));
        let bus = PersistentBus::in_memory(memory()).unwrap();
        stop_drains(CondvarBus::new(bus.clone()), || bus.cursors(), &format!("{start:?}, condvar"));
    }
}

// ----------------------------------------------------------------------------------------------------- by other means

/// A reader without a worker: the message whose reading unwound is the first one of the next reader.
#[test]
fn a_reader_whose_closure_panics_resumes_at_its_message() {
    let read = |bus: &dyn Fn() -> Box<dyn FnMut(u64) -> u64>| {
        for panics_at in [0, 1, 60, 149] {
            let number = bus()(panics_at);
            assert_eq!(number, panics_at, "the next reader began elsewhere");
        }
    };
    fn reading<B: MessageBus>(bus: B) -> Box<dyn FnMut(u64) -> u64> {
        Lives::new(PathBuf::new(), Kind::Many).write(&bus);
        Box::new(move |panics_at| {
            let reader = bus.subscribe("reader").unwrap();
            let panicked = catch_unwind(AssertUnwindSafe(move || {
                // Dropped while it unwinds.
                let mut reader = reader;
                while reader
                    .try_read(|header, bytes| {
                        if number_of(header, bytes) == panics_at {
                            resume_unwind(Box::new("as planned"));
                        }
                    })
                    .is_ok()
                {}
            }));
            assert!(panicked.is_err(), "never came to {panics_at}");
            bus.subscribe("reader").unwrap().try_read(number_of).unwrap()
        })
    }
    let memory = || PersistentOptions { capacity: 1 << 24, ..resuming() };
    read(&|| reading(PersistentBus::in_memory(memory()).unwrap()));
    read(&|| reading(PersistentBus::one_writer_in_memory(memory()).unwrap()));
    read(&|| reading(CondvarBus::new(PersistentBus::in_memory(memory()).unwrap())));
}

/// A message at which its handler always ends is handed to it after each restart, until somebody steps over it.
/// As a process does that is killed: whatever was not released comes again.
#[test]
fn a_reader_that_is_given_up_leaves_its_cursor_where_it_was() {
    let options = PersistentOptions { capacity: 1 << 26, ..resuming() };
    let bus = PersistentBus::in_memory(options).unwrap();
    for number in 0..9_u8 {
        bus.writer().unwrap().write_bytes(1, 1, &[number]).unwrap();
    }
    let begin = || bus.subscribe("named").unwrap();
    let mut reader = begin();
    assert_eq!(reader.try_read(|_, payload| payload[0]), Ok(0));
    reader.abandon();
    let mut reader = begin();
    for number in 0..3 {
        assert_eq!(reader.try_read(|_, payload| payload[0]), Ok(number));
    }
    reader.release();
    assert_eq!(reader.try_read(|_, payload| payload[0]), Ok(3));
    let wrapped = CondvarBus::new(bus.clone());
    reader.abandon();
    let mut reader = wrapped.subscribe("named").unwrap();
    assert_eq!(reader.try_read(|_, payload| payload[0]), Ok(3), "released, and nothing after it");
    reader.abandon();
    let mut reader = begin();
    assert_eq!(reader.try_read(|_, payload| payload[0]), Ok(3));
    drop(reader);
    assert_eq!(begin().try_read(|_, payload| payload[0]), Ok(4), "a drop stores it");
}

#[test]
fn a_poison_message_is_stepped_over() {
    for way in [Way::Panic(OnPanic::StopAll), Way::Fail] {
        let (_directory, path) = scratch();
        Lives::new(PathBuf::new(), Kind::Many).write(&open_many(&path));
        let end_at = |way, at| {
            let config = Config::new(way, at);
            let ended = live(open_many(&path), &config, true, || ());
            let handed = config.seen[0].lock().unwrap().handed.clone();
            (ended, handed)
        };
        assert_eq!(end_at(way, 5).1, [0, 1, 2, 3, 4, 5]);
        for _ in 0..3 {
            assert_eq!(end_at(way, 5).1, [5], "{way:?}");
        }
        let (ended, _) = end_at(way, 5);
        let bus = open_many(&path);
        let stands_at = cursor(&path, "First");
        if let Cause::Panicked { header, .. } = &ended.unwrap_err().failures[0].cause {
            assert_eq!(header.unwrap().position, stands_at, "where the panic was");
        }
        bus.set_cursor("First", bus.position_after(stands_at).unwrap()).unwrap();
        drop(bus);
        let (ended, handed) = end_at(Way::Stop, MESSAGES - 1);
        assert!(ended.is_ok() && handed.iter().copied().eq(6..MESSAGES), "{handed:?}");
    }
}

#[test]
fn a_cursor_is_set_where_a_slot_begins() {
    let (_directory, path) = scratch();
    let bus = open_many(&path);
    let mut lives = Lives::new(PathBuf::new(), Kind::Many);
    lives.write(&bus);
    let (positions, tail) = (lives.positions, bus.tail());
    let next = |name: &str| bus.subscribe(name).unwrap().try_read(number_of).ok();
    assert_eq!(bus.set_cursor("First", positions[3]), Err(CursorError::NoSuchCursor));
    let mut reader = bus.subscribe("First").unwrap();
    reader.skip().unwrap();
    assert_eq!(bus.set_cursor("First", positions[3]), Err(CursorError::InUse));
    drop(reader);
    for (number, position) in positions.iter().enumerate().rev().step_by(7) {
        bus.set_cursor("First", *position).unwrap();
        assert_eq!(cursor(&path, "First"), *position);
        assert_eq!(next("First"), Some(number as u64));
        let behind = positions.get(number + 1).copied().unwrap_or(tail);
        assert_eq!(bus.position_after(*position), Ok(behind));
    }
    bus.set_cursor("First", tail).unwrap();
    assert_eq!(next("First"), None);
    for asked in [positions[3] + 1, positions[3] + 16, tail + 16, u64::MAX] {
        assert_eq!(bus.set_cursor("First", asked), Err(CursorError::NoSuchPosition { asked }));
        assert_eq!(bus.position_after(asked), Err(CursorError::NoSuchPosition { asked }));
    }
    assert_eq!(bus.position_after(tail), Err(CursorError::NoSuchPosition { asked: tail }));
    let before = CursorError::NotRetained { asked: 16, oldest: positions[0] };
    assert_eq!((bus.set_cursor("First", 16), bus.position_after(16)), (Err(before), Err(before)));
    assert_eq!(cursor(&path, "First"), tail, "moved by an error");
    drop(bus);

    // One that is damaged is of no use to its reader until it is set.
    let mut bytes = fs::read(&path).unwrap();
    // Its name in 40 bytes, a word that vouches for it, and its position.
    let place = bytes.windows(5).position(|window| window == b"First").unwrap() + 48;
    bytes[place] ^= 16;
    fs::write(&path, bytes).unwrap();
    let bus = open_many(&path);
    assert_eq!(bus.subscribe("First").err(), Some(CursorError::Damaged.into()));
    bus.set_cursor("First", positions[9]).unwrap();
    assert_eq!(bus.subscribe("First").unwrap().try_read(number_of).ok(), Some(9));
}

/// What retention forgets it forgets behind every cursor, wherever somebody has set one meanwhile.
#[test]
fn a_cursor_that_is_set_back_pins_what_is_behind_it() {
    let (_directory, path) = scratch();
    let retention = Retention { consumed: true, ..Retention::default() };
    let (bus, _) = PersistentBus::open(&path, PersistentOptions { retention, ..resuming() }).unwrap();
    let mut lives = Lives::new(PathBuf::new(), Kind::Many);
    lives.write(&bus);
    drop(bus.subscribe("First").unwrap());
    bus.set_cursor("First", lives.positions[100]).unwrap();
    bus.set_cursor("First", lives.positions[50]).unwrap();
    assert_eq!(bus.retain().unwrap().from, lives.positions[50]);
    let gone = CursorError::NotRetained { asked: lives.positions[49], oldest: lives.positions[50] };
    assert_eq!(bus.set_cursor("First", lives.positions[49]), Err(gone));
}

// -------------------------------------------------------------------------------------------------- what is in flight

/// How often a reader had nothing to do but wait.
static WAITS: AtomicU64 = AtomicU64::new(0);

/// Whether a wait panics.
static BREAKS: AtomicBool = AtomicBool::new(false);

/// Says that it waits.
#[derive(Debug, Default)]
struct Says;

impl WaitStrategy for Says {
    fn idle(&mut self) -> Idle {
        WAITS.fetch_add(1, Ordering::Relaxed);
        if BREAKS.load(Ordering::Relaxed) {
            resume_unwind(Box::new("as planned"));
        }
        Idle::Park
    }
}

/// By which a wait takes longer than any grace.
struct Jumps;

impl Clock for Jumps {
    fn now(&self) -> Time {
        Time::from_nanos(WAITS.load(Ordering::Relaxed) * 10_000_000_000)
    }
}

/// Both workers end with a drain without time, while a message is being written from outside. What each was handed and
/// left must be all that there is: messages, or bytes from the one on that is not finished.
fn ends_behind_a_claim(stepped: bool, is_finished: bool, breaks: bool) {
    let options = PersistentOptions { capacity: 1 << 24, silent_after: PATIENCE, ..resuming() };
    let bus = PersistentBus::in_memory(options).unwrap().waiting::<Says>();
    Lives::new(PathBuf::new(), Kind::Many).write(&bus);
    let held_at = bus.tail();
    let waits = WAITS.load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        let ((begun, is_begun), (over, is_over)) = (channel(), channel::<()>());
        let writer = bus.writer().unwrap();
        scope.spawn(move || {
            let held = |bytes: &mut [u8]| {
                compose(Outside::ID, MESSAGES, bytes);
                begun.send(()).unwrap();
                wait_until("somebody waits for it", || {
                    is_finished && WAITS.load(Ordering::Relaxed) != waits
                        || is_over.try_recv() == Err(TryRecvError::Disconnected)
                });
            };
            writer.write(Outside::ID, Num::ID, 60, held).unwrap();
        });
        is_begun.recv().unwrap();
        Lives::new(PathBuf::new(), Kind::Many).write(&bus);
        let (messages, bytes) = match is_finished {
            true => (2 * MESSAGES + 1, 0),
            false => (MESSAGES, bus.tail() - held_at),
        };
        let mut config = Config::new(Way::Late, 10);
        if !is_finished {
            config.clock = Arc::new(Jumps);
        }
        BREAKS.store(breaks, Ordering::Relaxed);
        let ended = live(bus.clone(), &config, stepped, || ());
        BREAKS.store(false, Ordering::Relaxed);
        drop(over);
        if breaks {
            let failures = ended.unwrap_err().failures;
            let blamed = |failure: &Failure| failure.to_string().contains("the wait strategy panicked: as planned");
            assert!(!failures.is_empty() && failures.iter().all(blamed), "{failures:?}");
            return;
        }
        let summary = ended.expect("nobody is stuck who counts");
        for (worker, name) in ["First", "Second"].into_iter().enumerate() {
            let left = summary.left.iter().find(|left| left.worker == name);
            let (unread, unread_bytes) = left.map_or((0, 0), |left| (left.unread, left.unread_bytes));
            let handed = config.seen[worker].lock().unwrap().handed.len() as u64;
            assert_eq!((handed + unread, unread_bytes), (messages, bytes), "{name}, stepped: {stepped}: {summary:?}");
        }
    });
}

#[test]
fn what_is_left_behind_a_claim_adds_up() {
    within("counting behind a claim", || {
        for (stepped, is_finished) in [(true, true), (true, false), (false, true), (false, false)] {
            ends_behind_a_claim(stepped, is_finished, false);
        }
        // A strategy that panics in it ends the count, and not the ending.
        ends_behind_a_claim(true, false, true);
    });
}
