//! What was found when a journal was opened: messages, holes, damage.

use std::fmt;

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
