//! The slot: how one message becomes visible, whole or not at all.
//!
//! Knows positions, stamps and bytes; not who may write where (claims, in `claim.rs`), nor who has read what
//! (`gate.rs`). This file holds the only Release and Acquire on slots.
//!
//! ```text
//!  slot:  | stamp u64 | source u16, message u16, size u32 | payload, size bytes | pad to 16 |
//!         0           8                                   16
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

use super::control::{self, Control};
use crate::mmap::Region;
use crate::sync::{AtomicU64, Ordering};
use crate::traits::{EncodeError, Header, Payload, Space};

/// Stamp and header word.
pub(super) const SLOT_HEADER: u64 = 16;
/// Slots begin at multiples of this.
pub(super) const SLOT_ALIGN: u64 = 16;

const COMMITTED: u64 = 1;
const SEALED: u64 = 2;
const PENDING: u64 = 3;
const FENCED: u64 = 4;

/// How far `position` is ahead of `other`. Positions wrap around the end of u64 like everything that counts.
#[inline(always)]
pub(super) fn ahead(position: u64, other: u64) -> i64 {
    position.wrapping_sub(other) as i64
}

/// The bytes of a slot that carries `size` bytes of payload.
#[inline(always)]
pub(super) fn slot_len(size: usize) -> u64 {
    (SLOT_HEADER + size as u64).next_multiple_of(SLOT_ALIGN)
}

/// What a reader finds at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing that is finished. `pending`: its fill is running.
    Open { pending: bool },
    /// A whole message.
    Message(Header),
    /// A slot that was given up, of this many bytes of ring.
    Sealed { len: u64, fenced: bool },
}

/// How a fill ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Filled {
    Committed,
    Sealed(EncodeError),
    /// Readers went on without it. The caller owes the gate its
    /// [`unfence`](super::gate::Gate::unfence).
    Fenced,
}

/// The memory of one ring: control block, slots, spare bytes.
#[derive(Debug)]
pub(super) struct Ring {
    region: Region,
    key: u64,
    mask: u64,
    max_payload: usize,
}

impl Ring {
    /// The bytes of memory that a ring of `capacity` needs.
    pub(super) fn region_len(capacity: u64) -> u64 {
        control::SIZE as u64 + capacity + max_slot(capacity)
    }

    /// Makes a ring of `capacity` bytes, a power of two, whose first message will stand at `start`.
    pub(super) fn new(region: Region, capacity: u64, start: u64, key: u64) -> Ring {
        let max_payload = (max_slot(capacity) - SLOT_HEADER) as usize;
        let ring = Ring { region, key, mask: capacity - 1, max_payload };
        let control = ring.control();
        control.version().store(control::VERSION, Ordering::Relaxed);
        control.capacity().store(capacity, Ordering::Relaxed);
        control.key().store(key, Ordering::Relaxed);
        control.tail().store(start, Ordering::Relaxed);
        control.gate().store(start, Ordering::Relaxed);
        control.unread_until().store(start, Ordering::Relaxed);
        control.magic().store(control::MAGIC, Ordering::Release);
        ring
    }

    #[inline(always)]
    pub(super) fn control(&self) -> Control<'_> {
        Control(&self.region)
    }

    #[inline(always)]
    pub(super) fn capacity(&self) -> u64 {
        self.mask + 1
    }

    /// The largest payload.
    #[inline(always)]
    pub(super) fn max_payload(&self) -> usize {
        self.max_payload
    }

    /// Copies a message into the claimed slot and commits it.
    ///
    /// Precondition: the caller has claimed `slot_len(bytes.len())` at `position` and published nothing there.
    #[inline(always)]
    pub(super) fn publish_bytes(&self, position: u64, source: u16, message: u16, bytes: &[u8]) {
        self.header(position).store(pack(source, message, bytes.len()), Ordering::Relaxed);
        self.with_payload_mut(position, bytes.len(), |payload| payload.copy_from_slice(bytes));
        self.stamp(position).store(self.stamp_of(position, COMMITTED), Ordering::Release); // SYNC POINT slot.publish
    }

    /// Lets `payload` fill the claimed slot and commits it; seals it when the fill fails or unwinds.
    ///
    /// Precondition: the caller has claimed `slot_len(size)` at `position` and published nothing there.
    #[inline]
    pub(super) fn publish_fill<P: Payload>(
        &self,
        position: u64,
        source: u16,
        message: u16,
        size: usize,
        payload: &mut P,
        unfence: impl Fn(u64),
    ) -> Filled {
        self.header(position).store(pack(source, message, size), Ordering::Relaxed);
        // Release, so that whoever fences this claim finds its length.
        self.stamp(position).store(self.stamp_of(position, PENDING), Ordering::Release); // SYNC POINT slot.publish
        let mut guard = SealOnDrop { ring: self, position, state: SEALED, unfence };
        let filled = self.with_payload_mut(position, size, |bytes| payload.fill(&mut Space::new(bytes)));
        match filled {
            Ok(()) => {
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

    /// Has the line at `position` on its way before a claim gets there. A writer's lines were last in a reader's cache,
    /// and without this each of its stores, or the next locked claim, waits until they are back.
    #[inline(always)]
    pub(super) fn prefetch(&self, position: u64) {
        self.region.prefetch_for_writing(self.offset(position));
    }

    /// What stands at `position`.
    ///
    /// Precondition: the caller's cursor gates `position`, or it holds the gate lock and `position` is not before the
    /// gate: nobody writes plain bytes where this looks for a stamp.
    #[inline(always)]
    pub(super) fn observe(&self, position: u64) -> Seen {
        let stamp = self.stamp(position).load(Ordering::Acquire); // SYNC POINT slot.publish
        match stamp ^ self.key ^ position {
            COMMITTED => Seen::Message(self.header_at(position)),
            PENDING => Seen::Open { pending: true },
            SEALED => Seen::Sealed { len: slot_len(self.header_at(position).size as usize), fenced: false },
            FENCED => Seen::Sealed { len: slot_len(self.header_at(position).size as usize), fenced: true },
            _ => Seen::Open { pending: false },
        }
    }

    /// Seals the claim at `position` over its owner's head, if its fill is still running.
    ///
    /// Precondition: as for [`observe`](Self::observe), and the gate knows the position already.
    pub(super) fn fence(&self, position: u64) -> bool {
        let (pending, fenced) = (self.stamp_of(position, PENDING), self.stamp_of(position, FENCED));
        self.stamp(position).compare_exchange(pending, fenced, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Lends the payload of the message at `header.position` for reading.
    ///
    /// Precondition: [`observe`](Self::observe) returned this header, and the caller's cursor gates it until `f`
    /// returns.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(super) fn with_payload<R>(&self, header: &Header, f: impl FnOnce(&[u8]) -> R) -> R {
        debug_assert!(header.size as usize <= self.max_payload());
        let offset = self.offset(header.position) + SLOT_HEADER as usize;
        // SAFETY: in bounds, because a slot begins inside the ring and is at most `max_slot` long, and the region has
        // `max_slot` spare bytes behind the ring (`region_len`); free of writers, because the message is committed
        // (law 4: its owner is done) and the caller's cursor keeps the gate from passing it (`gate.rs`, law 1).
        unsafe { self.region.with_bytes(offset, header.size as usize, f) }
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn with_payload_mut<R>(&self, position: u64, size: usize, f: impl FnOnce(&mut [u8]) -> R) -> R {
        assert!(size <= self.max_payload(), "claims are no longer than the largest slot");
        let offset = self.offset(position) + SLOT_HEADER as usize;
        if cfg!(miri) {
            // Miri knows an atomic word as a whole, and breaks down when plain bytes take the place of half of one.
            let pad = (slot_len(size) - SLOT_HEADER) as usize - size;
            // SAFETY: as below; the pad belongs to the slot.
            unsafe { self.region.with_bytes_mut(offset + size, pad, |pad| pad.fill(0)) }
        }
        // SAFETY: in bounds, because a slot begins inside the ring and, checked above, ends within the spare bytes;
        // exclusive, because the caller owns the claim (law 4), a claim never reaches past gate + capacity (`claim.rs`)
        // and everything before the gate is released by every reader and finished by every writer (`gate.rs`, law 1).
        unsafe { self.region.with_bytes_mut(offset, size, f) }
    }

    #[inline(always)]
    fn header_at(&self, position: u64) -> Header {
        unpack(self.header(position).load(Ordering::Relaxed), position)
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn stamp(&self, position: u64) -> &AtomicU64 {
        // SAFETY: `offset` is aligned to 16 and at least 16 bytes before the end of the ring.
        unsafe { self.region.word_unchecked(self.offset(position)) }
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn header(&self, position: u64) -> &AtomicU64 {
        // SAFETY: as for `stamp`, one word further.
        unsafe { self.region.word_unchecked(self.offset(position) + 8) }
    }

    #[inline(always)]
    fn stamp_of(&self, position: u64, state: u64) -> u64 {
        (position | state) ^ self.key
    }

    #[inline(always)]
    fn offset(&self, position: u64) -> usize {
        debug_assert!(position.is_multiple_of(SLOT_ALIGN));
        control::SIZE + (position & self.mask) as usize
    }
}

/// Ends a pending claim however its fill ends.
struct SealOnDrop<'a, F: Fn(u64)> {
    ring: &'a Ring,
    position: u64,
    state: u64,
    unfence: F,
}

impl<F: Fn(u64)> SealOnDrop<'_, F> {
    /// Moves the slot from PENDING to `state`; false if a reader fenced it meanwhile.
    #[inline]
    fn finish(self) -> bool {
        let done = self.end();
        std::mem::forget(self);
        done
    }

    #[inline]
    fn end(&self) -> bool {
        let ring = self.ring;
        let stamp = ring.stamp(self.position);
        let pending = ring.stamp_of(self.position, PENDING);
        let target = ring.stamp_of(self.position, self.state);
        // SYNC POINT slot.publish. Relaxed on failure: a fence carries nothing the owner needs.
        if stamp.compare_exchange(pending, target, Ordering::Release, Ordering::Relaxed).is_ok() {
            return true;
        }
        stamp.store(ring.stamp_of(self.position, SEALED), Ordering::Release);
        (self.unfence)(self.position);
        false
    }
}

impl<F: Fn(u64)> Drop for SealOnDrop<'_, F> {
    fn drop(&mut self) {
        self.end();
    }
}

/// A slot is at most an eighth of the ring.
fn max_slot(capacity: u64) -> u64 {
    capacity / 8
}

#[inline(always)]
fn pack(source: u16, message: u16, size: usize) -> u64 {
    (source as u64) << 48 | (message as u64) << 32 | size as u64
}

#[inline(always)]
fn unpack(word: u64, position: u64) -> Header {
    Header { source: (word >> 48) as u16, message: (word >> 32) as u16, size: word as u32, position }
}
