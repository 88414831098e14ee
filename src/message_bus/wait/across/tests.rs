//! Sleeping beside other processes, each of which has `Waiters` of its own: nothing but memory connects them.

use super::super::Waiters;
use super::*;
use crate::children::wait_until;
use crate::mmap::Region;
use crate::traits::Poller;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

/// Far longer than anything takes, and short enough for a test to end that is red.
const PATIENCE: Duration = Duration::from_secs(300);
const SHORT: Duration = Duration::from_millis(20);

struct Attached {
    waiters: Waiters,
    region: Region,
}

impl Attached {
    fn two() -> [Arc<Attached>; 2] {
        let region = Region::anonymous(4096).unwrap();
        [(); 2].map(|()| {
            let barrier = Barrier::shared().unwrap_or_else(|_| Barrier::detect());
            let waiters = Waiters::across(Front::of(region.clone()), barrier);
            region.word(LEN).fetch_or(waiters.nobody(), Ordering::Relaxed);
            Arc::new(Attached { waiters, region: region.clone() })
        })
    }

    fn across(&self) -> &Across {
        self.waiters.across.as_ref().unwrap()
    }

    fn announcement(&self) -> &AtomicU64 {
        self.region.word(LEN)
    }

    fn is_ready(&self) -> bool {
        self.region.word(LEN + 8).load(Ordering::Relaxed) != 0
    }

    fn change_and_wake(&self) {
        self.region.word(LEN + 8).store(1, Ordering::Relaxed);
        self.waiters.notify(self.announcement());
    }

    /// How often somebody was woken at each of the futex words.
    fn woken(&self) -> [u64; 2] {
        [0, 8].map(|place| self.region.word(place).load(Ordering::Relaxed))
    }
}

/// Those who wait for a message sleep through a release of room.
#[test]
fn each_is_woken_where_it_sleeps() {
    let [sleeper, waker] = Attached::two();
    let nobody = waker.waiters.nobody();
    for (announced, woken) in [(AT_MESSAGES, [1, 0]), (AT_ROOM, [1, 1]), (AT_MESSAGES | AT_ROOM, [2, 2]), (0, [2, 2])] {
        sleeper.announcement().fetch_or(announced, Ordering::Relaxed);
        waker.waiters.notify(sleeper.announcement());
        assert_eq!((waker.announcement().load(Ordering::Relaxed), waker.woken()), (nobody, woken));
    }
}

/// Whoever was woken for what it waits for is announced no more: the next writer goes its quick way.
#[test]
fn who_was_woken_is_nobody_to_the_next_writer() {
    let [sleeper, waker] = Attached::two();
    let alone = {
        let (waiters, region) = (Waiters::new(), Region::anonymous(4096).unwrap());
        region.word(LEN).store(waiters.nobody(), Ordering::Relaxed);
        Arc::new(Attached { waiters, region })
    };
    let pairs = [[sleeper, waker], [Arc::clone(&alone), alone]];
    // Now and then it is woken before it is asleep.
    for [sleeper, waker] in (0..10).flat_map(|_| &pairs) {
        let (sleeper, nobody) = (Arc::clone(sleeper), waker.waiters.nobody());
        waker.region.word(LEN + 8).store(0, Ordering::Relaxed);
        let sleep = move || {
            assert!(sleeper.waiters.park(&[sleeper.announcement()], Interest::Messages, None, || sleeper.is_ready()));
        };
        let thread = spawn("sleeper", sleep).unwrap();
        wait_until("it is announced", || waker.announcement().load(Ordering::Relaxed) & AT_MESSAGES != 0);
        waker.change_and_wake();
        thread.join().unwrap();
        assert_eq!(waker.announcement().load(Ordering::Relaxed), nobody);
    }
}

#[test]
fn a_sleep_across_ends_in_time() {
    let [sleeper, _] = Attached::two();
    for (interest, announced) in [(Interest::Messages, AT_MESSAGES), (Interest::Room, AT_ROOM)] {
        let start = Instant::now();
        assert!(!sleeper.waiters.park(&[sleeper.announcement()], interest, Some(SHORT), || false));
        assert!(start.elapsed() >= SHORT);
        let nobody = sleeper.waiters.nobody();
        assert_eq!(sleeper.announcement().swap(nobody, Ordering::Relaxed), announced | nobody);
    }
}

/// A poller that sleeps until it is notified.
#[derive(Debug)]
struct Sleeping(Mutex<Receiver<()>>, Mutex<Sender<()>>);

impl Sleeping {
    fn soundly() -> Arc<dyn Poller> {
        let (sender, receiver) = channel();
        Arc::new(Sleeping(Mutex::new(receiver), Mutex::new(sender)))
    }
}

impl Poller for Sleeping {
    fn wait(&self, _: Option<Duration>) {
        assert_eq!(lock(&self.0).recv_timeout(PATIENCE), Ok(()), "nobody notified it");
    }

    fn notify(&self) {
        let _ = lock(&self.1).send(());
    }
}

/// One thread rings for all of them, and ends with the attachment.
#[test]
fn pollers_are_notified_across() {
    let [sleeper, waker] = Attached::two();
    let asleep = Arc::clone(&sleeper.across().asleep);
    let threads = [(); 2].map(|()| {
        let sleeper = Arc::clone(&sleeper);
        let sleep = move || {
            let poller = Sleeping::soundly();
            // Whoever rings may ring once too often.
            while !sleeper.is_ready() {
                sleeper.waiters.park_in(&poller, &[sleeper.announcement()], None, || sleeper.is_ready());
            }
        };
        spawn("sleeper", sleep).unwrap()
    });
    wait_until("both are in bed", || lock(&asleep).len() == 2);
    assert_eq!(Arc::strong_count(&asleep), 3, "who sleeps, who rings, and this");
    waker.change_and_wake();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(lock(&asleep).is_empty());
    let bell = sleeper.waiters.end().unwrap();
    wait_until("nobody rings any more", || bell.is_finished());
    bell.join().unwrap();
    assert!(sleeper.waiters.end().is_none());
}

/// Nobody rings for it here.
#[test]
fn a_poller_is_notified_by_its_own_process_at_once() {
    let [own, other] = Attached::two();
    for (waker, notified) in [(&own, Ok(())), (&other, Err(TryRecvError::Empty))] {
        let (sender, receiver) = channel();
        let (_, nobody_else) = channel();
        lock(&own.across().asleep).push(Arc::new(Sleeping(Mutex::new(nobody_else), Mutex::new(sender))));
        own.announcement().fetch_or(AT_ROOM, Ordering::Relaxed);
        waker.change_and_wake();
        assert_eq!(receiver.try_recv(), notified);
    }
}
