//! The laws of a bus, where each reader and writer has an attachment and a mapping of its own.

use super::*;
use crate::sync::{scope, yield_now};
use crate::traits::{BusWriter, MessageBus, NoWriter, Publish, ReadError, Reader, WriteError};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(300);

fn numbers(reader: &mut impl Reader) -> Vec<u64> {
    let mut read = Vec::new();
    while let Ok(number) = reader.try_read(|_, payload| u64::from_le_bytes(payload.try_into().unwrap())) {
        read.push(number);
    }
    read
}

fn write(writer: &impl Publish, number: u64) -> Result<(), WriteError> {
    writer.try_write_bytes(1, 2, &number.to_le_bytes())
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn what_one_writes_all_read_in_one_order() {
    let (_directory, path) = scratch();
    let (made, second, third) = (made(&path), opened(&path), opened(&path));
    let (mut first, mut other) = (second.subscribe("first").unwrap(), third.subscribe("other").unwrap());
    let writers = [&made, &second, &third].map(|bus| bus.writer().unwrap());
    for number in 0..30 {
        write(&writers[number as usize % 3], number).unwrap();
    }
    assert_eq!(numbers(&mut first), (0..30).collect::<Vec<_>>());
    assert_eq!(numbers(&mut other), (0..30).collect::<Vec<_>>());
    assert_eq!((made.tail(), made.stats().messages), (second.tail(), third.stats().messages));
    assert_eq!(made.stats().readers.len(), 2);
    // Who comes later sees what comes later, and who leaves is gone for all.
    let mut late = made.subscribe("late").unwrap();
    write(&writers[1], 30).unwrap();
    assert_eq!(numbers(&mut late), [30]);
    drop(first);
    assert_eq!(third.stats().readers.len(), 2);
    assert_eq!(second.max_payload(), made.max_payload());
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn a_reader_elsewhere_holds_writers_back_until_it_lets_go() {
    let (_directory, path) = scratch();
    let (writing, reading) = (made(&path), opened(&path));
    let mut reader = reading.subscribe("slow").unwrap();
    let writer = writing.writer().unwrap();
    let mut written = 0;
    while write(&writer, written).is_ok() {
        written += 1;
    }
    assert_eq!(write(&writer, written), Err(WriteError::Full));
    assert_eq!(numbers(&mut reader), (0..written).collect::<Vec<_>>());
    write(&writer, written).unwrap();
    assert_eq!(numbers(&mut reader), [written]);
    // The one that may be moved on is told what it lost.
    drop(reader);
    let mut tap = reading.subscribe_evictable("tap").unwrap();
    (0..2 * written).for_each(|number| write(&writer, number).unwrap());
    let Err(ReadError::Lagged(lost)) = tap.try_read(|_, _| ()) else { panic!("it was not moved") };
    assert_eq!(numbers(&mut tap), (lost..2 * written).collect::<Vec<_>>());
}

/// Ten thousand messages of each of two writers, through a ring that holds a hundred, to two readers: four
/// attachments, four threads.
#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn nothing_is_lost_and_nothing_comes_twice() {
    const MANY: u64 = 10_000;
    let (_directory, path) = scratch();
    let _made = made(&path);
    let mut readers = [opened(&path), opened(&path)].map(|bus| bus.subscribe("reader").unwrap());
    scope(|scope| {
        for writer in 0..2u64 {
            let bus = opened(&path);
            scope.spawn(move || {
                let own = bus.writer().unwrap();
                for number in 0..MANY {
                    own.write_bytes(1, 2, &(writer << 32 | number).to_le_bytes()).unwrap();
                }
            });
        }
        for reader in &mut readers {
            scope.spawn(move || {
                let (mut next, start) = ([0; 2], Instant::now());
                while next != [MANY; 2] {
                    assert!(start.elapsed() < PATIENCE, "{next:?}");
                    for number in numbers(reader) {
                        let writer = (number >> 32) as usize;
                        assert_eq!(number & u64::from(u32::MAX), next[writer], "of writer {writer}");
                        next[writer] += 1;
                    }
                    yield_now();
                }
            });
        }
    });
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn one_writer_at_a_time_of_all_attachments() {
    let (_directory, path) = scratch();
    let first = CircularBus::create_one_writer(&path, of_capacity(CAPACITY)).unwrap();
    let second = CircularBus::open_one_writer(&path, NamedOptions::default()).unwrap();
    let third = CircularBus::open_or_create_one_writer(&path, NamedOptions::default()).unwrap();
    let mut reader = third.subscribe("reader").unwrap();
    let writer = first.writer().unwrap();
    assert_eq!(second.writer().err(), Some(NoWriter::Taken));
    for number in 0..1000 {
        write(&writer, number).unwrap();
        assert_eq!(numbers(&mut reader), [number]);
    }
    drop(writer);
    // Its successor goes on behind it.
    let writer = second.writer().unwrap();
    write(&writer, 1000).unwrap();
    assert_eq!(numbers(&mut reader), [1000]);
}

/// A process that stops holds back nobody else.
#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn a_close_is_that_of_one_attachment() {
    let (_directory, path) = scratch();
    let (one, other) = (made(&path), opened(&path));
    let (of_one, of_other) = (one.writer().unwrap(), other.writer().unwrap());
    let mut readers = [&one, &other].map(|bus| bus.subscribe("reader").unwrap());
    write(&of_one, 1).unwrap();
    one.clone().close();
    assert_eq!(write(&of_one, 2), Err(WriteError::Closed));
    write(&of_other, 3).unwrap();
    assert_eq!(readers.each_mut().map(numbers), [[1, 3], [1, 3]]);
    let ends = readers.each_mut().map(|reader| reader.try_read(|_, _| ()));
    assert_eq!(ends, [Err(ReadError::Closed), Err(ReadError::Empty)]);
    // A worker drains what it has.
    let worker = one.worker_writer(&readers[0]).unwrap();
    write(&worker, 4).unwrap();
    assert_eq!(numbers(&mut readers[1]), [4]);
}

/// Whoever is held back by an outbox is so in whichever process that is.
#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn a_ticket_is_known_to_all() {
    let (_directory, path) = scratch();
    let (one, other) = (made(&path), opened(&path));
    let (reader, outside) = (one.subscribe("worker").unwrap(), other.writer().unwrap());
    let worker = one.worker_writer(&reader).unwrap();
    // From now on it writes in the quick way.
    write(&outside, 0).unwrap();
    worker.take_ticket();
    assert_eq!(write(&outside, 1), Err(WriteError::Full));
    worker.give_up_ticket();
    assert_eq!(write(&outside, 1), Ok(()));
}

/// No sleep ends by itself here: whoever writes wakes who reads elsewhere.
#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn who_sleeps_sees_what_was_written_elsewhere() {
    let (_directory, path) = scratch();
    let (writing, reading) = (made(&path), waking::for_good(&path));
    let mut reader = reading.subscribe("asleep").unwrap();
    let writer = writing.writer().unwrap();
    scope(|scope| {
        let asleep = scope.spawn(move || {
            let start = Instant::now();
            while numbers(&mut reader).is_empty() {
                assert!(start.elapsed() < PATIENCE, "it sleeps for ever");
                reader.wait(None);
            }
        });
        while writing.shared.control().message_sleepers().load(crate::sync::Ordering::Relaxed) as u32 == 0 {
            assert!(!asleep.is_finished());
            yield_now();
        }
        write(&writer, 1).unwrap();
        asleep.join().unwrap();
    });
}
