//! What the way from `send` to `handle` costs on top of the bare bus, and what a long routing table costs, on one thread.
//!
//! A round sends a batch from outside and steps the worker until its handler has seen all of it; the handler checks the
//! order. The bare bus writes and reads the same bytes.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rust_messenger::message_bus::{CircularBus, OneWriter};
use rust_messenger::traits::{Handle, Handler, MessageBus, New, Publish, Reader, Sender, Writer};
use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

const BATCH: u64 = 256;
const CAPACITY: usize = 1 << 16;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct Tick {
    number: u64,
    rest: [u64; 3],
}
rust_messenger::zero_copy_message!(Tick, 1);

#[derive(serde::Serialize, serde::Deserialize)]
struct Note {
    number: u64,
    rest: [u64; 3],
}
rust_messenger::serde_message!(Note, 2);

/// Sends from outside.
struct Source<const ID: u16>;

impl<const N: u16> Handler for Source<N> {
    type Id = u16;
    const ID: u16 = N;
}

/// Counts, and checks the order.
struct Sink(Rc<Cell<u64>>);

impl Handler for Sink {
    type Id = u16;
    const ID: u16 = 100;
}

impl New<Rc<Cell<u64>>> for Sink {
    fn new<W: Writer>(seen: &Rc<Cell<u64>>, _: &W) -> Self {
        Sink(Rc::clone(seen))
    }
}

impl Sink {
    fn see(&self, number: u64) {
        assert_eq!(number, self.0.get());
        self.0.set(number + 1);
    }
}

impl Handle<Tick> for Sink {
    fn handle<W: Writer>(&mut self, tick: &Tick, _: &W) {
        self.see(black_box(tick).number);
    }
}

impl Handle<Note> for Sink {
    fn handle<W: Writer>(&mut self, note: &Note, _: &W) {
        self.see(black_box(note).number);
    }
}

rust_messenger::Messenger! {
    type Short;
    Rc<Cell<u64>>,
    Only:
        handlers: [ sink: Sink ]
        routes: [
            Source<1>, Tick: [ sink ],
            Source<1>, Note: [ sink ],
        ]
}

rust_messenger::Messenger! {
    type Routes8;
    Rc<Cell<u64>>,
    Only:
        handlers: [ sink: Sink ]
        routes: [
            Source<1>, Tick: [ sink ],
            Source<2>, Tick: [ sink ],
            Source<3>, Tick: [ sink ],
            Source<4>, Tick: [ sink ],
            Source<5>, Tick: [ sink ],
            Source<6>, Tick: [ sink ],
            Source<7>, Tick: [ sink ],
            Source<8>, Tick: [ sink ],
        ]
}

rust_messenger::Messenger! {
    type Routes64;
    Rc<Cell<u64>>,
    Only:
        handlers: [ sink: Sink ]
        routes: [
            Source<1>, Tick: [ sink ],
            Source<2>, Tick: [ sink ],
            Source<3>, Tick: [ sink ],
            Source<4>, Tick: [ sink ],
            Source<5>, Tick: [ sink ],
            Source<6>, Tick: [ sink ],
            Source<7>, Tick: [ sink ],
            Source<8>, Tick: [ sink ],
            Source<9>, Tick: [ sink ],
            Source<10>, Tick: [ sink ],
            Source<11>, Tick: [ sink ],
            Source<12>, Tick: [ sink ],
            Source<13>, Tick: [ sink ],
            Source<14>, Tick: [ sink ],
            Source<15>, Tick: [ sink ],
            Source<16>, Tick: [ sink ],
            Source<17>, Tick: [ sink ],
            Source<18>, Tick: [ sink ],
            Source<19>, Tick: [ sink ],
            Source<20>, Tick: [ sink ],
            Source<21>, Tick: [ sink ],
            Source<22>, Tick: [ sink ],
            Source<23>, Tick: [ sink ],
            Source<24>, Tick: [ sink ],
            Source<25>, Tick: [ sink ],
            Source<26>, Tick: [ sink ],
            Source<27>, Tick: [ sink ],
            Source<28>, Tick: [ sink ],
            Source<29>, Tick: [ sink ],
            Source<30>, Tick: [ sink ],
            Source<31>, Tick: [ sink ],
            Source<32>, Tick: [ sink ],
            Source<33>, Tick: [ sink ],
            Source<34>, Tick: [ sink ],
            Source<35>, Tick: [ sink ],
            Source<36>, Tick: [ sink ],
            Source<37>, Tick: [ sink ],
            Source<38>, Tick: [ sink ],
            Source<39>, Tick: [ sink ],
            Source<40>, Tick: [ sink ],
            Source<41>, Tick: [ sink ],
            Source<42>, Tick: [ sink ],
            Source<43>, Tick: [ sink ],
            Source<44>, Tick: [ sink ],
            Source<45>, Tick: [ sink ],
            Source<46>, Tick: [ sink ],
            Source<47>, Tick: [ sink ],
            Source<48>, Tick: [ sink ],
            Source<49>, Tick: [ sink ],
            Source<50>, Tick: [ sink ],
            Source<51>, Tick: [ sink ],
            Source<52>, Tick: [ sink ],
            Source<53>, Tick: [ sink ],
            Source<54>, Tick: [ sink ],
            Source<55>, Tick: [ sink ],
            Source<56>, Tick: [ sink ],
            Source<57>, Tick: [ sink ],
            Source<58>, Tick: [ sink ],
            Source<59>, Tick: [ sink ],
            Source<60>, Tick: [ sink ],
            Source<61>, Tick: [ sink ],
            Source<62>, Tick: [ sink ],
            Source<63>, Tick: [ sink ],
            Source<64>, Tick: [ sink ],
        ]
}

/// Sends a batch with `$send` and steps until it is handled, for the table `$table`.
macro_rules! through {
    ($criterion:expr, $id:expr, $table:ident, |$writer:ident, $number:ident| $send:expr) => {{
        let seen = Rc::new(Cell::new(0));
        let messenger = $table::new(CircularBus::new(CAPACITY).unwrap());
        let mut workers = messenger.workers(&seen).unwrap();
        let $writer = messenger.writer().unwrap();
        workers.step();
        $criterion.bench_function($id, |bencher| {
            bencher.iter(|| {
                let first = seen.get();
                for $number in first..first + BATCH {
                    $send;
                }
                while seen.get() != first + BATCH {
                    workers.step();
                }
            });
        });
    }};
}

fn tick(number: u64) -> Tick {
    Tick { number, rest: [number; 3] }
}

fn whole_path(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("whole_path");
    group.throughput(Throughput::Elements(BATCH));
    let bus = CircularBus::new(CAPACITY).unwrap();
    bare(&mut group, "bare_bus/32B/many_writers", &bus);
    let bus = CircularBus::<OneWriter>::one_writer(CAPACITY).unwrap();
    bare(&mut group, "bare_bus/32B/one_writer", &bus);
    through!(group, "send_to_handle/32B/zero_copy", Short, |writer, number| Source::<1>::send(&tick(number), &writer));
    through!(group, "send_to_handle/32B/postcard", Short, |writer, number| {
        Source::<1>::send(&Note { number, rest: [number; 3] }, &writer)
    });
}

fn bare<B: MessageBus>(group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>, id: &str, bus: &B) {
    let mut reader = bus.subscribe("bare").unwrap();
    let writer = bus.writer().unwrap();
    let mut next = 0;
    group.bench_function(id, |bencher| {
        bencher.iter(|| {
            for number in next..next + BATCH {
                writer.write_bytes(1, 1, tick(number).as_bytes()).unwrap();
            }
            for _ in 0..BATCH {
                let number = reader.try_read(|_, bytes| u64::from_le_bytes(bytes[..8].try_into().unwrap()));
                assert_eq!(black_box(number), Ok(next));
                next += 1;
            }
            reader.release();
        });
    });
}

/// All tables see the message of their last route.
fn routing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("routing");
    group.throughput(Throughput::Elements(BATCH));
    through!(group, "1_route", Short, |writer, number| Source::<1>::send(&tick(number), &writer));
    through!(group, "8_routes", Routes8, |writer, number| Source::<8>::send(&tick(number), &writer));
    through!(group, "64_routes", Routes64, |writer, number| Source::<64>::send(&tick(number), &writer));
}

criterion_group!(benches, whole_path, routing);
criterion_main!(benches);
