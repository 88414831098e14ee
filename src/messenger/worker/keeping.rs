//! The snapshots of a worker's handlers: when they are taken, and what the worker begins with.

use super::writer::WorkerWriter;
use crate::blame::caught;
use crate::messenger::outcome::{Cause, StartError};
use crate::routing::{Roster, Visit};
use crate::traits::{Begin, Every, Handler, MessageBus, Reader, Report, State, Time, Writer};

/// What a worker knows whose handlers are kept.
pub(super) struct Keeping {
    pub(super) begin: Begin,
    /// Messages since the last snapshot.
    handled: u64,
    /// When the next one is due, if by time.
    due: Option<Time>,
}

/// Why a handler cannot be kept.
#[derive(Clone, Copy)]
enum Unkept {
    /// It has something to lose, and no snapshot.
    NoSnapshot,
    InPoller,
}

struct Check<'a>(&'a mut dyn FnMut(Unkept));

impl Visit for Check<'_> {
    fn handler<H: Handler>(&mut self, handler: &mut H) {
        if handler.poller().is_some() {
            (self.0)(Unkept::InPoller);
        } else if size_of::<H>() != 0 && handler.snapshot().is_none() {
            (self.0)(Unkept::NoSnapshot);
        }
    }
}

/// How a state could not be loaded.
pub(super) enum Refusal {
    /// The handler of this name says why.
    Failed(&'static str, String),
    /// It panicked.
    Panicked(String),
}

impl Refusal {
    pub(super) fn why(&self) -> &str {
        match self {
            Refusal::Failed(_, why) | Refusal::Panicked(why) => why,
        }
    }

    /// Ends the worker with it. `None` if a handler has panicked, which ends it at once.
    pub(super) fn end<B: MessageBus>(self, writer: &WorkerWriter<B>) -> Option<()> {
        match self {
            Refusal::Failed(handler, why) => writer.end(Cause::Failed { handler, error: why.into() }),
            Refusal::Panicked(text) => {
                writer.at.blame(text);
                return None;
            }
        }
        Some(())
    }
}

struct Load<'a> {
    states: &'a [State],
    failed: &'a mut dyn FnMut(String),
}

impl Visit for Load<'_> {
    fn handler<H: Handler>(&mut self, handler: &mut H) {
        let id = H::ID.into();
        let Some(snapshot) = handler.snapshot() else { return };
        let loaded = match self.states.iter().find(|state| state.handler == id) {
            Some(state) => snapshot.load(state.version, &state.bytes).map_err(|error| {
                format!("its snapshot of version {}, {} bytes, is {error}", state.version, state.bytes.len())
            }),
            None => Err("its worker's snapshot has no state of it".to_owned()),
        };
        if let Err(error) = loaded {
            (self.failed)(error);
        }
    }
}

struct Save<'a>(&'a mut Result<Vec<State>, String>);

impl Visit for Save<'_> {
    fn handler<H: Handler>(&mut self, handler: &mut H) {
        let (Ok(states), Some(snapshot)) = (&mut self.0, handler.snapshot()) else { return };
        let mut bytes = Vec::new();
        match snapshot.save(&mut bytes) {
            Ok(()) => states.push(State { handler: H::ID.into(), version: snapshot.version(), bytes }),
            Err(error) => *self.0 = Err(error.to_string()),
        }
    }
}

/// Whether every handler can be kept; if one cannot, nobody starts.
pub(super) fn can_keep<B: MessageBus, C>(handlers: &mut impl Roster<C>, writer: &WorkerWriter<B>) -> bool {
    let (at, mut missing) = (&writer.at, None);
    let mut check = |why| missing = missing.or(Some((at.handler(), why)));
    handlers.visit(&mut Check(&mut check), at);
    let Some((handler, why)) = missing else { return true };
    let worker = writer.name;
    writer.lifecycle.refuse(match why {
        Unkept::NoSnapshot => StartError::NoSnapshot { worker, handler },
        Unkept::InPoller => StartError::SnapshotInPoller { worker, handler },
    });
    false
}

/// The states of the handlers as they are now.
pub(super) fn states_of<B: MessageBus, C>(
    handlers: &mut impl Roster<C>,
    writer: &WorkerWriter<B>,
) -> Result<Vec<State>, String> {
    let mut states = Ok(Vec::new());
    handlers.visit(&mut Save(&mut states), &writer.at);
    states
}

impl Keeping {
    pub(super) fn new(begin: Begin) -> Keeping {
        Keeping { begin, handled: 0, due: None }
    }

    /// The reader begins again: with these states, or with those of the last time.
    pub(super) fn begin_again(&mut self, begin: Option<Begin>) {
        self.begin.states = begin.and_then(|begin| begin.states).or(self.begin.states.take());
    }

    /// Brings the handlers to where the reader begins, and says so.
    ///
    /// # Errors
    ///
    /// What the first handler said that refused: those behind it may be loaded, or half loaded.
    pub(super) fn load<B: MessageBus, C>(
        &mut self,
        handlers: &mut impl Roster<C>,
        reader: &B::Reader,
        writer: &WorkerWriter<B>,
    ) -> Result<(), Refusal> {
        let states = self.begin.states.take();
        if let Some(states) = &states {
            let mut refused = None;
            let mut failed = |why| refused = refused.take().or(Some(Refusal::Failed(writer.at.handler(), why)));
            caught(|| handlers.visit(&mut Load { states, failed: &mut failed }, &writer.at))
                .map_err(Refusal::Panicked)?;
            refused.map_or(Ok(()), Err)?;
        }
        let snapshot = states.is_some().then(|| reader.position());
        // Who may be restarted begins with them again.
        self.begin.states = states.filter(|_| writer.letters.is_some());
        let skipped = std::mem::take(&mut self.begin.skipped);
        writer.report(Report::Rebuilding { worker: writer.name, snapshot, skipped });
        Ok(())
    }

    /// The worker has handled so many messages more: keeps its handlers if that is due.
    #[cold]
    pub(super) fn after<B: MessageBus, C>(
        &mut self,
        handled: usize,
        handlers: &mut impl Roster<C>,
        reader: &mut B::Reader,
        writer: &WorkerWriter<B>,
    ) {
        self.handled += handled as u64;
        let is_due = match self.begin.every {
            Every::Messages(count) => self.handled >= count,
            Every::Time(time) if self.handled != 0 => {
                let now = writer.clock();
                *self.due.get_or_insert(now + time) <= now
            }
            _ => false,
        };
        if is_due {
            self.keep(handlers, reader, writer);
        }
    }

    /// When to keep them at the latest, if by time.
    pub(super) fn due(&self) -> Option<Time> {
        self.due
    }

    /// Between two messages: keeps the handlers if something was handled since the last time, and nothing that they
    /// have sent is still on its way.
    pub(super) fn keep<B: MessageBus, C>(
        &mut self,
        handlers: &mut impl Roster<C>,
        reader: &mut B::Reader,
        writer: &WorkerWriter<B>,
    ) {
        if self.handled == 0 || writer.outbox.is_pending() || writer.failed.get() {
            return;
        }
        (self.handled, self.due) = (0, None);
        if let Err(error) = states_of(handlers, writer).and_then(|states| reader.keep(states)) {
            writer.report(Report::NotKept { worker: writer.name, error });
        }
    }
}
