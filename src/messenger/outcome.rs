//! How a run ended, or why it did not start.

use crate::blame::{Blame, Place};
use crate::traits::{Header, NoWriter, ReadError, SubscribeError};
use std::error::Error;
use std::fmt;
use std::io;

/// The outcome of a run: what the workers could not decode, send or handle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Messages that a worker could not decode, and skipped.
    pub undecodable: u64,
    /// Messages that `send` could not send ([`Report::Unsent`](crate::traits::Report::Unsent)).
    pub unsent: u64,
    /// Messages that no route carried: see [`Stats::unrouted`](crate::traits::Stats::unrouted).
    pub unrouted: u64,
    /// Messages that workers wrote after the end of the drain. Nobody handled them. On a bus that processes
    /// [share](crate::traits::MessageBus::is_shared), where others may still handle them: those that workers of this
    /// messenger wrote after they had seen the end.
    pub after_stop: u64,
    /// How often workers were restarted ([`OnPanic::Restart`](super::OnPanic::Restart)).
    pub restarts: u64,
    /// The panic before the last restart: who it was, at which message, and its text.
    pub last_panic: Option<String>,
    /// Messages that are dead for a worker, each once for each worker that may be restarted:
    /// [`Report::Dead`](crate::traits::Report::Dead).
    pub dead: u64,
    /// The workers and [attached](super::Attached) threads that left something undone, in the order in which they
    /// ended.
    pub left: Vec<Left>,
}

/// What a worker left undone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Left {
    /// The worker's name in the table.
    pub worker: &'static str,
    /// Messages on the bus that the worker should have handled or stepped over, without the one at which a failure
    /// ended it.
    pub unread: u64,
    /// Bytes of the bus, slot headers and padding included, whose messages it could not count: the first one's fill had
    /// not ended a second after the deadline of the stop, or after the end of the worker. 0 if it counted all.
    pub unread_bytes: u64,
    /// Messages in the worker's outbox.
    pub unsent: u64,
}

/// The failures of a run.
#[derive(Debug)]
#[non_exhaustive]
pub struct RunError {
    /// The failures, in order.
    pub failures: Vec<Failure>,
    /// The summary of the run.
    pub summary: Summary,
}

/// One failure.
#[derive(Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The worker's name in the table; empty if the messenger did not start.
    pub worker: &'static str,
    /// What failed.
    pub cause: Cause,
}

/// What ended a worker before its time.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// The messenger did not start.
    Start(StartError),
    /// A handler panicked.
    Panicked {
        /// The handler's name in the table.
        handler: &'static str,
        /// The message that it was handling, if any.
        header: Option<Header>,
        /// The text of the panic.
        text: String,
    },
    /// Other code of yours panicked. The worker is the one on whose thread that happened, or whose poller it was; its
    /// name is empty if it happened in the messenger itself, as it stopped or ended.
    PanickedIn {
        /// The code that panicked.
        place: Place,
        /// The message that the worker was routing, decoding, reporting or dropping, if any.
        header: Option<Header>,
        /// The text of the panic.
        text: String,
    },
    /// A handler called [`Writer::fail`](crate::traits::Writer::fail), or returned an `Err` from
    /// [`TryHandle`](crate::traits::TryHandle).
    Failed {
        /// The handler's name in the table.
        handler: &'static str,
        /// The error that it passed.
        error: Box<dyn Error + Send + Sync>,
    },
    /// Two handlers of the worker wait in different [`Poller`](crate::traits::Poller)s, and a thread sleeps in one
    /// place at a time. Give them a worker each.
    TwoPollers {
        /// The name of the handler whose poller is the second one.
        handler: &'static str,
    },
    /// The outbox reached its limit: the worker's handlers send more than they receive.
    OutboxFull {
        /// The name of the handler that sent last.
        handler: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// The bus has the worker read no further: this process was forked from the one that attached to it
    /// ([`ReadError::Forked`]), or somebody who is no writer of it has written into it ([`ReadError::Corrupt`]).
    Read(ReadError),
    /// A handler did not return before the deadline of the stop. The messenger left its thread behind.
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

/// Why a messenger did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The bus added no reader for a worker.
    Subscribe {
        /// The worker's name in the table.
        worker: &'static str,
        /// Why.
        error: SubscribeError,
    },
    /// The bus made no writer for a worker. On a bus for one writer, only one worker may contain route sources, and no
    /// writer from outside may exist.
    Writer {
        /// The worker's name in the table.
        worker: &'static str,
        /// Why.
        error: NoWriter,
    },
    /// The system started no thread for a worker.
    Thread {
        /// The worker's name in the table.
        worker: &'static str,
        /// The system's error.
        error: io::Error,
    },
    /// Code of yours panicked while the messenger made a worker.
    Panicked {
        /// The worker's name in the table.
        worker: &'static str,
        /// The code that panicked.
        place: Place,
        /// The text of the panic.
        text: String,
    },
    /// A handler could not be made: the expression by which the table makes it returned an error. No handler has
    /// started, and none has handled a message.
    Handler {
        /// The worker's name in the table.
        worker: &'static str,
        /// The handler's name in the table.
        handler: &'static str,
        /// The error.
        error: Box<dyn Error + Send + Sync>,
    },
    /// Snapshots of the worker are wanted, and this handler has no [`snapshot`](crate::traits::Handler::snapshot).
    NoSnapshot {
        /// The worker's name in the table.
        worker: &'static str,
        /// The handler's name in the table.
        handler: &'static str,
    },
    /// Snapshots of the worker are wanted, and this handler waits in a [`poller`](crate::traits::Handler::poller):
    /// what it waits for is not in the journal.
    SnapshotInPoller {
        /// The worker's name in the table.
        worker: &'static str,
        /// The handler's name in the table.
        handler: &'static str,
    },
    /// This messenger runs or has run, and a messenger runs once. Make another one, and attach to it before it runs.
    RanBefore,
    /// [`Options::workers`](super::Options::workers) or [`Options::on_panic_of`](super::Options::on_panic_of) names a
    /// worker that the table does not have.
    UnknownWorker {
        /// The name in the options.
        worker: &'static str,
        /// Those that the table has.
        known: Vec<&'static str>,
    },
    /// No worker of the table is to run.
    NoWorkers,
    /// A worker cannot be restarted as its [`Budget`](super::Budget) says.
    Budget {
        /// The worker's name in the table.
        worker: &'static str,
        /// What is wrong with it.
        refused: &'static str,
    },
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
            StartError::Handler { worker, handler, error } => {
                write!(f, "handler {handler} of worker {worker} cannot be made: {error}")
            }
            StartError::NoSnapshot { worker, handler } => {
                write!(f, "handler {handler} of worker {worker}, of which snapshots are wanted, has no `snapshot`")
            }
            StartError::SnapshotInPoller { worker, handler } => write!(
                f,
                "handler {handler} of worker {worker}, of which snapshots are wanted, waits in a poller for what is \
                 not in the journal"
            ),
            StartError::RanBefore => {
                f.write_str("a messenger runs once; make another one, and attach to it before it runs")
            }
            StartError::UnknownWorker { worker, known } => {
                write!(f, "the table has no worker {worker}; it has {}", known.join(", "))
            }
            StartError::NoWorkers => f.write_str("no worker of the table is to run"),
            StartError::Budget { worker, refused } => write!(f, "worker {worker} cannot be restarted: {refused}"),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            StartError::Subscribe { error, .. } => Some(error),
            StartError::Writer { error, .. } => Some(error),
            StartError::Thread { error, .. } => Some(error),
            StartError::Handler { error, .. } => Some(&**error),
            StartError::Panicked { .. }
            | StartError::NoSnapshot { .. }
            | StartError::SnapshotInPoller { .. }
            | StartError::RanBefore
            | StartError::UnknownWorker { .. }
            | StartError::NoWorkers
            | StartError::Budget { .. } => None,
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
            Cause::TwoPollers { handler } => {
                write!(f, "handler {handler} waits in another poller than its neighbours; give them a worker each")
            }
            Cause::OutboxFull { handler, limit } => write!(
                f,
                "the outbox is full ({limit} bytes): the handlers send more than they receive, {handler} last"
            ),
            Cause::Read(error) => write!(f, "the bus has it read no further: {error}"),
            Cause::Stuck => f.write_str("a handler did not return before the stop's deadline"),
        }
    }
}

impl Failure {
    /// Why the messenger did not start.
    pub(super) fn of_start(error: StartError) -> Failure {
        Failure { worker: "", cause: Cause::Start(error) }
    }

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

#[cfg(all(test, not(rust_messenger_loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_error_within_the_first_failure_is_the_source() {
        let source = |cause| {
            let error = RunError { failures: vec![Failure { worker: "W", cause }], summary: Summary::default() };
            error.source().map(ToString::to_string)
        };
        assert_eq!(source(Cause::Start(StartError::RanBefore)), Some(StartError::RanBefore.to_string()));
        assert_eq!(source(Cause::Failed { handler: "h", error: "enough".into() }), Some("enough".to_owned()));
        assert_eq!(source(Cause::Stuck), None);
    }
}
