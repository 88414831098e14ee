//! [`RunLoop`]: what runs a core in plain programs, and keeps its events until they are asked for.

use super::bell::Bell;
use super::connection::Verdict;
use super::core::{Core, Sink};
use super::error::NetworkError;
use super::messages::IsSet;
use super::protocol::Root;
use super::reason::Reason;
use crate::traits::{Poller, Time};
use prost::Message as _;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What happens, as a value.
pub(super) trait Event {
    type Who;
    type Message: Root;

    fn connected(who: Self::Who, address: SocketAddr) -> Self;

    /// A message that is not decoded yet.
    fn message(who: Self::Who) -> Self;

    /// The message, if it is one.
    fn message_mut(&mut self) -> Option<&mut Self::Message>;

    fn disconnected(who: Self::Who, reason: Reason) -> Self;

    fn trouble(trouble: NetworkError) -> Self;
}

/// A core, and its events.
pub(super) struct RunLoop<C: Core, E> {
    pub(super) core: C,
    pub(super) options: C::Options,
    events: VecDeque<E>,
    bell: Arc<Bell>,
}

impl<C: Core, E: Event<Who = C::Who>> RunLoop<C, E> {
    pub(super) fn new(core: C, options: C::Options) -> Self {
        let bell = Arc::new(Bell::new(Arc::clone(core.event_loop().poller())));
        RunLoop { core, options, events: VecDeque::new(), bell }
    }

    #[inline]
    pub(super) fn next(&mut self, timeout: Option<Duration>) -> Option<E> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        self.wait_for_next(timeout)
    }

    #[cold]
    fn wait_for_next(&mut self, timeout: Option<Duration>) -> Option<E> {
        let deadline = timeout.map(|timeout| self.core.event_loop_mut().tell_time() + timeout);
        loop {
            let is_rung = self.bell.was_rung();
            let mut queue = Queue(&mut self.events);
            self.core.wait(if is_rung { Some(Time::default()) } else { deadline }, &mut queue);
            self.core.turn(&self.options, &mut queue);
            let event = self.events.pop_front();
            let now = self.core.event_loop().now;
            if event.is_some() || is_rung || deadline.is_some_and(|deadline| deadline <= now) {
                return event;
            }
        }
    }

    pub(super) fn stop(&mut self) {
        self.core.event_loop_mut().tell_time();
        self.core.stop();
    }

    pub(super) fn flush(&mut self) {
        let event_loop = self.core.event_loop_mut();
        event_loop.tell_time();
        event_loop.flush();
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.core.next_deadline()
    }

    pub(super) fn poller(&self) -> Arc<dyn Poller> {
        Arc::clone(&self.bell) as Arc<dyn Poller>
    }

    pub(super) fn finish(&mut self) {
        self.stop();
        self.core.finish(&self.options, &mut Queue(&mut self.events));
    }
}

/// Events of a turn, in order.
struct Queue<'a, E>(&'a mut VecDeque<E>);

impl<E: Event> Sink<E::Who> for Queue<'_, E> {
    fn connected(&mut self, who: E::Who, address: SocketAddr) {
        self.0.push_back(E::connected(who, address));
    }

    #[inline]
    fn message(&mut self, who: E::Who, payload: &[u8]) -> Verdict {
        // Decoded where it will be taken from: moving a message costs as much as decoding it.
        self.0.push_back(E::message(who));
        let Some(message) = self.0.back_mut().and_then(E::message_mut) else { return Verdict::Taken };
        let merged = message.merge(payload);
        if merged.is_err() || message.visit(IsSet).is_none() {
            self.0.pop_back();
        }
        if merged.is_err() { Verdict::Refused(Reason::MessageDecodeError) } else { Verdict::Taken }
    }

    fn disconnected(&mut self, who: E::Who, _: SocketAddr, reason: Reason) {
        self.0.push_back(E::disconnected(who, reason));
    }

    fn trouble(&mut self, trouble: NetworkError) {
        self.0.push_back(E::trouble(trouble));
    }
}
