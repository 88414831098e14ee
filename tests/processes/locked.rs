//! A process is stopped with the gate lock in its hands. The others read and write what there is room for, are told who
//! has the lock, leave and stop; and when it goes on, or is killed, all goes on, and nothing was lost.
//!
//! Method: the other process takes the lock again and again, in all its sections. It is stopped, and set going again
//! until it was stopped with the lock, as [`NamedStats`] sees it.

use super::*;
use rust_messenger::message_bus::NamedStats;
use rust_messenger::traits::{MessageBus, Publish, ReadError, Reader, SubscribeError, WriteError};
use rustix::process::{Pid, Signal, kill_process};
use std::time::{Duration, Instant};
use support::{wait_until, within};

/// No wait for the lock takes longer, on the slowest machine. Without a deadline it lasts until the process goes on.
const SOON: Duration = Duration::from_secs(60);

/// As another process: takes the lock without end.
#[test]
pub fn takes_the_lock() {
    let Some(path) = told() else { return };
    let bus = opened(Path::new(&path));
    say("takes");
    loop {
        (0..100).for_each(|_| _ = bus.released());
        drop(bus.subscribe("locker").unwrap());
        drop(bus.subscribe_evictable("locker").unwrap());
    }
}

fn signal(process: &Process, signal: Signal) {
    kill_process(Pid::from_raw(process.id() as i32).unwrap(), signal).unwrap();
}

/// Stops `process` where it has the lock of the ring, and no place that others wait for.
pub fn stop_with_the_lock(process: &Process, path: &Path) {
    wait_until("it is stopped with the lock", || {
        signal(process, Signal::STOP);
        let mut stats = NamedStats::read(path).unwrap();
        let is_its = |stats: &NamedStats, index: usize| stats.attachments[index].pid == Some(process.id());
        let own = (0..stats.attachments.len()).find(|index| is_its(&stats, *index)).unwrap();
        wait_until("it stands still", || {
            stats = NamedStats::read(path).unwrap();
            stats.attachments[own].paused
        });
        let has_it = stats.lock.is_some_and(|holder| is_its(&stats, holder));
        if !has_it {
            signal(process, Signal::CONT);
        }
        has_it
    });
}

/// What `work` does does not wait for whoever stands still.
fn soon<R>(what: &str, work: impl FnOnce() -> R) -> R {
    let start = Instant::now();
    let result = work();
    assert!(start.elapsed() < SOON, "{what} took {:?}", start.elapsed());
    result
}

fn number(number: u64) -> [u8; 8] {
    number.to_le_bytes()
}

#[test]
fn who_is_stopped_with_the_lock_holds_up_nobody_for_good() {
    within("nobody waits for whoever has the lock", || {
        for is_killed in [false, false, true] {
            let (_directory, path) = scratch();
            let bus = CircularBus::create(&path, of_capacity()).unwrap();
            let mut process = child(takes_the_lock, path.to_str().unwrap());
            process.wait_for("takes");
            let (mut reader, leaving) = (bus.subscribe("stays").unwrap(), bus.subscribe("leaves").unwrap());
            let writer = bus.writer().unwrap();
            writer.write_bytes(1, 1, &number(0)).unwrap();
            stop_with_the_lock(&process, &path);

            // What there is room for is written and read, and the rest is refused, in time.
            let mut written = 1;
            soon("to fill the ring", || {
                while writer.try_write_bytes(1, 1, &number(written)).is_ok() {
                    written += 1;
                }
            });
            assert!(written > 10, "there is some room that is known");
            let mut read = 0;
            let mut read_on = |reader: &mut <CircularBus as MessageBus>::Reader| loop {
                match reader.try_read(|_, payload| payload == number(read)) {
                    Ok(is_next) => assert!(is_next, "lost, doubled or reordered"),
                    Err(ReadError::Empty) => return read,
                    Err(error) => panic!("{error}"),
                }
                read += 1;
            };
            assert_eq!(soon("to read", || read_on(&mut reader)), written);
            assert_eq!(soon("a write", || writer.try_write_bytes(1, 1, &number(written))), Err(WriteError::Full));
            soon("a wait for room", || writer.wait_for_room_at_most(8, Duration::from_millis(50)));
            soon("a wait for a message", || reader.wait(Some(Duration::from_millis(50))));

            // Who cannot do without it is told who has it.
            let start = Instant::now();
            let refused = soon("to subscribe", || bus.subscribe("late").map(drop));
            assert_eq!(refused, Err(SubscribeError::Busy { holder: Some(process.id()) }));
            assert!(start.elapsed() >= Duration::from_secs(1));
            let open = soon("to open", || opened(&path));
            soon("to say what is released", || open.released());

            // Who leaves has left.
            soon("to leave", || drop((leaving, open)));
            let names = |stats: &NamedStats| stats.readers.iter().filter(|reader| reader.name == "leaves").count();
            assert_eq!(names(&NamedStats::read(&path).unwrap()), 0);
            assert_eq!(bus.stats().readers.iter().filter(|reader| reader.name == "leaves").count(), 0);

            // Whoever waits goes on with it, though nobody wakes for that.
            let waiting = std::thread::spawn(move || {
                (written..written + 1000).for_each(|next| writer.write_bytes(1, 1, &number(next)).unwrap());
            });
            wait_until("it waits for room", || bus.stats().full > 2);
            if is_killed {
                drop(process);
            } else {
                signal(&process, Signal::CONT);
            }
            wait_until("all goes on", || {
                reader.wait(Some(Duration::from_millis(10)));
                read_on(&mut reader) == written + 1000
            });
            waiting.join().unwrap();
            let late = bus.subscribe("late").unwrap();
            assert_eq!(late.position(), reader.position());
        }
    });
}
