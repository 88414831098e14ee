//! Ctrl-C ends the program as a stop does: what is on the bus is handled, then the workers end.
//!
//! The crate `ctrlc` calls its handler on a thread of its own, so that may do anything; a writer is all it needs.

use rust_messenger::prelude::*;
use std::time::Duration;

struct Clockwork {
    next: Time,
    beats: u32,
}
impl Handler for Clockwork {
    type Id = u16;
    const ID: u16 = 1;
    fn next_deadline(&self) -> Option<Time> {
        Some(self.next)
    }

    fn on_stop(&mut self) {
        println!("stopped");
    }
}
impl New<()> for Clockwork {
    fn new<W: Writer>(_: &(), writer: &W) -> Self {
        Clockwork { next: writer.now(), beats: 0 }
    }
}
impl Handle<Due> for Clockwork {
    fn handle<W: Writer>(&mut self, due: &Due, writer: &W) {
        (self.beats, self.next) = (self.beats + 1, due.time + Duration::from_millis(100));
        if self.beats == 3000 {
            writer.stop(); // Nobody pressed Ctrl-C for five minutes.
        }
    }
}

Messenger! {
    (),
    Tower:
        handlers: [ clockwork: Clockwork ]
        routes: [ Clockwork, Due: [ clockwork ] ]
}

pub fn main(_: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let messenger = Messenger::new(CircularBus::new(64 * 1024)?);
    let handles = messenger.run(&());
    let writer = messenger.writer()?;
    ctrlc::set_handler(move || writer.stop())?;
    println!("running until Ctrl-C");
    println!("left: {}", handles.join()?.left.len());
    Ok(())
}
