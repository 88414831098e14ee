//! The writer of a bus for one writer cannot be cloned.

use rust_messenger::{CircularBus, MessageBus};

fn main() {
    let bus = CircularBus::one_writer(4096).unwrap();
    let writer = bus.writer().unwrap();
    let second = writer.clone();
}
