//! The journal as a file: processes that are killed, disks that are full, files that are none, readers beside a writer.
//!
//! What can be tried in memory (every flipped bit, every cut, power failures) is beside the bus, in
//! `src/message_bus/persistent_bus/tests/`. Some tests here start this test program again as another process, which
//! runs one of the `child_` tests; by themselves those do nothing.

#![cfg(all(unix, not(miri), not(rust_messenger_loom)))]

#[cfg(all(feature = "serde", feature = "bincode", feature = "prost", feature = "zero_copy"))]
#[path = "journal/changes.rs"]
mod changes;
#[path = "journal/cursors.rs"]
mod cursors;
#[path = "journal/recorded.rs"]
mod recorded;
#[path = "journal/requeues.rs"]
mod requeues;
mod support;

use rust_messenger::message_bus::{
    Durability, Entry, Journal, JournalError, PersistentBus, PersistentOptions, Recovered, Retention, Span, Start,
};
use rust_messenger::routing::Table;
use rust_messenger::traits::{CursorError, MessageBus, Publish, ReadError, Reader, WriteError};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};
use support::{compose, composed, mix, number_of, size_of, skip, wait_until, within};

/// Small steps, so that the file grows all the time.
fn options() -> PersistentOptions {
    PersistentOptions { step: 64 * 1024, start: Start::Oldest, ..PersistentOptions::default() }
}

fn open(path: &Path) -> (PersistentBus, Recovered) {
    PersistentBus::open(path, options()).unwrap()
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    (directory, path)
}

/// The numbers of all messages by source, checked byte by byte, in the order of the journal.
fn numbers(bus: &PersistentBus) -> BTreeMap<u16, Vec<u64>> {
    let mut reader = bus.subscribe("reader").unwrap();
    let mut numbers = BTreeMap::<u16, Vec<u64>>::new();
    let read = support::drain(&mut reader, |header, bytes| {
        numbers.entry(header.source).or_default().push(number_of(header, bytes));
    });
    assert_eq!(reader.position(), bus.tail());
    assert_eq!(numbers.values().map(|numbers| numbers.len() as u64).sum::<u64>(), read);
    numbers
}

// ------------------------------------------------------------------------------------------------- processes that die

/// This test program as another process that runs one test, with something to tell it.
fn child<T: FnOnce()>(_: T, told: &str) -> Command {
    // By its own name: of a test that is not there the process would run none, and end well.
    let (_program, test) = std::any::type_name::<T>().split_once("::").unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command.env("JOURNAL_TEST", told).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// What this process was told; `None` if it is no child.
fn told() -> Option<String> {
    std::env::var("JOURNAL_TEST").ok()
}

/// Writes until it is killed, from so many threads, and says on its standard error which messages it was told are
/// written.
#[test]
fn child_writes_until_it_is_killed() {
    let Some(told) = told() else { return };
    let mut told = told.split(' ');
    let mut next = || told.next().unwrap();
    let (path, writers, start) = (PathBuf::from(next()), next().parse::<u16>().unwrap(), next().to_owned());
    let starts: Vec<u64> = start.split(',').map(|start| start.parse().unwrap()).collect();
    let step = next().parse().unwrap();
    let (bus, _) = PersistentBus::<_>::open(&path, PersistentOptions { step, ..options() }).unwrap();
    std::thread::scope(|scope| {
        for source in 1..=writers {
            let (writer, start) = (bus.writer().unwrap(), starts[usize::from(source) - 1]);
            scope.spawn(move || {
                let mut acknowledge = std::io::stderr();
                for number in start.. {
                    let size = size_of(source, number, 3000);
                    if number % 3 == 0 {
                        writer.write(source, 1, size, |bytes| compose(source, number, bytes)).unwrap();
                    } else {
                        writer.write_bytes(source, 1, &composed(source, number, size)).unwrap();
                    }
                    let mut told = [0; 16];
                    told[..8].copy_from_slice(&u64::from(source).to_le_bytes());
                    told[8..].copy_from_slice(&number.to_le_bytes());
                    // At most so many bytes go into a pipe as a whole or not at all.
                    acknowledge.write_all(&told).unwrap();
                }
            });
        }
    });
}

/// Method: a child process writes, and says of each message through a pipe that it was acknowledged. After a random
/// number of those it is killed, wherever it is, and the journal opened again: everything acknowledged must be there,
/// whole, once and in order; and of what was not, at most the one message of each writer that it was at. A journal
/// lives through several kills, so that what recovery has left is recovered from again; and so many processes try to
/// open it in between and are killed at that, so that recovery has left what it was at.
fn kill(kills: u32, writers: u16, generation: u32, step: u64, openers: u64) {
    let mut done = 0;
    let opening = if openers == 0 { Duration::ZERO } else { time_of_an_opening() };
    while done < kills {
        let (_directory, path) = scratch();
        let mut known = BTreeMap::<u16, u64>::new();
        for _ in 0..generation.min(kills - done) {
            let starts: Vec<String> =
                (1..=writers).map(|source| known.get(&source).copied().unwrap_or(0).to_string()).collect();
            let told = format!("{} {writers} {} {step}", path.display(), starts.join(","));
            let mut process = child(child_writes_until_it_is_killed, &told).spawn().unwrap();
            let acknowledged = acknowledged_until_killed(&mut process, 1 + mix(u64::from(done)) % 400);
            done += 1;
            for opener in 0..openers {
                let took = kill_an_opener(&path, part_of(opening, mix(u64::from(done) << 32 | opener)));
                assert_eq!(took, None);
            }
            let (bus, recovered) = open(&path);
            assert!(!recovered.is_damaged(), "kill {done}: {recovered}");
            assert_eq!(recovered.missing, 0);
            let numbers = numbers(&bus);
            for source in 1..=writers {
                let written = numbers.get(&source).map_or(&[][..], Vec::as_slice);
                let count = written.len() as u64;
                assert!(written.iter().copied().eq(0..count), "kill {done}: lost, doubled or out of order");
                let told = acknowledged.get(&source).copied().or(known.get(&source).copied()).unwrap_or(0);
                assert!(count >= told, "kill {done}: {told} acknowledged by {source}, {count} there");
                assert!(count <= told + 1, "kill {done}: {told} acknowledged by {source}, {count} there");
                known.insert(source, count);
            }
        }
    }
}

/// How long it takes another process to open a journal.
fn time_of_an_opening() -> Duration {
    let (_directory, path) = scratch();
    write(&open(&path).0, 0..1000);
    kill_an_opener(&path, Duration::MAX).unwrap()
}

/// Kills the process after so many messages were acknowledged. Returns how many of each source were, in all.
fn acknowledged_until_killed(process: &mut Child, count: u64) -> BTreeMap<u16, u64> {
    let mut pipe = process.stderr.take().unwrap();
    let mut acknowledged = BTreeMap::new();
    let mut note = |told: &[u8; 16]| {
        let [source, number] = [&told[..8], &told[8..]].map(|half| u64::from_le_bytes(half.try_into().unwrap()));
        acknowledged.insert(source as u16, number + 1);
    };
    let mut told = [0; 16];
    for _ in 0..count {
        pipe.read_exact(&mut told).expect("a child that writes until it is killed");
        note(&told);
    }
    process.kill().unwrap();
    process.wait().unwrap();
    // What was on its way through the pipe was acknowledged, too.
    while pipe.read_exact(&mut told).is_ok() {
        note(&told);
    }
    acknowledged
}

#[test]
fn three_hundred_kills_of_one_writer_lose_nothing() {
    within("kills of one writer", || kill(300, 1, 10, 64 * 1024, 0));
}

#[test]
fn three_hundred_kills_of_four_writers_lose_nothing() {
    within("kills of four writers", || kill(300, 4, 10, 64 * 1024, 0));
}

/// A page at a time: the file grows with every second message.
#[test]
fn kills_while_the_file_grows_lose_nothing() {
    within("kills while the file grows", || kill(100, 2, 10, 4096, 0));
}

#[test]
fn kills_of_those_who_recover_lose_nothing() {
    within("kills of those who recover", || kill(40, 4, 10, 64 * 1024, 4));
}

/// Opens what it is told, after it has said that it will, and is then in nobody's way.
#[test]
fn child_opens_until_it_is_killed() {
    let Some(path) = told() else { return };
    let mut say = std::io::stderr();
    say.write_all(b"!").unwrap();
    let (bus, recovered) = PersistentBus::open(path, options().start_reader("named", Start::Resume)).unwrap();
    assert!(!recovered.is_damaged(), "{recovered}");
    drop(bus.subscribe("named").unwrap());
    drop(bus);
    say.write_all(b"!").unwrap();
    // Whoever kills it may be late.
    std::io::stdin().read_exact(&mut [0]).unwrap();
}

/// Kills a process that opens the journal at `path` so long after it has begun. Returns how long it took, if it was
/// done.
fn kill_an_opener(path: &Path, late: Duration) -> Option<Duration> {
    let mut process = child(child_opens_until_it_is_killed, &path.display().to_string());
    let mut process = process.stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = process.stderr.take().unwrap();
    let begun = said_and_then(&mut pipe, 1);
    let took = (late == Duration::MAX).then(|| said_and_then(&mut pipe, 1) - begun);
    spin_until(begun.checked_add(late));
    process.kill().unwrap();
    process.wait().unwrap();
    let mut said = String::new();
    pipe.read_to_string(&mut said).unwrap();
    assert!(["", "!"].contains(&said.as_str()), "{said}");
    took
}

/// When a child had said so many bytes more.
fn said_and_then(pipe: &mut ChildStderr, count: usize) -> Instant {
    pipe.read_exact(&mut vec![0; count]).expect("a child that goes on until it is killed");
    Instant::now()
}

fn spin_until(end: Option<Instant>) {
    while end.is_some_and(|end| Instant::now() < end) {
        std::hint::spin_loop();
    }
}

/// A part of `whole`, and sometimes a little more than it, by lot.
fn part_of(whole: Duration, lot: u64) -> Duration {
    whole.mul_f64((lot % 1200) as f64 / 1000.0)
}

/// Makes one journal after the other in the directory it is told, with one message in each, and says so.
#[test]
fn child_makes_journals_until_it_is_killed() {
    let Some(directory) = told() else { return };
    let mut acknowledge = std::io::stderr();
    for number in 0_u64.. {
        let (bus, recovered) = open(&Path::new(&directory).join(number.to_string()));
        assert!(recovered.created);
        acknowledge.write_all(b"m").unwrap();
        bus.writer().unwrap().write_bytes(1, 1, &composed(1, number, 100)).unwrap();
        acknowledge.write_all(b"w").unwrap();
    }
}

/// Method: a process that makes journals is killed at a moment by lot. Each one that there is opens; what was said to
/// be made is there, with its message if that was said; and of one that was not made yet there is nothing.
#[test]
fn kills_while_it_is_made_leave_a_whole_journal_or_none() {
    within("kills while it is made", || {
        let mut unsaid = 0;
        for lot in 0..100 {
            let directory = tempfile::tempdir().unwrap();
            let mut process = child(child_makes_journals_until_it_is_killed, &directory.path().display().to_string());
            let mut process = process.spawn().unwrap();
            let mut pipe = process.stderr.take().unwrap();
            let mut said = b"mwmw".to_vec();
            let first = said_and_then(&mut pipe, 2);
            let second = said_and_then(&mut pipe, 2);
            spin_until(second.checked_add(part_of(second - first, mix(lot))));
            process.kill().unwrap();
            process.wait().unwrap();
            pipe.read_to_end(&mut said).unwrap();
            let count = |what: u8| said.iter().filter(|&&said| said == what).count();
            let (made, written) = (count(b'm'), count(b'w'));
            assert_eq!(made + written, said.len(), "{}", String::from_utf8_lossy(&said));
            let names = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
            if !cfg!(target_os = "linux") {
                // A draft has a name there.
                names.retain(|name| !name.starts_with('.'));
            }
            assert!(names.len() == made || names.len() == made + 1, "{made} made, and there are {names:?}");
            unsaid += names.len() - made;
            for name in names {
                let number: u64 = name.parse().expect("a draft was left");
                let (bus, recovered) = open(&directory.path().join(name));
                assert!(!recovered.created && !recovered.is_damaged(), "{recovered}");
                let numbers = numbers(&bus).remove(&1).unwrap_or_default();
                assert!(numbers.iter().copied().eq([number].into_iter().take(numbers.len())));
                assert!(!numbers.is_empty() || number as usize >= written, "{number} is lost");
            }
        }
        assert!(unsaid < 100, "none was killed before it had made one");
    });
}

// ---------------------------------------------------------------------------------------------------------- full disks

/// Writes messages of a thousand bytes until there is no space, and returns how many there are in all.
fn fill(writer: &impl Publish, number: &mut u64) -> u64 {
    loop {
        match writer.write_bytes(1, 1, &composed(1, *number, 1000)) {
            Ok(()) => *number += 1,
            Err(WriteError::NoSpace) => return *number,
            Err(other) => panic!("{other}"),
        }
    }
}

/// Fills the disk it is told, frees some of it, and goes on. Any panic or signal is seen by the parent.
#[test]
fn child_fills_a_small_disk() {
    let Some(told) = told() else { return };
    let disk = PathBuf::from(told);
    let ballast = disk.join("ballast");
    fs::write(&ballast, vec![1; 64 * 1024]).unwrap();
    let path = disk.join("journal");
    let (bus, _) = open(&path);
    let writer = bus.writer().unwrap();
    let mut number = 0;
    let mut fill = || fill(&writer, &mut number);
    let full = fill();
    assert!(full > 50, "{full}");
    let tail = bus.tail();
    assert_eq!(fill(), full, "full is full");
    assert_eq!(bus.tail(), tail, "a hole");
    fs::remove_file(ballast).unwrap();
    let more = fill();
    assert!(more > full + 30, "{full}, {more}");
    drop(writer);
    drop(bus);
    let (bus, recovered) = open(&path);
    assert!(!recovered.is_damaged() && recovered.holes.is_empty());
    assert!(numbers(&bus)[&1].iter().copied().eq(0..more));
    // A journal that cannot even be made leaves nothing behind.
    let error = PersistentBus::open(disk.join("another"), options()).unwrap_err();
    assert!(error.to_string().contains("another: make it: "), "{error}");
    let left: Vec<_> = fs::read_dir(&disk).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["journal"]);
}

/// On a file system of 512 KiB. Where no user may make one, the same is proven with an allocator that fails, beside the
/// bus.
#[test]
fn a_full_disk_is_no_signal() {
    let directory = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size=512k none '{0}' && exec \"$@\"", directory.path().display());
    let unshare = ["unshare", "-Urm", "sh", "-c", &mount, "sh"];
    let allowed = Command::new(unshare[0]).args(&unshare[1..]).arg("true").stderr(Stdio::null()).status();
    if !allowed.is_ok_and(|status| status.success()) {
        return skip("`unshare` makes no user and mount namespaces here, in which to mount a small disk");
    }
    let inner = child(child_fills_a_small_disk, "");
    let mut command = Command::new(unshare[0]);
    command.args(&unshare[1..]).arg(inner.get_program()).args(inner.get_args());
    command.env("JOURNAL_TEST", directory.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
}

/// From now on this process may write no larger file. The hard limit stays, so it can be raised again.
fn limit_files(len: Option<u64>) {
    let limit = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: len, ..limit }).unwrap();
}

/// Makes, fills and mends journals in the directory it is told, within what this process may write. Any panic or signal
/// is seen by the parent.
#[test]
fn child_may_write_no_large_file() {
    let Some(told) = told() else { return };
    let path = Path::new(&told).join("journal");
    // Not even the header: nothing is left behind.
    limit_files(Some(8192));
    let too_large = |error: JournalError| match error {
        JournalError::Io { error, .. } => error.kind() == std::io::ErrorKind::FileTooLarge,
        _ => false,
    };
    assert!(too_large(PersistentBus::open(&path, options()).unwrap_err()));
    assert_eq!(fs::read_dir(&told).unwrap().count(), 0, "a draft was left");
    // Where no page and no step ends.
    const FIRST: u64 = 300_001;
    limit_files(Some(FIRST));
    let (bus, _) = open(&path);
    let writer = bus.writer().unwrap();
    let mut number = 0;
    let mut fill = || fill(&writer, &mut number);
    let full = fill();
    let tail = bus.tail();
    // A claim keeps a little away from the end, and the file ends with a page.
    assert!(tail > FIRST - 80 * 1024 && fs::metadata(&path).unwrap().len() <= FIRST, "{tail}");
    assert_eq!(fill(), full, "full is full");
    assert_eq!(bus.tail(), tail, "a hole");
    bus.sync().unwrap();
    assert!(numbers(&bus)[&1].iter().copied().eq(0..full));
    limit_files(Some(2 * FIRST));
    assert!(fill() > full + 200);
    drop((writer, bus));
    // What is there may be opened within any limit; what was cut off does not come back past it.
    limit_files(Some(0));
    let (bus, recovered) = open(&path);
    assert!(!recovered.is_damaged() && recovered.holes.is_empty(), "{recovered}");
    assert!(numbers(&bus)[&1].iter().copied().eq(0..number));
    assert_eq!(bus.writer().unwrap().write_bytes(1, 1, &[0; 100_000]), Err(WriteError::NoSpace));
    drop(bus);
    limit_files(None);
    let len = fs::metadata(&path).unwrap().len();
    let cut = fs::read(&path).unwrap()[..len as usize - 100].to_vec();
    fs::write(&path, &cut).unwrap();
    limit_files(Some(len - 1));
    assert!(too_large(PersistentBus::open(&path, options()).unwrap_err()));
    assert!(fs::read(&path).unwrap() == cut, "changed by an open that failed");
    limit_files(Some(len));
    let (bus, recovered) = open(&path);
    assert_eq!(recovered.missing, 100);
    limit_files(None);
    write(&bus, 0..100);
}

/// What a process may not write is a signal that ends it, unless it is never tried.
#[test]
fn a_limit_on_files_is_no_signal() {
    let directory = tempfile::tempdir().unwrap();
    let output = child(child_may_write_no_large_file, directory.path().to_str().unwrap()).output().unwrap();
    assert!(output.status.success(), "{}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
}

/// A journal that was cut off, and a copy that has no space for what is zero: what is mapped has space when it is open.
#[test]
#[cfg(target_os = "linux")]
fn an_opened_journal_has_space_for_all_of_it() {
    use rustix::fs::{FallocateFlags, fallocate};
    let (_directory, path) = scratch();
    let (bus, _) = open(&path);
    write(&bus, 0..2000);
    let tail = bus.tail();
    drop(bus);
    let open_file = || fs::OpenOptions::new().write(true).open(&path).unwrap();
    let len = fs::metadata(&path).unwrap().len();
    let has_space = || on_disk(&path) >= fs::metadata(&path).unwrap().len();
    assert!(has_space());
    let from = tail.next_multiple_of(4096) + 4096;
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    fallocate(open_file(), punch, from, len - from).unwrap();
    assert!(!has_space());
    drop(open(&path));
    assert!(has_space(), "behind the end");
    open_file().set_len(tail / 2).unwrap();
    drop(open(&path));
    assert!(has_space(), "where it was cut off");
}

// ------------------------------------------------------------------------------------------------- files that are none

/// The error of opening what is at `path`, both for writing and for reading, after which it is as it was.
#[track_caller]
fn refused(path: &Path, options: PersistentOptions, expected: &str) {
    let before = fs::read(path).ok();
    let error = PersistentBus::open(path, options).expect_err("refused").to_string();
    assert!(error.contains(expected), "`{error}` does not say `{expected}`");
    assert!(error.contains(&path.display().to_string()), "`{error}` does not name the file");
    assert_eq!(fs::read(path).ok(), before, "changed by an open that failed");
    let left = path.parent().unwrap().read_dir().unwrap();
    let drafts = left.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
    assert_eq!(drafts.count(), 0, "a draft was left");
}

#[test]
fn what_is_no_journal_is_refused_and_left_alone() {
    let (directory, path) = scratch();
    let both = |content: &[u8], expected: &str| {
        fs::write(&path, content).unwrap();
        refused(&path, options(), expected);
        let error = Journal::open(&path).expect_err("refused").to_string();
        assert!(error.contains(expected), "`{error}` does not say `{expected}`");
    };
    both(b"", "no journal: 0 bytes");
    both(b"rms", "no journal: 3 bytes");
    both(b"#!/bin/sh\nexit 0\n", "no journal: it begins with `#!/bin/s`, not with `rmsgjrnl`");
    both(&[0; 8192], "no journal: it begins with");
    let good = {
        let good = directory.path().join("good");
        drop(open(&good));
        fs::read(good).unwrap()
    };
    both(&good[..60], "half a journal's header: 60 bytes of 4096");
    both(&good[..4096], "half a journal's header: 4096 bytes of");
    // In both copies: one that is bad is repaired from the other.
    let with = |offset: usize, word: u64| {
        let mut bytes = good.clone();
        for at in [0, 4096] {
            bytes[at + offset..][..8].copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    };
    both(&with(8, 0x0102_0304_0506_0708_u64.swap_bytes()), "the other byte order");
    both(&with(32, 5), "first page is damaged, and so is the copy of it");
    both(&with(16, 3), "a journal of version 3; this program reads version 2");
    // The version before this one had one copy, and a table behind it.
    let mut older = with(16, 1);
    let sum = crc32c::crc32c(&older[..124]);
    older[124..128].copy_from_slice(&sum.to_ne_bytes());
    older[4096..4224].fill(b'x');
    both(&older, "a journal of version 1; this program reads version 2");
    fs::remove_file(&path).unwrap();

    fs::create_dir(&path).unwrap();
    refused(&path, options(), "a journal is a file, and this is a directory");
    fs::remove_dir(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let error = PersistentBus::open(&path, options()).unwrap_err();
    assert!(error.to_string().contains("a pipe"), "{error}");
    assert!(Journal::open(&path).unwrap_err().to_string().contains("a pipe"));
    fs::remove_file(&path).unwrap();
    let nowhere = directory.path().join("no/such/directory");
    let error = PersistentBus::open(&nowhere, options()).unwrap_err();
    assert!(
        matches!(&error, JournalError::Io { error, .. } if error.kind() == std::io::ErrorKind::NotFound),
        "{error}"
    );
    let error = Journal::open(&nowhere).unwrap_err();
    assert!(
        matches!(&error, JournalError::Io { error, .. } if error.kind() == std::io::ErrorKind::NotFound),
        "{error}"
    );
    if let Ok(true) = is_kept_out(directory.path()) {
        fs::write(&path, &good).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        refused(&path, options(), "open it: Permission denied");
    }
}

/// A link to nothing is a link to where the journal is made. One that leads nowhere, or in a circle, is refused.
#[test]
fn links_are_followed_to_where_they_end() {
    use std::os::unix::fs::symlink;
    within("opening what links lead to", || {
        let (directory, path) = scratch();
        let [far, real, file] = ["far", "far/real", "far/real/file"].map(|name| directory.path().join(name));
        fs::create_dir_all(&real).unwrap();
        // Relative, and each to the directory that it is in; the last one is through a linked directory.
        symlink("far/one", &path).unwrap();
        symlink("../far/two", far.join("one")).unwrap();
        symlink("real", far.join("linked")).unwrap();
        symlink("linked/file", far.join("two")).unwrap();
        let (bus, recovered) = open(&path);
        assert!(recovered.created);
        write(&bus, 0..3);
        drop(bus);
        assert!(fs::symlink_metadata(&file).unwrap().is_file());
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
        assert_eq!(fs::read_dir(&real).unwrap().count(), 1, "a draft was left");
        // And now it links to a journal.
        let (bus, recovered) = open(&path);
        assert!(!recovered.created);
        assert!(numbers(&bus)[&1].iter().copied().eq(0..3));
        assert!(matches!(PersistentBus::open(&file, options()), Err(JournalError::Locked { .. })));
        drop(bus);

        let refused = |target: &Path, expected: &str| {
            fs::remove_file(&path).unwrap();
            symlink(target, &path).unwrap();
            let error = PersistentBus::open(&path, options()).expect_err("nothing to open").to_string();
            assert!(error.starts_with(&format!("{}: {expected}", path.display())), "{error}");
        };
        refused(&file.join("under a file"), "open it: Not a directory");
        refused(Path::new("no/such/directory"), "make it where this link points to: No such file");
        refused(Path::new("no/.."), "make it where this link points to: No such file");
        refused(Path::new("journal"), "open it: Too many levels of symbolic links");
        refused(Path::new("far"), "a journal is a file, and this is a directory");
        fs::remove_dir_all(&far).unwrap();
        // Of which the directory is a link to nothing.
        symlink("nowhere", &far).unwrap();
        let error = PersistentBus::open(&file, options()).expect_err("no directory").to_string();
        assert!(error.contains("make it: No such file"), "{error}");
    });
}

/// Whether permissions mean anything to this user.
fn is_kept_out(directory: &Path) -> std::io::Result<bool> {
    let path = directory.join("forbidden");
    fs::write(&path, b"")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000))?;
    let is_kept_out = fs::File::open(&path).is_err();
    fs::remove_file(&path)?;
    Ok(is_kept_out)
}

#[test]
fn absurd_sizes_are_refused() {
    let (directory, path) = scratch();
    let absurd = [
        PersistentOptions { capacity: 0, ..options() },
        PersistentOptions { capacity: 8 << 20, ..options() },
        PersistentOptions { capacity: u64::MAX, ..options() },
        PersistentOptions { capacity: 1 << 60, ..options() },
        PersistentOptions { max_payload: 0, ..options() },
        PersistentOptions { max_payload: usize::MAX, ..options() },
        PersistentOptions { step: 0, ..options() },
        PersistentOptions { step: u64::MAX, ..options() },
        PersistentOptions { table_capacity: usize::MAX / 2, ..options() },
    ];
    for absurd in absurd {
        let error = PersistentBus::open(&path, absurd.clone()).expect_err("absurd");
        assert!(matches!(error, JournalError::Size { .. }), "{absurd:?}: {error}");
        assert!(PersistentBus::in_memory(absurd).is_err());
    }
    assert_eq!(directory.path().read_dir().unwrap().count(), 0, "something was made");
    // The same for one that is there.
    drop(open(&path));
    refused_size(&path, PersistentOptions { capacity: u64::MAX, ..options() });
    refused_size(&path, PersistentOptions { capacity: 0, ..options() });
}

/// With the default options, which are for journals of many gigabytes, too.
#[test]
fn a_journal_of_a_few_messages_is_a_small_file() {
    let (_directory, path) = scratch();
    let (bus, _) = PersistentBus::open(&path, PersistentOptions::default()).unwrap();
    let (writer, first) = (bus.writer().unwrap(), bus.tail());
    while bus.tail() - first < 300_000 {
        writer.write_bytes(1, 1, &composed(1, bus.tail(), 100)).unwrap();
    }
    drop((writer, bus));
    let file = fs::metadata(&path).unwrap();
    assert!(file.len() < 1_500_000 && file.blocks() * 512 < 1_500_000, "{} bytes", file.len());
}

#[test]
fn a_table_without_room_is_refused_with_its_size() {
    static TABLE: Table<'_> = Table { name: "T", workers: &[] };
    let (_directory, path) = scratch();
    let options = || PersistentOptions { table_capacity: 0, ..options() };
    drop(PersistentBus::open(&path, options()).unwrap());
    let before = fs::read(&path).unwrap();
    let refused = PersistentBus::open(&path, options().table(&TABLE)).unwrap_err();
    assert!(matches!(refused, JournalError::TableTooLarge { len: 8, max: 0, .. }), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), before, "changed by an open that failed");
}

#[track_caller]
fn refused_size(path: &Path, options: PersistentOptions) {
    let before = fs::read(path).unwrap();
    let error = PersistentBus::open(path, options).expect_err("absurd");
    assert!(matches!(error, JournalError::Size { .. }), "{error}");
    assert_eq!(fs::read(path).unwrap(), before, "changed by an open that failed");
}

#[test]
fn one_process_writes_and_the_next_one_is_refused_at_once() {
    let (_directory, path) = scratch();
    let (bus, recovered) = open(&path);
    assert!(recovered.created);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600, "readable for others");
    let error = PersistentBus::open(&path, options()).unwrap_err();
    assert!(matches!(error, JournalError::Locked { .. }), "{error}");
    // Any handle keeps it, a reader's and a writer's, too.
    let writer = bus.writer().unwrap();
    drop(bus);
    assert!(matches!(PersistentBus::open(&path, options()), Err(JournalError::Locked { .. })));
    writer.write_bytes(1, 1, b"still here").unwrap();
    drop(writer);
    let (bus, recovered) = open(&path);
    assert!(!recovered.created);
    assert_eq!(support::drain(&mut bus.subscribe("reader").unwrap(), |_, _| ()), 1);
}

/// A process that is being forked has a copy of every handle until it is another program. None of them keeps the lock.
#[test]
fn the_lock_ends_with_the_bus_whoever_is_forked_meanwhile() {
    let (_directory, path) = scratch();
    std::thread::scope(|scope| {
        let forks = scope.spawn(|| {
            for _ in 0..200 {
                assert!(Command::new("true").status().unwrap().success());
            }
        });
        while !forks.is_finished() {
            drop(open(&path));
        }
    });
}

/// Sixteen open a journal that is not there yet: one makes it and has it, the others are told so.
#[test]
fn a_race_to_make_it_has_one_winner() {
    for _ in 0..20 {
        let (directory, path) = scratch();
        let winners = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..16).map(|_| scope.spawn(|| PersistentBus::open(&path, options()))).collect();
            let opened: Vec<_> = racers.into_iter().map(|racer| racer.join().unwrap()).collect();
            for error in opened.iter().filter_map(|opened| opened.as_ref().err()) {
                assert!(matches!(error, JournalError::Locked { .. }), "{error}");
            }
            opened.iter().filter(|opened| opened.is_ok()).count()
        });
        assert_eq!(winners, 1);
        assert_eq!(directory.path().read_dir().unwrap().count(), 1, "a draft was left");
    }
}

// ------------------------------------------------------------------------------------------------------ reading beside

/// A follower in the same order, with nothing left out and nothing twice, while the file grows under it.
#[test]
fn a_follower_sees_what_is_written() {
    for crc in [false, true] {
        let (_directory, path) = scratch();
        let (bus, _) = PersistentBus::open(&path, PersistentOptions { crc, ..options() }).unwrap();
        let journal = Journal::open(&path).unwrap();
        let count = 3000;
        std::thread::scope(|scope| {
            for source in 1..=2 {
                let writer = bus.writer().unwrap();
                scope.spawn(move || {
                    for number in 0..count {
                        let size = size_of(source, number, 500);
                        writer.write(source, 1, size, |bytes| compose(source, number, bytes)).unwrap();
                    }
                });
            }
            let mut entries = journal.follow(0);
            let mut next = BTreeMap::from([(1, 0), (2, 0)]);
            wait_until("the follower has seen everything", || {
                while let Some(entry) = entries.next().unwrap() {
                    let Entry::Message { header, payload, cause, time, .. } = entry else { panic!("{entry:?}") };
                    let expected = next.get_mut(&header.source).unwrap();
                    assert_eq!(number_of(&header, payload), *expected);
                    assert!(cause == 0 && time.as_nanos() > 0);
                    *expected += 1;
                }
                next.values().all(|next| *next == count)
            });
            assert_eq!(entries.position(), bus.tail());
        });
        // And all at once, and from a position in the middle.
        let mut entries = journal.entries();
        let mut positions = Vec::new();
        while let Some(entry) = entries.next().unwrap() {
            let Entry::Message { header, .. } = entry else { panic!("{entry:?}") };
            positions.push(header.position);
        }
        assert_eq!(positions.len() as u64, 2 * count);
        let middle = positions[positions.len() / 2];
        let mut entries = journal.entries_from(middle);
        assert!(matches!(entries.next(), Ok(Some(Entry::Message { header, .. })) if header.position == middle));
        let info = journal.info().unwrap();
        assert_eq!((info.version, info.crc, info.first), (2, crc, info.retained_from));
        assert_eq!((info.damage, info.missing), (Vec::new(), 0));
    }
}

/// A follower waits for a slot that is being written, and goes on behind one whose writer is dead.
#[test]
fn a_follower_outlives_a_dead_writer() {
    let (_directory, path) = scratch();
    let (bus, _) = open(&path);
    let position = bus.tail();
    let journal = Journal::open(&path).unwrap();
    bus.writer().unwrap().write_bytes(1, 1, &composed(1, 0, 100)).unwrap();
    let second = bus.tail();
    bus.writer().unwrap().write_bytes(1, 1, &composed(1, 1, 100)).unwrap();
    // As a killed writer leaves it: claimed, and nothing in it.
    let mut bytes = fs::read(&path).unwrap();
    drop(bus);
    bytes[position as usize..second as usize].fill(0);
    fs::write(&path, bytes).unwrap();
    let mut entries = journal.follow(0);
    assert_eq!(entries.next().unwrap(), None, "it may still become a message");
    let hole = Span { position, len: second - position };
    wait_until("the follower takes the writer for dead", || entries.next().unwrap() == Some(Entry::Hole(hole)));
    assert!(matches!(entries.next(), Ok(Some(Entry::Message { .. }))));
    // Whoever only looks at what is there does not wait.
    assert_eq!(journal.entries().next().unwrap(), Some(Entry::Hole(hole)));
}

/// What stands in a journal besides messages.
fn parts(path: &Path) -> Vec<(&'static str, Span)> {
    let journal = Journal::open(path).unwrap();
    let (mut entries, mut parts) = (journal.entries(), Vec::new());
    while let Some(entry) = entries.next().unwrap() {
        match entry {
            Entry::Message { .. } => {}
            Entry::Hole(span) => parts.push(("hole", span)),
            Entry::Damaged(span) => parts.push(("damaged", span)),
            other => panic!("{other:?}"),
        }
    }
    parts
}

/// Whoever closes a journal leaves it as one that was finished, whatever its level of sync: a page that is lost later
/// is damage, to whoever opens it and to whoever only reads. Of one that was killed nobody can tell.
#[test]
fn a_page_that_is_lost_after_a_clean_close_is_damage() {
    for durability in [Durability::None, Durability::Interval(Duration::from_secs(1000)), Durability::EveryN(1 << 40)] {
        let (directory, path) = scratch();
        let (bus, _) = PersistentBus::open(&path, PersistentOptions { durability, ..options() }).unwrap();
        let first = bus.tail();
        for _ in 0..4 * 64 {
            // A slot of 64 bytes, so that one begins where each page does.
            bus.writer().unwrap().write_bytes(1, 1, &[7; 28]).unwrap();
        }
        let killed = directory.path().join("killed");
        fs::copy(&path, &killed).unwrap();
        drop(bus);
        let lost = Span { position: first + 4096, len: 4096 };
        let lose = |path: &Path| {
            let file = fs::File::options().write(true).open(path).unwrap();
            file.write_all_at(&[0; 4096], lost.position).unwrap();
        };
        lose(&path);
        lose(&killed);
        let strict = || PersistentOptions { strict: true, ..options() };
        for _ in 0..2 {
            assert_eq!(parts(&path), [("damaged", lost)]);
            let Err(JournalError::Damaged { recovered, .. }) = PersistentBus::open(&path, strict()) else {
                panic!("{durability:?}: taken")
            };
            assert_eq!((recovered.damaged, recovered.messages), (vec![lost], 3 * 64));
            let (bus, recovered) = open(&path);
            assert!(!recovered.is_damaged() && recovered.unchecked.is_some_and(|span| span.position == first));
            assert_eq!(support::drain(&mut bus.subscribe("reader").unwrap(), |_, _| ()), 3 * 64);
            assert_eq!(bus.recovered().damaged, [lost]);
            drop(bus);
            assert_eq!(parts(&killed), [("hole", lost)]);
            assert_eq!(PersistentBus::open(&killed, strict()).unwrap().1.holes, [lost]);
        }
    }
}

/// On a disk, as programs open it: after a clean stop it looks at nothing, after a kill at what came behind the last
/// sync or opening, and says so. Whoever verifies it looks at everything.
#[test]
fn an_opening_says_what_it_leaves_out() {
    let (directory, path) = scratch();
    let (killed, again) = (directory.path().join("killed"), directory.path().join("again"));
    let (bus, made) = open(&path);
    let first = bus.tail();
    let up_to = |end| Some(Span { position: first, len: end - first });
    assert_eq!((made.messages, made.unchecked), (0, None));
    write(&bus, 0..10);
    bus.sync().unwrap();
    let synced = bus.tail();
    write(&bus, 10..15);
    // What a process has written by the time that it is killed.
    fs::copy(&path, &killed).unwrap();
    let tail = bus.tail();
    drop(bus);

    let left_out = |recovered: &Recovered| (recovered.messages, recovered.unchecked);
    let (bus, clean) = open(&path);
    assert_eq!(left_out(&clean), (0, up_to(tail)));
    assert_eq!(clean.to_string(), format!("finished up to position {tail}, 0 messages behind it"));
    assert_eq!(left_out(&bus.recovered()), left_out(&clean));
    drop(bus);
    let (bus, recovered) = open(&killed);
    assert_eq!(left_out(&recovered), (5, up_to(synced)));
    assert_eq!(recovered.to_string(), format!("finished up to position {synced}, 5 messages behind it"));
    write(&bus, 15..18);
    fs::copy(&killed, &again).unwrap();
    drop(bus);
    let (_, recovered) = open(&again);
    assert_eq!(left_out(&recovered), (3, up_to(tail)), "the opening before was a sync");

    let (_, all) = PersistentBus::<_>::open(&path, PersistentOptions { verify: true, ..options() }).unwrap();
    assert_eq!((left_out(&all), all.to_string()), ((15, None), "15 messages".to_owned()));
    let (journal, mut read) = (Journal::open(&path).unwrap(), 0);
    let mut entries = journal.entries();
    while let Some(entry) = entries.next().unwrap() {
        assert!(matches!(entry, Entry::Message { .. }), "{entry:?}");
        read += 1;
    }
    assert_eq!(read, 15, "whoever only reads looks at everything");
}

/// Whoever only reads says of a torn tail what recovery will.
#[test]
fn a_torn_tail_is_told_until_it_is_zeroed() {
    let (_directory, path) = scratch();
    let (bus, _) = open(&path);
    write(&bus, 0..3);
    let tail = bus.tail();
    drop(bus);
    let mut bytes = fs::read(&path).unwrap();
    bytes[tail as usize + 20..tail as usize + 70].fill(7);
    fs::write(&path, bytes).unwrap();
    let journal = Journal::open(&path).unwrap();
    let torn = || {
        let mut entries = journal.entries();
        while entries.next().unwrap().is_some() {}
        (entries.position(), entries.torn().unwrap())
    };
    assert_eq!(torn(), (tail, 80));
    let (bus, recovered) = open(&path);
    assert_eq!((recovered.tail, recovered.torn), (tail, 80));
    assert_eq!(
        recovered.to_string(),
        format!("finished up to position {tail}, 0 messages behind it, 80 bytes of a torn tail")
    );
    assert_eq!(torn(), (tail, 0));
    drop(bus);
}

// ----------------------------------------------------------------------------------------------------- start positions

fn write(bus: &PersistentBus, numbers: std::ops::Range<u64>) -> Vec<u64> {
    let writer = bus.writer().unwrap();
    numbers
        .map(|number| {
            let position = bus.tail();
            writer.write_bytes(1, 1, &composed(1, number, 50)).unwrap();
            position
        })
        .collect()
}

fn next_number(reader: &mut impl Reader) -> Option<u64> {
    reader.try_read(number_of).ok()
}

#[test]
fn readers_begin_where_they_are_told() {
    let (_directory, path) = scratch();
    let (bus, _) = PersistentBus::open(&path, PersistentOptions::default()).unwrap();
    let positions = write(&bus, 0..10);
    drop(bus);
    let options = PersistentOptions::default()
        .start_reader("oldest", Start::Oldest)
        .start_reader("at", Start::At(positions[4]))
        .start_reader("end", Start::At(positions[9] + 96))
        .start_reader("before", Start::At(16))
        .start_reader("between", Start::At(positions[4] + 16))
        .start_reader("odd", Start::At(positions[4] + 1))
        .start_reader("behind", Start::At(u64::MAX))
        .start_reader("no table", Start::Rebuild)
        .start_reader("", Start::Resume)
        .start_reader("a name of more than forty bytes, which is too much", Start::Resume);
    let (bus, _) = PersistentBus::open(&path, options).unwrap();
    assert_eq!(next_number(&mut bus.subscribe("unlisted").unwrap()), None);
    assert_eq!(next_number(&mut bus.subscribe("oldest").unwrap()), Some(0));
    assert_eq!(next_number(&mut bus.subscribe_evictable("oldest").unwrap()), Some(0));
    assert_eq!(next_number(&mut bus.subscribe("at").unwrap()), Some(4));
    assert_eq!(bus.tail(), positions[9] + 96);
    assert_eq!(next_number(&mut bus.subscribe("end").unwrap()), None);
    let error = |name| bus.subscribe(name).err();
    assert_eq!(error("before"), Some(CursorError::NotRetained { asked: 16, oldest: positions[0] }.into()));
    for (name, asked) in [("between", positions[4] + 16), ("odd", positions[4] + 1), ("behind", u64::MAX)] {
        assert_eq!(error(name), Some(CursorError::NoSuchPosition { asked }.into()));
    }
    assert_eq!(error("no table"), Some(CursorError::NoSources.into()));
    assert_eq!(error(""), Some(CursorError::Name.into()));
    assert_eq!(error("a name of more than forty bytes, which is too much"), Some(CursorError::Name.into()));
    assert_eq!(bus.stats().readers.len(), 0, "a reader that did not come to be has a place");
}

#[test]
fn a_named_cursor_resumes() {
    let (_directory, path) = scratch();
    let resuming = || PersistentOptions { start: Start::Resume, ..PersistentOptions::default() };
    let (bus, _) = PersistentBus::open(&path, resuming()).unwrap();
    let positions = write(&bus, 0..10);
    let mut reader = bus.subscribe("a").unwrap();
    for number in 0..4 {
        assert_eq!(next_number(&mut reader), Some(number));
    }
    assert_eq!(bus.subscribe("a").err(), Some(CursorError::InUse.into()));
    reader.release();
    assert_eq!(bus.cursors(), BTreeMap::from([("a".to_owned(), positions[4])]));
    next_number(&mut reader);
    drop(reader);
    assert_eq!(next_number(&mut bus.subscribe("a").unwrap()), Some(5), "where it left");
    assert_eq!(next_number(&mut bus.subscribe("b").unwrap()), Some(0), "a new name");
    drop(bus);
    let (bus, _) = PersistentBus::open(&path, resuming()).unwrap();
    let journal = Journal::open(&path).unwrap();
    let mut reader = bus.subscribe("a").unwrap();
    assert_eq!(next_number(&mut reader), Some(6));
    reader.release();
    let expected = [("a".to_owned(), Some(positions[7])), ("b".to_owned(), Some(positions[1]))];
    assert_eq!(journal.cursors().unwrap(), BTreeMap::from(expected));
    assert!(!bus.remove_cursor("a"), "a reader has it");
    drop(reader);
    assert!(bus.remove_cursor("a"));
    assert_eq!(next_number(&mut bus.subscribe("a").unwrap()), Some(0));
    let readers: Vec<_> = (2..32).map(|n| bus.subscribe(&format!("reader {n}")).unwrap()).collect();
    assert_eq!(bus.subscribe("one more").err(), Some(CursorError::TooMany { max: 32 }.into()));
    drop(readers);
}

/// Whoever takes the place of a reader that has left does not move its cursor.
#[test]
fn a_cursor_is_moved_by_its_own_reader_only() {
    let (_directory, path) = scratch();
    let options =
        PersistentOptions::default().start_reader("named", Start::Resume).start_reader("plain", Start::Oldest);
    let (bus, _) = PersistentBus::open(&path, options).unwrap();
    let positions = write(&bus, 0..10);
    let mut named = bus.subscribe("named").unwrap();
    for number in 0..3 {
        assert_eq!(next_number(&mut named), Some(number));
    }
    drop(named);
    let cursor = || bus.cursors()["named"];
    assert_eq!(cursor(), positions[3]);
    let mut plain = bus.subscribe("plain").unwrap();
    for number in 0..10 {
        assert_eq!(next_number(&mut plain), Some(number));
    }
    plain.release();
    assert_eq!(cursor(), positions[3], "moved by the next reader");
    drop(plain);
    assert_eq!(cursor(), positions[3], "moved by the next reader, as it left");
    assert_eq!(next_number(&mut bus.subscribe("named").unwrap()), Some(3));
}

/// A cursor of a killed process: what it had released is not handled again, what it had not may be.
#[test]
fn a_cursor_survives_a_kill() {
    let (_directory, path) = scratch();
    let told = path.display().to_string();
    let mut process = child(child_reads_until_it_is_killed, &told).spawn().unwrap();
    let mut pipe = process.stderr.take().unwrap();
    let mut told = [0; 8];
    let mut last = 0;
    for _ in 0..1000 {
        pipe.read_exact(&mut told).unwrap();
        last = u64::from_le_bytes(told);
    }
    process.kill().unwrap();
    process.wait().unwrap();
    while pipe.read_exact(&mut told).is_ok() {
        last = u64::from_le_bytes(told);
    }
    let options = PersistentOptions { start: Start::Resume, ..options() };
    let (bus, recovered) = PersistentBus::open(&path, options).unwrap();
    assert!(!recovered.is_damaged());
    let first = next_number(&mut bus.subscribe("resumes").unwrap()).expect("there is more");
    assert!(first <= last + 1 && first + 100 > last, "handled up to {last}, resumes at {first}");
}

#[test]
fn child_reads_until_it_is_killed() {
    let Some(told) = told() else { return };
    let (bus, _) = PersistentBus::open(told, PersistentOptions { start: Start::Resume, ..options() }).unwrap();
    write(&bus, 0..20_000);
    let mut reader = bus.subscribe("resumes").unwrap();
    while let Some(number) = next_number(&mut reader) {
        std::io::stderr().write_all(&number.to_le_bytes()).unwrap();
    }
}

// ----------------------------------------------------------------------------------------------------------- retention

fn retaining(retention: Retention) -> PersistentOptions {
    PersistentOptions { retention, ..options() }
}

/// Disk space of a file, in bytes.
fn on_disk(path: &Path) -> u64 {
    fs::metadata(path).unwrap().blocks() * 512
}

#[test]
fn retention_by_size_gives_space_back() {
    let (_directory, path) = scratch();
    let (bus, _) =
        PersistentBus::open(&path, retaining(Retention { size: Some(100_000), ..Retention::default() })).unwrap();
    write(&bus, 0..20_000);
    let before = on_disk(&path);
    let mut tap = bus.subscribe_evictable("tap").unwrap();
    let journal = Journal::open(&path).unwrap();
    let mut old = journal.follow(bus.tail() - 1_000_000);
    // The keeper may have done part of it.
    let retained = bus.retain().unwrap();
    assert_eq!(retained.pinned_by, None);
    assert!(bus.tail() - retained.from > 99_800 && bus.tail() - retained.from <= 100_000);
    if cfg!(target_os = "linux") {
        assert!(on_disk(&path) < before / 4, "{} of {before}", on_disk(&path));
    }
    assert!(matches!(old.next().unwrap(), Some(Entry::Lagged(_))), "a reader beside is told");
    let first = next_number(&mut tap).unwrap_or_else(|| {
        assert!(matches!(tap.try_read(|_, _| ()), Err(ReadError::Lagged(_) | ReadError::Empty) | Ok(())));
        next_number(&mut tap).unwrap()
    });
    assert!(first > 15_000);
    drop((tap, bus));
    let (bus, recovered) = open(&path);
    assert!(!recovered.is_damaged() && recovered.holes.is_empty(), "{recovered}");
    let numbers = &numbers(&bus)[&1];
    assert!(numbers.iter().copied().eq(20_000 - numbers.len() as u64..20_000));
    assert_eq!(journal.info().unwrap().retained_from, retained.from);
    assert!(matches!(journal.entries().next(), Ok(Some(Entry::Message { .. }))));
}

#[test]
fn retention_never_takes_what_a_cursor_or_a_reader_needs() {
    let (_directory, path) = scratch();
    let retention = Retention { size: Some(1000), consumed: true, ..Retention::default() };
    let options = retaining(retention).start_reader("slow", Start::Resume).start_reader("quick", Start::Resume);
    let (bus, _) = PersistentBus::open(&path, options).unwrap();
    let (mut slow, mut quick) = (bus.subscribe("slow").unwrap(), bus.subscribe("quick").unwrap());
    let positions = write(&bus, 0..5000);
    support::drain(&mut quick, |_, _| ());
    for number in 0..2000 {
        assert_eq!(next_number(&mut slow), Some(number));
    }
    slow.release();
    let retained = bus.retain().unwrap();
    assert_eq!((retained.from, retained.pinned_by.as_deref()), (positions[2000], Some("slow")));
    // A cursor pins when nobody reads with it, too.
    drop(slow);
    assert_eq!(bus.retain().unwrap().pinned_by.as_deref(), Some("slow"));
    assert_eq!(next_number(&mut bus.subscribe("slow").unwrap()), Some(2000));
    assert!(bus.remove_cursor("slow"));
    let plain = {
        let mut plain = bus.subscribe("plain").unwrap();
        assert_eq!(next_number(&mut plain), Some(2000), "the oldest that is left");
        plain.release();
        plain
    };
    let retained = bus.retain().unwrap();
    assert_eq!((retained.from, retained.pinned_by.as_deref()), (positions[2001], Some("plain")));
    drop(plain);
    let retained = bus.retain().unwrap();
    assert_eq!((retained.from, retained.pinned_by), (bus.tail(), None), "everybody has consumed everything");
}

#[test]
fn retention_by_age_forgets_what_is_old() {
    let (_directory, path) = scratch();
    let by_age = |age| retaining(Retention { age: Some(age), ..Retention::default() });
    let (bus, _) = PersistentBus::open(&path, by_age(Duration::from_secs(100_000))).unwrap();
    let positions = write(&bus, 0..100);
    assert_eq!(bus.retain().unwrap().from, positions[0], "nothing is old yet");
    drop(bus);
    let (bus, _) = PersistentBus::open(&path, by_age(Duration::ZERO)).unwrap();
    assert_eq!(bus.retain().unwrap().from, bus.tail(), "everything is");
}

// ------------------------------------------------------------------------------------------------------------- syncing

#[test]
fn every_level_of_sync_works_on_a_file() {
    for durability in
        [Durability::None, Durability::Interval(Duration::from_millis(1)), Durability::EveryN(3), Durability::Always]
    {
        let (_directory, path) = scratch();
        let (bus, _) = PersistentBus::open(&path, PersistentOptions { durability, ..options() }).unwrap();
        write(&bus, 0..20);
        assert_eq!(bus.sync(), Ok(bus.tail()), "{durability:?}");
        drop(bus);
        assert_eq!(numbers(&open(&path).0)[&1].len(), 20);
    }
}

/// The reservation ends somewhere; opened again with a larger one the journal goes on.
#[test]
fn an_exhausted_journal_goes_on_with_a_larger_capacity() {
    let (_directory, path) = scratch();
    let sized = |capacity| PersistentOptions { capacity, max_payload: 1000, ..options() };
    let (bus, _) = PersistentBus::open(&path, sized(128 * 1024)).unwrap();
    let writer = bus.writer().unwrap();
    let mut number = 0;
    let error = loop {
        match writer.write_bytes(1, 1, &composed(1, number, 500)) {
            Ok(()) => number += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error, WriteError::Exhausted { capacity: 128 * 1024 });
    drop((bus, writer));
    let verify = PersistentOptions { verify: true, ..sized(256 * 1024) };
    let (bus, recovered) = PersistentBus::open(&path, verify).unwrap();
    assert_eq!(recovered.messages, number);
    write(&bus, number..number + 10);
    assert!(numbers(&bus)[&1].iter().copied().eq(0..number + 10));
    assert_eq!(Journal::open(&path).unwrap().info().unwrap().capacity, 256 * 1024);
}

// ------------------------------------------------------------------------------------------------------------- fuzzing

#[path = "../fuzz/corpus.rs"]
mod corpus;
#[path = "../fuzz/fuzz_targets/input.rs"]
mod input;
#[path = "../fuzz/fuzz_targets/journal_bytes.rs"]
mod journal_bytes;

/// What the fuzzer has found worth keeping, and some inputs by lot.
#[test]
fn whatever_a_journal_is_made_of_it_opens_or_is_refused() {
    let cases = corpus::cases(Path::new(env!("CARGO_MANIFEST_DIR")), "journal_open");
    assert!(cases.len() >= 20, "a corpus of {}", cases.len());
    for (case, bytes) in cases {
        // Shown only if it fails.
        println!("{case}");
        journal_bytes::check(&journal_bytes::journal_of(&bytes));
    }
    for seed in 0..200 {
        let input: Vec<u8> = (0..mix(seed) % 400).map(|place| mix(seed << 32 | place) as u8 & 0x7F).collect();
        journal_bytes::check(&journal_bytes::journal_of(&input));
    }
}
