//! What the tests of `rmsg` share: journals that are the same in every run, and runs of the command.

// Each test crate compiles this file for itself and uses its own part of it.
#![allow(dead_code)]

use rust_messenger::message_bus::{PersistentBus, PersistentOptions, Start};
use rust_messenger::routing::{Table, TableHandler, TableRoute, TableWorker};
use rust_messenger::traits::{
    Clock, DeadLetter, ExtendedMessage, Handler, Layout, Message, MessageBus, Publish, Reader, Supervisor, Time,
};
use std::fs;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

/// What tests of the library use, too.
#[path = "../../../tests/support/mod.rs"]
pub mod library;

use library::wait_until;

const fn handler(name: &'static str, type_name: &'static str, id: u16) -> TableHandler<'static> {
    TableHandler { name, type_name, id, allow_unrouted: false }
}

const fn route(
    (source, source_id): (&'static str, u16),
    (message, message_id): (&'static str, u16),
    receivers: &'static [&'static str],
) -> TableRoute<'static> {
    TableRoute { source, source_id, message, message_id, layout: Layout::variable("postcard"), receivers }
}

/// A table with a source that is no handler, a message that goes to two workers, one that goes back, and a name that
/// has to be escaped wherever it is drawn.
pub static TABLE: Table = Table {
    name: "Messenger",
    workers: &[
        TableWorker {
            name: "Bank",
            handlers: &[handler("counter", "bank::Counter", 2), handler("r#audit", "Audit<'a>", 4)],
            routes: &[
                route(("Teller", 1), ("Deposit", 1), &["counter"]),
                route(("bank::Counter", 2), ("Total", 2), &["r#audit"]),
                route(("Printer", 3), ("Page<Deposit>", 3), &["counter"]),
            ],
        },
        TableWorker {
            name: "Desk",
            handlers: &[handler("printer", "Printer", 3)],
            routes: &[route(("bank::Counter", 2), ("Total", 2), &["printer"])],
        },
    ],
};

/// A clock that stands until it is set.
pub struct Hands(AtomicU64);

impl Hands {
    /// Sets it to so many milliseconds after noon.
    pub fn set(&self, millis: u64) {
        self.0.store(1_767_268_800_000_000_000 + millis * 1_000_000, Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now(&self) -> Time {
        Time::from_nanos(self.0.load(Ordering::SeqCst))
    }
}

pub fn clock() -> Arc<Hands> {
    let clock = Arc::new(Hands(AtomicU64::new(0)));
    clock.set(0);
    clock
}

/// Small, so that positions are, too.
pub fn options(clock: &Arc<Hands>) -> PersistentOptions {
    PersistentOptions {
        capacity: 1 << 30,
        max_payload: 4096,
        step: 4096,
        table_capacity: 4096,
        start: Start::Oldest,
        clock: Arc::clone(clock) as _,
        ..PersistentOptions::default()
    }
}

pub fn scratch() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.journal");
    (directory, path)
}

/// A journal with two messages, the second sent while the first was handled.
pub fn healthy(path: &Path) {
    let clock = clock();
    let (bus, _) =
        PersistentBus::open(path, options(&clock).table(&TABLE).start_reader("Bank", Start::Resume)).unwrap();
    fill(&bus, &clock);
}

fn fill(bus: &PersistentBus, clock: &Hands) {
    clock.set(1);
    bus.writer().unwrap().write_bytes(1, 1, b"\x05").unwrap();
    let mut reader = bus.subscribe("Bank").unwrap();
    let writer = bus.worker_writer(&reader).unwrap();
    clock.set(2);
    reader.try_read(|_, _| writer.write_bytes(2, 2, b"total: 5").unwrap()).unwrap();
}

/// What killed writers leave, and a disk that forgets: a sealed slot, a hole, a torn tail, ids without names, a message
/// nobody receives, and a flipped bit. Returns where that bit is.
pub fn battered(path: &Path) -> u64 {
    let clock = clock();
    let (_directory, whole) = scratch();
    let (bus, _) =
        PersistentBus::open(&whole, options(&clock).table(&TABLE).start_reader("Bank", Start::Resume)).unwrap();
    fill(&bus, &clock);
    let writer = bus.writer().unwrap();
    clock.set(3);
    let panics = || writer.write(1, 1, 20, |_| std::panic::resume_unwind(Box::new("a fill that fails")));
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    clock.set(4);
    writer.write_bytes(9, 77, b"\x1b[31m nobody knows me").unwrap();
    let damaged = bus.tail();
    clock.set(5);
    writer.write_bytes(3, 3, &(0..=99).collect::<Vec<u8>>()).unwrap();
    clock.set(6);
    writer.write_bytes(3, 3, &(0..=99).collect::<Vec<u8>>()).unwrap();
    clock.set(7);
    writer
        .write(1, 1, 40, |_| {
            clock.set(8);
            let another = bus.writer().unwrap();
            another.write_bytes(4, 1, b"").unwrap();
            let fill = |bytes: &mut [u8]| {
                bytes.fill(7);
                // The file as it is now is what a process that is killed now leaves.
                fs::copy(&whole, path).unwrap();
            };
            another.write(1, 1, 50, fill).unwrap();
        })
        .unwrap();
    flip(path, damaged + 40);
    damaged + 40
}

/// A journal with dead messages: one that was requeued and died again, one that was not, and letters about nothing and
/// of nobody.
pub fn buried(path: &Path) {
    let clock = clock();
    let (bus, _) = PersistentBus::open(path, options(&clock).table(&TABLE)).unwrap();
    let writer = bus.writer().unwrap();
    let write = |millis, source, message, payload: &[u8]| {
        clock.set(millis);
        let position = bus.tail();
        writer.write_bytes(source, message, payload).unwrap();
        position
    };
    let bury = |millis, letter: &DeadLetter| {
        let mut bytes = vec![0; letter.get_size()];
        letter.write_into(&mut bytes);
        write(millis, Supervisor::ID, DeadLetter::ID, &bytes)
    };
    let letter = |position, text: &str| DeadLetter {
        position,
        source: 1,
        message: 1,
        attempts: 3,
        worker: "Bank".to_owned(),
        handler: "counter".to_owned(),
        text: text.to_owned(),
        ..DeadLetter::default()
    };
    let poison = write(1, 1, 1, b"\x05");
    write(2, 1, 1, b"\x06");
    bury(3, &letter(poison, "attempt to subtract with overflow"));
    let garbage = write(4, 3, 3, b"\xff\xff");
    let undecodable = DeadLetter { source: 3, message: 3, attempts: 0, handler: String::new(), ..letter(garbage, "") };
    bury(5, &DeadLetter { text: "no more bytes".to_owned(), ..undecodable });
    clock.set(6);
    let again = bus.tail();
    bus.requeue(poison).unwrap();
    bury(7, &letter(again, "dead\x1b[31m\nagain"));
    bury(8, &letter(1 << 40, "nobody has ever seen it"));
    write(9, Supervisor::ID, DeadLetter::ID, b"no letter");
}

pub fn flip(path: &Path, position: u64) {
    let file = fs::File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, position).unwrap();
    file.write_all_at(&[byte[0] ^ 1], position).unwrap();
}

/// The command, without what the environment of the test says about colours.
pub fn rmsg(words: &str, path: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rmsg"));
    command.args(words.split(' ').filter(|word| !word.is_empty())).arg(path);
    command.env_remove("NO_COLOR").env("TERM", "xterm").stdin(Stdio::null());
    command
}

/// A run of the command, ended by force if it hangs.
pub fn run(mut command: Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    finish(child)
}

/// A child that does not outlive the test, whatever becomes of that.
pub struct Guarded(pub Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a child has to say until it ends.
pub fn finish(child: Child) -> Output {
    fn read(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                pipe.read_to_end(&mut bytes).unwrap();
            }
            bytes
        })
    }
    let mut child = Guarded(child);
    let (stdout, stderr) = (read(child.0.stdout.take()), read(child.0.stderr.take()));
    let mut status = None;
    wait_until("it ends", || {
        status = child.0.try_wait().unwrap();
        status.is_some()
    });
    Output { status: status.unwrap(), stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// Exit code, standard output and standard error, with the file's name for its path.
pub fn told(words: &str, path: &Path) -> (i32, String, String) {
    let Output { status, stdout, stderr } = run(rmsg(words, path));
    let (shown, place) = (path.display().to_string(), if path.starts_with("--help") { "--help" } else { "FILE" });
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&shown, place);
    (status.code().expect("no signal"), text(stdout), text(stderr))
}

/// What a run said and how it ended, compared with `snapshots/{name}`. `BLESS=1` writes that anew: read the difference
/// before you keep it.
#[track_caller]
pub fn assert_snapshot(name: &str, words: &str, path: &Path) {
    assert_snapshot_with(name, words, path, str::to_owned);
}

/// The same of what `change` makes of it, for what is another thing in every run.
#[track_caller]
pub fn assert_snapshot_with(name: &str, words: &str, path: &Path, change: impl FnOnce(&str) -> String) {
    let (code, stdout, stderr) = told(words, path);
    let mut actual = format!("$ rmsg {words} FILE\n{stdout}");
    if let Ok(metadata) = fs::metadata(path) {
        // How far the file has been grown ahead depends on how fast things went.
        actual = actual.replace(&metadata.len().to_string(), "SIZE");
    }
    if !stderr.is_empty() {
        actual += &format!("--- standard error\n{stderr}");
    }
    actual += &format!("--- exit code {code}\n");
    actual = change(&actual);
    let snapshot = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(name);
    let expected = fs::read_to_string(&snapshot).unwrap_or_default();
    if actual != expected && std::env::var_os("BLESS").is_some_and(|value| value == "1") {
        fs::write(&snapshot, actual).unwrap();
        return;
    }
    assert!(actual == expected, "{name}: BLESS=1 writes it anew\n--- expected\n{expected}\n--- actual\n{actual}");
}
