//! What can be chosen about a named ring.

use crate::routing::Table;
use std::time::Duration;

/// How the writers of a ring claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claims {
    Many = 1,
    One = 2,
}

/// The options of a ring that processes share by its name: [`CircularBus::create`](crate::CircularBus::create) and its
/// like.
///
/// ```
/// use rust_messenger::NamedOptions;
///
/// // For two users of one group, which the ring's directory belongs to.
/// let options = NamedOptions { capacity: Some(1 << 22), mode: 0o660, ..NamedOptions::default() };
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
pub struct NamedOptions {
    /// The size of the ring in bytes, as in [`RingOptions::capacity`](crate::message_bus::RingOptions::capacity).
    /// Opening refuses a ring of another one. Default: `None`, what the ring has, and 1 MiB for a new one.
    pub capacity: Option<usize>,
    /// Who may read and write a new file, as `chmod` says it, whatever the umask. Everybody who uses the ring must be
    /// able to do both, and can then do anything to it. Default: 0600, its owner alone.
    pub mode: u32,
    /// The routing table. The ring keeps what the ids in the tables of all its programs mean, and opening refuses a
    /// table that gives one of them another meaning. Default: none, so nothing is compared, and tools show numbers.
    pub table: Option<&'static Table<'static>>,
    /// How long readers of this process wait for a silent fill before one of them fences it. Default: one second.
    pub silent_after: Duration,
}

impl Default for NamedOptions {
    fn default() -> Self {
        NamedOptions { capacity: None, mode: 0o600, table: None, silent_after: Duration::from_secs(1) }
    }
}

impl NamedOptions {
    /// Sets the routing table: `Messenger::table()`.
    pub fn table(self, table: &'static Table<'static>) -> Self {
        NamedOptions { table: Some(table), ..self }
    }
}
