//! What a table becomes: the handlers of its workers, and how a message is decoded and delivered to them.

use super::rows::Rows;
use super::table::{Table, row};
use crate::blame::{At, Place};
use crate::traits::{Encoded, Handle, Handler, Header, Message, Time, TryHandle, Writer};
use std::borrow::Borrow;
use std::mem::ManuallyDrop;

/// A routing table whose handlers are made from a `Config`: what [`Messenger!`](crate::Messenger) makes, and nobody
/// else.
#[diagnostic::on_unimplemented(
    message = "this routing table's handlers are not made from a `{Config}`",
    note = "pass a reference to the config type that stands first in its `Messenger!`"
)]
pub trait Topology<Config> {
    /// Who sends in it, and what of that it routes.
    #[doc(hidden)]
    const ROWS: &'static Rows;

    /// Names every worker to `launcher`, in the order of the table.
    ///
    /// # Errors
    ///
    /// The launcher's.
    #[doc(hidden)]
    fn launch<L: Launch<Config>>(launcher: &mut L) -> Result<(), L::Error>;
}

/// A type that stands for a routing table.
pub trait HasTable {
    /// The table as data.
    const TABLE: &'static Table<'static>;
}

/// What stands for a table that does not compile.
pub const NO_TABLE: &Table<'static> = &Table { name: "", workers: &[] };
/// Its rows.
pub const NO_ROWS: &Rows = &Rows { table: NO_TABLE, sources: &[], routed: &[] };

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

/// Delivers the messages of one worker; made by [`Messenger!`](crate::Messenger).
pub trait Router {
    /// How many routes there are.
    const ROUTES: usize;

    /// Hands the message to every handler it is routed to. False if no route carries it.
    fn route<W: Writer>(&mut self, header: &Header, payload: &[u8], writer: &W, at: &At) -> bool;
}

/// The handlers of one worker.
pub trait Roster<Config>: Router + Sized {
    /// The worker's name.
    const NAME: &'static str;
    /// Whether some route has one of its handlers as its source.
    const IS_SOURCE: bool;
    /// The ids of those of its handlers whose deadlines become messages.
    const DUE: &'static [Option<u16>];

    /// Makes the handlers. `None` if one of them panicked or could not be made, which `at` then knows; those before it
    /// are gone again.
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

/// An id.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an id: it does not become a `u16`",
    label = "an id in this table is no `u16`",
    note = "ids are of type `u16`, or of an enum that `rust_messenger::messenger_id_enum!` makes"
)]
pub trait Id: Into<u16> {}

#[diagnostic::do_not_recommend]
impl<T: Into<u16>> Id for T {}

/// Whether this is the header of such a message from such a source.
#[inline]
pub fn is<S: Id, M: Id>(header: &Header, source: S, message: M) -> bool {
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
        Err(error) => writer.undecodable(*header, error),
    }
}

/// A message that the handler `H` handles, and how: `EitherHandle` or `OrTryHandleNotBoth`,
/// whichever it implements.
#[diagnostic::on_unimplemented(
    message = "`{H}` receives `{Self}` in the routing table but does not handle it",
    label = "not handled by `{H}`",
    note = "implement `Handle<{Self}>` or `TryHandle<{Self}>` for `{H}`, or remove it from the route's receivers"
)]
pub trait RoutesTo<H, How>: Message {
    /// Hands the message over.
    fn deliver<W: Writer>(&self, receiver: &mut H, writer: &W);
}

/// By [`Handle`]. Where a handler implements both, the compiler lists this name and the next one.
#[derive(Debug)]
pub enum EitherHandle {}

/// By [`TryHandle`].
#[derive(Debug)]
pub enum OrTryHandleNotBoth {}

#[diagnostic::do_not_recommend]
impl<M: Message, H: Handle<M>> RoutesTo<H, EitherHandle> for M {
    #[inline]
    fn deliver<W: Writer>(&self, receiver: &mut H, writer: &W) {
        receiver.handle(self, writer);
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message, H: TryHandle<M>> RoutesTo<H, OrTryHandleNotBoth> for M {
    #[inline]
    fn deliver<W: Writer>(&self, receiver: &mut H, writer: &W) {
        if let Err(error) = receiver.try_handle(self, writer) {
            writer.unhandled(error.into());
        }
    }
}
