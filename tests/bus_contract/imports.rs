//! The law of importers: what they write is on the bus as any other message, on every bus.

use crate::support::{composed, next, number_of};
use rust_messenger::traits::{ImportError, MessageBus, WriteError};
use std::thread;

/// Every bus takes what comes from elsewhere, wakes who waits for it, and refuses it once it is closed. One that keeps
/// an account of it says what is there; the others write what they are given.
pub fn what_is_imported_arrives<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let mut reader = bus.subscribe("reader").unwrap();
    let mut importer = bus.importer("berlin", 7).unwrap();
    assert_eq!(importer.last(), None);
    thread::scope(|scope| {
        // One that sleeps, or is about to.
        let reading = scope.spawn(|| {
            for expected in 0..20 {
                let (source, message, number) =
                    next(&mut reader, |header, bytes| (header.source, header.message, number_of(header, bytes)));
                assert_eq!((source, message, number), (3, 4, expected));
            }
        });
        for number in 0..20_u64 {
            importer.try_write(4096 + 16 * number, 3, 4, &composed(3, number, 30)).unwrap();
        }
        reading.join().unwrap();
    });
    let (last, again) = (4096 + 16 * 19, importer.try_write(4096, 3, 4, b"again"));
    match importer.last() {
        None => assert_eq!(again, Ok(())),
        Some(there) => {
            assert_eq!((there, again), (last, Err(ImportError::AlreadyThere { last })));
            assert_eq!(bus.importer("berlin", 8).err(), Some(ImportError::InUse));
        }
    }
    bus.close();
    assert_eq!(importer.try_write(last + 16, 3, 4, b"late"), Err(ImportError::Write(WriteError::Closed)));
}
