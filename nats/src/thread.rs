//! The thread of a half of a bridge that works for no messenger, and its end.

use crate::bell::Bell;
use crate::connection::lock;
use crate::error::BridgeError;
use crate::line::{Lead, Line, Phase};
use crate::outlet::Left;
use crate::status::Status;
use rust_messenger::traits::{MessageBus, Poller};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// When it ends whatever is left; `None`: not yet.
type Deadline = Arc<Mutex<Option<Instant>>>;

/// A thread that ends when it is told to.
#[derive(Debug)]
pub(crate) struct Thread {
    deadline: Deadline,
    bell: Arc<Bell>,
    thread: Option<JoinHandle<Result<Left, BridgeError>>>,
}

/// Until it is told to stop; then until all is out that was on the bus.
pub(crate) struct UntilTold<B> {
    bus: B,
    deadline: Deadline,
    end: Option<u64>,
}

impl<B: MessageBus> UntilTold<B> {
    pub(crate) fn new(bus: &B) -> UntilTold<B> {
        UntilTold { bus: bus.clone(), deadline: Deadline::default(), end: None }
    }
}

impl<B: MessageBus> Lead for UntilTold<B> {
    fn phase(&mut self) -> Phase {
        let Some(deadline) = *lock(&self.deadline) else { return Phase::Running };
        let end = *self.end.get_or_insert_with(|| self.bus.tail());
        if Instant::now() < deadline { Phase::Draining(end) } else { Phase::Over }
    }

    fn say(&mut self, _: &Status) -> bool {
        true // Its stats say it.
    }
}

impl Thread {
    pub(crate) fn start<B: MessageBus>(
        name: &str,
        bell: Arc<Bell>,
        mut line: Line<B, UntilTold<B>>,
    ) -> Result<Thread, BridgeError> {
        let deadline = line.lead.deadline.clone();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || line.run());
        let thread = thread.map_err(|error| BridgeError::Thread(error.kind()))?;
        Ok(Thread { deadline, bell, thread: Some(thread) })
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    pub(crate) fn end(&mut self, drain: Duration) -> Result<Left, BridgeError> {
        let now = Instant::now();
        *lock(&self.deadline) = Some(now.checked_add(drain).unwrap_or(now));
        self.bell.notify();
        let Some(thread) = self.thread.take() else { return Ok(Left::default()) };
        thread.join().unwrap_or(Err(BridgeError::Thread(std::io::ErrorKind::Other)))
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // Whoever wants to know calls `stop`.
        let _ = self.end(Duration::ZERO);
    }
}
