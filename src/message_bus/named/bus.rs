//! A [`CircularBus`] that has a name.

use super::error::NamedError;
use super::file::{self, Opening, PATIENCE};
use super::options::{Claims, NamedOptions};
use crate::message_bus::circular_bus::CircularBus;
use crate::message_bus::ring::claim::{Claim, OneWriter};
use crate::message_bus::ring::memory::Ring;
use crate::message_bus::ring::shared::Shared;
use crate::message_bus::ring::times::Times;
use crate::message_bus::wait::WaitStrategy;
use crate::sync::Arc;
use std::path::Path;

/// Rings that processes share by a name. Each of these calls makes an attachment, the unit of ownership: clones of the
/// bus share it, and what is taken through it is given back when it has ended, in whatever way.
impl CircularBus {
    /// Makes a ring for any number of writers that has this name.
    ///
    /// # Errors
    ///
    /// [`NamedError`]: there is no new file then.
    pub(crate) fn create(path: impl AsRef<Path>, options: NamedOptions) -> Result<Self, NamedError> {
        attached(path.as_ref(), Claims::Many, &options, |opening| opening.create())
    }

    /// Opens the ring of this name.
    ///
    /// # Errors
    ///
    /// [`NamedError`]: the file is as it was.
    pub(crate) fn open(path: impl AsRef<Path>, options: NamedOptions) -> Result<Self, NamedError> {
        attached(path.as_ref(), Claims::Many, &options, |opening| opening.open())
    }

    /// Opens the ring of this name, or makes it. Of many that do so at once one makes it.
    ///
    /// # Errors
    ///
    /// [`NamedError`]: the file is as it was.
    pub(crate) fn open_or_create(path: impl AsRef<Path>, options: NamedOptions) -> Result<Self, NamedError> {
        attached(path.as_ref(), Claims::Many, &options, |opening| opening.open_or_create())
    }

    /// Removes the ring of this name. Those who use it go on among themselves.
    ///
    /// # Errors
    ///
    /// [`NamedError`]: the file is as it was.
    pub(crate) fn remove(path: impl AsRef<Path>) -> Result<(), NamedError> {
        let path = path.as_ref();
        file::remove(path).map_err(NamedError::at(path))
    }
}

impl CircularBus<OneWriter> {
    /// As [`CircularBus::create`], for one writer at a time of all processes.
    ///
    /// # Errors
    ///
    /// As [`CircularBus::create`].
    pub(crate) fn create_one_writer(path: impl AsRef<Path>, options: NamedOptions) -> Result<Self, NamedError> {
        attached(path.as_ref(), Claims::One, &options, |opening| opening.create())
    }

    /// As [`CircularBus::open`], for one writer at a time of all processes.
    ///
    /// # Errors
    ///
    /// As [`CircularBus::open`].
    pub(crate) fn open_one_writer(path: impl AsRef<Path>, options: NamedOptions) -> Result<Self, NamedError> {
        attached(path.as_ref(), Claims::One, &options, |opening| opening.open())
    }

    /// As [`CircularBus::open_or_create`], for one writer at a time of all processes.
    ///
    /// # Errors
    ///
    /// As [`CircularBus::open_or_create`].
    pub(crate) fn open_or_create_one_writer(path: impl AsRef<Path>, options: NamedOptions) -> Result<Self, NamedError> {
        attached(path.as_ref(), Claims::One, &options, |opening| opening.open_or_create())
    }
}

fn attached<C: Claim, W: WaitStrategy>(
    path: &Path,
    claims: Claims,
    options: &NamedOptions,
    open: impl FnOnce(&Opening<'_>) -> Result<Ring, super::error::Problem>,
) -> Result<CircularBus<C, W>, NamedError> {
    let ring = open(&Opening { path, claims, options, patience: PATIENCE }).map_err(NamedError::at(path))?;
    let times = Times { silence: options.silent_after, ..Times::default() };
    let shared = Arc::new(Shared::new(ring, (), times));
    // What the former owner of the place has left, and others who died where nobody was waiting.
    shared.heal();
    Ok(CircularBus::of(shared))
}
