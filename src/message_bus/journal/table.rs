//! The routing table as a journal records it: the names of its ids.

use super::shapes::{Kept, Shapes, escape};
use crate::encoding::json;
use crate::routing::{self, Table, TableHandler, TableRoute, TableWorker};
use crate::traits::{DecodeError, Layout};
use std::collections::HashSet;
use std::fmt;

/// A routing table as a journal records it: the messages, handlers and sources of all tables with which the journal was
/// ever opened, and the workers of the last one.
///
/// ```
/// # #[cfg(all(unix, not(miri)))] { // Miri maps no files.
/// use rust_messenger::message_bus::{Journal, PersistentBus, PersistentOptions};
/// use rust_messenger::routing::Table;
///
/// static TABLE: Table = Table { name: "Bank", workers: &[] };
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("bank.journal");
/// drop(PersistentBus::open(&path, PersistentOptions::default().table(&TABLE))?);
///
/// let table = Journal::open(&path)?.info()?.table.ok_or("a table")?;
/// assert_eq!((table.name(), table.messages().len()), ("Bank", 0));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalTable {
    name: String,
    pub(super) messages: Vec<MessageRecord>,
    pub(super) handlers: Vec<HandlerRecord>,
    workers: Vec<WorkerRecord>,
    pub(super) shapes: Shapes,
}

/// A message of a [`JournalTable`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRecord {
    /// The message's id.
    pub id: u16,
    /// Its type: without paths, unless another message of the table has the same name without its path.
    pub name: String,
    /// Its codec; empty if unknown.
    pub encoding: String,
    /// Its size in bytes, if every message has the same; or 0.
    pub size: u64,
    /// Its alignment in bytes, if readers read it in place; or 0.
    pub align: u64,
}

/// A handler, or another source: its type, as that of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HandlerRecord {
    pub(crate) id: u16,
    pub(crate) name: String,
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

    /// The payload of a message as JSON, by what the journal knows of its fields. `None` if it knows nothing of them,
    /// or of the encoding: `serde_message!`, `bincode_message!` and plain memory are read, prost is not.
    ///
    /// Numbers that JSON has none for, and bytes, are texts; a map whose keys are no texts is a list of pairs. What is
    /// not known, and all behind it, is in hex. Control characters are escaped. Takes at most some MiB of memory,
    /// whatever the bytes are.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]: these bytes are no such message.
    pub fn to_json(&self, message: u16, payload: &[u8]) -> Option<Result<String, DecodeError>> {
        let record = self.messages.iter().find(|record| record.id == message)?;
        let shape = self.shapes.parsed(message)?;
        Some(json::to_json(&record.encoding, &shape, payload)?.map_err(DecodeError::new))
    }

    /// What the bytes of a message mean, as the journal keeps it: a text, or `#` and a hash of one that did not fit.
    /// `None` if it does not know.
    pub fn shape(&self, message: u16) -> Option<String> {
        self.shapes.get(message).map(Kept::to_field)
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
        let mut spelled_messages = Vec::new();
        let mut spelled_handlers = Vec::new();
        for worker in table.workers {
            let mut handler = |id, name: &str| {
                if handlers.insert(id) {
                    record.handlers.push(HandlerRecord { id, name: routing::short(name) });
                    spelled_handlers.push(name.to_owned());
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
                    spelled_messages.push(route.message.to_owned());
                    if let Some(shape) = layout.shape {
                        record.shapes.insert(route.message_id, Kept::Text(shape()));
                    }
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
        tell_apart(record.messages.iter_mut().map(|message| &mut message.name), spelled_messages);
        tell_apart(record.handlers.iter_mut().map(|handler| &mut handler.name), spelled_handlers);
        record
    }

    /// What it says of ids alone, in their order: whichever program says it, and in whatever order it does.
    #[cfg(all(target_os = "linux", not(rust_messenger_loom)))]
    pub(crate) fn of_any_program(mut self) -> JournalTable {
        self.messages.sort_by_key(|message| message.id);
        self.handlers.sort_by_key(|handler| handler.id);
        JournalTable { name: String::new(), workers: Vec::new(), ..self }
    }

    /// What is known of the messages' bytes.
    pub(crate) fn shapes(&self) -> &Shapes {
        &self.shapes
    }

    /// This table as it is stored where its shapes have so many bytes.
    pub(crate) fn fitted(self, room: u64) -> JournalTable {
        let shapes = self.shapes.fitted(room);
        JournalTable { shapes, ..self }
    }

    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        let mut line = |fields: &[&str]| {
            text += &fields.iter().map(|field| escape(field)).collect::<Vec<_>>().join("\t");
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

    /// The table in a text that [`Table::to_text`] has made. `None` if the text is no such table.
    pub fn parse(text: &str) -> Option<JournalTable> {
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
                ["shape", id, shape] => table.shapes.extend([(id.parse().ok()?, Kept::parse(shape)?)]),
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

impl Table<'_> {
    /// The table as text: what a journal keeps of it, and what its messages' bytes mean. `rmsg journal check` takes it,
    /// and says before a deploy whether a journal would refuse this table. Have the program write it:
    ///
    /// ```
    /// # use rust_messenger::routing::{Table, TableHandler, TableRoute, TableWorker};
    /// # use rust_messenger::traits::Layout;
    /// # let route = TableRoute {
    /// #     source: "Feed",
    /// #     source_id: 1,
    /// #     message: "Tick",
    /// #     message_id: 7,
    /// #     layout: Layout::variable("postcard").with_shape(|| "{price: u64}".to_owned()),
    /// #     receivers: &["book"],
    /// # };
    /// # let book = TableHandler { name: "book", type_name: "Book", id: 2, allow_unrouted: false };
    /// # let worker = TableWorker { name: "Books", handlers: &[book], routes: &[route] };
    /// # let table = Table { name: "Market", workers: &[worker] };
    /// let text = table.to_text(); // `Messenger::table().to_text()`
    /// assert!(text.contains("message\t7\tTick\tpostcard\t0\t0\n"));
    /// assert!(text.contains("shape\t7\t{price: u64}\n"));
    /// ```
    pub fn to_text(&self) -> String {
        let table = JournalTable::of(self);
        table.to_text() + &table.shapes.to_text()
    }
}

/// Gives those that have one name the names with paths, as they are spelled.
fn tell_apart<'a>(names: impl Iterator<Item = &'a mut String>, spelled: Vec<String>) {
    let mut names: Vec<_> = names.collect();
    let shared: Vec<bool> = names.iter().map(|name| names.iter().filter(|other| other == &name).count() > 1).collect();
    for ((name, spelled), is_shared) in names.iter_mut().zip(spelled).zip(shared) {
        if is_shared {
            **name = spelled;
        }
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
        JournalTable { name: "T".to_owned(), messages, handlers, workers: Vec::new(), shapes: Shapes::default() }
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
}
