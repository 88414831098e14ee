//! What can be chosen about a connection.

use super::wire::{Side, Wire};
use std::time::Duration;

/// Which generations of the wire are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wires {
    /// This one.
    Only(Wire),
    /// The peer's, told by its first byte; nothing is sent before that. For servers only.
    Auto {
        /// Which of the first generation, [`Wire::V1a`] or [`Wire::V1b`]: the byte does not tell.
        v1: Wire,
    },
}

impl Default for Wires {
    fn default() -> Self {
        Wires::Only(Wire::default())
    }
}

/// What can be chosen about a connection: the field `connection` of the options of servers and clients.
///
/// The defaults are what Messi does, and limits where it has none: frames of at most 1 MiB, 1 MiB pending, 10 s for the
/// first frame, for a frame, and without reading. A client pings every 2 s; a server gives up after 3 s of silence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// The wire.
    pub wires: Wires,
    /// The largest frame that is taken, in bytes, header included. What is sent only the wire limits: how much a peer
    /// takes is for the peer to say.
    pub max_frame: usize,
    /// How many bytes may wait for a peer to read them; one frame may always.
    pub max_pending: usize,
    /// At a client: how often to ping, and how long to wait for the answer. At a server: how long a client may be
    /// silent. `None`: for ever.
    pub keep_alive: Option<Duration>,
    /// Whether any frame is a sign of life, rather than pings and pongs alone. Messi's own peers ping always.
    pub any_traffic: bool,
    /// At a server: how long a client may take for its first frame.
    pub handshake_time: Duration,
    /// How long a peer may take from the first byte of a frame to its last.
    pub frame_time: Duration,
    /// How long a peer may read nothing of what waits for it.
    pub write_time: Duration,
    /// Whether to disconnect where Messi ignores.
    pub strict: bool,
}

impl Settings {
    /// The defaults on `side`.
    #[doc(hidden)]
    pub fn new(side: Side) -> Settings {
        Settings {
            wires: Wires::default(),
            max_frame: 1 << 20,
            max_pending: 1 << 20,
            keep_alive: Some(Duration::from_secs(match side {
                Side::Client => 2,
                Side::Server => 3,
            })),
            any_traffic: false,
            handshake_time: Duration::from_secs(10),
            frame_time: Duration::from_secs(10),
            write_time: Duration::from_secs(10),
            strict: false,
        }
    }
}
