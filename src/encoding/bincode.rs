//! serde types, encoded with bincode 1.3: for programs that already speak it. New ones use postcard; bincode is no
//! longer maintained upstream (RUSTSEC-2025-0141).

use super::trace;
use crate::traits::message::SMALL;
use crate::traits::{DecodeError, EncodeError, Layout, Space};
use ::bincode::Options;
use ::serde::{Serialize, de::DeserializeOwned};

/// Makes a serde type a message: `bincode_message!(Type, id)`, where `id` is a `u16` or a fieldless enum's value.
///
/// ```
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Tick { price: u64 }
/// rust_messenger::bincode_message!(Tick, 7);
/// ```
#[macro_export]
macro_rules! bincode_message {
    ($message:ty, $id:expr $(,)?) => {
        $crate::__encoded_message!(
            $message,
            $id,
            <$message as $crate::__private::encoding::bincode::Coded>::LAYOUT,
            $crate::__private::encoding::bincode
        );
    };
}

/// What `bincode::serialize` uses, except that bytes left over are an error, and that a string or byte buffer which
/// claims to be longer than the message is refused before memory is reserved for it. For other collections serde itself
/// reserves no more than a MiB on the word of a length.
fn format(limit: usize) -> impl Options {
    ::bincode::DefaultOptions::new().with_fixint_encoding().with_limit(limit as u64)
}

/// The name of this encoding, as a journal keeps it.
const NAME: &str = "bincode";

coded! {
    Serialize, DeserializeOwned;
    LAYOUT = Layout::variable(NAME).with_shape(trace::shape::<Self>);
    "`{Self}` is no serde type",
    "add `#[derive(serde::Serialize, serde::Deserialize)]` to `{Self}`, and to the types of its fields"
}

/// The encoded size of `message` in bytes; 0 if it cannot be encoded, which [`encode`] then reports.
pub fn size<M: Serialize>(message: &M) -> usize {
    ::bincode::serialized_size(message).ok().and_then(|size| usize::try_from(size).ok()).unwrap_or(0)
}

/// Encodes `message`.
///
/// # Errors
///
/// [`EncodeError`]: its `Serialize` refused, or wrote more than [`size`] said.
pub fn encode<M: Serialize>(message: &M, space: &mut Space<'_>) -> Result<(), EncodeError> {
    let claimed = space.remaining();
    let mut rest = space.unfilled();
    ::bincode::serialize_into(&mut rest, message).map_err(|error| match *error {
        ::bincode::ErrorKind::Io(_) => too_long(message, claimed),
        other => EncodeError::Refused(other.to_string()),
    })?;
    let written = claimed - rest.len();
    space.advance(written);
    Ok(())
}

/// What to say when the space ran out: a message that cannot be encoded at all got none.
fn too_long<M: Serialize>(message: &M, claimed: usize) -> EncodeError {
    match ::bincode::serialized_size(message) {
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
    format(bytes.len()).deserialize(bytes).map_err(|error| DecodeError::new(error.to_string()))
}
