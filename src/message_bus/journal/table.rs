//! The routing table as a journal records it: the names of its ids.

use crate::routing::{self, Table, TableHandler, TableRoute, TableWorker};
use crate::traits::Layout;
use std::collections::HashSet;
use std::fmt;

/// A routing table as a journal records it: the messages, handlers and sources of all tables with which the journal was
/// ever opened, and the workers of the last one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalTable {
    name: String,
    messages: Vec<MessageRecord>,
    handlers: Vec<HandlerRecord>,
    workers: Vec<WorkerRecord>,
}

/// A message of a [`JournalTable`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRecord {
    /// The message's id.
    pub id: u16,
    /// Its type, without paths.
    pub name: String,
    /// Its codec; empty if unknown.
    pub encoding: String,
    /// Its size in bytes, if every message has the same; or 0.
    pub size: u64,
    /// Its alignment in bytes, if readers read it in place; or 0.
    pub align: u64,
}

/// A handler, or another source: its type without paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HandlerRecord {
    id: u16,
    name: String,
}

/// A worker.
#[derive(Clone, Debug, PartialEq, Eq)]
struct WorkerRecord {
    name: String,
    /// Its handlers: the name in the table, and the id.
    members: Vec<(String, u16)>,
    /// The routes that deliver to them.
    routes: Vec<RouteRecord>,
}

impl WorkerRecord {
    /// The receivers of each route.
    fn receivers(&self) -> Vec<Vec<&str>> {
        self.routes.iter().map(|route| route.receivers.iter().map(String::as_str).collect()).collect()
    }
}

/// A route of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RouteRecord {
    source: u16,
    message: u16,
    receivers: Vec<String>,
}

/// Why a routing table does not fit a journal. A name must keep the meaning with which messages were written under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TableChange {
    /// A message has another id, name, encoding, size or alignment than in the journal.
    Message {
        /// The journal's.
        journal: MessageRecord,
        /// The table's.
        table: MessageRecord,
    },
    /// A handler has another id or name than in the journal.
    Handler {
        /// The journal's.
        journal: HandlerRecord,
        /// The table's.
        table: HandlerRecord,
    },
}

impl fmt::Display for TableChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TableChange::Message { journal, table } => write!(
                f,
                "message {journal} of the journal is {table} in the routing table; give a changed message another id \
                 and another name"
            ),
            TableChange::Handler { journal, table } => write!(
                f,
                "handler {} = {} of the journal is {} = {} in the routing table; give a changed handler another id \
                 and another name",
                journal.name, journal.id, table.name, table.id
            ),
        }
    }
}

impl fmt::Display for MessageRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MessageRecord { id, name, encoding, size, align } = self;
        write!(f, "{name} = {id}")?;
        match (encoding.as_str(), *size) {
            ("", _) => Ok(()),
            (encoding, 0) => write!(f, " ({encoding})"),
            (encoding, size) => write!(f, " ({encoding}, {size} bytes aligned to {align})"),
        }
    }
}

impl JournalTable {
    /// The name of the table's type.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The messages of all tables.
    pub fn messages(&self) -> &[MessageRecord] {
        &self.messages
    }

    /// The handlers and other sources of all tables: the id, and the type without paths.
    pub fn handlers(&self) -> impl Iterator<Item = (u16, &str)> {
        self.handlers.iter().map(|handler| (handler.id, handler.name.as_str()))
    }

    /// Lends the last table, with its workers, as the table that it was. Its types are without paths, and empty where
    /// the journal has no name for an id; its layouts are unknown, and no handler is marked `#[allow(unrouted)]`. To
    /// draw it: `table.with(|table| table.to_mermaid())`.
    pub fn with<R>(&self, look: impl FnOnce(&Table<'_>) -> R) -> R {
        let receivers: Vec<_> = self.workers.iter().map(WorkerRecord::receivers).collect();
        let parts = self.workers.iter().zip(&receivers).map(|(worker, receivers)| {
            let handlers: Vec<_> = worker.members.iter().map(|(name, id)| self.row_of_handler(name, *id)).collect();
            let routes = worker.routes.iter().zip(receivers);
            (handlers, routes.map(|(route, receivers)| self.row_of_route(route, receivers)).collect::<Vec<_>>())
        });
        let parts: Vec<_> = parts.collect();
        let workers = self.workers.iter().zip(&parts);
        let workers = workers.map(|(worker, (handlers, routes))| TableWorker { name: &worker.name, handlers, routes });
        look(&Table { name: &self.name, workers: &workers.collect::<Vec<_>>() })
    }

    fn row_of_handler<'a>(&'a self, name: &'a str, id: u16) -> TableHandler<'a> {
        TableHandler { name, type_name: self.handler(id).unwrap_or_default(), id, allow_unrouted: false }
    }

    fn row_of_route<'a>(&'a self, route: &RouteRecord, receivers: &'a [&'a str]) -> TableRoute<'a> {
        TableRoute {
            source: self.handler(route.source).unwrap_or_default(),
            source_id: route.source,
            message: self.message(route.message).unwrap_or_default(),
            message_id: route.message,
            layout: Layout::UNKNOWN,
            receivers,
        }
    }

    /// The name of a message's type.
    pub fn message(&self, id: u16) -> Option<&str> {
        self.messages.iter().find(|message| message.id == id).map(|message| message.name.as_str())
    }

    /// The name of a handler's type.
    pub fn handler(&self, id: u16) -> Option<&str> {
        self.handlers.iter().find(|handler| handler.id == id).map(|handler| handler.name.as_str())
    }

    pub(crate) fn of(table: &Table<'_>) -> JournalTable {
        let mut record = JournalTable { name: table.name.to_owned(), ..JournalTable::default() };
        let (mut messages, mut handlers) = (HashSet::new(), HashSet::new());
        for worker in table.workers {
            let mut handler = |id, name: &str| {
                if handlers.insert(id) {
                    record.handlers.push(HandlerRecord { id, name: routing::short(name) });
                }
            };
            worker.handlers.iter().for_each(|member| handler(member.id, member.type_name));
            worker.routes.iter().for_each(|route| handler(route.source_id, route.source));
            for route in worker.routes {
                if messages.insert(route.message_id) {
                    let layout = route.layout;
                    record.messages.push(MessageRecord {
                        id: route.message_id,
                        name: routing::short(route.message),
                        encoding: layout.codec.to_owned(),
                        size: layout.size as u64,
                        align: layout.align as u64,
                    });
                }
            }
            record.workers.push(WorkerRecord {
                name: worker.name.to_owned(),
                members: worker.handlers.iter().map(|member| (member.name.to_owned(), member.id)).collect(),
                routes: worker
                    .routes
                    .iter()
                    .map(|route| RouteRecord {
                        source: route.source_id,
                        message: route.message_id,
                        receivers: route.receivers.iter().map(|receiver| (*receiver).to_owned()).collect(),
                    })
                    .collect(),
            });
        }
        record
    }

    /// This table, with what only `older` has added to it; refused if the two disagree.
    pub(crate) fn merge(mut self, older: &JournalTable) -> Result<JournalTable, Box<TableChange>> {
        for old in &older.messages {
            match self.messages.iter().find(|new| new.id == old.id || new.name == old.name) {
                None => self.messages.push(old.clone()),
                Some(new) if new == old => {}
                // Once nobody said how it is encoded; what is said now cannot be compared.
                Some(new) if new.id == old.id && new.name == old.name && old.encoding.is_empty() => {}
                Some(new) => {
                    let (journal, table) = (old.clone(), new.clone());
                    return Err(Box::new(TableChange::Message { journal, table }));
                }
            }
        }
        for old in &older.handlers {
            match self.handlers.iter().find(|new| new.id == old.id || new.name == old.name) {
                None => self.handlers.push(old.clone()),
                Some(new) if new == old => {}
                Some(new) => {
                    let (journal, table) = (old.clone(), new.clone());
                    return Err(Box::new(TableChange::Handler { journal, table }));
                }
            }
        }
        Ok(self)
    }

    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        let mut line = |fields: &[&str]| {
            for (place, field) in fields.iter().enumerate() {
                if place != 0 {
                    text.push('\t');
                }
                text += &field.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n");
            }
            text.push('\n');
        };
        line(&["table", &self.name]);
        for MessageRecord { id, name, encoding, size, align } in &self.messages {
            line(&["message", &id.to_string(), name, encoding, &size.to_string(), &align.to_string()]);
        }
        for HandlerRecord { id, name } in &self.handlers {
            line(&["handler", &id.to_string(), name]);
        }
        for worker in &self.workers {
            line(&["worker", &worker.name]);
            for (name, id) in &worker.members {
                line(&["member", name, &id.to_string()]);
            }
            for RouteRecord { source, message, receivers } in &worker.routes {
                line(&["route", &source.to_string(), &message.to_string(), &receivers.join(",")]);
            }
        }
        text
    }

    /// `None` if the text is no such table.
    pub(crate) fn parse(text: &str) -> Option<JournalTable> {
        let mut table = JournalTable::default();
        for line in text.lines() {
            let fields: Vec<String> = line.split('\t').map(unescape).collect();
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            match fields[..] {
                ["table", name] => table.name = name.to_owned(),
                ["message", id, name, encoding, size, align] => table.messages.push(MessageRecord {
                    id: id.parse().ok()?,
                    name: name.to_owned(),
                    encoding: encoding.to_owned(),
                    size: size.parse().ok()?,
                    align: align.parse().ok()?,
                }),
                ["handler", id, name] => {
                    table.handlers.push(HandlerRecord { id: id.parse().ok()?, name: name.to_owned() });
                }
                ["worker", name] => {
                    table.workers.push(WorkerRecord { name: name.to_owned(), members: Vec::new(), routes: Vec::new() });
                }
                ["member", name, id] => {
                    table.workers.last_mut()?.members.push((name.to_owned(), id.parse().ok()?));
                }
                ["route", source, message, receivers] => table.workers.last_mut()?.routes.push(RouteRecord {
                    source: source.parse().ok()?,
                    message: message.parse().ok()?,
                    receivers: receivers.split(',').map(str::to_owned).collect(),
                }),
                _ => return None,
            }
        }
        Some(table)
    }
}

fn unescape(field: &str) -> String {
    let mut text = String::new();
    let mut chars = field.chars();
    while let Some(c) = chars.next() {
        text.push(match c {
            '\\' => match chars.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: u16, name: &str, size: u64) -> MessageRecord {
        MessageRecord { id, name: name.to_owned(), encoding: "plain".to_owned(), size, align: 8 }
    }

    fn table(messages: Vec<MessageRecord>, handlers: &[(u16, &str)]) -> JournalTable {
        let handlers = handlers.iter().map(|&(id, name)| HandlerRecord { id, name: name.to_owned() }).collect();
        JournalTable { name: "T".to_owned(), messages, handlers, workers: Vec::new() }
    }

    #[test]
    fn a_table_comes_back_from_its_text() {
        let mut odd = table(vec![message(7, "Tick\t\\n\n<'a>", 16)], &[(1, "A"), (2, "B\\")]);
        odd.workers.push(WorkerRecord {
            name: "Left".to_owned(),
            members: vec![("a".to_owned(), 1)],
            routes: vec![RouteRecord { source: 2, message: 7, receivers: vec!["a".to_owned(), "b".to_owned()] }],
        });
        assert_eq!(JournalTable::parse(&odd.to_text()), Some(odd));
        for bad in ["message\t1\tTick\n", "message\tx\tTick\t\t0\t0\n", "route\t1\t2\ta\n", "member\ta\t1\n", "\n", "x"]
        {
            assert_eq!(JournalTable::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_last_table_is_lent_as_it_was() {
        let handlers = [
            TableHandler { name: "a", type_name: "x::A", id: 1, allow_unrouted: false },
            TableHandler { name: "b", type_name: "B<x::C>", id: 2, allow_unrouted: false },
        ];
        let route = |message, message_id, receivers| TableRoute {
            source: "Out",
            source_id: 3,
            message,
            message_id,
            layout: Layout::UNKNOWN,
            receivers,
        };
        let routes = [route("y::Tick", 7, &["a", "b"]), route("Tock", 8, &["b"])];
        let one = TableWorker { name: "One", handlers: &handlers[..1], routes: &[] };
        let table =
            Table { name: "T", workers: &[one, TableWorker { name: "Two", handlers: &handlers, routes: &routes }] };
        let record = JournalTable::of(&table);
        assert_eq!(record.with(|lent| lent.to_mermaid()), table.to_mermaid());
        assert_eq!(record.with(|lent| JournalTable::of(lent).workers), record.workers);
        assert_eq!(Vec::from_iter(record.handlers()), [(1, "A"), (2, "B<C>"), (3, "Out")]);
    }

    #[test]
    fn additions_merge_and_changes_are_refused() {
        let old = table(vec![message(1, "Tick", 8), message(2, "Tock", 8)], &[(1, "A"), (2, "B")]);
        let new = table(vec![message(1, "Tick", 8), message(3, "New", 8)], &[(1, "A"), (3, "C")]);
        let merged = new.merge(&old).unwrap();
        assert_eq!(merged.messages.iter().map(|m| m.id).collect::<Vec<_>>(), [1, 3, 2]);
        assert_eq!(merged.handlers.iter().map(|h| h.id).collect::<Vec<_>>(), [1, 3, 2]);
        for changed in [message(1, "Tack", 8), message(1, "Tick", 16), message(9, "Tick", 8)] {
            let error = table(vec![changed.clone()], &[]).merge(&old).unwrap_err();
            assert_eq!(*error, TableChange::Message { journal: message(1, "Tick", 8), table: changed });
        }
        for changed in [(1, "X"), (9, "A")] {
            let error = table(vec![], &[changed]).merge(&old).unwrap_err();
            assert!(matches!(*error, TableChange::Handler { .. }), "{error}");
        }
    }
}
