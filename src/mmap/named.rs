//! A file that processes share by its name: made, opened, locked, watched over, removed. What is in it is the caller's.
//!
//! It is **made** whole before it has its name, with space for all of it, because a page that finds none when it is
//! touched is a signal. Of many that make it one wins, and the others open what it made; one that is killed leaves
//! nothing. It is **opened** only if it is a file, never through a link, and its first bytes are the caller's to judge
//! before anything is mapped.
//!
//! There are two **locks**, which know nothing of each other. `flock` is for the moments in which one opener changes
//! what the others rely on. And each that shares the file may hold a byte far behind its end, as a sign of life:
//! [`ByteLock`].

use super::Region;
use super::draft::{Draft, handle};
use super::file;
use super::refusal::{Refusal, name_of};
use crate::sync::nap;
use rustix::fs::{FlockOperation, Mode, OFlags, flock, major, minor};
use rustix::io::Errno;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A file that is open, mapped, and was found by its name.
#[derive(Debug)]
pub(crate) struct Named {
    /// Absolute: the process may go to another directory.
    path: PathBuf,
    file: File,
    region: Region,
}

/// A file that was found by its name and begins with `start`. Nothing of it is mapped yet.
#[derive(Debug)]
pub(crate) struct Found<const N: usize> {
    path: PathBuf,
    file: File,
    pub(crate) len: u64,
    pub(crate) start: [u8; N],
}

/// Makes a file of `len` bytes, zeros, that those may use whom `mode` lets, has `write` fill it, and gives it its name.
///
/// # Errors
///
/// [`Refusal::Exists`] if that is taken meanwhile; else why it could not be made. Nothing is left then.
pub(crate) fn create(path: &Path, mode: u32, len: usize, write: impl FnOnce(&Region)) -> Result<Named, Refusal> {
    let path = absolute(path)?;
    let draft = Draft::new(&path, mode).map_err(Refusal::of("make it"))?;
    file::allocate(draft.file(), 0, len as u64).map_err(Refusal::of("make space for it"))?;
    let region = file::map(draft.file(), len).map_err(Refusal::of("map it"))?;
    write(&region);
    let file = draft.link(&path).map_err(Refusal::of("give it its name"))?;
    Ok(Named { path, file, region })
}

/// Opens the file at `path` and reads its first bytes.
///
/// # Errors
///
/// [`Refusal::TooShort`] if there are less than that; else why it is no file to share. It is as it was.
pub(crate) fn open<const N: usize>(path: &Path) -> Result<Found<N>, Refusal> {
    open_for(OFlags::RDWR, path)
}

/// As [`open`], by whoever may and will only read it.
///
/// # Errors
///
/// As those of [`open`].
pub(crate) fn open_to_read<const N: usize>(path: &Path) -> Result<Found<N>, Refusal> {
    open_for(OFlags::RDONLY, path)
}

fn open_for<const N: usize>(access: OFlags, path: &Path) -> Result<Found<N>, Refusal> {
    let (path, refused) = (absolute(path)?, Refusal::of("open it"));
    // What is no file is not even opened: to some devices that alone means something.
    is_file(&fs::symlink_metadata(&path).map_err(&refused)?)?;
    let file = open_at(&path, access).map_err(|error| match error {
        Errno::LOOP => Refusal::NotAFile { found: "a symbolic link" },
        error => refused(error.into()),
    })?;
    let metadata = file.metadata().map_err(&refused)?;
    is_file(&metadata)?;
    let (len, mut start) = (metadata.len(), [0; N]);
    if len < N as u64 {
        return Err(Refusal::TooShort { len, least: N as u64 });
    }
    file.read_exact_at(&mut start, 0).map_err(Refusal::of("read it"))?;
    Ok(Found { path, file, len, start })
}

/// Takes the name `path` from a file. Whoever uses it goes on.
///
/// # Errors
///
/// [`Refusal::NotAFile`] if it is the name of something else, which then keeps it; else what the system says.
pub(crate) fn remove(path: &Path) -> Result<(), Refusal> {
    is_file(&fs::symlink_metadata(path).map_err(Refusal::of("look at it"))?)?;
    fs::remove_file(path).map_err(Refusal::of("remove it"))
}

fn absolute(path: &Path) -> Result<PathBuf, Refusal> {
    std::path::absolute(path).map_err(Refusal::of("find it"))
}

fn is_file(metadata: &Metadata) -> Result<(), Refusal> {
    if metadata.is_file() { Ok(()) } else { Err(Refusal::NotAFile { found: name_of(metadata.file_type()) }) }
}

/// Opens what is at `path`, waits for nobody, and follows no link at its end.
fn open_at(path: &Path, access: OFlags) -> Result<File, Errno> {
    let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map(File::from)
}

impl<const N: usize> Found<N> {
    /// Maps its first `len` bytes.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooShort`] if it is not as long; else what the system says.
    pub(crate) fn map(self, len: usize) -> Result<Named, Refusal> {
        if self.len < len as u64 {
            return Err(Refusal::TooShort { len: self.len, least: len as u64 });
        }
        let region = file::map(&self.file, len).map_err(Refusal::of("map it"))?;
        Ok(Named { path: self.path, file: self.file, region })
    }

    /// Reads what is in it at `offset`, as it is at some moment of the call.
    ///
    /// # Errors
    ///
    /// What the system says; an unexpected end if the file is not as long any more.
    pub(crate) fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(bytes, offset)
    }

    /// How long it is by now.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn len_now(&self) -> io::Result<u64> {
        self.file.metadata().map(|metadata| metadata.len())
    }

    /// As [`Named::is_byte_locked`].
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn is_byte_locked(&self, index: u8) -> io::Result<bool> {
        is_byte_locked(&self.file, index)
    }
}

impl Named {
    #[cfg(test)]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn region(&self) -> &Region {
        &self.region
    }

    /// Takes the lock of the whole file, which one opener has at a time, for as long as what is returned lives.
    /// Precondition: no other call through this very `Named` holds it; to the system they are one opener.
    ///
    /// # Errors
    ///
    /// [`Refusal::Busy`] if somebody else has it all the time up to `limit`; else what the system says.
    pub(crate) fn lock(&self, limit: Duration) -> Result<Lock<'_>, Refusal> {
        /// The system wakes nobody who also looks at the clock.
        const PAUSE: Duration = Duration::from_millis(1);
        let start = Instant::now();
        loop {
            if file::try_lock(&self.file).map_err(Refusal::of("lock it"))? {
                return Ok(Lock { file: &self.file });
            }
            if start.elapsed() >= limit {
                return Err(Refusal::Busy { holder: self.holder() });
            }
            nap(PAUSE);
        }
    }

    /// The process that holds the lock of the whole file, if the system says.
    fn holder(&self) -> Option<u32> {
        let (metadata, locks) = (self.file.metadata().ok()?, fs::read_to_string("/proc/locks").ok()?);
        holder_in(&locks, major(metadata.dev()), minor(metadata.dev()), metadata.ino())
    }

    /// Whether the file has no name any more. One system call.
    ///
    /// # Errors
    ///
    /// What the system says.
    #[cfg(test)]
    pub(crate) fn is_removed(&self) -> io::Result<bool> {
        self.file.metadata().map(|metadata| metadata.nlink() == 0)
    }

    /// Whether the name still leads to this file, as far as this process can see.
    ///
    /// # Errors
    ///
    /// [`Refusal::Removed`] if it leads nowhere, [`Refusal::Replaced`] if it leads elsewhere.
    pub(crate) fn check_name(&self) -> Result<(), Refusal> {
        use io::ErrorKind::{NotADirectory, NotFound};
        let own = self.file.metadata().map_err(Refusal::of("look at it"))?;
        match fs::symlink_metadata(&self.path) {
            Ok(there) if is_same(&there, &own) => Ok(()),
            Ok(_) => Err(Refusal::Replaced),
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) || own.nlink() == 0 => Err(Refusal::Removed),
            Err(_) => Ok(()),
        }
    }

    /// Takes the byte lock `index`. `None`: somebody else has it, or this process by an earlier call.
    ///
    /// # Errors
    ///
    /// [`Refusal::Replaced`] if the file can be found neither by this process's handle nor by its name; else what the
    /// system says.
    pub(crate) fn lock_byte(&self, index: u8) -> Result<Option<ByteLock>, Refusal> {
        let refused = Refusal::of("lock a byte of it");
        let file = self.open_again()?;
        match byte_lock(&file, libc::F_OFD_SETLK, index) {
            Ok(_) => Ok(Some(ByteLock { file })),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(refused(error)),
        }
    }

    /// Whether anybody has the byte lock `index`: another process, or this one. About a microsecond.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn is_byte_locked(&self, index: u8) -> io::Result<bool> {
        is_byte_locked(&self.file, index)
    }

    /// The same file through a handle that shares nothing with the first, whatever its name leads to now.
    fn open_again(&self) -> Result<File, Refusal> {
        let refused = Refusal::of("open it again");
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let again = rustix::fs::open(handle(&self.file), flags, Mode::empty()).map(File::from);
        // Without `/proc` there is the name.
        let again = again.or_else(|_| open_at(&self.path, OFlags::RDWR)).map_err(|error| refused(error.into()))?;
        let metadata = |file: &File| file.metadata().map_err(&refused);
        if is_same(&metadata(&again)?, &metadata(&self.file)?) { Ok(again) } else { Err(Refusal::Replaced) }
    }
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// The lock of a whole file.
#[derive(Debug)]
pub(crate) struct Lock<'a> {
    file: &'a File,
}

impl Drop for Lock<'_> {
    /// Not with the last copy of the handle: a forked child has one.
    fn drop(&mut self) {
        let _ = flock(self.file, FlockOperation::Unlock);
    }
}

/// The process of which `/proc/locks` says that it holds the `flock` of a file.
fn holder_in(locks: &str, major: u32, minor: u32, inode: u64) -> Option<u32> {
    let place = format!("{major:02x}:{minor:02x}:{inode}");
    // `1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF`. Who waits for one has an arrow in front of it, and processes
    // of other namespaces have no number.
    let holders = locks.lines().filter_map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
        [_, "FLOCK", _, _, pid, there, ..] if there == place => pid.parse().ok().filter(|pid| *pid != 0),
        _ => None,
    });
    holders.into_iter().next()
}

/// A byte far behind the end of a file that nobody else can lock while this lives: a sign of life. It ends with the
/// process, however that ends.
///
/// An open file description of its own has it ("OFD lock"). A lock of the classic kind would belong to the process, and
/// end when any of its code opens and closes the same file. A child that is forked shares the description: it keeps the
/// lock of a dead parent, and takes none from a living one by dropping its copy.
#[derive(Debug)]
pub(crate) struct ByteLock {
    #[cfg_attr(not(test), allow(dead_code, reason = "it ends with this"))]
    file: File,
}

#[cfg(test)]
impl ByteLock {
    /// What has the lock, for others to have it, too.
    pub(crate) fn into_handle(self) -> File {
        self.file
    }
}

/// Where byte locks begin: no file is as long.
const BYTE_LOCKS: i64 = 1 << 62;

/// Whether anybody has the byte lock `index` of a file through another handle than this.
fn is_byte_locked(file: &File, index: u8) -> io::Result<bool> {
    // No byte lock is taken through this handle, and those of others are all that the system tells of.
    byte_lock(file, libc::F_OFD_GETLK, index).map(|lock| lock.l_type != libc::F_UNLCK as libc::c_short)
}

/// Does `command` with the byte lock `index` by way of `file`, and says what came of it.
#[allow(unsafe_code)]
fn byte_lock(file: &File, command: libc::c_int, index: u8) -> io::Result<libc::flock64> {
    let mut lock = libc::flock64 {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: BYTE_LOCKS + i64::from(index),
        l_len: 1,
        l_pid: 0,
    };
    loop {
        // SAFETY: the descriptor is open as long as `file` is borrowed, and commands about such locks read and write
        // nothing but the one behind this pointer, which is ours.
        if unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut lock) } != -1 {
            return Ok(lock);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests;
