//! A [`CircularBus`] that has a name.

use super::error::{NamedError, NamedProblem};
use super::file;
use super::options::{Claims, NamedOptions};
use super::stats::NamedStats;
use crate::message_bus::circular_bus::CircularBus;
use crate::message_bus::ring::claim::{Claim, OneWriter};
use crate::message_bus::ring::memory::Ring;
use crate::message_bus::ring::shared::Shared;
use crate::message_bus::ring::times::Times;
use crate::message_bus::wait::WaitStrategy;
use crate::sync::Arc;
use std::path::Path;

/// # Named rings
///
/// Rings that processes share by the name of a file (Linux; elsewhere each of these calls is
/// [`NamedProblem::Unsupported`]). All else about such a ring is as without a name. `/dev/shm` is a good place for it;
/// on a disk it works, too, and the system writes it out now and then for nothing. It stays until it is
/// [removed](Self::remove), and is worth nothing when the machine was started anew.
///
/// Each call makes an **attachment**, the unit of ownership. Clones of the bus share it, readers and writers keep it,
/// and one process may have several. What a dead process took through its attachments is given back within a second
/// of somebody's need: readers, taps, turns, places of writers, and messages that it had not finished, which nobody
/// sees then. A process that stands still (stopped, in a debugger) holds the ring as a slow reader does.
///
/// A ring has 64 attachments, 64 readers and 63 writers. [`close`](crate::traits::MessageBus::close) and
/// [`wake`](crate::traits::MessageBus::wake) are for the attachment that they are called on. A child that is forked has
/// none of this: each operation on what its parent attached says `Forked`.
///
/// Not covered: a process that is allowed to use the ring and writes into its file, or cuts it (SIGBUS); network file
/// systems.
///
/// ```
/// # #[cfg(all(target_os = "linux", not(miri)))] { // Miri maps no files.
/// use rust_messenger::traits::{MessageBus, Publish, Reader};
/// use rust_messenger::{CircularBus, NamedOptions};
///
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("orders.ring");
/// let bus = CircularBus::open_or_create(&path, NamedOptions::default())?;
/// let mut reader = bus.subscribe("example")?;
///
/// // In another process, as a rule.
/// let other = CircularBus::open(&path, NamedOptions::default())?;
/// other.writer()?.write_bytes(1, 2, b"hello")?;
/// assert_eq!(reader.read(|_, payload| payload.to_vec())?, b"hello");
///
/// CircularBus::remove(&path)?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl CircularBus {
    /// Makes a ring for any number of writers that has this name, and attaches to it. Nobody ever sees one that is half
    /// made, and a process that dies in this call leaves nothing. All its space is allocated now.
    ///
    /// ```
    /// # #[cfg(all(target_os = "linux", not(miri)))] { // Miri maps no files.
    /// use rust_messenger::traits::{MessageBus, Publish, Reader};
    /// use rust_messenger::{CircularBus, NamedOptions};
    ///
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("orders.ring");
    /// let bus = CircularBus::create(&path, NamedOptions { capacity: Some(1 << 16), ..NamedOptions::default() })?;
    /// let mut reader = bus.subscribe("books")?;
    ///
    /// // In another process, as a rule.
    /// let same = CircularBus::open(&path, NamedOptions::default())?;
    /// same.writer()?.write_bytes(1, 2, b"hello")?;
    /// assert_eq!(reader.read(|_, payload| payload.to_vec())?, b"hello");
    /// CircularBus::remove(&path)?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NamedError`]: there is no new file then. [`NamedProblem::Exists`] if the name is taken.
    pub fn create(path: impl AsRef<Path>, options: NamedOptions) -> Result<Self, NamedError> {
        attached(path.as_ref(), Claims::Many, &options, file::create)
    }

    /// Attaches to the ring of this name. It follows no symbolic link.
    ///
    /// # Errors
    ///
    /// [`NamedError`]: the file is as it was. [`NamedProblem::Missing`] if there is none.
    pub fn open(path: impl AsRef<Path>, options: NamedOptions) -> Result<Self, NamedError> {
        attached(path.as_ref(), Claims::Many, &options, file::open)
    }

    /// Attaches to the ring of this name, or makes it. Of many that do so at once one makes it. One that was made
    /// before the machine was started anew is replaced.
    ///
    /// # Errors
    ///
    /// [`NamedError`]: the file is as it was.
    pub fn open_or_create(path: impl AsRef<Path>, options: NamedOptions) -> Result<Self, NamedError> {
        attached(path.as_ref(), Claims::Many, &options, file::open_or_create)
    }

    /// Removes the ring of this name, for how many writers and of what version it may be. Those who use it go on among
    /// themselves; whoever comes later does not find it.
    ///
    /// # Errors
    ///
    /// [`NamedError`]: the file is as it was. [`NamedProblem::NotARing`] if the file is none.
    pub fn remove(path: impl AsRef<Path>) -> Result<(), NamedError> {
        let path = path.as_ref();
        file::remove(path).map_err(NamedError::at(path))
    }
}

/// # Named rings for one writer
///
/// One writer at a time of all processes. Whoever wants to be the next one gets
/// [`NoWriter::Taken`](crate::traits::NoWriter::Taken) until the writer is dropped or its process is dead.
///
/// ```
/// # #[cfg(all(target_os = "linux", not(miri)))] { // Miri maps no files.
/// use rust_messenger::traits::{MessageBus, NoWriter};
/// use rust_messenger::{CircularBus, NamedOptions};
///
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("prices.ring");
/// let feed = CircularBus::create_one_writer(&path, NamedOptions::default())?;
/// let standby = CircularBus::open_one_writer(&path, NamedOptions::default())?;
///
/// let writer = feed.writer()?;
/// assert_eq!(standby.writer().unwrap_err(), NoWriter::Taken);
/// drop(writer);
/// assert!(standby.writer().is_ok());
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl CircularBus<OneWriter> {
    /// As [`CircularBus::create`], for one writer.
    ///
    /// # Errors
    ///
    /// As [`CircularBus::create`].
    pub fn create_one_writer(path: impl AsRef<Path>, options: NamedOptions) -> Result<Self, NamedError> {
        attached(path.as_ref(), Claims::One, &options, file::create)
    }

    /// As [`CircularBus::open`], for one writer.
    ///
    /// # Errors
    ///
    /// As [`CircularBus::open`].
    pub fn open_one_writer(path: impl AsRef<Path>, options: NamedOptions) -> Result<Self, NamedError> {
        attached(path.as_ref(), Claims::One, &options, file::open)
    }

    /// As [`CircularBus::open_or_create`], for one writer.
    ///
    /// # Errors
    ///
    /// As [`CircularBus::open_or_create`].
    pub fn open_or_create_one_writer(path: impl AsRef<Path>, options: NamedOptions) -> Result<Self, NamedError> {
        attached(path.as_ref(), Claims::One, &options, file::open_or_create)
    }
}

impl NamedStats {
    /// Looks at the ring of this name. It reads the file and does nothing else: the permission to read is enough, and
    /// those who use the ring notice nothing.
    ///
    /// # Errors
    ///
    /// [`NamedError`]: there is no ring, or none that this program can read.
    pub fn read(path: impl AsRef<Path>) -> Result<NamedStats, NamedError> {
        let path = path.as_ref();
        file::look(path).map_err(NamedError::at(path))
    }
}

#[cfg(all(test, target_os = "linux"))]
impl CircularBus {
    /// As [`CircularBus::open`], in other times.
    pub(super) fn open_in(path: &Path, times: Times) -> Self {
        attached_in_times(path, Claims::Many, &NamedOptions::default(), times, file::open).unwrap()
    }
}

fn attached<C: Claim, W: WaitStrategy>(
    path: &Path,
    claims: Claims,
    options: &NamedOptions,
    open: impl FnOnce(&Path, Claims, &NamedOptions) -> Result<Ring, NamedProblem>,
) -> Result<CircularBus<C, W>, NamedError> {
    let times = Times { silence: options.silent_after, ..Times::default() };
    attached_in_times(path, claims, options, times, open)
}

fn attached_in_times<C: Claim, W: WaitStrategy>(
    path: &Path,
    claims: Claims,
    options: &NamedOptions,
    times: Times,
    open: impl FnOnce(&Path, Claims, &NamedOptions) -> Result<Ring, NamedProblem>,
) -> Result<CircularBus<C, W>, NamedError> {
    // Before anything changes.
    let barrier = file::barrier().map_err(NamedError::at(path))?;
    let ring = open(path, claims, options).map_err(NamedError::at(path))?;
    let shared = Arc::new(Shared::across(ring, times, barrier));
    // What the former owner of the place has left, and others who died where nobody was waiting.
    shared.heal();
    Ok(CircularBus::of(shared))
}
