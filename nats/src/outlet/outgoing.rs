//! What goes out, as a state machine: [`Line`](crate::line::Line) gives it turns, and what the server says.

use super::stream::{Answer, Stream};
use super::{NAME, OutletStats};
use crate::connection::{Connection, lock};
use crate::error::BridgeError;
use crate::line::OUT;
use crate::options::{BridgeOptions, random};
use crate::protocol::{Catalog, Origin, Resume, Window};
use rust_messenger::traits::{MessageBus, Reader};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What the headers of a message take at most.
pub(super) const HEADERS: usize = 1024;
/// How long it waits before it asks again what was not answered.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// How long a message may wait where the server takes longer to acknowledge the one before it.
const A_LOOK: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not connected.
    Away,
    /// Connected, and not knowing where the stream ends.
    Looking,
    /// The hello is on its way, since then.
    Greeting(Instant),
    /// Publishing. The server last said something then.
    Running(Instant),
}

pub(crate) struct Out<B: MessageBus> {
    pub(super) bus: B,
    /// `None` only while it is replaced.
    pub(super) reader: Option<B::Reader>,
    pub(super) catalog: Catalog,
    pub(super) subjects: HashMap<(u16, u16), Arc<str>>,
    pub(super) options: BridgeOptions,
    pub(super) me: Origin,
    pub(super) connection: Arc<Connection>,
    pub(super) stream: Stream,
    pub(super) resume: Resume,
    pub(super) window: Window,
    /// How many bytes the next message takes, as far as it was seen.
    pub(super) next: usize,
    pub(super) state: State,
    /// It does nothing before.
    pub(super) not_before: Instant,
    /// When it looks what all receivers have; `None`: there is nothing new.
    pub(super) purge_at: Option<Instant>,
    /// Where the reader began, and what it has released.
    pub(super) begin: u64,
    pub(super) released: u64,
    /// The position of the last message that was published.
    pub(super) previous: Option<u64>,
    pub(super) last_acknowledged: Option<u64>,
    /// Which look the answers on their way belong to.
    pub(super) generation: u64,
    /// The positions of the messages on their way.
    pub(super) unacknowledged: VecDeque<u64>,
    /// Of those that are acknowledged and not released.
    pub(super) kept: VecDeque<u64>,
    pub(super) stats: Arc<Mutex<OutletStats>>,
}

impl<B: MessageBus> Out<B> {
    pub(crate) fn new(
        bus: &B,
        catalog: Catalog,
        options: &BridgeOptions,
        connection: &Arc<Connection>,
    ) -> Result<Out<B>, BridgeError> {
        let reader = bus.subscribe_held(NAME, None).map_err(BridgeError::Subscribe)?;
        let me = Origin { kind: options.kind, incarnation: options.incarnation, bridge: random() };
        let subjects = catalog.rows().iter().map(|row| {
            let subject = options.names.message(&row.handler, &row.message).to_string();
            ((row.source_id, row.message_id), subject.into())
        });
        Ok(Out {
            subjects: subjects.collect(),
            begin: reader.position(),
            released: reader.position(),
            reader: Some(reader),
            bus: bus.clone(),
            stream: Stream::new(options, connection, connection.inbox(OUT)?)?,
            resume: Resume::new(me, options.adopt),
            window: Window::new(options.window),
            next: HEADERS,
            state: State::Away,
            not_before: Instant::now(),
            purge_at: None,
            previous: None,
            last_acknowledged: None,
            generation: 0,
            unacknowledged: VecDeque::new(),
            kept: VecDeque::new(),
            stats: Arc::default(),
            me,
            catalog,
            options: options.clone(),
            connection: connection.clone(),
        })
    }

    pub(crate) fn stats(&self) -> &Arc<Mutex<OutletStats>> {
        &self.stats
    }

    pub(crate) fn connected(&mut self, is_connected: bool) {
        self.state = if is_connected { State::Looking } else { State::Away };
    }

    /// What the server answers to a publish.
    pub(crate) fn hear(&mut self, message: &async_nats::Message) -> Result<(), BridgeError> {
        let (generation, answer) = Answer::read(message);
        if generation != Some(self.generation) {
            return Ok(());
        }
        match (self.state, answer) {
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
                    lock(&self.stats).full += 1;
                    self.purge_soon(Duration::ZERO);
                }
                if matches!(answer, Answer::Full | Answer::Failed) {
                    self.pause();
                }
                self.state = State::Looking;
            }
            (State::Away | State::Looking, _) => {}
        }
        Ok(())
    }

    /// Since when nothing goes out that waits, if that is so.
    pub(crate) fn stands_since(&self) -> Option<Instant> {
        lock(&self.stats).stalled_since
    }

    pub(super) fn pause(&mut self) {
        self.not_before = Instant::now() + PAUSE;
    }

    /// Does what can be done now. Returns whether there may be more.
    pub(crate) fn step(&mut self) -> Result<bool, BridgeError> {
        if Instant::now() < self.not_before {
            self.tell();
            return Ok(false);
        }
        let goes_on = match self.state {
            State::Away => false,
            State::Looking => {
                self.look()?;
                true
            }
            State::Greeting(since) | State::Running(since) => {
                let is_running = matches!(self.state, State::Running(_));
                if since.elapsed() > self.options.patience && !(is_running && self.window.is_empty()) {
                    self.state = State::Looking;
                    true
                } else if is_running {
                    self.purge();
                    self.publish()?
                } else {
                    false
                }
            }
        };
        self.tell();
        Ok(goes_on)
    }

    /// Has the stats say how it is.
    pub(super) fn tell(&self) {
        let mut stats = lock(&self.stats);
        let read = self.reader.as_ref().map_or(self.released, Reader::position);
        let first = self.unacknowledged.front().copied().unwrap_or(read);
        stats.lag = self.bus.tail().wrapping_sub(first);
        stats.stalled_since = if stats.lag == 0 { None } else { stats.stalled_since.or_else(|| Some(Instant::now())) };
        stats.is_running = matches!(self.state, State::Running(_));
        (stats.on_the_way, stats.bytes_on_the_way) = (self.window.messages(), self.window.bytes());
    }

    /// How long it may sleep at most.
    pub(crate) fn nap(&self, now: Instant) -> Option<Duration> {
        let moments = [Some(self.not_before), self.purge_at].into_iter().flatten();
        moments.filter(|moment| *moment > now).min().map(|moment| moment - now)
    }

    /// How long it looks at the bus by itself, since acknowledgements that are on their way wake it: writers need not.
    pub(crate) fn awaits(&self) -> Option<Duration> {
        (matches!(self.state, State::Running(_)) && !self.window.is_empty()).then_some(A_LOOK)
    }

    /// What to sleep with, and whether what comes there can be published.
    pub(crate) fn sleeper(&mut self) -> Option<(&mut B::Reader, bool)> {
        let publishes = matches!(self.state, State::Running(_)) && self.window.has_room(self.next);
        let publishes = publishes && Instant::now() >= self.not_before;
        self.reader.as_mut().map(|reader| (reader, publishes))
    }
}
