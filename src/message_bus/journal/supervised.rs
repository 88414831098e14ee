//! Workers that may be restarted in their process: where their history begins, and what of it is dead for them.
//!
//! A message is dead for a worker once the letter about it is in the journal. So what is dead is read from the letters,
//! in this life and in every later one, and nothing else has to be kept.

use super::rebuild::{Rebuild, Sources, Supervised};
use super::store::JournalStore;
use crate::message_bus::ring::control::ReaderIndex;
use crate::message_bus::ring::slot::{Seen, Slots};
use crate::message_bus::ring::store::Store;
use crate::sync::lock;
use crate::traits::{CursorError, DeadLetter, DeserializeFrom, Handler, Header, Message, Supervisor};
use std::collections::BTreeSet;

impl JournalStore {
    /// From now on the worker of reader `index`, which begins at `began`, may begin there again: retention keeps what
    /// stands there.
    pub(crate) fn begin_supervision(
        &self,
        index: ReaderIndex,
        worker: &'static str,
        sources: Option<Sources>,
        began: u64,
    ) -> Result<(), CursorError> {
        let sources = sources.ok_or(CursorError::NoSources)?;
        let tail = self.end();
        // Not from where its reader gates: what stands before a snapshot nobody may have looked at.
        let dead = self.dead_of(worker, began, tail);
        let rebuild = self.rebuilds().of(index);
        let is_rebuilt = rebuild.is_some();
        let loaded = self.begins_with_snapshot(index);
        let sent_from = if is_rebuilt { began } else { tail };
        match (rebuild, dead.last()) {
            (Some(rebuild), Some(_)) => self.begin_rebuild(index, rebuild.without(dead.clone())),
            // It resumes, and steps over what is dead.
            (None, Some(last)) => {
                let rebuild = Rebuild::of_sources(sources.clone(), began, began);
                self.begin_rebuild(index, rebuild.without(dead.clone()).until(last + 1));
            }
            (_, None) => {}
        }
        let supervised = Supervised { worker, sources, began, sent_from, loaded, dead };
        lock(&self.upkeep.supervised).insert(index, supervised);
        Ok(())
    }

    /// The worker of reader `index` begins at `began` instead, with a snapshot or without.
    pub(crate) fn supervise_from(&self, index: ReaderIndex, began: u64, loaded: bool) {
        if let Some(supervised) = lock(&self.upkeep.supervised).get_mut(&index) {
            (supervised.began, supervised.sent_from, supervised.loaded) = (began, began, loaded);
            supervised.dead.extend(self.dead_of(supervised.worker, began, self.end()));
        }
    }

    /// The worker of reader `index` was kept at `position`, and begins there if it begins again: says whether it may.
    /// `tail` is where the journal ends.
    pub(crate) fn supervise_kept(&self, index: ReaderIndex, position: u64, tail: u64) -> bool {
        // What it repeats it had sent before the tail.
        let sent_from = if self.replay_end(index) == 0 { tail } else { position };
        let mut all = lock(&self.upkeep.supervised);
        let Some(supervised) = all.get_mut(&index) else { return false };
        (supervised.began, supervised.sent_from, supervised.loaded) = (position, sent_from, true);
        supervised.dead = supervised.dead.split_off(&position);
        true
    }

    pub(crate) fn end_supervision(&self, index: ReaderIndex) {
        lock(&self.upkeep.supervised).remove(&index);
    }

    /// The worker that may be restarted whose history begins first, and where that is.
    pub(crate) fn pinned_by_supervision(&self) -> Option<(&'static str, u64)> {
        let supervised = lock(&self.upkeep.supervised);
        supervised.values().map(|supervised| (supervised.worker, supervised.began)).min_by_key(|(_, began)| *began)
    }

    /// The worker of reader `index` begins again, and repeats what it did up to the message in hand, that one included.
    /// If it is dead it is stepped over. What the worker has sent is found before `limit`. Returns where it begins.
    pub(crate) fn repeat_from_beginning(
        &self,
        index: ReaderIndex,
        position: u64,
        in_hand: Option<(u64, bool)>,
        limit: u64,
    ) -> Option<u64> {
        let mut all = lock(&self.upkeep.supervised);
        let supervised = all.get_mut(&index)?;
        // SAFETY: the reader stands there, and gates it.
        let behind = in_hand.and_then(|(at, _)| unsafe { self.behind(at) });
        if let Some((at, true)) = in_hand {
            supervised.dead.insert(at);
        }
        // What it was to repeat when it broke is still to be repeated.
        let before = self.rebuilds().of(index).map_or(0, |rebuild| rebuild.end());
        let began = supervised.began;
        let end = behind.unwrap_or(position).max(before);
        let until = supervised.dead.last().map_or(end, |last| end.max(last + 1));
        if until == began && !supervised.loaded {
            self.end_rebuild(index);
        } else {
            let rebuild = Rebuild::of_sources(supervised.sources.clone(), began, end);
            let rebuild = rebuild.without(supervised.dead.clone()).sent_between(supervised.sent_from, limit);
            let rebuild = if supervised.loaded { rebuild.muted() } else { rebuild };
            self.begin_rebuild(index, rebuild.until(until));
        }
        Some(began)
    }

    /// The positions from `from` on of the messages that earlier letters call dead for a worker, whose reader begins
    /// there or before.
    pub(crate) fn dead_of(&self, worker: &str, from: u64, tail: u64) -> BTreeSet<u64> {
        let (mut dead, mut at) = (BTreeSet::new(), from);
        while at < tail {
            // SAFETY: the worker's reader gates it, and this goes from slot to slot.
            match unsafe { self.slots().observe(at) } {
                Seen::Message(header) => {
                    at += self.slots().slot_len(header.size as usize);
                    // SAFETY: as above.
                    let letter = letter_of(&header, &unsafe { self.slots().payload(&header) });
                    dead.extend(letter.filter(|letter| letter.worker == worker).map(|letter| letter.position));
                }
                Seen::Sealed { len, .. } => at += len,
                // Of this life, in which no letter was written yet.
                Seen::Open { .. } | Seen::Corrupt => break,
            }
        }
        dead.split_off(&from)
    }
}

/// The letter that a message is.
pub(super) fn letter_of(header: &Header, payload: &[u8]) -> Option<DeadLetter> {
    let is_letter = (header.source, header.message) == (Supervisor::ID, DeadLetter::ID);
    is_letter.then(|| DeadLetter::try_deserialize_from(payload).ok()).flatten()
}
