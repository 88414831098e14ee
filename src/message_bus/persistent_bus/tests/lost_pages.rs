//! Journals that have lost something that was written: what they are as a whole, pages, a length. In memory, as in
//! `tests.rs`.

use super::{
    Bus, FIRST, PAGE, TABLE, check_whole, image_of, message, open, opening, read_all, sample, small, synced_sample,
};
use crate::message_bus::journal::error::JournalError;
use crate::message_bus::journal::header::{self, RESERVED};
use crate::message_bus::journal::options::{PersistentOptions, Start};
use crate::message_bus::journal::recovered::HeaderDamage;
use crate::message_bus::journal::recovered::Span;
use crate::message_bus::journal::scan::{Found, Kind, Scan, Scanned};
use crate::traits::{MessageBus, Publish};
use std::collections::BTreeMap;
use std::path::Path;

/// What a journal is as a whole stands on two pages: either may be lost, and then it is repaired. Both may not.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn either_copy_of_the_identity_will_do() {
    let image = sample(10, true);
    let identity = |image: &[u8]| header::IDENTITIES.map(|at| image[at as usize..][..128].to_vec());
    let whole = identity(&image);
    assert_eq!(whole[0], whole[1]);
    for (place, at) in header::IDENTITIES.into_iter().enumerate() {
        // Nothing of it is left; it is another program's; it is that of another version.
        for lost in [vec![0; 128], b"#!/bin/sh\n".repeat(13)[..128].to_vec(), {
            let mut other = whole[0].clone();
            other[16] ^= 3;
            other
        }] {
            let mut broken = image.clone();
            broken[at as usize..][..128].copy_from_slice(&lost);
            let (bus, recovered) = open(&broken, small()).unwrap();
            assert_eq!(recovered.header, [HeaderDamage::Identity]);
            assert!(recovered.is_damaged(), "{recovered}");
            assert_eq!(read_all(&bus).len(), 10);
            let left = image_of(&bus);
            assert_eq!(identity(&left), whole);
            assert_eq!(open(&left, small()).unwrap().1.header, [], "repaired is repaired");
            // The other one, too.
            broken[header::IDENTITIES[1 - place] as usize + 40] ^= 1;
            let Err(JournalError::NotAJournal { found, .. }) = open(&broken, small()) else { panic!("taken") };
            assert!(found.contains("damaged, and so is the copy"), "{found}");
        }
    }
}

/// A cause that stands elsewhere is none here: neither for whoever reads the file nor for a rebuild.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn a_cause_from_elsewhere_is_none_here() {
    let image = sample(3, false);
    for (cause, expected) in [(FIRST as u64, FIRST as u64), (1 << 62 | FIRST as u64, 0), (1 << 63 | FIRST as u64, 0)] {
        let mut image = image.clone();
        // The first slot is the smallest there is but one.
        let second = FIRST + 48;
        image[second + 24..second + 32].copy_from_slice(&cause.to_ne_bytes());
        let (bus, recovered) = open(&image, small()).unwrap();
        assert_eq!(recovered.messages, 3);
        assert_eq!(bus.shared.store.record_at(second as u64).cause(), expected);
        let identity =
            crate::message_bus::journal::header::read_identity(Path::new("(test)"), image.as_slice()).unwrap();
        let mut scan = Scan::new(image.as_slice(), &identity, second as u64);
        let Ok(Scanned::Found(Found { kind: Kind::Message(header), .. })) = scan.step() else { panic!("a message") };
        assert_eq!(scan.record(&header).cause(), expected);
        assert_eq!(image_of(&bus)[second + 24..second + 32], cause.to_ne_bytes(), "preserved");
    }
}

/// Of the first two pages, what has no meaning keeps it to itself: others may use it.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn what_is_reserved_is_ignored_and_preserved() {
    let mut image = sample(10, true);
    let reserved = [RESERVED as usize..PAGE, PAGE + 128..2 * PAGE];
    for range in reserved.clone() {
        image[range].fill(0xA5);
    }
    let options = PersistentOptions { strict: true, ..small() }.table(&TABLE).start_reader("another", Start::Resume);
    let (bus, recovered) = open(&image, options).unwrap();
    assert!(recovered.header.is_empty(), "{recovered}");
    for index in 0..header::CURSOR_COUNT - 1 {
        let (name, check) = header::cursor_name(&format!("cursor {index}")).unwrap();
        bus.shared.store.make_cursor(&name, check, FIRST as u64).unwrap();
    }
    bus.writer().unwrap().write_bytes(2, 7, &message(10)).unwrap();
    bus.sync().unwrap();
    let left = image_of(&bus);
    for range in reserved {
        assert!(left[range].iter().all(|&byte| byte == 0xA5));
    }
}

/// Every message of a journal, by its position.
fn messages_of(image: &[u8]) -> BTreeMap<u64, Vec<u8>> {
    let identity = crate::message_bus::journal::header::read_identity(Path::new("(test)"), image).unwrap();
    let mut scan = Scan::new(image, &identity, identity.header_len());
    let mut messages = BTreeMap::new();
    while let Scanned::Found(Found { position, kind, .. }) = scan.step().unwrap() {
        if let Kind::Message(header) = kind {
            messages.insert(position, scan.payload(&header).to_vec());
        }
    }
    messages
}

/// Without checksums every single bit of every slot costs its own message at most, and a length that is another one is
/// never believed: not one that is too large, which would hide what stands behind it, and not one that is too small.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn without_checksums_a_flipped_bit_costs_one_message() {
    const COUNT: u8 = 16;
    for (image, is_synced) in [(sample(COUNT, false), false), (synced_sample(COUNT, false), true)] {
        let before = messages_of(&image);
        assert_eq!(before.len(), usize::from(COUNT));
        let ends = before.keys().copied().skip(1).chain([open(&image, small()).unwrap().0.tail()]);
        let mut lost = 0;
        for ((&position, payload), end) in before.iter().zip(ends) {
            for bit in 8 * position..8 * end {
                let mut flipped = image.clone();
                flipped[bit as usize / 8] ^= 1 << (bit % 8);
                let mut after = messages_of(&flipped);
                let own = after.remove(&position);
                lost += u64::from(own.is_none());
                let others = before.iter().filter(|(at, _)| **at != position);
                assert!(after.iter().eq(others), "bit {bit} costs another message, or makes one");
                // The size in the head.
                let head = 8 * (position + 8);
                if (head..head + 32).contains(&bit) {
                    let size = payload.len() as u64 ^ 1 << (bit - head);
                    let is_longer = (32 + size).next_multiple_of(16) > end - position;
                    let is_other = (32 + size).next_multiple_of(16) != end - position;
                    // Nothing says where the last one ends, if nobody has synced it.
                    let is_seen = is_other && (is_synced || position != *before.keys().last().unwrap() || !is_longer);
                    assert!(own.is_none() || !is_seen, "{size} for {} at {position}", payload.len());
                    let recovered = opening(&flipped, small()).unwrap().inspect(flipped.as_slice()).unwrap().recovered;
                    assert_eq!(recovered.damaged_count, u64::from(own.is_none()), "{size} at {position}");
                }
                if bit % 61 == 7 {
                    let (bus, recovered) = open(&flipped, small()).unwrap();
                    assert_eq!(recovered.is_damaged(), own.is_none(), "bit {bit}");
                    assert_eq!(read_all(&bus).len(), after.len() + usize::from(own.is_some()), "bit {bit}");
                    assert_eq!(messages_of(&image_of(&bus)).len(), after.len() + usize::from(own.is_some()));
                }
            }
        }
        assert!(lost > 64 * u64::from(COUNT), "{lost}");
    }
}

/// Zeros look like a place where nothing was written yet. A length that ends among them is found out where all was
/// synced; where it was not, something is told, and no other message is lost.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn without_checksums_a_length_that_ends_among_zeros_is_told() {
    for size in [90, 2 * PAGE] {
        let options = PersistentOptions { crc: false, max_payload: 4 * PAGE, capacity: 1 << 20, ..small() };
        let bus = Bus::made_in_memory(options.clone()).unwrap();
        let writer = bus.writer().unwrap();
        writer.write_bytes(2, 7, &message(1)).unwrap();
        let position = bus.tail();
        writer.write_bytes(2, 7, &vec![0; size]).unwrap();
        let next = bus.tail();
        writer.write_bytes(2, 7, &message(2)).unwrap();
        let unsynced = image_of(&bus);
        bus.sync().unwrap();
        for (image, is_synced) in [(unsynced, false), (image_of(&bus), true)] {
            for bit in 0..32 {
                let flipped = size ^ 1 << bit;
                if (32 + flipped as u64).next_multiple_of(16) >= next - position {
                    continue;
                }
                let mut image = image.clone();
                image[position as usize + 8 + bit / 8] ^= 1 << (bit % 8);
                let (bus, recovered) = open(&image, options.clone()).unwrap();
                let counts = (recovered.damaged_count, recovered.hole_count);
                // A page of zeros, and the slot ends where it begins: it looks lost.
                let is_page = (position as usize + 32 + flipped).is_multiple_of(PAGE);
                assert_eq!(counts, if is_synced { (1, 0) } else { (0, 1) }, "{flipped} for {size}");
                let seen = read_all(&bus);
                assert_eq!(seen.len(), if is_synced && !is_page { 2 } else { 3 }, "{flipped} for {size}");
                assert!(seen.first() == Some(&message(1)) && seen.last() == Some(&message(2)));
            }
        }
    }
}

/// A lost page takes with it what began before it and ends in it, with checksums and without, if it was synced.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn a_lost_page_leaves_no_half_message() {
    for crc in [false, true] {
        let options = PersistentOptions { crc, capacity: 1 << 20, ..small() };
        let bus = Bus::made_in_memory(options.clone()).unwrap();
        let writer = bus.writer().unwrap();
        let mut number = 0;
        while bus.tail() < (FIRST + 4 * PAGE) as u64 {
            number += 1;
            writer.write_bytes(2, 7, &message(number)).unwrap();
        }
        bus.sync().unwrap();
        let image = image_of(&bus);
        for lost in 0..4 {
            let mut image = image.clone();
            image[FIRST + lost * PAGE..][..PAGE].fill(0);
            let (bus, recovered) = open(&image, options.clone()).unwrap();
            assert_eq!((recovered.damaged_count, recovered.hole_count), (1, 0), "page {lost}: {recovered}");
            let seen = read_all(&bus);
            check_whole(&seen, number + 1);
            let most = PAGE as u64 / 48 + 2;
            assert!(seen.len() as u64 + most >= u64::from(number), "page {lost} costs more than what was in it");
        }
    }
}

/// A page of slots, each of a whole part of it, so that one begins where the page does.
const SLOTS: usize = PAGE / 64;

/// A journal of so many pages of slots of 64 bytes, synced or not.
fn pages(count: usize, crc: bool, synced: bool) -> Vec<u8> {
    let options = PersistentOptions { crc, capacity: 1 << 20, ..small() };
    let bus = Bus::made_in_memory(options).unwrap();
    let writer = bus.writer().unwrap();
    for number in 0..count * SLOTS {
        writer.write_bytes(2, 7, &[number as u8 | 1; 28]).unwrap();
    }
    if synced {
        assert_eq!(bus.sync(), Ok(bus.tail()));
    }
    assert_eq!(bus.tail() as usize, FIRST + count * PAGE);
    image_of(&bus)
}

/// A page that was synced and is zero is damage, in the middle and at the end, and stays it. One that nobody has synced
/// may as well have been claimed: that is a hole, and stays one.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn a_lost_page_is_damage_where_all_was_synced_and_a_hole_elsewhere() {
    const COUNT: usize = 4;
    for (crc, lost) in [false, true].into_iter().flat_map(|crc| (0..COUNT).map(move |lost| (crc, lost))) {
        let position = (FIRST + lost * PAGE) as u64;
        let span = Span { position, len: PAGE as u64 };
        let lose = |mut image: Vec<u8>| {
            image[position as usize..][..PAGE].fill(0);
            image
        };
        let messages = ((COUNT - 1) * SLOTS) as u64;
        let options = PersistentOptions { capacity: 1 << 20, ..small() };

        let mut image = lose(pages(COUNT, crc, true));
        let strict = PersistentOptions { strict: true, ..options.clone() };
        for opened in 0..3 {
            assert!(matches!(open(&image, strict.clone()), Err(JournalError::Damaged { .. })), "{lost} {opened}");
            let (bus, recovered) = open(&image, options.clone()).unwrap();
            assert!(recovered.is_damaged(), "{lost} {opened}: {recovered}");
            assert_eq!((recovered.damaged, recovered.hole_count), (vec![span], 0), "{lost} {opened}");
            assert_eq!((recovered.messages, recovered.torn), (messages + opened, 0));
            // No position is used twice, whatever is lost at the end.
            assert_eq!(bus.tail(), (FIRST + COUNT * PAGE) as u64 + 64 * opened);
            bus.writer().unwrap().write_bytes(2, 7, &[1; 28]).unwrap();
            assert_eq!(read_all(&bus).len() as u64, messages + opened + 1);
            image = image_of(&bus);
        }

        let mut image = lose(pages(COUNT, crc, false));
        let is_last = lost == COUNT - 1;
        for opened in 0..3 {
            let (bus, recovered) = open(&image, strict.clone()).unwrap();
            assert_eq!(recovered.holes, if is_last { vec![] } else { vec![span] }, "{lost} {opened}");
            let known = u64::from(!is_last && opened > 0);
            assert_eq!((recovered.messages, recovered.old_hole_count), (messages, known), "{lost} {opened}");
            image = image_of(&bus);
        }
    }
}

/// A journal whose space before some position was given back, of which nobody knows how much that was: no damage but
/// of the word.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn what_was_given_back_is_not_lost() {
    let mut image = pages(4, true, true);
    image[FIRST..FIRST + 2 * PAGE].fill(0);
    image[header::RETAINED as usize] ^= 1;
    let options = PersistentOptions { capacity: 1 << 20, ..small() };
    let (bus, recovered) = open(&image, options.clone()).unwrap();
    assert_eq!(recovered.header, [HeaderDamage::Retained]);
    assert_eq!((recovered.messages, recovered.damaged_count), (2 * SLOTS as u64, 0));
    assert!(!open(&image_of(&bus), options).unwrap().1.is_damaged());
}
