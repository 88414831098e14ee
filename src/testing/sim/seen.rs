//! [`Seen`]: what a law of a simulation looks at.

use super::trace::{Event, What};
use super::world::World;
use crate::routing::TableRoute;
use crate::traits::{Encoded, Header, Time};

/// Something that happened in a [`Sim`](super::Sim): a message was written, a worker has handled one, or it began.
///
/// ```
/// use rust_messenger::prelude::*;
/// use rust_messenger::testing::Seen;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Order { n: u64 }
/// serde_message!(Order, 1);
///
/// /// A law, with the next number as its state.
/// fn in_order(next: &mut u64, seen: &Seen<'_>) -> Result<(), String> {
///     let Some(order) = seen.written::<Order>() else { return Ok(()) };
///     let due = std::mem::replace(next, order.n + 1);
///     if order.n == due { Ok(()) } else { Err(format!("order {} in the place of {due}", order.n)) }
/// }
/// # let _ = in_order;
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Seen<'a> {
    /// When, in virtual time.
    pub time: Time,
    /// In which turn of somebody.
    pub step: u64,
    /// The node; empty if somebody outside wrote it.
    pub node: &'static str,
    /// The worker; empty if somebody outside wrote it.
    pub worker: &'static str,
    /// The header of the message. Where a worker began: the position, and nothing else.
    pub header: Header,
    /// Its payload.
    pub payload: &'a [u8],
    /// The position of the message in whose handling it was written, or 0.
    pub cause: u64,
    /// Whether a rebuild replayed it.
    pub replayed: bool,
    what: What,
    /// The routes of the worker.
    routes: &'static [TableRoute<'static>],
}

impl<'a> Seen<'a> {
    pub(super) fn of(world: &'a World, event: &Event) -> Seen<'a> {
        let place = world.places.get(usize::from(event.place));
        Seen {
            time: event.time,
            step: event.step.into(),
            node: place.map_or("", |place| place.node_name),
            worker: place.map_or("", |place| place.name),
            header: event.header,
            payload: world.trace.payload(event),
            cause: event.cause,
            replayed: event.replayed,
            what: event.what,
            routes: place.map_or(&[], |place| place.routes),
        }
    }

    fn message<M: Encoded>(&self, what: What) -> Option<M::Decoded<'a>> {
        let is_it = self.what == what && self.header.message == M::ID.into();
        is_it.then(|| M::decode(self.payload).ok()).flatten()
    }

    /// The message, if it is one of this type, and was written.
    pub fn written<M: Encoded>(&self) -> Option<M::Decoded<'a>> {
        self.message::<M>(What::Written)
    }

    /// The message, if it is one of this type, and a handler of the worker has handled it.
    pub fn handled<M: Encoded>(&self) -> Option<M::Decoded<'a>> {
        let Header { source, message, .. } = self.header;
        let is_routed = self.routes.iter().any(|route| (route.source_id, route.message_id) == (source, message));
        if is_routed { self.message::<M>(What::Handled) } else { None }
    }

    /// Whether a worker began here, at the start or after its node was down: what its handlers knew is gone.
    pub fn began(&self) -> bool {
        self.what == What::Began
    }
}
