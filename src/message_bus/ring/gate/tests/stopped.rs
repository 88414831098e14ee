//! Somebody stands still with the gate lock. Nobody waits for that for long, and nothing of what the others do
//! meanwhile is lost, done twice or done too early, wherever the holder stands and whatever it does when it goes on.

use super::super::super::owner::is_left_behind;
use super::*;
use crate::message_bus::wait::Park;
use crate::traits::{Interest, SubscribeError, WriteError};
use std::cell::Cell;

/// Who has the lock, and stands still.
const HOLDER: Owner = Owner::of(7, 3);
const PATIENCE: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });
/// As nobody wakes anybody here, a sleep that is not cut short does not end.
const SLEEP: Duration = Duration::from_secs(1 << 20);

fn hurried() -> Times {
    let short = Duration::from_millis(5);
    Times { lock: short, join: short, heal: Duration::ZERO, tick: SLEEP, ..patient() }
}

impl Attached {
    fn hurried(region: Region, owner: Owner) -> Attached {
        Attached::with(region, owner, |_, owner| owner == MORTAL, hurried())
    }

    /// `HOLDER` takes the lock, and stands still.
    fn stop(&self) {
        let lock = self.control().lock();
        assert_eq!(lock.compare_exchange(0, HOLDER.word(), Ordering::AcqRel, Ordering::Relaxed), Ok(0));
    }

    /// It goes on, and gives the lock back.
    fn go_on(&self) {
        assert_eq!(self.control().lock().swap(0, Ordering::AcqRel), HOLDER.word(), "it is its own all the time");
    }

    fn is_pending(&self) -> bool {
        self.control().flags().load(Ordering::Relaxed) & PENDING != 0
    }

    fn state_of(&self, index: ReaderIndex) -> u64 {
        self.control().reader(index).state().load(Ordering::Relaxed)
    }
}

/// Does `work`, which must not wait for whoever stands still.
fn in_time<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, is_done) = channel();
    let thread = spawn("in time", move || _ = done.send(work())).unwrap();
    let result = is_done.recv_timeout(PATIENCE).expect("nobody waits for whoever stands still");
    thread.join().unwrap();
    result
}

#[test]
fn a_writer_has_the_room_that_is_known() {
    in_time(|| {
        let ring = Attached::hurried(untouched(), HEIR);
        let (mut reader, writer) = (ring.reader(Kind::Gating, "first"), ring.writer(Role::Outside));
        writer.try_write_bytes(1, 1, &PAYLOAD).unwrap();
        ring.stop();
        // What it knows of the gate lasts for the rest of the ring.
        (1..CAPACITY / SLOT).for_each(|_| writer.try_write_bytes(1, 1, &PAYLOAD).unwrap());
        while reader.try_read(|_, _| ()).is_ok() {}
        assert_eq!(writer.try_write_bytes(1, 1, &PAYLOAD), Err(WriteError::Full));
        assert_eq!(ring.gate().position(), 0, "it moves under the lock only");
        ring.go_on();
        assert_eq!(writer.try_write_bytes(1, 1, &PAYLOAD), Ok(()));
        assert_eq!(reader.try_read(|_, payload| payload == PAYLOAD), Ok(true));
        ring.check();
    });
}

#[test]
fn what_is_released_is_said_as_it_was_known() {
    in_time(|| {
        let ring = Attached::hurried(untouched(), HEIR);
        let (mut reader, writer) = (ring.reader(Kind::Gating, "first"), ring.writer(Role::Outside));
        let write_and_read = |reader: &mut RingReader| {
            writer.try_write_bytes(1, 1, &PAYLOAD).unwrap();
            while reader.try_read(|_, _| ()).is_ok() {}
        };
        write_and_read(&mut reader);
        assert_eq!(ring.shared.released(), SLOT);
        let other = Attached::hurried(ring.region.clone(), Owner::ALONE);
        ring.stop();
        write_and_read(&mut reader);
        assert_eq!((ring.shared.released(), other.shared.released()), (SLOT, 0));
        ring.go_on();
        assert_eq!((ring.shared.released(), other.shared.released()), (2 * SLOT, 2 * SLOT));
        ring.gate().refresh(SLOT);
        ring.stop();
        let late = Attached::hurried(ring.region.clone(), Owner::ALONE);
        assert_eq!(late.shared.released(), ring.gate().position());
        ring.go_on();
    });
}

#[test]
fn the_dead_are_healed_later() {
    in_time(|| {
        let ring = Attached::hurried(untouched(), HEIR);
        let mortal = Attached::to(ring.region.clone(), MORTAL, false);
        // Dropped when all is over: what is forgotten is lost, which Miri sees.
        let _dead = mortal.reader(Kind::Gating, "first");
        ring.stop();
        assert!(!ring.shared.heal());
        assert_eq!(ring.shared.stats().readers.len(), 1);
        ring.go_on();
        assert!(ring.shared.heal());
        assert_eq!(ring.shared.stats().readers.len(), 0);
        ring.check();
    });
}

#[test]
fn a_silent_fill_is_fenced_later_and_its_owner_gives_it_up_at_once() {
    in_time(|| {
        let ring = Attached::hurried(untouched(), HEIR);
        let mut reader = ring.reader(Kind::Gating, "first");
        let writer = ring.writer(Role::Outside);
        let during = || {
            ring.stop();
            // SAFETY: the reader stands there.
            assert!(unsafe { !ring.gate().fence(0) });
            ring.go_on();
            // SAFETY: the same.
            assert!(unsafe { ring.gate().fence(0) });
            assert_eq!(ring.fences(), [0]);
            while reader.try_read(|_, _| ()).is_ok() {}
            let gate = ring.gate().refresh(ring.tail());
            assert_eq!(gate, 0, "its owner has yet to see it");
            ring.stop();
        };
        assert_eq!(writer.try_put(1, 1, &mut Filling(during)), Err(WriteError::Fenced));
        assert_eq!(ring.fences(), []);
        ring.go_on();
        assert_eq!(ring.gate().refresh(ring.tail()), ring.tail(), "nothing holds it any more");
        assert_eq!(ring.control().fences().load(Ordering::Relaxed), 0, "and its place is free");
        ring.check();
    });
}

/// All places have had a claim whose owner has seen it; the next one finds a place.
#[test]
fn places_of_claims_that_were_seen_are_used_again() {
    let ring = Attached::hurried(untouched(), HEIR);
    let mut reader = ring.reader(Kind::Gating, "first");
    let writer = ring.writer(Role::Outside);
    for _ in 0..2 * FENCED {
        let position = ring.tail();
        // SAFETY: the reader stands there.
        let during = || assert!(unsafe { ring.gate().fence(position) });
        assert_eq!(writer.try_put(1, 1, &mut Filling(during)), Err(WriteError::Fenced));
        while reader.try_read(|_, _| ()).is_ok() {}
        reader.release();
    }
    assert_eq!(ring.fences(), []);
}

/// A reader stands still wherever it fences a claim once more, in a place before that of the first fence, while the
/// claim's owner gives its bytes up.
#[test]
fn a_fence_that_comes_too_late_keeps_no_place() {
    for touches in 0.. {
        let ring = Attached::hurried(untouched(), HEIR);
        let owner = Attached::hurried(ring.region.clone(), Owner::ALONE);
        let mut reader = ring.reader(Kind::Gating, "first");
        let (first, second) = (ring.writer(Role::Outside), ring.writer(Role::Outside));
        let (mut owner, mut has_stood) = (Some(owner), false);
        let late = || {
            // SAFETY: the reader stands there.
            assert!(unsafe { ring.gate().fence(0) });
            while reader.try_read(|_, _| ()).is_ok() {}
            // SAFETY: the same.
            assert!(unsafe { ring.gate().fence(32) });
            ring.gate().unfence(0);
            ring.gate().refresh(ring.tail());
            let owner = owner.take().unwrap();
            let meanwhile = move || owner.gate().unfence(32);
            // SAFETY: the same.
            let fence = || assert!(unsafe { !ring.gate().fence(32) });
            has_stood = crash::pause(touches, &ring.region, meanwhile, fence);
            assert_eq!(ring.fences(), if has_stood { vec![] } else { vec![32] });
        };
        let mut fill = Filling(late);
        let during = || assert_eq!(second.try_put(1, 1, &mut fill), Err(WriteError::Fenced));
        assert_eq!(first.try_put(1, 1, &mut Filling(during)), Err(WriteError::Fenced));
        assert_eq!(ring.fences(), []);
        while reader.try_read(|_, _| ()).is_ok() {}
        assert_eq!(ring.gate().refresh(ring.tail()), ring.tail());
        if !has_stood {
            assert!(touches > 5);
            return;
        }
    }
}

#[test]
fn tickets_are_taken_and_given_up_without_the_lock() {
    in_time(|| {
        let ring = Attached::hurried(untouched(), HEIR);
        let [(first, one), (second, two)] = with_two_workers(&ring);
        let outside = ring.writer(Role::Outside);
        let is_held_back = || outside.try_write_bytes(1, 1, b"outside") == Err(WriteError::Full);
        for order in [[true, false], [false, true], [false, false]] {
            let without = |without: bool, work: &dyn Fn()| {
                if without {
                    ring.stop();
                }
                work();
                if without {
                    ring.go_on();
                }
            };
            assert!(!is_held_back());
            without(order[0], &|| one.take_ticket());
            assert!(is_held_back());
            without(order[1], &|| two.take_ticket());
            assert!(ring.gate().is_first(first.index()) && !ring.gate().is_first(second.index()));
            without(order[0], &|| one.give_up_ticket());
            assert!(ring.gate().is_first(second.index()) && is_held_back());
            without(order[1], &|| two.give_up_ticket());
            ring.check();
        }
        // As a number it wraps around, and no ticket is 0.
        ring.control().next_ticket().store(u64::MAX, Ordering::Relaxed);
        one.take_ticket();
        assert!(is_held_back());
    });
}

#[test]
fn who_leaves_without_the_lock_holds_nobody_and_its_place_is_given_back() {
    for kind in [Kind::Gating, Kind::Held, Kind::Evictable] {
        in_time(move || {
            let ring = Attached::hurried(untouched(), HEIR);
            let reader = ring.reader(kind, "first");
            let index = reader.index();
            let worker = ring.writer(Role::Worker(index));
            worker.take_ticket();
            ring.stop();
            drop(reader);
            assert_eq!(ring.control().reader(index).ticket().load(Ordering::Relaxed), 0);
            assert!(is_left_behind(ring.state_of(index)) && is_in_use(ring.state_of(index)));
            assert!(ring.shared.stats().readers.is_empty() && !ring.is_pending());
            drop(worker);
            ring.go_on();
            // Nobody has to heal first.
            let writer = ring.writer(Role::Outside);
            (0..3).for_each(|_| fill_up(&writer));
            ring.check();
            assert!(ring.shared.heal() && !ring.shared.heal());
            assert_eq!(ring.state_of(index), 0);
            ring.check();
        });
    }
}

/// Of all places, those that were left behind are found by whoever joins, too.
#[test]
#[cfg_attr(miri, ignore = "minutes: all places are taken")]
fn who_joins_finds_the_place_of_one_that_left_without_the_lock() {
    let ring = Attached::hurried(untouched(), HEIR);
    let mut readers: Vec<_> = (0..READERS).map(|_| ring.reader(Kind::Gating, "first")).collect();
    let full = ring.gate().join(Kind::Gating, "second", |_| Ok(0)).map(drop);
    assert_eq!(full, Err(SubscribeError::TooManyReaders { max: READERS }));
    ring.stop();
    drop(readers.pop());
    ring.go_on();
    assert!(ring.gate().join(Kind::Gating, "second", |_| Ok(0)).is_ok());
    ring.check();
}

#[test]
fn workers_begin_and_end_without_the_lock() {
    in_time(|| {
        let ring = Attached::hurried(untouched(), HEIR);
        let reader = ring.reader(Kind::Gating, "first");
        let workers = || ring.control().workers().load(Ordering::Relaxed);
        ring.stop();
        let writer = ring.writer(Role::Worker(reader.index()));
        assert_eq!(workers(), 1);
        drop(writer);
        assert_eq!(workers(), 0);
        ring.go_on();
        ring.check();
    });
}

#[test]
fn who_joins_waits_longer_and_says_who_has_the_lock() {
    in_time(|| {
        let join = Duration::from_millis(50);
        let ring = Attached::with(untouched(), HEIR, |_, _| false, Times { join, ..hurried() });
        let joined = |ring: &Attached| {
            let reader = RingReader::<Park>::new(&ring.shared, Kind::Gating, "first", |_| Ok(0));
            reader.map(drop)
        };
        ring.stop();
        let start = Instant::now();
        assert_eq!(joined(&ring), Err(SubscribeError::Busy { holder: Some(7) }));
        assert!(start.elapsed() >= join);
        ring.go_on();
        assert_eq!(joined(&ring), Ok(()));
        // Nobody's: somebody wrote there who may not.
        ring.control().lock().store(8, Ordering::Relaxed);
        assert_eq!(joined(&ring), Err(SubscribeError::Busy { holder: None }));
    });
}

/// Who lets go of the lock wakes nobody. A writer that waits for room looks again all the same.
#[test]
fn who_waits_for_room_goes_on_when_the_lock_is_free() {
    let ring = Attached::hurried(untouched(), HEIR);
    let (mut reader, writer) = (ring.reader(Kind::Gating, "first"), ring.writer(Role::Outside));
    fill_up(&writer);
    while reader.try_read(|_, _| ()).is_ok() {}
    ring.stop();
    let writer = RingWriter::<super::super::super::claim::ManyWriters, Park>::new(&ring.shared, Role::Outside).unwrap();
    let (written, is_written) = channel();
    let thread = spawn("waiting", move || written.send(writer.write_bytes(1, 1, &PAYLOAD)).unwrap()).unwrap();
    looks_again(&ring);
    ring.go_on();
    assert_eq!(is_written.recv_timeout(PATIENCE), Ok(Ok(())));
    thread.join().unwrap();
}

/// The same of a tap that somebody was just moving on.
#[test]
fn a_tap_that_is_being_moved_sleeps_and_goes_on() {
    let ring = Attached::hurried(untouched(), HEIR);
    let mut tap: RingReader<Park> =
        RingReader::new(&ring.shared, Kind::Evictable, "tap", |standing| Ok(standing.tail())).unwrap();
    fill_up(&ring.writer(Role::Outside));
    let entry = ring.control().reader(tap.index());
    entry.cursor().store(readers::MOVING, Ordering::Relaxed);
    assert!(!tap.ready());
    let (told, is_told) = channel();
    let thread = spawn("tap", move || {
        tap.wait_until(None, Interest::Messages, |tap| tap.ready());
        told.send(tap.try_read(|_, _| ())).unwrap();
    });
    looks_again(&ring);
    entry.losses().store(1, Ordering::Relaxed);
    entry.cursor().store(SLOT, Ordering::Release);
    assert_eq!(is_told.recv_timeout(PATIENCE), Ok(Err(ReadError::Lagged(1))));
    thread.unwrap().join().unwrap();
}

/// Somebody of this attachment looks again and again.
fn looks_again(ring: &Attached) {
    let (before, start) = (ring.shared.store.misses(), Instant::now());
    while ring.shared.store.misses() < before + 10 {
        assert!(start.elapsed() < PATIENCE, "it looks again");
        yield_now();
    }
}

/// What is done without the lock.
const WITHOUT: [fn(&mut Others); 6] = [
    |others| drop(others.reader.take()),
    |others| drop(others.tap.take()),
    |others| others.workers[0].1.take_ticket(),
    |others| others.workers[1].1.give_up_ticket(),
    |others| others.begun = Some(others.ring.writer(Role::Worker(others.workers[0].0.index()))),
    |others| drop(others.writer.take()),
];

/// One attachment that lives, and all it has: a reader and a tap that go, two workers of which the second waits for its
/// turn, a worker's writer that ends, and one that will begin.
struct Others {
    workers: [(RingReader, RingWriter); 2],
    reader: Option<RingReader>,
    tap: Option<RingReader>,
    writer: Option<RingWriter>,
    begun: Option<RingWriter>,
    ring: Attached,
}

impl Others {
    /// The tap is behind, and moved on by whoever needs room.
    fn on(region: Region) -> Others {
        let times = Times { lock: Duration::ZERO, ..hurried() };
        let ring = Attached::with(region, HEIR, |_, owner| owner == MORTAL, times);
        let tap = Some(ring.reader(Kind::Evictable, "tap"));
        (0..3).for_each(|_| ring.writer(Role::Outside).try_write_bytes(1, 1, &PAYLOAD).unwrap());
        let workers = with_two_workers(&ring);
        workers[1].1.take_ticket();
        let writer = Some(ring.writer(Role::Worker(workers[0].0.index())));
        Others { reader: Some(ring.reader(Kind::Gating, "first")), tap, writer, begun: None, workers, ring }
    }

    /// What has been done, as its words say it.
    fn check(&self) {
        let control = self.ring.control();
        let tickets: Vec<_> = readers(control).map(|entry| entry.ticket().load(Ordering::Relaxed)).collect();
        let mut taken: Vec<_> = tickets.iter().filter(|ticket| **ticket != 0).collect();
        let held = taken.len();
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), held, "no two have one ticket: {tickets:?}");
        let names = self.ring.shared.stats().readers.into_iter().filter(|reader| reader.evictable).count();
        assert_eq!(names, usize::from(self.tap.is_some()));
    }
}

/// What is done under it.
const UNDER: [fn(&Attached); 8] = [
    |ring| _ = ring.gate().refresh(ring.tail()),
    |ring| std::mem::forget(ring.reader(Kind::Gating, "second")),
    |ring| ring.gate().leave(control::reader(0)),
    |ring| _ = ring.gate().take_ticket(control::reader(0)),
    |ring| ring.gate().give_up_ticket(control::reader(0), 2),
    |ring| std::mem::forget(ring.writer(Role::Worker(control::reader(0)))),
    |ring| _ = ring.shared.heal(),
    |ring| drop(ring.gate().make_good(ring.gate().lock())),
];

/// The holder of the lock stands still at each word that it touches, for each of its sections, while another one does
/// each of what is done without it; then it goes on. What its words say then is what has been done.
#[test]
#[cfg_attr(miri, ignore = "minutes for so many rings; what is done meanwhile runs under Miri in other tests")]
fn wherever_the_holder_stands_what_is_done_without_the_lock_is_done() {
    let stood = Cell::new(0);
    for (under, without) in UNDER.into_iter().flat_map(|under| WITHOUT.map(|without| (under, without))) {
        for touches in 0.. {
            let region = untouched();
            let holder = Attached::with(region.clone(), HOLDER, |_, owner| owner == MORTAL, hurried());
            let first = holder.reader(Kind::Held, "first");
            let others = Arc::new(std::sync::Mutex::new(Others::on(region.clone())));
            holder.gate().take_ticket(first.index());
            // Somebody has died, for whoever heals.
            let mortal = Attached::to(region.clone(), MORTAL, false);
            std::mem::forget((mortal.reader(Kind::Gating, "first"), mortal.writer(Role::Outside)));
            let meanwhile = {
                let others = Arc::clone(&others);
                move || without(&mut others.lock().unwrap())
            };
            let has_stood = crash::pause(touches, &region, meanwhile, || under(&holder));
            holder.check();
            others.lock().unwrap().check();
            while holder.shared.heal() {}
            holder.check();
            others.lock().unwrap().check();
            stood.set(stood.get() + u32::from(has_stood));
            std::mem::forget(first);
            if !has_stood {
                break;
            }
        }
    }
    assert!(stood.get() > 500, "{stood:?}");
}

/// However short the time is, whoever has the lock is asked for.
#[test]
fn the_lock_of_the_dead_is_taken_over_at_once() {
    in_time(|| {
        let ring =
            Attached::with(untouched(), HEIR, |_, owner| owner == MORTAL, Times { lock: Duration::ZERO, ..hurried() });
        ring.writer(Role::Outside).try_write_bytes(1, 1, &PAYLOAD).unwrap();
        ring.control().lock().store(MORTAL.word(), Ordering::Relaxed);
        assert_eq!(ring.gate().refresh(SLOT), SLOT);
        assert_eq!(ring.control().lock().load(Ordering::Relaxed), 0);
    });
}

/// Who does it without the lock dies at each word that it touches, and is healed.
#[test]
#[cfg_attr(miri, ignore = "minutes for copies of the ring; what is done runs under Miri in other tests")]
fn who_dies_while_it_does_without_the_lock_is_healed() {
    let works: [fn(&Attached); 4] = [
        |ring| ring.gate().leave(control::reader(0)),
        |ring| _ = ring.gate().take_ticket(control::reader(1)),
        |ring| ring.gate().give_up_ticket(control::reader(0), 1),
        |ring| {
            let writer = ring.writer(Role::Worker(control::reader(1)));
            ring.gate().remove_worker(control::writer(2));
            std::mem::forget(writer);
        },
    ];
    let mut image = Vec::new();
    let mortal = Attached::to(untouched(), MORTAL, false);
    let workers = with_two_workers(&mortal);
    workers[0].1.take_ticket();
    mortal.stop();
    image.extend(mortal.image(mortal.region.len() / 8 * 8));
    mortal.go_on();
    for work in works {
        ends(
            || Attached::with(region_of(&image), MORTAL, |_, _| false, Times { lock: Duration::ZERO, ..patient() }),
            work,
            |end, _| {
                let region = match &end {
                    Ok(mortal) => mortal.region.clone(),
                    Err(left) => region_of(left),
                };
                let heir = Attached::hurried(region, HEIR);
                heir.go_on();
                while heir.shared.heal() {}
                heir.check();
                assert!(heir.shared.stats().readers.is_empty() && !heir.is_pending());
                assert_eq!(heir.control().workers().load(Ordering::Relaxed), 0);
                fill_up(&heir.writer(Role::Outside));
            },
        );
    }
}
