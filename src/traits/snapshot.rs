//! The state of handlers as bytes, so that a rebuild need not begin at the beginning.

use super::error::{CursorError, DecodeError, EncodeError};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// State that becomes bytes and comes back from them. A [`Handler`](super::Handler) names its own by
/// [`snapshot`](super::Handler::snapshot).
///
/// What [`save`](Self::save) writes depends on the state alone, and after [`load`](Self::load) a handler does whatever
/// it would have done where the state was saved.
///
/// For a serde type `serde_snapshot!(Type, version)` is all of it. By hand:
///
/// ```
/// use rust_messenger::traits::{DecodeError, EncodeError, Snapshot};
///
/// struct Sum(u64);
///
/// impl Snapshot for Sum {
///     fn version(&self) -> u32 {
///         2
///     }
///
///     fn save(&mut self, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
///         bytes.extend_from_slice(&self.0.to_le_bytes());
///         Ok(())
///     }
///
///     fn load(&mut self, version: u32, bytes: &[u8]) -> Result<(), DecodeError> {
///         self.0 = match (version, bytes) {
///             // It was smaller once.
///             (1, [a, b, c, d]) => u32::from_le_bytes([*a, *b, *c, *d]).into(),
///             (2, bytes) => u64::from_le_bytes(bytes.try_into().map_err(|_| DecodeError::new("not eight bytes"))?),
///             _ => return Err(DecodeError::new(format!("a sum of version {version}"))),
///         };
///         Ok(())
///     }
/// }
/// ```
pub trait Snapshot {
    /// The version of the bytes that [`save`](Self::save) writes. Another one whenever they mean something else.
    fn version(&self) -> u32;

    /// Appends the state to `bytes`.
    ///
    /// # Errors
    ///
    /// Why it cannot be saved. The worker reports it and goes on.
    fn save(&mut self, bytes: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// Brings the state to what was saved at this version. Called once at most, after
    /// [`on_start`](super::Handler::on_start).
    ///
    /// # Errors
    ///
    /// Why these bytes are no state. This handler and the others of its worker are made anew, and begin with an older
    /// snapshot or the whole history; if there is none, the worker ends. So it does for a panic.
    fn load(&mut self, version: u32, bytes: &[u8]) -> Result<(), DecodeError>;
}

/// When the handlers of a worker are saved. Whatever it says, they are at a clean stop, too.
///
/// ```
/// use rust_messenger::message_bus::PersistentOptions;
/// use rust_messenger::traits::Every;
/// use std::time::Duration;
///
/// let snapshots = vec![("Books", Every::Messages(100_000)), ("Risk", Every::Time(Duration::from_secs(60)))];
/// let options = PersistentOptions { snapshots, ..PersistentOptions::default() };
/// # let _ = options;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Every {
    /// Only then.
    #[default]
    Stop,
    /// Whenever the worker has handled so many messages since the last time.
    Messages(u64),
    /// So long after the first message since the last time, also if there is none after it. By the messenger's
    /// [clock](crate::messenger::Options::clock).
    Time(Duration),
}

/// The saved state of one handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The id of the handler.
    pub handler: u16,
    /// Its [version](Snapshot::version).
    pub version: u32,
    /// What [`Snapshot::save`] wrote.
    pub bytes: Vec<u8>,
}

/// What the snapshots of a worker are, for the worker that begins.
///
/// ```
/// use rust_messenger::traits::{Begin, Every, State};
///
/// let state = State { handler: 2, version: 1, bytes: vec![7] };
/// let begin = Begin { every: Every::Messages(1000), states: Some(vec![state]), ..Begin::default() };
/// assert!(begin.skipped.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Begin {
    /// When a snapshot is wanted.
    pub every: Every,
    /// The states with which the worker begins, at its reader's position; `None`: there are none, and it begins with
    /// the whole history. If they cannot be loaded, there may be
    /// [something else](super::Reader::begin_instead).
    pub states: Option<Vec<State>>,
    /// The snapshots that were passed over, and why.
    pub skipped: Vec<SkippedSnapshot>,
}

/// A snapshot with which a worker does not begin, and why. It begins with an older one, or with the whole history.
///
/// ```
/// use rust_messenger::traits::{Misfit, Report, SkippedSnapshot};
///
/// /// Whether a worker is about to handle more than it might have to because somebody has put other files there.
/// fn is_of_others(report: &Report) -> bool {
///     let is_other = |skipped: &SkippedSnapshot| {
///         matches!(skipped, SkippedSnapshot::File { why: Misfit::Journal { .. } | Misfit::Unknown { .. }, .. })
///     };
///     matches!(report, Report::Rebuilding { skipped, .. } if skipped.iter().any(is_other))
/// }
/// # assert!(!is_of_others(&Report::Rebuilding { worker: "Books", snapshot: None, skipped: Vec::new() }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SkippedSnapshot {
    /// What stands in this file does not fit. It is left as it is until a newer snapshot takes its place.
    File {
        /// The file.
        path: PathBuf,
        /// What was found there, and what was expected.
        why: Misfit,
    },
    /// A handler of this worker could not load it, or panicked.
    NotLoaded {
        /// The worker's name in the table.
        worker: String,
        /// Where the snapshot stands in the journal.
        position: u64,
        /// What the handler said, or the text of the panic.
        why: String,
    },
}

/// Why the file of a snapshot does not fit a worker of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misfit {
    /// The file cannot be read.
    Unreadable {
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// It does not begin as a snapshot does.
    Unknown {
        /// How it begins: at most as many bytes as were expected.
        found: Vec<u8>,
        /// How a snapshot begins.
        expected: &'static [u8],
    },
    /// It was written by another version of this library.
    Version {
        /// The position in the journal, as the file says it.
        position: Option<u64>,
        /// The version of the file.
        found: u64,
        /// The version that this program reads.
        expected: u64,
    },
    /// It was cut, or something was added to it.
    Length {
        /// The position in the journal, as the file says it.
        position: Option<u64>,
        /// The bytes that there are.
        found: u64,
        /// The bytes that it says there are.
        expected: u64,
    },
    /// Its bytes are not those that were written.
    Checksum {
        /// The position in the journal, as the file says it.
        position: Option<u64>,
        /// The checksum of its content.
        found: u32,
        /// The checksum that it says.
        expected: u32,
    },
    /// Its checksum is right, and what it vouches for is no snapshot.
    Malformed,
    /// It is of another journal.
    Journal {
        /// The position in that journal.
        position: u64,
        /// The key of that journal.
        found: u64,
        /// The key of this one.
        expected: u64,
    },
    /// It was written when the journal was longer than it is now.
    Newer {
        /// The position in the journal.
        position: u64,
        /// Where the journal ended.
        found: u64,
        /// Where it ends now: the most that there may be.
        expected: u64,
    },
    /// The journal was written on from an older copy: before the end that it had, it has other messages now.
    Messages {
        /// The position in the journal.
        position: u64,
        /// Where the journal ended.
        end: u64,
    },
    /// The worker had other handlers, or the same in another order.
    Handlers {
        /// The position in the journal.
        position: u64,
        /// Ids and types of the handlers whose states these are.
        found: Vec<(u16, String)>,
        /// Ids and types of the worker's handlers.
        expected: Vec<(u16, String)>,
    },
    /// The journal cannot be read where it stands, or no slot begins there.
    History {
        /// The position in the journal.
        position: u64,
        /// What the journal said.
        error: CursorError,
    },
}

impl fmt::Display for SkippedSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SkippedSnapshot::File { path, why } => write!(f, "{}: {why}", path.display()),
            SkippedSnapshot::NotLoaded { worker, position, why } => {
                write!(f, "the snapshot of {worker} at position {position}: {why}")
            }
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of a damaged file that may be the damage.
        let at =
            |position: &Option<u64>| position.map_or_else(String::new, |position| format!(" at position {position}"));
        match self {
            Misfit::Unreadable { kind } => write!(f, "it cannot be read: {kind}"),
            Misfit::Unknown { found, expected } => {
                let (found, expected) = (found.escape_ascii(), expected.escape_ascii());
                write!(f, "no snapshot: it begins with \"{found}\", not \"{expected}\"")
            }
            Misfit::Version { position, found, expected } => {
                write!(f, "a snapshot{} of version {found}; this program reads version {expected}", at(position))
            }
            Misfit::Length { position, found, expected } => {
                write!(f, "a damaged snapshot{}: {found} bytes of {expected}", at(position))
            }
            Misfit::Checksum { position, found, expected } => write!(
                f,
                "a damaged snapshot{}: its checksum is {expected:08x}, that of its content {found:08x}",
                at(position)
            ),
            Misfit::Malformed => f.write_str("no snapshot, though its checksum is right"),
            Misfit::Journal { position, found, expected } => {
                write!(f, "at position {position} of another journal: its key is {found:016x}, not {expected:016x}")
            }
            Misfit::Newer { position, found, expected } => {
                write!(f, "at position {position} of a journal up to {found}, and this one ends at {expected}")
            }
            Misfit::Messages { position, end } => {
                write!(f, "at position {position} of a journal with other messages before {end}")
            }
            Misfit::Handlers { position, found, expected } => {
                write!(f, "at position {position}, of the handlers {found:?}, not {expected:?}")
            }
            Misfit::History { position, error } => write!(f, "at position {position}: {error}"),
        }
    }
}
