//! [`PersistentBus`]: the journal as a bus. Opens and recovers a file, and puts slot, gate, claim and wait together on
//! it.

use super::circular_bus::{Shared, random_key};
use super::journal::header::{self, Area, CursorEntry, Identity, PAGE};
use super::journal::log::{LOOK, Log, Plan, Retained, Retention, Sync};
use super::journal::read_only::{self, Cursor, HeaderDamage, JournalError, Mutable, Recovered};
use super::journal::rebuild::Rebuild;
use super::journal::scan::{self, Source, Stride, Upto, Walk, Walked};
use super::journal::table::{JournalTable, TableChange};
use super::ring::claim::{Claim, ManyWriters, OneWriter, Role};
use super::ring::gate::Kind;
use super::ring::reader::RingReader;
use super::ring::slot::{self, Seen, Slots, Strip, record_len};
use super::ring::store::Store;
use super::ring::writer::RingWriter;
use super::wait::{Adaptive, WaitStrategy, Waiters};
use crate::mmap::{Backing, Memory, Region};
use crate::routing::Table;
use crate::sync::{Arc, AtomicU64, CachePadded, Mutex, Ordering, fence, lock, unix_nanos};
use crate::traits::{Clock, MessageBus, Stats, SubscribeError, Time, WriterError};
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::path::Path;
use std::time::Duration;

mod cursors;
#[cfg(all(test, rust_messenger_loom))]
mod growth_model;
#[cfg(not(rust_messenger_loom))]
mod open;
#[cfg(all(test, not(rust_messenger_loom)))]
mod tests;

pub use cursors::CursorError;

/// A bus in a file that outlives it: append-only, every message with its time and its cause, read again as often as one
/// likes.
///
/// One process writes (it holds a lock on the file), any number may follow with [`Journal`](super::Journal). Readers of
/// this process look at messages in place, as on a ring, and hold no writer back: a journal is never full. It ends
/// where its [`capacity`](PersistentOptions::capacity) does.
///
/// While a message is handled, [`Writer::now`](crate::traits::Writer::now) says when it was written, and what is sent
/// names it as its cause: that is what makes a [`Start::Rebuild`] exact.
///
/// ```
/// # #[cfg(all(unix, not(miri)))] { // Miri maps no files.
/// use rust_messenger::message_bus::{PersistentBus, PersistentOptions, Start};
/// use rust_messenger::traits::{MessageBus, Publish, Reader};
///
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("example.journal");
/// let (bus, _) = PersistentBus::open(&path, PersistentOptions::default())?;
/// bus.writer()?.write_bytes(1, 2, b"hello")?;
/// drop(bus);
///
/// let options = PersistentOptions { start: Start::Oldest, ..PersistentOptions::default() };
/// let (bus, recovered) = PersistentBus::open(&path, options)?;
/// assert_eq!(recovered.messages, 1);
/// assert_eq!(bus.subscribe("reader")?.try_read(|_, payload| payload.to_vec())?, b"hello");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PersistentBus<C = ManyWriters, W = Adaptive> {
    shared: Arc<Shared<Log>>,
    setup: Arc<Setup>,
    types: PhantomData<fn() -> (C, W)>,
}

/// Where readers begin.
struct Setup {
    start: Start,
    starts: Vec<(&'static str, Start)>,
    table: Option<&'static Table>,
    /// Held while a cursor is looked for and taken.
    cursors: Mutex<()>,
}

impl Setup {
    /// What is said about readers of this name.
    fn start_of(&self, name: &str) -> Start {
        let listed = self.starts.iter().rev().find(|(listed, _)| *listed == name);
        listed.map_or(self.start, |(_, start)| *start)
    }

    /// The first worker that is rebuilt.
    fn rebuilt(&self) -> Option<&'static str> {
        let workers = self.table.into_iter().flat_map(|table| table.workers);
        workers.map(|worker| worker.name).find(|name| self.start_of(name) == Start::Rebuild)
    }
}

/// Where a reader begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With what comes next.
    #[default]
    Latest,
    /// With the oldest message that is retained.
    Oldest,
    /// At this position, where a slot must begin.
    At(u64),
    /// Where the reader of this name had come to: its position is kept in the file. A name that is new begins with the
    /// oldest message.
    ///
    /// Whatever ended the last reader of this name, its worker, or the process, this one begins at the latest with the
    /// message at which that was: the first one from whose handling the worker's handlers had not all returned. A
    /// handling in which one of them panicked, called [`fail`](crate::traits::Writer::fail), or filled the outbox has
    /// not. What could not be decoded was handled. So a message at which a handler always fails is handed to it again
    /// after each restart, until [`PersistentBus::set_cursor`] steps over it. At least once: after a kill the last 4
    /// KiB or so are read again.
    Resume,
    /// With the oldest message, to bring the worker's handlers to where they were: they are handed their history at the
    /// time of its messages, and what they send is compared with what they had sent rather than written. The first
    /// difference is [`WriteError::Diverged`](crate::traits::WriteError::Diverged), and ends the worker. Where the
    /// record of what they had sent ends, they go on.
    ///
    /// Needs the [`table`](PersistentOptions::table), and the whole history: workers that an opening starts so keep
    /// [retention](Retention) from all of it, unless [`Retention::past_rebuilds`] is set. Once its beginning is gone a
    /// rebuild is refused with [`HistoryGone`](SubscribeError::HistoryGone).
    ///
    /// What handlers do in `on_loop` is not in the journal, so a rebuild is exact for handlers that change in `handle`
    /// only; a deadline becomes a message to handle by a route of its [`Due`](crate::traits::Due). What is sent in
    /// `on_loop` all the same is [reported](crate::traits::Report::SentInLoop). For workers that always start so: a
    /// worker that had once started elsewhere has not handled all of its history.
    Rebuild,
}

/// What can be chosen about a journal.
#[derive(Clone)]
pub struct PersistentOptions {
    /// How far the file may grow, in bytes. Address space for it is reserved, nothing else. May be another one each
    /// time the journal is opened.
    pub capacity: u64,
    /// The largest payload in bytes; fixed when the journal is made. Its slot is at most an eighth of the capacity.
    pub max_payload: usize,
    /// Whether every slot has a checksum (CRC-32C); fixed when the journal is made. Without them a message whose length
    /// was damaged is found by those around it, and costs no other; what else is damaged in it is not found.
    pub crc: bool,
    /// What an acknowledged message survives.
    pub sync: Sync,
    /// Whether a damaged journal is refused rather than reported.
    pub strict: bool,
    /// By how much the file grows at a time, and how far ahead of the writers, in bytes.
    pub step: u64,
    /// How many bytes the description of a routing table may take; fixed when the journal is made.
    pub table_capacity: usize,
    /// What may be forgotten.
    pub retention: Retention,
    /// The routing table: its names are kept in the journal, and one that changes the meaning of what is in it is
    /// refused.
    pub table: Option<&'static Table>,
    /// Where readers begin, if `starts` says nothing else. Readers that may be moved on
    /// ([`subscribe_evictable`](MessageBus::subscribe_evictable)) begin with what comes next instead of resuming.
    pub start: Start,
    /// Where readers of these names begin. A worker's reader has the worker's name.
    pub starts: Vec<(&'static str, Start)>,
    /// How long readers wait for a fill that does not return before they go on without its message.
    pub silent_after: Duration,
    /// Tells the time of messages; the default one to about a millisecond while they come in by the hundred thousand
    /// per second. The messenger's [`Options::clock`](crate::messenger::Options::clock) should be the
    /// same.
    pub clock: std::sync::Arc<dyn Clock>,
}

impl Default for PersistentOptions {
    fn default() -> Self {
        PersistentOptions {
            capacity: if usize::BITS > 34 { 1 << 36 } else { 1 << 28 },
            max_payload: 1 << 20,
            crc: true,
            sync: Sync::None,
            strict: false,
            step: 16 << 20,
            table_capacity: 32 * 1024,
            retention: Retention::default(),
            table: None,
            start: Start::Latest,
            starts: Vec::new(),
            silent_after: Duration::from_secs(1),
            clock: std::sync::Arc::new(UnixClock),
        }
    }
}

impl fmt::Debug for PersistentOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersistentOptions")
            .field("capacity", &self.capacity)
            .field("sync", &self.sync)
            .field("start", &self.start)
            .field("starts", &self.starts)
            .finish_non_exhaustive()
    }
}

impl PersistentOptions {
    /// With the routing table `table`: `Messenger::table()`.
    pub fn table(self, table: &'static Table) -> Self {
        PersistentOptions { table: Some(table), ..self }
    }

    /// With readers of this name beginning at `start`.
    pub fn start(mut self, reader: &'static str, start: Start) -> Self {
        self.starts.push((reader, start));
        self
    }

    /// What is fixed when a journal is made.
    fn check_made(&self) -> Result<(), JournalError> {
        between("a largest payload", self.max_payload as u64, 1, header::MAX_PAYLOAD)?;
        between("a table capacity", self.table_capacity as u64, 0, 1 << 30)
    }

    /// What may be another one each time a journal is opened.
    fn check(&self, identity: &Identity) -> Result<(), JournalError> {
        // Address space ends somewhere, and so do checked words.
        let max = if usize::BITS > 34 { 1 << 46 } else { 1 << 30 };
        let slots = (8 * record_len(identity.max_payload as usize, identity.crc)).next_multiple_of(PAGE);
        between("a capacity", self.capacity, identity.header_len() + slots, max)?;
        between("a step", self.step, 1, max)
    }
}

fn between(name: &'static str, asked: u64, min: u64, max: u64) -> Result<(), JournalError> {
    if (min..=max).contains(&asked) { Ok(()) } else { Err(JournalError::Size { name, asked, min, max }) }
}

/// The default clock of a journal, and the messenger's.
struct UnixClock;

impl Clock for UnixClock {
    fn now(&self) -> Time {
        Time::from_nanos(unix_nanos())
    }

    fn is_real(&self) -> bool {
        // A model must not depend on the time of day.
        !cfg!(rust_messenger_loom)
    }
}

impl PersistentBus {
    /// Opens the journal at `path` for any number of writers, or makes it. A file that is made is readable and writable
    /// for its owner only. Symbolic links are followed; one to nothing is to where the file is made.
    ///
    /// What a killed process left half done is cleaned up, and what is damaged is reported and stepped over, as the
    /// [`Recovered`] says. Nothing that was written is ever overwritten. It is read once, at the speed of memory.
    ///
    /// A process may be killed in this call, too: a journal that was being made is there as a whole or not at all, and
    /// what a recovery had not come to is done by the next one. (Where files must have a name, as on other systems than
    /// Linux, one that was being made stays behind as `.name.` and some digits.)
    ///
    /// # Errors
    ///
    /// [`JournalError`]; the file is as it was.
    #[cfg(not(rust_messenger_loom))]
    pub fn open(path: impl AsRef<Path>, options: PersistentOptions) -> Result<(Self, Recovered), JournalError> {
        open::open(path.as_ref(), options)
    }

    /// The same bus in memory, gone with it: for tests, and for Miri. Its whole capacity is taken at once.
    ///
    /// # Errors
    ///
    /// [`JournalError`].
    pub fn in_memory(options: PersistentOptions) -> Result<Self, JournalError> {
        Self::made_in_memory(options)
    }
}

impl PersistentBus<OneWriter> {
    /// As [`PersistentBus::open`], for one writer, which then needs no locked instruction to claim.
    ///
    /// # Errors
    ///
    /// As [`PersistentBus::open`].
    #[cfg(not(rust_messenger_loom))]
    pub fn open_one_writer(
        path: impl AsRef<Path>,
        options: PersistentOptions,
    ) -> Result<(Self, Recovered), JournalError> {
        open::open(path.as_ref(), options)
    }

    /// As [`PersistentBus::in_memory`], for one writer.
    ///
    /// # Errors
    ///
    /// As [`PersistentBus::in_memory`].
    pub fn one_writer_in_memory(options: PersistentOptions) -> Result<Self, JournalError> {
        Self::made_in_memory(options)
    }
}

impl<C: Claim, W: WaitStrategy> PersistentBus<C, W> {
    /// The same journal with readers that wait in another way.
    pub fn waiting<V: WaitStrategy>(self) -> PersistentBus<C, V> {
        PersistentBus { shared: self.shared, setup: self.setup, types: PhantomData }
    }

    /// Has all that is written survive a power failure. Returns the position up to which everything is finished and
    /// does.
    ///
    /// # Errors
    ///
    /// What kind of failure it was. What was not synced before it may be lost, and no later sync succeeds: open the
    /// journal again to see what is there.
    pub fn sync(&self) -> Result<u64, io::ErrorKind> {
        self.shared.store.sync()
    }

    /// Forgets what [`PersistentOptions::retention`] says may be forgotten, gives its disk space back, and says who
    /// keeps more than that. Happens by itself once per second.
    ///
    /// # Errors
    ///
    /// What the system says to giving the space back.
    pub fn retain(&self) -> io::Result<Retained> {
        self.shared.store.retain()
    }

    fn made_in_memory(options: PersistentOptions) -> Result<Self, JournalError> {
        let identity = new_identity(&options)?;
        let image = identity.image((identity.header_len() + options.step).next_multiple_of(PAGE));
        let made = Opening { path: Path::new("(memory)"), identity, options, created: true };
        made.in_memory(image, Box::new(Memory)).map(|(bus, _)| bus)
    }

    fn start_of(&self, name: &str, kind: Kind) -> Start {
        match self.setup.start_of(name) {
            Start::Resume | Start::Rebuild if kind == Kind::Evictable => Start::Latest,
            start => start,
        }
    }

    fn reader(&self, name: &str, kind: Kind) -> Result<RingReader<W, Log>, SubscribeError> {
        let (shared, log) = (&self.shared, &self.shared.store);
        match self.start_of(name, kind) {
            Start::Latest => RingReader::new(shared, kind, name, |_, tail| Ok(tail)),
            Start::Oldest => RingReader::new(shared, kind, name, |oldest, _| Ok(oldest)),
            Start::At(asked) => RingReader::new(shared, kind, name, |oldest, tail| found(log, asked, oldest, tail)),
            Start::Resume => self.resume(name),
            Start::Rebuild => {
                let mut rebuild = None;
                let table = self.setup.table.ok_or(SubscribeError::NoSources)?;
                let mut reader = RingReader::new(shared, kind, name, |oldest, tail| {
                    let first = log.first();
                    if oldest != first {
                        return Err(SubscribeError::HistoryGone { first, oldest });
                    }
                    rebuild = Some(Rebuild::new(table, name, oldest, tail).ok_or(SubscribeError::NoSources)?);
                    Ok(oldest)
                })?;
                if let Some(rebuild) = rebuild.filter(|rebuild| rebuild.end() > reader.start()) {
                    log.begin_rebuild(reader.index(), rebuild);
                }
                reader.rebuilds = true;
                Ok(reader)
            }
        }
    }

    fn resume(&self, name: &str) -> Result<RingReader<W, Log>, SubscribeError> {
        let _cursors = lock(&self.setup.cursors);
        let log = &self.shared.store;
        let (bytes, check) = header::cursor_name(name).ok_or(SubscribeError::CursorName)?;
        let mut at = 0;
        let reader = RingReader::new(&self.shared, Kind::Gating, name, |oldest, tail| {
            let (place, position) = match log.find_cursor(name) {
                Some((place, _)) if log.is_attached(place) => return Err(SubscribeError::CursorName),
                Some((_, None)) => return Err(SubscribeError::CursorDamaged),
                Some((place, Some(position))) => (place, found(log, position.max(oldest), oldest, tail)?),
                None => {
                    let max = header::CURSOR_COUNT;
                    let made = log.make_cursor(&bytes, check, oldest);
                    (made.ok_or(SubscribeError::TooManyCursors { max })?, oldest)
                }
            };
            at = place;
            Ok(position)
        })?;
        log.attach_cursor(reader.index(), at);
        Ok(reader)
    }
}

/// The position `asked` if a slot begins there. Precondition: the gate lock is held.
fn found(log: &Log, asked: u64, oldest: u64, tail: u64) -> Result<u64, SubscribeError> {
    if asked < oldest {
        return Err(SubscribeError::NotRetained { asked, oldest });
    }
    let is_slot = |position: u64| {
        let is_aligned = position.is_multiple_of(slot::SLOT_ALIGN);
        is_aligned && position < tail && !matches!(log.slots().observe(position), Seen::Open { pending: false })
    };
    if asked == tail || is_slot(asked) { Ok(asked) } else { Err(SubscribeError::NoSuchPosition { asked }) }
}

impl<C, W> Clone for PersistentBus<C, W> {
    fn clone(&self) -> Self {
        PersistentBus { shared: Arc::clone(&self.shared), setup: Arc::clone(&self.setup), types: PhantomData }
    }
}

impl<C, W> fmt::Debug for PersistentBus<C, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersistentBus").field("capacity", &self.shared.store.capacity()).finish_non_exhaustive()
    }
}

impl<C: Claim, W: WaitStrategy> MessageBus for PersistentBus<C, W> {
    type Reader = RingReader<W, Log>;
    type Writer = RingWriter<C, W, Log>;

    const MANY_WRITERS: bool = <C as super::ring::claim::sealed::Claim>::MANY;

    /// Adds a reader that begins where [`PersistentOptions::starts`] says.
    fn subscribe(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        self.reader(name, Kind::Gating)
    }

    fn subscribe_latest(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        RingReader::new(&self.shared, Kind::Gating, name, |_, tail| Ok(tail))
    }

    fn subscribe_evictable(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        self.reader(name, Kind::Evictable)
    }

    fn writer(&self) -> Result<Self::Writer, WriterError> {
        RingWriter::new(&self.shared, Role::Outside)
    }

    fn worker_writer(&self, reader: &Self::Reader) -> Result<Self::Writer, WriterError> {
        RingWriter::new(&self.shared, Role::Worker(reader.index()))
    }

    fn close(&self) {
        self.shared.close();
    }

    fn wake(&self) {
        self.shared.wake();
    }

    fn tail(&self) -> u64 {
        self.shared.control().tail().load(Ordering::Acquire)
    }

    fn max_payload(&self) -> usize {
        self.shared.store.slots().max_payload()
    }

    fn stats(&self) -> Stats {
        self.shared.stats()
    }
}

// ------------------------------------------------------------------------------------------------------------ opening

/// The identity of a journal that is made now.
fn new_identity(options: &PersistentOptions) -> Result<Identity, JournalError> {
    options.check_made()?;
    let identity = Identity {
        crc: options.crc,
        // The highest bit keeps a stamp from being zero, which means that there is none.
        key: random_key() | 1 << 63,
        table_len: (options.table_capacity as u64).next_multiple_of(PAGE),
        max_payload: options.max_payload as u64,
        created: options.clock.now().as_nanos(),
    };
    options.check(&identity)?;
    Ok(identity)
}

/// A journal that is being opened.
struct Opening<'a> {
    path: &'a Path,
    identity: Identity,
    options: PersistentOptions,
    created: bool,
}

/// What is to be changed in a journal that can be opened.
struct Findings {
    header: Mutable,
    /// The table to be written, and into which area with which generation.
    table: Option<(usize, Vec<u8>)>,
    recovered: Recovered,
    /// How many places are to be marked.
    marks: u64,
    len: u64,
}

/// How a place is to be marked that readers of the mapping could not step over, or could not see is damaged.
#[derive(Clone, Copy)]
enum Mark {
    State(u64),
    /// It was given up, and does not say how long it is.
    Length,
}

fn mark_of(stride: &Stride) -> Option<Mark> {
    match stride.kind {
        scan::Kind::Hole { marked: false } => Some(Mark::State(slot::HOLE)),
        scan::Kind::Damaged { marked: false } => Some(Mark::State(slot::DAMAGED)),
        scan::Kind::Sealed { exact: false } => Some(Mark::Length),
        _ => None,
    }
}

/// Writes a table area over an older one at `base`. Until it is whole there is none: that somebody was killed in it is
/// no damage.
fn write_table(region: &Region, base: usize, bytes: &[u8]) {
    region.word(base).store(header::UNWRITTEN, Ordering::Relaxed);
    fence(Ordering::Release);
    let mut words = bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_ne_bytes(word)
    });
    let generation = words.next().unwrap_or(header::UNWRITTEN);
    for (place, word) in words.enumerate() {
        region.word(base + 8 + 8 * place).store(word, Ordering::Relaxed);
    }
    region.word(base).store(generation, Ordering::Release);
}

/// Copies the identity from the page where it is whole to the one where it is not.
fn repair_identity(region: &Region, identity: &Identity) {
    let copies = header::IDENTITIES.map(|at| {
        let mut bytes = [0; header::IDENTITY];
        region.snapshot(at as usize, &mut bytes);
        (at, bytes)
    });
    let is_whole = |bytes: &[u8; header::IDENTITY]| Identity::decode(bytes) == Ok(*identity);
    let Some((_, whole)) = copies.iter().find(|(_, bytes)| is_whole(bytes)) else { return };
    for (at, _) in copies.iter().filter(|(_, bytes)| !is_whole(bytes)) {
        for (place, word) in whole.as_chunks().0.iter().enumerate() {
            region.word(*at as usize + 8 * place).store(u64::from_ne_bytes(*word), Ordering::Relaxed);
        }
    }
}

impl Opening<'_> {
    fn io(&self, action: &'static str) -> impl Fn(io::Error) -> JournalError + '_ {
        move |error| JournalError::Io { path: self.path.to_owned(), action, error }
    }

    /// Looks at everything and changes nothing.
    fn inspect(&self, source: &(impl Source + ?Sized)) -> Result<Findings, JournalError> {
        let (identity, options) = (&self.identity, &self.options);
        let io = self.io("read it");
        let len = source.len().map_err(&io)?;
        let header = read_only::read_header(source, identity).map_err(&io)?;
        let table = self.merged_table(&header)?;
        let mut recovered = Recovered { created: self.created, ..Recovered::default() };
        let mut walk = Walk::new(source, identity, header.retained);
        let mut marks = 0;
        while let Walked::Stride(stride) = walk.step().map_err(&io)? {
            recovered.add(stride);
            marks += u64::from(mark_of(&stride).is_some());
        }
        recovered.tail = walk.position();
        recovered.torn = walk.last_byte(recovered.tail).map_err(&io)? - recovered.tail;
        recovered.missing = header.allocated.saturating_sub(len);
        recovered.header = header.damage.clone();
        for (_, name, position) in &header.cursors {
            if position.is_some_and(|position| position > recovered.tail) {
                recovered.header.push(HeaderDamage::CursorAhead(name.clone()));
            }
        }
        if options.strict && recovered.is_damaged() {
            return Err(JournalError::Damaged { path: self.path.to_owned(), recovered: Box::new(recovered) });
        }
        options.check(identity)?;
        Ok(Findings { header, table, recovered, marks, len })
    }

    /// The table to be written, if the one of the options says more than the journal's.
    fn merged_table(&self, header: &Mutable) -> Result<Option<(usize, Vec<u8>)>, JournalError> {
        let refused = |change| JournalError::Table { path: self.path.to_owned(), change };
        let Some(table) = self.options.table else { return Ok(None) };
        let (place, old) = match &header.table {
            Some(((area, generation), old)) => ((1 - area, generation + 1), Some(old)),
            None => ((0, 1), None),
        };
        let merged = JournalTable::of(table);
        let merged = old.map_or(Ok(merged.clone()), |old| merged.merge(old)).map_err(refused)?;
        if old == Some(&merged) && !header.damage.contains(&HeaderDamage::Table) {
            return Ok(None);
        }
        let (text, (area, generation)) = (merged.to_text(), place);
        let (len, max) = (text.len() as u64, header::text_max(self.identity.table_len));
        if len > max {
            return Err(refused(Box::new(TableChange::TooLarge { len, max })));
        }
        debug_assert!(matches!(header::decode_area(&header::encode_area(generation, &text)), Area::Text { .. }));
        Ok(Some((area, header::encode_area(generation, &text))))
    }

    /// The bytes to reserve: the capacity, and room for the largest slot behind it.
    fn region_len(&self, findings: &Findings) -> (u64, usize) {
        let capacity = self.options.capacity.max(findings.len).max(findings.recovered.tail + LOOK);
        let capacity = capacity.next_multiple_of(PAGE);
        let spare = record_len(self.identity.max_payload as usize, self.identity.crc).next_multiple_of(PAGE);
        (capacity, (capacity + spare) as usize)
    }

    /// The journal in memory whose bytes are `image`.
    fn in_memory<C: Claim, W: WaitStrategy>(
        self,
        mut image: Vec<u8>,
        backing: Box<dyn Backing>,
    ) -> Result<(PersistentBus<C, W>, Recovered), JournalError> {
        let findings = self.inspect(image.as_slice())?;
        let region = self.load(&findings, &mut image)?;
        self.assemble(image.as_slice(), findings, region, backing, |_| Ok(None))
    }

    /// Memory that has the bytes of `image`, which is brought to whole pages.
    fn load(&self, findings: &Findings, image: &mut Vec<u8>) -> Result<Region, JournalError> {
        let (_, len) = self.region_len(findings);
        let region = Region::anonymous(len).map_err(self.io("get memory for it"))?;
        image.resize(image.len().next_multiple_of(PAGE as usize), 0);
        for (place, word) in image.as_chunks().0.iter().enumerate() {
            let word = u64::from_ne_bytes(*word);
            if word != 0 {
                region.word(8 * place).store(word, Ordering::Relaxed);
            }
        }
        Ok(region)
    }

    /// Recovers the journal in `region`, which has the bytes of `source`, and makes a bus of it.
    fn assemble<C: Claim, W: WaitStrategy>(
        self,
        source: &(impl Source + ?Sized),
        findings: Findings,
        region: Region,
        backing: Box<dyn Backing>,
        keeper: impl FnOnce(&Log) -> io::Result<Option<super::journal::keeper::Keeper>>,
    ) -> Result<(PersistentBus<C, W>, Recovered), JournalError> {
        let io = self.io("get space for it");
        let (capacity, _) = self.region_len(&findings);
        let Findings { header, table, recovered, marks, len } = findings;
        let Identity { key, crc, max_payload, .. } = self.identity;
        let strip = Strip::new(region.clone(), key, max_payload as usize, crc);

        // Space first, also for what a copy of the file may have left out because it was zero: where there is none, the
        // file is as it was.
        let ready = len.max(recovered.tail + LOOK).next_multiple_of(PAGE);
        backing.reserve((len.min(recovered.tail) / PAGE * PAGE) as usize, ready as usize).map_err(&io)?;
        let each = |f: &mut dyn FnMut(&Stride, Mark) -> io::Result<()>| {
            // As long as it was when it was inspected: a slot that was cut off does not get its end back as zeros.
            let mut walk = Walk::new(Upto(source, len), &self.identity, header.retained);
            let mut left = marks;
            while left > 0
                && let Walked::Stride(stride) = walk.step()?
            {
                if let Some(mark) = mark_of(&stride) {
                    f(&stride, mark)?;
                    left -= 1;
                }
            }
            Ok(())
        };
        each(&mut |stride, _| {
            let page = stride.position / PAGE * PAGE;
            backing.reserve(page as usize, (page + PAGE) as usize)
        })
        .map_err(&io)?;

        // Marks go over first words only, which the walk has passed when it says so.
        each(&mut |stride, mark| {
            match mark {
                Mark::State(state) => strip.mark(stride.position, state, stride.len),
                Mark::Length => strip.mark_length(stride.position, stride.len),
            }
            Ok(())
        })
        .map_err(&io)?;
        strip.zero(recovered.tail, (recovered.tail + recovered.torn).min(ready));
        if let Some((area, bytes)) = table {
            write_table(&region, self.identity.table_at(area) as usize, &bytes);
        }

        let setup = Setup {
            start: self.options.start,
            starts: self.options.starts.clone(),
            table: self.options.table,
            cursors: Mutex::new(()),
        };
        let (first, retained) = (self.identity.header_len(), header.retained.min(recovered.tail));
        let retention = self.options.retention;
        // What is gone is refused, whatever is kept of the rest.
        let keeps_history = !retention.past_rebuilds && retained == first;
        let log = Log::new(Plan {
            backing,
            strip,
            capacity,
            step: self.options.step.next_multiple_of(PAGE),
            ready,
            first,
            retained,
            tail: recovered.tail,
            sync: self.options.sync,
            retention,
            rebuilt: setup.rebuilt().filter(|_| keeps_history),
            clock: std::sync::Arc::clone(&self.options.clock),
        })
        .map_err(&io)?;
        let mut page = [0; PAGE as usize];
        region.snapshot(0, &mut page);
        for index in 0..header::CURSOR_COUNT {
            match header::cursor_entry(&page, index) {
                CursorEntry::Unnamed => log.remove_cursor(index),
                CursorEntry::Named(_, Some(position)) if position > recovered.tail => {
                    log.store_checked(header::cursor_at(index) + header::CURSOR_POSITION, recovered.tail);
                }
                _ => {}
            }
        }
        if header.damage.contains(&HeaderDamage::Identity) {
            repair_identity(&region, &self.identity);
        }
        // Last, and how long the file is last of all: of a recovery that is killed before that, the next one tells
        // again what is damaged or missing.
        log.store_checked(header::RETAINED, header.retained.min(recovered.tail));
        log.store_checked(header::CAPACITY, capacity);
        log.store_checked(header::ALLOCATED, ready);
        if header.whole != recovered.tail {
            // From now on what is missing before the tail is lost. A failure stays: writers are told.
            let _ = log.sync();
        }
        let keeper = keeper(&log).map_err(self.io("start the thread that looks after it"))?;
        let shared = Shared {
            _keeper: keeper,
            store: log,
            silent_after: self.options.silent_after,
            wakes: CachePadded::new(AtomicU64::new(0)),
            waiters: CachePadded::new(Waiters::new()),
        };
        let bus = PersistentBus { shared: Arc::new(shared), setup: Arc::new(setup), types: PhantomData };
        Ok((bus, recovered))
    }
}
