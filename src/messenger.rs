//! The root object: starts the workers of a routing table on a bus, stops them, and says how it went.
//!
//! Names no bus and no handler. [`Messenger!`](crate::Messenger) makes the type that users hold and lends it
//! [`Messenger`]'s methods.

use crate::blame::{caught, dropped};
use crate::routing::{Launch, Roster, Rows, Topology};
use crate::traits::{MessageBus, NoWriter, Stats, Unread};
use handles::Running;
use lifecycle::{Ending, Lifecycle};
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::thread;
use worker::{Seed, Worker};

mod handles;
mod lifecycle;
mod options;
mod outbox;
mod outcome;
mod outside;
mod worker;

pub use crate::blame::Place;
pub use handles::{JoinHandles, Workers};
pub use options::{OnPanic, OnReport, Options, SystemClock};
pub use outcome::{Cause, Failure, Left, RunError, StartError, Summary, TwoPollers};
pub use outside::OutsideWriter;
pub use worker::{Drive, Step};

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
    /// [`NoWriter`]: the bus is for one writer, and it exists.
    ///
    /// [`WriteError::NotStarted`]: crate::traits::WriteError::NotStarted
    pub fn writer(&self) -> Result<OutsideWriter<B>, NoWriter> {
        Ok(OutsideWriter { writer: self.lifecycle.bus.writer()?, lifecycle: Arc::clone(&self.lifecycle) })
    }

    /// Begins to stop: writers from outside get [`WriteError::Closed`], what was written before is still handled, then
    /// every worker ends. Idempotent, and callable from anywhere.
    ///
    /// [`WriteError::Closed`]: crate::traits::WriteError::Closed
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
