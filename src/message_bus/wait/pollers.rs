//! Those that sleep in pollers of their own.

use crate::blame::caught;
use crate::sync::{Mutex, MutexGuard, lock};
use crate::traits::Poller;
use std::sync::Arc;

/// Those that sleep in pollers of their own, in the order in which they went to sleep.
pub(super) type Pollers = Mutex<Vec<Arc<dyn Poller>>>;

/// Notifies all that are `asleep`, in their order: who comes back while the others are notified has seen the change,
/// and stands behind them.
pub(super) fn notify<'a>(pollers: &'a Pollers, mut asleep: MutexGuard<'a, Vec<Arc<dyn Poller>>>) {
    for _ in 0..asleep.len() {
        if asleep.is_empty() {
            break;
        }
        let poller = asleep.remove(0);
        drop(asleep);
        // Without the lock, and caught: it is not this thread's, and the next one is to be woken all the same.
        let _ = caught(|| {
            poller.notify();
            drop(poller);
        });
        asleep = lock(pollers);
    }
}
