//! What a simulated worker keeps back while the bus is full: whether it is sent first, and in its turn.

/// The outbox of a worker, as its bus sees it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kept {
    /// Since which step something is in it.
    since: Option<u32>,
    /// Whether the worker has queued up.
    has_ticket: bool,
    /// In which step it has last written, or tried to.
    tried: u32,
}

impl Kept {
    pub(super) fn record(&mut self, bytes: usize, step: u32) {
        if bytes > 0 {
            self.since.get_or_insert(step);
        }
    }

    pub(super) fn take_ticket(&mut self, step: u32) {
        self.has_ticket = true;
        self.since.get_or_insert(step);
    }

    /// Nothing is left in it, or it queues up anew.
    pub(super) fn give_up_ticket(&mut self) {
        (self.has_ticket, self.since) = (false, None);
    }

    pub(super) fn try_to_write(&mut self, step: u32) {
        self.tried = step;
    }

    /// Whether a message that is handed to the worker now comes before what it has kept back.
    pub(super) fn is_passed_over(&self, step: u32) -> bool {
        self.tried != step && self.since.is_some_and(|since| since < step)
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
        kept.record(0, 1);
        assert!(!kept.is_passed_over(2), "nothing is still nothing");
        kept.record(32, 2);
        assert!(kept.waits_for_nothing(), "it has to queue up");
        kept.take_ticket(2);
        assert!(!kept.waits_for_nothing() && !kept.is_passed_over(2), "it came up in this step");
        assert!(kept.is_passed_over(3));
        kept.try_to_write(3);
        assert!(!kept.is_passed_over(3) && kept.is_passed_over(4));
        kept.give_up_ticket();
        assert!(!kept.is_passed_over(5) && !kept.waits_for_nothing());
    }
}
