//! What a sender has on its way.
//!
//! Each message is published with the sequence that the stream has to end with before it, and with the id of the one
//! before it on its way, which the stream has to end with, too. So the server stores it in its place or not at all,
//! whoever else publishes, and an acknowledgement of one speaks for all before it.

use std::collections::VecDeque;
use std::fmt;

/// How much may be on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many messages.
    pub messages: usize,
    /// How many bytes of payload and headers.
    pub bytes: usize,
}

/// What a message on its way expects of the stream, and what it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The stream's last sequence: `Nats-Expected-Last-Sequence`.
    pub sequence: u64,
    /// The number of the stream's last message: `Nats-Expected-Last-Msg-Id`. `None`: the bridge has seen that message,
    /// and the sequence will do.
    pub behind: Option<u64>,
    /// Its own number, which this bridge gives once: `Nats-Msg-Id`.
    pub number: u64,
}

impl Link {
    /// The id of the message `number` of the bridge `bridge`.
    ///
    /// ```
    /// use rust_messenger_nats::protocol::Link;
    ///
    /// assert_eq!(Link::id(0xabc, 17), "0000000000000abc-17");
    /// ```
    pub fn id(bridge: u64, number: u64) -> String {
        format!("{bridge:016x}-{number}")
    }
}

/// What is published and not acknowledged.
///
/// ```
/// use rust_messenger_nats::protocol::{Limits, Link, Window};
///
/// let mut window = Window::new(Limits { messages: 2, bytes: 1000 });
/// window.begin(17); // The stream ends with its message 17.
/// assert_eq!(window.send(8192, 100), Link { sequence: 17, behind: None, number: 1 });
/// assert_eq!(window.send(8256, 100), Link { sequence: 18, behind: Some(1), number: 2 });
/// assert!(!window.has_room(100));
/// assert_eq!(window.acknowledged(19)?, Some(8256), "and the one before it");
/// assert!(window.is_empty());
/// # Ok::<(), rust_messenger_nats::protocol::Unexpected>(())
/// ```
#[derive(Debug)]
pub struct Window {
    limits: Limits,
    /// Position and length of each, in the order of their sequences.
    on_the_way: VecDeque<(u64, usize)>,
    bytes: usize,
    /// The sequence before the first of them.
    before: u64,
    /// How many messages were ever sent.
    sent: u64,
    /// Whether nothing was sent since it last began.
    is_new: bool,
}

impl Window {
    /// One that takes so much. It takes one message of any length when it is empty.
    pub fn new(limits: Limits) -> Window {
        Window { limits, on_the_way: VecDeque::new(), bytes: 0, before: 0, sent: 0, is_new: true }
    }

    /// Forgets what is on its way: the stream ends with `sequence`, and the next message comes behind it.
    pub fn begin(&mut self, sequence: u64) {
        self.on_the_way.clear();
        self.bytes = 0;
        self.before = sequence;
        self.is_new = true;
    }

    /// Whether nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.on_the_way.is_empty()
    }

    /// How many messages are on their way.
    pub fn messages(&self) -> usize {
        self.on_the_way.len()
    }

    /// How many bytes they have.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a message of so many bytes may be published now.
    pub fn has_room(&self, bytes: usize) -> bool {
        let fits = self.limits.bytes.checked_sub(self.bytes).is_some_and(|room| bytes <= room);
        self.is_empty() || (fits && self.on_the_way.len() < self.limits.messages)
    }

    /// The message at `position`, of so many bytes, is on its way.
    pub fn send(&mut self, position: u64, bytes: usize) -> Link {
        let sequence = self.before + self.on_the_way.len() as u64;
        self.on_the_way.push_back((position, bytes));
        self.bytes += bytes;
        self.link(sequence)
    }

    /// A hello that expects the stream to end with `sequence`: nothing else is on its way.
    pub fn hello(&mut self, sequence: u64) -> Link {
        self.begin(sequence);
        self.link(sequence)
    }

    fn link(&mut self, sequence: u64) -> Link {
        let behind = (!self.is_new).then_some(self.sent);
        self.is_new = false;
        self.sent += 1;
        Link { sequence, behind, number: self.sent }
    }

    /// The server has stored a message as `sequence`: returns the position up to which, itself included, all is in the
    /// stream. `None` if that was known.
    ///
    /// # Errors
    ///
    /// [`Unexpected`]: nothing with that sequence is on its way.
    pub fn acknowledged(&mut self, sequence: u64) -> Result<Option<u64>, Unexpected> {
        let Some(stored) = sequence.checked_sub(self.before) else { return Ok(None) };
        let stored = usize::try_from(stored).ok().filter(|stored| *stored <= self.on_the_way.len());
        let stored = stored.ok_or(Unexpected { sequence })?;
        self.before = sequence;
        let mut last = None;
        for (position, bytes) in self.on_the_way.drain(..stored) {
            self.bytes -= bytes;
            last = Some(position);
        }
        Ok(last)
    }
}

/// The server acknowledged a sequence that nothing was published for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unexpected {
    /// It.
    pub sequence: u64,
}

impl fmt::Display for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server acknowledged the sequence {}, which nobody awaits", self.sequence)
    }
}

impl std::error::Error for Unexpected {}
