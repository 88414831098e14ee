//! What [`Messenger!`](crate::Messenger) calls: the table as data, its checks, decode and deliver.
//!
//! Runs no thread and knows no bus. Items here that are not about [`Table`] and [`Graph`] are for expansions only.

use crate::blame::Place;
use crate::traits::{
    AFTER_EVENTS, Due, Encoded, FIRST_OF_LIBRARY, Handle, Handler, Header, Layout, Message, Report, Router, Time,
    Writer,
};
use std::borrow::Borrow;
use std::fmt;
use std::mem::ManuallyDrop;

pub use crate::blame::At;

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
    /// Its name, also that of its thread.
    pub name: &'static str,
    /// Its handlers.
    pub handlers: &'static [TableHandler],
    /// What is delivered to them.
    pub routes: &'static [TableRoute],
}

/// One handler of a [`TableWorker`].
#[derive(Debug)]
pub struct TableHandler {
    /// The field's name.
    pub name: &'static str,
    /// The type, as spelled in the table.
    pub type_name: &'static str,
    /// The handler's id.
    pub id: u16,
    /// Marked `#[allow(unrouted)]`.
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

// -------------------------------------------------------------------------------------------------------------- graph

/// A routing table as a picture: [`to_mermaid`](Self::to_mermaid) for documents, [`to_dot`](Self::to_dot) for Graphviz.
#[derive(Clone, Copy, Debug)]
pub struct Graph {
    table: &'static Table,
}

/// An arrow of a graph: from a node to a receiver, labelled with the message.
struct Arrow {
    from: String,
    to: String,
    message: &'static str,
}

impl Graph {
    /// The graph of `table`.
    pub const fn of(table: &'static Table) -> Graph {
        Graph { table }
    }

    /// The graph in Mermaid's flowchart language (<https://mermaid.js.org/syntax/flowchart.html>).
    pub fn to_mermaid(&self) -> String {
        let mut text = "flowchart LR\n".to_owned();
        for worker in self.table.workers {
            text += &format!("    subgraph {}\n", plain(worker.name));
            for handler in worker.handlers {
                let (node, label) = (node(worker, handler.name), mermaid_label(&handler.label()));
                text += &format!("        {node}[\"{label}\"]\n");
            }
            text += "    end\n";
        }
        for source in self.outside() {
            text += &format!("    {}([\"{}\"])\n", outside_node(source), mermaid_label(&short(source)));
        }
        for Arrow { from, to, message } in self.arrows() {
            text += &format!("    {from} -- \"{}\" --> {to}\n", mermaid_label(&short(message)));
        }
        text
    }

    /// The graph in Graphviz's language (<https://graphviz.org/doc/info/lang.html>).
    pub fn to_dot(&self) -> String {
        // Quoted, because `Graph` is a keyword there, in any case of letters.
        let mut text = format!("digraph \"{}\" {{\n    rankdir=LR;\n", plain(self.table.name));
        for worker in self.table.workers {
            text += &format!("    subgraph cluster_{0} {{\n        label=\"{0}\";\n", plain(worker.name));
            for handler in worker.handlers {
                let (node, label) = (node(worker, handler.name), dot_label(&handler.label()));
                text += &format!("        {node} [label=\"{label}\", shape=box];\n");
            }
            text += "    }\n";
        }
        for source in self.outside() {
            text += &format!("    {} [label=\"{}\"];\n", outside_node(source), dot_label(&short(source)));
        }
        for Arrow { from, to, message } in self.arrows() {
            text += &format!("    {from} -> {to} [label=\"{}\"];\n", dot_label(&short(message)));
        }
        text + "}\n"
    }

    /// Sources that are no handler of the table: outside threads write in their name.
    fn outside(&self) -> Vec<&'static str> {
        let mut outside = Vec::new();
        for route in self.table.workers.iter().flat_map(|worker| worker.routes) {
            if self.senders(route).is_empty() && !outside.contains(&route.source) {
                outside.push(route.source);
            }
        }
        outside
    }

    fn senders(&self, route: &TableRoute) -> Vec<String> {
        let of = |worker: &'static TableWorker| {
            worker
                .handlers
                .iter()
                .filter(|handler| handler.id == route.source_id)
                .map(|handler| node(worker, handler.name))
        };
        self.table.workers.iter().flat_map(of).collect()
    }

    fn arrows(&self) -> Vec<Arrow> {
        let mut arrows = Vec::new();
        for worker in self.table.workers {
            for route in worker.routes {
                let mut senders = self.senders(route);
                if senders.is_empty() {
                    senders.push(outside_node(route.source));
                }
                for from in senders {
                    for receiver in route.receivers {
                        arrows.push(Arrow { from: from.clone(), to: node(worker, receiver), message: route.message });
                    }
                }
            }
        }
        arrows
    }
}

/// Mermaid, as [`Graph::to_mermaid`].
impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_mermaid())
    }
}

impl TableHandler {
    fn label(&self) -> String {
        format!("{}: {}", plain(self.name), short(self.type_name))
    }
}

fn node(worker: &TableWorker, handler: &str) -> String {
    format!("{}_{}", plain(worker.name), plain(handler))
}

fn outside_node(source: &str) -> String {
    let plain: String = source.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    format!("outside_{plain}")
}

/// A name without the mark of a raw identifier.
fn plain(name: &str) -> &str {
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

/// Mermaid takes `<` for HTML and `#` for the start of an entity.
fn mermaid_label(text: &str) -> String {
    let escaped = |c| match c {
        '#' => "#35;".to_owned(),
        '"' => "#quot;".to_owned(),
        '<' => "#lt;".to_owned(),
        '>' => "#gt;".to_owned(),
        other => String::from(other),
    };
    text.chars().map(escaped).collect()
}

fn dot_label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

// ------------------------------------------------------------------------------------------------- what a table makes

/// A type that stands for a routing table.
pub trait Tabled {
    /// The table.
    const TABLE: &'static Table;
    /// Who sends in it, and what of that it routes.
    const ROWS: &'static Rows;
}

/// Who sends in a table, and what of that it routes. Sorted, because it is asked for every message that falls through
/// the routes of a worker.
#[derive(Debug)]
pub struct Rows {
    /// The table.
    pub table: &'static Table,
    /// The ids of handlers and sources, but of those that may send what nobody receives.
    pub sources: &'static [u32],
    /// The rows: source and message in one number.
    pub routed: &'static [u32],
}

impl Rows {
    /// Whether this is a message of one of the table's sources that no route of it carries.
    pub fn misses(&self, header: &Header) -> bool {
        self.routed.binary_search(&row(header.source, header.message)).is_err()
            && self.sources.binary_search(&header.source.into()).is_ok()
            && !(FIRST_OF_LIBRARY..AFTER_EVENTS).contains(&header.message)
    }

    /// The type of a source, as spelled in the table.
    pub fn source_name(&self, id: u16) -> Option<&'static str> {
        let workers = self.table.workers.iter();
        let handlers =
            workers.clone().flat_map(|worker| worker.handlers).map(|handler| (handler.id, handler.type_name));
        let sources = workers.flat_map(|worker| worker.routes).map(|route| (route.source_id, route.source));
        handlers.chain(sources).find(|(source, _)| *source == id).map(|(_, name)| name)
    }

    /// The type of a message, as spelled in the table.
    pub fn message_name(&self, id: u16) -> Option<&'static str> {
        let mut routes = self.table.workers.iter().flat_map(|worker| worker.routes);
        routes.find(|route| route.message_id == id).map(|route| route.message)
    }
}

/// A row as one number.
pub const fn row(source: u16, message: u16) -> u32 {
    (source as u32) << 16 | message as u32
}

/// How many rows a table has.
pub const fn routed_count(table: &Table) -> usize {
    let (mut count, mut w) = (0, 0);
    while w < table.workers.len() {
        count += table.workers[w].routes.len();
        w += 1;
    }
    count
}

/// The rows of a table, sorted.
pub const fn routed<const N: usize>(table: &Table) -> [u32; N] {
    let (mut rows, mut n, mut w) = ([0; N], 0, 0);
    while w < table.workers.len() {
        let routes = table.workers[w].routes;
        let mut i = 0;
        while i < routes.len() {
            rows[n] = row(routes[i].source_id, routes[i].message_id);
            (n, i) = (n + 1, i + 1);
        }
        w += 1;
    }
    sorted(rows)
}

/// How many handlers and sources a table names.
pub const fn source_count(table: &Table) -> usize {
    let (mut count, mut w) = (routed_count(table), 0);
    while w < table.workers.len() {
        count += table.workers[w].handlers.len();
        w += 1;
    }
    count
}

/// The ids of a table's handlers and sources, sorted; more than any id in the place of those marked
/// `#[allow(unrouted)]`.
pub const fn sources<const N: usize>(table: &Table) -> [u32; N] {
    let (mut sources, mut n, mut w) = ([u32::MAX; N], 0, 0);
    while w < table.workers.len() {
        let TableWorker { handlers, routes, .. } = &table.workers[w];
        let mut i = 0;
        while i < handlers.len() + routes.len() {
            let id = if i < handlers.len() { handlers[i].id } else { routes[i - handlers.len()].source_id };
            if !may_be_unrouted(table, id) {
                sources[n] = id as u32;
            }
            (n, i) = (n + 1, i + 1);
        }
        w += 1;
    }
    sorted(sources)
}

/// Whether a handler with this id is marked `#[allow(unrouted)]`.
const fn may_be_unrouted(table: &Table, id: u16) -> bool {
    let mut w = 0;
    while w < table.workers.len() {
        let handlers = table.workers[w].handlers;
        let mut i = 0;
        while i < handlers.len() {
            if handlers[i].id == id && handlers[i].allow_unrouted {
                return true;
            }
            i += 1;
        }
        w += 1;
    }
    false
}

/// Heap sort, because the compiler ends evaluations that take long: a table may have thousands of rows.
const fn sorted<const N: usize>(mut numbers: [u32; N]) -> [u32; N] {
    let (mut start, mut end) = (N / 2, N);
    while end > 1 {
        if start > 0 {
            start -= 1;
        } else {
            end -= 1;
            (numbers[0], numbers[end]) = (numbers[end], numbers[0]);
        }
        let mut parent = start;
        while 2 * parent + 1 < end {
            let mut child = 2 * parent + 1;
            if child + 1 < end && numbers[child] < numbers[child + 1] {
                child += 1;
            }
            if numbers[parent] >= numbers[child] {
                break;
            }
            (numbers[parent], numbers[child]) = (numbers[child], numbers[parent]);
            parent = child;
        }
    }
    numbers
}

/// A routing table whose handlers are made from a `Config`.
#[diagnostic::on_unimplemented(
    message = "this routing table's handlers are not made from a `{Config}`",
    note = "pass a reference to the config type that stands first in its `Messenger!`"
)]
pub trait Topology<Config>: Tabled {
    /// Names every worker to `launcher`, in the order of the table.
    ///
    /// # Errors
    ///
    /// The launcher's.
    fn launch<L: Launch<Config>>(launcher: &mut L) -> Result<(), L::Error>;
}

/// What is done with every worker of a table.
pub trait Launch<Config> {
    /// Why it could not be done.
    type Error;

    /// Takes one worker.
    ///
    /// # Errors
    ///
    /// [`Self::Error`]; the launch ends there.
    fn worker<R: Roster<Config> + 'static>(&mut self) -> Result<(), Self::Error>;
}

/// The handlers of one worker.
pub trait Roster<Config>: Router + Sized {
    /// The worker's name.
    const NAME: &'static str;
    /// Whether some route has one of its handlers as its source.
    const IS_SOURCE: bool;
    /// The ids of those of its handlers whose deadlines become messages.
    const DUE: &'static [Option<u16>];

    /// Makes the handlers. `None` if one of them panicked, which `at` then knows; those before it are gone again.
    fn new<W: Writer>(config: &Config, writer: &W, at: &At) -> Option<Self>;

    /// The earliest deadline of the handlers; if it unwinds, `at` says which one was asked. Of a handler whose
    /// deadlines become messages, `due` says when that is to be written.
    fn next_deadline(&self, at: &At, due: impl Fn(u16, Option<Time>) -> Option<Time>) -> Option<Time>;

    /// Shows every handler to `visitor`; `at` says which one it is.
    fn visit<V: Visit>(&mut self, visitor: &mut V, at: &At);

    /// Drops the handlers one by one, so that one that panics takes no other with it; `at` knows them afterwards.
    fn dismiss(self, at: &At);
}

/// Something that is done with every handler of a worker.
pub trait Visit {
    /// Does it.
    fn handler<H: Handler>(&mut self, handler: &mut H);
}

/// Whether this is the header of such a message from such a source.
#[inline]
pub fn is<S: Into<u16>, M: Into<u16>>(header: &Header, source: S, message: M) -> bool {
    // One comparison of both ids. They are converted as they are when a message is sent, not cast.
    row(header.source, header.message) == row(source.into(), message.into())
}

/// A message that can be routed: one that is [`Encoded`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is routed but nothing says how it becomes bytes and comes back from them",
    note = "add `rust_messenger::serde_message!({Self}, id)`, `prost_message!`, `bincode_message!` or `zero_copy_message!` (each with its feature), or implement `ExtendedMessage` and `DeserializeFrom` for `{Self}` by hand"
)]
pub trait Routed: Encoded {}

// Without the attribute the compiler would complain about one of the traits that make a message `Encoded`, whichever
// it happens to ask for first.
#[diagnostic::do_not_recommend]
impl<M: Encoded> Routed for M {}

/// The deadline of one handler, and if it is `DUE` to become a message, what `due` makes of it. Asked after every
/// message, so `at` is set only when it unwinds.
#[inline]
pub fn deadline<const DUE: bool, H: Handler>(
    handler: &H,
    name: &'static str,
    at: &At,
    due: impl Fn(u16, Option<Time>) -> Option<Time>,
) -> Option<Time> {
    let deadline = at.during_handler(name, || handler.next_deadline());
    if DUE { due(H::ID.into(), deadline) } else { deadline }
}

/// The id of a handler whose deadlines become messages: its worker routes its [`Due`]. `None` of any other one.
pub const fn due_id(table: &Table, worker: &str, handler: &str) -> Option<u16> {
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

/// The earliest of some deadlines.
#[inline]
pub fn earliest<const N: usize>(deadlines: [Option<Time>; N]) -> Option<Time> {
    deadlines.into_iter().flatten().min()
}

/// Decodes a routed message, called `name`, and delivers it; one that cannot be decoded is reported and skipped.
#[inline]
pub fn decode<M: Routed, W: Writer>(
    header: &Header,
    payload: &[u8],
    writer: &W,
    at: &At,
    name: &'static str,
    deliver: impl FnOnce(&M),
) {
    match at.during(Place::Decoding(name), || M::decode(payload)) {
        Ok(message) => {
            // Leaked if a handler unwinds: its drop might panic, too, and a second panic ends the process.
            let message = ManuallyDrop::new(message);
            deliver((*message).borrow());
            at.during(Place::Dropping(name), || drop(ManuallyDrop::into_inner(message)));
        }
        Err(error) => writer.report(Report::Undecodable { header: *header, error }),
    }
}

/// A message that the handler `H` handles.
#[diagnostic::on_unimplemented(
    message = "`{H}` receives `{Self}` in the routing table but does not handle it",
    note = "implement `rust_messenger::traits::Handle<{Self}>` for `{H}`, or remove it from the route's receivers"
)]
pub trait RoutesTo<H>: Message {
    /// Hands the message over.
    fn deliver<W: Writer>(&self, receiver: &mut H, writer: &W);
}

impl<M: Message, H: Handle<M>> RoutesTo<H> for M {
    #[inline]
    fn deliver<W: Writer>(&self, receiver: &mut H, writer: &W) {
        receiver.handle(self, writer);
    }
}

// ------------------------------------------------------------------------------------------------------------- checks

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
pub const fn is_in_worker(table: &Table, worker: &str, handler: &str) -> bool {
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
pub const fn is_routed_once(table: &Table, worker: &str, source: &str, message: &str) -> bool {
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
pub const fn message_id_is_unique(table: &Table, message: &str) -> bool {
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
pub const fn handler_id_is_unique(table: &Table, handler: &str) -> bool {
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
pub const fn source_id_is_unique(table: &Table, source: &str) -> bool {
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
const fn is_due(route: &TableRoute) -> bool {
    let Layout { codec, size, align } = route.layout;
    let due = Due::LAYOUT;
    route.message_id == Due::ID && same(codec, due.codec) && size == due.size && align == due.align
}

/// Whether the message of this route may have its id: that of [`Due`] is for [`Due`].
pub const fn leaves_due_its_id(table: &Table, worker: &str, source: &str, message: &str) -> bool {
    let Some(TableWorker { routes, .. }) = find_worker(table, worker) else { return true };
    let this = find_route(routes, source, message);
    this.message_id != Due::ID || is_due(this)
}

/// Whether this route, if it is that of a [`Due`], has its source as its one receiver, and the table no other handler
/// with the id of that.
pub const fn has_due_alone(table: &Table, worker: &str, source: &str, message: &str) -> bool {
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

/// Whether the handler is a receiver in its worker, or the source of a route of any worker, or marked as neither.
pub const fn is_in_some_route(table: &Table, worker: &str, handler: &str) -> bool {
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
pub const fn is_source(table: &Table, worker: &str) -> bool {
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

const fn is_source_id(table: &Table, id: u16) -> bool {
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
const fn find_worker(table: &Table, name: &str) -> Option<&'static TableWorker> {
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

const fn find_route(routes: &'static [TableRoute], source: &str, message: &str) -> &'static TableRoute {
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

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: usize = 8192;

    const fn backwards() -> [u32; COUNT] {
        let mut numbers = [0; COUNT];
        let mut i = 0;
        while i < COUNT {
            numbers[i] = (COUNT - i) as u32 / 2;
            i += 1;
        }
        numbers
    }

    /// In a constant: the compiler would refuse to go on with one that takes the square of this many steps.
    #[test]
    #[cfg_attr(miri, ignore = "a minute, and no memory but constants")]
    fn the_rows_of_a_large_table_are_sorted() {
        static SORTED: [u32; COUNT] = sorted(backwards());
        let mut expected = backwards();
        expected.sort();
        assert!(SORTED == expected);
        assert_eq!(sorted([]), []);
        assert_eq!(sorted([3]), [3]);
        assert_eq!(sorted([3, 1, 2]), [1, 2, 3]);
    }
}
