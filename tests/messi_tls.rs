//! TLS under the bridge, with certificates made on the spot: over real sockets, and over the network in memory of
//! `support/sim_net.rs` where it matters which bytes are there when.

#![cfg(all(feature = "tls", not(miri)))]

#[path = "../examples/bank/bank.rs"]
mod bank;
#[path = "support/sim_net.rs"]
mod sim_net;
mod support;

use bank::{
    Bank, ClientToServer, DownloadRsp, ServerToClient, UploadReq, client_to_server::Messages as Up,
    server_to_client::Messages as Down,
};
use prost::Message;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rust_messenger::__private::messi::{Kind, Net, frame};
use rust_messenger::messi::tls::rustls::crypto::ring::default_provider;
use rust_messenger::messi::tls::rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rust_messenger::messi::tls::rustls::{ClientConfig, ClientConnection, RootCertStore};
use rust_messenger::messi::{
    ClientEvent, ClientLoop, ClientOptions, Layer, NetworkError, Reason, Reconnect, ServerEvent, ServerLoop,
    ServerOptions, SetupError, Wire,
};
use rust_messenger::traits::Time;
use sim_net::{SimNet, SimSocket, World};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use support::{PATIENCE, within};

/// Somebody who signs certificates.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM text.
struct Identity {
    chain: String,
    key: String,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { pem, issuer: Issuer::new(params, key) }
    }

    fn sign(&self, names: &[&str], usage: ExtendedKeyUsagePurpose) -> Identity {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        Identity { chain: params.signed_by(&key, &self.issuer).unwrap().pem(), key: key.serialize_pem() }
    }

    fn server(&self) -> Identity {
        self.sign(&["localhost", "127.0.0.1"], ExtendedKeyUsagePurpose::ServerAuth)
    }

    fn client(&self) -> Identity {
        self.sign(&["alice"], ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn roots(&self) -> &[u8] {
        self.pem.as_bytes()
    }
}

impl Identity {
    fn pair(&self) -> (&[u8], &[u8]) {
        (self.chain.as_bytes(), self.key.as_bytes())
    }
}

fn server_layer(identity: &Identity, client_roots: Option<&[u8]>) -> Layer {
    Layer::tls_server(identity.chain.as_bytes(), identity.key.as_bytes(), client_roots).unwrap()
}

fn server(layer: Option<Layer>) -> (ServerLoop<Bank>, SocketAddr) {
    let mut options = ServerOptions::new("tcp://127.0.0.1:0");
    options.layer = layer;
    options.connection.keep_alive = None;
    options.connection.handshake_time = PATIENCE;
    options.connection.max_frame = 4 << 20;
    options.connection.max_pending = 8 << 20;
    let mut server = ServerLoop::new(options).unwrap();
    let address = server.start().unwrap();
    (server, address)
}

fn client(address: SocketAddr, layer: Option<Layer>) -> ClientLoop<Bank> {
    let mut options = ClientOptions::new(format!("tcp://{address}"));
    options.layer = layer;
    options.reconnect = Reconnect::Never;
    options.connection.keep_alive = None;
    options.connection.max_frame = 4 << 20;
    options.connection.max_pending = 8 << 20;
    let mut client = ClientLoop::new(options).unwrap();
    client.start();
    client
}

/// Serves uploads with downloads of the same bytes until `ends` connections have ended; what else happened.
fn echo(mut server: ServerLoop<Bank>, ends: usize) -> thread::JoinHandle<Vec<String>> {
    thread::spawn(move || {
        let mut log = Vec::new();
        let mut ended = 0;
        while ended < ends {
            match server.next(Some(PATIENCE)).expect("something happens") {
                ServerEvent::Connected { .. } => log.push("connected".to_owned()),
                ServerEvent::Message { client, message } => {
                    let Some(Up::UploadReq(upload)) = message.messages else { panic!("only uploads") };
                    let messages = Some(Down::DownloadRsp(DownloadRsp { data: upload.data }));
                    server.send(client, &ServerToClient { messages }).unwrap();
                }
                ServerEvent::Disconnected { reason, .. } => {
                    log.push(reason.name().to_owned());
                    ended += 1;
                }
                ServerEvent::Trouble(trouble) => {
                    log.push(trouble.to_string());
                    ended += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        log
    })
}

fn upload(data: Vec<u8>) -> ClientToServer {
    ClientToServer { messages: Some(Up::UploadReq(UploadReq { data })) }
}

fn expect_connected(client: &mut ClientLoop<Bank>) {
    let event = client.next(Some(PATIENCE));
    assert!(matches!(event, Some(ClientEvent::Connected)), "{event:?}");
}

#[test]
fn messages_of_all_sizes_go_both_ways() {
    within("tls", || {
        let authority = Authority::new();
        let (server, address) = server(Some(server_layer(&authority.server(), None)));
        let served = echo(server, 1);
        let mut client = client(address, Some(Layer::tls_client(authority.roots(), None).unwrap()));
        expect_connected(&mut client);
        // All at once, so that records, reads and frames end in different places.
        let sizes = [0, 1, 100, 16_383, 16_384, 16_385, 100_000, 1_000_000, 3_000_000, 5];
        let data = |size: usize| (0..size).map(|at| (at * 31 + size) as u8).collect::<Vec<_>>();
        for size in sizes {
            client.send(&upload(data(size))).unwrap();
        }
        for size in sizes {
            let Some(ClientEvent::Message(message)) = client.next(Some(PATIENCE)) else { panic!("an answer") };
            let Some(Down::DownloadRsp(answer)) = message.messages else { panic!("a download") };
            assert!(answer.data == data(size), "{size} bytes came back changed");
        }
        client.finish();
        assert_eq!(served.join().unwrap(), ["connected", "connection_closed"]);
    });
}

/// The host in the URI is what the certificate must be for, and its root must be known.
#[test]
fn a_server_of_somebody_else_is_refused() {
    within("tls", || {
        let (authority, other) = (Authority::new(), Authority::new());
        let elsewhere = authority.sign(&["elsewhere.example"], ExtendedKeyUsagePurpose::ServerAuth);
        // Another name of this very machine is not the one in the URI, which is an address.
        let by_name = authority.sign(&["localhost"], ExtendedKeyUsagePurpose::ServerAuth);
        for (identity, roots) in [(authority.server(), &other), (elsewhere, &authority), (by_name, &authority)] {
            let (server, address) = server(Some(server_layer(&identity, None)));
            let served = echo(server, 1);
            let mut client = client(address, Some(Layer::tls_client(roots.roots(), None).unwrap()));
            let event = client.next(Some(PATIENCE));
            let Some(ClientEvent::Trouble(NetworkError::Connect { error, .. })) = event else { panic!("{event:?}") };
            assert!(error.to_string().contains("certificate"), "{error}");
            let log = served.join().unwrap();
            assert!(log[0].contains("before its first frame"), "{log:?}");
        }
    });
}

#[test]
fn clients_without_a_certificate_are_refused_if_one_is_asked_for() {
    within("tls", || {
        let (authority, other) = (Authority::new(), Authority::new());
        let layer = server_layer(&authority.server(), Some(authority.roots()));
        let stranger = other.client();
        for identity in [None, Some(stranger.pair())] {
            let (server, address) = server(Some(layer.clone()));
            let served = echo(server, 1);
            let mut client = client(address, Some(Layer::tls_client(authority.roots(), identity).unwrap()));
            // By the protocol, a client hears of it only after its own handshake is done.
            expect_connected(&mut client);
            let event = client.next(Some(PATIENCE));
            assert!(matches!(event, Some(ClientEvent::Disconnected(Reason::ConnectionClosed))), "{event:?}");
            let log = served.join().unwrap();
            assert!(log[0].contains("before its first frame"), "{log:?}");
        }

        let friend = authority.client();
        let (server, address) = server(Some(layer));
        let served = echo(server, 1);
        let mut client = client(address, Some(Layer::tls_client(authority.roots(), Some(friend.pair())).unwrap()));
        expect_connected(&mut client);
        client.send(&upload(vec![7; 10])).unwrap();
        assert!(matches!(client.next(Some(PATIENCE)), Some(ClientEvent::Message(_))));
        client.finish();
        assert_eq!(served.join().unwrap(), ["connected", "connection_closed"]);
    });
}

/// One side speaks TLS, the other does not.
#[test]
fn plain_and_tls_do_not_mix() {
    within("tls", || {
        let authority = Authority::new();
        let (tls_server, address) = server(Some(server_layer(&authority.server(), None)));
        let served = echo(tls_server, 1);
        // A ping is no client hello.
        let mut plain = TcpStream::connect(address).unwrap();
        plain.write_all(&[3, 0, 0, 0, 3, 0, 0, 0]).unwrap();
        let mut answer = Vec::new();
        let _ = plain.read_to_end(&mut answer);
        assert!(!answer.starts_with(&[4]), "a pong");
        assert!(served.join().unwrap()[0].contains("before its first frame"));

        let (plain_server, address) = server(None);
        let served = echo(plain_server, 1);
        let mut client = client(address, Some(Layer::tls_client(authority.roots(), None).unwrap()));
        let event = client.next(Some(PATIENCE));
        assert!(matches!(event, Some(ClientEvent::Trouble(NetworkError::Connect { .. }))), "{event:?}");
        assert_eq!(served.join().unwrap(), ["connected", "protocol"]);
    });
}

/// A connection on which nobody says hello costs no more than its time.
#[test]
fn a_handshake_that_never_ends_is_ended() {
    within("tls", || {
        let authority = Authority::new();
        let mut options = ServerOptions::<Bank>::new("tcp://127.0.0.1:0");
        options.layer = Some(server_layer(&authority.server(), None));
        options.connection.handshake_time = Duration::from_millis(50);
        let mut server = ServerLoop::new(options).unwrap();
        let address = server.start().unwrap();
        let mut silent = TcpStream::connect(address).unwrap();
        let event = server.next(Some(PATIENCE));
        assert!(matches!(event, Some(ServerEvent::Trouble(NetworkError::Handshake { .. }))), "{event:?}");
        assert_eq!(silent.read(&mut [0]).unwrap(), 0);
        assert_eq!(server.clients().count(), 0);
    });
}

/// What was sent before a disconnect arrives, encrypted or not.
#[test]
fn a_disconnect_comes_after_what_was_sent() {
    within("tls", || {
        let authority = Authority::new();
        let (mut server, address) = server(Some(server_layer(&authority.server(), None)));
        let served = thread::spawn(move || {
            loop {
                match server.next(Some(PATIENCE)).unwrap() {
                    ServerEvent::Connected { client, .. } => {
                        let messages = Some(Down::DownloadRsp(DownloadRsp { data: vec![9; 2_000_000] }));
                        server.send(client, &ServerToClient { messages }).unwrap();
                        server.disconnect(client);
                    }
                    ServerEvent::Disconnected { reason, .. } => {
                        server.finish();
                        return reason;
                    }
                    other => panic!("{other:?}"),
                }
            }
        });
        let mut client = client(address, Some(Layer::tls_client(authority.roots(), None).unwrap()));
        expect_connected(&mut client);
        let Some(ClientEvent::Message(message)) = client.next(Some(PATIENCE)) else { panic!("a download") };
        let Some(Down::DownloadRsp(answer)) = message.messages else { panic!("a download") };
        assert_eq!(answer.data.len(), 2_000_000);
        let event = client.next(Some(PATIENCE));
        assert!(matches!(event, Some(ClientEvent::Disconnected(Reason::ConnectionClosed))), "{event:?}");
        assert_eq!(served.join().unwrap(), Reason::Requested);
    });
}

// ------------------------------------------------------------------------------------------ which bytes are there when

const URI: &str = "tcp://127.0.0.1:4000";

/// A server over TLS in a world in which time stands still, and what happened at it.
struct Sealed {
    world: World,
    node: usize,
    authority: Authority,
    server: ServerLoop<Bank, SimNet>,
    events: Vec<ServerEvent<Bank>>,
}

impl Sealed {
    fn new() -> Sealed {
        let (world, authority) = (World::new(1), Authority::new());
        let net = world.node();
        let node = net.number();
        let mut options = ServerOptions::new(URI);
        options.layer = Some(server_layer(&authority.server(), None));
        let mut server = ServerLoop::on(net, options);
        server.start().unwrap();
        Sealed { world, node, authority, server, events: Vec::new() }
    }

    fn connect(&self) -> SimSocket {
        let socket = self.world.node().connect("127.0.0.1:4000".parse().unwrap()).unwrap();
        self.world.set_capacity(usize::MAX);
        socket
    }

    /// A client by rustls alone: what it sends is the test's to say.
    fn peer(&self) -> Peer {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.roots()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let mut tls = ClientConnection::new(Arc::new(config), name).unwrap();
        tls.set_buffer_limit(None);
        Peer { tls, socket: self.connect() }
    }

    /// One that is connected, and has heard all that the server says by itself.
    fn connected_peer(&mut self) -> Peer {
        let mut peer = self.peer();
        while peer.tls.is_handshaking() || peer.tls.wants_write() {
            peer.push();
            self.settle();
            peer.pull();
        }
        assert!(matches!(self.events[..], [ServerEvent::Connected { .. }]), "{:?}", self.events);
        peer
    }

    /// Does all there is to do.
    fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 10_000, "it is never done: a hot loop");
            while let Some(event) = self.server.next(Some(Duration::ZERO)) {
                self.events.push(event);
            }
            let is_due = |deadline: Time| deadline.as_nanos() <= self.world.now();
            if !self.world.has_ready(self.node) && !self.server.next_deadline().is_some_and(is_due) {
                return;
            }
        }
    }

    fn uploads(&self) -> Vec<usize> {
        let upload = |event: &ServerEvent<Bank>| match event {
            ServerEvent::Message { message: ClientToServer { messages: Some(Up::UploadReq(it)) }, .. } => {
                Some(it.data.len())
            }
            _ => None,
        };
        self.events.iter().filter_map(upload).collect()
    }
}

struct Peer {
    tls: ClientConnection,
    socket: SimSocket,
}

impl Peer {
    /// Sends all that there is to send.
    fn push(&mut self) {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.socket).unwrap();
        }
    }

    /// Reads all that has come, and says what that was.
    fn pull(&mut self) -> Vec<u8> {
        let mut plain = Vec::new();
        loop {
            match self.tls.read_tls(&mut self.socket) {
                Ok(0) => return plain,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return plain,
                Err(error) => panic!("{error}"),
            }
            self.tls.process_new_packets().unwrap();
            // `WouldBlock` is the end of what has come so far.
            let _ = self.tls.reader().read_to_end(&mut plain);
        }
    }
}

/// An upload as a frame of so many bytes in all.
fn upload_of(bytes: usize) -> Vec<u8> {
    let bare = |data| frame(Wire::V2, Kind::ClientToServer, &upload(vec![3; data]).encode_to_vec());
    let overhead = bare(bytes).len() - bytes;
    let found = (0..8).map(|less| bare(bytes - overhead + less)).find(|frame| frame.len() == bytes);
    found.expect("a frame of this size")
}

/// The last bytes of the handshake and the first message come in one piece, and nothing comes after it.
#[test]
fn what_comes_with_the_end_of_the_handshake_is_heard() {
    let mut sealed = Sealed::new();
    let mut peer = sealed.peer();
    // Kept until there is a key for it.
    peer.tls.writer().write_all(&upload_of(100)).unwrap();
    peer.push();
    sealed.settle();
    peer.pull();
    assert!(!peer.tls.is_handshaking() && sealed.events.is_empty());
    peer.push();
    sealed.settle();
    assert_eq!(sealed.uploads().len(), 1, "{:?}", sealed.events);
}

/// More is decrypted than fits where it is read to. No event tells of the rest.
#[test]
fn what_is_decrypted_beyond_what_is_read_is_heard() {
    /// What the loop reads at once, which is eight of the largest records.
    const READ: usize = 128 << 10;
    let mut sealed = Sealed::new();
    let mut peer = sealed.connected_peer();
    // The first record shifts the others: the last one ends beyond.
    for size in [1000, READ] {
        peer.tls.writer().write_all(&upload_of(size)).unwrap();
    }
    peer.push();
    sealed.settle();
    assert_eq!(sealed.uploads().len(), 2, "{:?}", sealed.uploads());
}

/// The session has taken all of it, the socket has not, and nothing else happens that would make anybody look again.
#[test]
fn what_the_session_still_holds_is_sent_when_there_is_room() {
    let mut sealed = Sealed::new();
    let mut peer = sealed.connected_peer();
    sealed.world.set_capacity(100);
    let client = sealed.server.clients().next().unwrap();
    let answer = ServerToClient { messages: Some(Down::DownloadRsp(DownloadRsp { data: vec![9; 5000] })) };
    sealed.server.send(client, &answer).unwrap();
    let mut got = Vec::new();
    for _ in 0..100 {
        sealed.settle();
        got.extend(peer.pull());
    }
    assert!(got == frame(Wire::V2, Kind::ServerToClient, &answer.encode_to_vec()), "{} bytes", got.len());
}

/// By its word, not by the end of the stream alone, which somebody in between could make.
#[test]
fn the_end_is_said_before_it_is_made() {
    let mut sealed = Sealed::new();
    let mut peer = sealed.connected_peer();
    let client = sealed.server.clients().next().unwrap();
    sealed.server.disconnect(client);
    sealed.settle();
    peer.pull();
    assert!(peer.tls.process_new_packets().unwrap().peer_has_closed());
}

/// What is no TLS is answered with an alert.
#[test]
fn a_stranger_is_told_what_is_wrong() {
    let mut sealed = Sealed::new();
    let mut stranger = sealed.connect();
    stranger.write_some(b"GET / HTTP/1.1\r\n\r\n");
    sealed.settle();
    assert!(matches!(sealed.events[..], [ServerEvent::Trouble(NetworkError::Handshake { .. })]), "{:?}", sealed.events);
    let (answer, is_over) = stranger.read_all();
    assert!(answer.starts_with(&[21]) && is_over, "{answer:?}");
}

/// It is not waited for until its time is over.
#[test]
fn an_end_in_the_handshake_is_the_end() {
    let mut sealed = Sealed::new();
    let mut peer = sealed.peer();
    let mut hello = Vec::new();
    peer.tls.write_tls(&mut hello).unwrap();
    for part in [0, 20, hello.len()] {
        let mut socket = sealed.connect();
        socket.write_some(&hello[..part]);
        sealed.settle();
        socket.read_all();
        drop(socket);
        sealed.settle();
        let event = sealed.events.pop();
        assert!(matches!(event, Some(ServerEvent::Trouble(NetworkError::Handshake { .. }))), "{part}: {event:?}");
    }
}

#[test]
fn unusable_certificates_are_errors() {
    let authority = Authority::new();
    let (one, another) = (authority.server(), authority.server());
    let pem = |result: Result<Layer, SetupError>| matches!(result, Err(SetupError::Pem { .. }));
    assert!(pem(Layer::tls_server(b"", one.key.as_bytes(), None)));
    assert!(pem(Layer::tls_server(one.chain.as_bytes(), b"nothing", None)));
    assert!(pem(Layer::tls_server(one.chain.as_bytes(), one.key.as_bytes(), Some(b"no roots"))));
    assert!(pem(Layer::tls_client(b"no roots", None)));
    let mixed = Layer::tls_server(one.chain.as_bytes(), another.key.as_bytes(), None);
    assert!(matches!(mixed, Err(SetupError::Tls(_))), "{mixed:?}");
    // TLS changes nothing about where a server may listen.
    let mut open = ServerOptions::<Bank>::new("tcp://0.0.0.0:0");
    open.layer = Some(server_layer(&one, None));
    assert!(matches!(ServerLoop::new(open).unwrap().start(), Err(SetupError::NotLoopback { .. })));
}
