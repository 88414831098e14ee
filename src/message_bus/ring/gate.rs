//! The gate: who reads, what may be overwritten, whose turn it is when there is no room.
//!
//! Knows cursors and positions, not what messages mean; it never waits for a reader.
//!
//! * **Law 1.** The gate stands behind every reader and behind every claim that is not finished: nobody claims past
//!   gate + capacity. It moves only forward, under the gate lock, which is taken about once per eighth of a ring.
//! * **Law 2.** A reader joins under the lock, at the tail or at a slot from the gate on, so the gate cannot have
//!   passed it, and with it come all releases the gate stands for: a new reader may look at a slot without a race with
//!   an earlier lap.
//! * **Law 3.** Slots that the caller does not gate (a ring without readers, messages an evictable reader missed) are
//!   walked under the lock only.
//! * **Law 4.** An evictable reader pins its cursor word before it touches a slot, and an evictor changes only an
//!   unpinned one: whoever wins the compare-and-swap, nobody reads what is being overwritten.
//! * **Law 5.** A claim sealed over its owner's head keeps its bytes until the owner has seen it.
//!
//! **Without the lock.** On a ring that is shared the lock's holder may stand still, so nobody waits for it for long.
//! The gate then stays where it is, which keeps all laws: it only ever moves under the lock.
//!
//! | who does not get it in time | does |
//! | --- | --- |
//! | `refresh`, `released` | says what is known: no more room than that, nothing else let go of |
//! | `heal`, `fence` | nothing: whoever asks does so again |
//! | `take_ticket`, `give_up_ticket`, `add_worker`, `remove_worker` | the same, by exchanges: see `tickets.rs` |
//! | `leave` | says in its entry that it has left: it is moved on as an evictable one, until somebody gives it back |
//! | `join` | waits longer, and then says who has the lock |
//!
//! `unfence` never needs it. What a bus does that is never shared waits as long as it takes.
//!
//! The laws are kept here. What is done to one kind of word has a file of its own: `lock`, `readers` (their table),
//! `evict`, `fences`, `tickets` and, for what the dead held, `heal`.

pub(crate) mod evict;
mod fences;
mod heal;
mod lock;
pub(crate) mod readers;
pub(crate) mod tickets;

use self::evict::Pin;
use self::lock::{Locked, Taken};
use self::readers::{Kind, cursor_of, is_evictable, is_held, is_left, readers};
use super::control::{self, Control, NAME, READERS, ReaderIndex, WRITERS, WriterIndex};
use super::owner::Owner;
use super::position::{ahead, earlier, later};
use super::slot::{Seen, Slots};
use super::store::Store;
use super::times::Times;
use crate::sync::Ordering;
use crate::traits::{CursorError, ReaderStats, Stats, SubscribeError};
use std::time::Duration;

/// The gate of one bus.
#[derive(Debug)]
pub(crate) struct Gate<'a, S> {
    store: &'a S,
}

impl<S> Clone for Gate<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Gate<'_, S> {}

/// Where gate and tail stand. Lent while the gate lock is held: the gate stands still meanwhile, and the tail may move
/// on.
#[derive(Debug)]
pub(crate) struct Standing {
    gate: u64,
    tail: u64,
}

impl Standing {
    pub(crate) fn gate(&self) -> u64 {
        self.gate
    }

    pub(crate) fn tail(&self) -> u64 {
        self.tail
    }
}

impl<'a, S: Store> Gate<'a, S> {
    #[inline(always)]
    pub(crate) fn new(store: &'a S) -> Gate<'a, S> {
        Gate { store }
    }

    /// Everything before it may be overwritten. Acquire: with the position come the releases it stands for.
    #[inline]
    pub(crate) fn position(self) -> u64 {
        self.control().gate().load(Ordering::Acquire) // SYNC POINT gate.move
    }

    /// Moves the gate as far as readers and unfinished claims allow, and evictable readers out of the way of `target`.
    /// Returns where it stands then.
    #[cold]
    pub(crate) fn refresh(self, target: u64) -> u64 {
        let Some(locked) = self.lock_in_time() else { return self.position() };
        let control = self.control();
        let gate = control.gate().load(Ordering::Relaxed);
        // Moving evictable readers one message at a time would make every claim come here.
        let wanted = target.wrapping_add(self.store.capacity() / 8);
        let limit = match self.gating_minimum() {
            None => self.finished_from(gate, wanted),
            // A reader that came by a slot has found it finished. One that joined behind an unfinished claim has not.
            Some(minimum) => {
                let unread_until = control.unread_until().load(Ordering::Relaxed);
                let finished = self.finished_from(gate, earlier(wanted, unread_until));
                if ahead(unread_until, finished) > 0 { earlier(minimum, finished) } else { minimum }
            }
        };
        let limit = fences::behind(&locked, limit);
        let mut moved = limit;
        for entry in readers(self.control()).filter(|entry| is_evictable(*entry)) {
            if ahead(target, cursor_of(entry)) > 0 {
                evict::evict(&locked, self.store.slots(), entry, wanted, limit);
            }
            moved = earlier(moved, cursor_of(entry));
        }
        let is_behind = ahead(moved, gate) < 0;
        assert!(
            self.store.is_shared() || !is_behind,
            "readers, fences and claims in flight stand at the gate or past it"
        );
        // Where others may have written to their words, that is not believed.
        let moved = later(gate, moved);
        // Relaxed would do for the memory the lock protects; readers of the gate outside the lock need the rest.
        control.gate().store(moved, Ordering::Release); // SYNC POINT gate.move
        drop(locked);
        moved
    }

    /// Moves the gate of a journal to the first slot for which `is_wanted` holds, but not past what readers that gate
    /// still need, and evictable readers along with it. Returns where it stands then.
    #[cfg(unix)]
    pub(crate) fn retain(self, is_wanted: impl Fn(u64) -> bool) -> u64 {
        let locked = self.lock();
        let control = self.control();
        let gate = control.gate().load(Ordering::Relaxed);
        let tail = control.tail().load(Ordering::Acquire); // SYNC POINT claim.tail
        let end = self.gating_minimum().map_or(tail, |minimum| earlier(minimum, tail));
        let limit =
            fences::behind(&locked, self.finished_until(gate, |position| position >= end || is_wanted(position)));
        let mut moved = limit;
        for entry in readers(self.control()).filter(|entry| is_evictable(*entry)) {
            if ahead(limit, cursor_of(entry)) > 0 {
                evict::evict(&locked, self.store.slots(), entry, limit, limit);
            }
            moved = earlier(moved, cursor_of(entry));
        }
        let moved = later(gate, moved);
        control.gate().store(moved, Ordering::Release); // SYNC POINT gate.move
        moved
    }

    /// The first slot of a journal at or after `from` that is not finished, looking no further than `end`.
    #[cfg(unix)]
    pub(crate) fn finished_before(self, from: u64, end: u64) -> u64 {
        let _locked = self.lock();
        let from = later(from, self.control().gate().load(Ordering::Relaxed));
        self.finished_until(from, |position| position >= end)
    }

    /// Before it every gating reader has let go, held ones not counted. Under the lock: whoever joins later begins at
    /// the tail, which is not before this. `None`: the lock could not be had.
    pub(crate) fn released(self) -> Option<u64> {
        let locked = self.lock_in_time()?;
        let tail = self.stand(&locked).tail;
        let gating = readers(self.control()).filter(|entry| !is_evictable(*entry) && !is_held(*entry));
        Some(gating.map(cursor_of).fold(tail, earlier))
    }

    /// The position `asked`, where a reader can begin: a slot begins there and all before it are finished, or it is the
    /// tail. To be asked while a reader [joins](Self::join).
    pub(crate) fn found(self, standing: &Standing, asked: u64) -> Result<u64, CursorError> {
        let (oldest, tail) = (standing.gate(), standing.tail());
        if ahead(oldest, asked) > 0 {
            return Err(CursorError::NotRetained { asked, oldest });
        }
        if asked == tail {
            return Ok(asked);
        }
        let is_end = |position| ahead(position, asked) >= 0 || ahead(position, tail) >= 0;
        if self.finished_until(oldest, is_end) == asked {
            Ok(asked)
        } else {
            Err(CursorError::NoSuchPosition { asked })
        }
    }

    /// What `look` says while the gate stands still.
    #[cfg(unix)]
    pub(crate) fn standing<R>(self, look: impl FnOnce(&Standing) -> R) -> R {
        let locked = self.lock();
        look(&self.stand(&locked))
    }

    fn stand(self, _: &Locked<'_>) -> Standing {
        let control = self.control();
        // Acquire: with the tail comes the gate that its claims relied on.
        let tail = control.tail().load(Ordering::Acquire); // SYNC POINT claim.tail
        Standing { gate: control.gate().load(Ordering::Relaxed), tail }
    }

    /// Adds a reader where `start` says.
    pub(crate) fn join(
        self,
        kind: Kind,
        name: &str,
        start: impl FnOnce(&Standing) -> Result<u64, SubscribeError>,
    ) -> Result<(ReaderIndex, u64), SubscribeError> {
        let locked = self.lock_within(|times| times.join).map_err(|holder| {
            let holder = Owner::named_by(holder).and_then(|owner| self.store.pid_of(owner));
            SubscribeError::Busy { holder }
        })?;
        let control = self.control();
        if self.store.is_shared() {
            readers::give_back(&locked);
        }
        let occupied = control.occupied().load(Ordering::Relaxed);
        let free = (0..READERS).find(|index| occupied >> index & 1 == 0);
        let index = control::reader(free.ok_or(SubscribeError::TooManyReaders { max: READERS })?);
        let entry = control.reader(index);
        let standing = self.stand(&locked);
        let position = start(&standing)?;
        control.unread_until().store(standing.tail, Ordering::Relaxed);
        entry.cursor().store(position, Ordering::Relaxed);
        entry.handling().store(0, Ordering::Relaxed);
        entry.saved().store(0, Ordering::Relaxed);
        entry.replaying().store(0, Ordering::Relaxed);
        entry.losses().store(0, Ordering::Relaxed);
        entry.ticket().store(0, Ordering::Relaxed);
        entry.outbox_high_water().store(0, Ordering::Relaxed);
        if self.store.is_shared() {
            let written = (0..WRITERS).map(|writer| control.writer(control::writer(writer)).messages());
            let written = written.fold(0, |sum: u64, count| sum.wrapping_add(count.load(Ordering::Relaxed)));
            entry.written_before().store(written, Ordering::Relaxed);
            for word in [entry.handled(), entry.asleep(), entry.outbox()] {
                word.store(0, Ordering::Relaxed);
            }
        }
        let mut bytes = name.as_bytes().iter().copied().take(NAME * 8 - 1);
        for word in 0..NAME {
            let part = std::array::from_fn(|_| bytes.next().unwrap_or(0));
            entry.name(word).store(u64::from_le_bytes(part), Ordering::Relaxed);
        }
        // Last of the entry: whoever dies before has not joined.
        entry.state().store(self.store.owner().state(kind as u8), Ordering::Release); // SYNC POINT gate.state
        control.occupied().store(occupied | 1 << index.number(), Ordering::Release); // SYNC POINT gate.join
        Ok((index, position))
    }

    /// Whether all places for readers are taken.
    pub(crate) fn has_no_place(self) -> bool {
        self.control().occupied().load(Ordering::Relaxed).count_ones() as usize == READERS
    }

    /// Removes a reader, and its worker's ticket.
    pub(crate) fn leave(self, index: ReaderIndex) {
        let locked = self.lock_in_time();
        if let Some(locked) = &locked {
            readers::leave(locked, index);
        }
        tickets::leave(self.control(), index);
        if locked.is_none() {
            // Last: from then on the entry is not this reader's.
            readers::leave_behind(self.control(), index);
        }
    }

    /// Lets writers reuse everything before `position`; called by the gating reader `index` only.
    #[inline]
    pub(crate) fn release(self, index: ReaderIndex, position: u64) {
        self.control().reader(index).cursor().store(position, Ordering::Release); // SYNC POINT gate.release
    }

    /// Has the gating reader `index` stand no further than `position`, where it has been. False if that is gone.
    #[cfg(unix)]
    pub(crate) fn stand_back(self, index: ReaderIndex, position: u64) -> bool {
        let locked = self.lock();
        if ahead(self.stand(&locked).gate(), position) > 0 {
            return false;
        }
        let cursor = self.control().reader(index).cursor();
        cursor.store(earlier(cursor.load(Ordering::Relaxed), position), Ordering::Release); // SYNC POINT gate.release
        true
    }

    /// Whether no gating reader stands behind the reader `index`.
    pub(crate) fn is_slowest(self, index: ReaderIndex) -> bool {
        let own = self.control().reader(index).cursor().load(Ordering::Relaxed);
        self.gating_minimum().is_none_or(|minimum| ahead(own, minimum) <= 0)
    }

    // ------------------------------------------------------------------------------------------- evictable readers

    /// Tries to pin the evictable reader `index`, which believes it stands at `position`.
    #[inline]
    pub(crate) fn pin(self, index: ReaderIndex, position: u64) -> Pin {
        evict::pin(self.control().reader(index), position)
    }

    /// Unpins the evictable reader `index`, which now stands at `position`.
    #[inline]
    pub(crate) fn unpin(self, index: ReaderIndex, position: u64) {
        evict::unpin(self.control().reader(index), position);
    }

    /// How many messages the evictable reader `index` was ever moved past. To be asked after it was found
    /// [moved](Pin::Moved).
    pub(crate) fn losses(self, index: ReaderIndex) -> u64 {
        self.control().reader(index).losses().load(Ordering::Relaxed)
    }

    /// Whether there are readers that let go of slots without waking anybody.
    pub(crate) fn has_evictable(self) -> bool {
        readers(self.control()).any(is_evictable)
    }

    // -------------------------------------------------------------------------------------------------- silent claims

    /// Seals the claim at `position`, whose fill is still running, so that readers go on. Its bytes stay untouched
    /// until [`unfence`](Self::unfence). False if it was finished meanwhile, too many claims are fenced already, or the
    /// lock could not be had.
    ///
    /// # Safety
    ///
    /// The caller's cursor stands at `position`.
    pub(crate) unsafe fn fence(self, position: u64) -> bool {
        let Some(locked) = self.lock_in_time() else { return false };
        // SAFETY: the caller gates it.
        unsafe { fences::fence(&locked, self.store.slots(), position) }
    }

    /// Gives up the bytes of the fenced claim at `position`; called by its owner, which is done with them.
    pub(crate) fn unfence(self, position: u64) {
        fences::unfence(self.control(), position);
    }

    // ----------------------------------------------------------------------------------------------------------- death

    /// Gives back what the dead held, as far as it can be told by now. Whether that was anything.
    #[cold]
    pub(crate) fn heal(self) -> bool {
        self.lock_in_time().is_some_and(|locked| heal::heal(&locked, self.store))
    }

    // --------------------------------------------------------------------------------------------------------- tickets

    /// Queues reader `index`'s worker behind every outbox that is pending. Returns its ticket.
    pub(crate) fn take_ticket(self, index: ReaderIndex) -> u64 {
        let _locked = self.lock_in_time();
        tickets::take(self.control(), index)
    }

    /// Takes reader `index`'s worker out of the queue, unless its ticket is gone already.
    pub(crate) fn give_up_ticket(self, index: ReaderIndex, ticket: u64) {
        let _locked = self.lock_in_time();
        tickets::give_up(self.control(), index, ticket);
    }

    /// Counts the writer `index` among the workers' ones.
    pub(crate) fn add_worker(self, index: WriterIndex) {
        // The entry that several have is on no bus that is shared, so there the lock is had.
        let _locked = self.lock_in_time();
        tickets::add_worker(self.control(), index, self.store.owner());
    }

    /// Takes it out of those.
    pub(crate) fn remove_worker(self, index: WriterIndex) {
        let _locked = self.lock_in_time();
        tickets::remove_worker(self.control(), index, self.store.owner());
    }

    /// Whether reader `index`'s worker may write to the ring: nobody holds an older ticket than its own, or it holds
    /// none and nobody else does.
    pub(crate) fn is_first(self, index: ReaderIndex) -> bool {
        tickets::is_first(self.control(), index)
    }

    // ----------------------------------------------------------------------------------------------------------- stats

    /// The counters of the bus.
    pub(crate) fn stats(self, writers: impl Iterator<Item = [u64; 4]>) -> Stats {
        let control = self.control();
        let tail = control.tail().load(Ordering::Acquire); // SYNC POINT claim.tail
        let mut stats = Stats { tail, ..Stats::default() };
        for [messages, bytes, full, sealed] in writers {
            for (sum, count) in [
                (&mut stats.messages, messages),
                (&mut stats.bytes, bytes),
                (&mut stats.full, full),
                (&mut stats.sealed, sealed),
            ] {
                *sum = sum.wrapping_add(count);
            }
        }
        for entry in readers(self.control()).filter(|entry| !is_left(*entry)) {
            let position = cursor_of(entry);
            stats.readers.push(ReaderStats {
                name: entry.name_text(),
                position,
                lag: ahead(tail, position).max(0) as u64,
                evictable: is_evictable(entry),
                held: is_held(entry),
                outbox_high_water: entry.outbox_high_water().load(Ordering::Relaxed),
            });
        }
        stats
    }

    // -------------------------------------------------------------------------------------------------------- private

    fn control(self) -> Control<'a> {
        self.store.control()
    }

    /// The earliest position a gating reader still needs.
    fn gating_minimum(self) -> Option<u64> {
        readers(self.control())
            .filter(|entry| !is_evictable(*entry))
            .map(|entry| entry.cursor().load(Ordering::Acquire)) // SYNC POINT gate.release
            .reduce(earlier)
    }

    /// The first slot at or after `from` that is not finished, looking no further than `wanted` and the tail.
    /// Precondition: the lock is held and no gating reader exists (law 3).
    fn finished_from(self, from: u64, wanted: u64) -> u64 {
        let tail = self.control().tail().load(Ordering::Acquire); // SYNC POINT claim.tail
        self.finished_until(from, |position| ahead(position, wanted) >= 0 || ahead(position, tail) >= 0)
    }

    /// The first slot at or after `from` that is not finished, or for which `is_end` holds. Precondition: as for
    /// [`finished_from`](Self::finished_from), or every reader that gates stands behind the end.
    fn finished_until(self, from: u64, is_end: impl Fn(u64) -> bool) -> u64 {
        let mut position = from;
        while !is_end(position) {
            // SAFETY: from one slot to the next, from the gate or a slot behind it on, under the lock, which keeps the
            // gate where it is: all callers hold it.
            position = match unsafe { self.store.slots().observe(position) } {
                Seen::Message(header) => position.wrapping_add(self.store.slots().slot_len(header.size as usize)),
                Seen::Sealed { len, fenced: false } => position.wrapping_add(len),
                Seen::Sealed { fenced: true, .. } | Seen::Open { .. } | Seen::Corrupt => break,
            };
        }
        position
    }

    /// The lock, however long that takes: on a bus that is not shared its holder goes on.
    #[cfg(any(unix, test))]
    fn lock(self) -> Locked<'a> {
        loop {
            if let Some(locked) = self.lock_in_time() {
                return locked;
            }
        }
    }

    /// The lock, or `None` if others share it and somebody has it for too long.
    #[inline]
    fn lock_in_time(self) -> Option<Locked<'a>> {
        let locked = self.lock_within(|times| times.lock).ok();
        if locked.is_none() {
            self.store.miss();
        }
        locked
    }

    /// The lock; or the word of whoever has it, if others share it and it was not to be had in the time that `patience`
    /// says.
    #[inline]
    fn lock_within(self, patience: impl Fn(&Times) -> Duration) -> Result<Locked<'a>, u64> {
        let is_dead = |owner| self.store.has_ended(owner);
        match lock::take(self.control(), self.store.owner(), is_dead, || self.store.times().map(&patience))? {
            Taken::Free(locked) => Ok(locked),
            Taken::Over(locked) => Ok(self.make_good(locked)),
        }
    }

    /// Makes good what the lock's holder may have half done when it died: each section ends harmlessly wherever it
    /// ends, once this has been done, and this may itself be done in part and again.
    #[cold]
    fn make_good(self, locked: Locked<'a>) -> Locked<'a> {
        readers::make_good(&locked);
        readers(self.control()).filter(|entry| is_evictable(*entry)).for_each(|entry| evict::make_good(&locked, entry));
        fences::make_good(&locked, self.store.slots());
        tickets::make_good(self.control());
        locked
    }
}

#[cfg(all(test, rust_messenger_loom))]
mod model;
#[cfg(all(test, unix, not(rust_messenger_loom)))]
mod tests;
