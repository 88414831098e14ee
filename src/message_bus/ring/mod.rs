//! The ring: slots that come round, who may write them, and who has read them. A journal stands on the same files.
//!
//! From the memory up; a file names only those above it.
//!
//! * `position`, `owner`, `times`: how far, whose, how long. `control`: the words that everybody shares. `claim`: who
//!   writes where.
//! * `slot`: how one message becomes visible, whole or not at all.
//! * `store`: what a ring and a journal differ in. `gate`: who reads.
//! * `memory`: a ring's own bytes. `shared`: what all handles of a bus share. `reader`, `writer`: its two sides.

pub(super) mod claim;
pub(super) mod control;
pub(super) mod gate;
pub(super) mod memory;
pub(super) mod owner;
pub(super) mod position;
pub(super) mod reader;
pub(super) mod shared;
pub(super) mod slot;
pub(super) mod store;
pub(super) mod times;
pub(super) mod writer;
