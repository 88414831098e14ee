//! What happened in a life, in order, with the bytes of each message.

use super::faults::Kind;
use crate::traits::{Header, Recorded, Time};

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
    /// What a journal has recorded of what was written.
    pub(super) recorded: Option<Recorded>,
    /// Whether a rebuild replays it.
    pub(super) replayed: bool,
    /// Where the payload begins.
    pub(super) at: usize,
}

/// A list of events, and their payloads, each aligned as on a bus: laws read some in place.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub(super) events: Vec<Event>,
    memory: Vec<u8>,
    /// Where it is aligned.
    start: usize,
    /// How much of it, from there on, is used.
    used: usize,
}

const ALIGN: usize = 16;
const MEMORY: usize = 4096;

impl Trace {
    pub(super) fn payload(&self, event: &Event) -> &[u8] {
        &self.memory[self.start + event.at..][..event.header.size as usize]
    }

    pub(super) fn push(&mut self, mut event: Event, payload: &[u8]) {
        (event.at, event.header.size) = (self.used.next_multiple_of(ALIGN), payload.len() as u32);
        let used = event.at + payload.len();
        if self.start + used > self.memory.len() {
            self.grow(2 * used.max(MEMORY));
        }
        self.memory[self.start + event.at..][..payload.len()].copy_from_slice(payload);
        self.used = used;
        self.events.push(event);
    }

    fn grow(&mut self, size: usize) {
        let mut memory = vec![0; size + ALIGN];
        let start = memory.as_ptr().align_offset(ALIGN).min(ALIGN);
        memory[start..][..self.used].copy_from_slice(&self.memory[self.start..][..self.used]);
        (self.memory, self.start) = (memory, start);
    }

    /// Takes back the last event.
    pub(super) fn pop(&mut self) {
        if let Some(event) = self.events.pop() {
            self.used = event.at;
        }
    }

    pub(super) fn clear(&mut self) {
        self.events.clear();
        self.used = 0;
    }

    /// Whether the same stands at `place` in both.
    pub(super) fn agrees(&self, other: &Trace, place: usize) -> bool {
        match (self.events.get(place), other.events.get(place)) {
            (Some(one), Some(two)) => {
                let facts = |event: &Event| (event.what, event.place, event.step, event.time, event.header);
                facts(one) == facts(two)
                    && (one.cause, one.recorded, one.replayed) == (two.cause, two.recorded, two.replayed)
                    && self.payload(one) == other.payload(two)
            }
            (one, two) => one.is_none() && two.is_none(),
        }
    }
}
