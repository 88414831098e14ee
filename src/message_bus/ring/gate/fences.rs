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

/// Set in a place behind its position, which is a multiple of 16: its claim's owner has seen it.
const SEEN: u64 = 1;

/// The places that are taken, and their positions.
fn taken(control: Control<'_>) -> impl Iterator<Item = (usize, u64)> {
    places(control).filter(|(_, position)| position & SEEN == 0)
}

/// All places whose bits say that they are taken, and what they say.
fn places(control: Control<'_>) -> impl Iterator<Item = (usize, u64)> {
    let mut bits = control.fences().load(Ordering::Relaxed);
    std::iter::from_fn(move || {
        let index = bits.trailing_zeros() as usize;
        bits &= bits.wrapping_sub(1);
        // Acquire: who has seen that it was fenced is done with its bytes.
        (index < FENCED).then(|| (index, control.fenced(index).load(Ordering::Acquire))) // SYNC POINT gate.fence
    })
}

/// Lets go of the places whose claims' owners have seen it.
fn sweep(locked: &Locked<'_>) {
    let control = locked.control();
    places(control).filter(|(_, position)| position & SEEN != 0).for_each(|(index, _)| let_go(control, index));
}

/// Lets go of the place `index`. Under the lock.
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
    sweep(locked);
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

/// Gives up the bytes of the fenced claim at `position`, for its owner, which need not have the lock: no other claim
/// ever has that position, so a place that is somebody else's by now stays as it is. There may be two: of a reader that
/// comes too late, and is about to see that.
pub(super) fn unfence(control: Control<'_>, position: u64) {
    for (index, _) in taken(control).filter(|place| place.1 == position) {
        let place = control.fenced(index);
        // SYNC POINT gate.fence
        let _ = place.compare_exchange(position, position | SEEN, Ordering::Release, Ordering::Relaxed);
    }
}

/// Seals those fenced claims whose owners are dead, and gives up their bytes. Whether there were any.
pub(super) fn bury(locked: &Locked<'_>, slots: &impl Slots, is_dead: impl Fn(u64) -> bool) -> bool {
    let control = locked.control();
    let mut buried = false;
    for (index, position) in taken(control) {
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
    taken(locked.control()).any(|place| place.1 == position)
}

/// Drops what a dead reader had registered and not sealed. What it had sealed stays: its owner has yet to see it.
pub(super) fn make_good(locked: &Locked<'_>, slots: &impl Slots) {
    let control = locked.control();
    for (index, position) in taken(control) {
        // SAFETY: it was the position of a claim that its reader gated when it was registered. Since then the gate
        // knows it, and has not passed it.
        if !matches!(unsafe { slots.observe(position) }, Seen::Sealed { fenced: true, .. }) {
            let_go(control, index);
        }
    }
}

/// `limit`, or the first fenced claim before it.
pub(super) fn behind(locked: &Locked<'_>, limit: u64) -> u64 {
    if locked.control().fences().load(Ordering::Relaxed) == 0 {
        return limit;
    }
    sweep(locked);
    taken(locked.control()).fold(limit, |low, place| earlier(low, place.1))
}
