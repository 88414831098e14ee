//! Threads that are no workers and are expected as if they were.

use crate::support::{PATIENCE, wait_until, within};
use rust_messenger::message_bus::CircularBus;
use rust_messenger::messenger::{Cause, Failure, StartError};
use rust_messenger::prelude::*;
use rust_messenger::traits::{MessageBus, Publish};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

struct Idle;
rust_messenger::handler!(Idle, 1);

impl New<()> for Idle {
    fn new<W: Writer>(_: &(), _: &W) -> Self {
        Idle
    }
}

Messenger! {
    type Single;
    (),
    Worker:
        handlers: [ #[allow(unrouted)] idle: Idle ]
        routes: []
}

fn single(drain: Duration) -> Single<CircularBus> {
    Single::with_options(CircularBus::new(64 * 1024).unwrap(), Options { drain, ..Options::default() })
}

/// It waits for the workers, and at the end they are waited for together; nobody waits for it before the end of the
/// drain is fixed, and what it leaves is in the summary.
#[test]
fn who_is_attached_is_waited_for() {
    within("attached", || {
        let messenger = single(PATIENCE);
        // A worker's name is a name like any other.
        let (attached, silent) = (messenger.attach("Worker").unwrap(), messenger.attach("silent").unwrap());
        assert!(!attached.wait_until_subscribed(Duration::from_millis(1)), "nobody is subscribed");
        let waiting = thread::spawn(move || (attached.wait_until_subscribed(PATIENCE), attached));
        let handles = messenger.run(&());
        let (is_subscribed, attached) = waiting.join().unwrap();
        assert!(is_subscribed && !attached.is_stopping());
        assert!(attached.wait_until_subscribed(Duration::ZERO));
        assert!(matches!(messenger.attach("late"), Err(StartError::RanBefore)));
        assert_eq!(attached.drain_end(), None);
        let writer = attached.bus().writer().unwrap();
        writer.write_bytes(1, 1, b"before the end").unwrap();
        let end = messenger.stats().tail;
        messenger.stop();
        wait_until("the end of the drain is fixed", || attached.drain_end().is_some());
        assert_eq!(attached.drain_end(), Some(end));
        assert!(attached.is_stopping() && !attached.is_late());
        assert!(!attached.wait_until_subscribed(PATIENCE), "it is too late to write");
        drop(silent);
        // The worker has ended: its reader is gone, and but for one that counts what comes later there is none.
        wait_until("the worker has ended", || messenger.stats().readers.iter().all(|reader| reader.name != "Worker"));
        assert!(!handles.is_finished(), "one is expected still");
        attached.leave(2, 3);
        let summary = handles.join().unwrap();
        let [left] = &summary.left[..] else { panic!("{summary:?}") };
        assert_eq!((left.worker, left.unread, left.unread_bytes, left.unsent), ("Worker", 2, 0, 3));
    });
}

/// What it says it failed at is what the messenger failed at; so is a panic of its thread.
#[test]
fn who_is_attached_fails_like_a_worker() {
    within("failing", || {
        for panics in [false, true] {
            let messenger = single(PATIENCE);
            let attached = messenger.attach("bridge").unwrap();
            let handles = messenger.run(&());
            let thread = thread::spawn(move || {
                if panics {
                    std::panic::resume_unwind(Box::new("a test"));
                }
                attached.fail("no network");
            });
            assert_eq!(thread.join().is_err(), panics);
            let error = handles.join().unwrap_err();
            let [Failure { worker: "bridge", cause: Cause::Failed { handler: "bridge", error }, .. }] =
                &error.failures[..]
            else {
                panic!("{error:?}")
            };
            assert_eq!(error.to_string(), if panics { "its thread panicked" } else { "no network" });
        }
    });
}

/// One that does not leave in time is stuck, and holds nobody up for longer.
#[test]
fn who_is_attached_and_does_not_leave_is_stuck() {
    within("stuck", || {
        let messenger = single(Duration::ZERO);
        let attached = messenger.attach("bridge").unwrap();
        let (leave, told) = channel::<()>();
        let thread = thread::spawn(move || {
            let _ = told.recv();
            assert!(attached.is_late());
        });
        let handles = messenger.run(&());
        messenger.stop();
        let error = handles.join().unwrap_err();
        assert!(matches!(&error.failures[..], [Failure { worker: "bridge", cause: Cause::Stuck, .. }]), "{error:?}");
        drop(leave);
        thread.join().unwrap();
    });
}
