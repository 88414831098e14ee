//! Where reading begins: behind what this node has acknowledged, if its bus has that.

use super::incoming::{In, State};
use super::settled::Receipt;
use super::source::{Ends, Look, Silent};
use super::takes::Takes;
use crate::consumer::pairs;
use crate::error::BridgeError;
use crate::protocol::{Arrivals, Entry, Kind, Reached, Subject};
use async_nats::Message;
use async_nats::jetstream::message::StreamMessage;
use rust_messenger::traits::MessageBus;

/// How far back it looks for a message that is on its journal.
const LOOK_BACK: usize = 64;

/// Why it is not known where to begin.
enum NotBegun {
    /// The server does not say.
    Silent,
    Failed(BridgeError),
}

impl From<Silent> for NotBegun {
    fn from(Silent: Silent) -> NotBegun {
        NotBegun::Silent
    }
}

impl From<BridgeError> for NotBegun {
    fn from(error: BridgeError) -> NotBegun {
        NotBegun::Failed(error)
    }
}

impl<B: MessageBus> In<B> {
    /// Finds the stream and the consumer, and where to begin.
    pub(super) fn look(&mut self) -> Result<(), BridgeError> {
        let (connection, is_new) = (self.connection.clone(), self.source.is_new());
        let ends = match connection.run(self.source.look()) {
            Some(Look::There(ends)) => ends,
            // Its writer makes it.
            Some(Look::Gone) if is_new => {
                self.pause();
                return Ok(());
            }
            Some(Look::Gone) => return Err(BridgeError::StreamGone { stream: self.source.stream_name().to_owned() }),
            None => {
                self.pause();
                return Ok(());
            }
        };
        self.is_fresh |= ends.is_fresh;
        // A sequence alone says nothing any more where a store was set back.
        let is_known = self.arrivals.as_ref().is_some_and(|arrivals| arrivals.reached().is_some());
        match if is_known { Ok(()) } else { self.begin(ends) } {
            // Before the first acknowledgement by this table.
            Ok(()) if connection.run(self.source.keep(self.takes.as_ref())) => self.state = State::Reading,
            Ok(()) | Err(NotBegun::Silent) => self.pause(),
            Err(NotBegun::Failed(error)) => return Err(error),
        }
        Ok(())
    }

    fn begin(&mut self, ends: Ends) -> Result<(), NotBegun> {
        let Ends { before, last, mut floor, .. } = ends;
        let connection = self.connection.clone();
        if floor > last {
            // The stream was set back, and the consumer was not.
            if !connection.run(self.source.renew(0)) {
                return Err(NotBegun::Silent);
            }
            (self.is_fresh, floor) = (true, 0);
        }
        // A ring keeps nothing that could be missing later.
        let is_journal = self.options.kind == Kind::Journal;
        let taken = self.source.kept();
        self.takes = is_journal.then(|| taken.and(&self.catalog, floor));
        if floor == 0 {
            self.arrivals = Some(Arrivals::new(self.names.clone(), before, None));
            return Ok(());
        }
        let Some(at_floor) = connection.run(self.source.message(floor))? else {
            // Its writer keeps it: somebody else has removed it, and what came after it, the floor following.
            let first = connection.run(self.source.message(before + 1))?;
            let to = first.as_ref().and_then(entry).and_then(|entry| behind(&entry));
            self.missing(None, to)?;
            self.arrivals = Some(Arrivals::new(self.names.clone(), before.max(floor), None));
            return Ok(());
        };
        if is_journal && !self.has_all(floor, before, &taken)? {
            // What was passed once is not missing at the next start.
            self.takes = Some(Takes::default().and(&self.catalog, floor));
        }
        self.arrivals = Some(Arrivals::new(self.names.clone(), floor, entry(&at_floor).as_ref()));
        Ok(())
    }

    /// Whether the last message that was acknowledged and not passed by is on the journal.
    fn has_all(&mut self, floor: u64, before: u64, taken: &Takes) -> Result<bool, NotBegun> {
        let connection = self.connection.clone();
        for sequence in (before + 1..=floor).rev().take(LOOK_BACK) {
            let Some(message) = connection.run(self.source.message(sequence))? else { continue };
            let Some(Entry::Message(head)) = entry(&message) else { continue };
            let Ok(subject) = Subject::parse(&message.subject) else { continue };
            let is_taken = subject.types().is_some_and(|(handler, of)| taken.has(handler, of, sequence));
            if !is_taken || message.payload.len() > self.bus.max_payload() {
                continue;
            }
            let last = self.importer(head.origin.incarnation)?.last();
            let is_there = last >= Some(head.position);
            if !is_there {
                self.missing(last, Some(head.position))?;
            }
            return Ok(is_there);
        }
        Ok(true)
    }

    /// What comes next names something before it that never came, and never will.
    pub(super) fn gap(&mut self, receipt: Receipt, message: Message) -> Result<(), BridgeError> {
        let entry = Entry::from_headers(message.headers.iter().flat_map(pairs)).ok();
        let reached = self.arrivals.as_ref().and_then(Arrivals::reached);
        self.missing(reached.and_then(|reached| reached.position), entry.and_then(|entry| behind(&entry)))?;
        self.arrivals = Some(Arrivals::new(self.names.clone(), receipt.sequence - 1, None));
        self.take(receipt, message)
    }

    fn missing(&self, from: Option<u64>, to: Option<u64>) -> Result<(), BridgeError> {
        if self.options.pass_gaps {
            return Ok(());
        }
        Err(BridgeError::Gap { node: self.names.node().to_owned(), from, to })
    }
}

fn entry(message: &StreamMessage) -> Option<Entry> {
    Entry::from_headers(pairs(&message.headers)).ok()
}

/// The position behind which an entry of a stream goes on.
fn behind(entry: &Entry) -> Option<u64> {
    match entry {
        Entry::Message(head) => head.previous,
        Entry::Hello(hello) => hello.after.or(hello.before.and_then(|before: Reached| before.position)),
    }
}
