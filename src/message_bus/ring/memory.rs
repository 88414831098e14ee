//! The memory of one ring: control block, slots, spare bytes; and how far writers may fill it.
//!
//! ```text
//!  | control block | capacity bytes of slots | an eighth of that: spare bytes |
//!                  0 <- position mod capacity        a slot that begins before the end may end here
//! ```

use super::claim::{FETCH_ADD_WRITERS, Role, Room};
use super::control::{self, Control, ReaderIndex, WriterIndex};
use super::gate::Gate;
use super::owner::Owner;
use super::position::ahead;
use super::slot::{COMMITTED, SLOT_ALIGN, SLOT_HEADER, STATES, Seen, Slot, Slots, distrust};
use super::store::Store;
use super::times::Times;
use crate::message_bus::wait;
use crate::mmap::fork::ForkMark;
use crate::mmap::{Front, Region};
use crate::sync::{AtomicU64, Ordering};
use crate::traits::{Time, WriteError};
use std::fmt::Debug;

/// The part of a ring that is kept free for fetch-and-add to overshoot into.
const RESERVE: u64 = 16;

/// The memory of one ring: control block, slots, spare bytes.
#[derive(Debug)]
pub struct Ring {
    control: Front<{ control::SIZE }>,
    /// What is behind the control block.
    slots: Region,
    key: u64,
    /// See [`Slots::look_key`].
    look_key: u64,
    /// The bits of a position that say where in the ring its slot begins.
    mask: u64,
    max_payload: usize,
    /// As whom it was mapped.
    owner: Owner,
    /// If others may be attached to the same memory, each of which may die.
    sharing: Option<Sharing>,
    times: Times,
    /// How often this attachment did without the gate lock.
    misses: AtomicU64,
}

/// What an attachment has of memory that processes share.
#[derive(Debug)]
pub(crate) struct Sharing {
    /// Of the process that attached. Here, where each message comes by.
    pub(crate) mark: ForkMark,
    pub(crate) others: Box<dyn Others>,
}

/// What an attachment to memory that processes share knows of the others there.
pub(crate) trait Others: Debug + Send + Sync {
    /// Whether it is proven that `owner` has ended.
    fn has_ended(&self, control: Control<'_>, owner: Owner) -> bool;

    /// The process of `owner`, if it is attached.
    fn pid_of(&self, owner: Owner) -> Option<u32>;
}

#[cfg(test)]
impl Others for fn(Control<'_>, Owner) -> bool {
    fn has_ended(&self, control: Control<'_>, owner: Owner) -> bool {
        self(control, owner)
    }

    /// As if attachments had the numbers of their processes.
    fn pid_of(&self, owner: Owner) -> Option<u32> {
        Some(owner.attachment().into())
    }
}

impl Ring {
    /// The bytes of memory that a ring of `capacity` needs.
    pub(crate) fn region_len(capacity: u64) -> u64 {
        control::SIZE as u64 + capacity + max_slot(capacity)
    }

    /// Makes a ring of `capacity` bytes, a power of two, whose first message will stand at `start`.
    pub(crate) fn new(region: Region, capacity: u64, start: u64, key: u64) -> Ring {
        // Nobody else is in memory without a name.
        let ring = Ring::of(region, capacity, key, Owner::ALONE, None);
        ring.control().begin(capacity, start, key);
        ring
    }

    /// The ring of `capacity` bytes and this key that is in `region` already, which `owner` shares with others.
    /// Those don't know `secret`.
    #[cfg_attr(
        not(all(target_os = "linux", not(rust_messenger_loom))),
        allow(dead_code, reason = "rings that processes share by name use it")
    )]
    pub(crate) fn shared(
        region: Region,
        capacity: u64,
        (key, secret): (u64, u64),
        owner: Owner,
        sharing: Sharing,
    ) -> Ring {
        Ring { look_key: distrust(key, secret), ..Ring::of(region, capacity, key, owner, Some(sharing)) }
    }

    /// The same, whose users wait so long.
    pub(crate) fn in_times(self, times: Times) -> Ring {
        Ring { times, ..self }
    }

    /// Where those sleep who share it with other processes.
    #[cfg_attr(
        not(all(target_os = "linux", not(rust_messenger_loom))),
        allow(dead_code, reason = "rings that processes share by name use it")
    )]
    pub(crate) fn futexes(&self) -> Front<{ wait::across::LEN }> {
        control::futexes(&self.control)
    }

    /// The same, where `is_dead` says who has ended.
    #[cfg(test)]
    pub(crate) fn attached(
        region: Region,
        capacity: u64,
        key: u64,
        owner: Owner,
        is_dead: fn(Control<'_>, Owner) -> bool,
    ) -> Ring {
        let mark = ForkMark::new().expect("a page");
        Ring::shared(region, capacity, (key, 0x5ec2e7), owner, Sharing { mark, others: Box::new(is_dead) })
    }

    /// A part of the memory, for tests to see who touches it.
    #[cfg(all(test, target_os = "linux", not(rust_messenger_loom)))]
    pub(crate) fn region(&self) -> &Region {
        &self.slots
    }

    fn of(region: Region, capacity: u64, key: u64, owner: Owner, sharing: Option<Sharing>) -> Ring {
        let max_payload = (max_slot(capacity) - SLOT_HEADER) as usize;
        assert!(region.len() as u64 >= Ring::region_len(capacity));
        let slots = region.behind(control::SIZE);
        let control = Front::of(region);
        let (times, misses) = (Times::default(), AtomicU64::new(0));
        Ring {
            control,
            slots,
            key,
            look_key: key,
            mask: capacity - SLOT_ALIGN,
            max_payload,
            owner,
            sharing,
            times,
            misses,
        }
    }

    #[inline(always)]
    pub(crate) fn control(&self) -> Control<'_> {
        Control(self.control.words())
    }

    #[inline(always)]
    pub(crate) fn capacity(&self) -> u64 {
        self.mask + SLOT_ALIGN
    }

    /// Where the slot of a position is.
    #[inline(always)]
    fn addresses<'a>(&'a self) -> impl Fn(u64) -> Slot<'a> {
        // SAFETY: the region is longer than nothing.
        let (base, mask) = (unsafe { self.slots.place(0) }, self.mask);
        move |position| {
            // SAFETY: a slot begins inside the ring, whose mask this is, and at a multiple of 16, whatever the position
            // is, for others may have written to the words of the control block; its size is a multiple of 16, and the
            // region aligned to a page.
            unsafe { Slot::of(base.behind((position & mask) as usize)) }
        }
    }

    /// What stands at `position`, which is no message, or one whose size is to be compared.
    ///
    /// # Safety
    ///
    /// As for [`Slots::observe`].
    #[cold]
    #[inline(never)]
    unsafe fn look_again(&self, position: u64) -> Seen {
        // SAFETY: the caller's promise.
        unsafe { self.observe(position) }
    }

    /// How much of it a writer may fill.
    fn span(&self, role: Role) -> u64 {
        let capacity = self.capacity();
        let shared = role == Role::Outside && self.control().workers().load(Ordering::Relaxed) != 0;
        if shared { capacity / 4 * 3 } else { capacity }
    }
}

// SAFETY: a slot begins inside the ring and is at most `max_slot` long, and the region has `max_slot` spare bytes
// behind the ring (`region_len`).
unsafe impl Slots for Ring {
    const HEADER: u64 = SLOT_HEADER;
    type More = ();

    #[inline(always)]
    fn key(&self) -> u64 {
        self.key
    }

    #[inline(always)]
    fn look_key(&self) -> u64 {
        self.look_key
    }

    #[inline(always)]
    fn max_payload(&self) -> usize {
        self.max_payload
    }

    fn max_sealed(&self) -> usize {
        usize::try_from(Ring::capacity(self).min(u32::MAX.into())).unwrap_or(usize::MAX)
    }

    #[inline(always)]
    #[allow(private_interfaces)]
    fn at(&self, position: u64) -> Slot<'_> {
        self.addresses()(position)
    }

    #[inline(always)]
    #[allow(private_interfaces)]
    fn finder<'a>(&'a self) -> impl Fn(u64) -> Option<Slot<'a>> {
        let address = self.addresses();
        move |position| Some(address(position))
    }

    #[inline(always)]
    fn slot_len(&self, size: usize) -> u64 {
        // Wrapping: a size that is too large is refused before its slot is claimed.
        SLOT_HEADER.wrapping_add(size as u64).wrapping_add(SLOT_ALIGN - 1) / SLOT_ALIGN * SLOT_ALIGN
    }

    #[inline(always)]
    #[allow(private_interfaces)]
    unsafe fn look_in_batch(&self, slot: Slot<'_>, position: u64, key: u64) -> Seen {
        let stamp = slot.stamp().load(Ordering::Acquire); // SYNC POINT slot.publish
        let state = stamp ^ key ^ position;
        if state == COMMITTED {
            return Seen::Message(slot.header(position));
        }
        // At once, as a reader that keeps up finds it after each message; but not where states are not to be seen.
        if state > STATES && self.look_key == self.key {
            return Seen::Open { pending: false };
        }
        // SAFETY: the caller's promise.
        unsafe { self.look_again(position) }
    }

    #[inline(always)]
    #[allow(private_interfaces)]
    fn write_more(&self, _slot: Slot<'_>, (): ()) {}

    #[inline(always)]
    #[allow(private_interfaces)]
    unsafe fn complete(&self, _slot: Slot<'_>, _size: usize) {}
}

/// A slot is at most an eighth of the ring.
fn max_slot(capacity: u64) -> u64 {
    capacity / 8
}

// SAFETY: a limit is the gate plus the capacity at most, and nobody needs what is before the gate (`gate.rs`, law 1).
// It is taken off by the reserve before it is used (`ManyWriters`).
unsafe impl Room for Ring {
    #[inline(always)]
    fn tail(&self) -> &AtomicU64 {
        self.control().tail()
    }

    fn reserve(&self) -> u64 {
        let reserve = Ring::capacity(self) / RESERVE;
        // None on a ring so small that fetch-and-add would not pay.
        if reserve / FETCH_ADD_WRITERS < SLOT_HEADER + SLOT_ALIGN { 0 } else { reserve }
    }

    #[cold]
    #[inline(never)]
    fn limit(&self, end: u64, role: Role) -> u64 {
        let span = self.span(role);
        let gate = Gate::new(self);
        let target = end.wrapping_sub(span);
        let known = gate.position();
        // A limit that lasts for less than an eighth of the ring would only bring the writer back here.
        let comfortable = target.wrapping_add(Ring::capacity(self) / 8);
        let position = if ahead(known, comfortable) >= 0 { known } else { gate.refresh(target) };
        position.wrapping_add(span)
    }

    #[inline]
    fn is_shared(&self) -> bool {
        self.sharing.is_some()
    }

    #[inline(always)]
    #[allow(private_interfaces)]
    fn announce(&self, writer: WriterIndex, position: Option<u64>) {
        if self.sharing.is_some() {
            let claim = position.map_or(0, |position| position | control::CLAIMED);
            // Release: whoever finds that this writer is elsewhere finds its last slot finished.
            self.control().writer(writer).claim().store(claim, Ordering::Release); // SYNC POINT claim.announce
        }
    }

    fn may_end_at(&self, end: u64) -> bool {
        ahead(end, Gate::new(self).position()) <= Ring::capacity(self) as i64
    }
}

#[allow(private_interfaces)]
impl Store for Ring {
    type Slots = Ring;
    type Background = ();
    type Known = ();

    #[inline(always)]
    fn slots(&self) -> &Ring {
        self
    }

    #[inline(always)]
    fn control(&self) -> Control<'_> {
        Ring::control(self)
    }

    #[inline(always)]
    fn capacity(&self) -> u64 {
        Ring::capacity(self)
    }

    fn owner(&self) -> Owner {
        self.owner
    }

    fn has_ended(&self, owner: Owner) -> bool {
        self.sharing.as_ref().is_some_and(|sharing| sharing.others.has_ended(self.control(), owner))
    }

    #[inline(always)]
    fn is_forked(&self) -> bool {
        self.sharing.as_ref().is_some_and(|sharing| sharing.mark.is_forked())
    }

    fn times(&self) -> Option<&Times> {
        self.sharing.as_ref().map(|_| &self.times)
    }

    fn pid_of(&self, owner: Owner) -> Option<u32> {
        self.sharing.as_ref()?.others.pid_of(owner)
    }

    fn miss(&self) {
        // Relaxed: it is compared by who has counted.
        self.misses.fetch_add(1, Ordering::Relaxed);
    }

    fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }

    fn batch(&self) -> u64 {
        Ring::capacity(self) / 8
    }

    /// With the largest slot on top it is still below a quarter of the ring.
    fn window(&self) -> u64 {
        Ring::capacity(self) / 8
    }

    #[inline(always)]
    fn make_room(&self, _len: u64) -> Result<(), WriteError> {
        Err(WriteError::Full)
    }

    #[inline(always)]
    fn more(&self, _role: Role) {}

    #[inline(always)]
    fn time(&self, _role: Role) -> Option<Time> {
        None
    }

    #[inline(always)]
    fn acknowledge(&self, _position: u64, _len: u64) -> Result<(), WriteError> {
        Ok(())
    }

    #[inline(always)]
    fn delivering(&self, _index: ReaderIndex, _position: u64) {}

    #[inline(always)]
    fn delivered(&self, _index: ReaderIndex) {}

    #[inline(always)]
    fn released(&self, _index: ReaderIndex, _position: u64) {}

    #[inline(always)]
    fn left(&self, _index: ReaderIndex, _position: u64) {}
}
