//! What other nodes send to workers here, on its way from their streams to the bus.

mod begin;
mod credit;
mod incoming;
mod settled;
mod source;
mod takes;
mod write;

use crate::bell::Bell;
use crate::connection::{Connection, lock};
use crate::error::BridgeError;
use crate::line::Line;
use crate::options::BridgeOptions;
use crate::protocol::{Catalog, Mismatch, Refusal};
use crate::thread::{Thread, UntilTold};
use crate::voice::Voice;
use rust_messenger::traits::MessageBus;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) use incoming::In;

/// Writes what other nodes send to the bus, under its original source, each node's messages in their order.
///
/// A thread of its own, until [`stop`](Self::stop) or drop. On a journal each message is there once, whoever is killed
/// when: [`Import`](rust_messenger::traits::Import). On a ring it is there at least once, and is acknowledged when all
/// readers of the bus that gate it have let it go, not when it is written. Where the bus is full, nothing more is asked for.
///
/// A message whose layout or ids differ from those of the table here is never decoded: it waits in its stream, with all
/// that follow it, and [`InletStats::waits_for`] names both sides. One that is larger than the bus takes, or none of a
/// bridge, is counted and passed by.
#[derive(Debug)]
pub struct Inlet {
    stats: Vec<Arc<Mutex<InletStats>>>,
    thread: Thread,
}

/// What an [`Inlet`] has done with what one other node sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InletStats {
    /// The other node.
    pub node: String,
    /// Whether it is connected, and reads that node's stream.
    pub is_running: bool,
    /// How many messages the stream has behind the last one that came, as the server said with it.
    pub lag: u64,
    /// How many messages were written.
    pub written: u64,
    /// How many messages came again, and were written before.
    pub again: u64,
    /// How many messages came before others that were due. They come again.
    pub early: u64,
    /// How many messages are written or passed by, and not acknowledged.
    pub unacknowledged: usize,
    /// How many messages were larger than the bus takes.
    pub too_large: u64,
    /// How many messages were none of a bridge.
    pub refused: u64,
    /// What was wrong with the last one of them.
    pub last_refusal: Option<Refusal>,
    /// Why no more of this node is written until this process has another table.
    pub waits_for: Option<Mismatch>,
    /// How often the bus was full.
    pub full: u64,
}

impl Inlet {
    /// Reads the streams of `sources`, other nodes of the system each with what workers here receive of it. Connects in the
    /// background. A stream that was never there is waited for.
    ///
    /// # Errors
    ///
    /// [`BridgeError::Exposed`], [`BridgeError::Thread`] and [`BridgeError::Connect`]; [`BridgeError::Writer`] of a bus for
    /// one writer. What comes later is what [`stop`](Self::stop) returns.
    pub fn start<B: MessageBus>(
        bus: &B,
        sources: impl IntoIterator<Item = (String, Catalog)>,
        options: BridgeOptions,
    ) -> Result<Inlet, BridgeError> {
        let stall = options.stall;
        let bell = Arc::new(Bell::new().map_err(|error| BridgeError::Thread(error.kind()))?);
        let connection = Arc::new(Connection::begin(&options, &bell)?);
        let sources = In::all(bus, sources, &options, &connection)?;
        let stats = sources.iter().map(|source| source.stats().clone()).collect();
        let voice = Voice::new(stall);
        let line = Line { lead: UntilTold::new(bus), bus: bus.clone(), connection, out: None, sources, voice };
        Ok(Inlet { stats, thread: Thread::start("nats inlet", bell, line)? })
    }

    /// What it has done so far, for each source in the order of the start.
    pub fn stats(&self) -> Vec<InletStats> {
        self.stats.iter().map(|stats| lock(stats).clone()).collect()
    }

    /// Whether it has ended by itself: [`stop`](Self::stop) says why.
    pub fn has_ended(&self) -> bool {
        self.thread.has_ended()
    }

    /// Writes nothing more, and ends. What is written and not acknowledged comes again at the next start.
    ///
    /// # Errors
    ///
    /// [`BridgeError`]: why it had ended before.
    pub fn stop(mut self) -> Result<(), BridgeError> {
        self.thread.end(Duration::from_secs(1)).map(|_| ())
    }
}
