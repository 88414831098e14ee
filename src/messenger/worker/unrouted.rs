//! What nobody receives: counted, and told once.

use crate::messenger::lifecycle::Lifecycle;
use crate::routing::{Rows, row};
use crate::traits::{Header, MessageBus, Report};
use std::collections::BTreeSet;

/// What the first worker of a messenger does with what falls through its own routes.
pub(super) struct Unrouted {
    rows: &'static Rows,
    /// The sources and messages that were reported.
    told: BTreeSet<u32>,
}

impl Unrouted {
    pub(super) fn new(rows: &'static Rows) -> Unrouted {
        Unrouted { rows, told: BTreeSet::new() }
    }

    /// Looks whether another worker takes the message.
    #[inline(never)]
    pub(super) fn look<B: MessageBus>(&mut self, header: Header, lifecycle: &Lifecycle<B>) {
        if !self.rows.misses(&header) {
            return;
        }
        lifecycle.count_unrouted();
        if self.told.insert(row(header.source, header.message)) {
            let source = self.rows.source_name(header.source).unwrap_or_default();
            let message = self.rows.message_name(header.message);
            lifecycle.report(Report::Unrouted { header, source, message });
        }
    }
}
