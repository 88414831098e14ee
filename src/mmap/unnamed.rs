//! What stands for files that processes share by their names, where there are none: `named.rs` of other systems.

use super::Region;
use super::refusal::Refusal;
use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::time::Duration;

/// There is none.
#[derive(Debug)]
pub(crate) struct Named(Infallible);

/// There is none.
#[derive(Debug)]
pub(crate) struct Found<const N: usize> {
    pub(crate) len: u64,
    pub(crate) start: [u8; N],
    none: Infallible,
}

/// There is none.
#[derive(Debug)]
pub(crate) struct Lock<'a>(Infallible, std::marker::PhantomData<&'a Named>);

/// There is none.
#[derive(Debug)]
pub(crate) struct ByteLock(Infallible);

/// # Errors
///
/// [`Refusal::Unsupported`].
pub(crate) fn create(_: &Path, _: u32, _: usize, _: impl FnOnce(&Region)) -> Result<Named, Refusal> {
    Err(Refusal::Unsupported)
}

/// # Errors
///
/// [`Refusal::Unsupported`].
pub(crate) fn open<const N: usize>(_: &Path) -> Result<Found<N>, Refusal> {
    Err(Refusal::Unsupported)
}

/// # Errors
///
/// [`Refusal::Unsupported`].
pub(crate) fn remove(_: &Path) -> Result<(), Refusal> {
    Err(Refusal::Unsupported)
}

impl<const N: usize> Found<N> {
    pub(crate) fn map(self, _: usize) -> Result<Named, Refusal> {
        match self.none {}
    }
}

impl Named {
    pub(crate) fn path(&self) -> &Path {
        match self.0 {}
    }

    pub(crate) fn region(&self) -> &Region {
        match self.0 {}
    }

    pub(crate) fn lock(&self, _: Duration) -> Result<Lock<'_>, Refusal> {
        match self.0 {}
    }

    pub(crate) fn is_removed(&self) -> io::Result<bool> {
        match self.0 {}
    }

    pub(crate) fn check_name(&self) -> Result<(), Refusal> {
        match self.0 {}
    }

    pub(crate) fn lock_byte(&self, _: u8) -> Result<Option<ByteLock>, Refusal> {
        match self.0 {}
    }

    pub(crate) fn is_byte_locked(&self, _: u8) -> io::Result<bool> {
        match self.0 {}
    }
}
