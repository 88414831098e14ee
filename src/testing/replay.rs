//! [`replay`]: a recorded journal, handled again by all workers of a table.
//!
//! One messenger runs on a copy in memory, whose readers rebuild. Always the worker that is furthest behind takes the
//! next message, so that the first one that does not repeat what it sent is the first in the journal, too.

use crate::message_bus::{Journal, JournalError, PersistentBus, PersistentOptions, Start};
use crate::messenger::{Cause, Drive, Messenger, Options, RunError, StartError, Step, Summary, Workers};
use crate::routing::{Table, Topology, short};
use crate::sync::Arc;
use crate::testing::ManualClock;
use crate::traits::{Divergence, Every, SkippedSnapshot, Time, WriteError};
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

/// Handles a recorded journal again, from its first message to its last, by all workers of the table `T`: does each
/// handler, made of `config`, send what it sent when the journal was written? A journal from production becomes a test
/// of the next version.
///
/// It reads the file into memory and leaves it as it is. Copy it first if a program is writing it. No message is
/// written, and no worker goes on after the last one. [`Writer::now`](crate::traits::Writer::now) is the time at which
/// a message was written, and before the first one that at which the journal was made. As in each rebuild, what
/// handlers send in `on_start`, in `on_loop` and at deadlines is not compared: see
/// [`Start::Rebuild`](crate::message_bus::Start::Rebuild).
///
/// Returns what the run has counted, such as the messages that nobody could decode.
///
/// ```
/// # #[cfg(all(unix, not(miri)))] { // Miri maps no files.
/// use rust_messenger::message_bus::{PersistentBus, PersistentOptions};
/// use rust_messenger::messenger::Step;
/// use rust_messenger::prelude::*;
/// use rust_messenger::testing::{ReplayError, replay};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Amount(u64);
/// serde_message!(Amount, 1);
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Tax(u64);
/// serde_message!(Tax, 2);
///
/// struct Till; // Somebody outside.
/// handler!(Till, 1);
///
/// struct Office { percent: u64 }
/// handler!(Office, 2);
///
/// impl New<u64> for Office {
///     fn new<W: Writer>(percent: &u64, _: &W) -> Office {
///         Office { percent: *percent }
///     }
/// }
///
/// impl Handle<Amount> for Office {
///     fn handle<W: Writer>(&mut self, amount: &Amount, writer: &W) {
///         Self::send(&Tax(amount.0 * self.percent / 100), writer);
///     }
/// }
///
/// Messenger! {
///     type Shop;
///     u64,
///     Taxes: handlers: [ #[allow(unrouted)] office: Office ] routes: [ Till, Amount: [ office ] ]
/// }
///
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("shop.journal");
/// let (bus, _) = PersistentBus::open(&path, PersistentOptions::default().table(Shop::table()))?;
/// let shop = Shop::new(bus);
/// let mut workers = shop.workers(&19)?;
/// Till::try_send(&Amount(200), &shop.writer()?)?;
/// while workers.step() == Step::Worked {}
/// drop((workers, shop));
///
/// replay::<Shop, _>(&path, &19)?;
/// let Err(ReplayError::Diverged(difference)) = replay::<Shop, _>(&path, &7) else { panic!("it does not differ") };
/// assert_eq!((difference.handler.as_str(), difference.actual), ("Office", Some((2, vec![14]))));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`ReplayError`]: the first difference, or why there is nothing to compare.
pub fn replay<T, C>(journal: impl AsRef<Path>, config: &C) -> Result<Summary, ReplayError>
where
    T: Topology<C> + 'static,
    C: Clone + 'static,
{
    let clock = ManualClock::new();
    let bus = open(journal.as_ref(), T::ROWS.table, &clock, Vec::new())?;
    let messenger = Messenger::<_, T>::with_options(bus, Options { clock: Arc::new(clock), ..Options::default() });
    let mut workers = messenger.workers(config).map_err(ReplayError::Start)?;
    make(&mut workers)?;
    repeat(&mut workers);
    workers.conclude().map_err(ReplayError::of_run)
}

/// Whether a journal has that name for this type.
pub(super) fn has_name(recorded: Option<&str>, type_name: &str) -> bool {
    recorded.is_some_and(|name| short(name) == short(type_name))
}

/// A copy in memory, whose readers rebuild.
pub(super) fn open(
    path: &Path,
    table: &'static Table<'static>,
    clock: &ManualClock,
    snapshots: Vec<(&'static str, Every)>,
) -> Result<PersistentBus, ReplayError> {
    let info = Journal::open(path)?.info()?;
    let mut handlers = table.workers.iter().flat_map(|worker| worker.handlers);
    if let Some(recorded) = &info.table
        && !handlers.any(|handler| has_name(recorded.handler(handler.id), handler.type_name))
    {
        let (path, journal) = (path.to_owned(), recorded.name().to_owned());
        return Err(ReplayError::OtherTable { path, journal, table: table.name });
    }
    clock.set(Time::from_nanos(u64::try_from(info.created.as_nanos()).unwrap_or(u64::MAX)));
    let options = PersistentOptions {
        start: Start::Rebuild,
        // Its history, and room for nothing to speak of: what is written behind it is nobody's.
        capacity: info.file_len + 16 * info.max_payload + (1 << 20),
        strict: true,
        snapshots,
        clock: Arc::new(clock.clone()),
        ..PersistentOptions::default()
    };
    let read = |error| JournalError::Io { path: path.to_owned(), action: "read it", error };
    let image = std::fs::read(path).map_err(read)?;
    Ok(PersistentBus::from_copy(path, image, options.table(table))?.0)
}

/// Makes the handlers of all workers, and starts them, unless one of them is driven by more than messages.
pub(super) fn make(workers: &mut Workers) -> Result<(), ReplayError> {
    if let Some((worker, handler)) = workers.iter_mut().find_map(|worker| Some((worker.name(), worker.make()?))) {
        return Err(ReplayError::Waits { worker, handler });
    }
    workers.iter_mut().for_each(|worker| _ = worker.step());
    Ok(())
}

/// Has all workers handle history, one message after the other, until it ends or one of them has.
pub(super) fn repeat(workers: &mut Workers) {
    let replaying = |worker: &dyn Drive| worker.replaying();
    loop {
        let behind = workers.iter_mut().filter(|worker| replaying(*worker).is_some());
        let Some(worker) = behind.min_by_key(|worker| replaying(*worker)) else { return };
        let before = worker.replaying();
        let step = worker.step_up_to(1);
        if step == Step::Finished || worker.replaying() == before {
            return;
        }
    }
}

/// Why a [`replay`] is not what the journal says, or a [snapshot](super::check_snapshot) not what its history is.
///
/// ```
/// use rust_messenger::testing::ReplayError;
///
/// let error = ReplayError::Waits { worker: "Net", handler: "server" };
/// assert!(error.to_string().starts_with("handler server of worker Net waits in a poller"));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ReplayError {
    /// It is no journal, it is damaged, or the table gives its ids another meaning.
    Journal(JournalError),
    /// It is the journal of another table: it knows none of the handlers of this one.
    OtherTable {
        /// The file.
        path: PathBuf,
        /// The name of the table in the journal.
        journal: String,
        /// The name of this one.
        table: &'static str,
    },
    /// The workers did not start: retention has forgotten where history began, for example.
    Start(StartError),
    /// A handler waits in a [`Poller`](crate::traits::Poller), as a bridge does, and would talk to the world again. Let
    /// another handler stand in for it: `#[cfg(test)] use StandIn as Bridge`.
    Waits {
        /// The worker's name in the table.
        worker: &'static str,
        /// The handler's name in the table.
        handler: &'static str,
    },
    /// A handler does not send what it sent. Nobody differs earlier in the journal.
    Diverged(Box<Divergence>),
    /// A handler panicked, or failed.
    Failed(RunError),
    /// No worker of the table has a snapshot with which it can begin.
    NoSnapshot {
        /// The journal.
        path: PathBuf,
        /// The snapshots that were passed over, and why.
        skipped: Vec<SkippedSnapshot>,
    },
    /// A handler could not be saved where history ends.
    Unsaved {
        /// The worker's name in the table.
        worker: &'static str,
        /// What it said.
        why: String,
    },
    /// Where history ends, a handler that began with a snapshot saves another state than one that began at the
    /// beginning.
    State {
        /// The worker's name in the table.
        worker: &'static str,
        /// The handler's id.
        handler: u16,
        /// The position of the snapshot.
        position: u64,
        /// What the handler saved that had loaded the snapshot.
        loaded: Vec<u8>,
        /// What the one saved that had handled the whole history.
        rebuilt: Vec<u8>,
    },
}

impl ReplayError {
    pub(super) fn of_run(error: RunError) -> ReplayError {
        let difference = error.failures.iter().find_map(|failure| match &failure.cause {
            Cause::Failed { error, .. } => match error.downcast_ref() {
                Some(WriteError::Diverged(difference)) => Some(difference.clone()),
                _ => None,
            },
            _ => None,
        });
        difference.map_or(ReplayError::Failed(error), ReplayError::Diverged)
    }
}

impl From<JournalError> for ReplayError {
    fn from(error: JournalError) -> ReplayError {
        ReplayError::Journal(error)
    }
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplayError::Journal(error) => error.fmt(f),
            ReplayError::OtherTable { path, journal, table } => {
                write!(f, "{}: the journal of table {journal}, which has no handler of {table}", path.display())
            }
            ReplayError::Start(error) => error.fmt(f),
            ReplayError::Waits { worker, handler } => write!(
                f,
                "handler {handler} of worker {worker} waits in a poller, and would talk to the world again: let another \
                 handler stand in for it, as in `#[cfg(test)] use StandIn as Bridge`"
            ),
            ReplayError::Diverged(difference) => difference.fmt(f),
            ReplayError::Failed(error) => error.fmt(f),
            ReplayError::NoSnapshot { path, skipped } => {
                write!(f, "{}: no worker of the table has a snapshot that fits", path.display())?;
                skipped.iter().try_for_each(|why| write!(f, "; passed over {why}"))
            }
            ReplayError::Unsaved { worker, why } => {
                write!(f, "worker {worker} cannot be saved where history ends: {why}")
            }
            ReplayError::State { worker, handler, position, loaded, rebuilt } => {
                let same = loaded.iter().zip(rebuilt).take_while(|(loaded, rebuilt)| loaded == rebuilt).count();
                write!(
                    f,
                    "handler {handler} of worker {worker} saves {} bytes when it began with the snapshot at position \
                     {position}, and {} when it handled all of its history: they differ from byte {same} on",
                    loaded.len(),
                    rebuilt.len()
                )
            }
        }
    }
}

impl Error for ReplayError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ReplayError::Journal(error) => Some(error),
            ReplayError::Start(error) => Some(error),
            ReplayError::Failed(error) => Some(error),
            ReplayError::OtherTable { .. }
            | ReplayError::Waits { .. }
            | ReplayError::Diverged(_)
            | ReplayError::NoSnapshot { .. }
            | ReplayError::Unsaved { .. }
            | ReplayError::State { .. } => None,
        }
    }
}
