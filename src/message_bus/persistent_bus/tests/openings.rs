//! What opening looks at, and what it leaves to those who begin before that.

use super::{Bus, FIRST, PAGE, image_of, made, message, open, opening, read_all, small};
use crate::message_bus::journal::options::{PersistentOptions, Retention, Start};
use crate::message_bus::journal::recovered::{Recovered, Span};
use crate::message_bus::journal::source::Source;
use crate::mmap::{Backing, Memory, Region};
use crate::sync::{Arc, Mutex, lock};
use crate::traits::{CursorError, MessageBus, Publish, Reader};
use std::cell::Cell;
use std::io;

/// As programs open a journal.
fn plain() -> PersistentOptions {
    PersistentOptions { verify: false, capacity: 1 << 20, ..small() }
}

/// A journal with these messages that was synced at its end, and where each of them stands.
fn synced(options: PersistentOptions, count: u8) -> (Bus, Vec<u64>) {
    let bus = Bus::made_in_memory(options).unwrap();
    let writer = bus.writer().unwrap();
    let mut positions = Vec::new();
    for number in 0..count {
        positions.push(bus.tail());
        writer.write_bytes(2, 7, &message(number)).unwrap();
    }
    assert_eq!(bus.sync(), Ok(bus.tail()));
    (bus, positions)
}

/// Nobody has looked at what stands from one position to the other.
fn span(from: u64, to: u64) -> Option<Span> {
    Some(Span { position: from, len: to - from })
}

/// Bytes that count how many of them were looked at.
struct Counted<'a>(&'a [u8], Cell<u64>);

impl Source for Counted<'_> {
    fn len(&self) -> io::Result<u64> {
        Source::len(self.0)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        self.1.set(self.1.get() + bytes.len() as u64);
        self.0.read_at(offset, bytes)
    }
}

/// How many bytes an opening looks at, and what it finds.
fn looked_at(image: &[u8], options: PersistentOptions) -> (u64, Recovered) {
    let counted = Counted(image, Cell::new(0));
    let findings = opening(image, options).unwrap().inspect(&counted).unwrap();
    (counted.1.get(), findings.recovered)
}

#[test]
#[cfg_attr(miri, ignore = "megabytes, of which Miri sees nothing new")]
fn after_a_clean_stop_an_opening_looks_at_the_end_only() {
    let count = 20_000;
    let sized = || PersistentOptions { capacity: 4 << 20, ..plain() };
    let bus = Bus::made_in_memory(sized()).unwrap();
    let writer = bus.writer().unwrap();
    for number in 0..count {
        writer.write_bytes(2, 7, &[number as u8; 100]).unwrap();
    }
    bus.sync().unwrap();
    let image = image_of(&bus);
    let (all, verified) = looked_at(&image, PersistentOptions { verify: true, ..sized() });
    let (end, recovered) = looked_at(&image, sized());
    assert!(all > bus.tail() && end <= all / 20, "{end} bytes of {all}");
    assert_eq!((verified.messages, verified.unchecked), (count, None));
    assert_eq!((recovered.messages, recovered.tail), (0, bus.tail()));
    assert_eq!(recovered.unchecked, span(FIRST as u64, bus.tail()));
    assert_eq!(recovered.to_string(), format!("finished up to position {}, 0 messages behind it", bus.tail()));
    // Whatever is wrong with its header, its length or its word is a reason to look at everything.
    for (at, len) in [(128, image.len()), (152, image.len()), (0, image.len()), (0, image.len() - 1)] {
        let mut image = image[..len].to_vec();
        image[at] ^= u8::from(len == image.len());
        let (looked_at, recovered) = looked_at(&image, sized());
        assert!(looked_at > all / 2 && recovered.is_damaged(), "{looked_at} bytes of {all}, with {at} flipped");
        assert_eq!((recovered.messages, recovered.unchecked), (count, None));
    }
}

#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn after_a_kill_an_opening_begins_at_the_last_sync() {
    let (bus, positions) = synced(plain(), 20);
    let synced_at = bus.tail();
    for number in 20..25 {
        bus.writer().unwrap().write_bytes(2, 7, &message(number)).unwrap();
    }
    let killed = image_of(&bus);
    let (bus, recovered) = open(&killed, plain()).unwrap();
    assert_eq!((recovered.messages, recovered.unchecked), (5, span(positions[0], synced_at)));
    assert_eq!(bus.recovered(), recovered);
    assert_eq!(read_all(&bus).len(), 25);
    assert_eq!((bus.recovered().messages, bus.recovered().unchecked), (25, None));
    // The opening was a sync.
    let (_, again) = open(&image_of(&bus), plain()).unwrap();
    assert_eq!((again.messages, again.unchecked), (0, span(positions[0], bus.tail())));
}

/// A reader looks at what stands from its beginning on, whichever way it begins there, and at nothing before it.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn a_reader_looks_at_what_it_will_read() {
    let (bus, positions) = synced(plain().start_reader("named", Start::Resume), 30);
    let mut named = bus.subscribe("named").unwrap();
    for _ in 0..12 {
        named.try_read(|_, _| ()).unwrap();
    }
    drop(named);
    let mut image = image_of(&bus);
    let tail = bus.tail();
    // A byte of two payloads, and all that is left of one slot.
    for damaged in [5, 20] {
        image[positions[damaged] as usize + 32] ^= 1;
    }
    image[positions[15] as usize..positions[16] as usize].fill(0);
    let numbers = |reader: &mut dyn FnMut() -> Option<u8>| std::iter::from_fn(reader).collect::<Vec<u8>>();
    let lists = |from: u8| (from..30).filter(|number| ![5, 15, 20].contains(number)).collect::<Vec<u8>>();
    let begins: [(Start, usize, u64); 5] = [
        (Start::Latest, 30, 0),
        (Start::At(positions[17]), 17, 1),
        (Start::Resume, 12, 2),
        // Where a slot was: everything is looked at, and the place is stepped over.
        (Start::At(positions[15]), 0, 3),
        (Start::Oldest, 0, 3),
    ];
    for (start, from, damaged) in begins {
        let (bus, recovered) = open(&image, plain().start_reader("named", start)).unwrap();
        assert_eq!((recovered.damaged_count, recovered.unchecked), (0, span(positions[0], tail)));
        let mut reader = bus.subscribe("named").unwrap();
        let first = match start {
            Start::At(position) => positions.iter().position(|at| *at == position).unwrap(),
            _ => from,
        };
        let seen = numbers(&mut || reader.try_read(|_, payload| payload[0]).ok());
        assert_eq!((seen, reader.position()), (lists(first as u8), tail), "{start:?}");
        let found = bus.recovered();
        assert_eq!(found.damaged_count, damaged, "{start:?}");
        let left = positions.get(from).copied().unwrap_or(tail);
        assert_eq!(found.unchecked, if from == 0 { None } else { span(positions[0], left) }, "{start:?}");
        assert_eq!(bus.position_after(positions[4]), Ok(positions[5]));
        assert_eq!(bus.recovered().damaged_count, 3 - u64::from(from == 0 && damaged != 3));
        // What is damaged is marked: it is told for ever.
        let left = image_of(&bus);
        let verified = open(&left, small_of(1 << 20)).unwrap().1;
        assert_eq!((verified.damaged_count, verified.messages), (3, 27), "{start:?}");
    }
    // Two that begin at different places: nothing is looked at twice.
    let (bus, _) = open(&image, plain().start_reader("late", Start::At(positions[17]))).unwrap();
    let (late, mut all) = (bus.subscribe("late").unwrap(), bus.subscribe_evictable("all").unwrap());
    let seen = numbers(&mut || all.try_read(|_, payload| payload[0]).ok());
    assert_eq!((seen, bus.recovered().messages), (lists(0), 27));
    drop(late);
    // And one that is held.
    let (bus, _) = open(&image, plain()).unwrap();
    let mut held = bus.subscribe_held("held", Some(positions[17])).unwrap();
    let seen = numbers(&mut || held.try_read(|_, payload| payload[0]).ok());
    assert_eq!((seen, bus.recovered().unchecked), (lists(17), span(positions[0], positions[17])));
}

fn small_of(capacity: u64) -> PersistentOptions {
    PersistentOptions { capacity, ..small() }
}

/// Damage at the end of what was left out takes nothing with it of what was written since.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn what_is_written_meanwhile_is_no_part_of_old_damage() {
    let (bus, positions) = synced(plain(), 10);
    let mut image = image_of(&bus);
    image[positions[9] as usize..bus.tail() as usize].fill(0);
    let (bus, _) = open(&image, plain()).unwrap();
    let tail = bus.tail();
    for number in 10..13 {
        bus.writer().unwrap().write_bytes(2, 7, &message(number)).unwrap();
    }
    // Now all of that was finished and synced.
    bus.sync().unwrap();
    let seen: Vec<u8> = read_all(&bus).iter().map(|payload| payload[0]).collect();
    assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12]);
    assert_eq!(bus.recovered().damaged, [Span { position: positions[9], len: tail - positions[9] }]);
}

/// A cursor is set in what was left out only where a slot begins that is what was written.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn a_cursor_is_set_where_somebody_has_looked() {
    let (bus, positions) = synced(plain().start_reader("named", Start::Resume), 10);
    drop(bus.subscribe("named").unwrap());
    let mut image = image_of(&bus);
    image[positions[6] as usize + 32] ^= 1;
    let (bus, _) = open(&image, plain().start_reader("named", Start::Resume)).unwrap();
    assert_eq!(
        bus.set_cursor("named", positions[4] + 16),
        Err(CursorError::NoSuchPosition { asked: positions[4] + 16 })
    );
    bus.set_cursor("named", positions[4]).unwrap();
    let mut reader = bus.subscribe("named").unwrap();
    let seen: Vec<u8> = std::iter::from_fn(|| reader.try_read(|_, payload| payload[0]).ok()).collect();
    assert_eq!(seen, [4, 5, 7, 8, 9]);
}

/// Retention goes by lengths. It looks at them first, a piece at a time.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn retention_looks_at_what_it_forgets() {
    const COUNT: u8 = 60;
    let retention = Retention { consumed: true, ..Retention::default() };
    let options = || PersistentOptions { retention, crc: false, ..plain() }.start_reader("named", Start::Resume);
    let (bus, positions) = synced(options(), COUNT);
    let mut named = bus.subscribe("named").unwrap();
    for _ in 0..40 {
        named.try_read(|_, _| ()).unwrap();
    }
    drop(named);
    let mut image = image_of(&bus);
    // One of those that may go says that it reaches to where one begins that is still to be read.
    let reach = positions[50] - positions[30] - 32;
    image[positions[30] as usize + 8..][..4].copy_from_slice(&(reach as u32).to_ne_bytes());
    let store = |bus: &Bus| bus.shared.store.clone();
    let (bus, _) = open(&image, options()).unwrap();
    let mut rounds = 0;
    while store(&bus).retain(1).unwrap().from < positions[40] {
        assert!(bus.recovered().unchecked.is_some_and(|left| left.position <= positions[40] + 16 * 256));
        rounds += 1;
        assert!(rounds < 1000, "it does not come on");
    }
    assert!(rounds > 20, "{rounds} rounds");
    let mut named = bus.subscribe("named").unwrap();
    let seen: Vec<u8> = std::iter::from_fn(|| named.try_read(|_, payload| payload[0]).ok()).collect();
    assert_eq!(seen, (40..COUNT).collect::<Vec<u8>>());
    // At once, for whoever asks for it.
    let (bus, _) = open(&image, options()).unwrap();
    assert_eq!(bus.retain().unwrap().from, positions[40]);
    assert_eq!(bus.recovered().damaged_count, 1);
    // Nothing is looked at for what nobody forgets.
    let (bus, recovered) = open(&image, plain()).unwrap();
    assert_eq!(bus.retain().unwrap().from, positions[0]);
    assert_eq!(bus.recovered(), recovered);
}

/// Memory that cannot be read when it is told so.
#[derive(Clone, Debug)]
struct Unreadable(Arc<Mutex<bool>>);

impl Backing for Unreadable {
    fn grow(&self, region: &Region, from: usize, to: usize) -> io::Result<()> {
        Memory.grow(region, from, to)
    }

    fn read(&self, region: &Region, offset: usize, bytes: &mut [u8]) -> io::Result<()> {
        if *lock(&self.0) { Err(io::ErrorKind::TimedOut.into()) } else { Memory.read(region, offset, bytes) }
    }

    fn reserve(&self, _: usize, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self, _: &Region, _: usize, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn punch(&self, region: &Region, from: usize, to: usize) -> io::Result<()> {
        Memory.punch(region, from, to)
    }
}

#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn what_cannot_be_read_begins_no_reader() {
    let (bus, positions) = synced(plain(), 10);
    let image = image_of(&bus);
    let fails = Arc::new(Mutex::new(true));
    let opened = opening(&image, plain()).unwrap().in_memory(image.clone(), Box::new(Unreadable(Arc::clone(&fails))));
    let (bus, recovered) = Bus::of(opened.unwrap());
    let error = CursorError::Storage { kind: io::ErrorKind::TimedOut };
    assert_eq!(bus.subscribe("reader").err(), Some(error.into()));
    assert_eq!(bus.position_after(positions[3]), Err(error));
    assert_eq!(bus.recovered(), recovered);
    *lock(&fails) = false;
    assert_eq!(read_all(&bus).len(), 10);
    assert!(made(small(), |_| Box::new(Unreadable(fails))).tail() >= (4 * PAGE) as u64);
}
