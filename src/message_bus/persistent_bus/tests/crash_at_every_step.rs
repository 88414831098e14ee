//! Processes that die at every single step: of a recovery, of a growth, of writing, of reading and forgetting. All in
//! memory, where a step is the touch of one word, so that none is left out; what real processes leave that are killed
//! is in `tests/journal.rs`.

use super::{Bus, PAGE, SMALL, TABLE, check_whole, image_of, made, message, open, opening, read_all, small};
use crate::message_bus::journal::header;
use crate::message_bus::journal::options::Retention;
use crate::message_bus::journal::options::{PersistentOptions, Start};
use crate::message_bus::journal::recovered::{HeaderDamage, Recovered};
use crate::message_bus::journal::word;
use crate::message_bus::ring::slot::{self, Slots};
use crate::message_bus::ring::store::Store;
use crate::mmap::{Backing, Memory, Region, crash};
use crate::routing::{Table, TableHandler, TableWorker};
use crate::sync::{Arc, Mutex, lock};
use crate::traits::{MessageBus, Publish, Reader};
use std::cell::Cell;
use std::io;

/// A file of so many bytes, of which nothing is lost. One may die before and after it grows.
#[derive(Clone, Debug)]
struct Grave(Arc<Mutex<usize>>);

impl Grave {
    fn new(len: usize) -> Grave {
        Grave(Arc::new(Mutex::new(len)))
    }

    /// What is in the file when this is in memory.
    fn file(&self, mut memory: Vec<u8>) -> Vec<u8> {
        memory.truncate(*lock(&self.0));
        memory
    }
}

impl Backing for Grave {
    fn grow(&self, region: &Region, from: usize, to: usize) -> io::Result<()> {
        self.reserve(from, to)?;
        Memory.grow(region, from, to)
    }

    fn reserve(&self, _: usize, to: usize) -> io::Result<()> {
        crash::burn();
        {
            let mut len = lock(&self.0);
            *len = to.max(*len);
        }
        crash::burn();
        Ok(())
    }

    fn sync(&self, _: &Region, _: usize, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn punch(&self, region: &Region, from: usize, to: usize) -> io::Result<()> {
        Memory.punch(region, from, to)
    }
}

// ---------------------------------------------------------------------------------------------------------- recoveries

/// A table that adds to that of the other tests.
static LARGER: Table = Table {
    name: "Larger",
    workers: &[TableWorker {
        name: "Another",
        handlers: &[TableHandler { name: "c", type_name: "x::C", id: 3, allow_unrouted: true }],
        routes: &[],
    }],
};

const COUNT: u8 = 30;

/// A journal of everything that a recovery has work with.
fn battered(crc: bool, table: Option<&'static Table<'static>>) -> Vec<u8> {
    let options = PersistentOptions { crc, capacity: SMALL as u64, table, ..small() };
    let options = options.start_reader("named", Start::Resume).start_reader("gone", Start::Resume);
    let bus = Bus::made_in_memory(options).unwrap();
    let mut positions = Vec::new();
    let writer = bus.writer().unwrap();
    for number in 0..COUNT {
        positions.push(bus.tail() as usize);
        writer.write_bytes(2, 7, &message(number)).unwrap();
    }
    let tail = bus.tail() as usize;
    drop((bus.subscribe("named").unwrap(), bus.subscribe("gone").unwrap()));
    let mut image = image_of(&bus);
    let stamp = |position: usize, state: u64| bus.shared.store.slots().stamp_of(position as u64, state).to_ne_bytes();
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    // A claim with nothing in it, one whose fill was running, and one that was given up and says too much of its size.
    put(positions[4], &[0; 40]);
    put(positions[8], &stamp(positions[8], slot::PENDING));
    put(positions[12], &stamp(positions[12], slot::SEALED));
    put(positions[12] + 8, &200_u32.to_ne_bytes());
    // Damage: a size that none can be, and a stamp that is none.
    put(positions[16] + 8, &(1_u32 << 30).to_ne_bytes());
    put(positions[20], &[0xA5; 8]);
    // The last message is torn.
    put(positions[29], &stamp(positions[29], slot::PENDING));
    put((positions[29] + tail) / 2, &vec![0; tail - (positions[29] + tail) / 2]);
    // Of the header: a word, the name of a cursor, and one that is ahead of everything.
    put(header::CAPACITY as usize, &[0xFF; 8]);
    let ahead = header::cursor_at(0) + header::CURSOR_POSITION;
    put(ahead as usize, &word::checked(ahead, 1 << 30).to_ne_bytes());
    put(header::cursor_at(1) as usize, b"?");
    // And it was longer.
    image.truncate(image.len() - 100);
    image
}

/// What a recovery comes to that may take so many steps.
fn recover(image: &[u8], options: &PersistentOptions, steps: u64) -> Result<(Bus, Recovered), Vec<u8>> {
    let opening = opening(image, options.clone()).unwrap();
    let findings = opening.inspect(image).unwrap();
    let (grave, mut loaded) = (Grave::new(image.len()), image.to_vec());
    let region = opening.load(&findings, &mut loaded).unwrap();
    let backing = Box::new(grave.clone());
    let done = crash::within(steps, &region, || {
        opening.assemble(loaded.as_slice(), findings, region.clone(), backing, |_| Ok(None)).unwrap()
    });
    done.map(Bus::of).map_err(|left| grave.file(left))
}

/// Method: a journal with work of every kind is recovered by a process that dies at step n, and what that left by one
/// that dies at another step, and what that left is opened. For every n: all messages are there, what is damaged is
/// reported once more, and the file is, byte for byte, what a recovery leaves that nobody has interrupted.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn a_recovery_that_dies_at_any_step_is_made_up_for_by_the_next() {
    for (crc, before) in [(true, None), (false, None), (true, Some(&TABLE)), (false, Some(&TABLE))] {
        let image = battered(crc, before);
        let options = PersistentOptions { crc, ..small() }.table(&LARGER);
        let Ok((bus, first)) = recover(&image, &options, u64::MAX) else { panic!("nobody has interrupted it") };
        assert_eq!((first.hole_count, first.damaged_count), (2, 2));
        assert!(first.torn != 0 && first.missing != 0 && first.header.len() == 3, "{first}");
        let (seen, whole) = (read_all(&bus), image_of(&bus));
        // Without checksums the one before a stamp that is none is not believed either: it may be longer than it says.
        assert_eq!(seen.len(), usize::from(COUNT) - if crc { 6 } else { 7 });
        check_whole(&seen, COUNT);

        let check = |left: &[u8], step: u64| {
            let Ok((bus, again)) = recover(left, &options, u64::MAX) else { panic!("nobody has interrupted it") };
            assert_eq!(read_all(&bus), seen, "messages, after a death at step {step}");
            assert_eq!(again.hole_count, first.hole_count, "holes, after a death at step {step}");
            assert_eq!(again.damaged_count, first.damaged_count, "damage, after a death at step {step}");
            assert!(!again.header.contains(&HeaderDamage::Table), "a table, after a death at step {step}");
            // Told as long as anything is left to do. (What is missing is not: the file has its length back at once.)
            if !again.header.contains(&HeaderDamage::Capacity) {
                let new_holes = again.hole_count - again.old_hole_count;
                let left_to_do = (new_holes, again.torn, again.header.len());
                assert_eq!(left_to_do, (0, 0, 0), "forgotten before all was done, at step {step}");
            }
            assert!(image_of(&bus) == whole, "another file, after a death at step {step}");
        };
        let (mut steps, mut lot) = (0, 1_u64);
        while let Err(left) = recover(&image, &options, steps) {
            check(&left, steps);
            lot = lot.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if let Err(left) = recover(&left, &options, (lot >> 33) % (steps + 1)) {
                check(&left, steps);
            }
            steps += 1;
        }
        assert!(steps > 500, "only {steps} steps");
    }
}

/// A damaged slot gets a length where its size was. While its stamp is still that of a message, that would be the size
/// of one, in a file that is large enough for it.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn a_half_marked_place_is_no_message() {
    let step = 72 * PAGE as u64;
    let options = PersistentOptions { crc: false, capacity: 1 << 22, max_payload: 1 << 18, step, ..small() };
    let bus = Bus::made_in_memory(options.clone()).unwrap();
    let first = bus.tail() as usize;
    for number in 0..3 {
        bus.writer().unwrap().write_bytes(2, 7, &message(number)).unwrap();
    }
    let mut image = image_of(&bus);
    image[first + 8..first + 12].copy_from_slice(&u32::MAX.to_ne_bytes());
    let mut steps = 0;
    while let Err(left) = recover(&image, &options, steps) {
        let Ok((bus, recovered)) = recover(&left, &options, u64::MAX) else { panic!("nobody has interrupted it") };
        assert_eq!((recovered.messages, recovered.damaged_count), (2, 1), "after a death at step {steps}");
        assert_eq!(read_all(&bus), [message(1), message(2)]);
        steps += 1;
        if steps == 20 {
            return;
        }
    }
    panic!("only {steps} steps");
}

// ------------------------------------------------------------------------------------------------------------- writing

/// Method: a process writes messages in every way into a file that grows under them, and dies at step n. For every n:
/// whatever it was told is written is there, and at most the one message more that it was at.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn a_writer_that_dies_at_any_step_loses_nothing() {
    for crc in [true, false] {
        let (mut steps, mut grown) = (0, std::collections::BTreeSet::new());
        loop {
            let options = PersistentOptions { crc, ..small() };
            let grave = Grave::new(SMALL);
            let bus = made(options, |_| Box::new(grave.clone()));
            let writer = bus.writer().unwrap();
            let acknowledged = Cell::new(0);
            let done = crash::within(steps, bus.shared.store.slots().region(), || {
                for number in 0..60 {
                    let payload = message(200 + number % 50);
                    if number % 3 == 0 {
                        writer.write(2, 7, payload.len(), |bytes| bytes.copy_from_slice(&payload)).unwrap();
                    } else {
                        writer.write_bytes(2, 7, &payload).unwrap();
                    }
                    acknowledged.set(number + 1);
                }
            });
            let Err(left) = done else { break };
            let file = grave.file(left);
            grown.insert(file.len());
            let (bus, recovered) = open(&file, PersistentOptions { crc, ..small() }).unwrap();
            assert!(!recovered.is_damaged(), "{recovered}, after a death at step {steps}");
            let seen = read_all(&bus);
            let told = usize::from(acknowledged.get());
            assert!(seen.len() == told || seen.len() == told + 1, "{told} and {}, at step {steps}", seen.len());
            let expected = (0..seen.len() as u8).map(|number| message(200 + number % 50));
            assert!(seen.iter().cloned().eq(expected), "torn, at step {steps}");
            bus.writer().unwrap().write_bytes(2, 7, b"goes on").unwrap();
            assert_eq!(read_all(&bus).len(), seen.len() + 1);
            steps += 1;
        }
        assert!(steps > 200 && grown.len() > 1, "{steps} steps, {grown:?}");
    }
}

// ------------------------------------------------------------------------------------------------ reading and
// forgetting

/// Method: a process makes a named cursor, reads with it, and forgets what it has read, and dies at step n. For every
/// n: what it had not released is there, and so is the cursor, once it was made, with nothing before it that is still
/// to be handled.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn a_reader_that_dies_at_any_step_misses_nothing() {
    const WRITTEN: u8 = 120;
    const READ: u8 = 100;
    let retention = Retention { consumed: true, ..Retention::default() };
    let options = PersistentOptions { retention, ..small() }.start_reader("named", Start::Resume);
    let image = {
        let bus = Bus::made_in_memory(options.clone()).unwrap();
        let writer = bus.writer().unwrap();
        for number in 0..WRITTEN {
            writer.write_bytes(2, 7, &message(number)).unwrap();
        }
        image_of(&bus)
    };
    let (mut steps, mut last, mut oldest) = (0, Vec::new(), std::collections::BTreeSet::new());
    loop {
        let grave = Grave::new(image.len());
        let opening = opening(&image, options.clone()).unwrap();
        let (bus, _) = Bus::of(opening.in_memory(image.clone(), Box::new(grave.clone())).unwrap());
        let released = Cell::new(None);
        let done = crash::within(steps, bus.shared.store.slots().region(), || {
            let mut reader = bus.subscribe("named").unwrap();
            released.set(Some(0));
            for number in 0..READ {
                reader.try_read(|_, payload| assert_eq!(payload, message(number))).unwrap();
            }
            reader.release();
            released.set(Some(READ));
            bus.retain().unwrap();
        });
        steps += 1;
        let Err(left) = done else { break };
        let file = grave.file(left);
        if file == last {
            continue;
        }
        let (bus, recovered) = open(&file, options.clone()).unwrap();
        assert!(!recovered.is_damaged(), "{recovered}, after a death at step {steps}");
        assert!(released.get().is_none() || bus.cursors().len() == 1, "no cursor, after a death at step {steps}");
        let mut reader = bus.subscribe("named").unwrap();
        let first = reader.try_read(|_, payload| payload[0]).unwrap();
        assert!((released.get().unwrap_or(0)..=READ).contains(&first) || released.get() == Some(0));
        for number in first + 1..WRITTEN {
            reader.try_read(|_, payload| assert_eq!(payload, message(number))).unwrap();
        }
        let seen = read_all(&bus);
        check_whole(&seen, WRITTEN);
        assert!(seen.len() >= usize::from(WRITTEN - first), "forgotten before it was read");
        oldest.insert(seen[0][0]);
        last = file;
    }
    assert!(steps > 500 && oldest == [0, READ].into(), "{steps} steps, {oldest:?}");
}
