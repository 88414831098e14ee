//! One peer's protocol, row by row: what is answered, what is ignored, what ends the connection, and when.
//!
//! Method: a [`Life`] is a connection with a clock that moves only when told, so that seconds and hours cost nothing,
//! and a test says to the millisecond when something happens. What needs protocol buffers or a socket to be seen is in
//! `tests/messi_sim.rs`.

#![cfg(feature = "messi")]

mod support;

use Side::{Client, Server};
use rust_messenger::messi::wire::{Kind, Side, Wire, frame};
use rust_messenger::messi::{Connection, Reason, Refusal, Settings, Verdict, Wires};
use rust_messenger::traits::Time;
use std::time::Duration;
use support::mix;

const PING: &[u8] = b"\x03\0\0\0";
const PONG: &[u8] = b"\x04\0\0\0";

/// A user message for `side` in the current wire.
fn user(side: Side, payload: &[u8]) -> Vec<u8> {
    frame(Wire::V2, if side == Server { Kind::ClientToServer } else { Kind::ServerToClient }, payload)
}

/// What a user message from `side` is.
fn kind_from(side: Side) -> Kind {
    if side == Server { Kind::ServerToClient } else { Kind::ClientToServer }
}

fn at(millis: u64) -> Time {
    Time::from_nanos(millis * 1_000_000)
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What came out, at which millisecond.
type Output = Vec<(u64, Vec<u8>)>;

/// A connection and what it did.
struct Life {
    side: Side,
    connection: Connection,
    millis: u64,
    /// Messages that were offered and taken.
    taken: Vec<Vec<u8>>,
    /// How many more there is room for.
    room: usize,
}

impl Life {
    fn new(side: Side) -> Life {
        Life::with(side, |_| {})
    }

    fn with(side: Side, change: impl FnOnce(&mut Settings)) -> Life {
        let mut settings = Settings::new(side);
        change(&mut settings);
        let connection = Connection::new(side, settings, at(0));
        Life { side, connection, millis: 0, taken: Vec::new(), room: usize::MAX }
    }

    /// One that nothing but what is asked about can end.
    fn patient(side: Side, change: impl FnOnce(&mut Settings)) -> Life {
        Life::with(side, |settings| {
            settings.keep_alive = None;
            settings.handshake_time = seconds(100_000);
            settings.frame_time = seconds(100_000);
            settings.write_time = seconds(100_000);
            change(settings);
        })
    }

    fn now(&self) -> Time {
        at(self.millis)
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        self.receive_some(bytes, &mut usize::MAX.clone())
    }

    fn receive_some(&mut self, bytes: &[u8], budget: &mut usize) -> Result<(), Reason> {
        let now = self.now();
        let Life { connection, taken, room, .. } = self;
        connection.receive(bytes, now, budget, |payload| take(taken, room, payload))
    }

    fn resume(&mut self) -> Result<(), Reason> {
        self.resume_some(&mut usize::MAX.clone())
    }

    fn resume_some(&mut self, budget: &mut usize) -> Result<(), Reason> {
        let now = self.now();
        let Life { connection, taken, room, .. } = self;
        connection.resume(now, budget, |payload| take(taken, room, payload))
    }

    fn send(&mut self, payload: &[u8]) -> Result<(), Refusal> {
        self.connection.send_bytes(kind_from(self.side), payload, self.now())
    }

    /// The peer reads all that is there.
    fn read(&mut self) -> Vec<u8> {
        let output = self.connection.output().to_vec();
        self.connection.wrote(output.len(), self.now());
        output
    }

    /// Lets time pass until `millis`, and says what came out at which millisecond.
    fn run(&mut self, millis: u64) -> Result<Output, (u64, Reason)> {
        self.run_reading(millis, true)
    }

    fn run_reading(&mut self, millis: u64, reads: bool) -> Result<Output, (u64, Reason)> {
        let (mut output, mut ticks) = (Vec::new(), 0);
        while let Some(deadline) = self.connection.next_deadline().filter(|deadline| *deadline <= at(millis)) {
            // What stays due would be a loop that never waits.
            ticks += 1;
            assert!(ticks < 50_000, "{deadline:?} is never done");
            self.millis = self.millis.max(deadline.as_nanos() / 1_000_000);
            self.connection.tick(self.now()).map_err(|reason| (self.millis, reason))?;
            if reads && !self.connection.output().is_empty() {
                output.push((self.millis, self.read()));
            }
        }
        self.millis = millis;
        Ok(output)
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

// ---------------------------------------------------------------------------------------------------- receiver's table

/// What `side` does with `bytes`, in every place of a stream and in one-byte pieces: messages before it are delivered,
/// and those behind it only if it is no reason to end.
#[track_caller]
fn row(side: Side, strict: bool, bytes: &[u8], expected: Result<(), Reason>) {
    for piece in [1, 3, 1000] {
        let mut life = Life::patient(side, |settings| {
            settings.strict = strict;
            settings.max_frame = 100;
        });
        let stream = [user(side, b"before"), bytes.to_vec(), user(side, b"behind")].concat();
        let result = stream.chunks(piece).try_for_each(|piece| life.receive(piece));
        assert_eq!(result, expected, "{side:?}, strict {strict}, pieces of {piece}");
        let behind: &[&[u8]] = if expected.is_ok() { &[b"before", b"behind"] } else { &[b"before"] };
        assert_eq!(life.taken, behind);
    }
}

#[test]
fn unknown_type() {
    for bytes in [&b"\0\0\0\0"[..], b"\x05\0\0\x02ab", b"\xFF\0\0\x01a"] {
        row(Server, false, bytes, Err(Reason::Protocol));
        row(Client, false, bytes, Ok(()));
        row(Server, true, bytes, Err(Reason::Protocol));
        row(Client, true, bytes, Err(Reason::Protocol));
    }
}

#[test]
fn user_message_of_the_wrong_direction() {
    row(Server, false, b"\x02\0\0\x02ab", Err(Reason::Protocol));
    row(Client, false, b"\x01\0\0\x02ab", Ok(()));
    row(Server, true, b"\x02\0\0\x02ab", Err(Reason::Protocol));
    row(Client, true, b"\x01\0\0\x02ab", Err(Reason::Protocol));
}

#[test]
fn pong_at_the_server_ping_at_the_client() {
    row(Server, false, PONG, Err(Reason::Protocol));
    row(Client, false, PING, Ok(()));
    row(Server, true, PONG, Err(Reason::Protocol));
    row(Client, true, PING, Err(Reason::Protocol));
}

#[test]
fn a_ping_that_a_client_ignores_is_not_answered() {
    let mut life = Life::new(Client);
    life.receive(PING).unwrap();
    assert_eq!(life.read(), b"");
}

#[test]
fn header_that_announces_too_much() {
    for (side, strict) in [(Server, false), (Server, true), (Client, false), (Client, true)] {
        for kind in [1, 2, 3, 4, 99] {
            // At the header's last byte: what follows is not waited for.
            row(side, strict, &[kind, 0, 0, 97], Err(Reason::MessageTooBig));
        }
        let mut life = Life::patient(side, |settings| settings.max_frame = 100);
        assert_eq!(life.receive(&[1, 0, 0]), Ok(()));
        assert_eq!(life.receive(&[97]), Err(Reason::MessageTooBig));
        assert!(life.connection.memory() < 1024);
    }
}

#[test]
fn unknown_type_at_the_client_must_fit_too() {
    row(Client, false, &[[99, 0, 0, 96].to_vec(), vec![0; 96]].concat(), Ok(()));
    row(Client, false, &[99, 0xFF, 0xFF, 0xFF], Err(Reason::MessageTooBig));
}

#[test]
fn user_message_of_size_zero() {
    for side in [Server, Client] {
        let mut life = Life::new(side);
        life.receive(&user(side, b"")).unwrap();
        assert_eq!(life.taken, [b""], "it is for the decoder to say that nothing is set");
    }
}

#[test]
fn ping_and_pong_with_payload() {
    row(Server, false, b"\x03\0\0\x03abc", Ok(()));
    row(Client, false, b"\x04\0\0\x03abc", Ok(()));
    row(Server, true, b"\x03\0\0\x03abc", Err(Reason::Protocol));
    row(Client, true, b"\x04\0\0\x03abc", Err(Reason::Protocol));
    let mut life = Life::new(Server);
    life.receive(b"\x03\0\0\x03abc").unwrap();
    assert_eq!(life.read(), PONG, "the payload is not sent back");
}

#[test]
fn a_refused_message_ends_the_connection_with_its_reason() {
    for reason in [Reason::MessageDecodeError, Reason::NotAllowed] {
        let mut connection = Connection::new(Server, Settings::new(Server), at(0));
        let bytes = [user(Server, b"bad"), user(Server, b"behind")].concat();
        let mut offered = 0;
        let result = connection.receive(&bytes, at(0), &mut 100, |_| {
            offered += 1;
            Verdict::Refused(reason)
        });
        assert_eq!((result, offered), (Err(reason), 1));
    }
}

#[test]
fn other_protocols_are_ended_at_their_first_bytes() {
    let strangers: [&[u8]; 4] =
        [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0", b"*1\r\n$4\r\nPING\r\n", b"SSH-2.0-x"];
    for bytes in strangers {
        for wires in [Wires::Only(Wire::V2), Wires::Auto { v1: Wire::V1b }] {
            let mut life = Life::with(Server, |settings| settings.wires = wires);
            let ended = bytes.chunks(1).position(|byte| life.receive(byte).is_err());
            assert!(ended.is_some_and(|place| place <= 3), "{bytes:?} ended at {ended:?}");
            assert_eq!(life.read(), b"", "nothing is said to a stranger");
        }
    }
}

#[test]
fn reasons_have_messis_numbers_names_and_sentences() {
    let messis = [
        (Reason::MessageEncodeError, "message_encode_error", "Message encode error."),
        (Reason::MessageDecodeError, "message_decode_error", "Message decode error."),
        (Reason::ConnectionClosed, "connection_closed", "Connection closed."),
        (Reason::KeepAliveTimeout, "keep_alive_timeout", "Keep alive timeout."),
        (Reason::GeneralError, "general_error", "General error."),
        (Reason::MessageTooBig, "message_too_big", "Message too big."),
    ];
    for (number, (reason, name, sentence)) in messis.into_iter().enumerate() {
        assert_eq!(reason as usize, number);
        assert_eq!((reason.name(), reason.to_string().as_str()), (name, sentence));
    }
    let ours = [
        (Reason::SlowConsumer, "slow_consumer"),
        (Reason::Limit, "limit"),
        (Reason::NotAllowed, "not_allowed"),
        (Reason::Protocol, "protocol"),
        (Reason::Requested, "requested"),
    ];
    for (number, (reason, name)) in (6..).zip(ours) {
        assert_eq!((reason as u8, reason.name()), (number, name));
    }
    for number in 0..=255 {
        let reason = Reason::from_number(number);
        assert_eq!(reason.map(|reason| reason as u8), (number <= 10).then_some(number));
    }
}

// ---------------------------------------------------------------------------------------------------------- keep alive

#[test]
fn a_ping_is_answered_in_every_wire() {
    let wires: [(Wire, &[u8], &[u8]); 3] = [
        (Wire::V1a, b"\0\0\0\x02\0\0\0\0", b"\0\0\0\x03\0\0\0\0"),
        (Wire::V1b, b"\0\0\0\x03\0\0\0\0", b"\0\0\0\x04\0\0\0\0"),
        (Wire::V2, PING, PONG),
    ];
    for (wire, ping, pong) in wires {
        let mut server = Life::with(Server, |settings| settings.wires = Wires::Only(wire));
        server.receive(ping).unwrap();
        assert_eq!(server.read(), pong);
        let mut client = Life::with(Client, |settings| settings.wires = Wires::Only(wire));
        assert_eq!(client.run(2000).unwrap(), [(2000, ping.to_vec())]);
        client.receive(pong).unwrap();
        assert_eq!(client.run(4000).unwrap(), [(4000, ping.to_vec())]);
    }
}

#[test]
fn a_client_pings_two_seconds_after_connecting_and_every_two_seconds() {
    let mut life = Life::new(Client);
    assert_eq!(life.run(1999).unwrap(), []);
    for second in [2, 4, 6, 8] {
        assert_eq!(life.run(second * 1000).unwrap(), [(second * 1000, PING.to_vec())]);
        life.millis += 500;
        life.receive(PONG).unwrap();
    }
}

#[test]
fn a_client_gives_up_two_seconds_after_an_unanswered_ping() {
    let mut life = Life::new(Client);
    assert_eq!(life.run(10_000), Err((4000, Reason::KeepAliveTimeout)));
    let mut life = Life::new(Client);
    life.run(2000).unwrap();
    life.receive(PONG).unwrap();
    assert_eq!(life.run(10_000), Err((6000, Reason::KeepAliveTimeout)));
}

#[test]
fn messages_are_no_sign_of_life_at_the_client_unless_chosen() {
    let chat = |any_traffic| {
        let mut life = Life::with(Client, |settings| settings.any_traffic = any_traffic);
        for millis in (0..60_000).step_by(500) {
            life.run(millis)?;
            life.receive(&user(Client, b"chat")).unwrap();
        }
        Ok(())
    };
    assert_eq!(chat(false), Err((4000, Reason::KeepAliveTimeout)));
    assert_eq!(chat(true), Ok(()));
}

#[test]
fn a_server_drops_after_three_seconds_without_a_ping() {
    let mut life = Life::new(Server);
    assert_eq!(life.run(10_000), Err((3000, Reason::KeepAliveTimeout)));
    let mut life = Life::new(Server);
    for millis in (0..30_000).step_by(2900) {
        life.run(millis).unwrap();
        life.receive(PING).unwrap();
        life.read();
    }
    assert_eq!(life.run(100_000), Err((29_000 + 3000, Reason::KeepAliveTimeout)));
}

#[test]
fn messages_are_no_sign_of_life_at_the_server_unless_chosen() {
    let chat = |any_traffic| {
        let mut life = Life::with(Server, |settings| settings.any_traffic = any_traffic);
        for millis in (0..60_000).step_by(500) {
            life.run(millis)?;
            life.receive(&user(Server, b"chat")).unwrap();
        }
        Ok(())
    };
    assert_eq!(chat(false), Err((3000, Reason::KeepAliveTimeout)));
    assert_eq!(chat(true), Ok(()));
}

#[test]
fn half_a_frame_is_no_sign_of_life() {
    for any_traffic in [false, true] {
        let mut life = Life::with(Server, |settings| settings.any_traffic = any_traffic);
        life.run(2000).unwrap();
        life.receive(&PING[..3]).unwrap();
        assert_eq!(life.run(10_000), Err((3000, Reason::KeepAliveTimeout)));
    }
}

#[test]
fn without_a_keep_alive_nobody_pings_and_nobody_is_dropped() {
    for side in [Server, Client] {
        let mut life = Life::with(side, |settings| settings.keep_alive = None);
        life.receive(&user(side, b"hello")).unwrap();
        assert_eq!(life.connection.next_deadline(), None);
        assert_eq!(life.run(100_000_000), Ok(vec![]));
    }
}

// -------------------------------------------------------------------------------------------------------------- limits

#[test]
fn the_first_frame_has_a_time_limit() {
    let quiet = |settings: &mut Settings| settings.keep_alive = None;
    assert_eq!(Life::with(Server, quiet).run(20_000), Err((10_000, Reason::Limit)));
    assert_eq!(Life::with(Client, quiet).run(20_000), Ok(vec![]), "a server need not speak first");
    // Half a frame is none, whenever it comes.
    let mut life = Life::with(Server, quiet);
    life.run(9000).unwrap();
    life.receive(&user(Server, b"slow")[..5]).unwrap();
    assert_eq!(life.run(20_000), Err((10_000, Reason::Limit)));
    // Any frame is one.
    for bytes in [PING.to_vec(), user(Server, b"")] {
        let mut life = Life::with(Server, quiet);
        life.run(9999).unwrap();
        life.receive(&bytes).unwrap();
        life.read();
        assert!(life.run(100_000).is_ok());
    }
}

#[test]
fn a_frame_has_a_time_limit_even_if_bytes_flow() {
    for side in [Server, Client] {
        let mut life = Life::patient(side, |settings| settings.frame_time = seconds(10));
        life.receive(PING).ok();
        life.run(50_000).unwrap();
        let bytes = user(side, &[7; 100]);
        let dribble = bytes.iter().try_for_each(|byte| {
            life.run(life.millis + 1000)?;
            life.receive(&[*byte]).unwrap();
            Ok(())
        });
        assert_eq!(dribble, Err((61_000, Reason::Limit)), "ten seconds after the first byte, which came at 51");
    }
}

#[test]
fn each_frame_has_a_time_of_its_own() {
    let mut life = Life::patient(Server, |settings| settings.frame_time = seconds(10));
    let bytes = [user(Server, b"one"), user(Server, b"two"), user(Server, b"three")].concat();
    // Cut so that each piece ends a frame and begins the next.
    let cuts = [0, 5, 10, 17, bytes.len()];
    for cut in cuts.windows(2) {
        life.receive(&bytes[cut[0]..cut[1]]).unwrap();
        life.run(life.millis + 9900).unwrap();
    }
    assert_eq!(life.taken.len(), 3);
    assert_eq!(life.connection.next_deadline(), None, "no frame is under way");
}

// -------------------------------------------------------------------------------------------------------------- output

#[test]
fn what_is_pending_is_bounded() {
    for side in [Server, Client] {
        let mut life = Life::patient(side, |settings| settings.max_pending = 100);
        for _ in 0..10 {
            assert_eq!(life.send(&[1; 6]), Ok(()));
        }
        assert_eq!(life.connection.pending(), 100);
        assert_eq!(life.send(b""), Err(Refusal::Full));
        assert_eq!(life.connection.pending(), 100, "a refusal changes nothing");
        life.connection.wrote(4, at(0));
        assert_eq!(life.send(b""), Ok(()));
        assert_eq!(life.send(b""), Err(Refusal::Full));
        assert_eq!(life.read().len(), 100);
    }
}

#[test]
fn one_frame_may_be_larger_than_what_may_be_pending() {
    let mut life = Life::patient(Server, |settings| settings.max_pending = 100);
    assert_eq!(life.send(&[1; 5000]), Ok(()));
    assert_eq!(life.send(b""), Err(Refusal::Full));
    life.read();
    life.send(b"").unwrap();
    assert_eq!(life.send(&[1; 5000]), Err(Refusal::Full), "it is not the only one");
}

/// What is sent is the peer's to limit.
#[test]
fn the_frame_limit_is_for_what_comes_in() {
    let mut life = Life::patient(Server, |settings| settings.max_frame = 100);
    assert_eq!(life.send(&[0; 97]), Ok(()));
    assert_eq!(life.read().len(), 101);
    assert_eq!(life.receive(&[1, 0, 0, 97]), Err(Reason::MessageTooBig));
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in the interpreter")]
fn a_payload_that_the_header_cannot_say_is_not_sent() {
    let mut life = Life::patient(Server, |_| {});
    let payload = vec![0; 1 << 24];
    assert_eq!(life.send(&payload), Err(Refusal::TooBig { size: (1 << 24) + 4, max: (1 << 24) + 3 }));
    assert_eq!(life.send(&payload[1..]), Ok(()));
    assert_eq!(life.read()[..4], *b"\x02\xFF\xFF\xFF");
    let mut old = Life::patient(Server, |settings| settings.wires = Wires::Only(Wire::V1b));
    assert_eq!(old.send(&payload), Ok(()));
    // Before the first byte it may become the wire that cannot say it.
    let mut unknown = auto(Wire::V1b);
    assert_eq!(unknown.send(&payload), Err(Refusal::TooBig { size: (1 << 24) + 8, max: (1 << 24) + 7 }));
    assert_eq!((unknown.connection.pending(), unknown.send(&payload[1..])), (0, Ok(())));
}

#[test]
fn a_peer_that_reads_nothing_is_dropped() {
    for side in [Server, Client] {
        let mut life = Life::patient(side, |settings| settings.write_time = seconds(10));
        life.run(5000).unwrap();
        life.send(b"hello").unwrap();
        assert_eq!(life.run_reading(60_000, false), Err((15_000, Reason::SlowConsumer)));
    }
}

/// A socket that takes nothing, however often it is asked, is no peer that reads.
#[test]
fn a_write_of_nothing_is_no_progress() {
    let mut life = Life::patient(Server, |settings| settings.write_time = seconds(10));
    life.send(b"hello").unwrap();
    for second in 1..10 {
        life.run_reading(second * 1000, false).unwrap();
        life.connection.wrote(0, life.now());
    }
    assert_eq!(life.run_reading(60_000, false), Err((10_000, Reason::SlowConsumer)));
}

/// Its bus is full: it does not read, and says once a second that it is there. A client's pings are no such sign.
#[test]
fn a_server_that_does_not_read_but_answers_is_kept() {
    let mut client = Life::patient(Client, |settings| settings.write_time = seconds(10));
    client.send(b"hello").unwrap();
    for second in 1..60 {
        client.run_reading(second * 1000, false).unwrap();
        client.receive(PONG).unwrap();
    }
    assert_eq!(client.run_reading(100_000, false), Err((69_000, Reason::SlowConsumer)));

    let mut server = Life::patient(Server, |settings| settings.write_time = seconds(10));
    server.send(b"hello").unwrap();
    for second in 1..10 {
        server.run_reading(second * 1000, false).unwrap();
        server.receive(PING).unwrap();
    }
    assert_eq!(server.run_reading(100_000, false), Err((10_000, Reason::SlowConsumer)));
}

#[test]
fn a_peer_that_reads_slowly_is_kept() {
    let mut life = Life::patient(Client, |settings| settings.write_time = seconds(10));
    life.send(&[1; 20]).unwrap();
    for _ in 0..24 {
        life.run_reading(life.millis + 9000, false).unwrap();
        life.connection.wrote(1, life.now());
    }
    assert_eq!(life.connection.next_deadline(), None, "nobody waits any more");
}

#[test]
fn a_peer_that_does_not_read_its_answers_gets_no_further() {
    let mut life = Life::patient(Server, |settings| settings.max_pending = 400);
    life.receive(&[PING.repeat(500), user(Server, b"at last")].concat()).unwrap();
    assert_eq!(life.connection.output().len(), 204, "answers stop at the first beyond half");
    assert!(!life.connection.wants_input() && !life.connection.wants_turn());
    // Every time that it reads some, it gets a little further.
    let mut answers = 0;
    while life.taken.is_empty() {
        assert!(life.connection.pending() <= 204);
        answers += life.read().len() / 4;
        assert!(life.connection.wants_turn(), "stuck after {answers}");
        life.resume().unwrap();
    }
    assert_eq!((answers + life.read().len() / 4, life.connection.wants_input()), (500, true));
}

#[test]
fn a_peer_is_not_read_from_while_it_owes_reading_more_than_half() {
    for side in [Server, Client] {
        let mut life = Life::patient(side, |settings| settings.max_pending = 200);
        life.send(&[0; 96]).unwrap();
        assert!(life.connection.wants_input(), "half is not more than half");
        life.send(b"").unwrap();
        assert!(!life.connection.wants_input());
        life.receive(&user(side, b"waits")).unwrap();
        assert_eq!(life.taken.len(), 0);
        life.connection.wrote(4, at(0));
        assert!(life.connection.wants_turn());
        life.resume().unwrap();
        assert_eq!(life.taken.len(), 1);
        assert!(life.connection.wants_input());
    }
}

#[test]
fn a_large_frame_by_itself_keeps_nobody_from_being_read() {
    for (side, max_pending) in [(Server, 0), (Server, 1000), (Client, 0), (Client, 1000)] {
        let mut life = Life::patient(side, |settings| settings.max_pending = max_pending);
        life.send(&[0; 900]).unwrap();
        assert!(life.connection.wants_input(), "if the peer does the same, both wait for ever");
        life.receive(&user(side, b"taken")).unwrap();
        assert_eq!(life.taken.len(), 1);
        // Its own answers are another matter.
        life.connection.wrote(1, at(0));
        life.send(b"1").ok();
        life.send(b"2").ok();
        assert_eq!(life.connection.wants_input(), max_pending == 0);
    }
}

/// By itself it is also when what was before it is sent.
#[test]
fn a_large_frame_behind_a_small_one_keeps_nobody_from_being_read() {
    for wire in [Wire::V2, Wire::V1b] {
        let mut life = Life::patient(Server, |settings| {
            settings.max_pending = 1000;
            settings.wires = Wires::Only(wire);
        });
        let header = wire.header_len();
        for round in 0..50 {
            // Sizes that are not the same, so that what is queued is moved now and then.
            let sizes = [10 + round, 20, 800];
            sizes.iter().for_each(|size| life.send(&vec![0; *size]).unwrap());
            assert!(!life.connection.wants_input());
            life.connection.wrote(header + sizes[0], at(0));
            assert!(!life.connection.wants_input(), "there are still two");
            life.connection.wrote(header + 20 - 1, at(0));
            assert!(!life.connection.wants_input(), "a byte is left of the second");
            life.connection.wrote(1, at(0));
            assert!(life.connection.wants_input());
            life.send(&[0; 7]).unwrap();
            assert!(!life.connection.wants_input(), "one more is behind it");
            life.connection.wrote(header + 7, at(0));
            assert!(life.connection.wants_input(), "as soon as the peer has read that much");
            life.connection.wrote(800 - 7, at(0));
            assert_eq!(life.read().len(), header + 7);
        }
    }
}

/// What is queued lies in memory that doubles, but that never grows far beyond what may be pending.
#[test]
fn what_is_queued_takes_no_more_memory_than_may_be_pending() {
    const PENDING: usize = 70_000;
    let mut life = Life::patient(Server, |settings| settings.max_pending = PENDING);
    while life.send(&[7; 60]).is_ok() {}
    let memory = life.connection.memory();
    assert!((PENDING - 64..PENDING + 1000).contains(&memory), "{memory} bytes for {PENDING}");
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in the interpreter")]
fn answers_take_no_memory_once_they_are_read() {
    let mut life = Life::patient(Server, |settings| settings.max_pending = 10_000);
    for _ in 0..if cfg!(miri) { 100 } else { 20_000 } {
        life.receive(&PING.repeat(100)).unwrap();
        // It reads as much as it is sent, but there is always a rest.
        let pending = life.connection.pending();
        life.connection.wrote(pending - 4, life.now());
    }
    assert!(life.connection.memory() < 100_000, "{} bytes for one answer", life.connection.memory());
}

#[test]
fn messages_take_no_memory_once_they_are_read() {
    let mut life = Life::patient(Server, |settings| settings.max_pending = 10_000);
    for _ in 0..if cfg!(miri) { 100 } else { 20_000 } {
        life.send(&[3; 400]).unwrap();
        let pending = life.connection.pending();
        life.connection.wrote(pending - 4, life.now());
    }
    assert!(life.connection.memory() < 100_000, "{} bytes for one answer", life.connection.memory());
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in the interpreter")]
fn a_connection_at_rest_keeps_little_memory() {
    let mut life = Life::patient(Server, |settings| settings.max_frame = 1 << 20);
    life.send(&vec![0; 1_000_000]).unwrap();
    life.read();
    let stream = user(Server, &[0; 1000]).repeat(1000);
    life.receive_some(&stream, &mut 1).unwrap();
    life.resume().unwrap();
    assert_eq!(life.taken.len(), 1000);
    assert!(life.connection.memory() < 600_000, "{} bytes", life.connection.memory());
}

#[test]
fn what_is_sent_comes_out_in_order_however_it_is_taken() {
    for seed in 0..if cfg!(miri) { 5 } else { 300 } {
        let (mut random, mut life) = (seed, Life::patient(Client, |settings| settings.max_pending = 3000));
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

// ------------------------------------------------------------------------------------------------------------ pausing

#[test]
fn a_message_without_room_is_offered_again() {
    for piece in [1, 3, 7, 1000] {
        let mut life = Life::new(Server);
        life.room = 1;
        let stream = [user(Server, b"one"), user(Server, b"two"), PING.to_vec(), user(Server, b"three")].concat();
        let mut pieces = stream.chunks(piece);
        while !life.connection.is_blocked() {
            life.receive(pieces.next().unwrap()).unwrap();
        }
        assert!(life.connection.has_more() && !life.connection.wants_input() && !life.connection.wants_turn());
        for _ in 0..3 {
            life.resume().unwrap();
            assert!(life.connection.is_blocked());
        }
        assert_eq!((life.taken.len(), life.read().len()), (1, 0), "nothing goes past it");
        life.room = 10;
        life.resume().unwrap();
        assert!(!life.connection.is_blocked());
        pieces.for_each(|piece| life.receive(piece).unwrap());
        assert_eq!(life.taken, [&b"one"[..], b"two", b"three"]);
        assert_eq!(life.read(), PONG);
        assert!(life.connection.wants_input());
    }
}

#[test]
fn a_message_that_came_in_pieces_is_not_forgotten_without_a_budget() {
    for piece in [1, 3, 1000] {
        let mut life = Life::new(Server);
        life.room = 0;
        user(Server, b"one").chunks(piece).for_each(|piece| life.receive(piece).unwrap());
        life.room = 1;
        life.resume_some(&mut 0).unwrap();
        assert!(life.connection.has_more(), "pieces of {piece}: the message is still to be delivered");
        assert!(life.connection.wants_turn() && !life.connection.wants_input());
        life.resume().unwrap();
        assert_eq!(life.taken.len(), 1);
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in the interpreter")]
fn a_message_that_came_in_pieces_is_not_forgotten_while_the_peer_does_not_read() {
    for piece in [1, 3, 1000] {
        let mut life = Life::new(Server);
        life.room = 0;
        user(Server, b"one").chunks(piece).for_each(|piece| life.receive(piece).unwrap());
        life.send(&vec![0; 300_000]).unwrap();
        life.send(&vec![0; 300_000]).unwrap();
        life.room = 1;
        life.resume().unwrap();
        assert_eq!(life.taken.len(), 0);
        assert!(life.connection.has_more() && !life.connection.wants_input());
        life.read();
        assert!(life.connection.wants_turn(), "pieces of {piece}: nobody would look at the message again");
        life.resume().unwrap();
        assert_eq!(life.taken.len(), 1);
        assert!(!life.connection.has_more());
    }
}

#[test]
fn bytes_that_come_while_a_message_waits_stay_behind_it() {
    for piece in [1, 1000] {
        let mut life = Life::new(Server);
        life.room = 0;
        user(Server, b"one").chunks(piece).for_each(|piece| life.receive(piece).unwrap());
        assert!(life.connection.is_blocked());
        life.room = 10;
        life.receive(&user(Server, b"two")).unwrap();
        assert_eq!(life.taken, [b"one", b"two"]);
        assert!(!life.connection.is_blocked() && life.connection.wants_input());
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in the interpreter")]
fn a_paused_server_says_every_second_that_it_is_there_and_waits() {
    let mut life = Life::new(Server);
    life.room = 0;
    life.run(1000).unwrap();
    life.receive(&[user(Server, b"one"), user(Server, b"two")[..5].to_vec()].concat()).unwrap();
    let output = life.run(5500).unwrap();
    let pongs: Vec<(u64, Vec<u8>)> = [2000, 3000, 4000, 5000].map(|millis| (millis, PONG.to_vec())).to_vec();
    assert_eq!(output, pongs);
    // Hours later the client still has the two seconds that it had left.
    life.run(7_200_000).unwrap();
    life.room = 1;
    life.resume().unwrap();
    assert_eq!(life.run(8_000_000), Err((7_202_000, Reason::KeepAliveTimeout)));
}

/// Its bus takes a message now and then, so that no pause lasts; but a ping is far behind all the others.
#[test]
#[cfg_attr(miri, ignore = "takes minutes in the interpreter")]
fn a_server_that_is_slow_says_every_second_that_it_is_there() {
    let mut life = Life::new(Server);
    life.room = 0;
    let mut output = Vec::new();
    for millis in (0..5500).step_by(10) {
        output.extend(life.run(millis).unwrap());
        life.room = 1;
        life.resume().unwrap();
        assert!(life.connection.wants_input());
        life.room = 0;
        life.receive(&user(Server, b"next")).unwrap();
    }
    let pongs: Vec<(u64, Vec<u8>)> = [1000, 2000, 3000, 4000, 5000].map(|millis| (millis, PONG.to_vec())).to_vec();
    assert_eq!((output, life.taken.len()), (pongs, 549));
    // The ping is seen and answered, and from now on nothing is said that is not asked for.
    life.room = 1;
    life.receive(PING).unwrap();
    assert_eq!((life.read(), life.taken.len()), (PONG.to_vec(), 550));
    assert_eq!(life.run(8489), Ok(vec![]));
    assert_eq!(life.run(8490), Err((8490, Reason::KeepAliveTimeout)));
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in the interpreter")]
fn a_pause_because_nobody_reads_stops_the_clocks_too() {
    let mut life = Life::with(Server, |settings| settings.write_time = seconds(100_000));
    life.receive(&user(Server, b"x")[..3]).unwrap();
    life.run(1000).unwrap();
    life.send(&vec![0; 600_000]).unwrap();
    life.run_reading(60_000, false).unwrap();
    life.read();
    assert_eq!(life.run(100_000), Err((62_000, Reason::KeepAliveTimeout)));
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in the interpreter")]
fn a_pause_is_not_added_to_what_came_after_it() {
    let blocked = || {
        let mut life = Life::new(Server);
        life.room = 0;
        let tail = user(Server, b"half");
        life.receive(&[&user(Server, b"one")[..], PING, &tail[..5]].concat()).unwrap();
        life.run(3_600_000).unwrap();
        life.room = 1;
        life.resume().unwrap();
        life
    };
    assert_eq!(blocked().run(10_000_000), Err((3_603_000, Reason::KeepAliveTimeout)));
    let mut life = blocked();
    let pinging = (1..100).try_for_each(|second| {
        life.run(3_600_000 + second * 1000)?;
        if second == 9 {
            life.receive(&user(Server, b"half")[5..7]).unwrap();
        }
        Ok(())
    });
    assert_eq!(pinging, Err((3_603_000, Reason::KeepAliveTimeout)));
    let mut life = Life::patient(Server, |settings| settings.frame_time = seconds(10));
    life.room = 0;
    life.receive(&[&user(Server, b"one")[..], &user(Server, b"half")[..5]].concat()).unwrap();
    life.run(3_600_000).unwrap();
    life.room = 1;
    life.resume().unwrap();
    assert_eq!(life.run(10_000_000), Err((3_610_000, Reason::Limit)));
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in the interpreter")]
fn the_times_of_the_first_frame_and_of_a_frame_stand_still_in_a_pause() {
    let mut life = Life::patient(Server, |settings| settings.handshake_time = seconds(10));
    life.room = 0;
    life.run(4000).unwrap();
    life.receive(&user(Server, b"one")).unwrap();
    life.run(500_000).unwrap();
    life.room = 1;
    life.resume().unwrap();
    assert!(life.run(100_000_000 - 1).is_ok(), "its first frame has come");

    let mut life = Life::patient(Server, |settings| settings.frame_time = seconds(10));
    life.receive(&user(Server, b"one")[..6]).unwrap();
    life.run(4000).unwrap();
    life.room = 0;
    life.receive(&user(Server, b"one")[6..]).unwrap();
    assert!(life.connection.is_blocked());
    life.run(500_000).unwrap();
    life.room = 1;
    life.resume().unwrap();
    assert!(life.run(99_000_000).is_ok(), "the whole frame had come");
}

#[test]
fn a_paused_client_goes_on_pinging_and_waits() {
    let mut life = Life::new(Client);
    life.room = 0;
    life.run(1000).unwrap();
    life.receive(&user(Client, b"one")).unwrap();
    let pings = life.run(9000).unwrap();
    let expected: Vec<(u64, Vec<u8>)> = [2000, 4000, 6000, 8000].map(|millis| (millis, PING.to_vec())).to_vec();
    assert_eq!(pings, expected, "its server would drop it otherwise");
    life.room = 1;
    life.resume().unwrap();
    // The answers lie in the socket: there is time to read them.
    assert_eq!(life.run(60_000), Err((12_000, Reason::KeepAliveTimeout)));
}

#[test]
fn a_client_that_could_not_ping_does_not_wait_for_the_answer() {
    let mut life = Life::with(Client, |settings| {
        settings.max_pending = 100;
        settings.write_time = seconds(100_000);
    });
    life.send(&[0; 94]).unwrap();
    assert_eq!(life.run_reading(20_000, false), Ok(vec![]));
    assert_eq!(life.connection.pending(), 98);
    life.read();
    assert_eq!(life.run(60_000), Err((24_000, Reason::KeepAliveTimeout)));
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in the interpreter")]
fn unasked_pongs_end_with_the_pause_and_stay_within_what_may_be_pending() {
    let mut life = Life::patient(Server, |settings| settings.max_pending = 40);
    life.room = 0;
    life.receive(&user(Server, b"one")).unwrap();
    life.run_reading(100_000, false).unwrap();
    assert_eq!(life.connection.pending(), 40);
    life.read();
    life.room = 1;
    life.resume().unwrap();
    // One more, for its pings may still be behind what it sent before.
    assert_eq!(life.run(200_000), Ok(vec![(101_000, PONG.to_vec())]));
}

// -------------------------------------------------------------------------------------------------------------- budget

#[test]
fn a_turn_takes_no_more_frames_than_it_may() {
    let frames = [user(Server, b"a"), PING.to_vec(), user(Server, b"b"), PING.to_vec(), user(Server, b"c")].concat();
    let mut life = Life::new(Server);
    life.receive_some(&frames, &mut 2).unwrap();
    assert_eq!((life.taken.len(), life.connection.output().len()), (1, 4));
    assert!(life.connection.wants_turn() && !life.connection.wants_input());
    let mut budget = 2;
    life.resume_some(&mut budget).unwrap();
    assert_eq!((life.taken.len(), life.connection.output().len(), budget), (2, 8, 0));
    let mut budget = 2;
    life.resume_some(&mut budget).unwrap();
    assert_eq!((life.taken.len(), budget), (3, 1));
    assert!(!life.connection.wants_turn() && life.connection.wants_input());
}

#[test]
fn frames_that_are_ignored_cost_a_turn_too() {
    let mut life = Life::new(Client);
    let mut budget = 10;
    life.receive_some(&PING.repeat(100), &mut budget).unwrap();
    assert_eq!(budget, 0);
    assert!(life.connection.wants_turn());
}

// -------------------------------------------------------------------------------------------------------- detection

fn auto(v1: Wire) -> Life {
    Life::with(Server, |settings| settings.wires = Wires::Auto { v1 })
}

#[test]
fn the_first_byte_decides_and_output_waits_for_it() {
    for (v1, first, answer) in [
        (Wire::V1a, Wire::V1a, &b"\0\0\0\x01\0\0\0\x02hi\0\0\0\x03\0\0\0\0"[..]),
        (Wire::V1b, Wire::V1b, b"\0\0\0\x02\0\0\0\x02hi\0\0\0\x04\0\0\0\0"),
        (Wire::V1b, Wire::V2, b"\x02\0\0\x02hi\x04\0\0\0"),
    ] {
        let mut life = auto(v1);
        life.send(b"hi").unwrap();
        assert_eq!(life.connection.output(), b"");
        assert_eq!(life.connection.pending(), 8 + 2);
        assert!(life.connection.wants_input());
        let ping = frame(first, Kind::Ping, b"");
        life.receive(&ping[..1]).unwrap();
        assert!(!life.connection.output().is_empty(), "one byte is enough");
        life.receive(&ping[1..]).unwrap();
        assert_eq!(life.read(), answer);
        assert_eq!(life.connection.pending(), 0);
    }
}

#[test]
fn what_waits_for_the_first_byte_is_bounded_too() {
    let mut life = Life::with(Server, |settings| {
        settings.wires = Wires::Auto { v1: Wire::V1b };
        settings.max_pending = 100;
    });
    assert_eq!(life.send(&[0; 52]), Ok(()));
    assert_eq!(life.send(&[0; 33]), Err(Refusal::Full));
    assert_eq!(life.send(&[0; 32]), Ok(()));
    assert_eq!((life.connection.pending(), life.connection.memory() < 200), (100, true));
    life.receive(PING).unwrap();
    assert_eq!(life.read().len(), 4 + 52 + 4 + 32);
}

#[test]
fn nobody_is_slow_before_the_first_byte() {
    let mut life = Life::patient(Server, |settings| {
        settings.wires = Wires::Auto { v1: Wire::V1b };
        settings.write_time = seconds(1);
    });
    life.send(b"hi").unwrap();
    assert_eq!(life.run_reading(5000, false), Ok(vec![]));
    life.receive(PING).unwrap();
    assert_eq!(life.run_reading(60_000, false), Err((6000, Reason::SlowConsumer)));
}

// ----------------------------------------------------------------------------------------------------------- new start

#[test]
fn nothing_of_an_earlier_connection_survives() {
    // A connection that was lost in mid frame, and one that had announced too much: the next one begins at its
    // beginning.
    for bytes in [&b"\x02\0\0\x10half"[..], b"\x02\xFF\xFF\xFF"] {
        let mut lost = Life::new(Client);
        let _ = lost.receive(bytes);
        let mut next = Life::new(Client);
        next.receive(&user(Client, b"hello")).unwrap();
        assert_eq!(next.taken, [b"hello"]);
    }
}
