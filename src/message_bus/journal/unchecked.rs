//! What nobody has looked at since a journal was opened, and what is done with what is found.

use super::header::PAGE;
use super::recovered::{Recovered, Span};
use super::scan::{Found, Kind};
use super::slots::{self, JournalSlots};
use crate::sync::Mutex;

/// How a place is to be marked that readers of the mapping could not step over, or could not see is damaged.
#[derive(Clone, Copy)]
pub(crate) enum Mark {
    State(u64),
    /// It was given up, and does not say how long it is.
    Length,
}

impl Mark {
    pub(crate) fn of(found: &Found) -> Option<Mark> {
        match found.kind {
            Kind::Hole { marked: false } => Some(Mark::State(slots::HOLE)),
            Kind::Damaged { marked: false } => Some(Mark::State(slots::DAMAGED)),
            Kind::Sealed { exact: false } => Some(Mark::Length),
            _ => None,
        }
    }

    /// Marks what was found. Its [page](page_of) has space.
    ///
    /// # Safety
    ///
    /// No reader of this process has come to this place, and no writer is at it.
    pub(crate) unsafe fn put(self, slots: &JournalSlots, found: &Found) {
        // SAFETY: the caller's promise, for both.
        unsafe {
            match self {
                Mark::State(state) => slots.mark(found.position, state, found.len),
                Mark::Length => slots.mark_length(found.position, found.len),
            }
        }
    }
}

/// Where the page begins and ends in which what was found is marked.
pub(crate) fn page_of(found: &Found) -> (usize, usize) {
    let page = found.position / PAGE * PAGE;
    (page as usize, (page + PAGE) as usize)
}

/// A stretch that nobody has looked at. A slot begins at either end of it, and everything in it was finished once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    /// Retention brings it forward.
    pub(crate) from: u64,
    /// Readers bring it back: to where they begin.
    pub(crate) to: u64,
}

impl Stretch {
    pub(crate) fn is_empty(self) -> bool {
        self.from >= self.to
    }

    fn span(self) -> Option<Span> {
        (!self.is_empty()).then(|| Span { position: self.from, len: self.to - self.from })
    }
}

/// What nobody has looked at, and what was found where somebody has.
#[derive(Debug)]
pub(crate) struct Unchecked {
    pub(crate) stretch: Mutex<Stretch>,
    pub(crate) recovered: Mutex<Recovered>,
}

impl Unchecked {
    pub(crate) fn new(stretch: Stretch, recovered: Recovered) -> Unchecked {
        Unchecked { stretch: Mutex::new(stretch), recovered: Mutex::new(recovered) }
    }
}

impl Recovered {
    pub(crate) fn add(&mut self, found: &Found) {
        let span = Span { position: found.position, len: found.len };
        let (count, list) = match found.kind {
            Kind::Message(_) => {
                self.messages += 1;
                return;
            }
            Kind::Sealed { .. } => return,
            Kind::Hole { marked } => {
                self.old_hole_count += u64::from(marked);
                (&mut self.hole_count, &mut self.holes)
            }
            Kind::Damaged { .. } => (&mut self.damaged_count, &mut self.damaged),
        };
        *count += 1;
        if list.len() < Self::SPANS {
            list.push(span);
        }
    }

    /// Nobody has looked at this.
    pub(crate) fn leave_out(&mut self, stretch: Stretch) {
        self.unchecked = stretch.span();
    }
}
