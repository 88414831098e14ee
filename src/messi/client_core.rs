//! What a client does beside its connection: it looks its server up, connects, and connects again.

use super::address::HostPort;
use super::connection::{Share, Verdict};
use super::core::{Core, Sink};
use super::error::{NetworkError, SendError, SetupError};
use super::event_loop::{EventLoop, PeerSink};
use super::net::{Lookup, Net};
use super::options::{ClientOptions, Reconnect};
use super::peers::PeerId;
use super::protocol::Protocol;
use super::reason::Reason;
use super::settings::Settings;
use super::wire::{Kind, Side};
use crate::traits::Time;
use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::mpsc::TryRecvError;
use std::time::Duration;

/// How long to wait until asking again whether to connect.
const CONNECT_PAUSE: Duration = Duration::from_millis(10);

/// A client that hands its events to a sink.
pub(super) struct ClientCore<P: Protocol, N: Net> {
    target: HostPort,
    pub(super) event_loop: EventLoop<N>,
    state: State,
    /// Failures since the last healthy connection.
    failures: u32,
    protocol: PhantomData<fn() -> P>,
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
    pub(super) fn new(net: N, options: &ClientOptions<P>, max_frame: usize) -> Result<Self, SetupError> {
        let settings = Settings { max_frame, ..options.connection.clone() };
        Ok(ClientCore {
            target: options.target()?,
            event_loop: EventLoop::new(net, Side::Client, settings, options.linger, 1),
            state: State::Stopped,
            failures: 0,
            protocol: PhantomData,
        })
    }

    pub(super) fn start(&mut self) {
        if let State::Stopped = self.state {
            self.failures = 0;
            self.resolve();
        }
    }

    pub(super) fn peer(&self) -> Option<PeerId> {
        match self.state {
            State::Open { peer, .. } => Some(peer),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn try_send(&mut self, share: Share, size: usize, encode: impl Fn(&mut [u8])) -> Result<(), SendError> {
        let State::Open { peer, .. } = self.state else { return Err(SendError::NotConnected) };
        let sent = self.event_loop.send(peer, (Kind::ClientToServer, share), size, encode);
        // It has ended, and that is not said yet.
        if sent == Err(SendError::Gone) { Err(SendError::NotConnected) } else { sent }
    }

    pub(super) fn give_up_slow(&mut self) {
        if let Some(peer) = self.peer() {
            self.event_loop.give_up_slow(peer);
        }
    }

    fn current(&self) -> Option<PeerId> {
        match self.state {
            State::Connecting { peer, .. } | State::Open { peer, .. } => Some(peer),
            _ => None,
        }
    }

    fn look_up(&mut self, options: &ClientOptions<P>, sink: &mut impl Sink<()>) {
        let now = self.event_loop.now;
        if let State::Waiting { until } = self.state
            && until <= now
        {
            if sink.has_room() {
                self.resolve();
            } else {
                self.state = State::Waiting { until: now + CONNECT_PAUSE };
            }
        }
        let State::Resolving { lookup, looked } = &mut self.state else { return };
        *looked = true;
        match lookup.try_recv() {
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => self.connect(Vec::new(), None, options, sink),
            Ok(Err(error)) => self.connect(Vec::new(), Some(error), options, sink),
            Ok(Ok(mut addresses)) => {
                addresses.reverse();
                self.connect(addresses, None, options, sink);
            }
        }
    }

    fn resolve(&mut self) {
        self.state = State::Resolving { lookup: self.event_loop.net.resolve(&self.target), looked: false };
    }

    /// Tries the next of the addresses, or gives up for now.
    fn connect(
        &mut self,
        mut rest: Vec<SocketAddr>,
        refusal: Option<io::Error>,
        options: &ClientOptions<P>,
        sink: &mut impl Sink<()>,
    ) {
        let mut refusal = refusal.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        while let Some(address) = rest.pop() {
            let session = options.layer.as_ref().map(|layer| layer.session(Some(self.target.host()))).transpose();
            let made = session.and_then(|session| Ok((session, self.event_loop.net.connect(address)?)));
            match made {
                Ok((session, socket)) => {
                    let deadline = self.event_loop.now + options.connect_time;
                    let peer = self.event_loop.add(socket, address, session, true, deadline);
                    self.event_loop.flush();
                    self.state = State::Connecting { peer, rest };
                    return;
                }
                Err(error) => refusal = error,
            }
        }
        sink.trouble(NetworkError::Connect { uri: options.uri.clone(), error: refusal });
        self.connect_later(options);
    }

    fn connect_later(&mut self, options: &ClientOptions<P>) {
        let delay = match options.reconnect {
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
                // Without random numbers it waits for the whole of it.
                let part = |number: u64| Duration::from_nanos(number % nanos.saturating_add(1).max(1));
                self.event_loop.net.random().map_or(limit, part)
            }
        };
        self.state = State::Waiting { until: self.event_loop.now + delay };
    }
}

impl<P: Protocol, N: Net> Core for ClientCore<P, N> {
    type Net = N;
    type Options = ClientOptions<P>;
    type Who = ();

    fn who(_: PeerId) {}

    fn event_loop(&self) -> &EventLoop<N> {
        &self.event_loop
    }

    fn event_loop_mut(&mut self) -> &mut EventLoop<N> {
        &mut self.event_loop
    }

    fn own_deadline(&self) -> Option<Time> {
        match self.state {
            State::Waiting { until } => Some(until),
            State::Resolving { looked: false, .. } => Some(Time::default()),
            _ => None,
        }
    }

    fn turn(&mut self, options: &ClientOptions<P>, sink: &mut impl Sink<()>) {
        self.look_up(options, sink);
        let mut server = Server { sink, current: self.current(), news: None };
        self.event_loop.turn(&mut server);
        let news = server.news;
        match (news, std::mem::replace(&mut self.state, State::Stopped)) {
            (None, state) => self.state = state,
            (Some(News::Opened), State::Connecting { peer, .. }) => {
                self.state = State::Open { peer, since: self.event_loop.now };
            }
            (Some(News::Failed(error)), State::Connecting { rest, .. }) => {
                self.connect(rest, Some(error), options, sink);
            }
            (Some(News::Closed), State::Open { since, .. }) => {
                if let Reconnect::Backoff { healthy, .. } = options.reconnect
                    && self.event_loop.now.since(since) >= healthy
                {
                    self.failures = 0;
                }
                self.connect_later(options);
            }
            // It opened and closed within one turn.
            (Some(News::Closed), State::Connecting { .. }) => self.connect_later(options),
            (Some(_), state) => self.state = state,
        }
    }

    fn close(&mut self) {
        self.state = State::Stopped;
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

impl<S: Sink<()>> PeerSink for Server<'_, S> {
    fn opened(&mut self, peer: PeerId, address: SocketAddr) {
        if self.current == Some(peer) {
            self.news = Some(News::Opened);
        }
        self.sink.connected((), address);
    }

    fn failed(&mut self, peer: PeerId, _: SocketAddr, error: io::Error) {
        if self.current == Some(peer) {
            self.news = Some(News::Failed(error));
        }
    }

    #[inline]
    fn message(&mut self, _: PeerId, payload: &[u8]) -> Verdict {
        self.sink.message((), payload)
    }

    fn closed(&mut self, peer: PeerId, address: SocketAddr, reason: Reason) {
        if self.current == Some(peer) {
            self.news = Some(News::Closed);
        }
        self.sink.disconnected((), address, reason);
    }
}
