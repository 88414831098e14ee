//! What stands in a stream, and what is done about it, without a server.

#[path = "../../../fuzz/corpus.rs"]
mod corpus;
mod entries;
#[path = "../../../fuzz/nats.rs"]
mod fuzz;
mod model;
mod names;
mod python;
mod tables;

use rust_messenger_nats::protocol::{self, ByteOrder, Kind, LayoutTag, MessageHead, Origin};

#[test]
fn what_the_fuzzer_has_found_worth_keeping() {
    let repository = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let cases = corpus::cases(repository, "nats_headers");
    assert!(cases.len() > 10);
    cases.iter().for_each(|(_, case)| fuzz::headers(case));
}

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
