//! Sleeping at a word of memory that processes share, until another thread or process wakes who sleeps there.
//!
//! A word is known by its place in the memory, wherever each process has that mapped. What sleeps at it is the half of
//! it that counts: its low 32 bits.

use crate::sync::AtomicU64;
use std::time::Duration;

/// Sleeps until somebody wakes the sleepers at `word`, up to `limit` if there is one; not at all if the low half of the
/// word is not `expected`. False if the time is up. Whoever wakes must have changed the word before, so that nobody
/// begins to sleep after that; and who returns looks again, for a signal ends a sleep, too.
pub(crate) fn wait(word: &AtomicU64, expected: u32, limit: Option<Duration>) -> bool {
    door::wait(word, expected, limit)
}

/// Wakes who sleeps at `word`, and says how many that were.
pub(crate) fn wake_all(word: &AtomicU64) -> usize {
    door::wake_all(word)
}

#[cfg(all(target_os = "linux", not(miri), not(rust_messenger_loom)))]
mod door {
    use crate::sync::{AtomicU32, AtomicU64};
    use rustix::io::Errno;
    use rustix::thread::futex::{self, Flags, Timespec};
    use std::time::Duration;

    /// The other one is `PRIVATE`, and means this process alone.
    const SHARED: Flags = Flags::empty();

    #[allow(unsafe_code)]
    fn low_half(word: &AtomicU64) -> &AtomicU32 {
        let half = usize::from(cfg!(target_endian = "big"));
        // SAFETY: either half is in bounds, aligned, and lives as long as the word. No instruction of ours accesses the
        // half by itself: it is an address for the system.
        unsafe { &*std::ptr::from_ref(word).cast::<AtomicU32>().add(half) }
    }

    pub(super) fn wait(word: &AtomicU64, expected: u32, limit: Option<Duration>) -> bool {
        let limit = limit.map(|limit| Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos() as _,
        });
        futex::wait(low_half(word), SHARED, expected, limit.as_ref()) != Err(Errno::TIMEDOUT)
    }

    pub(super) fn wake_all(word: &AtomicU64) -> usize {
        // Nothing can be wrong with a word that is there.
        futex::wake(low_half(word), SHARED, i32::MAX as u32).unwrap_or(0)
    }
}

/// Within one process: for Miri, for models, and for systems where no processes share a ring.
#[cfg(not(all(target_os = "linux", not(miri), not(rust_messenger_loom))))]
mod door {
    use crate::sync::{AtomicU64, Condvar, Mutex, Ordering, lock};
    use std::collections::BTreeMap;
    use std::sync::{Arc, PoisonError};
    use std::time::Duration;

    /// Who sleeps where: by address, how many, and on what.
    type Sleepers = BTreeMap<usize, (usize, Arc<Condvar>)>;

    #[cfg(not(rust_messenger_loom))]
    static SLEEPERS: Mutex<Sleepers> = Mutex::new(BTreeMap::new());
    #[cfg(rust_messenger_loom)]
    loom::lazy_static! {
        static ref SLEEPERS: Mutex<Sleepers> = Mutex::new(BTreeMap::new());
    }

    fn address(word: &AtomicU64) -> usize {
        std::ptr::from_ref(word).addr()
    }

    pub(super) fn wait(word: &AtomicU64, expected: u32, limit: Option<Duration>) -> bool {
        let mut sleepers = lock(&SLEEPERS);
        // Under the lock, which whoever wakes takes after its change.
        if word.load(Ordering::Relaxed) as u32 != expected {
            return true;
        }
        let here = sleepers.entry(address(word)).or_insert_with(|| (0, Arc::new(Condvar::new())));
        here.0 += 1;
        let woken = Arc::clone(&here.1);
        let (mut sleepers, is_over) = match limit {
            None => (woken.wait(sleepers).unwrap_or_else(PoisonError::into_inner), false),
            Some(limit) => {
                let (sleepers, outcome) = woken.wait_timeout(sleepers, limit).unwrap_or_else(PoisonError::into_inner);
                (sleepers, outcome.timed_out())
            }
        };
        // Whoever wakes takes the entry away; another one may be there by now.
        match sleepers.get_mut(&address(word)) {
            Some((sleeping, entry)) if Arc::ptr_eq(entry, &woken) => *sleeping -= 1,
            _ => {}
        }
        !is_over
    }

    pub(super) fn wake_all(word: &AtomicU64) -> usize {
        let Some((sleeping, woken)) = lock(&SLEEPERS).remove(&address(word)) else { return 0 };
        woken.notify_all();
        sleeping
    }
}

#[cfg(all(test, target_os = "linux", not(rust_messenger_loom)))]
mod tests {
    use super::*;
    use crate::children::{Process, told, wait_for_the_end, wait_until};
    use crate::mmap::named;
    use crate::sync::{Ordering, scope};
    use std::path::Path;
    use std::time::Instant;

    /// Far longer than anything takes, and short enough for a test to end that is red.
    const LONG: Option<Duration> = Some(Duration::from_secs(60));
    const SHORT: Duration = Duration::from_millis(20);

    #[test]
    fn who_expects_something_else_does_not_sleep() {
        let word = AtomicU64::new(5 << 32 | 6);
        let start = Instant::now();
        assert!(wait(&word, 5, LONG) && wait(&word, 0, LONG));
        assert!(Some(start.elapsed()) < LONG);
    }

    /// The high half may be anything.
    #[test]
    fn a_sleep_ends_when_its_time_is_up() {
        let (word, start) = (AtomicU64::new(5 << 32 | 6), Instant::now());
        assert!(!wait(&word, 6, Some(SHORT)));
        assert!(start.elapsed() >= SHORT);
        assert_eq!(wake_all(&word), 0, "nobody sleeps there any more");
    }

    /// Two are woken where they sleep, and not by what happens at another word.
    #[test]
    fn all_who_sleep_at_a_word_are_woken() {
        let (word, other) = (AtomicU64::new(6), AtomicU64::new(6));
        scope(|scope| {
            let sleepers = [scope.spawn(|| wait(&word, 6, LONG)), scope.spawn(|| wait(&word, 6, LONG))];
            let mut woken = 0;
            wait_until("both were asleep", || {
                assert_eq!(wake_all(&other), 0);
                woken += wake_all(&word);
                woken == 2
            });
            assert!(sleepers.into_iter().all(|sleeper| sleeper.join().unwrap()));
        });
    }

    /// No wake-up is lost: each looks before it sleeps, and changes the word before it wakes.
    #[test]
    fn two_that_wake_each_other_in_turn_both_get_to_the_end() {
        let word = AtomicU64::new(0);
        let rounds = if cfg!(miri) { 20 } else { 2000 };
        let turns = |own: u64| {
            for turn in (own..rounds).step_by(2) {
                while word.load(Ordering::Relaxed) != turn {
                    let seen = word.load(Ordering::Relaxed);
                    assert!(seen == turn || wait(&word, seen as u32, LONG), "lost");
                }
                word.store(turn + 1, Ordering::Relaxed);
                wake_all(&word);
            }
        };
        scope(|scope| {
            scope.spawn(|| turns(0));
            turns(1);
        });
        assert_eq!(word.load(Ordering::Relaxed), rounds);
    }

    #[test]
    fn child_sleeps_at_a_word() {
        let Some(path) = told() else { return };
        let named = named::open::<8>(Path::new(&path)).unwrap().map(4096).unwrap();
        assert!(wait(named.region().word(128), 6, LONG), "nobody woke it");
        named.region().word(0).store(1, Ordering::Relaxed);
        wait_for_the_end();
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri starts no process")]
    fn who_sleeps_in_another_process_is_woken() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ring");
        let named = named::create(&path, 0o600, 4096, |region| region.word(128).store(6, Ordering::Relaxed)).unwrap();
        let mut child = Process::that_runs(child_sleeps_at_a_word, path.to_str().unwrap());
        child.wait_until("it sleeps and is woken", || wake_all(named.region().word(128)) == 1);
        child.wait_until("it goes on", || named.region().word(0).load(Ordering::Relaxed) == 1);
    }
}

#[cfg(all(test, rust_messenger_loom))]
mod models {
    use super::*;
    use crate::sync::Ordering;
    use std::sync::Arc;

    /// One sleeps at each of two words. Both wake in every interleaving: what hangs is a deadlock to loom.
    #[test]
    fn sleepers_at_two_words_are_woken() {
        loom::model(|| {
            let words = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
            let sleepers = [0, 1].map(|place: usize| {
                let words = Arc::clone(&words);
                loom::thread::spawn(move || {
                    while words[place].load(Ordering::Relaxed) == 0 {
                        wait(&words[place], 0, None);
                    }
                })
            });
            for word in words.iter() {
                word.store(1, Ordering::Relaxed);
                wake_all(word);
            }
            for sleeper in sleepers {
                sleeper.join().unwrap();
            }
        });
    }
}
