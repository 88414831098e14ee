//! The vocabulary: what users implement, what buses implement, and the errors between them.
//!
//! Names no bus, no mapping, no thread and no codec. A **message** has an id and a way to become bytes; a **handler**
//! has an id, receives messages ([`Handle`]) and sends them ([`Sender`]); a **bus** hands out [`Reader`]s and writers
//! ([`Publish`]); a [`Writer`] is what a handler is given to talk to the world.

mod bus;
mod error;
mod handler;
mod message;
mod time;

pub(crate) use bus::skipped;
pub use bus::{BusWriter, Interest, MessageBus, Poller, Publish, Reader, ReaderStats, Stats, Unread};
pub use error::{DecodeError, Divergence, EncodeError, NoWriter, ReadError, Sent, SubscribeError, WriteError};
pub use handler::{Handle, Handler, New, Report, Sender, Writer};
pub(crate) use message::{AFTER_EVENTS, FIRST_OF_LIBRARY};
pub use message::{DeserializeFrom, Encoded, ExtendedMessage, Header, Layout, Message, Payload, Space};
pub use time::{Clock, Due, Time};
