//! Data from a handler to `main`: the configuration carries the sending end of a channel.
//!
//! `main` needs no place in the table for that. Who wants to see all messages, and may miss some, takes a `tap`.

use rust_messenger::prelude::*;
use std::sync::mpsc;

#[derive(serde::Serialize, serde::Deserialize)]
struct Number(u32);
serde_message!(Number, 1);

#[derive(Clone)]
struct Config {
    results: mpsc::Sender<u32>,
}

struct Squarer {
    results: mpsc::Sender<u32>,
}
impl Handler for Squarer {
    type Id = u16;
    const ID: u16 = 1;
    fn on_start<W: Writer>(&mut self, writer: &W) {
        (1..=3).for_each(|number| Self::send(&Number(number), writer));
    }
}
impl New<Config> for Squarer {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Squarer { results: config.results.clone() }
    }
}
impl Handle<Number> for Squarer {
    fn handle<W: Writer>(&mut self, number: &Number, writer: &W) {
        // An unbounded channel keeps no worker waiting. Its receiver is gone when `main` wants no more.
        if self.results.send(number.0 * number.0).is_err() {
            writer.stop();
        }
    }
}

Messenger! {
    Config,
    Worker:
        handlers: [ squarer: Squarer ]
        routes: [ Squarer, Number: [ squarer ] ]
}

pub fn main(_: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let (results, received) = mpsc::channel();
    let messenger = Messenger::new(CircularBus::new(64 * 1024)?);
    let handles = messenger.run(&Config { results });
    received.iter().take(3).for_each(|result| println!("{result}"));
    messenger.stop();
    handles.join()?;
    Ok(())
}
