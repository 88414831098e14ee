//! The journal: a file of slots that are never reused. Its bytes, its recovery, what is done for it in the background,
//! and the side that only reads.

pub(super) mod header;
#[cfg_attr(rust_messenger_loom, allow(dead_code, reason = "no model has a thread in the background"))]
pub(super) mod keeper;
#[cfg_attr(rust_messenger_loom, allow(dead_code, reason = "no model has a thread in the background"))]
pub(super) mod log;
pub(super) mod read_only;
pub(super) mod rebuild;
pub(super) mod scan;
pub(super) mod table;
