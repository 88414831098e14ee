//! The one door to atomics, fences, locks and threads: std's, or loom's when a model is checked.
//!
//! Nothing else in the crate names `std::sync::atomic` or `std::thread`. The cfg is `rust_messenger_loom` rather than
//! `loom`, because a bare `--cfg loom` reaches into dependencies.

#[cfg(not(rust_messenger_loom))]
mod door {
    pub(crate) use std::hint::spin_loop;
    pub(crate) use std::sync::atomic::{AtomicU64, Ordering, fence};
    pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard};
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

/// Locks, ignoring poison: every critical section of the crate leaves its data whole before it can panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
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

    /// The hot side: between its store and its load.
    #[inline(always)]
    pub(crate) fn light(self) {
        if self.asymmetric {
            std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst);
        } else {
            fence(Ordering::SeqCst);
        }
    }

    /// The slow side: between its store and its load.
    pub(crate) fn heavy(self) {
        if self.asymmetric {
            heavy::issue();
        } else {
            fence(Ordering::SeqCst);
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
            super::fence(super::Ordering::SeqCst);
        }
    }
}

#[cfg(not(all(target_os = "linux", not(miri), not(rust_messenger_loom))))]
mod heavy {
    pub(super) fn register() -> bool {
        false
    }

    pub(super) fn issue() {
        super::fence(super::Ordering::SeqCst);
    }
}
