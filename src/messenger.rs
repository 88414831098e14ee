//! The root object: starts the workers of a routing table on a bus, stops them, and says how it went.
//!
//! Names no bus and no handler. [`Messenger!`](crate::Messenger) makes the type that users hold and lends it
//! [`Messenger`]'s methods.

use crate::blame::{caught, dropped};
use crate::lifecycle::{Ending, Lifecycle};
use crate::routing::{Launch, Roster, Rows, Topology};
use crate::traits::{MessageBus, Payload, Publish, Report, Stats, Time, Unread, WriteError, Writer, WriterError};
use crate::worker::{Drive, Seed, Step, Worker};
use std::error::Error;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::thread;

pub use crate::blame::Place;
pub use crate::lifecycle::{
    Cause, Failure, Left, OnPanic, OnReport, Options, RunError, StartError, Summary, SystemClock, TwoPollers,
};

/// The handlers of the routing table `T` on the bus `B`.
pub struct Messenger<B, T> {
    lifecycle: Arc<Lifecycle<B>>,
    table: PhantomData<fn() -> T>,
}

impl<B, T> fmt::Debug for Messenger<B, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messenger").finish_non_exhaustive()
    }
}

impl<B: MessageBus, T> Messenger<B, T> {
    /// A messenger on `bus` with the default [`Options`].
    pub fn new(bus: B) -> Self {
        Self::with_options(bus, Options::default())
    }

    /// A messenger on `bus`.
    pub fn with_options(bus: B, options: Options) -> Self {
        Messenger { lifecycle: Arc::new(Lifecycle::new(bus, options)), table: PhantomData }
    }

    /// Starts one thread per worker, named after it. All workers are subscribed before the first handler is made.
    ///
    /// A start that failed is what [`JoinHandles::join`] returns; [`try_run`](Self::try_run) returns it at once.
    pub fn run<C>(&self, config: &C) -> JoinHandles
    where
        T: Topology<C>,
        C: Clone + Send + 'static,
    {
        self.try_run(config).unwrap_or_else(|error| JoinHandles { running: Err(Some(error)) })
    }

    /// Starts one thread per worker, named after it. All workers are subscribed before the first handler is made.
    ///
    /// # Errors
    ///
    /// [`StartError`]; no handler was made, or all that were are gone again.
    pub fn try_run<C>(&self, config: &C) -> Result<JoinHandles, StartError>
    where
        T: Topology<C>,
        C: Clone + Send + 'static,
    {
        let plan = self.plan::<C, Threads>(config)?;
        let ending = Arc::clone(&self.lifecycle) as Arc<dyn Ending>;
        let mut threads = Vec::new();
        let mut refused = None;
        for (worker, body) in plan {
            // A body that no thread takes is dropped, and with it all that the worker holds on the bus.
            let spawned = match refused {
                None => {
                    let builder = thread::Builder::new().name(worker.to_owned());
                    let spawned = caught(|| builder.spawn(body)).unwrap_or_else(|text| Err(io::Error::other(text)));
                    spawned.map_err(|error| Some((worker, error)))
                }
                Some(_) => {
                    let _ = dropped(body);
                    Err(None)
                }
            };
            match spawned {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    self.lifecycle.leave(worker, Unread::default(), 0, true);
                    refused = refused.or(error);
                }
            }
        }
        // Dropped on an error: the workers that did start stop again.
        let handles = JoinHandles { running: Ok(Running { threads, ending, joined: false }) };
        match refused {
            None => Ok(handles),
            Some((worker, error)) => Err(StartError::Thread { worker, error }),
        }
    }

    /// Makes the workers without threads: whoever holds them [steps](Drive::step) them. All are subscribed; handlers
    /// are made in the first step.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub fn workers<C>(&self, config: &C) -> Result<Workers, StartError>
    where
        T: Topology<C>,
        C: Clone + 'static,
    {
        let workers = self.plan::<C, Steps>(config)?.into_iter().map(|(_, make)| make()).collect();
        Ok(Workers { workers, ended: 0, ending: Arc::clone(&self.lifecycle) as Arc<dyn Ending> })
    }

    /// Subscribes every worker of the table, then counts on them.
    fn plan<C, M>(&self, config: &C) -> Result<Plan<M::Made>, StartError>
    where
        T: Topology<C>,
        C: Clone,
        M: Make<B, C>,
    {
        if !self.lifecycle.start() {
            return Err(StartError::RanBefore);
        }
        let rows = Some(T::ROWS);
        let mut planner = Planner::<B, C, M> { lifecycle: &self.lifecycle, config, rows, made: Vec::new() };
        match T::launch(&mut planner) {
            Ok(()) => {
                self.lifecycle.expect(planner.made.iter().map(|(worker, _)| *worker));
                Ok(planner.made)
            }
            Err(error) => {
                for (_, worker) in planner.made {
                    // There are no workers yet that could say so.
                    let _ = dropped(worker);
                }
                self.lifecycle.start_again();
                Err(error)
            }
        }
    }

    /// A writer for a thread outside: what it writes carries the source that it names.
    ///
    /// It may be had before the messenger runs, to be handed on. But until all workers are subscribed, which they are
    /// when [`run`](Self::run), [`try_run`](Self::try_run) or [`workers`](Self::workers) returns, whatever is written
    /// with it is refused: [`WriteError::NotStarted`]. [`MessageBus::writer`] refuses nothing, and is for filling a
    /// journal first.
    ///
    /// # Errors
    ///
    /// [`WriterError`]: the bus is for one writer, and it exists.
    pub fn writer(&self) -> Result<OutsideWriter<B>, WriterError> {
        Ok(OutsideWriter { writer: self.lifecycle.bus.writer()?, lifecycle: Arc::clone(&self.lifecycle) })
    }

    /// Begins to stop: writers from outside get [`WriteError::Closed`], what was written before is still handled, then
    /// every worker ends. Idempotent, and callable from anywhere.
    pub fn stop(&self) {
        self.lifecycle.stop();
    }

    /// The counters of the bus, and of what no route carries.
    pub fn stats(&self) -> Stats {
        Stats { unrouted: self.lifecycle.unrouted(), ..self.lifecycle.bus.stats() }
    }
}

type Plan<M> = Vec<(&'static str, M)>;

/// What becomes of a worker of the table once all are subscribed: a thread's body, or something to step.
trait Make<B: MessageBus, C> {
    type Made;

    fn make<R: Roster<C> + 'static>(seed: Seed<B, C>) -> Self::Made;
}

struct Threads;
struct Steps;

impl<B: MessageBus, C: Send + 'static> Make<B, C> for Threads {
    type Made = Box<dyn FnOnce() + Send>;

    fn make<R: Roster<C> + 'static>(seed: Seed<B, C>) -> Self::Made {
        Box::new(move || {
            let mut worker = Worker::<B, R, C>::new(seed);
            worker.pin();
            loop {
                match worker.step() {
                    Step::Worked => {}
                    Step::Idle => worker.wait(),
                    Step::Finished => return,
                }
            }
        })
    }
}

impl<B: MessageBus, C: 'static> Make<B, C> for Steps {
    type Made = Box<dyn FnOnce() -> Box<dyn Drive>>;

    fn make<R: Roster<C> + 'static>(seed: Seed<B, C>) -> Self::Made {
        Box::new(|| Box::new(Worker::<B, R, C>::new(seed)))
    }
}

struct Planner<'a, B: MessageBus, C, M: Make<B, C>> {
    lifecycle: &'a Arc<Lifecycle<B>>,
    config: &'a C,
    /// For the first worker: every worker reads every message, so one of them counts what none of them takes.
    rows: Option<&'static Rows>,
    made: Plan<M::Made>,
}

impl<B: MessageBus, C: Clone, M: Make<B, C>> Launch<C> for Planner<'_, B, C, M> {
    type Error = StartError;

    fn worker<R: Roster<C> + 'static>(&mut self) -> Result<(), StartError> {
        let (worker, bus) = (R::NAME, &self.lifecycle.bus);
        let panicked = |place| move |text| StartError::Panicked { worker, place, text };
        let reader = caught(|| bus.subscribe(worker)).map_err(panicked(Place::WaitStrategy))?;
        let reader = reader.map_err(|error| StartError::Subscribe { worker, error })?;
        // On a bus for one writer, workers that are no source leave the place to the one that is.
        let writer = (B::MANY_WRITERS || R::IS_SOURCE).then(|| bus.worker_writer(&reader)).transpose();
        let writer = writer.map_err(|error| StartError::Writer { worker, error })?;
        let config = caught(|| self.config.clone()).map_err(panicked(Place::Config))?;
        let (rows, lifecycle) = (self.rows.take(), Arc::clone(self.lifecycle));
        self.made.push((worker, M::make::<R>(Seed { name: worker, reader, writer, config, rows, lifecycle })));
        Ok(())
    }
}

/// The running workers of a messenger. Dropping it stops them and joins.
#[must_use = "dropping the handles stops the messenger"]
pub struct JoinHandles {
    /// Or why there is nothing to join, until that is said.
    running: Result<Running, Option<StartError>>,
}

struct Running {
    threads: Vec<thread::JoinHandle<()>>,
    ending: Arc<dyn Ending>,
    joined: bool,
}

impl fmt::Debug for JoinHandles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandles").field("started", &self.running.is_ok()).finish_non_exhaustive()
    }
}

impl JoinHandles {
    /// Waits until every worker has ended, after a [`stop`](Messenger::stop) until the deadline of [`Options::drain`].
    ///
    /// # Errors
    ///
    /// [`RunError`]: a handler panicked, failed or did not return, an outbox overflowed, or the start failed. What
    /// else there is to say is in its summary.
    pub fn join(mut self) -> Result<Summary, RunError> {
        match &mut self.running {
            Ok(running) => {
                running.join_threads();
                running.ending.conclude()
            }
            Err(error) => {
                let failure = error.take().map(|error| Failure { worker: "", cause: Cause::Start(error) });
                Err(RunError { failures: failure.into_iter().collect(), summary: Summary::default() })
            }
        }
    }

    /// Whether every worker has ended.
    pub fn is_finished(&self) -> bool {
        self.running.as_ref().is_ok_and(|running| running.ending.is_over()) || self.running.is_err()
    }
}

impl Running {
    fn join_threads(&mut self) {
        self.joined = true;
        self.ending.wait();
        let over = self.ending.is_over();
        for thread in self.threads.drain(..) {
            // A thread whose handler does not return is left behind. Panics were caught in the worker.
            if over || thread.is_finished() {
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.joined {
            self.ending.stop();
            self.join_threads();
        }
    }
}

/// The workers of a messenger without threads. Dropping it ends them where they stand.
pub struct Workers {
    workers: Vec<Box<dyn Drive>>,
    /// How many of them had ended when they were stepped last.
    ended: usize,
    ending: Arc<dyn Ending>,
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("workers", &self.workers.len()).finish_non_exhaustive()
    }
}

impl Workers {
    /// The workers, in the order of the table, to be stepped in any order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut dyn Drive> {
        self.workers.iter_mut().map(|worker| &mut **worker as &mut dyn Drive)
    }

    /// Steps every worker once. [`Step::Worked`] if one of them did something, [`Step::Finished`] when all have ended.
    pub fn step(&mut self) -> Step {
        let (mut worked, mut ended) = (false, 0);
        for worker in &mut self.workers {
            match worker.step() {
                Step::Worked => worked = true,
                Step::Idle => {}
                Step::Finished => ended += 1,
            }
        }
        // Whoever ends gives back what the others may wait for.
        worked |= std::mem::replace(&mut self.ended, ended) != ended;
        if ended == self.workers.len() {
            Step::Finished
        } else if worked {
            Step::Worked
        } else {
            Step::Idle
        }
    }

    /// Ends workers that have not ended, and says how it went.
    ///
    /// # Errors
    ///
    /// As [`JoinHandles::join`].
    pub fn conclude(self) -> Result<Summary, RunError> {
        drop(self.workers);
        self.ending.conclude()
    }
}

/// A [`Writer`] for threads outside of a messenger. Each thread has its own.
pub struct OutsideWriter<B: MessageBus> {
    writer: B::Writer,
    lifecycle: Arc<Lifecycle<B>>,
}

impl<B: MessageBus> fmt::Debug for OutsideWriter<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutsideWriter").finish_non_exhaustive()
    }
}

impl<B: MessageBus<Writer: Clone>> Clone for OutsideWriter<B> {
    fn clone(&self) -> Self {
        OutsideWriter { writer: self.writer.clone(), lifecycle: Arc::clone(&self.lifecycle) }
    }
}

impl<B: MessageBus> Publish for OutsideWriter<B> {
    #[inline]
    fn try_put<P: Payload>(&self, source: u16, message: u16, payload: &mut P) -> Result<(), WriteError> {
        if !self.lifecycle.is_subscribed() {
            return Err(WriteError::NotStarted);
        }
        self.writer.try_put(source, message, payload)
    }

    fn wait_for_room(&self, size: usize) {
        self.writer.wait_for_room(size);
    }
}

impl<B: MessageBus> Writer for OutsideWriter<B> {
    fn now(&self) -> Time {
        self.lifecycle.now()
    }

    fn stop(&self) {
        self.lifecycle.stop();
    }

    fn fail(&self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        self.lifecycle.failed("", Cause::Failed { handler: "outside", error: error.into() });
    }

    fn report(&self, report: Report) {
        self.lifecycle.report(report);
    }

    fn max_payload(&self) -> usize {
        self.lifecycle.bus.max_payload()
    }
}
