//! Two processes: what each of them writes to and reads from has a name. Ours is a named ring, iceoryx2's is
//! publish-subscribe through shared memory.
//!
//! The other process is this program, told so by a variable. It says when it has both of its ends, so that nobody writes
//! before somebody reads. Each round plays all contestants; ratios are of one round.

use crate::harness::{Check, Message, Pausing, Rx, Shape, Spinning, Tx, Waiting};
use crate::ours::{OurRx, OurTx};
use crate::peers::{IceoryxRx, IceoryxTx, Ipc};
use rust_messenger::message_bus::{CircularBus, NamedOptions, OneWriter};
use rust_messenger::traits::MessageBus;
use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How a process is told that it is the other one, and of which run.
pub const TOLD: &str = "RUST_MESSENGER_COMPARE";

const SIZE: usize = 32;
const SHAPE: Shape = Shape { writers: 1, readers: 1, slots: 1024, bytes: 1 << 20 };
/// A machine that takes a thread off its core for a second must not spoil a comparison.
const SILENT: Duration = Duration::from_secs(60);

/// What two processes have to do with each other.
#[derive(Clone, Copy)]
enum Work {
    /// One writes; the other says when it has read an eighth to begin with, and when all.
    OneWay,
    /// Each message is answered.
    RoundTrip,
}

const WORKS: [(Work, &str); 2] = [(Work::OneWay, "one way"), (Work::RoundTrip, "there and back")];

/// What both processes of a run know.
struct Run {
    contestant: usize,
    work: usize,
    messages: u64,
    name: String,
}

impl Run {
    fn of(told: &str) -> Option<Run> {
        let mut words = told.splitn(4, ' ');
        let mut number = || words.next()?.parse().ok();
        let (contestant, work, messages) = (number()?, number()?, number()?);
        Some(Run { contestant: contestant as usize, work: work as usize, messages, name: words.next()?.to_owned() })
    }

    fn told(&self) -> String {
        format!("{} {} {} {}", self.contestant, self.work, self.messages, self.name)
    }

    fn directions(&self) -> [String; 2] {
        ["there", "back"].map(|direction| format!("{}.{direction}", self.name))
    }

    /// A first part that is not timed, and the rest.
    fn parts(&self) -> [u64; 2] {
        [self.messages / 8 + 1, self.messages]
    }
}

struct Contestant {
    name: &'static str,
    /// Nanoseconds a message, or a round trip, with another process, which this one starts.
    ask: fn(&Run) -> f64,
    answer: fn(&Run),
    is_ours: bool,
}

const CONTESTANTS: [Contestant; 4] = [
    Contestant { name: "**rust_messenger, one writer**", ask: ask::<One>, answer: reply::<One>, is_ours: true },
    Contestant { name: "**rust_messenger, many writers**", ask: ask::<Many>, answer: reply::<Many>, is_ours: true },
    Contestant {
        name: "iceoryx2, ipc, spinning",
        ask: ask::<Iceoryx<Spinning>>,
        answer: reply::<Iceoryx<Spinning>>,
        is_ours: false,
    },
    Contestant {
        name: "iceoryx2, ipc, pausing",
        ask: ask::<Iceoryx<Pausing>>,
        answer: reply::<Iceoryx<Pausing>>,
        is_ours: false,
    },
];

/// Both directions between two processes.
trait Link {
    type Tx: Tx<SIZE>;
    type Rx: Rx<SIZE>;
    type Waiting: Waiting;

    /// One end of what has this name, made by whoever comes first.
    fn writer(name: &str) -> Self::Tx;
    fn reader(name: &str) -> Self::Rx;
    /// Nobody uses the name any more.
    fn end(name: &str) {
        let _ = name;
    }
}

fn file(name: &str) -> PathBuf {
    PathBuf::from("/dev/shm").join(name)
}

fn options() -> NamedOptions {
    NamedOptions { capacity: Some(SHAPE.bytes), silent_after: SILENT, ..NamedOptions::default() }
}

struct One;
struct Many;
struct Iceoryx<W>(W);

impl Link for One {
    type Tx = OurTx<<CircularBus<OneWriter> as MessageBus>::BusWriter>;
    type Rx = OurRx<<CircularBus<OneWriter> as MessageBus>::Reader>;
    /// Not asked: ours waits by its own default.
    type Waiting = Spinning;

    fn writer(name: &str) -> Self::Tx {
        let ring = CircularBus::open_or_create_one_writer(file(name), options()).expect("a ring");
        OurTx(ring.writer().expect("a writer"))
    }

    fn reader(name: &str) -> Self::Rx {
        let ring = CircularBus::open_or_create_one_writer(file(name), options()).expect("a ring");
        OurRx(ring.subscribe("bench").expect("a reader"))
    }

    fn end(name: &str) {
        CircularBus::remove(file(name)).expect("removed");
    }
}

impl Link for Many {
    type Tx = OurTx<<CircularBus as MessageBus>::BusWriter>;
    type Rx = OurRx<<CircularBus as MessageBus>::Reader>;
    type Waiting = Spinning;

    fn writer(name: &str) -> Self::Tx {
        let ring: CircularBus = CircularBus::open_or_create(file(name), options()).expect("a ring");
        OurTx(ring.writer().expect("a writer"))
    }

    fn reader(name: &str) -> Self::Rx {
        let ring: CircularBus = CircularBus::open_or_create(file(name), options()).expect("a ring");
        OurRx(ring.subscribe("bench").expect("a reader"))
    }

    fn end(name: &str) {
        CircularBus::remove(file(name)).expect("removed");
    }
}

impl<W: Waiting> Link for Iceoryx<W> {
    type Tx = IceoryxTx<Ipc, SIZE>;
    type Rx = IceoryxRx<Ipc, SIZE>;
    type Waiting = W;

    fn writer(name: &str) -> Self::Tx {
        IceoryxTx::of(name, SHAPE)
    }

    fn reader(name: &str) -> Self::Rx {
        IceoryxRx::of(name, SHAPE)
    }
}

/// What a process has of both directions.
struct Ends<L: Link> {
    tx: L::Tx,
    rx: L::Rx,
    message: Message<SIZE>,
    check: Check<SIZE>,
    sent: u64,
}

impl<L: Link> Ends<L> {
    fn new(writes: &str, reads: &str) -> Self {
        // Readers first: what is written before them they do not get.
        let rx = L::reader(reads);
        Ends { tx: L::writer(writes), rx, message: Message::new(), check: Check::new(), sent: 0 }
    }

    #[inline(always)]
    fn send(&mut self) {
        self.message.stamp(0, self.sent);
        self.sent += 1;
        self.tx.send(&self.message);
    }

    #[inline(always)]
    fn read(&mut self, many: u64) {
        let until = self.check.count + many;
        self.rx.run(&mut self.check, until, &mut L::Waiting::default());
    }
}

fn ask<L: Link>(run: &Run) -> f64 {
    let [there, back] = run.directions();
    let mut ends = Ends::<L>::new(&there, &back);
    let program = std::env::current_exe().expect("a program");
    let mut command = Command::new(program);
    let mut other =
        command.env(TOLD, run.told()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a process");
    let mut line = String::new();
    BufReader::new(other.stdout.take().expect("its words")).read_line(&mut line).expect("its words");
    assert_eq!(line, "ready\n");
    let [_, nanos] = run.parts().map(|many| {
        let begin = Instant::now();
        match WORKS[run.work].0 {
            Work::OneWay => {
                (0..many).for_each(|_| ends.send());
                ends.read(1);
            }
            Work::RoundTrip => (0..many).for_each(|_| {
                ends.send();
                ends.read(1);
            }),
        }
        begin.elapsed().as_nanos() as f64 / many as f64
    });
    // Which tells it to end: until then what it has written last is kept for this process to read.
    drop(other.stdin.take());
    assert!(other.wait().expect("a process").success(), "the other process has failed");
    drop(ends);
    [there, back].iter().for_each(|name| L::end(name));
    nanos
}

fn reply<L: Link>(run: &Run) {
    let [there, back] = run.directions();
    let mut ends = Ends::<L>::new(&back, &there);
    println!("ready");
    for many in run.parts() {
        match WORKS[run.work].0 {
            Work::OneWay => {
                ends.read(many);
                ends.send();
            }
            Work::RoundTrip => (0..many).for_each(|_| {
                ends.read(1);
                ends.send();
            }),
        }
    }
    std::io::stdin().lines().for_each(drop);
}

/// The other process.
pub fn answer(told: &str) {
    let run = Run::of(told).expect("what this process is for");
    (CONTESTANTS[run.contestant].answer)(&run);
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Plays all rounds, each run of about this length, and prints them.
pub fn markdown(rounds: usize, length: Duration) -> String {
    let mut times = vec![vec![Vec::new(); CONTESTANTS.len()]; WORKS.len()];
    let mut messages = [[1000; CONTESTANTS.len()]; WORKS.len()];
    // The first round says how many messages such a run has.
    for round in 0..=rounds {
        for (work, (times, messages)) in times.iter_mut().zip(&mut messages).enumerate() {
            for (contestant, (times, messages)) in times.iter_mut().zip(messages).enumerate() {
                let name = format!("compare.{}.{round}.{work}.{contestant}", std::process::id());
                let nanos = (CONTESTANTS[contestant].ask)(&Run { contestant, work, messages: *messages, name });
                eprintln!("round {round}  {:<16} {:<34} {nanos:>9.1} ns", WORKS[work].1, CONTESTANTS[contestant].name);
                if round == 0 {
                    *messages = ((length.as_nanos() as f64 / nanos) as u64).max(1000);
                } else {
                    times.push(nanos);
                }
            }
        }
    }
    let mut out = String::from("| two processes, 32 B | one way, ns | there and back, ns |\n| --- | --- | --- |\n");
    for (index, contestant) in CONTESTANTS.iter().enumerate() {
        let [one, two] = [0, 1].map(|work: usize| median(times[work][index].clone()));
        writeln!(out, "| {} | {one:.1} | {two:.0} |", contestant.name).expect("room");
    }
    out += "\n| what : against | ratio | lowest to highest | target | |\n| --- | --- | --- | --- | --- |\n";
    for (ours, (work, target)) in (0..2).flat_map(|ours| [(ours, (0, 0.25)), (ours, (1, 0.5))]) {
        let times = &times[work];
        let theirs = (0..CONTESTANTS.len()).filter(|&index| !CONTESTANTS[index].is_ours);
        let theirs = theirs.min_by(|&a, &b| median(times[a].clone()).total_cmp(&median(times[b].clone())));
        let theirs = theirs.expect("a peer");
        let mut ratios: Vec<_> = times[ours].iter().zip(&times[theirs]).map(|(ours, theirs)| ours / theirs).collect();
        ratios.sort_by(f64::total_cmp);
        let (ratio, verdict) = (ratios[ratios.len() / 2], ["**missed**", "met"]);
        let (name, against, what) = (CONTESTANTS[ours].name.trim_matches('*'), CONTESTANTS[theirs].name, WORKS[work].1);
        let verdict = verdict[usize::from(ratio <= target)];
        let (low, high) = (ratios[0], ratios[ratios.len() - 1]);
        writeln!(out, "| {what}, {name} : {against} | {ratio:.2} | {low:.2} to {high:.2} | <= {target} | {verdict} |")
            .expect("room");
    }
    out
}
