//! Owners: whose a word of the control block is, so that what a dead process held is told from what the living hold.
//!
//! ```text
//! bits        0        1      8..16   16..32       32..64
//! lock        held                    attachment   generation
//! state       in use   left   kind    attachment   generation
//! ```

const IN_USE: u64 = 1;
const LEFT: u64 = 2;
const KIND: u32 = 8;
const KINDS: u64 = 0xff << KIND;
const ATTACHMENT: u32 = 16;
const GENERATION: u32 = 32;

/// An attachment to a ring, the unit of ownership: its place in the table of attachments, and which of all that had
/// that place it is. As a lock names it, since locks are what it is wanted for most often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner(u64);

impl Owner {
    /// The process that a bus without a name belongs to.
    pub(crate) const ALONE: Owner = Owner::of(0, 1);

    pub(crate) const fn of(attachment: u16, generation: u32) -> Owner {
        Owner((generation as u64) << GENERATION | (attachment as u64) << ATTACHMENT | IN_USE)
    }

    /// What the lock says while this holds it. Never 0.
    #[inline(always)]
    pub(crate) fn word(self) -> u64 {
        self.0
    }

    /// Whom a word names, if it is in use.
    pub(crate) fn named_by(word: u64) -> Option<Owner> {
        (word & IN_USE != 0).then_some(Owner(word & !(KINDS | LEFT)))
    }

    /// The state of an entry that this has, for a reader or writer of such a kind.
    #[inline(always)]
    pub(crate) fn state(self, kind: u8) -> u64 {
        self.0 | u64::from(kind) << KIND
    }
}

/// What the table of attachments says of it.
#[cfg_attr(
    not(all(target_os = "linux", not(rust_messenger_loom))),
    allow(dead_code, reason = "rings that processes share by name use it")
)]
impl Owner {
    /// Its place in the table of attachments.
    pub(crate) fn attachment(self) -> u16 {
        (self.0 >> ATTACHMENT) as u16
    }

    /// Which of all that had that place it is.
    pub(crate) fn generation(self) -> u32 {
        Owner::generation_in(self.0)
    }

    /// Which of all that had its place a word of the table of attachments is about, be it in use or not.
    pub(crate) fn generation_in(word: u64) -> u32 {
        (word >> GENERATION) as u32
    }

    /// What that word says when this has left.
    pub(crate) fn left(self) -> u64 {
        self.0 & !IN_USE
    }
}

/// Whether an entry in this state is in use.
#[inline(always)]
pub(crate) fn is_in_use(state: u64) -> bool {
    state & IN_USE != 0
}

/// What an entry in this state says once its owner has left it, and nobody else may take it before whoever has the gate
/// lock gives it back. Until then it is of such a kind.
pub(crate) fn left_behind(state: u64, kind: u8) -> u64 {
    state & !KINDS | u64::from(kind) << KIND | LEFT
}

/// Whether its owner has left an entry in this state.
#[inline(always)]
pub(crate) fn is_left_behind(state: u64) -> bool {
    state & LEFT != 0
}

/// Whether an entry in this state is of such a kind.
#[inline(always)]
pub(crate) fn is_of_kind(state: u64, kind: u8) -> bool {
    state & KINDS == u64::from(kind) << KIND
}

#[cfg(all(test, not(rust_messenger_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_state_says_whose_it_is_and_of_which_kind() {
        for owner in [Owner::ALONE, Owner::of(63, u32::MAX), Owner::of(u16::MAX, 7)] {
            for kind in [0, 1, u8::MAX] {
                let state = owner.state(kind);
                assert!(
                    is_in_use(state)
                        && is_of_kind(state, kind)
                        && !is_of_kind(state, kind ^ 2)
                        && Owner::named_by(state) == Some(owner)
                        && !is_left_behind(state)
                );
                let left = left_behind(owner.state(2), kind);
                assert!(is_left_behind(left) && is_of_kind(left, kind) && Owner::named_by(left) == Some(owner));
            }
            assert_eq!(Owner::named_by(owner.word()), Some(owner));
        }
        assert!(!is_in_use(0) && Owner::named_by(0).is_none());
    }
}
