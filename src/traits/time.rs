//! Moments, who tells them, and deadlines that become messages.

use super::error::DecodeError;
use super::message::{DeserializeFrom, ExtendedMessage, FIRST_OF_LIBRARY, Layout, Message};
use std::time::Duration;

/// A moment in nanoseconds since an origin that only its clock knows. It never goes backwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The moment `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Time {
        Time(nanos)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not.
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Time {
    type Output = Time;

    /// Stops at the end of time, 584 years after the origin.
    fn add(self, later: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(later.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Tells the time to workers; replaced in simulations.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Time;

    /// Whether it is asked for the time of day only, so that a journal under load may ask it once in a millisecond
    /// rather than for every message. Provided: no.
    fn is_real(&self) -> bool {
        false
    }
}

/// A deadline that has come, as a message: what makes timers exact in a rebuild.
///
/// With a route `H, Due: [h]` in the worker of the handler `h: H`, its worker writes this in the name of `h` when the
/// time of [`next_deadline`] has come, instead of calling [`on_loop`]. So a journal has it, and a handler that decides
/// in `Handle<Due>` by [`time`](Self::time) decides the same when it is handed its history again. Nobody else may
/// receive it, and `h` is the only handler of its type in the table.
///
/// At most one is on its way for each handler, and while history is replayed none is written: they are in it. Like
/// any message it waits for what is before it on the bus, and goes through the outbox when the bus is full; one that
/// cannot be written at all is [`Report::Unsent`], and tried again after a second. None is written once a stop drains.
/// A handler whose deadline is still past when it has handled one gets another one: move the deadline on.
///
/// After a restart a second one may come, of a deadline that the earlier process had: a worker that did not rebuild
/// finds it in the journal and knows nothing of it. Go by `time`, and let one that is not waited for do no harm. What
/// `on_start` says of the time is new after each restart, so a handler that is to be rebuilt takes its next deadline
/// from the `time` of the last.
///
/// [`next_deadline`]: super::Handler::next_deadline
/// [`on_loop`]: super::Handler::on_loop
/// [`Report::Unsent`]: super::Report::Unsent
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The deadline, as the handler named it.
    pub time: Time,
}

impl Message for Due {
    type Id = u16;
    /// The library's: a routing table refuses another message with it.
    const ID: u16 = FIRST_OF_LIBRARY + 0x10;
    const LAYOUT: Layout = Layout { codec: "due", size: 8, align: 0 };
}

impl ExtendedMessage for Due {
    fn get_size(&self) -> usize {
        8
    }

    fn write_into(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.time.0.to_le_bytes());
    }
}

impl DeserializeFrom for Due {
    /// Panics when the bytes are no such message; the bus itself calls `try_deserialize_from`.
    fn deserialize_from(buffer: &[u8]) -> Due {
        match Due::try_deserialize_from(buffer) {
            Ok(due) => due,
            Err(error) => panic!("{error}"),
        }
    }

    fn try_deserialize_from(buffer: &[u8]) -> Result<Due, DecodeError> {
        let bytes = buffer.try_into().map_err(|_| DecodeError::new("a time has eight bytes"))?;
        Ok(Due { time: Time(u64::from_le_bytes(bytes)) })
    }
}
