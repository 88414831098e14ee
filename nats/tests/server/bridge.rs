//! One table, two nodes: no handler sees a difference.

use crate::support::{DEADLINE, Server, in_memory, is_there, wait_until};
use rust_messenger::messenger::{Cause, Options, SystemClock};
use rust_messenger::prelude::*;
use rust_messenger::routing::{Placed, Placement};
use rust_messenger::traits::{Clock, MessageBus};
use rust_messenger_nats::protocol::{Catalog, Entry, MessageHead, Names, ResumeError};
use rust_messenger_nats::{Bridge, BridgeError, BridgeOptions, Inlet};
use std::sync::{Arc, Mutex};

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Number(u64);
rust_messenger::serde_message!(Number, 1);

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Doubled(u64);
rust_messenger::serde_message!(Doubled, 2);

#[derive(Clone, Default)]
struct Config {
    doubled: Arc<Mutex<Vec<u64>>>,
}

struct Counter(Arc<Mutex<Vec<u64>>>);
handler!(Counter, 1);

impl New<Config> for Counter {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Counter(config.doubled.clone())
    }
}

impl Handle<Doubled> for Counter {
    fn handle<W: Writer>(&mut self, doubled: &Doubled, _: &W) {
        self.0.lock().unwrap().push(doubled.0);
    }
}

/// Whoever writes from outside.
struct Sensor;
handler!(Sensor, 2);

struct Doubler;
handler!(Doubler, 3, default);

impl Default for Doubler {
    fn default() -> Self {
        Doubler
    }
}

impl Handle<Number> for Doubler {
    fn handle<W: Writer>(&mut self, number: &Number, writer: &W) {
        Self::send(&Doubled(2 * number.0), writer);
    }
}

Messenger! {
    Config,
    Here:
        handlers: [ counter: Counter ]
        routes: [ Doubler, Doubled: [ counter ] ]
    There:
        handlers: [ doubler: Doubler ]
        routes: [ Sensor, Number: [ doubler ] ]
}

fn placed(node: &str) -> Placed {
    let placement = Placement::new().worker("Here", "near").worker("There", "far").source("Sensor", "near");
    placement.on(node, Messenger::<()>::table()).unwrap()
}

fn messenger<B: MessageBus>(bus: B, node: &str) -> Messenger<B> {
    let options = Options { workers: Some(placed(node).workers().to_vec()), ..Options::default() };
    Messenger::with_options(bus, options)
}

fn names(node: &str) -> Names {
    Names::new("plant", node).unwrap()
}

fn bridge<B: MessageBus>(messenger: &Messenger<B>, options: BridgeOptions) -> Bridge {
    let placed = placed(options.names.node());
    Bridge::start(messenger, Messenger::<()>::table(), &placed, options).unwrap()
}

#[test]
fn a_worker_elsewhere_answers_as_one_here() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let (near, far) = (CircularBus::new(64 * 1024).unwrap(), CircularBus::new(64 * 1024).unwrap());
    let (near, far) = (messenger(near, "near"), messenger(far, "far"));
    let config = Config::default();
    let bridges = [
        bridge(&near, BridgeOptions::ring(&server.url(), names("near"))),
        bridge(&far, BridgeOptions::ring(&server.url(), names("far"))),
    ];
    let handles = [near.run(&config), far.run(&config)];
    let writer = near.writer().unwrap();
    for number in 0..5000 {
        Sensor::send(&Number(number), &writer);
    }
    wait_until("all answers", || config.doubled.lock().unwrap().len() >= 5000);
    assert!(config.doubled.lock().unwrap().iter().copied().eq((0..5000).map(|number| 2 * number)));
    assert_eq!(bridges[0].stats().sources[0].written, 5000);
    assert_eq!(bridges[1].stats().out.unwrap().acknowledged, 5000);
    [near, far].iter().for_each(|messenger| messenger.stop());
    for handles in handles {
        assert_eq!(handles.join().unwrap().left, []);
    }
    drop(bridges);
}

#[test]
fn a_journal_says_when_and_why_a_message_was_sent() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let before = SystemClock.now().as_nanos();
    let (near, far) = (messenger(CircularBus::new(64 * 1024).unwrap(), "near"), messenger(in_memory(), "far"));
    let mut tap = far.tap().unwrap();
    let config = Config::default();
    let _near_bridge = bridge(&near, BridgeOptions::ring(&server.url(), names("near")));
    let _far_bridge = bridge(&far, BridgeOptions::journal(&server.url(), names("far"), 7));
    let handles = [near.run(&config), far.run(&config)];
    let writer = near.writer().unwrap();
    (0..10).for_each(|number| Sensor::send(&Number(number), &writer));
    wait_until("all answers", || config.doubled.lock().unwrap().len() == 10);
    let after = SystemClock.now().as_nanos();
    let mut numbers = Vec::new();
    while numbers.len() < 10 {
        let place =
            tap.read_timeout(DEADLINE, |header, _| (header.source == Sensor::ID).then_some(header.position)).unwrap();
        numbers.extend(place);
    }
    let heads = |node| -> Vec<MessageHead> {
        let contents = server.contents(&names(node));
        let head = |(entry, _)| if let Entry::Message(head) = entry { Some(head) } else { None };
        contents.into_iter().filter_map(head).collect()
    };
    // Each answer names the number that it is one to, where that stands on its own bus.
    let (asked, answered) = (heads("near"), heads("far"));
    assert!(answered.iter().map(|head| head.cause).eq(numbers.iter().copied().map(Some)));
    let times: Vec<u64> = answered.iter().map(|head| head.time.unwrap()).collect();
    assert!(times.is_sorted() && before <= times[0] && times[9] <= after, "{before} {times:?} {after}");
    assert!(
        asked.len() == 10 && asked.iter().all(|head| (head.time, head.cause) == (None, None)),
        "a ring records none"
    );
    near.stop();
    far.stop();
    for handles in handles {
        handles.join().unwrap();
    }
}

#[test]
fn a_stop_sends_what_stands_before_the_end_of_the_drain_or_says_what_is_left() {
    if !is_there() {
        return;
    }
    let mut server = Server::start();
    for is_away in [false, true] {
        let near = messenger(CircularBus::new(1 << 20).unwrap(), "near");
        let bridge = bridge(&near, BridgeOptions::ring(&server.url(), names("near")));
        let handles = near.run(&Config::default());
        if is_away {
            server.kill();
        }
        let writer = near.writer().unwrap();
        for number in 0..100 {
            Sensor::send(&Number(number), &writer);
        }
        near.stop();
        let left = handles.join().unwrap().left;
        let acknowledged = bridge.stats().out.unwrap().acknowledged;
        if is_away {
            let left = &left[0];
            assert_eq!((left.worker, left.unread + left.unsent + acknowledged), ("nats bridge", 100));
        } else {
            assert_eq!((left.len(), acknowledged), (0, 100));
        }
    }
}

#[test]
fn nothing_comes_in_before_all_workers_are_subscribed() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let near = messenger(CircularBus::new(64 * 1024).unwrap(), "near");
    let far = messenger(CircularBus::new(64 * 1024).unwrap(), "far");
    let config = Config::default();
    let near_bridge = bridge(&near, BridgeOptions::ring(&server.url(), names("near")));
    let far_bridge = bridge(&far, BridgeOptions::ring(&server.url(), names("far")));
    let near_handles = near.run(&config);
    let writer = near.writer().unwrap();
    (0..100).for_each(|number| Sensor::send(&Number(number), &writer));
    wait_until("all of them in the stream", || near_bridge.stats().out.unwrap().acknowledged == 100);
    wait_until("the stream", || far_bridge.stats().sources[0].is_running);
    // What came in by now would be lost to a worker that begins at the end of the ring.
    let other = CircularBus::new(64 * 1024).unwrap();
    let sources = [("near".to_owned(), Catalog::default())];
    let inlet = Inlet::start(&other, sources, BridgeOptions::ring(&server.url(), names("other"))).unwrap();
    wait_until("another reader", || inlet.stats()[0].is_running);
    let far_handles = far.run(&config);
    wait_until("all answers", || config.doubled.lock().unwrap().len() == 100);
    [&near, &far].iter().for_each(|messenger| messenger.stop());
    for handles in [near_handles, far_handles] {
        assert_eq!(handles.join().unwrap().left, []);
    }
}

#[test]
fn a_bridge_comes_before_its_messenger_runs_and_belongs_to_one_node() {
    let far = messenger(CircularBus::new(64 * 1024).unwrap(), "far");
    let (table, options) = (Messenger::<()>::table(), BridgeOptions::ring("nats://127.0.0.1:1", names("far")));
    let other = Bridge::start(&far, table, &placed("near"), options.clone()).map(drop);
    assert_eq!(other, Err(BridgeError::OtherNode { placed: "near".to_owned(), named: "far".to_owned() }));
    let handles = far.run(&Config::default());
    assert_eq!(Bridge::start(&far, table, &placed("far"), options).map(drop), Err(BridgeError::RanBefore));
    far.stop();
    handles.join().unwrap();
}

#[test]
fn a_bridge_that_is_dropped_before_its_messenger_runs_holds_nobody() {
    let far = messenger(CircularBus::new(64 * 1024).unwrap(), "far");
    drop(bridge(&far, BridgeOptions::ring("nats://127.0.0.1:1", names("far"))));
    // A reader that nobody drops would hold the bus.
    let writer = far.writer();
    wait_until("its reader to leave", || far.stats().readers.is_empty());
    drop(writer);
    let handles = far.run(&Config::default());
    far.stop();
    handles.join().unwrap();
}

#[test]
fn of_two_bridges_of_one_node_one_is_fenced_and_ends_its_messenger() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let start = || {
        let near = messenger(CircularBus::new(64 * 1024).unwrap(), "near");
        let bridge = bridge(&near, BridgeOptions::ring(&server.url(), names("near")));
        let handles = near.run(&Config::default());
        (near, bridge, handles)
    };
    let (first, first_bridge, first_handles) = start();
    wait_until("its stream", || first_bridge.stats().out.unwrap().is_running);
    let (second, second_bridge, second_handles) = start();
    wait_until("its stream", || second_bridge.stats().out.unwrap().is_running);
    Sensor::send(&Number(1), &first.writer().unwrap());
    let error = first_handles.join().unwrap_err();
    let Cause::Failed { error, .. } = &error.failures[0].cause else { panic!("{error}") };
    let fenced = error.downcast_ref::<BridgeError>();
    assert!(matches!(fenced, Some(BridgeError::Resume(ResumeError::Fenced { .. }))), "{error}");
    Sensor::send(&Number(2), &second.writer().unwrap());
    second.stop();
    assert_eq!(second_handles.join().unwrap().left, []);
}
