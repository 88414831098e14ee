//! Any bytes as a journal: opened for reading and for writing, read to the end, appended to, and opened again.

#![no_main]

mod input;
mod journal_bytes;

libfuzzer_sys::fuzz_target!(|input: &[u8]| journal_bytes::check(&journal_bytes::journal_of(input)));
