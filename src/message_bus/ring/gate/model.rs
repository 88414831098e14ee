//! Loom models of a lock whose holder has died.

use super::super::memory::Ring;
use super::super::owner::Owner;
use super::lock::{self, Locked, Taken};
use super::*;
use crate::mmap::Region;
use crate::sync::Arc;

const CAPACITY: u64 = 256;
const KEY: u64 = 7;
const MORTAL: Owner = Owner::of(1, 1);

/// Attachments to one ring, who all know that `MORTAL` is dead.
fn attached<const N: usize>(owners: [Owner; N]) -> [Arc<Ring>; N] {
    let region = Region::anonymous(Ring::region_len(CAPACITY) as usize).unwrap();
    drop(Ring::new(region.clone(), CAPACITY, 0, KEY));
    owners.map(|owner| Arc::new(Ring::attached(region.clone(), CAPACITY, KEY, owner, |owner| owner == MORTAL)))
}

fn take(ring: &Ring) -> Taken<'_> {
    lock::take(ring.control(), ring.owner(), |owner| ring.has_ended(owner))
}

/// What the lock keeps.
fn add_one(locked: &Locked<'_>) -> u64 {
    let word = locked.control().next_ticket();
    let before = word.load(Ordering::Relaxed);
    word.store(before + 1, Ordering::Relaxed);
    before
}

#[test]
fn of_two_heirs_one_takes_the_lock_over() {
    loom::model(|| {
        let [first, second] = attached([Owner::of(2, 1), Owner::of(3, 1)]);
        first.control().lock().store(MORTAL.word(), Ordering::Relaxed);
        let add = |ring: &Ring| {
            let (Taken::Free(locked) | Taken::Over(locked)) = take(ring);
            add_one(&locked);
        };
        let other = {
            let second = Arc::clone(&second);
            loom::thread::spawn(move || add(&second))
        };
        add(&first);
        other.join().unwrap();
        assert_eq!(first.control().next_ticket().load(Ordering::Relaxed), 2);
    });
}

#[test]
fn an_heir_sees_what_was_done_before_the_dead_came() {
    loom::model(|| {
        let [before, mortal, heir] = attached([Owner::ALONE, MORTAL, Owner::of(2, 1)]);
        let others = loom::thread::spawn(move || {
            let (Taken::Free(locked) | Taken::Over(locked)) = take(&before);
            add_one(&locked);
            drop(locked);
            let (Taken::Free(locked) | Taken::Over(locked)) = take(&mortal);
            std::mem::forget(locked);
        });
        if let Taken::Over(locked) = take(&heir) {
            assert_eq!(add_one(&locked), 1);
        }
        others.join().unwrap();
    });
}
