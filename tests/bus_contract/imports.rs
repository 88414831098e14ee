//! The law of importers: what they write is on the bus as any other message, on every bus.

use crate::support::{composed, next, number_of, wait_until};
use rust_messenger::traits::{ImportError, MessageBus, WriteError};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Every bus takes what comes from elsewhere, wakes who waits for it, and refuses it once it is closed. One that keeps
/// an account of it says what is there; the others write what they are given.
pub fn what_is_imported_arrives<B: MessageBus>(make: impl Fn() -> B) {
    let bus = make();
    let mut reader = bus.subscribe("reader").unwrap();
    let mut importer = bus.importer("berlin", 7).unwrap();
    assert_eq!(importer.last(), None);
    let seen = AtomicU64::new(0);
    thread::scope(|scope| {
        let (reader, seen) = (&mut reader, &seen);
        let reading = scope.spawn(move || {
            for expected in 0..20 {
                let what = next(reader, |header, bytes| (header.source, header.message, number_of(header, bytes)));
                assert_eq!(what, (3, 4, expected));
                seen.store(expected + 1, Ordering::Release);
            }
        });
        for number in 0..20_u64 {
            // It has nothing to read, and most of the times it sleeps by the time that something comes.
            wait_until("the reader has come so far", || seen.load(Ordering::Acquire) == number);
            (0..50).for_each(|_| thread::yield_now());
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
