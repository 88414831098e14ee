//! What is known of origins while a journal is open: what was imported last, and what the slots say of it.

use super::origin::{self, ACCOUNTED, LAST, ORIGIN_COUNT};
use super::slots::JournalSlots;
use super::word::checked;
use crate::message_bus::ring::slot::{Seen, Slots};
use crate::sync::{AtomicU64, Mutex, Ordering, lock};
use std::io;

/// Which of the words is that of what comes again.
pub(crate) const AGAIN: u8 = ORIGIN_COUNT as u8;

/// What was imported last, by entry.
pub(crate) type Lasts = [Option<u64>; ORIGIN_COUNT];

/// The origins of a journal that is open.
#[derive(Debug)]
pub(crate) struct Origins {
    /// Not zero: the table has an entry, so that syncs look for what was imported.
    pub(super) used: AtomicU64,
    /// The word of the cause of what the importer of an entry is about to write; and behind those, of what comes again.
    pub(super) words: [AtomicU64; ORIGIN_COUNT + 1],
    /// What recovery has found in slots, and no sync has stored yet.
    pub(super) found: Mutex<Lasts>,
    pub(super) state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) lasts: Lasts,
    pub(super) is_open: [bool; ORIGIN_COUNT],
    /// Why nobody knows what was imported last.
    pub(super) failed: [Option<io::ErrorKind>; ORIGIN_COUNT],
}

impl Origins {
    pub(crate) fn new() -> Origins {
        let words = std::array::from_fn(|_| AtomicU64::new(0));
        Origins {
            used: AtomicU64::new(0),
            words,
            found: Mutex::new([None; ORIGIN_COUNT]),
            state: Mutex::new(State::default()),
        }
    }

    /// Whether there may be messages from elsewhere.
    pub(crate) fn are_used(&self) -> bool {
        self.used.load(Ordering::Relaxed) != 0
    }

    /// The word of a cause for what the importer of `entry` writes, or for what comes [`AGAIN`].
    pub(crate) fn word(&self, entry: u8) -> u64 {
        self.words[usize::from(entry)].load(Ordering::Relaxed)
    }
}

/// Goes through the slots of a journal and says what each origin's last one is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Walked {
    pub(crate) lasts: Lasts,
    pub(crate) is_named: [bool; ORIGIN_COUNT],
    /// Whether a slot names an entry that the table cannot have.
    pub(crate) is_unknown: bool,
}

impl Walked {
    pub(crate) fn note(&mut self, origin: Option<(usize, u64)>) {
        let Some((entry, position)) = origin else { return };
        match self.lasts.get_mut(entry) {
            Some(last) => {
                *last = (*last).max(Some(position));
                self.is_named[entry] = true;
            }
            None => self.is_unknown = true,
        }
    }
}

/// What was imported last into the finished slots from `from` to `to`, and where the first one begins that is not
/// finished.
pub(crate) fn imported(slots: &JournalSlots, from: u64, to: u64) -> (Walked, u64) {
    let mut walked = Walked::default();
    let mut at = from;
    while at < to {
        // SAFETY: from one slot to the next, finished ones; positions are never used twice, and retention gives back
        // only what a sync has gone over, which begins behind that.
        at = match unsafe { slots.observe(at) } {
            Seen::Message(header) => {
                // SAFETY: it was seen there, and as above.
                walked.note(unsafe { slots.record(at) }.origin());
                at + slots.slot_len(header.size as usize)
            }
            Seen::Sealed { len, .. } => at + len,
            Seen::Open { .. } | Seen::Corrupt => break,
        };
    }
    (walked, at)
}

impl Origins {
    /// Stores in the table what was imported last, of the slots from `from` to `to`, all of which are durable, and of
    /// what recovery has found. From then on the table accounts for what stands before `to`.
    pub(crate) fn account(&self, slots: &JournalSlots, from: u64, to: u64) {
        let (walked, _) = imported(slots, from, to);
        let found = std::mem::replace(&mut *lock(&self.found), [None; ORIGIN_COUNT]);
        let region = slots.region();
        for (entry, last) in walked.lasts.into_iter().zip(found).map(|(walked, found)| walked.max(found)).enumerate() {
            let at = origin::origin_at(entry) + LAST;
            if let Some(last) = last {
                let word = region.word(at as usize);
                let stored = origin::last_of(at, word.load(Ordering::Relaxed)).flatten();
                if stored < Some(last) {
                    word.store(origin::last_word(at, last), Ordering::Release); // SYNC POINT header.word
                }
            }
        }
        region.word(ACCOUNTED as usize).store(checked(ACCOUNTED, to), Ordering::Release); // SYNC POINT header.word
    }
}
