//! What recovery finds in a journal: messages, holes, damage.

use std::fmt;

/// A stretch of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first position.
    pub position: u64,
    /// Its length in bytes.
    pub len: u64,
}

/// What recovery found when it opened a journal for writing, and what was
/// [found since](crate::message_bus::PersistentBus::recovered).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// Whether this opening made the journal.
    pub created: bool,
    /// How many whole messages there are, as far as the bus has looked.
    pub messages: u64,
    /// What nobody has looked at: it was finished and synced when the journal was last written. Messages, holes and
    /// damage in it are in none of the other fields. After a clean stop opening leaves out everything; after a kill,
    /// everything up to the last sync or opening. `None`: opening has looked at everything.
    pub unchecked: Option<Span>,
    /// The position of the next message.
    pub tail: u64,
    /// Holes: what a writer had claimed and not acknowledged when its process died, or what a power failure took
    /// because nothing had synced it. Readers step over them for good. The list names the holes of earlier openings,
    /// too, and at most [`SPANS`](Self::SPANS).
    pub holes: Vec<Span>,
    /// Damage: bytes that differ from what a writer wrote, or that are missing although they were synced. Readers step
    /// over it. The list names at most [`SPANS`](Self::SPANS).
    pub damaged: Vec<Span>,
    /// How many holes there are, in the list or not.
    pub hole_count: u64,
    /// How many of the holes an earlier opening had found.
    pub old_hole_count: u64,
    /// How many stretches of damage there are, in the list or not.
    pub damaged_count: u64,
    /// Bytes behind the tail that a writer was filling when the process died. Recovery has zeroed them.
    pub torn: u64,
    /// Bytes by which something has cut the file off. Recovery reports them once: it restores the file's length.
    pub missing: u64,
    /// Damage in the header.
    pub header: Vec<HeaderDamage>,
}

/// Damage in a journal's header that the journal can do without.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderDamage {
    /// One of the two copies of the identity: version, key, sizes. The other copy counts. Opening the journal for
    /// writing repairs this one.
    Identity,
    /// The capacity. The options' counts.
    Capacity,
    /// The oldest retained position. Everything that is readable counts.
    Retained,
    /// The length of the file. Recovery cannot tell whether something cut the file off.
    Allocated,
    /// The position up to which everything was finished. What is missing counts as a hole.
    Whole,
    /// A routing table. The other copy counts; it may be older, or empty.
    Table,
    /// The name of a cursor. Recovery gives the cursor up.
    CursorName,
    /// The position of this cursor.
    Cursor(String),
    /// This cursor was behind the end of the journal. Recovery moves it to the end.
    CursorAhead(String),
    /// An entry of the table of origins, or one that a message names is not there: nobody knows from which node that
    /// came. Recovery gives the entry up; what its node sends again is taken for new.
    OriginName,
    /// The position of the last message of this origin when that was stored. What the retained messages say counts.
    Origin(String),
}

impl Recovered {
    /// How many holes, and how many damaged stretches, the lists name at most.
    pub const SPANS: usize = 1024;

    /// Whether anything differs from what a writer wrote, as far as the bus has looked. Holes and a torn tail are no
    /// damage: no writer was told that they were written.
    pub fn is_damaged(&self) -> bool {
        let is_damage = |damage: &HeaderDamage| !matches!(damage, HeaderDamage::CursorAhead(_));
        self.damaged_count != 0 || self.missing != 0 || self.header.iter().any(is_damage)
    }
}

impl fmt::Display for Recovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unchecked {
            None => write!(f, "{} messages", self.messages)?,
            Some(Span { position, len }) => {
                write!(f, "finished up to position {}, {} messages behind it", position + len, self.messages)?;
            }
        }
        let Recovered { hole_count: holes, old_hole_count: old_holes, damaged_count: damaged, .. } = *self;
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
            HeaderDamage::OriginName => f.write_str("where messages come from"),
            HeaderDamage::Origin(node) => write!(f, "how far the node {node} had come"),
        }
    }
}
