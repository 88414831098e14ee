//! Law 9, fixed memory: after a warm-up no message costs an allocation, on either side of the ring.
//!
//! Method: an allocator that counts for each thread, so that tests beside each other do not disturb each other. The
//! warm-up is what a reader needs once (an evictable one grows its copy buffer to the largest message it has seen);
//! after it the count must not move at all over many laps.

// The one thing in this crate's tests that cannot be written without: an allocator is an unsafe trait.
#![allow(unsafe_code)]

#[cfg(feature = "messi")]
#[path = "../examples/bank/bank.rs"]
mod bank;
mod support;

use rust_messenger::message_bus::{CircularBus, CondvarBus};
use rust_messenger::traits::{MessageBus, Publish, ReadError, Reader, WriteError};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;
use support::{compose, next, number_of, size_of, wait_until, within};

struct Counting;

thread_local! {
    /// Constant and without a destructor: touching it from the allocator allocates nothing itself.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    /// Bytes that this thread has allocated and not given back; less than none for what came from another thread.
    static HELD: Cell<isize> = const { Cell::new(0) };
}

fn count(more: usize) {
    ALLOCATIONS.with(|allocations| allocations.set(allocations.get() + 1));
    hold(more as isize);
}

fn hold(more: isize) {
    HELD.with(|held| held.set(held.get() + more));
}

// SAFETY: every call is handed on unchanged to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise is the same as ours.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise is the same as ours.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        hold(-(layout.size() as isize));
        // SAFETY: the caller's promise is the same as ours, and the pointer came from `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        hold(-(layout.size() as isize));
        // SAFETY: the pointer came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often this thread allocates in `work`.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

/// Small under Miri, which takes long over a lap.
const CAPACITY: usize = if cfg!(miri) { 2 * 1024 } else { 8 * 1024 };
const LAPS: u64 = if cfg!(miri) { 2 } else { 20 };
/// The largest payload sent below.
const LARGEST: usize = 200;

/// Writes, reads, runs full and lags, all on one thread.
fn one_thread<B: MessageBus>(bus: &B) {
    let mut reader = bus.subscribe("reader").unwrap();
    let mut tap = bus.subscribe_evictable("tap").unwrap();
    let writer = bus.writer().unwrap();
    let mut buffer = [0; LARGEST];
    // What the tap copies to grows to the largest message, which chance need not put into the first lap.
    writer.try_write_bytes(1, 1, &buffer).unwrap();
    assert_eq!(reader.try_read(|_, bytes| bytes.len()), Ok(LARGEST));
    assert_eq!(tap.try_read(|_, bytes| bytes.len()), Ok(LARGEST));
    let mut number = 0;
    let mut lags = 0;
    let mut full = 0;
    let mut lap = || {
        for _ in 0..3 {
            // To the brim, by both ways of writing.
            loop {
                let size = size_of(1, number, LARGEST);
                let result = if number % 2 == 0 {
                    compose(1, number, &mut buffer[..size]);
                    writer.try_write_bytes(1, 1, &buffer[..size])
                } else {
                    writer.try_write(1, 1, size, |bytes| compose(1, number, bytes))
                };
                match result {
                    Ok(()) => number += 1,
                    Err(WriteError::Full) => break,
                    Err(error) => panic!("{error}"),
                }
            }
            full += 1;
            assert!(reader.ready() && tap.ready());
            while let Ok(number) = reader.try_read(number_of) {
                assert!(number < u64::MAX);
            }
        }
        loop {
            match tap.try_read(number_of) {
                Ok(_) => {}
                Err(ReadError::Lagged(_)) => lags += 1,
                Err(_) => break,
            }
        }
    };
    lap();
    let allocated = allocations(|| (0..LAPS).for_each(|_| lap()));
    assert_eq!(allocated, 0, "allocations over {LAPS} laps");
    assert!(full > LAPS && lags >= LAPS, "not much of a lap: full {full} times, lagged {lags} times");
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(7)))), 1);
    assert_eq!(allocations(|| ()), 0);
    let before = HELD.get();
    let mut bytes = Vec::<u8>::with_capacity(1000);
    bytes.reserve_exact(3000);
    assert_eq!(HELD.get() - before, 3000);
    drop(bytes);
    assert_eq!(HELD.get(), before);
}

/// What a broadcast is encoded into is kept for the next one, but only the 64 KiB that most of them need.
#[test]
#[cfg(all(feature = "messi", not(miri)))]
fn a_large_broadcast_takes_no_memory_once_it_is_sent() {
    use bank::{Bank, DownloadRsp, ServerToClient, server_to_client::Messages::DownloadRsp as Down};
    use rust_messenger::messi::{ServerLoop, ServerOptions};
    let mut server = ServerLoop::<Bank>::new(ServerOptions::new("tcp://127.0.0.1:0")).unwrap();
    let message = |size| ServerToClient { messages: Some(Down(DownloadRsp { data: vec![7; size] })) };
    let (small, large) = (message(1000), message(10 << 20));
    let before = HELD.get();
    assert_eq!(server.broadcast(&large), Ok(0));
    let held = HELD.get() - before;
    assert!(held <= 64 << 10, "{held} bytes are held");
    assert_eq!(allocations(|| assert_eq!(server.broadcast(&small), Ok(0))), 0);
}

/// A life is simulated in the memory of those before it: only what a handler does for a message costs an allocation.
#[cfg(all(feature = "testing", unix, not(miri), not(rust_messenger_loom)))]
mod simulated {
    use super::{CircularBus, allocations};
    use rust_messenger::testing::{Faults, Sim};
    use rust_messenger::traits::{
        DecodeError, DeserializeFrom, ExtendedMessage, Handle, Handler, Message, New, Sender, Writer,
    };

    struct Number(u64);

    impl Message for Number {
        type Id = u16;
        const ID: u16 = 1;
    }

    impl ExtendedMessage for Number {
        fn get_size(&self) -> usize {
            8
        }

        fn write_into(&self, buffer: &mut [u8]) {
            buffer.copy_from_slice(&self.0.to_le_bytes());
        }
    }

    impl DeserializeFrom for Number {
        fn deserialize_from(buffer: &[u8]) -> Self {
            Self::try_deserialize_from(buffer).unwrap()
        }

        fn try_deserialize_from(buffer: &[u8]) -> Result<Self, DecodeError> {
            buffer.try_into().map(|bytes| Number(u64::from_le_bytes(bytes))).map_err(|_| DecodeError::new("no number"))
        }
    }

    struct Outside;

    impl Handler for Outside {
        type Id = u16;
        const ID: u16 = 1;
    }

    struct Echo;

    impl Handler for Echo {
        type Id = u16;
        const ID: u16 = 2;
    }

    impl New<()> for Echo {
        fn new<W: Writer>((): &(), _: &W) -> Self {
            Echo
        }
    }

    impl Handle<Number> for Echo {
        fn handle<W: Writer>(&mut self, number: &Number, writer: &W) {
            Self::send(number, writer);
        }
    }

    struct Sink;

    impl Handler for Sink {
        type Id = u16;
        const ID: u16 = 3;
    }

    impl New<()> for Sink {
        fn new<W: Writer>((): &(), _: &W) -> Self {
            Sink
        }
    }

    impl Handle<Number> for Sink {
        fn handle<W: Writer>(&mut self, _: &Number, _: &W) {}
    }

    rust_messenger::Messenger! {
        (),
        Echoes: handlers: [ echo: Echo ] routes: [ Outside, Number: [ echo ] ]
        Sinks: handlers: [ sink: Sink ] routes: [ Echo, Number: [ sink ] ]
    }

    #[test]
    fn no_message_of_a_life_allocates() {
        const LIVES: u64 = 200;
        let lives = |inputs: u64| {
            let sim = Sim::new(|| CircularBus::new(4096))
                .node("node", Messenger::with_options, ())
                .outside(inputs, |number, writer| Outside::try_send(&Number(number), writer))
                .law("numbers are seen", 0, |seen, _| {
                    *seen += 1;
                    Ok(())
                })
                .faults(Faults { pause: 0.02, ..Faults::default() })
                .seeds(LIVES);
            allocations(|| assert_eq!(sim.try_run().unwrap(), LIVES))
        };
        let (few, many) = (lives(50), lives(800));
        // The first lives grow what the later ones use.
        assert!(many < few + LIVES, "{few} allocations in {LIVES} lives of 100 messages, {many} in as many of 1600");
    }
}

#[test]
fn no_message_allocates_with_many_writers() {
    one_thread(&CircularBus::new(CAPACITY).unwrap());
}

#[test]
fn no_message_allocates_with_one_writer() {
    one_thread(&CircularBus::one_writer(CAPACITY).unwrap());
}

#[test]
fn no_message_allocates_behind_a_condvar() {
    one_thread(&CondvarBus::new(CircularBus::new(CAPACITY).unwrap()));
}

/// Waiting for messages and for room allocates nothing either.
///
/// Between warm-up and measurement the reader stays away until the writer, which is measured by then, was refused; at
/// the end it waits for a message that does not come.
fn waiting<B: MessageBus>(bus: B) {
    within("waiting", move || {
        let count: u64 = if cfg!(miri) { 60 } else { 5000 };
        let mut reader = bus.subscribe("reader").unwrap();
        let writer = bus.writer().unwrap();
        let send = move |numbers: std::ops::Range<u64>| {
            for number in numbers {
                let size = size_of(1, number, LARGEST);
                writer.write(1, 1, size, |bytes| compose(1, number, bytes)).unwrap();
            }
        };
        let receive = |reader: &mut B::Reader, numbers: std::ops::Range<u64>| {
            for number in numbers {
                assert_eq!(next(reader, number_of), number);
            }
            reader.wait(Some(Duration::from_millis(1)));
        };
        thread::scope(|scope| {
            let (warm, is_warm) = channel();
            let sender = scope.spawn(move || {
                send(0..count / 10);
                is_warm.recv().unwrap();
                allocations(|| send(count / 10..count))
            });
            receive(&mut reader, 0..count / 10);
            let refused = bus.stats().full;
            warm.send(()).unwrap();
            wait_until("the writer has found no room", || bus.stats().full > refused);
            let received = allocations(|| receive(&mut reader, count / 10..count));
            assert_eq!(sender.join().unwrap(), 0, "allocations of the writer");
            assert_eq!(received, 0, "allocations of the reader");
        });
    });
}

#[test]
fn waiting_allocates_nothing_with_many_writers() {
    waiting(CircularBus::new(CAPACITY).unwrap());
}

#[test]
fn waiting_allocates_nothing_with_one_writer() {
    waiting(CircularBus::one_writer(CAPACITY).unwrap());
}
