//! The gate lock, which outlives its holder: its word says who that is.
//!
//! Only of a holder that is proven to be dead it is taken over. One that stands still holds it, for it will go on where
//! it stood. The dead never go on, so nobody runs beside who takes it over, and what was half done stays as it was.
//!
//! So where others share it, nobody waits for it without end: whoever does not get it in time does without, and
//! `gate.rs` says what that means for each section.

use crate::message_bus::ring::control::Control;
use crate::message_bus::ring::owner::Owner;
use crate::sync::{Ordering, nap, spin_loop, yield_now};
use std::time::{Duration, Instant};

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
///
/// # Errors
///
/// The lock's word, which was somebody's who is not dead for all of `patience`, or each time it was looked at. With
/// `None` never.
#[inline]
pub(super) fn take(
    control: Control<'_>,
    owner: Owner,
    is_dead: impl Fn(Owner) -> bool,
    patience: impl FnOnce() -> Option<Duration>,
) -> Result<Taken<'_>, u64> {
    // SYNC POINT gate.lock
    match control.lock().compare_exchange(0, owner.word(), Ordering::Acquire, Ordering::Relaxed) {
        Ok(_) => Ok(Taken::Free(Locked(control))),
        Err(_) => wait(control, owner, is_dead, patience()),
    }
}

#[cold]
#[inline(never)]
fn wait(
    control: Control<'_>,
    owner: Owner,
    is_dead: impl Fn(Owner) -> bool,
    patience: Option<Duration>,
) -> Result<Taken<'_>, u64> {
    let (mut looks, since) = (0u32, Instant::now());
    // SYNC POINT gate.lock
    while let Err(holder) = control.lock().compare_exchange(0, owner.word(), Ordering::Acquire, Ordering::Relaxed) {
        looks = looks.saturating_add(1);
        if looks < LOOKS && !looks.is_multiple_of(64) {
            spin_loop();
            continue;
        }
        let left = patience.map(|patience| patience.saturating_sub(since.elapsed()));
        // A model has no time.
        let is_late = if cfg!(rust_messenger_loom) { left.is_some() } else { left == Some(Duration::ZERO) };
        if looks < LOOKS && !is_late {
            yield_now();
        } else if Owner::named_by(holder).is_some_and(&is_dead) {
            // From that very word: of many that find the holder dead one gets it.
            // SYNC POINT gate.lock
            let over = control.lock().compare_exchange(holder, owner.word(), Ordering::Acquire, Ordering::Relaxed);
            if over.is_ok() {
                return Ok(Taken::Over(Locked(control)));
            }
        } else if is_late {
            return Err(holder);
        } else if cfg!(rust_messenger_loom) {
            yield_now();
        } else {
            nap(left.map_or(NAP, |left| left.min(NAP)));
        }
    }
    Ok(Taken::Free(Locked(control)))
}
