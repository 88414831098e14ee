//! The floor: a ring of fixed slots for one writer and one reader, with nothing that a bus needs besides. What remains
//! of a bus's figure above this one is the price of being a bus.

use crate::harness::{Check, Contestant, Ends, Message, Rx, Shape, Tx, Waiting, made};
use crossbeam_utils::CachePadded;
use std::cell::UnsafeCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub struct Floor;

struct Slots<const N: usize> {
    head: CachePadded<AtomicU64>,
    tail: CachePadded<AtomicU64>,
    slots: Box<[UnsafeCell<Block<N>>]>,
}

#[derive(Clone)]
#[repr(C, align(8))]
struct Block<const N: usize>([u8; N]);

// SAFETY: a slot is written by the one `FloorTx` while `tail - head < slots` and read by the one `FloorRx` while
// `head < tail`; each side publishes its index with Release and reads the other's with Acquire.
unsafe impl<const N: usize> Sync for Slots<N> {}
// SAFETY: plain bytes and atomics belong to no thread.
unsafe impl<const N: usize> Send for Slots<N> {}

pub struct FloorTx<const N: usize> {
    shared: Arc<Slots<N>>,
    tail: u64,
    /// `head` as last seen.
    head: u64,
}

pub struct FloorRx<const N: usize> {
    shared: Arc<Slots<N>>,
    head: u64,
}

impl<const N: usize> Contestant<N> for Floor {
    type Tx = FloorTx<N>;
    type Rx = FloorRx<N>;

    fn open(shape: Shape) -> Ends<Self::Tx, Self::Rx> {
        assert!(shape.writers == 1 && shape.readers == 1 && shape.slots.is_power_of_two());
        let slots = (0..shape.slots).map(|_| UnsafeCell::new(Block([0; N]))).collect();
        let shared = Arc::new(Slots { head: CachePadded::default(), tail: CachePadded::default(), slots });
        let rx = FloorRx { shared: Arc::clone(&shared), head: 0 };
        (vec![made(FloorTx { shared, tail: 0, head: 0 })], vec![made(rx)])
    }
}

impl<const N: usize> Tx<N> for FloorTx<N> {
    #[inline(always)]
    fn send(&mut self, message: &Message<N>) {
        let slots = self.shared.slots.len() as u64;
        let mut waiting = crate::harness::Spinning::default();
        while self.tail - self.head == slots {
            self.head = self.shared.head.load(Ordering::Acquire);
            // As the bus does: never hands itself less than an eighth of the ring.
            if self.tail - self.head > slots - slots / 8 {
                self.head = self.tail - slots;
                waiting.idle();
            }
        }
        let slot = self.shared.slots[(self.tail & (slots - 1)) as usize].get();
        // SAFETY: the slot is free, checked above, and this is the one writer.
        unsafe { (*slot).0.copy_from_slice(&message.0) };
        self.tail += 1;
        self.shared.tail.store(self.tail, Ordering::Release);
    }
}

impl<const N: usize> Rx<N> for FloorRx<N> {
    #[inline(always)]
    fn drain(&mut self, check: &mut Check<N>) -> bool {
        let tail = self.shared.tail.load(Ordering::Acquire);
        if tail == self.head {
            return false;
        }
        let mask = self.shared.slots.len() as u64 - 1;
        for position in self.head..tail {
            // SAFETY: the slot is written, `position < tail`, and not yet handed back.
            check.accept(unsafe { &(*self.shared.slots[(position & mask) as usize].get()).0 });
            if position & (mask >> 3) == 0 {
                self.shared.head.store(position, Ordering::Release);
            }
        }
        self.head = tail;
        self.shared.head.store(tail, Ordering::Release);
        true
    }
}
