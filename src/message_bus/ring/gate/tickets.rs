//! Tickets: whose turn it is among workers whose outboxes wait for room; and that there are workers.
//!
//! Two words sum up what entries say, for those who look without the lock: PENDING of `flags`, that a reader's worker
//! has a ticket; `workers`, which writers are workers'. They are no counts, which a death would leave wrong: they
//! change behind the entries, and are made anew when the lock is taken over.
//!
//! Whoever does not get the lock in time changes them without it. So each change of an entry is followed by one
//! exchange of the word that sums it up, and whoever sums up several entries looks at them again behind its own
//! exchange, until that says what they say: of all exchanges of the word the last one then has seen all entries.

use super::readers::readers;
use crate::message_bus::ring::control::{self, Control, ReaderIndex, SHARED_WRITER, WRITERS, WriterIndex};
use crate::message_bus::ring::owner::{Owner, is_of_kind};
use crate::sync::Ordering;

/// `flags`: writers from outside are refused.
pub(crate) const CLOSED: u64 = 1 << 63;
/// `flags`: an outbox is pending.
pub(crate) const PENDING: u64 = 1;

/// The kind of a writer that is a worker's, as its entry's state says it. 0 is any other.
const WORKER: u8 = 1;

/// Queues reader `index`'s worker behind every outbox that is pending. Returns its ticket.
pub(super) fn take(control: Control<'_>, index: ReaderIndex) -> u64 {
    let next = || control.next_ticket().fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    // 0 means "none".
    let ticket = match next() {
        0 => next(),
        ticket => ticket,
    };
    // Release: whoever finds a ticket that replaced an older one claims behind what was flushed under that. To loom
    // and Miri every claim comes after those that were made before, so neither would miss it.
    control.reader(index).ticket().store(ticket, Ordering::Release); // SYNC POINT gate.ticket
    // Though it may be there: whoever is about to take it away finds the ticket behind this.
    control.flags().fetch_or(PENDING, Ordering::AcqRel); // SYNC POINT gate.flags
    ticket
}

/// Takes reader `index`'s worker out of the queue, unless its ticket is gone already.
pub(super) fn give_up(control: Control<'_>, index: ReaderIndex, ticket: u64) {
    let own = control.reader(index).ticket();
    // Release: whoever finds it gone claims behind what was flushed under it.
    let _ = own.compare_exchange(ticket, 0, Ordering::Release, Ordering::Relaxed); // SYNC POINT gate.ticket
    sum_up_tickets(control);
}

/// Takes reader `index`'s worker out of the queue, whatever its ticket.
pub(super) fn leave(control: Control<'_>, index: ReaderIndex) {
    give_up(control, index, control.reader(index).ticket().load(Ordering::Relaxed));
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

/// Makes PENDING anew from the entries' tickets.
fn sum_up_tickets(control: Control<'_>) {
    let is_pending = || readers(control).any(|entry| entry.ticket().load(Ordering::Relaxed) != 0);
    let mut pending = is_pending();
    loop {
        if pending {
            control.flags().fetch_or(PENDING, Ordering::AcqRel); // SYNC POINT gate.flags
        } else {
            control.flags().fetch_and(!PENDING, Ordering::AcqRel); // SYNC POINT gate.flags
        }
        let was = std::mem::replace(&mut pending, is_pending());
        if was == pending {
            return;
        }
    }
}

/// Says of the writer `index` of `owner` that it is a worker's. Precondition: the lock is held, or nobody else has the
/// entry.
pub(super) fn add_worker(control: Control<'_>, index: WriterIndex, owner: Owner) {
    let state = control.writer(index).state();
    if index.number() == SHARED_WRITER {
        state.store(state.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    } else {
        state.store(owner.state(WORKER), Ordering::Relaxed);
    }
    control.workers().fetch_or(1 << index.number(), Ordering::AcqRel); // SYNC POINT gate.workers
}

/// Takes that back. Precondition: the same.
pub(super) fn remove_worker(control: Control<'_>, index: WriterIndex, owner: Owner) {
    let state = control.writer(index).state();
    if index.number() == SHARED_WRITER {
        state.store(state.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
    } else {
        state.store(owner.state(0), Ordering::Relaxed);
    }
    if !is_worker(control, index) {
        control.workers().fetch_and(!(1 << index.number()), Ordering::AcqRel); // SYNC POINT gate.workers
    }
}

/// Whether the entry is a worker's. The shared one counts those that share it, for nobody dies who has it.
pub(crate) fn is_worker(control: Control<'_>, index: WriterIndex) -> bool {
    let state = control.writer(index).state().load(Ordering::Relaxed);
    if index.number() == SHARED_WRITER { state != 0 } else { is_of_kind(state, WORKER) }
}

/// Makes both words anew.
pub(super) fn make_good(control: Control<'_>) {
    sum_up_tickets(control);
    let workers = control.workers();
    for index in 0..WRITERS {
        // One at a time: each of them may change meanwhile.
        loop {
            let is_worker = is_worker(control, control::writer(index));
            let says_so = workers.load(Ordering::Acquire) >> index & 1 == 1; // SYNC POINT gate.workers
            match (is_worker, says_so) {
                (true, false) => _ = workers.fetch_or(1 << index, Ordering::AcqRel), // SYNC POINT gate.workers
                (false, true) => _ = workers.fetch_and(!(1 << index), Ordering::AcqRel), // SYNC POINT gate.workers
                _ => break,
            }
        }
    }
}
