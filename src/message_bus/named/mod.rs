//! Rings that processes share by a name: a ring in a file, who is attached to it, and what its ids mean.
//!
//! Knows nothing of slots, readers and writers: those are the ring's, whoever shares it. From the options up; a file
//! names only those above it.
//!
//! * `options`, `error`: what can be chosen, and what can go wrong.
//! * `attachments`: who shares the ring, and who of them has ended. `names`: what ids mean.
//! * `identity`: what the ring is, once and for all. `file`: made, opened, removed. `bus`: as a bus.

pub(crate) mod attachments;
pub(crate) mod bus;
pub(crate) mod error;
pub(crate) mod file;
pub(crate) mod identity;
pub(crate) mod names;
pub(crate) mod options;
#[cfg(test)]
mod tests;
