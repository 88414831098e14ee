//! prost types: protocol buffers (<https://protobuf.dev/programming-guides/encoding>).

use crate::traits::message::SMALL;
use crate::traits::{DecodeError, EncodeError, Layout, Space};
use ::prost::Message;

/// Makes a prost type a message: `prost_message!(Type, id)`, where `id` is a `u16` or a fieldless enum's value.
///
/// ```
/// #[derive(Clone, PartialEq, prost::Message)]
/// struct Tick {
///     #[prost(uint64, tag = "1")]
///     price: u64,
/// }
/// rust_messenger::prost_message!(Tick, 7);
/// ```
#[macro_export]
macro_rules! prost_message {
    ($message:ty, $id:expr $(,)?) => {
        $crate::__encoded_message!(
            $message,
            $id,
            {
                #[allow(unused_imports)]
                use $crate::__private::encoding::prost::Unlisted as _;
                $crate::__private::encoding::prost::layout(<$message>::FIELD_SHAPE)
            },
            $crate::__private::encoding::prost
        );
    };
}

/// The name of this encoding, as a journal keeps it.
const NAME: &str = "prost";

/// What a type says of its fields if the generator has listed none: nothing. A list of the type's own comes before it.
pub trait Unlisted {
    /// The function that gives the list.
    const FIELD_SHAPE: Option<fn() -> String> = None;
}

impl<M> Unlisted for M {}

/// The layout of a type whose fields are these.
pub const fn layout(fields: Option<fn() -> String>) -> Layout {
    match fields {
        Some(fields) => Layout::variable(NAME).with_shape(fields),
        None => Layout::variable(NAME),
    }
}

coded! {
    Message, Default;
    LAYOUT = Layout::variable(NAME);
    "`{Self}` is no prost type",
    "add `#[derive(Clone, PartialEq, prost::Message)]` to `{Self}`, and the like of `#[prost(uint64, tag = \"1\")]` to each field"
}

/// The encoded size of `message` in bytes.
pub fn size<M: Message>(message: &M) -> usize {
    message.encoded_len()
}

/// Encodes `message`.
///
/// # Errors
///
/// [`EncodeError::TooLong`]: it wrote more than [`size`] said.
pub fn encode<M: Message>(message: &M, space: &mut Space<'_>) -> Result<(), EncodeError> {
    let claimed = space.remaining();
    let mut rest = space.unfilled();
    message.encode(&mut rest).map_err(|_| EncodeError::TooLong { claimed })?;
    let written = claimed - rest.len();
    space.advance(written);
    Ok(())
}

/// Decodes a message.
///
/// # Errors
///
/// [`DecodeError`]: these bytes are no such message, or nested too deeply.
pub fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, DecodeError> {
    M::decode(bytes).map_err(|error| DecodeError::new(error.to_string()))
}
