//! A routing table as data.

use crate::traits::Layout;

/// A routing table as data. [`Messenger!`](crate::Messenger) makes a constant; a table that a program makes at run time
/// borrows its names.
///
/// ```
/// use rust_messenger::routing::{Table, TableHandler, TableWorker};
///
/// let name = "Kitchen".to_lowercase();
/// let handlers = [TableHandler { name: "cook", type_name: "Cook", id: 1, allow_unrouted: true }];
/// let workers = [TableWorker { name: &name, handlers: &handlers, routes: &[] }];
/// let picture = Table { name: "House", workers: &workers }.to_mermaid();
/// assert!(picture.contains("subgraph kitchen"));
/// ```
#[derive(Debug)]
pub struct Table<'a> {
    /// The name of the table's type.
    pub name: &'a str,
    /// Its workers, in the order of the table.
    pub workers: &'a [TableWorker<'a>],
}

impl Table<'static> {
    /// Whether a handler of this worker may send what no route of this table carries.
    pub(crate) fn may_send_elsewhere(&self, worker: &str) -> bool {
        let mut workers = self.workers.iter().filter(|candidate| candidate.name == worker);
        workers.any(|worker| worker.handlers.iter().any(|handler| handler.allow_unrouted))
    }

    /// The ids and types of a worker's handlers. `None` if there is no such worker, or if one of them is in another
    /// worker, too: then nobody knows who sent what.
    pub(crate) fn sources_of(&self, worker: &str) -> Option<Vec<(u16, &'static str)>> {
        let own = self.workers.iter().find(|candidate| candidate.name == worker)?;
        let others = self.workers.iter().filter(|candidate| candidate.name != worker);
        let mut others = others.flat_map(|other| other.handlers);
        if others.any(|other| own.handlers.iter().any(|handler| handler.id == other.id)) {
            return None;
        }
        Some(own.handlers.iter().map(|handler| (handler.id, handler.type_name)).collect())
    }
}

/// One worker of a [`Table`].
#[derive(Debug)]
pub struct TableWorker<'a> {
    /// The name of the worker and of its thread.
    pub name: &'a str,
    /// Its handlers.
    pub handlers: &'a [TableHandler<'a>],
    /// The routes that deliver to them.
    pub routes: &'a [TableRoute<'a>],
}

/// One handler of a [`TableWorker`].
#[derive(Debug)]
pub struct TableHandler<'a> {
    /// The name of the handler in its worker.
    pub name: &'a str,
    /// The type, as spelled in the table.
    pub type_name: &'a str,
    /// The handler's id.
    pub id: u16,
    /// Whether the table marks it `#[allow(unrouted)]`.
    pub allow_unrouted: bool,
}

/// One route of a [`TableWorker`].
#[derive(Debug)]
pub struct TableRoute<'a> {
    /// The sending handler's type, as spelled in the table.
    pub source: &'a str,
    /// The sending handler's id.
    pub source_id: u16,
    /// The message's type, as spelled in the table.
    pub message: &'a str,
    /// The message's id.
    pub message_id: u16,
    /// How the message becomes bytes.
    pub layout: Layout,
    /// The names of the receiving handlers.
    pub receivers: &'a [&'a str],
}

/// A source and a message as one number.
pub const fn row(source: u16, message: u16) -> u32 {
    (source as u32) << 16 | message as u32
}

/// A name without the mark of a raw identifier.
pub(super) fn plain(name: &str) -> &str {
    name.trim_start_matches("r#")
}

/// The type without the paths in it: `Bridge<Tick>` for `bridges::Bridge<messages::Tick>`.
pub(crate) fn short(type_name: &str) -> String {
    // A qualified path, `<A as B>::C`, says something only as a whole.
    if type_name.starts_with('<') {
        return type_name.to_owned();
    }
    let part_of_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let (mut text, mut rest) = (String::new(), type_name);
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| part_of_path(c) != part_of_path(first)).unwrap_or(rest.len());
        let (run, more) = rest.split_at(end);
        text += if part_of_path(first) { run.rsplit("::").next().unwrap_or(run) } else { run };
        rest = more;
    }
    text
}
