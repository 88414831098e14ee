//! The memory of a journal: slots that are never reused, and a file that grows under them.
//!
//! Where a ring waits for readers, a journal waits for the disk: a claim ends before what is **ready**, the part of the
//! reservation that has space. The keeper grows it ahead, and makes it present; a writer that comes too early grows a
//! little by itself, and is told when there is no space, before it has claimed anything.
//!
//! * **Law 1.** Nobody claims past `ready`, less the first words of a slot, at which readers look at the tail; and
//!   `ready` is moved (Release) after the bytes before it are usable.
//! * **Law 2.** A slot is acknowledged when its level of [`Sync`] is kept; it may be read before.
//! * **Law 3.** What retention gives back lies before the gate: no reader of this process still needs it.

use super::header::{self, PAGE, checked};
use super::keeper::{Call, Keeper};
use super::rebuild::{self, Rebuild};
use crate::message_bus::ring::claim::Role;
use crate::message_bus::ring::control::{self, Control};
use crate::message_bus::ring::gate::Gate;
use crate::message_bus::ring::slot::{Record, Seen, Slots, Strip};
use crate::message_bus::ring::store::Store;
use crate::mmap::{Backing, Region};
use crate::sync::{Arc, AtomicU64, CachePadded, Mutex, Ordering, lock};
use crate::traits::{Clock, Header, Payload, Time, WriteError};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::Duration;

/// What an acknowledged message survives. Whatever is chosen, it survives the death of the process: its bytes are the
/// system's from the moment they are written.
///
/// A power failure can lose any of the pages that were not synced, in any order. Without checksums
/// ([`PersistentOptions::crc`](crate::message_bus::PersistentOptions::crc)) a message of which one page was lost may
/// then be read with zeros in it; with them it is reported as damaged. What had been synced is whole in either case.
///
/// Opening a journal and closing it, which is dropping the last of its bus, readers and writers, sync what is there,
/// whatever is chosen: so what is missing later is known to have been there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// Nothing is synced: a power failure may lose what the system has not written yet, on Linux about the last 30
    /// seconds.
    #[default]
    None,
    /// Synced in the background: a power failure loses at most what was written in this time and the time that a sync
    /// takes.
    Interval(Duration),
    /// Synced by every so-manieth writer before it is acknowledged: a power failure loses at most so many messages,
    /// not counting those of writers that are at it at the same time.
    EveryN(u64),
    /// Synced before each message is acknowledged: a power failure loses none.
    Always,
}

/// What may be forgotten. Whatever is chosen, nothing is that a named cursor or a reader of this process that holds
/// others back has still before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Keep no more than so many bytes.
    pub size: Option<u64>,
    /// Forget what is older than that.
    pub age: Option<Duration>,
    /// Forget what every named cursor has passed. Without any named cursor nothing is forgotten by this rule.
    pub consumed: bool,
    /// Forget also what workers that this opening starts with [`Start::Rebuild`](crate::message_bus::Start::Rebuild)
    /// would be handed again. By default (`false`) they keep all of it: a rebuild needs the whole history, and once its
    /// beginning is gone the next one is refused with [`HistoryGone`](crate::traits::SubscribeError::HistoryGone).
    /// Forgets nothing by itself.
    pub past_rebuilds: bool,
}

impl Retention {
    pub(crate) fn forgets(&self) -> bool {
        let Retention { size, age, consumed, past_rebuilds: _ } = *self;
        size.is_some() || age.is_some() || consumed
    }
}

/// What retention came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retained {
    /// The oldest position that there is.
    pub from: u64,
    /// Bytes of disk given back by this call; 0 where the system cannot do that (it can on Linux).
    pub freed: u64,
    /// Who keeps more than the rules want to: the name of a cursor, of a reader, or of a worker that is rebuilt.
    pub pinned_by: Option<String>,
}

/// A journal in memory. A clone is the same journal.
#[derive(Clone)]
pub struct Log {
    strip: Strip,
    /// What a ring has in front of its slots: readers, writers, tail, sleepers. Not in the file.
    control: Region,
    /// How far claims may go, in bytes of slot, before they are counted one by one.
    reserve: u64,
    sync: Sync,
    depot: Arc<Depot>,
}

/// What is needed now and then.
struct Depot {
    backing: Box<dyn Backing>,
    /// Where the first slot of the file stands.
    first: u64,
    /// No slot ends behind it.
    capacity: u64,
    /// How much the file grows at a time.
    step: u64,
    ready: CachePadded<AtomicU64>,
    growing: Mutex<()>,
    /// Everything before it is present, or was written to before it could be. The keeper's alone.
    present: AtomicU64,
    /// Everything before it was finished when it was synced.
    synced: CachePadded<AtomicU64>,
    /// Where the next sync begins: at the start of the file, until the first one has been made.
    unsynced: AtomicU64,
    /// Messages acknowledged since the journal was opened; counted for [`Sync::EveryN`] only.
    acknowledged: AtomicU64,
    /// Why no sync can be believed any more.
    syncing: Mutex<Option<io::ErrorKind>>,
    retention: Retention,
    retaining: Mutex<()>,
    /// The worker that needs the whole history.
    rebuilt: Option<&'static str>,
    clock: std::sync::Arc<dyn Clock>,
    /// The time while so much is written that asking the clock for every message would be most of the cost; or 0.
    coarse: CachePadded<AtomicU64>,
    /// When a writer last came back for more room.
    limited: AtomicU64,
    rebuilds: Mutex<BTreeMap<usize, Rebuild>>,
    call: Arc<Call>,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("capacity", &self.depot.capacity).finish_non_exhaustive()
    }
}

/// How a [`Log`] is made.
pub(crate) struct Plan {
    pub(crate) backing: Box<dyn Backing>,
    pub(crate) strip: Strip,
    pub(crate) capacity: u64,
    pub(crate) step: u64,
    /// Where the file ends.
    pub(crate) ready: u64,
    pub(crate) first: u64,
    pub(crate) retained: u64,
    pub(crate) tail: u64,
    pub(crate) sync: Sync,
    pub(crate) retention: Retention,
    /// The worker that needs the whole history.
    pub(crate) rebuilt: Option<&'static str>,
    pub(crate) clock: std::sync::Arc<dyn Clock>,
}

/// What a reader looks at where the next slot will be: stamp and head.
pub(crate) const LOOK: u64 = 16;

/// How much is made present at a time: between two of these the keeper looks where the writers are.
const PIECE: u64 = 128 * 1024;

/// How much a writer claims until it looks around again.
const STRETCH: u64 = 1 << 20;
/// A writer that fills a stretch in less than this is busy: some hundred thousand messages per second.
const BUSY: Duration = Duration::from_millis(20);
/// Less than that in a tick is not.
const BUSY_TICK: u64 = 16 * 1024;

/// As much of a journal as fetch-and-add may overshoot into, if it is large enough for that.
const RESERVE: u64 = 64 * 1024;

impl Log {
    pub(crate) fn new(plan: Plan) -> io::Result<Log> {
        let Plan { backing, strip, capacity, step, ready, first, retained, tail, sync, retention, rebuilt, clock } =
            plan;
        let control = Region::anonymous(control::SIZE)?;
        Control(&control).begin(capacity, tail, strip.key());
        Control(&control).gate().store(retained, Ordering::Release);
        // What fetch-and-add takes must be a few slots at least for it to pay.
        let reserve = (capacity / 16).min(RESERVE);
        let reserve = if reserve / 16 < strip.slot_len(0) { 0 } else { reserve / 16 * 16 };
        let word = |value| CachePadded::new(AtomicU64::new(value));
        let depot = Depot {
            backing,
            first,
            capacity,
            step,
            ready: word(ready),
            growing: Mutex::new(()),
            present: AtomicU64::new(ready),
            synced: word(tail),
            unsynced: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            syncing: Mutex::new(None),
            retention,
            retaining: Mutex::new(()),
            rebuilt,
            clock,
            coarse: word(0),
            limited: AtomicU64::new(0),
            rebuilds: Mutex::new(BTreeMap::new()),
            call: Arc::new(Call::new()),
        };
        Ok(Log { strip, control, reserve, sync, depot: Arc::new(depot) })
    }

    fn region(&self) -> &Region {
        self.strip.region()
    }

    pub(crate) fn sync_level(&self) -> Sync {
        self.sync
    }

    pub(crate) fn call(&self) -> &Arc<Call> {
        &self.depot.call
    }

    fn gate(&self) -> Gate<'_, Log> {
        Gate::new(self)
    }

    fn tail(&self) -> u64 {
        self.control().tail().load(Ordering::Acquire) // SYNC POINT claim.tail
    }

    // --------------------------------------------------------------------------------------------------------- growing

    /// How far ahead of the tail the file is grown.
    fn ahead(&self) -> u64 {
        self.depot.step
    }

    /// Grows ahead if it is time to, and makes present what there is; what the keeper does. A disk that is full is left
    /// to the writer to report.
    ///
    /// A writer that is faster than pages are made goes on behind what is present, at the cost of a page fault for
    /// each: less than it takes to wait for somebody else.
    pub(crate) fn grow_ahead(&self) {
        let depot = &self.depot;
        loop {
            let tail = self.tail();
            let wanted = tail.saturating_add(self.ahead()).min(depot.capacity);
            if depot.ready.load(Ordering::Relaxed) < wanted {
                let _growing = lock(&depot.growing);
                let _ = self.grow(wanted, depot.step);
            }
            let ready = depot.ready.load(Ordering::Relaxed);
            let from = depot.present.load(Ordering::Relaxed).max(tail / PAGE * PAGE);
            if from >= ready {
                return;
            }
            let to = ready.min(from + PIECE);
            depot.backing.populate(self.region(), from as usize, to as usize);
            depot.present.store(to, Ordering::Relaxed);
        }
    }

    /// Has the file reach to `needed`, or `step` further if that can be had. Precondition: the lock is held.
    fn grow(&self, needed: u64, step: u64) -> Result<(), WriteError> {
        let depot = &self.depot;
        let ready = depot.ready.load(Ordering::Relaxed);
        if ready >= needed {
            return Ok(());
        }
        if needed > depot.capacity {
            return Err(WriteError::Exhausted { capacity: depot.capacity });
        }
        let ample = needed.max(ready + step).next_multiple_of(PAGE).min(depot.capacity);
        let scarce = needed.next_multiple_of(PAGE).min(depot.capacity);
        let grow = |to: u64| depot.backing.grow(self.region(), ready as usize, to as usize).map(|()| to);
        // With the disk nearly full a small step may still go.
        let grown = grow(ample).or_else(|error| if scarce < ample { grow(scarce) } else { Err(error) });
        let to = grown.map_err(|error| write_error(&error))?;
        self.store_checked(header::ALLOCATED, to);
        depot.ready.store(to, Ordering::Release); // SYNC POINT log.ready
        Ok(())
    }

    // ------------------------------------------------------------------------------------------------------------ time

    /// Keeps the time for writers that are busy, if they still are: if they have come far since `tail`. Returns where
    /// they are, or `None` if they ask the clock again.
    pub(crate) fn keep_time(&self, tail: u64) -> Option<u64> {
        let now = self.tail();
        let is_busy = now - tail >= BUSY_TICK;
        let time = if is_busy { self.depot.clock.now().as_nanos() } else { 0 };
        self.depot.coarse.store(time, Ordering::Relaxed);
        is_busy.then_some(now)
    }

    /// Writers ask the clock again.
    pub(crate) fn stop_time(&self) {
        self.depot.coarse.store(0, Ordering::Relaxed);
    }

    /// The time that is kept for writers, or 0.
    #[cfg(all(test, not(rust_messenger_loom)))]
    pub(crate) fn kept_time(&self) -> u64 {
        self.depot.coarse.load(Ordering::Relaxed)
    }

    pub(crate) fn store_checked(&self, offset: u64, value: u64) {
        self.region().word(offset as usize).store(checked(offset, value), Ordering::Release);
    }

    // --------------------------------------------------------------------------------------------------------- syncing

    /// Has everything that is committed survive a power failure. Returns up to where.
    pub(crate) fn sync(&self) -> Result<u64, io::ErrorKind> {
        self.sync_to(self.tail())
    }

    /// Has the committed slots before `end` survive a power failure, and whatever else is there.
    fn sync_to(&self, end: u64) -> Result<u64, io::ErrorKind> {
        let depot = &self.depot;
        let mut failed = lock(&depot.syncing);
        if let Some(kind) = *failed {
            return Err(kind);
        }
        let synced = depot.synced.load(Ordering::Relaxed);
        let unsynced = depot.unsynced.load(Ordering::Relaxed);
        if synced >= end && unsynced != 0 {
            return Ok(synced);
        }
        // Asked before the sync: what is finished later may not be in it. An unfinished slot ends what is known to be
        // whole, but the slot of whoever asks is in the sync wherever it stands.
        let (finished, tail) = (self.gate().finished_before(synced, self.tail()), self.tail());
        let from = unsynced / PAGE * PAGE;
        let to = tail.next_multiple_of(PAGE).min(depot.ready.load(Ordering::Acquire));
        let sync = |from: u64, to: u64| depot.backing.sync(self.region(), from as usize, to as usize);
        // The first page after the slots: a cursor must not survive what it has passed.
        let done = if from < to { sync(from, to) } else { Ok(()) }.and_then(|()| sync(0, PAGE));
        match done {
            Ok(()) => {
                depot.synced.store(finished, Ordering::Relaxed);
                depot.unsynced.store(finished, Ordering::Relaxed);
                self.store_checked(header::WHOLE, finished);
                Ok(finished)
            }
            Err(error) => {
                // The system may have dropped the pages and call them clean: no later sync says anything about them.
                *failed = Some(error.kind());
                Err(error.kind())
            }
        }
    }

    /// Has the words of the first page survive a power failure.
    fn sync_words(&self) -> io::Result<()> {
        let mut failed = lock(&self.depot.syncing);
        if let Some(kind) = *failed {
            return Err(kind.into());
        }
        self.depot.backing.sync(self.region(), 0, PAGE as usize).inspect_err(|error| *failed = Some(error.kind()))
    }

    /// Leaves the journal as one that was finished up to here, whatever its level of sync.
    pub(crate) fn close(&self) {
        if self.sync().is_ok() {
            // It says so after a power failure, too. Nobody is left to be told of a failure.
            let _ = self.sync_words();
        }
    }

    // ------------------------------------------------------------------------------------------------------- retention

    /// Forgets what may be forgotten, and gives its space back.
    pub(crate) fn retain(&self) -> io::Result<Retained> {
        let depot = &self.depot;
        // Without the lock: the clock is the user's.
        let now = depot.clock.now();
        let _retaining = lock(&depot.retaining);
        let cursors = self.cursors();
        let slowest = cursors.iter().min_by_key(|(_, position)| *position);
        let tail = self.tail();
        let Retention { size, age, consumed, past_rebuilds: _ } = depot.retention;
        let is_pinned =
            |position: u64| depot.rebuilt.is_some() || slowest.is_some_and(|(_, slowest)| position >= *slowest);
        let may_go = |position: u64| {
            let is_old = |age: Duration| match self.strip.observe(position) {
                Seen::Message(_) => Time::from_nanos(self.strip.record(position).time) + age < now,
                _ => true,
            };
            size.is_some_and(|size| tail - position > size)
                || age.is_some_and(is_old)
                || (consumed && slowest.is_some_and(|(_, slowest)| position < *slowest))
        };
        let before = self.control().gate().load(Ordering::Acquire);
        let from = self.gate().retain(|position| is_pinned(position) || !may_go(position));
        let mut pinned_by = None;
        if from < tail && may_go(from) {
            pinned_by = match (depot.rebuilt, slowest) {
                (Some(worker), _) => Some(worker.to_owned()),
                (None, Some((name, position))) if *position <= from => Some(name.clone()),
                _ => {
                    let readers = self.gate().stats(std::iter::empty()).readers;
                    readers.into_iter().min_by_key(|reader| reader.position).map(|reader| reader.name)
                }
            };
        }
        let mut freed = 0;
        if from != before {
            // First: whoever reads by position looks at it after it has copied what is given back now.
            self.store_checked(header::RETAINED, from);
        }
        let first = depot.first;
        let (hole, end) = (before.max(first) / PAGE * PAGE, from / PAGE * PAGE);
        let hole = hole.max(first.next_multiple_of(PAGE));
        if hole < end {
            // The word before the space: what is given back must not look like what was lost.
            self.sync_words()?;
            match depot.backing.punch(self.region(), hole as usize, end as usize) {
                Ok(()) => freed = end - hole,
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Retained { from, freed, pinned_by })
    }

    /// Where the first slot of the file stands, or stood.
    pub(crate) fn first(&self) -> u64 {
        self.depot.first
    }

    pub(crate) fn forgets(&self) -> bool {
        self.depot.retention.forgets()
    }

    // --------------------------------------------------------------------------------------------------------- cursors

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
        self.region().word(base as usize + header::CURSOR_NAME).store(check, Ordering::Release);
        Some(at)
    }

    /// Moves the cursor that keeps its position at `at`, unless `check` refuses, knowing gate and tail.
    pub(crate) fn move_cursor<E>(
        &self,
        at: u64,
        position: u64,
        check: impl FnOnce(u64, u64) -> Result<(), E>,
    ) -> Result<(), E> {
        // Retention goes by what it has read of the cursors, up to the end.
        let _retaining = lock(&self.depot.retaining);
        self.standing(check)?;
        self.store_checked(at, position);
        Ok(())
    }

    /// What `look` says, knowing gate and tail, while the gate stands still.
    pub(crate) fn standing<R>(&self, look: impl FnOnce(u64, u64) -> R) -> R {
        self.gate().standing(look)
    }

    /// Where the slot behind the one at `position` begins; `None` if no finished slot begins there.
    pub(crate) fn behind(&self, position: u64) -> Option<u64> {
        match self.strip.observe(position) {
            Seen::Message(header) => Some(position + self.strip.slot_len(header.size as usize)),
            Seen::Sealed { len, .. } => Some(position + len),
            Seen::Open { .. } => None,
        }
    }

    /// Removes the cursor `index`, whatever is in it.
    pub(crate) fn remove_cursor(&self, index: usize) {
        let base = header::cursor_at(index) as usize;
        self.region().word(base + header::CURSOR_NAME).store(0, Ordering::Release);
    }

    /// The index of the cursor of this name.
    pub(crate) fn cursor_index(&self, name: &str) -> Option<usize> {
        let at = self.find_cursor(name)?.0 - header::CURSOR_POSITION;
        (0..header::CURSOR_COUNT).find(|&index| header::cursor_at(index) == at)
    }

    /// From now on reader `index` keeps its position at `at`.
    pub(crate) fn attach_cursor(&self, index: usize, at: u64) {
        self.control().reader(index).saved().store(at, Ordering::Relaxed);
    }

    /// Whether a reader of this process keeps its position at `at`.
    pub(crate) fn is_attached(&self, at: u64) -> bool {
        let control = self.control();
        let occupied = control.occupied().load(Ordering::Acquire);
        (0..control::READERS)
            .filter(|index| occupied >> index & 1 == 1)
            .any(|index| control.reader(index).saved().load(Ordering::Relaxed) == at)
    }

    // --------------------------------------------------------------------------------------------------------- rebuild

    /// From now on the worker of reader `index` repeats what it did before `rebuild`'s end.
    pub(crate) fn begin_rebuild(&self, index: usize, rebuild: Rebuild) {
        let end = rebuild.end();
        lock(&self.depot.rebuilds).insert(index, rebuild);
        self.control().reader(index).replaying().store(end, Ordering::Relaxed);
    }

    fn end_rebuild(&self, index: usize) {
        self.control().reader(index).replaying().store(0, Ordering::Relaxed);
        lock(&self.depot.rebuilds).remove(&index);
    }

    #[inline(always)]
    fn replay_end(&self, index: usize) -> u64 {
        self.control().reader(index).replaying().load(Ordering::Relaxed)
    }

    #[cold]
    fn repeat<P: Payload>(
        &self,
        index: usize,
        source: u16,
        message: u16,
        payload: &mut P,
    ) -> Option<Result<(), WriteError>> {
        let cause = self.control().reader(index).handling().load(Ordering::Relaxed);
        if cause == 0 {
            return Some(Ok(()));
        }
        // `None`: this has not been sent yet, so it is to be.
        let due = lock(&self.depot.rebuilds).get_mut(&index)?.take_sent(&self.strip)?;
        // Without the lock: how it becomes bytes is the user's, and may send something, too.
        let unsent = PutBack { rebuilds: &self.depot.rebuilds, index, due };
        let bytes = match rebuild::encode(payload) {
            Ok(bytes) => bytes,
            Err(error) => return Some(Err(WriteError::Encode(error))),
        };
        std::mem::forget(unsent);
        let rebuilds = lock(&self.depot.rebuilds);
        Some(rebuilds.get(&index)?.repeat(&self.strip, cause, due, source, message, bytes))
    }

    #[cold]
    fn settle_rebuild(&self, index: usize) -> Result<(), WriteError> {
        let handling = self.control().reader(index).handling().load(Ordering::Relaxed);
        let mut rebuilds = lock(&self.depot.rebuilds);
        rebuilds.get_mut(&index).map_or(Ok(()), |rebuild| rebuild.settle(&self.strip, handling))
    }
}

/// What was to be sent again is still to be, unless this is forgotten.
struct PutBack<'a> {
    rebuilds: &'a Mutex<BTreeMap<usize, Rebuild>>,
    index: usize,
    due: (Header, u64),
}

impl Drop for PutBack<'_> {
    fn drop(&mut self) {
        if let Some(rebuild) = lock(self.rebuilds).get_mut(&self.index) {
            rebuild.put_back(self.due);
        }
    }
}

fn write_error(error: &io::Error) -> WriteError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => WriteError::NoSpace,
        kind => WriteError::Storage { kind },
    }
}

#[allow(private_interfaces)]
impl Store for Log {
    type Slots = Strip;
    type Keeper = Option<Keeper>;

    #[inline(always)]
    fn slots(&self) -> &Strip {
        &self.strip
    }

    #[inline(always)]
    fn control(&self) -> Control<'_> {
        Control(&self.control)
    }

    #[inline(always)]
    fn capacity(&self) -> u64 {
        self.depot.capacity
    }

    /// Small, because what a named cursor has not released is handled again after a crash.
    fn batch(&self) -> u64 {
        4096
    }

    fn reserve(&self) -> u64 {
        self.reserve
    }

    #[cold]
    #[inline(never)]
    fn limit(&self, end: u64, _role: Role) -> u64 {
        let depot = &self.depot;
        let ready = depot.ready.load(Ordering::Acquire); // SYNC POINT log.ready
        if ready < depot.capacity && ready < end.saturating_add(self.ahead()) {
            depot.call.grow();
        }
        if depot.clock.is_real() {
            let now = depot.clock.now().as_nanos();
            if now.saturating_sub(depot.limited.swap(now, Ordering::Relaxed)) < BUSY.as_nanos() as u64 {
                depot.call.tick();
            }
        }
        // Back here in time to ask for more, of the file and of the time.
        (ready - LOOK).min(end.saturating_add(STRETCH.min(depot.step / 4)))
    }

    #[cold]
    fn make_room(&self, len: u64) -> Result<(), WriteError> {
        let _growing = lock(&self.depot.growing);
        let needed = self.tail().saturating_add(len).saturating_add(self.reserve + LOOK);
        // A fraction of what the keeper does at a time: this writer waits for it.
        self.grow(needed, self.depot.step / 16)
    }

    fn may_end_at(&self, end: u64) -> bool {
        end + LOOK <= self.depot.ready.load(Ordering::Acquire)
    }

    #[inline]
    fn more(&self, role: Role) -> Record {
        let cause = match role {
            Role::Worker(index) => self.control().reader(index).handling().load(Ordering::Relaxed),
            Role::Outside => 0,
        };
        let time = match self.depot.coarse.load(Ordering::Relaxed) {
            0 => self.depot.clock.now().as_nanos(),
            time => time,
        };
        Record { time, cause }
    }

    #[inline]
    fn time(&self, role: Role) -> Option<Time> {
        let Role::Worker(index) = role else { return None };
        match self.control().reader(index).handling().load(Ordering::Relaxed) {
            0 => None,
            position => Some(Time::from_nanos(self.strip.record(position).time)),
        }
    }

    #[inline(always)]
    fn instead<P: Payload>(
        &self,
        role: Role,
        source: u16,
        message: u16,
        payload: &mut P,
    ) -> Option<Result<(), WriteError>> {
        match role {
            Role::Worker(index) if self.replay_end(index) != 0 => self.repeat(index, source, message, payload),
            _ => None,
        }
    }

    #[inline(always)]
    fn acknowledge(&self, position: u64, len: u64) -> Result<(), WriteError> {
        let end = match self.sync {
            Sync::None | Sync::Interval(_) => return Ok(()),
            Sync::EveryN(count) => {
                let number = self.depot.acknowledged.fetch_add(1, Ordering::Relaxed) + 1;
                if !number.is_multiple_of(count.max(1)) {
                    return Ok(());
                }
                self.tail()
            }
            Sync::Always => position + len,
        };
        self.sync_to(end).map_or_else(|kind| Err(WriteError::Storage { kind }), |_| Ok(()))
    }

    #[inline(always)]
    fn settle(&self, role: Role) -> Result<(), WriteError> {
        match role {
            Role::Worker(index) if self.replay_end(index) != 0 => self.settle_rebuild(index),
            _ => Ok(()),
        }
    }

    #[inline(always)]
    fn delivering(&self, index: usize, position: u64) {
        self.control().reader(index).handling().store(position, Ordering::Relaxed);
    }

    #[inline(always)]
    fn delivered(&self, index: usize) {
        self.control().reader(index).handling().store(0, Ordering::Relaxed);
    }

    #[inline]
    fn released(&self, index: usize, position: u64) {
        match self.control().reader(index).saved().load(Ordering::Relaxed) {
            0 => {}
            at => self.store_checked(at, position),
        }
    }

    fn left(&self, index: usize, position: u64) {
        self.released(index, position);
        if self.replay_end(index) != 0 {
            self.end_rebuild(index);
        }
    }

    #[inline]
    fn is_replaying(&self, index: usize, position: u64) -> bool {
        match self.replay_end(index) {
            0 => false,
            end if position < end => true,
            _ => {
                self.end_rebuild(index);
                false
            }
        }
    }
}
