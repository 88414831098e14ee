//! Any bytes as the snapshot of a worker, beside one that is whole.

#![no_main]

mod snapshot_bytes;

libfuzzer_sys::fuzz_target!(|input: &[u8]| snapshot_bytes::check(input));
