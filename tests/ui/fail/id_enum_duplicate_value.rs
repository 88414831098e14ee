//! Two ids of one enum are the same.

rust_messenger::messenger_id_enum!(MessageId { Tick = 1, Order = 1 });

fn main() {}
