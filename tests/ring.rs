//! What only the ring has: its capacity and its end, positions that wrap around, claims by fetch-and-add and by
//! compare-and-swap beside each other, its tables and what happens when they are full.
//!
//! The laws that the ring shares with every other bus are in `tests/bus_contract.rs`.

mod support;

use proptest::prelude::*;
use rust_messenger::message_bus::wait::Adaptive;
use rust_messenger::message_bus::{BusError, CircularBus, Claim, ManyWriters, OneWriter, RingOptions, RingReader};
use rust_messenger::traits::{BusWriter, MessageBus, Publish, ReadError, Reader, WriteError};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;
use support::{PATIENCE, compose, composed, drain, next, number_of, size_of, wait_until, wait_until_half_full, within};

/// Starts from which positions soon pass a limit of some integer type, or the end of u64 itself.
const STARTS: &[u64] = if cfg!(miri) {
    &[(1 << 63) - 512, 0_u64.wrapping_sub(512)]
} else {
    &[0, (1 << 31) - 512, (1 << 32) - 512, (1 << 63) - 512, 0_u64.wrapping_sub(4096), 0_u64.wrapping_sub(16)]
};

fn ring<C: Claim>(capacity: usize, first: u64) -> CircularBus<C, Adaptive> {
    CircularBus::with_options(RingOptions { capacity, first, ..RingOptions::default() }).unwrap()
}

/// The bytes of ring that a payload takes: its header of 16 bytes, itself, and what is missing to a multiple of 16.
fn slot_len(size: usize) -> u64 {
    (16 + size as u64).next_multiple_of(16)
}

/// What many writers leave free, so that fetch-and-add cannot overshoot: nothing on the smallest rings.
fn reserve(capacity: usize, many: bool) -> u64 {
    if many && capacity >= 8 * 1024 { capacity as u64 / 16 } else { 0 }
}

// ------------------------------------------------------------------------------------------------------------- limits

#[test]
fn a_capacity_is_a_power_of_two_in_range() {
    for asked in [
        0,
        1,
        256,
        512,
        1000,
        1023,
        1025,
        3 * 1024,
        65_535,
        2 * RingOptions::MAX_CAPACITY,
        RingOptions::MAX_CAPACITY + 1,
        usize::MAX,
    ] {
        let error = CircularBus::new(asked).unwrap_err();
        assert!(matches!(error, BusError::Capacity { asked: said } if said == asked), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(&asked.to_string()) && text.contains(&RingOptions::MIN_CAPACITY.to_string()), "{text}");
        assert!(CircularBus::one_writer(asked).is_err());
    }
    assert_eq!(CircularBus::new(RingOptions::MIN_CAPACITY).unwrap().max_payload(), RingOptions::MIN_CAPACITY / 8 - 16);
    assert_eq!(CircularBus::one_writer(64 * 1024).unwrap().max_payload(), 8 * 1024 - 16);
}

#[test]
fn a_first_position_is_a_multiple_of_a_slot() {
    for asked in [1, 8, 15, 17, 24, u64::MAX] {
        let options = RingOptions { first: asked, capacity: 1024, ..RingOptions::default() };
        let error = CircularBus::<ManyWriters, Adaptive>::with_options(options).unwrap_err();
        assert!(matches!(error, BusError::First { asked: said } if said == asked), "{error:?}");
        assert!(error.to_string().contains(&asked.to_string()));
    }
    assert_eq!(ring::<ManyWriters>(1024, 48).tail(), 48);
    assert_eq!(ring::<ManyWriters>(1024, 48).subscribe("reader").unwrap().position(), 48);
}

/// How much fits: all of the ring for one writer, and all but the reserve for many.
#[test]
fn a_ring_fills_to_the_last_slot() {
    fn fill<C: Claim>(capacity: usize, usable: u64) {
        // The small ones make many messages, which is no matter but to Miri.
        for size in [capacity / 8 - 16, 100, 16, 0].into_iter().take(if cfg!(miri) { 2 } else { 4 }) {
            let bus = ring::<C>(capacity, 0);
            let _reader = bus.subscribe("reader").unwrap();
            let writer = bus.writer().unwrap();
            let mut fitted = 0;
            while writer.try_write_bytes(1, 1, &vec![1; size]).is_ok() {
                fitted += 1;
            }
            assert_eq!(fitted, usable / slot_len(size), "capacity {capacity}, size {size}");
        }
    }
    for capacity in [1024, 4 * 1024, 8 * 1024, if cfg!(miri) { 8 * 1024 } else { 64 * 1024 }] {
        fill::<OneWriter>(capacity, capacity as u64);
        fill::<ManyWriters>(capacity, capacity as u64 - reserve(capacity, true));
    }
}

/// The smallest ring takes eight of its largest messages, and its largest number of messages, lap after lap.
#[test]
fn the_smallest_ring_is_a_ring() {
    fn laps<C: Claim>() {
        let bus = ring::<C>(RingOptions::MIN_CAPACITY, 0);
        let max = bus.max_payload();
        let mut reader = bus.subscribe("reader").unwrap();
        let writer = bus.writer().unwrap();
        let mut number = 0;
        for _ in 0..if cfg!(miri) { 1 } else { 300 } {
            for size in [max, 8, 0] {
                let mut sent = VecDeque::new();
                loop {
                    let payload = if size == 0 { Vec::new() } else { composed(1, number, size) };
                    match writer.try_write_bytes(1, 1, &payload) {
                        Ok(()) => sent.push_back(number),
                        Err(WriteError::Full) => break,
                        Err(error) => panic!("{error}"),
                    }
                    number += 1;
                }
                assert_eq!(sent.len() as u64, RingOptions::MIN_CAPACITY as u64 / slot_len(size));
                drain(&mut reader, |header, bytes| {
                    let expected = sent.pop_front();
                    if size == 0 {
                        assert!(bytes.is_empty());
                    } else {
                        assert_eq!(Some(number_of(header, bytes)), expected);
                    }
                });
                if size == 0 {
                    sent.clear();
                }
                assert!(sent.is_empty());
            }
        }
    }
    laps::<ManyWriters>();
    laps::<OneWriter>();
}

/// A slot that crosses the end of the ring is as good as any other, wherever it begins and however far it reaches.
#[test]
fn slots_cross_the_end_at_every_offset() {
    fn cross<C: Claim>(capacity: usize, places: impl Iterator<Item = u64>) {
        for before_end in places {
            for size in [0, 1, 8, 16, 17, capacity / 16, capacity / 8 - 17, capacity / 8 - 16] {
                // Three laps in, so that the memory is not fresh in any way that matters to positions.
                let bus = ring::<C>(capacity, 3 * capacity as u64 - before_end);
                let mut reader = bus.subscribe("reader").unwrap();
                let mut tap = bus.subscribe_evictable("tap").unwrap();
                let writer = bus.writer().unwrap();
                let expected: Vec<u8> = (0..size).map(|n| n as u8 ^ before_end as u8).collect();
                // What follows the slot must neither damage it nor be damaged by it.
                writer.try_write_bytes(1, 1, &expected).unwrap();
                writer.try_write(1, 1, size, |bytes| bytes.copy_from_slice(&expected)).unwrap();
                writer.try_write_bytes(2, 2, b"next").unwrap();
                for reader in [&mut reader, &mut tap] {
                    for _ in 0..2 {
                        reader.try_read(|_, bytes| assert_eq!(bytes, expected, "{before_end} before the end")).unwrap();
                    }
                    reader.try_read(|_, bytes| assert_eq!(bytes, b"next")).unwrap();
                }
            }
        }
    }
    let step = if cfg!(miri) { 80 } else { 16 };
    cross::<ManyWriters>(1024, (16..=272).step_by(step));
    cross::<OneWriter>(1024, (16..=272).step_by(step));
    if !cfg!(miri) {
        cross::<ManyWriters>(8 * 1024, (16..=2064).step_by(16));
    }
}

// ---------------------------------------------------------------------------------------------------------- positions

/// Positions wrap around u64 like everything that counts: a full ring is full, an old slot is old, and what an
/// evictable reader lost is counted, on both sides of every limit.
#[test]
fn positions_wrap_around() {
    fn wrap<C: Claim>(capacity: usize, start: u64) {
        let bus = ring::<C>(capacity, start);
        let mut reader = bus.subscribe("reader").unwrap();
        let mut tap = bus.subscribe_evictable("tap").unwrap();
        let mut writer = bus.writer().unwrap();
        let (mut sent, mut received, mut accounted) = (0, 0, 0);
        // From every start it is less than that to the limit.
        let enough = if cfg!(miri) { 1024 } else { 8192 };
        for lap in 0..(if cfg!(miri) { 3 } else { 30 }).max(enough / capacity + 2) {
            // A new writer knows nothing of where its predecessor was.
            drop(writer);
            writer = bus.writer().unwrap();
            let mut fitted = 0;
            loop {
                let size = size_of(1, sent, bus.max_payload());
                match writer.try_write_bytes(1, 1, &composed(1, sent, size)) {
                    Ok(()) => (sent, fitted) = (sent + 1, fitted + 1),
                    Err(WriteError::Full) => break,
                    Err(error) => panic!("{error}"),
                }
                let used = bus.tail().wrapping_sub(reader.position());
                assert!(used <= capacity as u64, "start {start}: {used} bytes in a ring of {capacity}");
            }
            assert!(fitted >= 6, "start {start}: room for {fitted} messages in lap {lap}");
            let stats = bus.stats();
            assert_eq!(stats.readers[0].lag, bus.tail().wrapping_sub(reader.position()));
            while let Ok(number) = reader.try_read(number_of) {
                assert_eq!(number, received, "start {start}");
                received += 1;
            }
            assert_eq!(received, sent);
            if lap % 3 == 0 {
                loop {
                    match tap.try_read(number_of) {
                        Ok(number) => {
                            assert_eq!(number, accounted, "start {start}");
                            accounted += 1;
                        }
                        Err(ReadError::Lagged(lost)) => accounted += lost,
                        Err(_) => break,
                    }
                }
                assert_eq!(accounted, sent);
            }
        }
        assert!(bus.tail().wrapping_sub(start) > enough as u64, "the limit was not passed");
    }
    let capacities: &[usize] = if cfg!(miri) { &[1024] } else { &[1024, 8 * 1024, 64 * 1024] };
    for &start in STARTS {
        for &capacity in capacities {
            wrap::<ManyWriters>(capacity, start);
            wrap::<OneWriter>(capacity, start);
        }
    }
}

/// As [`positions_wrap_around`], with threads and without a reader at first: then the gate walks the slots itself.
#[test]
fn positions_wrap_around_for_threads() {
    within("positions_wrap_around_for_threads", || {
        let count = if cfg!(miri) { 10 } else { 2000 };
        for &start in STARTS {
            let bus = ring::<ManyWriters>(8 * 1024, start.wrapping_sub(8 * 1024));
            let alone = bus.writer().unwrap();
            for number in 0..40 {
                alone.try_write_bytes(9, 9, &composed(9, number, 400)).expect("nobody reads, nobody holds");
            }
            let mut reader = bus.subscribe("reader").unwrap();
            thread::scope(|scope| {
                for source in 1..=2 {
                    let writer = bus.writer().unwrap();
                    scope.spawn(move || {
                        for number in 0..count {
                            let size = size_of(source, number, 40);
                            writer.write(source, 1, size, |bytes| compose(source, number, bytes)).unwrap();
                        }
                    });
                }
                let mut numbers = [0; 3];
                for _ in 0..2 * count {
                    next(&mut reader, |header, bytes| {
                        let expected = &mut numbers[header.source as usize];
                        assert_eq!(number_of(header, bytes), *expected, "start {start}");
                        *expected += 1;
                    });
                }
            });
        }
    });
}

// ------------------------------------------------------------------------------------------------------------- claims

/// Claims of both kinds from many threads.
///
/// Method: five writers, of which some send only what is small enough for fetch-and-add, some only what needs a
/// compare-and-swap, and some both; each makes itself anew now and then, and so forgets what it knew of the tail. The
/// reader begins when the ring is full, which is where fetch-and-add could overshoot, and goes on only while at least
/// half of it is taken. A claim past the gate damages a payload that the reader has not seen or trips the ring's own
/// assertion; two claims of one place damage each other.
fn mixed_claims(capacity: usize, count: u64) {
    let bus = ring::<ManyWriters>(capacity, 0);
    let max = bus.max_payload();
    let small = (capacity / 256).saturating_sub(16).max(8);
    let mut reader = bus.subscribe("reader").unwrap();
    let mut tap = bus.subscribe_evictable("tap").unwrap();
    let sizes = [(8, small), (max / 2, max), (8, max), (8, small), (8, (2 * small).min(max))];
    thread::scope(|scope| {
        for (source, (from, to)) in (1..).zip(sizes) {
            let bus = &bus;
            scope.spawn(move || {
                let mut writer = bus.writer().unwrap();
                for number in 0..count {
                    let size = (from.max(8) - 8) + size_of(source, number, 8 + to - from.max(8));
                    if number % 3 == 0 {
                        writer.write_bytes(source, 1, &composed(source, number, size)).unwrap();
                    } else {
                        writer.write(source, 1, size, |bytes| compose(source, number, bytes)).unwrap();
                    }
                    if number % 37 == 36 {
                        drop(writer);
                        writer = bus.writer().unwrap();
                    }
                }
            });
        }
        let total = count * sizes.len() as u64;
        let tapping = scope.spawn(move || {
            let mut accounted = 0;
            while accounted < total {
                match tap.read(number_of) {
                    Ok(_) => accounted += 1,
                    Err(ReadError::Lagged(lost)) => accounted += lost,
                    Err(ReadError::Empty) => {}
                    Err(error) => panic!("nobody closed it: {error}"),
                }
            }
            accounted
        });
        wait_until("the ring is full", || bus.stats().full != 0);
        let mut numbers = [0; 6];
        for read in 0..total {
            if read % 16 == 0 {
                wait_until_half_full(&bus, &mut reader, total);
            }
            next(&mut reader, |header, bytes| {
                let expected = &mut numbers[header.source as usize];
                assert_eq!(number_of(header, bytes), *expected, "source {}", header.source);
                *expected += 1;
            });
        }
        assert_eq!(tapping.join().unwrap(), total);
    });
    assert_eq!(bus.stats().messages, count * sizes.len() as u64);
}

#[test]
fn claims_of_both_kinds_on_a_tiny_ring() {
    within("claims_of_both_kinds_on_a_tiny_ring", || mixed_claims(1024, if cfg!(miri) { 8 } else { 2000 }));
}

#[test]
fn claims_of_both_kinds_on_the_smallest_ring_with_fetch_and_add() {
    within("claims_of_both_kinds_on_8_kib", || mixed_claims(8 * 1024, if cfg!(miri) { 12 } else { 3000 }));
}

#[test]
#[cfg_attr(miri, ignore = "filling 64 KiB takes Miri minutes, and shows nothing that 8 KiB do not")]
fn claims_of_both_kinds_on_64_kib() {
    within("claims_of_both_kinds_on_64_kib", || mixed_claims(64 * 1024, 3000));
}

/// How far fetch-and-add overshoots: sixteen writers by a message that fits sixteen times, and nobody by more.
///
/// Method: all writers learn a limit while there is room. The first one then fills the ring up to it, so each of the
/// others still believes in it, once.
#[test]
fn fetch_and_add_overshoots_within_the_reserve() {
    const CAPACITY: usize = 8 * 1024;
    for (size, overshooting) in [(16, 15), (17, 0)] {
        let bus = ring::<ManyWriters>(CAPACITY, 0);
        let mut reader = bus.subscribe("reader").unwrap();
        // Their places come free again, or nobody would have one of those that may overshoot.
        for _ in 0..100 {
            bus.writer().unwrap();
        }
        let writers: Vec<_> = (0..20).map(|_| bus.writer().unwrap()).collect();
        let mut sent = 0;
        let mut write = |writer: &<CircularBus as MessageBus>::BusWriter| {
            let fits = writer.try_write_bytes(1, 1, &composed(1, sent, size)).is_ok();
            sent += u64::from(fits);
            fits
        };
        assert!(writers.iter().all(&mut write));
        while write(&writers[0]) {}
        assert_eq!(bus.tail(), CAPACITY as u64 - reserve(CAPACITY, true));
        assert_eq!(writers.iter().filter(|writer| write(writer)).count(), overshooting, "with {size} bytes");
        assert!(bus.tail() <= CAPACITY as u64);
        let mut read = 0;
        drain(&mut reader, |header, bytes| {
            assert_eq!(number_of(header, bytes), read);
            read += 1;
        });
        assert_eq!(read, sent);
    }
}

/// Evictions that meet a copy.
///
/// Method: messages so large that a copy takes long enough to be interrupted, no reader that holds the writer back, and
/// a writer that goes round the ring several times while it is. If an eviction did not respect the copy, one would be
/// found with the bytes of two messages within a few runs of this test.
#[test]
#[cfg_attr(miri, ignore = "Miri sees the race itself, in `evictable_readers_account_for_everything`")]
fn a_copy_is_not_moved_under_its_reader() {
    /// Lets the writer end when a reader does, by a panic as well.
    struct Done<'a>(&'a AtomicU64);

    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }

    within("a_copy_is_not_moved_under_its_reader", || {
        let bus = ring::<ManyWriters>(512 * 1024, 0);
        let size = bus.max_payload();
        let running = AtomicU64::new(2);
        thread::scope(|scope| {
            for _ in 0..2 {
                let mut tap = bus.subscribe_evictable("tap").unwrap();
                let running = &running;
                scope.spawn(move || {
                    let _done = Done(running);
                    let (mut accounted, mut received, mut lags) = (0, 0, 0);
                    while received < 1500 || lags < 150 {
                        let read = tap.try_read(|_, bytes| {
                            let first = bytes[0];
                            assert_eq!(bytes.len(), size);
                            assert!(bytes.iter().step_by(1024).all(|&byte| byte == first), "a torn copy");
                            assert_eq!(first, accounted as u8, "neither received nor counted as lost");
                        });
                        match read {
                            Ok(()) => (accounted, received) = (accounted + 1, received + 1),
                            Err(ReadError::Lagged(lost)) => (accounted, lags) = (accounted + lost, lags + 1),
                            Err(ReadError::Empty) => thread::yield_now(),
                            Err(error) => panic!("nobody closed it: {error}"),
                        }
                    }
                });
            }
            let writer = bus.writer().unwrap();
            let mut payload = vec![0; size];
            for number in 0_u64.. {
                payload.fill(number as u8);
                writer.write_bytes(1, 1, &payload).unwrap();
                if running.load(Ordering::Relaxed) == 0 {
                    break;
                }
            }
        });
    });
}

/// An evictable reader is moved as far as somebody needs, but not where a reader that gates holds the ring anyway.
#[test]
fn an_evictable_reader_keeps_what_others_hold() {
    let bus = ring::<OneWriter>(1024, 0);
    let mut reader = bus.subscribe("reader").unwrap();
    let mut tap = bus.subscribe_evictable("tap").unwrap();
    let writer = bus.writer().unwrap();
    for number in 0..32 {
        writer.try_write_bytes(1, 1, &composed(1, number, 16)).unwrap();
    }
    for number in 0..2 {
        assert_eq!(reader.try_read(number_of), Ok(number));
    }
    reader.release();
    writer.try_write_bytes(1, 1, &composed(1, 32, 16)).unwrap();
    // One message would do. More at a time make moves rare, but the reader is still at the third.
    assert_eq!(tap.try_read(number_of), Err(ReadError::Lagged(2)));
    assert_eq!(tap.try_read(number_of), Ok(2));
}

/// There are counters of their own for 63 writers; all further ones share the last, and count as exactly.
#[test]
fn more_writers_than_counters() {
    within("more_writers_than_counters", || {
        let count: u64 = if cfg!(miri) { 5 } else { 500 };
        let bus = ring::<ManyWriters>(8 * 1024, 0);
        let mut reader = bus.subscribe("reader").unwrap();
        let mut writers: Vec<_> = (0..80).map(|_| bus.writer().unwrap()).collect();
        // One that is made from another counts, too.
        writers.push(writers[0].clone());
        for (number, writer) in (0..).zip(&writers) {
            writer.write_bytes(1, 1, &composed(1, number, 16)).unwrap();
            assert_eq!(next(&mut reader, number_of), number);
        }
        let before = bus.stats();
        assert_eq!((before.messages, before.bytes), (81, 81 * 16));
        // Eight of those that share.
        let sharing = writers.split_off(writers.len() - 8);
        thread::scope(|scope| {
            for (source, writer) in (1..).zip(sharing) {
                scope.spawn(move || {
                    for number in 0..count {
                        writer.write(source, 1, 16, |bytes| compose(source, number, bytes)).unwrap();
                        let given_up = catch_unwind(AssertUnwindSafe(|| {
                            writer.write(source, 1, 16, |_| resume_unwind(Box::new("given up")))
                        }));
                        assert!(given_up.is_err());
                    }
                });
            }
            for _ in 0..8 * count {
                next(&mut reader, |header, bytes| number_of(header, bytes));
            }
        });
        let after = bus.stats();
        assert_eq!((after.messages, after.bytes, after.sealed), (81 + 8 * count, (81 + 8 * count) * 16, 8 * count));
        // Places come free again.
        drop(writers);
        let writer = bus.writer().unwrap();
        writer.write_bytes(1, 1, &composed(1, 0, 16)).unwrap();
        assert_eq!(bus.stats().messages, after.messages + 1);
    });
}

/// While workers write, writers from outside stop at three quarters: a worker can read itself out of a full ring, an
/// outsider can only wait.
#[test]
fn outsiders_leave_room_for_workers() {
    for capacity in [1024, 8 * 1024] {
        let bus = ring::<ManyWriters>(capacity, 0);
        let reader = bus.subscribe("worker").unwrap();
        let worker = bus.worker_writer(&reader).unwrap();
        let outside = bus.writer().unwrap();
        let limit = capacity as u64 / 4 * 3 - reserve(capacity, true);
        while outside.try_write_bytes(1, 1, &[1; 16]).is_ok() {}
        assert_eq!(bus.tail(), limit / 32 * 32);
        assert!(!outside.has_room(16));
        assert!(worker.has_room(16));
        while worker.try_write_bytes(1, 1, &[1; 16]).is_ok() {}
        assert_eq!(bus.tail(), (capacity as u64 - reserve(capacity, true)) / 32 * 32);
        drop((reader, worker));
        // Without workers there is nobody to leave room for.
        let before = bus.tail();
        let _reader = bus.subscribe("reader").unwrap();
        while outside.try_write_bytes(1, 1, &[1; 16]).is_ok() {}
        assert_eq!(bus.tail() - before, (capacity as u64 - reserve(capacity, true)) / 32 * 32);
    }
}

/// A worker's ticket is its reader's: a second writer of the same worker does not give it up when it goes.
#[test]
fn a_clone_takes_no_ticket_along() {
    let bus = ring::<ManyWriters>(1024, 0);
    let reader = bus.subscribe("worker").unwrap();
    let worker = bus.worker_writer(&reader).unwrap();
    let outside = bus.writer().unwrap();
    worker.take_ticket();
    drop(worker.clone());
    assert_eq!(outside.try_write_bytes(1, 1, &[1; 16]), Err(WriteError::Full), "the ticket is still held");
    worker.give_up_ticket();
    assert_eq!(outside.try_write_bytes(1, 1, &[1; 16]), Ok(()));
}

/// A reader lets go of what it read at least once per eighth of the ring, without being asked.
#[test]
fn readers_release_at_least_once_per_eighth() {
    let capacity = if cfg!(miri) { 1024 } else { 8 * 1024 };
    let bus = ring::<OneWriter>(capacity, 0);
    let mut reader = bus.subscribe("reader").unwrap();
    let writer = bus.writer().unwrap();
    while writer.try_write_bytes(1, 1, &[1; 48]).is_ok() {}
    for _ in 0..capacity / 64 {
        reader.try_read(|_, _| ()).unwrap();
        let released = bus.stats().readers[0].position;
        assert!(
            reader.position() - released < capacity as u64 / 8,
            "{} read and not released",
            reader.position() - released
        );
    }
}

// ------------------------------------------------------------------------------------------------------- silent fills

fn impatient(capacity: usize) -> CircularBus {
    let silent_after = Duration::from_millis(20);
    CircularBus::with_options(RingOptions { capacity, silent_after, ..RingOptions::default() }).unwrap()
}

/// The limit on silence is the one that was asked for, not a second, and a fill within it is not given up.
#[test]
fn silence_is_measured_as_asked() {
    within("silence_is_measured_as_asked", || {
        let patient = RingOptions { capacity: 1024, silent_after: Duration::MAX, ..RingOptions::default() };
        let patient = CircularBus::<ManyWriters, Adaptive>::with_options(patient).unwrap();
        for (bus, expected) in [(impatient(1024), Err(WriteError::Fenced)), (patient, Ok(()))] {
            let mut reader = bus.subscribe("reader").unwrap();
            let (entered, is_in) = channel();
            let (go_on, gone_on) = channel::<()>();
            thread::scope(|scope| {
                let writer = bus.writer().unwrap();
                let owner = scope.spawn(move || {
                    writer.write(1, 1, 16, |_| {
                        entered.send(()).unwrap();
                        let _ = gone_on.recv();
                    })
                });
                is_in.recv_timeout(PATIENCE).unwrap();
                if expected.is_err() {
                    wait_until("the fill is given up", || {
                        reader.wait(Some(Duration::from_millis(5)));
                        drain(&mut reader, |_, _| ());
                        reader.position() == bus.tail()
                    });
                } else {
                    for _ in 0..10 {
                        reader.wait(Some(Duration::from_millis(5)));
                        assert!(!reader.ready());
                    }
                }
                drop(go_on);
                assert_eq!(owner.join().unwrap(), expected);
            });
        }
    });
}

/// A fill that was given up may still panic, and then its bytes come free as after a return.
#[test]
fn a_silent_fill_may_end_in_a_panic() {
    within("a_silent_fill_may_end_in_a_panic", || {
        let bus = impatient(1024);
        let mut reader = bus.subscribe("reader").unwrap();
        let other = bus.writer().unwrap();
        let (entered, is_in) = channel();
        let (go_on, gone_on) = channel::<()>();
        thread::scope(|scope| {
            let writer = bus.writer().unwrap();
            let owner = scope.spawn(move || {
                catch_unwind(AssertUnwindSafe(|| {
                    writer.write(1, 1, 100, |_| {
                        entered.send(()).unwrap();
                        let _ = gone_on.recv();
                        resume_unwind(Box::new("at last"))
                    })
                }))
            });
            is_in.recv_timeout(PATIENCE).unwrap();
            other.write_bytes(2, 2, &composed(2, 0, 16)).unwrap();
            assert_eq!(next(&mut reader, number_of), 0);
            let mut number = 1;
            while other.try_write_bytes(2, 2, &composed(2, number, 16)).is_ok() {
                assert_eq!(next(&mut reader, number_of), number);
                reader.release();
                number += 1;
            }
            assert!(bus.tail() <= 1024, "lapped a fill that is still running");
            drop(go_on);
            assert_eq!(owner.join().unwrap().unwrap_err().downcast_ref(), Some(&"at last"));
            for number in 0..100 {
                other.try_write_bytes(2, 2, &composed(2, number, 16)).unwrap();
                assert_eq!(reader.try_read(number_of), Ok(number));
                reader.release();
            }
            assert_eq!(bus.stats().sealed, 1);
        });
    });
}

/// So many fills can be given up at a time; readers wait at the next one until any of them returns.
#[test]
fn more_silent_fills_than_places() {
    within("more_silent_fills_than_places", || {
        const PLACES: usize = 16;
        let bus = impatient(4 * 1024);
        let mut reader = bus.subscribe("reader").unwrap();
        let last = bus.writer().unwrap();
        thread::scope(|scope| {
            let mut owners = VecDeque::new();
            for _ in 0..PLACES + 2 {
                let (entered, is_in) = channel();
                let (go_on, gone_on) = channel::<()>();
                let writer = bus.writer().unwrap();
                let owner = scope.spawn(move || {
                    writer.write(1, 1, 16, |_| {
                        entered.send(()).unwrap();
                        let _ = gone_on.recv();
                    })
                });
                is_in.recv_timeout(PATIENCE).unwrap();
                owners.push_back((go_on, owner));
            }
            last.write_bytes(2, 2, &composed(2, 5, 16)).unwrap();
            let given_up = |reader: &mut RingReader, slots: u64| {
                wait_until("the next fill is given up", || {
                    reader.wait(Some(Duration::from_millis(5)));
                    drain(reader, |_, _| panic!("there is no message yet"));
                    reader.position() >= 32 * slots
                });
            };
            given_up(&mut reader, PLACES as u64);
            // All places are taken, and the reader stays where it is however long it waits.
            for _ in 0..10 {
                reader.wait(Some(Duration::from_millis(5)));
                assert_eq!(reader.try_read(|_, _| ()), Err(ReadError::Empty));
            }
            assert_eq!(reader.position(), 32 * PLACES as u64);
            // The owner that returns need not be the first.
            let (go_on, owner) = owners.remove(3).unwrap();
            drop(go_on);
            assert_eq!(owner.join().unwrap(), Err(WriteError::Fenced));
            given_up(&mut reader, PLACES as u64 + 1);
            // The last fill was silent for long, but readers never gave it up.
            let (go_on, owner) = owners.pop_back().unwrap();
            drop(go_on);
            let late = owner.join().unwrap();
            let mut sources = Vec::new();
            wait_until("the last message is read", || {
                drain(&mut reader, |header, _| sources.push(header.source));
                sources.last() == Some(&2)
            });
            assert_eq!(sources, if late.is_ok() { vec![1, 2] } else { vec![2] });
            for (go_on, owner) in owners {
                drop(go_on);
                assert_eq!(owner.join().unwrap(), Err(WriteError::Fenced));
            }
            for number in 0..500 {
                last.try_write_bytes(2, 2, &composed(2, number, 16)).unwrap();
                assert_eq!(reader.try_read(number_of), Ok(number));
            }
        });
    });
}

// -------------------------------------------------------------------------------------------------------------- types

/// A writer's limits are its own: it may move to another thread but not be used from two, and the one writer of a ring
/// cannot be doubled. The calls below are ambiguous, and do not compile, once a type has what it must not have.
#[test]
fn writers_are_not_shared() {
    trait NotSync<T> {
        fn check() {}
    }
    struct IsSync;
    impl<T: ?Sized> NotSync<()> for T {}
    impl<T: ?Sized + Sync> NotSync<IsSync> for T {}

    trait NotClone<T> {
        fn check() {}
    }
    struct IsClone;
    impl<T: ?Sized> NotClone<()> for T {}
    impl<T: Clone> NotClone<IsClone> for T {}

    type Many = <CircularBus as MessageBus>::BusWriter;
    type One = <CircularBus<OneWriter> as MessageBus>::BusWriter;
    <Many as NotSync<_>>::check();
    <One as NotSync<_>>::check();
    <One as NotClone<_>>::check();

    fn sent<T: Send>() {}
    sent::<Many>();
    sent::<One>();
    sent::<<CircularBus as MessageBus>::Reader>();
}

// -------------------------------------------------------------------------------------------------------------- model

/// What the model test does next. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Write(usize),
    Fill(usize),
    GiveUp(usize),
    Read(usize),
    ReadAll(usize),
    Look(usize),
    Subscribe,
    SubscribeEvictable,
    Leave(usize),
    NewWriter,
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![3 => 8_usize..64, 1 => 8_usize..2000];
    prop_oneof![
        8 => size.clone().prop_map(Step::Write),
        4 => size.clone().prop_map(Step::Fill),
        2 => size.prop_map(Step::GiveUp),
        8 => any::<usize>().prop_map(Step::Read),
        2 => any::<usize>().prop_map(Step::ReadAll),
        2 => any::<usize>().prop_map(Step::Look),
        1 => Just(Step::Subscribe),
        1 => Just(Step::SubscribeEvictable),
        1 => any::<usize>().prop_map(Step::Leave),
        1 => Just(Step::NewWriter),
    ]
}

/// A reader and what it must still see.
struct Tracked {
    reader: RingReader,
    evictable: bool,
    pending: VecDeque<u64>,
}

impl Tracked {
    /// One read; false if there was nothing.
    fn read(&mut self, tail: u64, capacity: u64) -> bool {
        let before = self.reader.position();
        match self.reader.try_read(number_of) {
            Ok(number) => assert_eq!(Some(number), self.pending.pop_front()),
            Err(ReadError::Empty) => {
                assert!(self.pending.is_empty(), "lost {:?}", self.pending);
                assert_eq!(self.reader.position(), tail, "seals are stepped over");
                return false;
            }
            Err(ReadError::Lagged(lost)) => {
                assert!(self.evictable, "a gating reader was moved");
                assert!(lost > 0 && lost <= self.pending.len() as u64, "lagged by {lost}");
                assert!(tail.wrapping_sub(before) > capacity / 4 * 3, "moved without need");
                self.pending.drain(..lost as usize);
            }
            Err(error) => panic!("nobody closed it: {error}"),
        }
        self.reader.release();
        true
    }
}

/// Runs `steps` on a ring and on queues, one for each reader, and compares all that can be seen: every result, the
/// tail, and exactly when the ring is full.
fn run_model<C: Claim>(capacity: usize, start: u64, many: bool, steps: &[Step]) {
    let bus = ring::<C>(capacity, start);
    let usable = capacity as u64 - reserve(capacity, many);
    let mut writer = bus.writer().unwrap();
    let mut readers: Vec<Tracked> = Vec::new();
    let (mut number, mut sealed, mut full, mut tail) = (0, 0, 0, start);
    for step in steps {
        match *step {
            Step::Write(size) | Step::Fill(size) | Step::GiveUp(size) => {
                let size = 8 + size % (bus.max_payload() - 7);
                let held = readers.iter().filter(|tracked| !tracked.evictable);
                let used = held.map(|tracked| tail.wrapping_sub(tracked.reader.position())).max();
                let fits = used.is_none_or(|used| used + slot_len(size) <= usable);
                let result = match step {
                    Step::Write(_) => writer.try_write_bytes(1, 1, &composed(1, number, size)),
                    Step::Fill(_) => writer.try_write(1, 1, size, |bytes| compose(1, number, bytes)),
                    _ => catch_unwind(AssertUnwindSafe(|| {
                        writer.try_write(1, 1, size, |bytes| {
                            compose(1, u64::MAX, bytes);
                            resume_unwind(Box::new("given up"))
                        })
                    }))
                    .unwrap_or_else(|_| {
                        sealed += 1;
                        Ok(())
                    }),
                };
                assert_eq!(result, if fits { Ok(()) } else { Err(WriteError::Full) }, "used {used:?} of {usable}");
                full += u64::from(!fits);
                if fits {
                    tail = tail.wrapping_add(slot_len(size));
                    if !matches!(step, Step::GiveUp(_)) {
                        readers.iter_mut().for_each(|tracked| tracked.pending.push_back(number));
                        number += 1;
                    }
                }
            }
            Step::Read(which) if !readers.is_empty() => {
                let which = which % readers.len();
                readers[which].read(tail, capacity as u64);
            }
            Step::ReadAll(which) if !readers.is_empty() => {
                let which = which % readers.len();
                while readers[which].read(tail, capacity as u64) {}
            }
            Step::Look(which) if !readers.is_empty() => {
                let which = which % readers.len();
                let Tracked { reader, pending, .. } = &mut readers[which];
                assert!(reader.ready() || pending.is_empty());
                assert_eq!(reader.unblock(), None, "nothing is being written");
            }
            Step::Subscribe | Step::SubscribeEvictable if readers.len() < 6 => {
                let evictable = matches!(step, Step::SubscribeEvictable);
                let reader = if evictable { bus.subscribe_evictable("tap") } else { bus.subscribe("reader") }.unwrap();
                assert_eq!(reader.position(), tail);
                readers.push(Tracked { reader, evictable, pending: VecDeque::new() });
            }
            Step::Leave(which) if !readers.is_empty() => {
                let which = which % readers.len();
                readers.swap_remove(which);
            }
            Step::NewWriter => {
                drop(writer);
                writer = bus.writer().unwrap();
            }
            _ => {}
        }
        assert_eq!(bus.tail(), tail);
    }
    for tracked in &mut readers {
        while tracked.read(tail, capacity as u64) {}
    }
    let stats = bus.stats();
    assert_eq!((stats.messages, stats.sealed, stats.full), (number, sealed, full));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 256 },
        // Miri would spend hours on the search for a smaller failure.
        max_shrink_iters: if cfg!(miri) { 0 } else { 4096 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_ring_is_a_queue_for_each_reader(
        steps in prop::collection::vec(step(), 1..if cfg!(miri) { 25 } else { 200 }),
        start in prop::sample::select(STARTS),
    ) {
        run_model::<ManyWriters>(1024, start, true, &steps);
        run_model::<OneWriter>(1024, start, false, &steps);
        // Miri would not come round a larger ring.
        if !cfg!(miri) {
            run_model::<ManyWriters>(8 * 1024, start, true, &steps);
            run_model::<OneWriter>(4 * 1024, start, false, &steps);
        }
    }
}
