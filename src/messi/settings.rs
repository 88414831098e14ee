//! The settings of a connection.

use super::wire::{Side, Wire};
use std::time::Duration;

/// Which generations of the wire a connection speaks.
///
/// ```
/// use rust_messenger::messi::{Protocol, ServerOptions, Wire, Wires};
///
/// fn for_all_peers<Chat: Protocol>() -> ServerOptions<Chat> {
///     let mut options = ServerOptions::new("tcp://127.0.0.1:4000");
///     options.connection.wires = Wires::Auto { v1: Wire::V1b };
///     options
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wires {
    /// This one.
    Only(Wire),
    /// The peer's, which its first byte tells; until then the server sends nothing. For servers only.
    Auto {
        /// Which of the first generation to speak, [`Wire::V1a`] or [`Wire::V1b`]: the byte does not tell.
        v1: Wire,
    },
}

impl Default for Wires {
    fn default() -> Self {
        Wires::Only(Wire::default())
    }
}

/// The settings of a connection: the field `connection` of the options of servers and clients.
///
/// The defaults are what Messi does, and limits where it has none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// The wires that the connection speaks. Default: [`Wire::V2`], the newest, alone.
    pub wires: Wires,
    /// The largest frame that this side accepts, in bytes, header included. For what it sends, only the wire sets a
    /// limit: the peer decides how much it accepts. Default: 1 MiB.
    pub max_frame: usize,
    /// How many bytes may wait for a peer to read them. One frame may always wait. Default: 1 MiB.
    pub max_pending: usize,
    /// At a client: how often it pings, and how long it waits for the answer. At a server: how long a client may stay
    /// silent. `None`: no limit. Default: 2 s at a client, 3 s at a server.
    pub keep_alive: Option<Duration>,
    /// Whether any frame counts as a sign of life, instead of pings and pongs alone. Messi's own peers always ping.
    /// Default: no.
    pub any_traffic: bool,
    /// At a server: how long a client may take for its first frame. Default: 10 s.
    pub handshake_time: Duration,
    /// How long a peer may take from the first byte of a frame to its last. Default: 10 s.
    pub frame_time: Duration,
    /// How long a peer may read nothing while bytes wait for it. Default: 10 s.
    pub write_time: Duration,
    /// Whether to disconnect where Messi ignores a fault. Default: no.
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
