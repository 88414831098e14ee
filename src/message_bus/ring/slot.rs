//! The slot: how one message becomes visible, whole or not at all.
//!
//! Knows positions, stamps and bytes; not who may write where (a [`Claimed`] says so), nor who has read what
//! (`gate.rs`). This file holds the only Release and Acquire on slots.
//!
//! ```text
//!  ring slot:     | stamp u64 | source u16, message u16, size u32 | payload, size bytes | pad to 16 |
//!                 0           8                                   16
//!  journal slot:  | stamp u64 | source, message, size | time u64 | cause u64 | payload | pad, CRC to 16 |
//!                 0           8                       16         24          32
//!
//!  law 1  stamp == (position | COMMITTED) ^ key   <=>  the slot at `position` holds a whole message
//!  law 2  the header word is written before any stamp of this position, and the payload before COMMITTED
//!  law 3  a stamp is stored with Release and loaded with Acquire before any other byte     SYNC POINT slot.publish
//!  law 4  between claim and stamp the slot's bytes belong to its owner alone
//! ```
//!
//! Positions are multiples of 16 and never reused, so the low bits carry the state, and neither an earlier lap's stamp
//! nor (the key is random and known to no payload's author) any payload byte can pass for the stamp of this position.
//! A slot is aligned to 16 so that stamp and header share a cache line. A slot that would cross the end of the ring
//! runs on into spare bytes behind it: there is no padding to write or to step over.
//!
//! ```text
//!                 fill starts            fill returns
//!   claimed ----------------> PENDING ----------------> COMMITTED      compare-and-swap by the owner
//!      |                         | fill fails, panics
//!      | bytes copied            +--------------------> SEALED         compare-and-swap by the owner
//!      v                         | silent for too long
//!   COMMITTED (plain store)      +--------------------> FENCED         compare-and-swap by a reader; the owner
//!                                                          |           finds it on return and
//!                                                          +---------> SEALED
//! ```
//!
//! Bytes that are already there are copied and committed by a plain store: nothing foreign runs in between, so such a
//! slot is never silent for longer than its thread is off its core. A fill runs a user's code and may never return.

use super::claim::{Claimed, Soon};
use super::position::{ahead, earlier};
use crate::mmap::{Bytes, Place};
use crate::sync::{AtomicU64, Ordering};
use crate::traits::{EncodeError, Header, Payload, Space};

/// Stamp and header word.
pub(crate) const SLOT_HEADER: u64 = 16;
/// Slots begin at multiples of this.
pub(crate) const SLOT_ALIGN: u64 = 16;

/// The states of a stamp. Any two differ in two bits: one that flips on a disk makes none of another.
pub(crate) const COMMITTED: u64 = 0b0011;
pub(crate) const SEALED: u64 = 0b0101;
pub(crate) const PENDING: u64 = 0b0110;
pub(crate) const FENCED: u64 = 0b1001;
/// No state is larger.
pub(crate) const STATES: u64 = SLOT_ALIGN - 1;

/// What a reader finds at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing that is finished. `pending`: its fill is running.
    Open { pending: bool },
    /// A whole message.
    Message(Header),
    /// A slot that was given up, of this many bytes of ring.
    Sealed { len: u64, fenced: bool },
    /// A slot of a length that none can have: somebody else has written there.
    Corrupt,
}

/// How a fill ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Filled {
    Committed,
    Sealed(EncodeError),
    /// Readers went on without it. The caller owes the gate its
    /// [`unfence`](super::gate::Gate::unfence).
    Fenced,
}

/// Memory that holds slots, and where in it each lies.
///
/// # Safety
///
/// For every position that is a multiple of 16, [`at`](Self::at) is aligned to 16, and from there on the region has
/// [`HEADER`](Self::HEADER) bytes and [`max_payload`](Self::max_payload) more, a pad and a checksum; or it panics. What
/// was once the largest payload stays it.
pub unsafe trait Slots: Sized + std::fmt::Debug + Send + Sync + 'static {
    /// The bytes in front of a payload: stamp, head, and what else there is.
    const HEADER: u64;
    /// What a slot says besides its head.
    type More: Copy;

    /// What every stamp is masked with.
    fn key(&self) -> u64;

    /// What stamps are taken to be masked with where that has to be quick: the key, or in memory that others may write
    /// to [`distrust`], so that each look goes on where the size is compared, too.
    #[inline(always)]
    fn look_key(&self) -> u64 {
        self.key()
    }

    /// The largest payload.
    fn max_payload(&self) -> usize;

    /// The most bytes that may be sealed in one slot: what the dead had claimed one behind the other may become one.
    fn max_sealed(&self) -> usize {
        self.max_payload()
    }

    /// The slot at `position`.
    #[allow(private_interfaces)]
    fn at(&self, position: u64) -> Slot<'_>;

    /// The bytes of a slot that carries `size` bytes of payload.
    fn slot_len(&self, size: usize) -> u64;

    /// Says where the slot of a position is, or `None` where no slot will ever be. It holds what it needs for that:
    /// where a reader looks at many, behind each Acquire all of it would be loaded again.
    #[allow(private_interfaces)]
    fn finder<'a>(&'a self) -> impl Fn(u64) -> Option<Slot<'a>>;

    /// Writes what a slot says besides its head; before the payload is touched.
    #[allow(private_interfaces)]
    fn write_more(&self, slot: Slot<'_>, more: Self::More);

    /// Finishes a slot whose payload is whole, before the commit.
    ///
    /// # Safety
    ///
    /// `slot` is claimed, and as long as one that carries `size` bytes.
    #[allow(private_interfaces)]
    unsafe fn complete(&self, slot: Slot<'_>, size: usize);

    /// Copies a message into the claimed slot and commits it.
    ///
    /// # Safety
    ///
    /// `claimed` is of these slots.
    #[inline(always)]
    unsafe fn publish_bytes(&self, mut claimed: Claimed, source: u16, message: u16, more: Self::More, bytes: &[u8]) {
        // Before anything is stored: behind a store to shared memory it would all be loaded again.
        let (slot, committed) = (self.begin(&claimed), self.stamp_of(claimed.position(), COMMITTED));
        slot.head().store(pack(source, message, bytes.len()), Ordering::Relaxed);
        self.write_more(slot, more);
        // SAFETY: it is of these slots, as the caller promises; its length is compared.
        unsafe {
            self.with_payload_mut(slot, &mut claimed, bytes.len(), |payload| payload.copy_from_slice(bytes));
            self.complete(slot, bytes.len());
        }
        slot.stamp().store(committed, Ordering::Release); // SYNC POINT slot.publish
    }

    /// Lets `payload` fill the claimed slot and commits it; seals it when the fill fails or unwinds.
    ///
    /// # Safety
    ///
    /// `claimed` is of these slots.
    #[inline]
    #[allow(clippy::too_many_arguments, reason = "a slot is that much")]
    unsafe fn publish_fill<P: Payload>(
        &self,
        claimed: Claimed,
        source: u16,
        message: u16,
        more: Self::More,
        size: usize,
        payload: &mut P,
        unfence: impl Fn(u64),
    ) -> Filled {
        let (position, slot) = (claimed.position(), self.begin(&claimed));
        slot.head().store(pack(source, message, size), Ordering::Relaxed);
        self.write_more(slot, more);
        // Release, so that whoever fences this claim finds its length.
        slot.stamp().store(self.stamp_of(position, PENDING), Ordering::Release); // SYNC POINT slot.publish
        let mut guard = SealOnDrop { slots: self, slot, claimed, state: SEALED, unfence };
        let fill = |bytes: &mut [u8]| Space::lend(bytes, |space| payload.fill(space));
        // SAFETY: it is of these slots, as the caller promises.
        match unsafe { self.with_payload_mut(slot, &mut guard.claimed, size, fill) } {
            Ok(()) => {
                // SAFETY: as above, and its length was compared.
                unsafe { self.complete(slot, size) };
                guard.state = COMMITTED;
                if guard.finish() { Filled::Committed } else { Filled::Fenced }
            }
            Err(error) => {
                if guard.finish() {
                    Filled::Sealed(error)
                } else {
                    Filled::Fenced
                }
            }
        }
    }

    /// What stands at `position`.
    ///
    /// # Safety
    ///
    /// A slot begins at `position`, or the next one will; and the caller's cursor gates it, or the caller holds the
    /// gate lock and it is not before the gate. So nobody writes plain bytes where this looks for a stamp.
    ///
    /// No size is believed, for others may have written to the memory: a message has one that
    /// [`max_payload`](Self::max_payload) allows.
    #[inline(always)]
    unsafe fn observe(&self, position: u64) -> Seen {
        // SAFETY: the caller's promise.
        match unsafe { self.look(position) }.1 {
            Seen::Message(header) if header.size as usize > self.max_payload() => Seen::Corrupt,
            seen => seen,
        }
    }

    /// As [`observe`](Self::observe), with where it stands; but in memory that nobody shares a message's size is
    /// believed: to compare it would cost every message two in a hundred of all that it takes.
    ///
    /// # Safety
    ///
    /// As for [`observe`](Self::observe).
    #[allow(private_interfaces)]
    #[inline(always)]
    unsafe fn look(&self, position: u64) -> (Option<Slot<'_>>, Seen) {
        match self.finder()(position) {
            // SAFETY: the caller's promise.
            Some(slot) => (Some(slot), unsafe { self.look_at(slot, position, self.key()) }),
            None => (None, Seen::Open { pending: false }),
        }
    }

    /// [`look`](Self::look) for many slots: see [`finder`](Self::finder). In memory that others share sizes are
    /// compared.
    ///
    /// # Safety
    ///
    /// As for [`observe`](Self::observe), of each position that it is called with.
    #[allow(private_interfaces)]
    #[inline(always)]
    unsafe fn looker<'a>(&'a self) -> impl Fn(u64) -> (Option<Slot<'a>>, Seen) {
        let (find, key) = (self.finder(), self.look_key());
        move |position| match find(position) {
            // SAFETY: the caller's promise.
            Some(slot) => (Some(slot), unsafe { self.look_in_batch(slot, position, key) }),
            None => (None, Seen::Open { pending: false }),
        }
    }

    /// What stands at `position`, where `slot` is. `key` is these slots'.
    ///
    /// # Safety
    ///
    /// As for [`observe`](Self::observe).
    #[doc(hidden)]
    #[allow(private_interfaces)]
    #[inline(always)]
    unsafe fn look_at(&self, slot: Slot<'_>, position: u64, key: u64) -> Seen {
        let stamp = slot.stamp().load(Ordering::Acquire); // SYNC POINT slot.publish
        let state = stamp ^ key ^ position;
        if state == COMMITTED { Seen::Message(slot.header(position)) } else { self.look_at_other(slot, state) }
    }

    /// As [`look_at`](Self::look_at). `key` is these slots' [`look_key`](Self::look_key).
    ///
    /// # Safety
    ///
    /// As for [`observe`](Self::observe).
    #[doc(hidden)]
    #[allow(private_interfaces)]
    #[inline(always)]
    unsafe fn look_in_batch(&self, slot: Slot<'_>, position: u64, key: u64) -> Seen {
        // SAFETY: the caller's promise.
        unsafe { self.look_at(slot, position, key) }
    }

    /// What stands in `slot`, whose state is not that of a message. Out of line: a jump by the state costs every
    /// message as much as the look.
    #[doc(hidden)]
    #[allow(private_interfaces)]
    #[cold]
    #[inline(never)]
    fn look_at_other(&self, slot: Slot<'_>, state: u64) -> Seen {
        let size = slot.head().load(Ordering::Relaxed) as u32 as usize;
        match state {
            PENDING => Seen::Open { pending: true },
            FENCED if size > self.max_payload() => Seen::Corrupt,
            SEALED if size > self.max_sealed() => Seen::Corrupt,
            SEALED | FENCED => Seen::Sealed { len: self.slot_len(size), fenced: state == FENCED },
            _ => Seen::Open { pending: false },
        }
    }

    /// Seals the claim at `position` over its owner's head, if its fill is still running.
    ///
    /// # Safety
    ///
    /// As for [`observe`](Self::observe), and the gate knows the position already: until its owner has seen the fence,
    /// it may write to these bytes.
    unsafe fn fence(&self, position: u64) -> bool {
        let (pending, fenced) = (self.stamp_of(position, PENDING), self.stamp_of(position, FENCED));
        // SYNC POINT slot.publish
        self.at(position).stamp().compare_exchange(pending, fenced, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Seals the claim at `position`, which its owner has not finished and never will. Where no stamp says how long it
    /// is, it ends where the next slot begins: at `end`, or at the first stamp before that; unless `end` is `position`,
    /// as that has a stamp for sure.
    ///
    /// # Safety
    ///
    /// As for [`observe`](Self::observe), under the gate lock; the owner is dead; and whoever has claimed between
    /// `position` and `end` has a stamp there already, which this thread sees.
    unsafe fn bury(&self, position: u64, end: u64) {
        let slot = self.at(position);
        let has_len = self.has_stamp(position) && slot.header(position).size as usize <= self.max_payload();
        if !has_len && end != position {
            let mut next = position.wrapping_add(SLOT_ALIGN);
            let last = earlier(end, position.wrapping_add(self.max_sealed() as u64));
            while ahead(last, next) > 0 && !self.has_stamp(next) {
                next = next.wrapping_add(SLOT_ALIGN);
            }
            let size = next.wrapping_sub(position).saturating_sub(Self::HEADER);
            slot.head().store(pack(0, 0, size as usize), Ordering::Relaxed);
        }
        slot.stamp().store(self.stamp_of(position, SEALED), Ordering::Release); // SYNC POINT slot.publish
    }

    /// Whether the slot at `position` has its stamp, in whatever state.
    #[doc(hidden)]
    fn has_stamp(&self, position: u64) -> bool {
        let stamp = self.at(position).stamp().load(Ordering::Acquire); // SYNC POINT slot.publish
        [COMMITTED, SEALED, PENDING, FENCED].contains(&(stamp ^ self.key() ^ position))
    }

    /// Lends the payload of the message at `header.position` for reading.
    ///
    /// # Safety
    ///
    /// [`observe`](Self::observe) returned this header, and the caller's cursor gates it while the bytes are lent; or
    /// [`look`](Self::look) did.
    #[allow(private_interfaces)]
    #[inline(always)]
    unsafe fn payload(&self, header: &Header) -> Bytes<'_> {
        // SAFETY: the caller's promise.
        unsafe { self.payload_in(self.at(header.position), header) }
    }

    /// Lends the payload of the message at `header.position`, where `slot` is, for reading.
    ///
    /// # Safety
    ///
    /// As for [`payload`](Self::payload).
    #[allow(private_interfaces)]
    #[inline(always)]
    unsafe fn payload_in<'a>(&self, slot: Slot<'a>, header: &Header) -> Bytes<'a> {
        // SAFETY: in bounds, because the size was compared with `max_payload`, or nobody else writes there, and the
        // promise of the trait; free of writers, because the message is committed (law 4: its owner is done) and the
        // caller's cursor keeps the gate from passing it (`gate.rs`, law 1).
        unsafe { slot.0.bytes(Self::HEADER as usize, header.size as usize) }
    }

    /// Lends the payload of a claimed slot for writing.
    ///
    /// # Safety
    ///
    /// `claimed` is of these slots, and `slot` is where it lies.
    #[doc(hidden)]
    #[allow(private_interfaces)]
    #[inline(always)]
    unsafe fn with_payload_mut<R>(
        &self,
        slot: Slot<'_>,
        claimed: &mut Claimed,
        size: usize,
        f: impl FnOnce(&mut [u8]) -> R,
    ) -> R {
        // No claim is longer than the largest slot.
        assert!(self.slot_len(size) == claimed.len(), "a claim is as long as its slot");
        let offset = Self::HEADER as usize;
        if cfg!(miri) {
            // Miri knows an atomic word as a whole, and breaks down when plain bytes take the place of half of one.
            let pad = (self.slot_len(size) - Self::HEADER) as usize - size;
            // SAFETY: as below; the pad belongs to the slot.
            unsafe { slot.0.with_bytes_mut(offset + size, pad, |pad| pad.fill(0)) }
        }
        // SAFETY: in bounds, for a claim is as long as its slot and that has at most `max_payload` bytes of payload
        // (`RingWriter::claim`), and the promise of the trait; exclusive, because the caller owns the claim
        // and has not published it (law 4), a claim never reaches past the limit (`Room`), and on a ring everything
        // before the gate is released by every reader and finished by every writer (`gate.rs`, law 1).
        unsafe { slot.0.with_bytes_mut(offset, size, f) }
    }

    /// The claimed slot; and what will be filled soon is on its way.
    #[doc(hidden)]
    #[allow(private_interfaces)]
    #[inline(always)]
    fn begin(&self, claimed: &Claimed) -> Slot<'_> {
        let slot = self.at(claimed.position());
        slot.fetch(claimed.soon());
        slot
    }

    #[doc(hidden)]
    #[inline(always)]
    fn stamp_of(&self, position: u64, state: u64) -> u64 {
        (position | state) ^ self.key()
    }
}

/// Another key than `key`, from `secret`, which no other process knows: no stamp that is masked with `key`, in whatever
/// state and of whatever lap, is one that is masked with this; nor, but for a chance of one in 2^60, is any other word.
pub(crate) fn distrust(key: u64, secret: u64) -> u64 {
    // No two states differ in bit 0 alone, and positions not in the low four bits.
    key ^ (secret << 4 | 1)
}

/// Where a slot lies: its address is computed once for all that is done to it.
///
/// Made by [`Slots::at`] only. Has the bytes of the largest slot.
#[derive(Clone, Copy, Debug)]
pub struct Slot<'a>(Place<'a>);

impl<'a> Slot<'a> {
    /// # Safety
    ///
    /// `place` is aligned to 16, and has the bytes of the largest slot.
    #[inline(always)]
    pub(crate) unsafe fn of(place: Place<'a>) -> Slot<'a> {
        Slot(place)
    }

    #[inline(always)]
    pub(crate) fn place(self) -> Place<'a> {
        self.0
    }

    #[inline(always)]
    pub(crate) fn fetch(self, soon: Soon) {
        match soon {
            Soon::Nothing => {}
            Soon::Near => self.0.prefetch_for_writing::<512>(),
            Soon::Far => self.0.prefetch_for_writing::<1024>(),
        }
    }

    #[inline(always)]
    pub(crate) fn stamp(self) -> &'a AtomicU64 {
        // SAFETY: a slot is aligned to 16 and has at least 16 bytes.
        unsafe { self.0.word(0) }
    }

    #[inline(always)]
    pub(crate) fn head(self) -> &'a AtomicU64 {
        // SAFETY: as for `stamp`, one word further.
        unsafe { self.0.word(8) }
    }

    #[inline(always)]
    pub(crate) fn header(self, position: u64) -> Header {
        unpack(self.head().load(Ordering::Relaxed), position)
    }
}

/// Ends a pending claim however its fill ends.
struct SealOnDrop<'a, S: Slots, F: Fn(u64)> {
    slots: &'a S,
    slot: Slot<'a>,
    claimed: Claimed,
    state: u64,
    unfence: F,
}

impl<S: Slots, F: Fn(u64)> SealOnDrop<'_, S, F> {
    /// Moves the slot from PENDING to `state`; false if a reader fenced it meanwhile.
    #[inline]
    fn finish(self) -> bool {
        let done = self.end();
        std::mem::forget(self);
        done
    }

    #[inline]
    fn end(&self) -> bool {
        let (slots, position) = (self.slots, self.claimed.position());
        let stamp = self.slot.stamp();
        let pending = slots.stamp_of(position, PENDING);
        let target = slots.stamp_of(position, self.state);
        // SYNC POINT slot.publish. Acquire on failure: with a fence comes the place where it is noted.
        if stamp.compare_exchange(pending, target, Ordering::Release, Ordering::Acquire).is_ok() {
            return true;
        }
        stamp.store(slots.stamp_of(position, SEALED), Ordering::Release); // SYNC POINT slot.publish
        (self.unfence)(position);
        false
    }
}

impl<S: Slots, F: Fn(u64)> Drop for SealOnDrop<'_, S, F> {
    fn drop(&mut self) {
        self.end();
    }
}

#[inline(always)]
pub(crate) fn pack(source: u16, message: u16, size: usize) -> u64 {
    (source as u64) << 48 | (message as u64) << 32 | size as u64
}

#[inline(always)]
pub(crate) fn unpack(word: u64, position: u64) -> Header {
    Header { source: (word >> 48) as u16, message: (word >> 32) as u16, size: word as u32, position }
}
