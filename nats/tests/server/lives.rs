//! Lives of both nodes one after the other: what changes between them, how long a server is away, and how little an idle one
//! costs.

use crate::support::{
    DEADLINE, Server, acknowledged, catalog, in_memory, is_there, kills, names, numbers, process, sending, store,
    wait_until, write,
};
use rust_messenger::CircularBus;
use rust_messenger::message_bus::PersistentBus;
use rust_messenger::routing::{Table, TableRoute, TableWorker};
use rust_messenger::traits::{Layout, MessageBus, Publish, Reader};
use rust_messenger_nats::async_nats::jetstream::stream::{Config, DiscardPolicy};
use rust_messenger_nats::protocol::Catalog;
use rust_messenger_nats::{BridgeOptions, Inlet, Outlet};
use std::time::{Duration, Instant};

fn receive(server: &Server, bus: &PersistentBus, catalog: Catalog) -> Inlet {
    let options = BridgeOptions::journal(&server.url(), store(), 8);
    Inlet::start(bus, [("till".to_owned(), catalog)], options).unwrap()
}

/// Of a table in which workers elsewhere receive these messages.
fn routing(messages: &[u16]) -> Catalog {
    let route = |message_id| {
        let message = if message_id == 2 { "B" } else { "C" };
        let layout = Layout::variable("number");
        TableRoute { source: "A", source_id: 1, message, message_id, layout, receivers: &["c"] }
    };
    let routes: Vec<TableRoute<'_>> = messages.iter().copied().map(route).collect();
    let workers = [TableWorker { name: "elsewhere", handlers: &[], routes: &routes }];
    Catalog::of(&Table { name: "T", workers: &workers }, |_| true)
}

#[test]
fn routes_change_between_two_lives_and_each_message_is_there_once() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let (there, here) = (in_memory(), in_memory());
    let (mut number, mut expected) = (0u64, Vec::new());
    for routes in [&[2][..], &[2, 3], &[3], &[3, 2], &[2]] {
        let outlet = Outlet::start(&there, routing(routes), sending(&server)).unwrap();
        let inlet = receive(&server, &here, routing(&[2, 3]));
        let writer = there.writer().unwrap();
        // The last one of a life goes out: what that life did not send does not go out in a later one.
        let messages = [2, 3].into_iter().cycle().take(500).chain([routes[0]]);
        for message in messages {
            writer.write_bytes(1, message, &number.to_le_bytes()).unwrap();
            if routes.contains(&message) {
                expected.push((message, number));
            }
            number += 1;
        }
        assert_eq!(outlet.stop(DEADLINE).unwrap().unread, 0);
        let mut reader = here.subscribe("found").unwrap();
        let mut found = Vec::new();
        wait_until("this life's messages", || {
            assert!(!inlet.has_ended());
            while reader.try_read(|header, payload| found.push(message_of(header, payload))).is_ok() {}
            found.len() >= expected.len()
        });
        assert_eq!(found, expected, "with the routes {routes:?}");
        inlet.stop().unwrap();
    }
}

/// Then what is new has sequences of which the receiver had other messages.
#[test]
fn a_store_that_was_set_back_and_filled_by_a_table_that_sends_less_is_read_by_positions() {
    if !is_there() {
        return;
    }
    let mut server = Server::start();
    let (there, here) = (in_memory(), in_memory());
    let inlet = receive(&server, &here, routing(&[2, 3]));
    let writer = there.writer().unwrap();
    let write = |messages: &[u16], numbers: std::ops::Range<u64>| {
        for number in numbers {
            let message = messages[number as usize % messages.len()];
            writer.write_bytes(1, message, &number.to_le_bytes()).unwrap();
        }
    };
    let come = |count: u64| {
        wait_until("messages", || {
            assert!(!inlet.has_ended());
            inlet.stats()[0].written == count
        });
    };
    let outlet = Outlet::start(&there, routing(&[2, 3]), sending(&server)).unwrap();
    write(&[2, 3], 0..10);
    come(10);
    let saved = server.rerun_saved();
    write(&[2, 3], 10..500);
    come(500);
    outlet.stop(DEADLINE).unwrap();
    server.set_back(&saved);
    let outlet = Outlet::start(&there, routing(&[2]), sending(&server)).unwrap();
    write(&[2], 500..600);
    come(600);
    outlet.stop(DEADLINE).unwrap();
    inlet.stop().unwrap();
    let mut reader = here.subscribe("found").unwrap();
    let mut found = Vec::new();
    while reader.try_read(|header, payload| found.push(message_of(header, payload).1)).is_ok() {}
    assert!(found.into_iter().eq(0..600));
}

fn message_of(header: &rust_messenger::traits::Header, payload: &[u8]) -> (u16, u64) {
    (header.message, u64::from_le_bytes(payload.try_into().unwrap()))
}

/// The stream remembers ids for a second; the server is dead, or stands still, for three. `NATS_OUTAGES` for more of it.
#[test]
fn each_message_is_there_once_when_the_server_forgets_ids_while_it_is_away() {
    if !is_there() {
        return;
    }
    let mut server = Server::start();
    let config = Config {
        name: names().stream(),
        subjects: vec![names().all()],
        discard: DiscardPolicy::New,
        duplicate_window: Duration::from_secs(1),
        allow_direct: true,
        ..Config::default()
    };
    server.ask(|context| async move { context.create_stream(config).await.map(drop).unwrap() });
    let (there, here) = (in_memory(), in_memory());
    let outlet = Outlet::start(&there, catalog(), sending(&server)).unwrap();
    let inlet = receive(&server, &here, catalog());
    let outages = std::env::var("NATS_OUTAGES").ok().and_then(|outages| outages.parse().ok()).unwrap_or(2);
    let mut count = 0;
    for outage in 0..outages {
        write(&there, count..count + 3000);
        acknowledged(&outlet, count + 100 * (1 + outage % 20));
        let away = || std::thread::park_timeout(Duration::from_secs(3));
        if outage % 2 == 0 {
            server.kill();
            away();
            server.run();
        } else {
            server.stand_still(true);
            away();
            server.stand_still(false);
        }
        count += 3000;
        acknowledged(&outlet, count);
    }
    wait_until("all of it", || inlet.stats()[0].written == count);
    outlet.stop(DEADLINE).unwrap();
    inlet.stop().unwrap();
    assert!(numbers(&here).into_iter().eq(0..count));
}

/// How long a server is away where it is away for long: a minute where `NATS_OUTAGES` asks for more.
fn absence() -> Duration {
    Duration::from_secs(if std::env::var_os("NATS_OUTAGES").is_some() { 60 } else { 5 })
}

#[test]
fn a_server_may_be_absent_for_long_at_the_start_and_later() {
    if !is_there() {
        return;
    }
    let mut server = Server::start();
    let (there, here) = (in_memory(), in_memory());
    server.kill();
    let outlet = Outlet::start(&there, catalog(), sending(&server)).unwrap();
    let inlet = receive(&server, &here, catalog());
    let mut count = 0;
    for _ in 0..2 {
        write(&there, count..count + 1000);
        count += 1000;
        std::thread::park_timeout(absence());
        server.run();
        wait_until("all of it", || inlet.stats()[0].written == count);
        write(&there, count..count + 3000);
        count += 3000;
        acknowledged(&outlet, count - 2900);
        server.kill();
    }
    server.run();
    wait_until("all of it", || inlet.stats()[0].written == count);
    outlet.stop(DEADLINE).unwrap();
    inlet.stop().unwrap();
    assert!(numbers(&here).into_iter().eq(0..count));
}

/// It would be longer by the time that anybody waits for what died with the connection.
#[test]
fn both_halves_go_on_within_two_seconds_of_a_servers_return() {
    if !is_there() {
        return;
    }
    let mut server = Server::start();
    let (there, here) = (in_memory(), in_memory());
    let outlet = Outlet::start(&there, catalog(), sending(&server)).unwrap();
    let inlet = receive(&server, &here, catalog());
    let mut count = 0;
    for _ in 0..kills() {
        // Under load, with all of a window on its way and as much as may be asked for.
        write(&there, count..count + 10_000);
        count += 10_000;
        wait_until("messages", || inlet.stats()[0].written > count - 9900);
        server.kill();
        wait_until("both to see it", || !outlet.stats().is_running && !inlet.stats()[0].is_running);
        let before = (outlet.stats().acknowledged, inlet.stats()[0].written);
        assert!(before.0 < count);
        server.run();
        let back = Instant::now();
        wait_until("acknowledgements", || outlet.stats().acknowledged > before.0);
        let out = back.elapsed();
        wait_until("messages", || inlet.stats()[0].written > before.1);
        let within = back.elapsed();
        println!("out again after {out:?}, in after {within:?}");
        assert!(within < Duration::from_secs(2), "out again after {out:?}, in after {within:?}");
        wait_until("all of it", || inlet.stats()[0].written == count);
    }
    outlet.stop(DEADLINE).unwrap();
    inlet.stop().unwrap();
    assert!(numbers(&here).into_iter().eq(0..count));
}

/// The processor time that this process has used, in hundredths of a second.
fn used() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit(") ").next().unwrap();
    // User and system time.
    fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
}

/// What the next test measures: nothing else runs in this process.
#[test]
fn child() {
    let Ok(url) = std::env::var("NATS_CHILD_IDLE") else { return };
    let bus = CircularBus::new(64 * 1024).unwrap();
    let outlet = Outlet::start(&bus, catalog(), BridgeOptions::ring(&url, names())).unwrap();
    let other = CircularBus::new(64 * 1024).unwrap();
    let sources = [("till".to_owned(), catalog())];
    let inlet = Inlet::start(&other, sources, BridgeOptions::ring(&url, store())).unwrap();
    write(&bus, 0..100);
    wait_until("both ways", || outlet.stats().acknowledged == 100 && inlet.stats()[0].written == 100);
    std::thread::park_timeout(Duration::from_secs(1));
    let before = used();
    std::thread::park_timeout(Duration::from_secs(5));
    let used = used() - before;
    assert!(outlet.stats().is_running && inlet.stats()[0].is_running);
    assert!(used <= 5, "{used} hundredths of a second in five seconds are more than one percent");
}

#[test]
fn who_has_nothing_to_do_uses_less_than_a_hundredth_of_a_core() {
    if !is_there() || !std::path::Path::new("/proc/self/stat").exists() {
        return;
    }
    let server = Server::start();
    let mut child = process("lives::child", &[("NATS_CHILD_IDLE", &server.url())]);
    assert!(child.wait().unwrap().success());
}
