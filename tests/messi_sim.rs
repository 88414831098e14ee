//! Servers and clients over a faulty network, in virtual time.
//!
//! Method: the loops are the real ones; the network under them is `support/sim_net.rs`. The long simulation,
//! [`thousands_of_lives`], is one seed after the other: a server and up to three clients send numbered messages, while
//! connections are reset or go silent at any byte, machines stand still, servers restart, connects fail, descriptors
//! run out and events come twice, late, or for nothing. Every message says whose it is, of which connection, and which
//! it is in its order, and has bytes that only it can have: what is missing, doubled, cut or in a wrong place is seen
//! at once. Then the faults stop, and everybody has to be connected and talk again within a time that is known; then
//! all is stopped, and what was sent before must have arrived, and no socket and no timer is left.
//!
//! A failure prints its seed, and how few of its kinds of faults and of its acts are enough for it. `SIM_SEED=<seed>`
//! runs that one alone, `SIM_SEEDS=<count>` as many.

#![cfg(feature = "messi")]
#![cfg(not(miri))] // It would take hours there; the tests of wire and connection take minutes.

#[path = "../examples/bank/bank.rs"]
mod bank;
#[path = "messi_sim/least.rs"]
mod least;
#[path = "support/sim_net.rs"]
mod sim_net;
mod support;

use bank::*;
use prost::Message;
use rust_messenger::__private::chance::Chance;
use rust_messenger::__private::messi::{Acceptor, Decoder, Kind, Net, Side, frame};
use rust_messenger::messi::*;
use rust_messenger::traits::Time;
use sim_net::{Faults, MILLI, SECOND, SimAcceptor, SimNet, SimSocket, World};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;
use support::mix;

const URI: &str = "tcp://127.0.0.1:4000";

type BankServer = ServerLoop<Bank, SimNet>;
type BankClient = ClientLoop<Bank, SimNet>;

// ----------------------------------------------------------------------------------------------------------- messages

/// Who sent a message: the one who counts is named by `tag`.
fn memo(tag: u64, number: u32, size: usize) -> String {
    let seed = mix(tag ^ (u64::from(number) << 32) ^ size as u64);
    (0..size).map(|place| char::from(b'a' + (mix(seed + place as u64 / 8) >> (place % 8 * 8)) as u8 % 26)).collect()
}

fn size_of(tag: u64, number: u32) -> usize {
    let word = mix(tag.rotate_left(20) ^ u64::from(number));
    if word.is_multiple_of(50) { 1500 } else { (word >> 8) as usize % 120 }
}

fn hello(tag: u64) -> ClientToServer {
    let open = OpenReq { owner: tag.to_string(), ..OpenReq::default() };
    ClientToServer { messages: Some(client_to_server::Messages::OpenReq(open)) }
}

fn deposit(tag: u64, number: u32) -> ClientToServer {
    let memo = memo(tag, number, size_of(tag, number));
    let deposit = DepositInd { seq: number, amount: tag as i64, memo };
    ClientToServer { messages: Some(client_to_server::Messages::DepositInd(deposit)) }
}

fn welcome(tag: u64) -> ServerToClient {
    let open = OpenRsp { owner: tag.to_string(), ..OpenRsp::default() };
    ServerToClient { messages: Some(server_to_client::Messages::OpenRsp(open)) }
}

fn shout(tag: u64, number: u32) -> ServerToClient {
    let text = memo(tag, number, size_of(tag, number));
    ServerToClient { messages: Some(server_to_client::Messages::ShoutInd(ShoutInd { account_id: number, text })) }
}

fn nop() -> ClientToServer {
    ClientToServer { messages: Some(client_to_server::Messages::NopReq(NopReq {})) }
}

/// One direction of one connection, at its receiver: the first message says whose it is, the others are in order.
#[derive(Debug, Default)]
struct Order {
    tag: Option<u64>,
    next: u32,
}

impl Order {
    fn at_server(&mut self, message: &ClientToServer) {
        match message.messages.as_ref().expect("an event without a message") {
            client_to_server::Messages::OpenReq(open) => {
                assert_eq!(self.tag, None, "a second beginning");
                self.tag = Some(open.owner.parse().unwrap());
            }
            client_to_server::Messages::DepositInd(_) => {
                let tag = self.tag.expect("a message before the first of its connection");
                assert_eq!(*message, deposit(tag, self.next), "another message than was sent");
                self.next += 1;
            }
            other => panic!("never sent: {other:?}"),
        }
    }

    fn at_client(&mut self, message: &ServerToClient) {
        match message.messages.as_ref().expect("an event without a message") {
            server_to_client::Messages::OpenRsp(open) => {
                assert_eq!(self.tag, None, "a second beginning");
                self.tag = Some(open.owner.parse().unwrap());
            }
            server_to_client::Messages::ShoutInd(_) => {
                let tag = self.tag.expect("a message before the first of its connection");
                assert_eq!(*message, shout(tag, self.next), "another message than was sent");
                self.next += 1;
            }
            other => panic!("never sent: {other:?}"),
        }
    }
}

// ------------------------------------------------------------------------------------------------------------ machines

/// A client of the server's.
#[derive(Default)]
struct Account {
    received: Order,
    tag: u64,
    sent: u32,
    is_open: bool,
}

struct ServerSide {
    net: usize,
    server: BankServer,
    /// Whether it was told to listen.
    listens: bool,
    accounts: HashMap<ClientId, Account>,
    until: u64,
    disconnects: u64,
}

struct ClientSide {
    net: usize,
    client: BankClient,
    number: u64,
    is_started: bool,
    is_open: bool,
    epoch: u64,
    received: Order,
    tag: u64,
    sent: u32,
    until: u64,
    disconnects: u64,
}

impl ServerSide {
    fn new(world: &World, options: &ServerOptions<Bank>) -> ServerSide {
        let net = world.node();
        ServerSide {
            net: net.number(),
            server: BankServer::on(net, options.clone()),
            listens: false,
            accounts: HashMap::new(),
            until: 0,
            disconnects: 0,
        }
    }

    fn run(&mut self) {
        while let Some(event) = self.server.next(Some(Duration::ZERO)) {
            match event {
                ServerEvent::Connected { client, .. } => {
                    // An id that comes again would be somebody else's.
                    let tag = mix(client.number() ^ (self.net as u64) << 48);
                    let account = Account { tag, is_open: true, ..Account::default() };
                    assert!(self.accounts.insert(client, account).is_none(), "{client} connects twice");
                    let sent = self.server.try_send(client, &welcome(tag));
                    if sent.is_err() {
                        // It has ended already, and that comes next.
                        assert_eq!(sent, Err(SendError::Gone));
                    }
                }
                ServerEvent::Message { client, message } => {
                    let account = self.accounts.get_mut(&client).expect("a message of nobody");
                    assert!(account.is_open, "a message after the end");
                    account.received.at_server(&message);
                }
                ServerEvent::Disconnected { client, .. } => {
                    let account = self.accounts.get_mut(&client).expect("the end of nobody");
                    assert!(std::mem::take(&mut account.is_open), "{client} ends twice");
                    self.disconnects += 1;
                    assert_eq!(self.server.send(client, &shout(0, 0)), Err(SendError::Gone));
                    assert!(!self.server.disconnect(client));
                    assert_eq!(self.server.pending(client), None);
                }
                ServerEvent::Trouble(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn open(&self) -> Vec<ClientId> {
        let mut open: Vec<ClientId> =
            self.accounts.iter().filter(|(_, account)| account.is_open).map(|(client, _)| *client).collect();
        open.sort();
        open
    }

    fn send(&mut self, client: ClientId, count: u32, may_end: bool) {
        let account = self.accounts.get_mut(&client).unwrap();
        for _ in 0..count {
            let message = shout(account.tag, account.sent);
            let sent =
                if may_end { self.server.send(client, &message) } else { self.server.try_send(client, &message) };
            match sent {
                Ok(()) => account.sent += 1,
                Err(SendError::Full | SendError::Gone) => return,
                Err(other) => panic!("{other}"),
            }
        }
    }
}

impl ClientSide {
    fn new(world: &World, number: u64, options: &ClientOptions<Bank>) -> ClientSide {
        let net = world.node();
        ClientSide {
            net: net.number(),
            client: BankClient::on(net, options.clone()).unwrap(),
            number,
            is_started: false,
            is_open: false,
            epoch: 0,
            received: Order::default(),
            tag: 0,
            sent: 0,
            until: 0,
            disconnects: 0,
        }
    }

    fn run(&mut self) {
        while let Some(event) = self.client.next(Some(Duration::ZERO)) {
            match event {
                ClientEvent::Connected => {
                    assert!(!std::mem::replace(&mut self.is_open, true), "connected twice");
                    self.epoch += 1;
                    self.tag = mix((self.net as u64) << 40 ^ self.number << 32 ^ self.epoch);
                    (self.received, self.sent) = (Order::default(), 0);
                    if let Err(error) = self.client.try_send(&hello(self.tag)) {
                        // It has ended already, and that comes next.
                        assert_eq!(error, SendError::NotConnected);
                    }
                }
                ClientEvent::Message(message) => {
                    assert!(self.is_open, "a message without a connection");
                    self.received.at_client(&message);
                }
                ClientEvent::Disconnected(_) => {
                    assert!(std::mem::take(&mut self.is_open), "disconnected twice");
                    self.disconnects += 1;
                }
                ClientEvent::Trouble(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn send(&mut self, count: u32, may_end: bool) {
        for _ in 0..count {
            let message = deposit(self.tag, self.sent);
            match if may_end { self.client.send(&message) } else { self.client.try_send(&message) } {
                // Between a stop and its event, a next connection may not be open yet.
                Ok(()) => self.sent += 1,
                Err(SendError::Full | SendError::NotConnected) => return,
                Err(other) => panic!("{other}"),
            }
        }
    }
}

// ---------------------------------------------------------------------------------------------------------- simulation

struct Sim {
    world: World,
    server: ServerSide,
    server_options: ServerOptions<Bank>,
    clients: Vec<ClientSide>,
    client_options: Vec<ClientOptions<Bank>>,
    /// When descriptors are there again.
    accepts_from: u64,
}

impl Sim {
    fn new(seed: u64) -> Sim {
        let world = World::new(seed);
        let below = |limit| world.below(limit);
        let mut server_options = ServerOptions::new(URI);
        let old = [Wire::V1a, Wire::V1b][below(2) as usize];
        let (server_wires, client_wire) = match below(4) {
            0 => (Wires::Auto { v1: old }, [old, Wire::V2][below(2) as usize]),
            1 => (Wires::Only(old), old),
            _ => (Wires::Only(Wire::V2), Wire::V2),
        };
        let max_pending = [300, 5000, 1 << 20][below(3) as usize];
        server_options.connection.wires = server_wires;
        server_options.connection.max_pending = max_pending;
        server_options.connection.any_traffic = below(4) == 0;
        server_options.max_clients = 8;
        let client_options = (0..1 + below(3)).map(|_| {
            let mut options = ClientOptions::new(URI);
            options.connection.wires = Wires::Only(client_wire);
            options.connection.max_pending = max_pending;
            options.connection.any_traffic = below(4) == 0;
            options.reconnect = match below(3) {
                0 => Reconnect::Constant(Duration::from_millis(below(2000))),
                1 => Reconnect::default(),
                _ => Reconnect::Backoff {
                    from: Duration::from_millis(10),
                    to: Duration::from_secs(4),
                    healthy: Duration::from_secs(1),
                },
            };
            options
        });
        let client_options: Vec<_> = client_options.collect();
        let server = ServerSide::new(&world, &server_options);
        let clients = (0..).zip(&client_options).map(|(number, options)| ClientSide::new(&world, number, options));
        let clients = clients.collect();
        Sim { world, server, server_options, clients, client_options, accepts_from: 0 }
    }

    /// Runs everybody who is awake until nobody has anything to do at this moment.
    fn settle(&mut self) {
        let now = self.world.now();
        let is_due = |deadline: Option<Time>| deadline.is_some_and(|deadline| deadline.as_nanos() <= now);
        for round in 0.. {
            // The narrowest links move a byte a round.
            assert!(round < 200_000, "somebody is never done: a hot loop");
            let mut is_quiet = true;
            let count = self.clients.len() as u64 + 1;
            let first = self.world.below(count);
            for place in 0..count {
                match (first + place) % count {
                    0 if self.server.until <= now => {
                        self.server.run();
                        let server = &self.server;
                        is_quiet &= !is_due(server.server.next_deadline()) && !self.world.has_ready(server.net);
                    }
                    0 => {}
                    number => {
                        let client = &mut self.clients[number as usize - 1];
                        if client.until <= now {
                            client.run();
                            is_quiet &= !is_due(client.client.next_deadline()) && !self.world.has_ready(client.net);
                        }
                    }
                }
            }
            if is_quiet {
                return;
            }
        }
    }

    /// Lets time pass until `end`.
    fn run_until(&mut self, end: u64) {
        loop {
            self.settle();
            let now = self.world.now();
            let deadline = |until: u64, deadline: Option<Time>| {
                if until > now { until } else { deadline.map_or(u64::MAX, Time::as_nanos) }
            };
            let mut next = self.world.next_event().min(deadline(self.server.until, self.server.server.next_deadline()));
            for client in &self.clients {
                next = next.min(deadline(client.until, client.client.next_deadline()));
            }
            if next >= end {
                self.world.move_to(end);
                return self.settle();
            }
            self.world.move_to(next.max(now + 1));
        }
    }

    fn listen(&mut self) {
        self.server.listens = self.server.server.start().is_ok();
        assert!(self.server.listens);
    }

    /// Something that may happen, by a chance of its own, so that no other act moves it. `upon` is told which it is.
    fn act(&mut self, mut chance: Chance, upon: &dyn Fn(u64)) {
        let mut below = |limit| chance.below(limit);
        let now = self.world.now();
        let chosen = below(self.clients.len() as u64) as usize;
        let most = if below(10) == 0 { 200 } else { 10 };
        let count = 1 + below(most) as u32;
        let open = self.server.open();
        let somebody = (!open.is_empty()).then(|| open[below(open.len().max(1) as u64) as usize]);
        let act = below(40);
        upon(act);
        match act {
            0..12 => self.clients[chosen].send(count, below(4) == 0),
            12..22 => {
                if let Some(client) = somebody {
                    self.server.send(client, count, below(4) == 0);
                }
            }
            22..25 => _ = self.world.reset_one(),
            25 => _ = self.world.silence_one(),
            26 => {
                if let Some(client) = somebody {
                    // One that has ended, and whose event is not read yet, is not there any more.
                    let was = self.server.server.pending(client).is_some();
                    assert_eq!(self.server.server.disconnect(client), was);
                    assert!(!self.server.server.disconnect(client), "its id is stale at once");
                    assert_eq!(self.server.server.send(client, &shout(0, 0)), Err(SendError::Gone));
                }
            }
            27 => {
                let client = &mut self.clients[chosen];
                client.client.stop();
                client.is_started = false;
            }
            28 => {
                // Stopped and started again before it is run.
                let client = &mut self.clients[chosen];
                client.client.stop();
                client.client.start();
                client.is_started = true;
            }
            29 => {
                self.server.server.stop();
                self.server.listens = false;
            }
            30 => {
                self.server.server.stop();
                self.listen();
            }
            31 => {
                // Killed: its sockets are closed as they are.
                self.server = ServerSide::new(&self.world, &self.server_options);
                if below(2) == 0 {
                    self.listen();
                }
            }
            32 => {
                let client = &mut self.clients[chosen];
                *client = ClientSide::new(&self.world, client.number, &self.client_options[chosen]);
            }
            33 => self.server.until = now + below(6 * SECOND),
            34 => self.clients[chosen].until = now + below(6 * SECOND),
            35 => {
                self.world.refuse_accepts(Some(ErrorKind::OutOfMemory));
                self.accepts_from = now + below(3 * SECOND);
            }
            36 => {
                self.server.server.flush();
                self.clients[chosen].client.flush();
            }
            _ => {
                if !self.server.listens {
                    self.listen();
                }
                let client = &mut self.clients[chosen];
                client.client.start();
                client.is_started = true;
            }
        }
    }

    /// The whole life, or of its kinds of faults and its acts those that are kept.
    fn run(seed: u64, kept: &[bool], upon: &dyn Fn(u64)) {
        let takes_place = |part: usize| kept.get(part).is_none_or(|kept| *kept);
        let of = |kind: usize, rate: u64| if takes_place(kind) { rate } else { 0 };
        let mut sim = Sim::new(seed);
        let below = {
            let world = sim.world.clone();
            move |limit| world.below(limit)
        };
        let is_harsh = below(4) != 0;
        sim.world.set_faults(Faults {
            events: of(0, if is_harsh { below(30) } else { 0 }),
            calls: of(1, if is_harsh { below(30) } else { 0 }),
            narrow: of(2, below(60)),
            refused: of(3, below(40)),
            unanswered: of(4, below(20)),
            names: of(5, below(20)),
            delay: of(6, [0, 50 * MILLI, SECOND][below(3) as usize]),
        });
        sim.listen();
        for client in &mut sim.clients {
            client.client.start();
            client.is_started = true;
        }
        for number in 0..acts(seed) {
            let mut chance = Chance::stream(seed, number as u64);
            let longest = if chance.below(5) == 0 { 4 * SECOND } else { 100 * MILLI };
            let until = sim.world.now() + chance.below(longest);
            sim.run_until(until);
            if takes_place(KINDS + number) {
                sim.act(chance, upon);
            }
            if sim.accepts_from <= sim.world.now() {
                sim.world.refuse_accepts(None);
            }
        }
        sim.make_peace();
        sim.talk();
        sim.part(below(2) == 0);
    }

    /// The faults stop. Everybody has to be connected again within the time that the promises add up to: an end that
    /// nobody was told of is found, one more attempt to connect is in vain, and the longest pause after it.
    fn make_peace(&mut self) {
        self.world.set_faults(Faults { delay: MILLI, ..Faults::default() });
        self.world.refuse_accepts(None);
        self.world.widen();
        if !self.server.listens {
            self.listen();
        }
        for client in &mut self.clients {
            client.client.start();
            client.is_started = true;
        }
        // Ten seconds without reading, as an end that is found the slowest way; 5 s to connect; 30 s of pause.
        self.run_until(self.world.now() + 60 * SECOND);
        for client in &self.clients {
            assert!(client.is_open, "client {} is not connected again", client.number);
        }
        assert_eq!(self.server.open().len(), self.clients.len());
    }

    /// In peace, everything arrives and nobody is disconnected.
    fn talk(&mut self) {
        let before = self.disconnects();
        for _ in 0..20 {
            let until = self.world.now() + self.world.below(SECOND);
            self.run_until(until);
            for client in &mut self.clients {
                client.send(3, false);
            }
            for client in self.server.open() {
                self.server.send(client, 3, false);
            }
        }
        self.run_until(self.world.now() + SECOND);
        assert_eq!(self.disconnects(), before, "somebody was disconnected in peace");
        for client in &self.clients {
            let account = self.account_of(client);
            assert!(client.sent >= 20 && account.sent >= 20, "nothing was sent");
            assert_eq!(account.received.next, client.sent, "sent by client {}", client.number);
            assert_eq!(client.received.next, account.sent, "sent to client {}", client.number);
        }
    }

    fn disconnects(&self) -> u64 {
        self.server.disconnects + self.clients.iter().map(|client| client.disconnects).sum::<u64>()
    }

    fn account_of(&self, client: &ClientSide) -> &Account {
        let mine = |account: &&Account| account.received.tag == Some(client.tag);
        self.server.accounts.values().find(mine).expect("the server knows it")
    }

    /// One side stops, with much to send: all of that arrives. Then nothing is left.
    fn part(&mut self, server_first: bool) {
        for client in &mut self.clients {
            client.send(50, false);
        }
        for client in self.server.open() {
            self.server.send(client, 50, false);
        }
        let sent: HashMap<u64, u32> =
            self.server.accounts.values().map(|account| (account.tag, account.sent)).collect();
        if server_first {
            self.server.server.stop();
        } else {
            self.clients.iter_mut().for_each(|client| client.client.stop());
        }
        self.run_until(self.world.now() + 500 * MILLI);
        for client in &self.clients {
            if server_first {
                let tag = client.received.tag.unwrap();
                assert_eq!(client.received.next, sent[&tag], "sent to client {} before the stop", client.number);
            } else {
                let received = self.account_of(client).received.next;
                assert_eq!(received, client.sent, "sent by client {} before its stop", client.number);
            }
        }
        self.server.server.stop();
        self.clients.iter_mut().for_each(|client| client.client.stop());
        self.run_until(self.world.now() + 15 * SECOND);
        assert!(self.server.open().is_empty() && self.server.server.clients().count() == 0);
        assert_eq!(self.world.sockets(self.server.net), 0, "sockets are left at the server");
        assert_eq!(self.server.server.next_deadline(), None, "a timer is left at the server");
        for client in &self.clients {
            assert!(!client.is_open && !client.client.is_connected());
            assert_eq!(self.world.sockets(client.net), 0, "a socket is left at client {}", client.number);
            assert_eq!(client.client.next_deadline(), None, "a timer is left at client {}", client.number);
        }
    }
}

/// How many seeds of the long simulation run by default. All 10 000: `ci/sim.sh`.
const SEEDS: u64 = if cfg!(debug_assertions) { 500 } else { 10_000 };

/// How many kinds of faults there are. The parts of a life are these, and then its acts.
const KINDS: usize = 7;

/// How many acts a life has.
fn acts(seed: u64) -> usize {
    30 + Chance::stream(seed, u64::MAX).below(60) as usize
}

/// How little of a life is enough for it to fail.
fn told(seed: u64, life: impl Fn(&[bool])) -> String {
    let (count, of) = (KINDS + acts(seed), |parts: &[bool]| parts.iter().filter(|kept| **kept).count());
    match least::least(count, life) {
        Some(least) => {
            let (faults, acts) = least.split_at(KINDS);
            format!("{} of {KINDS} kinds of faults and {} of {} acts are enough", of(faults), of(acts), acts.len())
        }
        None => "it does not fail again".to_owned(),
    }
}

fn number_in(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().expect("a number"))
}

/// A part of the seeds, so that they run beside each other.
fn lives(part: u64, parts: u64) {
    let seeds = match number_in("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number_in("SIM_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds.filter(|seed| seed % parts == part) {
        let life = |kept: &[bool]| Sim::run(seed, kept, &|_| {});
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| life(&[]))) {
            eprintln!("seed {seed}: {}", told(seed, life));
            eprintln!("seed {seed} failed: SIM_SEED={seed} cargo test --all-features --test messi_sim thousands");
            resume_unwind(panic);
        }
    }
}

#[test]
fn thousands_of_lives_even() {
    lives(0, 2);
}

#[test]
fn thousands_of_lives_odd() {
    lives(1, 2);
}

/// A server that must never be killed, and is: of all else that happens, nothing is needed for that.
#[test]
fn a_life_that_fails_is_made_small() {
    const KILL: u64 = 31;
    let life = |seed: u64| move |kept: &[bool]| Sim::run(seed, kept, &|act| assert_ne!(act, KILL, "killed"));
    let seed = (0..100).find(|seed| catch_unwind(AssertUnwindSafe(|| life(*seed)(&[]))).is_err()).unwrap();
    let text = told(seed, life(seed));
    assert_eq!(text, format!("0 of 7 kinds of faults and 1 of {} acts are enough", acts(seed)));
    assert_eq!(told(seed, |_| {}), "it does not fail again");
}

// ----------------------------------------------------------------------------------------------------- single scenes

fn address() -> SocketAddr {
    "127.0.0.1:4000".parse().unwrap()
}

/// Milliseconds since the world began.
fn millis(world: &World) -> u64 {
    (world.now() - SECOND) / MILLI
}

/// A server by itself, and what happened at it at which millisecond.
struct Counter {
    world: World,
    node: usize,
    server: BankServer,
    events: Vec<(u64, ServerEvent<Bank>)>,
}

impl Counter {
    fn new(change: impl FnOnce(&mut ServerOptions<Bank>)) -> Counter {
        let world = World::new(1);
        let net = world.node();
        let mut options = ServerOptions::new(URI);
        options.max_clients = 1000;
        change(&mut options);
        let node = net.number();
        let mut server = BankServer::on(net, options);
        server.start().unwrap();
        Counter { world, node, server, events: Vec::new() }
    }

    /// One that drops nobody for being silent.
    fn patient(change: impl FnOnce(&mut ServerOptions<Bank>)) -> Counter {
        Counter::new(|options| {
            options.connection.keep_alive = None;
            options.connection.handshake_time = Duration::from_secs(100_000);
            change(options);
        })
    }

    fn connect(&mut self) -> SimSocket {
        let socket = self.world.node().connect(address()).unwrap();
        self.settle();
        socket
    }

    /// Does all there is to do at this moment.
    fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 100_000, "it is never done: a hot loop");
            while let Some(event) = self.server.next(Some(Duration::ZERO)) {
                self.events.push((millis(&self.world), event));
            }
            let is_due = |deadline: Time| deadline.as_nanos() <= self.world.now();
            if !self.world.has_ready(self.node) && !self.server.next_deadline().is_some_and(is_due) {
                return;
            }
        }
    }

    fn run(&mut self, until: u64) {
        let end = SECOND + until * MILLI;
        loop {
            self.settle();
            let next = self.world.next_event().min(self.server.next_deadline().map_or(u64::MAX, Time::as_nanos));
            self.world.move_to(next.min(end));
            if next >= end {
                return self.settle();
            }
        }
    }

    fn clients(&self) -> Vec<ClientId> {
        self.server.clients().collect()
    }

    /// Which messages came, and of whom.
    fn messages(&self) -> Vec<(ClientId, ClientToServer)> {
        let message = |event: &(u64, ServerEvent<Bank>)| match &event.1 {
            ServerEvent::Message { client, message } => Some((*client, message.clone())),
            _ => None,
        };
        self.events.iter().filter_map(message).collect()
    }

    /// Who was disconnected, when and why.
    fn ends(&self) -> Vec<(u64, ClientId, Reason)> {
        let end = |event: &(u64, ServerEvent<Bank>)| match event {
            (at, ServerEvent::Disconnected { client, reason }) => Some((*at, *client, *reason)),
            _ => None,
        };
        self.events.iter().filter_map(end).collect()
    }

    fn reasons(&self) -> Vec<(u64, Reason)> {
        self.ends().into_iter().map(|(at, _, reason)| (at, reason)).collect()
    }
}

/// A client by itself, and what happened at it at which millisecond. The test is its server.
struct Customer {
    world: World,
    node: usize,
    client: BankClient,
    acceptor: Option<SimAcceptor>,
    events: Vec<(u64, ClientEvent<Bank>)>,
}

impl Customer {
    fn new(seed: u64, change: impl FnOnce(&mut ClientOptions<Bank>)) -> Customer {
        let world = World::new(seed);
        let acceptor = Some(world.node().listen(address()).unwrap());
        let net = world.node();
        let mut options = ClientOptions::new(URI);
        change(&mut options);
        let node = net.number();
        let mut client = BankClient::on(net, options).unwrap();
        client.start();
        Customer { world, node, client, acceptor, events: Vec::new() }
    }

    fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 100_000, "it is never done: a hot loop");
            while let Some(event) = self.client.next(Some(Duration::ZERO)) {
                self.events.push((millis(&self.world), event));
            }
            let is_due = |deadline: Time| deadline.as_nanos() <= self.world.now();
            if !self.world.has_ready(self.node) && !self.client.next_deadline().is_some_and(is_due) {
                return;
            }
        }
    }

    fn run(&mut self, until: u64) {
        let end = SECOND + until * MILLI;
        loop {
            self.settle();
            let next = self.world.next_event().min(self.client.next_deadline().map_or(u64::MAX, Time::as_nanos));
            self.world.move_to(next.min(end));
            if next >= end {
                return self.settle();
            }
        }
    }

    /// Takes the client's connection.
    fn accept(&mut self) -> SimSocket {
        self.settle();
        self.acceptor.as_mut().unwrap().accept().unwrap().0
    }

    /// Runs until the client connects again, and takes that.
    fn accept_next(&mut self) -> SimSocket {
        loop {
            if let Ok((socket, _)) = self.acceptor.as_mut().unwrap().accept() {
                self.settle();
                return socket;
            }
            let next = millis(&self.world) + 1;
            assert!(next < 10_000_000, "it never comes again");
            self.run(next);
        }
    }

    fn messages(&self) -> Vec<ServerToClient> {
        let message = |event: &(u64, ClientEvent<Bank>)| match &event.1 {
            ClientEvent::Message(message) => Some(message.clone()),
            _ => None,
        };
        self.events.iter().filter_map(message).collect()
    }

    fn reasons(&self) -> Vec<(u64, Reason)> {
        let end = |event: &(u64, ClientEvent<Bank>)| match event {
            (at, ClientEvent::Disconnected(reason)) => Some((*at, *reason)),
            _ => None,
        };
        self.events.iter().filter_map(end).collect()
    }

    /// When an attempt to connect failed.
    fn failures(&self) -> Vec<u64> {
        let failed = |event: &&(u64, ClientEvent<Bank>)| matches!(event.1, ClientEvent::Trouble(_));
        self.events.iter().filter(failed).map(|(at, _)| *at).collect()
    }
}

const PING: &[u8] = b"\x03\0\0\0";

fn to_server(message: &ClientToServer) -> Vec<u8> {
    frame(Wire::V2, Kind::ClientToServer, &message.encode_to_vec())
}

fn to_client(message: &ServerToClient) -> Vec<u8> {
    frame(Wire::V2, Kind::ServerToClient, &message.encode_to_vec())
}

/// Payloads in which no member is set that this version knows: ignored.
const EMPTY: [&[u8]; 4] = [b"", b"\x7A\x02hi", b"\xF8\x01\x05", b"\xFA\x7F\0"];

/// Payloads that are no message.
fn malformed() -> Vec<Vec<u8>> {
    let mut groups = vec![0x7B; 10_000];
    groups.extend([0x7C; 10_000]);
    [
        &b"\x0A\x05ab"[..],
        // Text that is no UTF-8.
        b"\x0A\x03\x0A\x01\xFF",
        // A member as a number.
        b"\x08\x01",
        // A field without a number, a number without an end.
        b"\x02\0",
        b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
        // Nested without end.
        &groups,
    ]
    .map(<[u8]>::to_vec)
    .to_vec()
}

#[test]
fn a_message_without_a_known_member_is_ignored_at_the_server() {
    let mut counter = Counter::new(|_| {});
    let mut peer = counter.connect();
    for payload in EMPTY {
        peer.write_some(&frame(Wire::V2, Kind::ClientToServer, payload));
    }
    peer.write_some(&to_server(&nop()));
    counter.settle();
    assert_eq!(counter.messages().into_iter().map(|(_, message)| message).collect::<Vec<_>>(), [nop()]);
    assert_eq!(counter.reasons(), []);
}

#[test]
fn a_message_without_a_known_member_is_ignored_at_the_client() {
    let mut customer = Customer::new(1, |_| {});
    let mut peer = customer.accept();
    for payload in EMPTY {
        peer.write_some(&frame(Wire::V2, Kind::ServerToClient, payload));
    }
    peer.write_some(&to_client(&welcome(1)));
    customer.settle();
    assert_eq!((customer.messages(), customer.reasons()), (vec![welcome(1)], vec![]));
}

#[test]
fn malformed_protobuf_ends_the_connection_at_the_server() {
    for payload in malformed() {
        let mut counter = Counter::new(|_| {});
        let mut other = counter.connect();
        let mut peer = counter.connect();
        let bytes = [to_server(&nop()), frame(Wire::V2, Kind::ClientToServer, &payload), to_server(&nop())].concat();
        peer.write_some(&bytes);
        counter.settle();
        assert_eq!(counter.messages().len(), 1, "{payload:?}");
        assert_eq!(counter.reasons(), [(0, Reason::MessageDecodeError)]);
        assert!(peer.read_all().1, "it is closed");
        other.write_some(&to_server(&nop()));
        counter.settle();
        assert_eq!((counter.messages().len(), counter.clients().len()), (2, 1), "the others don't notice");
    }
}

#[test]
fn malformed_protobuf_ends_the_connection_at_the_client() {
    for payload in malformed() {
        let mut customer = Customer::new(1, |_| {});
        let mut peer = customer.accept();
        let bytes =
            [to_client(&welcome(1)), frame(Wire::V2, Kind::ServerToClient, &payload), to_client(&welcome(2))].concat();
        peer.write_some(&bytes);
        customer.settle();
        assert_eq!(customer.messages(), [welcome(1)]);
        assert_eq!(customer.reasons(), [(0, Reason::MessageDecodeError)]);
    }
}

#[test]
fn an_end_and_an_error_of_the_network_close_the_connection() {
    for is_reset in [false, true] {
        let mut counter = Counter::new(|_| {});
        let mut peer = counter.connect();
        peer.write_some(&to_server(&nop())[..3]);
        counter.settle();
        assert!(!is_reset || counter.world.reset_one());
        drop(peer);
        counter.settle();
        assert_eq!((counter.reasons(), counter.messages().len()), (vec![(0, Reason::ConnectionClosed)], 0));

        let mut customer = Customer::new(1, |_| {});
        let mut peer = customer.accept();
        peer.write_some(&to_client(&welcome(1))[..3]);
        customer.settle();
        assert!(!is_reset || customer.world.reset_one());
        drop(peer);
        customer.settle();
        assert_eq!((customer.reasons(), customer.messages().len()), (vec![(0, Reason::ConnectionClosed)], 0));
    }
}

#[test]
fn what_arrived_before_the_end_is_delivered_before_it() {
    let mut counter = Counter::new(|_| {});
    let mut peer = counter.connect();
    peer.write_some(&to_server(&nop()).repeat(3000));
    drop(peer);
    counter.settle();
    assert_eq!(counter.messages().len(), 3000);
    assert!(matches!(counter.events.last(), Some((_, ServerEvent::Disconnected { .. }))));
}

#[test]
fn what_arrived_before_a_write_failed_is_delivered() {
    let mut counter = Counter::new(|_| {});
    let mut peer = counter.connect();
    peer.write_some(&to_server(&nop()).repeat(3));
    assert!(counter.world.reset_one());
    let client = counter.clients()[0];
    counter.server.send(client, &shout(1, 1)).unwrap();
    counter.server.flush();
    counter.settle();
    assert_eq!((counter.messages().len(), counter.reasons()), (3, vec![(0, Reason::ConnectionClosed)]));
}

/// A poller that does not take it would leave it unheard for ever.
#[test]
fn a_connection_that_cannot_be_watched_is_ended() {
    let mut counter = Counter::patient(|_| {});
    let mut peer = counter.connect();
    counter.world.refuse_watches(Some(ErrorKind::OutOfMemory));
    peer.write_some(&to_server(&nop()));
    counter.settle();
    assert_eq!((counter.messages().len(), counter.reasons()), (1, vec![(0, Reason::GeneralError)]));
    // One that comes in only now.
    let _other = counter.connect();
    assert_eq!((counter.clients().len(), counter.world.sockets(counter.node)), (0, 0));
    counter.world.refuse_watches(None);
    let _third = counter.connect();
    assert_eq!(counter.clients().len(), 1);
}

/// The end was there before the time was over, even if both are seen in one turn.
#[test]
fn at_its_end_nobody_is_late() {
    let mut counter = Counter::new(|_| {});
    let peer = counter.connect();
    drop(peer);
    counter.world.move_to(SECOND + 3000 * MILLI);
    counter.settle();
    assert_eq!(counter.reasons(), [(3000, Reason::ConnectionClosed)]);
}

// ----------------------------------------------------------------------------------------------------- who is there

#[test]
fn a_link_that_goes_silent_is_found_by_the_server_in_three_seconds() {
    let mut counter = Counter::new(|_| {});
    let mut peer = counter.connect();
    for second in [2, 4, 6] {
        counter.run(second * 1000);
        peer.write_some(PING);
        counter.settle();
    }
    counter.world.silence_one();
    counter.run(60_000);
    assert_eq!(counter.reasons(), [(9000, Reason::KeepAliveTimeout)]);
}

#[test]
fn a_link_that_goes_silent_is_found_by_the_client_in_four_seconds() {
    let mut customer = Customer::new(1, |options| options.reconnect = Reconnect::Never);
    let mut peer = customer.accept();
    customer.run(3999);
    assert_eq!(peer.read_all(), (PING.to_vec(), false));
    peer.write_some(b"\x04\0\0\0");
    customer.run(4001);
    peer.write_some(b"\x04\0\0\0");
    customer.settle();
    customer.world.silence_one();
    customer.run(60_000);
    assert_eq!(customer.reasons(), [(8000, Reason::KeepAliveTimeout)]);
}

#[test]
fn dribblers_are_ended_and_nobody_waits_for_them() {
    let mut counter = Counter::patient(|_| {});
    let mut honest = counter.connect();
    let mut dribblers: Vec<SimSocket> = (0..100).map(|_| counter.connect()).collect();
    let long = frame(Wire::V2, Kind::ClientToServer, &[0; 100]);
    for second in 1..20 {
        counter.run(second * 1000);
        for dribbler in &mut dribblers {
            dribbler.write_some(&long[second as usize..][..1]);
        }
        honest.write_some(&to_server(&nop()));
        counter.settle();
        assert_eq!(counter.messages().len(), second as usize, "the honest one is heard at once");
    }
    let ends = counter.reasons();
    // What they send looks like no frame of a known type, or like one that never ends.
    assert_eq!(ends.len(), 100);
    assert!(ends.iter().all(|(at, _)| *at <= 11_000), "{ends:?}");
    assert_eq!((counter.clients().len(), counter.world.sockets(counter.node)), (1, 1));
}

#[test]
fn a_frame_that_dribbles_ends_at_its_time() {
    let mut counter = Counter::patient(|_| {});
    let mut peers: Vec<SimSocket> = (0..10).map(|_| counter.connect()).collect();
    let long = frame(Wire::V2, Kind::ClientToServer, &[0; 100]);
    for second in 1..20 {
        counter.run(second * 1000);
        peers.iter_mut().for_each(|peer| _ = peer.write_some(&long[second as usize - 1..][..1]));
        counter.settle();
    }
    assert_eq!(counter.reasons(), [(11_000, Reason::Limit); 10]);
}

// ---------------------------------------------------------------------------------------------------- who is let in

#[test]
fn one_client_too_many_is_closed_at_once_and_the_others_stay() {
    let mut counter = Counter::patient(|options| options.max_clients = 2);
    let mut first = counter.connect();
    let second = counter.connect();
    let mut third = counter.connect();
    assert_eq!(third.read_all(), (vec![], true), "closed, and nothing was said");
    assert_eq!(counter.clients().len(), 2);
    first.write_some(PING);
    counter.settle();
    assert_eq!(first.read_all(), (b"\x04\0\0\0".to_vec(), false));
    drop(second);
    counter.settle();
    let mut fourth = counter.connect();
    fourth.write_some(&to_server(&nop()));
    counter.settle();
    assert_eq!((counter.clients().len(), counter.messages().len()), (2, 1));
    let connected = counter.events.iter().filter(|(_, event)| matches!(event, ServerEvent::Connected { .. })).count();
    assert_eq!(connected, 3, "the one too many was never connected");
}

#[test]
fn whom_the_hook_refuses_is_closed_and_never_connected() {
    let mut counter =
        Counter::patient(|options| options.accept = Some(std::sync::Arc::new(|peer| peer.port() % 2 == 0)));
    let mut peers: Vec<SimSocket> = (0..10).map(|_| counter.connect()).collect();
    let closed = peers.iter_mut().filter_map(|peer| peer.read_all().1.then_some(())).count();
    assert_eq!((closed, counter.clients().len(), counter.events.len()), (5, 5, 5));
}

#[test]
fn without_descriptors_the_server_pauses_says_so_once_and_recovers() {
    let mut counter = Counter::patient(|_| {});
    counter.world.refuse_accepts(Some(ErrorKind::OutOfMemory));
    let _peer = counter.world.node().connect(address()).unwrap();
    let event = counter.server.next(Some(Duration::from_secs(10)));
    assert!(matches!(event, Some(ServerEvent::Trouble(NetworkError::Accept(_)))), "{event:?}");
    assert!(counter.server.next(Some(Duration::from_secs(10))).is_none(), "it is said once");
    // 10 ms doubling to 1 s: seven in the first 1.27 s, and one a second.
    let (accepts, waits) = (counter.world.accepts(counter.node), counter.world.waits(counter.node));
    assert!((14..20).contains(&accepts), "{accepts} attempts in 10 s");
    assert!(waits < 40, "{waits} waits in 10 s: a hot loop");
    counter.world.refuse_accepts(None);
    let from = millis(&counter.world);
    let event = counter.server.next(Some(Duration::from_secs(10)));
    assert!(matches!(event, Some(ServerEvent::Connected { .. })), "{event:?}");
    assert!(millis(&counter.world) <= from + 1000, "a second is the longest pause");
}

#[test]
fn a_pause_in_accepting_ends_though_nobody_waits_any_more() {
    for stops in [false, true] {
        let mut counter = Counter::patient(|_| {});
        counter.world.refuse_accepts(Some(ErrorKind::OutOfMemory));
        let peer = counter.world.node().connect(address()).unwrap();
        counter.settle();
        counter.world.refuse_accepts(None);
        // Somebody else has taken it, as it were.
        counter.world.forget_who_comes_in();
        drop(peer);
        if stops {
            counter.server.stop();
        }
        counter.run(1000);
        assert_eq!(counter.server.next_deadline(), None, "it wakes for nothing, for ever");
        counter.server.start().unwrap();
        let _next = counter.connect();
        assert_eq!(counter.clients().len(), 1);
    }
}

#[test]
fn an_event_from_before_a_pause_does_not_end_it() {
    for comes_back in [false, true] {
        let mut counter = Counter::patient(|_| {});
        counter.world.refuse_accepts(Some(ErrorKind::OutOfMemory));
        let _peer = counter.world.node().connect(address()).unwrap();
        counter.settle();
        counter.world.refuse_accepts(None);
        if !comes_back {
            counter.world.forget_who_comes_in();
        }
        // No time passes, so that the pause goes on; events are told that are none any more.
        counter.world.set_faults(Faults { events: 100, ..Faults::default() });
        for _ in 0..200 {
            counter.server.next(Some(Duration::ZERO));
        }
        counter.world.set_faults(Faults::default());
        counter.run(2000);
        let _next = counter.connect();
        assert_eq!(counter.clients().len(), 1 + usize::from(comes_back), "nobody is let in any more");
    }
}

#[test]
fn a_storm_of_connections_leaves_nothing_behind() {
    let mut counter = Counter::patient(|_| {});
    let mut honest = counter.connect();
    let mut net = counter.world.node();
    for round in 0..100_u64 {
        // Some are gone before they are taken, some say something, some are reset.
        let mut peers: Vec<SimSocket> = (0..100).map(|_| net.connect(address()).unwrap()).collect();
        peers.iter_mut().step_by(3).for_each(|peer| _ = peer.write_some(&[round as u8; 9]));
        if round % 2 == 0 {
            peers.truncate(50);
            counter.settle();
        }
        drop(peers);
        counter.settle();
        honest.write_some(&to_server(&nop()));
        counter.settle();
        assert_eq!((counter.clients().len(), counter.world.sockets(counter.node)), (1, 1));
    }
    let honest_ones = counter.messages().iter().filter(|(_, message)| *message == nop()).count();
    assert_eq!(honest_ones, 100);
}

// ----------------------------------------------------------------------------------------------------------- fairness

#[test]
fn a_flood_does_not_keep_the_others_waiting() {
    let tiny = [frame(Wire::V2, Kind::ClientToServer, b""), PING.to_vec(), to_server(&deposit(1, 1))].concat();
    let mut counter = Counter::patient(|_| {});
    let mut honest = counter.connect();
    let honest_id = counter.clients()[0];
    let mut floods: Vec<SimSocket> = (0..20).map(|_| counter.connect()).collect();
    let mut written = [0; 20];
    for _ in 0..50 {
        for (flood, written) in floods.iter_mut().zip(&mut written) {
            *written += flood.write_some(&tiny.repeat(3000)[*written % tiny.len()..]);
            flood.read_all();
        }
        honest.write_some(&to_server(&nop()));
        let mut before = 0;
        loop {
            // The poller is not asked at every turn, but often.
            counter.world.move_to(counter.world.now() + 1000);
            match counter.server.next(Some(Duration::ZERO)) {
                Some(ServerEvent::Message { client, .. }) if client == honest_id => break,
                Some(ServerEvent::Message { .. }) => before += 1,
                None => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(before <= 2 * 4096, "{before} messages came first");
    }
}

#[test]
fn a_turn_is_shared() {
    let mut counter = Counter::patient(|_| {});
    let mut floods: Vec<SimSocket> = (0..30).map(|_| counter.connect()).collect();
    for flood in &mut floods {
        flood.write_some(&to_server(&nop()).repeat(10_000));
    }
    // What one turn brings is what is there without another look at the network.
    for _ in 0..20 {
        let (mut messages, looks) = (0, counter.world.looks(counter.node));
        while counter.world.looks(counter.node) <= looks + 1 {
            counter.world.move_to(counter.world.now() + MILLI);
            messages += usize::from(counter.server.next(Some(Duration::ZERO)).is_some());
        }
        assert!((500..10_000).contains(&messages), "{messages} in one turn");
    }
}

// ------------------------------------------------------------------------------------------------------- slow readers

#[test]
fn a_peer_that_never_reads_costs_what_may_be_pending_and_the_others_dont_notice() {
    let mut counter = Counter::patient(|options| options.connection.max_pending = 10_000);
    let _deaf = counter.connect();
    let deaf = counter.clients()[0];
    let mut honest = counter.connect();
    let honest_id = *counter.clients().iter().find(|client| **client != deaf).unwrap();
    let message = shout(7, 7);
    let mut offered = 0;
    while counter.server.try_send(deaf, &message) != Err(SendError::Full) {
        offered += 1;
        assert!(counter.server.pending(deaf).unwrap() <= 10_000);
        counter.settle();
    }
    assert!(offered * to_client(&message).len() > 64 << 10, "the network took what it could");
    counter.server.send(honest_id, &message).unwrap();
    let mut both = 0;
    while counter.server.broadcast(&message) == Ok(2) {
        both += 1;
        assert!(counter.server.pending(deaf).unwrap() <= 10_000);
    }
    assert!(both > 100, "what cannot wait may have the other half");
    counter.settle();
    assert_eq!(counter.reasons(), [(0, Reason::SlowConsumer)]);
    assert_eq!(honest.read_all(), (to_client(&message).repeat(both + 2), false));
    assert_eq!(counter.server.send(deaf, &message), Err(SendError::Gone));
}

#[test]
fn a_peer_that_never_reads_is_ended_without_being_sent_more() {
    let mut counter = Counter::patient(|_| {});
    let _deaf = counter.connect();
    let deaf = counter.clients()[0];
    counter.world.set_capacity(1000);
    for _ in 0..2000 {
        counter.server.try_send(deaf, &shout(7, 7)).unwrap();
    }
    counter.run(60_000);
    assert!(matches!(counter.reasons()[..], [(10_000, Reason::SlowConsumer)]), "{:?}", counter.reasons());
}

#[test]
fn a_peer_that_pings_and_never_reads_is_not_read_either() {
    let mut counter = Counter::new(|options| options.connection.max_pending = 10_000);
    let mut deaf = counter.connect();
    let deaf_id = counter.clients()[0];
    let mut written = 0;
    for second in 0..8 {
        counter.run(second * 1000);
        for _ in 0..100 {
            written += deaf.write_some(&PING.repeat(10_000));
            counter.settle();
            assert!(counter.server.pending(deaf_id).unwrap() <= 10_000);
        }
    }
    // What it takes to fill the network towards it, and half of what may be pending; and one read.
    assert!(deaf.was_read() <= (64 << 10) + 5000 + (128 << 10) + 100, "{} bytes were read", deaf.was_read());
    assert!(written < 400 << 10, "{written} bytes were taken in");
    counter.run(60_000);
    assert!(matches!(counter.reasons()[..], [(9000..=18_000, Reason::SlowConsumer)]), "{:?}", counter.reasons());
}

#[test]
fn a_slow_reader_is_read_slowly_and_kept() {
    let mut counter = Counter::new(|options| options.connection.max_pending = 10_000);
    let mut slow = counter.connect();
    counter.world.set_capacity(1000);
    let (mut pings, mut pongs) = (0, 0);
    for tick in 1..600 {
        counter.run(tick * 100);
        pings += slow.write_some(&PING.repeat(1000));
        let mut buffer = [0; 400];
        pongs += std::io::Read::read(&mut slow, &mut buffer).unwrap_or(0);
    }
    assert_eq!(counter.reasons(), []);
    assert!(pongs > 400 * 500 && pings - pongs < 20_000, "{pings} bytes of pings, {pongs} of answers");
}

// ------------------------------------------------------------------------------------------------------ going away

#[test]
fn what_is_queued_is_sent_before_a_disconnect_and_nothing_comes_in_after_it() {
    let mut counter = Counter::new(|_| {});
    let mut peer = counter.connect();
    let client = counter.clients()[0];
    for number in 0..1000 {
        counter.server.send(client, &shout(1, number)).unwrap();
    }
    assert!(counter.server.disconnect(client));
    assert!(!counter.server.disconnect(client));
    peer.write_some(&to_server(&nop()));
    let (mut bytes, mut is_over) = (Vec::new(), false);
    while !is_over {
        counter.settle();
        let (more, end) = peer.read_all();
        bytes.extend(more);
        is_over = end;
    }
    let expected: Vec<u8> = (0..1000).flat_map(|number| to_client(&shout(1, number))).collect();
    assert!(bytes == expected, "{} bytes of {}", bytes.len(), expected.len());
    assert_eq!((counter.reasons(), counter.messages().len()), (vec![(0, Reason::Requested)], 0));
    drop(peer);
    counter.settle();
    assert_eq!(counter.world.sockets(counter.node), 0);
}

#[test]
fn a_stop_sends_what_is_queued_for_every_one_of_many_clients() {
    let mut counter = Counter::new(|options| options.max_clients = 200);
    let mut peers: Vec<SimSocket> = (0..200).map(|_| counter.connect()).collect();
    let message = shout(1, 1);
    for _ in 0..100 {
        assert_eq!(counter.server.broadcast(&message), Ok(200));
    }
    // So narrow that no one turn sends it all.
    counter.world.set_capacity(1000);
    counter.server.stop();
    let mut bytes = vec![0; peers.len()];
    for _ in 0..100 {
        counter.settle();
        for (peer, bytes) in peers.iter_mut().zip(&mut bytes) {
            *bytes += peer.read_all().0.len();
        }
    }
    assert_eq!(bytes, vec![100 * to_client(&message).len(); 200]);
}

#[test]
fn a_peer_that_does_not_see_the_end_is_forgotten_in_time() {
    let mut counter = Counter::new(|_| {});
    let peers: Vec<SimSocket> = (0..10).map(|_| counter.connect()).collect();
    counter.server.stop();
    counter.run(999);
    assert_eq!((counter.world.sockets(counter.node), counter.reasons().len()), (10, 10));
    counter.run(1000);
    assert_eq!(counter.world.sockets(counter.node), 0);
    drop(peers);
}

/// Nothing can be sent to it any more, so it does not take the place of one that lingers.
#[test]
fn one_that_takes_nothing_does_not_linger() {
    let mut counter = Counter::patient(|_| {});
    let mut peer = counter.connect();
    peer.write_some(&to_server(&nop()));
    assert!(counter.world.reset_one());
    let client = counter.clients()[0];
    counter.server.send(client, &shout(1, 1)).unwrap();
    counter.server.flush();
    assert!(counter.server.disconnect(client));
    assert_eq!(counter.world.sockets(counter.node), 0);
    counter.settle();
    assert_eq!(counter.reasons(), [(0, Reason::Requested)]);
}

#[test]
fn those_that_linger_stay_few() {
    let mut counter = Counter::new(|options| options.max_clients = 20);
    let mut peers = Vec::new();
    for _ in 0..500 {
        peers.push(counter.connect());
        let client = counter.clients()[0];
        counter.server.disconnect(client);
        counter.settle();
        assert!(counter.world.sockets(counter.node) <= 60);
    }
    assert_eq!(counter.reasons(), [(0, Reason::Requested); 500]);
}

#[test]
fn finishing_says_the_end_of_everybody() {
    let mut counter = Counter::new(|_| {});
    let peers: Vec<SimSocket> = (0..3).map(|_| counter.connect()).collect();
    counter.server.finish();
    counter.settle();
    assert_eq!(counter.ends().len(), 3, "connected and disconnected alternate");
    assert!(millis(&counter.world) <= 1000);
    drop(peers);

    let mut customer = Customer::new(1, |_| {});
    let _peer = customer.accept();
    customer.settle();
    customer.client.finish();
    customer.settle();
    assert_eq!(customer.reasons().len(), 1);
}

#[test]
fn a_server_starts_again_at_once_and_as_often_as_one_likes() {
    let mut counter = Counter::new(|_| {});
    for round in 0..20 {
        assert_eq!(counter.server.start().unwrap(), address());
        assert_eq!(counter.server.start().unwrap(), address(), "it does already");
        let mut peer = counter.connect();
        peer.write_some(&to_server(&nop()));
        counter.settle();
        assert_eq!(counter.messages().len(), round + 1);
        counter.server.stop();
        counter.server.stop();
    }
    counter.run(5000);
    assert_eq!((counter.reasons().len(), counter.world.sockets(counter.node)), (20, 0));
}

// --------------------------------------------------------------------------------------------------------- stale ids

#[test]
fn the_id_of_one_that_is_gone_is_nobody_elses() {
    let mut counter = Counter::patient(|_| {});
    let mut stale = Vec::new();
    for round in 0..50 {
        let peer = counter.connect();
        let client = counter.clients()[0];
        assert!(!stale.contains(&client));
        for id in &stale {
            assert_eq!(counter.server.send(*id, &shout(1, 1)), Err(SendError::Gone));
            assert_eq!(counter.server.pending(*id), None);
            assert!(!counter.server.disconnect(*id));
        }
        assert_eq!(counter.server.pending(client), Some(0), "its successor in the slot has been left alone");
        stale.push(client);
        if round % 2 == 0 {
            counter.server.disconnect(client);
        }
        drop(peer);
        counter.settle();
    }
    assert_eq!(counter.reasons().len(), 50);
}

#[test]
fn any_order_of_calls_upon_any_event_is_safe() {
    for seed in 0..300 {
        let mut random = seed;
        let mut below = move |limit: u64| {
            random = mix(random);
            random % limit
        };
        let mut counter = Counter::patient(|options| options.max_clients = 4);
        let (mut peers, mut open, mut known) = (Vec::new(), HashMap::new(), Vec::new());
        for _ in 0..100 {
            if below(3) == 0 {
                peers.push(counter.world.node().connect(address()).unwrap());
            }
            if !peers.is_empty() {
                let chosen = below(peers.len() as u64) as usize;
                match below(5) {
                    0 => drop(peers.swap_remove(chosen)),
                    1 => _ = peers[chosen].write_some(b"\x09\0\0\0"),
                    _ => _ = peers[chosen].write_some(&to_server(&nop()).repeat(3)),
                }
            }
            let Some(event) = counter.server.next(Some(Duration::from_millis(below(50)))) else { continue };
            let client = match event {
                ServerEvent::Connected { client, .. } => {
                    assert_eq!(open.insert(client, true), None, "connected twice");
                    known.push(client);
                    client
                }
                ServerEvent::Message { client, .. } => {
                    assert!(open[&client], "a message outside of its connection");
                    client
                }
                ServerEvent::Disconnected { client, .. } => {
                    assert_eq!(open.insert(client, false), Some(true), "disconnected twice");
                    assert_eq!(counter.server.send(client, &shout(1, 1)), Err(SendError::Gone));
                    client
                }
                _ => continue,
            };
            match below(8) {
                0 => _ = counter.server.disconnect(client),
                1 => counter.server.stop(),
                2 => counter.server.flush(),
                3 => _ = counter.server.send(known[below(known.len() as u64) as usize], &shout(1, 1)),
                4 => _ = counter.server.disconnect(known[below(known.len() as u64) as usize]),
                5 => _ = counter.server.broadcast(&shout(1, 1)),
                _ => {}
            }
            counter.server.start().unwrap();
        }
        counter.server.stop();
        drop(peers);
        counter.run(millis(&counter.world) + 2000);
        for (_, event) in &counter.events {
            match event {
                ServerEvent::Connected { client, .. } => assert_eq!(open.insert(*client, true), None),
                ServerEvent::Message { client, .. } => assert!(open[client]),
                ServerEvent::Disconnected { client, .. } => assert_eq!(open.insert(*client, false), Some(true)),
                _ => {}
            }
        }
        assert!(open.values().all(|is_open| !is_open), "connected for ever, seed {seed}");
        assert_eq!(counter.world.sockets(counter.node), 0);
    }
}

// --------------------------------------------------------------------------------------------------------- connecting

#[test]
fn an_attempt_to_connect_ends_after_five_seconds() {
    let mut customer = Customer::new(1, |options| options.reconnect = Reconnect::Never);
    customer.client.stop();
    customer.world.set_faults(Faults { unanswered: 100, ..Faults::default() });
    customer.client.start();
    customer.run(4999);
    assert_eq!((customer.failures(), customer.world.sockets(customer.node)), (vec![], 1));
    customer.run(100_000);
    assert_eq!((customer.failures(), customer.world.sockets(customer.node)), (vec![5000], 0));
    assert_eq!(customer.client.next_deadline(), None, "it was to be the only attempt");
    customer.client.start();
    customer.run(106_000);
    assert_eq!(customer.failures(), [5000, 105_000], "it can be told to try again");
}

/// The pauses of a client whose server is not there.
fn pauses(seed: u64, count: usize, reconnect: Reconnect) -> Vec<u64> {
    let mut customer = Customer::new(seed, |options| options.reconnect = reconnect);
    customer.acceptor = None;
    customer.client.stop();
    customer.client.start();
    while customer.failures().len() <= count {
        let next = customer.client.next_deadline().unwrap().as_nanos().max(customer.world.now() + 1);
        customer.world.move_to(next.min(customer.world.next_event()));
        customer.settle();
    }
    // To the millisecond.
    customer.failures().windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn pauses_double_to_thirty_seconds_with_full_jitter() {
    let (seeds, count) = (200, 12);
    let all: Vec<Vec<u64>> = (0..seeds).map(|seed| pauses(seed, count, Reconnect::default())).collect();
    for place in 0..count {
        let limit = (100 << place).min(30_000);
        let mut pauses: Vec<u64> = all.iter().map(|pauses| pauses[place]).collect();
        pauses.sort();
        // All of the range is used, evenly, and nothing beyond it.
        assert!(pauses[pauses.len() - 1] <= limit + 1, "{pauses:?} in place {place}");
        for (part, hundred) in [(0, 0..15), (1, 35..65), (2, 85..101)] {
            let quantile = pauses[part * (pauses.len() - 1) / 2] * 100 / limit;
            assert!(hundred.contains(&quantile), "{quantile} % of {limit} ms in place {place}");
        }
    }
}

#[test]
fn pauses_are_constant_if_chosen() {
    assert_eq!(pauses(1, 20, Reconnect::Constant(Duration::from_secs(1))), [1000; 20]);
}

#[test]
fn a_healthy_connection_makes_pauses_short_again_and_only_that() {
    for (lasts, is_short) in [(10_000, true), (9_000, false)] {
        let mut longest = 0;
        for seed in 0..30 {
            let mut customer = Customer::new(seed, |options| options.connection.keep_alive = None);
            // A server that takes the connection and closes it at once, many times.
            for _ in 0..8 {
                drop(customer.accept_next());
                customer.settle();
            }
            let peer = customer.accept_next();
            customer.run(millis(&customer.world) + lasts);
            drop(peer);
            customer.settle();
            let from = millis(&customer.world);
            drop(customer.accept_next());
            longest = longest.max(millis(&customer.world) - from);
        }
        assert_eq!(longest <= 101, is_short, "{longest} ms after a connection of {lasts}");
    }
}

#[test]
fn whoever_never_reconnects_connects_once() {
    let mut customer = Customer::new(1, |options| options.reconnect = Reconnect::Never);
    drop(customer.accept());
    customer.run(100_000);
    assert_eq!(customer.reasons(), [(0, Reason::ConnectionClosed)]);
    assert!(customer.acceptor.as_mut().unwrap().accept().is_err());
    assert_eq!(customer.client.next_deadline(), None);
}

#[test]
fn a_name_that_is_not_found_is_tried_again() {
    let mut customer = Customer::new(1, |_| {});
    customer.client.stop();
    customer.run(2000);
    customer.world.set_faults(Faults { names: 100, ..Faults::default() });
    customer.client.start();
    for _ in 0..200 {
        let next = millis(&customer.world) + 100;
        customer.run(next);
    }
    assert!(!customer.failures().is_empty());
    customer.world.set_faults(Faults::default());
    let before = customer.events.len();
    let next = millis(&customer.world) + 32_000;
    customer.run(next);
    assert!(customer.events[before..].iter().any(|(_, event)| matches!(event, ClientEvent::Connected)));
}

#[test]
fn the_addresses_of_a_name_are_tried_in_their_order() {
    let place = |port| SocketAddr::new(address().ip(), port);
    for listens in [4000, 4001, 4002] {
        let mut customer = Customer::new(1, |_| {});
        customer.client.stop();
        customer.world.set_addresses(&[place(4000), place(4001), place(4002)]);
        // Whoever comes last in the list listens, too: the first that answers is taken.
        let from = customer.world.connects(customer.node).len();
        customer.acceptor = None;
        let mut acceptors: Vec<_> =
            (listens..=4002).map(|port| customer.world.node().listen(place(port)).unwrap()).collect();
        customer.client.start();
        customer.settle();
        let tried: Vec<_> = (4000..=listens).map(place).collect();
        assert_eq!(customer.world.connects(customer.node)[from..], tried);
        assert!(acceptors[0].accept().is_ok() && customer.client.is_connected());
        assert_eq!(customer.failures(), [], "one address that answers is enough");
    }
}

#[test]
fn a_server_that_restarts_at_any_byte_leaves_no_part_of_a_message() {
    let pause = Duration::from_millis(1);
    let mut customer = Customer::new(1, |options| options.reconnect = Reconnect::Constant(pause));
    let frames: Vec<Vec<u8>> = (0..5).map(|number| to_client(&shout(9, number))).collect();
    let stream = frames.concat();
    let mut expected = Vec::new();
    for round in 0..100 {
        let cut = mix(round) as usize % (stream.len() + 1);
        let mut peer = customer.accept_next();
        peer.write_some(&stream[..cut]);
        customer.settle();
        // Not sent again to the next one.
        customer.client.try_send(&deposit(3, round as u32)).unwrap();
        customer.settle();
        assert_eq!(peer.read_all().0, to_server(&deposit(3, round as u32)));
        drop(peer);
        customer.settle();
        assert_eq!(customer.client.try_send(&deposit(3, 0)), Err(SendError::NotConnected));
        let mut end = 0;
        for (number, frame) in (0..).zip(&frames) {
            end += frame.len();
            if end <= cut {
                expected.push(shout(9, number));
            }
        }
    }
    assert!(customer.messages() == expected);
    assert_eq!(customer.reasons().len(), 100);
}

#[test]
fn calls_upon_any_event_of_a_client_are_safe() {
    for seed in 0..200 {
        let mut customer = Customer::new(seed, |options| options.reconnect = Reconnect::Constant(Duration::ZERO));
        let mut is_open = false;
        let mut peer = None;
        for _ in 0..100 {
            if let Ok((socket, _)) = customer.acceptor.as_mut().unwrap().accept() {
                peer = Some(socket);
            }
            match (customer.world.below(6), &mut peer) {
                (0, peer) => *peer = None,
                (1, Some(peer)) => _ = peer.write_some(&to_client(&welcome(1))),
                (2, Some(peer)) => _ = peer.write_some(&to_client(&welcome(1))[..3]),
                _ => {}
            }
            match customer.client.next(Some(Duration::from_millis(customer.world.below(100)))) {
                Some(ClientEvent::Connected) => assert!(!std::mem::replace(&mut is_open, true)),
                Some(ClientEvent::Message(_)) => assert!(is_open),
                Some(ClientEvent::Disconnected(_)) => assert!(std::mem::take(&mut is_open)),
                _ => {}
            }
            match customer.world.below(8) {
                0 => customer.client.stop(),
                1 => {
                    customer.client.stop();
                    customer.client.start();
                }
                2 => _ = customer.client.send(&nop()),
                3 => customer.client.flush(),
                _ => customer.client.start(),
            }
        }
        customer.client.stop();
        drop(peer);
        customer.run(millis(&customer.world) + 2000);
        let left: i32 = (customer.events.iter())
            .map(|(_, event)| match event {
                ClientEvent::Connected => 1,
                ClientEvent::Disconnected(_) => -1,
                _ => 0,
            })
            .sum();
        assert_eq!(i32::from(is_open) + left, 0, "seed {seed}");
        assert_eq!(customer.world.sockets(customer.node), 0);
    }
}

// -------------------------------------------------------------------------------------------------------- the network

#[test]
fn whatever_the_network_does_to_calls_the_bytes_are_the_same() {
    for seed in 0..20 {
        let mut customer = Customer::new(seed, |options| options.reconnect = Reconnect::Never);
        customer.client.stop();
        customer.world.set_faults(Faults { calls: 40, narrow: 100, events: 20, delay: MILLI, ..Faults::default() });
        customer.client.start();
        let mut peer = customer.accept_next();
        customer.run(millis(&customer.world) + 10);
        let (mut sent, mut received) = (Vec::new(), Vec::new());
        for number in 0..40 {
            customer.client.try_send(&deposit(5, number)).unwrap();
            sent.extend(to_server(&deposit(5, number)));
            let next = millis(&customer.world) + customer.world.below(20);
            customer.run(next);
            received.extend(peer.read_all().0);
        }
        for _ in 0..60_000 {
            if received.len() == sent.len() {
                break;
            }
            let next = millis(&customer.world) + 1;
            // Only bytes are looked at here: those of pings would be among them.
            if next.is_multiple_of(1000) {
                peer.write_some(b"\x04\0\0\0");
            }
            customer.run(next);
            received.extend(peer.read_all().0);
        }
        let received: Vec<u8> = without_pings(&received);
        assert!(sent.starts_with(&received) && received.len() + 1600 > sent.len(), "seed {seed}");
    }
}

/// A client's stream without its pings.
fn without_pings(bytes: &[u8]) -> Vec<u8> {
    let (mut decoder, mut input, mut rest) = (Decoder::new(Wire::V2, Side::Client, 1 << 20), bytes, Vec::new());
    while let Some(one) = decoder.next(&mut input).unwrap() {
        if one.kind != Kind::Ping {
            rest.extend(frame(Wire::V2, one.kind, one.payload));
        }
    }
    rest
}

// --------------------------------------------------------------------------------------------------------------- time

#[test]
fn whoever_comes_back_late_still_wakes_in_time() {
    // Nobody looked for 1.9 s; the ping is due at 2 s all the same.
    let mut customer = Customer::new(1, |options| options.reconnect = Reconnect::Never);
    let mut peer = customer.accept();
    customer.settle();
    customer.world.move_to(SECOND + 1900 * MILLI);
    while let Some(event) = customer.client.next(None) {
        if let ClientEvent::Disconnected(reason) = event {
            assert_eq!((millis(&customer.world), reason), (4000, Reason::KeepAliveTimeout));
            break;
        }
    }
    assert_eq!(peer.read_all().0, PING);
}

#[test]
fn a_server_that_comes_back_late_still_wakes_in_time() {
    let mut counter = Counter::new(|_| {});
    let _peer = counter.connect();
    counter.world.move_to(SECOND + 2900 * MILLI);
    assert!(matches!(counter.server.next(None), Some(ServerEvent::Disconnected { .. })));
    assert_eq!(millis(&counter.world), 3000);
}

#[test]
fn what_lingers_has_its_time_from_when_it_was_said() {
    let expected: Vec<u8> = (0..100).flat_map(|number| to_client(&shout(1, number))).collect();
    for stops in [false, true] {
        let mut counter = Counter::patient(|_| {});
        let mut peer = counter.connect();
        counter.world.set_capacity(100);
        let client = counter.clients()[0];
        (0..100).for_each(|number| counter.server.send(client, &shout(1, number)).unwrap());
        // Nobody looked for longer than a connection may linger.
        counter.world.move_to(counter.world.now() + 5 * SECOND);
        if stops {
            counter.server.stop();
        } else {
            counter.server.disconnect(client);
        }
        let mut bytes = Vec::new();
        for _ in 0..200 {
            counter.settle();
            bytes.extend(peer.read_all().0);
        }
        assert!(bytes == expected, "{} bytes of {}", bytes.len(), expected.len());
    }
    let expected: Vec<u8> = (0..100).flat_map(|number| to_server(&deposit(1, number))).collect();
    let mut customer = Customer::new(1, |options| options.connection.keep_alive = None);
    let mut peer = customer.accept();
    customer.settle();
    customer.world.set_capacity(100);
    (0..100).for_each(|number| customer.client.send(&deposit(1, number)).unwrap());
    customer.world.move_to(customer.world.now() + 5 * SECOND);
    customer.client.stop();
    let mut bytes = Vec::new();
    for _ in 0..200 {
        customer.settle();
        bytes.extend(peer.read_all().0);
    }
    assert!(bytes == expected, "{} bytes of {}", bytes.len(), expected.len());
}

#[test]
fn a_send_that_finds_no_room_ends_the_connection_and_one_that_tries_does_not() {
    let mut counter = Counter::patient(|_| {});
    let _deaf = counter.connect();
    let client = counter.clients()[0];
    while counter.server.try_send(client, &shout(1, 1)).is_ok() {}
    counter.settle();
    assert_eq!(counter.reasons(), []);
    while counter.server.send(client, &shout(1, 1)).is_ok() {}
    counter.settle();
    assert_eq!(counter.reasons(), [(0, Reason::SlowConsumer)]);

    let mut customer = Customer::new(1, |options| options.reconnect = Reconnect::Never);
    let _deaf = customer.accept();
    customer.settle();
    while customer.client.try_send(&deposit(1, 1)).is_ok() {}
    customer.settle();
    assert_eq!(customer.reasons(), []);
    while customer.client.send(&deposit(1, 1)).is_ok() {}
    customer.settle();
    assert_eq!(customer.reasons(), [(0, Reason::SlowConsumer)]);
}

/// The wire of one cannot say it, that of the other can.
#[test]
fn a_broadcast_too_big_for_one_wire_is_said_and_goes_to_the_others() {
    let mut counter = Counter::patient(|options| options.connection.wires = Wires::Auto { v1: Wire::V1b });
    let mut old = counter.connect();
    old.write_some(&frame(Wire::V1b, Kind::ClientToServer, &nop().encode_to_vec()));
    let mut new = counter.connect();
    new.write_some(&to_server(&nop()));
    counter.settle();
    let data = vec![5; Wire::V2.max_payload()];
    let large = ServerToClient { messages: Some(server_to_client::Messages::DownloadRsp(DownloadRsp { data })) };
    let refused = counter.server.broadcast(&large);
    assert!(matches!(refused, Err(SendError::TooBig { .. })), "{refused:?}");
    counter.world.set_capacity(usize::MAX);
    counter.settle();
    let bytes = frame(Wire::V1b, Kind::ServerToClient, &large.encode_to_vec());
    assert!(old.read_all().0 == bytes && new.read_all().0.is_empty());
    assert_eq!(counter.server.broadcast(&shout(1, 1)), Ok(2), "nobody was disconnected");
}

#[test]
fn one_that_goes_away_before_it_is_taken_is_no_want_of_descriptors() {
    for kind in [ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset, ErrorKind::Interrupted] {
        let mut counter = Counter::patient(|_| {});
        let _peer = counter.world.node().connect(address()).unwrap();
        counter.world.refuse_accepts(Some(kind));
        assert!(counter.server.next(Some(Duration::ZERO)).is_none(), "nothing to be said");
        assert_eq!(counter.server.next_deadline(), None, "no reason to pause");
        counter.world.refuse_accepts(None);
        counter.settle();
        assert_eq!(counter.clients().len(), 1);
    }
}

#[test]
fn a_notification_ends_a_wait_without_an_event() {
    let mut counter = Counter::new(|_| {});
    counter.server.poller().notify();
    assert!(counter.server.next(None).is_none());
    let mut customer = Customer::new(1, |_| {});
    let _peer = customer.accept();
    customer.settle();
    customer.client.poller().notify();
    assert!(customer.client.next(None).is_none());
}

// ------------------------------------------------------------------------------------------------------ both at once

/// A server and its one client, run in turns.
fn pair(max_pending: usize) -> (World, BankServer, BankClient) {
    let world = World::new(3);
    let mut server_options = ServerOptions::new(URI);
    server_options.connection.max_pending = max_pending;
    let mut server = BankServer::on(world.node(), server_options);
    server.start().unwrap();
    let mut client_options = ClientOptions::new(URI);
    client_options.connection.max_pending = max_pending;
    let mut client = BankClient::on(world.node(), client_options).unwrap();
    client.start();
    (world, server, client)
}

#[test]
fn two_that_send_as_much_as_they_can_both_get_it() {
    let (world, mut server, mut client) = pair(1 << 20);
    let (mut up, mut down) = (Order::default(), Order::default());
    let (mut sent_up, mut sent_down, mut who) = (0, 0, None);
    for _ in 0..2000 {
        world.move_to(world.now() + MILLI);
        while let Some(event) = server.next(Some(Duration::ZERO)) {
            match event {
                ServerEvent::Connected { client, .. } => {
                    server.try_send(client, &welcome(2)).unwrap();
                    who = Some(client);
                }
                ServerEvent::Message { message, .. } => up.at_server(&message),
                other => panic!("{other:?}"),
            }
        }
        while who.is_some_and(|who| server.try_send(who, &shout(2, sent_down)).is_ok()) {
            sent_down += 1;
        }
        while let Some(event) = client.next(Some(Duration::ZERO)) {
            match event {
                ClientEvent::Connected => client.try_send(&hello(1)).unwrap(),
                ClientEvent::Message(message) => down.at_client(&message),
                other => panic!("{other:?}"),
            }
        }
        while client.try_send(&deposit(1, sent_up)).is_ok() {
            sent_up += 1;
        }
        if up.next > 50_000 && down.next > 50_000 {
            return;
        }
    }
    panic!("of {sent_up} messages {} came, of {sent_down} {}", up.next, down.next);
}

#[test]
fn two_large_frames_that_meet_both_arrive() {
    // With a small one before them there must be room for both.
    for (max_pending, first) in [(0, false), (1000, false), (600_000, false), (1 << 20, false), (1 << 20, true)] {
        let (world, mut server, mut client) = pair(max_pending);
        let up = UploadReq { data: vec![1; 900_000] };
        let up = ClientToServer { messages: Some(client_to_server::Messages::UploadReq(up)) };
        let down = DownloadRsp { data: vec![2; 900_000] };
        let down = ServerToClient { messages: Some(server_to_client::Messages::DownloadRsp(down)) };
        let (mut came_up, mut came_down) = (false, false);
        for _ in 0..1000 {
            world.move_to(world.now() + MILLI);
            match server.next(Some(Duration::ZERO)) {
                Some(ServerEvent::Connected { client, .. }) => {
                    assert!(!first || server.send(client, &welcome(1)).is_ok());
                    server.send(client, &down).unwrap();
                }
                Some(ServerEvent::Message { message, .. }) => came_up |= message == up,
                None => {}
                other => panic!("{other:?}"),
            }
            match client.next(Some(Duration::ZERO)) {
                Some(ClientEvent::Connected) => {
                    assert!(!first || client.send(&nop()).is_ok());
                    client.send(&up).unwrap();
                }
                Some(ClientEvent::Message(message)) => came_down |= message == down,
                None => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(came_up && came_down, "with {max_pending} bytes that may be pending");
    }
}
