//! The laws of held readers, and of what has been let go of.

use super::{CAPACITY, MANY, Trace, check_order, fill_up, send_stream, trace};
use crate::support::{composed, drain, mix, next, number_of, wait_until};
use rust_messenger::traits::{CursorError, MessageBus, Next, Publish, ReadError, Reader, SubscribeError, WriteError};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Where the bus says that the reader `name` has released everything before.
fn released_by<B: MessageBus>(bus: &B, name: &str) -> u64 {
    bus.stats().readers.iter().find(|reader| reader.name == name).expect("it is subscribed").position
}

/// Writes `count` numbered messages, and returns where they begin.
fn write_numbered<B: MessageBus>(bus: &B, writer: &impl Publish, count: u64) -> Vec<u64> {
    let write = |number| {
        let position = bus.tail();
        writer.try_write_bytes(1, 1, &composed(1, number, 24)).unwrap();
        position
    };
    (0..count).map(write).collect()
}

/// Reads on, in every way there is, until there is no more. Returns the numbers.
fn read_in_every_way(reader: &mut impl Reader) -> Vec<u64> {
    let mut numbers = Vec::new();
    loop {
        let before = numbers.len();
        let mut note = |header: &_, bytes: &[u8]| numbers.push(number_of(header, bytes));
        let read = match before % 4 {
            0 => reader.try_read(note),
            1 => reader
                .try_handle(|header, bytes| {
                    note(header, bytes);
                    true
                })
                .map(drop),
            2 => reader.read(note),
            _ => reader
                .try_read_up_to(1, |header, bytes| {
                    note(header, bytes);
                    Next::Go
                })
                .map(drop),
        };
        reader.release();
        reader.wait(Some(Duration::ZERO));
        match read {
            Ok(()) => {}
            Err(ReadError::Empty | ReadError::WindowFull) => return numbers,
            Err(error) => panic!("{error}"),
        }
    }
}

/// How many messages a held reader holds: less than it may of the smallest ring.
const HELD: usize = if cfg!(miri) { 5 } else { 20 };
/// One of them. Behind it, and behind each other place that is read from, stand so many that the read after the last
/// one is none that waits.
const MIDDLE: usize = if cfg!(miri) { 2 } else { 12 };

/// Law 2: reads, batches, waits and releases let go of nothing that a held reader has read, and `release_to` of exactly
/// what it is told.
pub fn what_is_held_stays_until_it_is_released<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let mut held = bus.subscribe_held("held", None).unwrap();
    let writer = bus.writer().unwrap();
    let places = write_numbered(&bus, &writer, HELD as u64);
    assert_eq!(read_in_every_way(&mut held), (0..HELD as u64).collect::<Vec<_>>());
    assert_eq!(released_by(&bus, "held"), places[0], "nothing was released");
    held.release_to(places[MIDDLE]).unwrap();
    assert_eq!(released_by(&bus, "held"), places[MIDDLE]);
    held.release_to(places[1]).unwrap();
    assert_eq!(released_by(&bus, "held"), places[MIDDLE], "what is released stays so");
    // Between two messages, of the next one, and behind it.
    for asked in
        [places[MIDDLE + 1] + 1, places[MIDDLE + 1] + 16, held.position() + 16, places[0].wrapping_add(1 << 40)]
    {
        assert_eq!(held.release_to(asked), Err(CursorError::NoSuchPosition { asked }));
    }
    assert_eq!(released_by(&bus, "held"), places[MIDDLE]);
    held.release_to(held.position()).unwrap();
    assert_eq!(released_by(&bus, "held"), bus.tail());
    assert!(bus.stats().readers.iter().all(|reader| reader.held && !reader.evictable));
    drop(held);
    assert!(bus.stats().readers.is_empty());
}

/// Law 2: a held reader goes back to what it has not released, and no further.
pub fn a_held_reader_reads_again<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let (first, mut held) = (bus.tail(), bus.subscribe_held("held", None).unwrap());
    let writer = bus.writer().unwrap();
    let places = write_numbered(&bus, &writer, HELD as u64);
    // Only what was read: one that is to be read anyway is not skipped to.
    assert_eq!(held.rewind_to(places[1]), Err(CursorError::NoSuchPosition { asked: places[1] }));
    held.rewind_to(first).unwrap();
    for from in [0, 1, HELD - 1] {
        read_in_every_way(&mut held);
        held.rewind_to(places[from]).unwrap();
        assert_eq!(held.position(), places[from]);
        assert!(held.ready());
        assert_eq!(read_in_every_way(&mut held), (from as u64..HELD as u64).collect::<Vec<_>>());
    }
    held.release_to(places[MIDDLE]).unwrap();
    let (asked, oldest) = (places[MIDDLE - 1], places[MIDDLE]);
    assert_eq!(held.rewind_to(asked), Err(CursorError::NotRetained { asked, oldest }));
    assert_eq!(
        held.rewind_to(places[MIDDLE + 1] + 1),
        Err(CursorError::NoSuchPosition { asked: places[MIDDLE + 1] + 1 })
    );
    assert_eq!(held.position(), bus.tail(), "it stays where it is");
    held.rewind_to(oldest).unwrap();
    assert_eq!(read_in_every_way(&mut held), (MIDDLE as u64..HELD as u64).collect::<Vec<_>>());
}

/// Law 2, under a stream: a held reader goes back now and then, and what it gets in the end is every message once, in
/// order, with the bytes that it had the first time.
///
/// Method: a writer that is always ahead, on a bus that holds a fraction of the stream. A slot that was reused while it
/// was held breaks a payload's pattern, one that was released by the way makes the list another one.
pub fn a_held_reader_misses_nothing<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let mut held = bus.subscribe_held("held", None).unwrap();
    let mut other = bus.subscribe("other").unwrap();
    let (done, again) = thread::scope(|scope| {
        let writer = bus.writer().unwrap();
        scope.spawn(move || send_stream(&writer, 1, MANY, 100));
        scope.spawn(move || (0..MANY).for_each(|number| assert_eq!(next(&mut other, trace).number, number)));
        let (mut done, mut window, mut again) = (Vec::<Trace>::new(), Vec::<Trace>::new(), 0);
        for lot in (0..).map(mix) {
            if done.len() as u64 == MANY {
                break;
            }
            let read = if lot % 3 == 0 {
                held.try_read_up_to(lot as usize / 3 % 5, |header, bytes| {
                    window.push(trace(header, bytes));
                    Next::Go
                })
                .map(drop)
            } else {
                held.try_read(|header, bytes| window.push(trace(header, bytes)))
            };
            if read == Err(ReadError::Empty) {
                thread::yield_now();
            }
            let end = held.position();
            let place = |window: &[Trace], index: usize| window.get(index).map_or(end, |trace| trace.position);
            let index = (lot >> 32) as usize % (window.len() + 1);
            if read == Err(ReadError::WindowFull) || lot % 8 == 0 {
                // All of it, if there is no other way on.
                let index = if read.is_err() { window.len() } else { index };
                held.release_to(place(&window, index)).unwrap();
                done.extend(window.drain(..index));
            } else if lot % 8 == 1 {
                held.rewind_to(place(&window, index)).unwrap();
                again += window.len() - index;
                window.truncate(index);
            }
        }
        (done, again)
    });
    check_order(&done, 1, MANY);
    assert!(again != 0, "it never went back");
}

/// Law 4: a held reader on a ring has a limit, and says that it has come to it; what it lets go of wakes writers.
pub fn a_held_window_is_less_than_a_quarter<B: MessageBus>(make: impl Fn() -> B) {
    for size in [make().max_payload(), 8, 100].into_iter().take(if cfg!(miri) { 1 } else { 3 }) {
        let bus = make();
        let mut held = bus.subscribe_held("held", None).unwrap();
        let writer = bus.writer().unwrap();
        fill_up(&writer, size);
        let (start, tail) = (held.position(), bus.tail());
        let mut places = Vec::new();
        let full = loop {
            let position = held.position();
            match held.try_read(|_, _| ()) {
                Ok(()) => places.push(position),
                Err(error) => break error,
            }
        };
        assert_eq!(full, ReadError::WindowFull);
        let window = held.position() - start;
        assert!((CAPACITY as u64 / 8..CAPACITY as u64 / 4).contains(&window), "it may hold {window} bytes");
        // In every way, and however often: it is not ready, so a wait for more ends by its timeout.
        assert!(!held.ready());
        held.wait(Some(Duration::from_millis(1)));
        assert_eq!(held.read(|_, _| ()), Err(ReadError::WindowFull));
        assert_eq!(held.try_read_up_to(3, |_, _| panic!("too much")), Err(ReadError::WindowFull));
        // Back is always a way, and the window is full again at the same place.
        held.rewind_to(places[0]).unwrap();
        assert_eq!(held.try_read_up_to(usize::MAX, |_, _| Next::Go), Err(ReadError::WindowFull));
        assert_eq!(held.position() - start, window);
        // Only what it releases counts: writers go on then, one that sleeps, too.
        assert_eq!(writer.try_write_bytes(1, 1, &composed(1, 0, size)), Err(WriteError::Full));
        let written = AtomicBool::new(false);
        thread::scope(|scope| {
            let refused = bus.stats().full;
            scope.spawn(|| {
                let writer = writer;
                writer.write_bytes(1, 1, &composed(1, 0, size)).unwrap();
                written.store(true, Ordering::Release);
            });
            wait_until("the writer has found no room", || bus.stats().full > refused);
            let mut next = places.into_iter().skip(1).chain([held.position()]);
            while !written.load(Ordering::Acquire) {
                match next.next() {
                    Some(place) => held.release_to(place).unwrap(),
                    None => thread::yield_now(),
                }
            }
        });
        assert!(bus.tail() > tail);
        assert!(held.try_read(|_, _| ()).is_ok(), "it goes on");
    }
}

/// A journal has no limit for what is held.
pub fn a_held_window_has_no_end<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let mut held = bus.subscribe_held("held", None).unwrap();
    let writer = bus.writer().unwrap();
    let (first, count) = (bus.tail(), 2 * CAPACITY as u64 / 100);
    for number in 0..count {
        writer.try_write_bytes(1, 1, &composed(1, number, 100)).unwrap();
    }
    for _ in 0..2 {
        assert_eq!(drain(&mut held, |_, _| ()), count);
        assert_eq!(released_by(&bus, "held"), first);
        held.rewind_to(first).unwrap();
    }
}

/// Law 1: a held reader begins at any message that is still there, and nowhere else.
pub fn a_held_reader_begins_at_a_message<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    // Another one keeps them.
    let mut keeper = bus.subscribe_held("keeper", None).unwrap();
    let writer = bus.writer().unwrap();
    let places = write_numbered(&bus, &writer, 20);
    drain(&mut keeper, |_, _| ());
    // Miri takes seconds for each.
    for (number, &place) in (0..).zip(&places).step_by(if cfg!(miri) { 6 } else { 1 }) {
        let mut held = bus.subscribe_held("held", Some(place)).unwrap();
        assert_eq!(held.position(), place);
        assert_eq!(held.try_read(trace).unwrap().number, number);
        // Whoever subscribes there holds it: it is not gone when the other one lets go.
        assert_eq!(released_by(&bus, "held"), place);
    }
    let tail = bus.tail();
    let mut held = bus.subscribe_held("held", Some(tail)).unwrap();
    assert_eq!(held.try_read(|_, _| ()), Err(ReadError::Empty));
    for asked in [places[3] + 1, places[3] + 16, tail + 16, tail.wrapping_add(1 << 40)] {
        let error = bus.subscribe_held("nobody", Some(asked)).map(drop).unwrap_err();
        assert_eq!(error, SubscribeError::Journal(CursorError::NoSuchPosition { asked }));
    }
    assert_eq!(bus.stats().readers.len(), 2);
}

/// Law 1: what is gone nobody begins at.
pub fn a_held_reader_begins_at_nothing_that_is_gone<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let (first, mut reader) = (bus.tail(), bus.subscribe("reader").unwrap());
    let writer = bus.writer().unwrap();
    for _ in 0..2 {
        fill_up(&writer, 100);
        drain(&mut reader, |_, _| ());
    }
    let error = bus.subscribe_held("held", Some(first)).map(drop).unwrap_err();
    match error {
        SubscribeError::Journal(CursorError::NotRetained { asked, oldest }) => {
            assert_eq!(asked, first);
            assert!(bus.subscribe_held("held", Some(oldest)).is_ok());
        }
        other => panic!("{other}"),
    }
}

/// What everybody has let go of is where the slowest gating reader stands that is not held.
pub fn what_is_released_counts_no_held_reader<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let writer = bus.writer().unwrap();
    assert_eq!(bus.released(), bus.tail());
    let mut held = bus.subscribe_held("held", None).unwrap();
    let tap = bus.subscribe_evictable("tap").unwrap();
    let places = write_numbered(&bus, &writer, 8);
    assert_eq!(bus.released(), bus.tail(), "nobody counts");
    let mut slow = bus.subscribe("slow").unwrap();
    let mut quick = bus.subscribe("quick").unwrap();
    let tail = bus.tail();
    write_numbered(&bus, &writer, 8);
    drain(&mut quick, |_, _| ());
    assert_eq!(bus.released(), tail);
    slow.try_read(|_, _| ()).unwrap();
    assert_eq!(bus.released(), tail, "read, and not released");
    slow.release();
    assert_eq!(bus.released(), slow.position());
    drop(slow);
    assert_eq!(bus.released(), bus.tail());
    drain(&mut held, |_, _| ());
    held.rewind_to(places[0]).unwrap();
    drop((held, tap, quick));
    assert_eq!(bus.released(), bus.tail());
}

/// A reader that is not held releases by itself, and does not go back.
pub fn only_held_readers_go_back<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let writer = bus.writer().unwrap();
    for mut reader in [bus.subscribe("reader").unwrap(), bus.subscribe_evictable("tap").unwrap()] {
        let place = reader.position();
        writer.try_write_bytes(1, 1, b"one").unwrap();
        reader.try_read(|_, _| ()).unwrap();
        assert_eq!(reader.rewind_to(place), Err(CursorError::NotHeld));
        assert_eq!(reader.release_to(reader.position()), Err(CursorError::NotHeld));
        drain(&mut reader, |_, _| ());
        assert_eq!(reader.position(), bus.tail());
    }
}

/// A bus of one's own has no held readers unless it says how.
#[cfg(not(miri))]
pub fn held_readers_are_refused<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    assert_eq!(bus.subscribe_held("held", None).map(drop), Err(SubscribeError::Unsupported));
    let (writer, mut reader, mut tap) =
        (bus.writer().unwrap(), bus.subscribe("reader").unwrap(), bus.subscribe_evictable("tap").unwrap());
    let before = bus.tail();
    assert_eq!(bus.released(), before);
    writer.try_write_bytes(1, 1, b"one").unwrap();
    assert_eq!(bus.released(), before);
    reader.try_read(|_, _| ()).unwrap();
    reader.release();
    assert_eq!(bus.released(), bus.tail());
    tap.try_read(|_, _| ()).unwrap();
}
