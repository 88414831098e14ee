//! How long one write to the bus takes, in nanoseconds, where twenty thousand come in a second and a worker reads them: with
//! a bridge, and without one. The mean has in it what few writes wait for, a wake-up on another processor, or one of their
//! own that somebody else has; the median is what a write costs.

use crate::outward::names;
use crate::support::{Server, catalog, wait_until};
use rust_messenger::CircularBus;
use rust_messenger::traits::{MessageBus, Next, Publish, Reader};
use rust_messenger_nats::{BridgeOptions, Outlet};
use std::time::{Duration, Instant};

/// How many thousands of messages come in a second.
pub const THOUSANDS: usize = 20;

/// What the writes of one round took, in nanoseconds.
pub struct Took {
    pub mean: f64,
    pub median: f64,
}

pub fn write(bridge: Option<(&Server, usize)>, messages: usize) -> Took {
    let bus = CircularBus::new(4 << 20).unwrap();
    let outlet = bridge.map(|(server, round)| {
        let options = BridgeOptions::ring(&server.url(), names(&format!("paced-{round}")));
        let outlet = Outlet::start(&bus, catalog(), options).unwrap();
        wait_until("a stream", || outlet.stats().is_running);
        outlet
    });
    let mut worker = bus.subscribe("worker").unwrap();
    let worker = std::thread::spawn(move || {
        let mut count = 0;
        while count < messages {
            worker.wait(None);
            let _ = worker.try_read_up_to(usize::MAX, |_, _| {
                count += 1;
                Next::Go
            });
        }
    });
    let (writer, payload) = (bus.writer().unwrap(), [7; 32]);
    let mut took = Vec::with_capacity(messages);
    let start = Instant::now();
    let each = Duration::from_micros(1000 / THOUSANDS as u64);
    for number in 0..messages as u32 {
        // As a sensor is read: whoever comes late goes on at once.
        let due = start + each * number;
        while let Some(rest) = due.checked_duration_since(Instant::now()).filter(|rest| !rest.is_zero()) {
            std::thread::park_timeout(rest);
        }
        let begun = Instant::now();
        writer.write_bytes(1, 2, &payload).unwrap();
        took.push(begun.elapsed());
    }
    worker.join().unwrap();
    if let Some(outlet) = outlet {
        wait_until("acknowledgements", || outlet.stats().acknowledged == messages as u64);
    }
    let nanos = |took: Duration| took.as_secs_f64() * 1e9;
    took.sort_unstable();
    Took { mean: nanos(took.iter().sum()) / messages as f64, median: nanos(took[messages / 2]) }
}
