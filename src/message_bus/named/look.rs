//! What a named ring says of itself to whoever looks at it from outside: its file is read, and nothing else is done.
//!
//! Nothing that is read is believed. The first page is checked as by whoever opens the ring; all else has its place,
//! its number and its length by that, words are shown as they are, and texts are made UTF-8. The file is read and not
//! mapped, so one that is cut off meanwhile is an error and no signal.
//!
//! In which order it is read: the ring first, then who is attached. An attachment is in its table before anything in
//! the ring names it, so whoever is named and not there has ended.

use super::attachments::{PLACES, Places};
use super::error::NamedProblem;
use super::identity::{self, ATTACHMENTS, CONTROL, Identity, NAMES};
use super::names::Names;
use super::options::Claims;
use super::stats::{AttachmentStats, NamedReaderStats, NamedStats, NamedWriterStats};
use crate::message_bus::ring::control::{self, Control, READERS, ReaderEntry, SHARED_WRITER, WriterEntry};
use crate::message_bus::ring::gate::readers::{cursor_of, is_evictable, is_held, is_left};
use crate::message_bus::ring::gate::tickets::is_worker;
use crate::message_bus::ring::owner::Owner;
use crate::message_bus::ring::position::ahead;
use crate::message_bus::ring::slot::SLOT_HEADER;
use crate::mmap::named::{self, Found};
use crate::mmap::{Front, Region};
use crate::process::Observer;
use crate::sync::{AtomicU64, Ordering};
use std::io::ErrorKind;
use std::path::Path;

/// Looks at the ring of this name.
///
/// # Errors
///
/// Why there is none, or no one that this program can read.
pub(super) fn look(path: &Path) -> Result<NamedStats, NamedProblem> {
    let found = named::open_to_read::<{ identity::LEN }>(path)?;
    let identity = Identity::read(&found.start, found.len)?;
    let ring = Front::<{ control::SIZE }>::of(part(&found, CONTROL, control::SIZE)?);
    let others = part(&found, ATTACHMENTS, CONTROL - ATTACHMENTS)?;
    let observer = Observer::of_this_process();
    Ok(stats(&identity, Control(ring.words()), &others, &observer, |number| {
        // What is not known proves nothing.
        found.is_byte_locked(number).unwrap_or(true)
    }))
}

/// A copy of some bytes of the file, as words.
pub(super) fn part<const N: usize>(found: &Found<N>, at: usize, len: usize) -> Result<Region, NamedProblem> {
    let mut bytes = vec![0; len];
    found.read_at(at as u64, &mut bytes).map_err(|error| match (error.kind(), found.len_now()) {
        // It was as long a moment ago.
        (ErrorKind::UnexpectedEof, Ok(now)) => NamedProblem::Length { found: now, expected: found.len },
        _ => NamedProblem::Io { action: "read it", error },
    })?;
    let region =
        Region::anonymous(len).map_err(|error| NamedProblem::Io { action: "find memory for a copy", error })?;
    for (place, word) in bytes.as_chunks().0.iter().enumerate() {
        region.word(8 * place).store(u64::from_ne_bytes(*word), Ordering::Relaxed);
    }
    Ok(region)
}

/// What `control` says, and `others`, which begins with the table of attachments.
fn stats(
    identity: &Identity,
    control: Control<'_>,
    others: &Region,
    observer: &Observer,
    is_byte_locked: impl Fn(u8) -> bool,
) -> NamedStats {
    let tail = of(control.tail());
    let writers = (0..SHARED_WRITER).map(control::writer);
    let readers = (0..READERS).map(|number| control.reader(control::reader(number)));
    let sum = |word: fn(WriterEntry<'_>) -> u64| {
        writers.clone().map(|index| word(control.writer(index))).fold(0, u64::wrapping_add)
    };
    let messages = sum(|entry| of(entry.messages()));
    let places = Places::of(others.clone());
    let is_dead: [bool; PLACES] = std::array::from_fn(|number| {
        observer.is_dead(&places.process(number), identity.boot, || is_byte_locked(number as u8))
    });
    let owners = (0..PLACES).filter(|number| !is_dead[*number]).filter_map(|number| places.owner_at(number)).collect();
    let mut attached = Attached { owners };
    let readers = readers.filter(|entry| !is_left(*entry));
    let readers = readers.filter_map(|entry| Some((attached.named_by(entry.state())?, entry)));
    let readers = readers.map(|(attachment, entry)| reader(attachment, entry, tail, messages)).collect();
    let writers_used = writers.clone().filter_map(|index| {
        let entry = control.writer(index);
        Some(NamedWriterStats {
            attachment: attached.named_by(entry.state())?,
            worker: is_worker(control, index),
            messages: of(entry.messages()),
            bytes: of(entry.bytes()),
        })
    });
    let writers_used = writers_used.collect();
    let lock = attached.named_by(control.lock());
    // Of the one writer's place nothing is shown that its entry does not say; but its dead owner holds it.
    attached.named_by(control.one_writer());
    let attachments = attached.owners.into_iter().map(|owner| {
        let number = usize::from(owner.attachment());
        match places.owner_at(number).filter(|there| *there == owner) {
            Some(_) => AttachmentStats {
                pid: Some(places.process(number).pid),
                program: places.program(number),
                alive: !is_dead[number],
                paused: observer.is_paused(&places.process(number)),
            },
            None => AttachmentStats { pid: None, program: String::new(), alive: false, paused: false },
        }
    });
    let names = Names { region: others, at: NAMES - ATTACHMENTS }.known().unwrap_or_default();
    NamedStats {
        capacity: identity.capacity,
        one_writer: identity.claims == Claims::One,
        tail,
        gate: of(control.gate()),
        messages,
        bytes: sum(|entry| of(entry.bytes())),
        full: sum(|entry| of(entry.full())),
        sealed: sum(|entry| of(entry.sealed())),
        lock,
        attachments: attachments.collect(),
        readers,
        writers: writers_used,
        handler_names: names.handlers().map(|(id, name)| (id, name.to_owned())).collect(),
        message_names: names.messages().iter().map(|message| (message.id, message.name.clone())).collect(),
    }
}

/// A word of a copy, which nobody else has.
fn of(word: &AtomicU64) -> u64 {
    word.load(Ordering::Relaxed)
}

fn reader(attachment: usize, entry: ReaderEntry<'_>, tail: u64, written: u64) -> NamedReaderStats {
    let (position, handled, losses) = (cursor_of(entry), of(entry.handled()), of(entry.losses()));
    let lag = ahead(tail, position).max(0) as u64;
    let passed = of(entry.written_before()).wrapping_add(handled).wrapping_add(losses);
    // Writers count later than they publish, and readers now and then. It cannot be more than there is room for.
    let lag_messages = (ahead(written, passed).max(0) as u64).min(lag / SLOT_HEADER);
    NamedReaderStats {
        name: entry.name_text(),
        attachment,
        position,
        lag,
        lag_messages,
        handled,
        losses,
        asleep: of(entry.asleep()) == 1,
        evictable: is_evictable(entry),
        held: is_held(entry),
        outbox: of(entry.outbox()),
        outbox_high_water: of(entry.outbox_high_water()),
    }
}

/// Who is shown: those that the table names and that live, and whoever else something in the ring is.
struct Attached {
    owners: Vec<Owner>,
}

impl Attached {
    /// Where whom `word` names is among them, if it is in use.
    fn named_by(&mut self, word: &AtomicU64) -> Option<usize> {
        let owner = Owner::named_by(of(word))?;
        Some(self.owners.iter().position(|known| *known == owner).unwrap_or_else(|| {
            self.owners.push(owner);
            self.owners.len() - 1
        }))
    }
}
