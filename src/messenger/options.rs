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
            .field("outbox_limit", &self.outbox_limit)
            .field("pin", &self.pin)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}

/// What ends when a handler panics. Its worker ends either way, and `join()` returns the panic as an error.
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
