//! Why a journal cannot be opened.

use super::recovered::Recovered;
use super::table::TableChange;
use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a journal cannot be opened. The file is as it was.
#[derive(Debug)]
#[non_exhaustive]
pub enum JournalError {
    /// The system refused.
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// It is a directory, a pipe, or something else that is not a file.
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// It is no journal, one of another version, or both copies of what it is as a whole are damaged.
    NotAJournal {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// Another process, or another bus of this one, has it open for writing. Close that one first.
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// What a message or handler id stands for is not what it was.
    Table {
        /// The file.
        path: PathBuf,
        /// What has changed.
        change: Box<TableChange>,
    },
    /// It is damaged, and `strict` was asked for.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is damaged.
        recovered: Box<Recovered>,
    },
    /// A size in the options makes no journal.
    Size {
        /// Which one.
        name: &'static str,
        /// What was asked for.
        asked: u64,
        /// The smallest that will do.
        min: u64,
        /// The largest that will do.
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
