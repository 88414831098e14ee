//! A server and a client under attack and under load, over real sockets.

#![cfg(all(feature = "messi", unix, not(miri)))]

#[path = "../examples/bank/bank.rs"]
mod bank;
mod support;

use bank::{
    Bank, ClientToServer, DownloadRsp, NopReq, NopRsp, ServerToClient, client_to_server::Messages as Up,
    server_to_client::Messages as Down,
};
use prost::Message;
use rust_messenger::__private::messi::{Kind, frame};
use rust_messenger::messi::{
    ClientEvent, ClientLoop, ClientOptions, Reason, Reconnect, SendError, ServerEvent, ServerLoop, ServerOptions,
    SetupError, Wire,
};
use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};
use support::{PATIENCE, processor_time, resident, skip, wait_until, within};

// ------------------------------------------------------------------------------------------------------------- helpers

/// Tests that count descriptors, memory or time of the process take turns.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Descriptors for so many connections, both ends of them in this process. With fewer a test would prove less than it
/// says, so there must be as many.
#[track_caller]
fn make_room_for(connections: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let needed = 2 * connections as u64 + 200;
    let allowed = getrlimit(Resource::Nofile).maximum;
    // The soft limit is often a thousand and the hard one a matter of asking, which root may raise, too.
    let most = allowed.map(|allowed| allowed.max(needed));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most });
    assert!(raised.is_ok(), "{needed} descriptors are needed, and {allowed:?} allowed: raise the limit, `ulimit -Hn`");
}

/// A server that ends nobody for being slow: nobody here pings, and a slow machine takes longer than three seconds.
fn options() -> ServerOptions<Bank> {
    let mut options = ServerOptions::new("tcp://127.0.0.1:0");
    options.connection.keep_alive = None;
    options.connection.handshake_time = PATIENCE;
    options
}

/// What a server that answers every [`NopReq`] has seen when it is stopped.
#[derive(Debug, Default)]
struct Seen {
    connected: usize,
    nops: usize,
    ended: HashMap<&'static str, usize>,
    troubles: usize,
}

/// A server on a thread of its own that answers, until it is asked what it has seen. By then all clients must be gone.
struct Answering {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<Seen>>,
}

fn answering(options: ServerOptions<Bank>) -> Answering {
    let mut server = ServerLoop::new(options).unwrap();
    let address = server.start().unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&over);
    let answer = ServerToClient { messages: Some(Down::NopRsp(NopRsp {})) };
    let thread = thread::spawn(move || {
        let mut seen = Seen::default();
        // Those that have gone are still heard of.
        loop {
            let over = stop.load(Ordering::Acquire) && server.clients().next().is_none();
            match server.next(Some(Duration::from_millis(20))) {
                Some(ServerEvent::Connected { .. }) => seen.connected += 1,
                Some(ServerEvent::Message { client, .. }) => {
                    seen.nops += 1;
                    // It may have gone meanwhile.
                    let _ = server.send(client, &answer);
                }
                Some(ServerEvent::Disconnected { reason, .. }) => *seen.ended.entry(reason.name()).or_default() += 1,
                Some(_) => seen.troubles += 1,
                None if over => return seen,
                None => {}
            }
        }
    });
    Answering { address, over, thread: Some(thread) }
}

impl Answering {
    fn seen(mut self) -> Seen {
        self.over.store(true, Ordering::Release);
        self.thread.take().unwrap().join().unwrap()
    }
}

fn nop() -> Vec<u8> {
    let message = ClientToServer { messages: Some(Up::NopReq(NopReq {})) };
    frame(Wire::V2, Kind::ClientToServer, &message.encode_to_vec())
}

fn nop_answer() -> Vec<u8> {
    let message = ServerToClient { messages: Some(Down::NopRsp(NopRsp {})) };
    frame(Wire::V2, Kind::ServerToClient, &message.encode_to_vec())
}

const PING: [u8; 4] = [3, 0, 0, 0];

fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// One question, one answer; how long that took.
fn ask(socket: &mut TcpStream) -> Duration {
    let (begin, answer) = (Instant::now(), nop_answer());
    socket.write_all(&nop()).unwrap();
    let mut bytes = vec![0; answer.len()];
    loop {
        socket.read_exact(&mut bytes[..4]).unwrap();
        if bytes[0] == 2 {
            break;
        }
        assert_eq!(bytes[..4], [4, 0, 0, 0], "neither an answer nor a pong");
    }
    socket.read_exact(&mut bytes[4..]).unwrap();
    assert_eq!(bytes, answer);
    begin.elapsed()
}

/// Reads to the end; an end by a reset is one, too.
fn read_to_end(socket: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match socket.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
    bytes
}

fn descriptors() -> usize {
    if cfg!(target_os = "linux") { std::fs::read_dir("/proc/self/fd").expect("Linux has /proc").count() } else { 0 }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

// ---------------------------------------------------------------------------------------------------------------- load

/// C11. A thousand clients with a hundred round trips each, while ten thousand garbage connections come and go: no
/// error for the honest, no descriptor or memory left behind.
#[test]
fn a_thousand_honest_clients_among_garbage() {
    const HONEST: usize = 1000;
    const TRIPS: usize = 100;
    const GARBAGE: usize = 10_000;
    let _alone = alone();
    within("load", || {
        make_room_for(HONEST);
        let mut options = options();
        options.max_clients = 5000;
        let server = answering(options);
        let address = server.address;
        ask(&mut connect(address));
        let (files, memory) = (descriptors(), resident());

        let honest = thread::spawn(move || {
            let mut sockets: Vec<_> = (0..HONEST).map(|_| connect(address)).collect();
            let (question, answer) = (nop(), nop_answer());
            let mut bytes = vec![0; answer.len()];
            let mut slowest = Vec::new();
            for _ in 0..TRIPS {
                let begin = Instant::now();
                for socket in &mut sockets {
                    socket.write_all(&question).unwrap();
                }
                for socket in &mut sockets {
                    socket.read_exact(&mut bytes).unwrap();
                    assert_eq!(bytes, answer);
                }
                slowest.push(begin.elapsed());
            }
            median(slowest)
        });
        let garbage = thread::spawn(move || {
            let rubbish: [&[u8]; 6] =
                [b"", b"GET / HTTP/1.0\r\n\r\n", &[0xFF; 100], &[1, 0, 0, 3, 1, 2], &[2, 0, 0, 0], &[1, 0, 0, 1, 0xFF]];
            for number in 0..GARBAGE {
                let mut socket = TcpStream::connect(address).unwrap();
                let _ = socket.write_all(rubbish[number % rubbish.len()]);
                if number % 2 == 0 {
                    // Closed with a reset.
                    socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
                }
            }
        });
        let round = honest.join().unwrap();
        garbage.join().unwrap();
        println!("median of rounds with {HONEST} clients: {round:?}");
        wait_until("all descriptors are back", || descriptors() <= files);
        let grown = resident().saturating_sub(memory);
        assert!(grown < 16 << 20, "{grown} bytes are left behind");
        let seen = server.seen();
        assert_eq!(seen.nops, HONEST * TRIPS + 1);
        assert_eq!(seen.ended.values().sum::<usize>(), seen.connected, "{seen:?}");
    });
}

/// C1. Somebody who never reads is offered a GiB. That costs what may be pending, and ends that connection; the others
/// don't notice.
#[test]
fn one_who_never_reads_costs_what_may_be_pending() {
    let _alone = alone();
    within("never", || {
        let options = options();
        let max_pending = options.connection.max_pending;
        let mut server = ServerLoop::<Bank>::new(options).unwrap();
        let address = server.start().unwrap();
        let mut deaf = connect(address);
        let Some(ServerEvent::Connected { client, .. }) = server.next(Some(PATIENCE)) else { panic!("nobody") };
        let other = thread::spawn(move || {
            let mut socket = connect(address);
            for _ in 0..100 {
                ask(&mut socket);
            }
        });

        let (memory, mut most) = (resident(), 0);
        let message = ServerToClient { messages: Some(Down::DownloadRsp(DownloadRsp { data: vec![7; 64 << 10] })) };
        let answer = ServerToClient { messages: Some(Down::NopRsp(NopRsp {})) };
        let (mut offered, mut refused, mut nops) = (0, None, 0);
        while offered < 1 << 30 {
            offered += 64 << 10;
            if let Err(error) = server.send(client, &message) {
                refused.get_or_insert(error);
            }
            most = most.max(resident().saturating_sub(memory));
            while let Some(event) = server.next(Some(Duration::ZERO)) {
                match event {
                    ServerEvent::Message { client, .. } => {
                        nops += 1;
                        server.send(client, &answer).unwrap();
                    }
                    ServerEvent::Disconnected { client: who, reason } if who == client => {
                        assert_eq!(reason, Reason::SlowConsumer);
                    }
                    _ => {}
                }
            }
        }
        assert_eq!(refused, Some(SendError::Full));
        assert_eq!(server.send(client, &message), Err(SendError::Gone));
        assert!(most < max_pending + (8 << 20), "{most} bytes more");
        while nops < 100 {
            if let Some(ServerEvent::Message { client, .. }) = server.next(Some(PATIENCE)) {
                nops += 1;
                server.send(client, &answer).unwrap();
            }
        }
        server.flush();
        other.join().unwrap();
        // It gets what the system had taken, then the end.
        assert!(read_to_end(&mut deaf).len() < 1 << 30);
    });
}

/// C2. One who pings and never reads the pongs is held back, and ended when it has read nothing for too long.
#[test]
fn one_who_pings_and_never_reads_is_ended() {
    let _alone = alone();
    within("pings", || {
        let mut options = options();
        options.connection.write_time = Duration::from_millis(300);
        let server = answering(options);
        let mut deaf = connect(server.address);
        deaf.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
        let memory = resident();
        let pings = PING.repeat(16 << 10);
        let begin = Instant::now();
        loop {
            match deaf.write(&pings) {
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => break,
            }
            let grown = resident().saturating_sub(memory);
            assert!(grown < 16 << 20, "{grown} bytes more");
            assert!(begin.elapsed() < PATIENCE, "never ended");
        }
        assert_eq!(server.seen().ended, HashMap::from([("slow_consumer", 1)]));
    });
}

/// C4. Frames that never end are ended, although bytes flow; an honest client beside five hundred of them is served.
#[test]
fn dribblers_are_ended_and_hurt_nobody() {
    let _alone = alone();
    within("dribble", || {
        const DRIBBLERS: usize = 500;
        make_room_for(DRIBBLERS);
        let mut options = options();
        options.max_clients = 1000;
        options.connection.frame_time = Duration::from_millis(500);
        let server = answering(options);
        let mut sockets: Vec<_> = (0..DRIBBLERS).map(|_| connect(server.address)).collect();
        let mut honest = connect(server.address);
        let header = [1, 0, 100, 0];
        let mut times = Vec::new();
        let mut alive = DRIBBLERS;
        for round in 0.. {
            let byte = header.get(round).copied().unwrap_or(7);
            alive = sockets.iter_mut().filter_map(|socket| socket.write_all(&[byte]).ok()).count();
            times.push(ask(&mut honest));
            if alive == 0 {
                break;
            }
            #[expect(clippy::disallowed_methods, reason = "a peer that takes its time is part of the plan")]
            thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(alive, 0);
        println!("honest round trip beside {DRIBBLERS} dribblers: {:?}", median(times));
        drop(honest);
        wait_until("all have ended", || sockets.iter_mut().all(|socket| read_to_end(socket).is_empty()));
        let seen = server.seen();
        assert_eq!(seen.ended.get("limit"), Some(&DRIBBLERS), "{seen:?}");
    });
}

/// C5. A thousand connections announce 16 MiB each: memory is for what has come.
#[test]
fn announced_bytes_cost_nothing() {
    let _alone = alone();
    within("announce", || {
        const MANY: usize = 1000;
        make_room_for(MANY);
        let mut options = options();
        options.max_clients = MANY + 1;
        options.connection.max_frame = Wire::V2.max_payload() + 4;
        let server = answering(options);
        let mut honest = connect(server.address);
        ask(&mut honest);
        let memory = resident();
        let sockets: Vec<_> = (0..MANY)
            .map(|_| {
                let mut socket = connect(server.address);
                socket.write_all(&[1, 0xFF, 0xFF, 0xFF, 7, 7, 7]).unwrap();
                socket
            })
            .collect();
        ask(&mut honest);
        let grown = resident().saturating_sub(memory);
        assert!(grown < 32 << 20, "{grown} bytes for {MANY} announcements");
        drop(sockets);
        drop(honest);
    });
}

/// C8. A flood of pings and empty frames is answered, but not before everybody else.
#[test]
fn a_flood_starves_nobody() {
    let _alone = alone();
    within("flood", || {
        let server = answering(options());
        let over = Arc::new(AtomicBool::new(false));
        let floods: Vec<_> = (0..4)
            .map(|_| {
                let (mut socket, over) = (connect(server.address), Arc::clone(&over));
                let mut reader = socket.try_clone().unwrap();
                thread::spawn(move || while matches!(reader.read(&mut [0; 65536]), Ok(1..)) {});
                thread::spawn(move || {
                    let flood = [[1, 0, 0, 0], PING].concat().repeat(8 << 10);
                    while !over.load(Ordering::Acquire) {
                        if socket.write_all(&flood).is_err() {
                            return false;
                        }
                    }
                    socket.shutdown(std::net::Shutdown::Both).is_ok()
                })
            })
            .collect();
        let mut honest = connect(server.address);
        let times: Vec<_> = (0..200).map(|_| ask(&mut honest)).collect();
        over.store(true, Ordering::Release);
        let floods: Vec<_> = floods.into_iter().map(|flood| flood.join().unwrap()).collect();
        assert_eq!(floods, [true; 4], "a flood of what is allowed was ended");
        // That all of them came while the floods went on is what matters.
        println!("honest round trip beside four floods: {:?}", median(times));
    });
}

/// C9. One more than may be is let in and shut out at once, and nobody hears of it.
#[test]
fn one_client_too_many_is_closed_without_a_byte() {
    let _alone = alone();
    within("many", || {
        let mut options = options();
        options.max_clients = 2;
        let server = answering(options);
        let mut first = connect(server.address);
        let mut second = connect(server.address);
        ask(&mut first);
        ask(&mut second);
        for _ in 0..20 {
            assert_eq!(read_to_end(&mut connect(server.address)), b"");
        }
        ask(&mut first);
        drop(second);
        let mut again = None;
        wait_until("the place is free", || {
            let mut socket = connect(server.address);
            socket.write_all(&PING).is_ok() && socket.read_exact(&mut [0; 4]).is_ok() && again.replace(socket).is_none()
        });
        drop((first, again));
        assert_eq!(server.seen().connected, 3);
    });
}

/// A hook that says no is as good as no place.
#[test]
fn whoever_is_not_accepted_is_closed() {
    let _alone = alone();
    within("accept", || {
        let mut options = options();
        let open = Arc::new(AtomicBool::new(false));
        let gate = Arc::clone(&open);
        options.accept = Some(Arc::new(move |peer| peer.ip().is_loopback() && gate.load(Ordering::Acquire)));
        let server = answering(options);
        assert_eq!(read_to_end(&mut connect(server.address)), b"");
        open.store(true, Ordering::Release);
        ask(&mut connect(server.address));
        assert_eq!(server.seen().connected, 1);
    });
}

// -------------------------------------------------------------------------------------------------------- broken links

/// What goes through it can be made to vanish.
struct Proxy {
    address: SocketAddr,
    black_hole: Arc<AtomicBool>,
}

fn proxy(to: SocketAddr) -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let black_hole = Arc::new(AtomicBool::new(false));
    let hole = Arc::clone(&black_hole);
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let Ok(far) = TcpStream::connect(to) else { continue };
            for (mut from, mut to) in
                [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far.try_clone().unwrap(), near)]
            {
                let hole = Arc::clone(&hole);
                thread::spawn(move || {
                    let mut bytes = [0; 4096];
                    while let Ok(count @ 1..) = from.read(&mut bytes) {
                        // Once it vanishes, nothing comes again, not even the end.
                        if !hole.load(Ordering::Acquire) && to.write_all(&bytes[..count]).is_err() {
                            return;
                        }
                    }
                    if !hole.load(Ordering::Acquire) {
                        let _ = to.shutdown(std::net::Shutdown::Write);
                    }
                });
            }
        }
    });
    Proxy { address, black_hole }
}

/// C3. A link that swallows everything is found dead by both ends: by the client after its second ping at the latest,
/// by the server three seconds after the last ping that it saw.
#[test]
fn a_dead_link_is_noticed_by_both_ends() {
    let _alone = alone();
    within("dead", || {
        let server = answering(ServerOptions::new("tcp://127.0.0.1:0"));
        let link = proxy(server.address);
        // From the beginning: the server might have missed a ping before, on a machine that stood still.
        link.black_hole.store(true, Ordering::Release);
        let dead = Instant::now();
        let mut options = ClientOptions::<Bank>::new(format!("tcp://{}", link.address));
        options.reconnect = Reconnect::Never;
        let mut client = ClientLoop::new(options).unwrap();
        client.start();
        assert!(matches!(client.next(Some(PATIENCE)), Some(ClientEvent::Connected)));
        let event = client.next(Some(PATIENCE));
        assert!(matches!(event, Some(ClientEvent::Disconnected(Reason::KeepAliveTimeout))), "{event:?}");
        assert!(dead.elapsed() >= Duration::from_secs(2), "without waiting for the pong");
        println!("the client noticed after {:?}", dead.elapsed());
        assert_eq!(server.seen().ended, HashMap::from([("keep_alive_timeout", 1)]));
    });
}

/// C12. The smallest buffers that the system gives, and a peer that reads in small pieces: the same bytes arrive.
#[test]
fn small_buffers_change_nothing() {
    let _alone = alone();
    within("small", || {
        let mut options = options();
        options.connection.max_frame = 4 << 20;
        let mut server = ServerLoop::<Bank>::new(options).unwrap();
        let address = server.start().unwrap();
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(1).unwrap();
        socket.connect(&address.into()).unwrap();
        let mut socket = TcpStream::from(socket);
        let Some(ServerEvent::Connected { client, .. }) = server.next(Some(PATIENCE)) else { panic!("nobody") };
        let data: Vec<u8> = (0..500_000_u32).map(|at| (at * 31 + at / 256) as u8).collect();
        let message = ServerToClient { messages: Some(Down::DownloadRsp(DownloadRsp { data })) };
        server.send(client, &message).unwrap();
        let expected = frame(Wire::V2, Kind::ServerToClient, &message.encode_to_vec());
        let reader = thread::spawn(move || {
            let (mut got, mut piece) = (Vec::new(), [0; 1500]);
            while got.len() < expected.len() {
                let count = socket.read(&mut piece).unwrap();
                assert_ne!(count, 0, "ended after {} bytes", got.len());
                got.extend_from_slice(&piece[..count]);
                // A sign of life, in single bytes.
                if got.len() % 7 == 0 {
                    for byte in PING {
                        socket.write_all(&[byte]).unwrap();
                    }
                }
            }
            assert!(got[..expected.len()] == expected[..], "changed");
        });
        while !reader.is_finished() {
            let event = server.next(Some(Duration::from_millis(5)));
            assert!(matches!(event, None | Some(ServerEvent::Disconnected { .. })), "{event:?}");
        }
        reader.join().unwrap();
    });
}

// ------------------------------------------------------------------------------------------------------------- limits

/// C16.
#[test]
fn a_server_listens_on_loopback_unless_told_otherwise() {
    let start = |uri: &str, allow_remote| {
        let mut options = ServerOptions::<Bank>::new(uri);
        options.allow_remote = allow_remote;
        ServerLoop::new(options).unwrap().start()
    };
    assert!(start("tcp://127.0.0.1:0", false).unwrap().ip().is_loopback());
    assert!(start("tcp://localhost:0", false).unwrap().ip().is_loopback());
    for open in ["tcp://0.0.0.0:0", "tcp://[::]:0", "tcp://:0"] {
        let refused = start(open, false);
        assert!(matches!(refused, Err(SetupError::NotLoopback { .. })), "{open}: {refused:?}");
        if open != "tcp://[::]:0" || has_ipv6() {
            assert!(start(open, true).unwrap().ip().is_unspecified(), "{open}");
        }
    }
}

/// Whether this machine speaks IPv6; where not, the test says so.
fn has_ipv6() -> bool {
    let listens = TcpListener::bind("[::1]:0");
    if let Err(error) = &listens {
        skip(&format!("the part about IPv6, for nothing listens on [::1]: {error}"));
    }
    listens.is_ok()
}

/// Names, both kinds of addresses.
#[test]
fn a_client_finds_its_server_by_name_and_address() {
    let _alone = alone();
    within("names", || {
        let hosts = ["127.0.0.1", "localhost", "[::1]"];
        for host in &hosts[..if has_ipv6() { 3 } else { 2 }] {
            let mut server = ServerLoop::<Bank>::new(ServerOptions::new(format!("tcp://{host}:0"))).unwrap();
            let address = server.start().unwrap();
            let mut client =
                ClientLoop::<Bank>::new(ClientOptions::new(format!("tcp://{host}:{}", address.port()))).unwrap();
            client.start();
            let event = client.next(Some(PATIENCE));
            assert!(matches!(event, Some(ClientEvent::Connected)), "{host}: {event:?}");
        }
        let mut options = ClientOptions::<Bank>::new("tcp://no.such.host.invalid:1");
        options.reconnect = Reconnect::Never;
        let mut lost = ClientLoop::new(options).unwrap();
        lost.start();
        let event = lost.next(Some(PATIENCE));
        assert!(matches!(event, Some(ClientEvent::Trouble(_))), "{event:?}");
    });
}

/// C10, in a process of its own, which may open few files: while none are left the server does not spin, those that are
/// connected are served, and when one is free again the next client gets in.
#[test]
#[cfg(target_os = "linux")]
fn out_of_descriptors_the_server_waits() {
    const CHILD: &str = "OUT_OF_DESCRIPTORS";
    if std::env::var_os(CHILD).is_some() {
        return out_of_descriptors();
    }
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["out_of_descriptors_the_server_waits", "--exact", "--nocapture"]).env(CHILD, "1");
    let done = child.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(String::from_utf8_lossy(&done.stdout).contains("1 passed"), "no test has that name");
}

#[cfg(target_os = "linux")]
fn out_of_descriptors() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let mut options = options();
    options.max_clients = 1000;
    let server = answering(options);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: Some(64) }).unwrap();
    // These have their descriptors and need none to connect, but the server will have none to accept them.
    let unconnected = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let late: Vec<_> = (0..5).map(|_| unconnected()).collect();
    let mut sockets: Vec<_> = (0..5).map(|_| connect(server.address)).collect();
    sockets.iter_mut().for_each(|socket| _ = ask(socket));
    let mut more = Vec::new();
    while let Ok(socket) = TcpStream::connect(server.address) {
        more.push(socket);
    }
    let mut late: Vec<_> = late
        .into_iter()
        .map(|socket| {
            socket.connect(&server.address.into()).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            TcpStream::from(socket)
        })
        .collect();
    let (begin, before) = (Instant::now(), processor_time());
    for _ in 0..20 {
        ask(&mut sockets[0]);
        #[expect(clippy::disallowed_methods, reason = "a peer that takes its time is part of the plan")]
        thread::sleep(Duration::from_millis(50));
    }
    let (watched, used) = (begin.elapsed(), processor_time() - before);
    assert!(used < watched / 10, "{used:?} of processor time in {watched:?} without a descriptor");
    drop(more);
    for socket in sockets.iter_mut().chain(&mut late) {
        ask(socket);
    }
    drop((sockets, late));
    let seen = server.seen();
    // Once for each time that there were none left, not for each attempt, of which there were seven.
    assert!((1..5).contains(&seen.troubles), "{seen:?}");
}
