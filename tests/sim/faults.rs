//! Each fault alone: it does what it says, and nothing else happens. And when time passes.

use rust_messenger::message_bus::Start;
use rust_messenger::prelude::*;
use rust_messenger::testing::{Faults, Seen, Sim};
use rust_messenger::traits::{MessageBus, Time, WriteError};
use rust_messenger::{DeserializeFrom, Message, PersistentBus, PersistentOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Debug, PartialEq)]
struct Number(u64);

impl Message for Number {
    type Id = u16;
    const ID: u16 = 1;
}

impl rust_messenger::ExtendedMessage for Number {
    fn get_size(&self) -> usize {
        8
    }

    fn write_into(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.0.to_le_bytes());
    }
}

impl DeserializeFrom for Number {
    fn deserialize_from(buffer: &[u8]) -> Number {
        assert!(buffer.as_ptr().cast::<u128>().is_aligned(), "as on a bus");
        Number(u64::from_le_bytes(buffer.try_into().unwrap()))
    }

    fn try_deserialize_from(buffer: &[u8]) -> Result<Number, rust_messenger::traits::DecodeError> {
        // Also what is put in the place of a payload. A panic is no decoding error.
        assert!(buffer.as_ptr().cast::<u128>().is_aligned(), "as on a bus");
        let bytes = buffer.try_into().map_err(|_| rust_messenger::traits::DecodeError::new("not eight bytes"))?;
        Ok(Number(u64::from_le_bytes(bytes)))
    }
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Part {
    number: u64,
    part: u64,
}
serde_message!(Part, 2);

/// What handlers have noticed in one life, and how often one of them was told to stop.
#[derive(Clone, Default)]
struct Noticed {
    effects: Arc<Mutex<BTreeSet<&'static str>>>,
    stops: Arc<AtomicU64>,
}

impl Noticed {
    fn note(&self, effect: &'static str) {
        self.effects.lock().unwrap().insert(effect);
    }
}

struct Outside;
handler!(Outside, 1);

/// Sends the parts of each number.
struct Cutter(Noticed);

impl Handler for Cutter {
    type Id = u16;
    const ID: u16 = 2;

    fn on_stop(&mut self) {
        self.0.stops.fetch_add(1, Ordering::Relaxed);
    }
}

impl New<Noticed> for Cutter {
    fn new<W: Writer>(noticed: &Noticed, _: &W) -> Cutter {
        Cutter(noticed.clone())
    }
}

const PARTS: u64 = 8;

impl Handle<Number> for Cutter {
    fn handle<W: Writer>(&mut self, number: &Number, writer: &W) {
        for part in 0..PARTS {
            match Self::try_send(&Part { number: number.0, part }, writer) {
                Ok(()) => {}
                Err(WriteError::Full) => return self.0.note("full"),
                Err(WriteError::Encode(_)) => return self.0.note("refused"),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// In another node.
struct Sink;
handler!(Sink, 3);

impl New<Noticed> for Sink {
    fn new<W: Writer>(_: &Noticed, _: &W) -> Sink {
        Sink
    }
}

impl Handle<Part> for Sink {
    fn handle<W: Writer>(&mut self, _: &Part, _: &W) {}
}

Messenger! {
    type Cutters;
    Noticed,
    Cuts: handlers: [ cutter: Cutter ] routes: [ Outside, Number: [ cutter ] ]
}

Messenger! {
    type Sinks;
    Noticed,
    Parts: handlers: [ sink: Sink ] routes: [ Cutter, Part: [ sink ] ]
}

const NUMBERS: u64 = 5;

fn system<B: MessageBus>(sim: Sim<B>, noticed: &Noticed) -> Sim<B> {
    sim.node("cutters", Cutters::with_options, noticed.clone())
        .node("sinks", Sinks::with_options, noticed.clone())
        .outside(NUMBERS, |n, writer| Outside::try_send(&Number(n), writer))
}

fn journal() -> Sim<PersistentBus> {
    let small = PersistentOptions { capacity: 256 << 10, max_payload: 1024, step: 64 << 10, ..Default::default() };
    Sim::on_journal(PersistentOptions { start: Start::Resume, ..small })
}

/// What can be seen of a life: what is no fault's is not there.
fn effects(seen: &[Seen<'_>], noticed: &Noticed) -> BTreeSet<&'static str> {
    let mut effects = std::mem::take(&mut *noticed.effects.lock().unwrap());
    let (mut begun, mut written) = (BTreeMap::<&str, u64>::new(), BTreeMap::<u64, Time>::new());
    for seen in seen {
        if seen.began() {
            *begun.entry(seen.worker).or_default() += 1;
        } else if seen.written::<Number>().is_some() {
            written.insert(seen.header.position, seen.time);
        } else if seen.handled::<Number>().is_some() && written[&seen.header.position] < seen.time {
            effects.insert("late");
        }
    }
    let handled: BTreeSet<u64> =
        seen.iter().filter(|seen| seen.handled::<Number>().is_some()).map(|seen| seen.header.position).collect();
    if handled.len() < written.len() {
        effects.insert("not handled");
    }
    let stops = noticed.stops.swap(0, Ordering::Relaxed);
    let (cuts, parts) = (begun["Cuts"], begun["Parts"]);
    for (is_so, effect) in [
        (cuts > 1 || parts > 1, "begins again"),
        (cuts + parts == 3, "begins alone"),
        (stops > 1, "stops"),
        (stops == 0, "never stops"),
    ] {
        if is_so {
            effects.insert(effect);
        }
    }
    effects
}

/// What is seen of any of these lives.
fn seen_of<B: MessageBus>(sim: Sim<B>, faults: Faults) -> BTreeSet<&'static str> {
    let (noticed, all) = (Noticed::default(), Arc::new(Mutex::new(BTreeSet::new())));
    let (of_life, of_all) = (noticed.clone(), Arc::clone(&all));
    let sim = system(sim, &noticed).faults(faults).at_end("effects are seen", move |seen| {
        of_all.lock().unwrap().extend(effects(seen, &of_life));
        Ok(())
    });
    sim.seeds(60).run();
    let all = all.lock().unwrap();
    all.clone()
}

#[test]
fn each_fault_does_what_it_says_and_nothing_else() {
    const NONE: Faults = Faults {
        full: 0.0,
        refusal: 0.0,
        panic: 0.0,
        undecodable: 0.0,
        pause: 0.0,
        crash: 0.0,
        blackout: 0.0,
        stop: 0.0,
    };
    assert_eq!(NONE, Faults::default());
    let ring = || Sim::new(|| CircularBus::new(64 << 10));
    assert_eq!(seen_of(ring(), NONE), BTreeSet::new());
    assert_eq!(seen_of(journal(), NONE), BTreeSet::new());
    assert_eq!(seen_of(ring(), Faults { full: 0.05, ..NONE }), BTreeSet::from(["full"]));
    assert_eq!(seen_of(journal(), Faults { full: 0.05, ..NONE }), BTreeSet::new(), "a journal is never full");
    for (faults, expected) in [
        (Faults { refusal: 0.05, ..NONE }, &["refused"][..]),
        (Faults { undecodable: 0.05, ..NONE }, &["not handled"]),
        (Faults { pause: 0.05, ..NONE }, &["late"]),
        // A node that is down handles late what came meanwhile, and the message whose encoder has panicked again.
        (Faults { crash: 0.02, ..NONE }, &["begins again", "begins alone", "late"]),
        (Faults { blackout: 0.02, ..NONE }, &["begins again", "late"]),
        (Faults { stop: 0.02, ..NONE }, &["begins again", "begins alone", "late", "stops"]),
        (Faults { panic: 0.01, ..NONE }, &["begins again", "begins alone", "late"]),
    ] {
        let seen = seen_of(journal(), faults);
        assert_eq!(seen, expected.iter().copied().collect(), "{faults:?}");
    }
}

/// Before or after each of them.
#[test]
fn a_node_is_killed_at_any_write_of_a_handler() {
    let (noticed, cuts) = (Noticed::default(), Arc::new(Mutex::new(BTreeSet::new())));
    let cut = Arc::clone(&cuts);
    let sim = system(journal(), &noticed).faults(Faults { crash: 0.1, ..Faults::default() });
    // What is killed before its first write or behind the last one looks as what is killed between two messages.
    let sim = sim.law("parts are counted", 0, move |written, seen| {
        if let Some(Part { part, .. }) = seen.written::<Part>() {
            *written = part + 1;
        } else if seen.began() && seen.worker == "Cuts" {
            cut.lock().unwrap().insert(std::mem::take(written));
        }
        Ok(())
    });
    sim.seeds(1500).run();
    assert_eq!(*cuts.lock().unwrap(), (0..=PARTS).collect());
}

/// Beats, and answers.
struct Clerk(Time);

impl Handler for Clerk {
    type Id = u16;
    const ID: u16 = 4;

    fn next_deadline(&self) -> Option<Time> {
        Some(self.0)
    }
}

const PERIOD: Duration = Duration::from_millis(500);

impl New<()> for Clerk {
    fn new<W: Writer>((): &(), writer: &W) -> Clerk {
        Clerk(writer.now() + PERIOD)
    }
}

impl Handle<Number> for Clerk {
    fn handle<W: Writer>(&mut self, number: &Number, writer: &W) {
        for part in 0..PARTS {
            Self::send(&Part { number: number.0, part }, writer);
        }
    }
}

impl Handle<Due> for Clerk {
    fn handle<W: Writer>(&mut self, due: &Due, _: &W) {
        self.0 = due.time + PERIOD;
    }
}

Messenger! {
    type Desk;
    (),
    Clerks:
        handlers: [ #[allow(unrouted)] clerk: Clerk ]
        routes: [ Outside, Number: [ clerk ], Clerk, Due: [ clerk ] ]
}

/// Time passes when nobody has anything to do: not while a write that was refused by chance waits in an outbox, or with
/// somebody outside. Then it is that of the next deadline.
#[test]
fn time_waits_for_everybody_and_goes_to_the_next_deadline() {
    let (beats, times) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
    let run = |full: f64| {
        let (counted, written) = (Arc::clone(&beats), Arc::clone(&times));
        Sim::new(|| CircularBus::new(64 << 10))
            .node("desk", Desk::with_options, ())
            .outside(NUMBERS, |n, writer| Outside::try_send(&Number(n), writer))
            .lasting(Duration::from_secs(2))
            .faults(Faults { full, ..Faults::default() })
            .law("parts are sent when they are wanted", Time::default(), |time, seen| {
                if seen.handled::<Number>().is_some() || seen.written::<Number>().is_some() {
                    *time = seen.time;
                }
                let is_late = seen.written::<Part>().is_some() && seen.time != *time;
                if is_late { Err(format!("wanted at {time:?}, sent at {:?}", seen.time)) } else { Ok(()) }
            })
            .law("a deadline is met", (), move |(), seen| {
                let Some(due) = seen.handled::<Due>() else { return Ok(()) };
                counted.fetch_add(1, Ordering::Relaxed);
                if due.time == seen.time { Ok(()) } else { Err(format!("{due:?} at {:?}", seen.time)) }
            })
            .at_end("numbers have their times", move |seen| {
                let numbers = seen.iter().filter(|seen| seen.written::<Number>().is_some());
                written.lock().unwrap().extend(numbers.map(|seen| seen.time));
                Ok(())
            })
            .seeds(50)
            .run();
        std::mem::take(&mut *times.lock().unwrap())
    };
    assert_eq!(run(0.6), run(0.0), "when they come from outside is what the seed says");
    assert!(beats.load(Ordering::Relaxed) >= 2 * 50 * 4, "one each half second, for two at least");
}

/// What it had kept back of what was handled to the end goes with a node that is killed, and with nothing else.
#[test]
fn an_outbox_is_gone_with_its_node() {
    let run = |crash: f64| {
        let (lost, counted) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (of_life, all) = (Arc::clone(&lost), Arc::clone(&counted));
        Sim::new(|| CircularBus::new(64 << 10))
            .node("desk", Desk::with_options, ())
            .outside(NUMBERS, |n, writer| Outside::try_send(&Number(n), writer))
            .lasting(Duration::from_secs(2))
            .faults(Faults { full: 0.7, crash, ..Faults::default() })
            .at_end("parts are counted", move |seen| {
                let handled = seen.iter().filter_map(|seen| seen.handled::<Number>()).map(|number| number.0);
                let handled: BTreeSet<u64> = handled.collect();
                let parts = seen.iter().filter_map(|seen| seen.written::<Part>());
                let sent = parts.filter(|part| handled.contains(&part.number)).count() as u64;
                all.fetch_add(handled.len() as u64, Ordering::Relaxed);
                of_life.fetch_add(PARTS * handled.len() as u64 - sent, Ordering::Relaxed);
                Ok(())
            })
            .seeds(100)
            .run();
        assert!(counted.load(Ordering::Relaxed) > 100, "no proof of anything");
        lost.load(Ordering::Relaxed)
    };
    assert_eq!(run(0.0), 0);
    assert!(run(0.05) > 100);
}
