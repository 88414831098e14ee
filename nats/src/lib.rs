//! One routing table of [`rust_messenger`] on several machines: what a node's workers send travels to the others through
//! NATS JetStream, one stream for each node.
//!
//! [`Bridge`] is both ways for a messenger. For programs with a bus and no messenger [`Outlet`] publishes what workers
//! elsewhere receive, and [`Inlet`] writes what comes from them to the bus.
//! [`protocol`] is what stands in such a stream, and what a bridge does with it, as values and functions without a
//! socket: for a bridge, for tests of it, and for programs of one's own that read a node's stream.
//! [docs/nats.md](https://github.com/rust-messenger/rust_messenger/blob/main/docs/nats.md) has it byte by byte.
//!
//! ```
//! use rust_messenger_nats::protocol::{Names, Subject};
//!
//! let names = Names::new("shop", "till-1")?;
//! assert_eq!(names.message("Till", "Sold").to_string(), "shop.till-1.Till.Sold");
//! assert_eq!(Subject::parse("shop.till-1.Till.Sold")?, names.message("Till", "Sold"));
//! # Ok::<(), rust_messenger_nats::protocol::NameError>(())
//! ```

#![warn(missing_docs, missing_debug_implementations)]

mod bell;
mod bridge;
mod connection;
mod consumer;
mod error;
mod inlet;
mod line;
mod options;
mod outlet;
pub mod protocol;
mod status;
mod thread;
mod voice;

pub use async_nats;
pub use bridge::{Bridge, BridgeStats};
pub use error::BridgeError;
pub use inlet::{Inlet, InletStats};
pub use options::BridgeOptions;
pub use outlet::{Left, Outlet, OutletStats};
pub use status::Status;
