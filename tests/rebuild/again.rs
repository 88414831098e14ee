//! Where a worker begins again, and what has to be on the bus before it does.

use super::many::{Plan, Shop, of, options, restarting};
use super::restarts::budget;
use super::snapshots::Refusing;
use super::support::{settle, wait_until};
use super::{Input, Output, Outside, scratch};
use rust_messenger::message_bus::{PersistentBus, PersistentOptions, Retention, Start};
use rust_messenger::messenger::{Cause, Options, Step};
use rust_messenger::traits::{
    DeadLetter, Handle, Handler, Message, MessageBus, New, Publish, Report, Sender, Supervisor, Writer,
};
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// A letter in an outbox is not written. Until it is, the worker does nothing, and its message is not passed: a process
/// that is killed then handles it once more.
#[test]
fn nothing_passes_a_message_before_its_letter_is_written() {
    for start in [Start::Resume, Start::Rebuild] {
        let (_directory, path) = scratch();
        let every = (start == Start::Rebuild).then_some(1);
        let journal = |every| PersistentOptions { capacity: 1 << 20, ..options(start, every) };
        let (bus, _) = PersistentBus::open(&path, journal(every)).unwrap();
        let refuses = Arc::new(Mutex::new(false));
        let refusing = Refusing { bus: bus.clone(), refuses: Arc::clone(&refuses) };
        // Each message breaks it.
        let messenger = Shop::with_options(refusing, restarting(budget(0), |_| ()));
        let plan = Plan::poisoned();
        let mut workers = messenger.workers(&plan).unwrap();
        assert_eq!(settle(&mut workers), Step::Idle);
        let (outside, position) = (messenger.writer().unwrap(), bus.tail());
        *refuses.lock().unwrap() = true;
        (0..2).for_each(|number| Outside::try_send(&Input(number), &outside).unwrap());
        assert_eq!(settle(&mut workers), Step::Idle);
        assert_eq!(of::<DeadLetter>(&path, Supervisor::ID).len(), 0);
        assert_eq!(plan.handled(), 1, "it goes on without its letter");
        if start == Start::Resume {
            assert!(bus.cursors()["Work"] <= position, "the cursor has passed a message that is not dead yet");
        }
        let (killed, _): (PersistentBus, _) = PersistentBus::from_image(bus.image(), journal(None)).unwrap();
        let messenger = Shop::with_options(killed.clone(), restarting(budget(0), |_| ()));
        let mut next = messenger.workers(&plan).unwrap();
        assert_eq!(settle(&mut next), Step::Idle);
        assert_eq!(next.conclude().unwrap().dead, 2);

        *refuses.lock().unwrap() = false;
        assert_eq!(settle(&mut workers), Step::Idle);
        assert_eq!(workers.conclude().unwrap().dead, 2);
        drop((outside, bus));
        assert_eq!(of::<DeadLetter>(&path, Supervisor::ID).len(), 2);
    }
}

/// The same for what cannot be decoded: nothing restarts its worker, but the letter is all that says what became of it.
#[test]
fn nothing_passes_what_cannot_be_decoded_before_its_letter_is_written() {
    let (_directory, path) = scratch();
    let journal = PersistentOptions { capacity: 1 << 20, ..options(Start::Resume, None) };
    let (bus, _) = PersistentBus::open(&path, journal.clone()).unwrap();
    let refuses = Arc::new(Mutex::new(false));
    let refusing = Refusing { bus: bus.clone(), refuses: Arc::clone(&refuses) };
    let told = Arc::new(Mutex::new(0));
    let count = Arc::clone(&told);
    let on_report = move |report: &Report| {
        *count.lock().unwrap() += u32::from(matches!(report, Report::Undecodable { .. }));
    };
    let messenger = Shop::with_options(refusing, restarting(budget(0), on_report));
    let plan = Plan::rare(u64::MAX / 2);
    let mut workers = messenger.workers(&plan).unwrap();
    assert_eq!(settle(&mut workers), Step::Idle);
    let (outside, position) = (messenger.writer().unwrap(), bus.tail());
    outside.try_write_bytes(Outside::ID, Input::ID, &[1]).unwrap();
    Outside::try_send(&Input(1), &outside).unwrap();
    *refuses.lock().unwrap() = true;
    assert_eq!(settle(&mut workers), Step::Idle);
    assert_eq!(of::<DeadLetter>(&path, Supervisor::ID).len(), 0);
    assert_eq!(bus.cursors()["Work"], position, "the cursor has passed a message without a letter");
    assert_eq!(plan.handled(), 0, "it goes on without its letter");

    let (killed, _): (PersistentBus, _) = PersistentBus::from_image(bus.image(), journal).unwrap();
    let messenger = Shop::with_options(killed.clone(), restarting(budget(0), |_| ()));
    let mut next = messenger.workers(&plan).unwrap();
    assert_eq!(settle(&mut next), Step::Idle);
    assert_eq!((next.conclude().unwrap().dead, plan.handled()), (1, 1));

    *refuses.lock().unwrap() = false;
    assert_eq!(settle(&mut workers), Step::Idle);
    assert_eq!((workers.conclude().unwrap().dead, plan.handled()), (1, 2));
    assert_eq!(*told.lock().unwrap(), 2, "each worker tells of it once");
    assert!(bus.cursors()["Work"] > position);
    drop((outside, bus));
    assert_eq!(of::<DeadLetter>(&path, Supervisor::ID).len(), 1);
}

/// A letter that waited in the outbox, and then the journal is full: its worker ends before the message, whether that
/// cannot be decoded or broke a handler.
#[test]
fn a_letter_that_waited_and_found_no_room() {
    no_room_for_a_letter_that_waited(&Plan::rare(u64::MAX / 2), &[1]);
    no_room_for_a_letter_that_waited(&Plan::poisoned(), &0_u64.to_le_bytes());
}

fn no_room_for_a_letter_that_waited(plan: &Plan, payload: &[u8]) {
    let journal = PersistentOptions { capacity: 1 << 17, step: 1 << 16, ..options(Start::Resume, None) };
    let bus = PersistentBus::in_memory(journal).unwrap();
    let refuses = Arc::new(Mutex::new(true));
    let refusing = Refusing { bus: bus.clone(), refuses: Arc::clone(&refuses) };
    let messenger = Shop::with_options(refusing, restarting(budget(0), |_| ()));
    let mut workers = messenger.workers(plan).unwrap();
    assert_eq!(settle(&mut workers), Step::Idle);
    let (outside, position) = (messenger.writer().unwrap(), bus.tail());
    outside.try_write_bytes(Outside::ID, Input::ID, payload).unwrap();
    let mut behind = 0;
    // Nothing fits behind these.
    while outside.try_write_bytes(Outside::ID, 9, &[]).is_ok() {
        behind += 1;
    }
    assert_eq!(settle(&mut workers), Step::Idle);
    *refuses.lock().unwrap() = false;
    assert_eq!(settle(&mut workers), Step::Finished);
    let error = workers.conclude().unwrap_err();
    let left = error.summary.left.iter().map(|left| (left.worker, left.unread)).collect::<Vec<_>>();
    assert_eq!(left, [("Work", behind)], "without the message that it ended at");
    assert!(matches!(error.failures[0].cause, Cause::Failed { handler: "Supervisor", .. }), "{error}");
    assert_eq!(bus.cursors()["Work"], position);
}

/// While nothing is written the stop's deadline ends the worker, and its message is still not passed.
#[test]
fn a_letter_that_is_never_written_ends_with_the_drain() {
    let (_directory, path) = scratch();
    let (bus, _) = PersistentBus::open(&path, options(Start::Resume, None)).unwrap();
    let refuses = Arc::new(Mutex::new(true));
    let refusing = Refusing { bus: bus.clone(), refuses };
    let drain = std::time::Duration::from_millis(50);
    let messenger = Shop::with_options(refusing, Options { drain, ..restarting(budget(0), |_| ()) });
    let plan = Plan::poisoned();
    let handles = messenger.run(&plan);
    let (outside, position) = (messenger.writer().unwrap(), bus.tail());
    Outside::try_send(&Input(0), &outside).unwrap();
    wait_until("it is broken", || plan.handled() == 1);
    messenger.stop();
    let summary = handles.join().unwrap_or_else(|error| error.summary);
    let left = summary.left.iter().map(|left| (left.worker, left.unsent)).collect::<Vec<_>>();
    assert_eq!(left, [("Work", 1)], "{summary:?}");
    assert_eq!(bus.cursors()["Work"], position);
}

/// Breaks at `POISON`, and in its third life sends nothing where it had sent something.
struct Forgetful(u64);

const POISON: u64 = u64::MAX;

impl Handler for Forgetful {
    type Id = u16;
    const ID: u16 = 31;
}

impl New<Arc<AtomicU64>> for Forgetful {
    fn new<W: Writer>(lives: &Arc<AtomicU64>, _: &W) -> Self {
        Forgetful(lives.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl Handle<Input> for Forgetful {
    fn handle<W: Writer>(&mut self, input: &Input, writer: &W) {
        if input.0 == POISON {
            resume_unwind(Box::new("poison"));
        }
        if self.0 < 3 {
            Self::send(&Output(input.0), writer);
        }
    }
}

rust_messenger::Messenger! {
    type Forgets;
    Arc<AtomicU64>,
    Work:
        handlers: [ #[allow(unrouted)] forgetful: Forgetful ]
        routes: [ Outside, Input: [ forgetful ] ]
}

/// That a rebuild has found everything sent again says nothing of the next one.
#[test]
fn each_restart_is_compared_from_its_beginning() {
    let options = PersistentOptions { capacity: 1 << 18, max_payload: 1024, ..PersistentOptions::default() };
    let bus = PersistentBus::in_memory(options.table(Forgets::table())).unwrap();
    let lives = Arc::new(AtomicU64::new(0));
    let messenger = Forgets::with_options(bus, Options { on_panic: budget(0), ..Options::default() });
    let mut workers = messenger.workers(&lives).unwrap();
    let outside = messenger.writer().unwrap();
    for input in [1, POISON, 2, POISON] {
        Outside::try_send(&Input(input), &outside).unwrap();
    }
    assert_eq!(settle(&mut workers), Step::Finished);
    let error = workers.conclude().unwrap_err();
    assert!(matches!(error.failures[0].cause, Cause::Failed { handler: "forgetful", .. }), "{error}");
    assert_eq!(lives.load(Ordering::Relaxed), 3);
}

/// The same for what cannot be decoded.
#[test]
fn a_letter_about_what_cannot_be_decoded_ends_with_the_drain() {
    let (_directory, path) = scratch();
    let (bus, _) = PersistentBus::open(&path, options(Start::Resume, None)).unwrap();
    let refusing = Refusing { bus: bus.clone(), refuses: Arc::new(Mutex::new(true)) };
    let dead = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&dead);
    let on_report = move |report: &Report| {
        count.fetch_add(u64::from(matches!(report, Report::Dead { .. })), Ordering::Relaxed);
    };
    let drain = std::time::Duration::from_millis(50);
    let messenger = Shop::with_options(refusing, Options { drain, ..restarting(budget(0), on_report) });
    let handles = messenger.run(&Plan::rare(u64::MAX / 2));
    let (outside, position) = (messenger.writer().unwrap(), bus.tail());
    outside.try_write_bytes(Outside::ID, Input::ID, &[1]).unwrap();
    wait_until("its letter is in the outbox", || dead.load(Ordering::Relaxed) == 1);
    messenger.stop();
    let summary = handles.join().unwrap_or_else(|error| error.summary);
    let left = summary.left.iter().map(|left| (left.worker, left.unread, left.unsent)).collect::<Vec<_>>();
    assert_eq!(left, [("Work", 1, 1)], "{summary:?}");
    assert_eq!(bus.cursors()["Work"], position);
}

/// What stands before a worker's newest snapshot of this run nobody needs for its restart.
#[test]
fn what_a_worker_begins_again_with_moves_on() {
    let (_directory, path) = scratch();
    let retention = Retention { size: Some(0), ..Retention::default() };
    let starts = vec![("Other", Start::Latest)];
    let options = PersistentOptions { retention, starts, ..options(Start::Rebuild, Some(100)) };
    let (bus, _) = PersistentBus::open(&path, options).unwrap();
    let began = bus.tail();
    let (told, reports) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let (on_report, plan) = (Arc::clone(&told), Plan::rare(u64::MAX / 2));
    let report = move |report: &Report| {
        if let Report::Rebuilding { snapshot, .. } = report {
            on_report.lock().unwrap().push(*snapshot);
        }
    };
    let messenger = Shop::with_options(bus.clone(), restarting(budget(1), report));
    let mut workers = messenger.workers(&plan).unwrap();
    let outside = messenger.writer().unwrap();
    for first in (0..400).step_by(100) {
        (first..first + 100).for_each(|number| Outside::try_send(&Input(number), &outside).unwrap());
        assert_eq!(settle(&mut workers), Step::Idle);
        // Those of the file go first.
        wait_until("it is written", || {
            newest(&path).is_some_and(|newest| reports.lock().unwrap().last() != Some(&newest))
        });
        reports.lock().unwrap().push(newest(&path).unwrap());
    }
    let older = reports.lock().unwrap()[2];
    // A file has its name a moment before it is known to be there.
    wait_until("it goes by the newest two", || {
        let retained = bus.retain().unwrap();
        assert!(retained.from <= older && retained.pinned_by.as_deref() == Some("Work"), "{retained:?}");
        retained.from == older
    });
    assert!(older > began);
    // Twice, with other states: what is sent again from the wrong one differs from what was sent.
    for first in [400, 550] {
        plan.breaks_at(first + 60);
        (first..first + 150).for_each(|number| Outside::try_send(&Input(number), &outside).unwrap());
        assert_eq!(settle(&mut workers), Step::Idle);
    }
    assert_eq!(workers.conclude().unwrap().restarts, 2);
    let told = told.lock().unwrap().clone();
    assert_eq!(told[..2], [None, Some(reports.lock().unwrap()[3])], "where it began, and began again");
    assert!(told.len() == 3 && told[2] > told[1], "{told:?}");
    assert!(plan.handled() < 700 + 2 * 100, "{}: it has begun before its newest snapshot", plan.handled());
}

/// The position of the newest snapshot that is written.
fn newest(path: &Path) -> Option<u64> {
    let files = ["1", "2"].map(|number| path.with_file_name(format!("journal.Work.snapshot{number}")));
    let position = |file| {
        let bytes = std::fs::read(file).ok()?;
        Some(u64::from_ne_bytes(bytes[32..40].try_into().unwrap()))
    };
    files.into_iter().filter_map(position).max()
}
