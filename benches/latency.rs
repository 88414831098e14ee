//! A message of 32 bytes there and one back between two threads, over two rings. One iteration is one round trip.

mod support;

use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use rust_messenger::message_bus::wait::{Adaptive, Park, Spin};
use rust_messenger::message_bus::{CondvarBus, OneWriter};
use rust_messenger::traits::{MessageBus, Publish};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};
use support::{Check, Message, read, ring};

const SIZE: usize = 32;

fn ping_pong<B: MessageBus>(there: &B, back: &B, trips: u64) -> Duration {
    let start = &Barrier::new(2);
    let (asks, mut answered) = (there.writer().expect("a writer"), back.subscribe("answers").expect("a reader"));
    let (answers, mut asked) = (back.writer().expect("a writer"), there.subscribe("questions").expect("a reader"));
    let (mut question, mut answer) = (Message::new(SIZE, 0), Message::new(SIZE, 1));
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut check = Check::new(SIZE);
            start.wait();
            for trip in 0..trips {
                read(&mut asked, &mut check, trip + 1);
                answers.write_bytes(1, 2, answer.number(trip)).expect("written");
            }
        });
        let mut check = Check::new(SIZE);
        start.wait();
        let begin = Instant::now();
        for trip in 0..trips {
            asks.write_bytes(1, 2, question.number(trip)).expect("written");
            read(&mut answered, &mut check, trip + 1);
        }
        begin.elapsed()
    })
}

fn bench<B: MessageBus>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, bus: impl Fn() -> B) {
    group.bench_function(format!("ping_pong/{name}"), |bencher| {
        bencher.iter_custom(|trips| ping_pong(&bus(), &bus(), trips));
    });
}

fn latency(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("latency");
    bench(&mut group, "spin", || ring::<OneWriter, Spin>(SIZE));
    bench(&mut group, "adaptive", || ring::<OneWriter, Adaptive>(SIZE));
    bench(&mut group, "parked", || ring::<OneWriter, Park>(SIZE));
    bench(&mut group, "condvar_bus", || CondvarBus::new(ring::<OneWriter, Adaptive>(SIZE)));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(2));
    targets = latency
}
criterion_main!(benches);
