//! A handler that is slower than what is sent to it: nothing is lost, and everybody can see where it hurts.
//!
//! A thread outside of the messenger writes as fast as it can into a ring of 8 KiB; the archive takes its time for each
//! reading. The ring fills up. `try_send` then says so, `send` waits until there is room, and the bus's counters show
//! how far behind the archive is.
//!
//! ```sh
//! cargo run --example backpressure
//! ```

use rust_messenger::prelude::*;
use rust_messenger::traits::WriteError;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

const CAPACITY: usize = 8 * 1024;
const READINGS: u32 = 2000;

#[derive(Serialize, Deserialize)]
struct Reading {
    number: u32,
}

serde_message!(Reading, 1);

#[derive(Clone)]
struct Config {
    /// How long the archive takes for one reading.
    cost: Duration,
}

/// What the thread outside writes in the name of: a source without a place in the table.
struct Sensor;

handler!(Sensor, 1);

/// Slow: it keeps a core busy for a while, as work would.
struct Archive {
    cost: Duration,
    received: u32,
}

impl Handler for Archive {
    type Id = u16;
    const ID: u16 = 2;

    fn on_stop(&mut self) {
        println!("archived {} of {READINGS} readings, in order", self.received);
    }
}

impl New<Config> for Archive {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Archive { cost: config.cost, received: 0 }
    }
}

impl Handle<Reading> for Archive {
    fn handle<W: Writer>(&mut self, reading: &Reading, writer: &W) {
        if reading.number != self.received {
            writer.fail(format!("reading {} came when {} was due", reading.number, self.received));
        }
        self.received += 1;
        let until = Instant::now() + self.cost;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
    }
}

Messenger! {
    Config,
    Storage:
        handlers: [ archive: Archive ]
        routes: [ Sensor, Reading: [ archive ] ]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let messenger = Messenger::new(CircularBus::new(CAPACITY)?);
    let handles = messenger.run(&Config { cost: Duration::from_micros(50) });

    // Any number of threads may have a writer of their own. This one is in the main thread.
    let writer = messenger.writer()?;
    let mut found_full = 0;
    let mut largest_lag = 0;
    for number in 0..READINGS {
        let reading = Reading { number };
        match Sensor::try_send(&reading, &writer) {
            Err(WriteError::Full) => {
                found_full += 1;
                // Waits. A handler in a worker would not: what it sends goes to its worker's outbox meanwhile.
                Sensor::send(&reading, &writer);
            }
            done => done?,
        }
        for reader in messenger.stats().readers {
            largest_lag = largest_lag.max(reader.lag);
        }
    }
    println!("the sensor had to wait: {}", if found_full > 0 { "yes" } else { "no" });
    println!("the archive was up to {largest_lag} of {CAPACITY} bytes behind");

    // What is on the bus when the messenger stops is still handled.
    messenger.stop();
    let summary = handles.join()?;
    println!("unsent: {}, left: {}", summary.unsent, summary.left.len());
    Ok(())
}
