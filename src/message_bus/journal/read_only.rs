//! [`Journal`]: the read-only side of a journal: its header, its slots one by one, its cursors.
//!
//! It reads by position and never through a mapping. So it cannot disturb the writer, no file, however damaged, can
//! make it fault, and it holds no bytes that the writer's retention may release.

use super::error::JournalError;
use super::header::{Identity, VERSION, read_header, read_identity};
use super::origin::{self, Node, ORIGIN_COUNT, ORIGIN_SIZE, OriginEntry, origin_at};
use super::recovered::{HeaderDamage, Span};
use super::scan::{Found, Kind, Scan, Scanned};
use super::source::{Source, open_file};
use super::table::JournalTable;
use super::word::POSITION_MAX;
use crate::traits::{Header, Time};
use rustix::fs::OFlags;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The header of a journal.
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
    /// How far the file may grow, in bytes, by the options of the last opening for writing. 0 if damaged.
    pub capacity: u64,
    /// The length of the file in bytes. Its unused end is zero.
    pub file_len: u64,
    /// The position of the first slot.
    pub first: u64,
    /// The position of the first slot that retention has kept.
    pub retained_from: u64,
    /// The routing table, if the journal was ever opened with one.
    pub table: Option<JournalTable>,
    /// Damage in the header.
    pub damage: Vec<HeaderDamage>,
    /// Bytes by which something has cut the file off.
    pub missing: u64,
}

/// Where a message of a journal comes from that was written elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Origin<'a> {
    /// The name of the node. Empty if the journal does not know it any more.
    pub node: &'a str,
    /// Which of the node's lives.
    pub incarnation: u64,
    /// The position of the message on the node's bus.
    pub position: u64,
}

/// One stretch of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Entry<'a> {
    /// A message.
    Message {
        /// Its ids, size and position.
        header: Header,
        /// When a writer claimed it: since 1970, UTC.
        time: Time,
        /// The position of the message whose handling sent it. 0 if there is none: a timer, a loop, a start, or a
        /// writer from outside.
        cause: u64,
        /// Where it comes from, if it was [imported](crate::traits::Import).
        origin: Option<Origin<'a>>,
        /// Where it was dead, if it was [requeued](crate::traits::MessageBus::requeue) and comes again.
        requeued: Option<u64>,
        /// The payload.
        payload: &'a [u8],
    },
    /// A sealed slot: its fill failed, panicked or stayed silent.
    Sealed(Span),
    /// A claim without a message: its writer died or is still filling it, or nothing had synced its bytes.
    Hole(Span),
    /// Bytes that differ from what a writer wrote, or that are missing although they were finished and synced.
    Damaged(Span),
    /// Retention released these bytes before they could be read. The next entry is the oldest that is left.
    Lagged(Span),
}

/// The read-only side of a journal. A program may write the journal meanwhile.
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
    /// Opens the journal at `path` for reading. Takes no lock, and changes nothing.
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

    /// Reads the header.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`].
    pub fn info(&self) -> Result<Info, JournalError> {
        let header = read_header(&self.file, &self.identity).map_err(|error| self.io(error))?;
        let file_len = Source::len(&self.file).map_err(|error| self.io(error))?;
        Ok(Info {
            version: VERSION,
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

    /// Reads the named cursors: the reader of this name has handled everything before the position. `None`: damaged.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`].
    pub fn cursors(&self) -> Result<BTreeMap<String, Option<u64>>, JournalError> {
        let header = read_header(&self.file, &self.identity).map_err(|error| self.io(error))?;
        Ok(header.cursors.into_iter().map(|(_, name, position)| (name, position)).collect())
    }

    /// Reads the entries from the oldest retained slot to the end.
    pub fn entries(&self) -> Entries<'_> {
        self.entries_from(0)
    }

    /// Reads the entries from `position` to the end. If no slot begins there, the bytes before the next slot come as
    /// damage.
    pub fn entries_from(&self, position: u64) -> Entries<'_> {
        self.scan(position, false)
    }

    /// As [`entries_from`](Self::entries_from), but goes on as the journal grows: at the end, and before a slot that a
    /// writer is filling, [`Entries::next`] returns `None`, and may return more later.
    pub fn follow(&self, position: u64) -> Entries<'_> {
        self.scan(position, true)
    }

    fn scan(&self, position: u64, waits: bool) -> Entries<'_> {
        let start = position.clamp(self.identity.header_len(), POSITION_MAX) / 16 * 16;
        let scan = Scan::new(&self.file, &self.identity, start).shared(waits);
        Entries { journal: self, scan, asked: position != 0, stalled: None, origin: None }
    }

    /// The origin `entry`, as it stands in the table now: it may be another one than a slot meant that is gone.
    fn origin(&self, entry: usize, position: u64) -> Result<(Node, u64), JournalError> {
        let mut bytes = [0; ORIGIN_SIZE];
        if entry < ORIGIN_COUNT {
            self.file.read_at(origin_at(entry), &mut bytes).map_err(|error| self.io(error))?;
        }
        let unknown = Node { node: String::new(), incarnation: 0, made: 0, last: None };
        let node = match origin::read(&bytes, entry) {
            OriginEntry::Named(node) => node,
            OriginEntry::Free | OriginEntry::Old | OriginEntry::Unnamed => unknown,
        };
        Ok((node, position))
    }

    fn io(&self, error: io::Error) -> JournalError {
        JournalError::Io { path: self.path.clone(), action: "read it", error }
    }
}

/// How long a slot may be unfinished until a follower takes its writer for dead: longer than a bus waits for a fill.
const PATIENCE: Duration = Duration::from_secs(2);

/// The entries of a [`Journal`], one by one.
#[derive(Debug)]
pub struct Entries<'a> {
    journal: &'a Journal,
    scan: Scan<&'a File>,
    /// Whether somebody asked for this position, and is told when it is gone.
    asked: bool,
    /// Where it found something unfinished, and when to step over it.
    stalled: Option<(u64, Instant, Duration)>,
    /// Where the last message came from.
    origin: Option<(Node, u64)>,
}

impl Entries<'_> {
    /// The next entry, or `None` at the end. Call it again when the journal may have grown.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`].
    #[allow(clippy::should_implement_trait, reason = "lends what it returns")]
    pub fn next(&mut self) -> Result<Option<Entry<'_>>, JournalError> {
        let io = |error| JournalError::Io { path: self.journal.path.clone(), action: "read it", error };
        loop {
            let from = self.scan.position();
            let mut scanned = self.scan.step().map_err(io)?;
            if scanned == Scanned::Unfinished {
                if !self.is_stalled_for_long(from) {
                    return Ok(None);
                }
                scanned = self.scan.step_over().map_err(io)?;
            }
            match scanned {
                Scanned::End | Scanned::Unfinished => return Ok(None),
                Scanned::Lagged { to } => {
                    if std::mem::replace(&mut self.asked, true) {
                        return Ok(Some(Entry::Lagged(Span { position: from, len: to - from })));
                    }
                }
                Scanned::Found(Found { position, len, kind }) => {
                    self.asked = true;
                    let span = Span { position, len };
                    return Ok(Some(match kind {
                        Kind::Message(header) => {
                            let record = self.scan.record(&header);
                            let origin = record.origin().map(|(entry, position)| self.journal.origin(entry, position));
                            self.origin = origin.transpose()?;
                            let origin = self.origin.as_ref().map(|(node, position)| Origin {
                                node: &node.node,
                                incarnation: node.incarnation,
                                position: *position,
                            });
                            let (time, payload) = (Time::from_nanos(record.time), self.scan.payload(&header));
                            let (cause, requeued) = (record.cause(), record.requeued());
                            Entry::Message { header, time, cause, origin, requeued, payload }
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
        self.scan.position()
    }

    /// How many bytes from the next position on are not zero: at the end, those of a torn tail. Their writer died in
    /// the fill, or is still in it, and got no acknowledgement.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`].
    pub fn torn(&mut self) -> Result<u64, JournalError> {
        let position = self.scan.position();
        let io = |error| JournalError::Io { path: self.journal.path.clone(), action: "read it", error };
        Ok(self.scan.last_byte(position).map_err(io)? - position)
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
