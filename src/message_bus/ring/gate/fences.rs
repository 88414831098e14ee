//! Fenced claims: sealed over their silent owners' heads, and known to the gate until those have seen it.
//!
//! A bit of `fences` says which places are taken, so that a gate that is moved where nothing is fenced, as almost
//! always, looks at no place. A place is filled before its bit is set, and the bits are made anew when the lock is
//! taken over.

use super::lock::Locked;
use crate::message_bus::ring::control::{Control, FENCED};
use crate::message_bus::ring::position::earlier;
use crate::message_bus::ring::slot::{Seen, Slots};
use crate::sync::Ordering;

/// All places.
const ALL: u64 = (1 << FENCED) - 1;

/// The places that are taken.
fn taken(control: Control<'_>) -> impl Iterator<Item = usize> {
    let mut bits = control.fences().load(Ordering::Relaxed);
    std::iter::from_fn(move || {
        let index = bits.trailing_zeros() as usize;
        bits &= bits.wrapping_sub(1);
        (index < FENCED).then_some(index)
    })
}

/// Lets go of the place `index`.
fn let_go(control: Control<'_>, index: usize) {
    control.fences().store(control.fences().load(Ordering::Relaxed) & !(1 << index), Ordering::Relaxed);
}

/// Seals the claim at `position`, whose fill is still running. False if it was finished meanwhile, or too many claims
/// are fenced already.
///
/// # Safety
///
/// The caller's cursor stands at `position`.
pub(super) unsafe fn fence(locked: &Locked<'_>, slots: &impl Slots, position: u64) -> bool {
    let control = locked.control();
    let bits = control.fences().load(Ordering::Relaxed) & ALL;
    if bits == ALL {
        return false;
    }
    let index = bits.trailing_ones() as usize;
    control.fenced(index).store(position, Ordering::Relaxed);
    // Known to the gate before any reader can pass it (law 5).
    control.fences().store(bits | 1 << index, Ordering::Relaxed);
    // SAFETY: the caller gates it, and the gate knows it by the words above.
    let fenced = unsafe { slots.fence(position) };
    if !fenced {
        let_go(control, index);
    }
    fenced
}

/// Gives up the bytes of the fenced claim at `position`.
pub(super) fn unfence(locked: &Locked<'_>, position: u64) {
    let control = locked.control();
    let mut places = taken(control);
    if let Some(index) = places.find(|index| control.fenced(*index).load(Ordering::Relaxed) == position) {
        let_go(control, index);
    }
}

/// Seals those fenced claims whose owners are dead, and gives up their bytes. Whether there were any.
pub(super) fn bury(locked: &Locked<'_>, slots: &impl Slots, is_dead: impl Fn(u64) -> bool) -> bool {
    let control = locked.control();
    let mut buried = false;
    for index in taken(control) {
        let position = control.fenced(index).load(Ordering::Relaxed);
        if is_dead(position) {
            // SAFETY: fenced, so that the gate is not past it, and its owner is dead.
            unsafe { slots.bury(position, position) };
            let_go(control, index);
            buried = true;
        }
    }
    buried
}

/// Whether the claim at `position` is fenced.
pub(super) fn is_known(locked: &Locked<'_>, position: u64) -> bool {
    let control = locked.control();
    taken(control).any(|index| control.fenced(index).load(Ordering::Relaxed) == position)
}

/// Drops what a dead reader had registered and not sealed. What it had sealed stays: its owner has yet to see it.
pub(super) fn make_good(locked: &Locked<'_>, slots: &impl Slots) {
    let control = locked.control();
    for index in taken(control) {
        let position = control.fenced(index).load(Ordering::Relaxed);
        // SAFETY: it was the position of a claim that its reader gated when it was registered. Since then the gate
        // knows it, and has not passed it.
        if !matches!(unsafe { slots.observe(position) }, Seen::Sealed { fenced: true, .. }) {
            let_go(control, index);
        }
    }
}

/// `limit`, or the first fenced claim before it.
pub(super) fn behind(locked: &Locked<'_>, limit: u64) -> u64 {
    let control = locked.control();
    taken(control).fold(limit, |low, index| earlier(low, control.fenced(index).load(Ordering::Relaxed)))
}
