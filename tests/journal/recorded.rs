//! What a journal records of a message, as its readers see it.

use rust_messenger::CircularBus;
use rust_messenger::message_bus::{CondvarBus, PersistentBus, PersistentOptions};
use rust_messenger::messenger::SystemClock;
use rust_messenger::traits::{Clock, MessageBus, Next, Publish, ReadError, Reader, Recorded, Time};

/// What is recorded of all that there is, by position.
fn all(reader: &mut impl Reader) -> Vec<(u64, Option<Recorded>)> {
    let mut found = Vec::new();
    while let Ok(1) = reader.try_read_recorded(1, |header, recorded, _| {
        found.push((header.position, recorded));
        Next::Go
    }) {}
    found
}

/// One message from outside, one in whose handling another is sent, and one from elsewhere.
fn told<B: MessageBus>(bus: &B) -> Vec<(u64, Option<Recorded>)> {
    let (mut worker, mut told) = (bus.subscribe("worker").unwrap(), bus.subscribe("told").unwrap());
    let (outside, within) = (bus.writer().unwrap(), bus.worker_writer(&worker).unwrap());
    outside.write_bytes(1, 1, b"cause").unwrap();
    worker.try_read(|_, _| within.try_write_bytes(1, 2, b"effect").unwrap()).unwrap();
    bus.importer("berlin", 7).unwrap().try_write(4096, 1, 3, b"from elsewhere").unwrap();
    all(&mut told)
}

fn journal() -> PersistentBus {
    PersistentBus::in_memory(PersistentOptions { capacity: 1 << 20, max_payload: 1024, ..PersistentOptions::default() })
        .unwrap()
}

#[test]
fn a_journal_says_when_and_during_whose_handling() {
    let before = SystemClock.now();
    for told in [told(&journal()), told(&CondvarBus::new(journal()))] {
        let after = SystemClock.now();
        let [(first, _), ..] = told[..] else { panic!("{told:?}") };
        let causes: Vec<Option<u64>> = told.iter().map(|(_, recorded)| recorded.unwrap().cause).collect();
        assert_eq!(causes, [None, Some(first), None]);
        let times: Vec<Time> = told.iter().map(|(_, recorded)| recorded.unwrap().time).collect();
        assert!(times.is_sorted() && before <= times[0] && times[2] <= after, "{before:?} {times:?} {after:?}");
    }
}

#[test]
fn a_ring_records_nothing_and_no_message_that_is_copied_is_asked_for() {
    for told in [told(&CircularBus::new(4096).unwrap()), told(&CondvarBus::new(CircularBus::new(4096).unwrap()))] {
        assert!(told.len() == 3 && told.iter().all(|(_, recorded)| recorded.is_none()), "{told:?}");
    }
    let bus = journal();
    let mut tap = bus.subscribe_evictable("tap").unwrap();
    bus.writer().unwrap().write_bytes(1, 1, b"seen").unwrap();
    assert!(matches!(all(&mut tap)[..], [(_, None)]));
}

#[test]
fn a_batch_with_what_is_recorded_ends_as_any_other() {
    let bus = journal();
    let (mut reader, writer) = (bus.subscribe("reader").unwrap(), bus.writer().unwrap());
    (0..5).for_each(|_| writer.write_bytes(1, 1, b"one of five").unwrap());
    assert_eq!(reader.try_read_recorded(3, |_, _, _| Next::Go), Ok(3));
    assert_eq!(reader.try_read_recorded(3, |_, _, _| Next::Keep), Ok(0));
    assert_eq!(reader.try_read_recorded(3, |_, _, _| Next::Go), Err(ReadError::Empty));
}
