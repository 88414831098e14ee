//! What is asked of a table as it is compiled: each check a fact that becomes a trait.

use super::index::{Id, Index, IndexedHandler};
use super::map::same;
use super::table::{TableRoute, TableWorker};
use crate::traits::{DeadLetter, Due, Handler, Layout, Message, Supervisor};

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
    /// No two handlers of a table send as one source.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` is a route's source, and stands twice among the handlers of this routing table",
        label = "one of several handlers of this type",
        note = "what they send has one id, so nobody could tell them apart: give each a type of its own, such as `Name<1>` and `Name<2>` of `struct Name<const N: u16>` with `const ID: u16 = N`"
    )]
    SendsAlone;
    /// Every handler receives or sends something.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` is in no receiver list and no route's source",
        label = "receives nothing, and nothing it sends is received",
        note = "add a route, remove the handler, or say that it is meant so: `#[allow(unrouted)] name: Type`"
    )]
    IsInSomeRoute;
    /// A message does not take the id of [`Due`].
    #[diagnostic::on_unimplemented(
        message = "`{Self}` has the message id of the library's `Due`",
        label = "not `rust_messenger::Due`",
        note = "ids from 0xFF00 on are the library's: give this message a smaller one"
    )]
    LeavesDueItsId;
    /// A handler does not take the id of [`Supervisor`].
    #[diagnostic::on_unimplemented(
        message = "`{Self}` has the handler id of the library's `Supervisor`",
        label = "not `rust_messenger::traits::Supervisor`, or not the source of a `DeadLetter`",
        note = "ids from 0xFF00 on are the library's: give this handler a smaller one; letters are routed as `Supervisor, DeadLetter: [receiver]`"
    )]
    LeavesSupervisorItsId;
    /// A deadline goes to the handler whose it is, and to nobody else.
    #[diagnostic::on_unimplemented(
        message = "the `Due` of `{Self}` does not go to its own handler alone",
        label = "its deadlines would go to another handler, or to more than one",
        note = "a deadline becomes a message to the handler that named it: `Source, Due: [source]`, in the worker that has `source: Source`, with no other receiver"
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

/// A receiver is a handler of the route's worker.
#[diagnostic::on_unimplemented(
    message = "this receiver is no handler of its worker",
    label = "not in this worker's `handlers: [...]`",
    note = "a worker delivers to its own handlers: add `name: Type` to its `handlers: [...]`, or write the route in the worker that has the handler"
)]
pub trait IsInThisWorker<const YES: bool, All, Among> {
    /// The worker's handlers, among which it is: without an answer nobody looks for it there.
    fn among(handlers: &mut All) -> &mut Among;
}

#[diagnostic::do_not_recommend]
impl<T, H> IsInThisWorker<true, H, H> for T {
    #[inline(always)]
    fn among(handlers: &mut H) -> &mut H {
        handlers
    }
}

/// What is asked of a route.
#[derive(Clone, Copy, Debug)]
pub struct RouteChecks {
    /// Whether all handlers and sources with the id of its source spell the same type. One that is a handler of the
    /// table is not asked again.
    pub has_source_id_of_its_own: bool,
    /// Whether all routes of messages with the id of its own spell the same type. Asked where that type stands first.
    pub has_message_id_of_its_own: bool,
    /// Whether its message may have its id: that of [`Due`] is for [`Due`].
    pub leaves_due_its_id: bool,
    /// Whether its source may have its id: that of [`Supervisor`] sends letters alone.
    pub leaves_supervisor_its_id: bool,
    /// Whether it, if it is that of a [`Due`], has its source as its one receiver.
    pub has_due_alone: bool,
    /// Whether its worker has no other route from this source with this message, however they are spelled.
    pub is_routed_once: bool,
}

/// What is asked of a handler.
#[derive(Clone, Copy, Debug)]
pub struct HandlerChecks {
    /// Whether all handlers and sources with its id spell the same type.
    pub has_id_of_its_own: bool,
    /// Whether it may have its id: that of [`Supervisor`] is no handler's.
    pub leaves_supervisor_its_id: bool,
    /// Whether no other handler is of its type, if that is a route's source.
    pub sends_alone: bool,
    /// Whether it is a receiver in its worker, or the source of a route of any worker, or marked as neither.
    pub is_in_some_route: bool,
    /// Its id if its deadlines become messages: its worker routes its [`Due`].
    pub due: Option<u16>,
}

/// What the index does not know is right here: that is a worker with the name of another, or a name that is no
/// handler's, and the compiler, or another check, says so.
impl<const N: usize> Index<'_, N> {
    /// What is asked of a route, by what is spelled in it.
    pub const fn check_route(&self, worker: &str, source: &str, message: &str) -> RouteChecks {
        let mut checks = RouteChecks {
            has_source_id_of_its_own: true,
            has_message_id_of_its_own: true,
            leaves_due_its_id: true,
            leaves_supervisor_its_id: true,
            has_due_alone: true,
            is_routed_once: true,
        };
        let (Some(source), Some(indexed)) = (self.sender(source), self.message(message)) else { return checks };
        let message = indexed.route;
        let Some(source_id) = self.sender_id(source.id) else { return checks };
        let Some(message_id) = self.message_id(message.message_id) else { return checks };
        checks.has_source_id_of_its_own = source.is_handler || source_id.types == 1;
        checks.leaves_due_its_id = message.message_id != Due::ID || is_due(message);
        checks.leaves_supervisor_its_id =
            source.is_handler || message.source_id != Supervisor::ID || is_letter(message);
        let Some(worker) = self.worker(worker) else { return checks };
        checks.has_message_id_of_its_own =
            message_id.types == 1 || worker != indexed.worker || source.id != message.source_id;
        let Some(row) = self.row(worker, source.id, message.message_id) else { return checks };
        // Two handlers with its id are told of already, and so are two types with one id.
        checks.has_due_alone =
            !is_due(message) || source_id.handlers > 1 || self.returns_to_its_source(worker, row.first);
        checks.is_routed_once = row.routes == 1 || source_id.types != 1 || message_id.types != 1;
        checks
    }

    /// What is asked of the handler of this name in this worker.
    pub const fn check_handler(&self, worker: &str, name: &str) -> HandlerChecks {
        let mut checks = HandlerChecks {
            has_id_of_its_own: true,
            leaves_supervisor_its_id: true,
            sends_alone: true,
            is_in_some_route: true,
            due: None,
        };
        let Some(worker) = self.worker(worker) else { return checks };
        let Some(IndexedHandler { handler, is_receiver }) = self.handler(worker, name) else { return checks };
        let Some(id) = self.sender_id(handler.id) else { return checks };
        checks.has_id_of_its_own = id.types == 1;
        checks.leaves_supervisor_its_id = handler.id != Supervisor::ID;
        // Two types with one id are told of already.
        checks.sends_alone = !id.is_source || id.handlers == 1 || id.types != 1;
        checks.is_in_some_route = *is_receiver || id.is_source || handler.allow_unrouted;
        if let Some(row) = self.row(worker, handler.id, Due::ID)
            && is_due(row.first)
        {
            checks.due = Some(handler.id);
        }
        checks
    }

    /// Whether a worker has a handler of this name.
    pub const fn has_handler(&self, worker: &str, name: &str) -> bool {
        match self.worker(worker) {
            Some(worker) => self.handler(worker, name).is_some(),
            None => true,
        }
    }

    /// Whether some route has one of the worker's handlers as its source.
    pub const fn has_source(&self, worker: &str) -> bool {
        let Some(worker) = self.worker(worker) else { return false };
        let TableWorker { handlers, .. } = &self.table.workers[worker];
        let mut i = 0;
        while i < handlers.len() {
            if let Some(Id { is_source: true, .. }) = self.sender_id(handlers[i].id) {
                return true;
            }
            i += 1;
        }
        false
    }

    /// Whether the one receiver of a route is its source. One that is not in this worker is not asked again.
    const fn returns_to_its_source(&self, worker: usize, route: &TableRoute<'_>) -> bool {
        route.receivers.len() == 1
            && match self.handler(worker, route.receivers[0]) {
                Some(IndexedHandler { handler, .. }) => handler.id == route.source_id,
                None => true,
            }
    }
}

/// Whether a route is that of a [`Due`].
const fn is_due(route: &TableRoute<'_>) -> bool {
    let Layout { codec, size, align, shape: _ } = route.layout;
    let due = Due::LAYOUT;
    route.message_id == Due::ID && same(codec, due.codec) && size == due.size && align == due.align
}

/// Whether a route is that of a [`DeadLetter`].
const fn is_letter(route: &TableRoute<'_>) -> bool {
    route.message_id == DeadLetter::ID && same(route.layout.codec, DeadLetter::LAYOUT.codec)
}

/// Whether an `#[allow(..)]` in a table says `unrouted`, the one thing it may say.
pub const fn is_unrouted(lint: &str) -> bool {
    same(lint, "unrouted")
}
