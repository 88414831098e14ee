//! One peer's protocol as a state machine: bytes and time in; frames, deadlines and bytes out. Knows no socket and no
//! clock, so that whole lives of it can be run in a test.
//!
//! Either side of a connection is a [`Connection`] of its own; a new connection is a new value, so nothing of an
//! earlier one survives.
//!
//! What a receiver does with a frame (the behaviour of Messi's C code, <https://github.com/eerimoq/messi>):
//!
//! | frame | at the server | at the client |
//! | --- | --- | --- |
//! | unknown type | [`Reason::Protocol`] | ignored |
//! | user message of the wrong direction | [`Reason::Protocol`] | ignored |
//! | pong at the server, ping at the client | [`Reason::Protocol`] | ignored |
//! | header that announces too much | [`Reason::MessageTooBig`], the payload is not read | the same |
//! | ping or pong with a payload | as without | as without |
//!
//! [`Settings::strict`] disconnects on all of them, on either side.

use super::reason::Reason;
use super::settings::{Settings, Wires};
use super::wire::{Decoder, Kind, Side, Wire};
use crate::traits::Time;
use std::time::Duration;

/// What became of a message that was handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was taken.
    Taken,
    /// There is no room for it now: it is kept, and nothing more is taken in until it was offered again.
    Full,
    /// It ends the connection.
    Refused(Reason),
}

/// Why a frame was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Larger than the wire allows.
    TooBig {
        /// The size of the frame in bytes.
        size: usize,
        /// The largest frame that may be, in bytes.
        max: usize,
    },
    /// More would be pending than may be.
    Full,
}

/// How much of what may be pending a frame may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// All: for what cannot wait.
    All,
    /// The half up to which the peer is read from. Two that send all that they can would otherwise both stop reading,
    /// and neither would ever get rid of anything.
    Half,
}

/// How often a server that does not read tells its clients that it is there all the same.
const UNASKED_PONG: Duration = Duration::from_secs(1);
/// Memory that an empty queue keeps, in bytes.
const KEPT: usize = 256 << 10;

/// One side of one connection.
#[derive(Debug)]
pub struct Connection {
    side: Side,
    settings: Settings,
    /// Known from the start, or from the peer's first byte on.
    decoder: Option<(Wire, Decoder)>,
    /// What was received and is not decoded yet: a message in front had no room, or its turn was over.
    held: Vec<u8>,
    /// How much of `held` is decoded.
    held_from: usize,
    /// The last message offered had no room.
    blocked: bool,
    /// Bytes to send, and room for more behind them: encoding into bytes that are there is twice as fast as appending.
    output: Vec<u8>,
    /// Where what is not sent begins and ends.
    sent: usize,
    end: usize,
    /// The length of the first frame of which something is not sent, and where it ends.
    first: usize,
    first_end: usize,
    /// Frames that wait for the wire to be known.
    early: Vec<(Kind, Vec<u8>)>,
    early_bytes: usize,
    clocks: Clocks,
}

/// When something is late.
#[derive(Debug)]
struct Clocks {
    /// At a client the next ping; at a server the end of its patience.
    alive: Option<Time>,
    /// At a client: a ping was sent, and no sign of life came since.
    unanswered: bool,
    /// The end of the peer's time for its first frame.
    handshake: Option<Time>,
    /// The end of the peer's time for the frame that has begun.
    frame: Option<Time>,
    /// The end of the peer's time for reading something of what waits for it.
    write: Option<Time>,
    /// Since when nothing is taken in.
    paused: Option<Time>,
    /// At a server that takes nothing in, or did before the peer's next ping was seen: the next unasked pong.
    pong: Option<Time>,
}

impl Connection {
    /// The connection as it is on `side` when it has just been made.
    pub fn new(side: Side, settings: Settings, now: Time) -> Connection {
        let clocks = Clocks {
            alive: settings.keep_alive.map(|time| now + time),
            unanswered: false,
            handshake: (side == Side::Server).then(|| now + settings.handshake_time),
            frame: None,
            write: None,
            paused: None,
            pong: None,
        };
        let mut connection = Connection {
            side,
            settings,
            decoder: None,
            held: Vec::new(),
            held_from: 0,
            blocked: false,
            output: Vec::new(),
            sent: 0,
            end: 0,
            first: 0,
            first_end: 0,
            early: Vec::new(),
            early_bytes: 0,
            clocks,
        };
        if let Wires::Only(wire) = connection.settings.wires {
            connection.speak(wire);
        }
        connection
    }

    fn speak(&mut self, wire: Wire) {
        let peer = match self.side {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        };
        self.decoder = Some((wire, Decoder::new(wire, peer, self.settings.max_frame)));
        self.early_bytes = 0;
        for (kind, payload) in std::mem::take(&mut self.early) {
            self.put(wire, kind, payload.len(), |out| out.copy_from_slice(&payload));
        }
    }

    // ------------------------------------------------------------------------------------------------------- receiving

    /// Takes in what was received and offers each message to `deliver`, `budget` frames at most. What is not decoded
    /// then is kept: see [`has_more`](Self::has_more).
    ///
    /// # Errors
    ///
    /// Why the connection has to end.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        now: Time,
        budget: &mut usize,
        mut deliver: impl FnMut(&[u8]) -> Verdict,
    ) -> Result<(), Reason> {
        if self.held_from < self.held.len() {
            self.held.extend_from_slice(bytes);
            return self.resume(now, budget, deliver);
        }
        let mut input = bytes;
        let result = self.decode(&mut input, now, budget, &mut deliver);
        self.held.clear();
        self.held_from = 0;
        self.held.extend_from_slice(input);
        self.after_input(now);
        result
    }

    /// Goes on with what was received before.
    ///
    /// # Errors
    ///
    /// Why the connection has to end.
    pub fn resume(
        &mut self,
        now: Time,
        budget: &mut usize,
        mut deliver: impl FnMut(&[u8]) -> Verdict,
    ) -> Result<(), Reason> {
        let held = std::mem::take(&mut self.held);
        let mut input = &held[self.held_from..];
        let result = self.decode(&mut input, now, budget, &mut deliver);
        self.held_from = held.len() - input.len();
        self.held = held;
        if self.held_from == self.held.len() {
            self.held.clear();
            self.held.shrink_to(KEPT);
            self.held_from = 0;
        }
        self.after_input(now);
        result
    }

    fn decode(
        &mut self,
        input: &mut &[u8],
        now: Time,
        budget: &mut usize,
        deliver: &mut impl FnMut(&[u8]) -> Verdict,
    ) -> Result<(), Reason> {
        self.blocked = false;
        self.shift_clocks(now);
        if self.decoder.is_none()
            && let (Some(first), Wires::Auto { v1 }) = (input.first(), self.settings.wires)
        {
            self.speak(Wire::detect(*first, v1));
        }
        let mut alive = false;
        let result = loop {
            let Some((wire, decoder)) = &mut self.decoder else { break Ok(()) };
            // A peer that does not read its answers gets no further.
            if *budget == 0 || self.end - self.sent > self.first.max(self.settings.max_pending / 2) {
                break Ok(());
            }
            let before = *input;
            let frame = match decoder.next(input) {
                Ok(Some(frame)) => frame,
                Ok(None) => match decoder.announced() {
                    // Its payload is not waited for.
                    Some(kind) if !self.takes(kind) => break Err(Reason::Protocol),
                    _ => break Ok(()),
                },
                Err(_) => break Err(Reason::MessageTooBig),
            };
            *budget -= 1;
            alive |= self.settings.any_traffic;
            let mine = match (frame.kind, self.side) {
                (Kind::ClientToServer, Side::Server) | (Kind::ServerToClient, Side::Client) => {
                    match deliver(frame.payload) {
                        Verdict::Taken => {}
                        Verdict::Full => {
                            decoder.take_back(input, before);
                            self.blocked = true;
                            break Ok(());
                        }
                        Verdict::Refused(reason) => break Err(reason),
                    }
                    true
                }
                (Kind::Ping, Side::Server) => {
                    alive = true;
                    let empty = frame.payload.is_empty();
                    let wire = *wire;
                    self.put(wire, Kind::Pong, 0, |_| {});
                    self.clocks.pong = None;
                    empty || !self.settings.strict
                }
                (Kind::Pong, Side::Client) => {
                    alive = true;
                    frame.payload.is_empty() || !self.settings.strict
                }
                (kind, _) => self.takes(kind),
            };
            if !mine {
                break Err(Reason::Protocol);
            }
            self.clocks.handshake = None;
            self.clocks.frame = None;
        };
        if alive {
            self.alive(now);
        }
        result
    }

    /// Whether such a frame is taken, or at least ignored.
    fn takes(&self, kind: Kind) -> bool {
        match self.side {
            Side::Server => matches!(kind, Kind::ClientToServer | Kind::Ping),
            Side::Client => !self.settings.strict || matches!(kind, Kind::ServerToClient | Kind::Pong),
        }
    }

    fn alive(&mut self, now: Time) {
        match self.side {
            Side::Client => {
                self.clocks.unanswered = false;
                // A server whose bus is full does not read, but says that it is there: that is not slow.
                self.clocks.write = None;
            }
            Side::Server => self.clocks.alive = self.settings.keep_alive.map(|time| now + time),
        }
    }

    fn after_input(&mut self, now: Time) {
        let mid_frame = self.decoder.as_ref().is_some_and(|(_, decoder)| decoder.is_mid_frame());
        if !mid_frame {
            self.clocks.frame = None;
        } else if self.clocks.frame.is_none() {
            self.clocks.frame = Some(now + self.settings.frame_time);
        }
        self.clocks.output_changed(self.pending(), now, self.settings.write_time);
        self.look_at_pause(now);
    }

    /// Whether something was received that is not decoded yet.
    pub fn has_more(&self) -> bool {
        let holds_frame = self.decoder.as_ref().is_some_and(|(_, decoder)| decoder.holds_frame());
        self.held_from < self.held.len() || holds_frame
    }

    /// Whether the last message that was offered had no room: offer it again with [`resume`](Self::resume) when there
    /// may be some.
    pub fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Whether [`resume`](Self::resume) would find something to do now.
    pub fn wants_turn(&self) -> bool {
        self.has_more() && !self.blocked && !self.is_choked()
    }

    /// Whether to read from the peer: there is nothing left of what it sent before, and it reads what is sent to it.
    pub fn wants_input(&self) -> bool {
        !self.has_more() && !self.is_choked()
    }

    /// Whether more than half of what may be is pending, so that an answer takes its time.
    fn owes_reading(&self) -> bool {
        self.output().len() > self.settings.max_pending / 2
    }

    /// Whether the peer is not read from for that. One frame by itself is no reason, however large: if two of them met,
    /// neither would ever arrive.
    fn is_choked(&self) -> bool {
        self.owes_reading() && self.output().len() > self.first
    }

    // --------------------------------------------------------------------------------------------------------- sending

    /// Queues one frame; `encode` fills the `size` bytes of its payload.
    #[inline]
    pub(super) fn send(
        &mut self,
        kind: Kind,
        size: usize,
        share: Share,
        now: Time,
        encode: impl FnOnce(&mut [u8]),
    ) -> Result<(), Refusal> {
        let may_be_pending = match share {
            Share::All => self.settings.max_pending,
            Share::Half => self.settings.max_pending / 2,
        };
        let Some((wire, _)) = self.decoder else { return self.send_early(kind, size, may_be_pending, encode) };
        let len = size.saturating_add(wire.header_len());
        let max = wire.max_payload().saturating_add(wire.header_len());
        if len > max {
            return Err(Refusal::TooBig { size: len, max });
        }
        let pending = self.pending();
        if pending != 0 && pending + len > may_be_pending {
            return Err(Refusal::Full);
        }
        self.put(wire, kind, size, encode);
        if self.clocks.write.is_none() {
            self.clocks.write = Some(now + self.settings.write_time);
        }
        if self.owes_reading() {
            // From now on nobody is late.
            self.look_at_pause(now);
        }
        Ok(())
    }

    /// Queues one frame with this payload.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; nothing has changed then.
    pub fn send_bytes(&mut self, kind: Kind, payload: &[u8], now: Time) -> Result<(), Refusal> {
        self.send(kind, payload.len(), Share::All, now, |out| out.copy_from_slice(payload))
    }

    #[cold]
    fn send_early(
        &mut self,
        kind: Kind,
        size: usize,
        may_be_pending: usize,
        encode: impl FnOnce(&mut [u8]),
    ) -> Result<(), Refusal> {
        // The longest header and the shortest limit of the wires that it may become.
        let longest = Wire::V1a.header_len();
        let max = Wire::V2.max_payload() + longest;
        if size.saturating_add(longest) > max {
            return Err(Refusal::TooBig { size: size.saturating_add(longest), max });
        }
        if self.early_bytes != 0 && self.early_bytes + size + longest > may_be_pending {
            return Err(Refusal::Full);
        }
        let mut payload = vec![0; size];
        encode(&mut payload);
        self.early_bytes += size + longest;
        self.early.push((kind, payload));
        Ok(())
    }

    #[inline]
    fn put(&mut self, wire: Wire, kind: Kind, size: usize, encode: impl FnOnce(&mut [u8])) {
        let len = wire.header_len() + size;
        if self.output.len() - self.end < len {
            self.make_room(len);
        }
        if self.sent == self.end {
            (self.first, self.first_end) = (len, self.end + len);
        }
        let (header, payload) = self.output[self.end..self.end + len].split_at_mut(wire.header_len());
        wire.write_header(kind, size, header);
        encode(payload);
        self.end += len;
    }

    /// Room behind what is queued, without moving what is queued for every frame.
    #[cold]
    fn make_room(&mut self, len: usize) {
        let queued = self.sent..self.end;
        self.first_end = self.first_end.saturating_sub(self.sent);
        (self.sent, self.end) = (0, queued.len());
        self.output.copy_within(queued, 0);
        let missing = (self.end + len).saturating_sub(self.output.len());
        if missing == 0 {
            return;
        }
        // Doubling, but never far beyond what may be pending.
        let more = self.output.len().min(self.settings.max_pending.saturating_sub(self.output.len()));
        let more = missing.max(more).max(256);
        // In place where that can be done: two queues at a time would be twice of what may be pending.
        self.output.reserve_exact(more);
        self.output.resize(self.output.len() + more, 0);
    }

    /// The bytes to send next.
    #[inline]
    pub fn output(&self) -> &[u8] {
        &self.output[self.sent..self.end]
    }

    /// How many bytes of memory are held for what has arrived and for what waits to be sent.
    pub fn memory(&self) -> usize {
        let decoder = self.decoder.as_ref().map_or(0, |(_, decoder)| decoder.memory());
        let early: usize = self.early.iter().map(|(_, payload)| payload.capacity()).sum();
        decoder + self.held.capacity() + self.output.capacity() + early
    }

    /// How many bytes wait to be sent.
    #[inline]
    pub fn pending(&self) -> usize {
        self.end - self.sent + self.early_bytes
    }

    /// Nothing can be sent any more: throws away what is queued.
    pub(super) fn discard_output(&mut self, now: Time) {
        self.wrote(self.output().len(), now);
    }

    /// The first `count` bytes of [`output`](Self::output) are sent.
    pub fn wrote(&mut self, count: usize, now: Time) {
        self.sent += count;
        if self.sent == self.end {
            if self.output.len() > KEPT {
                self.output = Vec::new();
            }
            (self.sent, self.end) = (0, 0);
        } else {
            self.look_at_first();
        }
        if count != 0 {
            self.clocks.write = None;
        }
        self.clocks.output_changed(self.pending(), now, self.settings.write_time);
        self.look_at_pause(now);
    }

    /// Goes on to the first frame of which something is left.
    fn look_at_first(&mut self) {
        let Some((wire, _)) = &self.decoder else { return };
        while self.first_end <= self.sent
            && let Some(len) = wire.frame_len(&self.output[self.first_end..self.end])
        {
            (self.first, self.first_end) = (len, self.first_end + len);
        }
    }

    // ------------------------------------------------------------------------------------------------------------ time

    /// Stops the clocks that run against the peer while nothing is taken in from it, and lets them go on afterwards.
    fn look_at_pause(&mut self, now: Time) {
        let paused = self.blocked || self.owes_reading();
        if paused {
            self.clocks.paused.get_or_insert(now);
            // It runs on when the pause ends: after many short ones a ping may be as far behind as after a long one.
            if self.side == Side::Server {
                self.clocks.pong.get_or_insert(now + UNASKED_PONG);
            }
        } else if self.clocks.paused.is_some() {
            self.shift_clocks(now);
            self.clocks.unanswered = false;
            self.clocks.paused = None;
        }
    }

    /// Moves the clocks that have stood still by how long they have. What is set later is not moved for that.
    fn shift_clocks(&mut self, now: Time) {
        let Some(since) = &mut self.clocks.paused else { return };
        let pause = now.since(*since);
        *since = now;
        let mut late = [&mut self.clocks.handshake, &mut self.clocks.frame, &mut self.clocks.alive];
        // A client goes on pinging; only its patience for the answer stops.
        let stopped = if self.side == Side::Client { 2 } else { 3 };
        for deadline in late[..stopped].iter_mut().filter_map(|clock| clock.as_mut()) {
            *deadline = *deadline + pause;
        }
    }

    /// Does what is due: a client's ping, an unasked pong.
    ///
    /// # Errors
    ///
    /// Why the connection has to end: somebody was late.
    pub fn tick(&mut self, now: Time) -> Result<(), Reason> {
        let is_due = |clock: Option<Time>| clock.is_some_and(|deadline| deadline <= now);
        if is_due(self.clocks.write) {
            return Err(Reason::SlowConsumer);
        }
        let paused = self.clocks.paused.is_some();
        if !paused && (is_due(self.clocks.handshake) || is_due(self.clocks.frame)) {
            return Err(Reason::Limit);
        }
        if is_due(self.clocks.pong) {
            self.clocks.pong = paused.then(|| now + UNASKED_PONG);
            // One that finds no room is not needed: the peer has something else to read.
            let _ = self.send_bytes(Kind::Pong, &[], now);
        }
        match self.side {
            Side::Server if !paused && is_due(self.clocks.alive) => Err(Reason::KeepAliveTimeout),
            Side::Client if is_due(self.clocks.alive) => {
                if self.clocks.unanswered && !paused {
                    return Err(Reason::KeepAliveTimeout);
                }
                self.clocks.alive = self.settings.keep_alive.map(|time| now + time);
                self.clocks.unanswered = true;
                // One that finds no room is not missed: the peer is not read from, and nobody waits for its answer.
                let _ = self.send_bytes(Kind::Ping, &[], now);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// When to call [`tick`](Self::tick) next.
    pub fn next_deadline(&self) -> Option<Time> {
        let Clocks { alive, handshake, frame, write, pong, paused, .. } = self.clocks;
        let running = [handshake, frame, alive.filter(|_| self.side == Side::Server)];
        let running = running.into_iter().filter(|_| paused.is_none());
        let always = [write, pong, alive.filter(|_| self.side == Side::Client)];
        running.chain(always).flatten().min()
    }
}

impl Clocks {
    fn output_changed(&mut self, pending: usize, now: Time, time: Duration) {
        if pending == 0 {
            self.write = None;
        } else if self.write.is_none() {
            self.write = Some(now + time);
        }
    }
}
