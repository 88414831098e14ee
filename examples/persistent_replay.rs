//! A counter that outlives its process: its journal is written, the process is killed, and the next one rebuilds the
//! counter from what the journal holds, notices if it no longer counts as it did, and goes on.
//!
//! Run with `cargo run --example persistent_replay`. On Unix.

use rust_messenger::message_bus::Start;
use rust_messenger::prelude::*;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

#[derive(serde::Serialize, serde::Deserialize)]
struct Deposit {
    amount: u64,
}
serde_message!(Deposit, 1);

#[derive(serde::Serialize, serde::Deserialize)]
struct Total {
    total: u64,
}
serde_message!(Total, 2);

#[derive(Clone)]
struct Config {
    /// What a deposit counts.
    factor: u64,
    /// The total at which to stop.
    until: u64,
}

/// Deposits come from outside of the messenger, in its name.
struct Teller;

handler!(Teller, 1);

/// Keeps the total in memory, and nowhere else.
struct Counter {
    total: u64,
    factor: u64,
}

handler!(Counter, 2);

impl New<Config> for Counter {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Counter { total: 0, factor: config.factor }
    }
}

impl Handle<Deposit> for Counter {
    fn handle<W: Writer>(&mut self, deposit: &Deposit, writer: &W) {
        self.total += deposit.amount * self.factor;
        Self::send(&Total { total: self.total }, writer);
    }
}

/// Says what comes in from now on.
struct Printer {
    until: u64,
}

handler!(Printer, 3);

impl New<Config> for Printer {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Printer { until: config.until }
    }
}

impl Handle<Total> for Printer {
    fn handle<W: Writer>(&mut self, total: &Total, writer: &W) {
        println!("total {}", total.total);
        if total.total >= self.until {
            writer.stop();
        }
    }
}

Messenger! {
    Config,
    Bank:
        handlers: [ counter: Counter ]
        routes: [ Teller, Deposit: [ counter ] ]
    Desk:
        handlers: [ printer: Printer ]
        routes: [ Counter, Total: [ printer ] ]
}

/// Brings the bank to where it was, makes some deposits, and runs until the total is reached.
fn run(path: &Path, config: &Config, deposits: u64) -> Result<(), Box<dyn Error>> {
    let options = PersistentOptions::default().table(Messenger::table()).start_reader("Bank", Start::Rebuild);
    let (bus, recovered) = PersistentBus::open(path, options)?;
    println!("recovered: {recovered}");
    let messenger = Messenger::new(bus);
    let handles = messenger.run(config);
    let writer = messenger.writer()?;
    for _ in 0..deposits {
        Teller::send(&Deposit { amount: 1 }, &writer);
    }
    handles.join()?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    // As a child of its own: runs until it is killed.
    if let Some(path) = std::env::args_os().nth(1) {
        return run(path.as_ref(), &Config { factor: 1, until: u64::MAX }, 5);
    }
    let path = std::env::temp_dir().join(format!("persistent_replay-{}.journal", std::process::id()));

    let mut child = Command::new(std::env::current_exe()?).arg(&path).stdout(Stdio::piped()).spawn()?;
    let said = child.stdout.take().ok_or("a child that says something")?;
    for line in BufReader::new(said).lines() {
        let line = line?;
        println!("first process: {line}");
        if line == "total 5" {
            break;
        }
    }
    child.kill()?;
    child.wait()?;
    println!("first process: killed");

    run(&path, &Config { factor: 1, until: 8 }, 3)?;

    println!("a counter that counts double:");
    if let Err(error) = run(&path, &Config { factor: 2, until: u64::MAX }, 0) {
        println!("{error}");
    }
    std::fs::remove_file(&path)?;
    Ok(())
}
