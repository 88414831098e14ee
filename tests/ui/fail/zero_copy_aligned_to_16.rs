//! A zero-copy message that needs a larger alignment than the bus has.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(16))]
pub struct Tick {
    price: u64,
    size: u64,
}

rust_messenger::zero_copy_message!(Tick, 1);

fn main() {}
