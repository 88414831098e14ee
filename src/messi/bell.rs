//! [`Bell`]: notifications that a loop notices.

use crate::sync::{Mutex, lock};
use crate::traits::Poller;
use std::sync::Arc;
use std::time::Duration;

/// A poller whose notifications are noticed: the wait of a loop ends with them, and not only that in the poller.
#[derive(Debug)]
pub(super) struct Bell {
    poller: Arc<dyn Poller>,
    rung: Mutex<bool>,
}

impl Bell {
    pub(super) fn new(poller: Arc<dyn Poller>) -> Bell {
        Bell { poller, rung: Mutex::new(false) }
    }

    pub(super) fn was_rung(&self) -> bool {
        std::mem::take(&mut *lock(&self.rung))
    }
}

impl Poller for Bell {
    fn wait(&self, timeout: Option<Duration>) {
        self.poller.wait(timeout);
    }

    fn poll(&self) -> bool {
        self.poller.poll()
    }

    fn notify(&self) {
        *lock(&self.rung) = true;
        self.poller.notify();
    }
}
