//! The options of a journal: sizes, durability, retention, and where readers begin.

use super::error::JournalError;
use super::header::{Identity, MAX_PAYLOAD, PAGE};
use super::slots::record_len;
use crate::routing::Table;
use crate::sync::unix_nanos;
#[allow(unused_imports, reason = "named by the docs")]
use crate::traits::{Clock, CursorError, Every, MessageBus, Time};
use std::fmt;
use std::time::Duration;

/// The options of a [`PersistentBus`](crate::message_bus::PersistentBus).
///
/// ```
/// use rust_messenger::message_bus::{Durability, PersistentOptions, Start};
/// use std::time::Duration;
///
/// let options = PersistentOptions { durability: Durability::Interval(Duration::from_secs(1)), ..Default::default() }
///     .start_reader("Books", Start::Rebuild);
/// # let _ = options;
/// ```
///
/// The fields whose defaults may surprise come first.
#[derive(Clone)]
pub struct PersistentOptions {
    /// What an acknowledged message survives besides the death of the process. Default: [`Durability::None`], so that a
    /// power failure may lose about the last 30 seconds.
    pub durability: Durability,
    /// Where readers begin, unless `starts` names them. Evictable readers
    /// ([`subscribe_evictable`](MessageBus::subscribe_evictable)) begin with the next message instead of resuming or
    /// rebuilding. Default: [`Start::Latest`], so a worker sees nothing of what is there already.
    pub start: Start,
    /// Where the readers of these names begin. A worker's reader has the name of the worker. Default: none is named.
    pub starts: Vec<(&'static str, Start)>,
    /// The largest payload in bytes. Its slot takes at most an eighth of the capacity. The journal keeps the value with
    /// which it was made. Default: 1 MiB.
    pub max_payload: usize,
    /// How far the file may grow, in bytes. The bus reserves address space for it and nothing else. You may choose
    /// another capacity each time you open the journal. Default: 64 GiB, and 256 MiB on 32 bits.
    pub capacity: u64,
    /// What the journal may forget. Default: nothing, so the file grows for ever.
    pub retention: Retention,
    /// The workers that begin with [`Start::Rebuild`] and of which snapshots are kept, and when. Each handler of such a
    /// worker that has a state says how it is [saved](crate::traits::Handler::snapshot), and none waits in a poller.
    /// The last two stand beside the journal, in `JOURNAL.WORKER.snapshot1` and `2`; they are written in the
    /// background, after the journal was synced. They may be deleted while the history before them is there
    /// ([retention](Self::retention)). A journal in memory has none. Default: none.
    pub snapshots: Vec<(&'static str, Every)>,
    /// The routing table. The journal records its names, and what the bytes of its messages mean; opening refuses a
    /// table that gives a recorded id another meaning ([`JournalError::Table`], [`JournalError::Shape`]). What is not
    /// known of a message's bytes is not compared. Default: none, so nothing is compared, and tools show numbers.
    pub table: Option<&'static Table<'static>>,
    /// The messages and handlers of the table that had another name when the journal was written: the old name, and the
    /// new one. [`renamed`](Self::renamed) adds to them. Default: none.
    pub renamed: Vec<(&'static str, &'static str)>,
    /// Whether opening refuses a damaged journal ([`JournalError::Damaged`]) instead of reporting the damage. It then
    /// looks at all messages. Default: no.
    pub strict: bool,
    /// Whether opening looks at all messages, as `strict` does. Otherwise it begins where everything before was
    /// finished and synced when the journal was last written, at the end after a clean stop, and the bus looks at the
    /// rest when a reader begins there: [`Recovered::unchecked`](crate::message_bus::Recovered::unchecked). Default:
    /// no.
    pub verify: bool,
    /// Whether every slot has a checksum (CRC-32C). The journal keeps the value with which it was made. Without
    /// checksums recovery finds a damaged length, by the slots around it, and loses no other message; it does not find
    /// other damage. Default: yes.
    pub crc: bool,
    /// By how much the file grows at a time, and how far ahead of the writers, in bytes, at most: a new journal has
    /// space for 256 KiB and then grows by as much as it has held, up to this. Default: 16 MiB.
    pub step: u64,
    /// How many bytes the description of a routing table may take. The journal keeps the value with which it was made.
    /// Default: 32 KiB.
    pub table_capacity: usize,
    /// How long readers wait for a silent fill before one of them fences it. Default: one second.
    pub silent_after: Duration,
    /// Tells the time of messages. Give the messenger the same clock
    /// ([`Options::clock`](crate::messenger::Options::clock)). Default: the time since 1970, exact to about a
    /// millisecond while writers write hundreds of thousands of messages per second.
    pub clock: std::sync::Arc<dyn Clock>,
}

impl Default for PersistentOptions {
    fn default() -> Self {
        PersistentOptions {
            durability: Durability::None,
            start: Start::Latest,
            starts: Vec::new(),
            max_payload: 1 << 20,
            capacity: if usize::BITS > 34 { 1 << 36 } else { 1 << 28 },
            retention: Retention::default(),
            snapshots: Vec::new(),
            table: None,
            renamed: Vec::new(),
            strict: false,
            verify: false,
            crc: true,
            step: 16 << 20,
            table_capacity: 32 * 1024,
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
    /// Sets the routing table: `Messenger::table()`.
    pub fn table(self, table: &'static Table<'static>) -> Self {
        PersistentOptions { table: Some(table), ..self }
    }

    /// Says that the message or the handler `new` of the routing table was `old` when the journal was written: the type
    /// has another name, and nothing else of it has changed. Its id is the same.
    ///
    /// Opening then records the new name. Leave the call in the program for as long as there may be journals with the
    /// old name; it does nothing on one that has the new name already. Two old names may have become one new name, as
    /// long as no journal has both.
    ///
    /// Opening fails with [`JournalError::Renamed`] if the routing table does not have the new name, or still has the
    /// old one; if the journal has both; if one old name is given twice; and if there is no routing table.
    ///
    /// ```
    /// # use rust_messenger::message_bus::PersistentOptions;
    /// let options = PersistentOptions::default().renamed("Purchase", "Order").renamed("Shop", "Market");
    /// assert_eq!(options.renamed, [("Purchase", "Order"), ("Shop", "Market")]);
    /// ```
    pub fn renamed(mut self, old: &'static str, new: &'static str) -> Self {
        self.renamed.push((old, new));
        self
    }

    /// Sets where the reader of this name begins.
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

/// What an acknowledged message survives.
///
/// ```
/// use rust_messenger::message_bus::{Durability, PersistentOptions};
///
/// let options = PersistentOptions { durability: Durability::Always, ..PersistentOptions::default() };
/// # let _ = options;
/// ```
///
/// At every level it survives the death of the process: its bytes are the
/// system's once they are written.
///
/// A power failure can lose any of the pages that nothing had synced, in any order. If it took a page of a message,
/// recovery reports the message as damaged; without checksums
/// ([`PersistentOptions::crc`](crate::message_bus::PersistentOptions::crc)) readers may read zeros in it. What was
/// synced is whole in either case.
///
/// At every level, opening a journal syncs it, and so does closing it: dropping the last of its bus, readers and
/// writers. So recovery can tell what is missing from what never was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// The bus syncs nothing meanwhile: a power failure may lose what the system has not written yet, on Linux about
    /// the last 30 seconds.
    #[default]
    None,
    /// The bus syncs in the background, so often: a power failure loses at most what was written in this time and in
    /// the time of a sync.
    Interval(Duration),
    /// Every n-th write syncs before the bus acknowledges it: a power failure loses at most n messages, and those that
    /// other writers are writing meanwhile.
    EveryN(u64),
    /// Every write syncs before the bus acknowledges it: a power failure loses none.
    Always,
}

/// What a journal may forget: each rule allows more. By default there is none, and the journal forgets nothing.
///
/// Whatever the rules allow, the journal keeps what a named cursor, or a gating reader of this process, has not passed.
///
/// ```
/// use rust_messenger::message_bus::{PersistentOptions, Retention};
///
/// let retention = Retention { size: Some(1 << 30), consumed: true, ..Retention::default() };
/// let options = PersistentOptions { retention, ..PersistentOptions::default() };
/// # let _ = options;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Keep at most so many bytes. Default: `None`, any number.
    pub size: Option<u64>,
    /// Forget messages older than this. Default: `None`, they may have any age.
    pub age: Option<Duration>,
    /// Forget what every named cursor has passed. Without a named cursor this rule forgets nothing. Default: no.
    pub consumed: bool,
    /// Let the other rules forget even the history of workers that this opening starts with
    /// [`Start::Rebuild`](crate::message_bus::Start::Rebuild). This forgets nothing by itself. Default: no. Then those
    /// workers keep what two snapshots do not cover, because a rebuild needs it: once its beginning is gone, the next
    /// one fails with [`HistoryGone`](crate::traits::CursorError::HistoryGone).
    pub past_rebuilds: bool,
}

impl Retention {
    pub(crate) fn forgets(&self) -> bool {
        let Retention { size, age, consumed, past_rebuilds: _ } = *self;
        size.is_some() || age.is_some() || consumed
    }
}

/// Where a reader begins.
///
/// ```
/// use rust_messenger::message_bus::{PersistentOptions, Start};
///
/// // All begin with the oldest message, but the worker `Mail` goes on where it was.
/// let options = PersistentOptions { start: Start::Oldest, ..PersistentOptions::default() };
/// let options = options.start_reader("Mail", Start::Resume);
/// # let _ = options;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// With the next message.
    #[default]
    Latest,
    /// With the oldest retained message.
    Oldest,
    /// At this position. A slot must begin there.
    At(u64),
    /// At the cursor of the reader's name, which the journal keeps. A new name begins with the oldest message.
    ///
    /// At least once: the reader begins no later than with the first message that its predecessor had not handled,
    /// whatever ended the predecessor, its worker or the process. After a kill it reads about the last 4 KiB again.
    ///
    /// A worker has handled a message when all its handlers have returned from it. It has not when one of them
    /// panicked, called [`fail`](crate::traits::Writer::fail), or filled the outbox. It has when it could not decode
    /// the message. So a message at which a handler always fails comes again after each restart, until
    /// [`set_cursor`](crate::message_bus::PersistentBus::set_cursor) steps over it.
    Resume,
    /// With the oldest message, to rebuild the worker's handlers. The worker hands them their history at its recorded
    /// times. It does not write what they send, but compares it with what the journal holds. The first difference is
    /// [`WriteError::Diverged`](crate::traits::WriteError::Diverged), and ends the worker. Where the history ends, the
    /// worker goes on live. A message that a [letter](crate::traits::DeadLetter) calls dead for the worker is passed
    /// over.
    ///
    /// A worker of which [snapshots](PersistentOptions::snapshots) are kept begins at the newest that fits instead: its
    /// handlers are loaded, what they send in `on_start` is muted, and they handle the history from there on. If it
    /// cannot be loaded they are made anew, and begin with the older one, or else with the whole history. The messenger
    /// says which ([`Report::Rebuilding`](crate::traits::Report::Rebuilding)). A snapshot does not fit that is damaged,
    /// of another journal or newer than this one, or of other handlers.
    ///
    /// A rebuild needs the [`table`](PersistentOptions::table), and the whole history, or what a snapshot has not seen.
    /// Workers that begin so keep that from [retention](Retention), unless [`Retention::past_rebuilds`] is set: with
    /// two snapshots what is behind the older one, and all of it with fewer. Once what they need is gone, the
    /// subscription fails with [`HistoryGone`](CursorError::HistoryGone).
    ///
    /// The journal does not record `on_loop`, so a rebuild is exact for handlers that change in `handle` only. A route
    /// of [`Due`](crate::traits::Due) turns deadlines into messages. The messenger
    /// [reports](crate::traits::Report::SentInLoop) what handlers send in `on_loop`. A worker that rebuilds must always
    /// have begun so: one that once began elsewhere has not handled all of its history.
    Rebuild,
}

/// Where the readers of a bus begin.
pub(crate) struct Starts {
    start: Start,
    starts: Vec<(&'static str, Start)>,
    pub(crate) table: Option<&'static Table<'static>>,
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

    /// The workers that are rebuilt.
    pub(crate) fn rebuilt(&self) -> Vec<&'static str> {
        let workers = self.table.into_iter().flat_map(|table| table.workers);
        workers.map(|worker| worker.name).filter(|name| self.of(name) == Start::Rebuild).collect()
    }
}
