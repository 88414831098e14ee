//! How a messenger ended, or why it did not start.

use crate::blame::{Blame, Place};
use crate::traits::{Header, NoWriter, SubscribeError};
use std::error::Error;
use std::fmt;
use std::io;

/// How a messenger ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Messages that could not be decoded.
    pub undecodable: u64,
    /// Messages that `send` could not send.
    pub unsent: u64,
    /// Messages that no route carries; see [`Stats::unrouted`](crate::traits::Stats::unrouted).
    pub unrouted: u64,
    /// Messages that workers wrote to the bus after the point up to which the stop drained.
    pub after_stop: u64,
    /// Workers that did not get everything done, in the order in which they ended.
    pub left: Vec<Left>,
}

/// What a worker left undone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Left {
    /// The worker's name in the table.
    pub worker: &'static str,
    /// Messages on the bus that it should have handled or stepped over, without the one at which a failure ended it.
    pub unread: u64,
    /// Bytes of the bus whose messages could not be counted, slots and all: they begin with a message that its writer,
    /// a second after the stop's deadline or after the worker's end, still had not finished. 0 if all were counted.
    pub unread_bytes: u64,
    /// Messages in its outbox.
    pub unsent: u64,
}

/// Why a messenger did not end well.
#[derive(Debug)]
#[non_exhaustive]
pub struct RunError {
    /// What happened, in order.
    pub failures: Vec<Failure>,
    /// What there is to say all the same.
    pub summary: Summary,
}

/// What ended a worker before its time.
#[derive(Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The worker's name in the table; empty if the messenger did not start.
    pub worker: &'static str,
    /// Why.
    pub cause: Cause,
}

/// Why a worker ended before its time.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// The messenger did not start.
    Start(StartError),
    /// A handler panicked.
    Panicked {
        /// The handler's name in the table.
        handler: &'static str,
        /// The message in its hands, if it was handling one.
        header: Option<Header>,
        /// What the panic said.
        text: String,
    },
    /// Something else of the user's panicked. The worker is the one on whose thread that was, or whose poller it is;
    /// none, if it happened to the messenger itself as it stopped or ended.
    PanickedIn {
        /// What it was.
        place: Place,
        /// The message that was being routed, decoded, reported or dropped, if any.
        header: Option<Header>,
        /// What the panic said.
        text: String,
    },
    /// A handler called [`Writer::fail`](crate::traits::Writer::fail).
    Failed {
        /// The handler's name in the table.
        handler: &'static str,
        /// What it said.
        error: Box<dyn Error + Send + Sync>,
    },
    /// The worker's handlers send more than they take, and their outbox is full.
    OutboxFull {
        /// The name of the handler that sent last.
        handler: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// A handler did not return before the stop's deadline. Its thread was left behind.
    Stuck,
}

impl Cause {
    pub(super) fn panicked(blame: Blame, header: Option<Header>) -> Cause {
        let Blame { handler, place, text } = blame;
        match place {
            None => Cause::Panicked { handler, header, text },
            Some(place) => Cause::PanickedIn { place, header, text },
        }
    }
}

/// Two handlers of one worker wait in different [`Poller`](crate::traits::Poller)s, and a thread sleeps in one place at
/// a time. Give them a worker each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TwoPollers;

impl fmt::Display for TwoPollers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another handler of this worker waits in another poller; give them a worker each")
    }
}

impl Error for TwoPollers {}

/// Why a messenger did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// A worker got no place on the bus.
    Subscribe {
        /// The worker's name in the table.
        worker: &'static str,
        /// Why.
        error: SubscribeError,
    },
    /// A worker got no writer: on a bus for one writer, only one worker may contain route sources, and no writer from
    /// outside may exist.
    Writer {
        /// The worker's name in the table.
        worker: &'static str,
        /// Why.
        error: NoWriter,
    },
    /// The system gave no thread.
    Thread {
        /// The worker's name in the table.
        worker: &'static str,
        /// What it said.
        error: io::Error,
    },
    /// Code of the user's panicked as a worker was made ready.
    Panicked {
        /// The worker's name in the table.
        worker: &'static str,
        /// What it was.
        place: Place,
        /// What the panic said.
        text: String,
    },
    /// A messenger runs once. Make another one.
    RanBefore,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Subscribe { worker, error } => write!(f, "worker {worker} cannot read from the bus: {error}"),
            StartError::Writer { worker, error } => write!(f, "worker {worker} cannot write to the bus: {error}"),
            StartError::Thread { worker, error } => write!(f, "no thread for worker {worker}: {error}"),
            StartError::Panicked { worker, place, text } => {
                write!(f, "{place} panicked as worker {worker} was made ready: {text}")
            }
            StartError::RanBefore => f.write_str("a messenger runs once; make another one"),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            StartError::Subscribe { error, .. } => Some(error),
            StartError::Writer { error, .. } => Some(error),
            StartError::Thread { error, .. } => Some(error),
            StartError::Panicked { .. } | StartError::RanBefore => None,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Start(error) => error.fmt(f),
            Cause::Panicked { handler, header, text } => {
                write!(f, "handler {handler} panicked{}: {text}", OnMessage(header))
            }
            Cause::PanickedIn { place, header, text } => write!(f, "{place} panicked{}: {text}", OnMessage(header)),
            Cause::Failed { handler, error } => write!(f, "handler {handler} failed: {error}"),
            Cause::OutboxFull { handler, limit } => write!(
                f,
                "the outbox is full ({limit} bytes): the handlers send more than they receive, {handler} last"
            ),
            Cause::Stuck => f.write_str("a handler did not return before the stop's deadline"),
        }
    }
}

impl Failure {
    /// What happened on no worker's account.
    pub(super) fn of_messenger(place: Place, text: String) -> Failure {
        Failure { worker: "", cause: Cause::PanickedIn { place, header: None, text } }
    }
}

/// Says which message it was, if it was any.
struct OnMessage<'a>(&'a Option<Header>);

impl fmt::Display for OnMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Header { source, message, position, .. }) = self.0 else { return Ok(()) };
        write!(f, " on message {message} from source {source} at position {position}")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.worker {
            "" => self.cause.fmt(f),
            worker => write!(f, "worker {worker}: {}", self.cause),
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, failure) in self.failures.iter().enumerate() {
            write!(f, "{}{failure}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl Error for RunError {
    /// The error within the first failure.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.failures.first()?.cause {
            Cause::Start(error) => Some(error),
            Cause::Failed { error, .. } => Some(&**error),
            _ => None,
        }
    }
}
