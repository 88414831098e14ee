//! The reading side of a bus: readers, what ends a batch or a wait, and where a worker sleeps.

use super::error::{CursorError, ReadError};
use super::message::Header;
use super::snapshot::{Begin, State};
use super::time::Time;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

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

/// What a bus records of a message beside what it carries: see [`Reader::try_read_recorded`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// When a writer claimed it: since 1970, UTC.
    pub time: Time,
    /// The position of the message during whose handling it was sent, earlier on this bus. `None`: there is none, for
    /// it was sent from a timer, a loop, a start or from outside, or it came from elsewhere.
    pub cause: Option<u64>,
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
    /// [`ReadError::Empty`] if there is no message yet; or another [`ReadError`], which says what ends the reading.
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
    /// As [`try_read`](Self::try_read): why there was no message after those that were handled, if any. How many these
    /// were, only `handle` knows then.
    #[inline]
    fn try_read_up_to(&mut self, most: usize, handle: impl FnMut(&Header, &[u8]) -> Next) -> Result<usize, ReadError> {
        one_by_one(self, most, handle)
    }

    /// As [`try_read_up_to`](Self::try_read_up_to), with what the bus recorded of each message: a journal does, for
    /// readers that gate it.
    ///
    /// Provided: `None` for each.
    ///
    /// ```
    /// use rust_messenger::message_bus::{PersistentBus, PersistentOptions};
    /// use rust_messenger::traits::{MessageBus, Next, Publish, Reader};
    ///
    /// let options = PersistentOptions { capacity: 1 << 20, max_payload: 1024, ..PersistentOptions::default() };
    /// let bus = PersistentBus::in_memory(options)?;
    /// let mut reader = bus.subscribe_held("export", None)?;
    /// bus.writer()?.write_bytes(1, 1, b"from outside")?;
    /// reader.try_read_recorded(1, |_, recorded, _| {
    ///     assert_eq!(recorded.map(|recorded| recorded.cause), Some(None));
    ///     Next::Go
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`try_read_up_to`](Self::try_read_up_to).
    fn try_read_recorded(
        &mut self,
        most: usize,
        mut handle: impl FnMut(&Header, Option<Recorded>, &[u8]) -> Next,
    ) -> Result<usize, ReadError> {
        self.try_read_up_to(most, |header, payload| handle(header, None, payload))
    }

    /// As [`try_read`](Self::try_read), but waits for a message.
    ///
    /// # Errors
    ///
    /// [`ReadError`]; [`ReadError::Empty`] when [`MessageBus::wake`](super::MessageBus::wake) ended the wait.
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

    /// Waits until `done` returns true, somebody has called [`MessageBus::wake`](super::MessageBus::wake) since the
    /// last wait, or `timeout` has passed (`None`: without limit). Releases what was read. Calls `done` again after
    /// each change of the kind that `interest` names; `done` must not wait.
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
    /// eighth of the capacity, and before each wait. Does nothing for a held reader.
    ///
    /// Provided: does nothing, for readers that release each message as they step over it.
    #[inline]
    fn release(&mut self) {}

    /// Releases everything before `position`, of a [held](super::MessageBus::subscribe_held) reader: writers may reuse
    /// its bytes, and on a journal the named cursor moves there. `position` is where a message begins that was read, or
    /// [the next one](Self::position); what is released already may be released again.
    ///
    /// Goes over the slots that it releases, one by one.
    ///
    /// Provided: [`CursorError::NotHeld`].
    ///
    /// # Errors
    ///
    /// [`CursorError::NotHeld`]; [`CursorError::NoSuchPosition`]: no message that was read begins there. Nothing is
    /// released.
    fn release_to(&mut self, position: u64) -> Result<(), CursorError> {
        let _ = position;
        Err(CursorError::NotHeld)
    }

    /// Makes the message at `position` the next one again, of a [held](super::MessageBus::subscribe_held) reader: it is
    /// read once more, with all behind it. Goes back no further than the last [`release_to`](Self::release_to), or the
    /// beginning; further back on a journal, subscribe again with `from`.
    ///
    /// Provided: [`CursorError::NotHeld`].
    ///
    /// # Errors
    ///
    /// [`CursorError::NotHeld`]; [`CursorError::NotRetained`]: it is released; [`CursorError::NoSuchPosition`]: no
    /// message that was read begins there. The reader stays where it is.
    fn rewind_to(&mut self, position: u64) -> Result<(), CursorError> {
        let _ = position;
        Err(CursorError::NotHeld)
    }

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

    /// What the worker of this reader begins with, if snapshots of it are kept. Asked once, and each time that it
    /// begins again: then with no states if those of the last time are the newest. Provided: `None`.
    fn begin(&mut self) -> Option<Begin> {
        None
    }

    /// What it begins with instead, from another [`position`](Self::position) on, because it could not load the states
    /// of the last [`Begin`]: `why` says how. Called before anything was read. Provided: `None`, there is nothing else.
    fn begin_instead(&mut self, why: &str) -> Option<Begin> {
        let _ = why;
        None
    }

    /// Keeps the states of the worker's handlers, which have handled everything before [`position`](Self::position),
    /// and sent what they had to. Returns before they are written. Provided: keeps nothing.
    ///
    /// # Errors
    ///
    /// Why these, or those of the call before, are not kept.
    fn keep(&mut self, states: Vec<State>) -> Result<(), String> {
        let _ = states;
        Ok(())
    }

    /// The worker of this reader, whose handlers have these ids and types, may be restarted. Called before it reads.
    /// Returns whether its bus has a history, with which it can [begin again](Self::begin_again).
    #[doc(hidden)]
    fn supervise(
        &mut self,
        worker: &'static str,
        sources: Option<Vec<(u16, &'static str)>>,
    ) -> Result<bool, CursorError> {
        let _ = (worker, sources);
        Ok(false)
    }

    /// Begins again where this reader was [kept](Self::keep) last, or else began, and repeats all up to the message in
    /// hand; whether that is dead comes with its position. False if it cannot.
    #[doc(hidden)]
    fn begin_again(&mut self, in_hand: Option<(u64, bool)>) -> bool {
        let _ = in_hand;
        false
    }

    /// Steps over what comes next if that is dead for the worker of this reader: then `None`. Else returns up to where
    /// nothing is, and history goes on. Asked while it is [replaying](Self::is_replaying). Provided: one message.
    #[doc(hidden)]
    fn skip_dead(&mut self) -> Option<u64> {
        Some(self.position().wrapping_add(1))
    }

    /// Steps over the next message without reading it.
    ///
    /// # Errors
    ///
    /// As [`try_read`](Self::try_read).
    fn skip(&mut self) -> Result<(), ReadError> {
        self.try_read(|_, _| ())
    }

    /// Gives the reader up as a process does that is killed: unlike a drop, this stores no cursor.
    ///
    /// Provided: drops it. That is right where no cursor outlives its reader.
    #[doc(hidden)]
    fn abandon(self)
    where
        Self: Sized,
    {
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
fn one_by_one(
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
            Ok(()) => unread.messages = unread.messages.saturating_add(1),
            Err(ReadError::Lagged(messages)) => unread.messages = unread.messages.saturating_add(messages),
            Err(_) => {
                return Unread { bytes: left, ..unread };
            }
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

    /// Whether it pays to yield the core and look a few times before a sleep. No, where [`poll`](Self::poll) does not
    /// see what the wait is for: on a busy machine that would be late by all who run in between.
    ///
    /// Provided: yes.
    fn looks_first(&self) -> bool {
        true
    }

    /// Ends the current wait, or else the next one.
    fn notify(&self);
}
