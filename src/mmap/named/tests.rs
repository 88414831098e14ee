//! A matrix of what may have a name, races for one, and locks as other handles and other processes see them.

use super::*;
use crate::children::{Process, told, wait_for_the_end, wait_until};
use crate::sync::{Ordering, scope};
use std::os::unix::fs::PermissionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Barrier;
use std::sync::mpsc::channel;

const LEN: usize = 64 * 1024;
const SOON: Duration = Duration::from_millis(20);

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ring");
    (directory, path)
}

fn names_in(directory: &tempfile::TempDir) -> Vec<std::ffi::OsString> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

fn made(path: &Path) -> Named {
    create(path, 0o600, LEN, |region| region.word(8).store(7, Ordering::Relaxed)).unwrap()
}

fn opened(path: &Path) -> Named {
    open::<16>(path).unwrap().map(LEN).unwrap()
}

// --------------------------------------------------------------------------------------------------------- making one

#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn what_is_made_is_whole_when_it_has_its_name() {
    let (directory, path) = scratch();
    let named = create(&path, 0o600, LEN, |region| {
        assert_eq!(names_in(&directory), [""; 0], "named before it is whole");
        assert_eq!(region.len(), LEN);
        region.word(8).store(7, Ordering::Relaxed);
    });
    let (named, metadata) = (named.unwrap(), fs::metadata(&path).unwrap());
    assert_eq!((names_in(&directory).len(), metadata.len()), (1, LEN as u64));
    assert!(metadata.blocks() * 512 >= LEN as u64, "space for {} blocks only", metadata.blocks());
    let found = open::<16>(&path).unwrap();
    assert_eq!((found.len, found.start), (LEN as u64, [[0; 8], 7u64.to_ne_bytes()].concat()[..].try_into().unwrap()));
    let other = found.map(LEN).unwrap();
    other.region().word(LEN - 8).store(9, Ordering::Relaxed);
    assert_eq!(named.region().word(LEN - 8).load(Ordering::Relaxed), 9, "one memory");
}

/// Whatever this process's mask takes from new files.
#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn those_may_use_it_whom_the_mode_lets() {
    for mode in [0o600, 0o660, 0o666] {
        let (_directory, path) = scratch();
        create(&path, mode, LEN, |_| {}).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
    }
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn what_cannot_be_made_leaves_nothing() {
    let (directory, path) = scratch();
    let refusal = create(&path, 0o600, usize::MAX / 4 + 1, |_| unreachable!("there is no space")).unwrap_err();
    assert!(matches!(refusal, Refusal::NoSpace), "{refusal:?}");
    let unwound =
        catch_unwind(AssertUnwindSafe(|| create(&path, 0o600, LEN, |_| std::panic::resume_unwind(Box::new(())))));
    assert!(unwound.is_err());
    assert_eq!(names_in(&directory), [""; 0]);
    let nowhere = directory.path().join("nowhere").join("ring");
    assert!(matches!(create(&nowhere, 0o600, LEN, |_| {}), Err(Refusal::Missing)));
}

/// Each fills it with a number of its own, all meet before they link it, and all see the winner's.
#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn of_many_that_make_it_one_wins() {
    const MANY: u64 = 16;
    for _ in 0..20 {
        let (directory, path) = scratch();
        let meeting = Barrier::new(MANY as usize);
        let make = |number: u64| {
            let made = create(&path, 0o600, LEN, |region| {
                (0..LEN).step_by(8).for_each(|offset| region.word(offset).store(number, Ordering::Relaxed));
                meeting.wait();
            });
            let seen = open::<LEN>(&path).unwrap().start;
            let refused = made.as_ref().err().map(|refusal| matches!(refusal, Refusal::Exists));
            (refused, (made.is_ok()).then_some(number), seen)
        };
        let outcomes: Vec<_> = scope(|scope| {
            let threads: Vec<_> = (1..=MANY).map(|number| scope.spawn(move || make(number))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let winners: Vec<u64> = outcomes.iter().filter_map(|(_, winner, _)| *winner).collect();
        let [winner] = winners[..] else { panic!("{winners:?} won") };
        for (refused, _, seen) in outcomes {
            assert_ne!(refused, Some(false), "refused for another reason");
            assert!(seen.chunks(8).all(|word| word == winner.to_ne_bytes()), "half of another");
        }
        assert_eq!(names_in(&directory), ["ring"]);
    }
}

#[test]
fn child_is_killed_while_it_makes_one() {
    let Some(told) = told() else { return };
    let (path, sign) = (Path::new(&told), Path::new(&told).with_extension("sign"));
    let _ = create(path, 0o600, LEN, |_| {
        fs::write(sign, "").unwrap();
        wait_for_the_end();
    });
}

#[test]
#[cfg_attr(miri, ignore = "Miri starts no process")]
fn who_is_killed_while_it_makes_one_leaves_nothing() {
    let (directory, path) = scratch();
    let sign = path.with_extension("sign");
    let mut child = Process::that_runs(child_is_killed_while_it_makes_one, path.to_str().unwrap());
    child.wait_until("it is at it", || sign.exists());
    drop(child);
    assert_eq!(names_in(&directory), ["ring.sign"]);
    made(&path);
}

// -------------------------------------------------------------------------------------------------------- opening one

#[test]
#[cfg_attr(miri, ignore = "Miri knows few kinds of files")]
fn what_is_no_file_is_refused_by_its_kind() {
    let (directory, path) = scratch();
    let file = directory.path().join("file");
    made(&file);
    let make: [(&str, &dyn Fn()); 6] = [
        ("a directory", &|| fs::create_dir(&path).unwrap()),
        ("a pipe", &|| assert!(Command::new("mkfifo").arg(&path).status().unwrap().success())),
        ("a socket", &|| drop(std::os::unix::net::UnixListener::bind(&path).unwrap())),
        ("a symbolic link", &|| std::os::unix::fs::symlink(&file, &path).unwrap()),
        ("a symbolic link", &|| std::os::unix::fs::symlink("nothing", &path).unwrap()),
        ("a device", &|| {}),
    ];
    for (kind, make) in make {
        make();
        let path = if kind == "a device" { Path::new("/dev/null") } else { &path };
        let is_so = |refusal: &Refusal| matches!(refusal, Refusal::NotAFile { found } if *found == kind);
        assert!(open::<16>(path).is_err_and(|refusal| is_so(&refusal)), "{kind}: {:?}", open::<16>(path));
        assert!(remove(path).is_err_and(|refusal| is_so(&refusal)), "{kind}");
        assert!(matches!(create(path, 0o600, LEN, |_| {}), Err(Refusal::Exists | Refusal::Denied)), "{kind}");
        assert!(fs::symlink_metadata(path).is_ok(), "{kind} is gone");
        // What is put there between two looks at the name.
        let opened = open_at(path, OFlags::RDWR);
        match kind {
            "a pipe" | "a device" => assert!(is_file(&opened.unwrap().metadata().unwrap()).is_err()),
            "a symbolic link" => assert_eq!(opened.unwrap_err(), Errno::LOOP),
            _ => assert!(opened.is_err(), "{kind}"),
        }
        match kind {
            "a device" => {}
            "a directory" => fs::remove_dir(path).unwrap(),
            _ => fs::remove_file(path).unwrap(),
        }
    }
    assert!(file.exists());
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn what_is_short_missing_or_forbidden_is_refused_and_stays_as_it_was() {
    let (_directory, path) = scratch();
    assert!(matches!(open::<16>(&path), Err(Refusal::Missing)));
    assert!(matches!(remove(&path), Err(Refusal::Missing)));
    for len in [0, 15] {
        fs::write(&path, vec![5; len]).unwrap();
        let refusal = open::<16>(&path).unwrap_err();
        assert!(matches!(refusal, Refusal::TooShort { len: found, least: 16 } if found == len as u64), "{refusal:?}");
        assert_eq!(fs::read(&path).unwrap(), vec![5; len]);
    }
    fs::write(&path, [5; 16]).unwrap();
    let found = open::<16>(&path).unwrap();
    assert!(matches!(found.map(LEN), Err(Refusal::TooShort { len: 16, least }) if least == LEN as u64));
    assert_eq!(fs::read(&path).unwrap(), [5; 16]);
    // A file that may not be written to by anybody, root among them.
    assert!(matches!(open::<1>(Path::new("/sys/kernel/uevent_seqnum")), Err(Refusal::Denied)));
}

// -------------------------------------------------------------------------------------------------- what becomes of it

#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn a_name_that_is_lost_is_noticed() {
    let (directory, path) = scratch();
    let named = made(&path);
    assert!(named.path().is_absolute() && named.check_name().is_ok() && !named.is_removed().unwrap());
    let elsewhere = directory.path().join("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    assert!(matches!(named.check_name(), Err(Refusal::Removed)) && !named.is_removed().unwrap());
    made(&path);
    assert!(matches!(named.check_name(), Err(Refusal::Replaced)));
    fs::rename(&elsewhere, &path).unwrap();
    named.check_name().unwrap();
    remove(&path).unwrap();
    assert!(matches!(named.check_name(), Err(Refusal::Removed)) && named.is_removed().unwrap());
    let next = made(&path);
    assert!(matches!(named.check_name(), Err(Refusal::Replaced)) && named.is_removed().unwrap());
    next.check_name().unwrap();
    // Those inside go on.
    assert_eq!(named.region().word(8).load(Ordering::Relaxed), 7);
    let lock = named.lock_byte(0).unwrap().unwrap();
    assert!(named.is_byte_locked(0).unwrap() && !next.is_byte_locked(0).unwrap());
    drop(lock);
}

// --------------------------------------------------------------------------------------------------------------- locks

#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn a_lock_is_waited_for_and_then_said_to_be_busy() {
    let (_directory, path) = scratch();
    let (one, other) = (made(&path), opened(&path));
    let lock = one.lock(SOON).unwrap();
    let start = Instant::now();
    let refusal = other.lock(SOON).unwrap_err();
    assert!(start.elapsed() >= SOON, "not waited for");
    let us = Some(std::process::id());
    assert!(matches!(refusal, Refusal::Busy { holder } if holder == us || holder.is_none()), "{refusal:?}");
    // Whoever waits has it when it is free: the holder lets go of it when the other has begun.
    let (begins, begun) = channel();
    scope(|scope| {
        let waiter = scope.spawn(|| {
            begins.send(()).unwrap();
            other.lock(Duration::from_secs(300)).is_ok()
        });
        begun.recv().unwrap();
        drop(lock);
        assert!(waiter.join().unwrap());
    });
    // And when that has let go of it, everybody.
    drop(one.lock(SOON).unwrap());
    drop(other.lock(SOON).unwrap());
}

#[test]
fn the_holder_of_a_lock_is_found() {
    let locks = "1: POSIX  ADVISORY  WRITE 11 fe:00:77 0 EOF
2: FLOCK  ADVISORY  WRITE 12 fe:00:78 0 EOF
3: FLOCK  ADVISORY  WRITE 13 fe:00:77 0 EOF
3: -> FLOCK  ADVISORY  WRITE 14 fe:00:77 0 EOF
4: FLOCK  ADVISORY  WRITE 0 00:1a:9 0 EOF
5: OFDLCK ADVISORY  WRITE -1 fe:00:77 4611686018427387904 4611686018427387904";
    assert_eq!(holder_in(locks, 0xFE, 0, 77), Some(13));
    assert_eq!(holder_in(locks, 0xFE, 0, 78), Some(12));
    assert_eq!(holder_in(locks, 0, 0x1A, 9), None, "a process of another namespace");
    assert_eq!(holder_in(locks, 0xFE, 0, 79), None);
    assert_eq!(holder_in("", 0xFE, 0, 79), None);
}

/// Through a handle of its own each, whatever else is done to the file, and beside the lock of the whole of it.
#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn a_byte_is_locked_by_one() {
    let (_directory, path) = scratch();
    let (one, other) = (made(&path), opened(&path));
    assert!(!one.is_byte_locked(5).unwrap());
    let lock = one.lock_byte(5).unwrap().expect("it is free");
    assert!(one.is_byte_locked(5).unwrap() && other.is_byte_locked(5).unwrap());
    assert!(one.lock_byte(5).unwrap().is_none() && other.lock_byte(5).unwrap().is_none());
    for index in [0, 4, 6, 63, 255] {
        assert!(!other.is_byte_locked(index).unwrap());
        other.lock_byte(index).unwrap().expect("another one");
    }
    let whole = other.lock(SOON).unwrap();
    // As foreign code does, and a lock of the classic kind would be gone.
    drop(File::options().read(true).write(true).open(&path).unwrap());
    drop(one.file.try_clone().unwrap());
    assert!(other.is_byte_locked(5).unwrap());
    drop(whole);
    assert!(other.is_byte_locked(5).unwrap());
    drop(one);
    assert!(other.is_byte_locked(5).unwrap(), "the lock's handle is its own");
    drop(lock);
    // At once, but for a process that another test starts meanwhile.
    wait_until("the lock is gone", || !other.is_byte_locked(5).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().len(), LEN as u64);
}

#[test]
fn child_holds_a_byte() {
    let Some(path) = told() else { return };
    let _lock = opened(Path::new(&path)).lock_byte(9).unwrap().unwrap();
    wait_for_the_end();
}

#[test]
#[cfg_attr(miri, ignore = "Miri starts no process")]
fn the_byte_of_a_killed_process_is_free() {
    let (_directory, path) = scratch();
    let named = made(&path);
    let mut child = Process::that_runs(child_holds_a_byte, path.to_str().unwrap());
    child.wait_until("it has its lock", || named.is_byte_locked(9).unwrap());
    assert!(named.lock_byte(9).unwrap().is_none());
    child.kill();
    wait_until("its lock is gone, before anybody has waited for it", || !named.is_byte_locked(9).unwrap());
    assert!(named.lock_byte(9).unwrap().is_some());
}
