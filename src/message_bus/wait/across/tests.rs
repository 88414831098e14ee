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
        Attached::at_places([0, 1])
    }

    /// One at each of these places.
    fn at_places<const N: usize>(numbers: [usize; N]) -> [Arc<Attached>; N] {
        let region = Region::anonymous(4096).unwrap();
        numbers.map(|number| {
            let barrier = Barrier::shared().unwrap_or_else(|_| Barrier::detect());
            let waiters = Waiters::across(Front::of(region.clone()), number, barrier);
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

    /// How often somebody was woken there.
    fn woken(&self, at: At) -> u64 {
        self.across().futexes.of(at).load(Ordering::Relaxed)
    }
}

/// Those who wait for a message sleep through a release of room, and bells through all that is not for their pollers.
#[test]
fn each_is_woken_where_it_sleeps() {
    let [sleeper, waker, own] = Attached::at_places([0, 1, 2]);
    let nobody = waker.waiters.nobody();
    let places = [At::Messages, At::Room, sleeper.across().own, At::Bell(LAST_BELL)];
    let mut woken = [0; 4];
    for asleep in 0..1 << places.len() {
        for (place, at) in places.iter().enumerate().filter(|(place, _)| asleep & 1 << place != 0) {
            sleeper.announcement().fetch_or(at.bit(), Ordering::Relaxed);
            woken[place] += 1;
        }
        waker.waiters.notify(sleeper.announcement());
        assert_eq!(waker.announcement().load(Ordering::Relaxed), nobody);
        assert_eq!(places.map(|at| waker.woken(at)), woken);
        assert_eq!([waker.across().own, own.across().own].map(|at| waker.woken(at)), [0, 0]);
    }
}

/// An announcement has a bit for each of these, and none for two.
#[test]
fn an_announcement_has_room_for_all() {
    let places: Vec<_> = [At::Messages, At::Room].into_iter().chain((0..BELLS).map(At::Bell)).collect();
    let bits = places.iter().fold(2, |bits, at| {
        assert_eq!(bits & at.bit(), 0, "{at:?}");
        bits | at.bit()
    });
    assert_eq!(bits, u64::from(u32::MAX));
    assert_eq!(At::all(bits).collect::<Vec<_>>(), places);
    assert_eq!([0, 27, 28, 29, 63].map(At::bell_of), [0, 27, 28, 28, 28].map(At::Bell));
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
        wait_until("it is announced", || waker.announcement().load(Ordering::Relaxed) & At::Messages.bit() != 0);
        waker.change_and_wake();
        thread.join().unwrap();
        assert_eq!(waker.announcement().load(Ordering::Relaxed), nobody);
    }
}

#[test]
fn a_sleep_across_ends_in_time() {
    let [sleeper, _] = Attached::two();
    for (interest, announced) in [(Interest::Messages, At::Messages), (Interest::Room, At::Room)] {
        let start = Instant::now();
        assert!(!sleeper.waiters.park(&[sleeper.announcement()], interest, Some(SHORT), || false));
        assert!(start.elapsed() >= SHORT);
        let nobody = sleeper.waiters.nobody();
        assert_eq!(sleeper.announcement().swap(nobody, Ordering::Relaxed), announced.bit() | nobody);
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

/// Who wakes those in pollers of its own attachment, and of another one, wakes no thread that could do neither: its own
/// bell sleeps on, unless others have the same.
#[test]
fn a_poller_is_notified_by_its_own_process_at_once() {
    let last = BELLS;
    for (numbers, rung) in [([0, 1], [0, 1]), ([1, 0], [0, 1]), ([0, last], [0, 1]), ([last, last + 1], [1, 1])] {
        let both @ [own, other] = &Attached::at_places(numbers);
        let [notified, unheard] = both.each_ref().map(|attached| {
            let ((sender, receiver), (_, nobody_else)) = (channel(), channel());
            lock(&attached.across().asleep).push(Arc::new(Sleeping(Mutex::new(nobody_else), Mutex::new(sender))));
            // Nobody rings for it here.
            attached.across().announce_poller(&[attached.announcement()]);
            receiver
        });
        own.change_and_wake();
        assert_eq!((notified.try_recv(), unheard.try_recv()), (Ok(()), Err(TryRecvError::Empty)), "{numbers:?}");
        assert_eq!([own, other].map(|attached| own.woken(attached.across().own)), rung, "{numbers:?}");
        assert_eq!([At::Messages, At::Room].map(|at| own.woken(at)), [0, 0]);
    }
}
