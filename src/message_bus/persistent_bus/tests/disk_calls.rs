//! What a journal asks of its disk, call by call: what survives at each of them, in which order they come, and that
//! they come at all, where a thread of the journal's own makes them.

use super::{Bus, Call, PAGE, Watched, image_of, message, open, opening, read_all, small};
use crate::message_bus::journal::header;
use crate::message_bus::journal::keeper;
use crate::message_bus::journal::options::{Durability, Retention};
use crate::message_bus::journal::options::{PersistentOptions, Start};
use crate::message_bus::journal::word;
use crate::message_bus::ring::store::Store;
use crate::mmap::Region;
use crate::sync::{Arc, Mutex, Ordering, lock};
use crate::traits::{Clock, MessageBus, Publish, Reader, Time};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// Opens the journal whose bytes are `image` where its calls are watched, with a keeper if it shall have one.
fn watched(
    image: &[u8],
    options: PersistentOptions,
    has_keeper: bool,
    watch: impl Fn(&Region, Call) + Send + Sync + 'static,
) -> Bus {
    let opening = opening(image, options).unwrap();
    let (findings, mut loaded) = (opening.inspect(image).unwrap(), image.to_vec());
    let region = opening.load(&findings, &mut loaded).unwrap();
    let keeper = |store: &_| if has_keeper { keeper::start(store).map(Some) } else { Ok(None) };
    let watch = move |region: &Region, call| {
        watch(region, call);
        Ok(())
    };
    opening.assemble(loaded.as_slice(), findings, region, Box::new(Watched(watch)), keeper).map(Bus::of).unwrap().0
}

/// A journal in which nothing is written yet.
fn empty() -> Vec<u8> {
    image_of(&Bus::made_in_memory(small()).unwrap())
}

/// What is on the disk: what was synced of the memory, over what was there before.
#[derive(Clone, Debug, Default)]
struct Synced(Arc<Mutex<Vec<u8>>>);

impl Synced {
    fn note(&self, region: &Region, from: usize, to: usize) -> Vec<u8> {
        let mut disk = lock(&self.0);
        let len = to.max(disk.len());
        disk.resize(len, 0);
        region.snapshot(from, &mut disk[from..to]);
        disk.clone()
    }

    fn bytes(&self) -> Vec<u8> {
        lock(&self.0).clone()
    }
}

fn write(bus: &Bus, numbers: std::ops::Range<u8>) {
    let writer = bus.writer().unwrap();
    for number in numbers {
        writer.write_bytes(2, 7, &message(number)).unwrap();
    }
}

/// What keeps no more than a page, and has room for some.
fn forgetful() -> PersistentOptions {
    let retention = Retention { size: Some(PAGE as u64), ..Retention::default() };
    PersistentOptions { retention, capacity: 1 << 18, ..small() }
}

/// Writes four pages full.
fn write_pages(bus: &Bus) {
    let (writer, end) = (bus.writer().unwrap(), bus.tail() + 4 * PAGE as u64);
    while bus.tail() < end {
        writer.write_bytes(2, 7, &[1; 250]).unwrap();
    }
}

/// Waits until `is_so` holds.
#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(300), "waited in vain until {what}");
        crate::sync::yield_now();
    }
}

/// What a process wrote and never synced is still in the memory of the system when the next one opens its journal.
/// Where that one promises that something survives a power failure, so must all that stands before it.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn what_a_killed_process_left_unsynced_is_synced_by_the_next() {
    const LEFT: u8 = 120;
    let left = {
        let bus = Bus::made_in_memory(small()).unwrap();
        write(&bus, 0..LEFT);
        image_of(&bus)
    };
    let survivors = |level: Durability, promise: &dyn Fn(&Bus)| {
        // Of what was written nothing has come to the disk.
        let mut bytes = left.clone();
        bytes[opening(&left, small()).unwrap().identity.header_len() as usize..].fill(0);
        let disk = Synced(Arc::new(Mutex::new(bytes)));
        let noted = disk.clone();
        let bus = watched(&left, PersistentOptions { durability: level, ..small() }, false, move |region, call| {
            if let Call::Sync { from, to } = call {
                noted.note(region, from, to);
            }
        });
        promise(&bus);
        read_all(&open(&disk.bytes(), small()).unwrap().0).len()
    };
    let all = usize::from(LEFT);
    assert_eq!(survivors(Durability::None, &|bus| assert_eq!(bus.sync(), Ok(bus.tail()))), all);
    assert_eq!(survivors(Durability::Always, &|bus| write(bus, LEFT..LEFT + 1)), all + 1);
    assert_eq!(survivors(Durability::EveryN(3), &|bus| write(bus, LEFT..LEFT + 3)), all + 3);
}

/// After each single call of a sync, what is on the disk is a journal in which no cursor stands behind the end.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn a_cursor_comes_to_the_disk_after_what_it_has_passed() {
    let (disk, calls) = (Synced::default(), Arc::new(Mutex::new(0)));
    let (noted, counted) = (disk.clone(), Arc::clone(&calls));
    let bus = watched(&empty(), small().start_reader("named", Start::Resume), false, move |region, call| {
        let Call::Sync { from, to } = call else { return };
        let bytes = noted.note(region, from, to);
        *lock(&counted) += 1;
        let (_, recovered) = open(&bytes, small()).unwrap();
        assert_eq!(recovered.header, [], "after a sync of {from}..{to}");
    });
    let mut reader = bus.subscribe("named").unwrap();
    for round in 0..3 {
        write(&bus, 40 * round..40 * (round + 1));
        while reader.try_read(|_, _| ()).is_ok() {}
        reader.release();
        assert_eq!(bus.sync(), Ok(bus.tail()));
        let (again, _) = open(&disk.bytes(), small()).unwrap();
        assert_eq!(again.cursors()["named"], bus.tail());
    }
    assert!(*lock(&calls) >= 5, "the cursors came with everything else");
}

/// Whoever reads the file by position copies first and looks then whether it was still retained. And what is given back
/// once is not counted again.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn what_is_given_back_is_not_retained_any_more() {
    let punched = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&punched);
    let bus = watched(&empty(), forgetful(), false, move |region, call| {
        let Call::Punch { from, to } = call else { return };
        let retained = region.word(header::RETAINED as usize).load(Ordering::Relaxed);
        let retained = word::unchecked(header::RETAINED, retained).unwrap();
        assert!(to as u64 <= retained, "{from}..{to} is given back while all is retained from {retained} on");
        lock(&noted).push((from, to));
    });
    let mut freed = 0;
    for _ in 0..3 {
        write_pages(&bus);
        let retained = bus.retain().unwrap();
        assert!(retained.freed > 0);
        freed += retained.freed;
        assert_eq!(bus.retain().unwrap().freed, 0, "nothing was written since");
    }
    let punched = lock(&punched);
    assert!(punched.windows(2).all(|pair| pair[0].1 == pair[1].0), "twice, or not at all: {punched:?}");
    assert_eq!(punched.iter().map(|(from, to)| (to - from) as u64).sum::<u64>(), freed);
}

/// `Durability::Interval` is kept by a thread, again and again.
#[test]
#[cfg_attr(miri, ignore = "minutes in which one thread waits for the other, of which Miri sees nothing new")]
fn the_keeper_syncs_again_and_again() {
    let disk = Synced::default();
    let noted = disk.clone();
    let options = PersistentOptions { durability: Durability::Interval(Duration::from_millis(1)), ..small() };
    let bus = watched(&empty(), options, true, move |region, call| {
        if let Call::Sync { from, to } = call {
            noted.note(region, from, to);
        }
    });
    for round in 0..3 {
        let position = bus.tail() as usize;
        write(&bus, round..round + 1);
        let mut stamp = [0; 8];
        bus.shared.store.slots().region().snapshot(position, &mut stamp);
        wait_until("what was written is on the disk", || disk.bytes().get(position..position + 8) == Some(&stamp[..]));
        assert_eq!(read_all(&open(&disk.bytes(), small()).unwrap().0).len(), usize::from(round) + 1);
    }
}

/// Retention looks around by itself, again and again.
#[test]
#[cfg_attr(miri, ignore = "minutes in which one thread waits for the other, of which Miri sees nothing new")]
fn the_keeper_retains_again_and_again() {
    let punched = Arc::new(Mutex::new(0));
    let noted = Arc::clone(&punched);
    let bus = watched(&empty(), forgetful(), true, move |_, call| {
        if let Call::Punch { to, .. } = call {
            *lock(&noted) = to as u64;
        }
    });
    for _ in 0..2 {
        write_pages(&bus);
        let due = bus.tail() - 2 * PAGE as u64;
        wait_until("what is too much is given back", || *lock(&punched) >= due);
    }
}

thread_local! {
    /// Whether this is the test's own thread.
    static OWN: Cell<bool> = const { Cell::new(false) };
}

/// Tells the keeper no time.
struct Faulty {
    is_real: bool,
    panics: Arc<Mutex<u64>>,
}

impl Clock for Faulty {
    fn now(&self) -> Time {
        if !OWN.get() {
            *lock(&self.panics) += 1;
            std::panic::resume_unwind(Box::new("no time"));
        }
        Time::from_nanos(crate::sync::unix_nanos())
    }

    fn is_real(&self) -> bool {
        self.is_real
    }
}

/// The keeper asks the clock for busy writers and for retention. If that panics it goes on with all else.
#[test]
#[cfg_attr(miri, ignore = "its disk copies what is being written, as disks do and programs must not")]
fn a_clock_that_panics_ends_no_keeper() {
    OWN.set(true);
    for is_real in [false, true] {
        let (disk, panics) = (Synced::default(), Arc::default());
        let noted = disk.clone();
        let clock = std::sync::Arc::new(Faulty { is_real, panics: Arc::clone(&panics) });
        let durability = Durability::Interval(Duration::from_millis(1));
        let options = if is_real { PersistentOptions { capacity: 1 << 18, ..small() } } else { forgetful() };
        let bus = watched(&empty(), PersistentOptions { durability, clock, ..options }, true, move |region, call| {
            if let Call::Sync { from, to } = call {
                noted.note(region, from, to);
            }
        });
        write_pages(&bus);
        wait_until("the keeper asks", || {
            // Busy, for as long as the journal takes.
            if is_real && bus.tail() < 1 << 17 {
                write(&bus, 0..8);
            }
            *lock(&panics) != 0
        });
        let position = bus.tail() as usize;
        write(&bus, 0..1);
        let mut stamp = [0; 8];
        bus.shared.store.slots().region().snapshot(position, &mut stamp);
        wait_until("what was written is on the disk", || disk.bytes().get(position..position + 8) == Some(&stamp[..]));
        assert_eq!(bus.shared.store.kept_time(), 0);
    }
}

/// What a keeper has done since it began to grow the file.
#[derive(Clone, Copy, Debug, Default)]
struct Duties {
    grows: bool,
    syncs: bool,
    keeps_time: bool,
    /// It syncs, and meanwhile the time stands still.
    has_time_stand_still: bool,
}

/// Whenever the keeper prefaults some of the file, a writer fills more than that: there is always more to prefault.
/// Meanwhile the keeper syncs, and keeps the time except while it does.
#[test]
#[cfg_attr(miri, ignore = "megabytes, of which Miri sees nothing new")]
fn a_writer_that_is_faster_keeps_the_keeper_from_nothing() {
    let (step, capacity) = (1 << 20, 1 << 26);
    let (writing, duties) = (Arc::new(Mutex::new(None::<(Bus, _)>)), Arc::new(Mutex::new(Duties::default())));
    let (fast, seen) = (Arc::clone(&writing), Arc::clone(&duties));
    let durability = Durability::Interval(Duration::from_nanos(1));
    let options = PersistentOptions { durability, step, capacity, ..small() };
    let bus = watched(&empty(), options, true, move |_, call| match call {
        Call::Sync { .. } => {
            let fast = lock(&fast);
            let Some((bus, _)) = &*fast else { return };
            let mut seen = lock(&seen);
            // With the time kept, and the file not grown yet.
            seen.syncs |= seen.keeps_time;
            seen.has_time_stand_still |= bus.shared.store.kept_time() != 0;
        }
        Call::Populate { from, to } => {
            let fast = lock(&fast);
            let Some((bus, writer)) = &*fast else { return };
            let mut seen = lock(&seen);
            seen.grows = true;
            seen.keeps_time |= bus.shared.store.kept_time() != 0;
            let end = bus.tail() + 2 * (to - from) as u64;
            while !(seen.syncs && seen.keeps_time) && bus.tail() < end {
                if Publish::write_bytes(writer, 2, 7, &[1; 250]).is_err() {
                    return;
                }
            }
        }
        _ => {}
    });
    *lock(&writing) = Some((bus.clone(), bus.writer().unwrap()));
    wait_until("the keeper grows the file", || {
        write(&bus, 0..8);
        lock(&duties).grows
    });
    wait_until("it syncs, and keeps the time", || {
        let duties = *lock(&duties);
        assert!(bus.tail() < capacity - step, "{duties:?}, and the journal is full");
        duties.syncs && duties.keeps_time
    });
    *lock(&writing) = None;
    assert!(!lock(&duties).has_time_stand_still);
}

/// Giving space back takes as long as it takes: meanwhile nobody is told a time that stands still.
#[test]
#[cfg_attr(miri, ignore = "megabytes, of which Miri sees nothing new")]
fn no_time_is_kept_while_space_is_given_back() {
    let (known, kept) = (Arc::new(Mutex::new(None::<Bus>)), Arc::new(Mutex::new(None)));
    let (its, noted) = (Arc::clone(&known), Arc::clone(&kept));
    let options = PersistentOptions { capacity: 1 << 28, step: 1 << 20, ..forgetful() };
    let bus = watched(&empty(), options, true, move |_, call| {
        if let (Call::Punch { .. }, Some(bus)) = (call, &*lock(&its)) {
            *lock(&noted) = Some(bus.shared.store.kept_time());
        }
    });
    *lock(&known) = Some(bus.clone());
    wait_until("space is given back", || {
        let before = bus.shared.store.kept_time();
        // More than makes a writer busy, and from then on once for each tick.
        (0..4).for_each(|_| write_pages(&bus));
        wait_until("the keeper ticks", || before == 0 || bus.shared.store.kept_time() != before);
        lock(&kept).is_some()
    });
    *lock(&known) = None;
    assert_eq!(*lock(&kept), Some(0));
}
