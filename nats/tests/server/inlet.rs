//! What other nodes send is on the bus: on a journal each message once and in order, whoever is killed; on a ring at least
//! once, and acknowledged when its readers have let it go.
//!
//! Messages are numbered from 0; what is compared at the end is the whole bus of the receiver.

use crate::support::{
    DEADLINE, Server, acknowledged, catalog, in_memory, is_there, kills, names, numbers, process, rows, sending, small,
    store, wait_until, write,
};
use rust_messenger::CircularBus;
use rust_messenger::message_bus::PersistentBus;
use rust_messenger::traits::{Layout, MessageBus, Next, Publish, Reader};
use rust_messenger_nats::protocol::{Catalog, EntryError, Limits, Mismatch, Names, Refusal};
use rust_messenger_nats::{BridgeError, BridgeOptions, Inlet, InletStats, Outlet};
use std::time::Duration;

fn journal_here(url: &str) -> BridgeOptions {
    BridgeOptions::journal(url, store(), 8)
}

fn ring_here(server: &Server) -> BridgeOptions {
    BridgeOptions::ring(&server.url(), store())
}

fn start(bus: &impl MessageBus, options: BridgeOptions) -> Inlet {
    Inlet::start(bus, [("till".to_owned(), catalog())], options).unwrap()
}

fn wait_for(inlet: &Inlet, what: &str, done: impl Fn(&InletStats) -> bool) {
    wait_until(what, || {
        assert!(!inlet.has_ended(), "the inlet has ended: {:?}", inlet.stats());
        done(&inlet.stats()[0])
    });
}

/// Writes so many messages into the stream, and ends.
fn send(server: &Server, count: u64) {
    let bus = in_memory();
    let outlet = Outlet::start(&bus, catalog(), sending(server)).unwrap();
    write(&bus, 0..count);
    assert_eq!(outlet.stop(DEADLINE).unwrap().unread, 0);
}

/// 5000 messages for a ring that is full before their end, its reader, and what asks for at most 600 at once.
fn full(server: &Server) -> (impl Reader, Inlet) {
    send(server, 5000);
    let bus = CircularBus::new(16 * 1024).unwrap();
    let reader = bus.subscribe("worker").unwrap();
    let mut options = ring_here(server);
    options.pull = Limits { messages: 600, bytes: 1 << 20 };
    let inlet = start(&bus, options);
    wait_for(&inlet, "a full bus", |stats| stats.full > 3);
    (reader, inlet)
}

/// Up to where `store` has acknowledged, and the end of the stream.
fn floor(server: &Server) -> (u64, u64) {
    server.ask(|context| async move {
        let Ok(stream) = context.get_stream(names().stream()).await else { return (0, 0) };
        let floor = stream.consumer_info("store").await.map_or(0, |info| info.ack_floor.stream_sequence);
        (floor, stream.cached_info().state.last_sequence)
    })
}

fn all_is_acknowledged(server: &Server) {
    wait_until("all acknowledgements", || {
        let (floor, last) = floor(server);
        floor == last
    });
}

#[test]
fn each_message_is_there_once_when_the_server_is_killed_and_set_back() {
    if !is_there() {
        return;
    }
    let mut server = Server::start();
    let (there, here) = (in_memory(), in_memory());
    let outlet = Outlet::start(&there, catalog(), sending(&server)).unwrap();
    let inlet = start(&here, journal_here(&server.url()));
    let mut count = 0;
    for kill in 0..kills() {
        write(&there, count..count + 3000);
        wait_for(&inlet, "messages", |stats| stats.written >= count + 100 * (1 + kill % 20));
        let saved = server.rerun_saved();
        write(&there, count + 3000..count + 4000);
        count += 4000;
        acknowledged(&outlet, count);
        if kill % 2 == 1 {
            // What was acknowledged on both sides is gone with the store that comes back.
            wait_for(&inlet, "all of them", |stats| stats.written == count);
            server.set_back(&saved);
        }
    }
    wait_for(&inlet, "all of them", |stats| stats.written == count);
    outlet.stop(DEADLINE).unwrap();
    inlet.stop().unwrap();
    assert!(numbers(&here).into_iter().eq(0..count));
}

#[test]
fn a_server_that_stands_still_is_asked_again_and_nothing_comes_twice() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let (there, here) = (in_memory(), in_memory());
    let outlet = Outlet::start(&there, catalog(), sending(&server)).unwrap();
    let inlet = start(&here, journal_here(&server.url()));
    let mut count = 0;
    for _ in 0..2 {
        write(&there, count..count + 3000);
        wait_for(&inlet, "messages", |stats| stats.written >= count + 100);
        server.stand_still(true);
        let looks = outlet.stats().looks;
        write(&there, count + 3000..count + 4000);
        count += 4000;
        // What it was sent before is on its way still, and arrives when it goes on.
        // On a busy machine it may have given up the connection before, and looks when it has another one.
        wait_until("that it asks no more", || outlet.stats().looks > looks || !outlet.stats().is_running);
        server.stand_still(false);
        wait_until("a look", || outlet.stats().looks > looks);
        wait_for(&inlet, "all of them", |stats| stats.written == count);
    }
    outlet.stop(DEADLINE).unwrap();
    inlet.stop().unwrap();
    assert!(numbers(&here).into_iter().eq(0..count));
}

/// What the next test kills: writes what comes to a journal.
#[test]
fn child() {
    let (Ok(path), Ok(url)) = (std::env::var("NATS_INLET_JOURNAL"), std::env::var("NATS_INLET_SERVER")) else {
        return;
    };
    let (bus, _) = PersistentBus::open(path, small()).unwrap();
    let inlet = start(&bus, journal_here(&url));
    // Until it is killed.
    wait_until("the end", || inlet.has_ended());
    panic!("{:?}", inlet.stop());
}

#[test]
fn each_message_is_there_once_when_the_receiver_is_killed() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let (url, there) = (server.url(), in_memory());
    let variables = [("NATS_INLET_JOURNAL", path.to_str().unwrap()), ("NATS_INLET_SERVER", &url)];
    let outlet = Outlet::start(&there, catalog(), sending(&server)).unwrap();
    let mut count = 0;
    for kill in 0..kills() {
        let mut child = process("inlet::child", &variables);
        write(&there, count..count + 5000);
        // Under load: somewhere in what there is.
        let until = floor(&server).0 + 100 + 731 * (kill % 5);
        count += 5000;
        wait_until("acknowledgements", || floor(&server).0 >= until);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    acknowledged(&outlet, count);
    let mut child = process("inlet::child", &variables);
    all_is_acknowledged(&server);
    child.kill().unwrap();
    child.wait().unwrap();
    let (here, _) = PersistentBus::open(&path, small()).unwrap();
    assert!(numbers(&here).into_iter().eq(0..count));
}

#[test]
fn a_ring_acknowledges_what_its_readers_have_let_go_and_nothing_else() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    send(&server, 10);
    let bus = CircularBus::new(64 * 1024).unwrap();
    let mut reader = bus.subscribe("worker").unwrap();
    let inlet = start(&bus, ring_here(&server));
    wait_for(&inlet, "all of them", |stats| stats.written == 10);
    // The end flushes what there is to say.
    inlet.stop().unwrap();
    assert!(floor(&server).0 <= 1, "no more than the hello");
    // At least once, and in order.
    let inlet = start(&bus, ring_here(&server));
    wait_for(&inlet, "all of them", |stats| stats.written == 10);
    let mut found = Vec::new();
    while let Ok(number) = reader.try_read(|_, payload| u64::from_le_bytes(payload.try_into().unwrap())) {
        found.push(number);
    }
    assert!(found.into_iter().eq((0..10).chain(0..10)));
    reader.release();
    all_is_acknowledged(&server);
    inlet.stop().unwrap();
}

#[test]
fn what_a_receiver_that_ended_had_comes_first_to_the_next_one() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let there = in_memory();
    let outlet = Outlet::start(&there, catalog(), sending(&server)).unwrap();
    let bus = CircularBus::new(64 * 1024).unwrap();
    let _reader = bus.subscribe("worker").unwrap();
    for (life, count) in [10, 20, 30].into_iter().enumerate() {
        write(&there, count - 10..count);
        acknowledged(&outlet, count);
        let inlet = start(&bus, ring_here(&server));
        wait_for(&inlet, "all of them", |stats| stats.written == count);
        assert_eq!(inlet.stats()[0].early, 0, "in life {life}");
        inlet.stop().unwrap();
    }
    outlet.stop(DEADLINE).unwrap();
}

#[test]
fn a_full_bus_asks_for_nothing_more_and_loses_nothing() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let (mut reader, inlet) = full(&server);
    let delivered = server.ask(|context| async move {
        let stream = context.get_stream(names().stream()).await.unwrap();
        stream.consumer_info("store").await.unwrap().delivered.stream_sequence
    });
    assert!(delivered <= 2 * 600, "{delivered} were asked for");
    assert!(inlet.stats()[0].lag >= 5000 - 2 * 600);
    let mut next = 0;
    wait_until("all of them", || {
        let take = |_: &_, payload: &[u8]| {
            assert_eq!(u64::from_le_bytes(payload.try_into().unwrap()), next);
            next += 1;
            Next::Go
        };
        let _ = reader.try_read_up_to(usize::MAX, take);
        reader.release();
        next == 5000
    });
    all_is_acknowledged(&server);
    inlet.stop().unwrap();
}

#[test]
fn what_is_none_of_a_bridge_or_lies_is_counted_and_passed_by() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    send(&server, 10);
    let subject = names().message("A", "B").to_string();
    let lies = ["", "1 j", "1 j 0000000000000007 0000000000000001 16 32 - - 1 2 le 0 0 - number"];
    server.ask(|context| async move {
        context.publish(subject.clone(), "no headers".into()).await.unwrap().await.unwrap();
        for lie in lies {
            let mut headers = rust_messenger_nats::async_nats::HeaderMap::new();
            headers.insert("Rm-Message", lie);
            context.publish_with_headers(subject.clone(), headers, "lie".into()).await.unwrap().await.unwrap();
        }
    });
    let here = in_memory();
    let inlet = start(&here, journal_here(&server.url()));
    wait_for(&inlet, "all of them", |stats| stats.refused == 4);
    all_is_acknowledged(&server);
    assert_eq!(inlet.stats()[0].last_refusal, Some(Refusal::Entry(EntryError::Field("previous"))));
    inlet.stop().unwrap();
    assert!(numbers(&here).into_iter().eq(0..10));
}

#[test]
fn what_the_table_here_lays_out_otherwise_waits_and_both_sides_are_named() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    send(&server, 10);
    let here = in_memory();
    let other: Catalog = rows(Layout::variable("another codec"));
    let inlet = Inlet::start(&here, [("till".to_owned(), other)], journal_here(&server.url())).unwrap();
    wait_for(&inlet, "a mismatch", |stats| stats.waits_for.is_some());
    let Some(Mismatch::Layout { theirs, ours, .. }) = &inlet.stats()[0].waits_for else {
        panic!("{:?}", inlet.stats());
    };
    assert_eq!((theirs.codec.as_str(), ours.codec.as_str()), ("number", "another codec"));
    inlet.stop().unwrap();
    // It waits in the stream, for a process with another table.
    let inlet = start(&here, journal_here(&server.url()));
    wait_for(&inlet, "all of them", |stats| stats.written == 10);
    inlet.stop().unwrap();
    assert!(numbers(&here).into_iter().eq(0..10));
}

#[test]
fn what_is_larger_than_the_bus_takes_is_counted_and_passed_by() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let there = in_memory();
    let outlet = Outlet::start(&there, catalog(), sending(&server)).unwrap();
    write(&there, 0..10);
    there.writer().unwrap().write_bytes(1, 2, &[0; 50_000]).unwrap();
    write(&there, 10..20);
    outlet.stop(DEADLINE).unwrap();
    let bus = CircularBus::new(16 * 1024).unwrap();
    let inlet = start(&bus, ring_here(&server));
    wait_for(&inlet, "all of them", |stats| stats.written == 20);
    all_is_acknowledged(&server);
    assert_eq!(inlet.stats()[0].too_large, 1);
    inlet.stop().unwrap();
}

#[test]
fn a_journal_that_has_lost_what_it_acknowledged_says_so() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    send(&server, 10);
    let here = in_memory();
    let inlet = start(&here, journal_here(&server.url()));
    wait_for(&inlet, "all of them", |stats| stats.written == 10);
    all_is_acknowledged(&server);
    inlet.stop().unwrap();
    // It comes back, and finds what it has.
    let inlet = start(&here, journal_here(&server.url()));
    wait_for(&inlet, "its stream", |stats| stats.is_running);
    inlet.stop().unwrap();

    let empty = in_memory();
    let inlet = start(&empty, journal_here(&server.url()));
    wait_until("the end", || inlet.has_ended());
    let Err(BridgeError::Gap { node, from: None, to: Some(_) }) = inlet.stop() else {
        panic!("what is missing was passed by");
    };
    assert_eq!(node, "till");
    let mut options = journal_here(&server.url());
    options.pass_gaps = true;
    let inlet = start(&empty, options);
    wait_for(&inlet, "its stream", |stats| stats.is_running);
    inlet.stop().unwrap();
}

#[test]
fn what_all_receivers_have_is_removed_but_for_the_last_of_it() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let (there, here) = (in_memory(), in_memory());
    let mut options = sending(&server);
    options.receivers.push("elsewhere".to_owned());
    let outlet = Outlet::start(&there, catalog(), options).unwrap();
    let inlet = start(&here, journal_here(&server.url()));
    write(&there, 0..100);
    wait_for(&inlet, "all of them", |stats| stats.written == 100);
    all_is_acknowledged(&server);
    let state = || {
        server.ask(
            |context| async move { context.get_stream(names().stream()).await.unwrap().cached_info().state.clone() },
        )
    };
    // One receiver has none of it.
    let asked = outlet.stats().floors_asked;
    wait_until("a look at the floors", || outlet.stats().floors_asked > asked);
    assert_eq!((state().first_sequence, outlet.stats().purged), (1, 0));
    let elsewhere = in_memory();
    let other = BridgeOptions::journal(&server.url(), Names::new("shop", "elsewhere").unwrap(), 9);
    let other = start(&elsewhere, other);
    wait_until("an empty stream", || state().messages == 1);
    assert_eq!(state().first_sequence, 101);
    // Nobody misses what is gone.
    inlet.stop().unwrap();
    other.stop().unwrap();
    write(&there, 100..200);
    for bus in [&here, &elsewhere] {
        let node = if std::ptr::eq(bus, &here) { "store" } else { "elsewhere" };
        let options = BridgeOptions::journal(&server.url(), Names::new("shop", node).unwrap(), 10);
        let inlet = start(bus, options);
        wait_for(&inlet, "the rest", |stats| stats.written == 100);
        inlet.stop().unwrap();
        assert!(numbers(bus).into_iter().eq(0..200), "at {node}");
    }
    outlet.stop(DEADLINE).unwrap();
}

#[test]
fn a_stream_that_was_deleted_ends_its_readers() {
    if !is_there() {
        return;
    }
    let mut server = Server::start();
    send(&server, 10);
    let here = in_memory();
    let inlet = start(&here, journal_here(&server.url()));
    wait_for(&inlet, "all of them", |stats| stats.written == 10);
    server.ask(|context| async move { context.delete_stream(names().stream()).await.unwrap() });
    server.rerun();
    wait_until("the end", || inlet.has_ended());
    assert_eq!(inlet.stop(), Err(BridgeError::StreamGone { stream: names().stream() }));
}

#[test]
fn server_and_stream_may_come_later() {
    if !is_there() {
        return;
    }
    let mut server = Server::start();
    server.kill();
    let here = in_memory();
    let inlet = start(&here, journal_here(&server.url()));
    server.run();
    send(&server, 10);
    wait_for(&inlet, "all of them", |stats| stats.written == 10);
    inlet.stop().unwrap();
}

#[test]
fn messages_that_were_removed_while_the_bus_was_full_are_a_gap() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let (mut reader, inlet) = full(&server);
    server.ask(|context| async move {
        let stream = context.get_stream(names().stream()).await.unwrap();
        stream.purge().sequence(4000).await.unwrap();
    });
    wait_until("the end", || {
        let _ = reader.try_read_up_to(usize::MAX, |_, _| Next::Go);
        reader.release();
        inlet.has_ended()
    });
    let Err(BridgeError::Gap { from: Some(from), to: Some(to), .. }) = inlet.stop() else { panic!("no gap was seen") };
    assert!(from < to);
}

#[test]
fn messages_that_were_removed_unseen_are_a_gap() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let (there, here) = (in_memory(), in_memory());
    let outlet = Outlet::start(&there, catalog(), sending(&server)).unwrap();
    write(&there, 0..10);
    let inlet = start(&here, journal_here(&server.url()));
    wait_for(&inlet, "all of them", |stats| stats.written == 10);
    all_is_acknowledged(&server);
    inlet.stop().unwrap();
    write(&there, 10..20);
    acknowledged(&outlet, 20);
    server.ask(|context| async move {
        let stream = context.get_stream(names().stream()).await.unwrap();
        stream.purge().sequence(15).await.unwrap();
    });
    let inlet = start(&here, journal_here(&server.url()));
    wait_until("the end", || inlet.has_ended());
    assert!(matches!(inlet.stop(), Err(BridgeError::Gap { to: Some(_), .. })));
    outlet.stop(Duration::ZERO).unwrap();
}
