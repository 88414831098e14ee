//! [`PersistentBus`]: the journal as a bus. It puts the ring's readers and writers on a store, and starts readers where
//! their options say.

use super::journal::error::JournalError;
use super::journal::header::{self, PAGE, read_identity};
use super::journal::importer::JournalImporter;
#[cfg(not(rust_messenger_loom))]
use super::journal::open;
use super::journal::options::{PersistentOptions, Start, Starts};
use super::journal::rebuild::Rebuild;
use super::journal::recovered::Recovered;
use super::journal::recovery::{Opened, Opening, new_identity};
use super::journal::requeue::requeue;
use super::journal::retention::Retained;
use super::journal::snapshot;
use super::journal::store::{JournalStore, first_step};
use super::journal::word;
use super::ring::claim::{self, Claim, ManyWriters, OneWriter, Role};
use super::ring::gate::readers::Kind;
use super::ring::reader::RingReader;
use super::ring::shared::Shared;
use super::ring::slot::Slots;
use super::ring::store::Store;
use super::ring::times::Times;
use super::ring::writer::RingWriter;
use super::wait::{Adaptive, WaitStrategy};
use crate::mmap::Memory;
use crate::sync::{Arc, Mutex, Ordering, lock};
use crate::traits::{CursorError, Import, ImportError, MessageBus, NoWriter, RequeueError, Stats, SubscribeError};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::path::Path;

#[cfg(all(test, rust_messenger_loom))]
mod growth_model;
#[cfg(all(test, not(rust_messenger_loom)))]
mod tests;

/// A bus in a file that outlives it, its **journal**: append-only. It records the time and the cause of each message,
/// and readers may start anywhere in it.
///
/// One process writes (it holds a lock on the file); any number follow with [`Journal`](super::Journal). Readers of
/// this process read messages in place, as on a ring, and gate no writer: a journal is never full. It ends at its
/// [`capacity`](PersistentOptions::capacity).
///
/// While a worker handles a message, [`Writer::now`](crate::traits::Writer::now) returns the message's recorded time,
/// and what the handlers send names that message as its cause. That makes a [`Start::Rebuild`] exact.
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
/// assert!(!recovered.is_damaged());
/// assert_eq!(bus.subscribe("reader")?.try_read(|_, payload| payload.to_vec())?, b"hello");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PersistentBus<C = ManyWriters, W = Adaptive> {
    shared: Arc<Shared<JournalStore>>,
    setup: Arc<Setup>,
    types: PhantomData<fn() -> (C, W)>,
}

struct Setup {
    starts: Starts,
    /// Held while a cursor is looked for and taken.
    cursors: Mutex<()>,
    /// Held while a dead message is looked for and comes again.
    requeues: Mutex<()>,
}

impl PersistentBus {
    /// Opens the journal at `path` for any number of writers, or makes it. Only its owner may read and write a new
    /// file. Follows symbolic links; where a link points to nothing, makes the file there.
    ///
    /// Opening recovers the journal: it cleans up what a killed process left unfinished, reports damage in
    /// [`Recovered`], and steps over it. It never overwrites a message.
    ///
    /// It looks at what was written since the journal was last synced or opened; after a clean stop, at nothing but the
    /// unused end of the file. What stands before was whole then. The bus looks at it when a reader begins there, from
    /// there on, once, at the speed of memory: [`recovered`](Self::recovered) says what it has found. With
    /// [`verify`](PersistentOptions::verify) opening looks at everything.
    ///
    /// A process may die in this call, too. A new journal is there as a whole or not at all, and the next call finishes
    /// a recovery. (Where a file must have a name, as on other systems than Linux, a new one may stay behind as
    /// `.name.` and some digits.)
    ///
    /// # Errors
    ///
    /// [`JournalError`]: the file is as it was.
    #[cfg(not(rust_messenger_loom))]
    pub fn open(path: impl AsRef<Path>, options: PersistentOptions) -> Result<(Self, Recovered), JournalError> {
        open::open(path.as_ref(), options).map(Self::of)
    }

    /// The same bus in memory, without a file: for tests, and for Miri. Allocates its whole capacity at once.
    ///
    /// # Errors
    ///
    /// [`JournalError`].
    pub fn in_memory(options: PersistentOptions) -> Result<Self, JournalError> {
        Self::made_in_memory(options)
    }

    /// Whether a file stands beside the journal at `path` that has the name of a snapshot of this worker.
    #[doc(hidden)]
    pub fn has_snapshot(path: &Path, worker: &str) -> bool {
        snapshot::paths(path, worker).iter().any(|path| path.exists())
    }
}

impl PersistentBus<OneWriter> {
    /// As [`PersistentBus::open`], for one writer, which claims without a locked instruction. While that writer exists,
    /// the bus refuses a second one ([`NoWriter::Taken`]).
    ///
    /// # Errors
    ///
    /// As [`PersistentBus::open`].
    #[cfg(not(rust_messenger_loom))]
    pub fn open_one_writer(
        path: impl AsRef<Path>,
        options: PersistentOptions,
    ) -> Result<(Self, Recovered), JournalError> {
        open::open(path.as_ref(), options).map(Self::of)
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
    /// The same bus, whose readers wait by the strategy `V`.
    pub fn waiting<V: WaitStrategy>(self) -> PersistentBus<C, V> {
        PersistentBus { shared: self.shared, setup: self.setup, types: PhantomData }
    }

    /// Syncs the journal: all messages published so far survive a power failure. Returns the position up to which every
    /// fill has ended and everything is synced.
    ///
    /// # Errors
    ///
    /// The kind of the failure. What no earlier sync covered may be lost, and no later sync succeeds: open the journal
    /// again to see what it holds.
    pub fn sync(&self) -> Result<u64, io::ErrorKind> {
        self.shared.store.sync()
    }

    /// Applies [`PersistentOptions::retention`]: forgets the oldest messages, releases their disk space, and names what
    /// keeps more than the rules. The bus does so by itself once per second.
    ///
    /// # Errors
    ///
    /// The system's error when it releases the space.
    pub fn retain(&self) -> io::Result<Retained> {
        self.shared.store.retain(u64::MAX)
    }

    /// What opening the journal has found, and what was found since: where a reader begins in what opening had left out
    /// ([`Recovered::unchecked`]), everything from there on is looked at, and what is damaged is stepped over.
    pub fn recovered(&self) -> Recovered {
        lock(&self.shared.store.upkeep.unchecked.recovered).clone()
    }

    /// The bytes of the file that this bus in memory stands for, as a process leaves them that is killed now.
    #[doc(hidden)]
    pub fn image(&self) -> Vec<u8> {
        let region = self.shared.store.slots().region();
        let word = region.word(header::ALLOCATED as usize).load(Ordering::Relaxed);
        let mut image = vec![0; word::unchecked(header::ALLOCATED, word).unwrap_or(0) as usize];
        region.snapshot(0, &mut image);
        image
    }

    /// Opens a journal in memory whose bytes are `image`, as `open` does a file: with recovery.
    #[doc(hidden)]
    pub fn from_image(image: Vec<u8>, options: PersistentOptions) -> Result<(Self, Recovered), JournalError> {
        Self::from_copy(Path::new("(memory)"), image, options)
    }

    /// As [`from_image`](Self::from_image), of a copy of the file at `path`: errors name it.
    #[doc(hidden)]
    pub fn from_copy(
        path: &Path,
        image: Vec<u8>,
        options: PersistentOptions,
    ) -> Result<(Self, Recovered), JournalError> {
        let identity = read_identity(path, image.as_slice())?;
        let opening = Opening { path, identity, options, created: false };
        opening.in_memory(image, Box::new(Memory)).map(Self::of)
    }

    /// With the snapshots that stand beside the file at `path`, for all workers of the table to begin with. This bus in
    /// memory writes none.
    #[doc(hidden)]
    pub fn beside(self, path: &Path) -> Self {
        self.shared.store.keep_beside(path, self.setup.starts.table.map_or(&[], |table| table.workers));
        self
    }

    fn made_in_memory(options: PersistentOptions) -> Result<Self, JournalError> {
        let path = Path::new("(memory)");
        let identity = new_identity(path, &options)?;
        let image = identity.image((identity.header_len() + first_step(options.step)).next_multiple_of(PAGE));
        let made = Opening { path, identity, options, created: true };
        made.in_memory(image, Box::new(Memory)).map(|opened| Self::of(opened).0)
    }

    fn of(opened: Opened) -> (Self, Recovered) {
        let Opened { store, background, starts, silent_after, recovered } = opened;
        let times = Times { silence: silent_after, ..Times::default() };
        let shared = Arc::new(Shared::new(store, background, times));
        let setup = Arc::new(Setup { starts, cursors: Mutex::new(()), requeues: Mutex::new(()) });
        (PersistentBus { shared, setup, types: PhantomData }, recovered)
    }

    fn start_of(&self, name: &str, kind: Kind) -> Start {
        match self.setup.starts.of(name) {
            Start::Resume | Start::Rebuild if kind == Kind::Evictable => Start::Latest,
            start => start,
        }
    }

    fn reader(&self, name: &str, kind: Kind) -> Result<RingReader<W, JournalStore>, SubscribeError> {
        let (shared, store) = (&self.shared, &self.shared.store);
        match self.start_of(name, kind) {
            Start::Latest => RingReader::new(shared, kind, name, |standing| Ok(standing.tail())),
            Start::Oldest => {
                store.check_from(store.gate_now())?;
                RingReader::new(shared, kind, name, |standing| Ok(standing.gate()))
            }
            Start::At(asked) => {
                store.check_from(asked)?;
                RingReader::new(shared, kind, name, |standing| Ok(store.found(standing, asked)?))
            }
            Start::Resume => self.resume(name, Kind::Gating, None),
            Start::Rebuild => self.rebuilt(name, kind),
        }
    }

    /// A reader that begins with history: that behind the newest snapshot, or else all of it.
    fn rebuilt(&self, name: &str, kind: Kind) -> Result<RingReader<W, JournalStore>, SubscribeError> {
        let store = &self.shared.store;
        let table = self.setup.starts.table.ok_or(CursorError::NoSources)?;
        let worker = table.workers.iter().find(|worker| worker.name == name).ok_or(CursorError::NoSources)?;
        let beginning = store.beginning(worker, u64::MAX);
        let (snapshot, oldest_snapshot) =
            beginning.as_ref().map_or((None, None), |beginning| (beginning.position, beginning.oldest));
        store.check_from(snapshot.unwrap_or_else(|| store.gate_now()))?;
        let mut rebuild = None;
        let mut reader = RingReader::new(&self.shared, kind, name, |standing| {
            let (first, oldest, tail) = (store.first(), standing.gate(), standing.tail());
            // Where it begins if nothing else can be loaded.
            let last_resort = match oldest_snapshot {
                _ if oldest == first => first,
                Some(position) => store.found(standing, position)?,
                None => return Err(CursorError::HistoryGone { first, oldest }.into()),
            };
            let from = snapshot.unwrap_or(last_resort);
            rebuild = Some((from, Rebuild::new(table, name, from, tail).ok_or(CursorError::NoSources)?));
            Ok(last_resort)
        })?;
        if let Some((from, rebuild)) = rebuild {
            reader.begin_at(from);
            let dead = store.dead_of(name, from, rebuild.end());
            let rebuild = rebuild.without(dead);
            // With a snapshot `on_start` is history, whether or not there is more.
            if rebuild.end() > from || snapshot.is_some() {
                store.begin_rebuild(reader.index(), rebuild);
            }
            if let Some(beginning) = beginning {
                store.begin_keeping(reader.index(), worker, from, beginning.begin);
            }
        }
        reader.rebuilds = true;
        Ok(reader)
    }

    /// A reader with a named cursor, which begins there if it is not told where.
    fn resume(&self, name: &str, kind: Kind, from: Option<u64>) -> Result<RingReader<W, JournalStore>, SubscribeError> {
        let _cursors = lock(&self.setup.cursors);
        let store = &self.shared.store;
        let (bytes, check) = header::cursor_name(name).ok_or(CursorError::Name)?;
        let begins = from.or_else(|| store.find_cursor(name)?.1).unwrap_or(0);
        store.check_from(begins.max(store.gate_now()))?;
        let mut at = 0;
        let reader = RingReader::new(&self.shared, kind, name, |standing| {
            let oldest = standing.gate();
            let from = from.map(|from| store.found(standing, from)).transpose()?;
            let (place, position) = match (store.find_cursor(name), from) {
                (Some((place, _)), _) if store.is_attached(place) => return Err(CursorError::InUse.into()),
                (Some((place, _)), Some(from)) => (place, from),
                (Some((_, None)), None) => return Err(CursorError::Damaged.into()),
                (Some((place, Some(position))), None) => (place, store.found(standing, position.max(oldest))?),
                (None, from) => {
                    let (max, position) = (header::CURSOR_COUNT, from.unwrap_or(oldest));
                    let made = store.make_cursor(&bytes, check, position);
                    (made.ok_or(CursorError::TooMany { max })?, position)
                }
            };
            at = place;
            Ok(position)
        })?;
        store.attach_cursor(reader.index(), at);
        Ok(reader)
    }
}

/// Named cursors, for those who administer a journal.
impl<C: Claim, W: WaitStrategy> PersistentBus<C, W> {
    /// The named cursors that are whole: the reader of this name has handled everything before the position.
    pub fn cursors(&self) -> BTreeMap<String, u64> {
        self.shared.store.cursors().into_iter().collect()
    }

    /// Removes the cursor of this name: it then keeps nothing from retention. Returns false if there is none, or a
    /// reader holds it.
    pub fn remove_cursor(&self, name: &str) -> bool {
        let _cursors = lock(&self.setup.cursors);
        let store = &self.shared.store;
        match (store.find_cursor(name), store.cursor_index(name)) {
            (Some((at, _)), Some(index)) if !store.is_attached(at) => {
                store.remove_cursor(index);
                true
            }
            _ => false,
        }
    }

    /// Moves the cursor of this name to `position`, where a slot begins, or to the tail: the next reader that resumes
    /// under the name begins there. Mends a damaged cursor.
    ///
    /// Use it to step over a message at which a handler always fails. After a panic, the header in
    /// [`Cause::Panicked`](crate::messenger::Cause::Panicked) holds the message's position. After any other failure,
    /// the cursor stands there: a worker that ends has released everything that it had handled. Go on with [the
    /// position after it](Self::position_after).
    ///
    /// ```
    /// # #[cfg(all(unix, not(miri)))] { // Megabytes of memory take Miri many minutes.
    /// use rust_messenger::message_bus::{PersistentBus, PersistentOptions, Start};
    /// use rust_messenger::traits::{MessageBus, Publish, Reader};
    ///
    /// let options = PersistentOptions { start: Start::Resume, ..PersistentOptions::default() };
    /// let bus = PersistentBus::in_memory(PersistentOptions { capacity: 1 << 26, ..options })?;
    /// let poison = bus.tail();
    /// bus.writer()?.write_bytes(1, 2, b"poison")?;
    /// bus.writer()?.write_bytes(1, 2, b"bread")?;
    /// drop(bus.subscribe("Kitchen")?); // It ended at its first message.
    ///
    /// assert_eq!(bus.cursors()["Kitchen"], poison);
    /// bus.set_cursor("Kitchen", bus.position_after(poison)?)?;
    /// assert_eq!(bus.subscribe("Kitchen")?.try_read(|_, payload| payload.to_vec())?, b"bread");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`CursorError`]; the cursor stays where it is.
    pub fn set_cursor(&self, name: &str, position: u64) -> Result<(), CursorError> {
        let _cursors = lock(&self.setup.cursors);
        let store = &self.shared.store;
        let (at, _) = store.find_cursor(name).ok_or(CursorError::NoSuchCursor)?;
        if store.is_attached(at) {
            return Err(CursorError::InUse);
        }
        store.check_from(position)?;
        store.move_cursor(at, position, |standing| store.found(standing, position).map(drop))
    }

    /// The position after the slot at `position`: the next slot's, or the tail.
    ///
    /// # Errors
    ///
    /// [`CursorError::NotRetained`]; [`CursorError::NoSuchPosition`], also for a slot whose fill has not ended.
    pub fn position_after(&self, position: u64) -> Result<u64, CursorError> {
        self.shared.store.position_after(position)
    }
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
    type Reader = RingReader<W, JournalStore>;
    type BusWriter = RingWriter<C, W, JournalStore>;

    const MANY_WRITERS: bool = <C as claim::sealed::Claim>::MANY;

    /// Adds a reader that begins where [`PersistentOptions::starts`] says.
    fn subscribe(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        self.reader(name, Kind::Gating)
    }

    fn subscribe_latest(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        RingReader::new(&self.shared, Kind::Gating, name, |standing| Ok(standing.tail()))
    }

    fn subscribe_evictable(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        self.reader(name, Kind::Evictable)
    }

    fn subscribe_held(&self, name: &str, from: Option<u64>) -> Result<Self::Reader, SubscribeError> {
        self.resume(name, Kind::Held, from)
    }

    fn released(&self) -> u64 {
        self.shared.released()
    }

    fn writer(&self) -> Result<Self::BusWriter, NoWriter> {
        RingWriter::new(&self.shared, Role::Outside)
    }

    fn worker_writer(&self, reader: &Self::Reader) -> Result<Self::BusWriter, NoWriter> {
        RingWriter::new(&self.shared, Role::Worker(reader.index()))
    }

    fn importer(&self, node: &str, incarnation: u64) -> Result<Box<dyn Import>, ImportError> {
        Ok(Box::new(JournalImporter::<C, W>::new(&self.shared, node, incarnation)?))
    }

    fn requeue(&self, position: u64) -> Result<(), RequeueError> {
        let _requeues = lock(&self.setup.requeues);
        requeue::<C, W>(&self.shared, position)
    }

    fn close(&self) {
        self.shared.close();
    }

    fn wake(&self) {
        self.shared.wake();
    }

    fn tail(&self) -> u64 {
        self.shared.control().tail().load(Ordering::Acquire) // SYNC POINT claim.tail
    }

    fn max_payload(&self) -> usize {
        self.shared.store.slots().max_payload()
    }

    fn stats(&self) -> Stats {
        self.shared.stats()
    }
}
