//! What only the connection in Rust has: the memory that it takes, the errors of a send, and how it is asked. All that
//! those in C and in Python do as well is in `messi/tests/cases`, and played by `tests/messi_cases.rs`; what needs
//! protocol buffers or a socket to be seen is in `tests/messi_sim.rs`.

#![cfg(feature = "messi")]

mod support;

use Side::{Client, Server};
use rust_messenger::__private::messi::{Connection, Kind, Refusal, Side, Verdict, frame};
use rust_messenger::messi::{Reason, Settings, Wire, Wires};
use rust_messenger::traits::Time;
use std::time::Duration;
use support::mix;

const PING: &[u8] = b"\x03\0\0\0";

/// A user message for a server in the current wire.
fn user(payload: &[u8]) -> Vec<u8> {
    frame(Wire::V2, Kind::ClientToServer, payload)
}

fn at(seconds: u64) -> Time {
    Time::from_nanos(seconds * 1_000_000_000)
}

/// A connection that time does not end, and what it was given.
struct Life {
    side: Side,
    connection: Connection,
    /// Messages that were offered and taken.
    taken: Vec<Vec<u8>>,
    /// How many more there is room for.
    room: usize,
}

impl Life {
    fn new(side: Side, change: impl FnOnce(&mut Settings)) -> Life {
        let never = Duration::from_secs(100_000);
        let mut settings = Settings::new(side);
        settings.keep_alive = None;
        (settings.handshake_time, settings.frame_time, settings.write_time) = (never, never, never);
        change(&mut settings);
        Life { side, connection: Connection::new(side, settings, at(0)), taken: Vec::new(), room: usize::MAX }
    }

    fn receive(&mut self, bytes: &[u8], mut budget: usize) {
        let Life { connection, taken, room, .. } = self;
        connection.receive(bytes, at(0), &mut budget, |payload| take(taken, room, payload)).unwrap();
    }

    fn resume(&mut self, mut budget: usize) {
        let Life { connection, taken, room, .. } = self;
        connection.resume(at(0), &mut budget, |payload| take(taken, room, payload)).unwrap();
    }

    fn send(&mut self, payload: &[u8]) -> Result<(), Refusal> {
        let kind = if self.side == Server { Kind::ServerToClient } else { Kind::ClientToServer };
        self.connection.send_bytes(kind, payload, at(0))
    }

    /// The peer reads all that is there.
    fn read(&mut self) -> Vec<u8> {
        let output = self.connection.output().to_vec();
        self.connection.wrote(output.len(), at(0));
        output
    }
}

fn take(taken: &mut Vec<Vec<u8>>, room: &mut usize, payload: &[u8]) -> Verdict {
    if *room == 0 {
        return Verdict::Full;
    }
    *room -= 1;
    taken.push(payload.to_vec());
    Verdict::Taken
}

#[test]
fn a_reason_has_one_number_and_no_other_number_is_one() {
    for number in 0..=255 {
        let reason = Reason::from_number(number);
        assert_eq!(reason.map(|reason| reason as u8), (number <= 10).then_some(number));
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in the interpreter")]
fn a_payload_that_the_header_cannot_say_is_not_sent() {
    let mut life = Life::new(Server, |_| {});
    let payload = vec![0; 1 << 24];
    assert_eq!(life.send(&payload), Err(Refusal::TooBig { size: (1 << 24) + 4, max: (1 << 24) + 3 }));
    assert_eq!(life.send(&payload[1..]), Ok(()));
    assert_eq!(life.read()[..4], *b"\x02\xFF\xFF\xFF");
    let mut old = Life::new(Server, |settings| settings.wires = Wires::Only(Wire::V1b));
    assert_eq!(old.send(&payload), Ok(()));
    // Before the first byte it may become the wire that cannot say it.
    let mut unknown = Life::new(Server, |settings| settings.wires = Wires::Auto { v1: Wire::V1b });
    assert_eq!(unknown.send(&payload), Err(Refusal::TooBig { size: (1 << 24) + 8, max: (1 << 24) + 7 }));
    assert_eq!((unknown.connection.pending(), unknown.send(&payload[1..])), (0, Ok(())));
}

/// One frame may always wait, for the peer's first byte, too: there it waits behind nothing.
#[test]
fn one_frame_larger_than_what_may_be_pending_waits_for_the_first_byte() {
    let mut life = Life::new(Server, |settings| {
        settings.wires = Wires::Auto { v1: Wire::V1b };
        settings.max_pending = 100;
    });
    assert_eq!(life.send(&[7; 1000]), Ok(()));
    assert_eq!(life.send(&[7]), Err(Refusal::Full));
    life.receive(PING, usize::MAX);
    let expected = [frame(Wire::V2, Kind::ServerToClient, &[7; 1000]), frame(Wire::V2, Kind::Pong, &[])].concat();
    assert_eq!(life.read(), expected);
}

/// A socket that takes nothing, however often it is asked, is no peer that reads.
#[test]
fn a_write_of_nothing_is_no_progress() {
    let mut life = Life::new(Server, |settings| settings.write_time = Duration::from_secs(10));
    life.send(b"hello").unwrap();
    for second in 1..10 {
        assert_eq!(life.connection.tick(at(second)), Ok(()));
        life.connection.wrote(0, at(second));
    }
    assert_eq!(life.connection.tick(at(10)), Err(Reason::SlowConsumer));
}

/// What is queued lies in memory that doubles, but that never grows far beyond what may be pending.
#[test]
fn what_is_queued_takes_no_more_memory_than_may_be_pending() {
    const PENDING: usize = 70_000;
    let mut life = Life::new(Server, |settings| settings.max_pending = PENDING);
    while life.send(&[7; 60]).is_ok() {}
    let memory = life.connection.memory();
    assert!((PENDING - 64..PENDING + 1000).contains(&memory), "{memory} bytes for {PENDING}");
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in the interpreter")]
fn answers_take_no_memory_once_they_are_read() {
    let mut life = Life::new(Server, |settings| settings.max_pending = 10_000);
    for _ in 0..if cfg!(miri) { 100 } else { 20_000 } {
        life.receive(&PING.repeat(100), usize::MAX);
        // It reads as much as it is sent, but there is always a rest.
        let pending = life.connection.pending();
        life.connection.wrote(pending - 4, at(0));
    }
    assert!(life.connection.memory() < 100_000, "{} bytes for one answer", life.connection.memory());
}

#[test]
fn messages_take_no_memory_once_they_are_read() {
    let mut life = Life::new(Server, |settings| settings.max_pending = 10_000);
    for _ in 0..if cfg!(miri) { 100 } else { 20_000 } {
        life.send(&[3; 400]).unwrap();
        let pending = life.connection.pending();
        life.connection.wrote(pending - 4, at(0));
    }
    assert!(life.connection.memory() < 100_000, "{} bytes for one answer", life.connection.memory());
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in the interpreter")]
fn a_connection_at_rest_keeps_little_memory() {
    let mut life = Life::new(Server, |settings| settings.max_frame = 1 << 20);
    life.send(&vec![0; 1_000_000]).unwrap();
    life.read();
    let stream = user(&[0; 1000]).repeat(1000);
    life.receive(&stream, 1);
    life.resume(usize::MAX);
    assert_eq!(life.taken.len(), 1000);
    assert!(life.connection.memory() < 600_000, "{} bytes", life.connection.memory());
}

#[test]
fn what_is_sent_comes_out_in_order_however_it_is_taken() {
    for seed in 0..if cfg!(miri) { 5 } else { 300 } {
        let (mut random, mut life) = (seed, Life::new(Client, |settings| settings.max_pending = 3000));
        let mut below = |limit: u64| {
            random = mix(random);
            random % limit
        };
        let (mut expected, mut out) = (Vec::new(), Vec::new());
        for number in 0..200 {
            let payload = vec![number as u8; below(300) as usize];
            match life.send(&payload) {
                Ok(()) => expected.extend(frame(Wire::V2, Kind::ClientToServer, &payload)),
                Err(refusal) => assert_eq!(refusal, Refusal::Full),
            }
            let count = (below(400) as usize).min(life.connection.output().len());
            out.extend_from_slice(&life.connection.output()[..count]);
            life.connection.wrote(count, at(0));
        }
        out.extend(life.read());
        assert!(out == expected, "seed {seed}");
    }
}

#[test]
fn a_message_that_came_in_pieces_is_not_forgotten_without_a_budget() {
    for piece in [1, 3, 1000] {
        let mut life = Life::new(Server, |_| {});
        life.room = 0;
        user(b"one").chunks(piece).for_each(|piece| life.receive(piece, usize::MAX));
        life.room = 1;
        life.resume(0);
        assert!(life.connection.has_more(), "pieces of {piece}: the message is still to be delivered");
        assert!(life.connection.wants_turn() && !life.connection.wants_input());
        life.resume(usize::MAX);
        assert_eq!(life.taken.len(), 1);
    }
}

/// Also when they are handed over although nobody asked for input.
#[test]
fn bytes_that_come_while_a_message_waits_stay_behind_it() {
    for piece in [1, 1000] {
        let mut life = Life::new(Server, |_| {});
        life.room = 0;
        user(b"one").chunks(piece).for_each(|piece| life.receive(piece, usize::MAX));
        assert!(life.connection.is_blocked() && !life.connection.wants_input());
        life.room = 10;
        life.receive(&user(b"two"), usize::MAX);
        assert_eq!(life.taken, [b"one", b"two"]);
        assert!(!life.connection.is_blocked() && life.connection.wants_input());
    }
}
