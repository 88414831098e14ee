//! What the local table says of the messages that travel.

use super::entry::{LayoutTag, MessageHead};
use super::subject::spelled;
use rust_messenger::routing::{Table, TableRoute};
use std::collections::HashMap;
use std::fmt;

/// One source and message of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The type of the handler that sends, as in a subject.
    pub handler: String,
    /// The type of the message, as in a subject.
    pub message: String,
    /// The id of the handler.
    pub source_id: u16,
    /// The id of the message.
    pub message_id: u16,
    /// How the message becomes bytes on this machine.
    pub layout: LayoutTag,
}

/// The sources and messages that some workers of a table receive, by their ids and by their names.
///
/// A receiver's is that of its own workers, a sender's that of the workers elsewhere.
///
/// ```
/// use rust_messenger::routing::{Table, TableRoute, TableWorker};
/// use rust_messenger::traits::Layout;
/// use rust_messenger_nats::protocol::Catalog;
///
/// let routes = [TableRoute {
///     source: "Till",
///     source_id: 1,
///     message: "Sold",
///     message_id: 2,
///     layout: Layout::variable("postcard"),
///     receivers: &["stock"],
/// }];
/// let workers = [TableWorker { name: "store", handlers: &[], routes: &routes }];
/// let catalog = Catalog::of(&Table { name: "Shop", workers: &workers }, |route| route.source == "Till");
/// assert_eq!(catalog.by_ids(1, 2).map(|row| row.message.as_str()), Some("Sold"));
/// assert_eq!(catalog.by_names("Till", "Bought"), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    rows: Vec<Row>,
    by_ids: HashMap<(u16, u16), usize>,
    /// By the type of the handler, then by that of the message.
    by_names: HashMap<String, HashMap<String, usize>>,
}

impl Catalog {
    /// The routes of `table` that `has` is true of. Makes the text of each shape.
    pub fn of(table: &Table<'_>, has: impl Fn(&TableRoute<'_>) -> bool) -> Catalog {
        let mut catalog = Catalog::default();
        for route in table.workers.iter().flat_map(|worker| worker.routes).filter(|route| has(route)) {
            let ids = (route.source_id, route.message_id);
            if catalog.by_ids.contains_key(&ids) {
                continue;
            }
            let row = Row {
                handler: spelled(route.source),
                message: spelled(route.message),
                source_id: route.source_id,
                message_id: route.message_id,
                layout: LayoutTag::of(&route.layout),
            };
            let place = catalog.rows.len();
            catalog.by_ids.insert(ids, place);
            catalog.by_names.entry(row.handler.clone()).or_default().insert(row.message.clone(), place);
            catalog.rows.push(row);
        }
        catalog
    }

    /// All of it, in the order of the table.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The row of a message on the bus; `None` if none of those workers receives it.
    pub fn by_ids(&self, source: u16, message: u16) -> Option<&Row> {
        self.by_ids.get(&(source, message)).map(|place| &self.rows[*place])
    }

    /// The row of a message in a stream, by the types of its [`Subject`](super::Subject); `None` if none of those
    /// workers receives it.
    pub fn by_names(&self, handler: &str, message: &str) -> Option<&Row> {
        self.by_names.get(handler)?.get(message).map(|place| &self.rows[*place])
    }

    /// As [`by_names`](Self::by_names), of a message that says so much about itself.
    ///
    /// # Errors
    ///
    /// [`Mismatch`]: the sender's table says something else of it. Its bytes are not to be read.
    pub fn agreed(&self, handler: &str, message: &str, head: &MessageHead) -> Result<Option<&Row>, Mismatch> {
        let Some(row) = self.by_names(handler, message) else { return Ok(None) };
        let names = || (handler.to_owned(), message.to_owned());
        let (theirs, ours) = ((head.source, head.message), (row.source_id, row.message_id));
        if theirs != ours {
            return Err(Mismatch::Ids { names: names(), theirs, ours });
        }
        if !row.layout.agrees(&head.layout) {
            let (theirs, ours) = (head.layout.clone(), row.layout.clone());
            return Err(Mismatch::Layout { names: names(), theirs: Box::new(theirs), ours: Box::new(ours) });
        }
        Ok(Some(row))
    }
}

/// Two tables differ in what they say of a message. It waits in the stream for a table that agrees.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mismatch {
    /// One of the two has another id.
    Ids {
        /// The types of the handler and of the message.
        names: (String, String),
        /// Their ids where it was sent.
        theirs: (u16, u16),
        /// Their ids here.
        ours: (u16, u16),
    },
    /// It becomes bytes in another way.
    Layout {
        /// The types of the handler and of the message.
        names: (String, String),
        /// Its layout where it was sent.
        theirs: Box<LayoutTag>,
        /// Its layout here.
        ours: Box<LayoutTag>,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mismatch::Ids { names: (handler, message), theirs, ours } => {
                write!(f, "{handler}, {message} have the ids {theirs:?} at the sender and {ours:?} here")
            }
            Mismatch::Layout { names: (handler, message), theirs, ours } => {
                write!(f, "{message} of {handler} is laid out as {theirs} at the sender and as {ours} here")
            }
        }
    }
}

impl std::error::Error for Mismatch {}
