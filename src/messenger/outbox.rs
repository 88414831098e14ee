//! Messages that found no room in the ring, in order: private memory of one worker.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// Messages that found no room in the ring, in order.
#[derive(Default)]
pub(super) struct Outbox {
    /// Whether there are any: looked at for every message.
    pub(super) pending: Cell<bool>,
    pub(super) queue: RefCell<Queue>,
}

#[derive(Default)]
pub(super) struct Queue {
    pub(super) entries: VecDeque<Entry>,
    /// What `entries` cost.
    pub(super) bytes: usize,
    /// How many entries the ticket covers.
    pub(super) covered: usize,
    /// How many entries were there when the stop was noticed and still are.
    at_stop: Option<usize>,
    /// Memory of flushed entries, to be used again.
    spare: Vec<Vec<u8>>,
}

/// One message. Its payload is aligned as in the ring.
pub(crate) struct Entry {
    pub(crate) source: u16,
    pub(crate) message: u16,
    memory: Vec<u8>,
    start: usize,
    size: usize,
}

const ENTRY_ALIGN: usize = 16;
/// How many flushed entries' memory is kept.
const SPARE: usize = 64;

/// The memory that a message takes in an outbox: an empty one is not free.
pub(super) fn cost(size: usize) -> usize {
    size_of::<Entry>() + ENTRY_ALIGN + size
}

impl Outbox {
    #[inline(always)]
    pub(super) fn is_pending(&self) -> bool {
        self.pending.get()
    }

    pub(super) fn len(&self) -> usize {
        self.queue.borrow().entries.len()
    }

    /// The payload size of the next message to flush.
    pub(super) fn next_size(&self) -> Option<usize> {
        self.queue.borrow().entries.front().map(|entry| entry.size)
    }

    /// Whether all that was pending when this was first asked is gone.
    pub(super) fn flushed_what_was_pending_at_stop(&self) -> bool {
        let mut queue = self.queue.borrow_mut();
        let now = queue.entries.len();
        *queue.at_stop.get_or_insert(now) == 0
    }
}

impl Queue {
    pub(super) fn spare(&mut self, source: u16, message: u16, size: usize) -> Entry {
        Entry::new(self.spare.pop().unwrap_or_default(), source, message, size)
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.bytes += cost(entry.size);
        self.entries.push_back(entry);
    }

    pub(super) fn pop(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        self.bytes -= cost(entry.size);
        self.covered = self.covered.saturating_sub(1);
        self.at_stop = self.at_stop.map(|left| left.saturating_sub(1));
        if self.spare.len() < SPARE {
            self.spare.push(entry.memory);
        }
    }
}

impl Entry {
    /// A message of `size` zeroed bytes in `memory`, whatever that held.
    pub(crate) fn new(mut memory: Vec<u8>, source: u16, message: u16, size: usize) -> Entry {
        memory.clear();
        memory.resize(size + ENTRY_ALIGN, 0);
        let start = memory.as_ptr().align_offset(ENTRY_ALIGN).min(ENTRY_ALIGN);
        Entry { source, message, memory, start, size }
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.size]
    }

    pub(crate) fn payload_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.size]
    }
}

#[cfg(all(test, not(rust_messenger_loom)))]
mod tests;
