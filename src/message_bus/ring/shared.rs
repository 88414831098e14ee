//! What all handles, readers and writers of one bus share in this process.

use super::control::{self, Control, WRITERS};
use super::gate::Gate;
use super::gate::tickets::CLOSED;
use super::memory::Ring;
use super::position::later;
use super::store::Store;
use super::times::Times;
use crate::message_bus::wait::Waiters;
use crate::sync::{AtomicU64, Barrier, CachePadded, Ordering, nap};
use crate::traits::{Interest, Poller, Stats};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// What all handles of one bus share in this process.
#[derive(Debug)]
pub(crate) struct Shared<S: Store> {
    /// Ends first: it works on the store.
    _background: S::Background,
    pub(crate) store: S,
    pub(crate) times: Times,
    /// How often [`MessageBus::wake`] was called.
    pub(crate) wakes: CachePadded<AtomicU64>,
    pub(crate) waiters: CachePadded<Waiters>,
    /// CLOSED, if outsiders of this attachment are refused. On a bus that is not shared the ring says so: this is 0.
    closed: AtomicU64,
    /// Since when there is this, and when the dead are looked for next, in milliseconds after that.
    since: Instant,
    heal_at: AtomicU64,
    /// What was said last to be released.
    released: AtomicU64,
}

impl Shared<Ring> {
    /// What an attachment has of a ring that processes share, all of which have this barrier.
    #[cfg_attr(
        not(all(target_os = "linux", not(rust_messenger_loom))),
        allow(dead_code, reason = "rings that processes share by name use it")
    )]
    pub(crate) fn across(ring: Ring, times: Times, barrier: Barrier) -> Self {
        let waiters = Waiters::across(ring.futexes(), ring.owner().attachment().into(), barrier);
        Shared::with(ring.in_times(times), (), times, waiters)
    }
}

impl<S: Store> Drop for Shared<S> {
    fn drop(&mut self) {
        if !self.store.is_forked() {
            // Not waited for: this may be that thread.
            drop(self.waiters.end());
        }
    }
}

impl<S: Store> Shared<S> {
    /// What there is of a bus that is this process's alone.
    pub(crate) fn new(store: S, background: S::Background, times: Times) -> Self {
        Shared::with(store, background, times, Waiters::new())
    }

    fn with(store: S, background: S::Background, times: Times, waiters: Waiters) -> Self {
        let control = store.control();
        for word in [control.message_sleepers(), control.room_sleepers()] {
            // And not stored: others may sleep there.
            word.fetch_or(waiters.nobody(), Ordering::Relaxed);
        }
        let released = AtomicU64::new(control.gate().load(Ordering::Acquire)); // SYNC POINT gate.move
        Shared {
            _background: background,
            store,
            times,
            wakes: CachePadded::new(AtomicU64::new(0)),
            waiters: CachePadded::new(waiters),
            closed: AtomicU64::new(0),
            since: Instant::now(),
            heal_at: AtomicU64::new(0),
            released,
        }
    }

    #[inline(always)]
    pub(crate) fn control(&self) -> Control<'_> {
        self.store.control()
    }

    #[inline(always)]
    pub(crate) fn gate(&self) -> Gate<'_, S> {
        Gate::new(&self.store)
    }

    /// Ends the time of writers from outside: of this attachment alone.
    pub(crate) fn close(&self) {
        let flags = if self.store.is_shared() { &self.closed } else { self.control().flags() };
        flags.fetch_or(CLOSED, Ordering::AcqRel); // SYNC POINT bus.close
        self.wake();
    }

    /// What keeps writers of this attachment from just going on.
    #[inline(always)]
    pub(crate) fn flags(&self, order: Ordering) -> u64 {
        self.control().flags().load(order) | self.closed.load(order) // SYNC POINT bus.close
    }

    /// Ends every wait once.
    pub(crate) fn wake(&self) {
        if self.store.is_forked() {
            return;
        }
        self.wakes.fetch_add(1, Ordering::AcqRel); // SYNC POINT bus.wake
        self.notify_message();
        self.notify_room();
    }

    pub(crate) fn stats(&self) -> Stats {
        let control = self.control();
        self.gate().stats((0..WRITERS).map(|index| {
            let entry = control.writer(control::writer(index));
            [entry.messages(), entry.bytes(), entry.full(), entry.sealed()].map(|word| word.load(Ordering::Relaxed))
        }))
    }

    #[inline(always)]
    pub(crate) fn notify_message(&self) {
        self.waiters.notify(self.control().message_sleepers());
    }

    #[inline]
    pub(crate) fn notify_room(&self) {
        self.waiters.notify(self.control().room_sleepers());
    }

    /// What to announce a sleeper on. Whoever waits for room also waits for claims in flight to be finished.
    pub(crate) fn sleepers(&self, interest: Interest) -> [&AtomicU64; 2] {
        let messages = self.control().message_sleepers();
        [messages, if interest == Interest::Room { self.control().room_sleepers() } else { messages }]
    }

    /// Sleeps until `ready`, or for as long as a sleep may last, and for `limit` at most; or in `poller`, until that
    /// returns. Not in a child that was forked: nobody would wake it, and to say that it sleeps is not for it.
    pub(crate) fn park(
        &self,
        poller: Option<&std::sync::Arc<dyn Poller>>,
        interest: Interest,
        limit: Option<Duration>,
        mut ready: impl FnMut() -> bool,
    ) {
        if self.store.is_forked() {
            return;
        }
        let limit = [limit, self.longest_sleep(interest)].into_iter().flatten().min();
        let sleepers = self.sleepers(interest);
        // Whoever lets go of the gate lock wakes nobody: what could not be known for that is looked at again soon.
        let is_unknown = Cell::new(false);
        let ready = || {
            let misses = self.store.misses();
            let is_ready = ready();
            is_unknown.set(!is_ready && self.store.misses() != misses);
            is_ready || is_unknown.get()
        };
        match poller {
            None => _ = self.waiters.park(&sleepers, interest, limit, ready),
            Some(poller) => self.waiters.park_in(poller, &sleepers, limit, ready),
        }
        if is_unknown.get() {
            nap(self.times.lock);
        }
    }

    /// How long a sleep may last at most. An evictable reader that lets go of a slot it only looked at wakes nobody.
    /// Nor does a death.
    fn longest_sleep(&self, interest: Interest) -> Option<Duration> {
        let unannounced = interest == Interest::Room && self.gate().has_evictable();
        let tick = self.store.is_shared().then_some(self.times.tick);
        if unannounced { Some(Duration::from_millis(1)) } else { tick }
    }

    /// Before it every gating reader has let go, held ones not counted. While the gate lock cannot be had, as far as
    /// that was known last, or is by the gate.
    pub(crate) fn released(&self) -> u64 {
        // Relaxed: a position that is compared.
        let Some(released) = self.gate().released() else {
            return later(self.released.load(Ordering::Relaxed), self.gate().position());
        };
        let last = |last| Some(later(last, released));
        let _ = self.released.fetch_update(Ordering::Relaxed, Ordering::Relaxed, last);
        released
    }

    /// Gives back what the dead held, if others can die here at all. Whether that was anything.
    #[cold]
    #[inline(never)]
    pub(crate) fn heal(&self) -> bool {
        let healed = self.store.is_shared() && !self.store.is_forked() && self.gate().heal();
        if healed {
            self.notify_message();
            self.notify_room();
        }
        healed
    }

    /// As [`heal`](Self::heal), for whoever gets no further, and not more often than pays.
    #[inline]
    pub(crate) fn heal_now_and_then(&self) -> bool {
        self.store.is_shared() && self.heal_if_due()
    }

    #[cold]
    #[inline(never)]
    fn heal_if_due(&self) -> bool {
        // Relaxed: two that look at once do no harm.
        let now = self.since.elapsed().as_millis() as u64;
        if now < self.heal_at.load(Ordering::Relaxed) {
            return false;
        }
        self.heal_at.store(now + self.times.heal.as_millis() as u64, Ordering::Relaxed);
        self.heal()
    }

    /// How long whoever waits before a claim that is not finished may go on without looking for the dead.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.store.is_shared().then_some(self.times.heal)
    }
}
