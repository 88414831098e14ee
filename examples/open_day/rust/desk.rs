//! Who lets visitors in, and tells them what is said in the greenhouse.

use crate::messages::{Morning, Reading, Refused, Summary};
use crate::open_day::{Bring, Day, Denied, Measured, OpenDay};
use rust_messenger::messi::{
    ClientDisconnected, ClientId, FromClient, Listening, Member, ServerOptions, To, ToClient, ToClientSide,
};
use rust_messenger::prelude::*;
use std::collections::BTreeMap;
use std::sync::mpsc;

#[derive(Clone)]
pub struct Config {
    pub server: ServerOptions<OpenDay>,
    /// Told the port once the door is open.
    pub open: mpsc::Sender<u16>,
    /// The day begins when so many are there.
    pub visitors: usize,
}

impl AsRef<ServerOptions<OpenDay>> for Config {
    fn as_ref(&self) -> &ServerOptions<OpenDay> {
        &self.server
    }
}

/// No device is to work harder than that, in percent.
const LIMIT: u32 = 80;

/// Lets visitors in until the day begins, and closes the greenhouse behind the last of them.
pub struct Desk {
    config: Config,
    inside: BTreeMap<ClientId, Bring>,
    has_begun: bool,
}
handler!(Desk, 11);

impl New<Config> for Desk {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Desk { config: config.clone(), inside: BTreeMap::new(), has_begun: false }
    }
}

impl Desk {
    fn tell_all<M: Member<ToClientSide, Protocol = OpenDay>, W: Writer>(&self, message: &M, writer: &W) {
        for client in self.inside.keys() {
            Self::send(&ToClient { to: To::One(*client), message: message.clone() }, writer);
        }
    }
}

impl Handle<Listening> for Desk {
    fn handle<W: Writer>(&mut self, listening: &Listening, _: &W) {
        // Nobody may want to know.
        let _ = self.config.open.send(listening.port);
    }
}

impl Handle<FromClient<Bring>> for Desk {
    fn handle<W: Writer>(&mut self, request: &FromClient<Bring>, writer: &W) {
        if self.has_begun {
            return;
        }
        self.inside.insert(request.client, request.message.clone());
        if self.inside.len() == self.config.visitors {
            self.has_begun = true;
            // By name, so that the day is the same whoever comes first.
            let mut brought: Vec<_> = self.inside.values().collect();
            brought.sort_by_key(|bring| &bring.name);
            let lines = brought.into_iter().flat_map(|bring| bring.lines.clone()).collect();
            Self::send(&Morning { lines, limit: LIMIT }, writer);
        }
    }
}

impl Handle<Reading> for Desk {
    fn handle<W: Writer>(&mut self, reading: &Reading, writer: &W) {
        let &Reading { number, kind, value } = reading;
        self.tell_all(&Measured { number, kind: kind as i32, value }, writer);
    }
}

impl Handle<Refused> for Desk {
    fn handle<W: Writer>(&mut self, refused: &Refused, writer: &W) {
        self.tell_all(&Denied { number: refused.number, reason: refused.reason.clone() }, writer);
    }
}

impl Handle<Summary> for Desk {
    fn handle<W: Writer>(&mut self, summary: &Summary, writer: &W) {
        let &Summary { readings, garbled, orders, refused, done } = summary;
        self.tell_all(&Day { readings, garbled, orders, refused, done }, writer);
    }
}

impl Handle<ClientDisconnected> for Desk {
    fn handle<W: Writer>(&mut self, event: &ClientDisconnected, writer: &W) {
        self.inside.remove(&event.client);
        if self.has_begun && self.inside.is_empty() {
            writer.stop();
        }
    }
}
