//! Named cursors: where readers stand that come back, on the first page of the file.

use super::header::{self, PAGE};
use super::store::JournalStore;
use crate::message_bus::ring::control::{self, ReaderIndex};
use crate::message_bus::ring::gate::Standing;
use crate::message_bus::ring::store::Store;
use crate::sync::{Ordering, lock};

impl JournalStore {
    fn page(&self) -> [u8; PAGE as usize] {
        let mut page = [0; PAGE as usize];
        self.region().snapshot(0, &mut page);
        page
    }

    /// The named cursors and where they stand. One that is damaged pins nothing: it is of no use to its reader either.
    pub(crate) fn cursors(&self) -> Vec<(String, u64)> {
        let page = self.page();
        let entry = |index| match header::cursor_entry(&page, index) {
            header::CursorEntry::Named(name, Some(position)) => Some((name, position)),
            _ => None,
        };
        (0..header::CURSOR_COUNT).filter_map(entry).collect()
    }

    /// Where the cursor of this name keeps its position, and the position; `None` if there is no such cursor.
    pub(crate) fn find_cursor(&self, name: &str) -> Option<(u64, Option<u64>)> {
        let page = self.page();
        (0..header::CURSOR_COUNT).find_map(|index| match header::cursor_entry(&page, index) {
            header::CursorEntry::Named(found, position) if found == name => {
                Some((header::cursor_at(index) + header::CURSOR_POSITION, position))
            }
            _ => None,
        })
    }

    /// Makes a cursor; says where it keeps its position. `None`: there is no place for one.
    pub(crate) fn make_cursor(&self, name: &[u8; header::CURSOR_NAME], check: u64, position: u64) -> Option<u64> {
        let page = self.page();
        let is_free = |index: &usize| header::cursor_entry(&page, *index) == header::CursorEntry::Free;
        let index = (0..header::CURSOR_COUNT).find(is_free)?;
        let base = header::cursor_at(index);
        for (place, chunk) in name.chunks(8).enumerate() {
            let mut word = [0; 8];
            word.copy_from_slice(chunk);
            self.region().word(base as usize + 8 * place).store(u64::from_ne_bytes(word), Ordering::Relaxed);
        }
        let at = base + header::CURSOR_POSITION;
        self.store_checked(at, position);
        // Last: it is what makes an entry of it.
        // SYNC POINT header.word
        self.region().word(base as usize + header::CURSOR_NAME).store(check, Ordering::Release);
        Some(at)
    }

    /// Moves the cursor that keeps its position at `at`, unless `check` refuses.
    pub(crate) fn move_cursor<E>(
        &self,
        at: u64,
        position: u64,
        check: impl FnOnce(&Standing) -> Result<(), E>,
    ) -> Result<(), E> {
        // Retention goes by what it has read of the cursors, up to the end.
        let _retaining = lock(&self.upkeep.retaining);
        self.gate().standing(check)?;
        self.store_checked(at, position);
        Ok(())
    }

    /// Removes the cursor `index`, whatever is in it.
    pub(crate) fn remove_cursor(&self, index: usize) {
        let base = header::cursor_at(index) as usize;
        self.region().word(base + header::CURSOR_NAME).store(0, Ordering::Release); // SYNC POINT header.word
    }

    /// The index of the cursor of this name.
    pub(crate) fn cursor_index(&self, name: &str) -> Option<usize> {
        let at = self.find_cursor(name)?.0 - header::CURSOR_POSITION;
        (0..header::CURSOR_COUNT).find(|&index| header::cursor_at(index) == at)
    }

    /// From now on reader `index` keeps its position at `at`.
    pub(crate) fn attach_cursor(&self, index: ReaderIndex, at: u64) {
        self.control().reader(index).saved().store(at, Ordering::Relaxed);
    }

    /// Whether a reader of this process keeps its position at `at`.
    pub(crate) fn is_attached(&self, at: u64) -> bool {
        let control = self.control();
        let occupied = control.occupied().load(Ordering::Acquire); // SYNC POINT gate.join
        (0..control::READERS)
            .filter(|index| occupied >> index & 1 == 1)
            .any(|index| control.reader(control::reader(index)).saved().load(Ordering::Relaxed) == at)
    }
}
