//! A reader for threads outside of a messenger, which holds nobody back.

use super::lifecycle::Lifecycle;
use crate::traits::{Header, MessageBus, ReadError, Reader};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Sees what is on the bus, from a thread outside the messenger: [`Messenger::tap`](crate::messenger::Messenger::tap)
/// makes it.
///
/// It is an evictable reader: nobody waits for it. When it is the one that makes the bus full, the bus moves it on, and
/// it says how many messages it missed ([`ReadError::Lagged`]). A journal is never full: there only retention moves it
/// on.
///
/// It sees every message claimed since it was made, whoever sent it, whether the table routes it or not. After a stop
/// it goes on: what was written before, and what the workers send while they drain. When they have ended and it has
/// read everything, it says [`ReadError::Closed`]. If the messenger never ran, that is at once.
///
/// As an iterator it waits for each message, and yields a copy: `Ok((header, payload))`, or
/// `Err(`[`ReadError::Lagged`]`)` where it was moved on. It ends where a read says `Closed`; on a messenger that nobody
/// stops it does not end.
pub struct Tap<B: MessageBus> {
    pub(super) reader: B::Reader,
    pub(super) lifecycle: Arc<Lifecycle<B>>,
}

impl<B: MessageBus> Tap<B> {
    /// Passes the next message to `read`, and waits for one, for `timeout` at most: not at all for zero, and without a
    /// limit for [`Duration::MAX`]. Returns what `read` returned. If `read` panics, the message stays the next one.
    ///
    /// # Errors
    ///
    /// [`ReadError::Empty`]: none came in time. [`ReadError::Lagged`]: the bus moved it on past so many messages; the
    /// next call goes on from there. [`ReadError::Closed`]: there will be none any more.
    pub fn read_timeout<R>(
        &mut self,
        timeout: Duration,
        read: impl FnOnce(&Header, &[u8]) -> R,
    ) -> Result<R, ReadError> {
        let mut read = Some(read);
        // Called once: a read that calls it succeeds, and only one that did not is repeated.
        let mut once = |header: &Header, payload: &[u8]| read.take().map(|read| read(header, payload));
        let mut deadline = None;
        loop {
            match self.try_read(&mut once) {
                Err(ReadError::Empty) => {}
                done => return done.and_then(|done| done.ok_or(ReadError::Empty)),
            }
            let now = Instant::now();
            let deadline = *deadline.get_or_insert_with(|| now.checked_add(timeout));
            let left = deadline.map(|deadline| deadline.saturating_duration_since(now));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(ReadError::Empty);
            }
            self.reader.wait(left);
        }
    }

    /// The bus is closed at the stop, before the workers drain: until they have left, more may come.
    pub(super) fn try_read<R>(&mut self, mut read: impl FnMut(&Header, &[u8]) -> R) -> Result<R, ReadError> {
        match self.reader.try_read(&mut read) {
            // Once more: the last one may have written since, before it left.
            Err(ReadError::Closed) if self.lifecycle.is_over() => self.reader.try_read(read),
            Err(ReadError::Closed) => Err(ReadError::Empty),
            done => done,
        }
    }
}

impl<B: MessageBus> Iterator for Tap<B> {
    type Item = Result<(Header, Vec<u8>), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.read_timeout(Duration::MAX, |header, payload| (*header, payload.to_vec())) {
            Err(ReadError::Closed) => None,
            seen => Some(seen),
        }
    }
}

impl<B: MessageBus> fmt::Debug for Tap<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap").field("position", &self.reader.position()).finish_non_exhaustive()
    }
}
