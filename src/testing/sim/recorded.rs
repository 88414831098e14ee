//! What came from outside while a journal was written, for other lives than the one that it records.

use super::Sim;
use super::system::Outside;
use crate::message_bus::{Entry, Journal, JournalError};
use crate::routing::TableRoute;
use crate::testing::replay::has_name;
use crate::traits::{Handler, MessageBus, Publish, Supervisor};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

impl<B: MessageBus> Sim<B> {
    /// Adds what came from outside while a journal was written: the messages of each source that is no handler of a
    /// node here. A source writes them in their order; when, and which source comes first, is what the seed says. What
    /// a run in production has met is so met again, in other schedules and with other [`Faults`](super::Faults).
    ///
    /// Reads the journal now, and leaves it as it is; what is damaged in it is left out. So are dead letters, which
    /// nobody outside has sent, and what was requeued, which came from outside once. Of a journal in which no
    /// source writes anything that a node receives, a run is a [`Finding`](super::Finding): it is another system's.
    /// [`replay`](crate::testing::replay) handles it in its own order, and compares what is sent.
    ///
    /// ```no_run
    /// # use rust_messenger::prelude::*;
    /// # use rust_messenger::testing::Sim;
    /// # struct Seat;
    /// # handler!(Seat, 1, default);
    /// # impl Default for Seat { fn default() -> Seat { Seat } }
    /// # Messenger! { type Market; (), Pit: handlers: [ #[allow(unrouted)] seat: Seat ] routes: [] }
    /// Sim::new(|| CircularBus::new(64 << 10))
    ///     .node("market", Market::with_options, ())
    ///     .recorded("tests/monday.journal")?
    ///     .law("what holds on mondays", (), |(), _| Ok(()))
    ///     .run();
    /// # Ok::<(), rust_messenger::message_bus::JournalError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`JournalError`]: the file cannot be read, or is no journal.
    pub fn recorded(mut self, journal: impl AsRef<Path>) -> Result<Self, JournalError> {
        let path = journal.as_ref();
        let opened = Journal::open(path)?;
        let (mut sources, mut entries) = (BTreeMap::<u16, Vec<(u16, Box<[u8]>)>>::new(), opened.entries());
        while let Some(entry) = entries.next()? {
            if let Entry::Message { header, payload, requeued: None, .. } = entry
                && header.source != Supervisor::ID
            {
                sources.entry(header.source).or_default().push((header.message, payload.into()));
            }
        }
        let rows = sources.iter().flat_map(|(source, list)| list.iter().map(|(message, _)| (*source, *message)));
        let (rows, table) = (rows.collect::<BTreeSet<_>>(), opened.info()?.table);
        let has = move |route: &TableRoute<'_>| {
            let is_named = table.as_ref().is_none_or(|table| {
                has_name(table.handler(route.source_id), route.source)
                    && has_name(table.message(route.message_id), route.message)
            });
            is_named && rows.contains(&(route.source_id, route.message_id))
        };
        self.system.recordings.push((path.to_owned(), Box::new(has)));
        for (source, list) in sources {
            let count = list.len() as u64;
            let write = move |n: u64, writer: &super::Simulated<B::BusWriter>| {
                list.get(n as usize)
                    .map_or(Ok(()), |(message, payload)| writer.try_write_bytes(source, *message, payload))
            };
            self.system.outside.push(Outside { count, source: Some(source), write: Box::new(write) });
        }
        Ok(self)
    }
}
