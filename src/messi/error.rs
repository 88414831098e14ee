//! Why servers and clients do not start, what they cannot send, and their other failures.

use super::reason::Reason;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// Why a server or client did not start, or its TLS was not set up.
#[derive(Debug)]
#[non_exhaustive]
pub enum SetupError {
    /// The URI is not `tcp://<host>:<port>`, or a client's has no host or no port.
    Uri {
        /// The URI.
        uri: String,
    },
    /// Other machines can reach the address. Set `allow_remote` if you mean that.
    NotLoopback {
        /// The address.
        address: IpAddr,
    },
    /// The host has no address.
    Resolve {
        /// The host.
        host: String,
        /// The system's error.
        error: io::Error,
    },
    /// The system refuses to listen there.
    Listen {
        /// The URI.
        uri: String,
        /// The system's error.
        error: io::Error,
    },
    /// The system has no more descriptors.
    Poller(io::Error),
    /// A frame of `max_frame` bytes does not fit the bus. Make the bus larger, or frames smaller.
    FrameTooLarge {
        /// The size in the options.
        max_frame: usize,
        /// The largest that fits the bus.
        bus: usize,
    },
    /// [`Wires::Auto`](super::Wires::Auto) at a client: only a server can wait for its peer's first byte.
    AutoIsForServers,
    /// The text is no PEM file of the kind that TLS needs here.
    Pem {
        /// The kind that it needs.
        what: &'static str,
        /// What is wrong.
        error: String,
    },
    /// TLS cannot use the certificates, the key or the roots. The error is one of `rustls`, such as `rustls::Error`.
    Tls(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetupError::Uri { uri } => {
                write!(f, "expected a URI of the form tcp://<host>:<port>, but got {uri:?}")
            }
            SetupError::NotLoopback { address } => {
                write!(f, "{address} is reachable from other machines; set `allow_remote` if that is meant")
            }
            SetupError::Resolve { host, error } => write!(f, "no address for host {host:?}: {error}"),
            SetupError::Listen { uri, error } => write!(f, "cannot listen at {uri}: {error}"),
            SetupError::Poller(error) => write!(f, "no poller: {error}"),
            SetupError::FrameTooLarge { max_frame, bus } => {
                write!(f, "frames of up to {max_frame} bytes, but this bus takes {bus} at most")
            }
            SetupError::AutoIsForServers => f.write_str("a client speaks first, so it cannot detect the server's wire"),
            SetupError::Pem { what, error } => write!(f, "no {what} in this PEM text: {error}"),
            SetupError::Tls(error) => write!(f, "unusable certificate, key or roots: {error}"),
        }
    }
}

impl Error for SetupError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            SetupError::Resolve { error, .. } | SetupError::Listen { error, .. } | SetupError::Poller(error) => {
                Some(error)
            }
            SetupError::Tls(error) => Some(&**error),
            _ => None,
        }
    }
}

/// Why a server or client did not send a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The client is no longer connected.
    Gone,
    /// The client has no connection now.
    NotConnected,
    /// The message is larger than the wire allows.
    TooBig {
        /// The size of its frame in bytes.
        size: usize,
        /// The largest frame in bytes.
        max: usize,
    },
    /// `max_pending` bytes wait for the peer to read them. From `try_send`: half of that; send again later. From
    /// `send`: the peer is a slow consumer, and this side disconnects it.
    Full,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Gone => f.write_str("the client is gone"),
            SendError::NotConnected => f.write_str("not connected"),
            SendError::TooBig { size, max } => write!(f, "a frame of {size} bytes; it may have {max}"),
            SendError::Full => f.write_str("the peer does not read what is pending"),
        }
    }
}

impl Error for SendError {}

/// Why a bridge failed at something: in [`Report::Network`](crate::traits::Report::Network).
#[derive(Debug)]
#[non_exhaustive]
pub enum NetworkError {
    /// This side disconnected a peer because of what the peer did. Reported once.
    Dropped {
        /// The peer's address.
        peer: SocketAddr,
        /// Why.
        reason: Reason,
    },
    /// The bridge did not send a message.
    Unsent(SendError),
    /// An attempt to connect to the server failed. The next one follows.
    Connect {
        /// The server.
        uri: String,
        /// The error.
        error: io::Error,
    },
    /// A new connection failed before its first frame.
    Handshake {
        /// The peer's address.
        peer: SocketAddr,
        /// The error.
        error: io::Error,
    },
    /// The system has no descriptors or memory for another connection. Reported once, until the server accepts one
    /// again.
    Accept(io::Error),
    /// The bridge could not start again.
    Start(SetupError),
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NetworkError::Dropped { peer, reason } => write!(f, "{peer} was disconnected: {}", reason.name()),
            NetworkError::Unsent(error) => write!(f, "a message was not sent: {error}"),
            NetworkError::Connect { uri, error } => write!(f, "not connected to {uri}: {error}"),
            NetworkError::Handshake { peer, error } => write!(f, "{peer} failed before its first frame: {error}"),
            NetworkError::Accept(error) => write!(f, "no connection can be taken for now: {error}"),
            NetworkError::Start(error) => write!(f, "not started: {error}"),
        }
    }
}

impl Error for NetworkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            NetworkError::Dropped { .. } => None,
            NetworkError::Unsent(error) => Some(error),
            NetworkError::Connect { error, .. }
            | NetworkError::Handshake { error, .. }
            | NetworkError::Accept(error) => Some(error),
            NetworkError::Start(error) => Some(error),
        }
    }
}
