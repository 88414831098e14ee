//! What [`Messenger!`](crate::Messenger) calls: the table as data, its checks, decode and deliver.
//!
//! Runs no thread and knows no bus. Items here that are not about [`Table`] and [`Graph`] are for expansions only.

mod checks;
mod graph;
mod roster;
mod rows;
mod table;

pub use crate::blame::At;
pub use checks::{
    HasDueAlone, HasHandlerIdOfItsOwn, HasMessageIdOfItsOwn, IsInSomeRoute, IsInThisWorker, IsRoutedOnce, IsUnrouted,
    LeavesDueItsId, due_id, handler_id_is_unique, has_due_alone, is_in_some_route, is_in_worker, is_routed_once,
    is_source, is_unrouted, leaves_due_its_id, message_id_is_unique, source_id_is_unique,
};
pub use graph::Graph;
pub use roster::{Launch, Roster, Routed, RoutesTo, Tabled, Topology, Visit, deadline, decode, earliest, is};
pub use rows::{Rows, routed, routed_count, row, source_count, sources};
pub(crate) use table::short;
pub use table::{Table, TableHandler, TableRoute, TableWorker};
