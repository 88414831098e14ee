//! The table of attachments: who shares a named ring, and who of them has ended.
//!
//! A process attaches by taking one of the places, and all that it takes of the ring from then on names that place and
//! its **generation**: which of all that had the place it is. So what a dead attachment left is still known as its own
//! when somebody else has its place.
//!
//! ```text
//! word   state: bit 0 in use | 16..32 the place | 32..64 generation
//!        pid | start time | pid namespace | time namespace
//!        program (4 words)                                          128 bytes a place
//! ```
//!
//! * **Who has a place.** Whoever has its byte lock: two that want one place cannot both have it, whatever the table
//!   says. A place whose lock somebody has is nobody else's, though its owner may be dead: a child that was forked from
//!   it keeps the lock.
//! * **In what order.** The lock; the words about the process; the state, Release. Leaving: the state without bit 0,
//!   Release; the lock. Nothing in the ring names an attachment before its state does.
//! * **Who has ended.** The state has a *later* generation, or the same and is not in use, or the process that it names
//!   is proven to have ended. A state that is older than the owner asked for is a look that came too early.

use super::error::NamedProblem;
use crate::message_bus::ring::control::{Control, text_of};
use crate::message_bus::ring::memory::Others;
use crate::message_bus::ring::owner::{Owner, is_in_use};
use crate::mmap::fork::ForkMark;
use crate::mmap::named::{ByteLock, Named};
use crate::mmap::{Entry, Front, Region, Words};
use crate::process::{Identity, Observer};
use crate::sync::{AtomicU64, Ordering};
use std::path::Path;

/// How many attachments a ring has places for.
pub(crate) const PLACES: usize = 64;
const PLACE: usize = 128;
/// The size of the table.
pub(crate) const LEN: usize = PLACES * PLACE;
/// How many words the name of a program fills.
const PROGRAM: usize = 4;

/// The table at the front of a region.
#[derive(Clone, Debug)]
pub(super) struct Places(Front<LEN>);

/// One place.
#[derive(Clone, Copy, Debug)]
struct Place<'a>(Words<'a, PLACE>);

impl Places {
    /// The table at the front of `region`.
    pub(super) fn of(region: Region) -> Places {
        Places(Front::of(region))
    }

    /// Who has the place `number`, if there is one and it is in use.
    pub(super) fn owner_at(&self, number: usize) -> Option<Owner> {
        if number >= PLACES {
            return None;
        }
        // Acquire: with the state come the words about the process.
        let state = self.place(number).state().load(Ordering::Acquire); // SYNC POINT named.place
        is_in_use(state).then(|| Owner::of(number as u16, Owner::generation_in(state)))
    }

    /// The process that the words of the place `number` are about.
    pub(super) fn process(&self, number: usize) -> Identity {
        self.place(number).process()
    }

    /// The name of its program.
    pub(super) fn program(&self, number: usize) -> String {
        text_of(self.place(number).words()[4..].iter().map(|word| word.load(Ordering::Relaxed)))
    }

    fn place(&self, number: usize) -> Place<'_> {
        Place(self.0.words().entry(Entry::of::<0, PLACES>(number)))
    }
}

impl Place<'_> {
    fn state(&self) -> &AtomicU64 {
        self.0.at::<0>()
    }

    fn words(&self) -> [&AtomicU64; 4 + PROGRAM] {
        let words = self.0;
        [
            words.at::<8>(),
            words.at::<16>(),
            words.at::<24>(),
            words.at::<32>(),
            words.at::<40>(),
            words.at::<48>(),
            words.at::<56>(),
            words.at::<64>(),
        ]
    }

    /// The process that has it, if it is in use.
    fn process(&self) -> Identity {
        let [pid, started, pid_namespace, time_namespace, ..] = self.words().map(|word| word.load(Ordering::Relaxed));
        // What is no pid is nobody's.
        Identity { pid: u32::try_from(pid).unwrap_or(0), started, pid_namespace, time_namespace }
    }

    fn fill(&self, process: &Identity, program: &str) {
        let Identity { pid, started, pid_namespace, time_namespace } = *process;
        let mut bytes = program.bytes();
        let name: [u64; PROGRAM] =
            std::array::from_fn(|_| u64::from_le_bytes(std::array::from_fn(|_| bytes.next().unwrap_or(0))));
        let what = [u64::from(pid), started, pid_namespace, time_namespace].into_iter().chain(name);
        for (word, value) in self.words().into_iter().zip(what) {
            word.store(value, Ordering::Relaxed);
        }
    }
}

/// Where this process looks at a ring from.
#[derive(Debug)]
pub(crate) struct Look {
    places: Places,
    named: Named,
    observer: Observer,
    /// The boot that the ring is of.
    boot: u128,
}

impl Look {
    /// At the ring in `named`, whose table of attachments is at `table`.
    pub(crate) fn at(named: Named, table: usize, observer: Observer, boot: u128) -> Look {
        let places = Places::of(named.region().behind(table));
        Look { places, named, observer, boot }
    }

    pub(crate) fn named(&self) -> &Named {
        &self.named
    }

    pub(crate) fn region(&self) -> &Region {
        self.named.region()
    }

    /// Whether the process that has the place `number` is proven to have ended.
    fn is_dead(&self, number: usize) -> bool {
        let is_locked = || self.named.is_byte_locked(number as u8).unwrap_or(true);
        self.observer.is_dead(&self.places.place(number).process(), self.boot, is_locked)
    }

    /// Takes a place that nobody has. Precondition: the lock of the file is held.
    ///
    /// # Errors
    ///
    /// [`NamedProblem::TooManyAttachments`]; what the system says of locks.
    pub(crate) fn find_place(&self) -> Result<(usize, ByteLock), NamedProblem> {
        for number in 0..PLACES {
            // Acquire: with the state come the words about the process.
            let state = self.places.place(number).state().load(Ordering::Acquire); // SYNC POINT named.place
            if is_in_use(state) && !self.is_dead(number) {
                continue;
            }
            if let Some(lock) = self.named.lock_byte(number as u8)? {
                return Ok((number, lock));
            }
        }
        Err(NamedProblem::TooManyAttachments { max: PLACES })
    }

    /// Takes the place `number`, whose lock this process has just got. Precondition: the lock of the file is held.
    pub(crate) fn take(&self, number: usize) -> Owner {
        let place = self.places.place(number);
        let before = Owner::generation_in(place.state().load(Ordering::Relaxed));
        let owner = Owner::of(number as u16, before.wrapping_add(1));
        place.fill(&self.observer.identity(), &program());
        place.state().store(owner.word(), Ordering::Release); // SYNC POINT named.place
        owner
    }
}

/// One attachment of this process to a ring. It ends with this, unless that is a copy in a child that was forked.
#[derive(Debug)]
pub(crate) struct Attachment {
    owner: Owner,
    mark: ForkMark,
    look: Look,
    /// Goes last: behind the state.
    _lock: ByteLock,
}

impl Attachment {
    /// That of `owner`, which has taken the place that `lock` is of.
    pub(crate) fn of(owner: Owner, look: Look, lock: ByteLock, mark: ForkMark) -> Attachment {
        Attachment { owner, mark, look, _lock: lock }
    }
}

impl Others for Attachment {
    fn has_ended(&self, _: Control<'_>, owner: Owner) -> bool {
        let number = usize::from(owner.attachment());
        if number >= PLACES {
            // A stray word: nobody's that could be proven to have ended.
            return false;
        }
        // Acquire: with the state come the words about the process.
        let state = self.look.places.place(number).state().load(Ordering::Acquire); // SYNC POINT named.place
        match Owner::generation_in(state).wrapping_sub(owner.generation()) as i32 {
            0 => !is_in_use(state) || self.look.is_dead(number),
            later => later > 0,
        }
    }

    fn pid_of(&self, owner: Owner) -> Option<u32> {
        let number = usize::from(owner.attachment());
        let is_attached = self.look.places.owner_at(number) == Some(owner);
        is_attached.then(|| self.look.places.process(number).pid)
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        if !self.mark.is_forked() {
            let place = self.look.places.place(usize::from(self.owner.attachment()));
            // Release: whoever has the place next finds all given back.
            place.state().store(self.owner.left(), Ordering::Release); // SYNC POINT named.place
        }
    }
}

/// The name of this program, as much of it as there is room for.
fn program() -> String {
    let path = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&path).file_name().unwrap_or_default().to_string_lossy();
    let end = (0..8 * PROGRAM).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    name[..end.min(name.len())].to_owned()
}
