//! [`Server`]: the handler that bridges the bus to Messi clients.

use super::connection::{Reason, Share, Verdict};
use super::net::System;
use super::options::{SendError, ServerOptions, StartError};
use super::protocol::{
    ClientConnected, ClientDisconnected, ClientId, Disconnect, Listening, Member, NetworkError, Protocol, PublishFrom,
    Root, Start, Stop, To, ToClient, ToClientSide, Wrapped,
};
use super::server_loop::{Nobody, ServerCore, ServerSink};
use crate::traits::{Handle, Handler, New, Poller, Report, Sender, Time, WriteError, Writer};
use prost::Message;
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;

/// A server of the protocol `P` on the bus: made from any configuration that is `AsRef<ServerOptions<P>>`.
///
/// It sends [`FromClient`](super::FromClient), [`Listening`], [`ClientConnected`] and [`ClientDisconnected`], and takes
/// [`ToClient`], [`Disconnect`], [`Start`] and [`Stop`] from whoever is routed to it. What it cannot do is reported as
/// [`Report::Network`]; if it cannot start with the messenger, the messenger fails.
pub struct Server<P: Protocol> {
    /// None if it could not even be made, which was said.
    core: Option<ServerCore<P, System>>,
    /// Events for which the bus had no room. Messages wait behind them.
    waiting: VecDeque<Event>,
}

/// What a bridge says on its own account.
#[derive(Clone, Copy, Debug)]
enum Event {
    Listening(Listening),
    Connected(ClientConnected),
    Disconnected(ClientDisconnected),
}

impl<P: Protocol> fmt::Debug for Server<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clients = self.core.as_ref().map(|core| core.event_loop.len());
        f.debug_struct("Server").field("protocol", &P::NAME).field("clients", &clients).finish_non_exhaustive()
    }
}

impl<P: Protocol> Handler for Server<P> {
    type Id = u16;
    const ID: u16 = P::SERVER;

    fn on_start<W: Writer>(&mut self, writer: &W) {
        if self.core.as_ref().is_some_and(|core| core.options.autostart)
            && let Err(error) = self.start(writer)
        {
            writer.fail(error);
        }
    }

    fn on_loop<W: Writer>(&mut self, writer: &W) {
        let Some(core) = &mut self.core else { return };
        core.now = writer.now();
        let allow = core.options.allow.take();
        core.turn(&mut Bridge::<P, W> {
            waiting: &mut self.waiting,
            allow: allow.as_deref(),
            writer,
            protocol: PhantomData,
        });
        core.options.allow = allow;
        post_all::<P, W>(&mut self.waiting, writer);
    }

    fn on_stop(&mut self) {
        if let Some(core) = &mut self.core {
            core.tell_time();
            core.stop();
            core.finish(&mut Nobody);
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        self.core.as_ref()?.next_deadline()
    }

    fn poller(&self) -> Option<Arc<dyn Poller>> {
        Some(Arc::clone(self.core.as_ref()?.event_loop.poller()))
    }
}

impl<P: Protocol, C: AsRef<ServerOptions<P>>> New<C> for Server<P> {
    fn new<W: Writer>(config: &C, writer: &W) -> Self {
        let options = config.as_ref().clone();
        let made = largest_frame(options.max_frame, options.connection.max_frame, writer.max_payload())
            .and_then(|max_frame| Ok((max_frame, System::of_this_thread().map_err(StartError::Poller)?)));
        let core = match made {
            Ok((max_frame, net)) => Some(ServerCore::new(net, options, max_frame)),
            Err(error) => {
                writer.fail(error);
                None
            }
        };
        Server { core, waiting: VecDeque::new() }
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

impl<P: Protocol> Server<P> {
    fn start<W: Writer>(&mut self, writer: &W) -> Result<(), StartError> {
        let Some(core) = &mut self.core else { return Ok(()) };
        let address = core.start()?;
        post::<P, W>(&mut self.waiting, Event::Listening(Listening { port: address.port() }), writer);
        Ok(())
    }
}

impl<P: Protocol, M: Member<ToClientSide, Protocol = P>> Handle<ToClient<M>> for Server<P> {
    fn handle<W: Writer>(&mut self, message: &ToClient<M>, writer: &W) {
        let Some(core) = &mut self.core else { return };
        let payload = Wrapped::new(&message.message);
        match message.to {
            To::All => {
                if let Err(error) = core.broadcast(payload.size(), |out| payload.encode(out)) {
                    report::<P, W>(NetworkError::Unsent(error), writer);
                }
            }
            To::One(client) => {
                let sent = core.try_send(client, Share::All, payload.size(), |out| payload.encode(out));
                if sent == Err(SendError::Full) {
                    core.event_loop.give_up_slow(client.into());
                }
                if let Err(error) = sent {
                    report::<P, W>(NetworkError::Unsent(error), writer);
                }
            }
        }
    }
}

impl<P: Protocol> Handle<Disconnect> for Server<P> {
    fn handle<W: Writer>(&mut self, message: &Disconnect, writer: &W) {
        if let Some(core) = &mut self.core {
            // The last turn may be long ago.
            core.now = writer.now();
            core.event_loop.disconnect(message.client.into(), core.now);
        }
    }
}

impl<P: Protocol> Handle<Start> for Server<P> {
    fn handle<W: Writer>(&mut self, _: &Start, writer: &W) {
        if let Err(error) = self.start(writer) {
            report::<P, W>(NetworkError::Start(error), writer);
        }
    }
}

impl<P: Protocol> Handle<Stop> for Server<P> {
    fn handle<W: Writer>(&mut self, _: &Stop, writer: &W) {
        if let Some(core) = &mut self.core {
            core.now = writer.now();
            core.stop();
        }
    }
}

fn report<P: Protocol, W: Writer>(error: NetworkError, writer: &W) {
    writer.report(Report::Network { source: P::SERVER, error: Box::new(error) });
}

fn post_now<P: Protocol, W: Writer>(event: Event, writer: &W) -> Result<(), WriteError> {
    match event {
        Event::Listening(event) => Server::<P>::try_send(&event, writer),
        Event::Connected(event) => Server::<P>::try_send(&event, writer),
        Event::Disconnected(event) => Server::<P>::try_send(&event, writer),
    }
}

/// Puts what waits on the bus, in order; false if some of it still waits.
fn post_all<P: Protocol, W: Writer>(waiting: &mut VecDeque<Event>, writer: &W) -> bool {
    while let Some(event) = waiting.front() {
        if post_now::<P, W>(*event, writer) == Err(WriteError::Full) {
            return false;
        }
        waiting.pop_front();
    }
    true
}

fn post<P: Protocol, W: Writer>(waiting: &mut VecDeque<Event>, event: Event, writer: &W) {
    waiting.push_back(event);
    post_all::<P, W>(waiting, writer);
}

/// From clients to the bus.
struct Bridge<'a, P, W> {
    waiting: &'a mut VecDeque<Event>,
    allow: Option<&'a [u16]>,
    writer: &'a W,
    protocol: PhantomData<fn() -> P>,
}

impl<P: Protocol, W: Writer> ServerSink for Bridge<'_, P, W> {
    fn connected(&mut self, client: ClientId, _: SocketAddr) {
        post::<P, W>(self.waiting, Event::Connected(ClientConnected { client }), self.writer);
    }

    fn message(&mut self, client: ClientId, payload: &[u8]) -> Verdict {
        if !post_all::<P, W>(self.waiting, self.writer) {
            return Verdict::Full;
        }
        let Ok(message) = P::ClientToServer::decode(payload) else {
            return Verdict::Refused(Reason::MessageDecodeError);
        };
        let (source, client, allow, writer) = (P::SERVER, Some(client), self.allow, self.writer);
        verdict(message.visit(PublishFrom { source, client, allow, writer }))
    }

    fn disconnected(&mut self, client: ClientId, peer: SocketAddr, reason: Reason) {
        if !matches!(reason, Reason::ConnectionClosed | Reason::Requested) {
            report::<P, W>(NetworkError::Dropped { peer, reason }, self.writer);
        }
        post::<P, W>(self.waiting, Event::Disconnected(ClientDisconnected { client, reason }), self.writer);
    }

    fn trouble(&mut self, trouble: NetworkError) {
        report::<P, W>(trouble, self.writer);
    }

    /// Not while the bus has no room to say so: what waits must stay bounded.
    fn accepts(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// What to do about a message after the attempt to put it on the bus.
pub(super) fn verdict(published: Option<Option<Result<(), WriteError>>>) -> Verdict {
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
