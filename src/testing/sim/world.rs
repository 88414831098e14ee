//! What a simulated bus does besides being one: it notes what happens, and lets happen what the seed decides.

use super::case::Case;
use super::faults::{Faults, Kind};
use super::kept::Kept;
use super::trace::{Event, Trace, What};
use crate::routing::{TableRoute, TableWorker};
use crate::sync::{Arc, Mutex};
use crate::testing::ManualClock;
use crate::testing::chance::{Chance, happens, mix};
use crate::traits::{Clock, Due, FIRST_OF_LIBRARY, Header, Message, Next, ReadError, Reader, Recorded, Time};
use std::time::Duration;

/// What simulated buses, their readers and writers, and whoever drives them share.
pub(super) type Shared = Arc<Mutex<World>>;

/// The place of whoever is no worker: a thread outside, a tap.
pub(super) const NOBODY: u16 = u16::MAX;

const FIRST: &str = "what is kept back goes first";
const TURN: &str = "what is kept back waits for its turn";
const SLOWEST: &str = "who keeps something back takes a message as the slowest only";
pub(super) const DRAINS: &str = "a stop drains";
const ONE_DUE: &str = "a deadline comes once";

/// What is done with a message, its header, and what its bus has recorded of it.
type See<'s> = dyn FnMut(&Header, Option<Recorded>, &[u8]) + 's;

/// Who reads everything back as it was written.
pub(super) trait Observe: Send {
    fn each(&mut self, see: &mut See<'_>);
}

impl<R: Reader + Send> Observe for R {
    fn each(&mut self, see: &mut See<'_>) {
        loop {
            let read = self.try_read_recorded(usize::MAX, |header, recorded, payload| {
                see(header, recorded, payload);
                Next::Go
            });
            match read {
                Ok(_) | Err(ReadError::Lagged(_)) => {}
                Err(_) => break,
            }
        }
        self.release();
    }
}

/// A worker, as a bus sees it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) node: u16,
    pub(super) node_name: &'static str,
    pub(super) name: &'static str,
    pub(super) routes: &'static [TableRoute<'static>],
    /// The message in its hands.
    handling: Option<u64>,
    replaying: bool,
    kept: Kept,
    /// So many steps it has begun, since its node stops, with nothing left of what it had kept back by then.
    free_steps: u32,
    /// It has ended, and nobody waits for it.
    gone: bool,
    /// The sources of the deadlines that are on their way to it.
    dues: Vec<u16>,
}

impl Place {
    pub(super) fn new(node: u16, node_name: &'static str, worker: &TableWorker<'static>) -> Place {
        let (name, routes) = (worker.name, worker.routes);
        Place {
            node,
            node_name,
            name,
            routes,
            handling: None,
            replaying: false,
            kept: Kept::default(),
            free_steps: 0,
            gone: false,
            dues: Vec::new(),
        }
    }

    /// Nobody is there any more, or somebody else.
    fn clear(&mut self) {
        (self.handling, self.replaying, self.kept) = (None, false, Kept::default());
        (self.free_steps, self.gone) = (0, false);
        self.dues.clear();
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct NodeState {
    dead: bool,
    closed: bool,
    /// The end of its drain is fixed.
    draining: bool,
    /// How long it may drain.
    drain: Duration,
    /// Until when it may, once it stops.
    deadline: Time,
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
    /// By kind.
    rates: [f64; Kind::ALL.len()],
    streams: [Chance; Kind::ALL.len()],
    /// What went wrong.
    pub(super) fired: Vec<(Kind, u32)>,
    /// The inputs that were given.
    pub(super) given: Vec<u32>,
    /// Between two lives: the memory of their logs.
    pub(super) log: Vec<usize>,
    /// Nothing goes wrong any more.
    pub(super) peace: bool,
    /// A write was refused by chance in this step.
    pub(super) refused: bool,
    armed: Option<Armed>,
    /// A law of the bus, or of a worker's outbox, and how it was broken.
    pub(super) broken: Option<(&'static str, String)>,
}

impl World {
    pub(super) fn new(nodes: usize, places: Vec<Place>) -> World {
        World {
            clock: ManualClock::new(),
            trace: Trace::default(),
            step: 0,
            places,
            nodes: vec![NodeState::default(); nodes],
            observer: None,
            case: Case::of(0),
            rates: [0.0; Kind::ALL.len()],
            streams: [Chance::new(0); Kind::ALL.len()],
            fired: Vec::new(),
            given: Vec::new(),
            log: Vec::new(),
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
        self.log.clear();
        self.observer = None;
        self.nodes.fill(NodeState::default());
        self.places.iter_mut().for_each(Place::clear);
        self.case = case.clone();
        self.streams = Kind::ALL.map(|kind| Chance::stream(case.seed, kind as u64));
        (self.step, self.rates) = (0, Kind::ALL.map(|kind| rates.of(kind)));
        (self.peace, self.refused, self.armed, self.broken) = (false, false, None, None);
    }

    // ---------------------------------------------------------------------------------------------------------- faults

    /// An occasion for a fault. If it happens: a number that says more of how.
    pub(super) fn fault(&mut self, kind: Kind) -> Option<u64> {
        let rate = self.rates[kind as usize];
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

    /// A node starts, perhaps once more. A stop of it drains for so long.
    pub(super) fn revive(&mut self, node: u16, drain: Duration) {
        self.nodes[usize::from(node)] = NodeState { drain, ..NodeState::default() };
        self.places.iter_mut().filter(|place| place.node == node).for_each(Place::clear);
    }

    pub(super) fn is_dead(&self, node: u16) -> bool {
        self.nodes.get(usize::from(node)).is_some_and(|node| node.dead)
    }

    /// A node begins to stop.
    pub(super) fn close(&mut self, node: u16) {
        let Some(state) = self.nodes.get_mut(usize::from(node)) else { return };
        if !std::mem::replace(&mut state.closed, true) {
            state.deadline = self.clock.now() + state.drain;
            self.places.iter_mut().filter(|place| place.node == node).for_each(|place| place.kept.stop());
        }
    }

    /// A node handles what is on the bus now, and nothing that comes later.
    pub(super) fn drain(&mut self, node: u16) {
        let Some(state) = self.nodes.get_mut(usize::from(node)) else { return };
        state.draining = true;
        let mut places = self.places.iter().filter(|place| place.node == node);
        if let Some(place) = places.find(|place| place.kept.outlasts_stop()) {
            let text = format!("its end is fixed before worker {} has sent what it has kept back", place.name);
            self.broken = Some((DRAINS, text));
        }
    }

    /// A worker has ended.
    pub(super) fn left(&mut self, place: u16) {
        if let Some(place) = self.places.get_mut(usize::from(place)) {
            (place.kept, place.gone) = (Kept::default(), true);
        }
    }

    // ---------------------------------------------------------------------------------------------------------- events

    /// Notes something. Of what has no payload, the header is all.
    pub(super) fn note(&mut self, what: What, place: u16, header: Header, payload: &[u8]) {
        let worker = self.places.get(usize::from(place)).filter(|_| !matches!(what, What::Fault(_)));
        let (cause, replayed) = worker.map_or((0, false), |worker| (worker.handling.unwrap_or(0), worker.replaying));
        let (step, time) = (self.step, self.clock.now());
        let event = Event { what, place, step, time, header, cause, recorded: None, replayed, at: 0 };
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
        if worker.kept.is_passed_over(self.step) {
            self.broken = Some((FIRST, format!("worker {} takes a message before that", worker.name)));
        }
        let node = self.nodes.get(usize::from(worker.node)).copied().unwrap_or_default();
        if node.closed && self.clock.now() >= node.deadline {
            self.broken = Some((DRAINS, format!("worker {} takes a message after the deadline", worker.name)));
        }
        let is_draining = node.draining;
        if self.broken.is_none() && worker.kept.could_wait(self.step) && !is_draining {
            self.broken = Some((SLOWEST, format!("worker {} takes one without asking whether it is", worker.name)));
        }
        if header.message == Due::ID {
            worker.dues.retain(|source| *source != header.source);
        }
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

    /// The outbox of a worker.
    pub(super) fn kept(&mut self, place: u16) -> Option<(&mut Kept, u32)> {
        self.places.get_mut(usize::from(place)).map(|place| (&mut place.kept, self.step))
    }

    /// A worker begins a step.
    pub(super) fn begin_step(&mut self, place: u16) {
        let Some(place) = self.places.get_mut(usize::from(place)) else { return };
        if !self.nodes[usize::from(place.node)].closed {
            return;
        }
        // What it has sent in the step in which its handler stopped the node counts, too.
        place.kept.notice_stop();
        place.free_steps += u32::from(!place.kept.outlasts_stop());
    }

    /// A worker has done a step, with `most` messages at most, since this event: what it has kept back waits for its
    /// turn.
    pub(super) fn check_step(&mut self, place: u16, most: usize, since: usize) {
        let is_handed = |what| matches!(what, What::Begun | What::Handled | What::Spoilt);
        let taken = self.trace.events.iter().skip(since).filter(|event| event.place == place && is_handed(event.what));
        let taken = taken.count();
        let place = &self.places[usize::from(place)];
        if taken > most {
            let text = format!("worker {} takes {taken} messages in a step for {most}", place.name);
            self.broken = Some(("a step takes no more than it may", text));
        }
        let node = self.nodes[usize::from(place.node)];
        // The first step of all makes it, and the next one says so.
        let is_free = |place: &Place| place.gone || place.free_steps > 1;
        let mut places = self.places.iter().filter(|other| other.node == place.node);
        if node.closed && !node.draining && !node.dead && places.all(is_free) {
            let text = format!("node {} goes on, with nothing left of what was kept back by then", place.node_name);
            self.broken = Some((DRAINS, text));
        }
        if place.kept.waits_for_nothing() && !self.is_dead(place.node) {
            self.broken = Some((TURN, format!("worker {} keeps messages back, and has not queued up", place.name)));
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
        if let Some((kept, step)) = self.kept(place) {
            kept.try_to_write(step);
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
        let was_kept = self.kept(place).is_some_and(|(kept, _)| kept.is_pending());
        if done
            && let Some((kept, _)) = self.kept(place)
            && !kept.wrote()
        {
            let worker = self.places[usize::from(place)].name;
            self.broken = Some((TURN, format!("worker {worker} sends one that came after it queued up")));
        }
        if let Some(written) = self.trace.events.get(before).map(|event| event.header) {
            self.check_due(place, &written, was_kept);
        }
        // What a rebuild repeats is not written, and a fill may have written, too.
        let replaying = self.places.get(usize::from(place)).is_some_and(|worker| worker.replaying);
        if self.broken.is_none() && done && seen == 0 && !replaying {
            let text = "a write that succeeded wrote nothing that can be read";
            self.broken = Some(("a bus does what it says", text.to_owned()));
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

    /// A worker writes one deadline of a handler at a time, and none into a drain.
    fn check_due(&mut self, place: u16, written: &Header, was_kept: bool) {
        let Some(worker) = self.places.get_mut(usize::from(place)).filter(|_| written.message == Due::ID) else {
            return;
        };
        if worker.dues.contains(&written.source) {
            let text = format!("worker {} writes one while another of source {} is there", worker.name, written.source);
            self.broken = Some((ONE_DUE, text));
        }
        worker.dues.push(written.source);
        let is_draining = self.nodes.get(usize::from(worker.node)).is_some_and(|node| node.draining);
        if is_draining && !was_kept {
            self.broken = Some((DRAINS, format!("worker {} writes a deadline behind the end", worker.name)));
        }
    }

    /// Who reads everything back from now on.
    pub(super) fn set_observer(&mut self, observer: Option<Box<dyn Observe>>) {
        self.observer = observer;
    }

    /// Notes what was written, in the name of `place`.
    pub(super) fn observe(&mut self, place: u16) {
        let Some(mut observer) = self.observer.take() else { return };
        observer.each(&mut |header, recorded, payload| {
            self.note(What::Written, place, *header, payload);
            if let Some(written) = self.trace.events.last_mut() {
                written.recorded = recorded;
            }
        });
        self.observer = Some(observer);
    }
}
