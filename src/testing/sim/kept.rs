//! What a simulated worker keeps back while the bus is full: whether it is sent first, in its turn, and before a stop
//! ends; and whether the worker takes on more meanwhile than it must.

/// The outbox of a worker, as its bus sees it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kept {
    /// How many messages are in it.
    pending: u32,
    /// For how many of them the worker has queued up.
    covered: u32,
    /// How many of them were there when its node began to stop, or when the worker noticed.
    at_stop: u32,
    noticed_stop: bool,
    /// Since which step it has something in it that has not queued up anew.
    since: Option<u32>,
    has_ticket: bool,
    /// In which step the worker has last written, or tried to.
    tried: u32,
    /// In which step it was last told that no reader stands behind it.
    slowest: u32,
}

impl Kept {
    pub(super) fn record(&mut self, step: u32) {
        self.pending += 1;
        self.since.get_or_insert(step);
    }

    pub(super) fn take_ticket(&mut self, step: u32) {
        (self.has_ticket, self.covered) = (true, self.pending);
        self.since.get_or_insert(step);
    }

    /// Nothing is left in it, or it queues up anew.
    pub(super) fn give_up_ticket(&mut self) {
        (self.has_ticket, self.since) = (false, None);
    }

    pub(super) fn try_to_write(&mut self, step: u32) {
        self.tried = step;
    }

    pub(super) fn is_pending(&self) -> bool {
        self.pending > 0
    }

    /// A write has succeeded. While something is kept back, only that is written: false if it was not its turn.
    pub(super) fn wrote(&mut self) -> bool {
        if self.pending == 0 {
            return true;
        }
        let is_covered = self.covered > 0;
        self.pending -= 1;
        self.covered = self.covered.saturating_sub(1);
        self.at_stop = self.at_stop.saturating_sub(1);
        is_covered
    }

    pub(super) fn is_slowest(&mut self, step: u32) {
        self.slowest = step;
    }

    /// Its node begins to stop.
    pub(super) fn stop(&mut self) {
        self.at_stop = self.pending;
    }

    /// The worker moves for the first time since then.
    pub(super) fn notice_stop(&mut self) {
        if !std::mem::replace(&mut self.noticed_stop, true) {
            self.stop();
        }
    }

    /// Whether something is left of what was there when the stop began.
    pub(super) fn outlasts_stop(&self) -> bool {
        self.at_stop > 0
    }

    /// Whether something has been in it since before this step.
    fn is_old(&self, step: u32) -> bool {
        self.since.is_some_and(|since| since < step)
    }

    /// Whether a message that is handed to the worker now comes before what it has kept back.
    pub(super) fn is_passed_over(&self, step: u32) -> bool {
        self.tried != step && self.is_old(step)
    }

    /// Whether a message that is handed to the worker now could wait, for somebody else holds the bus back.
    pub(super) fn could_wait(&self, step: u32) -> bool {
        self.slowest != step && self.is_old(step)
    }

    /// Whether something waits in it, and for no turn.
    pub(super) fn waits_for_nothing(&self) -> bool {
        self.since.is_some() && !self.has_ticket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_back_is_tried_first_in_each_later_step() {
        let mut kept = Kept::default();
        assert!(!kept.is_passed_over(1) && !kept.waits_for_nothing(), "nothing is kept");
        kept.record(2);
        assert!(kept.waits_for_nothing(), "it has to queue up");
        kept.take_ticket(2);
        assert!(!kept.waits_for_nothing() && !kept.is_passed_over(2), "it came up in this step");
        assert!(kept.is_passed_over(3));
        kept.try_to_write(3);
        assert!(!kept.is_passed_over(3) && kept.is_passed_over(4));
        kept.give_up_ticket();
        assert!(!kept.is_passed_over(5) && !kept.waits_for_nothing());
    }

    #[test]
    fn who_keeps_something_back_takes_on_more_as_the_slowest_only() {
        let mut kept = Kept::default();
        assert!(!kept.could_wait(1), "nothing is kept");
        kept.record(1);
        assert!(!kept.could_wait(1) && kept.could_wait(2));
        kept.is_slowest(2);
        assert!(!kept.could_wait(2) && kept.could_wait(3));
    }

    #[test]
    fn each_message_has_queued_up_before_it_is_sent() {
        let mut kept = Kept::default();
        assert!(kept.wrote(), "nothing is kept back");
        kept.record(1);
        kept.take_ticket(1);
        kept.record(1);
        assert!(kept.wrote(), "the ticket is the first one's");
        assert!(!{ kept }.wrote(), "and not that of the second one");
        kept.give_up_ticket();
        kept.take_ticket(2);
        assert!(kept.wrote());
    }

    #[test]
    fn a_stop_waits_for_what_was_there_when_it_began() {
        let mut kept = Kept::default();
        kept.record(1);
        kept.take_ticket(1);
        kept.stop();
        kept.record(1);
        assert!(kept.outlasts_stop());
        kept.wrote();
        assert!(!kept.outlasts_stop(), "the other one came later");
    }
}
