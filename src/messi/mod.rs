//! Across the network: handlers that bridge the bus to remote peers over TCP, in the Messi protocol that C, Python and
//! Rust speak (<https://github.com/eerimoq/messi>).
//!
//! * [`Server`] puts its clients' messages on the bus as [`FromClient`], and sends them every [`ToClient`] of the bus.
//! * [`Client`] mirrors it: [`FromServer`], [`ToServer`].
//! * [`ServerLoop`] and [`ClientLoop`] are the same without a bus, for plain programs.
//!
//! [`messi_protocol!`](crate::messi_protocol) makes a protocol of two protocol buffer messages.
//!
//! Give a bridge a worker of its own. While messages of another handler wait in the worker's outbox, the worker calls
//! no `on_loop`, and a bridge without its `on_loop` answers no ping.
//!
//! # Promises
//!
//! * **Backpressure from end to end.** When the bus is full, the bridge stops reading the socket. It stops that peer's
//!   keepalive clock, too, and tells the peer once a second that it is alive. It reads slowly from a peer that reads
//!   slowly; it disconnects one that does not read, at the cost of `max_pending` bytes at most
//!   ([`Reason::SlowConsumer`]).
//! * **Closed by default.** Loopback, a limit on clients, frames and times: see [`ServerOptions`]. The protocol knows
//!   no passwords and encrypts nothing: on other networks use [`tls`] or a tunnel.
//! * **A peer's fault is its own.** A bridge disconnects a faulty peer with a [`Reason`], and reports that once; the
//!   other peers don't notice.
//! * **Members arrive as they were sent.** A bridge decodes each message and ends the connection over one that is none.
//!   Then it copies the bytes of the member to the bus, fields that this version does not know included. Only of a
//!   member that occurs more than once in its root does it write the sum, without those fields.
//! * **Events alternate.** Connected, messages, disconnected. No message of a connection comes after its end, and never
//!   a part of one.
//!
//! # Layers
//!
//! `wire` splits bytes into frames; `connection` is one peer's protocol as a state machine without a socket and without
//! a clock; `event_loop` drives many of them; `net` is the sockets. All but the last run in simulations.

mod address;
mod bell;
mod bridge;
mod client;
mod client_core;
mod client_loop;
mod connection;
mod core;
mod error;
mod event_loop;
mod layer;
mod messages;
mod net;
mod options;
mod peers;
pub(crate) mod private;
mod protocol;
mod reason;
mod run_loop;
mod server;
mod server_core;
mod server_loop;
mod settings;
#[cfg(feature = "tls")]
pub mod tls;
mod wire;

pub use client::Client;
pub use client_loop::{ClientEvent, ClientLoop};
pub use error::{NetworkError, SendError, SetupError};
pub use layer::Layer;
pub use messages::{
    ClientConnected, ClientDisconnected, ClientId, Connected, Disconnect, Disconnected, FromClient, FromServer,
    Listening, StartBridge, StopBridge, To, ToClient, ToServer,
};
pub use options::{ClientOptions, Reconnect, ServerOptions};
pub use protocol::{Member, Protocol, Root, ToClientSide, ToServerSide, Visitor};
pub use reason::Reason;
pub use server::Server;
pub use server_loop::{ServerEvent, ServerLoop};
pub use settings::{Settings, Wires};
pub use wire::Wire;
