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

/// An event of a [`ClientLoop`].
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent<P: Protocol> {
    /// The client has connected to the server.
    Connected,
    /// The server has sent a message.
    Message(P::ServerToClient),
    /// The connection has ended. Comes once for each [`Connected`](Self::Connected), after all that the server sent.
    Disconnected(Reason),
    /// An attempt to connect failed. The next one follows, unless the options say
    /// [`Reconnect::Never`](super::Reconnect::Never).
    Trouble(NetworkError),
}

/// A client of the protocol `P` for programs without a bus.
///
/// It does nothing by itself: [`next`](Self::next) connects, waits, reads, writes and pings, so call it again and
/// again. It sends queued messages in the next call, when 64 KiB are queued, and in [`flush`](Self::flush).
///
/// ```no_run
/// use rust_messenger::messi::{ClientEvent, ClientLoop, ClientOptions, Protocol};
/// use std::error::Error;
///
/// /// Says one thing, and returns the answer.
/// fn ask<Chat: Protocol>(question: &Chat::ClientToServer) -> Result<Chat::ServerToClient, Box<dyn Error>> {
///     let mut client = ClientLoop::new(ClientOptions::<Chat>::new("tcp://127.0.0.1:4000"))?;
///     client.start();
///     loop {
///         match client.next(None) {
///             Some(ClientEvent::Connected) => client.send(question)?,
///             Some(ClientEvent::Message(answer)) => return Ok(answer),
///             Some(ClientEvent::Disconnected(reason)) => return Err(reason.to_string().into()),
///             Some(ClientEvent::Trouble(error)) => println!("{error}"), // It tries again.
///             _ => {}
///         }
///     }
/// }
/// ```
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
    /// Makes a client. [`start`](Self::start) connects it.
    ///
    /// # Errors
    ///
    /// [`SetupError`]: the URI is malformed, or the options make no sense for a client.
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

    /// Begins to connect, unless it has begun.
    pub fn start(&mut self) {
        self.run.core.start();
    }

    /// Sends what is queued, ends the connection, and connects no more. If it was connected,
    /// [`Disconnected`](ClientEvent::Disconnected) follows. You may start it again at once.
    pub fn stop(&mut self) {
        self.run.stop();
    }

    /// Whether the server is connected.
    pub fn is_connected(&self) -> bool {
        self.run.core.peer().is_some()
    }

    /// Waits for the next event, for `timeout` at most; `None`: without limit. Returns `None` when the timeout has
    /// passed, or a [`notify`](Poller::notify) ended the wait.
    #[inline]
    pub fn next(&mut self, timeout: Option<Duration>) -> Option<ClientEvent<P>> {
        self.run.next(timeout)
    }

    /// Queues `message` for the server.
    ///
    /// # Errors
    ///
    /// [`SendError::NotConnected`]: the client keeps no message for later. [`SendError::TooBig`]. [`SendError::Full`]:
    /// the server does not read, and the client ends the connection.
    pub fn send(&mut self, message: &P::ClientToServer) -> Result<(), SendError> {
        let sent = self.run.core.try_send(Share::All, message.encoded_len(), |mut out| message.encode_raw(&mut out));
        if sent == Err(SendError::Full) {
            self.run.core.give_up_slow();
        }
        sent
    }

    /// As [`send`](Self::send), but [`SendError::Full`] changes nothing: send again later. It uses only half of
    /// `max_pending`, so the client goes on reading from the server.
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

    /// Sends what is queued, as far as the socket takes it now.
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

    /// Stops, and waits until the server has read everything, for as long as the options let a connection linger.
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
