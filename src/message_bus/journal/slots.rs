//! [`JournalSlots`]: the slots of a journal in memory. They are the file's bytes, and are never reused.
//!
//! ```text
//!  slot: | stamp u64 | source, message, size | time u64 | cause u64 | payload | pad, CRC to 16 |
//!        0           8                       16         24          32
//! ```
//!
//! It believes no length and no position that it reads: such memory may come from a disk at any moment.

use super::origin::Cause;
use super::word::{checked, unchecked};
use crate::message_bus::ring::slot::{COMMITTED, FENCED, PENDING, SEALED, SLOT_ALIGN, Seen, Slot, Slots, pack, unpack};
use crate::mmap::Region;
use crate::sync::{AtomicU64, Ordering, fence};
use crate::traits::Header;

/// States of a stamp besides those of a ring. What was claimed here was not finished or is lost, or what was written is
/// damaged; the head is the length, as a checked word.
pub(crate) const HOLE: u64 = 0b1010;
pub(crate) const DAMAGED: u64 = 0b1100;
/// No state at all.
const NO_STATE: u64 = 0b1111;

/// The memory of one journal: the file's bytes, from its first on.
#[derive(Clone, Debug)]
pub struct JournalSlots {
    region: Region,
    key: u64,
    max_payload: usize,
    /// Whether each slot ends in a CRC.
    crc: bool,
    /// No slot begins behind it.
    last: u64,
}

/// What a journal's slot says besides its head.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// When it was claimed, in nanoseconds since 1970.
    pub(crate) time: u64,
    /// The position of the message in whose handling it was sent, or 0; or whence it came: a [`Cause`].
    pub(crate) word: u64,
}

impl Record {
    /// What `slot` says, in which a message was seen.
    #[inline]
    pub(crate) fn of(slot: Slot<'_>) -> Record {
        let [time, word] = more_of(slot).map(|word| word.load(Ordering::Relaxed));
        Record { time, word }
    }

    /// The position of the message in whose handling it was sent, or 0: also if it came from elsewhere, or comes again.
    pub(crate) fn cause(self) -> u64 {
        match Cause::of(self.word) {
            Cause::Here(position) => position,
            Cause::Elsewhere { .. } | Cause::Again(_) => 0,
        }
    }

    /// The entry and the position of its origin, if it came from elsewhere.
    pub(crate) fn origin(self) -> Option<(usize, u64)> {
        match Cause::of(self.word) {
            Cause::Elsewhere { entry, position } => Some((entry, position)),
            Cause::Here(_) | Cause::Again(_) => None,
        }
    }

    /// Where it was dead, if it comes again.
    pub(crate) fn requeued(self) -> Option<u64> {
        match Cause::of(self.word) {
            Cause::Again(position) => Some(position),
            Cause::Here(_) | Cause::Elsewhere { .. } => None,
        }
    }
}

/// Stamp, head, time and cause.
pub(crate) const RECORD_HEADER: u64 = 32;
/// The bytes of a CRC.
pub(crate) const CRC: u64 = 4;

/// The bytes of a journal's slot that carries `size` bytes of payload.
#[inline(always)]
pub(crate) fn record_len(size: usize, crc: bool) -> u64 {
    // Wrapping: a size that is too large is refused before its slot is claimed.
    let end = (size as u64).wrapping_add(RECORD_HEADER + if crc { CRC } else { 0 });
    end.wrapping_add(SLOT_ALIGN - 1) / SLOT_ALIGN * SLOT_ALIGN
}

impl JournalSlots {
    /// The slots of a journal in `region`, which has room for the largest slot behind every position up to `last`.
    pub(crate) fn new(region: Region, key: u64, max_payload: usize, crc: bool) -> JournalSlots {
        let last = (region.len() as u64).saturating_sub(record_len(max_payload, crc));
        JournalSlots { region, key, max_payload, crc, last }
    }

    pub(crate) fn region(&self) -> &Region {
        &self.region
    }

    /// When the slot at `position` was claimed, and in whose handling.
    ///
    /// # Safety
    ///
    /// A message was seen there, and whatever lets the caller look at it still does: see [`Slots::with_payload`].
    pub(crate) unsafe fn record(&self, position: u64) -> Record {
        Record::of(self.at(position))
    }

    /// Marks `len` bytes at `position` as a hole or as damaged.
    ///
    /// # Safety
    ///
    /// No reader of this process has come to this place, and no writer is at it.
    pub(crate) unsafe fn mark(&self, position: u64, state: u64, len: u64) {
        // Whoever is killed between the two words must not leave the one with an old meaning of the other: a length is
        // no size. In between stands what will be stepped over in the same way, a claim with nothing in it or damage.
        let between = if state == HOLE { 0 } else { self.stamp_of(position, NO_STATE) };
        let slot = self.at(position);
        slot.stamp().store(between, Ordering::Relaxed);
        fence(Ordering::Release); // SYNC POINT journal.killed
        let head = checked(position + 8, len);
        slot.head().store(head, Ordering::Relaxed);
        slot.stamp().store(self.stamp_of(position, state), Ordering::Release); // SYNC POINT slot.publish
    }

    /// Has the slot at `position`, which was given up, say that it is `len` bytes long.
    ///
    /// # Safety
    ///
    /// As for [`mark`](Self::mark).
    pub(crate) unsafe fn mark_length(&self, position: u64, len: u64) {
        let slot = self.at(position);
        let Header { source, message, .. } = slot.header(position);
        let size = len - RECORD_HEADER - if self.crc { CRC } else { 0 };
        assert_eq!(self.slot_len(size as usize), len);
        slot.head().store(pack(source, message, size as usize), Ordering::Relaxed);
    }

    /// What stamp and head mean that are no message's. Out of line: a jump by the state would cost every message more
    /// than all else that is done to read it.
    #[cold]
    #[inline(never)]
    fn observe_other(&self, position: u64, state: u64, head: u64) -> Seen {
        let size = head as u32 as usize;
        match state {
            PENDING => Seen::Open { pending: true },
            SEALED | FENCED if size <= self.max_payload => {
                Seen::Sealed { len: self.slot_len(size), fenced: state == FENCED }
            }
            HOLE | DAMAGED => {
                let len = unchecked(position + 8, head).filter(|&len| len != 0);
                len.map_or(Seen::Open { pending: false }, |len| Seen::Sealed { len, fenced: false })
            }
            _ => Seen::Open { pending: false },
        }
    }

    /// Zeroes what is from `from` to `to`, multiples of 16.
    ///
    /// # Safety
    ///
    /// Nobody else has seen this journal yet.
    pub(crate) unsafe fn zero(&self, from: u64, to: u64) {
        for offset in (from..to).step_by(8) {
            self.region.word(offset as usize).store(0, Ordering::Relaxed);
        }
    }
}

// SAFETY: a position is its own offset, and one behind `last`, where the largest slot may not fit, panics.
unsafe impl Slots for JournalSlots {
    const HEADER: u64 = RECORD_HEADER;
    type More = Record;

    #[inline(always)]
    fn key(&self) -> u64 {
        self.key
    }

    #[inline(always)]
    fn max_payload(&self) -> usize {
        self.max_payload
    }

    #[inline(always)]
    #[allow(private_interfaces)]
    fn at(&self, position: u64) -> Slot<'_> {
        if position > self.last || !position.is_multiple_of(SLOT_ALIGN) {
            no_slot(position);
        }
        // SAFETY: the region has the bytes of the largest slot behind every position up to `last`.
        unsafe { Slot::of(self.region.place(position as usize)) }
    }

    #[inline(always)]
    fn slot_len(&self, size: usize) -> u64 {
        record_len(size, self.crc)
    }

    #[inline(always)]
    #[allow(private_interfaces)]
    fn write_more(&self, slot: Slot<'_>, more: Record) {
        let [time, cause] = more_of(slot);
        time.store(more.time, Ordering::Relaxed);
        cause.store(more.word, Ordering::Relaxed);
        // The head must be there when the process dies in the payload. Only the compiler could change that order.
        fence(Ordering::Release); // SYNC POINT journal.killed
    }

    #[inline(always)]
    #[allow(private_interfaces)]
    unsafe fn complete(&self, slot: Slot<'_>, size: usize) {
        if !self.crc {
            return;
        }
        let (place, from, len) = (slot.place(), 8, (record_len(size, true) - 8 - CRC) as usize);
        // SAFETY: in bounds, as the slot is, of which the caller has the claim; its owner alone writes here (law 4).
        let crc = crc32c::crc32c(&unsafe { place.bytes(from, len) });
        // SAFETY: as above, and nobody looks at these bytes before the commit.
        unsafe { place.with_bytes_mut(from + len, CRC as usize, |bytes| bytes.copy_from_slice(&crc.to_ne_bytes())) }
    }

    #[inline(always)]
    #[allow(private_interfaces)]
    fn finder<'a>(&'a self) -> impl Fn(u64) -> Option<Slot<'a>> {
        move |position| (position <= self.last).then(|| self.at(position))
    }

    /// As for a ring, but not even the memory is believed: it may be read from a disk at any moment.
    #[inline(always)]
    #[allow(private_interfaces)]
    unsafe fn look_at(&self, slot: Slot<'_>, position: u64, key: u64) -> Seen {
        let stamp = slot.stamp().load(Ordering::Acquire); // SYNC POINT slot.publish
        let state = stamp ^ key ^ position;
        let head = slot.head().load(Ordering::Relaxed);
        if state == COMMITTED && head as u32 as usize <= self.max_payload {
            return Seen::Message(unpack(head, position));
        }
        self.observe_other(position, state, head)
    }
}

/// The words of a slot behind its head: time and cause.
#[inline(always)]
fn more_of(slot: Slot<'_>) -> [&AtomicU64; 2] {
    // SAFETY: a journal's slot has at least 32 bytes.
    unsafe { [slot.place().word(16), slot.place().word(24)] }
}

/// Out of line and by value: a message that is put together where it may be needed costs a store at every slot.
#[cold]
#[inline(never)]
fn no_slot(position: u64) -> ! {
    panic!("no slot at {position}");
}
