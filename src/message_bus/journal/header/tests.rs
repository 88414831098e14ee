//! What stands in a header is what was written, or is known not to be.

use super::super::word::checked;
use super::*;

#[test]
#[cfg_attr(miri, ignore = "a minute, without a line of unsafe code")]
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
    let older = sealed(&|bytes| bytes[16..24].copy_from_slice(&1u64.to_ne_bytes()));
    let flags = sealed(&|bytes| bytes[24..32].copy_from_slice(&5u64.to_ne_bytes()));
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
    let area = encode_area(3, "message\t1\tTick\n", "");
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

/// Behind the table there are its shapes, and nothing else is taken for them: neither half of them, nor those of a
/// longer table that stood there before.
#[test]
fn shapes_stand_behind_their_table_and_no_other() {
    let (text, shapes) = ("message\t1\tTick\n", "shape\t1\tu8\n");
    let area = encode_area(3, text, shapes);
    let with = |generation, text: String| Area::Text { generation, text };
    assert_eq!(decode_area(&area), with(3, text.to_owned() + shapes));
    let alone = encode_area(3, text, "").len();
    for bit in 8 * alone.next_multiple_of(8)..8 * area.len() {
        let mut flipped = area.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let is_unused = (160..192).contains(&(bit - 8 * alone.next_multiple_of(8)));
        assert_eq!(decode_area(&flipped) == with(3, text.to_owned()), !is_unused, "bit {bit}");
    }
    for len in alone..area.len() {
        assert_eq!(decode_area(&area[..len]), with(3, text.to_owned()));
    }
    // A program that knows nothing of shapes writes its table over the one with them.
    let mut over = area;
    over[..alone].copy_from_slice(&encode_area(4, text, ""));
    assert_eq!(decode_area(&over), with(4, text.to_owned()));
    // As long as they may be.
    for table_len in [4096, 8192] {
        for text in [0, 1, 7, 100, 4096 - 24 - 24, 4096 - 24 - 23, text_max(table_len)] {
            let max = shapes_max(table_len, text);
            let area = encode_area(1, &"x".repeat(text as usize), &"s".repeat(max as usize));
            assert!(area.len() as u64 <= table_len && (max == 0 || area.len() as u64 > table_len - 8), "{text}, {max}");
        }
    }
}
