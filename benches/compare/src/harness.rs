//! One run: threads, messages that prove themselves, and the state of the machine around it.
//!
//! Knows nothing of any contestant. A run is: every thread makes its end of the channel, two of them measure the raw
//! cache-line ping-pong, all warm up, all are timed, and the ping-pong is measured again.

use crossbeam_utils::CachePadded;
use std::hint::spin_loop;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

/// What is sent: aligned, so that the sender's own buffer never straddles lines by accident.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct Message<const N: usize>(pub [u8; N]);

const LINE: usize = 64;
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;
const MASK: u64 = 0x5851_F42D_4C95_7F2D;

fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

fn set_word(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

fn tag(writer: usize, sequence: u64) -> u64 {
    (writer as u64) << 56 | sequence
}

impl<const N: usize> Message<N> {
    pub fn new() -> Self {
        let mut message = Message([0; N]);
        for at in (0..N).step_by(8) {
            set_word(&mut message.0, at, (at as u64).wrapping_mul(MULTIPLIER));
        }
        message
    }

    /// Makes it message number `sequence` of `writer`.
    #[inline(always)]
    pub fn stamp(&mut self, writer: usize, sequence: u64) {
        let tag = tag(writer, sequence);
        set_word(&mut self.0, 0, tag);
        if N == 32 {
            set_word(&mut self.0, 8, tag.wrapping_mul(MULTIPLIER));
            set_word(&mut self.0, 16, tag ^ MASK);
        }
        set_word(&mut self.0, N - 8, !tag);
    }
}

/// Checks what a reader gets: each writer's messages in order, none lost, none twice, content as sent. All bytes of
/// small messages; of larger ones both edges and a word of every cache line.
#[derive(Debug)]
pub struct Check<const N: usize> {
    next: [u64; 4],
    pub count: u64,
    /// Messages that a lossy peer said it dropped.
    pub lost: u64,
    lossy: bool,
    lines: u64,
}

impl<const N: usize> Check<N> {
    pub fn new() -> Self {
        let pattern = Message::<N>::new();
        let lines = (LINE..N - 8).step_by(LINE).fold(0u64, |sum, at| sum.wrapping_add(word(&pattern.0, at)));
        Check { next: [0; 4], count: 0, lost: 0, lossy: false, lines }
    }

    #[inline(always)]
    pub fn accept(&mut self, bytes: &[u8]) {
        assert_eq!(bytes.len(), N, "a message of another length");
        let tag = word(bytes, 0);
        let (writer, sequence) = ((tag >> 56) as usize & 3, tag << 8 >> 8);
        let mut right = tag >> 58 == 0 && word(bytes, N - 8) == !tag;
        if N == 32 {
            right &= word(bytes, 8) == tag.wrapping_mul(MULTIPLIER) && word(bytes, 16) == tag ^ MASK;
        } else {
            let lines = (LINE..N - 8).step_by(LINE).fold(0u64, |sum, at| sum.wrapping_add(word(bytes, at)));
            right &= lines == self.lines;
        }
        if !right || sequence != self.next[writer] {
            self.unexpected(right, writer, sequence);
        }
        self.next[writer] = sequence + 1;
        self.count += 1;
    }

    /// A lossy peer admits a gap of `messages`.
    pub fn lagged(&mut self, messages: u64) {
        self.lost += messages;
        self.count += messages;
        self.lossy = true;
    }

    #[cold]
    #[inline(never)]
    fn unexpected(&mut self, right: bool, writer: usize, sequence: u64) {
        assert!(right, "torn or foreign content in message {sequence} of writer {writer}");
        assert!(
            self.lossy && sequence > self.next[writer],
            "writer {writer}: message {sequence} where {} was due",
            self.next[writer]
        );
    }
}

/// What a thread does after a look that found nothing.
pub trait Waiting: Default {
    /// Whether the peer's own blocking call is used instead.
    const BLOCKS: bool = false;
    fn idle(&mut self);
    #[inline(always)]
    fn found(&mut self) {}
}

/// Looks again at once. Gives the core away at length, or nothing would ever move with more threads than cores.
#[derive(Default)]
pub struct Spinning(u32);

impl Waiting for Spinning {
    #[inline(always)]
    fn idle(&mut self) {
        self.0 += 1;
        if self.0.is_multiple_of(1024) { thread::yield_now() } else { spin_loop() }
    }

    #[inline(always)]
    fn found(&mut self) {
        self.0 = 0;
    }
}

/// Keeps off the memory for about a microsecond between two looks.
#[derive(Default)]
pub struct Pausing(u32);

impl Waiting for Pausing {
    #[inline(always)]
    fn idle(&mut self) {
        self.0 += 1;
        if self.0.is_multiple_of(32) {
            thread::yield_now();
        } else {
            pause();
        }
    }

    #[inline(always)]
    fn found(&mut self) {
        self.0 = 0;
    }
}

/// Uses the peer's own blocking call.
#[derive(Default)]
pub struct Blocking;

impl Waiting for Blocking {
    const BLOCKS: bool = true;
    fn idle(&mut self) {
        unreachable!("a contestant without a blocking call in a blocking run");
    }
}

/// About a microsecond.
#[inline(always)]
pub fn pause() {
    for _ in 0..40 {
        spin_loop();
    }
}

/// The writing end.
pub trait Tx<const N: usize> {
    /// Sends, waiting for room.
    fn send(&mut self, message: &Message<N>);
}

/// The reading end.
pub trait Rx<const N: usize> {
    /// Reads what is there; false if there is nothing.
    fn drain(&mut self, check: &mut Check<N>) -> bool;

    /// Reads at least one message by the peer's own blocking call.
    fn block(&mut self, check: &mut Check<N>) {
        let _ = check;
        unreachable!("no blocking call");
    }

    /// Reads until `until` messages are counted.
    #[inline(always)]
    fn run<W: Waiting>(&mut self, check: &mut Check<N>, until: u64, waiting: &mut W) {
        while check.count < until {
            if W::BLOCKS {
                self.block(check);
            } else if self.drain(check) {
                waiting.found();
            } else {
                waiting.idle();
            }
        }
    }
}

/// Makes one end on the thread that uses it: some peers' ends cannot move.
pub type Maker<T> = Box<dyn FnOnce() -> T + Send>;

/// The makers of all writing and all reading ends.
pub type Ends<T, R> = (Vec<Maker<T>>, Vec<Maker<R>>);

/// Where the threads of a run go.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub writers: usize,
    pub readers: usize,
    /// For a peer with fixed slots: how many.
    pub slots: usize,
    /// For a ring of bytes: how many.
    pub bytes: usize,
}

pub trait Contestant<const N: usize> {
    type Tx: Tx<N>;
    type Rx: Rx<N>;
    fn open(shape: Shape) -> Ends<Self::Tx, Self::Rx>;
}

pub fn made<T: Send + 'static>(value: T) -> Maker<T> {
    Box::new(move || value)
}

/// What a run found out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Nanoseconds per message, or the median round trip.
    pub nanos: f64,
    /// Of round trips: the 99.9th percentile. Of batches: the reading part.
    pub high: f64,
    /// The raw ping-pong before and after, in nanoseconds; 0 where one thread ran alone.
    pub before: f64,
    pub after: f64,
    /// The lossy peer's losses, as a fraction.
    pub lost: f64,
}

/// How far the two cores are apart, as the ping-pong sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// One thread, or threads that sleep: the distance makes no difference.
    Any,
    Near,
    Far,
    /// It changed on the way, or two threads shared a core: compares with nothing.
    Unclear,
}

impl Outcome {
    pub fn state(&self) -> State {
        match (state_of(self.before), state_of(self.after)) {
            (a, b) if a == b => a,
            _ => State::Unclear,
        }
    }
}

fn state_of(nanos: f64) -> State {
    match nanos {
        0.0 => State::Any,
        60.0..200.0 => State::Near,
        200.0..800.0 => State::Far,
        _ => State::Unclear,
    }
}

/// The raw ping-pong of one cache line there and one back: the limit of every round trip.
#[derive(Default)]
pub struct PingPong {
    ping: CachePadded<AtomicU64>,
    pong: CachePadded<AtomicU64>,
}

impl PingPong {
    const ROUNDS: u64 = 1000;

    /// Nanoseconds for a round trip: the best of several stretches, because a stretch in which one of the two threads
    /// was off its core says nothing of the distance.
    pub fn ping(&self, from: u64) -> f64 {
        let mut best = f64::MAX;
        for stretch in 0..8 {
            let begin = Instant::now();
            for round in 1..=Self::ROUNDS / 8 {
                let at = from + stretch * (Self::ROUNDS / 8) + round;
                self.ping.store(at, Ordering::Release);
                await_word(&self.pong, at);
            }
            best = best.min(begin.elapsed().as_nanos() as f64 / (Self::ROUNDS / 8) as f64);
        }
        best
    }

    pub fn pong(&self, from: u64) {
        for at in from + 1..=from + Self::ROUNDS {
            await_word(&self.ping, at);
            self.pong.store(at, Ordering::Release);
        }
    }
}

#[inline(always)]
fn await_word(word: &AtomicU64, value: u64) {
    let mut waiting = Spinning::default();
    while word.load(Ordering::Acquire) != value {
        waiting.idle();
    }
}

/// Pins the calling thread if asked: reader and writer on cores of their own is the steadiest there is.
fn pin(pinned: bool, core: usize) {
    if pinned && let Some(cores) = core_affinity::get_core_ids() {
        core_affinity::set_for_current(cores[core % cores.len()]);
    }
}

/// Writers write and readers read `messages` each writer, after a warm-up of two laps and an eighth.
pub fn stream<const N: usize, C: Contestant<N>, W: Waiting>(shape: Shape, messages: u64, pinned: bool) -> Outcome {
    let (writers, readers) = C::open(shape);
    let warm_up = messages / 8 + 2 * shape.slots as u64;
    let total = warm_up + messages;
    let (writer_count, threads) = (shape.writers as u64, shape.writers + shape.readers);
    let ends = if shape.readers == 0 { shape.writers } else { shape.readers };
    let barrier = Barrier::new(threads);
    let ping_pong = PingPong::default();
    let (barrier, ping_pong) = (&barrier, &ping_pong);
    // The second of the two that play is a reader, or where there is none the second writer.
    let bracket = |player: Option<bool>, from: u64| match player {
        Some(true) => ping_pong.ping(from),
        Some(false) => {
            ping_pong.pong(from);
            0.0
        }
        None => 0.0,
    };
    let bracket = &bracket;
    let mut outcome = Outcome::default();
    thread::scope(|scope| {
        let mut handles = Vec::new();
        for (index, make) in writers.into_iter().enumerate() {
            handles.push(scope.spawn(move || {
                pin(pinned, index);
                let mut tx = make();
                let mut message = Message::new();
                let player = match index {
                    0 => Some(true),
                    1 if shape.readers == 0 => Some(false),
                    _ => None,
                };
                barrier.wait();
                let before = bracket(player, 0);
                barrier.wait();
                for sequence in 0..warm_up {
                    message.stamp(index, sequence);
                    tx.send(&message);
                }
                barrier.wait();
                let begin = Instant::now();
                for sequence in warm_up..total {
                    message.stamp(index, sequence);
                    tx.send(&message);
                }
                let end = Instant::now();
                barrier.wait();
                let after = bracket(player, PingPong::ROUNDS);
                (begin, end, before, after, 0.0)
            }));
        }
        for (index, make) in readers.into_iter().enumerate() {
            handles.push(scope.spawn(move || {
                pin(pinned, shape.writers + index);
                let mut rx = make();
                let (mut check, mut waiting) = (Check::new(), W::default());
                let player = (index == 0).then_some(false);
                barrier.wait();
                bracket(player, 0);
                barrier.wait();
                rx.run(&mut check, warm_up * writer_count, &mut waiting);
                barrier.wait();
                let begin = Instant::now();
                rx.run(&mut check, total * writer_count, &mut waiting);
                let end = Instant::now();
                barrier.wait();
                bracket(player, PingPong::ROUNDS);
                assert_eq!(check.count, total * writer_count, "read more than was written");
                (begin, end, 0.0, 0.0, check.lost as f64 / check.count as f64)
            }));
        }
        let results: Vec<_> = handles.into_iter().map(|handle| handle.join().expect("a thread panicked")).collect();
        let begin = results.iter().map(|result| result.0).min().expect("threads");
        let end = results[threads - ends..].iter().map(|result| result.1).max().expect("threads");
        outcome.nanos = (end - begin).as_nanos() as f64 / (messages * writer_count) as f64;
        outcome.before = results[0].2;
        outcome.after = results[0].3;
        outcome.lost = results.iter().map(|result| result.4).fold(0.0, f64::max);
    });
    outcome
}

/// One thread writes one message and reads it, `messages` times.
pub fn alone<const N: usize, C: Contestant<N>>(shape: Shape, messages: u64) -> Outcome {
    let (mut writers, mut readers) = C::open(shape);
    let mut rx = readers.remove(0)();
    let mut tx = writers.remove(0)();
    let (mut message, mut check) = (Message::new(), Check::<N>::new());
    let mut begin = Instant::now();
    let warm_up = messages / 8;
    for sequence in 0..warm_up + messages {
        if sequence == warm_up {
            begin = Instant::now();
        }
        message.stamp(0, sequence);
        tx.send(&message);
        rx.drain(&mut check);
        assert_eq!(check.count, sequence + 1);
    }
    Outcome { nanos: begin.elapsed().as_nanos() as f64 / messages as f64, ..Outcome::default() }
}

/// One thread writes a batch and reads it: what a message costs when neither side waits for the other, nor for a line
/// of the other's. `high` is the reading part.
pub fn batches<const N: usize, C: Contestant<N>>(shape: Shape, messages: u64) -> Outcome {
    const BATCH: u64 = 64;
    let (mut writers, mut readers) = C::open(shape);
    let mut rx = readers.remove(0)();
    let mut tx = writers.remove(0)();
    let (mut message, mut check) = (Message::new(), Check::<N>::new());
    let (mut writing, mut reading, mut sequence) = (0, 0, 0);
    let warm_up = 2 * shape.slots as u64;
    while sequence < warm_up + messages {
        let begin = Instant::now();
        for sequence in sequence..sequence + BATCH {
            message.stamp(0, sequence);
            tx.send(&message);
        }
        let written = Instant::now();
        rx.run(&mut check, sequence + BATCH, &mut Spinning::default());
        if sequence >= warm_up {
            writing += (written - begin).as_nanos();
            reading += written.elapsed().as_nanos();
        }
        sequence += BATCH;
    }
    let each = |nanos: u128| nanos as f64 / (sequence - warm_up) as f64;
    Outcome { nanos: each(writing + reading), high: each(reading), ..Outcome::default() }
}

/// A message there and one back, `trips` times, each timed.
pub fn round_trip<const N: usize, C: Contestant<N>, W: Waiting>(shape: Shape, trips: u64, pinned: bool) -> Outcome {
    let (mut there_tx, mut there_rx) = C::open(shape);
    let (mut back_tx, mut back_rx) = C::open(shape);
    let (there_tx, there_rx) = (there_tx.remove(0), there_rx.remove(0));
    let (back_tx, back_rx) = (back_tx.remove(0), back_rx.remove(0));
    let total = trips + trips / 8;
    play(
        pinned,
        move |started: &dyn Fn()| {
            let (mut rx, mut tx) = (back_rx(), there_tx());
            let (mut message, mut check, mut waiting) = (Message::new(), Check::<N>::new(), W::default());
            started();
            let mut times = Vec::with_capacity(total as usize);
            for sequence in 0..total {
                let begin = Instant::now();
                message.stamp(0, sequence);
                tx.send(&message);
                rx.run(&mut check, sequence + 1, &mut waiting);
                times.push(begin.elapsed().as_nanos() as u64);
            }
            times.split_off((total - trips) as usize)
        },
        move |started: &dyn Fn()| {
            let (mut rx, mut tx) = (there_rx(), back_tx());
            let (mut message, mut check, mut waiting) = (Message::new(), Check::<N>::new(), W::default());
            started();
            for sequence in 0..total {
                rx.run(&mut check, sequence + 1, &mut waiting);
                message.stamp(0, sequence);
                tx.send(&message);
            }
        },
    )
}

/// Two threads that answer each other, with the bracket around them. Both call `started` once their ends are made.
pub fn play(
    pinned: bool,
    asks: impl FnOnce(&dyn Fn()) -> Vec<u64> + Send,
    answers: impl FnOnce(&dyn Fn()) + Send,
) -> Outcome {
    let (ping_pong, barrier) = (PingPong::default(), Barrier::new(2));
    let mut outcome = Outcome::default();
    thread::scope(|scope| {
        let answering = scope.spawn(|| {
            pin(pinned, 1);
            answers(&|| {
                barrier.wait();
                ping_pong.pong(0);
                barrier.wait();
            });
            barrier.wait();
            ping_pong.pong(PingPong::ROUNDS);
        });
        let asking = scope.spawn(|| {
            pin(pinned, 0);
            let before = std::cell::Cell::new(0.0);
            let mut times = asks(&|| {
                barrier.wait();
                before.set(ping_pong.ping(0));
                barrier.wait();
            });
            barrier.wait();
            let after = ping_pong.ping(PingPong::ROUNDS);
            times.sort_unstable();
            let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize] as f64;
            (before.get(), after, at(0.5), at(0.999))
        });
        let (before, after, nanos, high) = asking.join().expect("the asking thread panicked");
        answering.join().expect("the answering thread panicked");
        outcome = Outcome { nanos, high, before, after, lost: 0.0 };
    });
    outcome
}
