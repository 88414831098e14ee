//! [`RingWriter`]: the writing side of a ring: may I, claim, publish, wake, count.

use super::claim::{Claim, Claimed, ManyWriters, Role};
use super::control::{self, Control, SHARED_WRITER, WriterIndex};
use super::gate::tickets::{CLOSED, PENDING};
use super::memory::Ring;
use super::shared::Shared;
use super::slot::{Filled, SLOT_ALIGN, Slots};
use super::store::Storage;
use crate::message_bus::wait::{Adaptive, Idle, WaitStrategy};
use crate::sync::{Arc, Ordering};
use crate::traits::{BusWriter, Interest, NoWriter, Payload, Publish, Time, WriteError};
use std::cell::Cell;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

/// A writer of a [`CircularBus`](crate::message_bus::CircularBus) or a `PersistentBus`. It is `Send` and not `Sync`:
/// each thread has its own. On a bus for many writers it is `Clone`.
#[derive(Debug)]
pub struct RingWriter<C: Claim = ManyWriters, W: WaitStrategy = Adaptive, S: Storage = Ring> {
    shared: Arc<Shared<S>>,
    claim: C,
    role: Role,
    /// Its entry in the writer table. The last one is shared by all that found no other; on a ring that is shared it
    /// stands for none, as a dead writer's claims must be told from all others.
    index: WriterIndex,
    /// Smaller payloads are claimed in the quick way, without another look at their size.
    small_end: usize,
    /// The same of a writer on a ring that is shared, where that is another way; 0 if it has no place there.
    attached_end: usize,
    /// 1 while its last claim is being filled in place, on a ring that is shared. A number, as its neighbours are: who
    /// shares a writer among threads is then told so once.
    filling: Cell<u64>,
    /// The ticket of the worker's outbox, or 0.
    ticket: Cell<u64>,
    known: S::Known,
    strategy: PhantomData<fn() -> W>,
}

impl<C: Claim, W: WaitStrategy, S: Storage> RingWriter<C, W, S> {
    pub(crate) fn new(shared: &Arc<Shared<S>>, role: Role) -> Result<Self, NoWriter> {
        if shared.store.is_forked() {
            return Err(NoWriter::Forked);
        }
        let control = shared.control();
        let own = shared.store.owner().word();
        // Acquire on both: a successor goes on where its predecessor, which released the place, left off.
        // SYNC POINT writer.place
        let is_taken = || control.one_writer().compare_exchange(0, own, Ordering::AcqRel, Ordering::Relaxed).is_err();
        // Perhaps it is a dead writer's.
        if !C::MANY && is_taken() && (!shared.heal() || is_taken()) {
            return Err(NoWriter::Taken);
        }
        let free = |&index: &WriterIndex| {
            let state = control.writer(index).state();
            // The one writer has what its predecessor left already.
            let order = if C::MANY { Ordering::AcqRel } else { Ordering::Relaxed }; // SYNC POINT writer.place
            state.compare_exchange(0, own, order, Ordering::Relaxed).is_ok()
        };
        let find = || (0..SHARED_WRITER).map(control::writer).find(free);
        let index = match find() {
            None if shared.heal() => find(),
            found => found,
        };
        let index = index.unwrap_or(control::writer(SHARED_WRITER));
        let has_place = index.number() != SHARED_WRITER || !shared.store.is_shared();
        if let (Role::Worker(_), true) = (role, has_place) {
            shared.gate().add_worker(index);
        }
        Ok(RingWriter::at(shared, role, index))
    }

    /// The writer that has the place `index`.
    fn at(shared: &Arc<Shared<S>>, role: Role, index: WriterIndex) -> Self {
        let claim = C::new(&shared.store, index);
        let (store, slots) = (&shared.store, shared.store.slots());
        // On a ring that is shared there is more to ask than whether there is room.
        let (largest, largest_attached) = match (store.is_shared(), index.number() == SHARED_WRITER && C::MANY) {
            (false, _) => (claim.largest(), 0),
            (true, has_no_place) => (0, if has_no_place { 0 } else { u64::MAX }),
        };
        let [small_end, attached_end] = [largest, largest_attached].map(|largest| small_end(slots, largest));
        RingWriter {
            shared: Arc::clone(shared),
            claim,
            role,
            index,
            small_end,
            attached_end,
            filling: Cell::new(0),
            ticket: Cell::new(0),
            known: S::Known::default(),
            strategy: PhantomData,
        }
    }

    /// Whether this writer may claim at all now.
    #[cold]
    #[inline(never)]
    fn admit(&self) -> Result<(), WriteError> {
        match self.is_admitted() {
            // Perhaps those who are first are dead.
            Err(WriteError::Full) if self.shared.heal_now_and_then() => self.admit(),
            admitted => admitted,
        }
    }

    fn is_admitted(&self) -> Result<(), WriteError> {
        let flags = self.shared.flags(Ordering::Relaxed);
        match self.role {
            _ if flags == 0 => Ok(()),
            Role::Outside | Role::Import(_) if flags & CLOSED != 0 => Err(WriteError::Closed),
            Role::Outside | Role::Import(_) => Err(WriteError::Full),
            Role::Worker(reader) if flags & PENDING != 0 && !self.shared.gate().is_first(reader) => {
                Err(WriteError::Full)
            }
            Role::Worker(_) => Ok(()),
        }
    }

    /// Claims a slot; `in_place`: to be filled by its user's code.
    #[inline(always)]
    fn claim(&self, control: Control<'_>, size: usize, in_place: bool) -> Result<Claimed, WriteError> {
        let len = self.shared.store.slots().slot_len(size);
        // Relaxed: the flags order turns, not data.
        if size < self.small_end
            && control.flags().load(Ordering::Relaxed) == 0
            && let Some(claimed) = self.claim.claim(&self.shared.store, control.tail(), len)
        {
            return Ok(claimed);
        }
        let claimed = self.claim_otherwise(size)?;
        if C::MANY && in_place {
            self.filling.set(1);
        }
        Ok(claimed.slow(len))
    }

    /// Claims in the quick way of a ring that is shared, or slowly. Out of line: the ways to claim that are compiled
    /// into each write are two, of which the second knows least.
    #[cold]
    #[inline(never)]
    fn claim_otherwise(&self, size: usize) -> Result<Claimed, WriteError> {
        let store = &self.shared.store;
        if size < self.attached_end
            && !store.is_forked()
            && self.shared.flags(Ordering::Relaxed) == 0
            && (!C::MANY || self.filling.get() == 0)
            && let Some(claimed) = self.claim.claim_announced(store, store.slots().slot_len(size))
        {
            store.slots().at(claimed.position()).fetch(claimed.soon());
            return Ok(claimed.fetched());
        }
        self.claim_slowly(size)
    }

    /// Claims what is not small, or is near the limit, or may not be this writer's turn.
    #[cold]
    #[inline(never)]
    fn claim_slowly(&self, size: usize) -> Result<Claimed, WriteError> {
        let max = self.shared.store.slots().max_payload();
        if size > max {
            return Err(WriteError::TooLarge { size, max });
        }
        if self.shared.store.is_forked() {
            return Err(WriteError::Forked);
        }
        self.admit()?;
        let len = self.shared.store.slots().slot_len(size);
        if C::MANY && self.shared.store.is_shared() {
            return self.claim_as_owner(len);
        }
        self.claim_in_room(len)
    }

    /// Claims on a ring that is shared. What this writer has announced is what is known of its claim until that is
    /// finished, so it has one at a time.
    fn claim_as_owner(&self, len: u64) -> Result<Claimed, WriteError> {
        if self.index.number() == SHARED_WRITER {
            return Err(WriteError::TooManyWriters { max: SHARED_WRITER });
        }
        if self.filling.get() != 0 {
            return Err(WriteError::Filling);
        }
        self.claim_in_room(len)
    }

    /// Claims near the limit, or in another than the quick way, and has room made where that is possible.
    #[cold]
    #[inline(never)]
    fn claim_in_room(&self, len: u64) -> Result<Claimed, WriteError> {
        loop {
            if let Some(claimed) = self.claim.claim_in_room(&self.shared.store, len, self.role) {
                return Ok(claimed);
            }
            if let Err(error) = self.shared.store.make_room(len) {
                // Perhaps those who hold it up are dead.
                if error == WriteError::Full && self.shared.heal_now_and_then() {
                    continue;
                }
                self.shared.control().writer(self.index).full().fetch_add(1, Ordering::Relaxed);
                return Err(error);
            }
        }
    }

    /// Claims a slot and lets `payload` fill it in place.
    #[inline]
    fn put_in_place<P: Payload>(&self, source: u16, message: u16, payload: &mut P) -> Result<(), WriteError> {
        let shared = &*self.shared;
        let size = payload.size();
        // Before the claim: the clock is the user's, and a claim that nobody finishes keeps all readers waiting.
        let more = shared.store.more(self.role);
        let control = shared.control();
        let claimed = self.claim(control, size, true)?;
        let (position, len) = (claimed.position(), claimed.len());
        let _notify = Notify(shared);
        let counted = CountSealed(self);
        let unfence = |position| shared.gate().unfence(position);
        let slots = shared.store.slots();
        // SAFETY: claimed of the store of these slots.
        let filled = unsafe { slots.publish_fill(claimed, source, message, more, size, payload, unfence) };
        match filled {
            Filled::Committed => {
                std::mem::forget(counted);
                self.filling.set(0);
                self.count_message(control, size);
                shared.store.acknowledge(position, len)
            }
            Filled::Sealed(error) => Err(WriteError::Encode(error)),
            Filled::Fenced => Err(WriteError::Fenced),
        }
    }

    /// Counts a committed message.
    #[inline(always)]
    fn count_message(&self, control: Control<'_>, size: usize) {
        let entry = control.writer(self.index);
        if C::MANY && self.index.number() == SHARED_WRITER {
            entry.messages().fetch_add(1, Ordering::Relaxed);
            entry.bytes().fetch_add(size as u64, Ordering::Relaxed);
            return;
        }
        // Nobody else writes to this entry, so the counts need no locked instruction. Nor private copies: a writer that
        // waits for its lines has only so many stores to run ahead with.
        for (word, add) in [(entry.messages(), 1), (entry.bytes(), size as u64)] {
            word.store(word.load(Ordering::Relaxed).wrapping_add(add), Ordering::Relaxed);
        }
    }

    /// Waits until there is room, for `timeout` at most, or until a sleep ends.
    fn await_room(&self, size: usize, timeout: Option<Duration>) {
        let shared = &*self.shared;
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut strategy = W::default();
        strategy.begin(0);
        while !self.has_room_now(size) {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return;
            }
            if strategy.idle() == Idle::Park {
                return shared.park(None, Interest::Room, left, || self.has_room_now(size));
            }
        }
    }

    fn has_room_now(&self, size: usize) -> bool {
        // What is refused in any case keeps nobody waiting.
        if size > self.shared.store.slots().max_payload() || self.shared.store.is_forked() {
            return true;
        }
        match self.admit() {
            Ok(()) => {
                let len = self.shared.store.slots().slot_len(size);
                // A store that can make room, or says why not, keeps nobody waiting.
                self.claim.has_room(&self.shared.store, len, self.role)
                    || self.shared.store.make_room(len) != Err(WriteError::Full)
            }
            Err(error) => error != WriteError::Full,
        }
    }
}

/// The first size of a payload that is not known to be allowed, in a slot of `largest` bytes at most.
fn small_end<S: Slots>(slots: &S, largest: u64) -> usize {
    match (largest / SLOT_ALIGN * SLOT_ALIGN).checked_sub(slots.slot_len(0)) {
        Some(size) => slots.max_payload().min(usize::try_from(size).unwrap_or(usize::MAX)).saturating_add(1),
        None => 0,
    }
}

/// Wakes readers when a slot is finished, in whatever way it was.
struct Notify<'a, S: Storage>(&'a Shared<S>);

impl<S: Storage> Drop for Notify<'_, S> {
    #[inline]
    fn drop(&mut self) {
        self.0.notify_message();
    }
}

impl<C: Claim, W: WaitStrategy, S: Storage> Publish for RingWriter<C, W, S> {
    // Always inlined: bytes that the caller has just put together then go from its registers into the slot. Through a
    // call they go through memory, and loads wider than the stores before them wait until those are in the cache.
    #[inline(always)]
    fn try_put<P: Payload>(&self, source: u16, message: u16, payload: &mut P) -> Result<(), WriteError> {
        let store = &self.shared.store;
        if let Some(result) = store.instead(self.role, &self.known, source, message, payload) {
            return result;
        }
        let Some(bytes) = payload.as_encoded() else { return self.put_in_place(source, message, payload) };
        let more = store.more(self.role);
        // Once: behind a store to shared memory its address would be loaded again.
        let control = store.control();
        let claimed = self.claim(control, bytes.len(), false)?;
        let (position, len) = (claimed.position(), claimed.len());
        // SAFETY: claimed of the store of these slots.
        unsafe { store.slots().publish_bytes(claimed, source, message, more, bytes) };
        self.shared.waiters.notify(control.message_sleepers());
        self.count_message(control, bytes.len());
        store.acknowledge(position, len)
    }

    fn wait_for_room(&self, size: usize) {
        self.await_room(size, None);
    }

    fn wait_for_room_at_most(&self, size: usize, timeout: Duration) {
        self.await_room(size, Some(timeout));
    }
}

/// Counts a slot as sealed unless forgotten.
struct CountSealed<'a, C: Claim, W: WaitStrategy, S: Storage>(&'a RingWriter<C, W, S>);

impl<C: Claim, W: WaitStrategy, S: Storage> Drop for CountSealed<'_, C, W, S> {
    fn drop(&mut self) {
        let writer = self.0;
        writer.filling.set(0);
        writer.shared.control().writer(writer.index).sealed().fetch_add(1, Ordering::Relaxed);
    }
}

impl<C: Claim, W: WaitStrategy, S: Storage> BusWriter for RingWriter<C, W, S> {
    fn take_ticket(&self) {
        if let (Role::Worker(reader), false) = (self.role, self.shared.store.is_forked()) {
            self.ticket.set(self.shared.gate().take_ticket(reader));
        }
    }

    fn give_up_ticket(&self) {
        let ticket = self.ticket.replace(0);
        if let (Role::Worker(reader), 1.., false) = (self.role, ticket, self.shared.store.is_forked()) {
            if self.shared.store.is_shared() {
                self.shared.control().reader(reader).outbox().store(0, Ordering::Relaxed);
            }
            self.shared.gate().give_up_ticket(reader, ticket);
            self.shared.notify_room();
        }
    }

    fn is_slowest(&self) -> bool {
        match self.role {
            Role::Worker(reader) => self.shared.gate().is_slowest(reader),
            Role::Outside | Role::Import(_) => true,
        }
    }

    fn has_room(&self, size: usize) -> bool {
        self.has_room_now(size)
    }

    fn written(&self) -> u64 {
        self.shared.control().writer(self.index).messages().load(Ordering::Relaxed)
    }

    #[inline]
    fn time(&self) -> Option<Time> {
        self.shared.store.time(self.role)
    }

    #[inline]
    fn settle(&self) -> Result<(), WriteError> {
        self.shared.store.settle(self.role, &self.known)
    }

    fn record_outbox(&self, bytes: usize) {
        if let (Role::Worker(reader), false) = (self.role, self.shared.store.is_forked()) {
            let entry = self.shared.control().reader(reader);
            if self.shared.store.is_shared() {
                entry.outbox().store(bytes as u64, Ordering::Relaxed);
            }
            let mark = entry.outbox_high_water();
            if mark.load(Ordering::Relaxed) < bytes as u64 {
                mark.store(bytes as u64, Ordering::Relaxed);
            }
        }
    }
}

impl<W: WaitStrategy, S: Storage> Clone for RingWriter<ManyWriters, W, S> {
    /// A second writer with the same role, for another thread.
    fn clone(&self) -> Self {
        match RingWriter::new(&self.shared, self.role) {
            Ok(writer) => writer,
            // It says so at each write.
            Err(NoWriter::Forked) => RingWriter::at(&self.shared, self.role, control::writer(SHARED_WRITER)),
            Err(NoWriter::Taken) => unreachable!("many writers are never refused"),
        }
    }
}

impl<C: Claim, W: WaitStrategy, S: Storage> Drop for RingWriter<C, W, S> {
    fn drop(&mut self) {
        if self.shared.store.is_forked() {
            return;
        }
        self.give_up_ticket();
        let control = self.shared.control();
        let has_own = self.index.number() != SHARED_WRITER;
        if let (Role::Worker(_), true) = (self.role, has_own || !self.shared.store.is_shared()) {
            self.shared.gate().remove_worker(self.index);
        }
        if has_own {
            self.shared.store.announce(self.index, None);
            control.writer(self.index).state().store(0, Ordering::Release); // SYNC POINT writer.place
        }
        if !C::MANY {
            control.one_writer().store(0, Ordering::Release); // SYNC POINT writer.place
        }
    }
}
