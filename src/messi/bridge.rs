//! [`Bridge`]: what both handlers do between the network and the bus. Events wait for room, messages wait behind them,
//! and what cannot be done is reported.

use super::connection::Verdict;
use super::core::{Core, Nobody, Sink};
use super::error::{NetworkError, SetupError};
use super::messages::{ClientId, PublishFrom};
use super::net::System;
use super::options::Chosen;
use super::protocol::{Root, Visitor};
use super::reason::Reason;
use crate::traits::{Handler, Poller, Report, Time, WriteError, Writer};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

/// A handler that bridges the bus to peers.
pub(super) trait Bridging: Handler<Id = u16> + Sized {
    /// What it says on its own account.
    type Event: Copy;
    /// Whom that is about.
    type Who: Copy;

    fn connected(who: Self::Who) -> Self::Event;

    fn disconnected(who: Self::Who, reason: Reason) -> Self::Event;

    /// Puts an event on the bus.
    fn post<W: Writer>(event: Self::Event, writer: &W) -> Result<(), WriteError>;

    /// Puts a message on the bus.
    fn publish<W: Writer>(to_bus: &mut ToBus<'_, Self, W>, who: Self::Who, payload: &[u8]) -> Verdict;
}

/// The core of the handler `H`, and what its events wait in.
pub(super) struct Bridge<C: Core, H: Bridging> {
    /// None if it could not even be made, which was said.
    pub(super) core: Option<C>,
    pub(super) options: C::Options,
    /// Events for which the bus had no room. Messages wait behind them.
    waiting: VecDeque<H::Event>,
}

impl<C, H> Bridge<C, H>
where
    C: Core<Net = System, Options: Chosen>,
    H: Bridging<Who = C::Who>,
{
    /// What `make` makes of the thread's poller, the options and the largest frame; or of its failure that of the
    /// messenger.
    pub(super) fn new<W: Writer>(
        options: C::Options,
        writer: &W,
        make: impl FnOnce(System, &C::Options, usize) -> Result<C, SetupError>,
    ) -> Self {
        let (asked, default) = options.frames();
        let made = largest_frame(asked, default, writer.max_payload())
            .and_then(|max_frame| Ok((max_frame, System::of_this_thread().map_err(SetupError::Poller)?)))
            .and_then(|(max_frame, net)| make(net, &options, max_frame));
        let core = match made {
            Ok(core) => Some(core),
            Err(error) => {
                writer.fail(error);
                None
            }
        };
        Bridge { core, options, waiting: VecDeque::new() }
    }

    /// The core, at the time of the writer: the last turn may be long ago.
    pub(super) fn core_now<W: Writer>(&mut self, writer: &W) -> Option<&mut C> {
        let core = self.core.as_mut()?;
        core.event_loop_mut().now = writer.now();
        Some(core)
    }

    pub(super) fn turn<W: Writer>(&mut self, writer: &W) {
        let Some(core) = &mut self.core else { return };
        core.event_loop_mut().now = writer.now();
        let allow = self.options.allow();
        core.turn(&self.options, &mut ToBus::<H, W> { waiting: &mut self.waiting, allow, writer });
        post_all::<H, W>(&mut self.waiting, writer);
    }

    /// Says an event as soon as there is room.
    pub(super) fn say<W: Writer>(&mut self, event: H::Event, writer: &W) {
        self.waiting.push_back(event);
        post_all::<H, W>(&mut self.waiting, writer);
    }

    pub(super) fn stop<W: Writer>(&mut self, writer: &W) {
        if let Some(core) = self.core_now(writer) {
            core.stop();
        }
    }

    /// Stops, and waits for those that linger. The bus hears nothing of it any more.
    pub(super) fn finish(&mut self) {
        if let Some(core) = &mut self.core {
            core.event_loop_mut().tell_time();
            core.stop();
            core.finish(&self.options, &mut Nobody);
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.core.as_ref()?.next_deadline()
    }

    pub(super) fn poller(&self) -> Option<Arc<dyn Poller>> {
        Some(Arc::clone(self.core.as_ref()?.event_loop().poller()))
    }
}

/// From the peers of `H` to the bus.
pub(super) struct ToBus<'a, H: Bridging, W> {
    waiting: &'a mut VecDeque<H::Event>,
    /// The messages that may come in; `None`: all.
    allow: Option<&'a [u16]>,
    writer: &'a W,
}

impl<H: Bridging, W: Writer> ToBus<'_, H, W> {
    /// Puts the member that is set in a message of kind `R` on the bus, behind all events.
    pub(super) fn publish<'b, R: Root>(&'b mut self, client: Option<ClientId>, payload: &'b [u8]) -> Verdict
    where
        PublishFrom<'b, W>: Visitor<R::Direction, Output = Option<Result<(), WriteError>>>,
    {
        if !post_all::<H, W>(self.waiting, self.writer) {
            return Verdict::Full;
        }
        let Ok(message) = R::decode(payload) else { return Verdict::Refused(Reason::MessageDecodeError) };
        let (allow, writer) = (self.allow, self.writer);
        verdict(message.visit(PublishFrom { source: H::ID, client, root: payload, allow, writer }))
    }
}

impl<H: Bridging, W: Writer> Sink<H::Who> for ToBus<'_, H, W> {
    fn connected(&mut self, who: H::Who, _: SocketAddr) {
        self.waiting.push_back(H::connected(who));
        post_all::<H, W>(self.waiting, self.writer);
    }

    fn message(&mut self, who: H::Who, payload: &[u8]) -> Verdict {
        H::publish(self, who, payload)
    }

    /// The end of a connection is reported if it is more than that.
    fn disconnected(&mut self, who: H::Who, peer: SocketAddr, reason: Reason) {
        if !matches!(reason, Reason::ConnectionClosed | Reason::Requested) {
            self.trouble(NetworkError::Dropped { peer, reason });
        }
        self.waiting.push_back(H::disconnected(who, reason));
        post_all::<H, W>(self.waiting, self.writer);
    }

    fn trouble(&mut self, trouble: NetworkError) {
        report::<H, W>(trouble, self.writer);
    }

    /// Not while the bus has no room to say so: what waits must stay bounded.
    fn has_room(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// Puts what waits on the bus, in order; false if some of it still waits.
fn post_all<H: Bridging, W: Writer>(waiting: &mut VecDeque<H::Event>, writer: &W) -> bool {
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
fn largest_frame(asked: Option<usize>, default: usize, bus: usize) -> Result<usize, SetupError> {
    // The shortest header is shorter than what the bus puts before the message, so a payload that fits a frame may not
    // fit the bus: keep room for that.
    let largest = bus.saturating_sub(BUS_OVERHEAD);
    match asked {
        Some(max_frame) if max_frame > largest => Err(SetupError::FrameTooLarge { max_frame, bus: largest }),
        Some(max_frame) => Ok(max_frame),
        None => Ok(default.min(largest)),
    }
}

/// The client id before a member on the bus, in bytes.
const BUS_OVERHEAD: usize = 8;

#[cfg(all(test, target_os = "linux", not(miri)))]
mod tests;
