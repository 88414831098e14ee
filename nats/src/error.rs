//! Why a bridge, or one half of it, did not start or has ended.

use crate::protocol::{NameError, ResumeError};
use rust_messenger::traits::{CursorError, ImportError, NoWriter, SubscribeError};
use std::fmt;

/// Why a bridge, an [`Outlet`](crate::Outlet) or an [`Inlet`](crate::Inlet) did not start, or has ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum BridgeError {
    /// A server that is not on this machine would be spoken to without TLS, and the options don't say `plain`.
    Exposed,
    /// The messenger runs already, or has run.
    RanBefore,
    /// The options name another node than the one whose part of the placement it is.
    OtherNode {
        /// The node of the placement.
        placed: String,
        /// The node in the options.
        named: String,
    },
    /// The bus gave no held reader.
    Subscribe(SubscribeError),
    /// The bus gives no writer for what comes in, or for what the bridge says of itself. A bus for one writer takes no
    /// messages from elsewhere: its workers write, too.
    Writer(NoWriter),
    /// There is no thread, or no runtime for it; or it panicked.
    Thread(std::io::ErrorKind),
    /// What the options say cannot be connected with.
    Connect(async_nats::ConnectErrorKind),
    /// The stream of that name is set up otherwise.
    OtherStream {
        /// Its name.
        stream: String,
    },
    /// The stream was deleted.
    StreamGone {
        /// Its name.
        stream: String,
    },
    /// It cannot go on where the stream ends.
    Resume(ResumeError),
    /// The stream ends with what the bus has let go of: what came after it is lost.
    Lost {
        /// The position that the stream ends with; `None`: it has nothing of this bus.
        after: Option<u64>,
    },
    /// The bus allows larger messages than the server takes.
    TooLarge {
        /// The largest of the bus, with headers.
        bus: usize,
        /// The largest of the server.
        server: usize,
    },
    /// A position that no header can say.
    TooFar {
        /// It.
        position: u64,
    },
    /// The reader could not be moved on.
    Release(CursorError),
    /// What this node has acknowledged of another one's stream is not on its bus, or the stream has lost messages that
    /// this node never saw. The options can say that it goes on nevertheless.
    Gap {
        /// The other node.
        node: String,
        /// The position of the last message that is here; `None`: there is none of that incarnation.
        from: Option<u64>,
        /// Up to which position messages are missing; `None`: the stream does not say.
        to: Option<u64>,
    },
    /// A node's name is none that a stream can have.
    Name {
        /// It.
        node: String,
        /// What is wrong with it.
        error: NameError,
    },
    /// The bus does not take what comes from another node.
    Import {
        /// The other node.
        node: String,
        /// Why.
        error: ImportError,
    },
}

impl fmt::Display for BridgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let position = |position: &Option<u64>| position.map_or("nothing".to_owned(), |it| it.to_string());
        match self {
            BridgeError::Exposed => f.write_str("a server on another machine would be spoken to without TLS"),
            BridgeError::RanBefore => f.write_str("a bridge begins before its messenger runs"),
            BridgeError::OtherNode { placed, named } => {
                write!(f, "the placement is that of the node {placed:?}, and the options name {named:?}")
            }
            BridgeError::Subscribe(error) => error.fmt(f),
            BridgeError::Writer(error) => error.fmt(f),
            BridgeError::Thread(kind) => write!(f, "the bridge's thread: {kind}"),
            BridgeError::Connect(kind) => write!(f, "connecting: {kind}"),
            BridgeError::OtherStream { stream } => write!(f, "the stream {stream} is set up otherwise"),
            BridgeError::StreamGone { stream } => write!(f, "the stream {stream} was deleted"),
            BridgeError::Resume(error) => error.fmt(f),
            BridgeError::Lost { after } => {
                write!(f, "the stream ends with {}, and the bus has let go of what follows", position(after))
            }
            BridgeError::TooLarge { bus, server } => {
                write!(f, "the bus allows messages of {bus} bytes with headers, and the server takes {server}")
            }
            BridgeError::TooFar { position } => write!(f, "the position {position} is too large to travel"),
            BridgeError::Release(error) => error.fmt(f),
            BridgeError::Gap { node, from, to } => {
                let to = to.map_or("an unknown position".to_owned(), |to| to.to_string());
                write!(f, "messages of {node} are missing: behind {} and up to {to}", position(from))
            }
            BridgeError::Name { node, error } => write!(f, "the node {node:?}: {error}"),
            BridgeError::Import { node, error } => write!(f, "what comes from {node}: {error}"),
        }
    }
}

impl std::error::Error for BridgeError {}
