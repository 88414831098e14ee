//! Rings that have names, as buses under contract: all handles on one attachment, and each on one of its own.

use super::*;
use rust_messenger::NamedOptions;
use rust_messenger::message_bus::wait::Adaptive;
use rust_messenger::message_bus::{ManyWriters, NamedProblem, RingReader, RingWriter};
use std::path::PathBuf;
use std::sync::Mutex;

fn options() -> NamedOptions {
    NamedOptions { capacity: Some(CAPACITY), ..NamedOptions::default() }
}

/// A ring whose name is gone at once: it goes on without.
pub fn named() -> CircularBus {
    CircularBus::create(tempfile::tempdir().unwrap().path().join("ring"), options()).unwrap()
}

/// The same for one writer.
pub fn named_one() -> CircularBus<OneWriter> {
    CircularBus::create_one_writer(tempfile::tempdir().unwrap().path().join("ring"), options()).unwrap()
}

/// A ring on which each reader and each writer has an attachment and a mapping of its own, so that nothing but the
/// mapping connects them, as it is between processes.
///
/// What cannot hold so is that a close and a wake are for all: they are an attachment's own. This bus closes and wakes
/// each of those it knows, and those that it makes later are closed, too.
#[derive(Clone)]
pub struct Apart {
    _directory: Arc<tempfile::TempDir>,
    path: PathBuf,
    own: CircularBus<ManyWriters, Adaptive>,
    all: Arc<Mutex<Vec<CircularBus<ManyWriters, Adaptive>>>>,
    closed: Arc<AtomicBool>,
}

impl Apart {
    pub fn new() -> Apart {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ring");
        let own = CircularBus::create(&path, options()).unwrap().waiting();
        Apart { _directory: Arc::new(directory), path, own, all: Arc::default(), closed: Arc::default() }
    }

    /// Another attachment. A ring has places for so many; behind the last one, all are on the first.
    fn attached(&self) -> CircularBus<ManyWriters, Adaptive> {
        let mut all = self.all.lock().unwrap();
        match CircularBus::open(&self.path, NamedOptions::default()) {
            Ok(bus) => {
                let bus = bus.waiting::<Adaptive>();
                all.push(bus.clone());
                if self.closed.load(Ordering::SeqCst) {
                    bus.close();
                }
                bus
            }
            Err(error) if matches!(error.problem, NamedProblem::TooManyAttachments { max: 64 }) => self.own.clone(),
            Err(error) => panic!("{error}"),
        }
    }

    fn each(&self, act: impl Fn(&CircularBus<ManyWriters, Adaptive>)) {
        act(&self.own);
        self.all.lock().unwrap().iter().for_each(act);
    }
}

impl MessageBus for Apart {
    type Reader = RingReader<Adaptive>;
    type BusWriter = RingWriter<ManyWriters, Adaptive>;

    const MANY_WRITERS: bool = true;

    fn is_shared(&self) -> bool {
        self.own.is_shared()
    }

    fn subscribe(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        self.attached().subscribe(name)
    }

    fn subscribe_evictable(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        self.attached().subscribe_evictable(name)
    }

    fn subscribe_held(&self, name: &str, from: Option<u64>) -> Result<Self::Reader, SubscribeError> {
        self.attached().subscribe_held(name, from)
    }

    fn released(&self) -> u64 {
        self.own.released()
    }

    fn writer(&self) -> Result<Self::BusWriter, NoWriter> {
        self.attached().writer()
    }

    fn worker_writer(&self, reader: &Self::Reader) -> Result<Self::BusWriter, NoWriter> {
        self.attached().worker_writer(reader)
    }

    fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.each(MessageBus::close);
    }

    fn wake(&self) {
        self.each(MessageBus::wake);
    }

    fn tail(&self) -> u64 {
        self.own.tail()
    }

    fn max_payload(&self) -> usize {
        self.own.max_payload()
    }

    fn stats(&self) -> rust_messenger::traits::Stats {
        self.own.stats()
    }
}
