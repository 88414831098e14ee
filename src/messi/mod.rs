//! Across the network: handlers that bridge the bus to remote peers over TCP, in the Messi protocol that C, Python and
//! Rust speak (<https://github.com/eerimoq/messi>).
//!
//! * [`Server`] puts what its clients send on the bus as [`FromClient`], and sends them what comes as [`ToClient`].
//! * [`Client`] mirrors it: [`FromServer`], [`ToServer`].
//! * [`ServerLoop`] and [`ClientLoop`] are the same without a bus, for plain programs.
//!
//! The protocol is two protocol buffer messages, named to [`messi_protocol!`](crate::messi_protocol).
//!
//! Give a bridge a worker of its own: while another handler's messages wait in the worker's outbox, no handler of that
//! worker is looped, and a bridge that is not looped answers no ping.
//!
//! # What is promised
//!
//! * **Backpressure from end to end.** When the bus is full, the socket is not read; that peer's time to ping stands
//!   still, and it is told once a second that the server is there. A peer that reads slowly is read from slowly; one
//!   that does not read costs at most `max_pending` bytes, and is disconnected as [`Reason::SlowConsumer`].
//! * **Closed by default.** Loopback, a limit on clients, frames and times; see [`ServerOptions`]. The protocol itself
//!   knows no passwords and hides nothing: use [`tls`] or a tunnel on other networks.
//! * **A peer's fault is its own.** Whatever it sends, it is disconnected with a [`Reason`], which is reported once;
//!   the others don't notice.
//! * **Events alternate.** Connected, messages, disconnected; none of a connection's messages comes after its end, and
//!   no part of a message ever.
//!
//! # Layers
//!
//! `wire` takes bytes apart into frames; `connection` is one peer's protocol as a state machine without a socket and
//! without a clock; `event_loop` drives many of them; `net` is the sockets. All but the last run in simulations.

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
