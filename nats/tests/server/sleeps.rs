//! How a bridge sleeps, counted by a bus that is asked to wake it.

use crate::support::{DEADLINE, Server, catalog, in_memory, is_there, names, sending, store, wait_until, write};
use rust_messenger::CircularBus;
use rust_messenger::traits::{
    CursorError, Header, Interest, MessageBus, Next, NoWriter, Poller, Publish, ReadError, Reader, Recorded, Stats,
    SubscribeError,
};
use rust_messenger_nats::protocol::Limits;
use rust_messenger_nats::{BridgeOptions, Inlet, Outlet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

type Ring = CircularBus;

#[derive(Clone)]
struct Counting {
    ring: Ring,
    /// How often somebody has asked to be woken, by writers or by readers that let something go.
    asked: Arc<AtomicU64>,
}

struct CountingReader {
    reader: <Ring as MessageBus>::Reader,
    asked: Arc<AtomicU64>,
}

impl Counting {
    fn reader(
        &self,
        reader: Result<<Ring as MessageBus>::Reader, SubscribeError>,
    ) -> Result<CountingReader, SubscribeError> {
        Ok(CountingReader { reader: reader?, asked: self.asked.clone() })
    }
}

impl Reader for CountingReader {
    fn try_read<R>(&mut self, deliver: impl FnOnce(&Header, &[u8]) -> R) -> Result<R, ReadError> {
        self.reader.try_read(deliver)
    }

    fn try_read_up_to(&mut self, most: usize, handle: impl FnMut(&Header, &[u8]) -> Next) -> Result<usize, ReadError> {
        self.reader.try_read_up_to(most, handle)
    }

    fn try_read_recorded(
        &mut self,
        most: usize,
        handle: impl FnMut(&Header, Option<Recorded>, &[u8]) -> Next,
    ) -> Result<usize, ReadError> {
        self.reader.try_read_recorded(most, handle)
    }

    fn ready(&mut self) -> bool {
        self.reader.ready()
    }

    fn wait_until(&mut self, timeout: Option<Duration>, interest: Interest, mut done: impl FnMut(&mut Self) -> bool) {
        // Only the waits of outlets matter here, which sleep in pollers.
        let _ = (timeout, interest, done(self));
    }

    fn wait_in(
        &mut self,
        poller: &Arc<dyn Poller>,
        timeout: Option<Duration>,
        interest: Interest,
        mut done: impl FnMut(&mut Self) -> bool,
    ) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if !done(self) {
            self.reader.wait_in(poller, timeout, interest, |reader| reader.ready());
        }
    }

    fn position(&self) -> u64 {
        self.reader.position()
    }

    fn release(&mut self) {
        self.reader.release();
    }

    fn release_to(&mut self, position: u64) -> Result<(), CursorError> {
        self.reader.release_to(position)
    }

    fn rewind_to(&mut self, position: u64) -> Result<(), CursorError> {
        self.reader.rewind_to(position)
    }
}

impl MessageBus for Counting {
    type Reader = CountingReader;
    type BusWriter = <Ring as MessageBus>::BusWriter;

    const MANY_WRITERS: bool = Ring::MANY_WRITERS;

    fn park(
        &self,
        poller: Option<&Arc<dyn Poller>>,
        interest: Interest,
        limit: Option<Duration>,
        ready: &mut dyn FnMut() -> bool,
    ) -> bool {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.ring.park(poller, interest, limit, ready)
    }

    fn subscribe(&self, name: &str) -> Result<CountingReader, SubscribeError> {
        self.reader(self.ring.subscribe(name))
    }

    fn subscribe_evictable(&self, name: &str) -> Result<CountingReader, SubscribeError> {
        self.reader(self.ring.subscribe_evictable(name))
    }

    fn subscribe_held(&self, name: &str, from: Option<u64>) -> Result<CountingReader, SubscribeError> {
        self.reader(self.ring.subscribe_held(name, from))
    }

    fn writer(&self) -> Result<Self::BusWriter, NoWriter> {
        self.ring.writer()
    }

    fn worker_writer(&self, reader: &CountingReader) -> Result<Self::BusWriter, NoWriter> {
        self.ring.worker_writer(&reader.reader)
    }

    fn close(&self) {
        self.ring.close();
    }

    fn wake(&self) {
        self.ring.wake();
    }

    fn tail(&self) -> u64 {
        self.ring.tail()
    }

    fn max_payload(&self) -> usize {
        self.ring.max_payload()
    }

    fn stats(&self) -> Stats {
        self.ring.stats()
    }
}

/// A writer that wakes somebody pays for a system call, and acknowledgements wake the bridge anyway.
#[test]
fn writers_wake_nobody_while_acknowledgements_are_due() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let bus = Counting { ring: CircularBus::new(64 * 1024).unwrap(), asked: Arc::default() };
    let mut options = BridgeOptions::ring(&server.url(), names());
    options.patience = DEADLINE;
    let outlet = Outlet::start(&bus, catalog(), options).unwrap();
    let writer = bus.writer().unwrap();
    wait_until("twenty messages on their way one after the other", || {
        wait_until("a stream", || outlet.stats().is_running && outlet.stats().on_the_way == 0);
        let looks = outlet.stats().looks;
        let is_as_it_was = || outlet.stats().is_running && outlet.stats().looks == looks;
        server.stand_still(true);
        let mut asked = Vec::new();
        for count in 1..=20 {
            writer.write_bytes(1, 2, b"message").unwrap();
            wait_until("it is on its way", || outlet.stats().on_the_way == count || !is_as_it_was());
            asked.push(bus.asked.load(Ordering::Relaxed));
        }
        // A client that was too slow for this has given up the server.
        let was_connected = is_as_it_was();
        server.stand_still(false);
        assert!(!was_connected || asked.iter().all(|count| *count == asked[0]), "{asked:?}");
        was_connected
    });
    outlet.stop(DEADLINE).unwrap();
}

/// It has no reader of its own, and would otherwise look every other millisecond while the stream waits.
#[test]
fn an_inlet_alone_is_woken_by_readers_that_let_something_go() {
    if !is_there() {
        return;
    }
    let (server, there) = (Server::start(), in_memory());
    let outlet = Outlet::start(&there, catalog(), sending(&server)).unwrap();
    write(&there, 0..200);
    outlet.stop(DEADLINE).unwrap();
    let bus = Counting { ring: CircularBus::new(64 * 1024).unwrap(), asked: Arc::default() };
    let mut reader = bus.subscribe("worker").unwrap();
    let mut options = BridgeOptions::ring(&server.url(), store());
    options.pull = Limits { messages: 20, bytes: 1 << 20 };
    let inlet = Inlet::start(&bus, [("till".to_owned(), catalog())], options).unwrap();
    wait_until("as many as it asks for", || inlet.stats()[0].unacknowledged >= 20);
    wait_until("it asks for more room", || bus.asked.load(Ordering::Relaxed) > 0);
    let mut count = 0;
    wait_until("all of them", || {
        while reader.try_read(|_, _| ()).is_ok() {
            count += 1;
        }
        reader.release();
        count == 200
    });
    inlet.stop().unwrap();
}
