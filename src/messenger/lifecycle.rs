//! What the workers of one messenger share: the phases of a stop, failures, reports, and who is still there.
//!
//! ```text
//!  Running --stop()--> Flushing ----------------------> Draining { end } --------------> all workers left
//!            outsiders          every outbox pending at          each worker handles
//!            get Closed         the stop is flushed; then        everything before `end`,
//!                               `end` = the tail                 then `on_stop`
//! ```
//!
//! Before all that, until every worker is subscribed, outsiders get `NotStarted`; and until every worker has made its
//! handlers, none starts them. If one of them cannot, all leave.

use super::options::{Options, SystemClock};
use super::outcome::{Cause, Failure, Left, RunError, StartError, Summary};
use crate::blame::{Place, caught, dropped};
use crate::sync::{AtomicU64, CachePadded, Condvar, Mutex, Ordering, lock};
use crate::traits::{MessageBus, Reader, Report, Time, Unread};
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where a messenger is between start and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    Flushing,
    Draining { end: u64 },
}

/// The name of the reader at the end of a drain.
const AFTER_STOP: &str = "after stop";

/// Running, as far as a worker can see; but not all of them are subscribed.
const NEW: u64 = 0;
const RUNNING: u64 = 1;
const FLUSHING: u64 = 2;
const DRAINING: u64 = 3;

/// What the workers of one messenger share.
pub(super) struct Lifecycle<B> {
    pub(super) bus: B,
    pub(super) options: Options,
    /// Looked at for every message.
    phase: CachePadded<AtomicU64>,
    /// Where the drain ends; written before DRAINING.
    end: AtomicU64,
    /// When a stop gives up, in nanoseconds; written before FLUSHING is noticed by anybody.
    deadline: AtomicU64,
    undecodable: AtomicU64,
    unsent: AtomicU64,
    unrouted: AtomicU64,
    state: Mutex<State>,
    /// A worker has made its handlers, or left.
    moved: Condvar,
}

/// How far the workers of a messenger are with their handlers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Making {
    /// Some worker has not made its own yet.
    Going,
    /// All are made, or will never be: a panic ended their worker.
    Done,
    /// One could not be made, and nobody starts.
    Refused,
}

struct State {
    started: bool,
    /// Workers that have not made their handlers.
    unmade: usize,
    /// Why nobody starts.
    refusal: Option<StartError>,
    is_refused: bool,
    /// Workers that have not left, and whoever is attached.
    live: Vec<&'static str>,
    /// Workers whose outboxes the end of the drain still waits for.
    unacknowledged: usize,
    /// Counts what came after the end of the drain; until then it keeps that from being overwritten.
    after_stop: Option<Box<dyn FnOnce(u64, Duration) -> u64 + Send>>,
    /// How many workers are counting what they leave behind: they are not stuck.
    counting: usize,
    failures: Vec<Failure>,
    summary: Summary,
}

/// Whether `position` has reached `end`; positions wrap around the end of u64.
pub(super) fn is_past(position: u64, end: u64) -> bool {
    position.wrapping_sub(end) as i64 >= 0
}

impl<B: MessageBus> Lifecycle<B> {
    pub(super) fn new(bus: B, options: Options) -> Self {
        let word = || AtomicU64::new(0);
        Lifecycle {
            bus,
            options,
            phase: CachePadded::new(AtomicU64::new(NEW)),
            end: word(),
            deadline: word(),
            undecodable: word(),
            unsent: word(),
            unrouted: word(),
            state: Mutex::new(State {
                started: false,
                unmade: 0,
                refusal: None,
                is_refused: false,
                live: Vec::new(),
                unacknowledged: 0,
                after_stop: None,
                counting: 0,
                failures: Vec::new(),
                summary: Summary::default(),
            }),
            moved: Condvar::new(),
        }
    }

    #[inline]
    pub(super) fn phase(&self) -> Phase {
        // SYNC POINT lifecycle.phase
        match self.phase.load(Ordering::Acquire) {
            NEW | RUNNING => Phase::Running,
            FLUSHING => Phase::Flushing,
            _ => Phase::Draining { end: self.end.load(Ordering::Relaxed) },
        }
    }

    /// Whether every worker is subscribed, so that what is written from outside now is seen by all of them.
    #[inline]
    pub(super) fn is_subscribed(&self) -> bool {
        self.phase.load(Ordering::Acquire) != NEW // SYNC POINT lifecycle.phase
    }

    pub(super) fn now(&self) -> Time {
        self.options.clock.now()
    }

    /// When a stop that has begun gives up. `None` if the clock panicked at the stop: then only whoever joins looks at
    /// a time, the system's.
    pub(super) fn deadline(&self) -> Option<Time> {
        Some(Time::from_nanos(self.deadline.load(Ordering::Relaxed))).filter(|deadline| *deadline != UNKNOWN)
    }

    pub(super) fn is_late(&self) -> bool {
        self.deadline().is_some_and(|deadline| self.now() >= deadline)
    }

    /// From now on only this messenger runs here. False if one did before.
    pub(super) fn start(&self) -> bool {
        !std::mem::replace(&mut lock(&self.state).started, true)
    }

    /// Nothing came of the start; there may be another one.
    pub(super) fn start_again(&self) {
        lock(&self.state).started = false;
    }

    /// Expects somebody who is no worker. False if it is too late for that.
    pub(super) fn attach(&self, name: &'static str) -> bool {
        let mut state = lock(&self.state);
        let is_new = !state.started && self.phase.load(Ordering::Relaxed) == NEW;
        if is_new {
            state.live.push(name);
        }
        is_new
    }

    /// Waits until every worker is subscribed, or there is a stop, for `timeout` at most.
    pub(super) fn wait_until_subscribed(&self, timeout: Duration) {
        let since = Instant::now();
        let mut state = lock(&self.state);
        while !self.is_subscribed() {
            let left = timeout.saturating_sub(since.elapsed()).min(A_MOMENT);
            if left.is_zero() {
                return;
            }
            state = self.moved.wait_timeout(state, left).unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }

    /// Expects these workers, which are subscribed; called before the first of them moves.
    pub(super) fn expect(&self, workers: impl Iterator<Item = &'static str>) {
        let mut state = lock(&self.state);
        // Who is attached makes no handlers and has no outbox.
        let attached = state.live.len();
        state.live.extend(workers);
        let workers = state.live.len() - attached;
        (state.unmade, state.unacknowledged) = (workers, workers);
        if self.phase.load(Ordering::Relaxed) == NEW {
            // Release: who writes because of this does so after the subscriptions.
            self.phase.store(RUNNING, Ordering::Release); // SYNC POINT lifecycle.phase
        }
        self.moved.notify_all();
    }

    /// A worker has made its handlers, or never will.
    pub(super) fn made(&self) {
        lock(&self.state).unmade -= 1;
        self.moved.notify_all();
    }

    /// A worker cannot start, so nobody does. Ends in a stop, which writers from outside see.
    pub(super) fn refuse(&self, error: StartError) {
        let mut state = lock(&self.state);
        state.is_refused = true;
        match state.refusal {
            None => state.refusal = Some(error),
            Some(_) => state.failures.push(Failure::of_start(error)),
        }
        drop(state);
        self.moved.notify_all();
        self.stop();
    }

    /// Why nobody starts, to be told once.
    pub(super) fn refusal(&self) -> Option<StartError> {
        lock(&self.state).refusal.take()
    }

    /// Whether the workers have made their handlers.
    pub(super) fn making(&self) -> Making {
        let state = lock(&self.state);
        match state.unmade {
            _ if state.is_refused => Making::Refused,
            0 => Making::Done,
            _ => Making::Going,
        }
    }

    /// Waits for a moment, at most until the workers have made their handlers.
    pub(super) fn wait_for_making(&self) {
        let state = lock(&self.state);
        if state.unmade != 0 && !state.is_refused {
            drop(self.moved.wait_timeout(state, A_MOMENT).unwrap_or_else(std::sync::PoisonError::into_inner));
        }
    }

    /// Waits until the workers have made their handlers, or a stop has been over its deadline for a while.
    pub(super) fn wait_until_made(&self) {
        self.wait_until(|state| state.unmade == 0 || state.is_refused);
    }

    /// Waits until `over` says so, or a stop has been over its deadline for a while.
    fn wait_until(&self, over: impl Fn(&State) -> bool) {
        let mut broken = None;
        loop {
            let running = self.phase() == Phase::Running;
            // Asked without the lock: the clock is the user's.
            let left = if running { A_MOMENT } else { self.time_left(&mut broken) };
            let state = lock(&self.state);
            if over(&state) || (left.is_zero() && state.counting == 0) {
                return;
            }
            let pause = if left.is_zero() { A_MOMENT } else { left.min(A_MOMENT) };
            drop(self.moved.wait_timeout(state, pause).unwrap_or_else(std::sync::PoisonError::into_inner));
        }
    }

    /// Begins the stop, unless it has begun.
    pub(super) fn stop(&self) {
        let has_begun = || !matches!(self.phase.load(Ordering::Relaxed), NEW | RUNNING);
        if has_begun() {
            return;
        }
        // No lock is held while the clock is asked, or a poller notified: both are the user's. Closed before anybody
        // can fix the end of the drain: no message of an outsider's comes after it.
        let now = caught(|| self.now());
        self.bus.close();
        let mut state = lock(&self.state);
        if has_begun() {
            return;
        }
        let deadline = match now {
            Ok(now) => now + self.options.drain,
            Err(text) => {
                state.failures.push(Failure::of_messenger(Place::Clock, text));
                UNKNOWN
            }
        };
        self.deadline.store(deadline.as_nanos(), Ordering::Relaxed);
        self.phase.store(FLUSHING, Ordering::Release); // SYNC POINT lifecycle.phase
        let is_last = state.unacknowledged == 0;
        drop(state);
        if is_last {
            self.drain();
        } else {
            self.bus.wake();
        }
    }

    /// Says that all that was in one worker's outbox at the stop is on the bus.
    pub(super) fn acknowledge(&self) {
        let mut state = lock(&self.state);
        state.unacknowledged -= 1;
        let is_last = state.unacknowledged == 0 && self.phase.load(Ordering::Relaxed) == FLUSHING;
        drop(state);
        if is_last {
            self.drain();
        }
    }

    /// Fixes the end of the drain: the tail as it is now. Called once, by whoever acknowledges last.
    ///
    /// Where other processes are on the bus, a reader that gates it and is not read until the join would hold them up:
    /// there each worker counts what it writes itself.
    fn drain(&self) {
        if self.bus.is_shared() {
            return self.drain_until(self.bus.tail());
        }
        // A gating reader at the end keeps what comes later countable; without a place for one it goes uncounted.
        let end = match caught(|| self.bus.subscribe_latest(AFTER_STOP)) {
            Ok(Ok(mut reader)) => {
                let end = reader.position();
                let count = move |tail, patience| reader.unread(tail, patience).messages;
                lock(&self.state).after_stop = Some(Box::new(count));
                end
            }
            Ok(Err(_)) => self.bus.tail(),
            Err(text) => {
                lock(&self.state).failures.push(Failure::of_messenger(Place::WaitStrategy, text));
                self.bus.tail()
            }
        };
        self.drain_until(end);
    }

    fn drain_until(&self, end: u64) {
        self.bus.drains();
        self.end.store(end, Ordering::Relaxed);
        self.phase.store(DRAINING, Ordering::Release); // SYNC POINT lifecycle.phase
        self.bus.wake();
    }

    /// Counts the messages before the end of the drain that `reader` has not read, and waits for those that are being
    /// written until the stop's grace is over.
    pub(super) fn count_unread(&self, reader: &mut B::Reader) -> Unread {
        let end = match self.phase() {
            Phase::Draining { end } => end,
            Phase::Running | Phase::Flushing => self.bus.tail(),
        };
        let patience = self.patience();
        let _counting = Counting::begin(&self.state);
        reader.unread(end, patience)
    }

    /// How long to wait for what is being written: what is left of a stop's grace.
    fn patience(&self) -> Duration {
        match self.phase() {
            Phase::Running => GRACE,
            _ => self.time_left(&mut None).min(GRACE),
        }
    }

    /// A worker wrote so much after the end of the drain, as far as it could see. On a bus that is shared this is what
    /// can be counted of all that comes there.
    pub(super) fn wrote_after_stop(&self, messages: u64) {
        if self.bus.is_shared() {
            // Other processes may write to the count.
            let after_stop = &mut lock(&self.state).summary.after_stop;
            *after_stop = after_stop.saturating_add(messages);
        }
    }

    /// A worker has ended and holds nothing any more.
    pub(super) fn leave(&self, worker: &'static str, unread: Unread, unsent: u64, unacknowledged: bool) {
        // While this worker is still expected, so that nobody concludes before the end is fixed.
        if unacknowledged {
            self.acknowledge();
        }
        let mut state = lock(&self.state);
        let left = Left { worker, unread: unread.messages, unread_bytes: unread.bytes, unsent };
        if (left.unread, left.unread_bytes, left.unsent) != (0, 0, 0) {
            state.summary.left.push(left);
        }
        // One: who is attached may have the name of a worker.
        if let Some(place) = state.live.iter().position(|live| *live == worker) {
            state.live.remove(place);
        }
        self.moved.notify_all();
        let is_last = state.live.is_empty();
        // Without the lock: pollers are the user's.
        drop(state);
        if is_last {
            // Whoever still reads finds that nothing comes any more.
            self.bus.wake();
        }
    }

    pub(super) fn is_over(&self) -> bool {
        lock(&self.state).live.is_empty()
    }

    pub(super) fn failed(&self, worker: &'static str, cause: Cause) {
        lock(&self.state).failures.push(Failure { worker, cause });
        self.stop();
    }

    pub(super) fn panicked(&self, worker: &'static str, cause: Cause) {
        lock(&self.state).failures.push(Failure { worker, cause });
        if !self.options.isolates(worker) {
            self.stop();
        }
    }

    /// A worker goes on after this: counted. Returns it in words.
    pub(super) fn outlived(&self, worker: &'static str, cause: Cause) -> String {
        let error = Failure { worker, cause }.to_string();
        let mut state = lock(&self.state);
        state.summary.restarts += 1;
        state.summary.last_panic = Some(error.clone());
        error
    }

    /// A message is dead for a worker.
    pub(super) fn count_dead(&self) {
        lock(&self.state).summary.dead += 1;
    }

    /// How many messages no route carries.
    pub(super) fn unrouted(&self) -> u64 {
        self.unrouted.load(Ordering::Relaxed)
    }

    pub(super) fn count_unrouted(&self) {
        self.unrouted.fetch_add(1, Ordering::Relaxed);
    }

    #[cold]
    pub(super) fn report(&self, report: Report) {
        match &report {
            Report::Undecodable { .. } => self.undecodable.fetch_add(1, Ordering::Relaxed),
            Report::Unsent { .. } => self.unsent.fetch_add(1, Ordering::Relaxed),
            Report::NotPinned { .. }
            | Report::Network { .. }
            | Report::Unrouted { .. }
            | Report::SentInLoop { .. }
            | Report::Rebuilding { .. }
            | Report::NotKept { .. }
            | Report::Restarting { .. }
            | Report::Dead { .. } => 0,
        };
        if let Some(on_report) = &self.options.on_report {
            // Leaked if it unwinds: the error in it may be the user's, and its drop a second panic.
            let report = ManuallyDrop::new(report);
            on_report(&report);
            drop(ManuallyDrop::into_inner(report));
        }
    }

    /// What is left of a stop, its grace included. By the clock of the options; if that panics, by the system's, from
    /// the moment on that is kept in `broken`.
    fn time_left(&self, broken: &mut Option<Instant>) -> Duration {
        if let Some(deadline) = self.deadline() {
            match caught(|| self.now()) {
                Ok(now) => return (deadline + GRACE).since(now),
                Err(text) if broken.is_none() => {
                    lock(&self.state).failures.push(Failure::of_messenger(Place::Clock, text));
                }
                Err(_) => {}
            }
        }
        let since = broken.get_or_insert_with(Instant::now);
        (self.options.drain + GRACE).saturating_sub(since.elapsed())
    }
}

impl<B> Drop for Lifecycle<B> {
    /// What is the user's goes one by one: it may panic, and there is nobody left to be told.
    fn drop(&mut self) {
        let clock = std::mem::replace(&mut self.options.clock, Arc::new(SystemClock));
        let _ = dropped(clock);
        let on_report = self.options.on_report.take();
        let _ = dropped(on_report);
        let mut state = lock(&self.state);
        let (after_stop, failures) = (state.after_stop.take(), std::mem::take(&mut state.failures));
        let refusal = state.refusal.take();
        drop(state);
        let _ = dropped(refusal);
        let _ = dropped(after_stop);
        for failure in failures {
            let _ = dropped(failure);
        }
    }
}

/// A worker that counts what it leaves behind, for as long as it does.
struct Counting<'a>(&'a Mutex<State>);

impl<'a> Counting<'a> {
    fn begin(state: &'a Mutex<State>) -> Counting<'a> {
        lock(state).counting += 1;
        Counting(state)
    }
}

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        lock(self.0).counting -= 1;
    }
}

/// The end of a messenger, whatever its bus.
pub(super) trait Ending: Send + Sync {
    /// Begins the stop, unless it has begun.
    fn stop(&self);

    /// Whether no worker is there: every one has left, or none was started.
    fn is_over(&self) -> bool;

    /// Waits until every worker has left, or a stop has been over its deadline for a while.
    fn wait(&self);

    /// What there is to say at the end.
    fn conclude(&self) -> Result<Summary, RunError>;
}

/// The deadline of a stop at which the clock panicked.
const UNKNOWN: Time = Time::from_nanos(u64::MAX);

/// A stop wakes nobody who waits for workers, so look again from time to time.
const A_MOMENT: Duration = Duration::from_millis(50);

/// How long after a stop's deadline a worker counts as stuck: the time its last batch may take.
const GRACE: Duration = Duration::from_secs(1);

impl<B: MessageBus> Ending for Lifecycle<B> {
    fn stop(&self) {
        Lifecycle::stop(self);
    }

    fn is_over(&self) -> bool {
        Lifecycle::is_over(self)
    }

    fn wait(&self) {
        self.wait_until(|state| state.live.is_empty());
    }

    fn conclude(&self) -> Result<Summary, RunError> {
        let mut state = lock(&self.state);
        if let Some(count) = state.after_stop.take() {
            drop(state);
            // Without the lock: its reader's wait strategy is the user's.
            let counted = caught(|| count(self.bus.tail(), self.patience()));
            state = lock(&self.state);
            match counted {
                Ok(messages) => state.summary.after_stop = messages,
                Err(text) => state.failures.push(Failure::of_messenger(Place::WaitStrategy, text)),
            }
        }
        let mut failures: Vec<_> = state.refusal.take().map(Failure::of_start).into_iter().collect();
        failures.append(&mut state.failures);
        failures.extend(state.live.iter().map(|&worker| Failure { worker, cause: Cause::Stuck }));
        let summary = Summary {
            undecodable: self.undecodable.load(Ordering::Relaxed),
            unsent: self.unsent.load(Ordering::Relaxed),
            unrouted: self.unrouted(),
            ..std::mem::take(&mut state.summary)
        };
        if failures.is_empty() { Ok(summary) } else { Err(RunError { failures, summary }) }
    }
}

#[cfg(all(test, not(rust_messenger_loom)))]
mod tests {
    use super::*;
    use crate::message_bus::CircularBus;
    use crate::sync::{scope, spin_loop, yield_now};

    /// Whoever joins and sees that a stop has begun sees its deadline, too: without it every worker would count as
    /// stuck. Miri shows a joiner an old word now and then, as some processors do; loom does not to one that spins.
    #[test]
    fn who_joins_sees_the_deadline_of_a_stop() {
        for _ in 0..if cfg!(miri) { 30 } else { 1 } {
            let options = Options { drain: Duration::from_secs(1 << 30), ..Options::default() };
            let lifecycle = Lifecycle::new(CircularBus::new(1024).unwrap(), options);
            lifecycle.expect(["only"].into_iter());
            scope(|scope| {
                scope.spawn(|| {
                    lifecycle.stop();
                    // The joiner's first look comes before the worker has left.
                    for _ in 0..20 {
                        yield_now();
                    }
                    lifecycle.leave("only", Unread::default(), 0, true);
                });
                while matches!(lifecycle.phase.load(Ordering::Relaxed), NEW | RUNNING) {
                    spin_loop();
                }
                lifecycle.wait();
                assert!(lifecycle.is_over(), "the deadline is far from now");
            });
        }
    }
}
