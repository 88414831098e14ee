//! A worker that is kept begins where it was kept, and is then as one that has begun at the beginning.

use super::support::around_bus;
use super::{Hello, Input, OUTSIDE, Output, Outside, content, scratch};
use rust_messenger::Messenger;
use rust_messenger::message_bus::{Journal, JournalError, PersistentBus, PersistentOptions, Retention, Start};
use rust_messenger::messenger::{self, Cause, StartError, Step};
use rust_messenger::routing::{Table, TableRoute, TableWorker};
use rust_messenger::traits::{
    BusWriter, CursorError, DecodeError, EncodeError, Every, Handle, Handler, Message, MessageBus, Misfit, New,
    NoWriter, Payload, Publish, Report, Sender, SkippedSnapshot, Snapshot, SubscribeError, Time, WriteError, Writer,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
pub struct Config {
    /// What it was given to handle, in this process.
    handled: Arc<Mutex<Vec<u64>>>,
    version: u32,
    /// On which input it does not save.
    refuses_on: Option<u64>,
    /// Whether it panics when it is saved, and when it is loaded.
    panics: [bool; 2],
    /// How often it cannot be loaded: it panics then, or says so.
    fails_to_load: u32,
    loads: Arc<Mutex<u32>>,
    /// On which input it saves more than there may be.
    too_large_on: Option<u64>,
    /// Whether what it loads is another state than it saved.
    loads_otherwise: bool,
    /// How many bytes more it saves.
    padding: usize,
}

impl Config {
    pub fn loads_otherwise() -> Config {
        Config { loads_otherwise: true, ..Config::default() }
    }

    /// With a state that takes long to write.
    pub fn large() -> Config {
        Config { padding: 1 << 18, ..Config::default() }
    }
}

/// A handler whose state says what it has handled, and in which order.
struct Chain {
    state: u64,
    last: u64,
    started: bool,
    config: Config,
}

impl Handler for Chain {
    type Id = u16;
    const ID: u16 = 2;

    fn on_start<W: Writer>(&mut self, writer: &W) {
        self.started = true;
        Self::send(&Hello(0), writer);
    }

    /// What is kept is kept before.
    fn on_stop(&mut self) {
        self.state = u64::MAX;
    }

    fn snapshot(&mut self) -> Option<&mut dyn Snapshot> {
        Some(self)
    }
}

impl New<Config> for Chain {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Chain { state: 0, last: 0, started: false, config: config.clone() }
    }
}

impl Handle<Input> for Chain {
    fn handle<W: Writer>(&mut self, input: &Input, writer: &W) {
        self.config.handled.lock().unwrap().push(input.0);
        self.state = self.state.wrapping_mul(31).wrapping_add(input.0);
        self.last = input.0;
        Self::send(&Output(self.state), writer);
    }
}

impl Snapshot for Chain {
    fn version(&self) -> u32 {
        self.config.version
    }

    fn save(&mut self, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.config.refuses_on == Some(self.last) {
            return Err(EncodeError::Refused("not now".to_owned()));
        }
        assert!(!self.config.panics[0], "no saving");
        if self.config.too_large_on == Some(self.last) {
            // From the system, which has not given it yet.
            *bytes = vec![0; (1 << 30) + 1];
            return Ok(());
        }
        bytes.extend_from_slice(&self.state.to_le_bytes());
        bytes.resize(8 + self.config.padding, 0);
        Ok(())
    }

    fn load(&mut self, version: u32, bytes: &[u8]) -> Result<(), DecodeError> {
        assert!(self.started, "`on_start` comes before");
        if version != self.config.version {
            return Err(DecodeError::new(format!("of version {version}, not {}", self.config.version)));
        }
        // Half of it was loaded by then.
        self.state = 1;
        let mut loads = self.config.loads.lock().unwrap();
        *loads += 1;
        if *loads <= self.config.fails_to_load {
            drop(loads);
            assert!(!self.config.panics[1], "no loading");
            return Err(DecodeError::new("not what it wants"));
        }
        self.state = u64::from(self.config.loads_otherwise)
            .wrapping_add(u64::from_le_bytes(*bytes.first_chunk().ok_or_else(|| DecodeError::new("not eight bytes"))?));
        Ok(())
    }
}

/// A handler that has nothing to keep.
struct Nothing;
rust_messenger::handler!(Nothing, 5, default);

impl Handle<Input> for Nothing {
    fn handle<W: Writer>(&mut self, _: &Input, _: &W) {}
}

impl Default for Nothing {
    fn default() -> Self {
        Nothing
    }
}

Messenger! {
    Config,
    Sums:
        handlers: [ chain: Chain, nothing: Nothing ]
        routes: [ Outside, Input: [ chain, nothing ] ]
}

/// The same with a route and a worker more.
mod added {
    use super::{Chain, Config, Hello, Input, Nothing, Outside};
    use rust_messenger::traits::{Handle, Writer};

    impl Handle<Hello> for Nothing {
        fn handle<W: Writer>(&mut self, _: &Hello, _: &W) {}
    }

    #[derive(Default)]
    pub struct Other;
    rust_messenger::handler!(Other, 6, default);

    impl Handle<Hello> for Other {
        fn handle<W: Writer>(&mut self, _: &Hello, _: &W) {}
    }

    rust_messenger::Messenger! {
        Config,
        Others:
            handlers: [ other: Other ]
            routes: [ Chain, Hello: [ other ] ]
        Sums:
            handlers: [ chain: Chain, nothing: Nothing ]
            routes: [ Outside, Input: [ chain, nothing ], Chain, Hello: [ nothing ] ]
    }
}

/// With one handler more in the worker.
mod grown {
    use super::added::Other;
    use super::{Chain, Config, Hello, Input, Nothing, Outside};

    rust_messenger::Messenger! {
        Config,
        Sums:
            handlers: [ chain: Chain, nothing: Nothing, other: Other ]
            routes: [ Outside, Input: [ chain, nothing ], Chain, Hello: [ other ] ]
    }
}

/// With a handler that waits for more than messages.
mod waiting {
    use super::{Input, Outside};
    use rust_messenger::traits::{Handle, Handler, New, Poller, Writer};
    use std::sync::Arc;
    use std::time::Duration;

    #[derive(Debug)]
    struct Nobody;

    impl Poller for Nobody {
        fn wait(&self, _: Option<Duration>) {}

        fn notify(&self) {}
    }

    pub struct Bystander;

    impl Handler for Bystander {
        type Id = u16;
        const ID: u16 = 5;

        fn poller(&self) -> Option<Arc<dyn Poller>> {
            Some(Arc::new(Nobody))
        }
    }

    impl New<()> for Bystander {
        fn new<W: Writer>(_: &(), _: &W) -> Self {
            Bystander
        }
    }

    impl Handle<Input> for Bystander {
        fn handle<W: Writer>(&mut self, _: &Input, _: &W) {}
    }

    rust_messenger::Messenger! {
        (),
        Sums:
            handlers: [ bystander: Bystander ]
            routes: [ Outside, Input: [ bystander ] ]
    }
}

pub fn options(every: u64) -> PersistentOptions {
    let start = Start::Rebuild;
    PersistentOptions {
        step: 64 * 1024,
        start,
        snapshots: vec![("Sums", Every::Messages(every))],
        ..PersistentOptions::default()
    }
    .table(Messenger::table())
}

/// What a process came to.
pub struct Came {
    /// With which snapshot its worker began, and which it passed over.
    pub began: Option<u64>,
    pub skipped: Vec<SkippedSnapshot>,
    reports: Vec<String>,
    handled: Vec<u64>,
    pub ended: Result<(), Cause>,
}

/// Opens the journal, has the worker handle what there is and these inputs, shows it as it is to `look`, and stops.
macro_rules! process {
    ($table:ident, $path:expr, $options:expr, $config:expr, $inputs:expr, $look:expr) => {{
        let config: Config = $config;
        let (bus, _) = PersistentBus::open($path, $options).unwrap();
        let reports = Arc::new(Mutex::new((None, Vec::new(), Vec::new())));
        let told = Arc::clone(&reports);
        let on_report = move |report: &Report| match report {
            Report::Rebuilding { snapshot, skipped, .. } => {
                let mut told = told.lock().unwrap();
                (told.0, told.1) = (*snapshot, skipped.clone());
            }
            // What is sent has no route here.
            Report::Unrouted { .. } => {}
            other => told.lock().unwrap().2.push(other.to_string()),
        };
        let with = messenger::Options { on_report: Some(Arc::new(on_report)), ..messenger::Options::default() };
        let messenger = $table::with_options(bus.clone(), with);
        let mut workers = messenger.workers(&config).unwrap();
        let outside = messenger.writer().unwrap();
        for input in $inputs {
            Outside::try_send(&Input(input), &outside).unwrap();
        }
        while workers.step() == Step::Worked {}
        drop(outside);
        #[allow(clippy::redundant_closure_call)]
        ($look)(&bus);
        messenger.stop();
        while workers.step() != Step::Finished {}
        let ended = workers.conclude().map(drop).map_err(|mut error| error.failures.remove(0).cause);
        drop((bus, messenger));
        let (began, skipped, reports) = std::mem::take(&mut *reports.lock().unwrap());
        let handled = std::mem::take(&mut *config.handled.lock().unwrap());
        Came { began, skipped, reports, handled, ended }
    }};
}

pub fn process(path: &Path, every: u64, inputs: std::ops::Range<u64>) -> Came {
    process!(Messenger, path, options(every), Config::default(), inputs, |_: &PersistentBus| ())
}

pub fn files(path: &Path) -> [PathBuf; 2] {
    ["1", "2"].map(|number| path.with_file_name(format!("journal.Sums.snapshot{number}")))
}

/// The position and the tail that a snapshot's file says.
fn position_of(file: &Path) -> (u64, u64) {
    let bytes = fs::read(file).unwrap();
    let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
    (word(32), word(40))
}

/// The positions of those that there are, the older one first.
pub fn positions(path: &Path) -> Vec<u64> {
    let there = files(path).into_iter().filter(|file| file.is_file());
    let mut positions = there.map(|file| position_of(&file).0).collect::<Vec<_>>();
    positions.sort_unstable();
    positions
}

/// Why the snapshots did not fit that a worker has passed over, if they are these files.
#[track_caller]
fn misfits<const COUNT: usize>(skipped: &[SkippedSnapshot], files: [&Path; COUNT]) -> [Misfit; COUNT] {
    let why = |skipped: &SkippedSnapshot| match skipped {
        SkippedSnapshot::File { path, why } if files.contains(&path.as_path()) => why.clone(),
        other => panic!("{other}"),
    };
    skipped.iter().map(why).collect::<Vec<_>>().try_into().expect("so many")
}

/// What the handler must have sent for `0..count`, and what it has.
pub fn check_outputs(path: &Path, count: u64) {
    let chain = |state: u64, input| state.wrapping_mul(31).wrapping_add(input);
    let expected = (0..count).scan(0, |state: &mut u64, input| {
        *state = chain(*state, input);
        Some(*state)
    });
    let content = content(path);
    let of = |source: u16, id: u16| content.iter().filter(move |entry| (entry.0, entry.1) == (source, id));
    assert!(of(Chain::ID, Output::ID).map(|entry| entry.2).eq(expected));
    assert_eq!(of(OUTSIDE, Input::ID).count() as u64, count);
    assert_eq!(of(Chain::ID, Hello::ID).count(), 1, "what `on_start` sends is history");
}

/// A journal whose worker finds no room in it while it is told so.
#[derive(Clone)]
pub struct Refusing {
    pub bus: PersistentBus,
    pub refuses: Arc<Mutex<bool>>,
}

pub struct RefusingWriter {
    writer: <PersistentBus as MessageBus>::BusWriter,
    refuses: Option<Arc<Mutex<bool>>>,
}

impl RefusingWriter {
    fn refuses(&self) -> bool {
        self.refuses.as_ref().is_some_and(|refuses| *refuses.lock().unwrap())
    }
}

impl Publish for RefusingWriter {
    fn try_put<P: Payload>(&self, source: u16, message: u16, payload: &mut P) -> Result<(), WriteError> {
        if self.refuses() { Err(WriteError::Full) } else { self.writer.try_put(source, message, payload) }
    }

    fn wait_for_room(&self, size: usize) {
        self.writer.wait_for_room(size);
    }
}

impl BusWriter for RefusingWriter {
    fn take_ticket(&self) {
        self.writer.take_ticket();
    }

    fn give_up_ticket(&self) {
        self.writer.give_up_ticket();
    }

    fn is_slowest(&self) -> bool {
        self.writer.is_slowest()
    }

    fn has_room(&self, size: usize) -> bool {
        !self.refuses() && self.writer.has_room(size)
    }

    fn record_outbox(&self, bytes: usize) {
        self.writer.record_outbox(bytes);
    }

    fn time(&self) -> Option<Time> {
        self.writer.time()
    }

    fn settle(&self) -> Result<(), WriteError> {
        self.writer.settle()
    }
}

impl MessageBus for Refusing {
    type Reader = <PersistentBus as MessageBus>::Reader;
    type BusWriter = RefusingWriter;

    const MANY_WRITERS: bool = true;

    fn subscribe(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        self.bus.subscribe(name)
    }

    fn subscribe_latest(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        self.bus.subscribe_latest(name)
    }

    fn subscribe_evictable(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        self.bus.subscribe_evictable(name)
    }

    fn writer(&self) -> Result<RefusingWriter, NoWriter> {
        Ok(RefusingWriter { writer: self.bus.writer()?, refuses: None })
    }

    fn worker_writer(&self, reader: &Self::Reader) -> Result<RefusingWriter, NoWriter> {
        let refuses = Some(Arc::clone(&self.refuses));
        Ok(RefusingWriter { writer: self.bus.worker_writer(reader)?, refuses })
    }

    around_bus!(bus);
}

/// What is in the outbox is not in the journal: a snapshot says that it was sent.
#[test]
fn nothing_is_kept_while_something_is_still_to_be_sent() {
    let (_directory, path) = scratch();
    process(&path, 1000, 0..1).ended.unwrap();
    let before = files(&path).map(|file| fs::read(file).ok());
    {
        let (bus, _) = PersistentBus::open(&path, options(5)).unwrap();
        let refuses = Arc::new(Mutex::new(false));
        let config = Config::default();
        let messenger = Messenger::new(Refusing { bus, refuses: Arc::clone(&refuses) });
        let mut workers = messenger.workers(&config).unwrap();
        while workers.step() == Step::Worked {}
        *refuses.lock().unwrap() = true;
        let outside = messenger.writer().unwrap();
        for input in 1..20 {
            // A writer from outside gives way to what is in an outbox.
            if Outside::try_send(&Input(input), &outside).is_err() {
                panic!("the worker was not stepped yet");
            }
        }
        while workers.step() == Step::Worked {}
        assert_eq!(config.handled.lock().unwrap().len(), 19, "it goes on with a full outbox");
        // It dies: what the keeper was told is written by the end of the bus.
    }
    assert!(files(&path).map(|file| fs::read(file).ok()) == before, "kept with an outbox");
    let again = process(&path, 1000, 20..21);
    assert_eq!(again.handled, (1..21).collect::<Vec<_>>());
    again.ended.unwrap();
    check_outputs(&path, 21);
}

/// A journal with two snapshots, after ten and after twenty inputs, and where they stand.
pub fn kept() -> (tempfile::TempDir, PathBuf, [u64; 2]) {
    let (directory, path) = scratch();
    let first = process(&path, 1000, 0..10);
    assert_eq!((first.began, first.handled.len()), (None, 10));
    let second = process(&path, 1000, 10..20);
    assert_eq!((second.began, second.handled), (Some(position_of(&files(&path)[0]).0), (10..20).collect()));
    let positions = files(&path).map(|file| position_of(&file).0);
    assert!(positions[0] < positions[1]);
    (directory, path, positions)
}

#[test]
fn a_rebuild_begins_at_the_newest_snapshot() {
    let (_directory, path, positions) = kept();
    let third = process(&path, 1000, 20..23);
    assert_eq!((third.began, third.skipped), (Some(positions[1]), vec![]));
    assert_eq!((third.handled, third.reports), (vec![20, 21, 22], Vec::<String>::new()));
    third.ended.unwrap();
    // In place of the older one.
    assert!(position_of(&files(&path)[0]).0 > positions[1] && position_of(&files(&path)[1]).0 == positions[1]);
    // Nothing is left to replay, and nothing comes.
    let fourth = process(&path, 1000, 23..23);
    assert_eq!((fourth.began, fourth.handled), (Some(position_of(&files(&path)[0]).0), vec![]));
    check_outputs(&path, 23);
    // A process that keeps nothing begins at the beginning, and comes to the same.
    let all = process!(
        Messenger,
        &path,
        PersistentOptions { snapshots: vec![], ..options(0) },
        Config::default(),
        23..24,
        |_: &PersistentBus| ()
    );
    assert_eq!(all.handled, (0..24).collect::<Vec<_>>());
    check_outputs(&path, 24);
}

/// While it runs, at each so many messages; and of a process that is killed then, the next one handles the rest again,
/// compared with what was sent.
#[test]
fn a_killed_process_is_rebuilt_from_its_last_snapshot() {
    let (directory, path) = scratch();
    let killed = directory.path().join("killed");
    fs::create_dir(&killed).unwrap();
    let look = |bus: &PersistentBus| {
        let [first, _] = files(&path);
        super::support::wait_until("a snapshot is written", || first.exists());
        let (position, tail) = position_of(&first);
        assert!(position <= tail && tail <= bus.tail());
        // What it stands on was synced before it had its name.
        let bytes = fs::read(&path).unwrap();
        let whole = u64::from_ne_bytes(bytes[152..160].try_into().unwrap());
        assert!((whole >> 16) * 16 >= tail, "the journal was not synced first");
        for file in [&path, &first] {
            fs::copy(file, killed.join(file.file_name().unwrap())).unwrap();
        }
    };
    process!(Messenger, &path, options(700), Config::default(), 0..1000, look).ended.unwrap();
    let killed = killed.join("journal");
    let (position, _) = position_of(&files(&killed)[0]);
    let again = process(&killed, 700, 1000..1010);
    assert_eq!((again.began, again.skipped), (Some(position), vec![]));
    assert!(again.handled.len() < 400 && again.handled.last() == Some(&1009), "{}", again.handled.len());
    again.ended.unwrap();
    check_outputs(&killed, 1010);
}

/// Every flipped byte and every cut of the newest: the older one counts, and the file is named.
#[test]
fn a_damaged_snapshot_is_passed_over() {
    let (_directory, path, positions) = kept();
    let [older, newest] = files(&path);
    let whole = fs::read(&newest).unwrap();
    let begins = || {
        // A subscription says enough: the worker is not driven.
        let (bus, _) = PersistentBus::open(&path, options(1000)).unwrap();
        let mut reader = bus.subscribe("Sums").unwrap();
        let begin = rust_messenger::traits::Reader::begin(&mut reader).unwrap();
        let position = rust_messenger::traits::Reader::position(&reader);
        assert!(begin.states.is_some() || position < positions[0]);
        (begin.states.map(|_| position), begin.skipped)
    };
    assert_eq!(begins(), (Some(positions[1]), vec![]));
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        // Every single bit of them is flipped beside the code that reads them.
        for left in [flipped.as_slice(), &whole[..at]].into_iter().filter(|_| at % 9 == 0 || at > whole.len() - 5) {
            fs::write(&newest, left).unwrap();
            let (began, skipped) = begins();
            assert_eq!(began, Some(positions[0]), "byte {at}");
            let [why] = misfits(&skipped, [&newest]);
            let is_fitting = match (&why, at) {
                (Misfit::Unknown { .. }, 0..8) | (Misfit::Version { .. }, 8..16) | (Misfit::Checksum { .. }, 24..) => {
                    true
                }
                (Misfit::Length { found, .. }, _) => *found == left.len() as u64,
                _ => false,
            };
            assert!(is_fitting, "byte {at}: {why}");
            assert!(skipped[0].to_string().starts_with(&newest.display().to_string()), "{skipped:?}");
        }
    }
    fs::write(&older, b"nothing").unwrap();
    fs::remove_file(&newest).unwrap();
    fs::create_dir(&newest).unwrap();
    let (began, skipped) = begins();
    let unknown = Misfit::Unknown { found: b"nothing".to_vec(), expected: b"rmsgsnap" };
    let unreadable = Misfit::Unreadable { kind: std::io::ErrorKind::IsADirectory };
    assert_eq!((began, misfits(&skipped, [&older, &newest])), (None, [unknown, unreadable]));
    fs::remove_dir(&newest).unwrap();
    let last = process(&path, 1000, 20..21);
    assert_eq!((last.began, last.handled), (None, (0..21).collect()));
    check_outputs(&path, 21);
}

/// A snapshot of what this journal does not have, or of another one.
#[test]
fn a_snapshot_of_another_history_is_passed_over() {
    let (directory, path) = scratch();
    process(&path, 1000, 0..10).ended.unwrap();
    let early = fs::read(&path).unwrap();
    process(&path, 1000, 10..20).ended.unwrap();
    let [first, second] = files(&path).map(|file| position_of(&file).0);
    fs::write(&path, early).unwrap();
    let came = process(&path, 1000, 10..12);
    assert_eq!((came.began, came.handled), (Some(first), vec![10, 11]));
    let [why] = misfits(&came.skipped, [&files(&path)[1]]);
    let Misfit::Newer { position, found, expected } = why else { panic!("{why}") };
    assert!(position == second && found >= second && expected < found && expected >= first, "{why}");
    assert!(why.to_string().starts_with(&format!("at position {second} of a journal up to ")), "{why}");
    let other = directory.path().join("other");
    fs::create_dir(&other).unwrap();
    let other = other.join("journal");
    process(&other, 1000, 0..10).ended.unwrap();
    let key = |file: &Path| u64::from_ne_bytes(fs::read(file).unwrap()[24..32].try_into().unwrap());
    let [theirs, ours] = [&path, &other].map(|path| key(&files(path)[0]));
    fs::copy(&files(&path)[0], &files(&other)[0]).unwrap();
    let came = process(&other, 1000, 10..11);
    assert_eq!((came.began, came.handled.len()), (None, 11));
    // What is found, and what there should be.
    let [why] = misfits(&came.skipped, [&files(&other)[0]]);
    let position = first;
    assert_eq!(why, Misfit::Journal { position, found: theirs, expected: ours });
    let said = format!("at position {first} of another journal: its key is {theirs:016x}, not {ours:016x}");
    assert_eq!(why.to_string(), said);
}

#[test]
fn it_fits_while_the_handlers_of_its_worker_do() {
    let (_directory, path, positions) = kept();
    use added::Messenger as Added;
    use grown::Messenger as Grown;
    let with = |table| options(1000).table(table);
    let more = process!(Added, &path, with(Added::table()), Config::default(), 20..21, |_: &PersistentBus| ());
    assert_eq!((more.began, more.handled), (Some(positions[1]), vec![20]));
    more.ended.unwrap();
    let other = process!(Grown, &path, with(Grown::table()), Config::default(), 21..22, |_: &PersistentBus| ());
    assert_eq!((other.began, other.handled.len()), (None, 22));
    let [first, second] = files(&path);
    for why in misfits(&other.skipped, [&first, &second]) {
        let Misfit::Handlers { found, expected, .. } = &why else { panic!("{why}") };
        assert_eq!((&found[..], expected.len()), (&expected[..2], 3), "{why}");
        assert!(why.to_string().contains("of the handlers [(2, "), "{why}");
    }
}

/// [`Messenger::table`], where the bytes of [`Input`] mean this.
fn shaped(shape: fn() -> String) -> &'static Table<'static> {
    let table = Messenger::table();
    let [worker] = table.workers else { panic!("one worker") };
    let shaped = |route: &TableRoute<'static>| TableRoute { layout: route.layout.with_shape(shape), ..*route };
    let routes = Box::leak(worker.routes.iter().map(shaped).collect::<Box<[_]>>());
    let worker = TableWorker { name: worker.name, handlers: worker.handlers, routes };
    Box::leak(Box::new(Table { name: table.name, workers: Box::leak(Box::new([worker])) }))
}

/// Its state comes from bytes that meant something else: the journal is refused before anything of it is loaded, and
/// neither it nor its snapshots are touched.
#[test]
fn it_fits_while_what_its_worker_receives_means_the_same() {
    let (_directory, path, positions) = kept();
    let number = shaped(|| "a number".to_owned());
    let process = |inputs| {
        let with = options(1000).table(number);
        process!(Messenger, &path, with, Config::default(), inputs, |_: &PersistentBus| ())
    };
    // Nobody had said what it means.
    let came = process(20..21);
    assert_eq!((came.began, &came.skipped[..], &came.handled[..]), (Some(positions[1]), &[][..], &[20][..]));
    let [first, second] = files(&path);
    let stands = || [&path, &first, &second].map(|file| fs::read(file).unwrap());
    let before = stands();
    let other = shaped(|| "a number, in cents".to_owned());
    match PersistentBus::open(&path, options(1000).table(other)).unwrap_err() {
        JournalError::Shape { message, id: Input::ID, journal, table, .. } => {
            assert_eq!((&*message, &*journal, &*table), ("Input", "a number", "a number, in cents"));
        }
        other => panic!("{other}"),
    }
    assert!(stands() == before, "changed by an open that failed");
    let newest = self::positions(&path)[1];
    assert_eq!(process(21..22).began, Some(newest));
}

/// One that cannot be saved is told; a panic is that of a handler, and nothing of its worker is kept.
#[test]
fn a_handler_says_what_it_cannot_save() {
    let (_directory, path, _) = kept();
    let config = Config { refuses_on: Some(20), ..Config::default() };
    let came = process!(Messenger, &path, options(1000), config, 20..21, |_: &PersistentBus| ());
    assert_eq!(came.handled, [20]);
    assert_eq!(came.reports, ["worker Sums keeps no snapshot: not now"]);
    came.ended.unwrap();
    let config = Config { too_large_on: Some(20), ..Config::default() };
    let came = process!(Messenger, &path, options(1000), config, [], |_: &PersistentBus| ());
    let max = 1 << 30;
    assert_eq!(
        came.reports,
        [format!("worker Sums keeps no snapshot: a snapshot of {} bytes: {max} are the most", max + 1)]
    );
    came.ended.unwrap();
    let before = files(&path).map(|file| fs::read(file).unwrap());
    let config = Config { panics: [true, false], ..Config::default() };
    let came = process!(Messenger, &path, options(1), config, [], |_: &PersistentBus| ());
    let Err(Cause::Panicked { handler: "chain", header: None, text }) = came.ended else { panic!("it goes on") };
    assert_eq!(text, "no saving");
    assert_eq!(files(&path).map(|file| fs::read(file).unwrap()), before);
    check_outputs(&path, 21);
}

/// The handlers are made anew, and begin with the older one, or with the whole history: as if nobody had tried.
#[test]
fn what_cannot_be_loaded_is_passed_over() {
    for (fails_to_load, handled) in [(1, 10..21), (2, 0..21)] {
        for panics in [false, true] {
            let (_directory, path, positions) = kept();
            let config = Config { fails_to_load, panics: [false, panics], ..Config::default() };
            let came = process!(Messenger, &path, options(1000), config, 20..21, |_: &PersistentBus| ());
            came.ended.unwrap();
            assert_eq!(came.began, (fails_to_load == 1).then_some(positions[0]));
            assert_eq!(came.handled, handled.clone().collect::<Vec<_>>());
            let why = if panics { "no loading" } else { "its snapshot of version 0, 8 bytes, is " };
            let said = positions.iter().rev().take(fails_to_load as usize);
            assert_eq!(came.skipped.len(), fails_to_load as usize);
            for (skipped, position) in came.skipped.iter().zip(said) {
                let begins = format!("the snapshot of Sums at position {position}: {why}");
                assert!(skipped.to_string().starts_with(&begins), "{skipped}");
                let SkippedSnapshot::NotLoaded { worker, position: at, .. } = skipped else { panic!("{skipped}") };
                assert_eq!((worker.as_str(), at), ("Sums", position));
            }
            check_outputs(&path, 21);
        }
    }
}

/// A copy of a journal that has grown again, and further, has other messages before the tail of a snapshot.
#[test]
fn a_snapshot_of_a_journal_that_went_another_way_is_passed_over() {
    let (_directory, path) = scratch();
    process(&path, 1000, 0..10).ended.unwrap();
    let early = fs::read(&path).unwrap();
    process(&path, 1000, 10..20).ended.unwrap();
    let [first, second] = files(&path).map(|file| position_of(&file).0);
    let keeps_nothing = || PersistentOptions { snapshots: vec![], ..options(0) };
    fs::write(&path, early).unwrap();
    // The same messages at the same places; only the time is another one.
    process!(Messenger, &path, keeps_nothing(), Config::default(), 10..30, |_: &PersistentBus| ()).ended.unwrap();
    let came = process(&path, 1000, 30..31);
    assert_eq!((came.began, came.handled), (Some(first), (10..31).collect()));
    let [why] = misfits(&came.skipped, [&files(&path)[1]]);
    assert!(matches!(why, Misfit::Messages { position, end } if position == second && end >= second), "{why}");
    assert!(why.to_string().starts_with(&format!("at position {second} of a journal with other messages before ")));
    came.ended.unwrap();
    check_outputs(&path, 31);
    // It goes first, for it stands for nothing.
    assert_eq!(positions(&path)[0], first);
}

/// A worker that can be rebuilt from either of two snapshots needs no history before them; with one it needs all.
#[test]
fn two_snapshots_let_go_of_what_is_before_them() {
    let (_directory, path) = scratch();
    let retention = Retention { age: Some(std::time::Duration::ZERO), ..Retention::default() };
    let forgetful = || PersistentOptions { retention, ..options(1000) };
    let retained = |bus: &PersistentBus| bus.retain().unwrap();
    let first = retained(&PersistentBus::open(&path, forgetful()).unwrap().0).from;
    let keeps = |inputs, from: &dyn Fn() -> u64| {
        let look = |bus: &PersistentBus| {
            let retained = retained(bus);
            assert_eq!((retained.from, retained.pinned_by.as_deref()), (from(), Some("Sums")));
        };
        process!(Messenger, &path, forgetful(), Config::default(), inputs, look).ended.unwrap();
    };
    keeps(0..300, &|| first);
    keeps(300..600, &|| first);
    // From the opening on, whether or not the worker has come yet.
    let older = positions(&path)[0];
    let (bus, _) = PersistentBus::open(&path, forgetful()).unwrap();
    assert_eq!((bus.retain().unwrap().from, bus.retain().unwrap().pinned_by.as_deref()), (older, Some("Sums")));
    drop(bus);
    keeps(600..900, &|| older);
    // What goes with it are whole pages, and neither of the two.
    let config = Config { fails_to_load: 1, ..Config::default() };
    let came = process!(Messenger, &path, forgetful(), config, 900..901, |_: &PersistentBus| ());
    came.ended.unwrap();
    assert_eq!((came.handled.first(), came.handled.last()), (Some(&600), Some(&900)));
    // Now that there is no beginning, there is nothing left to begin with.
    let config = Config { fails_to_load: 2, ..Config::default() };
    let came = process!(Messenger, &path, forgetful(), config, [], |_: &PersistentBus| ());
    let Err(Cause::Failed { handler: "chain", error }) = came.ended else { panic!("it goes on") };
    assert!(error.to_string().starts_with("its snapshot of version 0, 8 bytes, is "), "{error}");
    assert!(came.handled.is_empty());
}

/// What the keeper could not write the worker tells when it is kept next, and everything goes on.
fn reported(path: &Path, said: &str, until: impl Fn() -> bool) {
    let (bus, _) = PersistentBus::open(path, options(1)).unwrap();
    let reports = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&reports);
    let on_report = move |report: &Report| told.lock().unwrap().push(report.to_string());
    let with = messenger::Options { on_report: Some(Arc::new(on_report)), ..messenger::Options::default() };
    let messenger = Messenger::with_options(bus, with);
    let mut workers = messenger.workers(&Config::default()).unwrap();
    let outside = messenger.writer().unwrap();
    let mut count = 0;
    super::support::wait_until("it is told", || {
        Outside::try_send(&Input(count), &outside).unwrap();
        count += 1;
        while workers.step() == Step::Worked {}
        let begins = "worker Sums keeps no snapshot: the snapshot at position ";
        let is_told = |text: &String| text.starts_with(begins) && text.contains(said);
        reports.lock().unwrap().iter().any(is_told) && until()
    });
    messenger.stop();
    while workers.step() != Step::Finished {}
    workers.conclude().unwrap();
    drop((outside, messenger));
    check_outputs(path, count);
}

#[test]
fn a_snapshot_that_cannot_be_written_is_reported() {
    let (_directory, path) = scratch();
    for file in files(&path) {
        fs::create_dir(file).unwrap();
    }
    reported(&path, "s a directory", || true);
    assert_eq!(positions(&path), Vec::<u64>::new());
}

/// Where a page ends with the last slot before a snapshot.
#[test]
fn what_a_snapshot_is_known_by_is_not_given_back() {
    let (_directory, path) = scratch();
    // 256 slots of 48 bytes, with that of `on_start`.
    let one_more = |bus: &PersistentBus| bus.writer().unwrap().write_bytes(OUTSIDE, 99, &[0; 8]).unwrap();
    process!(Messenger, &path, options(1000), Config::default(), 0..127, one_more).ended.unwrap();
    let [older] = positions(&path)[..] else { panic!("there is one") };
    assert!(older.is_multiple_of(4096));
    let retention = Retention { age: Some(std::time::Duration::ZERO), ..Retention::default() };
    let forgetful = || PersistentOptions { retention, ..options(1000) };
    process!(Messenger, &path, forgetful(), Config::default(), 127..200, |_: &PersistentBus| ()).ended.unwrap();
    let (bus, _) = PersistentBus::open(&path, forgetful()).unwrap();
    assert_eq!(bus.retain().unwrap().from, older);
    drop(bus);
    let config = Config { fails_to_load: 1, ..Config::default() };
    let came = process!(Messenger, &path, forgetful(), config, 200..201, |_: &PersistentBus| ());
    assert_eq!((came.began, came.handled), (Some(older), (127..201).collect()));
    came.ended.unwrap();
}

/// A worker that has begun with the newer one may yet come back to the older one, whatever is forgotten meanwhile.
#[test]
fn no_history_is_freed_under_a_rebuild() {
    let (_directory, path, positions) = kept();
    let retention = Retention { age: Some(std::time::Duration::ZERO), past_rebuilds: true, ..Retention::default() };
    let (bus, _) = PersistentBus::open(&path, PersistentOptions { retention, ..options(1000) }).unwrap();
    let messenger = Messenger::new(bus.clone());
    let config = Config { fails_to_load: 1, ..Config::default() };
    let mut workers = messenger.workers(&config).unwrap();
    assert!(bus.retain().unwrap().from <= positions[0]);
    while workers.step() == Step::Worked {}
    assert_eq!(*config.handled.lock().unwrap(), (10..20).collect::<Vec<_>>());
    // Now it holds nothing of that.
    assert_eq!(bus.retain().unwrap().from, bus.tail());
    messenger.stop();
    while workers.step() != Step::Finished {}
    workers.conclude().unwrap();
}

/// While the disk is full there are none; then the next one is written.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_reported_and_the_bus_goes_on() {
    let (_directory, path) = scratch();
    // Whatever is written there finds no space. A draft that fails is removed.
    let draft = path.with_file_name("journal.Sums.snapshot1.new");
    std::os::unix::fs::symlink("/dev/full", &draft).unwrap();
    reported(&path, "No space left", || !positions(&path).is_empty());
    assert!(!draft.exists());
}

#[test]
fn a_worker_that_is_not_there_is_not_kept() {
    let (_directory, path) = scratch();
    static NONE: rust_messenger::routing::Table = rust_messenger::routing::Table { name: "None", workers: &[] };
    let others = PersistentOptions { snapshots: vec![("Sum", Every::Stop)], ..options(1) };
    for (options, worker, known) in [
        (options(1).table(&NONE), "Sums", "none at all"),
        (PersistentOptions { table: None, ..options(1) }, "Sums", "none at all"),
        (others, "Sum", "Sums"),
    ] {
        let error = PersistentBus::open(&path, options).unwrap_err();
        let said = format!("snapshots are wanted of worker {worker}, and the routing table has {known}");
        assert!(matches!(error, JournalError::NoSuchWorker { .. }) && error.to_string().ends_with(&said), "{error}");
    }
}

#[test]
fn a_worker_with_a_handler_that_cannot_be_kept_does_not_start() {
    let (_directory, path) = scratch();
    let (bus, _) = PersistentBus::open(&path, options(10).table(super::Messenger::table())).unwrap();
    let messenger = super::Messenger::new(bus);
    let mut workers = messenger.workers(&super::Config::default()).unwrap();
    while workers.step() == Step::Worked {}
    let error = workers.conclude().unwrap_err().failures.remove(0).cause;
    let Cause::Start(StartError::NoSnapshot { worker, handler }) = error else { panic!("{error}") };
    assert_eq!((worker, handler), ("Sums", "summer"));
    drop(messenger);
    // What it waits for there is not in the journal.
    let with = options(10).table(waiting::Messenger::table());
    let (bus, _) = PersistentBus::open(&path, with).unwrap();
    let messenger = waiting::Messenger::new(bus);
    let mut workers = messenger.workers(&()).unwrap();
    while workers.step() == Step::Worked {}
    let error = workers.conclude().unwrap_err().failures.remove(0).cause;
    let Cause::Start(StartError::SnapshotInPoller { worker, handler }) = error else { panic!("{error}") };
    assert_eq!((worker, handler), ("Sums", "bystander"));
}

/// A history without its beginning is enough if a snapshot covers what is gone.
#[test]
fn a_snapshot_stands_for_what_is_gone() {
    let (_directory, path, positions) = kept();
    let retention = Retention { age: Some(std::time::Duration::ZERO), past_rebuilds: true, ..Retention::default() };
    let forgetful = || PersistentOptions { retention, ..options(1000) };
    {
        let keep = forgetful().start_reader("keeper", Start::At(positions[0]));
        let (bus, _) = PersistentBus::open(&path, keep).unwrap();
        let _gates = bus.subscribe("keeper").unwrap();
        assert_eq!(bus.retain().unwrap().from, positions[0]);
    }
    fs::remove_file(&files(&path)[1]).unwrap();
    let (bus, _) = PersistentBus::open(&path, options(1000)).unwrap();
    let reader = bus.subscribe("Sums").unwrap();
    assert_eq!(rust_messenger::traits::Reader::position(&reader), positions[0]);
    drop((bus, reader));
    fs::remove_file(&files(&path)[0]).unwrap();
    let (bus, _) = PersistentBus::open(&path, options(1000)).unwrap();
    let gone = bus.subscribe("Sums").err();
    assert!(matches!(gone, Some(SubscribeError::Journal(CursorError::HistoryGone { .. }))), "{gone:?}");
    assert!(Journal::open(&path).is_ok());
}
