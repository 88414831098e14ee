//! What a message costs without another core in play: one thread writes it and reads it. One iteration is one message.
//! The difference between the ring and the same ring in a `CondvarBus` is the price of blocking while nobody sleeps.

mod support;

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use rust_messenger::message_bus::wait::{Adaptive, Spin};
use rust_messenger::message_bus::{CondvarBus, ManyWriters, OneWriter};
use rust_messenger::traits::{MessageBus, Publish};
use std::time::Instant;
use support::{Check, Message, read, ring};

fn bench<B: MessageBus>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, size: usize, bus: impl Fn() -> B) {
    group.throughput(Throughput::Elements(1));
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|messages| {
            let bus = bus();
            let (writer, mut reader) = (bus.writer().expect("a writer"), bus.subscribe("bench").expect("a reader"));
            let (mut message, mut check) = (Message::new(size, 0), Check::new(size));
            let begin = Instant::now();
            for sequence in 0..messages {
                writer.write_bytes(1, 2, message.number(sequence)).expect("written");
                read(&mut reader, &mut check, sequence + 1);
            }
            let time = begin.elapsed();
            assert_eq!(check.count, messages);
            time
        });
    });
}

fn one_thread(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one_thread");
    bench(&mut group, "write_read/32B/one_writer", 32, || ring::<OneWriter, Adaptive>(32));
    bench(&mut group, "write_read/32B/many_writers", 32, || ring::<ManyWriters, Adaptive>(32));
    bench(&mut group, "write_read/1KiB/one_writer", 1024, || ring::<OneWriter, Adaptive>(1024));
    bench(&mut group, "write_read/1KiB/many_writers", 1024, || ring::<ManyWriters, Adaptive>(1024));
    bench(&mut group, "nobody_sleeps/32B/one_writer_spin", 32, || ring::<OneWriter, Spin>(32));
    bench(&mut group, "nobody_sleeps/32B/one_writer_condvar", 32, || CondvarBus::new(ring::<OneWriter, Spin>(32)));
    bench(&mut group, "nobody_sleeps/32B/many_writers_spin", 32, || ring::<ManyWriters, Spin>(32));
    bench(&mut group, "nobody_sleeps/32B/many_writers_condvar", 32, || CondvarBus::new(ring::<ManyWriters, Spin>(32)));
    group.finish();
}

criterion_group!(benches, one_thread);
criterion_main!(benches);
