//! Why a command ended early: one line that names the file, what was found, what was expected, and what to do.

use crate::names::clean;
use rust_messenger::message_bus::{JournalError, NamedError, NamedProblem};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a command ended early.
#[derive(Debug)]
pub enum Failure {
    /// The file cannot be read as a journal.
    Journal(JournalError),
    /// The file cannot be looked at, or opened, as a named ring.
    Ring(NamedError),
    /// A ring cannot be healed as long as that is so.
    Held { path: PathBuf, holder: String },
    /// It is a journal, and lacks what the command needs.
    Lacks { path: PathBuf, found: &'static str, expected: &'static str, cure: &'static str },
    /// A file beside the journal cannot be read.
    Read { path: PathBuf, error: io::Error },
    /// The command was called in a wrong way; what the command line parser cannot know.
    Usage(String),
    /// The output cannot be written.
    Output(io::Error),
}

impl Failure {
    /// A journal without a routing table.
    pub fn no_table(path: &Path) -> Failure {
        Failure::Lacks {
            path: path.to_owned(),
            found: "no routing table in the header",
            expected: "one",
            cure: "have the program open the journal with `PersistentOptions::table`",
        }
    }

    pub fn code(&self) -> u8 {
        if matches!(self, Failure::Usage(_)) { 2 } else { 1 }
    }

    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Failure {
        Failure::Journal(error)
    }
}

impl From<NamedError> for Failure {
    fn from(error: NamedError) -> Failure {
        Failure::Ring(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = match self {
            Failure::Journal(error) => {
                let (expected, cure) = match error {
                    JournalError::Io { error, .. } if error.kind() == io::ErrorKind::NotFound => {
                        ("a journal", "check the path")
                    }
                    JournalError::Io { error, .. } if error.kind() == io::ErrorKind::PermissionDenied => {
                        ("a journal that you may read", "run rmsg as its owner: journals are made for their owner only")
                    }
                    JournalError::Io { .. } => ("a journal that can be read", "check the disk"),
                    JournalError::NotAJournal { .. } => {
                        ("a journal that this version can read", "check the path, and the version of rmsg")
                    }
                    _ => ("a journal", "check the path"),
                };
                format!("{error}; expected {expected}; {cure}")
            }
            Failure::Ring(error) => {
                let (expected, cure) = match error.problem {
                    NamedProblem::Denied => {
                        ("a ring that you may use", "run rmsg as its owner, or as one of its group")
                    }
                    NamedProblem::Version { .. } | NamedProblem::ByteOrder => {
                        ("a ring that this version can read", "check the version of rmsg")
                    }
                    NamedProblem::Removed | NamedProblem::Replaced | NamedProblem::Busy { .. } => {
                        ("a ring", "try again")
                    }
                    NamedProblem::TooManyAttachments { .. } => ("a free place", "end one of its users"),
                    NamedProblem::OtherBoot => ("a ring of this boot", "remove it"),
                    NamedProblem::Unsupported { .. } => ("a system with named rings", "run rmsg there"),
                    _ => ("a ring", "check the path"),
                };
                format!("{error}; expected {expected}; {cure}")
            }
            Failure::Held { path, holder } => {
                let path = path.display();
                format!("{path}: {holder} holds its lock; expected it to be free; let that process go on, or end it")
            }
            Failure::Lacks { path, found, expected, cure } => {
                format!("{}: {found}; expected {expected}; {cure}", path.display())
            }
            Failure::Read { path, error } => {
                format!("{}: {error}; expected to read it; check the path", path.display())
            }
            Failure::Usage(what) => what.clone(),
            Failure::Output(error) => format!("(output): {error}; expected to write there; check the disk"),
        };
        // Paths may have anything in them, and this is to stay one line.
        f.write_str(&clean(&line))
    }
}
