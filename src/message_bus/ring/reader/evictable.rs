//! Evictable readers: they hold nobody up. Each message is copied while it is pinned; what was overwritten before is
//! told as lost.

use super::place::RingReader;
use crate::message_bus::ring::gate::evict::Pin;
use crate::message_bus::ring::slot::{Seen, Slots};
use crate::message_bus::ring::store::Storage;
use crate::message_bus::wait::WaitStrategy;
use crate::traits::{Header, ReadError};

impl<W: WaitStrategy, S: Storage> RingReader<W, S> {
    /// Whether an evictable reader has a message, or was moved.
    pub(super) fn ready_or_moved(&self) -> bool {
        if self.copied().is_some() {
            return true;
        }
        match self.shared.gate().pin(self.index, self.position) {
            Pin::Pinned => {
                // SAFETY: the reader stands at a slot, and has pinned it.
                let seen = unsafe { self.shared.store.slots().observe(self.position) };
                self.shared.gate().unpin(self.index, self.position);
                !matches!(seen, Seen::Open { .. })
            }
            // It will have been moved in a moment, unless whoever moves it stands still.
            Pin::Busy if self.shared.store.is_shared() => {
                self.shared.store.miss();
                false
            }
            Pin::Busy => true,
            Pin::Moved(_) => true,
        }
    }

    /// The evictable reader's next message, if it has copied that already: it was not handled then.
    pub(super) fn copied(&self) -> Option<Header> {
        self.copied.filter(|header| header.position == self.position)
    }

    /// Copies an evictable reader's next message while it is pinned, and steps the shared cursor over it: nobody can
    /// take the copy away.
    pub(super) fn copy_next(&mut self) -> Result<Header, ReadError> {
        if let Some(header) = self.copied() {
            return Ok(header);
        }
        loop {
            let shared = &self.shared;
            match shared.gate().pin(self.index, self.position) {
                Pin::Pinned => {}
                Pin::Busy => return Err(ReadError::Empty),
                Pin::Moved(position) => {
                    self.position = position;
                    let losses = shared.gate().losses(self.index);
                    match losses.wrapping_sub(std::mem::replace(&mut self.losses, losses)) {
                        0 => continue,
                        lost => return Err(ReadError::Lagged(lost)),
                    }
                }
            }
            // SAFETY: the reader stands at a slot, and has pinned it.
            let seen = unsafe { shared.store.slots().observe(self.position) };
            let len = match seen {
                Seen::Message(header) => {
                    self.copy.clear();
                    // SAFETY: it was seen here, and is pinned still.
                    self.copy.extend_from_slice(&unsafe { shared.store.slots().payload(&header) });
                    shared.store.slots().slot_len(header.size as usize)
                }
                Seen::Sealed { len, .. } => len,
                Seen::Open { .. } => 0,
                Seen::Corrupt => {
                    shared.gate().unpin(self.index, self.position);
                    return Err(ReadError::Corrupt { position: self.position });
                }
            };
            let next = self.position.wrapping_add(len);
            shared.gate().unpin(self.index, next);
            // Sooner than a writer that found this slot pinned looks again by itself.
            shared.notify_room();
            match seen {
                Seen::Message(header) => {
                    (self.copied, self.released) = (Some(header), self.position);
                    return Ok(header);
                }
                Seen::Sealed { .. } => self.position = next,
                Seen::Open { .. } | Seen::Corrupt => return Err(self.nothing()),
            }
        }
    }
}
