//! Messages per second from writers to readers, each on a thread of its own. One iteration is one message of each
//! writer. Every reader checks every message.

mod support;

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use rust_messenger::message_bus::wait::{Adaptive, Spin, WaitStrategy};
use rust_messenger::message_bus::{Claim, ManyWriters, OneWriter};
use rust_messenger::traits::{MessageBus, Publish, Reader};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};
use support::{Check, Message, read, ring};

/// `messages` from each writer to every reader: from the common start until the last reader has them all, or until the
/// last writer is done where nobody reads.
fn stream<B: MessageBus>(bus: &B, size: usize, writers: usize, readers: usize, messages: u64) -> Duration {
    let start = &Barrier::new(writers + readers);
    let total = messages * writers as u64;
    thread::scope(|scope| {
        let mut handles = Vec::new();
        for index in 0..writers {
            let writer = bus.writer().expect("a writer");
            handles.push(scope.spawn(move || {
                let mut message = Message::new(size, index);
                start.wait();
                let begin = Instant::now();
                for sequence in 0..messages {
                    writer.write_bytes(1, 2, message.number(sequence)).expect("written");
                }
                (begin, Instant::now())
            }));
        }
        for _ in 0..readers {
            let mut reader = bus.subscribe("bench").expect("a reader");
            handles.push(scope.spawn(move || {
                let mut check = Check::new(size);
                start.wait();
                let begin = Instant::now();
                read(&mut reader, &mut check, total);
                assert!(reader.try_read(|_, _| ()).is_err(), "more was read than written");
                (begin, Instant::now())
            }));
        }
        let times: Vec<_> = handles.into_iter().map(|handle| handle.join().expect("a whole run")).collect();
        let (begins, ends): (Vec<_>, Vec<_>) = times.into_iter().unzip();
        *ends.iter().max().expect("threads") - *begins.iter().min().expect("threads")
    })
}

fn bench<C: Claim, W: WaitStrategy>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    size: usize,
    writers: usize,
    readers: usize,
) {
    let text = if size < 1024 { format!("{size}B") } else { format!("{}KiB", size / 1024) };
    let id =
        if readers == 0 { format!("{writers}w/{text}/{name}") } else { format!("{writers}w{readers}r/{text}/{name}") };
    group.throughput(Throughput::Elements(writers as u64));
    group.bench_function(id, |bencher| {
        bencher.iter_custom(|messages| stream(&ring::<C, W>(size), size, writers, readers, messages));
    });
}

fn throughput(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("throughput");
    for size in [32, 1024, 64 * 1024] {
        bench::<OneWriter, Adaptive>(&mut group, "one_writer", size, 1, 1);
        bench::<ManyWriters, Adaptive>(&mut group, "many_writers", size, 1, 1);
    }
    bench::<OneWriter, Spin>(&mut group, "one_writer_spin", 32, 1, 1);
    bench::<ManyWriters, Spin>(&mut group, "many_writers_spin", 32, 1, 1);
    bench::<ManyWriters, Adaptive>(&mut group, "many_writers", 32, 2, 1);
    bench::<OneWriter, Adaptive>(&mut group, "one_writer", 32, 1, 3);
    bench::<ManyWriters, Adaptive>(&mut group, "many_writers", 32, 1, 3);
    group.finish();
    let mut group = criterion.benchmark_group("writers_alone");
    bench::<ManyWriters, Adaptive>(&mut group, "many_writers", 32, 2, 0);
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(2));
    targets = throughput
}
criterion_main!(benches);
