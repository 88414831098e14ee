//! The gate lock, which outlives its holder: its word says who that is.
//!
//! Only of a holder that is proven to be dead it is taken over. One that stands still holds it, for it will go on where
//! it stood. The dead never go on, so nobody runs beside who takes it over, and what was half done stays as it was.

use crate::message_bus::ring::control::Control;
use crate::message_bus::ring::owner::Owner;
use crate::sync::{Ordering, nap, spin_loop, yield_now};
use std::time::Duration;

/// How often a waiter looks before it naps between looks, and asks each time whether the holder is dead. Sections are
/// short: whoever holds the lock for longer than that has been interrupted.
const LOOKS: u32 = if cfg!(any(rust_messenger_loom, miri, test)) { 1 } else { 4096 };
const NAP: Duration = Duration::from_millis(1);

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

/// How the lock was taken.
pub(super) enum Taken<'a> {
    Free(Locked<'a>),
    /// From a dead holder, which may have left things half done.
    Over(Locked<'a>),
}

/// Takes the lock for `owner`. Its critical sections run no user code and wait for nothing.
#[inline]
pub(super) fn take(control: Control<'_>, owner: Owner, is_dead: impl Fn(Owner) -> bool) -> Taken<'_> {
    // SYNC POINT gate.lock
    match control.lock().compare_exchange(0, owner.word(), Ordering::Acquire, Ordering::Relaxed) {
        Ok(_) => Taken::Free(Locked(control)),
        Err(_) => wait(control, owner, is_dead),
    }
}

#[cold]
#[inline(never)]
fn wait(control: Control<'_>, owner: Owner, is_dead: impl Fn(Owner) -> bool) -> Taken<'_> {
    let mut looks = 0u32;
    // SYNC POINT gate.lock
    while let Err(holder) = control.lock().compare_exchange(0, owner.word(), Ordering::Acquire, Ordering::Relaxed) {
        looks = looks.saturating_add(1);
        if looks < LOOKS {
            if looks.is_multiple_of(64) { yield_now() } else { spin_loop() }
        } else if Owner::named_by(holder).is_some_and(&is_dead) {
            // From that very word: of many that find the holder dead one gets it.
            // SYNC POINT gate.lock
            let over = control.lock().compare_exchange(holder, owner.word(), Ordering::Acquire, Ordering::Relaxed);
            if over.is_ok() {
                return Taken::Over(Locked(control));
            }
        } else if cfg!(rust_messenger_loom) {
            yield_now();
        } else {
            nap(NAP);
        }
    }
    Taken::Free(Locked(control))
}
