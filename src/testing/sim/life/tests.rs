//! What is gone with a node that is killed: all that it had kept back, and whatever it would have counted.

use super::super::Sim;
use super::*;
use crate::message_bus::CircularBus;
use crate::testing::sim::trace::What;
use crate::traits::{
    BusWriter, DeserializeFrom, ExtendedMessage, Handle, Handler, New, ReadError, Reader, Sender, Unread, Writer,
};

macro_rules! messages {
    ( $( $name:ident = $id:literal; )+ ) => { $(
        struct $name(u64);

        impl crate::Message for $name {
            type Id = u16;
            const ID: u16 = $id;
        }

        impl ExtendedMessage for $name {
            fn get_size(&self) -> usize {
                8
            }

            fn write_into(&self, buffer: &mut [u8]) {
                buffer.copy_from_slice(&self.0.to_le_bytes());
            }
        }

        impl DeserializeFrom for $name {
            fn deserialize_from(buffer: &[u8]) -> $name {
                $name(u64::from_le_bytes(buffer.try_into().unwrap()))
            }
        }
    )+ };
}

messages! {
    Number = 1;
    Part = 2;
}

struct Outside;

impl Handler for Outside {
    type Id = u16;
    const ID: u16 = 1;
}

struct Clerk;

impl Handler for Clerk {
    type Id = u16;
    const ID: u16 = 2;
}

impl New<()> for Clerk {
    fn new<W: Writer>((): &(), _: &W) -> Clerk {
        Clerk
    }
}

const PARTS: u64 = 8;

/// Of which number, and which of its parts.
fn parts_of(number: u64) -> impl Iterator<Item = u64> {
    (0..PARTS).map(move |part| number * PARTS + part)
}

impl Handle<Number> for Clerk {
    fn handle<W: Writer>(&mut self, number: &Number, writer: &W) {
        parts_of(number.0).for_each(|part| Self::send(&Part(part), writer));
    }
}

#[expect(dead_code, reason = "a table within the crate is used by its tests alone")]
mod table {
    use super::*;

    crate::Messenger! {
        type Desk;
        (),
        Clerks:
            handlers: [ clerk: Clerk ]
            routes: [ Outside, Number: [ clerk ] ]
    }
}

fn desk() -> Sim<CircularBus> {
    Sim::new(|| CircularBus::new(64 << 10))
        .node("desk", table::Desk::with_options, ())
        .outside(20, |n, writer| Outside::try_send(&Number(n), writer))
        .faults(Faults { full: 0.7, crash: 0.05, ..Faults::default() })
}

/// What the clerk has sent since it began is written in order, up to the end or to a kill. Then no more of it comes.
#[test]
#[cfg_attr(miri, ignore = "a life takes Miri minutes, and has no unsafe code of its own")]
fn an_outbox_is_gone_with_its_node_to_the_last_message() {
    let sim = desk();
    let world = sim.world().unwrap();
    // How many messages were in the outboxes of the killed.
    let mut gone = Vec::new();
    for seed in 0..200 {
        Life::run(&sim.system, &world, &Case::of(seed), sim.faults).unwrap();
        let world = lock(&world);
        let (mut kept, mut is_up) = (std::collections::VecDeque::new(), false);
        for event in &world.trace.events {
            let payload = || <[u8; 8]>::try_from(world.trace.payload(event)).map(u64::from_le_bytes);
            match (event.what, event.header.source, event.header.message) {
                (What::Began, ..) => is_up = true,
                (What::Begun | What::Handled, Outside::ID, 1) => kept.extend(parts_of(payload().unwrap())),
                (What::Written, Clerk::ID, 2) => {
                    assert!(is_up, "seed {seed}: part {:?} of a node that is down", payload());
                    assert_eq!(payload().ok(), kept.pop_front(), "seed {seed}: the next one that is kept");
                }
                (What::Fault(Kind::Crash), ..) => {
                    gone.push(kept.len());
                    kept.clear();
                    is_up = false;
                }
                _ => {}
            }
        }
        assert!(kept.is_empty(), "seed {seed}: {kept:?} of the living");
    }
    let some = gone.iter().filter(|count| **count > 1).count();
    assert!(some > 50, "no proof of anything: {gone:?}");
}

#[test]
fn of_a_killed_node_nothing_is_counted() {
    let world = desk().world().unwrap();
    let ring = CircularBus::new(64 << 10).unwrap();
    let bus = Simulated::new(ring.clone(), Arc::clone(&world), 0);
    let mut reader = bus.subscribe("Clerks").unwrap();
    let (worker, writer) = (bus.worker_writer(&reader).unwrap(), bus.writer().unwrap());
    let write = |writer: &Simulated<_>| Outside::try_send(&Number(1), writer);
    (0..3).for_each(|_| write(&writer).unwrap());
    worker.take_ticket();
    let unread = |reader: &mut Simulated<_>| reader.unread(ring.tail(), Duration::ZERO);
    assert_eq!(unread(&mut reader).messages, 3, "it lives");
    let before = ring.stats();
    lock(&world).kill(0);
    assert_eq!(unread(&mut reader), Unread::default());
    assert_eq!(reader.try_read(|_, _| ()), Err(ReadError::Closed));
    assert_eq!((write(&worker), write(&writer)), (Err(WriteError::Closed), Err(WriteError::Closed)));
    assert!(bus.subscribe("Clerks").is_err() && bus.importer("berlin", 1).is_err());
    assert_eq!(ring.stats(), before);
    drop((reader, worker, writer));
    let after = ring.stats();
    assert_eq!((after.messages, after.full, after.sealed), (before.messages, before.full, before.sealed));
    assert_eq!(after.readers, []);
}
