//! Limits of the machine and the kernel, measured in the same harness: nobody gets below them.

use crate::harness::{Check, Contestant, Ends, Message, Outcome, Rx, Shape, Spinning, Tx, Waiting, made, play};
use crossbeam_utils::CachePadded;
use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

/// A word there and a word back, each on its own cache line, timed one by one as the round trips are.
pub fn raw_ping_pong(trips: u64, pinned: bool) -> Outcome {
    let ping = CachePadded::new(AtomicU64::new(0));
    let pong = CachePadded::new(AtomicU64::new(0));
    let (ping, pong) = (&ping, &pong);
    fn wait_for(word: &AtomicU64, value: u64) {
        let mut waiting = Spinning::default();
        while word.load(Ordering::Acquire) != value {
            waiting.idle();
        }
    }
    play(
        pinned,
        move |started: &dyn Fn()| {
            started();
            let asked = (1..=trips).map(|trip| {
                let begin = Instant::now();
                ping.store(trip, Ordering::Release);
                wait_for(pong, trip);
                begin.elapsed().as_nanos() as u64
            });
            asked.collect()
        },
        move |started: &dyn Fn()| {
            started();
            for trip in 1..=trips {
                wait_for(ping, trip);
                pong.store(trip, Ordering::Release);
            }
        },
    )
}

/// Two threads that put each other to sleep: what the kernel takes for a round trip.
pub fn park_unpark(trips: u64, pinned: bool) -> Outcome {
    let turn = CachePadded::new(AtomicU64::new(0));
    let turn = &turn;
    let (asking, answering) = (std::sync::OnceLock::new(), std::sync::OnceLock::new());
    let (asking, answering) = (&asking, &answering);
    fn wait_for(turn: &AtomicU64, value: u64) {
        while turn.load(Ordering::Acquire) != value {
            thread::park();
        }
    }
    fn wake(who: &std::sync::OnceLock<thread::Thread>) {
        who.get().expect("set before the start").unpark();
    }
    play(
        pinned,
        move |started: &dyn Fn()| {
            asking.get_or_init(thread::current);
            started();
            let asked = (0..trips).map(|trip| {
                let begin = Instant::now();
                turn.store(2 * trip + 1, Ordering::Release);
                wake(answering);
                wait_for(turn, 2 * trip + 2);
                begin.elapsed().as_nanos() as u64
            });
            asked.collect()
        },
        move |started: &dyn Fn()| {
            answering.get_or_init(thread::current);
            started();
            for trip in 0..trips {
                wait_for(turn, 2 * trip + 1);
                turn.store(2 * trip + 2, Ordering::Release);
                wake(asking);
            }
        },
    )
}

/// Writers that only add to one word: what contended claims cannot get below.
pub struct FetchAdd;

pub struct FetchAddTx(Arc<CachePadded<AtomicU64>>);

/// Never made: this limit has no readers.
pub enum NoRx {}

impl<const N: usize> Contestant<N> for FetchAdd {
    type Tx = FetchAddTx;
    type Rx = NoRx;

    fn open(shape: Shape) -> Ends<Self::Tx, Self::Rx> {
        assert_eq!(shape.readers, 0);
        let word = Arc::new(CachePadded::new(AtomicU64::new(0)));
        ((0..shape.writers).map(|_| made(FetchAddTx(Arc::clone(&word)))).collect(), Vec::new())
    }
}

impl<const N: usize> Tx<N> for FetchAddTx {
    #[inline(always)]
    fn send(&mut self, message: &Message<N>) {
        std::hint::black_box(message);
        if self.0.fetch_add(1, Ordering::AcqRel) == u64::MAX {
            spin_loop();
        }
    }
}

impl<const N: usize> Rx<N> for NoRx {
    fn drain(&mut self, _: &mut Check<N>) -> bool {
        match *self {}
    }
}
