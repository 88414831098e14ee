//! How a message becomes bytes: one file and one feature per codec; none knows the others.
//!
//! * `postcard` (feature `serde`, on by default): [`serde_message!`](crate::serde_message).
//! * `bincode` (feature `bincode`): `bincode_message!`, bincode 1.3.
//! * `prost` (feature `prost`): `prost_message!`.
//! * `zero_copy` (feature `zero_copy`): `zero_copy_message!`, plain memory that `zerocopy` checks.
//!
//! One routing table may mix them. A message written by hand implements [`ExtendedMessage`] and
//! [`DeserializeFrom`](crate::traits::DeserializeFrom).

#[cfg(feature = "bincode")]
pub mod bincode;
#[cfg(unix)]
pub(crate) mod json;
#[cfg(feature = "serde")]
pub mod postcard;
#[cfg(feature = "prost")]
pub mod prost;
#[cfg(any(unix, feature = "serde", feature = "bincode", feature = "zero_copy"))]
#[cfg_attr(not(unix), allow(dead_code, reason = "what only a journal reads"))]
pub(crate) mod shape;
#[cfg(any(feature = "serde", feature = "bincode"))]
mod trace;
#[cfg(feature = "zero_copy")]
pub mod zero_copy;

use crate::traits::{ExtendedMessage, Space};

/// Encodes `message` into `buffer` for its [`ExtendedMessage::write_into`]; what cannot be encoded is left zeroed. The
/// bus itself asks [`ExtendedMessage::encode`], which says why.
pub fn write_into<M: ExtendedMessage>(message: &M, buffer: &mut [u8]) {
    if Space::lend(buffer, |space| message.encode(space)).is_err() {
        buffer.fill(0);
    }
}

/// [`Message`](crate::traits::Message) for a type, by its id.
#[doc(hidden)]
#[macro_export]
macro_rules! __message_id {
    ($message:ty, $id:expr, $layout:expr) => {
        impl $crate::traits::Message for $message {
            type Id = u16;
            const ID: u16 = $id as u16;
            const LAYOUT: $crate::traits::Layout = $layout;
        }
    };
}

/// A message with this layout, whose `encoding` module has `size`, `encode` and `decode`.
#[doc(hidden)]
#[macro_export]
macro_rules! __encoded_message {
    ($message:ty, $id:expr, $layout:expr, $($encoding:tt)+) => {
        $crate::__message_id!($message, $id, $layout);

        impl $crate::traits::ExtendedMessage for $message {
            #[inline]
            fn get_size(&self) -> usize {
                $($encoding)+::size(self)
            }

            fn write_into(&self, buffer: &mut [u8]) {
                $crate::__private::write_into(self, buffer)
            }

            #[inline]
            fn encode(
                &self,
                space: &mut $crate::traits::Space<'_>,
            ) -> $crate::__private::Result<(), $crate::traits::EncodeError> {
                $($encoding)+::encode(self, space)
            }
        }

        impl $crate::traits::DeserializeFrom for $message {
            /// Panics when the bytes are no such message; the bus itself calls `try_deserialize_from`.
            fn deserialize_from(buffer: &[u8]) -> Self {
                match <Self as $crate::traits::DeserializeFrom>::try_deserialize_from(buffer) {
                    $crate::__private::Result::Ok(message) => message,
                    $crate::__private::Result::Err(error) => ::core::panic!("{error}"),
                }
            }

            #[inline]
            fn try_deserialize_from(
                buffer: &[u8],
            ) -> $crate::__private::Result<Self, $crate::traits::DecodeError> {
                $($encoding)+::decode(buffer)
            }
        }
    };
}
