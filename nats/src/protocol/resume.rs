//! Where a sender goes on.
//!
//! What the stream holds decides, and nothing else does: not a cursor, which may be behind it; not what was acknowledged,
//! for a server acknowledges before its disk has it, and may come back without. A bridge looks at the end of the stream
//! when it starts, when its connection is back and whenever the server refuses a publish (10071).
//!
//! A hello says that from its place in the stream on a bridge is the node's only one. It is published like a message,
//! expecting the sequence that was last when the bridge looked. So of two that look at the same stream one is stored.
//!
//! The expected sequence alone does not keep an older bridge's messages out. Of those that it has on their way, the first
//! is refused, for the hello has its place; the second expects just the sequence that the hello got. So each message
//! also names the one before it on its way: [`Window`](super::Window).

use super::entry::{Entry, EntryError, Kind, Origin, Reached};
use std::fmt;

/// How often a bridge says hello before it takes whoever is always faster for its successor.
pub const MOST_HELLOS: u32 = 100;

/// The end of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    /// The sequence of its last message, which may have been removed; 0 if there never was one.
    pub sequence: u64,
    /// What the last message says of itself; `None` if the stream holds no message.
    pub entry: Option<Result<Entry, EntryError>>,
}

/// What a sender does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Publishes a hello that says `after`, and expects `sequence` to be the stream's last.
    Hello {
        /// The stream's last sequence.
        sequence: u64,
        /// The position that the hello names.
        after: Option<u64>,
        /// What the hello says the stream ended with.
        before: Option<Reached>,
    },
    /// Publishes what comes after a position, the first of it behind `sequence`.
    GoOn {
        /// The stream's last sequence.
        sequence: u64,
        /// The position behind which to go on; `None`: with the first message there is.
        after: Option<u64>,
    },
}

/// Decides where one start of a bridge goes on.
///
/// ```
/// use rust_messenger_nats::protocol::{Decision, Entry, Hello, Kind, Last, Origin, Resume};
///
/// let me = Origin { kind: Kind::Journal, incarnation: 1, bridge: 2 };
/// let mut resume = Resume::new(me, false);
/// let fresh = Last { sequence: 0, entry: None };
/// assert_eq!(resume.decide(&fresh)?, Decision::Hello { sequence: 0, after: None, before: None });
///
/// let hello = Entry::Hello(Hello { origin: me, after: None, time: 0, before: None });
/// let greeted = Last { sequence: 1, entry: Some(Ok(hello)) };
/// assert_eq!(resume.decide(&greeted)?, Decision::GoOn { sequence: 1, after: None });
/// # Ok::<(), rust_messenger_nats::protocol::ResumeError>(())
/// ```
#[derive(Debug)]
pub struct Resume {
    me: Origin,
    adopt: bool,
    /// Where I first saw something of mine at the end of the stream.
    greeted: Option<u64>,
    /// What I saw before my hello was in: where the stream ended, and whose it was.
    seen: Option<(u64, Option<u64>)>,
    hellos: u32,
}

impl Resume {
    /// Of the bridge `me`. `adopt`: it takes over a stream that another journal has filled.
    pub fn new(me: Origin, adopt: bool) -> Resume {
        Resume { me, adopt, greeted: None, seen: None, hellos: 0 }
    }

    /// What to do where the stream ends so. Also to be asked after each hello, stored or refused.
    ///
    /// # Errors
    ///
    /// [`ResumeError`]: nothing can be published.
    pub fn decide(&mut self, last: &Last) -> Result<Decision, ResumeError> {
        let sequence = last.sequence;
        let entry = match &last.entry {
            None if sequence == 0 => None,
            None => return Err(ResumeError::Emptied { sequence }),
            Some(Err(error)) => return Err(ResumeError::Foreign { sequence, error: *error }),
            Some(Ok(entry)) => Some(entry),
        };
        if let Some(entry) = entry.filter(|entry| entry.origin() == self.me) {
            self.greeted = Some(self.greeted.map_or(sequence, |greeted| greeted.min(sequence)));
            return Ok(Decision::GoOn { sequence, after: entry.reached().position });
        }
        let (origin, before) = (entry.map(Entry::origin), entry.map(Entry::reached));
        let by = origin.map(|origin| origin.bridge);
        if let Some(greeted) = self.greeted.take() {
            if sequence > greeted {
                return Err(ResumeError::Fenced { by: by.unwrap_or(0) });
            }
            // The store was set back to before my hello: whoever was there then is my predecessor.
            self.seen = None;
        }
        // A stream that ends earlier than it did was set back, too; one that is somebody else's now has a new bridge.
        match self.seen {
            Some((end, whose)) if sequence >= end && whose != by => {
                return Err(ResumeError::Fenced { by: by.unwrap_or(0) });
            }
            _ => self.seen = Some((sequence, by)),
        }
        let is_mine = origin.is_some_and(|it| (it.kind, it.incarnation) == (self.me.kind, self.me.incarnation));
        if let Some(origin) = origin.filter(|origin| !is_mine && origin.kind == Kind::Journal && !self.adopt) {
            return Err(ResumeError::OtherJournal { theirs: origin.incarnation, ours: self.me.incarnation });
        }
        self.hellos += 1;
        if self.hellos > MOST_HELLOS {
            return Err(ResumeError::Fenced { by: by.unwrap_or(0) });
        }
        let after = before.filter(|_| is_mine).and_then(|before| before.position);
        Ok(Decision::Hello { sequence, after, before })
    }
}

/// Why a bridge cannot publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResumeError {
    /// Another bridge publishes for this node since.
    Fenced {
        /// Its id.
        by: u64,
    },
    /// Another journal has filled the stream, and the options don't say that this one takes it over.
    OtherJournal {
        /// The id of the journal that has.
        theirs: u64,
        /// The id of this one.
        ours: u64,
    },
    /// The last message is none of a bridge: somebody else publishes into the stream.
    Foreign {
        /// Its sequence.
        sequence: u64,
        /// What is wrong with it.
        error: EntryError,
    },
    /// Somebody has removed all messages: nothing says how far they went.
    Emptied {
        /// The sequence of the last one.
        sequence: u64,
    },
}

impl fmt::Display for ResumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResumeError::Fenced { by } => write!(f, "the bridge {by:016x} has taken over the node"),
            ResumeError::OtherJournal { theirs, ours } => {
                write!(f, "the stream is that of the journal {theirs:016x}, and this is {ours:016x}")
            }
            ResumeError::Foreign { sequence, error } => {
                write!(f, "the last message of the stream, {sequence}, is of no bridge: {error}")
            }
            ResumeError::Emptied { sequence } => {
                write!(f, "the stream's messages are gone, the last of which was {sequence}")
            }
        }
    }
}

impl std::error::Error for ResumeError {}
