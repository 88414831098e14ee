//! A routing table as data and as a picture.
//!
//! [`Messenger!`](crate::Messenger) makes a [`Table`] of constants, which draws itself. This module runs no thread and
//! knows no bus.

pub(crate) mod checks;
mod graph;
pub(crate) mod index;
mod map;
mod placement;
pub(crate) mod roster;
pub(crate) mod rows;
mod table;

pub use placement::{Placed, Placement, PlacementError};
#[cfg(all(test, rust_messenger_loom))]
pub(crate) use roster::Router;
pub(crate) use roster::{Launch, Roster, Topology, Visit};
pub(crate) use rows::Rows;
pub use table::{Table, TableHandler, TableRoute, TableWorker};
pub(crate) use table::{row, short};
