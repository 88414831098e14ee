//! What is asked of a table as it is compiled: each check a fact that becomes a trait.

use super::table::{Table, TableRoute, TableWorker};
use crate::traits::{Due, Layout, Message};

macro_rules! checks {
    ($( $(#[$attribute:meta])* $name:ident; )+) => { $(
        $(#[$attribute])*
        pub trait $name<const YES: bool> {
            /// Named by an expansion to ask the question.
            const OK: () = ();
        }

        impl<T: ?Sized> $name<true> for T {}
    )+ };
}

checks! {
    /// No worker routes one message from one source twice.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` from one source is routed twice in one worker",
        label = "the same source and message as another route of this worker",
        note = "merge the two routes into one with all receivers: `Source, Message: [first, second]`"
    )]
    IsRoutedOnce;
    /// No two messages of a table have one id.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` shares its message id with another message of this routing table",
        label = "not the only message with this id",
        note = "give every message an id of its own; if it is one message under two spellings, spell it the same way in every route"
    )]
    HasMessageIdOfItsOwn;
    /// No two handlers of a table have one id.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` shares its handler id with another handler of this routing table",
        label = "not the only handler with this id",
        note = "give every handler an id of its own; if it is one handler under two spellings, spell it the same way everywhere in the table"
    )]
    HasHandlerIdOfItsOwn;
    /// Every handler receives or sends something.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` is in no receiver list and no route's source",
        label = "receives nothing, and nothing it sends is received",
        note = "add a route, remove the handler, or say that it is meant so: `#[allow(unrouted)] name: Type`"
    )]
    IsInSomeRoute;
    /// A receiver is a handler of the route's worker.
    #[diagnostic::on_unimplemented(
        message = "the receiver `{Self}` is no handler of this worker",
        label = "not in this worker's `handlers: [...]`",
        note = "a worker delivers to its own handlers: add `{Self}: Type` to its `handlers: [...]`, or write this route in the worker that has `{Self}`"
    )]
    IsInThisWorker;
    /// A message does not take the id of [`Due`].
    #[diagnostic::on_unimplemented(
        message = "`{Self}` has the message id of the library's `Due`",
        label = "not `rust_messenger::Due`",
        note = "ids from 0xFF00 on are the library's: give this message a smaller one"
    )]
    LeavesDueItsId;
    /// A deadline goes to the handler whose it is, and to nobody else.
    #[diagnostic::on_unimplemented(
        message = "the `Due` of `{Self}` does not go to its own handler alone",
        label = "its deadlines would go to another handler, or to more than one",
        note = "a deadline becomes a message to the handler that named it: `Source, Due: [source]`, in the worker that has `source: Source`, with no other receiver, and no other handler of this type in the table"
    )]
    HasDueAlone;
    /// A handler is marked with the one thing that there is.
    #[diagnostic::on_unimplemented(
        message = "`#[allow({Self})]` means nothing in a routing table",
        label = "not `unrouted`",
        note = "a handler may be marked `#[allow(unrouted)]`, nothing else; for lints, put the attribute on the handler's type"
    )]
    IsUnrouted;
}

/// Whether `worker` has a handler of this name.
pub const fn is_in_worker(table: &Table<'_>, worker: &str, handler: &str) -> bool {
    let Some(TableWorker { handlers, .. }) = find_worker(table, worker) else { return true };
    let mut i = 0;
    while i < handlers.len() {
        if same(handlers[i].name, handler) {
            return true;
        }
        i += 1;
    }
    false
}

/// Whether `worker` has exactly one route from this source with this message, however they are spelled.
pub const fn is_routed_once(table: &Table<'_>, worker: &str, source: &str, message: &str) -> bool {
    let Some(TableWorker { routes, .. }) = find_worker(table, worker) else { return true };
    let this = find_route(routes, source, message);
    let (mut count, mut i) = (0, 0);
    while i < routes.len() {
        count += (routes[i].source_id == this.source_id && routes[i].message_id == this.message_id) as usize;
        i += 1;
    }
    count == 1
}

/// Whether all routes of messages with the id of this one spell the same type.
pub const fn message_id_is_unique(table: &Table<'_>, message: &str) -> bool {
    let mut id = None;
    // Once to find the id, once to compare.
    let mut pass = 0;
    while pass < 2 {
        let mut w = 0;
        while w < table.workers.len() {
            let routes = table.workers[w].routes;
            let mut i = 0;
            while i < routes.len() {
                let spelled_so = same(routes[i].message, message);
                match id {
                    None if spelled_so => id = Some(routes[i].message_id),
                    Some(id) if !spelled_so && routes[i].message_id == id => return false,
                    _ => {}
                }
                i += 1;
            }
            w += 1;
        }
        pass += 1;
    }
    true
}

/// Whether all handlers and sources with the id of this one spell the same type.
pub const fn handler_id_is_unique(table: &Table<'_>, handler: &str) -> bool {
    let mut id = None;
    let mut pass = 0;
    while pass < 2 {
        let mut w = 0;
        while w < table.workers.len() {
            let TableWorker { handlers, routes, .. } = &table.workers[w];
            let mut i = 0;
            while i < handlers.len() + routes.len() {
                let (spelled, its_id) = if i < handlers.len() {
                    (handlers[i].type_name, handlers[i].id)
                } else {
                    (routes[i - handlers.len()].source, routes[i - handlers.len()].source_id)
                };
                let spelled_so = same(spelled, handler);
                match id {
                    None if spelled_so => id = Some(its_id),
                    Some(id) if !spelled_so && its_id == id => return false,
                    _ => {}
                }
                i += 1;
            }
            w += 1;
        }
        pass += 1;
    }
    true
}

/// As [`handler_id_is_unique`] for the source of a route. One that is a handler of the table is not asked again.
pub const fn source_id_is_unique(table: &Table<'_>, source: &str) -> bool {
    let mut w = 0;
    while w < table.workers.len() {
        let handlers = table.workers[w].handlers;
        let mut i = 0;
        while i < handlers.len() {
            if same(handlers[i].type_name, source) {
                return true;
            }
            i += 1;
        }
        w += 1;
    }
    handler_id_is_unique(table, source)
}

/// Whether a route is that of a [`Due`].
const fn is_due(route: &TableRoute<'_>) -> bool {
    let Layout { codec, size, align } = route.layout;
    let due = Due::LAYOUT;
    route.message_id == Due::ID && same(codec, due.codec) && size == due.size && align == due.align
}

/// Whether the message of this route may have its id: that of [`Due`] is for [`Due`].
pub const fn leaves_due_its_id(table: &Table<'_>, worker: &str, source: &str, message: &str) -> bool {
    let Some(TableWorker { routes, .. }) = find_worker(table, worker) else { return true };
    let this = find_route(routes, source, message);
    this.message_id != Due::ID || is_due(this)
}

/// Whether this route, if it is that of a [`Due`], has its source as its one receiver, and the table no other handler
/// with the id of that.
pub const fn has_due_alone(table: &Table<'_>, worker: &str, source: &str, message: &str) -> bool {
    let Some(TableWorker { handlers, routes, .. }) = find_worker(table, worker) else { return true };
    let this = find_route(routes, source, message);
    if !is_due(this) {
        return true;
    }
    let mut i = 0;
    while i < handlers.len() {
        // One that is not in this worker is not asked again.
        if same(handlers[i].name, this.receivers[0]) && handlers[i].id != this.source_id {
            return false;
        }
        i += 1;
    }
    let (mut count, mut w) = (0, 0);
    while w < table.workers.len() {
        let handlers = table.workers[w].handlers;
        let mut i = 0;
        while i < handlers.len() {
            count += (handlers[i].id == this.source_id) as usize;
            i += 1;
        }
        w += 1;
    }
    this.receivers.len() == 1 && count <= 1
}

/// The id of a handler whose deadlines become messages: its worker routes its [`Due`]. `None` of any other one.
pub const fn due_id(table: &Table<'_>, worker: &str, handler: &str) -> Option<u16> {
    let Some(TableWorker { handlers, routes, .. }) = find_worker(table, worker) else { return None };
    let mut i = 0;
    while i < handlers.len() {
        let mut r = 0;
        while r < routes.len() {
            let is_its_own = routes[r].source_id == handlers[i].id && is_due(&routes[r]);
            if same(handlers[i].name, handler) && is_its_own {
                return Some(handlers[i].id);
            }
            r += 1;
        }
        i += 1;
    }
    None
}

/// Whether the handler is a receiver in its worker, or the source of a route of any worker, or marked as neither.
pub const fn is_in_some_route(table: &Table<'_>, worker: &str, handler: &str) -> bool {
    let Some(TableWorker { handlers, routes, .. }) = find_worker(table, worker) else { return true };
    let mut i = 0;
    while i < handlers.len() {
        if same(handlers[i].name, handler) && (handlers[i].allow_unrouted || is_source_id(table, handlers[i].id)) {
            return true;
        }
        i += 1;
    }
    let mut r = 0;
    while r < routes.len() {
        let mut i = 0;
        while i < routes[r].receivers.len() {
            if same(routes[r].receivers[i], handler) {
                return true;
            }
            i += 1;
        }
        r += 1;
    }
    false
}

/// Whether some route has one of the worker's handlers as its source.
pub const fn is_source(table: &Table<'_>, worker: &str) -> bool {
    let Some(TableWorker { handlers, .. }) = find_worker(table, worker) else { return false };
    let mut i = 0;
    while i < handlers.len() {
        if is_source_id(table, handlers[i].id) {
            return true;
        }
        i += 1;
    }
    false
}

/// Whether an `#[allow(..)]` in a table says `unrouted`, the one thing it may say.
pub const fn is_unrouted(lint: &str) -> bool {
    same(lint, "unrouted")
}

const fn is_source_id(table: &Table<'_>, id: u16) -> bool {
    let mut w = 0;
    while w < table.workers.len() {
        let routes = table.workers[w].routes;
        let mut i = 0;
        while i < routes.len() {
            if routes[i].source_id == id {
                return true;
            }
            i += 1;
        }
        w += 1;
    }
    false
}

/// The one worker of this name. `None` if there are two: the compiler says so, and no check adds to it.
const fn find_worker<'a>(table: &Table<'a>, name: &str) -> Option<&'a TableWorker<'a>> {
    let (mut found, mut w) = (None, 0);
    while w < table.workers.len() {
        if same(table.workers[w].name, name) {
            if found.is_some() {
                return None;
            }
            found = Some(&table.workers[w]);
        }
        w += 1;
    }
    found
}

const fn find_route<'a>(routes: &'a [TableRoute<'a>], source: &str, message: &str) -> &'a TableRoute<'a> {
    let mut i = 0;
    while i < routes.len() {
        if same(routes[i].source, source) && same(routes[i].message, message) {
            return &routes[i];
        }
        i += 1;
    }
    panic!("no such route in this worker")
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut same = a.len() == b.len();
    let mut i = 0;
    while same && i < a.len() {
        same = a[i] == b[i];
        i += 1;
    }
    same
}
