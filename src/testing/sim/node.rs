//! A process of a simulated system.

use super::bus::Simulated;
use crate::messenger::{Options, StartError, Workers};
use crate::routing::Rows;

/// A node that is up.
pub(super) struct Up {
    pub(super) workers: Workers,
    pub(super) stop: Box<dyn Fn()>,
}

pub(super) type Started = Result<Up, StartError>;

/// One process: a table, and how its messenger is made.
pub(super) struct Node<B> {
    pub(super) name: &'static str,
    pub(super) rows: &'static Rows,
    pub(super) start: Box<dyn Fn(Simulated<B>, Options) -> Started>,
}
