//! Handlers, which receive and send, and the writers that connect them to all that is outside.

use super::bus::Publish;
use super::dead_letter::DeadLetter;
use super::error::{DecodeError, WriteError};
use super::message::{Bytes, Encode, ExtendedMessage, Header, Message, SMALL};
use super::reader::Poller;
use super::snapshot::{SkippedSnapshot, Snapshot};
use super::time::Time;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// A nano-service: a plain struct that receives messages and sends messages.
///
/// ```
/// use rust_messenger::prelude::*;
///
/// struct Porter;
///
/// // `handler!(Porter, 1);` says no more than the id.
/// impl Handler for Porter {
///     type Id = u16;
///     const ID: u16 = 1;
///
///     fn on_start<W: Writer>(&mut self, writer: &W) {
///         writer.stop();
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` stands in the routing table but is no handler",
    note = "add `rust_messenger::handler!({Self}, 7);`, with an id of its own, or implement `Handler` for `{Self}`"
)]
pub trait Handler {
    /// `u16`, or an enum that `as u16` accepts: see [`messenger_id_enum!`](crate::messenger_id_enum).
    // The compiler shows the next line, with what is behind it, to whoever has another type.
    type Id: Into<u16>; // `u16`, or an enum that `messenger_id_enum!` makes
    /// The id of the handler: the source of every message that it sends.
    const ID: Self::Id;

    /// The worker calls it once, when every worker is subscribed and the handlers of this worker are made. Provided:
    /// does nothing.
    fn on_start<W: Writer>(&mut self, writer: &W) {
        let _ = writer;
    }

    /// The worker calls it before each wait, and when a [deadline](Self::next_deadline) of one of its handlers has come
    /// that is no [`Due`]. Provided: does nothing.
    ///
    /// A journal does not record this call, so a rebuild does not repeat it: what you decide or send here, you decide
    /// and send again after each restart. Route a [`Due`] instead. A worker that rebuilds reports what its handlers
    /// send from here ([`Report::SentInLoop`]).
    ///
    /// [`Due`]: super::Due
    fn on_loop<W: Writer>(&mut self, writer: &W) {
        let _ = writer;
    }

    /// The worker calls it once, after the last message. Provided: does nothing.
    fn on_stop(&mut self) {}

    /// When the worker should call [`on_loop`](Self::on_loop) at the latest, in the time of [`Writer::now`]. A time in
    /// the past means now, without sleeping; `None` no deadline. Provided: `None`.
    ///
    /// Where the table has a route `H, Due: [h]`, the worker writes a [`Due`] at this time instead. That does not call
    /// `on_loop`, and while one is on its way the worker does not ask for the next.
    ///
    /// [`Due`]: super::Due
    fn next_deadline(&self) -> Option<Time> {
        None
    }

    /// Where the worker should sleep, if this handler waits for more than messages. The worker asks once, after
    /// [`on_start`](Self::on_start). It then sleeps there, and calls [`on_loop`](Self::on_loop) after every batch of
    /// messages, too. All handlers of a worker must return the same poller or `None`; give handlers with different
    /// pollers a worker each. Provided: `None`.
    fn poller(&self) -> Option<Arc<dyn Poller>> {
        None
    }

    /// The state of this handler, for the snapshots of its worker
    /// (`PersistentOptions::snapshots`). Provided: `None`.
    fn snapshot(&mut self) -> Option<&mut dyn Snapshot> {
        None
    }
}

/// How a worker makes a handler from the configuration of its routing table.
///
/// ```
/// use rust_messenger::prelude::*;
///
/// struct Config {
///     last: u32,
/// }
///
/// struct Ping {
///     last: u32,
/// }
/// handler!(Ping, 1);
///
/// impl New<Config> for Ping {
///     fn new<W: Writer>(config: &Config, _: &W) -> Self {
///         Ping { last: config.last }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be made from the table's configuration `{Config}`",
    note = "implement `New<{Config}>` for `{Self}`; or write `handler!({Self}, id, default)`, or `name: {Self} = |config| ..` in the table"
)]
pub trait New<Config>: Handler {
    /// Makes the handler. The worker calls it on its own thread.
    fn new<W: Writer>(config: &Config, writer: &W) -> Self;
}

/// How a handler handles one kind of message.
///
/// ```
/// use rust_messenger::traits::{Handle, Handler, Sender, Writer};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Question(u32);
/// rust_messenger::serde_message!(Question, 1);
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Answer(u32);
/// rust_messenger::serde_message!(Answer, 2);
///
/// struct Oracle;
///
/// impl Handler for Oracle {
///     type Id = u16;
///     const ID: u16 = 1;
/// }
///
/// impl Handle<Question> for Oracle {
///     fn handle<W: Writer>(&mut self, question: &Question, writer: &W) {
///         Self::send(&Answer(question.0 + 1), writer);
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle `{M}`",
    note = "implement `rust_messenger::traits::Handle<{M}>` for `{Self}`"
)]
pub trait Handle<M: Message> {
    /// Handles one message. The worker calls it for every message of this kind that the table routes here, in the order
    /// of the bus.
    fn handle<W: Writer>(&mut self, message: &M, writer: &W);
}

/// How a handler handles one kind of message, when that can fail: as [`Handle`], but `?` works, and an `Err` ends the
/// run as [`Writer::fail`] does.
///
/// The message whose handling failed has not been handled: on a journal, a worker that resumes begins with it again. A
/// handler implements either this or [`Handle`] for a message, not both.
///
/// ```
/// use rust_messenger::prelude::*;
/// use std::num::ParseIntError;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Line(String);
/// serde_message!(Line, 1);
///
/// #[derive(Default)]
/// struct Sum(u64);
/// handler!(Sum, 1, default);
///
/// impl TryHandle<Line> for Sum {
///     type Error = ParseIntError;
///
///     fn try_handle<W: Writer>(&mut self, line: &Line, _: &W) -> Result<(), ParseIntError> {
///         self.0 += line.0.parse::<u64>()?;
///         Ok(())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle `{M}`",
    note = "implement `rust_messenger::traits::TryHandle<{M}>` for `{Self}`"
)]
pub trait TryHandle<M: Message> {
    /// What can go wrong: any error, `Box<dyn Error + Send + Sync>`, or a text.
    type Error: Into<Box<dyn Error + Send + Sync>>;

    /// Handles one message, as [`Handle::handle`].
    ///
    /// # Errors
    ///
    /// [`Self::Error`]: the handler cannot go on. The messenger stops, and `join()` returns the error; but where the
    /// worker [may be restarted](crate::messenger::OnPanic::Restart), this counts as a panic.
    fn try_handle<W: Writer>(&mut self, message: &M, writer: &W) -> Result<(), Self::Error>;
}

/// How a handler sends: `Self::send(&message, writer)`. Every [`Handler`] has it.
///
/// ```
/// use rust_messenger::prelude::*;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Tick(u64);
/// serde_message!(Tick, 1);
///
/// struct Feed;
/// handler!(Feed, 1);
///
/// fn forward<W: Writer>(price: u64, writer: &W) {
///     Feed::send(&Tick(price), writer);
/// }
/// ```
pub trait Sender: Handler {
    /// Sends `message`. A worker never waits here: when the bus is full, the message goes to the worker's outbox. A
    /// thread outside the messenger blocks until there is room or the messenger stops; `OutsideWriter::send_timeout`
    /// waits no longer than it is told to.
    ///
    /// It returns nothing, so that handlers can end in it. The messenger reports what fails ([`Report::Unsent`]): from
    /// outside that is every message after a stop, which is dropped.
    // Always inlined: what the handler has just put together then goes from its registers to the bus.
    #[inline(always)]
    fn send<M: ExtendedMessage, W: Writer>(message: &M, writer: &W) {
        let mut room = [0; SMALL];
        let sent = match message.encode_small(&mut room) {
            Some(bytes) => writer.put(Self::ID.into(), M::ID.into(), &mut Bytes(bytes)),
            None => writer.put(Self::ID.into(), M::ID.into(), &mut Encode(message)),
        };
        if let Err(error) = sent {
            unsent::<Self, M>(writer, error);
        }
    }

    /// Sends `message`, if the bus has room now.
    ///
    /// # Errors
    ///
    /// [`WriteError`]: the message is not sent.
    #[inline]
    fn try_send<M: ExtendedMessage, P: Publish>(message: &M, writer: &P) -> Result<(), WriteError> {
        let mut room = [0; SMALL];
        match message.encode_small(&mut room) {
            Some(bytes) => writer.try_put(Self::ID.into(), M::ID.into(), &mut Bytes(bytes)),
            None => writer.try_put(Self::ID.into(), M::ID.into(), &mut Encode(message)),
        }
    }
}

impl<H: Handler> Sender for H {}

#[cold]
#[inline(never)]
fn unsent<H: Handler + ?Sized, M: Message>(writer: &impl Writer, error: WriteError) {
    writer.report(Report::Unsent { source: H::ID.into(), message: M::ID.into(), error });
}

/// A handler's connection to all that is outside it: the bus, the time, the stop.
///
/// ```
/// use rust_messenger::prelude::*;
/// use rust_messenger::traits::Time;
///
/// fn stop_when_late<W: Writer>(end: Time, writer: &W) {
///     if writer.now() >= end {
///         writer.stop();
///     }
/// }
/// ```
///
/// [`Messenger::writer`](crate::messenger::Messenger::writer) makes one for other threads.
pub trait Writer: Publish {
    /// The time. Handlers ask here and not the system, so that simulations and rebuilds are exact. While a worker
    /// handles a message of a journal, this is the message's recorded time.
    fn now(&self) -> Time;

    /// Stops the messenger: the workers handle every message that is on the bus, then end.
    fn stop(&self);

    /// Ends the run with `error`: the calling handler cannot go on. The messenger stops, and `join()` returns the
    /// error.
    fn fail(&self, error: impl Into<Box<dyn Error + Send + Sync>>);

    /// Counts `report`, and passes it to the messenger's callback.
    fn report(&self, report: Report);

    /// The largest payload of the bus in bytes.
    fn max_payload(&self) -> usize;

    /// A [`TryHandle`] of the calling handler returned `error`. May unwind, if that is what the worker makes of it.
    #[doc(hidden)]
    fn unhandled(&self, error: Box<dyn Error + Send + Sync>) {
        self.fail(error);
    }

    /// The message in hand cannot be decoded.
    #[doc(hidden)]
    fn undecodable(&self, header: Header, error: DecodeError) {
        self.report(Report::Undecodable { header, error });
    }
}

/// A failure that ends nothing. The messenger passes it to the callback in its options.
#[derive(Debug)]
#[non_exhaustive]
pub enum Report {
    /// A worker could not decode a routed message. It skipped the message.
    Undecodable {
        /// The header of the message.
        header: Header,
        /// What is wrong with its bytes.
        error: DecodeError,
    },
    /// [`Sender::send`] failed. The message is lost.
    Unsent {
        /// The id of the handler that sent it.
        source: u16,
        /// The id of the message.
        message: u16,
        /// Why it failed.
        error: WriteError,
    },
    /// The system did not pin a worker's thread to its core. The worker runs unpinned.
    NotPinned {
        /// The worker's name in the table.
        worker: &'static str,
        /// The core that the options name.
        core: usize,
        /// The system's error.
        error: String,
    },
    /// A source of the table sent a message that no route carries, so no handler received it. The messenger reports the
    /// first for each source and message, and counts all of them in [`Stats::unrouted`]. Add a route, or mark the
    /// handler `#[allow(unrouted)]`.
    ///
    /// [`Stats::unrouted`]: super::Stats::unrouted
    Unrouted {
        /// The header of the first one.
        header: Header,
        /// The type of the source, as spelled in the table.
        source: &'static str,
        /// The type of the message, as spelled in the table; `None` if the table routes it from no source.
        message: Option<&'static str>,
    },
    /// A handler sent a message in [`on_loop`](Handler::on_loop), in a worker that rebuilds. A rebuild does not replay
    /// `on_loop`, so after the next restart the handler is likely to send it again. The messenger reports it once for
    /// each handler. Decide in `Handle<`[`Due`]`>` instead.
    ///
    /// [`Due`]: super::Due
    SentInLoop {
        /// The worker's name in the table.
        worker: &'static str,
        /// The handler's name in the table.
        handler: &'static str,
    },
    /// A worker that keeps snapshots begins its rebuild.
    Rebuilding {
        /// The worker's name in the table.
        worker: &'static str,
        /// The position of the snapshot with which it begins; `None`: with the whole history.
        snapshot: Option<u64>,
        /// The snapshots that it has passed over, and why.
        skipped: Vec<SkippedSnapshot>,
    },
    /// A snapshot of a worker was not kept. The worker goes on.
    NotKept {
        /// The worker's name in the table.
        worker: &'static str,
        /// Why.
        error: String,
    },
    /// A worker was broken by a panic, and is restarted.
    Restarting {
        /// The worker's name in the table.
        worker: &'static str,
        /// How often it was restarted so far, this time included.
        restarts: u64,
        /// Who panicked, at which message, and the text of the panic.
        error: String,
    },
    /// A message is dead for a worker that may be restarted: see [`DeadLetter`]. That is also on the bus, unless it is
    /// about another letter, or the bus is for one writer, and the worker is not that writer.
    Dead {
        /// The letter.
        letter: DeadLetter,
    },
    /// A bridge to the network failed at something, or ended a connection because of what the peer did.
    Network {
        /// The id of the bridge.
        source: u16,
        /// The failure: a `messi::NetworkError`.
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
            Report::Rebuilding { worker, snapshot, skipped } => {
                write!(f, "worker {worker} begins with ")?;
                match snapshot {
                    Some(position) => write!(f, "its snapshot at position {position}")?,
                    None => f.write_str("its whole history")?,
                }
                skipped.iter().try_for_each(|why| write!(f, "; passed over {why}"))
            }
            Report::NotKept { worker, error } => write!(f, "worker {worker} keeps no snapshot: {error}"),
            Report::Restarting { worker, restarts, error } => {
                write!(f, "worker {worker} is restarted, for the {restarts}. time: {error}")
            }
            Report::Dead { letter } => write!(
                f,
                "message {} from source {} at position {} is dead for worker {}: {}",
                letter.message, letter.source, letter.position, letter.worker, letter.text
            ),
            Report::Network { source, error } => write!(f, "bridge {source}: {error}"),
        }
    }
}
