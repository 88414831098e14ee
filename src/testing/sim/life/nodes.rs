//! Nodes come and go: started, killed, opened again, ended.

use super::{Life, SETUP, Violation, some_time};
use crate::blame::caught;
use crate::messenger::{Cause, Left, Options, RunError};
use crate::sync::Arc;
use crate::testing::sim::bus::{INJECTED, Simulated};
use crate::testing::sim::faults::Kind;
use crate::testing::sim::node::Up;
use crate::testing::sim::world::{DRAINS, NOBODY};
use crate::traits::{MessageBus, Time};
use std::time::Duration;

impl<B: MessageBus> Life<'_, B> {
    /// Takes a bus that was just opened.
    pub(super) fn open(&mut self, bus: Result<B, String>) -> Result<(), Violation> {
        let setup = |life: &Self, error: String| life.violation(SETUP, error);
        let bus = bus.map_err(|error| setup(self, format!("no bus: {error}")))?;
        let observer = bus.subscribe_latest("simulation").map_err(|error| setup(self, error.to_string()))?;
        self.world().set_observer(Some(Box::new(observer)));
        if !self.system.outside.is_empty() {
            let writer = bus.writer().map_err(|error| setup(self, error.to_string()))?;
            self.outside = Some(Simulated::new(writer, Arc::clone(&self.world), NOBODY));
        }
        self.bus = Some(bus);
        Ok(())
    }

    pub(super) fn start(&mut self, node: usize) -> Result<(), Violation> {
        let Some(bus) = self.bus.clone() else { return Ok(()) };
        (self.nodes[node].down_until, self.nodes[node].stopping) = (None, None);
        // Who is not scheduled for longer is late for it. The stop in the end takes no time at all.
        let number = self.drains.draw();
        let short = some_time(number / 2, 32).max(Duration::from_nanos(1));
        let drain = if number.is_multiple_of(2) { Options::default().drain } else { short };
        self.world().revive(node as u16, drain);
        let bus = Simulated::new(bus, Arc::clone(&self.world), node as u16);
        let options = Options { clock: Arc::new(self.clock.clone()), drain, ..Options::default() };
        let name = self.system.nodes[node].name;
        let started = caught(|| (self.system.nodes[node].start)(bus, options));
        let started = started.and_then(|started| started.map_err(|error| error.to_string()));
        let mut up = started.map_err(|error| self.violation(SETUP, format!("node {name} does not start: {error}")))?;
        let waiting = up.workers.iter_mut().find_map(|worker| worker.make().map(|handler| (worker.name(), handler)));
        self.nodes[node].up = Some(up);
        if let Some((worker, handler)) = waiting {
            let text = format!(
                "handler {handler} of worker {worker} in node {name} waits in a poller, and one thread runs \
                 everything: let another handler stand in for it, as in `#[cfg(test)] use StandIn as Bridge`"
            );
            return Err(self.violation(SETUP, text));
        }
        for actor in self.actors.iter_mut().filter(|actor| actor.node == node) {
            (actor.ended, actor.paused_until) = (false, Time::default());
        }
        self.wake();
        self.check().map(drop)
    }

    /// Everything of a node is gone, as when its process is killed.
    pub(super) fn take_down(&mut self, node: usize) {
        self.world().kill(node as u16);
        self.nodes[node].up = None;
    }

    /// A node is killed, and starts again after a while.
    pub(super) fn crash(&mut self, node: usize, kind: Kind, number: u64) -> Result<(), Violation> {
        self.world().note_fault(kind, node as u16);
        self.take_down(node);
        self.nodes[node].down_until = Some(self.now() + some_time(number, 32));
        self.wake();
        self.check().map(drop)
    }

    /// A node is stopped, unless it is already, and starts again after a while.
    pub(super) fn stop_node(&mut self, node: usize, number: u64) -> Result<(), Violation> {
        let Some(up) = self.nodes[node].up.as_ref().filter(|_| self.nodes[node].stopping.is_none()) else {
            return Ok(());
        };
        self.world().note_fault(Kind::Stop, node as u16);
        caught(&up.stop).map_err(|text| self.violation(DRAINS, text))?;
        self.nodes[node].stopping = Some(some_time(number, 32));
        self.wake();
        self.check().map(drop)
    }

    /// All nodes are killed, and a journal is opened again.
    pub(super) fn black_out(&mut self, number: u64) -> Result<(), Violation> {
        for node in 0..self.nodes.len() {
            if self.nodes[node].up.is_some() {
                self.crash(node, Kind::Blackout, number.rotate_left(7 * node as u32))?;
            }
        }
        self.outside = None;
        self.world().set_observer(None);
        let Some(bus) = self.bus.take() else { return Ok(()) };
        let verify = number.is_multiple_of(2);
        let kept = |life: &Self, text: String| life.violation("a journal keeps what was written", text);
        let opened = caught(|| (self.system.ground.reopen)(bus, &self.clock, verify)).unwrap_or_else(Err);
        let (bus, messages) = opened.map_err(|text| kept(self, text))?;
        self.open(Ok(bus))?;
        match messages {
            Some(messages) if messages != self.log.len() as u64 => {
                let text = format!("{messages} messages of {} are there when it is opened again", self.log.len());
                Err(kept(self, text))
            }
            _ => Ok(()),
        }
    }

    /// All workers of a node have ended.
    pub(super) fn ended(&mut self, node: usize) -> Result<(), Violation> {
        let Some(Up { mut workers, stop }) = self.nodes[node].up.take() else { return Ok(()) };
        let (now, stopping) = (self.now(), self.nodes[node].stopping.take());
        self.nodes[node].down_until = stopping.map(|pause| now + pause);
        // A stop gives up at a deadline: it may have waited for workers that were not scheduled.
        let is_late = workers.iter_mut().any(|worker| worker.next_deadline().is_some_and(|deadline| deadline <= now));
        let concluded = workers.conclude();
        drop(stop);
        // What is sent in a drain comes after it.
        let may_leave = |left: &Left| stopping.is_some() && (is_late || (left.unread, left.unread_bytes) == (0, 0));
        let injected = |error: &RunError| {
            let of_ours = |cause: &Cause| matches!(cause, Cause::Panicked { text, .. } if text == INJECTED);
            error.failures.iter().all(|failure| of_ours(&failure.cause))
        };
        match concluded {
            Ok(summary) if summary.left.iter().all(may_leave) => Ok(()),
            Ok(summary) => Err(self.violation(DRAINS, format!("{:?}", summary.left))),
            Err(error) if injected(&error) => {
                let number = self.sizes.nth(u64::from(self.step));
                self.nodes[node].down_until = Some(self.now() + some_time(number, 32));
                Ok(())
            }
            Err(error) => Err(self.violation("no worker fails", error.to_string())),
        }
    }
}
