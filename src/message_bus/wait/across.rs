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
//! woken, or does not fall asleep. A waker that is killed between the two wakes nobody: who waits has a deadline.
//!
//! Readers and writers have two futex words, as a release of room is nothing to those who wait for a message. Who
//! waits for room hears both kinds of wakers: it announces itself to both, and says to both that it sleeps at the
//! second word.
//!
//! No futex wakes who sleeps in a poller, so a thread of its attachment, the **bell**, sleeps at a word of its own and
//! notifies it. An announcement names the attachment. So a waker rings for those alone who sleep, and notifies its own
//! itself, without a thread between.
//!
//! A heavy barrier costs an eighth of a wake-up, so not each sleep takes one. Whoever passes one has begun an **era**
//! before, by a number in the upper half of the word. Until that is gone no waker takes this word for zero, and each
//! passes a fence before it looks: so whoever announces itself in an era whose heavy barrier its attachment has passed
//! owes a fence, too, and no more. No two eras have one number. A waker ends an era in which nobody has slept for a
//! while, and goes without a fence again.

use super::pollers::{Pollers, notify};
use crate::mmap::{Entry, Front, futex};
use crate::sync::{AtomicU64, Barrier, Mutex, Ordering, Thread, fence, lock, spawn};
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

/// Where the number of the era stands in an announcement, and what of it says that somebody sleeps.
const ERA: u32 = 32;
const ASLEEP: u64 = u32::MAX as u64 & !2;
/// So often in a row a waker looks in vain for sleepers before it ends an era: about what a heavy barrier costs.
const LOOKS: u64 = 16;

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
        let known = if announced & ASLEEP < At::Bell(0).bit() { 2 } else { 2 + BELLS };
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

    fn sleep(&self, at: At, seen: u32, limit: Option<Duration>) {
        futex::wait(self.of(at), seen, limit);
    }

    /// A number that no era has had: not 0, nor one of the last four thousand million.
    fn next_era(&self) -> u64 {
        // Relaxed: that it is another one is all.
        self.0.words().at::<16>().fetch_add(1, Ordering::Relaxed) % u64::from(u32::MAX) + 1
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
    /// The last eras, of either word, in which this attachment has passed a heavy barrier.
    passed: [AtomicU64; 2],
    /// How often in a row its wakers found nobody asleep in an era.
    looks: AtomicU64,
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
        Across {
            futexes: Futexes(futexes),
            barrier,
            passed: [AtomicU64::new(0), AtomicU64::new(0)],
            looks: AtomicU64::new(0),
            own: At::bell_of(number),
            asleep,
            bell: Mutex::new(None),
        }
    }

    /// Announces one who sleeps where `at` says, on each of `sleepers`: whoever looks there after this sees that, or
    /// whoever looks after this sees its change. Whether that took a heavy barrier.
    fn announce(&self, sleepers: &[&AtomicU64], at: At) -> bool {
        let eras = [0, 1].map(|place| sleepers.get(place).map_or(0, |word| self.announce_on(word, at)));
        let is_passed = self.barrier.is_asymmetric() && eras.iter().all(|era| *era == 0 || self.has_passed(*era));
        if is_passed {
            // Beside that of wakers, for none of them takes the quick look in this era.
            fence(Ordering::SeqCst); // SYNC POINT wait.era
            return false;
        }
        self.barrier.heavy(); // SYNC POINT wait.announce
        for (passed, era) in self.passed.iter().zip(eras) {
            // Release: whoever knows of it comes behind the barrier.
            passed.store(era, Ordering::Release); // SYNC POINT wait.era
        }
        true
    }

    /// The same on one word, and in which era: in none where each waker passes a fence anyway.
    fn announce_on(&self, word: &AtomicU64, at: At) -> u64 {
        let begins = self.barrier.is_asymmetric();
        let mut seen = word.load(Ordering::Relaxed);
        loop {
            let is_new = begins && seen >> ERA == 0;
            let announced = seen | at.bit() | if is_new { self.futexes.next_era() << ERA } else { 0 };
            match word.compare_exchange_weak(seen, announced, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return announced >> ERA,
                Err(now) => seen = now,
            }
        }
    }

    /// Whether this attachment has passed a heavy barrier since `era` began.
    fn has_passed(&self, era: u64) -> bool {
        // Acquire: behind the barrier.
        self.passed.iter().any(|passed| passed.load(Ordering::Acquire) == era) // SYNC POINT wait.era
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
                left => self.futexes.sleep(at, seen, left),
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

    /// Wakes all who are announced on `sleepers`, of whatever process.
    pub(super) fn wake(&self, sleepers: &AtomicU64) {
        fence(Ordering::SeqCst); // SYNC POINT wait.announce wait.era
        let seen = sleepers.load(Ordering::Relaxed);
        if seen & ASLEEP == 0 {
            return self.end_era(sleepers, seen);
        }
        self.looks.store(0, Ordering::Relaxed);
        // Taken before the futex words change: who comes back upon that, and sleeps again, is announced again.
        let announced = sleepers.fetch_and(!ASLEEP, Ordering::Relaxed);
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

    /// Ends the era of a word on which nobody sleeps, if it is time for that.
    fn end_era(&self, sleepers: &AtomicU64, seen: u64) {
        if seen >> ERA == 0 {
            return;
        }
        // Relaxed: two that count at once do no harm.
        let looks = self.looks.load(Ordering::Relaxed) + 1;
        self.looks.store(looks % LOOKS, Ordering::Relaxed);
        if looks >= LOOKS {
            // Unless somebody has come to sleep there. It has passed a barrier since that number, which is no other's.
            let over = seen & !(u64::MAX << ERA);
            let _ = sleepers.compare_exchange(seen, over, Ordering::Relaxed, Ordering::Relaxed);
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
        futexes.sleep(at, seen, None);
    }
}

#[cfg(all(test, rust_messenger_loom))]
mod model;
#[cfg(all(test, target_os = "linux", not(rust_messenger_loom)))]
mod tests;
