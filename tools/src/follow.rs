//! `rmsg journal follow`: messages as they are committed.
//!
//! A journal's pages change without the system noticing, so there is nothing to be woken by: it is looked at now and
//! then, ever more rarely while nothing happens, up to ten times per second. In between standard output is watched, so
//! that a reader who has gone away is noticed.

use crate::args::CatArgs;
use crate::contents::Contents;
use crate::entry::Printer;
use crate::failure::Failure;
use crate::meter::Meter;
use crate::opened::Opened;
use crate::output::{Outcome, watch_output};
use crate::scan::{Selection, is_damage, span_of, start_at};
use rust_messenger::message_bus::{Entry, Journal, Span};
use std::collections::VecDeque;
use std::time::Duration;

/// Between two looks: at first, and at most.
const SHORT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_millis(100);

pub fn follow(args: &CatArgs) -> Result<Outcome, Failure> {
    let opened = Opened::new(&args.file)?;
    let mut outcome = opened.warn(&args.file);
    let Opened { journal, info, mut names } = opened;
    let mut selection = Selection::new(&args.chosen, &names)?;
    let contents = Contents::new(args.proto.as_deref(), &args.chosen, &names)?;
    let mut printer = Printer::new(args.format, args.payload, &names, contents);
    let past = match args.chosen.from {
        Some(from) => Past { start: start_at(&journal, from)?, ..Past::default() },
        None => Past::of(&journal, &mut Meter::silent_work(info.retained_from, info.file_len))?,
    };
    let mut entries = journal.follow(past.start);
    let mut pause = SHORT;
    loop {
        let Some(entry) = entries.next()? else {
            printer.output.flush()?;
            watch_output(pause)?;
            pause = (2 * pause).min(LONG);
            continue;
        };
        pause = SHORT;
        if selection.is_past(&entry) {
            break;
        }
        if past.has(&entry) || !selection.wants(&entry) {
            continue;
        }
        if is_damage(&entry) {
            outcome = Outcome::Damaged;
        }
        if let Entry::Message { header, .. } = &entry {
            names.refresh(&journal, header.source, header.message)?;
        }
        printer.entry(&entry, &names)?;
        if selection.shown(&entry).is_break() {
            break;
        }
    }
    printer.output.flush()?;
    Ok(outcome)
}

/// More writers than that are not at work at once.
const HOLES: usize = 1024;

/// What was in a journal when following began: not to be printed, but for what was unfinished then.
#[derive(Debug, Default)]
struct Past {
    start: u64,
    end: u64,
    /// The last ones; a writer may be at work in them.
    holes: VecDeque<Span>,
}

impl Past {
    fn of(journal: &Journal, meter: &mut Meter) -> Result<Past, Failure> {
        let mut past = Past::default();
        let mut entries = journal.entries();
        while let Some(entry) = entries.next()? {
            meter.at(span_of(&entry).position);
            if let Entry::Hole(span) = entry {
                if past.holes.len() == HOLES {
                    past.holes.pop_front();
                }
                past.holes.push_back(span);
            }
        }
        past.end = entries.position();
        past.start = past.holes.front().map_or(past.end, |hole| hole.position);
        Ok(past)
    }

    fn has(&self, entry: &Entry<'_>) -> bool {
        let position = span_of(entry).position;
        let is_in = |hole: &Span| (hole.position..hole.position + hole.len).contains(&position);
        let was_finished = !self.holes.iter().any(is_in);
        position < self.end && (was_finished || matches!(entry, Entry::Hole(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_messenger::message_bus::{PersistentBus, PersistentOptions};
    use rust_messenger::traits::{MessageBus, Publish};

    /// The positions that a follower would print now, and the number of entries that it would not.
    fn followed(journal: &Journal, past: &Past) -> (Vec<u64>, usize) {
        let (mut positions, mut old) = (Vec::new(), 0);
        let mut entries = journal.follow(past.start);
        while let Some(entry) = entries.next().unwrap() {
            if past.has(&entry) {
                old += 1;
            } else {
                positions.push(span_of(&entry).position);
            }
        }
        (positions, old)
    }

    #[test]
    fn what_was_unfinished_when_following_began_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let (bus, _) = PersistentBus::open(&path, PersistentOptions::default()).unwrap();
        let [early, other, late] = [(); 3].map(|()| bus.writer().unwrap());
        early.write_bytes(1, 1, b"early").unwrap();
        let journal = Journal::open(&path).unwrap();
        let unfinished = bus.tail();
        let mut past = Past::default();
        late.write(1, 1, 100, |_| {
            other.write_bytes(1, 1, b"behind it").unwrap();
            past = Past::of(&journal, &mut Meter::silent_work(0, 0)).unwrap();
            assert_eq!(followed(&journal, &past), (vec![], 0), "it may still become a message");
        })
        .unwrap();
        let new = bus.tail();
        early.write_bytes(1, 1, b"new").unwrap();
        assert_eq!(followed(&journal, &past), (vec![unfinished, new], 1));
    }
}
