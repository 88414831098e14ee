//! Claims: which bytes a writer gets next, and never more than there are.
//!
//! Knows positions and limits, not what is written. A writer may claim up to its **limit**, as its room last said it:
//! on a ring the gate plus the capacity. The limit is private and only ever too low, so the room is asked only when it
//! runs out.

use super::position::ahead;
use crate::sync::{AtomicU64, Ordering};
use std::cell::Cell;

/// So many writers may claim by fetch-and-add; any further ones compare and swap.
pub(crate) const FETCH_ADD_WRITERS: u64 = if cfg!(rust_messenger_loom) { 2 } else { 16 };

/// Bytes of a bus that one writer has got, and nobody else has until it publishes them.
///
/// Made here only, and neither `Copy` nor `Clone`: whoever holds one is the owner, once. A claim that is dropped holds
/// up every reader for good, so it is published or sealed.
#[derive(Debug)]
#[must_use = "readers wait for what was claimed"]
pub struct Claimed {
    position: u64,
    len: u64,
}

impl Claimed {
    #[inline(always)]
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> u64 {
        self.len
    }
}

/// From where a writer writes: decides how far it may fill the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// From outside. While workers write to the bus it stops at three quarters of the capacity: a worker can read
    /// itself out of a full ring, an outsider can only wait.
    Outside,
    /// The worker that reads with this reader.
    Worker(usize),
}

/// What claims are made of.
///
/// # Safety
///
/// What lies before a limit and behind the tail is free: nobody reads or writes it until it is claimed. So are the
/// `reserve` bytes behind it.
pub unsafe trait Room {
    /// Where the next claim begins.
    fn tail(&self) -> &AtomicU64;

    /// The bytes that no limit ever reaches, so that fetch-and-add may overshoot.
    fn reserve(&self) -> u64;

    /// How far a writer may claim that wants to reach `end`, `reserve` not yet taken off.
    fn limit(&self, end: u64, role: Role) -> u64;

    /// Whether a claim may end at `end`; asked in tests only.
    fn may_end_at(&self, end: u64) -> bool;

    /// Has the line at `position` on its way before a claim gets there.
    fn prefetch(&self, position: u64);
}

/// How writers claim: [`ManyWriters`] or [`OneWriter`]. A type, so that the choice costs nothing per message.
///
/// Sealed: two claims that overlap would tear a message.
pub trait Claim: sealed::Claim {}

impl<C: sealed::Claim> Claim for C {}

pub(crate) mod sealed {
    use super::{Claimed, Role, Room};

    pub trait Claim: std::fmt::Debug + Send + 'static {
        const MANY: bool;
        fn new<R: Room>(room: &R, writer: usize) -> Self;
        /// Claims `len` bytes, or `None` when there is no room.
        fn claim<R: Room>(&self, room: &R, len: u64, role: Role) -> Option<Claimed>;
        /// Whether [`claim`](Self::claim) would find room now.
        fn has_room<R: Room>(&self, room: &R, len: u64, role: Role) -> bool;
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

    fn new<R: Room>(room: &R, writer: usize) -> Self {
        let allowed = (writer as u64) < FETCH_ADD_WRITERS;
        let fetch_add_max = if allowed { room.reserve() / FETCH_ADD_WRITERS } else { 0 };
        // A limit at the tail is no room at all: the first claim asks the gate. 0 would be ahead of half of all tails.
        let tail = room.tail().load(Ordering::Acquire); // SYNC POINT claim.tail
        ManyWriters { seen: Cell::new(tail), limit: Cell::new(tail), fetch_add_max }
    }

    #[inline(always)]
    fn claim<R: Room>(&self, room: &R, len: u64, role: Role) -> Option<Claimed> {
        if len <= self.fetch_add_max && ahead(self.limit.get(), self.seen.get()) >= len as i64 {
            prefetch(room, self.seen.get().wrapping_add(Self::PREFETCH), self.limit.get());
            return Some(Claimed { position: self.fetch_add(room, len), len });
        }
        self.claim_near_limit(room, len, role).map(|position| Claimed { position, len })
    }

    fn has_room<R: Room>(&self, room: &R, len: u64, role: Role) -> bool {
        let seen = room.tail().load(Ordering::Acquire); // SYNC POINT claim.tail
        self.reaches(room, seen, len, role)
    }
}

impl ManyWriters {
    /// How far ahead lines are fetched: about what all writers fill while one line comes from another core.
    const PREFETCH: u64 = 512;

    #[inline(always)]
    fn fetch_add<R: Room>(&self, room: &R, len: u64) -> u64 {
        // AcqRel: whoever moved the tail beyond this writer's own limit had seen a newer gate, and hands on the
        // releases it stands for.
        let position = room.tail().fetch_add(len, Ordering::AcqRel); // SYNC POINT claim.tail
        let end = position.wrapping_add(len);
        self.seen.set(end);
        debug_assert!(room.may_end_at(end), "overshot the reserve");
        position
    }

    /// Whether the limit, renewed if need be, leaves `len` bytes after `seen`.
    fn reaches<R: Room>(&self, room: &R, seen: u64, len: u64, role: Role) -> bool {
        if ahead(self.limit.get(), seen) < len as i64 {
            let reserve = room.reserve();
            let end = seen.wrapping_add(len).wrapping_add(reserve);
            self.limit.set(room.limit(end, role).wrapping_sub(reserve));
        }
        ahead(self.limit.get(), seen) >= len as i64
    }

    #[cold]
    #[inline(never)]
    fn claim_near_limit<R: Room>(&self, room: &R, len: u64, role: Role) -> Option<u64> {
        let tail = room.tail();
        let mut seen = tail.load(Ordering::Acquire); // SYNC POINT claim.tail
        loop {
            if !self.reaches(room, seen, len, role) {
                self.seen.set(seen);
                return None;
            }
            if len <= self.fetch_add_max {
                return Some(self.fetch_add(room, len));
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

/// One writer at a time: a claim takes no locked instruction. The bus hands out a single writer, which is neither
/// `Clone` nor `Sync`.
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

    fn new<R: Room>(room: &R, _writer: usize) -> Self {
        let tail = room.tail().load(Ordering::Acquire); // SYNC POINT claim.tail
        OneWriter { tail: Cell::new(tail), limit: Cell::new(tail) }
    }

    #[inline(always)]
    fn claim<R: Room>(&self, room: &R, len: u64, role: Role) -> Option<Claimed> {
        if !self.has_room(room, len, role) {
            return None;
        }
        let position = self.tail.get();
        let end = position.wrapping_add(len);
        prefetch(room, position.wrapping_add(Self::PREFETCH), self.limit.get());
        self.tail.set(end);
        room.tail().store(end, Ordering::Release); // SYNC POINT claim.tail
        Some(Claimed { position, len })
    }

    #[inline(always)]
    fn has_room<R: Room>(&self, room: &R, len: u64, role: Role) -> bool {
        let end = self.tail.get().wrapping_add(len);
        if ahead(self.limit.get(), end) < 0 {
            self.limit.set(room.limit(end, role));
        }
        ahead(self.limit.get(), end) >= 0
    }
}

/// Fetches what a writer will fill soon, but nothing at or past its limit: a reader may still be reading there. It
/// would be slowed down and read the same, so only the benches see this limit.
#[inline(always)]
fn prefetch<R: Room>(room: &R, soon: u64, limit: u64) {
    if ahead(limit, soon) > 0 {
        room.prefetch(soon);
    }
}
