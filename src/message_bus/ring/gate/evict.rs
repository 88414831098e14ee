//! Evictable readers: they look at a slot while they pin their cursor, and are moved on while they do not.
//!
//! A move counts as a whole or not at all, wherever its evictor dies. The low bits of the cursor say how far it is:
//! MOVING, it is being worked out; MOVED, the new cursor and the new sum of losses stand beside it; none, they are what
//! counts.

use super::lock::Locked;
use super::readers::{CURSOR_FLAGS, MOVED, MOVING, PINNED};
use crate::message_bus::ring::control::ReaderEntry;
use crate::message_bus::ring::position::ahead;
use crate::message_bus::ring::slot::{Seen, Slots};
use crate::sync::Ordering;

/// What an evictable reader finds when it wants to look.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pin {
    /// It may look at its position until it unpins.
    Pinned,
    /// It is being moved right now.
    Busy,
    /// It was moved to this position.
    Moved(u64),
}

/// Tries to pin the evictable reader of `entry`, which believes it stands at `position`.
#[inline]
pub(super) fn pin(entry: ReaderEntry<'_>, position: u64) -> Pin {
    // Acquire: pairs with the evictor's move, so that the messages it leaves behind count.
    match entry.cursor().compare_exchange(
        position,
        position | PINNED,
        Ordering::Acquire, // SYNC POINT gate.evict
        Ordering::Acquire, // SYNC POINT gate.evict
    ) {
        Ok(_) => Pin::Pinned,
        Err(word) if word & MOVING != 0 => Pin::Busy,
        Err(word) => Pin::Moved(word),
    }
}

/// Unpins the evictable reader of `entry`, which now stands at `position`.
#[inline]
pub(super) fn unpin(entry: ReaderEntry<'_>, position: u64) {
    entry.cursor().store(position, Ordering::Release); // SYNC POINT gate.release
}

/// Moves an unpinned evictable reader to the first slot at or after `wanted`, but not past `limit`, and tells it
/// how many messages it missed. A pinned one is left alone: it moves on by itself within one copy.
pub(super) fn evict(_: &Locked<'_>, slots: &impl Slots, entry: ReaderEntry<'_>, wanted: u64, limit: u64) {
    let from = entry.cursor().load(Ordering::Relaxed);
    if from & CURSOR_FLAGS != 0 {
        return;
    }
    // Acquire: pairs with the reader's last unpin. MOVING keeps it off its slots while they are counted.
    // SYNC POINT gate.release
    let taken = entry.cursor().compare_exchange(from, from | MOVING, Ordering::Acquire, Ordering::Relaxed);
    if taken.is_err() {
        return;
    }
    let (mut position, mut lost) = (from, 0);
    while ahead(position, wanted) < 0 && ahead(position, limit) < 0 {
        // SAFETY: from one slot to the next, from the reader's cursor on, which the gate is not past, under the
        // lock: whoever evicts holds it.
        match unsafe { slots.observe(position) } {
            Seen::Message(header) => {
                lost += 1;
                position = position.wrapping_add(slots.slot_len(header.size as usize));
            }
            Seen::Sealed { len, .. } => position = position.wrapping_add(len),
            Seen::Open { .. } | Seen::Corrupt => break,
        }
    }
    entry.moved_to().store(position, Ordering::Relaxed);
    entry.moved_losses().store(entry.losses().load(Ordering::Relaxed).wrapping_add(lost), Ordering::Relaxed);
    // From here on it counts, whoever does the rest.
    entry.cursor().store(from | MOVING | MOVED, Ordering::Release); // SYNC POINT gate.evict
    finish(entry);
}

/// Does the rest for a reader that was moved: its losses, and last its cursor, which takes the flags away.
fn finish(entry: ReaderEntry<'_>) {
    entry.losses().store(entry.moved_losses().load(Ordering::Relaxed), Ordering::Relaxed);
    entry.cursor().store(entry.moved_to().load(Ordering::Relaxed), Ordering::Release); // SYNC POINT gate.evict
}

/// Finishes what a dead evictor had made count, and takes back what it had not.
pub(super) fn make_good(_: &Locked<'_>, entry: ReaderEntry<'_>) {
    let word = entry.cursor().load(Ordering::Acquire); // SYNC POINT gate.evict
    if word & MOVED != 0 {
        finish(entry);
    } else if word & MOVING != 0 {
        entry.cursor().store(word & !CURSOR_FLAGS, Ordering::Release); // SYNC POINT gate.evict
    }
}
