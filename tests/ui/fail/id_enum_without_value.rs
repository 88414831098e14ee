//! An id is not written out.

rust_messenger::messenger_id_enum!(MessageId { Tick = 1, Order });

fn main() {}
