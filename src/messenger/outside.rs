//! A writer for threads outside of a messenger.

use super::lifecycle::Lifecycle;
use super::outcome::Cause;
use crate::traits::{MessageBus, Payload, Publish, Report, Time, WriteError, Writer};
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// A [`Writer`] for a thread outside the messenger: [`Messenger::writer`](crate::messenger::Messenger::writer) makes
/// it. Each thread has its own.
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
