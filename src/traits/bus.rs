//! Byte slots in one order: what a bus is, how it is written and read, and what it counts.

use super::error::{NoWriter, ReadError, SubscribeError, WriteError};
use super::message::{Bytes, Fill, Header, Payload};
use super::time::Time;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The writing side of a bus.
///
/// `source` and `message` are the ids a reader finds in the [`Header`]. `try_` methods never wait; the others wait
/// until there is room, or, inside a worker, use its outbox.
pub trait Publish {
    /// Writes one payload if there is room now.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; nothing was published, and after [`WriteError::Full`] `payload` can be tried again.
    fn try_put<P: Payload>(&self, source: u16, message: u16, payload: &mut P) -> Result<(), WriteError>;

    /// Waits until [`try_put`](Self::try_put) of `size` bytes may have room, or the bus is closed; may return early.
    fn wait_for_room(&self, size: usize);

    /// Writes one payload, waiting for room.
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

    /// Lets `fill` write `size` zeroed bytes in place, if there is room now.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; nothing was published.
    #[inline]
    fn try_write(
        &self,
        source: u16,
        message: u16,
        size: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<(), WriteError> {
        self.try_put(source, message, &mut Fill { size, fill: Some(fill) })
    }

    /// Lets `fill` write `size` zeroed bytes in place, waiting for room.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; nothing was published.
    #[inline]
    fn write(&self, source: u16, message: u16, size: usize, fill: impl FnOnce(&mut [u8])) -> Result<(), WriteError> {
        self.put(source, message, &mut Fill { size, fill: Some(fill) })
    }

    /// Copies `payload`, if there is room now. The fastest way in: one copy, nothing zeroed.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; nothing was published.
    #[inline(always)]
    fn try_write_bytes(&self, source: u16, message: u16, payload: &[u8]) -> Result<(), WriteError> {
        self.try_put(source, message, &mut Bytes(payload))
    }

    /// Copies `payload`, waiting for room.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; nothing was published.
    #[inline(always)]
    fn write_bytes(&self, source: u16, message: u16, payload: &[u8]) -> Result<(), WriteError> {
        self.put(source, message, &mut Bytes(payload))
    }
}

/// Byte slots in one order, many readers.
///
/// A cloned bus is a second handle on the same memory. The laws that every bus keeps are listed in
/// [`message_bus`](crate::message_bus).
pub trait MessageBus: Clone + Send + Sync + 'static {
    /// Reads every message claimed since its subscription, once, in order.
    type Reader: Reader + Send + 'static;
    /// Writes.
    type BusWriter: BusWriter + Send + 'static;

    /// Whether any number of writers may exist. If not, a routing table may send from one worker only.
    const MANY_WRITERS: bool;

    /// Adds a reader that starts at the tail and holds writers back when it is slow. `name` is shown in
    /// [`stats`](Self::stats).
    ///
    /// # Errors
    ///
    /// [`SubscribeError`].
    fn subscribe(&self, name: &str) -> Result<Self::Reader, SubscribeError>;

    /// As [`subscribe`](Self::subscribe), but the reader starts at the tail whatever is chosen about its name, and no
    /// position of it is kept. Provided: `subscribe`, for buses on which every reader starts there.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`].
    fn subscribe_latest(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        self.subscribe(name)
    }

    /// Adds a reader that does not hold others back: when it is what makes the bus full, it is moved on and told
    /// [`ReadError::Lagged`]. It holds others for one copy of a message at most.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`].
    fn subscribe_evictable(&self, name: &str) -> Result<Self::Reader, SubscribeError>;

    /// A writer from outside. While workers run on the bus it is held back first when room gets scarce.
    ///
    /// # Errors
    ///
    /// [`NoWriter`].
    fn writer(&self) -> Result<Self::BusWriter, NoWriter>;

    /// The writer of the worker that reads with `reader`.
    ///
    /// # Errors
    ///
    /// [`NoWriter`].
    fn worker_writer(&self, reader: &Self::Reader) -> Result<Self::BusWriter, NoWriter>;

    /// From now on writers from outside get [`WriteError::Closed`]; readers get [`ReadError::Closed`] once they have
    /// read everything. Workers may still write. Idempotent.
    fn close(&self);

    /// Ends every wait on this bus once, so that waiting threads look around.
    fn wake(&self);

    /// The position at which the next message will stand.
    fn tail(&self) -> u64;

    /// The largest payload in bytes.
    fn max_payload(&self) -> usize;

    /// The counters, read without disturbing anyone.
    fn stats(&self) -> Stats;
}

/// One reader of a bus.
pub trait Reader {
    /// Hands the next message to `deliver` and steps over it once `deliver` returns. If it unwinds, the message is
    /// still the next one.
    ///
    /// # Errors
    ///
    /// [`ReadError::Empty`] when there is none yet, and the other [`ReadError`]s.
    fn try_read<R>(&mut self, deliver: impl FnOnce(&Header, &[u8]) -> R) -> Result<R, ReadError>;

    /// As [`try_read`](Self::try_read), but steps over the message only if `handle` says that it was handled. If not,
    /// it is still the next one, and a position that the bus keeps for a restart stays before it. Returns what `handle`
    /// said.
    ///
    /// Provided: steps over it all the same, as is right where no position outlives its reader.
    ///
    /// # Errors
    ///
    /// As [`try_read`](Self::try_read).
    #[inline]
    fn try_handle(&mut self, handle: impl FnOnce(&Header, &[u8]) -> bool) -> Result<bool, ReadError> {
        self.try_read(handle)
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

    /// Whether there is a message, or a [`ReadError::Lagged`] to be told.
    fn ready(&mut self) -> bool;

    /// Waits until `done`, [`MessageBus::wake`] was called since the last wait, or `timeout` has passed. Releases what
    /// was read. `done` is asked again after each change of the kind named by `interest`; it must not wait.
    fn wait_until(&mut self, timeout: Option<Duration>, interest: Interest, done: impl FnMut(&mut Self) -> bool);

    /// As [`wait_until`](Self::wait_until), but sleeps in `poller`, at once, and returns whenever that does.
    fn wait_in(
        &mut self,
        poller: &Arc<dyn Poller>,
        timeout: Option<Duration>,
        interest: Interest,
        done: impl FnMut(&mut Self) -> bool,
    );

    /// Waits for a message: until the reader is [`ready`](Self::ready), and as [`wait_until`](Self::wait_until).
    fn wait(&mut self, timeout: Option<Duration>) {
        self.wait_until(timeout, Interest::Messages, Self::ready);
    }

    /// Goes on without a message whose writer has kept this reader waiting for too long, and says how long to wait
    /// before asking again: `None` when nothing at this position is being written.
    fn unblock(&mut self) -> Option<Duration>;

    /// The position of the next message.
    fn position(&self) -> u64;

    /// Lets writers reuse everything that was read. Happens by itself at least once per eighth of the capacity and
    /// before each wait.
    fn release(&mut self);

    /// Whether what is read now was handled before, and is handled again to bring the handlers to where they were. They
    /// get no `on_loop` until then.
    #[inline]
    fn is_replaying(&self) -> bool {
        false
    }

    /// Whether it begins with such a replay, if there is history.
    fn rebuilds(&self) -> bool {
        false
    }

    /// Steps over the next message without looking at it.
    ///
    /// # Errors
    ///
    /// As [`try_read`](Self::try_read).
    fn skip(&mut self) -> Result<(), ReadError> {
        self.try_read(|_, _| ())
    }

    /// Counts what stands before `end` and was not read, for a reader that reads no more. Waits for messages that are
    /// being written, for `patience` in all. A position that the bus keeps for a restart stays where it is.
    ///
    /// Provided: [skips](Self::skip) as far as there are messages, and waits for none.
    fn unread(&mut self, end: u64, patience: Duration) -> Unread {
        let _ = patience;
        skipped(self, end)
    }
}

/// What a reader has not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unread {
    /// Messages, as far as they could be counted.
    pub messages: u64,
    /// Bytes of the bus from the first message on that was not finished in time; 0 if all were.
    pub bytes: u64,
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

/// The changes that a waiting reader wants to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Messages were written.
    Messages,
    /// Messages were written, or room came free.
    Room,
}

/// What a worker needs of its bus besides writing: fair turns when the bus is full.
///
/// A worker never waits for room: it may be the slowest reader itself. What it cannot write goes to its outbox. It
/// flushes that before anything else, only while no older ticket is pending, and meanwhile takes new input only while
/// it [is the slowest](Self::is_slowest). So the slowest reader can always move, and no cycle of workers deadlocks.
pub trait BusWriter: Publish {
    /// Queues up behind every outbox that is pending now.
    fn take_ticket(&self);

    /// Leaves the queue.
    fn give_up_ticket(&self);

    /// Whether no reader stands behind this worker's reader.
    fn is_slowest(&self) -> bool;

    /// Whether [`try_put`](Publish::try_put) of `size` bytes would now say something other than [`WriteError::Full`].
    fn has_room(&self, size: usize) -> bool;

    /// Records the size of the outbox in bytes for the high-water mark.
    fn record_outbox(&self, bytes: usize);

    /// When the message that this worker's reader is delivering was written, on a bus that records it. It is what
    /// [`Writer::now`] says meanwhile, so that a message handled again is handled at the same time.
    ///
    /// [`Writer::now`]: super::Writer::now
    #[inline]
    fn time(&self) -> Option<Time> {
        None
    }

    /// Called at the end of each handling, while the message is still the worker's next one.
    ///
    /// # Errors
    ///
    /// [`WriteError::Diverged`]: in a rebuild, not all was sent again that had been sent.
    #[inline]
    fn settle(&self) -> Result<(), WriteError> {
        Ok(())
    }
}

/// The counters of a bus at one moment. Positions and lags are in bytes of the bus, slot headers and padding included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Messages committed.
    pub messages: u64,
    /// Payload bytes committed.
    pub bytes: u64,
    /// How often a write found no room.
    pub full: u64,
    /// Slots given up: a fill that failed or panicked, or an owner that stayed silent.
    pub sealed: u64,
    /// Messages that a source of the routing table sent and that no route of it carries. It is the messenger's first
    /// worker that reads them and counts, as long as it runs: what it reads, and each message once, whatever is
    /// replayed to it. Not counted are those of handlers that are marked `#[allow(unrouted)]`, those that a bridge
    /// sends by itself, whoever wants to know (its clients come and go), and those of sources that the table does not
    /// name: they may be another table's. A source that two tables on one bus name is one of both. 0 in what a bus
    /// says, which knows no table.
    pub unrouted: u64,
    /// The position at which the next message will stand.
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
    /// Everything before it is released.
    pub position: u64,
    /// How far it is behind the tail.
    pub lag: u64,
    /// Whether it may be moved on rather than hold others back.
    pub evictable: bool,
    /// The most bytes its worker's outbox ever held.
    pub outbox_high_water: u64,
}

/// Where a worker sleeps that waits for more than its bus: for sockets, say.
pub trait Poller: Send + Sync + fmt::Debug {
    /// Sleeps until something comes that is watched here, [`notify`](Self::notify) was called since the last wait, or
    /// `timeout` has passed. May return early.
    fn wait(&self, timeout: Option<Duration>);

    /// Whether a wait would end at once, as far as that can be told in a moment. Takes nothing away from the next wait.
    fn poll(&self) -> bool {
        false
    }

    /// Ends the wait that is going on, or else the next one.
    fn notify(&self);
}
