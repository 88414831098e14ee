//! The scan over a journal's slots: from one to the next, over whatever was left half done or damaged between them.
//!
//! Reads by position and never through a mapping, so that no file, however broken, can do more than be reported. Holds
//! one block of the file, or one slot if that is larger. The rules are those of `docs/journal-format.md`.

use super::header::{self, Identity, PAGE, RETAINED, WORDS_END};
use super::slots::{self, CRC, Record, record_len};
use super::source::Source;
use super::word::{unchecked, word};
use crate::message_bus::ring::slot;
use crate::traits::Header;
use std::io;

/// How much is read at a time.
const BLOCK: usize = if cfg!(miri) { 8 * 1024 } else { 1 << 20 };

/// The states of a stamp that is valid.
const STATES: [u64; 6] = [slot::COMMITTED, slot::SEALED, slot::PENDING, slot::FENCED, slots::HOLE, slots::DAMAGED];

/// What is looked at behind a slot: the next one's stamp.
const FOLLOWING: u64 = 8;

/// What stands from a position to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A whole message.
    Message(Header),
    /// Given up while its writer lived; `exact`: its head says how long it is.
    Sealed { exact: bool },
    /// Its writer died. `marked`: an earlier recovery said so.
    Hole { marked: bool },
    /// Not what was written. `marked`: an earlier recovery said so.
    Damaged { marked: bool },
}

/// What a step of a scan has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) position: u64,
    pub(crate) len: u64,
    pub(crate) kind: Kind,
}

/// Where a scan is after a step that found nothing more to step over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scanned {
    Found(Found),
    /// The journal ends here.
    End,
    /// What stands here may still become a message.
    Unfinished,
    /// What stood here is not retained any more; the scan goes on at `to`.
    Lagged {
        to: u64,
    },
}

/// A scan over a source.
#[derive(Debug)]
pub(crate) struct Scan<S> {
    source: S,
    key: u64,
    crc: bool,
    max_payload: u64,
    /// Where the first slot stands, or stood.
    first: u64,
    position: u64,
    /// A copy of the source from `block_at` on.
    block: Vec<u8>,
    block_at: u64,
    /// Everything before it was given back when the block was copied. `None`: nobody knows.
    retained: Option<u64>,
    /// Everything before it was finished before the block was copied; 0: not known. A slot begins there, or the journal
    /// ends.
    whole: u64,
    /// Whether a writer may be at work in it: what it may have been writing while it was copied is copied again.
    is_shared: bool,
    /// Whether what is not finished may still be: it is not stepped over.
    waits: bool,
}

impl<S: Source> Scan<S> {
    pub(crate) fn new(source: S, identity: &Identity, position: u64) -> Scan<S> {
        Scan {
            source,
            key: identity.key,
            crc: identity.crc,
            max_payload: identity.max_payload,
            first: identity.header_len(),
            position,
            block: Vec::new(),
            block_at: 0,
            retained: Some(0),
            whole: 0,
            is_shared: false,
            waits: false,
        }
    }

    /// The same beside a running writer; one that `waits` stays before what the writer has not finished.
    pub(crate) fn shared(self, waits: bool) -> Scan<S> {
        Scan { is_shared: true, waits, ..self }
    }

    /// Where the next step begins.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Whether a slot begins where the next step does.
    pub(crate) fn begins_slot(&mut self) -> io::Result<bool> {
        let position = self.position;
        let is_possible = position.is_multiple_of(slot::SLOT_ALIGN);
        Ok(is_possible && self.next_stamp(position, position + slot::SLOT_ALIGN)? == Some(position))
    }

    /// Steps over what stands at the position.
    pub(crate) fn step(&mut self) -> io::Result<Scanned> {
        let mut scanned = self.look()?;
        if self.is_shared && !matches!(scanned, Scanned::Found(Found { kind: Kind::Message(_), .. })) {
            // The copy may be from before the writer was done.
            self.block.clear();
            scanned = self.look()?;
        }
        if let Some(to) = self.passed_by() {
            // It was given back while it was copied.
            scanned = Scanned::Lagged { to };
        }
        if let Scanned::Found(Found { position, len, .. }) = scanned {
            self.position = position + len;
        }
        if let Scanned::Lagged { to } = scanned {
            self.position = to;
        }
        Ok(scanned)
    }

    /// Steps over what is unfinished, as if its writer were dead.
    pub(crate) fn step_over(&mut self) -> io::Result<Scanned> {
        let waits = std::mem::replace(&mut self.waits, false);
        self.block.clear();
        let scanned = self.step();
        self.waits = waits;
        scanned
    }

    /// The payload of the message that was stepped over last.
    pub(crate) fn payload(&self, header: &Header) -> &[u8] {
        let from = (header.position - self.block_at) as usize + slots::RECORD_HEADER as usize;
        &self.block[from..from + header.size as usize]
    }

    /// Time and cause of the message that was stepped over last.
    pub(crate) fn record(&self, header: &Header) -> Record {
        let at = (header.position - self.block_at) as usize;
        Record { time: word(&self.block, at + 16), word: word(&self.block, at + 24) }
    }

    fn look(&mut self) -> io::Result<Scanned> {
        // SYNC POINT journal.killed: what a process that was killed has left stands in the order in which it wrote it.
        let position = self.position;
        let found = |len, kind| Ok(Scanned::Found(Found { position, len, kind }));
        let is_filled = self.fill(position, 16)?;
        // What was given back is no damage, even if nobody knows how much that was.
        let is_before_whole = position < self.whole && (self.retained.is_some() || position != self.first);
        if !is_filled {
            // What is left is less than a slot's first words: nothing, or the rest of one that was cut off.
            let is_end = !is_before_whole && self.last_byte(position)? == position;
            return if is_end { Ok(Scanned::End) } else { self.damage() };
        }
        if let Some(to) = self.passed_by() {
            return Ok(Scanned::Lagged { to });
        }
        let at = (position - self.block_at) as usize;
        let (stamp, head) = (word(&self.block, at), word(&self.block, at + 8));
        let header = slot::unpack(head, position);
        let len = record_len(header.size as usize, self.crc);
        let is_sane = u64::from(header.size) <= self.max_payload;
        match stamp ^ self.key ^ position {
            slot::COMMITTED if is_sane => {
                // With what follows it, unless the file ends there.
                let is_there = self.fill(position, len + FOLLOWING)? || self.fill(position, len)?;
                if is_there && self.is_whole(position, len)? {
                    return found(len, Kind::Message(header));
                }
                self.damage()
            }
            state @ (slots::HOLE | slots::DAMAGED) => {
                let len = unchecked(position + 8, head).filter(|&len| len >= 16);
                match len.filter(|len| position.checked_add(*len).is_some()) {
                    Some(len) if position + len <= self.source.len()? => found(
                        len,
                        match state {
                            slots::HOLE => Kind::Hole { marked: true },
                            _ => Kind::Damaged { marked: true },
                        },
                    ),
                    _ => self.damage(),
                }
            }
            slot::SEALED | slot::FENCED if is_sane && position + len <= self.source.len()? => {
                // Nothing vouches for this length, so nothing that is whole is stepped over with it.
                let next = self.next_slot(position + record_len(0, self.crc), position + len)?;
                let reach = next.map_or(len, |next| next - position);
                found(reach, Kind::Sealed { exact: reach == len })
            }
            // Something was finished here, and synced.
            _ if is_before_whole => self.damage(),
            state if stamp == 0 || state == slot::PENDING => {
                if self.waits {
                    return Ok(Scanned::Unfinished);
                }
                match self.next_stamp(position + 16, u64::MAX)? {
                    Some(next) => found(next - position, Kind::Hole { marked: false }),
                    None => Ok(Scanned::End),
                }
            }
            _ => self.damage(),
        }
    }

    /// Damage, up to the next slot or behind all that is not zero.
    fn damage(&mut self) -> io::Result<Scanned> {
        let position = self.position;
        let end = match self.next_slot(position + 16, u64::MAX)? {
            Some(next) => next,
            None => self.last_byte(position)?,
        };
        Ok(Scanned::Found(Found { position, len: end - position, kind: Kind::Damaged { marked: false } }))
    }

    /// Whether a message's slot is what was written, as far as anybody can tell. Precondition: the block has the slot.
    fn is_whole(&mut self, position: u64, len: u64) -> io::Result<bool> {
        let at = (position - self.block_at) as usize;
        let slot = &mut self.block[at..at + len as usize];
        if self.crc {
            let (content, crc) = slot[8..].split_at((len - 8 - CRC) as usize);
            return Ok(crc32c::crc32c(content).to_ne_bytes() == *crc);
        }
        if self.is_shared {
            // The stamp was there when it was copied. What lies behind it is whole now; was it then?
            self.source.read_at(position, slot)?;
            self.look_what_is_retained()?;
        }
        // Only its neighbours vouch for its length. One that is too large would hide what was written behind it.
        let hidden = self.next_slot(position + record_len(0, false), position + len)?;
        Ok(hidden.is_none() && self.is_followed(position, len)?)
    }

    /// Whether a slot ends where another one begins, or has not begun yet: not in the middle of what was written.
    /// Precondition: the block has the slot, and what follows it if anything does.
    fn is_followed(&mut self, position: u64, len: u64) -> io::Result<bool> {
        let next = position + len;
        let at = (next - self.block_at) as usize;
        if next == self.whole || at + FOLLOWING as usize > self.block.len() {
            return Ok(true);
        }
        match word(&self.block, at) {
            // A claim, or the end; or, where all was finished once, a page that was lost as a whole.
            0 => Ok(next > self.whole || self.is_lost_page(position, next)?),
            // A stamp, or what is left of one: by chance no payload comes near it.
            stamp => Ok(STATES.iter().any(|state| (stamp ^ self.key ^ next ^ state).count_ones() <= 4)),
        }
    }

    /// Whether a page begins at `next` that has nothing in it. The block begins at or before `position` then, too.
    fn is_lost_page(&mut self, position: u64, next: u64) -> io::Result<bool> {
        let end = (next + PAGE).min(self.source.len()?);
        if !next.is_multiple_of(PAGE) || !self.fill(position, end - position)? {
            return Ok(false);
        }
        let at = |position| (position - self.block_at) as usize;
        Ok(self.block[at(next)..at(end)].iter().all(|&byte| byte == 0))
    }

    /// The first position from `from` up to `to` where a slot is known to begin, or the journal to end.
    fn next_slot(&mut self, from: u64, to: u64) -> io::Result<Option<u64>> {
        let whole = Some(self.whole).filter(|whole| (from..to).contains(whole));
        Ok(self.next_stamp(from, whole.unwrap_or(to))?.or(whole))
    }

    /// The first position from `from` up to `to` whose stamp is valid.
    fn next_stamp(&mut self, from: u64, to: u64) -> io::Result<Option<u64>> {
        let mut position = from;
        while position < to && self.fill(position, 16)? {
            let at = (position - self.block_at) as usize;
            let (units, _) = self.block[at..].as_chunks::<16>();
            let count = units.len().min((to - position).div_ceil(16) as usize);
            for unit in &units[..count] {
                // Nearly all of what is looked at ends here, and without checksums that is all there is.
                let state = word(unit, 0) ^ self.key ^ position;
                if state < 16 && STATES.contains(&state) {
                    return Ok(Some(position));
                }
                position += 16;
            }
        }
        Ok(None)
    }

    /// Behind the last byte from `from` on that is not zero, rounded up to where a slot may begin; `from` if all are.
    pub(crate) fn last_byte(&mut self, from: u64) -> io::Result<u64> {
        let (mut position, mut end) = (from, from);
        while self.fill(position, 1)? {
            let at = (position - self.block_at) as usize;
            // Slots are what is looked for: their unit will do.
            let mut units = self.block[at..].chunks(slot::SLOT_ALIGN as usize);
            if let Some(last) = units.rposition(|unit| *unit != [0; slot::SLOT_ALIGN as usize][..unit.len()]) {
                end = position + (last as u64 + 1) * slot::SLOT_ALIGN;
            }
            position = self.block_at + self.block.len() as u64;
        }
        Ok(end)
    }

    /// Has the block begin at or before `position` and reach to `position + len`. False if the source ends before.
    fn fill(&mut self, position: u64, len: u64) -> io::Result<bool> {
        let Some(end) = position.checked_add(len) else { return Ok(false) };
        if position >= self.block_at && end <= self.block_at + self.block.len() as u64 {
            return Ok(true);
        }
        // Asked first, so that a length from a damaged head claims no memory.
        let source_len = self.source.len()?;
        // Before the copy is made: what is finished after it was, may be in it as it was before.
        self.whole = header::whole_in(&self.words()?, source_len).unwrap_or(0);
        if end > source_len {
            return Ok(false);
        }
        self.block.resize((len as usize).max(BLOCK.min((source_len - position) as usize)), 0);
        self.block_at = position;
        let filled = self.source.read_at(position, &mut self.block)?;
        self.block.truncate(filled);
        self.look_what_is_retained()?;
        Ok(filled as u64 >= len)
    }

    /// After a copy was made: what was given back before it was, may be in it as zeros.
    fn look_what_is_retained(&mut self) -> io::Result<()> {
        self.retained = header::checked_in(&self.words()?, RETAINED);
        Ok(())
    }

    /// Where the scan goes on if what stands at its position was given back.
    fn passed_by(&self) -> Option<u64> {
        self.retained.filter(|&retained| retained > self.position)
    }

    /// The beginning of the first page, as it is now.
    fn words(&self) -> io::Result<[u8; WORDS_END]> {
        let mut words = [0; WORDS_END];
        self.source.read_at(0, &mut words)?;
        Ok(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: u64 = 1 << 63 | 0x5EED_5EED_5EED_5EE0;

    /// Where the first slot stands.
    const FIRST: u64 = 2 * PAGE;

    /// A slot as somebody has left it: so far behind the first one, its state, and its head.
    type Left = (u64, u64, u64);

    /// What a scan finds in `len` bytes of slots.
    fn scanned(len: u64, slots: &[Left]) -> Vec<(u64, u64, Kind)> {
        let identity = Identity { crc: false, key: KEY, table_len: 0, max_payload: 1000, created: 5 };
        let mut image = identity.image(FIRST + len);
        for &(at, state, head) in slots {
            let position = FIRST + at;
            let stamp = (position | state) ^ KEY;
            image[position as usize..][..8].copy_from_slice(&stamp.to_ne_bytes());
            image[position as usize + 8..][..8].copy_from_slice(&head.to_ne_bytes());
        }
        let mut scan = Scan::new(image.as_slice(), &identity, FIRST);
        let mut found = Vec::new();
        while let Scanned::Found(Found { position, len, kind }) = scan.step().unwrap() {
            assert!(len >= 16, "it does not move on: {kind:?}");
            found.push((position - FIRST, len, kind));
        }
        found
    }

    fn length(at: u64, len: u64) -> u64 {
        super::super::word::checked(FIRST + at + 8, len)
    }

    const DAMAGED: Kind = Kind::Damaged { marked: false };

    #[test]
    fn a_mark_is_believed_within_the_file_only() {
        for (state, kind) in
            [(slots::HOLE, Kind::Hole { marked: true }), (slots::DAMAGED, Kind::Damaged { marked: true })]
        {
            let sealed = (64, slot::SEALED, slot::pack(1, 2, 32));
            let sealed_found = (64, 64, Kind::Sealed { exact: true });
            assert_eq!(scanned(128, &[(0, state, length(0, 64)), sealed]), [(0, 64, kind), sealed_found]);
            // One of no length leads nowhere, and one that is too long past the end.
            for len in [0, 144, 1 << 40] {
                assert_eq!(scanned(128, &[(0, state, length(0, len)), sealed]), [(0, 64, DAMAGED), sealed_found]);
            }
            // The same of a word that is not there at all.
            assert_eq!(scanned(128, &[(0, state, 0), sealed]), [(0, 64, DAMAGED), sealed_found]);
        }
    }

    #[test]
    fn what_was_given_up_ends_within_the_file() {
        for state in [slot::SEALED, slot::FENCED] {
            assert_eq!(scanned(64, &[(0, state, slot::pack(1, 2, 32))]), [(0, 64, Kind::Sealed { exact: true })]);
            assert_eq!(scanned(48, &[(0, state, slot::pack(1, 2, 32))]), [(0, 16, DAMAGED)]);
        }
    }

    /// A stamp of no state makes no slot, wherever one is looked for.
    #[test]
    fn a_stamp_needs_a_state() {
        let message = (96, slot::COMMITTED, slot::pack(1, 2, 0));
        let header = |at| Kind::Message(slot::unpack(slot::pack(1, 2, 0), FIRST + at));
        for state in (0..16).filter(|state| !STATES.contains(state)) {
            // Behind damage, behind a claim, in what was given up.
            assert_eq!(
                scanned(144, &[(0, 0b1111, 7), (32, state, 0), message])[..],
                [(0, 96, DAMAGED), (96, 32, header(96))]
            );
            let claim = (0, slot::PENDING, slot::pack(1, 2, 500));
            let hole = Kind::Hole { marked: false };
            assert_eq!(scanned(144, &[claim, (32, state, 0), message])[..], [(0, 96, hole), (96, 32, header(96))]);
            let sealed = (0, slot::SEALED, slot::pack(1, 2, 64));
            let given_up = Kind::Sealed { exact: true };
            assert_eq!(scanned(144, &[sealed, (32, state, 0), message])[..], [(0, 96, given_up), (96, 32, header(96))]);
        }
    }
}
