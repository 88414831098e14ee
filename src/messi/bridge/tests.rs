//! What a round trip over the bus asks of the system.

use crate::message_bus::CircularBus;
use crate::messenger::{Drive, Options, Step};
use crate::messi::net::CALLS;
use crate::messi::wire::{Kind, Wire};
use crate::messi::{FromClient, Listening, Server, ServerOptions, To, ToClient};
use crate::testing::ManualClock;
use crate::traits::{Handle, Handler, New, Sender, Writer};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

mod protocol {
    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub struct Number {
        #[prost(fixed64, tag = "1")]
        pub number: u64,
    }

    #[derive(Clone, Copy, PartialEq, prost::Oneof)]
    pub enum Up {
        #[prost(message, tag = "1")]
        Number(Number),
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub struct ClientToServer {
        #[prost(oneof = "Up", tags = "1")]
        pub messages: Option<Up>,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub struct Echo {
        #[prost(fixed64, tag = "1")]
        pub number: u64,
    }

    #[derive(Clone, Copy, PartialEq, prost::Oneof)]
    pub enum Down {
        #[prost(message, tag = "1")]
        Echo(Echo),
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub struct ServerToClient {
        #[prost(oneof = "Down", tags = "1")]
        pub messages: Option<Down>,
    }

    crate::messi_protocol! {
        pub Echoing: server 50, client 51, messages from 0x200;
        ClientToServer, Up: [ Number(Number) = 1 ]
        ServerToClient, Down: [ Echo(Echo) = 1 ]
    }
}

use protocol::{Echo, Echoing, Number};

#[derive(Clone)]
struct Config {
    options: ServerOptions<Echoing>,
    port: Rc<Cell<u16>>,
}

impl AsRef<ServerOptions<Echoing>> for Config {
    fn as_ref(&self) -> &ServerOptions<Echoing> {
        &self.options
    }
}

struct Echoes(Rc<Cell<u16>>);

impl Handler for Echoes {
    type Id = u16;
    const ID: u16 = 1;
}

impl New<Config> for Echoes {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Echoes(Rc::clone(&config.port))
    }
}

impl Handle<Listening> for Echoes {
    fn handle<W: Writer>(&mut self, listening: &Listening, _: &W) {
        self.0.set(listening.port);
    }
}

impl Handle<FromClient<Number>> for Echoes {
    fn handle<W: Writer>(&mut self, ask: &FromClient<Number>, writer: &W) {
        let message = Echo { number: ask.message.number };
        Self::send(&ToClient { to: To::One(ask.client), message }, writer);
    }
}

#[expect(dead_code, reason = "a table within the crate is used by its tests alone")]
mod table {
    use super::*;

    crate::Messenger! {
        Config,
        All:
            handlers: [ server: Server<Echoing>, echoes: Echoes ]
            routes: [
                Server<Echoing>, Listening: [ echoes ],
                Server<Echoing>, FromClient<Number>: [ echoes ],
                Echoes, ToClient<Echo>: [ server ],
            ]
    }
}

use table::Messenger;

/// A frame with the number in its member, which has field 1 in its root and in itself.
fn frame(kind: Kind, number: u64) -> Vec<u8> {
    let mut frame = vec![0; 4];
    frame.extend([1 << 3 | 2, 9, 1 << 3 | 1]);
    frame.extend(number.to_le_bytes());
    let size = frame.len() - 4;
    Wire::V2.write_header(kind, size, &mut frame[..4]);
    frame
}

/// One read and one write, as with a bare socket. How long a trip takes makes no difference, and one that finds the
/// machine slower than the worker's patience is none of most.
#[test]
fn a_round_trip_in_one_worker_reads_once_and_writes_once() {
    let config = Config { options: ServerOptions::new("tcp://127.0.0.1:0"), port: Rc::default() };
    // In this time nothing is due, and the poller is never asked for that reason alone.
    let clock = ManualClock::new();
    clock.advance(Duration::from_secs(1));
    let options = Options { clock: Arc::new(clock), ..Options::default() };
    let messenger = Messenger::with_options(CircularBus::new(64 * 1024).unwrap(), options);
    let mut workers = messenger.workers(&config).unwrap();
    let mut step = || {
        let worker: &mut dyn Drive = workers.iter_mut().next().unwrap();
        if worker.step() == Step::Idle {
            worker.wait();
        }
    };
    while config.port.get() == 0 {
        step();
    }
    let mut client = TcpStream::connect(("127.0.0.1", config.port.get())).unwrap();
    client.set_nodelay(true).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut calls: Vec<u32> = Vec::new();
    let mut answer = frame(Kind::ServerToClient, 1);
    for number in 1..100 {
        let before = CALLS.get();
        client.write_all(&frame(Kind::ClientToServer, number)).unwrap();
        client.set_nonblocking(true).unwrap();
        while client.peek(&mut [0]).is_err() {
            step();
        }
        client.set_nonblocking(false).unwrap();
        client.read_exact(&mut answer).unwrap();
        assert_eq!(answer, frame(Kind::ServerToClient, number));
        calls.push(CALLS.get() - before);
    }
    calls.sort_unstable();
    assert_eq!(calls[calls.len() / 2], 2, "{calls:?}");
}
