//! What can go wrong, and where.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why nothing was generated.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A .proto file cannot be used as it is. Printed as `file:line:column: what is wrong and how to mend it`.
    Proto {
        /// Where.
        place: Place,
        /// What is wrong and how to mend it.
        what: String,
    },
    /// A file could not be read or written.
    Io {
        /// Which.
        path: PathBuf,
        /// What was tried, as in "cannot read".
        doing: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// These options do not go together, or ask for what there is not.
    Options(String),
    /// What is on disk is not what would be written: files that differ or are missing.
    Differs(Vec<PathBuf>),
}

/// A place in a .proto file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as the user would name it.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Error {
    pub(crate) fn io(path: impl Into<PathBuf>, doing: &'static str, error: io::Error) -> Error {
        Error::Io { path: path.into(), doing, error }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Proto { place, what } => write!(f, "{place}: {what}"),
            Error::Io { path, doing, error } => write!(f, "{doing} {}: {error}", path.display()),
            Error::Options(what) => f.write_str(what),
            Error::Differs(paths) => {
                f.write_str("not what would be generated, run without --check:")?;
                paths.iter().try_for_each(|path| write!(f, " {}", path.display()))
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { error, .. } => Some(error),
            Error::Proto { .. } | Error::Options(_) | Error::Differs(_) => None,
        }
    }
}
