//! How long things take on a ring: all in one place, so that tests can have others.

use std::time::Duration;

/// How long things take on a ring. All but the first are of rings that are shared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// So long readers wait for a silent fill before one of them fences it.
    pub(crate) silence: Duration,
    /// So often somebody who gets no further looks for what the dead hold.
    pub(crate) heal: Duration,
    /// So long a sleep may last at most: nobody wakes for a death, nor does a waker that dies half way.
    pub(crate) tick: Duration,
    /// So long whoever can do without it waits for the gate lock, as its holder may stand still.
    pub(crate) lock: Duration,
    /// So long a reader that joins waits for it, which cannot.
    pub(crate) join: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Times {
            silence: Duration::from_secs(1),
            heal: Duration::from_millis(100),
            tick: Duration::from_millis(500),
            lock: Duration::from_millis(1),
            join: Duration::from_secs(1),
        }
    }
}
