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
    panic: Mutex<Notification>,
    worker: &'static str,
    lifecycle: Arc<Lifecycle<B>>,
}

/// What became of notifications, which run on threads that are not the worker's.
enum Notification {
    Heard,
    /// The first panic of one.
    Panicked(String),
    /// One panic is told. It may panic each time, and others notify it until its worker has left.
    Told,
}

impl<B: MessageBus> Bedside<B> {
    pub(super) fn new(poller: Arc<dyn Poller>, writer: &WorkerWriter<B>) -> Self {
        let lifecycle = Arc::clone(&writer.lifecycle);
        Bedside { poller: Some(poller), panic: Mutex::new(Notification::Heard), worker: writer.name, lifecycle }
    }

    /// What a notification said that panicked, once.
    pub(super) fn untold(&self) -> Option<String> {
        let mut panic = lock(&self.panic);
        match std::mem::replace(&mut *panic, Notification::Told) {
            Notification::Panicked(text) => Some(text),
            other => {
                *panic = other;
                None
            }
        }
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
            let mut panic = lock(&self.panic);
            if matches!(*panic, Notification::Heard) {
                *panic = Notification::Panicked(text);
            }
            drop(panic);
            // Once more, so that its worker wakes up and says so.
            let _ = caught(|| poller.notify());
        }
    }
}

impl<B: MessageBus> Drop for Bedside<B> {
    /// Whoever woke the worker last may be the last to hold it.
    fn drop(&mut self) {
        // What nobody has told yet, because the worker did not sleep again.
        let untold = self.untold();
        let poller = self.poller.take();
        for text in untold.into_iter().chain(dropped(poller).err()) {
            let cause = Cause::PanickedIn { place: Place::Poller, header: None, text };
            self.lifecycle.panicked(self.worker, cause);
        }
    }
}

pub(super) struct FindPoller<'a, B: MessageBus> {
    /// With the handler that waits there.
    pub(super) found: &'a mut Option<(&'static str, Arc<dyn Poller>)>,
    pub(super) writer: &'a WorkerWriter<B>,
}

impl<B: MessageBus> Visit for FindPoller<'_, B> {
    fn handler<H: Handler>(&mut self, handler: &mut H) {
        let Some(poller) = handler.poller() else { return };
        match &self.found {
            Some((_, other)) if !Arc::ptr_eq(other, &poller) => {
                self.writer.end(Cause::TwoPollers { handler: self.writer.at.handler() });
            }
            _ => *self.found = Some((self.writer.at.handler(), poller)),
        }
    }
}

#[cfg(all(test, not(rust_messenger_loom)))]
mod tests {
    use super::*;
    use crate::message_bus::CircularBus;
    use crate::messenger::Options;
    use crate::messenger::lifecycle::Ending;

    #[derive(Debug)]
    struct Rude;

    impl Poller for Rude {
        fn wait(&self, _: Option<Duration>) {}

        fn notify(&self) {
            panic!("not now");
        }
    }

    /// How many failures two notifications come to that panic, if the worker looks at the first or leaves before.
    fn failures_of_two(looks: bool) -> usize {
        let lifecycle = Arc::new(Lifecycle::new(CircularBus::new(1024).unwrap(), Options::default()));
        lifecycle.expect(std::iter::empty());
        let bedside = Bedside {
            poller: Some(Arc::new(Rude)),
            panic: Mutex::new(Notification::Heard),
            worker: "only",
            lifecycle: Arc::clone(&lifecycle),
        };
        bedside.notify();
        if looks {
            assert_eq!(bedside.untold().as_deref(), Some("not now"));
        }
        bedside.notify();
        drop(bedside);
        lifecycle.conclude().err().map_or(0, |error| error.failures.len())
    }

    /// Others notify a poller until its worker has left.
    #[test]
    fn a_poller_that_panics_at_each_notification_is_told_once() {
        assert_eq!(failures_of_two(true), 0, "the worker tells what it has seen");
        assert_eq!(failures_of_two(false), 1, "it left and has told nothing");
    }
}
