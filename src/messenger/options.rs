//! The options of a messenger.

use crate::sync::unix_nanos;
use crate::traits::{Clock, Report, Time};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A callback. Private: its users write a closure, and the documentation shows what it is.
type OnReport = Arc<dyn Fn(&Report) + Send + Sync>;

/// The options of a messenger.
///
/// ```
/// use rust_messenger::Options;
/// use std::sync::Arc;
///
/// let options = Options { on_report: Some(Arc::new(|report| eprintln!("{report}"))), ..Options::default() };
/// ```
#[derive(Clone)]
pub struct Options {
    /// How long a stop may drain. After that workers end and leave messages unhandled. Default: 5 s.
    pub drain: Duration,
    /// What ends when a handler, or other code of yours, panics. Default: [`OnPanic::StopAll`].
    pub on_panic: OnPanic,
    /// What ends when one of this worker, by its name in the table, panics; the last entry counts. Default: none, and
    /// `on_panic` holds for each.
    pub on_panic_of: Vec<(&'static str, OnPanic)>,
    /// How many bytes a worker's outbox may hold. Beyond that the worker fails
    /// ([`Cause::OutboxFull`](super::Cause::OutboxFull)). Default: 64 MiB.
    pub outbox_limit: usize,
    /// The core to which to pin a worker's thread, by the name of the worker. If the system refuses, the worker runs
    /// unpinned ([`Report::NotPinned`]). Default: none is pinned.
    pub pin: Vec<(&'static str, usize)>,
    /// The workers that run, by their names in the table; the others run in other processes, on buses of their own that
    /// a bridge connects: see [`Placement`](crate::routing::Placement). Default: `None`, all of them.
    pub workers: Option<Vec<&'static str>>,
    /// The callback for failures that end nothing. The thread on which one happens calls it. Default: none, and then
    /// only the counters of [`Summary`](super::Summary) tell of undecodable, unsent and unrouted messages.
    pub on_report: Option<OnReport>,
    /// Tells the time: [`Writer::now`](crate::traits::Writer::now), deadlines, and the end of a drain. Default:
    /// [`SystemClock`].
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            drain: Duration::from_secs(5),
            on_panic: OnPanic::StopAll,
            on_panic_of: Vec::new(),
            outbox_limit: 64 << 20,
            pin: Vec::new(),
            workers: None,
            on_report: None,
            clock: Arc::new(SystemClock),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("drain", &self.drain)
            .field("on_panic", &self.on_panic)
            .field("on_panic_of", &self.on_panic_of)
            .field("outbox_limit", &self.outbox_limit)
            .field("pin", &self.pin)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}

impl Options {
    fn listed(&self, worker: &str) -> Option<OnPanic> {
        let listed = self.on_panic_of.iter().rev().find(|(listed, _)| *listed == worker);
        listed.map(|(_, on_panic)| *on_panic)
    }

    /// What a worker may be restarted for.
    pub(super) fn budget(&self, worker: &str) -> Option<Budget> {
        match self.listed(worker).unwrap_or(self.on_panic) {
            OnPanic::Restart(budget) => Some(budget),
            OnPanic::StopAll | OnPanic::Isolate => None,
        }
    }

    /// Whether the messenger goes on when a worker ends by a panic.
    pub(super) fn isolates(&self, worker: &str) -> bool {
        let own = self.listed(worker).filter(|on_panic| !matches!(on_panic, OnPanic::Restart(_)));
        own.unwrap_or(self.on_panic) == OnPanic::Isolate
    }
}

/// What ends when a handler panics. Its worker ends, unless it may be restarted, and then `join()` returns the panic as
/// an error.
///
/// ```
/// use rust_messenger::Options;
/// use rust_messenger::messenger::OnPanic;
///
/// let options = Options { on_panic: OnPanic::Isolate, ..Options::default() };
/// # let _ = options;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnPanic {
    /// The messenger stops, and drains.
    #[default]
    StopAll,
    /// The other workers go on, without what the broken one would have sent.
    Isolate,
    /// The worker makes its handlers anew, by [`New`](crate::traits::New) and
    /// [`on_start`](crate::traits::Handler::on_start), while something of the [`Budget`] is left. Then it ends, and the
    /// others go on if [`Options::on_panic`] is `Isolate`; otherwise the messenger stops.
    ///
    /// **On a ring** the message in hand is dead: the worker writes a [`DeadLetter`](crate::traits::DeadLetter) about
    /// it and goes on behind it. What its handlers had sent stays sent. A ring has no history, so they begin with
    /// nothing.
    ///
    /// **On a journal** the handlers are rebuilt: they are loaded with the newest
    /// [snapshot](crate::message_bus::PersistentOptions::snapshots) of this run, if there is one, and handle again what
    /// they had handled since then, else since the worker began, up to that message, as in
    /// [`Start::Rebuild`](crate::message_bus::Start::Rebuild), which says for which handlers this is exact. Nothing
    /// that was sent is sent again. That message is tried again, [`Budget::attempts`] times, each
    /// time after a restart. Then it is dead: the letter is written, and no handler of the worker keeps anything of the
    /// message, in this process and in each later rebuild. No retention frees what the worker
    /// may have to handle again. A worker that cannot be rebuilt
    /// ([`NoSources`](crate::traits::CursorError::NoSources)) does not start.
    ///
    /// Each panic counts that would end the worker otherwise, in whatever code of yours, but one in
    /// [`on_stop`](crate::traits::Handler::on_stop). So does an `Err` of [`TryHandle`](crate::traits::TryHandle).
    /// [`Writer::fail`](crate::traits::Writer::fail) is final, and so is a full outbox. A message that cannot be
    /// decoded is dead, too, but restarts nobody.
    ///
    /// A [stop](super::Messenger::stop) ends the pause before a restart: the worker comes back at once, and drains as
    /// any other. One that panics while the messenger stops comes back without a pause.
    Restart(Budget),
}

/// How often a worker is restarted.
///
/// ```
/// use rust_messenger::Options;
/// use rust_messenger::messenger::{Budget, OnPanic};
/// use std::time::Duration;
///
/// let budget = Budget { restarts: 3, within: Duration::from_secs(10), ..Budget::default() };
/// let options = Options { on_panic_of: vec![("Parser", OnPanic::Restart(budget))], ..Options::default() };
/// # let _ = options;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The most restarts within [`within`](Self::within), at least one. The next panic ends the worker. Default: 5.
    pub restarts: u32,
    /// The time in which they are counted, not zero. Default: 1 min.
    pub within: Duration,
    /// On a journal: how often a message is handled again, each time after a restart, before it is dead; 0 is allowed.
    /// On a ring none is. Default: 1.
    pub attempts: u32,
    /// How long the worker pauses before a restart; zero is allowed. At most 100 ms on a ring, because a worker that
    /// pauses holds up whoever writes. Default: 10 ms.
    pub backoff: Duration,
}

impl Budget {
    /// Why it is none.
    pub(super) fn refused(&self) -> Option<&'static str> {
        match self {
            Budget { restarts: 0, .. } => Some("`restarts` is 0, and the least is 1"),
            Budget { within: Duration::ZERO, .. } => Some("`within` is zero, and then every restart is the first one"),
            _ => None,
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        let (within, backoff) = (Duration::from_secs(60), Duration::from_millis(10));
        Budget { restarts: 5, within, attempts: 1, backoff }
    }
}

/// The system's monotonic clock. Its origin is that of Unix time, so a time means the same in a journal, now and after
/// a restart.
///
/// ```
/// use rust_messenger::messenger::SystemClock;
/// use rust_messenger::traits::Clock;
///
/// let now = SystemClock.now();
/// assert!(SystemClock.now() >= now);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        Time::from_nanos(unix_nanos())
    }
}
