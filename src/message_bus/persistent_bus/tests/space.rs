//! The space that a journal takes: how it grows, and what happens when there is no more.

use super::{Bus, CAPACITY, Call, PAGE, SMALL, Watched, image_of, made, message, open, read_all, small, whole_of};
use crate::message_bus::journal::options::{Durability, PersistentOptions};
use crate::message_bus::journal::store::first_step;
use crate::mmap::Region;
use crate::sync::{Arc, Mutex, lock};
use crate::traits::{MessageBus, Publish, WriteError};
use std::io;

/// A journal in memory that has no space, and syncs nothing, while there is trouble.
pub(super) fn tight(options: PersistentOptions) -> (Bus, Arc<Mutex<Option<io::ErrorKind>>>) {
    let trouble = Arc::new(Mutex::new(None));
    let told = Arc::clone(&trouble);
    let watch = move |_: &Region, call| match (call, *lock(&told)) {
        (Call::Grow { .. } | Call::Sync { .. }, Some(kind)) => Err(io::Error::from(kind)),
        _ => Ok(()),
    };
    (made(options, |_| Box::new(Watched(watch))), trouble)
}

/// Each step of growth fails once, in every way of writing: an error with nothing claimed, and all is well when there
/// is space again.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn a_full_disk_is_an_error_and_leaves_no_hole() {
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::PermissionDenied] {
        let (bus, trouble) = tight(small());
        let writer = bus.writer().unwrap();
        let (mut number, mut steps) = (0_u8, 0);
        loop {
            *lock(&trouble) = Some(kind);
            let refused = loop {
                match writer.try_write_bytes(2, 7, &[number; 250]) {
                    Ok(()) => number += 1,
                    Err(error) => break error,
                }
            };
            if let WriteError::Exhausted { capacity } = refused {
                assert_eq!(capacity, CAPACITY);
                break;
            }
            let expected = match kind {
                io::ErrorKind::StorageFull => WriteError::NoSpace,
                kind => WriteError::Storage { kind },
            };
            assert_eq!(refused, expected);
            steps += 1;
            let tail = bus.tail();
            assert_eq!(writer.write(2, 7, 250, |_| panic!("filled without space")), Err(expected.clone()));
            assert_eq!(bus.tail(), tail, "something was claimed");
            let (_, recovered) = open(&image_of(&bus), small()).unwrap();
            assert_eq!((recovered.messages, recovered.tail), (u64::from(number), tail));
            *lock(&trouble) = None;
            writer.try_write_bytes(2, 7, &[number; 250]).expect("there is space again");
            number += 1;
        }
        assert!(steps > if cfg!(miri) { 1 } else { 8 }, "only {steps} steps failed");
        let seen = read_all(&bus);
        assert!(seen.iter().map(|payload| payload[0]).eq(0..number) && seen.iter().all(|p| *p == [p[0]; 250]));
        assert_eq!(writer.write_bytes(2, 7, &[0; 250]), Err(WriteError::Exhausted { capacity: CAPACITY }));
    }
}

/// After a sync that failed nothing that is written is called safe any more.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn a_failed_sync_is_not_forgotten() {
    let (bus, trouble) = tight(PersistentOptions { durability: Durability::Always, ..small() });
    let writer = bus.writer().unwrap();
    writer.write_bytes(2, 7, &message(0)).unwrap();
    let (kind, second) = (io::ErrorKind::Other, bus.tail());
    *lock(&trouble) = Some(kind);
    assert_eq!(writer.write_bytes(2, 7, &message(1)), Err(WriteError::Storage { kind }));
    *lock(&trouble) = None;
    assert_eq!(writer.write_bytes(2, 7, &message(2)), Err(WriteError::Storage { kind }));
    assert_eq!(bus.sync(), Err(kind));
    // Nor does the journal say that it was.
    assert_eq!(whole_of(&image_of(&bus)), second);
}

/// A disk has a page left now and then, but never a whole step.
#[test]
fn what_little_space_there_is_is_used() {
    let options = PersistentOptions { step: 64 * PAGE as u64, ..small() };
    let scarce = |_: &Region, call| match call {
        Call::Grow { from, to } if to - from > PAGE => Err(io::Error::from(io::ErrorKind::StorageFull)),
        _ => Ok(()),
    };
    let bus = made(options, |_| Box::new(Watched(scarce)));
    let writer = bus.writer().unwrap();
    let refused = loop {
        if let Err(error) = writer.try_write_bytes(2, 7, &[1; 200]) {
            break error;
        }
    };
    assert_eq!(refused, WriteError::Exhausted { capacity: CAPACITY });
}

/// A journal in memory that tells what was asked of its disk, as far as `tell` wants to know it.
fn told<T: Send + 'static>(
    options: PersistentOptions,
    tell: impl Fn(Call) -> Option<T> + Send + Sync + 'static,
) -> (Bus, Arc<Mutex<Vec<T>>>) {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&calls);
    let watch = move |_: &Region, call| {
        lock(&noted).extend(tell(call));
        Ok(())
    };
    (made(options, |_| Box::new(Watched(watch))), calls)
}

/// A small journal takes little space, and a large one grows rarely.
#[test]
#[cfg_attr(miri, ignore = "megabytes, of which Miri sees nothing new")]
fn a_journal_grows_by_as_much_as_it_has_held() {
    let step = 1 << 20;
    let (bus, growth) = told(PersistentOptions { capacity: 8 * step, step, ..small() }, |call| match call {
        Call::Grow { from, to } => Some((to - from) as u64),
        _ => None,
    });
    let (store, writer, first) = (&bus.shared.store, bus.writer().unwrap(), bus.tail());
    let mut all = Vec::new();
    while store.grow_ahead() {}
    assert!(std::mem::take(&mut *lock(&growth)).iter().sum::<u64>() <= 2 * first_step(step));
    while bus.tail() - first < 4 * step {
        writer.write_bytes(2, 7, &[1; 256]).unwrap();
        while store.grow_ahead() {}
        let held = bus.tail() - first;
        for grown in std::mem::take(&mut *lock(&growth)) {
            // What is missing until the file is ahead again comes on top of a step.
            assert!(grown <= 2 * first_step(step).max(held), "{grown} bytes more when {held} were held");
            assert!(grown >= first_step(step), "{grown} bytes is a small step after {held}");
            all.push(grown);
        }
    }
    assert!(all.len() <= 10, "{all:?}");
    assert!(all.contains(&step), "{all:?}");
}

/// The keeper makes present what it has grown, a piece at a time, and leaves out what a writer has passed already.
#[test]
#[cfg_attr(miri, ignore = "megabytes, of which Miri sees nothing new")]
fn what_is_grown_ahead_is_made_present() {
    let step = 1 << 20;
    let options = PersistentOptions { capacity: 16 * step, step, ..small() };
    let (bus, presence) = told(options, |call| match call {
        Call::Populate { from, to } => Some((from as u64, to as u64)),
        _ => None,
    });
    let (store, writer) = (&bus.shared.store, bus.writer().unwrap());
    let contiguous = |pieces: &[(u64, u64)]| {
        assert!(pieces.iter().all(|(from, to)| from < to && to - from <= step / 4), "{pieces:?}");
        assert!(pieces.windows(2).all(|pair| pair[0].1 == pair[1].0), "{pieces:?}");
        (pieces[0].0, pieces[pieces.len() - 1].1)
    };
    while store.grow_ahead() {}
    let (from, present) = contiguous(&std::mem::take(&mut *lock(&presence)));
    assert_eq!(from, SMALL as u64);
    assert!(present >= bus.tail() + first_step(step));
    while store.grow_ahead() {}
    assert!(lock(&presence).is_empty(), "twice");
    // A writer that grows the file itself is far ahead when the keeper comes.
    while bus.tail() < present + step {
        writer.write_bytes(2, 7, &[1; 256]).unwrap();
    }
    while store.grow_ahead() {}
    let (from, to) = contiguous(&std::mem::take(&mut *lock(&presence)));
    assert_eq!(from, bus.tail() / PAGE as u64 * PAGE as u64);
    assert!(to >= bus.tail() + step);
}
