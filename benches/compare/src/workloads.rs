//! What is measured, and who takes part in it.

use crate::floor::Floor;
use crate::harness::{Blocking, Outcome, Pausing, Shape, Spinning, alone, batches, round_trip, stream};
use crate::limits::{FetchAdd, park_unpark, raw_ping_pong};
use crate::ours::{Ours, Pause, Wrapped};
use crate::peers::*;
use crate::whole_path::{Channel, Kameo, Postcard, Ractor, ZeroCopy, between, in_one, outside};
use rust_messenger::message_bus::wait::{Adaptive, Park, Spin};
use rust_messenger::message_bus::{ManyWriters, OneWriter};

pub struct Entry {
    pub name: &'static str,
    pub run: fn(u64, bool) -> Outcome,
    /// Whether the distance of the cores matters.
    pub bracketed: bool,
    /// How many messages make one run.
    pub messages: u64,
    /// One for each round.
    pub outcomes: Vec<Outcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nanoseconds per message.
    Throughput,
    /// Nanoseconds for a message there and one back.
    RoundTrip,
    /// Nanoseconds from sending to the end of handling; of two that answer each other, for both.
    WholePath,
}

pub struct Workload {
    pub name: &'static str,
    pub kind: Kind,
    /// The messages of the calibrating run, and the fewest of any.
    pub first: u64,
    pub entries: Vec<Entry>,
}

/// Who the ratio column is relative to where threads stream.
pub const REFERENCE: &str = "disruptor, single producer";
pub const ONE: &str = "**rust_messenger, one writer**";
pub const MANY: &str = "**rust_messenger, many writers**";
pub const ONE_PAUSE: &str = "rust_messenger, one writer, fixed pause";
pub const MANY_PAUSE: &str = "rust_messenger, many writers, fixed pause";
pub const ONE_SPIN: &str = "rust_messenger, one writer, spinning";
pub const MANY_SPIN: &str = "rust_messenger, many writers, spinning";
pub const ONE_CONDVAR: &str = "rust_messenger, one writer, CondvarBus";
pub const MANY_CONDVAR: &str = "rust_messenger, many writers, CondvarBus";
pub const ONE_PARK: &str = "rust_messenger, one writer, Park";
pub const FLOOR: &str = "*floor: fixed slots, 1w 1r*";
pub const SINGLE: &str = REFERENCE;
pub const SINGLE_SPIN: &str = "disruptor, single producer, spinning";
pub const MULTI: &str = "disruptor, multi producer";
pub const MULTI_SPIN: &str = "disruptor, multi producer, spinning";
pub const RTRB: &str = "rtrb";
pub const CROSSBEAM: &str = "crossbeam-channel";
pub const ARRAY: &str = "crossbeam ArrayQueue";
pub const RAW: &str = "*limit: raw cache-line ping-pong*";
pub const PARK: &str = "*limit: park and unpark*";
pub const POSTCARD: &str = "**rust_messenger, a table, postcard**";
pub const ZERO_COPY: &str = "**rust_messenger, a table, zero_copy**";
pub const KAMEO: &str = "kameo";
pub const RACTOR: &str = "ractor";
pub const CHANNEL: &str = "std channel and a match";
pub const FETCH_ADD: &str = "*limit: contended fetch_add*";

pub const SPINNING: &str = "1w 1r 32 B spinning";
pub const PAUSING: &str = "1w 1r 32 B pausing";
pub const KIB: &str = "1w 1r 1 KiB";
pub const KIB64: &str = "1w 1r 64 KiB";
pub const TWO_WRITERS: &str = "2w 1r 32 B";
pub const THREE_READERS: &str = "1w 3r 32 B";
pub const ALONE: &str = "one thread 32 B";
pub const BATCHES: &str = "one thread 32 B batches";
pub const NO_READER: &str = "2w no reader 32 B";
pub const TRIP_SPINNING: &str = "round trip spinning";
pub const TRIP_BLOCKING: &str = "round trip blocking call";
pub const TRIP_PARKED: &str = "round trip parked";
pub const OUTSIDE: &str = "outside to a handler";
pub const IN_ONE: &str = "two handlers on one thread";
pub const BETWEEN: &str = "two handlers on two threads";

type Small = Block<32>;
type Kib = Block<1024>;
type Boxed = Box<[u8]>;

const SMALL: Shape = Shape { writers: 1, readers: 1, slots: 1 << 14, bytes: 1 << 20 };
const MIDDLE: Shape = Shape { slots: 1 << 10, ..SMALL };
const LARGE: Shape = Shape { slots: 1 << 8, bytes: 1 << 24, ..SMALL };
const TWO_TO_ONE: Shape = Shape { writers: 2, ..SMALL };
const ONE_TO_THREE: Shape = Shape { readers: 3, ..SMALL };
const WRITERS_ONLY: Shape = Shape { writers: 2, readers: 0, ..SMALL };
const TRIP: Shape = Shape { slots: 1 << 10, bytes: 1 << 16, ..SMALL };

/// `name => contestant` lines become entries that run `$how::<$n, contestant, $waiting>(shape, messages, pinned)`.
macro_rules! entries {
    ($how:ident, $n:expr, $shape:expr; $( $name:expr => $contestant:ty, $waiting:ty; )*) => {
        vec![$( entry($name, |messages, pinned| $how::<{ $n }, $contestant, $waiting>($shape, messages, pinned)), )*]
    };
}

macro_rules! whole_path {
    ($how:ident) => {
        vec![
            entry(POSTCARD, $how::<Postcard>),
            entry(ZERO_COPY, $how::<ZeroCopy>),
            entry(KAMEO, $how::<Kameo>),
            entry(RACTOR, $how::<Ractor>),
            entry(CHANNEL, $how::<Channel>),
        ]
    };
}

fn entry(name: &'static str, run: fn(u64, bool) -> Outcome) -> Entry {
    Entry { name, run, bracketed: true, messages: 0, outcomes: Vec::new() }
}

pub fn all() -> Vec<Workload> {
    use Kind::{RoundTrip, Throughput, WholePath};
    let workload = |name, kind, first, entries| Workload { name, kind, first, entries };
    vec![
        workload(SPINNING, Throughput, 50_000, spinning()),
        workload(PAUSING, Throughput, 50_000, pausing()),
        workload(KIB, Throughput, 4_000, kib()),
        workload(KIB64, Throughput, 1_000, kib64()),
        workload(TWO_WRITERS, Throughput, 50_000, two_writers()),
        workload(THREE_READERS, Throughput, 50_000, three_readers()),
        workload(NO_READER, Throughput, 50_000, no_reader()),
        workload(ALONE, Throughput, 50_000, one_thread()),
        workload(BATCHES, Throughput, 50_000, one_thread_batches()),
        workload(TRIP_SPINNING, RoundTrip, 5_000, trip_spinning()),
        workload(TRIP_BLOCKING, RoundTrip, 2_000, trip_blocking()),
        workload(TRIP_PARKED, RoundTrip, 500, trip_parked()),
        workload(OUTSIDE, WholePath, 20_000, whole_path!(outside)),
        workload(IN_ONE, WholePath, 20_000, whole_path!(in_one)),
        workload(BETWEEN, WholePath, 5_000, whole_path!(between)),
    ]
}

fn spinning() -> Vec<Entry> {
    entries! { stream, 32, SMALL;
        ONE_SPIN => Ours<OneWriter, Spin>, Spinning;
        MANY_SPIN => Ours<ManyWriters, Spin>, Spinning;
        FLOOR => Floor, Spinning;
        SINGLE => DisruptorSingle, Spinning;
        MULTI => DisruptorMulti, Spinning;
        RTRB => Rtrb<Small>, Spinning;
        ARRAY => Array<Small>, Spinning;
        "kanal" => Kanal<Small>, Spinning;
        CROSSBEAM => Crossbeam<Small>, Spinning;
        "std mpsc" => StdMpsc<Small>, Spinning;
        "thingbuf" => Thingbuf, Spinning;
        "bus" => Bus<Small>, Spinning;
        "flume" => Flume<Small>, Spinning;
        "tokio broadcast (lossy)" => TokioBroadcast<Small>, Spinning;
        "iceoryx2, local" => Iceoryx, Spinning;
    }
}

fn pausing() -> Vec<Entry> {
    entries! { stream, 32, SMALL;
        ONE => Ours<OneWriter, Adaptive>, Pausing;
        MANY => Ours<ManyWriters, Adaptive>, Pausing;
        ONE_PAUSE => Ours<OneWriter, Pause>, Pausing;
        MANY_PAUSE => Ours<ManyWriters, Pause>, Pausing;
        FLOOR => Floor, Pausing;
        SINGLE => DisruptorSingle, Pausing;
        MULTI => DisruptorMulti, Pausing;
        RTRB => Rtrb<Small>, Pausing;
        ARRAY => Array<Small>, Pausing;
        "kanal" => Kanal<Small>, Pausing;
        CROSSBEAM => Crossbeam<Small>, Pausing;
        "std mpsc" => StdMpsc<Small>, Pausing;
        "thingbuf" => Thingbuf, Pausing;
        "bus" => Bus<Small>, Pausing;
        "flume" => Flume<Small>, Pausing;
        "tokio broadcast (lossy)" => TokioBroadcast<Small>, Pausing;
        "iceoryx2, local" => Iceoryx, Pausing;
    }
}

fn kib() -> Vec<Entry> {
    entries! { stream, 1024, MIDDLE;
        ONE => Ours<OneWriter, Adaptive>, Pausing;
        MANY => Ours<ManyWriters, Adaptive>, Pausing;
        ONE_SPIN => Ours<OneWriter, Spin>, Spinning;
        MANY_SPIN => Ours<ManyWriters, Spin>, Spinning;
        FLOOR => Floor, Pausing;
        SINGLE => DisruptorSingle, Pausing;
        SINGLE_SPIN => DisruptorSingle, Spinning;
        MULTI => DisruptorMulti, Pausing;
        RTRB => Rtrb<Kib>, Pausing;
        ARRAY => Array<Kib>, Pausing;
        "kanal" => Kanal<Kib>, Pausing;
        CROSSBEAM => Crossbeam<Kib>, Pausing;
        "std mpsc" => StdMpsc<Kib>, Pausing;
        "thingbuf" => Thingbuf, Pausing;
        "bus" => Bus<Kib>, Pausing;
        "flume" => Flume<Kib>, Pausing;
        "tokio broadcast (lossy)" => TokioBroadcast<Kib>, Pausing;
        "iceoryx2, local" => Iceoryx, Pausing;
    }
}

fn kib64() -> Vec<Entry> {
    entries! { stream, 65536, LARGE;
        ONE => Ours<OneWriter, Adaptive>, Pausing;
        MANY => Ours<ManyWriters, Adaptive>, Pausing;
        ONE_SPIN => Ours<OneWriter, Spin>, Spinning;
        MANY_SPIN => Ours<ManyWriters, Spin>, Spinning;
        FLOOR => Floor, Pausing;
        SINGLE => DisruptorSingle, Pausing;
        SINGLE_SPIN => DisruptorSingle, Spinning;
        MULTI => DisruptorMulti, Pausing;
        RTRB => Rtrb<Boxed>, Pausing;
        ARRAY => Array<Boxed>, Pausing;
        "kanal" => Kanal<Boxed>, Pausing;
        CROSSBEAM => Crossbeam<Boxed>, Pausing;
        "std mpsc" => StdMpsc<Boxed>, Pausing;
        "thingbuf" => Thingbuf, Pausing;
        "bus" => Bus<Boxed>, Pausing;
        "flume" => Flume<Boxed>, Pausing;
        "tokio broadcast (lossy)" => TokioBroadcast<Boxed>, Pausing;
        "iceoryx2, local" => Iceoryx, Pausing;
    }
}

fn two_writers() -> Vec<Entry> {
    entries! { stream, 32, TWO_TO_ONE;
        MANY => Ours<ManyWriters, Adaptive>, Pausing;
        MANY_PAUSE => Ours<ManyWriters, Pause>, Pausing;
        MULTI => DisruptorMulti, Pausing;
        MULTI_SPIN => DisruptorMulti, Spinning;
        ARRAY => Array<Small>, Pausing;
        "kanal" => Kanal<Small>, Pausing;
        CROSSBEAM => Crossbeam<Small>, Pausing;
        "std mpsc" => StdMpsc<Small>, Pausing;
        "thingbuf" => Thingbuf, Pausing;
        "flume" => Flume<Small>, Pausing;
    }
}

fn three_readers() -> Vec<Entry> {
    entries! { stream, 32, ONE_TO_THREE;
        ONE => Ours<OneWriter, Adaptive>, Pausing;
        MANY => Ours<ManyWriters, Adaptive>, Pausing;
        ONE_PAUSE => Ours<OneWriter, Pause>, Pausing;
        MANY_PAUSE => Ours<ManyWriters, Pause>, Pausing;
        SINGLE => DisruptorSingle3, Pausing;
        SINGLE_SPIN => DisruptorSingle3, Spinning;
        MULTI => DisruptorMulti3, Pausing;
        MULTI_SPIN => DisruptorMulti3, Spinning;
        "bus" => Bus<Small>, Pausing;
        "tokio broadcast (lossy)" => TokioBroadcast<Small>, Pausing;
    }
}

fn no_reader() -> Vec<Entry> {
    entries! { stream, 32, WRITERS_ONLY;
        MANY => Ours<ManyWriters, Adaptive>, Pausing;
        FETCH_ADD => FetchAdd, Pausing;
    }
}

/// `name => contestant` lines become entries that run `$how::<32, contestant>` on the calling thread.
macro_rules! one_thread {
    ($how:ident; $( $name:expr => $contestant:ty; )*) => {
        vec![$( entry($name, |messages, _| $how::<32, $contestant>(SMALL, messages)), )*]
    };
}

fn one_thread() -> Vec<Entry> {
    one_thread! { alone;
        ONE => Ours<OneWriter, Adaptive>;
        MANY => Ours<ManyWriters, Adaptive>;
        ONE_CONDVAR => Wrapped<OneWriter>;
        MANY_CONDVAR => Wrapped<ManyWriters>;
        FLOOR => Floor;
        SINGLE => DisruptorSingle;
        MULTI => DisruptorMulti;
        RTRB => Rtrb<Small>;
        ARRAY => Array<Small>;
        "kanal" => Kanal<Small>;
        CROSSBEAM => Crossbeam<Small>;
        "std mpsc" => StdMpsc<Small>;
        "thingbuf" => Thingbuf;
        "bus" => Bus<Small>;
        "flume" => Flume<Small>;
        "tokio broadcast (lossy)" => TokioBroadcast<Small>;
        "iceoryx2, local" => Iceoryx;
    }
}

fn one_thread_batches() -> Vec<Entry> {
    one_thread! { batches;
        ONE => Ours<OneWriter, Adaptive>;
        MANY => Ours<ManyWriters, Adaptive>;
        FLOOR => Floor;
        SINGLE => DisruptorSingle;
        MULTI => DisruptorMulti;
        RTRB => Rtrb<Small>;
        ARRAY => Array<Small>;
    }
}

fn trip_spinning() -> Vec<Entry> {
    let mut entries = entries! { round_trip, 32, TRIP;
        ONE_SPIN => Ours<OneWriter, Spin>, Spinning;
        MANY_SPIN => Ours<ManyWriters, Spin>, Spinning;
        FLOOR => Floor, Spinning;
        SINGLE => DisruptorSingle, Spinning;
        MULTI => DisruptorMulti, Spinning;
        RTRB => Rtrb<Small>, Spinning;
        ARRAY => Array<Small>, Spinning;
        "kanal" => Kanal<Small>, Spinning;
        CROSSBEAM => Crossbeam<Small>, Spinning;
        "std mpsc" => StdMpsc<Small>, Spinning;
        "thingbuf" => Thingbuf, Spinning;
        "bus" => Bus<Small>, Spinning;
        "flume" => Flume<Small>, Spinning;
        "tokio broadcast (lossy)" => TokioBroadcast<Small>, Spinning;
        "iceoryx2, local" => Iceoryx, Spinning;
    };
    entries.push(entry(RAW, raw_ping_pong));
    entries
}

fn trip_blocking() -> Vec<Entry> {
    let mut entries = entries! { round_trip, 32, TRIP;
        ONE => Ours<OneWriter, Adaptive>, Blocking;
        MANY => Ours<ManyWriters, Adaptive>, Blocking;
        "kanal" => Kanal<Small>, Blocking;
        CROSSBEAM => Crossbeam<Small>, Blocking;
        "std mpsc" => StdMpsc<Small>, Blocking;
        "thingbuf" => Thingbuf, Blocking;
        "bus" => Bus<Small>, Blocking;
        "flume" => Flume<Small>, Blocking;
    };
    entries.push(entry(RAW, raw_ping_pong));
    entries
}

fn trip_parked() -> Vec<Entry> {
    // Always pinned: two threads that sleep in turn drift onto one core, where a wake-up takes 3 us instead of 40. How far
    // the cores are apart, on the other hand, is nothing to a wake-up.
    let mut entries = vec![
        entry(ONE_PARK, |trips, _| round_trip::<32, Ours<OneWriter, Park>, Blocking>(TRIP, trips, true)),
        entry(ONE_CONDVAR, |trips, _| round_trip::<32, Wrapped<OneWriter>, Blocking>(TRIP, trips, true)),
        entry(PARK, |trips, _| park_unpark(trips, true)),
    ];
    entries.iter_mut().for_each(|entry| entry.bracketed = false);
    entries
}
