//! What the fuzzer of looking at named rings has found worth keeping, and as much again by chance.

#![cfg(all(target_os = "linux", not(miri), not(rust_messenger_loom)))]

#[path = "../fuzz/corpus.rs"]
mod corpus;
#[path = "../fuzz/fuzz_targets/ring_bytes.rs"]
mod ring_bytes;

use proptest::prelude::*;
use rust_messenger::message_bus::NamedStats;
use std::path::Path;

#[test]
fn every_kept_case_holds() {
    let cases = corpus::cases(Path::new(env!("CARGO_MANIFEST_DIR")), "ring_look");
    assert!(!cases.is_empty());
    for (name, bytes) in cases {
        println!("{name}");
        ring_bytes::check(&ring_bytes::ring_of(&bytes));
    }
}

/// Or the others would look at nothing.
#[test]
fn most_inputs_are_rings() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ring");
    // A reader that is in use, of the attachment 3 in its 5th generation.
    let place = ((768 + 128) / 8_u16).to_le_bytes();
    let input = [&[0; 9][..], &[0, place[0], place[1], 3, 5, 1]].concat();
    std::fs::write(&path, ring_bytes::ring_of(&input)).unwrap();
    let stats = NamedStats::read(&path).unwrap();
    assert_eq!((stats.capacity, stats.readers.len(), stats.attachments.len()), (1024, 1, 1));
    assert!(stats.readers[0].evictable && !stats.attachments[0].alive);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_in_the_file_is_an_error_or_numbers(input in prop::collection::vec(any::<u8>(), 0..1000)) {
        ring_bytes::check(&ring_bytes::ring_of(&input));
    }
}
