//! Users of a named ring, and stray words in its file, out of any bytes.

#![no_main]

mod input;
mod ring_steps;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    ring_steps::play(input);
});
