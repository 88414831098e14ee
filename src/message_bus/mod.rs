//! The buses, and the laws that each of them keeps.
//!
//! * [`CircularBus`]: a lossless ring in mapped memory.
//! * `PersistentBus` (Unix): an append-only journal in a file, recovered, replayed and followed.
//! * [`CondvarBus`]: any bus, with readers that block in the classic way.
//!
//! # The laws
//!
//! Each is a generic test in `tests/bus_contract.rs`, run on every bus.
//!
//! 1. **One order.** Committed messages have one total order, their position; every reader sees it, and each writer's
//!    messages keep the order in which it wrote them.
//! 2. **Nothing lost, nothing twice.** A subscribed reader sees every message claimed since its subscription, once.
//!    No bus overwrites a slot that a subscribed reader has not released.
//! 3. **Stable bytes.** What a reader was given does not change until it returns.
//! 4. **Backpressure is visible.** `try_write` says `Full`; `write` waits. A worker never waits on itself.
//! 5. **No holes.** A fill that panics seals its slot; readers go past it. A fill that stays silent is sealed for
//!    readers within about a second.
//! 6. **No forgery.** No payload, however crafted, can be taken for a committed slot.
//! 7. **Limits are errors.** Too large, full, closed: typed errors, no panic.
//! 8. **Stop drains.** What was written before the stop is handled; what comes later is counted and reported.
//! 9. **Fixed memory.** After start, no allocation per message.
//! 10. **Idle is free.** A blocked reader uses no processor time and wakes on a message, a timer or a stop.

mod circular_bus;
mod condvar_bus;
#[cfg(unix)]
#[allow(unsafe_code, reason = "views of mapped bytes")]
mod journal;
#[cfg(unix)]
mod persistent_bus;
#[allow(unsafe_code, reason = "views of mapped bytes")]
mod ring;
pub mod wait;

pub use circular_bus::{BusError, CircularBus, MAX_CAPACITY, MIN_CAPACITY, RingOptions};
pub use condvar_bus::{CondvarBus, CondvarReader, CondvarWriter};
#[cfg(unix)]
pub use journal::cursors::CursorError;
#[cfg(unix)]
pub use journal::error::JournalError;
#[cfg(unix)]
pub use journal::options::{Durability, PersistentOptions, Retention, Start};
#[cfg(unix)]
pub use journal::read_only::{Cursor, Entries, Entry, Info, Journal};
#[cfg(unix)]
pub use journal::recovered::{HeaderDamage, Recovered, Span, SpanCounts};
#[cfg(unix)]
pub use journal::retention::Retained;
#[cfg(unix)]
pub use journal::table::{HandlerRecord, JournalTable, MessageRecord, RouteRecord, TableChange, WorkerRecord};
#[cfg(unix)]
pub use persistent_bus::PersistentBus;
pub use ring::claim::{Claim, ManyWriters, OneWriter};
pub use ring::reader::RingReader;
pub use ring::writer::RingWriter;
