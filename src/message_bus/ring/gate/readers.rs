//! The table of readers: who is in it, and where they stand.

use super::lock::Locked;
use crate::message_bus::ring::control::{self, Control, READERS, ReaderEntry, ReaderIndex};
use crate::message_bus::ring::owner::{is_in_use, is_of_kind};
use crate::sync::Ordering;

/// Low bits of an evictable reader's cursor word: see `evict.rs`.
pub(super) const PINNED: u64 = 1;
pub(super) const MOVING: u64 = 2;
pub(super) const MOVED: u64 = 4;
pub(super) const CURSOR_FLAGS: u64 = 15;

/// How a reader counts, as its entry in the reader table says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Gating = 0,
    /// It may be moved on rather than hold others back.
    Evictable = 1,
    /// It gates, and lets go of what it was told to only.
    Held = 2,
}

/// The entries in use.
#[inline]
pub(super) fn readers(control: Control<'_>) -> impl Iterator<Item = ReaderEntry<'_>> {
    let mut occupied = control.occupied().load(Ordering::Acquire); // SYNC POINT gate.join
    std::iter::from_fn(move || {
        let index = occupied.trailing_zeros() as usize;
        occupied &= occupied.wrapping_sub(1);
        (index < READERS).then(|| control.reader(control::reader(index)))
    })
}

/// Takes reader `index` out of the table.
pub(super) fn leave(locked: &Locked<'_>, index: ReaderIndex) {
    let control = locked.control();
    // First: whoever dies behind it has left.
    control.reader(index).state().store(0, Ordering::Release); // SYNC POINT gate.state
    let occupied = control.occupied();
    occupied.store(occupied.load(Ordering::Relaxed) & !(1 << index.number()), Ordering::Release); // SYNC POINT gate.join
}

/// Makes the bits of the entries in use anew, from what their states say.
pub(super) fn make_good(locked: &Locked<'_>) {
    let control = locked.control();
    let is_used = |index: &usize| {
        let state = control.reader(control::reader(*index)).state();
        is_in_use(state.load(Ordering::Acquire)) // SYNC POINT gate.state
    };
    let occupied = (0..READERS).filter(is_used).fold(0, |bits, index| bits | 1 << index);
    control.occupied().store(occupied, Ordering::Release); // SYNC POINT gate.join
}

pub(crate) fn is_evictable(entry: ReaderEntry<'_>) -> bool {
    is_of_kind(entry.state().load(Ordering::Relaxed), Kind::Evictable as u8)
}

pub(crate) fn is_held(entry: ReaderEntry<'_>) -> bool {
    is_of_kind(entry.state().load(Ordering::Relaxed), Kind::Held as u8)
}

/// Where an entry's reader stands, flags taken off.
pub(crate) fn cursor_of(entry: ReaderEntry<'_>) -> u64 {
    entry.cursor().load(Ordering::Acquire) & !CURSOR_FLAGS // SYNC POINT gate.release
}
