//! What stands in a node's stream, and what follows from it, without a socket.
//!
//! A bridge is three state machines and what reads and writes for them. [`Resume`] decides where a sender goes on when
//! it starts, when its connection is back and when the server refuses; [`Window`] knows what is on its way. [`Arrivals`]
//! decides what a receiver does with each message of a stream. They rest on names ([`Subject`]), on headers ([`Entry`])
//! and on what the local table says of both ([`Catalog`]).

mod arrivals;
mod catalog;
mod entry;
mod resume;
mod subject;
mod window;

pub use arrivals::{Arrival, Arrivals, Refusal};
pub use catalog::{Catalog, Mismatch, Row};
pub(crate) use entry::decimal;
pub use entry::{
    ByteOrder, Entry, EntryError, HELLO, Hello, Kind, LayoutTag, MAX_POSITION, MESSAGE, MessageHead, Origin, Reached,
    VERSION,
};
pub use resume::{Decision, Last, MOST_HELLOS, Resume, ResumeError};
pub use subject::{NameError, Names, Subject, escape, unescape};
pub use window::{Limits, Link, Unexpected, Window};
