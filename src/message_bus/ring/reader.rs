//! [`RingReader`]: the reading side of a ring. Gating readers look at messages in place; evictable ones copy each
//! message out while they are pinned.

use super::control::ReaderIndex;
use super::gate::Standing;
use super::gate::evict::Pin;
use super::gate::readers::Kind;
use super::gate::tickets::CLOSED;
use super::memory::Ring;
use super::position::ahead;
use super::shared::Shared;
use super::slot::{Seen, Slot, Slots};
use super::store::Storage;
use crate::message_bus::wait::{self, Adaptive, Sleeper, WaitStrategy};
use crate::mmap::Bytes;
use crate::sync::{Arc, Ordering};
use crate::traits::{
    Begin, CursorError, Header, Interest, Next, Poller, ReadError, Reader, Recorded, State, SubscribeError, Unread,
    skipped,
};
use std::time::{Duration, Instant};

/// A reader of a [`CircularBus`](crate::message_bus::CircularBus) or a `PersistentBus`. Dropping it ends the
/// subscription.
#[derive(Debug)]
pub struct RingReader<W: WaitStrategy = Adaptive, S: Storage = Ring> {
    shared: Arc<Shared<S>>,
    /// Its entry in the reader table.
    index: ReaderIndex,
    turn: Turn,
    /// The same, where `turn` says no more than that the ring is shared.
    kind: Turn,
    /// Whether it was to begin with a rebuild.
    pub(crate) rebuilds: bool,
    /// The next message.
    position: u64,
    /// What the entry says; never ahead of `position`.
    released: u64,
    /// Release at least that often, in bytes; or, of a held reader, hold no more than the largest slot beyond that.
    batch: u64,
    /// Messages read since the last wait.
    handled: u64,
    /// Messages read before that.
    handled_before: u64,
    /// The wakes that were noticed.
    wakes: u64,
    /// The unfinished claim that this reader waits for, and since when.
    silent: Option<(u64, Instant)>,
    /// Where an evictable reader's messages are copied to.
    copy: Vec<u8>,
    /// Whose copy it is.
    copied: Option<Header>,
    /// How many messages it knows it was moved past.
    losses: u64,
    strategy: W,
    patience: wait::Patience,
}

/// How long a worker that begins again waits for those who are writing.
pub(crate) const FINISHED_WITHIN: Duration = Duration::from_secs(10);

/// How a reader comes to its next message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Turn {
    /// It looks at it in place, and releases by itself.
    Gating,
    /// It looks at it in place.
    Held,
    /// As its kind says, once it knows that it is still in the process that attached to the ring.
    Attached,
    /// It is held, and holds as much as it may.
    Full,
    /// It copies it.
    Evictable,
}

impl Turn {
    fn is_held(self) -> bool {
        matches!(self, Turn::Held | Turn::Full)
    }
}

impl<W: WaitStrategy, S: Storage> Reader for RingReader<W, S> {
    #[inline(always)]
    fn try_read<R>(&mut self, deliver: impl FnOnce(&Header, &[u8]) -> R) -> Result<R, ReadError> {
        self.deliver(|header, payload| (deliver(header, payload), true))
    }

    #[inline(always)]
    fn try_handle(&mut self, handle: impl FnOnce(&Header, &[u8]) -> bool) -> Result<bool, ReadError> {
        self.deliver(|header, payload| {
            let handled = handle(header, payload);
            (handled, handled)
        })
    }

    #[inline(always)]
    fn try_read_up_to(
        &mut self,
        most: usize,
        mut handle: impl FnMut(&Header, &[u8]) -> Next,
    ) -> Result<usize, ReadError> {
        // In registers until the batch ends.
        let (mut position, mut handled) = (self.position, 0);
        let mut release_at = self.released.wrapping_add(self.batch);
        let (mut copied, mut ended) = (None, Ok(()));
        loop {
            let paused = {
                // One comparison for both: is there one more to handle, and does this reader look at it in place?
                let in_place = match self.turn {
                    Turn::Gating | Turn::Held => most,
                    _ => match self.in_place_otherwise(most, handled) {
                        Ok(most) => most,
                        Err(error) => {
                            ended = Err(error);
                            break;
                        }
                    },
                };
                let (store, index) = (&self.shared.store, self.index);
                // SAFETY: it looks where a slot begins; the cursor that the gate goes by is `released`, not past it.
                let look = unsafe { store.slots().looker() };
                loop {
                    let (slot, header) = match copied.take() {
                        Some(header) => (None, header),
                        None if handled < in_place => match look(position) {
                            (Some(slot), Seen::Message(header)) => (Some(slot), header),
                            (_, seen) => break Paused::Before(seen),
                        },
                        None if handled < most => break Paused::Before(Seen::Open { pending: false }),
                        None => break Paused::End,
                    };
                    debug_assert!(slot.is_none() || ahead(position, self.released) >= 0);
                    store.delivering(index, position);
                    let unwound = PutBack { place: &mut self.position, position, count: &mut self.handled, handled };
                    // SAFETY: it was found at this reader's position, which stays there until it has been stepped over.
                    let next = handle(&header, &unsafe { lent(store, slot, &self.copy, &header) });
                    std::mem::forget(unwound);
                    store.delivered(index);
                    if next == Next::Keep {
                        break Paused::End;
                    }
                    handled += 1;
                    position = position.wrapping_add(store.slots().slot_len(header.size as usize));
                    if next == Next::Stop {
                        break Paused::End;
                    }
                    if ahead(position, release_at) >= 0 {
                        break Paused::Full;
                    }
                }
            };
            self.position = position;
            match paused {
                Paused::End => break,
                Paused::Full => self.release_batch(),
                Paused::Before(seen) => match self.look_further(seen) {
                    Ok(found) => copied = found,
                    Err(error) => {
                        ended = Err(error);
                        break;
                    }
                },
            }
            (position, release_at) = (self.position, self.released.wrapping_add(self.batch));
        }
        self.handled += handled as u64;
        self.step_over(0);
        ended.map(|()| handled)
    }

    fn try_read_recorded(
        &mut self,
        most: usize,
        mut handle: impl FnMut(&Header, Option<Recorded>, &[u8]) -> Next,
    ) -> Result<usize, ReadError> {
        let (shared, is_copied) = (Arc::clone(&self.shared), self.kind == Turn::Evictable);
        self.try_read_up_to(most, |header, payload| {
            if is_copied {
                return handle(header, None, payload);
            }
            // SAFETY: this reader sees it there, and the gate goes by it: an evictable one has copied the message.
            let recorded = unsafe { shared.store.recorded(header.position) };
            handle(header, recorded, payload)
        })
    }

    #[inline]
    fn ready(&mut self) -> bool {
        match self.turn {
            Turn::Gating | Turn::Held => !matches!(self.gated(self.position), Seen::Open { .. }),
            Turn::Attached => self.is_away() || self.is_next_there(self.kind),
            kind => self.is_next_there(kind),
        }
    }

    fn wait_until(&mut self, timeout: Option<Duration>, interest: Interest, done: impl FnMut(&mut Self) -> bool) {
        if self.is_away() {
            return;
        }
        self.release();
        let mut strategy = std::mem::take(&mut self.strategy);
        strategy.begin(self.take_handled());
        wait::wait_until(self, &mut strategy, interest, timeout, done);
        self.strategy = strategy;
        self.wakes = self.shared.wakes.load(Ordering::Acquire); // SYNC POINT bus.wake
    }

    #[inline]
    fn is_replaying(&self) -> bool {
        self.shared.store.is_replaying(self.index, self.position)
    }

    fn rebuilds(&self) -> bool {
        self.rebuilds
    }

    fn begin(&mut self) -> Option<Begin> {
        self.shared.store.begin(self.index)
    }

    fn begin_instead(&mut self, why: &str) -> Option<Begin> {
        let (position, begin) = self.shared.store.begin_instead(self.index, why)?;
        self.begin_at(position);
        // The store has brought back what the gate goes by.
        if ahead(self.released, position) > 0 {
            self.released = position;
        }
        Some(begin)
    }

    fn keep(&mut self, states: Vec<State>) -> Result<(), String> {
        self.shared.store.keep(self.index, self.position, states)
    }

    fn supervise(
        &mut self,
        worker: &'static str,
        sources: Option<Vec<(u16, &'static str)>>,
    ) -> Result<bool, CursorError> {
        self.shared.store.supervise(self.index, worker, sources, self.position)
    }

    fn begin_again(&mut self, in_hand: Option<(u64, bool)>) -> bool {
        let limit = self.shared.store.control().tail().load(Ordering::Acquire); // SYNC POINT claim.tail
        // What the worker has sent stands behind what others have not finished yet.
        if self.unread(limit, FINISHED_WITHIN).bytes != 0 {
            return false;
        }
        let Some(began) = self.shared.store.repeat(self.index, self.position, in_hand, limit) else { return false };
        self.position = began;
        self.let_go(began);
        true
    }

    fn skip_dead(&mut self) -> Option<u64> {
        let alive = self.shared.store.alive_until(self.index, self.position);
        match self.gated(self.position) {
            Seen::Message(header) if alive == self.position => {
                self.step_over(self.shared.store.slots().slot_len(header.size as usize));
                None
            }
            Seen::Sealed { len, .. } => {
                self.step_over(len);
                None
            }
            _ => Some(alive),
        }
    }

    fn wait_in(
        &mut self,
        poller: &std::sync::Arc<dyn Poller>,
        timeout: Option<Duration>,
        interest: Interest,
        done: impl FnMut(&mut Self) -> bool,
    ) {
        if self.is_away() {
            return;
        }
        self.release();
        let mut patience = std::mem::take(&mut self.patience);
        wait::wait_in(self, &mut patience, poller, interest, timeout, done);
        self.patience = patience;
        self.take_handled();
        self.wakes = self.shared.wakes.load(Ordering::Acquire); // SYNC POINT bus.wake
    }

    fn unblock(&mut self) -> Option<Duration> {
        if self.is_away() || self.copied().is_some() || self.is_at_tail() {
            return None;
        }
        let pinned = self.kind == Turn::Evictable;
        if pinned && self.shared.gate().pin(self.index, self.position) != Pin::Pinned {
            return None;
        }
        let limit = self.shared.times.silence;
        // SAFETY: the reader stands at a slot, and gates it, or has pinned it.
        let seen = unsafe { self.shared.store.slots().observe(self.position) };
        let left = match (seen, self.silent) {
            (Seen::Message(_) | Seen::Sealed { .. }, _) => None,
            (Seen::Open { pending: true }, Some((position, since))) if position == self.position => {
                let left = limit.saturating_sub(since.elapsed());
                if left.is_zero() {
                    // SAFETY: its cursor stands there, or is pinned there.
                    unsafe { self.shared.gate().fence(self.position) };
                }
                Some(left)
            }
            (Seen::Open { .. }, _) => {
                self.silent = Some((self.position, Instant::now()));
                Some(limit)
            }
        };
        if pinned {
            self.shared.gate().unpin(self.index, self.position);
        }
        // Perhaps the owner of the claim is dead.
        if left.is_some() && self.shared.heal_now_and_then() {
            return Some(Duration::ZERO);
        }
        left.map(|left| self.shared.patience().map_or(left, |patience| patience.min(left)))
    }

    #[inline]
    fn position(&self) -> u64 {
        self.position
    }

    #[inline]
    fn release(&mut self) {
        if self.kind == Turn::Gating && self.released != self.position {
            self.let_go(self.position);
        }
    }

    fn release_to(&mut self, position: u64) -> Result<(), CursorError> {
        self.check_read(position)?;
        // Again what is released already: that lets go of nothing.
        if ahead(position, self.released) > 0 {
            self.let_go(position);
            self.look_at_window();
        }
        Ok(())
    }

    fn rewind_to(&mut self, position: u64) -> Result<(), CursorError> {
        self.check_read(position)?;
        if ahead(self.released, position) > 0 {
            return Err(CursorError::NotRetained { asked: position, oldest: self.released });
        }
        self.position = position;
        self.look_at_window();
        Ok(())
    }

    fn abandon(mut self) {
        // What is stored then is what is stored already.
        self.position = self.released;
    }

    /// Looks at slots and reads none: what was not read is not let go of either.
    fn unread(&mut self, end: u64, patience: Duration) -> Unread {
        if self.kind == Turn::Evictable {
            return skipped(self, end);
        }
        let deadline = Instant::now().checked_add(patience);
        let (mut unread, mut place) = (Unread::default(), self.position);
        while ahead(end, place) > 0 {
            let slots = self.shared.store.slots();
            let len = match self.gated(place) {
                Seen::Message(header) => {
                    unread.messages += 1;
                    slots.slot_len(header.size as usize)
                }
                Seen::Sealed { len, .. } => len,
                Seen::Open { .. } => {
                    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
                    if left.is_some_and(|left| left.is_zero()) {
                        return Unread { bytes: end.wrapping_sub(place), ..unread };
                    }
                    let is_finished = |reader: &mut Self| !matches!(reader.gated(place), Seen::Open { .. });
                    self.wait_until(left, Interest::Messages, is_finished);
                    0
                }
            };
            place = place.wrapping_add(len);
        }
        unread
    }
}

impl<W: WaitStrategy, S: Storage> Sleeper for RingReader<W, S> {
    #[inline]
    fn woken(&self) -> bool {
        self.shared.wakes.load(Ordering::Acquire) != self.wakes // SYNC POINT bus.wake
    }

    fn park(
        &mut self,
        poller: Option<&std::sync::Arc<dyn Poller>>,
        interest: Interest,
        limit: Option<Duration>,
        mut ready: impl FnMut(&mut Self) -> bool,
    ) {
        let shared = Arc::clone(&self.shared);
        let limit = [limit, shared.longest_sleep(interest)].into_iter().flatten().min();
        let sleepers = shared.sleepers(interest);
        self.tell_asleep(1);
        match poller {
            None => _ = shared.waiters.park(&sleepers, interest, limit, || ready(self)),
            Some(poller) => shared.waiters.park_in(poller, &sleepers, limit, || ready(self)),
        }
        self.tell_asleep(0);
    }
}

impl<W: WaitStrategy, S: Storage> RingReader<W, S> {
    /// A reader that starts where `start` says.
    pub(crate) fn new(
        shared: &Arc<Shared<S>>,
        kind: Kind,
        name: &str,
        start: impl FnOnce(&Standing) -> Result<u64, SubscribeError>,
    ) -> Result<Self, SubscribeError> {
        // First: if it panics there is no entry that nobody reads for.
        let strategy = W::default();
        if shared.store.is_forked() {
            return Err(SubscribeError::Forked);
        }
        if shared.gate().has_no_place() {
            shared.heal();
        }
        let (index, position) = shared.gate().join(kind, name, start)?;
        let kind_of_turn = match kind {
            Kind::Gating => Turn::Gating,
            Kind::Held => Turn::Held,
            Kind::Evictable => Turn::Evictable,
        };
        Ok(RingReader {
            shared: Arc::clone(shared),
            index,
            turn: turn_of(&shared.store, kind_of_turn),
            kind: kind_of_turn,
            rebuilds: false,
            position,
            released: position,
            batch: if kind == Kind::Held { shared.store.window() } else { shared.store.batch() },
            handled: 0,
            handled_before: 0,
            wakes: shared.wakes.load(Ordering::Acquire), // SYNC POINT bus.wake
            silent: None,
            copy: Vec::new(),
            copied: None,
            losses: 0,
            strategy,
            patience: wait::Patience::default(),
        })
    }

    /// Has it begin further on than where it has joined, before anything was read. It gates all in between until it
    /// releases, so that it may yet begin there.
    pub(crate) fn begin_at(&mut self, position: u64) {
        self.position = position;
    }

    /// Its entry in the reader table.
    pub(crate) fn index(&self) -> ReaderIndex {
        self.index
    }

    /// Hands the next message to `deliver` and steps over it if that says so.
    // Always inlined: there is one place per worker that reads, and a call costs as much as the look.
    #[inline(always)]
    fn deliver<R>(&mut self, deliver: impl FnOnce(&Header, &[u8]) -> (R, bool)) -> Result<R, ReadError> {
        if self.turn > Turn::Held {
            return self.deliver_otherwise(deliver);
        }
        let (slot, header) = loop {
            match self.look(self.position) {
                (Some(slot), Seen::Message(header)) => break (slot, header),
                (_, seen) => self.step_over_no_message(seen)?,
            }
        };
        let store = &self.shared.store;
        store.delivering(self.index, header.position);
        // SAFETY: it was seen at this reader's position, and the cursor stays there until it has been stepped over.
        let (result, handled) = deliver(&header, &unsafe { store.slots().payload_in(slot, &header) });
        store.delivered(self.index);
        // Last: a step may release, and what is released is not handled again.
        if handled {
            self.handled += 1;
            self.step_over(store.slots().slot_len(header.size as usize));
        }
        Ok(result)
    }

    #[inline(always)]
    fn step_over(&mut self, len: u64) {
        self.position = self.position.wrapping_add(len);
        if self.position.wrapping_sub(self.released) >= self.batch {
            self.release_batch();
        }
    }

    /// Out of line: once per eighth of the ring.
    #[cold]
    #[inline(never)]
    fn release_batch(&mut self) {
        self.release();
        self.look_at_window();
    }

    /// Whether a held reader holds as much as it may.
    fn look_at_window(&mut self) {
        if self.kind.is_held() {
            let is_full = self.position.wrapping_sub(self.released) >= self.batch;
            self.kind = if is_full { Turn::Full } else { Turn::Held };
            self.turn = turn_of(&self.shared.store, self.kind);
        }
    }

    /// The messages read since the last wait: the next one begins.
    fn take_handled(&mut self) -> u64 {
        let handled = std::mem::take(&mut self.handled);
        self.handled_before = self.handled_before.wrapping_add(handled);
        handled
    }

    /// Says to whoever looks at a ring that is shared how many messages were handled, `more` than are counted.
    fn tell_handled(&self, more: usize) {
        let handled = self.handled_before.wrapping_add(self.handled).wrapping_add(more as u64);
        self.shared.control().reader(self.index).handled().store(handled, Ordering::Relaxed);
    }

    /// Says to whoever looks at a ring that is shared whether this reader sleeps.
    fn tell_asleep(&self, asleep: u64) {
        if self.shared.store.is_shared() {
            self.tell_handled(0);
            self.shared.control().reader(self.index).asleep().store(asleep, Ordering::Relaxed);
        }
    }

    /// Whether this reader of a ring that is shared is still in the process that attached. Then it says how many
    /// messages it has handled, `more` than are counted.
    #[cold]
    #[inline(never)]
    fn is_here(&self, more: usize) -> bool {
        let is_here = !self.is_away();
        if is_here {
            self.tell_handled(more);
        }
        is_here
    }

    /// Lets writers reuse everything before `position`.
    fn let_go(&mut self, position: u64) {
        if self.is_away() {
            return;
        }
        self.released = position;
        self.shared.gate().release(self.index, position);
        self.shared.store.released(self.index, position);
        self.shared.notify_room();
    }

    /// Whether a held reader has come by the beginning of a slot at `position`, or has released it.
    fn check_read(&self, position: u64) -> Result<(), CursorError> {
        if !self.kind.is_held() {
            return Err(CursorError::NotHeld);
        }
        if self.is_away() {
            return Err(CursorError::Forked);
        }
        let mut place = self.released;
        while ahead(position, place) > 0 && ahead(self.position, place) > 0 {
            let slots = self.shared.store.slots();
            // SAFETY: from one slot to the next, from `released` on, which the gate goes by; it came by all of these.
            place = place.wrapping_add(match unsafe { slots.observe(place) } {
                Seen::Message(header) => slots.slot_len(header.size as usize),
                Seen::Sealed { len, .. } => len,
                Seen::Open { .. } => break,
            });
        }
        let is_read = place == position || ahead(self.released, position) > 0;
        if is_read { Ok(()) } else { Err(CursorError::NoSuchPosition { asked: position }) }
    }

    /// Steps over what is no message, or says why there is nothing to step over.
    #[cold]
    #[inline(never)]
    fn step_over_no_message(&mut self, seen: Seen) -> Result<(), ReadError> {
        match seen {
            Seen::Message(_) => {}
            Seen::Sealed { len, .. } => self.step_over(len),
            Seen::Open { .. } => return Err(self.nothing()),
        }
        Ok(())
    }

    /// Where there is no message to be looked at in place: copies an evictable reader's, or steps over what is none.
    #[cold]
    #[inline(never)]
    fn look_further(&mut self, seen: Seen) -> Result<Option<Header>, ReadError> {
        match self.kind {
            Turn::Evictable => self.copy_next().map(Some),
            Turn::Full => Err(self.full()),
            Turn::Gating | Turn::Held | Turn::Attached => self.step_over_no_message(seen).map(|()| None),
        }
    }

    /// Whether this is a copy, in a child that was forked, of a reader that is its parent's.
    #[inline]
    fn is_away(&self) -> bool {
        self.shared.store.is_forked()
    }

    /// As many messages as are looked at in place where that is not just all of them. `handled` are not counted yet.
    #[inline]
    fn in_place_otherwise(&self, most: usize, handled: usize) -> Result<usize, ReadError> {
        let kind = match self.turn {
            Turn::Attached if !self.is_here(handled) => return Err(ReadError::Forked),
            Turn::Attached => self.kind,
            kind => kind,
        };
        Ok(if matches!(kind, Turn::Evictable | Turn::Full) { 0 } else { most })
    }

    /// Whether a reader of this kind has something to read or to be told.
    fn is_next_there(&self, kind: Turn) -> bool {
        match kind {
            Turn::Gating | Turn::Held | Turn::Attached => !matches!(self.gated(self.position), Seen::Open { .. }),
            Turn::Full => false,
            Turn::Evictable => self.ready_or_moved(),
        }
    }

    /// What stands at `place`, which this gating reader has come to by steps over slots, released or not: its position,
    /// or one behind it.
    #[inline(always)]
    fn gated(&self, place: u64) -> Seen {
        self.look(place).1
    }

    /// As [`gated`](Self::gated), with where that slot is.
    #[inline(always)]
    fn look(&self, place: u64) -> (Option<Slot<'_>>, Seen) {
        debug_assert!(self.kind != Turn::Evictable && ahead(place, self.released) >= 0);
        // SAFETY: a slot begins there, and the cursor that the gate goes by is `released`, which is not past it.
        unsafe { self.shared.store.slots().look(place) }
    }

    /// Nothing to read: lets go of all that was read and says why there is no more.
    #[inline]
    fn nothing(&mut self) -> ReadError {
        self.release();
        // Acquire: what was committed before the close is visible after it.
        let closed = self.shared.flags(Ordering::Acquire) & CLOSED != 0; // SYNC POINT bus.close
        if closed && self.is_at_tail() { ReadError::Closed } else { ReadError::Empty }
    }

    /// Why a held reader with a full window reads nothing: there may be nothing, either.
    fn full(&mut self) -> ReadError {
        if self.is_at_tail() { self.nothing() } else { ReadError::WindowFull }
    }

    fn is_at_tail(&self) -> bool {
        // Relaxed: a position that is compared and leads to no bytes. That it is no older than a close comes with the
        // flags that told of it.
        self.shared.control().tail().load(Ordering::Relaxed) == self.position
    }

    /// Whether an evictable reader has a message, or was moved.
    fn ready_or_moved(&self) -> bool {
        if self.copied().is_some() {
            return true;
        }
        match self.shared.gate().pin(self.index, self.position) {
            Pin::Pinned => {
                // SAFETY: the reader stands at a slot, and has pinned it.
                let seen = unsafe { self.shared.store.slots().observe(self.position) };
                self.shared.gate().unpin(self.index, self.position);
                !matches!(seen, Seen::Open { .. })
            }
            // It will have been moved in a moment.
            Pin::Busy => true,
            Pin::Moved(_) => true,
        }
    }

    /// The turn of a reader that does not just look at the next message in place. What an evictable one has copied
    /// nobody can take away, and a delivery that unwinds is repeated.
    #[cold]
    #[inline(never)]
    fn deliver_otherwise<R>(&mut self, deliver: impl FnOnce(&Header, &[u8]) -> (R, bool)) -> Result<R, ReadError> {
        let (slot, header) = match self.turn {
            Turn::Evictable => (None, self.copy_next()?),
            _ => {
                let (in_place, header) = self.next_if_attached()?;
                (in_place.then(|| self.shared.store.slots().at(header.position)), header)
            }
        };
        // SAFETY: it was seen at this reader's position, and the cursor stays there until it has been stepped over.
        let (result, handled) = deliver(&header, &unsafe { lent(&self.shared.store, slot, &self.copy, &header) });
        if handled {
            self.handled += 1;
            self.step_over(self.shared.store.slots().slot_len(header.size as usize));
        }
        Ok(result)
    }

    /// The next message of a reader of a shared ring, or of one that may hold no more, and whether it is looked at in
    /// place.
    #[inline(never)]
    fn next_if_attached(&mut self) -> Result<(bool, Header), ReadError> {
        if self.turn == Turn::Attached && !self.is_here(0) {
            return Err(ReadError::Forked);
        }
        match self.kind {
            Turn::Full => return Err(self.full()),
            Turn::Evictable => return Ok((false, self.copy_next()?)),
            Turn::Gating | Turn::Held | Turn::Attached => {}
        }
        loop {
            match self.gated(self.position) {
                Seen::Message(header) => return Ok((true, header)),
                seen => self.step_over_no_message(seen)?,
            }
        }
    }

    /// The evictable reader's next message, if it has copied that already: it was not handled then.
    fn copied(&self) -> Option<Header> {
        self.copied.filter(|header| header.position == self.position)
    }

    /// Copies an evictable reader's next message while it is pinned, and steps the shared cursor over it: nobody can
    /// take the copy away.
    fn copy_next(&mut self) -> Result<Header, ReadError> {
        if let Some(header) = self.copied() {
            return Ok(header);
        }
        let shared = Arc::clone(&self.shared);
        loop {
            match shared.gate().pin(self.index, self.position) {
                Pin::Pinned => {}
                Pin::Busy => return Err(ReadError::Empty),
                Pin::Moved(position) => {
                    self.position = position;
                    let losses = shared.gate().losses(self.index);
                    match losses - std::mem::replace(&mut self.losses, losses) {
                        0 => continue,
                        lost => return Err(ReadError::Lagged(lost)),
                    }
                }
            }
            // SAFETY: the reader stands at a slot, and has pinned it.
            let seen = unsafe { shared.store.slots().observe(self.position) };
            let len = match seen {
                Seen::Message(header) => {
                    self.copy.clear();
                    // SAFETY: it was seen here, and is pinned still.
                    self.copy.extend_from_slice(&unsafe { shared.store.slots().payload(&header) });
                    shared.store.slots().slot_len(header.size as usize)
                }
                Seen::Sealed { len, .. } => len,
                Seen::Open { .. } => 0,
            };
            let next = self.position.wrapping_add(len);
            shared.gate().unpin(self.index, next);
            // Sooner than a writer that found this slot pinned looks again by itself.
            shared.notify_room();
            match seen {
                Seen::Message(header) => {
                    (self.copied, self.released) = (Some(header), self.position);
                    return Ok(header);
                }
                Seen::Sealed { .. } => self.position = next,
                Seen::Open { .. } => return Err(self.nothing()),
            }
        }
    }
}

/// How a reader of this kind comes to its next message.
fn turn_of(store: &impl Storage, kind: Turn) -> Turn {
    if store.is_shared() { Turn::Attached } else { kind }
}

/// Why a batch leaves its quick way.
enum Paused {
    /// No message to be looked at in place.
    Before(Seen),
    /// So much was read that it is to be released.
    Full,
    /// No more is wanted.
    End,
}

/// The payload of a message that was found: in its slot, or where there is none in the reader's copy.
///
/// # Safety
///
/// A look of a reader that gates it has shown `header` in `slot`, and the reader stays there while the bytes are lent.
#[inline(always)]
unsafe fn lent<'a, S: Storage>(store: &S, slot: Option<Slot<'a>>, copy: &'a [u8], header: &Header) -> Bytes<'a> {
    match slot {
        // SAFETY: the caller's promise.
        Some(slot) => unsafe { store.slots().payload_in(slot, header) },
        None => Bytes::from(copy),
    }
}

/// Tells a reader where it is in its batch when a message's handling unwinds.
struct PutBack<'a> {
    place: &'a mut u64,
    position: u64,
    count: &'a mut u64,
    handled: usize,
}

impl Drop for PutBack<'_> {
    fn drop(&mut self) {
        *self.place = self.position;
        *self.count += self.handled as u64;
    }
}

impl<W: WaitStrategy, S: Storage> Drop for RingReader<W, S> {
    fn drop(&mut self) {
        if self.is_away() {
            return;
        }
        // A held one's cursor stays where it was released.
        if !self.kind.is_held() {
            self.shared.store.left(self.index, self.position);
        }
        self.shared.gate().leave(self.index);
        self.shared.notify_room();
    }
}
