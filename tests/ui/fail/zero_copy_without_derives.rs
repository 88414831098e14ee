//! A zero-copy message without zerocopy's derives.

#[repr(C)]
pub struct Tick {
    price: u64,
    size: u64,
}

rust_messenger::zero_copy_message!(Tick, 1);

fn main() {}
