//! The gate lock.

use crate::message_bus::ring::control::Control;
use crate::sync::{Ordering, spin_loop, yield_now};

/// The gate lock, held. Whoever is lent it may do what wants the lock.
pub(super) struct Locked<'a>(Control<'a>);

impl<'a> Locked<'a> {
    pub(super) fn control(&self) -> Control<'a> {
        self.0
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.0.lock().store(0, Ordering::Release); // SYNC POINT gate.lock
    }
}

/// Takes the lock. Its critical sections run no user code and wait for nothing.
pub(super) fn take(control: Control<'_>) -> Locked<'_> {
    let mut looks = 0u32;
    // SYNC POINT gate.lock
    while control.lock().compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
        looks = looks.wrapping_add(1);
        if looks.is_multiple_of(64) { yield_now() } else { spin_loop() }
    }
    Locked(control)
}
