//! [`Faults`]: what may go wrong in a simulation, and how often.

/// How often what may go wrong does, in a [`Sim`](super::Sim): a rate from 0, never, to below 1, for each occasion.
/// Default: nothing goes wrong.
///
/// Once every input was given and there is nothing left to do, the faults end, nodes that are down start again, and the
/// system comes to rest.
///
/// ```
/// use rust_messenger::testing::Faults;
///
/// let faults = Faults { full: 0.05, crash: 0.001, ..Faults::default() };
/// # let _ = faults;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// A write finds the bus full. Occasion: each write. Never on a journal, which is not full either.
    pub full: f64,
    /// An encoder refuses, with [`EncodeError::Refused`](crate::traits::EncodeError::Refused). Occasion: each message
    /// that a handler sends while it handles one.
    pub refusal: f64,
    /// An encoder panics, which ends its worker; its node starts again after a while. Occasion: as of
    /// [`refusal`](Self::refusal).
    pub panic: f64,
    /// A worker gets a single byte, 0xFF, in the place of a payload of two or more: no message of more than one byte in
    /// postcard, prost, bincode or plain memory. Occasion: each message on its way to a worker, but for those of the
    /// library and those that a rebuild replays.
    pub undecodable: f64,
    /// A worker is not scheduled for a while, up to four seconds. Occasion: each of its turns.
    pub pause: f64,
    /// A node is killed, between two steps or at one of the next writes of a worker, and starts again after up to four
    /// seconds. No cursor is stored, what is in an outbox is gone, and there is no `on_stop`. (Handlers are dropped.)
    /// On a ring a node loses what it has not read. Occasion: each turn of one of its workers.
    pub crash: f64,
    /// All nodes are killed. A journal is opened again, with recovery, from what they left. Occasion: each turn of a
    /// worker.
    pub blackout: f64,
    /// A node is stopped, as for an update: it drains, ends, and starts again after up to four seconds. On a ring it
    /// loses what is written meanwhile, and what it has not handled if its drain ends early, for the seed decides how
    /// long that may take. Occasion: as of [`crash`](Self::crash).
    pub stop: f64,
}

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Full,
    Refusal,
    Panic,
    Undecodable,
    Pause,
    Crash,
    Blackout,
    Stop,
}

impl Kind {
    pub(super) const ALL: [Kind; 8] = [
        Kind::Full,
        Kind::Refusal,
        Kind::Panic,
        Kind::Undecodable,
        Kind::Pause,
        Kind::Crash,
        Kind::Blackout,
        Kind::Stop,
    ];

    /// As its field is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Full => "full",
            Kind::Refusal => "refusal",
            Kind::Panic => "panic",
            Kind::Undecodable => "undecodable",
            Kind::Pause => "pause",
            Kind::Crash => "crash",
            Kind::Blackout => "blackout",
            Kind::Stop => "stop",
        }
    }
}

impl Faults {
    fn rate(&mut self, kind: Kind) -> &mut f64 {
        match kind {
            Kind::Full => &mut self.full,
            Kind::Refusal => &mut self.refusal,
            Kind::Panic => &mut self.panic,
            Kind::Undecodable => &mut self.undecodable,
            Kind::Pause => &mut self.pause,
            Kind::Crash => &mut self.crash,
            Kind::Blackout => &mut self.blackout,
            Kind::Stop => &mut self.stop,
        }
    }

    pub(super) fn of(&self, kind: Kind) -> f64 {
        let mut copy = *self;
        *copy.rate(kind)
    }

    pub(super) fn set(&mut self, kind: Kind, rate: f64) {
        *self.rate(kind) = rate;
    }

    /// What is wrong with them.
    pub(super) fn complaint(&self) -> Option<String> {
        let bad = Kind::ALL.into_iter().find(|kind| !(0.0..1.0).contains(&self.of(*kind)))?;
        Some(format!("Faults::{} is {}: a rate is from 0 to below 1", bad.name(), self.of(bad)))
    }
}
