//! What comes from one node, as a state machine: [`Line`](crate::line::Line) gives it turns, and what the server says.

use super::InletStats;
use super::credit::Credit;
use super::settled::{Receipt, Settled};
use super::source::{Came, Source};
use super::takes::Takes;
use super::write::Importer;
use crate::connection::{Connection, lock};
use crate::consumer::{ACK_WAIT, pairs};
use crate::error::BridgeError;
use crate::line::{OUT, Phase};
use crate::options::BridgeOptions;
use crate::protocol::{Arrival, Arrivals, Catalog, Kind, MessageHead, NameError, Names};
use async_nats::Message;
use rust_messenger::traits::MessageBus;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long it waits before it asks again what was not answered, or tries again where the bus was full.
const PAUSE: Duration = Duration::from_millis(20);
/// How often it looks what the readers of a ring have let go, where nothing wakes it, and how long it lets acknowledgements
/// come together: one speaks for all before it.
const GLANCE: Duration = Duration::from_millis(2);
/// How many messages are taken in one turn.
const BATCH: usize = 256;
/// How often the server may deliver again what came early, before the consumer is made anew.
const PATIENCE: u32 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not connected.
    Away,
    /// Connected, and not knowing what is there.
    Looking,
    Reading,
    /// For a table that agrees with the sender's, and so for another process.
    Waiting,
}

pub(crate) struct In<B: MessageBus> {
    pub(super) bus: B,
    pub(super) names: Names,
    pub(super) catalog: Catalog,
    pub(super) options: BridgeOptions,
    pub(super) connection: Arc<Connection>,
    pub(super) source: Source,
    pub(super) state: State,
    /// `None` until it is known where it begins.
    pub(super) arrivals: Option<Arrivals>,
    /// What its consumer is to keep: which types are taken, and since when. `None`: nothing, for this is a ring.
    pub(super) takes: Option<Takes>,
    /// Whether the consumer was made anew and nothing is taken since.
    pub(super) is_fresh: bool,
    /// When something first came early since something was taken.
    early: Option<Instant>,
    pub(super) importer: Option<Importer>,
    queue: VecDeque<(Receipt, Message)>,
    /// Taken, and not written, for the bus was full then. Without a receipt if it comes again.
    held: Option<(Option<Receipt>, Message, Box<MessageHead>)>,
    /// Since when nothing can be written: the bus is full, or another table is waited for.
    stands_since: Option<Instant>,
    credit: Credit,
    settled: Settled,
    /// When it acknowledges next; `None`: it never has.
    acknowledge_at: Option<Instant>,
    pub(super) not_before: Instant,
    pub(super) stats: Arc<Mutex<InletStats>>,
}

impl<B: MessageBus> In<B> {
    /// One for each source.
    pub(crate) fn all(
        bus: &B,
        sources: impl IntoIterator<Item = (String, Catalog)>,
        options: &BridgeOptions,
        connection: &Arc<Connection>,
    ) -> Result<Vec<In<B>>, BridgeError> {
        let mut sources = sources.into_iter().enumerate().peekable();
        if sources.peek().is_some() {
            // A bus for one writer says so now, not when the first message is there: workers write beside it.
            let _one = bus.writer().map_err(BridgeError::Writer)?;
            bus.writer().map_err(BridgeError::Writer)?;
        }
        let make = |(number, (node, catalog)): (usize, (String, Catalog))| {
            let names = Names::new(options.names.system(), &node).map_err(|error| refused(&node, error))?;
            let inbox = connection.inbox(OUT + 1 + number)?;
            Ok(In {
                bus: bus.clone(),
                source: Source::new(connection, &names, &options.names, inbox),
                names,
                catalog,
                options: options.clone(),
                connection: connection.clone(),
                state: State::Away,
                arrivals: None,
                takes: None,
                is_fresh: false,
                early: None,
                importer: None,
                queue: VecDeque::new(),
                held: None,
                stands_since: None,
                credit: Credit::new(options.pull),
                settled: Settled::default(),
                acknowledge_at: None,
                not_before: Instant::now(),
                stats: Arc::new(Mutex::new(InletStats { node, ..InletStats::default() })),
            })
        };
        sources.map(make).collect()
    }

    pub(crate) fn stats(&self) -> &Arc<Mutex<InletStats>> {
        &self.stats
    }

    pub(crate) fn connected(&mut self, is_connected: bool) {
        self.forget();
        // From now on what is new comes before what comes again.
        self.is_fresh = false;
        if self.state != State::Waiting {
            self.state = if is_connected { State::Looking } else { State::Away };
        }
    }

    /// What was delivered and not acknowledged comes again, and gets other receipts.
    fn forget(&mut self) {
        self.credit.forget();
        self.settled.forget();
        self.queue.clear();
        if let Some((receipt, ..)) = &mut self.held {
            *receipt = None;
        }
    }

    pub(crate) fn hear(&mut self, message: Message) {
        match self.source.read(message) {
            Came::Message(receipt, message) => {
                self.credit.came();
                lock(&self.stats).lag = receipt.pending;
                if self.state != State::Waiting {
                    self.queue.push_back((receipt, message));
                }
            }
            Came::Ended(missing) => self.credit.ended(missing),
            Came::Changed => {
                self.credit.forget();
                if self.state == State::Reading {
                    self.pause();
                    self.state = State::Looking;
                }
            }
            Came::Nothing => {}
        }
    }

    /// Whose it is that stands still, and since when, if it does.
    pub(crate) fn standing(&self) -> Option<(&str, Instant)> {
        self.stands_since.map(|since| (self.names.node(), since))
    }

    pub(super) fn pause(&mut self) {
        self.not_before = Instant::now() + PAUSE;
    }

    /// Does what can be done now. Returns whether there may be more.
    pub(crate) fn step(&mut self, phase: Phase) -> Result<bool, BridgeError> {
        let mut goes_on = false;
        if Instant::now() >= self.not_before {
            goes_on = match (self.state, phase) {
                (State::Looking, _) => {
                    self.look()?;
                    true
                }
                (State::Reading, Phase::Running) => {
                    let goes_on = self.take_some()?;
                    self.ask();
                    goes_on
                }
                _ => false,
            };
        }
        if self.may_acknowledge(Instant::now()) {
            self.acknowledge();
        }
        let mut stats = lock(&self.stats);
        stats.is_running = self.state == State::Reading;
        stats.unacknowledged = self.settled.len();
        Ok(goes_on)
    }

    /// How long it may sleep at most.
    pub(crate) fn nap(&self, now: Instant) -> Option<Duration> {
        let pause = (self.not_before > now).then(|| self.not_before - now);
        let glance = (self.settled.len() > 0 || self.held.is_some()).then_some(GLANCE);
        pause.into_iter().chain(glance).min()
    }

    /// Whether it does nothing before readers here have let something go.
    pub(crate) fn waits_for_room(&self) -> bool {
        self.held.is_some() || self.has_much()
    }

    /// Whether readers here have let go what it waits for.
    pub(crate) fn can_go_on(&self) -> bool {
        self.may_acknowledge(Instant::now()) && self.settled.is_ready(self.released())
    }

    /// Whether it asks for nothing before something is acknowledged.
    fn has_much(&self) -> bool {
        self.settled.len() + self.queue.len() >= self.options.pull.messages
    }

    /// Whether it has let acknowledgements come together for long enough, or nothing comes before one of them is there.
    fn may_acknowledge(&self, now: Instant) -> bool {
        self.waits_for_room() || self.acknowledge_at.is_none_or(|at| at <= now)
    }

    /// What may be acknowledged: on a journal, what is written.
    fn released(&self) -> u64 {
        match self.options.kind {
            Kind::Journal => self.bus.tail(),
            Kind::Ring => self.bus.released(),
        }
    }

    /// Acknowledges what was let go.
    pub(crate) fn acknowledge(&mut self) {
        if self.settled.len() == 0 {
            return;
        }
        self.acknowledge_at = Some(Instant::now() + GLANCE);
        if let Some(receipt) = self.settled.take(self.released()) {
            // One that is lost has the message come again.
            let _ = self.connection.run_briefly(self.source.acknowledge(receipt));
        }
    }

    /// Asks for more, while what it has is little enough.
    fn ask(&mut self) {
        if self.state != State::Reading || self.held.is_some() || self.has_much() {
            return;
        }
        let Some(limits) = self.credit.ask(Instant::now()) else { return };
        let connection = self.connection.clone();
        if connection.run_briefly(self.source.ask(limits)) != Some(true) {
            self.credit.forget();
            self.pause();
            self.state = State::Looking;
        }
    }

    /// Takes what has come. Returns whether there is more.
    fn take_some(&mut self) -> Result<bool, BridgeError> {
        if let Some((receipt, message, head)) = self.held.take() {
            self.write(receipt, message, head)?;
        }
        for _ in 0..BATCH {
            if self.held.is_some() || self.state != State::Reading {
                return Ok(false);
            }
            let Some((receipt, message)) = self.queue.pop_front() else { break };
            self.take(receipt, message)?;
        }
        if self.held.is_none() && self.state != State::Waiting {
            self.stands_since = None;
        }
        if self.early.is_some_and(|since| since.elapsed() > PATIENCE * ACK_WAIT) {
            self.renew();
        }
        Ok(!self.queue.is_empty())
    }

    pub(super) fn take(&mut self, receipt: Receipt, message: Message) -> Result<(), BridgeError> {
        let Some(arrivals) = &mut self.arrivals else { return Ok(()) };
        let headers = message.headers.iter().flat_map(pairs);
        let arrival = arrivals.take(receipt.sequence, &message.subject, headers, &self.catalog);
        if matches!(arrival, Arrival::Write(_) | Arrival::NotForHere) {
            (self.is_fresh, self.early) = (false, None);
        }
        match arrival {
            Arrival::Early if self.is_fresh => return self.gap(receipt, message),
            Arrival::Early => {
                lock(&self.stats).early += 1;
                self.early.get_or_insert_with(Instant::now);
            }
            Arrival::Again => {
                lock(&self.stats).again += 1;
                self.settle(Some(receipt));
            }
            Arrival::Hello(_) | Arrival::NotForHere => self.settle(Some(receipt)),
            Arrival::Refused(refusal) => {
                let mut stats = lock(&self.stats);
                stats.refused += 1;
                stats.last_refusal = Some(refusal);
                drop(stats);
                self.settle(Some(receipt));
            }
            Arrival::Wait(mismatch) => {
                lock(&self.stats).waits_for = Some(mismatch);
                self.state = State::Waiting;
                self.stands_since = Some(Instant::now());
                self.queue.clear();
            }
            Arrival::Write(head) => self.write(Some(receipt), message, head)?,
        }
        Ok(())
    }

    /// Nothing more is to be done with it.
    pub(super) fn settle(&mut self, receipt: Option<Receipt>) {
        if let Some(receipt) = receipt {
            self.settled.push(self.bus.tail(), receipt);
        }
    }

    /// It stays, and all that follow it, until the bus has room.
    pub(super) fn hold(&mut self, receipt: Option<Receipt>, message: Message, head: Box<MessageHead>) {
        lock(&self.stats).full += 1;
        self.held = Some((receipt, message, head));
        self.stands_since.get_or_insert_with(Instant::now);
        self.not_before = Instant::now() + GLANCE;
    }

    /// What came early was not followed by what was due: has everything come once more.
    fn renew(&mut self) {
        let connection = self.connection.clone();
        self.is_fresh = connection.run(self.source.renew(0));
        self.early = None;
        self.forget();
        if !self.is_fresh {
            self.pause();
            self.state = State::Looking;
        }
    }
}

/// A node that cannot have a stream: nothing was ever connected to.
fn refused(node: &str, error: NameError) -> BridgeError {
    BridgeError::Name { node: node.to_owned(), error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bell::Bell;
    use crate::protocol::Limits;
    use rust_messenger::CircularBus;

    /// One that has no server, and whose bus has let go all that it takes.
    fn source() -> In<CircularBus> {
        let bell = Arc::new(Bell::new().unwrap());
        let mut options = BridgeOptions::journal("nats://127.0.0.1:1", Names::new("shop", "store").unwrap(), 8);
        options.pull = Limits { messages: 4, bytes: 1000 };
        let connection = Arc::new(Connection::begin(&options, &bell).unwrap());
        let bus = CircularBus::new(64 * 1024).unwrap();
        In::all(&bus, [("till".to_owned(), Catalog::default())], &options, &connection).unwrap().remove(0)
    }

    /// How many wait for an acknowledgement, when one more is done with and it had its turn.
    fn settled(source: &mut In<CircularBus>, sequence: u64) -> usize {
        source.settle(Some(Receipt { sequence, pending: 0, reply: async_nats::Subject::from("nobody") }));
        source.step(Phase::Running).unwrap();
        source.settled.len()
    }

    #[test]
    fn one_acknowledgement_speaks_for_all_that_was_done_with_in_a_while() {
        let (mut source, before) = (source(), Instant::now());
        assert_eq!(settled(&mut source, 1), 0, "the first one waits for nothing");
        assert!(source.acknowledge_at.is_some_and(|at| at >= before + GLANCE), "the next ones come together");
        source.acknowledge_at = Some(before + Duration::from_secs(1000));
        assert_eq!([2, 3, 4].map(|sequence| settled(&mut source, sequence)), [1, 2, 3]);
        // As many as it asks for: nothing more would come.
        assert_eq!(settled(&mut source, 5), 0);
        source.acknowledge_at = Some(before + Duration::from_secs(1000));
        assert_eq!(settled(&mut source, 6), 1);
        source.acknowledge_at = Some(before);
        assert_eq!(settled(&mut source, 7), 0);
    }
}
