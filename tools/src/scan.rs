//! The entries of a journal in a range, and which of them were asked for.

use crate::args::Chosen;
use crate::failure::Failure;
use crate::meter::Meter;
use crate::names::Names;
use rust_messenger::message_bus::{Entry, Journal, Span};
use rust_messenger::traits::Header;
use std::ops::ControlFlow;

/// Which messages were asked for.
#[derive(Debug)]
pub struct Selection {
    sources: Vec<u16>,
    messages: Vec<u16>,
    from: u64,
    to: u64,
    left: u64,
}

impl Selection {
    pub fn new(chosen: &Chosen, names: &Names) -> Result<Selection, Failure> {
        let (from, to) = (chosen.from.unwrap_or(0), chosen.to.unwrap_or(u64::MAX));
        if from >= to {
            return Err(Failure::Usage(format!("--from {from} --to {to}: nothing is in between; give a larger --to")));
        }
        let messages: Vec<String> = chosen.message.iter().map(|asked| names.split_type(asked).0.to_owned()).collect();
        Ok(Selection {
            sources: names.sources(&chosen.source)?,
            messages: names.messages(&messages)?,
            from,
            to,
            left: chosen.limit.unwrap_or(u64::MAX),
        })
    }

    /// Whether an entry lies behind the range.
    pub fn is_past(&self, entry: &Entry<'_>) -> bool {
        span_of(entry).position >= self.to
    }

    /// Whether an entry was asked for. What is no message is if it reaches into the range: it may have been one.
    pub fn wants(&self, entry: &Entry<'_>) -> bool {
        match entry {
            Entry::Message { header, .. } => self.wants_message(header.position, header.source, header.message),
            part => {
                let Span { position, len } = span_of(part);
                position + len > self.from
            }
        }
    }

    /// Whether a message was asked for that stands, or stood, at `position`.
    pub fn wants_message(&self, position: u64, source: u16, message: u16) -> bool {
        let among = |ids: &[u16], id| ids.is_empty() || ids.contains(&id);
        (self.from..self.to).contains(&position) && among(&self.sources, source) && among(&self.messages, message)
    }

    /// Counts an entry that was shown. Says whether it was the last one.
    pub fn shown(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
        if matches!(entry, Entry::Message { .. }) { self.shown_message() } else { ControlFlow::Continue(()) }
    }

    /// Counts a message that was shown. Says whether it was the last one.
    pub fn shown_message(&mut self) -> ControlFlow<()> {
        self.left -= 1;
        if self.left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Where an entry lies. The length of a message is that of its payload.
pub fn span_of(entry: &Entry<'_>) -> Span {
    match *entry {
        Entry::Message { header: Header { position, size, .. }, .. } => Span { position, len: u64::from(size) },
        Entry::Sealed(span) | Entry::Hole(span) | Entry::Damaged(span) | Entry::Lagged(span) => span,
        // Entries may be added; what is not known has no length.
        _ => Span { position: 0, len: 0 },
    }
}

pub fn is_damage(entry: &Entry<'_>) -> bool {
    matches!(entry, Entry::Damaged(_))
}

/// Where to begin so as to see what stands from `from` on: there, if a slot begins there, and otherwise at the first
/// one. Bytes in the middle of a slot must not be taken for damage.
pub fn start_at(journal: &Journal, from: u64) -> Result<u64, Failure> {
    if from == 0 {
        return Ok(0);
    }
    Ok(match journal.entries_from(from).next()? {
        Some(Entry::Message { .. } | Entry::Sealed(_) | Entry::Lagged(_)) => from,
        _ => 0,
    })
}

/// Hands over what was asked for.
pub fn scan(
    journal: &Journal,
    selection: &mut Selection,
    meter: &mut Meter,
    mut each: impl FnMut(&Entry<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut entries = journal.entries_from(start_at(journal, selection.from)?);
    while let Some(entry) = entries.next()? {
        if selection.is_past(&entry) {
            break;
        }
        meter.at(span_of(&entry).position);
        if selection.wants(&entry) {
            each(&entry)?;
            if selection.shown(&entry).is_break() {
                break;
            }
        }
    }
    Ok(())
}
