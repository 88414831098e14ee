//! Who empties the stream: its writer, of what all receivers have.
//!
//! The message at the lowest acknowledgement stays, for a receiver that starts looks there at how far it had come; and so
//! does the stream's last one, which says where the writer goes on.

use super::outgoing::{Out, State};
use crate::connection::lock;
use rust_messenger::traits::MessageBus;
use std::time::{Duration, Instant};

/// How long it lets acknowledgements come together.
const LATER: Duration = Duration::from_secs(1);

impl<B: MessageBus> Out<B> {
    /// Something went into the stream that receivers will have.
    pub(super) fn purge_later(&mut self) {
        if self.purge_at.is_none() {
            self.purge_soon(LATER);
        }
    }

    pub(super) fn purge_soon(&mut self, after: Duration) {
        if !self.options.receivers.is_empty() {
            self.purge_at = Some(Instant::now() + after);
        }
    }

    /// Removes what all receivers have, if it is time for that.
    pub(super) fn purge(&mut self) {
        let State::Running(since) = self.state else { return };
        if self.purge_at.is_none_or(|at| Instant::now() < at) {
            return;
        }
        let purged = self.connection.run(self.stream.purge());
        // The server was asked something else meanwhile: it is no less alive for that.
        let lately = Instant::now().checked_sub(self.options.patience / 2);
        self.state = State::Running(lately.map_or(since, |lately| since.max(lately)));
        self.purge_at = None;
        lock(&self.stats).floors_asked += 1;
        match purged {
            Some(purge) => {
                let mut stats = lock(&self.stats);
                stats.purged = stats.purged.max(purge.before);
                drop(stats);
                if !purge.is_all {
                    self.purge_soon(LATER);
                }
            }
            None => self.purge_soon(LATER),
        }
    }
}
