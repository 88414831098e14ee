//! Why a ring was not made, opened or removed by its name.

use super::options::Claims;
use crate::message_bus::circular_bus::RingOptions;
use crate::mmap::refusal::Refusal;
use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a named ring was not made, opened or removed. The file is as it was.
#[derive(Debug)]
pub(crate) struct NamedError {
    /// The name.
    pub(crate) path: PathBuf,
    /// What is wrong.
    pub(crate) problem: Problem,
}

/// What is wrong: what was found, and what was expected.
#[derive(Debug)]
pub(crate) enum Problem {
    /// A directory, a pipe, a link or something else that is no file has the name.
    NotAFile { found: &'static str },
    /// The name is taken. Open what has it, or remove it first.
    Exists,
    /// Nothing has the name. Make a ring first.
    Missing,
    /// This process may not.
    Denied,
    /// The file is no ring.
    NotARing,
    /// The ring is of another version. Have its users end, remove it, and start them again.
    Version { found: u64, expected: u64 },
    /// The ring was made by a machine of the other byte order.
    ByteOrder,
    /// The ring was made before the machine was started anew, and nothing is known of what is in it. Remove it, or
    /// open it with `open_or_create`.
    OtherBoot,
    /// What is said in the first page of the ring cannot be. Remove it.
    Damaged { what: &'static str },
    /// The file is shorter or longer than its first page says.
    Length { found: u64, expected: u64 },
    /// The ring has another capacity than was asked for.
    Capacity { found: u64, asked: usize },
    /// There is no ring of this capacity.
    NoCapacity { asked: usize },
    /// The ring is for one writer, and one for many was asked for, or the other way round.
    Claims { found: Claims },
    /// The routing table gives an id or a name another meaning than other programs on the ring do.
    Table { change: String },
    /// The names and shapes of all programs do not fit into the ring.
    TableTooLarge { len: u64, max: u64 },
    /// All attachments are taken.
    TooManyAttachments { max: usize },
    /// There is no space for the file.
    NoSpace,
    /// Somebody else has been attaching to the ring all the time.
    Busy { holder: Option<u32> },
    /// The file has lost its name.
    Removed,
    /// The file has lost its name to another.
    Replaced,
    /// This system lacks something, or forbids it.
    Unsupported { what: &'static str },
    /// Anything else that the system says.
    Io { action: &'static str, error: io::Error },
}

impl NamedError {
    pub(crate) fn at(path: &Path) -> impl Fn(Problem) -> NamedError {
        move |problem| NamedError { path: path.to_owned(), problem }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        match refusal {
            Refusal::NotAFile { found } => Problem::NotAFile { found },
            Refusal::Exists => Problem::Exists,
            Refusal::Missing => Problem::Missing,
            Refusal::Denied => Problem::Denied,
            // Shorter than a first page.
            Refusal::TooShort { .. } => Problem::NotARing,
            Refusal::NoSpace => Problem::NoSpace,
            Refusal::Busy { holder } => Problem::Busy { holder },
            Refusal::Removed => Problem::Removed,
            Refusal::Replaced => Problem::Replaced,
            Refusal::Unsupported => Problem::Unsupported { what: "files that processes share" },
            Refusal::Io { action, error } => Problem::Io { action, error },
        }
    }
}

impl fmt::Display for NamedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.problem)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::NotAFile { found } => write!(f, "a ring is a file, and this is {found}"),
            Problem::Exists => f.write_str("the name is taken"),
            Problem::Missing => f.write_str("there is no such ring"),
            Problem::Denied => f.write_str("this process may not use it"),
            Problem::NotARing => f.write_str("this file is no ring"),
            Problem::Version { found, expected } => write!(
                f,
                "a ring of version {found}, and this program knows version {expected}; end its users, remove it, and \
                 start them again"
            ),
            Problem::ByteOrder => f.write_str("a ring of a machine of the other byte order"),
            Problem::OtherBoot => {
                f.write_str("a ring that was made before the machine was started anew; remove it, and make another")
            }
            Problem::Damaged { what } => write!(f, "a damaged ring: {what} cannot be; remove it"),
            Problem::Length { found, expected } => write!(f, "a ring of {found} bytes that should have {expected}"),
            Problem::Capacity { found, asked } => {
                write!(f, "a ring with a capacity of {found} bytes, and {asked} were asked for")
            }
            Problem::NoCapacity { asked } => write!(
                f,
                "a capacity of {asked} bytes: it must be a power of two from {} to {}",
                RingOptions::MIN_CAPACITY,
                RingOptions::MAX_CAPACITY
            ),
            Problem::Claims { found: Claims::One } => f.write_str("a ring for one writer, opened for many"),
            Problem::Claims { found: Claims::Many } => f.write_str("a ring for many writers, opened for one"),
            Problem::Table { change } => f.write_str(change),
            Problem::TableTooLarge { len, max } => write!(
                f,
                "the names of the routing table and of those already there take {len} bytes, and a ring has room for \
                 {max}"
            ),
            Problem::TooManyAttachments { max } => write!(f, "all {max} places for attachments are taken"),
            Problem::NoSpace => f.write_str("there is no space for the ring"),
            Problem::Busy { holder: Some(pid) } => write!(f, "process {pid} has been attaching all the time"),
            Problem::Busy { holder: None } => f.write_str("another process has been attaching all the time"),
            Problem::Removed => f.write_str("the ring was removed meanwhile"),
            Problem::Replaced => f.write_str("the ring was replaced meanwhile"),
            Problem::Unsupported { what } => write!(f, "this system has not, or forbids, {what}"),
            Problem::Io { action, error } => write!(f, "{action}: {error}"),
        }
    }
}

impl Error for NamedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.problem {
            Problem::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}
