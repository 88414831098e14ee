//! Both sides of what is measured: with this crate, without a bus and through one, and with bare sockets.
//!
//! A server prints `READY PORT`, then, for each client that has sent ticks and left, how many came and how long that
//! took. A client that asks prints how many answers came, how long that took, and the median of the round trips.

use crate::protocol::{Answer, Ask, Bench, ClientToServer, ServerToClient, Tick, client_to_server, server_to_client};
use rust_messenger::messi::{
    ClientEvent, ClientLoop, ClientOptions, FromClient, SendError, Server, ServerEvent, ServerLoop, ServerOptions, To,
    ToClient,
};
use rust_messenger::{CircularBus, Handle, Handler, Messenger, New, Sender, Writer};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// The bytes of one frame.
const FRAME: usize = 36;

fn ready(port: u16) {
    println!("READY {port}");
}

/// What has been counted of one client's ticks.
#[derive(Default)]
struct Count {
    ticks: u64,
    span: Option<(Instant, Instant)>,
}

impl Count {
    /// A clock for every message would be measured, too.
    fn tick(&mut self, number: u64) {
        assert_eq!(number, self.ticks, "out of order");
        self.ticks += 1;
        if self.ticks % 1024 == 1 {
            let now = Instant::now();
            self.span = Some((self.span.map_or(now, |(first, _)| first), now));
        }
    }

    fn print(&mut self) {
        if let Some((first, last)) = self.span {
            println!("{} {}", (self.ticks - 1) / 1024 * 1024, (last - first).as_secs_f64());
        }
        *self = Count::default();
    }
}

/// The round trips of one client.
struct Trips {
    begin: Instant,
    time: Duration,
    sent: Vec<Instant>,
    answers: u64,
    samples: Vec<u64>,
}

impl Trips {
    fn new(time: Duration) -> Trips {
        let begin = Instant::now();
        Trips { begin, time, sent: vec![begin; 1024], answers: 0, samples: Vec::with_capacity(1 << 22) }
    }

    fn sent(&mut self, number: u64) {
        self.sent[number as usize % 1024] = Instant::now();
    }

    /// Whether that was the last one.
    fn answered(&mut self, number: u64) -> bool {
        assert_eq!(number, self.answers, "out of order");
        let now = Instant::now();
        self.answers += 1;
        if self.samples.len() < self.samples.capacity() {
            self.samples.push((now - self.sent[number as usize % 1024]).as_nanos() as u64);
        }
        now - self.begin > self.time
    }

    fn print(&mut self) {
        let half = self.samples.len() / 2;
        let (_, median, _) = self.samples.select_nth_unstable(half);
        println!("{} {} {median}", self.answers, self.begin.elapsed().as_secs_f64());
    }
}

// --------------------------------------------------------------------------------------------------- without a bus

pub fn loop_server() {
    let mut server = ServerLoop::<Bench>::new(ServerOptions::new("tcp://127.0.0.1:0")).unwrap();
    ready(server.start().unwrap().port());
    let mut count = Count::default();
    while let Some(event) = server.next(None) {
        match event {
            ServerEvent::Message { client, message } => match message.messages {
                Some(client_to_server::Messages::Tick(tick)) => count.tick(tick.number),
                Some(client_to_server::Messages::Ask(ask)) => {
                    let messages = Some(server_to_client::Messages::Answer(answer_to(&ask)));
                    server.send(client, &ServerToClient { messages }).unwrap();
                }
                None => {}
            },
            ServerEvent::Disconnected { .. } => count.print(),
            _ => {}
        }
    }
}

fn answer_to(ask: &Ask) -> Answer {
    Answer { number: ask.number, price: ask.price, time: ask.time, kind: ask.kind }
}

fn connected(port: u16) -> ClientLoop<Bench> {
    let mut client = ClientLoop::<Bench>::new(ClientOptions::new(format!("tcp://127.0.0.1:{port}"))).unwrap();
    client.start();
    match client.next(Some(Duration::from_secs(10))) {
        Some(ClientEvent::Connected) => client,
        other => panic!("{other:?}"),
    }
}

pub fn loop_ticks(port: u16, time: Duration) {
    let mut client = connected(port);
    let (begin, mut number) = (Instant::now(), 0);
    while begin.elapsed() < time {
        for _ in 0..1024 {
            let tick = Tick { number, price: 2, time: 3, kind: 300 };
            let message = ClientToServer { messages: Some(client_to_server::Messages::Tick(tick)) };
            while let Err(error) = client.try_send(&message) {
                assert_eq!(error, SendError::Full);
                client.next(Some(Duration::from_millis(1)));
            }
            number += 1;
        }
    }
    client.finish();
}

pub fn loop_asks(port: u16, time: Duration, window: u64) {
    let mut client = connected(port);
    let mut trips = Trips::new(time);
    let mut next = 0;
    let mut ask = |client: &mut ClientLoop<Bench>, trips: &mut Trips| {
        let ask = Ask { number: next, price: 2, time: 3, kind: 300 };
        trips.sent(next);
        next += 1;
        client.send(&ClientToServer { messages: Some(client_to_server::Messages::Ask(ask)) }).unwrap();
    };
    for _ in 0..window {
        ask(&mut client, &mut trips);
    }
    while let Some(event) = client.next(None) {
        let ClientEvent::Message(message) = event else { panic!("{event:?}") };
        let Some(server_to_client::Messages::Answer(answer)) = message.messages else { panic!("no answer") };
        if trips.answered(answer.number) {
            return trips.print();
        }
        ask(&mut client, &mut trips);
    }
}

// -------------------------------------------------------------------------------------------------- through a bus

struct Counter(Count);

impl Handler for Counter {
    type Id = u16;
    const ID: u16 = 1;
}

impl<C> New<C> for Counter {
    fn new<W: Writer>(_: &C, _: &W) -> Self {
        Counter(Count::default())
    }
}

impl Handle<FromClient<Tick>> for Counter {
    fn handle<W: Writer>(&mut self, tick: &FromClient<Tick>, _: &W) {
        self.0.tick(tick.message.number);
    }
}

impl Handle<FromClient<Ask>> for Counter {
    fn handle<W: Writer>(&mut self, ask: &FromClient<Ask>, writer: &W) {
        Self::send(&ToClient { to: To::One(ask.client), message: answer_to(&ask.message) }, writer);
    }
}

impl Handle<rust_messenger::messi::ClientDisconnected> for Counter {
    fn handle<W: Writer>(&mut self, _: &rust_messenger::messi::ClientDisconnected, _: &W) {
        self.0.print();
    }
}

impl Handle<rust_messenger::messi::Listening> for Counter {
    fn handle<W: Writer>(&mut self, at: &rust_messenger::messi::Listening, _: &W) {
        ready(at.port);
    }
}

mod one {
    use super::*;
    Messenger! {
        ServerOptions<Bench>,
        All:
            handlers: [ bridge: Server<Bench>, counter: Counter ]
            routes: [
                Server<Bench>, FromClient<Tick>: [ counter ],
                Server<Bench>, FromClient<Ask>: [ counter ],
                Server<Bench>, rust_messenger::messi::ClientDisconnected: [ counter ],
                Server<Bench>, rust_messenger::messi::Listening: [ counter ],
                Counter, ToClient<Answer>: [ bridge ],
            ]
    }

    pub fn serve() {
        let messenger = Messenger::new(CircularBus::one_writer(1 << 20).unwrap());
        messenger.run(&ServerOptions::new("tcp://127.0.0.1:0")).join().unwrap();
    }
}

mod two {
    use super::*;
    Messenger! {
        ServerOptions<Bench>,
        Net:
            handlers: [ bridge: Server<Bench> ]
            routes: [ Counter, ToClient<Answer>: [ bridge ] ]
        App:
            handlers: [ counter: Counter ]
            routes: [
                Server<Bench>, FromClient<Tick>: [ counter ],
                Server<Bench>, FromClient<Ask>: [ counter ],
                Server<Bench>, rust_messenger::messi::ClientDisconnected: [ counter ],
                Server<Bench>, rust_messenger::messi::Listening: [ counter ],
            ]
    }

    pub fn serve() {
        let messenger = Messenger::new(CircularBus::new(1 << 20).unwrap());
        messenger.run(&ServerOptions::new("tcp://127.0.0.1:0")).join().unwrap();
    }
}

/// Bridge and handler on one worker.
pub fn bus_server() {
    one::serve();
}

/// Bridge and handler on a worker each.
pub fn bus_server_of_two() {
    two::serve();
}

// -------------------------------------------------------------------------------------------------------- bare sockets

pub fn raw_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ready(listener.local_addr().unwrap().port());
    let mut buffer = vec![0; 64 << 10];
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut mode = [0];
        stream.read_exact(&mut mode).unwrap();
        let (mut first, mut bytes) = (None, 0);
        let mut last = Instant::now();
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            if mode[0] == b'a' {
                stream.write_all(&buffer[..count]).unwrap();
            }
            last = Instant::now();
            // What came first came before the clock began.
            match first {
                None => first = Some(last),
                Some(_) => bytes += count,
            }
        }
        if let Some(first) = first.filter(|_| mode[0] == b't') {
            println!("{} {}", bytes / FRAME, (last - first).as_secs_f64());
        }
    }
}

fn raw_connected(port: u16, mode: u8) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(&[mode]).unwrap();
    stream
}

/// Ticks, so many in one write.
pub fn raw_ticks(port: u16, time: Duration, batch: usize) {
    let mut stream = raw_connected(port, b't');
    let bytes = vec![7; batch * FRAME];
    let begin = Instant::now();
    while begin.elapsed() < time {
        for _ in 0..16 {
            stream.write_all(&bytes).unwrap();
        }
    }
}

pub fn raw_asks(port: u16, time: Duration) {
    let mut stream = raw_connected(port, b'a');
    let mut trips = Trips::new(time);
    let mut frame = [7; FRAME];
    for number in 0.. {
        trips.sent(number);
        stream.write_all(&frame).unwrap();
        stream.read_exact(&mut frame).unwrap();
        if trips.answered(number) {
            return trips.print();
        }
    }
}
