//! Processes that are killed at each step of writing a snapshot: before the journal is synced, behind that, in the
//! draft, behind its sync, behind the rename. A child stops at the step and is killed there.

#![cfg(all(target_os = "linux", not(miri)))]

use super::{Bus, TABLE, message, small};
use crate::children::{Process, told, wait_for_the_end};
use crate::message_bus::journal::options::{PersistentOptions, Start};
use crate::message_bus::journal::snapshot;
use crate::sync::lock;
use crate::traits::{Every, MessageBus, Publish, ReadError, Reader, State};
use std::cell::Cell;
use std::fs;
use std::path::Path;

/// So many messages are handled before each snapshot.
const COUNT: u8 = 3;

fn open(path: &Path) -> Bus {
    let snapshots = vec![("Worker", Every::Stop)];
    let options = PersistentOptions { snapshots, start: Start::Rebuild, verify: false, ..small() };
    Bus::open(path, options.table(&TABLE)).unwrap().0
}

/// A worker whose state is what it has handled.
struct Worker {
    bus: Bus,
    reader: <Bus as MessageBus>::Reader,
    state: Vec<u8>,
    /// Where it began.
    began: u64,
}

impl Worker {
    /// Begins as a worker does; nothing that stands beside the journal is in its way.
    fn begin(path: &Path) -> Worker {
        let bus = open(path);
        let mut reader = bus.subscribe("Worker").unwrap();
        let begin = reader.begin().unwrap();
        assert_eq!(begin.skipped, []);
        let state = begin.states.map(|mut states| states.remove(0).bytes).unwrap_or_default();
        Worker { began: reader.position(), bus, reader, state }
    }

    /// Handles what is there, and has it kept.
    fn live(&mut self) {
        loop {
            match self.reader.try_read(|_, payload| self.state.extend_from_slice(payload)) {
                Ok(()) => {}
                Err(ReadError::Empty) => break,
                Err(error) => panic!("{error}"),
            }
        }
        self.reader.keep(vec![State { handler: 1, version: 1, bytes: self.state.clone() }]).unwrap();
    }
}

/// What the worker comes to that handles the messages of so many lives.
fn state_after(lives: u8) -> Vec<u8> {
    (0..lives * COUNT).flat_map(|number| message(number).to_vec()).collect()
}

/// Lives once more, with `COUNT` messages that are new.
fn live_on(worker: &mut Worker, lives: u8) {
    let writer = worker.bus.writer().unwrap();
    for number in lives * COUNT..(lives + 1) * COUNT {
        writer.write_bytes(2, 7, &message(number)).unwrap();
    }
    worker.live();
    assert_eq!(worker.state, state_after(lives + 1));
}

#[test]
fn child_stops_at_a_step() {
    let Some(told) = told() else { return };
    let mut told = told.split(' ');
    let mut next = || told.next().unwrap();
    let (lives, step, path): (u8, u32, _) = (next().parse().unwrap(), next().parse().unwrap(), next());
    let path = Path::new(path);
    let mut worker = Worker::begin(path);
    let store = worker.bus.shared.store.clone();
    // Who writes snapshots otherwise ends: this thread does it instead.
    lock(&store.upkeep.saving.wanted).stop = true;
    store.upkeep.saving.called.notify_all();
    live_on(&mut worker, lives);
    let left = Cell::new(step);
    let stops = || {
        if left.get() == 0 {
            fs::write(path.with_extension("stopped"), []).unwrap();
            wait_for_the_end();
        }
        left.set(left.get().wrapping_sub(1));
    };
    store.write_snapshots(stops);
    fs::write(path.with_extension("passed"), []).unwrap();
    wait_for_the_end();
}

/// With no snapshot before it, with one, and with two, of which the older one goes.
#[test]
fn a_process_that_is_killed_at_any_step_of_keeping_begins_right() {
    for lives in 0..3 {
        let mut step = 0;
        loop {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("journal");
            let mut began = Vec::new();
            for life in 0..lives {
                let mut worker = Worker::begin(&path);
                began.push(worker.began);
                live_on(&mut worker, life);
            }
            let first = open(&path).shared.store.first();
            let told = format!("{lives} {step} {}", path.display());
            let mut child = Process::that_runs(child_stops_at_a_step, &told);
            let [stopped, passed] = ["stopped", "passed"].map(|name| path.with_extension(name));
            child.wait_until("it is at the step", || stopped.exists() || passed.exists());
            let is_over = passed.exists();
            child.kill();
            drop(child);

            let mut worker = Worker::begin(&path);
            let why = format!("killed at step {step} of snapshot {}", lives + 1);
            // The rename is the last but one of them.
            let has_name = step >= 5;
            let kept = if has_name { lives + 1 } else { lives };
            assert_eq!(worker.state, state_after(kept), "{why}");
            assert_eq!(worker.began == first, kept == 0, "{why}");
            worker.live();
            assert_eq!(worker.state, state_after(lives + 1), "{why}");
            live_on(&mut worker, lives + 1);
            drop(worker);
            let drafts = snapshot::paths(&path, "Worker").map(|path| format!("{}.new", path.display()));
            assert!(drafts.iter().all(|draft| !Path::new(draft).exists()), "{why}");
            assert_eq!(Worker::begin(&path).state, state_after(lives + 2), "{why}");
            if is_over {
                break;
            }
            step += 1;
        }
        assert_eq!(step, 7, "all of them were tried");
    }
}
