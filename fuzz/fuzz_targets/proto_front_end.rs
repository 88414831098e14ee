//! Any bytes as .proto files.

#![no_main]

#[path = "../proto.rs"]
mod proto;

libfuzzer_sys::fuzz_target!(|input: &[u8]| proto::front_end(input));
