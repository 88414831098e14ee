//! The healing pass: what the dead held is given back, under the lock. Each step may be done in part and again, so the
//! one who heals may die, too.
//!
//! A slot that nobody finishes holds everybody up, and says neither whose it is nor how long. So on a shared ring for
//! many writers each of them stores in its entry where it is about to claim, and then claims by compare-and-swap.
//!
//! * **Whose.** The owner of the unfinished slot at t has t in its entry: it stored that before its claim, and stores
//!   another one only when the slot has its stamp. So may others have that lost the race for it. One of them is alive:
//!   perhaps it is the owner, and the next pass will tell. All are dead: so is the owner.
//! * **How long.** Up to the first b behind t that is the tail, or in some entry, or has a stamp. Whoever stored b had
//!   read it as the tail, so that a slot begins there; and who claimed b has it in its entry until it has its stamp.
//! * **Read in that order**: who is dead, the tail, the entries, the stamps. Then all that is read before b belongs to
//!   the dead.
//!
//! The entry of a dead writer is that evidence. It is free when the slot that it names is finished, or is the tail,
//! where it never came to claim. The one writer of a ring names none: what is unfinished can only be its own.

use super::lock::Locked;
use super::{fences, readers, tickets};
use crate::message_bus::ring::control::{self, CLAIMED, Control, READERS, WRITERS, WriterEntry};
use crate::message_bus::ring::owner::Owner;
use crate::message_bus::ring::position::{ahead, earlier};
use crate::message_bus::ring::slot::{Seen, Slots};
use crate::message_bus::ring::store::Store;
use crate::sync::{AtomicU64, Ordering};

/// Gives back what the dead held, as far as it can be told by now. Whether that was anything.
pub(super) fn heal<S: Store>(locked: &Locked<'_>, store: &S) -> bool {
    debug_assert!(store.is_shared(), "nobody dies before the others");
    let has_died = |word: &AtomicU64| {
        // Acquire: with the owner comes what the entry had before.
        Owner::named_by(word.load(Ordering::Acquire)).is_some_and(|owner| store.has_ended(owner)) // SYNC POINT gate.state
    };
    let readers = give_back_readers(locked, has_died);
    let writers = give_back_writers(locked, store, has_died);
    readers | writers
}

fn give_back_readers(locked: &Locked<'_>, has_died: impl Fn(&AtomicU64) -> bool) -> bool {
    let mut given = readers::give_back(locked);
    for index in (0..READERS).map(control::reader) {
        if has_died(locked.control().reader(index).state()) {
            readers::leave(locked, index);
            tickets::leave(locked.control(), index);
            given = true;
        }
    }
    given
}

fn give_back_writers<S: Store>(locked: &Locked<'_>, store: &S, has_died: impl Fn(&AtomicU64) -> bool) -> bool {
    let (control, slots) = (locked.control(), store.slots());
    let dead = std::array::from_fn(|index| has_died(entry(control, index).state()));
    let one_is_dead = has_died(control.one_writer());
    if !one_is_dead && dead == [false; WRITERS] {
        return false;
    }
    let claims = Claims::look(control, store.capacity(), dead);
    let mut given = fences::bury(locked, slots, |position| one_is_dead || claims.is_of_the_dead(position));
    if one_is_dead {
        bury_all(control, slots, claims.tail);
    } else {
        given |= claims.bury(control, slots);
    }
    for index in (0..WRITERS).filter(|index| dead[*index]) {
        let is_settled = claims.of[index].is_none_or(|position| {
            claims.is_none_at(control, position) || is_finished(slots, position) && !fences::is_known(locked, position)
        });
        if is_settled {
            let entry = entry(control, index);
            // First: whoever has the place next claims elsewhere.
            entry.claim().store(0, Ordering::Relaxed);
            entry.state().store(0, Ordering::Release); // SYNC POINT writer.place
            given = true;
        }
    }
    tickets::make_good(control);
    if one_is_dead {
        // Last: its successor finds all finished.
        control.one_writer().store(0, Ordering::Release); // SYNC POINT writer.place
    }
    given | one_is_dead
}

fn entry(control: Control<'_>, index: usize) -> WriterEntry<'_> {
    control.writer(control::writer(index))
}

/// What the table of writers says of claims.
struct Claims {
    dead: [bool; WRITERS],
    tail: u64,
    of: [Option<u64>; WRITERS],
}

impl Claims {
    fn look(control: Control<'_>, capacity: u64, dead: [bool; WRITERS]) -> Claims {
        // Acquire: whoever has claimed up to there had announced it.
        let tail = control.tail().load(Ordering::Acquire); // SYNC POINT claim.tail
        // No claim is further on than that: a stray tail is not walked up to.
        let tail = earlier(tail, control.gate().load(Ordering::Relaxed).wrapping_add(capacity));
        let of = std::array::from_fn(|index| {
            // Acquire: a writer that is elsewhere has finished where it was.
            let word = entry(control, index).claim().load(Ordering::Acquire); // SYNC POINT claim.announce
            (word & CLAIMED != 0).then_some(word & !CLAIMED)
        });
        Claims { dead, tail, of }
    }

    /// Whether those are dead that may have claimed at `position`.
    fn is_of_the_dead(&self, position: u64) -> bool {
        let mut candidates = (0..WRITERS).filter(|index| self.of[*index] == Some(position)).peekable();
        candidates.peek().is_some() && candidates.all(|index| self.dead[index])
    }

    /// Whether nobody needs the claim at `position`: it is finished long since, or there is none yet.
    fn is_none_at(&self, control: Control<'_>, position: u64) -> bool {
        ahead(position, control.gate().load(Ordering::Relaxed)) < 0 || ahead(position, self.tail) >= 0
    }

    /// Seals what the dead have claimed and not finished. Whether there was anything.
    fn bury(&self, control: Control<'_>, slots: &impl Slots) -> bool {
        let mut buried = false;
        for position in (0..WRITERS).filter(|index| self.dead[*index]).filter_map(|index| self.of[index]) {
            if self.is_none_at(control, position) || is_finished(slots, position) || !self.is_of_the_dead(position) {
                continue;
            }
            let behind = self.of.iter().flatten().copied().filter(|claim| ahead(*claim, position) > 0);
            let end = behind.fold(self.tail, earlier);
            // SAFETY: an unfinished claim, which the gate is not past, under the lock; its owner is dead; and who
            // claimed behind it is at `end`, or further on and has its stamp.
            unsafe { slots.bury(position, end) };
            buried = true;
        }
        buried
    }
}

/// Seals all that a dead writer, the only one of its ring, has claimed up to `tail` and not finished. What nobody can
/// have written stays, for a reader to say so.
fn bury_all(control: Control<'_>, slots: &impl Slots, tail: u64) {
    let mut position = control.gate().load(Ordering::Relaxed);
    while ahead(tail, position) > 0 {
        // SAFETY: from one slot to the next, from the gate on, under the lock.
        position = position.wrapping_add(match unsafe { slots.observe(position) } {
            Seen::Message(header) => slots.slot_len(header.size as usize),
            Seen::Sealed { len, .. } => len,
            Seen::Open { .. } => {
                // SAFETY: as above; the only writer is dead, and this thread has seen the tail that it left.
                match unsafe {
                    slots.bury(position, tail);
                    slots.observe(position)
                } {
                    Seen::Sealed { len, .. } => len,
                    _ => return,
                }
            }
            Seen::Corrupt => return,
        });
    }
}

/// Whether the slot at `position` is finished, which was announced and which the gate is not past.
fn is_finished(slots: &impl Slots, position: u64) -> bool {
    // SAFETY: whoever announced it had read it as the tail; the gate, which stands still, is not past it.
    !matches!(unsafe { slots.observe(position) }, Seen::Open { .. })
}
