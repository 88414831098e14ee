//! Which snapshots fit, with which a worker begins, and how one is written: beside the keeper, after what it
//! stands on.

use super::kept::Kept;
use super::snapshot::{self, PROOF, Saved};
use super::store::JournalStore;
use crate::message_bus::ring::control::ReaderIndex;
use crate::routing::TableWorker;
use crate::sync::lock;
use crate::traits::{Begin, CursorError, Misfit, SkippedSnapshot, State};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// No snapshot is larger, in bytes.
const MAX: usize = 1 << 30;

/// With what a worker begins.
pub(crate) struct Beginning {
    /// Where the newest snapshot stands that fits; `None`: there is none.
    pub(crate) position: Option<u64>,
    /// Where the oldest one does.
    pub(crate) oldest: Option<u64>,
    pub(crate) begin: Begin,
}

fn handlers_of(worker: &TableWorker<'_>) -> Vec<(u16, String)> {
    worker.handlers.iter().map(|handler| (handler.id, handler.type_name.to_owned())).collect()
}

// ------------------------------------------------------------------------------------------------------ with which one

impl JournalStore {
    /// From now on snapshots of `workers` stand beside this file. Those that fit keep their history, before anybody
    /// begins with them.
    pub(crate) fn keep_beside(&self, journal: &Path, workers: &'static [TableWorker<'static>]) {
        let snapshots = &self.upkeep.snapshots;
        lock(&snapshots.state).path = Some(journal.to_owned());
        for worker in workers.iter().filter(|worker| snapshots.every(worker.name).is_some()) {
            let standing = snapshot::paths(journal, worker.name).map(|path| {
                let saved = Saved::decode(&fs::read(path).ok()?).ok()?;
                self.stands(worker, &saved).ok().map(|()| saved.position)
            });
            lock(&snapshots.state).standing.insert(worker.name, standing);
        }
    }

    /// With what a rebuild of this worker begins: the newest snapshot that fits, of those before `before`. `None`: no
    /// snapshots are wanted of it.
    pub(crate) fn beginning(&self, worker: &TableWorker<'_>, before: u64) -> Option<Beginning> {
        let snapshots = &self.upkeep.snapshots;
        let begin = Begin { every: snapshots.every(worker.name)?, ..Begin::default() };
        let paths = snapshot::paths(lock(&snapshots.state).path.as_ref()?, worker.name);
        let mut beginning = Beginning { position: None, oldest: None, begin };
        for path in paths {
            let fits = |bytes: Vec<u8>| {
                let saved = Saved::decode(&bytes)?;
                self.stands(worker, &saved)?;
                let at = saved.position;
                let found =
                    self.check_from(at).and_then(|()| self.gate().standing(|standing| self.found(standing, at)));
                found.map(|_| saved).map_err(|error| Misfit::History { position: at, error })
            };
            let saved = match fs::read(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => Err(Misfit::Unreadable { kind: error.kind() }),
                Ok(bytes) => fits(bytes),
            };
            match saved {
                Err(why) => beginning.begin.skipped.push(SkippedSnapshot::File { path, why }),
                Ok(saved) if saved.position < before => {
                    let at = saved.position;
                    beginning.oldest = Some(beginning.oldest.map_or(at, |oldest| oldest.min(at)));
                    if beginning.position.is_none_or(|newest| newest < at) {
                        (beginning.position, beginning.begin.states) =
                            (Some(at), Some(Arc::unwrap_or_clone(saved.states)));
                    }
                }
                Ok(_) => {}
            }
        }
        Some(beginning)
    }

    /// Whether this is of this journal and of these handlers, or why not.
    fn stands(&self, worker: &TableWorker<'_>, saved: &Saved) -> Result<(), Misfit> {
        let (position, tail, end, key) = (saved.position, saved.tail, self.end(), self.upkeep.identity.key);
        if saved.key != key {
            return Err(Misfit::Journal { position, found: saved.key, expected: key });
        }
        if tail > end || position > tail {
            return Err(Misfit::Newer { position, found: tail, expected: end });
        }
        let unread = |error: io::Error| {
            let error = CursorError::Storage { kind: error.kind() };
            Misfit::History { position, error }
        };
        if saved.proof != self.proof(tail).map_err(unread)? {
            return Err(Misfit::Messages { position, end: tail });
        }
        let expected = handlers_of(worker);
        if saved.handlers == expected {
            Ok(())
        } else {
            Err(Misfit::Handlers { position, found: saved.handlers.clone(), expected })
        }
    }

    /// The last bytes before `end`, where a slot ends: its checksum, if it has one, or else what was written last. No
    /// two writers leave the same there.
    fn proof(&self, end: u64) -> io::Result<[u8; PROOF]> {
        let mut proof = [0; PROOF];
        let from = end.saturating_sub(PROOF as u64).max(self.first());
        let bytes = &mut proof[..end.saturating_sub(from) as usize];
        self.upkeep.backing.read(self.region(), from as usize, bytes)?;
        Ok(proof)
    }

    /// From now on the worker of reader `index` keeps its handlers.
    pub(crate) fn begin_keeping(
        &self,
        index: ReaderIndex,
        worker: &'static TableWorker<'static>,
        position: u64,
        begin: Begin,
    ) {
        lock(&self.upkeep.snapshots.state).workers.insert(index, Kept { worker, position, begin, newest: None });
    }

    pub(crate) fn end_keeping(&self, index: ReaderIndex) {
        lock(&self.upkeep.snapshots.state).workers.remove(&index);
    }

    /// Whether the worker of reader `index`, which has not begun, begins with a snapshot.
    pub(crate) fn begins_with_snapshot(&self, index: ReaderIndex) -> bool {
        let state = lock(&self.upkeep.snapshots.state);
        state.workers.get(&index).is_some_and(|kept| kept.begin.states.is_some())
    }

    /// With what the worker of reader `index` begins, or begins again. The states are handed out once.
    pub(crate) fn begin_of(&self, index: ReaderIndex) -> Option<Begin> {
        let (begin, newest) = {
            let mut state = lock(&self.upkeep.snapshots.state);
            let Kept { begin, newest, .. } = state.workers.get_mut(&index)?;
            let states = begin.states.take();
            (Begin { states, ..begin.clone() }, newest.take())
        };
        let states = newest.map(Arc::unwrap_or_clone).or(begin.states);
        Some(Begin { states, ..begin })
    }

    /// The worker of reader `index` could not load what it was to begin with: where it begins instead, and with what.
    /// `None`: there is nothing else.
    pub(crate) fn begin_instead(&self, index: ReaderIndex, why: &str) -> Option<(u64, Begin)> {
        let snapshots = &self.upkeep.snapshots;
        let (worker, refused, mut skipped) = {
            let state = lock(&snapshots.state);
            let kept = state.workers.get(&index)?;
            (kept.worker, kept.position, kept.begin.skipped.clone())
        };
        let Beginning { position, mut begin, .. } = self.beginning(worker, refused)?;
        let first = self.first();
        let is_whole = self.gate_now() == first && refused > first;
        let position = position.or(is_whole.then_some(first))?;
        self.check_from(position).ok()?;
        // This worker's reader has kept it since it joined; or, if it begins again, the snapshots have.
        if !self.gate().stand_back(index, position) {
            return None;
        }
        // Those that did not fit before do not fit now, and are named already.
        let (worker_name, why) = (worker.name.to_owned(), why.to_owned());
        skipped.push(SkippedSnapshot::NotLoaded { worker: worker_name, position: refused, why });
        begin.skipped = skipped;
        self.repeat_from(index, position, self.dead_of(worker.name, position, self.end()));
        let mut state = lock(&snapshots.state);
        let kept = state.workers.get_mut(&index)?;
        kept.position = position;
        kept.begin = Begin { states: None, ..begin.clone() };
        kept.newest = None;
        Some((position, begin))
    }
}

// --------------------------------------------------------------------------------------------------- how it is written

impl JournalStore {
    /// Has these states be written of the worker of reader `index`, who has handled everything before `position`.
    ///
    /// # Errors
    ///
    /// They are too large; or why the ones before were not written.
    pub(crate) fn keep_states(&self, index: ReaderIndex, position: u64, states: Vec<State>) -> Result<(), String> {
        // After what the handlers have sent: all of that is claimed.
        let tail = self.end();
        let size = states.iter().map(|state| state.bytes.len()).sum::<usize>();
        if size > MAX {
            return Err(format!("a snapshot of {size} bytes: {MAX} are the most"));
        }
        let states = Arc::new(states);
        let begins_here = self.supervise_kept(index, position, tail);
        let mut state = lock(&self.upkeep.snapshots.state);
        let Some(kept) = state.workers.get_mut(&index) else { return Ok(()) };
        let worker = kept.worker;
        if begins_here {
            (kept.position, kept.newest) = (position, Some(Arc::clone(&states)));
        }
        let key = self.upkeep.identity.key;
        let saved = Saved { key, position, tail, proof: [0; PROOF], handlers: handlers_of(worker), states };
        // One that was not written yet is of no use any more.
        state.wanted.insert(worker.name, saved);
        let failed = state.failed.remove(worker.name);
        drop(state);
        self.upkeep.saving.save();
        failed.map_or(Ok(()), Err)
    }

    /// Writes what is wanted: the work of a thread beside the keeper, and in the end the keeper's. Calls `step` between
    /// any two things that it does to the disk.
    pub(crate) fn write_snapshots(&self, step: impl Fn()) {
        let snapshots = &self.upkeep.snapshots;
        let wanted = std::mem::take(&mut lock(&snapshots.state).wanted);
        for (worker, mut saved) in wanted {
            let written = self.write_snapshot(worker, &mut saved, &step);
            let mut state = lock(&snapshots.state);
            match written {
                Ok(true) => {}
                // A writer was at work before it, and nobody knows yet with what. Unless there is a newer one by now.
                Ok(false) => _ = state.wanted.entry(worker).or_insert(saved),
                Err(why) => {
                    let said = format!("the snapshot at position {} was not written: {why}", saved.position);
                    state.failed.insert(worker, said);
                }
            }
        }
    }

    /// Writes one in place of the worse of those that stand. Says whether it could be: what was there before `tail` is
    /// finished.
    fn write_snapshot(&self, worker: &'static str, saved: &mut Saved, step: &impl Fn()) -> Result<bool, String> {
        let snapshots = &self.upkeep.snapshots;
        let (path, standing) = {
            let state = lock(&snapshots.state);
            let Some(path) = &state.path else { return Ok(true) };
            (path.clone(), state.standing.get(worker).copied().unwrap_or_default())
        };
        step();
        // First what it stands on: a journal that ends before would write other messages to the same positions.
        if self.sync_to(saved.tail).map_err(|kind| kind.to_string())? < saved.tail {
            return Ok(false);
        }
        step();
        saved.proof = self.proof(saved.tail).map_err(|error| error.to_string())?;
        let worse = usize::from(standing[1] < standing[0]);
        // It may be half a file when this fails: not before the rename, but its directory may not be synced.
        snapshot::write(&snapshot::paths(&path, worker)[worse], saved, step).map_err(|error| error.to_string())?;
        step();
        lock(&snapshots.state).standing.entry(worker).or_default()[worse] = Some(saved.position);
        Ok(true)
    }
}
