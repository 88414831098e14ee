//! The server: the room, and the bridge to its guests, each on a worker of its own.

use crate::chat::*;
use rust_messenger::messi::{
    ClientDisconnected, ClientId, FromClient, Listening, Member, Server, ServerOptions, To, ToClient, ToClientSide,
};
use rust_messenger::traits::{Handle, Handler, New, Sender, Writer};
use std::collections::BTreeMap;
use std::sync::mpsc;

#[derive(Clone)]
pub struct Config {
    pub server: ServerOptions<Chat>,
    /// Told the port once the room is open.
    pub open: mpsc::Sender<u16>,
    /// Close when the last guest leaves.
    pub closes: bool,
}

impl AsRef<ServerOptions<Chat>> for Config {
    fn as_ref(&self) -> &ServerOptions<Chat> {
        &self.server
    }
}

/// Repeats to all guests what one of them says.
pub struct Room {
    config: Config,
    guests: BTreeMap<ClientId, String>,
}

impl Handler for Room {
    type Id = u16;
    const ID: u16 = 1;
}

impl New<Config> for Room {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Room { config: config.clone(), guests: BTreeMap::new() }
    }
}

impl Room {
    fn tell_all<M: Member<ToClientSide, Protocol = Chat>, W: Writer>(&self, message: &M, writer: &W) {
        for client in self.guests.keys() {
            Self::send(&ToClient { to: To::One(*client), message: message.clone() }, writer);
        }
    }
}

impl Handle<Listening> for Room {
    fn handle<W: Writer>(&mut self, listening: &Listening, _: &W) {
        // Nobody may want to know.
        let _ = self.config.open.send(listening.port);
    }
}

impl Handle<FromClient<Enter>> for Room {
    fn handle<W: Writer>(&mut self, request: &FromClient<Enter>, writer: &W) {
        let FromClient { client, message: Enter { name } } = request;
        let welcome = Welcome { guests: self.guests.values().cloned().collect() };
        Self::send(&ToClient { to: To::One(*client), message: welcome }, writer);
        self.guests.insert(*client, name.clone());
        self.tell_all(&Entered { name: name.clone() }, writer);
    }
}

impl Handle<FromClient<Say>> for Room {
    fn handle<W: Writer>(&mut self, request: &FromClient<Say>, writer: &W) {
        if let Some(name) = self.guests.get(&request.client) {
            self.tell_all(&Said { name: name.clone(), text: request.message.text.clone() }, writer);
        }
    }
}

impl Handle<ClientDisconnected> for Room {
    fn handle<W: Writer>(&mut self, event: &ClientDisconnected, writer: &W) {
        if let Some(name) = self.guests.remove(&event.client) {
            self.tell_all(&Left { name }, writer);
            if self.config.closes && self.guests.is_empty() {
                writer.stop();
            }
        }
    }
}

rust_messenger::Messenger! {
    Config,
    Network:
        handlers: [ server: Server<Chat> ]
        routes: [
            Room, ToClient<Welcome>: [ server ],
            Room, ToClient<Entered>: [ server ],
            Room, ToClient<Said>: [ server ],
            Room, ToClient<Left>: [ server ]
        ]
    House:
        handlers: [ room: Room ]
        routes: [
            Server<Chat>, Listening: [ room ],
            Server<Chat>, FromClient<Enter>: [ room ],
            Server<Chat>, FromClient<Say>: [ room ],
            Server<Chat>, ClientDisconnected: [ room ]
        ]
}
