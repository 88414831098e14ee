//! What is seen from outside is what those inside know, and whatever may be in the file is an error or a number.

use super::super::identity::{ATTACHMENTS, CONTROL, LEN};
use super::refusals::{ORDERS, forge};
use super::*;
use crate::children::{Process, told, wait_for_the_end, wait_until};
use crate::message_bus::NamedStats;
use crate::message_bus::ring::control;
use crate::message_bus::ring::owner::Owner;
use crate::mmap::named::open_to_read;
use crate::random;
use crate::sync::scope;
use crate::traits::{BusWriter, MessageBus, Publish, ReadError, Reader};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;

fn seen(path: &Path) -> NamedStats {
    NamedStats::read(path).unwrap()
}

/// Where the lock is in the file.
const LOCK: u64 = CONTROL as u64 + 512;

fn put(path: &Path, offset: u64, word: u64) {
    File::options().write(true).open(path).unwrap().write_all_at(&word.to_ne_bytes(), offset).unwrap();
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn who_looks_from_outside_sees_what_those_inside_know() {
    let (_directory, path) = scratch();
    let bus = CircularBus::create(&path, NamedOptions { table: Some(&ORDERS), ..of_capacity(CAPACITY) }).unwrap();
    let other = opened(&path);
    let writer = bus.writer().unwrap();
    (0..3).for_each(|_| writer.write_bytes(1, 7, b"before").unwrap());
    let mut gating = other.subscribe("gating").unwrap();
    let mut tap = bus.subscribe_evictable("tap").unwrap();
    let held = bus.subscribe_held("held", None).unwrap();
    let worker = bus.worker_writer(&held).unwrap();
    (0..5).for_each(|_| writer.write_bytes(1, 7, b"12345678").unwrap());
    assert_eq!(gating.try_read_up_to(2, |_, _| crate::traits::Next::Go), Ok(2));
    tap.try_read(|_, _| ()).unwrap();
    worker.take_ticket();
    worker.record_outbox(700);
    worker.record_outbox(300);

    let before = fs::read(&path).unwrap();
    let stats = seen(&path);
    assert!(fs::read(&path).unwrap() == before, "a look has changed the file");
    let inside = bus.stats();
    assert_eq!((stats.capacity, stats.one_writer, stats.lock), (CAPACITY as u64, false, None));
    assert_eq!((stats.tail, stats.gate, stats.messages, stats.bytes), (inside.tail, 0, 8, 3 * 6 + 5 * 8));
    assert_eq!((stats.full, stats.sealed), (inside.full, inside.sealed));
    let own = std::process::id();
    let both = stats.attachments.iter().map(|it| (it.pid, it.alive, it.paused));
    assert_eq!(both.collect::<Vec<_>>(), [(Some(own), true, false); 2]);
    assert!(stats.attachments.iter().all(|it| it.program.starts_with("rust_messenger")), "{stats:?}");
    assert_eq!(stats.handler_names, [(1, "Feed".to_owned()), (2, "Book".to_owned())]);
    assert_eq!(stats.message_names, [(7, "Order".to_owned())]);

    // Of each reader what the bus says, too; and what only a named ring knows.
    for (seen, inside) in stats.readers.iter().zip(&inside.readers) {
        assert_eq!((&seen.name, seen.position, seen.lag), (&inside.name, inside.position, inside.lag));
        assert_eq!((seen.evictable, seen.held), (inside.evictable, inside.held));
        assert_eq!((seen.outbox_high_water, seen.asleep), (inside.outbox_high_water, false));
    }
    let of_each = stats.readers.iter().map(|it| (&*it.name, it.attachment, it.lag_messages, it.outbox, it.losses));
    // Two were handled, and are not let go of yet; what was copied out of the ring is let go of before it is handled.
    assert_eq!(of_each.collect::<Vec<_>>(), [("gating", 1, 5, 0, 0), ("tap", 0, 5, 0, 0), ("held", 0, 5, 300, 0)]);
    let writers = stats.writers.iter().map(|it| (it.attachment, it.worker, it.messages, it.bytes));
    assert_eq!(writers.collect::<Vec<_>>(), [(0, false, 8, 58), (0, true, 0, 0)]);

    // All is read.
    assert_eq!(gating.try_read_up_to(3, |_, _| crate::traits::Next::Go), Ok(3));
    assert_eq!(gating.try_read(|_, _| ()), Err(ReadError::Empty));
    while tap.try_read(|_, _| ()).is_ok() {}
    worker.give_up_ticket();
    let stats = seen(&path);
    let of_each = stats.readers.iter().map(|it| (it.handled, it.lag, it.lag_messages, it.outbox));
    assert_eq!(of_each.take(2).collect::<Vec<_>>(), [(5, 0, 0, 0); 2]);
    assert_eq!((stats.readers[2].outbox, stats.readers[2].outbox_high_water), (0, 700));
    // Whoever leaves is seen no more.
    drop((gating, tap, other));
    let stats = seen(&path);
    assert_eq!((stats.attachments.len(), stats.readers.len()), (1, 1));
}

/// What it says it handled is no less than a lap ago, however its user reads.
#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn a_reader_that_never_rests_says_how_many_it_has_handled() {
    let (_directory, path) = scratch();
    let bus = made(&path);
    let writer = bus.writer().unwrap();
    for kind in ["gating", "tap", "single"] {
        let mut reader = if kind == "tap" { bus.subscribe_evictable(kind) } else { bus.subscribe(kind) }.unwrap();
        writer.write_bytes(1, 2, &[0; 48]).unwrap();
        let mut handled = 0;
        // Each message it reads brings another one, so its batch never ends.
        let mut handle = || {
            writer.write_bytes(1, 2, &[0; 48]).unwrap();
            handled += 1;
            let seen = seen(&path);
            assert!(seen.readers[0].handled + 9 >= handled, "{kind}: {} of {handled}", seen.readers[0].handled);
            assert!(seen.readers[0].lag_messages <= 10, "{kind}: {seen:?}");
            if handled < 300 { crate::traits::Next::Go } else { crate::traits::Next::Stop }
        };
        if kind == "single" {
            while reader.try_read(|_, _| handle()).unwrap() != crate::traits::Next::Stop {}
        } else {
            reader.try_read_up_to(usize::MAX, |_, _| handle()).unwrap();
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn a_reader_that_sleeps_says_so_and_what_it_has_handled() {
    let (_directory, path) = scratch();
    let bus = made(&path);
    let mut reader = bus.subscribe("sleeper").unwrap();
    let writer = bus.writer().unwrap();
    (0..3).for_each(|_| writer.write_bytes(1, 2, b"x").unwrap());
    assert_eq!(reader.try_read_up_to(3, |_, _| crate::traits::Next::Go), Ok(3));
    scope(|scope| {
        let sleeps = scope.spawn(move || {
            reader.wait(None);
            reader.try_read(|_, _| ()).map(|()| reader)
        });
        wait_until("it sleeps", || seen(&path).readers[0].asleep);
        let handled = seen(&path).readers[0].handled;
        writer.write_bytes(1, 2, b"wake").unwrap();
        let _reader = sleeps.join().unwrap().unwrap();
        assert_eq!((handled, seen(&path).readers[0].asleep), (3, false));
    });
}

/// Holds a reader until it ends.
#[test]
fn child_holds_a_reader() {
    let Some(path) = told() else { return };
    let _reader = CircularBus::open(path, NamedOptions::default()).unwrap().subscribe("child").unwrap();
    wait_for_the_end();
}

#[test]
#[cfg_attr(miri, ignore = "Miri starts no process")]
fn a_process_that_stands_still_and_one_that_is_dead_are_named() {
    let (_directory, path) = scratch();
    let bus = made(&path);
    let mut child = Process::that_runs(child_holds_a_reader, path.to_str().unwrap());
    let pid = child.0.id();
    let theirs = || {
        let stats = seen(&path);
        let it = stats.readers.first().map(|reader| stats.attachments[reader.attachment].clone());
        it.map(|it| (it.pid, it.alive, it.paused))
    };
    child.wait_until("it reads", || theirs().is_some());
    assert_eq!(theirs(), Some((Some(pid), true, false)));
    let signal = |signal| kill_process(Pid::from_raw(pid as i32).unwrap(), signal).unwrap();
    signal(Signal::STOP);
    child.wait_until("it stands still", || theirs() == Some((Some(pid), true, true)));
    signal(Signal::CONT);
    child.wait_until("it goes on", || theirs() == Some((Some(pid), true, false)));
    child.kill();
    wait_until("it is dead", || theirs() == Some((Some(pid), false, false)));
    // Somebody has its place by now, and what it held is still there.
    let next = CircularBus::open(&path, NamedOptions::default()).unwrap();
    assert_eq!((theirs(), seen(&path).attachments.len()), (None, 2), "healed when the ring was opened");
    // The lock of an attachment that nobody knows any more, and of one that is there.
    for gone in [Owner::of(9, 4), Owner::of(1, 1)] {
        put(&path, LOCK, gone.word());
        let stats = seen(&path);
        let holder = &stats.attachments[stats.lock.unwrap()];
        assert_eq!((holder.pid, holder.alive, &*holder.program), (None, false, ""));
    }
    put(&path, LOCK, Owner::of(1, 2).word());
    let stats = seen(&path);
    assert_eq!(stats.attachments[stats.lock.unwrap()].pid, Some(std::process::id()));
    put(&path, LOCK, 0);
    drop((bus, next));
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn what_is_no_ring_is_an_error_for_who_looks() {
    let (directory, path) = scratch();
    let look = || problem(NamedStats::read(&path));
    assert!(matches!(look(), NamedProblem::Missing));
    let others: [(&str, &dyn Fn()); 3] = [
        ("a directory", &|| fs::create_dir(&path).unwrap()),
        ("a pipe", &|| assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success())),
        ("a symbolic link", &|| std::os::unix::fs::symlink(directory.path().join("other"), &path).unwrap()),
    ];
    drop(made(&directory.path().join("other")));
    for (kind, make) in others {
        make();
        assert!(matches!(look(), NamedProblem::NotAFile { found } if found == kind), "{kind}");
        fs::remove_dir(&path).or_else(|_| fs::remove_file(&path)).unwrap();
    }
    for bytes in [&[][..], b"rmsgring", &[7; 4096]] {
        fs::write(&path, bytes).unwrap();
        assert!(matches!(look(), NamedProblem::NotARing));
        fs::remove_file(&path).unwrap();
    }
    drop(made(&path));
    forge(&path, false, |bytes| bytes[16] = 4);
    assert!(matches!(look(), NamedProblem::Version { found: 4, expected: 3 }));
    forge(&path, false, |bytes| bytes[16] = 3);
    forge(&path, false, |bytes| bytes[50] ^= 1);
    assert!(matches!(look(), NamedProblem::Damaged { what: "its first page" }));
    fs::remove_file(&path).unwrap();
    drop(CircularBus::create_one_writer(&path, of_capacity(CAPACITY)).unwrap());
    assert!(seen(&path).one_writer);
    // Of another boot: nobody who used it is alive, and it can be looked at.
    // The other one holds nothing, and is not shown.
    put(&path, ATTACHMENTS as u64, Owner::of(0, 1).word());
    put(&path, ATTACHMENTS as u64 + 128, Owner::of(1, 1).word());
    put(&path, LOCK, Owner::of(0, 1).word());
    forge(&path, true, |bytes| bytes[72] ^= 1);
    assert_eq!(seen(&path).attachments.iter().map(|it| it.alive).collect::<Vec<_>>(), [false]);
    let len = fs::metadata(&path).unwrap().len();
    for cut in [len - 1, 5000, 128] {
        File::options().write(true).open(&path).unwrap().set_len(cut).unwrap();
        assert!(matches!(look(), NamedProblem::Length { found, expected } if (found, expected) == (cut, len)));
    }
}

/// Between the look at its first page and the rest.
#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn a_ring_that_is_cut_off_while_it_is_looked_at_is_an_error() {
    let (_directory, path) = scratch();
    drop(made(&path));
    let found = open_to_read::<LEN>(&path).unwrap();
    let whole = found.len;
    File::options().write(true).open(&path).unwrap().set_len(5000).unwrap();
    let error = super::super::look::part(&found, CONTROL, control::SIZE).unwrap_err();
    assert!(matches!(error, NamedProblem::Length { found: 5000, expected } if expected == whole), "{error}");
    // One that is removed meanwhile is seen to its end.
    let found = open_to_read::<LEN>(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(super::super::look::part(&found, ATTACHMENTS, 8).is_ok());
}

/// Whatever stands behind the first page.
#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn stray_words_are_numbers_and_no_more() {
    let (_directory, path) = scratch();
    drop(made(&path));
    let whole = fs::read(&path).unwrap();
    let mut random = random::number().unwrap();
    for kind in 0..40 {
        let mut bytes = whole.clone();
        for word in bytes[4096..].chunks_exact_mut(8) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            word.copy_from_slice(&match kind {
                0 => [0xFF; 8],
                1 => [1; 8],
                // Numbers and letters.
                kind if kind % 2 == 0 => random.to_ne_bytes(),
                _ => (random & 0x0003_0000_003F_0001).to_ne_bytes(),
            });
        }
        fs::write(&path, bytes).unwrap();
        let stats = seen(&path);
        assert!(stats.readers.len() <= 64 && stats.writers.len() <= 63 && stats.attachments.len() <= 64 + 64 + 63 + 2);
        let named = stats.readers.iter().map(|it| it.attachment).chain(stats.writers.iter().map(|it| it.attachment));
        assert!(named.chain(stats.lock).all(|it| it < stats.attachments.len()), "{stats:?}");
        assert!(stats.readers.iter().all(|it| it.lag_messages <= it.lag / 16));
    }
}
