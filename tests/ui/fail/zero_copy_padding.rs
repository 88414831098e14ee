//! A zero-copy message has bytes that belong to no field.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Tick {
    price: u64,
    size: u32,
}

rust_messenger::zero_copy_message!(Tick, 1);

fn main() {}
