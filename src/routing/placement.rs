//! Which node of a system runs which workers of a table, and what follows from that for one of them.

use super::table::{Table, row};
use crate::traits::FIRST_OF_LIBRARY;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt;

/// Where the workers of a table run, and its sources that are in no worker: the same on every node. A node is a process
/// with a bus of its own.
///
/// ```
/// use rust_messenger::routing::{Placement, Table, TableHandler, TableRoute, TableWorker};
/// # use rust_messenger::traits::Layout;
///
/// static TABLE: Table = Table {
///     name: "Plant",
///     workers: &[
///         TableWorker {
///             name: "Field",
///             handlers: &[TableHandler { name: "sensor", type_name: "Sensor", id: 1, allow_unrouted: false }],
///             routes: &[],
///         },
///         TableWorker {
///             name: "Office",
///             handlers: &[TableHandler { name: "archive", type_name: "Archive", id: 2, allow_unrouted: false }],
///             routes: &[TableRoute {
///                 source: "Sensor",
///                 source_id: 1,
///                 message: "Reading",
///                 message_id: 7,
///                 layout: Layout::variable("postcard"),
///                 receivers: &["archive"],
///             }],
///         },
///     ],
/// };
///
/// let placement = Placement::new().worker("Field", "pump").worker("Office", "house");
/// let (pump, house) = (placement.on("pump", &TABLE)?, placement.on("house", &TABLE)?);
/// assert_eq!(pump.workers(), ["Field"]);
/// assert!(pump.goes_out(1, 7) && !house.goes_out(1, 7));
/// assert!(house.sources().eq(["pump"]) && house.comes_in("pump", 1, 7));
/// # Ok::<(), rust_messenger::routing::PlacementError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    workers: BTreeMap<String, BTreeSet<String>>,
    sources: BTreeMap<String, BTreeSet<String>>,
}

impl Placement {
    /// One that places nothing.
    pub fn new() -> Placement {
        Placement::default()
    }

    /// Has the worker of this name run on `node`.
    #[must_use]
    pub fn worker(mut self, worker: impl Into<String>, node: impl Into<String>) -> Placement {
        self.workers.entry(worker.into()).or_default().insert(node.into());
        self
    }

    /// Has a source that is in no worker write on `node`: its type as the table spells it. Without this it is local
    /// wherever it writes, and what it writes never leaves.
    #[must_use]
    pub fn source(mut self, source: impl Into<String>, node: impl Into<String>) -> Placement {
        self.sources.entry(source.into()).or_default().insert(node.into());
        self
    }

    /// What follows for `node`.
    ///
    /// # Errors
    ///
    /// [`PlacementError`]: the placement does not fit the table.
    pub fn on(&self, node: &str, table: &'static Table<'static>) -> Result<Placed, PlacementError> {
        for worker in self.workers.keys() {
            if !table.workers.iter().any(|known| known.name == worker) {
                return Err(PlacementError::UnknownWorker { worker: worker.clone() });
            }
        }
        let mut nodes = Vec::new();
        for worker in table.workers {
            let place = self.workers.get(worker.name).map(|nodes| nodes.iter().collect::<Vec<_>>());
            match place.as_deref() {
                None | Some([]) => return Err(PlacementError::WorkerWithoutNode { worker: worker.name }),
                Some([node]) => nodes.push(node.as_str()),
                Some([first, second, ..]) => {
                    let nodes = [first.to_string(), second.to_string()];
                    return Err(PlacementError::WorkerOnTwoNodes { worker: worker.name, nodes });
                }
            }
        }
        let homes = self.homes(table, &nodes)?;
        let mut placed = Placed { node: node.to_owned(), ..Placed::default() };
        for (worker, home) in table.workers.iter().zip(nodes) {
            if home == node {
                placed.workers.push(worker.name);
            }
            for route in worker.routes {
                let row = row(route.source_id, route.message_id);
                // What the library says is about a bus, and stays there.
                match homes.get(&route.source_id).filter(|_| route.source_id < FIRST_OF_LIBRARY) {
                    Some(from) if from == node && home != node => {
                        placed.out.insert(row);
                        placed.receivers.insert(home.to_owned());
                    }
                    Some(from) if from != node && home == node => {
                        placed.r#in.entry(from.clone()).or_default().insert(row);
                    }
                    _ => {}
                }
            }
        }
        Ok(placed)
    }

    /// The node of each source that has one, by its id.
    fn homes(&self, table: &'static Table<'static>, nodes: &[&str]) -> Result<BTreeMap<u16, String>, PlacementError> {
        let mut homes: BTreeMap<u16, String> = BTreeMap::new();
        let mut place = |id: u16, source: &'static str, node: &str| match homes.get(&id) {
            Some(other) if other != node => {
                let nodes = [other.clone(), node.to_owned()];
                Err(PlacementError::SourceOnTwoNodes { source, nodes })
            }
            _ => {
                homes.insert(id, node.to_owned());
                Ok(())
            }
        };
        for (worker, node) in table.workers.iter().zip(nodes) {
            for handler in worker.handlers {
                place(handler.id, handler.type_name, node)?;
            }
        }
        let routes = || table.workers.iter().flat_map(|worker| worker.routes);
        let handlers = || table.workers.iter().flat_map(|worker| worker.handlers);
        for (source, nodes) in &self.sources {
            let of_route = routes().find(|route| route.source == source).map(|route| (route.source_id, route.source));
            let of_handler = || handlers().find(|handler| handler.type_name == source);
            let known = of_route.or_else(|| of_handler().map(|handler| (handler.id, handler.type_name)));
            let (id, name) = known.ok_or_else(|| PlacementError::UnknownSource { source: source.clone() })?;
            for node in nodes {
                place(id, name, node)?;
            }
        }
        Ok(homes)
    }
}

/// What a [`Placement`] means for one node.
///
/// ```
/// use rust_messenger::routing::{Placement, Table};
///
/// static NOTHING: Table = Table { name: "Nothing", workers: &[] };
/// let placed = Placement::new().on("here", &NOTHING)?;
/// assert!(placed.workers().is_empty() && !placed.goes_out(1, 7));
/// # Ok::<(), rust_messenger::routing::PlacementError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    node: String,
    workers: Vec<&'static str>,
    out: BTreeSet<u32>,
    receivers: BTreeSet<String>,
    r#in: BTreeMap<String, BTreeSet<u32>>,
}

impl Placed {
    /// The node's name.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The workers that run here, in the order of the table: what
    /// [`Options::workers`](crate::messenger::Options::workers) wants to know.
    pub fn workers(&self) -> &[&'static str] {
        &self.workers
    }

    /// Whether this message of this source is to leave: its source writes here, and a worker elsewhere has a route of
    /// it.
    pub fn goes_out(&self, source: u16, message: u16) -> bool {
        self.out.contains(&row(source, message))
    }

    /// The nodes for which something leaves.
    pub fn receivers(&self) -> impl Iterator<Item = &str> {
        self.receivers.iter().map(String::as_str)
    }

    /// The nodes from which something comes.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.r#in.keys().map(String::as_str)
    }

    /// Whether this message of this source comes from `node`, and a worker here has a route of it.
    pub fn comes_in(&self, node: &str, source: u16, message: u16) -> bool {
        self.r#in.get(node).is_some_and(|rows| rows.contains(&row(source, message)))
    }
}

/// Why a [`Placement`] does not fit a table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlacementError {
    /// The table has no worker of this name.
    UnknownWorker {
        /// The name in the placement.
        worker: String,
    },
    /// The table names no source of this type. Spell it as the table does.
    UnknownSource {
        /// The type in the placement.
        source: String,
    },
    /// A worker has no node, and would run nowhere.
    WorkerWithoutNode {
        /// The worker's name in the table.
        worker: &'static str,
    },
    /// A worker has two nodes.
    WorkerOnTwoNodes {
        /// The worker's name in the table.
        worker: &'static str,
        /// Both.
        nodes: [String; 2],
    },
    /// A source would write on two nodes: its handler is in workers of both, or it is placed elsewhere than its worker.
    SourceOnTwoNodes {
        /// The source's type, as the table spells it.
        source: &'static str,
        /// Both.
        nodes: [String; 2],
    },
}

impl fmt::Display for PlacementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlacementError::UnknownWorker { worker } => write!(f, "the table has no worker {worker}"),
            PlacementError::UnknownSource { source } => write!(f, "the table names no source {source}"),
            PlacementError::WorkerWithoutNode { worker } => write!(f, "worker {worker} has no node"),
            PlacementError::WorkerOnTwoNodes { worker, nodes: [first, second] } => {
                write!(f, "worker {worker} is on two nodes, {first} and {second}")
            }
            PlacementError::SourceOnTwoNodes { source, nodes: [first, second] } => {
                write!(f, "source {source} is on two nodes, {first} and {second}")
            }
        }
    }
}

impl Error for PlacementError {}
