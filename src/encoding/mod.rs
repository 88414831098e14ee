//! How a message becomes bytes: one file and one feature per codec; none knows the others.
//!
//! * `postcard` (feature `serde`, on by default): [`serde_message!`](crate::serde_message).
//! * `bincode` (feature `bincode`): `bincode_message!`, bincode 1.3.
//! * `prost` (feature `prost`): `prost_message!`.
//! * `zero_copy` (feature `zero_copy`): `zero_copy_message!`, plain memory that `zerocopy` checks.
//!
//! One routing table may mix them. A message written by hand implements [`ExtendedMessage`] and
//! [`DeserializeFrom`](crate::traits::DeserializeFrom).

/// The trait of what an encoding can write and read. Expansions ask for it alone, in the user's own word, so that a
/// missing derive is said once, and what to write instead.
#[allow(unused_macros)] // With no feature that has an encoding.
macro_rules! coded {
    ($($bound:path),+; LAYOUT = $layout:expr; $(small = $small:path;)? $message:literal, $note:literal) => {
        /// What this encoding can write and read.
        #[diagnostic::on_unimplemented(message = $message, label = "lacks what a derive gives", note = $note)]
        pub trait Coded: Sized {
            /// How it becomes bytes, as far as every message of this encoding says.
            const LAYOUT: Layout;

            /// [`size`].
            fn size(&self) -> usize;

            /// [`encode`].
            ///
            /// # Errors
            ///
            /// The same.
            fn encode(&self, space: &mut Space<'_>) -> Result<(), EncodeError>;

            /// [`ExtendedMessage::encode_small`](crate::traits::ExtendedMessage::encode_small). Provided: never, for
            /// most count quickly how long a message will be.
            #[inline]
            fn encode_small<'a>(&self, room: &'a mut [u8; SMALL]) -> Option<&'a [u8]> {
                let _ = room;
                None
            }

            /// [`decode`].
            ///
            /// # Errors
            ///
            /// The same.
            fn decode(bytes: &[u8]) -> Result<Self, DecodeError>;
        }

        #[diagnostic::do_not_recommend]
        impl<M: $($bound +)+> Coded for M {
            const LAYOUT: Layout = $layout;

            #[inline]
            fn size(&self) -> usize {
                size(self)
            }

            #[inline]
            fn encode(&self, space: &mut Space<'_>) -> Result<(), EncodeError> {
                encode(self, space)
            }

            $(#[inline]
            fn encode_small<'a>(&self, room: &'a mut [u8; SMALL]) -> Option<&'a [u8]> {
                $small(self, room)
            })?

            #[inline]
            fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
                decode(bytes)
            }
        }
    };
}

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

/// The id of a type as a `u16`, if it is one. The compiler looks itself at literals without a suffix.
#[doc(hidden)]
#[macro_export]
macro_rules! __id {
    ($of:ty, $id:literal) => {{
        <$of as $crate::__private::FitsItsId<
            { $crate::__private::is_id_as_written($crate::__private::stringify!($id), $id as $crate::__private::u64) },
        >>::OK;
        $id as $crate::__private::u16
    }};
    ($of:ty, $id:expr) => {{
        <$of as $crate::__private::FitsItsId<{ $crate::__private::is_id($id as $crate::__private::u64) }>>::OK;
        $id as $crate::__private::u16
    }};
}

/// [`Message`](crate::traits::Message) for a type, by its id.
#[doc(hidden)]
#[macro_export]
macro_rules! __message_id {
    ($message:ty, $id:expr, $layout:expr) => {
        impl $crate::traits::Message for $message {
            type Id = u16;
            const ID: u16 = $crate::__id!($message, $id);
            const LAYOUT: $crate::traits::Layout = $layout;
        }
    };
}

/// A message with this layout, whose `encoding` module has `Coded`.
#[doc(hidden)]
#[macro_export]
macro_rules! __encoded_message {
    ($message:ty, $id:expr, $layout:expr, $($encoding:tt)+) => {
        $crate::__message_id!($message, $id, $layout);

        impl $crate::traits::ExtendedMessage for $message {
            #[inline]
            fn get_size(&self) -> usize {
                <$message as $($encoding)+::Coded>::size(self)
            }

            fn write_into(&self, buffer: &mut [u8]) {
                $crate::__private::write_into(self, buffer)
            }

            #[inline]
            fn encode(
                &self,
                space: &mut $crate::traits::Space<'_>,
            ) -> $crate::__private::Result<(), $crate::traits::EncodeError> {
                <$message as $($encoding)+::Coded>::encode(self, space)
            }

            #[inline]
            fn encode_small<'a>(
                &self,
                room: &'a mut [$crate::__private::u8; $crate::__private::SMALL],
            ) -> $crate::__private::Option<&'a [$crate::__private::u8]> {
                <$message as $($encoding)+::Coded>::encode_small(self, room)
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
                <$message as $($encoding)+::Coded>::decode(buffer)
            }
        }
    };
}
