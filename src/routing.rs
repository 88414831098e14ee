//! A routing table as data and as a picture.
//!
//! [`Messenger!`](crate::Messenger) makes a [`Table`] of constants; [`Graph`] draws it. This module runs no thread and
//! knows no bus.

pub(crate) mod checks;
mod graph;
pub(crate) mod roster;
pub(crate) mod rows;
mod table;

pub use graph::Graph;
#[cfg(all(test, rust_messenger_loom))]
pub(crate) use roster::Router;
pub use roster::Topology;
pub(crate) use roster::{Launch, Roster, Visit};
pub(crate) use rows::{Rows, row};
pub(crate) use table::short;
pub use table::{Table, TableHandler, TableRoute, TableWorker};
