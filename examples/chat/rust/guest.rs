//! A client: the guest, and the bridge to the room, each on a worker of its own.

use crate::chat::*;
use rust_messenger::messi::{Client, ClientOptions, Connected, Disconnected, FromServer, ToServer};
use rust_messenger::traits::{Handle, Handler, New, Sender, Writer};
use std::collections::VecDeque;

#[derive(Clone)]
pub struct Config {
    pub client: ClientOptions<Chat>,
    pub name: String,
    /// What to say by itself.
    pub part: VecDeque<(&'static str, Reaction)>,
}

/// What a guest does when it hears something.
#[derive(Clone, Copy)]
pub enum Reaction {
    Say(&'static str),
    Leave,
}

impl AsRef<ClientOptions<Chat>> for Config {
    fn as_ref(&self) -> &ClientOptions<Chat> {
        &self.client
    }
}

/// A line from the keyboard, which is no handler: what writes from outside is a source without a place in the table.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Line {
    #[prost(string, tag = "1")]
    pub text: String,
}

rust_messenger::prost_message!(Line, 1);

pub struct Keyboard;

impl Handler for Keyboard {
    type Id = u16;
    const ID: u16 = 2;
}

/// Prints what it hears, and says its part.
pub struct Guest {
    config: Config,
}

impl Handler for Guest {
    type Id = u16;
    const ID: u16 = 3;
}

impl New<Config> for Guest {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Guest { config: config.clone() }
    }
}

impl Guest {
    fn hear<W: Writer>(&mut self, text: &str, writer: &W) {
        // Whatever others send must not move the cursor, or worse.
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        println!("{} | {text}", self.config.name);
        let Some((cue, reaction)) = self.config.part.front() else { return };
        if *cue == text {
            match reaction {
                Reaction::Say(text) => Self::send(&ToServer { message: Say { text: (*text).to_owned() } }, writer),
                Reaction::Leave => writer.stop(),
            }
            self.config.part.pop_front();
        }
    }
}

impl Handle<Connected> for Guest {
    fn handle<W: Writer>(&mut self, _: &Connected, writer: &W) {
        Self::send(&ToServer { message: Enter { name: self.config.name.clone() } }, writer);
    }
}

impl Handle<Disconnected> for Guest {
    fn handle<W: Writer>(&mut self, event: &Disconnected, writer: &W) {
        self.hear(&format!("({} Connecting again.)", event.reason), writer);
    }
}

impl Handle<FromServer<Welcome>> for Guest {
    fn handle<W: Writer>(&mut self, event: &FromServer<Welcome>, writer: &W) {
        for name in &event.message.guests {
            self.hear(&format!("{name} is here"), writer);
        }
    }
}

impl Handle<FromServer<Entered>> for Guest {
    fn handle<W: Writer>(&mut self, event: &FromServer<Entered>, writer: &W) {
        self.hear(&format!("{} is here", event.message.name), writer);
    }
}

impl Handle<FromServer<Said>> for Guest {
    fn handle<W: Writer>(&mut self, event: &FromServer<Said>, writer: &W) {
        let Said { name, text } = &event.message;
        self.hear(&format!("{name}: {text}"), writer);
    }
}

impl Handle<FromServer<Left>> for Guest {
    fn handle<W: Writer>(&mut self, event: &FromServer<Left>, writer: &W) {
        self.hear(&format!("{} has left", event.message.name), writer);
    }
}

impl Handle<Line> for Guest {
    fn handle<W: Writer>(&mut self, line: &Line, writer: &W) {
        Self::send(&ToServer { message: Say { text: line.text.clone() } }, writer);
    }
}

rust_messenger::Messenger! {
    Config,
    Network:
        handlers: [ client: Client<Chat> ]
        routes: [ Guest, ToServer<Enter>: [ client ], Guest, ToServer<Say>: [ client ] ]
    Chair:
        handlers: [ guest: Guest ]
        routes: [
            Client<Chat>, Connected: [ guest ],
            Client<Chat>, Disconnected: [ guest ],
            Client<Chat>, FromServer<Welcome>: [ guest ],
            Client<Chat>, FromServer<Entered>: [ guest ],
            Client<Chat>, FromServer<Said>: [ guest ],
            Client<Chat>, FromServer<Left>: [ guest ],
            Keyboard, Line: [ guest ]
        ]
}
