//! Data from an async task, and what the table says to it: doors that tasks wait at without blocking their thread. Any
//! runtime will do; the library brings none.
//!
//! ```sh
//! cargo run --features async --example cookbook -- data_from_task
//! ```

use rust_messenger::messenger::{AsyncTap, AsyncWriter};
use rust_messenger::prelude::*;
use rust_messenger::traits::{DeserializeFrom, WriteError};

#[derive(serde::Serialize, serde::Deserialize)]
struct Reading(u32);
serde_message!(Reading, 1);

#[derive(serde::Serialize, serde::Deserialize)]
struct Alarm(u32);
serde_message!(Alarm, 2);

struct Sensor; // It stands in no worker: it names who sends.
handler!(Sensor, 1);

#[derive(Default)]
struct Watch;
handler!(Watch, 2, default);
impl Handle<Reading> for Watch {
    fn handle<W: Writer>(&mut self, reading: &Reading, writer: &W) {
        if reading.0 % 400 == 399 {
            Self::send(&Alarm(reading.0), writer);
        }
    }
}

// Nobody in the table wants the alarms: the tap sees them all the same.
Messenger! { (), Worker: handlers: [ #[allow(unrouted)] watch: Watch ] routes: [ Sensor, Reading: [ watch ] ] }

pub fn main(_: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let messenger = Messenger::new(CircularBus::new(64 * 1024)?);
    let (writer, tap) = (AsyncWriter::new(messenger.writer()?), AsyncTap::new(messenger.tap()?));
    let handles = messenger.run(&());
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let sending = runtime.spawn(async move {
        for number in 0..1000 {
            writer.send::<Sensor, _>(&Reading(number)).await?;
        }
        messenger.stop();
        Ok::<(), WriteError>(())
    });
    runtime.block_on(async {
        while let Some(seen) = tap.recv().await {
            let (header, payload) = seen?; // Or `Lagged`: so many were missed.
            if header.source == Watch::ID {
                println!("alarm: {}", Alarm::deserialize_from(&payload).0);
            }
        }
        sending.await?.map_err(Box::<dyn std::error::Error>::from)
    })?;
    handles.join()?;
    Ok(())
}
