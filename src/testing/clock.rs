//! [`ManualClock`]: time that passes when a test says so.

use crate::sync::{Arc, Mutex, lock};
use crate::traits::{Clock, Time};
use std::fmt;
use std::time::Duration;

/// A [`Clock`] that stands still until it is moved. A clone is the same clock.
///
/// It wakes nobody. Workers that are [stepped](crate::messenger::Messenger::workers) see the new time in their next
/// step; one on a thread of its own sleeps on by the time at which it fell asleep, or until a message comes.
///
/// ```
/// use rust_messenger::testing::ManualClock;
/// use rust_messenger::traits::{Clock, Time};
/// use rust_messenger::Options;
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// let clock = ManualClock::new();
/// let options = Options { clock: Arc::new(clock.clone()), ..Options::default() };
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(options.clock.now(), Time::from_nanos(1_000_000_000));
/// ```
#[derive(Clone)]
pub struct ManualClock(Arc<Mutex<Time>>);

impl ManualClock {
    /// A clock that stands at [`Time::default()`], its origin.
    pub fn new() -> ManualClock {
        ManualClock(Arc::new(Mutex::new(Time::default())))
    }

    /// Moves the clock on to `time`. Time never goes backwards: an earlier one changes nothing.
    pub fn set(&self, time: Time) {
        let mut now = lock(&self.0);
        *now = now.max(time);
    }

    /// Moves the clock on by `step`.
    pub fn advance(&self, step: Duration) {
        let mut now = lock(&self.0);
        *now = *now + step;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        *lock(&self.0)
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        ManualClock::new()
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock").field(&self.now()).finish()
    }
}
