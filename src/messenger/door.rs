//! A way in and a way out for async tasks, on any runtime.
//!
//! A task must not block, and a bus wakes only threads that do. So a door that a task waits at has a thread of its own,
//! started at the first wait, which blocks in the tasks' place: in the bus, like any writer or reader from outside. It
//! neither writes nor reads. It says that something may have changed, and the tasks try again; so a future that is
//! dropped takes nothing with it, and none depends on another one being polled.

use super::lifecycle::Lifecycle;
use super::outside::OutsideWriter;
use super::tap::Tap;
use crate::blame::caught;
use crate::sync::{Condvar, Mutex, lock, nap, spawn};
use crate::traits::{ExtendedMessage, Handler, Header, MessageBus, Publish, ReadError, Reader, WriteError};
use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// An [`OutsideWriter`] for async tasks. Feature `async`.
///
/// Any number of tasks may send with one, by reference or in an [`Arc`]. While the bus is full they wait, in no order
/// among each other, and a thread of the writer's own waits in their place. It starts at the first wait, and ends when
/// the writer is dropped. If the system has no thread for it, a task that waits is polled again and again.
///
/// ```
/// use rust_messenger::messenger::AsyncWriter;
/// use rust_messenger::prelude::*;
/// use rust_messenger::traits::WriteError;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Reading(u32);
/// serde_message!(Reading, 1);
///
/// struct Sensor; // It stands in no worker: it names who sends.
/// handler!(Sensor, 1);
///
/// #[derive(Default)]
/// struct Archive(u32);
/// handler!(Archive, 2, default);
///
/// impl Handle<Reading> for Archive {
///     fn handle<W: Writer>(&mut self, reading: &Reading, _: &W) {
///         self.0 += reading.0;
///     }
/// }
///
/// Messenger! {
///     (),
///     Storage:
///         handlers: [ archive: Archive ]
///         routes: [ Sensor, Reading: [ archive ] ]
/// }
///
/// let messenger = Messenger::new(CircularBus::new(1024)?);
/// let handles = messenger.run(&());
/// let writer = AsyncWriter::new(messenger.writer()?);
/// smol::block_on(async {
///     for number in 0..1000 {
///         writer.send::<Sensor, _>(&Reading(number)).await?;
///     }
///     messenger.stop();
///     assert_eq!(writer.send::<Sensor, _>(&Reading(0)).await, Err(WriteError::Closed));
///     Ok::<(), WriteError>(())
/// })?;
/// handles.join()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AsyncWriter<B: MessageBus> {
    writer: Mutex<OutsideWriter<B>>,
    lifecycle: Arc<Lifecycle<B>>,
    tasks: Arc<Tasks>,
}

impl<B: MessageBus> AsyncWriter<B> {
    /// Lets tasks send with `writer`.
    pub fn new(writer: OutsideWriter<B>) -> AsyncWriter<B> {
        let lifecycle = Arc::clone(&writer.lifecycle);
        AsyncWriter { writer: Mutex::new(writer), lifecycle, tasks: Arc::new(Tasks::new()) }
    }

    /// Sends `message` in the name of `Source`, and waits for room.
    ///
    /// The poll that is ready with `Ok` has sent the message, and no other has: a future that is dropped before has
    /// sent nothing. On a journal whose writers wait for the disk, that poll does.
    ///
    /// # Errors
    ///
    /// [`WriteError`]: the message is not sent. [`WriteError::Closed`] after a stop, also to whoever waits; never
    /// [`WriteError::Full`].
    pub async fn send<Source: Handler, M: ExtendedMessage>(&self, message: &M) -> Result<(), WriteError> {
        let mut turn = Turn::new(&self.tasks);
        poll_fn(|context| {
            turn.look();
            match lock(&self.writer).send_timeout::<Source, M>(message, Duration::ZERO) {
                Err(WriteError::Full) => turn.wait(message.get_size(), context, || self.room()),
                done => Poll::Ready(done),
            }
        })
        .await
    }

    /// What the thread does to wait for room.
    fn room(&self) -> impl FnMut(usize) + Send + use<B> {
        let lifecycle = Arc::clone(&self.lifecycle);
        // Of its own: the tasks go on with theirs. Where there can be but one, it can only look again.
        let mut writer = None;
        move |size| {
            let many = || B::MANY_WRITERS.then(|| lifecycle.bus.writer().ok()).flatten();
            match writer.get_or_insert_with(many) {
                Some(writer) => writer.wait_for_room_at_most(size, A_MOMENT),
                None => nap(A_LOOK),
            }
        }
    }
}

impl<B: MessageBus> Drop for AsyncWriter<B> {
    fn drop(&mut self) {
        self.tasks.end();
    }
}

impl<B: MessageBus> fmt::Debug for AsyncWriter<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncWriter").finish_non_exhaustive()
    }
}

/// A [`Tap`] for async tasks. Feature `async`.
///
/// Any number of tasks may receive from one, by reference or in an [`Arc`]: each message goes to one of them. While
/// there is none, a thread of the tap's own waits in their place. It starts at the first wait, and ends when the tap is
/// dropped. If the system has no thread for it, a task that waits is polled again and again.
///
/// ```
/// use rust_messenger::messenger::AsyncTap;
/// use rust_messenger::prelude::*;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Tick(u32);
/// serde_message!(Tick, 1);
///
/// #[derive(Default)]
/// struct Clockwork;
/// handler!(Clockwork, 7, default);
///
/// impl Handle<Tick> for Clockwork {
///     fn handle<W: Writer>(&mut self, tick: &Tick, writer: &W) {
///         match tick.0 {
///             3 => writer.stop(),
///             number => Self::send(&Tick(number + 1), writer),
///         }
///     }
/// }
///
/// Messenger! {
///     (),
///     Tower:
///         handlers: [ clockwork: Clockwork ]
///         routes: [ Clockwork, Tick: [ clockwork ] ]
/// }
///
/// let messenger = Messenger::new(CircularBus::new(64 * 1024)?);
/// let tap = AsyncTap::new(messenger.tap()?);
/// let handles = messenger.run(&());
/// Clockwork::send(&Tick(1), &messenger.writer()?);
/// let ticks = smol::block_on(async {
///     let mut ticks = 0;
///     while let Some(seen) = tap.recv().await {
///         let (header, _bytes) = seen?; // `Lagged` if it was too slow: the next one goes on from there.
///         ticks += u32::from(header.source == 7);
///     }
///     Ok::<_, rust_messenger::traits::ReadError>(ticks)
/// })?;
/// assert_eq!(ticks, 3);
/// handles.join()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AsyncTap<B: MessageBus> {
    /// `None` while the thread waits with it: then there is nothing to read.
    tap: Arc<Mutex<Option<Tap<B>>>>,
    lifecycle: Arc<Lifecycle<B>>,
    tasks: Arc<Tasks>,
}

impl<B: MessageBus> AsyncTap<B> {
    /// Lets tasks receive from `tap`.
    pub fn new(tap: Tap<B>) -> AsyncTap<B> {
        let lifecycle = Arc::clone(&tap.lifecycle);
        AsyncTap { tap: Arc::new(Mutex::new(Some(tap))), lifecycle, tasks: Arc::new(Tasks::new()) }
    }

    /// Waits for the next message and returns a copy, as the iterator [`Tap`] does: `Ok((header, payload))`, or
    /// `Err(`[`ReadError::Lagged`]`)` where the bus moved the tap on. `None` when the messenger has stopped, its
    /// workers have ended, and everything was read; from then on always.
    ///
    /// The poll that is ready takes the message, and no other does: a future that is dropped before loses nothing, the
    /// next one receives it.
    pub async fn recv(&self) -> Option<Result<(Header, Vec<u8>), ReadError>> {
        let mut turn = Turn::new(&self.tasks);
        poll_fn(|context| {
            turn.look();
            let copy = |header: &Header, payload: &[u8]| (*header, payload.to_vec());
            let seen = lock(&self.tap).as_mut().map_or(Err(ReadError::Empty), |tap| tap.try_read(copy));
            match seen {
                Err(ReadError::Empty) => turn.wait(0, context, || self.message()),
                Err(ReadError::Closed) => Poll::Ready(None),
                seen => Poll::Ready(Some(seen)),
            }
        })
        .await
    }

    /// What the thread does to wait for a message.
    fn message(&self) -> impl FnMut(usize) + Send + use<B> {
        let tap = Arc::clone(&self.tap);
        move |_| {
            let Some(mut taken) = lock(&tap).take() else { return };
            // Caught: whatever the wait strategy does, the tap comes back.
            let waited = caught(|| taken.reader.wait(None));
            *lock(&tap) = Some(taken);
            if waited.is_err() {
                nap(A_LOOK);
            }
        }
    }
}

impl<B: MessageBus> Drop for AsyncTap<B> {
    fn drop(&mut self) {
        self.tasks.end();
        // The thread waits for a message. Caught: it ends the waits of others, too, and their pollers are the user's.
        let _ = caught(|| self.lifecycle.bus.wake());
    }
}

impl<B: MessageBus> fmt::Debug for AsyncTap<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncTap").finish_non_exhaustive()
    }
}

/// A wait for room is no longer than this: whoever came meanwhile may want less of it, and the door may be gone.
const A_MOMENT: Duration = Duration::from_millis(10);

/// Between two looks where nobody would wake the thread.
const A_LOOK: Duration = Duration::from_millis(1);

/// The tasks that wait at one door, and what its thread sleeps on while there are none.
struct Tasks {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// By the number of their wait: how much room they want, and what wakes them.
    waiting: BTreeMap<u64, (usize, Waker)>,
    waits: u64,
    /// How often those that waited were woken.
    rounds: u64,
    has_thread: bool,
    is_gone: bool,
}

impl Tasks {
    fn new() -> Tasks {
        let state = State { waiting: BTreeMap::new(), waits: 0, rounds: 0, has_thread: false, is_gone: false };
        Tasks { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Waits until a task waits. Returns how much room one of them wants at least; `None` when the door is gone.
    fn next(&self) -> Option<usize> {
        let mut state = lock(&self.state);
        while !state.is_gone {
            if let Some(least) = state.waiting.values().map(|(size, _)| *size).min() {
                return Some(least);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    /// Wakes all of them: whoever finds nothing waits again. One that was chosen might never be polled.
    fn wake(&self) {
        let waiting = {
            let mut state = lock(&self.state);
            state.rounds += 1;
            std::mem::take(&mut state.waiting)
        };
        for (_, waker) in waiting.into_values() {
            // Without the lock, and caught: it is the runtime's.
            let _ = caught(|| waker.wake());
        }
    }

    /// The body of the thread: `wait` returns when something may have changed.
    fn run(&self, mut wait: impl FnMut(usize)) {
        while let Some(least) = self.next() {
            if caught(|| wait(least)).is_err() {
                nap(A_LOOK);
            }
            self.wake();
        }
    }

    fn end(&self) {
        lock(&self.state).is_gone = true;
        self.changed.notify_all();
    }
}

/// One wait of one future.
struct Turn<'a> {
    tasks: &'a Arc<Tasks>,
    id: Option<u64>,
    /// The round in which it looked.
    round: u64,
}

impl<'a> Turn<'a> {
    fn new(tasks: &'a Arc<Tasks>) -> Turn<'a> {
        Turn { tasks, id: None, round: 0 }
    }
}

impl Turn<'_> {
    /// To be called before the task looks for what it waits for.
    fn look(&mut self) {
        self.round = lock(&self.tasks.state).rounds;
    }

    /// Waits for the door's thread, which begins with what `body` returns.
    fn wait<T, F: FnMut(usize) + Send + 'static>(
        &mut self,
        size: usize,
        context: &Context<'_>,
        body: impl FnOnce() -> F,
    ) -> Poll<T> {
        // Wakers are the runtime's: cloned before the lock and dropped behind it.
        let waker = context.waker().clone();
        let mut state = lock(&self.tasks.state);
        if state.rounds != self.round {
            // What it looked for may have come since, and all were told then that waited: it is to look again.
            drop(state);
            waker.wake();
            return Poll::Pending;
        }
        let id = *self.id.get_or_insert(state.waits);
        state.waits += u64::from(id == state.waits);
        let earlier = state.waiting.insert(id, (size, waker));
        let has_thread = std::mem::replace(&mut state.has_thread, true);
        drop(state);
        drop(earlier);
        if has_thread {
            self.tasks.changed.notify_one();
            return Poll::Pending;
        }
        let (tasks, wait) = (Arc::clone(self.tasks), body());
        if spawn("async door", move || tasks.run(wait)).is_err() {
            lock(&self.tasks.state).has_thread = false;
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let left = lock(&self.tasks.state).waiting.remove(&id);
            drop(left);
        }
    }
}

#[cfg(all(test, not(rust_messenger_loom)))]
mod tests {
    use super::*;
    use std::task::Wake;

    #[derive(Default)]
    struct Woken(Mutex<u64>);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            *lock(&self.0) += 1;
        }
    }

    /// A task that looked in vain, and then all that waited were woken, looks again before it waits: the change was
    /// told of, and nobody tells of it twice.
    #[test]
    fn who_looked_before_the_others_were_woken_looks_again() {
        let (tasks, woken) = (Arc::new(Tasks::new()), Arc::new(Woken::default()));
        // Nothing is to be started here.
        lock(&tasks.state).has_thread = true;
        let (waker, mut turn) = (Waker::from(Arc::clone(&woken)), Turn::new(&tasks));
        let wait = |turn: &mut Turn<'_>| {
            let polled: Poll<()> = turn.wait(0, &Context::from_waker(&waker), || |_| ());
            assert!(polled.is_pending());
            (*lock(&woken.0), lock(&tasks.state).waiting.len())
        };
        turn.look();
        tasks.wake();
        assert_eq!(wait(&mut turn), (1, 0));
        turn.look();
        assert_eq!(wait(&mut turn), (1, 1), "now it waits");
        tasks.wake();
        assert_eq!((*lock(&woken.0), lock(&tasks.state).waiting.len()), (2, 0));
    }
}
