//! Handlers that wait for more than messages: for what their poller watches, or for room that they were refused.

mod support;

use rust_messenger::message_bus::{CircularBus, CondvarBus};
use rust_messenger::messenger::Cause;
use rust_messenger::traits::{Handle, Handler, MessageBus, New, Poller, Publish, Sender, Time, Writer};
use rust_messenger::{JoinHandles, Messenger};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use support::{Bell, wait_until, within};

#[derive(Clone, Default)]
struct Config {
    bell: Arc<Bell>,
    /// Another one, if it is given.
    other: Option<Arc<Bell>>,
    loops: Arc<AtomicU64>,
    handled: Arc<AtomicU64>,
}

struct Tick(u64);

impl rust_messenger::Message for Tick {
    type Id = u16;
    const ID: u16 = 1;
}

impl rust_messenger::ExtendedMessage for Tick {
    fn get_size(&self) -> usize {
        8
    }

    fn write_into(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.0.to_le_bytes());
    }
}

impl rust_messenger::DeserializeFrom for Tick {
    fn deserialize_from(buffer: &[u8]) -> Self {
        Tick(u64::from_le_bytes(buffer.try_into().unwrap()))
    }
}

/// Waits in the bell, answers each tick with the next one.
struct Guest(Config);

/// Waits in the other bell, if there is one.
struct Neighbour(Option<Arc<Bell>>);

impl Handler for Guest {
    type Id = u16;
    const ID: u16 = 1;

    fn on_loop<W: Writer>(&mut self, _: &W) {
        self.0.loops.fetch_add(1, Ordering::Relaxed);
    }

    fn poller(&self) -> Option<Arc<dyn Poller>> {
        Some(Arc::clone(&self.0.bell) as Arc<dyn Poller>)
    }
}

impl Handle<Tick> for Guest {
    fn handle<W: Writer>(&mut self, tick: &Tick, writer: &W) {
        // Whoever sees this sees the loops before it.
        self.0.handled.fetch_add(1, Ordering::Release);
        if tick.0 != 0 {
            Self::send(&Tick(tick.0 - 1), writer);
        }
    }
}

impl Handler for Neighbour {
    type Id = u16;
    const ID: u16 = 2;

    fn poller(&self) -> Option<Arc<dyn Poller>> {
        self.0.clone().map(|bell| bell as Arc<dyn Poller>)
    }
}

impl New<Config> for Guest {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Guest(config.clone())
    }
}

impl New<Config> for Neighbour {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Neighbour(config.other.clone())
    }
}

Messenger! {
    Config,
    Inn:
        handlers: [ guest: Guest, neighbour: Neighbour ]
        routes: [ Guest, Tick: [ guest ], Neighbour, Tick: [ guest ] ]
}

fn run<B: MessageBus>(bus: B, config: &Config) -> (Messenger<B>, JoinHandles) {
    let messenger = Messenger::new(bus);
    let handles = messenger.run(config);
    wait_until("the worker runs", || config.loops.load(Ordering::Relaxed) != 0 || handles.is_finished());
    (messenger, handles)
}

fn bell_message_and_stop_wake_the_worker<B: MessageBus>(bus: B) {
    let config = Config::default();
    let (messenger, handles) = run(bus, &config);
    let loops = || config.loops.load(Ordering::Relaxed);
    for _ in 0..100 {
        let before = loops();
        config.bell.notify();
        wait_until("the bell makes it loop", || loops() > before);
    }
    let writer = messenger.writer().unwrap();
    for round in 1..=100 {
        writer.write_bytes(1, 1, &0_u64.to_le_bytes()).unwrap();
        wait_until("a message is handled", || config.handled.load(Ordering::Relaxed) == round);
    }
    messenger.stop();
    handles.join().unwrap();
}

#[test]
fn bell_message_and_stop_wake_a_worker_on_a_ring() {
    within("wake", || bell_message_and_stop_wake_the_worker(CircularBus::new(4096).unwrap()));
}

#[test]
fn bell_message_and_stop_wake_a_worker_on_a_condvar() {
    within("wake", || bell_message_and_stop_wake_the_worker(CondvarBus::new(CircularBus::new(4096).unwrap())));
}

/// A bus that is never empty does not keep a worker from its sockets.
#[test]
fn a_busy_bus_starves_no_poller() {
    within("busy", || {
        let config = Config::default();
        let (messenger, handles) = run(CircularBus::new(4096).unwrap(), &config);
        let before = config.loops.load(Ordering::Relaxed);
        let chain = if cfg!(miri) { 600 } else { 100_000_u64 };
        messenger.writer().unwrap().write_bytes(1, 1, &chain.to_le_bytes()).unwrap();
        wait_until("the chain ends", || config.handled.load(Ordering::Acquire) == chain + 1);
        let loops = config.loops.load(Ordering::Relaxed) - before;
        assert!(loops >= chain / 256, "{loops} loops in {chain} messages");
        messenger.stop();
        handles.join().unwrap();
    });
}

#[test]
fn two_pollers_in_one_worker_are_an_error() {
    within("two", || {
        let bell = Arc::new(Bell::default());
        let config = Config { other: Some(Arc::clone(&bell)), ..Config::default() };
        let (_messenger, handles) = run(CircularBus::new(4096).unwrap(), &config);
        let error = handles.join().unwrap_err();
        let [failure] = &error.failures[..] else { panic!("{error}") };
        assert!(matches!(&failure.cause, Cause::TwoPollers { handler: "neighbour" }), "{error}");

        let config = Config { other: Some(Arc::clone(&bell)), bell, ..Config::default() };
        let (messenger, handles) = run(CircularBus::new(4096).unwrap(), &config);
        messenger.stop();
        handles.join().unwrap();
    });
}

/// Whoever was refused room goes on taking messages, although somebody else is behind.
mod refused {
    use super::*;
    use std::sync::Mutex;

    #[derive(Clone, Default)]
    struct Scene {
        gate: Arc<Mutex<()>>,
        refused: Arc<AtomicU64>,
        handled: Arc<AtomicU64>,
        large: Arc<AtomicU64>,
    }

    const TICKS: u64 = 3;

    /// Fills the bus, and counts ticks.
    struct Greedy(Scene);
    /// Does not return from its first message.
    struct Slow(Scene);
    /// Ticks when the bus has no room for a large message, each time after the last tick was handled.
    struct Ticking(Scene, u64);

    struct Large;

    impl rust_messenger::Message for Large {
        type Id = u16;
        const ID: u16 = 2;
    }

    impl rust_messenger::ExtendedMessage for Large {
        fn get_size(&self) -> usize {
            400
        }

        fn write_into(&self, _: &mut [u8]) {}
    }

    impl rust_messenger::DeserializeFrom for Large {
        fn deserialize_from(_: &[u8]) -> Self {
            Large
        }
    }

    impl Handler for Greedy {
        type Id = u16;
        const ID: u16 = 3;

        fn on_loop<W: Writer>(&mut self, writer: &W) {
            while Self::try_send(&Large, writer).is_ok() {}
            self.0.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Handle<Tick> for Greedy {
        fn handle<W: Writer>(&mut self, _: &Tick, _: &W) {
            self.0.handled.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Handler for Slow {
        type Id = u16;
        const ID: u16 = 4;
    }

    impl Handle<Large> for Slow {
        fn handle<W: Writer>(&mut self, _: &Large, _: &W) {
            drop(self.0.gate.lock());
            self.0.large.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Handler for Ticking {
        type Id = u16;
        const ID: u16 = 5;

        fn on_loop<W: Writer>(&mut self, writer: &W) {
            let is_next = self.0.handled.load(Ordering::Relaxed) == self.1;
            if self.0.refused.load(Ordering::Relaxed) != 0 && self.1 < TICKS && is_next {
                self.1 += u64::from(Self::try_send(&Tick(0), writer).is_ok());
            }
        }

        fn next_deadline(&self) -> Option<Time> {
            // In the past: looks again and again.
            (self.1 < TICKS).then(Time::default)
        }
    }

    impl New<Scene> for Greedy {
        fn new<W: Writer>(scene: &Scene, _: &W) -> Self {
            Greedy(scene.clone())
        }
    }

    impl New<Scene> for Slow {
        fn new<W: Writer>(scene: &Scene, _: &W) -> Self {
            Slow(scene.clone())
        }
    }

    impl New<Scene> for Ticking {
        fn new<W: Writer>(scene: &Scene, _: &W) -> Self {
            Ticking(scene.clone(), 0)
        }
    }

    Messenger! {
        type Room;
        Scene,
        First:
            handlers: [ greedy: Greedy ]
            routes: [ Ticking, Tick: [ greedy ] ]
        Second:
            handlers: [ slow: Slow ]
            routes: [ Greedy, Large: [ slow ] ]
        Third:
            handlers: [ ticking: Ticking ]
            routes: []
    }

    #[test]
    fn messages_are_taken_while_room_is_waited_for() {
        within("refused", || {
            let scene = Scene::default();
            let shut = scene.gate.lock().unwrap();
            let messenger = Room::new(CircularBus::new(4096).unwrap());
            let handles = messenger.run(&scene);
            wait_until("all ticks are handled", || scene.handled.load(Ordering::Relaxed) == TICKS);
            messenger.stop();
            drop(shut);
            handles.join().unwrap();
        });
    }

    /// Nothing but room wakes it: no message comes, and no time.
    #[test]
    fn room_wakes_whoever_was_refused_it() {
        within("room", || {
            let scene = Scene::default();
            let shut = scene.gate.lock().unwrap();
            let messenger = Room::new(CircularBus::new(4096).unwrap());
            let handles = messenger.run(&scene);
            wait_until("all ticks are handled", || scene.handled.load(Ordering::Relaxed) == TICKS);
            drop(shut);
            wait_until("many rings are filled", || scene.large.load(Ordering::Relaxed) > 100);
            messenger.stop();
            handles.join().unwrap();
        });
    }
}
