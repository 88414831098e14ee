//! Sleeping where whoever wakes may be in another process: at words of the memory that all of them have mapped.
//!
//! ```text
//! sleeper  seen = futex word                    Acquire
//!          announcement |= where it sleeps      then a heavy barrier, and a second look
//!          sleeps while the futex word == seen
//!          looks                                and begins anew if that is not what it waits for
//! waker    its change                           then a light barrier, and a look at the announcement
//!          taken = announcement, now nobody's
//!          futex word += 1                      Release, of each word that is named in what was taken
//!          wakes all who sleep there
//! ```
//!
//! Whose announcement is taken has looked at the futex word before that, so the word changes behind what it saw: it is
//! woken, or does not fall asleep. A waker that is killed between the two wakes nobody, so no sleep is without a limit.
//!
//! There are two futex words, as a release of room is nothing to those who wait for a message. Who waits for room hears
//! both kinds of wakers: it announces itself to both, and says to both that it sleeps at the second word.

use super::pollers::{Pollers, notify};
use crate::mmap::{Front, futex};
use crate::sync::{AtomicU64, Barrier, Mutex, Ordering, Thread, lock, spawn};
use crate::traits::Interest;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The bytes of the two futex words.
pub(crate) const LEN: usize = 16;

/// What an announcement says of who waits for messages, and of who waits for room or in a poller. Bit 1 is that of
/// `Waiters::nobody`.
const AT_MESSAGES: u64 = 1;
const AT_ROOM: u64 = 4;

/// So long sleeps whom nothing else limits: whoever returns looks again.
const LONG: Duration = Duration::from_secs(3600);

/// The two futex words.
#[derive(Clone, Debug)]
struct Futexes(Front<LEN>);

impl Futexes {
    fn of(&self, announced: u64) -> &AtomicU64 {
        let words = self.0.words();
        if announced == AT_ROOM { words.at::<8>() } else { words.at::<0>() }
    }

    /// What is there, to be asked before the announcement.
    fn seen(&self, announced: u64) -> u32 {
        // Acquire: the announcement comes behind it.
        self.of(announced).load(Ordering::Acquire) as u32 // SYNC POINT wait.across
    }

    fn sleep(&self, announced: u64, seen: u32, limit: Duration) {
        futex::wait(self.of(announced), seen, limit);
    }

    fn wake(&self, announced: u64) {
        let word = self.of(announced);
        // Release: behind the look at the announcement.
        word.fetch_add(1, Ordering::Release); // SYNC POINT wait.across
        futex::wake_all(word);
    }
}

/// Where the threads of one attachment sleep.
#[derive(Debug)]
pub(super) struct Across {
    futexes: Futexes,
    barrier: Barrier,
    /// Those that sleep in pollers of their own.
    asleep: Arc<Pollers>,
    /// What sleeps at a futex word for them, if anything does.
    bell: Mutex<Option<Bell>>,
}

/// A thread that sleeps for those in pollers, and what is set when it is to end.
#[derive(Debug)]
struct Bell {
    ended: Arc<AtomicU64>,
    thread: Thread,
}

impl Across {
    pub(super) fn at(futexes: Front<LEN>, barrier: Barrier) -> Across {
        let asleep = Arc::new(Mutex::new(Vec::new()));
        Across { futexes: Futexes(futexes), barrier, asleep, bell: Mutex::new(None) }
    }

    /// Announces one who sleeps where `at` says, on each of `sleepers`: whoever looks there after this sees that, or
    /// whoever looks after this sees its change.
    fn announce(&self, sleepers: &[&AtomicU64], at: u64) {
        for word in sleepers {
            word.fetch_or(at, Ordering::Relaxed);
        }
        self.barrier.heavy(); // SYNC POINT wait.announce
    }

    /// As `Waiters::park`.
    pub(super) fn park(
        &self,
        sleepers: &[&AtomicU64],
        interest: Interest,
        deadline: Option<Instant>,
        mut ready: impl FnMut() -> bool,
    ) -> bool {
        let at = if interest == Interest::Room { AT_ROOM } else { AT_MESSAGES };
        loop {
            let seen = self.futexes.seen(at);
            self.announce(sleepers, at);
            if ready() {
                return true;
            }
            match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return false,
                left => self.futexes.sleep(at, seen, left.unwrap_or(LONG)),
            }
            // Mostly for what it waits for. Announced anew, it would owe another barrier, and a writer a wake-up of
            // nobody.
            if ready() {
                return true;
            }
        }
    }

    /// Those that sleep in pollers, for one more, which then announces itself with [`announce_poller`]. From now on a
    /// thread notifies them of what wakers in other processes do; where none can be had they sleep for as long as they
    /// may.
    ///
    /// [`announce_poller`]: Self::announce_poller
    pub(super) fn pollers(&self) -> &Pollers {
        let mut bell = lock(&self.bell);
        if bell.is_none() {
            let ended = Arc::new(AtomicU64::new(0));
            let (futexes, asleep, is_over) = (self.futexes.clone(), Arc::clone(&self.asleep), Arc::clone(&ended));
            *bell = spawn("bell", move || ring(&futexes, &asleep, &is_over)).ok().map(|thread| Bell { ended, thread });
        }
        &self.asleep
    }

    /// As [`announce`](Self::announce), for one of [`pollers`](Self::pollers).
    pub(super) fn announce_poller(&self, sleepers: &[&AtomicU64]) {
        self.announce(sleepers, AT_ROOM);
    }

    /// Wakes all who are announced on `sleepers`, of whatever process, and leaves it as `nobody`'s.
    pub(super) fn wake(&self, sleepers: &AtomicU64, nobody: u64) {
        // Taken before the futex words change: who comes back upon that, and sleeps again, is announced again.
        let announced = sleepers.swap(nobody, Ordering::Relaxed);
        for at in [AT_MESSAGES, AT_ROOM] {
            if announced & at != 0 {
                self.futexes.wake(at);
            }
        }
        if announced & AT_ROOM != 0 {
            // This process's own, without the way round by the bell.
            notify(&self.asleep, lock(&self.asleep));
        }
    }

    /// Ends the thread that rings for those in pollers, and says which that is. It need not be waited for: it has the
    /// memory for itself, and it may be the one that calls this.
    pub(super) fn end(&self) -> Option<Thread> {
        let bell = lock(&self.bell).take()?;
        // Relaxed: it comes with the word.
        bell.ended.store(1, Ordering::Relaxed);
        self.futexes.wake(AT_ROOM);
        Some(bell.thread)
    }
}

/// Notifies all that are `asleep` in pollers whenever somebody wakes those at the second futex word.
fn ring(futexes: &Futexes, asleep: &Pollers, ended: &AtomicU64) {
    loop {
        // Before the look at who sleeps: whose announcement is taken behind it is notified in the next turn.
        let seen = futexes.seen(AT_ROOM);
        if ended.load(Ordering::Relaxed) != 0 {
            return;
        }
        notify(asleep, lock(asleep));
        futexes.sleep(AT_ROOM, seen, LONG);
    }
}

#[cfg(all(test, rust_messenger_loom))]
mod model;
#[cfg(all(test, target_os = "linux", not(rust_messenger_loom)))]
mod tests;
