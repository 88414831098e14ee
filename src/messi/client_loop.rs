//! [`ClientLoop`]: a client without a bus, for plain programs.

use super::client_core::ClientCore;
use super::connection::Share;
use super::error::{NetworkError, SendError, SetupError};
use super::net::{Net, System};
use super::options::ClientOptions;
use super::protocol::Protocol;
use super::reason::Reason;
use super::run_loop::{Event, RunLoop};
use crate::traits::{Poller, Time};
use prost::Message;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What happens at a client.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent<P: Protocol> {
    /// The server is connected.
    Connected,
    /// The server has sent a message.
    Message(P::ServerToClient),
    /// The connection has ended. Comes once for each [`Connected`](Self::Connected), after all that the server sent.
    Disconnected(Reason),
    /// The server could not be connected to. The next attempt follows, unless reconnecting is switched off.
    Trouble(NetworkError),
}

/// A client of the protocol `P` for programs without a bus.
///
/// It does nothing by itself: [`next`](Self::next) connects, waits, reads, writes and pings, so call it again and
/// again. What is sent goes out in the next call, or when 64 KiB are queued, or with [`flush`](Self::flush).
pub struct ClientLoop<P: Protocol, N: Net = System> {
    run: RunLoop<ClientCore<P, N>, ClientEvent<P>>,
}

impl<P: Protocol, N: Net> fmt::Debug for ClientLoop<P, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientLoop")
            .field("protocol", &P::NAME)
            .field("options", &self.run.options)
            .field("connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}

impl<P: Protocol> ClientLoop<P> {
    /// A client that does not connect yet.
    ///
    /// # Errors
    ///
    /// [`SetupError`]: the URI is none, or the options make no sense for a client.
    pub fn new(options: ClientOptions<P>) -> Result<Self, SetupError> {
        Self::on(System::new().map_err(SetupError::Poller)?, options)
    }
}

impl<P: Protocol, N: Net> ClientLoop<P, N> {
    /// A client on another network than the system's.
    ///
    /// # Errors
    ///
    /// As [`new`](ClientLoop::new).
    #[doc(hidden)]
    pub fn on(net: N, options: ClientOptions<P>) -> Result<Self, SetupError> {
        let max_frame = options.max_frame.unwrap_or(options.connection.max_frame);
        Ok(ClientLoop { run: RunLoop::new(ClientCore::new(net, &options, max_frame)?, options) })
    }

    /// Begins to connect, unless it did already.
    pub fn start(&mut self) {
        self.run.core.start();
    }

    /// Ends the connection, after what is queued, and connects no more; [`Disconnected`](ClientEvent::Disconnected)
    /// follows if it was connected. May be started again at once.
    pub fn stop(&mut self) {
        self.run.stop();
    }

    /// Whether the server is connected.
    pub fn is_connected(&self) -> bool {
        self.run.core.peer().is_some()
    }

    /// The next event, or `None` when there is none within `timeout`. `None`: waits for ever.
    #[inline]
    pub fn next(&mut self, timeout: Option<Duration>) -> Option<ClientEvent<P>> {
        self.run.next(timeout)
    }

    /// Sends to the server.
    ///
    /// # Errors
    ///
    /// [`SendError::NotConnected`]: it is not kept for later; [`SendError::TooBig`]; and [`SendError::Full`], which
    /// ends the connection: the server does not read.
    pub fn send(&mut self, message: &P::ClientToServer) -> Result<(), SendError> {
        let sent = self.run.core.try_send(Share::All, message.encoded_len(), |mut out| message.encode_raw(&mut out));
        if sent == Err(SendError::Full) {
            self.run.core.give_up_slow();
        }
        sent
    }

    /// As [`send`](Self::send), but [`SendError::Full`] changes nothing: send again later. Takes half of what may be
    /// pending, so that the server is still read from.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    #[inline]
    pub fn try_send(&mut self, message: &P::ClientToServer) -> Result<(), SendError> {
        self.run.core.try_send(Share::Half, message.encoded_len(), |mut out| message.encode_raw(&mut out))
    }

    /// How many bytes wait for the server to read them; `None` without a connection.
    pub fn pending(&self) -> Option<usize> {
        self.run.core.event_loop.pending(self.run.core.peer()?)
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

    /// Stops, and waits until the server has read what was sent to it, for as long as a connection may linger.
    pub fn finish(&mut self) {
        self.run.finish();
    }
}

impl<P: Protocol> Event for ClientEvent<P> {
    type Who = ();
    type Message = P::ServerToClient;

    fn connected((): (), _: SocketAddr) -> Self {
        ClientEvent::Connected
    }

    fn message((): ()) -> Self {
        ClientEvent::Message(P::ServerToClient::default())
    }

    fn message_mut(&mut self) -> Option<&mut P::ServerToClient> {
        if let ClientEvent::Message(message) = self { Some(message) } else { None }
    }

    fn disconnected((): (), reason: Reason) -> Self {
        ClientEvent::Disconnected(reason)
    }

    fn trouble(trouble: NetworkError) -> Self {
        ClientEvent::Trouble(trouble)
    }
}
