//! The buses, and the laws that each of them keeps.
//!
//! * [`CircularBus`]: a lossless ring in mapped memory, of one process or of several that share it by its name.
//! * `PersistentBus` (Unix): a bus in a file, its journal: append-only, recovered, replayed and followed.
//! * [`CondvarBus`]: any bus, with readers that block at once.
//!
//! # The laws
//!
//! `tests/bus_contract.rs` tests each of them on every bus.
//!
//! 1. **One order.** Published messages have one total order, their position. Every reader sees it, and each writer's
//!    messages keep the order in which it wrote them.
//! 2. **Nothing lost, nothing twice.** A subscribed reader sees every message claimed since its subscription, once. No
//!    bus overwrites a slot that a subscribed reader has not released.
//! 3. **Stable bytes.** The message in a reader's hands does not change until the reader returns.
//! 4. **Backpressure is visible.** `try_write` says `Full`; `write` waits. A worker never waits on itself.
//! 5. **No holes.** A fill that panics seals its slot; readers step over it. A reader fences a fill that stays silent
//!    for about a second.
//! 6. **No forgery.** No payload, however crafted, can pass for a published slot.
//! 7. **Limits are errors.** Too large, full, closed: typed errors, no panic.
//! 8. **Stop drains.** Workers handle what was written before the stop; the summary counts what came later.
//! 9. **Fixed memory.** After the start, no allocation per message.
//! 10. **Idle is free.** A blocked reader uses no processor time and wakes on a message, a timer or a stop.

mod circular_bus;
mod condvar_bus;
#[cfg(unix)]
#[allow(unsafe_code, reason = "views of mapped bytes")]
mod journal;
#[cfg(not(rust_messenger_loom))]
mod named;
#[cfg(unix)]
mod persistent_bus;
#[allow(unsafe_code, reason = "views of mapped bytes")]
mod ring;
pub mod wait;

#[cfg(unix)]
pub use crate::traits::CursorError;
pub use circular_bus::{BusError, CircularBus, RingOptions};
pub use condvar_bus::{CondvarBus, CondvarReader, CondvarWriter};
#[cfg(unix)]
pub use journal::error::JournalError;
#[cfg(unix)]
pub use journal::options::{Durability, PersistentOptions, Retention, Start};
#[cfg(unix)]
pub use journal::read_only::{Entries, Entry, Info, Journal, Origin};
#[cfg(unix)]
pub use journal::recovered::{HeaderDamage, Recovered, Span};
#[cfg(unix)]
pub use journal::retention::Retained;
#[cfg(unix)]
pub use journal::store::JournalStore;
#[cfg(unix)]
pub use journal::table::{JournalTable, MessageRecord};
#[cfg(not(rust_messenger_loom))]
pub use named::error::{NamedError, NamedProblem};
#[cfg(not(rust_messenger_loom))]
pub use named::options::NamedOptions;
#[cfg(not(rust_messenger_loom))]
pub use named::stats::{AttachmentStats, NamedReaderStats, NamedStats, NamedWriterStats};
#[cfg(unix)]
pub use persistent_bus::PersistentBus;
pub use ring::claim::{Claim, ManyWriters, OneWriter};
pub use ring::memory::Ring;
pub use ring::reader::RingReader;
pub use ring::store::Storage;
pub use ring::writer::RingWriter;
