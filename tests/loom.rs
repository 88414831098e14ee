//! Models of the bus for the loom checker: `ci/loom.sh` runs them.
//!
//! Under `--cfg rust_messenger_loom` the whole bus compiles against loom's atomics, locks and threads and against a
//! model of mapped memory that watches every payload byte for races. So the models use the public API, and what is
//! checked is `slot.rs`, `gate.rs`, `claim.rs` and `wait.rs` themselves, never a copy of them.
//!
//! Each model is the smallest scene in which one mechanism is needed; without the mechanism it goes red. The scene is
//! set by the main thread before it spawns others, or within a fill, so that the ring is nearly full and few steps
//! suffice. A wake-up that is lost is a deadlock, which loom reports. Executions are explored up to a number of
//! preemptions: two, or what `LOOM_MAX_PREEMPTIONS` says.
//!
//! Never blocks with a timeout: in loom a timed wait does not end by itself.

#![cfg(rust_messenger_loom)]

use loom::thread;
use rust_messenger::message_bus::wait::Park;
use rust_messenger::message_bus::{
    CircularBus, Claim, CondvarBus, ManyWriters, OneWriter, RingOptions, RingReader, RingWriter,
};
use rust_messenger::traits::{
    BusWriter, EncodeError, Interest, MessageBus, NoWriter, Payload, Poller, Publish, ReadError, Reader, Space, Stats,
    SubscribeError, WriteError,
};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

// ------------------------------------------------------------------------------------------------------------- helpers

/// The smallest ring of the model: eight slots of [`BYTES`] payload bytes.
const CAPACITY: usize = 256;
/// So many messages fill it.
const SLOTS: u8 = 8;
/// The payload of an ordinary message: with its header it takes the largest slot of the smallest ring, 32 bytes.
const BYTES: usize = 8;
const SLOT: u64 = 32;

/// Explores `scene` up to the usual number of preemptions.
fn model(scene: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(2);
    check(builder, scene);
}

/// For scenes that take many steps: two preemptions would take minutes.
fn model_with_one_preemption(scene: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(1);
    check(builder, scene);
}

/// As [`model`], and checks that the executions reach all of `outcomes` and no other: a scene that always ends in the
/// same way may be missing what it is about.
fn model_with_outcomes<T: Ord + Debug + Send + 'static, const N: usize>(
    outcomes: [T; N],
    scene: impl Fn() -> T + Send + Sync + 'static,
) {
    let reached = Arc::new(Mutex::new(BTreeSet::new()));
    let note = Arc::clone(&reached);
    model(move || {
        let outcome = scene();
        note.lock().unwrap().insert(outcome);
    });
    assert_eq!(*reached.lock().unwrap(), BTreeSet::from(outcomes));
}

fn check(mut builder: loom::model::Builder, scene: impl Fn() + Send + Sync + 'static) {
    builder.max_branches = builder.max_branches.max(5_000);
    let (bound, start, runs) = (builder.preemption_bound, Instant::now(), Arc::new(AtomicU64::new(0)));
    let counter = Arc::clone(&runs);
    builder.check(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        scene();
    });
    let name = std::thread::current().name().unwrap_or("model").to_owned();
    let bound = bound.map_or("without a bound".to_owned(), |bound| format!("up to {bound} preemptions"));
    println!("{name}: {} executions {bound} in {:.1?}", runs.load(Ordering::Relaxed), start.elapsed());
}

fn options() -> RingOptions {
    // Long enough for no reader to lose patience: how much time passes in a model is no part of it.
    RingOptions { capacity: CAPACITY, silent_after: Duration::MAX, ..RingOptions::default() }
}

fn ring<C: Claim>() -> CircularBus<C> {
    CircularBus::<C>::with_options(options()).unwrap()
}

fn many() -> CircularBus {
    ring::<ManyWriters>()
}

/// A ring on which waiting threads sleep at once.
fn parking() -> CircularBus<ManyWriters, Park> {
    many().waiting::<Park>()
}

fn condvar() -> CondvarBus<CircularBus> {
    CondvarBus::new(many())
}

fn payload(value: u8) -> [u8; BYTES] {
    [value; BYTES]
}

/// Writes message `value` without waiting.
fn try_put(writer: &impl Publish, value: u8) -> Result<(), WriteError> {
    writer.try_write_bytes(1, 2, &payload(value))
}

/// Sets a scene: messages `values`, one after the other.
fn put_all(writer: &impl Publish, values: impl IntoIterator<Item = u8>) {
    for value in values {
        try_put(writer, value).unwrap();
    }
}

/// Writes message `value`, however long it takes.
fn spin_put(writer: &impl Publish, value: u8) {
    while let Err(error) = try_put(writer, value) {
        assert_eq!(error, WriteError::Full);
        thread::yield_now();
    }
}

/// The value of a message that must be whole.
fn whole(bytes: &[u8]) -> u8 {
    assert!(bytes.iter().all(|byte| *byte == bytes[0]), "torn: {bytes:?}");
    bytes[0]
}

fn try_get(reader: &mut impl Reader) -> Result<u8, ReadError> {
    reader.try_read(|header, bytes| {
        assert_eq!((header.source, header.message, header.size as usize), (1, 2, bytes.len()));
        whole(bytes)
    })
}

/// The next message, however long it takes.
fn spin_get(reader: &mut impl Reader) -> u8 {
    loop {
        match try_get(reader) {
            Ok(value) => return value,
            Err(error) => assert_eq!(error, ReadError::Empty),
        }
        thread::yield_now();
    }
}

/// The next message; sleeps until it is there.
fn get(reader: &mut impl Reader) -> u8 {
    loop {
        match reader.read(|_, bytes| whole(bytes)) {
            Ok(value) => return value,
            Err(error) => assert_eq!(error, ReadError::Empty),
        }
    }
}

/// All that can be read once the writers are done.
fn rest(reader: &mut impl Reader) -> Vec<u8> {
    std::iter::from_fn(|| try_get(reader).ok()).collect()
}

/// A payload that is filled by a closure, which may fail.
struct Fill<F>(F);

impl<F: FnMut(&mut [u8]) -> Result<(), EncodeError>> Payload for Fill<F> {
    fn size(&self) -> usize {
        BYTES
    }

    fn fill(&mut self, space: &mut Space<'_>) -> Result<(), EncodeError> {
        (self.0)(space.zeroed())
    }
}

fn refused() -> EncodeError {
    EncodeError::Refused(String::new())
}

// --------------------------------------------------------------------------------------------------------------- slots

/// A reader that finds a message finds all of its bytes, whether they were copied in or filled in place.
#[test]
fn publish_and_consume() {
    model(|| {
        let bus = many();
        let (mut reader, writer) = (bus.subscribe("").unwrap(), bus.writer().unwrap());
        let writer = thread::spawn(move || {
            writer.try_write_bytes(1, 2, &payload(1)).unwrap();
            writer.try_write(1, 2, BYTES, |bytes| bytes.fill(2)).unwrap();
            writer
        });
        assert_eq!(spin_get(&mut reader), 1);
        assert_eq!(spin_get(&mut reader), 2);
        writer.join().unwrap();
        assert_eq!(rest(&mut reader), []);
    });
}

/// The same for a single message and a look that need not find it, in every interleaving there is.
#[test]
fn publish_and_consume_without_a_bound() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = None;
    check(builder, || {
        let bus = many();
        let (mut reader, writer) = (bus.subscribe("").unwrap(), bus.writer().unwrap());
        let writer = thread::spawn(move || {
            try_put(&writer, 1).unwrap();
            writer
        });
        let early = try_get(&mut reader);
        assert!(matches!(early, Ok(1) | Err(ReadError::Empty)));
        writer.join().unwrap();
        assert_eq!(rest(&mut reader), if early.is_ok() { vec![] } else { vec![1] });
    });
}

/// Two writers never share a slot: a reader gets each message once, whole, and each writer's in its order.
#[test]
fn two_writers_one_reader() {
    model(|| {
        let bus = many();
        let mut reader = bus.subscribe("").unwrap();
        let writers = [[1, 2], [3, 4]].map(|values| {
            let writer = bus.writer().unwrap();
            thread::spawn(move || {
                put_all(&writer, values);
                writer
            })
        });
        let mut seen: Vec<u8> = (0..2).map(|_| spin_get(&mut reader)).collect();
        for writer in writers {
            writer.join().unwrap();
        }
        seen.extend(rest(&mut reader));
        let of = |low, high| seen.iter().copied().filter(|value| (low..=high).contains(value)).collect::<Vec<_>>();
        assert_eq!((of(1, 2), of(3, 4), seen.len()), (vec![1, 2], vec![3, 4], 4), "{seen:?}");
    });
}

/// A fill that fails seals its slot, and the reader goes on with what stands behind it.
#[test]
fn failed_fill_is_sealed() {
    model(|| {
        let bus = many();
        let (mut reader, writer) = (bus.subscribe("").unwrap(), bus.writer().unwrap());
        let writer = thread::spawn(move || {
            let failed = writer.try_put(1, 2, &mut Fill(|_: &mut [u8]| Err(refused())));
            assert_eq!(failed, Err(WriteError::Encode(refused())));
            try_put(&writer, 2).unwrap();
            writer
        });
        assert_eq!(spin_get(&mut reader), 2);
        writer.join().unwrap();
        assert_eq!((bus.stats().messages, bus.stats().sealed), (1, 1));
    });
}

/// So does a fill that panics.
#[test]
fn panicked_fill_is_sealed() {
    model(|| {
        let bus = many();
        let (mut reader, writer) = (bus.subscribe("").unwrap(), bus.writer().unwrap());
        let writer = thread::spawn(move || {
            // Unwinds without the message that a `panic!` would print in every execution.
            let fill = |_: &mut [u8]| resume_unwind(Box::new(()));
            catch_unwind(AssertUnwindSafe(|| writer.try_write(1, 2, BYTES, fill))).unwrap_err();
            try_put(&writer, 2).unwrap();
            writer
        });
        assert_eq!(spin_get(&mut reader), 2);
        writer.join().unwrap();
        assert_eq!((bus.stats().messages, bus.stats().sealed), (1, 1));
    });
}

/// A sealed slot's bytes are reused only after its owner's last touch.
#[test]
fn sealed_slot_is_reused() {
    model_with_outcomes([7, 8], || {
        let bus = many();
        let (mut reader, writer) = (bus.subscribe("").unwrap(), bus.writer().unwrap());
        let other = bus.writer().unwrap();
        put_all(&writer, 1..SLOTS);
        assert_eq!((1..SLOTS).map(|_| spin_get(&mut reader)).collect::<Vec<_>>(), (1..SLOTS).collect::<Vec<_>>());
        let writer = thread::spawn(move || {
            let fail = |bytes: &mut [u8]| {
                bytes.fill(9);
                Err(refused())
            };
            writer.try_put(1, 2, &mut Fill(fail)).unwrap_err();
            writer
        });
        // Steps over the sealed slot if it is there by now, and lets go of all that was read.
        assert_eq!(try_get(&mut reader), Err(ReadError::Empty));
        let written = (0..=SLOTS).take_while(|value| try_put(&other, *value).is_ok()).count() as u8;
        writer.join().unwrap();
        assert_eq!(rest(&mut reader), (0..written).collect::<Vec<_>>());
        written
    });
}

// ---------------------------------------------------------------------------------------------------------------- gate

/// A full ring: a writer does not overwrite what the reader has not released, and its bytes do not change under it.
#[test]
fn wrap_with_gate() {
    model_with_outcomes([0, 1, 2], || wrap(many()));
}

/// The same with the claims of a single writer.
#[test]
fn one_writer_wraps_with_gate() {
    model_with_outcomes([0, 1, 2], || wrap(ring::<OneWriter>()));
}

/// Returns how many messages found room.
fn wrap<C: Claim>(bus: CircularBus<C>) -> u8 {
    let (mut reader, writer) = (bus.subscribe("").unwrap(), bus.writer().unwrap());
    put_all(&writer, 0..SLOTS);
    let writer = thread::spawn(move || {
        let written = [8, 9].into_iter().take_while(|value| try_put(&writer, *value).is_ok()).count();
        (writer, written as u8)
    });
    assert_eq!(try_get(&mut reader), Ok(0));
    assert_eq!(try_get(&mut reader), Ok(1));
    let (_writer, written) = writer.join().unwrap();
    assert_eq!(rest(&mut reader), (2..SLOTS + written).collect::<Vec<_>>());
    written
}

/// A writer that finds the gate moved by another one may rely on it: the releases come with it.
#[test]
fn gate_is_shared_by_writers() {
    model_with_outcomes([0, 1, 2], || {
        let bus = many();
        let mut reader = bus.subscribe("").unwrap();
        let writers = [bus.writer().unwrap(), bus.writer().unwrap()];
        put_all(&writers[0], 0..SLOTS);
        let reader = thread::spawn(move || {
            // Three, so that the gate leaves a comfortable limit and the second writer need not refresh it.
            for value in 0..3 {
                assert_eq!(try_get(&mut reader), Ok(value));
            }
            reader
        });
        let [first, second] = writers;
        let first = thread::spawn(move || (try_put(&first, 8), first));
        let others = u8::from(try_put(&second, 8).is_ok());
        let written = u8::from(first.join().unwrap().0.is_ok()) + others;
        assert_eq!(rest(&mut reader.join().unwrap()).len() as u8, SLOTS - 3 + written);
        written
    });
}

/// Without readers nothing holds writers back but the claims of the others: a slot in flight is not lapped.
#[test]
fn claim_in_flight_is_not_lapped() {
    model_with_outcomes([false, true], || {
        let bus = many();
        let (owner, other) = (bus.writer().unwrap(), bus.writer().unwrap());
        let mut thread = None;
        let fill = |bytes: &mut [u8]| {
            put_all(&other, 1..SLOTS);
            let writer = bus.writer().unwrap();
            thread = Some(thread::spawn(move || {
                let early = try_put(&writer, 8);
                (writer, early)
            }));
            bytes.fill(0);
        };
        owner.try_write(1, 2, BYTES, fill).unwrap();
        let (_writer, early) = thread.unwrap().join().unwrap();
        assert_eq!(try_put(&other, 9), Ok(()), "the claim is finished and nobody reads");
        early.is_ok()
    });
}

/// A claim in flight when a reader joins behind it is not lapped either, although that reader does not stand before it.
#[test]
fn claim_in_flight_is_not_lapped_when_a_reader_joins() {
    model(|| {
        let bus = many();
        let (owner, other) = (bus.writer().unwrap(), bus.writer().unwrap());
        let mut reader = None;
        let fill = |bytes: &mut [u8]| {
            let mut joined = bus.subscribe("").unwrap();
            put_all(&other, 1..SLOTS);
            assert_eq!(rest(&mut joined), (1..SLOTS).collect::<Vec<_>>());
            assert_eq!(try_put(&other, 8), Err(WriteError::Full), "the bytes of the claim in flight were given away");
            bytes.fill(0);
            reader = Some(joined);
        };
        owner.try_write(1, 2, BYTES, fill).unwrap();
        assert_eq!(try_put(&other, 8), Ok(()));
        assert_eq!(rest(&mut reader.unwrap()), [8]);
    });
}

/// Nor is it when the reader that stood at it leaves, and the one that remains joined behind it.
#[test]
fn claim_in_flight_is_not_lapped_when_a_reader_leaves() {
    model_with_outcomes([false, true], || {
        let bus = many();
        let (mut leaves, owner) = (Some(bus.subscribe("").unwrap()), bus.writer().unwrap());
        let other = bus.writer().unwrap();
        let mut scene = None;
        let fill = |bytes: &mut [u8]| {
            let mut joined = bus.subscribe("").unwrap();
            put_all(&other, 1..SLOTS);
            assert_eq!(rest(&mut joined), (1..SLOTS).collect::<Vec<_>>());
            let writer = bus.writer().unwrap();
            let thread = thread::spawn(move || {
                let early = try_put(&writer, 8).is_ok();
                (writer, early)
            });
            drop(leaves.take());
            scene = Some((joined, thread));
            bytes.fill(0);
        };
        owner.try_write(1, 2, BYTES, fill).unwrap();
        let (mut joined, thread) = scene.unwrap();
        let (writer, early) = thread.join().unwrap();
        if !early {
            try_put(&writer, 8).unwrap();
        }
        assert_eq!(rest(&mut joined), [8]);
        early
    });
}

/// A reader that joins while writers lap the ring gets everything that is claimed after it joined.
#[test]
fn join_while_writers_lap() {
    model_with_outcomes([16, 17, 18], || {
        let bus = many();
        let writer = bus.writer().unwrap();
        put_all(&writer, 0..SLOTS);
        let writer = thread::spawn(move || {
            let written = (8..18).take_while(|value| try_put(&writer, *value).is_ok()).count() as u8;
            (writer, 8 + written)
        });
        let mut reader = bus.subscribe("").unwrap();
        let first = (reader.position() / SLOT) as u8;
        let (_writer, end) = writer.join().unwrap();
        assert_eq!(rest(&mut reader), (first..end).collect::<Vec<_>>(), "joined at message {first}");
        end
    });
}

/// A reader that leaves takes nothing with it: what it held is free, what others hold is not.
#[test]
fn leave_while_writer_refreshes() {
    model_with_outcomes([0, 1], || {
        let bus = many();
        let (mut stays, mut leaves, writer) =
            (bus.subscribe("").unwrap(), bus.subscribe("").unwrap(), bus.writer().unwrap());
        put_all(&writer, 0..SLOTS);
        assert_eq!(try_get(&mut stays), Ok(0));
        let thread = thread::spawn(move || {
            assert_eq!(try_get(&mut leaves), Ok(0));
        });
        let written = [8, 9].into_iter().take_while(|value| try_put(&writer, *value).is_ok()).count() as u8;
        assert_eq!(try_get(&mut stays), Ok(1));
        thread.join().unwrap();
        assert_eq!(rest(&mut stays), (2..SLOTS + written).collect::<Vec<_>>());
        written
    });
}

/// A reader that joins while another one leaves gets a place of its own, and holds writers back in it.
#[test]
fn join_while_another_leaves() {
    model(|| {
        let bus = many();
        let (leaves, writer) = (bus.subscribe("").unwrap(), bus.writer().unwrap());
        let thread = thread::spawn(move || drop(leaves));
        let mut joined = bus.subscribe("").unwrap();
        thread.join().unwrap();
        assert_eq!(bus.stats().readers.len(), 1);
        put_all(&writer, 0..SLOTS);
        assert_eq!(try_put(&writer, SLOTS), Err(WriteError::Full));
        assert_eq!(rest(&mut joined), (0..SLOTS).collect::<Vec<_>>());
    });
}

// --------------------------------------------------------------------------------------------------- evictable readers

/// An evictable reader is moved on or copies, never both: no copy is torn, and what it read and lost is what was sent.
#[test]
fn evictable_copies_or_is_moved() {
    // How many messages it received, and how many it lost.
    model_with_outcomes([(8, 0), (8, 2), (9, 0), (9, 1), (10, 0)], || {
        let bus = many();
        let (mut reader, writer) = (bus.subscribe_evictable("").unwrap(), bus.writer().unwrap());
        put_all(&writer, 0..SLOTS);
        let writer = thread::spawn(move || {
            let written = [8, 9].into_iter().take_while(|value| try_put(&writer, *value).is_ok()).count();
            (writer, written as u64)
        });
        let (mut received, mut lost, mut next) = (0, 0, 0);
        let mut look = |reader: &mut RingReader| {
            match try_get(reader) {
                Ok(value) => {
                    assert_eq!(u64::from(value), next, "a message is neither lost without notice nor read twice");
                    (received, next) = (received + 1, next + 1);
                }
                Err(ReadError::Lagged(messages)) => (lost, next) = (lost + messages, next + messages),
                Err(error) => {
                    assert_eq!(error, ReadError::Empty);
                    return false;
                }
            }
            true
        };
        look(&mut reader);
        look(&mut reader);
        let (_writer, written) = writer.join().unwrap();
        while look(&mut reader) {}
        assert_eq!(received + lost, u64::from(SLOTS) + written);
        (received, lost)
    });
}

/// An evictable reader that was moved may look for a stamp where an earlier lap left payload bytes, also those of a
/// writer that did not move it.
///
/// Empty messages shift the slots of the second lap by half a slot, or a stamp would only ever stand on a stamp. Which
/// message has to move the reader is a matter of the layout, so several are tried.
#[test]
fn moved_reader_may_look() {
    for before in 2 * SLOTS..2 * SLOTS + 4 {
        model(move || {
            let bus = many();
            let (mut reader, writer) = (bus.subscribe_evictable("").unwrap(), bus.writer().unwrap());
            let (mover, begun) = (bus.writer().unwrap(), Arc::new(loom::sync::atomic::AtomicBool::new(false)));
            let begin = Arc::clone(&begun);
            let reader = thread::spawn(move || {
                // Relaxed: only to look late, without learning what the first writer did.
                if begun.load(Ordering::Relaxed) {
                    // Whatever it finds: once when it is moved, and once where it then stands.
                    for _ in 0..2 {
                        let _ = reader.try_read(|_, _| ());
                    }
                }
                reader
            });
            for place in 0..before {
                let bytes = if place % SLOTS == 0 { &[] } else { &payload(place)[..] };
                writer.try_write_bytes(1, 2, bytes).unwrap();
            }
            begin.store(true, Ordering::Relaxed);
            let mover = thread::spawn(move || {
                let _ = try_put(&mover, 0);
                mover
            });
            mover.join().unwrap();
            reader.join().unwrap();
        });
    }
}

/// An evictable reader does not fall asleep over messages because a writer tried to move it at the moment it looked.
#[test]
fn evictable_sleeps_over_no_message() {
    model(|| {
        let bus = parking();
        let (mut reader, writer) = (bus.subscribe_evictable("").unwrap(), bus.writer().unwrap());
        let _slow = bus.subscribe("").unwrap();
        put_all(&writer, 0..SLOTS);
        let thread = thread::spawn(move || {
            reader.wait(None);
            reader
        });
        // The slow reader holds the ring, so this moves nobody and publishes nothing.
        assert_eq!(try_put(&writer, 8), Err(WriteError::Full));
        let mut reader = thread.join().unwrap();
        assert_eq!(rest(&mut reader).len(), usize::from(SLOTS));
    });
}

/// Whoever sees that a reader has joined sees also who it is, though its entry was another one's before.
#[test]
fn a_reader_is_seen_with_its_name() {
    model_with_outcomes([None, Some("new".to_owned())], || {
        let bus = many();
        drop(bus.subscribe("old").unwrap());
        let joins = bus.clone();
        let thread = thread::spawn(move || joins.subscribe("new").unwrap());
        let seen = bus.stats().readers.pop().map(|reader| reader.name);
        thread.join().unwrap();
        seen
    });
}

// ------------------------------------------------------------------------------------------------------------- waiting

/// Runs scenes about sleeping on the ring's own sleep and on the condition variable of the wrapper.
macro_rules! sleeping {
    ($($scene:ident)+) => { $(
        mod $scene {
            #[test]
            fn on_the_ring() {
                super::model(|| super::$scene(super::parking()));
            }

            #[test]
            fn on_a_condvar() {
                super::model(|| super::$scene(super::condvar()));
            }
        }
    )+ };
}

sleeping! {
    message_wakes_reader
    message_wakes_all_readers
    room_wakes_writer
    leaving_reader_wakes_writer
    what_came_before_a_wake_is_seen_after_it
    finished_claim_wakes_writer
    message_wakes_a_poller
    wake_ends_wait
    close_ends_readers_wait
    close_ends_writers_wait
    ticket_given_up_wakes_the_next
    leaving_worker_wakes_the_next
}

/// A reader that sleeps is woken by a message.
fn message_wakes_reader<B: MessageBus>(bus: B) {
    let (mut reader, writer) = (bus.subscribe("").unwrap(), bus.writer().unwrap());
    let writer = thread::spawn(move || {
        writer.try_write(1, 2, BYTES, |bytes| bytes.fill(1)).unwrap();
        // Last, so that no later message makes up for its wake-up.
        try_put(&writer, 2).unwrap();
        writer
    });
    assert_eq!(get(&mut reader), 1);
    assert_eq!(get(&mut reader), 2);
    writer.join().unwrap();
}

/// A poller that watches nothing.
#[derive(Default)]
struct Bell {
    rung: loom::sync::Mutex<bool>,
    changed: loom::sync::Condvar,
}

impl Debug for Bell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bell")
    }
}

impl Poller for Bell {
    fn wait(&self, _: Option<Duration>) {
        let mut rung = self.rung.lock().unwrap();
        while !std::mem::replace(&mut *rung, false) {
            rung = self.changed.wait(rung).unwrap();
        }
    }

    fn notify(&self) {
        *self.rung.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

/// A reader that sleeps in a poller of its own is woken by a message.
fn message_wakes_a_poller<B: MessageBus>(bus: B) {
    let (mut reader, writer) = (bus.subscribe("").unwrap(), bus.writer().unwrap());
    let writer = thread::spawn(move || {
        try_put(&writer, 1).unwrap();
        writer
    });
    let bell: Arc<dyn Poller> = Arc::new(Bell::default());
    while !reader.ready() {
        reader.wait_in(&bell, None, Interest::Messages, Reader::ready);
    }
    assert_eq!(try_get(&mut reader), Ok(1));
    writer.join().unwrap();
}

/// All readers that sleep are woken by one message.
fn message_wakes_all_readers<B: MessageBus>(bus: B) {
    let (mut reader, mut other) = (bus.subscribe("").unwrap(), bus.subscribe("").unwrap());
    let writer = bus.writer().unwrap();
    let other = thread::spawn(move || {
        assert_eq!(get(&mut other), 1);
        other
    });
    let writer = thread::spawn(move || {
        try_put(&writer, 1).unwrap();
        writer
    });
    assert_eq!(get(&mut reader), 1);
    other.join().unwrap();
    writer.join().unwrap();
}

/// A writer that sleeps before a full ring is woken by the slow reader.
fn room_wakes_writer<B: MessageBus>(bus: B) {
    let (mut reader, writer) = (bus.subscribe("").unwrap(), bus.writer().unwrap());
    put_all(&writer, 0..SLOTS);
    let writer = thread::spawn(move || {
        writer.write_bytes(1, 2, &payload(8)).unwrap();
        writer
    });
    assert_eq!(try_get(&mut reader), Ok(0));
    writer.join().unwrap();
    assert_eq!(rest(&mut reader), (1..=SLOTS).collect::<Vec<_>>());
}

/// A writer that sleeps before a full ring is woken when the slow reader leaves.
fn leaving_reader_wakes_writer<B: MessageBus>(bus: B) {
    let (reader, writer) = (bus.subscribe("").unwrap(), bus.writer().unwrap());
    put_all(&writer, 0..SLOTS);
    let writer = thread::spawn(move || {
        writer.write_bytes(1, 2, &payload(8)).unwrap();
        writer
    });
    drop(reader);
    writer.join().unwrap();
}

/// A wake ends a wait in which nothing came, and whoever it ends sees what was changed before it.
fn what_came_before_a_wake_is_seen_after_it<B: MessageBus>(bus: B) {
    let mut reader = bus.subscribe("").unwrap();
    let changed = Arc::new(loom::sync::atomic::AtomicBool::new(false));
    let change = Arc::clone(&changed);
    let thread = thread::spawn(move || {
        // Relaxed: what orders it is the wake alone.
        change.store(true, Ordering::Relaxed);
        bus.wake();
    });
    reader.wait(None);
    assert!(changed.load(Ordering::Relaxed));
    thread.join().unwrap();
}

/// A bus that has no way to wake anybody: for the wrapper, which adds that.
#[derive(Clone, Debug)]
struct Quiet(CircularBus);

impl MessageBus for Quiet {
    type Reader = <CircularBus as MessageBus>::Reader;
    type BusWriter = <CircularBus as MessageBus>::BusWriter;

    const MANY_WRITERS: bool = true;

    fn subscribe(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        self.0.subscribe(name)
    }

    fn subscribe_evictable(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        self.0.subscribe_evictable(name)
    }

    fn writer(&self) -> Result<Self::BusWriter, NoWriter> {
        self.0.writer()
    }

    fn worker_writer(&self, reader: &Self::Reader) -> Result<Self::BusWriter, NoWriter> {
        self.0.worker_writer(reader)
    }

    fn close(&self) {
        self.0.close();
    }

    fn wake(&self) {}

    fn tail(&self) -> u64 {
        self.0.tail()
    }

    fn max_payload(&self) -> usize {
        self.0.max_payload()
    }

    fn stats(&self) -> Stats {
        self.0.stats()
    }
}

/// The same on a condition variable whose bus orders nothing.
#[test]
fn what_came_before_a_wake_is_seen_after_it_on_a_quiet_bus() {
    model(|| what_came_before_a_wake_is_seen_after_it(CondvarBus::new(Quiet(many()))));
}

/// A writer that sleeps because a claim in flight holds the ring is woken when that claim is finished.
fn finished_claim_wakes_writer<B: MessageBus>(bus: B) {
    let (owner, other) = (bus.writer().unwrap(), bus.writer().unwrap());
    let mut sleeper = None;
    let fill = |_: &mut [u8]| {
        put_all(&other, 1..SLOTS);
        let writer = bus.writer().unwrap();
        sleeper = Some(thread::spawn(move || {
            writer.write_bytes(1, 2, &payload(8)).unwrap();
            writer
        }));
        Err(refused())
    };
    owner.try_put(1, 2, &mut Fill(fill)).unwrap_err();
    sleeper.unwrap().join().unwrap();
}

/// A wake ends a wait, also one that begins at the same moment; nobody sleeps through it.
fn wake_ends_wait<B: MessageBus>(bus: B) {
    let mut reader = bus.subscribe("").unwrap();
    let thread = thread::spawn(move || {
        assert_eq!(reader.read(|_, _| ()), Err(ReadError::Empty));
        reader
    });
    bus.wake();
    thread.join().unwrap();
}

/// A close ends the wait of a reader, which has read everything by then.
fn close_ends_readers_wait<B: MessageBus>(bus: B) {
    let (mut reader, writer) = (bus.subscribe("").unwrap(), bus.writer().unwrap());
    let thread = thread::spawn(move || {
        let mut seen = 0;
        loop {
            match reader.read(|_, bytes| assert_eq!(whole(bytes), 1)) {
                Ok(()) => seen += 1,
                Err(ReadError::Closed) => break,
                Err(error) => assert_eq!(error, ReadError::Empty),
            }
        }
        assert_eq!(seen, 1);
        reader
    });
    try_put(&writer, 1).unwrap();
    bus.close();
    thread.join().unwrap();
}

/// A close ends the wait of a writer before a full ring.
fn close_ends_writers_wait<B: MessageBus>(bus: B) {
    let (_reader, writer) = (bus.subscribe("").unwrap(), bus.writer().unwrap());
    put_all(&writer, 0..SLOTS);
    let thread = thread::spawn(move || {
        assert_eq!(writer.write_bytes(1, 2, &payload(8)), Err(WriteError::Closed));
        writer
    });
    bus.close();
    thread.join().unwrap();
}

/// Whoever is told that the bus is closed has read all that was written before.
#[test]
fn close_loses_nothing() {
    model(|| {
        close_after_claim(|bus, writer| {
            try_put(writer, 1).unwrap();
            bus.close();
        })
    });
}

/// Also what was only claimed before: here the bus is closed by a fill.
#[test]
fn close_loses_no_claim() {
    model(|| {
        close_after_claim(|bus, writer| {
            let fill = |bytes: &mut [u8]| {
                bus.close();
                bytes.fill(1);
            };
            writer.try_write(1, 2, BYTES, fill).unwrap();
        })
    });
}

fn close_after_claim(write: fn(&CircularBus, &RingWriter)) {
    let bus = many();
    let (mut reader, writer) = (bus.subscribe("").unwrap(), bus.writer().unwrap());
    let thread = thread::spawn(move || {
        write(&bus, &writer);
        writer
    });
    let mut seen = 0;
    loop {
        match try_get(&mut reader) {
            Ok(value) => seen += value,
            Err(ReadError::Closed) => break,
            Err(_) => thread::yield_now(),
        }
    }
    assert_eq!(seen, 1);
    thread.join().unwrap();
}

// -------------------------------------------------------------------------------------------------------------- claims

/// The smallest ring on which claims are made by fetch-and-add: a sixteenth is kept for overshooting, 64 bytes.
fn fetch_add_ring() -> CircularBus {
    CircularBus::with_options(RingOptions { capacity: 1024, ..options() }).unwrap()
}

const LARGE: [u8; 112] = [7; 112];

/// Two writers that claim by fetch-and-add near their limit may both overshoot it, but never what the reader released.
#[test]
fn fetch_add_stays_within_the_reserve() {
    // Each overshoots once.
    model_with_outcomes([2], || {
        let bus = fetch_add_ring();
        let mut reader = bus.subscribe("").unwrap();
        let writers = [bus.writer().unwrap(), bus.writer().unwrap()];
        // Up to 928 of the 960 bytes that limits allow; both writers know a limit with room for one more message.
        for _ in 0..6 {
            writers[0].try_write_bytes(1, 2, &LARGE).unwrap();
        }
        put_all(&writers[0], [0; 4]);
        put_all(&writers[1], [0]);
        assert_eq!(bus.tail(), 928);
        let threads = writers.map(|writer| {
            thread::spawn(move || {
                let written = (1..4).take_while(|value| try_put(&writer, *value).is_ok()).count();
                (writer, written)
            })
        });
        let written: usize = threads.map(|thread| thread.join().unwrap().1).into_iter().sum();
        assert_eq!(rest(&mut reader).len(), 11 + written);
        written
    });
}

/// A fetch-and-add that lands beyond its writer's own limit may rely on the gate that the other writer saw when it made
/// its claims by fetch-and-add.
#[test]
fn fetch_add_hands_on_the_gate() {
    model_with_outcomes([0, 2], || beyond_the_own_limit(&[&[1; BYTES], &[2; BYTES]]));
}

/// The same after a large claim, which was made by compare-and-swap.
#[test]
fn large_claim_hands_on_the_gate() {
    model_with_outcomes([0, 1], || beyond_the_own_limit(&[&LARGE]));
}

/// Returns how many of `messages` found room.
fn beyond_the_own_limit(messages: &'static [&'static [u8]]) -> usize {
    let bus = fetch_add_ring();
    let mut reader = bus.subscribe("").unwrap();
    let [first, second] = [bus.writer().unwrap(), bus.writer().unwrap()];
    for _ in 0..6 {
        first.try_write_bytes(1, 2, &LARGE).unwrap();
    }
    put_all(&first, [0; 4]);
    put_all(&second, [0; 2]);
    // The first writer last saw a tail of 896, and its limit is 960.
    assert_eq!(bus.tail(), 960);
    let reader = thread::spawn(move || {
        assert_eq!(reader.try_read(|_, bytes| whole(bytes)), Ok(7));
        reader
    });
    let second = thread::spawn(move || {
        let written = messages.iter().take_while(|bytes| second.try_write_bytes(1, 2, bytes).is_ok()).count();
        (second, written)
    });
    try_put(&first, 3).unwrap();
    let (_second, written) = second.join().unwrap();
    assert_eq!(rest(&mut reader.join().unwrap()).len(), 11 + 1 + written);
    written
}

/// A successor of the one writer goes on where its predecessor left off, also in counting.
#[test]
fn one_writer_has_a_successor() {
    model_with_outcomes([false, true], || {
        let bus = ring::<OneWriter>();
        let (mut reader, first) = (bus.subscribe("").unwrap(), bus.writer().unwrap());
        let thread = thread::spawn(move || {
            try_put(&first, 1).unwrap();
        });
        // Asked only once: loom does not know that a swap that was refused cannot come after the store that frees.
        let second = bus.writer();
        let refused = second.as_ref().is_err_and(|error| *error == NoWriter::Taken);
        if !refused {
            try_put(&second.unwrap(), 2).unwrap();
        }
        thread.join().unwrap();
        let expected: &[u8] = if refused { &[1] } else { &[1, 2] };
        assert_eq!(rest(&mut reader), expected);
        assert_eq!(bus.stats().messages, expected.len() as u64);
        refused
    });
}

/// A writer that takes over the counters of one that left loses none of its counts.
#[test]
fn counters_have_a_successor() {
    model(|| {
        let bus = many();
        let first = bus.writer().unwrap();
        let thread = thread::spawn(move || {
            try_put(&first, 1).unwrap();
        });
        let second = bus.writer().unwrap();
        try_put(&second, 2).unwrap();
        thread.join().unwrap();
        assert_eq!(bus.stats().messages, 2);
    });
}

/// Writers that found no counters of their own share the last, and lose no count to each other.
#[test]
fn shared_counters_lose_nothing() {
    model(|| {
        let bus = many();
        // As many as have counters of their own in a model.
        let _own = [bus.writer().unwrap(), bus.writer().unwrap()];
        let (first, second) = (bus.writer().unwrap(), bus.writer().unwrap());
        let thread = thread::spawn(move || {
            try_put(&first, 1).unwrap();
        });
        try_put(&second, 2).unwrap();
        thread.join().unwrap();
        assert_eq!((bus.stats().messages, bus.stats().bytes), (2, 2 * BYTES as u64));
    });
}

// ------------------------------------------------------------------------------------------------------- silent claims

/// A ring whose readers have no patience at all.
fn impatient() -> CircularBus {
    CircularBus::with_options(RingOptions { silent_after: Duration::ZERO, ..options() }).unwrap()
}

/// Goes on without the claim that the reader stands before: asked once to begin to be impatient, once to act.
fn lose_patience(reader: &mut impl Reader) {
    reader.unblock();
    reader.unblock();
}

/// An owner that commits while a reader seals its claim: exactly one of them wins, and both know who.
#[test]
fn fence_or_commit() {
    model_with_outcomes(["committed", "fenced"], || {
        let bus = impatient();
        let (mut reader, owner) = (bus.subscribe("").unwrap(), bus.writer().unwrap());
        let owner = thread::spawn(move || {
            let result = owner.try_write(1, 2, BYTES, |bytes| bytes.fill(1));
            (owner, result)
        });
        lose_patience(&mut reader);
        let early = try_get(&mut reader);
        let (owner, result) = owner.join().unwrap();
        try_put(&owner, 2).unwrap();
        let mut seen: Vec<u8> = early.into_iter().collect();
        seen.extend(rest(&mut reader));
        match result {
            Ok(()) => assert_eq!(seen, [1, 2]),
            Err(ref error) => assert_eq!((error, seen), (&WriteError::Fenced, vec![2])),
        }
        assert_eq!((bus.stats().messages, bus.stats().sealed), if result.is_ok() { (2, 0) } else { (1, 1) });
        // Its owner has found where the fence was noted: the next one is noted there.
        let fill = |bytes: &mut [u8]| {
            assert_eq!(try_get(&mut reader), Err(ReadError::Empty));
            lose_patience(&mut reader);
            bytes.fill(9);
        };
        assert_eq!(owner.try_write(1, 2, BYTES, fill), Err(WriteError::Fenced));
        if result.is_ok() { "committed" } else { "fenced" }
    });
}

/// The bytes of a claim that was sealed over its owner's head are given away only after the owner has seen it.
#[test]
fn fenced_bytes_are_not_reused() {
    model(|| {
        let bus = impatient();
        let mut reader = bus.subscribe("").unwrap();
        let (owner, other) = (bus.writer().unwrap(), bus.writer().unwrap());
        let mut thread = None;
        let fill = |bytes: &mut [u8]| {
            put_all(&other, 1..SLOTS);
            lose_patience(&mut reader);
            assert_eq!(rest(&mut reader), (1..SLOTS).collect::<Vec<_>>());
            let writer = bus.writer().unwrap();
            thread = Some(thread::spawn(move || {
                spin_put(&writer, 8);
                writer
            }));
            bytes.fill(9);
        };
        assert_eq!(owner.try_write(1, 2, BYTES, fill), Err(WriteError::Fenced));
        thread.unwrap().join().unwrap();
        assert_eq!(rest(&mut reader), [8]);
    });
}

/// Two readers that seal one claim, perhaps while its owner finds that out, both go on, and the place in which its
/// bytes were noted is free for the next one.
#[test]
fn readers_fence_together() {
    model(|| {
        let bus = impatient();
        let (mut reader, mut other) = (bus.subscribe("").unwrap(), bus.subscribe("").unwrap());
        let owner = bus.writer().unwrap();
        let mut thread = None;
        let fill = |bytes: &mut [u8]| {
            thread = Some(thread::spawn(move || {
                lose_patience(&mut other);
                other
            }));
            lose_patience(&mut reader);
            bytes.fill(9);
        };
        assert_eq!(owner.try_write(1, 2, BYTES, fill), Err(WriteError::Fenced));
        let mut other = thread.unwrap().join().unwrap();
        let fill = |bytes: &mut [u8]| {
            assert_eq!(try_get(&mut reader), Err(ReadError::Empty));
            lose_patience(&mut reader);
            bytes.fill(9);
        };
        assert_eq!(owner.try_write(1, 2, BYTES, fill), Err(WriteError::Fenced));
        try_put(&owner, 1).unwrap();
        assert_eq!((rest(&mut reader), rest(&mut other)), (vec![1], vec![1]));
    });
}

// ------------------------------------------------------------------------------------------------------------- tickets

/// Workers whose outboxes are pending write in the order of their tickets, and an outsider after them.
#[test]
fn tickets_decide_who_writes_first() {
    // A later one is never early when an earlier one is not.
    model_with_outcomes([(false, false), (true, false), (true, true)], || {
        let bus = many();
        let readers = [bus.subscribe("").unwrap(), bus.subscribe("").unwrap()];
        let [first, second] = [0, 1].map(|worker| bus.worker_writer(&readers[worker]).unwrap());
        let (mut monitor, outsider) = (bus.subscribe("").unwrap(), bus.writer().unwrap());
        first.take_ticket();
        second.take_ticket();
        let first = thread::spawn(move || {
            try_put(&first, 1).unwrap();
            first.give_up_ticket();
            first
        });
        let second = thread::spawn(move || {
            let early = try_put(&second, 2).is_ok();
            if early {
                second.give_up_ticket();
            }
            (second, early)
        });
        let early = try_put(&outsider, 3).is_ok();
        first.join().unwrap();
        let (second, second_early) = second.join().unwrap();
        if !second_early {
            try_put(&second, 2).unwrap();
            second.give_up_ticket();
        }
        if !early {
            try_put(&outsider, 3).unwrap();
        }
        assert_eq!(rest(&mut monitor), [1, 2, 3]);
        (second_early, early)
    });
}

/// A worker that sleeps until its turn to flush comes is woken by the one whose ticket is older.
fn ticket_given_up_wakes_the_next<B: MessageBus>(bus: B) {
    let (first, mut second) = (bus.subscribe("").unwrap(), bus.subscribe("").unwrap());
    let (older, younger) = (bus.worker_writer(&first).unwrap(), bus.worker_writer(&second).unwrap());
    older.take_ticket();
    younger.take_ticket();
    let thread = thread::spawn(move || {
        second.wait_until(None, Interest::Room, |_| younger.has_room(BYTES));
        try_put(&younger, 2).unwrap();
        (second, younger)
    });
    older.give_up_ticket();
    thread.join().unwrap();
}

#[test]
fn workers_get_unstuck_on_the_ring() {
    model_with_one_preemption(|| workers_get_unstuck(parking()));
}

#[test]
fn workers_get_unstuck_on_a_condvar() {
    model_with_one_preemption(|| workers_get_unstuck(condvar()));
}

/// A worker that leaves, as one does that panicked, takes its ticket with it and wakes the next.
fn leaving_worker_wakes_the_next<B: MessageBus>(bus: B) {
    let (first, mut second) = (bus.subscribe("").unwrap(), bus.subscribe("").unwrap());
    let (older, younger) = (bus.worker_writer(&first).unwrap(), bus.worker_writer(&second).unwrap());
    older.take_ticket();
    younger.take_ticket();
    let thread = thread::spawn(move || {
        second.wait_until(None, Interest::Room, |_| younger.has_room(BYTES));
        try_put(&younger, 2).unwrap();
        younger.give_up_ticket();
        (second, younger)
    });
    drop(first);
    thread.join().unwrap();
    // The queue is empty, although the worker that left still has its writer.
    try_put(&bus.writer().unwrap(), 3).unwrap();
    drop(older);
}

/// Two workers before a full ring queue up, each reads on as long as it is the slowest, and both get their message out.
fn workers_get_unstuck<B: MessageBus>(bus: B) {
    let workers = [0, 1].map(|_| {
        let reader = bus.subscribe("").unwrap();
        (bus.worker_writer(&reader).unwrap(), reader)
    });
    put_all(&workers[0].0, 0..SLOTS);
    for (writer, _) in &workers {
        assert_eq!(try_put(writer, 9), Err(WriteError::Full));
        writer.take_ticket();
    }
    let [older, younger] = workers;
    let thread = thread::spawn(move || flush(younger.0, younger.1));
    flush(older.0, older.1);
    thread.join().unwrap();
    assert_eq!(bus.tail(), u64::from(SLOTS + 2) * SLOT);
}

/// What a worker does with one message in its outbox, in short; at its end the worker leaves.
fn flush<W: BusWriter, R: Reader>(writer: W, mut reader: R) {
    while try_put(&writer, 9).is_err() {
        if writer.is_slowest() {
            let _ = try_get(&mut reader);
        }
        reader.wait_until(None, Interest::Room, |reader| {
            writer.has_room(BYTES) || (writer.is_slowest() && reader.ready())
        });
    }
    writer.give_up_ticket();
}
