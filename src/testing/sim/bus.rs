//! [`Simulated`]: a bus that does what a seed decides.

use super::world::{NOBODY, Shared, Verdict, World};
use crate::sync::{Arc, MutexGuard, lock};
use crate::traits::{
    BusWriter, CursorError, EncodeError, Header, Import, ImportError, Interest, MessageBus, Next, NoWriter, Payload,
    Poller, Publish, ReadError, Reader, Recorded, RequeueError, Space, Stats, SubscribeError, Time, Unread, WriteError,
};
use std::fmt;
use std::panic::resume_unwind;
use std::time::Duration;

/// A bus, a reader or a writer in a [`Sim`](super::Sim): the real one, around which everything is noted, and what the
/// seed decides goes wrong. The tables of a simulation run on it.
///
/// One thread runs everything, so nothing may wait in it: that panics.
pub struct Simulated<T> {
    /// Until it is dropped.
    inner: Option<T>,
    world: Shared,
    node: u16,
    place: u16,
    /// What becomes of it when its node was killed.
    give_up: fn(T),
}

impl<T> Simulated<T> {
    pub(super) fn new(inner: T, world: Shared, node: u16) -> Simulated<T> {
        Simulated { inner: Some(inner), world, node, place: NOBODY, give_up: drop }
    }

    /// Another one beside it.
    fn beside<U>(&self, inner: U, place: u16, give_up: fn(U)) -> Simulated<U> {
        Simulated { inner: Some(inner), world: Arc::clone(&self.world), node: self.node, place, give_up }
    }

    #[track_caller]
    fn inner(&self) -> &T {
        self.inner.as_ref().unwrap_or_else(|| unreachable!("until it is dropped"))
    }

    #[track_caller]
    fn inner_mut(&mut self) -> &mut T {
        self.inner.as_mut().unwrap_or_else(|| unreachable!("until it is dropped"))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    fn is_dead(&self) -> bool {
        self.world().is_dead(self.node)
    }
}

impl<T> Drop for Simulated<T> {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take() else { return };
        self.world().left(self.place);
        if self.is_dead() {
            (self.give_up)(inner);
        }
    }
}

impl<T: Clone> Clone for Simulated<T> {
    fn clone(&self) -> Self {
        self.beside(self.inner().clone(), self.place, self.give_up)
    }
}

impl<T> fmt::Debug for Simulated<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulated").field("node", &self.node).finish_non_exhaustive()
    }
}

/// Nothing else would ever run again.
fn nobody_waits() -> ! {
    panic!("in a simulation one thread runs everything: step, and do not wait; try_read and try_put do not")
}

/// Of a node that was killed, nobody gets anything any more.
const DEAD: SubscribeError = SubscribeError::TooManyReaders { max: 0 };

impl<B: MessageBus> MessageBus for Simulated<B> {
    type Reader = Simulated<B::Reader>;
    type BusWriter = Simulated<B::BusWriter>;

    const MANY_WRITERS: bool = B::MANY_WRITERS;

    fn is_shared(&self) -> bool {
        self.inner().is_shared()
    }

    fn park(
        &self,
        _: Option<&std::sync::Arc<dyn Poller>>,
        _: Interest,
        _: Option<Duration>,
        _: &mut dyn FnMut() -> bool,
    ) -> bool {
        nobody_waits();
    }

    fn subscribe(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        if self.is_dead() {
            return Err(DEAD);
        }
        let reader = self.inner().subscribe(name)?;
        let place = self.world().place_of(self.node, name);
        self.world().began(place, reader.position());
        Ok(self.beside(reader, place, B::Reader::abandon))
    }

    fn subscribe_latest(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        if self.is_dead() {
            return Err(DEAD);
        }
        Ok(self.beside(self.inner().subscribe_latest(name)?, NOBODY, B::Reader::abandon))
    }

    fn subscribe_evictable(&self, name: &str) -> Result<Self::Reader, SubscribeError> {
        if self.is_dead() {
            return Err(DEAD);
        }
        Ok(self.beside(self.inner().subscribe_evictable(name)?, NOBODY, B::Reader::abandon))
    }

    fn subscribe_held(&self, name: &str, from: Option<u64>) -> Result<Self::Reader, SubscribeError> {
        if self.is_dead() {
            return Err(DEAD);
        }
        Ok(self.beside(self.inner().subscribe_held(name, from)?, NOBODY, B::Reader::abandon))
    }

    fn released(&self) -> u64 {
        self.inner().released()
    }

    fn writer(&self) -> Result<Self::BusWriter, NoWriter> {
        Ok(self.beside(self.inner().writer()?, NOBODY, drop))
    }

    fn worker_writer(&self, reader: &Self::Reader) -> Result<Self::BusWriter, NoWriter> {
        Ok(self.beside(self.inner().worker_writer(reader.inner())?, reader.place, drop))
    }

    fn importer(&self, node: &str, incarnation: u64) -> Result<Box<dyn Import>, ImportError> {
        if self.is_dead() {
            return Err(ImportError::Write(WriteError::Closed));
        }
        Ok(Box::new(Importer(self.beside(self.inner().importer(node, incarnation)?, NOBODY, drop))))
    }

    fn requeue(&self, position: u64) -> Result<(), RequeueError> {
        // Another handle, as one that is lent alone can be written with.
        self.clone().write_as_nobody(RequeueError::Write, |bus| bus.requeue(position))
    }

    /// For those of this node: the others go on.
    fn close(&self) {
        self.world().close(self.node);
    }

    fn drains(&self) {
        self.world().drain(self.node);
        self.inner().drains();
    }

    fn wake(&self) {
        self.inner().wake();
    }

    fn tail(&self) -> u64 {
        self.inner().tail()
    }

    fn max_payload(&self) -> usize {
        self.inner().max_payload()
    }

    fn stats(&self) -> Stats {
        self.inner().stats()
    }
}

impl<T> Simulated<T> {
    /// Has somebody write who is no worker, if he may now, and notes what that was.
    fn write_as_nobody<E>(
        &mut self,
        refused: fn(WriteError) -> E,
        write: impl FnOnce(&mut T) -> Result<(), E>,
    ) -> Result<(), E> {
        match self.world().judge(self.node, NOBODY) {
            Verdict::Go => {}
            Verdict::Closed => return Err(refused(WriteError::Closed)),
            Verdict::Kill => killed(),
            // What is encoded is a worker's.
            Verdict::Full | Verdict::Refuse | Verdict::Panic => return Err(refused(WriteError::Full)),
        }
        let result = write(self.inner_mut());
        if self.world().wrote(self.node, NOBODY, result.is_ok()) {
            killed();
        }
        result
    }
}

/// Writes what comes from elsewhere.
struct Importer(Simulated<Box<dyn Import>>);

impl Import for Importer {
    fn last(&self) -> Option<u64> {
        self.0.inner().last()
    }

    fn try_write(&mut self, position: u64, source: u16, message: u16, payload: &[u8]) -> Result<(), ImportError> {
        self.0.write_as_nobody(ImportError::Write, |importer| importer.try_write(position, source, message, payload))
    }

    fn wait_for_room_at_most(&self, _: usize, _: Duration) {
        nobody_waits();
    }
}

/// What nobody can decode, where a payload may stand.
#[repr(align(16))]
struct Spoilt([u8; 1]);

static SPOILT: Spoilt = Spoilt([0xFF]);

/// What is done with a message.
type Handle<'h> = dyn FnMut(&Header, &[u8]) -> Next + 'h;

impl<R: Reader> Simulated<R> {
    /// Hands a message on, notes it, and spoils it if the seed says so.
    fn noting(&self) -> impl Fn(&Header, &[u8], &mut Handle<'_>) -> Next + use<R> {
        let (world, place, replaying) = (Arc::clone(&self.world), self.place, self.is_replaying());
        move |header, payload, handle| {
            let (event, spoilt) = {
                let mut world = lock(&world);
                let event = world.trace.events.len();
                (event, world.hand_over(place, header, payload, replaying))
            };
            let next = if spoilt { handle(&Header { size: 1, ..*header }, &SPOILT.0) } else { handle(header, payload) };
            lock(&world).handled(place, event, next != Next::Keep);
            next
        }
    }
}

impl<R: Reader> Reader for Simulated<R> {
    fn try_read<T>(&mut self, deliver: impl FnOnce(&Header, &[u8]) -> T) -> Result<T, ReadError> {
        if self.is_dead() { Err(ReadError::Closed) } else { self.inner_mut().try_read(deliver) }
    }

    fn try_handle(&mut self, handle: impl FnOnce(&Header, &[u8]) -> bool) -> Result<bool, ReadError> {
        if self.is_dead() { Err(ReadError::Closed) } else { self.inner_mut().try_handle(handle) }
    }

    fn try_read_up_to(
        &mut self,
        most: usize,
        mut handle: impl FnMut(&Header, &[u8]) -> Next,
    ) -> Result<usize, ReadError> {
        if self.is_dead() {
            return Err(ReadError::Closed);
        }
        let noted = self.noting();
        self.inner_mut().try_read_up_to(most, |header, payload| noted(header, payload, &mut handle))
    }

    fn try_read_recorded(
        &mut self,
        most: usize,
        mut handle: impl FnMut(&Header, Option<Recorded>, &[u8]) -> Next,
    ) -> Result<usize, ReadError> {
        if self.is_dead() {
            return Err(ReadError::Closed);
        }
        let noted = self.noting();
        self.inner_mut().try_read_recorded(most, |header, recorded, payload| {
            noted(header, payload, &mut |header, payload| handle(header, recorded, payload))
        })
    }

    fn ready(&mut self) -> bool {
        self.inner_mut().ready()
    }

    fn wait_until(&mut self, _: Option<Duration>, _: Interest, _: impl FnMut(&mut Self) -> bool) {
        nobody_waits();
    }

    fn wait_in(
        &mut self,
        _: &std::sync::Arc<dyn Poller>,
        _: Option<Duration>,
        _: Interest,
        _: impl FnMut(&mut Self) -> bool,
    ) {
        nobody_waits();
    }

    fn unblock(&mut self) -> Option<Duration> {
        self.inner_mut().unblock()
    }

    fn position(&self) -> u64 {
        self.inner().position()
    }

    fn release(&mut self) {
        self.inner_mut().release();
    }

    fn release_to(&mut self, position: u64) -> Result<(), CursorError> {
        self.inner_mut().release_to(position)
    }

    fn rewind_to(&mut self, position: u64) -> Result<(), CursorError> {
        self.inner_mut().rewind_to(position)
    }

    fn is_replaying(&self) -> bool {
        self.inner().is_replaying()
    }

    fn rebuilds(&self) -> bool {
        self.inner().rebuilds()
    }

    fn begin(&mut self) -> Option<crate::traits::Begin> {
        self.inner_mut().begin()
    }

    fn begin_instead(&mut self, why: &str) -> Option<crate::traits::Begin> {
        self.inner_mut().begin_instead(why)
    }

    fn keep(&mut self, states: Vec<crate::traits::State>) -> Result<(), String> {
        self.inner_mut().keep(states)
    }

    fn supervise(
        &mut self,
        worker: &'static str,
        sources: Option<Vec<(u16, &'static str)>>,
    ) -> Result<bool, crate::traits::CursorError> {
        self.inner_mut().supervise(worker, sources)
    }

    fn begin_again(&mut self, in_hand: Option<(u64, bool)>) -> bool {
        self.inner_mut().begin_again(in_hand)
    }

    fn skip_dead(&mut self) -> Option<u64> {
        self.inner_mut().skip_dead()
    }

    fn skip(&mut self) -> Result<(), ReadError> {
        self.inner_mut().skip()
    }

    /// Nothing, of a node that was killed.
    fn unread(&mut self, end: u64, patience: Duration) -> Unread {
        if self.is_dead() { Unread::default() } else { self.inner_mut().unread(end, patience) }
    }
}

/// An encoder that does not.
struct Faulty {
    size: usize,
    panics: bool,
}

/// What an encoder's panic says that was none of yours.
pub(super) const INJECTED: &str = "an encoder panicked, as the simulation wanted";

impl Payload for Faulty {
    fn size(&self) -> usize {
        self.size
    }

    fn fill(&mut self, _: &mut Space<'_>) -> Result<(), EncodeError> {
        if self.panics {
            // No hook: nobody is to be told.
            resume_unwind(Box::new(INJECTED));
        }
        Err(EncodeError::Refused("the simulation wanted it".to_owned()))
    }
}

/// Ends whatever is being done, as no handler sees it.
fn killed() -> ! {
    resume_unwind(Box::new("killed"))
}

impl<W: Publish> Publish for Simulated<W> {
    fn try_put<P: Payload>(&self, source: u16, message: u16, payload: &mut P) -> Result<(), WriteError> {
        let verdict = self.world().judge(self.node, self.place);
        let panics = match verdict {
            Verdict::Go => {
                let result = self.inner().try_put(source, message, payload);
                if self.world().wrote(self.node, self.place, result.is_ok()) {
                    killed();
                }
                return result;
            }
            Verdict::Full => return Err(WriteError::Full),
            Verdict::Closed => return Err(WriteError::Closed),
            Verdict::Kill => killed(),
            Verdict::Refuse => false,
            Verdict::Panic => true,
        };
        let size = payload.as_encoded().map_or_else(|| payload.size(), <[u8]>::len);
        self.inner().try_put(source, message, &mut Faulty { size, panics })
    }

    fn wait_for_room(&self, _: usize) {
        nobody_waits();
    }

    fn wait_for_room_at_most(&self, _: usize, _: Duration) {
        nobody_waits();
    }
}

impl<W: BusWriter> BusWriter for Simulated<W> {
    fn take_ticket(&self) {
        if let Some((kept, step)) = self.world().kept(self.place) {
            kept.take_ticket(step);
        }
        self.inner().take_ticket();
    }

    fn give_up_ticket(&self) {
        if let Some((kept, _)) = self.world().kept(self.place) {
            kept.give_up_ticket();
        }
        self.inner().give_up_ticket();
    }

    fn is_slowest(&self) -> bool {
        let is_slowest = self.inner().is_slowest();
        if is_slowest && let Some((kept, step)) = self.world().kept(self.place) {
            kept.is_slowest(step);
        }
        is_slowest
    }

    fn has_room(&self, size: usize) -> bool {
        self.inner().has_room(size)
    }

    fn record_outbox(&self, bytes: usize) {
        if let Some((kept, step)) = self.world().kept(self.place) {
            kept.record(step);
        }
        self.inner().record_outbox(bytes);
    }

    fn written(&self) -> u64 {
        self.inner().written()
    }

    fn time(&self) -> Option<Time> {
        self.inner().time()
    }

    fn settle(&self) -> Result<(), WriteError> {
        self.inner().settle()
    }
}
