//! Processes wake each other. Here no sleep ends by itself: whom nobody wakes is never seen again.

use super::*;
use crate::children::{Process, told, wait_for_the_end};
use crate::message_bus::ring::claim::ManyWriters;
use crate::message_bus::ring::reader::RingReader;
use crate::message_bus::ring::times::Times;
use crate::message_bus::wait::Park;
use crate::sync::{Mutex, Ordering, lock};
use crate::traits::{Header, Interest, MessageBus, Poller, Publish, Reader};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Far longer than anything takes, and short enough for a test to end that is red.
const PATIENCE: Duration = Duration::from_secs(300);
const ROUNDS: u64 = 200;
/// Whose the messages are.
const QUESTION: u16 = 1;
const ANSWER: u16 = 2;

/// The ring as one has it who sleeps until somebody wakes it.
pub(super) fn for_good(path: &Path) -> CircularBus<ManyWriters, Park> {
    let long = Duration::from_secs(1 << 20);
    CircularBus::open_in(path, Times { silence: long, tick: long, ..Times::default() }).waiting()
}

/// A poller that sleeps until it is notified.
#[derive(Debug)]
struct Sleeping(Mutex<Receiver<()>>, Mutex<Sender<()>>);

impl Poller for Sleeping {
    fn wait(&self, _: Option<Duration>) {
        lock(&self.0).recv().unwrap();
    }

    fn looks_first(&self) -> bool {
        false
    }

    fn notify(&self) {
        let _ = lock(&self.1).send(());
    }
}

/// Answers each message with the same.
fn answer(bus: &CircularBus<ManyWriters, Park>, mut wait: impl FnMut(&mut RingReader<Park>)) {
    let (mut reader, writer) = (bus.subscribe("child").unwrap(), bus.writer().unwrap());
    for number in 0..ROUNDS {
        while next(&mut reader, QUESTION) != Some(number) {
            wait(&mut reader);
        }
        writer.write_bytes(ANSWER, 1, &number.to_le_bytes()).unwrap();
    }
}

/// What the next message from `source` says, if there is one.
fn next(reader: &mut RingReader<Park>, source: u16) -> Option<u64> {
    loop {
        let said = |header: &Header, payload: &[u8]| (header.source, u64::from_le_bytes(payload.try_into().unwrap()));
        match reader.try_read(said).ok()? {
            (of, number) if of == source => return Some(number),
            _ => {}
        }
    }
}

#[test]
fn child_waits_on_a_ring() {
    let Some(told) = told() else { return };
    let (role, path) = told.split_once(' ').unwrap();
    if role == "sandboxed" {
        return is_refused(Path::new(path));
    }
    let bus = for_good(Path::new(path));
    match role {
        "reader" => answer(&bus, |reader| reader.wait(None)),
        "poller" => {
            let (sender, receiver) = channel();
            let poller = Arc::new(Sleeping(Mutex::new(receiver), Mutex::new(sender))) as Arc<dyn Poller>;
            answer(&bus, |reader| reader.wait_in(&poller, None, Interest::Messages, Reader::ready));
        }
        "writer" => {
            let writer = bus.writer().unwrap();
            for number in 0..ROUNDS {
                writer.write_bytes(1, 2, &[number as u8; 100]).unwrap();
            }
        }
        role => panic!("{role}"),
    }
    wait_for_the_end();
}

fn child(role: &str, path: &Path) -> Process {
    Process::that_runs(child_waits_on_a_ring, &format!("{role} {}", path.display()))
}

fn a_conversation_with(role: &str) {
    let (_directory, path) = scratch();
    let made = made(&path);
    let bus = for_good(&path);
    let (mut reader, writer) = (bus.subscribe("parent").unwrap(), bus.writer().unwrap());
    let mut child = child(role, &path);
    child.wait_until("it listens", || made.stats().readers.len() == 2);
    for number in 0..ROUNDS {
        writer.write_bytes(QUESTION, 1, &number.to_le_bytes()).unwrap();
        let start = Instant::now();
        while next(&mut reader, ANSWER) != Some(number) {
            reader.wait(Some(PATIENCE));
            assert!(start.elapsed() < PATIENCE, "nobody woke one of us");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "Miri starts no process")]
fn readers_of_two_processes_wake_each_other() {
    a_conversation_with("reader");
}

#[test]
#[cfg_attr(miri, ignore = "Miri starts no process")]
fn who_sleeps_in_a_poller_of_another_process_is_woken() {
    a_conversation_with("poller");
}

/// It waits again and again: each time there is room for eight more.
#[test]
#[cfg_attr(miri, ignore = "Miri starts no process")]
fn a_writer_of_another_process_is_woken_by_a_release() {
    let (_directory, path) = scratch();
    let bus = made(&path);
    let mut reader = bus.subscribe("parent").unwrap();
    let mut child = child("writer", &path);
    let mut read = 0;
    while read < ROUNDS {
        let asleep = bus.shared.control().room_sleepers();
        child.wait_until("it waits for room, or has written all", || {
            asleep.load(Ordering::Relaxed) as u32 != 0 || bus.stats().messages == ROUNDS
        });
        for _ in 0..8 {
            reader.try_read(|_, payload| assert_eq!(payload, [read as u8; 100])).unwrap();
            read += 1;
        }
        reader.release();
    }
}

/// Whoever has no barrier with the others would not be seen as it falls asleep.
#[cfg(not(miri))]
fn is_refused(path: &Path) {
    crate::mmap::sandbox::forbid(libc::SYS_membarrier);
    for attempt in [CircularBus::open, CircularBus::create, CircularBus::open_or_create] {
        let refused = attempt(path, NamedOptions::default()).map(drop);
        let NamedProblem::Unsupported { what } = problem(refused) else { panic!("it was not refused for that") };
        assert!(what.contains("membarrier"), "{what}");
    }
}

#[cfg(miri)]
fn is_refused(_: &Path) {}

#[test]
#[cfg_attr(miri, ignore = "Miri starts no process")]
fn who_cannot_register_for_the_barrier_is_refused() {
    let (directory, path) = scratch();
    drop(made(&path));
    let before = std::fs::read(&path).unwrap();
    assert!(child("sandboxed", &path).0.wait().unwrap().success());
    assert!(std::fs::read(&path).unwrap() == before, "the file is as it was");
    let missing = directory.path().join("missing");
    assert!(child("sandboxed", &missing).0.wait().unwrap().success());
    assert!(!missing.exists());
}
