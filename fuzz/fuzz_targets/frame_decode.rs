//! See `frame_decode` in `../messi.rs`.

#![no_main]

#[path = "../messi.rs"]
mod messi;

libfuzzer_sys::fuzz_target!(|data: &[u8]| messi::frame_decode(data));
