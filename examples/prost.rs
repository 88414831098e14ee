//! Messages that are protocol buffers, by way of prost: in one line, and by hand.
//!
//! A sensor measures, a thermostat answers when it gets too warm. `prost_message!` is all that a prost type needs to
//! travel; the second message shows what it writes, for types whose traits you want to write yourself.
//!
//! ```sh
//! cargo run --example prost --features prost
//! ```

use rust_messenger::prelude::*;
use rust_messenger::traits;

messenger_id_enum!(MessageId { Reading = 1, Alarm = 2 });
messenger_id_enum!(HandlerId { Sensor = 1, Thermostat = 2, Switch = 3 });

#[derive(Clone, PartialEq, prost::Message)]
struct Reading {
    #[prost(sint32, tag = "1")]
    celsius: i32,
}

// The one-line way. Bytes that are no such message are an error that names the reason.
prost_message!(Reading, MessageId::Reading);

#[derive(Clone, PartialEq, prost::Message)]
struct Alarm {
    #[prost(string, tag = "1")]
    text: String,
    #[prost(uint32, tag = "2")]
    degrees_too_warm: u32,
}

// The same by hand.
impl traits::Message for Alarm {
    type Id = MessageId;
    const ID: MessageId = MessageId::Alarm;
}

impl traits::ExtendedMessage for Alarm {
    fn get_size(&self) -> usize {
        prost::Message::encoded_len(self)
    }

    fn write_into(&self, mut buffer: &mut [u8]) {
        prost::Message::encode_raw(self, &mut buffer);
    }
}

impl traits::DeserializeFrom for Alarm {
    // A panic in here becomes an error; it does not end the worker.
    fn deserialize_from(buffer: &[u8]) -> Self {
        prost::Message::decode(buffer).unwrap()
    }
}

#[derive(Clone)]
struct Config {
    limit: i32,
}

/// Measures five times.
struct Sensor;

impl Handler for Sensor {
    type Id = HandlerId;
    const ID: HandlerId = HandlerId::Sensor;

    fn on_start<W: Writer>(&mut self, writer: &W) {
        for celsius in [-4, 12, 31, 19, 35] {
            Self::send(&Reading { celsius }, writer);
        }
    }
}

impl New<Config> for Sensor {
    fn new<W: Writer>(_: &Config, _: &W) -> Self {
        Sensor
    }
}

/// Raises an alarm above the limit.
struct Thermostat {
    limit: i32,
}

handler!(Thermostat, HandlerId::Thermostat);

impl New<Config> for Thermostat {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Thermostat { limit: config.limit }
    }
}

impl Handle<Reading> for Thermostat {
    fn handle<W: Writer>(&mut self, reading: &Reading, writer: &W) {
        let too_warm = reading.celsius - self.limit;
        if let Ok(degrees_too_warm @ 1..) = u32::try_from(too_warm) {
            Self::send(&Alarm { text: format!("{} C", reading.celsius), degrees_too_warm }, writer);
        }
    }
}

/// Switches everything off when it gets far too warm.
struct Switch;

handler!(Switch, HandlerId::Switch);

impl New<Config> for Switch {
    fn new<W: Writer>(_: &Config, _: &W) -> Self {
        Switch
    }
}

impl Handle<Alarm> for Switch {
    fn handle<W: Writer>(&mut self, alarm: &Alarm, writer: &W) {
        println!("alarm at {}: {} too warm", alarm.text, alarm.degrees_too_warm);
        if alarm.degrees_too_warm >= 10 {
            println!("switched off");
            writer.stop();
        }
    }
}

Messenger! {
    Config,
    Cellar:
        handlers: [ sensor: Sensor, thermostat: Thermostat, switch: Switch ]
        routes: [ Sensor, Reading: [ thermostat ], Thermostat, Alarm: [ switch ] ]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let messenger = Messenger::new(CircularBus::new(64 * 1024)?);
    messenger.run(&Config { limit: 25 }).join()?;
    Ok(())
}
