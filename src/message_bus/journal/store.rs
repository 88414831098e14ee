//! [`JournalStore`]: slots that are never reused, and a file that grows under them.
//!
//! `growing` has the file reach further, `syncing` has it survive a power failure, `places` says where slots stand.
//!
//! Where a ring waits for readers, a journal waits for the disk: a claim ends before **ready**, the part of the
//! reservation that has space. The keeper grows it ahead and prefaults it. A writer that comes too early grows a little
//! by itself; if the disk has no space, it fails before it claims anything.
//!
//! * **Law 1.** Nobody claims past `ready`, less the first words of a slot, at which readers look at the tail; and
//!   `ready` is moved (Release) after the bytes before it are usable.
//! * **Law 2.** A slot is acknowledged when its level of [`Durability`] is kept; it may be read before.
//! * **Law 3.** Retention releases only what lies before the gate: no reader of this process still needs it.

mod growing;
mod places;
mod syncing;

pub(crate) use self::growing::first_step;
use super::background::{Background, Call};
use super::header::Identity;
use super::kept::Snapshots;
use super::options::{Durability, Retention};
use super::origins::Origins;
use super::rebuild::{Known, Rebuild, Rebuilds, Supervised};
use super::slots::{JournalSlots, Record};
use super::unchecked::Unchecked;
use super::word::{checked, unchecked};
use crate::message_bus::ring::claim::{Role, Room};
use crate::message_bus::ring::control::{self, Control, ReaderIndex};
use crate::message_bus::ring::gate::Gate;
use crate::message_bus::ring::slot::Slots;
use crate::message_bus::ring::store::Store;
use crate::mmap::{Backing, Front, Region};
use crate::sync::{Arc, AtomicU64, CachePadded, Mutex, Ordering, lock};
use crate::traits::{Begin, Clock, CursorError, Payload, Recorded, State, Time, WriteError};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::time::Duration;

/// The memory of a journal: its mapped file, or as much memory of its own. A clone is the same journal. Readers and
/// writers of a `PersistentBus` name it as their storage.
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
    type Known = Known;

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
        known: &Known,
        source: u16,
        message: u16,
        payload: &mut P,
    ) -> Option<Result<(), WriteError>> {
        match role {
            Role::Worker(index) if self.replay_end(index) != 0 => {
                let cause = self.control().reader(index).handling().load(Ordering::Relaxed);
                self.upkeep.rebuilds.repeat(&self.slots, index, known, cause, source, message, payload)
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
    fn settle(&self, role: Role, known: &Known) -> Result<(), WriteError> {
        match role {
            Role::Worker(index) if self.replay_end(index) != 0 => {
                let handling = self.control().reader(index).handling().load(Ordering::Relaxed);
                self.upkeep.rebuilds.settle(&self.slots, index, known, handling)
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
