//! See `client_machine` in `../messi.rs`.

#![no_main]

#[path = "../messi.rs"]
mod messi;

libfuzzer_sys::fuzz_target!(|data: &[u8]| messi::client_machine(data));
