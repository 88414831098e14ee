//! Messages that come from elsewhere: who writes them, and why one was not written.

use super::error::{NoWriter, WriteError};
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// Writes what comes from another bus, the **origin**, message by message in the origin's order:
/// [`MessageBus::importer`](super::MessageBus::importer) makes it. There is one for a node at a time.
///
/// On a journal each message is there exactly once, whoever is killed when: the slot that holds it says where it comes
/// from, so both are there or neither. On any other bus it is there as often as it is written.
///
/// ```
/// use rust_messenger::CircularBus;
/// use rust_messenger::traits::{Import, MessageBus};
///
/// let bus = CircularBus::new(64 * 1024)?;
/// let mut berlin = bus.importer("berlin", 7)?;
/// berlin.try_write(4096, 1, 2, b"hello")?;
/// assert_eq!((berlin.last(), bus.stats().messages), (None, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Import: Send {
    /// The origin's position of the last message that is there. `None`: none is, or this bus keeps no account of it.
    fn last(&self) -> Option<u64>;

    /// Writes a message that stood at `position` of its origin, if the bus has room now.
    ///
    /// # Errors
    ///
    /// [`ImportError`]: nothing was written, unless the disk failed ([`WriteError::Storage`]): then open the journal
    /// again, and ask for the [`last`](Self::last) one.
    fn try_write(&mut self, position: u64, source: u16, message: u16, payload: &[u8]) -> Result<(), ImportError>;

    /// As [`Publish::wait_for_room_at_most`](super::Publish::wait_for_room_at_most).
    fn wait_for_room_at_most(&self, size: usize, timeout: Duration);
}

/// Why a message from elsewhere was not written, or nobody may write any.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImportError {
    /// A message at this position of the origin, or behind it, is there. Go on behind it.
    AlreadyThere {
        /// The position of the last one that is there.
        last: u64,
    },
    /// A position of an origin is a multiple of 16 and less than 2^59.
    Position {
        /// The position in the call.
        asked: u64,
    },
    /// A node's name has 1 to 32 bytes, and does not end in a zero byte.
    Name,
    /// An importer for this node exists, of this incarnation or another. Drop it first.
    InUse,
    /// The journal has no place for another origin: each is the newest of its node, or messages of it are retained.
    TooManyOrigins {
        /// How many there are.
        max: usize,
    },
    /// The bus made no writer.
    Writer(NoWriter),
    /// The bus took no message; or, in the making of an importer, the disk failed.
    Write(WriteError),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImportError::AlreadyThere { last } => write!(f, "it is there: the last one came from position {last}"),
            ImportError::Position { asked } => {
                write!(f, "position {asked} of an origin: it must be a multiple of 16 and less than 2^59")
            }
            ImportError::Name => f.write_str("a node's name has 1 to 32 bytes, the last of them not zero"),
            ImportError::InUse => f.write_str("an importer for this node exists"),
            ImportError::TooManyOrigins { max } => write!(f, "all {max} places for origins are taken"),
            ImportError::Writer(error) => error.fmt(f),
            ImportError::Write(error) => error.fmt(f),
        }
    }
}

impl Error for ImportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ImportError::Writer(error) => Some(error),
            ImportError::Write(error) => Some(error),
            _ => None,
        }
    }
}
