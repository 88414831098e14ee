//! How a bridge is, as a message: a handler may want to know.

use crate::error::BridgeError;
use crate::protocol::ResumeError;
use rust_messenger::traits::{DecodeError, DeserializeFrom, ExtendedMessage, Layout, Message};

/// How a [`Bridge`](crate::Bridge) is. It says so whenever that changes, to the workers of its own node: in a table as
/// `Bridge, Status: [h]`. It never leaves its node, and where no worker here has that route it is not written.
///
/// Nothing is said before all workers are subscribed. While the bus is full it waits, and is said in its order when there is
/// room; in a bus that never has any it is said to nobody: [`BridgeStats::status`](crate::BridgeStats::status) always has
/// the last one. A text or a list that is longer than the bus takes is cut.
///
/// ```
/// use rust_messenger::prelude::*;
/// use rust_messenger_nats::{Bridge, Status};
///
/// #[derive(Default)]
/// struct Operator(Option<Status>);
/// handler!(Operator, 1, default);
///
/// impl Handle<Status> for Operator {
///     fn handle<W: Writer>(&mut self, status: &Status, _: &W) {
///         self.0 = Some(status.clone());
///     }
/// }
///
/// Messenger! {
///     (),
///     Desk:
///         handlers: [ operator: Operator ]
///         routes: [ Bridge, Status: [ operator ] ]
/// }
/// # let _ = Messenger::<()>::table();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// A server is there, and nothing stands still.
    Connected,
    /// There is no server. It goes on trying, also where the reason is that it is not let in.
    Disconnected {
        /// Why, as far as that is known: `lost` of a connection that ended without a word.
        reason: String,
    },
    /// Another bridge of this node has taken over. This one has ended.
    Fenced,
    /// It has ended, for a reason that is none of the others.
    Refused {
        /// The text of the [`BridgeError`](crate::BridgeError).
        reason: String,
    },
    /// A server is there, and for [`BridgeOptions::stall`](crate::BridgeOptions::stall) nothing went on that waits. Full
    /// buses and full streams in a circle of nodes wait for each other: they stand still at all of them, for ever.
    Stalled {
        /// Whether the server has acknowledged nothing of what is to go out: the stream is full, say.
        out: bool,
        /// The nodes of which nothing comes in: the bus here is full, or has another layout of what comes next.
        sources: Vec<String>,
    },
}

impl Status {
    /// Of a bridge that this has ended.
    pub(crate) fn of(error: &BridgeError) -> Status {
        match error {
            BridgeError::Resume(ResumeError::Fenced { .. }) => Status::Fenced,
            other => Status::Refused { reason: other.to_string() },
        }
    }

    /// Cut so that it takes `most` bytes, if that suffices.
    pub(crate) fn cut_to(mut self, most: usize) -> Status {
        while self.get_size() > most {
            let is_cut = match &mut self {
                Status::Disconnected { reason } | Status::Refused { reason } => reason.pop().is_some(),
                Status::Stalled { sources, .. } => sources.pop().is_some(),
                Status::Connected | Status::Fenced => false,
            };
            if !is_cut {
                break;
            }
        }
        self
    }

    /// Its number, whether it goes out that stands still, and its texts.
    fn parts(&self) -> (u8, bool, &[String]) {
        match self {
            Status::Connected => (0, false, &[]),
            Status::Disconnected { reason } => (1, false, std::slice::from_ref(reason)),
            Status::Fenced => (2, false, &[]),
            Status::Refused { reason } => (3, false, std::slice::from_ref(reason)),
            Status::Stalled { out, sources } => (4, *out, sources),
        }
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

impl Message for Status {
    type Id = u16;
    /// The library's: a routing table has no other message with it.
    const ID: u16 = 0xFF30;
    const LAYOUT: Layout = Layout::variable("nats status");
}

impl ExtendedMessage for Status {
    fn get_size(&self) -> usize {
        2 + self.parts().2.iter().map(|text| 2 + clipped(text).len()).sum::<usize>()
    }

    fn write_into(&self, buffer: &mut [u8]) {
        let (number, out, texts) = self.parts();
        let mut bytes = vec![number, out.into()];
        for text in texts.iter().map(|text| clipped(text)) {
            bytes.extend_from_slice(&(text.len() as u16).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        buffer.copy_from_slice(&bytes);
    }
}

impl DeserializeFrom for Status {
    /// Panics when the bytes are no such message; the bus itself calls `try_deserialize_from`.
    fn deserialize_from(buffer: &[u8]) -> Status {
        match Status::try_deserialize_from(buffer) {
            Ok(status) => status,
            Err(error) => panic!("{error}"),
        }
    }

    fn try_deserialize_from(buffer: &[u8]) -> Result<Status, DecodeError> {
        read(buffer).ok_or_else(|| DecodeError::new("no status of a bridge"))
    }
}

fn read(buffer: &[u8]) -> Option<Status> {
    let (&[number, out], mut rest) = buffer.split_first_chunk()?;
    let mut texts = Vec::new();
    while let Some((len, behind)) = rest.split_first_chunk() {
        let (text, behind) = behind.split_at_checked(u16::from_le_bytes(*len).into())?;
        texts.push(str::from_utf8(text).ok()?.to_owned());
        rest = behind;
    }
    let count = texts.len();
    let mut reason = || texts.pop().filter(|_| count == 1);
    let status = match number {
        0 if count == 0 => Status::Connected,
        1 => Status::Disconnected { reason: reason()? },
        2 if count == 0 => Status::Fenced,
        3 => Status::Refused { reason: reason()? },
        4 => Status::Stalled { out: out == 1, sources: texts },
        _ => return None,
    };
    // It has one way to be written.
    (rest.is_empty() && out <= u8::from(number == 4)).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(status: &Status) -> Vec<u8> {
        let mut bytes = vec![0; status.get_size()];
        status.write_into(&mut bytes);
        bytes
    }

    fn all() -> [Status; 7] {
        [
            Status::Connected,
            Status::Disconnected { reason: "l\u{f6}st".to_owned() },
            Status::Fenced,
            Status::Refused { reason: String::new() },
            Status::Stalled { out: true, sources: Vec::new() },
            Status::Stalled { out: false, sources: vec!["pump".to_owned(), "house".to_owned()] },
            Status::Disconnected { reason: "\u{fc}".repeat(300) },
        ]
    }

    #[test]
    fn each_comes_back_and_nothing_else_does() {
        for status in all() {
            let bytes = bytes(&status);
            assert_eq!(read(&bytes), Some(status));
            for other in [&bytes[..bytes.len() - 1], &[&bytes[..], &[0]].concat()] {
                assert_eq!(read(other), None);
            }
        }
        for nonsense in [&[][..], &[0], &[0, 1], &[5, 0], &[1, 0], &[1, 0, 1, 0, 0xFF], &[4, 2], &[0, 0, 0, 0]] {
            assert!(Status::try_deserialize_from(nonsense).is_err(), "{nonsense:?}");
        }
    }

    #[test]
    fn what_is_longer_than_a_bus_takes_is_cut() {
        for status in all() {
            let whole = status.get_size();
            assert_eq!(status.clone().cut_to(whole), status);
            for most in [2, 64, 100] {
                let cut = status.clone().cut_to(most);
                let least = if matches!(status, Status::Stalled { .. }) { 2 } else { 4 };
                assert!(cut.get_size() <= most.max(least), "{cut:?}");
                assert_eq!(read(&bytes(&cut)), Some(cut));
            }
        }
        let long = Status::Refused { reason: "\u{20ac}".repeat(30_000) };
        let Some(Status::Refused { reason }) = read(&bytes(&long)) else { panic!("it is none") };
        assert_eq!(reason.len(), 65_535);
    }
}
