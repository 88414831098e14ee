//! The routing table as a journal records it: the names of its ids.

use crate::routing::{self, Table};
use std::collections::HashSet;
use std::fmt;

/// A routing table as a journal records it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalTable {
    /// The name of the table's type.
    pub name: String,
    /// Every message of the tables with which this journal was ever opened.
    pub messages: Vec<MessageRecord>,
    /// Every handler and source of the tables with which this journal was ever opened.
    pub handlers: Vec<HandlerRecord>,
    /// The workers of the table with which it was opened last.
    pub workers: Vec<WorkerRecord>,
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

/// A handler, or another source, of a [`JournalTable`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerRecord {
    /// The handler's id.
    pub id: u16,
    /// Its type, without paths.
    pub name: String,
}

/// A worker of a [`JournalTable`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerRecord {
    /// Its name.
    pub name: String,
    /// Its handlers: the name in the table, and the id.
    pub members: Vec<(String, u16)>,
    /// The routes that deliver to them.
    pub routes: Vec<RouteRecord>,
}

/// A route of a [`WorkerRecord`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteRecord {
    /// The id of the sending handler.
    pub source: u16,
    /// The id of the message.
    pub message: u16,
    /// The names of the receivers.
    pub receivers: Vec<String>,
}

/// Why a routing table does not fit a journal. A name must keep the meaning with which messages were written under it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableChange {
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
    /// The table's description does not fit into the journal's header.
    TooLarge {
        /// Its length in bytes.
        len: u64,
        /// How much the header has room for:
        /// [`PersistentOptions::table_capacity`](crate::message_bus::PersistentOptions::table_capacity) when the
        /// journal was made.
        max: u64,
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
            TableChange::TooLarge { len, max } => write!(
                f,
                "the routing table's description takes {len} bytes and the journal has room for {max}; make the \
                 journal anew with a larger `table_capacity`"
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
