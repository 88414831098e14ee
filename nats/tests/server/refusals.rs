//! What is refused or waits, and is named: streams that are somebody else's, buses that do not fit, tables of two versions.

use crate::support::{
    DEADLINE, Server, acknowledged, catalog, in_memory, is_there, journal, names, numbers, sending, store, wait_until,
    write,
};
use rust_messenger::CircularBus;
use rust_messenger::routing::{Table, TableRoute, TableWorker};
use rust_messenger::traits::{Layout, MessageBus, NoWriter, Publish, Reader};
use rust_messenger_nats::async_nats::HeaderMap;
use rust_messenger_nats::async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use rust_messenger_nats::protocol::{Catalog, Mismatch, Names, ResumeError};
use rust_messenger_nats::{BridgeError, BridgeOptions, Inlet, Outlet};

/// Why it has ended.
fn end(outlet: Outlet) -> BridgeError {
    wait_until("the end", || outlet.has_ended());
    outlet.stop(DEADLINE).unwrap_err()
}

fn purge(server: &Server) {
    server.ask(|context| async move {
        let stream = context.get_stream(names().stream()).await.unwrap();
        stream.purge().await.unwrap();
    });
}

#[test]
fn a_stream_that_is_set_up_otherwise_is_refused() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let right = || Config {
        name: names().stream(),
        subjects: vec![names().all()],
        discard: DiscardPolicy::New,
        allow_direct: true,
        ..Config::default()
    };
    let others = [
        Config { subjects: vec!["elsewhere.>".to_owned()], ..right() },
        Config { retention: RetentionPolicy::WorkQueue, ..right() },
        Config { discard: DiscardPolicy::Old, ..right() },
        Config { storage: StorageType::Memory, ..right() },
    ];
    let set_up = |config: Config| {
        // A server that is still removing the last one cannot make one of its name.
        wait_until("the stream is set up", || {
            let config = config.clone();
            server.ask(|context| async move {
                let _ = context.delete_stream(names().stream()).await;
                context.create_stream(config).await.is_ok()
            })
        });
        Outlet::start(&in_memory(), catalog(), journal(&server)).unwrap()
    };
    for other in others {
        let shown = format!("{other:?}");
        assert_eq!(end(set_up(other)), BridgeError::OtherStream { stream: names().stream() }, "{shown}");
    }
    let outlet = set_up(right());
    wait_until("its stream", || outlet.stats().is_running);
}

#[test]
fn what_somebody_else_publishes_ends_the_sender_and_says_why() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let bus = in_memory();
    let outlet = Outlet::start(&bus, catalog(), journal(&server)).unwrap();
    write(&bus, 0..100);
    acknowledged(&outlet, 100);
    let subject = names().message("A", "B").to_string();
    server.ask(|context| async move {
        let mut headers = HeaderMap::new();
        headers.insert("Rm-Message", "1 j it lies");
        context.publish_with_headers(subject, headers, "lie".into()).await.unwrap().await.unwrap();
    });
    write(&bus, 100..200);
    assert!(matches!(end(outlet), BridgeError::Resume(ResumeError::Foreign { sequence: 102, .. })));
    // Nor does it begin behind that.
    let outlet = Outlet::start(&bus, catalog(), journal(&server)).unwrap();
    assert!(matches!(end(outlet), BridgeError::Resume(ResumeError::Foreign { sequence: 102, .. })));
}

#[test]
fn another_journal_of_the_node_is_refused_unless_it_takes_over() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let (first, second) = (in_memory(), in_memory());
    let outlet = Outlet::start(&first, catalog(), journal(&server)).unwrap();
    write(&first, 0..100);
    outlet.stop(DEADLINE).unwrap();
    write(&second, 100..200);
    let options = || BridgeOptions::journal(&server.url(), names(), 9);
    let outlet = Outlet::start(&second, catalog(), options()).unwrap();
    assert_eq!(end(outlet), BridgeError::Resume(ResumeError::OtherJournal { theirs: 7, ours: 9 }));
    let mut adopting = options();
    adopting.adopt = true;
    let outlet = Outlet::start(&second, catalog(), adopting).unwrap();
    outlet.stop(DEADLINE).unwrap();
    let here = in_memory();
    let receiving = BridgeOptions::journal(&server.url(), store(), 8);
    let inlet = Inlet::start(&here, [("till".to_owned(), catalog())], receiving).unwrap();
    wait_until("both journals", || inlet.stats()[0].written == 200);
    assert!(numbers(&here).into_iter().eq(0..200));
}

#[test]
fn a_stream_that_is_purged_under_its_sender_goes_on_and_one_that_ends_with_nothing_is_refused() {
    if !is_there() {
        return;
    }
    let mut server = Server::start();
    let bus = in_memory();
    let outlet = Outlet::start(&bus, catalog(), journal(&server)).unwrap();
    write(&bus, 0..100);
    acknowledged(&outlet, 100);
    purge(&server);
    write(&bus, 100..200);
    acknowledged(&outlet, 200);
    // What is there now says where it goes on.
    server.rerun();
    write(&bus, 200..300);
    acknowledged(&outlet, 300);
    outlet.stop(DEADLINE).unwrap();
    purge(&server);
    let outlet = Outlet::start(&bus, catalog(), journal(&server)).unwrap();
    assert!(matches!(end(outlet), BridgeError::Resume(ResumeError::Emptied { sequence: 301 })));
}

#[test]
fn a_bus_for_one_writer_takes_nothing_from_elsewhere() {
    let bus = CircularBus::one_writer(64 * 1024).unwrap();
    let sources = [("till".to_owned(), catalog())];
    let inlet = Inlet::start(&bus, sources, BridgeOptions::ring("nats://127.0.0.1:1", store()));
    assert_eq!(inlet.map(drop).unwrap_err(), BridgeError::Writer(NoWriter::Taken));
    // Nor does it keep the one.
    bus.writer().unwrap();
    // What goes out needs none.
    Outlet::start(&bus, catalog(), BridgeOptions::ring("nats://127.0.0.1:1", names())).map(drop).unwrap();
}

/// Of a table with the messages B, C and perhaps a later D, of which C becomes bytes with `codec`.
fn version(codec: &'static str, has_d: bool) -> Catalog {
    let route = |message, message_id, codec| {
        let layout = Layout::variable(codec);
        TableRoute { source: "A", source_id: 1, message, message_id, layout, receivers: &["c"] }
    };
    let routes = [route("B", 2, "number"), route("C", 3, codec), route("D", 4, "number")];
    let workers = [TableWorker { name: "elsewhere", handlers: &[], routes: &routes[..if has_d { 3 } else { 2 }] }];
    Catalog::of(&Table { name: "T", workers: &workers }, |_| true)
}

/// The till has the new version before the store has it, and the gate still has the old one.
#[test]
fn of_two_versions_of_a_table_what_matches_flows_and_what_does_not_waits_and_is_named() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let gate = Names::new("shop", "gate").unwrap();
    let (there, other, here) = (in_memory(), in_memory(), in_memory());
    let outlet = Outlet::start(&there, version("new", true), sending(&server)).unwrap();
    let mut from_gate = BridgeOptions::journal(&server.url(), gate, 5);
    from_gate.receivers = vec!["store".to_owned()];
    let gate = Outlet::start(&other, version("old", false), from_gate).unwrap();
    let start = |catalog: fn() -> Catalog| {
        let sources = ["till", "gate"].map(|node| (node.to_owned(), catalog()));
        Inlet::start(&here, sources, BridgeOptions::journal(&server.url(), store(), 8)).unwrap()
    };
    let write = |bus: &dyn Fn(u16, u64), messages: &[u16], numbers: std::ops::Range<u64>| {
        for (number, message) in numbers.zip(messages.iter().cycle()) {
            bus(*message, number);
        }
    };
    let (till_writer, gate_writer) = (there.writer().unwrap(), other.writer().unwrap());
    let till = |message, number: u64| till_writer.write_bytes(1, message, &number.to_le_bytes()).unwrap();
    let at_gate = |message, number: u64| gate_writer.write_bytes(1, message, &number.to_le_bytes()).unwrap();
    let inlet = start(|| version("old", false));
    // What is new to the old table is for nobody there, and what is as it was flows.
    write(&till, &[2, 4], 0..100);
    wait_until("what matches", || inlet.stats()[0].written == 50);
    write(&till, &[3, 2], 100..200);
    wait_until("what differs", || inlet.stats()[0].waits_for.is_some());
    let Some(Mismatch::Layout { names, theirs, ours }) = inlet.stats()[0].waits_for.clone() else {
        panic!("{:?}", inlet.stats());
    };
    assert_eq!((names.1.as_str(), theirs.codec.as_str(), ours.codec.as_str()), ("C", "new", "old"));
    // Another node, whose table agrees, is not held up by that.
    write(&at_gate, &[3, 2], 1000..1100);
    wait_until("the other node", || inlet.stats()[1].written == 100);
    assert_eq!((inlet.stats()[0].written, inlet.has_ended()), (50, false));
    inlet.stop().unwrap();
    gate.stop(DEADLINE).unwrap();
    // The store has the new version, too: what waited comes, and nothing else.
    let inlet = start(|| version("new", false));
    wait_until("what waited", || inlet.stats()[0].written == 100);
    outlet.stop(DEADLINE).unwrap();
    inlet.stop().unwrap();
    let mut found: Vec<u64> = Vec::new();
    let mut reader = here.subscribe("found").unwrap();
    while reader.try_read(|_, payload| found.push(u64::from_le_bytes(payload.try_into().unwrap()))).is_ok() {}
    let from_till: Vec<u64> = found.iter().copied().filter(|number| *number < 1000).collect();
    assert!(from_till.into_iter().eq((0..100).step_by(2).chain(100..200)));
    assert!(found.into_iter().filter(|number| *number >= 1000).eq(1000..1100));
}
