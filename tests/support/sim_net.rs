//! A network in memory with a clock of its own, for loops that believe it: [`World`].
//!
//! Time moves only when told, or in a poller's wait. Connections are two bounded pipes whose bytes arrive after a
//! delay. What a network and a system may do to a program happens here by a seeded random number: reads and writes of a
//! byte, interruptions, refusals to take a byte for now, resets, links that swallow everything, connects that are
//! refused or never answered, names that cannot be looked up; and events that come twice, in another order, a wait
//! later, or for nothing.

// Each test crate compiles this file for itself and uses its own part of it.
#![allow(dead_code)]

use rust_messenger::__private::chance::Chance;
use rust_messenger::__private::messi::{Acceptor, HostPort, Lookup, Net, Ready, Socket};
use rust_messenger::traits::{Poller, Time};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub const SECOND: u64 = 1_000_000_000;
pub const MILLI: u64 = 1_000_000;
const NEVER: u64 = u64::MAX;

/// What may happen; none of it by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Of a hundred events, how many come twice, come late, and how many come for nothing.
    pub events: u64,
    /// Of a hundred reads and writes, how many are interrupted or put off.
    pub calls: u64,
    /// Of a hundred new connections, how many carry a few bytes at a time, in small buffers.
    pub narrow: u64,
    /// Of a hundred connects, how many are refused, and how many never answered.
    pub refused: u64,
    pub unanswered: u64,
    /// Of a hundred names, how many are not found, and how many are found late.
    pub names: u64,
    /// The longest delay of a byte in nanoseconds.
    pub delay: u64,
}

/// The network. Handles are equal.
#[derive(Clone)]
pub struct World(Arc<Mutex<State>>);

struct State {
    now: u64,
    random: Chance,
    faults: Faults,
    links: Vec<Link>,
    /// Links of which an end is open.
    active: Vec<usize>,
    listeners: Vec<ListenerState>,
    nodes: Vec<NodeState>,
    /// When they are answered, who waits, and what for.
    lookups: Vec<(u64, Answer, SocketAddr)>,
    /// What every name has instead of the one address that it says.
    addresses: Vec<SocketAddr>,
    accept_error: Option<ErrorKind>,
    watch_error: Option<ErrorKind>,
    next_port: u16,
}

type Answer = Sender<io::Result<Vec<SocketAddr>>>;

#[derive(Default)]
struct NodeState {
    notified: bool,
    /// A wait may have found something that it was not asked for yet.
    waited: bool,
    waits: u64,
    looks: u64,
    accepts: u64,
    connects: Vec<SocketAddr>,
}

struct ListenerState {
    address: SocketAddr,
    node: usize,
    watch: Option<u32>,
    open: bool,
    /// Links that come in, and when they arrive.
    backlog: VecDeque<(u64, usize)>,
}

struct Link {
    pipes: [Pipe; 2],
    ends: [End; 2],
    /// When the one who connects knows how it went.
    connected_at: u64,
    refused: bool,
    reset: bool,
    /// Swallows everything from now on.
    silent: bool,
    /// How many bytes a call may move, and how many may be on their way.
    narrow: usize,
    capacity: usize,
}

#[derive(Default)]
struct Pipe {
    /// When they arrive, and which they are.
    segments: VecDeque<(u64, Vec<u8>, usize)>,
    /// On their way, or not read.
    bytes: usize,
    /// All bytes that were ever read.
    read: u64,
    last: u64,
    end: Option<u64>,
}

struct End {
    node: usize,
    address: SocketAddr,
    watch: Option<(u32, bool, bool)>,
    open: bool,
    shut: bool,
}

impl State {
    fn below(&mut self, limit: u64) -> u64 {
        self.random.below(limit)
    }

    fn happens(&mut self, pick: impl Fn(&Faults) -> u64) -> bool {
        let of_a_hundred = pick(&self.faults);
        of_a_hundred != 0 && self.below(100) < of_a_hundred
    }

    fn delay(&mut self) -> u64 {
        let longest = self.faults.delay;
        if longest == 0 { 0 } else { self.below(longest) }
    }

    fn is_readable(&self, link: usize, end: usize) -> bool {
        let link = &self.links[link];
        let pipe = &link.pipes[1 - end];
        let arrived = pipe.segments.front().is_some_and(|(at, ..)| *at <= self.now);
        arrived || (pipe.segments.is_empty() && pipe.end.is_some_and(|at| at <= self.now)) || link.reset
    }

    fn is_writable(&self, link: usize, end: usize) -> bool {
        let link = &self.links[link];
        let connected = end == 1 || link.connected_at <= self.now;
        connected && (link.reset || link.refused || link.pipes[end].bytes < link.capacity)
    }

    fn reset(&mut self, link: usize) {
        let now = self.now;
        let link = &mut self.links[link];
        link.reset = true;
        for pipe in &mut link.pipes {
            pipe.segments.retain(|(at, ..)| *at <= now);
            pipe.end = None;
        }
    }

    fn close(&mut self, link: usize, end: usize) {
        self.links[link].ends[end].open = false;
        self.links[link].ends[end].watch = None;
        let unread = !self.links[link].pipes[1 - end].segments.is_empty();
        if !self.links[link].silent {
            if unread {
                self.reset(link);
            } else {
                self.end_pipe(link, end);
            }
        }
        let links = &self.links;
        self.active.retain(|&link| links[link].ends.iter().any(|end| end.open));
    }

    fn end_pipe(&mut self, link: usize, end: usize) {
        let at = self.now + self.delay();
        let pipe = &mut self.links[link].pipes[end];
        pipe.last = pipe.last.max(at);
        pipe.end.get_or_insert(pipe.last);
    }

    /// What is ready at a node, as a poller without a fault would tell.
    fn ready(&self, node: usize, into: &mut Vec<Ready>) {
        for listener in self.listeners.iter().filter(|listener| listener.open && listener.node == node) {
            if let Some(key) = listener.watch
                && listener.backlog.front().is_some_and(|(at, _)| *at <= self.now)
            {
                into.push(Ready { key, read: true, write: false });
            }
        }
        for &link in &self.active {
            for end in 0..2 {
                let at = &self.links[link].ends[end];
                let Some((key, read, write)) = at.watch.filter(|_| at.node == node) else { continue };
                let (read, write) = (read && self.is_readable(link, end), write && self.is_writable(link, end));
                if read || write {
                    into.push(Ready { key, read, write });
                }
            }
        }
    }

    /// When something happens next by itself.
    fn next_event(&self) -> u64 {
        let mut next = NEVER;
        let mut consider = |at: u64| {
            if at > self.now {
                next = next.min(at);
            }
        };
        for &link in &self.active {
            let link = &self.links[link];
            consider(link.connected_at);
            for pipe in &link.pipes {
                pipe.segments.front().into_iter().for_each(|(at, ..)| consider(*at));
                pipe.end.into_iter().for_each(&mut consider);
            }
        }
        for listener in self.listeners.iter().filter(|listener| listener.open) {
            listener.backlog.front().into_iter().for_each(|(at, _)| consider(*at));
        }
        self.lookups.iter().for_each(|(at, ..)| consider(*at));
        next
    }

    fn move_to(&mut self, at: u64) {
        self.now = self.now.max(at);
        let now = self.now;
        self.lookups.retain(|(at, answer, address)| {
            // Nobody waits for it any longer: then nobody misses it.
            let _ = if *at <= now { answer.send(Ok(vec![*address])) } else { Ok(()) };
            *at > now
        });
    }

    fn link(&mut self, node: usize, address: SocketAddr, server: usize) -> usize {
        self.next_port = self.next_port.checked_add(1).unwrap_or(10_000);
        let own = SocketAddr::new(address.ip(), self.next_port);
        let is_narrow = self.happens(|faults| faults.narrow);
        let narrow = if is_narrow { 1 + self.below(40) as usize } else { usize::MAX };
        let capacity = if is_narrow { 1 + self.below(500) as usize } else { 64 << 10 };
        let end = |node, address| End { node, address, watch: None, open: true, shut: false };
        self.links.push(Link {
            pipes: Default::default(),
            ends: [end(node, address), end(server, own)],
            connected_at: NEVER,
            refused: false,
            reset: false,
            silent: false,
            narrow,
            capacity,
        });
        self.active.push(self.links.len() - 1);
        self.links.len() - 1
    }
}

impl World {
    pub fn new(seed: u64) -> World {
        World(Arc::new(Mutex::new(State {
            now: SECOND,
            random: Chance::new(seed),
            faults: Faults::default(),
            links: Vec::new(),
            active: Vec::new(),
            listeners: Vec::new(),
            nodes: Vec::new(),
            lookups: Vec::new(),
            addresses: Vec::new(),
            accept_error: None,
            watch_error: None,
            next_port: 10_000,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that fails tears down what is left.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A machine on the network.
    pub fn node(&self) -> SimNet {
        let mut state = self.state();
        state.nodes.push(NodeState::default());
        SimNet { world: self.clone(), node: state.nodes.len() - 1 }
    }

    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    pub fn below(&self, limit: u64) -> u64 {
        self.state().below(limit)
    }

    pub fn now(&self) -> u64 {
        self.state().now
    }

    pub fn move_to(&self, at: u64) {
        self.state().move_to(at);
    }

    pub fn next_event(&self) -> u64 {
        self.state().next_event()
    }

    /// Whether a poller without faults would tell this node something.
    pub fn has_ready(&self, node: usize) -> bool {
        let mut ready = Vec::new();
        self.state().ready(node, &mut ready);
        !ready.is_empty()
    }

    /// How often a node has waited; below, has looked for events, and has tried to take a connection.
    pub fn waits(&self, node: usize) -> u64 {
        self.state().nodes[node].waits
    }

    pub fn looks(&self, node: usize) -> u64 {
        self.state().nodes[node].looks
    }

    pub fn accepts(&self, node: usize) -> u64 {
        self.state().nodes[node].accepts
    }

    /// Where a node has tried to connect to, in that order.
    pub fn connects(&self, node: usize) -> Vec<SocketAddr> {
        self.state().nodes[node].connects.clone()
    }

    /// From now on every name has these addresses.
    pub fn set_addresses(&self, addresses: &[SocketAddr]) {
        self.state().addresses = addresses.to_vec();
    }

    /// From now on no connection can be watched, or again.
    pub fn refuse_watches(&self, error: Option<ErrorKind>) {
        self.state().watch_error = error;
    }

    /// From now on no connection can be taken, or again.
    pub fn refuse_accepts(&self, error: Option<ErrorKind>) {
        self.state().accept_error = error;
    }

    /// Those who wait to be taken are gone, without a trace.
    pub fn forget_who_comes_in(&self) {
        self.state().listeners.iter_mut().for_each(|listener| listener.backlog.clear());
    }

    /// How many sockets a node holds.
    pub fn sockets(&self, node: usize) -> usize {
        let state = self.state();
        state.links.iter().flat_map(|link| &link.ends).filter(|end| end.open && end.node == node).count()
    }

    /// Ends one connection the hard way. False if there is none.
    pub fn reset_one(&self) -> bool {
        self.with_one(|state, link| state.reset(link))
    }

    /// Cuts one connection so that nobody is told.
    pub fn silence_one(&self) -> bool {
        self.with_one(|state, link| {
            let now = state.now;
            state.links[link].silent = true;
            for pipe in &mut state.links[link].pipes {
                pipe.segments.retain(|(at, ..)| *at <= now);
                pipe.end = pipe.end.filter(|at| *at <= now);
            }
        })
    }

    fn with_one(&self, change: impl FnOnce(&mut State, usize)) -> bool {
        let mut state = self.state();
        let count = state.active.len() as u64;
        if count != 0 {
            let chosen = state.below(count) as usize;
            let link = state.active[chosen];
            change(&mut state, link);
        }
        count != 0
    }

    /// All links become wide and quick, those that are silent aside.
    pub fn widen(&self) {
        for link in &mut self.state().links {
            (link.narrow, link.capacity) = (usize::MAX, 64 << 10);
        }
    }

    /// How many bytes may be on their way on each link.
    pub fn set_capacity(&self, bytes: usize) {
        for link in &mut self.state().links {
            link.capacity = bytes;
        }
    }
}

/// A machine on the network.
pub struct SimNet {
    world: World,
    node: usize,
}

impl SimNet {
    pub fn number(&self) -> usize {
        self.node
    }
}

#[derive(Clone)]
struct SimPoller {
    world: World,
    node: usize,
}

impl std::fmt::Debug for SimPoller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SimPoller({})", self.node)
    }
}

impl Poller for SimPoller {
    /// Moves the time on until this node has something to do.
    fn wait(&self, timeout: Option<Duration>) {
        let mut state = self.world.state();
        state.nodes[self.node].waits += 1;
        state.nodes[self.node].waited = true;
        let deadline = timeout.map_or(NEVER, |timeout| state.now.saturating_add(timeout.as_nanos() as u64));
        loop {
            let mut ready = Vec::new();
            state.ready(self.node, &mut ready);
            if std::mem::take(&mut state.nodes[self.node].notified) || !ready.is_empty() {
                return;
            }
            let next = state.next_event().min(deadline);
            assert!(next != NEVER, "waits for ever");
            let answers = state.lookups.iter().any(|(at, ..)| *at <= next);
            state.move_to(next);
            if next == deadline || answers {
                return;
            }
        }
    }

    fn notify(&self) {
        self.world.state().nodes[self.node].notified = true;
    }
}

impl Net for SimNet {
    type Socket = SimSocket;
    type Acceptor = SimAcceptor;

    fn now(&self) -> Time {
        Time::from_nanos(self.world.now())
    }

    fn listen(&mut self, address: SocketAddr) -> io::Result<SimAcceptor> {
        let mut state = self.world.state();
        if state.listeners.iter().any(|listener| listener.open && listener.address == address) {
            return Err(ErrorKind::AddrInUse.into());
        }
        let (node, backlog) = (self.node, VecDeque::new());
        state.listeners.push(ListenerState { address, node, watch: None, open: true, backlog });
        Ok(SimAcceptor { world: self.world.clone(), listener: state.listeners.len() - 1 })
    }

    fn connect(&mut self, address: SocketAddr) -> io::Result<SimSocket> {
        let mut state = self.world.state();
        state.nodes[self.node].connects.push(address);
        if state.happens(|faults| faults.refused / 2) {
            return Err(ErrorKind::AddrNotAvailable.into());
        }
        let at = state.now + state.delay();
        let listener = state.listeners.iter().position(|listener| listener.open && listener.address == address);
        let server = listener.map_or(usize::MAX, |listener| state.listeners[listener].node);
        let link = state.link(self.node, address, server);
        if state.happens(|faults| faults.unanswered) {
            state.links[link].ends[1].open = false;
        } else if let Some(listener) = listener
            && !state.happens(|faults| faults.refused)
        {
            state.links[link].connected_at = at;
            let at = state.listeners[listener].backlog.back().map_or(at, |(last, _)| at.max(*last));
            state.listeners[listener].backlog.push_back((at, link));
        } else {
            state.links[link].connected_at = at;
            state.links[link].refused = true;
            state.links[link].ends[1].open = false;
        }
        Ok(SimSocket { world: self.world.clone(), link, end: 0 })
    }

    fn resolve(&mut self, host: &HostPort) -> Lookup {
        let (answer, lookup) = channel();
        let mut state = self.world.state();
        if !state.addresses.is_empty() {
            answer.send(Ok(state.addresses.clone())).unwrap();
            return lookup;
        }
        let address = SocketAddr::new(host.host().parse().unwrap(), host.port());
        if state.happens(|faults| faults.names) {
            match state.below(3) {
                0 => answer.send(Err(ErrorKind::NotFound.into())).unwrap(),
                1 => {
                    let at = state.now + state.below(2 * SECOND);
                    state.lookups.push((at, answer, address));
                }
                // The sender is dropped without a word.
                _ => {}
            }
        } else {
            answer.send(Ok(vec![address])).unwrap();
        }
        lookup
    }

    fn ready(&mut self, ask: bool, into: &mut Vec<Ready>) -> io::Result<()> {
        let mut state = self.world.state();
        let node = &mut state.nodes[self.node];
        if !std::mem::take(&mut node.waited) && !ask {
            return Ok(());
        }
        node.looks += 1;
        let from = into.len();
        state.ready(self.node, into);
        if state.faults.events == 0 {
            return Ok(());
        }
        for place in (from..into.len()).rev() {
            if state.happens(|faults| faults.events) {
                into.remove(place);
            } else if state.happens(|faults| faults.events) {
                // Again, and saying more than is so.
                let key = into[place].key;
                into.push(Ready { key, read: true, write: true });
            }
        }
        if state.happens(|faults| faults.events) {
            let (key, flags) = (state.below(6) as u32, state.below(4));
            into.push(Ready { key, read: flags & 1 != 0, write: flags & 2 != 0 });
        }
        for place in (from + 1..into.len()).rev() {
            let other = from + state.below((place - from + 1) as u64) as usize;
            into.swap(place, other);
        }
        Ok(())
    }

    fn random(&mut self) -> io::Result<u64> {
        let mut state = self.world.state();
        Ok(state.below(u64::MAX))
    }

    fn poller(&self) -> Arc<dyn Poller> {
        Arc::new(SimPoller { world: self.world.clone(), node: self.node })
    }
}

pub struct SimAcceptor {
    world: World,
    listener: usize,
}

impl Drop for SimAcceptor {
    fn drop(&mut self) {
        let mut state = self.world.state();
        state.listeners[self.listener].open = false;
        for (_, link) in std::mem::take(&mut state.listeners[self.listener].backlog) {
            state.reset(link);
            state.close(link, 1);
        }
    }
}

impl Acceptor for SimAcceptor {
    type Socket = SimSocket;

    fn accept(&mut self) -> io::Result<(SimSocket, SocketAddr)> {
        let mut state = self.world.state();
        let now = state.now;
        let node = state.listeners[self.listener].node;
        state.nodes[node].accepts += 1;
        if let Some(kind) = state.accept_error {
            return Err(kind.into());
        }
        if state.happens(|faults| faults.calls) {
            return Err([ErrorKind::Interrupted, ErrorKind::ConnectionAborted][state.below(2) as usize].into());
        }
        let backlog = &mut state.listeners[self.listener].backlog;
        if backlog.front().is_none_or(|(at, _)| *at > now) {
            return Err(ErrorKind::WouldBlock.into());
        }
        let (_, link) = backlog.pop_front().unwrap();
        let address = state.links[link].ends[1].address;
        Ok((SimSocket { world: self.world.clone(), link, end: 1 }, address))
    }

    fn watch(&mut self, key: u32, accept: bool) -> io::Result<()> {
        self.world.state().listeners[self.listener].watch = accept.then_some(key);
        Ok(())
    }

    fn address(&self) -> io::Result<SocketAddr> {
        Ok(self.world.state().listeners[self.listener].address)
    }
}

/// One end of a connection. A test may hold one, too.
pub struct SimSocket {
    world: World,
    link: usize,
    end: usize,
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        self.world.state().close(self.link, self.end);
    }
}

impl SimSocket {
    /// All that has arrived, and whether that is all that will.
    pub fn read_all(&mut self) -> (Vec<u8>, bool) {
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            match self.read(&mut buffer) {
                Ok(0) => return (bytes, true),
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return (bytes, error.kind() != ErrorKind::WouldBlock),
            }
        }
    }

    /// Writes as much as there is room for.
    pub fn write_some(&mut self, bytes: &[u8]) -> usize {
        self.write(bytes).unwrap_or(0)
    }

    /// How many bytes its peer has read.
    pub fn was_read(&self) -> u64 {
        self.world.state().links[self.link].pipes[self.end].read
    }
}

impl Read for SimSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.world.state();
        if state.happens(|faults| faults.calls) {
            return Err([ErrorKind::Interrupted, ErrorKind::WouldBlock][state.below(2) as usize].into());
        }
        let now = state.now;
        let link = &mut state.links[self.link];
        let limit = buffer.len().min(link.narrow);
        let pipe = &mut link.pipes[1 - self.end];
        let mut count = 0;
        while let Some((at, bytes, from)) = pipe.segments.front_mut()
            && *at <= now
            && count < limit
        {
            let part = (bytes.len() - *from).min(limit - count);
            buffer[count..count + part].copy_from_slice(&bytes[*from..*from + part]);
            (count, *from) = (count + part, *from + part);
            if *from == bytes.len() {
                pipe.segments.pop_front();
            }
        }
        pipe.bytes -= count;
        pipe.read += count as u64;
        if count != 0 {
            Ok(count)
        } else if link.reset {
            Err(ErrorKind::ConnectionReset.into())
        } else if pipe.segments.is_empty() && pipe.end.is_some_and(|at| at <= now) {
            Ok(0)
        } else {
            Err(ErrorKind::WouldBlock.into())
        }
    }
}

impl Write for SimSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.world.state();
        if state.happens(|faults| faults.calls) {
            return Err([ErrorKind::Interrupted, ErrorKind::WouldBlock][state.below(2) as usize].into());
        }
        let at = state.now + state.delay();
        let link = &mut state.links[self.link];
        if link.reset || link.ends[self.end].shut {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let count = bytes.len().min(link.narrow).min(link.capacity.saturating_sub(link.pipes[self.end].bytes));
        if count == 0 {
            return if bytes.is_empty() { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
        }
        if link.silent {
            link.pipes[self.end].bytes += count;
        } else if !link.ends[1 - self.end].open {
            state.reset(self.link);
        } else {
            let pipe = &mut link.pipes[self.end];
            pipe.last = pipe.last.max(at);
            pipe.segments.push_back((pipe.last, bytes[..count].to_vec(), 0));
            pipe.bytes += count;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for SimSocket {
    fn watch(&mut self, key: u32, read: bool, write: bool) -> io::Result<()> {
        let mut state = self.world.state();
        if let Some(kind) = state.watch_error {
            return Err(kind.into());
        }
        state.links[self.link].ends[self.end].watch = (read || write).then_some((key, read, write));
        Ok(())
    }

    fn connected(&mut self) -> io::Result<()> {
        let state = self.world.state();
        let link = &state.links[self.link];
        if link.connected_at > state.now {
            return Err(ErrorKind::NotConnected.into());
        }
        if link.refused || link.reset { Err(ErrorKind::ConnectionRefused.into()) } else { Ok(()) }
    }

    fn shutdown(&mut self) -> io::Result<()> {
        let mut state = self.world.state();
        state.links[self.link].ends[self.end].shut = true;
        if !state.links[self.link].silent && !state.links[self.link].reset {
            state.end_pipe(self.link, self.end);
        }
        Ok(())
    }
}
