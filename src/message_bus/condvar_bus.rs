//! [`CondvarBus`]: any bus, with readers that block at once.

use super::wait::{self, Park, Sleeper, Waiters};
use crate::sync::{Arc, AtomicU64, CachePadded, Ordering};
use crate::traits::{
    Begin, BusWriter, CursorError, Header, Import, ImportError, Interest, MessageBus, Next, NoWriter, Payload, Poller,
    Publish, ReadError, Reader, Recorded, RequeueError, State, Stats, SubscribeError, Time, Unread, WriteError,
};
use std::time::Duration;

/// A wrapper around a bus whose readers block: a read that finds no message sleeps on a condition variable at once, and
/// a write wakes all sleepers. While nobody sleeps, a write pays one load for that.
///
/// A [`CircularBus`](super::CircularBus) can also sleep by itself, after it has spun. This wrapper never spins, and
/// adds sleeping to a bus that has none. Around a ring that processes share its readers sleep at once, but in the
/// ring's own way: whoever is on the ring wakes them.
///
/// ```
/// use rust_messenger::message_bus::{CircularBus, CondvarBus};
/// use rust_messenger::traits::{MessageBus, Publish, Reader};
///
/// let bus = CondvarBus::new(CircularBus::new(64 * 1024)?);
/// let mut reader = bus.subscribe("example")?;
/// bus.writer()?.write_bytes(1, 2, b"hello")?;
/// assert_eq!(reader.read(|_, payload| payload.to_vec())?, b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct CondvarBus<B> {
    bus: B,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    waiters: Waiters,
    /// Whether somebody sleeps until a message comes: see `Waiters::nobody`.
    message_sleepers: CachePadded<AtomicU64>,
    /// Whether somebody sleeps until room comes free.
    room_sleepers: CachePadded<AtomicU64>,
    /// How often [`MessageBus::wake`] was called.
    wakes: CachePadded<AtomicU64>,
}

/// Held beside a wrapped reader or writer, and dropped after it: whoever leaves may make room.
#[derive(Debug)]
struct Link(Arc<Shared>);

impl Drop for Link {
    fn drop(&mut self) {
        self.0.notify_room();
    }
}

impl<B: MessageBus> CondvarBus<B> {
    /// Wraps `bus`. From then on use no reader or writer of `bus` itself: they would wake nobody. On a ring that
    /// processes share you may: its readers sleep in the ring's own way.
    pub fn new(bus: B) -> CondvarBus<B> {
        let waiters = Waiters::new();
        let word = |first| CachePadded::new(AtomicU64::new(first));
        let (message_sleepers, room_sleepers) = (word(waiters.nobody()), word(waiters.nobody()));
        CondvarBus { bus, shared: Arc::new(Shared { waiters, message_sleepers, room_sleepers, wakes: word(0) }) }
    }

    fn link(&self) -> Link {
        Link(Arc::clone(&self.shared))
    }

    fn wrap_reader(&self, reader: B::Reader) -> CondvarReader<B> {
        let wakes = self.shared.wakes.load(Ordering::Acquire); // SYNC POINT bus.wake
        CondvarReader { reader, link: self.link(), bus: self.bus.clone(), wakes, patience: wait::Patience::default() }
    }
}

impl<B: MessageBus> MessageBus for CondvarBus<B> {
    type Reader = CondvarReader<B>;
    type BusWriter = CondvarWriter<B>;

    const MANY_WRITERS: bool = B::MANY_WRITERS;

    fn is_shared(&self) -> bool {
        self.bus.is_shared()
    }

    fn park(
        &self,
        poller: Option<&std::sync::Arc<dyn Poller>>,
        interest: Interest,
        limit: Option<Duration>,
        ready: &mut dyn FnMut() -> bool,
    ) -> bool {
        self.bus.park(poller, interest, limit, ready)
    }

    fn subscribe(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        Ok(self.wrap_reader(self.bus.subscribe(name)?))
    }

    fn subscribe_latest(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        Ok(self.wrap_reader(self.bus.subscribe_latest(name)?))
    }

    fn subscribe_evictable(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        Ok(self.wrap_reader(self.bus.subscribe_evictable(name)?))
    }

    fn subscribe_held(&self, name: &str, from: Option<u64>) -> Result<Self::Reader, SubscribeError> {
        Ok(self.wrap_reader(self.bus.subscribe_held(name, from)?))
    }

    fn released(&self) -> u64 {
        self.bus.released()
    }

    fn writer(&self) -> Result<Self::BusWriter, NoWriter> {
        Ok(CondvarWriter { writer: self.bus.writer()?, link: self.link(), bus: self.bus.clone() })
    }

    fn worker_writer(&self, reader: &Self::Reader) -> Result<Self::BusWriter, NoWriter> {
        let writer = self.bus.worker_writer(&reader.reader)?;
        Ok(CondvarWriter { writer, link: self.link(), bus: self.bus.clone() })
    }

    fn importer(&self, node: &str, incarnation: u64) -> Result<Box<dyn Import>, ImportError> {
        Ok(Box::new(CondvarImporter { importer: self.bus.importer(node, incarnation)?, link: self.link() }))
    }

    fn requeue(&self, position: u64) -> Result<(), RequeueError> {
        let requeued = self.bus.requeue(position);
        self.shared.notify_messages();
        requeued
    }

    fn close(&self) {
        self.bus.close();
        self.wake();
    }

    fn drains(&self) {
        self.bus.drains();
    }

    fn wake(&self) {
        self.bus.wake();
        self.shared.wakes.fetch_add(1, Ordering::AcqRel); // SYNC POINT bus.wake
        self.shared.notify_messages();
        self.shared.notify_room();
    }

    fn tail(&self) -> u64 {
        self.bus.tail()
    }

    fn max_payload(&self) -> usize {
        self.bus.max_payload()
    }

    fn stats(&self) -> Stats {
        self.bus.stats()
    }
}

impl Shared {
    #[inline]
    fn notify_messages(&self) {
        self.waiters.notify(&self.message_sleepers);
    }

    #[inline]
    fn notify_room(&self) {
        self.waiters.notify(&self.room_sleepers);
    }

    fn sleepers(&self, interest: Interest) -> [&AtomicU64; 2] {
        let messages = &*self.message_sleepers;
        [messages, if interest == Interest::Room { &self.room_sleepers } else { messages }]
    }
}

/// How long a sleep for room may last at most: an evictable reader that lets go of a slot it only looked at wakes
/// nobody.
fn unannounced_room<B: MessageBus>(bus: &B, interest: Interest) -> Option<Duration> {
    let evictable = interest == Interest::Room && bus.stats().readers.iter().any(|reader| reader.evictable);
    evictable.then_some(Duration::from_millis(1))
}

/// A reader of a [`CondvarBus`].
#[derive(Debug)]
pub struct CondvarReader<B: MessageBus> {
    reader: B::Reader,
    link: Link,
    bus: B,
    /// The wakes that were noticed.
    wakes: u64,
    patience: wait::Patience,
}

impl<B: MessageBus> Reader for CondvarReader<B> {
    #[inline]
    fn try_read<R>(&mut self, deliver: impl FnOnce(&Header, &[u8]) -> R) -> Result<R, ReadError> {
        let result = self.reader.try_read(deliver);
        // The wrapped reader may have released what it read.
        self.link.0.notify_room();
        result
    }

    #[inline]
    fn try_handle(&mut self, handle: impl FnOnce(&Header, &[u8]) -> bool) -> Result<bool, ReadError> {
        let result = self.reader.try_handle(handle);
        self.link.0.notify_room();
        result
    }

    #[inline]
    fn try_read_up_to(
        &mut self,
        most: usize,
        mut handle: impl FnMut(&Header, &[u8]) -> Next,
    ) -> Result<usize, ReadError> {
        let link = &*self.link.0;
        let result = self.reader.try_read_up_to(most, |header, payload| {
            // It may have released what it read before, and this may take long.
            link.notify_room();
            handle(header, payload)
        });
        link.notify_room();
        result
    }

    fn try_read_recorded(
        &mut self,
        most: usize,
        mut handle: impl FnMut(&Header, Option<Recorded>, &[u8]) -> Next,
    ) -> Result<usize, ReadError> {
        let link = &*self.link.0;
        let result = self.reader.try_read_recorded(most, |header, recorded, payload| {
            link.notify_room();
            handle(header, recorded, payload)
        });
        link.notify_room();
        result
    }

    fn ready(&mut self) -> bool {
        self.reader.ready()
    }

    fn wait_until(&mut self, timeout: Option<Duration>, interest: Interest, done: impl FnMut(&mut Self) -> bool) {
        self.release();
        wait::wait_until(self, &mut Park, interest, timeout, done);
        self.wakes = self.link.0.wakes.load(Ordering::Acquire); // SYNC POINT bus.wake
    }

    fn wait_in(
        &mut self,
        poller: &std::sync::Arc<dyn Poller>,
        timeout: Option<Duration>,
        interest: Interest,
        done: impl FnMut(&mut Self) -> bool,
    ) {
        self.release();
        let mut patience = std::mem::take(&mut self.patience);
        wait::wait_in(self, &mut patience, poller, interest, timeout, done);
        self.patience = patience;
        self.wakes = self.link.0.wakes.load(Ordering::Acquire); // SYNC POINT bus.wake
    }

    fn unblock(&mut self) -> Option<Duration> {
        self.reader.unblock()
    }

    #[inline]
    fn is_replaying(&self) -> bool {
        self.reader.is_replaying()
    }

    fn rebuilds(&self) -> bool {
        self.reader.rebuilds()
    }

    fn begin(&mut self) -> Option<Begin> {
        self.reader.begin()
    }

    fn begin_instead(&mut self, why: &str) -> Option<Begin> {
        self.reader.begin_instead(why)
    }

    fn keep(&mut self, states: Vec<State>) -> Result<(), String> {
        self.reader.keep(states)
    }

    fn supervise(
        &mut self,
        worker: &'static str,
        sources: Option<Vec<(u16, &'static str)>>,
    ) -> Result<bool, CursorError> {
        self.reader.supervise(worker, sources)
    }

    fn begin_again(&mut self, in_hand: Option<(u64, bool)>) -> bool {
        self.reader.begin_again(in_hand)
    }

    fn skip_dead(&mut self) -> Option<u64> {
        self.reader.skip_dead()
    }

    #[inline]
    fn position(&self) -> u64 {
        self.reader.position()
    }

    #[inline]
    fn release(&mut self) {
        self.reader.release();
        self.link.0.notify_room();
    }

    fn release_to(&mut self, position: u64) -> Result<(), CursorError> {
        let released = self.reader.release_to(position);
        self.link.0.notify_room();
        released
    }

    fn rewind_to(&mut self, position: u64) -> Result<(), CursorError> {
        self.reader.rewind_to(position)
    }

    fn abandon(self) {
        self.reader.abandon();
    }

    fn unread(&mut self, end: u64, patience: Duration) -> Unread {
        let unread = self.reader.unread(end, patience);
        self.link.0.notify_room();
        unread
    }
}

impl<B: MessageBus> Sleeper for CondvarReader<B> {
    fn woken(&self) -> bool {
        self.link.0.wakes.load(Ordering::Acquire) != self.wakes // SYNC POINT bus.wake
    }

    fn park(
        &mut self,
        poller: Option<&std::sync::Arc<dyn Poller>>,
        interest: Interest,
        limit: Option<Duration>,
        mut ready: impl FnMut(&mut Self) -> bool,
    ) {
        let shared = Arc::clone(&self.link.0);
        if self.bus.is_shared() {
            // Other processes notify the bus itself, and not what is around it here.
            let bus = self.bus.clone();
            bus.park(poller, interest, limit, &mut || ready(self));
            return;
        }
        let limit = [limit, unannounced_room(&self.bus, interest)].into_iter().flatten().min();
        let sleepers = shared.sleepers(interest);
        match poller {
            None => _ = shared.waiters.park(&sleepers, interest, limit, || ready(self)),
            Some(poller) => shared.waiters.park_in(poller, &sleepers, limit, || ready(self)),
        }
    }
}

/// A writer of a [`CondvarBus`].
#[derive(Debug)]
pub struct CondvarWriter<B: MessageBus> {
    writer: B::BusWriter,
    link: Link,
    bus: B,
}

/// Wakes readers when a slot is finished, in whatever way it was.
struct Notify<'a>(&'a Shared);

impl Drop for Notify<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.notify_messages();
    }
}

impl<B: MessageBus> Publish for CondvarWriter<B> {
    #[inline]
    fn try_put<P: Payload>(&self, source: u16, message: u16, payload: &mut P) -> Result<(), WriteError> {
        let _notify = Notify(&self.link.0);
        self.writer.try_put(source, message, payload)
    }

    fn wait_for_room(&self, size: usize) {
        self.await_room(size, None);
    }

    fn wait_for_room_at_most(&self, size: usize, timeout: Duration) {
        self.await_room(size, Some(timeout));
    }
}

impl<B: MessageBus> CondvarWriter<B> {
    /// Sleeps until there is room, for `timeout` at most.
    fn await_room(&self, size: usize, timeout: Option<Duration>) {
        let shared = &*self.link.0;
        if self.bus.is_shared() {
            self.bus.park(None, Interest::Room, timeout, &mut || self.writer.has_room(size));
            return;
        }
        let limit = [timeout, unannounced_room(&self.bus, Interest::Room)].into_iter().flatten().min();
        shared.waiters.park(&shared.sleepers(Interest::Room), Interest::Room, limit, || self.writer.has_room(size));
    }
}

/// An importer of a [`CondvarBus`].
struct CondvarImporter {
    importer: Box<dyn Import>,
    link: Link,
}

impl Import for CondvarImporter {
    fn last(&self) -> Option<u64> {
        self.importer.last()
    }

    fn try_write(&mut self, position: u64, source: u16, message: u16, payload: &[u8]) -> Result<(), ImportError> {
        let _notify = Notify(&self.link.0);
        self.importer.try_write(position, source, message, payload)
    }

    fn wait_for_room_at_most(&self, size: usize, timeout: Duration) {
        // Whoever makes room tells this bus only, so look again from time to time.
        self.importer.wait_for_room_at_most(size, timeout.min(Duration::from_millis(1)));
    }
}

impl<B: MessageBus> BusWriter for CondvarWriter<B> {
    fn take_ticket(&self) {
        self.writer.take_ticket();
    }

    fn give_up_ticket(&self) {
        self.writer.give_up_ticket();
        self.link.0.notify_room();
    }

    fn is_slowest(&self) -> bool {
        self.writer.is_slowest()
    }

    fn has_room(&self, size: usize) -> bool {
        self.writer.has_room(size)
    }

    fn record_outbox(&self, bytes: usize) {
        self.writer.record_outbox(bytes);
    }

    fn written(&self) -> u64 {
        self.writer.written()
    }

    #[inline]
    fn time(&self) -> Option<Time> {
        self.writer.time()
    }

    #[inline]
    fn settle(&self) -> Result<(), WriteError> {
        self.writer.settle()
    }
}

impl<B: MessageBus<BusWriter: Clone>> Clone for CondvarWriter<B> {
    fn clone(&self) -> Self {
        CondvarWriter { writer: self.writer.clone(), link: Link(Arc::clone(&self.link.0)), bus: self.bus.clone() }
    }
}
