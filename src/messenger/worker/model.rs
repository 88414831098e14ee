//! Loom models of workers: two real ones that step in all interleavings, with a ring that is full, and to a stop.
//!
//! They stand here rather than in `tests/loom.rs` because a thread of the model must own its worker, and workers travel
//! to threads of the standard library only.

use super::{Drive, Seed, Step, Worker};
use crate::blame::At;
use crate::message_bus::wait::Park;
use crate::message_bus::{CircularBus, ManyWriters, RingOptions};
use crate::messenger::lifecycle::{Ending, Lifecycle, Phase};
use crate::messenger::options::Options;
use crate::messenger::outcome::Summary;
use crate::routing::{Roster, Router, Visit};
use crate::traits::{Handler, Header, MessageBus, Publish, Time, WriteError, Writer};
use std::sync::Arc;
use std::time::Duration;

type Bus = CircularBus<ManyWriters, Park>;

/// What a worker's handler does: sends so many messages at the start, and stops when it has heard so many.
#[derive(Clone, Copy)]
struct Plan {
    sends: usize,
    hears: usize,
}

/// The only handler of its worker.
struct Chatter {
    plan: Plan,
    /// The numbers heard, for each source the next one.
    next: [u8; 3],
    heard: usize,
}

impl Handler for Chatter {
    type Id = u16;
    const ID: u16 = 0;
}

struct Alone<const SOURCE: u16>(Chatter);

impl<const SOURCE: u16> Router for Alone<SOURCE> {
    const ROUTES: usize = 1;

    fn route<W: Writer>(&mut self, header: &Header, payload: &[u8], _: &W, _: &At) -> bool {
        let next = &mut self.0.next[usize::from(header.source)];
        assert_eq!(payload, [*next; 8], "messages of one source in order");
        *next += 1;
        self.0.heard += 1;
        true
    }
}

impl<const SOURCE: u16> Roster<Plan> for Alone<SOURCE> {
    const NAME: &'static str = if SOURCE == 1 { "first" } else { "second" };
    const IS_SOURCE: bool = true;
    const DUE: &'static [Option<u16>] = &[];

    fn new<W: Writer>(plan: &Plan, writer: &W, _: &At) -> Option<Self> {
        for number in 0..plan.sends {
            writer.write_bytes(SOURCE, 1, &[number as u8; 8]).unwrap();
        }
        Some(Alone(Chatter { plan: *plan, next: [0; 3], heard: 0 }))
    }

    fn next_deadline(&self, _: &At, _: impl Fn(u16, Option<Time>) -> Option<Time>) -> Option<Time> {
        None
    }

    fn visit<V: Visit>(&mut self, visitor: &mut V, _: &At) {
        visitor.handler(&mut self.0);
    }

    fn dismiss(self, _: &At) {}
}

fn lifecycle() -> Arc<Lifecycle<Bus>> {
    let ring =
        RingOptions { capacity: RingOptions::MIN_CAPACITY, silent_after: Duration::MAX, ..RingOptions::default() };
    let bus = CircularBus::<ManyWriters>::with_options(ring).unwrap().waiting::<Park>();
    // No drain is late, however long a model takes.
    Arc::new(Lifecycle::new(bus, Options { drain: Duration::from_secs(1 << 30), ..Options::default() }))
}

fn seed(lifecycle: &Arc<Lifecycle<Bus>>, name: &'static str, plan: Plan) -> Seed<Bus, Plan> {
    let reader = lifecycle.bus.subscribe(name).unwrap();
    let writer = Some(lifecycle.bus.worker_writer(&reader).unwrap());
    Seed { name, reader, writer, config: plan, rows: None, restart: None, lifecycle: Arc::clone(lifecycle) }
}

/// Steps and waits until the worker has heard everything. A worker that nobody wakes is a deadlock to loom.
fn drive<const SOURCE: u16>(mut worker: Worker<Bus, Alone<SOURCE>, Plan>) {
    let heard_all = |worker: &Worker<Bus, Alone<SOURCE>, Plan>| {
        worker.handlers.as_ref().is_some_and(|alone| alone.0.heard == alone.0.plan.hears)
    };
    while !heard_all(&worker) || worker.writer.outbox.is_pending() {
        match worker.step() {
            Step::Worked => {}
            Step::Idle => worker.wait(),
            Step::Finished => panic!("nobody stopped it"),
        }
    }
}

/// A full ring, a first worker with messages in its outbox and a second one with younger ones in its own: both flush,
/// both hear everything in order, and neither sleeps for ever.
#[test]
fn outboxes_flush_by_ticket() {
    let mut builder = loom::model::Builder::new();
    // A full ring takes two hundred steps to hear; with two preemptions that is a matter of hours.
    builder.preemption_bound = Some(1);
    builder.max_branches = 100_000;
    builder.check(|| {
        let lifecycle = lifecycle();
        let (slots, late) = (RingOptions::MIN_CAPACITY / 32, 1);
        let hears = slots + 2 * late;
        let first = seed(&lifecycle, "first", Plan { sends: slots + late, hears });
        let second = seed(&lifecycle, "second", Plan { sends: late, hears });
        lifecycle.expect(["first", "second"].into_iter());
        // The first step makes the handlers, which send: from here on the ring is full and both outboxes are pending.
        let mut first = Worker::<Bus, Alone<1>, Plan>::new(first);
        let mut second = Worker::<Bus, Alone<2>, Plan>::new(second);
        // The second is the last one to make its own, so it starts them at once.
        assert_eq!((first.step(), second.step(), first.step()), (Step::Worked, Step::Worked, Step::Worked));
        assert_eq!((first.writer.outbox.len(), second.writer.outbox.len()), (late, late));
        let other = loom::thread::spawn(move || drive(second));
        drive(first);
        other.join().unwrap();
    });
}

/// Two workers that only hear, and have their handlers.
fn pair() -> (Arc<Lifecycle<Bus>>, Worker<Bus, Alone<1>, Plan>, Worker<Bus, Alone<2>, Plan>) {
    let lifecycle = lifecycle();
    let plan = Plan { sends: 0, hears: 0 };
    let mut first = Worker::new(seed(&lifecycle, "first", plan));
    let mut second = Worker::new(seed(&lifecycle, "second", plan));
    lifecycle.expect(["first", "second"].into_iter());
    assert_eq!((first.step(), second.step(), first.step()), (Step::Worked, Step::Worked, Step::Worked));
    (lifecycle, first, second)
}

/// Steps and waits to the worker's end. Returns how many messages it heard.
fn drive_to_the_end<const SOURCE: u16>(mut worker: Worker<Bus, Alone<SOURCE>, Plan>) -> u64 {
    let mut heard = 0;
    loop {
        // A step that ends the worker handles nothing, and takes the handlers away.
        heard = worker.handlers.as_ref().map_or(heard, |alone| alone.0.heard);
        match worker.step() {
            Step::Worked => {}
            Step::Idle => worker.wait(),
            Step::Finished => return heard as u64,
        }
    }
}

/// A worker that sees that the end is fixed sees also where it is, and handles what is before it.
///
/// The one has acknowledged the stop and read nothing when the scene begins; the other one fixes the end.
#[test]
fn a_worker_sees_the_end_that_another_one_fixes() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(2);
    builder.max_branches = 100_000;
    builder.check(|| {
        let (lifecycle, mut first, second) = pair();
        lifecycle.bus.writer().unwrap().try_write_bytes(0, 1, &[0; 8]).unwrap();
        lifecycle.stop();
        assert_eq!(first.step(), Step::Worked);
        assert_eq!(lifecycle.phase(), Phase::Flushing);
        let other = loom::thread::spawn(move || drive_to_the_end(first));
        let heard = [drive_to_the_end(second), other.join().unwrap()];
        assert_eq!((heard, lifecycle.conclude().unwrap()), ([1, 1], Summary::default()));
    });
}

/// A stop that comes while somebody writes from outside: both workers handle all that was written before the end and
/// leave, and what was accepted after that is counted.
#[test]
fn a_stop_drains_and_ends() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(1);
    builder.max_branches = 100_000;
    builder.check(|| {
        let (lifecycle, first, second) = pair();
        let outside = lifecycle.bus.writer().unwrap();
        outside.try_write_bytes(0, 1, &[0; 8]).unwrap();
        let workers = (
            loom::thread::spawn(move || drive_to_the_end(first)),
            loom::thread::spawn(move || drive_to_the_end(second)),
        );
        let stopping = Arc::clone(&lifecycle);
        let stopper = loom::thread::spawn(move || stopping.stop());
        let accepted = match outside.try_write_bytes(0, 1, &[1; 8]) {
            Ok(()) => 2,
            Err(error) => {
                assert_eq!(error, WriteError::Closed);
                1
            }
        };
        stopper.join().unwrap();
        let heard = [workers.0.join().unwrap(), workers.1.join().unwrap()];
        let summary = lifecycle.conclude().unwrap();
        assert!(summary.left.is_empty(), "{summary:?}");
        // A worker that was in the middle of a batch when the end was fixed may have gone a message beyond it.
        let to_hear = accepted - summary.after_stop..=accepted;
        assert!(heard.iter().all(|heard| to_hear.contains(heard)), "{heard:?} of {to_hear:?}");
    });
}
