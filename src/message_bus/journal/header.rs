//! The first two pages of a journal and its two table areas: where each field is, and whether it is what was written.
//!
//! `docs/journal-format.md` draws the same, byte by byte.

use super::error::JournalError;
use super::origin::{self, Node, ORIGIN_COUNT, ORIGINS, OriginEntry};
use super::recovered::HeaderDamage;
use super::slots::{CRC, RECORD_HEADER};
use super::source::Source;
use super::table::JournalTable;
use super::word::{half, unchecked, word};
use crate::message_bus::ring::slot::SLOT_ALIGN;
use std::fmt;
use std::io;
use std::path::Path;

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
#[cfg(test)]
pub(crate) const RESERVED: u64 = origin::ACCOUNTED + 8;
const _: () = assert!(cursor_at(CURSOR_COUNT) <= ORIGINS && (ORIGIN_COUNT == 0 || origin::ACCOUNTED < PAGE));
pub(crate) const CURSOR_NAME: usize = 40;
const CURSOR_SIZE: u64 = 64;
const TABLE_TEXT: usize = 24;
/// The generation of a table that is being written: many bits from that of any that has been.
pub(crate) const UNWRITTEN: u64 = u64::MAX;

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
    /// The text of the table, and that of its shapes behind it.
    Text {
        generation: u64,
        text: String,
    },
}

/// One text of an area: its length, the check of that, of its number and of itself, and the text.
fn encode_text(number: u64, text: &str) -> Vec<u8> {
    let len = (text.len() as u64).to_ne_bytes();
    let mut bytes = Vec::with_capacity(TABLE_TEXT + text.len());
    bytes.extend_from_slice(&number.to_ne_bytes());
    bytes.extend_from_slice(&len);
    bytes.extend_from_slice(&crc32c::crc32c_append(crc32c::crc32c(&bytes), text.as_bytes()).to_ne_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// The text, if it is whole.
fn decode_text(bytes: &[u8]) -> Option<&str> {
    let text =
        usize::try_from(word(bytes.get(..TABLE_TEXT)?, 8)).ok().and_then(|len| bytes[TABLE_TEXT..].get(..len))?;
    let is_whole = half(bytes, 16) == crc32c::crc32c_append(crc32c::crc32c(&bytes[..16]), text);
    std::str::from_utf8(text).ok().filter(|_| is_whole)
}

/// A table, and behind it what older programs pass over: its shapes.
pub(crate) fn encode_area(generation: u64, text: &str, shapes: &str) -> Vec<u8> {
    let mut bytes = encode_text(generation, text);
    if !shapes.is_empty() {
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.extend_from_slice(&encode_text(generation, shapes));
    }
    bytes
}

/// How long a text may be in an area of `table_len` bytes.
pub(crate) fn text_max(table_len: u64) -> u64 {
    table_len.saturating_sub(TABLE_TEXT as u64)
}

/// How long that of the shapes may be behind one of `text_len` bytes.
pub(crate) fn shapes_max(table_len: u64, text_len: u64) -> u64 {
    text_max(text_max(table_len).saturating_sub(text_len.next_multiple_of(8)))
}

pub(crate) fn decode_area(bytes: &[u8]) -> Area {
    if bytes.len() < TABLE_TEXT || bytes[..TABLE_TEXT].iter().all(|&byte| byte == 0) || word(bytes, 0) == UNWRITTEN {
        return Area::Empty;
    }
    let generation = word(bytes, 0);
    let Some(text) = decode_text(bytes).filter(|_| generation != 0) else { return Area::Damaged };
    // What stands there may be left from a table before, which was longer: it has another generation.
    let behind = bytes.get((TABLE_TEXT + text.len()).next_multiple_of(8)..).unwrap_or_default();
    let shapes = decode_text(behind).filter(|_| word(behind, 0) == generation);
    Area::Text { generation, text: text.to_owned() + shapes.unwrap_or_default() }
}

// ------------------------------------------------------------------------------------------------------------ reading

/// What a file is as a whole.
pub(crate) fn read_identity(path: &Path, source: &(impl Source + ?Sized)) -> Result<Identity, JournalError> {
    let io = |error| JournalError::Io { path: path.to_owned(), action: "read it", error };
    let not_a_journal = |found: String| JournalError::NotAJournal { path: path.to_owned(), found };
    let mut copies = [[0; IDENTITY]; 2];
    let mut filled = [0; 2];
    for ((at, bytes), filled) in IDENTITIES.into_iter().zip(&mut copies).zip(&mut filled) {
        *filled = source.read_at(at, bytes).map_err(io)?;
    }
    let unfit = |unfit: Unfit| not_a_journal(unfit.to_string());
    let identity = match (Identity::of_either(copies.each_ref()), filled[0]) {
        (Ok(identity), _) => identity,
        (Err(Unfit::Magic(_)), filled) if filled < 8 => {
            return Err(not_a_journal(format!("no journal: {filled} bytes, and a journal has at least {PAGE}")));
        }
        (Err(error), filled) if filled == IDENTITY || matches!(error, Unfit::Magic(_)) => {
            return Err(unfit(error));
        }
        (Err(_), filled) => return Err(not_a_journal(format!("half a journal's header: {filled} bytes of {PAGE}"))),
    };
    let (len, expected) = (source.len().map_err(io)?, identity.header_len());
    if len < expected {
        return Err(not_a_journal(format!("half a journal's header: {len} bytes of {expected}")));
    }
    Ok(identity)
}

/// What changes in a header.
#[derive(Debug)]
pub(crate) struct Mutable {
    /// 0: not known.
    pub(crate) capacity: u64,
    pub(crate) retained: u64,
    /// 0: not known.
    pub(crate) allocated: u64,
    /// 0: not known.
    pub(crate) whole: u64,
    /// Index, name, position.
    pub(crate) cursors: Vec<(usize, String, Option<u64>)>,
    /// Index, and what stands there.
    pub(crate) origins: Vec<(usize, Node)>,
    /// The table of origins says what was imported before it. 0: not known.
    pub(crate) accounted: u64,
    /// The area, its generation, and the table.
    pub(crate) table: Option<((usize, u64), JournalTable)>,
    pub(crate) damage: Vec<HeaderDamage>,
}

pub(crate) fn read_header(source: &(impl Source + ?Sized), identity: &Identity) -> io::Result<Mutable> {
    let mut page = [0; PAGE as usize];
    source.read_at(0, &mut page)?;
    let mut damage = Vec::new();
    for at in IDENTITIES {
        let mut bytes = [0; IDENTITY];
        source.read_at(at, &mut bytes)?;
        if Identity::decode(&bytes) != Ok(*identity) {
            damage.push(HeaderDamage::Identity);
        }
    }
    let mut checked = |offset, what: HeaderDamage| match checked_in(&page, offset) {
        Some(value) => value,
        None => {
            damage.push(what);
            0
        }
    };
    let capacity = checked(CAPACITY, HeaderDamage::Capacity);
    let retained = checked(RETAINED, HeaderDamage::Retained).max(identity.header_len());
    let allocated = checked(ALLOCATED, HeaderDamage::Allocated);
    let accounted = if ORIGIN_COUNT == 0 { 0 } else { checked(origin::ACCOUNTED, HeaderDamage::OriginName) };
    let whole = whole_in(&page, source.len()?).unwrap_or_else(|| {
        damage.push(HeaderDamage::Whole);
        0
    });
    let mut cursors = Vec::new();
    for index in 0..CURSOR_COUNT {
        match cursor_entry(&page, index) {
            CursorEntry::Free => {}
            CursorEntry::Unnamed => damage.push(HeaderDamage::CursorName),
            CursorEntry::Named(name, position) => {
                if position.is_none() {
                    damage.push(HeaderDamage::Cursor(name.clone()));
                }
                cursors.push((index, name, position));
            }
        }
    }
    let mut origins = Vec::new();
    for (index, entry) in origin::entries(&page) {
        match entry {
            OriginEntry::Free | OriginEntry::Old => {}
            OriginEntry::Unnamed => damage.push(HeaderDamage::OriginName),
            OriginEntry::Named(node) => {
                if node.last.is_none() {
                    damage.push(HeaderDamage::Origin(node.node.clone()));
                }
                origins.push((index, node));
            }
        }
    }
    let mut table: Option<((usize, u64), JournalTable)> = None;
    let mut area = vec![0; identity.table_len as usize];
    for index in 0..2 {
        area.fill(0);
        source.read_at(identity.table_at(index), &mut area)?;
        match decode_area(&area) {
            Area::Empty => {}
            Area::Damaged => damage.push(HeaderDamage::Table),
            Area::Text { generation, text } => match JournalTable::parse(&text) {
                Some(parsed) if table.as_ref().is_none_or(|((_, newest), _)| generation > *newest) => {
                    table = Some(((index, generation), parsed));
                }
                Some(_) => {}
                None => damage.push(HeaderDamage::Table),
            },
        }
    }
    Ok(Mutable { capacity, retained, allocated, whole, cursors, origins, accounted, table, damage })
}

#[cfg(test)]
mod tests;
