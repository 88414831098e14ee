//! Between a bridge and its server: what stands still, comes in pieces, or breaks in the middle of a message.

use crate::support::{
    DEADLINE, Server, catalog, in_memory, is_there, kills, names, numbers, process, wait_until, write,
};
use rust_messenger::message_bus::{PersistentBus, PersistentOptions};
use rust_messenger::traits::{MessageBus, Publish};
use rust_messenger_nats::protocol::{Limits, Names};
use rust_messenger_nats::{BridgeOptions, Inlet, Outlet};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How bytes go on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// As they come.
    Through,
    /// One to seven at a time.
    InPieces,
    /// Not at all.
    Stalled,
}

struct Pipe {
    way: Way,
    /// After so many bytes everything is cut.
    cut_after: Option<usize>,
    open: Vec<TcpStream>,
    cuts: usize,
}

struct Proxy {
    port: u16,
    pipe: Arc<Mutex<Pipe>>,
}

impl Proxy {
    /// Before the server, as long as the test runs.
    fn start(url: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let pipe = Pipe { way: Way::Through, cut_after: None, open: Vec::new(), cuts: 0 };
        let pipe = Arc::new(Mutex::new(pipe));
        let (shared, address) = (pipe.clone(), url.replace("nats://", ""));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(&address)) else { continue };
                let ends = [client.try_clone().unwrap(), server.try_clone().unwrap()];
                shared.lock().unwrap().open.extend(ends);
                for (from, to) in [(client.try_clone(), server.try_clone()), (Ok(server), Ok(client))] {
                    let (from, to, shared) = (from.unwrap(), to.unwrap(), shared.clone());
                    to.set_nodelay(true).unwrap();
                    std::thread::spawn(move || pump(from, to, &shared));
                }
            }
        });
        Proxy { port, pipe }
    }

    fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    fn set(&self, way: Way) {
        self.pipe.lock().unwrap().way = way;
    }

    /// Cuts all that is open once so many more bytes have come.
    fn cut_after(&self, bytes: usize) {
        self.pipe.lock().unwrap().cut_after = Some(bytes);
    }

    fn cuts(&self) -> usize {
        self.pipe.lock().unwrap().cuts
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, pipe: &Mutex<Pipe>) {
    let (mut buffer, mut piece) = ([0; 16 * 1024], 0);
    'read: while let Ok(read @ 1..) = from.read(&mut buffer) {
        let mut rest = &buffer[..read];
        while !rest.is_empty() {
            let mut pipe = pipe.lock().unwrap();
            piece = piece % 7 + 1;
            let mut count = match pipe.way {
                Way::Through => rest.len(),
                Way::InPieces => rest.len().min(piece),
                Way::Stalled => 0,
            };
            if let Some(left) = &mut pipe.cut_after {
                count = count.min(*left);
                *left -= count;
                if *left == 0 {
                    // What came up to here still goes on: half a message.
                    let _ = to.write_all(&rest[..count]);
                    pipe.cut_after = None;
                    pipe.cuts += 1;
                    pipe.open.drain(..).for_each(|end| drop(end.shutdown(Shutdown::Both)));
                    break 'read;
                }
            }
            drop(pipe);
            if count == 0 {
                std::thread::park_timeout(Duration::from_millis(1));
            } else if to.write_all(&rest[..count]).is_err() {
                break 'read;
            }
            rest = &rest[count..];
        }
    }
    for end in [from, to] {
        let _ = end.shutdown(Shutdown::Both);
    }
}

fn receiving(url: &str) -> BridgeOptions {
    BridgeOptions::journal(url, Names::new("shop", "store").unwrap(), 8)
}

fn sending(url: &str) -> BridgeOptions {
    let mut options = BridgeOptions::journal(url, names(), 7);
    options.receivers = vec!["store".to_owned()];
    options
}

#[test]
fn nothing_is_lost_on_a_line_that_stalls_splits_and_breaks() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let (there, here) = (in_memory(), in_memory());
    let (out, within) = (Proxy::start(&server.url()), Proxy::start(&server.url()));
    let outlet = Outlet::start(&there, catalog(), sending(&out.url())).unwrap();
    let inlet = Inlet::start(&here, [("till".to_owned(), catalog())], receiving(&within.url())).unwrap();
    let (mut count, mut seed) = (0, 1u64);
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) % below
    };
    for _ in 0..kills() {
        for proxy in [&out, &within] {
            let cuts = proxy.cuts();
            proxy.set(if random(2) == 0 { Way::InPieces } else { Way::Through });
            write(&there, count..count + 1000);
            count += 1000;
            proxy.cut_after(1 + random(100_000) as usize);
            wait_until("a cut", || proxy.cuts() > cuts);
            proxy.set(Way::Stalled);
            // Long enough that it notices now and then: its patience is ten times as long.
            std::thread::park_timeout(Duration::from_millis(random(200)));
            proxy.set(Way::Through);
        }
        wait_until("all of them", || {
            assert!(!outlet.has_ended() && !inlet.has_ended());
            inlet.stats()[0].written == count
        });
    }
    assert!(out.cuts() == kills() as usize && within.cuts() == kills() as usize);
    outlet.stop(DEADLINE).unwrap();
    inlet.stop().unwrap();
    assert!(numbers(&here).into_iter().eq(0..count));
}

/// The memory of this process that no file backs, in bytes.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// How many bytes are to go over a line that stands still, a hundred times what is allowed to be on the way.
const MUCH: usize = 48 << 20;
const PAYLOAD: usize = 16 << 10;

/// What the next test measures: nothing else runs in this process.
#[test]
fn child() {
    let Ok(url) = std::env::var("NATS_CHILD_OF_PROXY") else { return };
    let directory = tempfile::tempdir().unwrap();
    let open = |name| {
        let options = PersistentOptions { capacity: 2 * MUCH as u64, max_payload: 64 << 10, ..Default::default() };
        PersistentBus::open(directory.path().join(name), options).unwrap().0
    };
    let (there, here) = (open("there"), open("here"));
    let (out, within) = (Proxy::start(&url), Proxy::start(&url));
    let few = Limits { messages: 256, bytes: 512 << 10 };
    let (mut to, mut from) = (sending(&out.url()), receiving(&within.url()));
    (to.window, from.pull) = (few, few);
    let outlet = Outlet::start(&there, catalog(), to).unwrap();
    wait_until("a stream", || outlet.stats().is_running);
    let before = memory();
    let mut most = 0;
    let look = |most: &mut usize| *most = memory().max(*most);
    out.set(Way::Stalled);
    let writer = there.writer().unwrap();
    let mut payload = vec![0; PAYLOAD];
    for number in 0..(MUCH / PAYLOAD) as u64 {
        payload[..8].copy_from_slice(&number.to_le_bytes());
        writer.write_bytes(1, 2, &payload).unwrap();
    }
    // As long as that, and again once it has given the line up.
    wait_until("what may be on the way", || outlet.stats().bytes_on_the_way + 2 * PAYLOAD > few.bytes);
    for _ in 0..100 {
        look(&mut most);
        let on_the_way = outlet.stats().bytes_on_the_way;
        assert!(on_the_way <= few.bytes, "{on_the_way} bytes are on their way");
        std::thread::park_timeout(Duration::from_millis(30));
    }
    out.set(Way::Through);
    let count = (MUCH / PAYLOAD) as u64;
    wait_until("all acknowledgements", || {
        look(&mut most);
        outlet.stats().acknowledged == count
    });
    // The other way: a line that comes in fits and starts.
    let inlet = Inlet::start(&here, [("till".to_owned(), catalog())], from).unwrap();
    let mut turns = 0;
    wait_until("all of it", || {
        look(&mut most);
        turns += 1;
        within.set(if turns % 50 < 25 { Way::Through } else { Way::Stalled });
        inlet.stats()[0].written == count
    });
    let grown = most - before;
    assert!(grown < 12 << 20, "{grown} bytes more than before, with {} allowed each way", few.bytes);
}

#[test]
fn memory_stays_within_the_options_on_a_line_that_stands_still() {
    if !is_there() || !std::path::Path::new("/proc/self/status").exists() {
        return;
    }
    let server = Server::start();
    let mut child = process("proxy::child", &[("NATS_CHILD_OF_PROXY", &server.url())]);
    assert!(child.wait().unwrap().success());
}
