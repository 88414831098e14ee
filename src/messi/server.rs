//! [`Server`]: the handler that bridges the bus to Messi clients.

use super::bridge::{Bridge, Bridging, ToBus, report};
use super::connection::{Share, Verdict};
use super::error::{NetworkError, SendError, SetupError};
use super::messages::{
    ClientConnected, ClientDisconnected, ClientId, Disconnect, Listening, StartBridge, StopBridge, To, ToClient,
    Wrapped,
};
use super::net::System;
use super::options::ServerOptions;
use super::protocol::{Member, Protocol, ToClientSide};
use super::reason::Reason;
use super::server_core::ServerCore;
use crate::traits::{Handle, Handler, New, Poller, Sender, Time, WriteError, Writer};
use std::fmt;
use std::sync::Arc;

/// A server of the protocol `P` on the bus. It is made from any configuration that is `AsRef<ServerOptions<P>>`.
///
/// It sends [`FromClient`](super::FromClient), [`Listening`], [`ClientConnected`] and [`ClientDisconnected`], and
/// handles [`ToClient`], [`Disconnect`], [`StartBridge`] and [`StopBridge`]. It reports what fails as
/// [`Report::Network`](crate::traits::Report::Network). If it cannot start with the messenger, the messenger fails.
pub struct Server<P: Protocol> {
    bridge: Bridge<ServerCore<P, System>, Self>,
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
        let clients = self.bridge.core.as_ref().map(|core| core.event_loop.len());
        f.debug_struct("Server").field("protocol", &P::NAME).field("clients", &clients).finish_non_exhaustive()
    }
}

impl<P: Protocol> Handler for Server<P> {
    type Id = u16;
    const ID: u16 = P::SERVER;

    fn on_start<W: Writer>(&mut self, writer: &W) {
        if self.bridge.options.autostart
            && let Err(error) = self.start(writer)
        {
            writer.fail(error);
        }
    }

    fn on_loop<W: Writer>(&mut self, writer: &W) {
        self.bridge.turn(writer);
    }

    fn on_stop(&mut self) {
        self.bridge.finish();
    }

    fn next_deadline(&self) -> Option<Time> {
        self.bridge.next_deadline()
    }

    fn poller(&self) -> Option<Arc<dyn Poller>> {
        self.bridge.poller()
    }
}

impl<P: Protocol, C: AsRef<ServerOptions<P>>> New<C> for Server<P> {
    fn new<W: Writer>(config: &C, writer: &W) -> Self {
        let options = config.as_ref().clone();
        let make = |net, options: &_, max_frame| Ok(ServerCore::new(net, options, max_frame));
        Server { bridge: Bridge::new(options, writer, make) }
    }
}

impl<P: Protocol> Server<P> {
    fn start<W: Writer>(&mut self, writer: &W) -> Result<(), SetupError> {
        let Some(core) = &mut self.bridge.core else { return Ok(()) };
        let address = core.start(&self.bridge.options)?;
        self.bridge.say(Event::Listening(Listening { port: address.port() }), writer);
        Ok(())
    }
}

impl<P: Protocol, M: Member<ToClientSide, Protocol = P>> Handle<ToClient<M>> for Server<P> {
    fn handle<W: Writer>(&mut self, message: &ToClient<M>, writer: &W) {
        let Some(core) = &mut self.bridge.core else { return };
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
        if let Some(core) = self.bridge.core_now(writer) {
            core.event_loop.disconnect(message.client.into());
        }
    }
}

impl<P: Protocol> Handle<StartBridge> for Server<P> {
    fn handle<W: Writer>(&mut self, _: &StartBridge, writer: &W) {
        if let Err(error) = self.start(writer) {
            report::<Self, W>(NetworkError::Start(error), writer);
        }
    }
}

impl<P: Protocol> Handle<StopBridge> for Server<P> {
    fn handle<W: Writer>(&mut self, _: &StopBridge, writer: &W) {
        self.bridge.stop(writer);
    }
}

impl<P: Protocol> Bridging for Server<P> {
    type Event = Event;
    type Who = ClientId;

    fn connected(client: ClientId) -> Event {
        Event::Connected(ClientConnected { client })
    }

    fn disconnected(client: ClientId, reason: Reason) -> Event {
        Event::Disconnected(ClientDisconnected { client, reason })
    }

    fn post<W: Writer>(event: Event, writer: &W) -> Result<(), WriteError> {
        match event {
            Event::Listening(event) => Self::try_send(&event, writer),
            Event::Connected(event) => Self::try_send(&event, writer),
            Event::Disconnected(event) => Self::try_send(&event, writer),
        }
    }

    fn publish<W: Writer>(to_bus: &mut ToBus<'_, Self, W>, client: ClientId, payload: &[u8]) -> Verdict {
        to_bus.publish::<P::ClientToServer>(Some(client), payload)
    }
}
