//! What is done between messages: [`Due`]s that are written, `on_loop` and what is sent there.

use super::writer::WorkerWriter;
use crate::routing::Visit;
use crate::traits::{Due, Handler, Message, MessageBus, Payload, Publish, Report, Time, WriteError, Writer};
use std::error::Error;
use std::time::Duration;

/// Writes a [`Due`] for each handler whose deadline has come, if that is to become one.
pub(super) struct WriteDues<'a, B: MessageBus> {
    pub(super) writer: &'a WorkerWriter<B>,
    pub(super) now: Time,
    /// Whether one was written.
    pub(super) written: bool,
    /// Whether the deadline of another handler has come.
    pub(super) others: bool,
}

impl<B: MessageBus> Visit for WriteDues<'_, B> {
    fn handler<H: Handler>(&mut self, handler: &mut H) {
        let (writer, id, deadline) = (self.writer, H::ID.into(), handler.next_deadline());
        let has_come = |time: Option<Time>| time.is_some_and(|time| time <= self.now);
        let Some(timer) = writer.timers.find(id) else {
            self.others |= has_come(deadline);
            return;
        };
        let Some(time) = deadline.filter(|_| has_come(timer.when(deadline))) else { return };
        match writer.write_bytes(id, Due::ID, &time.as_nanos().to_le_bytes()) {
            Ok(()) => {
                timer.outstanding.set(Some(time));
                self.written = true;
            }
            Err(error) => {
                writer.timers.refused(id, self.now);
                writer.report(Report::Unsent { source: id, message: Due::ID, error });
            }
        }
    }
}

/// Calls `on_loop` of each handler.
pub(super) struct OnLoop<'a, B: MessageBus>(pub(super) LoopWriter<'a, B>);

impl<B: MessageBus> Visit for OnLoop<'_, B> {
    #[inline]
    fn handler<H: Handler>(&mut self, handler: &mut H) {
        handler.on_loop(&self.0);
    }
}

/// What handlers write with in `on_loop`. A writer of its own, so that the others do not pay for the question.
pub(super) struct LoopWriter<'a, B: MessageBus>(pub(super) &'a WorkerWriter<B>);

impl<B: MessageBus> LoopWriter<'_, B> {
    fn watch(&self, sent: Result<(), WriteError>) -> Result<(), WriteError> {
        if self.0.rebuilds && sent.is_ok() {
            self.report_once();
        }
        sent
    }

    #[cold]
    fn report_once(&self) {
        let handler = self.0.at.handler();
        if !self.0.sent_in_loop.borrow().contains(&handler) {
            self.0.sent_in_loop.borrow_mut().push(handler);
            self.report(Report::SentInLoop { worker: self.0.name, handler });
        }
    }
}

impl<B: MessageBus> Publish for LoopWriter<'_, B> {
    #[inline]
    fn try_put<P: Payload>(&self, source: u16, message: u16, payload: &mut P) -> Result<(), WriteError> {
        self.watch(self.0.try_put(source, message, payload))
    }

    fn wait_for_room(&self, size: usize) {
        self.0.wait_for_room(size);
    }

    fn wait_for_room_at_most(&self, size: usize, timeout: Duration) {
        self.0.wait_for_room_at_most(size, timeout);
    }

    #[inline]
    fn put<P: Payload>(&self, source: u16, message: u16, payload: &mut P) -> Result<(), WriteError> {
        self.watch(self.0.put(source, message, payload))
    }
}

impl<B: MessageBus> Writer for LoopWriter<'_, B> {
    fn now(&self) -> Time {
        self.0.now()
    }

    fn stop(&self) {
        self.0.stop();
    }

    fn fail(&self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        self.0.fail(error);
    }

    fn report(&self, report: Report) {
        self.0.report(report);
    }

    fn max_payload(&self) -> usize {
        self.0.max_payload()
    }
}
