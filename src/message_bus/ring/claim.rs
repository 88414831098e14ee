//! Claims: which bytes a writer gets next, and never more than there are.
//!
//! Knows positions and limits, not what is written. A writer may claim up to its **limit**, as its room last said it:
//! on a ring the gate plus the capacity. The limit is private and only ever too low, so the room is asked only when it
//! runs out.

use super::control::{ReaderIndex, WriterIndex};
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
    soon: Soon,
}

/// How far behind a claim the line is that will be filled soon and that nobody reads any more. Fetched earlier it would
/// slow a reader down and be read the same, so only the benches see that nothing is near the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Soon {
    Nothing,
    /// 512 bytes: about what all writers fill while one line comes from another core.
    Near,
    /// 1024 bytes: about what one writer fills while a line comes from another core.
    Far,
}

impl Soon {
    #[inline(always)]
    const fn bytes(self) -> i64 {
        match self {
            // Rings of a model are smaller than that, and nothing is fetched there.
            _ if cfg!(rust_messenger_loom) => 0,
            Soon::Nothing => 0,
            Soon::Near => 512,
            Soon::Far => 1024,
        }
    }
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

    /// The same claim, for which all is fetched that is to be.
    #[inline(always)]
    pub(crate) fn fetched(self) -> Claimed {
        Claimed { soon: Soon::Nothing, ..self }
    }

    /// The same claim, not made in the quick way, of which the compiler now knows where its length comes from and that
    /// nothing is fetched for it. What it does not know it looks at in the quick way, too: ten instructions a message.
    ///
    /// # Panics
    ///
    /// If it is not as long: a bug of the caller.
    #[inline(always)]
    pub(crate) fn slow(self, len: u64) -> Claimed {
        assert!(self.len == len && self.soon == Soon::Nothing);
        Claimed { len, soon: Soon::Nothing, ..self }
    }

    #[inline(always)]
    pub(crate) fn soon(&self) -> Soon {
        self.soon
    }
}

/// From where a writer writes: decides how far it may fill the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(private_interfaces, reason = "not reachable from outside")]
pub enum Role {
    /// From outside. While workers write to the bus it stops at three quarters of the capacity: a worker can read
    /// itself out of a full ring, an outsider can only wait.
    Outside,
    /// The worker that reads with this reader.
    Worker(ReaderIndex),
    /// From outside, what came from this origin of a journal; or, behind the last of those, what comes again.
    Import(u8),
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

    /// Whether others that share it may have to say whose a claim is, when its owner has died.
    fn is_shared(&self) -> bool {
        false
    }

    /// The writer `writer` is about to claim at `position`, or nowhere after all.
    #[allow(private_interfaces)]
    fn announce(&self, _writer: WriterIndex, _position: Option<u64>) {}

    /// Whether a claim may end at `end`; asked in tests only.
    fn may_end_at(&self, end: u64) -> bool;
}

/// How writers claim: [`ManyWriters`] or [`OneWriter`]. A type, so that the choice costs nothing per message.
///
/// Sealed: two claims that overlap would tear a message.
pub trait Claim: sealed::Claim {}

impl<C: sealed::Claim> Claim for C {}

pub(crate) mod sealed {
    use super::{AtomicU64, Claimed, Role, Room, WriterIndex};

    pub trait Claim: std::fmt::Debug + Send + 'static {
        const MANY: bool;
        #[allow(private_interfaces)]
        fn new<R: Room>(room: &R, writer: WriterIndex) -> Self;
        /// The largest slot for [`claim`](Self::claim), if it is for any.
        fn largest(&self) -> u64;
        /// Claims `len` bytes, [`largest`](Self::largest) at most, if the limit is well ahead. `tail` is the room's.
        fn claim<R: Room>(&self, room: &R, tail: &AtomicU64, len: u64) -> Option<Claimed>;
        /// The same on a ring that is shared, for slots of any size.
        fn claim_announced<R: Room>(&self, room: &R, len: u64) -> Option<Claimed>;
        /// Claims `len` bytes, or `None` when there is no room.
        fn claim_in_room<R: Room>(&self, room: &R, len: u64, role: Role) -> Option<Claimed>;
        /// Whether [`claim_in_room`](Self::claim_in_room) would find room now.
        fn has_room<R: Room>(&self, room: &R, len: u64, role: Role) -> bool;
    }
}

/// Any number of writers: small messages by fetch-and-add, large ones by compare-and-swap.
///
/// Fetch-and-add cannot be taken back, so it must not be able to fail. A writer compares its limit with the tail *it*
/// last saw, which is never ahead of the true tail. Hence each writer can overshoot the newest limit at most once,
/// after which it has seen a tail beyond it; the limits of all writers stay one sixteenth of the ring short of what is
/// free, and a message may be claimed that way only if sixteen of its size fit into that sixteenth.
///
/// On a ring that is shared nothing is claimed that way: each claim is announced first, so that it can be told whose it
/// was. With fetch-and-add nobody knows where before it is done.
#[derive(Debug)]
pub struct ManyWriters {
    /// Its entry in the table of writers.
    writer: WriterIndex,
    seen: Cell<u64>,
    limit: Cell<u64>,
    /// The largest slot this writer claims by fetch-and-add.
    fetch_add_max: u64,
}

impl sealed::Claim for ManyWriters {
    const MANY: bool = true;

    #[allow(private_interfaces)]
    fn new<R: Room>(room: &R, writer: WriterIndex) -> Self {
        let allowed = (writer.number() as u64) < FETCH_ADD_WRITERS && !room.is_shared();
        let fetch_add_max = if allowed { room.reserve() / FETCH_ADD_WRITERS } else { 0 };
        // A limit at the tail is no room at all: the first claim asks the gate. 0 would be ahead of half of all tails.
        let tail = room.tail().load(Ordering::Acquire); // SYNC POINT claim.tail
        ManyWriters { writer, seen: Cell::new(tail), limit: Cell::new(tail), fetch_add_max }
    }

    fn largest(&self) -> u64 {
        self.fetch_add_max
    }

    #[inline(always)]
    fn claim<R: Room>(&self, room: &R, tail: &AtomicU64, len: u64) -> Option<Claimed> {
        // One comparison for both: is there room for it, and for what is fetched ahead of it?
        let near = ahead(self.limit.get(), self.seen.get()) < len as i64 + Soon::Near.bytes();
        let claim = || Claimed { position: self.fetch_add(room, tail, len), len, soon: Soon::Near };
        (!near).then(claim)
    }

    #[inline(always)]
    fn claim_announced<R: Room>(&self, room: &R, len: u64) -> Option<Claimed> {
        // What this writer saw last was the tail once, so a slot begins there. To look at it now would bring its line
        // here once more for nothing: the compare-and-swap says where the tail is if it has moved.
        let mut seen = self.seen.get();
        let mut announced = false;
        while ahead(self.limit.get(), seen) >= len as i64 + Soon::Near.bytes() {
            room.announce(self.writer, Some(seen));
            announced = true;
            let end = seen.wrapping_add(len);
            // SYNC POINT claim.tail
            match room.tail().compare_exchange_weak(seen, end, Ordering::AcqRel, Ordering::Acquire) {
                Ok(position) => {
                    self.seen.set(end);
                    return Some(Claimed { position, len, soon: Soon::Near });
                }
                Err(moved) => seen = moved,
            }
        }
        if announced {
            room.announce(self.writer, None);
        }
        None
    }

    fn claim_in_room<R: Room>(&self, room: &R, len: u64, role: Role) -> Option<Claimed> {
        let tail = room.tail();
        let mut seen = tail.load(Ordering::Acquire); // SYNC POINT claim.tail
        let claimed = |position| Some(Claimed { position, len, soon: Soon::Nothing });
        loop {
            if !self.reaches(room, seen, len, role) {
                self.seen.set(seen);
                room.announce(self.writer, None);
                return None;
            }
            if len <= self.fetch_add_max {
                return claimed(self.fetch_add(room, tail, len));
            }
            let end = seen.wrapping_add(len);
            room.announce(self.writer, Some(seen));
            // SYNC POINT claim.tail
            match room.tail().compare_exchange_weak(seen, end, Ordering::AcqRel, Ordering::Acquire) {
                Ok(position) => {
                    self.seen.set(end);
                    return claimed(position);
                }
                Err(moved) => seen = moved,
            }
        }
    }

    fn has_room<R: Room>(&self, room: &R, len: u64, role: Role) -> bool {
        let seen = room.tail().load(Ordering::Acquire); // SYNC POINT claim.tail
        self.reaches(room, seen, len, role)
    }
}

impl ManyWriters {
    #[inline(always)]
    fn fetch_add<R: Room>(&self, room: &R, tail: &AtomicU64, len: u64) -> u64 {
        // AcqRel: whoever moved the tail beyond this writer's own limit had seen a newer gate, and hands on the
        // releases it stands for.
        let position = tail.fetch_add(len, Ordering::AcqRel); // SYNC POINT claim.tail
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
}

/// One writer at a time: a claim takes no locked instruction. The bus hands out a single writer, which is neither
/// `Clone` nor `Sync`.
#[derive(Debug)]
pub struct OneWriter {
    tail: Cell<u64>,
    /// The limit, less what is fetched ahead of a claim.
    near_limit: Cell<u64>,
}

impl OneWriter {
    fn limit(&self) -> u64 {
        self.near_limit.get().wrapping_add(Soon::Far.bytes() as u64)
    }

    fn set_limit(&self, limit: u64) {
        self.near_limit.set(limit.wrapping_sub(Soon::Far.bytes() as u64));
    }

    #[inline(always)]
    fn take(&self, tail: &AtomicU64, len: u64, soon: Soon) -> Claimed {
        let position = self.tail.get();
        let end = position.wrapping_add(len);
        self.tail.set(end);
        tail.store(end, Ordering::Release); // SYNC POINT claim.tail
        Claimed { position, len, soon }
    }
}

impl sealed::Claim for OneWriter {
    const MANY: bool = false;

    #[allow(private_interfaces)]
    fn new<R: Room>(room: &R, _writer: WriterIndex) -> Self {
        let tail = room.tail().load(Ordering::Acquire); // SYNC POINT claim.tail
        let claim = OneWriter { tail: Cell::new(tail), near_limit: Cell::new(0) };
        claim.set_limit(tail);
        claim
    }

    fn largest(&self) -> u64 {
        u64::MAX
    }

    #[inline(always)]
    fn claim<R: Room>(&self, _room: &R, tail: &AtomicU64, len: u64) -> Option<Claimed> {
        let end = self.tail.get().wrapping_add(len);
        // One comparison for both: is there room for it, and for what is fetched ahead of it?
        (ahead(self.near_limit.get(), end) >= 0).then(|| self.take(tail, len, Soon::Far))
    }

    /// What is unfinished can only be this writer's, so nothing is announced.
    #[inline(always)]
    fn claim_announced<R: Room>(&self, room: &R, len: u64) -> Option<Claimed> {
        self.claim(room, room.tail(), len)
    }

    fn claim_in_room<R: Room>(&self, room: &R, len: u64, role: Role) -> Option<Claimed> {
        self.has_room(room, len, role).then(|| self.take(room.tail(), len, Soon::Nothing))
    }

    fn has_room<R: Room>(&self, room: &R, len: u64, role: Role) -> bool {
        let end = self.tail.get().wrapping_add(len);
        if ahead(self.limit(), end) < 0 {
            self.set_limit(room.limit(end, role));
        }
        ahead(self.limit(), end) >= 0
    }
}
