//! [`RingReader`]: the reading side of a ring, as the face of every bus has it.
//!
//! * `place`: where a reader is, how it steps on, what it lets go of. The rest is built on that.
//! * `batch`: several messages in one call. `held`, `evictable`: what these two kinds do otherwise than gating readers,
//!   which look at messages in place and release them by themselves.
//! * `waiting`: how a reader sleeps, and what it does about a claim that nobody finishes.

mod batch;
mod evictable;
mod held;
mod place;
mod waiting;

use self::place::{Turn, lent};
use super::position::ahead;
use super::slot::{Seen, Slots};
use super::store::Storage;
use crate::message_bus::wait::{self, WaitStrategy};
use crate::sync::{Arc, Ordering};
use crate::traits::{
    Begin, CursorError, Header, Interest, Next, Poller, ReadError, Reader, Recorded, State, Unread, skipped,
};
use std::time::{Duration, Instant};

pub(crate) use self::place::FINISHED_WITHIN;
pub use self::place::RingReader;

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
    fn try_read_up_to(&mut self, most: usize, handle: impl FnMut(&Header, &[u8]) -> Next) -> Result<usize, ReadError> {
        self.read_batch(most, handle)
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
            Turn::Gating | Turn::Held => !matches!(self.look(self.position).1, Seen::Open { .. }),
            Turn::Attached | Turn::AttachedOtherwise => self.is_away() || self.is_next_there(self.kind),
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
        self.look_at_silence()
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
        self.let_go_to(position)
    }

    fn rewind_to(&mut self, position: u64) -> Result<(), CursorError> {
        self.go_back_to(position)
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
                Seen::Corrupt => return Unread { bytes: end.wrapping_sub(place), ..unread },
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

impl<W: WaitStrategy, S: Storage> RingReader<W, S> {
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

    /// Whether a reader of this kind has something to read or to be told.
    fn is_next_there(&self, kind: Turn) -> bool {
        match kind {
            Turn::Gating | Turn::Held | Turn::Attached | Turn::AttachedOtherwise => {
                !matches!(self.gated(self.position), Seen::Open { .. })
            }
            Turn::Full => false,
            Turn::Evictable => self.ready_or_moved(),
        }
    }

    /// The turn of a reader that does not just look at the next message in place. What an evictable one has copied
    /// nobody can take away, and a delivery that unwinds is repeated.
    ///
    /// The quick way on a ring that is shared is here, too: in `deliver` it would share registers with that of others,
    /// at one or two instructions a message there.
    #[cold]
    #[inline(never)]
    fn deliver_otherwise<R>(&mut self, deliver: impl FnOnce(&Header, &[u8]) -> (R, bool)) -> Result<R, ReadError> {
        let (slot, header) = if self.turn == Turn::Evictable {
            (None, self.copy_next()?)
        } else if self.turn == Turn::Attached
            && let Some((slot, header)) = self.look_attached()
        {
            (Some(slot), header)
        } else {
            let (in_place, header) = self.next_if_attached()?;
            (in_place.then(|| self.shared.store.slots().at(header.position)), header)
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
        if self.turn.is_attached() && !self.is_here(0) {
            return Err(ReadError::Forked);
        }
        match self.kind {
            Turn::Full => return Err(self.full()),
            Turn::Evictable => return Ok((false, self.copy_next()?)),
            Turn::Gating | Turn::Held | Turn::Attached | Turn::AttachedOtherwise => {}
        }
        loop {
            match self.gated(self.position) {
                Seen::Message(header) => return Ok((true, header)),
                seen => self.step_over_no_message(seen)?,
            }
        }
    }
}
