//! What the dead leave is given back: wherever a writer, a reader or a healer dies, whoever heals then finds a ring on
//! which all goes on.

use super::super::super::claim::{ManyWriters, OneWriter, sealed::Claim as _};
use super::super::super::control::CLAIMED;
use super::super::super::owner::is_in_use;
use super::*;
use crate::message_bus::wait::Park;
use crate::traits::{NoWriter, WriteError};
use std::cell::Cell;

/// Dies after `MORTAL`.
const SECOND: Owner = Owner::of(3, 2);
const PATIENCE: Duration = Duration::from_secs(60);

fn both_are_dead(_: Control<'_>, owner: Owner) -> bool {
    [MORTAL, SECOND].contains(&owner)
}

/// A payload of `size` bytes, all of them `size`.
fn message(size: u8) -> Vec<u8> {
    vec![size; size.into()]
}

/// Fills such a one in place.
struct InPlace(u8);

impl Payload for InPlace {
    fn size(&self) -> usize {
        self.0.into()
    }

    fn fill(&mut self, space: &mut Space<'_>) -> Result<(), EncodeError> {
        space.put(&message(self.0))
    }
}

impl Attached {
    fn heir(image: &[u8]) -> Attached {
        Attached::seeing(region_of(image), HEIR, both_are_dead)
    }

    fn one_writer(&self) -> Result<RingWriter<OneWriter>, NoWriter> {
        RingWriter::new(&self.shared, Role::Outside)
    }

    fn claim_of(&self, number: usize) -> &AtomicU64 {
        self.control().writer(control::writer(number)).claim()
    }

    fn seen(&self, position: u64) -> Seen {
        // SAFETY: a slot begins there or will begin, and the gate is not past it.
        unsafe { self.shared.store.observe(position) }
    }

    /// What is still to be read of it.
    fn messages(&self) -> Vec<Vec<u8>> {
        let mut reader: RingReader =
            RingReader::new(&self.shared, Kind::Gating, "first", |standing| Ok(standing.gate())).unwrap();
        let read = std::iter::from_fn(|| reader.try_read(|_, payload| payload.to_vec()).ok()).collect();
        assert_eq!(reader.position(), self.tail(), "nothing is left unfinished");
        read
    }

    /// Heals, and sees that nothing of the dead is left and that all goes on. Returns what was on the ring.
    fn healed(&self) -> Vec<Vec<u8>> {
        while self.shared.heal() {}
        self.check();
        let control = self.control();
        let readers = (0..READERS).map(|index| control.reader(control::reader(index)).state());
        let writers = (0..WRITERS).map(|index| control.writer(control::writer(index)).state());
        for word in readers.chain(writers).chain([control.one_writer()]) {
            let owner = Owner::named_by(word.load(Ordering::Relaxed));
            assert!(!owner.is_some_and(|owner| both_are_dead(control, owner)), "{owner:?} has something");
        }
        assert_eq!(self.fences(), []);
        let messages = self.messages();
        for message in &messages {
            assert!(message.iter().all(|byte| usize::from(*byte) == message.len()), "torn: {message:?}");
        }
        messages
    }

    /// The ring goes round.
    fn goes_round(&self, writer: &impl Publish) {
        let mut reader = self.reader(Kind::Gating, "second");
        for _ in 0..3 * CAPACITY / SLOT {
            writer.try_write_bytes(1, 1, &PAYLOAD).unwrap();
            assert_eq!(reader.try_read(|_, payload| payload == PAYLOAD), Ok(true));
            reader.release();
        }
    }
}

/// An empty ring, all of whose users have left.
fn empty() -> Vec<u8> {
    prepared(|_| ())
}

/// Writes a message of `size` bytes, whichever way.
fn write(writer: &impl Publish, size: u8, in_place: bool) {
    if in_place {
        writer.try_put(1, 1, &mut InPlace(size)).unwrap();
    } else {
        writer.try_write_bytes(1, 1, &message(size)).unwrap();
    }
}

#[test]
#[cfg_attr(miri, ignore = "minutes for copies of the ring; the sections themselves run under Miri in other tests")]
fn a_writer_that_dies_has_written_a_message_whole_or_not_at_all() {
    for in_place in [false, true] {
        let (before, after, acknowledged) = (Cell::new(0), Cell::new(0), Cell::new(0));
        let work = |ring: &Attached| {
            acknowledged.set(0);
            let writer = ring.writer(Role::Outside);
            write(&writer, 3, in_place);
            acknowledged.set(1);
            write(&writer, 50, in_place);
            acknowledged.set(2);
        };
        ends(
            || Attached::to(region_of(&empty()), MORTAL, false),
            work,
            |end, _| {
                let Err(left) = end else { return };
                let heir = Attached::heir(&left);
                let messages = heir.healed();
                assert!([vec![], vec![message(3)], vec![message(3), message(50)]].contains(&messages), "{messages:?}");
                assert!(messages.len() >= acknowledged.get(), "an acknowledged message is lost");
                let seen = if messages.len() < 2 { &before } else { &after };
                seen.set(seen.get() + 1);
                heir.goes_round(&heir.writer(Role::Outside));
            },
        );
        assert!(before.get() > 8 && after.get() > 2, "{before:?} {after:?}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "minutes for copies of the ring; the sections themselves run under Miri in other tests")]
fn the_one_writer_that_dies_leaves_its_place_and_whole_messages() {
    for in_place in [false, true] {
        let (sealed, acknowledged) = (Cell::new(0), Cell::new(0));
        let work = |ring: &Attached| {
            acknowledged.set(0);
            let writer = ring.one_writer().unwrap();
            write(&writer, 3, in_place);
            acknowledged.set(1);
            write(&writer, 50, in_place);
            acknowledged.set(2);
        };
        ends(
            || Attached::to(region_of(&empty()), MORTAL, false),
            work,
            |end, _| {
                let Err(left) = end else { return };
                let heir = Attached::heir(&left);
                // It finds the place taken, and looks for the dead.
                let writer = heir.one_writer().expect("the place is given back");
                let messages = heir.healed();
                assert!([vec![], vec![message(3)], vec![message(3), message(50)]].contains(&messages), "{messages:?}");
                assert!(messages.len() >= acknowledged.get(), "an acknowledged message is lost");
                let bytes = messages.iter().map(|message| (message.len() as u64 + SLOT_HEADER).next_multiple_of(16));
                sealed.set(sealed.get() + u32::from(heir.tail() > bytes.sum()));
                heir.goes_round(&writer);
            },
        );
        assert!(sealed.get() > 2, "{sealed:?}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "half a minute, and nothing in memory that the tests beside it do not do")]
fn the_place_of_the_one_writer_is_the_livings() {
    let ring = Attached::seeing(region_of(&empty()), HEIR, both_are_dead);
    let other = Attached::seeing(ring.region.clone(), Owner::ALONE, both_are_dead);
    let writer = other.one_writer().unwrap();
    assert_eq!(ring.one_writer().err(), Some(NoWriter::Taken));
    drop(writer);
    assert!(ring.one_writer().is_ok());
}

/// Two die at each of their steps, and somebody who lives writes between and behind them: that tells where what each of
/// the dead claimed ends.
#[test]
#[cfg_attr(miri, ignore = "minutes for copies of the ring; the sections themselves run under Miri in other tests")]
fn of_two_that_die_both_claims_are_found_and_nothing_of_the_living_is_lost() {
    for in_place in [false, true] {
        let sealed = Cell::new([0; 3]);
        let image = empty();
        ends(
            || Attached::to(region_of(&image), MORTAL, false),
            |ring| write(&ring.writer(Role::Outside), 90, in_place),
            |end, _| {
                let Err(first) = end else { return };
                ends(
                    || {
                        let region = region_of(&first);
                        let living = Attached::to(region.clone(), Owner::ALONE, false);
                        living.writer(Role::Outside).try_write_bytes(1, 1, &message(7)).unwrap();
                        Attached::to(region, SECOND, false)
                    },
                    |ring| write(&ring.writer(Role::Outside), 33, in_place),
                    |end, _| {
                        let Err(second) = end else { return };
                        let heir = Attached::heir(&second);
                        let writer = heir.writer(Role::Outside);
                        writer.try_write_bytes(1, 1, &message(8)).unwrap();
                        let messages = heir.healed();
                        let mut expected = vec![message(7), message(8)];
                        if messages.contains(&message(33)) {
                            expected.insert(1, message(33));
                        }
                        if messages.contains(&message(90)) {
                            expected.insert(0, message(90));
                        }
                        assert_eq!(messages, expected);
                        let lens = messages.iter().map(|message| (message.len() as u64 + 16).next_multiple_of(16));
                        let slots = heir.tail() - lens.sum::<u64>();
                        let which = [0, 48 + 16, 112].iter().position(|len| *len == slots).unwrap_or(2);
                        let mut seen = sealed.get();
                        seen[which] += 1;
                        sealed.set(seen);
                        heir.goes_round(&writer);
                    },
                );
            },
        );
        assert!(sealed.get().iter().all(|times| *times > 0), "{sealed:?}");
    }
}

/// A ring on which `MORTAL` has claimed 48 bytes and gone no further, what it has there, and a writer of the living
/// behind it.
fn with_a_dead_claim() -> (Attached, (Attached, RingWriter), RingWriter) {
    let heir = Attached::heir(&empty());
    let mortal = Attached::to(heir.region.clone(), MORTAL, false);
    let writer = mortal.writer(Role::Outside);
    let claim = ManyWriters::new(&mortal.shared.store, control::writer(0));
    assert!(claim.claim_in_room(&mortal.shared.store, 48, Role::Outside).is_some(), "and no more");
    let living = heir.writer(Role::Outside);
    (heir, (mortal, writer), living)
}

#[test]
fn a_claim_that_may_be_the_livings_is_left() {
    let (ring, _mortal, living) = with_a_dead_claim();
    let asleep = [ring.control().message_sleepers(), ring.control().room_sleepers()];
    // As of one that has lost the race.
    ring.claim_of(1).store(CLAIMED, Ordering::Relaxed);
    assert!(!ring.shared.heal());
    assert_eq!(ring.seen(0), Seen::Open { pending: false });
    living.try_write_bytes(1, 1, &message(5)).unwrap();
    asleep.iter().for_each(|word| _ = word.fetch_or(1, Ordering::Relaxed));
    assert!(ring.shared.heal());
    let nobody = ring.shared.waiters.nobody();
    assert!(asleep.iter().all(|word| word.load(Ordering::Relaxed) == nobody), "everybody is woken");
    assert_eq!(ring.seen(0), Seen::Sealed { len: 48, fenced: false });
    assert_eq!(ring.messages(), [message(5)]);
}

/// Whose claim has no stamp yet has it announced.
#[test]
fn a_dead_claim_ends_where_one_of_the_living_begins() {
    let (ring, _mortal, _) = with_a_dead_claim();
    let claim = ManyWriters::new(&ring.shared.store, control::writer(1));
    let claimed = claim.claim_in_room(&ring.shared.store, 64, Role::Outside).unwrap();
    assert_eq!(claimed.position(), 48);
    assert!(ring.shared.heal());
    assert_eq!(ring.seen(0), Seen::Sealed { len: 48, fenced: false });
    assert_eq!(ring.seen(48), Seen::Open { pending: false });
    // SAFETY: claimed of it.
    unsafe { ring.shared.store.publish_bytes(claimed, 1, 1, (), &message(44)) };
    assert_eq!(ring.messages(), [message(44)]);
}

/// In the quick way a writer announces where it saw the tail last; where it has lost the race for that it says so.
#[test]
fn a_quick_claim_is_announced_or_taken_back() {
    let ring = Attached::heir(&empty());
    let (store, announced) = (&ring.shared.store, ring.claim_of(0));
    let claim = ManyWriters::new(store, control::writer(0));
    // Its limit is known from now on.
    assert!(claim.has_room(store, 64, Role::Outside));
    let end = || ring.control().tail().fetch_add(64, Ordering::Relaxed);
    end();
    let claimed = claim.claim_announced(store, 64).expect("room");
    assert_eq!((claimed.position(), announced.load(Ordering::Relaxed)), (64, 64 | CLAIMED));
    // It was not asked where the tail is, and there is no room for it any more where that is.
    while ring.tail() < CAPACITY - 512 {
        end();
    }
    assert!(claim.claim_announced(store, 64).is_none());
    assert_eq!(announced.load(Ordering::Relaxed), 0);
}

#[test]
fn nothing_is_claimed_unannounced() {
    const LARGE: u64 = 1 << 16;
    let region = Region::anonymous(Ring::region_len(LARGE) as usize).unwrap();
    let alone = Ring::new(region.clone(), LARGE, 0, KEY);
    assert!(ManyWriters::new(&alone, control::writer(0)).largest() > 0);
    assert_eq!(
        ManyWriters::new(&Ring::attached(region, LARGE, KEY, HEIR, |_, _| false), control::writer(0)).largest(),
        0
    );
}

/// Until the slot is finished that a dead writer may have claimed, its place is nobody's.
#[test]
#[cfg_attr(miri, ignore = "half a minute, and nothing in memory that the tests beside it do not do")]
fn a_dead_writers_place_is_kept_while_it_is_evidence() {
    let ring = Attached::heir(&empty());
    let mortal = Attached::to(ring.region.clone(), MORTAL, false);
    std::mem::forget(mortal.writer(Role::Outside));
    // It has lost the race for a slot that another one is filling.
    mortal.claim_of(0).store(CLAIMED, Ordering::Relaxed);
    let state = || ring.control().writer(control::writer(0)).state().load(Ordering::Relaxed);
    let living = ring.writer(Role::Outside);
    let healed = || {
        let before = ring.seen(0);
        assert!(!ring.shared.heal() && is_in_use(state()));
        assert_eq!((before, ring.seen(0)), (Seen::Open { pending: true }, Seen::Open { pending: true }));
    };
    living.try_put(1, 1, &mut Filling(healed)).unwrap();
    assert!(ring.shared.heal() && !is_in_use(state()));
    assert_eq!(ring.claim_of(0).load(Ordering::Relaxed), 0, "its successor claims elsewhere");
}

/// What the next one finds where an entry was that had claimed at the tail.
#[test]
#[cfg_attr(miri, ignore = "half a minute, and nothing in memory that the tests beside it do not do")]
fn a_dead_writer_that_never_claimed_leaves_nothing() {
    let ring = Attached::heir(&empty());
    let mortal = Attached::to(ring.region.clone(), MORTAL, false);
    std::mem::forget(mortal.writer(Role::Outside));
    mortal.claim_of(0).store(CLAIMED, Ordering::Relaxed);
    assert_eq!(ring.healed(), [[0; 0]; 0]);
    ring.goes_round(&ring.writer(Role::Outside));
}

#[test]
#[cfg_attr(miri, ignore = "half a minute, and nothing in memory that the tests beside it do not do")]
fn a_writer_without_room_claims_nothing() {
    let ring = Attached::heir(&empty());
    let _reader = ring.reader(Kind::Gating, "first");
    let writer = ring.writer(Role::Outside);
    fill_up(&writer);
    assert_eq!(writer.try_write_bytes(1, 1, &PAYLOAD), Err(WriteError::Full));
    assert_eq!(ring.claim_of(0).load(Ordering::Relaxed), 0);
}

#[test]
fn a_writer_has_one_message_in_hand() {
    let ring = Attached::heir(&empty());
    let (writer, other) = (ring.writer(Role::Outside), ring.writer(Role::Outside));
    for _ in 0..2 {
        let nested = || {
            assert_eq!(writer.try_write_bytes(1, 1, &message(1)), Err(WriteError::Filling));
            other.try_write_bytes(1, 1, &message(2)).unwrap();
        };
        writer.try_put(1, 1, &mut Filling(nested)).unwrap();
        writer.try_write_bytes(1, 1, &message(3)).unwrap();
        let fails = || std::panic::resume_unwind(Box::new("the fill fails"));
        let failed =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| writer.try_put(1, 1, &mut Filling(fails))));
        assert!(failed.is_err());
    }
}

/// All that can be had, in the hands of one that dies: readers of each kind, a ticket, a worker's writer with a claim
/// that has not begun, another with a fill that is fenced, and one that only waits.
fn all_that_can_be_had() -> Vec<u8> {
    let mut image = Vec::new();
    let ring = Attached::to(region_of(&empty()), MORTAL, false);
    let reader = ring.reader(Kind::Gating, "first");
    let handles = (ring.reader(Kind::Evictable, "tap"), ring.reader(Kind::Held, "second"), ring.writer(Role::Outside));
    let worker = ring.writer(Role::Worker(reader.index()));
    let filling = ring.writer(Role::Outside);
    let during = || {
        worker.take_ticket();
        // SAFETY: the reader stands there.
        assert!(unsafe { ring.gate().fence(0) });
        let claim = ManyWriters::new(&ring.shared.store, control::writer(1));
        assert!(claim.claim_in_room(&ring.shared.store, 64, Role::Outside).is_some(), "and no more");
        image = ring.image(control::SIZE + SLOT_HEADER as usize);
    };
    assert_eq!(filling.try_put(1, 1, &mut Filling(during)), Err(WriteError::Fenced));
    drop((handles, worker, filling, reader));
    image
}

#[test]
#[cfg_attr(miri, ignore = "minutes for copies of the ring; the sections themselves run under Miri in other tests")]
fn whoever_dies_while_it_heals_leaves_the_rest_to_the_next() {
    let image = all_that_can_be_had();
    let heir = Attached::heir(&image);
    assert!(heir.fences().len() == 1 && heir.control().workers().load(Ordering::Relaxed) != 0);
    assert_eq!(heir.shared.stats().readers.len(), 3);
    let seen = Cell::new(0);
    ends(
        || Attached::seeing(region_of(&image), SECOND, |_, owner| owner == MORTAL),
        |ring| assert!(ring.shared.heal()),
        |end, _| {
            let heir = match end {
                Ok(healed) => Attached::seeing(healed.region, HEIR, both_are_dead),
                Err(left) => Attached::heir(&left),
            };
            assert_eq!(heir.healed(), [[0; 0]; 0]);
            assert_eq!(heir.seen(0), Seen::Sealed { len: 32, fenced: false });
            assert_eq!(heir.seen(32), Seen::Sealed { len: 64, fenced: false });
            assert_eq!(heir.tail(), 96);
            assert!(heir.shared.stats().readers.is_empty());
            assert_eq!(heir.control().flags().load(Ordering::Relaxed), 0);
            assert_eq!(heir.control().workers().load(Ordering::Relaxed), 0);
            heir.goes_round(&heir.writer(Role::Outside));
            seen.set(seen.get() + 1);
        },
    );
    assert!(seen.get() > 200, "{seen:?}");
}

/// Whoever gets no further looks for the dead: a writer without room, one whose turn it is not, a reader.
#[test]
#[cfg_attr(miri, ignore = "half a minute, and nothing in memory that the tests beside it do not do")]
fn who_waits_for_the_dead_waits_no_more() {
    let full = |is_dead: fn(Control<'_>, Owner) -> bool| {
        let heir = Attached::seeing(region_of(&empty()), HEIR, is_dead);
        let mortal = Attached::to(heir.region.clone(), MORTAL, false);
        std::mem::forget(mortal.reader(Kind::Gating, "first"));
        let writer = heir.writer(Role::Outside);
        fill_up(&writer);
        writer.try_write_bytes(1, 1, &PAYLOAD)
    };
    assert_eq!(full(|_, _| false), Err(WriteError::Full));
    assert_eq!(full(both_are_dead), Ok(()));

    let pending = |is_dead: fn(Control<'_>, Owner) -> bool| {
        let heir = Attached::seeing(region_of(&empty()), HEIR, is_dead);
        let mortal = Attached::to(heir.region.clone(), MORTAL, false);
        let reader = mortal.reader(Kind::Gating, "first");
        let worker = mortal.writer(Role::Worker(reader.index()));
        worker.take_ticket();
        std::mem::forget((reader, worker));
        heir.writer(Role::Outside).try_write_bytes(1, 1, &PAYLOAD)
    };
    assert_eq!(pending(|_, _| false), Err(WriteError::Full));
    assert_eq!(pending(both_are_dead), Ok(()));

    let (heir, _mortal, living) = with_a_dead_claim();
    let mut reader = heir.reader(Kind::Gating, "first");
    assert_eq!(reader.position(), 48);
    drop(reader);
    reader = RingReader::new(&heir.shared, Kind::Gating, "first", |_| Ok(0)).unwrap();
    living.try_write_bytes(1, 1, &message(9)).unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        match reader.try_read(|_, payload| payload.to_vec()) {
            Ok(payload) => break assert_eq!(payload, message(9)),
            Err(error) => assert!(error == ReadError::Empty && Instant::now() < deadline, "{error}"),
        }
        reader.wait(Some(Duration::from_secs(1)));
    }
}

#[test]
#[cfg_attr(miri, ignore = "minutes: all places of three rings are taken, and each looks for its own from the first on")]
fn places_of_the_dead_are_found() {
    let ring = |is_dead| {
        let heir = Attached::seeing(region_of(&empty()), HEIR, is_dead);
        let mortal = Attached::to(heir.region.clone(), MORTAL, false);
        (0..READERS).for_each(|_| std::mem::forget(mortal.reader(Kind::Gating, "first")));
        (0..SHARED_WRITER).for_each(|_| std::mem::forget(mortal.writer(Role::Outside)));
        heir
    };
    let subscribed = |ring: &Attached| {
        let reader = RingReader::<Park>::new(&ring.shared, Kind::Gating, "tap", |_| Ok(0));
        reader.map(|_| ()).map_err(|error| error.to_string())
    };
    let living = ring(|_, _| false);
    assert!(subscribed(&living).is_err());
    let none = living.writer(Role::Outside);
    for knows_its_limit in [false, true] {
        assert!(!knows_its_limit || none.has_room(PAYLOAD.len()));
        assert_eq!(none.try_write_bytes(1, 1, &PAYLOAD), Err(WriteError::TooManyWriters { max: SHARED_WRITER }));
    }
    drop(none);
    living.check();

    let dead: fn(Control<'_>, Owner) -> bool = both_are_dead;
    assert_eq!(subscribed(&ring(dead)), Ok(()));
    assert_eq!(ring(dead).writer(Role::Outside).try_write_bytes(1, 1, &PAYLOAD), Ok(()));
}

/// A death wakes nobody, so nobody sleeps for long.
#[test]
#[cfg_attr(miri, ignore = "half a minute, and nothing in memory that the tests beside it do not do")]
fn who_sleeps_until_a_reader_of_the_dead_lets_go_looks_again() {
    static DIED: AtomicU64 = AtomicU64::new(0);
    let heir =
        Attached::seeing(region_of(&empty()), HEIR, |_, owner| owner == MORTAL && DIED.load(Ordering::Relaxed) == 1);
    let mortal = Attached::to(heir.region.clone(), MORTAL, false);
    std::mem::forget(mortal.reader(Kind::Gating, "first"));
    fill_up(&heir.writer(Role::Outside));
    let writer = RingWriter::<ManyWriters, Park>::new(&heir.shared, Role::Outside).unwrap();
    let (written, is_written) = channel();
    let thread = spawn("asleep", move || written.send(writer.write_bytes(1, 1, &PAYLOAD)).unwrap());
    let deadline = Instant::now() + PATIENCE;
    let nobody = heir.shared.waiters.nobody();
    while heir.control().room_sleepers().load(Ordering::Relaxed) == nobody {
        assert!(Instant::now() < deadline, "it falls asleep");
        yield_now();
    }
    DIED.store(1, Ordering::Relaxed);
    assert_eq!(is_written.recv_timeout(PATIENCE), Ok(Ok(())));
    thread.unwrap().join().unwrap();
}
