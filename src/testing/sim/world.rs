//! What a simulated bus does besides being one: it notes what happens, and lets happen what the seed decides.

use super::case::Case;
use super::faults::{Faults, Kind};
use crate::sync::{Arc, Mutex};
use crate::testing::ManualClock;
use crate::testing::chance::{Chance, happens, mix};
use crate::traits::{Clock, FIRST_OF_LIBRARY, Header, ReadError, Reader, Time};

/// What simulated buses, their readers and writers, and whoever drives them share.
pub(super) type Shared = Arc<Mutex<World>>;

/// The place of whoever is no worker: a thread outside, a tap.
pub(super) const NOBODY: u16 = u16::MAX;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A reader began at the header's position.
    Began,
    /// A worker had this message in its hands, and did not come to the end of it.
    Begun,
    Handled,
    /// A worker was given something that nobody can decode instead.
    Spoilt,
    Written,
    /// Of the node, if it is one of those.
    Fault(Kind),
}

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) what: What,
    /// Of a worker; of a node where a fault says so.
    pub(super) place: u16,
    pub(super) step: u32,
    pub(super) time: Time,
    pub(super) header: Header,
    /// The position of the message in whose handling it was written, or 0.
    pub(super) cause: u64,
    /// Whether a rebuild replays it.
    pub(super) replayed: bool,
    /// Where the payload begins.
    pub(super) at: usize,
}

/// A list of events, and their payloads.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub(super) events: Vec<Event>,
    bytes: Vec<u8>,
}

impl Trace {
    pub(super) fn payload(&self, event: &Event) -> &[u8] {
        &self.bytes[event.at..event.at + event.header.size as usize]
    }

    fn push(&mut self, mut event: Event, payload: &[u8]) {
        (event.at, event.header.size) = (self.bytes.len(), payload.len() as u32);
        self.bytes.extend_from_slice(payload);
        self.events.push(event);
    }

    /// Takes back the last event.
    fn pop(&mut self) {
        if let Some(event) = self.events.pop() {
            self.bytes.truncate(event.at);
        }
    }

    fn clear(&mut self) {
        self.events.clear();
        self.bytes.clear();
    }

    /// Whether the same stands at `place` in both.
    pub(super) fn agrees(&self, other: &Trace, place: usize) -> bool {
        match (self.events.get(place), other.events.get(place)) {
            (Some(one), Some(two)) => {
                let facts = |event: &Event| (event.what, event.place, event.step, event.time, event.header);
                facts(one) == facts(two)
                    && (one.cause, one.replayed) == (two.cause, two.replayed)
                    && self.payload(one) == other.payload(two)
            }
            (one, two) => one.is_none() && two.is_none(),
        }
    }
}

/// Who reads everything back as it was written.
pub(super) trait Observe: Send {
    fn each(&mut self, see: &mut dyn FnMut(&Header, &[u8]));
}

impl<R: Reader + Send> Observe for R {
    fn each(&mut self, see: &mut dyn FnMut(&Header, &[u8])) {
        loop {
            match self.try_read(&mut *see) {
                Ok(()) => {}
                Err(ReadError::Lagged(_)) => {}
                Err(ReadError::Empty | ReadError::WindowFull | ReadError::Closed) => break,
            }
        }
        self.release();
    }
}

/// A worker, as a bus sees it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) node: u16,
    pub(super) name: &'static str,
    /// The message in its hands.
    handling: Option<u64>,
    replaying: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct NodeState {
    dead: bool,
    closed: bool,
}

/// What becomes of a write.
pub(super) enum Verdict {
    Go,
    Full,
    Closed,
    Refuse,
    Panic,
    /// The node was killed.
    Kill,
}

/// A kill that waits for its moment in a worker's step.
#[derive(Clone, Copy, Debug)]
struct Armed {
    node: u16,
    /// So many writes are let pass.
    writes: u64,
    /// Whether the write after them is done.
    after: bool,
}

pub(super) struct World {
    pub(super) clock: ManualClock,
    pub(super) trace: Trace,
    pub(super) step: u32,
    pub(super) places: Vec<Place>,
    nodes: Vec<NodeState>,
    observer: Option<Box<dyn Observe>>,
    case: Case,
    rates: Faults,
    streams: [Chance; Kind::ALL.len()],
    /// What went wrong.
    pub(super) fired: Vec<(Kind, u32)>,
    /// The inputs that were given.
    pub(super) given: Vec<u32>,
    /// Nothing goes wrong any more.
    pub(super) peace: bool,
    /// A write was refused by chance in this step.
    pub(super) refused: bool,
    armed: Option<Armed>,
    /// The bus did not do what it said.
    pub(super) broken: Option<String>,
}

impl World {
    pub(super) fn new(nodes: usize, places: impl Iterator<Item = (u16, &'static str)>) -> World {
        let places = places.map(|(node, name)| Place { node, name, handling: None, replaying: false }).collect();
        World {
            clock: ManualClock::new(),
            trace: Trace::default(),
            step: 0,
            places,
            nodes: vec![NodeState::default(); nodes],
            observer: None,
            case: Case::of(0),
            rates: Faults::default(),
            streams: [Chance::new(0); Kind::ALL.len()],
            fired: Vec::new(),
            given: Vec::new(),
            peace: false,
            refused: false,
            armed: None,
            broken: None,
        }
    }

    /// Begins another life, at one second by its clock.
    pub(super) fn begin(&mut self, case: &Case, rates: Faults) {
        self.clock = ManualClock::new();
        self.clock.set(Time::from_nanos(1_000_000_000));
        self.trace.clear();
        self.fired.clear();
        self.given.clear();
        self.observer = None;
        self.nodes.fill(NodeState::default());
        for place in &mut self.places {
            (place.handling, place.replaying) = (None, false);
        }
        self.case = case.clone();
        self.streams = Kind::ALL.map(|kind| Chance::stream(case.seed, kind as u64));
        (self.step, self.rates) = (0, rates);
        (self.peace, self.refused, self.armed, self.broken) = (false, false, None, None);
    }

    // ---------------------------------------------------------------------------------------------------------- faults

    /// An occasion for a fault. If it happens: a number that says more of how.
    pub(super) fn fault(&mut self, kind: Kind) -> Option<u64> {
        let rate = self.rates.of(kind);
        if rate == 0.0 || self.peace {
            return None;
        }
        let stream = &mut self.streams[kind as usize];
        let (lot, number) = (stream.draw(), stream.drawn() as u32 - 1);
        let allowed = |only: &super::case::Only| only.faults.binary_search(&(kind, number)).is_ok();
        if !happens(lot, rate) || !self.case.only.as_ref().is_none_or(allowed) {
            return None;
        }
        self.fired.push((kind, number));
        Some(mix(lot))
    }

    /// From now on a node is killed after so many writes.
    pub(super) fn arm(&mut self, node: u16, writes: u64, after: bool) {
        self.armed = Some(Armed { node, writes, after });
    }

    /// A step is over: whether a kill found no moment in it.
    pub(super) fn disarm(&mut self) -> bool {
        self.armed.take().is_some()
    }

    pub(super) fn kill(&mut self, node: u16) {
        self.nodes[usize::from(node)].dead = true;
        self.armed = None;
    }

    /// A node starts, perhaps once more.
    pub(super) fn revive(&mut self, node: u16) {
        self.nodes[usize::from(node)] = NodeState::default();
        for place in self.places.iter_mut().filter(|place| place.node == node) {
            (place.handling, place.replaying) = (None, false);
        }
    }

    pub(super) fn is_dead(&self, node: u16) -> bool {
        self.nodes.get(usize::from(node)).is_some_and(|node| node.dead)
    }

    pub(super) fn close(&mut self, node: u16) {
        if let Some(node) = self.nodes.get_mut(usize::from(node)) {
            node.closed = true;
        }
    }

    // ---------------------------------------------------------------------------------------------------------- events

    /// Notes something. Of what has no payload, the header is all.
    pub(super) fn note(&mut self, what: What, place: u16, header: Header, payload: &[u8]) {
        let worker = self.places.get(usize::from(place)).filter(|_| !matches!(what, What::Fault(_)));
        let (cause, replayed) = worker.map_or((0, false), |worker| (worker.handling.unwrap_or(0), worker.replaying));
        let event = Event { what, place, step: self.step, time: self.clock.now(), header, cause, replayed, at: 0 };
        self.trace.push(event, payload);
    }

    pub(super) fn note_fault(&mut self, kind: Kind, place: u16) {
        self.note(What::Fault(kind), place, Header { source: 0, message: 0, size: 0, position: 0 }, &[]);
    }

    /// The place of a node's worker of this name.
    pub(super) fn place_of(&self, node: u16, name: &str) -> u16 {
        let found = self.places.iter().position(|place| place.node == node && place.name == name);
        found.map_or(NOBODY, |place| place as u16)
    }

    /// A reader of a worker begins.
    pub(super) fn began(&mut self, place: u16, position: u64) {
        if place != NOBODY {
            self.note(What::Began, place, Header { source: 0, message: 0, size: 0, position }, &[]);
        }
    }

    /// A worker is handed a message: whether it is spoilt on its way.
    pub(super) fn hand_over(&mut self, place: u16, header: &Header, payload: &[u8], replaying: bool) -> bool {
        let Some(worker) = self.places.get_mut(usize::from(place)) else { return false };
        worker.replaying = replaying;
        let may_spoil = !replaying && header.message < FIRST_OF_LIBRARY && payload.len() > 1;
        let spoilt = may_spoil && self.fault(Kind::Undecodable).is_some();
        self.note(if spoilt { What::Spoilt } else { What::Begun }, place, *header, payload);
        self.places[usize::from(place)].handling = Some(header.position);
        spoilt
    }

    /// A worker is done with the message that it was handed as event number `event`.
    pub(super) fn handled(&mut self, place: u16, event: usize, handled: bool) {
        let Some(worker) = self.places.get_mut(usize::from(place)) else { return };
        worker.handling = None;
        let is_last = self.trace.events.len() == event + 1;
        match self.trace.events.get_mut(event) {
            // It was not looked at.
            Some(_) if !handled && is_last => self.trace.pop(),
            Some(noted) if !handled => noted.what = What::Begun,
            Some(noted) if noted.what == What::Begun => noted.what = What::Handled,
            _ => {}
        }
    }

    // ---------------------------------------------------------------------------------------------------------- writes

    /// What becomes of a write from `place` in `node`.
    pub(super) fn judge(&mut self, node: u16, place: u16) -> Verdict {
        let state = self.nodes.get(usize::from(node)).copied().unwrap_or_default();
        if state.dead || (state.closed && place == NOBODY) {
            return Verdict::Closed;
        }
        if let Some(armed) = &mut self.armed
            && armed.node == node
            && !armed.after
        {
            if armed.writes == 0 {
                self.kill(node);
                return Verdict::Kill;
            }
            armed.writes -= 1;
        }
        let worker = self.places.get(usize::from(place));
        if worker.is_some_and(|worker| worker.replaying) {
            return Verdict::Go;
        }
        if worker.is_some_and(|worker| worker.handling.is_some()) {
            if self.fault(Kind::Refusal).is_some() {
                self.note_fault(Kind::Refusal, place);
                return Verdict::Refuse;
            }
            if self.fault(Kind::Panic).is_some() {
                self.note_fault(Kind::Panic, place);
                return Verdict::Panic;
            }
        }
        if self.fault(Kind::Full).is_some() {
            self.refused = true;
            return Verdict::Full;
        }
        Verdict::Go
    }

    /// A write is done: notes what it wrote. Whether its node was killed right after it.
    pub(super) fn wrote(&mut self, node: u16, place: u16, done: bool) -> bool {
        let before = self.trace.events.len();
        self.observe(place);
        let seen = self.trace.events.len() - before;
        // What a rebuild repeats is not written, and a fill may have written, too.
        let replaying = self.places.get(usize::from(place)).is_some_and(|worker| worker.replaying);
        if self.broken.is_none() && done && seen == 0 && !replaying {
            self.broken = Some("a write that succeeded wrote nothing that can be read".to_owned());
        }
        match &mut self.armed {
            Some(armed) if armed.node == node && armed.after && armed.writes == 0 => {
                self.kill(node);
                true
            }
            Some(armed) if armed.node == node && armed.after => {
                armed.writes -= 1;
                false
            }
            _ => false,
        }
    }

    /// Who reads everything back from now on.
    pub(super) fn set_observer(&mut self, observer: Option<Box<dyn Observe>>) {
        self.observer = observer;
    }

    /// Notes what was written, in the name of `place`.
    pub(super) fn observe(&mut self, place: u16) {
        let Some(mut observer) = self.observer.take() else { return };
        observer.each(&mut |header, payload| self.note(What::Written, place, *header, payload));
        self.observer = Some(observer);
    }
}
