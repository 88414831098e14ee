//! What can be chosen about a bridge.

use crate::protocol::{Kind, Limits, Names};
use std::fmt;
use std::time::Duration;

/// What can be chosen about a bridge, and about either half of it: an [`Outlet`](crate::Outlet) and an
/// [`Inlet`](crate::Inlet).
///
/// ```
/// use rust_messenger_nats::protocol::Names;
/// use rust_messenger_nats::{BridgeOptions, protocol};
///
/// let names = Names::new("shop", "till-1")?;
/// let options = BridgeOptions::ring("nats://127.0.0.1:4222", names);
/// assert_eq!(options.kind, protocol::Kind::Ring);
/// # Ok::<(), protocol::NameError>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct BridgeOptions {
    /// The servers, as `nats://host:port` or `tls://host:port`, separated by commas.
    pub servers: String,
    /// How to connect: credentials, roots, certificates. Nothing shows what is in it. Default: none of these.
    pub connect: async_nats::ConnectOptions,
    /// Whether the bridge may speak without TLS to servers on other machines. Default: no.
    pub plain: bool,
    /// The system and the node.
    pub names: Names,
    /// What the bus is.
    pub kind: Kind,
    /// Which one it is, among all that this node ever has: a journal has one for its life, a ring one that is random.
    pub incarnation: u64,
    /// Whether the bridge takes over a stream that another journal has filled. Default: no.
    pub adopt: bool,
    /// How much may be on its way out. Default: 256 messages and 4 MiB.
    pub window: Limits,
    /// How much the bridge asks for of one other node before it has acknowledged it, beside one message of the largest
    /// size that the server takes. Default: 2048 messages and 4 MiB.
    pub pull: Limits,
    /// The nodes that read this node's stream: each has a consumer there, and the server removes what all of them have
    /// acknowledged. Default: none, and the server removes nothing.
    pub receivers: Vec<String>,
    /// Whether an inlet goes on where messages of another node are missing, instead of ending with
    /// [`Gap`](crate::BridgeError::Gap). Default: no.
    pub pass_gaps: bool,
    /// How many bytes of a ring the bridge keeps behind what the server has acknowledged, for one that comes back with
    /// less than it acknowledged. A journal keeps all that it retains. Default: 0.
    pub kept: u64,
    /// Whether the bridge leaves out, and counts, messages that the server takes for too large. Default: no, and the
    /// bridge refuses a bus that allows them.
    pub skip_larger: bool,
    /// How many bytes the stream may take, if this bridge makes it. It then refuses what is new, and the bus fills.
    /// Default: no limit.
    pub max_bytes: Option<u64>,
    /// How long the server may answer nothing before the bridge looks at the stream. Default: 2 s.
    pub patience: Duration,
    /// How long what waits may make no progress, though a server is there, before the bridge says
    /// [`Stalled`](crate::Status::Stalled). Default: 5 s.
    pub stall: Duration,
}

impl BridgeOptions {
    /// Of a ring: its incarnation is random.
    pub fn ring(servers: &str, names: Names) -> BridgeOptions {
        BridgeOptions {
            servers: servers.to_owned(),
            connect: async_nats::ConnectOptions::new(),
            plain: false,
            names,
            kind: Kind::Ring,
            incarnation: random(),
            adopt: false,
            window: Limits { messages: 256, bytes: 4 << 20 },
            pull: Limits { messages: 2048, bytes: 4 << 20 },
            receivers: Vec::new(),
            pass_gaps: false,
            kept: 0,
            skip_larger: false,
            max_bytes: None,
            patience: Duration::from_secs(2),
            stall: Duration::from_secs(5),
        }
    }

    /// Of a journal with that id, which no other journal of the system has and which it keeps.
    pub fn journal(servers: &str, names: Names, id: u64) -> BridgeOptions {
        BridgeOptions { kind: Kind::Journal, incarnation: id, ..BridgeOptions::ring(servers, names) }
    }

    /// The first server that is spoken to without TLS though it is not on this machine.
    pub(crate) fn exposed(&self) -> Option<&str> {
        let is_safe = |server: &&str| {
            let (scheme, rest) = server.trim().split_once("://").unwrap_or(("nats", server.trim()));
            let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
            let host = if host.starts_with('[') {
                host.split_once(']').map_or(host, |(host, _)| &host[1..])
            } else {
                host.split(':').next().unwrap_or(host)
            };
            let is_here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|host| host.is_loopback());
            scheme == "tls" || is_here
        };
        self.servers.split(',').find(|server| !self.plain && !is_safe(server))
    }
}

impl fmt::Debug for BridgeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither `connect` nor `servers`, which may have a password in it.
        f.debug_struct("BridgeOptions")
            .field("names", &self.names)
            .field("kind", &self.kind)
            .field("incarnation", &self.incarnation)
            .field("adopt", &self.adopt)
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}

/// A number that nobody else has.
pub(crate) fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(servers: &str) -> BridgeOptions {
        BridgeOptions::ring(servers, Names::new("shop", "till").unwrap())
    }

    #[test]
    fn plain_connections_leave_the_machine_only_when_asked_to() {
        let safe = "nats://127.0.0.1:4222,localhost,nats://[::1]:4222,nats://me:secret@127.8.0.1,tls://example.org";
        assert_eq!(options(safe).exposed(), None);
        for exposed in ["nats://example.org:4222", "127.0.0.1.example.org", "nats://localhost@10.0.0.1:1", "[::2]:4"] {
            assert_eq!(options(&format!("localhost,{exposed}")).exposed(), Some(exposed));
            assert_eq!(BridgeOptions { plain: true, ..options(exposed) }.exposed(), None);
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let mut options = options("nats://me:hush@127.0.0.1");
        options.connect = async_nats::ConnectOptions::with_token("hush".to_owned());
        assert!(!format!("{options:?}").contains("hush"));
    }

    #[test]
    fn numbers_differ() {
        assert_ne!(random(), random());
    }
}
