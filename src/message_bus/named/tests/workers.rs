//! A worker whose bus has it read no further ends, and says why.

use super::*;
use crate::message_bus::ring::control;
use crate::message_bus::ring::slot::pack;
use crate::messenger::{Cause, Step};
use crate::mmap::fork::children::in_a_fork;
use crate::sync::Ordering;
use crate::traits::{DeserializeFrom, ExtendedMessage, Handle, Handler, New, Publish, ReadError, Writer};

struct Note;

impl crate::Message for Note {
    type Id = u16;
    const ID: u16 = 2;
}

impl ExtendedMessage for Note {
    fn get_size(&self) -> usize {
        0
    }

    fn write_into(&self, _: &mut [u8]) {}
}

impl DeserializeFrom for Note {
    fn deserialize_from(_: &[u8]) -> Note {
        Note
    }
}

struct Outside;

impl Handler for Outside {
    type Id = u16;
    const ID: u16 = 1;
}

struct Notes;

impl Handler for Notes {
    type Id = u16;
    const ID: u16 = 3;
}

impl New<()> for Notes {
    fn new<W: Writer>((): &(), _: &W) -> Self {
        Notes
    }
}

impl Handle<Note> for Notes {
    fn handle<W: Writer>(&mut self, _: &Note, _: &W) {}
}

#[expect(dead_code, reason = "a table within the crate is used by its tests alone")]
mod table {
    use super::*;

    crate::Messenger! {
        (),
        Work:
            handlers: [ notes: Notes ]
            routes: [ Outside, Note: [ notes ] ]
    }

    crate::Messenger! {
        type Pair;
        (),
        One:
            handlers: [ notes: Notes ]
            routes: [ Outside, Note: [ notes ] ]
        Other:
            handlers: [ notes: Notes ]
            routes: [ Outside, Note: [ notes ] ]
    }
}

/// A worker of the parent's is none of the child's.
#[test]
fn a_worker_in_a_forked_child_ends() {
    let (_directory, path) = scratch();
    let messenger = table::Messenger::new(made(&path));
    let mut workers = Some(messenger.workers(&()).unwrap());
    let outside = messenger.writer().unwrap();
    workers.as_mut().unwrap().step();
    outside.write_bytes(1, 2, b"").unwrap();
    let answer = in_a_fork(|| {
        let Some(mut workers) = workers.take() else { return 99 };
        for _ in 0..10 {
            if workers.step() == Step::Finished {
                let error = workers.conclude().unwrap_err();
                return u8::from(!matches!(error.failures[0].cause, Cause::Read(ReadError::Forked)));
            }
        }
        98
    });
    assert_eq!(answer, 0);
    assert_eq!(workers.as_mut().unwrap().step(), Step::Worked, "the parent's handles its message");
}

/// Nothing behind a slot of a length that none can have could be read, and nobody would say so.
#[test]
fn a_worker_that_finds_what_is_no_message_ends() {
    let (_directory, path) = scratch();
    let bus = made(&path);
    let head = bus.shared.store.region().clone();
    let messenger = table::Messenger::new(bus);
    let mut workers = messenger.workers(&()).unwrap();
    workers.step();
    messenger.writer().unwrap().write_bytes(1, 2, b"").unwrap();
    head.word(8).store(pack(1, 2, CAPACITY), Ordering::Relaxed);
    assert!((0..10).any(|_| workers.step() == Step::Finished), "it ends");
    let error = workers.conclude().unwrap_err();
    assert!(matches!(error.failures[0].cause, Cause::Read(ReadError::Corrupt { position: 0 })), "{error}");
}

/// What workers have written since the stop is told as a sum, of counts that others may write to.
#[test]
fn stray_counts_of_what_comes_after_a_stop_are_as_much_as_can_be_said() {
    let (_directory, path) = scratch();
    let bus = made(&path);
    let messenger = table::Pair::new(bus.clone());
    let mut workers = messenger.workers(&()).unwrap();
    workers.step();
    messenger.writer().unwrap().write_bytes(1, 2, b"").unwrap();
    messenger.stop();
    let control = bus.shared.control();
    let mut ended = false;
    for _ in 0..10 {
        ended |= workers.step() == Step::Finished;
        for index in (0..control::WRITERS).map(control::writer) {
            control.writer(index).messages().fetch_sub(1, Ordering::Relaxed);
        }
    }
    assert!(ended);
    assert_eq!(workers.conclude().unwrap().after_stop, u64::MAX);
}
