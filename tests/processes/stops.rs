//! Each messenger stops for itself, and holds up nobody else.

use super::locked::{stop_with_the_lock, takes_the_lock};
use super::*;
use rust_messenger::message_bus::CondvarBus;
use rust_messenger::messenger::{Step, Summary};
use rust_messenger::traits::{
    Handle, Handler, Interest, Message, MessageBus, New, NoWriter, Publish, Reader, Sender, WriteError, Writer,
};
use rust_messenger::{Messenger, Options};
use std::sync::Arc;
use std::sync::mpsc::{Sender as ChannelSender, channel};
use std::time::Duration;
use support::{Bell, PATIENCE, settle, wait_until, within};

/// Tells what it handles, and answers those below a hundred.
struct Clerk(ChannelSender<u64>);

impl Handler for Clerk {
    type Id = u16;
    const ID: u16 = 2;
}

impl New<ChannelSender<u64>> for Clerk {
    fn new<W: Writer>(handled: &ChannelSender<u64>, _: &W) -> Self {
        Clerk(handled.clone())
    }
}

impl Handle<Num> for Clerk {
    fn handle<W: Writer>(&mut self, number: &Num, writer: &W) {
        let _ = self.0.send(number.0);
        if number.0 < 100 {
            Self::send(&Num(number.0 + 100), writer);
        }
    }
}

Messenger! {
    type Office;
    ChannelSender<u64>,
    Desk:
        handlers: [ clerk: Clerk ]
        routes: [ Outside, Num: [ clerk ] ]
}

/// Sends to others: no route here has it as its source.
struct Feed;

impl Handler for Feed {
    type Id = u16;
    const ID: u16 = 3;

    fn on_start<W: Writer>(&mut self, writer: &W) {
        Self::send(&Num(1), writer);
    }
}

impl New<ChannelSender<u64>> for Feed {
    fn new<W: Writer>(_: &ChannelSender<u64>, _: &W) -> Self {
        Feed
    }
}

Messenger! {
    type Source;
    ChannelSender<u64>,
    Feeding:
        handlers: [ #[allow(unrouted)] feed: Feed, clerk: Clerk ]
        routes: [ Outside, Num: [ clerk ] ]
}

fn patient() -> Options {
    Options { drain: PATIENCE, ..Options::default() }
}

fn write(writer: &impl Publish, number: u64) -> Result<(), WriteError> {
    writer.write_bytes(Outside::ID, Num::ID, &number.to_le_bytes())
}

/// More than the ring holds, several times.
const MANY: u64 = 1000;

/// As another process: a messenger that is stopped when something is typed, and joined only when something more is.
#[test]
fn is_an_office() {
    let Some(path) = told() else { return };
    let (handled, taken) = channel();
    let messenger = Office::with_options(opened(Path::new(&path)), patient());
    let handles = messenger.run(&handled);
    let writer = messenger.writer().unwrap();
    say("open");
    listen();
    messenger.stop();
    assert_eq!(write(&writer, 500), Err(WriteError::Closed));
    say("closed");
    listen();
    let summary = handles.join().unwrap();
    assert_eq!(summary.left, []);
    say(&format!("handled {}", taken.try_iter().count()));
}

#[test]
fn a_messenger_stops_for_itself_and_holds_up_nobody() {
    within("a messenger stops for itself", || {
        let (_directory, path) = scratch();
        let own = CircularBus::create(&path, of_capacity()).unwrap();
        let ((first, _), (second, taken)) = (channel(), channel());
        let stopping = Office::with_options(opened(&path), patient());
        let staying = Office::with_options(own, patient());
        let (stopped, stays) = (stopping.run(&first), staying.run(&second));
        let (late, writer) = (stopping.writer().unwrap(), staying.writer().unwrap());
        (1000..1100).for_each(|number| write(&writer, number).unwrap());
        stopping.stop();
        assert_eq!(write(&late, 1), Err(WriteError::Closed));
        // Nobody has joined the one that has stopped.
        (2000..2000 + MANY).for_each(|number| write(&writer, number).unwrap());
        let summary = stopped.join().unwrap();
        assert_eq!((summary.left, summary.after_stop), (vec![], 0));
        write(&writer, 3000).unwrap();
        staying.stop();
        assert_eq!(stays.join().unwrap(), Summary::default());
        let all = (1000..1100).chain(2000..2000 + MANY).chain([3000]);
        assert!(taken.try_iter().eq(all), "it handles what it would have handled without the other");
    });
}

/// The same, where the messenger that stops is another process.
#[test]
fn another_process_stops_for_itself_and_holds_up_nobody() {
    within("another process stops for itself", || {
        let (_directory, path) = scratch();
        let bus = CircularBus::create(&path, of_capacity()).unwrap();
        let writer = bus.writer().unwrap();
        let mut office = child(is_an_office, path.to_str().unwrap());
        office.wait_for("open");
        (1000..1100).for_each(|number| write(&writer, number).unwrap());
        office.type_line("stop");
        office.wait_for("closed");
        (2000..2000 + MANY).for_each(|number| write(&writer, number).unwrap());
        office.type_line("join");
        let handled: u64 = office.wait_for("handled").parse().unwrap();
        assert!((100..=100 + MANY).contains(&handled), "what was written before the stop, and no more than there was");
        assert!(office.end().0.success());
        write(&writer, 3000).unwrap();
        assert_eq!(bus.stats().readers.len(), 0);
    });
}

/// Its workers end, though a process is stopped with the lock of the ring.
#[test]
fn a_messenger_stops_though_somebody_is_stopped_with_the_lock() {
    within("a messenger stops", || {
        let (_directory, path) = scratch();
        let messenger = Office::with_options(CircularBus::create(&path, of_capacity()).unwrap(), patient());
        let mut process = child(takes_the_lock, path.to_str().unwrap());
        process.wait_for("takes");
        let (handled, taken) = channel();
        let (handles, writer) = (messenger.run(&handled), messenger.writer().unwrap());
        write(&writer, 1).unwrap();
        assert_eq!(taken.recv_timeout(PATIENCE), Ok(1));
        stop_with_the_lock(&process, &path);
        write(&writer, 2).unwrap();
        assert_eq!(taken.recv_timeout(PATIENCE), Ok(2));
        messenger.stop();
        assert_eq!(handles.join().unwrap().left, []);
        assert_eq!(messenger.stats().readers.iter().filter(|reader| reader.name != "locker").count(), 0);
    });
}

/// One answer to each of the ten; what others write meanwhile is theirs.
#[test]
fn after_a_stop_a_messenger_counts_what_it_wrote_itself() {
    let (_directory, path) = scratch();
    let other = CircularBus::create(&path, of_capacity()).unwrap().writer().unwrap();
    let (handled, taken) = channel();
    let messenger = Office::with_options(opened(&path), patient());
    let mut workers = messenger.workers(&handled).unwrap();
    settle(&mut workers);
    (0..3).for_each(|number| write(&other, number).unwrap());
    settle(&mut workers);
    assert_eq!(taken.try_iter().count(), 3);
    (0..10).for_each(|number| write(&other, number).unwrap());
    messenger.stop();
    while taken.try_iter().count() == 0 {
        assert_eq!(workers.step(), Step::Worked);
    }
    (0..5).for_each(|number| write(&other, number).unwrap());
    assert_eq!(settle(&mut workers), Step::Finished);
    let summary = workers.conclude().unwrap();
    assert_eq!((summary.after_stop, summary.left), (10, vec![]));
}

#[test]
fn on_a_ring_for_one_writer_who_may_send_elsewhere_is_the_writer() {
    let (_directory, path) = scratch();
    let bus = CircularBus::create_one_writer(&path, of_capacity()).unwrap();
    let (handled, _) = channel();
    let mut reader = bus.subscribe("elsewhere").unwrap();
    let messenger =
        Source::with_options(CircularBus::open_one_writer(&path, NamedOptions::default()).unwrap(), patient());
    let mut workers = messenger.workers(&handled).unwrap();
    assert_eq!(bus.writer().err(), Some(NoWriter::Taken));
    settle(&mut workers);
    assert_eq!(reader.try_read(|header, _| header.source), Ok(Feed::ID));
    messenger.stop();
    settle(&mut workers);
    assert_eq!(workers.conclude().unwrap().unsent, 0);
    // Where all receivers are in the table, it is known that nobody is to have it.
    let alone = Source::with_options(CircularBus::one_writer(CAPACITY).unwrap(), patient());
    let mut workers = alone.workers(&handled).unwrap();
    settle(&mut workers);
    alone.stop();
    settle(&mut workers);
    assert_eq!(workers.conclude().unwrap().unsent, 1);
}

/// The wrapper of one process does not hear what others do: it leaves sleeping to the ring.
#[test]
fn a_condvar_bus_sleeps_in_the_rings_way() {
    within("a condvar bus sleeps in the ring's way", || {
        let (_directory, path) = scratch();
        let other = CircularBus::create(&path, of_capacity()).unwrap();
        let bus = CondvarBus::new(opened(&path));
        assert!(bus.is_shared() && !CondvarBus::new(CircularBus::new(CAPACITY).unwrap()).is_shared());
        let mut reader = bus.subscribe("reader").unwrap();
        let (asked, answer) = channel();
        let answers = other.writer().unwrap();
        let mut questions = other.subscribe("questions").unwrap();
        let answering = std::thread::spawn(move || {
            for number in answer {
                // The other side sleeps by now, or is about to: neither may miss it.
                nap();
                write(&answers, number).unwrap();
            }
        });
        let bell: Arc<dyn rust_messenger::traits::Poller> = Arc::new(Bell::default());
        for round in 0..4 {
            asked.send(round).unwrap();
            while !reader.ready() {
                match round % 2 {
                    0 => reader.wait_until(None, Interest::Messages, |reader| reader.ready()),
                    _ => reader.wait_in(&bell, None, Interest::Messages, |reader| reader.ready()),
                }
            }
            assert_eq!(reader.try_read(|_, payload| payload[0]), Ok(round as u8));
        }
        drop(asked);
        answering.join().unwrap();
        // A writer that waits for room, which a reader of the other attachment makes.
        drop(reader);
        let writer = bus.writer().unwrap();
        let writing = std::thread::spawn(move || (0..MANY).for_each(|number| write(&writer, number).unwrap()));
        let mut read = 0;
        wait_until("the writer waits for room", || other.stats().full > 0);
        while read < MANY + 4 {
            questions.wait(Some(Duration::from_millis(1)));
            while questions.try_read(|header, _| read += u64::from(header.source == Outside::ID)).is_ok() {}
        }
        writing.join().unwrap();
    });
}
