//! Time without messages: a heart that beats every 20 ms, and a watch that notices when it stops.
//!
//! A handler says with `next_deadline` until when its worker may sleep; `on_loop` then runs on time, also when no
//! message comes. It asks the writer for the time, never the system: so simulated and replayed runs are exact.
//!
//! ```sh
//! cargo run --example timers
//! ```

use rust_messenger::traits::{Handle, Handler, New, Sender, Time, Writer};
use serde::{Deserialize, Serialize};
use std::time::Duration;

rust_messenger::messenger_id_enum!(HandlerId { Heart = 1, Watch = 2 });

#[derive(Debug, Serialize, Deserialize)]
struct Beat {
    number: u32,
}

rust_messenger::serde_message!(Beat, 1);

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

    // `on_loop` runs before every wait of the worker, whatever woke it: so it looks whether its own time has come.
    fn on_loop<W: Writer>(&mut self, writer: &W) {
        let Some(due) = self.next.filter(|&due| due <= writer.now()) else { return };
        self.beaten += 1;
        Self::send(&Beat { number: self.beaten }, writer);
        // From the time when it was due, not from now: a beat that comes late does not make all later ones late.
        self.next = (self.beaten < self.config.beats).then(|| due + self.config.period);
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

/// A timeout: every beat moves its deadline.
struct Watch {
    patience: Duration,
    deadline: Option<Time>,
}

impl Handler for Watch {
    type Id = HandlerId;
    const ID: HandlerId = HandlerId::Watch;

    fn on_loop<W: Writer>(&mut self, writer: &W) {
        if self.deadline.is_some_and(|deadline| deadline <= writer.now()) {
            println!("silence for {:?}: stopping", self.patience);
            self.deadline = None;
            writer.stop();
        }
    }

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

// Each on a worker of its own. A worker sleeps until the earliest deadline of its handlers, or until a message comes.
rust_messenger::Messenger! {
    Config,
    Body:
        handlers: [ heart: Heart ]
        routes: []
    Bedside:
        handlers: [ watch: Watch ]
        routes: [ Heart, Beat: [ watch ] ]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config { period: Duration::from_millis(20), beats: 5, patience: Duration::from_millis(200) };
    let messenger = Messenger::new(rust_messenger::CircularBus::new(64 * 1024)?);
    messenger.run(&config).join()?;
    Ok(())
}
