//! How a worker's handlers are made and started, and what becomes of it where they cannot be.

use super::keeping::can_keep;
use super::poller::{Bedside, FindPoller};
use super::{Step, Worker};
use crate::blame::{Blame, Place};
use crate::messenger::lifecycle::{Making, Phase};
use crate::messenger::outcome::{Cause, StartError};
use crate::routing::{Roster, Visit};
use crate::traits::{Handler, MessageBus, Reader, Writer};
use std::sync::Arc;

impl<B: MessageBus, R: Roster<C>, C> Worker<B, R, C> {
    /// Makes the handlers. False if they could not be made: the worker has left, or pauses before it tries again.
    pub(super) fn make_handlers(&mut self) -> bool {
        let Some(config) = &self.config else { return false };
        // Kept before they are called: if one of them panics they are still dropped one by one.
        self.handlers = R::new(config, &self.writer, &self.writer.at);
        if self.handlers.is_none() {
            self.not_made();
            return false;
        }
        let may_start = |handlers: &mut R| self.keeping.is_none() || can_keep(handlers, &self.writer);
        if !self.handlers.as_mut().is_some_and(may_start) {
            self.leave();
            return false;
        }
        if !std::mem::replace(&mut self.made, true) {
            self.writer.lifecycle.made();
        }
        true
    }

    /// What becomes of a worker whose handlers could not be made.
    fn not_made(&mut self) {
        let mut blames = self.writer.at.blamed();
        if let Some((handler, error)) = self.writer.at.refusal() {
            if !self.made {
                let worker = self.writer.name;
                self.writer.lifecycle.refuse(StartError::Handler { worker, handler, error });
                self.tell(blames, None);
                return self.leave();
            }
            // All have started long ago.
            blames.push(Blame { handler, place: None, text: error.to_string() });
        }
        self.broken(blames, None);
    }

    /// Makes the handlers, and starts them once those of all workers are made.
    pub(super) fn start(&mut self) -> Step {
        if self.is_down() {
            // Others wait for what is in the outbox.
            self.writer.flush();
            return Step::Idle;
        }
        if let Some(step) = self.begin_again() {
            return step;
        }
        let makes = self.handlers.is_none();
        if makes && !self.make_handlers() {
            return if self.finished { Step::Finished } else { Step::Worked };
        }
        let lifecycle = &self.writer.lifecycle;
        let is_late =
            || lifecycle.phase() != Phase::Running && self.writer.at.during(Place::Clock, || lifecycle.is_late());
        match lifecycle.making() {
            Making::Done => {}
            Making::Going if !is_late() => return if makes { Step::Worked } else { Step::Idle },
            Making::Going | Making::Refused => {
                self.leave();
                return Step::Finished;
            }
        }
        self.started = true;
        if !self.writer.failed.get() && self.start_handlers().is_none() {
            self.leave();
            return Step::Finished;
        }
        Step::Worked
    }

    /// Starts the handlers, and brings them to where the reader begins. `None` if they had to be made once more, and
    /// could not be.
    fn start_handlers(&mut self) -> Option<()> {
        loop {
            let (handlers, reader) = (self.handlers.as_mut()?, self.reader.as_mut()?);
            handlers.visit(&mut OnStart(&self.writer), &self.writer.at);
            let Some(keeping) = &mut self.keeping else { break };
            let Err(refusal) = keeping.load(handlers, reader, &self.writer) else { break };
            let Some(begin) = reader.begin_instead(refusal.why()) else {
                refusal.end(&self.writer)?;
                break;
            };
            // What half a state has left in them nobody knows.
            keeping.begin = begin;
            self.let_go = reader.position();
            self.make_anew()?;
        }
        let mut found = None;
        self.handlers.as_mut()?.visit(&mut FindPoller { found: &mut found, writer: &self.writer }, &self.writer.at);
        self.poller = found.map(|(_, poller)| Arc::new(Bedside::new(poller, &self.writer)));
        if self.poller.is_some() && self.keeping.is_some() {
            let error = "it waits in a poller since it was started, and snapshots of its worker are wanted".into();
            self.writer.end(Cause::Failed { handler: self.writer.at.handler(), error });
        }
        Some(())
    }

    /// Makes the handlers once more, in place of those that there are.
    fn make_anew(&mut self) -> Option<()> {
        let at = &self.writer.at;
        self.handlers.take()?.dismiss(at);
        self.handlers = R::new(self.config.as_ref()?, &self.writer, at);
        if let Some((handler, error)) = at.refusal() {
            self.writer.end(Cause::Failed { handler, error });
        }
        self.handlers.is_some().then_some(())
    }
}

struct OnStart<'a, W>(&'a W);

impl<W: Writer> Visit for OnStart<'_, W> {
    fn handler<H: Handler>(&mut self, handler: &mut H) {
        handler.on_start(self.0);
    }
}
