//! Where a worker sleeps whose handlers wait for more than messages.

use super::writer::WorkerWriter;
use crate::blame::{Place, caught, dropped};
use crate::messenger::lifecycle::Lifecycle;
use crate::messenger::outcome::Cause;
use crate::routing::Visit;
use crate::sync::{Mutex, lock};
use crate::traits::{Handler, MessageBus, Poller};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A handler's poller as the bus sees it. Whoever writes notifies it, and its panics are the worker's all the same.
pub(super) struct Bedside<B: MessageBus> {
    /// Until it is dropped.
    poller: Option<Arc<dyn Poller>>,
    /// What it said when it panicked on another thread.
    pub(super) panic: Mutex<Option<String>>,
    worker: &'static str,
    lifecycle: Arc<Lifecycle<B>>,
}

impl<B: MessageBus> Bedside<B> {
    pub(super) fn new(poller: Arc<dyn Poller>, writer: &WorkerWriter<B>) -> Self {
        let lifecycle = Arc::clone(&writer.lifecycle);
        Bedside { poller: Some(poller), panic: Mutex::new(None), worker: writer.name, lifecycle }
    }
}

impl<B: MessageBus> fmt::Debug for Bedside<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.poller.fmt(f)
    }
}

impl<B: MessageBus> Poller for Bedside<B> {
    fn wait(&self, timeout: Option<Duration>) {
        if let Some(poller) = &self.poller {
            poller.wait(timeout);
        }
    }

    fn poll(&self) -> bool {
        self.poller.as_ref().is_some_and(|poller| poller.poll())
    }

    fn notify(&self) {
        let Some(poller) = &self.poller else { return };
        if let Err(text) = caught(|| poller.notify()) {
            *lock(&self.panic) = Some(text);
            // Once more, so that its worker wakes up and says so.
            let _ = caught(|| poller.notify());
        }
    }
}

impl<B: MessageBus> Drop for Bedside<B> {
    /// Whoever woke the worker last may be the last to hold it.
    fn drop(&mut self) {
        // What nobody has told yet, because the worker did not sleep again.
        let untold = lock(&self.panic).take();
        let poller = self.poller.take();
        for text in untold.into_iter().chain(dropped(poller).err()) {
            let cause = Cause::PanickedIn { place: Place::Poller, header: None, text };
            self.lifecycle.panicked(self.worker, cause);
        }
    }
}

pub(super) struct FindPoller<'a, B: MessageBus> {
    pub(super) found: &'a mut Option<Arc<dyn Poller>>,
    pub(super) writer: &'a WorkerWriter<B>,
}

impl<B: MessageBus> Visit for FindPoller<'_, B> {
    fn handler<H: Handler>(&mut self, handler: &mut H) {
        let Some(poller) = handler.poller() else { return };
        match &self.found {
            Some(other) if !Arc::ptr_eq(other, &poller) => {
                self.writer.end(Cause::TwoPollers { handler: self.writer.at.handler() });
            }
            _ => *self.found = Some(poller),
        }
    }
}
