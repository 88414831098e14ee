//! Request and reply: the request carries an id, the reply repeats it, and a deadline comes as a message, `Due`.
//!
//! All that decides is in messages and their times, so a rebuild from a journal decides the same. What is open stands
//! in a map by its id. Nobody waits: the handler goes on with other messages meanwhile.

use rust_messenger::prelude::*;
use std::{collections::BTreeMap, time::Duration};

#[derive(serde::Serialize, serde::Deserialize)]
struct Request(u64, u32); // Its id, and a number to be halved.
serde_message!(Request, 1);
#[derive(serde::Serialize, serde::Deserialize)]
struct Reply(u64, u32);
serde_message!(Reply, 2);

/// When which request is due.
struct Asker(BTreeMap<u64, Time>);
impl Handler for Asker {
    type Id = u16;
    const ID: u16 = 1;
    fn next_deadline(&self) -> Option<Time> {
        self.0.values().min().copied()
    }
}
impl New<Duration> for Asker {
    fn new<W: Writer>(timeout: &Duration, writer: &W) -> Self {
        Self::send(&Request(1, 16), writer);
        Self::send(&Request(2, 17), writer);
        Asker([1, 2].map(|id| (id, writer.now() + *timeout)).into())
    }
}
impl Handle<Reply> for Asker {
    fn handle<W: Writer>(&mut self, reply: &Reply, _: &W) {
        if self.0.remove(&reply.0).is_some() {
            println!("request {}: {}", reply.0, reply.1);
        }
        // Else it comes too late, or twice.
    }
}
impl Handle<Due> for Asker {
    fn handle<W: Writer>(&mut self, due: &Due, writer: &W) {
        self.0.retain(|_, deadline| *deadline > due.time);
        println!("{} requests are open", self.0.len());
        if self.0.is_empty() {
            writer.stop();
        }
    }
}

/// Halves even numbers, and is silent about odd ones.
struct Oracle;
handler!(Oracle, 2);
impl Handle<Request> for Oracle {
    fn handle<W: Writer>(&mut self, request: &Request, writer: &W) {
        if request.1.is_multiple_of(2) {
            Self::send(&Reply(request.0, request.1 / 2), writer);
        }
    }
}

Messenger! {
    Duration,
    Front: handlers: [ asker: Asker ] routes: [ Asker, Due: [ asker ], Oracle, Reply: [ asker ] ]
    Back: handlers: [ oracle: Oracle = |_| Oracle ] routes: [ Asker, Request: [ oracle ] ]
}

pub fn main(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let parse = |text: &String| text.parse().map_err(|error| format!("`{text}` milliseconds: {error}"));
    let timeout = arguments.first().map_or(Ok(100), parse)?;
    Messenger::new(CircularBus::new(64 * 1024)?).run(&Duration::from_millis(timeout)).join()?;
    Ok(())
}
