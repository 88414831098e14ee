//! What a simulation runs: a bus, the nodes on it, who writes from outside, and what has to hold.

use super::bus::Simulated;
use super::node::Node;
use super::seen::Seen;
use crate::testing::ManualClock;
use crate::traits::{MessageBus, WriteError};
use std::time::Duration;

/// A law, with its state in one life.
pub(super) type Law = Box<dyn FnMut(&Seen<'_>) -> Result<(), String>>;
pub(super) type End = Box<dyn Fn(&[Seen<'_>]) -> Result<(), String>>;
/// How many messages, and who writes message `n`.
pub(super) type Outside<B> = (u64, Box<dyn Fn(u64, &Writer<B>) -> Result<(), WriteError>>);
type Writer<B> = Simulated<<B as MessageBus>::BusWriter>;
/// A bus, and how many messages are on it, if somebody has counted them.
pub(super) type Reopened<B> = Result<(B, Option<u64>), String>;

type Make<B> = Box<dyn Fn(&ManualClock) -> Result<B, String>>;
type Reopen<B> = Box<dyn Fn(B, &ManualClock, bool) -> Reopened<B>>;
type Begin = Box<dyn Fn() -> Law>;

/// Where a system lives.
pub(super) struct Ground<B> {
    pub(super) make: Make<B>,
    /// All that used this bus was killed. The last word says whether to look at everything that is there.
    pub(super) reopen: Reopen<B>,
    /// Whether it is ever full.
    pub(super) fills: bool,
    /// Whether the reader of this name begins no later than where it was, whatever ended it.
    pub(super) resumes: Box<dyn Fn(&str) -> bool>,
}

/// What lives.
pub(super) struct System<B: MessageBus> {
    pub(super) ground: Ground<B>,
    pub(super) nodes: Vec<Node<B>>,
    pub(super) outside: Vec<Outside<B>>,
    pub(super) laws: Vec<(&'static str, Begin)>,
    pub(super) ends: Vec<(&'static str, End)>,
    /// How long deadlines are waited for after the last message from outside.
    pub(super) lasting: Duration,
}
