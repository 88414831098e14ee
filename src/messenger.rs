//! The root object: it starts the workers of a routing table on a bus, stops them, and returns their outcome.
//!
//! It names no bus and no handler. [`Messenger!`](crate::Messenger) makes the type that users hold, which lends them
//! [`Messenger`]'s methods.

use crate::blame::{caught, dropped};
use crate::routing::{Launch, Roster, Rows, Table, Topology};
use crate::traits::{MessageBus, NoWriter, Reader, RequeueError, Stats, SubscribeError, Unread, WriteError};
use handles::Running;
use lifecycle::{Ending, Lifecycle};
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::thread;
use worker::{Restart, Seed, Worker};

mod attached;
#[cfg(feature = "async")]
mod door;
mod handles;
pub(crate) mod lifecycle;
mod options;
pub(crate) mod outbox;
mod outcome;
mod outside;
mod tap;
mod worker;

pub use crate::blame::Place;
pub use attached::Attached;
#[cfg(feature = "async")]
pub use door::{AsyncTap, AsyncWriter};
pub use handles::{JoinHandles, Workers};
pub use options::{Budget, OnPanic, Options, SystemClock};
pub use outcome::{Cause, Failure, Left, RunError, StartError, Summary};
pub use outside::OutsideWriter;
pub use tap::Tap;
pub use worker::{Drive, Step};

/// The handlers of the routing table `T` on the bus `B`. [`Messenger!`](crate::Messenger) makes the type that you use.
///
/// ```
/// use rust_messenger::{CircularBus, Handle, Handler, Messenger, New, Sender, Writer};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Hello;
/// rust_messenger::serde_message!(Hello, 1);
///
/// struct Greeter;
///
/// impl Handler for Greeter {
///     type Id = u16;
///     const ID: u16 = 1;
///
///     fn on_start<W: Writer>(&mut self, writer: &W) {
///         Self::send(&Hello, writer);
///     }
/// }
///
/// impl New<()> for Greeter {
///     fn new<W: Writer>(_: &(), _: &W) -> Self {
///         Greeter
///     }
/// }
///
/// impl Handle<Hello> for Greeter {
///     fn handle<W: Writer>(&mut self, _: &Hello, writer: &W) {
///         writer.stop();
///     }
/// }
///
/// Messenger! {
///     (),
///     Worker:
///         handlers: [ greeter: Greeter ]
///         routes: [ Greeter, Hello: [ greeter ] ]
/// }
///
/// let messenger = Messenger::new(CircularBus::new(64 * 1024)?);
/// let summary = messenger.run(&()).join()?;
/// assert_eq!(summary.unsent, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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

    /// A messenger on `bus` with these options.
    pub fn with_options(bus: B, options: Options) -> Self {
        Messenger { lifecycle: Arc::new(Lifecycle::new(bus, options)), table: PhantomData }
    }

    /// Starts one thread per worker, with the worker's name. Subscribes all workers before it makes the first handler;
    /// each worker makes its own handlers, and none starts them before all are made. Does not wait for that.
    ///
    /// If the start fails, [`JoinHandles::join`] returns the error; [`try_run`](Self::try_run) returns it at once.
    pub fn run<C>(&self, config: &C) -> JoinHandles
    where
        T: Topology<C>,
        C: Clone + Send + 'static,
    {
        self.spawn(config).unwrap_or_else(|error| JoinHandles { running: Err(Some(error)) })
    }

    /// As [`run`](Self::run), but waits until every worker has made its handlers, and returns a failed start.
    ///
    /// It waits for as long as they take. A [`stop`](Self::stop) ends the wait: if some worker still makes its handlers
    /// at the deadline of the stop, `try_run` returns the handles, and [`JoinHandles::join`] says which worker that is
    /// ([`Cause::Stuck`]). A handler that panics as it is made is no failed start: its worker ends, and `join` returns
    /// the panic; with [`OnPanic::Isolate`] the other workers run without it.
    ///
    /// # Errors
    ///
    /// [`StartError`]: the messenger has made no handler, or has dropped them all again, and none of them started.
    ///
    /// ```
    /// use rust_messenger::messenger::StartError;
    /// use rust_messenger::prelude::*;
    ///
    /// struct Venue;
    /// handler!(Venue, 1);
    ///
    /// impl Venue {
    ///     fn open(port: &str) -> Result<Venue, std::num::ParseIntError> {
    ///         port.parse::<u16>().map(|_| Venue)
    ///     }
    /// }
    ///
    /// #[derive(Clone)]
    /// struct Config {
    ///     port: String,
    /// }
    ///
    /// Messenger! {
    ///     Config,
    ///     Market:
    ///         handlers: [ #[allow(unrouted)] venue: Venue = |config| Venue::open(&config.port)? ]
    ///         routes: []
    /// }
    ///
    /// let messenger = Messenger::new(CircularBus::new(64 * 1024)?);
    /// let error = messenger.try_run(&Config { port: "none".to_owned() }).unwrap_err();
    /// assert!(matches!(error, StartError::Handler { worker: "Market", handler: "venue", .. }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_run<C>(&self, config: &C) -> Result<JoinHandles, StartError>
    where
        T: Topology<C>,
        C: Clone + Send + 'static,
    {
        let handles = self.spawn(config)?;
        self.lifecycle.wait_until_made();
        match self.lifecycle.refusal() {
            None => Ok(handles),
            Some(error) => {
                // Waits for the workers, which drop their handlers.
                drop(handles);
                Err(error)
            }
        }
    }

    /// Starts the workers' threads.
    fn spawn<C>(&self, config: &C) -> Result<JoinHandles, StartError>
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
        if let Some((worker, error)) = refused {
            // The workers that have a thread wait for those that have none. Now they leave.
            self.lifecycle.refuse(StartError::Thread { worker, error });
        }
        Ok(JoinHandles { running: Ok(Running { threads, ending, joined: false }) })
    }

    /// Makes the workers without threads: the caller [steps](Drive::step) them. Subscribes all of them; each makes its
    /// handlers in its first step, and is idle until all of them have made theirs.
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
        let options = &self.lifecycle.options;
        let named = options.workers.iter().flatten().chain(options.on_panic_of.iter().map(|(worker, _)| worker));
        let is_unknown = |worker: &&&str| !T::ROWS.table.workers.iter().any(|known| known.name == **worker);
        if let Some(worker) = named.into_iter().find(is_unknown) {
            let known = T::ROWS.table.workers.iter().map(|known| known.name).collect();
            return Err(StartError::UnknownWorker { worker, known });
        }
        if options.workers.as_ref().is_some_and(Vec::is_empty) {
            return Err(StartError::NoWorkers);
        }
        if !self.lifecycle.start() {
            return Err(StartError::RanBefore);
        }
        let (rows, table) = (Some(T::ROWS), T::ROWS.table);
        let mut planner = Planner::<B, C, M> { lifecycle: &self.lifecycle, config, rows, table, made: Vec::new() };
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

    /// Makes a place among the workers for a thread of your own: [`JoinHandles::join`] waits for it, counts what it
    /// leaves, and returns its failure. Errors and the summary show its name.
    ///
    /// # Errors
    ///
    /// [`StartError::RanBefore`]: the messenger runs already, or has run. What is expected is known before.
    pub fn attach(&self, name: &'static str) -> Result<Attached<B>, StartError> {
        let lifecycle = Arc::clone(&self.lifecycle);
        if lifecycle.attach(name) {
            Ok(Attached { name, lifecycle, has_left: false })
        } else {
            Err(StartError::RanBefore)
        }
    }

    /// Makes a writer for a thread outside the messenger. It names the source of each message itself.
    ///
    /// You may make it before the messenger runs. Until all workers are subscribed, it refuses to write
    /// ([`WriteError::NotStarted`]); they are when [`run`](Self::run), [`try_run`](Self::try_run) or
    /// [`workers`](Self::workers) returns. The writer of [`MessageBus::writer`] does not refuse: use it to fill a
    /// journal first.
    ///
    /// # Errors
    ///
    /// [`NoWriter`]: the bus is for one writer, and that one exists.
    ///
    /// [`WriteError::NotStarted`]: crate::traits::WriteError::NotStarted
    pub fn writer(&self) -> Result<OutsideWriter<B>, NoWriter> {
        Ok(OutsideWriter { writer: self.lifecycle.bus.writer()?, lifecycle: Arc::clone(&self.lifecycle) })
    }

    /// Makes a reader for a thread outside the messenger, to watch what goes over the bus. It holds nobody back: a
    /// [`Tap`] that is too slow misses messages, and says how many.
    ///
    /// It sees what is claimed from now on; make it before the messenger runs to miss nothing. On a journal it begins
    /// where `PersistentOptions` says for a reader of the name `tap`, but at the tail where that is to resume or to
    /// rebuild.
    ///
    /// ```
    /// use rust_messenger::traits::{Handle, Handler, New, ReadError, Sender, Writer};
    /// use rust_messenger::{CircularBus, Messenger};
    /// use std::time::Duration;
    ///
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Hello;
    /// rust_messenger::serde_message!(Hello, 1);
    ///
    /// struct Greeter;
    ///
    /// impl Handler for Greeter {
    ///     type Id = u16;
    ///     const ID: u16 = 1;
    ///
    ///     fn on_start<W: Writer>(&mut self, writer: &W) {
    ///         Self::send(&Hello, writer);
    ///     }
    /// }
    ///
    /// impl New<()> for Greeter {
    ///     fn new<W: Writer>(_: &(), _: &W) -> Self {
    ///         Greeter
    ///     }
    /// }
    ///
    /// impl Handle<Hello> for Greeter {
    ///     fn handle<W: Writer>(&mut self, _: &Hello, _: &W) {}
    /// }
    ///
    /// Messenger! {
    ///     (),
    ///     Worker:
    ///         handlers: [ greeter: Greeter ]
    ///         routes: [ Greeter, Hello: [ greeter ] ]
    /// }
    ///
    /// let messenger = Messenger::new(CircularBus::new(64 * 1024)?);
    /// let mut tap = messenger.tap()?;
    /// let handles = messenger.run(&());
    /// let seen = tap.read_timeout(Duration::from_secs(60), |header, _| (header.source, header.message));
    /// assert_eq!(seen, Ok((1, 1)));
    /// assert_eq!(tap.read_timeout(Duration::ZERO, |_, _| ()), Err(ReadError::Empty));
    /// messenger.stop();
    /// assert_eq!(tap.count(), 0);
    /// handles.join()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SubscribeError`]; of a bus of one's own that has no evictable readers, [`SubscribeError::NotEvictable`].
    pub fn tap(&self) -> Result<Tap<B>, SubscribeError> {
        let reader = self.lifecycle.bus.subscribe_evictable("tap")?;
        Ok(Tap { reader, lifecycle: Arc::clone(&self.lifecycle) })
    }

    /// Has a dead message come again: appends the message at `position` once more, with the source that it had. Use it
    /// when what broke the handler is cured. On a journal only, and once for each dead message, also after a restart.
    ///
    /// `position` is that of the message, [`DeadLetter::position`](crate::traits::DeadLetter::position); `rmsg journal
    /// dead` lists them. What comes again is a message like others, at a position of its own: it reaches **every**
    /// receiver of its route, also those that had handled it, and other nodes if its source is one of here. It has no
    /// cause. If it is dead again, there is a letter about it, and it may come again, too.
    ///
    /// Reads the journal from `position` to the end. A rebuild repeats what came of it, as of any other message.
    ///
    /// ```
    /// # #[cfg(all(unix, not(miri)))] { // Megabytes of memory take Miri many minutes.
    /// use rust_messenger::message_bus::{PersistentBus, PersistentOptions};
    /// use rust_messenger::messenger::{Budget, OnPanic, Step};
    /// use rust_messenger::prelude::*;
    /// use rust_messenger::traits::{DeadLetter, RequeueError, Supervisor};
    /// use std::sync::{Arc, Mutex};
    ///
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Order(u32);
    /// serde_message!(Order, 1);
    ///
    /// struct Desk; // Somebody outside.
    /// handler!(Desk, 1);
    ///
    /// #[derive(Clone, Default)]
    /// struct Shop {
    ///     open: Arc<Mutex<bool>>,
    ///     dead: Arc<Mutex<Vec<u64>>>,
    /// }
    ///
    /// struct Till(Shop);
    /// handler!(Till, 2);
    ///
    /// impl New<Shop> for Till {
    ///     fn new<W: Writer>(shop: &Shop, _: &W) -> Till {
    ///         Till(shop.clone())
    ///     }
    /// }
    ///
    /// impl TryHandle<Order> for Till {
    ///     type Error = &'static str;
    ///
    ///     fn try_handle<W: Writer>(&mut self, _: &Order, _: &W) -> Result<(), &'static str> {
    ///         if *self.0.open.lock().unwrap() { Ok(()) } else { Err("closed") }
    ///     }
    /// }
    ///
    /// impl Handle<DeadLetter> for Till {
    ///     fn handle<W: Writer>(&mut self, letter: &DeadLetter, _: &W) {
    ///         self.0.dead.lock().unwrap().push(letter.position);
    ///     }
    /// }
    ///
    /// Messenger! {
    ///     Shop,
    ///     Sales:
    ///         handlers: [ till: Till ]
    ///         routes: [ Desk, Order: [ till ], Supervisor, DeadLetter: [ till ] ]
    /// }
    ///
    /// let journal = PersistentOptions { capacity: 1 << 26, ..PersistentOptions::default() };
    /// let bus = PersistentBus::in_memory(journal.table(Messenger::table()))?;
    /// let options = Options { on_panic: OnPanic::Restart(Budget::default()), ..Options::default() };
    /// let (messenger, shop) = (Messenger::with_options(bus, options), Shop::default());
    /// let handles = messenger.run(&shop);
    /// Desk::try_send(&Order(7), &messenger.writer()?)?;
    /// while shop.dead.lock().unwrap().is_empty() {
    ///     std::thread::yield_now();
    /// }
    ///
    /// *shop.open.lock().unwrap() = true;
    /// let position = shop.dead.lock().unwrap()[0];
    /// messenger.requeue(position)?;
    /// assert!(matches!(messenger.requeue(position), Err(RequeueError::AlreadyRequeued { .. })));
    /// messenger.stop();
    /// assert_eq!(handles.join()?.dead, 1);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RequeueError`]. Before all workers are subscribed, and after a stop, it is one of [`RequeueError::Write`].
    pub fn requeue(&self, position: u64) -> Result<(), RequeueError> {
        if !self.lifecycle.is_subscribed() {
            return Err(RequeueError::Write(WriteError::NotStarted));
        }
        self.lifecycle.bus.requeue(position)
    }

    /// Stops the messenger: writers from outside get [`WriteError::Closed`], the workers handle what was written
    /// before, then they end. Idempotent; any thread may call it.
    ///
    /// [`WriteError::Closed`]: crate::traits::WriteError::Closed
    pub fn stop(&self) {
        self.lifecycle.stop();
    }

    /// The counters of the bus, and how many messages no route carried.
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
    table: &'static Table<'static>,
    made: Plan<M::Made>,
}

impl<B: MessageBus, C: Clone, M: Make<B, C>> Launch<C> for Planner<'_, B, C, M> {
    type Error = StartError;

    fn worker<R: Roster<C> + 'static>(&mut self) -> Result<(), StartError> {
        let (worker, bus) = (R::NAME, &self.lifecycle.bus);
        if self.lifecycle.options.workers.as_ref().is_some_and(|workers| !workers.contains(&worker)) {
            return Ok(());
        }
        let budget = self.lifecycle.options.budget(worker);
        if let Some(refused) = budget.and_then(|budget| budget.refused()) {
            return Err(StartError::Budget { worker, refused });
        }
        let panicked = |place| move |text| StartError::Panicked { worker, place, text };
        let reader = caught(|| bus.subscribe(worker)).map_err(panicked(Place::WaitStrategy))?;
        let mut reader = reader.map_err(|error| StartError::Subscribe { worker, error })?;
        let history = match budget {
            Some(_) => reader.supervise(worker, self.table.sources_of(worker)),
            None => Ok(false),
        };
        let history = history.map_err(|error| StartError::Subscribe { worker, error: error.into() })?;
        // On a bus for one writer, workers that are no source leave the place to the one that is. If others may be on
        // it, so may be those who receive what no route here carries.
        let is_source = R::IS_SOURCE || (bus.is_shared() && self.table.may_send_elsewhere(worker));
        let writer = (B::MANY_WRITERS || is_source).then(|| bus.worker_writer(&reader)).transpose();
        let writer = writer.map_err(|error| StartError::Writer { worker, error })?;
        let config = caught(|| self.config.clone()).map_err(panicked(Place::Config))?;
        let (rows, lifecycle) = (self.rows.take(), Arc::clone(self.lifecycle));
        let restart = budget.map(|budget| Restart { budget, history, table: self.table });
        self.made.push((worker, M::make::<R>(Seed { name: worker, reader, writer, config, rows, restart, lifecycle })));
        Ok(())
    }
}
