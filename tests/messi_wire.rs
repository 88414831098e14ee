//! Bytes and frames: golden vectors of every wire, every cut of a stream, and a second codec to differ from.
//!
//! Method: the golden bytes are written down by hand from the protocol's description, so that a mistake made on both
//! ways, out and in, is still seen. [`Twin`] is the same description as the plainest code there can be; whatever bytes
//! come, valid or not and in whatever pieces, it and the decoder must see the same frames and the same end.

#![cfg(feature = "messi")]

mod support;

use rust_messenger::__private::messi::{Decoder, Kind, Side, TooBig, frame};
use rust_messenger::messi::Wire;
use support::mix;

const WIRES: [Wire; 3] = [Wire::V1a, Wire::V1b, Wire::V2];
const SIDES: [Side; 2] = [Side::Client, Side::Server];

/// A frame that outlives its bytes.
type Owned = (Kind, Vec<u8>);

fn header(wire: Wire, kind: Kind, size: usize) -> Vec<u8> {
    let mut header = vec![0; wire.header_len()];
    wire.write_header(kind, size, &mut header);
    header
}

/// What a decoder says of `pieces`, one after the other.
fn decode<'a>(decoder: &mut Decoder, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Owned>, Option<TooBig>) {
    let mut frames = Vec::new();
    for piece in pieces {
        let mut input = piece;
        loop {
            match decoder.next(&mut input) {
                Ok(Some(frame)) => frames.push((frame.kind, frame.payload.to_vec())),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
        assert!(input.is_empty(), "no frame, and yet bytes are left");
    }
    (frames, None)
}

// ------------------------------------------------------------------------------------------------------------- golden

/// Who sends what, and its bytes.
type Golden = (Side, Kind, &'static [u8], &'static [u8]);

const V1A: [Golden; 6] = [
    (Side::Client, Kind::ClientToServer, b"abc", b"\0\0\0\x01\0\0\0\x03abc"),
    (Side::Server, Kind::ServerToClient, b"abc", b"\0\0\0\x01\0\0\0\x03abc"),
    (Side::Client, Kind::Ping, b"", b"\0\0\0\x02\0\0\0\0"),
    (Side::Server, Kind::Pong, b"", b"\0\0\0\x03\0\0\0\0"),
    (Side::Client, Kind::Unknown(4), b"", b"\0\0\0\x04\0\0\0\0"),
    (Side::Server, Kind::Unknown(0x0102_0304), b"z", b"\x01\x02\x03\x04\0\0\0\x01z"),
];

const V1B: [Golden; 6] = [
    (Side::Client, Kind::ClientToServer, b"abc", b"\0\0\0\x01\0\0\0\x03abc"),
    (Side::Server, Kind::ServerToClient, b"abc", b"\0\0\0\x02\0\0\0\x03abc"),
    (Side::Client, Kind::Ping, b"", b"\0\0\0\x03\0\0\0\0"),
    (Side::Server, Kind::Pong, b"", b"\0\0\0\x04\0\0\0\0"),
    (Side::Client, Kind::Unknown(0), b"", b"\0\0\0\0\0\0\0\0"),
    (Side::Server, Kind::Unknown(5), b"z", b"\0\0\0\x05\0\0\0\x01z"),
];

const V2: [Golden; 6] = [
    (Side::Client, Kind::ClientToServer, b"abc", b"\x01\0\0\x03abc"),
    (Side::Server, Kind::ServerToClient, b"abc", b"\x02\0\0\x03abc"),
    (Side::Client, Kind::Ping, b"", b"\x03\0\0\0"),
    (Side::Server, Kind::Pong, b"", b"\x04\0\0\0"),
    (Side::Client, Kind::Unknown(0), b"", b"\0\0\0\0"),
    (Side::Server, Kind::Unknown(255), b"z", b"\xFF\0\0\x01z"),
];

#[track_caller]
fn golden(wire: Wire, vectors: &[Golden]) {
    for &(sender, kind, payload, bytes) in vectors {
        assert_eq!(frame(wire, kind, payload), bytes, "{wire:?} {kind:?} out");
        let decoded = decode(&mut Decoder::new(wire, sender, 1 << 10), [bytes]);
        assert_eq!(decoded, (vec![(kind, payload.to_vec())], None), "{wire:?} {kind:?} in");
    }
}

#[test]
fn golden_v1a() {
    golden(Wire::V1a, &V1A);
}

#[test]
fn golden_v1b() {
    golden(Wire::V1b, &V1B);
}

#[test]
fn golden_v2() {
    golden(Wire::V2, &V2);
}

#[test]
fn golden_sizes() {
    let size = |wire, size| header(wire, Kind::ClientToServer, size);
    assert_eq!(size(Wire::V2, 0x0001_02FF), b"\x01\x01\x02\xFF");
    assert_eq!(size(Wire::V2, Wire::V2.max_payload()), b"\x01\xFF\xFF\xFF");
    assert_eq!(size(Wire::V1b, 0x0102_03FF), b"\0\0\0\x01\x01\x02\x03\xFF");
    assert_eq!(size(Wire::V1a, Wire::V1a.max_payload()), b"\0\0\0\x01\xFF\xFF\xFF\xFF");
    assert_eq!(WIRES.map(Wire::header_len), [8, 8, 4]);
    assert_eq!(WIRES.map(Wire::max_payload), [0xFFFF_FFFF, 0xFFFF_FFFF, 16_777_215]);
}

#[test]
fn the_first_byte_tells_the_wire() {
    for v1 in [Wire::V1a, Wire::V1b] {
        assert_eq!(Wire::detect(0, v1), v1);
        for first in 1..=255 {
            assert_eq!(Wire::detect(first, v1), Wire::V2);
        }
    }
}

// --------------------------------------------------------------------------------------------------------------- cuts

/// A short stream with every kind, payloads of none, one and several bytes, and half a frame at its end.
fn short_stream(wire: Wire, sender: Side) -> (Vec<u8>, Vec<Owned>) {
    let user = if sender == Side::Client { Kind::ClientToServer } else { Kind::ServerToClient };
    let frames: [(Kind, &[u8]); 6] = [
        (user, b"first"),
        (Kind::Ping, b""),
        (user, b""),
        (Kind::Unknown(77), b"x"),
        (Kind::Pong, b"pp"),
        (user, &[0, 0, 0, 1, 0]),
    ];
    let mut bytes: Vec<u8> = frames.iter().flat_map(|(kind, payload)| frame(wire, *kind, payload)).collect();
    bytes.extend_from_slice(&frame(wire, user, b"cut off")[..7]);
    (bytes, frames.map(|(kind, payload)| (kind, payload.to_vec())).to_vec())
}

#[test]
fn every_cut_into_two_and_three_gives_the_same_frames() {
    for (wire, sender) in WIRES.into_iter().flat_map(|wire| SIDES.map(|side| (wire, side))) {
        let (bytes, frames) = short_stream(wire, sender);
        // In the interpreter every cut takes its time.
        let step = if cfg!(miri) { 31 } else { 1 };
        for first in (0..=bytes.len()).step_by(step) {
            for second in (first..=bytes.len()).step_by(step) {
                let mut decoder = Decoder::new(wire, sender, 64);
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                let decoded = decode(&mut decoder, pieces);
                assert_eq!(decoded, (frames.clone(), None), "{wire:?} from {sender:?}, cut at {first} and {second}");
                assert!(decoder.is_mid_frame());
            }
        }
    }
}

#[test]
fn byte_by_byte_gives_the_same_frames() {
    for (wire, sender) in WIRES.into_iter().flat_map(|wire| SIDES.map(|side| (wire, side))) {
        let (bytes, frames) = short_stream(wire, sender);
        let decoded = decode(&mut Decoder::new(wire, sender, 64), bytes.chunks(1));
        assert_eq!(decoded, (frames, None));
    }
}

#[test]
fn mid_frame_is_between_the_first_byte_and_the_last() {
    for wire in WIRES {
        let bytes = frame(wire, Kind::ClientToServer, b"abc");
        let mut decoder = Decoder::new(wire, Side::Client, 64);
        for byte in 0..bytes.len() {
            assert_eq!(decoder.is_mid_frame(), byte > 0);
            decode(&mut decoder, [&bytes[byte..=byte]]);
        }
        assert!(!decoder.is_mid_frame());
    }
}

// -------------------------------------------------------------------------------------------------------- differential

/// The protocol's description as the plainest code: it keeps all bytes and looks at all of them again.
struct Twin {
    wire: Wire,
    sender: Side,
    max_frame: u64,
    bytes: Vec<u8>,
}

impl Twin {
    fn kind(&self, number: u64) -> Kind {
        let old = self.wire == Wire::V1a;
        match number {
            1 if old && self.sender == Side::Server => Kind::ServerToClient,
            1 => Kind::ClientToServer,
            2 if old => Kind::Ping,
            3 if old => Kind::Pong,
            2 if !old => Kind::ServerToClient,
            3 if !old => Kind::Ping,
            4 if !old => Kind::Pong,
            other => Kind::Unknown(other as u32),
        }
    }

    fn frames(&self) -> (Vec<Owned>, Option<u64>) {
        let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |number, byte| number * 256 + u64::from(*byte));
        let (type_len, header) = if self.wire == Wire::V2 { (1, 4) } else { (4, 8) };
        let (mut at, mut frames) = (0, Vec::new());
        while self.bytes.len() - at >= header {
            let size = number(&self.bytes[at + type_len..at + header]);
            if size + header as u64 > self.max_frame {
                return (frames, Some(size));
            }
            let Some(payload) = self.bytes.get(at + header..at + header + size as usize) else { break };
            frames.push((self.kind(number(&self.bytes[at..at + type_len])), payload.to_vec()));
            at += header + size as usize;
        }
        (frames, None)
    }
}

/// Random numbers for one case.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = mix(self.0);
        self.0 as usize % limit
    }
}

/// Bytes as they may come: mostly frames, some damaged, some with absurd sizes, some no frames at all.
fn stream(random: &mut Random, wire: Wire) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.below(30) {
        let kinds = [Kind::ClientToServer, Kind::ServerToClient, Kind::Ping, Kind::Pong, Kind::Unknown(200)];
        let longest = if random.below(10) == 0 { 9000 } else { 40 };
        let payload: Vec<u8> = (0..random.below(longest)).map(|_| random.below(256) as u8).collect();
        let mut frame = frame(wire, kinds[random.below(5)], &payload);
        match random.below(20) {
            0 => frame.truncate(random.below(frame.len())),
            1 => {
                let place = random.below(frame.len().min(8));
                frame[place] ^= 1 << random.below(8);
            }
            2 => frame = (0..random.below(30)).map(|_| random.below(256) as u8).collect(),
            _ => {}
        }
        bytes.extend_from_slice(&frame);
    }
    bytes
}

#[test]
fn the_twin_sees_the_same_in_whatever_bytes_and_pieces() {
    let (mut whole, mut refused) = (0, 0);
    for seed in 0..if cfg!(miri) { 4 } else { 6000 } {
        let random = &mut Random(seed);
        let (wire, sender) = (WIRES[random.below(3)], SIDES[random.below(2)]);
        let max_frame = [8, 30, 4096, 1 << 20][random.below(4)];
        let bytes = stream(random, wire);
        let mut pieces = Vec::new();
        let mut rest = &bytes[..];
        let longest = [1, 10, 5000][random.below(3)];
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at((1 + random.below(longest)).min(rest.len()));
            pieces.push(piece);
            rest = behind;
        }
        let (frames, error) = decode(&mut Decoder::new(wire, sender, max_frame), pieces);
        let twin = Twin { wire, sender, max_frame: max_frame as u64, bytes };
        let (expected, too_big) = twin.frames();
        assert_eq!(frames, expected, "seed {seed}");
        assert_eq!(error.map(|error| u64::from(error.announced)), too_big, "seed {seed}");
        whole += expected.len();
        refused += usize::from(too_big.is_some());
    }
    assert!(whole > 500 || cfg!(miri), "hardly any frame was seen: {whole}");
    assert!(refused > 50 || cfg!(miri), "hardly any stream was refused: {refused}");
}

// ------------------------------------------------------------------------------------------------------------- limits

#[test]
fn too_big_is_said_at_the_last_byte_of_the_header_and_again() {
    for wire in WIRES {
        let header_len = wire.header_len();
        let header = header(wire, Kind::ClientToServer, 101 - header_len);
        for cut in 0..header_len {
            let mut decoder = Decoder::new(wire, Side::Client, 100);
            assert_eq!(decode(&mut decoder, [&header[..cut]]), (vec![], None));
            let error = TooBig { announced: 101 - header_len as u32, max_frame: 100 };
            assert_eq!(decode(&mut decoder, [&header[cut..]]), (vec![], Some(error)));
            assert!(decoder.memory() <= 64, "{} bytes for a frame that is refused", decoder.memory());
            assert_eq!(decoder.next(&mut &header[cut..]), Err(error), "the stream cannot be decoded any further");
        }
    }
}

#[test]
fn a_frame_of_exactly_the_limit_is_taken() {
    for wire in WIRES {
        let bytes = frame(wire, Kind::ClientToServer, &vec![7; 100 - wire.header_len()]);
        assert_eq!(bytes.len(), 100);
        for cut in [0, 1, wire.header_len(), 99, 100] {
            let decoded = decode(&mut Decoder::new(wire, Side::Client, 100), [&bytes[..cut], &bytes[cut..]]);
            assert_eq!(decoded.0.len(), 1);
            let decoded = decode(&mut Decoder::new(wire, Side::Client, 99), [&bytes[..cut], &bytes[cut..]]);
            assert!(decoded.1.is_some());
        }
    }
}

#[test]
fn memory_grows_with_what_arrives_not_with_what_is_announced() {
    for wire in WIRES {
        let size = Wire::V2.max_payload();
        let header = header(wire, Kind::ClientToServer, size);
        let mut decoder = Decoder::new(wire, Side::Client, size + 8);
        decode(&mut decoder, [&header[..]]);
        assert!(decoder.memory() <= 64, "{} bytes for a header", decoder.memory());
        let piece = vec![1; if cfg!(miri) { 100_000 } else { 5000 }];
        let mut arrived = header.len();
        while arrived + piece.len() < header.len() + size {
            decode(&mut decoder, [&piece[..]]);
            arrived += piece.len();
            assert!(decoder.memory() <= 2 * arrived + 64, "{} bytes for {arrived}", decoder.memory());
        }
        assert!(decoder.memory() <= header.len() + size, "more than the frame");
        let (frames, _) = decode(&mut decoder, [&vec![1; header.len() + size - arrived][..]]);
        assert_eq!(frames[0].1.len(), size);
        decode(&mut decoder, [&frame(wire, Kind::Ping, b"")[..]]);
        assert!(decoder.memory() <= 4096, "{} bytes are kept for nothing", decoder.memory());
    }
}

#[test]
fn a_whole_frame_is_not_copied() {
    for wire in WIRES {
        let bytes = frame(wire, Kind::ClientToServer, &[9; 3000]);
        let mut decoder = Decoder::new(wire, Side::Client, 1 << 20);
        let mut input = &bytes[..];
        let payload = decoder.next(&mut input).unwrap().unwrap().payload;
        assert!(std::ptr::eq(payload, &bytes[wire.header_len()..]));
        assert_eq!(decoder.memory(), 0);
    }
}
