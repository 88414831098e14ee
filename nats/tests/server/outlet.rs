//! What a node sends stands in its stream: none missing, none twice, none out of order, whoever is killed.
//!
//! Messages are numbered from 0. A seed decides when who is killed, so that it is under load and never the same; what is
//! compared at the end is the whole stream, by another client.

use crate::support::{
    DEADLINE, Server, acknowledged, assert_whole, catalog, in_memory, is_there, journal, kills, names, numbers,
    process, sending, small, store, wait_until, write,
};
use rust_messenger::CircularBus;
use rust_messenger::message_bus::{PersistentBus, PersistentOptions};
use rust_messenger::traits::{
    DeadLetter, ExtendedMessage, Handler, Message, MessageBus, Publish, Reader, RequeueError, Supervisor,
};
use rust_messenger_nats::protocol::{Entry, ResumeError};
use rust_messenger_nats::{BridgeError, BridgeOptions, Inlet, Outlet};
use std::time::Duration;

#[test]
fn a_ring_goes_out_whole_and_is_let_go() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let bus = CircularBus::new(64 * 1024).unwrap();
    let outlet = Outlet::start(&bus, catalog(), BridgeOptions::ring(&server.url(), names())).unwrap();
    // Many times what the ring holds.
    write(&bus, 0..20_000);
    assert_eq!(outlet.stop(DEADLINE).unwrap().unread, 0);
    assert_whole(&server.contents(&names()), 20_000);
}

/// What was dead for a worker here comes again everywhere: the node that has had it gets it once more.
#[test]
fn what_is_requeued_goes_out_again() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let (bus, elsewhere) = (in_memory(), in_memory());
    let outlet = Outlet::start(&bus, catalog(), sending(&server)).unwrap();
    let there = BridgeOptions::journal(&server.url(), store(), 8);
    let _inlet = Inlet::start(&elsewhere, [("till".to_owned(), catalog())], there).unwrap();
    write(&bus, 0..4);
    let position = bus.tail();
    write(&bus, 4..10);
    let letter = DeadLetter { position, source: 1, message: 2, worker: "local".to_owned(), ..DeadLetter::default() };
    let mut bytes = vec![0; letter.get_size()];
    letter.write_into(&mut bytes);
    bus.writer().unwrap().write_bytes(Supervisor::ID, DeadLetter::ID, &bytes).unwrap();
    wait_until("it is there for the first time", || numbers(&elsewhere).len() == 10);
    let again = bus.tail();
    bus.requeue(position).unwrap();
    assert_eq!(bus.requeue(position), Err(RequeueError::AlreadyRequeued { at: again }));
    write(&bus, 10..12);
    wait_until("and once more", || numbers(&elsewhere).len() == 13);
    assert_eq!(numbers(&elsewhere), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 4, 10, 11]);
    outlet.stop(DEADLINE).unwrap();
    let head = |entry| if let Entry::Message(head) = entry { Some(head) } else { None };
    let contents = server.contents(&names()).into_iter();
    let found = contents.filter(|(_, number)| *number == 4).filter_map(|(entry, _)| head(entry));
    let found = found.map(|head| (head.position, head.source, head.message, head.cause)).collect::<Vec<_>>();
    assert_eq!(found, [(position, 1, 2, None), (again, 1, 2, None)]);
}

/// It sleeps then: one that looked again at once would never hear what the server says.
#[test]
fn a_window_with_room_for_less_than_the_next_message_waits_for_more() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let bus = in_memory();
    let mut options = journal(&server);
    options.window.bytes = 40 << 10;
    let outlet = Outlet::start(&bus, catalog(), options).unwrap();
    let writer = bus.writer().unwrap();
    (0..300).for_each(|_| writer.write_bytes(1, 2, &[0; 16 << 10]).unwrap());
    wait_until("all of it", || {
        let stats = outlet.stats();
        assert!(stats.looks < 10, "the server was taken for silent: {stats:?}");
        stats.acknowledged == 300
    });
}

#[test]
fn nothing_is_missing_when_the_server_is_killed() {
    if !is_there() {
        return;
    }
    let mut server = Server::start();
    let bus = in_memory();
    let outlet = Outlet::start(&bus, catalog(), journal(&server)).unwrap();
    let mut count = 0;
    for kill in 0..kills() {
        write(&bus, count..count + 3000);
        acknowledged(&outlet, count + 100 * (1 + kill % 20));
        server.rerun();
        count += 3000;
    }
    outlet.stop(DEADLINE).unwrap();
    assert_whole(&server.contents(&names()), count);
}

#[test]
fn what_a_server_has_forgotten_is_sent_again() {
    if !is_there() {
        return;
    }
    let mut server = Server::start();
    let bus = in_memory();
    let outlet = Outlet::start(&bus, catalog(), journal(&server)).unwrap();
    let mut count = 0;
    for _ in 0..kills() {
        write(&bus, count..count + 1000);
        acknowledged(&outlet, count + 500);
        let saved = server.rerun_saved();
        write(&bus, count + 1000..count + 2000);
        count += 2000;
        // What was acknowledged is gone with the store that comes back.
        acknowledged(&outlet, count);
        server.set_back(&saved);
    }
    outlet.stop(DEADLINE).unwrap();
    assert_whole(&server.contents(&names()), count);
}

#[test]
fn a_ring_keeps_what_is_not_acknowledged_and_as_much_behind_it_as_it_is_told() {
    if !is_there() {
        return;
    }
    let mut server = Server::start();
    let bus = CircularBus::new(4 << 20).unwrap();
    let mut options = BridgeOptions::ring(&server.url(), names());
    options.kept = 500_000;
    let outlet = Outlet::start(&bus, catalog(), options).unwrap();
    let mut count = 0;
    for _ in 0..kills() {
        // Less than a hundred bytes of the ring for each number, and at most 2000 of them are set back.
        write(&bus, count..count + 3000);
        acknowledged(&outlet, count + 2000);
        let saved = server.rerun_saved();
        acknowledged(&outlet, count + 3000);
        write(&bus, count + 3000..count + 4000);
        count += 4000;
        acknowledged(&outlet, count);
        server.set_back(&saved);
        acknowledged(&outlet, count + 1);
    }
    outlet.stop(DEADLINE).unwrap();
    assert_whole(&server.contents(&names()), count);
}

#[test]
fn a_ring_that_is_told_to_keep_more_than_it_can_keeps_what_it_can() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let bus = CircularBus::new(64 * 1024).unwrap();
    let mut options = BridgeOptions::ring(&server.url(), names());
    options.kept = u64::MAX;
    let outlet = Outlet::start(&bus, catalog(), options).unwrap();
    write(&bus, 0..3000);
    assert_eq!(outlet.stop(DEADLINE).unwrap().unread, 0);
    assert_whole(&server.contents(&names()), 3000);
}

#[test]
fn a_ring_that_has_let_go_says_what_is_lost() {
    if !is_there() {
        return;
    }
    let mut server = Server::start();
    let bus = CircularBus::new(1 << 20).unwrap();
    let outlet = Outlet::start(&bus, catalog(), BridgeOptions::ring(&server.url(), names())).unwrap();
    write(&bus, 0..100);
    acknowledged(&outlet, 100);
    let saved = server.rerun_saved();
    write(&bus, 100..1000);
    acknowledged(&outlet, 1000);
    server.set_back(&saved);
    wait_until("the end", || outlet.has_ended());
    assert!(matches!(outlet.stop(DEADLINE), Err(BridgeError::Lost { after: Some(_) })));
}

/// What the next test kills: goes on in the journal where it ends, and publishes it.
#[test]
fn child() {
    let (Ok(path), Ok(url)) = (std::env::var("NATS_CHILD_JOURNAL"), std::env::var("NATS_CHILD_SERVER")) else {
        return;
    };
    let (bus, _) = PersistentBus::open(path, small()).unwrap();
    let (mut reader, mut next) = (bus.subscribe("last").unwrap(), 0u64);
    while let Ok(number) = reader.try_read(|_, payload| u64::from_le_bytes(payload.try_into().unwrap())) {
        assert_eq!(number, next);
        next += 1;
    }
    drop(reader);
    let outlet = Outlet::start(&bus, catalog(), BridgeOptions::journal(&url, names(), 7)).unwrap();
    let writer = bus.writer().unwrap();
    let end: u64 = std::env::var("NATS_CHILD_END").unwrap().parse().unwrap();
    for (number, written) in (next..end).zip(0..) {
        // Not far ahead, so that it dies while it writes, too.
        wait_until("acknowledgements", || outlet.stats().published + 1000 > written);
        writer.write_bytes(1, 2, &number.to_le_bytes()).unwrap();
    }
    outlet.stop(DEADLINE).unwrap();
}

#[test]
fn nothing_is_missing_when_the_sender_is_killed() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let directory = tempfile::tempdir().unwrap();
    let count = 5000 * (kills() + 1);
    let journal = directory.path().join("journal");
    let (journal, url, end) = (journal.to_str().unwrap(), server.url(), count.to_string());
    let variables = [("NATS_CHILD_JOURNAL", journal), ("NATS_CHILD_SERVER", &url), ("NATS_CHILD_END", &end)];
    let start = || process("outlet::child", &variables);
    let arrived = || {
        server.ask(|context| async move {
            let stream = context.get_stream(names().stream()).await;
            stream.map_or(0, |stream| stream.cached_info().state.messages)
        })
    };
    for kill in 0..kills() {
        let mut child = start();
        // Under load: somewhere in the next part of what is to be sent.
        let until = arrived().max(4000 * kill) + 100 + 731 * (kill % 5);
        wait_until("messages in the stream", || arrived() >= until);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(start().wait().unwrap().success());
    assert_whole(&server.contents(&names()), count);
}

#[test]
fn of_two_that_start_together_one_works_and_one_is_fenced() {
    if !is_there() {
        return;
    }
    for _ in 0..2 * kills() {
        let server = Server::start();
        // As if they were one journal, copied against all advice.
        let buses = [in_memory(), in_memory()];
        buses.iter().for_each(|bus| write(bus, 0..500));
        let outlets = buses.each_ref().map(|bus| Outlet::start(bus, catalog(), journal(&server)).unwrap());
        let mut count = 500;
        wait_until("one to end", || {
            buses.iter().for_each(|bus| write(bus, count..count + 1));
            count += 1;
            outlets.iter().any(Outlet::has_ended)
        });
        let ends = outlets.map(|outlet| outlet.stop(DEADLINE));
        let fenced =
            |end: &&Result<_, BridgeError>| matches!(end, Err(BridgeError::Resume(ResumeError::Fenced { .. })));
        assert_eq!((ends.iter().filter(fenced).count(), ends.iter().filter(|end| end.is_ok()).count()), (1, 1));
        assert_whole(&server.contents(&names()), count);
    }
}

#[test]
fn a_stream_that_was_deleted_is_not_made_again() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let bus = in_memory();
    let outlet = Outlet::start(&bus, catalog(), journal(&server)).unwrap();
    write(&bus, 0..100);
    acknowledged(&outlet, 100);
    wait_until("nothing to wait", || outlet.stats().stalled_since.is_none() && outlet.stats().lag == 0);
    server.ask(|context| async move { context.delete_stream(names().stream()).await.unwrap() });
    write(&bus, 100..200);
    wait_until("the end", || outlet.has_ended());
    assert_eq!(outlet.stop(DEADLINE), Err(BridgeError::StreamGone { stream: names().stream() }));
}

#[test]
fn a_full_stream_holds_the_sender_and_loses_nothing() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let bus = in_memory();
    let mut options = journal(&server);
    options.max_bytes = Some(100_000);
    let outlet = Outlet::start(&bus, catalog(), options).unwrap();
    write(&bus, 0..2000);
    wait_until("a full stream", || outlet.stats().full > 0);
    wait_until("a figure of it", || outlet.stats().stalled_since.is_some() && outlet.stats().lag > 0);
    server.ask(|context| async move {
        let mut config = context.get_stream(names().stream()).await.unwrap().cached_info().config.clone();
        config.max_bytes = -1;
        context.update_stream(config).await.unwrap();
    });
    outlet.stop(DEADLINE).unwrap();
    assert_whole(&server.contents(&names()), 2000);
}

#[test]
fn a_server_may_come_later_and_a_ring_waits_for_it() {
    if !is_there() {
        return;
    }
    let mut server = Server::start();
    server.kill();
    let bus = CircularBus::new(64 * 1024).unwrap();
    let outlet = Outlet::start(&bus, catalog(), BridgeOptions::ring(&server.url(), names())).unwrap();
    let writer = bus.writer().unwrap();
    let mut count = 0u64;
    // Until it is full.
    while writer.try_write_bytes(1, 2, &count.to_le_bytes()).is_ok() {
        count += 1;
    }
    server.run();
    assert_eq!(outlet.stop(DEADLINE).unwrap().unread, 0);
    let contents = server.contents(&names());
    assert_whole(&contents, count);
    assert!(matches!(contents[0].0, Entry::Hello(_)));
}

#[test]
fn what_is_larger_than_the_server_takes_is_refused_or_skipped() {
    if !is_there() {
        return;
    }
    let server = Server::start();
    let bus = PersistentBus::in_memory(PersistentOptions { max_payload: 2 << 20, ..small() }).unwrap();
    let outlet = Outlet::start(&bus, catalog(), journal(&server)).unwrap();
    wait_until("the end", || outlet.has_ended());
    assert!(matches!(outlet.stop(Duration::ZERO), Err(BridgeError::TooLarge { .. })));

    let mut options = journal(&server);
    options.skip_larger = true;
    let outlet = Outlet::start(&bus, catalog(), options).unwrap();
    write(&bus, 0..10);
    bus.writer().unwrap().write_bytes(1, 2, &vec![0; 3 << 19]).unwrap();
    write(&bus, 10..20);
    wait_until("what it skips", || outlet.stats().skipped == 1);
    outlet.stop(DEADLINE).unwrap();
    assert_whole(&server.contents(&names()), 20);
}
