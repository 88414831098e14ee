//! What a bus of slots stands on, as its gate, its claims, its readers and its writers see it: a ring, or a journal.
//!
//! A ring has nothing to add to its slots, so all of its answers vanish when they are compiled (`memory.rs`).

use super::claim::{Role, Room};
use super::control::{Control, ReaderIndex};
use super::owner::Owner;
use super::slot::Slots;
use super::times::Times;
use crate::traits::{Begin, CursorError, Payload, Recorded, State, Time, WriteError};
use std::fmt::Debug;

/// What [`RingReader`](super::reader::RingReader) and [`RingWriter`](super::writer::RingWriter) work on: a ring in
/// memory or a journal.
///
/// Sealed: whoever implements it decides who may write where.
pub trait Storage: Store {}

impl<S: Store> Storage for S {}

/// Where a bus keeps its slots, and what that means for those who use it.
#[allow(private_interfaces)]
pub trait Store: Room + Debug + Send + Sync + 'static {
    /// The slots.
    type Slots: Slots;
    /// What works for the bus in the background, until it is dropped.
    type Background: Debug + Send + Sync;
    /// What a writer knows of what its worker is to write again.
    type Known: Default + Debug + Send;

    fn slots(&self) -> &Self::Slots;
    fn control(&self) -> Control<'_>;
    fn capacity(&self) -> u64;

    /// As whom this handle takes what is to be had in the control block.
    fn owner(&self) -> Owner {
        Owner::ALONE
    }

    /// Whether it is proven that `owner` has ended. Silence proves nothing.
    fn has_ended(&self, _owner: Owner) -> bool {
        false
    }

    /// Whether this process was forked from the one whose all of this is.
    fn is_forked(&self) -> bool {
        false
    }

    /// How long its users wait, if others share it, each of whom may stand still.
    fn times(&self) -> Option<&Times> {
        None
    }

    /// The process of `owner`, if it is attached.
    fn pid_of(&self, _owner: Owner) -> Option<u32> {
        None
    }

    /// Counts that something of the gate could not be known just now, as whoever has its lock may stand still. Only
    /// where others share it.
    fn miss(&self) {}

    /// How often that was so.
    fn misses(&self) -> u64 {
        0
    }

    /// How often a reader releases, in bytes.
    fn batch(&self) -> u64;

    /// How much a held reader may have read and not released before it reads no further, in bytes.
    fn window(&self) -> u64;

    // ---------------------------------------------------------------------------------------------------------- claims

    /// There was no room for `len` bytes: makes some, or says why there is none.
    fn make_room(&self, len: u64) -> Result<(), WriteError>;

    // --------------------------------------------------------------------------------------------------------- writing

    /// What the next slot says besides its head.
    fn more(&self, role: Role) -> <Self::Slots as Slots>::More;

    /// The time at which the message in this worker's hands was sent, if the store knows it.
    fn time(&self, role: Role) -> Option<Time>;

    /// Takes a message that is not to be written, because it has been.
    #[inline(always)]
    fn instead<P: Payload>(
        &self,
        _role: Role,
        _known: &Self::Known,
        _source: u16,
        _message: u16,
        _payload: &mut P,
    ) -> Option<Result<(), WriteError>> {
        None
    }

    /// A message of `len` bytes of slot is committed at `position`: what is left to do before its writer is told?
    fn acknowledge(&self, position: u64, len: u64) -> Result<(), WriteError>;

    /// A worker is at the end of its message, which is still being delivered: was all written that had been?
    fn settle(&self, _role: Role, _known: &Self::Known) -> Result<(), WriteError> {
        Ok(())
    }

    // --------------------------------------------------------------------------------------------------------- reading

    /// What the slot of the message at `position` says of it, if the store keeps that.
    ///
    /// # Safety
    ///
    /// A reader that the gate goes by has seen a message there, and has not released it.
    unsafe fn recorded(&self, _position: u64) -> Option<Recorded> {
        None
    }

    /// Reader `index` is about to deliver what stands at `position`.
    fn delivering(&self, index: ReaderIndex, position: u64);

    /// Reader `index` has delivered it.
    fn delivered(&self, index: ReaderIndex);

    /// Reader `index` needs nothing before `position` any more.
    fn released(&self, index: ReaderIndex, position: u64);

    /// Reader `index` leaves; it has read everything before `position`.
    fn left(&self, index: ReaderIndex, position: u64);

    /// The worker of reader `index`, whose handlers have these ids and names, begins at `began`, and may begin there
    /// again. False if it cannot.
    fn supervise(
        &self,
        _index: ReaderIndex,
        _worker: &'static str,
        _sources: Option<Vec<(u16, &'static str)>>,
        _began: u64,
    ) -> Result<bool, CursorError> {
        Ok(false)
    }

    /// The worker of reader `index`, which stands at `position`, begins again; `in_hand` is the message at which it
    /// broke, and whether that is dead. All before `limit` is finished. Returns where it begins, if it can.
    fn repeat(&self, _index: ReaderIndex, _position: u64, _in_hand: Option<(u64, bool)>, _limit: u64) -> Option<u64> {
        None
    }

    /// Where the next message stands that is dead for the worker of reader `index`, which is at `position`, or else
    /// where its history ends. Asked within history.
    fn alive_until(&self, _index: ReaderIndex, position: u64) -> u64 {
        position.wrapping_add(1)
    }

    /// Whether reader `index` is still being brought to where it was.
    fn is_replaying(&self, _index: ReaderIndex, _position: u64) -> bool {
        false
    }

    /// What the worker of reader `index` begins with.
    fn begin(&self, _index: ReaderIndex) -> Option<Begin> {
        None
    }

    /// With what it begins, and where, now that it could not load that: `why` says how.
    fn begin_instead(&self, _index: ReaderIndex, _why: &str) -> Option<(u64, Begin)> {
        None
    }

    /// The worker of reader `index` is to be kept as it is, at `position`.
    fn keep(&self, _index: ReaderIndex, _position: u64, _states: Vec<State>) -> Result<(), String> {
        Ok(())
    }
}
