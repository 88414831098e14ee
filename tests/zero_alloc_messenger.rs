//! A messenger in its steady state allocates nothing for a message: written in place, read in place, answered in place.
//!
//! The allocator counts on the threads of workers only: what the harness does meanwhile is its own.

#![cfg(feature = "zero_copy")]
// An allocator cannot be written without.
#![allow(unsafe_code)]

mod support;

use rust_messenger::message_bus::{CircularBus, CondvarBus};
use rust_messenger::traits::{Due, Handle, Handler, MessageBus, New, Publish, Sender, Time, Writer};
use rust_messenger::{Messenger, SendInPlace, zero_copy_message};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use support::{wait_until, within};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Whether this is a thread whose allocations count.
    static COUNTS: Cell<bool> = const { Cell::new(false) };
}

fn count() {
    // A thread that ends may have lost it already.
    if COUNTS.try_with(Cell::get).unwrap_or(false) {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory that is handed out.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of this very function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of this very function, and `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of this very function.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of this very function, and `pointer` came from `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct Tick {
    number: u64,
    price: [u64; 4],
}
zero_copy_message!(Tick, 1);

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct Tock {
    number: u64,
}
zero_copy_message!(Tock, 2);

/// The number of the last message that came back.
type Progress = Arc<AtomicU64>;

struct Ping {
    progress: Progress,
}

struct Pong;

impl Handler for Ping {
    type Id = u16;
    const ID: u16 = 1;
}

impl Handler for Pong {
    type Id = u16;
    const ID: u16 = 2;
}

/// Has a deadline that is long past for each tick, so that it is a message at once. One for each: what is never full
/// needs no outbox.
struct Ticker {
    next: Option<Time>,
}

/// How many of them came.
static TICKS: AtomicU64 = AtomicU64::new(0);

impl Handler for Ticker {
    type Id = u16;
    const ID: u16 = 3;

    fn next_deadline(&self) -> Option<Time> {
        self.next
    }
}

impl New<Progress> for Ticker {
    fn new<W: Writer>(_: &Progress, _: &W) -> Self {
        Ticker { next: None }
    }
}

impl Handle<Due> for Ticker {
    fn handle<W: Writer>(&mut self, due: &Due, _: &W) {
        TICKS.fetch_add(u64::from(self.next == Some(due.time)), Ordering::Relaxed);
        self.next = None;
    }
}

impl Handle<Tick> for Ticker {
    fn handle<W: Writer>(&mut self, tick: &Tick, _: &W) {
        self.next.get_or_insert(Time::from_nanos(tick.number));
    }
}

impl New<Progress> for Ping {
    fn new<W: Writer>(progress: &Progress, _writer: &W) -> Self {
        COUNTS.set(true);
        Ping { progress: Arc::clone(progress) }
    }
}

impl New<Progress> for Pong {
    fn new<W: Writer>(_progress: &Progress, _writer: &W) -> Self {
        COUNTS.set(true);
        Pong
    }
}

impl Handle<Tock> for Ping {
    fn handle<W: Writer>(&mut self, message: &Tock, writer: &W) {
        self.progress.store(message.number, Ordering::Relaxed);
        let number = message.number + 1;
        Self::send_in_place::<Tick, _>(writer, |tick| {
            tick.number = number;
            tick.price = [number; 4];
        });
    }
}

impl Handle<Tick> for Pong {
    fn handle<W: Writer>(&mut self, message: &Tick, writer: &W) {
        assert_eq!(message.price, [message.number; 4]);
        Self::send(&Tock { number: message.number }, writer);
    }
}

Messenger! {
    Progress,
    Alpha:
        handlers: [ ping: Ping ]
        routes: [ Pong, Tock: [ ping ] ]
    Beta:
        handlers: [ pong: Pong, ticker: Ticker ]
        routes: [ Ping, Tick: [ pong, ticker ], Ticker, Due: [ ticker ] ]
}

fn allocates_nothing<B: MessageBus>(bus: B) {
    let (warm, watched) = if cfg!(miri) { (20, 50) } else { (500, 5000) };
    let progress = Progress::default();
    let messenger = Messenger::new(bus);
    let handles = messenger.run(&progress);
    messenger.writer().unwrap().write_bytes(Pong::ID, 2, Tock { number: 0 }.as_bytes()).unwrap();
    let reached = |number| wait_until("the messages went round", || progress.load(Ordering::Relaxed) >= number);
    reached(warm);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let (from, ticks) = (progress.load(Ordering::Relaxed), TICKS.load(Ordering::Relaxed));
    reached(from + watched);
    let ticks = TICKS.load(Ordering::Relaxed) - ticks;
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    messenger.stop();
    handles.join().unwrap();
    assert_eq!(allocations, 0, "for {watched} messages each way, and {ticks} deadlines");
    assert_ne!(ticks, 0, "no deadline came");
}

#[test]
fn the_steady_state_allocates_nothing() {
    COUNTS.set(true);
    let counted = ALLOCATIONS.load(Ordering::Relaxed);
    assert!(std::hint::black_box(vec![1]).len() == 1 && ALLOCATIONS.load(Ordering::Relaxed) > counted, "it counts");
    within("the steady state", || {
        allocates_nothing(CircularBus::new(4096).unwrap());
        allocates_nothing(CircularBus::new(64 * 1024).unwrap());
        allocates_nothing(CondvarBus::new(CircularBus::new(4096).unwrap()));
    });
}
