//! Recovery: looks at all of a journal, mends what a dead process left half done, and hands it on as a store.
//!
//! Looking changes nothing. Each step of the mending leaves what the next recovery finds as it was, or as it shall be:
//! whoever recovers may be killed as well.

use super::background::Background;
use super::error::JournalError;
use super::header::{self, Area, CursorEntry, Identity, Mutable, PAGE, read_header};
use super::kept::Snapshots;
use super::merge::TableChange;
use super::options::{PersistentOptions, Starts};
use super::origin::{self, ORIGIN_COUNT, OriginEntry};
use super::origins::Walked;
use super::recovered::{HeaderDamage, Recovered};
use super::scan::{Found, Kind, Scan, Scanned};
use super::slots::{JournalSlots, record_len};
use super::source::{Source, Upto};
use super::store::{JournalStore, LOOK, Plan};
use super::table::{JournalTable, MessageRecord};
use super::unchecked::{Mark, Stretch, Unchecked, page_of};
use crate::encoding::shape::Difference;
use crate::mmap::{Backing, Region};
use crate::random;
use crate::sync::{Ordering, fence};
use std::io;
use std::path::Path;
use std::time::Duration;

/// The identity of a journal that is made now.
pub(crate) fn new_identity(path: &Path, options: &PersistentOptions) -> Result<Identity, JournalError> {
    options.check_made()?;
    let random = |error| JournalError::Io { path: path.to_owned(), action: "get a random key for it", error };
    let key = random::number().map_err(random)?;
    let identity = Identity {
        crc: options.crc,
        // The highest bit keeps a stamp from being zero, which means that there is none.
        key: key | 1 << 63,
        table_len: (options.table_capacity as u64).next_multiple_of(PAGE),
        max_payload: options.max_payload as u64,
        created: options.clock.now().as_nanos(),
    };
    options.check(&identity)?;
    Ok(identity)
}

/// A journal that is being opened.
pub(crate) struct Opening<'a> {
    pub(crate) path: &'a Path,
    pub(crate) identity: Identity,
    pub(crate) options: PersistentOptions,
    pub(crate) created: bool,
}

/// What is to be changed in a journal that can be opened.
pub(crate) struct Findings {
    pub(crate) header: Mutable,
    /// The table to be written, and into which area with which generation.
    pub(crate) table: Option<(usize, Vec<u8>)>,
    pub(crate) recovered: Recovered,
    /// From where on it was looked at.
    pub(crate) from: u64,
    /// What the slots say of where they come from.
    walked: Walked,
    /// How many places are to be marked.
    pub(crate) marks: u64,
    pub(crate) len: u64,
}

/// A journal that is open.
pub(crate) struct Opened {
    pub(crate) store: JournalStore,
    pub(crate) background: Option<Background>,
    pub(crate) starts: Starts,
    pub(crate) silent_after: Duration,
    pub(crate) recovered: Recovered,
}

/// Writes a table area over an older one at `base`. Until it is whole there is none: that somebody was killed in it is
/// no damage.
pub(crate) fn write_table(region: &Region, base: usize, bytes: &[u8]) {
    region.word(base).store(header::UNWRITTEN, Ordering::Relaxed);
    fence(Ordering::Release); // SYNC POINT journal.killed
    let mut words = bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_ne_bytes(word)
    });
    let generation = words.next().unwrap_or(header::UNWRITTEN);
    for (place, word) in words.enumerate() {
        region.word(base + 8 + 8 * place).store(word, Ordering::Relaxed);
    }
    region.word(base).store(generation, Ordering::Release); // SYNC POINT header.word
}

/// Copies the identity from the page where it is whole to the one where it is not.
fn repair_identity(region: &Region, identity: &Identity) {
    let copies = header::IDENTITIES.map(|at| {
        let mut bytes = [0; header::IDENTITY];
        region.snapshot(at as usize, &mut bytes);
        (at, bytes)
    });
    let is_whole = |bytes: &[u8; header::IDENTITY]| Identity::decode(bytes) == Ok(*identity);
    let Some((_, whole)) = copies.iter().find(|(_, bytes)| is_whole(bytes)) else { return };
    for (at, _) in copies.iter().filter(|(_, bytes)| !is_whole(bytes)) {
        for (place, word) in whole.as_chunks().0.iter().enumerate() {
            region.word(*at as usize + 8 * place).store(u64::from_ne_bytes(*word), Ordering::Relaxed);
        }
    }
}

/// The error that says so of a journal.
fn refused(change: TableChange, path: &Path) -> JournalError {
    let path = path.to_owned();
    match change {
        TableChange::Shape { message: MessageRecord { id, name, .. }, journal, table, difference } => {
            let Difference { at, written, read } = difference;
            JournalError::Shape {
                path,
                message: name.into(),
                id,
                journal: journal.into(),
                table: table.into(),
                at: at.into(),
                differs: Box::new((written, read)),
            }
        }
        TableChange::Renamed { old, new, problem } => JournalError::Renamed { path, old, new, problem },
        change @ (TableChange::Message { .. } | TableChange::Handler { .. }) => {
            JournalError::Table { path, change: change.to_string() }
        }
    }
}

impl Opening<'_> {
    pub(crate) fn io(&self, action: &'static str) -> impl Fn(io::Error) -> JournalError + '_ {
        move |error| JournalError::Io { path: self.path.to_owned(), action, error }
    }

    /// Looks at it and changes nothing.
    pub(crate) fn inspect(&self, source: &(impl Source + ?Sized)) -> Result<Findings, JournalError> {
        let (identity, options) = (&self.identity, &self.options);
        let io = self.io("read it");
        let len = source.len().map_err(&io)?;
        let header = read_header(source, identity).map_err(&io)?;
        let table = self.merged_table(&header)?;
        let mut recovered = Recovered { created: self.created, ..Recovered::default() };
        recovered.missing = header.allocated.saturating_sub(len);
        let from = self.begin(&header, recovered.missing);
        recovered.leave_out(Stretch { from: header.retained, to: from });
        let mut scan = Scan::new(source, identity, from);
        let (mut marks, mut walked) = (0, Walked::default());
        while let Scanned::Found(found) = scan.step().map_err(&io)? {
            recovered.add(&found);
            if let Kind::Message(header) = &found.kind {
                walked.note(scan.record(header).origin());
            }
            marks += u64::from(Mark::of(&found).is_some());
        }
        recovered.tail = scan.position();
        recovered.torn = scan.last_byte(recovered.tail).map_err(&io)? - recovered.tail;
        recovered.header = header.damage.clone();
        for (_, name, position) in &header.cursors {
            if position.is_some_and(|position| position > recovered.tail) {
                recovered.header.push(HeaderDamage::CursorAhead(name.clone()));
            }
        }
        let is_there = |index| header.origins.iter().any(|(known, _)| *known == index);
        let is_nowhere = (0..ORIGIN_COUNT).any(|index| walked.is_named[index] && !is_there(index));
        if (walked.is_unknown || is_nowhere) && !recovered.header.contains(&HeaderDamage::OriginName) {
            recovered.header.push(HeaderDamage::OriginName);
        }
        if header.retained > header.accounted {
            // A program that knows nothing of origins has forgotten what it should have accounted for.
            let lost = header.origins.iter().map(|(_, node)| HeaderDamage::Origin(node.node.clone()));
            recovered.header.extend(lost.filter(|damage| !header.damage.contains(damage)));
        }
        if options.strict && recovered.is_damaged() {
            return Err(JournalError::Damaged { path: self.path.to_owned(), recovered: Box::new(recovered) });
        }
        options.check(identity)?;
        let workers = options.table.map_or(&[][..], |table| table.workers);
        let is_there = |worker: &str| workers.iter().any(|there| there.name == worker);
        if let Some((worker, _)) = options.snapshots.iter().find(|(worker, _)| !is_there(worker)) {
            let known = workers.iter().map(|there| there.name).collect();
            return Err(JournalError::NoSuchWorker { path: self.path.to_owned(), worker, known });
        }
        Ok(Findings { header, table, recovered, from, walked, marks, len })
    }

    /// Where to begin looking: where everything before was finished and synced once. Where anything says that the file
    /// is not what it was, that word says nothing about the rest.
    fn begin(&self, header: &Mutable, missing: u64) -> u64 {
        let looks_at_all = self.options.verify || self.options.strict || missing != 0 || !header.damage.is_empty();
        // What a program has synced that knows nothing of origins is whole, and not in their table.
        let whole = if header.origins.is_empty() { header.whole } else { header.whole.min(header.accounted) };
        if looks_at_all { header.retained } else { whole.max(header.retained) }
    }

    /// The table to be written, if the one of the options says more than the journal's.
    fn merged_table(&self, header: &Mutable) -> Result<Option<(usize, Vec<u8>)>, JournalError> {
        let renamed = &self.options.renamed[..];
        let Some(table) = self.options.table else {
            let problem = "it needs the routing table, which the options do not have";
            let said = |(old, new): &(&str, &str)| (old.to_string(), new.to_string());
            return renamed.first().map(said).map_or(Ok(None), |(old, new)| {
                Err(JournalError::Renamed { path: self.path.to_owned(), old, new, problem })
            });
        };
        let (place, old) = match &header.table {
            Some(((area, generation), old)) => ((1 - area, generation + 1), Some(old)),
            None => ((0, 1), None),
        };
        let merged = JournalTable::of(table).merge(old.unwrap_or(&JournalTable::default()), renamed);
        let merged = merged.map_err(|change| refused(*change, self.path))?;
        let (text, (area, generation)) = (merged.to_text(), place);
        let (len, max) = (text.len() as u64, header::text_max(self.identity.table_len));
        if len > max {
            return Err(JournalError::TableTooLarge { path: self.path.to_owned(), len, max });
        }
        let merged = merged.fitted(header::shapes_max(self.identity.table_len, len));
        if old == Some(&merged) && !header.damage.contains(&HeaderDamage::Table) {
            return Ok(None);
        }
        let bytes = header::encode_area(generation, &text, &merged.shapes().to_text());
        assert!(matches!(header::decode_area(&bytes), Area::Text { .. }));
        Ok(Some((area, bytes)))
    }

    /// The bytes to reserve: the capacity, and room for the largest slot behind it.
    pub(crate) fn region_len(&self, findings: &Findings) -> (u64, usize) {
        let capacity = self.options.capacity.max(findings.len).max(findings.recovered.tail + LOOK);
        let capacity = capacity.next_multiple_of(PAGE);
        let spare = record_len(self.identity.max_payload as usize, self.identity.crc).next_multiple_of(PAGE);
        (capacity, (capacity + spare) as usize)
    }

    /// The journal in memory whose bytes are `image`.
    pub(crate) fn in_memory(self, mut image: Vec<u8>, backing: Box<dyn Backing>) -> Result<Opened, JournalError> {
        let findings = self.inspect(image.as_slice())?;
        let region = self.load(&findings, &mut image)?;
        self.assemble(image.as_slice(), findings, region, backing, |_| Ok(None))
    }

    /// Memory that has the bytes of `image`, which is brought to whole pages.
    pub(crate) fn load(&self, findings: &Findings, image: &mut Vec<u8>) -> Result<Region, JournalError> {
        let (_, len) = self.region_len(findings);
        let region = Region::anonymous(len).map_err(self.io("get memory for it"))?;
        image.resize(image.len().next_multiple_of(PAGE as usize), 0);
        for (place, word) in image.as_chunks().0.iter().enumerate() {
            let word = u64::from_ne_bytes(*word);
            if word != 0 {
                region.word(8 * place).store(word, Ordering::Relaxed);
            }
        }
        Ok(region)
    }

    /// Recovers the journal in `region`, which has the bytes of `source`, and has it looked after in the background.
    pub(crate) fn assemble(
        self,
        source: &(impl Source + ?Sized),
        findings: Findings,
        region: Region,
        backing: Box<dyn Backing>,
        background: impl FnOnce(&JournalStore) -> io::Result<Option<Background>>,
    ) -> Result<Opened, JournalError> {
        let (capacity, _) = self.region_len(&findings);
        let Identity { key, crc, max_payload, .. } = self.identity;
        let slots = JournalSlots::new(region.clone(), key, max_payload as usize, crc);
        let (len, tail) = (findings.len, findings.recovered.tail);
        let ready = len.max(tail + LOOK).next_multiple_of(PAGE);

        self.reserve(source, &findings, &*backing, ready)?;
        self.mark(source, &findings, &slots)?;
        // SAFETY: the bus is not made yet, and this is the only process that writes to the file.
        unsafe { slots.zero(tail, (tail + findings.recovered.torn).min(ready)) };
        if let Some((area, bytes)) = &findings.table {
            write_table(&region, self.identity.table_at(*area) as usize, bytes);
        }

        let starts = Starts::new(&self.options);
        let (retained, retention) = (findings.header.retained.min(tail), self.options.retention);
        let rebuilt = if retention.past_rebuilds { Vec::new() } else { starts.rebuilt() };
        let store = JournalStore::new(Plan {
            backing,
            slots,
            capacity,
            step: self.options.step.next_multiple_of(PAGE),
            ready,
            identity: self.identity,
            retained,
            tail,
            snapshots: Snapshots::new(self.options.snapshots.clone()),
            unchecked: Unchecked::new(Stretch { from: retained, to: findings.from }, findings.recovered.clone()),
            sync: self.options.durability,
            retention,
            rebuilt,
            clock: std::sync::Arc::clone(&self.options.clock),
        })
        .map_err(self.io("get space for it"))?;
        self.mend_header(&store, &findings, capacity, ready);
        let background = background(&store).map_err(self.io("start the thread that looks after it"))?;
        let silent_after = self.options.silent_after;
        Ok(Opened { store, background, starts, silent_after, recovered: findings.recovered })
    }

    /// Has space for the file as it is, also for what a copy of it may have left out because it was zero. Where there
    /// is none, the file is as it was.
    fn reserve(
        &self,
        source: &(impl Source + ?Sized),
        findings: &Findings,
        backing: &dyn Backing,
        ready: u64,
    ) -> Result<(), JournalError> {
        let io = self.io("get space for it");
        let from = findings.len.min(findings.recovered.tail) / PAGE * PAGE;
        backing.reserve(from as usize, ready as usize).map_err(&io)?;
        let reserve_mark = |found: &Found, _| {
            let (from, to) = page_of(found);
            backing.reserve(from, to)
        };
        self.each_mark(source, findings, reserve_mark).map_err(&io)
    }

    /// Marks what readers of the mapping could not step over. Marks go over first words only, which the scan has passed
    /// when it says so.
    fn mark(
        &self,
        source: &(impl Source + ?Sized),
        findings: &Findings,
        slots: &JournalSlots,
    ) -> Result<(), JournalError> {
        let mark = |found: &Found, mark: Mark| {
            // SAFETY: the bus is not made yet, and this is the only process that writes to the file.
            unsafe { mark.put(slots, found) };
            Ok(())
        };
        self.each_mark(source, findings, mark).map_err(self.io("get space for it"))
    }

    /// Every place that is to be marked.
    fn each_mark(
        &self,
        source: &(impl Source + ?Sized),
        findings: &Findings,
        mut f: impl FnMut(&Found, Mark) -> io::Result<()>,
    ) -> io::Result<()> {
        // As long as it was when it was inspected: a slot that was cut off does not get its end back as zeros.
        let mut scan = Scan::new(Upto(source, findings.len), &self.identity, findings.from);
        let mut left = findings.marks;
        while left > 0
            && let Scanned::Found(found) = scan.step()?
        {
            if let Some(mark) = Mark::of(&found) {
                f(&found, mark)?;
                left -= 1;
            }
        }
        Ok(())
    }

    /// Brings the header to what was found.
    fn mend_header(&self, store: &JournalStore, findings: &Findings, capacity: u64, ready: u64) {
        let (header, tail) = (&findings.header, findings.recovered.tail);
        let mut page = [0; PAGE as usize];
        store.region().snapshot(0, &mut page);
        for index in 0..header::CURSOR_COUNT {
            match header::cursor_entry(&page, index) {
                CursorEntry::Unnamed => store.remove_cursor(index),
                CursorEntry::Named(_, Some(position)) if position > tail => {
                    store.store_checked(header::cursor_at(index) + header::CURSOR_POSITION, tail);
                }
                _ => {}
            }
        }
        for (index, entry) in origin::entries(&page) {
            if entry == OriginEntry::Unnamed {
                store.remove_origin(index);
            }
        }
        if header.damage.contains(&HeaderDamage::Identity) {
            repair_identity(store.region(), &self.identity);
        }
        // Last, and how long the file is last of all: of a recovery that is killed before that, the next one tells
        // again what is damaged or missing.
        store.store_checked(header::RETAINED, header.retained.min(tail));
        store.store_checked(header::CAPACITY, capacity);
        store.store_checked(header::ALLOCATED, ready);
        store.begin_origins(&header.origins, &findings.walked);
        if header.whole != tail || (!header.origins.is_empty() && header.accounted != tail) {
            // From now on what is missing before the tail is lost. A failure stays: writers are told.
            let _ = store.sync();
        }
    }
}
