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

use super::lifecycle::{Lifecycle, Making, Phase, is_past};
use super::outbox::Outbox;
use super::outcome::{Cause, StartError};
use crate::blame::{At, Place, caught};
use crate::routing::{Roster, Rows, Visit};
use crate::traits::{
    Due, Handler, Header, Interest, Message, MessageBus, Next, Poller, ReadError, Reader, Report, Time, Unread, Writer,
};
use loops::{LoopWriter, OnLoop, WriteDues};
use poller::{Bedside, FindPoller};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;
use timers::Timers;
use unrouted::Unrouted;
use writer::WorkerWriter;

mod loops;
mod poller;
mod timers;
mod unrouted;
mod writer;

/// What a worker did in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// It worked; there may be more to do.
    Worked,
    /// It has nothing to do until a message, room or a deadline comes: [`wait`](Drive::wait) now.
    Idle,
    /// It has ended.
    Finished,
}

/// A worker without a thread, for the caller that drives it.
///
/// ```
/// use rust_messenger::messenger::{Drive, Step};
///
/// /// What the thread of a worker does.
/// fn run(worker: &mut dyn Drive) {
///     loop {
///         match worker.step() {
///             Step::Idle => worker.wait(),
///             Step::Finished => return,
///             _ => {}
///         }
///     }
/// }
/// # let _ = run;
/// ```
pub trait Drive {
    /// Its name in the routing table.
    fn name(&self) -> &'static str;

    /// Does what it can do now, one bounded batch at most, and never waits.
    fn step(&mut self) -> Step;

    /// As [`step`](Self::step), but hands on `most` messages at most (at least one, and no more than `step` would): a
    /// simulator chooses where a worker leaves off.
    ///
    /// ```
    /// use rust_messenger::messenger::{Drive, Step};
    ///
    /// /// Each worker takes one message in its turn.
    /// fn in_turns<'a>(workers: impl Iterator<Item = &'a mut dyn Drive>) -> bool {
    ///     workers.fold(false, |worked, worker| worked | (worker.step_up_to(1) == Step::Worked))
    /// }
    /// # let _ = |workers: &mut rust_messenger::messenger::Workers| in_turns(workers.iter_mut());
    /// ```
    fn step_up_to(&mut self, most: usize) -> Step;

    /// Makes the handlers, unless they are made, and starts none. Returns the name of the handler that waits in a
    /// poller, if one does: nobody else may drive its worker.
    #[doc(hidden)]
    fn make(&mut self) -> Option<&'static str>;

    /// When to make the next step at the latest, if nothing else comes before. `None`: no deadline.
    fn next_deadline(&self) -> Option<Time>;

    /// Waits, after [`Step::Idle`], until there may be something to do. May return early.
    fn wait(&mut self);
}

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
    /// Whether a message is in a handler's hands: what a panic is blamed on.
    handling: bool,
    finished: bool,
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
    pub(super) lifecycle: Arc<Lifecycle<B>>,
}

impl<B: MessageBus, R: Roster<C>, C> Worker<B, R, C> {
    pub(super) fn new(seed: Seed<B, C>) -> Self {
        let Seed { name, reader, writer, config, rows, lifecycle } = seed;
        let (at, outbox, rebuilds) = (At::default(), Outbox::default(), reader.rebuilds());
        Worker {
            let_go: reader.position(),
            reader: Some(reader),
            writer: WorkerWriter {
                name,
                writer,
                outbox,
                failed: Cell::new(false),
                ended_at: Cell::new(None),
                refused: Cell::new(None),
                timers: Timers::new(R::DUE),
                rebuilds,
                sent_in_loop: RefCell::default(),
                at,
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
            handling: false,
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
            Phase::Draining { end } => Some(end),
        };
        let at_end = |reader: &B::Reader| end.is_some_and(|end| is_past(reader.position(), end));
        let is_late = || phase != Phase::Running && self.writer.at.during(Place::Clock, || lifecycle.is_late());
        if self.writer.failed.get() || at_end(reader) || is_late() {
            return self.finish();
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
        let Some(Taken { handled, mut due, let_go }) = self.take_batch(phase, end, most) else {
            // The next step is the last one.
            return Step::Worked;
        };
        worked |= let_go;
        let (Some(handlers), Some(reader)) = (&mut self.handlers, &self.reader) else { return Step::Finished };

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

    /// Handles what is there, `batch` messages at most, and leaves off where something else is to be done first. `None`
    /// if a message was not handled to its end.
    #[inline]
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
            // What is replayed was looked at when it was new.
            let mut unrouted = self.unrouted.as_mut().filter(|_| !replaying);
            // In history one by one, for after each message the reader may have come to its end.
            let most = if replaying { 1 } else { batch - taken.handled };
            let (before, mut left_off, mut settled) = (taken.handled, false, true);
            let read = reader.try_read_up_to(most, |header, payload| {
                // Before a message, not after one: the one before is stepped over by now, whatever happens here.
                if (taken.handled != before && leaves_off(handlers, &mut taken, replaying))
                    || is_after_end(header.position)
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
                return None;
            }
            if !left_off && taken.handled != before {
                left_off = leaves_off(handlers, &mut taken, reader.is_replaying());
            }
            if let Err(ReadError::Empty | ReadError::Closed) = read {
                taken.let_go = std::mem::replace(&mut self.let_go, reader.position()) != reader.position();
                left_off = true;
            }
            if left_off {
                break;
            }
        }
        Some(taken)
    }

    /// Makes the handlers.
    fn make_handlers(&mut self) -> Option<()> {
        let made = R::new(self.config.as_ref()?, &self.writer, &self.writer.at);
        if made.is_none() {
            self.tell_panics(None);
            if let Some((handler, error)) = self.writer.at.refusal() {
                let worker = self.writer.name;
                self.writer.lifecycle.refuse(StartError::Handler { worker, handler, error });
            }
        }
        // Kept before they are called: if one of them panics they are still dropped one by one.
        self.handlers = Some(made?);
        self.made = true;
        self.writer.lifecycle.made();
        Some(())
    }

    /// Makes the handlers, and starts them once those of all workers are made.
    fn start(&mut self) -> Step {
        let makes = !self.made;
        if makes && self.make_handlers().is_none() {
            self.leave();
            return Step::Finished;
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
        let Some(handlers) = &mut self.handlers else { return Step::Finished };
        if !self.writer.failed.get() {
            handlers.visit(&mut OnStart(&self.writer), &self.writer.at);
            let mut found = None;
            handlers.visit(&mut FindPoller { found: &mut found, writer: &self.writer }, &self.writer.at);
            self.poller = found.map(|(_, poller)| Arc::new(Bedside::new(poller, &self.writer)));
        }
        Step::Worked
    }

    /// Ends the worker: `on_stop`, then everything it holds is given back.
    fn finish(&mut self) -> Step {
        if let Some(handlers) = &mut self.handlers {
            handlers.visit(&mut OnStop, &self.writer.at);
        }
        self.leave();
        Step::Finished
    }

    fn panicked(&mut self, text: String) -> Step {
        let handling = std::mem::replace(&mut self.handling, false);
        let mut header = None;
        if let Some(reader) = self.reader.as_mut().filter(|_| handling) {
            // A reader stays on the message whose delivery unwound, and here it is not handled either.
            let _ = reader.try_handle(|found, _| {
                header = Some(*found);
                false
            });
        }
        if let Some(header) = header {
            self.writer.ended_at.set(Some(header.position));
        }
        self.writer.at.blame(text);
        self.tell_panics(header);
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
        if !self.started {
            return self.writer.lifecycle.wait_for_making();
        }
        let timeout = self.next_deadline().map(|deadline| deadline.since(self.writer.clock()));
        let Some(reader) = &mut self.reader else { return };
        if timeout == Some(Duration::ZERO) {
            return;
        }
        let draining = matches!(self.writer.lifecycle.phase(), Phase::Draining { .. });
        let outbox = self.writer.outbox.next_size();
        // A handler that was refused room waits for it, too, but its worker goes on taking messages.
        let pending = outbox.or(self.writer.refused.get()).filter(|_| !draining);
        let writer = &self.writer;
        let may_read = move || outbox.is_none() || writer.is_slowest();
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
    fn tell_panics(&mut self, mut header: Option<Header>) {
        for blame in self.writer.at.blamed() {
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
        self.tell_panics(None);
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
            if worker.made || worker.finished {
                return;
            }
            if worker.make_handlers().is_none() {
                return worker.leave();
            }
            if let Some(handlers) = &mut worker.handlers {
                let mut found = None;
                handlers.visit(&mut FindPoller { found: &mut found, writer: &worker.writer }, &worker.writer.at);
                waiting = found.map(|(handler, _)| handler);
            }
        });
        waiting
    }

    fn next_deadline(&self) -> Option<Time> {
        let phase = self.writer.lifecycle.phase();
        let stop = if phase == Phase::Running { None } else { self.writer.lifecycle.deadline() };
        // While the outbox is pending, and during the drain, no `on_loop` runs, whatever is due.
        let may_loop = !self.writer.outbox.is_pending() && !matches!(phase, Phase::Draining { .. });
        [stop, self.deadline.filter(|_| may_loop)].into_iter().flatten().min()
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

#[cfg(target_os = "linux")]
fn pin_to(core: usize) -> Result<(), String> {
    if core >= rustix::thread::CpuSet::MAX_CPU {
        return Err(format!("a set of cores ends before {}", rustix::thread::CpuSet::MAX_CPU));
    }
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    rustix::thread::sched_setaffinity(None, &set).map_err(|error| error.to_string())
}

#[cfg(not(target_os = "linux"))]
fn pin_to(_core: usize) -> Result<(), String> {
    Err("threads are pinned on Linux only".to_owned())
}

struct OnStart<'a, W>(&'a W);
struct OnStop;

impl<W: Writer> Visit for OnStart<'_, W> {
    fn handler<H: Handler>(&mut self, handler: &mut H) {
        handler.on_start(self.0);
    }
}

impl Visit for OnStop {
    fn handler<H: Handler>(&mut self, handler: &mut H) {
        handler.on_stop();
    }
}

#[cfg(all(test, rust_messenger_loom))]
mod model;
