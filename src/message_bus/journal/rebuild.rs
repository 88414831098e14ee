//! A rebuild: history is handled again, and what handlers send is not written but compared with what they had sent.
//!
//! Each message that a handler sent names its cause, the message in whose handling it was sent. So as a worker is
//! handed its history once more, the messages it had sent come by in the same order, and the first one that is
//! different, or missing, or too many, shows a handler that no longer behaves as it did. Where the record ends, the
//! process died: from there on what handlers send is written.
//!
//! Sends without a cause (timers, loops, starts) are not compared. While history is replayed they are dropped, because
//! they are in it.

use super::slots::{JournalSlots, Record};
use crate::message_bus::ring::control::{READERS, ReaderIndex};
use crate::message_bus::ring::slot::{Seen, Slots};
use crate::routing::{self, Table};
use crate::sync::{Arc, AtomicU64, CachePadded, Mutex, Ordering, lock};
use crate::traits::{Divergence, Handler, Header, Payload, Space, Supervisor, WriteError};
use std::cell::{Cell, Ref, RefCell};
use std::collections::{BTreeMap, BTreeSet};

/// The handlers of a worker: what it sent has one of these sources.
pub(crate) type Sources = Vec<(u16, &'static str)>;

/// One worker's rebuild, as it begins.
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
    /// Where to look for the first message that the worker had sent.
    at: u64,
    /// What has an earlier cause is not sent again, wherever it stands.
    cause: u64,
}

/// A message that the worker had sent.
#[derive(Clone, Copy, Debug)]
struct Due {
    position: u64,
    /// The message in whose handling it was sent.
    cause: u64,
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
        Rebuild { sources, end, until: end, limit: end, mutes, dead, at: 0, cause: 0 }.begin_at(from)
    }

    /// Begins at `from`, before anything was handled.
    fn begin_at(self, from: u64) -> Rebuild {
        // What a message before it had caused is not sent again.
        Rebuild { at: from, cause: from - 1, ..self }
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

    /// A handler sends `bytes` where it had sent what has this header, in handling what stands at `its_cause`. A header
    /// that is nowhere to be found is a difference, too.
    #[inline]
    fn compare(
        &self,
        slots: &JournalSlots,
        cause: u64,
        (header, its_cause): (Option<Header>, u64),
        (source, message, bytes): (u16, u16, &[u8]),
    ) -> Result<(), WriteError> {
        let expected = header.filter(|_| its_cause == cause);
        let is_same = expected.is_some_and(|header| {
            (header.source, header.message) == (source, message)
                && payload_of(slots, &header, |expected| expected == bytes)
        });
        if is_same {
            return Ok(());
        }
        Err(self.diverged(slots, cause, source, expected.as_ref(), Some((message, bytes))))
    }

    #[cold]
    #[inline(never)]
    fn diverged(
        &self,
        slots: &JournalSlots,
        position: u64,
        source: u16,
        expected: Option<&Header>,
        actual: Option<(u16, &[u8])>,
    ) -> WriteError {
        let expected = expected.map(|header| (header.message, payload_of(slots, header, <[u8]>::to_vec)));
        let actual = actual.map(|(message, bytes)| (message, bytes.to_vec()));
        let name = self.sources.iter().find(|(id, _)| *id == source).map_or("", |(_, name)| *name);
        let handler = routing::short(name);
        WriteError::Diverged(Box::new(Divergence { position, source, handler, expected, actual }))
    }

    /// The next message that the worker had sent in handling one.
    #[inline]
    fn next_sent(&self, slots: &JournalSlots, standing: &Standing, known: &Known) -> Option<Due> {
        standing.due().or_else(|| self.look_ahead(slots, standing, known))
    }

    /// Looks for the next message that the worker had sent in handling one. It lies ahead of what the worker is
    /// handling, so the worker's reader keeps it where it is.
    #[inline(never)]
    fn look_ahead(&self, slots: &JournalSlots, standing: &Standing, known: &Known) -> Option<Due> {
        let Standing { at, next, cause, again, quiet_until, .. } = standing;
        // In registers until the end.
        let mut due = None;
        let [mut place, mut latest, again_before] = [at, cause, again].map(|word| word.load(Ordering::Relaxed));
        let mut comes_again = again_before != 0;
        // SAFETY: the worker's reader gates what it looks at, as said above, and goes from slot to slot, as this does.
        let look = unsafe { slots.looker() };
        while due.is_none() && place < self.limit {
            let position = place;
            match look(position) {
                (Some(slot), Seen::Message(header)) => {
                    place += slots.slot_len(header.size as usize);
                    if !self.sources.iter().any(|(id, _)| *id == header.source) {
                        continue;
                    }
                    let cause = Record::of(slot).cause();
                    if cause != 0 && !self.dead.contains(&cause) {
                        comes_again = cause < latest || comes_again && cause == latest;
                        if !comes_again {
                            (latest, due) = (cause, Some(Due { position, cause }));
                            known.found.set(Some(header));
                        }
                    }
                }
                (_, Seen::Sealed { len, .. }) => place += len,
                // Recovery has left none in what was there before, and who begins again has waited for the others.
                (_, Seen::Open { .. } | Seen::Corrupt) | (None, _) => place = self.limit,
            }
        }
        let (found, quiet) = due.map_or((0, u64::MAX), |due| (due.position, due.cause));
        at.store(place, Ordering::Relaxed);
        next.store(found, Ordering::Relaxed);
        cause.store(latest, Ordering::Relaxed);
        again.store(u64::from(comes_again), Ordering::Relaxed);
        quiet_until.store(quiet, Ordering::Relaxed);
        due
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
    all: Mutex<BTreeMap<ReaderIndex, Arc<Rebuild>>>,
    /// By reader.
    standings: [CachePadded<Standing>; READERS],
}

/// How far the rebuild of a reader's worker has come, for the writers of that worker.
///
/// Relaxed, all of it: only the reader's worker goes by it. What it sends in several threads at a time has no order in
/// which it could be compared; and no word here is believed to be a length, or to be of the same moment as another.
#[derive(Debug)]
struct Standing {
    /// How many rebuilds this reader has had, by which a writer sees that it knows an older one.
    number: AtomicU64,
    /// Where to look for the next message that the worker had sent.
    at: AtomicU64,
    /// Where it stands, or 0 while nobody has looked; then it has the cause below.
    next: AtomicU64,
    /// The latest cause. An earlier one comes again when its message was handled twice: it has been compared.
    cause: AtomicU64,
    /// Whether that has happened, and nothing newer was handled since: then what has the latest cause comes again, too.
    again: AtomicU64,
    /// What the worker had sent and has not sent again yet has this cause or a later one. So who handles what comes
    /// before looks no further.
    quiet_until: AtomicU64,
}

impl Standing {
    fn new() -> Standing {
        let [number, at, next, cause, again, quiet_until] = std::array::from_fn(|_| AtomicU64::new(0));
        Standing { number, at, next, cause, again, quiet_until }
    }

    /// Nothing is sent again yet.
    fn begin(&self, rebuild: &Rebuild) {
        self.go_back(rebuild.at, rebuild.cause);
        self.again.store(0, Ordering::Relaxed);
    }

    /// What stands at `at` is not sent again yet.
    fn go_back(&self, at: u64, cause: u64) {
        self.take();
        self.at.store(at, Ordering::Relaxed);
        self.cause.store(cause, Ordering::Relaxed);
    }

    /// The next message that the worker had sent, if it was looked for.
    #[inline]
    fn due(&self) -> Option<Due> {
        let [next, cause] = [&self.next, &self.cause].map(|word| word.load(Ordering::Relaxed));
        (next != 0).then_some(Due { position: next, cause })
    }

    /// What was due is sent again: what comes next nobody knows.
    #[inline]
    fn take(&self) {
        self.next.store(0, Ordering::Relaxed);
        self.quiet_until.store(0, Ordering::Relaxed);
    }
}

/// What a worker's writer knows of its rebuild, so that it asks once for each.
#[derive(Debug, Default)]
pub struct Known {
    number: Cell<u64>,
    rebuild: RefCell<Option<Arc<Rebuild>>>,
    /// What it has found last.
    found: Cell<Option<Header>>,
}

impl Known {
    /// The header of the message at `position`, which was found there.
    #[inline]
    fn header(&self, slots: &JournalSlots, position: u64) -> Option<Header> {
        match self.found.get() {
            Some(header) if header.position == position => Some(header),
            // Another writer of the worker has found it, or something was found since: a fill sends, too.
            // SAFETY: a message was seen there, ahead of what the worker is handling, whose reader gates it.
            _ => match unsafe { slots.observe(position) } {
                Seen::Message(header) => Some(header),
                _ => None,
            },
        }
    }
}

impl Rebuilds {
    pub(crate) fn new() -> Rebuilds {
        let standings = std::array::from_fn(|_| CachePadded::new(Standing::new()));
        Rebuilds { all: Mutex::new(BTreeMap::new()), standings }
    }

    #[inline]
    fn standing(&self, index: ReaderIndex) -> &Standing {
        &self.standings[index.number()]
    }

    pub(crate) fn begin(&self, index: ReaderIndex, rebuild: Rebuild) {
        let (mut all, standing) = (lock(&self.all), self.standing(index));
        standing.begin(&rebuild);
        standing.number.fetch_add(1, Ordering::Relaxed);
        all.insert(index, Arc::new(rebuild));
    }

    /// The one of reader `index`, as it began.
    pub(crate) fn of(&self, index: ReaderIndex) -> Option<Rebuild> {
        lock(&self.all).get(&index).map(|rebuild| Rebuild::clone(rebuild))
    }

    /// Where the next message stands, from `position` on, that the worker of reader `index` steps over, or else where
    /// its reader is done with it.
    pub(crate) fn alive_until(&self, index: ReaderIndex, position: u64) -> u64 {
        let next = |rebuild: &Arc<Rebuild>| rebuild.dead.range(position..).next().copied().unwrap_or(rebuild.until);
        lock(&self.all).get(&index).map_or(position + 1, next)
    }

    pub(crate) fn end(&self, index: ReaderIndex) {
        lock(&self.all).remove(&index);
    }

    /// The rebuild of reader `index`, of which nothing was handled, begins at `from` instead: these are dead, too.
    pub(crate) fn repeat_from(&self, index: ReaderIndex, from: u64, dead: BTreeSet<u64>) {
        if let Some(mut rebuild) = self.of(index) {
            rebuild.dead.extend(dead);
            self.begin(index, rebuild.begin_at(from));
        }
    }

    /// The rebuild of reader `index`, for the writer that has `known`.
    #[inline]
    fn known<'a>(&self, index: ReaderIndex, known: &'a Known) -> Option<Ref<'a, Rebuild>> {
        if known.number.get() != self.standing(index).number.load(Ordering::Relaxed) {
            self.ask(index, known);
        }
        Ref::filter_map(known.rebuild.borrow(), Option::as_deref).ok()
    }

    #[cold]
    #[inline(never)]
    fn ask(&self, index: ReaderIndex, known: &Known) {
        let all = lock(&self.all);
        known.number.set(self.standing(index).number.load(Ordering::Relaxed));
        *known.rebuild.borrow_mut() = all.get(&index).cloned();
    }

    /// The worker of reader `index` sends `payload`, handling what stands at `cause`: it is compared with what it had
    /// sent. `None`: this has not been sent yet, so it is to be.
    #[cold]
    #[allow(clippy::too_many_arguments, reason = "a message is that much")]
    pub(crate) fn repeat<P: Payload>(
        &self,
        slots: &JournalSlots,
        index: ReaderIndex,
        known: &Known,
        cause: u64,
        source: u16,
        message: u16,
        payload: &mut P,
    ) -> Option<Result<(), WriteError>> {
        let (encoded, standing) = (payload.as_encoded(), self.standing(index));
        let due = {
            let rebuild = self.known(index, known)?;
            // A letter is the library's, and new.
            if source == Supervisor::ID || cause >= rebuild.end {
                return None;
            }
            if cause == 0 {
                return rebuild.mutes.then_some(Ok(()));
            }
            rebuild.next_sent(slots, standing, known)?
        };
        standing.take();
        if let Some(bytes) = encoded {
            return self.compare(slots, index, known, cause, due, (source, message, bytes));
        }
        // How it becomes bytes is the user's, and may send something, too.
        let unsent = PutBack { standing, due };
        let size = payload.size();
        let (mut small, mut large) = (Aligned([0; SMALL]), Vec::new());
        let bytes = if size <= SMALL { &mut small.0[..size] } else { aligned(&mut large, size) };
        if let Err(error) = Space::lend(&mut *bytes, |space| payload.fill(space)) {
            return Some(Err(WriteError::Encode(error)));
        }
        std::mem::forget(unsent);
        self.compare(slots, index, known, cause, due, (source, message, bytes))
    }

    /// The worker of reader `index` has sent this, handling what stands at `cause`, where it had sent what was `due`.
    #[inline]
    #[allow(clippy::too_many_arguments, reason = "a message is that much")]
    fn compare(
        &self,
        slots: &JournalSlots,
        index: ReaderIndex,
        known: &Known,
        cause: u64,
        due: Due,
        sent: (u16, u16, &[u8]),
    ) -> Option<Result<(), WriteError>> {
        let (rebuild, standing) = (self.known(index, known)?, self.standing(index));
        let header = known.header(slots, due.position);
        let compared = rebuild.compare(slots, cause, (header, due.cause), sent);
        // What comes next is known then to whoever asks at the end of the message.
        rebuild.next_sent(slots, standing, known);
        Some(compared)
    }

    /// The worker of reader `index` has handled what stands at `handled`: was everything sent again that had been?
    #[inline]
    pub(crate) fn settle(
        &self,
        slots: &JournalSlots,
        index: ReaderIndex,
        known: &Known,
        handled: u64,
    ) -> Result<(), WriteError> {
        if handled < self.standing(index).quiet_until.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.look_and_settle(slots, index, known, handled)
    }

    #[cold]
    #[inline(never)]
    fn look_and_settle(
        &self,
        slots: &JournalSlots,
        index: ReaderIndex,
        known: &Known,
        handled: u64,
    ) -> Result<(), WriteError> {
        let Some(rebuild) = self.known(index, known).filter(|rebuild| handled < rebuild.end) else { return Ok(()) };
        let standing = self.standing(index);
        match rebuild.next_sent(slots, standing, known) {
            Some(due) if due.cause <= handled => {
                let header = known.header(slots, due.position);
                let source = header.map_or(0, |header| header.source);
                Err(rebuild.diverged(slots, due.cause, source, header.as_ref(), None))
            }
            _ => Ok(()),
        }
    }
}

/// What was to be sent again is still to be, unless this is forgotten.
struct PutBack<'a> {
    standing: &'a Standing,
    due: Due,
}

impl Drop for PutBack<'_> {
    fn drop(&mut self) {
        self.standing.go_back(self.due.position, self.due.cause);
    }
}

/// Lends a payload that the worker had sent to `f`.
#[inline]
fn payload_of<R>(slots: &JournalSlots, header: &Header, f: impl FnOnce(&[u8]) -> R) -> R {
    // SAFETY: it was seen there; and it lies ahead of what the worker is handling, whose reader gates it.
    f(&unsafe { slots.payload(header) })
}

/// What has at most so many bytes is encoded on the stack.
const SMALL: usize = 128;

/// Bytes where a payload would find them in a journal: aligned to 16.
#[repr(align(16))]
struct Aligned([u8; SMALL]);

/// As [`Aligned`], `size` of them.
fn aligned(memory: &mut Vec<u8>, size: usize) -> &mut [u8] {
    const ALIGN: usize = align_of::<Aligned>();
    memory.resize(size + ALIGN, 0);
    let start = memory.as_ptr().align_offset(ALIGN).min(ALIGN);
    &mut memory[start..start + size]
}
