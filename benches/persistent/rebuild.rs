//! History handled again, against the run that made it: a handler that answers each message, in a table of one worker.
//!
//! A first run is what a user's is, but for the waits: questions are encoded and written with their checksums, and
//! nothing is synced. The journal's keeper makes the pages of the file present beside it, which is not in its time; a
//! rebuild has the page faults of a mapping that nobody has touched, and that is in its time. Both are told by the clock
//! and in time that the thread had a processor, since neither waits for anybody: beside other work the first of these
//! says nothing.

use super::{scratch, snapshots::spent};
use criterion::{Criterion, Throughput};
use rust_messenger::Messenger;
use rust_messenger::message_bus::{PersistentBus, PersistentOptions, Start};
use rust_messenger::messenger::{Step, Workers};
use rust_messenger::traits::{
    DecodeError, DeserializeFrom, ExtendedMessage, Handle, Handler, Message, New, Sender, Writer,
};
use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A message of 32 bytes, encoded by hand.
macro_rules! message {
    ($name:ident, $id:literal) => {
        struct $name([u64; 4]);

        impl Message for $name {
            type Id = u16;
            const ID: u16 = $id;
        }

        impl ExtendedMessage for $name {
            fn get_size(&self) -> usize {
                32
            }

            fn write_into(&self, buffer: &mut [u8]) {
                for (word, bytes) in self.0.iter().zip(buffer.chunks_exact_mut(8)) {
                    bytes.copy_from_slice(&word.to_le_bytes());
                }
            }
        }

        impl DeserializeFrom for $name {
            fn deserialize_from(buffer: &[u8]) -> Self {
                Self::try_deserialize_from(buffer).expect("32 bytes")
            }

            fn try_deserialize_from(buffer: &[u8]) -> Result<Self, DecodeError> {
                let (chunks, []) = buffer.as_chunks::<8>() else { return Err(DecodeError::new("no words")) };
                let words = <[[u8; 8]; 4]>::try_from(chunks).map_err(|_| DecodeError::new("not 32 bytes"))?;
                Ok($name(words.map(u64::from_le_bytes)))
            }
        }
    };
}

message!(Question, 1);
message!(Answer, 2);

struct Asker;

impl Handler for Asker {
    type Id = u16;
    const ID: u16 = 1;
}

/// Counts outside of itself what it has answered.
struct Oracle(Rc<Cell<u64>>);

impl Handler for Oracle {
    type Id = u16;
    const ID: u16 = 2;
}

impl New<Rc<Cell<u64>>> for Oracle {
    fn new<W: Writer>(answered: &Rc<Cell<u64>>, _: &W) -> Oracle {
        Oracle(Rc::clone(answered))
    }
}

impl Handle<Question> for Oracle {
    fn handle<W: Writer>(&mut self, question: &Question, writer: &W) {
        self.0.set(self.0.get() + 1);
        Self::send(&Answer(question.0.map(|word| word ^ self.0.get())), writer);
    }
}

Messenger! {
    type Dialogue;
    Rc<Cell<u64>>,
    Answers: handlers: [ #[allow(unrouted)] oracle: Oracle ] routes: [ Asker, Question: [ oracle ] ]
}

fn table(path: &Path, start: Start) -> Dialogue<PersistentBus> {
    let options = PersistentOptions { start, ..PersistentOptions::default() }.table(Dialogue::table());
    Dialogue::new(PersistentBus::open(path, options).expect("a journal").0)
}

/// Steps until `count` questions are answered.
fn answer(workers: &mut Workers, answered: &Cell<u64>, count: u64) {
    while answered.get() < count {
        assert_ne!(workers.step(), Step::Finished, "the answers of the first run are not those of the second");
    }
}

/// By the clock, and on a processor.
type Times = [Duration; 2];

fn timed(work: impl FnOnce()) -> Times {
    let (begin, had) = (Instant::now(), spent());
    work();
    [begin.elapsed(), Duration::from_secs_f64(spent() - had)]
}

/// The run that makes the history: somebody asks `count` questions, 64 at a time.
fn first_run(path: &Path, count: u64) -> Times {
    let (dialogue, answered) = (table(path, Start::Resume), Rc::new(Cell::new(0)));
    let (mut workers, outside) = (dialogue.workers(&answered).expect("workers"), dialogue.writer().expect("a writer"));
    timed(|| {
        for number in 0..count {
            Asker::try_send(&Question([number; 4]), &outside).expect("written");
            if number % 64 == 63 || number + 1 == count {
                answer(&mut workers, &answered, number + 1);
            }
        }
    })
}

/// The same, handled again; opening is not in it.
fn rebuild(path: &Path, count: u64) -> Times {
    let (dialogue, answered) = (table(path, Start::Rebuild), Rc::new(Cell::new(0)));
    let mut workers = dialogue.workers(&answered).expect("workers");
    timed(|| answer(&mut workers, &answered, count))
}

/// Both in turns: the median of the ratios of each round, as a table, and the time of a rebuild.
pub fn rebuilds(criterion: &mut Criterion, is_measured: bool) {
    let (rounds, count) = if is_measured { (21, 200_000) } else { (1, 100) };
    let rounds: Vec<[Times; 2]> = (0..rounds)
        .map(|_| {
            let (_directory, path) = scratch();
            [first_run, rebuild].map(|run| run(&path, count))
        })
        .collect();
    println!("| what | ns per question and answer | first run, ns | ratio |\n| --- | --- | --- | --- |");
    for (which, what) in ["rebuild, by the clock", "rebuild, on a processor"].into_iter().enumerate() {
        let per_question = |times: &Times| times[which].as_nanos() as f64 / count as f64;
        let mut rows: Vec<[f64; 3]> = rounds
            .iter()
            .map(|[first, again]| [per_question(again), per_question(first)])
            .map(|[again, first]| [again / first, again, first])
            .collect();
        rows.sort_by(|a, b| a[0].total_cmp(&b[0]));
        let [ratio, again, first] = rows[rows.len() / 2];
        println!("| {what} | {again:.1} | {first:.1} | {ratio:.2} |");
    }

    let mut group = criterion.benchmark_group("persistent_rebuild");
    group.sample_size(10).warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_millis(100));
    let (_directory, path) = scratch();
    first_run(&path, count);
    group.throughput(Throughput::Elements(count));
    group.bench_function("32B", |bencher| {
        bencher.iter_custom(|iterations| (0..iterations).map(|_| rebuild(&path, count)[0]).sum());
    });
    group.finish();
}
