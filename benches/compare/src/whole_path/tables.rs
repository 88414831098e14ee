//! Ours: routing tables, on a ring of the size that the other workloads use, with the defaults of all else.

use super::{Meter, Order, Path};
use rust_messenger::prelude::*;
use rust_messenger::traits::ExtendedMessage;
use std::marker::PhantomData;

const CAPACITY: usize = 1 << 20;

/// Encoded by postcard.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Encoded(Order);
serde_message!(Encoded, 1);

/// Written and read in place.
#[derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::KnownLayout, zerocopy::Immutable)]
#[repr(C)]
pub struct Plain(Order);
zero_copy_message!(Plain, 2);

/// A table whose messages are `M`. Each table routes both kinds: what is sent first is what goes on.
pub struct Table<M>(PhantomData<M>);
pub type Postcard = Table<Encoded>;
pub type ZeroCopy = Table<Plain>;

struct Gate;
handler!(Gate, 1);

/// Receives what comes from outside.
struct Sink(Meter);
handler!(Sink, 2);

/// Counts and checks the round trips, and asks again.
struct Asking(Meter);
handler!(Asking, 3);

/// Sends back what it gets.
#[derive(Default)]
struct Answering;
handler!(Answering, 4, default);

macro_rules! handle {
    ($($message:ident),*) => { $(
        impl From<Order> for $message {
            fn from(order: Order) -> $message {
                $message(order)
            }
        }

        impl Handle<$message> for Sink {
            fn handle<W: Writer>(&mut self, message: &$message, writer: &W) {
                if self.0.see(&message.0) {
                    writer.stop();
                }
            }
        }

        impl Handle<$message> for Asking {
            fn handle<W: Writer>(&mut self, message: &$message, writer: &W) {
                if self.0.see(&message.0) {
                    writer.stop();
                } else {
                    Self::send(&$message(Order::number(self.0.next)), writer);
                }
            }
        }

        impl Handle<$message> for Answering {
            fn handle<W: Writer>(&mut self, message: &$message, writer: &W) {
                Self::send(&$message(message.0), writer);
            }
        }
    )* };
}
handle!(Encoded, Plain);

Messenger! {
    type Outside;
    Meter,
    Only:
        handlers: [ sink: Sink = |meter| Sink(meter.clone()) ]
        routes: [
            Gate, Encoded: [ sink ],
            Gate, Plain: [ sink ],
        ]
}

Messenger! {
    type InOne;
    Meter,
    Only:
        handlers: [
            asking: Asking = |meter| Asking(meter.clone()),
            answering: Answering,
        ]
        routes: [
            Gate, Encoded: [ answering ],
            Gate, Plain: [ answering ],
            Asking, Encoded: [ answering ],
            Asking, Plain: [ answering ],
            Answering, Encoded: [ asking ],
            Answering, Plain: [ asking ],
        ]
}

Messenger! {
    type Between;
    Meter,
    Left:
        handlers: [ asking: Asking = |meter| Asking(meter.clone()) ]
        routes: [
            Answering, Encoded: [ asking ],
            Answering, Plain: [ asking ],
        ]
    Right:
        handlers: [ answering: Answering ]
        routes: [
            Gate, Encoded: [ answering ],
            Gate, Plain: [ answering ],
            Asking, Encoded: [ answering ],
            Asking, Plain: [ answering ],
        ]
}

/// Runs `$table` for `$meter`, sends `$count` messages from outside, and waits for its end.
macro_rules! run {
    ($table:ident, $meter:expr, $count:expr) => {{
        let (meter, count) = ($meter, $count);
        let messenger = $table::new(CircularBus::new(CAPACITY).expect("a ring"));
        let handles = messenger.try_run(&meter).expect("the workers start");
        let writer = messenger.writer().expect("a writer");
        for number in 0..count {
            Gate::send(&M::from(Order::number(number)), &writer);
        }
        handles.join().expect("the workers end");
    }};
}

impl<M: ExtendedMessage + From<Order>> Path for Table<M> {
    fn outside(meter: Meter) {
        run!(Outside, meter.clone(), meter.total);
    }

    fn in_one(meter: Meter) {
        run!(InOne, meter, 1);
    }

    fn between(meter: Meter) {
        run!(Between, meter, 1);
    }
}
