//! The peers, each by its fastest way to be polled, and by its own blocking call where it has one.
//!
//! Payloads of up to 1 KiB travel by value. Larger ones are boxed by the queues that would move them, and written in
//! place where the peer can do that (disruptor, thingbuf, iceoryx2).

use crate::harness::{Check, Contestant, Ends, Maker, Message, Rx, Shape, Spinning, Tx, Waiting, made};
use disruptor::{BusySpin, Producer};
use std::marker::PhantomData;
use std::sync::Arc;

/// A payload that lives in a slot.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub struct Block<const N: usize>(pub [u8; N]);

impl<const N: usize> Default for Block<N> {
    fn default() -> Self {
        Block([0; N])
    }
}

/// A payload that a queue moves.
pub trait Value: Clone + Send + Sync + 'static {
    fn of(bytes: &[u8]) -> Self;
    fn bytes(&self) -> &[u8];
}

impl<const N: usize> Value for Block<N> {
    #[inline(always)]
    fn of(bytes: &[u8]) -> Self {
        Block(bytes.try_into().expect("a message"))
    }

    #[inline(always)]
    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Value for Box<[u8]> {
    #[inline(always)]
    fn of(bytes: &[u8]) -> Self {
        bytes.into()
    }

    #[inline(always)]
    fn bytes(&self) -> &[u8] {
        self
    }
}

/// Tries until it works, and keeps off the core now and then while it does not.
#[inline(always)]
fn until_sent<T>(mut value: T, mut attempt: impl FnMut(T) -> Result<(), T>) {
    let mut waiting = Spinning::default();
    while let Err(back) = attempt(value) {
        value = back;
        waiting.idle();
    }
}

// ------------------------------------------------------------------------------------------------------- disruptor

pub struct DisruptorTx<P>(P);
pub struct DisruptorRx<E, B>(disruptor::EventPoller<E, B>);

impl<const N: usize, P: Producer<Block<N>>> Tx<N> for DisruptorTx<P> {
    #[inline(always)]
    fn send(&mut self, message: &Message<N>) {
        let mut waiting = Spinning::default();
        while self.0.try_publish(|event| event.0.copy_from_slice(&message.0)).is_err() {
            waiting.idle();
        }
    }
}

macro_rules! disruptor {
    ($(#[$doc:meta])* $name:ident, $build:ident, $producer:ident, $barrier:ident, $consumers:ident, $readers:pat, |$builder:ident, $writers:ident| $open:block) => {
        $(#[$doc])*
        pub struct $name;

        impl<const N: usize> Contestant<N> for $name {
            type Tx = DisruptorTx<disruptor::$producer<Block<N>, disruptor::$consumers>>;
            type Rx = DisruptorRx<Block<N>, disruptor::$barrier>;

            fn open(shape: Shape) -> Ends<Self::Tx, Self::Rx> {
                assert!(matches!(shape.readers, $readers));
                let $builder = disruptor::$build(shape.slots, || Block([0; N]), BusySpin);
                let $writers = shape.writers;
                let (producers, pollers) = $open;
                let writers = producers.into_iter().map(|producer| made(DisruptorTx(producer)));
                (writers.collect(), pollers.into_iter().map(|poller| made(DisruptorRx(poller))).collect())
            }
        }
    };
}

macro_rules! disruptor_reader {
    ($barrier:ident) => {
        impl<const N: usize> Rx<N> for DisruptorRx<Block<N>, disruptor::$barrier> {
            #[inline(always)]
            fn drain(&mut self, check: &mut Check<N>) -> bool {
                let Ok(mut events) = self.0.poll() else { return false };
                for event in &mut events {
                    check.accept(&event.0);
                }
                true
            }
        }
    };
}

disruptor_reader!(SingleProducerBarrier);
disruptor_reader!(MultiProducerBarrier);

disruptor!(
    /// One producer, one reader.
    DisruptorSingle, build_single_producer, SingleProducer, SingleProducerBarrier, SingleConsumerBarrier, 1,
    |builder, writers| {
        assert_eq!(writers, 1);
        let (poller, builder) = builder.new_event_poller();
        (vec![builder.build()], vec![poller])
    }
);
disruptor!(
    /// One producer, three readers that each see everything.
    DisruptorSingle3, build_single_producer, SingleProducer, SingleProducerBarrier, MultiConsumerBarrier, 3,
    |builder, writers| {
        assert_eq!(writers, 1);
        let (first, builder) = builder.new_event_poller();
        let (second, builder) = builder.new_event_poller();
        let (third, builder) = builder.new_event_poller();
        (vec![builder.build()], vec![first, second, third])
    }
);
disruptor!(
    /// Any number of producers, one reader.
    DisruptorMulti, build_multi_producer, MultiProducer, MultiProducerBarrier, SingleConsumerBarrier, 1,
    |builder, writers| {
        let (poller, builder) = builder.new_event_poller();
        (vec![builder.build(); writers], vec![poller])
    }
);
disruptor!(
    /// Any number of producers, three readers.
    DisruptorMulti3, build_multi_producer, MultiProducer, MultiProducerBarrier, MultiConsumerBarrier, 3,
    |builder, writers| {
        let (first, builder) = builder.new_event_poller();
        let (second, builder) = builder.new_event_poller();
        let (third, builder) = builder.new_event_poller();
        (vec![builder.build(); writers], vec![first, second, third])
    }
);

// ------------------------------------------------------------------------------------------------------ queues

/// A queue whose ends are `$tx` and `$rx`, both generic over the value.
macro_rules! queue {
    (
        $(#[$doc:meta])* $name:ident, $tx:ident($tx_type:ty), $rx:ident($rx_type:ty),
        open: |$shape:ident| $open:expr,
        send: |$sender:ident, $value:ident| $send:expr,
        drain: |$receiver:ident, $accept:ident| $drain:expr,
        block: |$blocking:ident| $block:expr $(,)?
    ) => {
        $(#[$doc])*
        pub struct $name<V>(PhantomData<V>);
        pub struct $tx<V: Value>($tx_type);
        pub struct $rx<V: Value>($rx_type);

        impl<const N: usize, V: Value> Contestant<N> for $name<V> {
            type Tx = $tx<V>;
            type Rx = $rx<V>;

            fn open($shape: Shape) -> Ends<Self::Tx, Self::Rx> {
                let (writers, readers): (Vec<$tx_type>, Vec<$rx_type>) = $open;
                let writers = writers.into_iter().map(|writer| made($tx(writer)));
                (writers.collect(), readers.into_iter().map(|reader| made($rx(reader))).collect())
            }
        }

        impl<const N: usize, V: Value> Tx<N> for $tx<V> {
            #[inline(always)]
            fn send(&mut self, message: &Message<N>) {
                let $sender = &mut self.0;
                until_sent(V::of(&message.0), |$value| $send);
            }
        }

        impl<const N: usize, V: Value> Rx<N> for $rx<V> {
            #[inline(always)]
            fn drain(&mut self, check: &mut Check<N>) -> bool {
                let $receiver = &mut self.0;
                let before = check.count;
                let mut $accept = |value: V| check.accept(value.bytes());
                $drain;
                check.count != before
            }

            fn block(&mut self, check: &mut Check<N>) {
                let $blocking = &mut self.0;
                let value: Option<V> = $block;
                check.accept(value.expect("a peer that blocks, and a writer").bytes());
            }
        }
    };
}

queue! {
    /// rtrb, reading by chunks: one index store per batch.
    Rtrb, RtrbTx(rtrb::Producer<V>), RtrbRx(rtrb::Consumer<V>),
    open: |shape| {
        let (tx, rx) = rtrb::RingBuffer::new(shape.slots);
        (vec![tx], vec![rx])
    },
    send: |tx, value| tx.push(value).map_err(|rtrb::PushError::Full(value)| value),
    drain: |rx, accept| {
        let there = rx.slots();
        if there != 0 && let Ok(chunk) = rx.read_chunk(there) {
            chunk.into_iter().for_each(&mut accept);
        }
    },
    block: |_polled_only| None,
}

queue! {
    Array, ArrayTx(Arc<crossbeam_queue::ArrayQueue<V>>), ArrayRx(Arc<crossbeam_queue::ArrayQueue<V>>),
    open: |shape| {
        let queue = Arc::new(crossbeam_queue::ArrayQueue::new(shape.slots));
        (vec![Arc::clone(&queue); shape.writers], vec![queue])
    },
    send: |queue, value| queue.push(value),
    drain: |queue, accept| while let Some(value) = queue.pop() { accept(value) },
    block: |_polled_only| None,
}

queue! {
    Crossbeam, CrossbeamTx(crossbeam_channel::Sender<V>), CrossbeamRx(crossbeam_channel::Receiver<V>),
    open: |shape| {
        let (tx, rx) = crossbeam_channel::bounded(shape.slots);
        (vec![tx; shape.writers], vec![rx])
    },
    send: |tx, value| tx.try_send(value).map_err(crossbeam_channel::TrySendError::into_inner),
    drain: |rx, accept| while let Ok(value) = rx.try_recv() { accept(value) },
    block: |rx| rx.recv().ok(),
}

queue! {
    Kanal, KanalTx(kanal::Sender<V>), KanalRx(kanal::Receiver<V>),
    open: |shape| {
        let (tx, rx) = kanal::bounded(shape.slots);
        (vec![tx; shape.writers], vec![rx])
    },
    send: |tx, value| {
        let mut value = Some(value);
        tx.try_send_option(&mut value).expect("a receiver");
        value.map_or(Ok(()), Err)
    },
    drain: |rx, accept| while let Ok(Some(value)) = rx.try_recv() { accept(value) },
    block: |rx| rx.recv().ok(),
}

queue! {
    StdMpsc, StdMpscTx(std::sync::mpsc::SyncSender<V>), StdMpscRx(std::sync::mpsc::Receiver<V>),
    open: |shape| {
        let (tx, rx) = std::sync::mpsc::sync_channel(shape.slots);
        (vec![tx; shape.writers], vec![rx])
    },
    send: |tx, value| tx.try_send(value).map_err(|error| match error {
        std::sync::mpsc::TrySendError::Full(value) | std::sync::mpsc::TrySendError::Disconnected(value) => value,
    }),
    drain: |rx, accept| while let Ok(value) = rx.try_recv() { accept(value) },
    block: |rx| rx.recv().ok(),
}

queue! {
    Flume, FlumeTx(flume::Sender<V>), FlumeRx(flume::Receiver<V>),
    open: |shape| {
        let (tx, rx) = flume::bounded(shape.slots);
        (vec![tx; shape.writers], vec![rx])
    },
    send: |tx, value| tx.try_send(value).map_err(flume::TrySendError::into_inner),
    drain: |rx, accept| while let Ok(value) = rx.try_recv() { accept(value) },
    block: |rx| rx.recv().ok(),
}

queue! {
    /// bus: one writer, each reader gets a clone.
    Bus, BusTx(bus::Bus<V>), BusRx(bus::BusReader<V>),
    open: |shape| {
        let mut bus = bus::Bus::new(shape.slots);
        let readers = (0..shape.readers).map(|_| bus.add_rx()).collect();
        (vec![bus], readers)
    },
    send: |bus, value| bus.try_broadcast(value),
    drain: |rx, accept| while let Ok(value) = rx.try_recv() { accept(value) },
    block: |rx| rx.recv().ok(),
}

// --------------------------------------------------------------------------------------------------------- thingbuf

/// thingbuf: values stay in their slots.
pub struct Thingbuf;
pub struct ThingbufTx<E>(thingbuf::mpsc::blocking::Sender<E, Keep>);
pub struct ThingbufRx<E>(thingbuf::mpsc::blocking::Receiver<E, Keep>);

/// Leaves a slot as it is: the next message overwrites it all.
#[derive(Clone, Copy, Debug)]
pub struct Keep;

impl<const N: usize> thingbuf::Recycle<Block<N>> for Keep {
    fn new_element(&self) -> Block<N> {
        Block([0; N])
    }

    fn recycle(&self, _: &mut Block<N>) {}
}

impl<const N: usize> Contestant<N> for Thingbuf {
    type Tx = ThingbufTx<Block<N>>;
    type Rx = ThingbufRx<Block<N>>;

    fn open(shape: Shape) -> Ends<Self::Tx, Self::Rx> {
        let (tx, rx) = thingbuf::mpsc::blocking::with_recycle(shape.slots, Keep);
        let writers = (0..shape.writers).map(|_| made(ThingbufTx(tx.clone())));
        (writers.collect(), vec![made(ThingbufRx(rx))])
    }
}

impl<const N: usize> Tx<N> for ThingbufTx<Block<N>> {
    #[inline(always)]
    fn send(&mut self, message: &Message<N>) {
        let mut waiting = Spinning::default();
        loop {
            if let Ok(mut slot) = self.0.try_send_ref() {
                slot.0.copy_from_slice(&message.0);
                return;
            }
            waiting.idle();
        }
    }
}

impl<const N: usize> Rx<N> for ThingbufRx<Block<N>> {
    #[inline(always)]
    fn drain(&mut self, check: &mut Check<N>) -> bool {
        let before = check.count;
        while let Ok(slot) = self.0.try_recv_ref() {
            check.accept(&slot.0);
        }
        check.count != before
    }

    fn block(&mut self, check: &mut Check<N>) {
        check.accept(&self.0.recv_ref().expect("a sender").0);
    }
}

// ------------------------------------------------------------------------------------------------------------ tokio

/// tokio's broadcast channel, polled: it overwrites what a slow reader has not read, and says how much.
pub struct TokioBroadcast<V>(PhantomData<V>);
pub struct TokioTx<V>(tokio::sync::broadcast::Sender<V>);
pub struct TokioRx<V>(tokio::sync::broadcast::Receiver<V>);

impl<const N: usize, V: Value> Contestant<N> for TokioBroadcast<V> {
    type Tx = TokioTx<V>;
    type Rx = TokioRx<V>;

    fn open(shape: Shape) -> Ends<Self::Tx, Self::Rx> {
        let (tx, _) = tokio::sync::broadcast::channel(shape.slots);
        let readers = (0..shape.readers).map(|_| made(TokioRx(tx.subscribe()))).collect();
        (vec![made(TokioTx(tx))], readers)
    }
}

impl<const N: usize, V: Value> Tx<N> for TokioTx<V> {
    #[inline(always)]
    fn send(&mut self, message: &Message<N>) {
        assert!(self.0.send(V::of(&message.0)).is_ok(), "a receiver");
    }
}

impl<const N: usize, V: Value> Rx<N> for TokioRx<V> {
    #[inline(always)]
    fn drain(&mut self, check: &mut Check<N>) -> bool {
        use tokio::sync::broadcast::error::TryRecvError;
        let before = check.count;
        loop {
            match self.0.try_recv() {
                Ok(value) => check.accept(value.bytes()),
                Err(TryRecvError::Lagged(messages)) => check.lagged(messages),
                Err(_) => return check.count != before,
            }
        }
    }
}

// --------------------------------------------------------------------------------------------------------- iceoryx2

/// iceoryx2's publish-subscribe within the process, without overflow: the publisher retries until there is room.
pub struct Iceoryx;

/// Of services within a process, and between processes.
pub type Local = iceoryx2::prelude::local::Service;
pub type Ipc = iceoryx2::prelude::ipc::Service;

type IceoryxPort<S, const N: usize> =
    iceoryx2::service::port_factory::publish_subscribe::PortFactory<S, Payload<N>, ()>;

#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub struct Payload<const N: usize>([u8; N]);

// SAFETY: plain bytes without pointers, of one layout everywhere.
unsafe impl<const N: usize> iceoryx2::prelude::ZeroCopySend for Payload<N> {}

pub struct IceoryxTx<S: iceoryx2::service::Service, const N: usize> {
    publisher: iceoryx2::port::publisher::Publisher<S, Payload<N>, ()>,
    _service: IceoryxPort<S, N>,
}

pub struct IceoryxRx<S: iceoryx2::service::Service, const N: usize> {
    subscriber: iceoryx2::port::subscriber::Subscriber<S, Payload<N>, ()>,
    _service: IceoryxPort<S, N>,
}

fn iceoryx_service<S: iceoryx2::service::Service, const N: usize>(name: &str, shape: Shape) -> IceoryxPort<S, N> {
    use iceoryx2::prelude::{LogLevel, NodeBuilder, set_log_level};
    set_log_level(LogLevel::Error);
    let node = NodeBuilder::new().create::<S>().expect("a node");
    node.service_builder(&name.try_into().expect("a name"))
        .publish_subscribe::<Payload<N>>()
        .enable_safe_overflow(false)
        .history_size(0)
        // More slots than these take long to set up and make no message faster.
        .subscriber_max_buffer_size(shape.slots.min(1024))
        .max_publishers(shape.writers)
        .max_subscribers(shape.readers)
        .open_or_create()
        .expect("a service")
}

impl<S: iceoryx2::service::Service, const N: usize> IceoryxTx<S, N> {
    pub fn of(name: &str, shape: Shape) -> Self {
        use iceoryx2::prelude::BackpressureStrategy;
        let service = iceoryx_service(name, shape);
        let builder = service.publisher_builder().backpressure_strategy(BackpressureStrategy::RetryUntilDelivered);
        IceoryxTx { publisher: builder.create().expect("a publisher"), _service: service }
    }
}

impl<S: iceoryx2::service::Service, const N: usize> IceoryxRx<S, N> {
    pub fn of(name: &str, shape: Shape) -> Self {
        let service = iceoryx_service(name, shape);
        IceoryxRx { subscriber: service.subscriber_builder().create().expect("a subscriber"), _service: service }
    }
}

impl<const N: usize> Contestant<N> for Iceoryx {
    type Tx = IceoryxTx<Local, N>;
    type Rx = IceoryxRx<Local, N>;

    fn open(shape: Shape) -> Ends<Self::Tx, Self::Rx> {
        use std::sync::atomic::{AtomicU64, Ordering};
        static RUN: AtomicU64 = AtomicU64::new(0);
        let name = format!("compare/{}/{}", std::process::id(), RUN.fetch_add(1, Ordering::Relaxed));
        let (writer_name, reader_name) = (name.clone(), name);
        let writer = Box::new(move || IceoryxTx::of(&writer_name, shape));
        let readers = (0..shape.readers).map(|_| {
            let name = reader_name.clone();
            Box::new(move || IceoryxRx::of(&name, shape)) as Maker<Self::Rx>
        });
        (vec![writer], readers.collect())
    }
}

impl<S: iceoryx2::service::Service, const N: usize> Tx<N> for IceoryxTx<S, N> {
    #[inline(always)]
    fn send(&mut self, message: &Message<N>) {
        let sample = self.publisher.loan_uninit().expect("a sample").write_payload(Payload(message.0));
        sample.send().expect("a delivered sample");
    }
}

impl<S: iceoryx2::service::Service, const N: usize> Rx<N> for IceoryxRx<S, N> {
    #[inline(always)]
    fn drain(&mut self, check: &mut Check<N>) -> bool {
        let before = check.count;
        while let Some(sample) = self.subscriber.receive().expect("a connection") {
            check.accept(&sample.payload().0);
        }
        check.count != before
    }
}
