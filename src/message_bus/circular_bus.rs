//! [`CircularBus`]: the ring in mapped memory. Puts slot, gate, claim and wait together; each rule is in its own file.

use super::ring::claim::{self, Claim, ManyWriters, OneWriter, Role, Room};
use super::ring::gate::readers::Kind;
use super::ring::memory::Ring;
use super::ring::reader::RingReader;
use super::ring::shared::Shared;
use super::ring::slot::{SLOT_ALIGN, Slots};
use super::ring::store::Store;
use super::ring::times::Times;
use super::ring::writer::RingWriter;
use super::wait::{Adaptive, WaitStrategy};
use crate::mmap::Region;
use crate::random;
use crate::sync::{Arc, Ordering};
use crate::traits::{Interest, MessageBus, NoWriter, Poller, Stats, SubscribeError};
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::time::Duration;

/// A lossless ring in mapped memory: every reader sees every message in one order, and writers wait for readers.
///
/// `C` is how writers claim ([`ManyWriters`] or [`OneWriter`]), `W` how readers wait ([`Adaptive`], unless
/// [`waiting`](Self::waiting) chooses another). A clone is a second handle on the same ring. Processes share
/// one that has a [name](CircularBus::create).
///
/// ```
/// use rust_messenger::message_bus::CircularBus;
/// use rust_messenger::traits::{MessageBus, Publish, Reader};
///
/// let bus = CircularBus::new(64 * 1024)?;
/// let mut reader = bus.subscribe("example")?;
/// bus.writer()?.write_bytes(1, 2, b"hello")?;
/// let text = reader.try_read(|header, payload| {
///     assert_eq!((header.source, header.message), (1, 2));
///     String::from_utf8_lossy(payload).into_owned()
/// })?;
/// assert_eq!(text, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CircularBus<C = ManyWriters, W = Adaptive> {
    pub(super) shared: Arc<Shared<Ring>>,
    types: PhantomData<fn() -> (C, W)>,
}

/// The options of a [`CircularBus`].
///
/// ```
/// use rust_messenger::CircularBus;
/// use rust_messenger::message_bus::RingOptions;
///
/// let bus: CircularBus = CircularBus::with_options(RingOptions { capacity: 1 << 16, ..RingOptions::default() })?;
/// # let _ = bus;
/// # Ok::<(), rust_messenger::message_bus::BusError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RingOptions {
    /// The size of the ring in bytes: a power of two from [`MIN_CAPACITY`](Self::MIN_CAPACITY) to
    /// [`MAX_CAPACITY`](Self::MAX_CAPACITY). A slot takes at most an eighth of it. Default: 1 MiB.
    pub capacity: usize,
    /// The position of the first message: a multiple of 16. Tests choose it, to see what happens after years of
    /// running. Default: 0.
    pub first: u64,
    /// How long readers wait for a silent fill before one of them fences it. Default: one second.
    pub silent_after: Duration,
}

impl RingOptions {
    /// The smallest ring in bytes.
    pub const MIN_CAPACITY: usize = if cfg!(rust_messenger_loom) { 256 } else { 1024 };
    /// The largest ring in bytes: the size of its largest slot just fits the `u32` of a header.
    pub const MAX_CAPACITY: usize = if usize::BITS > 34 { 1 << 34 } else { 1 << 28 };
}

impl Default for RingOptions {
    fn default() -> Self {
        RingOptions { capacity: 1 << 20, first: 0, silent_after: Duration::from_secs(1) }
    }
}

/// Why a ring could not be made.
#[non_exhaustive]
pub enum BusError {
    /// The capacity must be a power of two from [`RingOptions::MIN_CAPACITY`] to [`RingOptions::MAX_CAPACITY`].
    Capacity {
        /// The capacity in the options, in bytes.
        asked: usize,
    },
    /// The position of the first message must be a multiple of 16.
    First {
        /// The position in the options.
        asked: u64,
    },
    /// The system could not map the memory.
    Map(io::Error),
    /// The system gave no random number. Stamps need one that no author of a payload knows.
    Random(io::Error),
}

/// In words, too: `unwrap` shows them.
impl fmt::Debug for BusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BusError({self})")
    }
}

impl fmt::Display for BusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BusError::Capacity { asked } => write!(
                f,
                "a capacity of {asked} bytes: it must be a power of two from {} to {}",
                RingOptions::MIN_CAPACITY,
                RingOptions::MAX_CAPACITY
            ),
            BusError::First { asked } => {
                write!(f, "a first position of {asked}: it must be a multiple of {SLOT_ALIGN}")
            }
            BusError::Map(error) => write!(f, "no memory for the ring: {error}"),
            BusError::Random(error) => write!(f, "no random key for the ring: {error}"),
        }
    }
}

impl std::error::Error for BusError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BusError::Map(error) | BusError::Random(error) => Some(error),
            _ => None,
        }
    }
}

impl CircularBus {
    /// A ring of `capacity` bytes for any number of writers.
    ///
    /// # Errors
    ///
    /// [`BusError`]: the capacity is no power of two in range, or the system has not enough memory.
    pub fn new(capacity: usize) -> Result<Self, BusError> {
        Self::with_options(RingOptions { capacity, ..RingOptions::default() })
    }
}

impl CircularBus<OneWriter> {
    /// A ring of `capacity` bytes for one writer, which claims without a locked instruction. While that writer exists,
    /// the ring refuses a second one ([`NoWriter::Taken`]).
    ///
    /// # Errors
    ///
    /// As [`CircularBus::new`].
    pub fn one_writer(capacity: usize) -> Result<Self, BusError> {
        Self::with_options(RingOptions { capacity, ..RingOptions::default() })
    }
}

impl<C: Claim, W: WaitStrategy> CircularBus<C, W> {
    /// A ring with these options.
    ///
    /// # Errors
    ///
    /// [`BusError`].
    pub fn with_options(options: RingOptions) -> Result<Self, BusError> {
        let RingOptions { capacity, first, silent_after } = options;
        if !capacity.is_power_of_two() || !(RingOptions::MIN_CAPACITY..=RingOptions::MAX_CAPACITY).contains(&capacity) {
            return Err(BusError::Capacity { asked: capacity });
        }
        if !first.is_multiple_of(SLOT_ALIGN) {
            return Err(BusError::First { asked: first });
        }
        let capacity = capacity as u64;
        let region = Region::anonymous(Ring::region_len(capacity) as usize).map_err(BusError::Map)?;
        let key = random::number().map_err(BusError::Random)?;
        let ring = Ring::new(region, capacity, first, key);
        let times = Times { silence: silent_after, ..Times::default() };
        Ok(CircularBus::of(Arc::new(Shared::new(ring, (), times))))
    }

    pub(super) fn of(shared: Arc<Shared<Ring>>) -> Self {
        CircularBus { shared, types: PhantomData }
    }

    /// The same ring, whose readers wait by the strategy `V`.
    ///
    /// ```
    /// use rust_messenger::message_bus::{CircularBus, wait::Spin};
    /// let bus = CircularBus::new(64 * 1024)?.waiting::<Spin>();
    /// # Ok::<(), rust_messenger::message_bus::BusError>(())
    /// ```
    pub fn waiting<V: WaitStrategy>(self) -> CircularBus<C, V> {
        CircularBus { shared: self.shared, types: PhantomData }
    }
}

impl<C, W> Clone for CircularBus<C, W> {
    fn clone(&self) -> Self {
        CircularBus { shared: Arc::clone(&self.shared), types: PhantomData }
    }
}

impl<C, W> fmt::Debug for CircularBus<C, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ring = &self.shared.store;
        f.debug_struct("CircularBus").field("capacity", &ring.capacity()).finish_non_exhaustive()
    }
}

impl<C: Claim, W: WaitStrategy> MessageBus for CircularBus<C, W> {
    type Reader = RingReader<W>;
    type BusWriter = RingWriter<C, W>;

    const MANY_WRITERS: bool = <C as claim::sealed::Claim>::MANY;

    fn is_shared(&self) -> bool {
        self.shared.store.is_shared()
    }

    fn park(
        &self,
        poller: Option<&std::sync::Arc<dyn Poller>>,
        interest: Interest,
        limit: Option<Duration>,
        ready: &mut dyn FnMut() -> bool,
    ) -> bool {
        self.shared.park(poller, interest, limit, ready);
        true
    }

    fn subscribe(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        RingReader::new(&self.shared, Kind::Gating, name, |standing| Ok(standing.tail()))
    }

    fn subscribe_evictable(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        RingReader::new(&self.shared, Kind::Evictable, name, |standing| Ok(standing.tail()))
    }

    fn subscribe_held(&self, name: &str, from: Option<u64>) -> Result<Self::Reader, SubscribeError> {
        let gate = self.shared.gate();
        RingReader::new(&self.shared, Kind::Held, name, |standing| match from {
            None => Ok(standing.tail()),
            Some(from) => Ok(gate.found(standing, from)?),
        })
    }

    fn released(&self) -> u64 {
        // A forked child takes no lock, and knows no better than the gate.
        if self.shared.store.is_forked() {
            return self.shared.gate().position();
        }
        self.shared.released()
    }

    fn writer(&self) -> Result<Self::BusWriter, NoWriter> {
        RingWriter::new(&self.shared, Role::Outside)
    }

    fn worker_writer(&self, reader: &Self::Reader) -> Result<Self::BusWriter, NoWriter> {
        RingWriter::new(&self.shared, Role::Worker(reader.index()))
    }

    fn close(&self) {
        self.shared.close();
    }

    fn wake(&self) {
        self.shared.wake();
    }

    fn tail(&self) -> u64 {
        self.shared.control().tail().load(Ordering::Acquire) // SYNC POINT claim.tail
    }

    fn max_payload(&self) -> usize {
        self.shared.store.max_payload()
    }

    fn stats(&self) -> Stats {
        self.shared.stats()
    }
}

#[cfg(all(test, unix, not(rust_messenger_loom)))]
mod tests {
    use super::super::CondvarBus;
    use super::super::ring::control;
    use super::super::ring::gate::evict::Pin;
    use super::*;
    use crate::sync::{spawn, yield_now};
    use crate::traits::Publish;
    use std::sync::mpsc::channel;

    /// In a release build, too: a reader that goes back is noticed before a writer takes what the gate has promised.
    #[test]
    #[should_panic(expected = "stand at the gate or past it")]
    fn a_gate_that_would_go_back_is_noticed() {
        let ring = CircularBus::new(RingOptions::MIN_CAPACITY).unwrap();
        let (reader, writer) = (ring.subscribe("reader").unwrap(), ring.writer().unwrap());
        let (gate, start) = (ring.shared.gate(), ring.tail());
        writer.write_bytes(1, 1, &[0; 16]).unwrap();
        gate.release(reader.index(), ring.tail());
        assert_eq!(gate.refresh(ring.tail()), ring.tail());
        gate.release(reader.index(), start);
        gate.refresh(ring.tail());
    }

    /// A writer that finds a slot under the look of an evictable reader, and sleeps, goes on when the look is over,
    /// though that wakes nobody.
    ///
    /// Method: the test pins and unpins in the reader's name. Whether the writer sleeps by then is a matter of
    /// microseconds, so this is done many times.
    fn a_look_keeps_no_writer_asleep<B: MessageBus<BusWriter: 'static>>(wrap: fn(CircularBus) -> B) {
        for _ in 0..if cfg!(miri) { 1 } else { 100 } {
            let ring = CircularBus::new(RingOptions::MIN_CAPACITY).unwrap();
            let bus = wrap(ring.clone());
            let _tap = bus.subscribe_evictable("tap").unwrap();
            let writer = bus.writer().unwrap();
            let gate = ring.shared.gate();
            assert_eq!(gate.pin(control::reader(0), 0), Pin::Pinned);
            let payload = [0; RingOptions::MIN_CAPACITY / 8 - 16];
            while writer.try_write_bytes(1, 1, &payload).is_ok() {}
            let (written, is_written) = channel();
            let writing = spawn("writer", move || _ = written.send(writer.write_bytes(1, 1, &payload)));
            while bus.stats().full < 2 {
                yield_now();
            }
            for _ in 0..20 {
                yield_now();
            }
            gate.unpin(control::reader(0), 0);
            let limit = Duration::from_secs(300);
            assert_eq!(is_written.recv_timeout(limit).expect("the writer goes on"), Ok(()));
            writing.unwrap().join().unwrap();
        }
    }

    #[test]
    fn a_look_keeps_no_writer_asleep_on_a_ring() {
        a_look_keeps_no_writer_asleep(|ring| ring.waiting::<super::super::wait::Park>());
    }

    #[test]
    fn a_look_keeps_no_writer_asleep_on_a_condvar() {
        a_look_keeps_no_writer_asleep(CondvarBus::new);
    }
}
