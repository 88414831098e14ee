//! How a reader sleeps, and what it does about a claim that nobody finishes.

use super::place::{RingReader, Turn};
use crate::message_bus::ring::gate::evict::Pin;
use crate::message_bus::ring::slot::{Seen, Slots};
use crate::message_bus::ring::store::Storage;
use crate::message_bus::wait::{Sleeper, WaitStrategy};
use crate::sync::{Arc, Ordering};
use crate::traits::{Interest, Poller};
use std::time::{Duration, Instant};

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
        self.tell_asleep(1);
        shared.park(poller, interest, limit, || ready(self));
        self.tell_asleep(0);
    }
}

impl<W: WaitStrategy, S: Storage> RingReader<W, S> {
    /// Looks at what keeps this reader from its next message: a fill that has been silent for too long is fenced, and
    /// a dead writer's claim given back. Returns how long it is until there is more to be done.
    pub(super) fn look_at_silence(&mut self) -> Option<Duration> {
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
            (Seen::Message(_) | Seen::Sealed { .. } | Seen::Corrupt, _) => None,
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
}
