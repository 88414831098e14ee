//! Tables on a ring, whose workers one thread steps.

use crate::{BATCH, RING, Row, words};
use rust_messenger::message_bus::{CircularBus, ManyWriters, PersistentBus, PersistentOptions, Start};
use rust_messenger::messenger::{Options, Step, Workers};
use rust_messenger::traits::{
    Clock, ExtendedMessage, Handle, Handler, Message, New, Publish, Sender, Time, Writer,
};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub const ROWS: &[Row] = &[
    ("table_zero_copy", |batches| alone(batches, What::Tick)),
    ("table_postcard", |batches| alone(batches, What::Note)),
    ("table_second_worker", beside),
    ("table_two_workers", |batches| between(batches, What::Tick)),
    ("table_two_workers_postcard", |batches| between(batches, What::Note)),
    ("table_outbox", outbox),
    ("routes_1", |batches| routes!(Routes1, 1, batches)),
    ("routes_64", |batches| routes!(Routes64, 64, batches)),
    ("routes_1000", |batches| routes!(Routes1000, 1000, batches)),
    ("history", history),
];

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct Tick {
    left: u64,
    rest: [u64; 3],
}
rust_messenger::zero_copy_message!(Tick, 1);

#[derive(serde::Serialize, serde::Deserialize)]
struct Note {
    left: u64,
    rest: [u64; 3],
}
rust_messenger::serde_message!(Note, 2);

/// What a handler sends first.
#[derive(Clone, Copy, PartialEq)]
enum What {
    Tick,
    Note,
}

/// How many messages to send, and which.
#[derive(Clone)]
struct Plan {
    what: What,
    /// How many chains of messages there are at a time.
    at_a_time: u64,
    /// How many messages each of them has.
    length: u64,
}

// -------------------------------------------------------------------------------------------------------------- echoes

/// Answers each message by the next one, until a chain has ended; the last of them ends the messenger. `FIRST` begins.
struct Echo<const ID: u16, const FIRST: bool> {
    plan: Plan,
    ended: u64,
}

impl<const N: u16, const FIRST: bool> Handler for Echo<N, FIRST> {
    type Id = u16;
    const ID: u16 = N;

    fn on_start<W: Writer>(&mut self, writer: &W) {
        if FIRST {
            let left = self.plan.length - 1;
            for _ in 0..self.plan.at_a_time {
                match self.plan.what {
                    What::Tick => Self::send(&Tick { left, rest: [left; 3] }, writer),
                    What::Note => Self::send(&Note { left, rest: [left; 3] }, writer),
                }
            }
        }
    }
}

impl<const N: u16, const FIRST: bool> New<Plan> for Echo<N, FIRST> {
    fn new<W: Writer>(plan: &Plan, _: &W) -> Self {
        Echo { plan: plan.clone(), ended: 0 }
    }
}

impl<const N: u16, const FIRST: bool> Echo<N, FIRST> {
    #[cold]
    fn end<W: Writer>(&mut self, writer: &W) {
        self.ended += 1;
        if self.ended == self.plan.at_a_time {
            writer.stop();
        }
    }
}

macro_rules! echo {
    ($($message:ident)+) => { $(
        impl<const N: u16, const FIRST: bool> Handle<$message> for Echo<N, FIRST> {
            fn handle<W: Writer>(&mut self, message: &$message, writer: &W) {
                match message.left.checked_sub(1) {
                    Some(left) => Self::send(&$message { left, rest: message.rest }, writer),
                    None => self.end(writer),
                }
            }
        }
    )+ };
}
echo!(Tick Note);

rust_messenger::Messenger! {
    type Alone;
    Plan,
    Only:
        handlers: [ echo: Echo<1, true> ]
        routes: [
            Echo<1, true>, Tick: [ echo ],
            Echo<1, true>, Note: [ echo ],
        ]
}

rust_messenger::Messenger! {
    type Beside;
    Plan,
    First:
        handlers: [ echo: Echo<1, true> ]
        routes: [ Echo<1, true>, Tick: [ echo ] ]
    Second:
        handlers: [ other: Echo<2, false> ]
        routes: [ Echo<1, true>, Note: [ other ] ]
}

rust_messenger::Messenger! {
    type Between;
    Plan,
    First:
        handlers: [ one: Echo<1, true> ]
        routes: [
            Echo<2, false>, Tick: [ one ],
            Echo<2, false>, Note: [ one ],
        ]
    Second:
        handlers: [ two: Echo<2, false> ]
        routes: [
            Echo<1, true>, Tick: [ two ],
            Echo<1, true>, Note: [ two ],
        ]
}

/// Asking the system for the time differs by system.
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Time {
        Time::from_nanos(43_200_000_000_000)
    }
}

pub fn options() -> Options {
    Options { clock: Arc::new(Noon), ..Options::default() }
}

#[inline(never)]
fn drive(mut workers: Workers) -> u64 {
    let mut steps = 0;
    while workers.step() != Step::Finished {
        steps += 1;
    }
    workers.conclude().expect("an end without a failure");
    steps
}

/// A handler that sends to itself.
fn alone(batches: u64, what: What) -> u64 {
    let messenger = Alone::with_options(CircularBus::new(RING).expect("a ring"), options());
    drive(messenger.workers(&Plan { what, at_a_time: 1, length: batches * BATCH }).expect("workers"))
}

/// The same, beside a worker that has no route for any of it.
fn beside(batches: u64) -> u64 {
    let messenger = Beside::with_options(CircularBus::new(RING).expect("a ring"), options());
    drive(messenger.workers(&Plan { what: What::Tick, at_a_time: 1, length: batches * BATCH }).expect("workers"))
}

/// Handlers of two workers that send to each other: a batch is under way.
fn between(batches: u64, what: What) -> u64 {
    let messenger = Between::with_options(CircularBus::new(RING).expect("a ring"), options());
    drive(messenger.workers(&Plan { what, at_a_time: BATCH, length: batches }).expect("workers"))
}

// -------------------------------------------------------------------------------------------------------------- outbox

/// On the last of a flood of ticks it sends the next flood, of which the ring takes little.
struct Flood {
    left: u64,
}

/// Ticks of a flood.
const FLOOD: u64 = 16 * BATCH;

impl Flood {
    fn flood<W: Writer>(&mut self, writer: &W) {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                (0..FLOOD).rev().for_each(|left| Self::send(&Tick { left, rest: [left; 3] }, writer));
            }
            None => writer.stop(),
        }
    }
}

impl Handler for Flood {
    type Id = u16;
    const ID: u16 = 1;

    fn on_start<W: Writer>(&mut self, writer: &W) {
        self.flood(writer);
    }
}

impl New<u64> for Flood {
    fn new<W: Writer>(floods: &u64, _: &W) -> Self {
        Flood { left: *floods }
    }
}

impl Handle<Tick> for Flood {
    fn handle<W: Writer>(&mut self, tick: &Tick, writer: &W) {
        if tick.left == 0 {
            self.flood(writer);
        }
    }
}

rust_messenger::Messenger! {
    type Flooded;
    u64,
    Only:
        handlers: [ flood: Flood ]
        routes: [ Flood, Tick: [ flood ] ]
}

fn outbox(batches: u64) -> u64 {
    let messenger = Flooded::with_options(CircularBus::new(1 << 12).expect("a ring"), options());
    drive(messenger.workers(&(batches * BATCH / FLOOD)).expect("workers"))
}

// -------------------------------------------------------------------------------------------------------------- routes

/// How many messages a [`Sink`] has handled, and what they add up to.
type Seen = Rc<Cell<(u64, u64)>>;

struct Source<const ID: u16>;

impl<const N: u16> Handler for Source<N> {
    type Id = u16;
    const ID: u16 = N;
}

struct Sink(Seen);

impl Handler for Sink {
    type Id = u16;
    const ID: u16 = 5000;
}

impl New<Seen> for Sink {
    fn new<W: Writer>(seen: &Seen, _: &W) -> Self {
        Sink(Rc::clone(seen))
    }
}

impl Handle<Tick> for Sink {
    fn handle<W: Writer>(&mut self, tick: &Tick, _: &W) {
        let (count, sum) = self.0.get();
        self.0.set((count + 1, sum.wrapping_add(tick.left)));
    }
}

include!(concat!(env!("OUT_DIR"), "/routes.rs"));

/// Messages from outside, whose sources are spread over all routes of the table.
macro_rules! routes {
    ($table:ident, $count:expr, $batches:expr) => {{
        let messenger = $table::with_options(CircularBus::new(RING).expect("a ring"), options());
        let seen = Seen::default();
        let mut workers = messenger.workers(&seen).expect("workers");
        workers.step();
        let writer = messenger.writer().expect("a writer");
        for i in 0..$batches {
            for k in 0..BATCH {
                let source = 1 + k * $count / BATCH;
                let tick = words(i, k).map(u64::to_le_bytes);
                writer.try_write_bytes(source as u16, Tick::ID, tick.as_flattened()).expect("room");
            }
            while seen.get().0 != (i + 1) * BATCH {
                workers.step();
            }
        }
        seen.get().1
    }};
}
use routes;

// ------------------------------------------------------------------------------------------------------------- history

/// Fills its bytes of a slot by itself, as most encoders do.
struct Answer([u64; 4]);

impl Message for Answer {
    type Id = u16;
    const ID: u16 = 3;
}

impl ExtendedMessage for Answer {
    fn get_size(&self) -> usize {
        32
    }

    fn write_into(&self, buffer: &mut [u8]) {
        for (word, bytes) in self.0.iter().zip(buffer.chunks_exact_mut(8)) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
    }
}

/// Answers each tick.
struct Oracle(Seen);

impl Handler for Oracle {
    type Id = u16;
    const ID: u16 = 5001;
}

impl New<Seen> for Oracle {
    fn new<W: Writer>(seen: &Seen, _: &W) -> Self {
        Oracle(Rc::clone(seen))
    }
}

impl Handle<Tick> for Oracle {
    fn handle<W: Writer>(&mut self, tick: &Tick, writer: &W) {
        let (count, sum) = self.0.get();
        self.0.set((count + 1, sum.wrapping_add(tick.left)));
        Self::send(&Answer(tick.rest_and(sum)), writer);
    }
}

impl Tick {
    fn rest_and(&self, sum: u64) -> [u64; 4] {
        let [a, b, c] = self.rest;
        [a, b, c, sum]
    }
}

rust_messenger::Messenger! {
    type Asked;
    Seen,
    Only:
        handlers: [ #[allow(unrouted)] oracle: Oracle ]
        routes: [ Source<1>, Tick: [ oracle ] ]
}

fn recorded() -> PersistentOptions {
    let options = PersistentOptions { capacity: 1 << 25, step: 1 << 24, start: Start::Rebuild, ..Default::default() };
    PersistentOptions { clock: Arc::new(Noon), ..options }.table(Asked::table())
}

/// A question and its answer: first with a journal, then again from it.
fn history(batches: u64) -> u64 {
    let (bus, seen) = (PersistentBus::in_memory(recorded()).expect("a journal"), Seen::default());
    let messenger = Asked::with_options(bus.clone(), options());
    let workers = messenger.workers(&seen).expect("workers");
    recorded_apart(workers, &messenger.writer().expect("a writer"), &seen, batches);
    let image = bus.image();
    drop((messenger, bus));

    let (bus, again) = (PersistentBus::<ManyWriters>::from_image(image, recorded()).expect("the journal").0, Seen::default());
    let messenger = Asked::with_options(bus, options());
    rebuilt_apart(messenger.workers(&again).expect("workers"), &again, batches * BATCH);
    assert_eq!(again, seen);
    again.get().1
}

/// Has a name that callgrind finds.
#[inline(never)]
fn recorded_apart(mut workers: Workers, writer: &impl Publish, seen: &Seen, batches: u64) {
    for i in 0..batches {
        for k in 0..BATCH {
            let tick = words(i, k).map(u64::to_le_bytes);
            writer.try_write_bytes(1, Tick::ID, tick.as_flattened()).expect("room");
        }
        while seen.get().0 != (i + 1) * BATCH {
            assert_ne!(workers.step(), Step::Finished);
        }
    }
}

/// Has a name that callgrind finds.
#[inline(never)]
fn rebuilt_apart(mut workers: Workers, seen: &Seen, count: u64) {
    while seen.get().0 != count {
        assert_ne!(workers.step(), Step::Finished, "the answers are others");
    }
}
