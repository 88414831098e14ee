//! What is dead comes again once, whoever else writes or asks meanwhile.

use super::support::wait_until;
use rust_messenger::message_bus::{PersistentBus, PersistentOptions, Start};
use rust_messenger::traits::{DeadLetter, MessageBus, Publish, Reader, RequeueError, Sender, Supervisor};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

/// Longer than anybody waits who asks.
const NEVER: Duration = Duration::from_secs(3600);

const THREADS: usize = 3;
const DEAD: usize = 200;

fn journal() -> PersistentBus {
    let options = PersistentOptions { capacity: 1 << 18, step: 64 * 1024, max_payload: 1024, ..Default::default() };
    PersistentBus::in_memory(PersistentOptions { start: Start::Oldest, ..options }).unwrap()
}

fn write(bus: &PersistentBus, payload: &[u8]) -> u64 {
    let position = bus.tail();
    bus.writer().unwrap().write_bytes(1, 2, payload).unwrap();
    position
}

fn bury(bus: &PersistentBus, position: u64) {
    Supervisor::try_send(&DeadLetter { position, ..DeadLetter::default() }, &bus.writer().unwrap()).unwrap();
}

/// Each of several threads asks for each of them: one of them gets it.
#[test]
fn whoever_else_asks_it_comes_again_once() {
    let bus = journal();
    let dead = [(); DEAD].map(|()| write(&bus, b"poison"));
    dead.iter().for_each(|position| bury(&bus, *position));
    let (start, behind) = (Barrier::new(THREADS), bus.tail());
    let came = thread::scope(|scope| {
        let ask = || {
            let came = |position: &&u64| {
                // Together, each time.
                start.wait();
                match bus.requeue(**position) {
                    Ok(()) => true,
                    Err(RequeueError::AlreadyRequeued { at }) if at >= behind => false,
                    Err(error) => panic!("{error}"),
                }
            };
            dead.iter().filter(came).count()
        };
        let asking = [(); THREADS].map(|()| scope.spawn(ask));
        asking.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
    });
    assert_eq!(came, dead.len());
    let mut reader = bus.subscribe("reader").unwrap();
    let mut again = 0;
    while let Ok(position) = reader.try_read(|header, _| header.position) {
        again += usize::from(position >= behind);
    }
    assert_eq!(again, dead.len());
}

/// Behind what a writer has not finished may be the letter: it is waited for.
#[test]
fn a_letter_behind_an_unfinished_message_counts() {
    let bus = journal();
    let position = write(&bus, b"poison");
    let unfinished = bus.tail();
    thread::scope(|scope| {
        let mut asked = None;
        // Who is slow may find it fenced.
        let _ = bus.writer().unwrap().write(2, 7, 20, |_| {
            bury(&bus, position);
            let asking = asked.insert(scope.spawn(|| bus.requeue(position)));
            wait_until("it has come to what is unfinished", || {
                bus.stats().readers.iter().any(|reader| reader.position == unfinished) || asking.is_finished()
            });
        });
        assert_eq!(asked.unwrap().join().unwrap(), Ok(()));
    });
}

/// A writer that does not return is waited for, but not for ever: then nobody knows what stands behind it.
#[test]
#[cfg_attr(miri, ignore = "waits for ten seconds of the machine's")]
fn what_is_not_finished_may_be_asked_for_later() {
    let options = PersistentOptions { capacity: 1 << 18, step: 64 * 1024, max_payload: 1024, ..Default::default() };
    let options = PersistentOptions { start: Start::Oldest, silent_after: NEVER, ..options };
    let bus: PersistentBus = PersistentBus::in_memory(options).unwrap();
    let position = write(&bus, b"poison");
    bus.writer()
        .unwrap()
        .write(2, 7, 20, |_| {
            bury(&bus, position);
            assert_eq!(bus.requeue(position), Err(RequeueError::Unfinished));
        })
        .unwrap();
    assert_eq!(bus.requeue(position), Ok(()));
}
