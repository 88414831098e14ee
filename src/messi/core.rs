//! What a server and a client are alike in: the shape of a [`Core`], and where its events go.

use super::connection::Verdict;
use super::error::NetworkError;
use super::event_loop::EventLoop;
use super::net::Net;
use super::peers::PeerId;
use super::reason::Reason;
use crate::traits::Time;
use std::net::SocketAddr;

/// A server or a client that hands its events to a sink.
pub(super) trait Core {
    type Net: Net;
    /// What was chosen about it: passed beside, so that a sink may look at it during a turn.
    type Options;
    /// Whom its events are about: one of many clients, or the one server.
    type Who;

    fn who(peer: PeerId) -> Self::Who;

    fn event_loop(&self) -> &EventLoop<Self::Net>;

    fn event_loop_mut(&mut self) -> &mut EventLoop<Self::Net>;

    /// When it has something to do that is about none of its connections.
    fn own_deadline(&self) -> Option<Time>;

    /// Does what can be done now.
    fn turn(&mut self, options: &Self::Options, sink: &mut impl Sink<Self::Who>);

    /// Makes no more connections.
    fn close(&mut self);

    /// Makes no more connections, and ends those that there are, each after what is queued for it.
    fn stop(&mut self) {
        self.close();
        let event_loop = self.event_loop_mut();
        event_loop.disconnect_all();
        event_loop.flush();
    }

    /// Writes what is queued, then waits until a turn is worth it, or until `deadline`.
    fn wait(&mut self, deadline: Option<Time>, sink: &mut impl Sink<Self::Who>) {
        let deadline = [deadline, self.own_deadline()].into_iter().flatten().min();
        let mut deliver = |peer, payload: &[u8]| sink.message(Self::who(peer), payload);
        self.event_loop_mut().wait(deadline, &mut deliver);
    }

    /// When to make the next turn, if nothing comes before.
    fn next_deadline(&self) -> Option<Time> {
        [self.event_loop().next_deadline(), self.own_deadline()].into_iter().flatten().min()
    }

    /// After a stop: waits until what was sent before is read, for as long as connections may linger.
    fn finish(&mut self, options: &Self::Options, sink: &mut impl Sink<Self::Who>) {
        let event_loop = self.event_loop_mut();
        let deadline = event_loop.tell_time() + event_loop.linger;
        while !self.event_loop().is_silent() && self.event_loop().now < deadline {
            self.wait(Some(deadline), sink);
            self.turn(options, sink);
        }
    }
}

/// Where the events of a [`Core`] go.
pub(super) trait Sink<Who> {
    fn connected(&mut self, who: Who, address: SocketAddr);
    fn message(&mut self, who: Who, payload: &[u8]) -> Verdict;
    fn disconnected(&mut self, who: Who, address: SocketAddr, reason: Reason);
    fn trouble(&mut self, trouble: NetworkError);

    /// Whether there is room for the events of one more connection.
    fn has_room(&self) -> bool {
        true
    }
}

/// Takes no notice.
pub(super) struct Nobody;

impl<Who> Sink<Who> for Nobody {
    fn connected(&mut self, _: Who, _: SocketAddr) {}

    fn message(&mut self, _: Who, _: &[u8]) -> Verdict {
        Verdict::Taken
    }

    fn disconnected(&mut self, _: Who, _: SocketAddr, _: Reason) {}

    fn trouble(&mut self, _: NetworkError) {}
}
