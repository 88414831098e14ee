//! What the workers of one messenger share: the phases of a stop, failures, reports, and who is still there.
//!
//! ```text
//!  Running --stop()--> Flushing ----------------------> Draining { end } --------------> all workers left
//!            outsiders          every outbox pending at          each worker handles
//!            get Closed         the stop is flushed; then        everything before `end`,
//!                               `end` = the tail                 then `on_stop`
//! ```
//!
//! Before all that, until every worker is subscribed, outsiders get `NotStarted`.

use crate::blame::{Blame, Place, caught, dropped};
use crate::sync::{AtomicU64, CachePadded, Condvar, Mutex, Ordering, lock, unix_nanos};
use crate::traits::{Clock, Header, MessageBus, Reader, Report, SubscribeError, Time, Unread, WriterError};
use std::error::Error;
use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What can be chosen about a messenger.
#[derive(Clone)]
pub struct Options {
    /// How long a stop may take until workers end with messages unhandled.
    pub drain: Duration,
    /// What a panicking handler ends, or other code of the user's that panics.
    pub on_panic: OnPanic,
    /// How many bytes a worker's outbox may hold before the worker fails.
    pub outbox_limit: usize,
    /// Which core a worker's thread is pinned to, by the worker's name. A refusal is a [`Report::NotPinned`].
    pub pin: Vec<(&'static str, usize)>,
    /// Called, on the thread where it happened, with whatever goes wrong without ending anything.
    pub on_report: Option<OnReport>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// What an [`Options::on_report`] is.
pub type OnReport = Arc<dyn Fn(&Report) + Send + Sync>;

impl Default for Options {
    fn default() -> Self {
        Options {
            drain: Duration::from_secs(5),
            on_panic: OnPanic::StopAll,
            outbox_limit: 64 << 20,
            pin: Vec::new(),
            on_report: None,
            clock: Arc::new(SystemClock),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("drain", &self.drain)
            .field("on_panic", &self.on_panic)
            .field("outbox_limit", &self.outbox_limit)
            .field("pin", &self.pin)
            .finish_non_exhaustive()
    }
}

/// What a panicking handler ends. Either way its worker ends, and `join()` returns the panic as an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnPanic {
    /// The whole messenger stops, drained.
    #[default]
    StopAll,
    /// The other workers go on, without what the broken one would have sent.
    Isolate,
}

/// The system's monotonic clock. Its origin is that of Unix time, so that what it says means the same in a journal, now
/// and after a restart.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        Time::from_nanos(unix_nanos())
    }
}

/// How a messenger ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Messages that could not be decoded.
    pub undecodable: u64,
    /// Messages that `send` could not send.
    pub unsent: u64,
    /// Messages that no route carries; see [`Stats::unrouted`](crate::traits::Stats::unrouted).
    pub unrouted: u64,
    /// Messages that workers wrote to the bus after the point up to which the stop drained.
    pub after_stop: u64,
    /// Workers that did not get everything done, in the order in which they ended.
    pub left: Vec<Left>,
}

/// What a worker left undone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Left {
    /// The worker's name in the table.
    pub worker: &'static str,
    /// Messages on the bus that it should have handled or stepped over, without the one at which a failure ended it.
    pub unread: u64,
    /// Bytes of the bus whose messages could not be counted, slots and all: they begin with a message that its writer,
    /// a second after the stop's deadline or after the worker's end, still had not finished. 0 if all were counted.
    pub unread_bytes: u64,
    /// Messages in its outbox.
    pub unsent: u64,
}

/// Why a messenger did not end well.
#[derive(Debug)]
#[non_exhaustive]
pub struct RunError {
    /// What happened, in order.
    pub failures: Vec<Failure>,
    /// What there is to say all the same.
    pub summary: Summary,
}

/// What ended a worker before its time.
#[derive(Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The worker's name in the table; empty if the messenger did not start.
    pub worker: &'static str,
    /// Why.
    pub cause: Cause,
}

/// Why a worker ended before its time.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// The messenger did not start.
    Start(StartError),
    /// A handler panicked.
    Panicked {
        /// The handler's name in the table.
        handler: &'static str,
        /// The message in its hands, if it was handling one.
        header: Option<Header>,
        /// What the panic said.
        text: String,
    },
    /// Something else of the user's panicked. The worker is the one on whose thread that was, or whose poller it is;
    /// none, if it happened to the messenger itself as it stopped or ended.
    PanickedIn {
        /// What it was.
        place: Place,
        /// The message that was being routed, decoded, reported or dropped, if any.
        header: Option<Header>,
        /// What the panic said.
        text: String,
    },
    /// A handler called [`Writer::fail`](crate::traits::Writer::fail).
    Failed {
        /// The handler's name in the table.
        handler: &'static str,
        /// What it said.
        error: Box<dyn Error + Send + Sync>,
    },
    /// The worker's handlers send more than they take, and their outbox is full.
    OutboxFull {
        /// The name of the handler that sent last.
        handler: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// A handler did not return before the stop's deadline. Its thread was left behind.
    Stuck,
}

impl Cause {
    pub(crate) fn panicked(blame: Blame, header: Option<Header>) -> Cause {
        let Blame { handler, place, text } = blame;
        match place {
            None => Cause::Panicked { handler, header, text },
            Some(place) => Cause::PanickedIn { place, header, text },
        }
    }
}

/// Two handlers of one worker wait in different [`Poller`](crate::traits::Poller)s, and a thread sleeps in one place at
/// a time. Give them a worker each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TwoPollers;

impl fmt::Display for TwoPollers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another handler of this worker waits in another poller; give them a worker each")
    }
}

impl Error for TwoPollers {}

/// Why a messenger did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// A worker got no place on the bus.
    Subscribe {
        /// The worker's name in the table.
        worker: &'static str,
        /// Why.
        error: SubscribeError,
    },
    /// A worker got no writer: on a bus for one writer, only one worker may contain route sources, and no writer from
    /// outside may exist.
    Writer {
        /// The worker's name in the table.
        worker: &'static str,
        /// Why.
        error: WriterError,
    },
    /// The system gave no thread.
    Thread {
        /// The worker's name in the table.
        worker: &'static str,
        /// What it said.
        error: io::Error,
    },
    /// Code of the user's panicked as a worker was made ready.
    Panicked {
        /// The worker's name in the table.
        worker: &'static str,
        /// What it was.
        place: Place,
        /// What the panic said.
        text: String,
    },
    /// A messenger runs once. Make another one.
    RanBefore,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Subscribe { worker, error } => write!(f, "worker {worker} cannot read from the bus: {error}"),
            StartError::Writer { worker, error } => write!(f, "worker {worker} cannot write to the bus: {error}"),
            StartError::Thread { worker, error } => write!(f, "no thread for worker {worker}: {error}"),
            StartError::Panicked { worker, place, text } => {
                write!(f, "{place} panicked as worker {worker} was made ready: {text}")
            }
            StartError::RanBefore => f.write_str("a messenger runs once; make another one"),
        }
    }
}

impl Error for StartError {}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Start(error) => error.fmt(f),
            Cause::Panicked { handler, header, text } => {
                write!(f, "handler {handler} panicked{}: {text}", OnMessage(header))
            }
            Cause::PanickedIn { place, header, text } => write!(f, "{place} panicked{}: {text}", OnMessage(header)),
            Cause::Failed { handler, error } => write!(f, "handler {handler} failed: {error}"),
            Cause::OutboxFull { handler, limit } => write!(
                f,
                "the outbox is full ({limit} bytes): the handlers send more than they receive, {handler} last"
            ),
            Cause::Stuck => f.write_str("a handler did not return before the stop's deadline"),
        }
    }
}

impl Failure {
    /// What happened on no worker's account.
    fn of_messenger(place: Place, text: String) -> Failure {
        Failure { worker: "", cause: Cause::PanickedIn { place, header: None, text } }
    }
}

/// Says which message it was, if it was any.
struct OnMessage<'a>(&'a Option<Header>);

impl fmt::Display for OnMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Header { source, message, position, .. }) = self.0 else { return Ok(()) };
        write!(f, " on message {message} from source {source} at position {position}")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.worker {
            "" => self.cause.fmt(f),
            worker => write!(f, "worker {worker}: {}", self.cause),
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, failure) in self.failures.iter().enumerate() {
            write!(f, "{}{failure}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl Error for RunError {}

// ----------------------------------------------------------------------------------------------------------- lifecycle

/// Where a messenger is between start and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    Flushing,
    Draining { end: u64 },
}

/// Running, as far as a worker can see; but not all of them are subscribed.
const NEW: u64 = 0;
const RUNNING: u64 = 1;
const FLUSHING: u64 = 2;
const DRAINING: u64 = 3;

/// What the workers of one messenger share.
pub(crate) struct Lifecycle<B> {
    pub(crate) bus: B,
    pub(crate) options: Options,
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
    /// A worker left.
    left: Condvar,
}

struct State {
    started: bool,
    /// Workers that have not left.
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
pub(crate) fn is_past(position: u64, end: u64) -> bool {
    position.wrapping_sub(end) as i64 >= 0
}

impl<B: MessageBus> Lifecycle<B> {
    pub(crate) fn new(bus: B, options: Options) -> Self {
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
                live: Vec::new(),
                unacknowledged: 0,
                after_stop: None,
                counting: 0,
                failures: Vec::new(),
                summary: Summary::default(),
            }),
            left: Condvar::new(),
        }
    }

    #[inline]
    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            NEW | RUNNING => Phase::Running,
            FLUSHING => Phase::Flushing,
            _ => Phase::Draining { end: self.end.load(Ordering::Relaxed) },
        }
    }

    /// Whether every worker is subscribed, so that what is written from outside now is seen by all of them.
    #[inline]
    pub(crate) fn is_subscribed(&self) -> bool {
        self.phase.load(Ordering::Acquire) != NEW
    }

    pub(crate) fn now(&self) -> Time {
        self.options.clock.now()
    }

    /// When a stop that has begun gives up. `None` if the clock panicked at the stop: then only whoever joins looks at
    /// a time, the system's.
    pub(crate) fn deadline(&self) -> Option<Time> {
        Some(Time::from_nanos(self.deadline.load(Ordering::Relaxed))).filter(|deadline| *deadline != UNKNOWN)
    }

    pub(crate) fn is_late(&self) -> bool {
        self.deadline().is_some_and(|deadline| self.now() >= deadline)
    }

    /// From now on only this messenger runs here. False if one did before.
    pub(crate) fn start(&self) -> bool {
        !std::mem::replace(&mut lock(&self.state).started, true)
    }

    /// Nothing came of the start; there may be another one.
    pub(crate) fn start_again(&self) {
        lock(&self.state).started = false;
    }

    /// Expects these workers, which are subscribed; called before the first of them moves.
    pub(crate) fn expect(&self, workers: impl Iterator<Item = &'static str>) {
        let mut state = lock(&self.state);
        state.live.extend(workers);
        state.unacknowledged = state.live.len();
        if self.phase.load(Ordering::Relaxed) == NEW {
            // Release: who writes because of this does so after the subscriptions.
            self.phase.store(RUNNING, Ordering::Release);
        }
    }

    /// Begins the stop, unless it has begun.
    pub(crate) fn stop(&self) {
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
        self.phase.store(FLUSHING, Ordering::Release);
        let is_last = state.unacknowledged == 0;
        drop(state);
        if is_last {
            self.drain();
        } else {
            self.bus.wake();
        }
    }

    /// Says that all that was in one worker's outbox at the stop is on the bus.
    pub(crate) fn acknowledge(&self) {
        let mut state = lock(&self.state);
        state.unacknowledged -= 1;
        let is_last = state.unacknowledged == 0 && self.phase.load(Ordering::Relaxed) == FLUSHING;
        drop(state);
        if is_last {
            self.drain();
        }
    }

    /// Fixes the end of the drain: the tail as it is now. Called once, by whoever acknowledges last.
    fn drain(&self) {
        // A gating reader at the end keeps what comes later countable; without a place for one it goes uncounted.
        let end = match caught(|| self.bus.subscribe_latest("after stop")) {
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
        self.end.store(end, Ordering::Relaxed);
        self.phase.store(DRAINING, Ordering::Release);
        self.bus.wake();
    }

    /// Counts the messages before the end of the drain that `reader` has not read, and waits for those that are being
    /// written until the stop's grace is over.
    pub(crate) fn count_unread(&self, reader: &mut B::Reader) -> Unread {
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

    /// A worker has ended and holds nothing any more.
    pub(crate) fn leave(&self, worker: &'static str, unread: Unread, unsent: u64, unacknowledged: bool) {
        // While this worker is still expected, so that nobody concludes before the end is fixed.
        if unacknowledged {
            self.acknowledge();
        }
        let mut state = lock(&self.state);
        let left = Left { worker, unread: unread.messages, unread_bytes: unread.bytes, unsent };
        if left.unread + left.unread_bytes + left.unsent != 0 {
            state.summary.left.push(left);
        }
        state.live.retain(|live| *live != worker);
        self.left.notify_all();
    }

    pub(crate) fn failed(&self, worker: &'static str, cause: Cause) {
        lock(&self.state).failures.push(Failure { worker, cause });
        self.stop();
    }

    pub(crate) fn panicked(&self, worker: &'static str, cause: Cause) {
        lock(&self.state).failures.push(Failure { worker, cause });
        if self.options.on_panic == OnPanic::StopAll {
            self.stop();
        }
    }

    /// How many messages no route carries.
    pub(crate) fn unrouted(&self) -> u64 {
        self.unrouted.load(Ordering::Relaxed)
    }

    pub(crate) fn count_unrouted(&self) {
        self.unrouted.fetch_add(1, Ordering::Relaxed);
    }

    #[cold]
    pub(crate) fn report(&self, report: Report) {
        match &report {
            Report::Undecodable { .. } => self.undecodable.fetch_add(1, Ordering::Relaxed),
            Report::Unsent { .. } => self.unsent.fetch_add(1, Ordering::Relaxed),
            Report::NotPinned { .. } | Report::Network { .. } | Report::Unrouted { .. } | Report::SentInLoop { .. } => {
                0
            }
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
        drop(state);
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
pub(crate) trait Ending: Send + Sync {
    /// Begins the stop, unless it has begun.
    fn stop(&self);

    /// Whether every worker has left.
    fn is_over(&self) -> bool;

    /// Waits until every worker has left, or a stop has been over its deadline for a while.
    fn wait(&self);

    /// What there is to say at the end.
    fn conclude(&self) -> Result<Summary, RunError>;
}

/// The deadline of a stop at which the clock panicked.
const UNKNOWN: Time = Time::from_nanos(u64::MAX);

/// How long after a stop's deadline a worker counts as stuck: the time its last batch may take.
const GRACE: Duration = Duration::from_secs(1);

impl<B: MessageBus> Ending for Lifecycle<B> {
    fn stop(&self) {
        Lifecycle::stop(self);
    }

    fn is_over(&self) -> bool {
        lock(&self.state).live.is_empty()
    }

    fn wait(&self) {
        // A stop wakes nobody here, so look again from time to time.
        let most = Duration::from_millis(50);
        let mut broken = None;
        loop {
            let running = self.phase.load(Ordering::Relaxed) == RUNNING;
            // Asked without the lock: the clock is the user's.
            let left = if running { most } else { self.time_left(&mut broken) };
            let state = lock(&self.state);
            if state.live.is_empty() || (left.is_zero() && state.counting == 0) {
                return;
            }
            let pause = if left.is_zero() { most } else { left.min(most) };
            drop(self.left.wait_timeout(state, pause).unwrap_or_else(std::sync::PoisonError::into_inner));
        }
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
        let mut failures = std::mem::take(&mut state.failures);
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
