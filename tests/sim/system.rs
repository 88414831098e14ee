//! A system of two nodes, three workers and five handlers, which can be given a bug.

use rust_messenger::message_bus::Start;
use rust_messenger::prelude::*;
use rust_messenger::routing::{Table, TableWorker};
use rust_messenger::testing::{Faults, Seen, Sim};
use rust_messenger::traits::{DecodeError, MessageBus, Time, WriteError};
use rust_messenger::{DeserializeFrom, ExtendedMessage, PersistentOptions};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What is wrong with the handlers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    None,
    /// What comes of an order by one way is taken to come before what comes by the other.
    OrderOfSources,
    /// A handler waits for a second order before it sends anything on, and forgets the first when it is killed.
    KeptBack,
    /// A time-out is not taken back by what it waited for.
    TimerRace,
    /// What a handler knows is outside of it, and outlives it.
    KeptState,
    /// A full bus is not an error.
    LostWhenFull,
    /// A refusal to encode ends in a panic.
    UnwrappedSend,
    SystemClock,
    RandomNumber,
    HashOrder,
}

#[derive(Clone)]
pub struct Config {
    pub bug: Bug,
    pub outlives: Arc<Mutex<u64>>,
}

impl Config {
    pub fn with(bug: Bug) -> Config {
        Config { bug, outlives: Arc::default() }
    }
}

macro_rules! messages {
    ( $( $name:ident { $( $field:ident ),+ } = $id:literal; )+ ) => { $(
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $name { $( pub $field: u64 ),+ }
        rust_messenger::serde_message!($name, $id);
    )+ };
}

messages! {
    Order { n } = 1;
    Trade { n, number } = 2;
    Checked { n } = 3;
    Booked { n, total } = 4;
    Settled { n, in_time } = 5;
    Tick { number } = 6;
    Price { n } = 7;
}

thread_local! {
    pub static PANICS_ON_UNDECODABLE: Cell<bool> = const { Cell::new(false) };
    static LOTS: Cell<u64> = const { Cell::new(1) };
}

/// A message whose decoder may panic on what it does not know.
#[derive(Debug)]
pub struct Raw(pub u32);

impl rust_messenger::Message for Raw {
    type Id = u16;
    const ID: u16 = 8;
}

impl ExtendedMessage for Raw {
    fn get_size(&self) -> usize {
        4
    }

    fn write_into(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.0.to_le_bytes());
    }
}

impl DeserializeFrom for Raw {
    fn deserialize_from(buffer: &[u8]) -> Raw {
        Raw(u32::from_le_bytes(buffer.try_into().unwrap()))
    }

    /// Panics in the hands of the worker, where the provided one catches it.
    fn try_deserialize_from(buffer: &[u8]) -> Result<Raw, DecodeError> {
        if PANICS_ON_UNDECODABLE.get() {
            return Ok(Raw::deserialize_from(buffer));
        }
        Ok(Raw(u32::from_le_bytes(buffer.try_into().map_err(|_| DecodeError::new("not four bytes"))?)))
    }
}

pub struct Gateway;
handler!(Gateway, 1);

pub struct Feed;
handler!(Feed, 2);

/// Makes a trade of each order.
pub struct Venue {
    config: Config,
    trades: u64,
    kept_back: Vec<u64>,
}
handler!(Venue, 3);

impl New<Config> for Venue {
    fn new<W: Writer>(config: &Config, _: &W) -> Venue {
        Venue { config: config.clone(), trades: 0, kept_back: Vec::new() }
    }
}

impl Venue {
    fn trade(&mut self, n: u64, writer: &impl Writer) {
        let trade = Trade { n, number: self.trades };
        self.trades += 1;
        match self.config.bug {
            Bug::LostWhenFull => _ = Self::try_send(&trade, writer),
            Bug::UnwrappedSend => Self::try_send(&trade, writer).or_else(full_is_fine).unwrap(),
            _ => Self::send(&trade, writer),
        }
    }
}

fn full_is_fine(error: WriteError) -> Result<(), WriteError> {
    if error == WriteError::Full { Ok(()) } else { Err(error) }
}

impl Handle<Order> for Venue {
    fn handle<W: Writer>(&mut self, order: &Order, writer: &W) {
        if self.config.bug != Bug::KeptBack {
            return self.trade(order.n, writer);
        }
        self.kept_back.push(order.n);
        if self.kept_back.len() == 2 {
            for n in std::mem::take(&mut self.kept_back) {
                self.trade(n, writer);
            }
        }
    }
}

/// Checks each order.
pub struct Risk {
    config: Config,
    seen: HashMap<u64, u64>,
}
handler!(Risk, 4);

impl New<Config> for Risk {
    fn new<W: Writer>(config: &Config, _: &W) -> Risk {
        Risk { config: config.clone(), seen: HashMap::new() }
    }
}

impl Handle<Order> for Risk {
    fn handle<W: Writer>(&mut self, order: &Order, writer: &W) {
        self.seen.insert(order.n, 0);
        if order.n % 8 == 7 {
            let number = match self.config.bug {
                Bug::SystemClock => {
                    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
                    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
                }
                Bug::RandomNumber => LOTS.with(|lots| {
                    lots.set(lots.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
                    lots.get() >> 32
                }),
                Bug::HashOrder => self.seen.keys().take(4).fold(0, |all, n| all * 100 + n),
                _ => 0,
            };
            Self::send(&Price { n: number }, writer);
        }
        Self::send(&Checked { n: order.n }, writer);
    }
}

impl Handle<Raw> for Risk {
    fn handle<W: Writer>(&mut self, _: &Raw, _: &W) {}
}

/// Adds up all trades.
pub struct Ledger {
    config: Config,
    total: u64,
}
handler!(Ledger, 5);

impl New<Config> for Ledger {
    fn new<W: Writer>(config: &Config, _: &W) -> Ledger {
        Ledger { config: config.clone(), total: 0 }
    }
}

impl Handle<Trade> for Ledger {
    fn handle<W: Writer>(&mut self, trade: &Trade, writer: &W) {
        let total = if self.config.bug == Bug::KeptState {
            let mut total = self.config.outlives.lock().unwrap();
            *total += trade.n;
            *total
        } else {
            self.total += trade.n;
            self.total
        };
        Self::send(&Booked { n: trade.n, total }, writer);
    }
}

/// Settles what is both checked and booked, or gives it up after a while.
pub struct Settlement {
    config: Config,
    /// Checked, booked.
    open: BTreeMap<u64, (bool, bool)>,
    /// When it is given up.
    until: BTreeMap<u64, Time>,
    done: BTreeSet<u64>,
}
impl Handler for Settlement {
    type Id = u16;
    const ID: u16 = 6;

    fn next_deadline(&self) -> Option<Time> {
        self.until.values().min().copied()
    }
}

const PATIENCE: Duration = Duration::from_millis(50);

impl New<Config> for Settlement {
    fn new<W: Writer>(config: &Config, _: &W) -> Settlement {
        Settlement { config: config.clone(), open: BTreeMap::new(), until: BTreeMap::new(), done: BTreeSet::new() }
    }
}

impl Settlement {
    fn note(&mut self, n: u64, checked: bool, booked: bool, writer: &impl Writer) {
        if self.done.contains(&n) {
            return;
        }
        let entry = self.open.entry(n).or_default();
        *entry = (entry.0 | checked, entry.1 | booked);
        if self.config.bug == Bug::OrderOfSources && booked && !entry.0 {
            self.done.insert(n);
        } else if *entry == (true, true) {
            self.settle(n, true, writer);
        } else {
            self.until.insert(n, writer.now() + PATIENCE);
        }
    }

    fn settle(&mut self, n: u64, in_time: bool, writer: &impl Writer) {
        if in_time || self.config.bug != Bug::TimerRace {
            self.done.insert(n);
        }
        self.until.remove(&n);
        Self::send(&Settled { n, in_time: in_time.into() }, writer);
    }
}

impl Handle<Checked> for Settlement {
    fn handle<W: Writer>(&mut self, checked: &Checked, writer: &W) {
        self.note(checked.n, true, false, writer);
    }
}

impl Handle<Booked> for Settlement {
    fn handle<W: Writer>(&mut self, booked: &Booked, writer: &W) {
        self.note(booked.n, false, true, writer);
    }
}

impl Handle<Due> for Settlement {
    fn handle<W: Writer>(&mut self, due: &Due, writer: &W) {
        let late: Vec<u64> = self.until.iter().filter(|(_, until)| **until <= due.time).map(|(n, _)| *n).collect();
        for n in late {
            self.settle(n, false, writer);
        }
    }
}

/// Beats.
pub struct Heart {
    next: Option<Time>,
    last: Time,
    beats: u64,
}
impl Handler for Heart {
    type Id = u16;
    const ID: u16 = 7;

    fn next_deadline(&self) -> Option<Time> {
        self.next
    }
}

const PERIOD: Duration = Duration::from_millis(500);

impl New<Config> for Heart {
    fn new<W: Writer>(_: &Config, writer: &W) -> Heart {
        Heart { next: Some(writer.now() + PERIOD), last: Time::default(), beats: 0 }
    }
}

impl Handle<Due> for Heart {
    fn handle<W: Writer>(&mut self, due: &Due, writer: &W) {
        // After a restart one may come that an earlier process wanted.
        if due.time > self.last {
            (self.last, self.next) = (due.time, Some(due.time + PERIOD));
            Self::send(&Tick { number: self.beats }, writer);
            self.beats += 1;
        }
    }
}

Messenger! {
    type Market;
    Config,
    Trading:
        handlers: [ venue: Venue ]
        routes: [ Gateway, Order: [ venue ] ]
    Books:
        handlers: [ ledger: Ledger ]
        routes: [ Venue, Trade: [ ledger ] ]
}

Messenger! {
    type Back;
    Config,
    Office:
        handlers: [ #[allow(unrouted)] risk: Risk, settlement: Settlement, #[allow(unrouted)] heart: Heart ]
        routes: [
            Gateway, Order: [ risk ],
            Feed, Raw: [ risk ],
            Risk, Checked: [ settlement ],
            Ledger, Booked: [ settlement ],
            Settlement, Due: [ settlement ],
            Heart, Due: [ heart ],
        ]
}

/// Both tables, for a journal.
pub fn both_tables() -> &'static Table<'static> {
    let listed = Market::table().workers.iter().chain(Back::table().workers);
    let workers = listed.map(|TableWorker { name, handlers, routes }| TableWorker { name, handlers, routes });
    Box::leak(Box::new(Table { name: "Both", workers: Vec::leak(workers.collect()) }))
}

/// A small journal of both tables, whose workers begin there.
pub fn journal(start: Start) -> PersistentOptions {
    let small = PersistentOptions { capacity: 256 << 10, max_payload: 1024, step: 64 << 10, ..Default::default() };
    PersistentOptions { start, ..small }.table(both_tables())
}

pub const ORDERS: u64 = 40;

/// The system on that bus, with its inputs.
pub fn system<B: MessageBus>(sim: Sim<B>, bug: Bug) -> Sim<B> {
    let sim = sim
        .node("market", Market::with_options, Config::with(bug))
        .node("back", Back::with_options, Config::with(bug))
        .outside(ORDERS, |n, writer| Gateway::try_send(&Order { n }, writer))
        .lasting(Duration::from_secs(2));
    sim.outside(5, |n, writer| Feed::try_send(&Raw(n as u32), writer))
}

/// What holds whatever happens, on a bus that loses nothing and with encoders that refuse nothing.
pub fn laws<B: MessageBus>(sim: Sim<B>) -> Sim<B> {
    sim.law("trades are numbered in order", 0, |next, seen| {
        let Some(trade) = seen.written::<Trade>() else { return Ok(()) };
        *next += 1;
        if trade.number + 1 == *next { Ok(()) } else { Err(format!("trade {} is the {next}.", trade.number)) }
    })
    .law("books are right", 0, |total, seen: &Seen<'_>| {
        let Some(booked) = seen.written::<Booked>() else { return Ok(()) };
        *total += booked.n;
        if booked.total == *total { Ok(()) } else { Err(format!("{} is booked, it is {total}", booked.total)) }
    })
    .law("an order is settled once", BTreeSet::new(), |settled, seen| {
        let Some(Settled { n, .. }) = seen.written::<Settled>() else { return Ok(()) };
        if settled.insert(n) { Ok(()) } else { Err(format!("order {n} is settled twice")) }
    })
    .law("the heart beats in order", 0, |next, seen| {
        let Some(tick) = seen.written::<Tick>() else { return Ok(()) };
        *next += 1;
        if tick.number + 1 == *next { Ok(()) } else { Err(format!("beat {} is the {next}.", tick.number)) }
    })
    .at_end("all orders are settled", |seen| {
        let orders = seen.iter().filter(|seen| seen.written::<Order>().is_some()).count();
        let settled = seen.iter().filter(|seen| seen.written::<Settled>().is_some()).count();
        if settled == orders { Ok(()) } else { Err(format!("{settled} of {orders} orders are settled")) }
    })
}

/// What a bus loses nothing by.
pub fn harsh() -> Faults {
    Faults { full: 0.05, pause: 0.02, crash: 0.003, blackout: 0.001, stop: 0.003, ..Faults::default() }
}
