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

/// An event of a [`ServerLoop`].
#[derive(Debug)]
#[non_exhaustive]
pub enum ServerEvent<P: Protocol> {
    /// A client has connected.
    Connected {
        /// The client.
        client: ClientId,
        /// Its address.
        address: SocketAddr,
    },
    /// A client has sent a message.
    Message {
        /// The client.
        client: ClientId,
        /// The message.
        message: P::ClientToServer,
    },
    /// A client's connection has ended. Comes once for each [`Connected`](Self::Connected), after all that the client
    /// sent.
    Disconnected {
        /// The client.
        client: ClientId,
        /// Why it ended.
        reason: Reason,
    },
    /// A failure that concerns no client, or one that never connected.
    Trouble(NetworkError),
}

/// A server of the protocol `P` for programs without a bus.
///
/// It does nothing by itself: [`next`](Self::next) waits, reads, writes and answers pings, so call it again and again.
/// It sends queued messages in the next call, when 64 KiB are queued, and in [`flush`](Self::flush).
///
/// Dropping it closes all connections at once; [`finish`](Self::finish) sends what is queued first.
///
/// ```no_run
/// use rust_messenger::messi::{Protocol, ServerEvent, ServerLoop, ServerOptions};
///
/// /// Sends every client the same, whatever it says.
/// fn parrot<Chat: Protocol>(said: &Chat::ServerToClient) -> Result<(), Box<dyn std::error::Error>> {
///     let mut server = ServerLoop::new(ServerOptions::<Chat>::new("tcp://127.0.0.1:4000"))?;
///     server.start()?;
///     loop {
///         match server.next(None) {
///             Some(ServerEvent::Message { client, .. }) => server.send(client, said)?,
///             Some(ServerEvent::Trouble(error)) => println!("{error}"),
///             _ => {}
///         }
///     }
/// }
/// ```
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
    /// Makes a server. [`start`](Self::start) lets it listen.
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

    /// Begins to listen, unless it has begun, and returns the address.
    ///
    /// # Errors
    ///
    /// [`SetupError`]: the URI is malformed, the address is not loopback and the options do not allow that, or it is
    /// taken.
    pub fn start(&mut self) -> Result<SocketAddr, SetupError> {
        self.run.core.start(&self.run.options)
    }

    /// Stops listening, sends what is queued for each client, and disconnects it; the
    /// [`Disconnected`](ServerEvent::Disconnected) events follow. You may start it again at once.
    pub fn stop(&mut self) {
        self.run.stop();
    }

    /// Waits for the next event, for `timeout` at most; `None`: without limit. Returns `None` when the timeout has
    /// passed, or a [`notify`](Poller::notify) ended the wait.
    #[inline]
    pub fn next(&mut self, timeout: Option<Duration>) -> Option<ServerEvent<P>> {
        self.run.next(timeout)
    }

    /// Queues `message` for one client. To reply, pass the client of the message.
    ///
    /// # Errors
    ///
    /// [`SendError::Gone`]. [`SendError::TooBig`]. [`SendError::Full`]: the client does not read, and the server ends
    /// the connection.
    pub fn send(&mut self, client: ClientId, message: &P::ServerToClient) -> Result<(), SendError> {
        let sent =
            self.run.core.try_send(client, Share::All, message.encoded_len(), |mut out| message.encode_raw(&mut out));
        if sent == Err(SendError::Full) {
            self.run.core.event_loop.give_up_slow(client.into());
        }
        sent
    }

    /// As [`send`](Self::send), but [`SendError::Full`] changes nothing: send again later. It uses only half of
    /// `max_pending`, so the server goes on reading from the client.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    #[inline]
    pub fn try_send(&mut self, client: ClientId, message: &P::ServerToClient) -> Result<(), SendError> {
        self.run.core.try_send(client, Share::Half, message.encoded_len(), |mut out| message.encode_raw(&mut out))
    }

    /// Queues `message` for all connected clients, and disconnects those that do not read. Returns for how many it is
    /// queued.
    ///
    /// # Errors
    ///
    /// [`SendError::TooBig`] for the wire of one client; the others get the message.
    pub fn broadcast(&mut self, message: &P::ServerToClient) -> Result<usize, SendError> {
        self.run.core.broadcast(message.encoded_len(), |mut out| message.encode_raw(&mut out))
    }

    /// Sends what is queued for one client, and ends its connection. Returns false if it had ended before.
    pub fn disconnect(&mut self, client: ClientId) -> bool {
        self.run.core.event_loop.tell_time();
        self.run.core.event_loop.disconnect(client.into())
    }

    /// How many bytes wait for this client to read them; `None` if it is gone.
    pub fn pending(&self, client: ClientId) -> Option<usize> {
        self.run.core.event_loop.pending(client.into())
    }

    /// The connected clients.
    pub fn clients(&self) -> impl Iterator<Item = ClientId> + '_ {
        self.run.core.event_loop.ids().map(ClientId::from)
    }

    /// Sends what is queued, as far as the sockets take it now.
    pub fn flush(&mut self) {
        self.run.flush();
    }

    /// When to call [`next`](Self::next) again at the latest, if you wait elsewhere; `None`: when something comes.
    pub fn next_deadline(&self) -> Option<Time> {
        self.run.next_deadline()
    }

    /// The poller in which [`next`](Self::next) waits. Its [`notify`](Poller::notify) ends that wait without an event.
    pub fn poller(&self) -> Arc<dyn Poller> {
        self.run.poller()
    }

    /// Stops, and waits until every client has read everything, for as long as the options let connections linger.
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
