//! What is done with, and not acknowledged yet.
//!
//! On a ring a message may be acknowledged when all who read it have let it go, and an acknowledgement speaks for all
//! before it. So whatever came after a message waits with it, also what was passed by and what came again.

use std::collections::VecDeque;

/// How an acknowledgement is addressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    /// The sequence of the message in its stream.
    pub(super) sequence: u64,
    /// How many messages the stream has behind those that were delivered.
    pub(super) pending: u64,
    /// The subject that the server listens to.
    pub(super) reply: async_nats::Subject,
}

#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Each with where the bus ended when it was done with.
    waiting: VecDeque<(u64, Receipt)>,
}

impl Settled {
    /// It is done with, and the bus ends at `tail`.
    pub(super) fn push(&mut self, tail: u64, receipt: Receipt) {
        self.waiting.push_back((tail, receipt));
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether one may be acknowledged, where everything before `released` was let go.
    pub(super) fn is_ready(&self, released: u64) -> bool {
        self.waiting.front().is_some_and(|(tail, _)| is_past(released, *tail))
    }

    /// The receipt that speaks for all that may be acknowledged.
    pub(super) fn take(&mut self, released: u64) -> Option<Receipt> {
        let mut last: Option<Receipt> = None;
        while self.is_ready(released) {
            let (_, receipt) = self.waiting.pop_front()?;
            // What came again may have an earlier place.
            if last.as_ref().is_none_or(|last| last.sequence <= receipt.sequence) {
                last = Some(receipt);
            }
        }
        last
    }

    /// The connection broke: all of it comes again, and gets other receipts. The numbers of these may belong to other
    /// messages then.
    pub(super) fn forget(&mut self) {
        self.waiting.clear();
    }
}

/// Positions wrap around the end of u64.
fn is_past(position: u64, end: u64) -> bool {
    position.wrapping_sub(end) as i64 >= 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(sequence: u64) -> Receipt {
        Receipt { sequence, pending: 0, reply: async_nats::Subject::from(sequence.to_string()) }
    }

    #[test]
    fn one_receipt_speaks_for_all_that_was_let_go() {
        let mut settled = Settled::default();
        for (tail, sequence) in [(100, 1), (200, 2), (200, 1), (300, 3)] {
            settled.push(tail, receipt(sequence));
        }
        assert_eq!(settled.take(99), None);
        assert_eq!(settled.take(250), Some(receipt(2)));
        assert_eq!((settled.len(), settled.take(299)), (1, None));
        assert_eq!(settled.take(300), Some(receipt(3)));
    }

    #[test]
    fn positions_come_round() {
        let mut settled = Settled::default();
        settled.push(16, receipt(1));
        assert_eq!(settled.take(u64::MAX - 15), None);
        assert_eq!(settled.take(32), Some(receipt(1)));
    }
}
