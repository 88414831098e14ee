//! What travels on a bus: messages, the bytes they become, and what stands in front of them.

use super::error::{DecodeError, EncodeError};
use crate::blame::caught;
use crate::mmap::Space;

/// Ids of messages from here on are the library's.
pub(crate) const FIRST_OF_LIBRARY: u16 = 0xFF00;
/// Those before this one the library sends by itself, whoever wants to know.
pub(crate) const AFTER_EVENTS: u16 = FIRST_OF_LIBRARY + 5;

/// Something that travels on a bus, known by its id.
///
/// The macros implement it (`serde_message!` and its like); by hand it is two lines:
///
/// ```
/// use rust_messenger::traits::Message;
///
/// struct Tick;
///
/// impl Message for Tick {
///     type Id = u16;
///     const ID: u16 = 7;
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is used as a message but has no id",
    note = "implement `rust_messenger::traits::Message` for `{Self}`, or use one of the one-line macros, such as `rust_messenger::serde_message!({Self}, MessageId::Name)`"
)]
pub trait Message {
    /// `u16`, or an enum that `as u16` accepts: see [`messenger_id_enum!`](crate::messenger_id_enum).
    // The compiler shows the next line, with what is behind it, to whoever has another type.
    type Id: Into<u16>; // `u16`, or an enum that `messenger_id_enum!` makes
    /// The id: no other message of the routing table has it.
    const ID: Self::Id;
    /// How the message becomes bytes, as far as a journal can notice a change. Provided: [`Layout::UNKNOWN`].
    const LAYOUT: Layout = Layout::UNKNOWN;
}

/// The id of a message or handler is a `u16`, which a cast alone would make of any number. For expansions.
#[diagnostic::on_unimplemented(
    message = "the id of `{Self}` is over 65535, or negative",
    label = "its id is not within 0..=65535",
    note = "an id is a `u16`: choose another number"
)]
pub trait FitsItsId<const YES: bool> {
    /// Named by an expansion to ask the question.
    const OK: () = ();
}

impl<T: ?Sized> FitsItsId<true> for T {}

/// Whether a number is an id.
pub const fn is_id(number: u64) -> bool {
    number <= u16::MAX as u64
}

/// Whether a literal is an id. One without a suffix becomes a `u16`, and where it is none the compiler points at it.
pub const fn is_id_as_written(literal: &str, number: u64) -> bool {
    let (bytes, mut place) = (literal.as_bytes(), 0);
    while place < bytes.len() {
        if matches!(bytes[place], b'u' | b'i') {
            return is_id(number);
        }
        place += 1;
    }
    true
}

/// How a message becomes bytes: what a journal records, and compares when it is opened again.
///
/// Two layouts are equal if all that they say is.
///
/// ```
/// use rust_messenger::traits::{Layout, Message};
///
/// struct Tick {
///     price: u64,
/// }
///
/// impl Message for Tick {
///     type Id = u16;
///     const ID: u16 = 7;
///     const LAYOUT: Layout = Layout::variable("big endian").with_shape(|| "{price: u64}".to_owned());
/// }
///
/// assert_eq!(Tick::LAYOUT.shape.map(|shape| shape()).as_deref(), Some("{price: u64}"));
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Layout {
    /// The name of the codec; empty if unknown.
    pub codec: &'static str,
    /// The size in bytes, if every message has the same; or 0.
    pub size: usize,
    /// The alignment in bytes, if readers read it in place; or 0.
    pub align: usize,
    /// What the bytes mean: a text that differs when they mean something else. Only opening a journal calls it. `None`:
    /// unknown, and never refused.
    ///
    /// `serde_message!` and `bincode_message!` give one, as do a definition in `zero_copy_message!` and types that
    /// `messi` generates. `docs/journal-format.md` says how it is written; any other text is compared as it is.
    pub shape: Option<fn() -> String>,
}

impl Layout {
    /// Nothing is known.
    pub const UNKNOWN: Layout = Layout::variable("");

    /// A codec whose messages have any size.
    pub const fn variable(codec: &'static str) -> Layout {
        Layout { codec, size: 0, align: 0, shape: None }
    }

    /// The memory of a `T`, as it is.
    pub const fn plain<T>() -> Layout {
        Layout { codec: "plain memory", size: size_of::<T>(), align: align_of::<T>(), shape: None }
    }

    /// This layout, with what the bytes mean. [`Layout`] has an example.
    pub const fn with_shape(self, shape: fn() -> String) -> Layout {
        Layout { shape: Some(shape), ..self }
    }
}

impl PartialEq for Layout {
    fn eq(&self, other: &Layout) -> bool {
        let known = |layout: &Layout| (layout.codec, layout.size, layout.align);
        // One function may have two addresses.
        known(self) == known(other) && self.shape.map(|shape| shape()) == other.shape.map(|shape| shape())
    }
}

impl Eq for Layout {}

/// A message that an encoder writes into the bus: serde, prost, or one by hand.
///
/// ```
/// use rust_messenger::traits::{DeserializeFrom, ExtendedMessage, Message};
///
/// struct Tick {
///     price: u64,
/// }
///
/// impl Message for Tick {
///     type Id = u16;
///     const ID: u16 = 7;
/// }
///
/// impl ExtendedMessage for Tick {
///     fn get_size(&self) -> usize {
///         8
///     }
///
///     fn write_into(&self, buffer: &mut [u8]) {
///         buffer.copy_from_slice(&self.price.to_le_bytes());
///     }
/// }
///
/// impl DeserializeFrom for Tick {
///     fn deserialize_from(buffer: &[u8]) -> Self {
///         Tick { price: u64::from_le_bytes(buffer.try_into().expect("eight bytes")) }
///     }
/// }
///
/// let mut bytes = [0; 8];
/// Tick { price: 42 }.write_into(&mut bytes);
/// assert_eq!(Tick::try_deserialize_from(&bytes)?.price, 42);
/// assert!(Tick::try_deserialize_from(&bytes[1..]).is_err());
/// # Ok::<(), rust_messenger::traits::DecodeError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent: nothing says how it becomes bytes",
    note = "use `serde_message!`, `prost_message!`, `bincode_message!` or `zero_copy_message!`, or implement `ExtendedMessage` for `{Self}` by hand"
)]
pub trait ExtendedMessage: Message {
    /// The size of the encoded message in bytes: [`write_into`](Self::write_into) fills so many.
    fn get_size(&self) -> usize;

    /// Encodes the message into `buffer`, which is zeroed and [`get_size`](Self::get_size) bytes long.
    fn write_into(&self, buffer: &mut [u8]);

    /// Encodes the message into the claimed space. [`Sender`] calls this.
    ///
    /// Provided: zeroes the space and calls [`write_into`](Self::write_into). An encoder that appends with
    /// [`Space::put`] needs no zeroed memory, and returns an error instead of panicking.
    ///
    /// # Errors
    ///
    /// [`EncodeError`]: the bus seals the slot, and readers step over it.
    ///
    /// [`Sender`]: super::Sender
    fn encode(&self, space: &mut Space<'_>) -> Result<(), EncodeError> {
        self.write_into(space.zeroed());
        Ok(())
    }

    /// The encoded message, if it lies in memory already. The bus then copies it in one piece. Provided: `None`.
    fn as_encoded(&self) -> Option<&[u8]> {
        None
    }

    /// The message in `room`, if it fits, and if encoding it is quicker than asking first how long it will be.
    #[doc(hidden)]
    #[inline]
    fn encode_small<'a>(&self, room: &'a mut [u8; SMALL]) -> Option<&'a [u8]> {
        let _ = room;
        None
    }
}

/// A message that takes at most so many bytes may be encoded before its slot is claimed.
#[doc(hidden)]
pub const SMALL: usize = 128;

/// A message that readers decode into a value of its own.
///
/// ```
/// use rust_messenger::traits::{DecodeError, DeserializeFrom};
///
/// struct Tick {
///     price: u64,
/// }
///
/// impl DeserializeFrom for Tick {
///     fn deserialize_from(buffer: &[u8]) -> Tick {
///         Tick::try_deserialize_from(buffer).unwrap()
///     }
///
///     fn try_deserialize_from(buffer: &[u8]) -> Result<Tick, DecodeError> {
///         let bytes = buffer.try_into().map_err(|_| DecodeError::new("a tick has eight bytes"))?;
///         Ok(Tick { price: u64::from_le_bytes(bytes) })
///     }
/// }
///
/// assert_eq!(Tick::deserialize_from(&[5, 0, 0, 0, 0, 0, 0, 0]).price, 5);
/// assert!(Tick::try_deserialize_from(b"short").is_err());
/// ```
pub trait DeserializeFrom: Sized {
    /// Decodes `buffer`.
    ///
    /// # Panics
    ///
    /// When `buffer` is no such message. The bus itself calls [`try_deserialize_from`](Self::try_deserialize_from).
    fn deserialize_from(buffer: &[u8]) -> Self;

    /// Decodes `buffer`.
    ///
    /// Provided: calls [`deserialize_from`](Self::deserialize_from) and turns its panic into an error. The process's
    /// panic hook still runs.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] with the reason.
    fn try_deserialize_from(buffer: &[u8]) -> Result<Self, DecodeError> {
        caught(|| Self::deserialize_from(buffer)).map_err(DecodeError::new)
    }
}

/// How readers read a routed message: decoded into a value of its own, or in place.
///
/// Every `ExtendedMessage + DeserializeFrom` has it; `zero_copy_message!` implements it for plain memory.
///
/// ```
/// use rust_messenger::traits::Encoded;
/// use std::borrow::Borrow;
///
/// /// What a tool shows of any message.
/// fn show<M: Encoded + std::fmt::Debug>(payload: &[u8]) -> String {
///     match M::decode(payload) {
///         Ok(message) => format!("{:?}", message.borrow() as &M),
///         Err(error) => error.to_string(),
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is routed but cannot be read off the bus",
    note = "use `serde_message!`, `prost_message!`, `bincode_message!` or `zero_copy_message!`, or implement `ExtendedMessage` and `DeserializeFrom` for `{Self}`"
)]
pub trait Encoded: Message {
    /// The value, or a reference into the bus.
    type Decoded<'a>: std::borrow::Borrow<Self>;

    /// Decodes one message.
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

/// The header of a message: what stands in front of its payload.
// In the order of the word in a slot, so that it is not taken apart and put together again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Header {
    /// The length of the payload in bytes.
    pub size: u32,
    /// The id of the message.
    pub message: u16,
    /// The id of the handler that sent the message.
    pub source: u16,
    /// The position of the message on its bus; never reused.
    pub position: u64,
}

/// Fills one payload into its claimed slot. The methods of [`Publish`] and [`Sender`] make them.
///
/// ```
/// use rust_messenger::CircularBus;
/// use rust_messenger::traits::{EncodeError, MessageBus, Payload, Publish, Reader, Space};
///
/// /// Two parts that lie apart in memory.
/// struct Joined<'a>(&'a [u8], &'a [u8]);
///
/// impl Payload for Joined<'_> {
///     fn size(&self) -> usize {
///         self.0.len() + self.1.len()
///     }
///
///     fn fill(&mut self, space: &mut Space<'_>) -> Result<(), EncodeError> {
///         space.put(self.0)?;
///         space.put(self.1)
///     }
/// }
///
/// let bus = CircularBus::new(64 * 1024)?;
/// let mut reader = bus.subscribe("reader")?;
/// bus.writer()?.put(1, 2, &mut Joined(b"head", b"body"))?;
/// assert_eq!(reader.read(|_, payload| payload.to_vec())?, b"headbody");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`Sender`]: super::Sender
/// [`Publish`]: super::Publish
pub trait Payload {
    /// How many bytes to claim.
    fn size(&self) -> usize;

    /// The bytes, if they lie in memory already. The bus then copies them, and runs no foreign code while the slot is
    /// open. Provided: `None`.
    fn as_encoded(&self) -> Option<&[u8]> {
        None
    }

    /// Fills the claimed bytes. A bus calls it at most once.
    ///
    /// # Errors
    ///
    /// [`EncodeError`]: the bus seals the slot.
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

/// A closure that fills the claimed bytes.
pub(super) struct Fill<F> {
    pub(super) size: usize,
    pub(super) fill: Option<F>,
}

impl<F: FnOnce(&mut Space<'_>) -> Result<(), EncodeError>> Payload for Fill<F> {
    #[inline]
    fn size(&self) -> usize {
        self.size
    }

    #[inline]
    fn fill(&mut self, space: &mut Space<'_>) -> Result<(), EncodeError> {
        self.fill.take().map_or(Ok(()), |fill| fill(space))
    }
}
