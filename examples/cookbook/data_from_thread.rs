//! Data from a thread outside: it has a writer of its own, and sends in the name of a source that stands in no worker.
//!
//! `send` would wait for room without a limit; here a bus that stays full for a second is an error.

use rust_messenger::prelude::*;
use std::time::Duration;

#[derive(serde::Serialize, serde::Deserialize)]
struct Reading(i32);
serde_message!(Reading, 1);

struct Sensor;
handler!(Sensor, 1);

struct Sum(i64);
impl Handler for Sum {
    type Id = u16;
    const ID: u16 = 2;
    fn on_stop(&mut self) {
        println!("sum: {}", self.0);
    }
}
impl New<()> for Sum {
    fn new<W: Writer>(_: &(), _: &W) -> Self {
        Sum(0)
    }
}
impl Handle<Reading> for Sum {
    fn handle<W: Writer>(&mut self, reading: &Reading, _: &W) {
        self.0 += i64::from(reading.0);
    }
}

Messenger! {
    (),
    Worker:
        handlers: [ sum: Sum ]
        routes: [ Sensor, Reading: [ sum ] ]
}

pub fn main(readings: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let readings = readings.iter().map(|text| text.parse().map_err(|error| format!("`{text}`: {error}")));
    let readings = readings.collect::<Result<Vec<i32>, _>>()?;
    let messenger = Messenger::new(CircularBus::new(64 * 1024)?);
    let handles = messenger.run(&());
    let writer = messenger.writer()?;
    let send = move |number| writer.send_timeout::<Sensor, _>(&Reading(number), Duration::from_secs(1));
    let thread = std::thread::spawn(move || readings.into_iter().try_for_each(send));
    thread.join().expect("the thread does not panic")?;
    messenger.stop();
    handles.join()?;
    Ok(())
}
