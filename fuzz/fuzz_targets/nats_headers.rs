//! See `headers` in `../nats.rs`.

#![no_main]

#[path = "../nats.rs"]
mod nats;
/// The file itself: the crate would bring all that its client of NATS needs.
#[path = "../../nats/src/protocol/mod.rs"]
#[allow(unused, reason = "the crate has users for all of it")]
mod protocol;

libfuzzer_sys::fuzz_target!(|data: &[u8]| nats::headers(data));
