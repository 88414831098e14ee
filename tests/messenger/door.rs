//! Async tasks that send into a running table and receive from it.

use super::{Act, Config, NUM, Num, OUTSIDE, Outside, Pair, Solo, What, gate, number_of, patient, quiet_panic, settle};
use super::{write, write_now};
use crate::support::{wait_until, within};
use rust_messenger::Options;
use rust_messenger::message_bus::wait::{Idle, WaitStrategy};
use rust_messenger::message_bus::{CircularBus, CondvarBus};
use rust_messenger::messenger::{AsyncTap, AsyncWriter, Step};
use rust_messenger::traits::{MessageBus, ReadError, WriteError};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

/// Counts how often its task was woken.
#[derive(Default)]
struct Woken(AtomicU64);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

impl Woken {
    fn times(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// A future that is polled by hand.
struct Task<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + 'a>>,
    woken: Arc<Woken>,
}

fn task<'a, T>(future: impl Future<Output = T> + 'a) -> Task<'a, T> {
    Task { future: Box::pin(future), woken: Arc::default() }
}

impl<T> Task<'_, T> {
    fn poll(&mut self) -> Poll<T> {
        self.future.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(&self.woken))))
    }

    /// Polls whenever it was woken, and only then, until it is ready.
    fn finish(mut self) -> T {
        loop {
            let times = self.woken.times();
            match self.poll() {
                Poll::Ready(done) => return done,
                Poll::Pending => wait_until("the task is woken", || self.woken.times() > times),
            }
        }
    }
}

fn num(number: u64) -> Num {
    Num { number, size: 8 }
}

/// The number of the next message.
fn receive<B: MessageBus>(tap: &AsyncTap<B>) -> Option<Result<u64, ReadError>> {
    task(tap.recv()).finish().map(|seen| seen.map(|(header, payload)| number_of(&header, &payload)))
}

type Spawned = Pin<Box<dyn Future<Output = ()> + Send>>;

const SENDERS: u64 = 3;
const EACH: u64 = 300;

/// Three tasks send over a bus that is full most of the time, two receive from one tap. `run` is a runtime: it runs all
/// of them to their ends.
fn tasks_lose_nothing(run: impl FnOnce(Vec<Spawned>) + Send + 'static) {
    within("tasks at a door", move || {
        let (held, open) = gate();
        let config = Config::new(move |_, what, _| {
            if matches!(what, What::Message(_)) {
                // Until the other end is dropped; then never.
                let _ = held.lock().unwrap().recv();
            }
            Vec::new()
        });
        let messenger = Arc::new(Solo::with_options(CircularBus::new(1024).unwrap(), patient()));
        let tap = Arc::new(AsyncTap::new(messenger.tap().unwrap()));
        let handles = messenger.run(&config);
        let writer = Arc::new(AsyncWriter::new(messenger.writer().unwrap()));
        let left = Arc::new(AtomicU64::new(SENDERS));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let missed = Arc::new(AtomicU64::new(0));
        let mut tasks: Vec<Spawned> = Vec::new();
        for sender in 0..SENDERS {
            let (messenger, writer, left) = (Arc::clone(&messenger), Arc::clone(&writer), Arc::clone(&left));
            tasks.push(Box::pin(async move {
                for number in 0..EACH {
                    writer.send::<Outside, _>(&num(sender * 1000 + number)).await.unwrap();
                }
                if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                    messenger.stop();
                }
            }));
        }
        for _ in 0..2 {
            let (tap, seen, missed) = (Arc::clone(&tap), Arc::clone(&seen), Arc::clone(&missed));
            tasks.push(Box::pin(async move {
                while let Some(next) = tap.recv().await {
                    match next {
                        Ok((header, payload)) => seen.lock().unwrap().push(number_of(&header, &payload)),
                        Err(ReadError::Lagged(count)) => _ = missed.fetch_add(count, Ordering::Relaxed),
                        Err(error) => panic!("{error}"),
                    }
                }
            }));
        }
        thread::scope(|scope| {
            scope.spawn(|| {
                wait_until("a task finds the bus full", || messenger.stats().full > 0);
                drop(open);
            });
            run(tasks);
        });
        handles.join().unwrap();
        let handled = config.numbers(1);
        assert_eq!(handled.len() as u64, SENDERS * EACH);
        for sender in 0..SENDERS {
            let of_one = handled.iter().filter(|number| **number / 1000 == sender);
            assert!(of_one.copied().eq((0..EACH).map(|number| sender * 1000 + number)), "{handled:?}");
        }
        let mut seen = std::mem::take(&mut *seen.lock().unwrap());
        assert_eq!(seen.len() as u64 + missed.load(Ordering::Relaxed), SENDERS * EACH);
        seen.sort_unstable();
        assert!(seen.is_sorted_by(|one, other| one < other), "received twice: {seen:?}");
    });
}

#[test]
#[cfg_attr(miri, ignore = "runtimes of others take Miri many minutes")]
fn tasks_of_tokio_lose_nothing() {
    for threads in [1, 3] {
        tasks_lose_nothing(move |tasks| {
            let mut builder = match threads {
                1 => tokio::runtime::Builder::new_current_thread(),
                _ => tokio::runtime::Builder::new_multi_thread(),
            };
            let runtime = builder.build().unwrap();
            let tasks: Vec<_> = tasks.into_iter().map(|task| runtime.spawn(task)).collect();
            tasks.into_iter().for_each(|task| runtime.block_on(task).unwrap());
        });
    }
}

#[test]
#[cfg_attr(miri, ignore = "runtimes of others take Miri many minutes")]
fn tasks_of_smol_lose_nothing() {
    tasks_lose_nothing(|tasks| {
        let tasks: Vec<_> = tasks.into_iter().map(smol::spawn).collect();
        tasks.into_iter().for_each(smol::block_on);
    });
}

fn a_dropped_recv_loses_nothing<B: MessageBus>(bus: B) {
    let messenger = Solo::with_options(bus, patient());
    let tap = AsyncTap::new(messenger.tap().unwrap());
    let mut workers = messenger.workers(&Config::idle()).unwrap();
    let writer = messenger.writer().unwrap();
    let mut waiting = task(tap.recv());
    assert!(waiting.poll().is_pending());
    let woken = Arc::clone(&waiting.woken);
    drop(waiting);
    wait_until("nobody knows its waker any more", || Arc::strong_count(&woken) == 1);
    write(&writer, 1).unwrap();
    assert_eq!(receive(&tap), Some(Ok(1)));
    // Woken, and dropped all the same.
    let mut waiting = task(tap.recv());
    assert!(waiting.poll().is_pending());
    write(&writer, 2).unwrap();
    wait_until("it is woken", || waiting.woken.times() > 0);
    drop(waiting);
    assert_eq!(receive(&tap), Some(Ok(2)));
    settle(&mut workers);
}

fn a_dropped_send_has_sent_nothing<B: MessageBus>(bus: B) {
    let config = Config::idle();
    let messenger = Solo::with_options(bus, patient());
    let writer = AsyncWriter::new(messenger.writer().unwrap());
    assert_eq!(task(writer.send::<Outside, _>(&num(0))).poll(), Poll::Ready(Err(WriteError::NotStarted)));
    let mut workers = messenger.workers(&config).unwrap();
    let too_large = task(writer.send::<Outside, _>(&Num { number: 0, size: 4096 })).poll();
    assert!(matches!(too_large, Poll::Ready(Err(WriteError::TooLarge { .. }))), "{too_large:?}");
    let filler = messenger.writer().unwrap();
    let fill = || while write_now(&filler, 0).is_ok() {};
    fill();
    let (seven, eight, nine) = (num(7), num(8), num(9));
    let mut waiting = task(writer.send::<Outside, _>(&seven));
    assert!(waiting.poll().is_pending());
    drop(waiting);
    settle(&mut workers);
    // Woken, and dropped all the same.
    fill();
    let mut waiting = task(writer.send::<Outside, _>(&eight));
    assert!(waiting.poll().is_pending());
    settle(&mut workers);
    wait_until("it is woken", || waiting.woken.times() > 0);
    drop(waiting);
    fill();
    let mut waiting = task(writer.send::<Outside, _>(&nine));
    assert!(waiting.poll().is_pending());
    settle(&mut workers);
    assert_eq!(waiting.finish(), Ok(()));
    settle(&mut workers);
    let numbers = config.numbers(1);
    assert!(!numbers.contains(&7) && !numbers.contains(&8) && numbers.last() == Some(&9), "{numbers:?}");
}

fn whoever_waits_at_the_stop_has_an_answer<B: MessageBus>(bus: B) {
    let config = Config::new(|_, what, _| match what {
        What::Message(0) => vec![Act::Send(100)],
        _ => Vec::new(),
    });
    let messenger = Solo::with_options(bus, patient());
    let writer = AsyncWriter::new(messenger.writer().unwrap());
    let mut workers = messenger.workers(&config).unwrap();
    let filler = messenger.writer().unwrap();
    write(&filler, 0).unwrap();
    while write_now(&filler, 1).is_ok() {}
    let tap = AsyncTap::new(messenger.tap().unwrap());
    let (message, mut receiving) = (num(7), task(tap.recv()));
    let mut sending = task(writer.send::<Outside, _>(&message));
    assert!(sending.poll().is_pending() && receiving.poll().is_pending());
    messenger.stop();
    assert_eq!(sending.finish(), Err(WriteError::Closed));
    assert_eq!(task(writer.send::<Outside, _>(&message)).poll(), Poll::Ready(Err(WriteError::Closed)));
    assert!(receiving.poll().is_pending(), "the workers are there");
    assert_eq!(settle(&mut workers), Step::Finished);
    // What a handler sent while it drained comes first.
    let last = receiving.finish().expect("a message").expect("no lag").1;
    assert_eq!(last[..8], 100u64.to_le_bytes());
    assert_eq!(receive(&tap), None);
    assert_eq!(task(tap.recv()).poll(), Poll::Ready(None));
}

/// A task that nobody polls again keeps no other one from waking, nor does one whose waker panics.
fn wakers_that_panic_kill_nothing<B: MessageBus>(bus: B) {
    struct Broken;
    impl Wake for Broken {
        fn wake(self: Arc<Self>) {
            quiet_panic("a waker");
        }
    }
    let messenger = Solo::with_options(bus, patient());
    let tap = AsyncTap::new(messenger.tap().unwrap());
    let mut workers = messenger.workers(&Config::idle()).unwrap();
    let writer = messenger.writer().unwrap();
    let (mut broken, mut idle, mut lively) = (task(tap.recv()), task(tap.recv()), task(tap.recv()));
    let waker = Waker::from(Arc::new(Broken));
    for number in 0..3 {
        assert!(broken.future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let _ = (idle.poll().is_pending(), lively.poll().is_pending());
        write(&writer, number).unwrap();
        wait_until("all are woken", || idle.woken.times().min(lively.woken.times()) > number);
        assert_eq!(receive(&tap), Some(Ok(number)));
        settle(&mut workers);
    }
}

/// What the messenger, and with it every thread of its doors, holds on to.
fn held() -> (Options, Weak<()>) {
    let token = Arc::new(());
    let lives = Arc::downgrade(&token);
    (Options { on_report: Some(Arc::new(move |_| _ = Arc::strong_count(&token))), ..patient() }, lives)
}

#[test]
fn a_tap_that_is_dropped_ends_its_thread() {
    /// Sleeps at once, and says so before.
    #[derive(Debug, Default)]
    struct Noted;
    static SLEEPS: AtomicU64 = AtomicU64::new(0);
    impl WaitStrategy for Noted {
        fn idle(&mut self) -> Idle {
            SLEEPS.fetch_add(1, Ordering::Relaxed);
            Idle::Park
        }
    }
    let (options, held) = held();
    // It never runs, so nothing ever wakes its readers.
    let messenger = Solo::with_options(CircularBus::new(1024).unwrap().waiting::<Noted>(), options);
    let tap = AsyncTap::new(messenger.tap().unwrap());
    let mut waiting = task(tap.recv());
    assert!(waiting.poll().is_pending());
    wait_until("the thread waits", || SLEEPS.load(Ordering::Relaxed) > 0);
    drop(waiting);
    drop((tap, messenger));
    wait_until("the thread has let go of the messenger", || held.strong_count() == 0);
}

#[test]
fn a_writer_that_is_dropped_ends_its_thread() {
    let (options, held) = held();
    let messenger = Solo::with_options(CircularBus::new(1024).unwrap(), options);
    let writer = AsyncWriter::new(messenger.writer().unwrap());
    let workers = messenger.workers(&Config::idle()).unwrap();
    let message = num(1);
    while task(writer.send::<Outside, _>(&message)).poll().is_ready() {}
    drop((writer, workers, messenger));
    wait_until("the thread has let go of the messenger", || held.strong_count() == 0);
}

/// Where nobody else can wait for room in the place of the one writer.
#[test]
fn the_one_writer_waits_too() {
    let config = Config::idle();
    let messenger = Pair::with_options(CircularBus::one_writer(1024).unwrap(), patient());
    let writer = AsyncWriter::new(messenger.writer().unwrap());
    let mut workers = messenger.workers(&config).unwrap();
    let messages: Vec<_> = (0..100).map(num).collect();
    let mut refused = 0;
    for message in &messages {
        let mut sending = task(writer.send::<Outside, _>(message));
        match sending.poll() {
            Poll::Ready(sent) => sent.unwrap(),
            Poll::Pending => {
                refused += 1;
                settle(&mut workers);
                wait_until("it is woken", || sending.woken.times() > 0);
                sending.finish().unwrap();
            }
        }
    }
    settle(&mut workers);
    assert!(refused > 0);
    assert!(config.numbers(1).into_iter().eq(0..100));
}

#[test]
fn messages_missed_are_an_item() {
    let messenger = Solo::with_options(CircularBus::new(1024).unwrap(), patient());
    let tap = AsyncTap::new(messenger.tap().unwrap());
    let mut workers = messenger.workers(&Config::idle()).unwrap();
    let writer = messenger.writer().unwrap();
    for number in 0..100 {
        write(&writer, number).unwrap();
        settle(&mut workers);
    }
    messenger.stop();
    settle(&mut workers);
    let Some(Err(ReadError::Lagged(missed))) = receive(&tap) else { panic!("it stands where the bus has gone round") };
    drop((workers, writer, messenger));
    let seen: Vec<_> = std::iter::from_fn(|| task(tap.recv()).finish()).collect();
    for (number, seen) in (missed..).zip(&seen) {
        let (header, payload) = seen.as_ref().expect("nobody writes any more");
        assert_eq!((header.source, header.message, number_of(header, payload)), (OUTSIDE, NUM, number));
    }
    assert_eq!(missed + seen.len() as u64, 100);
}

on_both_buses! {
    a_dropped_recv_loses_nothing: 1024;
    a_dropped_send_has_sent_nothing: 1024;
    whoever_waits_at_the_stop_has_an_answer: 1024;
    wakers_that_panic_kill_nothing: 1024;
}
