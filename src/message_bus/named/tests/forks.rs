//! A child that was forked has copies of all that its parent attached. None of them is its own.

use super::*;
use crate::message_bus::CondvarBus;
use crate::mmap::crash;
use crate::mmap::fork::children::in_a_fork;
use crate::traits::{
    BusWriter, CursorError, Interest, MessageBus, Next, NoWriter, Poller, Publish, ReadError, Reader, SubscribeError,
    WriteError,
};
use std::sync::Arc;
use std::time::Duration;

/// A poller in which nobody sleeps for long.
#[derive(Debug)]
struct Sleepless;

impl Poller for Sleepless {
    fn wait(&self, _: Option<Duration>) {}

    fn notify(&self) {}
}

/// How many of these are not so: 0 if all are.
fn not_so<const N: usize>(are_so: [bool; N]) -> u8 {
    are_so.iter().position(|is_so| !is_so).map_or(0, |place| place as u8 + 1)
}

#[test]
fn a_forked_child_is_told_so_and_changes_nothing() {
    let (_directory, path) = scratch();
    let bus = made(&path);
    let elsewhere = opened(&path);
    let mut gating = bus.subscribe("gating").unwrap();
    let mut held = bus.subscribe_held("held", None).unwrap();
    let tap = bus.subscribe_evictable("tap").unwrap();
    let mut worker_reader = bus.subscribe("worker").unwrap();
    // A thread sleeps for it from now on, which no child has.
    worker_reader.wait_in(&(Arc::new(Sleepless) as Arc<dyn Poller>), None, Interest::Messages, |_| false);
    let (writer, worker) = (bus.writer().unwrap(), bus.worker_writer(&worker_reader).unwrap());
    for _ in 0..3 {
        writer.write_bytes(1, 2, b"message").unwrap();
    }
    // Some of it is read and not let go of.
    gating.try_read(|_, _| ()).unwrap();
    held.try_read(|_, _| ()).unwrap();
    worker.take_ticket();
    let before = std::fs::read(&path).unwrap();
    let mut all = Some((bus, gating, held, tap, worker_reader, writer, worker));
    let answer = in_a_fork(|| {
        let Some((bus, mut gating, mut held, mut tap, worker_reader, writer, worker)) = all.take() else { return 99 };
        let position = held.position();
        // Not even for a moment: the parent could be doing something just then.
        let region = bus.shared.store.region().clone();
        let touches_nothing = [
            crash::within(0, &region, || tap.ready()).is_ok(),
            crash::within(0, &region, || tap.unblock()).is_ok(),
            crash::within(0, &region, || bus.wake()).is_ok(),
            crash::within(0, &region, || bus.shared.heal()).is_ok(),
        ];
        if touches_nothing != [true; 4] {
            return 50 + not_so(touches_nothing);
        }
        let answers = [
            writer.try_write_bytes(1, 2, b"child") == Err(WriteError::Forked),
            writer.write_bytes(1, 2, b"child") == Err(WriteError::Forked),
            worker.try_write_bytes(1, 2, b"child") == Err(WriteError::Forked),
            writer.clone().try_write_bytes(1, 2, b"child") == Err(WriteError::Forked),
            gating.try_read(|_, _| ()) == Err(ReadError::Forked),
            gating.try_read_up_to(9, |_, _| Next::Go) == Err(ReadError::Forked),
            held.try_read(|_, _| ()) == Err(ReadError::Forked),
            held.try_read_up_to(9, |_, _| Next::Go) == Err(ReadError::Forked),
            held.release_to(position) == Err(CursorError::Forked),
            held.rewind_to(position) == Err(CursorError::Forked),
            tap.try_read(|_, _| ()) == Err(ReadError::Forked),
            tap.try_read_up_to(9, |_, _| Next::Go) == Err(ReadError::Forked),
            bus.subscribe("child").err() == Some(SubscribeError::Forked),
            bus.subscribe_evictable("child").err() == Some(SubscribeError::Forked),
            bus.writer().err() == Some(NoWriter::Forked),
            bus.worker_writer(&worker_reader).err() == Some(NoWriter::Forked),
        ];
        // These say nothing, and wait for nobody.
        gating.release();
        gating.wait(None);
        tap.wait(None);
        let _ = (gating.ready(), tap.ready(), gating.unblock(), tap.unblock(), bus.released());
        gating.wait_until(Some(Duration::from_secs(300)), Interest::Room, |_| false);
        writer.wait_for_room(64);
        worker.take_ticket();
        worker.record_outbox(1000);
        worker.give_up_ticket();
        bus.wake();
        bus.close();
        drop((bus, gating, held, tap, worker_reader, writer, worker));
        not_so(answers)
    });
    assert_eq!(answer, 0, "the answer of this number");
    assert!(std::fs::read(&path).unwrap() == before, "the child has changed the ring");
    // The parent is who it was.
    let (bus, mut gating, mut held, mut tap, worker_reader, writer, worker) = all.unwrap();
    worker.give_up_ticket();
    writer.write_bytes(1, 2, b"parent").unwrap();
    let count = |reader: &mut dyn FnMut() -> bool| std::iter::from_fn(|| reader().then_some(())).count();
    assert_eq!(count(&mut || gating.try_read(|_, _| ()).is_ok()), 3);
    assert_eq!(count(&mut || held.try_read(|_, _| ()).is_ok()), 3);
    assert_eq!(count(&mut || tap.try_read(|_, _| ()).is_ok()), 4);
    drop((worker, writer, gating, held, tap, worker_reader));
    assert_eq!(elsewhere.stats().readers.len(), 0);
    drop(bus);
    assert!(!elsewhere.writer().unwrap().clone().has_room(usize::MAX / 2) || elsewhere.tail() > 0);
}

/// What is around a ring sleeps in the ring's way, and in a child nowhere.
#[test]
fn a_forked_child_does_not_sleep_on_a_condvar_either() {
    let (_directory, path) = scratch();
    let bus = made(&path);
    let region = bus.shared.store.region().clone();
    let condvar = CondvarBus::new(bus);
    let mut all = Some((condvar.subscribe("reader").unwrap(), condvar.writer().unwrap()));
    let answer = in_a_fork(|| {
        let Some((mut reader, writer)) = all.take() else { return 99 };
        let limit = Some(Duration::from_millis(5));
        let touches_nothing = [
            crash::within(0, &region, || reader.wait_until(limit, Interest::Messages, |_| false)).is_ok(),
            crash::within(0, &region, || condvar.park(None, Interest::Room, limit, &mut || false)).is_ok(),
        ];
        drop((reader, writer));
        not_so(touches_nothing)
    });
    assert_eq!(answer, 0, "the wait of this number");
}

/// The one writer's place, too, and its quick way.
#[test]
fn a_forked_child_is_not_the_one_writer() {
    let (_directory, path) = scratch();
    let bus = CircularBus::create_one_writer(&path, of_capacity(CAPACITY)).unwrap();
    let other = CircularBus::open_one_writer(&path, NamedOptions::default()).unwrap();
    let writer = bus.writer().unwrap();
    writer.write_bytes(1, 2, b"message").unwrap();
    let before = std::fs::read(&path).unwrap();
    let mut all = Some((bus, writer));
    let answer = in_a_fork(|| {
        let Some((bus, writer)) = all.take() else { return 99 };
        let answers = [
            writer.try_write_bytes(1, 2, b"child") == Err(WriteError::Forked),
            bus.writer().err() == Some(NoWriter::Forked),
        ];
        drop((bus, writer));
        not_so(answers)
    });
    assert_eq!(answer, 0, "the answer of this number");
    assert!(std::fs::read(&path).unwrap() == before, "the child has changed the ring");
    assert_eq!(other.writer().err(), Some(NoWriter::Taken));
    all.unwrap().1.write_bytes(1, 2, b"parent").unwrap();
    assert!(other.writer().is_ok());
}

/// What a child opens is its own, and its parent's stays its parent's.
#[test]
fn a_forked_child_that_opens_the_ring_has_an_attachment_of_its_own() {
    let (_directory, path) = scratch();
    let bus = made(&path);
    let mut reader = bus.subscribe("parent").unwrap();
    let answer = in_a_fork(|| {
        let Ok(own) = CircularBus::open(&path, NamedOptions::default()) else { return 1 };
        let Ok(writer) = own.writer() else { return 2 };
        u8::from(writer.write_bytes(1, 2, b"child").is_err()) * 3
    });
    assert_eq!(answer, 0);
    assert_eq!(reader.try_read(|_, payload| payload.to_vec()), Ok(b"child".to_vec()));
}
