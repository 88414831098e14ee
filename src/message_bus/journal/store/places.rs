//! Where slots begin and end, and what they say of themselves.

use super::JournalStore;
#[cfg(all(test, not(rust_messenger_loom)))]
use crate::message_bus::journal::slots::Record;
use crate::message_bus::ring::gate::Standing;
use crate::message_bus::ring::slot::{SLOT_ALIGN, Seen, Slots};
use crate::sync::Ordering;
use crate::traits::{CursorError, Time};

impl JournalStore {
    /// The position `asked` if a slot begins there.
    pub(crate) fn found(&self, standing: &Standing, asked: u64) -> Result<u64, CursorError> {
        let (oldest, tail) = (standing.gate(), standing.tail());
        if asked < oldest {
            return Err(CursorError::NotRetained { asked, oldest });
        }
        if asked == tail {
            return Ok(asked);
        }
        let no_such = CursorError::NoSuchPosition { asked };
        if asked > tail || !asked.is_multiple_of(SLOT_ALIGN) {
            return Err(no_such);
        }
        // Before this place all was finished, and nobody writes any more. Behind it, a writer may be at work between
        // the beginnings of two slots, so it is gone through from slot to slot.
        let finished = self.upkeep.synced.load(Ordering::Acquire).max(oldest); // SYNC POINT journal.synced
        let mut at = asked.min(finished);
        while at < asked {
            // SAFETY: a slot begins there, not before the gate, which stands.
            let next = unsafe { self.behind(at) };
            at = next.ok_or(no_such)?;
        }
        // SAFETY: as above; or it lies before what was finished.
        let is_open = |at| matches!(unsafe { self.slots.observe(at) }, Seen::Open { pending: false });
        if at == asked && !is_open(at) { Ok(asked) } else { Err(no_such) }
    }

    /// The position behind the slot at `asked`.
    pub(crate) fn position_after(&self, asked: u64) -> Result<u64, CursorError> {
        self.check_from(asked)?;
        self.gate().standing(|standing| {
            let asked = self.found(standing, asked)?;
            let next = if asked < standing.tail() {
                // SAFETY: a slot begins there, not before the gate, which stands.
                unsafe { self.behind(asked) }
            } else {
                None
            };
            next.ok_or(CursorError::NoSuchPosition { asked })
        })
    }

    /// Where the slot behind the one at `position` begins; `None` if that is not finished.
    ///
    /// # Safety
    ///
    /// As for [`Slots::observe`].
    pub(crate) unsafe fn behind(&self, position: u64) -> Option<u64> {
        // SAFETY: the caller's promise.
        match unsafe { self.slots.observe(position) } {
            Seen::Message(header) => Some(position + self.slots.slot_len(header.size as usize)),
            Seen::Sealed { len, .. } => Some(position + len),
            Seen::Open { .. } | Seen::Corrupt => None,
        }
    }

    /// When the message at `position` was written, if one stands there.
    ///
    /// # Safety
    ///
    /// As for [`Slots::observe`].
    pub(crate) unsafe fn time_at(&self, position: u64) -> Option<Time> {
        // SAFETY: the caller's promise, for both.
        let record =
            unsafe { matches!(self.slots.observe(position), Seen::Message(_)).then(|| self.slots.record(position)) };
        record.map(|record| Time::from_nanos(record.time))
    }

    /// What the slot of the message at `position` says, in a test that has the journal to itself.
    #[cfg(all(test, not(rust_messenger_loom)))]
    pub(crate) fn record_at(&self, position: u64) -> Record {
        // SAFETY: nobody else is there.
        unsafe { self.slots.record(position) }
    }
}
