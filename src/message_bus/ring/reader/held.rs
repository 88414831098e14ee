//! Held readers: what they have read stays until they say so, up to a window.

use super::place::{RingReader, Turn, turn_of};
use crate::message_bus::ring::position::ahead;
use crate::message_bus::ring::slot::{Seen, Slots};
use crate::message_bus::ring::store::Storage;
use crate::message_bus::wait::WaitStrategy;
use crate::traits::{CursorError, ReadError};

impl<W: WaitStrategy, S: Storage> RingReader<W, S> {
    /// Lets go of everything before `position`.
    pub(super) fn let_go_to(&mut self, position: u64) -> Result<(), CursorError> {
        self.check_read(position)?;
        // Again what is released already: that lets go of nothing.
        if ahead(position, self.released) > 0 {
            self.let_go(position);
            self.look_at_window();
        }
        Ok(())
    }

    /// Reads again from `position` on.
    pub(super) fn go_back_to(&mut self, position: u64) -> Result<(), CursorError> {
        self.check_read(position)?;
        if ahead(self.released, position) > 0 {
            return Err(CursorError::NotRetained { asked: position, oldest: self.released });
        }
        self.position = position;
        self.look_at_window();
        Ok(())
    }

    /// Whether a held reader holds as much as it may.
    pub(super) fn look_at_window(&mut self) {
        if self.kind.is_held() {
            let is_full = self.position.wrapping_sub(self.released) >= self.batch;
            self.kind = if is_full { Turn::Full } else { Turn::Held };
            self.turn = turn_of(&self.shared.store, self.kind);
        }
    }

    /// Whether a held reader has come by the beginning of a slot at `position`, or has released it.
    fn check_read(&self, position: u64) -> Result<(), CursorError> {
        if !self.kind.is_held() {
            return Err(CursorError::NotHeld);
        }
        if self.is_away() {
            return Err(CursorError::Forked);
        }
        let mut place = self.released;
        while ahead(position, place) > 0 && ahead(self.position, place) > 0 {
            let slots = self.shared.store.slots();
            // SAFETY: from one slot to the next, from `released` on, which the gate goes by; it came by all of these.
            place = place.wrapping_add(match unsafe { slots.observe(place) } {
                Seen::Message(header) => slots.slot_len(header.size as usize),
                Seen::Sealed { len, .. } => len,
                Seen::Open { .. } | Seen::Corrupt => break,
            });
        }
        let is_read = place == position || ahead(self.released, position) > 0;
        if is_read { Ok(()) } else { Err(CursorError::NoSuchPosition { asked: position }) }
    }

    /// Why a held reader with a full window reads nothing: there may be nothing, either.
    pub(super) fn full(&mut self) -> ReadError {
        if self.is_at_tail() { self.nothing() } else { ReadError::WindowFull }
    }
}
