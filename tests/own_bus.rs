//! The smallest bus of one's own, from public items only: a list that only grows, behind a lock. It is never full, so
//! there is no room to wait for, no turn and nobody to move on. `support/locked_bus.rs` has a bounded one.

#[path = "support/locked_bus.rs"]
mod locked_bus;

use locked_bus::LockedBus;
use rust_messenger::traits::{
    BusWriter, DeserializeFrom, ExtendedMessage, Handle, Handler, Header, Interest, Message, MessageBus, New, NoWriter,
    Payload, Poller, Publish, ReadError, Reader, Sender, Space, Stats, SubscribeError, WriteError, Writer,
};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// A position is a number of messages.
#[derive(Clone, Default)]
struct List(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    messages: Vec<Arc<(Header, Vec<u8>)>>,
    pollers: Vec<Arc<dyn Poller>>,
    closed: bool,
    /// How often everybody was woken, and how often anything changed.
    wakes: u64,
    changes: u64,
}

impl List {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        state.changes += 1;
        let pollers = state.pollers.clone();
        drop(state);
        self.0.1.notify_all();
        pollers.iter().for_each(|poller| poller.notify());
    }
}

impl MessageBus for List {
    type Reader = ListReader;
    type BusWriter = ListWriter;
    const MANY_WRITERS: bool = true;

    fn subscribe(&self, _: &str) -> Result<ListReader, SubscribeError> {
        Ok(ListReader { list: self.clone(), position: self.tail(), wakes: self.lock().wakes })
    }

    fn subscribe_evictable(&self, name: &str) -> Result<ListReader, SubscribeError> {
        self.subscribe(name)
    }

    fn writer(&self) -> Result<ListWriter, NoWriter> {
        Ok(ListWriter { list: self.clone(), outside: true })
    }

    fn worker_writer(&self, _: &ListReader) -> Result<ListWriter, NoWriter> {
        Ok(ListWriter { list: self.clone(), outside: false })
    }

    fn close(&self) {
        self.change(|state| state.closed = true);
    }

    fn wake(&self) {
        self.change(|state| state.wakes += 1);
    }

    fn tail(&self) -> u64 {
        self.lock().messages.len() as u64
    }

    fn max_payload(&self) -> usize {
        u32::MAX as usize
    }

    fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        (stats.tail, stats.messages) = (self.tail(), self.tail());
        stats
    }
}

struct ListWriter {
    list: List,
    outside: bool,
}

impl Publish for ListWriter {
    fn try_put<P: Payload>(&self, source: u16, message: u16, payload: &mut P) -> Result<(), WriteError> {
        let size = payload.size();
        let size_word = u32::try_from(size).map_err(|_| WriteError::TooLarge { size, max: self.list.max_payload() })?;
        let mut bytes = vec![0; size];
        // Without the lock: a fill is the user's, and may write, too.
        payload.fill(&mut Space::new(&mut bytes))?;
        let mut result = Err(WriteError::Closed);
        self.list.change(|state| {
            if !(state.closed && self.outside) {
                let header = Header { source, message, size: size_word, position: state.messages.len() as u64 };
                state.messages.push(Arc::new((header, bytes)));
                result = Ok(());
            }
        });
        result
    }

    fn wait_for_room(&self, _: usize) {}
}

impl BusWriter for ListWriter {
    fn take_ticket(&self) {}

    fn give_up_ticket(&self) {}

    fn is_slowest(&self) -> bool {
        true
    }

    fn has_room(&self, _: usize) -> bool {
        true
    }

    fn record_outbox(&self, _: usize) {}
}

struct ListReader {
    list: List,
    position: u64,
    wakes: u64,
}

impl Reader for ListReader {
    fn try_read<R>(&mut self, deliver: impl FnOnce(&Header, &[u8]) -> R) -> Result<R, ReadError> {
        let state = self.list.lock();
        let Some(message) = state.messages.get(self.position as usize).cloned() else {
            return Err(if state.closed { ReadError::Closed } else { ReadError::Empty });
        };
        drop(state);
        let result = deliver(&message.0, &message.1);
        self.position += 1;
        Ok(result)
    }

    fn ready(&mut self) -> bool {
        let state = self.list.lock();
        state.closed || self.position < state.messages.len() as u64
    }

    fn wait_until(&mut self, timeout: Option<Duration>, _: Interest, mut done: impl FnMut(&mut Self) -> bool) {
        let start = Instant::now();
        loop {
            let seen = self.list.lock().changes;
            let left = timeout.unwrap_or(Duration::MAX).saturating_sub(start.elapsed()).min(Duration::from_secs(3600));
            if done(self) || self.was_woken() || left.is_zero() {
                return;
            }
            let is_same = |state: &mut State| state.changes == seen;
            drop(self.list.0.1.wait_timeout_while(self.list.lock(), left, is_same));
        }
    }

    fn wait_in(
        &mut self,
        poller: &Arc<dyn Poller>,
        timeout: Option<Duration>,
        _: Interest,
        mut done: impl FnMut(&mut Self) -> bool,
    ) {
        self.list.lock().pollers.push(Arc::clone(poller));
        if !done(self) && !self.was_woken() {
            poller.wait(timeout);
        }
        self.list.lock().pollers.retain(|listed| !Arc::ptr_eq(listed, poller));
    }

    fn position(&self) -> u64 {
        self.position
    }
}

impl ListReader {
    fn was_woken(&mut self) -> bool {
        let wakes = self.list.lock().wakes;
        std::mem::replace(&mut self.wakes, wakes) != wakes
    }
}

rust_messenger::messenger_id_enum!(HandlerId { Counter = 1, Echo = 2 });

/// A number as a message, by hand: the bus wants no feature.
macro_rules! number_message {
    ($name:ident, $id:literal) => {
        struct $name(u64);

        impl Message for $name {
            type Id = u16;
            const ID: u16 = $id;
        }

        impl ExtendedMessage for $name {
            fn get_size(&self) -> usize {
                size_of::<u64>()
            }

            fn write_into(&self, buffer: &mut [u8]) {
                buffer.copy_from_slice(&self.0.to_le_bytes());
            }
        }

        impl DeserializeFrom for $name {
            fn deserialize_from(buffer: &[u8]) -> Self {
                $name(u64::from_le_bytes(buffer.try_into().unwrap()))
            }
        }
    };
}

number_message!(Number, 1);
number_message!(Answer, 2);

/// How many numbers go round: more than the bus holds.
const LAPS: u64 = if cfg!(miri) { 50 } else { 1000 };

struct Counter(Arc<Mutex<Vec<u64>>>);
struct Echo;

impl Handler for Counter {
    type Id = HandlerId;
    const ID: HandlerId = HandlerId::Counter;

    fn on_start<W: Writer>(&mut self, writer: &W) {
        (0..LAPS).for_each(|number| Self::send(&Number(number), writer));
    }
}

impl New<Arc<Mutex<Vec<u64>>>> for Counter {
    fn new<W: Writer>(heard: &Arc<Mutex<Vec<u64>>>, _: &W) -> Counter {
        Counter(Arc::clone(heard))
    }
}

impl Handle<Answer> for Counter {
    fn handle<W: Writer>(&mut self, answer: &Answer, writer: &W) {
        self.0.lock().unwrap().push(answer.0);
        if answer.0 == LAPS - 1 {
            writer.stop();
        }
    }
}

impl Handler for Echo {
    type Id = HandlerId;
    const ID: HandlerId = HandlerId::Echo;
}

impl<Config> New<Config> for Echo {
    fn new<W: Writer>(_: &Config, _: &W) -> Echo {
        Echo
    }
}

impl Handle<Number> for Echo {
    fn handle<W: Writer>(&mut self, number: &Number, writer: &W) {
        Self::send(&Answer(number.0), writer);
    }
}

rust_messenger::Messenger! {
    Arc<Mutex<Vec<u64>>>,
    Asks: handlers: [ counter: Counter ] routes: [ Echo, Answer: [ counter ] ]
    Answers: handlers: [ echo: Echo ] routes: [ Counter, Number: [ echo ] ]
}

fn a_messenger_runs_on(bus: impl MessageBus) {
    let heard = Arc::default();
    let summary = Messenger::new(bus).run(&heard).join().unwrap();
    assert!(heard.lock().unwrap().iter().copied().eq(0..LAPS), "{summary:?}");
}

#[test]
fn a_messenger_runs_on_the_smallest() {
    a_messenger_runs_on(List::default());
}

/// With outboxes, turns and waits for room.
#[test]
fn a_messenger_runs_on_one_that_is_full_again_and_again() {
    a_messenger_runs_on(LockedBus::new(1024));
}
