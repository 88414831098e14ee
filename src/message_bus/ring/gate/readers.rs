//! The table of readers: who is in it, and where they stand.

use super::lock::Locked;
use crate::message_bus::ring::control::{self, Control, READERS, ReaderEntry, ReaderIndex};
use crate::message_bus::ring::owner::{is_in_use, is_left_behind, is_of_kind, left_behind};
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
    indexes(control).map(move |index| control.reader(index))
}

#[inline]
fn indexes(control: Control<'_>) -> impl Iterator<Item = ReaderIndex> {
    let mut occupied = control.occupied().load(Ordering::Acquire); // SYNC POINT gate.join
    std::iter::from_fn(move || {
        let index = occupied.trailing_zeros() as usize;
        occupied &= occupied.wrapping_sub(1);
        (index < READERS).then(|| control::reader(index))
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

/// Says that reader `index`, which is the caller's, has left, though nobody gives its entry back now: whoever has the
/// lock next does. Until then it is moved on as an evictable one, which holds nobody back. One store, as who dies
/// behind it is not to be found half gone.
pub(super) fn leave_behind(control: Control<'_>, index: ReaderIndex) {
    let state = control.reader(index).state();
    let left = left_behind(state.load(Ordering::Relaxed), Kind::Evictable as u8);
    // Release: what it has looked at may be written to from now on.
    state.store(left, Ordering::Release); // SYNC POINT gate.state
}

/// Whether the reader of an entry has left it behind.
pub(crate) fn is_left(entry: ReaderEntry<'_>) -> bool {
    is_left_behind(entry.state().load(Ordering::Relaxed))
}

/// Gives the entries back that were left behind. Whether there were any.
pub(super) fn give_back(locked: &Locked<'_>) -> bool {
    let mut given = false;
    for index in indexes(locked.control()) {
        if is_left(locked.control().reader(index)) {
            leave(locked, index);
            given = true;
        }
    }
    given
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
    // Acquire: one that has been left behind looks at nothing any more.
    is_of_kind(entry.state().load(Ordering::Acquire), Kind::Evictable as u8) // SYNC POINT gate.state
}

pub(crate) fn is_held(entry: ReaderEntry<'_>) -> bool {
    is_of_kind(entry.state().load(Ordering::Relaxed), Kind::Held as u8)
}

/// Where an entry's reader stands, flags taken off.
pub(crate) fn cursor_of(entry: ReaderEntry<'_>) -> u64 {
    entry.cursor().load(Ordering::Acquire) & !CURSOR_FLAGS // SYNC POINT gate.release
}
