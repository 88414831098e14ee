//! [`ClientLoop`]: a client without a bus, for plain programs; and what it shares with the handler.

use super::address::HostPort;
use super::bell::Bell;
use super::connection::{Share, Verdict};
use super::error::{NetworkError, SendError, StartError};
use super::event_loop::{EventLoop, PeerId, Sink};
use super::messages::IsSet;
use super::net::{Lookup, Net, System};
use super::options::{ClientOptions, Reconnect};
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
use std::sync::mpsc::TryRecvError;
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
    core: ClientCore<P, N>,
    events: VecDeque<ClientEvent<P>>,
    bell: Arc<Bell>,
}

impl<P: Protocol, N: Net> fmt::Debug for ClientLoop<P, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientLoop")
            .field("protocol", &P::NAME)
            .field("options", &self.core.options)
            .field("connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}

impl<P: Protocol> ClientLoop<P> {
    /// A client that does not connect yet.
    ///
    /// # Errors
    ///
    /// [`StartError`]: the URI is none, or the options make no sense for a client.
    pub fn new(options: ClientOptions<P>) -> Result<Self, StartError> {
        Self::on(System::new().map_err(StartError::Poller)?, options)
    }
}

impl<P: Protocol, N: Net> ClientLoop<P, N> {
    /// A client on another network than the system's.
    ///
    /// # Errors
    ///
    /// As [`new`](ClientLoop::new).
    pub fn on(net: N, options: ClientOptions<P>) -> Result<Self, StartError> {
        let max_frame = options.max_frame.unwrap_or(options.connection.max_frame);
        let bell = Arc::new(Bell::new(net.poller()));
        Ok(ClientLoop { core: ClientCore::new(net, options, max_frame)?, events: VecDeque::new(), bell })
    }

    /// Begins to connect, unless it did already.
    pub fn start(&mut self) {
        self.core.start();
    }

    /// Ends the connection, after what is queued, and connects no more; [`Disconnected`](ClientEvent::Disconnected)
    /// follows if it was connected. May be started again at once.
    pub fn stop(&mut self) {
        self.core.tell_time();
        self.core.stop();
    }

    /// Whether the server is connected.
    pub fn is_connected(&self) -> bool {
        self.core.peer().is_some()
    }

    /// The next event, or `None` when there is none within `timeout`. `None`: waits for ever.
    #[inline]
    pub fn next(&mut self, timeout: Option<Duration>) -> Option<ClientEvent<P>> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        self.wait_for_next(timeout)
    }

    #[cold]
    fn wait_for_next(&mut self, timeout: Option<Duration>) -> Option<ClientEvent<P>> {
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

    /// Sends to the server.
    ///
    /// # Errors
    ///
    /// [`SendError::NotConnected`]: it is not kept for later; [`SendError::TooBig`]; and [`SendError::Full`], which
    /// ends the connection: the server does not read.
    pub fn send(&mut self, message: &P::ClientToServer) -> Result<(), SendError> {
        let sent = self.core.try_send(Share::All, message.encoded_len(), |mut out| message.encode_raw(&mut out));
        if sent == Err(SendError::Full) {
            self.core.give_up_slow();
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
        self.core.try_send(Share::Half, message.encoded_len(), |mut out| message.encode_raw(&mut out))
    }

    /// How many bytes wait for the server to read them; `None` without a connection.
    pub fn pending(&self) -> Option<usize> {
        self.core.event_loop.pending(self.core.peer()?)
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

    /// Stops, and waits until the server has read what was sent to it, for as long as a connection may linger.
    pub fn finish(&mut self) {
        self.stop();
        self.core.finish(&mut Queue(&mut self.events));
    }
}

/// Events of a turn, in order.
struct Queue<'a, P: Protocol>(&'a mut VecDeque<ClientEvent<P>>);

impl<P: Protocol> ClientSink for Queue<'_, P> {
    fn connected(&mut self) {
        self.0.push_back(ClientEvent::Connected);
    }

    #[inline]
    fn message(&mut self, payload: &[u8]) -> Verdict {
        // Decoded where it will be taken from: moving a message costs as much as decoding it.
        self.0.push_back(ClientEvent::Message(P::ServerToClient::default()));
        let Some(ClientEvent::Message(message)) = self.0.back_mut() else { return Verdict::Taken };
        let merged = message.merge(payload);
        if merged.is_err() || message.visit(IsSet).is_none() {
            self.0.pop_back();
        }
        if merged.is_err() { Verdict::Refused(Reason::MessageDecodeError) } else { Verdict::Taken }
    }

    fn disconnected(&mut self, _: SocketAddr, reason: Reason) {
        self.0.push_back(ClientEvent::Disconnected(reason));
    }

    fn trouble(&mut self, trouble: NetworkError) {
        self.0.push_back(ClientEvent::Trouble(trouble));
    }
}

// --------------------------------------------------------------------------------------------------------------- core

/// Where a client's events go.
pub(super) trait ClientSink {
    fn connected(&mut self);
    fn message(&mut self, payload: &[u8]) -> Verdict;
    fn disconnected(&mut self, address: SocketAddr, reason: Reason);
    fn trouble(&mut self, trouble: NetworkError);

    /// Whether to connect now.
    fn connects(&self) -> bool {
        true
    }
}

/// How long to wait until asking again whether to connect.
const CONNECT_PAUSE: Duration = Duration::from_millis(10);

/// Takes no notice.
pub(super) struct Nobody;

impl ClientSink for Nobody {
    fn connected(&mut self) {}

    fn message(&mut self, _: &[u8]) -> Verdict {
        Verdict::Taken
    }

    fn disconnected(&mut self, _: SocketAddr, _: Reason) {}

    fn trouble(&mut self, _: NetworkError) {}
}

/// A client that hands its events to a sink.
pub(super) struct ClientCore<P: Protocol, N: Net> {
    pub(super) options: ClientOptions<P>,
    target: HostPort,
    pub(super) event_loop: EventLoop<N>,
    state: State,
    /// Failures since the last healthy connection.
    failures: u32,
    /// The time of the last turn.
    pub(super) now: Time,
}

enum State {
    Stopped,
    /// Until it is time to connect again.
    Waiting {
        until: Time,
    },
    /// Looked at for the first time at once, then whenever something has woken us.
    Resolving {
        lookup: Lookup,
        looked: bool,
    },
    /// `rest` is tried next, last to first.
    Connecting {
        peer: PeerId,
        rest: Vec<SocketAddr>,
    },
    Open {
        peer: PeerId,
        since: Time,
    },
}

impl<P: Protocol, N: Net> ClientCore<P, N> {
    pub(super) fn new(net: N, options: ClientOptions<P>, max_frame: usize) -> Result<Self, StartError> {
        let target = options.target()?;
        let mut settings = options.connection.clone();
        settings.max_frame = max_frame;
        Ok(ClientCore {
            now: net.now(),
            event_loop: EventLoop::new(net, Side::Client, settings, options.linger, 1),
            options,
            target,
            state: State::Stopped,
            failures: 0,
        })
    }

    pub(super) fn start(&mut self) {
        if let State::Stopped = self.state {
            self.failures = 0;
            self.resolve();
        }
    }

    pub(super) fn stop(&mut self) {
        self.state = State::Stopped;
        self.event_loop.disconnect_all(self.now);
        self.flush();
    }

    pub(super) fn peer(&self) -> Option<PeerId> {
        match self.state {
            State::Open { peer, .. } => Some(peer),
            _ => None,
        }
    }

    pub(super) fn tell_time(&mut self) -> Time {
        self.now = self.event_loop.net.now();
        self.now
    }

    pub(super) fn flush(&mut self) {
        self.event_loop.flush(self.now);
    }

    /// Writes what is queued, then waits until a turn is worth it, or until `deadline`.
    pub(super) fn wait(&mut self, deadline: Option<Time>, sink: &mut impl ClientSink) {
        let deadline = [deadline, self.own_deadline()].into_iter().flatten().min();
        let mut server = Server { sink, current: None, news: None };
        self.now = self.event_loop.net.now();
        self.event_loop.wait(self.now, deadline, &mut server);
        self.tell_time();
    }

    fn own_deadline(&self) -> Option<Time> {
        match self.state {
            State::Waiting { until } => Some(until),
            State::Resolving { looked: false, .. } => Some(Time::default()),
            _ => None,
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        [self.event_loop.next_deadline(), self.own_deadline()].into_iter().flatten().min()
    }

    #[inline]
    pub(super) fn try_send(&mut self, share: Share, size: usize, encode: impl Fn(&mut [u8])) -> Result<(), SendError> {
        let State::Open { peer, .. } = self.state else { return Err(SendError::NotConnected) };
        let sent = self.event_loop.send(peer, (Kind::ClientToServer, share), size, self.now, encode);
        // It has ended, and that is not said yet.
        if sent == Err(SendError::Gone) { Err(SendError::NotConnected) } else { sent }
    }

    pub(super) fn give_up_slow(&mut self) {
        if let Some(peer) = self.peer() {
            self.event_loop.give_up_slow(peer);
        }
    }

    /// Does what can be done now.
    pub(super) fn turn(&mut self, sink: &mut impl ClientSink) {
        self.look_up(sink);
        let mut server = Server { sink, current: self.current(), news: None };
        self.event_loop.turn(self.now, &mut server);
        let news = server.news;
        match (news, std::mem::replace(&mut self.state, State::Stopped)) {
            (None, state) => self.state = state,
            (Some(News::Opened), State::Connecting { peer, .. }) => {
                self.state = State::Open { peer, since: self.now };
            }
            (Some(News::Failed(error)), State::Connecting { rest, .. }) => self.connect(rest, Some(error), sink),
            (Some(News::Closed), State::Open { since, .. }) => {
                if let Reconnect::Backoff { healthy, .. } = self.options.reconnect
                    && self.now.since(since) >= healthy
                {
                    self.failures = 0;
                }
                self.wait_for_next();
            }
            // It opened and closed within one turn.
            (Some(News::Closed), State::Connecting { .. }) => self.wait_for_next(),
            (Some(_), state) => self.state = state,
        }
    }

    fn current(&self) -> Option<PeerId> {
        match self.state {
            State::Connecting { peer, .. } | State::Open { peer, .. } => Some(peer),
            _ => None,
        }
    }

    fn look_up(&mut self, sink: &mut impl ClientSink) {
        if let State::Waiting { until } = self.state
            && until <= self.now
        {
            if sink.connects() {
                self.resolve();
            } else {
                self.state = State::Waiting { until: self.now + CONNECT_PAUSE };
            }
        }
        let State::Resolving { lookup, looked } = &mut self.state else { return };
        *looked = true;
        match lookup.try_recv() {
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => self.connect(Vec::new(), None, sink),
            Ok(Err(error)) => self.connect(Vec::new(), Some(error), sink),
            Ok(Ok(mut addresses)) => {
                addresses.reverse();
                self.connect(addresses, None, sink);
            }
        }
    }

    fn resolve(&mut self) {
        self.state = State::Resolving { lookup: self.event_loop.net.resolve(&self.target), looked: false };
    }

    /// Tries the next of the addresses, or gives up for now.
    fn connect(&mut self, mut rest: Vec<SocketAddr>, refusal: Option<io::Error>, sink: &mut impl ClientSink) {
        let mut refusal = refusal.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        while let Some(address) = rest.pop() {
            let session = self.options.layer.as_ref().map(|layer| layer.session(Some(self.target.host()))).transpose();
            let made = session.and_then(|session| Ok((session, self.event_loop.net.connect(address)?)));
            match made {
                Ok((session, socket)) => {
                    let deadline = self.now + self.options.connect_time;
                    let peer = self.event_loop.add(socket, address, session, true, self.now, deadline);
                    self.flush();
                    self.state = State::Connecting { peer, rest };
                    return;
                }
                Err(error) => refusal = error,
            }
        }
        sink.trouble(NetworkError::Connect { uri: self.options.uri.clone(), error: refusal });
        self.wait_for_next();
    }

    fn wait_for_next(&mut self) {
        let delay = match self.options.reconnect {
            Reconnect::Never => {
                self.state = State::Stopped;
                return;
            }
            Reconnect::Constant(delay) => delay,
            Reconnect::Backoff { from, to, .. } => {
                let limit = from.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(to);
                self.failures = self.failures.saturating_add(1);
                // Full jitter: clients that lost one server together do not come back together.
                let nanos = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
                Duration::from_nanos(self.event_loop.net.random() % nanos.saturating_add(1).max(1))
            }
        };
        self.state = State::Waiting { until: self.now + delay };
    }

    /// Waits until what was sent before the stop is read.
    pub(super) fn finish(&mut self, sink: &mut impl ClientSink) {
        let deadline = self.tell_time() + self.options.linger;
        while !self.event_loop.is_silent() && self.now < deadline {
            self.wait(Some(deadline), sink);
            self.turn(sink);
        }
    }
}

/// What became of the connection in a turn.
enum News {
    Opened,
    Failed(io::Error),
    Closed,
}

/// The one peer of a client. What became of an earlier one is said, but changes nothing.
struct Server<'a, S> {
    sink: &'a mut S,
    current: Option<PeerId>,
    news: Option<News>,
}

impl<S: ClientSink> Sink for Server<'_, S> {
    fn opened(&mut self, peer: PeerId, _: SocketAddr) {
        if self.current == Some(peer) {
            self.news = Some(News::Opened);
        }
        self.sink.connected();
    }

    fn failed(&mut self, peer: PeerId, _: SocketAddr, error: io::Error) {
        if self.current == Some(peer) {
            self.news = Some(News::Failed(error));
        }
    }

    #[inline]
    fn message(&mut self, _: PeerId, payload: &[u8]) -> Verdict {
        self.sink.message(payload)
    }

    fn closed(&mut self, peer: PeerId, address: SocketAddr, reason: Reason) {
        if self.current == Some(peer) {
            self.news = Some(News::Closed);
        }
        self.sink.disconnected(address, reason);
    }
}
