//! What a journal costs, against a mapping of a file whose pages are there already: appending, reading back, checksums,
//! appending while the file grows, opening it again, and handling it again. One iteration is a thousand messages; of
//! `grows` it is the time that one message in a thousand exceeds, of `recover` one opening, of `rebuild` one history.

#[path = "persistent/rebuild.rs"]
mod rebuild;
#[path = "persistent/snapshots.rs"]
mod snapshots;
#[allow(dead_code, reason = "each bench uses its own part of it")]
mod support;

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use memmap2::{MmapMut, MmapOptions};
use rust_messenger::message_bus::{OneWriter, PersistentBus, PersistentOptions, Start};
use rust_messenger::traits::{MessageBus, Publish, Reader};
use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use support::{Check, Message};
use tempfile::TempDir;

/// What is appended to a file before the clock starts. A journal grows by as much as it has held: by then it reaches as far
/// as what is measured.
const WARM: u64 = 64 << 20;

/// The messages of so many bytes of file.
fn messages_in(bytes: u64, size: usize) -> u64 {
    let bytes = if is_measured() { bytes } else { 8192 };
    bytes / (size as u64 + 64)
}

/// The messages of one file that are measured.
fn messages_per_file(size: usize) -> u64 {
    messages_in(48 << 20, size)
}

fn scratch() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("journal");
    (directory, path)
}

/// A journal that grows at once to what it may have.
fn grown(crc: bool) -> PersistentOptions {
    let (capacity, start) = (128 << 20, Start::Oldest);
    PersistentOptions { crc, capacity, step: 128 << 20, max_payload: 64 * 1024, start, ..PersistentOptions::default() }
}

/// A file of zeros, mapped, every page touched.
fn mapping() -> (TempDir, MmapMut) {
    let (directory, path) = scratch();
    let file = std::fs::File::options().read(true).write(true).create_new(true).open(path).expect("a file");
    file.set_len(128 << 20).expect("space");
    // SAFETY: nobody else has the file.
    #[allow(unsafe_code)]
    let mut map = unsafe { MmapOptions::new().map_mut(&file) }.expect("a mapping");
    map.chunks_mut(4096).for_each(|page| page[0] = std::hint::black_box(1));
    (directory, map)
}

/// The time of so many thousand messages, from what a whole file of them takes: making the file takes longer than filling it, and
/// a criterion that counts that asks for a handful of messages.
fn in_files(thousands: u64, size: usize, mut file: impl FnMut(u64) -> Duration) -> Duration {
    let count = messages_per_file(size);
    file(count).mul_f64(1000.0 * thousands as f64 / count as f64)
}

/// As a mapping would be used: a header, which is the length, the message.
const HEADER: usize = 8;
/// A header of as many bytes as a journal has in front of a message, with its time and its cause: what it costs to fetch
/// them, which whoever has them pays.
const AS_LONG_AS_OURS: usize = 32;

fn append_raw<const HEADER: usize>(map: &mut MmapMut, size: usize, count: u64) -> Duration {
    let (mut message, mut at) = (Message::new(size, 0), 0);
    let mut run = |sequences: Range<u64>| {
        let begin = Instant::now();
        for sequence in sequences {
            let bytes = message.number(sequence);
            map[at + HEADER..at + HEADER + size].copy_from_slice(bytes);
            map[at..at + 8].copy_from_slice(&(size as u64).to_le_bytes());
            at += HEADER + size;
        }
        begin.elapsed()
    };
    let warm = messages_in(WARM, size);
    run(0..warm);
    run(warm..warm + count)
}

fn read_raw<const HEADER: usize>(map: &MmapMut, size: usize, count: u64) -> Duration {
    let mut check = Check::new(size);
    let begin = Instant::now();
    let mut at = 0;
    for _ in 0..count {
        let len = u64::from_le_bytes(std::array::from_fn(|place| map[at + place])) as usize;
        check.accept(&map[at + HEADER..at + HEADER + len]);
        at += HEADER + len;
    }
    begin.elapsed()
}

/// Waits until the keeper has prefaulted the journal's file up to where the next so many messages end.
fn prefaulted(directory: &TempDir, bus: &impl MessageBus, size: usize, count: u64) {
    if !is_measured() || !cfg!(target_os = "linux") {
        return;
    }
    let path = directory.path().to_str().expect("a name in UTF-8");
    let needed = bus.tail() + count * (size as u64 + 32);
    let begin = Instant::now();
    loop {
        let (mut is_ours, mut present) = (false, 0);
        for line in std::fs::read_to_string("/proc/self/smaps").expect("what is mapped").lines() {
            match line.strip_prefix("Rss:") {
                Some(kib) if is_ours => {
                    present += 1024 * kib.trim().trim_end_matches(" kB").parse::<u64>().expect("KiB");
                }
                // The fields of a mapping begin with a capital, its own line with an address.
                None if !line.starts_with(|first: char| first.is_ascii_uppercase()) => is_ours = line.contains(path),
                _ => {}
            }
        }
        if present >= needed {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{present} of {needed} bytes are present");
        std::thread::yield_now();
    }
}

fn append<B: MessageBus>((directory, bus): &(TempDir, B), size: usize, count: u64) -> Duration {
    let (writer, mut message) = (bus.writer().expect("a writer"), Message::new(size, 0));
    let mut run = |sequences: Range<u64>| {
        let begin = Instant::now();
        for sequence in sequences {
            writer.write_bytes(1, 2, message.number(sequence)).expect("written");
        }
        begin.elapsed()
    };
    let warm = messages_in(WARM, size);
    run(0..warm);
    prefaulted(directory, bus, size, count);
    run(warm..warm + count)
}

fn read_back<B: MessageBus>(journal: &(TempDir, B), size: usize, count: u64) -> Duration {
    append(journal, size, count);
    let (mut reader, mut check) = (journal.1.subscribe("bench").expect("a reader"), Check::new(size));
    let begin = Instant::now();
    while check.count < count && reader.try_read(|_, payload| check.accept(payload)).is_ok() {}
    let time = begin.elapsed();
    assert_eq!(check.count, count);
    time
}

fn one_writer(crc: bool) -> (TempDir, PersistentBus<OneWriter>) {
    let (directory, path) = scratch();
    (directory, PersistentBus::open_one_writer(path, grown(crc)).expect("a journal").0)
}

fn many_writers(crc: bool) -> (TempDir, PersistentBus) {
    let (directory, path) = scratch();
    (directory, PersistentBus::open(path, grown(crc)).expect("a journal").0)
}

fn bench(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    size: usize,
    mut file: impl FnMut(usize, u64) -> Duration,
) {
    group.throughput(Throughput::Bytes(1000 * size as u64));
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|thousands| in_files(thousands, size, |count| file(size, count)));
    });
}

fn persistent(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("persistent");
    // Every file takes longer to make than to fill.
    group.sample_size(10).warm_up_time(Duration::from_millis(50)).measurement_time(Duration::from_millis(200));
    for (size, name) in [(32, "32B"), (1024, "1KiB")] {
        bench(&mut group, &format!("append/{name}/raw"), size, |size, count| {
            let (_directory, mut map) = mapping();
            append_raw::<HEADER>(&mut map, size, count)
        });
        for (crc, suffix) in [(false, ""), (true, "_crc")] {
            bench(&mut group, &format!("append/{name}/one_writer{suffix}"), size, |size, count| {
                append(&one_writer(crc), size, count)
            });
            bench(&mut group, &format!("append/{name}/many_writers{suffix}"), size, |size, count| {
                append(&many_writers(crc), size, count)
            });
        }
        bench(&mut group, &format!("read/{name}/raw"), size, |size, count| {
            let (_directory, mut map) = mapping();
            append_raw::<HEADER>(&mut map, size, count);
            read_raw::<HEADER>(&map, size, count)
        });
        bench(&mut group, &format!("read/{name}/journal"), size, |size, count| {
            read_back(&one_writer(false), size, count)
        });
    }
    group.finish();
}

/// What one append in a thousand takes longer than, while the keeper grows the file ahead of the writer.
fn grows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("persistent_grows");
    group.sample_size(10).warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_millis(10));
    for (size, name) in [(32, "32B"), (1024, "1KiB")] {
        for (pace, pace_name) in [(Duration::ZERO, "flat_out"), (Duration::from_micros(4), "every_4us")] {
            group.bench_function(format!("p999/{name}/{pace_name}"), |bencher| {
                bencher.iter_custom(|iterations| {
                    let (_directory, path) = scratch();
                    let options = PersistentOptions { crc: false, step: 4 << 20, ..PersistentOptions::default() };
                    let (bus, _) = PersistentBus::open_one_writer(path, options).expect("a journal");
                    let (writer, mut message) = (bus.writer().expect("a writer"), Message::new(size, 0));
                    let count = if is_measured() { 400_000 } else { 1000 };
                    let mut times = Vec::with_capacity(count);
                    let mut next = Instant::now();
                    for sequence in 0..count as u64 {
                        while Instant::now() < next {
                            std::hint::spin_loop();
                        }
                        next += pace;
                        let begin = Instant::now();
                        writer.write_bytes(1, 2, message.number(sequence)).expect("written");
                        times.push(begin.elapsed());
                    }
                    times.sort_unstable();
                    times[count * 999 / 1000] * u32::try_from(iterations).expect("a few")
                });
            });
        }
    }
    group.finish();
}

/// Ours against the mapping, in turns: the median of the ratios of each round, which a machine with other work spoils
/// least.
fn ratios(_: &mut Criterion) {
    let rounds = if is_measured() { 21 } else { 1 };
    type Run = fn(usize, u64) -> Duration;
    let raw_append: Run = |size, count| {
        let (_directory, mut map) = mapping();
        append_raw::<HEADER>(&mut map, size, count)
    };
    let raw_read: Run = |size, count| {
        let (_directory, mut map) = mapping();
        append_raw::<HEADER>(&mut map, size, count);
        read_raw::<HEADER>(&map, size, count)
    };
    let raw_read_as_long: Run = |size, count| {
        let (_directory, mut map) = mapping();
        append_raw::<AS_LONG_AS_OURS>(&mut map, size, count);
        read_raw::<AS_LONG_AS_OURS>(&map, size, count)
    };
    let contestants: [(&str, Run, Run); 6] = [
        ("append, one writer", raw_append, |size, count| append(&one_writer(false), size, count)),
        ("append, many writers", raw_append, |size, count| append(&many_writers(false), size, count)),
        ("append, one writer, CRC", raw_append, |size, count| append(&one_writer(true), size, count)),
        ("append, many writers, CRC", raw_append, |size, count| append(&many_writers(true), size, count)),
        ("read back", raw_read, |size, count| read_back(&one_writer(false), size, count)),
        ("read back, raw as long", raw_read_as_long, |size, count| read_back(&one_writer(false), size, count)),
    ];
    println!("| what | payload | ns per message | raw mapping, ns | ratio |\n| --- | --- | --- | --- | --- |");
    for (size, name) in [(32, "32 B"), (1024, "1 KiB")] {
        for (what, raw, ours) in contestants {
            let count = messages_per_file(size);
            let mut rows: Vec<[f64; 3]> = (0..rounds)
                .map(|_| {
                    let [ours, raw] = [ours, raw].map(|run| run(size, count).as_nanos() as f64 / count as f64);
                    [ours / raw, ours, raw]
                })
                .collect();
            rows.sort_by(|a, b| a[0].total_cmp(&b[0]));
            let [ratio, ours, raw] = rows[rows.len() / 2];
            println!("| {what} | {name} | {ours:.1} | {raw:.1} | {ratio:.2} |");
        }
    }
}

/// Opening a journal and looking at all of it, as if it were that of a process that has died.
fn recover(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("persistent_recover");
    group.sample_size(10).warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_millis(100));
    let len: u64 = if is_measured() { 1 << 30 } else { 1 << 24 };
    for (crc, suffix) in [(false, "1GiB"), (true, "1GiB_crc")] {
        let (_directory, path) = scratch();
        let (bus, _) =
            PersistentBus::open(&path, PersistentOptions { crc, ..PersistentOptions::default() }).expect("made");
        let (writer, mut message) = (bus.writer().expect("a writer"), Message::new(224, 0));
        let mut count = 0;
        while bus.tail() < len {
            writer.write_bytes(1, 2, message.number(count)).expect("written");
            count += 1;
        }
        drop((bus, writer));
        let options = || PersistentOptions { verify: true, ..PersistentOptions::default() };
        group.throughput(Throughput::Bytes(len));
        group.bench_function(suffix, |bencher| {
            bencher.iter_custom(|iterations| {
                let mut time = Duration::ZERO;
                for _ in 0..iterations {
                    let begin = Instant::now();
                    let (_bus, recovered) = PersistentBus::open(&path, options()).expect("opened");
                    time += begin.elapsed();
                    assert_eq!(recovered.messages, count);
                }
                time
            });
        });
    }
    group.finish();
}

/// History handled again, against the run that made it.
fn rebuilds(criterion: &mut Criterion) {
    rebuild::rebuilds(criterion, is_measured());
}

/// Whether figures are wanted, and not only whether it runs.
fn is_measured() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

criterion_group!(benches, ratios, persistent, grows, recover, rebuilds, snapshots::snapshots);
criterion_main!(benches);
