//! What stands in a stream, and what is done about it, without a server.

mod entries;
mod model;
mod names;
mod python;
mod tables;

use rust_messenger_nats::protocol::{ByteOrder, Kind, LayoutTag, MessageHead, Origin};

fn origin(kind: Kind, incarnation: u64, bridge: u64) -> Origin {
    Origin { kind, incarnation, bridge }
}

fn layout() -> LayoutTag {
    LayoutTag { order: ByteOrder::Little, size: 0, align: 0, shape: Some(0xABCD), codec: "postcard".to_owned() }
}

/// The message at `position`, with the ids 1 and 2.
fn head(origin: Origin, previous: Option<u64>, position: u64) -> MessageHead {
    MessageHead { origin, position, previous, time: Some(9), cause: None, source: 1, message: 2, layout: layout() }
}
