//! The one door to atomics, fences, locks and threads: std's, or loom's when a model is checked.
//!
//! Nothing else in the crate names `std::sync::atomic` or `std::thread`. The cfg is `rust_messenger_loom` rather than
//! `loom`, because a bare `--cfg loom` reaches into dependencies.

#[cfg(not(rust_messenger_loom))]
mod door {
    pub(crate) use std::hint::spin_loop;
    #[cfg(all(target_os = "linux", not(miri)))]
    pub(crate) use std::sync::atomic::AtomicU32;
    pub(crate) use std::sync::atomic::{AtomicU64, Ordering, fence};
    pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard};
    #[cfg(test)]
    pub(crate) use std::thread::scope;
    pub(crate) use std::thread::{Builder, JoinHandle, yield_now};
}

#[cfg(rust_messenger_loom)]
mod door {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};
    pub(crate) use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
    pub(crate) use loom::thread::{Builder, JoinHandle, yield_now};

    /// A spinning thread has nothing to do until another one moves, and the model checker must be told so.
    pub(crate) fn spin_loop() {
        yield_now();
    }
}

pub(crate) use crossbeam_utils::CachePadded;
pub(crate) use door::*;
pub(crate) use std::thread::panicking;

/// Locks, ignoring poison: every critical section of the crate leaves its data whole before it can panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Sleeps for `time`, for want of anybody who would wake this thread.
pub(crate) fn nap(time: std::time::Duration) {
    #[expect(clippy::disallowed_methods, reason = "by a bus that wakes no writer, its writers can only look again")]
    std::thread::sleep(time);
}

/// For tests of users.
#[cfg(feature = "testing")]
pub(crate) mod testing {
    /// How this thread is called.
    pub(crate) fn thread_name() -> Option<String> {
        std::thread::current().name().map(str::to_owned)
    }
}

/// A thread that works in the background.
#[cfg_attr(not(unix), allow(dead_code, reason = "keepers of journals, and doors for tasks"))]
pub(crate) type Thread = JoinHandle<()>;

/// Starts a thread that works in the background.
pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> std::io::Result<Thread> {
    Builder::new().name(name.to_owned()).spawn(body)
}

/// Nanoseconds since 1970 by a clock that never goes back: the system's time when it was asked first, and the monotonic
/// clock from then on.
pub(crate) fn unix_nanos() -> u64 {
    use std::sync::OnceLock;
    use std::time::{Instant, SystemTime, UNIX_EPOCH};
    static ORIGIN: OnceLock<(Instant, u64)> = OnceLock::new();
    let (start, nanos) = *ORIGIN.get_or_init(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        (Instant::now(), u64::try_from(since.as_nanos()).unwrap_or(0))
    });
    nanos.saturating_add(start.elapsed().as_nanos() as u64)
}

/// Keeps the compiler from moving a load before a store. The processor may.
#[inline(always)]
pub(crate) fn keep_order() {
    std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst); // SYNC POINT wait.announce
}

/// The two halves of a store-then-load handshake in which one side is hot and the other is about to sleep.
///
/// Each side stores its word and then loads the other's; at least one of the two must see the other's store. That
/// needs a full fence between store and load on both sides, or, where the kernel offers it, nothing on the hot side
/// and `membarrier` on the slow one, which makes every running thread of the process pass a full fence: of this one, or
/// of all that share memory and have asked for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Barrier {
    asymmetric: bool,
    /// Whether the other side may be in another process.
    shared: bool,
}

impl Barrier {
    /// The cheapest pair this system offers; asked once per process.
    pub(crate) fn detect() -> Self {
        Barrier { asymmetric: heavy::register(), shared: false }
    }

    /// The pair for memory that processes share, each of which must have called this. There are no two kinds of it, for
    /// the processes would have to agree on one.
    ///
    /// # Errors
    ///
    /// What the system says that has no such barrier, or forbids it.
    #[cfg_attr(
        not(all(target_os = "linux", not(rust_messenger_loom))),
        expect(dead_code, reason = "rings that processes share by name use it")
    )]
    pub(crate) fn shared() -> std::io::Result<Self> {
        Ok(Barrier { asymmetric: heavy::register_shared()?, shared: true })
    }

    /// The pair for systems that offer nothing better.
    #[cfg(test)]
    pub(crate) fn symmetric() -> Self {
        Barrier { asymmetric: false, shared: false }
    }

    /// Whether [`keep_order`] is all that the hot side owes.
    pub(crate) fn is_asymmetric(self) -> bool {
        self.asymmetric
    }

    /// The hot side: between its store and its load.
    #[inline(always)]
    pub(crate) fn light(self) {
        if self.asymmetric {
            keep_order(); // SYNC POINT wait.announce
        } else {
            fence(Ordering::SeqCst); // SYNC POINT wait.announce
        }
    }

    /// The slow side: between its store and its load.
    pub(crate) fn heavy(self) {
        if self.asymmetric {
            heavy::issue(self.shared);
        } else {
            fence(Ordering::SeqCst); // SYNC POINT wait.announce
        }
    }
}

/// `membarrier(2)`, expedited, private or global: <https://man7.org/linux/man-pages/man2/membarrier.2.html>.
#[cfg(all(target_os = "linux", not(miri), not(rust_messenger_loom)))]
mod heavy {
    use rustix::thread::{MembarrierCommand, membarrier};
    use std::sync::OnceLock;

    pub(super) fn register() -> bool {
        static REGISTERED: OnceLock<bool> = OnceLock::new();
        *REGISTERED.get_or_init(|| membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok())
    }

    pub(super) fn register_shared() -> std::io::Result<bool> {
        static REGISTERED: OnceLock<Result<(), rustix::io::Errno>> = OnceLock::new();
        (*REGISTERED.get_or_init(|| membarrier(MembarrierCommand::RegisterGlobalExpedited)))?;
        Ok(true)
    }

    pub(super) fn issue(shared: bool) {
        use MembarrierCommand::{GlobalExpedited, PrivateExpedited};
        // A registered process cannot be refused; should a kernel do it all the same, a sleeper would only sleep
        // until its own timeout, and the fence still covers every machine that does not reorder stores and loads.
        if membarrier(if shared { GlobalExpedited } else { PrivateExpedited }).is_err() {
            super::fence(super::Ordering::SeqCst); // SYNC POINT wait.announce
        }
    }
}

#[cfg(not(all(target_os = "linux", not(miri), not(rust_messenger_loom))))]
mod heavy {
    pub(super) fn register() -> bool {
        false
    }

    /// Miri and models have one process.
    pub(super) fn register_shared() -> std::io::Result<bool> {
        if cfg!(any(miri, rust_messenger_loom)) { Ok(false) } else { Err(std::io::ErrorKind::Unsupported.into()) }
    }

    pub(super) fn issue(_: bool) {
        super::fence(super::Ordering::SeqCst); // SYNC POINT wait.announce
    }
}

#[cfg(all(test, not(miri), not(rust_messenger_loom)))]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    /// The words of the store-buffer litmus test on the real processor: each side stores its own and loads the other's,
    /// round by round. How often did both miss the other's store?
    ///
    /// Model checkers see only the fence pair. That `membarrier` orders the light side, which has no instruction
    /// between store and load, shows here alone. Both sides spin up to each round together, because two threads that
    /// wake up microseconds apart never race.
    #[derive(Clone, Copy)]
    struct Litmus<'a> {
        fast: &'a AtomicU64,
        slow: &'a AtomicU64,
        fast_ready: &'a AtomicU64,
        slow_ready: &'a AtomicU64,
        fast_saw: &'a AtomicU64,
    }

    impl Litmus<'_> {
        fn meet(own: &AtomicU64, other: &AtomicU64, round: u64) {
            own.store(round, Ordering::Release);
            let (mut looks, start) = (0u32, Instant::now());
            while other.load(Ordering::Acquire) < round {
                looks += 1;
                if looks.is_multiple_of(1024) {
                    assert!(start.elapsed() < Duration::from_secs(300), "the other side is gone");
                    yield_now();
                } else {
                    spin_loop();
                }
            }
        }

        /// The light side, until the other one has ended.
        fn run_fast(self, barrier: Barrier) {
            let mut round = 0;
            while self.slow_ready.load(Ordering::Acquire) != u64::MAX {
                round += 1;
                Self::meet(self.fast_ready, self.slow_ready, round);
                self.fast.store(round, Ordering::Relaxed);
                barrier.light();
                self.fast_saw.store(self.slow.load(Ordering::Relaxed), Ordering::Relaxed);
                round += 1;
                Self::meet(self.fast_ready, self.slow_ready, round);
            }
        }

        /// The heavy side: how often both missed the other's store, in at most so many rounds, and until it happened.
        fn run_slow(self, rounds: u64, heavy: impl Fn()) -> u64 {
            let (mut round, mut missed, start) = (0, 0, Instant::now());
            while round < 2 * rounds && missed == 0 && start.elapsed() < Duration::from_secs(60) {
                round += 1;
                Self::meet(self.slow_ready, self.fast_ready, round);
                self.slow.store(round, Ordering::Relaxed);
                heavy();
                let saw = self.fast.load(Ordering::Relaxed);
                round += 1;
                Self::meet(self.slow_ready, self.fast_ready, round);
                missed += u64::from(saw != round - 1 && self.fast_saw.load(Ordering::Relaxed) != round - 1);
            }
            self.slow_ready.store(u64::MAX, Ordering::Release);
            missed
        }
    }

    /// In so many rounds that a barrier which is none is seen, and until it is.
    const ROUNDS: u64 = 50_000;
    const ENDLESS: u64 = u64::MAX / 4;

    /// What is no barrier to the processor.
    const COMPILER_ONLY: fn(Barrier) = |_| keep_order();

    /// Whether this machine shows stores and loads in another order than that of the program.
    fn reorders() -> bool {
        std::thread::available_parallelism().map_or(1, usize::from) > 1 && cfg!(target_arch = "x86_64")
    }

    fn missed_by_threads(rounds: u64, heavy: fn(Barrier)) -> u64 {
        let words: [_; 5] = std::array::from_fn(|_| CachePadded::new(AtomicU64::new(0)));
        let [fast, slow, fast_ready, slow_ready, fast_saw] = &words;
        let litmus = Litmus { fast, slow, fast_ready, slow_ready, fast_saw };
        let barrier = Barrier::detect();
        std::thread::scope(|scope| {
            scope.spawn(|| litmus.run_fast(barrier));
            litmus.run_slow(rounds, || heavy(barrier))
        })
    }

    #[test]
    fn a_heavy_barrier_lets_one_side_see_the_other() {
        assert_eq!(missed_by_threads(ROUNDS, Barrier::heavy), 0);
    }

    /// Without it the test above goes red: this is what it would see.
    #[test]
    fn without_a_heavy_barrier_both_sides_miss_each_other() {
        if !reorders() || !Barrier::detect().asymmetric {
            return;
        }
        assert_ne!(missed_by_threads(ENDLESS, COMPILER_ONLY), 0);
    }

    #[cfg(target_os = "linux")]
    mod processes {
        use super::*;
        use crate::children::{Process, told, wait_for_the_end};
        use crate::mmap::named::{self, Named};
        use std::path::Path;

        const LEN: usize = 4096;

        fn litmus(named: &Named) -> Litmus<'_> {
            let [fast, slow, fast_ready, slow_ready, fast_saw] =
                [0, 1, 2, 3, 4].map(|place| named.region().word(256 * place));
            Litmus { fast, slow, fast_ready, slow_ready, fast_saw }
        }

        #[test]
        fn child_is_the_light_side() {
            let Some(path) = told() else { return };
            std::thread::spawn(|| {
                wait_for_the_end();
                std::process::exit(0);
            });
            let named = named::open::<8>(Path::new(&path)).unwrap().map(LEN).unwrap();
            litmus(&named).run_fast(Barrier::shared().unwrap());
        }

        fn missed(rounds: u64, heavy: impl Fn()) -> u64 {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("ring");
            let named = named::create(&path, 0o600, LEN, |_| {}).unwrap();
            let _child = Process::that_runs(child_is_the_light_side, path.to_str().unwrap());
            litmus(&named).run_slow(rounds, heavy)
        }

        #[test]
        fn a_shared_barrier_lets_one_process_see_the_other() {
            let barrier = Barrier::shared().unwrap();
            assert_eq!(missed(ROUNDS, || barrier.heavy()), 0);
        }

        /// Without it the test above goes red: this is what it would see.
        #[test]
        fn without_a_shared_barrier_both_processes_miss_each_other() {
            if reorders() {
                assert_ne!(missed(ENDLESS, || COMPILER_ONLY(Barrier::detect())), 0);
            }
        }
    }
}
