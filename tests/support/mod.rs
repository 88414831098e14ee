//! What the tests of the buses share: waiting with a deadline, and payloads that know whether they are whole.

// Each test crate compiles this file for itself and uses its own part of it.
#![allow(dead_code, unused_imports, unused_macros)]

#[path = "skip.rs"]
mod skip;

pub use rust_messenger::__private::chance::mix;
use rust_messenger::messenger::{Step, Workers};
use rust_messenger::traits::{Header, MessageBus, Poller, ReadError, Reader};
pub use skip::skip;
use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// How long anything may take before it counts as hanging: far more than it needs on the slowest machine.
pub const PATIENCE: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 300 });

/// Waits until `condition` holds.
///
/// # Panics
///
/// After [`PATIENCE`], with `what` was waited for.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        // Yielding first keeps short waits short; sleeping later leaves the cores to those who are waited for. Miri has
        // one core, and takes longer than that to look.
        if start.elapsed() < Duration::from_millis(1) {
            std::thread::yield_now();
        } else {
            #[expect(clippy::disallowed_methods, reason = "this is what others call instead")]
            std::thread::sleep(Duration::from_micros(if cfg!(miri) { 20_000 } else { 200 }));
        }
    }
}

/// Steps everybody until nobody has anything to do.
///
/// # Panics
///
/// Where that never comes.
#[track_caller]
pub fn settle(workers: &mut Workers) -> Step {
    for _ in 0..100_000 {
        match workers.step() {
            Step::Worked => {}
            end => return end,
        }
    }
    panic!("the workers never come to rest");
}

/// Runs `test` on a thread of its own, so that a hang is a failure with a name and not a suite that never ends.
///
/// # Panics
///
/// When `test` does, and after [`PATIENCE`].
pub fn within(what: &str, test: impl FnOnce() + Send + 'static) {
    let (done, ended) = channel();
    let thread = std::thread::Builder::new().name(what.to_owned()).spawn(move || {
        test();
        // Not reached by a panic, which drops `done`.
        let _ = done.send(());
    });
    let thread = thread.expect("a thread for the test");
    if cfg!(miri) {
        // Without a time limit: then Miri sees for itself that nobody can go on, and says so at once.
        if let Err(panic) = thread.join() {
            resume_unwind(panic);
        }
        return;
    }
    match ended.recv_timeout(PATIENCE) {
        Ok(()) | Err(RecvTimeoutError::Disconnected) => {
            if let Err(panic) = thread.join() {
                resume_unwind(panic);
            }
        }
        Err(RecvTimeoutError::Timeout) => panic!("{what} hangs"),
    }
}

/// The time that all threads of this process spent on a processor, in user and kernel mode.
#[cfg(unix)]
pub fn processor_time() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec as u64, spent.tv_nsec as u32)
}

/// The memory of this process in bytes; where only Linux would say, 0, and the test says that it measured nothing.
pub fn resident() -> usize {
    if !cfg!(target_os = "linux") {
        skip("what memory a process takes is asked of Linux only");
        return 0;
    }
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has /proc");
    let pages = statm.split_whitespace().nth(1).expect("its second number is pages in memory");
    pages.parse::<usize>().expect("a number") * 4096
}

/// A poller that watches nothing.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Poller for Bell {
    fn wait(&self, timeout: Option<Duration>) {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            let left = deadline.map_or(PATIENCE, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return;
            }
            rung = self.changed.wait_timeout(rung, left).unwrap().0;
        }
        *rung = false;
    }

    fn notify(&self) {
        *self.rung.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

/// The size of message `number` of `source`: anything from 8 bytes, which hold the number, to `max`.
pub fn size_of(source: u16, number: u64, max: usize) -> usize {
    8 + mix((u64::from(source) << 48) ^ number) as usize % (max - 7)
}

/// Fills a payload of at least 8 bytes with its number and a pattern that depends on source, number, size and place:
/// no part of another message fits into it.
pub fn compose(source: u16, number: u64, bytes: &mut [u8]) {
    assert!(bytes.len() >= 8);
    let seed = mix(number ^ (u64::from(source) << 40) ^ ((bytes.len() as u64) << 20));
    if cfg!(miri) {
        // One step for Miri, which sees a torn message as a race rather than by its bytes.
        bytes.fill(seed as u8);
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        return;
    }
    for (place, chunk) in bytes.chunks_mut(8).enumerate() {
        let word = if place == 0 { number } else { seed.wrapping_mul(2 * place as u64 + 1) };
        chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
    }
}

/// Such a payload of its own.
pub fn composed(source: u16, number: u64, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    compose(source, number, &mut bytes);
    bytes
}

/// The number of a payload made by [`compose`].
///
/// # Panics
///
/// When a single byte of it is not what was written.
#[track_caller]
pub fn number_of(header: &Header, bytes: &[u8]) -> u64 {
    assert_eq!(header.size as usize, bytes.len(), "header and payload disagree");
    assert!(bytes.len() >= 8, "a payload too short to be one of ours: {header:?}");
    let number = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    let seed = mix(number ^ (u64::from(header.source) << 40) ^ ((bytes.len() as u64) << 20));
    if cfg!(miri) {
        let line = [seed as u8; 64];
        let whole = bytes[8..].chunks(line.len()).all(|chunk| chunk == &line[..chunk.len()]);
        assert!(whole, "torn message {header:?}, number {number}");
        return number;
    }
    for (place, chunk) in bytes.chunks(8).enumerate().skip(1) {
        let word = seed.wrapping_mul(2 * place as u64 + 1);
        assert_eq!(chunk, &word.to_le_bytes()[..chunk.len()], "torn message {header:?}, number {number}");
    }
    number
}

/// The next message, waited for.
///
/// # Panics
///
/// When the reader ends or is moved.
#[track_caller]
pub fn next<T>(reader: &mut impl Reader, mut deliver: impl FnMut(&Header, &[u8]) -> T) -> T {
    loop {
        match reader.read(&mut deliver) {
            Ok(result) => return result,
            Err(ReadError::Empty) => {}
            Err(other) => panic!("no message: {other}"),
        }
    }
}

/// Reads all that is there, and releases it. Returns how many messages that was.
pub fn drain(reader: &mut impl Reader, mut deliver: impl FnMut(&Header, &[u8])) -> u64 {
    let mut messages = 0;
    loop {
        match reader.try_read(&mut deliver) {
            Ok(()) => messages += 1,
            Err(ReadError::Lagged(_)) => {}
            Err(_) => return messages,
        }
    }
}

/// Lets go of what `reader` has read, and waits until half of what the largest messages can take is unread again, or
/// all `messages` of the test are written.
///
/// A reader that goes on only then meets a bus that is full, however the threads are scheduled, and the writers can
/// always get so far: no message takes more than an eighth.
#[track_caller]
pub fn wait_until_half_full<B: MessageBus>(bus: &B, reader: &mut B::Reader, messages: u64) {
    reader.release();
    let half = 4 * bus.max_payload() as u64;
    let is_half_full = || bus.tail().wrapping_sub(reader.position()) >= half;
    wait_until("the bus is half full", || is_half_full() || bus.stats().messages == messages);
}

/// What a bus around another one leaves to that: `around_bus!(field)`, in its `impl MessageBus`.
macro_rules! around_bus {
    ($inner:tt) => {
        fn close(&self) {
            self.$inner.close();
        }

        fn wake(&self) {
            self.$inner.wake();
        }

        fn tail(&self) -> u64 {
            self.$inner.tail()
        }

        fn max_payload(&self) -> usize {
            self.$inner.max_payload()
        }

        fn stats(&self) -> rust_messenger::traits::Stats {
            self.$inner.stats()
        }
    };
}
pub(crate) use around_bus;

/// What a reader around another one leaves to that: `around_reader!(field)`, in its `impl Reader`. It is a stepped
/// worker's, and those do not wait.
macro_rules! around_reader {
    ($inner:tt) => {
        fn ready(&mut self) -> bool {
            self.$inner.ready()
        }

        fn wait_until(
            &mut self,
            _: Option<std::time::Duration>,
            _: rust_messenger::traits::Interest,
            _: impl FnMut(&mut Self) -> bool,
        ) {
            unreachable!("stepped workers do not wait");
        }

        fn wait_in(
            &mut self,
            _: &std::sync::Arc<dyn rust_messenger::traits::Poller>,
            _: Option<std::time::Duration>,
            _: rust_messenger::traits::Interest,
            _: impl FnMut(&mut Self) -> bool,
        ) {
            unreachable!("stepped workers do not wait");
        }

        fn position(&self) -> u64 {
            self.$inner.position()
        }

        fn release(&mut self) {
            self.$inner.release();
        }
    };
}
pub(crate) use around_reader;
