//! Sleeping beside other processes, each of which has `Waiters` of its own: nothing but memory connects them.

use super::super::Waiters;
use super::*;
use crate::children::wait_until;
use crate::mmap::Region;
use crate::sync::{spin_loop, yield_now};
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

/// Whoever was woken for what it waits for is announced no more: the next writer makes no system call.
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
        let sleeper = Arc::clone(sleeper);
        waker.region.word(LEN + 8).store(0, Ordering::Relaxed);
        let sleep = move || {
            assert!(sleeper.waiters.park(&[sleeper.announcement()], Interest::Messages, None, || sleeper.is_ready()));
        };
        let thread = spawn("sleeper", sleep).unwrap();
        wait_until("it is announced", || waker.announcement().load(Ordering::Relaxed) & At::Messages.bit() != 0);
        waker.change_and_wake();
        thread.join().unwrap();
        assert_eq!(waker.announcement().load(Ordering::Relaxed) & ASLEEP, 0);
    }
}

#[test]
fn a_sleep_across_ends_in_time() {
    let [sleeper, _] = Attached::two();
    for (interest, announced) in [(Interest::Messages, At::Messages), (Interest::Room, At::Room)] {
        let start = Instant::now();
        assert!(!sleeper.waiters.park(&[sleeper.announcement()], interest, Some(SHORT), || false));
        assert!(start.elapsed() >= SHORT);
        assert_eq!(sleeper.announcement().fetch_and(!ASLEEP, Ordering::Relaxed) & ASLEEP, announced.bit());
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

/// One heavy barrier an era, for each attachment that sleeps in it, and whoever sleeps in none begins one.
#[test]
fn a_heavy_barrier_is_passed_once_in_an_era() {
    let [first, second] = Attached::two();
    if !first.across().barrier.is_asymmetric() {
        return;
    }
    let [messages, room] = [first.announcement(), first.region.word(LEN + 16)];
    let sleep = |attached: &Attached, at| attached.across().announce(&[messages, room], at);
    let era_of = |word: &AtomicU64| word.load(Ordering::Relaxed) >> ERA;
    let mut former = vec![0];
    for _ in 0..3 {
        assert!(sleep(&first, At::Room), "nobody has passed one");
        let eras = [messages, room].map(era_of);
        assert!(eras[0] != eras[1] && eras.iter().all(|era| !former.contains(era)), "{eras:?} {former:?}");
        former.extend(eras);
        for at in [At::Messages, At::Room, At::Bell(0)] {
            second.waiters.notify(messages);
            assert_eq!(messages.load(Ordering::Relaxed), eras[0] << ERA, "it goes on");
            assert!(!sleep(&first, at));
        }
        assert!(sleep(&second, At::Room), "another one has passed one");
        assert!(!sleep(&second, At::Room) && !sleep(&first, At::Room));
        // Long after anybody has slept.
        for (word, era) in [messages, room].into_iter().zip(eras) {
            second.waiters.notify(word);
            for _ in 1..LOOKS {
                second.waiters.notify(word);
                assert_eq!(era_of(word), era);
            }
            second.waiters.notify(word);
            assert_eq!(word.load(Ordering::Relaxed), 0, "wakers go without a fence");
        }
    }
}

/// Who comes to sleep while a waker ends the era is announced in it all the same.
#[test]
fn no_era_ends_over_a_sleeper() {
    let [sleeper, waker] = Attached::two();
    let word = sleeper.announcement();
    if sleeper.across().barrier.is_asymmetric() {
        sleeper.across().announce(&[word], At::Messages);
        waker.waiters.notify(word);
        let seen = word.load(Ordering::Relaxed);
        sleeper.across().announce(&[word], At::Messages);
        (0..2 * LOOKS).for_each(|_| waker.across().end_era(word, seen));
        assert_eq!(word.load(Ordering::Relaxed), seen | At::Messages.bit());
    }
}

/// A sleeper and a waker that meet do not miss each other, in whatever era: the store-buffer test of `sync.rs`, over
/// the real announcement and the real look at it.
///
/// Method: both come to each round together, spinning, and now the one is ahead, now the other. In every other round an
/// era has just ended. Lines that the sleeper has written last keep the waker's change from its lines for a while.
#[test]
#[cfg_attr(miri, ignore = "of the real processor")]
fn nobody_is_missed_in_an_era_or_between_two() {
    const ROUNDS: u64 = 100_000;
    const LINES: usize = 16;

    fn meet(own: &AtomicU64, other: &AtomicU64, round: u64) {
        own.store(round, Ordering::Release);
        let (mut looks, start) = (0u32, Instant::now());
        while other.load(Ordering::Acquire) < round {
            looks += 1;
            if looks.is_multiple_of(1024) {
                assert!(start.elapsed() < PATIENCE, "the other side is gone");
                yield_now();
            } else {
                spin_loop();
            }
        }
    }

    fn fall_behind(by: u64) {
        (0..by % 200).for_each(|step| _ = std::hint::black_box(step));
    }

    fn write(lines: &Region, round: u64) {
        (0..LINES).for_each(|line| lines.word(128 * line).store(round, Ordering::Relaxed));
    }

    let [sleeper, waker] = Attached::two();
    let lines = Region::anonymous(128 * LINES).unwrap();
    let same = lines.clone();
    // The change, and how far each side is, on lines of their own.
    let [change, awake, asleep] = [1024, 2048, 3072];
    let thread = spawn("waker", move || {
        let [change, awake, asleep] = [change, awake, asleep].map(|place| waker.region.word(place));
        let mut round = 0;
        while asleep.load(Ordering::Acquire) != u64::MAX {
            round += 1;
            meet(awake, asleep, 3 * round);
            fall_behind(13 * round);
            write(&same, round);
            change.store(round, Ordering::Relaxed);
            waker.waiters.notify(waker.announcement());
            meet(awake, asleep, 3 * round + 1);
            // The other one looks at what became of it.
            meet(awake, asleep, 3 * round + 2);
        }
    });
    let [change, awake, asleep] = [change, awake, asleep].map(|place| sleeper.region.word(place));
    let word = sleeper.announcement();
    let (start, mut missed) = (Instant::now(), 0);
    for round in 1..=ROUNDS {
        write(&lines, round);
        meet(asleep, awake, 3 * round);
        fall_behind(29 * round);
        sleeper.across().announce(&[word], At::Messages);
        let is_seen = change.load(Ordering::Relaxed) == round;
        meet(asleep, awake, 3 * round + 1);
        missed += u64::from(!is_seen && word.load(Ordering::Relaxed) & ASLEEP != 0);
        word.fetch_and(!ASLEEP, Ordering::Relaxed);
        if round % 2 == 0 {
            (0..2 * LOOKS).for_each(|_| sleeper.waiters.notify(word));
        }
        if missed != 0 || round == ROUNDS || start.elapsed() > Duration::from_secs(60) {
            asleep.store(u64::MAX, Ordering::Release);
            break;
        }
        meet(asleep, awake, 3 * round + 2);
    }
    thread.unwrap().join().unwrap();
    assert_eq!(missed, 0);
}
