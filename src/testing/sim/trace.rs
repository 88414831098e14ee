//! What happened in a life, in order, with the bytes of each message.

use super::faults::Kind;
use crate::traits::{Header, Time};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A reader began at the header's position.
    Began,
    /// A worker had this message in its hands, and did not come to the end of it.
    Begun,
    Handled,
    /// A worker was given something that nobody can decode instead.
    Spoilt,
    Written,
    /// Of the node, if it is one of those.
    Fault(Kind),
}

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) what: What,
    /// Of a worker; of a node where a fault says so.
    pub(super) place: u16,
    pub(super) step: u32,
    pub(super) time: Time,
    pub(super) header: Header,
    /// The position of the message in whose handling it was written, or 0.
    pub(super) cause: u64,
    /// Whether a rebuild replays it.
    pub(super) replayed: bool,
    /// Where the payload begins.
    pub(super) at: usize,
}

/// A list of events, and their payloads.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub(super) events: Vec<Event>,
    bytes: Vec<u8>,
}

impl Trace {
    pub(super) fn payload(&self, event: &Event) -> &[u8] {
        &self.bytes[event.at..event.at + event.header.size as usize]
    }

    pub(super) fn push(&mut self, mut event: Event, payload: &[u8]) {
        (event.at, event.header.size) = (self.bytes.len(), payload.len() as u32);
        self.bytes.extend_from_slice(payload);
        self.events.push(event);
    }

    /// Takes back the last event.
    pub(super) fn pop(&mut self) {
        if let Some(event) = self.events.pop() {
            self.bytes.truncate(event.at);
        }
    }

    pub(super) fn clear(&mut self) {
        self.events.clear();
        self.bytes.clear();
    }

    /// Whether the same stands at `place` in both.
    pub(super) fn agrees(&self, other: &Trace, place: usize) -> bool {
        match (self.events.get(place), other.events.get(place)) {
            (Some(one), Some(two)) => {
                let facts = |event: &Event| (event.what, event.place, event.step, event.time, event.header);
                facts(one) == facts(two)
                    && (one.cause, one.replayed) == (two.cause, two.replayed)
                    && self.payload(one) == other.payload(two)
            }
            (one, two) => one.is_none() && two.is_none(),
        }
    }
}
