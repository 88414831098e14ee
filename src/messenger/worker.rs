//! One worker: its handlers, its reader, its writer with the outbox, and [`Drive::step`], which moves them on.
//!
//! A worker is a plain value. A thread of its own is one way to drive it; one thread that steps all of them is another.
//!
//! # A worker that writes while the ring is full
//!
//! It must not wait: it may itself be the slowest reader, and the message in its handler's hands keeps its cursor where
//! it is. Its message goes to its **outbox**, private memory that is flushed in order before anything else. While the
//! outbox is not empty the worker takes new input only if no reader stands behind it, and runs no `on_loop`. Outboxes
//! flush in the order in which they became pending: a worker writes to the ring only while no older ticket is pending,
//! and a ticket covers what was in the outbox when it was taken, so that one that never runs dry cannot starve the
//! others. So the slowest reader can always move, no cycle of workers deadlocks, and an outbox holds little more than
//! what its handlers emit for one ring of input. A loop that emits more than it takes fits in no memory; it ends at the
//! outbox's limit, in an error that names the worker.

use super::lifecycle::{Lifecycle, Phase, is_past};
use super::options::Budget;
use super::outbox::Outbox;
use super::outcome::Cause;
use crate::blame::{At, Blame, Place, caught};
use crate::routing::{Roster, Rows, Table, Visit};
use crate::traits::{
    BusWriter, Due, Handler, Header, Interest, Message, MessageBus, Next, Poller, ReadError, Reader, Report, State,
    Time, Unread, Writer,
};
use keeping::Keeping;
use loops::{LoopWriter, OnLoop, WriteDues};
use pinning::pin_to;
use poller::{Bedside, FindPoller};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;
use supervision::{Letters, Supervision};
use timers::Timers;
use unrouted::Unrouted;
use writer::WorkerWriter;

mod drive;
mod keeping;
mod loops;
mod making;
mod pinning;
mod poller;
mod restart;
mod supervision;
mod timers;
mod unrouted;
mod writer;

pub use drive::{Drive, Step};

/// At most so many messages in a step, so that stop and timers are looked at.
const BATCH: usize = 256;

/// What a worker did with the messages that were there.
#[derive(Default)]
struct Taken {
    handled: usize,
    /// A deadline has come.
    due: bool,
    /// Room was made, for there was nothing more to read.
    let_go: bool,
}

/// One worker of a routing table on a bus.
pub(super) struct Worker<B: MessageBus, R: Roster<C>, C> {
    /// Ends, with the subscription, when the worker does.
    reader: Option<B::Reader>,
    writer: WorkerWriter<B>,
    /// Made in the first step.
    handlers: Option<R>,
    /// Whether the others wait no longer for this worker to make them.
    made: bool,
    /// Whether they were started: not before those of all workers are made.
    started: bool,
    /// Until the worker ends.
    config: Option<C>,
    /// Where to sleep, if a handler waits for more than messages.
    poller: Option<Arc<Bedside<B>>>,
    /// In the first worker of the messenger: what looks at messages that no worker takes.
    unrouted: Option<Unrouted>,
    /// The earliest deadline of the handlers.
    deadline: Option<Time>,
    /// Where the reader stood when there was last nothing to handle: everything before it was let go of.
    let_go: u64,
    /// Whether the end of the drain waits for this worker no longer.
    acknowledged: bool,
    /// How much it had written when it saw the end of the drain.
    written_at_end: Option<u64>,
    /// If snapshots of its handlers are kept.
    keeping: Option<Box<Keeping>>,
    /// If it may be restarted.
    supervision: Option<Box<Supervision>>,
    /// Whether a message is in a handler's hands: what a panic is blamed on.
    handling: bool,
    /// Whether it has handled its last message: nothing restarts it any more.
    ending: bool,
    finished: bool,
}

/// What a worker needs that may be restarted.
#[derive(Clone, Copy)]
pub(super) struct Restart {
    pub(super) budget: Budget,
    /// Whether its handlers can be rebuilt.
    pub(super) history: bool,
    pub(super) table: &'static Table<'static>,
}

/// All that a worker needs and that may travel to its thread.
pub(super) struct Seed<B: MessageBus, C> {
    pub(super) name: &'static str,
    pub(super) reader: B::Reader,
    /// `None` on a bus for one writer, if this worker is not the one.
    pub(super) writer: Option<B::BusWriter>,
    pub(super) config: C,
    /// The table's, if this is its first worker.
    pub(super) rows: Option<&'static Rows>,
    pub(super) restart: Option<Restart>,
    pub(super) lifecycle: Arc<Lifecycle<B>>,
}

impl<B: MessageBus, R: Roster<C>, C> Worker<B, R, C> {
    pub(super) fn new(seed: Seed<B, C>) -> Self {
        let Seed { name, mut reader, writer, config, rows, restart, lifecycle } = seed;
        let (at, outbox, rebuilds) = (At::default(), Outbox::default(), reader.rebuilds());
        let keeping = reader.begin().map(|begin| Box::new(Keeping::new(begin)));
        Worker {
            let_go: reader.position(),
            reader: Some(reader),
            writer: WorkerWriter {
                name,
                writer,
                outbox,
                failed: Cell::new(false),
                owes: Cell::new(false),
                stays: Cell::new(false),
                ended_at: Cell::new(None),
                refused: Cell::new(None),
                timers: Timers::new(R::DUE),
                rebuilds,
                sent_in_loop: RefCell::default(),
                at,
                letters: restart.map(|Restart { history, table, .. }| Letters { worker: name, history, table }),
                undecodable: RefCell::default(),
                lifecycle,
            },
            handlers: None,
            made: false,
            started: false,
            config: Some(config),
            poller: None,
            unrouted: rows.map(Unrouted::new),
            deadline: None,
            acknowledged: false,
            written_at_end: None,
            keeping,
            supervision: restart.map(|Restart { budget, history, .. }| Box::new(Supervision::new(budget, history))),
            handling: false,
            ending: false,
            finished: false,
        }
    }

    /// Whether deadlines of some handlers become messages.
    const HAS_DUES: bool = {
        let (mut has_dues, mut i) = (false, 0);
        while i < R::DUE.len() {
            has_dues |= R::DUE[i].is_some();
            i += 1;
        }
        has_dues
    };

    /// When the worker must not sleep any longer, for the sake of its handlers.
    #[inline]
    fn earliest(handlers: &R, writer: &WorkerWriter<B>) -> Option<Time> {
        handlers.next_deadline(&writer.at, |id, deadline| writer.timers.when(id, deadline))
    }

    #[inline]
    fn advance(&mut self, most: usize) -> Step {
        if !self.started {
            return self.start();
        }
        self.writer.at.leave_for(Place::Bus);
        let Some(reader) = &mut self.reader else { return Step::Finished };
        self.writer.refused.set(None);
        let lifecycle = &self.writer.lifecycle;
        let phase = lifecycle.phase();
        let end = match phase {
            Phase::Running => None,
            Phase::Flushing => {
                if !self.acknowledged && self.writer.outbox.flushed_what_was_pending_at_stop() {
                    self.acknowledged = true;
                    lifecycle.acknowledge();
                    return Step::Worked;
                }
                None
            }
            Phase::Draining { end } => {
                if self.written_at_end.is_none() {
                    self.written_at_end = self.writer.writer.as_ref().map(BusWriter::written);
                }
                Some(end)
            }
        };
        let at_end = |reader: &B::Reader| end.is_some_and(|end| is_past(reader.position(), end));
        let is_late = || phase != Phase::Running && self.writer.at.during(Place::Clock, || lifecycle.is_late());
        if self.writer.stays.get() || at_end(reader) || is_late() {
            return if self.writer.failed.get() || !self.writer.owes.get() || is_late() {
                self.finish()
            } else {
                self.pay()
            };
        }

        // What was flushed, and room that was made, may be what another worker waits for: neither is idleness.
        let pending = self.writer.outbox.len();
        let empty = self.writer.flush();
        let mut worked = self.writer.outbox.len() != pending;
        if !empty && end.is_none() {
            reader.release();
            worked |= std::mem::replace(&mut self.let_go, reader.position()) != reader.position();
            if !self.writer.is_slowest() {
                return if worked { Step::Worked } else { Step::Idle };
            }
        }
        let Some(Taken { handled, mut due, let_go }) = self.take(phase, end, most) else {
            // The next step is the last one.
            return Step::Worked;
        };
        worked |= let_go;
        let (Some(handlers), Some(reader)) = (&mut self.handlers, &mut self.reader) else { return Step::Finished };
        if let Some(keeping) = &mut self.keeping {
            keeping.after(handled, handlers, reader, &self.writer);
        }

        // What a handler does in `on_loop` comes after the end, or after what is in the outbox.
        let may_loop = !self.writer.outbox.is_pending() && end.is_none() && !reader.is_replaying();
        worked |= handled != 0;
        if Self::HAS_DUES && may_loop && (due || !worked) {
            let now = self.writer.clock();
            let mut dues = WriteDues { writer: &self.writer, now, written: false, others: false };
            handlers.visit(&mut dues, &self.writer.at);
            worked |= dues.written;
            due = dues.others;
            self.deadline = Self::earliest(handlers, &self.writer);
        }
        if may_loop && !self.writer.outbox.is_pending() && (due || !worked || self.poller.is_some()) {
            handlers.visit(&mut OnLoop(LoopWriter(&self.writer)), &self.writer.at);
            self.deadline = Self::earliest(handlers, &self.writer);
            worked |= self.writer.outbox.is_pending();
        }
        if worked { Step::Worked } else { Step::Idle }
    }

    /// Takes a batch: as a part of the step, unless so many routes leave its loop no registers then.
    #[inline]
    fn take(&mut self, phase: Phase, end: Option<u64>, most: usize) -> Option<Taken> {
        /// Measured: ci/instructions.sh, `routes_1` and `routes_64`.
        const MANY: usize = 16;
        if R::ROUTES < MANY { self.take_batch(phase, end, most) } else { self.take_batch_apart(phase, end, most) }
    }

    #[inline(never)]
    fn take_batch_apart(&mut self, phase: Phase, end: Option<u64>, most: usize) -> Option<Taken> {
        self.take_batch(phase, end, most)
    }

    /// Handles what is there, `batch` messages at most, and leaves off where something else is to be done first. `None`
    /// if a message was not handled to its end.
    #[inline(always)]
    fn take_batch(&mut self, phase: Phase, end: Option<u64>, batch: usize) -> Option<Taken> {
        let (reader, handlers) = (self.reader.as_mut()?, self.handlers.as_mut()?);
        let (writer, at, lifecycle) = (&self.writer, &self.writer.at, &*self.writer.lifecycle);
        let (handling, deadline) = (&mut self.handling, &mut self.deadline);
        let mut taken = Taken::default();
        let is_after_end = |position| end.is_some_and(|end| is_past(position, end));
        // Whether something else is to be done before the next message.
        let mut leaves_off = |handlers: &R, taken: &mut Taken, replaying: bool| {
            *deadline = Self::earliest(handlers, writer);
            // Within history every deadline has come, and none matters.
            taken.due = deadline.is_some_and(|deadline| deadline <= writer.clock()) && !replaying;
            let is_late = || phase != Phase::Running && at.during(Place::Clock, || lifecycle.is_late());
            taken.due || (writer.outbox.is_pending() && end.is_none()) || lifecycle.phase() != phase || is_late()
        };
        while taken.handled < batch && !is_after_end(reader.position()) {
            let replaying = reader.is_replaying();
            let bound = match replaying.then(|| reader.skip_dead()) {
                None => end,
                // No batch goes on behind history, or over what is dead in it.
                Some(Some(alive)) => Some(end.filter(|&end| is_past(alive, end)).unwrap_or(alive)),
                Some(None) => continue,
            };
            // What is replayed was looked at when it was new.
            let mut unrouted = self.unrouted.as_mut().filter(|_| !replaying);
            let (most, before, mut left_off, mut settled) = (batch - taken.handled, taken.handled, false, true);
            let read = reader.try_read_up_to(most, |header, payload| {
                // Before a message, not after one: the one before is stepped over by now, whatever happens here.
                if (taken.handled != before && leaves_off(handlers, &mut taken, replaying))
                    || bound.is_some_and(|bound| is_past(header.position, bound))
                {
                    left_off = true;
                    return Next::Keep;
                }
                *handling = true;
                at.leave_for(Place::Routing);
                if Self::HAS_DUES && header.message == Due::ID {
                    writer.timers.arrived(header.source, payload);
                }
                if !handlers.route(header, payload, writer, at)
                    && let Some(unrouted) = &mut unrouted
                {
                    at.during(Place::Report, || unrouted.look(*header, lifecycle));
                }
                settled = writer.settle(header);
                *handling = false;
                if !settled {
                    return Next::Keep;
                }
                taken.handled += 1;
                Next::Go
            });
            if !settled {
                return if writer.failed.get() { None } else { Some(taken) };
            }
            if !left_off && taken.handled != before {
                left_off = leaves_off(handlers, &mut taken, reader.is_replaying());
            }
            if let Err(error) = read {
                if matches!(error, ReadError::Forked | ReadError::Corrupt { .. }) {
                    writer.end(Cause::Read(error));
                    return None;
                }
                taken.let_go = std::mem::replace(&mut self.let_go, reader.position()) != reader.position();
                left_off = true;
            }
            if left_off {
                break;
            }
        }
        Some(taken)
    }

    /// Passes the message in hand once the letter about it is on the bus.
    #[cold]
    fn pay(&mut self) -> Step {
        let pending = self.writer.outbox.len();
        if !self.writer.flush() {
            return if self.writer.outbox.len() == pending { Step::Idle } else { Step::Worked };
        }
        self.writer.is_paid();
        let Some(reader) = &mut self.reader else { return Step::Worked };
        // It is the next one still.
        if self.writer.failed.get() {
            self.writer.ended_at.set(Some(reader.position()));
        } else {
            let _ = reader.skip();
        }
        Step::Worked
    }

    /// Ends the worker: `on_stop`, then everything it holds is given back.
    fn finish(&mut self) -> Step {
        self.ending = true;
        if let Some(handlers) = &mut self.handlers {
            if let (Some(keeping), Some(reader)) = (&mut self.keeping, &mut self.reader) {
                keeping.keep(handlers, reader, &self.writer);
            }
            handlers.visit(&mut OnStop, &self.writer.at);
        }
        self.leave();
        Step::Finished
    }

    /// Runs `work`, which is no step. If it panics the worker ends.
    fn beside(&mut self, work: impl FnOnce(&mut Self)) {
        if let Err(text) = caught(|| work(self)) {
            self.panicked(text);
        }
    }

    /// Pins the calling thread if the options ask for it.
    pub(super) fn pin(&mut self) {
        self.beside(|worker| {
            let WorkerWriter { name, lifecycle, .. } = &worker.writer;
            let wanted = lifecycle.options.pin.iter().find(|(worker, _)| worker == name);
            if let Some(&(worker_name, core)) = wanted
                && let Err(error) = pin_to(core)
            {
                worker.writer.report(Report::NotPinned { worker: worker_name, core, error });
            }
        });
    }

    fn sleep(&mut self) {
        let is_down = self.down().is_some();
        let owes =
            self.writer.owes.get() || self.supervision.as_ref().is_some_and(|supervision| supervision.again.is_some());
        if !self.started && !is_down && !owes {
            return self.writer.lifecycle.wait_for_making();
        }
        let timeout = self.next_deadline().map(|deadline| deadline.since(self.writer.clock()));
        let Some(reader) = &mut self.reader else { return };
        if timeout == Some(Duration::ZERO) {
            return;
        }
        if is_down {
            self.writer.at.leave_for(Place::WaitStrategy);
            return reader.wait_until(timeout, Interest::Messages, |_| false);
        }
        let draining = matches!(self.writer.lifecycle.phase(), Phase::Draining { .. });
        let outbox = self.writer.outbox.next_size();
        if outbox.is_some() {
            self.writer.record_outbox();
        }
        // A handler that was refused room waits for it, too, but its worker goes on taking messages.
        let pending = outbox.or(self.writer.refused.get()).filter(|_| !draining || owes);
        let writer = &self.writer;
        let may_read = move || outbox.is_none() || (writer.is_slowest() && !owes);
        let room = |size| move |reader: &mut B::Reader| writer.has_room(size) || (may_read() && reader.ready());
        let poller = self.poller.clone().map(|poller| poller as Arc<dyn Poller>);
        writer.at.leave_for(if poller.is_some() { Place::Poller } else { Place::WaitStrategy });
        match (pending, &poller) {
            (Some(size), None) => reader.wait_until(timeout, Interest::Room, room(size)),
            (Some(size), Some(poller)) => reader.wait_in(poller, timeout, Interest::Room, room(size)),
            (None, None) => reader.wait(timeout),
            (None, Some(poller)) => reader.wait_in(poller, timeout, Interest::Messages, Reader::ready),
        }
        if let Some(text) = self.poller.as_ref().and_then(|poller| poller.untold()) {
            self.panicked(text);
        }
    }
}

impl<B: MessageBus, R: Roster<C>, C> Worker<B, R, C> {
    /// Tells of the panics that were caught. `header` is the message in hand at the first one.
    fn tell(&self, blames: Vec<Blame>, mut header: Option<Header>) {
        for blame in blames {
            self.writer.lifecycle.panicked(self.writer.name, Cause::panicked(blame, header.take()));
        }
    }

    /// Gives back all that others could wait for, and reports what is left undone. Idempotent.
    fn leave(&mut self) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        let lifecycle = Arc::clone(&self.writer.lifecycle);
        let worker = self.writer.name;
        let unsent = self.writer.outbox.len() as u64;
        // The writer first: its ticket stands in the reader's entry, and counting may take a while.
        let at = &self.writer.at;
        if let (Some(writer), Some(before)) = (&self.writer.writer, self.written_at_end) {
            lifecycle.wrote_after_stop(writer.written().wrapping_sub(before));
        }
        at.drop_of(Place::Bus, self.writer.writer.take());
        let mut unread = Unread::default();
        if let Some(reader) = &mut self.reader {
            // It may wait, in the user's way.
            at.leave_for(Place::WaitStrategy);
            unread = caught(|| lifecycle.count_unread(reader)).unwrap_or_else(|text| {
                at.blame(text);
                Unread::default()
            });
            if self.writer.ended_at.get() == Some(reader.position()) {
                // The failure names it.
                unread.messages = unread.messages.saturating_sub(1);
            }
        }
        at.drop_of(Place::WaitStrategy, self.reader.take());
        if let Some(handlers) = self.handlers.take() {
            handlers.dismiss(at);
        }
        at.drop_of(Place::Poller, self.poller.take());
        at.drop_of(Place::Config, self.config.take());
        self.tell(at.blamed(), None);
        if !std::mem::replace(&mut self.made, true) {
            lifecycle.made();
        }
        lifecycle.leave(worker, unread, unsent, !std::mem::replace(&mut self.acknowledged, true));
    }
}

impl<B: MessageBus, R: Roster<C>, C> Drive for Worker<B, R, C> {
    fn name(&self) -> &'static str {
        self.writer.name
    }

    fn step(&mut self) -> Step {
        self.step_up_to(BATCH)
    }

    fn step_up_to(&mut self, most: usize) -> Step {
        if self.finished {
            return Step::Finished;
        }
        caught(|| self.advance(most.clamp(1, BATCH))).unwrap_or_else(|text| self.panicked(text))
    }

    fn make(&mut self) -> Option<&'static str> {
        let mut waiting = None;
        self.beside(|worker| {
            if worker.made || worker.finished || worker.is_down() || !worker.make_handlers() {
                return;
            }
            if let Some(handlers) = &mut worker.handlers {
                let mut found = None;
                handlers.visit(&mut FindPoller { found: &mut found, writer: &worker.writer }, &worker.writer.at);
                waiting = found.map(|(handler, _)| handler);
            }
        });
        waiting
    }

    fn replaying(&self) -> Option<u64> {
        self.reader.as_ref().filter(|reader| reader.is_replaying()).map(Reader::position)
    }

    fn states(&mut self) -> Option<Result<Vec<State>, String>> {
        let mut states = None;
        self.beside(|worker| {
            if let Some(handlers) = worker.handlers.as_mut().filter(|_| worker.started) {
                states = Some(keeping::states_of(handlers, &worker.writer));
            }
        });
        states
    }

    fn next_deadline(&self) -> Option<Time> {
        let phase = self.writer.lifecycle.phase();
        let stop = if phase == Phase::Running { None } else { self.writer.lifecycle.deadline() };
        // While the outbox is pending, and during the drain, no `on_loop` runs, whatever is due.
        let may_loop = !self.writer.outbox.is_pending() && !matches!(phase, Phase::Draining { .. });
        let keeps = self.keeping.as_ref().and_then(|keeping| keeping.due());
        [stop, self.down(), self.deadline.filter(|_| may_loop), keeps.filter(|_| may_loop)].into_iter().flatten().min()
    }

    fn wait(&mut self) {
        self.beside(Self::sleep);
    }
}

impl<B: MessageBus, R: Roster<C>, C> Drop for Worker<B, R, C> {
    /// A worker that is dropped before it ended leaves nobody waiting for it.
    fn drop(&mut self) {
        self.leave();
    }
}

struct OnStop;

impl Visit for OnStop {
    fn handler<H: Handler>(&mut self, handler: &mut H) {
        handler.on_stop();
    }
}

#[cfg(all(test, rust_messenger_loom))]
mod model;
