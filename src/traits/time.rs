//! Moments, the clocks that tell them, and deadlines that become messages.

use super::error::DecodeError;
use super::message::{DeserializeFrom, ExtendedMessage, FIRST_OF_LIBRARY, Layout, Message};
use std::time::Duration;

/// A moment: nanoseconds since an origin that its clock chooses. Time never goes backwards.
///
/// ```
/// use rust_messenger::traits::Time;
/// use std::time::Duration;
///
/// let start = Time::from_nanos(1_000);
/// let later = start + Duration::from_micros(2);
/// assert_eq!(later.as_nanos(), 3_000);
/// assert_eq!(later.since(start), Duration::from_micros(2));
/// assert_eq!(start.since(later), Duration::ZERO);
/// ```
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

    /// The duration from `earlier` to this moment; zero if `earlier` is later.
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Time {
    type Output = Time;

    /// Saturates 584 years after the origin.
    fn add(self, later: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(later.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Tells workers the time. Simulations and tests bring their own: `testing::ManualClock`, or one like this.
///
/// ```
/// use rust_messenger::Options;
/// use rust_messenger::traits::{Clock, Time};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// /// Counts how often it was asked.
/// struct Steps(AtomicU64);
///
/// impl Clock for Steps {
///     fn now(&self) -> Time {
///         Time::from_nanos(self.0.fetch_add(1, Ordering::Relaxed))
///     }
/// }
///
/// let options = Options { clock: Arc::new(Steps(AtomicU64::new(0))), ..Options::default() };
/// assert!(options.clock.now() < options.clock.now());
/// ```
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Time;

    /// Whether this clock tells the time of day and nothing else. If so, a journal under load asks it once per
    /// millisecond instead of once per message. Provided: no.
    fn is_real(&self) -> bool {
        false
    }
}

/// A deadline that has come, as a message: it makes timers exact in a rebuild.
///
/// With a route `H, Due: [h]` in the worker of the handler `h: H`, the worker writes a `Due` in the name of `h` when
/// the time of [`next_deadline`] has come, instead of calling [`on_loop`]. So the journal holds the deadline, and a
/// handler that decides in `Handle<Due>` by [`time`](Self::time) decides the same when a rebuild replays it. No other
/// handler may receive it, and `h` must be the only handler of its type in the table.
///
/// * At most one `Due` per handler is on its way. A worker writes none while it replays history, which holds them
///   already, and none once a stop drains.
/// * Like any message, a `Due` waits for what is before it on the bus, and goes through the outbox when the bus is
///   full. If the worker cannot write it at all, it reports [`Report::Unsent`] and tries again after a second.
/// * If a handler's deadline is still in the past when it has handled one `Due`, another one follows: move the deadline
///   on.
///
/// After a restart a second `Due` may come, for a deadline of the earlier process: a worker that did not rebuild finds
/// it in the journal and cannot know it. Decide by `time`, and ignore a `Due` that you do not wait for. Every restart
/// calls `on_start` at a new time, so a handler that rebuilds takes its next deadline from the `time` of the last one.
///
/// A request that may go unanswered has its deadline here, too: the handler keeps what is open by a request's id, says
/// the earliest deadline, and gives up in `Handle<Due>` what is open past `time`. `examples/cookbook/request_reply.rs`
/// is that.
///
/// ```
/// use rust_messenger::traits::{Due, Handle, Handler, Time, Writer};
/// use std::time::Duration;
///
/// struct Heartbeat {
///     next: Time,
/// }
///
/// impl Handler for Heartbeat {
///     type Id = u16;
///     const ID: u16 = 1;
///
///     fn next_deadline(&self) -> Option<Time> {
///         Some(self.next)
///     }
/// }
///
/// impl Handle<Due> for Heartbeat {
///     fn handle<W: Writer>(&mut self, due: &Due, _: &W) {
///         self.next = due.time + Duration::from_secs(1);
///     }
/// }
/// ```
///
/// [`next_deadline`]: super::Handler::next_deadline
/// [`on_loop`]: super::Handler::on_loop
/// [`Report::Unsent`]: super::Report::Unsent
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The deadline, as [`next_deadline`](super::Handler::next_deadline) returned it.
    pub time: Time,
}

impl Message for Due {
    type Id = u16;
    /// The library's: a routing table refuses another message with it.
    const ID: u16 = FIRST_OF_LIBRARY + 0x10;
    const LAYOUT: Layout = Layout { size: 8, ..Layout::variable("due") };
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
