//! Byte slots in one order: what a bus is, how it is written and read, and what it counts.

use super::error::{EncodeError, NoWriter, ReadError, SubscribeError, WriteError};
use super::message::{Bytes, Fill, Header, Payload};
use super::time::Time;
use crate::mmap::Space;
use crate::sync::nap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The writing side of a bus.
///
/// `source` and `message` become the ids in the reader's [`Header`]. A `try_` method never waits. The other methods
/// wait for room; inside a worker they never wait, and put the message into its outbox when the bus is full.
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
    /// moves it on, and its next read returns [`ReadError::Lagged`]. It holds a writer back for one copy of a message
    /// at most.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`]; [`SubscribeError::NotEvictable`] of a bus that has no such readers.
    fn subscribe_evictable(&self, name: &str) -> Result<Self::Reader, SubscribeError>;

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

    /// Closes the bus: from now on writers from outside get [`WriteError::Closed`]. Workers may still write. Readers
    /// read to the end and then get [`ReadError::Closed`]. Idempotent.
    fn close(&self);

    /// Ends every wait on this bus once. The threads that waited return and look around.
    fn wake(&self);

    /// The position of the next message.
    fn tail(&self) -> u64;

    /// The largest payload in bytes.
    fn max_payload(&self) -> usize;

    /// The counters. Takes them without disturbing readers and writers.
    fn stats(&self) -> Stats;
}

/// What a batch does after a message: see [`Reader::try_read_up_to`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The message is handled: on to the next one.
    Go,
    /// The message is handled, and the last one of this batch.
    Stop,
    /// The message is not handled: it ends the batch and stays the next one.
    Keep,
}

/// One reader of a bus. Dropping it unsubscribes it.
///
/// ```
/// use rust_messenger::CircularBus;
/// use rust_messenger::traits::{MessageBus, Publish, ReadError, Reader};
/// use std::time::Duration;
///
/// let bus = CircularBus::new(64 * 1024)?;
/// let mut reader = bus.subscribe("reader")?;
/// bus.writer()?.write_bytes(1, 2, b"hello")?;
/// let (source, text) = reader.read(|header, payload| (header.source, payload.to_vec()))?;
/// assert_eq!((source, text.as_slice()), (1, b"hello".as_slice()));
///
/// reader.wait(Some(Duration::from_millis(1)));
/// assert_eq!(reader.try_read(|_, _| ()), Err(ReadError::Empty));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Reader {
    /// Passes the next message to `deliver`, and steps over it when `deliver` returns. If `deliver` panics, the message
    /// stays the next one.
    ///
    /// # Errors
    ///
    /// [`ReadError::Empty`] if there is no message yet; [`ReadError::Lagged`] and [`ReadError::Closed`].
    fn try_read<R>(&mut self, deliver: impl FnOnce(&Header, &[u8]) -> R) -> Result<R, ReadError>;

    /// As [`try_read`](Self::try_read), but steps over the message only if `handle` returns true: it handled the
    /// message. Otherwise the message stays the next one, and so does a cursor that the bus keeps for a restart.
    /// Returns what `handle` returned.
    ///
    /// Provided: steps over the message either way. That is right where no cursor outlives its reader.
    ///
    /// # Errors
    ///
    /// As [`try_read`](Self::try_read).
    #[inline]
    fn try_handle(&mut self, handle: impl FnOnce(&Header, &[u8]) -> bool) -> Result<bool, ReadError> {
        self.try_read(handle)
    }

    /// Passes up to `most` messages to `handle`, one after the other, and steps over each as its [`Next`] says: cheaper
    /// than as many calls of [`try_handle`](Self::try_handle), for what a reader keeps stays in registers. If `handle`
    /// panics, its message stays the next one.
    ///
    /// Returns how many it stepped over: `most`, or fewer if `handle` ended the batch.
    ///
    /// Provided: by [`try_handle`](Self::try_handle), so a message is kept if that keeps it.
    ///
    /// ```
    /// use rust_messenger::message_bus::CircularBus;
    /// use rust_messenger::traits::{MessageBus, Next, Publish, ReadError, Reader};
    ///
    /// let bus = CircularBus::new(1024)?;
    /// let mut reader = bus.subscribe("numbers")?;
    /// let writer = bus.writer()?;
    /// for number in 0..3u8 {
    ///     writer.try_write_bytes(1, 1, &[number])?;
    /// }
    /// let mut sum = 0;
    /// let mut add = |_: &_, payload: &[u8]| {
    ///     sum += payload[0];
    ///     Next::Go
    /// };
    /// assert_eq!(reader.try_read_up_to(2, &mut add), Ok(2));
    /// // The third one was handled, too, before there was no more.
    /// assert_eq!(reader.try_read_up_to(2, &mut add), Err(ReadError::Empty));
    /// assert_eq!(sum, 0 + 1 + 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`try_read`](Self::try_read): why there was no message after those that were handled, if any.
    #[inline]
    fn try_read_up_to(&mut self, most: usize, handle: impl FnMut(&Header, &[u8]) -> Next) -> Result<usize, ReadError> {
        one_by_one(self, most, handle)
    }

    /// As [`try_read`](Self::try_read), but waits for a message.
    ///
    /// # Errors
    ///
    /// [`ReadError`]; [`ReadError::Empty`] when [`MessageBus::wake`] ended the wait.
    #[inline]
    fn read<R>(&mut self, deliver: impl FnOnce(&Header, &[u8]) -> R) -> Result<R, ReadError> {
        let mut deliver = Some(deliver);
        // Called at most once: a read that calls it succeeds, and only one that did not is repeated.
        let mut once = |header: &Header, payload: &[u8]| deliver.take().map(|deliver| deliver(header, payload));
        let mut result = self.try_read(&mut once);
        if let Err(ReadError::Empty) = result {
            self.wait(None);
            result = self.try_read(&mut once);
        }
        result.and_then(|delivered| delivered.ok_or(ReadError::Empty))
    }

    /// Whether the next read returns at once: a message, or [`ReadError::Lagged`].
    fn ready(&mut self) -> bool;

    /// Waits until `done` returns true, somebody has called [`MessageBus::wake`] since the last wait, or `timeout` has
    /// passed (`None`: without limit). Releases what was read. Calls `done` again after each change of the kind that
    /// `interest` names; `done` must not wait.
    fn wait_until(&mut self, timeout: Option<Duration>, interest: Interest, done: impl FnMut(&mut Self) -> bool);

    /// As [`wait_until`](Self::wait_until), but sleeps in `poller`, without spinning first, and returns whenever
    /// `poller` does.
    fn wait_in(
        &mut self,
        poller: &Arc<dyn Poller>,
        timeout: Option<Duration>,
        interest: Interest,
        done: impl FnMut(&mut Self) -> bool,
    );

    /// Waits for a message: [`wait_until`](Self::wait_until) the reader is [`ready`](Self::ready).
    fn wait(&mut self, timeout: Option<Duration>) {
        self.wait_until(timeout, Interest::Messages, Self::ready);
    }

    /// Fences the next message if its fill has been silent for too long, and steps over it. Otherwise returns how long
    /// to wait before the next call; `None` if no writer is filling a slot at this position.
    ///
    /// Provided: `None`, for buses on which a message takes its place when its fill has ended.
    fn unblock(&mut self) -> Option<Duration> {
        None
    }

    /// The position of the next message.
    fn position(&self) -> u64;

    /// Releases everything that was read: writers may reuse its bytes. A reader releases by itself at least once per
    /// eighth of the capacity, and before each wait.
    ///
    /// Provided: does nothing, for readers that release each message as they step over it.
    #[inline]
    fn release(&mut self) {}

    /// Whether the next message is history: a rebuild hands it to the handlers again. The worker calls no `on_loop`
    /// until the history ends.
    #[inline]
    fn is_replaying(&self) -> bool {
        false
    }

    /// Whether the reader begins with a rebuild, if there is history.
    fn rebuilds(&self) -> bool {
        false
    }

    /// Steps over the next message without reading it.
    ///
    /// # Errors
    ///
    /// As [`try_read`](Self::try_read).
    fn skip(&mut self) -> Result<(), ReadError> {
        self.try_read(|_, _| ())
    }

    /// Counts the unread messages before `end`, for a reader that reads no more. Waits for unfinished fills, for
    /// `patience` in all. Moves no cursor that the bus keeps for a restart.
    ///
    /// Provided: [skips](Self::skip) the messages that are there, and waits for none.
    fn unread(&mut self, end: u64, patience: Duration) -> Unread {
        let _ = patience;
        skipped(self, end)
    }
}

/// What a reader has left unread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unread {
    /// Messages that could be counted.
    pub messages: u64,
    /// Bytes of the bus from the first message on whose fill did not end in time; 0 if all did.
    pub bytes: u64,
}

/// [`Reader::try_read_up_to`] where nothing is gained by it.
pub(crate) fn one_by_one(
    reader: &mut (impl Reader + ?Sized),
    most: usize,
    mut handle: impl FnMut(&Header, &[u8]) -> Next,
) -> Result<usize, ReadError> {
    for handled in 0..most {
        let mut next = Next::Keep;
        reader.try_handle(|header, payload| {
            next = handle(header, payload);
            next != Next::Keep
        })?;
        match next {
            Next::Go => {}
            Next::Stop => return Ok(handled + 1),
            Next::Keep => return Ok(handled),
        }
    }
    Ok(most)
}

/// Counts what is before `end` by skipping it.
pub(crate) fn skipped(reader: &mut (impl Reader + ?Sized), end: u64) -> Unread {
    let mut unread = Unread::default();
    loop {
        // Positions wrap around the end of u64.
        let left = end.wrapping_sub(reader.position());
        if left as i64 <= 0 {
            return unread;
        }
        match reader.skip() {
            Ok(()) => unread.messages += 1,
            Err(ReadError::Lagged(messages)) => unread.messages += messages,
            Err(ReadError::Empty | ReadError::Closed) => return Unread { bytes: left, ..unread },
        }
    }
}

/// The changes after which a waiting reader looks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Interest {
    /// A writer has published messages.
    Messages,
    /// A writer has published messages, or readers have released room.
    Room,
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

    /// Records the size of the outbox, in bytes, for [`ReaderStats::outbox_high_water`].
    fn record_outbox(&self, bytes: usize);

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
    /// The most bytes that its worker's outbox ever held.
    pub outbox_high_water: u64,
}

/// Where a worker sleeps that waits for more than its bus: for sockets, say.
///
/// ```
/// use rust_messenger::traits::Poller;
/// use std::sync::{Condvar, Mutex};
/// use std::time::Duration;
///
/// /// A bell that other threads ring.
/// #[derive(Debug, Default)]
/// struct Bell {
///     rung: Mutex<bool>,
///     changed: Condvar,
/// }
///
/// impl Poller for Bell {
///     fn wait(&self, timeout: Option<Duration>) {
///         let rung = self.rung.lock().unwrap();
///         let limit = timeout.unwrap_or(Duration::from_secs(60)); // It may return early.
///         let (mut rung, _) = self.changed.wait_timeout_while(rung, limit, |rung| !*rung).unwrap();
///         *rung = false;
///     }
///
///     fn notify(&self) {
///         *self.rung.lock().unwrap() = true;
///         self.changed.notify_all();
///     }
/// }
///
/// let bell = Bell::default();
/// bell.notify();
/// bell.wait(None); // Returns at once.
/// ```
pub trait Poller: Send + Sync + fmt::Debug {
    /// Sleeps until something that this poller watches is ready, somebody has called [`notify`](Self::notify) since the
    /// last wait, or `timeout` has passed (`None`: without limit). May return early.
    fn wait(&self, timeout: Option<Duration>);

    /// Whether a wait would end at once, as far as a quick look can tell. Consumes nothing: the next wait still sees
    /// it.
    ///
    /// Provided: no.
    fn poll(&self) -> bool {
        false
    }

    /// Ends the current wait, or else the next one.
    fn notify(&self);
}
