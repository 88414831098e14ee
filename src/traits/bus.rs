//! Byte slots in one order: what a bus is, how it is written, and what it counts.

use super::dead_letter::RequeueError;
use super::error::{EncodeError, NoWriter, SubscribeError, WriteError};
use super::import::{Import, ImportError};
use super::message::{Bytes, Fill, Payload};
use super::reader::{Interest, Poller, Reader};
use super::time::Time;
use crate::mmap::Space;
use crate::sync::nap;
use std::sync::Arc;
use std::time::Duration;

/// The writing side of a bus.
///
/// `source` and `message` become the ids in the reader's [`Header`](super::Header). A `try_` method never waits. The
/// other methods wait for room; inside a worker they never wait, and put the message into its outbox when the bus is
/// full.
///
/// ```
/// use rust_messenger::CircularBus;
/// use rust_messenger::traits::{MessageBus, Publish, Reader};
///
/// let bus = CircularBus::new(64 * 1024)?;
/// let mut reader = bus.subscribe("example")?;
/// let writer = bus.writer()?;
/// writer.write(1, 2, 4, |payload| payload.copy_from_slice(b"fill"))?;
/// writer.try_write_bytes(1, 2, b"copy")?;
/// assert_eq!(reader.try_read(|_, payload| payload.to_vec())?, b"fill");
/// assert_eq!(reader.try_read(|_, payload| payload.to_vec())?, b"copy");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Publish {
    /// Claims a slot for `payload`, fills it and publishes it, if the bus has room now.
    ///
    /// # Errors
    ///
    /// [`WriteError`]: readers see nothing of it. After [`WriteError::Full`] you may try the same `payload` again.
    fn try_put<P: Payload>(&self, source: u16, message: u16, payload: &mut P) -> Result<(), WriteError>;

    /// Waits until [`try_put`](Self::try_put) of `size` bytes may succeed, or the bus is closed. May return early.
    fn wait_for_room(&self, size: usize);

    /// As [`wait_for_room`](Self::wait_for_room), but waits for `timeout` at most: not at all for zero, and without a
    /// limit for a time that no clock reaches, such as [`Duration::MAX`].
    ///
    /// Provided: sleeps for a millisecond at most, whatever happens meanwhile. A bus that wakes its writers does
    /// better.
    fn wait_for_room_at_most(&self, size: usize, timeout: Duration) {
        let _ = size;
        nap(timeout.min(Duration::from_millis(1)));
    }

    /// As [`try_put`](Self::try_put), but waits for room.
    ///
    /// # Errors
    ///
    /// [`WriteError`], but never [`WriteError::Full`].
    #[inline(always)]
    fn put<P: Payload>(&self, source: u16, message: u16, payload: &mut P) -> Result<(), WriteError> {
        loop {
            match self.try_put(source, message, payload) {
                Err(WriteError::Full) => self.wait_for_room(payload.size()),
                done => return done,
            }
        }
    }

    /// Claims a slot of `size` bytes and lends them to `fill` as a [`Space`], in place and without zeroing them first,
    /// if the bus has room now.
    ///
    /// # Errors
    ///
    /// [`WriteError`]: readers see nothing of it; also if `fill` says why it cannot.
    ///
    /// # Panics
    ///
    /// When `fill` does, as [`try_write`](Self::try_write).
    #[inline]
    fn try_fill(
        &self,
        source: u16,
        message: u16,
        size: usize,
        fill: impl FnOnce(&mut Space<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), WriteError> {
        self.try_put(source, message, &mut Fill { size, fill: Some(fill) })
    }

    /// As [`try_fill`](Self::try_fill), but waits for room.
    ///
    /// # Errors
    ///
    /// [`WriteError`], but never [`WriteError::Full`]: readers see nothing of it.
    ///
    /// # Panics
    ///
    /// When `fill` does, as [`try_write`](Self::try_write).
    #[inline]
    fn fill(
        &self,
        source: u16,
        message: u16,
        size: usize,
        fill: impl FnOnce(&mut Space<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), WriteError> {
        self.put(source, message, &mut Fill { size, fill: Some(fill) })
    }

    /// Claims a slot of `size` zeroed bytes and lets `fill` write them in place, if the bus has room now.
    ///
    /// # Errors
    ///
    /// [`WriteError`]: readers see nothing of it.
    ///
    /// # Panics
    ///
    /// When `fill` does. The bus then seals the slot: readers step over it.
    #[inline]
    fn try_write(
        &self,
        source: u16,
        message: u16,
        size: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<(), WriteError> {
        self.try_fill(source, message, size, |space| {
            fill(space.zeroed());
            Ok(())
        })
    }

    /// As [`try_write`](Self::try_write), but waits for room.
    ///
    /// # Errors
    ///
    /// [`WriteError`], but never [`WriteError::Full`]: readers see nothing of it.
    ///
    /// # Panics
    ///
    /// When `fill` does, as [`try_write`](Self::try_write).
    #[inline]
    fn write(&self, source: u16, message: u16, size: usize, fill: impl FnOnce(&mut [u8])) -> Result<(), WriteError> {
        self.fill(source, message, size, |space| {
            fill(space.zeroed());
            Ok(())
        })
    }

    /// Writes a copy of `payload`, if the bus has room now. The fastest way in: one copy, no zeroing.
    ///
    /// # Errors
    ///
    /// [`WriteError`]: readers see nothing of it.
    #[inline(always)]
    fn try_write_bytes(&self, source: u16, message: u16, payload: &[u8]) -> Result<(), WriteError> {
        self.try_put(source, message, &mut Bytes(payload))
    }

    /// As [`try_write_bytes`](Self::try_write_bytes), but waits for room.
    ///
    /// # Errors
    ///
    /// [`WriteError`], but never [`WriteError::Full`]: readers see nothing of it.
    #[inline(always)]
    fn write_bytes(&self, source: u16, message: u16, payload: &[u8]) -> Result<(), WriteError> {
        self.put(source, message, &mut Bytes(payload))
    }
}

/// A bus: slots in one order, with many readers.
///
/// A clone is a second handle on the same memory. [`message_bus`](crate::message_bus) lists the laws that every bus
/// keeps.
///
/// ```
/// use rust_messenger::CircularBus;
/// use rust_messenger::traits::{MessageBus, Publish, Reader, WriteError};
///
/// fn first_and_last(bus: impl MessageBus) -> Result<(), Box<dyn std::error::Error>> {
///     let mut reader = bus.subscribe("reader")?;
///     let writer = bus.writer()?;
///     writer.write_bytes(1, 1, b"first")?;
///     bus.close();
///     assert_eq!(writer.write_bytes(1, 1, b"late"), Err(WriteError::Closed));
///     assert_eq!(reader.read(|_, payload| payload.to_vec())?, b"first");
///     assert_eq!(bus.stats().messages, 1);
///     Ok(())
/// }
///
/// first_and_last(CircularBus::new(64 * 1024)?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait MessageBus: Clone + Send + Sync + 'static {
    /// Sees every message claimed since its subscription, once, in order.
    type Reader: Reader + Send + 'static;
    /// The writer, of a worker or from outside.
    type BusWriter: BusWriter + Send + 'static;

    /// Whether the bus allows any number of writers at once. If not, only one worker of a routing table may send.
    const MANY_WRITERS: bool;

    /// Whether other processes may be on the bus, with readers and writers of their own. A messenger on it holds back
    /// nobody while it [stops](crate::messenger::Messenger::stop), and takes a handler marked `#[allow(unrouted)]` for
    /// one that sends.
    ///
    /// Provided: no.
    fn is_shared(&self) -> bool {
        false
    }

    /// Sleeps as readers of this bus do, for whoever waits on it in a way of its own: until `ready` or for `limit`, in
    /// a poller until that returns. Provided: false, it has not slept.
    #[doc(hidden)]
    fn park(
        &self,
        poller: Option<&Arc<dyn Poller>>,
        interest: Interest,
        limit: Option<Duration>,
        ready: &mut dyn FnMut() -> bool,
    ) -> bool {
        let _ = (poller, interest, limit, ready);
        false
    }

    /// Adds a reader that starts at the tail. It gates the bus: writers wait for it. [`stats`](Self::stats) shows
    /// `name`.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`].
    fn subscribe(&self, name: &str) -> Result<Self::Reader, SubscribeError>;

    /// As [`subscribe`](Self::subscribe), but the reader starts at the tail whatever start the options name for it, and
    /// the bus keeps no cursor for it.
    ///
    /// Provided: calls `subscribe`, for buses on which every reader starts at the tail.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`].
    fn subscribe_latest(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        self.subscribe(name)
    }

    /// Adds an **evictable** reader: writers do not wait for it. When it is the one that makes the bus full, the bus
    /// moves it on, and its next read returns [`ReadError::Lagged`](super::ReadError::Lagged). It holds a writer back
    /// for one copy of a message at most.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`]; [`SubscribeError::NotEvictable`] of a bus that has no such readers.
    fn subscribe_evictable(&self, name: &str) -> Result<Self::Reader, SubscribeError>;

    /// Adds a **held** reader, for whoever hands messages on and may have to hand them on again. It gates the bus, and
    /// nothing but [`Reader::release_to`] lets go of what it has read: no batch, no wait, not its drop. Until then it
    /// can [go back](Reader::rewind_to).
    ///
    /// It begins at `from`, where a slot begins or at the tail. `None` stands for where it was: on a journal the named
    /// cursor `name`, which is made at the oldest message if there is none; on any other bus the tail. On a journal the
    /// cursor moves with `release_to` alone.
    ///
    /// On a ring what it has read and not released, its window, stays below a quarter of the capacity. At the limit it
    /// is not [ready](Reader::ready), and a read says [`ReadError::WindowFull`](super::ReadError::WindowFull). A
    /// journal sets no limit.
    ///
    /// Provided: [`SubscribeError::Unsupported`].
    ///
    /// ```
    /// use rust_messenger::CircularBus;
    /// use rust_messenger::traits::{MessageBus, Publish, Reader};
    ///
    /// let bus = CircularBus::new(64 * 1024)?;
    /// let mut reader = bus.subscribe_held("away", None)?;
    /// let writer = bus.writer()?;
    /// for text in ["one", "two", "three"] {
    ///     writer.write_bytes(1, 1, text.as_bytes())?;
    /// }
    /// let mut hand_on = |reader: &mut _| Reader::try_read(reader, |_, payload| payload.to_vec());
    /// assert_eq!(hand_on(&mut reader)?, b"one");
    /// let second = reader.position();
    /// assert_eq!(hand_on(&mut reader)?, b"two");
    ///
    /// reader.release_to(second)?; // The other side has the first one,
    /// reader.rewind_to(second)?; // and has lost the second one.
    /// assert_eq!(hand_on(&mut reader)?, b"two");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SubscribeError`]. A position at which no slot begins, or that somebody is about to write behind, is
    /// [`CursorError::NoSuchPosition`](super::CursorError::NoSuchPosition); one that is gone,
    /// [`NotRetained`](super::CursorError::NotRetained).
    fn subscribe_held(&self, name: &str, from: Option<u64>) -> Result<Self::Reader, SubscribeError> {
        let _ = (name, from);
        Err(SubscribeError::Unsupported)
    }

    /// The position before which every gating reader has let go, held ones not counted; the tail if there is none. It
    /// goes back only where a reader of a journal begins in the past.
    ///
    /// Provided: from [`stats`](Self::stats).
    fn released(&self) -> u64 {
        let Stats { tail, readers, .. } = self.stats();
        let gating = readers.into_iter().filter(|reader| !reader.evictable && !reader.held);
        gating.map(|reader| reader.position).fold(tail, |low, position| {
            // Positions wrap around the end of u64.
            if (position.wrapping_sub(low) as i64) < 0 { position } else { low }
        })
    }

    /// Makes a writer from outside the workers. While workers run on the bus, it is the first to find it full: part of
    /// the room is theirs.
    ///
    /// # Errors
    ///
    /// [`NoWriter`].
    fn writer(&self) -> Result<Self::BusWriter, NoWriter>;

    /// Makes the writer of the worker that reads with `reader`.
    ///
    /// # Errors
    ///
    /// [`NoWriter`].
    fn worker_writer(&self, reader: &Self::Reader) -> Result<Self::BusWriter, NoWriter>;

    /// Makes a writer for what comes from the bus of another node, in one of its lives, which `incarnation` tells from
    /// the others: the id of its journal, say. There is one for a node at a time.
    ///
    /// A `PersistentBus` keeps an account of what is there: [`Import::last`] goes on where it was, in whatever process,
    /// and nothing is written twice.
    ///
    /// Provided: writes what it is given, and keeps no account.
    ///
    /// ```
    /// # #[cfg(all(unix, not(miri)))] { // Megabytes of memory take Miri many minutes.
    /// use rust_messenger::message_bus::{PersistentBus, PersistentOptions};
    /// use rust_messenger::traits::{ImportError, MessageBus};
    ///
    /// let bus = PersistentBus::in_memory(PersistentOptions { capacity: 1 << 26, ..PersistentOptions::default() })?;
    /// let mut berlin = bus.importer("berlin", 7)?;
    /// assert_eq!(berlin.last(), None);
    /// berlin.try_write(4096, 1, 2, b"hello")?;
    /// assert_eq!(berlin.try_write(4096, 1, 2, b"hello"), Err(ImportError::AlreadyThere { last: 4096 }));
    /// assert_eq!(bus.stats().messages, 1);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ImportError`].
    fn importer(&self, node: &str, incarnation: u64) -> Result<Box<dyn Import>, ImportError> {
        let _ = (node, incarnation);
        Ok(Box::new(Unaccounted(self.writer().map_err(ImportError::Writer)?)))
    }

    /// Appends the message at `position`, which a [`DeadLetter`](super::DeadLetter) calls dead, once more: with its
    /// source, at another position, and without a cause. [`Messenger::requeue`](crate::messenger::Messenger::requeue)
    /// says who gets it.
    ///
    /// A `PersistentBus` does so once for each dead message, in whatever process: the slot of what comes again says
    /// where it was dead, and is committed with that or not at all. It reads the journal from `position` to the end.
    ///
    /// Provided: [`RequeueError::NoJournal`].
    ///
    /// # Errors
    ///
    /// [`RequeueError`]: nothing was appended, unless the disk failed ([`WriteError::Storage`]). Asked again, it says
    /// what there is.
    fn requeue(&self, position: u64) -> Result<(), RequeueError> {
        let _ = position;
        Err(RequeueError::NoJournal)
    }

    /// Closes the bus: from now on writers from outside get [`WriteError::Closed`]. Workers may still write. Readers
    /// read to the end and then get [`ReadError::Closed`](super::ReadError::Closed). Idempotent.
    fn close(&self);

    /// The messenger of this handle was stopped, and will handle what is on the bus by now. Provided: does nothing.
    #[doc(hidden)]
    fn drains(&self) {}

    /// Ends every wait on this bus once. The threads that waited return and look around.
    fn wake(&self);

    /// The position of the next message.
    fn tail(&self) -> u64;

    /// The largest payload in bytes.
    fn max_payload(&self) -> usize;

    /// The counters. Takes them without disturbing readers and writers.
    fn stats(&self) -> Stats;
}

/// Imports into a bus that keeps no account of it.
struct Unaccounted<W>(W);

impl<W: BusWriter + Send> Import for Unaccounted<W> {
    fn last(&self) -> Option<u64> {
        None
    }

    fn try_write(&mut self, _: u64, source: u16, message: u16, payload: &[u8]) -> Result<(), ImportError> {
        self.0.try_write_bytes(source, message, payload).map_err(ImportError::Write)
    }

    fn wait_for_room_at_most(&self, size: usize, timeout: Duration) {
        self.0.wait_for_room_at_most(size, timeout);
    }
}

/// What a worker needs of its bus besides writing: fair turns when the bus is full.
///
/// A worker never waits for room, because it may be the slowest reader itself. What it cannot write goes to its outbox.
/// The worker flushes the outbox before anything else, and only while no older ticket is pending. Until the outbox is
/// empty, it reads new messages only while it [is the slowest](Self::is_slowest). So the slowest reader can always
/// move, and no cycle of workers deadlocks.
///
/// ```
/// use rust_messenger::CircularBus;
/// use rust_messenger::traits::{BusWriter, MessageBus, Publish, WriteError};
///
/// let bus = CircularBus::new(1024)?;
/// let reader = bus.subscribe("worker")?;
/// let worker = bus.worker_writer(&reader)?;
/// while worker.has_room(100) {
///     worker.try_write_bytes(1, 1, &[0; 100])?;
/// }
/// // The message that found no room waits in the outbox, and nobody comes before it.
/// worker.take_ticket();
/// assert_eq!(bus.writer()?.try_write_bytes(2, 2, b"later"), Err(WriteError::Full));
/// assert!(worker.is_slowest(), "so it must read on");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait BusWriter: Publish {
    /// Joins the queue behind every outbox that is pending now.
    fn take_ticket(&self);

    /// Leaves the queue.
    fn give_up_ticket(&self);

    /// Whether no reader is behind the reader of this worker.
    fn is_slowest(&self) -> bool;

    /// Whether [`try_put`](Publish::try_put) of `size` bytes would now return something other than
    /// [`WriteError::Full`].
    fn has_room(&self, size: usize) -> bool;

    /// Records the size of the outbox, in bytes, for [`ReaderStats::outbox_high_water`]. It is told when
    /// something was put there, and before the worker sleeps; when the last ticket was given up, it is empty.
    fn record_outbox(&self, bytes: usize);

    /// A count that grows by one with each message that this writer publishes, of which only differences mean anything.
    /// A bus that [is shared](MessageBus::is_shared) has it, for [`Summary::after_stop`].
    ///
    /// Provided: always 0.
    ///
    /// [`Summary::after_stop`]: crate::messenger::Summary::after_stop
    fn written(&self) -> u64 {
        0
    }

    /// The recorded time of the message that this worker is handling, on a bus that records times. [`Writer::now`]
    /// returns it meanwhile, so a handler sees the same time when a rebuild replays the message.
    ///
    /// Provided: `None`.
    ///
    /// [`Writer::now`]: super::Writer::now
    #[inline]
    fn time(&self) -> Option<Time> {
        None
    }

    /// Ends the handling of a message. The worker calls it while the message is still the next one.
    ///
    /// # Errors
    ///
    /// [`WriteError::Diverged`]: in a rebuild, the handlers sent less than the journal holds.
    #[inline]
    fn settle(&self) -> Result<(), WriteError> {
        Ok(())
    }
}

/// The counters of a bus at one moment. Positions and lags are in bytes of the bus, slot headers and padding included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Messages published.
    pub messages: u64,
    /// Payload bytes published.
    pub bytes: u64,
    /// How often a write found no room.
    pub full: u64,
    /// Slots sealed: the fill failed or panicked, or its writer stayed silent and a reader fenced it.
    pub sealed: u64,
    /// Messages that a source of the routing table sent and that no route carries: see
    /// [`Report::Unrouted`](super::Report::Unrouted). The messenger's first worker counts them while it runs, each
    /// message once, whatever a rebuild replays.
    ///
    /// It does not count messages of handlers marked `#[allow(unrouted)]`, nor the events that a bridge sends by
    /// itself, nor messages of sources that the table does not name: those may belong to another table. If two tables
    /// on one bus name the same source, it belongs to both.
    ///
    /// A bus knows no table: [`MessageBus::stats`] says 0, [`Messenger::stats`](crate::messenger::Messenger::stats) the
    /// count.
    pub unrouted: u64,
    /// The position of the next message.
    pub tail: u64,
    /// One entry for each reader.
    pub readers: Vec<ReaderStats>,
}

/// The counters of one reader.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReaderStats {
    /// The name given at subscription, cut to 31 bytes.
    pub name: String,
    /// The reader has released everything before this position.
    pub position: u64,
    /// How far the reader is behind the tail, in bytes of the bus.
    pub lag: u64,
    /// Whether the bus may move the reader on instead of waiting for it.
    pub evictable: bool,
    /// Whether the reader is [held](MessageBus::subscribe_held).
    pub held: bool,
    /// The most bytes that its worker's outbox ever held.
    pub outbox_high_water: u64,
}
