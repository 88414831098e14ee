//! Rings that processes share by their names: what holds between processes, while they live and when they are killed.
//!
//! This program is its own other process: a child runs one test of it and is told what to be. The contract of a bus
//! (`tests/bus_contract.rs`) holds on such rings, too; here are the laws of which the other side is another process.
#![cfg(all(target_os = "linux", not(miri)))]

#[path = "support/process.rs"]
mod process;
mod support;

#[path = "processes/kills.rs"]
mod kills;
#[path = "processes/laws.rs"]
mod laws;
#[path = "processes/locked.rs"]
mod locked;
#[path = "processes/stops.rs"]
mod stops;

use process::Process;
use rust_messenger::traits::{DeserializeFrom, ExtendedMessage, Handler, Message};
use rust_messenger::{CircularBus, NamedOptions};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Small, so that a reader that is missing or holds the ring is noticed soon.
const CAPACITY: usize = 4096;

/// How a process is told what to be.
const TOLD: &str = "PROCESSES_TOLD";

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ring");
    (directory, path)
}

fn of_capacity() -> NamedOptions {
    NamedOptions { capacity: Some(CAPACITY), ..NamedOptions::default() }
}

fn opened(path: &Path) -> CircularBus {
    CircularBus::open(path, NamedOptions::default()).unwrap()
}

/// What this process was told; `None` if it is nobody's child, and the test that asks has nothing to do.
fn told() -> Option<String> {
    std::env::var(TOLD).ok()
}

/// This program as another process that runs `test`, which is told something. What it prints is read as its lines.
fn child<T: FnOnce()>(_: T, told: &str) -> Process {
    let (_program, test) = std::any::type_name::<T>().split_once("::").unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(TOLD, told);
    Process::start(command)
}

/// Says something to whoever started this process: on a line of its own, for the harness has begun one.
fn say(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "\n{text}").and_then(|()| out.flush());
}

/// Returns when whoever started this process has typed a line, or is no more.
fn listen() {
    let _ = std::io::stdin().read_line(&mut String::new());
}

#[expect(clippy::disallowed_methods, reason = "so that whoever waits is likely to sleep by then")]
fn nap() {
    std::thread::sleep(Duration::from_millis(20));
}

/// A message of one number.
struct Num(u64);

impl Message for Num {
    type Id = u16;
    const ID: u16 = 7;
}

impl ExtendedMessage for Num {
    fn get_size(&self) -> usize {
        8
    }

    fn write_into(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.0.to_le_bytes());
    }
}

impl DeserializeFrom for Num {
    fn deserialize_from(buffer: &[u8]) -> Self {
        Num(u64::from_le_bytes(buffer.try_into().unwrap()))
    }
}

/// Whoever writes from outside.
struct Outside;

impl Handler for Outside {
    type Id = u16;
    const ID: u16 = 1;
}
