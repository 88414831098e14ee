//! [`CircularBus`]: the ring in mapped memory. Puts slot, gate, claim and wait together; each rule is in its own file.

use super::claim::{Claim, ManyWriters, OneWriter, Role};
use super::control::WRITERS;
use super::gate::{CLOSED, Gate, Kind, Pin};
use super::slot::{Filled, Ring, SLOT_ALIGN, Seen, slot_len};
use super::wait::{self, Adaptive, Idle, Sleeper, WaitStrategy, Waiters};
use crate::mmap::Region;
use crate::sync::{Arc, AtomicU64, CachePadded, Ordering};
use crate::traits::{
    BusWriter, Header, Interest, MessageBus, Payload, Publish, ReadError, Reader, Stats, SubscribeError, WriteError,
    WriterError,
};
use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

/// A lossless ring in mapped memory: every reader sees every message in one order, and writers wait for readers.
///
/// `C` is how writers claim ([`ManyWriters`] or [`OneWriter`]), `W` how readers wait
/// ([`Adaptive`] unless chosen otherwise with [`waiting`](Self::waiting)). A clone is a second handle on the same ring.
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
    shared: Arc<Shared>,
    types: PhantomData<fn() -> (C, W)>,
}

/// What can be chosen about a ring besides its types.
#[derive(Clone, Debug)]
pub struct RingOptions {
    /// The bytes of the ring: a power of two from [`MIN_CAPACITY`] to [`MAX_CAPACITY`]. One slot takes at most an
    /// eighth of it.
    pub capacity: usize,
    /// Where the first message stands, a multiple of 16. For tests of what happens after years of running.
    pub start: u64,
    /// How long readers wait for a fill that does not return before they go on without its message.
    pub silent_after: Duration,
}

/// The smallest ring in bytes.
pub const MIN_CAPACITY: usize = if cfg!(rust_messenger_loom) { 256 } else { 1024 };
/// The largest ring in bytes; its largest slot just fits into the `u32` of a header.
pub const MAX_CAPACITY: usize = if usize::BITS > 34 { 1 << 34 } else { 1 << 28 };

impl Default for RingOptions {
    fn default() -> Self {
        RingOptions { capacity: 1 << 20, start: 0, silent_after: Duration::from_secs(1) }
    }
}

/// Why there is no such ring.
#[derive(Debug)]
#[non_exhaustive]
pub enum BusError {
    /// A capacity must be a power of two between the two limits.
    Capacity {
        /// What was asked for, in bytes.
        asked: usize,
    },
    /// A start position must be a multiple of 16.
    Start {
        /// What was asked for.
        asked: u64,
    },
    /// The system has no such memory to give.
    Map(io::Error),
}

impl fmt::Display for BusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BusError::Capacity { asked } => write!(
                f,
                "a capacity of {asked} bytes: it must be a power of two from {MIN_CAPACITY} to {MAX_CAPACITY}"
            ),
            BusError::Start { asked } => {
                write!(f, "a start position of {asked}: it must be a multiple of {SLOT_ALIGN}")
            }
            BusError::Map(error) => write!(f, "no memory for the ring: {error}"),
        }
    }
}

impl std::error::Error for BusError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BusError::Map(error) => Some(error),
            _ => None,
        }
    }
}

/// What all handles of one ring share in this process.
#[derive(Debug)]
struct Shared {
    ring: Ring,
    silent_after: Duration,
    /// How often [`MessageBus::wake`] was called.
    wakes: CachePadded<AtomicU64>,
    waiters: CachePadded<Waiters>,
}

impl CircularBus {
    /// A ring of `capacity` bytes for any number of writers.
    ///
    /// # Errors
    ///
    /// [`BusError`]: the capacity is no power of two in range, or there is no such memory.
    pub fn new(capacity: usize) -> Result<Self, BusError> {
        Self::with_options(RingOptions { capacity, ..RingOptions::default() })
    }
}

impl CircularBus<OneWriter> {
    /// A ring of `capacity` bytes for one writer, which then needs no locked instruction to claim. A second writer is
    /// refused while the first exists.
    ///
    /// # Errors
    ///
    /// As [`CircularBus::new`].
    pub fn one_writer(capacity: usize) -> Result<Self, BusError> {
        Self::with_options(RingOptions { capacity, ..RingOptions::default() })
    }
}

impl<C: Claim, W: WaitStrategy> CircularBus<C, W> {
    /// A ring by its options.
    ///
    /// # Errors
    ///
    /// [`BusError`].
    pub fn with_options(options: RingOptions) -> Result<Self, BusError> {
        let RingOptions { capacity, start, silent_after } = options;
        if !capacity.is_power_of_two() || !(MIN_CAPACITY..=MAX_CAPACITY).contains(&capacity) {
            return Err(BusError::Capacity { asked: capacity });
        }
        if start % SLOT_ALIGN != 0 {
            return Err(BusError::Start { asked: start });
        }
        let capacity = capacity as u64;
        let region = Region::anonymous(Ring::region_len(capacity) as usize).map_err(BusError::Map)?;
        // The standard library's hasher is keyed from the system's random source.
        let key = RandomState::new().build_hasher().finish();
        Ok(Self::on(Shared {
            ring: Ring::new(region, capacity, start, key),
            silent_after,
            wakes: CachePadded::new(AtomicU64::new(0)),
            waiters: CachePadded::new(Waiters::new()),
        }))
    }

    /// The same ring with readers that wait in another way.
    ///
    /// ```
    /// use rust_messenger::message_bus::{CircularBus, wait::Spin};
    /// let bus = CircularBus::new(64 * 1024)?.waiting::<Spin>();
    /// # Ok::<(), rust_messenger::message_bus::BusError>(())
    /// ```
    pub fn waiting<V: WaitStrategy>(self) -> CircularBus<C, V> {
        CircularBus { shared: self.shared, types: PhantomData }
    }

    fn on(shared: Shared) -> Self {
        CircularBus { shared: Arc::new(shared), types: PhantomData }
    }

    fn join(&self, kind: Kind, name: &str) -> Result<RingReader<W>, SubscribeError> {
        let (index, position) = self.shared.gate().join(kind, name)?;
        Ok(RingReader {
            shared: Arc::clone(&self.shared),
            index,
            kind,
            position,
            released: position,
            batch: self.shared.ring.capacity() / 8,
            handled: 0,
            wakes: self.shared.wakes.load(Ordering::Acquire),
            silent: None,
            copy: Vec::new(),
            strategy: W::default(),
        })
    }
}

impl<C, W> Clone for CircularBus<C, W> {
    fn clone(&self) -> Self {
        CircularBus { shared: Arc::clone(&self.shared), types: PhantomData }
    }
}

impl<C, W> fmt::Debug for CircularBus<C, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ring = &self.shared.ring;
        f.debug_struct("CircularBus").field("capacity", &ring.capacity()).finish_non_exhaustive()
    }
}

impl<C: Claim, W: WaitStrategy> MessageBus for CircularBus<C, W> {
    type Reader = RingReader<W>;
    type Writer = RingWriter<C, W>;

    const MANY_WRITERS: bool = <C as super::claim::sealed::Claim>::MANY;

    fn subscribe(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        self.join(Kind::Gating, name)
    }

    fn subscribe_evictable(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        self.join(Kind::Evictable, name)
    }

    fn writer(&self) -> Result<Self::Writer, WriterError> {
        RingWriter::new(&self.shared, Role::Outside)
    }

    fn worker_writer(&self, reader: &Self::Reader) -> Result<Self::Writer, WriterError> {
        RingWriter::new(&self.shared, Role::Worker(reader.index))
    }

    fn close(&self) {
        self.shared.control().flags().fetch_or(CLOSED, Ordering::AcqRel);
        self.wake();
    }

    fn wake(&self) {
        self.shared.wakes.fetch_add(1, Ordering::AcqRel);
        self.shared.notify_message();
        self.shared.notify_room();
    }

    fn tail(&self) -> u64 {
        self.shared.control().tail().load(Ordering::Acquire)
    }

    fn max_payload(&self) -> usize {
        self.shared.ring.max_payload()
    }

    fn stats(&self) -> Stats {
        let control = self.shared.control();
        self.shared.gate().stats((0..WRITERS).map(|index| {
            let entry = control.writer(index);
            [entry.messages(), entry.bytes(), entry.full(), entry.sealed()].map(|word| word.load(Ordering::Relaxed))
        }))
    }
}

impl Shared {
    #[inline(always)]
    fn control(&self) -> super::control::Control<'_> {
        self.ring.control()
    }

    #[inline(always)]
    fn gate(&self) -> Gate<'_> {
        Gate::new(&self.ring)
    }

    #[inline]
    fn notify_message(&self) {
        self.waiters.notify(self.control().message_sleepers());
    }

    #[inline]
    fn notify_room(&self) {
        self.waiters.notify(self.control().room_sleepers());
    }

    /// What to announce a sleeper on. Whoever waits for room also waits for claims in flight to be finished.
    fn sleepers(&self, interest: Interest) -> [&AtomicU64; 2] {
        let messages = self.control().message_sleepers();
        [messages, if interest == Interest::Room { self.control().room_sleepers() } else { messages }]
    }

    /// How long a sleep for room may last at most: an evictable reader that lets go of a slot it only looked at wakes
    /// nobody.
    fn unannounced_room(&self, interest: Interest) -> Option<Duration> {
        (interest == Interest::Room && self.gate().has_evictable()).then_some(Duration::from_millis(1))
    }
}

// ------------------------------------------------------------------------------------------------------------ reading

/// A reader of a [`CircularBus`]. Dropping it ends the subscription.
#[derive(Debug)]
pub struct RingReader<W: WaitStrategy = Adaptive> {
    shared: Arc<Shared>,
    /// Its entry in the reader table.
    index: usize,
    kind: Kind,
    /// The next message.
    position: u64,
    /// What the entry says; never ahead of `position`.
    released: u64,
    /// Release at least that often, in bytes.
    batch: u64,
    /// Messages read since the last wait.
    handled: u64,
    /// The wakes that were noticed.
    wakes: u64,
    /// The unfinished claim that this reader waits for, and since when.
    silent: Option<(u64, Instant)>,
    /// Where an evictable reader's messages are copied to.
    copy: Vec<u8>,
    strategy: W,
}

impl<W: WaitStrategy> Reader for RingReader<W> {
    #[inline]
    fn try_read<R>(&mut self, deliver: impl FnOnce(&Header, &[u8]) -> R) -> Result<R, ReadError> {
        if self.kind == Kind::Evictable {
            return self.try_read_copy(deliver);
        }
        loop {
            match self.shared.ring.observe(self.position) {
                Seen::Message(header) => {
                    let result = self.shared.ring.with_payload(&header, |payload| deliver(&header, payload));
                    self.handled += 1;
                    self.step_over(slot_len(header.size as usize));
                    return Ok(result);
                }
                Seen::Sealed { len, .. } => self.step_over(len),
                Seen::Open { .. } => return Err(self.nothing()),
            }
        }
    }

    #[inline]
    fn ready(&mut self) -> bool {
        match self.kind {
            Kind::Gating => !matches!(self.shared.ring.observe(self.position), Seen::Open { .. }),
            Kind::Evictable => self.ready_or_moved(),
        }
    }

    fn wait_until(&mut self, timeout: Option<Duration>, interest: Interest, done: impl FnMut(&mut Self) -> bool) {
        self.release();
        let mut strategy = std::mem::take(&mut self.strategy);
        strategy.begin(std::mem::take(&mut self.handled));
        wait::wait_until(self, &mut strategy, interest, timeout, done);
        self.strategy = strategy;
        self.wakes = self.shared.wakes.load(Ordering::Acquire);
    }

    fn unblock(&mut self) -> Option<Duration> {
        if self.is_at_tail() {
            return None;
        }
        let pinned = self.kind == Kind::Evictable;
        if pinned && self.shared.gate().pin(self.index, self.position) != Pin::Pinned {
            return None;
        }
        let limit = self.shared.silent_after;
        let left = match (self.shared.ring.observe(self.position), self.silent) {
            (Seen::Message(_) | Seen::Sealed { .. }, _) => None,
            (Seen::Open { pending: true }, Some((position, since))) if position == self.position => {
                let left = limit.saturating_sub(since.elapsed());
                if left.is_zero() {
                    self.shared.gate().fence(self.position);
                }
                Some(left)
            }
            (Seen::Open { .. }, _) => {
                self.silent = Some((self.position, Instant::now()));
                Some(limit)
            }
        };
        if pinned {
            self.shared.gate().unpin(self.index, self.position);
        }
        left
    }

    #[inline]
    fn position(&self) -> u64 {
        self.position
    }

    #[inline]
    fn release(&mut self) {
        if self.kind == Kind::Gating && self.released != self.position {
            self.released = self.position;
            self.shared.gate().release(self.index, self.position);
            self.shared.notify_room();
        }
    }
}

impl<W: WaitStrategy> Sleeper for RingReader<W> {
    #[inline]
    fn woken(&self) -> bool {
        self.shared.wakes.load(Ordering::Acquire) != self.wakes
    }

    fn park(&mut self, interest: Interest, limit: Option<Duration>, mut ready: impl FnMut(&mut Self) -> bool) {
        let shared = Arc::clone(&self.shared);
        let limit = [limit, shared.unannounced_room(interest)].into_iter().flatten().min();
        shared.waiters.park(&shared.sleepers(interest), limit, || ready(self));
    }
}

impl<W: WaitStrategy> RingReader<W> {
    #[inline]
    fn step_over(&mut self, len: u64) {
        self.position = self.position.wrapping_add(len);
        if self.position.wrapping_sub(self.released) >= self.batch {
            self.release();
        }
    }

    /// Nothing to read: lets go of all that was read and says why there is no more.
    #[cold]
    fn nothing(&mut self) -> ReadError {
        self.release();
        // Acquire: what was committed before the close is visible after it.
        let closed = self.shared.control().flags().load(Ordering::Acquire) & CLOSED != 0;
        if closed && self.is_at_tail() { ReadError::Closed } else { ReadError::Empty }
    }

    fn is_at_tail(&self) -> bool {
        self.shared.control().tail().load(Ordering::Acquire) == self.position
    }

    /// Whether an evictable reader has a message, or was moved.
    fn ready_or_moved(&self) -> bool {
        match self.shared.gate().pin(self.index, self.position) {
            Pin::Pinned => {
                let seen = self.shared.ring.observe(self.position);
                self.shared.gate().unpin(self.index, self.position);
                !matches!(seen, Seen::Open { .. })
            }
            Pin::Busy => false,
            Pin::Moved { lost, .. } => {
                self.shared.gate().put_back(self.index, lost);
                true
            }
        }
    }

    /// An evictable reader's turn: copies the message while pinned and delivers the copy.
    fn try_read_copy<R>(&mut self, deliver: impl FnOnce(&Header, &[u8]) -> R) -> Result<R, ReadError> {
        let shared = Arc::clone(&self.shared);
        loop {
            match shared.gate().pin(self.index, self.position) {
                Pin::Pinned => {}
                Pin::Busy => return Err(ReadError::Empty),
                Pin::Moved { position, lost } => {
                    self.position = position;
                    if lost != 0 {
                        return Err(ReadError::Lagged(lost));
                    }
                    continue;
                }
            }
            let seen = shared.ring.observe(self.position);
            let next = match seen {
                Seen::Message(header) => {
                    self.copy.clear();
                    shared.ring.with_payload(&header, |payload| self.copy.extend_from_slice(payload));
                    self.position.wrapping_add(slot_len(header.size as usize))
                }
                Seen::Sealed { len, .. } => self.position.wrapping_add(len),
                Seen::Open { .. } => self.position,
            };
            shared.gate().unpin(self.index, next);
            shared.notify_room();
            match seen {
                Seen::Message(header) => {
                    self.position = next;
                    self.handled += 1;
                    return Ok(deliver(&header, &self.copy));
                }
                Seen::Sealed { .. } => self.position = next,
                Seen::Open { .. } => return Err(self.nothing()),
            }
        }
    }
}

impl<W: WaitStrategy> Drop for RingReader<W> {
    fn drop(&mut self) {
        self.shared.gate().leave(self.index);
        self.shared.notify_room();
    }
}

// ------------------------------------------------------------------------------------------------------------ writing

/// A writer of a [`CircularBus`]. Each thread has its own: it is `Send` and not `Sync`. On a bus for many writers it
/// is `Clone`.
#[derive(Debug)]
pub struct RingWriter<C: Claim = ManyWriters, W: WaitStrategy = Adaptive> {
    shared: Arc<Shared>,
    claim: C,
    role: Role,
    /// Its entry in the writer table; the last one is shared by all that found no other.
    index: usize,
    /// What the entry says; not used with the shared one.
    messages: Cell<u64>,
    bytes: Cell<u64>,
    strategy: PhantomData<fn() -> W>,
}

const SHARED_ENTRY: usize = WRITERS - 1;

impl<C: Claim, W: WaitStrategy> RingWriter<C, W> {
    fn new(shared: &Arc<Shared>, role: Role) -> Result<Self, WriterError> {
        let control = shared.control();
        // Acquire on both: a successor goes on where its predecessor, which released the place, left off.
        if !C::MANY && control.one_writer().swap(1, Ordering::AcqRel) != 0 {
            return Err(WriterError::Taken);
        }
        let free = |&index: &usize| {
            let state = control.writer(index).state();
            state.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        };
        let index = (0..SHARED_ENTRY).find(free).unwrap_or(SHARED_ENTRY);
        if let Role::Worker(_) = role {
            control.workers().fetch_add(1, Ordering::Relaxed);
        }
        let claim = C::new(&shared.ring, index);
        let entry = control.writer(index);
        let [messages, bytes] = [entry.messages(), entry.bytes()].map(|word| Cell::new(word.load(Ordering::Relaxed)));
        Ok(RingWriter { shared: Arc::clone(shared), claim, role, index, messages, bytes, strategy: PhantomData })
    }

    /// Whether this writer may claim at all now.
    #[cold]
    fn admit(&self, flags: u64) -> Result<(), WriteError> {
        match self.role {
            Role::Outside if flags & CLOSED != 0 => Err(WriteError::Closed),
            Role::Outside => Err(WriteError::Full),
            Role::Worker(reader) if flags & !CLOSED != 0 && !self.shared.gate().is_first(reader) => {
                Err(WriteError::Full)
            }
            Role::Worker(_) => Ok(()),
        }
    }

    #[inline(always)]
    fn claim(&self, size: usize) -> Result<u64, WriteError> {
        let max = self.shared.ring.max_payload();
        if size > max {
            return Err(WriteError::TooLarge { size, max });
        }
        // Relaxed: the flags order turns, not data.
        let flags = self.shared.control().flags().load(Ordering::Relaxed);
        if flags != 0 {
            self.admit(flags)?;
        }
        self.claim.claim(&self.shared.ring, slot_len(size), self.role).ok_or_else(|| {
            self.shared.control().writer(self.index).full().fetch_add(1, Ordering::Relaxed);
            WriteError::Full
        })
    }

    /// Counts a committed message.
    #[inline(always)]
    fn count_message(&self, size: usize) {
        let entry = self.shared.control().writer(self.index);
        if self.index == SHARED_ENTRY {
            entry.messages().fetch_add(1, Ordering::Relaxed);
            entry.bytes().fetch_add(size as u64, Ordering::Relaxed);
            return;
        }
        // Nobody else writes to this entry, so the counts need no locked instruction, nor to be read back.
        let (messages, bytes) = (self.messages.get() + 1, self.bytes.get() + size as u64);
        self.messages.set(messages);
        self.bytes.set(bytes);
        entry.messages().store(messages, Ordering::Relaxed);
        entry.bytes().store(bytes, Ordering::Relaxed);
    }

    fn has_room_now(&self, size: usize) -> bool {
        let flags = self.shared.control().flags().load(Ordering::Relaxed);
        match if flags == 0 { Ok(()) } else { self.admit(flags) } {
            Ok(()) => self.claim.has_room(&self.shared.ring, slot_len(size), self.role),
            Err(error) => error != WriteError::Full,
        }
    }
}

/// Wakes readers when a slot is finished, in whatever way it was.
struct Notify<'a>(&'a Shared);

impl Drop for Notify<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.notify_message();
    }
}

impl<C: Claim, W: WaitStrategy> Publish for RingWriter<C, W> {
    // Always inlined: a payload whose size is known where it is sent is then copied without a call.
    #[inline(always)]
    fn try_put<P: Payload>(&self, source: u16, message: u16, payload: &mut P) -> Result<(), WriteError> {
        let shared = &*self.shared;
        if let Some(bytes) = payload.as_encoded() {
            let position = self.claim(bytes.len())?;
            shared.ring.publish_bytes(position, source, message, bytes);
            shared.notify_message();
            self.count_message(bytes.len());
            return Ok(());
        }
        let size = payload.size();
        let position = self.claim(size)?;
        let _notify = Notify(shared);
        let counted = CountSealed(self);
        let unfence = |position| shared.gate().unfence(position);
        let filled = shared.ring.publish_fill(position, source, message, size, payload, unfence);
        match filled {
            Filled::Committed => {
                std::mem::forget(counted);
                self.count_message(size);
                Ok(())
            }
            Filled::Sealed(error) => Err(WriteError::Encode(error)),
            Filled::Fenced => Err(WriteError::Fenced),
        }
    }

    fn wait_for_room(&self, size: usize) {
        let shared = &*self.shared;
        let mut strategy = W::default();
        strategy.begin(0);
        while !self.has_room_now(size) {
            if strategy.idle() == Idle::Park {
                let limit = shared.unannounced_room(Interest::Room);
                shared.waiters.park(&shared.sleepers(Interest::Room), limit, || self.has_room_now(size));
                return;
            }
        }
    }
}

/// Counts a slot as sealed unless forgotten.
struct CountSealed<'a, C: Claim, W: WaitStrategy>(&'a RingWriter<C, W>);

impl<C: Claim, W: WaitStrategy> Drop for CountSealed<'_, C, W> {
    fn drop(&mut self) {
        let writer = self.0;
        writer.shared.control().writer(writer.index).sealed().fetch_add(1, Ordering::Relaxed);
    }
}

impl<C: Claim, W: WaitStrategy> BusWriter for RingWriter<C, W> {
    fn take_ticket(&self) {
        if let Role::Worker(reader) = self.role {
            self.shared.gate().take_ticket(reader);
        }
    }

    fn give_up_ticket(&self) {
        if let Role::Worker(reader) = self.role
            && self.shared.gate().give_up_ticket(reader)
        {
            self.shared.notify_room();
        }
    }

    fn is_slowest(&self) -> bool {
        match self.role {
            Role::Worker(reader) => self.shared.gate().is_slowest(reader),
            Role::Outside => true,
        }
    }

    fn has_room(&self, size: usize) -> bool {
        self.has_room_now(size)
    }

    fn record_outbox(&self, bytes: usize) {
        if let Role::Worker(reader) = self.role {
            let mark = self.shared.control().reader(reader).outbox_high_water();
            if mark.load(Ordering::Relaxed) < bytes as u64 {
                mark.store(bytes as u64, Ordering::Relaxed);
            }
        }
    }
}

impl<W: WaitStrategy> Clone for RingWriter<ManyWriters, W> {
    /// A second writer with the same role, for another thread.
    fn clone(&self) -> Self {
        match RingWriter::new(&self.shared, self.role) {
            Ok(writer) => writer,
            Err(WriterError::Taken) => unreachable!("many writers are never refused"),
        }
    }
}

impl<C: Claim, W: WaitStrategy> Drop for RingWriter<C, W> {
    fn drop(&mut self) {
        self.give_up_ticket();
        let control = self.shared.control();
        if let Role::Worker(_) = self.role {
            control.workers().fetch_sub(1, Ordering::Relaxed);
        }
        if self.index != SHARED_ENTRY {
            control.writer(self.index).state().store(0, Ordering::Release);
        }
        if !C::MANY {
            control.one_writer().store(0, Ordering::Release);
        }
    }
}
