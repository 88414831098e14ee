//! One table on two messengers: each runs its workers, and what a placement says goes from one bus to the other by
//! hand.

use rust_messenger::messenger::{StartError, Step};
use rust_messenger::prelude::*;
use rust_messenger::routing::{Placed, Placement, PlacementError};
use rust_messenger::traits::{Import, ImportError, MessageBus, Reader};
use std::sync::{Arc, Mutex};

#[derive(serde::Serialize, serde::Deserialize)]
struct Reading(u64);
rust_messenger::serde_message!(Reading, 1);

#[derive(serde::Serialize, serde::Deserialize)]
struct Receipt(u64);
rust_messenger::serde_message!(Receipt, 2);

#[derive(serde::Serialize, serde::Deserialize)]
struct Note;
rust_messenger::serde_message!(Note, 3);

const READINGS: u64 = 100;

/// What was seen: receipts by the sensor, notes by the archive.
type Seen = Arc<Mutex<(Vec<u64>, u64)>>;

struct Sensor(Seen);
rust_messenger::handler!(Sensor, 1);

impl Sensor {
    fn new(seen: &Seen) -> Sensor {
        Sensor(Arc::clone(seen))
    }
}

struct Archive {
    seen: Seen,
    sum: u64,
}
rust_messenger::handler!(Archive, 2);

/// It is in no worker.
struct Operator;
rust_messenger::handler!(Operator, 3);

/// Sends readings when it is told to by a note, all of them.
impl Handle<Note> for Sensor {
    fn handle<W: Writer>(&mut self, _: &Note, writer: &W) {
        (1..=READINGS).for_each(|number| Self::send(&Reading(number), writer));
    }
}

impl Handle<Receipt> for Sensor {
    fn handle<W: Writer>(&mut self, receipt: &Receipt, _: &W) {
        self.0.lock().unwrap().0.push(receipt.0);
    }
}

impl Handle<Reading> for Archive {
    fn handle<W: Writer>(&mut self, reading: &Reading, writer: &W) {
        self.sum += reading.0;
        Self::send(&Receipt(self.sum), writer);
    }
}

impl Handle<Note> for Archive {
    fn handle<W: Writer>(&mut self, _: &Note, _: &W) {
        self.seen.lock().unwrap().1 += 1;
    }
}

Messenger! {
    type Plant;
    Seen,
    Field:
        handlers: [ sensor: Sensor = |seen| Sensor::new(seen) ]
        routes: [
            Operator, Note: [ sensor ],
            Archive, Receipt: [ sensor ]
        ]
    Office:
        handlers: [ archive: Archive = |seen| Archive { seen: Arc::clone(seen), sum: 0 } ]
        routes: [
            Operator, Note: [ archive ],
            Sensor, Reading: [ archive ]
        ]
}

fn placement() -> Placement {
    Placement::new().worker("Field", "pump").worker("Office", "house")
}

fn plant<B: MessageBus>(bus: B, placed: &Placed) -> Plant<B> {
    Plant::with_options(bus, Options { workers: Some(placed.workers().to_vec()), ..Options::default() })
}

/// Hands on what is to leave, and all of it again now and then. Returns whether there was anything.
fn hand_on(reader: &mut impl Reader, placed: &Placed, to: &mut dyn Import, round: u64) -> bool {
    let (from, mut any) = (reader.position(), false);
    loop {
        let read = reader.try_read(|header, payload| {
            if placed.goes_out(header.source, header.message) {
                any = true;
                match to.try_write(header.position, header.source, header.message, payload) {
                    Ok(()) | Err(ImportError::AlreadyThere { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
        if read.is_err() {
            break;
        }
    }
    if round % 3 == 1 {
        // The other side said nothing: all of it once more, in the next round.
        reader.rewind_to(from).unwrap();
    } else {
        reader.release_to(reader.position()).unwrap();
    }
    any
}

/// Method: two messengers are stepped in turn, and between the steps what the placements say goes from each bus to the
/// other, some of it twice. The importers know what is there, so every reading is added once, in order: each receipt
/// says the sum so far.
#[test]
fn one_table_runs_on_two_nodes() {
    use rust_messenger::message_bus::{PersistentBus, PersistentOptions};

    let journal = || {
        let capacity = if cfg!(miri) { 256 * 1024 } else { 1 << 22 };
        let options = PersistentOptions { capacity, max_payload: 256, step: 4096, ..PersistentOptions::default() };
        PersistentBus::in_memory(options).unwrap()
    };
    let (here, there) = (journal(), journal());
    let (pump, house) = (placement().on("pump", Plant::table()), placement().on("house", Plant::table()));
    let (pump, house) = (pump.unwrap(), house.unwrap());
    let seen = Seen::default();
    let (field, office) = (plant(here.clone(), &pump), plant(there.clone(), &house));
    let (mut field_workers, mut office_workers) = (field.workers(&seen).unwrap(), office.workers(&seen).unwrap());
    assert_eq!((field_workers.iter_mut().count(), office_workers.iter_mut().count()), (1, 1));
    let (mut from_pump, mut from_house) =
        (here.subscribe_held("house", None).unwrap(), there.subscribe_held("pump", None).unwrap());
    let (mut to_house, mut to_pump) = (there.importer("pump", 1).unwrap(), here.importer("house", 1).unwrap());
    // A source without a node is local: the archive, which has a route of it, is elsewhere and sees nothing.
    Operator::send(&Note, &field.writer().unwrap());
    for round in 0.. {
        let steps = [field_workers.step(), office_workers.step()];
        let any = hand_on(&mut from_pump, &pump, &mut *to_house, round)
            | hand_on(&mut from_house, &house, &mut *to_pump, round);
        if round % 3 == 0 && !any && steps == [Step::Idle; 2] && round > 3 {
            break;
        }
    }
    let (receipts, notes) = seen.lock().unwrap().clone();
    let sums = (1..=READINGS).map(|number| number * (number + 1) / 2);
    assert!(receipts.into_iter().eq(sums));
    assert_eq!(notes, 0);
    // What came in did not go out again: on either side there is what was sent here, and what came from there.
    assert_eq!(here.stats().messages, 1 + 2 * READINGS);
    assert_eq!(there.stats().messages, 2 * READINGS);
    for (messenger, mut workers) in [(&field, field_workers), (&office, office_workers)] {
        messenger.stop();
        while workers.step() != Step::Finished {}
        let summary = workers.conclude().unwrap();
        assert_eq!((summary.unrouted, summary.left.len()), (0, 0), "routes of workers elsewhere are routes");
    }
}

#[test]
fn a_placement_says_what_leaves_and_what_comes() {
    let table = Plant::table();
    let (pump, house) = (placement().on("pump", table).unwrap(), placement().on("house", table).unwrap());
    assert_eq!((pump.workers(), house.workers()), (&["Field"][..], &["Office"][..]));
    for (source, message, from_pump, from_house) in [(1, 1, true, false), (2, 2, false, true), (3, 3, false, false)] {
        assert_eq!((pump.goes_out(source, message), house.goes_out(source, message)), (from_pump, from_house));
        assert_eq!(house.comes_in("pump", source, message), from_pump);
        assert_eq!(pump.comes_in("house", source, message), from_house);
        assert!(!pump.comes_in("pump", source, message));
    }
    assert!(pump.receivers().eq(["house"]) && pump.sources().eq(["house"]));
    // The operator is at the pump: the archive's notes come from there, and the sensor's do not leave.
    let placement = placement().source("Operator", "pump");
    let (pump, house) = (placement.on("pump", table).unwrap(), placement.on("house", table).unwrap());
    assert!(pump.goes_out(3, 3) && !house.goes_out(3, 3) && house.comes_in("pump", 3, 3));
    // All on one node: nothing leaves.
    let one = Placement::new().worker("Field", "one").worker("Office", "one").on("one", table).unwrap();
    assert_eq!(one.workers(), ["Field", "Office"]);
    assert!(!one.goes_out(1, 1) && one.receivers().next().is_none() && one.sources().next().is_none());
    // A node that runs nothing of it.
    let nothing = self::placement().on("elsewhere", table).unwrap();
    assert!(nothing.workers().is_empty());
}

#[test]
fn what_the_library_says_never_leaves() {
    use rust_messenger::routing::{Table, TableRoute, TableWorker};
    use rust_messenger::traits::{DeadLetter, Layout, Message, Supervisor};

    const fn route(source: &'static str, source_id: u16, message_id: u16) -> TableRoute<'static> {
        let layout = Layout::UNKNOWN;
        TableRoute { source, source_id, message: "Said", message_id, layout, receivers: &["clerk"] }
    }
    static ROUTES: [TableRoute; 3] = [
        route("Supervisor", Supervisor::ID, DeadLetter::ID),
        route("Bridge", 0xFF01, 0xFF30),
        route("Last", 0xFEFF, 1),
    ];
    static TABLE: Table =
        Table { name: "T", workers: &[TableWorker { name: "Office", handlers: &[], routes: &ROUTES }] };
    let placement = ROUTES.iter().fold(Placement::new().worker("Office", "house"), |it, r| it.source(r.source, "pump"));
    let (pump, house) = (placement.on("pump", &TABLE).unwrap(), placement.on("house", &TABLE).unwrap());
    for (route, leaves) in ROUTES.iter().zip([false, false, true]) {
        let (source, message) = (route.source_id, route.message_id);
        assert_eq!((pump.goes_out(source, message), house.comes_in("pump", source, message)), (leaves, leaves));
    }
}

#[test]
fn a_placement_that_does_not_fit_is_refused() {
    let table = Plant::table();
    let error = |placement: Placement| placement.on("pump", table).unwrap_err();
    assert_eq!(error(placement().worker("Roof", "pump")), PlacementError::UnknownWorker { worker: "Roof".to_owned() });
    assert_eq!(error(Placement::new().worker("Field", "pump")), PlacementError::WorkerWithoutNode { worker: "Office" });
    let nodes = ["house".to_owned(), "pump".to_owned()];
    assert_eq!(
        error(placement().worker("Office", "pump")),
        PlacementError::WorkerOnTwoNodes { worker: "Office", nodes: nodes.clone() }
    );
    assert_eq!(error(placement().source("Roof", "pump")), PlacementError::UnknownSource { source: "Roof".to_owned() });
    for placement in
        [placement().source("Archive", "pump"), placement().source("Operator", "house").source("Operator", "pump")]
    {
        let refused = error(placement);
        assert!(
            matches!(&refused, PlacementError::SourceOnTwoNodes { nodes: found, .. } if *found == nodes),
            "{refused}"
        );
    }
}

#[test]
fn only_workers_of_the_table_run() {
    let bus = || CircularBus::new(64 * 1024).unwrap();
    let start = |workers: Vec<&'static str>| {
        let options = Options { workers: Some(workers), ..Options::default() };
        Plant::with_options(bus(), options).workers(&Seen::default()).map(drop)
    };
    assert!(matches!(start(vec!["Field", "Roof"]), Err(StartError::UnknownWorker { worker: "Roof", .. })));
    assert!(matches!(start(vec![]), Err(StartError::NoWorkers)));
    assert!(start(vec!["Office"]).is_ok());
}
