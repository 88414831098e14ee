//! Bytes and frames: the three generations of Messi's framing. Pure: no socket, no clock.
//!
//! | wire | Messi | header | types |
//! | --- | --- | --- | --- |
//! | [`Wire::V1a`] | up to 0.7 | u32 type, u32 size | 1 user, both ways; 2 ping; 3 pong |
//! | [`Wire::V1b`] | 0.8 to 0.11 | u32 type, u32 size | 1 to the server, 2 to the client, 3 ping, 4 pong |
//! | [`Wire::V2`] | since 0.12 | u8 type, u24 size | as V1b |
//!
//! All numbers are big endian, and the size is that of the payload. There is no version field and no handshake
//! (<https://github.com/eerimoq/messi>).

use std::error::Error;
use std::fmt;

/// A generation of the framing.
///
/// ```
/// use rust_messenger::messi::{ClientOptions, Protocol, Wire, Wires};
///
/// fn for_an_old_server<Chat: Protocol>() -> ClientOptions<Chat> {
///     let mut options = ClientOptions::new("tcp://127.0.0.1:4000");
///     options.connection.wires = Wires::Only(Wire::V1a);
///     options
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Wire {
    /// Messi up to 0.7.
    V1a,
    /// Messi 0.8 to 0.11.
    V1b,
    /// Messi since 0.12.
    #[default]
    V2,
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The one that connects and pings.
    Client,
    /// The one that listens and answers pings.
    Server,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One encoded message from a client.
    ClientToServer,
    /// One encoded message from a server.
    ServerToClient,
    /// A client asks whether the server is there.
    Ping,
    /// The server is there.
    Pong,
    /// A type that nobody knows.
    Unknown(u32),
}

/// One frame in somebody else's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is.
    pub kind: Kind,
    /// What it carries.
    pub payload: &'a [u8],
}

/// A header announces more than is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooBig {
    /// The announced size of the payload in bytes.
    pub announced: u32,
    /// The largest frame that is taken, in bytes, header included.
    pub max_frame: usize,
}

impl fmt::Display for TooBig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a payload of {} bytes; a frame may have {} with its header", self.announced, self.max_frame)
    }
}

impl Error for TooBig {}

impl Wire {
    /// The length of a header in bytes.
    pub const fn header_len(self) -> usize {
        match self {
            Wire::V1a | Wire::V1b => 8,
            Wire::V2 => 4,
        }
    }

    /// The largest payload in bytes that a header can announce.
    pub const fn max_payload(self) -> usize {
        match self {
            Wire::V1a | Wire::V1b => u32::MAX as usize,
            Wire::V2 => (1 << 24) - 1,
        }
    }

    /// The wire of a peer whose first byte this is: no type of the first generation needs the first of its four bytes.
    pub const fn detect(first: u8, v1: Wire) -> Wire {
        if first == 0 { v1 } else { Wire::V2 }
    }

    const fn number(self, kind: Kind) -> u32 {
        match (self, kind) {
            (Wire::V1a, Kind::ClientToServer | Kind::ServerToClient) => 1,
            (Wire::V1a, Kind::Ping) => 2,
            (Wire::V1a, Kind::Pong) => 3,
            (_, Kind::ClientToServer) => 1,
            (_, Kind::ServerToClient) => 2,
            (_, Kind::Ping) => 3,
            (_, Kind::Pong) => 4,
            (_, Kind::Unknown(number)) => number,
        }
    }

    const fn kind(self, number: u32, sender: Side) -> Kind {
        match (self, number, sender) {
            (Wire::V1a, 1, Side::Client) => Kind::ClientToServer,
            (Wire::V1a, 1, Side::Server) => Kind::ServerToClient,
            (Wire::V1a, 2, _) => Kind::Ping,
            (Wire::V1a, 3, _) => Kind::Pong,
            (Wire::V1a, ..) => Kind::Unknown(number),
            (_, 1, _) => Kind::ClientToServer,
            (_, 2, _) => Kind::ServerToClient,
            (_, 3, _) => Kind::Ping,
            (_, 4, _) => Kind::Pong,
            _ => Kind::Unknown(number),
        }
    }

    /// Writes the header of a frame whose payload has `size` bytes, at most [`max_payload`](Self::max_payload).
    ///
    /// # Panics
    ///
    /// When `header` is not [`header_len`](Self::header_len) bytes long.
    #[doc(hidden)]
    #[inline]
    pub fn write_header(self, kind: Kind, size: usize, header: &mut [u8]) {
        debug_assert!(size <= self.max_payload());
        let (number, size) = (self.number(kind), size as u32);
        match self {
            Wire::V1a | Wire::V1b => {
                header[..4].copy_from_slice(&number.to_be_bytes());
                header[4..].copy_from_slice(&size.to_be_bytes());
            }
            Wire::V2 => header.copy_from_slice(&(number << 24 | size).to_be_bytes()),
        }
    }

    /// The length of the frame that begins with these bytes, if its header is there.
    pub(super) fn frame_len(self, bytes: &[u8]) -> Option<usize> {
        let (_, size) = self.read_header(bytes, Side::Client)?;
        Some(self.header_len() + size as usize)
    }

    /// The kind and payload size that a whole header announces.
    #[inline]
    fn read_header(self, header: &[u8], sender: Side) -> Option<(Kind, u32)> {
        let first = u32::from_be_bytes(*header.first_chunk()?);
        Some(match self {
            Wire::V1a | Wire::V1b => {
                let size = u32::from_be_bytes(*header.get(4..)?.first_chunk()?);
                (self.kind(first, sender), size)
            }
            Wire::V2 => (self.kind(first >> 24, sender), first & 0x00FF_FFFF),
        })
    }
}

/// Takes a stream of bytes apart, in whatever pieces it comes. Holds at most one frame, and of that only what has
/// arrived.
#[derive(Debug)]
pub struct Decoder {
    wire: Wire,
    /// Who sent what is decoded here.
    sender: Side,
    max_frame: usize,
    /// The beginning of a frame, from an earlier piece.
    partial: Vec<u8>,
    /// `partial` is a whole frame, and it was handed out.
    done: bool,
    /// `partial` is a whole frame, and it was taken back.
    whole: bool,
}

/// Memory that a decoder keeps between frames, in bytes.
const KEPT: usize = 4096;

impl Decoder {
    /// A decoder of what `sender` sends. `max_frame` bounds a frame in bytes, header included.
    pub fn new(wire: Wire, sender: Side, max_frame: usize) -> Decoder {
        Decoder { wire, sender, max_frame, partial: Vec::new(), done: false, whole: false }
    }

    /// The next frame: what was kept, continued by `input`, which is advanced over what was taken. `None` when `input`
    /// ends before the frame does; all of it is then kept here.
    ///
    /// A frame that lies in `input` as a whole is handed out there, and is not copied.
    ///
    /// # Errors
    ///
    /// [`TooBig`], as soon as the header is there. The stream cannot be decoded any further.
    #[inline]
    pub fn next<'s, 'i: 's>(&'s mut self, input: &mut &'i [u8]) -> Result<Option<Frame<'s>>, TooBig> {
        if !self.partial.is_empty() {
            return self.next_of_partial(input);
        }
        let bytes = *input;
        let header_len = self.wire.header_len();
        if let Some((kind, size)) = self.wire.read_header(bytes, self.sender) {
            let end = self.frame_len(size)?;
            if let Some(payload) = bytes.get(header_len..end) {
                *input = &bytes[end..];
                return Ok(Some(Frame { kind, payload }));
            }
        }
        self.partial.extend_from_slice(bytes);
        *input = &[];
        Ok(None)
    }

    fn frame_len(&self, size: u32) -> Result<usize, TooBig> {
        let len = (size as usize).saturating_add(self.wire.header_len());
        if len > self.max_frame { Err(TooBig { announced: size, max_frame: self.max_frame }) } else { Ok(len) }
    }

    fn next_of_partial<'s, 'i: 's>(&'s mut self, input: &mut &'i [u8]) -> Result<Option<Frame<'s>>, TooBig> {
        if std::mem::replace(&mut self.done, false) {
            self.partial.clear();
            self.partial.shrink_to(KEPT);
            return self.next(input);
        }
        let header_len = self.wire.header_len();
        self.fill(header_len, input);
        let Some((kind, size)) = self.wire.read_header(&self.partial, self.sender) else { return Ok(None) };
        let end = self.frame_len(size)?;
        if !self.fill(end, input) {
            return Ok(None);
        }
        (self.done, self.whole) = (true, false);
        Ok(Some(Frame { kind, payload: &self.partial[header_len..end] }))
    }

    /// Moves bytes over until `len` are there. Memory grows with what has arrived, not with what is announced.
    fn fill(&mut self, len: usize, input: &mut &[u8]) -> bool {
        let missing = len.saturating_sub(self.partial.len());
        let (taken, rest) = input.split_at(missing.min(input.len()));
        if self.partial.capacity() - self.partial.len() < taken.len() {
            self.partial.reserve_exact(missing.min(self.partial.len().max(taken.len())));
        }
        self.partial.extend_from_slice(taken);
        *input = rest;
        self.partial.len() >= len
    }

    /// Takes back the frame that was handed out last: it is the next one again. `before` is what `input` was then.
    pub(super) fn take_back<'i>(&mut self, input: &mut &'i [u8], before: &'i [u8]) {
        if self.done {
            (self.done, self.whole) = (false, true);
        } else {
            *input = before;
        }
    }

    /// How many bytes of memory are held for what has arrived.
    pub fn memory(&self) -> usize {
        self.partial.capacity()
    }

    /// What the frame is whose header has come, but not its end.
    pub fn announced(&self) -> Option<Kind> {
        let header = self.is_mid_frame().then(|| self.wire.read_header(&self.partial, self.sender));
        header.flatten().map(|(kind, _)| kind)
    }

    /// Whether the beginning of a frame has come, but not its end.
    pub fn is_mid_frame(&self) -> bool {
        !self.done && !self.whole && !self.partial.is_empty()
    }

    /// Whether a whole frame is kept here, since it was taken back.
    pub(super) fn holds_frame(&self) -> bool {
        self.whole
    }
}

/// A whole frame as bytes.
pub fn frame(wire: Wire, kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; wire.header_len()];
    wire.write_header(kind, payload.len(), &mut bytes);
    bytes.extend_from_slice(payload);
    bytes
}
