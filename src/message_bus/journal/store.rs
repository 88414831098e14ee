//! [`JournalStore`]: slots that are never reused, and a file that grows under them.
//!
//! Where a ring waits for readers, a journal waits for the disk: a claim ends before **ready**, the part of the
//! reservation that has space. The keeper grows it ahead and prefaults it. A writer that comes too early grows a little
//! by itself; if the disk has no space, it fails before it claims anything.
//!
//! * **Law 1.** Nobody claims past `ready`, less the first words of a slot, at which readers look at the tail; and
//!   `ready` is moved (Release) after the bytes before it are usable.
//! * **Law 2.** A slot is acknowledged when its level of [`Sync`] is kept; it may be read before.
//! * **Law 3.** Retention releases only what lies before the gate: no reader of this process still needs it.

use super::background::{Background, Call};
use super::header::{self, Identity, PAGE};
use super::kept::Snapshots;
use super::options::{Durability, Retention};
use super::origins::Origins;
use super::rebuild::{Rebuild, Rebuilds, Supervised};
use super::slots::{JournalSlots, Record};
use super::unchecked::Unchecked;
use super::word::{checked, unchecked};
use crate::message_bus::ring::claim::{Role, Room};
use crate::message_bus::ring::control::{self, Control, ReaderIndex};
use crate::message_bus::ring::gate::{Gate, Standing};
use crate::message_bus::ring::slot::{SLOT_ALIGN, Seen, Slots};
use crate::message_bus::ring::store::Store;
use crate::mmap::{Backing, Front, Region};
use crate::sync::{Arc, AtomicU64, CachePadded, Mutex, Ordering, lock};
use crate::traits::{Begin, Clock, CursorError, Payload, Recorded, State, Time, WriteError};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::time::Duration;

/// A journal in memory. A clone is the same journal.
#[derive(Clone)]
pub struct JournalStore {
    pub(crate) slots: JournalSlots,
    /// What a ring has in front of its slots: readers, writers, tail, sleepers. Not in the file.
    control: Front<{ control::SIZE }>,
    /// How far claims may go, in bytes of slot, before they are counted one by one.
    reserve: u64,
    sync: Durability,
    pub(crate) upkeep: Arc<Upkeep>,
}

/// What growing, syncing and retention need. The clones of a store share it.
pub(crate) struct Upkeep {
    pub(crate) backing: Box<dyn Backing>,
    /// What the journal is.
    pub(crate) identity: Identity,
    pub(crate) unchecked: Unchecked,
    pub(crate) snapshots: Snapshots,
    /// No slot ends behind it.
    capacity: u64,
    /// How much the file grows at a time, at most.
    step: u64,
    ready: CachePadded<AtomicU64>,
    growing: Mutex<()>,
    /// Everything before it is prefaulted, or a writer came first. The keeper's alone.
    present: AtomicU64,
    /// Everything before it was finished when it was synced.
    synced: CachePadded<AtomicU64>,
    /// Where the next sync begins: at the start of the file, until the first one has been made.
    unsynced: AtomicU64,
    /// Messages acknowledged since the journal was opened; counted for [`Durability::EveryN`] only.
    acknowledged: AtomicU64,
    /// Why no sync can be believed any more.
    syncing: Mutex<Option<io::ErrorKind>>,
    pub(crate) retention: Retention,
    pub(crate) retaining: Mutex<()>,
    /// The workers that need their history.
    pub(crate) rebuilt: Vec<&'static str>,
    pub(crate) clock: std::sync::Arc<dyn Clock>,
    /// The time while so much is written that asking the clock for every message would be most of the cost; or 0.
    coarse: CachePadded<AtomicU64>,
    /// When a writer last came back for more room.
    limited: AtomicU64,
    pub(crate) origins: Origins,
    rebuilds: Rebuilds,
    /// Workers that may be restarted, by reader.
    pub(crate) supervised: Mutex<BTreeMap<ReaderIndex, Supervised>>,
    call: Arc<Call>,
    /// How who writes the snapshots is called.
    pub(crate) saving: Arc<Call>,
}

impl fmt::Debug for JournalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalStore").field("capacity", &self.upkeep.capacity).finish_non_exhaustive()
    }
}

/// How a [`JournalStore`] is made.
pub(crate) struct Plan {
    pub(crate) backing: Box<dyn Backing>,
    pub(crate) slots: JournalSlots,
    pub(crate) capacity: u64,
    pub(crate) step: u64,
    /// Where the file ends.
    pub(crate) ready: u64,
    pub(crate) identity: Identity,
    pub(crate) retained: u64,
    pub(crate) tail: u64,
    pub(crate) unchecked: Unchecked,
    pub(crate) snapshots: Snapshots,
    pub(crate) sync: Durability,
    pub(crate) retention: Retention,
    /// The workers that need their history.
    pub(crate) rebuilt: Vec<&'static str>,
    pub(crate) clock: std::sync::Arc<dyn Clock>,
}

/// What a reader looks at where the next slot will be: stamp and head.
pub(crate) const LOOK: u64 = 16;

/// How much a new journal has room for, unless its step is smaller.
const FIRST_STEP: u64 = 256 * 1024;

/// How much a new journal has room for that grows by `step`.
pub(crate) fn first_step(step: u64) -> u64 {
    step.min(FIRST_STEP)
}

/// How much the keeper prefaults at a time: in between it looks where the writers are.
const PIECE: u64 = 128 * 1024;

/// How much a writer claims until it looks around again.
const STRETCH: u64 = 1 << 20;
/// A writer that fills a stretch in less than this is busy: some hundred thousand messages per second.
const BUSY: Duration = Duration::from_millis(20);
/// Less than that in a tick is not.
const BUSY_TICK: u64 = 16 * 1024;

/// As much of a journal as fetch-and-add may overshoot into, if it is large enough for that.
const RESERVE: u64 = 64 * 1024;

impl JournalStore {
    pub(crate) fn new(plan: Plan) -> io::Result<JournalStore> {
        let Plan { backing, slots, capacity, tail, .. } = plan;
        let control = Front::of(Region::anonymous(control::SIZE)?);
        Control(control.words()).begin(capacity, tail, slots.key());
        Control(control.words()).gate().store(plan.retained, Ordering::Release); // SYNC POINT gate.move
        // What fetch-and-add takes must be a few slots at least for it to pay.
        let reserve = (capacity / 16).min(RESERVE);
        let reserve = if reserve / 16 < slots.slot_len(0) { 0 } else { reserve / 16 * 16 };
        let word = |value| CachePadded::new(AtomicU64::new(value));
        let upkeep = Upkeep {
            backing,
            identity: plan.identity,
            unchecked: plan.unchecked,
            snapshots: plan.snapshots,
            capacity,
            step: plan.step,
            ready: word(plan.ready),
            growing: Mutex::new(()),
            present: AtomicU64::new(plan.ready),
            synced: word(tail),
            unsynced: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            syncing: Mutex::new(None),
            retention: plan.retention,
            retaining: Mutex::new(()),
            rebuilt: plan.rebuilt,
            clock: plan.clock,
            coarse: word(0),
            limited: AtomicU64::new(0),
            origins: Origins::new(),
            rebuilds: Rebuilds::new(),
            supervised: Mutex::new(BTreeMap::new()),
            call: Arc::new(Call::new()),
            saving: Arc::new(Call::new()),
        };
        Ok(JournalStore { slots, control, reserve, sync: plan.sync, upkeep: Arc::new(upkeep) })
    }

    pub(crate) fn region(&self) -> &Region {
        self.slots.region()
    }

    pub(crate) fn sync_level(&self) -> Durability {
        self.sync
    }

    pub(crate) fn call(&self) -> &Arc<Call> {
        &self.upkeep.call
    }

    pub(crate) fn gate(&self) -> Gate<'_, JournalStore> {
        Gate::new(self)
    }

    /// Where the next claim begins.
    pub(crate) fn end(&self) -> u64 {
        self.control().tail().load(Ordering::Acquire) // SYNC POINT claim.tail
    }

    // --------------------------------------------------------------------------------------------------------- growing

    /// How much the file grows at a time, and how far ahead of the tail: as much as the journal has held, so that a
    /// small one stays small and a large one grows rarely.
    fn ahead(&self, tail: u64) -> u64 {
        first_step(self.upkeep.step).max(tail - self.first()).min(self.upkeep.step)
    }

    /// Grows ahead if it is time to, and prefaults what there is: the keeper's work. A writer reports the full disk.
    ///
    /// A writer that is faster than the keeper takes a page fault for each page: less than a wait for another thread.
    pub(crate) fn grow_ahead(&self) {
        let upkeep = &self.upkeep;
        loop {
            let tail = self.end();
            let ahead = self.ahead(tail);
            let wanted = tail.saturating_add(ahead).min(upkeep.capacity);
            if upkeep.ready.load(Ordering::Relaxed) < wanted {
                let _growing = lock(&upkeep.growing);
                let _ = self.grow(wanted, ahead);
            }
            let ready = upkeep.ready.load(Ordering::Relaxed);
            let from = upkeep.present.load(Ordering::Relaxed).max(tail / PAGE * PAGE);
            if from >= ready {
                return;
            }
            let to = ready.min(from + PIECE);
            upkeep.backing.populate(self.region(), from as usize, to as usize);
            upkeep.present.store(to, Ordering::Relaxed);
        }
    }

    /// Has the file reach to `needed`, or `step` further if that can be had. Precondition: the lock is held.
    fn grow(&self, needed: u64, step: u64) -> Result<(), WriteError> {
        let upkeep = &self.upkeep;
        let ready = upkeep.ready.load(Ordering::Relaxed);
        if ready >= needed {
            return Ok(());
        }
        if needed > upkeep.capacity {
            return Err(WriteError::Exhausted { capacity: upkeep.capacity });
        }
        let ample = needed.max(ready + step).next_multiple_of(PAGE).min(upkeep.capacity);
        let scarce = needed.next_multiple_of(PAGE).min(upkeep.capacity);
        let grow = |to: u64| upkeep.backing.grow(self.region(), ready as usize, to as usize).map(|()| to);
        // With the disk nearly full a small step may still go.
        let grown = grow(ample).or_else(|error| if scarce < ample { grow(scarce) } else { Err(error) });
        let to = grown.map_err(|error| write_error(&error))?;
        self.store_checked(header::ALLOCATED, to);
        upkeep.ready.store(to, Ordering::Release); // SYNC POINT journal.ready
        Ok(())
    }

    /// Has space for a page that the file has had before, or is to have.
    pub(crate) fn reserve_again(&self, (from, to): (usize, usize)) -> io::Result<()> {
        // Where there is none the file gets its length back: not while it grows.
        let _growing = lock(&self.upkeep.growing);
        self.upkeep.backing.reserve(from, to)
    }

    // ------------------------------------------------------------------------------------------------------------ time

    /// Keeps the time for writers that are busy, if they still are: if they have come far since `tail`. Returns where
    /// they are, or `None` if they ask the clock again.
    pub(crate) fn keep_time(&self, tail: u64) -> Option<u64> {
        let now = self.end();
        let is_busy = now - tail >= BUSY_TICK;
        let time = if is_busy { self.upkeep.clock.now().as_nanos() } else { 0 };
        self.upkeep.coarse.store(time, Ordering::Relaxed);
        is_busy.then_some(now)
    }

    /// Writers ask the clock again.
    pub(crate) fn stop_time(&self) {
        self.upkeep.coarse.store(0, Ordering::Relaxed);
    }

    /// The time that is kept for writers, or 0.
    #[cfg(all(test, not(rust_messenger_loom)))]
    pub(crate) fn kept_time(&self) -> u64 {
        self.upkeep.coarse.load(Ordering::Relaxed)
    }

    pub(crate) fn store_checked(&self, offset: u64, value: u64) {
        self.region().word(offset as usize).store(checked(offset, value), Ordering::Release); // SYNC POINT header.word
    }

    /// What [`store_checked`](Self::store_checked) has stored, if it is whole.
    fn load_checked(&self, offset: u64) -> Option<u64> {
        // Relaxed: what this process has stored, or whoever had the file before.
        unchecked(offset, self.region().word(offset as usize).load(Ordering::Relaxed))
    }

    // --------------------------------------------------------------------------------------------------------- syncing

    /// Has everything that is committed survive a power failure. Returns up to where.
    pub(crate) fn sync(&self) -> Result<u64, io::ErrorKind> {
        self.sync_to(self.end())
    }

    /// Has the committed slots before `end` survive a power failure, and whatever else is there.
    pub(crate) fn sync_to(&self, end: u64) -> Result<u64, io::ErrorKind> {
        let upkeep = &self.upkeep;
        let mut failed = lock(&upkeep.syncing);
        if let Some(kind) = *failed {
            return Err(kind);
        }
        let synced = upkeep.synced.load(Ordering::Relaxed);
        let unsynced = upkeep.unsynced.load(Ordering::Relaxed);
        if synced >= end && unsynced != 0 {
            return Ok(synced);
        }
        // Asked before the sync: what is finished later may not be in it. An unfinished slot ends what is known to be
        // whole, but the slot of whoever asks is in the sync wherever it stands.
        let (finished, tail) = (self.gate().finished_before(synced, self.end()), self.end());
        let from = unsynced / PAGE * PAGE;
        let to = tail.next_multiple_of(PAGE).min(upkeep.ready.load(Ordering::Acquire)); // SYNC POINT journal.ready
        let sync = |from: u64, to: u64| upkeep.backing.sync(self.region(), from as usize, to as usize);
        // The first page after the slots: a cursor must not survive what it has passed.
        let done = if from < to { sync(from, to) } else { Ok(()) }.and_then(|()| sync(0, PAGE));
        match done {
            Ok(()) => {
                upkeep.synced.store(finished, Ordering::Release); // SYNC POINT journal.synced
                upkeep.unsynced.store(finished, Ordering::Relaxed);
                if upkeep.origins.are_used() {
                    upkeep.origins.account(&self.slots, synced, finished);
                }
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
    pub(crate) fn sync_words(&self) -> io::Result<()> {
        let mut failed = lock(&self.upkeep.syncing);
        if let Some(kind) = *failed {
            return Err(kind.into());
        }
        self.upkeep.backing.sync(self.region(), 0, PAGE as usize).inspect_err(|error| *failed = Some(error.kind()))
    }

    /// Leaves the journal as one that was finished up to here, whatever its level of sync.
    pub(crate) fn close(&self) {
        if self.sync().is_ok() {
            // It says so after a power failure, too. Nobody is left to be told of a failure.
            let _ = self.sync_words();
        }
    }

    // ----------------------------------------------------------------------------------------------------- what stands

    /// Where the first slot of the file stands, or stood.
    pub(crate) fn first(&self) -> u64 {
        self.upkeep.identity.header_len()
    }

    /// Where the gate stands: the oldest slot that is retained.
    pub(crate) fn gate_now(&self) -> u64 {
        self.control().gate().load(Ordering::Acquire) // SYNC POINT gate.move
    }

    pub(crate) fn forgets(&self) -> bool {
        self.upkeep.retention.forgets()
    }

    /// The position `asked` if a slot begins there.
    pub(crate) fn found(&self, standing: &Standing, asked: u64) -> Result<u64, CursorError> {
        let (oldest, tail) = (standing.gate(), standing.tail());
        if asked < oldest {
            return Err(CursorError::NotRetained { asked, oldest });
        }
        if asked == tail {
            return Ok(asked);
        }
        let no_such = CursorError::NoSuchPosition { asked };
        if asked > tail || !asked.is_multiple_of(SLOT_ALIGN) {
            return Err(no_such);
        }
        // Before this place all was finished, and nobody writes any more. Behind it, a writer may be at work between
        // the beginnings of two slots, so it is gone through from slot to slot.
        let finished = self.upkeep.synced.load(Ordering::Acquire).max(oldest); // SYNC POINT journal.synced
        let mut at = asked.min(finished);
        while at < asked {
            // SAFETY: a slot begins there, not before the gate, which stands.
            let next = unsafe { self.behind(at) };
            at = next.ok_or(no_such)?;
        }
        // SAFETY: as above; or it lies before what was finished.
        let is_open = |at| matches!(unsafe { self.slots.observe(at) }, Seen::Open { pending: false });
        if at == asked && !is_open(at) { Ok(asked) } else { Err(no_such) }
    }

    /// The position behind the slot at `asked`.
    pub(crate) fn position_after(&self, asked: u64) -> Result<u64, CursorError> {
        self.check_from(asked)?;
        self.gate().standing(|standing| {
            let asked = self.found(standing, asked)?;
            let next = if asked < standing.tail() {
                // SAFETY: a slot begins there, not before the gate, which stands.
                unsafe { self.behind(asked) }
            } else {
                None
            };
            next.ok_or(CursorError::NoSuchPosition { asked })
        })
    }

    /// Where the slot behind the one at `position` begins; `None` if that is not finished.
    ///
    /// # Safety
    ///
    /// As for [`Slots::observe`].
    pub(super) unsafe fn behind(&self, position: u64) -> Option<u64> {
        // SAFETY: the caller's promise.
        match unsafe { self.slots.observe(position) } {
            Seen::Message(header) => Some(position + self.slots.slot_len(header.size as usize)),
            Seen::Sealed { len, .. } => Some(position + len),
            Seen::Open { .. } => None,
        }
    }

    /// When the message at `position` was written, if one stands there.
    ///
    /// # Safety
    ///
    /// As for [`Slots::observe`].
    pub(crate) unsafe fn time_at(&self, position: u64) -> Option<Time> {
        // SAFETY: the caller's promise, for both.
        let record =
            unsafe { matches!(self.slots.observe(position), Seen::Message(_)).then(|| self.slots.record(position)) };
        record.map(|record| Time::from_nanos(record.time))
    }

    /// What the slot of the message at `position` says, in a test that has the journal to itself.
    #[cfg(all(test, not(rust_messenger_loom)))]
    pub(crate) fn record_at(&self, position: u64) -> Record {
        // SAFETY: nobody else is there.
        unsafe { self.slots.record(position) }
    }

    // --------------------------------------------------------------------------------------------------------- rebuild

    /// From now on the worker of reader `index` repeats what it did before `rebuild`'s end.
    pub(crate) fn begin_rebuild(&self, index: ReaderIndex, rebuild: Rebuild) {
        let end = rebuild.done();
        self.upkeep.rebuilds.begin(index, rebuild);
        self.control().reader(index).replaying().store(end, Ordering::Relaxed);
    }

    /// The worker of reader `index` repeats more of it: from `position` on.
    pub(crate) fn repeat_from(&self, index: ReaderIndex, position: u64, dead: BTreeSet<u64>) {
        self.upkeep.rebuilds.repeat_from(index, position, dead);
    }

    pub(crate) fn rebuilds(&self) -> &Rebuilds {
        &self.upkeep.rebuilds
    }

    pub(super) fn end_rebuild(&self, index: ReaderIndex) {
        self.control().reader(index).replaying().store(0, Ordering::Relaxed);
        self.upkeep.rebuilds.end(index);
    }

    #[inline(always)]
    pub(super) fn replay_end(&self, index: ReaderIndex) -> u64 {
        self.control().reader(index).replaying().load(Ordering::Relaxed)
    }
}

fn write_error(error: &io::Error) -> WriteError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => WriteError::NoSpace,
        kind => WriteError::Storage { kind },
    }
}

// SAFETY: positions are never reused, so what is behind the tail is free, and it has space up to `ready` (law 1).
unsafe impl Room for JournalStore {
    #[inline(always)]
    fn tail(&self) -> &AtomicU64 {
        Control(self.control.words()).tail()
    }

    fn reserve(&self) -> u64 {
        self.reserve
    }

    #[cold]
    #[inline(never)]
    fn limit(&self, end: u64, _role: Role) -> u64 {
        let upkeep = &self.upkeep;
        let ready = upkeep.ready.load(Ordering::Acquire); // SYNC POINT journal.ready
        let ahead = self.ahead(end);
        if ready < upkeep.capacity && ready < end.saturating_add(ahead) {
            upkeep.call.grow();
        }
        if upkeep.clock.is_real() {
            let now = upkeep.clock.now().as_nanos();
            if now.saturating_sub(upkeep.limited.swap(now, Ordering::Relaxed)) < BUSY.as_nanos() as u64 {
                upkeep.call.tick();
            }
        }
        // Back here in time to ask for more, of the file and of the time.
        (ready - LOOK).min(end.saturating_add(STRETCH.min(ahead / 4)))
    }

    fn may_end_at(&self, end: u64) -> bool {
        end + LOOK <= self.upkeep.ready.load(Ordering::Acquire) // SYNC POINT journal.ready
    }
}

#[allow(private_interfaces)]
impl Store for JournalStore {
    type Slots = JournalSlots;
    type Background = Option<Background>;

    #[inline(always)]
    fn slots(&self) -> &JournalSlots {
        &self.slots
    }

    #[inline(always)]
    fn control(&self) -> Control<'_> {
        Control(self.control.words())
    }

    #[inline(always)]
    fn capacity(&self) -> u64 {
        self.upkeep.capacity
    }

    /// Small, because what a named cursor has not released is handled again after a crash.
    fn batch(&self) -> u64 {
        4096
    }

    /// None: a journal is never full. No position is as far from another.
    fn window(&self) -> u64 {
        1 << 62
    }

    #[cold]
    fn make_room(&self, len: u64) -> Result<(), WriteError> {
        let _growing = lock(&self.upkeep.growing);
        let end = self.end();
        let needed = end.saturating_add(len).saturating_add(self.reserve + LOOK);
        // A fraction of what the keeper does at a time: this writer waits for it. But no less than lets the next claims
        // go without being counted one by one.
        let step = (self.ahead(end) / 16).max(2 * self.reserve).min(self.upkeep.step);
        self.grow(needed, step)
    }

    #[inline]
    fn more(&self, role: Role) -> Record {
        let word = match role {
            Role::Worker(index) => self.control().reader(index).handling().load(Ordering::Relaxed),
            Role::Outside => 0,
            Role::Import(entry) => self.upkeep.origins.word(entry),
        };
        let time = match self.upkeep.coarse.load(Ordering::Relaxed) {
            0 => self.upkeep.clock.now().as_nanos(),
            time => time,
        };
        Record { time, word }
    }

    #[inline]
    fn time(&self, role: Role) -> Option<Time> {
        let Role::Worker(index) = role else { return None };
        match self.control().reader(index).handling().load(Ordering::Relaxed) {
            0 => None,
            // SAFETY: the worker's reader has seen it there, and stays there while it is handled.
            position => Some(Time::from_nanos(unsafe { self.slots.record(position) }.time)),
        }
    }

    unsafe fn recorded(&self, position: u64) -> Option<Recorded> {
        // SAFETY: the caller's promise: until it is released nobody frees it.
        let record = unsafe { self.slots.record(position) };
        let cause = Some(record.cause()).filter(|cause| *cause != 0);
        Some(Recorded { time: Time::from_nanos(record.time), cause })
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
            Role::Worker(index) if self.replay_end(index) != 0 => {
                let cause = self.control().reader(index).handling().load(Ordering::Relaxed);
                self.upkeep.rebuilds.repeat(&self.slots, index, cause, source, message, payload)
            }
            _ => None,
        }
    }

    #[inline(always)]
    fn acknowledge(&self, position: u64, len: u64) -> Result<(), WriteError> {
        let end = match self.sync {
            Durability::None | Durability::Interval(_) => return Ok(()),
            Durability::EveryN(count) => {
                let number = self.upkeep.acknowledged.fetch_add(1, Ordering::Relaxed) + 1;
                if !number.is_multiple_of(count.max(1)) {
                    return Ok(());
                }
                self.end()
            }
            Durability::Always => position + len,
        };
        self.sync_to(end).map_or_else(|kind| Err(WriteError::Storage { kind }), |_| Ok(()))
    }

    #[inline(always)]
    fn settle(&self, role: Role) -> Result<(), WriteError> {
        match role {
            Role::Worker(index) if self.replay_end(index) != 0 => {
                let handling = self.control().reader(index).handling().load(Ordering::Relaxed);
                self.upkeep.rebuilds.settle(&self.slots, index, handling)
            }
            _ => Ok(()),
        }
    }

    #[inline(always)]
    fn delivering(&self, index: ReaderIndex, position: u64) {
        self.control().reader(index).handling().store(position, Ordering::Relaxed);
    }

    #[inline(always)]
    fn delivered(&self, index: ReaderIndex) {
        self.control().reader(index).handling().store(0, Ordering::Relaxed);
    }

    #[inline]
    fn released(&self, index: ReaderIndex, position: u64) {
        match self.control().reader(index).saved().load(Ordering::Relaxed) {
            0 => {}
            // A cursor does not go back with a worker that begins again.
            at if self.replay_end(index) != 0 && self.load_checked(at).is_some_and(|cursor| position < cursor) => {}
            at => self.store_checked(at, position),
        }
    }

    fn left(&self, index: ReaderIndex, position: u64) {
        self.released(index, position);
        if self.replay_end(index) != 0 {
            self.end_rebuild(index);
        }
        self.end_keeping(index);
        self.end_supervision(index);
    }

    fn supervise(
        &self,
        index: ReaderIndex,
        worker: &'static str,
        sources: Option<Vec<(u16, &'static str)>>,
        began: u64,
    ) -> Result<bool, CursorError> {
        self.begin_supervision(index, worker, sources, began).map(|()| true)
    }

    fn repeat(&self, index: ReaderIndex, position: u64, in_hand: Option<(u64, bool)>, limit: u64) -> Option<u64> {
        self.repeat_from_beginning(index, position, in_hand, limit)
    }

    fn alive_until(&self, index: ReaderIndex, position: u64) -> u64 {
        self.upkeep.rebuilds.alive_until(index, position)
    }

    fn begin(&self, index: ReaderIndex) -> Option<Begin> {
        self.begin_of(index)
    }

    fn begin_instead(&self, index: ReaderIndex, why: &str) -> Option<(u64, Begin)> {
        let (position, begin) = JournalStore::begin_instead(self, index, why)?;
        self.supervise_from(index, position, begin.states.is_some());
        Some((position, begin))
    }

    fn keep(&self, index: ReaderIndex, position: u64, states: Vec<State>) -> Result<(), String> {
        self.keep_states(index, position, states)
    }

    #[inline]
    fn is_replaying(&self, index: ReaderIndex, position: u64) -> bool {
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
