//! Why a journal could not be opened.

use super::merge::write_shapes;
use super::recovered::Recovered;
use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a journal could not be opened or read. The file is as it was.
#[derive(Debug)]
#[non_exhaustive]
pub enum JournalError {
    /// The system refused.
    Io {
        /// The file.
        path: PathBuf,
        /// What this crate was doing: "open it", for example.
        action: &'static str,
        /// The system's error.
        error: io::Error,
    },
    /// The path leads to a directory, a pipe, or something else that is no file.
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// The file is no journal, or one of another version, or both copies of its identity are damaged.
    NotAJournal {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// Another process, or another bus of this one, has the journal open for writing. Close that one first.
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The routing table gives an id or a name of the journal another meaning. Give a changed message or handler
    /// another id and another name.
    Table {
        /// The file.
        path: PathBuf,
        /// What changed, in words.
        change: String,
    },
    /// The bytes of a message mean something else than when the journal was written. Give the changed message another
    /// id and another name, keep the old one in the routing table, and let its handler convert it.
    Shape {
        /// The file.
        path: PathBuf,
        /// The name of the message.
        message: Box<str>,
        /// Its id.
        id: u16,
        /// Its shape in the journal; `#` and a hash of it, if the shape did not fit into the journal's header.
        journal: Box<str>,
        /// Its shape in the routing table.
        table: Box<str>,
        /// Where the two first differ, as a path of fields; empty for the whole message.
        at: Box<str>,
        /// What stands there: in the journal, and in the routing table.
        differs: Box<(String, String)>,
    },
    /// What [`renamed`](crate::message_bus::PersistentOptions::renamed) says does not fit the journal or the routing
    /// table.
    Renamed {
        /// The file.
        path: PathBuf,
        /// The old name.
        old: String,
        /// The new name.
        new: String,
        /// What is wrong with them.
        problem: &'static str,
    },
    /// [Snapshots](crate::message_bus::PersistentOptions::snapshots) are wanted of a worker that the routing table of
    /// the options does not have.
    NoSuchWorker {
        /// The file.
        path: PathBuf,
        /// The worker's name.
        worker: &'static str,
        /// Those that the table has.
        known: Vec<&'static str>,
    },
    /// The description of the routing table does not fit into the journal's header. Make the journal anew with a larger
    /// [`table_capacity`](crate::message_bus::PersistentOptions::table_capacity).
    TableTooLarge {
        /// The file.
        path: PathBuf,
        /// The length of the description in bytes.
        len: u64,
        /// How much the header has room for.
        max: u64,
    },
    /// The journal is damaged, and the options say `strict`.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What recovery found.
        recovered: Box<Recovered>,
    },
    /// A size in the options is out of range.
    Size {
        /// Which size.
        name: &'static str,
        /// The size in the options.
        asked: u64,
        /// The smallest that is allowed.
        min: u64,
        /// The largest that is allowed.
        max: u64,
    },
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JournalError::Io { path, action, error } => write!(f, "{}: {action}: {error}", path.display()),
            JournalError::NotAFile { path, found } => {
                write!(f, "{}: a journal is a file, and this is {found}", path.display())
            }
            JournalError::NotAJournal { path, found } => write!(f, "{}: {found}", path.display()),
            JournalError::Locked { path } => {
                write!(f, "{}: another process has this journal open for writing", path.display())
            }
            JournalError::Table { path, change } => write!(f, "{}: {change}", path.display()),
            JournalError::Shape { path, message, id, journal, table, at, differs } => {
                let (written, read) = &**differs;
                write!(f, "{}: ", path.display())?;
                write_shapes(f, message, *id, journal, table, (at, written, read))
            }
            JournalError::Renamed { path, old, new, problem } => {
                write!(f, "{}: `.renamed(\"{old}\", \"{new}\")`: {problem}", path.display())
            }
            JournalError::NoSuchWorker { path, worker, known } => {
                write!(f, "{}: snapshots are wanted of worker {worker}, and the routing table has ", path.display())?;
                if known.is_empty() { f.write_str("none at all") } else { f.write_str(&known.join(", ")) }
            }
            JournalError::TableTooLarge { path, len, max } => write!(
                f,
                "{}: the routing table's description takes {len} bytes and the journal has room for {max}; make the \
                 journal anew with a larger `table_capacity`",
                path.display()
            ),
            JournalError::Damaged { path, recovered } => {
                write!(f, "{}: damaged: {recovered}; open it without `strict` to step over that", path.display())
            }
            JournalError::Size { name, asked, min, max } => {
                write!(f, "{name} of {asked} bytes: it must be from {min} to {max}")
            }
        }
    }
}

impl Error for JournalError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            JournalError::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}
