//! A journal as it lies on the disk, for whoever only reads: what its header says, its slots one by one, its cursors.
//!
//! Everything is read by position, never through a mapping. So a reader cannot disturb the writer, no file, however
//! damaged, can make it fault, and it borrows no bytes that the writer's retention may give back.

use super::header::{self, Area, CursorEntry, Identity, PAGE, Unfit};
use super::scan::{Kind, Source, Stride, Walk, Walked};
use super::table::{JournalTable, TableChange};
use crate::traits::{Header, Time};
use rustix::fs::{Mode, OFlags};
use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Why a journal cannot be opened. The file is as it was.
#[derive(Debug)]
#[non_exhaustive]
pub enum JournalError {
    /// The system refused.
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// It is a directory, a pipe, or something else that is not a file.
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// It is no journal, one of another version, or both copies of what it is as a whole are damaged.
    NotAJournal {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// Another process, or another bus of this one, has it open for writing. Close that one first.
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// What a message or handler id stands for is not what it was.
    Table {
        /// The file.
        path: PathBuf,
        /// What has changed.
        change: Box<TableChange>,
    },
    /// It is damaged, and `strict` was asked for.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is damaged.
        recovered: Box<Recovered>,
    },
    /// A size in the options makes no journal.
    Size {
        /// Which one.
        name: &'static str,
        /// What was asked for.
        asked: u64,
        /// The smallest that will do.
        min: u64,
        /// The largest that will do.
        max: u64,
    },
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JournalError::Io { path, action, error } => write!(f, "{}: {action}: {error}", path.display()),
            JournalError::NotAFile { path, found } => {
                write!(f, "{}: a journal is a file, and this is {found}", path.display())
            }
            JournalError::NotAJournal { path, found } => write!(f, "{}: {found}", path.display()),
            JournalError::Locked { path } => {
                write!(f, "{}: another process has this journal open for writing", path.display())
            }
            JournalError::Table { path, change } => write!(f, "{}: {change}", path.display()),
            JournalError::Damaged { path, recovered } => {
                write!(f, "{}: damaged: {recovered}; open it without `strict` to step over that", path.display())
            }
            JournalError::Size { name, asked, min, max } => {
                write!(f, "{name} of {asked} bytes: it must be from {min} to {max}")
            }
        }
    }
}

impl Error for JournalError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            JournalError::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// A stretch of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub position: u64,
    /// How many bytes it is.
    pub len: u64,
}

/// What was found when a journal was opened for writing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// Whether the journal was made just now.
    pub created: bool,
    /// Whole messages.
    pub messages: u64,
    /// Where the next message will stand.
    pub tail: u64,
    /// Places that were claimed or lost, stepped over for good: a writer had not finished there when its process died,
    /// and nobody was told that its message was written; or it had, and a power failure took what was not synced. What
    /// was found by an earlier opening is in the list, too. At most [`SPANS`](Self::SPANS) are listed.
    pub holes: Vec<Span>,
    /// Bytes that are not what was written, or are missing where everything had been synced, stepped over. At most
    /// [`SPANS`](Self::SPANS) are listed.
    pub damaged: Vec<Span>,
    /// How many of each there are, listed or not.
    pub counts: SpanCounts,
    /// Bytes behind the tail that were being written when the process died, zeroed now.
    pub torn: u64,
    /// Bytes that the file once had and has no more: it was cut off. Said once: it has its length back now.
    pub missing: u64,
    /// What is damaged in the header.
    pub header: Vec<HeaderDamage>,
}

/// How many holes and damaged stretches a journal has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpanCounts {
    /// Holes.
    pub holes: u64,
    /// How many of the holes an earlier opening had found.
    pub old_holes: u64,
    /// Damaged stretches.
    pub damaged: u64,
}

/// Something in a journal's header that is not what was written, and that it can do without.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderDamage {
    /// One of the two copies of what the journal is as a whole: version, key, sizes. The other one counts, and opening
    /// the journal for writing repairs this one.
    Identity,
    /// The capacity: that of the options counts.
    Capacity,
    /// Where the retained messages begin: everything that can be read counts.
    Retained,
    /// How long the file was: whether it was cut off is not known.
    Allocated,
    /// Up to where everything was finished: what is missing counts as a hole.
    Whole,
    /// A routing table: the other copy counts, which may be older, or none.
    Table,
    /// The name of a cursor. It is given up.
    CursorName,
    /// Where this cursor stood.
    Cursor(String),
    /// This cursor stood behind the end, where nothing was found; it stands at the end now.
    CursorAhead(String),
}

impl Recovered {
    /// So many holes, and so many damaged stretches, are listed.
    pub const SPANS: usize = 1024;

    /// Whether anything is not what was written. Holes and a torn tail are no damage: nobody was told of them.
    pub fn is_damaged(&self) -> bool {
        let is_damage = |damage: &HeaderDamage| !matches!(damage, HeaderDamage::CursorAhead(_));
        self.counts.damaged != 0 || self.missing != 0 || self.header.iter().any(is_damage)
    }

    pub(crate) fn add(&mut self, stride: Stride) {
        let span = Span { position: stride.position, len: stride.len };
        let (count, list) = match stride.kind {
            Kind::Message(_) => {
                self.messages += 1;
                return;
            }
            Kind::Sealed { .. } => return,
            Kind::Hole { marked } => {
                self.counts.old_holes += u64::from(marked);
                (&mut self.counts.holes, &mut self.holes)
            }
            Kind::Damaged { .. } => (&mut self.counts.damaged, &mut self.damaged),
        };
        *count += 1;
        if list.len() < Self::SPANS {
            list.push(span);
        }
    }
}

impl fmt::Display for Recovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} messages", self.messages)?;
        let SpanCounts { holes, old_holes, damaged } = self.counts;
        let known = if old_holes == 0 { String::new() } else { format!(" ({old_holes} of them known)") };
        for (count, list, what) in
            [(holes, &self.holes, format!("holes{known}")), (damaged, &self.damaged, "damaged stretches".to_owned())]
        {
            if let Some(first) = list.first() {
                write!(f, ", {count} {what}, the first at {} of {} bytes", first.position, first.len)?;
            }
        }
        if self.torn != 0 {
            write!(f, ", {} bytes of a torn tail", self.torn)?;
        }
        if self.missing != 0 {
            write!(f, ", {} bytes missing at the end", self.missing)?;
        }
        for damage in &self.header {
            write!(f, ", in the header: {damage}")?;
        }
        Ok(())
    }
}

impl fmt::Display for HeaderDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeaderDamage::Identity => f.write_str("one of the two copies of what it is as a whole"),
            HeaderDamage::Capacity => f.write_str("the capacity"),
            HeaderDamage::Retained => f.write_str("where the retained messages begin"),
            HeaderDamage::Allocated => f.write_str("how long the file was"),
            HeaderDamage::Whole => f.write_str("up to where everything was finished"),
            HeaderDamage::Table => f.write_str("a routing table"),
            HeaderDamage::CursorName => f.write_str("the name of a cursor"),
            HeaderDamage::Cursor(name) => write!(f, "where the cursor {name} stood"),
            HeaderDamage::CursorAhead(name) => write!(f, "the cursor {name} stood behind the end"),
        }
    }
}

/// What a journal's header says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// The version of the format.
    pub version: u64,
    /// Whether every slot has a checksum.
    pub crc: bool,
    /// The largest payload in bytes.
    pub max_payload: u64,
    /// When it was made: since 1970, UTC.
    pub created: Duration,
    /// How far the file may grow in bytes, when it was opened for writing last. 0 if that is damaged.
    pub capacity: u64,
    /// The length of the file in bytes; what is not used yet is zero.
    pub file_len: u64,
    /// The position of the first slot.
    pub first: u64,
    /// The position of the first slot that is still retained.
    pub retained_from: u64,
    /// The routing table, if the journal was ever opened with one.
    pub table: Option<JournalTable>,
    /// What is damaged in the header.
    pub damage: Vec<HeaderDamage>,
    /// Bytes that the file once had and has no more.
    pub missing: u64,
}

/// A named cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cursor {
    /// Its name.
    pub name: String,
    /// Everything before it was handled. `None`: damaged.
    pub position: Option<u64>,
}

/// What stands in a journal, from one position to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Entry<'a> {
    /// A message.
    Message {
        /// Its ids, size and position.
        header: Header,
        /// When it was written: since 1970, UTC.
        time: Time,
        /// The position of the message in whose handling it was sent; 0: a timer, a loop, a start, or an outsider.
        cause: u64,
        /// The message.
        payload: &'a [u8],
    },
    /// A slot that was given up: its fill failed, panicked or stayed silent.
    Sealed(Span),
    /// A place that was claimed or lost: its writer died, or is still at it, or its bytes were not synced.
    Hole(Span),
    /// Bytes that are not what was written, or are missing where everything was finished and synced.
    Damaged(Span),
    /// What stood here was given back while it was being read. The next entry is the first one that is left.
    Lagged(Span),
}

/// A journal, opened for reading only. It may be written to meanwhile.
///
/// ```
/// # #[cfg(all(unix, not(miri)))] { // Miri maps no files.
/// use rust_messenger::message_bus::{Entry, Journal, PersistentBus, PersistentOptions};
/// use rust_messenger::traits::{MessageBus, Publish};
///
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("example.journal");
/// let (bus, _) = PersistentBus::open(&path, PersistentOptions::default())?;
/// bus.writer()?.write_bytes(1, 2, b"hello")?;
///
/// let journal = Journal::open(&path)?;
/// let mut entries = journal.entries();
/// let Some(Entry::Message { header, payload, .. }) = entries.next()? else { panic!("a message") };
/// assert_eq!((header.source, header.message, payload), (1, 2, &b"hello"[..]));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    identity: Identity,
}

impl Journal {
    /// Opens the journal at `path`. Takes no lock, and changes nothing.
    ///
    /// # Errors
    ///
    /// [`JournalError`].
    pub fn open(path: impl AsRef<Path>) -> Result<Journal, JournalError> {
        let path = path.as_ref();
        let file = open_file(path, OFlags::RDONLY)?;
        let identity = read_identity(path, &file)?;
        Ok(Journal { path: path.to_owned(), file, identity })
    }

    /// What its header says now.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`].
    pub fn info(&self) -> Result<Info, JournalError> {
        let header = read_header(&self.file, &self.identity).map_err(|error| self.io(error))?;
        let file_len = Source::len(&self.file).map_err(|error| self.io(error))?;
        Ok(Info {
            version: header::VERSION,
            crc: self.identity.crc,
            max_payload: self.identity.max_payload,
            created: Duration::from_nanos(self.identity.created),
            capacity: header.capacity,
            file_len,
            first: self.identity.header_len(),
            retained_from: header.retained,
            table: header.table.map(|(_, table)| table),
            damage: header.damage,
            missing: header.allocated.saturating_sub(file_len),
        })
    }

    /// Its named cursors now.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`].
    pub fn cursors(&self) -> Result<Vec<Cursor>, JournalError> {
        let header = read_header(&self.file, &self.identity).map_err(|error| self.io(error))?;
        Ok(header.cursors.into_iter().map(|(_, name, position)| Cursor { name, position }).collect())
    }

    /// What stands in it now, from the first slot that is retained.
    pub fn entries(&self) -> Entries<'_> {
        self.entries_from(0)
    }

    /// What stands in it now, from `position`. If no slot begins there, what comes before the next one is damage.
    pub fn entries_from(&self, position: u64) -> Entries<'_> {
        self.walk(position, false)
    }

    /// As [`entries_from`](Self::entries_from), for as long as one asks: at the end, and before a slot that is being
    /// written, [`Entries::next`] says `None` and may say more later.
    pub fn follow(&self, position: u64) -> Entries<'_> {
        self.walk(position, true)
    }

    fn walk(&self, position: u64, waits: bool) -> Entries<'_> {
        let start = position.clamp(self.identity.header_len(), header::POSITION_MAX) / 16 * 16;
        let walk = Walk::new(&self.file, &self.identity, start).shared(waits);
        Entries { journal: self, walk, asked: position != 0, stalled: None }
    }

    fn io(&self, error: io::Error) -> JournalError {
        JournalError::Io { path: self.path.clone(), action: "read it", error }
    }
}

/// How long a slot may be unfinished until a follower takes its writer for dead: longer than a bus waits for a fill.
const PATIENCE: Duration = Duration::from_secs(2);

/// The slots of a [`Journal`], one by one.
#[derive(Debug)]
pub struct Entries<'a> {
    journal: &'a Journal,
    walk: Walk<&'a File>,
    /// Whether somebody asked for this position, and is told when it is gone.
    asked: bool,
    /// Where it found something unfinished, and when to step over it.
    stalled: Option<(u64, Instant, Duration)>,
}

impl Entries<'_> {
    /// The next entry, or `None` at the end. The journal may have grown when asked again.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`].
    #[allow(clippy::should_implement_trait, reason = "lends what it returns")]
    pub fn next(&mut self) -> Result<Option<Entry<'_>>, JournalError> {
        let io = |error| JournalError::Io { path: self.journal.path.clone(), action: "read it", error };
        loop {
            let from = self.walk.position();
            let mut walked = self.walk.step().map_err(io)?;
            if walked == Walked::Unfinished {
                if !self.is_stalled_for_long(from) {
                    return Ok(None);
                }
                walked = self.walk.step_over().map_err(io)?;
            }
            match walked {
                Walked::End | Walked::Unfinished => return Ok(None),
                Walked::Lagged { to } => {
                    if std::mem::replace(&mut self.asked, true) {
                        return Ok(Some(Entry::Lagged(Span { position: from, len: to - from })));
                    }
                }
                Walked::Stride(Stride { position, len, kind }) => {
                    self.asked = true;
                    let span = Span { position, len };
                    return Ok(Some(match kind {
                        Kind::Message(header) => {
                            let record = self.walk.record(&header);
                            let (time, payload) = (Time::from_nanos(record.time), self.walk.payload(&header));
                            Entry::Message { header, time, cause: record.cause, payload }
                        }
                        Kind::Sealed { .. } => Entry::Sealed(span),
                        Kind::Hole { .. } => Entry::Hole(span),
                        Kind::Damaged { .. } => Entry::Damaged(span),
                    }));
                }
            }
        }
    }

    /// The position of the next entry.
    pub fn position(&self) -> u64 {
        self.walk.position()
    }

    /// How many bytes from the next position on are not zero: at the end, those of a torn tail. Whoever wrote them
    /// died in it, or is still at it, and nobody was told of them.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`].
    pub fn torn(&mut self) -> Result<u64, JournalError> {
        let position = self.walk.position();
        let io = |error| JournalError::Io { path: self.journal.path.clone(), action: "read it", error };
        Ok(self.walk.last_byte(position).map_err(io)? - position)
    }

    /// Whether `position` has been unfinished for so long that it is worth looking for what stands behind it.
    fn is_stalled_for_long(&mut self, position: u64) -> bool {
        match self.stalled {
            Some((at, since, patience)) if at == position => {
                let is_over = since.elapsed() >= patience;
                if is_over {
                    // At the end there is nothing behind it, and looking for it takes a while.
                    self.stalled = Some((at, Instant::now(), patience.saturating_mul(2)));
                }
                is_over
            }
            _ => {
                self.stalled = Some((position, Instant::now(), PATIENCE));
                false
            }
        }
    }
}

/// Opens what is at `path`, if it is a file.
pub(crate) fn open_file(path: &Path, access: OFlags) -> Result<File, JournalError> {
    let io = |error: io::Error| JournalError::Io { path: path.to_owned(), action: "open it", error };
    let not_a_file = |kind: std::fs::FileType| JournalError::NotAFile { path: path.to_owned(), found: name_of(kind) };
    // Never waits, not even for the other end of a pipe.
    let flags = access | OFlags::CLOEXEC | OFlags::NONBLOCK;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => {
            let file = File::from(file);
            let kind = file.metadata().map_err(io)?.file_type();
            if kind.is_file() { Ok(file) } else { Err(not_a_file(kind)) }
        }
        Err(error) => match std::fs::metadata(path) {
            Ok(metadata) if !metadata.is_file() => Err(not_a_file(metadata.file_type())),
            _ => Err(io(error.into())),
        },
    }
}

fn name_of(kind: std::fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

/// What a file is as a whole.
pub(crate) fn read_identity(path: &Path, source: &(impl Source + ?Sized)) -> Result<Identity, JournalError> {
    let io = |error| JournalError::Io { path: path.to_owned(), action: "read it", error };
    let not_a_journal = |found: String| JournalError::NotAJournal { path: path.to_owned(), found };
    let mut copies = [[0; header::IDENTITY]; 2];
    let mut filled = [0; 2];
    for ((at, bytes), filled) in header::IDENTITIES.into_iter().zip(&mut copies).zip(&mut filled) {
        *filled = source.read_at(at, bytes).map_err(io)?;
    }
    let unfit = |unfit: Unfit| not_a_journal(unfit.to_string());
    let identity = match (Identity::of_either(copies.each_ref()), filled[0]) {
        (Ok(identity), _) => identity,
        (Err(Unfit::Magic(_)), filled) if filled < 8 => {
            return Err(not_a_journal(format!("no journal: {filled} bytes, and a journal has at least {PAGE}")));
        }
        (Err(error), filled) if filled == header::IDENTITY || matches!(error, Unfit::Magic(_)) => {
            return Err(unfit(error));
        }
        (Err(_), filled) => return Err(not_a_journal(format!("half a journal's header: {filled} bytes of {PAGE}"))),
    };
    let (len, expected) = (source.len().map_err(io)?, identity.header_len());
    if len < expected {
        return Err(not_a_journal(format!("half a journal's header: {len} bytes of {expected}")));
    }
    Ok(identity)
}

/// What changes in a header.
#[derive(Debug)]
pub(crate) struct Mutable {
    /// 0: not known.
    pub(crate) capacity: u64,
    pub(crate) retained: u64,
    /// 0: not known.
    pub(crate) allocated: u64,
    /// 0: not known.
    pub(crate) whole: u64,
    /// Index, name, position.
    pub(crate) cursors: Vec<(usize, String, Option<u64>)>,
    /// The area, its generation, and the table.
    pub(crate) table: Option<((usize, u64), JournalTable)>,
    pub(crate) damage: Vec<HeaderDamage>,
}

pub(crate) fn read_header(source: &(impl Source + ?Sized), identity: &Identity) -> io::Result<Mutable> {
    let mut page = [0; PAGE as usize];
    source.read_at(0, &mut page)?;
    let mut damage = Vec::new();
    for at in header::IDENTITIES {
        let mut bytes = [0; header::IDENTITY];
        source.read_at(at, &mut bytes)?;
        if Identity::decode(&bytes) != Ok(*identity) {
            damage.push(HeaderDamage::Identity);
        }
    }
    let mut checked = |offset, what: HeaderDamage| match header::checked_in(&page, offset) {
        Some(value) => value,
        None => {
            damage.push(what);
            0
        }
    };
    let capacity = checked(header::CAPACITY, HeaderDamage::Capacity);
    let retained = checked(header::RETAINED, HeaderDamage::Retained).max(identity.header_len());
    let allocated = checked(header::ALLOCATED, HeaderDamage::Allocated);
    let whole = header::whole_in(&page, source.len()?).unwrap_or_else(|| {
        damage.push(HeaderDamage::Whole);
        0
    });
    let mut cursors = Vec::new();
    for index in 0..header::CURSOR_COUNT {
        match header::cursor_entry(&page, index) {
            CursorEntry::Free => {}
            CursorEntry::Unnamed => damage.push(HeaderDamage::CursorName),
            CursorEntry::Named(name, position) => {
                if position.is_none() {
                    damage.push(HeaderDamage::Cursor(name.clone()));
                }
                cursors.push((index, name, position));
            }
        }
    }
    let mut table: Option<((usize, u64), JournalTable)> = None;
    let mut area = vec![0; identity.table_len as usize];
    for index in 0..2 {
        area.fill(0);
        source.read_at(identity.table_at(index), &mut area)?;
        match header::decode_area(&area) {
            Area::Empty => {}
            Area::Damaged => damage.push(HeaderDamage::Table),
            Area::Text { generation, text } => match JournalTable::parse(&text) {
                Some(parsed) if table.as_ref().is_none_or(|((_, newest), _)| generation > *newest) => {
                    table = Some(((index, generation), parsed));
                }
                Some(_) => {}
                None => damage.push(HeaderDamage::Table),
            },
        }
    }
    Ok(Mutable { capacity, retained, allocated, whole, cursors, table, damage })
}
