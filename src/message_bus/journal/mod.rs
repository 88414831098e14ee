//! The journal: a file of slots that are never reused.
//!
//! A **journal** is the file. Each type around it has one name:
//!
//! * `JournalSlots` (`slots`): the slots of the mapped file, as a ring's readers and writers see them.
//! * `JournalStore` (`store`): those slots with a tail, a gate and a file that grows: what a bus writes and reads.
//! * `Upkeep` (`store`): what growing, syncing and retention need of a store; its clones share it.
//! * `PersistentBus` (outside): a store as a bus. `Journal` (`read_only`): the read-only side of the file.
//!
//! From its bytes up; a file names only those above it.
//!
//! * `word`: words that carry their own check. `slots`: the slots in memory. `shapes`, `table`: the routing table as
//!   text. `merge`: it meets that of a program.
//! * `recovered`, `error`: what recovery found, and why it refused. `source`: where bytes are read from.
//! * `header`: the first pages. `scan`: from slot to slot, over damage. `read_only`: the read-only side.
//! * `options`: what a user may choose. `rebuild`: history that handlers handle again. `background`: a thread.
//! * `unchecked`: what opening has left out. `snapshot`: the file of one. `kept`: what is known of them.
//! * `store`: the journal in memory, as a bus writes and reads it. `check`: what was left out is looked at. `cursors`,
//!   `retention`: what it keeps and releases. `snapshots`: which fit, with which one a worker begins, and how one is
//!   written.
//! * `origin`, `origins`, `importer`: what comes from elsewhere. `requeue`: what was dead comes again.
//! * `keeper`: what the thread does. `recovery`: makes a store of what a dead process left. `open`: the file itself.

pub(crate) mod background;
pub(crate) mod check;
pub(crate) mod cursors;
pub(crate) mod error;
pub(crate) mod header;
pub(crate) mod importer;
#[cfg_attr(rust_messenger_loom, allow(dead_code, reason = "no model has a thread in the background"))]
pub(crate) mod keeper;
pub(crate) mod kept;
pub(crate) mod merge;
#[cfg(not(rust_messenger_loom))]
pub(crate) mod open;
pub(crate) mod options;
pub(crate) mod origin;
pub(crate) mod origins;
pub(crate) mod read_only;
pub(crate) mod rebuild;
pub(crate) mod recovered;
pub(crate) mod recovery;
pub(crate) mod requeue;
pub(crate) mod retention;
pub(crate) mod scan;
pub(crate) mod shapes;
pub(crate) mod slots;
pub(crate) mod snapshot;
#[cfg_attr(rust_messenger_loom, allow(dead_code, reason = "no model has a file"))]
pub(crate) mod snapshots;
pub(crate) mod source;
#[cfg_attr(rust_messenger_loom, allow(dead_code, reason = "no model has a thread in the background"))]
pub(crate) mod store;
pub(crate) mod supervised;
pub(crate) mod table;
pub(crate) mod unchecked;
pub(crate) mod word;
