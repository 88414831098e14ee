//! Why a ring was not made, opened or removed by its name.

use crate::message_bus::circular_bus::RingOptions;
use crate::mmap::refusal::Refusal;
use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a named ring was not made, opened or removed. The file is as it was.
///
/// ```
/// # #[cfg(all(target_os = "linux", not(miri)))] { // Miri maps no files.
/// use rust_messenger::message_bus::NamedProblem;
/// use rust_messenger::{CircularBus, NamedOptions};
///
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("orders.ring");
/// let error = CircularBus::open(&path, NamedOptions::default()).unwrap_err();
/// assert!(matches!(error.problem, NamedProblem::Missing));
/// assert_eq!(error.to_string(), format!("{}: there is no such ring", path.display()));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct NamedError {
    /// The name.
    pub path: PathBuf,
    /// What is wrong.
    pub problem: NamedProblem,
}

/// What is wrong with a ring, its name or the system: what was found, and what was expected.
#[derive(Debug)]
#[non_exhaustive]
pub enum NamedProblem {
    /// A directory, a pipe, a link or something else that is no file has the name. Choose another name.
    NotAFile {
        /// What it is.
        found: &'static str,
    },
    /// The name is taken. Open what has it, or [remove](crate::CircularBus::remove) it first.
    Exists,
    /// Nothing has the name, or its directory is not there. Make a ring, or a directory, first.
    Missing,
    /// This process may not. Everybody who uses a ring must be able to read and write its file:
    /// [`NamedOptions::mode`](crate::NamedOptions::mode).
    Denied,
    /// The file is no ring. Nothing here touches it.
    NotARing,
    /// The ring is of another version. Have its users end, remove it, and start them again.
    Version {
        /// That of the ring.
        found: u64,
        /// That of this program.
        expected: u64,
    },
    /// The ring was made by a machine of the other byte order. Remove it.
    ByteOrder,
    /// The ring was made before the machine was started anew, and nothing is known of what is in it. Remove it, or
    /// use [`open_or_create`](crate::CircularBus::open_or_create), which does.
    OtherBoot,
    /// The first page of the ring contradicts itself. Remove the ring.
    Damaged {
        /// What of it.
        what: &'static str,
    },
    /// The file is shorter or longer than its first page says. Remove it.
    Length {
        /// The length of the file in bytes.
        found: u64,
        /// What its first page says.
        expected: u64,
    },
    /// The ring has another capacity than was asked for. Ask for this one, or for none.
    Capacity {
        /// That of the ring, in bytes.
        found: u64,
        /// That in the options.
        asked: usize,
    },
    /// There is no ring of this capacity: it must be a power of two from
    /// [`RingOptions::MIN_CAPACITY`] to [`RingOptions::MAX_CAPACITY`].
    NoCapacity {
        /// The capacity in the options, in bytes.
        asked: usize,
    },
    /// The ring is for one writer, and was opened for many:
    /// [`open_one_writer`](crate::CircularBus::open_one_writer) opens it.
    ForOneWriter,
    /// The ring is for many writers, and was opened for one: [`open`](crate::CircularBus::open) opens it.
    ForManyWriters,
    /// The routing table gives an id or a name another meaning than other programs on the ring do. Give one of the two
    /// another id and name.
    Table {
        /// What differs, in words.
        change: String,
    },
    /// The names and shapes of all programs do not fit into the ring. Shorten them.
    TableTooLarge {
        /// How many bytes they take.
        len: u64,
        /// How many a ring has for them.
        max: u64,
    },
    /// All attachments are taken. Attach less often: clones of a bus share an attachment.
    TooManyAttachments {
        /// How many there may be.
        max: usize,
    },
    /// There is no space for the file. All of it is allocated when the ring is made.
    NoSpace,
    /// Somebody else has been attaching to the ring for a second, or stands still in that.
    Busy {
        /// The process, if the system tells.
        holder: Option<u32>,
    },
    /// The ring was removed while it was opened. Try again.
    Removed,
    /// The ring was removed while it was opened, and another one has its name. Try again.
    Replaced,
    /// This system lacks something, or forbids it. Named rings want Linux 4.16 or later, and a sandbox that lets them
    /// do what is named here.
    Unsupported {
        /// What.
        what: &'static str,
    },
    /// Anything else that the system says.
    Io {
        /// What this crate was doing: "open it", for example.
        action: &'static str,
        /// The system's error.
        error: io::Error,
    },
}

impl NamedError {
    pub(crate) fn at(path: &Path) -> impl Fn(NamedProblem) -> NamedError {
        move |problem| NamedError { path: path.to_owned(), problem }
    }
}

impl From<Refusal> for NamedProblem {
    fn from(refusal: Refusal) -> NamedProblem {
        match refusal {
            Refusal::NotAFile { found } => NamedProblem::NotAFile { found },
            Refusal::Exists => NamedProblem::Exists,
            Refusal::Missing => NamedProblem::Missing,
            Refusal::Denied => NamedProblem::Denied,
            // Shorter than a first page.
            Refusal::TooShort { .. } => NamedProblem::NotARing,
            Refusal::NoSpace => NamedProblem::NoSpace,
            Refusal::Busy { holder } => NamedProblem::Busy { holder },
            Refusal::Removed => NamedProblem::Removed,
            Refusal::Replaced => NamedProblem::Replaced,
            Refusal::Io { action, error } => NamedProblem::Io { action, error },
        }
    }
}

impl fmt::Display for NamedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.problem)
    }
}

impl fmt::Display for NamedProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NamedProblem::NotAFile { found } => write!(f, "a ring is a file, and this is {found}"),
            NamedProblem::Exists => f.write_str("the name is taken"),
            NamedProblem::Missing => f.write_str("there is no such ring"),
            NamedProblem::Denied => f.write_str("this process may not use it"),
            NamedProblem::NotARing => f.write_str("this file is no ring"),
            NamedProblem::Version { found, expected } => write!(
                f,
                "a ring of version {found}, and this program knows version {expected}; end its users, remove it, and \
                 start them again"
            ),
            NamedProblem::ByteOrder => f.write_str("a ring of a machine of the other byte order"),
            NamedProblem::OtherBoot => {
                f.write_str("a ring that was made before the machine was started anew; remove it, and make another")
            }
            NamedProblem::Damaged { what } => write!(f, "a damaged ring: {what} cannot be; remove it"),
            NamedProblem::Length { found, expected } => {
                write!(f, "a ring of {found} bytes that should have {expected}")
            }
            NamedProblem::Capacity { found, asked } => {
                write!(f, "a ring with a capacity of {found} bytes, and {asked} were asked for")
            }
            NamedProblem::NoCapacity { asked } => write!(
                f,
                "a capacity of {asked} bytes: it must be a power of two from {} to {}",
                RingOptions::MIN_CAPACITY,
                RingOptions::MAX_CAPACITY
            ),
            NamedProblem::ForOneWriter => f.write_str("a ring for one writer, opened for many"),
            NamedProblem::ForManyWriters => f.write_str("a ring for many writers, opened for one"),
            NamedProblem::Table { change } => f.write_str(change),
            NamedProblem::TableTooLarge { len, max } => write!(
                f,
                "the names of the routing table and of those already there take {len} bytes, and a ring has room for \
                 {max}"
            ),
            NamedProblem::TooManyAttachments { max } => write!(f, "all {max} places for attachments are taken"),
            NamedProblem::NoSpace => f.write_str("there is no space for the ring"),
            NamedProblem::Busy { holder: Some(pid) } => write!(f, "process {pid} has been attaching all the time"),
            NamedProblem::Busy { holder: None } => f.write_str("another process has been attaching all the time"),
            NamedProblem::Removed => f.write_str("the ring was removed meanwhile"),
            NamedProblem::Replaced => f.write_str("the ring was replaced meanwhile"),
            NamedProblem::Unsupported { what } => write!(f, "this system has not, or forbids, {what}"),
            NamedProblem::Io { action, error } => write!(f, "{action}: {error}"),
        }
    }
}

impl Error for NamedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.problem {
            NamedProblem::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}
