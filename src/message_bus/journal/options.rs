//! What can be chosen about a journal: sizes, what survives what, what may be forgotten, where readers begin.

use super::error::JournalError;
use super::header::{Identity, MAX_PAYLOAD, PAGE};
use super::slots::record_len;
use crate::routing::Table;
use crate::sync::unix_nanos;
#[allow(unused_imports, reason = "named by the docs")]
use crate::traits::{Clock, MessageBus, SubscribeError, Time};
use std::fmt;
use std::time::Duration;

/// What can be chosen about a journal.
#[derive(Clone)]
pub struct PersistentOptions {
    /// How far the file may grow, in bytes. Address space for it is reserved, nothing else. May be another one each
    /// time the journal is opened.
    pub capacity: u64,
    /// The largest payload in bytes; fixed when the journal is made. Its slot is at most an eighth of the capacity.
    pub max_payload: usize,
    /// Whether every slot has a checksum (CRC-32C); fixed when the journal is made. Without them a message whose length
    /// was damaged is found by those around it, and costs no other; what else is damaged in it is not found.
    pub crc: bool,
    /// What an acknowledged message survives.
    pub durability: Durability,
    /// Whether a damaged journal is refused rather than reported.
    pub strict: bool,
    /// By how much the file grows at a time, and how far ahead of the writers, in bytes.
    pub step: u64,
    /// How many bytes the description of a routing table may take; fixed when the journal is made.
    pub table_capacity: usize,
    /// What may be forgotten.
    pub retention: Retention,
    /// The routing table: its names are kept in the journal, and one that changes the meaning of what is in it is
    /// refused.
    pub table: Option<&'static Table>,
    /// Where readers begin, if `starts` says nothing else. Readers that may be moved on
    /// ([`subscribe_evictable`](MessageBus::subscribe_evictable)) begin with what comes next instead of resuming.
    pub start: Start,
    /// Where readers of these names begin. A worker's reader has the worker's name.
    pub starts: Vec<(&'static str, Start)>,
    /// How long readers wait for a fill that does not return before they go on without its message.
    pub silent_after: Duration,
    /// Tells the time of messages; the default one to about a millisecond while they come in by the hundred thousand
    /// per second. The messenger's [`Options::clock`](crate::messenger::Options::clock) should be the
    /// same.
    pub clock: std::sync::Arc<dyn Clock>,
}

impl Default for PersistentOptions {
    fn default() -> Self {
        PersistentOptions {
            capacity: if usize::BITS > 34 { 1 << 36 } else { 1 << 28 },
            max_payload: 1 << 20,
            crc: true,
            durability: Durability::None,
            strict: false,
            step: 16 << 20,
            table_capacity: 32 * 1024,
            retention: Retention::default(),
            table: None,
            start: Start::Latest,
            starts: Vec::new(),
            silent_after: Duration::from_secs(1),
            clock: std::sync::Arc::new(UnixClock),
        }
    }
}

impl fmt::Debug for PersistentOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersistentOptions")
            .field("capacity", &self.capacity)
            .field("durability", &self.durability)
            .field("start", &self.start)
            .field("starts", &self.starts)
            .finish_non_exhaustive()
    }
}

impl PersistentOptions {
    /// With the routing table `table`: `Messenger::table()`.
    pub fn table(self, table: &'static Table) -> Self {
        PersistentOptions { table: Some(table), ..self }
    }

    /// With readers of this name beginning at `start`.
    pub fn start_reader(mut self, reader: &'static str, start: Start) -> Self {
        self.starts.push((reader, start));
        self
    }

    /// What is fixed when a journal is made.
    pub(crate) fn check_made(&self) -> Result<(), JournalError> {
        between("a largest payload", self.max_payload as u64, 1, MAX_PAYLOAD)?;
        between("a table capacity", self.table_capacity as u64, 0, 1 << 30)
    }

    /// What may be another one each time a journal is opened.
    pub(crate) fn check(&self, identity: &Identity) -> Result<(), JournalError> {
        // Address space ends somewhere, and so do checked words.
        let max = if usize::BITS > 34 { 1 << 46 } else { 1 << 30 };
        let slots = (8 * record_len(identity.max_payload as usize, identity.crc)).next_multiple_of(PAGE);
        between("a capacity", self.capacity, identity.header_len() + slots, max)?;
        between("a step", self.step, 1, max)
    }
}

fn between(name: &'static str, asked: u64, min: u64, max: u64) -> Result<(), JournalError> {
    if (min..=max).contains(&asked) { Ok(()) } else { Err(JournalError::Size { name, asked, min, max }) }
}

/// The default clock of a journal, and the messenger's.
struct UnixClock;

impl Clock for UnixClock {
    fn now(&self) -> Time {
        Time::from_nanos(unix_nanos())
    }

    fn is_real(&self) -> bool {
        // A model must not depend on the time of day.
        !cfg!(rust_messenger_loom)
    }
}

/// What an acknowledged message survives. Whatever is chosen, it survives the death of the process: its bytes are the
/// system's from the moment they are written.
///
/// A power failure can lose any of the pages that were not synced, in any order. Without checksums
/// ([`PersistentOptions::crc`](crate::message_bus::PersistentOptions::crc)) a message of which one page was lost may
/// then be read with zeros in it; with them it is reported as damaged. What had been synced is whole in either case.
///
/// Opening a journal and closing it, which is dropping the last of its bus, readers and writers, sync what is there,
/// whatever is chosen: so what is missing later is known to have been there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Nothing is synced: a power failure may lose what the system has not written yet, on Linux about the last 30
    /// seconds.
    #[default]
    None,
    /// Synced in the background: a power failure loses at most what was written in this time and the time that a sync
    /// takes.
    Interval(Duration),
    /// Synced by every so-manieth writer before it is acknowledged: a power failure loses at most so many messages,
    /// not counting those of writers that are at it at the same time.
    EveryN(u64),
    /// Synced before each message is acknowledged: a power failure loses none.
    Always,
}

/// What may be forgotten. Whatever is chosen, nothing is that a named cursor or a reader of this process that holds
/// others back has still before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Keep no more than so many bytes.
    pub size: Option<u64>,
    /// Forget what is older than that.
    pub age: Option<Duration>,
    /// Forget what every named cursor has passed. Without any named cursor nothing is forgotten by this rule.
    pub consumed: bool,
    /// Forget also what workers that this opening starts with [`Start::Rebuild`](crate::message_bus::Start::Rebuild)
    /// would be handed again. By default (`false`) they keep all of it: a rebuild needs the whole history, and once its
    /// beginning is gone the next one is refused with [`HistoryGone`](crate::traits::SubscribeError::HistoryGone).
    /// Forgets nothing by itself.
    pub past_rebuilds: bool,
}

impl Retention {
    pub(crate) fn forgets(&self) -> bool {
        let Retention { size, age, consumed, past_rebuilds: _ } = *self;
        size.is_some() || age.is_some() || consumed
    }
}

/// Where a reader begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With what comes next.
    #[default]
    Latest,
    /// With the oldest message that is retained.
    Oldest,
    /// At this position, where a slot must begin.
    At(u64),
    /// Where the reader of this name had come to: its position is kept in the file. A name that is new begins with the
    /// oldest message.
    ///
    /// Whatever ended the last reader of this name, its worker, or the process, this one begins at the latest with the
    /// message at which that was: the first one from whose handling the worker's handlers had not all returned. A
    /// handling in which one of them panicked, called [`fail`](crate::traits::Writer::fail), or filled the outbox has
    /// not. What could not be decoded was handled. So a message at which a handler always fails is handed to it again
    /// after each restart, until [`set_cursor`](crate::message_bus::PersistentBus::set_cursor) steps over it. At least
    /// once: after a kill the last 4 KiB or so are read again.
    Resume,
    /// With the oldest message, to bring the worker's handlers to where they were: they are handed their history at the
    /// time of its messages, and what they send is compared with what they had sent rather than written. The first
    /// difference is [`WriteError::Diverged`](crate::traits::WriteError::Diverged), and ends the worker. Where the
    /// record of what they had sent ends, they go on.
    ///
    /// Needs the [`table`](PersistentOptions::table), and the whole history: workers that an opening starts so keep
    /// [retention](Retention) from all of it, unless [`Retention::past_rebuilds`] is set. Once its beginning is gone a
    /// rebuild is refused with [`HistoryGone`](SubscribeError::HistoryGone).
    ///
    /// What handlers do in `on_loop` is not in the journal, so a rebuild is exact for handlers that change in `handle`
    /// only; a deadline becomes a message to handle by a route of its [`Due`](crate::traits::Due). What is sent in
    /// `on_loop` all the same is [reported](crate::traits::Report::SentInLoop). For workers that always start so: a
    /// worker that had once started elsewhere has not handled all of its history.
    Rebuild,
}

/// Where the readers of a bus begin.
pub(crate) struct Starts {
    start: Start,
    starts: Vec<(&'static str, Start)>,
    pub(crate) table: Option<&'static Table>,
}

impl Starts {
    pub(crate) fn new(options: &PersistentOptions) -> Starts {
        Starts { start: options.start, starts: options.starts.clone(), table: options.table }
    }

    /// What is said about readers of this name.
    pub(crate) fn of(&self, name: &str) -> Start {
        let listed = self.starts.iter().rev().find(|(listed, _)| *listed == name);
        listed.map_or(self.start, |(_, start)| *start)
    }

    /// The first worker that is rebuilt.
    pub(crate) fn rebuilt(&self) -> Option<&'static str> {
        let workers = self.table.into_iter().flat_map(|table| table.workers);
        workers.map(|worker| worker.name).find(|name| self.of(name) == Start::Rebuild)
    }
}
