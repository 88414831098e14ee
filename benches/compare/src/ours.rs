//! `rust_messenger` itself, read the way a worker reads: batches of what there is, then `wait`.

use crate::harness::{Check, Contestant, Ends, Message, Rx, Shape, Tx, Waiting, made};
use rust_messenger::message_bus::wait::{Idle, WaitStrategy};
use rust_messenger::message_bus::{CircularBus, Claim, CondvarBus, RingOptions};
use rust_messenger::traits::{MessageBus, Next, Publish, ReadError, Reader};
use std::marker::PhantomData;
use std::time::Duration;

/// The ring with writers `C` and readers that wait as `W` says.
pub struct Ours<C, W>(PhantomData<(C, W)>);

/// The ring inside the blocking wrapper.
pub struct Wrapped<C>(PhantomData<C>);

pub struct OurTx<P>(pub P);
pub struct OurRx<R>(pub R);

/// A fixed microsecond between two looks, as the peers' pausing readers do it: the default strategy without its
/// judgement.
#[derive(Debug, Default)]
pub struct Pause(crate::harness::Pausing);

impl std::fmt::Debug for crate::harness::Pausing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pausing")
    }
}

impl WaitStrategy for Pause {
    #[inline]
    fn idle(&mut self) -> Idle {
        self.0.idle();
        Idle::Again
    }
}

fn options(shape: Shape) -> RingOptions {
    // A machine that takes this thread off its core for a second must not spoil a comparison.
    RingOptions { capacity: shape.bytes, silent_after: Duration::from_secs(60), ..RingOptions::default() }
}

fn ends<B: MessageBus, const N: usize>(bus: &B, shape: Shape) -> Ends<OurTx<B::BusWriter>, OurRx<B::Reader>> {
    let writers = (0..shape.writers).map(|_| made(OurTx(bus.writer().expect("a writer"))));
    let readers = (0..shape.readers).map(|_| made(OurRx(bus.subscribe("bench").expect("a reader"))));
    (writers.collect(), readers.collect())
}

impl<const N: usize, C: Claim, W: WaitStrategy> Contestant<N> for Ours<C, W> {
    type Tx = OurTx<<CircularBus<C, W> as MessageBus>::BusWriter>;
    type Rx = OurRx<<CircularBus<C, W> as MessageBus>::Reader>;

    fn open(shape: Shape) -> Ends<Self::Tx, Self::Rx> {
        let bus = CircularBus::<C, W>::with_options(options(shape)).expect("a ring");
        ends::<_, N>(&bus, shape)
    }
}

impl<const N: usize, C: Claim> Contestant<N> for Wrapped<C> {
    type Tx = OurTx<<CondvarBus<CircularBus<C>> as MessageBus>::BusWriter>;
    type Rx = OurRx<<CondvarBus<CircularBus<C>> as MessageBus>::Reader>;

    fn open(shape: Shape) -> Ends<Self::Tx, Self::Rx> {
        let bus = CondvarBus::new(CircularBus::<C>::with_options(options(shape)).expect("a ring"));
        ends::<_, N>(&bus, shape)
    }
}

impl<const N: usize, P: Publish> Tx<N> for OurTx<P> {
    #[inline(always)]
    fn send(&mut self, message: &Message<N>) {
        self.0.write_bytes(1, 2, &message.0).expect("a committed message");
    }
}

impl<R: Reader> OurRx<R> {
    #[inline(always)]
    fn batch<const N: usize>(&mut self, check: &mut Check<N>) -> Result<usize, ReadError> {
        self.0.try_read_up_to(64, |_, payload| {
            check.accept(payload);
            Next::Go
        })
    }
}

impl<const N: usize, R: Reader> Rx<N> for OurRx<R> {
    #[inline(always)]
    fn drain(&mut self, check: &mut Check<N>) -> bool {
        let before = check.count;
        match self.batch(check) {
            Ok(_) | Err(ReadError::Empty) => check.count != before,
            Err(error) => panic!("{error}"),
        }
    }

    #[inline(always)]
    fn run<W: Waiting>(&mut self, check: &mut Check<N>, until: u64, _: &mut W) {
        while check.count < until {
            match self.batch(check) {
                Ok(_) => {}
                // Perhaps behind the last one, after which nobody writes.
                Err(ReadError::Empty) if check.count == until => {}
                Err(ReadError::Empty) => self.0.wait(None),
                Err(error) => panic!("{error}"),
            }
        }
    }
}
