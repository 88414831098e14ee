//! What is imported into a journal: a message from elsewhere is there once, whoever is killed when.
//!
//! * **Law 1.** A slot says where its message comes from, in the word of its cause: both are committed with one stamp.
//! * **Law 2.** What was imported last is the later of what the table of origins says and what the retained slots say.
//!   A sync stores in the table what it has made durable, so the table never says more than is there; and retention
//!   syncs before it frees, so it never says less than was there.
//! * **Law 3.** An entry is durable before a slot names it, and stays while a retained slot does.

use super::header::PAGE;
use super::origin::{self, Cause, LAST, Node, ORIGIN_COUNT, OriginEntry};
use super::origins::{self, Origins, Walked};
use super::store::JournalStore;
use crate::message_bus::ring::claim::{Claim, Role};
use crate::message_bus::ring::shared::Shared;
use crate::message_bus::ring::writer::RingWriter;
use crate::message_bus::wait::WaitStrategy;
use crate::sync::{Arc, Ordering, lock};
use crate::traits::{CursorError, Import, ImportError, Publish, WriteError};
use std::io;
use std::time::Duration;

impl JournalStore {
    /// Begins with what recovery has found: the table, and what the slots say.
    pub(crate) fn begin_origins(&self, table: &[(usize, Node)], walked: &Walked) {
        let origins = &self.upkeep.origins;
        origins.used.store(table.len() as u64, Ordering::Relaxed);
        let (mut state, mut found) = (lock(&origins.state), lock(&origins.found));
        for (entry, node) in table {
            state.lasts[*entry] = walked.lasts[*entry].max(node.last.flatten());
            found[*entry] = state.lasts[*entry];
        }
    }

    /// Gives up an entry.
    pub(crate) fn remove_origin(&self, index: usize) {
        let check = origin::origin_at(index) as usize + origin::CHECK;
        self.region().word(check).store(0, Ordering::Release); // SYNC POINT header.word
    }

    fn origin_entries(&self) -> Vec<(usize, OriginEntry)> {
        let mut page = [0; PAGE as usize];
        self.region().snapshot(0, &mut page);
        origin::entries(&page).collect()
    }

    /// The entry of an origin, which from now on is taken. Makes one if there is none.
    fn open_origin(&self, node: &str, incarnation: u64) -> Result<usize, ImportError> {
        let origins = &self.upkeep.origins;
        let mut state = lock(&origins.state);
        let entries = self.origin_entries();
        let named = |(index, entry)| match entry {
            OriginEntry::Named(node) => Some((index, node)),
            OriginEntry::Free | OriginEntry::Old | OriginEntry::Unnamed => None,
        };
        let all: Vec<(usize, Node)> = entries.iter().cloned().filter_map(named).collect();
        if all.iter().any(|(index, known)| known.node == node && state.is_open[*index]) {
            return Err(ImportError::InUse);
        }
        let made = all.iter().map(|(_, known)| known.made).max().unwrap_or(0) + 1;
        let (bytes, check) = origin::encode(node, incarnation, made).ok_or(ImportError::Name)?;
        let known = all.iter().find(|(_, known)| known.node == node && known.incarnation == incarnation);
        let index = match known {
            Some((index, _)) => *index,
            None => {
                let unused = entries.iter().find(|(_, entry)| *entry == OriginEntry::Free);
                let index = match unused {
                    Some((index, _)) => *index,
                    None => self.oldest_origin(&all, node)?,
                };
                self.make_origin(index, &bytes, check)?;
                (state.lasts[index], state.failed[index]) = (None, None);
                index
            }
        };
        if let Some(kind) = state.failed[index] {
            return Err(storage(kind));
        }
        state.is_open[index] = true;
        Ok(index)
    }

    /// An entry that no retained slot names, and that is not the newest of a node, or will not be when `node` has one.
    fn oldest_origin(&self, all: &[(usize, Node)], node: &str) -> Result<usize, ImportError> {
        let is_named = self.named_in_slots()?;
        let is_newest = |known: &Node| {
            let has_newer = |(_, other): &(usize, Node)| other.node == known.node && other.made > known.made;
            known.node != node && !all.iter().any(has_newer)
        };
        let is_kept = |index| all.iter().any(|(place, known)| *place == index && is_newest(known));
        let may_go = |&index: &usize| !is_named[index] && !is_kept(index);
        let made = |index: &usize| all.iter().find(|(place, _)| place == index).map_or(0, |(_, known)| known.made);
        (0..ORIGIN_COUNT).filter(may_go).min_by_key(made).ok_or(ImportError::TooManyOrigins { max: ORIGIN_COUNT })
    }

    /// Which entries the retained slots may name: all of them while a claim is unfinished, which hides others.
    fn named_in_slots(&self) -> Result<[bool; ORIGIN_COUNT], ImportError> {
        let failed = |error| match error {
            CursorError::Storage { kind } => storage(kind),
            _ => storage(io::ErrorKind::Other),
        };
        self.check_from(self.gate_now()).map_err(failed)?;
        // What retention gave back meanwhile would look unfinished.
        let _retaining = lock(&self.upkeep.retaining);
        let end = self.end();
        let (walked, until) = origins::imported(&self.slots, self.gate_now(), end);
        Ok(if until < end { [true; ORIGIN_COUNT] } else { walked.is_named })
    }

    /// Writes an entry, and has it survive a power failure before a slot can name it.
    fn make_origin(&self, index: usize, bytes: &[u8], check: u64) -> Result<(), ImportError> {
        let origins = &self.upkeep.origins;
        let synced = self.sync().map_err(storage)?;
        if !origins.are_used() {
            // Before it nothing was imported.
            self.store_checked(origin::ACCOUNTED, synced);
        }
        self.remove_origin(index);
        lock(&origins.found)[index] = None;
        let base = origin::origin_at(index) as usize;
        for (place, chunk) in bytes.as_chunks().0.iter().enumerate() {
            self.region().word(base + 8 * place).store(u64::from_ne_bytes(*chunk), Ordering::Relaxed);
        }
        self.region().word(base + LAST as usize).store(0, Ordering::Relaxed);
        // Last: it is what makes an entry of it.
        self.region().word(base + origin::CHECK).store(check, Ordering::Release); // SYNC POINT header.word
        origins.used.store(1, Ordering::Relaxed);
        self.sync_words().map_err(|error| storage(error.kind()))
    }
}

fn storage(kind: io::ErrorKind) -> ImportError {
    ImportError::Write(WriteError::Storage { kind })
}

/// Writes into a journal what comes from one origin.
#[derive(Debug)]
pub(crate) struct JournalImporter<C: Claim, W: WaitStrategy> {
    // Before the entry is free again.
    writer: RingWriter<C, W, JournalStore>,
    taken: Taken,
}

/// An entry that is taken, until this is dropped.
#[derive(Debug)]
struct Taken {
    shared: Arc<Shared<JournalStore>>,
    entry: usize,
}

impl Taken {
    fn origins(&self) -> &Origins {
        &self.shared.store.upkeep.origins
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        lock(&self.origins().state).is_open[self.entry] = false;
    }
}

impl<C: Claim, W: WaitStrategy> JournalImporter<C, W> {
    pub(crate) fn new(shared: &Arc<Shared<JournalStore>>, node: &str, incarnation: u64) -> Result<Self, ImportError> {
        let entry = shared.store.open_origin(node, incarnation)?;
        let taken = Taken { shared: Arc::clone(shared), entry };
        let writer = RingWriter::new(shared, Role::Import(entry as u8)).map_err(ImportError::Writer)?;
        Ok(JournalImporter { writer, taken })
    }
}

impl<C: Claim, W: WaitStrategy> Import for JournalImporter<C, W>
where
    RingWriter<C, W, JournalStore>: Send,
{
    fn last(&self) -> Option<u64> {
        lock(&self.taken.origins().state).lasts[self.taken.entry]
    }

    fn try_write(&mut self, position: u64, source: u16, message: u16, payload: &[u8]) -> Result<(), ImportError> {
        if !origin::is_position(position) {
            return Err(ImportError::Position { asked: position });
        }
        let (origins, entry) = (self.taken.origins(), self.taken.entry);
        let state = lock(&origins.state);
        if let Some(last) = state.lasts[entry].filter(|last| *last >= position) {
            return Err(ImportError::AlreadyThere { last });
        }
        if let Some(kind) = state.failed[entry] {
            return Err(storage(kind));
        }
        // Nobody else writes in this origin's name, and a sync may come of it.
        drop(state);
        origins.words[entry].store(Cause::Elsewhere { entry, position }.word(), Ordering::Relaxed);
        let written = self.writer.try_write_bytes(source, message, payload);
        let mut state = lock(&origins.state);
        match written {
            Ok(()) => {
                state.lasts[entry] = Some(position);
                Ok(())
            }
            Err(error) => {
                if let WriteError::Storage { kind } = error {
                    // It may be there: only who opens the journal again will know.
                    state.failed[entry] = Some(kind);
                }
                Err(ImportError::Write(error))
            }
        }
    }

    fn wait_for_room_at_most(&self, size: usize, timeout: Duration) {
        self.writer.wait_for_room_at_most(size, timeout);
    }
}
