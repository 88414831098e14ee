//! One routing table of [`rust_messenger`] on several machines: what a node's workers send travels to the others through
//! NATS JetStream, one stream for each node.
//!
//! [`Outlet`] publishes what workers elsewhere receive. What writes the streams of other nodes to the bus is not built yet.
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
mod outlet;
pub mod protocol;
mod server;
mod settings;

pub use async_nats;
pub use outlet::{Left, Outlet, OutletError, OutletStats};
pub use settings::OutletOptions;
