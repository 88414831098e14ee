//! Places, generations, and what is known of those who had them.

use super::super::attachments::{Attachment, Look, PLACES};
use super::super::file::{Means, Opening};
use super::super::identity::{self, ATTACHMENTS, Identity};
use super::super::options::Claims;
use super::*;
use crate::message_bus::ring::memory::Others;
use crate::message_bus::ring::owner::Owner;
use crate::message_bus::ring::store::Store;
use crate::mmap::fork::ForkMark;
use crate::mmap::{Region, crash, named};
use crate::process::Observer;
use crate::sync::Ordering;
use crate::traits::MessageBus;
use std::time::Duration;

/// The state of place `number` of the ring in `region`.
fn state(region: &Region, number: usize) -> &crate::sync::AtomicU64 {
    region.word(ATTACHMENTS + 128 * number)
}

fn look_at(path: &Path) -> (Identity, Look) {
    let found = named::open::<{ identity::LEN }>(path).unwrap();
    let identity = Identity::read(&found.start, found.len).unwrap();
    let named = found.map(identity.file_len() as usize).unwrap();
    let look = Look::at(named, ATTACHMENTS, Observer::of_this_process(), identity.boot);
    (identity, look)
}

fn attached(path: &Path) -> (Owner, Region, Attachment) {
    let (_, look) = look_at(path);
    let (number, lock) = look.find_place().unwrap();
    let owner = look.take(number);
    let region = look.region().clone();
    (owner, region, Attachment::of(owner, look, lock, ForkMark::new().unwrap()))
}

/// Opens the ring as `owner`. A process that another test starts meanwhile may keep the lock of a place for a moment.
#[track_caller]
fn opened_as(path: &Path, owner: Owner) -> CircularBus {
    let mut found = None;
    crate::children::wait_until("the place is free", || {
        found = Some(opened(path)).filter(|bus| bus.shared.store.owner() == owner);
        found.is_some()
    });
    found.unwrap()
}

/// As somebody on that ring is asked.
fn has_ended(asked: &CircularBus, owner: Owner) -> bool {
    asked.shared.store.has_ended(owner)
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn each_opening_has_a_place_and_each_owner_of_it_a_generation() {
    let (_directory, path) = scratch();
    let first = made(&path);
    let owner = |bus: &CircularBus| bus.shared.store.owner();
    assert_eq!(owner(&first), Owner::of(0, 1));
    let second = opened(&path);
    assert_eq!(owner(&second), Owner::of(1, 1));
    assert_eq!(owner(&second.clone()), Owner::of(1, 1), "a clone is the same attachment");
    let kept = second.clone();
    drop(second);
    assert!(!has_ended(&first, Owner::of(1, 1)), "as long as there is a handle");
    drop(kept);
    assert!(has_ended(&first, Owner::of(1, 1)));
    let third = opened_as(&path, Owner::of(1, 2));
    assert!(has_ended(&first, Owner::of(1, 1)) && !has_ended(&first, Owner::of(1, 2)));
    assert!(has_ended(&third, Owner::of(1, 1)), "whoever has its place knows it");
    // Whom a look that comes too early does not know yet, and a stray word.
    assert!(!has_ended(&first, Owner::of(1, 3)) && !has_ended(&first, Owner::of(64, 1)));
    assert!(!has_ended(&first, Owner::of(u16::MAX, 0)));
}

/// A reader or writer keeps its attachment, as the bus does that it is of.
#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn an_attachment_lives_as_long_as_anything_taken_through_it() {
    let (_directory, path) = scratch();
    let first = made(&path);
    let bus = opened(&path);
    let (reader, writer) = (bus.subscribe("reader").unwrap(), bus.writer().unwrap());
    drop(bus);
    assert!(!has_ended(&first, Owner::of(1, 1)));
    drop(reader);
    assert!(!has_ended(&first, Owner::of(1, 1)));
    drop(writer);
    assert!(has_ended(&first, Owner::of(1, 1)));
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn the_65th_is_refused_and_finds_a_place_when_another_one_leaves() {
    let (_directory, path) = scratch();
    let mut all: Vec<_> = std::iter::once(made(&path)).chain((1..PLACES).map(|_| opened(&path))).collect();
    let before = std::fs::read(&path).unwrap();
    for options in [NamedOptions::default(), NamedOptions::default().table(&super::refusals::ORDERS)] {
        let found = problem(CircularBus::open(&path, options));
        assert!(matches!(found, NamedProblem::TooManyAttachments { max: 64 }), "{found:?}");
    }
    assert!(std::fs::read(&path).unwrap() == before);
    drop(all.remove(17));
    crate::children::wait_until("the place is free", || {
        CircularBus::open(&path, NamedOptions::default()).is_ok_and(|bus| bus.shared.store.owner().attachment() == 17)
    });
}

/// The lock alone decides: of a place that looks free, and of one whose owner is gone.
#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn a_place_whose_lock_somebody_has_is_not_taken() {
    let (_directory, path) = scratch();
    drop(made(&path));
    let (_, look) = look_at(&path);
    // As a forked child keeps it, whatever became of its parent.
    let kept = look.named().lock_byte(0).unwrap().unwrap();
    let next = opened(&path);
    assert_eq!(next.shared.store.owner(), Owner::of(1, 1));
    drop(kept);
    drop(opened_as(&path, Owner::of(0, 2)));
}

/// Foreign code may have closed all files of a process that lives. It has its place all the same.
#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn the_place_of_a_living_process_without_its_lock_is_not_taken() {
    let (_directory, path) = scratch();
    let first = made(&path);
    let (_, look) = look_at(&path);
    let (number, lock) = look.find_place().unwrap();
    let owner = look.take(number);
    drop(lock);
    assert!(!has_ended(&first, owner));
    assert_eq!(opened(&path).shared.store.owner(), Owner::of(2, 1));
}

/// Wherever somebody dies who attaches, the next one finds a place, and knows of each who has ended.
#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn who_dies_while_it_attaches_holds_a_place_or_none() {
    let (mut before, mut after) = (0, 0);
    for touches in 0.. {
        let (_directory, path) = scratch();
        let first = made(&path);
        let (identity, look) = look_at(&path);
        let region = look.region().clone();
        drop(look);
        let options = NamedOptions::default();
        let opening =
            Opening { path: &path, claims: Claims::Many, options: &options, patience: Duration::from_secs(300) };
        let found = named::open::<{ identity::LEN }>(&path).unwrap();
        let named = found.map(identity.file_len() as usize).unwrap();
        let own = named.region().clone();
        let means = Means::get().unwrap();
        let done = crash::within(touches, &own, || opening.attach(named, &identity, means).map(std::mem::forget));
        let word = state(&region, 1).load(Ordering::Relaxed);
        let is_there = word == Owner::of(1, 1).word();
        assert!(is_there || word == 0, "{word:x}");
        // This process lives; so it has the place as soon as its state says so, and not before.
        assert!(!has_ended(&first, Owner::of(1, 1)));
        drop(opened_as(&path, if is_there { Owner::of(2, 1) } else { Owner::of(1, 1) }));
        *(if is_there { &mut after } else { &mut before }) += 1;
        if done.is_ok() {
            break;
        }
    }
    assert!(before > 8 && after > 0, "{before} {after}");
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn who_leaves_does_so_with_a_store_and_a_lock() {
    let (_directory, path) = scratch();
    let first = made(&path);
    let (owner, region, attachment) = attached(&path);
    assert_eq!(state(&region, 1).load(Ordering::Relaxed), owner.word());
    assert!(!attachment.has_ended(first.shared.control(), owner));
    assert!(!attachment.has_ended(first.shared.control(), Owner::of(0, 1)));
    drop(attachment);
    assert_eq!(state(&region, 1).load(Ordering::Relaxed), owner.left());
    assert!(has_ended(&first, owner));
}

/// Only one attaches at a time, and who has waited for too long says for whom.
#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn an_opener_waits_for_another_and_then_says_so() {
    let (_directory, path) = scratch();
    drop(made(&path));
    let (_, look) = look_at(&path);
    let lock = look.named().lock(Duration::from_secs(300)).unwrap();
    let before = std::fs::read(&path).unwrap();
    let options = NamedOptions::default();
    let opening = Opening { path: &path, claims: Claims::Many, options: &options, patience: Duration::from_millis(20) };
    let found = opening.open().map(drop).unwrap_err();
    let us = Some(std::process::id());
    assert!(matches!(found, NamedProblem::Busy { holder } if holder == us || holder.is_none()), "{found:?}");
    assert!(std::fs::read(&path).unwrap() == before);
    drop(lock);
    assert!(opening.open().is_ok());
}

/// What a name leads to is looked at again when it is this opener's turn.
#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn a_ring_that_was_removed_meanwhile_is_not_attached_to() {
    let (_directory, path) = scratch();
    let first = made(&path);
    let found = named::open::<{ identity::LEN }>(&path).unwrap();
    let identity = Identity::read(&found.start, found.len).unwrap();
    let options = NamedOptions::default();
    let opening = Opening { path: &path, claims: Claims::Many, options: &options, patience: Duration::from_secs(300) };
    let mapped = || {
        let found = named::open::<{ identity::LEN }>(&path).unwrap();
        found.map(identity.file_len() as usize).unwrap()
    };
    let (one, other) = (mapped(), mapped());
    CircularBus::remove(&path).unwrap();
    let refused = |named| opening.attach(named, &identity, Means::get().unwrap()).map(drop).unwrap_err();
    assert!(matches!(refused(one), NamedProblem::Removed));
    drop(made(&path));
    assert!(matches!(refused(other), NamedProblem::Replaced));
    drop(first);
}

/// Of two that replace a ring of another boot, the second leaves alone what the first has made.
#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn what_replaced_a_ring_of_another_boot_is_not_replaced_again() {
    if Observer::of_this_process().boot() == 0 {
        return crate::children::skip("this system does not say which boot this is");
    }
    let (_directory, path) = scratch();
    let options = NamedOptions::default();
    let opening = Opening { path: &path, claims: Claims::Many, options: &options, patience: Duration::from_secs(300) };
    drop(made(&path));
    opening.remove_if_of_another_boot().unwrap();
    assert!(path.exists(), "it is of this boot");
    super::refusals::forge(&path, true, |bytes| bytes[72] ^= 1);
    // It is removed under the lock that the second one waits for, which has opened it by then.
    let (_, look) = look_at(&path);
    let handles = || {
        let links =
            std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| entry.unwrap().path().read_link().ok());
        links.filter(|link| *link == path).count()
    };
    let before = handles();
    let lock = look.named().lock(Duration::from_secs(300)).unwrap();
    crate::sync::scope(|scope| {
        let second = scope.spawn(|| opening.remove_if_of_another_boot().map_err(|problem| problem.to_string()));
        crate::children::wait_until("it has opened the old one", || handles() > before);
        CircularBus::remove(&path).unwrap();
        drop(made(&path));
        drop(lock);
        second.join().unwrap().unwrap();
    });
    drop(opened_as(&path, Owner::of(0, 2)));
    // And one that is of another boot still goes.
    super::refusals::forge(&path, true, |bytes| bytes[72] ^= 1);
    opening.remove_if_of_another_boot().unwrap();
    assert!(!path.exists());
}

/// As docs/ring-format.md draws it.
#[test]
fn the_format_is_what_its_page_says() {
    use super::super::identity::{CONTROL, NAMES};
    use crate::message_bus::ring::control::{self, Control};
    use crate::message_bus::wait::across::{BELLS, LEN};
    use crate::mmap::Front;
    assert_eq!((ATTACHMENTS, NAMES, CONTROL, control::SIZE), (4096, 12288, 77824, 25600));
    let region = Region::anonymous(control::SIZE).unwrap();
    let front = Front::<{ control::SIZE }>::of(region.clone());
    let control = Control(front.words());
    let offset = |word: &crate::sync::AtomicU64| word.as_ptr().addr() - region.word(0).as_ptr().addr();
    let first = [control.magic(), control.version(), control.capacity(), control.key()];
    assert_eq!(first.map(offset), [0, 8, 16, 24]);
    assert_eq!([control.tail(), control.gate(), control.flags()].map(offset), [128, 256, 384]);
    assert_eq!([control.message_sleepers(), control.room_sleepers()].map(offset), [392, 400]);
    let locked = [control.lock(), control.occupied(), control.unread_until(), control.next_ticket()];
    assert_eq!(locked.map(offset), [512, 520, 528, 536]);
    assert_eq!([control.workers(), control.one_writer(), control.fences()].map(offset), [544, 552, 560]);
    assert_eq!([control.fenced(0), control.fenced(15)].map(offset), [640, 640 + 15 * 8]);
    let reader = control.reader(control::reader(1));
    let words = [reader.cursor(), reader.state(), reader.losses(), reader.ticket(), reader.outbox_high_water()];
    assert_eq!(words.map(|word| offset(word) - 768 - 256), [0, 128, 136, 144, 152]);
    let words = [reader.handling(), reader.saved(), reader.replaying(), reader.moved_to(), reader.moved_losses()];
    assert_eq!(words.map(|word| offset(word) - 768 - 256), [160, 168, 176, 184, 192]);
    assert_eq!([reader.name(0), reader.name(3)].map(|word| offset(word) - 768 - 256), [200, 224]);
    let writer = control.writer(control::writer(1));
    let words = [writer.state(), writer.messages(), writer.bytes(), writer.full(), writer.sealed(), writer.claim()];
    assert_eq!(words.map(|word| offset(word) - 17152 - 128), [0, 8, 16, 24, 32, 40]);
    let futexes = control::futexes(&front);
    assert_eq!((offset(futexes.words().at::<0>()), LEN, BELLS), (25344, 256, 29));
}
