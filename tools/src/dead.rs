//! `rmsg journal dead`: the messages that workers gave up, and what became of them.

use crate::args::CatArgs;
use crate::contents::Contents;
use crate::entry::{Dead, Letter, Printer};
use crate::failure::Failure;
use crate::meter::Meter;
use crate::opened::Opened;
use crate::output::{Outcome, warn};
use crate::scan::{Selection, is_damage, span_of};
use rust_messenger::message_bus::{Entry, Info, Journal};
use rust_messenger::traits::{DeadLetter, DecodeError, DeserializeFrom, Handler, Message, Supervisor};
use std::collections::{BTreeMap, HashMap};

pub fn dead(args: &CatArgs) -> Result<Outcome, Failure> {
    let opened = Opened::new(&args.file)?;
    let outcome = opened.warn(&args.file);
    let Opened { journal, info, names } = opened;
    let mut selection = Selection::new(&args.chosen, &names)?;
    let contents = Contents::new(args.proto.as_deref(), &args.chosen, &names)?;
    let mut printer = Printer::new(args.format, args.payload, &names, contents);
    let found = Found::of(&journal, &info)?;
    for (position, error) in &found.unreadable {
        warn(&format!("{}: the letter at {position} cannot be read: {error}", args.file.display()));
    }
    if found.is_damaged {
        warn(&format!("{}: parts of it are damaged: there may have been other letters", args.file.display()));
    }
    for (&position, letters) in &found.letters {
        let wanted = |letter: &Letter| selection.wants_message(position, letter.letter.source, letter.letter.message);
        if !letters.iter().any(wanted) {
            continue;
        }
        let mut entries = journal.entries_from(position);
        let there = entries.next()?;
        let there = there.as_ref().filter(|entry| match entry {
            Entry::Message { header, .. } => header.position == position,
            _ => false,
        });
        let dead = Dead { position, letters, requeued: found.requeued.get(&position).copied() };
        printer.dead(&dead, there, &names)?;
        if selection.shown_message().is_break() {
            break;
        }
    }
    printer.output.flush()?;
    Ok(if found.is_damaged { Outcome::Damaged } else { outcome })
}

/// What a journal says of dead messages.
#[derive(Debug, Default)]
struct Found {
    /// By the position of the message that they are about.
    letters: BTreeMap<u64, Vec<Letter>>,
    /// Where messages came again that were dead, by the position at which they were.
    requeued: HashMap<u64, u64>,
    /// What should be a letter.
    unreadable: Vec<(u64, DecodeError)>,
    is_damaged: bool,
}

impl Found {
    fn of(journal: &Journal, info: &Info) -> Result<Found, Failure> {
        let mut found = Found::default();
        let mut meter = Meter::silent_work(info.retained_from, info.file_len);
        let mut entries = journal.entries();
        while let Some(entry) = entries.next()? {
            meter.at(span_of(&entry).position);
            found.is_damaged |= is_damage(&entry);
            let Entry::Message { header, time, requeued, payload, .. } = entry else { continue };
            let position = header.position;
            if let Some(from) = requeued {
                found.requeued.insert(from, position);
            }
            if (header.source, header.message) == (Supervisor::ID, DeadLetter::ID) {
                match DeadLetter::try_deserialize_from(payload) {
                    Ok(letter) => {
                        found.letters.entry(letter.position).or_default().push(Letter { position, time, letter });
                    }
                    Err(error) => found.unreadable.push((position, error)),
                }
            }
        }
        Ok(found)
    }
}
