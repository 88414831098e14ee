//! The one door to atomics, fences, locks and threads: std's, or loom's when a model is checked.
//!
//! Nothing else in the crate names `std::sync::atomic` or `std::thread`. The cfg is `rust_messenger_loom` rather than
//! `loom`, because a bare `--cfg loom` reaches into dependencies.

#[cfg(not(rust_messenger_loom))]
mod door {
    pub(crate) use std::hint::spin_loop;
    pub(crate) use std::sync::atomic::{AtomicU64, Ordering, fence};
    pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard};
    #[cfg(test)]
    pub(crate) use std::thread::scope;
    pub(crate) use std::thread::yield_now;
}

#[cfg(rust_messenger_loom)]
mod door {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};
    pub(crate) use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
    pub(crate) use loom::thread::yield_now;

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
pub(crate) type Thread = std::thread::JoinHandle<()>;

/// Starts a thread that works in the background. One of the system's under loom, too, where no model needs one.
#[cfg_attr(not(unix), allow(dead_code, reason = "keepers of journals, and doors for tasks"))]
pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> std::io::Result<Thread> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body)
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
/// and `membarrier` on the slow one, which makes every running thread of the process pass a full fence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Barrier {
    asymmetric: bool,
}

impl Barrier {
    /// The cheapest pair this system offers; asked once per process.
    pub(crate) fn detect() -> Self {
        Barrier { asymmetric: heavy::register() }
    }

    /// The pair for systems that offer nothing better.
    #[cfg(test)]
    pub(crate) fn symmetric() -> Self {
        Barrier { asymmetric: false }
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
            heavy::issue();
        } else {
            fence(Ordering::SeqCst); // SYNC POINT wait.announce
        }
    }
}

/// `membarrier(2)`, private and expedited: <https://man7.org/linux/man-pages/man2/membarrier.2.html>.
#[cfg(all(target_os = "linux", not(miri), not(rust_messenger_loom)))]
mod heavy {
    use rustix::thread::{MembarrierCommand, membarrier};
    use std::sync::OnceLock;

    pub(super) fn register() -> bool {
        static REGISTERED: OnceLock<bool> = OnceLock::new();
        *REGISTERED.get_or_init(|| membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok())
    }

    pub(super) fn issue() {
        // A registered process cannot be refused; should a kernel do it all the same, a sleeper would only sleep
        // until its own timeout, and the fence still covers every machine that does not reorder stores and loads.
        if membarrier(MembarrierCommand::PrivateExpedited).is_err() {
            super::fence(super::Ordering::SeqCst); // SYNC POINT wait.announce
        }
    }
}

#[cfg(not(all(target_os = "linux", not(miri), not(rust_messenger_loom))))]
mod heavy {
    pub(super) fn register() -> bool {
        false
    }

    pub(super) fn issue() {
        super::fence(super::Ordering::SeqCst); // SYNC POINT wait.announce
    }
}

#[cfg(all(test, not(miri), not(rust_messenger_loom)))]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    /// The store-buffer litmus test on the real processor: two threads each store their word and load the other's. How
    /// often did both miss the other's store, in at most `rounds` rounds and until it happened once?
    ///
    /// Model checkers see only the fence pair. That `membarrier` orders the light side, which has no instruction
    /// between store and load, shows here alone. Both sides spin up to each round together, because two threads that
    /// wake up microseconds apart never race.
    fn rounds_both_missed(rounds: u64, limit: Duration, slow: fn(Barrier)) -> u64 {
        let word = || CachePadded::new(AtomicU64::new(0));
        let (x, y, fast_ready, slow_ready, fast_saw) = (word(), word(), word(), word(), word());
        let barrier = Barrier::detect();
        let meet = |own: &AtomicU64, other: &AtomicU64, round: u64| {
            own.store(round, Ordering::Release);
            let mut looks = 0u32;
            while other.load(Ordering::Acquire) < round {
                looks += 1;
                if looks.is_multiple_of(1024) { yield_now() } else { spin_loop() }
            }
        };
        let end = Instant::now() + limit;
        let mut missed = 0;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut round = 0;
                while slow_ready.load(Ordering::Acquire) != u64::MAX && round < 2 * rounds {
                    round += 1;
                    meet(&fast_ready, &slow_ready, round);
                    x.store(round, Ordering::Relaxed);
                    barrier.light();
                    fast_saw.store(y.load(Ordering::Relaxed), Ordering::Relaxed);
                    round += 1;
                    meet(&fast_ready, &slow_ready, round);
                }
            });
            let mut round = 0;
            while round < 2 * rounds && missed == 0 && Instant::now() < end {
                round += 1;
                meet(&slow_ready, &fast_ready, round);
                y.store(round, Ordering::Relaxed);
                slow(barrier);
                let saw = x.load(Ordering::Relaxed);
                round += 1;
                meet(&slow_ready, &fast_ready, round);
                missed += u64::from(saw != round - 1 && fast_saw.load(Ordering::Relaxed) != round - 1);
            }
            slow_ready.store(u64::MAX, Ordering::Release);
        });
        missed
    }

    #[test]
    fn a_heavy_barrier_lets_one_side_see_the_other() {
        assert_eq!(rounds_both_missed(50_000, Duration::from_secs(60), Barrier::heavy), 0);
    }

    /// Without it the test above goes red: this is what it would see.
    #[test]
    fn without_a_heavy_barrier_both_sides_miss_each_other() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        if cores < 2 || !Barrier::detect().asymmetric || !cfg!(target_arch = "x86_64") {
            return;
        }
        let compiler_only = |_| std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst);
        assert_ne!(rounds_both_missed(u64::MAX / 4, Duration::from_secs(60), compiler_only), 0);
    }
}
