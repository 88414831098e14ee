//! What can be chosen about a messenger.

use crate::sync::unix_nanos;
use crate::traits::{Clock, Report, Time};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What can be chosen about a messenger.
#[derive(Clone)]
pub struct Options {
    /// How long a stop may take until workers end with messages unhandled.
    pub drain: Duration,
    /// What a panicking handler ends, or other code of the user's that panics.
    pub on_panic: OnPanic,
    /// How many bytes a worker's outbox may hold before the worker fails.
    pub outbox_limit: usize,
    /// Which core a worker's thread is pinned to, by the worker's name. A refusal is a [`Report::NotPinned`].
    pub pin: Vec<(&'static str, usize)>,
    /// Called, on the thread where it happened, with whatever goes wrong without ending anything.
    pub on_report: Option<OnReport>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// What an [`Options::on_report`] is.
pub type OnReport = Arc<dyn Fn(&Report) + Send + Sync>;

impl Default for Options {
    fn default() -> Self {
        Options {
            drain: Duration::from_secs(5),
            on_panic: OnPanic::StopAll,
            outbox_limit: 64 << 20,
            pin: Vec::new(),
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
            .finish_non_exhaustive()
    }
}

/// What a panicking handler ends. Either way its worker ends, and `join()` returns the panic as an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnPanic {
    /// The whole messenger stops, drained.
    #[default]
    StopAll,
    /// The other workers go on, without what the broken one would have sent.
    Isolate,
}

/// The system's monotonic clock. Its origin is that of Unix time, so that what it says means the same in a journal, now
/// and after a restart.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        Time::from_nanos(unix_nanos())
    }
}
