//! One thread with one connection: what goes out and what comes in, in turns.

use crate::connection::{Connection, Input};
use crate::error::BridgeError;
use crate::inlet::In;
use crate::outlet::{Left, Out};
use crate::status::Status;
use crate::voice::Voice;
use rust_messenger::traits::{Interest, MessageBus, Poller, Reader};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest sleep.
const SLEEP: Duration = Duration::from_millis(100);

/// How long the word of its end waits for room, and how often it looks.
const A_MOMENT: Duration = Duration::from_secs(1);
const A_LOOK: Duration = Duration::from_millis(5);

/// The half of a bridge that what comes on an inbox is for: what goes out, or the source of that number and one.
pub(crate) const OUT: usize = 0;

/// How far the one has come for whom a bridge works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not all who are to see it are there: nothing is written yet.
    Before,
    Running,
    /// Nothing is written any more.
    Stopping,
    /// What stands before this position goes out.
    Draining(u64),
    /// Whatever is left.
    Over,
}

/// For whom a bridge works.
pub(crate) trait Lead: Send {
    fn phase(&mut self) -> Phase;

    /// Says how the bridge is, to whoever hears it. False: not now.
    fn say(&mut self, status: &Status) -> bool;
}

/// What runs on the thread of a bridge.
pub(crate) struct Line<B: MessageBus, L> {
    pub(crate) lead: L,
    pub(crate) bus: B,
    pub(crate) connection: Arc<Connection>,
    pub(crate) out: Option<Out<B>>,
    pub(crate) sources: Vec<In<B>>,
    pub(crate) voice: Voice,
}

impl<B: MessageBus, L: Lead> Line<B, L> {
    pub(crate) fn run(&mut self) -> Result<Left, BridgeError> {
        loop {
            let phase = self.lead.phase();
            if let Some(left) = self.left(phase) {
                return Ok(left);
            }
            for input in self.connection.take_inputs() {
                self.hear(input)?;
            }
            let mut goes_on = false;
            if let Some(out) = &mut self.out {
                goes_on |= out.step()?;
            }
            for source in &mut self.sources {
                goes_on |= source.step(phase)?;
            }
            self.speak();
            if !goes_on {
                self.sleep();
            }
        }
    }

    /// Says what has changed.
    fn speak(&mut self) -> bool {
        let out = self.out.as_ref().and_then(Out::stands_since);
        self.voice.standing(out, self.sources.iter().filter_map(In::standing));
        self.voice.speak(|status| self.lead.say(status))
    }

    /// Lets go of the bus, and says why it ended, if there is somebody to hear it and room within a moment.
    pub(crate) fn end(&mut self, error: Option<&BridgeError>) {
        // Its reader gates the bus until then.
        self.out = None;
        self.sources.clear();
        let Some(error) = error else { return };
        self.voice.change(Status::of(error));
        let start = Instant::now();
        while self.lead.phase() == Phase::Running
            && !self.voice.speak(|status| self.lead.say(status))
            && start.elapsed() < A_MOMENT
        {
            self.connection.bell().wait(Some(A_LOOK));
        }
    }

    /// What is left, once it is to end.
    fn left(&mut self, phase: Phase) -> Option<Left> {
        let (end, is_over) = match phase {
            Phase::Draining(end) => (end, false),
            Phase::Over => (self.bus.tail(), true),
            Phase::Before | Phase::Running | Phase::Stopping => return None,
        };
        let is_done = self.out.as_ref().is_none_or(|out| out.has_sent_all_before(end));
        if !is_done && !is_over {
            return None;
        }
        if !is_over {
            self.sources.iter_mut().for_each(In::acknowledge);
        }
        // Acknowledgements are on their way still.
        let _ = self.connection.run_briefly(self.connection.client.flush());
        Some(self.left_before(end))
    }

    /// What is left of what is on the bus.
    pub(crate) fn left_now(&mut self) -> Left {
        self.left_before(self.bus.tail())
    }

    fn left_before(&mut self, end: u64) -> Left {
        self.out.as_mut().map_or_else(Left::default, |out| out.left(end))
    }

    fn hear(&mut self, input: Input) -> Result<(), BridgeError> {
        match input {
            Input::Trouble(text) => self.voice.trouble(text),
            Input::Connected | Input::Disconnected => {
                let is_connected = matches!(input, Input::Connected);
                if is_connected {
                    self.voice.connected()
                } else {
                    self.voice.disconnected()
                }
                self.out.iter_mut().for_each(|out| out.connected(is_connected));
                self.sources.iter_mut().for_each(|source| source.connected(is_connected));
            }
            Input::Came(OUT, message) => {
                if let Some(out) = &mut self.out {
                    out.hear(&message)?;
                }
            }
            Input::Came(number, message) => {
                if let Some(source) = self.sources.get_mut(number - 1) {
                    source.hear(message);
                }
            }
        }
        Ok(())
    }

    /// Until the server says something, there is something to publish, or what comes in can go on.
    fn sleep(&mut self) {
        let now = Instant::now();
        let naps = self.out.iter().filter_map(|out| out.nap(now));
        let naps = naps.chain(self.sources.iter().filter_map(|source| source.nap(now)));
        let timeout = naps.min().unwrap_or(SLEEP).min(SLEEP);
        let sources = &self.sources;
        let can_go_on = || sources.iter().any(In::can_go_on);
        let interest = if sources.iter().any(In::waits_for_room) { Interest::Room } else { Interest::Messages };
        let (connection, bell) = (&self.connection, self.connection.bell());
        let limit = self.out.as_ref().and_then(Out::awaits);
        let Some((reader, publishes)) = self.out.as_mut().and_then(Out::sleeper) else {
            let mut done = || connection.has_input() || can_go_on();
            if done() {
                return;
            }
            let poller: Arc<dyn Poller> = bell.clone();
            // Readers here that let something go wake it, where the bus can say so without a reader of its own.
            if interest == Interest::Messages || !self.bus.park(Some(&poller), interest, Some(timeout), &mut done) {
                bell.wait(Some(timeout));
            }
            return;
        };
        if let Some(limit) = limit {
            // Announced, it would be woken by each write, and it is awake soon anyway.
            let done = connection.has_input() || (publishes && reader.ready()) || can_go_on();
            if !done {
                bell.wait(Some(timeout.min(limit)));
            }
            return;
        }
        let poller: Arc<dyn Poller> = bell.clone();
        // What it may not publish is nothing to wake up for.
        let done = |reader: &mut B::Reader| connection.has_input() || (publishes && reader.ready()) || can_go_on();
        reader.wait_in(&poller, Some(timeout), interest, done);
    }
}
