//! The bridge on the bus: what handlers see of remote peers, and what remote peers see of a bus, over real sockets.

#![cfg(all(feature = "messi", not(miri)))]

#[path = "../examples/bank/bank.rs"]
mod bank;
#[path = "support/port.rs"]
mod port;
mod support;

use bank::{
    Bank, ClientToServer, DownloadRsp, NopReq, NopRsp, ServerToClient, ShoutInd, ShoutReq, UploadReq,
    client_to_server::Messages as Up, server_to_client::Messages as Down,
};
use port::Port;
use rust_messenger::message_bus::{CircularBus, CondvarBus};
use rust_messenger::messenger::{Cause, OutsideWriter, RunError, SystemClock};
use rust_messenger::messi::{
    Client, ClientConnected, ClientDisconnected, ClientEvent, ClientId, ClientLoop, ClientOptions, Connected,
    Disconnect, Disconnected, FromClient, FromServer, Listening, NetworkError, Protocol, Reason, Reconnect, SendError,
    Server, ServerEvent, ServerLoop, ServerOptions, SetupError, StartBridge, StopBridge, To, ToClient, ToServer, Wire,
    Wires,
};
use rust_messenger::testing::Recorder;
use rust_messenger::traits::{Handle, Handler, Message, MessageBus, New, Report, Sender, WriteError, Writer};
use rust_messenger::{JoinHandles, Messenger, Options};
use std::fmt::Debug;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender as Channel, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::{PATIENCE, resident, wait_until, within};

// ------------------------------------------------------------------------------------------------------------ handlers

/// What a handler was given.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Listening(u16),
    Joined(ClientId),
    Left(ClientId, Reason),
    Nop(ClientId),
    Shout(ClientId, String),
    Upload(ClientId, usize),
    Up,
    Down(Reason),
    Told(String),
}

#[derive(Clone)]
struct Config {
    server: ServerOptions<Bank>,
    client: ClientOptions<Bank>,
    seen: Channel<Seen>,
    /// While it is held, no handler returns.
    gate: Arc<Mutex<()>>,
}

impl AsRef<ServerOptions<Bank>> for Config {
    fn as_ref(&self) -> &ServerOptions<Bank> {
        &self.server
    }
}

impl AsRef<ClientOptions<Bank>> for Config {
    fn as_ref(&self) -> &ClientOptions<Bank> {
        &self.client
    }
}

/// Says what it sees to the test, which sends in its name.
struct Desk {
    seen: Channel<Seen>,
    gate: Arc<Mutex<()>>,
}

impl Desk {
    fn see(&self, seen: Seen) {
        let _ = self.seen.send(seen);
        drop(self.gate.lock().unwrap());
    }
}

impl Handler for Desk {
    type Id = u16;
    const ID: u16 = 1;
}

impl New<Config> for Desk {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Desk { seen: config.seen.clone(), gate: Arc::clone(&config.gate) }
    }
}

macro_rules! see {
    ($($message:ty: |$name:ident| $seen:expr;)+) => { $(
        impl Handle<$message> for Desk {
            fn handle<W: Writer>(&mut self, $name: &$message, _: &W) {
                self.see($seen);
            }
        }
    )+ };
}

see! {
    Listening: |at| Seen::Listening(at.port);
    ClientConnected: |it| Seen::Joined(it.client);
    ClientDisconnected: |it| Seen::Left(it.client, it.reason);
    FromClient<NopReq>: |it| Seen::Nop(it.client);
    FromClient<ShoutReq>: |it| Seen::Shout(it.client, it.message.text.clone());
    FromClient<UploadReq>: |it| Seen::Upload(it.client, it.message.data.len());
    Connected: |_it| Seen::Up;
    Disconnected: |it| Seen::Down(it.reason);
    FromServer<ShoutInd>: |it| Seen::Told(it.message.text.clone());
    FromServer<NopRsp>: |_it| Seen::Told(String::new());
}

Messenger! {
    type Serving;
    Config,
    Net:
        handlers: [ bridge: Server<Bank> ]
        routes: [
            Desk, ToClient<NopRsp>: [ bridge ],
            Desk, ToClient<ShoutInd>: [ bridge ],
            Desk, ToClient<DownloadRsp>: [ bridge ],
            Desk, Disconnect: [ bridge ],
            Desk, StartBridge: [ bridge ],
            Desk, StopBridge: [ bridge ],
        ]
    App:
        handlers: [ desk: Desk ]
        routes: [
            Server<Bank>, Listening: [ desk ],
            Server<Bank>, ClientConnected: [ desk ],
            Server<Bank>, ClientDisconnected: [ desk ],
            Server<Bank>, FromClient<NopReq>: [ desk ],
            Server<Bank>, FromClient<ShoutReq>: [ desk ],
            Server<Bank>, FromClient<UploadReq>: [ desk ],
        ]
}

Messenger! {
    type Calling;
    Config,
    Net:
        handlers: [ bridge: Client<Bank> ]
        routes: [
            Desk, ToServer<NopReq>: [ bridge ],
            Desk, ToServer<ShoutReq>: [ bridge ],
            Desk, StartBridge: [ bridge ],
            Desk, StopBridge: [ bridge ],
        ]
    App:
        handlers: [ desk: Desk ]
        routes: [
            Client<Bank>, Connected: [ desk ],
            Client<Bank>, Disconnected: [ desk ],
            Client<Bank>, FromServer<ShoutInd>: [ desk ],
            Client<Bank>, FromServer<NopRsp>: [ desk ],
        ]
}

// Both ends, one worker: they share its poller.
Messenger! {
    type Alone;
    Config,
    Only:
        handlers: [ server: Server<Bank>, client: Client<Bank>, desk: Desk ]
        routes: [
            Server<Bank>, Listening: [ desk ],
            Server<Bank>, FromClient<ShoutReq>: [ desk ],
            Client<Bank>, Connected: [ desk ],
            Client<Bank>, FromServer<ShoutInd>: [ desk ],
            Desk, ToClient<ShoutInd>: [ server ],
            Desk, ToServer<ShoutReq>: [ client ],
        ]
}

// ------------------------------------------------------------------------------------------------------------- helpers

const ANY_PORT: &str = "tcp://127.0.0.1:0";

/// A server at any port that drops nobody for being slow.
fn patient() -> ServerOptions<Bank> {
    patient_at(ANY_PORT)
}

fn patient_at(uri: &str) -> ServerOptions<Bank> {
    let mut options = ServerOptions::new(uri);
    options.connection.keep_alive = None;
    options.connection.handshake_time = PATIENCE;
    options
}

/// A messenger that runs, what its desk sees, and what it reports.
struct Run<B: MessageBus> {
    writer: OutsideWriter<B>,
    seen: Receiver<Seen>,
    reports: Arc<Mutex<Vec<String>>>,
    gate: Arc<Mutex<()>>,
    handles: JoinHandles,
}

fn bus() -> CircularBus {
    CircularBus::new(1 << 20).unwrap()
}

fn config(server: ServerOptions<Bank>, client: ClientOptions<Bank>) -> (Config, Receiver<Seen>) {
    let (sender, seen) = channel();
    (Config { server, client, seen: sender, gate: Arc::default() }, seen)
}

fn options(reports: &Arc<Mutex<Vec<String>>>) -> Options {
    let reports = Arc::clone(reports);
    let on_report = Arc::new(move |report: &Report| reports.lock().unwrap().push(report.to_string()));
    Options { on_report: Some(on_report), ..Options::default() }
}

macro_rules! run {
    ($table:ident, $bus:expr, $server:expr, $client:expr) => {{
        let (config, seen) = config($server, $client);
        let reports = Arc::default();
        let messenger = $table::with_options($bus, options(&reports));
        let handles = messenger.run(&config);
        Run { writer: messenger.writer().unwrap(), seen, reports, gate: config.gate, handles }
    }};
}

fn serve(server: ServerOptions<Bank>) -> Run<CircularBus> {
    run!(Serving, bus(), server, ClientOptions::new(ANY_PORT))
}

fn call(port: u16) -> Run<CircularBus> {
    let mut client = ClientOptions::new(format!("tcp://127.0.0.1:{port}"));
    client.reconnect = Reconnect::Constant(Duration::from_millis(1));
    run!(Calling, bus(), ServerOptions::new(ANY_PORT), client)
}

impl<B: MessageBus> Run<B> {
    #[track_caller]
    fn next(&self) -> Seen {
        self.seen.recv_timeout(PATIENCE).expect("nothing more is seen")
    }

    #[track_caller]
    fn port(&self) -> u16 {
        match self.next() {
            Seen::Listening(port) => port,
            other => panic!("{other:?} before it listens"),
        }
    }

    #[track_caller]
    fn joined(&self) -> ClientId {
        match self.next() {
            Seen::Joined(client) => client,
            other => panic!("{other:?} before a client joins"),
        }
    }

    fn send<M: rust_messenger::ExtendedMessage>(&self, message: &M) {
        while let Err(error) = Desk::try_send(message, &self.writer) {
            assert_eq!(error, WriteError::Full);
            std::thread::yield_now();
        }
    }

    fn wait_for_report(&self, part: &str) {
        wait_until(part, || self.reports.lock().unwrap().iter().any(|report| report.contains(part)));
    }

    fn stop(self) {
        self.writer.stop();
        let summary = self.handles.join().unwrap();
        assert_eq!(summary.left, []);
    }
}

fn shout(text: &str) -> ShoutInd {
    ShoutInd { account_id: 0, text: text.to_owned() }
}

fn up(message: Up) -> ClientToServer {
    ClientToServer { messages: Some(message) }
}

fn plain_client(port: u16) -> ClientLoop<Bank> {
    let mut options = ClientOptions::new(format!("tcp://127.0.0.1:{port}"));
    options.reconnect = Reconnect::Never;
    let mut client = ClientLoop::new(options).unwrap();
    client.start();
    assert!(matches!(client.next(Some(PATIENCE)), Some(ClientEvent::Connected)));
    client
}

#[track_caller]
fn told(client: &mut ClientLoop<Bank>) -> Down {
    match client.next(Some(PATIENCE)) {
        Some(ClientEvent::Message(ServerToClient { messages: Some(message) })) => message,
        other => panic!("{other:?} instead of a message"),
    }
}

#[track_caller]
fn ended(client: &mut ClientLoop<Bank>) -> Reason {
    match client.next(Some(PATIENCE)) {
        Some(ClientEvent::Disconnected(reason)) => reason,
        other => panic!("{other:?} instead of the end"),
    }
}

fn failure(error: RunError) -> (String, Box<dyn std::error::Error + Send + Sync>) {
    let [failure] = <[_; 1]>::try_from(error.failures).expect("one failure");
    match failure.cause {
        Cause::Failed { handler, error } => (handler.to_owned(), error),
        other => panic!("{other}"),
    }
}

// --------------------------------------------------------------------------------------------------------------- tests

/// A handler hears of clients and their messages in order, answers one, tells all, and sends one away.
#[test]
fn handlers_talk_to_clients() {
    within("talk", || {
        let server = serve(patient());
        let port = server.port();
        let mut alice = plain_client(port);
        let at_alice = server.joined();
        let mut bob = plain_client(port);
        let at_bob = server.joined();
        assert_ne!(at_alice, at_bob);

        for number in 0..100 {
            alice.send(&up(Up::ShoutReq(ShoutReq { text: number.to_string() }))).unwrap();
        }
        alice.flush();
        for number in 0..100 {
            assert_eq!(server.next(), Seen::Shout(at_alice, number.to_string()));
        }
        server.send(&ToClient { to: To::One(at_bob), message: shout("to bob") });
        server.send(&ToClient { to: To::All, message: shout("to all") });
        assert_eq!(told(&mut bob), Down::ShoutInd(shout("to bob")));
        assert_eq!(told(&mut bob), Down::ShoutInd(shout("to all")));
        assert_eq!(told(&mut alice), Down::ShoutInd(shout("to all")));

        // What was sent before it still arrives.
        server.send(&ToClient { to: To::One(at_bob), message: shout("good-bye") });
        server.send(&Disconnect { client: at_bob });
        assert_eq!(server.next(), Seen::Left(at_bob, Reason::Requested));
        assert_eq!(told(&mut bob), Down::ShoutInd(shout("good-bye")));
        assert_eq!(ended(&mut bob), Reason::ConnectionClosed);

        // The next client gets another id, even in the same place, and the old one is refused.
        let mut carol = plain_client(port);
        let at_carol = server.joined();
        assert_ne!(at_carol, at_bob);
        server.send(&ToClient { to: To::One(at_bob), message: shout("still there?") });
        server.wait_for_report(&SendError::Gone.to_string());
        server.send(&ToClient { to: To::One(at_carol), message: shout("to carol") });
        assert_eq!(told(&mut carol), Down::ShoutInd(shout("to carol")));

        alice.finish();
        assert_eq!(server.next(), Seen::Left(at_alice, Reason::ConnectionClosed));
        server.stop();
        assert_eq!(ended(&mut carol), Reason::ConnectionClosed);
    });
}

/// The same handlers on another bus, and both ends of the network on buses.
#[test]
fn a_bus_talks_to_a_bus() {
    within("buses", || {
        let blocking = CondvarBus::new(CircularBus::new(1 << 20).unwrap());
        let server = run!(Serving, blocking, patient(), ClientOptions::new(ANY_PORT));
        let client = call(server.port());
        let at_client = server.joined();
        assert_eq!(client.next(), Seen::Up);
        for round in 0..100 {
            let text = round.to_string();
            client.send(&ToServer { message: ShoutReq { text: text.clone() } });
            assert_eq!(server.next(), Seen::Shout(at_client, text.clone()));
            server.send(&ToClient { to: To::One(at_client), message: shout(&text) });
            assert_eq!(client.next(), Seen::Told(text));
        }

        // The client comes back by itself.
        server.send(&Disconnect { client: at_client });
        assert_eq!(server.next(), Seen::Left(at_client, Reason::Requested));
        assert_eq!(client.next(), Seen::Down(Reason::ConnectionClosed));
        let again = server.joined();
        assert_eq!(client.next(), Seen::Up);

        // Stopped, it stays away; what is sent then is reported. Started, it comes back.
        client.send(&StopBridge {});
        assert_eq!(client.next(), Seen::Down(Reason::Requested));
        assert_eq!(server.next(), Seen::Left(again, Reason::ConnectionClosed));
        client.send(&ToServer { message: NopReq {} });
        client.wait_for_report(&SendError::NotConnected.to_string());
        client.send(&StartBridge {});
        let third = server.joined();
        assert_eq!(client.next(), Seen::Up);
        client.send(&ToServer { message: NopReq {} });
        assert_eq!(server.next(), Seen::Nop(third));
        client.stop();
        assert_eq!(server.next(), Seen::Left(third, Reason::ConnectionClosed));
        server.stop();
    });
}

#[test]
fn a_server_starts_and_stops_again_and_again() {
    within("again", || {
        // Kept for it, so that nobody else listens there when it does not.
        let place = Port::new();
        let mut options = patient_at(&place.uri());
        options.autostart = false;
        let server = serve(options);
        let mut old = Vec::new();
        for _ in 0..20 {
            server.send(&StartBridge {});
            let port = server.port();
            assert_eq!(port, place.number);
            // Started twice is started: it says again where it listens.
            server.send(&StartBridge {});
            assert_eq!(server.next(), Seen::Listening(port));
            let mut client = plain_client(port);
            let at = server.joined();
            assert!(!old.contains(&at), "an id of an earlier life");
            old.push(at);
            client.send(&up(Up::NopReq(NopReq {}))).unwrap();
            client.flush();
            assert_eq!(server.next(), Seen::Nop(at));
            server.send(&ToClient { to: To::All, message: NopRsp {} });
            server.send(&StopBridge {});
            server.send(&StopBridge {});
            assert_eq!(server.next(), Seen::Left(at, Reason::Requested));
            assert_eq!(told(&mut client), Down::NopRsp(NopRsp {}));
            assert_eq!(ended(&mut client), Reason::ConnectionClosed);
            assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "it still listens");
        }
        server.stop();
    });
}

#[test]
fn two_bridges_share_a_worker() {
    within("alone", || {
        let port = Port::new();
        let mut client = ClientOptions::new(port.uri());
        client.reconnect = Reconnect::Constant(Duration::from_millis(1));
        let both = run!(Alone, bus(), patient_at(&port.uri()), client);
        assert_eq!(both.port(), port.number);
        assert_eq!(both.next(), Seen::Up);
        for round in 0..100 {
            let text = round.to_string();
            both.send(&ToServer { message: ShoutReq { text: text.clone() } });
            assert!(matches!(both.next(), Seen::Shout(_, same) if same == text));
            both.send(&ToClient { to: To::All, message: shout(&text) });
            assert_eq!(both.next(), Seen::Told(text));
        }
        both.stop();
    });
}

/// C18. The bus is full for longer than a silent client may live: it stays connected, nothing is lost, nothing grows,
/// and another client is none the worse for it.
#[test]
fn a_full_bus_slows_a_client_down_and_loses_nothing() {
    /// Longer than the three seconds after which a server drops a client whose pings it does not see, and than the four
    /// after which a client drops a server that does not answer.
    const FULL: Duration = Duration::from_secs(5);
    /// 80 MB, in messages of 4000 bytes.
    const MANY: usize = 20_000;
    within("full", || {
        let (small, size) = (CircularBus::new(1 << 16).unwrap(), 4000);
        let server = run!(Serving, small, ServerOptions::new(ANY_PORT), ClientOptions::new(ANY_PORT));
        let port = server.port();
        let mut eager = plain_client(port);
        let at_eager = server.joined();
        let mut quiet = plain_client(port);
        let at_quiet = server.joined();

        let shut = server.gate.lock().unwrap();
        let begin = Instant::now();
        let mut sent = 0;
        let upload = up(Up::UploadReq(UploadReq { data: vec![1; size] }));
        let mut pump = |eager: &mut ClientLoop<Bank>| {
            // Not all of it at once: there is somebody else to look after.
            for _ in 0..100 {
                if sent == MANY || eager.try_send(&upload).is_err() {
                    break;
                }
                sent += 1;
            }
            let event = eager.next(Some(Duration::from_millis(1)));
            assert!(event.is_none(), "{event:?}");
            sent
        };
        let memory = resident();
        while begin.elapsed() < FULL {
            pump(&mut eager);
            let event = quiet.next(Some(Duration::from_millis(1)));
            assert!(event.is_none(), "{event:?}");
        }
        assert!(pump(&mut eager) < MANY, "{MANY} messages did not fill anything");
        let grown = resident().saturating_sub(memory);
        // The other tests of this process take some, too.
        assert!(grown < 40 << 20, "{grown} bytes more");
        drop(shut);
        let mut arrived = 0;
        while arrived < MANY {
            pump(&mut eager);
            // It goes on pinging, however long this takes.
            let event = quiet.next(Some(Duration::ZERO));
            assert!(event.is_none(), "{event:?}");
            for seen in server.seen.try_iter().take(100) {
                assert_eq!(seen, Seen::Upload(at_eager, size));
                arrived += 1;
            }
        }
        // Both are still there, and heard.
        quiet.send(&up(Up::NopReq(NopReq {}))).unwrap();
        quiet.flush();
        assert_eq!(server.next(), Seen::Nop(at_quiet));
        server.send(&ToClient { to: To::All, message: NopRsp {} });
        assert_eq!(told(&mut eager), Down::NopRsp(NopRsp {}));
        assert_eq!(told(&mut quiet), Down::NopRsp(NopRsp {}));
        server.stop();
    });
}

/// C18, for those who want to see it on the wire: a server that does not read says once a second that it is there.
#[test]
fn a_server_that_does_not_read_says_that_it_is_there() {
    within("pong", || {
        let small = CircularBus::new(1 << 12).unwrap();
        let server = run!(Serving, small, ServerOptions::new(ANY_PORT), ClientOptions::new(ANY_PORT));
        let mut socket = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        server.joined();
        let shut = server.gate.lock().unwrap();
        // Frames of 100 bytes in an upload, more than the bus has room for. No ping.
        let frame = support_frame(&up(Up::UploadReq(UploadReq { data: vec![0; 100] })));
        for _ in 0..200 {
            socket.write_all(&frame).unwrap();
        }
        let mut pongs = [0; 12];
        socket.read_exact(&mut pongs).unwrap();
        assert_eq!(pongs, [4, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0]);
        drop(shut);
        for _ in 0..200 {
            assert!(matches!(server.next(), Seen::Upload(_, 100)));
        }
        // From now on its clock runs again: without a ping it is dropped.
        assert!(matches!(server.next(), Seen::Left(_, Reason::KeepAliveTimeout)));
        server.stop();
    });
}

fn support_frame(message: &ClientToServer) -> Vec<u8> {
    use prost::Message;
    rust_messenger::__private::messi::frame(
        Wire::V2,
        rust_messenger::__private::messi::Kind::ClientToServer,
        &message.encode_to_vec(),
    )
}

/// C19. What is not on the list is no message from a remote peer, and whoever sends it is disconnected.
#[test]
fn only_what_is_allowed_comes_through() {
    within("allow", || {
        let mut options = patient();
        options.allow = Some(vec![FromClient::<NopReq>::ID]);
        let server = serve(options);
        let mut client = plain_client(server.port());
        let at = server.joined();
        client.send(&up(Up::NopReq(NopReq {}))).unwrap();
        client.send(&up(Up::ShoutReq(ShoutReq { text: "let me".to_owned() }))).unwrap();
        assert_eq!(ended(&mut client), Reason::ConnectionClosed);
        assert_eq!(server.next(), Seen::Nop(at));
        assert_eq!(server.next(), Seen::Left(at, Reason::NotAllowed));
        server.wait_for_report(Reason::NotAllowed.name());
        server.stop();

        // The other way round.
        let mut remote = ServerLoop::<Bank>::new(patient()).unwrap();
        let mut options = ClientOptions::new(format!("tcp://{}", remote.start().unwrap()));
        options.reconnect = Reconnect::Never;
        options.allow = Some(vec![FromServer::<NopRsp>::ID]);
        let client = run!(Calling, bus(), ServerOptions::new(ANY_PORT), options);
        let Some(ServerEvent::Connected { client: at, .. }) = remote.next(Some(PATIENCE)) else { panic!("nobody") };
        remote.send(at, &ServerToClient { messages: Some(Down::NopRsp(NopRsp {})) }).unwrap();
        remote.send(at, &ServerToClient { messages: Some(Down::ShoutInd(shout("hear me"))) }).unwrap();
        let event = remote.next(Some(PATIENCE));
        assert!(matches!(event, Some(ServerEvent::Disconnected { .. })), "{event:?}");
        assert_eq!([client.next(), client.next()], [Seen::Up, Seen::Told(String::new())]);
        assert_eq!(client.next(), Seen::Down(Reason::NotAllowed));
        client.stop();
    });
}

/// Whoever a user's code panics for, the others may not send more than before.
#[test]
fn a_turn_that_panics_leaves_the_list_as_it_was() {
    within("panic in a turn", || {
        let (port, seen) = (Port::new(), AtomicU32::new(0));
        let recorder = Recorder::new().with_clock(SystemClock);
        let wrote = |id: u16| recorder.messages().any(|(header, _)| header.message == id);
        let mut options = patient_at(&port.uri());
        options.allow = Some(vec![FromClient::<NopReq>::ID]);
        options.accept = Some(Arc::new(move |_| {
            assert_ne!(seen.fetch_add(1, Ordering::Relaxed), 1, "on purpose");
            true
        }));
        let mut server = Server::<Bank>::new(&options, &recorder);
        server.on_start(&recorder);
        let poller = server.poller().unwrap();
        let mut turns_until = |what: &str, is_so: &dyn Fn(bool) -> bool| {
            wait_until(what, || {
                let turn = catch_unwind(AssertUnwindSafe(|| server.on_loop(&recorder)));
                poller.wait(Some(Duration::from_millis(1)));
                is_so(turn.is_err())
            });
        };
        let mut first = TcpStream::connect(("127.0.0.1", port.number)).unwrap();
        turns_until("the first is in", &|_| wrote(ClientConnected::ID));
        let _second = TcpStream::connect(("127.0.0.1", port.number)).unwrap();
        turns_until("a turn panics", &|panicked| panicked);
        first.write_all(&support_frame(&up(Up::ShoutReq(ShoutReq { text: "let me".to_owned() })))).unwrap();
        let shout = FromClient::<ShoutReq>::ID;
        turns_until("it is judged", &|_| wrote(shout) || wrote(ClientDisconnected::ID));
        assert!(!wrote(shout), "what the list forbids came through");
    });
}

/// No client has the key 0: bytes that say so are damaged, or no message of ours.
#[test]
fn a_message_of_no_client_is_not_decoded() {
    use rust_messenger::traits::DeserializeFrom;
    let word = |key: u32, generation: u32| (u64::from(generation) << 32 | u64::from(key)).to_le_bytes();
    for (key, generation, is_one) in [(0, 0, false), (0, 5, false), (1, 0, true), (u32::MAX, 5, true)] {
        let bytes = word(key, generation);
        assert_eq!(FromClient::<NopReq>::try_deserialize_from(&bytes).is_ok(), is_one, "{key}");
        assert_eq!(Disconnect::try_deserialize_from(&bytes).is_ok(), is_one, "{key}");
    }
    assert!(FromClient::<NopReq>::try_deserialize_from(&[1, 0, 0]).is_err());
}

/// What a remote peer does wrong is reported once, and told to the handler as the reason.
#[test]
fn a_fault_is_reported_once() {
    within("fault", || {
        let server = serve(patient());
        let port = server.port();
        let faults: [(&[u8], Reason); 5] = [
            (&[1, 0, 0, 2, 0xFF, 0xFF], Reason::MessageDecodeError),
            (&[2, 0, 0, 0], Reason::Protocol),
            (b"GET / HTTP/1.1\r\n\r\n", Reason::MessageTooBig),
            (&[0x16, 3, 1, 0, 200], Reason::MessageTooBig),
            (&[9, 0, 0, 1], Reason::Protocol),
        ];
        for (bytes, reason) in faults {
            let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let at = server.joined();
            socket.write_all(bytes).unwrap();
            let mut answer = Vec::new();
            let _ = socket.read_to_end(&mut answer);
            assert_eq!(answer, b"", "nothing is echoed");
            assert_eq!(server.next(), Seen::Left(at, reason));
        }
        let reports = server.reports.lock().unwrap().clone();
        assert_eq!(reports.len(), faults.len(), "{reports:?}");
        assert!(reports.iter().zip(faults).all(|(report, (_, reason))| report.contains(reason.name())), "{reports:?}");
        server.stop();
    });
}

/// What cannot start fails by name, and says what to do.
#[test]
fn a_bridge_that_cannot_start_fails_the_messenger() {
    type Change = fn(&mut ServerOptions<Bank>);
    let serving = |change: Change| {
        let mut options = ServerOptions::new(ANY_PORT);
        change(&mut options);
        let (handler, error) = failure(serve(options).handles.join().unwrap_err());
        assert_eq!(handler, "bridge");
        *error.downcast::<SetupError>().unwrap()
    };
    assert!(matches!(serving(|o| o.uri = "udp://127.0.0.1:1".to_owned()), SetupError::Uri { .. }));
    assert!(matches!(serving(|o| o.uri = "tcp://0.0.0.0:0".to_owned()), SetupError::NotLoopback { .. }));
    assert!(matches!(serving(|o| o.uri = "tcp://:0".to_owned()), SetupError::NotLoopback { .. }));
    assert!(matches!(serving(|o| o.uri = "tcp://no.such.host.invalid:1".to_owned()), SetupError::Resolve { .. }));
    // A slot is an eighth of the ring.
    let too_large = serving(|o| o.max_frame = Some(1 << 17));
    assert!(matches!(too_large, SetupError::FrameTooLarge { max_frame: 0x20000, bus } if bus < 1 << 17));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let server = serve(ServerOptions::new(format!("tcp://127.0.0.1:{port}")));
    let (_, error) = failure(server.handles.join().unwrap_err());
    assert!(matches!(*error.downcast::<SetupError>().unwrap(), SetupError::Listen { .. }));

    let calling = |uri: &str, wires| {
        let mut options = ClientOptions::new(uri);
        options.connection.wires = wires;
        let client = run!(Calling, bus(), ServerOptions::new(ANY_PORT), options);
        *failure(client.handles.join().unwrap_err()).1.downcast::<SetupError>().unwrap()
    };
    assert!(matches!(calling("tcp://127.0.0.1:0", Wires::default()), SetupError::Uri { .. }));
    assert!(matches!(calling("tcp://:1", Wires::default()), SetupError::Uri { .. }));
    let auto = calling("tcp://127.0.0.1:1", Wires::Auto { v1: Wire::V1b });
    assert!(matches!(auto, SetupError::AutoIsForServers));
}

/// What was sent before the stop of the messenger arrives.
#[test]
fn a_stop_sends_what_was_sent_before() {
    within("stop", || {
        let mut options = patient();
        options.linger = PATIENCE;
        let server = serve(options);
        let mut client = plain_client(server.port());
        let at = server.joined();
        for round in 0..20 {
            server.send(&ToClient { to: To::One(at), message: DownloadRsp { data: vec![round; 40_000] } });
        }
        // Meanwhile, for the system need not have room for all of it.
        let reader = std::thread::spawn(move || {
            for round in 0..20 {
                assert_eq!(told(&mut client), Down::DownloadRsp(DownloadRsp { data: vec![round; 40_000] }));
            }
            assert_eq!(ended(&mut client), Reason::ConnectionClosed);
        });
        server.stop();
        reader.join().unwrap();
    });
}

/// A client that cannot connect says so, and goes on trying.
#[test]
fn attempts_to_connect_are_reported() {
    within("refused", || {
        let port = Port::new();
        let client = call(port.number);
        client.wait_for_report("not connected to");
        let mut options = patient_at(&port.uri());
        options.max_clients = 1;
        let server = serve(options);
        assert_eq!(server.port(), port.number);
        server.joined();
        assert_eq!(client.next(), Seen::Up);
        client.stop();
        server.stop();
    });
}

/// [`NetworkError`]s come to the callback as they are, not only as text.
#[test]
fn reports_are_typed() {
    within("typed", || {
        let found = Arc::new(Mutex::new(false));
        let note = Arc::clone(&found);
        let on_report = Arc::new(move |report: &Report| {
            if let Report::Network { source, error } = report
                && *source == Bank::SERVER
            {
                let unsent = error.downcast_ref::<NetworkError>();
                *note.lock().unwrap() |= matches!(unsent, Some(NetworkError::Dropped { reason: Reason::Protocol, .. }));
            }
        });
        let (config, seen) = config(ServerOptions::new(ANY_PORT), ClientOptions::new(ANY_PORT));
        let messenger = Serving::with_options(bus(), Options { on_report: Some(on_report), ..Options::default() });
        let handles = messenger.run(&config);
        let Seen::Listening(port) = seen.recv_timeout(PATIENCE).unwrap() else { panic!("not listening") };
        TcpStream::connect(("127.0.0.1", port)).unwrap().write_all(&[7, 0, 0, 0]).unwrap();
        wait_until("the report comes", || *found.lock().unwrap());
        messenger.stop();
        handles.join().unwrap();
    });
}

/// While a full bus has no room for what there is to say of connections, none are made.
#[test]
fn a_client_on_a_full_bus_does_not_come_back() {
    within("stay", || {
        let mut server = ServerLoop::<Bank>::new(patient()).unwrap();
        let mut options = ClientOptions::new(format!("tcp://{}", server.start().unwrap()));
        options.reconnect = Reconnect::Constant(Duration::ZERO);
        let client = run!(Calling, CircularBus::new(1 << 12).unwrap(), ServerOptions::new(ANY_PORT), options);
        let shut = client.gate.lock().unwrap();
        let mut come = 0;
        let mut serve = |time| {
            let begin = Instant::now();
            while begin.elapsed() < time {
                if let Some(ServerEvent::Connected { client, .. }) = server.next(Some(Duration::from_millis(1))) {
                    server.disconnect(client);
                    come += 1;
                }
            }
            come
        };
        // Each takes two messages of 32 bytes, of which the bus holds 128.
        wait_until("it comes", || serve(Duration::from_millis(1)) != 0);
        let come = serve(Duration::from_secs(2));
        assert!(come <= 100, "came {come} times");
        drop(shut);
        // Some are with the handler already, and then there is room again.
        wait_until("it comes again", || serve(Duration::from_millis(1)) > come + 100);
        client.stop();
    });
}
