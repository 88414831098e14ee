//! TLS under the bridge, over real sockets, with certificates made on the spot.

#![cfg(all(feature = "tls", not(miri)))]

#[path = "../examples/bank/bank.rs"]
mod bank;
mod support;

use bank::{
    Bank, ClientToServer, DownloadRsp, ServerToClient, UploadReq, client_to_server::Messages as Up,
    server_to_client::Messages as Down,
};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rust_messenger::messi::tls::{self, TlsError};
use rust_messenger::messi::{
    ClientEvent, ClientLoop, ClientOptions, Layer, NetworkError, Reason, Reconnect, ServerEvent, ServerLoop,
    ServerOptions, StartError,
};
use std::io::{Read, Write};
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

fn server_layer(identity: &Identity, client_roots: Option<&[u8]>) -> Arc<dyn Layer> {
    tls::server(identity.chain.as_bytes(), identity.key.as_bytes(), client_roots).unwrap()
}

fn server(layer: Option<Arc<dyn Layer>>) -> (ServerLoop<Bank>, SocketAddr) {
    let mut options = ServerOptions::new("tcp://127.0.0.1:0");
    options.layer = layer;
    options.connection.max_frame = 4 << 20;
    options.connection.max_pending = 8 << 20;
    let mut server = ServerLoop::new(options).unwrap();
    let address = server.start().unwrap();
    (server, address)
}

fn client(address: SocketAddr, layer: Option<Arc<dyn Layer>>) -> ClientLoop<Bank> {
    let mut options = ClientOptions::new(format!("tcp://{address}"));
    options.layer = layer;
    options.reconnect = Reconnect::Never;
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
        let mut client = client(address, Some(tls::client(authority.roots(), None).unwrap()));
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
        for (identity, roots) in [(authority.server(), &other), (elsewhere, &authority)] {
            let (server, address) = server(Some(server_layer(&identity, None)));
            let served = echo(server, 1);
            let mut client = client(address, Some(tls::client(roots.roots(), None).unwrap()));
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
            let (server, address) = server(Some(Arc::clone(&layer)));
            let served = echo(server, 1);
            let mut client = client(address, Some(tls::client(authority.roots(), identity).unwrap()));
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
        let mut client = client(address, Some(tls::client(authority.roots(), Some(friend.pair())).unwrap()));
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
        let mut client = client(address, Some(tls::client(authority.roots(), None).unwrap()));
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
        let mut client = client(address, Some(tls::client(authority.roots(), None).unwrap()));
        expect_connected(&mut client);
        let Some(ClientEvent::Message(message)) = client.next(Some(PATIENCE)) else { panic!("a download") };
        let Some(Down::DownloadRsp(answer)) = message.messages else { panic!("a download") };
        assert_eq!(answer.data.len(), 2_000_000);
        let event = client.next(Some(PATIENCE));
        assert!(matches!(event, Some(ClientEvent::Disconnected(Reason::ConnectionClosed))), "{event:?}");
        assert_eq!(served.join().unwrap(), Reason::Requested);
    });
}

#[test]
fn unusable_certificates_are_errors() {
    let authority = Authority::new();
    let (one, another) = (authority.server(), authority.server());
    let pem = |result: Result<Arc<dyn Layer>, TlsError>| matches!(result, Err(TlsError::Pem { .. }));
    assert!(pem(tls::server(b"", one.key.as_bytes(), None)));
    assert!(pem(tls::server(one.chain.as_bytes(), b"nothing", None)));
    assert!(pem(tls::server(one.chain.as_bytes(), one.key.as_bytes(), Some(b"no roots"))));
    assert!(pem(tls::client(b"no roots", None)));
    let mixed = tls::server(one.chain.as_bytes(), another.key.as_bytes(), None);
    assert!(matches!(mixed, Err(TlsError::Rustls(_))), "{mixed:?}");
    // TLS changes nothing about where a server may listen.
    let mut open = ServerOptions::<Bank>::new("tcp://0.0.0.0:0");
    open.layer = Some(server_layer(&one, None));
    assert!(matches!(ServerLoop::new(open).unwrap().start(), Err(StartError::NotLoopback { .. })));
}
