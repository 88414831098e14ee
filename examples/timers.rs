//! Time without messages: a heart that beats every 20 ms, and a watch that notices when it stops.
//!
//! A handler says with `next_deadline` when it wants to do something. With a route of its `Due` that becomes a message
//! when the time has come, also when no other one comes. On a journal the message stands there with its time, so a run
//! that is replayed decides what the first one decided; for that, handlers go by the time of their messages, and ask
//! the writer for it, never the system. (Without such a route `on_loop` runs instead, which no journal knows of.)
//!
//! ```sh
//! cargo run --example timers
//! ```

use rust_messenger::prelude::*;
use serde::{Deserialize, Serialize};
use std::time::Duration;

messenger_id_enum!(HandlerId { Heart = 1, Watch = 2 });

#[derive(Debug, Serialize, Deserialize)]
struct Beat {
    number: u32,
}

serde_message!(Beat, 1);

#[derive(Clone)]
struct Config {
    period: Duration,
    beats: u32,
    /// How long the watch bears silence.
    patience: Duration,
}

/// Beats so often, and then no more.
struct Heart {
    config: Config,
    beaten: u32,
    next: Option<Time>,
}

impl Handler for Heart {
    type Id = HandlerId;
    const ID: HandlerId = HandlerId::Heart;

    fn on_start<W: Writer>(&mut self, writer: &W) {
        self.next = Some(writer.now() + self.config.period);
    }

    fn next_deadline(&self) -> Option<Time> {
        self.next
    }
}

impl New<Config> for Heart {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Heart { config: config.clone(), beaten: 0, next: None }
    }
}

impl Handle<Due> for Heart {
    fn handle<W: Writer>(&mut self, due: &Due, writer: &W) {
        self.beaten += 1;
        Self::send(&Beat { number: self.beaten }, writer);
        // From the time when it was due, not from now: a beat that comes late does not make all later ones late.
        self.next = (self.beaten < self.config.beats).then(|| due.time + self.config.period);
    }
}

/// A timeout: every beat moves its deadline.
struct Watch {
    patience: Duration,
    deadline: Option<Time>,
}

impl Handler for Watch {
    type Id = HandlerId;
    const ID: HandlerId = HandlerId::Watch;

    fn next_deadline(&self) -> Option<Time> {
        self.deadline
    }

    fn on_stop(&mut self) {
        println!("the watch ends");
    }
}

impl New<Config> for Watch {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Watch { patience: config.patience, deadline: None }
    }
}

impl Handle<Beat> for Watch {
    fn handle<W: Writer>(&mut self, beat: &Beat, writer: &W) {
        println!("beat {}", beat.number);
        self.deadline = Some(writer.now() + self.patience);
    }
}

impl Handle<Due> for Watch {
    fn handle<W: Writer>(&mut self, due: &Due, writer: &W) {
        // A beat that came while this was on its way has moved the deadline.
        if self.deadline.is_some_and(|deadline| deadline <= due.time) {
            println!("silence for {:?}: stopping", self.patience);
            self.deadline = None;
            writer.stop();
        }
    }
}

// Each on a worker of its own. A worker sleeps until the earliest deadline of its handlers, or until a message comes.
Messenger! {
    Config,
    Body:
        handlers: [ heart: Heart ]
        routes: [ Heart, Due: [ heart ] ]
    Bedside:
        handlers: [ watch: Watch ]
        routes: [ Heart, Beat: [ watch ], Watch, Due: [ watch ] ]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config { period: Duration::from_millis(20), beats: 5, patience: Duration::from_millis(200) };
    let messenger = Messenger::new(CircularBus::new(64 * 1024)?);
    messenger.run(&config).join()?;
    Ok(())
}
