//! How a message becomes bytes: one file per way, one feature per file; they don't know each other.
//!
//! * `postcard` (feature `serde`, on by default): [`serde_message!`](crate::serde_message).
//! * `bincode` (feature `bincode`): `bincode_message!`, bincode 1.3.
//! * `prost` (feature `prost`): `prost_message!`.
//! * `zero_copy` (feature `zero_copy`): `zero_copy_message!`, plain memory checked by `zerocopy`.
//!
//! All may be mixed in one routing table. A message written by hand implements
//! [`ExtendedMessage`] and [`DeserializeFrom`](crate::traits::DeserializeFrom).

#[cfg(feature = "bincode")]
pub mod bincode;
#[cfg(feature = "serde")]
pub mod postcard;
#[cfg(feature = "prost")]
pub mod prost;
#[cfg(feature = "zero_copy")]
pub mod zero_copy;

use crate::traits::{ExtendedMessage, Space};

/// Encodes `message` into `buffer` for its [`ExtendedMessage::write_into`]; what cannot be encoded is left zeroed. The
/// bus itself asks [`ExtendedMessage::encode`], which says why.
pub fn write_into<M: ExtendedMessage>(message: &M, buffer: &mut [u8]) {
    if message.encode(&mut Space::new(buffer)).is_err() {
        buffer.fill(0);
    }
}
