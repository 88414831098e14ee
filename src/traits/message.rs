//! What travels on a bus: messages, the bytes they become, and what stands in front of them.

use super::error::{DecodeError, EncodeError};
use crate::blame::caught;

/// Ids of messages from here on are the library's.
pub(crate) const FIRST_OF_LIBRARY: u16 = 0xFF00;
/// Those before this one the library sends by itself, whoever wants to know.
pub(crate) const AFTER_EVENTS: u16 = FIRST_OF_LIBRARY + 5;

/// Something that travels on a bus, known by its id.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is used as a message but has no id",
    note = "implement `rust_messenger::traits::Message` for `{Self}`, or use one of the one-line macros, such as `rust_messenger::serde_message!({Self}, MessageId::Name)`"
)]
pub trait Message {
    /// `u16`, or an enum that `as u16` accepts: see [`messenger_id_enum!`](crate::messenger_id_enum).
    type Id: Into<u16>;
    /// What tells this message from every other one in a routing table.
    const ID: Self::Id;
    /// How it becomes bytes, as far as a journal is to notice when that changes. Provided: nothing is known.
    const LAYOUT: Layout = Layout::UNKNOWN;
}

/// How a message becomes bytes, as far as it can be told by a few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Layout {
    /// How it is encoded, in a word; empty if nothing is known.
    pub codec: &'static str,
    /// The size in bytes, if it is always the same; or 0.
    pub size: usize,
    /// The alignment in bytes, if it is read in place; or 0.
    pub align: usize,
}

impl Layout {
    /// Nothing is known.
    pub const UNKNOWN: Layout = Layout { codec: "", size: 0, align: 0 };

    /// A codec whose messages have any size.
    pub const fn variable(codec: &'static str) -> Layout {
        Layout { codec, size: 0, align: 0 }
    }

    /// The memory of a `T` as it is.
    pub const fn plain<T>() -> Layout {
        Layout { codec: "plain memory", size: size_of::<T>(), align: align_of::<T>() }
    }
}

/// A message that is encoded into the bus: serde, prost, or written by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent: nothing says how it becomes bytes",
    note = "use `serde_message!`, `prost_message!`, `bincode_message!` or `zero_copy_message!`, or implement `ExtendedMessage` for `{Self}` by hand"
)]
pub trait ExtendedMessage: Message {
    /// How many bytes [`write_into`](Self::write_into) fills.
    fn get_size(&self) -> usize;

    /// Writes the message into `buffer`, which is [`get_size`](Self::get_size) bytes long and zeroed.
    fn write_into(&self, buffer: &mut [u8]);

    /// Writes the message into the claimed space; what [`Sender`] calls.
    ///
    /// Provided: zeroes the space and calls [`write_into`](Self::write_into). An encoder that appends with
    /// [`Space::put`] needs no zeroed memory and can report an error instead of panicking.
    ///
    /// # Errors
    ///
    /// [`EncodeError`]; the claimed slot is then sealed and readers step over it.
    ///
    /// [`Sender`]: super::Sender
    fn encode(&self, space: &mut Space<'_>) -> Result<(), EncodeError> {
        self.write_into(space.zeroed());
        Ok(())
    }

    /// The encoded message, when it is already there in memory: it is then copied in one go.
    fn as_encoded(&self) -> Option<&[u8]> {
        None
    }
}

/// A message that is decoded into a value of its own.
pub trait DeserializeFrom: Sized {
    /// Decodes `buffer`, or panics.
    fn deserialize_from(buffer: &[u8]) -> Self;

    /// Decodes `buffer`. Provided: turns a panic of [`deserialize_from`](Self::deserialize_from) into an error (the
    /// process's panic hook still runs).
    ///
    /// # Errors
    ///
    /// [`DecodeError`] with the reason.
    fn try_deserialize_from(buffer: &[u8]) -> Result<Self, DecodeError> {
        caught(|| Self::deserialize_from(buffer)).map_err(DecodeError::new)
    }
}

/// How a routed message is read off the bus: as a value of its own, or in place.
///
/// Every `ExtendedMessage + DeserializeFrom` has it; `zero_copy_message!` implements it for plain memory.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is routed but cannot be read off the bus",
    note = "use `serde_message!`, `prost_message!`, `bincode_message!` or `zero_copy_message!`, or implement `ExtendedMessage` and `DeserializeFrom` for `{Self}`"
)]
pub trait Encoded: Message {
    /// The value, or a reference into the bus.
    type Decoded<'a>: std::borrow::Borrow<Self>;

    /// Reads one message.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the bytes are no such message.
    fn decode(payload: &[u8]) -> Result<Self::Decoded<'_>, DecodeError>;
}

impl<M: ExtendedMessage + DeserializeFrom + 'static> Encoded for M {
    type Decoded<'a> = M;

    #[inline]
    fn decode(payload: &[u8]) -> Result<M, DecodeError> {
        M::try_deserialize_from(payload)
    }
}

/// What stands in front of every payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The id of the handler that sent the message.
    pub source: u16,
    /// The id of the message.
    pub message: u16,
    /// The length of the payload in bytes.
    pub size: u32,
    /// Where the message stands in the one order of its bus; never reused.
    pub position: u64,
}

/// The claimed bytes of one message, filled from front to back. What is left unfilled is zeroed before anyone can read
/// it, so nothing an earlier message left in the same memory ever reaches a reader.
#[derive(Debug)]
pub struct Space<'a> {
    bytes: &'a mut [u8],
    filled: usize,
}

impl<'a> Space<'a> {
    /// All of `bytes`, unfilled: what a bus hands to [`Payload::fill`].
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Space { bytes, filled: 0 }
    }

    /// How many bytes are still unfilled.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.filled
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    ///
    /// [`EncodeError::TooLong`] when they do not fit; nothing is written then.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        let claimed = self.bytes.len();
        let rest = self.unfilled();
        rest.get_mut(..bytes.len()).ok_or(EncodeError::TooLong { claimed })?.copy_from_slice(bytes);
        self.advance(bytes.len());
        Ok(())
    }

    /// Zeroes all that is unfilled, lends it, and counts it as filled.
    #[inline]
    pub fn zeroed(&mut self) -> &mut [u8] {
        let from = std::mem::replace(&mut self.filled, self.bytes.len());
        let rest = &mut self.bytes[from..];
        rest.fill(0);
        rest
    }

    /// The unfilled bytes as earlier messages left them: for encoders of this crate that only write.
    #[inline]
    pub(crate) fn unfilled(&mut self) -> &mut [u8] {
        &mut self.bytes[self.filled..]
    }

    /// Counts `len` bytes of [`unfilled`](Self::unfilled) as filled.
    #[inline]
    pub(crate) fn advance(&mut self, len: usize) {
        debug_assert!(len <= self.remaining());
        self.filled += len;
    }
}

impl Drop for Space<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.remaining() != 0 {
            self.zeroed();
        }
    }
}

/// What writes one payload into its claimed slot. Made by the methods of [`Publish`] and [`Sender`].
///
/// [`Sender`]: super::Sender
/// [`Publish`]: super::Publish
pub trait Payload {
    /// How many bytes to claim.
    fn size(&self) -> usize;

    /// The bytes, when they are already there. They are then copied, and nothing foreign runs while the slot is open.
    fn as_encoded(&self) -> Option<&[u8]> {
        None
    }

    /// Fills the claimed bytes; called at most once.
    ///
    /// # Errors
    ///
    /// [`EncodeError`]; the slot is then sealed.
    fn fill(&mut self, space: &mut Space<'_>) -> Result<(), EncodeError>;
}

/// A message on its way.
pub(super) struct Encode<'a, M>(pub(super) &'a M);

impl<M: ExtendedMessage> Payload for Encode<'_, M> {
    #[inline]
    fn size(&self) -> usize {
        self.0.get_size()
    }

    #[inline]
    fn as_encoded(&self) -> Option<&[u8]> {
        self.0.as_encoded()
    }

    #[inline]
    fn fill(&mut self, space: &mut Space<'_>) -> Result<(), EncodeError> {
        self.0.encode(space)
    }
}

/// Bytes on their way.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl Payload for Bytes<'_> {
    #[inline]
    fn size(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn as_encoded(&self) -> Option<&[u8]> {
        Some(self.0)
    }

    #[inline]
    fn fill(&mut self, space: &mut Space<'_>) -> Result<(), EncodeError> {
        space.put(self.0)
    }
}

/// A closure that fills zeroed bytes.
pub(super) struct Fill<F> {
    pub(super) size: usize,
    pub(super) fill: Option<F>,
}

impl<F: FnOnce(&mut [u8])> Payload for Fill<F> {
    #[inline]
    fn size(&self) -> usize {
        self.size
    }

    #[inline]
    fn fill(&mut self, space: &mut Space<'_>) -> Result<(), EncodeError> {
        if let Some(fill) = self.fill.take() {
            fill(space.zeroed());
        }
        Ok(())
    }
}
