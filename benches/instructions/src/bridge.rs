//! A server on a bus, whose only worker one thread steps, and its client: a plain socket of the same thread.

#[path = "../../messi/src/protocol.rs"]
mod protocol;

use crate::tables::options;
use crate::{BATCH, RING, Row};
use prost::Message;
use protocol::{Answer, Bench, ClientToServer, ServerToClient, Tick, client_to_server, server_to_client};
use rust_messenger::message_bus::CircularBus;
use rust_messenger::messenger::{OutsideWriter, Step, Workers};
use rust_messenger::messi::{ClientConnected, ClientId, FromClient, Listening, Server, ServerOptions, To, ToClient};
use rust_messenger::traits::{Handle, Handler, New, Sender, Writer};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

pub const ROWS: &[Row] = &[("bridge_in", frames_in), ("bridge_out", frames_out)];

#[derive(Clone)]
struct Config {
    server: ServerOptions<Bench>,
    seen: Rc<Seen>,
}

impl AsRef<ServerOptions<Bench>> for Config {
    fn as_ref(&self) -> &ServerOptions<Bench> {
        &self.server
    }
}

/// What the desk was told.
#[derive(Default)]
struct Seen {
    port: Cell<Option<u16>>,
    client: Cell<Option<ClientId>>,
    ticks: Cell<u64>,
    sum: Cell<u64>,
}

struct Desk(Rc<Seen>);

impl Handler for Desk {
    type Id = u16;
    const ID: u16 = 1;
}

impl New<Config> for Desk {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Desk(Rc::clone(&config.seen))
    }
}

impl Handle<Listening> for Desk {
    fn handle<W: Writer>(&mut self, at: &Listening, _: &W) {
        self.0.port.set(Some(at.port));
    }
}

impl Handle<ClientConnected> for Desk {
    fn handle<W: Writer>(&mut self, connected: &ClientConnected, _: &W) {
        self.0.client.set(Some(connected.client));
    }
}

impl Handle<FromClient<Tick>> for Desk {
    fn handle<W: Writer>(&mut self, tick: &FromClient<Tick>, _: &W) {
        self.0.ticks.set(self.0.ticks.get() + 1);
        self.0.sum.set(self.0.sum.get().wrapping_add(tick.message.number));
    }
}

rust_messenger::Messenger! {
    type Bridged;
    Config,
    Only:
        handlers: [ bridge: Server<Bench>, desk: Desk ]
        routes: [
            Server<Bench>, Listening: [ desk ],
            Server<Bench>, ClientConnected: [ desk ],
            Server<Bench>, FromClient<Tick>: [ desk ],
            Desk, ToClient<Answer>: [ bridge ],
        ]
}

struct Side {
    seen: Rc<Seen>,
    workers: Workers,
    writer: OutsideWriter<CircularBus>,
    socket: TcpStream,
}

/// A server, and a client whose first frame has arrived.
fn connected() -> Side {
    let seen = Rc::new(Seen::default());
    let mut server = ServerOptions::new("tcp://127.0.0.1:0");
    // Nothing ends here because it takes long.
    server.connection.keep_alive = None;
    let messenger = Bridged::with_options(CircularBus::new(RING).expect("a ring"), options());
    let mut workers = messenger.workers(&Config { server, seen: Rc::clone(&seen) }).expect("workers");
    step_until(&mut workers, || seen.port.get().is_some());
    let port = seen.port.get().expect("a port");
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    socket.set_nodelay(true).expect("no delay");
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    socket.write_all(&tick(0)).expect("written");
    step_until(&mut workers, || seen.ticks.get() == 1);
    let writer = messenger.writer().expect("a writer");
    Side { seen, workers, writer, socket }
}

/// The worker sleeps in its poller when it has nothing to do.
fn step_until(workers: &mut Workers, is_done: impl Fn() -> bool) {
    while !is_done() {
        if workers.step() == Step::Idle {
            workers.iter_mut().for_each(|worker| worker.wait());
        }
    }
}

/// A frame of the wire's second generation: the type, three bytes of size, the payload.
fn frame(kind: u8, root: &impl Message) -> Vec<u8> {
    let payload = root.encode_to_vec();
    let size = payload.len() as u32;
    [&[kind][..], &size.to_be_bytes()[1..], &payload].concat()
}

fn tick(number: u64) -> Vec<u8> {
    let tick = Tick { number, price: 2, time: 3, kind: 300 };
    frame(1, &ClientToServer { messages: Some(client_to_server::Messages::Tick(tick)) })
}

fn answer(number: u64) -> Answer {
    Answer { number, price: 2, time: 3, kind: 300 }
}

/// From a socket to a handler.
fn frames_in(batches: u64) -> u64 {
    let Side { seen, mut workers, mut socket, .. } = connected();
    let frames: Vec<u8> = (1..=BATCH).flat_map(tick).collect();
    for i in 0..batches {
        socket.write_all(&frames).expect("written");
        step_until(&mut workers, || seen.ticks.get() == 1 + (i + 1) * BATCH);
    }
    seen.sum.get()
}

/// From `send` to a socket.
fn frames_out(batches: u64) -> u64 {
    let Side { seen, mut workers, writer, mut socket } = connected();
    let to = To::One(seen.client.get().expect("a client"));
    let mut expected = Vec::new();
    for number in 0..BATCH {
        expected
            .extend(frame(2, &ServerToClient { messages: Some(server_to_client::Messages::Answer(answer(number))) }));
    }
    let mut frames = vec![0; expected.len()];
    for _ in 0..batches {
        (0..BATCH).for_each(|number| Desk::send(&ToClient { to, message: answer(number) }, &writer));
        while workers.step() != Step::Idle {}
        socket.read_exact(&mut frames).expect("read");
        assert!(frames == expected);
    }
    batches
}
