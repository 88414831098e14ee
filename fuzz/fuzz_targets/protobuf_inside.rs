//! See `protobuf_inside` in `../messi.rs`.

#![no_main]

#[path = "../messi.rs"]
mod messi;

libfuzzer_sys::fuzz_target!(|data: &[u8]| messi::protobuf_inside(data));
