//! What a worker does after a panic: it is restarted, or it ends.

use super::supervision::Tried;
use super::{Step, Worker};
use crate::blame::{Blame, Place, caught};
use crate::messenger::lifecycle::Phase;
use crate::messenger::outcome::Cause;
use crate::routing::Roster;
use crate::traits::{Header, MessageBus, Reader, Report, Time, Writer};

impl<B: MessageBus, R: Roster<C>, C> Worker<B, R, C> {
    pub(super) fn panicked(&mut self, text: String) -> Step {
        let handling = std::mem::replace(&mut self.handling, false);
        let mut header = None;
        if let Some(reader) = self.reader.as_mut().filter(|_| handling) {
            // A reader stays on the message whose delivery unwound, and here it is not handled either.
            let _ = reader.try_handle(|found, _| {
                header = Some(*found);
                false
            });
        }
        self.writer.at.blame(text);
        let blames = self.writer.at.blamed();
        self.broken(blames, header)
    }

    /// Restarts the worker after these panics, or else ends it. `header` is the message in hand at the first one.
    #[cold]
    pub(super) fn broken(&mut self, blames: Vec<Blame>, header: Option<Header>) -> Step {
        // What it calls is the user's in places: clock, reports.
        let goes_on = caught(|| self.go_down(&blames, header.as_ref()));
        if goes_on == Ok(true) {
            return Step::Worked;
        }
        if let Err(text) = goes_on {
            self.writer.at.blame(text);
        }
        if let Some(header) = header {
            self.writer.ended_at.set(Some(header.position));
        }
        self.tell(blames, header);
        self.tell(self.writer.at.blamed(), None);
        self.leave();
        Step::Finished
    }

    /// Puts the handlers away, to be made anew after a pause, and the message in hand aside. False if the budget is
    /// used up, or there is none.
    fn go_down(&mut self, blames: &[Blame], header: Option<&Header>) -> bool {
        let (Some(supervision), Some(first)) = (&mut self.supervision, blames.first()) else { return false };
        let writer = &self.writer;
        if self.ending || writer.failed.get() || !supervision.spend(writer.clock()) {
            return false;
        }
        let (Some(letters), Some(reader)) = (writer.letters, &mut self.reader) else { return false };
        // It is the next one still.
        let in_hand = header.map(|header| (header.position, supervision.tries(header.position)));
        if let (Some(header), Some((_, Tried { dead: true, attempts }))) = (header, in_hand)
            && !writer.bury(letters.of_panic(header, attempts, first))
        {
            return false;
        }
        let in_hand = in_hand.map(|(position, tried)| (position, tried.dead));
        if !supervision.history {
            if in_hand.is_some() {
                let _ = reader.skip();
            }
        } else {
            // Its letter may be in the outbox still.
            writer.owes.set(in_hand.is_some_and(|(_, dead)| dead) && writer.outbox.is_pending());
            supervision.again.get_or_insert(in_hand);
        }
        self.started = false;
        self.deadline = None;
        if let Some(handlers) = self.handlers.take() {
            handlers.dismiss(&writer.at);
        }
        writer.at.drop_of(Place::Poller, self.poller.take());
        // The worker outlives these, too, and tells of the first one.
        drop(writer.at.blamed());
        let error = writer.lifecycle.outlived(writer.name, Cause::panicked(first.clone(), header.copied()));
        writer.report(Report::Restarting { worker: writer.name, restarts: supervision.restarts, error });
        true
    }

    /// Brings the reader to where the handlers begin again, if they are to. `Some`: the step ends with that.
    ///
    /// Not before everything is on the bus that they have sent, for what they send again is compared with that; and not
    /// before the letter is, for then their message is passed.
    pub(super) fn begin_again(&mut self) -> Option<Step> {
        let in_hand = self.supervision.as_ref()?.again?;
        let pending = self.writer.outbox.len();
        if !self.writer.flush() {
            let lifecycle = &self.writer.lifecycle;
            let is_late =
                lifecycle.phase() != Phase::Running && self.writer.at.during(Place::Clock, || lifecycle.is_late());
            if is_late {
                self.leave();
                return Some(Step::Finished);
            }
            return Some(if self.writer.outbox.len() == pending { Step::Idle } else { Step::Worked });
        }
        self.supervision.as_mut()?.again = None;
        if self.writer.failed.get() {
            self.writer.ended_at.set(in_hand.map(|(position, _)| position));
            self.leave();
            return Some(Step::Finished);
        }
        // The message comes again.
        self.writer.is_paid();
        let reader = self.reader.as_mut()?;
        if !reader.begin_again(in_hand) {
            let error = "its history is not finished: a writer has not returned for too long".into();
            self.writer.end(Cause::Failed { handler: "Supervisor", error });
            self.leave();
            return Some(Step::Finished);
        }
        if let Some(keeping) = &mut self.keeping {
            keeping.begin_again(reader.begin());
        }
        None
    }

    /// Whether it pauses before a restart. A stop ends the pause.
    pub(super) fn is_down(&mut self) -> bool {
        let Some(until) = self.down() else { return false };
        let running = self.writer.lifecycle.phase() == Phase::Running;
        if running && self.writer.clock() < until {
            return true;
        }
        if let Some(supervision) = &mut self.supervision {
            supervision.down = None;
        }
        false
    }

    pub(super) fn down(&self) -> Option<Time> {
        self.supervision.as_ref().and_then(|supervision| supervision.down)
    }
}
