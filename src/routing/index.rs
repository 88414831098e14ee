//! A routing table by its names, its ids and its rows.

use super::map::{Key, Map};
use super::table::{Table, TableHandler, TableRoute, TableWorker, row};

/// A table by its names, its ids and its rows. It is made once: to look for a name in the whole table for each of its
/// routes would take the compiler the square of their number. `N` is its [`size`].
#[derive(Debug)]
pub struct Index<'a, const N: usize> {
    pub(super) table: &'a Table<'a>,
    /// By name, their places in the table. None of a name that stands twice.
    workers: Map<'a, Option<usize>, N>,
    /// By worker and name.
    handlers: Map<'a, IndexedHandler<'a>, N>,
    /// The types of handlers and sources, as spelled.
    senders: Map<'a, Sender, N>,
    /// The types of messages, as spelled, each with the first route of it.
    messages: Map<'a, IndexedMessage<'a>, N>,
    sender_ids: Map<'a, Id, N>,
    message_ids: Map<'a, Id, N>,
    /// By worker, source and message.
    rows: Map<'a, IndexedRow<'a>, N>,
}

/// How many handlers and routes a table has: no kind of its names and ids has more.
pub const fn size(table: &Table<'_>) -> usize {
    let (mut size, mut w) = (0, 0);
    while w < table.workers.len() {
        size += table.workers[w].handlers.len() + table.workers[w].routes.len();
        w += 1;
    }
    size
}

/// A handler of a worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct IndexedHandler<'a> {
    pub(super) handler: &'a TableHandler<'a>,
    pub(super) is_receiver: bool,
}

/// A type that sends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender {
    pub(super) id: u16,
    /// Whether it is that of a handler of the table.
    pub(super) is_handler: bool,
}

/// A type that is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct IndexedMessage<'a> {
    /// The place of the worker in which it is routed first.
    pub(super) worker: usize,
    pub(super) route: &'a TableRoute<'a>,
}

/// What has an id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Id {
    /// How many types, told apart by how they are spelled.
    pub(super) types: usize,
    /// How many handlers.
    pub(super) handlers: usize,
    /// Whether it is that of a route's source.
    pub(super) is_source: bool,
    /// Whether a handler with it is marked `#[allow(unrouted)]`.
    pub(super) may_be_unrouted: bool,
}

/// The routes of a worker with one source and one message.
#[derive(Clone, Copy, Debug)]
pub(super) struct IndexedRow<'a> {
    pub(super) first: &'a TableRoute<'a>,
    pub(super) routes: usize,
}

impl<'a, const N: usize> Index<'a, N> {
    /// The index of a table.
    pub const fn of(table: &'a Table<'a>) -> Self {
        let mut index = Index {
            table,
            workers: Map::new(),
            handlers: Map::new(),
            senders: Map::new(),
            messages: Map::new(),
            sender_ids: Map::new(),
            message_ids: Map::new(),
            rows: Map::new(),
        };
        // The handlers of all workers come first: what is said of a type that sends depends on them.
        let mut w = 0;
        while w < table.workers.len() {
            let TableWorker { name, handlers, .. } = &table.workers[w];
            match index.workers.find_mut(named(0, name)) {
                Some(place) => *place = None,
                None => index.workers.add(named(0, name), Some(w)),
            }
            let mut i = 0;
            while i < handlers.len() {
                index.add_handler(w, &handlers[i]);
                i += 1;
            }
            w += 1;
        }
        w = 0;
        while w < table.workers.len() {
            let TableWorker { routes, .. } = &table.workers[w];
            let mut i = 0;
            while i < routes.len() {
                index.add_route(w, &routes[i]);
                i += 1;
            }
            w += 1;
        }
        index
    }

    const fn add_handler(&mut self, worker: usize, handler: &'a TableHandler<'a>) {
        // Names that stand twice in a worker are found by the compiler.
        if self.handler(worker, handler.name).is_none() {
            self.handlers.add(named(worker, handler.name), IndexedHandler { handler, is_receiver: false });
        }
        if self.sender(handler.type_name).is_none() {
            self.senders.add(named(0, handler.type_name), Sender { id: handler.id, is_handler: true });
            add_type(&mut self.sender_ids, handler.id);
        }
        if let Some(id) = self.sender_ids.find_mut(numbered(0, handler.id as u32)) {
            id.handlers += 1;
            id.may_be_unrouted |= handler.allow_unrouted;
        }
    }

    const fn add_route(&mut self, worker: usize, route: &'a TableRoute<'a>) {
        if self.sender(route.source).is_none() {
            self.senders.add(named(0, route.source), Sender { id: route.source_id, is_handler: false });
            add_type(&mut self.sender_ids, route.source_id);
        }
        if let Some(id) = self.sender_ids.find_mut(numbered(0, route.source_id as u32)) {
            id.is_source = true;
        }
        if self.message(route.message).is_none() {
            self.messages.add(named(0, route.message), IndexedMessage { worker, route });
            add_type(&mut self.message_ids, route.message_id);
        }
        let key = numbered(worker, row(route.source_id, route.message_id));
        match self.rows.find_mut(key) {
            Some(row) => row.routes += 1,
            None => self.rows.add(key, IndexedRow { first: route, routes: 1 }),
        }
        let mut i = 0;
        while i < route.receivers.len() {
            if let Some(receiver) = self.handlers.find_mut(named(worker, route.receivers[i])) {
                receiver.is_receiver = true;
            }
            i += 1;
        }
    }

    /// `None` if there are two: the compiler says so, and no check adds to it.
    pub(super) const fn worker(&self, name: &str) -> Option<usize> {
        match self.workers.find(named(0, name)) {
            Some(place) => *place,
            None => None,
        }
    }

    pub(super) const fn handler(&self, worker: usize, name: &str) -> Option<&IndexedHandler<'a>> {
        self.handlers.find(named(worker, name))
    }

    pub(super) const fn sender(&self, type_name: &str) -> Option<&Sender> {
        self.senders.find(named(0, type_name))
    }

    pub(super) const fn message(&self, type_name: &str) -> Option<&IndexedMessage<'a>> {
        self.messages.find(named(0, type_name))
    }

    pub(super) const fn sender_id(&self, id: u16) -> Option<&Id> {
        self.sender_ids.find(numbered(0, id as u32))
    }

    pub(super) const fn message_id(&self, id: u16) -> Option<&Id> {
        self.message_ids.find(numbered(0, id as u32))
    }

    pub(super) const fn row(&self, worker: usize, source: u16, message: u16) -> Option<&IndexedRow<'a>> {
        self.rows.find(numbered(worker, row(source, message)))
    }
}

/// Notes that one more type has this id.
const fn add_type<const N: usize>(ids: &mut Map<'_, Id, N>, id: u16) {
    let key = numbered(0, id as u32);
    match ids.find_mut(key) {
        Some(id) => id.types += 1,
        None => ids.add(key, Id { types: 1, handlers: 0, is_source: false, may_be_unrouted: false }),
    }
}

/// A name in a worker.
const fn named(worker: usize, spelling: &str) -> Key<'_> {
    Key { number: worker as u64, spelling }
}

/// A number in a worker.
const fn numbered(worker: usize, number: u32) -> Key<'static> {
    Key { number: (worker as u64) << 32 | number as u64, spelling: "" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traits::Layout;

    const COUNT: usize = 4096;

    /// Names of eight letters, of which the first three count up.
    static NAMES: [[u8; 8]; COUNT] = {
        let mut names = [[b'a'; 8]; COUNT];
        let mut i = 0;
        while i < COUNT {
            let digits = [i & 15, i >> 4 & 15, i >> 8];
            (names[i][0], names[i][1], names[i][2]) =
                (b'a' + digits[0] as u8, b'a' + digits[1] as u8, b'a' + digits[2] as u8);
            i += 1;
        }
        names
    };

    const fn name(i: usize) -> &'static str {
        match std::str::from_utf8(&NAMES[i]) {
            Ok(name) => name,
            Err(_) => panic!("letters"),
        }
    }

    static ROUTES: [TableRoute<'static>; COUNT] = {
        const ROUTE: TableRoute<'static> = TableRoute {
            source: "source",
            source_id: 1,
            message: "",
            message_id: 0,
            layout: Layout::UNKNOWN,
            receivers: &["receiver"],
        };
        let mut routes = [ROUTE; COUNT];
        let mut i = 0;
        while i < COUNT {
            (routes[i].message, routes[i].message_id) = (name(i), i as u16);
            i += 1;
        }
        routes
    };

    static LARGE: Table<'static> = Table {
        name: "Large",
        workers: &[TableWorker {
            name: "Worker",
            handlers: &[TableHandler { name: "receiver", type_name: "Receiver", id: 2, allow_unrouted: false }],
            routes: &ROUTES,
        }],
    };

    /// In a constant: the compiler would refuse to go on with one that takes the square of this many steps.
    #[test]
    #[cfg_attr(miri, ignore = "a minute, and no memory but constants")]
    fn a_large_table_is_indexed() {
        static INDEX: Index<'static, { size(&LARGE) }> = Index::of(&LARGE);
        assert_eq!(size(&LARGE), COUNT + 1);
        for route in &ROUTES {
            assert!(std::ptr::eq(INDEX.message(route.message).expect("a message").route, route));
            assert_eq!(INDEX.message_id(route.message_id).expect("an id").types, 1);
            let row = INDEX.row(0, route.source_id, route.message_id).expect("a row");
            assert!(std::ptr::eq(row.first, route) && row.routes == 1);
        }
        assert!(INDEX.message("aaaaaaap").is_none() && INDEX.message_id(COUNT as u16).is_none());
        assert!(INDEX.row(1, 1, 0).is_none() && INDEX.row(0, 2, 0).is_none());
        assert_eq!(INDEX.worker("Worker"), Some(0));
        let receiver = INDEX.handler(0, "receiver").expect("a handler");
        assert!(receiver.is_receiver && receiver.handler.id == 2);
    }
}
