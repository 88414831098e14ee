//! Why a bus did not write, read, decode or subscribe.

use std::error::Error;
use std::fmt;

/// What each of them says of that.
const FORKED: &str = "this process was forked from the one that attached to the ring";

/// Why a message was not written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteError {
    /// The bus has no room now. Try again later, or use the method that waits.
    Full,
    /// The payload is larger than the bus takes. Make the bus larger, or the message smaller.
    TooLarge {
        /// The payload's size in bytes.
        size: usize,
        /// The largest payload of this bus in bytes.
        max: usize,
    },
    /// Not all workers of the messenger are subscribed yet, so some would never see the message. Run the messenger
    /// first. What a journal is to hold before that, write with the writer of the bus.
    NotStarted,
    /// The messenger is stopping: the bus is closed to writers from outside.
    Closed,
    /// The bus is for one writer, and this worker is not that writer. Send the message from the worker that writes, or
    /// use a bus for many writers.
    NotAWriter,
    /// The fill took too long: a reader fenced it, and readers went on without the message.
    Fenced,
    /// The fill of a message wrote with the writer that it fills for. On a bus whose writers have one message at a time
    /// in hand, write the other one before or after it. Named rings say so.
    Filling,
    /// The bus has places for `max` writers, and this one found none. Drop another one, and make this one anew. Named
    /// rings say so.
    TooManyWriters {
        /// How many writers the bus has places for.
        max: usize,
    },
    /// This process was forked from the one that attached to the ring, to which this writer still belongs. Attach anew.
    /// Named rings say so.
    Forked,
    /// The encoder failed.
    Encode(EncodeError),
    /// The worker's outbox is at its limit: its handlers send more than they receive, for too long.
    OutboxFull {
        /// The limit in bytes.
        limit: usize,
    },
    /// The disk has no space, or this process may write no larger file (`RLIMIT_FSIZE`). The bus wrote nothing. Writing
    /// goes on when there is space again, or a higher limit.
    NoSpace,
    /// The journal has reached its capacity. Open it again with a larger one.
    Exhausted {
        /// The capacity in bytes.
        capacity: u64,
    },
    /// The disk failed. The message may not survive a power failure. Open the journal again to see what it holds.
    Storage {
        /// The kind of the failure.
        kind: std::io::ErrorKind,
    },
    /// In a rebuild: the handler no longer sends what the journal holds.
    Diverged(Box<Divergence>),
}

/// The first difference between what a handler sent when it handled a message and what it sends in the rebuild.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Divergence {
    /// The position of the message that the handler handled.
    pub position: u64,
    /// The id of the handler.
    pub source: u16,
    /// The handler's type, as spelled in the table.
    pub handler: String,
    /// The message in the journal, its id and its payload; `None` if the handler now sends more than that.
    pub expected: Option<(u16, Vec<u8>)>,
    /// The message that the handler sends now, its id and its payload; `None` if it sends less than that.
    pub actual: Option<(u16, Vec<u8>)>,
}

/// A message as a handler sent it, in words.
struct Sent<'a>(&'a (u16, Vec<u8>));

impl fmt::Display for Sent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// So much of a payload is shown.
        const SHOWN: usize = 64;
        let (message, bytes) = self.0;
        write!(f, "message {message} [")?;
        for byte in bytes.iter().take(SHOWN) {
            write!(f, "{byte:02x}")?;
        }
        write!(f, "{}]", if bytes.len() > SHOWN { ".." } else { "" })
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Divergence { position, source, handler, expected, actual } = self;
        write!(f, "handler {handler} (source {source}) does not repeat what it sent on the message at {position}: ")?;
        match (expected.as_ref().map(Sent), actual.as_ref().map(Sent)) {
            (Some(expected), Some(actual)) => write!(f, "it sent {expected}, now it sends {actual}"),
            (Some(expected), None) => write!(f, "it sent {expected}, now it sends nothing more"),
            (None, Some(actual)) => write!(f, "it sent nothing more, now it sends {actual}"),
            (None, None) => f.write_str("nothing is known of what"),
        }
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::Full => f.write_str("the bus is full"),
            WriteError::TooLarge { size, max } => {
                write!(f, "a payload of {size} bytes is larger than the {max} bytes this bus takes")
            }
            WriteError::NotStarted => f.write_str("the messenger's workers are not subscribed yet"),
            WriteError::Closed => f.write_str("the bus is closed to writers from outside"),
            WriteError::NotAWriter => f.write_str("this worker is not the one writer of its bus"),
            WriteError::Fenced => f.write_str("the fill took too long and readers went on without the message"),
            WriteError::Filling => f.write_str("the writer is filling another message"),
            WriteError::TooManyWriters { max } => write!(f, "all places for {max} writers are taken"),
            WriteError::Forked => f.write_str(FORKED),
            WriteError::Encode(error) => write!(f, "not encoded: {error}"),
            WriteError::OutboxFull { limit } => {
                write!(f, "the worker's outbox is full ({limit} bytes): its handlers send more than they receive")
            }
            WriteError::NoSpace => f.write_str("no space on the disk"),
            WriteError::Exhausted { capacity } => {
                write!(f, "the journal's {capacity} bytes are used up: open it again with a larger capacity")
            }
            WriteError::Storage { kind } => write!(f, "the disk failed: {kind}"),
            WriteError::Diverged(divergence) => divergence.fmt(f),
        }
    }
}

impl Error for WriteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            WriteError::Encode(error) => Some(error),
            _ => None,
        }
    }
}

impl From<EncodeError> for WriteError {
    fn from(error: EncodeError) -> WriteError {
        WriteError::Encode(error)
    }
}

/// Why a message could not become bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The encoder wrote more than it had claimed: `get_size` and the encoder disagree.
    TooLong {
        /// The claimed size in bytes.
        claimed: usize,
    },
    /// The encoder refused the message, for this reason.
    Refused(String),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::TooLong { claimed } => {
                write!(f, "the message is longer than the {claimed} bytes it asked for")
            }
            EncodeError::Refused(reason) => f.write_str(reason),
        }
    }
}

impl Error for EncodeError {}

/// Why bytes are not the message that their header names.
///
/// ```
/// use rust_messenger::traits::DecodeError;
///
/// fn price(bytes: &[u8]) -> Result<u64, DecodeError> {
///     let bytes = bytes.try_into().map_err(|_| DecodeError::new(format!("a price of {} bytes", bytes.len())))?;
///     Ok(u64::from_le_bytes(bytes))
/// }
///
/// assert_eq!(price(&[1, 2, 3]).unwrap_err().to_string(), "undecodable: a price of 3 bytes");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    reason: String,
}

impl DecodeError {
    /// An error with this reason.
    pub fn new(reason: impl Into<String>) -> DecodeError {
        DecodeError { reason: reason.into() }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "undecodable: {}", self.reason)
    }
}

impl Error for DecodeError {}

/// Why there is no message to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// There is no message yet.
    Empty,
    /// This evictable reader was too slow: the bus moved it past so many messages. The next read goes on from there.
    Lagged(u64),
    /// The bus is closed, and the reader has read everything.
    Closed,
    /// This [held](super::MessageBus::subscribe_held) reader holds as much of its ring as it may. Have it
    /// [release](super::Reader::release_to) something.
    WindowFull,
    /// This process was forked from the one that attached to the ring, to which this reader still belongs. Attach anew.
    /// Named rings say so.
    Forked,
    /// What stands at this position has a length that none can have: somebody has written into a named ring who is no
    /// writer of it. None of it is delivered, and it stays the next one. Have all users of the ring end, remove it, and
    /// start them again.
    ///
    /// That is what is found out for sure. Another stray word may be taken for what it says, or for a message that is
    /// not finished: then a payload is wrong, or readers and writers wait. None leads out of the mapping.
    Corrupt {
        /// Where it stands.
        position: u64,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Empty => f.write_str("no message yet"),
            ReadError::Lagged(messages) => write!(f, "too slow: moved past {messages} messages"),
            ReadError::Closed => f.write_str("the bus is closed and read to its end"),
            ReadError::WindowFull => f.write_str("the reader holds as much of the bus as it may, and must release"),
            ReadError::Forked => f.write_str(FORKED),
            ReadError::Corrupt { position } => {
                write!(f, "what stands at position {position} is no message: another program has written to the bus")
            }
        }
    }
}

impl Error for ReadError {}

/// Why a bus adds no reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The reader table is full. Drop a reader, or merge workers.
    TooManyReaders {
        /// How many readers a bus has room for.
        max: usize,
    },
    /// A journal cannot begin the reader where its options say, or a bus where the call says.
    Journal(CursorError),
    /// This bus has no evictable readers: each would hold its writers back. No bus of this library says so.
    NotEvictable,
    /// This bus has no [held readers](super::MessageBus::subscribe_held). Every bus of this library has.
    Unsupported,
    /// This process was forked from the one that attached to the ring, to which this bus still belongs. Attach anew.
    /// Named rings say so.
    Forked,
    /// Another process has held the lock of the ring for a second: it was stopped, or sits in a debugger, with the lock
    /// in its hands. Let it go on, or end it, and subscribe again. Named rings say so.
    Busy {
        /// Its process id, in its own pid namespace. `None`: somebody wrote to the ring who is not attached to it.
        holder: Option<u32>,
    },
}

/// Why a bus does not begin a reader, or move a named cursor or a held reader, where it was told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CursorError {
    /// Retention has released this position, or the held reader itself has. Start at the oldest.
    NotRetained {
        /// The position in the options or the call.
        asked: u64,
        /// The oldest position.
        oldest: u64,
    },
    /// No slot begins at this position; or this reader has not come to it.
    NoSuchPosition {
        /// The position in the options or the call.
        asked: u64,
    },
    /// There is no cursor of this name. The first reader of that name that resumes makes it.
    NoSuchCursor,
    /// A reader holds the cursor. Let its worker end first.
    InUse,
    /// This process was forked from the one that attached to the ring, to which this reader still belongs. Attach anew.
    /// Named rings say so.
    Forked,
    /// A cursor's name has 1 to 40 bytes, and does not end in a zero byte.
    Name,
    /// The journal has no place for another named cursor. Remove one.
    TooMany {
        /// How many there are.
        max: usize,
    },
    /// The disk failed to show what the reader would begin with.
    Storage {
        /// The kind of the failure.
        kind: std::io::ErrorKind,
    },
    /// The named cursor is damaged. Remove it, or set it to a position that you know.
    Damaged,
    /// A rebuild needs the whole history, and retention has forgotten where it began. See
    /// [`Retention::past_rebuilds`](crate::message_bus::Retention::past_rebuilds); start at the oldest, or resume.
    HistoryGone {
        /// Where the history began.
        first: u64,
        /// The oldest position that there is.
        oldest: u64,
    },
    /// A rebuild must know who sends: give the journal the routing table, name the reader like a worker, and have each
    /// of that worker's handlers in no other worker.
    NoSources,
    /// The reader is none of [`MessageBus::subscribe_held`](super::MessageBus::subscribe_held): it releases by itself.
    NotHeld,
}

impl From<CursorError> for SubscribeError {
    fn from(error: CursorError) -> SubscribeError {
        SubscribeError::Journal(error)
    }
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SubscribeError::TooManyReaders { max } => write!(f, "all {max} places for readers are taken"),
            SubscribeError::Journal(error) => error.fmt(f),
            SubscribeError::NotEvictable => f.write_str("this bus has no evictable readers"),
            SubscribeError::Unsupported => f.write_str("this bus has no held readers"),
            SubscribeError::Forked => f.write_str(FORKED),
            SubscribeError::Busy { holder: Some(pid) } => {
                write!(f, "process {pid} holds the lock of the ring and does not go on: let it go on, or end it")
            }
            SubscribeError::Busy { holder: None } => f.write_str("somebody unknown holds the lock of the ring"),
        }
    }
}

impl fmt::Display for CursorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CursorError::NotRetained { asked, oldest } => {
                write!(f, "position {asked} is not retained any more, the oldest is {oldest}")
            }
            CursorError::NoSuchPosition { asked } => write!(f, "no slot begins at position {asked}"),
            CursorError::NoSuchCursor => f.write_str("there is no cursor of this name"),
            CursorError::Forked => f.write_str(FORKED),
            CursorError::InUse => f.write_str("a reader has this cursor"),
            CursorError::Name => f.write_str("a cursor's name has 1 to 40 bytes, the last of them not zero"),
            CursorError::TooMany { max } => write!(f, "all {max} places for named cursors are taken"),
            CursorError::Storage { kind } => write!(f, "the disk failed: {kind}"),
            CursorError::Damaged => f.write_str("the named cursor is damaged; remove it"),
            CursorError::HistoryGone { first, oldest } => write!(
                f,
                "a rebuild needs the history from position {first} on, and the oldest that is retained is {oldest}"
            ),
            CursorError::NoSources => f.write_str(
                "a rebuild needs the routing table, a worker's name, and handlers that are in no other worker",
            ),
            CursorError::NotHeld => f.write_str("the reader is not held: it releases by itself"),
        }
    }
}

impl Error for SubscribeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            SubscribeError::TooManyReaders { .. }
            | SubscribeError::NotEvictable
            | SubscribeError::Unsupported
            | SubscribeError::Forked
            | SubscribeError::Busy { .. } => None,
            SubscribeError::Journal(error) => Some(error),
        }
    }
}

impl Error for CursorError {}

/// Why there is no further writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoWriter {
    /// The bus is for one writer, and it exists already. Use a bus for many writers, or drop the other one first.
    Taken,
    /// This process was forked from the one that attached to the ring, to which this bus still belongs. Attach anew.
    /// Named rings say so.
    Forked,
}

impl fmt::Display for NoWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoWriter::Taken => f.write_str("this bus takes one writer, and it exists already"),
            NoWriter::Forked => f.write_str(FORKED),
        }
    }
}

impl Error for NoWriter {}
