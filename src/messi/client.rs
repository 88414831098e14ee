//! [`Client`]: the handler that bridges the bus to a Messi server.

use super::bridge::{Bridge, Bridging, largest_frame, post_all, report};
use super::client_loop::{ClientCore, ClientSink, Nobody};
use super::connection::{Share, Verdict};
use super::error::{NetworkError, SendError, StartError};
use super::messages::{Connected, Disconnected, Start, Stop, ToServer, Wrapped};
use super::net::System;
use super::options::ClientOptions;
use super::protocol::{Member, Protocol, ToServerSide};
use super::reason::Reason;
use crate::traits::{Handle, Handler, New, Poller, Sender, Time, WriteError, Writer};
use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// A client of the protocol `P` on the bus: made from any configuration that is `AsRef<ClientOptions<P>>`.
///
/// It sends [`FromServer`](super::FromServer), [`Connected`] and [`Disconnected`], and takes [`ToServer`], [`Start`]
/// and [`Stop`] from whoever is routed to it. It connects by itself, again and again. What is sent while there is no
/// connection is not kept: it is reported as [`Report::Network`](crate::traits::Report::Network), as is whatever else
/// it cannot do.
pub struct Client<P: Protocol> {
    /// None if it could not even be made, which was said.
    core: Option<ClientCore<P, System>>,
    /// Events for which the bus had no room. Messages wait behind them.
    waiting: VecDeque<Event>,
}

/// What a client says on its own account.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Connected,
    Disconnected(Reason),
}

impl<P: Protocol> fmt::Debug for Client<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connected = self.core.as_ref().is_some_and(|core| core.peer().is_some());
        f.debug_struct("Client").field("protocol", &P::NAME).field("connected", &connected).finish_non_exhaustive()
    }
}

impl<P: Protocol> Handler for Client<P> {
    type Id = u16;
    const ID: u16 = P::CLIENT;

    fn on_start<W: Writer>(&mut self, _: &W) {
        if let Some(core) = &mut self.core
            && core.options.autostart
        {
            core.start();
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

impl<P: Protocol, C: AsRef<ClientOptions<P>>> New<C> for Client<P> {
    fn new<W: Writer>(config: &C, writer: &W) -> Self {
        let options = config.as_ref().clone();
        let made = largest_frame(options.max_frame, options.connection.max_frame, writer.max_payload())
            .and_then(|max_frame| Ok((max_frame, System::of_this_thread().map_err(StartError::Poller)?)))
            .and_then(|(max_frame, net)| ClientCore::new(net, options, max_frame));
        let core = match made {
            Ok(core) => Some(core),
            Err(error) => {
                writer.fail(error);
                None
            }
        };
        Client { core, waiting: VecDeque::new() }
    }
}

impl<P: Protocol, M: Member<ToServerSide, Protocol = P>> Handle<ToServer<M>> for Client<P> {
    fn handle<W: Writer>(&mut self, message: &ToServer<M>, writer: &W) {
        let Some(core) = &mut self.core else { return };
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

impl<P: Protocol> Handle<Start> for Client<P> {
    fn handle<W: Writer>(&mut self, _: &Start, _: &W) {
        if let Some(core) = &mut self.core {
            core.start();
        }
    }
}

impl<P: Protocol> Handle<Stop> for Client<P> {
    fn handle<W: Writer>(&mut self, _: &Stop, writer: &W) {
        if let Some(core) = &mut self.core {
            // The last turn may be long ago.
            core.now = writer.now();
            core.stop();
        }
    }
}

impl<P: Protocol> Bridging for Client<P> {
    type Event = Event;

    fn post<W: Writer>(event: Event, writer: &W) -> Result<(), WriteError> {
        match event {
            Event::Connected => Self::try_send(&Connected {}, writer),
            Event::Disconnected(reason) => Self::try_send(&Disconnected { reason }, writer),
        }
    }
}

impl<P: Protocol, W: Writer> ClientSink for Bridge<'_, Client<P>, W> {
    fn connected(&mut self) {
        self.waiting.push_back(Event::Connected);
    }

    fn message(&mut self, payload: &[u8]) -> Verdict {
        self.publish::<P::ServerToClient>(None, payload)
    }

    fn disconnected(&mut self, peer: SocketAddr, reason: Reason) {
        self.report_end(peer, reason);
        self.waiting.push_back(Event::Disconnected(reason));
    }

    fn trouble(&mut self, trouble: NetworkError) {
        report::<Client<P>, W>(trouble, self.writer);
    }

    /// Not while the bus has no room to say so: what waits must stay bounded.
    fn connects(&self) -> bool {
        self.waiting.is_empty()
    }
}
