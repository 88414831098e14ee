//! Waiting: what a reader does between two messages, and what wakes it.
//!
//! A [`WaitStrategy`] says how long a reader stays awake; then it sleeps in a `Waiters`. A sleeper announces itself,
//! passes a heavy barrier and looks once more; a waker makes its change, passes a light barrier and looks for sleepers.
//! At least one of them sees the other, and while nobody sleeps a waker pays one load.

use self::across::Across;
use self::pollers::{Pollers, notify};
use crate::mmap::Front;
use crate::sync::{
    AtomicU64, Barrier, Condvar, Mutex, MutexGuard, Ordering, Thread, keep_order, lock, spin_loop, yield_now,
};
use crate::traits::{Interest, Poller, Reader};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) mod across;
mod pollers;

/// What a reader does after a look that found nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Idle {
    /// Look again.
    Again,
    /// Sleep until a writer, a timer or a stop wakes it.
    Park,
}

/// How a reader waits for the next message. Choose the type with [`CircularBus::waiting`](super::CircularBus::waiting)
/// or `PersistentBus::waiting`.
///
/// ```
/// use rust_messenger::CircularBus;
/// use rust_messenger::message_bus::wait::{Idle, WaitStrategy};
///
/// /// Looks a thousand times, then sleeps.
/// #[derive(Debug, Default)]
/// struct Patient(u32);
///
/// impl WaitStrategy for Patient {
///     fn begin(&mut self, _handled: u64) {
///         self.0 = 0;
///     }
///
///     fn idle(&mut self) -> Idle {
///         self.0 += 1;
///         std::hint::spin_loop();
///         if self.0 < 1000 { Idle::Again } else { Idle::Park }
///     }
/// }
///
/// let bus = CircularBus::new(64 * 1024)?.waiting::<Patient>();
/// # let _ = bus;
/// # Ok::<(), rust_messenger::message_bus::BusError>(())
/// ```
pub trait WaitStrategy: Default + std::fmt::Debug + Send + 'static {
    /// A wait begins; the reader has read `handled` messages since the last one began. Provided: does nothing.
    fn begin(&mut self, handled: u64) {
        let _ = handled;
    }

    /// A look found nothing. This method may spin, pause or yield before it returns.
    fn idle(&mut self) -> Idle;
}

/// The default: spins as long as a prompt answer takes, then pauses for about a microsecond at a time, then yields,
/// then sleeps.
///
/// A reader that polls the cache line under a writer slows everybody down by up to five times. So now and then a wait
/// begins with a pause. While pauses pay with batches of messages, waits go on beginning so. When a pause does not pay,
/// waits begin by spinning again, and the next try comes after twice as many of them: a conversation of single messages
/// keeps its short answers.
///
/// Spinning keeps a writer from writing that waits for the same core. So after a wait that a yield has ended, the next
/// one begins with yields, for as long as they pay.
///
/// ```
/// let bus = rust_messenger::CircularBus::new(64 * 1024)?; // Its readers wait like this.
/// # let _ = bus;
/// # Ok::<(), rust_messenger::message_bus::BusError>(())
/// ```
#[derive(Debug)]
pub struct Adaptive {
    /// Looks of this wait, those of its first yields aside if they did not pay.
    looks: u32,
    /// Whether this wait begins with yields, which it does no more once they did not pay.
    yielding: bool,
    /// Whether the last yield gave the core back soon.
    prompt: bool,
    /// Whether this wait begins with a pause.
    pausing: bool,
    /// Waits until pausing is tried again.
    untried: u32,
    /// What `untried` begins with after the next failure.
    backoff: u32,
}

impl Adaptive {
    const SPINS: u32 = 100;
    const PAUSES: u32 = 50;
    const YIELDS: u32 = 5;
    /// Yields that a wait begins with where they pay: each of several threads on the core may need a turn or two.
    const FIRST_YIELDS: u32 = 20;
    /// A yield that takes longer gives the core to somebody else's work, and spinning first costs little beside that.
    const LONG: Duration = Duration::from_micros(200);
    /// A pause that finds so many messages was worth it.
    const BATCH: u64 = 4;
    const BACKOFF: u32 = 16;
    const BACKOFF_MAX: u32 = 4096;

    /// How many looks this wait spins between.
    #[inline]
    fn spins(&self) -> u32 {
        if self.pausing { 0 } else { Self::SPINS }
    }

    /// Lets others have the core.
    fn give_way(&mut self) {
        let since = Instant::now();
        yield_now();
        self.prompt = since.elapsed() < Self::LONG;
    }
}

impl Default for Adaptive {
    fn default() -> Self {
        let backoff = Self::BACKOFF;
        Adaptive { looks: 0, yielding: false, prompt: false, pausing: false, untried: backoff, backoff }
    }
}

impl WaitStrategy for Adaptive {
    #[inline]
    fn begin(&mut self, handled: u64) {
        let awake = self.spins() + Self::PAUSES;
        let yielded = self.yielding || (awake + 1..=awake + Self::YIELDS).contains(&self.looks);
        self.yielding = yielded && self.prompt;
        self.looks = 0;
        if !self.pausing {
            self.untried -= 1;
            self.pausing = self.untried == 0;
        } else if handled >= Self::BATCH {
            self.backoff = Self::BACKOFF;
        } else {
            self.pausing = false;
            self.untried = self.backoff;
            self.backoff = (self.backoff * 2).min(Self::BACKOFF_MAX);
        }
    }

    #[inline]
    fn idle(&mut self) -> Idle {
        self.looks += 1;
        if self.yielding {
            if self.looks <= Self::FIRST_YIELDS {
                self.give_way();
                return Idle::Again;
            }
            (self.yielding, self.looks) = (false, 1);
        }
        let spins = self.spins();
        if self.looks <= spins {
            spin_loop();
        } else if self.looks <= spins + Self::PAUSES {
            pause();
        } else if self.looks <= spins + Self::PAUSES + Self::YIELDS {
            self.give_way();
        } else {
            return Idle::Park;
        }
        Idle::Again
    }
}

/// Spins, and never gives up the core: the lowest latency, at the price of a core per reader.
///
/// ```
/// use rust_messenger::CircularBus;
/// use rust_messenger::message_bus::wait::Spin;
///
/// let bus = CircularBus::new(64 * 1024)?.waiting::<Spin>();
/// # let _ = bus;
/// # Ok::<(), rust_messenger::message_bus::BusError>(())
/// ```
#[derive(Debug, Default)]
pub struct Spin;

impl WaitStrategy for Spin {
    #[inline]
    fn idle(&mut self) -> Idle {
        spin_loop();
        Idle::Again
    }
}

/// Yields the core between looks and never sleeps: for more readers than cores.
///
/// ```
/// use rust_messenger::CircularBus;
/// use rust_messenger::message_bus::wait::Yield;
///
/// let bus = CircularBus::new(64 * 1024)?.waiting::<Yield>();
/// # let _ = bus;
/// # Ok::<(), rust_messenger::message_bus::BusError>(())
/// ```
#[derive(Debug, Default)]
pub struct Yield;

impl WaitStrategy for Yield {
    #[inline]
    fn idle(&mut self) -> Idle {
        yield_now();
        Idle::Again
    }
}

/// Sleeps at once.
///
/// ```
/// use rust_messenger::CircularBus;
/// use rust_messenger::message_bus::wait::Park;
///
/// let bus = CircularBus::new(64 * 1024)?.waiting::<Park>();
/// # let _ = bus;
/// # Ok::<(), rust_messenger::message_bus::BusError>(())
/// ```
#[derive(Debug, Default)]
pub struct Park;

impl WaitStrategy for Park {
    #[inline]
    fn idle(&mut self) -> Idle {
        Idle::Park
    }
}

/// Keeps the core for about a microsecond and touches no memory.
#[inline]
fn pause() {
    // A pause instruction takes 4 to 50 ns, by processor.
    for _ in 0..if cfg!(any(miri, rust_messenger_loom)) { 1 } else { 40 } {
        spin_loop();
    }
}

/// Where threads sleep until somebody changes something.
///
/// The words that say whether anybody sleeps belong to the caller, so that they can stand where the waker looks anyway.
#[derive(Debug)]
pub(crate) struct Waiters {
    /// Those that sleep in pollers of their own; the others sleep on `changed`.
    asleep: Pollers,
    changed: Condvar,
    barrier: Barrier,
    /// Where all of them sleep instead, if whoever wakes them may be in another process.
    across: Option<Box<Across>>,
}

impl Waiters {
    pub(crate) fn new() -> Waiters {
        Waiters::of(Barrier::detect(), None)
    }

    /// Where the threads of the attachment that has the place `number` sleep: they share the words that say so, and
    /// `futexes`, with other processes, all of which have this barrier.
    #[cfg_attr(
        not(all(target_os = "linux", not(rust_messenger_loom))),
        allow(dead_code, reason = "rings that processes share by name use it")
    )]
    pub(crate) fn across(futexes: Front<{ across::LEN }>, number: usize, barrier: Barrier) -> Waiters {
        Waiters::of(barrier, Some(Box::new(Across::at(futexes, number, barrier))))
    }

    fn of(barrier: Barrier, across: Option<Box<Across>>) -> Waiters {
        Waiters { asleep: Mutex::new(Vec::new()), changed: Condvar::new(), barrier, across }
    }

    /// Nobody sleeps here any more. Returns the thread that ends for that, if there was one.
    pub(crate) fn end(&self) -> Option<Thread> {
        self.across.as_ref()?.end()
    }

    /// What a word says on which nobody sleeps, as it is to begin with. Not 0 where wakers owe a fence, so that all of
    /// them come to where they pass it.
    pub(crate) fn nobody(&self) -> u64 {
        if self.barrier.is_asymmetric() { 0 } else { 2 }
    }

    /// Wakes everybody who sleeps on `sleepers`. To be called after the change that they wait for.
    #[inline(always)]
    pub(crate) fn notify(&self, sleepers: &AtomicU64) {
        keep_order(); // SYNC POINT wait.announce
        // A model does without this look: it orders nothing, and costs ten times as many executions.
        if cfg!(rust_messenger_loom) || sleepers.load(Ordering::Relaxed) != 0 {
            self.wake(sleepers);
        }
    }

    #[cold]
    #[inline(never)]
    fn wake(&self, sleepers: &AtomicU64) {
        if let Some(across) = &self.across {
            return across.wake(sleepers);
        }
        self.barrier.light(); // SYNC POINT wait.announce
        if sleepers.load(Ordering::Relaxed) == self.nobody() {
            return;
        }
        // Under the lock a sleeper has either not looked yet or is asleep for good, so none is missed. Nobody's, so
        // that a busy writer does not come this far again before the sleeper is back.
        let asleep = lock(&self.asleep);
        sleepers.store(self.nobody(), Ordering::Relaxed);
        notify(&self.asleep, asleep);
        self.changed.notify_all();
    }

    /// Sleeps until `ready`, for which the change comes that `interest` names, announced on each of `sleepers`. Returns
    /// what `ready` said last: false after `timeout`.
    pub(crate) fn park(
        &self,
        sleepers: &[&AtomicU64],
        interest: Interest,
        timeout: Option<Duration>,
        mut ready: impl FnMut() -> bool,
    ) -> bool {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        if let Some(across) = &self.across {
            return across.park(sleepers, interest, deadline, ready);
        }
        let mut asleep = lock(&self.asleep);
        loop {
            for word in sleepers {
                word.store(1, Ordering::Relaxed);
            }
            self.barrier.heavy(); // SYNC POINT wait.announce
            if ready() {
                return true;
            }
            match deadline {
                None => asleep = self.changed.wait(asleep).unwrap_or_else(std::sync::PoisonError::into_inner),
                Some(deadline) => match deadline.checked_duration_since(Instant::now()) {
                    None => return false,
                    Some(left) if left.is_zero() => return false,
                    Some(left) => asleep = self.wait_timeout(asleep, left),
                },
            }
            // Mostly woken for what it waits for: without another announcement and its barrier.
            if ready() {
                return true;
            }
        }
    }

    /// Sleeps in `poller` until it returns, announced on each of `sleepers`, unless `ready`.
    pub(crate) fn park_in(
        &self,
        poller: &Arc<dyn Poller>,
        sleepers: &[&AtomicU64],
        timeout: Option<Duration>,
        ready: impl FnOnce() -> bool,
    ) {
        /// Takes the poller out again, however its wait ends.
        struct InBed<'a>(&'a Pollers, &'a Arc<dyn Poller>);

        impl Drop for InBed<'_> {
            fn drop(&mut self) {
                lock(self.0).retain(|other| !Arc::ptr_eq(other, self.1));
            }
        }

        // Before the announcement: whoever reads that finds the poller here. A notification before the wait ends it.
        let pollers = self.across.as_ref().map_or(&self.asleep, |across| across.pollers());
        lock(pollers).push(Arc::clone(poller));
        let _in_bed = InBed(pollers, poller);
        match &self.across {
            Some(across) => across.announce_poller(sleepers),
            None => {
                for word in sleepers {
                    word.store(1, Ordering::Relaxed);
                }
                self.barrier.heavy(); // SYNC POINT wait.announce
            }
        }
        if !ready() {
            poller.wait(timeout);
        }
    }

    fn wait_timeout<'a, T>(&self, asleep: MutexGuard<'a, T>, left: Duration) -> MutexGuard<'a, T> {
        self.changed.wait_timeout(asleep, left).unwrap_or_else(std::sync::PoisonError::into_inner).0
    }
}

/// A reader that can sleep.
pub(crate) trait Sleeper: Reader {
    /// Whether [`wake`](crate::traits::MessageBus::wake) was called since the last wait.
    fn woken(&self) -> bool;

    /// Sleeps until a change of the kind named by `interest` makes `ready` true, or for `limit`. In a poller, until
    /// that returns.
    fn park(
        &mut self,
        poller: Option<&Arc<dyn Poller>>,
        interest: Interest,
        limit: Option<Duration>,
        ready: impl FnMut(&mut Self) -> bool,
    );
}

/// Whether to look a few times before sleeping, which takes longer than a prompt answer. When that did not pay, it is
/// tried again after twice as many waits.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    /// Waits until the next try.
    untried: u32,
    /// What `untried` begins with after the next failure.
    backoff: u32,
}

impl Patience {
    pub(crate) const LOOKS: u32 = if cfg!(any(miri, rust_messenger_loom)) { 1 } else { 40 };
    const BACKOFF_MAX: u32 = 1024;

    pub(crate) fn tries(&mut self) -> bool {
        self.untried = self.untried.saturating_sub(1);
        self.untried == 0
    }

    pub(crate) fn learn(&mut self, paid: bool) {
        self.backoff = if paid { 0 } else { (self.backoff * 2).clamp(2, Self::BACKOFF_MAX) };
        self.untried = self.backoff;
    }
}

/// The waiting of a reader whose thread sleeps in `poller`: one sleep.
pub(crate) fn wait_in<R: Sleeper>(
    reader: &mut R,
    patience: &mut Patience,
    poller: &Arc<dyn Poller>,
    interest: Interest,
    timeout: Option<Duration>,
    mut done: impl FnMut(&mut R) -> bool,
) {
    // Whoever waits here has just called handlers that may have written.
    if reader.woken() || done(reader) {
        return;
    }
    if poller.looks_first() && patience.tries() {
        let prompt = (0..Patience::LOOKS).any(|_| {
            yield_now();
            reader.woken() || done(reader) || poller.poll()
        });
        patience.learn(prompt);
        if prompt {
            return;
        }
    }
    let silent = reader.unblock();
    let limit = [timeout, silent].into_iter().flatten().min();
    reader.park(Some(poller), interest, limit, |reader| {
        reader.woken() || done(reader) || (silent.is_none() && reader.unblock().is_some())
    });
}

/// The waiting of every reader: stays awake as `strategy` says and sleeps after that, until `done`, a wake or
/// `timeout`.
pub(crate) fn wait_until<R: Sleeper>(
    reader: &mut R,
    strategy: &mut impl WaitStrategy,
    interest: Interest,
    timeout: Option<Duration>,
    mut done: impl FnMut(&mut R) -> bool,
) {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let mut ended = |reader: &mut R| reader.woken() || done(reader);
    let mut look = 0u32;
    loop {
        look = look.wrapping_add(1);
        // Idle first: whoever waits has just looked, and looking at a line that is being written is what costs.
        let parks = strategy.idle() == Idle::Park;
        if !parks && ended(reader) {
            return;
        }
        if !parks && !look.is_multiple_of(64) {
            continue;
        }
        let silent = reader.unblock();
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if parks {
            let limit = [left, silent].into_iter().flatten().min();
            // A claim that was made meanwhile may stay silent, and nobody wakes this thread for that.
            reader.park(None, interest, limit, |reader| {
                ended(reader) || (silent.is_none() && reader.unblock().is_some())
            });
            if ended(reader) {
                return;
            }
        }
        if left.is_some_and(|left| left.is_zero()) {
            return;
        }
    }
}

#[cfg(all(test, not(rust_messenger_loom)))]
mod tests;
