//! Where a reader is: the place it has in the ring, how it steps on from there, and what it lets go of.

use crate::message_bus::ring::control::ReaderIndex;
use crate::message_bus::ring::gate::Standing;
use crate::message_bus::ring::gate::readers::Kind;
use crate::message_bus::ring::gate::tickets::CLOSED;
use crate::message_bus::ring::memory::Ring;
use crate::message_bus::ring::position::ahead;
use crate::message_bus::ring::shared::Shared;
use crate::message_bus::ring::slot::{Seen, Slot, Slots};
use crate::message_bus::ring::store::Storage;
use crate::message_bus::wait::{self, Adaptive, WaitStrategy};
use crate::mmap::Bytes;
use crate::sync::{Arc, Ordering};
use crate::traits::{Header, ReadError, Reader, SubscribeError};
use std::time::{Duration, Instant};

/// A reader of a [`CircularBus`](crate::message_bus::CircularBus) or a `PersistentBus`. Dropping it ends the
/// subscription.
#[derive(Debug)]
pub struct RingReader<W: WaitStrategy = Adaptive, S: Storage = Ring> {
    pub(super) shared: Arc<Shared<S>>,
    /// Its entry in the reader table.
    pub(super) index: ReaderIndex,
    pub(super) turn: Turn,
    /// The same, where `turn` says no more than that the ring is shared.
    pub(super) kind: Turn,
    /// Whether it was to begin with a rebuild.
    pub(crate) rebuilds: bool,
    /// The next message.
    pub(super) position: u64,
    /// What the entry says; never ahead of `position`.
    pub(super) released: u64,
    /// Release at least that often, in bytes; or, of a held reader, hold no more than the largest slot beyond that.
    pub(super) batch: u64,
    /// Messages read since the last wait.
    pub(super) handled: u64,
    /// Messages read before that.
    pub(super) handled_before: u64,
    /// The wakes that were noticed.
    pub(super) wakes: u64,
    /// The unfinished claim that this reader waits for, and since when.
    pub(super) silent: Option<(u64, Instant)>,
    /// Where an evictable reader's messages are copied to.
    pub(super) copy: Vec<u8>,
    /// Whose copy it is.
    pub(super) copied: Option<Header>,
    /// How many messages it knows it was moved past.
    pub(super) losses: u64,
    pub(super) strategy: W,
    pub(super) patience: wait::Patience,
}

/// How long a worker that begins again waits for those who are writing.
pub(crate) const FINISHED_WITHIN: Duration = Duration::from_secs(10);

/// How a reader comes to its next message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) enum Turn {
    /// It looks at it in place, and releases by itself.
    Gating,
    /// It looks at it in place.
    Held,
    /// It looks at it in place, once it knows that it is still in the process that attached to the ring.
    Attached,
    /// In another way, which its kind says, once it knows that.
    AttachedOtherwise,
    /// It is held, and holds as much as it may.
    Full,
    /// It copies it.
    Evictable,
}

impl Turn {
    pub(super) fn is_held(self) -> bool {
        matches!(self, Turn::Held | Turn::Full)
    }

    pub(super) fn is_attached(self) -> bool {
        matches!(self, Turn::Attached | Turn::AttachedOtherwise)
    }
}

impl<W: WaitStrategy, S: Storage> RingReader<W, S> {
    /// A reader that starts where `start` says.
    pub(crate) fn new(
        shared: &Arc<Shared<S>>,
        kind: Kind,
        name: &str,
        start: impl FnOnce(&Standing) -> Result<u64, SubscribeError>,
    ) -> Result<Self, SubscribeError> {
        // First: if it panics there is no entry that nobody reads for.
        let strategy = W::default();
        if shared.store.is_forked() {
            return Err(SubscribeError::Forked);
        }
        if shared.gate().has_no_place() {
            shared.heal();
        }
        let (index, position) = shared.gate().join(kind, name, start)?;
        let kind_of_turn = match kind {
            Kind::Gating => Turn::Gating,
            Kind::Held => Turn::Held,
            Kind::Evictable => Turn::Evictable,
        };
        Ok(RingReader {
            shared: Arc::clone(shared),
            index,
            turn: turn_of(&shared.store, kind_of_turn),
            kind: kind_of_turn,
            rebuilds: false,
            position,
            released: position,
            batch: if kind == Kind::Held { shared.store.window() } else { shared.store.batch() },
            handled: 0,
            handled_before: 0,
            wakes: shared.wakes.load(Ordering::Acquire), // SYNC POINT bus.wake
            silent: None,
            copy: Vec::new(),
            copied: None,
            losses: 0,
            strategy,
            patience: wait::Patience::default(),
        })
    }

    /// Has it begin further on than where it has joined, before anything was read. It gates all in between until it
    /// releases, so that it may yet begin there.
    pub(crate) fn begin_at(&mut self, position: u64) {
        self.position = position;
    }

    /// Its entry in the reader table.
    pub(crate) fn index(&self) -> ReaderIndex {
        self.index
    }

    #[inline(always)]
    pub(super) fn step_over(&mut self, len: u64) {
        self.position = self.position.wrapping_add(len);
        if self.position.wrapping_sub(self.released) >= self.batch {
            self.release_batch();
        }
    }

    /// Out of line: once per eighth of the ring.
    #[cold]
    #[inline(never)]
    pub(super) fn release_batch(&mut self) {
        self.release();
        self.look_at_window();
    }

    /// The messages read since the last wait: the next one begins.
    pub(super) fn take_handled(&mut self) -> u64 {
        let handled = std::mem::take(&mut self.handled);
        self.handled_before = self.handled_before.wrapping_add(handled);
        handled
    }

    /// Says to whoever looks at a ring that is shared how many messages were handled, `more` than are counted.
    #[inline(always)]
    pub(super) fn tell_handled(&self, more: usize) {
        let handled = self.handled_before.wrapping_add(self.handled).wrapping_add(more as u64);
        self.shared.control().reader(self.index).handled().store(handled, Ordering::Relaxed);
    }

    /// Says to whoever looks at a ring that is shared whether this reader sleeps.
    pub(super) fn tell_asleep(&self, asleep: u64) {
        if self.shared.store.is_shared() {
            self.tell_handled(0);
            self.shared.control().reader(self.index).asleep().store(asleep, Ordering::Relaxed);
        }
    }

    /// Whether this reader of a ring that is shared is still in the process that attached. Then it says how many
    /// messages it has handled, `more` than are counted.
    #[cold]
    #[inline(never)]
    pub(super) fn is_here(&self, more: usize) -> bool {
        let is_here = !self.is_away();
        if is_here {
            self.tell_handled(more);
        }
        is_here
    }

    /// Lets writers reuse everything before `position`.
    pub(super) fn let_go(&mut self, position: u64) {
        if self.is_away() {
            return;
        }
        self.released = position;
        self.shared.gate().release(self.index, position);
        self.shared.store.released(self.index, position);
        self.shared.notify_room();
    }

    /// Steps over what is no message, or says why there is nothing to step over.
    #[cold]
    #[inline(never)]
    pub(super) fn step_over_no_message(&mut self, seen: Seen) -> Result<(), ReadError> {
        match seen {
            Seen::Message(_) => {}
            Seen::Sealed { len, .. } => self.step_over(len),
            Seen::Open { .. } => return Err(self.nothing()),
            Seen::Corrupt => return Err(ReadError::Corrupt { position: self.position }),
        }
        Ok(())
    }

    /// What stands at `place`, which this gating reader has come to by steps over slots, released or not: its position,
    /// or one behind it.
    #[inline(always)]
    pub(super) fn gated(&self, place: u64) -> Seen {
        debug_assert!(self.kind != Turn::Evictable && ahead(place, self.released) >= 0);
        // SAFETY: as for `look`.
        unsafe { self.shared.store.slots().observe(place) }
    }

    /// As [`gated`](Self::gated), with where that slot is.
    #[inline(always)]
    pub(super) fn look(&self, place: u64) -> (Option<Slot<'_>>, Seen) {
        debug_assert!(self.kind != Turn::Evictable && ahead(place, self.released) >= 0);
        // SAFETY: a slot begins there, and the cursor that the gate goes by is `released`, which is not past it.
        unsafe { self.shared.store.slots().look(place) }
    }

    /// The next message on a ring that is shared, where the reader looks at it in place and is still in the process
    /// that attached. Then it says how many it has handled.
    #[inline(always)]
    pub(super) fn look_attached(&self) -> Option<(Slot<'_>, Header)> {
        if self.is_away() {
            return None;
        }
        let (Some(slot), Seen::Message(header)) = self.look(self.position) else { return None };
        if header.size as usize > self.shared.store.slots().max_payload() {
            return None;
        }
        self.tell_handled(0);
        Some((slot, header))
    }

    /// Nothing to read: lets go of all that was read and says why there is no more. Out of line, so that a loop that
    /// reads keeps its registers.
    #[cold]
    #[inline(never)]
    pub(super) fn nothing(&mut self) -> ReadError {
        self.release();
        // Acquire: what was committed before the close is visible after it.
        let closed = self.shared.flags(Ordering::Acquire) & CLOSED != 0; // SYNC POINT bus.close
        if closed && self.is_at_tail() { ReadError::Closed } else { ReadError::Empty }
    }

    pub(super) fn is_at_tail(&self) -> bool {
        // Relaxed: a position that is compared and leads to no bytes. That it is no older than a close comes with the
        // flags that told of it.
        self.shared.control().tail().load(Ordering::Relaxed) == self.position
    }

    /// Whether this is a copy, in a child that was forked, of a reader that is its parent's.
    #[inline(always)]
    pub(super) fn is_away(&self) -> bool {
        self.shared.store.is_forked()
    }
}

/// How a reader of this kind comes to its next message.
pub(super) fn turn_of(store: &impl Storage, kind: Turn) -> Turn {
    match kind {
        _ if !store.is_shared() => kind,
        Turn::Gating | Turn::Held => Turn::Attached,
        _ => Turn::AttachedOtherwise,
    }
}

/// The payload of a message that was found: in its slot, or where there is none in the reader's copy.
///
/// # Safety
///
/// A look of a reader that gates it has shown `header` in `slot`, and the reader stays there while the bytes are lent.
#[inline(always)]
pub(super) unsafe fn lent<'a, S: Storage>(
    store: &S,
    slot: Option<Slot<'a>>,
    copy: &'a [u8],
    header: &Header,
) -> Bytes<'a> {
    match slot {
        // SAFETY: the caller's promise.
        Some(slot) => unsafe { store.slots().payload_in(slot, header) },
        None => Bytes::from(copy),
    }
}

impl<W: WaitStrategy, S: Storage> Drop for RingReader<W, S> {
    fn drop(&mut self) {
        if self.is_away() {
            return;
        }
        // A held one's cursor stays where it was released.
        if !self.kind.is_held() {
            self.shared.store.left(self.index, self.position);
        }
        self.shared.gate().leave(self.index);
        self.shared.notify_room();
    }
}
