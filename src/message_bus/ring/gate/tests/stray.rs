//! What somebody has written into a ring who is no part of it: a length that no slot can have is said, and no word of
//! the mapping leads out of it, to a panic or into a loop.

use super::super::super::control::{self as block, CLAIMED};
use super::super::super::slot::{SLOT_ALIGN, pack};
use super::*;
use crate::message_bus::wait::Adaptive;
use crate::message_bus::{ManyWriters, OneWriter};
use crate::traits::Next;

/// How many small messages are written before the one that is hit.
const BEFORE: &[u64] = if cfg!(miri) { &[1] } else { &[0, 1, 2, 5] };
/// A slot of no bytes of payload.
const SMALL: u64 = SLOT_HEADER;

fn head(region: &Region, position: u64) -> &AtomicU64 {
    region.word(block::SIZE + (position % CAPACITY) as usize + 8)
}

/// Lengths that none can have: just too long, longer than the ring, and the longest.
fn lengths() -> [usize; 3] {
    [PAYLOAD.len() + 1, 2 * CAPACITY as usize, u32::MAX as usize]
}

/// As messages are read one by one and in batches.
fn read(reader: &mut RingReader, in_batches: bool) -> Result<usize, ReadError> {
    if in_batches {
        reader.try_read_up_to(64, |_, payload| {
            assert!(payload.len() <= PAYLOAD.len());
            Next::Go
        })
    } else {
        reader.try_read(|_, payload| assert!(payload.len() <= PAYLOAD.len())).map(|()| 1)
    }
}

/// Reads `before` messages, and then what is corrupt, again and again.
fn is_corrupt_behind(reader: &mut RingReader, in_batches: bool, before: u64) {
    let position = before * SMALL;
    let corrupt = Err(ReadError::Corrupt { position });
    if in_batches {
        let mut handled = 0;
        let read = reader.try_read_up_to(64, |_, _| {
            handled += 1;
            Next::Go
        });
        assert_eq!((read, handled), (corrupt, before));
    } else {
        for _ in 0..before {
            assert_eq!(read(reader, false), Ok(1));
        }
    }
    for in_batches in [false, true] {
        assert!(reader.ready(), "it has something to say");
        assert_eq!((read(reader, in_batches), reader.position()), (corrupt, position));
    }
    assert_eq!(reader.unblock(), None, "nobody is waited for");
    assert_eq!(reader.unread(position + SMALL, Duration::MAX).bytes, SMALL, "nor in a drain");
}

#[test]
fn a_length_that_no_message_can_have_is_said() {
    for (kind, in_batches) in
        [Kind::Gating, Kind::Held, Kind::Evictable].into_iter().flat_map(|it| [(it, false), (it, true)])
    {
        for (before, len) in BEFORE.iter().copied().flat_map(|before| lengths().map(|len| (before, len))) {
            let region = untouched();
            let ring = Attached::to(region.clone(), HEIR, false);
            let mut reader = ring.reader(kind, "first");
            let writer = ring.writer(Role::Outside);
            for _ in 0..=before {
                writer.try_write_bytes(1, 1, &[]).unwrap();
            }
            head(&region, before * SMALL).store(pack(1, 1, len), Ordering::Relaxed);
            is_corrupt_behind(&mut reader, in_batches, before);
            // Nobody writes over it.
            while writer.try_write_bytes(1, 1, &PAYLOAD).is_ok() {}
            assert_eq!(read(&mut reader, in_batches), Err(ReadError::Corrupt { position: before * SMALL }));
        }
    }
}

/// What a dead writer has claimed is no more than the ring, whatever the tail says.
#[test]
fn a_stray_tail_is_not_walked_up_to() {
    let region = untouched();
    let mortal = Attached::to(region.clone(), MORTAL, false);
    let writer = RingWriter::<OneWriter, Adaptive>::new(&mortal.shared, Role::Outside).unwrap();
    mortal.control().tail().store(8 * CAPACITY, Ordering::Relaxed);
    let heir = Attached::to(region, HEIR, true);
    assert!(heir.shared.heal());
    // SAFETY: the gate stands there.
    let seen = unsafe { heir.shared.store.observe(0) };
    assert_eq!(seen, Seen::Sealed { len: CAPACITY, fenced: false });
    drop(writer);
}

/// A stray sum of losses is told as what it is.
#[test]
fn losses_that_shrink_are_told() {
    let ring = Attached::to(untouched(), HEIR, false);
    let (mut tap, writer) = (ring.reader(Kind::Evictable, "tap"), ring.writer(Role::Outside));
    fill_up(&writer);
    ring.gate().refresh(2 * SLOT);
    let Err(ReadError::Lagged(lost)) = tap.try_read(|_, _| ()) else { panic!("it was moved") };
    let entry = ring.control().reader(block::reader(0));
    entry.losses().store(lost - 1, Ordering::Relaxed);
    entry.cursor().fetch_add(SLOT, Ordering::Relaxed);
    assert_eq!(tap.try_read(|_, _| ()), Err(ReadError::Lagged(u64::MAX)));
    assert_eq!(tap.try_read(|_, payload| payload == PAYLOAD), Ok(true));
}

/// Nor is it too much for whoever counts what it did not read.
#[test]
fn losses_without_end_are_as_many_as_can_be_said() {
    let ring = Attached::to(untouched(), HEIR, false);
    let (mut tap, writer) = (ring.reader(Kind::Evictable, "tap"), ring.writer(Role::Outside));
    (0..2).for_each(|_| writer.try_write_bytes(1, 1, &PAYLOAD).unwrap());
    let entry = ring.control().reader(block::reader(0));
    entry.losses().store(u64::MAX, Ordering::Relaxed);
    entry.cursor().fetch_add(SLOT, Ordering::Relaxed);
    assert_eq!(tap.unread(ring.tail(), Duration::ZERO).messages, u64::MAX);
}

/// Wherever a stray word has a reader or writer begin, its slot lies in the ring.
#[test]
fn a_slot_is_aligned_wherever_it_is() {
    let ring = Attached::to(untouched(), HEIR, false);
    let slots = &ring.shared.store;
    let address = |position| slots.at(position).stamp().as_ptr().addr();
    for position in [1, 8, 15, CAPACITY - 1, u64::MAX, 1 << 63 | 7] {
        assert_eq!(address(position) - address(0), (position % CAPACITY / SLOT_ALIGN * SLOT_ALIGN) as usize);
    }
}

/// A message that is as long as any can be, wherever a batch ends, is one.
#[test]
fn the_longest_message_is_a_message() {
    for (before, in_batches) in BEFORE.iter().copied().flat_map(|before| [(before, false), (before, true)]) {
        let ring = Attached::to(untouched(), HEIR, false);
        let (mut reader, writer) = (ring.reader(Kind::Gating, "first"), ring.writer(Role::Outside));
        for _ in 0..before {
            writer.try_write_bytes(1, 1, &[]).unwrap();
        }
        for _ in 0..3 {
            writer.try_write_bytes(1, 1, &PAYLOAD).unwrap();
        }
        while read(&mut reader, in_batches).is_ok() {}
        assert_eq!((read(&mut reader, in_batches), reader.position()), (Err(ReadError::Empty), ring.tail()));
        assert_eq!(ring.tail(), before * SMALL + 3 * SLOT);
    }
}

#[test]
fn a_length_that_nothing_sealed_can_have_is_said() {
    for in_batches in [false, true] {
        let region = untouched();
        let ring = Attached::to(region.clone(), HEIR, false);
        let mut reader = ring.reader(Kind::Gating, "first");
        ring.writer(Role::Outside).try_put(1, 1, &mut Fails).unwrap_err();
        head(&region, 0).store(pack(1, 1, CAPACITY as usize + 1), Ordering::Relaxed);
        is_corrupt_behind(&mut reader, in_batches, 0);
    }
}

/// Its fill fails.
struct Fails;

impl Payload for Fails {
    fn size(&self) -> usize {
        8
    }

    fn fill(&mut self, _: &mut Space<'_>) -> Result<(), EncodeError> {
        Err(EncodeError::TooLong { claimed: 0 })
    }
}

/// The words of the control block that are hit, by their place.
fn words() -> impl Iterator<Item = usize> {
    (0..block::SIZE).step_by(8)
}

/// All that users of a ring do, one of whom has died at a claim.
fn walk(region: &Region, stray: impl Fn()) {
    let dead = Attached::to(region.clone(), MORTAL, false);
    // A stray word may be anybody's lock, too.
    let times = Times { lock: Duration::ZERO, join: Duration::ZERO, ..patient() };
    let ring = Attached::with(region.clone(), HEIR, |_, owner| owner == MORTAL, times);
    let mut readers = [Kind::Gating, Kind::Held, Kind::Evictable].map(|kind| ring.reader(kind, "first"));
    let mut sleepy = ring.reader(Kind::Evictable, "tap");
    let (worker, writer) = (ring.writer(Role::Worker(block::reader(0))), ring.writer(Role::Outside));
    writer.try_write_bytes(1, 1, &PAYLOAD).unwrap();
    let lost = dead.writer(Role::Outside);
    let control = ring.control();
    control.writer(block::writer(2)).claim().store(ring.tail() | CLAIMED, Ordering::Relaxed);
    control.tail().fetch_add(3 * SMALL, Ordering::Relaxed);
    for _ in 0..4 {
        stray();
        for writer in [&worker, &writer] {
            _ = (0..2).map(|_| writer.try_write_bytes(1, 1, &PAYLOAD)).collect::<Vec<_>>();
            _ = writer.try_put(1, 1, &mut Fails);
        }
        worker.take_ticket();
        for reader in &mut readers {
            for in_batches in [false, true] {
                _ = read(reader, in_batches);
            }
            _ = (reader.ready(), reader.unblock(), reader.unread(ring.tail(), Duration::ZERO));
            _ = reader.release_to(reader.position());
        }
        worker.give_up_ticket();
        // SAFETY: none is needed of a test that wants to know what comes of it: the words that say so are stray.
        _ = unsafe { ring.gate().fence(readers[0].position()) };
        for _ in 0..3 {
            ring.shared.heal();
        }
        ring.gate().refresh(ring.tail());
        _ = (ring.shared.stats(), ring.gate().released(), ring.gate().has_no_place());
        let asked = readers[0].position();
        let second = RingReader::<Adaptive>::new(&ring.shared, Kind::Gating, "second", |standing| {
            _ = ring.gate().found(standing, asked);
            Ok(standing.tail())
        });
        _ = second.map(|mut reader| read(&mut reader, true));
        _ = read(&mut sleepy, false);
        drop(RingWriter::<ManyWriters, Adaptive>::new(&ring.shared, Role::Outside));
    }
    drop((readers, sleepy, worker, writer));
    drop(ring);
    std::mem::forget((lost, dead));
}

/// What is written there: small, large, signs, flags, and what may name somebody.
const STRAYS: [u64; 8] =
    [0, 1, u64::MAX, 1 << 63, u64::MAX >> 1, 16 * 0x5555_5555, 0x0000_0005_0001_0101, 0x0000_0009_0002_0001];

#[test]
#[cfg_attr(miri, ignore = "an hour for so many rings")]
fn no_stray_word_of_the_control_block_leads_anywhere() {
    for at in words() {
        for stray in STRAYS {
            let region = untouched();
            walk(&region, || region.word(at).store(stray, Ordering::Relaxed));
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "an hour for so many rings")]
fn no_stray_word_of_a_slot_leads_anywhere() {
    for at in (0..CAPACITY as usize).step_by(8) {
        for stray in STRAYS {
            let region = untouched();
            walk(&region, || region.word(block::SIZE + at).store(stray, Ordering::Relaxed));
        }
    }
}
