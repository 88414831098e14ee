//! The law of dead messages: on a bus that keeps its history one comes again, once, and on any other none does.

use crate::support::{next, wait_until};
use rust_messenger::traits::{
    DeadLetter, ExtendedMessage, Handler, Message, MessageBus, NoWriter, Publish, RequeueError, Supervisor, WriteError,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Whether a bus keeps an account of what is on it, as one does that keeps its history.
fn keeps_history(bus: &impl MessageBus) -> bool {
    let mut importer = bus.importer("berlin", 7).unwrap();
    importer.try_write(4096, 3, 4, b"from elsewhere").unwrap();
    importer.last().is_some()
}

/// Writes a message and then a letter that calls it dead. Returns where it stands.
fn die(writer: &impl Publish, tail: impl Fn() -> u64, text: &[u8]) -> u64 {
    let position = tail();
    writer.write_bytes(5, 6, text).unwrap();
    let letter = DeadLetter { position, source: 5, message: 6, ..DeadLetter::default() };
    writer.write(Supervisor::ID, DeadLetter::ID, letter.get_size(), |bytes| letter.write_into(bytes)).unwrap();
    position
}

/// What is dead comes again as any other message, wakes who waits for it, and is refused once the bus is closed.
pub fn what_is_dead_comes_again_or_never<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    if !keeps_history(&bus) {
        let position = die(&bus.writer().unwrap(), || bus.tail(), b"poison");
        assert_eq!(bus.requeue(position), Err(RequeueError::NoJournal));
        return;
    }
    let writer = bus.writer().unwrap();
    let [first, second] = [b"one", b"two"].map(|text| die(&writer, || bus.tail(), text));
    if !B::MANY_WRITERS {
        assert_eq!(bus.requeue(first), Err(RequeueError::Writer(NoWriter::Taken)));
    }
    drop(writer);
    let mut reader = bus.subscribe_latest("reader").unwrap();
    let asleep = AtomicBool::new(false);
    thread::scope(|scope| {
        let (reader, asleep) = (&mut reader, &asleep);
        let reading = scope.spawn(move || {
            asleep.store(true, Ordering::Release);
            next(reader, |header, bytes| (header.position, header.source, header.message, bytes.to_vec()))
        });
        // It has nothing to read, and most of the times it sleeps by the time that something comes.
        wait_until("the reader reads", || asleep.load(Ordering::Acquire));
        (0..50).for_each(|_| thread::yield_now());
        let at = bus.tail();
        bus.requeue(first).unwrap();
        assert_eq!(reading.join().unwrap(), (at, 5, 6, b"one".to_vec()));
        assert_eq!(bus.requeue(first), Err(RequeueError::AlreadyRequeued { at }));
    });
    bus.close();
    assert_eq!(bus.requeue(second), Err(RequeueError::Write(WriteError::Closed)));
}
