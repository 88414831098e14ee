//! Whoever holds the gate lock dies at the k-th word that it touches, for each k; the next one takes the lock over, and
//! all that the gate promises holds.

use super::super::claim::Role;
use super::super::control::{FENCED, READERS, SHARED_WRITER, WRITERS};
use super::super::memory::Ring;
use super::super::owner::{Owner, is_in_use, is_of_kind};
use super::super::reader::RingReader;
use super::super::shared::Shared;
use super::super::slot::SLOT_HEADER;
use super::super::times::Times;
use super::super::writer::RingWriter;
use super::tickets::PENDING;
use super::*;
use crate::mmap::{Region, Space, crash};
use crate::sync::{Arc, AtomicU64, Barrier, spawn, yield_now};
use crate::traits::{BusWriter, EncodeError, Payload, Publish, ReadError, Reader};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

mod heal;
mod stopped;
mod stray;
mod waking;

const CAPACITY: u64 = 1024;
const KEY: u64 = 0x5eed;
/// The largest slot, which is an eighth of the ring.
const SLOT: u64 = CAPACITY / 8;
const PAYLOAD: [u8; (SLOT - SLOT_HEADER) as usize] = [7; (SLOT - SLOT_HEADER) as usize];

/// Who dies, and who is still there.
const MORTAL: Owner = Owner::of(1, 5);
const HEIR: Owner = Owner::of(2, 9);

/// Nobody is fenced but by a test.
fn patient() -> Times {
    Times { silence: Duration::MAX, ..Times::default() }
}

/// What one attachment of a process has of a ring: nothing but the mapping connects it with another.
struct Attached {
    region: Region,
    shared: Arc<Shared<Ring>>,
}

impl Attached {
    /// The ring in `region` as `owner` has it, which finds `MORTAL` dead if that is so.
    fn to(region: Region, owner: Owner, is_mortal_dead: bool) -> Attached {
        Attached::seeing(region, owner, if is_mortal_dead { |_, owner| owner == MORTAL } else { |_, _| false })
    }

    /// The same, to which those are dead of whom `is_dead` says so.
    fn seeing(region: Region, owner: Owner, is_dead: fn(Control<'_>, Owner) -> bool) -> Attached {
        Attached::with(region, owner, is_dead, patient())
    }

    fn with(region: Region, owner: Owner, is_dead: fn(Control<'_>, Owner) -> bool, times: Times) -> Attached {
        let ring = Ring::attached(region.clone(), CAPACITY, KEY, owner, is_dead);
        // Where processes have none in common, threads have one all the same.
        let barrier = Barrier::shared().unwrap_or_else(|_| Barrier::detect());
        Attached { region, shared: Arc::new(Shared::across(ring, times, barrier)) }
    }

    fn gate(&self) -> Gate<'_, Ring> {
        self.shared.gate()
    }

    fn control(&self) -> Control<'_> {
        self.shared.control()
    }

    fn tail(&self) -> u64 {
        self.control().tail().load(Ordering::Relaxed)
    }

    fn writer(&self, role: Role) -> RingWriter {
        RingWriter::new(&self.shared, role).unwrap()
    }

    fn reader(&self, kind: Kind, name: &str) -> RingReader {
        RingReader::new(&self.shared, kind, name, |standing| Ok(standing.tail())).unwrap()
    }

    /// What is in memory before `end`, and zeros.
    fn image(&self, end: usize) -> Vec<u8> {
        let mut bytes = vec![0; self.region.len() / 8 * 8];
        self.region.snapshot(0, &mut bytes[..end]);
        bytes
    }

    /// The claims that are registered as fenced.
    fn fences(&self) -> Vec<u64> {
        let control = self.control();
        let bits = control.fences().load(Ordering::Relaxed);
        let taken = (0..FENCED).filter(|index| bits >> index & 1 == 1);
        let positions = taken.map(|index| control.fenced(index).load(Ordering::Relaxed));
        // The others' owners have seen it.
        positions.filter(|position| position % 2 == 0).collect()
    }

    /// All that follows from nothing being half done.
    fn check(&self) {
        let control = self.control();
        drop(self.gate().lock());
        assert_eq!(control.lock().load(Ordering::Relaxed), 0, "the lock is free");
        let entry = |index| control.reader(control::reader(index));
        let states = (0..READERS).map(|index| is_in_use(entry(index).state().load(Ordering::Relaxed)));
        let in_use = states.enumerate().fold(0, |bits, (index, used)| bits | u64::from(used) << index);
        assert_eq!(control.occupied().load(Ordering::Relaxed), in_use, "who is there");
        let has_ticket = readers(control).any(|entry| entry.ticket().load(Ordering::Relaxed) != 0);
        assert_eq!(control.flags().load(Ordering::Relaxed), if has_ticket { PENDING } else { 0 }, "who is pending");
        let state = |index| control.writer(control::writer(index)).state().load(Ordering::Relaxed);
        let is_worker = |index| if index == SHARED_WRITER { state(index) != 0 } else { is_of_kind(state(index), 1) };
        let workers = (0..WRITERS).fold(0, |bits, index| bits | u64::from(is_worker(index)) << index);
        assert_eq!(control.workers().load(Ordering::Relaxed), workers, "who is a worker");
        let gate = self.gate().position();
        for entry in readers(control) {
            let cursor = entry.cursor().load(Ordering::Relaxed);
            assert_eq!(cursor % 16, 0, "nobody is half moved");
            assert!(ahead(cursor, gate) >= 0 && ahead(self.tail(), cursor) >= 0, "everybody stands on the ring");
        }
        for position in self.fences() {
            // SAFETY: the gate, which knows it, is not past it.
            let seen = unsafe { self.shared.store.observe(position) };
            assert!(matches!(seen, Seen::Sealed { fenced: true, .. }), "what is registered is fenced: {seen:?}");
        }
        let names: Vec<_> = self.shared.stats().readers.into_iter().map(|reader| reader.name).collect();
        assert!(names.iter().all(|name| ["tap", "first", "second"].contains(&&**name)), "{names:?}");
    }
}

fn region_of(image: &[u8]) -> Region {
    let region = Region::anonymous(Ring::region_len(CAPACITY) as usize).unwrap();
    let words = image.chunks_exact(8).map(|bytes| u64::from_ne_bytes(bytes.try_into().unwrap()));
    for (index, word) in words.enumerate().filter(|(_, word)| *word != 0) {
        region.word(8 * index).store(word, Ordering::Relaxed);
    }
    region
}

/// A ring on which nothing has happened.
fn untouched() -> Region {
    let region = Region::anonymous(Ring::region_len(CAPACITY) as usize).unwrap();
    drop(Ring::new(region.clone(), CAPACITY, 0, KEY));
    region
}

/// A ring on which `prepare` has happened, all of whose handles stay.
fn prepared<T>(prepare: impl FnOnce(&Attached) -> T) -> Vec<u8> {
    let ring = Attached::to(untouched(), Owner::ALONE, false);
    let handles = prepare(&ring);
    let image = ring.image(ring.region.len() / 8 * 8);
    drop(handles);
    image
}

/// What `work` leaves that dies at each word it touches of the ring that `attach` makes; and last, where it does not,
/// the ring itself.
fn ends(attach: impl Fn() -> Attached, work: impl Fn(&Attached), mut look: impl FnMut(Result<Attached, Vec<u8>>, u64)) {
    for touches in 0.. {
        let mortal = attach();
        match crash::within(touches, &mortal.region, || work(&mortal)) {
            Ok(()) => {
                assert!(touches > 2, "it is cut where it counts");
                return look(Ok(mortal), touches);
            }
            Err(left) => look(Err(left), touches),
        }
    }
}

/// `MORTAL` dies in `work` at each word it touches. What it leaves is `HEIR`'s, and must be what `laws` says: after so
/// many words, or all.
fn cut(image: &[u8], work: impl Fn(&Attached), laws: impl Fn(&Attached, Option<u64>)) {
    ends(
        || Attached::to(region_of(image), MORTAL, false),
        work,
        |end, touches| match end {
            Ok(mortal) => {
                mortal.check();
                laws(&mortal, None);
            }
            Err(left) => {
                let heir = Attached::to(region_of(&left), HEIR, true);
                heir.check();
                laws(&heir, Some(touches));
            }
        },
    );
}

/// As much as the ring holds.
fn fill_up(writer: &RingWriter) {
    for _ in 0..CAPACITY / SLOT {
        writer.try_write_bytes(1, 1, &PAYLOAD).unwrap();
    }
}

/// The losses of reader 0 and its cursor fit: it has lost all before its cursor, and nothing else.
fn losses_are_exact(ring: &Attached) {
    let entry = ring.control().reader(control::reader(0));
    assert_eq!(entry.losses().load(Ordering::Relaxed) * SLOT, entry.cursor().load(Ordering::Relaxed));
}

#[test]
#[cfg_attr(miri, ignore = "minutes for copies of the ring; the sections themselves run under Miri in other tests")]
fn an_evictor_that_dies_has_moved_a_reader_with_its_losses_or_not_at_all() {
    let image = prepared(|ring| {
        let tap = ring.reader(Kind::Evictable, "tap");
        fill_up(&ring.writer(Role::Outside));
        tap
    });
    let (kept, moved) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let laws = |ring: &Attached, _| {
        losses_are_exact(ring);
        let cursor = ring.control().reader(control::reader(0)).cursor().load(Ordering::Relaxed);
        let seen = if cursor == 0 { &kept } else { &moved };
        seen.set(seen.get() + 1);
        // It goes on: the next one moves it, and counts what it had lost.
        let gate = ring.gate().refresh(4 * SLOT);
        assert!(ahead(gate, 4 * SLOT) >= 0);
        losses_are_exact(ring);
        fill_up(&ring.writer(Role::Outside));
        losses_are_exact(ring);
    };
    cut(&image, |ring| _ = ring.gate().refresh(2 * SLOT), laws);
    assert!(kept.get() > 5 && moved.get() > 2, "{kept:?} {moved:?}");
}

#[test]
fn a_tap_is_told_of_each_loss_once() {
    let ring = Attached::to(untouched(), Owner::ALONE, true);
    let (mut tap, writer) = (ring.reader(Kind::Evictable, "tap"), ring.writer(Role::Outside));
    fill_up(&writer);
    let mut told = 0;
    for target in 1..4 {
        // The lock of the one that died is in the image; this one goes on with the same memory.
        ring.control().lock().store(MORTAL.word(), Ordering::Relaxed);
        let entry = ring.control().reader(control::reader(0));
        let from = entry.cursor().load(Ordering::Relaxed);
        entry.moved_to().store(from + SLOT, Ordering::Relaxed);
        entry.moved_losses().store(entry.losses().load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        let flags = if target == 2 { readers::MOVING } else { readers::MOVING | readers::MOVED };
        entry.cursor().store(from | flags, Ordering::Relaxed);
        assert_eq!(tap.try_read(|_, _| ()), Err(ReadError::Empty), "it is being moved");
        drop(ring.gate().lock());
        if target == 2 {
            assert_eq!(entry.cursor().load(Ordering::Relaxed), from, "that did not count");
        } else {
            assert_eq!(tap.try_read(|_, _| ()), Err(ReadError::Lagged(1)));
            told += 1;
        }
    }
    assert_eq!(told * SLOT, tap.position());
}

#[test]
#[cfg_attr(miri, ignore = "minutes for copies of the ring; the sections themselves run under Miri in other tests")]
fn a_reader_that_dies_while_it_joins_is_there_whole_or_not_at_all() {
    let image = prepared(|ring| {
        let reader = ring.reader(Kind::Gating, "first");
        ring.writer(Role::Outside).write_bytes(1, 1, &PAYLOAD).unwrap();
        reader
    });
    let work = |ring: &Attached| std::mem::forget(ring.reader(Kind::Held, "second"));
    let (before, after) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    cut(&image, work, |ring, _| {
        let stats = ring.shared.stats();
        let joined = stats.readers.len() == 2;
        let seen = if joined { &after } else { &before };
        seen.set(seen.get() + 1);
        if joined {
            let second = &stats.readers[1];
            assert_eq!((&*second.name, second.held, second.position), ("second", true, SLOT));
        }
        // The next one finds a place, and the same messages.
        let mut next = ring.reader(Kind::Gating, "second");
        ring.writer(Role::Outside).write_bytes(1, 1, b"next").unwrap();
        assert_eq!(next.try_read(|_, payload| payload.to_vec()), Ok(b"next".to_vec()));
    });
    assert!(before.get() > 8 && after.get() > 1, "{before:?} {after:?}");
}

#[test]
#[cfg_attr(miri, ignore = "minutes for copies of the ring; the sections themselves run under Miri in other tests")]
fn a_reader_that_dies_while_it_leaves_is_there_or_gone() {
    let image = prepared(|ring| {
        let tap = ring.reader(Kind::Gating, "tap");
        let writer = ring.writer(Role::Worker(tap.index()));
        writer.take_ticket();
        (tap, writer)
    });
    let (there, gone) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    cut(
        &image,
        |ring| ring.gate().leave(control::reader(0)),
        |ring, _| {
            let is_there = !ring.shared.stats().readers.is_empty();
            let seen = if is_there { &there } else { &gone };
            seen.set(seen.get() + 1);
        },
    );
    assert!(there.get() > 0 && gone.get() > 1, "{there:?} {gone:?}");
}

/// A worker's writer on a ring of which somebody else knows, too; and whether that one may write.
fn with_two_workers(ring: &Attached) -> [(RingReader, RingWriter); 2] {
    ["first", "second"].map(|name| {
        let reader = ring.reader(Kind::Gating, name);
        let writer = ring.writer(Role::Worker(reader.index()));
        (reader, writer)
    })
}

#[test]
#[cfg_attr(miri, ignore = "minutes for copies of the ring; the sections themselves run under Miri in other tests")]
fn a_worker_that_dies_while_it_takes_a_ticket_holds_it_or_not() {
    let image = prepared(with_two_workers);
    let (without, with) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let index = control::reader(0);
    cut(
        &image,
        |ring| _ = ring.gate().take_ticket(index),
        |ring, _| {
            let ticket = ring.control().reader(index).ticket().load(Ordering::Relaxed);
            let seen = if ticket == 0 { &without } else { &with };
            seen.set(seen.get() + 1);
            let outside = ring.writer(Role::Outside);
            assert_eq!(
                outside.try_write_bytes(1, 1, b"outside").is_ok(),
                ticket == 0,
                "it is held back by a ticket alone"
            );
            // The next ticket is another one, and this one's turn comes before it.
            let next = ring.gate().take_ticket(control::reader(1));
            assert!(next > ticket);
            assert_eq!(ring.gate().is_first(control::reader(1)), ticket == 0);
            ring.gate().give_up_ticket(index, ticket);
            assert!(ring.gate().is_first(control::reader(1)));
            ring.gate().give_up_ticket(control::reader(1), next);
            assert_eq!(outside.try_write_bytes(1, 1, b"outside"), Ok(()));
        },
    );
    assert!(without.get() > 0 && with.get() > 0, "{without:?} {with:?}");
}

#[test]
#[cfg_attr(miri, ignore = "minutes for copies of the ring; the sections themselves run under Miri in other tests")]
fn a_worker_that_dies_while_it_gives_up_a_ticket_holds_it_or_not() {
    let image = prepared(|ring| {
        let workers = with_two_workers(ring);
        workers[0].1.take_ticket();
        workers
    });
    let index = control::reader(0);
    cut(
        &image,
        |ring| ring.gate().give_up_ticket(index, 1),
        |ring, _| {
            let is_held = ring.control().reader(index).ticket().load(Ordering::Relaxed) != 0;
            assert_eq!(ring.writer(Role::Outside).try_write_bytes(1, 1, b"outside").is_ok(), !is_held);
        },
    );
}

#[test]
#[cfg_attr(miri, ignore = "minutes for copies of the ring; the sections themselves run under Miri in other tests")]
fn a_writer_that_dies_while_it_begins_or_ends_is_a_workers_or_not() {
    let image = prepared(|ring| ring.reader(Kind::Gating, "first"));
    let begin = |ring: &Attached| ring.writer(Role::Worker(control::reader(0)));
    let is_a_workers = |ring: &Attached, _| {
        let state = ring.control().writer(control::writer(0)).state().load(Ordering::Relaxed);
        assert_eq!(ring.control().workers().load(Ordering::Relaxed), u64::from(is_of_kind(state, 1)));
    };
    cut(&image, |ring| std::mem::forget(begin(ring)), is_a_workers);
    cut(&image, |ring| drop(begin(ring)), is_a_workers);
}

/// More than have a place: those that share one are workers as long as one of them is.
#[test]
fn the_last_place_is_a_workers_until_the_last_of_them_leaves() {
    // With nobody else.
    let region = Region::anonymous(Ring::region_len(CAPACITY) as usize).unwrap();
    let shared = Arc::new(Shared::new(Ring::new(region.clone(), CAPACITY, 0, KEY), (), patient()));
    let ring = Attached { region, shared };
    let reader = ring.reader(Kind::Gating, "first");
    let places: Vec<_> = (0..SHARED_WRITER).map(|_| ring.writer(Role::Outside)).collect();
    let outside = ring.writer(Role::Outside);
    let mut workers = [(); 2].map(|()| Some(ring.writer(Role::Worker(reader.index()))));
    let has_worker = || ring.control().workers().load(Ordering::Relaxed) != 0;
    assert!(has_worker());
    workers[0] = None;
    assert!(has_worker());
    drop(outside);
    ring.check();
    workers[1] = None;
    assert!(!has_worker());
    drop(places);
    ring.check();
}

/// A payload whose fill hands the ring to `during`, as it is then.
struct Filling<F>(F);

impl<F: FnMut()> Payload for Filling<F> {
    fn size(&self) -> usize {
        8
    }

    fn fill(&mut self, space: &mut Space<'_>) -> Result<(), EncodeError> {
        self.0();
        space.put(&[1; 8])
    }
}

#[test]
#[cfg_attr(miri, ignore = "minutes for copies of the ring; the sections themselves run under Miri in other tests")]
fn a_reader_that_dies_while_it_fences_has_fenced_or_not_at_all() {
    let mut image = Vec::new();
    prepared(|ring| {
        let reader = ring.reader(Kind::Gating, "first");
        let writer = ring.writer(Role::Outside);
        // Up to the payload, which is lent to the fill.
        let header_end = control::SIZE + SLOT_HEADER as usize;
        writer.try_put(1, 1, &mut Filling(|| image = ring.image(header_end))).unwrap();
        reader
    });
    let (open, fenced) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    cut(
        &image,
        // SAFETY: reader 0 stands there.
        |ring| _ = unsafe { ring.gate().fence(0) },
        |ring, _| {
            // SAFETY: reader 0 stands there.
            let is_fenced = matches!(unsafe { ring.shared.store.observe(0) }, Seen::Sealed { fenced: true, .. });
            assert_eq!(ring.fences(), if is_fenced { vec![0] } else { Vec::new() });
            let seen = if is_fenced { &fenced } else { &open };
            seen.set(seen.get() + 1);
        },
    );
    assert!(open.get() > 2 && fenced.get() > 0, "{open:?} {fenced:?}");
}

/// The living hold the lock however long they take.
#[test]
fn a_lock_is_taken_over_from_the_dead_only() {
    static ASKED: AtomicU64 = AtomicU64::new(0);
    fn is_dead(_: Control<'_>, owner: Owner) -> bool {
        ASKED.fetch_add(1, Ordering::Relaxed);
        owner == MORTAL
    }
    let region = untouched();
    let ring = Attached::to(region.clone(), Owner::ALONE, false);
    let lock = ring.control().lock();
    for (holder, is_alive) in [(MORTAL, false), (Owner::of(1, 6), true), (Owner::ALONE, true)] {
        lock.store(holder.word(), Ordering::Relaxed);
        let heir = Ring::attached(region.clone(), CAPACITY, KEY, HEIR, is_dead);
        let (taken, is_taken) = channel();
        let before = ASKED.load(Ordering::Relaxed);
        let thread = spawn("heir", move || {
            drop(Gate::new(&heir).lock());
            taken.send(()).unwrap();
        });
        if is_alive {
            let start = Instant::now();
            while ASKED.load(Ordering::Relaxed) < before + 2 {
                assert_eq!(lock.load(Ordering::Relaxed), holder.word(), "it is the holder's");
                assert!(start.elapsed() < Duration::from_secs(60), "it is asked again and again");
                yield_now();
            }
            lock.store(0, Ordering::Relaxed);
        }
        is_taken.recv_timeout(Duration::from_secs(60)).expect("the heir goes on");
        thread.unwrap().join().unwrap();
        assert_eq!(lock.load(Ordering::Relaxed), 0);
    }
}
