//! The writer of a bus for one writer cannot be used by two threads.

use rust_messenger::{CircularBus, MessageBus, Publish};

fn main() {
    let bus = CircularBus::one_writer(4096).unwrap();
    let writer = bus.writer().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| writer.write_bytes(1, 1, &[]));
    });
}
