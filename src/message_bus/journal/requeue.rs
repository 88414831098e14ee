//! A message that is dead comes again, once, whoever is killed when.
//!
//! * **Law 1.** The slot of what comes again says where it was dead, in the word of its cause: both are committed with
//!   one stamp.
//! * **Law 2.** It stands behind the dead one, as the letter does that calls it so. Where that is retained, all that is
//!   known of it is, too: nothing else is kept.

use super::origin::Cause;
use super::origins::AGAIN;
use super::store::JournalStore;
use super::supervised::letter_of;
use crate::message_bus::ring::claim::{Claim, Role};
use crate::message_bus::ring::gate::readers::Kind;
use crate::message_bus::ring::reader::{FINISHED_WITHIN, RingReader};
use crate::message_bus::ring::shared::Shared;
use crate::message_bus::ring::writer::RingWriter;
use crate::message_bus::wait::WaitStrategy;
use crate::sync::{Arc, Ordering};
use crate::traits::{CursorError, Header, Publish, Reader, RequeueError, SubscribeError};

/// What is known of a message that is to come again.
#[derive(Debug, Default)]
struct Dead {
    message: Option<(Header, Vec<u8>)>,
    /// Whether a letter calls it dead.
    is_dead: bool,
    /// Where it came again.
    again: Option<u64>,
}

/// Appends the dead message at `asked` once more.
///
/// Precondition: nobody else does so, or has looked whether to.
pub(crate) fn requeue<C: Claim, W: WaitStrategy>(
    shared: &Arc<Shared<JournalStore>>,
    asked: u64,
) -> Result<(), RequeueError> {
    let Dead { message, is_dead, again } = look_for::<W>(shared, asked)?;
    if let Some(at) = again {
        return Err(RequeueError::AlreadyRequeued { at });
    }
    let (header, payload) = message.filter(|_| is_dead).ok_or(RequeueError::NotDead { asked })?;
    let writer = RingWriter::<C, W, _>::new(shared, Role::Import(AGAIN)).map_err(RequeueError::Writer)?;
    let words = &shared.store.upkeep.origins.words;
    words[usize::from(AGAIN)].store(Cause::Again(asked).word(), Ordering::Relaxed);
    writer.try_write_bytes(header.source, header.message, &payload).map_err(RequeueError::Write)
}

/// Goes from the message at `asked` to the end.
fn look_for<W: WaitStrategy>(shared: &Arc<Shared<JournalStore>>, asked: u64) -> Result<Dead, RequeueError> {
    let store = &shared.store;
    let refused = |error| match error {
        SubscribeError::Journal(CursorError::NotRetained { asked, oldest }) => {
            RequeueError::NotRetained { asked, oldest }
        }
        SubscribeError::Journal(CursorError::NoSuchPosition { asked }) => RequeueError::NotDead { asked },
        error => RequeueError::Read(error),
    };
    store.check_from(asked).map_err(|error| refused(error.into()))?;
    let begin = |standing: &_| Ok(store.found(standing, asked)?);
    let mut reader = RingReader::<W, _>::new(shared, Kind::Gating, "requeue", begin).map_err(refused)?;
    let (mut found, end) = (Dead::default(), store.end());
    while reader.position() < end && found.again.is_none() {
        let read = reader.try_read(|header, payload| {
            // SAFETY: the reader lends it.
            if unsafe { store.slots.record(header.position) }.requeued() == Some(asked) {
                found.again = Some(header.position);
            } else if header.position == asked {
                found.message = Some((*header, payload.to_vec()));
            } else {
                found.is_dead |= letter_of(header, payload).is_some_and(|letter| letter.position == asked);
            }
        });
        // What another writer has not finished may be what is looked for.
        if read.is_err() && reader.unread(end, FINISHED_WITHIN).bytes != 0 {
            return Err(RequeueError::Unfinished);
        }
    }
    Ok(found)
}
