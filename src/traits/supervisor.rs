//! Who sends dead letters.

use super::handler::Handler;
use super::message::FIRST_OF_LIBRARY;

/// The source of every [`DeadLetter`](super::DeadLetter): the library, in a route `Supervisor, DeadLetter: [h]`.
///
/// ```
/// use rust_messenger::prelude::*;
/// use rust_messenger::traits::{DeadLetter, Supervisor};
///
/// #[derive(Default)]
/// struct Clerk(Vec<DeadLetter>);
/// handler!(Clerk, 1, default);
///
/// impl Handle<DeadLetter> for Clerk {
///     fn handle<W: Writer>(&mut self, letter: &DeadLetter, _: &W) {
///         self.0.push(letter.clone());
///     }
/// }
///
/// Messenger! {
///     (),
///     Office:
///         handlers: [ clerk: Clerk ]
///         routes: [ Supervisor, DeadLetter: [ clerk ] ]
/// }
/// # let _ = Messenger::table();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervisor {}

impl Handler for Supervisor {
    type Id = u16;
    /// The library's: no handler of a table may have it.
    const ID: u16 = FIRST_OF_LIBRARY;
}
