//! What a worker knows that may be restarted: what is left of its budget, and until when it pauses.

use crate::blame::{Blame, Place};
use crate::messenger::options::Budget;
use crate::routing::Table;
use crate::traits::{DeadLetter, Header, Time};
use std::collections::VecDeque;
use std::time::Duration;

/// The longest pause on a ring, where a worker that pauses gates everybody.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// The budget of a worker, and what became of it.
pub(super) struct Supervision {
    budget: Budget,
    /// The restarts within the budget's time, the oldest first.
    recent: VecDeque<Time>,
    /// All of them.
    pub(super) restarts: u64,
    /// Whether the handlers can be rebuilt.
    pub(super) history: bool,
    /// The message at which they broke last, and how often in a row.
    tried: (u64, u32),
    /// Between a panic and the restart: until when the worker pauses.
    pub(super) down: Option<Time>,
    /// Where there is a history, until the reader has begun again: the message in hand, if any, and whether it is dead.
    pub(super) again: Option<Option<(u64, bool)>>,
}

impl Supervision {
    pub(super) fn new(budget: Budget, history: bool) -> Supervision {
        // Without a history there is nothing to try again with, and a reader that pauses gates everybody.
        let (backoff, attempts) =
            if history { (budget.backoff, budget.attempts) } else { (budget.backoff.min(LONGEST_PAUSE), 0) };
        let (budget, recent) = (Budget { backoff, attempts, ..budget }, VecDeque::new());
        Supervision { budget, recent, restarts: 0, history, tried: (0, 0), down: None, again: None }
    }

    /// The handlers broke at the message at this position.
    pub(super) fn tries(&mut self, position: u64) -> Tried {
        let (before, count) = self.tried;
        let attempts = if before == position { count + 1 } else { 1 };
        self.tried = (position, attempts);
        Tried { attempts, dead: attempts > self.budget.attempts }
    }

    /// Takes one restart out of the budget and begins the pause before it. False if none is left.
    pub(super) fn spend(&mut self, now: Time) -> bool {
        while self.recent.front().is_some_and(|&restart| now.since(restart) >= self.budget.within) {
            self.recent.pop_front();
        }
        if self.recent.len() as u64 >= u64::from(self.budget.restarts) {
            return false;
        }
        self.recent.push_back(now);
        self.restarts += 1;
        self.down = Some(now + self.budget.backoff);
        true
    }
}

/// What becomes of a message at which handlers broke.
#[derive(Clone, Copy)]
pub(super) struct Tried {
    /// How often they did.
    pub(super) attempts: u32,
    /// Whether it is not handled again.
    pub(super) dead: bool,
}

/// What a worker writes its letters with.
#[derive(Clone, Copy)]
pub(super) struct Letters {
    pub(super) worker: &'static str,
    /// Whether its handlers can be rebuilt: then none of them keeps anything of a dead message.
    pub(super) history: bool,
    pub(super) table: &'static Table<'static>,
}

impl Letters {
    /// A letter about a message at which somebody panicked.
    pub(super) fn of_panic(&self, header: &Header, attempts: u32, blame: &Blame) -> DeadLetter {
        let receivers = self.receivers(header);
        let (handler, text, unreached) = match blame.place {
            None => (blame.handler, blame.text.clone(), behind(&receivers, blame.handler)),
            Some(place) => {
                let unreached = match place {
                    Place::Routing | Place::Decoding(_) => receivers,
                    Place::Dropping(_) => Vec::new(),
                    _ => behind(&receivers, blame.handler),
                };
                ("", format!("{place} panicked: {}", blame.text), unreached)
            }
        };
        self.letter(header, attempts, handler, text, &unreached)
    }

    /// A letter about a message that could not be decoded.
    pub(super) fn of_undecodable(&self, header: &Header, text: String) -> DeadLetter {
        self.letter(header, 0, "", text, &self.receivers(header))
    }

    fn letter(
        &self,
        header: &Header,
        attempts: u32,
        handler: &str,
        text: String,
        unreached: &[&'static str],
    ) -> DeadLetter {
        let Header { position, source, message, .. } = *header;
        let unreached = unreached.iter().map(|&name| name.to_owned()).collect();
        let (worker, handler) = (self.worker.to_owned(), handler.to_owned());
        DeadLetter { position, source, message, attempts, worker, handler, text, unreached }
    }

    /// The handlers of this worker that receive such a message, in their order.
    fn receivers(&self, header: &Header) -> Vec<&'static str> {
        if self.history {
            return Vec::new();
        }
        let own = self.table.workers.iter().find(|worker| worker.name == self.worker);
        let mut routes = own.into_iter().flat_map(|worker| worker.routes);
        let route = routes.find(|route| (route.source_id, route.message_id) == (header.source, header.message));
        route.map(|route| route.receivers.to_vec()).unwrap_or_default()
    }
}

/// Those that come after this one.
fn behind(receivers: &[&'static str], handler: &str) -> Vec<&'static str> {
    receivers.iter().skip_while(|&&receiver| receiver != handler).skip(1).copied().collect()
}

#[cfg(all(test, not(rust_messenger_loom)))]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_budget_counts_what_is_within_its_time() {
        let budget = Budget { restarts: 2, within: SECOND, backoff: SECOND / 50, ..Budget::default() };
        let mut supervision = Supervision::new(budget, false);
        let at = |millis| Time::default() + Duration::from_millis(millis);
        assert!(supervision.spend(at(100)));
        assert_eq!(supervision.down, Some(at(120)));
        assert!(supervision.spend(at(200)));
        assert!(!supervision.spend(at(1099)), "two within a second");
        assert!(supervision.spend(at(1100)), "the first one is a second ago");
        assert!(!supervision.spend(at(1199)));
        assert!(supervision.spend(at(1200)));
        assert_eq!(supervision.restarts, 4);
    }

    #[test]
    fn nobody_gates_a_ring_for_long() {
        let mut supervision = Supervision::new(Budget { backoff: 1000 * SECOND, ..Budget::default() }, false);
        assert!(supervision.spend(Time::default()));
        assert_eq!(supervision.down, Some(Time::default() + LONGEST_PAUSE));
    }
}
