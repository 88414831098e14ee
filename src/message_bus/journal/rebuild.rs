//! A rebuild: history is handled again, and what handlers send is not written but compared with what they had sent.
//!
//! Each message that a handler sent names its cause, the message in whose handling it was sent. So as a worker is
//! handed its history once more, the messages it had sent come by in the same order, and the first one that is
//! different, or missing, or too many, shows a handler that no longer behaves as it did. Where the record ends, the
//! process died: from there on what handlers send is written.
//!
//! Sends without a cause (timers, loops, starts) are not compared. While history is replayed they are dropped, because
//! they are in it.

use super::slots::JournalSlots;
use crate::message_bus::ring::control::{READERS, ReaderIndex};
use crate::message_bus::ring::slot::{Seen, Slots};
use crate::routing::{self, Table};
use crate::sync::{AtomicU64, CachePadded, Mutex, Ordering, lock};
use crate::traits::{Divergence, EncodeError, Handler, Header, Payload, Space, Supervisor, WriteError};
use std::collections::{BTreeMap, BTreeSet};

/// The handlers of a worker: what it sent has one of these sources.
pub(crate) type Sources = Vec<(u16, &'static str)>;

/// The state of one worker's rebuild.
#[derive(Clone, Debug)]
pub(crate) struct Rebuild {
    sources: Sources,
    /// Where history ends: from there on the worker sends in earnest.
    end: u64,
    /// Where the reader is done with it, because no message behind is dead.
    until: u64,
    /// Behind it stands nothing that the worker has sent.
    limit: u64,
    /// Whether what is sent without a cause was sent before.
    mutes: bool,
    /// The positions of messages that are not handled again, and whose sends are not either.
    dead: BTreeSet<u64>,
    /// Where to look for the next message that the worker had sent.
    at: u64,
    /// The next one, and its cause.
    next: Option<(Header, u64)>,
    /// The latest cause. An earlier one comes again when its message was handled twice: it has been compared.
    cause: u64,
    /// Whether that has happened, and nothing newer was handled since: then what has the latest cause comes again, too.
    again: bool,
}

impl Rebuild {
    /// The rebuild of the worker of this name. `None` if the table does not say who its handlers are, or if one of them
    /// is in another worker, too: then nobody knows who sent what.
    pub(crate) fn new(table: &'static Table<'static>, worker: &str, from: u64, end: u64) -> Option<Rebuild> {
        Some(Rebuild::of_sources(table.sources_of(worker)?, from, end).muted())
    }

    /// A rebuild from `from` to `end`.
    pub(crate) fn of_sources(sources: Sources, from: u64, end: u64) -> Rebuild {
        let (dead, mutes) = (BTreeSet::new(), end > from);
        let mut rebuild =
            Rebuild { sources, end, until: end, limit: end, mutes, dead, at: 0, next: None, cause: 0, again: false };
        rebuild.begin_at(from);
        rebuild
    }

    /// Begins at `from`, before anything was handled.
    fn begin_at(&mut self, from: u64) {
        // What a message before it had caused is not sent again, wherever it stands.
        (self.at, self.cause) = (from, from - 1);
    }

    /// What is sent without a cause was sent before, however short the history is.
    pub(crate) fn muted(self) -> Rebuild {
        Rebuild { mutes: true, ..self }
    }

    /// These messages are stepped over.
    pub(crate) fn without(self, dead: BTreeSet<u64>) -> Rebuild {
        Rebuild { dead, ..self }
    }

    /// Up to here the reader asks whether a message is dead.
    pub(crate) fn until(self, until: u64) -> Rebuild {
        Rebuild { until, ..self }
    }

    /// What was sent is found here.
    pub(crate) fn sent_between(self, at: u64, limit: u64) -> Rebuild {
        Rebuild { at, limit, ..self }
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Where the reader is done with it.
    pub(crate) fn done(&self) -> u64 {
        self.until
    }

    /// A handler sends `bytes` where it had sent `due`.
    fn repeat(
        &self,
        slots: &JournalSlots,
        cause: u64,
        due: (Header, u64),
        source: u16,
        message: u16,
        bytes: &[u8],
    ) -> Result<(), WriteError> {
        let (header, its_cause) = due;
        let is_due = its_cause == cause;
        let is_same = is_due
            && (header.source, header.message) == (source, message)
            && payload_of(slots, &header, |expected| expected == bytes);
        if is_same {
            return Ok(());
        }
        let expected = is_due.then(|| sent(slots, &header));
        Err(self.diverged(cause, source, expected, Some((message, bytes.to_vec()))))
    }

    /// Before which cause nothing is left to be sent again, once it is known what comes next.
    fn quiet_until(&self) -> u64 {
        self.next.map_or(if self.at < self.limit { 0 } else { u64::MAX }, |(_, cause)| cause)
    }

    /// The message at `handled` is handled: was everything sent again that had been?
    fn settle(&mut self, slots: &JournalSlots, handled: u64) -> Result<(), WriteError> {
        if handled >= self.end {
            return Ok(());
        }
        match self.next_sent(slots) {
            Some((header, cause)) if cause <= handled => {
                Err(self.diverged(cause, header.source, Some(sent(slots, &header)), None))
            }
            _ => Ok(()),
        }
    }

    fn diverged(
        &self,
        position: u64,
        source: u16,
        expected: Option<(u16, Vec<u8>)>,
        actual: Option<(u16, Vec<u8>)>,
    ) -> WriteError {
        let name = self.sources.iter().find(|(id, _)| *id == source).map_or("", |(_, name)| *name);
        let handler = routing::short(name);
        WriteError::Diverged(Box::new(Divergence { position, source, handler, expected, actual }))
    }

    /// As [`next_sent`](Self::next_sent), for whoever sends it again.
    fn take_sent(&mut self, slots: &JournalSlots) -> Option<(Header, u64)> {
        self.next_sent(slots)?;
        self.next.take()
    }

    /// Takes back that this was sent again.
    fn put_back(&mut self, (header, cause): (Header, u64)) {
        (self.at, self.cause, self.next) = (header.position, cause, None);
    }

    /// The next message that the worker had sent in handling one, and its cause. It lies ahead of what the worker is
    /// handling, so the worker's reader keeps it where it is.
    fn next_sent(&mut self, slots: &JournalSlots) -> Option<(Header, u64)> {
        while self.next.is_none() && self.at < self.limit {
            let position = self.at;
            // SAFETY: the worker's reader gates it, as said above, and goes from slot to slot, as this does.
            match unsafe { slots.observe(position) } {
                Seen::Message(header) => {
                    self.at += slots.slot_len(header.size as usize);
                    if !self.sources.iter().any(|(id, _)| *id == header.source) {
                        continue;
                    }
                    // SAFETY: it was seen there, and is gated still.
                    let cause = unsafe { slots.record(position) }.cause();
                    if cause != 0 && !self.dead.contains(&cause) {
                        self.again = cause < self.cause || self.again && cause == self.cause;
                        if !self.again {
                            self.cause = cause;
                            self.next = Some((header, cause));
                        }
                    }
                }
                Seen::Sealed { len, .. } => self.at += len,
                // Recovery has left none in what was there before, and who begins again has waited for the others.
                Seen::Open { .. } | Seen::Corrupt => self.at = self.limit,
            }
        }
        self.next
    }
}

/// A worker that may be restarted.
#[derive(Debug)]
pub(crate) struct Supervised {
    pub(crate) worker: &'static str,
    pub(crate) sources: Sources,
    /// Where its handlers were kept last in this run, or else began.
    pub(crate) began: u64,
    /// Before it stands nothing that they have sent in handling what they are handed again.
    pub(crate) sent_from: u64,
    /// Whether they are loaded there.
    pub(crate) loaded: bool,
    /// The positions of the messages that are dead for it, from `began` on.
    pub(crate) dead: BTreeSet<u64>,
}

/// The rebuilds that are under way, by reader.
#[derive(Debug)]
pub(crate) struct Rebuilds {
    all: Mutex<BTreeMap<ReaderIndex, Rebuild>>,
    /// By reader: what its worker had sent and has not sent again yet has this cause or a later one. So who handles
    /// what comes before takes no lock for it.
    quiet_until: [CachePadded<AtomicU64>; READERS],
}

impl Rebuilds {
    pub(crate) fn new() -> Rebuilds {
        let quiet_until = std::array::from_fn(|_| CachePadded::new(AtomicU64::new(0)));
        Rebuilds { all: Mutex::new(BTreeMap::new()), quiet_until }
    }

    pub(crate) fn begin(&self, index: ReaderIndex, rebuild: Rebuild) {
        // Relaxed, here and below: only the reader's worker goes by it.
        self.quiet_until[index.number()].store(0, Ordering::Relaxed);
        lock(&self.all).insert(index, rebuild);
    }

    /// The one of reader `index`, as it stands.
    pub(crate) fn of(&self, index: ReaderIndex) -> Option<Rebuild> {
        lock(&self.all).get(&index).cloned()
    }

    /// Where the next message stands, from `position` on, that the worker of reader `index` steps over, or else where
    /// its reader is done with it.
    pub(crate) fn alive_until(&self, index: ReaderIndex, position: u64) -> u64 {
        let next = |rebuild: &Rebuild| rebuild.dead.range(position..).next().copied().unwrap_or(rebuild.until);
        lock(&self.all).get(&index).map_or(position + 1, next)
    }

    pub(crate) fn end(&self, index: ReaderIndex) {
        lock(&self.all).remove(&index);
    }

    /// The rebuild of reader `index`, of which nothing was handled, begins at `from` instead: these are dead, too.
    pub(crate) fn repeat_from(&self, index: ReaderIndex, from: u64, dead: BTreeSet<u64>) {
        if let Some(rebuild) = lock(&self.all).get_mut(&index) {
            rebuild.begin_at(from);
            rebuild.dead.extend(dead);
        }
    }

    /// The worker of reader `index` sends `payload`, handling what stands at `cause`: it is compared with what it had
    /// sent. `None`: this has not been sent yet, so it is to be.
    #[cold]
    pub(crate) fn repeat<P: Payload>(
        &self,
        slots: &JournalSlots,
        index: ReaderIndex,
        cause: u64,
        source: u16,
        message: u16,
        payload: &mut P,
    ) -> Option<Result<(), WriteError>> {
        let encoded = payload.as_encoded();
        let due = {
            let mut rebuilds = lock(&self.all);
            let rebuild = rebuilds.get_mut(&index)?;
            // A letter is the library's, and new.
            if source == Supervisor::ID || cause >= rebuild.end {
                return None;
            }
            if cause == 0 {
                return rebuild.mutes.then_some(Ok(()));
            }
            let due = rebuild.take_sent(slots)?;
            if let Some(bytes) = encoded {
                return Some(rebuild.repeat(slots, cause, due, source, message, bytes));
            }
            due
        };
        // Without the lock: how it becomes bytes is the user's, and may send something, too.
        let unsent = PutBack { rebuilds: self, index, due };
        let bytes = match encode(payload) {
            Ok(bytes) => bytes,
            Err(error) => return Some(Err(WriteError::Encode(error))),
        };
        std::mem::forget(unsent);
        let rebuilds = lock(&self.all);
        Some(rebuilds.get(&index)?.repeat(slots, cause, due, source, message, &bytes))
    }

    /// The worker of reader `index` has handled what stands at `handled`: was everything sent again that had been?
    #[cold]
    pub(crate) fn settle(&self, slots: &JournalSlots, index: ReaderIndex, handled: u64) -> Result<(), WriteError> {
        if handled < self.quiet_until[index.number()].load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut all = lock(&self.all);
        let Some(rebuild) = all.get_mut(&index) else { return Ok(()) };
        rebuild.settle(slots, handled)?;
        self.quiet_until[index.number()].store(rebuild.quiet_until(), Ordering::Relaxed);
        Ok(())
    }
}

/// What was to be sent again is still to be, unless this is forgotten.
struct PutBack<'a> {
    rebuilds: &'a Rebuilds,
    index: ReaderIndex,
    due: (Header, u64),
}

impl Drop for PutBack<'_> {
    fn drop(&mut self) {
        if let Some(rebuild) = lock(&self.rebuilds.all).get_mut(&self.index) {
            rebuild.put_back(self.due);
        }
    }
}

/// Lends a payload that the worker had sent to `f`.
fn payload_of<R>(slots: &JournalSlots, header: &Header, f: impl FnOnce(&[u8]) -> R) -> R {
    // SAFETY: `next_sent` has seen it; and it lies ahead of what the worker is handling, whose reader gates it.
    f(&unsafe { slots.payload(header) })
}

/// A message that the worker had sent: its id and its payload.
fn sent(slots: &JournalSlots, header: &Header) -> (u16, Vec<u8>) {
    (header.message, payload_of(slots, header, <[u8]>::to_vec))
}

/// The payload's bytes, put where it would find them in a journal: aligned to 16.
fn encode<P: Payload>(payload: &mut P) -> Result<Vec<u8>, EncodeError> {
    const ALIGN: usize = 16;
    let size = payload.size();
    let mut memory = vec![0; size + ALIGN];
    let start = memory.as_ptr().align_offset(ALIGN).min(ALIGN);
    Space::lend(&mut memory[start..start + size], |space| payload.fill(space))?;
    memory.truncate(start + size);
    memory.drain(..start);
    Ok(memory)
}
