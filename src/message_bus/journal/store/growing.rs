//! The file grows ahead of the writers, and what it has grown by is prefaulted.

use super::JournalStore;
use crate::message_bus::journal::header::{self, PAGE};
use crate::sync::{Ordering, lock};
use crate::traits::WriteError;
use std::io;

/// How much a new journal has room for, unless its step is smaller.
const FIRST_STEP: u64 = 256 * 1024;

/// How much a new journal has room for that grows by `step`.
pub(crate) fn first_step(step: u64) -> u64 {
    step.min(FIRST_STEP)
}

/// How much the keeper prefaults at a time: in between it looks where the writers are, and does what else is due.
const PIECE: u64 = 128 * 1024;

impl JournalStore {
    /// How much the file grows at a time, and how far ahead of the tail: as much as the journal has held, so that a
    /// small one stays small and a large one grows rarely.
    pub(super) fn ahead(&self, tail: u64) -> u64 {
        first_step(self.upkeep.step).max(tail - self.first()).min(self.upkeep.step)
    }

    /// Grows ahead if it is time to, and prefaults a piece of what there is: the keeper's work. Says whether there is
    /// more: a writer may be faster, and then there always is. A writer reports the full disk.
    ///
    /// A writer that is faster than the keeper takes a page fault for each page: less than a wait for another thread.
    pub(crate) fn grow_ahead(&self) -> bool {
        let upkeep = &self.upkeep;
        let tail = self.end();
        let ahead = self.ahead(tail);
        let wanted = tail.saturating_add(ahead).min(upkeep.capacity);
        if upkeep.ready.load(Ordering::Relaxed) < wanted {
            // It takes some milliseconds in which nobody keeps the time.
            self.stop_time();
            let _growing = lock(&upkeep.growing);
            let _ = self.grow(wanted, ahead);
        }
        let ready = upkeep.ready.load(Ordering::Relaxed);
        let from = upkeep.present.load(Ordering::Relaxed).max(tail / PAGE * PAGE);
        if from >= ready {
            return false;
        }
        let to = ready.min(from + PIECE);
        upkeep.backing.populate(self.region(), from as usize, to as usize);
        upkeep.present.store(to, Ordering::Relaxed);
        true
    }

    /// Has the file reach to `needed`, or `step` further if that can be had. Precondition: the lock is held.
    pub(super) fn grow(&self, needed: u64, step: u64) -> Result<(), WriteError> {
        let upkeep = &self.upkeep;
        let ready = upkeep.ready.load(Ordering::Relaxed);
        if ready >= needed {
            return Ok(());
        }
        if needed > upkeep.capacity {
            return Err(WriteError::Exhausted { capacity: upkeep.capacity });
        }
        let ample = needed.max(ready + step).next_multiple_of(PAGE).min(upkeep.capacity);
        let scarce = needed.next_multiple_of(PAGE).min(upkeep.capacity);
        let grow = |to: u64| upkeep.backing.grow(self.region(), ready as usize, to as usize).map(|()| to);
        // With the disk nearly full a small step may still go.
        let grown = grow(ample).or_else(|error| if scarce < ample { grow(scarce) } else { Err(error) });
        let to = grown.map_err(|error| write_error(&error))?;
        self.store_checked(header::ALLOCATED, to);
        upkeep.ready.store(to, Ordering::Release); // SYNC POINT journal.ready
        Ok(())
    }

    /// Has space for a page that the file has had before, or is to have.
    pub(crate) fn reserve_again(&self, (from, to): (usize, usize)) -> io::Result<()> {
        // Where there is none the file gets its length back: not while it grows.
        let _growing = lock(&self.upkeep.growing);
        self.upkeep.backing.reserve(from, to)
    }
}

fn write_error(error: &io::Error) -> WriteError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => WriteError::NoSpace,
        kind => WriteError::Storage { kind },
    }
}
