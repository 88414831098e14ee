//! What ids mean on a named ring: the union of what the routing tables of all its programs say.
//!
//! Two areas, as a journal's tables are kept (`journal/header.rs`), and the one with the higher generation counts. A
//! new text goes to the other area, so whoever dies while it writes has changed nothing.

use super::error::NamedProblem;
use crate::message_bus::journal::header::{self, Area};
use crate::message_bus::journal::merge::TableChange;
use crate::message_bus::journal::recovery::write_table;
use crate::message_bus::journal::table::{HandlerRecord, JournalTable};
use crate::mmap::Region;
use crate::routing::Table;

/// The size of one area.
const AREA: usize = 32 * 1024;
/// The size of both.
pub(crate) const LEN: usize = 2 * AREA;

/// The names at some bytes of a region.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a> {
    pub(crate) region: &'a Region,
    pub(crate) at: usize,
}

/// What is to be written where.
#[derive(Debug)]
pub(crate) struct Update {
    area: usize,
    bytes: Vec<u8>,
}

impl Names<'_> {
    /// What is known: in which area, of which generation.
    fn newest(self) -> Option<(usize, u64, JournalTable)> {
        let areas = (0..2).filter_map(|area| {
            let mut bytes = vec![0; AREA];
            self.region.snapshot(self.at + area * AREA, &mut bytes);
            match header::decode_area(&bytes) {
                Area::Text { generation, text } => Some((area, generation, JournalTable::parse(&text)?)),
                // One that somebody died over.
                Area::Empty | Area::Damaged => None,
            }
        });
        areas.max_by_key(|(_, generation, _)| *generation)
    }

    /// What is known.
    pub(crate) fn known(self) -> Option<JournalTable> {
        self.newest().map(|(_, _, table)| table)
    }

    /// What to write for the ring to know what `table` says, too. `None`: it knows.
    ///
    /// # Errors
    ///
    /// [`NamedProblem::Table`] if others say something else; [`NamedProblem::TableTooLarge`].
    pub(crate) fn united_with(self, table: &Table<'_>) -> Result<Option<Update>, NamedProblem> {
        update(self.newest(), table)
    }

    /// Precondition: the lock of the file is held.
    pub(crate) fn write(self, update: &Update) {
        write_table(self.region, self.at + update.area * AREA, &update.bytes);
    }
}

/// What to write into a ring that knows nothing.
///
/// # Errors
///
/// [`NamedProblem::TableTooLarge`].
pub(crate) fn first(table: &Table<'_>) -> Result<Option<Update>, NamedProblem> {
    update(None, table)
}

fn update(newest: Option<(usize, u64, JournalTable)>, table: &Table<'_>) -> Result<Option<Update>, NamedProblem> {
    let (area, generation, old) = match &newest {
        Some((area, generation, old)) => (1 - area, generation + 1, Some(old)),
        None => (0, 1, None),
    };
    let table = JournalTable::of(table).of_any_program();
    let merged = table.merge(old.unwrap_or(&JournalTable::default()), &[]);
    let merged = merged.map_err(|change| NamedProblem::Table { change: in_words(&change) })?.of_any_program();
    let text = merged.to_text();
    let (len, max) = (text.len() as u64, header::text_max(AREA as u64));
    if len > max {
        return Err(NamedProblem::TableTooLarge { len, max });
    }
    let merged = merged.fitted(header::shapes_max(AREA as u64, len));
    if old == Some(&merged) {
        return Ok(None);
    }
    Ok(Some(Update { area, bytes: header::encode_area(generation, &text, &merged.shapes().to_text()) }))
}

fn in_words(change: &TableChange) -> String {
    const CURE: &str = "programs that share a ring mean the same by an id; give the one of them another id and name";
    match change {
        TableChange::Message { journal, table } => {
            format!("message {journal} on the ring is {table} in the routing table: {CURE}")
        }
        TableChange::Handler { journal, table } => {
            let (HandlerRecord { id: a, name: old }, HandlerRecord { id: b, name: new }) = (journal, table);
            format!("handler {old} = {a} on the ring is {new} = {b} in the routing table: {CURE}")
        }
        TableChange::Shape { message, journal, table, .. } => {
            let (name, id) = (&message.name, message.id);
            format!("message {name} = {id} is {journal} on the ring and {table} in the routing table: {CURE}")
        }
        TableChange::Renamed { problem, .. } => (*problem).to_owned(),
    }
}
