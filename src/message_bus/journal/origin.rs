//! Where messages come from: what their slots say, and, for those that were written elsewhere, the table of nodes on
//! the first page.
//!
//! `docs/journal-format.md` draws the same, byte by byte.

use super::word::word;
use crate::message_bus::ring::slot::SLOT_ALIGN;

/// Where the table is.
pub(crate) const ORIGINS: u64 = 2560;
/// How many entries it has. No model of loom looks at one.
pub(crate) const ORIGIN_COUNT: usize = if cfg!(rust_messenger_loom) { 0 } else { 20 };
const SIZE: u64 = 64;
pub(crate) const NODE: usize = 32;
const INCARNATION: usize = NODE;
const MADE: usize = NODE + 8;
/// The bytes of an entry up to its check, and up to the position of the last message.
pub(crate) const CHECK: usize = NODE + 16;
pub(crate) const LAST: u64 = CHECK as u64 + 8;

/// Behind the table: the position before which it says what was imported, as a checked word.
pub(crate) const ACCOUNTED: u64 = origin_at(ORIGIN_COUNT);

/// In the word of a cause: it is no cause here.
const ELSEWHERE: u64 = 1 << 63;
const AGAIN: u64 = 1 << 62;
const ENTRY: u32 = 55;
/// Positions of an origin are less.
const POSITION_END: u64 = SLOT_ALIGN << ENTRY;
/// The bits of the last position's check.
const CHECK_BITS: u32 = 64 - ENTRY;

/// Where the entry `index` is.
pub(crate) const fn origin_at(index: usize) -> u64 {
    ORIGINS + index as u64 * SIZE
}

/// Whether it can be a position of an origin.
pub(crate) fn is_position(position: u64) -> bool {
    position < POSITION_END && position.is_multiple_of(SLOT_ALIGN)
}

/// What the word of a cause says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The position of the message in whose handling it was sent, or 0.
    Here(u64),
    /// It stood at this position of the origin `entry`.
    Elsewhere { entry: usize, position: u64 },
    /// It comes again: it was dead at this position.
    Again(u64),
}

impl Cause {
    pub(crate) fn of(word: u64) -> Cause {
        match (word & ELSEWHERE, word & AGAIN) {
            (0, 0) => Cause::Here(word),
            (0, _) => Cause::Again(word & !AGAIN),
            _ => {
                let entry = ((word & !ELSEWHERE) >> ENTRY) as usize;
                Cause::Elsewhere { entry, position: word % (1 << ENTRY) * SLOT_ALIGN }
            }
        }
    }

    pub(crate) fn word(self) -> u64 {
        match self {
            Cause::Here(position) => position,
            Cause::Elsewhere { entry, position } => ELSEWHERE | (entry as u64) << ENTRY | (position / SLOT_ALIGN),
            Cause::Again(position) => AGAIN | position,
        }
    }
}

/// The position of the last message, with its own check, to be stored at `offset`.
pub(crate) fn last_word(offset: u64, position: u64) -> u64 {
    assert!(is_position(position));
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&offset.to_le_bytes());
    bytes[8..].copy_from_slice(&position.to_le_bytes());
    let check = u64::from(crc32c::crc32c(&bytes)) % (1 << CHECK_BITS);
    (position / SLOT_ALIGN) << CHECK_BITS | check
}

/// What the word at `offset` says of the last message: `Some(None)` if there was none, `None` if it is damaged.
pub(crate) fn last_of(offset: u64, word: u64) -> Option<Option<u64>> {
    let position = (word >> CHECK_BITS) * SLOT_ALIGN;
    match word {
        0 => Some(None),
        _ => (last_word(offset, position) == word).then_some(Some(position)),
    }
}

/// An entry's bytes before its check, and the check. `None`: the name is empty, too long, or ends in a zero.
pub(crate) fn encode(node: &str, incarnation: u64, made: u64) -> Option<([u8; CHECK], u64)> {
    if node.is_empty() || node.len() > NODE || node.ends_with('\0') {
        return None;
    }
    let mut bytes = [0; CHECK];
    bytes[..node.len()].copy_from_slice(node.as_bytes());
    bytes[INCARNATION..MADE].copy_from_slice(&incarnation.to_ne_bytes());
    bytes[MADE..].copy_from_slice(&made.to_ne_bytes());
    Some((bytes, (node.len() as u64) << 32 | u64::from(crc32c::crc32c(&bytes))))
}

/// An origin: a node in one of its lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) node: String,
    pub(crate) incarnation: u64,
    /// One more than that of every entry that was there when this one was made.
    pub(crate) made: u64,
    /// The position of the last message when that was stored: `Some(None)` if there was none, `None` if it is damaged.
    pub(crate) last: Option<Option<u64>>,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OriginEntry {
    /// No slot has ever named it.
    Free,
    /// It was given up, or nobody has finished it.
    Old,
    /// It is damaged.
    Unnamed,
    Named(Node),
}

/// Reads the entry `index`, whose bytes these are.
pub(crate) fn read(entry: &[u8], index: usize) -> OriginEntry {
    let check = word(entry, CHECK);
    if check == 0 {
        return if entry.iter().all(|&byte| byte == 0) { OriginEntry::Free } else { OriginEntry::Old };
    }
    let node = std::str::from_utf8(&entry[..((check >> 32) as usize).min(NODE)]).unwrap_or_default();
    let (incarnation, made) = (word(entry, INCARNATION), word(entry, MADE));
    match encode(node, incarnation, made) {
        Some((bytes, expected)) if bytes[..] == entry[..CHECK] && expected == check => {
            let last = last_of(origin_at(index) + LAST, word(entry, LAST as usize));
            OriginEntry::Named(Node { node: node.to_owned(), incarnation, made, last })
        }
        _ => OriginEntry::Unnamed,
    }
}

/// The entries of the first page.
pub(crate) fn entries(page: &[u8]) -> impl Iterator<Item = (usize, OriginEntry)> + '_ {
    (0..ORIGIN_COUNT).map(|index| (index, read(&page[origin_at(index) as usize..][..SIZE as usize], index)))
}

/// How many bytes an entry has.
pub(crate) const ORIGIN_SIZE: usize = SIZE as usize;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_position_knows_every_flipped_bit() {
        // All of them are made alike.
        for index in (0..ORIGIN_COUNT).step_by(if cfg!(miri) { ORIGIN_COUNT - 1 } else { 1 }) {
            let offset = origin_at(index) + LAST;
            for position in [0, 16, 4096, 1 << 40, POSITION_END - 16] {
                let word = last_word(offset, position);
                assert_ne!(word, 0);
                assert_eq!(last_of(offset, word), Some(Some(position)));
                for bit in 0..64 {
                    let flipped = word ^ 1 << bit;
                    assert!(flipped == 0 || last_of(offset, flipped).is_none(), "bit {bit} of {position} in {index}");
                }
            }
        }
    }

    #[test]
    fn a_word_of_a_cause_says_whence() {
        for (entry, position) in [(0, 0), (1, 16), (19, POSITION_END - 16), (255, 1 << 40)] {
            assert!(is_position(position));
            let cause = Cause::Elsewhere { entry, position };
            assert_eq!((Cause::of(cause.word()), cause.word() >> 63), (cause, 1));
        }
        for position in [8192, 1 << 40, (1 << 52) - 16] {
            assert_eq!((Cause::of(position), Cause::Here(position).word()), (Cause::Here(position), position));
            let again = Cause::Again(position);
            assert_eq!((Cause::of(again.word()), again.word()), (again, 1 << 62 | position));
        }
        assert_eq!(Cause::of(0), Cause::Here(0));
        assert!(!is_position(POSITION_END) && !is_position(8));
    }

    #[test]
    fn an_entry_knows_every_flipped_bit() {
        let (bytes, check) = encode("berlin", 7, 3).unwrap();
        let mut entry = [0; ORIGIN_SIZE];
        entry[..CHECK].copy_from_slice(&bytes);
        entry[CHECK..CHECK + 8].copy_from_slice(&check.to_ne_bytes());
        let expected = Node { node: "berlin".to_owned(), incarnation: 7, made: 3, last: Some(None) };
        assert_eq!(read(&entry, 2), OriginEntry::Named(expected));
        for bit in 0..8 * (CHECK + 8) {
            let mut flipped = entry;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&flipped, 2), OriginEntry::Unnamed, "bit {bit}");
        }
        assert_eq!(read(&[0; ORIGIN_SIZE], 2), OriginEntry::Free);
        for name in ["", "a name that is longer than 32 bytes", "zero\0"] {
            assert_eq!(encode(name, 0, 0), None);
        }
    }
}
