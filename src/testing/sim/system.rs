//! What a simulation runs: a bus, the nodes on it, who writes from outside, and what has to hold.

use super::bus::Simulated;
use super::node::Node;
use super::seen::Seen;
use crate::routing::TableRoute;
use crate::testing::ManualClock;
use crate::traits::{MessageBus, WriteError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A law, with its state in one life.
pub(super) type Law = Box<dyn FnMut(&Seen<'_>) -> Result<(), String>>;
pub(super) type End = Box<dyn Fn(&[Seen<'_>]) -> Result<(), String>>;
/// Who writes from outside.
pub(super) struct Outside<B: MessageBus> {
    /// How many messages.
    pub(super) count: u64,
    /// In whose name, if a journal says so. Nobody writes in that of a handler that is there.
    pub(super) source: Option<u16>,
    /// Writes message `n`.
    pub(super) write: Write<B>,
}

/// A journal whose inputs are played, and whether it has a message that a route carries.
pub(super) type Recording = (PathBuf, Box<dyn Fn(&TableRoute<'_>) -> bool>);
type Write<B> = Box<dyn Fn(u64, &Writer<B>) -> Result<(), WriteError>>;
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
    pub(super) recordings: Vec<Recording>,
    pub(super) laws: Vec<(&'static str, Begin)>,
    pub(super) ends: Vec<(&'static str, End)>,
    /// How long deadlines are waited for after the last message from outside.
    pub(super) lasting: Duration,
}

impl<B: MessageBus> System<B> {
    /// Whether this is the id of a handler of a node.
    fn has_handler(&self, id: u16) -> bool {
        let handlers = self.nodes.iter().flat_map(|node| node.rows.table.workers).flat_map(|worker| worker.handlers);
        handlers.into_iter().any(|handler| handler.id == id)
    }

    /// How many messages each of those outside writes.
    pub(super) fn inputs(&self) -> Vec<u64> {
        let count = |outside: &Outside<B>| {
            let is_inside = outside.source.is_some_and(|source| self.has_handler(source));
            if is_inside { 0 } else { outside.count }
        };
        self.outside.iter().map(count).collect()
    }

    /// The journal of another system, if there is one.
    pub(super) fn foreign(&self) -> Option<&Path> {
        let routes = || self.nodes.iter().flat_map(|node| node.rows.table.workers).flat_map(|worker| worker.routes);
        let from_outside = |route: &&TableRoute<'_>| !self.has_handler(route.source_id);
        let is_foreign = |(_, has): &&Recording| !routes().filter(from_outside).any(has);
        self.recordings.iter().find(is_foreign).map(|(path, _)| path.as_path())
    }
}
