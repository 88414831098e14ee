//! Loom models of the outbox: two real workers that step in all interleavings on a ring that is full.
//!
//! They stand here rather than in `tests/loom.rs` because a thread of the model must own its worker, and workers travel
//! to threads of the standard library only.

use super::{Drive, Seed, Step, Worker};
use crate::lifecycle::{Lifecycle, Options};
use crate::message_bus::wait::Park;
use crate::message_bus::{CircularBus, MIN_CAPACITY, ManyWriters, RingOptions};
use crate::routing::{At, Roster, Visit};
use crate::traits::{Handler, Header, MessageBus, Router, Time, Writer};
use std::sync::Arc;

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

fn seed(lifecycle: &Arc<Lifecycle<Bus>>, name: &'static str, plan: Plan) -> Seed<Bus, Plan> {
    let reader = lifecycle.bus.subscribe(name).unwrap();
    let writer = Some(lifecycle.bus.worker_writer(&reader).unwrap());
    Seed { name, reader, writer, config: plan, rows: None, lifecycle: Arc::clone(lifecycle) }
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
        let options = RingOptions { capacity: MIN_CAPACITY, ..RingOptions::default() };
        let bus = CircularBus::<ManyWriters>::with_options(options).unwrap().waiting::<Park>();
        let lifecycle = Arc::new(Lifecycle::new(bus, Options::default()));
        let (slots, late) = (MIN_CAPACITY / 32, 1);
        let hears = slots + 2 * late;
        let first = seed(&lifecycle, "first", Plan { sends: slots + late, hears });
        let second = seed(&lifecycle, "second", Plan { sends: late, hears });
        lifecycle.expect(["first", "second"].into_iter());
        // The first step makes the handlers, which send: from here on the ring is full and both outboxes are pending.
        let mut first = Worker::<Bus, Alone<1>, Plan>::new(first);
        let mut second = Worker::<Bus, Alone<2>, Plan>::new(second);
        assert_eq!((first.step(), second.step()), (Step::Worked, Step::Worked));
        assert_eq!((first.writer.outbox.len(), second.writer.outbox.len()), (late, late));
        let other = loom::thread::spawn(move || drive(second));
        drive(first);
        other.join().unwrap();
    });
}
