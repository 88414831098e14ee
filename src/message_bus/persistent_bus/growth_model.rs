//! Loom models of a journal whose file grows while it is written: the real bus on modelled memory.
//!
//! Growing writes to the new bytes, which stands for whatever the system does to them. Loom reports a writer that gets
//! there before that is done, or without having seen that it was.

use super::{ManyWriters, PersistentBus, PersistentOptions, Start};
use crate::message_bus::wait::Park;
use crate::traits::{MessageBus, Publish, ReadError, Reader, WriteError};

type Bus = PersistentBus<ManyWriters, Park>;

/// The file's end, in slots of 48 bytes behind the header of 2048.
const PAGE: u64 = 1024;
const SLOT: u64 = 48;

/// A journal whose file has room for so many more messages until it must grow.
fn journal(room: u64) -> Bus {
    let options = PersistentOptions {
        capacity: 5 * PAGE,
        max_payload: 8,
        crc: false,
        step: PAGE,
        table_capacity: 0,
        start: Start::Oldest,
        ..PersistentOptions::default()
    };
    let bus = PersistentBus::in_memory(options).unwrap().waiting::<Park>();
    let writer = bus.writer().unwrap();
    while 3 * PAGE - bus.tail() >= (room + 1) * SLOT {
        writer.write_bytes(0, 0, &[0; 8]).unwrap();
    }
    bus
}

fn explore(preemptions: usize, scene: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 100_000;
    builder.check(scene);
}

/// What was written by the sources 1 and 2, in order, checked for being whole.
fn read(bus: &Bus) -> Vec<u16> {
    let mut reader = bus.subscribe("reader").unwrap();
    let mut seen = Vec::new();
    loop {
        match reader.try_read(|header, bytes| (header.source, bytes == [header.source as u8; 8])) {
            Ok((0, _)) => {}
            Ok((source, whole)) => {
                assert!(whole, "torn");
                seen.push(source);
            }
            Err(ReadError::Empty) => return seen,
            Err(other) => panic!("{other}"),
        }
    }
}

/// The keeper grows the file while a writer needs it to.
#[test]
fn a_writer_waits_for_what_the_keeper_grows() {
    explore(2, || {
        let bus = journal(0);
        let store = bus.shared.store.clone();
        let writer = bus.writer().unwrap();
        let keeper = loom::thread::spawn(move || while store.grow_ahead() {});
        writer.write_bytes(1, 1, &[1; 8]).unwrap();
        keeper.join().unwrap();
        assert_eq!(read(&bus), [1]);
    });
}

/// Two writers reach the end of the file at the same time: it grows once, or twice, and both have their place.
#[test]
fn two_writers_grow_the_file() {
    explore(2, || {
        let bus = journal(1);
        let (first, second) = (bus.writer().unwrap(), bus.writer().unwrap());
        let other = loom::thread::spawn(move || second.write_bytes(2, 1, &[2; 8]).unwrap());
        first.write_bytes(1, 1, &[1; 8]).unwrap();
        other.join().unwrap();
        let seen = read(&bus);
        assert!(seen == [1, 2] || seen == [2, 1], "{seen:?}");
    });
}

/// A reader beside them never sees half of anything, and sees everything in the end.
#[test]
fn a_reader_follows_into_what_has_grown() {
    explore(2, || {
        let bus = journal(0);
        let mut reader = bus.subscribe("reader").unwrap();
        while reader.try_read(|_, _| ()).is_ok() {}
        let writer = bus.writer().unwrap();
        let other = loom::thread::spawn(move || writer.write_bytes(1, 1, &[1; 8]).unwrap());
        let early = reader.try_read(|header, bytes| (header.source, bytes.to_vec()));
        assert!(matches!(&early, Err(ReadError::Empty)) || early == Ok((1, vec![1; 8])), "{early:?}");
        other.join().unwrap();
        if early.is_err() {
            assert_eq!(reader.try_read(|header, bytes| (header.source, bytes.to_vec())), Ok((1, vec![1; 8])));
        }
    });
}

/// At the end of the reservation both are refused, or one is; nobody claims past it.
#[test]
fn nobody_claims_past_the_end() {
    explore(2, || {
        let bus = journal(0);
        let writer = bus.writer().unwrap();
        while 5 * PAGE - bus.tail() >= 3 * SLOT {
            writer.write_bytes(0, 0, &[0; 8]).unwrap();
        }
        let second = bus.writer().unwrap();
        let other = loom::thread::spawn(move || second.write_bytes(2, 1, &[2; 8]));
        let results = [writer.write_bytes(1, 1, &[1; 8]), other.join().unwrap()];
        let exhausted = WriteError::Exhausted { capacity: 5 * PAGE };
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert!(results.iter().all(|result| result.is_ok() || *result == Err(exhausted.clone())));
        assert_eq!(read(&bus).len(), 1);
    });
}
