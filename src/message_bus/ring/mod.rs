//! The ring: slots that come round, who may write them, and who has read them.
//!
//! Each rule is in a file of its own, and a file names only those above it in this list; a journal stands on the same
//! files. What a ring is made of when it is a bus is in `circular_bus.rs`.

pub(super) mod claim;
pub(super) mod control;
pub(super) mod gate;
pub(super) mod reader;
pub(super) mod slot;
pub(super) mod store;
pub(super) mod writer;
