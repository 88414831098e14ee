//! Workers that write more than the ring takes: nobody hangs, nothing is lost, doubled or overtaken, outboxes stay
//! small.
//!
//! Every handler here sends its messages in numbered streams and checks, for each stream it hears, that the numbers
//! come one after the other: what arrives is then counted only. A chain reaction is kept finite by a common budget;
//! what has none must end in an error that names its worker. The seeded tests at the end step the workers in random
//! order on one thread, so that a fault found there can be repeated by its seed.

mod support;

use rust_messenger::message_bus::{CircularBus, CondvarBus};
use rust_messenger::messenger::Step;
use rust_messenger::messenger::{Cause, OnPanic, Summary};
use rust_messenger::testing::ManualClock;
use rust_messenger::traits::{
    DeserializeFrom, ExtendedMessage, Handle, Handler, Message, MessageBus, New, Publish, Sender, Stats, WriteError,
    Writer,
};
use rust_messenger::{Messenger, Options};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;
use support::{PATIENCE, mix, settle, wait_until, within};

/// The smallest ring there is: it is nearly always full.
const RING: usize = 1024;
/// The largest payload it takes.
const LARGEST: usize = RING / 8 - 16;
/// A message of a stream has room for stream and number.
const SMALLEST: usize = 16;
/// The most messages the ring holds.
const SLOTS: u64 = RING as u64 / (SMALLEST as u64 + 16);
/// What an outbox may count for one message, at most.
const COST: u64 = LARGEST as u64 + 128;

/// Streams `0..IDS` belong to the handlers of these ids, `IDS..` to what they write inside of another write.
const IDS: usize = 12;
const OUTSIDE: u16 = 11;

/// How many messages a chain reaction may send.
const BUDGET: i64 = if cfg!(miri) { 20 } else { 8_000 };

/// How many messages do not fit into the ring and are on their way from the start.
const SURPLUS: u64 = if cfg!(miri) { 8 } else { 2 * SLOTS };

/// How many messages are sent for one that is received.
const FANS: &[u64] = if cfg!(miri) { &[3] } else { &[1, 2, 10, 100] };

/// How many bytes an outbox may hold that is to overflow.
const LIMIT: usize = if cfg!(miri) { 2048 } else { 16 * 1024 };

// ------------------------------------------------------------------------------------------------------------ handlers

struct Load {
    stream: u64,
    number: u64,
}

impl Load {
    fn size(&self) -> usize {
        let size = SMALLEST + mix(self.stream << 32 ^ self.number) as usize % (LARGEST - SMALLEST + 1);
        // Miri (nightly of May 2026) stops with an internal error, "cannot have empty store buffer", when a word that
        // was an atomic in an earlier lap is overwritten in part and then becomes an atomic again.
        if cfg!(miri) { size.next_multiple_of(8) } else { size }
    }
}

impl Message for Load {
    type Id = u16;
    const ID: u16 = 3;
}

impl ExtendedMessage for Load {
    fn get_size(&self) -> usize {
        self.size()
    }

    fn write_into(&self, buffer: &mut [u8]) {
        buffer.fill(self.number as u8);
        buffer[..8].copy_from_slice(&self.stream.to_le_bytes());
        buffer[8..16].copy_from_slice(&self.number.to_le_bytes());
    }
}

impl DeserializeFrom for Load {
    fn deserialize_from(buffer: &[u8]) -> Self {
        let word = |at: usize| u64::from_le_bytes(buffer[at..at + 8].try_into().unwrap());
        let load = Load { stream: word(0), number: word(8) };
        assert_eq!(load.size(), buffer.len(), "not the size it was sent with");
        assert!(buffer[16..].iter().all(|&byte| byte == load.number as u8), "torn");
        load
    }
}

/// What the handlers of one test do, and what they did.
struct Plan {
    /// How many messages each handler sends when it starts.
    start: [u64; IDS],
    /// How many messages each handler sends for every one it receives...
    fan: [u64; IDS],
    /// ...if its number is a multiple of this, ...
    every: [u64; IDS],
    /// ...while there is something left of this.
    budget: AtomicI64,
    /// If not 0: the fan is random up to the given one, with this as the state of its generator.
    random: AtomicU64,
    /// How long each handler takes for a message.
    pause: [Duration; IDS],
    /// Whether each message is written inside of which another one is written.
    nested: bool,
    /// The handler that panics, and the message it does it at.
    panics: Option<(u16, u64)>,
    /// What each stream sent.
    sent: [AtomicU64; 2 * IDS],
    /// What each handler received of each stream.
    received: [[AtomicU64; 2 * IDS]; IDS],
}

impl Plan {
    fn new() -> Plan {
        Plan {
            start: [0; IDS],
            fan: [1; IDS],
            every: [1; IDS],
            budget: AtomicI64::new(BUDGET),
            random: AtomicU64::new(0),
            pause: [Duration::ZERO; IDS],
            nested: false,
            panics: None,
            sent: Default::default(),
            received: Default::default(),
        }
    }

    fn sent(&self, source: u16) -> u64 {
        self.sent[source as usize].load(SeqCst) + self.sent[IDS + source as usize].load(SeqCst)
    }

    fn received_from(&self, receiver: u16, source: u16) -> u64 {
        let received = &self.received[receiver as usize];
        received[source as usize].load(SeqCst) + received[IDS + source as usize].load(SeqCst)
    }

    fn received(&self, receiver: u16) -> u64 {
        (0..IDS as u16).map(|source| self.received_from(receiver, source)).sum()
    }

    fn total_sent(&self) -> u64 {
        (0..IDS as u16).map(|source| self.sent(source)).sum()
    }

    /// Whether every receiver has everything from each of its sources.
    ///
    /// A handler counts a message as received after all that it sends for it. What was received is looked at first, so
    /// if it equals what was sent, looked at later, then at some moment between nothing was on its way.
    fn is_quiet(&self, routes: &[(u16, &[u16])]) -> bool {
        let least = |(source, receivers): &(u16, &[u16])| {
            receivers.iter().map(|&receiver| self.received_from(receiver, *source)).min().unwrap_or_default()
        };
        let received: Vec<_> = routes.iter().map(least).collect();
        let sent: Vec<_> = routes.iter().map(|(source, _)| self.sent(*source)).collect();
        received == sent
    }
}

type Config = Arc<Plan>;

struct Flood<const ID: u16> {
    plan: Config,
}

impl<const ID: u16> Flood<ID> {
    fn emit<W: Writer>(&self, count: u64, writer: &W) {
        let next = |stream: u64| {
            let number = self.plan.sent[stream as usize].fetch_add(1, SeqCst);
            Load { stream, number }
        };
        for _ in 0..count {
            let load = next(u64::from(ID));
            if !self.plan.nested {
                Self::send(&load, writer);
                continue;
            }
            let written = writer.write(ID, Load::ID, load.size(), |bytes| {
                load.write_into(bytes);
                Self::send(&next(IDS as u64 + u64::from(ID)), writer);
            });
            written.unwrap();
        }
    }
}

impl<const ID: u16> Handler for Flood<ID> {
    type Id = u16;
    const ID: u16 = ID;

    fn on_start<W: Writer>(&mut self, writer: &W) {
        self.emit(self.plan.start[ID as usize], writer);
    }
}

impl<const ID: u16> New<Config> for Flood<ID> {
    fn new<W: Writer>(config: &Config, _writer: &W) -> Self {
        Flood { plan: Arc::clone(config) }
    }
}

impl<const ID: u16> Handle<Load> for Flood<ID> {
    fn handle<W: Writer>(&mut self, message: &Load, writer: &W) {
        let (plan, id) = (&self.plan, ID as usize);
        let expected = &plan.received[id][message.stream as usize];
        assert_eq!(message.number, expected.load(SeqCst), "a gap, a double or an overtaking in {}", message.stream);
        if !plan.pause[id].is_zero() {
            #[expect(clippy::disallowed_methods, reason = "a handler that takes its time is part of the plan")]
            thread::sleep(plan.pause[id]);
        }
        let fan = match plan.random.load(SeqCst) {
            0 => plan.fan[id],
            state => {
                plan.random.store(mix(state) | 1, SeqCst);
                mix(state) % (plan.fan[id] + 1)
            }
        };
        if message.number.is_multiple_of(plan.every[id]) && fan != 0 {
            let granted = plan.budget.fetch_sub(fan as i64, SeqCst).clamp(0, fan as i64);
            self.emit(granted as u64, writer);
        }
        if plan.panics == Some((ID, message.number)) {
            resume_unwind(Box::new("as planned"));
        }
        expected.fetch_add(1, SeqCst);
    }
}

/// A message of no bytes at all.
struct Empty;

impl Message for Empty {
    type Id = u16;
    const ID: u16 = 4;
}

impl ExtendedMessage for Empty {
    fn get_size(&self) -> usize {
        0
    }

    fn write_into(&self, _buffer: &mut [u8]) {}
}

impl DeserializeFrom for Empty {
    fn deserialize_from(_buffer: &[u8]) -> Self {
        Empty
    }
}

impl Handle<Empty> for Flood<1> {
    fn handle<W: Writer>(&mut self, _message: &Empty, writer: &W) {
        Self::send(&Empty, writer);
        Self::send(&Empty, writer);
    }
}

// -------------------------------------------------------------------------------------------------------------- tables

Messenger! {
    type Solo;
    Config,
    Alpha:
        handlers: [ a: Flood<1> ]
        routes: [ Flood<1>, Load: [ a ] ]
}

Messenger! {
    type Hollow;
    Config,
    Alpha:
        handlers: [ a: Flood<1> ]
        routes: [ Flood<11>, Empty: [ a ], Flood<1>, Empty: [ a ] ]
}

Messenger! {
    type Cycle;
    Config,
    Alpha:
        handlers: [ a: Flood<1> ]
        routes: [ Flood<2>, Load: [ a ] ]
    Beta:
        handlers: [ b: Flood<2> ]
        routes: [ Flood<1>, Load: [ b ] ]
}

Messenger! {
    type Fan;
    Config,
    Alpha:
        handlers: [ a: Flood<1> ]
        routes: [ Flood<11>, Load: [ a ] ]
    Beta:
        handlers: [ b: Flood<2> ]
        routes: [ Flood<1>, Load: [ b ] ]
}

// Alpha keeps itself busy, Beta has something to say to Gamma now and then.
Messenger! {
    type Greedy;
    Config,
    Alpha:
        handlers: [ a: Flood<1> ]
        routes: [ Flood<1>, Load: [ a ] ]
    Beta:
        handlers: [ b: Flood<2> ]
        routes: [ Flood<1>, Load: [ b ] ]
    Gamma:
        handlers: [ c: Flood<3> ]
        routes: [ Flood<2>, Load: [ c ] ]
}

// Everybody hears everybody.
Messenger! {
    type Mesh;
    Config,
    Alpha:
        handlers: [ a: Flood<1> ]
        routes: [ Flood<11>, Load: [ a ], Flood<1>, Load: [ a ], Flood<2>, Load: [ a ], Flood<3>, Load: [ a ] ]
    Beta:
        handlers: [ b: Flood<2> ]
        routes: [ Flood<11>, Load: [ b ], Flood<1>, Load: [ b ], Flood<2>, Load: [ b ], Flood<3>, Load: [ b ] ]
    Gamma:
        handlers: [ c: Flood<3> ]
        routes: [ Flood<11>, Load: [ c ], Flood<1>, Load: [ c ], Flood<2>, Load: [ c ], Flood<3>, Load: [ c ] ]
}

Messenger! {
    type Nine;
    Config,
    One:
        handlers: [ h: Flood<1> ]
        routes: [ Flood<1>, Load: [ h ] ]
    Two:
        handlers: [ h: Flood<2> ]
        routes: [ Flood<2>, Load: [ h ] ]
    Three:
        handlers: [ h: Flood<3> ]
        routes: [ Flood<3>, Load: [ h ] ]
    Four:
        handlers: [ h: Flood<4> ]
        routes: [ Flood<4>, Load: [ h ] ]
    Five:
        handlers: [ h: Flood<5> ]
        routes: [ Flood<5>, Load: [ h ] ]
    Six:
        handlers: [ h: Flood<6> ]
        routes: [ Flood<6>, Load: [ h ] ]
    Seven:
        handlers: [ h: Flood<7> ]
        routes: [ Flood<7>, Load: [ h ] ]
    Eight:
        handlers: [ h: Flood<8> ]
        routes: [ Flood<8>, Load: [ h ] ]
    Slow:
        handlers: [ h: Flood<9> ]
        routes: [
            Flood<1>, Load: [ h ], Flood<2>, Load: [ h ], Flood<3>, Load: [ h ], Flood<4>, Load: [ h ],
            Flood<5>, Load: [ h ], Flood<6>, Load: [ h ], Flood<7>, Load: [ h ], Flood<8>, Load: [ h ],
        ]
}

// ------------------------------------------------------------------------------------------------------------- helpers

/// Options with which no drain ends before its time, however slow the machine is.
fn patient() -> Options {
    Options { drain: PATIENCE / 2, ..Options::default() }
}

/// Runs until everything is handled, stops, and demands that nothing is left.
macro_rules! run_until_quiet {
    ($messenger:expr, $plan:expr, $total:expr, $routes:expr) => {{
        let (messenger, plan) = (&$messenger, &$plan);
        let handles = messenger.run(plan);
        wait_until("all is handled", || {
            handles.is_finished() || (plan.total_sent() == $total && plan.is_quiet($routes))
        });
        let stats = messenger.stats();
        messenger.stop();
        assert_eq!(handles.join().unwrap(), Summary::default());
        assert!(plan.is_quiet($routes));
        stats
    }};
}

fn high_water(stats: &Stats, worker: &str) -> u64 {
    stats.readers.iter().find(|reader| reader.name == worker).unwrap().outbox_high_water
}

/// Runs each test on the ring and on the blocking wrapper around it, on a thread of its own that may not hang.
macro_rules! on_both_buses {
    ($( $(#[$attribute:meta])* $test:ident; )+) => {
        mod on_the_ring { $(
            #[test]
            $(#[$attribute])*
            fn $test() {
                super::within(stringify!($test), || super::$test(|| super::CircularBus::new(super::RING).unwrap()));
            }
        )+ }

        mod on_a_condvar { $(
            #[test]
            #[cfg_attr(miri, ignore = "the ring is the one beside it, and each takes a minute")]
            fn $test() {
                let bus = || super::CondvarBus::new(super::CircularBus::new(super::RING).unwrap());
                super::within(stringify!($test), move || super::$test(bus));
            }
        )+ }
    };
}

on_both_buses! {
    a_worker_floods_itself;
    two_workers_flood_each_other;
    an_outbox_holds_what_one_ring_of_input_makes;
    #[cfg_attr(miri, ignore = "nine threads that wait for each other, and Miri sees no more than of two")]
    eight_floods_beside_a_slow_reader;
    writes_inside_of_writes_go_through_the_outbox_too;
    a_reaction_without_end_fails_by_name;
    messages_of_no_bytes_fill_an_outbox_too;
    a_stop_ends_a_flood;
    whoever_is_never_done_starves_nobody;
}

// -------------------------------------------------------------------------------------------------------- with threads

fn a_worker_floods_itself<B: MessageBus>(bus: impl Fn() -> B) {
    for &fan in FANS {
        let mut plan = Plan::new();
        plan.start[1] = SLOTS + SURPLUS;
        plan.fan = [fan; IDS];
        let plan = Arc::new(plan);
        let stats =
            run_until_quiet!(Solo::with_options(bus(), patient()), plan, SLOTS + SURPLUS + BUDGET as u64, &[(1, &[1])]);
        assert!(high_water(&stats, "Alpha") != 0, "no outbox was needed: this was no flood");
    }
}

fn two_workers_flood_each_other<B: MessageBus>(bus: impl Fn() -> B) {
    for &fan in FANS {
        let mut plan = Plan::new();
        plan.start[1] = SLOTS + SURPLUS;
        plan.start[2] = SURPLUS;
        plan.fan = [fan; IDS];
        let plan = Arc::new(plan);
        let stats = run_until_quiet!(
            Cycle::with_options(bus(), patient()),
            plan,
            SLOTS + 2 * SURPLUS + BUDGET as u64,
            &[(1, &[2]), (2, &[1])]
        );
        assert!(high_water(&stats, "Alpha") != 0 && high_water(&stats, "Beta") != 0);
        if fan == 1 {
            // The number of messages on their way stays what it was at the start.
            let most = high_water(&stats, "Alpha").max(high_water(&stats, "Beta"));
            assert!(most <= (SLOTS + 2 * SURPLUS) * COST, "an outbox of {most} bytes");
        }
    }
}

fn an_outbox_holds_what_one_ring_of_input_makes<B: MessageBus>(bus: impl Fn() -> B) {
    for &fan in FANS {
        let inputs = if cfg!(miri) { 10 } else { (2000 / fan).max(100) };
        let mut plan = Plan::new();
        plan.fan[1] = fan;
        plan.fan[2] = 0;
        plan.budget = AtomicI64::new((inputs * fan) as i64);
        let plan = Arc::new(plan);
        let messenger = Fan::with_options(bus(), patient());
        let handles = messenger.run(&plan);
        let writer = messenger.writer().unwrap();
        for _ in 0..inputs {
            write(&plan, &writer).unwrap();
        }
        wait_until("all is handled", || {
            let all = plan.total_sent() == inputs + inputs * fan;
            handles.is_finished() || (all && plan.is_quiet(&[(OUTSIDE, &[1]), (1, &[2])]))
        });
        let most = high_water(&messenger.stats(), "Alpha");
        messenger.stop();
        assert_eq!(handles.join().unwrap(), Summary::default());
        assert_eq!(plan.received(2), inputs * fan);
        assert!(most <= SLOTS * fan * COST, "an outbox of {most} bytes for a fan of {fan}");
    }
}

fn eight_floods_beside_a_slow_reader<B: MessageBus>(bus: impl Fn() -> B) {
    let each = (SLOTS + SURPLUS) / 8 + 1;
    let mut plan = Plan::new();
    plan.start[1..=8].fill(each);
    plan.fan[9] = 0;
    plan.pause[9] = Duration::from_micros(20);
    plan.budget = AtomicI64::new(BUDGET / 4);
    let plan = Arc::new(plan);
    let routes: Vec<(u16, [u16; 2])> = (1..=8).map(|source| (source, [source, 9])).collect();
    let routes: Vec<(u16, &[u16])> = routes.iter().map(|(source, receivers)| (*source, &receivers[..])).collect();
    let stats = run_until_quiet!(Nine::with_options(bus(), patient()), plan, 8 * each + BUDGET as u64 / 4, &routes);
    assert_eq!(plan.received(9), plan.total_sent());
    assert!(stats.readers.iter().all(|reader| reader.outbox_high_water <= plan.total_sent() * COST));
}

fn writes_inside_of_writes_go_through_the_outbox_too<B: MessageBus>(bus: impl Fn() -> B) {
    let mut plan = Plan::new();
    plan.start[1] = SLOTS / 2 + SURPLUS;
    plan.nested = true;
    let plan = Arc::new(plan);
    let stats = run_until_quiet!(
        Solo::with_options(bus(), patient()),
        plan,
        2 * (SLOTS / 2 + SURPLUS + BUDGET as u64),
        &[(1, &[1])]
    );
    let [outer, inner] = [&plan.sent[1], &plan.sent[IDS + 1]].map(|sent| sent.load(SeqCst));
    assert_eq!(outer, inner);
    assert!(high_water(&stats, "Alpha") != 0);
}

fn a_reaction_without_end_fails_by_name<B: MessageBus>(bus: impl Fn() -> B) {
    let mut plan = Plan::new();
    plan.start[1] = 1;
    plan.fan = [2; IDS];
    plan.budget = AtomicI64::new(i64::MAX);
    let plan = Arc::new(plan);
    let messenger = Solo::with_options(bus(), Options { outbox_limit: LIMIT, ..patient() });
    let error = messenger.run(&plan).join().unwrap_err();
    let [failure] = &error.failures[..] else { panic!("{error}") };
    assert_eq!(failure.worker, "Alpha");
    assert!(matches!(failure.cause, Cause::OutboxFull { handler: "a", limit: LIMIT }), "{error}");
    let [left] = &error.summary.left[..] else { panic!("{:?}", error.summary) };
    // Every message was handled, or is counted: on the bus, in the outbox, or refused by it.
    let counted = plan.received(1) + left.unread + left.unsent + error.summary.unsent;
    assert_eq!(counted, plan.sent(1), "{:?}", error.summary);
    assert!(error.summary.unsent != 0 && left.unread != 0, "{:?}", error.summary);
    assert!(left.unsent <= LIMIT as u64 / SMALLEST as u64);

    let mut plan = Plan::new();
    plan.start[2] = 1;
    plan.fan = [2; IDS];
    plan.budget = AtomicI64::new(i64::MAX);
    let messenger = Cycle::with_options(bus(), Options { outbox_limit: LIMIT, ..patient() });
    let error = messenger.run(&Arc::new(plan)).join().unwrap_err();
    let full = |cause: &Cause| matches!(cause, Cause::OutboxFull { .. });
    assert!(error.failures.iter().all(|failure| full(&failure.cause)), "{error}");
    let named = |failure: &rust_messenger::messenger::Failure| match &failure.cause {
        Cause::OutboxFull { handler, .. } => (failure.worker, *handler),
        _ => ("", ""),
    };
    assert!(error.failures.iter().map(named).all(|named| named == ("Alpha", "a") || named == ("Beta", "b")), "{error}");
}

fn messages_of_no_bytes_fill_an_outbox_too<B: MessageBus>(bus: impl Fn() -> B) {
    let messenger = Hollow::with_options(bus(), Options { outbox_limit: LIMIT, ..patient() });
    let handles = messenger.run(&Arc::new(Plan::new()));
    messenger.writer().unwrap().write_bytes(OUTSIDE, Empty::ID, &[]).unwrap();
    let error = handles.join().unwrap_err();
    assert!(matches!(error.failures[0].cause, Cause::OutboxFull { handler: "a", .. }), "{error}");
}

fn a_stop_ends_a_flood<B: MessageBus>(bus: impl Fn() -> B) {
    for population in [1, SLOTS / 2, SLOTS / 2 + SURPLUS].into_iter().skip(if cfg!(miri) { 2 } else { 0 }) {
        let mut plan = Plan::new();
        plan.start[1] = population;
        plan.start[2] = population;
        plan.budget = AtomicI64::new(i64::MAX);
        let plan = Arc::new(plan);
        let messenger = Cycle::with_options(bus(), patient());
        let handles = messenger.run(&plan);
        let some = if cfg!(miri) { 5 } else { 2000 };
        wait_until("some went round", || (1..=2).all(|who| plan.received(who) >= some));
        messenger.stop();
        let summary = handles.join().unwrap();
        assert!(summary.left.iter().all(|left| left.unread == 0), "everything before the stop is handled: {summary:?}");
        let left = summary.after_stop + summary.left.iter().map(|left| left.unsent).sum::<u64>();
        let on_their_way = plan.total_sent() - plan.received(1) - plan.received(2);
        assert_eq!(on_their_way, 2 * population, "each message is answered by one");
        // A worker that was in the middle of a batch when the end was fixed may have gone a message beyond it.
        assert!((on_their_way..=on_their_way + 2).contains(&left), "{on_their_way} on their way, {summary:?}");
    }
}

fn whoever_is_never_done_starves_nobody<B: MessageBus>(bus: impl Fn() -> B) {
    let plan = Arc::new(greedy());
    let messenger = Greedy::with_options(bus(), patient());
    let handles = messenger.run(&plan);
    let enough = if cfg!(miri) { 4 } else { 1000 };
    wait_until("the other one got through", || handles.is_finished() || plan.received(3) >= enough);
    let stats = messenger.stats();
    messenger.stop();
    handles.join().unwrap();
    assert!(plan.received(3) >= enough);
    let most = high_water(&stats, "Beta");
    assert!(most <= SLOTS * COST, "an outbox of {most} bytes");
}

/// Alpha answers every message by one, and has more of them than the ring takes: its outbox never empties. Beta sends
/// one message for ten of those.
fn greedy() -> Plan {
    let mut plan = Plan::new();
    plan.start[1] = SLOTS + SURPLUS;
    plan.every[2] = 10;
    plan.fan[3] = 0;
    plan.budget = AtomicI64::new(i64::MAX);
    plan
}

/// Writes the next message from outside, if there is room; only what was written is counted.
fn write(plan: &Plan, writer: &impl Publish) -> Result<(), WriteError> {
    put(plan, |bytes| writer.write_bytes(OUTSIDE, Load::ID, bytes))
}

fn put(plan: &Plan, write: impl FnOnce(&[u8]) -> Result<(), WriteError>) -> Result<(), WriteError> {
    let number = plan.sent[OUTSIDE as usize].load(SeqCst);
    let load = Load { stream: u64::from(OUTSIDE), number };
    let mut bytes = vec![0; load.size()];
    load.write_into(&mut bytes);
    write(&bytes)?;
    plan.sent[OUTSIDE as usize].store(number + 1, SeqCst);
    Ok(())
}

// ------------------------------------------------------------------------------------------------------------- stepped

/// Nothing is ever late.
fn standing_still() -> Options {
    Options { clock: Arc::new(ManualClock::new()), ..patient() }
}

#[test]
fn whoever_is_never_done_starves_nobody_stepped() {
    let plan = Arc::new(greedy());
    let messenger = Greedy::with_options(CircularBus::new(RING).unwrap(), standing_still());
    let mut workers = messenger.workers(&plan).unwrap();
    let enough = if cfg!(miri) { 5 } else { 1000 };
    let mut rounds = 0;
    while plan.received(3) < enough {
        workers.step();
        rounds += 1;
        assert!(rounds < 200 * enough, "Beta is starved: Gamma got {} of {enough}", plan.received(3));
    }
    let most = high_water(&messenger.stats(), "Beta");
    assert!(most <= SLOTS * COST, "an outbox of {most} bytes");
    messenger.stop();
    for _ in 0..1000 {
        workers.step();
    }
    assert_eq!(workers.step(), Step::Finished);
    workers.conclude().unwrap();
}

struct XorShift(u64);

impl XorShift {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// One random life of three workers that all hear each other and a writer from outside: random fans, sizes and order of
/// steps, stopped at a random moment, in some lives with a panic on the way.
fn one_life(seed: u64) {
    let mut random = XorShift(mix(seed) | 1);
    let mut plan = Plan::new();
    plan.random = AtomicU64::new(mix(seed ^ 0xABCD) | 1);
    for id in 1..=3 {
        plan.start[id] = random.next(3) * random.next(SURPLUS);
        plan.fan[id] = [0, 1, 2, 3, 10][random.next(5) as usize];
        plan.every[id] = 1 + random.next(3);
    }
    plan.nested = random.next(4) == 0;
    plan.budget = AtomicI64::new(random.next(if cfg!(miri) { 30 } else { 600 }) as i64);
    let panics = random.next(3) == 0;
    plan.panics = panics.then(|| (1 + random.next(3) as u16, random.next(30)));
    let plan = Arc::new(plan);
    let options = Options { on_panic: OnPanic::Isolate, ..standing_still() };
    let messenger = Mesh::with_options(CircularBus::new(RING << random.next(2)).unwrap(), options);
    let writer = messenger.writer().unwrap();
    let mut workers = messenger.workers(&plan).unwrap();

    let stops_at = random.next(if cfg!(miri) { 100 } else { 2000 });
    for moment in 0..stops_at {
        let chosen = random.next(8) as usize;
        if chosen < 6 {
            workers.iter_mut().nth(chosen % 3).unwrap().step();
        } else if moment * 2 < stops_at || seed.is_multiple_of(2) {
            match put(&plan, |bytes| writer.try_write_bytes(OUTSIDE, Load::ID, bytes)) {
                Ok(()) | Err(WriteError::Full) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }
    if seed % 2 == 1 && !seed.is_multiple_of(3) {
        // Nobody has anything to do, or all panicked: then nothing may be left anywhere.
        settle(&mut workers);
        for (reader, who) in messenger.stats().readers.iter().zip(&*living(&messenger.stats())) {
            assert_eq!(reader.lag, 0, "{} is asleep over messages", reader.name);
            if plan.panics.is_none() {
                assert_eq!(plan.received(*who), plan.total_sent(), "{} misses something", reader.name);
            }
        }
    }
    let alive = living(&messenger.stats());
    messenger.stop();
    assert_eq!(put(&plan, |bytes| writer.try_write_bytes(OUTSIDE, Load::ID, bytes)), Err(WriteError::Closed));
    assert_eq!(settle(&mut workers), Step::Finished, "the stop is stuck");
    let (failures, summary) = match workers.conclude() {
        Ok(summary) => (Vec::new(), summary),
        Err(error) => (error.failures, error.summary),
    };
    assert!(failures.len() <= usize::from(plan.panics.is_some()), "{failures:?}");
    let broken = failures.first().map(|failure| failure.worker);
    let unsent: u64 = summary.left.iter().map(|left| left.unsent).sum();
    let drained = plan.total_sent() - summary.after_stop - unsent;
    for who in alive {
        let name = ["", "Alpha", "Beta", "Gamma"][who as usize];
        if broken != Some(name) {
            assert_eq!(plan.received(who), drained, "{name} of {} sent, {summary:?}", plan.total_sent());
        }
    }
    assert!(summary.left.iter().all(|left| left.unread == 0 || broken == Some(left.worker)), "{summary:?}");
}

/// The handlers' ids of the workers that are still there.
fn living(stats: &Stats) -> Vec<u16> {
    let id = |name: &str| ["Alpha", "Beta", "Gamma"].iter().position(|worker| *worker == name);
    stats.readers.iter().filter_map(|reader| id(&reader.name)).map(|index| index as u16 + 1).collect()
}

#[test]
fn random_lives_of_three_workers() {
    within("random lives", || {
        for seed in 0..if cfg!(miri) { 4 } else { 1500 } {
            let life = thread::Builder::new().name(format!("the life with seed {seed}"));
            // A thread of its own gives a panic the seed as its name.
            if let Err(panic) = life.spawn(move || one_life(seed)).unwrap().join() {
                resume_unwind(panic);
            }
        }
    });
}
