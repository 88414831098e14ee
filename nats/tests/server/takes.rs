//! What this node passed by is not missing from its journal, whatever its table receives later; what it took is.
//!
//! Messages are numbered from 0, the even ones of one type and the odd ones of another.

use crate::support::{DEADLINE, Server, in_memory, is_there, names, sending, store, wait_until};
use rust_messenger::CircularBus;
use rust_messenger::message_bus::PersistentBus;
use rust_messenger::routing::{Table, TableRoute, TableWorker};
use rust_messenger::traits::{Layout, MessageBus, Publish, Reader};
use rust_messenger_nats::async_nats::jetstream::consumer::{DeliverPolicy, FromConsumer, pull};
use rust_messenger_nats::protocol::Catalog;
use rust_messenger_nats::{BridgeError, BridgeOptions, Inlet, InletStats, Outlet};

const EVEN: (&str, u16) = ("Even", 2);
const ODD: (&str, u16) = ("Odd", 3);
const BOTH: [(&str, u16); 2] = [EVEN, ODD];

fn of(messages: &[(&str, u16)]) -> Catalog {
    let route = |(message, message_id)| TableRoute {
        source: "A",
        source_id: 1,
        message,
        message_id,
        layout: Layout::variable("number"),
        receivers: &["c"],
    };
    let routes: Vec<TableRoute<'_>> = messages.iter().copied().map(route).collect();
    let workers = [TableWorker { name: "elsewhere", handlers: &[], routes: &routes }];
    Catalog::of(&Table { name: "T", workers: &workers }, |_| true)
}

/// Writes messages into the stream, and ends.
struct Sender(PersistentBus);

impl Sender {
    fn send(&self, server: &Server, numbers: std::ops::Range<u64>) {
        let outlet = Outlet::start(&self.0, of(&BOTH), sending(server)).unwrap();
        let writer = self.0.writer().unwrap();
        for number in numbers {
            writer.write_bytes(1, 2 + (number % 2) as u16, &number.to_le_bytes()).unwrap();
        }
        assert_eq!(outlet.stop(DEADLINE).unwrap().unread, 0);
    }
}

fn journal_here(server: &Server) -> BridgeOptions {
    BridgeOptions::journal(&server.url(), store(), 8)
}

fn start(bus: &impl MessageBus, options: BridgeOptions, messages: &[(&str, u16)]) -> Inlet {
    Inlet::start(bus, [("till".to_owned(), of(messages))], options).unwrap()
}

/// How many messages are acknowledged, and what the consumer keeps.
fn consumer(server: &Server) -> (u64, Option<String>) {
    server.ask(|context| async move {
        let stream = context.get_stream(names().stream()).await.unwrap();
        let info = stream.consumer_info("store").await.unwrap();
        let last = stream.cached_info().state.last_sequence;
        (last - info.ack_floor.stream_sequence, info.config.metadata.get("Rm-Takes").cloned())
    })
}

/// A life that receives those, and ends when all is acknowledged that there is.
fn live(server: &Server, bus: &impl MessageBus, options: BridgeOptions, messages: &[(&str, u16)]) -> InletStats {
    let inlet = start(bus, options, messages);
    wait_until("all acknowledgements", || {
        assert!(!inlet.has_ended(), "the inlet has ended: {:?}", inlet.stats());
        inlet.stats()[0].is_running && consumer(server).0 == 0
    });
    let stats = inlet.stats().remove(0);
    inlet.stop().unwrap();
    stats
}

/// A life that finds something missing.
fn misses(server: &Server, bus: &impl MessageBus, messages: &[(&str, u16)]) {
    let inlet = start(bus, journal_here(server), messages);
    wait_until("the end", || inlet.has_ended() || inlet.stats()[0].is_running);
    assert!(matches!(inlet.stop(), Err(BridgeError::Gap { from: None, to: Some(_), .. })));
}

fn numbers(bus: &PersistentBus) -> Vec<u64> {
    let mut reader = bus.subscribe("numbers").unwrap();
    let mut found = Vec::new();
    while let Ok(number) = reader.try_read(|_, payload| u64::from_le_bytes(payload.try_into().unwrap())) {
        found.push(number);
    }
    found
}

#[test]
fn a_type_that_was_passed_by_before_is_not_missing() {
    if !is_there() {
        return;
    }
    let (server, there, here) = (Server::start(), Sender(in_memory()), in_memory());
    there.send(&server, 0..10);
    live(&server, &here, journal_here(&server), &[EVEN]);
    // The last message there is was passed by; so it was when the life ended that first receives its type.
    for _ in 0..2 {
        live(&server, &here, journal_here(&server), &BOTH);
    }
    there.send(&server, 10..20);
    live(&server, &here, journal_here(&server), &BOTH);
    assert_eq!(numbers(&here), [0, 2, 4, 6, 8].into_iter().chain(10..20).collect::<Vec<u64>>());
    // The hello of each outlet is a message of the stream, too.
    assert_eq!(consumer(&server).1.as_deref(), Some("1 A.Even 0 A.Odd 11"));
}

#[test]
fn what_was_taken_is_missing_though_more_is_received_now() {
    if !is_there() {
        return;
    }
    let (server, there, here) = (Server::start(), Sender(in_memory()), in_memory());
    there.send(&server, 0..10);
    live(&server, &here, journal_here(&server), &[EVEN]);
    misses(&server, &in_memory(), &BOTH);
    // It took these until now, and the last of them is not there.
    misses(&server, &in_memory(), &[ODD]);
    live(&server, &here, journal_here(&server), &BOTH);
    there.send(&server, 10..12);
    // In the second one nothing comes.
    for _ in 0..2 {
        live(&server, &here, journal_here(&server), &BOTH);
    }
    misses(&server, &in_memory(), &[ODD]);
    misses(&server, &in_memory(), &BOTH);
}

#[test]
fn a_consumer_that_is_made_anew_keeps_what_was_taken() {
    if !is_there() {
        return;
    }
    let (server, there, here) = (Server::start(), Sender(in_memory()), in_memory());
    there.send(&server, 0..10);
    live(&server, &here, journal_here(&server), &[EVEN]);
    there.send(&server, 10..11);
    // Delivered, and acknowledged by nobody.
    server.ask(|context| async move {
        use futures_util::StreamExt;
        let stream = context.get_stream(names().stream()).await.unwrap();
        let consumer: rust_messenger_nats::async_nats::jetstream::consumer::PullConsumer =
            stream.get_consumer("store").await.unwrap();
        let mut batch = consumer.batch().max_messages(2).messages().await.unwrap();
        batch.next().await.unwrap().unwrap();
    });
    let begin = || {
        let stream = names().stream();
        let info =
            server.ask(|context| async move { context.get_stream(stream).await.unwrap().consumer_info("store").await });
        info.unwrap().config.deliver_policy
    };
    assert_eq!(begin(), DeliverPolicy::All);
    misses(&server, &in_memory(), &BOTH);
    assert_eq!(begin(), DeliverPolicy::ByStartSequence { start_sequence: 12 });
    misses(&server, &in_memory(), &BOTH);
    live(&server, &here, journal_here(&server), &BOTH);
    assert_eq!(numbers(&here), [0, 2, 4, 6, 8, 10]);
}

/// Two programs that delete and make a consumer at once leave one that the server has no directory for: it delivers, and
/// refuses to keep anything.
#[test]
fn a_consumer_that_can_keep_nothing_is_made_anew() {
    if !is_there() {
        return;
    }
    let (server, there, here) = (Server::start(), Sender(in_memory()), in_memory());
    there.send(&server, 0..10);
    let directory = server.directory_of(&names()).join("obs/store");
    std::fs::remove_dir_all(&directory).unwrap();
    live(&server, &here, journal_here(&server), &[EVEN]);
    assert!(directory.exists());
    std::fs::remove_dir_all(&directory).unwrap();
    there.send(&server, 10..20);
    live(&server, &here, journal_here(&server), &BOTH);
    assert_eq!(numbers(&here), [0, 2, 4, 6, 8].into_iter().chain(10..20).collect::<Vec<u64>>());
    assert_eq!(consumer(&server).1.as_deref(), Some("1 A.Even 0 A.Odd 11"));
}

#[test]
fn a_gap_that_was_passed_is_none_later() {
    if !is_there() {
        return;
    }
    let (server, there) = (Server::start(), Sender(in_memory()));
    there.send(&server, 0..10);
    live(&server, &in_memory(), journal_here(&server), &BOTH);
    let empty = in_memory();
    let mut options = journal_here(&server);
    options.pass_gaps = true;
    live(&server, &empty, options, &BOTH);
    live(&server, &empty, journal_here(&server), &BOTH);
    there.send(&server, 10..20);
    live(&server, &empty, journal_here(&server), &BOTH);
    assert_eq!(numbers(&empty), (10..20).collect::<Vec<u64>>());
}

#[test]
fn what_a_ring_took_is_missing_from_no_journal() {
    if !is_there() {
        return;
    }
    let (server, there, here) = (Server::start(), Sender(in_memory()), in_memory());
    there.send(&server, 0..10);
    live(&server, &here, journal_here(&server), &BOTH);
    there.send(&server, 10..20);
    // Nobody reads it, so all of it is let go.
    let ring = CircularBus::new(64 * 1024).unwrap();
    live(&server, &ring, BridgeOptions::ring(&server.url(), store()), &BOTH);
    assert_eq!(consumer(&server), (0, None));
    live(&server, &here, journal_here(&server), &BOTH);
    assert_eq!(numbers(&here), (0..10).collect::<Vec<u64>>());
}

#[test]
fn a_node_that_begins_where_somebody_chose_misses_nothing_before() {
    if !is_there() {
        return;
    }
    let sequence = |_| DeliverPolicy::ByStartSequence { start_sequence: 7 };
    let time = |start_time| DeliverPolicy::ByStartTime { start_time };
    for (chosen, first) in [(sequence as fn(_) -> _, 5), (time, 0)] {
        let (server, there, here) = (Server::start(), Sender(in_memory()), in_memory());
        there.send(&server, 0..10);
        server.ask(|context| async move {
            let stream = context.get_stream(names().stream()).await.unwrap();
            let made = stream.consumer_info("store").await.unwrap().config;
            stream.delete_consumer("store").await.unwrap();
            let deliver_policy = chosen(stream.cached_info().created);
            let config = pull::Config { deliver_policy, ..pull::Config::try_from_consumer_config(made).unwrap() };
            stream.create_consumer(config).await.unwrap();
        });
        live(&server, &here, journal_here(&server), &BOTH);
        assert_eq!(numbers(&here), (first..10).collect::<Vec<u64>>());
        assert!(consumer(&server).1.is_some());
    }
}
