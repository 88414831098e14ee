//! What is in the stream is let go, and nothing else.

use super::outgoing::Out;
use crate::connection::lock;
use crate::error::BridgeError;
use crate::protocol::Kind;
use rust_messenger::traits::{MessageBus, Reader};
use std::collections::VecDeque;

impl<B: MessageBus> Out<B> {
    /// All up to the message at `position` is in the stream.
    pub(super) fn release(&mut self, position: u64) -> Result<(), BridgeError> {
        self.last_acknowledged = Some(position);
        self.purge_later();
        lock(&self.stats).stalled_since = None;
        while let Some(message) = pop_if(&mut self.unacknowledged, |message| message <= position) {
            lock(&self.stats).acknowledged += 1;
            self.kept.push_back(message);
        }
        let mut release = None;
        // The last of them stays, so that a later start finds it where its cursor is.
        while let Some(message) = pop_if(&mut self.kept, |message| position - message >= self.options.kept) {
            release = Some(message);
        }
        release.map_or(Ok(()), |message| self.release_to(message))
    }

    /// Nothing is on its way: what was read since and nobody elsewhere receives is no reason to hold a ring.
    pub(super) fn let_go(&mut self) -> Result<(), BridgeError> {
        let position = self.reader.as_ref().map_or(self.released, Reader::position);
        let is_far = self.kept.back().is_none_or(|message| position - *message > self.options.kept);
        if self.options.kind == Kind::Journal || position == self.released || !is_far {
            return Ok(());
        }
        self.kept.clear();
        self.release_to(position)
    }

    fn release_to(&mut self, position: u64) -> Result<(), BridgeError> {
        self.released = position;
        let reader = self.reader.as_mut();
        reader.map_or(Ok(()), |reader| reader.release_to(position)).map_err(BridgeError::Release)
    }
}

fn pop_if(queue: &mut VecDeque<u64>, may: impl FnOnce(u64) -> bool) -> Option<u64> {
    if queue.front().is_some_and(|first| may(*first)) { queue.pop_front() } else { None }
}
