//! Broken journals, and disks that lose things.

use super::{
    Bus, CAPACITY, Call, FIRST, PAGE, PersistentBus, Watched, check_whole, image_of, made, message, open, opening,
    read_all, sample, small, synced_sample, whole_of,
};
use crate::message_bus::journal::header;
use crate::message_bus::journal::options::{Durability, PersistentOptions, Retention, Start};
use crate::message_bus::journal::read_only::{Entry, Journal};
use crate::message_bus::journal::recovered::HeaderDamage;
use crate::message_bus::journal::word::checked;
use crate::message_bus::ring::slot::{self, Slots};
use crate::message_bus::ring::store::Store;
use crate::mmap::{Backing, Region};
use crate::sync::{Arc, Mutex, Ordering, lock};
use crate::traits::{MessageBus, Publish, Reader};

#[test]
fn what_was_written_is_there_after_a_reopen() {
    // Miri takes half a minute for each.
    for crc in if cfg!(miri) { &[false][..] } else { &[false, true] } {
        let (bus, recovered) = open(&sample(30, *crc), small()).unwrap();
        let seen = read_all(&bus);
        assert_eq!(seen.len(), 30);
        check_whole(&seen, 30);
        assert_eq!((recovered.messages, recovered.tail, recovered.torn), (30, bus.tail(), 0));
        assert!(!recovered.is_damaged() && recovered.holes.is_empty(), "{recovered}");
        // And it goes on behind it.
        bus.writer().unwrap().write_bytes(2, 7, &message(30)).unwrap();
        let (again, _) = open(&image_of(&bus), small()).unwrap();
        assert_eq!(read_all(&again).len(), 31);
    }
}

/// Every single bit of a small journal: opened with all that was written, or with a report of what is not there; never
/// shortened in silence, and never refused.
///
/// Every flip goes through the whole inspection; one bit of each byte, another one from byte to byte, through the whole
/// opening as well, and what is then read must be whole.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn no_flipped_bit_goes_unnoticed() {
    const COUNT: u8 = 30;
    let image = synced_sample(COUNT, true);
    let mut flipped = image.clone();
    let (mut damaged, mut harmless) = (0, 0);
    let stride = if cfg!(miri) { 13_999 } else { 1 };
    for bit in (0..8 * image.len()).step_by(stride) {
        let (byte, mask) = (bit / 8, 1 << (bit % 8));
        flipped[byte] ^= mask;
        let inspected = opening(&flipped, small()).and_then(|opening| opening.inspect(flipped.as_slice()));
        let recovered = inspected.unwrap_or_else(|error| panic!("bit {bit} makes it refused: {error}")).recovered;
        if recovered.is_damaged() {
            assert!(recovered.messages + 1 >= u64::from(COUNT), "bit {bit} costs more than one message");
            damaged += 1;
        } else {
            assert_eq!(recovered.messages, u64::from(COUNT), "bit {bit} shortens in silence: {recovered}");
            assert!(byte < FIRST || recovered.torn != 0, "bit {bit} of a slot goes unnoticed");
            harmless += 1;
        }
        let is_of_identity = header::IDENTITIES.iter().any(|&at| (at..at + 128).contains(&(byte as u64)));
        assert_eq!(recovered.header.contains(&HeaderDamage::Identity), is_of_identity, "bit {bit}");
        if bit % 8 == byte % 8 {
            let (bus, full) = open(&flipped, small()).unwrap();
            assert_eq!(full.messages, recovered.messages);
            let seen = read_all(&bus);
            assert_eq!(seen.len() as u64, recovered.messages, "bit {bit}");
            check_whole(&seen, COUNT);
            if byte >= FIRST {
                // The same of an opening that begins at the end, and of a reader that begins at the beginning.
                let (later, _) = open(&flipped, PersistentOptions { verify: false, ..small() }).unwrap();
                assert_eq!(read_all(&later), seen, "bit {bit}");
                assert_eq!(later.recovered(), full, "bit {bit}");
                assert!(image_of(&later) == image_of(&bus), "bit {bit} is marked in another way");
            }
            // Reported for as long as it is damaged.
            let left = image_of(&bus);
            let (_, again) = open(&left, small()).unwrap();
            assert_eq!(again.damaged_count, recovered.damaged_count, "bit {bit} is forgotten");
            assert_eq!((again.torn, again.hole_count), (0, again.old_hole_count), "bit {bit}");
            for at in header::IDENTITIES.map(|at| at as usize) {
                assert!(left[at..at + 128] == image[at..at + 128], "bit {bit} is not repaired");
            }
        }
        let strict = PersistentOptions { strict: true, verify: false, ..small() };
        let refuses = opening(&flipped, strict).unwrap().inspect(flipped.as_slice()).is_err();
        assert_eq!(refuses, recovered.is_damaged(), "bit {bit}");
        flipped[byte] ^= mask;
    }
    assert!(cfg!(miri) || (damaged > 0 && harmless > 0), "{damaged} {harmless}");
    assert_eq!(flipped, image);
}

/// Every length to which a small journal can be cut: what is left is read, and what is missing is reported.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn no_missing_end_goes_unnoticed() {
    const COUNT: u8 = 30;
    for image in [true, false].map(|crc| [sample(COUNT, crc), synced_sample(COUNT, crc)]).concat() {
        let lengths = (0..image.len()).step_by(if cfg!(miri) { 2499 } else { 1 });
        for len in lengths {
            let cut = &image[..len];
            let Ok(opening) = opening(cut, small()) else {
                assert!(len < FIRST, "refused at {len}");
                continue;
            };
            let recovered = opening.inspect(cut).unwrap().recovered;
            assert_eq!(recovered.missing, (image.len() - len) as u64, "cut to {len}");
            assert!(recovered.is_damaged());
            if len % 7 == 0 {
                let (bus, _) = open(cut, small()).unwrap();
                let seen = read_all(&bus);
                assert_eq!(seen.len() as u64, recovered.messages, "cut to {len}");
                check_whole(&seen, COUNT);
                // What is appended to it is found again, and nothing else.
                bus.writer().unwrap().write_bytes(2, 7, &message(COUNT)).unwrap();
                let (again, _) = open(&image_of(&bus), small()).unwrap();
                let after = read_all(&again);
                assert_eq!(after.len(), seen.len() + 1, "cut to {len}");
                check_whole(&after, COUNT + 1);
            }
        }
    }
}

/// Claims that nobody finished, of every kind, in the middle and at the end.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn unfinished_claims_are_stepped_over_and_torn_tails_zeroed() {
    /// How far a writer has come when it dies.
    #[derive(Clone, Copy, Debug)]
    enum Death {
        Claimed,
        Headed,
        Pending,
        HalfWritten,
    }
    let image = sample(12, true);
    let (bus, _) = open(&image, small()).unwrap();
    let mut positions = Vec::new();
    let mut reader = bus.subscribe("reader").unwrap();
    while reader.try_read(|header, _| positions.push((header.position, header.size))).is_ok() {}
    for death in [Death::Claimed, Death::Headed, Death::Pending, Death::HalfWritten] {
        for (index, &(position, _)) in positions.iter().enumerate().skip(if cfg!(miri) { 10 } else { 0 }) {
            let slots = bus.shared.store.slots();
            let mut broken = image.clone();
            let at = position as usize;
            let len = positions.get(index + 1).map_or(bus.tail(), |next| next.0) as usize - at;
            let whole = broken[at..at + len].to_vec();
            broken[at..at + len].fill(0);
            let kept = match death {
                Death::Claimed => 0,
                Death::Headed | Death::Pending => 16,
                Death::HalfWritten => len / 2,
            };
            broken[at..at + kept].copy_from_slice(&whole[..kept]);
            let stamp = match death {
                Death::Pending => slots.stamp_of(position, slot::PENDING),
                _ => 0,
            };
            broken[at..at + 8].copy_from_slice(&stamp.to_ne_bytes());
            let (recovered_bus, recovered) = open(&broken, small()).unwrap();
            assert_eq!(recovered.messages, 11, "{death:?} at {index}");
            assert!(!recovered.is_damaged(), "{death:?} at {index}: {recovered}");
            let is_last = index + 1 == positions.len();
            assert_eq!(recovered.hole_count, u64::from(!is_last), "{death:?} at {index}");
            assert_eq!(recovered.torn != 0, is_last && !matches!(death, Death::Claimed), "{death:?} at {index}");
            if !is_last {
                assert_eq!((recovered.holes[0].position, recovered.holes[0].len), (position, len as u64));
            }
            let seen = read_all(&recovered_bus);
            assert_eq!(seen.len(), 11);
            check_whole(&seen, 12);
            let left = image_of(&recovered_bus);
            if is_last {
                assert!(left[recovered.tail as usize..].iter().all(|&byte| byte == 0), "a torn tail is left");
            }
            let (_, again) = open(&left, small()).unwrap();
            assert_eq!((again.messages, again.torn), (11, 0), "recovered once and for all");
            let holes = u64::from(!is_last);
            assert_eq!((again.hole_count, again.old_hole_count), (holes, holes), "told for ever");
        }
    }
}

/// What a slot that was given up says of its length does not hide a message.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn a_sealed_slot_that_lies_hides_nothing() {
    let bus = Bus::made_in_memory(small()).unwrap();
    let writer = bus.writer().unwrap();
    writer.write_bytes(2, 7, &message(0)).unwrap();
    let position = bus.tail();
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        writer.write(2, 7, 40, |_| std::panic::resume_unwind(Box::new("no")))
    }));
    assert!(refused.is_err());
    for number in 1..10 {
        writer.write_bytes(2, 7, &message(number)).unwrap();
    }
    let image = image_of(&bus);
    let (_, recovered) = open(&image, small()).unwrap();
    assert_eq!((recovered.messages, recovered.damaged_count), (10, 0));
    for bit in (0..32).step_by(if cfg!(miri) { 11 } else { 1 }) {
        // The size in the head.
        let mut lying = image.clone();
        lying[position as usize + 8 + bit / 8] ^= 1 << (bit % 8);
        let (bus, recovered) = open(&lying, small()).unwrap();
        assert_eq!(recovered.messages, 10, "bit {bit}");
        let seen = read_all(&bus);
        assert_eq!(seen.len(), 10, "bit {bit}");
        check_whole(&seen, 10);
    }
}

#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn damaged_words_and_cursors_are_reported_and_done_without() {
    let damage = |offset: usize| {
        let mut image = sample(10, true);
        image[offset] ^= 1;
        let (bus, recovered) = open(&image, small().start_reader("named", Start::Resume)).unwrap();
        assert_eq!(read_all(&bus).len(), 10);
        (bus, recovered.header)
    };
    assert_eq!(damage(128).1, [HeaderDamage::Capacity]);
    assert_eq!(damage(136).1, [HeaderDamage::Retained]);
    assert_eq!(damage(144).1, [HeaderDamage::Allocated]);
    assert_eq!(damage(152).1, [HeaderDamage::Whole]);
    // Nothing was finished behind where the file ended.
    let mut image = sample(10, true);
    image[152..160].copy_from_slice(&checked(header::WHOLE, 1 << 40).to_ne_bytes());
    let (bus, recovered) = open(&image, small()).unwrap();
    assert_eq!((recovered.header, recovered.damaged_count), (vec![HeaderDamage::Whole], 0));
    assert_eq!(read_all(&bus).len(), 10);
    assert_eq!(damage(2 * PAGE + 30).1, [HeaderDamage::Table]);
    let (bus, header) = damage(512);
    assert_eq!(header, [HeaderDamage::CursorName]);
    assert!(bus.cursors().is_empty());
    let (bus, header) = damage(512 + 48);
    assert_eq!(header, [HeaderDamage::Cursor("named".to_owned())]);
    assert_eq!(bus.subscribe("named").err(), Some(crate::traits::CursorError::Damaged.into()));
    assert!(bus.remove_cursor("named"));
    assert!(bus.subscribe("named").is_ok());
}

// ------------------------------------------------------------------------------------------------------- power failure

/// A disk that has what was synced, and may have any of the pages that were not. What retention gives back may be gone
/// before anything else is written.
fn disk_of(bytes: &Arc<Mutex<Vec<u8>>>) -> Box<dyn Backing> {
    let bytes = Arc::clone(bytes);
    Box::new(Watched(move |region: &Region, call| {
        let mut disk = lock(&bytes);
        match call {
            Call::Grow { to, .. } => disk.resize(to, 0),
            Call::Populate { .. } => {}
            Call::Sync { from, to } => {
                assert!(from.is_multiple_of(PAGE) && to.is_multiple_of(PAGE));
                region.snapshot(from, &mut disk[from..to]);
            }
            Call::Punch { from, to } => disk[from..to].fill(0),
        }
        Ok(())
    }))
}

/// Everything that a power failure can leave: what was synced, and any subset of the other pages.
///
/// Method: after every message, and at every sync, pages that differ between memory and disk are lost or kept by lot,
/// in many ways, all of them if there are few. Each result is opened as a journal. What was promised must be there, and
/// whatever is read must be whole.
fn power_failures(level: Durability, rounds: u8, promised: impl Fn(u8, Option<u8>) -> u8) {
    let options = PersistentOptions { durability: level, capacity: 4 * CAPACITY, ..small() };
    let disk = Arc::new(Mutex::new(Vec::new()));
    let bus = made(options.clone(), |image| {
        lock(&disk).extend_from_slice(image);
        disk_of(&disk)
    });
    bus.sync().unwrap();
    let writer = bus.writer().unwrap();
    let (mut lot, mut synced, mut lossy) = (1_u64, None, 0);
    for number in 0..rounds {
        writer.write_bytes(2, 7, &message(number)).unwrap();
        if level == Durability::None && number % 11 == 10 {
            assert_eq!(bus.sync(), Ok(bus.tail()));
            synced = Some(number);
        }
        let durable = lock(&disk).clone();
        let memory = image_of(&bus);
        let page = |bytes: &[u8], index: usize| bytes[index * PAGE..(index + 1) * PAGE].to_vec();
        let unsynced: Vec<usize> =
            (0..durable.len() / PAGE).filter(|&index| page(&durable, index) != page(&memory, index)).collect();
        let subsets = 1_u64 << unsynced.len().min(6);
        for subset in 0..subsets {
            lot = lot.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let kept = if unsynced.len() <= 6 { subset } else { lot >> 20 };
            let mut left = durable.clone();
            for (place, &index) in unsynced.iter().enumerate().filter(|(place, _)| kept >> (place % 40) & 1 == 1) {
                let _ = place;
                left[index * PAGE..(index + 1) * PAGE].copy_from_slice(&page(&memory, index));
            }
            let (reopened, recovered) = open(&left, options.clone()).unwrap();
            let whole = whole_of(&left);
            assert!(recovered.damaged.iter().all(|span| span.position >= whole), "not synced, and said to be");
            let seen = read_all(&reopened);
            check_whole(&seen, number + 1);
            let promised = promised(number, synced);
            for expected in 0..promised {
                assert!(seen.contains(&message(expected)), "{level:?}: {expected} of {number} is lost");
            }
            lossy += u64::from(seen.len() <= usize::from(number));
        }
    }
    let is_lossless = matches!(level, Durability::Always | Durability::EveryN(1));
    assert!(cfg!(miri) || (lossy == 0) == is_lossless, "{level:?}: {lossy} failures lost something");
}

/// What retention gives back is gone at once; that it was given back must not be lost after that.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn a_power_failure_after_retention_is_no_damage() {
    let retention = Retention { size: Some(PAGE as u64), ..Retention::default() };
    let options = PersistentOptions { retention, strict: true, capacity: 4 * CAPACITY, ..small() };
    let disk = Arc::new(Mutex::new(Vec::new()));
    let bus = made(options.clone(), |image| {
        lock(&disk).extend_from_slice(image);
        disk_of(&disk)
    });
    let writer = bus.writer().unwrap();
    let mut number = 0;
    while bus.tail() < (FIRST + 4 * PAGE) as u64 {
        writer.write_bytes(2, 7, &message(number)).unwrap();
        number += 1;
    }
    bus.sync().unwrap();
    assert!(bus.retain().unwrap().freed > PAGE as u64);
    let left = lock(&disk).clone();
    let (reopened, recovered) = open(&left, options).unwrap();
    assert_eq!((recovered.hole_count, recovered.is_damaged()), (0, false), "{recovered}");
    assert_eq!(read_all(&reopened).last(), Some(&message(number - 1)));
}

#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn power_failures_lose_nothing_that_was_synced_always() {
    power_failures(Durability::Always, if cfg!(miri) { 4 } else { 200 }, |number, _| number + 1);
}

#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn power_failures_lose_less_than_every_n() {
    for n in [1_u8, 3, 7] {
        let rounds = if cfg!(miri) { 4 } else { 200 };
        if n == 1 {
            power_failures(Durability::EveryN(1), rounds, |number, _| number + 1);
        } else {
            power_failures(Durability::EveryN(n.into()), rounds, |number, _| (number + 1) / n * n);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn power_failures_lose_nothing_before_a_sync() {
    power_failures(Durability::None, if cfg!(miri) { 12 } else { 200 }, |_, synced| {
        synced.map_or(0, |synced| synced + 1)
    });
}

/// A cursor does not survive what it has passed: it stands at the end then.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn a_cursor_behind_the_end_is_brought_back() {
    let image = sample(10, true);
    let mut cut = image.clone();
    // The slots are lost, the first page is not.
    cut[FIRST..].fill(0);
    let (bus, recovered) = open(&cut, small().start_reader("named", Start::Resume)).unwrap();
    assert_eq!(recovered.header, [HeaderDamage::CursorAhead("named".to_owned())]);
    assert!(!recovered.is_damaged(), "nobody was promised more");
    assert_eq!(bus.subscribe("named").unwrap().position(), bus.tail());
    // Unless they were synced: then they are lost, and no position is used twice.
    let mut cut = synced_sample(10, true);
    cut[FIRST..].fill(0);
    let (bus, recovered) = open(&cut, small().start_reader("named", Start::Resume)).unwrap();
    assert_eq!((recovered.messages, recovered.damaged_count, recovered.header.len()), (0, 1, 0), "{recovered}");
    assert_eq!(bus.tail(), open(&image, small()).unwrap().0.tail());
}

/// Nothing that the memory says after the opening is believed, either.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn a_slot_that_goes_bad_while_it_is_open_faults_nobody() {
    let (bus, _) = open(&sample(5, true), small()).unwrap();
    let slots = bus.shared.store.slots();
    let first = FIRST as u64;
    for head in [u64::MAX, 2 << 48 | 7 << 32 | 0xFFFF_FFF0, 0] {
        slots.at(first).head().store(head, Ordering::Relaxed);
        let mut reader = bus.subscribe("reader").unwrap();
        for _ in 0..20 {
            let _ = reader.try_read(|header, payload| assert_eq!(payload.len(), header.size as usize));
        }
        assert_eq!(reader.position() == first, head as u32 > 256, "a size that no message has is that of none");
    }
}

/// Under load the keeper keeps the time: no message is from before the load or after it, and when it is over the clock
/// is asked again.
#[test]
#[cfg_attr(miri, ignore = "Miri knows no file mapping")]
fn times_are_right_under_load() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let (bus, _) = PersistentBus::open(&path, PersistentOptions::default()).unwrap();
    let writer = bus.writer().unwrap();
    let start = crate::sync::unix_nanos();
    let (mut kept, mut written) = (std::collections::BTreeSet::new(), 0_u64);
    // The first look at the clock, and some ticks.
    while kept.len() < 5 {
        // Large ones, so that a slow machine makes a load of them, too.
        writer.write_bytes(2, 7, &[1; 1024]).unwrap();
        written += 1;
        kept.insert(bus.shared.store.kept_time());
        let late = crate::sync::unix_nanos() - start > 60_000_000_000;
        assert!(!late, "the load is not noticed, or the time stands still");
    }
    let end = crate::sync::unix_nanos();
    while bus.shared.store.kept_time() != 0 {
        assert!(crate::sync::unix_nanos() - end < 60_000_000_000, "the end of the load was never noticed");
        crate::sync::yield_now();
    }
    let journal = Journal::open(&path).unwrap();
    let mut entries = journal.entries();
    while let Some(Entry::Message { time, .. }) = entries.next().unwrap() {
        assert!((start..=end).contains(&time.as_nanos()), "{} is not in {start}..={end}", time.as_nanos());
        written -= 1;
    }
    assert_eq!(written, 0);
}
