//! serde types, encoded with postcard: compact, self-contained, stable since 1.0
//! (<https://postcard.jamesmunns.com/wire-format>).

use super::trace;
use crate::traits::{DecodeError, EncodeError, Layout, Space};
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

/// The name of this encoding, as a journal keeps it.
const NAME: &str = "postcard";

coded! {
    Serialize, DeserializeOwned;
    LAYOUT = Layout::variable(NAME).with_shape(trace::shape::<Self>);
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

/// What to say when the space ran out: a message that cannot be encoded at all got none.
fn too_long<M: Serialize>(message: &M, claimed: usize) -> EncodeError {
    match ::postcard::experimental::serialized_size(message) {
        Ok(_) => EncodeError::TooLong { claimed },
        Err(refusal) => EncodeError::Refused(refusal.to_string()),
    }
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
