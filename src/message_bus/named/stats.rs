//! What whoever looks at a named ring from outside sees.

/// A named ring as it is at this moment, for whoever watches a running system from outside.
///
/// Looking attaches nothing, writes nothing, and needs no more than to read the file; those who use the ring do not
/// notice. It is no moment that ever was: while others write, one number is a little older than the next. Rates are
/// differences of two looks. `rmsg stat` and `rmsg top` show it.
///
/// ```
/// # #[cfg(all(target_os = "linux", not(miri)))] { // Miri maps no files.
/// use rust_messenger::message_bus::NamedStats;
/// use rust_messenger::traits::{MessageBus, Publish};
/// use rust_messenger::{CircularBus, NamedOptions};
///
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("orders.ring");
/// let bus = CircularBus::create(&path, NamedOptions::default())?;
/// let _reader = bus.subscribe("slow")?;
/// bus.writer()?.write_bytes(1, 2, b"hello")?;
///
/// // In another process, as a rule.
/// let stats = NamedStats::read(&path)?;
/// let reader = &stats.readers[0];
/// assert_eq!((stats.messages, reader.name.as_str(), reader.lag_messages), (1, "slow", 1));
/// assert_eq!(stats.attachments[reader.attachment].pid, Some(std::process::id()));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NamedStats {
    /// The size of the ring in bytes.
    pub capacity: u64,
    /// Whether it is for one writer at a time.
    pub one_writer: bool,
    /// The position of the next message.
    pub tail: u64,
    /// Writers may reuse everything before this position: no reader and no unfinished message stands there.
    pub gate: u64,
    /// Messages published by all who ever wrote.
    pub messages: u64,
    /// Payload bytes published by all who ever wrote.
    pub bytes: u64,
    /// How often a write found no room.
    pub full: u64,
    /// Slots that their writers gave up, or lost to a reader that had waited for long enough.
    pub sealed: u64,
    /// Who holds the lock of the ring: an index of `attachments`. It is held for microseconds, unless whoever holds it
    /// stands still or has died.
    pub lock: Option<usize>,
    /// Who is attached, and who has ended and still holds something. One process may have several.
    pub attachments: Vec<AttachmentStats>,
    /// The readers.
    pub readers: Vec<NamedReaderStats>,
    /// The writers.
    pub writers: Vec<NamedWriterStats>,
    /// The ids of handlers and their names, as far as the programs on the ring have told it: `NamedOptions::table`.
    pub handler_names: Vec<(u16, String)>,
    /// The ids of messages and their names, likewise.
    pub message_names: Vec<(u16, String)>,
}

/// An attachment to a named ring.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttachmentStats {
    /// Its process, in that process's own pid namespace. `None`: it has ended, and somebody else has its place.
    pub pid: Option<u32>,
    /// The name of the program, cut to 32 bytes.
    pub program: String,
    /// Whether its process is not proven to have ended. What a dead one holds is given back when somebody on the ring
    /// needs it, or by `rmsg heal`.
    pub alive: bool,
    /// Whether its process stands still: it was stopped by a signal, or by a debugger. Not known of processes in other
    /// pid namespaces: false.
    pub paused: bool,
}

/// A reader of a named ring.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NamedReaderStats {
    /// The name given at subscription, cut to 31 bytes.
    pub name: String,
    /// Whose it is: an index of [`NamedStats::attachments`].
    pub attachment: usize,
    /// It has released everything before this position.
    pub position: u64,
    /// How far it is behind the tail, in bytes of ring.
    pub lag: u64,
    /// The same in messages, about: those in flight when it joined, or now, count or not, and so does the one that an
    /// evictable reader is at.
    pub lag_messages: u64,
    /// Messages that it has handled since it joined.
    pub handled: u64,
    /// Messages that it was moved past.
    pub losses: u64,
    /// Whether it sleeps until there is something to do.
    pub asleep: bool,
    /// Whether the ring may move it on instead of waiting for it.
    pub evictable: bool,
    /// Whether it is [held](crate::traits::MessageBus::subscribe_held).
    pub held: bool,
    /// The bytes in its worker's outbox.
    pub outbox: u64,
    /// The most bytes that its worker's outbox ever held.
    pub outbox_high_water: u64,
}

/// A writer to a named ring.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NamedWriterStats {
    /// Whose it is: an index of [`NamedStats::attachments`].
    pub attachment: usize,
    /// Whether it is a worker's.
    pub worker: bool,
    /// Messages published by it, and by those that had its place before.
    pub messages: u64,
    /// Payload bytes published by it, and by those that had its place before.
    pub bytes: u64,
}
