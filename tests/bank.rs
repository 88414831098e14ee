//! The bank example without Messi's own programs: that either side fails when the other one is wrong, and that its
//! server bears whatever comes over a socket.
//!
//! What is sent here is made by hand, frame by frame, so that nothing of the bridge is needed on this side.

#![cfg(not(miri))] // Starts processes.

#[path = "../examples/bank/bank.rs"]
mod bank;
#[path = "support/example.rs"]
mod example;

use bank::server_to_client::Messages;
use bank::*;
use example::{PATIENCE, Process, command};
use prost::Message;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

const USER_TO_SERVER: u8 = 1;
const USER_TO_CLIENT: u8 = 2;
const PING: u8 = 3;
const PONG: u8 = 4;

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(kind, payload.len()).to_vec();
    bytes.extend_from_slice(payload);
    bytes
}

fn header(kind: u8, size: usize) -> [u8; 4] {
    (u32::from(kind) << 24 | u32::try_from(size).unwrap()).to_be_bytes()
}

fn read_frame(socket: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut header = [0; 4];
    socket.read_exact(&mut header)?;
    let word = u32::from_be_bytes(header);
    let mut payload = vec![0; (word & 0xFF_FFFF) as usize];
    socket.read_exact(&mut payload)?;
    Ok(((word >> 24) as u8, payload))
}

fn bank(arguments: &[&str]) -> Process {
    let mut command = command("bank");
    command.args(arguments);
    Process::start(command)
}

/// A server, and where it listens.
fn server(arguments: &[&str]) -> (Process, u16) {
    let mut server = bank(&[&["server", "0"], arguments].concat());
    let port = server.wait_for("READY").parse().expect("a port");
    (server, port)
}

/// A client by hand. It does not ping by itself.
struct Socket(TcpStream);

impl Socket {
    fn connect(port: u16) -> Socket {
        let socket = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        Socket(socket)
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("the server reads");
    }

    fn send(&mut self, message: impl Into<ClientToServer>) {
        self.write(&frame(USER_TO_SERVER, &message.into().encode_to_vec()));
    }

    /// The next message that is not about somebody else; `None` at the end.
    fn receive(&mut self) -> Option<Messages> {
        loop {
            match read_frame(&mut self.0) {
                Ok((PONG, payload)) => assert_eq!(payload, []),
                Ok((kind, payload)) => {
                    assert_eq!(kind, USER_TO_CLIENT);
                    match ServerToClient::decode(&payload[..]).expect("a message").messages {
                        Some(Messages::JoinInd(_)) => {}
                        message => return message,
                    }
                }
                Err(error) if is_end(&error) => return None,
                Err(error) => panic!("the server neither answers nor ends: {error}"),
            }
        }
    }

    #[track_caller]
    fn ask(&mut self, message: impl Into<ClientToServer>, expected: impl Into<ServerToClient>) {
        self.send(message);
        assert_eq!(self.receive(), expected.into().messages);
    }

    /// Whether the server answers.
    fn is_served(&mut self) -> bool {
        let sent = self.0.write_all(&frame(USER_TO_SERVER, &ClientToServer::from(NopReq {}).encode_to_vec()));
        sent.is_ok() && self.receive() == Some(Messages::NopRsp(NopRsp {}))
    }

    #[track_caller]
    fn expect_the_end(&mut self) {
        assert_eq!(self.receive(), None);
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

fn passes(process: Process) -> bool {
    let (status, printed) = process.end();
    let verdict = printed.last().map_or("", String::as_str);
    assert!(verdict.starts_with(if status.success() { "PASS" } else { "FAIL" }), "{status}, but {printed:#?}");
    status.success()
}

// ----------------------------------------------------------------------------------------------------- the other wires

#[test]
fn both_sides_speak_the_first_wires() {
    let both = ["v1a", "v1b"].map(|wire| bank(&["--wire", wire]));
    assert_eq!(both.map(passes), [true; 2]);
}

#[test]
fn a_client_of_another_wire_is_thrown_out() {
    let (_server, port) = server(&["--wire", "v1b"]);
    let mut client = Socket::connect(port);
    // A header has eight bytes here; these are no known type and much too large.
    client.send(NopReq {});
    client.write(&[0; 8]);
    client.expect_the_end();
}

// ---------------------------------------------------------------------------------------------- what the server checks

/// How often a client does each thing.
#[derive(Clone, Debug)]
struct Visit {
    connects: usize,
    opens: u32,
    deposits: u32,
    uploads: u32,
    downloads: u32,
    right_answers: u32,
    shouts: u32,
    nops: u32,
    kicks: usize,
}

const SCENARIO: Visit = Visit {
    connects: 3,
    opens: 3,
    deposits: 100,
    uploads: 1,
    downloads: 1,
    right_answers: 3,
    shouts: 1,
    nops: 3,
    kicks: 1,
};

/// Does all that, then closes the bank. Returns the clients that are still connected.
fn visit(port: u16, visit: &Visit) -> Vec<Socket> {
    let mut clients: Vec<Socket> = (0..visit.connects).map(|_| Socket::connect(port)).collect();
    // One after the other, so that each is there when the next one comes.
    for client in &mut clients {
        client.write(&frame(PING, &[]));
        assert_eq!(read_frame(&mut client.0).unwrap(), (PONG, Vec::new()));
    }
    let client = &mut clients[0];
    for number in 1..=visit.opens {
        client.send(OpenReq { token: vec![1], limits: vec![number.into(), -5], ..OpenReq::default() });
        let Some(Messages::OpenRsp(answer)) = client.receive() else { panic!("no answer to open_req") };
        assert_eq!((answer.account_id, answer.limits_total), (number, i64::from(number) - 5));
        assert_eq!(answer.token_fnv, 0x040c_5b8c);
    }
    for seq in 1..=visit.deposits {
        client.send(DepositInd { seq, amount: 1, memo: String::new() });
    }
    for _ in 0..visit.uploads {
        // The hash of nothing is where it starts.
        client.ask(UploadReq { data: Vec::new() }, UploadRsp { size: 0, fnv: 2_166_136_261 });
    }
    for _ in 0..visit.downloads {
        client.ask(DownloadReq { size: 3, seed: 250 }, DownloadRsp { data: vec![250, 25, 56] });
    }
    client.send(AuditStartReq { count: 3 });
    for id in 1..=3 {
        assert_eq!(client.receive(), Some(Messages::AuditReq(AuditReq { id, text: format!("audit-{id}") })));
        let text = if id <= visit.right_answers { format!("{id}-tidua") } else { format!("audit-{id}") };
        client.send(AuditRsp { id, text });
    }
    assert_eq!(client.receive(), Some(Messages::AuditDoneInd(AuditDoneInd { correct: visit.right_answers })));
    for _ in 0..visit.shouts {
        let text = "o".to_owned();
        client.ask(ShoutReq { text: text.clone() }, ShoutInd { account_id: visit.opens, text });
    }
    for _ in 0..visit.nops {
        client.ask(NopReq {}, NopRsp {});
    }
    for _ in 0..visit.kicks {
        let mut client = clients.pop().expect("enough clients");
        client.send(KickReq {});
        // The answer comes before the end.
        let told: Vec<Messages> = std::iter::from_fn(|| client.receive()).collect();
        assert_eq!(told.last(), Some(&Messages::KickRsp(KickRsp {})));
    }
    let Visit { opens, deposits, shouts, kicks, .. } = *visit;
    clients[0].ask(CloseReq {}, CloseRsp { opens, deposits, shouts, kicks: kicks as u32 });
    clients
}

#[test]
fn the_server_passes_after_exactly_the_scenario() {
    let (server, port) = server(&[]);
    drop(visit(port, &SCENARIO));
    assert!(passes(server));
}

#[test]
fn the_server_fails_when_anything_is_done_once_more_or_less() {
    let changes: [fn(&mut Visit); 13] = [
        |visit| visit.connects = 2,
        |visit| visit.opens = 2,
        |visit| visit.opens = 4,
        |visit| visit.deposits = 99,
        |visit| visit.deposits = 101,
        |visit| visit.uploads = 0,
        |visit| visit.downloads = 2,
        |visit| visit.right_answers = 2,
        |visit| visit.shouts = 0,
        |visit| visit.shouts = 2,
        |visit| visit.nops = 4,
        |visit| visit.kicks = 0,
        |visit| visit.kicks = 2,
    ];
    for change in changes {
        let mut changed = SCENARIO;
        change(&mut changed);
        let (server, port) = server(&[]);
        drop(visit(port, &changed));
        assert!(!passes(server), "{changed:?}");
    }
}

#[test]
fn the_server_fails_when_clients_stay_after_the_close() {
    let (server, port) = server(&[]);
    for mut client in visit(port, &SCENARIO) {
        thread::spawn(move || {
            while client.0.write_all(&frame(PING, &[])).is_ok() {
                // What it reads does not matter, only that it stays.
                let _ = client.0.set_read_timeout(Some(Duration::from_millis(200)));
                let _ = client.0.read(&mut [0; 64]);
            }
        });
    }
    assert!(!passes(server));
}

#[test]
fn a_statement_has_the_newest_entries_and_says_when_one_is_missing() {
    let (_server, port) = server(&["--any"]);
    let mut client = Socket::connect(port);
    let entry = |seq: u32, amount| Entry { seq, amount, memo: format!("m{seq}") };
    for seq in 1..=20 {
        client.send(DepositInd { seq, amount: -3, memo: format!("m{seq}") });
    }
    let statement =
        StatementRsp { account_id: 0, balance: -60, in_order: true, entries: vec![entry(19, -3), entry(20, -3)] };
    client.ask(StatementReq { last: 2 }, statement);
    client.send(DepositInd { seq: 22, amount: i64::MAX, memo: "m22".to_owned() });
    let balance = i64::MAX - 60;
    let statement = StatementRsp { account_id: 0, balance, in_order: false, entries: vec![entry(22, i64::MAX)] };
    client.ask(StatementReq { last: 1 }, statement);
    // More than there is of the type.
    client.send(DepositInd { seq: 22, amount: i64::MAX, memo: String::new() });
    assert!(client.is_served());
}

// ---------------------------------------------------------------------------------------------- what the client checks

/// What becomes of a message on its way from the server to a client.
enum Fate {
    Message(Messages),
    Bytes(Vec<u8>),
    /// The connection ends here.
    Cut,
}

/// Not a function pointer: most of them are made by [`changed`].
type Meddler = Arc<dyn Fn(Messages) -> Vec<Fate> + Send + Sync>;

/// Stands between clients and the server at `port`, and meddles with what it says. Returns where.
fn stand_between(port: u16, meddler: Meddler) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let at = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(client) = client else { return };
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { return };
            let (meddler, from_client, to_server) =
                (Arc::clone(&meddler), client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || {
                // How it ends the other direction shows.
                let _ = io::copy(&mut &from_client, &mut &to_server);
                let _ = to_server.shutdown(Shutdown::Write);
            });
            thread::spawn(move || {
                let _ = pass_on(&server, &client, &meddler);
                let _ = client.shutdown(Shutdown::Both);
                let _ = server.shutdown(Shutdown::Both);
            });
        }
    });
    at
}

fn pass_on(mut server: &TcpStream, mut client: &TcpStream, meddler: &Meddler) -> io::Result<()> {
    loop {
        let (kind, payload) = read_frame(&mut server)?;
        let message = ServerToClient::decode(&payload[..]).ok().and_then(|root| root.messages);
        let Some(message) = message.filter(|_| kind == USER_TO_CLIENT) else {
            client.write_all(&frame(kind, &payload))?;
            continue;
        };
        for fate in meddler(message) {
            match fate {
                Fate::Message(message) => {
                    let payload = ServerToClient { messages: Some(message) }.encode_to_vec();
                    client.write_all(&frame(USER_TO_CLIENT, &payload))?;
                }
                Fate::Bytes(bytes) => client.write_all(&bytes)?,
                Fate::Cut => return Ok(()),
            }
        }
    }
}

/// What the client says to a server that is right but for this.
fn verdict_on(meddler: Meddler) -> String {
    let (_server, port) = server(&[]);
    let port = stand_between(port, meddler);
    let (status, printed) = bank(&["client", &port.to_string()]).end();
    let verdict = printed.last().cloned().unwrap_or_default();
    assert_eq!(status.success(), verdict.starts_with("PASS"), "{status}, but {printed:#?}");
    verdict
}

/// Changes what the pattern names.
macro_rules! changed {
    ($message:ident, $pattern:pat => $change:expr) => {
        Arc::new(|mut message: Messages| {
            if let Messages::$message($pattern) = &mut message {
                $change;
            }
            vec![Fate::Message(message)]
        }) as Meddler
    };
}

#[test]
fn the_client_fails_on_each_wrong_answer() {
    // These show only after the long rest: all at once.
    let late: Vec<(&str, Meddler)> = vec![
        ("bob's new account", changed!(OpenRsp, it => it.account_id -= u32::from(it.account_id == 3))),
        ("who joins again", changed!(JoinInd, it => it.account_id += u32::from(it.account_id == 3))),
        ("opens at the close", changed!(CloseRsp, it => it.opens = 2)),
        ("deposits at the close", changed!(CloseRsp, it => it.deposits = 101)),
        ("shouts at the close", changed!(CloseRsp, it => it.shouts = 0)),
        ("kicks at the close", changed!(CloseRsp, it => it.kicks = 0)),
        (
            "no answer before the end",
            Arc::new(|message| match message {
                Messages::KickRsp(_) => vec![Fate::Cut],
                other => vec![Fate::Message(other)],
            }),
        ),
        (
            "another end",
            Arc::new(|message| match message {
                Messages::KickRsp(_) => {
                    vec![Fate::Message(message), Fate::Bytes(header(USER_TO_CLIENT, 2 << 20).to_vec())]
                }
                other => vec![Fate::Message(other)],
            }),
        ),
    ];
    // That it fails is not for whoever stands between.
    let honest = thread::spawn(|| verdict_on(Arc::new(|message| vec![Fate::Message(message)])));
    let late = late.into_iter().map(|(what, meddler)| (what, thread::spawn(move || verdict_on(meddler))));
    let late: Vec<_> = late.collect();
    let early: Vec<(&str, Meddler)> = vec![
        ("alice's account", changed!(OpenRsp, it => it.account_id += u32::from(it.account_id == 1))),
        ("bob's account", changed!(OpenRsp, it => it.account_id += u32::from(it.account_id == 2))),
        ("owner", changed!(OpenRsp, it => it.owner.push('!'))),
        ("no address", changed!(OpenRsp, it => it.address = None)),
        ("street", changed!(OpenRsp, it => it.address.as_mut().unwrap().street.clear())),
        ("city", changed!(OpenRsp, it => it.address.as_mut().unwrap().city = "Goteborg".to_owned())),
        ("zip", changed!(OpenRsp, it => it.address.as_mut().unwrap().zip += 1)),
        ("token", changed!(OpenRsp, it => it.token_fnv ^= 1)),
        ("limits", changed!(OpenRsp, it => it.limits_total = 2)),
        ("kind", changed!(OpenRsp, it => it.kind ^= 3)),
        ("premium", changed!(OpenRsp, it => it.premium ^= true)),
        ("rate", changed!(OpenRsp, it => it.rate = 0.12)),
        ("who joins first", changed!(JoinInd, it => it.account_id += u32::from(it.account_id == 1))),
        ("who joins next", changed!(JoinInd, it => it.account_id += u32::from(it.account_id == 2))),
        ("name of who joins", changed!(JoinInd, it => it.owner = "eve".to_owned())),
        ("account of the statement", changed!(StatementRsp, it => it.account_id = 2)),
        ("balance", changed!(StatementRsp, it => it.balance += 1)),
        ("order", changed!(StatementRsp, it => it.in_order = false)),
        ("entries swapped", changed!(StatementRsp, it => it.entries.swap(0, 1))),
        ("one entry less", changed!(StatementRsp, it => _ = it.entries.pop())),
        ("an entry's amount", changed!(StatementRsp, it => it.entries[4].amount = 100)),
        ("an entry's memo", changed!(StatementRsp, it => it.entries[2].memo.clear())),
        ("size of the upload", changed!(UploadRsp, it => it.size -= 1)),
        ("hash of the upload", changed!(UploadRsp, it => it.fnv ^= 0x8000_0000)),
        ("last byte of the download", changed!(DownloadRsp, it => *it.data.last_mut().unwrap() ^= 1)),
        ("one byte less", changed!(DownloadRsp, it => _ = it.data.pop())),
        ("number of an audit", changed!(AuditReq, it => it.id += 1)),
        ("text of an audit", changed!(AuditReq, it => it.text.push('4'))),
        ("right answers", changed!(AuditDoneInd, it => it.correct = 2)),
        ("who shouts", changed!(ShoutInd, it => it.account_id = 1)),
        ("what is shouted", changed!(ShoutInd, it => it.text = "hello aao".to_owned())),
        (
            "another answer",
            Arc::new(|message| match message {
                Messages::NopRsp(_) => vec![Fate::Message(Messages::KickRsp(KickRsp {}))],
                other => vec![Fate::Message(other)],
            }),
        ),
        (
            "an answer twice",
            Arc::new(|message| match message {
                Messages::NopRsp(_) => vec![Fate::Message(message.clone()), Fate::Message(message)],
                other => vec![Fate::Message(other)],
            }),
        ),
        (
            "disconnected while nothing is said",
            Arc::new(|message| match message {
                Messages::NopRsp(_) => vec![Fate::Message(message), Fate::Cut],
                other => vec![Fate::Message(other)],
            }),
        ),
    ];
    let early = early.into_iter().map(|(what, meddler)| (what, verdict_on(meddler)));
    for (what, verdict) in early.chain(late.into_iter().map(|(what, verdict)| (what, verdict.join().expect(what)))) {
        assert!(verdict.starts_with("FAIL bank client: ") && verdict.contains(": heard "), "{what}: {verdict}");
    }
    assert_eq!(honest.join().unwrap(), "PASS bank client");
}

// -------------------------------------------------------------------------------------------------- any traffic at all

/// The largest payload that the server takes.
const MAX_PAYLOAD: usize = (128 << 10) - 4;

impl Socket {
    /// Waits for a while, or until there is something to read, the end for one.
    fn wait_for_the_end(&mut self, time: Duration) {
        self.0.set_read_timeout(Some(time)).unwrap();
        // What it was shows when it is read.
        let _ = self.0.peek(&mut [0]);
        self.0.set_read_timeout(Some(PATIENCE)).unwrap();
    }
}

/// Pings until this is dropped. What a pinging client writes must be written at once.
struct Pings {
    _stop: Sender<()>,
}

impl Socket {
    fn ping(&self) -> Pings {
        let mut socket = self.0.try_clone().unwrap();
        let (stop, stopped) = channel();
        thread::spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(Duration::from_millis(500)) {
                // When it is gone the test knows.
                let _ = socket.write_all(&frame(PING, &[]));
            }
        });
        Pings { _stop: stop }
    }
}

/// A server that serves anything, and a client that pings and is served.
fn any_server() -> (Process, u16, (Socket, Pings)) {
    let (server, port) = server(&["--any"]);
    let mut client = Socket::connect(port);
    assert!(client.is_served());
    let pings = client.ping();
    (server, port, (client, pings))
}

/// Closes the bank, which ends well.
fn close(server: Process, mut client: Socket) {
    client.send(CloseReq {});
    // What it was told in the meantime comes first.
    let answered = std::iter::from_fn(|| client.receive()).any(|message| matches!(message, Messages::CloseRsp(_)));
    assert!(answered, "no answer to close_req");
    // It still serves for a moment.
    assert!(client.is_served());
    assert!(passes(server));
}

/// Nobody else notices when a client does this.
fn throws_out(what: &str, bytes: &[u8]) {
    let (server, port, (mut client, _pings)) = any_server();
    let mut hostile = Socket::connect(port);
    assert!(hostile.is_served(), "{what}");
    hostile.write(bytes);
    hostile.expect_the_end();
    assert!(client.is_served(), "{what}");
    close(server, client);
}

#[test]
fn frames_that_a_client_may_not_send_end_its_connection() {
    let nop = ClientToServer::from(NopReq {}).encode_to_vec();
    throws_out("a server's type", &frame(USER_TO_CLIENT, &nop));
    throws_out("a pong", &frame(PONG, &[]));
    throws_out("an unknown type", &frame(5, &[]));
    throws_out("type 0", &frame(0, &nop));
    throws_out("a header that announces too much", &header(USER_TO_SERVER, MAX_PAYLOAD + 1));
    throws_out("a header that announces as much as can be", &[0xFF; 4]);
    throws_out("no protocol buffer", &frame(USER_TO_SERVER, &[0xFF; 9]));
    throws_out("one that ends too early", &frame(USER_TO_SERVER, &[0x52, 5, 0]));
    throws_out("one that is nested wrongly", &frame(USER_TO_SERVER, &[0x0A, 2, 0x12, 9]));
    throws_out("text that is none", &frame(USER_TO_SERVER, &[0x42, 3, 0x0A, 1, 0xFF]));
}

#[test]
fn frames_that_mean_nothing_are_ignored() {
    let (server, port, (client, _pings)) = any_server();
    let mut odd = Socket::connect(port);
    odd.write(&frame(USER_TO_SERVER, &[]));
    // Members 12 and 1000, whatever is in them.
    odd.write(&frame(USER_TO_SERVER, &[0x62, 0]));
    odd.write(&frame(USER_TO_SERVER, &[0xC2, 0x3E, 2, 0xFF, 0xFF]));
    // An unknown field beside a known one, and a ping that carries something.
    odd.write(&frame(USER_TO_SERVER, &[0x4A, 2, 0x78, 1]));
    assert_eq!(odd.receive(), Some(Messages::NopRsp(NopRsp {})));
    odd.write(&frame(PING, b"who is there?"));
    assert_eq!(read_frame(&mut odd.0).unwrap(), (PONG, Vec::new()));
    // An answer that nobody asked for.
    odd.send(AuditRsp { id: 1, text: "1-tidua".to_owned() });
    assert!(odd.is_served());
    close(server, client);
}

#[test]
fn nothing_is_done_for_one_who_was_shown_out() {
    let (server, port, (mut client, _pings)) = any_server();
    let mut kicked = Socket::connect(port);
    let [kick, shout]: [ClientToServer; 2] = [KickReq {}.into(), ShoutReq { text: String::new() }.into()];
    kicked.write(&[kick, shout].map(|message| frame(USER_TO_SERVER, &message.encode_to_vec())).concat());
    assert_eq!(kicked.receive(), Some(Messages::KickRsp(KickRsp {})));
    kicked.expect_the_end();
    client.ask(CloseReq {}, CloseRsp { kicks: 1, ..CloseRsp::default() });
    assert!(passes(server));
}

#[test]
fn the_largest_frame_and_the_smallest_pieces_are_taken() {
    let (server, port, (client, _pings)) = any_server();
    let mut odd = Socket::connect(port);
    let request = UploadReq { data: vec![1; MAX_PAYLOAD - 8] };
    let message = ClientToServer::from(request);
    assert_eq!(message.encoded_len(), MAX_PAYLOAD);
    odd.send(message);
    let Some(Messages::UploadRsp(answer)) = odd.receive() else { panic!("no answer to upload_req") };
    assert_eq!(answer.size as usize, MAX_PAYLOAD - 8);
    let text = "h\u{e4}ppchen".to_owned();
    for byte in frame(USER_TO_SERVER, &ClientToServer::from(ShoutReq { text: text.clone() }).encode_to_vec()) {
        odd.write(&[byte]);
    }
    assert_eq!(odd.receive(), Some(Messages::ShoutInd(ShoutInd { account_id: 0, text })));
    close(server, client);
}

#[test]
fn only_pings_keep_a_client() {
    let (server, port, (mut client, _pings)) = any_server();
    let start = Instant::now();
    let mut silent = Socket::connect(port);
    let mut talks = Socket::connect(port);
    // Its user messages don't help.
    while talks.is_served() {
        talks.wait_for_the_end(Duration::from_millis(100));
    }
    assert!(start.elapsed() >= Duration::from_secs(3), "{:?}", start.elapsed());
    silent.expect_the_end();
    // The one that pings is older than that, too.
    assert!(client.is_served());
    close(server, client);
}

#[test]
fn one_client_too_many_is_let_in_and_out() {
    let (server, port, (mut first, _pings)) = any_server();
    let [mut second, mut third] = [Socket::connect(port), Socket::connect(port)];
    let _more_pings = [second.ping(), third.ping()];
    assert!(second.is_served() && third.is_served());
    let mut nothing = Vec::new();
    let read = Socket::connect(port).0.read_to_end(&mut nothing);
    assert!(nothing.is_empty() && read.is_ok_and(|count| count == 0));
    assert!([&mut first, &mut second, &mut third].into_iter().all(Socket::is_served));
    second.0.shutdown(Shutdown::Both).unwrap();
    // As soon as the server has seen that.
    let start = Instant::now();
    while !Socket::connect(port).is_served() {
        assert!(start.elapsed() < PATIENCE, "a place that is free stays taken");
    }
    close(server, first);
}

#[test]
fn one_that_reads_late_gets_everything() {
    let (server, port, (mut client, _pings)) = any_server();
    let mut late = Socket::connect(port);
    let _late_pings = late.ping();
    for seed in 0..20 {
        late.send(DownloadReq { size: 1_000_000, seed });
    }
    late.send(NopReq {});
    assert!(client.is_served());
    for seed in 0..20_u32 {
        let Some(Messages::DownloadRsp(DownloadRsp { data })) = late.receive() else { panic!("no download") };
        let expected = (0..1_000_000_u32).map(|place| seed.wrapping_add(31 * place) as u8);
        assert!(data.into_iter().eq(expected));
    }
    assert_eq!(late.receive(), Some(Messages::NopRsp(NopRsp {})));
    close(server, client);
}

/// The most memory that a process has had so far, in KiB.
#[cfg(target_os = "linux")]
fn peak_memory(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
#[cfg(target_os = "linux")]
fn one_that_never_reads_costs_little_and_is_cut() {
    let (server, port, (mut client, _pings)) = any_server();
    let before = peak_memory(&server);
    let mut hostile = Socket::connect(port);
    let request =
        frame(USER_TO_SERVER, &ClientToServer::from(DownloadReq { size: 1_000_000, seed: 0 }).encode_to_vec());
    // A gigabyte.
    hostile.write(&request.repeat(1000));
    hostile.0.set_write_timeout(Some(Duration::from_millis(10))).unwrap();
    let start = Instant::now();
    loop {
        assert!(client.is_served());
        match hostile.0.write(&frame(PING, &[])) {
            Err(error) if is_end(&error) => break,
            _ => assert!(start.elapsed() < PATIENCE, "it is served for ever"),
        }
    }
    // What may be pending, the ring, and one answer more.
    let grown = peak_memory(&server) - before;
    assert!(grown < (32 + 8 + 8) << 10, "{grown} KiB");
    close(server, client);
}

// ------------------------------------------------------------------------------------------------- a client by itself

/// The next frame that is no ping.
fn next_request(socket: &mut TcpStream) -> Option<client_to_server::Messages> {
    loop {
        match read_frame(socket) {
            Ok((PING, payload)) => {
                assert_eq!(payload, []);
                // A client that leaves does not wait for it.
                let _ = socket.write_all(&frame(PONG, &[]));
            }
            Ok((kind, payload)) => {
                assert_eq!(kind, USER_TO_SERVER);
                return ClientToServer::decode(&payload[..]).expect("a message").messages;
            }
            Err(error) if is_end(&error) => return None,
            Err(error) => panic!("the client neither sends nor ends: {error}"),
        }
    }
}

fn say(socket: &mut TcpStream, message: impl Into<ServerToClient>) {
    socket.write_all(&frame(USER_TO_CLIENT, &message.into().encode_to_vec())).expect("the client reads");
}

#[test]
fn the_client_opens_answers_and_connects_again() {
    const MAX_PAYLOAD: usize = (2 << 20) - 4;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let _client = bank(&["client", &port, "--any"]);
    let ends: [fn(&mut TcpStream); 4] = [
        |socket| socket.shutdown(Shutdown::Both).unwrap(),
        |socket| socket.write_all(&header(USER_TO_CLIENT, MAX_PAYLOAD + 1)).unwrap(),
        // In the middle of a frame: the next connection begins anew.
        |socket| {
            socket.write_all(&header(USER_TO_CLIENT, 1000)).unwrap();
            socket.shutdown(Shutdown::Both).unwrap();
        },
        |socket| socket.write_all(&frame(USER_TO_CLIENT, &[0xFF; 9])).unwrap(),
    ];
    let mut ended: Option<Instant> = None;
    for end in ends {
        let (mut socket, _) = listener.accept().expect("the client comes");
        if let Some(ended) = ended {
            // After a constant second, counted from the time of the client's turn, which began before the end came.
            assert!(ended.elapsed() >= Duration::from_millis(500), "{:?}", ended.elapsed());
        }
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let Some(client_to_server::Messages::OpenReq(open)) = next_request(&mut socket) else { panic!("no open_req") };
        assert_eq!((open.owner.as_str(), open.limits), ("alice", vec![-5, 0, 7, 1_000_000_000_000]));
        // Whatever it does not understand, and what it did not ask for.
        socket.write_all(&frame(USER_TO_SERVER, b"?")).unwrap();
        socket.write_all(&frame(9, b"?")).unwrap();
        socket.write_all(&frame(USER_TO_CLIENT, &[])).unwrap();
        say(&mut socket, NopRsp {});
        say(&mut socket, AuditReq { id: 7, text: "abc".to_owned() });
        let data = vec![0; MAX_PAYLOAD - 8];
        assert_eq!(ServerToClient::from(DownloadRsp { data: data.clone() }).encoded_len(), MAX_PAYLOAD);
        say(&mut socket, DownloadRsp { data });
        say(&mut socket, AuditReq { id: 8, text: "de".to_owned() });
        for (id, text) in [(7, "cba"), (8, "ed")] {
            let answer = AuditRsp { id, text: text.to_owned() };
            assert_eq!(next_request(&mut socket), Some(client_to_server::Messages::AuditRsp(answer)));
        }
        ended = Some(Instant::now());
        end(&mut socket);
        assert_eq!(next_request(&mut socket), None);
    }
    listener.accept().expect("the client comes again");
}
