//! What a bus of one's own says and does is what a simulated one says and does; and nodes on a ring that processes
//! share, each with an attachment of its own.

use super::support::{around_bus, around_reader};
use super::system::{Bug, laws, system};
use super::{FEW, mild};
use rust_messenger::message_bus::{BusError, RingReader, RingWriter};
use rust_messenger::prelude::*;
use rust_messenger::testing::{Faults, Sim};
use rust_messenger::traits::{
    BusWriter, Header, Import, ImportError, Interest, MessageBus, Next, NoWriter, Payload, Publish, ReadError, Reader,
    Recorded, RequeueError, SubscribeError, Time, WriteError,
};
use rust_messenger::{Message, NamedOptions};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Says what no other bus does.
#[derive(Clone)]
struct Sharp {
    ring: CircularBus,
    /// The names of all readers.
    readers: Arc<Mutex<BTreeSet<String>>>,
}

struct SharpReader {
    reader: RingReader,
    records: bool,
}

struct SharpWriter(RingWriter);

struct SharpImport(RingWriter);

const SHARP: u64 = 4711;
const RECORDED: Recorded = Recorded { time: Time::from_nanos(SHARP), cause: Some(16) };

impl MessageBus for Sharp {
    type Reader = SharpReader;
    type BusWriter = SharpWriter;

    const MANY_WRITERS: bool = true;

    fn is_shared(&self) -> bool {
        true
    }

    fn subscribe(&self, name: &str) -> Result<SharpReader, SubscribeError> {
        self.readers.lock().unwrap().insert(name.to_owned());
        Ok(SharpReader { reader: self.ring.subscribe(name)?, records: name == "records" })
    }

    fn subscribe_evictable(&self, name: &str) -> Result<SharpReader, SubscribeError> {
        Ok(SharpReader { reader: self.ring.subscribe_evictable(name)?, records: false })
    }

    fn writer(&self) -> Result<SharpWriter, NoWriter> {
        self.ring.writer().map(SharpWriter)
    }

    fn worker_writer(&self, reader: &SharpReader) -> Result<SharpWriter, NoWriter> {
        self.ring.worker_writer(&reader.reader).map(SharpWriter)
    }

    fn importer(&self, node: &str, incarnation: u64) -> Result<Box<dyn Import>, ImportError> {
        match (node, incarnation) {
            ("berlin", 7) => Ok(Box::new(SharpImport(self.ring.writer().map_err(ImportError::Writer)?))),
            _ => Err(ImportError::Name),
        }
    }

    /// Takes what is asked for as the number that comes again.
    fn requeue(&self, asked: u64) -> Result<(), RequeueError> {
        if asked >= NUMBERS {
            return Err(RequeueError::NotDead { asked });
        }
        let (writer, payload) = (self.ring.writer().map_err(RequeueError::Writer)?, encoded(&Number(asked)));
        writer.try_write_bytes(Elsewhere::ID, <Number as Message>::ID, &payload).map_err(RequeueError::Write)
    }

    around_bus!(ring);
}

impl Reader for SharpReader {
    fn try_read<R>(&mut self, deliver: impl FnOnce(&Header, &[u8]) -> R) -> Result<R, ReadError> {
        self.reader.try_read(deliver)
    }

    fn try_read_recorded(
        &mut self,
        most: usize,
        mut handle: impl FnMut(&Header, Option<Recorded>, &[u8]) -> Next,
    ) -> Result<usize, ReadError> {
        let recorded = self.records.then_some(RECORDED);
        self.reader.try_read_up_to(most, |header, payload| handle(header, recorded, payload))
    }

    around_reader!(reader);
}

impl Publish for SharpWriter {
    fn try_put<P: Payload>(&self, source: u16, message: u16, payload: &mut P) -> Result<(), WriteError> {
        self.0.try_put(source, message, payload)
    }

    fn wait_for_room(&self, _: usize) {
        panic!("nobody waits");
    }
}

impl BusWriter for SharpWriter {
    fn take_ticket(&self) {
        self.0.take_ticket();
    }

    fn give_up_ticket(&self) {
        self.0.give_up_ticket();
    }

    fn is_slowest(&self) -> bool {
        self.0.is_slowest()
    }

    fn has_room(&self, size: usize) -> bool {
        self.0.has_room(size)
    }

    fn record_outbox(&self, bytes: usize) {
        self.0.record_outbox(bytes);
    }

    fn written(&self) -> u64 {
        SHARP
    }
}

impl Import for SharpImport {
    fn last(&self) -> Option<u64> {
        Some(SHARP)
    }

    fn try_write(&mut self, position: u64, source: u16, message: u16, payload: &[u8]) -> Result<(), ImportError> {
        match position {
            SHARP => Err(ImportError::AlreadyThere { last: SHARP }),
            _ => self.0.try_write_bytes(source, message, payload).map_err(ImportError::Write),
        }
    }

    fn wait_for_room_at_most(&self, _: usize, _: Duration) {
        panic!("nobody waits");
    }
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Number(u64);
rust_messenger::serde_message!(Number, 1);

struct Elsewhere;
handler!(Elsewhere, 1);

#[derive(Default)]
struct Sink;
handler!(Sink, 2, default);

impl Handle<Number> for Sink {
    fn handle<W: Writer>(&mut self, _: &Number, _: &W) {}
}

Messenger! {
    type Sinks;
    (),
    Sinking: handlers: [ sink: Sink ] routes: [ Elsewhere, Number: [ sink ] ]
}

const NUMBERS: u64 = 20;

fn said(panics: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(panics)).unwrap_err();
    panic.downcast_ref::<&str>().map_or_else(|| format!("{panic:?}"), |text| (*text).to_owned())
}

#[test]
fn what_a_bus_says_is_handed_on() {
    let readers = Arc::new(Mutex::new(BTreeSet::new()));
    let (of_bus, checked) = (Arc::clone(&readers), Rc::new(RefCell::new(0)));
    let asked = Rc::clone(&checked);
    let make = move || Ok(Sharp { ring: CircularBus::new(4096)?, readers: Arc::clone(&of_bus) });
    Sim::new(make)
        .node(
            "sinks",
            move |bus, options| {
                assert!(bus.is_shared());
                assert_eq!(bus.requeue(48), Err(RequeueError::NotDead { asked: 48 }));
                assert_eq!(bus.importer("paris", 7).err(), Some(ImportError::Name));
                let mut importer = bus.importer("berlin", 7).unwrap();
                assert_eq!(importer.last(), Some(SHARP));
                let there = Err(ImportError::AlreadyThere { last: SHARP });
                assert_eq!(importer.try_write(SHARP, 9, 9, &[]), there);
                let mut reader = bus.subscribe("records").unwrap();
                bus.writer().unwrap().try_write_bytes(9, 9, &[9]).unwrap();
                let mut recorded = None;
                let read = reader.try_read_recorded(1, |_, of_it, _| {
                    recorded = of_it;
                    Next::Go
                });
                assert_eq!((read, recorded), (Ok(1), Some(RECORDED)));
                for text in [
                    said(|| importer.wait_for_room_at_most(8, Duration::ZERO)),
                    said(|| _ = bus.park(None, Interest::Messages, None, &mut || true)),
                ] {
                    assert!(text.contains("one thread runs everything"), "{text}");
                }
                *asked.borrow_mut() += 1;
                Sinks::with_options(bus, options)
            },
            (),
        )
        .outside(NUMBERS, |n, writer| {
            assert_eq!(writer.written(), SHARP);
            Elsewhere::try_send(&Number(n), writer)
        })
        .faults(Faults { stop: 0.05, pause: 0.02, ..Faults::default() })
        .seeds(20)
        .run();
    assert!(*checked.borrow() >= 20);
    let readers = readers.lock().unwrap();
    assert!(readers.contains("Sinking") && !readers.contains("after stop"), "{readers:?}");
}

/// What comes from elsewhere is on the bus as what anybody writes: it is noted before it is handled.
#[test]
fn what_is_imported_is_seen() {
    let importer = Rc::new(RefCell::new(None::<Box<dyn Import>>));
    let (made, used) = (Rc::clone(&importer), importer);
    super::Sim::on_journal(super::journal(rust_messenger::message_bus::Start::Resume))
        .node(
            "sinks",
            move |bus, options| {
                let mut made = made.borrow_mut();
                // That of an earlier life.
                made.take();
                *made = Some(bus.importer("berlin", 7).unwrap());
                Sinks::with_options(bus, options)
            },
            (),
        )
        .outside(NUMBERS, move |n, _| {
            let mut importer = used.borrow_mut();
            let (importer, payload) = (importer.as_mut().unwrap(), encoded(&Number(n)));
            match importer.try_write(16 * (n + 1), Elsewhere::ID, <Number as Message>::ID, &payload) {
                Err(ImportError::Write(error)) => Err(error),
                written => {
                    assert_eq!((written, importer.last()), (Ok(()), Some(16 * (n + 1))));
                    Ok(())
                }
            }
        })
        .at_end("each is handled", |seen| {
            let handled = seen.iter().filter_map(|seen| seen.handled::<Number>()).map(|number| number.0);
            if handled.eq(0..NUMBERS) { Ok(()) } else { Err("they are not".to_owned()) }
        })
        .faults(mild())
        .seeds(20)
        .run();
}

/// So is what comes again.
#[test]
fn what_is_requeued_is_seen() {
    let bus = Rc::new(RefCell::new(None));
    let (made, used) = (Rc::clone(&bus), bus);
    let make = || Ok(Sharp { ring: CircularBus::new(4096)?, readers: Arc::default() });
    Sim::new(make)
        .node(
            "sinks",
            move |bus, options| {
                *made.borrow_mut() = Some(bus.clone());
                Sinks::with_options(bus, options)
            },
            (),
        )
        .outside(NUMBERS, move |n, _| match used.borrow().as_ref().unwrap().requeue(n) {
            Err(RequeueError::Write(error)) => Err(error),
            again => {
                assert_eq!(again, Ok(()));
                Ok(())
            }
        })
        .at_end("each is handled", |seen| {
            let handled = seen.iter().filter_map(|seen| seen.handled::<Number>()).map(|number| number.0);
            if handled.eq(0..NUMBERS) { Ok(()) } else { Err("they are not".to_owned()) }
        })
        .faults(mild())
        .seeds(20)
        .run();
}

fn encoded(number: &Number) -> Vec<u8> {
    use rust_messenger::ExtendedMessage;
    let mut bytes = vec![0; number.get_size()];
    number.write_into(&mut bytes);
    bytes
}

/// An attachment to a named ring, of which each clone is another one: that of another process.
struct Attached {
    directory: Arc<tempfile::TempDir>,
    ring: CircularBus,
}

fn path(directory: &tempfile::TempDir) -> std::path::PathBuf {
    directory.path().join("ring")
}

impl Attached {
    fn new() -> Result<Attached, BusError> {
        let directory = Arc::new(tempfile::tempdir().map_err(BusError::Map)?);
        let options = NamedOptions { capacity: Some(4096), ..NamedOptions::default() };
        let ring = CircularBus::create(path(&directory), options);
        Ok(Attached { ring: ring.map_err(|error| BusError::Map(std::io::Error::other(error)))?, directory })
    }
}

impl Clone for Attached {
    fn clone(&self) -> Attached {
        let ring = CircularBus::open(path(&self.directory), NamedOptions::default()).unwrap();
        Attached { directory: Arc::clone(&self.directory), ring }
    }
}

impl MessageBus for Attached {
    type Reader = RingReader;
    type BusWriter = RingWriter;

    const MANY_WRITERS: bool = true;

    fn is_shared(&self) -> bool {
        self.ring.is_shared()
    }

    fn subscribe(&self, name: &str) -> Result<RingReader, SubscribeError> {
        self.ring.subscribe(name)
    }

    fn subscribe_evictable(&self, name: &str) -> Result<RingReader, SubscribeError> {
        self.ring.subscribe_evictable(name)
    }

    fn writer(&self) -> Result<RingWriter, NoWriter> {
        self.ring.writer()
    }

    fn worker_writer(&self, reader: &RingReader) -> Result<RingWriter, NoWriter> {
        self.ring.worker_writer(reader)
    }

    around_bus!(ring);
}

#[test]
#[cfg(target_os = "linux")]
fn nodes_live_on_a_ring_that_processes_share() {
    laws(system(Sim::new(Attached::new), Bug::None)).faults(mild()).seeds(FEW / 2).run();
    let faults = Faults { undecodable: 0.02, crash: 0.01, blackout: 0.003, stop: 0.01, ..mild() };
    system(Sim::new(Attached::new), Bug::None).faults(faults).seeds(FEW / 2).run();
}
