//! serde types, encoded with postcard: compact, self-contained, stable since 1.0
//! (<https://postcard.jamesmunns.com/wire-format>).

use super::trace;
use crate::traits::message::SMALL;
use crate::traits::{DecodeError, EncodeError, Layout, Space};
use ::postcard::ser_flavors::Flavor;
use ::serde::{Serialize, de::DeserializeOwned};

/// Makes a serde type a message: `serde_message!(Type, id)`, where `id` is a `u16` or a fieldless enum's value.
///
/// ```
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Tick { price: u64 }
/// rust_messenger::serde_message!(Tick, 7);
/// ```
#[macro_export]
macro_rules! serde_message {
    ($message:ty, $id:expr $(,)?) => {
        $crate::__encoded_message!(
            $message,
            $id,
            <$message as $crate::__private::encoding::postcard::Coded>::LAYOUT,
            $crate::__private::encoding::postcard
        );
    };
}

/// Makes the state of a serde type a [`Snapshot`](crate::traits::Snapshot): `serde_snapshot!(Type, version)`. A state
/// of another version is refused; for one that can be converted write the trait by hand.
///
/// ```
/// use rust_messenger::traits::{Handler, Snapshot};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Counter { count: u64 }
/// rust_messenger::serde_snapshot!(Counter, 1);
///
/// impl Handler for Counter {
///     type Id = u16;
///     const ID: u16 = 1;
///
///     fn snapshot(&mut self) -> Option<&mut dyn Snapshot> {
///         Some(self)
///     }
/// }
/// ```
#[macro_export]
macro_rules! serde_snapshot {
    ($state:ty, $version:expr $(,)?) => {
        impl $crate::traits::Snapshot for $state {
            fn version(&self) -> $crate::__private::u32 {
                $version
            }

            fn save(
                &mut self,
                bytes: &mut $crate::__private::Vec<u8>,
            ) -> $crate::__private::Result<(), $crate::traits::EncodeError> {
                $crate::__private::encoding::postcard::append(self, bytes)
            }

            fn load(
                &mut self,
                version: $crate::__private::u32,
                bytes: &[$crate::__private::u8],
            ) -> $crate::__private::Result<(), $crate::traits::DecodeError> {
                *self = $crate::__private::encoding::postcard::state(version, $version, bytes)?;
                $crate::__private::Ok(())
            }
        }
    };
}

/// The name of this encoding, as a journal keeps it.
const NAME: &str = "postcard";

coded! {
    Serialize, DeserializeOwned;
    LAYOUT = Layout::variable(NAME).with_shape(trace::shape::<Self>);
    small = encode_small;
    "`{Self}` is no serde type",
    "add `#[derive(serde::Serialize, serde::Deserialize)]` to `{Self}`, and to the types of its fields"
}

/// The encoded size of `message` in bytes; 0 if it cannot be encoded, which [`encode`] then reports.
pub fn size<M: Serialize>(message: &M) -> usize {
    ::postcard::experimental::serialized_size(message).unwrap_or(0)
}

/// Encodes `message`.
///
/// # Errors
///
/// [`EncodeError`]: its `Serialize` refused, or wrote more than [`size`] said.
pub fn encode<M: Serialize>(message: &M, space: &mut Space<'_>) -> Result<(), EncodeError> {
    let claimed = space.remaining();
    let written = ::postcard::to_slice(message, space.unfilled()).map(|bytes| bytes.len());
    let written = written.map_err(|error| match error {
        ::postcard::Error::SerializeBufferFull => too_long(message, claimed),
        other => EncodeError::Refused(other.to_string()),
    })?;
    space.advance(written);
    Ok(())
}

/// The encoded message in `room`, if it fits: to count its bytes takes as long as to encode it. What is refused here
/// is refused again when it is [`encode`]d, which says why. A type that is larger than the room is not tried.
#[inline]
pub fn encode_small<'a, M: Serialize>(message: &M, room: &'a mut [u8; SMALL]) -> Option<&'a [u8]> {
    if size_of::<M>() > SMALL {
        return None;
    }
    let len = ::postcard::serialize_with_flavor(message, Room { room, len: 0 }).ok()?;
    Some(&room[..len])
}

/// Room for a small message. A number has few bytes: to have them copied by a call takes longer than the copying.
struct Room<'a> {
    room: &'a mut [u8; SMALL],
    len: usize,
}

impl Flavor for Room<'_> {
    type Output = usize;

    #[inline(always)]
    fn try_push(&mut self, byte: u8) -> Result<(), ::postcard::Error> {
        *self.room.get_mut(self.len).ok_or(::postcard::Error::SerializeBufferFull)? = byte;
        self.len += 1;
        Ok(())
    }

    #[inline(always)]
    fn try_extend(&mut self, bytes: &[u8]) -> Result<(), ::postcard::Error> {
        if bytes.len() <= NUMBER {
            return bytes.iter().try_for_each(|&byte| self.try_push(byte));
        }
        let room = self.room.get_mut(self.len..).and_then(|room| room.get_mut(..bytes.len()));
        room.ok_or(::postcard::Error::SerializeBufferFull)?.copy_from_slice(bytes);
        self.len += bytes.len();
        Ok(())
    }

    fn finalize(self) -> Result<usize, ::postcard::Error> {
        Ok(self.len)
    }
}

/// The most bytes of a number of 64 bits.
const NUMBER: usize = 10;

/// What to say when the space ran out: a message that cannot be encoded at all got none.
fn too_long<M: Serialize>(message: &M, claimed: usize) -> EncodeError {
    match ::postcard::experimental::serialized_size(message) {
        Ok(_) => EncodeError::TooLong { claimed },
        Err(refusal) => EncodeError::Refused(refusal.to_string()),
    }
}

/// Appends a state to `bytes`.
///
/// # Errors
///
/// [`EncodeError`]: its `Serialize` refused.
pub fn append<S: Serialize>(state: &S, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
    let encoded = ::postcard::to_stdvec(state).map_err(|error| EncodeError::Refused(error.to_string()))?;
    bytes.extend_from_slice(&encoded);
    Ok(())
}

/// Decodes a state that was saved at version `saved`.
///
/// # Errors
///
/// [`DecodeError`]: it is not of version `wanted`, or these bytes are no such state.
pub fn state<S: DeserializeOwned>(saved: u32, wanted: u32, bytes: &[u8]) -> Result<S, DecodeError> {
    if saved != wanted {
        return Err(DecodeError::new(format!("a state of version {saved}, and this is version {wanted}")));
    }
    decode(bytes)
}

/// Decodes a message that fills all of `bytes`. A type that contains itself is decoded by recursion, as deep as the
/// bytes say.
///
/// # Errors
///
/// [`DecodeError`]: these bytes are no such message, or more than one.
pub fn decode<M: DeserializeOwned>(bytes: &[u8]) -> Result<M, DecodeError> {
    let (message, rest) = ::postcard::take_from_bytes(bytes).map_err(|error| DecodeError::new(error.to_string()))?;
    if rest.is_empty() { Ok(message) } else { Err(DecodeError::new(format!("{} bytes too many", rest.len()))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As long as it fits it is what postcard itself would have written, whatever ends at the room's end.
    #[test]
    fn what_is_encoded_at_once_is_what_would_be_encoded_otherwise() {
        for len in 0..=SMALL + 2 {
            let message = ("x".repeat(len), u64::MAX >> (len % 64), [len as u8; 3], -1i32);
            let expected = ::postcard::to_stdvec(&message).unwrap();
            let mut room = [0xaa; SMALL];
            let fits = (expected.len() <= SMALL).then_some(&expected[..]);
            assert_eq!(encode_small(&message, &mut room), fits, "{len}");
        }
    }
}
