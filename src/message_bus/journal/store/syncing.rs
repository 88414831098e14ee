//! What is finished survives a power failure once it is synced.

use super::JournalStore;
use crate::message_bus::journal::header::{self, PAGE};
use crate::sync::{Ordering, lock};
use std::io;

impl JournalStore {
    /// Has everything that is committed survive a power failure. Returns up to where.
    pub(crate) fn sync(&self) -> Result<u64, io::ErrorKind> {
        self.sync_to(self.end())
    }

    /// Has the committed slots before `end` survive a power failure, and whatever else is there.
    pub(crate) fn sync_to(&self, end: u64) -> Result<u64, io::ErrorKind> {
        let upkeep = &self.upkeep;
        let mut failed = lock(&upkeep.syncing);
        if let Some(kind) = *failed {
            return Err(kind);
        }
        let synced = upkeep.synced.load(Ordering::Relaxed);
        let unsynced = upkeep.unsynced.load(Ordering::Relaxed);
        if synced >= end && unsynced != 0 {
            return Ok(synced);
        }
        // Asked before the sync: what is finished later may not be in it. An unfinished slot ends what is known to be
        // whole, but the slot of whoever asks is in the sync wherever it stands.
        let (finished, tail) = (self.gate().finished_before(synced, self.end()), self.end());
        let from = unsynced / PAGE * PAGE;
        let to = tail.next_multiple_of(PAGE).min(upkeep.ready.load(Ordering::Acquire)); // SYNC POINT journal.ready
        let sync = |from: u64, to: u64| upkeep.backing.sync(self.region(), from as usize, to as usize);
        // The first page after the slots: a cursor must not survive what it has passed.
        let done = if from < to { sync(from, to) } else { Ok(()) }.and_then(|()| sync(0, PAGE));
        match done {
            Ok(()) => {
                upkeep.synced.store(finished, Ordering::Release); // SYNC POINT journal.synced
                upkeep.unsynced.store(finished, Ordering::Relaxed);
                if upkeep.origins.are_used() {
                    upkeep.origins.account(&self.slots, synced, finished);
                }
                self.store_checked(header::WHOLE, finished);
                Ok(finished)
            }
            Err(error) => {
                // The system may have dropped the pages and call them clean: no later sync says anything about them.
                *failed = Some(error.kind());
                Err(error.kind())
            }
        }
    }

    /// Has the words of the first page survive a power failure.
    pub(crate) fn sync_words(&self) -> io::Result<()> {
        let mut failed = lock(&self.upkeep.syncing);
        if let Some(kind) = *failed {
            return Err(kind.into());
        }
        self.upkeep.backing.sync(self.region(), 0, PAGE as usize).inspect_err(|error| *failed = Some(error.kind()))
    }

    /// Leaves the journal as one that was finished up to here, whatever its level of sync.
    pub(crate) fn close(&self) {
        if self.sync().is_ok() {
            // It says so after a power failure, too. Nobody is left to be told of a failure.
            let _ = self.sync_words();
        }
    }
}
