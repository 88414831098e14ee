//! Fenced claims: sealed over their silent owners' heads, and known to the gate until those have seen it.

use super::lock::Locked;
use crate::message_bus::ring::control::FENCED;
use crate::message_bus::ring::position::earlier;
use crate::message_bus::ring::slot::{Seen, Slots};
use crate::sync::Ordering;

/// Seals the claim at `position`, whose fill is still running. False if it was finished meanwhile, or too many claims
/// are fenced already.
///
/// # Safety
///
/// The caller's cursor stands at `position`.
pub(super) unsafe fn fence(locked: &Locked<'_>, slots: &impl Slots, position: u64) -> bool {
    let control = locked.control();
    let free = (0..FENCED).map(|index| control.fenced(index)).find(|word| word.load(Ordering::Relaxed) == 0);
    let Some(word) = free else { return false };
    // Known to the gate before any reader can pass it (law 5). The low bit keeps position 0 from meaning "free".
    word.store(position | 1, Ordering::Relaxed);
    // SAFETY: the caller gates it, and the gate knows it by the word above.
    let fenced = unsafe { slots.fence(position) };
    if !fenced {
        word.store(0, Ordering::Relaxed);
    }
    fenced
}

/// Gives up the bytes of the fenced claim at `position`.
pub(super) fn unfence(locked: &Locked<'_>, position: u64) {
    let control = locked.control();
    for index in 0..FENCED {
        let word = control.fenced(index);
        if word.load(Ordering::Relaxed) == position | 1 {
            word.store(0, Ordering::Relaxed);
        }
    }
}

/// Drops what a dead reader had registered and not sealed. What it had sealed stays: its owner has yet to see it.
pub(super) fn make_good(locked: &Locked<'_>, slots: &impl Slots) {
    let control = locked.control();
    for index in 0..FENCED {
        let word = control.fenced(index).load(Ordering::Relaxed);
        // SAFETY: it was the position of a claim that its reader gated when it was registered. Since then the gate
        // knows it, and has not passed it.
        let is_sealed = || matches!(unsafe { slots.observe(word & !1) }, Seen::Sealed { fenced: true, .. });
        if word != 0 && !is_sealed() {
            control.fenced(index).store(0, Ordering::Relaxed);
        }
    }
}

/// `limit`, or the first fenced claim before it.
pub(super) fn behind(locked: &Locked<'_>, limit: u64) -> u64 {
    (0..FENCED).fold(limit, |low, index| match locked.control().fenced(index).load(Ordering::Relaxed) {
        0 => low,
        word => earlier(low, word & !1),
    })
}
