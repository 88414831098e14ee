//! Journals in memory for the tests of this directory, so that every case can be tried, under Miri too; and what is in
//! them.

mod crash_at_every_step;
mod damage;
mod disk_calls;
mod imports;
mod killed_as_kept;
mod letters;
mod lost_pages;
mod openings;
mod positions;
mod requeues;
mod space;

use super::{Adaptive, ManyWriters, PersistentBus};
use crate::message_bus::journal::error::JournalError;
use crate::message_bus::journal::header::{self, read_identity};
use crate::message_bus::journal::options::{PersistentOptions, Start};
use crate::message_bus::journal::recovered::Recovered;
use crate::message_bus::journal::recovery::{Opening, new_identity};
use crate::mmap::{Backing, Memory, Region};
use crate::routing::{Table, TableHandler, TableRoute, TableWorker};
use crate::traits::{Layout, MessageBus, Publish, Reader};
use std::path::Path;
use std::{fmt, io};

pub(super) type Bus = PersistentBus<ManyWriters, Adaptive>;

pub(super) const PAGE: usize = 4096;

/// Where the first slot of a small journal stands: behind four pages of header.
pub(super) const FIRST: usize = 4 * PAGE;

/// How long a small journal is: four pages of header, one of slots.
pub(super) const SMALL: usize = FIRST + PAGE;

/// Less under Miri, which looks at every byte.
pub(super) const CAPACITY: u64 = if cfg!(miri) { 28 * 1024 } else { 64 * 1024 };

pub(super) static TABLE: Table = Table {
    name: "Messenger",
    workers: &[TableWorker {
        name: "Worker",
        handlers: &[TableHandler { name: "a", type_name: "x::A", id: 1, allow_unrouted: false }],
        routes: &[TableRoute {
            source: "B",
            source_id: 2,
            message: "Tick",
            message_id: 7,
            layout: Layout::variable("test"),
            receivers: &["a"],
        }],
    }],
};

pub(super) fn small() -> PersistentOptions {
    PersistentOptions {
        capacity: CAPACITY,
        max_payload: 256,
        step: PAGE as u64,
        table_capacity: 1,
        start: Start::Oldest,
        // What it says of damage is looked at; what it leaves out otherwise has tests of its own.
        verify: true,
        ..PersistentOptions::default()
    }
}

pub(super) fn opening(image: &[u8], options: PersistentOptions) -> Result<Opening<'static>, JournalError> {
    let path = Path::new("(test)");
    let identity = read_identity(path, image)?;
    Ok(Opening { path, identity, options, created: false })
}

pub(super) fn open(image: &[u8], options: PersistentOptions) -> Result<(Bus, Recovered), JournalError> {
    Bus::from_image(image.to_vec(), options)
}

/// A small journal that is made now, on the disk that `backing` makes of the first bytes of its file.
pub(super) fn made(options: PersistentOptions, backing: impl FnOnce(&[u8]) -> Box<dyn Backing>) -> Bus {
    let path = Path::new("(test)");
    let identity = new_identity(path, &options).unwrap();
    let image = identity.image(SMALL as u64);
    let backing = backing(&image);
    Bus::of(Opening { path, identity, options, created: true }.in_memory(image, backing).unwrap()).0
}

/// A call of a journal to its disk, before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Grow { from: usize, to: usize },
    Populate { from: usize, to: usize },
    Sync { from: usize, to: usize },
    Punch { from: usize, to: usize },
}

/// Memory in the place of a disk, with somebody who sees every call and may refuse it.
pub(super) struct Watched<F>(pub(super) F);

impl<F> fmt::Debug for Watched<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watched")
    }
}

impl<F: Fn(&Region, Call) -> io::Result<()> + Send + Sync> Backing for Watched<F> {
    fn grow(&self, region: &Region, from: usize, to: usize) -> io::Result<()> {
        self.0(region, Call::Grow { from, to })?;
        Memory.grow(region, from, to)
    }

    fn populate(&self, region: &Region, from: usize, to: usize) {
        // Nobody hears of a refusal: it is no more than a hint.
        let _ = self.0(region, Call::Populate { from, to });
    }

    fn reserve(&self, _: usize, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self, region: &Region, from: usize, to: usize) -> io::Result<()> {
        self.0(region, Call::Sync { from, to })
    }

    fn punch(&self, region: &Region, from: usize, to: usize) -> io::Result<()> {
        self.0(region, Call::Punch { from, to })?;
        Memory.punch(region, from, to)
    }
}

/// The bytes of the file that a bus in memory stands for.
pub(super) fn image_of(bus: &Bus) -> Vec<u8> {
    bus.image()
}

/// Up to where a journal was finished, as its first page says.
pub(super) fn whole_of(image: &[u8]) -> u64 {
    header::whole_in(image, image.len() as u64).unwrap()
}

/// Message `number`: its size and every byte follow from it.
pub(super) fn message(number: u8) -> Vec<u8> {
    vec![number; 3 + usize::from(number) * 7 % 90]
}

/// Everything that a reader sees.
pub(super) fn read_all(bus: &Bus) -> Vec<Vec<u8>> {
    let mut reader = bus.subscribe("reader").unwrap();
    let mut seen = Vec::new();
    while let Ok(payload) = reader.try_read(|_, payload| payload.to_vec()) {
        seen.push(payload);
    }
    assert_eq!(reader.position(), bus.tail(), "a reader does not reach the tail");
    seen
}

/// That what was seen are whole messages of `0..count` in order, each at most once.
#[track_caller]
pub(super) fn check_whole(seen: &[Vec<u8>], count: u8) {
    let mut last = None;
    for payload in seen {
        assert_eq!(*payload, message(payload[0]), "torn or invented");
        assert!(payload[0] < count && last.is_none_or(|last| last < payload[0]), "doubled, or out of order");
        last = Some(payload[0]);
    }
}

/// A small journal with so many messages, a table and a cursor.
pub(super) fn sample(count: u8, crc: bool) -> Vec<u8> {
    let options = PersistentOptions { crc, capacity: SMALL as u64, ..small() };
    let options = options.table(&TABLE).start_reader("named", Start::Resume);
    let bus = Bus::made_in_memory(options).unwrap();
    let mut named = bus.subscribe("named").unwrap();
    let writer = bus.writer().unwrap();
    for number in 0..count {
        writer.write_bytes(2, 7, &message(number)).unwrap();
    }
    for _ in 0..3 {
        named.try_read(|_, _| ()).unwrap();
    }
    drop(named);
    let image = image_of(&bus);
    assert_eq!(image.len(), SMALL);
    image
}

/// The same, finished and synced up to its end: opening a journal does that.
pub(super) fn synced_sample(count: u8, crc: bool) -> Vec<u8> {
    let image = image_of(&open(&sample(count, crc), small()).unwrap().0);
    assert_ne!(image[header::WHOLE as usize..][..8], sample(count, crc)[header::WHOLE as usize..][..8]);
    image
}
