//! Tickets: whose turn it is among workers whose outboxes wait for room; and that there are workers.
//!
//! Two words sum up what entries say, for those who look without the lock: PENDING of `flags`, that a reader's worker
//! has a ticket; `workers`, which writers are workers'. They are no counts, which a death would leave wrong: they
//! change under the lock, behind the entries, and are made anew when that is taken over.

use super::lock::Locked;
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
pub(super) fn take(locked: &Locked<'_>, index: ReaderIndex) -> u64 {
    let control = locked.control();
    // 0 means "none", so the first ticket is 1.
    let ticket = control.next_ticket().load(Ordering::Relaxed).wrapping_add(1).max(1);
    control.next_ticket().store(ticket, Ordering::Relaxed);
    // Release: whoever finds a ticket that replaced an older one claims behind what was flushed under that. To loom
    // and Miri every claim comes after those that were made before, so neither would miss it.
    control.reader(index).ticket().store(ticket, Ordering::Release); // SYNC POINT gate.ticket
    if control.flags().load(Ordering::Relaxed) & PENDING == 0 {
        control.flags().fetch_or(PENDING, Ordering::AcqRel); // SYNC POINT gate.flags
    }
    ticket
}

/// Takes reader `index`'s worker out of the queue, unless its ticket is gone already.
pub(super) fn give_up(locked: &Locked<'_>, index: ReaderIndex, ticket: u64) {
    let own = locked.control().reader(index).ticket();
    if own.load(Ordering::Relaxed) == ticket {
        // Release: whoever finds it gone claims behind what was flushed under it.
        own.store(0, Ordering::Release); // SYNC POINT gate.ticket
    }
    sum_up_tickets(locked);
}

/// Takes reader `index`'s worker out of the queue, whatever its ticket.
pub(super) fn leave(locked: &Locked<'_>, index: ReaderIndex) {
    give_up(locked, index, locked.control().reader(index).ticket().load(Ordering::Relaxed));
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
fn sum_up_tickets(locked: &Locked<'_>) {
    let control = locked.control();
    if readers(control).any(|entry| entry.ticket().load(Ordering::Relaxed) != 0) {
        control.flags().fetch_or(PENDING, Ordering::AcqRel); // SYNC POINT gate.flags
    } else {
        control.flags().fetch_and(!PENDING, Ordering::AcqRel); // SYNC POINT gate.flags
    }
}

/// Says of the writer `index` of `owner` that it is a worker's.
pub(super) fn add_worker(locked: &Locked<'_>, index: WriterIndex, owner: Owner) {
    let (control, state) = (locked.control(), locked.control().writer(index).state());
    if index.number() == SHARED_WRITER {
        state.store(state.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    } else {
        state.store(owner.state(WORKER), Ordering::Relaxed);
    }
    let workers = control.workers();
    workers.store(workers.load(Ordering::Relaxed) | 1 << index.number(), Ordering::Relaxed);
}

/// Takes that back.
pub(super) fn remove_worker(locked: &Locked<'_>, index: WriterIndex, owner: Owner) {
    let (control, state) = (locked.control(), locked.control().writer(index).state());
    if index.number() == SHARED_WRITER {
        state.store(state.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
    } else {
        state.store(owner.state(0), Ordering::Relaxed);
    }
    if !is_worker(control, index) {
        let workers = control.workers();
        workers.store(workers.load(Ordering::Relaxed) & !(1 << index.number()), Ordering::Relaxed);
    }
}

/// Whether the entry is a worker's. The shared one counts those that share it, for nobody dies who has it.
pub(crate) fn is_worker(control: Control<'_>, index: WriterIndex) -> bool {
    let state = control.writer(index).state().load(Ordering::Relaxed);
    if index.number() == SHARED_WRITER { state != 0 } else { is_of_kind(state, WORKER) }
}

/// Makes both words anew.
pub(super) fn make_good(locked: &Locked<'_>) {
    let control = locked.control();
    sum_up_tickets(locked);
    let is_worker = |index: &usize| is_worker(control, control::writer(*index));
    let workers = (0..WRITERS).filter(is_worker).fold(0, |bits, index| bits | 1 << index);
    control.workers().store(workers, Ordering::Relaxed);
}
