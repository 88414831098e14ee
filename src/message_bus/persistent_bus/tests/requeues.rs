//! What is dead comes again once: whoever dies when, and whatever is asked for.

use super::{Bus, FIRST, PAGE, SMALL, image_of, made, message, open, small};
use crate::message_bus::journal::options::{PersistentOptions, Retention};
use crate::mmap::{Memory, crash};
use crate::traits::{
    DeadLetter, ExtendedMessage, Handler, Header, Message, MessageBus, Publish, Reader, RequeueError, SubscribeError,
    Supervisor,
};

fn bury(bus: &Bus, letter: &DeadLetter) {
    let mut bytes = vec![0; letter.get_size()];
    letter.write_into(&mut bytes);
    bus.writer().unwrap().write_bytes(Supervisor::ID, DeadLetter::ID, &bytes).unwrap();
}

/// A message of source 2, about which a letter follows. Returns where it stands.
fn dead(bus: &Bus, number: u8) -> u64 {
    let position = bus.tail();
    bus.writer().unwrap().write_bytes(2, 7, &message(number)).unwrap();
    bus.writer().unwrap().write_bytes(2, 7, &message(100)).unwrap();
    bury(bus, &DeadLetter { position, source: 2, message: 7, worker: "Worker".to_owned(), ..DeadLetter::default() });
    position
}

/// The messages that have come again: where they stand, where they were dead, and what they are.
fn again(bus: &Bus) -> Vec<(u64, u64, Vec<u8>)> {
    let mut reader = bus.subscribe("reader").unwrap();
    let (store, mut seen) = (&bus.shared.store, Vec::new());
    while let Ok((header, payload)) = reader.try_read(|header, payload| (*header, payload.to_vec())) {
        let Header { position, source, message, .. } = header;
        let record = store.record_at(position);
        if let Some(from) = record.requeued() {
            assert_eq!((source, message, record.cause(), record.origin()), (2, 7, 0, None));
            seen.push((position, from, payload));
        }
    }
    seen
}

#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn what_is_dead_comes_again_once() {
    let bus = Bus::made_in_memory(small()).unwrap();
    let (first, second) = (dead(&bus, 1), dead(&bus, 2));
    let at = bus.tail();
    bus.requeue(second).unwrap();
    assert_eq!(bus.requeue(second), Err(RequeueError::AlreadyRequeued { at }));
    let (bus, recovered) = open(&image_of(&bus), small()).unwrap();
    assert!(!recovered.is_damaged(), "{recovered}");
    assert_eq!(bus.requeue(second), Err(RequeueError::AlreadyRequeued { at }), "also in the next process");
    assert_eq!(again(&bus), [(at, second, message(2))]);
    // Dead again, and again once; the first one is another message.
    bury(&bus, &DeadLetter { position: at, ..DeadLetter::default() });
    let next = bus.tail();
    bus.requeue(at).unwrap();
    bus.requeue(first).unwrap();
    let last = bus.requeue(first).unwrap_err();
    let RequeueError::AlreadyRequeued { at: last } = last else { panic!("{last}") };
    assert_eq!(bus.requeue(at), Err(RequeueError::AlreadyRequeued { at: next }));
    assert_eq!(again(&bus), [(at, second, message(2)), (next, at, message(2)), (last, first, message(1))]);
}

#[test]
fn what_is_not_dead_does_not_come_again() {
    let bus = Bus::made_in_memory(small()).unwrap();
    let position = bus.tail();
    bus.writer().unwrap().write_bytes(2, 7, &message(1)).unwrap();
    // One about another one, one that nobody can read, and one of another source.
    bury(&bus, &DeadLetter { position: position + 16, ..DeadLetter::default() });
    bus.writer().unwrap().write_bytes(Supervisor::ID, DeadLetter::ID, &position.to_le_bytes()).unwrap();
    let letter = DeadLetter { position, ..DeadLetter::default() };
    let mut bytes = vec![0; letter.get_size()];
    letter.write_into(&mut bytes);
    bus.writer().unwrap().write_bytes(2, DeadLetter::ID, &bytes).unwrap();
    let (behind, tail) = (bus.position_after(position).unwrap(), bus.tail());
    for asked in [position, behind, position + 16, position + 1, tail, tail + 16, u64::MAX - 15, u64::MAX] {
        assert_eq!(bus.requeue(asked), Err(RequeueError::NotDead { asked }), "at {asked} of {tail}");
    }
    let oldest = FIRST as u64;
    for asked in [0, 16] {
        assert_eq!(bus.requeue(asked), Err(RequeueError::NotRetained { asked, oldest }));
    }
    assert_eq!(bus.tail(), tail, "nothing is written");
    assert!(bus.stats().readers.is_empty(), "and nobody stays");
}

#[test]
fn what_is_forgotten_does_not_come_again() {
    let retention = Retention { size: Some(0), ..Retention::default() };
    let bus = Bus::made_in_memory(PersistentOptions { retention, ..small() }).unwrap();
    let asked = dead(&bus, 1);
    let oldest = bus.retain().unwrap().from;
    assert_eq!(bus.requeue(asked), Err(RequeueError::NotRetained { asked, oldest }));
}

#[test]
fn without_a_place_for_a_reader_nothing_comes_again() {
    let bus = Bus::made_in_memory(small()).unwrap();
    let position = dead(&bus, 1);
    let readers = std::iter::from_fn(|| bus.subscribe("reader").ok()).collect::<Vec<_>>();
    let error = bus.requeue(position).unwrap_err();
    assert!(matches!(error, RequeueError::Read(SubscribeError::TooManyReaders { .. })), "{error}");
    drop(readers);
    bus.requeue(position).unwrap();
}

/// What opening has left out is looked at before it is believed.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn what_nobody_has_looked_at_is_looked_at() {
    let bus = Bus::made_in_memory(small()).unwrap();
    let position = dead(&bus, 1);
    let mut image = image_of(&open(&image_of(&bus), small()).unwrap().0);
    // The message between it and its letter is damaged in its length.
    image[bus.position_after(position).unwrap() as usize + 8] ^= 0x40;
    let (bus, recovered) = open(&image, PersistentOptions { verify: false, ..small() }).unwrap();
    assert!(!recovered.is_damaged(), "nobody has looked at it: {recovered}");
    bus.requeue(position).unwrap();
    assert!(bus.recovered().is_damaged());
    assert_eq!(again(&bus).len(), 1);
}

/// Method: a process has two dead messages come again, and dies at step n. For every n the next one finds each of them
/// once, or not at all: then it may come again, and it is there once.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn who_dies_at_any_step_doubles_nothing() {
    let (mut steps, mut came) = (0, [0; 3]);
    loop {
        let bus = made(PersistentOptions { verify: false, ..small() }, |_| Box::new(Memory));
        let dead = [1, 2].map(|number| dead(&bus, number));
        let done = crash::within(steps, bus.shared.store.region(), || {
            dead.iter().for_each(|&position| bus.requeue(position).unwrap());
            bus.sync().unwrap();
        });
        let Err(left) = done else { break };
        let (bus, recovered) = open(&left[..SMALL.max(left.len().min(SMALL + 8 * PAGE))], small()).unwrap();
        assert!(!recovered.is_damaged(), "{recovered}, after a death at step {steps}");
        let there = dead.iter().filter(|&&position| match bus.requeue(position) {
            Ok(()) => false,
            Err(RequeueError::AlreadyRequeued { .. }) => true,
            Err(error) => panic!("{error}, after a death at step {steps}"),
        });
        came[there.count()] += 1;
        let again = again(&bus).into_iter().map(|(_, from, payload)| (from, payload)).collect::<Vec<_>>();
        assert_eq!(again, [(dead[0], message(1)), (dead[1], message(2))], "after a death at step {steps}");
        steps += 1;
    }
    assert!(came.iter().all(|&count| count > 0), "{came:?}: no proof of anything");
}
