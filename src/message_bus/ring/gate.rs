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

use super::control::{self, Control, FENCED, NAME, READERS, ReaderEntry, ReaderIndex};
use super::position::{ahead, earlier, later};
use super::slot::{Seen, Slots};
use super::store::Store;
use crate::sync::{Ordering, spin_loop, yield_now};
use crate::traits::{CursorError, ReaderStats, Stats, SubscribeError};

/// Low bits of an evictable reader's cursor word.
const PINNED: u64 = 1;
const MOVING: u64 = 2;
const CURSOR_FLAGS: u64 = 15;

/// `flags`: writers from outside are refused. The bits below count pending outboxes.
pub(crate) const CLOSED: u64 = 1 << 63;

/// How a reader counts, as its entry in the reader table says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Gating = 0,
    /// It may be moved on rather than hold others back.
    Evictable = 1,
    /// It gates, and lets go of what it was told to only.
    Held = 2,
}

/// What an evictable reader finds when it wants to look.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pin {
    /// It may look at its position until it unpins.
    Pinned,
    /// It is being moved right now.
    Busy,
    /// It was moved to this position.
    Moved(u64),
}

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

/// The gate lock, held.
struct Locked<'a>(Control<'a>);

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.0.lock().store(0, Ordering::Release); // SYNC POINT gate.lock
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
        let locked = self.lock();
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
        let limit = self.behind_fences(limit);
        let mut moved = limit;
        for entry in self.readers().filter(|entry| is_evictable(*entry)) {
            if ahead(target, cursor_of(entry)) > 0 {
                self.evict(entry, wanted, limit);
            }
            moved = earlier(moved, cursor_of(entry));
        }
        assert!(ahead(moved, gate) >= 0, "readers, fences and claims in flight stand at the gate or past it");
        // Relaxed would do for the memory the lock protects; readers of the gate outside the lock need the rest.
        control.gate().store(moved, Ordering::Release); // SYNC POINT gate.move
        drop(locked);
        moved
    }

    /// Moves the gate of a journal to the first slot for which `is_wanted` holds, but not past what readers that gate
    /// still need, and evictable readers along with it. Returns where it stands then.
    #[cfg(unix)]
    pub(crate) fn retain(self, is_wanted: impl Fn(u64) -> bool) -> u64 {
        let _locked = self.lock();
        let control = self.control();
        let gate = control.gate().load(Ordering::Relaxed);
        let tail = control.tail().load(Ordering::Acquire); // SYNC POINT claim.tail
        let end = self.gating_minimum().map_or(tail, |minimum| earlier(minimum, tail));
        let limit = self.behind_fences(self.finished_until(gate, |position| position >= end || is_wanted(position)));
        let mut moved = limit;
        for entry in self.readers().filter(|entry| is_evictable(*entry)) {
            if ahead(limit, cursor_of(entry)) > 0 {
                self.evict(entry, limit, limit);
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
    /// the tail, which is not before this.
    pub(crate) fn released(self) -> u64 {
        let locked = self.lock();
        let tail = self.stand(&locked).tail;
        let gating = self.readers().filter(|entry| !is_evictable(*entry) && !is_held(*entry));
        gating.map(cursor_of).fold(tail, earlier)
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
        let locked = self.lock();
        let control = self.control();
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
        entry.lost().store(0, Ordering::Relaxed);
        entry.outbox_high_water().store(0, Ordering::Relaxed);
        let mut bytes = name.as_bytes().iter().copied().take(NAME * 8 - 1);
        for word in 0..NAME {
            let part = std::array::from_fn(|_| bytes.next().unwrap_or(0));
            entry.name(word).store(u64::from_le_bytes(part), Ordering::Relaxed);
        }
        entry.kind().store(kind as u64, Ordering::Relaxed);
        control.occupied().store(occupied | 1 << index.number(), Ordering::Release); // SYNC POINT gate.join
        Ok((index, position))
    }

    /// Removes a reader, and its worker's ticket.
    pub(crate) fn leave(self, index: ReaderIndex) {
        let _locked = self.lock();
        // SYNC POINT gate.ticket
        if self.control().reader(index).ticket().swap(0, Ordering::AcqRel) != 0 {
            self.control().flags().fetch_sub(1, Ordering::AcqRel); // SYNC POINT gate.flags
        }
        let occupied = self.control().occupied();
        occupied.store(occupied.load(Ordering::Relaxed) & !(1 << index.number()), Ordering::Release); // SYNC POINT gate.join
    }

    /// Lets writers reuse everything before `position`; called by the gating reader `index` only.
    #[inline]
    pub(crate) fn release(self, index: ReaderIndex, position: u64) {
        self.control().reader(index).cursor().store(position, Ordering::Release); // SYNC POINT gate.release
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
        let entry = self.control().reader(index);
        // Acquire: pairs with the evictor's move, so that the messages it leaves behind count.
        match entry.cursor().compare_exchange(
            position,
            position | PINNED,
            Ordering::Acquire, // SYNC POINT gate.evict
            Ordering::Acquire, // SYNC POINT gate.evict
        ) {
            Ok(_) => Pin::Pinned,
            Err(word) if word & MOVING != 0 => Pin::Busy,
            Err(word) => Pin::Moved(word),
        }
    }

    /// How many messages the evictable reader `index` was moved past since it last asked. To be asked after it was
    /// found [moved](Pin::Moved).
    pub(crate) fn take_lost(self, index: ReaderIndex) -> u64 {
        self.control().reader(index).lost().swap(0, Ordering::Relaxed)
    }

    /// Whether there are readers that let go of slots without waking anybody.
    pub(crate) fn has_evictable(self) -> bool {
        self.readers().any(is_evictable)
    }

    /// Unpins the evictable reader `index`, which now stands at `position`.
    #[inline]
    pub(crate) fn unpin(self, index: ReaderIndex, position: u64) {
        self.control().reader(index).cursor().store(position, Ordering::Release); // SYNC POINT gate.release
    }

    /// Moves an unpinned evictable reader to the first slot at or after `wanted`, but not past `limit`, and tells it
    /// how many messages it missed. A pinned one is left alone: it moves on by itself within one copy.
    fn evict(self, entry: ReaderEntry<'_>, wanted: u64, limit: u64) {
        let from = entry.cursor().load(Ordering::Relaxed);
        if from & CURSOR_FLAGS != 0 {
            return;
        }
        // Acquire: pairs with the reader's last unpin. MOVING keeps it off its slots while they are counted.
        // SYNC POINT gate.release
        let taken = entry.cursor().compare_exchange(from, from | MOVING, Ordering::Acquire, Ordering::Relaxed);
        if taken.is_err() {
            return;
        }
        let (mut position, mut lost) = (from, 0);
        while ahead(wanted, position) > 0 && ahead(limit, position) > 0 {
            // SAFETY: from one slot to the next, from the reader's cursor on, which the gate is not past, under the
            // lock: whoever evicts holds it.
            match unsafe { self.store.slots().observe(position) } {
                Seen::Message(header) => {
                    lost += 1;
                    position = position.wrapping_add(self.store.slots().slot_len(header.size as usize));
                }
                Seen::Sealed { len, .. } => position = position.wrapping_add(len),
                Seen::Open { .. } => break,
            }
        }
        entry.lost().fetch_add(lost, Ordering::Relaxed);
        entry.cursor().store(position, Ordering::Release); // SYNC POINT gate.evict
    }

    // -------------------------------------------------------------------------------------------------- silent claims

    /// Seals the claim at `position`, whose fill is still running, so that readers go on. Its bytes stay untouched
    /// until [`unfence`](Self::unfence). False if it was finished meanwhile, or too many claims are fenced already.
    ///
    /// # Safety
    ///
    /// The caller's cursor stands at `position`.
    pub(crate) unsafe fn fence(self, position: u64) -> bool {
        let _locked = self.lock();
        let control = self.control();
        let free = (0..FENCED).map(|index| control.fenced(index)).find(|word| word.load(Ordering::Relaxed) == 0);
        let Some(word) = free else { return false };
        // Known to the gate before any reader can pass it (law 5). The low bit keeps position 0 from meaning "free".
        word.store(position | 1, Ordering::Relaxed);
        // SAFETY: the caller gates it, and the gate knows it by the word above.
        let fenced = unsafe { self.store.slots().fence(position) };
        if !fenced {
            word.store(0, Ordering::Relaxed);
        }
        fenced
    }

    /// Gives up the bytes of the fenced claim at `position`; called by its owner, which is done with them.
    pub(crate) fn unfence(self, position: u64) {
        let _locked = self.lock();
        let control = self.control();
        for index in 0..FENCED {
            let word = control.fenced(index);
            if word.load(Ordering::Relaxed) == position | 1 {
                word.store(0, Ordering::Relaxed);
            }
        }
    }

    fn behind_fences(self, limit: u64) -> u64 {
        (0..FENCED).fold(limit, |low, index| match self.control().fenced(index).load(Ordering::Relaxed) {
            0 => low,
            word => earlier(low, word & !1),
        })
    }

    // --------------------------------------------------------------------------------------------------------- tickets

    /// Queues reader `index`'s worker behind every outbox that is pending. Returns its ticket.
    pub(crate) fn take_ticket(self, index: ReaderIndex) -> u64 {
        let control = self.control();
        // 0 means "none", so the first ticket is 1.
        let ticket = control.next_ticket().fetch_add(1, Ordering::Relaxed) + 1;
        // Release: whoever finds a ticket that replaced an older one claims behind what was flushed under that. To loom
        // and Miri every claim comes after those that were made before, so neither would miss it.
        // SYNC POINT gate.ticket
        if control.reader(index).ticket().swap(ticket, Ordering::AcqRel) == 0 {
            control.flags().fetch_add(1, Ordering::AcqRel); // SYNC POINT gate.flags
        }
        ticket
    }

    /// Takes reader `index`'s worker out of the queue, unless its ticket is gone already.
    pub(crate) fn give_up_ticket(self, index: ReaderIndex, ticket: u64) {
        let control = self.control();
        let own = control.reader(index).ticket();
        // SYNC POINT gate.ticket
        if own.compare_exchange(ticket, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            control.flags().fetch_sub(1, Ordering::AcqRel); // SYNC POINT gate.flags
        }
    }

    /// Whether reader `index`'s worker may write to the ring: nobody holds an older ticket than its own, or it holds
    /// none and nobody else does.
    pub(crate) fn is_first(self, index: ReaderIndex) -> bool {
        let control = self.control();
        let own = control.reader(index).ticket().load(Ordering::Relaxed);
        // SYNC POINT gate.ticket
        self.readers().map(|entry| entry.ticket().load(Ordering::Acquire)).all(|ticket| {
            // A worker's own ticket is among them.
            ticket == 0 || (own != 0 && own <= ticket)
        })
    }

    // ----------------------------------------------------------------------------------------------------------- stats

    /// The counters of the bus.
    pub(crate) fn stats(self, writers: impl Iterator<Item = [u64; 4]>) -> Stats {
        let control = self.control();
        let tail = control.tail().load(Ordering::Acquire); // SYNC POINT claim.tail
        let mut stats = Stats { tail, ..Stats::default() };
        for [messages, bytes, full, sealed] in writers {
            stats.messages += messages;
            stats.bytes += bytes;
            stats.full += full;
            stats.sealed += sealed;
        }
        for entry in self.readers() {
            let position = cursor_of(entry);
            let name: Vec<u8> =
                (0..NAME).flat_map(|word| entry.name(word).load(Ordering::Relaxed).to_le_bytes()).collect();
            stats.readers.push(ReaderStats {
                name: String::from_utf8_lossy(&name).trim_end_matches(['\0', '\u{FFFD}']).to_owned(),
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

    /// The entries in use.
    #[inline]
    fn readers(self) -> impl Iterator<Item = ReaderEntry<'a>> {
        let control = self.control();
        let mut occupied = control.occupied().load(Ordering::Acquire); // SYNC POINT gate.join
        std::iter::from_fn(move || {
            let index = occupied.trailing_zeros() as usize;
            occupied &= occupied.wrapping_sub(1);
            (index < READERS).then(|| control.reader(control::reader(index)))
        })
    }

    /// The earliest position a gating reader still needs.
    fn gating_minimum(self) -> Option<u64> {
        self.readers()
            .filter(|entry| !is_evictable(*entry))
            .map(|entry| entry.cursor().load(Ordering::Acquire)) // SYNC POINT gate.release
            .reduce(earlier)
    }

    /// The first slot at or after `from` that is not finished, looking no further than `wanted` and the tail.
    /// Precondition: the lock is held and no gating reader exists (law 3).
    fn finished_from(self, from: u64, wanted: u64) -> u64 {
        let tail = self.control().tail().load(Ordering::Acquire); // SYNC POINT claim.tail
        self.finished_until(from, |position| ahead(wanted, position) <= 0 || ahead(tail, position) <= 0)
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
                Seen::Sealed { fenced: true, .. } | Seen::Open { .. } => break,
            };
        }
        position
    }

    /// Takes the gate lock. Its critical sections run no user code and wait for nothing.
    fn lock(self) -> Locked<'a> {
        let control = self.control();
        let mut looks = 0u32;
        // SYNC POINT gate.lock
        while control.lock().compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
            looks = looks.wrapping_add(1);
            if looks.is_multiple_of(64) { yield_now() } else { spin_loop() }
        }
        Locked(control)
    }
}

fn is_evictable(entry: ReaderEntry<'_>) -> bool {
    entry.kind().load(Ordering::Relaxed) == Kind::Evictable as u64
}

fn is_held(entry: ReaderEntry<'_>) -> bool {
    entry.kind().load(Ordering::Relaxed) == Kind::Held as u64
}

/// Where an entry's reader stands, flags taken off.
fn cursor_of(entry: ReaderEntry<'_>) -> u64 {
    entry.cursor().load(Ordering::Acquire) & !CURSOR_FLAGS // SYNC POINT gate.release
}
