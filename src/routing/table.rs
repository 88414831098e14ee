//! A routing table as data.

use crate::traits::Layout;

/// A routing table as data.
#[derive(Debug)]
pub struct Table {
    /// The name of the table's type.
    pub name: &'static str,
    /// Its workers, in the order of the table.
    pub workers: &'static [TableWorker],
}

/// One worker of a [`Table`].
#[derive(Debug)]
pub struct TableWorker {
    /// The name of the worker and of its thread.
    pub name: &'static str,
    /// Its handlers.
    pub handlers: &'static [TableHandler],
    /// The routes that deliver to them.
    pub routes: &'static [TableRoute],
}

/// One handler of a [`TableWorker`].
#[derive(Debug)]
pub struct TableHandler {
    /// The name of the handler in its worker.
    pub name: &'static str,
    /// The type, as spelled in the table.
    pub type_name: &'static str,
    /// The handler's id.
    pub id: u16,
    /// Whether the table marks it `#[allow(unrouted)]`.
    pub allow_unrouted: bool,
}

/// One route of a [`TableWorker`].
#[derive(Debug)]
pub struct TableRoute {
    /// The sending handler's type, as spelled in the table.
    pub source: &'static str,
    /// The sending handler's id.
    pub source_id: u16,
    /// The message's type, as spelled in the table.
    pub message: &'static str,
    /// The message's id.
    pub message_id: u16,
    /// How the message becomes bytes.
    pub layout: Layout,
    /// The names of the receiving handlers.
    pub receivers: &'static [&'static str],
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
