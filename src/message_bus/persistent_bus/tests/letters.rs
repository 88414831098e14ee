//! A letter about a dead message that finds no space on the disk: its message is not passed.

use super::space::tight;
use super::{image_of, message, open, small};
use crate::message_bus::journal::options::{PersistentOptions, Start};
use crate::messenger::{Budget, Cause, OnPanic, Options, Step, Workers};
use crate::sync::{Arc, Mutex, lock};
use crate::traits::{
    DeserializeFrom, ExtendedMessage, Handle, Handler, Message, MessageBus, New, Publish, Report, WriteError, Writer,
};
use std::io;
use std::panic::resume_unwind;
use std::time::Duration;

struct Poison;

impl Message for Poison {
    type Id = u16;
    const ID: u16 = 7;
}

impl ExtendedMessage for Poison {
    fn get_size(&self) -> usize {
        0
    }

    fn write_into(&self, _: &mut [u8]) {}
}

impl DeserializeFrom for Poison {
    fn deserialize_from(_: &[u8]) -> Poison {
        Poison
    }
}

struct Outside;

impl Handler for Outside {
    type Id = u16;
    const ID: u16 = 2;
}

struct Fragile;

impl Handler for Fragile {
    type Id = u16;
    const ID: u16 = 3;
}

impl New<()> for Fragile {
    fn new<W: Writer>((): &(), _: &W) -> Self {
        Fragile
    }
}

impl Handle<Poison> for Fragile {
    fn handle<W: Writer>(&mut self, _: &Poison, _: &W) {
        resume_unwind(Box::new("poison"));
    }
}

#[expect(dead_code, reason = "a table within the crate is used by its tests alone")]
mod table {
    use super::*;

    crate::Messenger! {
        (),
        Work:
            handlers: [ fragile: Fragile ]
            routes: [ Outside, Poison: [ fragile ] ]
    }
}

fn settle(workers: &mut Workers) -> Step {
    loop {
        match workers.step() {
            Step::Worked => {}
            other => return other,
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "fills a journal, message by message: minutes")]
fn a_letter_without_space_leaves_its_message() {
    let journal = || PersistentOptions { start: Start::Resume, ..small() }.table(table::Messenger::table());
    let reports = Arc::new(Mutex::new(Vec::new()));
    let run = |bus| {
        let told = Arc::clone(&reports);
        let on_report = move |report: &Report| lock(&told).push(report.to_string());
        let budget = Budget { restarts: 9, attempts: 0, backoff: Duration::ZERO, ..Budget::default() };
        let (on_panic, on_report) = (OnPanic::Restart(budget), std::sync::Arc::new(on_report));
        let options = Options { on_panic, on_report: Some(on_report), ..Options::default() };
        let messenger = table::Messenger::with_options(bus, options);
        let workers = messenger.workers(&()).unwrap();
        (messenger, workers)
    };
    let (bus, trouble) = tight(journal());
    let (_messenger, mut workers) = run(bus.clone());
    assert_eq!(settle(&mut workers), Step::Idle);
    let (outside, position) = (bus.writer().unwrap(), bus.tail());
    outside.write_bytes(Outside::ID, Poison::ID, &message(0)).unwrap();
    *lock(&trouble) = Some(io::ErrorKind::StorageFull);
    let refused = loop {
        if let Err(error) = outside.try_write_bytes(Outside::ID, 9, &[]) {
            break error;
        }
    };
    assert_eq!(refused, WriteError::NoSpace);
    assert_eq!(settle(&mut workers), Step::Finished);
    let error = workers.conclude().unwrap_err();
    assert!(matches!(error.failures[0].cause, Cause::Panicked { handler: "fragile", .. }), "{error}");
    assert_eq!((error.summary.restarts, error.summary.dead, error.summary.unsent), (0, 0, 1));
    assert_eq!(bus.cursors()["Work"], position, "the cursor has passed a message without a letter");
    let told = std::mem::take(&mut *lock(&reports));
    assert!(told.len() == 1 && told[0].ends_with("not sent: no space on the disk"), "{told:?}");

    // The next one, which has space, meets it again.
    let (bus, _) = open(&image_of(&bus), journal()).unwrap();
    let (_messenger, mut workers) = run(bus.clone());
    assert_eq!(settle(&mut workers), Step::Idle);
    assert_eq!(workers.conclude().unwrap().dead, 1);
    assert!(bus.cursors()["Work"] > position);
}
