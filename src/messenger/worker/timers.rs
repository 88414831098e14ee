//! Deadlines that become messages: which of them are on their way.

use crate::traits::{DeserializeFrom, Due, Time};
use std::cell::Cell;
use std::time::Duration;

/// How long after a [`Due`] that could not be written the next one is tried.
const PAUSE: Duration = Duration::from_secs(1);

/// The handlers of a worker whose deadlines become messages.
pub(super) struct Timers(Vec<Timer>);

pub(super) struct Timer {
    id: u16,
    /// What was written, until it comes back.
    pub(super) outstanding: Cell<Option<Time>>,
    /// After a refusal: not before this.
    earliest: Cell<Time>,
}

impl Timers {
    pub(super) fn new(ids: &[Option<u16>]) -> Timers {
        let timer = |&id| Timer { id, outstanding: Cell::new(None), earliest: Cell::new(Time::default()) };
        Timers(ids.iter().flatten().map(timer).collect())
    }

    pub(super) fn find(&self, id: u16) -> Option<&Timer> {
        self.0.iter().find(|timer| timer.id == id)
    }

    /// When a handler's [`Due`] is to be written that has this deadline.
    pub(super) fn when(&self, id: u16, deadline: Option<Time>) -> Option<Time> {
        self.find(id).and_then(|timer| timer.when(deadline))
    }

    /// A [`Due`] of this handler was read. One that an earlier process wrote is not the one that is waited for.
    pub(super) fn arrived(&self, id: u16, payload: &[u8]) {
        if let (Some(timer), Ok(due)) = (self.find(id), Due::try_deserialize_from(payload))
            && timer.outstanding.get() == Some(due.time)
        {
            timer.outstanding.set(None);
        }
    }

    /// A [`Due`] of this handler could not be written.
    pub(super) fn refused(&self, id: u16, now: Time) {
        if let Some(timer) = self.find(id) {
            timer.outstanding.set(None);
            timer.earliest.set(now + PAUSE);
        }
    }
}

impl Timer {
    pub(super) fn when(&self, deadline: Option<Time>) -> Option<Time> {
        let is_free = self.outstanding.get().is_none();
        deadline.filter(|_| is_free).map(|deadline| deadline.max(self.earliest.get()))
    }
}
