//! What a server does beside its connections: it listens, and takes them in.

use super::connection::{Share, Verdict};
use super::core::{Core, Sink};
use super::error::{NetworkError, SendError, SetupError};
use super::event_loop::{EventLoop, PeerSink};
use super::messages::ClientId;
use super::net::{Acceptor, Net};
use super::options::ServerOptions;
use super::peers::{ACCEPTOR, PeerId};
use super::protocol::Protocol;
use super::reason::Reason;
use super::settings::Settings;
use super::wire::{Kind, Side};
use crate::traits::Time;
use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::time::Duration;

/// Frames that may be in one turn's worth of accepting: more come in the next.
const ACCEPTS: usize = 64;
/// The first and the last pause after a connection could not be taken.
const ACCEPT_PAUSE: [Duration; 2] = [Duration::from_millis(10), Duration::from_secs(1)];

/// A server that hands its events to a sink.
pub(super) struct ServerCore<P: Protocol, N: Net> {
    pub(super) event_loop: EventLoop<N>,
    listener: Option<N::Acceptor>,
    /// After a connection could not be taken: when to try again, and how long the pause is.
    pause: Option<(Time, Duration)>,
    /// Memory for broadcasts.
    encoded: Vec<u8>,
    protocol: PhantomData<fn() -> P>,
}

impl<P: Protocol, N: Net> ServerCore<P, N> {
    pub(super) fn new(net: N, options: &ServerOptions<P>, max_frame: usize) -> Self {
        let settings = Settings { max_frame, ..options.connection.clone() };
        ServerCore {
            event_loop: EventLoop::new(net, Side::Server, settings, options.linger, options.max_clients),
            listener: None,
            pause: None,
            encoded: Vec::new(),
            protocol: PhantomData,
        }
    }

    pub(super) fn start(&mut self, options: &ServerOptions<P>) -> Result<SocketAddr, SetupError> {
        let error = |error| SetupError::Listen { uri: options.uri.clone(), error };
        if let Some(listener) = &self.listener {
            return listener.address().map_err(error);
        }
        let mut refused = io::ErrorKind::AddrNotAvailable.into();
        for address in options.addresses()? {
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

    fn accept(&mut self, options: &ServerOptions<P>, sink: &mut impl Sink<ClientId>) {
        let Some(listener) = &mut self.listener else { return };
        let now = self.event_loop.now;
        let mut refusal = None;
        for _ in 0..ACCEPTS {
            if !sink.has_room() {
                refusal = Some(ACCEPT_PAUSE[0]);
                break;
            }
            match listener.accept() {
                Ok((socket, address)) => {
                    self.pause = None;
                    let is_full = self.event_loop.len() >= options.max_clients || self.event_loop.has_no_keys();
                    if is_full || options.accept.as_ref().is_some_and(|accept| !accept(&address)) {
                        continue;
                    }
                    match options.layer.as_ref().map(|layer| layer.session(None)).transpose() {
                        Ok(session) => {
                            let deadline = now + options.connection.handshake_time;
                            self.event_loop.add(socket, address, session, false, deadline);
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
            self.pause = Some((now + delay, delay));
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
        self.event_loop.send(client.into(), (Kind::ServerToClient, share), size, encode)
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
}

impl<P: Protocol, N: Net> Core for ServerCore<P, N> {
    type Net = N;
    type Options = ServerOptions<P>;
    type Who = ClientId;

    fn who(peer: PeerId) -> ClientId {
        peer.into()
    }

    fn event_loop(&self) -> &EventLoop<N> {
        &self.event_loop
    }

    fn event_loop_mut(&mut self) -> &mut EventLoop<N> {
        &mut self.event_loop
    }

    fn own_deadline(&self) -> Option<Time> {
        self.pause.map(|(until, _)| until)
    }

    fn turn(&mut self, options: &ServerOptions<P>, sink: &mut impl Sink<ClientId>) {
        let mut accept = self.event_loop.turn(&mut Clients(sink));
        if let (Some(listener), Some((until, delay))) = (&mut self.listener, self.pause) {
            let now = self.event_loop.now;
            // An event from before the pause does not end it: nothing would be watched after it.
            accept = until <= now;
            if accept && listener.watch(ACCEPTOR, true).is_err() {
                self.pause = Some((now + delay, delay));
                accept = false;
            }
        }
        if accept {
            self.accept(options, sink);
        }
    }

    fn close(&mut self) {
        (self.listener, self.pause) = (None, None);
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

impl<S: Sink<ClientId>> PeerSink for Clients<'_, S> {
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
