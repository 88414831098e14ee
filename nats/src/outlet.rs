//! What a node sends to workers elsewhere, on its way into the node's stream.

use crate::bell::Bell;
use crate::protocol::{
    Catalog, Decision, Entry, Kind, Link, MAX_POSITION, MessageHead, Origin, Resume, ResumeError, Window,
};
use crate::server::{Answer, Input, Look, Outgoing, Server, hello};
use crate::settings::{OutletOptions, random};
use bytes::Bytes;
use rust_messenger::traits::{CursorError, Interest, MessageBus, Next, Poller, ReadError, Reader, SubscribeError};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What the headers of a message take at most.
const HEADERS: usize = 1024;
/// How many messages are read at a time.
const BATCH: usize = 64;
/// How long it waits before it asks again what was not answered.
const PAUSE: Duration = Duration::from_millis(20);
/// The name of its reader, and of the cursor on a journal.
const NAME: &str = "nats outlet";

/// Publishes what workers elsewhere receive into the stream of this node, each message once and in order, whoever is
/// killed.
///
/// A thread of its own, until [`stop`](Self::stop) or drop. It reads the bus with a held reader, so nothing is let go that
/// the server has not acknowledged, and what the stream ends with says where it goes on: [`protocol`](crate::protocol).
///
/// While the server is away or its stream is full, a ring fills up and says so to its writers; a journal goes on.
#[derive(Debug)]
pub struct Outlet {
    shared: Arc<Shared>,
    bell: Arc<Bell>,
    thread: Option<JoinHandle<Result<Left, OutletError>>>,
}

/// What an [`Outlet`] has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutletStats {
    /// Whether it is connected, and its stream takes messages.
    pub is_running: bool,
    /// How many messages were published, those that were refused included.
    pub published: u64,
    /// How many messages the server has acknowledged.
    pub acknowledged: u64,
    /// How many messages were left out because the server takes none so large.
    pub skipped: u64,
    /// How many publishes are on their way.
    pub on_the_way: usize,
    /// How many bytes they have.
    pub bytes_on_the_way: usize,
    /// How often it looked at the end of the stream.
    pub looks: u64,
    /// How often the stream was full.
    pub full: u64,
}

/// What an [`Outlet`] left behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Left {
    /// Messages that are published and not acknowledged. The stream may have them.
    pub on_the_way: usize,
    /// Bytes of the bus that were not read, up to where it ended at the stop.
    pub unread: u64,
}

#[derive(Debug, Default)]
struct Shared {
    stats: Mutex<OutletStats>,
    /// When it ends whatever is left.
    stop: Mutex<Option<Instant>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Outlet {
    /// Subscribes at once, and connects in the background. `catalog` is what workers elsewhere receive.
    ///
    /// # Errors
    ///
    /// [`OutletError::Exposed`], [`OutletError::Subscribe`], [`OutletError::Thread`] and [`OutletError::Connect`]. What
    /// comes later is what [`stop`](Self::stop) returns.
    pub fn start<B: MessageBus>(bus: &B, catalog: Catalog, options: OutletOptions) -> Result<Outlet, OutletError> {
        if options.exposed().is_some() {
            return Err(OutletError::Exposed);
        }
        let reader = bus.subscribe_held(NAME, None).map_err(OutletError::Subscribe)?;
        let shared = Arc::new(Shared::default());
        let thread = |error: std::io::Error| OutletError::Thread(error.kind());
        let bell = Arc::new(Bell::new().map_err(thread)?);
        let server = Server::connect(&options, &bell)?;
        let me = Origin { kind: options.kind, incarnation: options.incarnation, bridge: random() };
        let subjects = catalog.rows().iter().map(|row| {
            let subject = options.names.message(&row.handler, &row.message).to_string();
            ((row.source_id, row.message_id), subject.into())
        });
        let work = Work {
            subjects: subjects.collect(),
            begin: reader.position(),
            released: reader.position(),
            reader: Some(reader),
            bus: bus.clone(),
            resume: Resume::new(me, options.adopt),
            window: Window::new(options.window),
            state: State::Away,
            previous: None,
            last_acknowledged: None,
            generation: 0,
            unacknowledged: VecDeque::new(),
            kept: VecDeque::new(),
            end: None,
            me,
            catalog,
            options,
            server,
            bell: bell.clone(),
            shared: shared.clone(),
        };
        let thread = std::thread::Builder::new().name(NAME.to_owned()).spawn(move || work.run()).map_err(thread)?;
        Ok(Outlet { shared, bell, thread: Some(thread) })
    }

    /// What it has done so far.
    pub fn stats(&self) -> OutletStats {
        *lock(&self.shared.stats)
    }

    /// Whether it has ended by itself: [`stop`](Self::stop) says why.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Publishes what is on the bus now, awaits the acknowledgements, and ends, after `drain` whatever is left.
    ///
    /// # Errors
    ///
    /// [`OutletError`]: why it had ended before.
    pub fn stop(mut self, drain: Duration) -> Result<Left, OutletError> {
        self.end(drain)
    }

    fn end(&mut self, drain: Duration) -> Result<Left, OutletError> {
        let now = Instant::now();
        *lock(&self.shared.stop) = Some(now.checked_add(drain).unwrap_or(now));
        self.bell.notify();
        let Some(thread) = self.thread.take() else { return Ok(Left::default()) };
        thread.join().unwrap_or(Err(OutletError::Thread(std::io::ErrorKind::Other)))
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        // Whoever wants to know calls `stop`.
        let _ = self.end(Duration::ZERO);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not connected.
    Away,
    /// Connected, and not knowing where the stream ends.
    Looking,
    /// The hello is on its way, since then.
    Greeting(Instant),
    /// Publishing. The server last said something then.
    Running(Instant),
}

struct Work<B: MessageBus> {
    bus: B,
    /// `None` only while it is replaced.
    reader: Option<B::Reader>,
    catalog: Catalog,
    subjects: HashMap<(u16, u16), Arc<str>>,
    options: OutletOptions,
    me: Origin,
    server: Server,
    bell: Arc<Bell>,
    shared: Arc<Shared>,
    resume: Resume,
    window: Window,
    state: State,
    /// Where the reader began, and what it has released.
    begin: u64,
    released: u64,
    /// The position of the last message that was published.
    previous: Option<u64>,
    last_acknowledged: Option<u64>,
    /// Which look the answers on their way belong to.
    generation: u64,
    /// The positions of the messages on their way.
    unacknowledged: VecDeque<u64>,
    /// Of those that are acknowledged and not released.
    kept: VecDeque<u64>,
    /// The end of the bus when it was stopped.
    end: Option<(u64, Instant)>,
}

impl<B: MessageBus> Work<B> {
    fn run(mut self) -> Result<Left, OutletError> {
        loop {
            if let Some(left) = self.left() {
                return Ok(left);
            }
            while let Some(input) = self.server.next_input() {
                self.hear(input)?;
            }
            match self.state {
                State::Away => self.bell.wait(Some(Duration::from_millis(100))),
                State::Looking => self.look()?,
                State::Greeting(since) | State::Running(since) => {
                    let is_late = since.elapsed() > self.options.patience;
                    let waits = !self.window.is_empty() || matches!(self.state, State::Greeting(_));
                    if is_late && waits {
                        self.state = State::Looking;
                    } else if !matches!(self.state, State::Running(_)) || !self.publish()? {
                        self.sleep();
                    }
                }
            }
            let mut stats = lock(&self.shared.stats);
            stats.is_running = matches!(self.state, State::Running(_));
            (stats.on_the_way, stats.bytes_on_the_way) = (self.window.messages(), self.window.bytes());
        }
    }

    /// What is left, once it is to end.
    fn left(&mut self) -> Option<Left> {
        let deadline = (*lock(&self.shared.stop))?;
        let (end, deadline) = *self.end.get_or_insert_with(|| (self.bus.tail(), deadline));
        let position = self.reader.as_ref().map_or(end, Reader::position);
        // Positions wrap around the end of u64.
        let unread = u64::try_from(end.wrapping_sub(position) as i64).unwrap_or(0);
        let is_done = unread == 0 && self.window.is_empty() && matches!(self.state, State::Running(_));
        let is_over = is_done || Instant::now() >= deadline;
        is_over.then(|| Left { on_the_way: self.window.messages(), unread })
    }

    fn hear(&mut self, input: Input) -> Result<(), OutletError> {
        match input {
            Input::Connected => self.state = State::Looking,
            Input::Disconnected => self.state = State::Away,
            Input::Answer(generation, _) if generation != self.generation => {}
            Input::Answer(_, answer) => match (self.state, answer) {
                (State::Running(_), Answer::Stored(sequence)) => {
                    self.state = State::Running(Instant::now());
                    match self.window.acknowledged(sequence) {
                        Ok(Some(position)) => self.release(position)?,
                        Ok(None) => {}
                        Err(_) => self.state = State::Looking,
                    }
                }
                (State::Greeting(_) | State::Running(_), answer) => {
                    if answer == Answer::Full {
                        lock(&self.shared.stats).full += 1;
                    }
                    if matches!(answer, Answer::Full | Answer::Failed) {
                        self.pause();
                    }
                    // What came in during the pause may say more.
                    if self.state != State::Away {
                        self.state = State::Looking;
                    }
                }
                (State::Away | State::Looking, _) => {}
            },
        }
        Ok(())
    }

    fn pause(&self) {
        self.bell.run(async { tokio::time::sleep(PAUSE).await });
    }

    /// Asks what the stream ends with, and goes on there.
    fn look(&mut self) -> Result<(), OutletError> {
        lock(&self.shared.stats).looks += 1;
        self.generation += 1;
        let is_first = self.server.is_new();
        let bell = self.bell.clone();
        let last = match bell.run(self.server.look())? {
            Some(Look::Last(last)) => last,
            Some(Look::Gone) if is_first => {
                if !bell.run(self.server.make_stream()) {
                    self.pause();
                }
                return Ok(());
            }
            Some(Look::Gone) => return Err(OutletError::StreamGone),
            None => {
                self.pause();
                return Ok(());
            }
        };
        let most = self.bus.max_payload() + HEADERS;
        if most > self.server.max_payload() && !self.options.skip_larger {
            return Err(OutletError::TooLarge { bus: most, server: self.server.max_payload() });
        }
        match self.resume.decide(&last).map_err(OutletError::Resume)? {
            Decision::Hello { sequence, after, before } => {
                let link = self.window.hello(sequence);
                let entry = hello(self.me, after, before);
                let subject = self.options.names.hello().to_string().into();
                self.send(vec![Outgoing { subject, entry, link, payload: Bytes::new() }]);
                self.state = State::Greeting(Instant::now());
            }
            Decision::GoOn { sequence, after } => {
                self.window.begin(sequence);
                // What is in the stream is acknowledged, though the words of it were lost.
                if let Some(after) = after.filter(|after| Some(*after) > self.last_acknowledged) {
                    self.release(after)?;
                }
                self.unacknowledged.clear();
                self.go_on(after)?;
                self.state = State::Running(Instant::now());
            }
        }
        Ok(())
    }

    /// Has the reader read next what comes after `after`.
    fn go_on(&mut self, after: Option<u64>) -> Result<(), OutletError> {
        self.previous = after;
        let Some(reader) = self.reader.as_mut() else { return Ok(()) };
        let lost = OutletError::Lost { after };
        let back = match (self.options.kind, after) {
            // It reads on up to there.
            (_, Some(after)) if reader.position() <= after => return Ok(()),
            (Kind::Ring, None) if reader.position() == self.begin => return Ok(()),
            (Kind::Ring, Some(after)) if self.last_acknowledged == Some(after) && after < self.released => {
                self.released
            }
            (Kind::Ring, None) => self.begin,
            (_, Some(after)) => after,
            (Kind::Journal, None) => return self.subscribe_from(None),
        };
        self.kept.retain(|message| Some(*message) <= after);
        match (reader.rewind_to(back), self.options.kind) {
            (Ok(()), _) => Ok(()),
            (Err(_), Kind::Journal) => self.subscribe_from(after),
            (Err(_), Kind::Ring) => Err(lost),
        }
    }

    /// Of a journal: begins anew at `from`, or with its oldest message.
    fn subscribe_from(&mut self, from: Option<u64>) -> Result<(), OutletError> {
        self.reader = None; // Its cursor has one reader at a time.
        self.kept.clear();
        let oldest = |asked| match self.bus.subscribe_held(NAME, Some(asked)) {
            Err(SubscribeError::Journal(CursorError::NotRetained { oldest, .. })) if from.is_none() => {
                self.bus.subscribe_held(NAME, Some(oldest))
            }
            other => other,
        };
        let reader = oldest(from.unwrap_or(0)).map_err(|error| match error {
            SubscribeError::Journal(CursorError::NotRetained { .. }) => OutletError::Lost { after: from },
            other => OutletError::Subscribe(other),
        })?;
        self.released = reader.position();
        self.reader = Some(reader);
        Ok(())
    }

    /// Publishes what the window takes. Returns whether there may be more.
    fn publish(&mut self) -> Result<bool, OutletError> {
        let Some(reader) = self.reader.as_mut() else { return Ok(false) };
        let (catalog, subjects, me) = (&self.catalog, &self.subjects, self.me);
        let (window, previous, unacknowledged) = (&mut self.window, &mut self.previous, &mut self.unacknowledged);
        let (most, mut skipped, mut far) = (self.server.max_payload(), 0, None);
        let mut batch = Vec::new();
        let read = reader.try_read_up_to(BATCH, |header, payload| {
            // What the previous one took ends where this begins, or before.
            if Some(header.position) <= *previous {
                return Next::Go;
            }
            let ids = (header.source, header.message);
            let (Some(row), Some(subject)) = (catalog.by_ids(ids.0, ids.1), subjects.get(&ids)) else {
                return Next::Go;
            };
            let bytes = payload.len() + HEADERS;
            if bytes > most {
                skipped += 1;
                return Next::Go;
            }
            if header.position >= MAX_POSITION {
                far = Some(header.position);
                return Next::Keep;
            }
            if !window.has_room(bytes) {
                return Next::Keep;
            }
            let link: Link = window.send(header.position, bytes);
            let entry = Entry::Message(MessageHead {
                origin: me,
                position: header.position,
                previous: *previous,
                time: None,
                cause: None,
                source: header.source,
                message: header.message,
                layout: row.layout.clone(),
            });
            *previous = Some(header.position);
            unacknowledged.push_back(header.position);
            let payload = Bytes::copy_from_slice(payload);
            batch.push(Outgoing { subject: subject.clone(), entry, link, payload });
            Next::Go
        });
        lock(&self.shared.stats).skipped += skipped;
        if let Some(position) = far {
            return Err(OutletError::TooFar { position });
        }
        let is_idle = batch.is_empty();
        if !is_idle {
            self.send(batch);
        } else if self.window.is_empty() {
            self.let_go()?;
        }
        match read {
            Ok(read) => Ok(read > 0),
            // What is kept is all that it may hold: less has to do.
            Err(ReadError::WindowFull) if self.window.is_empty() => {
                self.kept.clear();
                self.let_go().map(|()| true)
            }
            Err(ReadError::Empty | ReadError::WindowFull | ReadError::Closed) => Ok(!is_idle),
            Err(_) => Err(OutletError::Lost { after: self.previous }),
        }
    }

    fn send(&mut self, batch: Vec<Outgoing>) {
        let (server, bridge, generation) = (&self.server, self.me.bridge, self.generation);
        let count = batch.len() as u64;
        let patience = self.options.patience;
        let all = async {
            for outgoing in batch {
                if !server.publish(outgoing, bridge, generation).await {
                    return false;
                }
            }
            tokio::task::yield_now().await;
            true
        };
        // A connection that stands still takes no more than the client's queue.
        let sent = self.bell.run(async { tokio::time::timeout(patience, all).await });
        lock(&self.shared.stats).published += count;
        if sent != Ok(true) {
            self.state = State::Looking;
        }
    }

    /// All up to the message at `position` is in the stream.
    fn release(&mut self, position: u64) -> Result<(), OutletError> {
        self.last_acknowledged = Some(position);
        while let Some(message) = pop_if(&mut self.unacknowledged, |message| message <= position) {
            lock(&self.shared.stats).acknowledged += 1;
            self.kept.push_back(message);
        }
        let mut release = None;
        // The last of them stays, so that a later start finds it where its cursor is.
        while let Some(message) = pop_if(&mut self.kept, |message| position - message >= self.options.kept) {
            release = Some(message);
        }
        release.map_or(Ok(()), |message| self.release_to(message))
    }

    /// Nothing is on its way: what was read since and nobody elsewhere receives is no reason to hold a ring.
    fn let_go(&mut self) -> Result<(), OutletError> {
        let position = self.reader.as_ref().map_or(self.released, Reader::position);
        let is_far = self.kept.back().is_none_or(|message| position - *message > self.options.kept);
        if self.options.kind == Kind::Journal || position == self.released || !is_far {
            return Ok(());
        }
        self.kept.clear();
        self.release_to(position)
    }

    fn release_to(&mut self, position: u64) -> Result<(), OutletError> {
        self.released = position;
        let reader = self.reader.as_mut();
        reader.map_or(Ok(()), |reader| reader.release_to(position)).map_err(OutletError::Release)
    }

    fn sleep(&mut self) {
        let poller: Arc<dyn Poller> = self.bell.clone();
        let (server, window) = (&self.server, &self.window);
        let is_running = matches!(self.state, State::Running(_));
        let Some(reader) = self.reader.as_mut() else { return };
        // What it may not publish is nothing to wake up for.
        let done =
            |reader: &mut B::Reader| server.has_input() || (is_running && window.has_room(HEADERS) && reader.ready());
        reader.wait_in(&poller, Some(Duration::from_millis(100)), Interest::Messages, done);
    }
}

fn pop_if(queue: &mut VecDeque<u64>, may: impl FnOnce(u64) -> bool) -> Option<u64> {
    if queue.front().is_some_and(|first| may(*first)) { queue.pop_front() } else { None }
}

/// Why an [`Outlet`] did not start, or ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum OutletError {
    /// A server that is not on this machine would be spoken to without TLS, and the options don't say `plain`.
    Exposed,
    /// The bus gave no held reader.
    Subscribe(SubscribeError),
    /// There is no thread, or no runtime for it; or it panicked.
    Thread(std::io::ErrorKind),
    /// What the options say cannot be connected with.
    Connect(async_nats::ConnectErrorKind),
    /// The stream of that name is set up otherwise.
    OtherStream {
        /// Its name.
        stream: String,
    },
    /// The stream was deleted.
    StreamGone,
    /// It cannot go on where the stream ends.
    Resume(ResumeError),
    /// The stream ends with what the bus has let go of: what came after it is lost.
    Lost {
        /// The position that the stream ends with; `None`: it has nothing of this bus.
        after: Option<u64>,
    },
    /// The bus allows larger messages than the server takes.
    TooLarge {
        /// The largest of the bus, with headers.
        bus: usize,
        /// The largest of the server.
        server: usize,
    },
    /// A position that no header can say.
    TooFar {
        /// It.
        position: u64,
    },
    /// The reader could not be moved on.
    Release(CursorError),
}

impl fmt::Display for OutletError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OutletError::Exposed => f.write_str("a server on another machine would be spoken to without TLS"),
            OutletError::Subscribe(error) => error.fmt(f),
            OutletError::Thread(kind) => write!(f, "the outlet's thread: {kind}"),
            OutletError::Connect(kind) => write!(f, "connecting: {kind}"),
            OutletError::OtherStream { stream } => write!(f, "the stream {stream} is set up otherwise"),
            OutletError::StreamGone => f.write_str("the stream was deleted"),
            OutletError::Resume(error) => error.fmt(f),
            OutletError::Lost { after: Some(after) } => {
                write!(f, "the stream ends with the position {after}, and the bus has let go of what comes after it")
            }
            OutletError::Lost { after: None } => {
                f.write_str("the stream has nothing of the bus, and the bus has let go of its beginning")
            }
            OutletError::TooLarge { bus, server } => {
                write!(f, "the bus allows messages of {bus} bytes with headers, and the server takes {server}")
            }
            OutletError::TooFar { position } => write!(f, "the position {position} is too large to travel"),
            OutletError::Release(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OutletError {}
