//! A writer for threads outside of a messenger.

use super::lifecycle::Lifecycle;
use super::outcome::Cause;
use crate::traits::{ExtendedMessage, Handler, MessageBus, Payload, Publish, Report, Sender, Time, WriteError, Writer};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A [`Writer`] for a thread outside the messenger: [`Messenger::writer`](crate::messenger::Messenger::writer) makes
/// it. Each thread has its own.
///
/// On a full bus [`Sender::try_send`] fails, [`send_timeout`](Self::send_timeout) waits for a while, and
/// [`Sender::send`] waits until there is room, however long that takes: for ever, if a worker's handler does not
/// return. After a stop nothing gets in any more: the first two return [`WriteError::Closed`], and `send`, which
/// returns nothing, drops the message and [reports](Report::Unsent) it.
pub struct OutsideWriter<B: MessageBus> {
    pub(super) writer: B::BusWriter,
    pub(super) lifecycle: Arc<Lifecycle<B>>,
}

impl<B: MessageBus> fmt::Debug for OutsideWriter<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutsideWriter").finish_non_exhaustive()
    }
}

impl<B: MessageBus<BusWriter: Clone>> Clone for OutsideWriter<B> {
    fn clone(&self) -> Self {
        OutsideWriter { writer: self.writer.clone(), lifecycle: Arc::clone(&self.lifecycle) }
    }
}

impl<B: MessageBus> Publish for OutsideWriter<B> {
    #[inline]
    fn try_put<P: Payload>(&self, source: u16, message: u16, payload: &mut P) -> Result<(), WriteError> {
        if !self.lifecycle.is_subscribed() {
            return Err(WriteError::NotStarted);
        }
        self.writer.try_put(source, message, payload)
    }

    fn wait_for_room(&self, size: usize) {
        self.writer.wait_for_room(size);
    }

    fn wait_for_room_at_most(&self, size: usize, timeout: Duration) {
        self.writer.wait_for_room_at_most(size, timeout);
    }
}

impl<B: MessageBus> OutsideWriter<B> {
    /// Sends `message` in the name of `Source`, and waits for room for `timeout` at most: not at all for zero, and
    /// without a limit for [`Duration::MAX`].
    ///
    /// ```
    /// use rust_messenger::traits::{Handle, Handler, New, WriteError, Writer};
    /// use rust_messenger::{CircularBus, Messenger};
    /// use std::time::Duration;
    ///
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Reading(u32);
    /// rust_messenger::serde_message!(Reading, 1);
    ///
    /// struct Sensor; // It stands in no worker: it names who sends.
    ///
    /// impl Handler for Sensor {
    ///     type Id = u16;
    ///     const ID: u16 = 1;
    /// }
    ///
    /// struct Archive;
    ///
    /// impl Handler for Archive {
    ///     type Id = u16;
    ///     const ID: u16 = 2;
    /// }
    ///
    /// impl New<()> for Archive {
    ///     fn new<W: Writer>(_: &(), _: &W) -> Archive {
    ///         Archive
    ///     }
    /// }
    ///
    /// impl Handle<Reading> for Archive {
    ///     fn handle<W: Writer>(&mut self, _: &Reading, _: &W) {}
    /// }
    ///
    /// Messenger! {
    ///     (),
    ///     Storage:
    ///         handlers: [ archive: Archive ]
    ///         routes: [ Sensor, Reading: [ archive ] ]
    /// }
    ///
    /// let messenger = Messenger::new(CircularBus::new(64 * 1024)?);
    /// let handles = messenger.run(&());
    /// let writer = messenger.writer()?;
    /// writer.send_timeout::<Sensor, _>(&Reading(1), Duration::from_secs(1))?;
    /// messenger.stop();
    /// assert_eq!(writer.send_timeout::<Sensor, _>(&Reading(2), Duration::MAX), Err(WriteError::Closed));
    /// handles.join()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`WriteError`]: the message is not sent. [`WriteError::Full`] if there was no room in time.
    pub fn send_timeout<Source: Handler, M: ExtendedMessage>(
        &self,
        message: &M,
        timeout: Duration,
    ) -> Result<(), WriteError> {
        let mut deadline = None;
        loop {
            match Source::try_send(message, self) {
                Err(WriteError::Full) => {}
                done => return done,
            }
            // Asked for only by whoever has to wait. Without a deadline there is none that a clock reaches.
            let now = Instant::now();
            let deadline = *deadline.get_or_insert_with(|| now.checked_add(timeout));
            let left = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(now));
            if left.is_zero() {
                return Err(WriteError::Full);
            }
            self.wait_for_room_at_most(message.get_size(), left);
        }
    }
}

impl<B: MessageBus> Writer for OutsideWriter<B> {
    fn now(&self) -> Time {
        self.lifecycle.now()
    }

    fn stop(&self) {
        self.lifecycle.stop();
    }

    fn fail(&self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        self.lifecycle.failed("", Cause::Failed { handler: "outside", error: error.into() });
    }

    fn report(&self, report: Report) {
        self.lifecycle.report(report);
    }

    fn max_payload(&self) -> usize {
        self.lifecycle.bus.max_payload()
    }
}
