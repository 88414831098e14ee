//! Rings and journals, written and read by one thread.

use crate::{BATCH, RING, Row, words};
use rust_messenger::message_bus::wait::Spin;
use rust_messenger::message_bus::{
    CircularBus, CondvarBus, ManyWriters, NamedOptions, OneWriter, PersistentBus, PersistentOptions,
};
use rust_messenger::traits::{Clock, MessageBus, Next, Publish, ReadError, Reader, Time};
use std::sync::Arc;

pub const ROWS: &[Row] = &[
    ("one_writer", |batches| through(&one(), [Kind::Gating], batches)),
    ("one_writer_apart", |batches| apart(&one(), batches)),
    ("many_writers", |batches| through(&many(), [Kind::Gating], batches)),
    ("many_writers_apart", |batches| apart(&many(), batches)),
    ("one_writer_batch", |batches| up_to(&one(), batches)),
    ("many_writers_batch", |batches| up_to(&many(), batches)),
    ("one_writer_in_turn", |batches| in_turn(&one(), batches)),
    ("many_writers_in_turn", |batches| in_turn(&many(), batches)),
    ("named_one_writer", |batches| through(&named_one(), [Kind::Gating], batches)),
    ("named_many_writers", |batches| through(&named_many(), [Kind::Gating], batches)),
    ("named_one_writer_batch", |batches| up_to(&named_one(), batches)),
    ("named_many_writers_batch", |batches| up_to(&named_many(), batches)),
    ("evictable", |batches| through(&many(), [Kind::Evictable], batches)),
    ("two_readers", |batches| through(&many(), [Kind::Gating; 2], batches)),
    ("condvar", |batches| through(&CondvarBus::new(many()), [Kind::Gating], batches)),
    ("journal", |batches| through(&journal(false), [Kind::Gating], batches)),
    ("journal_apart", |batches| apart(&journal(false), batches)),
    ("journal_crc", |batches| through(&journal(true), [Kind::Gating], batches)),
];

fn one() -> CircularBus<OneWriter, Spin> {
    CircularBus::one_writer(RING).expect("a ring").waiting()
}

fn many() -> CircularBus<ManyWriters, Spin> {
    CircularBus::new(RING).expect("a ring").waiting()
}

fn named<B>(create: impl FnOnce(&std::path::Path, NamedOptions) -> B) -> B {
    let path = std::env::temp_dir().join(format!("instructions.{}.ring", std::process::id()));
    let ring = create(&path, NamedOptions { capacity: Some(RING), ..NamedOptions::default() });
    std::fs::remove_file(path).expect("a ring");
    ring
}

fn named_one() -> CircularBus<OneWriter, Spin> {
    named(|path, options| CircularBus::create_one_writer(path, options).expect("a ring").waiting())
}

fn named_many() -> CircularBus<ManyWriters, Spin> {
    named(|path, options| CircularBus::create(path, options).expect("a ring").waiting())
}

/// Asking the system for the time takes more than an append, and differs by system.
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Time {
        Time::from_nanos(43_200_000_000_000)
    }
}

fn journal(crc: bool) -> PersistentBus<OneWriter, Spin> {
    // All of it is there from the beginning: growing is no work of the fast path.
    let (capacity, step) = (1 << 25, 1 << 24);
    let options = PersistentOptions { capacity, step, crc, clock: Arc::new(Noon), ..PersistentOptions::default() };
    PersistentBus::one_writer_in_memory(options).expect("a journal").waiting()
}

#[derive(Clone, Copy)]
enum Kind {
    Gating,
    Evictable,
}

fn reader<B: MessageBus>(bus: &B, kind: Kind) -> B::Reader {
    match kind {
        Kind::Gating => bus.subscribe("reader").expect("a reader"),
        Kind::Evictable => bus.subscribe_evictable("reader").expect("a reader"),
    }
}

#[inline(never)]
fn through<B: MessageBus, const READERS: usize>(bus: &B, readers: [Kind; READERS], batches: u64) -> u64 {
    let mut readers = readers.map(|kind| reader(bus, kind));
    let writer = bus.writer().expect("a writer");
    let mut sum = 0u64;
    for i in 0..batches {
        write(&writer, i);
        for reader in &mut readers {
            sum = sum.wrapping_add(read(reader));
        }
    }
    sum
}

/// As `through`, but all messages of a batch are read by one call.
#[inline(never)]
fn up_to<B: MessageBus>(bus: &B, batches: u64) -> u64 {
    let mut reader = reader(bus, Kind::Gating);
    let writer = bus.writer().expect("a writer");
    let mut sum = 0u64;
    for i in 0..batches {
        write(&writer, i);
        let read = reader.try_read_up_to(BATCH as usize, |_, payload| {
            sum = sum.wrapping_add(word(payload));
            Next::Go
        });
        read.expect("a batch");
        reader.release();
    }
    sum
}

/// As `up_to`, but the reader keeps up: each batch is one message, and then there is nothing more to read.
#[inline(never)]
fn in_turn<B: MessageBus>(bus: &B, batches: u64) -> u64 {
    let mut reader = reader(bus, Kind::Gating);
    let writer = bus.writer().expect("a writer");
    let mut sum = 0u64;
    for i in 0..batches {
        for k in 0..BATCH {
            writer.try_write_bytes(1, 2, words(i, k).map(u64::to_le_bytes).as_flattened()).expect("room");
            let read = reader.try_read_up_to(BATCH as usize, |_, payload| {
                sum = sum.wrapping_add(word(payload));
                Next::Go
            });
            debug_assert_eq!(read, Err(ReadError::Empty));
        }
    }
    sum
}

#[inline(never)]
fn apart<B: MessageBus>(bus: &B, batches: u64) -> u64 {
    let mut reader = reader(bus, Kind::Gating);
    let writer = bus.writer().expect("a writer");
    let mut sum = 0u64;
    for i in 0..batches {
        write_apart(&writer, i);
        sum = sum.wrapping_add(read_apart(&mut reader));
    }
    sum
}

/// Has a name that callgrind finds.
#[inline(never)]
fn write_apart(writer: &impl Publish, i: u64) {
    write(writer, i);
}

/// Has a name that callgrind finds.
#[inline(never)]
fn read_apart(reader: &mut impl Reader) -> u64 {
    read(reader)
}

#[inline(always)]
fn write(writer: &impl Publish, i: u64) {
    for k in 0..BATCH {
        writer.try_write_bytes(1, 2, words(i, k).map(u64::to_le_bytes).as_flattened()).expect("room");
    }
}

#[inline(always)]
fn read(reader: &mut impl Reader) -> u64 {
    let mut sum = 0u64;
    while let Ok(word) = reader.try_read(|_, payload| word(payload)) {
        sum = sum.wrapping_add(word);
    }
    reader.release();
    sum
}

#[inline(always)]
fn word(payload: &[u8]) -> u64 {
    u64::from_le_bytes(payload[8..16].try_into().expect("a word"))
}
