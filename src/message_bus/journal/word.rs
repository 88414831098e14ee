//! The words of a journal's header and marks: positions and lengths that carry their own check; and words of a file as
//! they are read.

use crate::message_bus::ring::slot::SLOT_ALIGN;

/// The largest value of a checked word, and hence the largest position.
pub(crate) const POSITION_MAX: u64 = (1 << 52) - SLOT_ALIGN;

/// A multiple of 16 with its own check, to be stored at `offset`.
pub(crate) fn checked(offset: u64, value: u64) -> u64 {
    assert!(value <= POSITION_MAX && value.is_multiple_of(SLOT_ALIGN));
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&offset.to_le_bytes());
    bytes[8..].copy_from_slice(&value.to_le_bytes());
    (value / SLOT_ALIGN) << 16 | u64::from(crc32c::crc32c(&bytes) & 0xFFFF)
}

/// The value of the checked word at `offset`: 0 if there is none yet, `None` if it is damaged.
pub(crate) fn unchecked(offset: u64, word: u64) -> Option<u64> {
    let value = (word >> 16) * SLOT_ALIGN;
    (word == 0 || checked(offset, value) == word).then_some(value)
}

/// The word of a file at `offset` of these bytes.
pub(crate) fn word(bytes: &[u8], offset: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_ne_bytes(word)
}

/// The half of a word at `offset` of these bytes.
pub(crate) fn half(bytes: &[u8], offset: usize) -> u32 {
    let mut half = [0; 4];
    half.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_ne_bytes(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checked_word_knows_every_flipped_bit() {
        for value in [0, 16, 4096, 1 << 40, POSITION_MAX] {
            let word = checked(136, value);
            assert_eq!(unchecked(136, word), Some(value));
            for bit in 0..64 {
                let flipped = word ^ (1 << bit);
                assert!(unchecked(136, flipped).is_none() || flipped == 0, "bit {bit} of {value}");
            }
            assert_eq!(unchecked(144, word), None, "a word in the wrong place");
        }
    }
}
