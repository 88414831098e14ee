//! An id does not fit into a `u16`.

rust_messenger::messenger_id_enum!(MessageId { Tick = 1, Order = 65536 });

fn main() {}
