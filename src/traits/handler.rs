//! Who receives and sends: handlers, and what they are given to talk to the world.

use super::bus::{Poller, Publish};
use super::error::{DecodeError, WriteError};
use super::message::{Encode, ExtendedMessage, Header, Message};
use super::time::Time;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

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
    ///
    /// [`Due`]: super::Due
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
    ///
    /// [`Due`]: super::Due
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
    ///
    /// [`Stats::unrouted`]: super::Stats::unrouted
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
    ///
    /// [`Due`]: super::Due
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
