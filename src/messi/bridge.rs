//! The way from the network to the bus, which both handlers have in common: events that wait for room, messages that
//! wait behind them, and what cannot be done, which is reported.

use super::connection::Verdict;
use super::error::{NetworkError, StartError};
use super::messages::{ClientId, PublishFrom};
use super::protocol::{Root, Visitor};
use super::reason::Reason;
use crate::traits::{Handler, Report, WriteError, Writer};
use std::collections::VecDeque;
use std::net::SocketAddr;

/// A handler that bridges the bus to peers.
pub(super) trait Bridging: Handler<Id = u16> {
    /// What it says on its own account.
    type Event: Copy;

    /// Puts an event on the bus.
    fn post<W: Writer>(event: Self::Event, writer: &W) -> Result<(), WriteError>;
}

/// From the peers of `H` to the bus.
pub(super) struct Bridge<'a, H: Bridging, W> {
    /// Events for which the bus had no room.
    pub(super) waiting: &'a mut VecDeque<H::Event>,
    /// The messages that may come in; `None`: all.
    pub(super) allow: Option<&'a [u16]>,
    pub(super) writer: &'a W,
}

impl<H: Bridging, W: Writer> Bridge<'_, H, W> {
    /// Puts the member that is set in a message of kind `R` on the bus, behind all events.
    pub(super) fn publish<'b, R: Root>(&'b mut self, client: Option<ClientId>, payload: &[u8]) -> Verdict
    where
        PublishFrom<'b, W>: Visitor<R::Direction, Output = Option<Result<(), WriteError>>>,
    {
        if !post_all::<H, W>(self.waiting, self.writer) {
            return Verdict::Full;
        }
        let Ok(message) = R::decode(payload) else { return Verdict::Refused(Reason::MessageDecodeError) };
        verdict(message.visit(PublishFrom { source: H::ID, client, allow: self.allow, writer: self.writer }))
    }

    /// Reports the end of a connection, if it is more than that.
    pub(super) fn report_end(&self, peer: SocketAddr, reason: Reason) {
        if !matches!(reason, Reason::ConnectionClosed | Reason::Requested) {
            report::<H, W>(NetworkError::Dropped { peer, reason }, self.writer);
        }
    }
}

/// Puts what waits on the bus, in order; false if some of it still waits.
pub(super) fn post_all<H: Bridging, W: Writer>(waiting: &mut VecDeque<H::Event>, writer: &W) -> bool {
    while let Some(event) = waiting.front() {
        if H::post(*event, writer) == Err(WriteError::Full) {
            return false;
        }
        waiting.pop_front();
    }
    true
}

/// Reports what the handler `H` could not do.
pub(super) fn report<H: Bridging, W: Writer>(error: NetworkError, writer: &W) {
    writer.report(Report::Network { source: H::ID, error: Box::new(error) });
}

/// What to do about a message after the attempt to put it on the bus.
fn verdict(published: Option<Option<Result<(), WriteError>>>) -> Verdict {
    match published {
        // No member that this version knows.
        None => Verdict::Taken,
        Some(None) => Verdict::Refused(Reason::NotAllowed),
        Some(Some(Err(WriteError::Full))) => Verdict::Full,
        Some(Some(Err(WriteError::TooLarge { .. }))) => Verdict::Refused(Reason::MessageTooBig),
        Some(Some(Err(WriteError::Encode(_) | WriteError::Fenced))) => Verdict::Refused(Reason::GeneralError),
        // Sent, or nobody is left who would receive it.
        Some(Some(_)) => Verdict::Taken,
    }
}

/// The largest frame to take when a message must fit into `bus` bytes.
pub(super) fn largest_frame(asked: Option<usize>, default: usize, bus: usize) -> Result<usize, StartError> {
    // The shortest header is shorter than what the bus puts before the message, so a payload that fits a frame may not
    // fit the bus: keep room for that.
    let largest = bus.saturating_sub(BUS_OVERHEAD);
    match asked {
        Some(max_frame) if max_frame > largest => Err(StartError::FrameTooLarge { max_frame, bus: largest }),
        Some(max_frame) => Ok(max_frame),
        None => Ok(default.min(largest)),
    }
}

/// The client id before a member on the bus, in bytes.
const BUS_OVERHEAD: usize = 8;
