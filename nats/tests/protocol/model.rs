//! Bridges of one node, a server that forgets and a receiver, step by step in any order: whoever is killed, replaced or
//! late, and whatever a server loses, the stream holds each incarnation's messages in their order, none missing, none
//! twice, and a receiver takes them so in whatever order they are delivered. `PROPTEST_CASES` says how many lives.
//!
//! The server stores what expects its last sequence and the id of its last message, unless it has forgotten that, and
//! refuses all else. Each connection is a queue to it and a queue
//! back, either of which may break with what is in it. The steps come from proptest, which makes them fewer when it has
//! found a fault.

use crate::{head, layout, origin};
use proptest::prelude::*;
use rust_messenger::routing::{Table, TableRoute, TableWorker};
use rust_messenger::traits::Layout;
use rust_messenger_nats::protocol::*;
use std::collections::{BTreeMap, VecDeque};

#[derive(Clone, Debug)]
enum Step {
    /// A bridge publishes what its window takes, up to so many.
    Publish { bridge: usize, most: usize },
    /// The server takes so many messages of a bridge's connection.
    Serve { bridge: usize, most: usize },
    /// A bridge takes so many answers.
    Hear { bridge: usize, most: usize },
    /// A connection breaks: the answers on their way are lost, and with `sent` what was sent, too. The bridge looks.
    Cut { bridge: usize, sent: bool },
    /// The node starts again. Who ran before is dead, and what it sent is on its way still, or with `alive` it runs on.
    Start { alive: bool },
    /// The server comes back with so many messages less, and knows the id of the last one, or not.
    SetBack { fewer: usize, forgets: bool },
    /// The receiver gets the message at that place of the stream, modulo its length.
    Deliver { place: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bridge = || 0..3usize;
    let step = prop_oneof![
        6 => (bridge(), 1..5usize).prop_map(|(bridge, most)| Step::Publish { bridge, most }),
        6 => (bridge(), 1..6usize).prop_map(|(bridge, most)| Step::Serve { bridge, most }),
        6 => (bridge(), 1..6usize).prop_map(|(bridge, most)| Step::Hear { bridge, most }),
        1 => (bridge(), any::<bool>()).prop_map(|(bridge, sent)| Step::Cut { bridge, sent }),
        1 => any::<bool>().prop_map(|alive| Step::Start { alive }),
        1 => (0..8usize, any::<bool>()).prop_map(|(fewer, forgets)| Step::SetBack { fewer, forgets }),
        6 => any::<usize>().prop_map(|place| Step::Deliver { place }),
    ];
    proptest::collection::vec(step, 1..300)
}

struct Bridge {
    me: Origin,
    resume: Resume,
    window: Window,
    /// The position behind which it publishes next; `None`: it waits for an answer to its hello.
    after: Option<Option<u64>>,
    to_server: VecDeque<(Link, Entry)>,
    /// Sequences, or refusals.
    answers: VecDeque<Option<u64>>,
    ended: Option<ResumeError>,
}

struct World {
    kind: Kind,
    stream: Vec<Entry>,
    /// The id of its last message, where the server knows it.
    last_id: Option<String>,
    bridges: Vec<Bridge>,
    arrivals: Arrivals,
    written: Vec<(u64, u64)>,
    catalog: Catalog,
    names: Names,
}

/// Positions begin at 1024, with 16 bytes each.
fn following(after: Option<u64>) -> u64 {
    after.map_or(1024, |after| after + 16)
}

impl World {
    fn new(kind: Kind) -> World {
        let names = Names::new("shop", "till").unwrap();
        let layout = Layout::variable("postcard");
        let routes = [TableRoute { source: "A", source_id: 1, message: "B", message_id: 2, layout, receivers: &[] }];
        let workers = [TableWorker { name: "w", handlers: &[], routes: &routes }];
        let catalog = Catalog::of(&Table { name: "T", workers: &workers }, |_| true);
        let arrivals = Arrivals::new(names.clone(), 0, None);
        let mut world = World {
            kind,
            stream: Vec::new(),
            last_id: None,
            bridges: Vec::new(),
            arrivals,
            written: Vec::new(),
            catalog,
            names,
        };
        world.start(false);
        world
    }

    fn start(&mut self, alive: bool) {
        if let Some(before) = self.bridges.last_mut().filter(|_| !alive) {
            // It is dead; what it has sent is not.
            before.ended.get_or_insert(ResumeError::Fenced { by: 0 });
        }
        let bridge = 100 + self.bridges.len() as u64;
        let me = origin(self.kind, if self.kind == Kind::Journal { 7 } else { bridge }, bridge);
        self.bridges.push(Bridge {
            me,
            resume: Resume::new(me, false),
            window: Window::new(Limits { messages: 4, bytes: 1000 }),
            after: None,
            to_server: VecDeque::new(),
            answers: VecDeque::new(),
            ended: None,
        });
        self.look(self.bridges.len() - 1);
    }

    /// Asks for the last message, behind all that this connection carries.
    fn look(&mut self, bridge: usize) {
        self.serve(bridge, usize::MAX);
        let entry = self.stream.last().map(|entry| Ok(entry.clone()));
        let last = Last { sequence: self.stream.len() as u64, entry };
        let it = &mut self.bridges[bridge];
        it.answers.clear();
        it.after = None;
        match it.resume.decide(&last) {
            Ok(Decision::Hello { sequence, after, before }) => {
                let hello = Hello { origin: it.me, after, time: 0, before };
                it.to_server.push_back((it.window.hello(sequence), Entry::Hello(hello)));
            }
            Ok(Decision::GoOn { sequence, after }) => {
                it.window.begin(sequence);
                it.after = Some(after);
            }
            Err(error) => it.ended = Some(error),
        }
    }

    fn publish(&mut self, bridge: usize, most: usize) {
        let it = &mut self.bridges[bridge];
        for _ in 0..most {
            let Some(previous) = it.after else { return };
            if !it.window.has_room(10) {
                return;
            }
            let position = following(previous);
            let link = it.window.send(position, 10);
            it.to_server.push_back((link, Entry::Message(head(it.me, previous, position))));
            it.after = Some(Some(position));
        }
    }

    fn serve(&mut self, bridge: usize, most: usize) {
        for _ in 0..most {
            let it = &mut self.bridges[bridge];
            let Some((link, entry)) = it.to_server.pop_front() else { return };
            let is_behind = link.behind.is_none_or(|number| self.last_id == Some(Link::id(it.me.bridge, number)));
            let is_stored = is_behind && link.sequence == self.stream.len() as u64;
            if is_stored {
                self.stream.push(entry);
                self.last_id = Some(Link::id(it.me.bridge, link.number));
            }
            it.answers.push_back(is_stored.then_some(self.stream.len() as u64));
        }
    }

    fn hear(&mut self, bridge: usize, most: usize) {
        for _ in 0..most {
            let it = &mut self.bridges[bridge];
            let Some(answer) = it.answers.pop_front() else { return };
            match (answer, it.after) {
                (Some(sequence), Some(_)) => {
                    it.window.acknowledged(sequence).expect("it was published");
                }
                _ => self.look(bridge),
            }
        }
    }

    fn step(&mut self, step: &Step) {
        let newest = self.bridges.len() - 1;
        let runs = |world: &World, back: usize| {
            newest.checked_sub(back).filter(|bridge| world.bridges[*bridge].ended.is_none())
        };
        match *step {
            Step::Publish { bridge, most } => runs(self, bridge).into_iter().for_each(|it| self.publish(it, most)),
            // What the dead have sent arrives, too.
            Step::Serve { bridge, most } => newest.checked_sub(bridge).into_iter().for_each(|it| self.serve(it, most)),
            Step::Hear { bridge, most } => runs(self, bridge).into_iter().for_each(|it| self.hear(it, most)),
            Step::Cut { bridge, sent } => {
                let Some(bridge) = runs(self, bridge) else { return };
                if sent {
                    self.bridges[bridge].to_server.clear();
                }
                self.look(bridge);
            }
            Step::Start { alive } => self.start(alive),
            Step::SetBack { fewer, forgets } => {
                if forgets || fewer > 0 {
                    self.last_id = None;
                }
                self.stream.truncate(self.stream.len().saturating_sub(fewer));
                // A server that is back has new connections only.
                self.bridges.iter_mut().for_each(|bridge| bridge.to_server.clear());
                (0..=newest).filter_map(|bridge| runs(self, bridge)).collect::<Vec<_>>().into_iter().for_each(
                    |bridge| {
                        self.look(bridge);
                    },
                );
            }
            Step::Deliver { place } => {
                if let Some(place) = place.checked_rem(self.stream.len()) {
                    self.deliver(place);
                }
            }
        }
    }

    fn deliver(&mut self, place: usize) {
        let entry = self.stream[place].clone();
        let subject = match entry {
            Entry::Hello(_) => self.names.hello(),
            Entry::Message(_) => self.names.message("A", "B"),
        };
        let (name, value) = entry.to_header();
        let headers = [(name, value.as_str())];
        match self.arrivals.take(place as u64 + 1, &subject.to_string(), headers, &self.catalog) {
            Arrival::Write(head) => self.written.push((head.origin.incarnation, head.position)),
            Arrival::Refused(refusal) => panic!("{refusal}"),
            Arrival::Wait(mismatch) => panic!("{mismatch}"),
            _ => {}
        }
    }

    /// Each incarnation's messages, in order and without a gap.
    fn check(&self) {
        let mut reached = BTreeMap::new();
        for entry in &self.stream {
            let Entry::Message(head) = entry else { continue };
            let before = reached.insert(head.origin.incarnation, head.position);
            assert_eq!(head.position, following(before), "in the stream");
            assert_eq!(head.previous, before, "in the stream");
        }
        let mut reached = BTreeMap::new();
        for (incarnation, position) in &self.written {
            assert_eq!(*position, following(reached.insert(incarnation, *position)), "at the receiver");
        }
    }
}

fn live(kind: Kind, steps: &[Step]) {
    assert!(layout().agrees(&LayoutTag::of(&Layout::variable("postcard"))));
    let mut world = World::new(kind);
    for step in steps {
        world.step(step);
        world.check();
    }
    // Whatever happened, a new start goes on, and what it publishes arrives.
    world.start(false);
    let newest = world.bridges.len() - 1;
    for _ in 0..30 {
        world.publish(newest, 4);
        world.serve(newest, usize::MAX);
        world.hear(newest, usize::MAX);
    }
    assert_eq!(world.bridges[newest].ended, None);
    (0..world.stream.len()).for_each(|place| world.deliver(place));
    world.check();
    let last = world.stream.last().map(Entry::reached);
    let reached = world.arrivals.reached();
    assert!(world.stream.len() > 100);
    assert_eq!(reached.map(|reached| reached.incarnation), last.map(|last| last.incarnation));
    assert!(reached.map(|reached| reached.position) >= last.map(|last| last.position));
}

proptest! {
    #[test]
    fn journals_lose_and_double_nothing(steps in steps()) {
        live(Kind::Journal, &steps);
    }

    #[test]
    fn rings_lose_and_double_nothing_of_an_incarnation(steps in steps()) {
        live(Kind::Ring, &steps);
    }
}

fn hello(me: Origin, after: Option<u64>) -> Last {
    Last { sequence: 5, entry: Some(Ok(Entry::Hello(Hello { origin: me, after, time: 0, before: None }))) }
}

#[test]
fn another_journal_is_refused_unless_it_is_taken_over() {
    let (me, other) = (origin(Kind::Journal, 1, 1), origin(Kind::Journal, 2, 2));
    let refused = Resume::new(me, false).decide(&hello(other, Some(160)));
    assert_eq!(refused, Err(ResumeError::OtherJournal { theirs: 2, ours: 1 }));
    let before = Some(Reached { incarnation: 2, position: Some(160) });
    let adopted = Resume::new(me, true).decide(&hello(other, Some(160)));
    assert_eq!(adopted, Ok(Decision::Hello { sequence: 5, after: None, before }));
    // A ring forgets at each start, so nobody takes anything from it.
    let ring = Resume::new(me, false).decide(&hello(origin(Kind::Ring, 3, 3), None));
    assert!(matches!(ring, Ok(Decision::Hello { after: None, .. })));
}

#[test]
fn a_hello_after_mine_ends_me() {
    let (me, other) = (origin(Kind::Journal, 1, 1), origin(Kind::Journal, 1, 2));
    let mut resume = Resume::new(me, false);
    assert_eq!(resume.decide(&hello(me, Some(160))), Ok(Decision::GoOn { sequence: 5, after: Some(160) }));
    let later = Last { sequence: 6, ..hello(other, Some(160)) };
    assert_eq!(resume.decide(&later), Err(ResumeError::Fenced { by: 2 }));
}

#[test]
fn a_late_message_of_the_predecessor_means_another_hello_and_one_of_a_third_the_end() {
    let (me, other) = (origin(Kind::Journal, 1, 1), origin(Kind::Journal, 1, 2));
    let mut resume = Resume::new(me, false);
    for late in 0..3u64 {
        let position = 160 + 16 * late;
        let message = Entry::Message(head(other, Some(position - 16), position));
        let last = Last { sequence: 5 + late, entry: Some(Ok(message)) };
        let before = Some(Reached { incarnation: 1, position: Some(position) });
        let hello = Decision::Hello { sequence: 5 + late, after: Some(position), before };
        assert_eq!(resume.decide(&last), Ok(hello));
    }
    let third = Last { sequence: 9, ..hello(origin(Kind::Journal, 1, 3), Some(192)) };
    assert_eq!(resume.decide(&third), Err(ResumeError::Fenced { by: 3 }));
}

#[test]
fn hellos_come_to_an_end() {
    let (me, other) = (origin(Kind::Ring, 1, 1), origin(Kind::Ring, 2, 2));
    let mut resume = Resume::new(me, false);
    let hellos = (0..=MOST_HELLOS).take_while(|_| resume.decide(&hello(other, None)).is_ok()).count();
    assert_eq!(hellos, MOST_HELLOS as usize);
}

#[test]
fn what_cannot_be_known_is_an_error() {
    let mut resume = Resume::new(origin(Kind::Ring, 1, 1), true);
    let emptied = Last { sequence: 9, entry: None };
    assert_eq!(resume.decide(&emptied), Err(ResumeError::Emptied { sequence: 9 }));
    let foreign = Last { sequence: 9, entry: Some(Err(EntryError::Missing)) };
    assert_eq!(resume.decide(&foreign), Err(ResumeError::Foreign { sequence: 9, error: EntryError::Missing }));
}

#[test]
fn a_window_is_bounded_both_ways_and_takes_what_is_larger_alone() {
    let mut window = Window::new(Limits { messages: 3, bytes: 100 });
    window.begin(10);
    assert!(window.has_room(1_000_000));
    assert_eq!((window.send(16, 60).sequence, window.has_room(41), window.has_room(40)), (10, false, true));
    let (second, third) = (window.send(32, 10), window.send(48, 10));
    assert_eq!((second.sequence, third.sequence, window.has_room(0)), (11, 12, false));
    assert_eq!((second.behind, third.behind, third.number), (Some(1), Some(2), 3));
    assert_eq!((window.messages(), window.bytes()), (3, 80));
    assert_eq!(window.acknowledged(14), Err(Unexpected { sequence: 14 }));
    assert_eq!(window.acknowledged(12), Ok(Some(32)));
    assert_eq!(window.acknowledged(11), Ok(None));
    assert_eq!(window.acknowledged(9), Ok(None));
    assert_eq!((window.messages(), window.bytes()), (1, 10));
    window.begin(5);
    assert_eq!((window.is_empty(), window.bytes()), (true, 0));
    assert_eq!(window.send(16, 1), Link { sequence: 5, behind: None, number: 4 });
}
