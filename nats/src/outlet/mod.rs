//! What a node sends to workers elsewhere, on its way into the node's stream.

mod outgoing;
mod publish;
mod purge;
mod release;
mod resume;
mod stream;

use crate::bell::Bell;
use crate::connection::{Connection, lock};
use crate::error::BridgeError;
use crate::line::Line;
use crate::options::BridgeOptions;
use crate::protocol::Catalog;
use crate::thread::{Thread, UntilTold};
use crate::voice::Voice;
use rust_messenger::traits::MessageBus;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub(crate) use outgoing::Out;

/// The name of its reader, and of the cursor on a journal.
const NAME: &str = "nats outlet";

/// Publishes what workers elsewhere receive into the stream of this node, each message once and in order, whoever is
/// killed.
///
/// A thread of its own, until [`stop`](Self::stop) or drop. It reads the bus with a held reader, so nothing is let go that
/// the server has not acknowledged, and what the stream ends with says where it goes on: [`protocol`](crate::protocol).
/// What all of [`receivers`](BridgeOptions::receivers) have acknowledged it removes from the stream, but for the last such
/// message.
///
/// While the server is away or its stream is full, a ring fills up and says so to its writers; a journal goes on.
#[derive(Debug)]
pub struct Outlet {
    stats: Arc<Mutex<OutletStats>>,
    thread: Thread,
}

/// What an [`Outlet`] has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutletStats {
    /// Whether it is connected, and its stream takes messages.
    pub is_running: bool,
    /// How many messages were published, those that were refused included.
    pub published: u64,
    /// How many messages the server has acknowledged.
    pub acknowledged: u64,
    /// How many messages were left out because the server takes none so large.
    pub skipped: u64,
    /// How many publishes are on their way.
    pub on_the_way: usize,
    /// How many bytes they have.
    pub bytes_on_the_way: usize,
    /// How many bytes of the bus, from the first message on that waits for an acknowledgement or was not read, up to its end.
    pub lag: u64,
    /// Since when the server has acknowledged nothing, though something waits: it is away, or its stream is full, or
    /// this has only just begun.
    pub stalled_since: Option<Instant>,
    /// How often it looked at the end of the stream.
    pub looks: u64,
    /// How often the stream was full.
    pub full: u64,
    /// How often it asked how far the receivers are.
    pub floors_asked: u64,
    /// Before this message of the stream everything was removed, for all receivers have it.
    pub purged: u64,
}

/// What a bridge left behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Left {
    /// Messages that are published and not acknowledged. The stream may have them.
    pub on_the_way: usize,
    /// Messages that should have gone out and were not read, up to where the bus ended at the stop.
    pub unread: u64,
}

impl Outlet {
    /// Subscribes at once, and connects in the background. `catalog` is what workers elsewhere receive.
    ///
    /// # Errors
    ///
    /// [`BridgeError::Exposed`], [`BridgeError::Subscribe`], [`BridgeError::Thread`] and [`BridgeError::Connect`]. What
    /// comes later is what [`stop`](Self::stop) returns.
    pub fn start<B: MessageBus>(bus: &B, catalog: Catalog, options: BridgeOptions) -> Result<Outlet, BridgeError> {
        let stall = options.stall;
        let bell = Arc::new(Bell::new().map_err(|error| BridgeError::Thread(error.kind()))?);
        let connection = Arc::new(Connection::begin(&options, &bell)?);
        let out = Out::new(bus, catalog, &options, &connection)?;
        let stats = out.stats().clone();
        let lead = UntilTold::new(bus);
        let voice = Voice::new(stall);
        let line = Line { lead, bus: bus.clone(), connection, out: Some(out), sources: Vec::new(), voice };
        Ok(Outlet { stats, thread: Thread::start(NAME, bell, line)? })
    }

    /// What it has done so far.
    pub fn stats(&self) -> OutletStats {
        *lock(&self.stats)
    }

    /// Whether it has ended by itself: [`stop`](Self::stop) says why.
    pub fn has_ended(&self) -> bool {
        self.thread.has_ended()
    }

    /// Publishes what is on the bus now, awaits the acknowledgements, and ends, after `drain` whatever is left.
    ///
    /// # Errors
    ///
    /// [`BridgeError`]: why it had ended before.
    pub fn stop(mut self, drain: Duration) -> Result<Left, BridgeError> {
        self.thread.end(drain)
    }
}
