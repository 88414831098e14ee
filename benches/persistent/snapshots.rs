//! What snapshots are for, and what they cost: the start of a worker with one near the end of a history against its
//! whole rebuild, opening after a clean stop against a walk over everything, a restart against what it consists of, and
//! writing beside a worker that is kept each second against one that is not.

use criterion::Criterion;
use rust_messenger::Messenger;
use rust_messenger::message_bus::{Durability, PersistentBus, PersistentOptions, Start};
use rust_messenger::messenger::{Budget, OnPanic, Options, Step};
use rust_messenger::traits::{
    DecodeError, DeserializeFrom, EncodeError, Every, ExtendedMessage, Handle, Handler, Message, MessageBus, New,
    Publish, Snapshot, Writer,
};
use std::path::Path;
use std::time::{Duration, Instant};

/// What breaks its handler.
const POISON: u64 = u64::MAX;

struct Amount(u64);

impl Message for Amount {
    type Id = u16;
    const ID: u16 = 1;
}

impl ExtendedMessage for Amount {
    fn get_size(&self) -> usize {
        8
    }

    fn write_into(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.0.to_le_bytes());
    }
}

impl DeserializeFrom for Amount {
    fn deserialize_from(buffer: &[u8]) -> Self {
        Self::try_deserialize_from(buffer).expect("an amount")
    }

    fn try_deserialize_from(buffer: &[u8]) -> Result<Self, DecodeError> {
        Ok(Amount(u64::from_le_bytes(buffer.try_into().map_err(|_| DecodeError::new("not eight bytes"))?)))
    }
}

struct Till;

impl Handler for Till {
    type Id = u16;
    const ID: u16 = 1;
}

/// A sum, and as much beside it as it is told to have, from its first message on: to make one costs next to nothing.
struct Books {
    size: usize,
    state: Vec<u8>,
    sum: u64,
}

impl Handler for Books {
    type Id = u16;
    const ID: u16 = 2;

    fn snapshot(&mut self) -> Option<&mut dyn Snapshot> {
        Some(self)
    }
}

impl New<usize> for Books {
    fn new<W: Writer>(size: &usize, _: &W) -> Self {
        Books { size: *size, state: Vec::new(), sum: 0 }
    }
}

impl Handle<Amount> for Books {
    fn handle<W: Writer>(&mut self, amount: &Amount, _: &W) {
        if amount.0 == POISON {
            std::panic::resume_unwind(Box::new("poison"));
        }
        if self.state.len() != self.size {
            self.state.resize(self.size, 7);
        }
        self.sum = self.sum.wrapping_mul(31).wrapping_add(amount.0);
    }
}

impl Snapshot for Books {
    fn version(&self) -> u32 {
        1
    }

    fn save(&mut self, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        bytes.extend_from_slice(&self.sum.to_le_bytes());
        bytes.extend_from_slice(&self.state);
        Ok(())
    }

    fn load(&mut self, _: u32, bytes: &[u8]) -> Result<(), DecodeError> {
        let (sum, state) = bytes.split_first_chunk().ok_or_else(|| DecodeError::new("no sum"))?;
        (self.sum, self.state) = (u64::from_le_bytes(*sum), state.to_vec());
        Ok(())
    }
}

Messenger! {
    type Shop;
    usize,
    Ledger: handlers: [ books: Books ] routes: [ Till, Amount: [ books ] ]
}

fn options(every: Option<Every>) -> PersistentOptions {
    let snapshots = every.map(|every| ("Ledger", every)).into_iter().collect();
    PersistentOptions { start: Start::Rebuild, snapshots, ..PersistentOptions::default() }.table(Shop::table())
}

fn write(bus: &PersistentBus, from: u64, count: u64) {
    let writer = bus.writer().expect("a writer");
    for number in (0..count).map(|number| from + number) {
        writer.write_bytes(1, 1, &number.to_le_bytes()).expect("written");
    }
}

/// How long it takes until the worker has handled all that there is, from the opening on.
fn start(path: &Path, size: usize, every: Option<Every>) -> Duration {
    let begin = Instant::now();
    let (bus, _) = PersistentBus::open(path, options(every)).expect("opened");
    let shop = Shop::new(bus);
    let mut workers = shop.workers(&size).expect("a worker");
    while workers.step() == Step::Worked {}
    let time = begin.elapsed();
    shop.stop();
    while workers.step() != Step::Finished {}
    workers.conclude().expect("nothing differs");
    time
}

fn starts(is_measured: bool) {
    let count: u64 = if is_measured { 10_000_000 } else { 10_000 };
    let (_directory, path) = super::scratch();
    write(&PersistentBus::open(&path, options(None)).expect("made").0, 0, count - count / 1000);
    start(&path, 1 << 20, Some(Every::Stop));
    write(&PersistentBus::open(&path, options(None)).expect("opened").0, count - count / 1000, count / 1000);
    let kept = |number| path.with_file_name(format!("journal.Ledger.snapshot{number}"));
    let times = (0..if is_measured { 3 } else { 1 }).map(|_| {
        let from_snapshot = start(&path, 1 << 20, Some(Every::Stop));
        // That of this stop, behind all messages.
        let _ = std::fs::remove_file(kept(2));
        [from_snapshot, start(&path, 1 << 20, None)].map(|time| time.as_secs_f64())
    });
    let [from_snapshot, rebuilt] = median(times.collect(), |[from_snapshot, rebuilt]| from_snapshot / rebuilt);
    println!(
        "| {count} messages, a snapshot of 1 MiB behind all but 0.1 % | {from_snapshot:.3} s | {rebuilt:.3} s | {:.3} |",
        from_snapshot / rebuilt
    );
    opens(&path, count, if is_measured { 5 } else { 1 });
}

/// A clean stop says that all was finished, so nothing is looked at when the journal is opened again.
fn opens(path: &Path, count: u64, rounds: usize) {
    let open = |verify| {
        let begin = Instant::now();
        let opened = PersistentBus::open(path, PersistentOptions { verify, ..options(None) });
        let time = begin.elapsed().as_secs_f64();
        let _: (PersistentBus, _) = opened.expect("opened");
        time
    };
    let [clean, walked] = median((0..rounds).map(|_| [open(false), open(true)]).collect(), |[clean, all]| clean / all);
    println!("| {count} messages, opened after a clean stop | {clean:.5} s | {walked:.3} s | {:.5} |", clean / walked);
}

/// How long this thread has had a processor, in seconds.
pub fn spent() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32).as_secs_f64()
}

/// A worker that breaks `again` messages behind its newest snapshot: from the panic on until it is behind that message,
/// against loading its state and handling these messages. It waits for nobody, so what others do meanwhile is left
/// out.
fn restarts(is_measured: bool) {
    let (before, again, rounds): (u64, u64, _) = if is_measured { (200_000, 100_000, 21) } else { (300, 100, 1) };
    let times = (0..rounds).map(|_| {
        let (_directory, path) = super::scratch();
        let (bus, _) = PersistentBus::open(&path, options(Some(Every::Messages(before)))).expect("made");
        let budget = Budget { attempts: 0, backoff: Duration::ZERO, ..Budget::default() };
        let restarting = Options { on_panic: OnPanic::Restart(budget), ..Options::default() };
        let shop = Shop::with_options(bus.clone(), restarting);
        let mut workers = shop.workers(&(1 << 20)).expect("a worker");
        let mut handle = |from: u64, count| {
            write(&bus, from, count);
            let begin = spent();
            while workers.step() == Step::Worked {}
            spent() - begin
        };
        handle(0, before);
        // Its snapshot is written beside it, which has a row of its own.
        let written_by = Instant::now() + Duration::from_secs(60);
        while !path.with_file_name("journal.Ledger.snapshot1").exists() {
            assert!(written_by > Instant::now(), "it is not written");
            std::thread::park_timeout(Duration::from_millis(1));
        }
        let handled = handle(before, again);
        let restarted = handle(POISON, 1);
        let mut books = Books { size: 1 << 20, state: Vec::new(), sum: 0 };
        let state = vec![7; 8 + (1 << 20)];
        let begin = spent();
        books.load(1, &state).expect("loaded");
        let loaded = spent() - begin;
        shop.stop();
        while workers.step() != Step::Finished {}
        assert_eq!(workers.conclude().expect("it goes on").restarts, 1);
        [restarted, loaded + handled]
    });
    let [restarted, again_alone] = median(times.collect(), |[restarted, parts]| restarted / parts);
    println!(
        "| a restart {again} messages behind its snapshot of 1 MiB | {restarted:.4} s | {again_alone:.4} s | {:.2} |",
        restarted / again_alone
    );
}

/// How long it takes to write so many messages beside a worker that handles them.
fn written(count: u64, options: PersistentOptions) -> f64 {
    let (_directory, path) = super::scratch();
    let is_kept = !options.snapshots.is_empty();
    let (bus, _) = PersistentBus::open(&path, options).expect("made");
    let shop = Shop::new(bus.clone());
    let handles = shop.run(&(1 << 20));
    let begin = Instant::now();
    write(&bus, 0, count);
    let time = begin.elapsed().as_secs_f64();
    shop.stop();
    handles.join().expect("it ends");
    // Its keeper has written what it was to when the bus ends.
    drop((shop, bus));
    assert_eq!(path.with_file_name("journal.Ledger.snapshot1").exists(), is_kept);
    time
}

/// The journal is synced before a snapshot is written. What the snapshot itself costs is seen beside a journal that is
/// synced as often.
fn writers(is_measured: bool) {
    let (count, rounds): (u64, _) = if is_measured { (60_000_000, 20) } else { (10_000, 1) };
    let second = Duration::from_secs(1);
    let durability = Durability::Interval(second);
    let rounds = (0..rounds).map(|_| {
        let kept = written(count, options(Some(Every::Time(second))));
        [kept, written(count, options(None)), written(count, PersistentOptions { durability, ..options(None) })]
    });
    let rounds = rounds.collect::<Vec<_>>();
    for (other, than) in [(1, ""), (2, " against a journal synced each second")] {
        let times = rounds.iter().map(|round| [round[0], round[other]]).collect();
        let [kept, not] = median(times, |[kept, not]| kept / not);
        println!(
            "| {count} messages written, a snapshot of 1 MiB each second{than} | {kept:.3} s | {not:.3} s | {:.3} |",
            kept / not
        );
    }
}

fn median(mut rounds: Vec<[f64; 2]>, ratio: impl Fn([f64; 2]) -> f64) -> [f64; 2] {
    rounds.sort_by(|a, b| ratio(*a).total_cmp(&ratio(*b)));
    rounds[rounds.len() / 2]
}

pub fn snapshots(_: &mut Criterion) {
    println!("| what | with snapshots | without | ratio |\n| --- | --- | --- | --- |");
    starts(super::is_measured());
    restarts(super::is_measured());
    writers(super::is_measured());
}
