//! What the fuzzers of the bridge do with their bytes: one function each, which panics when something is wrong.
//!
//! `tests/messi_corpus.rs` calls the same functions with what the fuzzers have found worth keeping.

// Each fuzzer compiles this file for itself and uses its own part of it.
#![allow(dead_code)]

#[path = "../examples/bank/bank.rs"]
mod bank;
#[path = "../tests/support/sim_net.rs"]
mod sim_net;

use bank::{Bank, ClientToServer, NopReq, ServerToClient, client_to_server};
use prost::Message;
use rust_messenger::__private::messi::{
    Acceptor, Connection, Decoder, Kind, Net, Refusal, Side, TooBig, Verdict, frame,
};
use rust_messenger::messi::{
    ClientEvent, ClientLoop, ClientOptions, Reason, Reconnect, ServerEvent, ServerLoop, ServerOptions, Settings, Wire,
    Wires,
};
use rust_messenger::traits::Time;
use sim_net::World;
use std::io::Write;
use std::time::Duration;

/// The bytes of a case, taken from the front; zeros when they are used up.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn wire(&mut self) -> Wire {
        [Wire::V1a, Wire::V1b, Wire::V2, Wire::V2][self.below(4)]
    }
}

type Frames = Vec<(Kind, Vec<u8>)>;

fn decode_all(decoder: &mut Decoder, mut input: &[u8], frames: &mut Frames) -> Result<(), TooBig> {
    while let Some(frame) = decoder.next(&mut input)? {
        frames.push((frame.kind, frame.payload.to_vec()));
    }
    Ok(())
}

/// A stream in pieces gives what it gives as a whole, no memory beyond what has come, and the same bytes again.
pub fn frame_decode(data: &[u8]) {
    let mut bytes = Bytes(data);
    let (wire, sender) = (bytes.wire(), [Side::Client, Side::Server][bytes.below(2)]);
    let max_frame = [8, 20, 300, 1 << 24][bytes.below(4)];
    let longest = 1 + bytes.below(64);
    let stream = bytes.0;

    let (mut whole, mut pieces) = (Frames::new(), Frames::new());
    let mut decoder = Decoder::new(wire, sender, max_frame);
    let expected = decode_all(&mut decoder, stream, &mut whole);
    assert!(decoder.memory() <= stream.len().max(4096));

    let mut decoder = Decoder::new(wire, sender, max_frame);
    let (mut rest, mut arrived) = (stream, 0);
    let mut result = Ok(());
    while !rest.is_empty() && result.is_ok() {
        let (piece, behind) = rest.split_at((1 + usize::from(rest[0]) % longest).min(rest.len()));
        rest = behind;
        arrived += piece.len();
        result = decode_all(&mut decoder, piece, &mut pieces);
        assert!(decoder.memory() <= (2 * arrived + 64).max(4096));
    }
    assert_eq!(pieces, whole);
    assert_eq!(result, expected);
    let again: Vec<u8> = whole.iter().flat_map(|(kind, payload)| frame(wire, *kind, payload)).collect();
    assert!(stream.starts_with(&again), "what was decoded is not what was there");
    assert!(whole.iter().all(|(_, payload)| payload.len() + wire.header_len() <= max_frame));
}

/// The machine of a client, see [`machine`].
pub fn client_machine(data: &[u8]) {
    machine(Side::Client, data);
}

/// The machine of a server, see [`machine`].
pub fn server_machine(data: &[u8]) {
    machine(Side::Server, data);
}

/// One side of a connection in whatever order of bytes, time, room, sending and reading. Beside it a plain decoder
/// sees the same bytes and says what should have been delivered, and another one what should have been sent.
struct Machine {
    side: Side,
    settings: Settings,
    connection: Connection,
    now: Time,
    received: Vec<u8>,
    delivered: Vec<Vec<u8>>,
    sent: Vec<u8>,
    queued: Vec<Vec<u8>>,
    largest: usize,
}

fn machine(side: Side, data: &[u8]) {
    let mut bytes = Bytes(data);
    let wire = bytes.wire();
    let wires = match (side, bytes.below(3)) {
        (Side::Server, 0) => Wires::Auto { v1: if wire == Wire::V2 { Wire::V1b } else { wire } },
        _ => Wires::Only(wire),
    };
    let mut settings = Settings::new(side);
    settings.wires = wires;
    settings.max_frame = [8, 40, 1000, 1 << 20][bytes.below(4)];
    settings.max_pending = [0, 30, 1000, 1 << 20][bytes.below(4)];
    let flags = bytes.byte();
    settings.strict = flags & 1 != 0;
    settings.any_traffic = flags & 2 != 0;
    if flags & 4 != 0 {
        settings.keep_alive = None;
    }
    let now = Time::from_nanos(1 << 40);
    let mut machine = Machine {
        side,
        connection: Connection::new(side, settings.clone(), now),
        settings,
        now,
        received: Vec::new(),
        delivered: Vec::new(),
        sent: Vec::new(),
        queued: Vec::new(),
        largest: 0,
    };
    while !bytes.0.is_empty() {
        if machine.step(&mut bytes).is_err() {
            machine.check_streams();
            return;
        }
    }
    machine.finish();
}

impl Machine {
    fn step(&mut self, bytes: &mut Bytes<'_>) -> Result<(), Reason> {
        let before = self.delivered.len();
        match bytes.below(8) {
            // What came is handed in while it is asked for, and now and then although it is not.
            0 | 1 => {
                let (len, room, mut budget) = (bytes.below(60), bytes.below(4), bytes.below(20));
                let input = bytes.take(len);
                if self.connection.wants_input() || len % 8 == 0 {
                    self.received.extend_from_slice(input);
                    let delivered = &mut self.delivered;
                    let mut take = taker(delivered, before, room);
                    self.connection.receive(input, self.now, &mut budget, &mut take)?;
                }
            }
            2 => {
                let (room, mut budget) = (bytes.below(4), bytes.below(20));
                let delivered = &mut self.delivered;
                self.connection.resume(self.now, &mut budget, taker(delivered, before, room))?;
            }
            3 => {
                // A quarter of a second up to a minute.
                self.now = self.now + Duration::from_millis(250 * u64::from(bytes.byte()));
                self.tick()?;
            }
            4 => {
                // To the next thing that is due.
                self.now = self.connection.next_deadline().map_or(self.now, |due| due.max(self.now));
                self.tick()?;
            }
            5 => {
                let len = bytes.below(256) * (1 + bytes.below(8));
                self.send(vec![len as u8; len]);
            }
            _ => {
                let count = usize::from(bytes.byte()) * (1 + bytes.below(32));
                self.write(count);
            }
        }
        self.check();
        Ok(())
    }

    fn tick(&mut self) -> Result<(), Reason> {
        self.connection.tick(self.now)?;
        let due = self.connection.next_deadline();
        assert!(due.is_none_or(|due| due > self.now), "due at {due:?}, and not done at {:?}", self.now);
        Ok(())
    }

    fn send(&mut self, payload: Vec<u8>) {
        let kind = if self.side == Side::Client { Kind::ClientToServer } else { Kind::ServerToClient };
        let pending = self.connection.pending();
        match self.connection.send_bytes(kind, &payload, self.now) {
            Ok(()) => {
                self.largest = self.largest.max(payload.len() + 8);
                self.queued.push(payload);
            }
            Err(refusal) => {
                assert_eq!(self.connection.pending(), pending, "a refusal changes nothing");
                let is_full = refusal == Refusal::Full;
                assert!(!is_full || pending != 0, "there was room for one");
                assert!(is_full || payload.len() + 8 > self.settings.max_frame);
            }
        }
    }

    fn write(&mut self, count: usize) {
        let output = self.connection.output();
        let count = count.min(output.len());
        self.sent.extend_from_slice(&output[..count]);
        self.connection.wrote(count, self.now);
    }

    fn check(&self) {
        let most = self.settings.max_pending.max(self.largest) + 16;
        assert!(self.connection.pending() <= most, "{} bytes are pending", self.connection.pending());
        assert!(self.connection.output().len() <= self.connection.pending());
        // What is kept between frames, what has come and cannot be taken, and what is pending.
        let most = 300_000 + 4 * self.received.len() + 4 * most;
        assert!(self.connection.memory() <= most, "{} bytes of memory", self.connection.memory());
        let is_idle = self.connection.wants_input() && self.connection.pending() == 0;
        if let Some(keep_alive) = self.settings.keep_alive.filter(|_| is_idle) {
            let due = self.connection.next_deadline().expect("nobody looks after a silent peer");
            assert!(due <= self.now + keep_alive + Duration::from_secs(1), "a silent peer is found late");
        }
    }

    /// What was received and sent, as plain decoders see it.
    fn check_streams(&self) -> bool {
        let wire = match (self.settings.wires, self.received.first()) {
            (Wires::Only(wire), _) => wire,
            (Wires::Auto { v1 }, Some(first)) => Wire::detect(*first, v1),
            (Wires::Auto { .. }, None) => {
                assert!(self.sent.is_empty(), "something was said before the first byte");
                return true;
            }
        };
        let (peer, kind) = match self.side {
            Side::Server => (Side::Client, Kind::ClientToServer),
            Side::Client => (Side::Server, Kind::ServerToClient),
        };
        let mut frames = Frames::new();
        let mut decoder = Decoder::new(wire, peer, self.settings.max_frame);
        let is_whole = decode_all(&mut decoder, &self.received, &mut frames).is_ok();
        let due: Vec<&Vec<u8>> = frames.iter().filter(|(of, _)| *of == kind).map(|(_, payload)| payload).collect();
        let delivered: Vec<&Vec<u8>> = self.delivered.iter().collect();
        assert!(due.starts_with(&delivered), "delivered is what was not sent, or in another order");

        let (mut frames, mut decoder) = (Frames::new(), Decoder::new(wire, self.side, 1 << 24));
        decode_all(&mut decoder, &self.sent, &mut frames).expect("a frame that nobody can read");
        let life = if self.side == Side::Server { Kind::Pong } else { Kind::Ping };
        let (signs, messages): (Frames, Frames) = frames.into_iter().partition(|(kind, _)| *kind == life);
        assert!(signs.iter().all(|(_, payload)| payload.is_empty()));
        let mut queued = self.queued.iter();
        assert!(messages.iter().all(|(_, payload)| queued.next() == Some(payload)), "sent is what was not queued");
        is_whole && due.len() == delivered.len()
    }

    /// With room for all, and a peer that reads, all that came whole is delivered, without another byte.
    fn finish(mut self) -> bool {
        loop {
            self.write(usize::MAX);
            if !self.connection.has_more() {
                break;
            }
            assert!(self.connection.wants_turn() || self.connection.is_blocked(), "nobody would look at it again");
            let delivered = &mut self.delivered;
            if self.connection.resume(self.now, &mut 1000, taker(delivered, 0, usize::MAX)).is_err() {
                return self.check_streams();
            }
        }
        assert!(self.check_streams(), "something was received and is lost");
        assert!(self.connection.wants_input());
        true
    }
}

/// Takes messages while there is `room`, counted from `before`.
fn taker(delivered: &mut Vec<Vec<u8>>, before: usize, room: usize) -> impl FnMut(&[u8]) -> Verdict + '_ {
    move |payload| {
        if delivered.len() - before >= room {
            return Verdict::Full;
        }
        delivered.push(payload.to_vec());
        Verdict::Taken
    }
}

/// Any bytes as the payload of a message: a message, nothing, or the end of this peer with its reason; and others are
/// served after it. At a server and at a client.
pub fn protobuf_inside(data: &[u8]) {
    let world = World::new(1);
    let mut server = ServerLoop::<Bank, _>::on(world.node(), ServerOptions::new("tcp://127.0.0.1:1"));
    let address = server.start().unwrap();
    let mut net = world.node();
    let mut peer = net.connect(address).unwrap();
    let fits = peer.write_all(&frame(Wire::V2, Kind::ClientToServer, data)).is_ok();
    let (mut messages, mut ends) = (0, 0);
    for _ in 0..4 {
        while let Some(event) = server.next(Some(Duration::ZERO)) {
            match event {
                ServerEvent::Message { message, .. } => {
                    messages += 1;
                    same_again(&message);
                    assert!(message.messages.is_some());
                }
                ServerEvent::Disconnected { reason, .. } => {
                    ends += 1;
                    assert_eq!(reason, Reason::MessageDecodeError);
                }
                _ => {}
            }
        }
    }
    let decoded = ClientToServer::decode(data);
    let is_set = decoded.as_ref().is_ok_and(|message| message.messages.is_some());
    if fits {
        assert_eq!((messages, ends), (usize::from(is_set), usize::from(decoded.is_err())));
    }
    let mut other = net.connect(address).unwrap();
    let nop = ClientToServer { messages: Some(client_to_server::Messages::NopReq(NopReq {})) };
    other.write_all(&frame(Wire::V2, Kind::ClientToServer, &nop.encode_to_vec())).unwrap();
    let mut served = false;
    for _ in 0..8 {
        if let Some(ServerEvent::Message { message, .. }) = server.next(Some(Duration::ZERO)) {
            served |= message == nop;
        }
    }
    assert!(served, "the next one is not served");

    let mut listener = world.node().listen("127.0.0.1:2".parse().unwrap()).unwrap();
    let mut options = ClientOptions::<Bank>::new("tcp://127.0.0.1:2");
    options.reconnect = Reconnect::Never;
    let mut client = ClientLoop::on(world.node(), options).unwrap();
    client.start();
    while !client.is_connected() {
        client.next(Some(Duration::ZERO));
    }
    let mut peer = listener.accept().unwrap().0;
    let fits = peer.write_all(&frame(Wire::V2, Kind::ServerToClient, data)).is_ok();
    let (mut messages, mut ends) = (0, 0);
    for _ in 0..4 {
        while let Some(event) = client.next(Some(Duration::ZERO)) {
            match event {
                ClientEvent::Message(message) => {
                    messages += 1;
                    same_again(&message);
                }
                ClientEvent::Disconnected(reason) => {
                    ends += 1;
                    assert_eq!(reason, Reason::MessageDecodeError);
                }
                _ => {}
            }
        }
    }
    let decoded = ServerToClient::decode(data);
    let is_set = decoded.as_ref().is_ok_and(|message| message.messages.is_some());
    if fits {
        assert_eq!((messages, ends), (usize::from(is_set), usize::from(decoded.is_err())));
    }
}

/// That a message is one: what it is written as is read as the same.
fn same_again<M: Message + Default + PartialEq>(message: &M) {
    let bytes = message.encode_to_vec();
    let again = M::decode(&bytes[..]).expect("a message that was decoded");
    // By its bytes: a number that is none is not equal to itself.
    assert_eq!(again.encode_to_vec(), bytes);
}
