//! A server in a directory of its own, what stands in its streams, and waiting with a deadline.

use futures_util::StreamExt;
use rust_messenger::routing::{Table, TableRoute, TableWorker};
use rust_messenger::traits::Layout;
use rust_messenger_nats::async_nats;
use rust_messenger_nats::async_nats::jetstream::consumer::pull::OrderedConfig;
use rust_messenger_nats::protocol::{Catalog, Entry, Names};
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
}

impl Server {
    pub fn start() -> Server {
        let mut server = Server { child: None, directory: tempfile::tempdir().unwrap(), port: 0 };
        server.run();
        server
    }

    fn store(&self) -> PathBuf {
        self.directory.path().join("store")
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
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        wait_until("the server's ports", || {
            let Some(file) = ports.read_dir().unwrap().next() else { return false };
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let found = text
                .split("nats://127.0.0.1:")
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

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Keeps what the store holds. The server must not run.
    pub fn save(&self) -> tempfile::TempDir {
        let saved = tempfile::tempdir().unwrap();
        copy(&self.store(), saved.path());
        saved
    }

    /// Sets the store back. The server must not run.
    pub fn restore(&self, saved: &tempfile::TempDir) {
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
    let layout = Layout::variable("number");
    let routes = [TableRoute { source: "A", source_id: 1, message: "B", message_id: 2, layout, receivers: &["c"] }];
    let workers = [TableWorker { name: "elsewhere", handlers: &[], routes: &routes }];
    Catalog::of(&Table { name: "T", workers: &workers }, |_| true)
}

pub fn names() -> Names {
    Names::new("shop", "till").unwrap()
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
