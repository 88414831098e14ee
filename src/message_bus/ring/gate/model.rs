//! Loom models of what the dead leave: the lock, a claim, a slot that they were reading. And of what is done without
//! the lock, while somebody stands still with it.

use super::super::claim::{ManyWriters, Role, Room as _, sealed::Claim as _};
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
    owners.map(|owner| Arc::new(Ring::attached(region.clone(), CAPACITY, KEY, owner, |_, owner| owner == MORTAL)))
}

fn take(ring: &Ring) -> Taken<'_> {
    let taken = lock::take(ring.control(), ring.owner(), |owner| ring.has_ended(owner), || None);
    taken.unwrap_or_else(|_| unreachable!("it has all the time"))
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

/// The entry of writer `number` is `ring`'s; what it claims with.
fn writer(ring: &Ring, number: usize) -> ManyWriters {
    ring.control().writer(control::writer(number)).state().store(ring.owner().word(), Ordering::Relaxed);
    let claim = ManyWriters::new(ring, control::writer(number));
    // Its limit is known, so that it need not take the lock for that.
    assert!(claim.has_room(ring, LEN, Role::Outside));
    claim
}

/// The largest slot of the ring.
const LEN: u64 = CAPACITY / 8;

/// Writes one message; where to.
#[allow(unsafe_code)]
fn write(ring: &Ring, claim: &ManyWriters, payload: u8) -> u64 {
    let claimed = claim.claim_announced(ring, LEN).unwrap();
    let position = claimed.position();
    // SAFETY: claimed of this ring.
    unsafe { ring.publish_bytes(claimed, 1, 1, (), &[payload; 8]) };
    position
}

/// A claim of the dead is as long as it was, whatever the living claim and finish behind it meanwhile.
#[test]
fn a_claim_of_the_dead_ends_where_the_next_one_begins() {
    loom::model(|| {
        let [mortal, living, heir] = attached([MORTAL, Owner::of(2, 1), Owner::of(3, 1)]);
        assert!(writer(&mortal, 0).claim_in_room(&*mortal, LEN, Role::Outside).is_some(), "and no more");
        // It has seen the tail since: else it tries to claim where the dead has, and the heir takes it for the owner.
        let claim = writer(&living, 1);
        let other = loom::thread::spawn(move || {
            assert_eq!([write(&living, &claim, 1), write(&living, &claim, 2)], [LEN, 2 * LEN]);
        });
        assert!(Gate::new(&*heir).heal());
        // SAFETY: the gate has not moved.
        #[allow(unsafe_code)]
        let seen = unsafe { heir.observe(0) };
        assert_eq!(seen, Seen::Sealed { len: LEN, fenced: false });
        other.join().unwrap();
    });
}

/// Of two that want the place, the living has claimed: the dead one, which lost, is no proof.
#[test]
fn a_claim_of_the_living_is_left_to_it() {
    loom::model(|| {
        let [mortal, living, heir] = attached([MORTAL, Owner::of(2, 1), Owner::of(3, 1)]);
        let claim = writer(&living, 1);
        _ = writer(&mortal, 0);
        mortal.announce(control::writer(0), Some(0));
        let other = loom::thread::spawn(move || {
            write(&living, &claim, 1);
        });
        Gate::new(&*heir).heal();
        other.join().unwrap();
        // SAFETY: the gate has not moved.
        #[allow(unsafe_code)]
        let seen = unsafe { heir.observe(0) };
        assert!(matches!(seen, Seen::Message(_)), "{seen:?}");
    });
}

/// Where a model says that `MORTAL` has ended.
fn obituary(control: Control<'_>) -> &crate::sync::AtomicU64 {
    control.reader(control::reader(2)).saved()
}

/// What a dead reader was looking at is written to only when it has ended.
#[test]
fn a_dead_readers_slot_is_written_to_after_its_last_look() {
    loom::model(|| {
        let region = Region::anonymous(Ring::region_len(CAPACITY) as usize).unwrap();
        drop(Ring::new(region.clone(), CAPACITY, 0, KEY));
        let [mortal, living] = [MORTAL, Owner::of(2, 1)].map(|owner| {
            Arc::new(Ring::attached(region.clone(), CAPACITY, KEY, owner, |control, owner| {
                owner == MORTAL && obituary(control).load(Ordering::Acquire) != 0 // SYNC POINT model.obituary
            }))
        });
        let (index, _) = Gate::new(&*mortal).join(Kind::Gating, "m", |standing| Ok(standing.tail())).unwrap();
        assert_eq!(index.number(), 0);
        let claim = writer(&living, 1);
        (0..8).for_each(|number| _ = write(&living, &claim, number));
        let other = loom::thread::spawn(move || {
            // SAFETY: its cursor stands there.
            #[allow(unsafe_code)]
            unsafe {
                let Seen::Message(header) = mortal.observe(0) else { unreachable!("it was written") };
                assert_eq!(mortal.payload(&header)[..], [0; 8]);
            }
            obituary(mortal.control()).store(1, Ordering::Release); // SYNC POINT model.obituary
        });
        if Gate::new(&*living).heal() {
            assert!(claim.has_room(&*living, LEN, Role::Outside));
            assert_eq!(write(&living, &claim, 9), CAPACITY);
        } else {
            assert!(claim.claim_in_room(&*living, LEN, Role::Outside).is_none());
        }
        other.join().unwrap();
    });
}

/// Who stands still with the lock.
const STOPPED: Owner = Owner::of(4, 1);

/// Who has left without the lock looks at nothing any more when its slot is written to.
#[test]
fn a_slot_is_written_to_after_the_last_look_of_whoever_left() {
    loom::model(|| {
        let [leaving, living] = attached([Owner::of(1, 2), Owner::of(2, 1)]);
        let (index, _) = Gate::new(&*leaving).join(Kind::Gating, "l", |standing| Ok(standing.tail())).unwrap();
        let claim = writer(&living, 1);
        (0..8).for_each(|number| _ = write(&living, &claim, number));
        living.control().lock().store(STOPPED.word(), Ordering::Relaxed);
        let other = loom::thread::spawn(move || {
            // SAFETY: its cursor stands there.
            #[allow(unsafe_code)]
            unsafe {
                let Seen::Message(header) = leaving.observe(0) else { unreachable!("it was written") };
                assert_eq!(leaving.payload(&header)[..], [0; 8]);
            }
            Gate::new(&*leaving).leave(index);
        });
        // It goes on.
        living.control().lock().store(0, Ordering::Relaxed);
        if let Some(claimed) = claim.claim_in_room(&*living, LEN, Role::Outside) {
            assert_eq!(claimed.position(), CAPACITY);
            // SAFETY: claimed of this ring.
            #[allow(unsafe_code)]
            unsafe {
                living.publish_bytes(claimed, 1, 1, (), &[9; 8]);
            }
        }
        other.join().unwrap();
    });
}

/// One takes a ticket while another gives up the last one, and a third sums up: that one is pending is said to the end.
#[test]
fn what_sums_up_tickets_is_changed_without_the_lock() {
    loom::model(|| {
        let [first, second] = attached([Owner::of(1, 2), Owner::of(2, 1)]);
        let join = |ring: &Ring| Gate::new(ring).join(Kind::Gating, "w", |standing| Ok(standing.tail())).unwrap().0;
        let [one, two] = [join(&first), join(&second)];
        let ticket = Gate::new(&*first).take_ticket(one);
        let control = first.control();
        control.lock().store(STOPPED.word(), Ordering::Relaxed);
        let other = loom::thread::spawn(move || Gate::new(&*second).take_ticket(two));
        Gate::new(&*first).give_up_ticket(one, ticket);
        let ticket = other.join().unwrap();
        assert_eq!(control.flags().load(Ordering::Relaxed), tickets::PENDING);
        assert_eq!(control.reader(two).ticket().load(Ordering::Relaxed), ticket);
    });
}
