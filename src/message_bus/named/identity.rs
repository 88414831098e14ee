//! The first page of a named ring: what it is. Written once, before the ring has its name, and believed from then on.
//!
//! ```text
//! byte   what
//! 0      the letters `rmsgring`
//! 8      byte order: 0x0102030405060708
//! 16     version
//! 24     length of the file
//! 32     where the control block is, and how long
//! 48     capacity
//! 56     how writers claim: 1 many, 2 one
//! 64     key
//! 72     the boot of the machine, 16 bytes
//! 124    CRC-32C of the bytes before (4 bytes)
//! ```
//!
//! Letters, byte order and version stay where they are in every version. Nothing of the file is mapped before all of
//! this is checked, and nothing of it is asked again later.

use super::error::NamedProblem;
use super::options::Claims;
use super::{attachments, names};
use crate::message_bus::circular_bus::RingOptions;
use crate::message_bus::ring::control;
use crate::message_bus::ring::memory::Ring;
use crate::mmap::Region;
use crate::sync::Ordering;

/// How much of a file is looked at before it is mapped.
pub(crate) const LEN: usize = 128;
pub(crate) const MAGIC: [u8; 8] = *b"rmsgring";
const VERSION: u64 = control::VERSION;
const BYTE_ORDER: u64 = 0x0102_0304_0506_0708;

/// The parts of the file: this page, the table of attachments, the names, the ring.
pub(crate) const ATTACHMENTS: usize = 4096;
pub(crate) const NAMES: usize = ATTACHMENTS + attachments::LEN;
pub(crate) const CONTROL: usize = NAMES + names::LEN;
const CHECK: usize = LEN - 4;

/// What a ring is, once and for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) capacity: u64,
    pub(crate) claims: Claims,
    pub(crate) key: u64,
    pub(crate) boot: u128,
}

impl Identity {
    /// The length of its file.
    pub(crate) fn file_len(&self) -> u64 {
        CONTROL as u64 + Ring::region_len(self.capacity)
    }

    pub(crate) fn to_bytes(&self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[..8].copy_from_slice(&MAGIC);
        let words = [
            BYTE_ORDER,
            VERSION,
            self.file_len(),
            CONTROL as u64,
            control::SIZE as u64,
            self.capacity,
            self.claims as u64,
            self.key,
            self.boot as u64,
            (self.boot >> 64) as u64,
        ];
        for (place, word) in bytes[8..].chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        let check = crc32c::crc32c(&bytes[..CHECK]);
        bytes[CHECK..].copy_from_slice(&check.to_ne_bytes());
        bytes
    }

    /// Writes it to the front of a region that nobody else has yet.
    pub(crate) fn write(&self, region: &Region) {
        for (place, word) in self.to_bytes().as_chunks().0.iter().enumerate() {
            region.word(8 * place).store(u64::from_ne_bytes(*word), Ordering::Relaxed);
        }
    }

    /// What a file of `len` bytes is that begins so.
    ///
    /// # Errors
    ///
    /// Why it is no ring that this program could use.
    pub(crate) fn read(bytes: &[u8; LEN], len: u64) -> Result<Identity, NamedProblem> {
        let word = |place: usize| u64::from_ne_bytes(std::array::from_fn(|byte| bytes[8 * place + byte]));
        if bytes[..8] != MAGIC {
            return Err(NamedProblem::NotARing);
        }
        match word(1) {
            BYTE_ORDER => {}
            order if order.swap_bytes() == BYTE_ORDER => return Err(NamedProblem::ByteOrder),
            _ => return Err(NamedProblem::Damaged { what: "its byte order" }),
        }
        if word(2) != VERSION {
            return Err(NamedProblem::Version { found: word(2), expected: VERSION });
        }
        let check = u32::from_ne_bytes(std::array::from_fn(|byte| bytes[CHECK + byte]));
        if check != crc32c::crc32c(&bytes[..CHECK]) {
            return Err(NamedProblem::Damaged { what: "its first page" });
        }
        let claims = match word(7) {
            1 => Claims::Many,
            2 => Claims::One,
            _ => return Err(NamedProblem::Damaged { what: "how its writers claim" }),
        };
        let capacity = word(6);
        let fits = |capacity| (RingOptions::MIN_CAPACITY..=RingOptions::MAX_CAPACITY).contains(&capacity);
        if !capacity.is_power_of_two() || !usize::try_from(capacity).is_ok_and(fits) {
            return Err(NamedProblem::Damaged { what: "its capacity" });
        }
        let boot = u128::from(word(10)) << 64 | u128::from(word(9));
        let identity = Identity { capacity, claims, key: word(8), boot };
        if (word(3), word(4), word(5)) != (identity.file_len(), CONTROL as u64, control::SIZE as u64) {
            return Err(NamedProblem::Damaged { what: "the lengths of its parts" });
        }
        if len != identity.file_len() {
            return Err(NamedProblem::Length { found: len, expected: identity.file_len() });
        }
        Ok(identity)
    }
}
