//! Any bytes as the file of a named ring, looked at from outside.

#![no_main]

mod input;
mod ring_bytes;

libfuzzer_sys::fuzz_target!(|input: &[u8]| ring_bytes::check(&ring_bytes::ring_of(input)));
