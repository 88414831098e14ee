//! Retention: what a journal forgets, and what keeps more than that.

use super::header::{self, PAGE};
use super::options::Retention;
use super::snapshot::PROOF;
use super::store::JournalStore;
use crate::sync::lock;
use std::cell::Cell;
use std::io;
use std::time::Duration;

/// What a retention has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retained {
    /// The oldest position that the journal still has.
    pub from: u64,
    /// Bytes of disk that this call released; 0 where the system cannot release a part of a file (Linux can).
    pub freed: u64,
    /// What keeps more than the rules: the name of a cursor, of a reader, or of a worker that rebuilds.
    pub pinned_by: Option<String>,
}

impl JournalStore {
    /// Forgets what may be forgotten, and gives its space back. Of what nobody has looked at, looks at so many bytes
    /// `at_once`, and forgets no more.
    pub(crate) fn retain(&self, at_once: u64) -> io::Result<Retained> {
        let upkeep = &self.upkeep;
        // Without the lock: the clock is the user's.
        let now = upkeep.clock.now();
        let _retaining = lock(&upkeep.retaining);
        let cursors = self.cursors();
        let slowest = cursors.iter().min_by_key(|(_, position)| *position);
        let tail = self.end();
        let Retention { size, age, consumed, past_rebuilds: _ } = upkeep.retention;
        let (rebuilds, supervised) = (self.oldest_history(), Cell::new(None));
        // Asked under the gate's lock: who has let go of where it begins says before that it may begin there again.
        let history = || {
            let supervised = supervised.get().unwrap_or_else(|| {
                let pinned = self.pinned_by_supervision();
                supervised.set(Some(pinned));
                pinned
            });
            rebuilds.into_iter().chain(supervised).min_by_key(|(_, from)| *from)
        };
        let is_pinned = |position: u64| {
            history().is_some_and(|(_, from)| position >= from)
                || slowest.is_some_and(|(_, slowest)| position >= *slowest)
        };
        let may_go = |position: u64| {
            // SAFETY: the gate asks where it has come to, under its lock; or it is where the gate stands now, which
            // nobody else moves while `retaining` is locked.
            let is_old = |age: Duration| unsafe { self.time_at(position) }.is_none_or(|time| time + age < now);
            size.is_some_and(|size| tail - position > size)
                || age.is_some_and(is_old)
                || (consumed && slowest.is_some_and(|(_, slowest)| position < *slowest))
        };
        let before = self.gate_now();
        let is_kept = |position| is_pinned(position) || !may_go(position);
        // What goes is looked at before: a length that is damaged must not take more with it.
        let goes = self.gate().standing(|standing| !is_kept(standing.gate()));
        let checked = if goes { self.check_for_retention(at_once)? } else { u64::MAX };
        supervised.set(None);
        let from = self.gate().retain(|position| position >= checked || is_kept(position));
        let mut pinned_by = None;
        if from < tail.min(checked) && may_go(from) {
            pinned_by = match (history(), slowest) {
                (Some((worker, history)), _) if history <= from => Some(worker.to_owned()),
                (_, Some((name, position))) if *position <= from => Some(name.clone()),
                _ => {
                    let readers = self.gate().stats(std::iter::empty()).readers;
                    readers.into_iter().min_by_key(|reader| reader.position).map(|reader| reader.name)
                }
            };
        }
        let mut freed = 0;
        if from != before && upkeep.origins.are_used() {
            // What was imported into what goes is known by the table alone, and a sync stores it there.
            self.sync()?;
        }
        if from != before {
            // First: whoever reads by position looks at it after it has copied what is given back now.
            self.store_checked(header::RETAINED, from);
        }
        let first = self.first();
        // What stands just before a snapshot says of which journal it is.
        let [hole, end] = [before, from].map(|position| position.saturating_sub(PROOF as u64).max(first) / PAGE * PAGE);
        let hole = hole.max(first.next_multiple_of(PAGE));
        if hole < end {
            // The word before the space: what is given back must not look like what was lost.
            self.sync_words()?;
            match upkeep.backing.punch(self.region(), hole as usize, end as usize) {
                Ok(()) => freed = end - hole,
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Retained { from, freed, pinned_by })
    }

    /// The worker whose rebuild needs the oldest message, and where that is. One whose beginning is gone, and that no
    /// snapshot stands for, is refused, whatever is kept of the rest.
    fn oldest_history(&self) -> Option<(&'static str, u64)> {
        let upkeep = &self.upkeep;
        let whole = self.gate_now() == self.first();
        let needs = |worker: &&'static str| {
            let from = upkeep.snapshots.pin(worker, whole).or(whole.then(|| self.first()))?;
            Some((*worker, from))
        };
        upkeep.rebuilt.iter().filter_map(needs).min_by_key(|(_, from)| *from)
    }
}
