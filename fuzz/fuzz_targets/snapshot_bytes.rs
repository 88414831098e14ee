//! Snapshots out of any bytes, and what must hold for each of them. Shared by the fuzz target and the test that replays
//! its corpus.

use rust_messenger::Messenger;
use rust_messenger::message_bus::{PersistentBus, PersistentOptions, Start};
use rust_messenger::messenger::Step;
use rust_messenger::traits::{
    Every, Handle, Handler, MessageBus, New, Publish, Reader, SkippedSnapshot, Snapshot, State, Writer,
};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

#[derive(serde::Serialize, serde::Deserialize)]
struct Amount(u64);
rust_messenger::serde_message!(Amount, 1);

struct Till;
rust_messenger::handler!(Till, 1);

#[derive(serde::Serialize, serde::Deserialize)]
struct Office {
    total: u64,
}
rust_messenger::serde_snapshot!(Office, 1);

impl Handler for Office {
    type Id = u16;
    const ID: u16 = 2;

    fn snapshot(&mut self) -> Option<&mut dyn Snapshot> {
        Some(self)
    }
}

impl New<()> for Office {
    fn new<W: Writer>(_: &(), _: &W) -> Office {
        Office { total: 0 }
    }
}

impl Handle<Amount> for Office {
    fn handle<W: Writer>(&mut self, amount: &Amount, _: &W) {
        self.total += amount.0;
    }
}

Messenger! {
    type Shop;
    (),
    Taxes: handlers: [ office: Office ] routes: [ Till, Amount: [ office ] ]
}

/// A journal, its snapshot, and where that stands.
struct Written {
    journal: Vec<u8>,
    snapshot: Vec<u8>,
    position: u64,
}

fn options() -> PersistentOptions {
    let snapshots = vec![("Taxes", Every::Stop)];
    PersistentOptions { step: 4096, start: Start::Rebuild, snapshots, ..PersistentOptions::default() }
        .table(Shop::table())
}

fn files(journal: &Path) -> [PathBuf; 2] {
    ["1", "2"].map(|number| journal.with_file_name(format!("journal.Taxes.snapshot{number}")))
}

/// A few messages that a worker has handled, kept, and a few more.
fn written() -> &'static Written {
    static WRITTEN: OnceLock<Written> = OnceLock::new();
    WRITTEN.get_or_init(|| {
        let directory = scratch();
        let path = directory.path().join("journal");
        let (bus, _) = PersistentBus::open(&path, options()).expect("a journal");
        let shop = Shop::new(bus);
        let mut workers = shop.workers(&()).expect("a worker");
        let write = |bus: &PersistentBus| {
            (0..5).for_each(|_| bus.writer().expect("a writer").write_bytes(1, 1, &[7]).expect("room"));
        };
        let outside = shop.writer().expect("a writer");
        (0..5).for_each(|_| outside.write_bytes(1, 1, &[7]).expect("room"));
        drop(outside);
        while workers.step() == Step::Worked {}
        shop.stop();
        while workers.step() != Step::Finished {}
        drop((workers, shop));
        write(&PersistentBus::open(&path, PersistentOptions { snapshots: vec![], ..options() }).expect("a journal").0);
        let snapshot = std::fs::read(&files(&path)[0]).expect("kept at its stop");
        let position = u64::from_ne_bytes(snapshot[32..40].try_into().expect("a word"));
        Written { journal: std::fs::read(&path).expect("a journal"), snapshot, position }
    })
}

/// The file that `input` says: itself after 0xFF, and else the snapshot with words of it changed and a right checksum,
/// which nobody would hit upon.
fn snapshot_of(input: &[u8]) -> Vec<u8> {
    let (kind, changes) = match input {
        [0xFF, bytes @ ..] => return bytes.to_vec(),
        [kind, changes @ ..] => (*kind, changes),
        [] => (0, input),
    };
    let mut bytes = written().snapshot.clone();
    bytes.truncate(bytes.len() - 4);
    for change in changes.chunks_exact(9) {
        let at = usize::from(change[0]) % bytes.len();
        let len = (bytes.len() - at).min(8);
        bytes[at..at + len].copy_from_slice(&change[1..1 + len]);
    }
    if kind & 1 == 1 {
        bytes.extend_from_slice(changes.chunks_exact(9).remainder());
    }
    if kind & 2 == 0 {
        let len = bytes.len() as u64 + 4;
        bytes[16..24].copy_from_slice(&len.to_ne_bytes());
    }
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_ne_bytes());
    bytes
}

/// Puts what `input` says beside a journal as a snapshot of its worker, and another one that is whole.
///
/// # Panics
///
/// When the worker begins with what is no snapshot of it, or behind messages that its journal does not have.
pub fn check(input: &[u8]) {
    let Written { journal, snapshot, position } = written();
    let directory = scratch();
    let path = directory.path().join("journal");
    std::fs::write(&path, journal).expect("space");
    let [whole, other] = files(&path);
    std::fs::write(whole, snapshot).expect("space");
    let bytes = snapshot_of(input);
    std::fs::write(&other, &bytes).expect("space");
    let (bus, _) = PersistentBus::open(&path, options()).expect("nothing of that is the journal's");
    let mut reader = bus.subscribe("Taxes").expect("one of them is whole");
    let begin = reader.begin().expect("it is kept");
    let states: Vec<State> = begin.states.expect("one of them is whole");
    let began = reader.position();
    assert!(began <= bus.tail());
    let is_it = |skipped: &SkippedSnapshot| matches!(skipped, SkippedSnapshot::File { path, .. } if *path == other);
    let skipped = begin.skipped.iter().any(is_it);
    if began != *position {
        // Whoever knows the checksum may write anything into it.
        assert!(!skipped && bytes[32..40] == began.to_ne_bytes(), "{:?}", begin.skipped);
    } else if skipped {
        assert_eq!(states[0].bytes, [35]);
    }
    while reader.try_read(|_, _| ()).is_ok() {}
    assert_eq!(reader.position(), bus.tail());
}

/// A directory in memory, where there is a file system in it.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a directory")
}
