//! [`Server`]: the handler that bridges the bus to Messi clients.

use super::bridge::{Bridge, Bridging, largest_frame, post_all, report};
use super::connection::{Share, Verdict};
use super::error::{NetworkError, SendError, StartError};
use super::messages::{
    ClientConnected, ClientDisconnected, ClientId, Disconnect, Listening, Start, Stop, To, ToClient, Wrapped,
};
use super::net::System;
use super::options::ServerOptions;
use super::protocol::{Member, Protocol, ToClientSide};
use super::reason::Reason;
use super::server_loop::{Nobody, ServerCore, ServerSink};
use crate::traits::{Handle, Handler, New, Poller, Sender, Time, WriteError, Writer};
use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// A server of the protocol `P` on the bus: made from any configuration that is `AsRef<ServerOptions<P>>`.
///
/// It sends [`FromClient`](super::FromClient), [`Listening`], [`ClientConnected`] and [`ClientDisconnected`], and takes
/// [`ToClient`], [`Disconnect`], [`Start`] and [`Stop`] from whoever is routed to it. What it cannot do is reported as
/// [`Report::Network`](crate::traits::Report::Network); if it cannot start with the messenger, the messenger fails.
pub struct Server<P: Protocol> {
    /// None if it could not even be made, which was said.
    core: Option<ServerCore<P, System>>,
    /// Events for which the bus had no room. Messages wait behind them.
    waiting: VecDeque<Event>,
}

/// What a server says on its own account.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
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
        core.turn(&mut Bridge::<Self, W> { waiting: &mut self.waiting, allow: allow.as_deref(), writer });
        core.options.allow = allow;
        post_all::<Self, W>(&mut self.waiting, writer);
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
                    report::<Self, W>(NetworkError::Unsent(error), writer);
                }
            }
            To::One(client) => {
                let sent = core.try_send(client, Share::All, payload.size(), |out| payload.encode(out));
                if sent == Err(SendError::Full) {
                    core.event_loop.give_up_slow(client.into());
                }
                if let Err(error) = sent {
                    report::<Self, W>(NetworkError::Unsent(error), writer);
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
            report::<Self, W>(NetworkError::Start(error), writer);
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

impl<P: Protocol> Bridging for Server<P> {
    type Event = Event;

    fn post<W: Writer>(event: Event, writer: &W) -> Result<(), WriteError> {
        match event {
            Event::Listening(event) => Self::try_send(&event, writer),
            Event::Connected(event) => Self::try_send(&event, writer),
            Event::Disconnected(event) => Self::try_send(&event, writer),
        }
    }
}

fn post<P: Protocol, W: Writer>(waiting: &mut VecDeque<Event>, event: Event, writer: &W) {
    waiting.push_back(event);
    post_all::<Server<P>, W>(waiting, writer);
}

impl<P: Protocol, W: Writer> ServerSink for Bridge<'_, Server<P>, W> {
    fn connected(&mut self, client: ClientId, _: SocketAddr) {
        post::<P, W>(self.waiting, Event::Connected(ClientConnected { client }), self.writer);
    }

    fn message(&mut self, client: ClientId, payload: &[u8]) -> Verdict {
        self.publish::<P::ClientToServer>(Some(client), payload)
    }

    fn disconnected(&mut self, client: ClientId, peer: SocketAddr, reason: Reason) {
        self.report_end(peer, reason);
        post::<P, W>(self.waiting, Event::Disconnected(ClientDisconnected { client, reason }), self.writer);
    }

    fn trouble(&mut self, trouble: NetworkError) {
        report::<Server<P>, W>(trouble, self.writer);
    }

    /// Not while the bus has no room to say so: what waits must stay bounded.
    fn accepts(&self) -> bool {
        self.waiting.is_empty()
    }
}
