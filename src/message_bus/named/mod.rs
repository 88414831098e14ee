//! Rings that processes share by a name: a ring in a file, who is attached to it, and what its ids mean.
//!
//! Linux has what it takes. Elsewhere each call says that it is `Unsupported` (`elsewhere`).
//!
//! Knows nothing of slots, readers and writers: those are the ring's, whoever shares it. From the options up; a file
//! names only those above it.
//!
//! * `options`, `error`, `stats`: what can be chosen, what can go wrong, and what can be seen.
//! * `attachments`: who shares the ring, and who of them has ended. `names`: what ids mean.
//! * `identity`: what the ring is, once and for all. `file`: made, opened, removed. `bus`: as a bus.
//! * `look`: what is seen from outside.

#[cfg(target_os = "linux")]
pub(crate) mod attachments;
pub(crate) mod bus;
pub(crate) mod error;
#[cfg(target_os = "linux")]
pub(crate) mod file;
#[cfg(not(target_os = "linux"))]
#[path = "elsewhere.rs"]
pub(crate) mod file;
#[cfg(target_os = "linux")]
pub(crate) mod identity;
#[cfg(target_os = "linux")]
pub(crate) mod look;
#[cfg(target_os = "linux")]
pub(crate) mod names;
pub(crate) mod options;
pub(crate) mod stats;
#[cfg(all(test, target_os = "linux"))]
mod tests;
