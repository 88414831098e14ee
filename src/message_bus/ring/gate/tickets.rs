//! Tickets: whose turn it is among workers whose outboxes wait for room.

use super::readers::readers;
use crate::message_bus::ring::control::{Control, ReaderIndex};
use crate::sync::Ordering;

/// `flags`: writers from outside are refused. The bits below count pending outboxes.
pub(crate) const CLOSED: u64 = 1 << 63;

/// Queues reader `index`'s worker behind every outbox that is pending. Returns its ticket.
pub(super) fn take(control: Control<'_>, index: ReaderIndex) -> u64 {
    // 0 means "none", so the first ticket is 1.
    let ticket = control.next_ticket().fetch_add(1, Ordering::Relaxed) + 1;
    // Release: whoever finds a ticket that replaced an older one claims behind what was flushed under that. To loom
    // and Miri every claim comes after those that were made before, so neither would miss it.
    // SYNC POINT gate.ticket
    if control.reader(index).ticket().swap(ticket, Ordering::AcqRel) == 0 {
        control.flags().fetch_add(1, Ordering::AcqRel); // SYNC POINT gate.flags
    }
    ticket
}

/// Takes reader `index`'s worker out of the queue, unless its ticket is gone already.
pub(super) fn give_up(control: Control<'_>, index: ReaderIndex, ticket: u64) {
    let own = control.reader(index).ticket();
    // SYNC POINT gate.ticket
    if own.compare_exchange(ticket, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
        control.flags().fetch_sub(1, Ordering::AcqRel); // SYNC POINT gate.flags
    }
}

/// Takes reader `index`'s worker out of the queue, whatever its ticket.
pub(super) fn leave(control: Control<'_>, index: ReaderIndex) {
    // SYNC POINT gate.ticket
    if control.reader(index).ticket().swap(0, Ordering::AcqRel) != 0 {
        control.flags().fetch_sub(1, Ordering::AcqRel); // SYNC POINT gate.flags
    }
}

/// Whether reader `index`'s worker may write to the ring: nobody holds an older ticket than its own, or it holds none
/// and nobody else does.
pub(super) fn is_first(control: Control<'_>, index: ReaderIndex) -> bool {
    let own = control.reader(index).ticket().load(Ordering::Relaxed);
    // SYNC POINT gate.ticket
    readers(control).map(|entry| entry.ticket().load(Ordering::Acquire)).all(|ticket| {
        // A worker's own ticket is among them.
        ticket == 0 || (own != 0 && own <= ticket)
    })
}
