//! Loom models of sleeping beside other processes. What hangs is a deadlock to loom: a wake-up that was lost.

use super::super::Waiters;
use super::{LAST_BELL, LEN};
use crate::mmap::{Front, Region};
use crate::sync::{AtomicU64, Barrier, Condvar, Mutex, Ordering, lock};
use crate::traits::{Interest, Poller};
use std::sync::Arc;
use std::time::Duration;

/// One attachment: nothing but memory connects it with another.
struct Attached {
    waiters: Waiters,
    region: Region,
}

impl Attached {
    fn two() -> [Arc<Attached>; 2] {
        Attached::at_places([0, 1])
    }

    /// One at each of these places.
    fn at_places(numbers: [usize; 2]) -> [Arc<Attached>; 2] {
        let region = Region::anonymous(LEN + 32).unwrap();
        numbers.map(|number| {
            let waiters = Waiters::across(Front::of(region.clone()), number, Barrier::shared().unwrap());
            let attached = Attached { waiters, region: region.clone() };
            for announcement in attached.announcements() {
                announcement.fetch_or(attached.waiters.nobody(), Ordering::Relaxed);
            }
            Arc::new(attached)
        })
    }

    /// Of those who wait for messages, and for room.
    fn announcements(&self) -> [&AtomicU64; 2] {
        [self.region.word(LEN), self.region.word(LEN + 8)]
    }

    /// What messages, and room, are in this.
    fn changes(&self, interest: Interest) -> &AtomicU64 {
        self.region.word(LEN + if interest == Interest::Room { 24 } else { 16 })
    }

    /// Sleeps until there were `many` of them.
    fn sleep_until(&self, interest: Interest, many: u64) {
        let [messages, room] = self.announcements();
        let sleepers = [messages, if interest == Interest::Room { room } else { messages }];
        let ready = || self.changes(interest).load(Ordering::Relaxed) == many;
        assert!(self.waiters.park(&sleepers, interest, None, ready));
    }

    fn change_and_wake(&self, change: Interest, wake: Interest) {
        self.changes(change).fetch_add(1, Ordering::Relaxed);
        self.waiters.notify(self.announcements()[usize::from(wake == Interest::Room)]);
    }
}

fn beside<T: 'static>(
    attached: &Arc<Attached>,
    work: impl FnOnce(&Attached) -> T + 'static,
) -> loom::thread::JoinHandle<T> {
    let attached = Arc::clone(attached);
    loom::thread::spawn(move || work(&attached))
}

#[test]
fn who_sleeps_across_is_woken() {
    loom::model(|| {
        let [asleep, waker] = Attached::two();
        let sleeper = beside(&asleep, |own| own.sleep_until(Interest::Messages, 1));
        waker.change_and_wake(Interest::Messages, Interest::Messages);
        sleeper.join().unwrap();
    });
}

/// The first change is not all that it waits for.
#[test]
fn who_sleeps_across_again_is_woken_again() {
    loom::model(|| {
        let [asleep, waker] = Attached::two();
        let sleeper = beside(&asleep, |own| own.sleep_until(Interest::Messages, 2));
        waker.change_and_wake(Interest::Messages, Interest::Messages);
        waker.change_and_wake(Interest::Messages, Interest::Messages);
        sleeper.join().unwrap();
    });
}

#[test]
fn all_who_sleep_across_are_woken() {
    loom::model(|| {
        let [asleep, waker] = Attached::two();
        let sleepers = [Interest::Messages, Interest::Room]
            .map(|interest| beside(&asleep, move |own| own.sleep_until(interest, 1)));
        waker.changes(Interest::Room).store(1, Ordering::Relaxed);
        waker.change_and_wake(Interest::Messages, Interest::Messages);
        sleepers.map(|sleeper| sleeper.join().unwrap());
    });
}

/// Whichever of two wakers comes first and takes an announcement that is for the other one, too.
#[test]
fn who_sleeps_across_for_room_is_woken_by_either() {
    for wake in [Interest::Messages, Interest::Room] {
        loom::model(move || {
            let [asleep, waker] = Attached::two();
            let sleeper = beside(&asleep, |own| own.sleep_until(Interest::Room, 1));
            let other = beside(&waker, |own| own.change_and_wake(Interest::Messages, Interest::Messages));
            waker.change_and_wake(Interest::Room, wake);
            sleeper.join().unwrap();
            other.join().unwrap();
        });
    }
}

/// Sleeps until it is notified.
#[derive(Debug)]
struct Sleeping {
    notified: Mutex<bool>,
    changed: Condvar,
}

impl Poller for Sleeping {
    fn wait(&self, _: Option<Duration>) {
        let mut notified = lock(&self.notified);
        while !std::mem::take(&mut *notified) {
            notified = self.changed.wait(notified).unwrap();
        }
    }

    fn notify(&self) {
        *lock(&self.notified) = true;
        self.changed.notify_all();
    }
}

fn sleep_in_a_poller(own: &Attached, many: u64) {
    let poller = Arc::new(Sleeping { notified: Mutex::new(false), changed: Condvar::new() }) as Arc<dyn Poller>;
    let ready = || own.changes(Interest::Messages).load(Ordering::Relaxed) == many;
    while !ready() {
        own.waiters.park_in(&poller, &own.announcements()[..1], None, ready);
    }
}

/// And the thread that rings for it ends, or this would not. Who wakes is another attachment, or the same.
fn a_poller_is_notified_of(many: u64, numbers: [usize; 2], by_its_own: bool) {
    loom::model(move || {
        let [asleep, other] = Attached::at_places(numbers);
        let waker = if by_its_own { Arc::clone(&asleep) } else { other };
        let sleeper = beside(&asleep, move |own| sleep_in_a_poller(own, many));
        // Beside this thread: that it goes on is no preemption then.
        let waking = beside(&waker, move |own| {
            (0..many).for_each(|_| own.change_and_wake(Interest::Messages, Interest::Messages));
        });
        sleeper.join().unwrap();
        waking.join().unwrap();
        // None, if it came too late to sleep.
        if let Some(bell) = asleep.waiters.end() {
            bell.join().unwrap();
        }
    });
}

#[test]
fn who_sleeps_in_a_poller_is_woken_across() {
    a_poller_is_notified_of(1, [0, 1], false);
}

#[test]
fn who_sleeps_in_a_poller_again_is_woken_across_again() {
    a_poller_is_notified_of(2, [0, 1], false);
}

/// Without a bell.
#[test]
fn who_sleeps_in_a_poller_is_woken_by_its_own_attachment() {
    a_poller_is_notified_of(2, [0, 1], true);
}

/// Two attachments have one bell's word in common.
#[test]
fn who_sleeps_in_a_poller_is_woken_by_one_that_shares_its_bell() {
    a_poller_is_notified_of(1, [LAST_BELL, LAST_BELL + 1], false);
}
