//! The whole path: from what sends a message, through whatever finds its receiver, to the end of its handling. Here a
//! framework is measured, and against what people would pick instead of one: actors, and a channel with a `match`.
//!
//! Everybody does the same work: a receiver checks the number and the content of each message. Ours are encoded, since
//! a bus carries bytes; an actor's and a channel's are moved. Actors are used as their documentation shows it: typed
//! messages, the mailbox that `spawn` gives, `tell` or `cast`, on tokio.

mod actors;
mod channel;
mod tables;

pub use actors::{Kameo, Ractor};
pub use channel::Channel;
pub use tables::{Postcard, ZeroCopy};

use crate::harness::{Outcome, PingPong};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// What is sent: 24 bytes in memory.
#[derive(
    Clone,
    Copy,
    serde::Serialize,
    serde::Deserialize,
    zerocopy::FromBytes,
    zerocopy::IntoBytes,
    zerocopy::KnownLayout,
    zerocopy::Immutable,
)]
#[repr(C)]
pub struct Order {
    number: u64,
    price: u64,
    quantity: u32,
    side: u32,
}

impl Order {
    fn number(number: u64) -> Order {
        Order { number, price: 100_000 + number % 1000, quantity: (number % 100) as u32, side: (number & 1) as u32 }
    }
}

/// Checks what a receiver gets, and says how long the messages behind the warm-up took.
#[derive(Clone)]
pub struct Meter {
    next: u64,
    warm_up: u64,
    total: u64,
    began: Option<Instant>,
    done: mpsc::Sender<Duration>,
}

impl Meter {
    /// Of `messages` behind a warm-up of an eighth.
    fn new(messages: u64) -> (Meter, mpsc::Receiver<Duration>) {
        let (done, took) = mpsc::channel();
        let warm_up = messages / 8 + 1;
        (Meter { next: 0, warm_up, total: warm_up + messages, began: None, done }, took)
    }

    /// Whether it was the last one.
    #[inline]
    fn see(&mut self, order: &Order) -> bool {
        let due = Order::number(self.next);
        assert!(order.number == due.number && order.price == due.price, "order {} for {}", order.number, self.next);
        assert!(order.quantity == due.quantity && order.side == due.side, "the content of order {}", order.number);
        self.next += 1;
        if self.next == self.warm_up {
            self.began = Some(Instant::now());
        }
        let is_last = self.next == self.total;
        if is_last {
            let began = self.began.expect("the warm-up comes first");
            self.done.send(began.elapsed()).expect("somebody waits for it");
        }
        is_last
    }
}

/// A contestant: `messages` are sent and handled in the way of one workload. All that it starts has ended when it returns.
pub trait Path {
    /// From outside of all handlers to one of them, on a thread of its own.
    fn outside(meter: Meter);
    /// Two handlers that answer each other, on one thread.
    fn in_one(meter: Meter);
    /// Two handlers that answer each other, where each may have a thread of its own.
    fn between(meter: Meter);
}

fn measured(run: fn(Meter), messages: u64) -> f64 {
    let (meter, took) = Meter::new(messages);
    run(meter);
    took.recv().expect("the last message was handled").as_nanos() as f64 / messages as f64
}

/// How far the cores are apart just now. On threads of its own, for actors move from thread to thread: so it says in
/// which state the machine is, not where the threads of a run are.
fn distance() -> f64 {
    let play = PingPong::default();
    thread::scope(|scope| {
        scope.spawn(|| play.pong(0));
        play.ping(0)
    })
}

/// Nanoseconds per message, or per round trip; with the state of the machine before and after it.
fn bracketed(run: fn(Meter), messages: u64) -> Outcome {
    let before = distance();
    let nanos = measured(run, messages);
    Outcome { nanos, before, after: distance(), ..Outcome::default() }
}

pub fn outside<P: Path>(messages: u64, _: bool) -> Outcome {
    bracketed(P::outside, messages)
}

/// Nanoseconds per round trip, on one thread.
pub fn in_one<P: Path>(trips: u64, _: bool) -> Outcome {
    Outcome { nanos: measured(P::in_one, trips), ..Outcome::default() }
}

pub fn between<P: Path>(trips: u64, _: bool) -> Outcome {
    bracketed(P::between, trips)
}
