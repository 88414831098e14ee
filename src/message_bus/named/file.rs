//! Rings by their names: made, opened, removed.
//!
//! ```text
//! | first page | attachments | names, twice | control block | slots | spare bytes |
//! 0            4096          12288          77824 = CONTROL
//! ```
//!
//! A ring is **made** whole before it has its name, and of many that make it at once one wins. Whoever **opens** it
//! looks at the first page before anything is mapped, and changes nothing of a ring that it cannot use. Both end in an
//! **attachment**, for which one opener at a time looks for a place.

use super::attachments::{Attachment, Look};
use super::error::NamedProblem;
use super::identity::{self, ATTACHMENTS, CONTROL, Identity, MAGIC, NAMES};
pub(super) use super::look::look;
use super::names::{self, Names};
use super::options::{Claims, NamedOptions};
use crate::message_bus::circular_bus::RingOptions;
use crate::message_bus::ring::memory::{Ring, Sharing};
use crate::mmap::fork::ForkMark;
use crate::mmap::named::{self, Named};
use crate::mmap::refusal::Refusal;
use crate::process::Observer;
use crate::random;
use crate::sync::Barrier;
use std::path::Path;
use std::time::Duration;

/// How long an opener waits for others that are attaching.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often somebody may make or remove what another one is just opening or making.
const TURNS: u32 = 1000;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Opening<'a> {
    pub(crate) path: &'a Path,
    pub(crate) claims: Claims,
    pub(crate) options: &'a NamedOptions,
    pub(crate) patience: Duration,
}

/// What an attachment needs of the system, got before anything changes.
pub(super) struct Means {
    mark: ForkMark,
    observer: Observer,
}

impl Means {
    pub(super) fn get() -> Result<Means, NamedProblem> {
        let mark = ForkMark::new()
            .map_err(|_| NamedProblem::Unsupported { what: "pages that forked children lose (since Linux 4.14)" })?;
        Ok(Means { mark, observer: Observer::of_this_process() })
    }
}

/// The barrier that those who sleep share with those who wake them, for which each process registers.
///
/// # Errors
///
/// [`NamedProblem::Unsupported`]: nobody here could be woken by another process.
pub(super) fn barrier() -> Result<Barrier, NamedProblem> {
    let what = "the barrier between processes (membarrier, since Linux 4.16)";
    Barrier::shared().map_err(|_| NamedProblem::Unsupported { what })
}

/// Makes a ring, and attaches to it: [`Opening::create`].
pub(super) fn create(path: &Path, claims: Claims, options: &NamedOptions) -> Result<Ring, NamedProblem> {
    Opening { path, claims, options, patience: PATIENCE }.create()
}

/// Attaches to a ring: [`Opening::open`].
pub(super) fn open(path: &Path, claims: Claims, options: &NamedOptions) -> Result<Ring, NamedProblem> {
    Opening { path, claims, options, patience: PATIENCE }.open()
}

/// Attaches to a ring, or to one that it makes: [`Opening::open_or_create`].
pub(super) fn open_or_create(path: &Path, claims: Claims, options: &NamedOptions) -> Result<Ring, NamedProblem> {
    Opening { path, claims, options, patience: PATIENCE }.open_or_create()
}

impl Opening<'_> {
    /// Makes a ring, and attaches to it.
    ///
    /// # Errors
    ///
    /// [`NamedProblem::Exists`] if the name is taken; else why there is none now.
    pub(crate) fn create(&self) -> Result<Ring, NamedProblem> {
        let capacity = self.options.capacity.unwrap_or(RingOptions::default().capacity);
        if !capacity.is_power_of_two() || !(RingOptions::MIN_CAPACITY..=RingOptions::MAX_CAPACITY).contains(&capacity) {
            return Err(NamedProblem::NoCapacity { asked: capacity });
        }
        let names = self.options.table.map(names::first).transpose()?.flatten();
        let means = Means::get()?;
        let identity = Identity {
            capacity: capacity as u64,
            claims: self.claims,
            key: random_number()?,
            boot: means.observer.boot(),
        };
        let named = named::create(self.path, self.options.mode, identity.file_len() as usize, |region| {
            drop(Ring::new(region.behind(CONTROL), identity.capacity, 0, identity.key));
            if let Some(update) = &names {
                Names { region, at: NAMES }.write(update);
            }
            identity.write(region);
        })?;
        self.attach(named, &identity, means)
    }

    /// Attaches to the ring that is there.
    ///
    /// # Errors
    ///
    /// Why not. Nothing of it has changed.
    pub(crate) fn open(&self) -> Result<Ring, NamedProblem> {
        let found = named::open::<{ identity::LEN }>(self.path)?;
        let identity = Identity::read(&found.start, found.len)?;
        let means = Means::get()?;
        if is_of_another_boot(&identity, &means.observer) {
            return Err(NamedProblem::OtherBoot);
        }
        match (identity.claims, self.claims) {
            (Claims::One, Claims::Many) => return Err(NamedProblem::ForOneWriter),
            (Claims::Many, Claims::One) => return Err(NamedProblem::ForManyWriters),
            _ => {}
        }
        if let Some(asked) = self.options.capacity.filter(|asked| *asked as u64 != identity.capacity) {
            return Err(NamedProblem::Capacity { found: identity.capacity, asked });
        }
        let named = found.map(identity.file_len() as usize)?;
        self.attach(named, &identity, means)
    }

    /// Attaches to the ring that is there, or to the one that it makes. One that was made before the machine was
    /// started anew is nobody's any more, and makes room for that.
    ///
    /// # Errors
    ///
    /// As those of [`open`](Self::open) and [`create`](Self::create).
    pub(crate) fn open_or_create(&self) -> Result<Ring, NamedProblem> {
        for _ in 0..TURNS {
            match self.open() {
                Err(NamedProblem::Missing | NamedProblem::Removed | NamedProblem::Replaced) => {}
                Err(NamedProblem::OtherBoot) => self.remove_if_of_another_boot()?,
                done => return done,
            }
            match self.create() {
                Err(NamedProblem::Exists | NamedProblem::Removed | NamedProblem::Replaced) => {}
                done => return done,
            }
        }
        self.open()
    }

    pub(super) fn remove_if_of_another_boot(&self) -> Result<(), NamedProblem> {
        let found = match named::open::<{ identity::LEN }>(self.path) {
            Err(Refusal::Missing) => return Ok(()),
            found => found?,
        };
        if !is_of_another_boot(&Identity::read(&found.start, found.len)?, &Observer::of_this_process()) {
            return Ok(());
        }
        let named = found.map(identity::LEN)?;
        // Two that do this at once: what the first one makes under the name is not for the second to remove.
        let _lock = named.lock(self.patience)?;
        match named.check_name() {
            Err(Refusal::Removed | Refusal::Replaced) => Ok(()),
            there => Ok(there.and_then(|()| named::remove(self.path))?),
        }
    }

    pub(super) fn attach(&self, named: Named, identity: &Identity, means: Means) -> Result<Ring, NamedProblem> {
        let secret = random_number()?;
        let look = Look::at(named, ATTACHMENTS, means.observer, identity.boot);
        let lock = look.named().lock(self.patience)?;
        // It may have been removed since it was found, and then nobody else would come.
        look.named().check_name()?;
        let names = Names { region: look.region(), at: NAMES };
        let update = self.options.table.map(|table| names.united_with(table)).transpose()?.flatten();
        let (number, byte) = look.find_place()?;
        if let Some(update) = &update {
            names.write(update);
        }
        let owner = look.take(number);
        drop(lock);
        let ring = look.region().behind(CONTROL);
        let others = Box::new(Attachment::of(owner, look, byte, means.mark.clone()));
        let sharing = Sharing { mark: means.mark, others };
        Ok(Ring::shared(ring, identity.capacity, (identity.key, secret), owner, sharing))
    }
}

/// Whether nobody who ever used it can be alive.
fn is_of_another_boot(identity: &Identity, observer: &Observer) -> bool {
    identity.boot != observer.boot() && identity.boot != 0 && observer.boot() != 0
}

/// Removes the ring of this name, of whatever version it is. Those who use it go on among themselves.
///
/// # Errors
///
/// [`NamedProblem::NotARing`] if the file is none; it is left alone then.
pub(crate) fn remove(path: &Path) -> Result<(), NamedProblem> {
    if named::open::<8>(path)?.start != MAGIC {
        return Err(NamedProblem::NotARing);
    }
    Ok(named::remove(path)?)
}

fn random_number() -> Result<u64, NamedProblem> {
    random::number().map_err(|error| NamedProblem::Io { action: "get a random number for it", error })
}
