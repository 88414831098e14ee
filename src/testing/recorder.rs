//! [`Recorder`]: a writer that keeps what a handler did with it.

use super::clock::ManualClock;
use crate::messenger::outbox::Entry;
use crate::traits::{Clock, Encoded, Header, Payload, Publish, Report, Space, Time, WriteError, Writer};
use std::cell::{Cell, OnceCell, RefCell};
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// A [`Writer`] that keeps what a handler sends, reports and asks for. [`testing`](super) has a whole test.
///
/// ```
/// use rust_messenger::testing::Recorder;
/// use rust_messenger::traits::{Handler, Sender, Writer};
///
/// #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
/// struct Hello(u8);
/// rust_messenger::serde_message!(Hello, 1);
///
/// struct Greeter;
///
/// impl Handler for Greeter {
///     type Id = u16;
///     const ID: u16 = 1;
///
///     fn on_start<W: Writer>(&mut self, writer: &W) {
///         Self::send(&Hello(7), writer);
///         writer.stop();
///     }
/// }
///
/// let recorder = Recorder::new();
/// Greeter.on_start(&recorder);
/// assert_eq!(recorder.sent::<Hello>(), [Hello(7)]);
/// assert!(recorder.stopped());
/// ```
///
/// It takes every message, as a worker does, until [`refuse`](Self::refuse) says otherwise. Its time is
/// [`Time::default()`] for ever, and a payload has at most 1 MiB, unless [`with_clock`](Self::with_clock) and
/// [`with_max_payload`](Self::with_max_payload) say otherwise.
pub struct Recorder {
    clock: Box<dyn Clock>,
    max_payload: usize,
    refusal: RefCell<Option<WriteError>>,
    sent: Shelf<Entry>,
    reports: Shelf<Report>,
    error: OnceCell<Box<dyn Error + Send + Sync>>,
    stopped: Cell<bool>,
}

impl Recorder {
    /// A recorder of which nothing was asked yet.
    pub fn new() -> Recorder {
        Recorder {
            clock: Box::new(ManualClock::new()),
            max_payload: 1 << 20,
            refusal: RefCell::new(None),
            sent: Shelf::new(),
            reports: Shelf::new(),
            error: OnceCell::new(),
            stopped: Cell::new(false),
        }
    }

    /// The same recorder, which tells the time of `clock`.
    ///
    /// ```
    /// use rust_messenger::testing::{ManualClock, Recorder};
    /// use rust_messenger::traits::{Time, Writer};
    /// use std::time::Duration;
    ///
    /// let clock = ManualClock::new();
    /// let recorder = Recorder::new().with_clock(clock.clone());
    /// clock.advance(Duration::from_millis(1));
    /// assert_eq!(recorder.now(), Time::from_nanos(1_000_000));
    /// ```
    pub fn with_clock(self, clock: impl Clock + 'static) -> Recorder {
        Recorder { clock: Box::new(clock), ..self }
    }

    /// The same recorder, which takes payloads of at most `bytes` bytes: a larger one is [`WriteError::TooLarge`].
    pub fn with_max_payload(self, bytes: usize) -> Recorder {
        Recorder { max_payload: bytes, ..self }
    }

    /// From now on writes fail with `error`; with `None` they succeed again.
    ///
    /// [`WriteError::Full`] is a full bus, as a worker's handlers meet it: `try_send` fails, and `send` succeeds, for
    /// its message goes to the outbox. With any other error `send` fails, too, and [reports](Self::reports)
    /// [`Report::Unsent`]: with [`WriteError::OutboxFull`], say, or [`WriteError::NoSpace`].
    ///
    /// ```
    /// use rust_messenger::testing::Recorder;
    /// use rust_messenger::traits::{Publish, WriteError};
    ///
    /// let recorder = Recorder::new();
    /// recorder.refuse(WriteError::Full);
    /// assert_eq!(recorder.try_write_bytes(1, 2, b"now"), Err(WriteError::Full));
    /// assert_eq!(recorder.write_bytes(1, 2, b"later"), Ok(()));
    /// recorder.refuse(WriteError::NoSpace);
    /// assert_eq!(recorder.write_bytes(1, 2, b"never"), Err(WriteError::NoSpace));
    /// recorder.refuse(None);
    /// assert_eq!(recorder.try_write_bytes(1, 2, b"again"), Ok(()));
    /// ```
    pub fn refuse(&self, error: impl Into<Option<WriteError>>) {
        *self.refusal.borrow_mut() = error.into();
    }

    /// The messages of type `M` that were sent, decoded, in the order in which they were sent: values, or references
    /// where a message is read in place.
    ///
    /// # Panics
    ///
    /// When bytes that were written under the id of `M` are no `M`.
    #[track_caller]
    pub fn sent<M: Encoded>(&self) -> Vec<M::Decoded<'_>> {
        let id = M::ID.into();
        let of_this_type = self.messages().filter(|(header, _)| header.message == id);
        let decode = |(header, payload)| match M::decode(payload) {
            Ok(message) => message,
            Err(error) => panic!("{header:?} is no {}: {error}", std::any::type_name::<M>()),
        };
        of_this_type.map(decode).collect()
    }

    /// Everything that was sent, in order: who sent what, how large it is, and its payload. A message's position is the
    /// number of messages before it.
    ///
    /// ```
    /// use rust_messenger::testing::Recorder;
    /// use rust_messenger::traits::Publish;
    ///
    /// let recorder = Recorder::new();
    /// recorder.write_bytes(1, 2, b"hello")?;
    /// let (header, payload) = recorder.messages().next().unwrap();
    /// assert_eq!((header.source, header.message, header.size, header.position), (1, 2, 5, 0));
    /// assert_eq!(payload, b"hello");
    /// # Ok::<(), rust_messenger::traits::WriteError>(())
    /// ```
    pub fn messages(&self) -> impl Iterator<Item = (Header, &[u8])> {
        self.sent.iter().enumerate().map(|(number, entry)| {
            let (payload, position) = (entry.payload(), number as u64);
            let header = Header { source: entry.source, message: entry.message, size: payload.len() as u32, position };
            (header, payload)
        })
    }

    /// What was reported, in order.
    pub fn reports(&self) -> impl Iterator<Item = &Report> {
        self.reports.iter()
    }

    /// The first error with which a handler said that it [cannot go on](Writer::fail).
    pub fn failed(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.error.get().map(|error| &**error)
    }

    /// Whether a handler [stopped](Writer::stop) the messenger, or failed.
    pub fn stopped(&self) -> bool {
        self.stopped.get()
    }

    /// Forgets the messages and the reports: what comes next is the first again.
    pub fn clear(&mut self) {
        (self.sent, self.reports) = (Shelf::new(), Shelf::new());
    }

    /// Keeps `payload`, unless it is too large or cannot be filled.
    fn keep<P: Payload>(&self, source: u16, message: u16, payload: &mut P) -> Result<(), WriteError> {
        let size = payload.as_encoded().map_or_else(|| payload.size(), <[u8]>::len);
        if size > self.max_payload {
            return Err(WriteError::TooLarge { size, max: self.max_payload });
        }
        let mut entry = Entry::new(Vec::new(), source, message, size);
        payload.fill(&mut Space::new(entry.payload_mut()))?;
        self.sent.push(entry);
        Ok(())
    }
}

impl Publish for Recorder {
    fn try_put<P: Payload>(&self, source: u16, message: u16, payload: &mut P) -> Result<(), WriteError> {
        let refusal = self.refusal.borrow().clone();
        refusal.map_or_else(|| self.keep(source, message, payload), Err)
    }

    /// Nothing: as in a worker, what finds no room goes to the outbox.
    fn wait_for_room(&self, _: usize) {}

    fn wait_for_room_at_most(&self, _: usize, _: Duration) {}

    fn put<P: Payload>(&self, source: u16, message: u16, payload: &mut P) -> Result<(), WriteError> {
        match self.try_put(source, message, payload) {
            Err(WriteError::Full) => self.keep(source, message, payload),
            done => done,
        }
    }
}

impl Writer for Recorder {
    fn now(&self) -> Time {
        self.clock.now()
    }

    fn stop(&self) {
        self.stopped.set(true);
    }

    fn fail(&self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        self.stop();
        // One that comes later is of no interest.
        let _ = self.error.set(error.into());
    }

    fn report(&self, report: Report) {
        self.reports.push(report);
    }

    fn max_payload(&self) -> usize {
        self.max_payload
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Recorder::new()
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("messages", &self.messages().map(|(header, _)| header).collect::<Vec<_>>())
            .field("reports", &self.reports().collect::<Vec<_>>())
            .field("failed", &self.failed())
            .field("stopped", &self.stopped())
            .finish_non_exhaustive()
    }
}

/// A list that grows behind shared references. Each board is twice as long as the one before, and none ever moves, so
/// what stands on it can be lent while more comes.
struct Shelf<T> {
    boards: [OnceCell<Box<[OnceCell<T>]>>; usize::BITS as usize],
    len: Cell<usize>,
}

impl<T> Shelf<T> {
    fn new() -> Shelf<T> {
        Shelf { boards: [const { OnceCell::new() }; usize::BITS as usize], len: Cell::new(0) }
    }

    fn push(&self, item: T) {
        // Counted from one: then the highest bit is the board.
        let number = self.len.get() + 1;
        self.len.set(number);
        let board = number.ilog2();
        let places = || std::iter::repeat_with(OnceCell::new).take(1 << board).collect();
        let places = self.boards[board as usize].get_or_init(places);
        // Each number comes once, so its place is free.
        let _ = places[number - (1 << board)].set(item);
    }

    fn iter(&self) -> impl Iterator<Item = &T> {
        self.boards.iter().filter_map(OnceCell::get).flatten().filter_map(OnceCell::get)
    }
}
