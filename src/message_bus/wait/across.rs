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
//! Readers and writers have two futex words, as a release of room is nothing to those who wait for a message. Who waits
//! for room hears both kinds of wakers: it announces itself to both, and says to both that it sleeps at the second word.
//!
//! No futex wakes who sleeps in a poller, so a thread of its attachment, the **bell**, sleeps at a word of its own and
//! notifies it. An announcement names the attachment. So a waker rings for those alone who sleep, and notifies its own
//! itself, without a thread between.

use super::pollers::{Pollers, notify};
use crate::mmap::{Entry, Front, futex};
use crate::sync::{AtomicU64, Barrier, Mutex, Ordering, Thread, lock, spawn};
use crate::traits::Interest;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many bells have a futex word of their own. The attachments behind them have the last one in common, since an
/// announcement has no more bits: whoever rings for one of those wakes the bells of all of them.
pub(crate) const BELLS: usize = if cfg!(rust_messenger_loom) { 3 } else { 29 };
const LAST_BELL: usize = BELLS - 1;
const BELL_WORDS: usize = 24;
/// The bytes of all futex words.
pub(crate) const LEN: usize = BELL_WORDS + 8 * BELLS;

/// So long sleeps whom nothing else limits: whoever returns looks again.
const LONG: Duration = Duration::from_secs(3600);

/// A futex word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Who waits for messages sleeps here.
    Messages,
    /// Who waits for room.
    Room,
    /// What sleeps for those in pollers.
    Bell(usize),
}

impl At {
    /// The bell of the attachment that has the place `number`.
    fn bell_of(number: usize) -> At {
        At::Bell(number.min(LAST_BELL))
    }

    /// What an announcement says of who sleeps here. Bit 1 is that of `Waiters::nobody`.
    const fn bit(self) -> u64 {
        match self {
            At::Messages => 1,
            At::Room => 4,
            At::Bell(number) => 8 << number,
        }
    }

    /// All that `announced` names.
    fn all(announced: u64) -> impl Iterator<Item = At> {
        let places = [At::Messages, At::Room].into_iter().chain((0..BELLS).map(At::Bell));
        // Mostly no bell.
        let known = if announced >> 3 == 0 { 2 } else { 2 + BELLS };
        places.take(known).filter(move |at| announced & at.bit() != 0)
    }
}

/// The futex words.
#[derive(Clone, Debug)]
struct Futexes(Front<LEN>);

impl Futexes {
    fn of(&self, at: At) -> &AtomicU64 {
        let words = self.0.words();
        match at {
            At::Messages => words.at::<0>(),
            At::Room => words.at::<8>(),
            At::Bell(number) => words.entry(Entry::<LEN, 8>::of::<BELL_WORDS, BELLS>(number)).at::<0>(),
        }
    }

    /// What is there, to be asked before the announcement.
    fn seen(&self, at: At) -> u32 {
        // Acquire: the announcement comes behind it.
        self.of(at).load(Ordering::Acquire) as u32 // SYNC POINT wait.across
    }

    fn sleep(&self, at: At, seen: u32, limit: Duration) {
        futex::wait(self.of(at), seen, limit);
    }

    fn wake(&self, at: At) {
        let word = self.of(at);
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
    /// Where the bell of this attachment sleeps.
    own: At,
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
    /// For the attachment that has the place `number`.
    pub(super) fn at(futexes: Front<LEN>, number: usize, barrier: Barrier) -> Across {
        let asleep = Arc::new(Mutex::new(Vec::new()));
        Across { futexes: Futexes(futexes), barrier, own: At::bell_of(number), asleep, bell: Mutex::new(None) }
    }

    /// Announces one who sleeps where `at` says, on each of `sleepers`: whoever looks there after this sees that, or
    /// whoever looks after this sees its change.
    fn announce(&self, sleepers: &[&AtomicU64], at: At) {
        for word in sleepers {
            word.fetch_or(at.bit(), Ordering::Relaxed);
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
        let at = if interest == Interest::Room { At::Room } else { At::Messages };
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
            let (futexes, at) = (self.futexes.clone(), self.own);
            let (asleep, is_over) = (Arc::clone(&self.asleep), Arc::clone(&ended));
            let ring = move || ring(&futexes, at, &asleep, &is_over);
            *bell = spawn("bell", ring).ok().map(|thread| Bell { ended, thread });
        }
        &self.asleep
    }

    /// As [`announce`](Self::announce), for one of [`pollers`](Self::pollers).
    pub(super) fn announce_poller(&self, sleepers: &[&AtomicU64]) {
        self.announce(sleepers, self.own);
    }

    /// Wakes all who are announced on `sleepers`, of whatever process, and leaves it as `nobody`'s.
    pub(super) fn wake(&self, sleepers: &AtomicU64, nobody: u64) {
        // Taken before the futex words change: who comes back upon that, and sleeps again, is announced again.
        let announced = sleepers.swap(nobody, Ordering::Relaxed);
        for at in At::all(announced) {
            if at != self.own {
                self.futexes.wake(at);
                continue;
            }
            // Of this process, so without the way round by a bell: that sleeps on, unless it is others', too.
            if at == At::Bell(LAST_BELL) {
                self.futexes.wake(at);
            }
            notify(&self.asleep, lock(&self.asleep));
        }
    }

    /// Ends the thread that rings for those in pollers, and says which that is. It need not be waited for: it has the
    /// memory for itself, and it may be the one that calls this.
    pub(super) fn end(&self) -> Option<Thread> {
        let bell = lock(&self.bell).take()?;
        // Relaxed: it comes with the word.
        bell.ended.store(1, Ordering::Relaxed);
        self.futexes.wake(self.own);
        Some(bell.thread)
    }
}

/// Notifies all that are `asleep` in pollers whenever somebody rings `at` this futex word.
fn ring(futexes: &Futexes, at: At, asleep: &Pollers, ended: &AtomicU64) {
    loop {
        // Before the look at who sleeps: whose announcement is taken behind it is notified in the next turn.
        let seen = futexes.seen(at);
        if ended.load(Ordering::Relaxed) != 0 {
            return;
        }
        notify(asleep, lock(asleep));
        futexes.sleep(at, seen, LONG);
    }
}

#[cfg(all(test, rust_messenger_loom))]
mod model;
#[cfg(all(test, target_os = "linux", not(rust_messenger_loom)))]
mod tests;
