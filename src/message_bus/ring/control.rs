//! The control block, drawn once: the words at the front of the mapping that everybody shares.
//!
//! Knows where each word is and nothing of what it means. Position independent, so that
//! the same block serves anonymous memory and memory shared by name. Words that one side writes and another reads
//! stand on cache lines of their own (two lines of 64 bytes, because neighbours are fetched in pairs).
//!
//! ```text
//! line       words
//! identity   magic | version | capacity | key            written once
//! tail       tail                                        every claim
//! gate       gate                                        once per eighth of the ring
//! attention  flags | message sleepers | room sleepers    rarely written, read by everybody
//! lock       lock | unread until | next ticket | the one writer | a bit each: readers in use, workers' writers, fences
//! fenced     position of a claim sealed over its owner's head, bit 0: its owner has seen it   (x FENCED)
//! readers    cursor | handled                            one line, written once per batch by its reader
//!            state | losses | ticket | outbox high water | handling | saved | replaying | moved to |
//!            moved losses | name (4 words) | asleep | outbox | written before     one line           (x READERS)
//! writers    state | messages | bytes | full | sealed | claim   one line, written by its writer only  (x WRITERS)
//! futexes    where those sleep who share the ring with other processes: see `wait/across.rs`
//! ```

use crate::message_bus::wait;
use crate::mmap::{Entry, Front, Words};
use crate::sync::{AtomicU64, Ordering};

const WORD: usize = 8;
const LINE: usize = if cfg!(rust_messenger_loom) { WORD } else { 128 };

/// How many readers a ring has room for: one bit of a word each.
pub(crate) const READERS: usize = if cfg!(rust_messenger_loom) { 3 } else { 64 };
/// How many writers have counters of their own; any further ones share the last entry.
pub(crate) const WRITERS: usize = if cfg!(rust_messenger_loom) { 3 } else { 64 };
/// The entry that all writers share that found no other.
pub(crate) const SHARED_WRITER: usize = WRITERS - 1;
/// How many claims may be sealed over their silent owners' heads at one time.
pub(crate) const FENCED: usize = if cfg!(rust_messenger_loom) { 1 } else { 16 };
/// How many words a reader's name fills.
pub(crate) const NAME: usize = if cfg!(rust_messenger_loom) { 1 } else { 4 };

const IDENTITY: usize = 0;
const TAIL: usize = line_after(IDENTITY + 4 * WORD);
const GATE: usize = line_after(TAIL + WORD);
const ATTENTION: usize = line_after(GATE + WORD);
const LOCK: usize = line_after(ATTENTION + 3 * WORD);
const FENCES: usize = line_after(LOCK + 7 * WORD);
const READER_TABLE: usize = line_after(FENCES + FENCED * WORD);
const READER_COLD: usize = line_after(2 * WORD);
const READER_LIVE: usize = READER_COLD + (9 + NAME) * WORD;
const READER_SIZE: usize = READER_COLD + line_after((12 + NAME) * WORD);
const WRITER_TABLE: usize = READER_TABLE + READERS * READER_SIZE;
const WRITER_SIZE: usize = line_after(6 * WORD);
const FUTEXES: usize = WRITER_TABLE + WRITERS * WRITER_SIZE;

/// The size of the control block: where the slots begin.
pub(crate) const SIZE: usize = line_after(FUTEXES + wait::across::LEN);

/// Set in the claim that a writer has announced: 0 is a position, too.
pub(crate) const CLAIMED: u64 = 1;

pub(crate) const VERSION: u64 = 3;
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"rmsgring");

const fn line_after(offset: usize) -> usize {
    offset.next_multiple_of(LINE)
}

/// An entry of the reader table.
pub(crate) type ReaderIndex = Entry<SIZE, READER_SIZE>;
/// An entry of the writer table.
pub(crate) type WriterIndex = Entry<SIZE, WRITER_SIZE>;

/// Entry `number` of the reader table.
#[inline(always)]
pub(crate) fn reader(number: usize) -> ReaderIndex {
    Entry::of::<READER_TABLE, READERS>(number)
}

/// Entry `number` of the writer table.
#[inline(always)]
pub(crate) fn writer(number: usize) -> WriterIndex {
    Entry::of::<WRITER_TABLE, WRITERS>(number)
}

/// Where those sleep in `block` who share it with other processes.
pub(crate) fn futexes(block: &Front<SIZE>) -> Front<{ wait::across::LEN }> {
    block.part::<FUTEXES, { wait::across::LEN }>()
}

/// The control block at the front of a region.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Control<'a>(pub(crate) Words<'a, SIZE>);

macro_rules! words {
    ($( $(#[$doc:meta])* $name:ident = $offset:expr; )+) => { $(
        $(#[$doc])*
        #[inline(always)]
        pub(crate) fn $name(self) -> &'a AtomicU64 {
            self.0.at::<{ $offset }>()
        }
    )+ };
}

impl<'a> Control<'a> {
    /// Writes the block of a bus whose first message will stand at `start`.
    pub(crate) fn begin(self, capacity: u64, start: u64, key: u64) {
        self.version().store(VERSION, Ordering::Relaxed);
        self.capacity().store(capacity, Ordering::Relaxed);
        self.key().store(key, Ordering::Relaxed);
        self.tail().store(start, Ordering::Relaxed);
        self.gate().store(start, Ordering::Relaxed);
        self.unread_until().store(start, Ordering::Relaxed);
        // Relaxed, as all of it: whoever shares the bus shares it after this.
        self.magic().store(MAGIC, Ordering::Relaxed);
    }

    words! {
        /// [`MAGIC`].
        magic = IDENTITY;
        /// [`VERSION`].
        version = IDENTITY + WORD;
        /// The capacity in bytes.
        capacity = IDENTITY + 2 * WORD;
        /// The random key that every stamp carries.
        key = IDENTITY + 3 * WORD;
        /// Where the next claim begins.
        tail = TAIL;
        /// No reader and no unfinished claim stands before it.
        gate = GATE;
        /// What keeps writers from just going on: see `gate/tickets.rs`.
        flags = ATTENTION;
        /// Whether somebody sleeps until a message comes: see `Waiters::nobody`.
        message_sleepers = ATTENTION + WORD;
        /// Whether somebody sleeps until room comes free.
        room_sleepers = ATTENTION + 2 * WORD;
        /// The gate lock: whose it is, or 0.
        lock = LOCK;
        /// One bit for each entry of the reader table that is in use. What the entries' states say counts.
        occupied = LOCK + WORD;
        /// Before it there may be claims that no reader came by.
        unread_until = LOCK + 2 * WORD;
        /// The next outbox ticket.
        next_ticket = LOCK + 3 * WORD;
        /// One bit for each entry of the writer table that is a worker's: see `gate/tickets.rs`.
        workers = LOCK + 4 * WORD;
        /// Whose the one writer is, or 0.
        one_writer = LOCK + 5 * WORD;
        /// One bit for each place of a fenced claim that is taken: see `gate/fences.rs`.
        fences = LOCK + 6 * WORD;
    }

    /// A place for the position of a fenced claim: see `gate/fences.rs`.
    pub(crate) fn fenced(self, index: usize) -> &'a AtomicU64 {
        self.0.entry::<WORD>(Entry::of::<FENCES, FENCED>(index)).at::<0>()
    }

    /// One reader's entry.
    #[inline(always)]
    pub(crate) fn reader(self, index: ReaderIndex) -> ReaderEntry<'a> {
        ReaderEntry(self.0.entry(index))
    }

    /// One writer's entry.
    #[inline(always)]
    pub(crate) fn writer(self, index: WriterIndex) -> WriterEntry<'a> {
        WriterEntry(self.0.entry(index))
    }
}

macro_rules! entry {
    ($(#[$doc:meta])* $entry:ident of $size:ident { $( $(#[$word_doc:meta])* $name:ident = $offset:expr; )+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $entry<'a>(Words<'a, $size>);

        impl<'a> $entry<'a> { $(
            $(#[$word_doc])*
            #[inline(always)]
            pub(crate) fn $name(self) -> &'a AtomicU64 {
                self.0.at::<{ $offset }>()
            }
        )+ }
    };
}

entry! {
    /// What a reader shares.
    ReaderEntry of READER_SIZE {
        /// Everything before it is released; an evictable reader's carries flags in its low bits.
        cursor = 0;
        /// On a ring that is shared: how many messages it has handled since it joined.
        handled = WORD;
        /// Whose it is, and what kind of reader: see `owner.rs`. 0: nobody's.
        state = READER_COLD;
        /// Messages it was ever moved past.
        losses = READER_COLD + WORD;
        /// The ticket of its worker's outbox, or 0.
        ticket = READER_COLD + 2 * WORD;
        /// The most bytes its worker's outbox ever held.
        outbox_high_water = READER_COLD + 3 * WORD;
        /// In a journal: the position of the message that is being delivered, or 0.
        handling = READER_COLD + 4 * WORD;
        /// In a journal: where its named cursor is in the file, or 0.
        saved = READER_COLD + 5 * WORD;
        /// In a journal: where the history ends that is handled again, or 0.
        replaying = READER_COLD + 6 * WORD;
        /// Where it is being moved to: see `gate/evict.rs`.
        moved_to = READER_COLD + 7 * WORD;
        /// What its losses will be then.
        moved_losses = READER_COLD + 8 * WORD;
        /// On a ring that is shared: 1 while it sleeps.
        asleep = READER_LIVE;
        /// On a ring that is shared: the bytes in its worker's outbox, when something was put there last, or it slept.
        outbox = READER_LIVE + WORD;
        /// On a ring that is shared: how many messages had been written when it joined.
        written_before = READER_LIVE + 2 * WORD;
    }
}

/// The text in some words, with zeros behind it, up to what is cut in two at its end.
pub(crate) fn text_of(words: impl Iterator<Item = u64>) -> String {
    let bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
    String::from_utf8_lossy(&bytes).trim_end_matches(['\0', '\u{FFFD}']).to_owned()
}

impl<'a> ReaderEntry<'a> {
    /// The name of the reader.
    pub(crate) fn name_text(self) -> String {
        text_of((0..NAME).map(|word| self.name(word).load(Ordering::Relaxed)))
    }

    /// Eight bytes of the name.
    pub(crate) fn name(self, index: usize) -> &'a AtomicU64 {
        self.0.entry::<WORD>(Entry::of::<{ READER_COLD + 9 * WORD }, NAME>(index)).at::<0>()
    }
}

entry! {
    /// What a writer counts.
    WriterEntry of WRITER_SIZE {
        /// Whose it is: see `owner.rs`. 0: nobody's. Of the entry that is shared: how many workers share it.
        state = 0;
        /// Messages committed.
        messages = WORD;
        /// Payload bytes committed.
        bytes = 2 * WORD;
        /// Writes that found no room.
        full = 3 * WORD;
        /// Slots given up.
        sealed = 4 * WORD;
        /// On a ring that is shared: the position that it claims, or claimed last, and bit 0; or 0: see `gate/heal.rs`.
        claim = 5 * WORD;
    }
}
