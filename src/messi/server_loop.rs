//! [`ServerLoop`]: a server without a bus, for plain programs; and what it shares with the handler.

use super::bell::Bell;
use super::connection::{Share, Verdict};
use super::error::{NetworkError, SendError, StartError};
use super::event_loop::{ACCEPTOR, EventLoop, PeerId, Sink};
use super::messages::{ClientId, IsSet};
use super::net::{Acceptor, Net, System};
use super::options::ServerOptions;
use super::protocol::{Protocol, Root};
use super::reason::Reason;
use super::wire::{Kind, Side};
use crate::traits::{Poller, Time};
use prost::Message;
use std::collections::VecDeque;
use std::fmt;
use std::io;
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

/// Frames that may be in one turn's worth of accepting: more come in the next.
const ACCEPTS: usize = 64;
/// The first and the last pause after a connection could not be taken.
const ACCEPT_PAUSE: [Duration; 2] = [Duration::from_millis(10), Duration::from_secs(1)];

/// A server of the protocol `P` for programs without a bus.
///
/// It does nothing by itself: [`next`](Self::next) waits, reads, writes and answers pings, so call it again and again.
/// What is sent goes out in the next call, or when 64 KiB are queued, or with [`flush`](Self::flush).
///
/// Dropping it closes all connections as they are; [`finish`](Self::finish) lets them have what was sent before.
pub struct ServerLoop<P: Protocol, N: Net = System> {
    core: ServerCore<P, N>,
    events: VecDeque<ServerEvent<P>>,
    bell: Arc<Bell>,
}

impl<P: Protocol, N: Net> fmt::Debug for ServerLoop<P, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerLoop")
            .field("protocol", &P::NAME)
            .field("options", &self.core.options)
            .field("clients", &self.core.event_loop.len())
            .finish_non_exhaustive()
    }
}

impl<P: Protocol> ServerLoop<P> {
    /// A server that does not listen yet.
    ///
    /// # Errors
    ///
    /// [`StartError::Poller`].
    pub fn new(options: ServerOptions<P>) -> Result<Self, StartError> {
        Ok(Self::on(System::new().map_err(StartError::Poller)?, options))
    }
}

impl<P: Protocol, N: Net> ServerLoop<P, N> {
    /// A server on another network than the system's.
    pub fn on(net: N, options: ServerOptions<P>) -> Self {
        let max_frame = options.max_frame.unwrap_or(options.connection.max_frame);
        let bell = Arc::new(Bell::new(net.poller()));
        ServerLoop { core: ServerCore::new(net, options, max_frame), events: VecDeque::new(), bell }
    }

    /// Begins to listen, unless it does already, and says where.
    ///
    /// # Errors
    ///
    /// [`StartError`]: the URI is none, the address is not loopback and that is not allowed, or it is taken.
    pub fn start(&mut self) -> Result<SocketAddr, StartError> {
        self.core.start()
    }

    /// Stops listening and disconnects all clients, each after what is queued for it; their
    /// [`Disconnected`](ServerEvent::Disconnected) events follow. May be started again at once.
    pub fn stop(&mut self) {
        self.core.tell_time();
        self.core.stop();
    }

    /// The next event, or `None` when there is none within `timeout`. `None`: waits for ever.
    #[inline]
    pub fn next(&mut self, timeout: Option<Duration>) -> Option<ServerEvent<P>> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        self.wait_for_next(timeout)
    }

    #[cold]
    fn wait_for_next(&mut self, timeout: Option<Duration>) -> Option<ServerEvent<P>> {
        let deadline = timeout.map(|timeout| self.core.tell_time() + timeout);
        loop {
            let is_rung = self.bell.was_rung();
            let mut queue = Queue(&mut self.events);
            self.core.wait(if is_rung { Some(Time::default()) } else { deadline }, &mut queue);
            self.core.turn(&mut queue);
            let event = self.events.pop_front();
            if event.is_some() || is_rung || deadline.is_some_and(|deadline| deadline <= self.core.now) {
                return event;
            }
        }
    }

    /// Sends to one client. A reply is `send(client, ..)` with the client of the message.
    ///
    /// # Errors
    ///
    /// [`SendError::Gone`], [`SendError::TooBig`]; and [`SendError::Full`], which ends the connection: the client does
    /// not read.
    pub fn send(&mut self, client: ClientId, message: &P::ServerToClient) -> Result<(), SendError> {
        let sent =
            self.core.try_send(client, Share::All, message.encoded_len(), |mut out| message.encode_raw(&mut out));
        if sent == Err(SendError::Full) {
            self.core.event_loop.give_up_slow(client.into());
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
        self.core.try_send(client, Share::Half, message.encoded_len(), |mut out| message.encode_raw(&mut out))
    }

    /// Sends to all that are connected; those that do not read are disconnected. Returns how many get it.
    ///
    /// # Errors
    ///
    /// [`SendError::TooBig`] for a client's wire; the others get it.
    pub fn broadcast(&mut self, message: &P::ServerToClient) -> Result<usize, SendError> {
        self.core.broadcast(message.encoded_len(), |mut out| message.encode_raw(&mut out))
    }

    /// Ends one client's connection, after what is queued for it. False if it had ended before.
    pub fn disconnect(&mut self, client: ClientId) -> bool {
        let now = self.core.tell_time();
        self.core.event_loop.disconnect(client.into(), now)
    }

    /// How many bytes wait for this client to read them; `None` if it is gone.
    pub fn pending(&self, client: ClientId) -> Option<usize> {
        self.core.event_loop.pending(client.into())
    }

    /// Who is connected.
    pub fn clients(&self) -> impl Iterator<Item = ClientId> + '_ {
        self.core.event_loop.ids().map(ClientId::from)
    }

    /// Sends what is queued, as far as it can be sent now.
    pub fn flush(&mut self) {
        self.core.tell_time();
        self.core.flush();
    }

    /// When to call [`next`](Self::next) again, if nothing comes before: for those who wait in a place of their own.
    pub fn next_deadline(&self) -> Option<Time> {
        self.core.next_deadline()
    }

    /// What waits where [`next`](Self::next) waits; a [`notify`](Poller::notify) ends its wait, without an event.
    pub fn poller(&self) -> Arc<dyn Poller> {
        Arc::clone(&self.bell) as Arc<dyn Poller>
    }

    /// Stops, and waits until every client has read what was sent to it, for as long as connections may linger.
    pub fn finish(&mut self) {
        self.stop();
        self.core.finish(&mut Queue(&mut self.events));
    }
}

/// Events of a turn, in order.
struct Queue<'a, P: Protocol>(&'a mut VecDeque<ServerEvent<P>>);

impl<P: Protocol> ServerSink for Queue<'_, P> {
    fn connected(&mut self, client: ClientId, address: SocketAddr) {
        self.0.push_back(ServerEvent::Connected { client, address });
    }

    #[inline]
    fn message(&mut self, client: ClientId, payload: &[u8]) -> Verdict {
        // Decoded where it will be taken from: moving a message costs as much as decoding it.
        self.0.push_back(ServerEvent::Message { client, message: P::ClientToServer::default() });
        let Some(ServerEvent::Message { message, .. }) = self.0.back_mut() else { return Verdict::Taken };
        let merged = message.merge(payload);
        if merged.is_err() || message.visit(IsSet).is_none() {
            self.0.pop_back();
        }
        if merged.is_err() { Verdict::Refused(Reason::MessageDecodeError) } else { Verdict::Taken }
    }

    fn disconnected(&mut self, client: ClientId, _: SocketAddr, reason: Reason) {
        self.0.push_back(ServerEvent::Disconnected { client, reason });
    }

    fn trouble(&mut self, trouble: NetworkError) {
        self.0.push_back(ServerEvent::Trouble(trouble));
    }
}

// --------------------------------------------------------------------------------------------------------------- core

/// Where a server's events go.
pub(super) trait ServerSink {
    fn connected(&mut self, client: ClientId, address: SocketAddr);
    fn message(&mut self, client: ClientId, payload: &[u8]) -> Verdict;
    fn disconnected(&mut self, client: ClientId, address: SocketAddr, reason: Reason);
    fn trouble(&mut self, trouble: NetworkError);

    /// Whether more clients may connect now.
    fn accepts(&self) -> bool {
        true
    }
}

/// Takes no notice.
pub(super) struct Nobody;

impl ServerSink for Nobody {
    fn connected(&mut self, _: ClientId, _: SocketAddr) {}

    fn message(&mut self, _: ClientId, _: &[u8]) -> Verdict {
        Verdict::Taken
    }

    fn disconnected(&mut self, _: ClientId, _: SocketAddr, _: Reason) {}

    fn trouble(&mut self, _: NetworkError) {}
}

/// A server that hands its events to a sink.
pub(super) struct ServerCore<P: Protocol, N: Net> {
    pub(super) options: ServerOptions<P>,
    pub(super) event_loop: EventLoop<N>,
    listener: Option<N::Acceptor>,
    /// After a connection could not be taken: when to try again, and how long the pause is.
    pause: Option<(Time, Duration)>,
    /// The time of the last turn.
    pub(super) now: Time,
    encoded: Vec<u8>,
}

impl<P: Protocol, N: Net> ServerCore<P, N> {
    pub(super) fn new(net: N, options: ServerOptions<P>, max_frame: usize) -> Self {
        let mut settings = options.connection.clone();
        settings.max_frame = max_frame;
        ServerCore {
            now: net.now(),
            event_loop: EventLoop::new(net, Side::Server, settings, options.linger, options.max_clients),
            options,
            listener: None,
            pause: None,
            encoded: Vec::new(),
        }
    }

    pub(super) fn start(&mut self) -> Result<SocketAddr, StartError> {
        let error = |error| StartError::Listen { uri: self.options.uri.clone(), error };
        if let Some(listener) = &self.listener {
            return listener.address().map_err(error);
        }
        let mut refused = io::ErrorKind::AddrNotAvailable.into();
        for address in self.options.addresses()? {
            match self.event_loop.net.listen(address) {
                Ok(mut listener) => {
                    listener.watch(ACCEPTOR, true).map_err(error)?;
                    let address = listener.address().map_err(error)?;
                    (self.listener, self.pause) = (Some(listener), None);
                    return Ok(address);
                }
                Err(error) => refused = error,
            }
        }
        Err(error(refused))
    }

    pub(super) fn stop(&mut self) {
        (self.listener, self.pause) = (None, None);
        self.event_loop.disconnect_all(self.now);
        self.flush();
    }

    /// The time, which is also that of what follows.
    pub(super) fn tell_time(&mut self) -> Time {
        self.now = self.event_loop.net.now();
        self.now
    }

    pub(super) fn flush(&mut self) {
        self.event_loop.flush(self.now);
    }

    /// Writes what is queued, then waits until a turn is worth it, or until `deadline`.
    pub(super) fn wait(&mut self, deadline: Option<Time>, sink: &mut impl ServerSink) {
        let deadline = [deadline, self.pause.map(|(until, _)| until)].into_iter().flatten().min();
        // Whoever comes here late must not wait until later still.
        let now = self.tell_time();
        self.event_loop.wait(now, deadline, &mut Clients(sink));
        self.tell_time();
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        [self.event_loop.next_deadline(), self.pause.map(|(until, _)| until)].into_iter().flatten().min()
    }

    /// Does what can be done now.
    pub(super) fn turn(&mut self, sink: &mut impl ServerSink) {
        let now = self.now;
        let mut accept = self.event_loop.turn(now, &mut Clients(sink));
        if let (Some(listener), Some((until, delay))) = (&mut self.listener, self.pause) {
            // An event from before the pause does not end it: nothing would be watched after it.
            accept = until <= now;
            if accept && listener.watch(ACCEPTOR, true).is_err() {
                self.pause = Some((now + delay, delay));
                accept = false;
            }
        }
        if accept {
            self.accept(sink);
        }
    }

    fn accept(&mut self, sink: &mut impl ServerSink) {
        let Some(listener) = &mut self.listener else { return };
        let mut refusal = None;
        for _ in 0..ACCEPTS {
            if !sink.accepts() {
                refusal = Some(ACCEPT_PAUSE[0]);
                break;
            }
            match listener.accept() {
                Ok((socket, address)) => {
                    self.pause = None;
                    let is_full = self.event_loop.len() >= self.options.max_clients || self.event_loop.has_no_keys();
                    if is_full || self.options.accept.as_ref().is_some_and(|accept| !accept(&address)) {
                        continue;
                    }
                    match self.options.layer.as_ref().map(|layer| layer.session(None)).transpose() {
                        Ok(session) => {
                            let deadline = self.now + self.options.connection.handshake_time;
                            self.event_loop.add(socket, address, session, false, self.now, deadline);
                        }
                        Err(error) => sink.trouble(NetworkError::Handshake { peer: address, error }),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // Whoever could not be taken before has gone away.
                    self.pause = None;
                    break;
                }
                // The one that wanted to come in has gone away again.
                Err(error) if is_about_one_connection(&error) => {}
                Err(error) => {
                    // Descriptors or memory are short, and the listener stays ready: without a pause a hot loop.
                    let [first, last] = ACCEPT_PAUSE;
                    refusal = Some(self.pause.map_or(first, |(_, delay)| (delay * 2).min(last)));
                    if self.pause.is_none() {
                        sink.trouble(NetworkError::Accept(error));
                    }
                    break;
                }
            }
        }
        if let Some(delay) = refusal {
            self.pause = Some((self.now + delay, delay));
            // Should that fail, too, the pause is just not kept.
            let _ = listener.watch(ACCEPTOR, false);
        }
    }

    #[inline]
    pub(super) fn try_send(
        &mut self,
        client: ClientId,
        share: Share,
        size: usize,
        encode: impl Fn(&mut [u8]),
    ) -> Result<(), SendError> {
        self.event_loop.send(client.into(), (Kind::ServerToClient, share), size, self.now, encode)
    }

    pub(super) fn broadcast(&mut self, size: usize, encode: impl Fn(&mut [u8])) -> Result<usize, SendError> {
        let mut encoded = std::mem::take(&mut self.encoded);
        encoded.resize(size, 0);
        encode(&mut encoded);
        let clients: Vec<PeerId> = self.event_loop.ids().collect();
        let mut reached = Ok(0);
        for client in clients {
            match self.try_send(client.into(), Share::All, size, |out| out.copy_from_slice(&encoded)) {
                Ok(()) => reached = reached.map(|count| count + 1),
                Err(SendError::Full) => self.event_loop.give_up_slow(client),
                Err(error @ SendError::TooBig { .. }) => reached = Err(error),
                Err(_) => {}
            }
        }
        encoded.truncate(KEPT);
        encoded.shrink_to(KEPT);
        self.encoded = encoded;
        reached
    }

    /// Waits until nobody lingers any more.
    pub(super) fn finish(&mut self, sink: &mut impl ServerSink) {
        let deadline = self.tell_time() + self.options.linger;
        while !self.event_loop.is_silent() && self.now < deadline {
            self.wait(Some(deadline), sink);
            self.turn(sink);
        }
    }
}

/// Memory that is kept for the next broadcast, in bytes.
const KEPT: usize = 64 << 10;

/// Whether an error of `accept` says nothing about the next one.
fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

struct Clients<'a, S>(&'a mut S);

impl<S: ServerSink> Sink for Clients<'_, S> {
    fn opened(&mut self, peer: PeerId, address: SocketAddr) {
        self.0.connected(peer.into(), address);
    }

    fn failed(&mut self, _: PeerId, peer: SocketAddr, error: io::Error) {
        self.0.trouble(NetworkError::Handshake { peer, error });
    }

    #[inline]
    fn message(&mut self, peer: PeerId, payload: &[u8]) -> Verdict {
        self.0.message(peer.into(), payload)
    }

    fn closed(&mut self, peer: PeerId, address: SocketAddr, reason: Reason) {
        self.0.disconnected(peer.into(), address, reason);
    }
}
