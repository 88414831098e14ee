//! A bounded bus of one's own, from public items only: a queue behind a lock.
//!
//! `tests/bus_contract.rs` runs the laws on it, `tests/own_bus.rs` a messenger. A message is filled in memory of its
//! own and queued when it is whole, so no fill, however long or broken, leaves a hole. What was read stays queued until
//! room is needed, and evictable readers hold nothing.

use rust_messenger::traits::{
    BusWriter, Header, Interest, MessageBus, NoWriter, Payload, Poller, Publish, ReadError, Reader, ReaderStats, Space,
    Stats, SubscribeError, WriteError,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a message costs beside its payload.
const HEADER: usize = 16;

/// A bounded queue that everybody locks. A position is a number of messages.
#[derive(Clone)]
pub struct LockedBus(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    capacity: usize,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Arc<(Header, Vec<u8>)>>,
    tail: u64,
    /// The bytes of what is queued and of what is being filled, and how many fills there are.
    bytes: usize,
    fills: usize,
    readers: BTreeMap<u64, ReaderStats>,
    next_id: u64,
    tickets: VecDeque<u64>,
    pollers: Vec<Arc<dyn Poller>>,
    closed: bool,
    /// How often something changed, and how often everybody was woken.
    changes: u64,
    wakes: u64,
    stats: Stats,
}

pub struct LockedReader {
    bus: Arc<Shared>,
    id: u64,
    wakes: u64,
}

#[derive(Clone)]
pub struct LockedWriter {
    bus: Arc<Shared>,
    /// Whose worker this is; nobody's outside.
    id: Option<u64>,
}

impl State {
    fn first(&self) -> u64 {
        self.tail - self.queue.len() as u64
    }

    /// Where the slowest reader is that holds others back.
    fn gate(&self) -> u64 {
        let gating = self.readers.values().filter(|reader| !reader.evictable);
        gating.map(|reader| reader.position).min().unwrap_or(self.tail)
    }

    /// Makes room for `size` bytes, as far as nobody needs what goes.
    fn make_room(&mut self, size: usize, capacity: usize) -> bool {
        while self.bytes + size > capacity && self.first() < self.gate() {
            let Some(oldest) = self.queue.pop_front() else { break };
            self.bytes -= HEADER + oldest.1.len();
        }
        self.bytes + size <= capacity
    }

    /// Whether it is this writer's turn: the oldest ticket's, or everybody's.
    fn has_turn(&self, id: Option<u64>) -> bool {
        self.tickets.front().is_none_or(|&oldest| Some(oldest) == id)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something, and wakes whoever waits for that.
    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let result = change(&mut state);
        state.changes += 1;
        let pollers = state.pollers.clone();
        drop(state);
        self.changed.notify_all();
        pollers.iter().for_each(|poller| poller.notify());
        result
    }

    /// Waits for a change after the `seen`th, until `deadline`. False if that came first.
    fn wait_for_change(&self, seen: u64, deadline: Option<Instant>) -> bool {
        let mut state = self.lock();
        while state.changes == seen {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return false;
            }
            let left = left.unwrap_or(Duration::from_secs(3600));
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl LockedBus {
    pub fn new(capacity: usize) -> LockedBus {
        LockedBus(Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), capacity }))
    }

    fn join(&self, name: &str, evictable: bool) -> LockedReader {
        let mut state = self.0.lock();
        let id = state.next_id;
        state.next_id += 1;
        let mut entry = ReaderStats::default();
        (entry.name, entry.position, entry.evictable) = (name.chars().take(31).collect(), state.tail, evictable);
        state.readers.insert(id, entry);
        LockedReader { bus: Arc::clone(&self.0), id, wakes: state.wakes }
    }
}

impl MessageBus for LockedBus {
    type Reader = LockedReader;
    type BusWriter = LockedWriter;
    const MANY_WRITERS: bool = true;

    fn subscribe(&self, name: &str) -> Result<LockedReader, SubscribeError> {
        Ok(self.join(name, false))
    }

    fn subscribe_evictable(&self, name: &str) -> Result<LockedReader, SubscribeError> {
        Ok(self.join(name, true))
    }

    fn writer(&self) -> Result<LockedWriter, NoWriter> {
        Ok(LockedWriter { bus: Arc::clone(&self.0), id: None })
    }

    fn worker_writer(&self, reader: &LockedReader) -> Result<LockedWriter, NoWriter> {
        Ok(LockedWriter { bus: Arc::clone(&self.0), id: Some(reader.id) })
    }

    fn close(&self) {
        self.0.change(|state| state.closed = true);
    }

    fn wake(&self) {
        self.0.change(|state| state.wakes += 1);
    }

    fn tail(&self) -> u64 {
        self.0.lock().tail
    }

    fn max_payload(&self) -> usize {
        self.0.capacity / 8 - HEADER
    }

    fn stats(&self) -> Stats {
        let state = self.0.lock();
        let mut stats = state.stats.clone();
        stats.tail = state.tail;
        stats.readers = state.readers.values().cloned().collect();
        stats.readers.iter_mut().for_each(|reader| reader.lag = state.tail - reader.position);
        stats
    }
}

impl Publish for LockedWriter {
    fn try_put<P: Payload>(&self, source: u16, message: u16, payload: &mut P) -> Result<(), WriteError> {
        /// Gives up the room of a fill, however that ends.
        struct Room<'a>(&'a Shared, usize, bool);

        impl Drop for Room<'_> {
            fn drop(&mut self) {
                self.0.change(|state| {
                    (state.bytes, state.fills) = (state.bytes - self.1, state.fills - 1);
                    state.stats.sealed += u64::from(!self.2);
                });
            }
        }

        let (size, max) = (payload.size(), self.bus.capacity / 8 - HEADER);
        if size > max {
            return Err(WriteError::TooLarge { size, max });
        }
        let cost = HEADER + size;
        let mut state = self.bus.lock();
        if state.closed && self.id.is_none() {
            return Err(WriteError::Closed);
        }
        if !state.has_turn(self.id) || !state.make_room(cost, self.bus.capacity) {
            state.stats.full += 1;
            return Err(WriteError::Full);
        }
        (state.bytes, state.fills) = (state.bytes + cost, state.fills + 1);
        drop(state);
        let mut room = Room(&self.bus, cost, false);
        let mut bytes = vec![0; size];
        // Without the lock: a fill is the user's, and may write, too.
        payload.fill(&mut Space::new(&mut bytes))?;
        self.bus.change(|state| {
            let header = Header { source, message, size: size as u32, position: state.tail };
            state.queue.push_back(Arc::new((header, bytes)));
            (state.tail, state.bytes) = (state.tail + 1, state.bytes + cost);
            (state.stats.messages, state.stats.bytes) = (state.stats.messages + 1, state.stats.bytes + size as u64);
        });
        room.2 = true;
        Ok(())
    }

    fn wait_for_room(&self, size: usize) {
        let seen = self.bus.lock().changes;
        if !self.has_room(size) {
            self.bus.wait_for_change(seen, None);
        }
    }
}

impl BusWriter for LockedWriter {
    fn take_ticket(&self) {
        self.bus.change(|state| {
            state.tickets.retain(|&ticket| Some(ticket) != self.id);
            state.tickets.extend(self.id);
        });
    }

    fn give_up_ticket(&self) {
        if self.bus.lock().tickets.iter().any(|&ticket| Some(ticket) == self.id) {
            self.bus.change(|state| state.tickets.retain(|&ticket| Some(ticket) != self.id));
        }
    }

    fn is_slowest(&self) -> bool {
        let state = self.bus.lock();
        self.id.and_then(|id| state.readers.get(&id)).is_none_or(|own| own.position <= state.gate())
    }

    fn has_room(&self, size: usize) -> bool {
        let mut state = self.bus.lock();
        let is_refused = size > self.bus.capacity / 8 - HEADER || (state.closed && self.id.is_none());
        is_refused || (state.has_turn(self.id) && state.make_room(HEADER + size, self.bus.capacity))
    }

    fn record_outbox(&self, bytes: usize) {
        let mut state = self.bus.lock();
        if let Some(own) = self.id.and_then(|id| state.readers.get_mut(&id)) {
            own.outbox_high_water = own.outbox_high_water.max(bytes as u64);
        }
    }
}

impl Drop for LockedWriter {
    fn drop(&mut self) {
        self.give_up_ticket();
    }
}

impl LockedReader {
    fn position_in(&self, state: &State) -> u64 {
        state.readers[&self.id].position
    }

    /// Hands over the next message, and steps over it if `is_done` says so of the result.
    fn read_if<R>(
        &mut self,
        deliver: impl FnOnce(&Header, &[u8]) -> R,
        is_done: impl FnOnce(&R) -> bool,
    ) -> Result<R, ReadError> {
        let mut state = self.bus.lock();
        let (first, position) = (state.first(), self.position_in(&state));
        if position < first {
            self.step_to(&mut state, first);
            return Err(ReadError::Lagged(first - position));
        }
        let Some(message) = state.queue.get((position - first) as usize).map(Arc::clone) else {
            let is_over = state.closed && state.fills == 0;
            return Err(if is_over { ReadError::Closed } else { ReadError::Empty });
        };
        drop(state);
        let result = deliver(&message.0, &message.1);
        if is_done(&result) {
            self.bus.change(|state| self.step_to(state, position + 1));
        }
        Ok(result)
    }

    fn step_to(&self, state: &mut State, position: u64) {
        state.readers.get_mut(&self.id).expect("a reader is listed until it is dropped").position = position;
    }
}

impl Drop for LockedReader {
    fn drop(&mut self) {
        self.bus.change(|state| state.readers.remove(&self.id));
    }
}

impl Reader for LockedReader {
    fn try_read<R>(&mut self, deliver: impl FnOnce(&Header, &[u8]) -> R) -> Result<R, ReadError> {
        self.read_if(deliver, |_| true)
    }

    fn try_handle(&mut self, handle: impl FnOnce(&Header, &[u8]) -> bool) -> Result<bool, ReadError> {
        self.read_if(handle, |handled| *handled)
    }

    fn ready(&mut self) -> bool {
        let state = self.bus.lock();
        let position = self.position_in(&state);
        position != state.tail || (state.closed && state.fills == 0)
    }

    fn wait_until(&mut self, timeout: Option<Duration>, _: Interest, mut done: impl FnMut(&mut Self) -> bool) {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        loop {
            let seen = self.bus.lock().changes;
            let is_done = done(self);
            let wakes = self.bus.lock().wakes;
            let is_woken = std::mem::replace(&mut self.wakes, wakes) != wakes;
            if is_done || is_woken || !self.bus.wait_for_change(seen, deadline) {
                return;
            }
        }
    }

    fn wait_in(
        &mut self,
        poller: &Arc<dyn Poller>,
        timeout: Option<Duration>,
        _: Interest,
        mut done: impl FnMut(&mut Self) -> bool,
    ) {
        self.bus.lock().pollers.push(Arc::clone(poller));
        let wakes = self.bus.lock().wakes;
        if std::mem::replace(&mut self.wakes, wakes) == wakes && !done(self) {
            poller.wait(timeout);
        }
        let mut state = self.bus.lock();
        if let Some(at) = state.pollers.iter().position(|listed| Arc::ptr_eq(listed, poller)) {
            state.pollers.swap_remove(at);
        }
    }

    fn position(&self) -> u64 {
        self.position_in(&self.bus.lock())
    }
}
