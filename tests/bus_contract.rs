//! The laws of a bus, as tests that every bus passes.
//!
//! The laws are those of `rust_messenger::message_bus`; each test names its law by number. A bus is one line at the end
//! of this file: its name, whether it takes `many` writers or `one`, whether its readers `sleep` or stay `awake`,
//! whether it can be full (`bounded`) or not (`endless`), and how to make it. A law that such a bus cannot have is
//! listed in its test run all the same, as ignored and with the reason.
//!
//! What is left to others: the half of law 8 that needs workers (handlers see everything before the stop, `on_stop`
//! runs last, what comes later is reported), outboxes (law 4) and timers (law 10) are tests of the messenger, in
//! `tests/messenger.rs`; law 9 needs an allocator of its own, `tests/allocations.rs`; what only the ring has is in
//! `tests/ring.rs`.

#![allow(clippy::type_complexity, reason = "a type that is named once explains less than the type itself")]

#[cfg(not(miri))]
#[path = "support/locked_bus.rs"]
mod locked_bus;
mod support;

#[path = "bus_contract/held.rs"]
mod held;
#[path = "bus_contract/imports.rs"]
mod imports;
#[cfg(all(target_os = "linux", not(miri)))]
#[path = "bus_contract/named.rs"]
mod named;
#[path = "bus_contract/requeues.rs"]
mod requeues;

use held::*;
use imports::*;
use requeues::*;
#[cfg(all(unix, not(miri)))]
use rust_messenger::message_bus::OneWriter;
#[cfg(not(miri))]
use rust_messenger::message_bus::wait;
use rust_messenger::message_bus::{CircularBus, CondvarBus};
#[cfg(unix)]
use rust_messenger::message_bus::{PersistentBus, PersistentOptions};
use rust_messenger::traits::{
    BusWriter, EncodeError, ExtendedMessage, Handler, Header, Interest, Message, MessageBus, Next, NoWriter, Poller,
    Publish, ReadError, Reader, Sender, Space, SubscribeError, WriteError,
};
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender as ChannelSender, channel};
use std::thread;
use std::time::{Duration, Instant};
use support::{
    Bell, PATIENCE, compose, composed, drain, mix, next, number_of, size_of, wait_until, wait_until_half_full, within,
};

/// The bytes of every bus under test. Small under Miri, which takes long over a lap.
const CAPACITY: usize = if cfg!(miri) { 2 * 1024 } else { 16 * 1024 };

/// How many messages a writer of a stress test sends.
const MANY: u64 = if cfg!(miri) { 40 } else { 4000 };

// ------------------------------------------------------------------------------------------------------------ helpers

/// Writes `size` bytes at a time until the bus is full. Returns how many messages fitted.
fn fill_up(writer: &impl Publish, size: usize) -> u64 {
    let mut messages = 0;
    loop {
        match writer.try_write_bytes(0, 0, &composed(0, messages, size)) {
            Ok(()) => messages += 1,
            Err(WriteError::Full) => return messages,
            Err(other) => panic!("{other}"),
        }
        assert!(messages * (size as u64) < 2 * CAPACITY as u64, "never full: somebody was overwritten");
    }
}

/// Sends `count` messages of random sizes up to `max`, now copied, now filled in place.
fn send_stream(writer: &impl Publish, source: u16, count: u64, max: usize) {
    for number in 0..count {
        let size = size_of(source, number, max);
        if number % 2 == 0 {
            writer.write_bytes(source, 1, &composed(source, number, size)).unwrap();
        } else {
            writer.write(source, 1, size, |bytes| compose(source, number, bytes)).unwrap();
        }
    }
}

/// What a reader saw of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Trace {
    position: u64,
    source: u16,
    number: u64,
}

fn trace(header: &Header, bytes: &[u8]) -> Trace {
    Trace { position: header.position, source: header.source, number: number_of(header, bytes) }
}

/// That a trace is in the order of positions, and each source in its own order, without a gap.
fn check_order(seen: &[Trace], sources: u16, count: u64) {
    assert!(seen.windows(2).all(|pair| pair[0].position < pair[1].position), "positions do not increase");
    for source in 1..=sources {
        let numbers = seen.iter().filter(|trace| trace.source == source).map(|trace| trace.number);
        assert!(numbers.eq(0..count), "source {source} is not in order, or not whole");
    }
}

/// A fill that has begun and goes on when it is told to.
struct Held {
    go_on: ChannelSender<()>,
}

impl Held {
    fn go_on(self) {
        // Nobody waits any more when the fill was given up by a failing test.
        let _ = self.go_on.send(());
    }
}

/// Lets `writer` begin a message of `size` bytes of 0xAA on another thread and keeps it in its fill. The fill fails
/// the test when somebody else writes to its bytes meanwhile. Dropping the handle lets it go on, too.
fn hold<'scope, W: Publish + Send + 'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    writer: W,
    size: usize,
) -> (Held, thread::ScopedJoinHandle<'scope, (Result<(), WriteError>, W)>) {
    let (entered, is_in) = channel();
    let (go_on, gone_on) = channel();
    let owner = scope.spawn(move || {
        let result = writer.write(1, 1, size, |bytes| {
            bytes.fill(0xAA);
            entered.send(()).unwrap();
            let _ = gone_on.recv();
            assert!(bytes == vec![0xAA; bytes.len()], "two writers in one slot");
            bytes.fill(0xAA);
        });
        (result, writer)
    });
    is_in.recv_timeout(PATIENCE).expect("the fill begins");
    (Held { go_on }, owner)
}

/// That a payload is from one writer only: all of its bytes are equal.
fn check_unmixed(header: &Header, bytes: &[u8]) {
    assert!(bytes == vec![bytes[0]; bytes.len()], "bytes of two writers in {header:?}");
}

/// Panics like a user's code, without a backtrace in the test's output.
fn user_panic(text: &'static str) -> ! {
    std::panic::resume_unwind(Box::new(text))
}

// ----------------------------------------------------------------------------------------------- laws of every bus

/// Law 1, in small: ids, size, bytes and position arrive, in every way of writing.
fn messages_arrive_as_they_were_written<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let (mut reader, writer) = (bus.subscribe("reader").unwrap(), bus.writer().unwrap());
    assert_eq!(reader.try_read(|_, _| ()), Err(ReadError::Empty));
    writer.try_write_bytes(1, 2, b"one").unwrap();
    writer.write_bytes(3, 4, b"three").unwrap();
    writer.try_write(5, 6, 4, |bytes| bytes.copy_from_slice(b"five")).unwrap();
    writer.write(u16::MAX, u16::MAX, 3, |bytes| bytes.copy_from_slice(b"max")).unwrap();
    let tail = bus.tail();
    let mut seen = Vec::new();
    for _ in 0..4 {
        assert!(reader.ready());
        let position = reader.position();
        seen.push(
            reader
                .try_read(|header, bytes| {
                    assert_eq!(header.position, position);
                    assert_eq!(header.size as usize, bytes.len());
                    (header.source, header.message, bytes.to_vec())
                })
                .unwrap(),
        );
        assert!(reader.position() > position && reader.position() <= tail);
    }
    let expected: [(u16, u16, &[u8]); 4] =
        [(1, 2, b"one"), (3, 4, b"three"), (5, 6, b"five"), (u16::MAX, u16::MAX, b"max")];
    assert!(seen.iter().map(|(source, message, bytes)| (*source, *message, &bytes[..])).eq(expected));
    assert!(!reader.ready());
    assert_eq!(reader.try_read(|_, _| ()), Err(ReadError::Empty));
    assert_eq!(reader.position(), tail);
}

/// Laws 1 and 2 with one writer: three readers see the same.
fn three_readers_see_one_order<B: MessageBus>(make: impl Fn() -> B) {
    one_order(&make(), 1);
}

/// Laws 1 and 2 under contention.
///
/// Method: the writers send numbered messages of all sizes through a ring that holds a fraction of them, so that they
/// run into the readers all the time, and into each other. Each reader writes down all it sees; nothing but the one
/// order makes three lists equal, and a slot published early, twice or over another one breaks a payload's pattern.
fn one_order<B: MessageBus>(bus: &B, writers: u16) {
    let readers = ["a", "b", "c"].map(|name| bus.subscribe(name).unwrap());
    let lists = thread::scope(|scope| {
        for source in 1..=writers {
            let writer = bus.writer().unwrap();
            scope.spawn(move || send_stream(&writer, source, MANY, 200));
        }
        let readers = readers.map(|mut reader| {
            scope.spawn(move || -> Vec<Trace> {
                (0..MANY * u64::from(writers)).map(|_| next(&mut reader, trace)).collect()
            })
        });
        readers.map(|reader| reader.join().unwrap())
    });
    check_order(&lists[0], writers, MANY);
    assert!(lists[0] == lists[1] && lists[0] == lists[2], "readers disagree about the order");
    assert_eq!(bus.stats().messages, MANY * u64::from(writers));
}

/// Law 2 on a bus that is full: the reader does not begin before the writer was refused, and goes on only while at
/// least half of the bus is taken, which a few of the largest messages do.
fn a_full_bus_loses_nothing<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let mut reader = bus.subscribe("slow").unwrap();
    let max = bus.max_payload();
    let count = if cfg!(miri) { 30 } else { MANY / 10 };
    thread::scope(|scope| {
        let writer = bus.writer().unwrap();
        scope.spawn(move || send_stream(&writer, 1, count, max));
        wait_until("the writer has found no room", || bus.stats().full != 0);
        for number in 0..count {
            if number % 8 == 0 {
                wait_until_half_full(&bus, &mut reader, count);
            }
            assert_eq!(next(&mut reader, trace).number, number);
        }
    });
    assert_eq!(reader.try_read(|_, _| ()), Err(ReadError::Empty));
}

/// Law 2 for readers that come and go while messages flow: from its subscription on a reader sees exactly what the
/// reader that was always there sees.
fn joining_readers_see_all_that_is_claimed_from_then_on<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let mut always = bus.subscribe("always").unwrap();
    let ended = AtomicBool::new(false);
    let (all, parts) = thread::scope(|scope| {
        let writer = bus.writer().unwrap();
        scope.spawn(move || send_stream(&writer, 1, MANY, 100));
        let (bus, ended) = (&bus, &ended);
        let joiners = scope.spawn(move || {
            let mut parts = Vec::new();
            for round in 0.. {
                // At least one part begins after the last message, so the end of a stream is covered, too.
                let last = ended.load(Ordering::Acquire);
                let before = bus.tail();
                let mut joiner = bus.subscribe("joiner").unwrap();
                let from = joiner.position();
                assert!(before <= from && from <= bus.tail(), "a reader begins at the tail");
                let mut seen = Vec::new();
                while seen.len() < round % 20 && (seen.is_empty() || !ended.load(Ordering::Acquire)) {
                    match joiner.try_read(trace) {
                        Ok(trace) => seen.push(trace),
                        Err(_) if ended.load(Ordering::Acquire) => break,
                        Err(_) => thread::yield_now(),
                    }
                }
                parts.push((from, joiner.position(), seen));
                if last {
                    break;
                }
            }
            parts
        });
        let all: Vec<_> = (0..MANY).map(|_| next(&mut always, trace)).collect();
        ended.store(true, Ordering::Release);
        (all, joiners.join().unwrap())
    });
    check_order(&all, 1, MANY);
    for (from, to, seen) in parts {
        let expected = all.iter().filter(|trace| (from..to).contains(&trace.position));
        assert!(expected.eq(&seen), "a reader from {from} to {to} saw other messages than it should");
    }
}

/// Law 3: while a reader holds a message, a writer that writes for all it is worth cannot change it.
fn bytes_stay_while_they_are_held<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let mut reader = bus.subscribe("holder").unwrap();
    let mut tap = bus.subscribe_evictable("tap").unwrap();
    let writer = bus.writer().unwrap();
    let lap = (0..).take_while(|&n| n * if cfg!(miri) { 500 } else { 100 } < CAPACITY as u64);
    for number in lap {
        writer.write_bytes(1, 1, &composed(1, number, 40 + number as usize % 60)).unwrap();
        reader
            .try_read(|header, bytes| {
                let before = bytes.to_vec();
                fill_up(&writer, 33);
                assert_eq!(bytes, before, "the bytes under a reader changed");
                assert_eq!(number_of(header, bytes), number);
            })
            .unwrap();
        drain(&mut tap, |_, _| ());
        drain(&mut reader, |_, _| ());
        drain(&mut tap, |_, _| ());
        // An evictable reader holds a copy, which is as stable, and the writer is not even held back.
        writer.write_bytes(1, 1, &composed(1, number, 50)).unwrap();
        drain(&mut reader, |_, _| ());
        tap.try_read(|header, bytes| {
            for _ in 0..3 {
                fill_up(&writer, bus.max_payload());
                drain(&mut reader, |_, _| ());
            }
            assert_eq!(number_of(header, bytes), number, "the bytes under an evictable reader changed");
        })
        .unwrap();
        drain(&mut tap, |_, _| ());
    }
}

/// Law 4: `try_write` says `Full`; `write` waits, and goes on when a slow reader lets go of a message or leaves.
fn a_full_bus_says_so_and_room_wakes_its_writers<B: MessageBus>(make: impl Fn() -> B) {
    for leave in [false, true] {
        let bus = make();
        let size = bus.max_payload();
        let mut reader = bus.subscribe("slow").unwrap();
        let writer = bus.writer().unwrap();
        let fitted = fill_up(&writer, size);
        assert!(fitted * (size as u64) >= CAPACITY as u64 / 2, "half of the capacity is unusable: {fitted} messages");
        // Full is not a state of mind: nothing fits, and nothing was half done.
        let tail = bus.tail();
        assert_eq!(writer.try_write(1, 1, size, |_| panic!("filled without room")), Err(WriteError::Full));
        assert_eq!(bus.tail(), tail);
        let refused = bus.stats().full;
        let written = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let writer = writer;
                writer.write(7, 1, size, |bytes| compose(7, 7, bytes)).unwrap();
                written.store(true, Ordering::Release);
            });
            wait_until("the writer has found no room", || bus.stats().full > refused);
            assert!(!written.load(Ordering::Acquire), "written to a full bus");
            if leave {
                drop(reader);
            } else {
                // One message at a time: at some point there is room, and only a release says so.
                while !written.load(Ordering::Acquire) {
                    if reader.try_read(|_, _| ()).is_ok() {
                        reader.release();
                    } else {
                        thread::yield_now();
                    }
                }
            }
            wait_until("the writer goes on", || written.load(Ordering::Acquire));
        });
    }
}

/// Law 4: so it is in the middle of a batch, whose handling may take long.
fn room_within_a_batch_wakes_its_writers<B: MessageBus>(make: impl Fn() -> B) {
    // A writer that is not asleep yet needs nobody to wake it, so now and then a round shows nothing.
    let rounds = if cfg!(miri) { 1 } else { 20 };
    for recorded in [false, true].into_iter().cycle().take(2 * rounds) {
        let bus = make();
        let mut reader = bus.subscribe("slow").unwrap();
        let writer = bus.writer().unwrap();
        let fitted = fill_up(&writer, 30);
        let refused = bus.stats().full;
        let written = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let writer = writer;
                writer.write_bytes(7, 1, &composed(7, 7, 30)).unwrap();
                written.store(true, Ordering::Release);
            });
            wait_until("the writer has found no room", || bus.stats().full > refused);
            let mut handled = 0;
            let mut handle = || {
                handled += 1;
                if handled == fitted / 2 {
                    wait_until("the writer goes on within the batch", || written.load(Ordering::Acquire));
                }
                Next::Go
            };
            let read = match recorded {
                false => reader.try_read_up_to(fitted as usize, |_, _| handle()),
                true => reader.try_read_recorded(fitted as usize, |_, _, _| handle()),
            };
            assert_eq!(read, Ok(fitted as usize));
        });
    }
}

/// Law 5: a fill that panics seals its slot, and its panic goes to the writer.
fn a_fill_that_panics_leaves_no_hole<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let mut reader = bus.subscribe("reader").unwrap();
    let mut tap = bus.subscribe_evictable("tap").unwrap();
    let writer = bus.writer().unwrap();
    writer.write_bytes(1, 1, &composed(1, 0, 20)).unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        writer.write(1, 1, 100, |bytes| {
            compose(1, 666, bytes);
            user_panic("half a message");
        })
    }));
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"half a message"), "the writer gets its own panic");
    let flow = if cfg!(miri) { 60 } else { 1000 };
    for number in 1..=flow {
        writer.write_bytes(1, 1, &composed(1, number, 20)).unwrap();
        // The reader is one message behind, so that it meets the sealed slot between two messages.
        assert_eq!(reader.try_read(trace).unwrap().number, number - 1);
        assert_eq!(tap.try_read(trace).unwrap().number, number - 1);
    }
    let stats = bus.stats();
    assert_eq!((stats.messages, stats.sealed), (flow + 1, 1));
}

/// A message whose encoder fails as it is told to.
struct Failing {
    size: usize,
    fill: fn(&mut Space<'_>) -> Result<(), EncodeError>,
}

impl Message for Failing {
    type Id = u16;
    const ID: u16 = 9;
}

impl ExtendedMessage for Failing {
    fn get_size(&self) -> usize {
        self.size
    }

    fn write_into(&self, _: &mut [u8]) {
        unreachable!("`encode` is overridden");
    }

    fn encode(&self, space: &mut Space<'_>) -> Result<(), EncodeError> {
        (self.fill)(space)
    }
}

struct Author;

impl Handler for Author {
    type Id = u16;
    const ID: u16 = 8;
}

/// Laws 5 and 7: a message that writes more than it claimed, or that its encoder refuses, is an error of the writer
/// and not a hole.
fn an_encoder_that_fails_leaves_no_hole<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let (mut reader, writer) = (bus.subscribe("reader").unwrap(), bus.writer().unwrap());
    let too_long = Failing {
        size: 24,
        fill: |space| {
            space.put(&[0x55; 20])?;
            assert_eq!(space.remaining(), 4);
            space.put(&[0x55; 5])
        },
    };
    let refused = Failing { size: 24, fill: |_| Err(EncodeError::Refused("no".into())) };
    let overruns = Failing {
        size: 24,
        fill: |space| {
            space.zeroed()[24] = 1;
            Ok(())
        },
    };
    let good = Failing { size: 24, fill: |space| space.put(&composed(8, 5, 24)) };
    let rounds = if cfg!(miri) { 1 } else { 3 } * CAPACITY as u64 / 64;
    for round in 0..rounds {
        let error = EncodeError::TooLong { claimed: 24 };
        assert_eq!(Author::try_send(&too_long, &writer), Err(WriteError::Encode(error)));
        let error = EncodeError::Refused("no".into());
        assert_eq!(Author::try_send(&refused, &writer), Err(WriteError::Encode(error)));
        Author::try_send(&good, &writer).unwrap();
        let read = reader.try_read(|header, bytes| {
            assert_eq!((header.source, header.message), (8, 9));
            number_of(header, bytes)
        });
        assert_eq!(read, Ok(5), "in round {round}");
        assert_eq!(reader.try_read(|_, _| ()), Err(ReadError::Empty));
    }
    assert_eq!(bus.stats().sealed, 2 * rounds);
    assert_eq!(bus.stats().messages, rounds);
    let result = catch_unwind(AssertUnwindSafe(|| Author::try_send(&overruns, &writer)));
    assert!(result.is_err(), "an encoder cannot index past its claim");
    Author::try_send(&good, &writer).unwrap();
    assert!(reader.try_read(|_, _| ()).is_ok());
}

/// Law 6, the other way around: what was once in the memory never comes out of it again.
fn no_old_bytes_are_ever_seen<B: MessageBus>(make: impl Fn() -> B) {
    const SECRET: u8 = 0x5A;
    let bus = make();
    let (mut reader, writer) = (bus.subscribe("reader").unwrap(), bus.writer().unwrap());
    let mut laps = 0;
    while laps * bus.max_payload() < 3 * CAPACITY {
        writer.write_bytes(1, 1, &vec![SECRET; bus.max_payload()]).unwrap();
        assert_eq!(drain(&mut reader, |_, _| ()), 1);
        laps += 1;
    }
    // All of the memory is full of secrets now.
    let short = Failing { size: 120, fill: |space| space.put(&[1; 3]) };
    let nothing = Failing { size: 120, fill: |_| Ok(()) };
    let gaps = Failing {
        size: 120,
        fill: |space| {
            space.put(&[1; 3])?;
            let rest = space.zeroed();
            assert!(rest.iter().all(|&byte| byte == 0), "an encoder sees old bytes");
            Ok(())
        },
    };
    for _ in 0..CAPACITY / 400 {
        Author::try_send(&short, &writer).unwrap();
        Author::try_send(&nothing, &writer).unwrap();
        Author::try_send(&gaps, &writer).unwrap();
        let closure = |bytes: &mut [u8]| assert!(bytes.iter().all(|&byte| byte == 0), "a closure sees old bytes");
        writer.write(1, 1, 77, closure).unwrap();
        writer.fill(1, 1, 33, |space| space.put_each(4, |i| [i as u8; 8])).unwrap();
        let uncounted = |space: &mut Space<'_>| {
            space.spare().fill(MaybeUninit::new(SECRET));
            Ok(())
        };
        writer.try_fill(1, 1, 33, uncounted).unwrap();
        let leaks = |space: &mut Space<'_>| {
            std::mem::forget(std::mem::replace(space, Space::new(&mut [])));
            Ok(())
        };
        writer.fill(1, 1, 33, leaks).unwrap();
        let mut sizes = [120, 120, 120, 77, 33, 33, 33].into_iter();
        let read = drain(&mut reader, |_, bytes| {
            assert_eq!(Some(bytes.len()), sizes.next());
            assert!(!bytes.contains(&SECRET), "a reader sees old bytes");
        });
        assert_eq!(read, 7);
    }
}

/// Laws 2, 3 and 5: a fill that stays silent is sealed for readers, whether they wait already or come later; its
/// owner is told; and its bytes are nobody else's until it has been.
fn a_silent_fill_is_sealed_and_keeps_its_bytes<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let size = bus.max_payload() / 2;
    let mut waits = bus.subscribe("waits").unwrap();
    let mut tap = bus.subscribe_evictable("tap").unwrap();
    let held_at = bus.tail();
    thread::scope(|scope| {
        let (held, owner) = hold(scope, bus.writer().unwrap(), size);
        let mut other = None;
        if B::MANY_WRITERS {
            let writer = bus.writer().unwrap();
            writer.write_bytes(2, 2, &vec![0xBB; size]).unwrap();
            other = Some(writer);
        }
        // Both readers wait on the silent fill at the same time; either of them may be the one that seals it.
        let waiting = scope.spawn(|| {
            wait_until("the tap has gone on", || {
                tap.wait(Some(Duration::from_millis(20)));
                drain(&mut tap, check_unmixed);
                tap.position() == bus.tail()
            });
        });
        wait_until("the reader has gone on", || {
            waits.wait(Some(Duration::from_millis(20)));
            drain(&mut waits, check_unmixed);
            waits.position() == bus.tail()
        });
        waiting.join().unwrap();
        if let Some(writer) = &other {
            // Readers are far past it; writers are not.
            let mut written = 0;
            loop {
                drain(&mut waits, check_unmixed);
                match writer.try_write_bytes(2, 2, &vec![0xBB; size]) {
                    Ok(()) => written += 1,
                    Err(WriteError::Full) => break,
                    Err(error) => panic!("{error}"),
                }
                assert!(bus.tail() - held_at <= CAPACITY as u64, "lapped a writer that is still writing");
            }
            assert!(written > 2, "a fenced slot holds back more than it has to: {written}");
        }
        assert_eq!(bus.stats().sealed, 0, "the owner counts the slot when it knows");
        held.go_on();
        let (result, writer) = owner.join().unwrap();
        assert_eq!(result, Err(WriteError::Fenced));
        assert_eq!(bus.stats().sealed, 1);
        // From here on everything is as ever, for many laps.
        for _ in 0..4 * CAPACITY / size {
            drain(&mut waits, check_unmixed);
            writer.try_write_bytes(1, 1, &vec![0xCC; size]).unwrap();
        }
        drain(&mut waits, check_unmixed);
    });
}

/// Law 6: a payload made of stamps is a payload.
///
/// Method: the first lap fills the memory with words that would be stamps and headers of the following laps if a
/// stamp were a function of position and state alone. Then come small messages, so that a reader looks for a stamp at
/// every place where such a word lies, and must see nothing but what was written.
fn no_payload_is_taken_for_a_message<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let (mut reader, writer) = (bus.subscribe("reader").unwrap(), bus.writer().unwrap());
    let mut tap = bus.subscribe_evictable("tap").unwrap();
    // A header that would make a fine message of 16 bytes, and the state bits that stamps have ever had.
    let header: u64 = 0xDEAD << 48 | 0xDEAD << 32 | 16;
    let forgeries = [(1, 16), (2, 16), (3, 16), (4, 16), (1, 32), (0, 16), (1, 8)];
    for (state, slot_header) in forgeries.into_iter().take(if cfg!(miri) { 1 } else { 7 }) {
        let target = bus.tail() + CAPACITY as u64;
        while bus.tail() < target {
            let first = bus.tail() + slot_header;
            writer
                .write(1, 1, bus.max_payload(), |bytes| {
                    for (place, chunk) in bytes.chunks_mut(16).enumerate() {
                        let stamp = (first + 16 * place as u64 + CAPACITY as u64) + state;
                        let forged = [stamp.to_le_bytes(), header.to_le_bytes()];
                        chunk.copy_from_slice(&forged.as_flattened()[..chunk.len()]);
                    }
                })
                .unwrap();
            assert_eq!(drain(&mut reader, |_, _| ()), 1);
            drain(&mut tap, |_, _| ());
        }
        let target = bus.tail() + CAPACITY as u64;
        let mut size = 0;
        while bus.tail() < target {
            for reader in [&mut reader, &mut tap] {
                assert!(!reader.ready(), "a forged stamp was believed");
                assert_eq!(reader.try_read(|header, _| *header), Err(ReadError::Empty), "a forged stamp was believed");
            }
            writer.write_bytes(3, 4, &[0x11; 24][..size]).unwrap();
            for reader in [&mut reader, &mut tap] {
                let read =
                    reader.try_read(|header, bytes| (header.source, header.message, bytes == &[0x11; 24][..size]));
                assert_eq!(read, Ok((3, 4, true)));
            }
            size = (size + 8) % 32;
        }
    }
}

/// Law 7: what the limit is, and that both of its sides are exact.
fn sizes_from_nothing_to_the_largest<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let (mut reader, writer) = (bus.subscribe("reader").unwrap(), bus.writer().unwrap());
    let max = bus.max_payload();
    assert!((1..=CAPACITY / 8).contains(&max), "a slot is at most an eighth of the capacity, not {max}");
    // Three laps, so that every size also stands across the end of the ring.
    for round in 0..if cfg!(miri) { 1 } else { 3 } * CAPACITY / max {
        for size in [0, 1, 7, 8, 9, 15, 16, 17, max - 1, max] {
            let expected: Vec<u8> = (0..size).map(|n| mix((n + round) as u64) as u8).collect();
            writer.try_write_bytes(1, 1, &expected).unwrap();
            assert_eq!(reader.try_read(|_, bytes| bytes.to_vec()).as_ref(), Ok(&expected));
            writer.try_write(1, 1, size, |bytes| bytes.copy_from_slice(&expected)).unwrap();
            assert_eq!(reader.try_read(|_, bytes| bytes.to_vec()).as_ref(), Ok(&expected));
            reader.release();
        }
    }
    let tail = bus.tail();
    let bytes = vec![0; max + 1];
    let error = Err(WriteError::TooLarge { size: max + 1, max });
    assert_eq!(writer.try_write_bytes(1, 1, &bytes), error);
    assert_eq!(writer.write_bytes(1, 1, &bytes), error);
    for size in [max + 1, u32::MAX as usize, usize::MAX - 8, usize::MAX] {
        let error = Err(WriteError::TooLarge { size, max });
        assert_eq!(writer.try_write(1, 1, size, |_| panic!("filled")), error);
        assert_eq!(writer.write(1, 1, size, |_| panic!("filled")), error);
    }
    assert_eq!(bus.tail(), tail, "a message that is too large claims nothing");
    assert_eq!(reader.try_read(|_, _| ()), Err(ReadError::Empty));
}

/// Law 7: there is a last reader, and its place is free again when it leaves.
fn too_many_readers_are_an_error<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let mut readers = Vec::new();
    let max = loop {
        let evictable = readers.len() % 2 == 1;
        match if evictable { bus.subscribe_evictable("reader") } else { bus.subscribe("reader") } {
            Ok(reader) => readers.push(reader),
            Err(SubscribeError::TooManyReaders { max }) => break max,
            Err(other) => panic!("{other}"),
        }
        assert!(readers.len() < 100_000, "no limit at all");
    };
    assert_eq!(readers.len(), max);
    assert_eq!(bus.subscribe_evictable("reader").err(), Some(SubscribeError::TooManyReaders { max }));
    readers.remove(max / 2);
    readers.push(bus.subscribe("late").unwrap());
    assert!(bus.subscribe("later").is_err());
    // All of them read.
    let writer = bus.writer().unwrap();
    writer.write_bytes(1, 1, &composed(1, 17, 40)).unwrap();
    for reader in &mut readers {
        assert_eq!(reader.try_read(trace).unwrap().number, 17);
    }
    drop(readers);
    assert!(bus.stats().readers.is_empty());
    // Who is gone holds nobody back.
    for number in 0..3 * CAPACITY as u64 / 100 {
        writer.try_write_bytes(1, 1, &composed(1, number, 100)).unwrap();
    }
}

/// Law 2 for evictable readers: they hold no writer back, and what they lose is counted exactly.
fn an_evictable_reader_holds_nobody_back<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let mut tap = bus.subscribe_evictable("tap").unwrap();
    let writer = bus.writer().unwrap();
    let (mut sent, mut received, mut lost, mut lags, mut last) = (0, 0, 0, 0, None);
    let rounds = if cfg!(miri) { 4 } else { 10 };
    for round in 0..rounds {
        for burst in 0..CAPACITY / 40 + round * 7 {
            let size = size_of(1, sent, 100);
            match burst % 16 {
                // Seals are not messages: they count as nothing.
                3 => drop(catch_unwind(AssertUnwindSafe(|| writer.try_write(1, 1, size, |_| user_panic("seal"))))),
                _ => {
                    writer.try_write_bytes(1, 1, &composed(1, sent, size)).expect("an evictable reader held a writer");
                    sent += 1;
                }
            }
        }
        // Some rounds read all, some only a little.
        for _ in 0..if round % 3 == 0 { 5 } else { usize::MAX } {
            match tap.try_read(trace) {
                Ok(seen) => {
                    assert!(last.is_none_or(|last: Trace| last.position < seen.position && last.number < seen.number));
                    // Exact at every moment: the number says how many messages there were before this one.
                    assert_eq!(seen.number, received + lost);
                    last = Some(seen);
                    received += 1;
                }
                Err(ReadError::Lagged(missed)) => {
                    assert!(missed > 0, "lagged by nothing");
                    lost += missed;
                    lags += 1;
                }
                Err(ReadError::Empty) => break,
                Err(error) => panic!("nobody closed it: {error}"),
            }
        }
    }
    drain(&mut tap, |_, _| received += 1);
    assert_eq!(received + lost, sent);
    assert!(lags >= rounds / 2 && received > 20, "not much of a test: {lags} lags, {received} received");
}

/// Law 2 for evictable readers: a loss is told by the next read and by nothing else, whatever was asked before.
fn a_loss_is_not_forgotten<B: MessageBus>(make: impl Fn() -> B) {
    type Ask<R> = fn(&mut R);
    let questions: [(&str, Ask<B::Reader>); 5] = [
        ("nothing", |_| ()),
        ("ready", |reader| assert!(reader.ready())),
        ("unblock", |reader| _ = reader.unblock()),
        ("wait", |reader| reader.wait(Some(Duration::ZERO))),
        ("release", |reader| reader.release()),
    ];
    for (question, ask) in questions.into_iter().step_by(if cfg!(miri) { 2 } else { 1 }) {
        let bus = make();
        let mut tap = bus.subscribe_evictable("tap").unwrap();
        let writer = bus.writer().unwrap();
        for number in 0..CAPACITY as u64 / 40 {
            writer.try_write_bytes(1, 1, &composed(1, number, 64)).unwrap();
        }
        ask(&mut tap);
        ask(&mut tap);
        let Err(ReadError::Lagged(lost)) = tap.try_read(|_, _| ()) else {
            panic!("not told of a loss after {question}");
        };
        assert_eq!(tap.try_read(trace).map(|trace| trace.number), Ok(lost), "after {question}");
        // What it was moved past is unread, too.
        for number in 0..CAPACITY as u64 / 40 {
            writer.try_write_bytes(1, 1, &composed(1, number, 64)).unwrap();
        }
        let unread = tap.unread(bus.tail(), Duration::ZERO);
        assert_eq!((unread.messages, unread.bytes), (2 * (CAPACITY as u64 / 40) - lost - 1, 0));
    }
}

/// Law 2 for evictable readers beside gating ones, under contention.
///
/// Method: one writer and one gating reader as fast as they can, and three evictable readers of different leisure, so
/// that evictions meet readers that are just looking; the slowest begins when the bus has gone round without it. Every
/// payload carries its number: a copy made while the slot was being overwritten fails its pattern, and received plus
/// lost must be the number at every single message.
fn evictable_readers_account_for_everything<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let mut gating = bus.subscribe("gating").unwrap();
    let taps = [0, 1, 8].map(|leisure| (leisure, bus.subscribe_evictable("tap").unwrap()));
    thread::scope(|scope| {
        let writer = bus.writer().unwrap();
        scope.spawn(move || {
            send_stream(&writer, 1, MANY, 200);
            writer
        });
        for (leisure, mut tap) in taps {
            let bus = &bus;
            scope.spawn(move || {
                let (mut accounted, mut last, mut lags) = (0, 0, 0);
                let is_late = leisure == 8;
                if is_late {
                    wait_until("the bus has gone round", || bus.tail() - tap.position() > CAPACITY as u64);
                }
                while accounted < MANY {
                    for _ in 0..leisure {
                        thread::yield_now();
                    }
                    match tap.read(trace) {
                        Ok(seen) => {
                            assert!(seen.position > last || accounted == 0, "positions do not increase");
                            assert_eq!(seen.number, accounted, "neither received nor counted as lost");
                            last = seen.position;
                            accounted += 1;
                        }
                        Err(ReadError::Lagged(missed)) => {
                            assert!(missed > 0, "lagged by nothing");
                            accounted += missed;
                            lags += 1;
                        }
                        Err(ReadError::Empty) => {}
                        Err(error) => panic!("nobody closed it: {error}"),
                    }
                }
                assert_eq!(accounted, MANY);
                assert!(lags != 0 || !is_late, "the bus went round without it, and it lost nothing");
            });
        }
        for number in 0..MANY {
            assert_eq!(next(&mut gating, trace).number, number);
        }
    });
}

/// Law 2: a reader whose code unwinds has not read the message, whichever kind of reader it is.
fn a_delivery_that_unwinds_is_repeated<B: MessageBus>(make: impl Fn() -> B) {
    for evictable in [false, true] {
        let bus = make();
        let mut reader = if evictable { bus.subscribe_evictable("reader") } else { bus.subscribe("reader") }.unwrap();
        let writer = bus.writer().unwrap();
        for number in 0..3 {
            writer.write_bytes(1, 1, &composed(1, number, 30)).unwrap();
        }
        for number in 0..3 {
            let position = reader.position();
            let panic = catch_unwind(AssertUnwindSafe(|| reader.try_read(|_, _| user_panic("not now"))));
            assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"not now"));
            assert_eq!(reader.position(), position, "evictable: {evictable}");
            assert_eq!(reader.try_read(trace).unwrap().number, number, "evictable: {evictable}");
        }
    }
}

/// Law 2: a message is the next one until it was handled.
fn what_was_not_handled_comes_again<B: MessageBus>(make: impl Fn() -> B) {
    for evictable in [false, true] {
        let bus = make();
        let mut reader = if evictable { bus.subscribe_evictable("reader") } else { bus.subscribe("reader") }.unwrap();
        let writer = bus.writer().unwrap();
        for number in 0..3 {
            writer.write_bytes(1, 1, &composed(1, number, 30)).unwrap();
        }
        for number in 0..3 {
            for handled in [false, false, true] {
                let mut seen = None;
                let said = reader.try_handle(|header, bytes| {
                    seen = Some(trace(header, bytes).number);
                    handled
                });
                assert_eq!((said, seen), (Ok(handled), Some(number)), "evictable: {evictable}");
            }
        }
        assert_eq!(reader.try_handle(|_, _| true), Err(ReadError::Empty));
    }
}

/// Law 2, many at a time: a batch handles messages in their order up to the one that ends it, each once; what is kept
/// or unwinds comes again.
fn a_batch_ends_where_its_messages_say<B: MessageBus>(make: impl Fn() -> B) {
    for evictable in [false, true] {
        let bus = make();
        let mut reader = if evictable { bus.subscribe_evictable("reader") } else { bus.subscribe("reader") }.unwrap();
        let writer = bus.writer().unwrap();
        let mut written = 0..;
        let mut write = |count: usize| {
            for number in written.by_ref().take(count) {
                writer.write_bytes(1, 1, &composed(1, number, 30)).unwrap();
            }
        };
        let mut seen = Vec::new();
        let mut batch = |reader: &mut B::Reader, most, last: u64, next: Next| {
            let read = reader.try_read_up_to(most, |header, bytes| {
                let number = trace(header, bytes).number;
                if number != last || next != Next::Keep {
                    seen.push(number);
                }
                if number == last { next } else { Next::Go }
            });
            (read, seen.last().copied())
        };
        write(8);
        assert_eq!(batch(&mut reader, 0, 9, Next::Go), (Ok(0), None), "evictable: {evictable}");
        assert_eq!(batch(&mut reader, 2, 9, Next::Go), (Ok(2), Some(1)));
        assert_eq!(batch(&mut reader, 9, 4, Next::Stop), (Ok(3), Some(4)));
        assert_eq!(batch(&mut reader, 9, 6, Next::Keep), (Ok(1), Some(5)));
        assert_eq!(batch(&mut reader, 9, 6, Next::Keep), (Ok(0), Some(5)));
        let mut left = 2;
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            reader.try_read_up_to(9, |_, _| {
                left -= 1;
                if left == 0 { user_panic("not now") } else { Next::Go }
            })
        }));
        assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&"not now"));
        // The one before it was handled.
        assert_eq!(batch(&mut reader, 9, 9, Next::Go), (Err(ReadError::Empty), Some(7)));
        assert_eq!(batch(&mut reader, 9, 9, Next::Go), (Err(ReadError::Empty), Some(7)));
        write(1);
        assert_eq!(batch(&mut reader, 1, 9, Next::Go), (Ok(1), Some(8)));
        assert_eq!(seen, [0, 1, 2, 3, 4, 5, 7, 8], "evictable: {evictable}");
        assert_eq!(reader.position(), bus.tail());
    }
}

/// A batch lets go of no message before its answer is known, and of those before it in time for writers that need the
/// room.
fn a_batch_releases_what_was_handled<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let mut reader = bus.subscribe("reader").unwrap();
    let writer = bus.writer().unwrap();
    let write = |number| writer.try_write_bytes(1, 1, &composed(1, number, 30)).is_ok();
    // Several times as much as a bus holds that reuses its bytes.
    let most = if cfg!(miri) { 2 } else { 4 } * CAPACITY / 48;
    let mut number = (0..most as u64).take_while(|&number| write(number)).count() as u64;
    let mut next = 0;
    while next < most as u64 {
        let read = reader.try_read_up_to(most, |header, bytes| {
            assert_eq!(trace(header, bytes).number, next);
            // Miri takes a second for a dozen looks at all counters.
            if !cfg!(miri) || next % 16 == 0 {
                assert!(bus.stats().readers[0].position <= header.position, "what is in hand is not let go of");
            }
            next += 1;
            // Each that was handled makes room sooner or later, in the same batch.
            while number < most as u64 && write(number) {
                number += 1;
            }
            Next::Go
        });
        assert_eq!(read.unwrap_or(next as usize), next as usize, "one batch is enough");
    }
    assert_eq!((next, number), (most as u64, most as u64));
}

/// So does a batch that ends with each of its messages: a reader that stops every time makes room all the same.
fn a_batch_that_is_stopped_makes_room<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let mut reader = bus.subscribe("reader").unwrap();
    let writer = bus.writer().unwrap();
    // Four times as much as a bus holds that reuses its bytes; the reader never waits, and never finds it empty.
    let most = 4 * CAPACITY as u64 / 48;
    writer.try_write_bytes(1, 1, &composed(1, 0, 30)).unwrap();
    for number in 0..most {
        writer.try_write_bytes(1, 1, &composed(1, number + 1, 30)).expect("there is room");
        let read = reader.try_read_up_to(2, |header, bytes| {
            assert_eq!(trace(header, bytes).number, number);
            Next::Stop
        });
        assert_eq!(read, Ok(1));
    }
}

/// What was not read is counted up to any end: seals are no messages, and what is being written ends the count, by
/// bytes, when its time is over. A reader that holds writers back has let go of nothing then.
fn what_was_not_read_is_counted<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let mut reader = bus.subscribe("reader").unwrap();
    let mut tap = bus.subscribe_evictable("tap").unwrap();
    let counted = |reader: &mut B::Reader, end, patience| {
        let unread = reader.unread(end, patience);
        (unread.messages, unread.bytes)
    };
    assert_eq!(counted(&mut reader, bus.tail(), PATIENCE), (0, 0));
    let writer = bus.writer().unwrap();
    let mut third = 0;
    for number in 0..5 {
        writer.write_bytes(1, 1, &composed(1, number, 30)).unwrap();
        drop(catch_unwind(AssertUnwindSafe(|| writer.try_write(1, 1, 20, |_| user_panic("seal")))));
        third = if number == 2 { bus.tail() } else { third };
    }
    assert_eq!(next(&mut reader, trace).number, 0);
    assert_eq!(
        (counted(&mut reader, third, Duration::ZERO), counted(&mut reader, bus.tail(), PATIENCE)),
        ((2, 0), (4, 0))
    );
    let held_at = bus.tail();
    thread::scope(|scope| {
        let (held, owner) = hold(scope, writer, 40);
        let in_flight = bus.tail() - held_at;
        assert_eq!(counted(&mut reader, bus.tail(), Duration::from_millis(20)), (4, in_flight));
        held.go_on();
        owner.join().unwrap().0.unwrap();
    });
    assert_eq!(counted(&mut reader, bus.tail(), Duration::ZERO), (5, 0));
    assert_eq!(counted(&mut tap, bus.tail(), Duration::ZERO), (6, 0));
    assert_eq!(next(&mut reader, trace).number, 1, "it was counted, not read");
}

/// The counters: messages, bytes, full, sealed, and where each reader stands under which name.
fn stats_say_what_happened<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let stats = bus.stats();
    assert_eq!((stats.messages, stats.bytes, stats.full, stats.sealed), (0, 0, 0, 0));
    assert_eq!((stats.tail, stats.readers.len()), (bus.tail(), 0));
    let writer = bus.writer().unwrap();
    writer.write_bytes(1, 1, &[1; 10]).unwrap();
    let mut slow = bus.subscribe("slow").unwrap();
    let tap = bus.subscribe_evictable("tap").unwrap();
    let long = bus.subscribe("0123456789abcdef0123456789abcdef0123456789abcdef").unwrap();
    let umlaut = bus.subscribe("0123456789abcdef0123456789abcdä").unwrap();
    let start = bus.tail();
    writer.write(1, 1, 100, |_| ()).unwrap();
    writer.write_bytes(1, 1, &[]).unwrap();
    let _ = catch_unwind(AssertUnwindSafe(|| writer.try_write(1, 1, 50, |_| user_panic("seal"))));
    let stats = bus.stats();
    assert_eq!((stats.messages, stats.bytes, stats.full, stats.sealed), (3, 110, 0, 1));
    let names: Vec<_> = stats.readers.iter().map(|reader| (reader.name.as_str(), reader.evictable)).collect();
    let (cut, cut_umlaut) = ("0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcd");
    assert_eq!(names, [("slow", false), ("tap", true), (cut, false), (cut_umlaut, false)]);
    for reader in &stats.readers {
        assert_eq!((reader.position, reader.lag), (start, stats.tail - start));
        assert_eq!(reader.outbox_high_water, 0);
    }
    slow.try_read(|_, _| ()).unwrap();
    slow.release();
    let stats = bus.stats();
    assert_eq!(stats.readers[0].position, slow.position());
    assert_eq!(stats.readers[0].lag, bus.tail() - slow.position());
    assert!(stats.readers[0].lag < stats.readers[1].lag);
    drop((tap, long, umlaut, slow));
    assert!(bus.stats().readers.is_empty());
    // Counters outlive whoever counted.
    let messages = bus.stats().messages;
    drop(writer);
    bus.writer().unwrap().write_bytes(1, 1, &[1; 10]).unwrap();
    assert_eq!(bus.stats().messages, messages + 1);
}

/// Law 4: each refusal counts, once.
fn stats_count_refusals<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let _slow = bus.subscribe("slow").unwrap();
    let writer = bus.writer().unwrap();
    fill_up(&writer, bus.max_payload());
    assert_eq!(bus.stats().full, 1);
}

/// Law 10: what ends the wait of a reader.
fn a_waiting_reader_wakes<B: MessageBus>(make: impl Fn() -> B) {
    for evictable in [false, true] {
        let bus = make();
        let mut reader = if evictable { bus.subscribe_evictable("reader") } else { bus.subscribe("reader") }.unwrap();
        let writer = bus.writer().unwrap();
        let turn = AtomicU64::new(0);
        thread::scope(|scope| {
            let (bus, turn) = (&bus, &turn);
            scope.spawn(move || {
                let said = |number| turn.store(number, Ordering::Release);
                said(1);
                assert_eq!(next(&mut reader, trace).number, 42);
                said(2);
                assert_eq!(reader.read(|_, _| ()), Err(ReadError::Empty), "woken without a message");
                said(3);
                assert_eq!(reader.read(|_, _| ()), Err(ReadError::Closed));
                // From now on there is nothing to wait for.
                assert_eq!(reader.read(|_, _| ()), Err(ReadError::Closed));
                said(4);
            });
            let reached = |number| turn.load(Ordering::Acquire) >= number;
            wait_until("the reader is about to wait", || reached(1));
            writer.write_bytes(1, 1, &composed(1, 42, 30)).unwrap();
            wait_until("a message has woken the reader", || reached(2));
            bus.wake();
            wait_until("a call has woken the reader", || reached(3));
            bus.close();
            wait_until("the end has woken the reader", || reached(4));
        });
    }
}

/// Law 10: a wait ends after its timeout, not before; and one `wake` ends one wait, even if it came first.
fn timeouts_and_early_wakes_end_one_wait<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let mut reader = bus.subscribe("reader").unwrap();
    for millis in [0, 1, 20] {
        let timeout = Duration::from_millis(millis);
        let start = Instant::now();
        reader.wait(Some(timeout));
        assert!(start.elapsed() >= timeout, "woken early");
    }
    bus.wake();
    bus.wake();
    // Without a timeout: hangs if the wake was lost.
    reader.wait(None);
    let start = Instant::now();
    reader.wait(Some(Duration::from_millis(20)));
    assert!(start.elapsed() >= Duration::from_millis(20), "one wake ended two waits");
}

/// Law 10, no lost wake-up: a message must wake its reader however the two meet.
///
/// Method: two threads send a token back and forth, each waiting for the other's. Every round puts one writer between
/// another thread's last look and its sleep, and one lost wake-up stops both for good, which the time limit of every
/// test reports. On hardware that orders stores and loads the window is narrow; under Miri, which explores the memory
/// model, it is not.
fn no_wake_up_is_lost<B: MessageBus>(make: impl Fn() -> B) {
    let rounds: u64 = if cfg!(miri) { 30 } else { 3000 };
    let (there, back) = (make(), make());
    let (mut ping, mut pong) = (there.subscribe("ping").unwrap(), back.subscribe("pong").unwrap());
    thread::scope(|scope| {
        let (there_writer, back_writer) = (there.writer().unwrap(), back.writer().unwrap());
        scope.spawn(move || {
            for round in 0..rounds {
                assert_eq!(next(&mut ping, trace).number, round);
                back_writer.write(1, 1, 8, |bytes| compose(1, round, bytes)).unwrap();
            }
        });
        for round in 0..rounds {
            there_writer.write_bytes(1, 1, &composed(1, round, 8)).unwrap();
            assert_eq!(next(&mut pong, trace).number, round);
        }
    });
}

/// Law 10: a message, and room, wake whoever sleeps in a poller of its own. As [`no_wake_up_is_lost`]; every message
/// takes all the room there is, so that writer and reader wait for each other.
fn sleepers_in_pollers_are_woken<B: MessageBus>(make: impl Fn() -> B) {
    let rounds: u64 = if cfg!(miri) { 30 } else { 3000 };
    let bus = make();
    let mut reader = bus.subscribe("reader").unwrap();
    // Its cursor is always at the end: what keeps the bus full is `reader` alone.
    let mut waiter = bus.subscribe("waiter").unwrap();
    let writer = bus.worker_writer(&waiter).unwrap();
    let size = bus.max_payload();
    thread::scope(|scope| {
        scope.spawn(move || {
            let bell: Arc<dyn Poller> = Arc::new(Bell::default());
            for round in 0..rounds {
                while !reader.ready() {
                    reader.wait_in(&bell, None, Interest::Messages, Reader::ready);
                }
                assert_eq!(reader.try_read(trace).unwrap().number, round);
                reader.release();
            }
        });
        let bell: Arc<dyn Poller> = Arc::new(Bell::default());
        for round in 0..rounds {
            while !writer.has_room(size) {
                waiter.wait_in(&bell, None, Interest::Room, |_| writer.has_room(size));
            }
            writer.try_write_bytes(1, 1, &composed(1, round, size)).unwrap();
            while waiter.skip().is_ok() {}
            waiter.release();
        }
    });
    let bell: Arc<dyn Poller> = Arc::new(Bell::default());
    // Where a thread rings for those in pollers, what it rings for may lie behind: then it does so once more.
    wait_until("it sleeps for as long as it may", || {
        let start = Instant::now();
        waiter.wait_in(&bell, Some(Duration::from_millis(20)), Interest::Messages, Reader::ready);
        let slept = start.elapsed() >= Duration::from_millis(20);
        assert!(slept || bus.is_shared(), "woken early");
        slept
    });
    bus.wake();
    waiter.wait_in(&bell, None, Interest::Messages, Reader::ready);
}

/// Law 4, no lost wake-up on the other side: room must wake its writer however the two meet. As
/// [`no_wake_up_is_lost`], with messages so large that the writer waits for the reader every few of them, and a reader
/// that releases each one before it looks for the next, or only looks, and releases by that.
fn no_waiting_writer_is_forgotten<B: MessageBus>(make: impl Fn() -> B) {
    for releases in [true, false] {
        let bus = make();
        let size = bus.max_payload();
        let rounds: u64 = if cfg!(miri) { 30 } else { 2000 };
        let mut reader = bus.subscribe("reader").unwrap();
        thread::scope(|scope| {
            let writer = bus.writer().unwrap();
            scope.spawn(move || {
                let payload = vec![7; size];
                for _ in 0..rounds {
                    writer.write_bytes(1, 1, &payload).unwrap();
                }
            });
            for _ in 0..rounds {
                if releases {
                    next(&mut reader, |_, bytes| assert_eq!(bytes.len(), size));
                    reader.release();
                } else {
                    wait_until("a message is there", || reader.try_read(|_, _| ()).is_ok());
                }
            }
        });
    }
}

/// Law 8 at the bus: after the close outsiders are refused, workers are not, and readers read to the end.
fn a_closed_bus_is_read_to_its_end<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let mut reader = bus.subscribe("reader").unwrap();
    let mut tap = bus.subscribe_evictable("tap").unwrap();
    let outside = bus.writer().unwrap();
    for number in 0..10 {
        outside.write_bytes(1, 1, &composed(1, number, 50)).unwrap();
    }
    assert!(reader.ready());
    bus.close();
    bus.close();
    let tail = bus.tail();
    assert_eq!(outside.try_write_bytes(1, 1, &[1; 50]), Err(WriteError::Closed));
    assert_eq!(outside.write_bytes(1, 1, &[1; 50]), Err(WriteError::Closed));
    assert_eq!(outside.try_write(1, 1, 50, |_| panic!("filled")), Err(WriteError::Closed));
    assert_eq!(outside.write(1, 1, 50, |_| panic!("filled")), Err(WriteError::Closed));
    assert_eq!(bus.tail(), tail);
    drop(outside);
    let worker = bus.worker_writer(&reader).unwrap();
    worker.try_write_bytes(1, 1, &composed(1, 10, 50)).unwrap();
    for number in 0..=10 {
        assert_eq!(reader.read(trace).unwrap().number, number);
        assert_eq!(tap.read(trace).unwrap().number, number);
    }
    for reader in [&mut reader, &mut tap] {
        assert_eq!(reader.try_read(|_, _| ()), Err(ReadError::Closed));
        assert_eq!(reader.read(|_, _| ()), Err(ReadError::Closed));
    }
    worker.write_bytes(1, 1, &composed(1, 11, 50)).unwrap();
    assert_eq!(reader.try_read(trace).unwrap().number, 11, "a reader at the end still sees what a worker writes");
    assert_eq!(reader.try_read(|_, _| ()), Err(ReadError::Closed));
    let mut late = bus.subscribe("late").unwrap();
    assert_eq!(late.try_read(|_, _| ()), Err(ReadError::Closed));
}

/// Law 8: a message that is being written at the close is not behind the end: readers wait for it.
fn a_fill_in_flight_is_before_the_end<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let mut reader = bus.subscribe("reader").unwrap();
    let mut tap = bus.subscribe_evictable("tap").unwrap();
    thread::scope(|scope| {
        let (held, owner) = hold(scope, bus.writer().unwrap(), 40);
        bus.close();
        assert_eq!(reader.try_read(|_, _| ()), Err(ReadError::Empty));
        assert_eq!(tap.try_read(|_, _| ()), Err(ReadError::Empty));
        held.go_on();
        assert_eq!(owner.join().unwrap().0, Ok(()), "it was claimed before the close");
    });
    for reader in [&mut reader, &mut tap] {
        assert_eq!(reader.try_read(|_, bytes| bytes == [0xAA; 40]), Ok(true));
        assert_eq!(reader.try_read(|_, _| ()), Err(ReadError::Closed));
    }
}

/// Law 8: whatever an outsider's `write` has accepted is read, however close to the close it came.
fn nothing_accepted_is_lost_at_the_close<B: MessageBus>(make: impl Fn() -> B) {
    for round in 0..if cfg!(miri) { 3 } else { 50 } {
        let bus = make();
        let mut reader = bus.subscribe("reader").unwrap();
        thread::scope(|scope| {
            let writer = bus.writer().unwrap();
            let accepted = scope.spawn(move || {
                let mut accepted = 0;
                loop {
                    match writer.write_bytes(1, 1, &composed(1, accepted, 30)) {
                        Ok(()) => accepted += 1,
                        Err(WriteError::Closed) => return accepted,
                        Err(other) => panic!("{other}"),
                    }
                }
            });
            let mut received = 0;
            while received < 10 * round {
                assert_eq!(next(&mut reader, trace).number, received);
                received += 1;
            }
            bus.close();
            drain(&mut reader, |_, _| received += 1);
            let accepted = accepted.join().unwrap();
            // What was accepted while the first drain ended is there now.
            drain(&mut reader, |_, _| received += 1);
            assert_eq!(received, accepted);
            assert_eq!(reader.try_read(|_, _| ()), Err(ReadError::Closed));
        });
    }
}

/// Law 8: whoever waits is sent home by the close, the waiting writer with `Closed`. Many rounds, because the close
/// must also meet a writer that has found no room and does not wait yet.
fn a_close_ends_every_wait<B: MessageBus>(make: impl Fn() -> B) {
    for round in 0..if cfg!(miri) { 1 } else { 200 } {
        let bus = make();
        let slow = bus.subscribe("slow").unwrap();
        let mut idle = bus.subscribe_evictable("idle").unwrap();
        let size = bus.max_payload();
        let outside = bus.writer().unwrap();
        fill_up(&outside, size);
        drain(&mut idle, |_, _| ());
        let refused = bus.stats().full;
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let outside = outside;
                let result = outside.write_bytes(1, 1, &vec![1; size]);
                // There is no point in waiting for room on a bus that will never take the message.
                outside.wait_for_room(size);
                result
            });
            let reader = scope.spawn(move || idle.read(|_, _| ()));
            wait_until("the writer has found no room", || bus.stats().full > refused);
            for _ in 0..mix(round) % 1000 {
                std::hint::spin_loop();
            }
            bus.close();
            assert_eq!(writer.join().unwrap(), Err(WriteError::Closed));
            assert_eq!(reader.join().unwrap(), Err(ReadError::Closed));
        });
        drop(slow);
    }
}

/// Laws 4 and 8: waiting for room on a bus that is closed already returns at once, instead of never.
fn waiting_for_room_ends_on_a_closed_bus<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let _slow = bus.subscribe("slow").unwrap();
    let writer = bus.writer().unwrap();
    fill_up(&writer, bus.max_payload());
    bus.close();
    writer.wait_for_room(bus.max_payload());
}

/// Law 4: whoever waits for room with a timeout waits so long and no longer, without looking all the time, and has its
/// room as soon as there is any.
fn waiting_for_room_ends_in_time<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let size = bus.max_payload();
    let mut slow = bus.subscribe("slow").unwrap();
    let writer = bus.writer().unwrap();
    fill_up(&writer, size);
    writer.wait_for_room_at_most(size, Duration::ZERO);
    let (start, timeout) = (Instant::now(), Duration::from_millis(50));
    let mut waits = 0;
    while let Some(left) = timeout.checked_sub(start.elapsed()) {
        writer.wait_for_room_at_most(size, left);
        waits += 1;
    }
    // A bus that wakes nobody looks once in a millisecond.
    assert!(waits <= 100, "waited {waits} times in {timeout:?}");
    assert_eq!(writer.try_write_bytes(1, 1, &vec![1; size]), Err(WriteError::Full), "nobody made room");

    let refused = bus.stats().full;
    let written = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let writer = writer;
            while writer.try_write_bytes(1, 1, &vec![1; size]) == Err(WriteError::Full) {
                writer.wait_for_room_at_most(size, Duration::MAX);
            }
            written.store(true, Ordering::Release);
        });
        wait_until("the writer has found no room", || bus.stats().full > refused);
        while !written.load(Ordering::Acquire) {
            _ = slow.try_read(|_, _| ());
            slow.release();
            thread::yield_now();
        }
    });
    let writer = bus.writer().unwrap();
    fill_up(&writer, size);
    bus.close();
    writer.wait_for_room_at_most(size, Duration::MAX);
    assert_eq!(writer.try_write_bytes(1, 1, &vec![1; size]), Err(WriteError::Closed));
}

/// Laws 4 and 7: waiting for room for what never fits returns at once, instead of never, and does not panic.
fn waiting_for_impossible_room_ends<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let _reader = bus.subscribe("reader").unwrap();
    let writer = bus.writer().unwrap();
    for size in [2 * CAPACITY, u32::MAX as usize, usize::MAX] {
        writer.wait_for_room(size);
        writer.wait_for_room_at_most(size, Duration::MAX);
    }
}

/// Law 2 at rest: a reader that never reads holds every writer back for ever, and not a byte is overwritten.
fn a_gating_reader_is_never_overwritten<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let mut stuck = bus.subscribe("stuck").unwrap();
    let mut quick = bus.subscribe("quick").unwrap();
    let writer = bus.writer().unwrap();
    let mut sent = 0;
    for _ in 0..100 {
        if writer.try_write_bytes(1, 1, &composed(1, sent, CAPACITY / 50)).is_ok() {
            sent += 1;
        }
        drain(&mut quick, |_, _| ());
    }
    assert!(bus.tail() - stuck.position() <= CAPACITY as u64);
    assert!(bus.stats().full > 0, "100 messages of a fiftieth do not fit");
    for number in 0..sent {
        assert_eq!(stuck.try_read(trace).unwrap().number, number);
    }
}

/// Law 4 among workers: whose outbox is pending first writes first, and outsiders come after all of them.
///
/// Only a bus for many writers has two workers that write; on any other the queue is that of one.
fn a_ticket_holds_back_outsiders<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let reader = bus.subscribe("worker").unwrap();
    let worker = bus.worker_writer(&reader).unwrap();
    worker.take_ticket();
    worker.try_write_bytes(1, 1, &[1; 10]).expect("the first in the queue may write");
    worker.take_ticket();
    assert!(worker.has_room(10));
    worker.give_up_ticket();
    worker.give_up_ticket();
    worker.try_write_bytes(1, 1, &[1; 10]).unwrap();
    assert_eq!(bus.stats().readers[0].outbox_high_water, 0);
    worker.record_outbox(300);
    worker.record_outbox(200);
    assert_eq!(bus.stats().readers[0].outbox_high_water, 300);
    assert!(worker.is_slowest());
    drop((worker, reader));
    let _successor = bus.subscribe("successor").unwrap();
    assert_eq!(bus.stats().readers[0].outbox_high_water, 0, "the outbox of somebody who left");
}

/// Law 5 for outboxes: a worker that ends with a ticket gives it up, in whatever order it lets go of its reader and
/// its writer, and even if somebody takes its reader's place in between. Otherwise outsiders would wait for ever.
fn a_ticket_ends_with_its_worker<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    for reader_first in [false, true] {
        let reader = bus.subscribe("worker").unwrap();
        let worker = bus.worker_writer(&reader).unwrap();
        worker.take_ticket();
        if reader_first {
            drop(reader);
            let _successor = bus.subscribe("successor").unwrap();
            drop(worker);
        } else {
            drop(worker);
        }
        let outside = bus.writer().unwrap();
        let result = outside.try_write_bytes(1, 1, &[1; 10]);
        assert_eq!(result, Ok(()), "a ticket outlived its worker; reader first: {reader_first}");
    }
}

/// Clones are handles on one bus, and the bus lives as long as any of them, readers and writers included.
fn a_clone_is_the_same_bus<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let clone = bus.clone();
    let mut reader = clone.subscribe("reader").unwrap();
    let writer = bus.writer().unwrap();
    drop((bus, clone));
    writer.write_bytes(1, 1, &composed(1, 5, 50)).unwrap();
    drop(writer);
    assert_eq!(next(&mut reader, trace).number, 5);
}

// --------------------------------------------------------------------------------- laws of buses for many writers

/// Laws 1 and 2 with three writers and three readers.
fn three_writers_make_one_order<B: MessageBus>(make: impl Fn() -> B) {
    one_order(&make(), 3);
}

/// Laws 1 and 2 when claims of every kind meet: small messages, large ones, panics, refusals and a full ring.
///
/// Method: as [`one_order`], with sizes up to the largest and every tenth fill given up, from three threads.
fn claims_of_all_kinds_meet<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let mut reader = bus.subscribe("reader").unwrap();
    let count = MANY / 4;
    let mut seen = Vec::new();
    thread::scope(|scope| {
        for source in 1..=3 {
            let writer = bus.writer().unwrap();
            let max = bus.max_payload();
            scope.spawn(move || {
                for number in 0..count {
                    let size = size_of(source, number, if number % 5 == 0 { max } else { 48 });
                    if number % 10 == 3 {
                        let sealed = catch_unwind(AssertUnwindSafe(|| {
                            writer.write(source, 1, size, |bytes| {
                                compose(source, u64::MAX, bytes);
                                user_panic("given up");
                            })
                        }));
                        assert!(sealed.is_err());
                    }
                    writer.write(source, 1, size, |bytes| compose(source, number, bytes)).unwrap();
                }
            });
        }
        for _ in 0..3 * count {
            seen.push(next(&mut reader, trace));
        }
    });
    check_order(&seen, 3, count);
    assert_eq!(bus.stats().sealed, 3 * (0..count).filter(|number| number % 10 == 3).count() as u64);
}

/// Law 2 for writers: while one is in its slot, another that goes round as far as it can never reaches it, whoever
/// reads or does not.
///
/// Each company of readers is a different reason for the gate to move: nobody, a reader that waits at the slot, one
/// that came after it, one that waited and left while another came after it, and evictable readers of both kinds.
fn a_slot_in_flight_is_never_lapped<B: MessageBus>(make: impl Fn() -> B) {
    type Subscribe<B> = fn(&B) -> <B as MessageBus>::Reader;
    let gating: Subscribe<B> = |bus| bus.subscribe("gating").unwrap();
    let evictable: Subscribe<B> = |bus| bus.subscribe_evictable("evictable").unwrap();
    let companies: [(&str, &[Subscribe<B>], bool, &[Subscribe<B>]); 8] = [
        ("nobody reads", &[], false, &[]),
        ("a reader waits at it", &[gating], false, &[]),
        ("a reader came after it", &[], false, &[gating]),
        ("a reader waits at it, one came after it", &[gating], false, &[gating]),
        ("a reader waited and left, one came after it", &[gating], true, &[gating]),
        ("an evictable reader waits at it", &[evictable], false, &[]),
        ("an evictable reader came after it", &[], false, &[evictable]),
        ("both kinds came after it, one waited and left", &[evictable], true, &[gating, evictable]),
    ];
    for (company, before, leave, after) in companies {
        let bus = make();
        let size = bus.max_payload() / 2;
        let mut readers: Vec<_> = before.iter().map(|subscribe| subscribe(&bus)).collect();
        thread::scope(|scope| {
            let held_at = bus.tail();
            let (held, owner) = hold(scope, bus.writer().unwrap(), size);
            let fast = bus.writer().unwrap();
            readers.extend(after.iter().map(|subscribe| subscribe(&bus)));
            if leave {
                drop(readers.remove(0));
            }
            loop {
                for reader in &mut readers {
                    drain(reader, check_unmixed);
                }
                match fast.try_write_bytes(2, 2, &vec![0xBB; size]) {
                    Ok(()) => {}
                    Err(WriteError::Full) => break,
                    Err(error) => panic!("{error}"),
                }
                assert!(bus.tail() - held_at <= CAPACITY as u64, "lapped a writer in its slot while {company}");
            }
            held.go_on();
            assert_eq!(owner.join().unwrap().0, Ok(()), "{company}");
            // Nothing holds it any more.
            for _ in 0..2 * CAPACITY / size {
                for reader in &mut readers {
                    drain(reader, check_unmixed);
                }
                assert_eq!(fast.try_write_bytes(2, 2, &vec![0xBB; size]), Ok(()), "{company}");
            }
        });
    }
}

/// Law 5 for readers that sleep already: nobody tells them of a fill that has begun, so the next message behind it must
/// make them look at the clock.
fn a_silent_fill_does_not_stop_a_sleeping_reader<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let reader = bus.subscribe("reader").unwrap();
    let writer = bus.writer().unwrap();
    writer.write_bytes(2, 2, &[0xBB; 10]).unwrap();
    let turn = AtomicU64::new(0);
    thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut reader = reader;
            for expected in [2, 3] {
                assert_eq!(next(&mut reader, |header, _| header.source), expected);
                turn.store(1, Ordering::Release);
            }
        });
        wait_until("the reader is about to sleep", || turn.load(Ordering::Acquire) == 1);
        let (held, owner) = hold(scope, bus.writer().unwrap(), 100);
        writer.write_bytes(3, 3, &[0xBB; 10]).unwrap();
        reading.join().unwrap();
        held.go_on();
        assert_eq!(owner.join().unwrap().0, Err(WriteError::Fenced));
    });
}

/// Law 4: the turns of two workers and an outsider.
fn outboxes_take_turns<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let (mut first_reader, mut second_reader) = (bus.subscribe("first").unwrap(), bus.subscribe("second").unwrap());
    let first = bus.worker_writer(&first_reader).unwrap();
    let second = bus.worker_writer(&second_reader).unwrap();
    let outside = bus.writer().unwrap();
    let may = |writer: &B::BusWriter| {
        let result = writer.try_write_bytes(1, 1, &[1; 10]);
        assert!(matches!(result, Ok(()) | Err(WriteError::Full)), "{result:?}");
        assert_eq!(writer.has_room(10), result.is_ok());
        result.is_ok()
    };
    assert_eq!([&first, &second, &outside].map(may), [true, true, true]);
    first.take_ticket();
    assert_eq!([&first, &second, &outside].map(may), [true, false, false]);
    second.take_ticket();
    assert_eq!([&first, &second, &outside].map(may), [true, false, false]);
    // A ticket taken again goes to the end of the queue.
    first.take_ticket();
    assert_eq!([&first, &second, &outside].map(may), [false, true, false]);
    second.give_up_ticket();
    assert_eq!([&first, &second, &outside].map(may), [true, false, false]);
    thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            outside.write_bytes(5, 5, &[5; 10]).unwrap();
            outside
        });
        first.give_up_ticket();
        let outside = waiting.join().unwrap();
        assert_eq!([&first, &second, &outside].map(may), [true, true, true]);
    });
    assert!(first.is_slowest() && second.is_slowest());
    drain(&mut first_reader, |_, _| ());
    assert!(!first.is_slowest() && second.is_slowest());
    drain(&mut second_reader, |_, _| ());
    assert!(first.is_slowest() && second.is_slowest());
}

// ----------------------------------------------------------------------------------- laws of buses for one writer

/// Law 7: the second writer is refused, from outside and for workers, and the next one goes on where the first ended.
fn a_second_writer_is_refused<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let mut reader = bus.subscribe("reader").unwrap();
    let mut number = 0;
    for round in 0..if cfg!(miri) { 20 } else { 200 } {
        let writer = if round % 2 == 0 { bus.writer() } else { bus.worker_writer(&reader) }.unwrap();
        assert_eq!(bus.writer().err(), Some(NoWriter::Taken));
        assert_eq!(bus.worker_writer(&reader).err(), Some(NoWriter::Taken));
        for _ in 0..3 {
            writer.write_bytes(1, 1, &composed(1, number, CAPACITY / 50)).unwrap();
            number += 1;
        }
        // From another thread, whose writes this one's successor must not forget.
        thread::scope(|scope| {
            scope.spawn(|| {
                let writer = writer;
                writer.write_bytes(1, 1, &composed(1, number, CAPACITY / 50)).unwrap();
            });
        });
        number += 1;
        for behind in (1..=4).rev() {
            assert_eq!(reader.try_read(trace).unwrap().number, number - behind);
        }
    }
    assert_eq!(bus.stats().messages, number);
}

// ------------------------------------------------------------------------------- laws of buses whose readers sleep

/// Law 10: a reader that waits uses no processor time.
///
/// The sleep below is not a wait for anything: it is the time over which idleness is measured.
fn a_waiting_reader_uses_no_processor_time<B: MessageBus>(make: impl Fn() -> B) {
    /// Nanoseconds that this thread has been on a processor.
    fn on_processor() -> Option<u64> {
        let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        schedstat.split_ascii_whitespace().next()?.parse().ok()
    }
    if on_processor().is_none() {
        if cfg!(target_os = "linux") {
            support::skip("this kernel counts no processor time of threads in /proc/thread-self/schedstat");
        }
        return;
    }
    let bus = make();
    let readers = [bus.subscribe("reader").unwrap(), bus.subscribe_evictable("tap").unwrap()];
    let writer = bus.writer().unwrap();
    let (ready, all_ready) = channel();
    thread::scope(|scope| {
        let idlers = readers.map(|mut reader| {
            let ready = ready.clone();
            scope.spawn(move || {
                let (start, used) = (Instant::now(), on_processor().unwrap());
                ready.send(()).unwrap();
                next(&mut reader, |_, _| ());
                let used = Duration::from_nanos(on_processor().unwrap() - used);
                assert!(used < start.elapsed() / 10, "idle for {:?}, busy for {used:?}", start.elapsed());
            })
        });
        for _ in 0..2 {
            all_ready.recv_timeout(PATIENCE).unwrap();
        }
        #[expect(clippy::disallowed_methods, reason = "measures what a reader uses while nothing happens")]
        thread::sleep(Duration::from_millis(400));
        writer.write_bytes(1, 1, b"good morning").unwrap();
        for idler in idlers {
            idler.join().unwrap();
        }
    });
}

// ------------------------------------------------------------------------------- laws of buses that are never full

/// Laws 2, 3 and 4: nobody holds writers back, nobody loses anything, however late, and what is held stays as it is.
fn no_reader_holds_an_endless_bus<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let mut stuck = bus.subscribe("stuck").unwrap();
    let mut tap = bus.subscribe_evictable("tap").unwrap();
    let writer = bus.writer().unwrap();
    writer.write_bytes(1, 1, &composed(1, 0, 100)).unwrap();
    let count = 1 + if cfg!(miri) { 4 } else { 20 } * CAPACITY as u64 / 100;
    let flood = || {
        for number in 1..count {
            writer.try_write_bytes(1, 1, &composed(1, number, 100)).expect("there is always room");
        }
    };
    stuck
        .try_read(|header, bytes| {
            let before = bytes.to_vec();
            flood();
            assert_eq!(bytes, before, "the bytes under a reader changed");
            assert_eq!(number_of(header, bytes), 0);
        })
        .unwrap();
    for number in 1..count {
        assert_eq!(stuck.try_read(trace).unwrap().number, number);
    }
    for number in 0..count {
        assert_eq!(tap.try_read(trace).map(|trace| trace.number), Ok(number), "an evictable reader lost something");
    }
    assert_eq!(bus.stats().full, 0);
}

/// Laws 2, 3 and 5: as for a bus that can be full, but there is no second use of the bytes to keep apart.
fn a_silent_fill_is_sealed_on_an_endless_bus<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let mut waits = bus.subscribe("waits").unwrap();
    thread::scope(|scope| {
        let (held, owner) = hold(scope, bus.writer().unwrap(), 100);
        if B::MANY_WRITERS {
            bus.writer().unwrap().write_bytes(2, 2, &[0xBB; 100]).unwrap();
        }
        let mut read = 0;
        wait_until("the reader has gone on", || {
            waits.wait(Some(Duration::from_millis(20)));
            read += drain(&mut waits, check_unmixed);
            waits.position() == bus.tail()
        });
        assert_eq!(read, u64::from(B::MANY_WRITERS));
        assert_eq!(bus.stats().sealed, 0, "the owner counts the slot when it knows");
        held.go_on();
        let (result, writer) = owner.join().unwrap();
        assert_eq!(result, Err(WriteError::Fenced));
        assert_eq!(bus.stats().sealed, 1);
        writer.write_bytes(1, 1, &composed(1, 5, 50)).unwrap();
        assert_eq!(next(&mut waits, trace).number, 5);
    });
}

/// Law 8: as for a bus that can be full, but there is no writer that waits.
fn a_close_ends_the_waits_of_readers<B: MessageBus>(make: impl Fn() -> B) {
    for _ in 0..if cfg!(miri) { 2 } else { 50 } {
        let bus = make();
        let readers = [bus.subscribe("reader").unwrap(), bus.subscribe_evictable("tap").unwrap()];
        thread::scope(|scope| {
            let waits = readers.map(|mut reader| scope.spawn(move || reader.read(|_, _| ())));
            bus.close();
            for wait in waits {
                assert_eq!(wait.join().unwrap(), Err(ReadError::Closed));
            }
        });
        bus.writer().unwrap().wait_for_room(bus.max_payload());
    }
}

// ------------------------------------------------------------------------------------------------------- the buses

/// Makes a test of each law.
macro_rules! laws {
    ($( $(#[$attribute:meta])* $law:ident )+) => { $(
        $(#[$attribute])*
        #[test]
        fn $law() {
            within(stringify!($law), || super::$law(make));
        }
    )+ };
}

/// Lists laws that a bus cannot have.
macro_rules! impossible {
    ($reason:literal: $($law:ident)+) => { $(
        #[test]
        #[ignore = $reason]
        fn $law() {}
    )+ };
}

/// Runs the laws on one bus. Its slots are its `own`, or `shared` with another one here that waits differently: then
/// Miri takes many minutes over the laws of slots and sees nothing new.
macro_rules! contract {
    ($bus:ident: $writers:ident, $idle:ident, $room:ident, $slots:ident, || $make:expr) => {
        mod $bus {
            use super::*;

            fn make() -> impl MessageBus {
                $make
            }

            contract! { @slots $slots:
                messages_arrive_as_they_were_written
                three_readers_see_one_order
                joining_readers_see_all_that_is_claimed_from_then_on
                a_fill_that_panics_leaves_no_hole
                an_encoder_that_fails_leaves_no_hole
                no_old_bytes_are_ever_seen
                no_payload_is_taken_for_a_message
                sizes_from_nothing_to_the_largest
                too_many_readers_are_an_error
                a_delivery_that_unwinds_is_repeated
                what_was_not_handled_comes_again
                a_batch_ends_where_its_messages_say
                a_batch_releases_what_was_handled
                a_batch_that_is_stopped_makes_room
                what_was_not_read_is_counted
                stats_say_what_happened
                what_is_held_stays_until_it_is_released
                a_held_reader_reads_again
                a_held_reader_misses_nothing
                a_held_reader_begins_at_a_message
                what_is_released_counts_no_held_reader
                only_held_readers_go_back
            }
            impossible! {
                "it has held readers":
                held_readers_are_refused
            }
            laws! {
                a_waiting_reader_wakes
                timeouts_and_early_wakes_end_one_wait
                no_wake_up_is_lost
                sleepers_in_pollers_are_woken
                no_waiting_writer_is_forgotten
                a_closed_bus_is_read_to_its_end
                a_fill_in_flight_is_before_the_end
                nothing_accepted_is_lost_at_the_close
                waiting_for_impossible_room_ends
                a_ticket_holds_back_outsiders
                a_ticket_ends_with_its_worker
                a_clone_is_the_same_bus
                what_is_imported_arrives
                what_is_dead_comes_again_or_never
            }
            contract!(@writers $writers $room $slots);
            contract!(@idle $idle);
            contract!(@room $room $slots);
        }
    };
    (@slots own: $($law:ident)+) => {
        laws! { $($law)+ }
    };
    (@slots shared: $($law:ident)+) => {
        laws! { $( #[cfg_attr(miri, ignore = "the slots are those of a bus that Miri sees")] $law )+ }
    };
    (@writers many bounded $slots:ident) => {
        contract!(@writers many $slots);
        contract! { @slots $slots:
            a_slot_in_flight_is_never_lapped
        }
    };
    (@writers many endless $slots:ident) => {
        contract!(@writers many $slots);
        impossible! {
            "no slot is used twice":
            a_slot_in_flight_is_never_lapped
        }
    };
    (@writers many $slots:ident) => {
        contract! { @slots $slots:
            three_writers_make_one_order
            claims_of_all_kinds_meet
        }
        laws! {
            a_silent_fill_does_not_stop_a_sleeping_reader
            outboxes_take_turns
        }
        impossible! {
            "a bus for many writers refuses none":
            a_second_writer_is_refused
        }
    };
    (@writers one $room:ident $slots:ident) => {
        contract! { @slots $slots:
            a_second_writer_is_refused
        }
        impossible! {
            "a bus for one writer has no second one":
            three_writers_make_one_order
            claims_of_all_kinds_meet
            a_slot_in_flight_is_never_lapped
            a_silent_fill_does_not_stop_a_sleeping_reader
            outboxes_take_turns
        }
    };
    (@room bounded $slots:ident) => {
        contract! { @slots $slots:
            bytes_stay_while_they_are_held
            an_evictable_reader_holds_nobody_back
            a_loss_is_not_forgotten
            evictable_readers_account_for_everything
            a_gating_reader_is_never_overwritten
            a_held_window_is_less_than_a_quarter
            a_held_reader_begins_at_nothing_that_is_gone
        }
        laws! {
            a_full_bus_loses_nothing
            a_full_bus_says_so_and_room_wakes_its_writers
            room_within_a_batch_wakes_its_writers
            a_silent_fill_is_sealed_and_keeps_its_bytes
            stats_count_refusals
            a_close_ends_every_wait
            waiting_for_room_ends_on_a_closed_bus
            waiting_for_room_ends_in_time
        }
        impossible! {
            "a ring ends where its slowest reader is":
            no_reader_holds_an_endless_bus
            a_silent_fill_is_sealed_on_an_endless_bus
            a_close_ends_the_waits_of_readers
            a_held_window_has_no_end
        }
    };
    (@room endless $slots:ident) => {
        laws! {
            no_reader_holds_an_endless_bus
            a_silent_fill_is_sealed_on_an_endless_bus
            a_close_ends_the_waits_of_readers
            a_held_window_has_no_end
        }
        impossible! {
            "it is never full, whoever reads or does not":
            a_full_bus_loses_nothing
            bytes_stay_while_they_are_held
            a_full_bus_says_so_and_room_wakes_its_writers
            a_silent_fill_is_sealed_and_keeps_its_bytes
            an_evictable_reader_holds_nobody_back
            a_loss_is_not_forgotten
            evictable_readers_account_for_everything
            stats_count_refusals
            a_close_ends_every_wait
            waiting_for_room_ends_on_a_closed_bus
            waiting_for_room_ends_in_time
            a_gating_reader_is_never_overwritten
            a_held_window_is_less_than_a_quarter
            a_held_reader_begins_at_nothing_that_is_gone
        }
    };
    (@idle sleep) => {
        laws! {
            #[cfg_attr(miri, ignore = "Miri has no processor time to measure")]
            a_waiting_reader_uses_no_processor_time
        }
    };
    (@idle awake) => {
        impossible! {
            "staying awake is what this wait strategy is chosen for":
            a_waiting_reader_uses_no_processor_time
        }
    };
}

contract!(circular_many: many, sleep, bounded, own, || CircularBus::new(CAPACITY).unwrap());
contract!(circular_one: one, sleep, bounded, own, || CircularBus::one_writer(CAPACITY).unwrap());
// Miri sees nothing in this and some below that it does not see in the others, and takes long over it: the default
// strategy spins, yields and parks, and the journal's one writer is that of the ring in the journal's memory.
#[cfg(not(miri))]
contract!(circular_spin: many, awake, bounded, shared, || CircularBus::new(CAPACITY).unwrap().waiting::<wait::Spin>());
#[cfg(not(miri))]
contract!(circular_yield: many, awake, bounded, shared, || {
    CircularBus::new(CAPACITY).unwrap().waiting::<wait::Yield>()
});
#[cfg(not(miri))]
contract!(circular_park: many, sleep, bounded, shared, || CircularBus::new(CAPACITY).unwrap().waiting::<wait::Park>());
#[cfg(not(miri))]
contract!(circular_one_park: one, sleep, bounded, shared, || {
    CircularBus::one_writer(CAPACITY).unwrap().waiting::<wait::Park>()
});
contract!(condvar_many: many, sleep, bounded, shared, || CondvarBus::new(CircularBus::new(CAPACITY).unwrap()));
#[cfg(not(miri))]
contract!(condvar_one: one, sleep, bounded, shared, || CondvarBus::new(CircularBus::one_writer(CAPACITY).unwrap()));

#[cfg(all(target_os = "linux", not(miri)))]
contract!(named_many: many, sleep, bounded, shared, || named::named());
#[cfg(all(target_os = "linux", not(miri)))]
contract!(named_one: one, sleep, bounded, shared, || named::named_one());
#[cfg(all(target_os = "linux", not(miri)))]
contract!(named_condvar: many, sleep, bounded, shared, || CondvarBus::new(named::named()));
#[cfg(all(target_os = "linux", not(miri)))]
contract!(named_apart: many, sleep, bounded, shared, || named::Apart::new());

/// What the journals of the contract have in common with the rings.
#[cfg(unix)]
fn journal_options(crc: bool) -> PersistentOptions {
    PersistentOptions {
        capacity: if cfg!(miri) { 256 * 1024 } else { 1 << 30 },
        // What a ring of this capacity takes.
        max_payload: CAPACITY / 8 - 16,
        crc,
        step: if cfg!(miri) { 4096 } else { 64 * 1024 },
        table_capacity: 0,
        ..PersistentOptions::default()
    }
}

/// A journal in a file that is gone when the bus is. Under Miri, which maps no files, the same bus in memory.
#[cfg(unix)]
fn journal(crc: bool) -> PersistentBus {
    if cfg!(miri) {
        return PersistentBus::in_memory(journal_options(crc)).unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    PersistentBus::open(directory.path().join("journal"), journal_options(crc)).unwrap().0
}

/// The same for one writer.
#[cfg(all(unix, not(miri)))]
fn journal_one() -> PersistentBus<OneWriter> {
    let directory = tempfile::tempdir().unwrap();
    PersistentBus::open_one_writer(directory.path().join("journal"), journal_options(true)).unwrap().0
}

#[cfg(unix)]
contract!(journal_many: many, sleep, endless, own, || journal(false));
#[cfg(all(unix, not(miri)))]
contract!(journal_crc: many, sleep, endless, own, || journal(true));
#[cfg(all(unix, not(miri)))]
contract!(journal_one_writer: one, sleep, endless, shared, || journal_one());
#[cfg(all(unix, not(miri)))]
contract!(condvar_journal: many, sleep, endless, shared, || CondvarBus::new(journal(false)));

/// A bus that is made of public items only. The laws of slots in shared memory have nothing to look at there, and its
/// positions count messages, not bytes. Nor has Miri: it has no unsafe code.
#[cfg(not(miri))]
mod own {
    use super::*;

    fn make() -> impl MessageBus {
        locked_bus::LockedBus::new(CAPACITY)
    }

    laws! {
        messages_arrive_as_they_were_written
        three_readers_see_one_order
        joining_readers_see_all_that_is_claimed_from_then_on
        a_fill_that_panics_leaves_no_hole
        an_encoder_that_fails_leaves_no_hole
        no_old_bytes_are_ever_seen
        no_payload_is_taken_for_a_message
        sizes_from_nothing_to_the_largest
        a_delivery_that_unwinds_is_repeated
        what_was_not_handled_comes_again
        a_batch_ends_where_its_messages_say
        a_batch_releases_what_was_handled
        a_batch_that_is_stopped_makes_room
        a_waiting_reader_wakes
        timeouts_and_early_wakes_end_one_wait
        no_wake_up_is_lost
        sleepers_in_pollers_are_woken
        no_waiting_writer_is_forgotten
        a_closed_bus_is_read_to_its_end
        nothing_accepted_is_lost_at_the_close
        waiting_for_impossible_room_ends
        a_ticket_holds_back_outsiders
        a_ticket_ends_with_its_worker
        a_clone_is_the_same_bus
        three_writers_make_one_order
        claims_of_all_kinds_meet
        outboxes_take_turns
        bytes_stay_while_they_are_held
        an_evictable_reader_holds_nobody_back
        a_loss_is_not_forgotten
        a_gating_reader_is_never_overwritten
        a_full_bus_says_so_and_room_wakes_its_writers
        room_within_a_batch_wakes_its_writers
        stats_count_refusals
        a_close_ends_every_wait
        waiting_for_room_ends_on_a_closed_bus
        waiting_for_room_ends_in_time
        #[cfg_attr(miri, ignore = "Miri has no processor time to measure")]
        a_waiting_reader_uses_no_processor_time
        held_readers_are_refused
        what_is_imported_arrives
        what_is_dead_comes_again_or_never
        only_held_readers_go_back
    }
    impossible! {
        "it has no held readers":
        what_is_held_stays_until_it_is_released
        a_held_reader_reads_again
        a_held_reader_misses_nothing
        a_held_reader_begins_at_a_message
        a_held_reader_begins_at_nothing_that_is_gone
        a_held_window_is_less_than_a_quarter
        a_held_window_has_no_end
        what_is_released_counts_no_held_reader
    }
    impossible! {
        "it has no slots, and a fill holds nobody up":
        too_many_readers_are_an_error
        stats_say_what_happened
        a_fill_in_flight_is_before_the_end
        a_slot_in_flight_is_never_lapped
        a_silent_fill_does_not_stop_a_sleeping_reader
        a_silent_fill_is_sealed_and_keeps_its_bytes
    }
    impossible! {
        "its positions are numbers of messages, and these measure bytes":
        what_was_not_read_is_counted
        a_full_bus_loses_nothing
        evictable_readers_account_for_everything
    }
    impossible! {
        "it takes any number of writers, and is bounded":
        a_second_writer_is_refused
        no_reader_holds_an_endless_bus
        a_silent_fill_is_sealed_on_an_endless_bus
        a_close_ends_the_waits_of_readers
    }
}
