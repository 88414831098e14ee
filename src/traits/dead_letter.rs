//! What becomes of a message that a worker cannot handle.

use super::error::{DecodeError, NoWriter, SubscribeError, WriteError};
use super::message::{DeserializeFrom, ExtendedMessage, FIRST_OF_LIBRARY, Layout, Message};
use std::error::Error;
use std::fmt;

/// A message that a worker gave up, so that whoever looks after the system can see which one, and why.
///
/// A worker writes one where [`OnPanic::Restart`](crate::messenger::OnPanic::Restart) holds for it: a handler panicked
/// at the message, or returned an `Err` from [`TryHandle`](super::TryHandle), or the message could not be decoded. The
/// worker then goes on behind that message. Route it as `Supervisor, DeadLetter: [h]`; without a route it is on the bus
/// all the same, and counts as no unrouted message. On a journal the message can be sent again when what broke the
/// handler is cured: [`Messenger::requeue`](crate::messenger::Messenger::requeue). `rmsg journal dead` lists them.
///
/// A letter is at most as large as the bus takes: the text is cut to fit.
///
/// ```
/// use rust_messenger::traits::{DeadLetter, Handle, Writer};
/// use rust_messenger::handler;
///
/// #[derive(Default)]
/// struct Clerk {
///     given_up: Vec<u64>,
/// }
/// handler!(Clerk, 9, default);
///
/// impl Handle<DeadLetter> for Clerk {
///     fn handle<W: Writer>(&mut self, letter: &DeadLetter, _: &W) {
///         self.given_up.push(letter.position);
///     }
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLetter {
    /// The position of the message on its bus.
    pub position: u64,
    /// The id of the handler that sent the message.
    pub source: u16,
    /// The id of the message.
    pub message: u16,
    /// How often the worker tried to handle it; 0 if it could not be decoded.
    pub attempts: u32,
    /// The name of the worker in the table.
    pub worker: String,
    /// The name of the handler in the table; empty if it was not a handler that failed.
    pub handler: String,
    /// The text of the panic, or of the error.
    pub text: String,
    /// On a ring: the names of the receivers that did not get the message, because another one before them failed. On a
    /// journal no handler of the worker keeps anything of a dead message, and this is empty.
    pub unreached: Vec<String>,
}

/// Position, attempts, source, message.
const HEAD: usize = 16;

impl DeadLetter {
    /// The letter with its text cut so that it takes `most` bytes, if that suffices.
    pub(crate) fn cut_to(mut self, most: usize) -> DeadLetter {
        let over = self.get_size().saturating_sub(most);
        let mut end = clipped(&self.text).len().saturating_sub(over);
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        self.text.truncate(end);
        self
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let texts = [&self.worker, &self.handler, &self.text];
        texts.into_iter().chain(&self.unreached).map(|text| clipped(text))
    }
}

/// As much of a text as its length can say.
fn clipped(text: &str) -> &str {
    let mut end = text.len().min(u16::MAX.into());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl Message for DeadLetter {
    type Id = u16;
    /// The library's: a routing table refuses another message with it.
    const ID: u16 = FIRST_OF_LIBRARY + 0x20;
    const LAYOUT: Layout = Layout::variable("dead letter");
}

impl ExtendedMessage for DeadLetter {
    fn get_size(&self) -> usize {
        HEAD + self.texts().map(|text| 2 + text.len()).sum::<usize>()
    }

    fn write_into(&self, buffer: &mut [u8]) {
        let mut bytes = Vec::with_capacity(buffer.len());
        bytes.extend_from_slice(&self.position.to_le_bytes());
        bytes.extend_from_slice(&self.attempts.to_le_bytes());
        bytes.extend_from_slice(&self.source.to_le_bytes());
        bytes.extend_from_slice(&self.message.to_le_bytes());
        for text in self.texts() {
            bytes.extend_from_slice(&(text.len() as u16).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        buffer.copy_from_slice(&bytes);
    }
}

/// Takes so many bytes off the front.
fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], DecodeError> {
    let (taken, rest) =
        bytes.split_at_checked(count).ok_or_else(|| DecodeError::new("a dead letter that ends too early"))?;
    *bytes = rest;
    Ok(taken)
}

fn number<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], DecodeError> {
    let taken = take(bytes, N)?;
    taken.try_into().map_err(|_| DecodeError::new("a dead letter that ends too early"))
}

fn text(bytes: &mut &[u8]) -> Result<String, DecodeError> {
    let len = u16::from_le_bytes(number(bytes)?);
    let text = std::str::from_utf8(take(bytes, len.into())?);
    text.map(str::to_owned).map_err(|_| DecodeError::new("a dead letter whose text is not UTF-8"))
}

impl DeserializeFrom for DeadLetter {
    /// Panics when the bytes are no such message; the bus itself calls `try_deserialize_from`.
    fn deserialize_from(buffer: &[u8]) -> DeadLetter {
        match DeadLetter::try_deserialize_from(buffer) {
            Ok(letter) => letter,
            Err(error) => panic!("{error}"),
        }
    }

    fn try_deserialize_from(buffer: &[u8]) -> Result<DeadLetter, DecodeError> {
        let bytes = &mut &*buffer;
        let position = u64::from_le_bytes(number(bytes)?);
        let attempts = u32::from_le_bytes(number(bytes)?);
        let (source, message) = (u16::from_le_bytes(number(bytes)?), u16::from_le_bytes(number(bytes)?));
        let (worker, handler, text_of_it) = (text(bytes)?, text(bytes)?, text(bytes)?);
        let mut unreached = Vec::new();
        while !bytes.is_empty() {
            unreached.push(text(bytes)?);
        }
        Ok(DeadLetter { position, source, message, attempts, worker, handler, text: text_of_it, unreached })
    }
}

/// Why a dead message was not sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequeueError {
    /// The bus is no journal: what was on it is gone.
    NoJournal,
    /// No letter calls a message at this position dead. It is [`DeadLetter::position`], not where the letter stands.
    NotDead {
        /// The position in the call.
        asked: u64,
    },
    /// Retention has released the message.
    NotRetained {
        /// The position in the call.
        asked: u64,
        /// The oldest position.
        oldest: u64,
    },
    /// It was sent again before. If that was in vain there is a letter about that one.
    AlreadyRequeued {
        /// The position of what was sent.
        at: u64,
    },
    /// A writer has not returned from a message behind it, so nobody knows whether it was sent again. Ask later.
    Unfinished,
    /// The journal could not be read.
    Read(SubscribeError),
    /// The bus made no writer: it is for one, and a worker is that.
    Writer(NoWriter),
    /// The bus took no message.
    Write(WriteError),
}

impl fmt::Display for RequeueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequeueError::NoJournal => f.write_str("the bus is no journal: what is dead on it cannot come again"),
            RequeueError::NotDead { asked } => write!(f, "no letter calls a message at position {asked} dead"),
            RequeueError::NotRetained { asked, oldest } => {
                write!(f, "position {asked} is not retained any more, the oldest is {oldest}")
            }
            RequeueError::AlreadyRequeued { at } => write!(f, "it was requeued: it stands at position {at}, too"),
            RequeueError::Unfinished => f.write_str("a writer behind it has not returned; ask again later"),
            RequeueError::Read(error) => error.fmt(f),
            RequeueError::Writer(error) => error.fmt(f),
            RequeueError::Write(error) => error.fmt(f),
        }
    }
}

impl Error for RequeueError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            RequeueError::NoJournal
            | RequeueError::NotDead { .. }
            | RequeueError::NotRetained { .. }
            | RequeueError::AlreadyRequeued { .. }
            | RequeueError::Unfinished => None,
            RequeueError::Read(error) => Some(error),
            RequeueError::Writer(error) => Some(error),
            RequeueError::Write(error) => Some(error),
        }
    }
}

#[cfg(all(test, not(rust_messenger_loom)))]
mod tests {
    use super::*;

    fn letter() -> DeadLetter {
        DeadLetter {
            position: 4096,
            source: 7,
            message: 8,
            attempts: 3,
            worker: "Till".to_owned(),
            handler: "clerk".to_owned(),
            text: "drawer \u{fc}ber".to_owned(),
            unreached: vec!["ledger".to_owned(), String::new()],
        }
    }

    fn bytes(letter: &DeadLetter) -> Vec<u8> {
        let mut bytes = vec![0; letter.get_size()];
        letter.write_into(&mut bytes);
        bytes
    }

    #[test]
    fn a_letter_comes_back_and_half_of_one_does_not() {
        let (letter, bytes) = (letter(), bytes(&letter()));
        assert_eq!(DeadLetter::try_deserialize_from(&bytes), Ok(letter.clone()));
        // Where the names of the receivers end, a shorter one is a letter, too.
        let names = bytes.len() - 2 * 2 - "ledger".len();
        for cut in 0..names {
            assert!(DeadLetter::try_deserialize_from(&bytes[..cut]).is_err(), "{cut} bytes");
        }
        let mut broken = bytes;
        broken[HEAD + 2] = 0xFF;
        assert!(DeadLetter::try_deserialize_from(&broken).is_err());
    }

    #[test]
    fn a_text_is_cut_to_what_a_bus_takes() {
        let whole = letter();
        assert_eq!(whole.clone().cut_to(whole.get_size()), whole);
        for over in 1..=whole.text.len() {
            let most = whole.get_size() - over;
            let cut = whole.clone().cut_to(most);
            assert!(cut.get_size() <= most && whole.text.starts_with(&cut.text), "{cut:?}");
            assert!(most - cut.get_size() < 2, "one letter takes two bytes at most: {cut:?}");
        }
        let long = DeadLetter { text: "\u{fc}".repeat(100_000), ..letter() };
        let cut = DeadLetter::try_deserialize_from(&bytes(&long)).unwrap();
        assert_eq!(cut.text.len(), usize::from(u16::MAX) - 1);
        assert_eq!(long.cut_to(64).text.len(), (64 - letter().cut_to(0).get_size()) / 2 * 2);
    }
}
