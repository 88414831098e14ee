//! The vocabulary: what users implement, what buses implement, and the errors between them.
//!
//! Names no bus, no mapping, no thread and no codec. A **message** has an id and a way to become bytes; a **handler**
//! has an id, receives messages ([`Handle`]) and sends them ([`Sender`]); a **bus** hands out [`Reader`]s and writers
//! ([`Publish`]); a [`Writer`] is what a handler is given to talk to the world.

use crate::blame::{At, caught};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Ids of messages from here on are the library's.
pub(crate) const FIRST_OF_LIBRARY: u16 = 0xFF00;
/// Those before this one the library sends by itself, whoever wants to know.
pub(crate) const AFTER_EVENTS: u16 = FIRST_OF_LIBRARY + 5;

// ---------------------------------------------------------------------------------------------------------- messages

/// Something that travels on a bus, known by its id.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is used as a message but has no id",
    note = "implement `rust_messenger::traits::Message` for `{Self}`, or use one of the one-line macros, such as `rust_messenger::serde_message!({Self}, MessageId::Name)`"
)]
pub trait Message {
    /// `u16`, or an enum that `as u16` accepts: see [`messenger_id_enum!`](crate::messenger_id_enum).
    type Id: Into<u16>;
    /// What tells this message from every other one in a routing table.
    const ID: Self::Id;
    /// How it becomes bytes, as far as a journal is to notice when that changes. Provided: nothing is known.
    const LAYOUT: Layout = Layout::UNKNOWN;
}

/// How a message becomes bytes, as far as it can be told by a few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Layout {
    /// How it is encoded, in a word; empty if nothing is known.
    pub codec: &'static str,
    /// The size in bytes, if it is always the same; or 0.
    pub size: usize,
    /// The alignment in bytes, if it is read in place; or 0.
    pub align: usize,
}

impl Layout {
    /// Nothing is known.
    pub const UNKNOWN: Layout = Layout { codec: "", size: 0, align: 0 };

    /// A codec whose messages have any size.
    pub const fn variable(codec: &'static str) -> Layout {
        Layout { codec, size: 0, align: 0 }
    }

    /// The memory of a `T` as it is.
    pub const fn plain<T>() -> Layout {
        Layout { codec: "plain memory", size: size_of::<T>(), align: align_of::<T>() }
    }
}

/// A message that is encoded into the bus: serde, prost, or written by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent: nothing says how it becomes bytes",
    note = "use `serde_message!`, `prost_message!`, `bincode_message!` or `zero_copy_message!`, or implement `ExtendedMessage` for `{Self}` by hand"
)]
pub trait ExtendedMessage: Message {
    /// How many bytes [`write_into`](Self::write_into) fills.
    fn get_size(&self) -> usize;

    /// Writes the message into `buffer`, which is [`get_size`](Self::get_size) bytes long and zeroed.
    fn write_into(&self, buffer: &mut [u8]);

    /// Writes the message into the claimed space; what [`Sender`] calls.
    ///
    /// Provided: zeroes the space and calls [`write_into`](Self::write_into). An encoder that appends with
    /// [`Space::put`] needs no zeroed memory and can report an error instead of panicking.
    ///
    /// # Errors
    ///
    /// [`EncodeError`]; the claimed slot is then sealed and readers step over it.
    fn encode(&self, space: &mut Space<'_>) -> Result<(), EncodeError> {
        self.write_into(space.zeroed());
        Ok(())
    }

    /// The encoded message, when it is already there in memory: it is then copied in one go.
    fn as_encoded(&self) -> Option<&[u8]> {
        None
    }
}

/// A message that is decoded into a value of its own.
pub trait DeserializeFrom: Sized {
    /// Decodes `buffer`, or panics.
    fn deserialize_from(buffer: &[u8]) -> Self;

    /// Decodes `buffer`. Provided: turns a panic of [`deserialize_from`](Self::deserialize_from) into an error (the
    /// process's panic hook still runs).
    ///
    /// # Errors
    ///
    /// [`DecodeError`] with the reason.
    fn try_deserialize_from(buffer: &[u8]) -> Result<Self, DecodeError> {
        caught(|| Self::deserialize_from(buffer)).map_err(DecodeError::new)
    }
}

/// How a routed message is read off the bus: as a value of its own, or in place.
///
/// Every `ExtendedMessage + DeserializeFrom` has it; `zero_copy_message!` implements it for plain memory.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is routed but cannot be read off the bus",
    note = "use `serde_message!`, `prost_message!`, `bincode_message!` or `zero_copy_message!`, or implement `ExtendedMessage` and `DeserializeFrom` for `{Self}`"
)]
pub trait Encoded: Message {
    /// The value, or a reference into the bus.
    type Decoded<'a>: std::borrow::Borrow<Self>;

    /// Reads one message.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the bytes are no such message.
    fn decode(payload: &[u8]) -> Result<Self::Decoded<'_>, DecodeError>;
}

impl<M: ExtendedMessage + DeserializeFrom + 'static> Encoded for M {
    type Decoded<'a> = M;

    #[inline]
    fn decode(payload: &[u8]) -> Result<M, DecodeError> {
        M::try_deserialize_from(payload)
    }
}

/// What stands in front of every payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The id of the handler that sent the message.
    pub source: u16,
    /// The id of the message.
    pub message: u16,
    /// The length of the payload in bytes.
    pub size: u32,
    /// Where the message stands in the one order of its bus; never reused.
    pub position: u64,
}

/// The claimed bytes of one message, filled from front to back. What is left unfilled is zeroed before anyone can read
/// it, so nothing an earlier message left in the same memory ever reaches a reader.
#[derive(Debug)]
pub struct Space<'a> {
    bytes: &'a mut [u8],
    filled: usize,
}

impl<'a> Space<'a> {
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        Space { bytes, filled: 0 }
    }

    /// How many bytes are still unfilled.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.filled
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    ///
    /// [`EncodeError::TooLong`] when they do not fit; nothing is written then.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        let claimed = self.bytes.len();
        let rest = self.unfilled();
        rest.get_mut(..bytes.len()).ok_or(EncodeError::TooLong { claimed })?.copy_from_slice(bytes);
        self.advance(bytes.len());
        Ok(())
    }

    /// Zeroes all that is unfilled, lends it, and counts it as filled.
    #[inline]
    pub fn zeroed(&mut self) -> &mut [u8] {
        let from = std::mem::replace(&mut self.filled, self.bytes.len());
        let rest = &mut self.bytes[from..];
        rest.fill(0);
        rest
    }

    /// The unfilled bytes as earlier messages left them: for encoders of this crate that only write.
    #[inline]
    pub(crate) fn unfilled(&mut self) -> &mut [u8] {
        &mut self.bytes[self.filled..]
    }

    /// Counts `len` bytes of [`unfilled`](Self::unfilled) as filled.
    #[inline]
    pub(crate) fn advance(&mut self, len: usize) {
        debug_assert!(len <= self.remaining());
        self.filled += len;
    }
}

impl Drop for Space<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.remaining() != 0 {
            self.zeroed();
        }
    }
}

// ---------------------------------------------------------------------------------------------------------- handlers

/// A nano-service: a plain struct that receives messages and sends messages.
#[diagnostic::on_unimplemented(
    message = "`{Self}` stands in the routing table but is no handler",
    note = "implement `rust_messenger::traits::Handler` for `{Self}`: it needs an id, all else is provided"
)]
pub trait Handler {
    /// `u16`, or an enum that `as u16` accepts: see [`messenger_id_enum!`](crate::messenger_id_enum).
    type Id: Into<u16>;
    /// What its messages carry as their source.
    const ID: Self::Id;

    /// Called once, after every worker is subscribed and this worker's handlers are made.
    fn on_start<W: Writer>(&mut self, writer: &W) {
        let _ = writer;
    }

    /// Called once before each wait of the worker, and when a [deadline](Self::next_deadline) of one of its handlers
    /// has come that is no [`Due`].
    ///
    /// No journal knows of it, so a rebuild does not repeat it: what is decided here, or sent from here, is decided and
    /// sent again after each restart. Route a [`Due`] for that. A send from here in a worker that rebuilds is reported
    /// ([`Report::SentInLoop`]).
    fn on_loop<W: Writer>(&mut self, writer: &W) {
        let _ = writer;
    }

    /// Called once, after the last message.
    fn on_stop(&mut self) {}

    /// When [`on_loop`](Self::on_loop) should run at the latest, in the time of [`Writer::now`]. In the past: now, do
    /// not sleep. `None`: no need.
    ///
    /// Where the table has a route `H, Due: [h]`, it is when the handler's [`Due`] should be written instead. This does
    /// not run `on_loop`, and while one is on its way nothing is asked here.
    fn next_deadline(&self) -> Option<Time> {
        None
    }

    /// What this handler waits for besides messages. Asked once, after [`on_start`](Self::on_start). Its worker then
    /// sleeps there, and runs [`on_loop`](Self::on_loop) after every batch of messages, too. All handlers of a worker
    /// must name the same one; give those that cannot a worker each.
    fn poller(&self) -> Option<Arc<dyn Poller>> {
        None
    }
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

/// How a handler is made from the configuration of its routing table.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be made from the table's configuration `{Config}`",
    note = "implement `rust_messenger::traits::New<{Config}>` for `{Self}`"
)]
pub trait New<Config>: Handler {
    /// Makes the handler, on the thread of its worker.
    fn new<W: Writer>(config: &Config, writer: &W) -> Self;
}

/// What a handler does with a message.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle `{M}`",
    note = "implement `rust_messenger::traits::Handle<{M}>` for `{Self}`"
)]
pub trait Handle<M: Message> {
    /// Called for every message of this kind that is routed here, in the order of the bus.
    fn handle<W: Writer>(&mut self, message: &M, writer: &W);
}

/// How a handler sends: `Self::send(&message, writer)`. Every [`Handler`] has it.
pub trait Sender: Handler {
    /// Sends `message`. A worker never waits here: when the bus is full the message goes to the worker's outbox.
    ///
    /// Returns nothing, because handlers end in it; what fails is reported to the messenger
    /// ([`Report::Unsent`]).
    #[inline]
    fn send<M: ExtendedMessage, W: Writer>(message: &M, writer: &W) {
        let mut payload = Encode(message);
        if let Err(error) = writer.put(Self::ID.into(), M::ID.into(), &mut payload) {
            writer.report(Report::Unsent { source: Self::ID.into(), message: M::ID.into(), error });
        }
    }

    /// Sends `message` if the bus has room for it now.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; the message was not sent.
    #[inline]
    fn try_send<M: ExtendedMessage, P: Publish>(message: &M, writer: &P) -> Result<(), WriteError> {
        writer.try_put(Self::ID.into(), M::ID.into(), &mut Encode(message))
    }
}

impl<H: Handler> Sender for H {}

/// What writes one payload into its claimed slot. Made by the methods of [`Publish`] and [`Sender`].
pub trait Payload {
    /// How many bytes to claim.
    fn size(&self) -> usize;

    /// The bytes, when they are already there. They are then copied, and nothing foreign runs while the slot is open.
    fn as_encoded(&self) -> Option<&[u8]> {
        None
    }

    /// Fills the claimed bytes; called at most once.
    ///
    /// # Errors
    ///
    /// [`EncodeError`]; the slot is then sealed.
    fn fill(&mut self, space: &mut Space<'_>) -> Result<(), EncodeError>;
}

/// A message on its way.
struct Encode<'a, M>(&'a M);

impl<M: ExtendedMessage> Payload for Encode<'_, M> {
    #[inline]
    fn size(&self) -> usize {
        self.0.get_size()
    }

    #[inline]
    fn as_encoded(&self) -> Option<&[u8]> {
        self.0.as_encoded()
    }

    #[inline]
    fn fill(&mut self, space: &mut Space<'_>) -> Result<(), EncodeError> {
        self.0.encode(space)
    }
}

/// Bytes on their way.
struct Bytes<'a>(&'a [u8]);

impl Payload for Bytes<'_> {
    #[inline]
    fn size(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn as_encoded(&self) -> Option<&[u8]> {
        Some(self.0)
    }

    #[inline]
    fn fill(&mut self, space: &mut Space<'_>) -> Result<(), EncodeError> {
        space.put(self.0)
    }
}

/// A closure that fills zeroed bytes.
struct Fill<F> {
    size: usize,
    fill: Option<F>,
}

impl<F: FnOnce(&mut [u8])> Payload for Fill<F> {
    #[inline]
    fn size(&self) -> usize {
        self.size
    }

    #[inline]
    fn fill(&mut self, space: &mut Space<'_>) -> Result<(), EncodeError> {
        if let Some(fill) = self.fill.take() {
            fill(space.zeroed());
        }
        Ok(())
    }
}

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

/// What a handler is given to talk to the world; also what
/// [`Messenger::writer`](crate::messenger::Messenger::writer) hands to outside threads.
pub trait Writer: Publish {
    /// The time. Handlers ask here rather than the system, so that simulated and replayed runs are exact.
    fn now(&self) -> Time;

    /// Stops the messenger: all that is on the bus is still handled, then every worker ends.
    fn stop(&self);

    /// Says that the calling handler cannot go on. The messenger stops, and `join()` returns `error`.
    fn fail(&self, error: impl Into<Box<dyn Error + Send + Sync>>);

    /// Hands a report to the messenger's callback and counts it.
    fn report(&self, report: Report);

    /// The largest payload of the bus in bytes.
    fn max_payload(&self) -> usize;
}

/// What goes wrong on the way without ending anything; given to the callback in the messenger's options.
#[derive(Debug)]
#[non_exhaustive]
pub enum Report {
    /// A routed message could not be decoded. It was skipped.
    Undecodable {
        /// Where it stood and what it claimed to be.
        header: Header,
        /// What was wrong with it.
        error: DecodeError,
    },
    /// [`Sender::send`] failed. The message is gone.
    Unsent {
        /// The id of the handler that sent it.
        source: u16,
        /// The id of the message.
        message: u16,
        /// Why.
        error: WriteError,
    },
    /// A worker thread could not be pinned to its core. It runs unpinned.
    NotPinned {
        /// The worker's name in the table.
        worker: &'static str,
        /// The core that was asked for.
        core: usize,
        /// What the system said.
        error: String,
    },
    /// A source of the table sent a message that no route carries, so nobody received it. Said once for each source and
    /// message; all of them are counted in [`Stats::unrouted`]. Add a route, or mark the handler `#[allow(unrouted)]`.
    Unrouted {
        /// The first of its kind.
        header: Header,
        /// The type of the source, as spelled in the table.
        source: &'static str,
        /// The type of the message, as spelled in the table, if it is routed from another source.
        message: Option<&'static str>,
    },
    /// A handler sent a message in [`on_loop`](Handler::on_loop), in a worker that rebuilds. After the next restart it
    /// is likely to send it again, for what it does there is not replayed. Said once for each handler. Decide in
    /// `Handle<`[`Due`]`>` instead.
    SentInLoop {
        /// The worker's name in the table.
        worker: &'static str,
        /// The handler's name in the table.
        handler: &'static str,
    },
    /// A bridge to the network could not do something, or ended a peer's connection for what the peer did.
    Network {
        /// The bridge.
        source: u16,
        /// What it was: a `messi::NetworkError`.
        error: Box<dyn Error + Send + Sync>,
    },
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Report::Undecodable { header, error } => write!(
                f,
                "message {} from source {} at position {} skipped: {error}",
                header.message, header.source, header.position
            ),
            Report::Unsent { source, message, error } => {
                write!(f, "message {message} from source {source} not sent: {error}")
            }
            Report::NotPinned { worker, core, error } => {
                write!(f, "worker {worker} runs unpinned, core {core} was refused: {error}")
            }
            Report::Unrouted { header, source, message } => {
                write!(f, "message {}", header.message)?;
                if let Some(name) = message {
                    write!(f, " ({name})")?;
                }
                let Header { source: id, position, .. } = header;
                write!(f, " from source {id} ({source}) at position {position} has no route: nobody receives it")
            }
            Report::SentInLoop { worker, handler } => write!(
                f,
                "handler {handler} sends in its loop, which worker {worker} cannot repeat when it rebuilds: use `Due`"
            ),
            Report::Network { source, error } => write!(f, "bridge {source}: {error}"),
        }
    }
}

/// Delivers the messages of one worker; made by [`Messenger!`](crate::Messenger).
pub trait Router {
    /// Hands the message to every handler it is routed to. False if no route carries it.
    fn route<W: Writer>(&mut self, header: &Header, payload: &[u8], writer: &W, at: &At) -> bool;
}

// --------------------------------------------------------------------------------------------------------------- bus

/// Byte slots in one order, many readers.
///
/// A cloned bus is a second handle on the same memory. The laws that every bus keeps are listed in
/// [`message_bus`](crate::message_bus).
pub trait MessageBus: Clone + Send + Sync + 'static {
    /// Reads every message claimed since its subscription, once, in order.
    type Reader: Reader + Send + 'static;
    /// Writes.
    type Writer: BusWriter + Send + 'static;

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
    /// [`WriterError`].
    fn writer(&self) -> Result<Self::Writer, WriterError>;

    /// The writer of the worker that reads with `reader`.
    ///
    /// # Errors
    ///
    /// [`WriterError`].
    fn worker_writer(&self, reader: &Self::Reader) -> Result<Self::Writer, WriterError>;

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
/// Outboxes flush in the order in which they became pending, by ticket; see
/// [`worker`](crate::worker) for the rule that keeps cycles of workers from deadlock.
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

// -------------------------------------------------------------------------------------------------------------- time

/// A moment in nanoseconds since an origin that only its clock knows. It never goes backwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The moment `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Time {
        Time(nanos)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not.
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Time {
    type Output = Time;

    /// Stops at the end of time, 584 years after the origin.
    fn add(self, later: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(later.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Tells the time to workers; replaced in simulations.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Time;

    /// Whether it is asked for the time of day only, so that a journal under load may ask it once in a millisecond
    /// rather than for every message. Provided: no.
    fn is_real(&self) -> bool {
        false
    }
}

/// A deadline that has come, as a message: what makes timers exact in a rebuild.
///
/// With a route `H, Due: [h]` in the worker of the handler `h: H`, its worker writes this in the name of `h` when the
/// time of [`next_deadline`](Handler::next_deadline) has come, instead of calling [`on_loop`](Handler::on_loop). So a
/// journal has it, and a handler that decides in `Handle<Due>` by [`time`](Self::time) decides the same when it is
/// handed its history again. Nobody else may receive it, and `h` is the only handler of its type in the table.
///
/// At most one is on its way for each handler, and while history is replayed none is written: they are in it. Like
/// any message it waits for what is before it on the bus, and goes through the outbox when the bus is full; one that
/// cannot be written at all is [`Report::Unsent`], and tried again after a second. None is written once a stop drains.
/// A handler whose deadline is still past when it has handled one gets another one: move the deadline on.
///
/// After a restart a second one may come, of a deadline that the earlier process had: a worker that did not rebuild
/// finds it in the journal and knows nothing of it. Go by `time`, and let one that is not waited for do no harm. What
/// `on_start` says of the time is new after each restart, so a handler that is to be rebuilt takes its next deadline
/// from the `time` of the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The deadline, as the handler named it.
    pub time: Time,
}

impl Message for Due {
    type Id = u16;
    /// The library's: a routing table refuses another message with it.
    const ID: u16 = FIRST_OF_LIBRARY + 0x10;
    const LAYOUT: Layout = Layout { codec: "due", size: 8, align: 0 };
}

impl ExtendedMessage for Due {
    fn get_size(&self) -> usize {
        8
    }

    fn write_into(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.time.0.to_le_bytes());
    }
}

impl DeserializeFrom for Due {
    /// Panics when the bytes are no such message; the bus itself calls `try_deserialize_from`.
    fn deserialize_from(buffer: &[u8]) -> Due {
        match Due::try_deserialize_from(buffer) {
            Ok(due) => due,
            Err(error) => panic!("{error}"),
        }
    }

    fn try_deserialize_from(buffer: &[u8]) -> Result<Due, DecodeError> {
        let bytes = buffer.try_into().map_err(|_| DecodeError::new("a time has eight bytes"))?;
        Ok(Due { time: Time(u64::from_le_bytes(bytes)) })
    }
}

// ------------------------------------------------------------------------------------------------------------ errors

/// Why a message was not written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteError {
    /// No room now. Try again later, or use the method that waits.
    Full,
    /// The payload is larger than the bus takes. Make the bus larger, or the message smaller.
    TooLarge {
        /// The payload's size in bytes.
        size: usize,
        /// The largest payload of this bus in bytes.
        max: usize,
    },
    /// Not all workers of the messenger are subscribed yet, so some would never see the message. Run it first; what is
    /// to be in a journal before that is written with the writer of the bus.
    NotStarted,
    /// The bus is closed to writers from outside: the messenger is stopping.
    Closed,
    /// On a bus for one writer, this worker is not the one. Route the message from the worker that writes, or use a
    /// bus for many writers.
    NotAWriter,
    /// The fill took so long that readers went on without the message.
    Fenced,
    /// The message could not be encoded.
    Encode(EncodeError),
    /// The worker's outbox is at its limit: its handlers send more than they receive, for too long.
    OutboxFull {
        /// The limit in bytes.
        limit: usize,
    },
    /// There is no space on the disk, or this process may write no larger file (`RLIMIT_FSIZE`). Nothing was written;
    /// writing goes on when there is space again, or the limit is raised.
    NoSpace,
    /// The journal has reached the end of its reservation. Open it again with a larger capacity.
    Exhausted {
        /// The reservation in bytes.
        capacity: u64,
    },
    /// The disk failed. Whether the message survives a power failure is not known; open the journal again.
    Storage {
        /// What kind of failure.
        kind: std::io::ErrorKind,
    },
    /// In a rebuild: the handler no longer sends what it sent.
    Diverged(Box<Divergence>),
}

/// The first difference between what a handler sent when it was handed a message and what it sends now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Where the message stands that it was handed.
    pub position: u64,
    /// The id of the handler.
    pub source: u16,
    /// The handler's type, as spelled in the table.
    pub handler: String,
    /// What it had sent; `None` if it sends more now.
    pub expected: Option<Sent>,
    /// What it sends now; `None` if that is less.
    pub actual: Option<Sent>,
}

/// A message as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The id of the message.
    pub message: u16,
    /// Its payload.
    pub bytes: Vec<u8>,
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// So much of a payload is shown.
        const SHOWN: usize = 64;
        write!(f, "message {} [", self.message)?;
        for byte in self.bytes.iter().take(SHOWN) {
            write!(f, "{byte:02x}")?;
        }
        write!(f, "{}]", if self.bytes.len() > SHOWN { ".." } else { "" })
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Divergence { position, source, handler, expected, actual } = self;
        write!(f, "handler {handler} (source {source}) does not repeat what it sent on the message at {position}: ")?;
        match (expected, actual) {
            (Some(expected), Some(actual)) => write!(f, "it sent {expected}, now it sends {actual}"),
            (Some(expected), None) => write!(f, "it sent {expected}, now it sends nothing more"),
            (None, Some(actual)) => write!(f, "it sent nothing more, now it sends {actual}"),
            (None, None) => f.write_str("nothing is known of what"),
        }
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::Full => f.write_str("the bus is full"),
            WriteError::TooLarge { size, max } => {
                write!(f, "a payload of {size} bytes is larger than the {max} bytes this bus takes")
            }
            WriteError::NotStarted => f.write_str("the messenger's workers are not subscribed yet"),
            WriteError::Closed => f.write_str("the bus is closed to writers from outside"),
            WriteError::NotAWriter => f.write_str("this worker is not the one writer of its bus"),
            WriteError::Fenced => f.write_str("the fill took too long and readers went on without the message"),
            WriteError::Encode(error) => write!(f, "not encoded: {error}"),
            WriteError::OutboxFull { limit } => {
                write!(f, "the worker's outbox is full ({limit} bytes): its handlers send more than they receive")
            }
            WriteError::NoSpace => f.write_str("no space on the disk"),
            WriteError::Exhausted { capacity } => {
                write!(f, "the journal's {capacity} bytes are used up: open it again with a larger capacity")
            }
            WriteError::Storage { kind } => write!(f, "the disk failed: {kind}"),
            WriteError::Diverged(divergence) => divergence.fmt(f),
        }
    }
}

impl Error for WriteError {}

impl From<EncodeError> for WriteError {
    fn from(error: EncodeError) -> WriteError {
        WriteError::Encode(error)
    }
}

/// Why a message did not become bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// It wrote more than it had claimed: `get_size` and the encoder disagree.
    TooLong {
        /// How many bytes were claimed.
        claimed: usize,
    },
    /// Its encoder refused it.
    Refused(String),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::TooLong { claimed } => {
                write!(f, "the message is longer than the {claimed} bytes it asked for")
            }
            EncodeError::Refused(reason) => f.write_str(reason),
        }
    }
}

impl Error for EncodeError {}

/// Why bytes are not the message they claim to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    reason: String,
}

impl DecodeError {
    /// An error that says `reason`.
    pub fn new(reason: impl Into<String>) -> DecodeError {
        DecodeError { reason: reason.into() }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "undecodable: {}", self.reason)
    }
}

impl Error for DecodeError {}

/// Why there is no message to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// None yet.
    Empty,
    /// This evictable reader was too slow and was moved past this many messages. The next read goes on from there.
    Lagged(u64),
    /// The bus is closed and everything has been read.
    Closed,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Empty => f.write_str("no message yet"),
            ReadError::Lagged(messages) => write!(f, "too slow: moved past {messages} messages"),
            ReadError::Closed => f.write_str("the bus is closed and read to its end"),
        }
    }
}

impl Error for ReadError {}

/// Why there is no further reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The reader table is full. Drop a reader, or merge workers.
    TooManyReaders {
        /// How many readers a bus has room for.
        max: usize,
    },
    /// What stands at this position is not retained any more. Start at the oldest.
    NotRetained {
        /// The position that was asked for.
        asked: u64,
        /// The oldest that there is.
        oldest: u64,
    },
    /// No slot begins at this position.
    NoSuchPosition {
        /// The position that was asked for.
        asked: u64,
    },
    /// A cursor's name has at most 40 bytes, is not empty, does not end in a zero byte, and belongs to one reader at a
    /// time.
    CursorName,
    /// The journal has no place for another named cursor. Remove one.
    TooManyCursors {
        /// How many there are.
        max: usize,
    },
    /// The named cursor is damaged. Remove it, and start at a position that you know.
    CursorDamaged,
    /// A rebuild needs the whole history, and retention has forgotten where it began. See
    /// [`Retention::past_rebuilds`](crate::message_bus::Retention::past_rebuilds); start at the oldest, or resume.
    HistoryGone {
        /// Where the history began.
        first: u64,
        /// The oldest position that there is.
        oldest: u64,
    },
    /// A rebuild must know who sends: give the journal the routing table, name the reader like a worker, and have each
    /// of that worker's handlers in no other worker.
    NoSources,
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SubscribeError::TooManyReaders { max } => write!(f, "all {max} places for readers are taken"),
            SubscribeError::NotRetained { asked, oldest } => {
                write!(f, "position {asked} is not retained any more, the oldest is {oldest}")
            }
            SubscribeError::NoSuchPosition { asked } => write!(f, "no slot begins at position {asked}"),
            SubscribeError::CursorName => {
                f.write_str("a cursor's name has 1 to 40 bytes and belongs to one reader at a time")
            }
            SubscribeError::TooManyCursors { max } => write!(f, "all {max} places for named cursors are taken"),
            SubscribeError::CursorDamaged => f.write_str("the named cursor is damaged; remove it"),
            SubscribeError::HistoryGone { first, oldest } => write!(
                f,
                "a rebuild needs the history from position {first} on, and the oldest that is retained is {oldest}"
            ),
            SubscribeError::NoSources => f.write_str(
                "a rebuild needs the routing table, a worker's name, and handlers that are in no other worker",
            ),
        }
    }
}

impl Error for SubscribeError {}

/// Why there is no further writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriterError {
    /// The bus is for one writer, and it exists already. Use a bus for many writers, or drop the other one first.
    Taken,
}

impl fmt::Display for WriterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriterError::Taken => f.write_str("this bus takes one writer, and it exists already"),
        }
    }
}

impl Error for WriterError {}
