//! [`Client`]: the handler that bridges the bus to a Messi server.

use super::bridge::{Bridge, Bridging, ToBus, report};
use super::client_core::ClientCore;
use super::connection::{Share, Verdict};
use super::error::{NetworkError, SendError};
use super::messages::{Connected, Disconnected, StartBridge, StopBridge, ToServer, Wrapped};
use super::net::System;
use super::options::ClientOptions;
use super::protocol::{Member, Protocol, ToServerSide};
use super::reason::Reason;
use crate::traits::{Handle, Handler, New, Poller, Sender, Time, WriteError, Writer};
use std::fmt;
use std::sync::Arc;

/// A client of the protocol `P` on the bus. It is made from any configuration that is `AsRef<ClientOptions<P>>`.
///
/// It sends [`FromServer`](super::FromServer), [`Connected`] and [`Disconnected`], and handles [`ToServer`],
/// [`StartBridge`] and [`StopBridge`]. It connects, and reconnects, by itself. It keeps no message that it is to send
/// while it has no connection: it reports that, and all else that fails, as
/// [`Report::Network`](crate::traits::Report::Network).
pub struct Client<P: Protocol> {
    bridge: Bridge<ClientCore<P, System>, Self>,
}

/// What a client says on its own account.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Connected,
    Disconnected(Reason),
}

impl<P: Protocol> fmt::Debug for Client<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connected = self.bridge.core.as_ref().is_some_and(|core| core.peer().is_some());
        f.debug_struct("Client").field("protocol", &P::NAME).field("connected", &connected).finish_non_exhaustive()
    }
}

impl<P: Protocol> Handler for Client<P> {
    type Id = u16;
    const ID: u16 = P::CLIENT;

    fn on_start<W: Writer>(&mut self, _: &W) {
        if let Some(core) = &mut self.bridge.core
            && self.bridge.options.autostart
        {
            core.start();
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

impl<P: Protocol, C: AsRef<ClientOptions<P>>> New<C> for Client<P> {
    fn new<W: Writer>(config: &C, writer: &W) -> Self {
        Client { bridge: Bridge::new(config.as_ref().clone(), writer, ClientCore::new) }
    }
}

impl<P: Protocol, M: Member<ToServerSide, Protocol = P>> Handle<ToServer<M>> for Client<P> {
    fn handle<W: Writer>(&mut self, message: &ToServer<M>, writer: &W) {
        let Some(core) = &mut self.bridge.core else { return };
        let payload = Wrapped::new(&message.message);
        let sent = core.try_send(Share::All, payload.size(), |out| payload.encode(out));
        if sent == Err(SendError::Full) {
            core.give_up_slow();
        }
        if let Err(error) = sent {
            report::<Self, W>(NetworkError::Unsent(error), writer);
        }
    }
}

impl<P: Protocol> Handle<StartBridge> for Client<P> {
    fn handle<W: Writer>(&mut self, _: &StartBridge, _: &W) {
        if let Some(core) = &mut self.bridge.core {
            core.start();
        }
    }
}

impl<P: Protocol> Handle<StopBridge> for Client<P> {
    fn handle<W: Writer>(&mut self, _: &StopBridge, writer: &W) {
        self.bridge.stop(writer);
    }
}

impl<P: Protocol> Bridging for Client<P> {
    type Event = Event;
    type Who = ();

    fn connected((): ()) -> Event {
        Event::Connected
    }

    fn disconnected((): (), reason: Reason) -> Event {
        Event::Disconnected(reason)
    }

    fn post<W: Writer>(event: Event, writer: &W) -> Result<(), WriteError> {
        match event {
            Event::Connected => Self::try_send(&Connected {}, writer),
            Event::Disconnected(reason) => Self::try_send(&Disconnected { reason }, writer),
        }
    }

    fn publish<W: Writer>(to_bus: &mut ToBus<'_, Self, W>, (): (), payload: &[u8]) -> Verdict {
        to_bus.publish::<P::ServerToClient>(None, payload)
    }
}
