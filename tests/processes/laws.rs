//! Laws 4, 7 and 10 of a bus, where the other side is another process: what is full, too large or taken there is an
//! error here, and who sleeps here wakes for what is done there.
//!
//! What cannot hold between processes:
//!
//! * `Closed` (law 7): a close is for its own process, and the others go on (`stops.rs`).
//! * `NoSpace` (law 7): a ring has all of its space before it has its name, so no writer finds none.

use super::*;
use rust_messenger::Messenger;
use rust_messenger::message_bus::{NamedProblem, wait::Park};
use rust_messenger::traits::{
    BusWriter, DeserializeFrom, Handle, Handler, Header, Message, MessageBus, New, Poller, Publish, Reader, Sender,
    SubscribeError, Time, WriteError, Writer,
};
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{Bell, composed, drain, number_of, processor_time, wait_until, within};

/// Answers a number with all that are below it.
struct Counter;

impl Handler for Counter {
    type Id = u16;
    const ID: u16 = 2;
}

impl New<()> for Counter {
    fn new<W: Writer>((): &(), _: &W) -> Self {
        Counter
    }
}

impl Handle<Num> for Counter {
    fn handle<W: Writer>(&mut self, number: &Num, writer: &W) {
        (0..number.0).for_each(|answer| Self::send(&Num(answer), writer));
        say("handled");
    }
}

Messenger! {
    type Counting;
    (),
    Desk:
        handlers: [ counter: Counter ]
        routes: [ Outside, Num: [ counter ] ]
}

/// Says when it wakes, and how late: for a number, and at the time that a number has set. May sleep in a poller.
struct Sleeper {
    bell: Option<Arc<Bell>>,
    due: Option<Time>,
}

/// So long after a number the sleeper is to wake again.
const LATER: Duration = Duration::from_millis(50);

impl Handler for Sleeper {
    type Id = u16;
    const ID: u16 = 3;

    fn on_loop<W: Writer>(&mut self, writer: &W) {
        if let Some(due) = self.due.filter(|due| *due <= writer.now()) {
            self.due = None;
            say(&format!("late {}", writer.now().since(due).as_micros()));
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        self.due
    }

    fn poller(&self) -> Option<Arc<dyn Poller>> {
        self.bell.clone().map(|bell| bell as Arc<dyn Poller>)
    }
}

impl New<Option<Arc<Bell>>> for Sleeper {
    fn new<W: Writer>(bell: &Option<Arc<Bell>>, _: &W) -> Self {
        Sleeper { bell: bell.clone(), due: None }
    }
}

impl Handle<Num> for Sleeper {
    fn handle<W: Writer>(&mut self, number: &Num, writer: &W) {
        self.due = Some(writer.now() + LATER);
        say(&format!("woke {}", number.0));
    }
}

Messenger! {
    type Asleep;
    Option<Arc<Bell>>,
    Bed:
        handlers: [ sleeper: Sleeper ]
        routes: [ Outside, Num: [ sleeper ] ]
}

const ROUNDS: usize = 9;

/// Of a payload of so many bytes, a ring of [`CAPACITY`] has room for 32.
const PAYLOAD: [u8; 112] = [7; 112];
const FITTING: usize = CAPACITY / (PAYLOAD.len() + 16);

/// How many of each kind another process takes.
const TAKEN: usize = 40;

/// As another process: what it is told to be.
#[test]
fn is_the_other_side() {
    let Some(told) = told() else { return };
    let (role, path) = told.split_once(' ').unwrap();
    let path = Path::new(path);
    match role {
        "writer" => {
            // It is asleep as soon as there is no room.
            let writer = opened(path).waiting::<Park>().writer().unwrap();
            for _ in 0..ROUNDS {
                listen();
                let fitted = std::iter::repeat_with(|| writer.try_write_bytes(Outside::ID, Num::ID, &PAYLOAD));
                let fitted = fitted.take(2 * FITTING).take_while(|result| *result != Err(WriteError::Full));
                let fitted = fitted.map(Result::unwrap).count();
                say(&format!("full {fitted}"));
                writer.write_bytes(Outside::ID, Num::ID, &PAYLOAD).unwrap();
                say("room");
            }
            listen();
        }
        "worker" => {
            let bus = opened(path);
            let reader = bus.subscribe("worker").unwrap();
            let writer = bus.worker_writer(&reader).unwrap();
            writer.take_ticket();
            say("pending");
            listen();
            writer.give_up_ticket();
            say("nothing pending");
            listen();
        }
        "counter" => {
            let messenger = Counting::new(opened(path));
            let handles = messenger.run(&());
            say("runs");
            listen();
            messenger.stop();
            handles.join().unwrap();
        }
        "largest" => {
            let bus = opened(path);
            let (writer, max) = (bus.writer().unwrap(), bus.max_payload());
            let size = max + 1;
            let refused = writer.try_write_bytes(Outside::ID, Num::ID, &vec![0; size]);
            assert_eq!(refused, Err(WriteError::TooLarge { size, max }));
            assert_eq!(writer.try_write(Outside::ID, Num::ID, size, |_| panic!("filled")), refused);
            assert_eq!(bus.tail(), 0, "it has claimed");
            writer.try_write_bytes(Outside::ID, Num::ID, &composed(Outside::ID, 5, max)).unwrap();
            say(&format!("largest {max}"));
            listen();
        }
        "taker" => {
            let bus = opened(path);
            let readers: Vec<_> = (0..TAKEN).map(|_| bus.subscribe("taken").unwrap()).collect();
            let writers: Vec<_> = (0..TAKEN).map(|_| bus.writer().unwrap()).collect();
            let others: Vec<_> = (1..TAKEN).map(|_| opened(path)).collect();
            say("taken");
            listen();
            drop((readers, writers, others));
            say("given back");
            listen();
        }
        "sleeper" | "sleeper_in_a_poller" => {
            let bell = (role == "sleeper_in_a_poller").then(Arc::<Bell>::default);
            let messenger = Asleep::new(opened(path));
            let _handles = messenger.run(&bell);
            say("runs");
            loop {
                listen();
                say(&format!("used {}", processor_time().as_micros()));
            }
        }
        role => panic!("{role}"),
    }
}

fn other_side(role: &str, path: &Path) -> Process {
    child(is_the_other_side, &format!("{role} {}", path.display()))
}

fn write(writer: &impl Publish, number: u64) -> Result<(), WriteError> {
    writer.try_write_bytes(Outside::ID, Num::ID, &number.to_le_bytes())
}

/// Who is not woken sleeps on for half a second, less that nap.
#[track_caller]
fn assert_woken(mut took: Vec<Duration>) {
    took.sort();
    assert!(took[took.len() / 2] < Duration::from_millis(250), "nobody wakes it: {took:?}");
}

/// Law 4.
#[test]
fn a_full_ring_is_full_to_another_process_whose_writer_waits_until_there_is_room() {
    within("a writer in another process waits for room", || {
        let (_directory, path) = scratch();
        let bus = CircularBus::create(&path, of_capacity()).unwrap();
        let mut reader = bus.subscribe("slow").unwrap();
        let mut writer = other_side("writer", &path);
        let (mut took, mut read) = (Vec::new(), 0);
        for round in 0..ROUNDS {
            let refused = bus.stats().full;
            writer.type_line("write");
            let fitted: usize = writer.wait_for("full").parse().unwrap();
            // What it wrote last, when there was room, is there from the second round on.
            assert_eq!(fitted + usize::from(round > 0), FITTING, "round {round}");
            wait_until("it waits for room", || bus.stats().full >= refused + 2);
            nap();
            assert_eq!(bus.tail() - reader.position(), CAPACITY as u64, "it waits");
            let start = Instant::now();
            for _ in 0..FITTING {
                reader.try_read(|_, payload| assert_eq!(payload, PAYLOAD)).unwrap();
                read += 1;
            }
            reader.release();
            writer.wait_for("room");
            took.push(start.elapsed());
        }
        read += drain(&mut reader, |_, payload| assert_eq!(payload, PAYLOAD));
        assert_eq!((read, bus.stats().messages), ((ROUNDS * FITTING + 1) as u64, read), "nothing is lost or doubled");
        assert_woken(took);
    });
}

/// Law 4: outboxes take turns, and outsiders wait for them.
#[test]
fn an_outbox_of_another_process_comes_first() {
    let (_directory, path) = scratch();
    let bus = CircularBus::create(&path, of_capacity()).unwrap();
    let writer = bus.writer().unwrap();
    assert_eq!(write(&writer, 1), Ok(()));
    let mut worker = other_side("worker", &path);
    worker.wait_for("pending");
    assert_eq!(write(&writer, 2), Err(WriteError::Full), "there is room, and it is not our turn");
    let own = bus.subscribe("own").unwrap();
    let own = bus.worker_writer(&own).unwrap();
    assert_eq!(write(&own, 3), Err(WriteError::Full), "nor is it that of a worker");
    worker.type_line("give it up");
    worker.wait_for("nothing pending");
    assert_eq!((write(&writer, 4), write(&own, 5)), (Ok(()), Ok(())));
}

/// Law 4: a worker waits for nobody, not even for a reader in another process that reads nothing.
#[test]
fn a_worker_is_not_held_up_by_a_slow_reader_of_another_process() {
    within("a worker with a slow reader elsewhere", || {
        const ANSWERS: u64 = 2000;
        let (_directory, path) = scratch();
        let bus = CircularBus::create(&path, of_capacity()).unwrap();
        let (mut reader, writer) = (bus.subscribe("slow").unwrap(), bus.writer().unwrap());
        let mut counter = other_side("counter", &path);
        counter.wait_for("runs");
        write(&writer, ANSWERS).unwrap();
        counter.wait_for("handled");
        assert!(bus.stats().messages < ANSWERS / 4, "most of it is in its outbox");
        let mut answers = Vec::new();
        wait_until("all of it was read", || {
            if answers.len() < ANSWERS as usize / 2 {
                assert_eq!(write(&writer, 1), Err(WriteError::Full), "it is the outbox's turn");
            }
            let mut next = |header: &Header, payload: &[u8]| match header.source {
                Counter::ID => answers.push(Num::deserialize_from(payload).0),
                source => assert_eq!(source, Outside::ID),
            };
            while reader.try_read(&mut next).is_ok() {}
            reader.release();
            answers.len() == ANSWERS as usize
        });
        assert!(answers.into_iter().eq(0..ANSWERS));
        wait_until("it is our turn", || write(&writer, 0).is_ok());
        counter.type_line("stop");
        assert!(counter.end().0.success());
    });
}

/// Law 7.
#[test]
fn the_largest_message_is_the_same_to_all_processes() {
    let (_directory, path) = scratch();
    let bus = CircularBus::create(&path, of_capacity()).unwrap();
    let mut reader = bus.subscribe("reader").unwrap();
    let mut writer = other_side("largest", &path);
    assert_eq!(writer.wait_for("largest").parse(), Ok(bus.max_payload()));
    let read = reader.try_read(|header, payload| (number_of(header, payload), payload.len()));
    assert_eq!(read, Ok((5, bus.max_payload())));
}

/// Law 7.
#[test]
fn what_another_process_has_taken_is_taken() {
    let (_directory, path) = scratch();
    let bus = CircularBus::create(&path, of_capacity()).unwrap();
    let mut taker = other_side("taker", &path);
    taker.wait_for("taken");
    let mut readers: Vec<_> = (TAKEN..64).map(|_| bus.subscribe("own").unwrap()).collect();
    assert_eq!(bus.subscribe("own").err(), Some(SubscribeError::TooManyReaders { max: 64 }));
    let mut writers: Vec<_> = (TAKEN..63).map(|_| bus.writer().unwrap()).collect();
    let one_too_many = bus.writer().unwrap();
    assert_eq!(write(&one_too_many, 1), Err(WriteError::TooManyWriters { max: 63 }));
    assert_eq!(bus.tail(), 0);
    // This one is there already.
    let mut others: Vec<_> = (TAKEN + 1..64).map(|_| opened(&path)).collect();
    let refused = CircularBus::open(&path, NamedOptions::default()).unwrap_err().problem;
    assert!(matches!(refused, NamedProblem::TooManyAttachments { max: 64 }), "{refused:?}");
    taker.type_line("give back");
    taker.wait_for("given back");
    readers.extend((0..TAKEN).map(|_| bus.subscribe("own").unwrap()));
    writers.extend((0..TAKEN).map(|_| bus.writer().unwrap()));
    others.extend((1..TAKEN).map(|_| opened(&path)));
    assert!(writers.iter().all(|writer| write(writer, 1) == Ok(())));
}

/// Law 10.
#[track_caller]
fn sleeps_and_wakes(role: &'static str) {
    within(role, move || {
        const WATCHED: Duration = Duration::from_secs(3);
        let (_directory, path) = scratch();
        let bus = CircularBus::create(&path, of_capacity()).unwrap();
        let writer = bus.writer().unwrap();
        let mut sleeper = other_side(role, &path);
        sleeper.wait_for("runs");
        let (mut took, mut late) = (Vec::new(), Vec::new());
        for number in 0..ROUNDS as u64 {
            nap();
            let start = Instant::now();
            write(&writer, number).unwrap();
            assert_eq!(sleeper.wait_for("woke").parse(), Ok(number));
            took.push(start.elapsed());
            late.push(Duration::from_micros(sleeper.wait_for("late").parse().unwrap()));
        }
        assert_woken(took);
        assert_woken(late);
        let used = |sleeper: &mut Process| {
            sleeper.type_line("used");
            Duration::from_micros(sleeper.wait_for("used").parse().unwrap())
        };
        let (start, before) = (Instant::now(), used(&mut sleeper));
        #[expect(clippy::disallowed_methods, reason = "measures what a process uses while nothing happens")]
        std::thread::sleep(WATCHED);
        let used = used(&mut sleeper) - before;
        let watched = start.elapsed();
        assert!(used <= watched / 100, "{used:?} of processor time in {watched:?} without a message");
        write(&writer, 99).unwrap();
        assert_eq!(sleeper.wait_for("woke"), "99");
    });
}

#[test]
fn an_idle_process_costs_nothing_and_wakes_for_a_message_of_another() {
    sleeps_and_wakes("sleeper");
}

#[test]
fn an_idle_process_that_sleeps_in_a_poller_wakes_for_a_message_of_another() {
    sleeps_and_wakes("sleeper_in_a_poller");
}
