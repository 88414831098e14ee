//! A bridge says how it is, and a handler hears it.

use crate::support::{Server, is_there, wait_until};
use rust_messenger::messenger::{JoinHandles, Options};
use rust_messenger::prelude::*;
use rust_messenger::routing::{Placed, Placement};
use rust_messenger_nats::protocol::Names;
use rust_messenger_nats::{Bridge, BridgeOptions, Status};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(serde::Serialize, serde::Deserialize)]
struct Ball(Vec<u8>);
rust_messenger::serde_message!(Ball, 1);

#[derive(Clone, Default)]
struct Config {
    heard: Arc<Mutex<Vec<Status>>>,
    /// How many balls come back for one.
    back: usize,
}

impl Config {
    fn heard(&self) -> Vec<Status> {
        self.heard.lock().unwrap().clone()
    }
}

struct Operator(Config);
handler!(Operator, 1);

impl New<Config> for Operator {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Operator(config.clone())
    }
}

impl Handle<Status> for Operator {
    fn handle<W: Writer>(&mut self, status: &Status, _: &W) {
        self.0.heard.lock().unwrap().push(status.clone());
    }
}

macro_rules! player {
    ($name:ident, $id:literal) => {
        struct $name(usize);
        handler!($name, $id);

        impl New<Config> for $name {
            fn new<W: Writer>(config: &Config, _: &W) -> Self {
                $name(config.back)
            }
        }

        impl Handle<Ball> for $name {
            fn handle<W: Writer>(&mut self, ball: &Ball, writer: &W) {
                for _ in 0..self.0 {
                    Self::send(ball, writer);
                }
            }
        }
    };
}
player!(Left, 2);
player!(Right, 3);

Messenger! {
    Config,
    Desk:
        handlers: [ operator: Operator ]
        routes: [ Bridge, Status: [ operator ] ]
    West:
        handlers: [ left: Left ]
        routes: [ Right, Ball: [ left ] ]
    East:
        handlers: [ right: Right ]
        routes: [ Left, Ball: [ right ] ]
}

fn placed(node: &str) -> Placed {
    // The operator's own source at the other node: what a bridge says stays where it is.
    let placement = Placement::new().worker("Desk", "west").worker("West", "west").worker("East", "east");
    placement.source("Bridge", "east").on(node, Messenger::<()>::table()).unwrap()
}

/// A messenger of the node of `options` on a ring, with its bridge.
pub fn made_with(options: BridgeOptions) -> (Messenger<CircularBus>, Bridge) {
    let placed = placed(options.names.node());
    let here = Options { workers: Some(placed.workers().to_vec()), ..Options::default() };
    let messenger = Messenger::with_options(CircularBus::new(64 * 1024).unwrap(), here);
    let bridge = Bridge::start(&messenger, Messenger::<()>::table(), &placed, options).unwrap();
    (messenger, bridge)
}

/// A messenger of that node on a ring, with its bridge, to which a moment is long.
fn made(url: &str, node: &str, capacity: usize, max_bytes: Option<u64>) -> (Messenger<CircularBus>, Bridge) {
    let drain = Duration::from_millis(100);
    let options = Options { workers: Some(placed(node).workers().to_vec()), drain, ..Options::default() };
    let messenger = Messenger::with_options(CircularBus::new(capacity).unwrap(), options);
    let mut options = BridgeOptions::ring(url, Names::new("court", node).unwrap());
    (options.max_bytes, options.stall) = (max_bytes, Duration::from_millis(200));
    let bridge = Bridge::start(&messenger, Messenger::<()>::table(), &placed(node), options).unwrap();
    (messenger, bridge)
}

fn start(
    url: &str,
    node: &str,
    capacity: usize,
    max_bytes: Option<u64>,
    config: &Config,
) -> (Messenger<CircularBus>, Bridge, JoinHandles) {
    let (messenger, bridge) = made(url, node, capacity, max_bytes);
    let handles = messenger.run(config);
    (messenger, bridge, handles)
}

fn ball(messenger: &Messenger<CircularBus>) {
    Left::send(&Ball(vec![7; 200]), &messenger.writer().unwrap());
}

#[test]
fn it_says_when_the_server_comes_and_goes() {
    if !is_there() {
        return;
    }
    let mut server = Server::start();
    server.kill();
    let config = Config::default();
    let (messenger, bridge) = made(&server.url(), "west", 64 * 1024, None);
    wait_until("nobody is there", || matches!(bridge.stats().status, Some(Status::Disconnected { .. })));
    // Its turn ends with what it says, were it not too early for that: the next attempt to connect is a later turn.
    std::thread::park_timeout(Duration::from_millis(20));
    let handles = messenger.run(&config);
    for _ in 0..2 {
        server.run();
        wait_until("a server", || config.heard().last() == Some(&Status::Connected));
        assert_eq!(bridge.stats().status, Some(Status::Connected));
        server.kill();
        let is_away = |status: &Status| matches!(status, Status::Disconnected { reason } if !reason.is_empty());
        wait_until("none", || config.heard().last().is_some_and(is_away));
    }
    // Each change once: the two that it may say of an absence are the loss, and that nobody answers.
    let heard = config.heard();
    assert!(heard.windows(2).all(|pair| pair[0] != pair[1]), "{heard:?}");
    assert_eq!(heard.iter().filter(|status| **status == Status::Connected).count(), 2);
    assert!(matches!(heard[0], Status::Disconnected { .. }), "it was said once the workers were subscribed");
    assert!(heard.contains(&Status::Disconnected { reason: "lost".to_owned() }), "{heard:?}");
    messenger.stop();
    assert_eq!(handles.join().unwrap().left, []);
}

#[test]
fn its_last_word_is_why_it_ended() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    for is_fenced in [true, false] {
        let configs = [Config::default(), Config::default()];
        let (first, bridge, handles) = start(&server.url(), "west", 64 * 1024, None, &configs[0]);
        wait_until("its stream", || bridge.stats().out.unwrap().is_running);
        let second = if is_fenced {
            let second = start(&server.url(), "west", 64 * 1024, None, &configs[1]);
            wait_until("its stream", || second.1.stats().out.unwrap().is_running);
            Some(second)
        } else {
            server.ask(|context| async move { context.delete_stream("court+west").await.unwrap() });
            None
        };
        ball(&first);
        handles.join().unwrap_err();
        let last = configs[0].heard().pop().unwrap();
        if let Some((messenger, _bridge, handles)) = second {
            assert_eq!(last, Status::Fenced);
            messenger.stop();
            handles.join().unwrap();
        } else {
            let reason = "the stream court+west was deleted".to_owned();
            assert_eq!(last, Status::Refused { reason });
        }
        assert_eq!(bridge.stats().status, Some(last));
    }
}

#[test]
fn a_full_stream_stands_still_until_somebody_reads_it() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let config = Config::default();
    let (west, bridge, handles) = start(&server.url(), "west", 64 * 1024, Some(8192), &config);
    wait_until("its stream", || bridge.stats().out.unwrap().is_running);
    (0..40).for_each(|_| ball(&west));
    let stalled = Status::Stalled { out: true, sources: Vec::new() };
    wait_until("a full stream", || config.heard().last() == Some(&stalled));
    assert!(bridge.stats().out.unwrap().full > 0);
    let (east, _east_bridge, east_handles) = start(&server.url(), "east", 64 * 1024, None, &Config::default());
    wait_until("room", || config.heard().last() == Some(&Status::Connected));
    wait_until("all of it", || bridge.stats().out.unwrap().acknowledged == 40);
    for (messenger, handles) in [(west, handles), (east, east_handles)] {
        messenger.stop();
        handles.join().unwrap();
    }
}

/// Each ball comes back as two. The rings fill, then the streams, and each waits for the others.
#[test]
fn a_circle_that_is_full_stands_still_and_says_so_at_both_ends() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let config = Config { back: 2, ..Config::default() };
    let nodes = ["west", "east"].map(|node| start(&server.url(), node, 8192, Some(16 * 1024), &config));
    nodes.iter().for_each(|(_, bridge, _)| {
        wait_until("its stream", || bridge.stats().out.unwrap().is_running);
    });
    ball(&nodes[0].0);
    for ((_, bridge, _), other) in nodes.iter().zip(["east", "west"]) {
        let stalled = Status::Stalled { out: true, sources: vec![other.to_owned()] };
        wait_until("everything to stand still", || bridge.stats().status.as_ref() == Some(&stalled));
    }
    for (messenger, _bridge, handles) in nodes {
        messenger.stop();
        handles.join().unwrap();
    }
}
