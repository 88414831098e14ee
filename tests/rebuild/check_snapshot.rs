//! Snapshots by time, whether they are worth what a whole rebuild is, and what the fuzzer has found.

use super::snapshots::{Config, Messenger, files, kept, options, positions, process};
use super::support::wait_until;
use super::{Input, Outside, scratch};
use rust_messenger::message_bus::{PersistentBus, PersistentOptions};
use rust_messenger::messenger::{self, Step};
use rust_messenger::testing::{ManualClock, ReplayError, check_snapshot};
use rust_messenger::traits::{Every, MessageBus, Sender, Time};
use std::fs;
use std::sync::Arc;
use std::time::Duration;

/// So long after the first message, and none when there was none; an idle worker comes for it by itself.
#[test]
fn a_worker_is_kept_so_long_after_a_message() {
    let (_directory, path) = scratch();
    let snapshots = vec![("Sums", Every::Time(Duration::from_secs(10)))];
    let (bus, _) = PersistentBus::open(&path, PersistentOptions { snapshots, ..options(0) }).unwrap();
    let clock = ManualClock::new();
    let with = messenger::Options { clock: Arc::new(clock.clone()), ..messenger::Options::default() };
    let messenger = Messenger::with_options(bus.clone(), with);
    let config = Config::default();
    let mut workers = messenger.workers(&config).unwrap();
    let outside = messenger.writer().unwrap();
    let deadline = |workers: &mut messenger::Workers| workers.iter_mut().next().unwrap().next_deadline();
    let secs = |secs| Time::from_nanos(Duration::from_secs(secs).as_nanos() as u64);
    assert_eq!(deadline(&mut workers), None, "it has handled nothing");
    // The first message is what it sends itself as it starts.
    for (at, kept, due) in [(0, 0, Some(10)), (5, 0, Some(10)), (9, 0, Some(10)), (10, 1, None), (19, 1, Some(29))] {
        clock.set(secs(at));
        Outside::try_send(&Input(at), &outside).unwrap();
        while workers.step() == Step::Worked {}
        wait_until("the keeper has written it", || positions(&path).len() == kept);
        assert_eq!(deadline(&mut workers), due.map(secs));
    }
    // Nothing more comes, and it is time.
    clock.set(secs(29));
    while workers.step() == Step::Worked {}
    assert_eq!(deadline(&mut workers), None);
    wait_until("the second one is written", || positions(&path).last() == Some(&bus.tail()));
    messenger.stop();
    while workers.step() != Step::Finished {}
    workers.conclude().unwrap();
}

#[test]
fn a_snapshot_is_worth_its_history() {
    let (_directory, path, _) = kept();
    let all = || {
        let files = [path.clone()].into_iter().chain(files(&path));
        files.map(|file| fs::read(file).unwrap()).collect::<Vec<_>>()
    };
    let before = all();
    check_snapshot::<Messenger, _>(&path, &Config::default()).unwrap();
    let error = check_snapshot::<Messenger, _>(&path, &Config::loads_otherwise()).unwrap_err();
    let ReplayError::State { worker: "Sums", handler: 2, position, loaded, rebuilt } = &error else {
        panic!("{error}")
    };
    assert_eq!(*position, positions(&path)[1]);
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    assert_eq!(number(loaded), number(rebuilt).wrapping_add(1));
    assert!(error.to_string().contains("they differ from byte 0 on"), "{error}");
    assert!(all() == before, "it has written");
    // What it sends after the snapshot is another thing, too, and comes first.
    let newest = fs::read(&files(&path)[1]).unwrap();
    process(&path, 1000, 20..23).ended.unwrap();
    fs::write(&files(&path)[0], newest).unwrap();
    check_snapshot::<Messenger, _>(&path, &Config::default()).unwrap();
    let error = check_snapshot::<Messenger, _>(&path, &Config::loads_otherwise()).unwrap_err();
    assert!(matches!(error, ReplayError::Diverged(_)), "{error}");
    // Of nothing there is nothing to say.
    for file in files(&path) {
        fs::write(file, b"rmsgsnap").unwrap();
    }
    let error = check_snapshot::<Messenger, _>(&path, &Config::default()).unwrap_err();
    assert!(matches!(&error, ReplayError::NoSnapshot { skipped, .. } if skipped.len() == 2), "{error}");
}

/// What the fuzzer begins with, and what it has found.
#[test]
#[cfg(feature = "serde")]
fn what_was_fuzzed_is_no_snapshot() {
    let cases = super::corpus::cases(std::path::Path::new(env!("CARGO_MANIFEST_DIR")), "snapshot_open");
    assert!(cases.len() >= 20, "a corpus of {}", cases.len());
    for (name, input) in cases {
        let checked = std::panic::catch_unwind(|| super::snapshot_bytes::check(&input));
        assert!(checked.is_ok(), "{name}");
    }
    for seed in 0..300_u64 {
        // One word, somewhere, with a right checksum.
        let word = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_right(seed as u32 % 64);
        let input = [&[seed as u8 & 3, (seed * 8) as u8][..], &word.to_le_bytes()].concat();
        super::snapshot_bytes::check(&input);
    }
}
