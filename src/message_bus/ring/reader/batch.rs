//! Several messages in one call: where the reader is stays in registers until the batch ends, is paused by what is no
//! message, or has read so much that it is to be released.

use super::place::{RingReader, Turn, lent};
use crate::message_bus::ring::position::ahead;
use crate::message_bus::ring::slot::{Seen, Slots};
use crate::message_bus::ring::store::Storage;
use crate::message_bus::wait::WaitStrategy;
use crate::traits::{Header, Next, ReadError};

/// Why a batch leaves its quick way.
enum Paused {
    /// Nothing to be looked at in place.
    Dry,
    /// No message to be looked at in place.
    Before(Seen),
    /// So much was read that it is to be released.
    Full,
    /// No more is wanted.
    End,
}

impl<W: WaitStrategy, S: Storage> RingReader<W, S> {
    /// Hands up to `most` messages to `handle`.
    #[inline(always)]
    pub(super) fn read_batch(
        &mut self,
        most: usize,
        mut handle: impl FnMut(&Header, &[u8]) -> Next,
    ) -> Result<usize, ReadError> {
        // In registers until the batch ends.
        let (mut position, mut handled) = (self.position, 0);
        let mut release_at = self.released.wrapping_add(self.batch);
        let (mut copied, mut ended) = (None, Ok(()));
        loop {
            let paused = {
                // One comparison for both: is there one more to handle, and does this reader look at it in place?
                let in_place = match self.turn {
                    Turn::Gating | Turn::Held => most,
                    _ => match self.in_place_otherwise(most, handled) {
                        Ok(most) => most,
                        Err(error) => {
                            ended = Err(error);
                            break;
                        }
                    },
                };
                let (store, index) = (&self.shared.store, self.index);
                // SAFETY: it looks where a slot begins; the cursor that the gate goes by is `released`, not past it.
                let look = unsafe { store.slots().looker() };
                loop {
                    let (slot, header) = match copied.take() {
                        Some(header) => (None, header),
                        None if handled < in_place => match look(position) {
                            (Some(slot), Seen::Message(header)) => (Some(slot), header),
                            (_, Seen::Open { .. }) => break Paused::Dry,
                            (_, seen) => break Paused::Before(seen),
                        },
                        None if handled < most => break Paused::Before(Seen::Open { pending: false }),
                        None => break Paused::End,
                    };
                    debug_assert!(slot.is_none() || ahead(position, self.released) >= 0);
                    store.delivering(index, position);
                    let unwound = PutBack { place: &mut self.position, position, count: &mut self.handled, handled };
                    // SAFETY: it was found at this reader's position, which stays there until it has been stepped over.
                    let next = handle(&header, &unsafe { lent(store, slot, &self.copy, &header) });
                    std::mem::forget(unwound);
                    store.delivered(index);
                    if next == Next::Keep {
                        break Paused::End;
                    }
                    handled += 1;
                    position = position.wrapping_add(store.slots().slot_len(header.size as usize));
                    if next == Next::Stop {
                        break Paused::End;
                    }
                    if ahead(position, release_at) >= 0 {
                        break Paused::Full;
                    }
                }
            };
            self.position = position;
            match paused {
                Paused::End => break,
                Paused::Full => self.release_batch(),
                // One call: a reader that keeps up comes here after each message.
                Paused::Dry => {
                    ended = Err(self.nothing());
                    break;
                }
                Paused::Before(seen) => match self.look_further(seen) {
                    Ok(found) => copied = found,
                    Err(error) => {
                        ended = Err(error);
                        break;
                    }
                },
            }
            (position, release_at) = (self.position, self.released.wrapping_add(self.batch));
        }
        self.handled += handled as u64;
        self.step_over(0);
        ended.map(|()| handled)
    }

    /// As many messages as are looked at in place where that is not just all of them. `handled` are not counted yet.
    #[inline]
    fn in_place_otherwise(&self, most: usize, handled: usize) -> Result<usize, ReadError> {
        if self.turn.is_attached() && !self.is_here(handled) {
            return Err(ReadError::Forked);
        }
        Ok(if self.turn == Turn::Attached { most } else { 0 })
    }

    /// Where there is no message to be looked at in place: copies an evictable reader's, or steps over what is none.
    #[cold]
    #[inline(never)]
    fn look_further(&mut self, seen: Seen) -> Result<Option<Header>, ReadError> {
        match self.kind {
            Turn::Evictable => self.copy_next().map(Some),
            Turn::Full => Err(self.full()),
            Turn::Gating | Turn::Held | Turn::Attached | Turn::AttachedOtherwise => {
                self.step_over_no_message(seen).map(|()| None)
            }
        }
    }
}

/// Tells a reader where it is in its batch when a message's handling unwinds.
struct PutBack<'a> {
    place: &'a mut u64,
    position: u64,
    count: &'a mut u64,
    handled: usize,
}

impl Drop for PutBack<'_> {
    fn drop(&mut self) {
        *self.place = self.position;
        *self.count += self.handled as u64;
    }
}
