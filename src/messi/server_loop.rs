//! [`ServerLoop`]: a server without a bus, for plain programs.

use super::connection::Share;
use super::error::{NetworkError, SendError, SetupError};
use super::messages::ClientId;
use super::net::{Net, System};
use super::options::ServerOptions;
use super::protocol::Protocol;
use super::reason::Reason;
use super::run_loop::{Event, RunLoop};
use super::server_core::ServerCore;
use crate::traits::{Poller, Time};
use prost::Message;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What happens at a server.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServerEvent<P: Protocol> {
    /// A client has connected.
    Connected {
        /// Who.
        client: ClientId,
        /// From where.
        address: SocketAddr,
    },
    /// A client has sent a message.
    Message {
        /// Who.
        client: ClientId,
        /// What.
        message: P::ClientToServer,
    },
    /// A client's connection has ended. Comes once for each [`Connected`](Self::Connected), after all it sent.
    Disconnected {
        /// Whose.
        client: ClientId,
        /// Why.
        reason: Reason,
    },
    /// Something went wrong that concerns no client, or one that never connected.
    Trouble(NetworkError),
}

/// A server of the protocol `P` for programs without a bus.
///
/// It does nothing by itself: [`next`](Self::next) waits, reads, writes and answers pings, so call it again and again.
/// What is sent goes out in the next call, or when 64 KiB are queued, or with [`flush`](Self::flush).
///
/// Dropping it closes all connections as they are; [`finish`](Self::finish) lets them have what was sent before.
pub struct ServerLoop<P: Protocol, N: Net = System> {
    run: RunLoop<ServerCore<P, N>, ServerEvent<P>>,
}

impl<P: Protocol, N: Net> fmt::Debug for ServerLoop<P, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerLoop")
            .field("protocol", &P::NAME)
            .field("options", &self.run.options)
            .field("clients", &self.run.core.event_loop.len())
            .finish_non_exhaustive()
    }
}

impl<P: Protocol> ServerLoop<P> {
    /// A server that does not listen yet.
    ///
    /// # Errors
    ///
    /// [`SetupError::Poller`].
    pub fn new(options: ServerOptions<P>) -> Result<Self, SetupError> {
        Ok(Self::on(System::new().map_err(SetupError::Poller)?, options))
    }
}

impl<P: Protocol, N: Net> ServerLoop<P, N> {
    /// A server on another network than the system's.
    #[doc(hidden)]
    pub fn on(net: N, options: ServerOptions<P>) -> Self {
        let max_frame = options.max_frame.unwrap_or(options.connection.max_frame);
        ServerLoop { run: RunLoop::new(ServerCore::new(net, &options, max_frame), options) }
    }

    /// Begins to listen, unless it does already, and says where.
    ///
    /// # Errors
    ///
    /// [`SetupError`]: the URI is none, the address is not loopback and that is not allowed, or it is taken.
    pub fn start(&mut self) -> Result<SocketAddr, SetupError> {
        self.run.core.start(&self.run.options)
    }

    /// Stops listening and disconnects all clients, each after what is queued for it; their
    /// [`Disconnected`](ServerEvent::Disconnected) events follow. May be started again at once.
    pub fn stop(&mut self) {
        self.run.stop();
    }

    /// The next event, or `None` when there is none within `timeout`. `None`: waits for ever.
    #[inline]
    pub fn next(&mut self, timeout: Option<Duration>) -> Option<ServerEvent<P>> {
        self.run.next(timeout)
    }

    /// Sends to one client. A reply is `send(client, ..)` with the client of the message.
    ///
    /// # Errors
    ///
    /// [`SendError::Gone`], [`SendError::TooBig`]; and [`SendError::Full`], which ends the connection: the client does
    /// not read.
    pub fn send(&mut self, client: ClientId, message: &P::ServerToClient) -> Result<(), SendError> {
        let sent =
            self.run.core.try_send(client, Share::All, message.encoded_len(), |mut out| message.encode_raw(&mut out));
        if sent == Err(SendError::Full) {
            self.run.core.event_loop.give_up_slow(client.into());
        }
        sent
    }

    /// As [`send`](Self::send), but [`SendError::Full`] changes nothing: send again later. Takes half of what may be
    /// pending, so that the client is still read from.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    #[inline]
    pub fn try_send(&mut self, client: ClientId, message: &P::ServerToClient) -> Result<(), SendError> {
        self.run.core.try_send(client, Share::Half, message.encoded_len(), |mut out| message.encode_raw(&mut out))
    }

    /// Sends to all that are connected; those that do not read are disconnected. Returns how many get it.
    ///
    /// # Errors
    ///
    /// [`SendError::TooBig`] for a client's wire; the others get it.
    pub fn broadcast(&mut self, message: &P::ServerToClient) -> Result<usize, SendError> {
        self.run.core.broadcast(message.encoded_len(), |mut out| message.encode_raw(&mut out))
    }

    /// Ends one client's connection, after what is queued for it. False if it had ended before.
    pub fn disconnect(&mut self, client: ClientId) -> bool {
        self.run.core.event_loop.tell_time();
        self.run.core.event_loop.disconnect(client.into())
    }

    /// How many bytes wait for this client to read them; `None` if it is gone.
    pub fn pending(&self, client: ClientId) -> Option<usize> {
        self.run.core.event_loop.pending(client.into())
    }

    /// Who is connected.
    pub fn clients(&self) -> impl Iterator<Item = ClientId> + '_ {
        self.run.core.event_loop.ids().map(ClientId::from)
    }

    /// Sends what is queued, as far as it can be sent now.
    pub fn flush(&mut self) {
        self.run.flush();
    }

    /// When to call [`next`](Self::next) again, if nothing comes before: for those who wait in a place of their own.
    pub fn next_deadline(&self) -> Option<Time> {
        self.run.next_deadline()
    }

    /// What waits where [`next`](Self::next) waits; a [`notify`](Poller::notify) ends its wait, without an event.
    pub fn poller(&self) -> Arc<dyn Poller> {
        self.run.poller()
    }

    /// Stops, and waits until every client has read what was sent to it, for as long as connections may linger.
    pub fn finish(&mut self) {
        self.run.finish();
    }
}

impl<P: Protocol> Event for ServerEvent<P> {
    type Who = ClientId;
    type Message = P::ClientToServer;

    fn connected(client: ClientId, address: SocketAddr) -> Self {
        ServerEvent::Connected { client, address }
    }

    fn message(client: ClientId) -> Self {
        ServerEvent::Message { client, message: P::ClientToServer::default() }
    }

    fn message_mut(&mut self) -> Option<&mut P::ClientToServer> {
        if let ServerEvent::Message { message, .. } = self { Some(message) } else { None }
    }

    fn disconnected(client: ClientId, reason: Reason) -> Self {
        ServerEvent::Disconnected { client, reason }
    }

    fn trouble(trouble: NetworkError) -> Self {
        ServerEvent::Trouble(trouble)
    }
}
