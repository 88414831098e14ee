//! What is no worker but is expected as one: a bridge's thread, say.

use super::lifecycle::{Lifecycle, Phase};
use super::outcome::Cause;
use crate::sync::panicking;
use crate::traits::{MessageBus, Report, Time, Unread};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A place among the workers for a thread of your own: [`Messenger::attach`](crate::messenger::Messenger::attach) makes
/// it. The messenger waits for it at the end, counts what it leaves, and ends with its failure.
///
/// The thread waits until [all workers are subscribed](Self::wait_until_subscribed), looks now and then whether the
/// messenger [stops](Self::is_stopping), does then what it owes up to the [end of the drain](Self::drain_end), and
/// [leaves](Self::leave). If it has not left a second after the stop's deadline it counts as stuck. Dropping it leaves,
/// with nothing left; in a panic it is a failure, too.
///
/// ```
/// # use rust_messenger::prelude::*;
/// # struct Idle;
/// # handler!(Idle, 1, default);
/// # impl Default for Idle { fn default() -> Self { Idle } }
/// # Messenger! { (), Worker: handlers: [ #[allow(unrouted)] idle: Idle ] routes: [] }
/// use std::time::Duration;
///
/// let messenger = Messenger::new(CircularBus::new(64 * 1024)?);
/// let attached = messenger.attach("bridge")?;
/// let bridge = std::thread::spawn(move || {
///     attached.wait_until_subscribed(Duration::from_secs(60));
///     while attached.drain_end().is_none() {
///         std::thread::yield_now(); // A real one waits for its bus or its network.
///     }
///     attached.leave(0, 3);
/// });
/// let handles = messenger.run(&());
/// messenger.stop();
/// let summary = handles.join()?;
/// assert_eq!((summary.left[0].worker, summary.left[0].unsent), ("bridge", 3));
/// # bridge.join().unwrap();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Attached<B: MessageBus> {
    pub(super) name: &'static str,
    pub(super) lifecycle: Arc<Lifecycle<B>>,
    pub(super) has_left: bool,
}

impl<B: MessageBus> fmt::Debug for Attached<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<B: MessageBus> Attached<B> {
    /// The messenger's bus.
    pub fn bus(&self) -> &B {
        &self.lifecycle.bus
    }

    /// The time, by the clock of the messenger's options.
    pub fn now(&self) -> Time {
        self.lifecycle.now()
    }

    /// Waits until every worker is subscribed, so that what is written from now on is seen by all of them; for
    /// `timeout` at most. False if they are not, or if the messenger stops.
    pub fn wait_until_subscribed(&self, timeout: Duration) -> bool {
        self.lifecycle.wait_until_subscribed(timeout);
        self.lifecycle.is_subscribed() && !self.is_stopping()
    }

    /// Whether the messenger stops: write nothing any more.
    pub fn is_stopping(&self) -> bool {
        self.lifecycle.phase() != Phase::Running
    }

    /// Where the drain ends, once that is known: the workers handle what stands before it. `None` while the messenger
    /// runs, and until all outboxes are flushed after the stop.
    pub fn drain_end(&self) -> Option<u64> {
        match self.lifecycle.phase() {
            Phase::Draining { end } => Some(end),
            Phase::Running | Phase::Flushing => None,
        }
    }

    /// Whether a stop's deadline is over: leave, whatever is left.
    pub fn is_late(&self) -> bool {
        self.is_stopping() && self.lifecycle.is_late()
    }

    /// Tells the messenger's report callback.
    pub fn report(&self, report: Report) {
        self.lifecycle.report(report);
    }

    /// Says that it has failed. The messenger stops, and [`JoinHandles::join`](super::JoinHandles::join) returns the
    /// error as [`Cause::Failed`], with the name as worker and handler.
    pub fn fail(&self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        self.lifecycle.failed(self.name, Cause::Failed { handler: self.name, error: error.into() });
    }

    /// Leaves, with so many messages that it should have taken from the bus, and so many that it took and did not hand
    /// on. [`Summary::left`](super::Summary::left) has them if there are any.
    pub fn leave(mut self, unread: u64, unsent: u64) {
        self.end(unread, unsent);
    }

    fn end(&mut self, unread: u64, unsent: u64) {
        if !std::mem::replace(&mut self.has_left, true) {
            let unread = Unread { messages: unread, bytes: 0 };
            self.lifecycle.leave(self.name, unread, unsent, false);
        }
    }
}

impl<B: MessageBus> Drop for Attached<B> {
    fn drop(&mut self) {
        if !self.has_left && panicking() {
            self.fail("its thread panicked");
        }
        self.end(0, 0);
    }
}
