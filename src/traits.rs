//! The vocabulary: what users implement, what buses implement, and the errors between them.
//!
//! It names no bus, no mapping, no thread and no codec. A **message** has an id and becomes bytes; a **handler** has an
//! id, receives messages ([`Handle`]) and sends them ([`Sender`]); a **bus** makes [`Reader`]s and writers
//! ([`Publish`]); a [`Writer`] connects a handler to all that is outside it: the bus, the time, the stop.

mod bus;
mod dead_letter;
mod error;
mod handler;
mod import;
pub(crate) mod message;
mod reader;
mod snapshot;
mod supervisor;
mod time;

pub use crate::mmap::Space;
pub use bus::{BusWriter, MessageBus, Publish, ReaderStats, Stats};
pub use dead_letter::{DeadLetter, RequeueError};
pub use error::{CursorError, DecodeError, Divergence, EncodeError, NoWriter, ReadError, SubscribeError, WriteError};
pub use handler::{Handle, Handler, New, Report, Sender, TryHandle, Writer};
pub use import::{Import, ImportError};
pub(crate) use message::{AFTER_EVENTS, FIRST_OF_LIBRARY};
pub use message::{DeserializeFrom, Encoded, ExtendedMessage, Header, Layout, Message, Payload};
pub(crate) use reader::skipped;
pub use reader::{Interest, Next, Poller, Reader, Recorded, Unread};
pub use snapshot::{Begin, Every, Misfit, SkippedSnapshot, Snapshot, State};
pub use supervisor::Supervisor;
pub use time::{Clock, Due, Time};
