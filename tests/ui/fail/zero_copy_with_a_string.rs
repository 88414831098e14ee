//! A zero-copy message has a field that is no plain memory.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Tick {
    price: u64,
    venue: String,
}

rust_messenger::zero_copy_message!(Tick, 1);

fn main() {}
