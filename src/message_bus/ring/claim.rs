//! Claims: which bytes a writer gets next, and never more than there are.
//!
//! Knows positions and limits, not what is written. A writer may claim up to its **limit**, as the store last said it:
//! on a ring the gate plus the capacity. The limit is private and only ever too low, so the store is asked only when it
//! runs out.

use super::slot::{Slots, ahead};
use super::store::{Role, Store};
use crate::sync::Ordering;
use std::cell::Cell;

/// So many writers may claim by fetch-and-add; any further ones compare and swap.
pub(crate) const FETCH_ADD_WRITERS: u64 = if cfg!(rust_messenger_loom) { 2 } else { 16 };

/// How claims are made: [`ManyWriters`] or [`OneWriter`]. A type, so that the choice costs nothing per message.
///
/// Sealed: a claim that overlaps another is a torn message.
pub trait Claim: sealed::Claim {}

impl<C: sealed::Claim> Claim for C {}

pub(crate) mod sealed {
    use super::{Role, Store};

    pub trait Claim: std::fmt::Debug + Send + 'static {
        const MANY: bool;
        fn new<S: Store>(store: &S, writer: usize) -> Self;
        /// Claims `len` bytes and returns their position, or `None` when there is no room.
        fn claim<S: Store>(&self, store: &S, len: u64, role: Role) -> Option<u64>;
        /// Whether [`claim`](Self::claim) would find room now.
        fn has_room<S: Store>(&self, store: &S, len: u64, role: Role) -> bool;
    }
}

/// Any number of writers: small messages by fetch-and-add, large ones by compare-and-swap.
///
/// Fetch-and-add cannot be taken back, so it must not be able to fail. A writer compares its limit with the tail *it*
/// last saw, which is never ahead of the true tail. Hence each writer can overshoot the newest limit at most once,
/// after which it has seen a tail beyond it; the limits of all writers stay one sixteenth of the ring short of what is
/// free, and a message may be claimed that way only if sixteen of its size fit into that sixteenth.
#[derive(Debug)]
pub struct ManyWriters {
    seen: Cell<u64>,
    limit: Cell<u64>,
    /// The largest slot this writer claims by fetch-and-add.
    fetch_add_max: u64,
}

impl sealed::Claim for ManyWriters {
    const MANY: bool = true;

    fn new<S: Store>(ring: &S, writer: usize) -> Self {
        let allowed = (writer as u64) < FETCH_ADD_WRITERS;
        let fetch_add_max = if allowed { ring.reserve() / FETCH_ADD_WRITERS } else { 0 };
        // A limit at the tail is no room at all: the first claim asks the gate. 0 would be ahead of half of all tails.
        let tail = ring.control().tail().load(Ordering::Acquire); // SYNC POINT claim.tail
        ManyWriters { seen: Cell::new(tail), limit: Cell::new(tail), fetch_add_max }
    }

    #[inline(always)]
    fn claim<S: Store>(&self, ring: &S, len: u64, role: Role) -> Option<u64> {
        if len <= self.fetch_add_max && ahead(self.limit.get(), self.seen.get()) >= len as i64 {
            prefetch(ring, self.seen.get().wrapping_add(Self::PREFETCH), self.limit.get());
            return Some(self.fetch_add(ring, len));
        }
        self.claim_near_limit(ring, len, role)
    }

    fn has_room<S: Store>(&self, ring: &S, len: u64, role: Role) -> bool {
        let seen = ring.control().tail().load(Ordering::Acquire); // SYNC POINT claim.tail
        self.reaches(ring, seen, len, role)
    }
}

impl ManyWriters {
    /// How far ahead lines are fetched: about what all writers fill while one line comes from another core.
    const PREFETCH: u64 = 512;

    #[inline(always)]
    fn fetch_add<S: Store>(&self, ring: &S, len: u64) -> u64 {
        // AcqRel: whoever moved the tail beyond this writer's own limit had seen a newer gate, and hands on the
        // releases it stands for.
        let position = ring.control().tail().fetch_add(len, Ordering::AcqRel); // SYNC POINT claim.tail
        let end = position.wrapping_add(len);
        self.seen.set(end);
        debug_assert!(ring.may_end_at(end), "overshot the reserve");
        position
    }

    /// Whether the limit, renewed if need be, leaves `len` bytes after `seen`.
    fn reaches<S: Store>(&self, ring: &S, seen: u64, len: u64, role: Role) -> bool {
        if ahead(self.limit.get(), seen) < len as i64 {
            let reserve = ring.reserve();
            let end = seen.wrapping_add(len).wrapping_add(reserve);
            self.limit.set(ring.limit(end, role).wrapping_sub(reserve));
        }
        ahead(self.limit.get(), seen) >= len as i64
    }

    #[cold]
    #[inline(never)]
    fn claim_near_limit<S: Store>(&self, ring: &S, len: u64, role: Role) -> Option<u64> {
        let tail = ring.control().tail();
        let mut seen = tail.load(Ordering::Acquire); // SYNC POINT claim.tail
        loop {
            if !self.reaches(ring, seen, len, role) {
                self.seen.set(seen);
                return None;
            }
            if len <= self.fetch_add_max {
                return Some(self.fetch_add(ring, len));
            }
            let end = seen.wrapping_add(len);
            // SYNC POINT claim.tail
            match tail.compare_exchange_weak(seen, end, Ordering::AcqRel, Ordering::Acquire) {
                Ok(position) => {
                    self.seen.set(end);
                    return Some(position);
                }
                Err(moved) => seen = moved,
            }
        }
    }
}

/// One writer: no locked instruction in a claim. The bus hands out a single writer, which is neither `Clone` nor
/// `Sync`.
#[derive(Debug)]
pub struct OneWriter {
    tail: Cell<u64>,
    limit: Cell<u64>,
}

impl OneWriter {
    /// How far ahead lines are fetched: about what is filled while one comes from another core.
    const PREFETCH: u64 = 1024;
}

impl sealed::Claim for OneWriter {
    const MANY: bool = false;

    fn new<S: Store>(ring: &S, _writer: usize) -> Self {
        let tail = ring.control().tail().load(Ordering::Acquire); // SYNC POINT claim.tail
        OneWriter { tail: Cell::new(tail), limit: Cell::new(tail) }
    }

    #[inline(always)]
    fn claim<S: Store>(&self, ring: &S, len: u64, role: Role) -> Option<u64> {
        if !self.has_room(ring, len, role) {
            return None;
        }
        let position = self.tail.get();
        let end = position.wrapping_add(len);
        prefetch(ring, position.wrapping_add(Self::PREFETCH), self.limit.get());
        self.tail.set(end);
        ring.control().tail().store(end, Ordering::Release); // SYNC POINT claim.tail
        Some(position)
    }

    #[inline(always)]
    fn has_room<S: Store>(&self, ring: &S, len: u64, role: Role) -> bool {
        let end = self.tail.get().wrapping_add(len);
        if ahead(self.limit.get(), end) < 0 {
            self.limit.set(ring.limit(end, role));
        }
        ahead(self.limit.get(), end) >= 0
    }
}

/// Fetches what a writer will fill soon, but nothing at or past its limit: a reader may still be reading there. It
/// would be slowed down and read the same, so only the benches see this limit.
#[inline(always)]
fn prefetch<S: Store>(ring: &S, soon: u64, limit: u64) {
    if ahead(limit, soon) > 0 {
        ring.slots().prefetch(soon);
    }
}
