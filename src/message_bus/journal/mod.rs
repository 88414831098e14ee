//! The journal: a file of slots that are never reused.
//!
//! From its bytes up; a file names only those above it.
//!
//! * `word`: words that carry their own check. `strip`: the slots in memory. `table`: the routing table as text.
//! * `recovered`, `error`: what was found, and why it was not opened. `source`: where bytes are read from.
//! * `header`: the first pages. `scan`: from slot to slot, over what is damaged. `read_only`: the side that only reads.
//! * `options`: what can be chosen. `rebuild`: history that is handled again. `background`: a thread.
//! * `log`: the journal in memory, as a bus writes and reads it. `cursors`, `retention`: what it keeps and forgets.
//! * `keeper`: what the thread does. `recovery`: makes a log of what a dead process left. `open`: the file itself.

pub(crate) mod background;
pub(crate) mod cursors;
pub(crate) mod error;
pub(crate) mod header;
#[cfg_attr(rust_messenger_loom, allow(dead_code, reason = "no model has a thread in the background"))]
pub(crate) mod keeper;
#[cfg_attr(rust_messenger_loom, allow(dead_code, reason = "no model has a thread in the background"))]
pub(crate) mod log;
#[cfg(not(rust_messenger_loom))]
pub(crate) mod open;
pub(crate) mod options;
pub(crate) mod read_only;
pub(crate) mod rebuild;
pub(crate) mod recovered;
pub(crate) mod recovery;
pub(crate) mod retention;
pub(crate) mod scan;
pub(crate) mod source;
pub(crate) mod strip;
pub(crate) mod table;
pub(crate) mod word;
