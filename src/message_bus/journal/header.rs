//! The first two pages of a journal and its two table areas: where each field is, and whether it is what was written.
//!
//! `docs/journal-format.md` draws the same, byte by byte.

use crate::message_bus::ring::slot::{CRC, RECORD_HEADER, SLOT_ALIGN};
use std::fmt;

/// The unit in which a file grows and gives space back.
pub(crate) const PAGE: u64 = if cfg!(rust_messenger_loom) { 1024 } else { 4096 };
pub(crate) const VERSION: u64 = 2;
const MAGIC: [u8; 8] = *b"rmsgjrnl";
const BYTE_ORDER: u64 = 0x0102_0304_0506_0708;
const FLAG_CRC: u64 = 1;

const IDENTITY_CRC: usize = 124;
pub(crate) const IDENTITY: usize = 128;
/// Where the identity stands. On two pages: what is lost of a file is lost by pages.
pub(crate) const IDENTITIES: [u64; 2] = [0, PAGE];
/// Where the table areas begin.
const TABLES: u64 = 2 * PAGE;
/// How far the file may grow.
pub(crate) const CAPACITY: u64 = 128;
/// The first position that is still there.
pub(crate) const RETAINED: u64 = 136;
/// So long the file was at least.
pub(crate) const ALLOCATED: u64 = 144;
/// Everything before it was finished, and synced, before it was stored.
pub(crate) const WHOLE: u64 = 152;
/// Behind the last of these words.
pub(crate) const WORDS_END: usize = 160;
const CURSORS: u64 = 512;
pub(crate) const CURSOR_COUNT: usize = if cfg!(rust_messenger_loom) { 1 } else { 32 };
/// The rest of the first page is kept for what is to come: ignored, and preserved.
pub(crate) const RESERVED: u64 = 2560;
const _: () = assert!(cursor_at(CURSOR_COUNT) <= RESERVED);
pub(crate) const CURSOR_NAME: usize = 40;
const CURSOR_SIZE: u64 = 64;
const TABLE_TEXT: usize = 24;
/// The generation of a table that is being written: many bits from that of any that has been.
pub(crate) const UNWRITTEN: u64 = u64::MAX;

/// The largest value of a checked word, and hence the largest position.
pub(crate) const POSITION_MAX: u64 = (1 << 52) - SLOT_ALIGN;

/// A multiple of 16 with its own check, to be stored at `offset`.
pub(crate) fn checked(offset: u64, value: u64) -> u64 {
    debug_assert!(value <= POSITION_MAX && value.is_multiple_of(SLOT_ALIGN));
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

/// What a journal is, once and for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) crc: bool,
    pub(crate) key: u64,
    pub(crate) table_len: u64,
    pub(crate) max_payload: u64,
    /// Nanoseconds since 1970.
    pub(crate) created: u64,
}

/// Why a first page is none that this version can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    Magic([u8; 8]),
    ByteOrder,
    Version(u64),
    Flags(u64),
    Damaged,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::Magic(found) => {
                let (found, expected) = (found.escape_ascii(), MAGIC.escape_ascii());
                write!(f, "no journal: it begins with `{found}`, not with `{expected}`")
            }
            Unfit::ByteOrder => f.write_str("a journal of a machine with the other byte order"),
            Unfit::Version(found) => write!(f, "a journal of version {found}; this program reads version {VERSION}"),
            Unfit::Flags(flags) => write!(f, "a journal with flags {flags:#x}, which this program does not know"),
            Unfit::Damaged => f.write_str("a journal whose first page is damaged, and so is the copy of it"),
        }
    }
}

fn word(bytes: &[u8], offset: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_ne_bytes(word)
}

fn half(bytes: &[u8], offset: usize) -> u32 {
    let mut half = [0; 4];
    half.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_ne_bytes(half)
}

impl Identity {
    /// The position of the first slot.
    pub(crate) fn header_len(&self) -> u64 {
        TABLES + 2 * self.table_len
    }

    /// Where the table area `index` begins.
    pub(crate) fn table_at(&self, index: usize) -> u64 {
        TABLES + index as u64 * self.table_len
    }

    pub(crate) fn encode(&self) -> [u8; IDENTITY] {
        let mut bytes = [0; IDENTITY];
        bytes[..8].copy_from_slice(&MAGIC);
        let flags = if self.crc { FLAG_CRC } else { 0 };
        let words =
            [BYTE_ORDER, VERSION, flags, self.key, self.header_len(), self.table_len, self.max_payload, self.created];
        for (place, word) in words.into_iter().enumerate() {
            bytes[8 + 8 * place..][..8].copy_from_slice(&word.to_ne_bytes());
        }
        let crc = crc32c::crc32c(&bytes[..IDENTITY_CRC]);
        bytes[IDENTITY_CRC..].copy_from_slice(&crc.to_ne_bytes());
        bytes
    }

    /// The first pages of a journal that is made now, and so many zeros that it is `len` bytes long.
    pub(crate) fn image(&self, len: u64) -> Vec<u8> {
        let mut image = vec![0; len as usize];
        for at in IDENTITIES {
            image[at as usize..][..IDENTITY].copy_from_slice(&self.encode());
        }
        image
    }

    /// The identity, from whichever of its two copies is whole; the first one counts if they differ.
    pub(crate) fn of_either(copies: [&[u8; IDENTITY]; 2]) -> Result<Identity, Unfit> {
        let [first, second] = copies.map(Identity::decode);
        let Err(error) = first else { return first };
        if second.is_ok() || second == first {
            return second;
        }
        // What a checksum vouches for is said as it is. Two that are bad in different ways were the same once.
        let sealed = copies.into_iter().zip([first, second]).find(|(bytes, _)| is_sealed(bytes));
        match (sealed, error, second) {
            (Some((_, sealed)), ..) => sealed,
            (None, Unfit::Magic(_), Err(Unfit::Magic(_))) => first,
            _ => Err(Unfit::Damaged),
        }
    }

    pub(crate) fn decode(bytes: &[u8; IDENTITY]) -> Result<Identity, Unfit> {
        if bytes[..8] != MAGIC {
            return Err(Unfit::Magic(std::array::from_fn(|place| bytes[place])));
        }
        if word(bytes, 8) == BYTE_ORDER.swap_bytes() {
            return Err(Unfit::ByteOrder);
        }
        let (version, flags) = (word(bytes, 16), word(bytes, 24));
        if word(bytes, 8) == BYTE_ORDER && version != VERSION {
            return Err(Unfit::Version(version));
        }
        if !is_sealed(bytes) {
            return Err(Unfit::Damaged);
        }
        if flags & !FLAG_CRC != 0 {
            return Err(Unfit::Flags(flags));
        }
        let identity = Identity {
            crc: flags & FLAG_CRC != 0,
            key: word(bytes, 32),
            table_len: word(bytes, 48),
            max_payload: word(bytes, 56),
            created: word(bytes, 64),
        };
        // A checksum proves that it was written so, not that a program in its right mind wrote it.
        let is_sane = identity.table_len.is_multiple_of(PAGE)
            && identity.table_len <= 1 << 30
            && word(bytes, 40) == identity.header_len()
            && identity.max_payload <= MAX_PAYLOAD
            && identity.key >> 63 == 1;
        if is_sane { Ok(identity) } else { Err(Unfit::Damaged) }
    }
}

/// Whether an identity's checksum is right, which stands there in every version.
fn is_sealed(bytes: &[u8; IDENTITY]) -> bool {
    half(bytes, IDENTITY_CRC) == crc32c::crc32c(&bytes[..IDENTITY_CRC])
}

/// No journal takes a larger payload: a slot's length stays below 2^32.
pub(crate) const MAX_PAYLOAD: u64 = u32::MAX as u64 - RECORD_HEADER - CRC - SLOT_ALIGN;

/// Where the cursor `index` is.
pub(crate) const fn cursor_at(index: usize) -> u64 {
    CURSORS + index as u64 * CURSOR_SIZE
}

/// The bytes of a cursor's entry up to its position.
pub(crate) const CURSOR_POSITION: u64 = CURSOR_NAME as u64 + 8;

/// The name as it stands in an entry, and its check. `None`: it is empty, too long, or ends in a zero, which nothing
/// would tell from those behind it.
pub(crate) fn cursor_name(name: &str) -> Option<([u8; CURSOR_NAME], u64)> {
    if name.is_empty() || name.len() > CURSOR_NAME || name.ends_with('\0') {
        return None;
    }
    let mut bytes = [0; CURSOR_NAME];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    Some((bytes, (name.len() as u64) << 32 | u64::from(crc32c::crc32c(&bytes))))
}

/// What a cursor's entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CursorEntry {
    Free,
    /// The name is damaged.
    Unnamed,
    /// `None`: the position is damaged.
    Named(String, Option<u64>),
}

/// Reads the cursor `index` from the first page.
pub(crate) fn cursor_entry(page: &[u8], index: usize) -> CursorEntry {
    let base = cursor_at(index) as usize;
    let entry = &page[base..base + CURSOR_SIZE as usize];
    let check = word(entry, CURSOR_NAME);
    if *entry == [0; CURSOR_SIZE as usize] {
        return CursorEntry::Free;
    }
    if check == 0 {
        // A cursor that was not finished, or was removed.
        return CursorEntry::Free;
    }
    let name = std::str::from_utf8(&entry[..((check >> 32) as usize).min(CURSOR_NAME)]);
    match name.ok().filter(|name| cursor_name(name).is_some_and(|(_, expected)| expected == check)) {
        Some(name) if entry[name.len()..CURSOR_NAME].iter().all(|&byte| byte == 0) => {
            let position = unchecked(base as u64 + CURSOR_POSITION, word(entry, CURSOR_POSITION as usize));
            CursorEntry::Named(name.to_owned(), position)
        }
        _ => CursorEntry::Unnamed,
    }
}

/// The checked word at `offset` of the first page.
pub(crate) fn checked_in(page: &[u8], offset: u64) -> Option<u64> {
    unchecked(offset, word(page, offset as usize))
}

/// Up to where everything was finished, in a file of `len` bytes; 0 if nobody has said so yet, `None` if that is
/// damaged: no journal was finished behind where it ended.
pub(crate) fn whole_in(page: &[u8], len: u64) -> Option<u64> {
    let end = checked_in(page, ALLOCATED).unwrap_or(0).max(len);
    checked_in(page, WHOLE).filter(|&whole| whole <= end)
}

/// What a table area says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Area {
    Empty,
    Damaged,
    Text { generation: u64, text: String },
}

pub(crate) fn encode_area(generation: u64, text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(TABLE_TEXT + text.len());
    bytes.extend_from_slice(&generation.to_ne_bytes());
    bytes.extend_from_slice(&(text.len() as u64).to_ne_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes), text.as_bytes());
    bytes.extend_from_slice(&crc.to_ne_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// How long a text may be in an area of `table_len` bytes.
pub(crate) fn text_max(table_len: u64) -> u64 {
    table_len.saturating_sub(TABLE_TEXT as u64)
}

pub(crate) fn decode_area(bytes: &[u8]) -> Area {
    if bytes.len() < TABLE_TEXT || bytes[..TABLE_TEXT].iter().all(|&byte| byte == 0) || word(bytes, 0) == UNWRITTEN {
        return Area::Empty;
    }
    let (generation, len) = (word(bytes, 0), word(bytes, 8));
    let text = usize::try_from(len).ok().and_then(|len| bytes[TABLE_TEXT..].get(..len));
    let text = text
        .filter(|text| half(bytes, 16) == crc32c::crc32c_append(crc32c::crc32c(&bytes[..16]), text) && generation != 0);
    match text.and_then(|text| std::str::from_utf8(text).ok()) {
        Some(text) => Area::Text { generation, text: text.to_owned() },
        None => Area::Damaged,
    }
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

    #[test]
    fn an_identity_knows_every_flipped_bit() {
        let identity = Identity { crc: true, key: 1 << 63 | 77, table_len: 8192, max_payload: 1000, created: 5 };
        let bytes = identity.encode();
        assert_eq!(Identity::decode(&bytes), Ok(identity));
        for bit in 0..8 * IDENTITY {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Identity::decode(&flipped).is_err(), "bit {bit}");
        }
    }

    /// A page with this cursor in the first entry.
    fn page_with_cursor(name: &str, position: u64) -> Vec<u8> {
        let (mut page, base) = (vec![0; PAGE as usize], cursor_at(0) as usize);
        let (bytes, check) = cursor_name(name).unwrap();
        page[base..base + CURSOR_NAME].copy_from_slice(&bytes);
        page[base + CURSOR_NAME..][..8].copy_from_slice(&check.to_ne_bytes());
        let at = cursor_at(0) + CURSOR_POSITION;
        page[at as usize..][..8].copy_from_slice(&checked(at, position).to_ne_bytes());
        page
    }

    /// Behind the name, too, where there is nothing.
    #[test]
    fn a_cursor_knows_every_flipped_bit() {
        for name in ["a", "l\u{e4}nger", "forty bytes, and not one more than that."] {
            let page = page_with_cursor(name, 4096);
            assert_eq!(cursor_entry(&page, 0), CursorEntry::Named(name.to_owned(), Some(4096)));
            for bit in (0..8 * CURSOR_SIZE as usize).step_by(if cfg!(miri) { 7 } else { 1 }) {
                let mut flipped = page.clone();
                flipped[cursor_at(0) as usize + bit / 8] ^= 1 << (bit % 8);
                let expected = match bit / 8 {
                    0..48 => CursorEntry::Unnamed,
                    48..56 => CursorEntry::Named(name.to_owned(), None),
                    _ => CursorEntry::Named(name.to_owned(), Some(4096)),
                };
                assert_eq!(cursor_entry(&flipped, 0), expected, "bit {bit} of {name}");
            }
        }
    }

    /// What is left of a cursor that was removed, or not finished, is no damage.
    #[test]
    fn a_cursor_without_a_check_is_free() {
        let mut page = page_with_cursor("removed", 4096);
        page[cursor_at(0) as usize + CURSOR_NAME..][..8].fill(0);
        assert_eq!(cursor_entry(&page, 0), CursorEntry::Free);
        assert_eq!(cursor_entry(&page, 1), CursorEntry::Free);
    }

    /// What is said of a file whose two copies are both bad is what they agree on, or what a checksum vouches for.
    #[test]
    fn two_bad_copies_are_refused_for_a_good_reason() {
        let good = Identity { crc: true, key: 1 << 63, table_len: 4096, max_payload: 1000, created: 5 }.encode();
        let sealed = |change: &dyn Fn(&mut [u8; IDENTITY])| {
            let mut bytes = good;
            change(&mut bytes);
            let crc = crc32c::crc32c(&bytes[..IDENTITY_CRC]);
            bytes[IDENTITY_CRC..].copy_from_slice(&crc.to_ne_bytes());
            bytes
        };
        let older = sealed(&|bytes| bytes[16] = 1);
        let flags = sealed(&|bytes| bytes[24] |= 4);
        let swapped = sealed(&|bytes| bytes[8..16].reverse());
        let flipped = |bit: usize| {
            let mut bytes = good;
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        };
        let (zeros, table) = ([0; IDENTITY], [b'7'; IDENTITY]);
        for (copies, expected) in [
            ([&older, &table], Unfit::Version(1)),
            ([&older, &older], Unfit::Version(1)),
            ([&zeros, &older], Unfit::Version(1)),
            ([&flipped(130), &older], Unfit::Version(1)),
            ([&flags, &zeros], Unfit::Flags(5)),
            ([&swapped, &swapped], Unfit::ByteOrder),
            ([&zeros, &table], Unfit::Magic([0; 8])),
            ([&flipped(5), &flipped(300)], Unfit::Damaged),
            // A version that nothing vouches for is none.
            ([&flipped(130), &flipped(300)], Unfit::Damaged),
        ] {
            assert_eq!(Identity::of_either(copies), Err(expected));
        }
    }

    #[test]
    fn a_checksum_does_not_make_sense_of_nonsense() {
        let good = Identity { crc: true, key: 1 << 63, table_len: 4096, max_payload: 1000, created: 5 };
        for bad in [
            Identity { key: 1, ..good },
            Identity { table_len: 4097, ..good },
            Identity { table_len: 1 << 40, ..good },
            Identity { max_payload: MAX_PAYLOAD + 1, ..good },
        ] {
            assert_eq!(Identity::decode(&bad.encode()), Err(Unfit::Damaged), "{bad:?}");
        }
    }

    #[test]
    fn a_table_area_knows_every_flipped_bit() {
        let area = encode_area(3, "message\t1\tTick\n");
        assert_eq!(decode_area(&area), Area::Text { generation: 3, text: "message\t1\tTick\n".to_owned() });
        for bit in 0..8 * area.len() {
            let mut flipped = area.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // The four bytes that say nothing.
            assert_eq!(decode_area(&flipped) == Area::Damaged, !(160..192).contains(&bit), "bit {bit}");
        }
        assert_eq!(decode_area(&[0; 100]), Area::Empty);
        // Nor is one that is being written.
        let mut unwritten = area.clone();
        unwritten[..8].copy_from_slice(&UNWRITTEN.to_ne_bytes());
        assert_eq!(decode_area(&unwritten), Area::Empty);
    }
}
