//! How much was asked for and has not come.

use crate::protocol::Limits;
use std::time::{Duration, Instant};

/// How long the server keeps a request that it has no messages for, and so how long one that nobody listens to any more
/// may take what another one waits for.
pub(super) const EXPIRES: Duration = Duration::from_secs(5);

/// Asks for half of what is allowed whenever half of it is there. The server serves several requests in turns, so what
/// comes belongs to none of them: it is counted over all.
#[derive(Debug)]
pub(super) struct Credit {
    half: Limits,
    outstanding: usize,
    /// When it last asked, and so when the server has forgotten all requests.
    asked: Option<Instant>,
}

impl Credit {
    pub(super) fn new(limits: Limits) -> Credit {
        let half = Limits { messages: (limits.messages / 2).max(1), bytes: limits.bytes / 2 };
        Credit { half, outstanding: 0, asked: None }
    }

    /// What to ask for now.
    pub(super) fn ask(&mut self, now: Instant) -> Option<Limits> {
        let is_forgotten = self.asked.is_some_and(|asked| now.duration_since(asked) > EXPIRES + EXPIRES / 2);
        if is_forgotten {
            self.outstanding = 0;
        }
        if self.outstanding > self.half.messages {
            return None;
        }
        self.outstanding += self.half.messages;
        self.asked = Some(now);
        Some(self.half)
    }

    /// A message has come.
    pub(super) fn came(&mut self) {
        self.outstanding = self.outstanding.saturating_sub(1);
    }

    /// A request has ended, with so many messages that did not come; `None`: the server does not say.
    pub(super) fn ended(&mut self, missing: Option<usize>) {
        self.outstanding = missing.map_or(0, |missing| self.outstanding.saturating_sub(missing));
    }

    /// The connection broke: nothing of it comes any more.
    pub(super) fn forget(&mut self) {
        (self.outstanding, self.asked) = (0, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_outstanding_is_bounded_and_asked_for_by_halves() {
        let (mut credit, now) = (Credit::new(Limits { messages: 4, bytes: 100 }), Instant::now());
        let half = Some(Limits { messages: 2, bytes: 50 });
        assert_eq!([credit.ask(now), credit.ask(now), credit.ask(now)], [half, half, None]);
        credit.came();
        assert_eq!(credit.ask(now), None);
        credit.came();
        assert_eq!([credit.ask(now), credit.ask(now)], [half, None]);
        // The server ran out of time, or of bytes, for the rest of one.
        credit.ended(Some(2));
        assert_eq!([credit.ask(now), credit.ask(now)], [half, None]);
        credit.forget();
        assert_eq!([credit.ask(now), credit.ask(now), credit.ask(now)], [half, half, None]);
    }

    #[test]
    fn what_was_asked_for_long_ago_is_asked_for_again() {
        let (mut credit, now) = (Credit::new(Limits { messages: 1, bytes: 1 }), Instant::now());
        assert!(credit.ask(now).is_some() && credit.ask(now).is_some() && credit.ask(now).is_none());
        assert!(credit.ask(now + 2 * EXPIRES).is_some());
    }
}
