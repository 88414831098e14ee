//! A blocked messenger uses no processor time, and wakes on a message.
//!
//! One test in a process of its own: the time that is measured is the whole process's.

#![cfg(target_os = "linux")]

mod support;

use rust_messenger::Messenger;
use rust_messenger::message_bus::{CircularBus, CondvarBus};
use rust_messenger::traits::{
    DeserializeFrom, ExtendedMessage, Handle, Handler, Message, MessageBus, New, Publish, Writer,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use support::{processor_time, wait_until, within};

struct Tick;

impl Message for Tick {
    type Id = u16;
    const ID: u16 = 1;
}

impl ExtendedMessage for Tick {
    fn get_size(&self) -> usize {
        0
    }

    fn write_into(&self, _buffer: &mut [u8]) {}
}

impl DeserializeFrom for Tick {
    fn deserialize_from(_buffer: &[u8]) -> Self {
        Tick
    }
}

/// How many ticks were handled, by all handlers together.
type Count = Arc<AtomicU64>;

struct Sleeper<const ID: u16> {
    handled: Count,
}

impl<const ID: u16> Handler for Sleeper<ID> {
    type Id = u16;
    const ID: u16 = ID;
}

impl<const ID: u16> New<Count> for Sleeper<ID> {
    fn new<W: Writer>(handled: &Count, _writer: &W) -> Self {
        Sleeper { handled: Arc::clone(handled) }
    }
}

impl<const ID: u16> Handle<Tick> for Sleeper<ID> {
    fn handle<W: Writer>(&mut self, _message: &Tick, _writer: &W) {
        self.handled.fetch_add(1, Ordering::Relaxed);
    }
}

type Outside = Sleeper<9>;

Messenger! {
    Count,
    One:
        handlers: [ h: Sleeper<1> ]
        routes: [ Outside, Tick: [ h ] ]
    Two:
        handlers: [ h: Sleeper<2> ]
        routes: [ Outside, Tick: [ h ] ]
    Three:
        handlers: [ h: Sleeper<3> ]
        routes: [ Outside, Tick: [ h ] ]
    Four:
        handlers: [ h: Sleeper<4> ]
        routes: [ Outside, Tick: [ h ] ]
}

fn idles<B: MessageBus>(bus: B) {
    const WATCHED: Duration = Duration::from_secs(5);
    let handled = Count::default();
    let messenger = Messenger::new(bus);
    let handles = messenger.run(&handled);
    let writer = messenger.writer().unwrap();
    for round in 1..=2 {
        writer.write_bytes(9, 1, &[]).unwrap();
        wait_until("all four handled a tick", || handled.load(Ordering::Relaxed) == 4 * round);
    }

    // To fall asleep takes a thousandth of what is allowed.
    let (start, before) = (Instant::now(), processor_time());
    #[expect(clippy::disallowed_methods, reason = "measures what a messenger uses while nothing happens")]
    thread::sleep(WATCHED);
    let (watched, used) = (start.elapsed(), processor_time() - before);
    assert!(used <= watched / 100, "{used:?} of processor time in {watched:?} without a message");

    // They have no timers: nothing but a message wakes them.
    for round in 3..=12 {
        writer.write_bytes(9, 1, &[]).unwrap();
        wait_until("all four woke up", || handled.load(Ordering::Relaxed) == 4 * round);
    }
    messenger.stop();
    handles.join().unwrap();
}

#[test]
#[cfg_attr(miri, ignore = "measures processor time, and there is no /proc in the interpreter")]
fn a_blocked_messenger_uses_no_processor_time() {
    within("a blocked messenger", || {
        idles(CircularBus::new(64 * 1024).unwrap());
        idles(CondvarBus::new(CircularBus::new(64 * 1024).unwrap()));
    });
}
