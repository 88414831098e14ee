//! What opening has left out is looked at when a reader begins there, or retention comes there: no reader of this
//! process meets what nobody has looked at.

use super::scan::{Scan, Scanned};
use super::slots::JournalSlots;
use super::source::Source;
use super::store::JournalStore;
use super::unchecked::{Mark, page_of};
use crate::sync::lock;
use crate::traits::CursorError;
use std::io;

/// The file, up to where it was looked at.
struct Stored<'a> {
    store: &'a JournalStore,
    end: u64,
}

impl Source for Stored<'_> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.end)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let len = self.end.saturating_sub(offset).min(bytes.len() as u64) as usize;
        self.store.upkeep.backing.read(self.store.region(), offset as usize, &mut bytes[..len]).map(|()| len)
    }
}

impl JournalStore {
    fn scan(&self, from: u64, end: u64) -> Scan<Stored<'_>> {
        Scan::new(Stored { store: self, end }, &self.upkeep.identity, from)
    }

    /// Looks at what stands from `position` on, as opening does, if nobody has done so yet. If no slot begins there,
    /// looks at everything.
    ///
    /// # Errors
    ///
    /// [`CursorError::Storage`]: what could not be read nobody has looked at.
    pub(crate) fn check_from(&self, position: u64) -> Result<(), CursorError> {
        let unchecked = &self.upkeep.unchecked;
        let mut stretch = lock(&unchecked.stretch);
        if stretch.is_empty() || position >= stretch.to {
            return Ok(());
        }
        let failed = |error: io::Error| CursorError::Storage { kind: error.kind() };
        let begins = position > stretch.from && self.scan(position, stretch.to).begins_slot().map_err(failed)?;
        let from = if begins { position } else { stretch.from };
        self.check(from, stretch.to, stretch.to).map_err(failed)?;
        stretch.to = from;
        lock(&unchecked.recovered).leave_out(*stretch);
        Ok(())
    }

    /// Looks at what retention comes to next, at least `most` bytes if there are so many. Returns how far it may go.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn check_for_retention(&self, most: u64) -> io::Result<u64> {
        let unchecked = &self.upkeep.unchecked;
        // A reader that is at it may be for a while, and the keeper has more to do.
        let Ok(mut stretch) = unchecked.stretch.try_lock() else { return Ok(self.gate_now()) };
        // What was looked at the last time may not have been forgotten yet.
        if !stretch.is_empty() && self.gate_now() >= stretch.from {
            let to = stretch.from.saturating_add(most).min(stretch.to);
            stretch.from = self.check(stretch.from, to, stretch.to)?;
            lock(&unchecked.recovered).leave_out(*stretch);
        }
        Ok(if stretch.is_empty() { u64::MAX } else { stretch.from })
    }

    /// Looks at the slots from `from` to `to`, or a little further, and marks what readers could not step over. Returns
    /// how far it has come.
    ///
    /// Precondition: the lock of what nobody has looked at is held; that ends at `end`, and all of this is of it.
    fn check(&self, from: u64, to: u64, end: u64) -> io::Result<u64> {
        let upkeep = &self.upkeep;
        let (mut scan, mut at) = (self.scan(from, end), from);
        while at < to
            && let Scanned::Found(mut found) = scan.step()?
        {
            // A slot begins there, or the journal ended: where it is damaged before, the next one may be looked for
            // further on.
            found.len = found.len.min(end - found.position);
            if let Some(mark) = Mark::of(&found) {
                self.reserve_again(page_of(&found))?;
                let slots: &JournalSlots = &self.slots;
                // SAFETY: readers of this process begin where everything was looked at, and writers behind the tail.
                unsafe { mark.put(slots, &found) };
            }
            lock(&upkeep.unchecked.recovered).add(&found);
            at = found.position + found.len;
        }
        Ok(at)
    }
}
