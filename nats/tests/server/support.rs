//! A server in a directory of its own, what stands in its streams, and waiting with a deadline.

use futures_util::StreamExt;
use rust_messenger::message_bus::{PersistentBus, PersistentOptions, Start};
use rust_messenger::routing::{Table, TableRoute, TableWorker};
use rust_messenger::traits::{Layout, MessageBus, Publish, Reader};
use rust_messenger_nats::async_nats;
use rust_messenger_nats::async_nats::jetstream::consumer::pull::OrderedConfig;
use rust_messenger_nats::protocol::{Catalog, Entry, Names};
use rust_messenger_nats::{BridgeOptions, Outlet};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Holds on a machine ten times slower.
pub const DEADLINE: Duration = Duration::from_secs(100);

pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

fn program() -> String {
    std::env::var("NATS_SERVER").unwrap_or_else(|_| "nats-server".to_owned())
}

/// Whether there is a server to test with.
pub fn is_there() -> bool {
    let found = Command::new(program()).arg("--version").stdout(Stdio::null()).status().is_ok();
    if !found {
        let skipped = "skipped: no nats-server, which `NATS_SERVER` may name";
        assert!(std::env::var_os("NOTHING_SKIPPED").is_none(), "{skipped}");
        eprintln!("{skipped}");
    }
    found
}

pub struct Server {
    child: Option<Child>,
    directory: tempfile::TempDir,
    port: u16,
    /// The file that it is told to read, if any.
    config: Option<PathBuf>,
}

impl Server {
    pub fn start() -> Server {
        let mut server = Server { child: None, directory: tempfile::tempdir().unwrap(), port: 0, config: None };
        server.run();
        server
    }

    /// One that is set up as `config` says.
    pub fn with(config: &str) -> Server {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config");
        std::fs::write(&file, config).unwrap();
        let mut server = Server { child: None, directory, port: 0, config: Some(file) };
        server.run();
        server
    }

    fn store(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    /// Where it keeps what it knows of the stream of `names`.
    pub fn directory_of(&self, names: &Names) -> PathBuf {
        self.store().join("jetstream/$G/streams").join(names.stream())
    }

    /// Runs again, on the same store and port.
    pub fn run(&mut self) {
        let ports = self.directory.path().join("ports");
        // Of the last run.
        let _ = std::fs::remove_dir_all(&ports);
        std::fs::create_dir(&ports).unwrap();
        let port = if self.port == 0 { "-1".to_owned() } else { self.port.to_string() };
        let child = Command::new(program())
            .args(["-a", "127.0.0.1", "-js", "-p", &port, "-sd"])
            .arg(self.store())
            .arg("--ports_file_dir")
            .arg(&ports)
            .args(self.config.iter().flat_map(|config| [std::ffi::OsStr::new("-c"), config.as_os_str()]))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        wait_until("the server's ports", || {
            let Some(file) = ports.read_dir().unwrap().next() else { return false };
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let found = text
                .split("://127.0.0.1:")
                .nth(1)
                .and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|port| port.parse().ok()));
            found.is_some_and(|port| {
                self.port = port;
                true
            })
        });
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap(); // SIGKILL
            child.wait().unwrap();
        }
    }

    /// Has it stand still, or go on: its connections stay.
    pub fn stand_still(&self, yes: bool) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        let signal = if yes { "-STOP" } else { "-CONT" };
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Kills it and runs it again.
    pub fn rerun(&mut self) {
        self.kill();
        self.run();
    }

    /// Kills it, and has it come back as it is then.
    pub fn rerun_saved(&mut self) -> tempfile::TempDir {
        self.kill();
        let saved = self.save();
        self.run();
        saved
    }

    /// Kills it, and has it come back as it was.
    pub fn set_back(&mut self, saved: &tempfile::TempDir) {
        self.kill();
        self.restore(saved);
        self.run();
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Keeps what the store holds. The server must not run.
    fn save(&self) -> tempfile::TempDir {
        let saved = tempfile::tempdir().unwrap();
        copy(&self.store(), saved.path());
        saved
    }

    /// Sets the store back. The server must not run.
    fn restore(&self, saved: &tempfile::TempDir) {
        std::fs::remove_dir_all(self.store()).unwrap();
        copy(saved.path(), &self.store());
    }

    /// Asks it something, as another client.
    pub fn ask<F: Future>(&self, question: impl FnOnce(async_nats::jetstream::Context) -> F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = async_nats::ConnectOptions::new().retry_on_initial_connect().connect(self.url());
            question(async_nats::jetstream::new(client.await.unwrap())).await
        })
    }

    /// What stands in a node's stream, each with its payload as a number; 0 for a hello.
    pub fn contents(&self, names: &Names) -> Vec<(Entry, u64)> {
        self.ask(|context| async move {
            let stream = context.get_stream(names.stream()).await.unwrap();
            let last = stream.cached_info().state.last_sequence;
            let consumer = stream.create_consumer(OrderedConfig::default()).await.unwrap();
            let mut messages = consumer.messages().await.unwrap();
            let mut contents = Vec::new();
            while contents.len() < last as usize {
                let message = tokio::time::timeout(DEADLINE, messages.next()).await.unwrap().unwrap().unwrap();
                let headers = message.headers.clone().unwrap_or_default();
                let pairs: Vec<(String, String)> = headers
                    .iter()
                    .flat_map(|(name, values)| values.iter().map(|value| (name.to_string(), value.to_string())))
                    .collect();
                let entry = Entry::from_headers(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
                let number = message.payload.as_ref().try_into().map_or(0, u64::from_le_bytes);
                contents.push((entry.unwrap(), number));
            }
            contents
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// The handler 1 sends the message 2 to workers elsewhere.
pub fn catalog() -> Catalog {
    rows(Layout::variable("number"))
}

/// The same, in another layout.
pub fn rows(layout: Layout) -> Catalog {
    let routes = [TableRoute { source: "A", source_id: 1, message: "B", message_id: 2, layout, receivers: &["c"] }];
    let workers = [TableWorker { name: "elsewhere", handlers: &[], routes: &routes }];
    Catalog::of(&Table { name: "T", workers: &workers }, |_| true)
}

/// All that a journal holds of what came, from its beginning on.
pub fn numbers(bus: &PersistentBus) -> Vec<u64> {
    let mut reader = bus.subscribe("numbers").unwrap();
    let mut found = Vec::new();
    while let Ok(number) = reader.try_read(|header, payload| {
        assert_eq!((header.source, header.message), (1, 2));
        u64::from_le_bytes(payload.try_into().unwrap())
    }) {
        found.push(number);
    }
    found
}

/// The node that sends.
pub fn names() -> Names {
    Names::new("shop", "till").unwrap()
}

/// The journal of the node that sends.
pub fn journal(server: &Server) -> BridgeOptions {
    BridgeOptions::journal(&server.url(), names(), 7)
}

/// The node that receives.
pub fn store() -> Names {
    Names::new("shop", "store").unwrap()
}

/// The journal of the node that sends, and who reads it.
pub fn sending(server: &Server) -> BridgeOptions {
    let mut options = journal(server);
    options.receivers = vec!["store".to_owned()];
    options
}

/// A journal whose messages fit into what a server takes by default.
pub fn small() -> PersistentOptions {
    let start = Start::Oldest;
    PersistentOptions { capacity: 64 << 20, max_payload: 64 << 10, start, ..PersistentOptions::default() }
}

pub fn in_memory() -> PersistentBus {
    PersistentBus::in_memory(small()).unwrap()
}

/// How often each is killed. `NATS_KILLS` for more of it.
pub fn kills() -> u64 {
    std::env::var("NATS_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(5)
}

pub fn write(bus: &impl MessageBus, numbers: std::ops::Range<u64>) {
    let writer = bus.writer().unwrap();
    for number in numbers {
        writer.write_bytes(1, 2, &number.to_le_bytes()).unwrap();
        // Nobody elsewhere receives it.
        writer.write_bytes(1, 3, b"unheard").unwrap();
    }
}

pub fn acknowledged(outlet: &Outlet, count: u64) {
    wait_until(&format!("{count} acknowledgements"), || {
        assert!(!outlet.has_ended(), "the outlet has ended");
        outlet.stats().acknowledged >= count
    });
}

/// Runs one test of this program as a process of its own, which finds `variables` in its environment.
pub fn process(test: &str, variables: &[(&str, &str)]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .envs(variables.iter().copied())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// None missing, none twice, none out of order, from 0 on.
pub fn assert_whole(contents: &[(Entry, u64)], count: u64) {
    let (mut next, mut previous) = (0, None);
    for (entry, number) in contents {
        let Entry::Message(head) = entry else { continue };
        assert_eq!((*number, head.previous), (next, previous), "behind {next} messages");
        (next, previous) = (next + 1, Some(head.position));
    }
    assert_eq!(next, count);
}
