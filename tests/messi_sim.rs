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
//! A failure prints its seed. `SIM_SEED=<seed>` runs that one alone, `SIM_SEEDS=<count>` as many.

#![cfg(feature = "messi")]

#[path = "../examples/bank/protocol.rs"]
mod protocol;
#[path = "support/sim_net.rs"]
mod sim_net;
mod support;

use protocol::*;
use rust_messenger::messi::wire::Wire;
use rust_messenger::messi::*;
use rust_messenger::traits::Time;
use sim_net::{Faults, MILLI, SECOND, SimNet, World};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;
use support::mix;

const URI: &str = "tcp://127.0.0.1:4000";

type BankServer = ServerLoop<Bank, SimNet>;
type BankClient = ClientLoop<Bank, SimNet>;

// ------------------------------------------------------------------------------------------------------------ messages

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

// ------------------------------------------------------------------------------------------------------------- machines

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

// ----------------------------------------------------------------------------------------------------------- simulation

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
            assert!(round < 20_000, "somebody is never done: a hot loop");
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

    /// Something that may happen.
    fn act(&mut self) {
        let below = {
            let world = self.world.clone();
            move |limit| world.below(limit)
        };
        let now = self.world.now();
        let chosen = below(self.clients.len() as u64) as usize;
        let count = 1 + below(if below(10) == 0 { 200 } else { 10 }) as u32;
        let open = self.server.open();
        let somebody = (!open.is_empty()).then(|| open[below(open.len().max(1) as u64) as usize]);
        match below(40) {
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
                self.world.refuse_accepts(Some(std::io::ErrorKind::OutOfMemory));
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

    /// The whole life.
    fn run(seed: u64) {
        let mut sim = Sim::new(seed);
        let below = {
            let world = sim.world.clone();
            move |limit| world.below(limit)
        };
        let is_harsh = below(4) != 0;
        sim.world.set_faults(Faults {
            events: if is_harsh { below(30) } else { 0 },
            calls: if is_harsh { below(30) } else { 0 },
            narrow: below(60),
            refused: below(40),
            unanswered: below(20),
            names: below(20),
            delay: [0, 50 * MILLI, SECOND][below(3) as usize],
        });
        sim.listen();
        for client in &mut sim.clients {
            client.client.start();
            client.is_started = true;
        }
        for _ in 0..30 + below(60) {
            let until = sim.world.now() + below(if below(5) == 0 { 4 * SECOND } else { 100 * MILLI });
            sim.run_until(until);
            sim.act();
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
const SEEDS: u64 = if cfg!(debug_assertions) { 400 } else { 2000 };

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
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| Sim::run(seed))) {
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
