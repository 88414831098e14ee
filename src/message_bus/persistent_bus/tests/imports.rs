//! What comes from elsewhere is there once: whoever dies when, whatever is forgotten, and whatever is damaged.

use super::{Bus, Call, FIRST, PAGE, SMALL, Watched, image_of, made, message, open, opening, small};
use crate::message_bus::journal::header::{self, RESERVED};
use crate::message_bus::journal::options::{PersistentOptions, Retention};
use crate::message_bus::journal::origin::{self, ORIGIN_COUNT, ORIGINS};
use crate::message_bus::journal::recovered::HeaderDamage;
use crate::message_bus::ring::store::Store;
use crate::mmap::{Memory, Region, crash};
use crate::sync::{Arc, Mutex, lock};
use crate::traits::{Import, ImportError, MessageBus, Publish, Reader, WriteError};
use std::cell::Cell;

/// Where message `number` stood on the node that it comes from.
fn place(number: u64) -> u64 {
    (1 << 50) + number * 48
}

fn import(importer: &mut dyn Import, numbers: std::ops::Range<u64>) {
    for number in numbers {
        importer.try_write(place(number), 2, 7, &message(number as u8)).unwrap();
    }
}

/// Where the retained messages come from that come from elsewhere.
fn imported(bus: &Bus) -> Vec<u64> {
    let (store, mut seen) = (&bus.shared.store, Vec::new());
    let mut reader = bus.subscribe("reader").unwrap();
    while let Ok((position, payload)) = reader.try_read(|header, payload| (header.position, payload.to_vec())) {
        if let Some((_, position)) = store.record_at(position).origin() {
            assert_eq!(payload, message(((position - place(0)) / 48) as u8));
            seen.push(position);
        }
    }
    seen
}

/// Opening looks at no more than it has to.
fn hasty() -> PersistentOptions {
    PersistentOptions { verify: false, ..small() }
}

fn forgetful() -> PersistentOptions {
    PersistentOptions { retention: Retention { size: Some(0), ..Retention::default() }, ..hasty() }
}

#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn what_is_there_is_not_written_again() {
    let bus = Bus::made_in_memory(small()).unwrap();
    let mut importer = bus.importer("berlin", 7).unwrap();
    assert_eq!(importer.last(), None);
    import(&mut *importer, 0..3);
    assert_eq!(importer.last(), Some(place(2)));
    for position in [place(0), place(2), place(2) - 16] {
        let there = Err(ImportError::AlreadyThere { last: place(2) });
        assert_eq!(importer.try_write(position, 2, 7, b"again"), there);
    }
    for asked in [place(3) + 1, 1 << 59] {
        assert_eq!(importer.try_write(asked, 2, 7, b"nowhere"), Err(ImportError::Position { asked }));
    }
    let refused = importer.try_write(place(3), 2, 7, &[0; 4096]);
    assert!(matches!(refused, Err(ImportError::Write(WriteError::TooLarge { .. }))));
    assert_eq!(importer.last(), Some(place(2)), "what was refused is not there");
    for incarnation in [7, 8] {
        assert_eq!(bus.importer("berlin", incarnation).err(), Some(ImportError::InUse));
    }
    let mut other = bus.importer("paris", 7).unwrap();
    assert_eq!(other.last(), None);
    import(&mut *other, 0..1);
    for name in ["", "a name that is longer than 32 bytes", "zero\0"] {
        assert_eq!(bus.importer(name, 0).err(), Some(ImportError::Name));
    }
    drop((importer, other));
    assert_eq!(bus.importer("berlin", 7).unwrap().last(), Some(place(2)));
    // Another life is another origin, and this one's is not forgotten.
    assert_eq!(bus.importer("berlin", 8).unwrap().last(), None);
    let (bus, recovered) = open(&image_of(&bus), small()).unwrap();
    assert!(!recovered.is_damaged(), "{recovered}");
    let mut importer = bus.importer("berlin", 7).unwrap();
    assert_eq!(importer.last(), Some(place(2)));
    assert_eq!(bus.importer("paris", 7).unwrap().last(), Some(place(0)));
    import(&mut *importer, 3..4);
    assert_eq!(imported(&bus), [place(0), place(1), place(2), place(0), place(3)]);
    bus.close();
    assert_eq!(importer.try_write(place(4), 2, 7, b"late"), Err(ImportError::Write(WriteError::Closed)));
}

/// A cause is none that stands here, so a rebuild and a reader of the file take it for none.
#[test]
fn what_is_imported_has_no_cause_here() {
    let bus = Bus::made_in_memory(small()).unwrap();
    import(&mut *bus.importer("berlin", 7).unwrap(), 0..1);
    assert_eq!(bus.shared.store.record_at(FIRST as u64).cause(), 0);
}

/// Where every slot that named an origin is forgotten the table knows how far it had come, also when the process is
/// killed right after.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn what_is_forgotten_was_there() {
    let bus = Bus::made_in_memory(forgetful()).unwrap();
    import(&mut *bus.importer("berlin", 7).unwrap(), 0..100);
    assert_eq!(bus.retain().unwrap().from, bus.tail());
    let (bus, recovered) = open(&image_of(&bus), forgetful()).unwrap();
    assert_eq!((recovered.messages, recovered.is_damaged()), (0, false), "{recovered}");
    let mut importer = bus.importer("berlin", 7).unwrap();
    assert_eq!(importer.last(), Some(place(99)));
    import(&mut *importer, 100..101);
    // What a sync has gone over is not gone over again when it is opened, and is known all the same.
    bus.sync().unwrap();
    let (bus, recovered) = open(&image_of(&bus), forgetful()).unwrap();
    assert_eq!(recovered.messages, 0, "{recovered}");
    assert_eq!(bus.importer("berlin", 7).unwrap().last(), Some(place(100)));
}

/// Method: a process imports messages, has the journal synced and forget, and dies at step n. For every n the next one
/// finds that what it was told is there, with at most the one message more that it was at, and goes on behind that: of
/// what is retained none is missing and none is there twice.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn an_importer_that_dies_at_any_step_doubles_nothing() {
    for (forgets, options) in [(false, hasty()), (true, forgetful())] {
        let (mut steps, mut ends) = (0, std::collections::BTreeSet::new());
        loop {
            let bus = made(options.clone(), |_| Box::new(Memory));
            let told = Cell::new(0);
            let done = crash::within(steps, bus.shared.store.slots().region(), || {
                let mut importer = bus.importer("berlin", 7).unwrap();
                for number in 0..24 {
                    if number % 7 == 5 {
                        bus.writer().unwrap().write_bytes(1, 1, b"of here").unwrap();
                    }
                    import(&mut *importer, number..number + 1);
                    told.set(number + 1);
                    match number % 8 {
                        4 => drop(bus.sync().unwrap()),
                        6 if forgets => drop(bus.retain().unwrap()),
                        _ => {}
                    }
                }
            });
            let Err(left) = done else { break };
            let (bus, recovered) = open(&left[..SMALL.max(left.len().min(SMALL + 8 * PAGE))], options.clone()).unwrap();
            assert!(!recovered.is_damaged(), "{recovered}, after a death at step {steps}");
            let mut importer = bus.importer("berlin", 7).unwrap();
            let next = importer.last().map_or(0, |last| (last - place(0)) / 48 + 1);
            assert!(next == told.get() || next == told.get() + 1, "{next} for {}, at step {steps}", told.get());
            import(&mut *importer, next..next + 3);
            let seen = imported(&bus);
            assert!(forgets || seen.len() as u64 == next + 3, "at step {steps}");
            let expected = (next + 3 - seen.len() as u64..next + 3).map(place);
            assert!(seen.iter().copied().eq(expected), "{seen:?} up to {next}, at step {steps}");
            ends.insert(next);
            steps += 1;
        }
        assert!(steps > 500 && ends.len() == 24, "{steps} steps, {ends:?}");
    }
}

/// What a power failure leaves: what was synced, and of the rest the pages that the system happened to write.
///
/// Whatever those are, the table never says that a message was imported which is not there.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn a_power_failure_loses_no_message_for_good() {
    for lot in 0..64_u64 {
        let disk = Arc::new(Mutex::new(Vec::new()));
        let options = if lot % 2 == 0 { forgetful() } else { hasty() };
        let bus = made(options.clone(), |image| {
            lock(&disk).extend_from_slice(image);
            let disk = Arc::clone(&disk);
            Box::new(Watched(move |region: &Region, call| {
                let mut disk = lock(&disk);
                match call {
                    Call::Grow { to, .. } => disk.resize(to, 0),
                    Call::Sync { from, to } => region.snapshot(from, &mut disk[from..to]),
                    Call::Punch { from, to } => disk[from..to].fill(0),
                    Call::Populate { .. } => {}
                }
                Ok(())
            }))
        });
        let mut importer = bus.importer("berlin", 7).unwrap();
        for number in 0..120 {
            import(&mut *importer, number..number + 1);
            match (number + lot) % 32 {
                3 => drop(bus.sync().unwrap()),
                17 => drop(bus.retain().unwrap()),
                _ => {}
            }
        }
        let mut left = lock(&disk).clone();
        let now = image_of(&bus);
        left.resize(now.len().max(left.len()), 0);
        for page in 0..now.len() / PAGE {
            // The page of words among them: it may be on the disk before any slot is.
            if lot >> (2 + page % 4) & 1 == 1 {
                left[page * PAGE..][..PAGE].copy_from_slice(&now[page * PAGE..][..PAGE]);
            }
        }
        let (bus, _) = open(&left, options).unwrap();
        let mut importer = bus.importer("berlin", 7).unwrap();
        let next = importer.last().map_or(0, |last| (last - place(0)) / 48 + 1);
        let seen = imported(&bus);
        assert!(seen.last().is_none_or(|last| *last == place(next - 1)), "{next} and {seen:?}, lot {lot}");
        import(&mut *importer, next..next + 1);
    }
}

/// Every flipped bit of an entry is told, and what is said of an origin is what was, or nothing.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn a_damaged_origin_is_told() {
    let bus = Bus::made_in_memory(forgetful()).unwrap();
    import(&mut *bus.importer("berlin", 7).unwrap(), 0..30);
    bus.retain().unwrap();
    import(&mut *bus.importer("berlin", 7).unwrap(), 30..40);
    bus.sync().unwrap();
    let image = image_of(&bus);
    for bit in 0..64 * 8 {
        let mut image = image.clone();
        image[ORIGINS as usize + bit / 8] ^= 1 << (bit % 8);
        let (bus, recovered) = open(&image, small()).unwrap();
        let expected = match bit / 8 {
            0..56 => HeaderDamage::OriginName,
            _ => HeaderDamage::Origin("berlin".to_owned()),
        };
        assert_eq!(recovered.header, [expected], "bit {bit}");
        let last = bus.importer("berlin", 7).unwrap().last();
        let known = if bit / 8 < 56 { None } else { Some(place(39)) };
        assert_eq!(last, known, "bit {bit}");
        assert!(open(&image, PersistentOptions { strict: true, ..small() }).is_err());
    }
    // All of it is gone, and slots name what is not there.
    let mut image = image;
    image[ORIGINS as usize..RESERVED as usize].fill(0);
    let (_, recovered) = open(&image, PersistentOptions { verify: true, ..small() }).unwrap();
    assert_eq!(recovered.header, [HeaderDamage::OriginName]);
}

/// A program of before there were origins syncs the journal, and does not say in the table what that covers; opening
/// looks for it. One that has forgotten what the table does not say is told of.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn an_older_program_in_between_doubles_nothing() {
    let bus = Bus::made_in_memory(hasty()).unwrap();
    import(&mut *bus.importer("berlin", 7).unwrap(), 0..10);
    bus.sync().unwrap();
    let mut table = image_of(&bus)[ORIGINS as usize..RESERVED as usize].to_vec();
    import(&mut *bus.importer("berlin", 7).unwrap(), 10..20);
    let end = bus.tail();
    bus.sync().unwrap();
    let mut image = image_of(&bus);
    image[ORIGINS as usize..RESERVED as usize].swap_with_slice(&mut table);
    let (later, recovered) = open(&image, hasty()).unwrap();
    assert!(!recovered.is_damaged(), "{recovered}");
    assert_eq!(later.importer("berlin", 7).unwrap().last(), Some(place(19)));
    let (later, _) = open(&image_of(&later), hasty()).unwrap();
    assert_eq!(later.importer("berlin", 7).unwrap().last(), Some(place(19)));
    let word = crate::message_bus::journal::word::checked(header::RETAINED, end);
    image[header::RETAINED as usize..][..8].copy_from_slice(&word.to_ne_bytes());
    let (_, recovered) = open(&image, hasty()).unwrap();
    assert_eq!(recovered.header, [HeaderDamage::Origin("berlin".to_owned())]);
}

/// An entry is used again when no slot names it and its node has a newer one; until then there are only so many.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn an_origin_stays_as_long_as_anybody_may_ask() {
    let bus = Bus::made_in_memory(forgetful()).unwrap();
    let max = ORIGIN_COUNT;
    // Ten lives of one node, and as many nodes of one life.
    for number in 0..10 {
        import(&mut *bus.importer("berlin", number).unwrap(), 0..1);
        import(&mut *bus.importer(&format!("node {number}"), 1).unwrap(), 0..1);
    }
    let full = Some(ImportError::TooManyOrigins { max });
    assert_eq!(bus.importer("another", 1).err(), full, "slots name them all");
    bus.retain().unwrap();
    // Nine that are not the newest of Berlin's.
    for number in 0..9 {
        assert_eq!(bus.importer(&format!("another {number}"), 1).unwrap().last(), None);
    }
    assert_eq!(bus.importer("one more", 1).err(), full);
    assert_eq!(bus.importer("berlin", 9).unwrap().last(), Some(place(0)), "its newest is there");
    assert_eq!(bus.importer("node 3", 1).unwrap().last(), Some(place(0)));
    // A newer life of a node takes the place of its last one.
    assert_eq!(bus.importer("berlin", 10).unwrap().last(), None);
    assert_eq!(bus.importer("node 3", 1).unwrap().last(), Some(place(0)));
    // Not while a claim is unfinished: behind it slots may name anything.
    bus.writer().unwrap().write(1, 1, 8, |_| assert_eq!(bus.importer("berlin", 11).err(), full)).unwrap();
    let (bus, _) = open(&image_of(&bus), forgetful()).unwrap();
    assert_eq!(bus.importer("node 3", 1).unwrap().last(), Some(place(0)));
    assert_eq!(origin::entries(&image_of(&bus)).count(), max);
}

/// The entry is on the disk before a slot that names it is.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn an_origin_is_durable_before_it_is_named() {
    let disk = Arc::new(Mutex::new(Vec::new()));
    let bus = {
        let image = image_of(&Bus::made_in_memory(small()).unwrap());
        let opening = opening(&image, small()).unwrap();
        let disk = Arc::clone(&disk);
        let watch = move |region: &Region, call| {
            if let Call::Sync { from: 0, .. } = call {
                let mut page = vec![0; PAGE];
                region.snapshot(0, &mut page);
                *lock(&disk) = page;
            }
            Ok(())
        };
        Bus::of(opening.in_memory(image, Box::new(Watched(watch))).unwrap()).0
    };
    let _importer = bus.importer("berlin", 7).unwrap();
    let page = lock(&disk).clone();
    assert!(matches!(origin::read(&page[ORIGINS as usize..][..64], 0), origin::OriginEntry::Named(_)));
}
