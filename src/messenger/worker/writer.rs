//! What a worker's handlers write with: the ring, or else the outbox.

use super::supervision::Letters;
use super::timers::Timers;
use crate::blame::{At, Place};
use crate::messenger::lifecycle::Lifecycle;
use crate::messenger::outbox::{Outbox, cost};
use crate::messenger::outcome::Cause;
use crate::traits::{
    BusWriter, DeadLetter, DecodeError, Due, ExtendedMessage, Handler, Header, Message, MessageBus, Payload, Publish,
    Report, Space, Supervisor, Time, WriteError, Writer,
};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::error::Error;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

/// What a worker's handlers write with.
pub(super) struct WorkerWriter<B: MessageBus> {
    pub(super) name: &'static str,
    pub(super) writer: Option<B::BusWriter>,
    pub(super) outbox: Outbox,
    /// A handler said that it cannot go on, the outbox is at its limit, or a rebuild does not repeat what was.
    pub(super) failed: Cell<bool>,
    /// The letter about the message in hand is in the outbox, on a bus with a history: then it is not passed.
    pub(super) owes: Cell<bool>,
    /// Whether the worker stays on the message in hand, for one of these two.
    pub(super) stays: Cell<bool>,
    /// Where the message stands whose handling did not come to its end.
    pub(super) ended_at: Cell<Option<u64>>,
    /// The size of the message that a handler tried to write last and that found no room, in this step.
    pub(super) refused: Cell<Option<usize>>,
    /// The handlers whose deadlines become messages.
    pub(super) timers: Timers,
    /// Whether the reader was to begin with a rebuild.
    pub(super) rebuilds: bool,
    /// The handlers that were reported for what they sent in their loop.
    pub(super) sent_in_loop: RefCell<Vec<&'static str>>,
    /// The handler that is at work.
    pub(super) at: At,
    /// If the worker may be restarted.
    pub(super) letters: Option<Letters>,
    /// The positions of the messages that could not be decoded and about which a letter was written.
    pub(super) undecodable: RefCell<BTreeSet<u64>>,
    pub(super) lifecycle: Arc<Lifecycle<B>>,
}

impl<B: MessageBus> WorkerWriter<B> {
    /// Moves the outbox to the ring as far as room and turns allow; true when it is empty.
    #[inline]
    pub(super) fn flush(&self) -> bool {
        !self.outbox.is_pending() || self.writer.as_ref().is_none_or(|writer| self.flush_pending(writer))
    }

    #[cold]
    pub(super) fn flush_pending(&self, writer: &B::BusWriter) -> bool {
        let mut queue = self.outbox.queue.borrow_mut();
        while let Some(entry) = queue.entries.front() {
            match writer.try_write_bytes(entry.source, entry.message, entry.payload()) {
                Err(WriteError::Full) => return false,
                Err(error) => {
                    if entry.message == Due::ID {
                        self.timers.refused(entry.source, self.clock());
                    }
                    if self.owes.get() && (entry.source, entry.message) == (Supervisor::ID, DeadLetter::ID) {
                        self.unburied();
                    }
                    self.report(Report::Unsent { source: entry.source, message: entry.message, error });
                }
                Ok(()) => {}
            }
            queue.pop();
            if queue.covered == 0 && !queue.entries.is_empty() {
                // What came after the ticket was taken queues up anew.
                writer.give_up_ticket();
                writer.take_ticket();
                queue.covered = queue.entries.len();
            }
        }
        self.outbox.pending.set(false);
        writer.give_up_ticket();
        true
    }

    /// A message that the bus did not take: what its handler is told of it.
    #[cold]
    fn refused<P: Payload>(&self, error: WriteError, payload: &P) -> WriteError {
        match &error {
            WriteError::Full => self.refused.set(Some(payload.size())),
            WriteError::Diverged(_) => self.diverged(error.clone()),
            _ => {}
        }
        error
    }

    /// A message that the bus did not take: goes to the outbox if it found no room.
    #[cold]
    fn put_otherwise<P: Payload>(
        &self,
        writer: &B::BusWriter,
        error: WriteError,
        source: u16,
        message: u16,
        payload: &mut P,
    ) -> Result<(), WriteError> {
        match &error {
            WriteError::Full => return self.defer(writer, source, message, payload),
            WriteError::Diverged(_) => self.diverged(error.clone()),
            _ => {}
        }
        Err(error)
    }

    /// Puts a message for which the ring has no room into the outbox.
    pub(super) fn defer<P: Payload>(
        &self,
        writer: &B::BusWriter,
        source: u16,
        message: u16,
        payload: &mut P,
    ) -> Result<(), WriteError> {
        let size = payload.as_encoded().map_or_else(|| payload.size(), <[u8]>::len);
        let (max, limit) = (self.lifecycle.bus.max_payload(), self.lifecycle.options.outbox_limit);
        if size > max {
            return Err(WriteError::TooLarge { size, max });
        }
        if self.outbox.queue.borrow().bytes + cost(size) > limit {
            if !self.fails() {
                self.lifecycle.failed(self.name, Cause::OutboxFull { handler: self.at.handler(), limit });
            }
            return Err(WriteError::OutboxFull { limit });
        }
        // Nothing is borrowed while the fill runs: it may write, too.
        let mut entry = self.outbox.queue.borrow_mut().spare(source, message, size);
        Space::lend(entry.payload_mut(), |space| payload.fill(space))?;
        let mut queue = self.outbox.queue.borrow_mut();
        queue.push(entry);
        writer.record_outbox(queue.bytes);
        if !self.outbox.pending.replace(true) {
            writer.take_ticket();
            queue.covered = queue.entries.len();
        }
        Ok(())
    }

    /// From now on the worker has failed. Returns whether it had before.
    fn fails(&self) -> bool {
        self.stays.set(true);
        self.failed.replace(true)
    }

    /// The letter about the message in hand is on the bus.
    pub(super) fn is_paid(&self) {
        self.owes.set(false);
        self.stays.set(self.failed.get());
    }

    /// At the end of each message: whether it was handled, so that nobody handles it again. If a handler failed in it,
    /// or did not repeat what it did, it was not.
    #[inline]
    pub(super) fn settle(&self, header: &Header) -> bool {
        if let Some(Err(error)) = self.writer.as_ref().map(BusWriter::settle) {
            self.diverged(error);
        }
        let stays = self.stays.get();
        if stays {
            self.ended_at.set(Some(header.position).filter(|_| self.failed.get()));
        }
        !stays
    }

    /// A handler no longer does what it did: the worker ends.
    #[cold]
    pub(super) fn diverged(&self, error: WriteError) {
        if !self.fails() {
            self.lifecycle.failed(self.name, Cause::Failed { handler: self.at.handler(), error: error.into() });
        }
    }

    /// The worker ends for this.
    #[cold]
    pub(super) fn end(&self, cause: Cause) {
        self.fails();
        self.lifecycle.failed(self.name, cause);
    }

    /// Writes a letter. False if there must be one and there is not: then its message is not handled. A letter about a
    /// letter, and that of a worker that may not write, are only reported.
    #[cold]
    pub(super) fn bury(&self, letter: DeadLetter) -> bool {
        let is_about_letter = (letter.source, letter.message) == (Supervisor::ID, DeadLetter::ID);
        if self.writer.is_some() && !is_about_letter {
            let letter = letter.clone().cut_to(self.lifecycle.bus.max_payload());
            let mut bytes = vec![0; letter.get_size()];
            letter.write_into(&mut bytes);
            if let Err(error) = self.write_bytes(Supervisor::ID, DeadLetter::ID, &bytes) {
                self.report(Report::Unsent { source: Supervisor::ID, message: DeadLetter::ID, error });
                return false;
            }
        }
        self.lifecycle.count_dead();
        self.report(Report::Dead { letter });
        true
    }

    /// There can be no letter about the message in hand, which is dead: the worker ends before it.
    fn unburied(&self) {
        let error = "no room for the letter about a dead message".into();
        self.end(Cause::Failed { handler: "Supervisor", error });
    }

    /// The clock's time, whatever is being handled.
    pub(super) fn clock(&self) -> Time {
        self.at.during(Place::Clock, || self.lifecycle.now())
    }

    /// Says how much of the outbox is left, for whoever looks.
    #[cold]
    pub(super) fn record_outbox(&self) {
        if let Some(writer) = &self.writer {
            writer.record_outbox(self.outbox.queue.borrow().bytes);
        }
    }

    pub(super) fn is_slowest(&self) -> bool {
        self.writer.as_ref().is_none_or(BusWriter::is_slowest)
    }

    pub(super) fn has_room(&self, size: usize) -> bool {
        self.writer.as_ref().is_some_and(|writer| writer.has_room(size))
    }
}

impl<B: MessageBus> Publish for WorkerWriter<B> {
    #[inline]
    fn try_put<P: Payload>(&self, source: u16, message: u16, payload: &mut P) -> Result<(), WriteError> {
        match &self.writer {
            None => Err(WriteError::NotAWriter),
            Some(_) if self.outbox.is_pending() => Err(WriteError::Full),
            Some(writer) => writer.try_put(source, message, payload).map_err(|error| self.refused(error, payload)),
        }
    }

    /// Nothing: a worker never waits for room, it has its outbox.
    fn wait_for_room(&self, _size: usize) {}

    fn wait_for_room_at_most(&self, _size: usize, _timeout: Duration) {}

    // Always inlined, as the ring's `try_put`, and for its reason.
    #[inline(always)]
    fn put<P: Payload>(&self, source: u16, message: u16, payload: &mut P) -> Result<(), WriteError> {
        let Some(writer) = &self.writer else { return Err(WriteError::NotAWriter) };
        let put =
            if self.outbox.is_pending() { Err(WriteError::Full) } else { writer.try_put(source, message, payload) };
        match put {
            Ok(()) => Ok(()),
            Err(error) => self.put_otherwise(writer, error, source, message, payload),
        }
    }
}

impl<B: MessageBus> Writer for WorkerWriter<B> {
    fn now(&self) -> Time {
        self.writer.as_ref().and_then(BusWriter::time).unwrap_or_else(|| self.clock())
    }

    fn stop(&self) {
        self.lifecycle.stop();
    }

    fn fail(&self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        self.end(Cause::Failed { handler: self.at.handler(), error: error.into() });
    }

    fn report(&self, report: Report) {
        self.at.during(Place::Report, || self.lifecycle.report(report));
    }

    fn max_payload(&self) -> usize {
        self.lifecycle.bus.max_payload()
    }

    #[cold]
    fn unhandled(&self, error: Box<dyn Error + Send + Sync>) {
        match self.letters {
            // Without the hook that prints: the handler did not panic.
            Some(_) => resume_unwind(Box::new(error.to_string())),
            None => self.fail(error),
        }
    }

    #[cold]
    fn undecodable(&self, header: Header, error: DecodeError) {
        // Handlers that are rebuilt meet it again.
        let letters = self.letters.filter(|_| self.undecodable.borrow_mut().insert(header.position));
        let letter = letters.map(|letters| letters.of_undecodable(&header, error.to_string()));
        self.report(Report::Undecodable { header, error });
        // What is dead is read from letters: a message is not passed before its letter is there. A ring reads none, and
        // would be held up.
        let is_owed = letters.is_some_and(|letters| letters.history);
        if letter.is_some_and(|letter| !self.bury(letter)) {
            self.unburied();
        } else if is_owed && self.outbox.is_pending() {
            self.owes.set(true);
            self.stays.set(true);
        }
    }
}
