//! File memory: a reservation that is mapped once, and a file that grows under it.
//!
//! Touching mapped bytes that have no space on the disk is a signal, not an error. So space is allocated first, by the
//! one call that cannot promise it falsely, and only then are the bytes used.

use super::{Backing, Region};
use memmap2::MmapOptions;
use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// How much the fallback writes at a time.
const ZEROS: usize = 64 * 1024;

/// Maps `len` bytes of `file`, however long it is now.
///
/// # Errors
///
/// What the system says.
pub(crate) fn map(file: &File, len: usize) -> io::Result<Region> {
    MmapOptions::new().len(len).map_raw(file).map(Region::of)
}

/// Takes the one lock of `file`. False: it has been taken through another handle.
///
/// # Errors
///
/// What the system says.
pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    match retried(|| flock(file, FlockOperation::NonBlockingLockExclusive)) {
        Err(Errno::WOULDBLOCK) => Ok(false),
        done => Ok(done.map(|()| true)?),
    }
}

/// How a file gets space: the system's way, or a test's that fails when it is told to.
pub(crate) type Allocate = fn(&File, u64, u64) -> Result<(), Errno>;

/// A file as the backing of a region.
#[derive(Debug)]
pub(crate) struct FileBacking {
    file: File,
    allocate: Allocate,
}

impl FileBacking {
    pub(crate) fn new(file: File) -> FileBacking {
        FileBacking { file, allocate: system_allocate }
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Takes the file's one lock, until this is dropped. False: somebody else has it.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn lock(&self) -> io::Result<bool> {
        try_lock(&self.file)
    }

    /// The same with another way to get space.
    #[cfg(test)]
    pub(crate) fn allocating(file: File, allocate: Allocate) -> FileBacking {
        FileBacking { file, allocate }
    }
}

impl Drop for FileBacking {
    /// A lock ends with the last copy of the file's handle, and a child that was forked and has not come to be another
    /// program yet has one.
    fn drop(&mut self) {
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

impl Backing for FileBacking {
    fn grow(&self, _: &Region, from: usize, to: usize) -> io::Result<()> {
        self.reserve(from, to)
    }

    #[cfg(target_os = "linux")]
    #[allow(unsafe_code)]
    fn populate(&self, region: &Region, from: usize, to: usize) {
        use rustix::mm::{Advice, madvise};
        assert!(from <= to && to <= region.len());
        let address = region.mapping().as_mut_ptr().wrapping_add(from).cast();
        // An older system costs its writers a page fault for each page.
        // SAFETY: the range is inside the mapping, and this advice changes no byte: it makes pages present that have
        // space.
        let _ = unsafe { madvise(address, to - from, Advice::LinuxPopulateWrite) };
    }

    fn reserve(&self, from: usize, to: usize) -> io::Result<()> {
        let before = self.file.metadata()?.len();
        let reserved = allocate_by(&self.file, from as u64, to as u64, self.allocate);
        if reserved.is_err() {
            // What was allocated of it is of no use to anybody, and nobody has touched it.
            let _ = self.file.set_len(before);
        }
        reserved
    }

    /// Not through the mapping: where the disk fails to read, that is an error and no signal.
    fn read(&self, _: &Region, offset: usize, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(bytes, offset as u64)
    }

    fn sync(&self, region: &Region, from: usize, to: usize) -> io::Result<()> {
        region.mapping().flush_range(from, to - from)?;
        // Elsewhere `msync` is all of it.
        if cfg!(target_vendor = "apple") {
            self.file.sync_data()?;
        }
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn punch(&self, _: &Region, from: usize, to: usize) -> io::Result<()> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        Ok(retried(|| fallocate(&self.file, flags, from as u64, (to - from) as u64))?)
    }

    #[cfg(not(target_os = "linux"))]
    fn punch(&self, _: &Region, _: usize, _: usize) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

fn system_allocate(file: &File, from: u64, to: u64) -> Result<(), Errno> {
    fallocate(file, FallocateFlags::empty(), from, to - from)
}

/// Asks again when a signal came in between.
fn retried(mut call: impl FnMut() -> Result<(), Errno>) -> Result<(), Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return done,
        }
    }
}

/// Gives the bytes of `file` from `from` to `to` space. A file system that cannot promise any is made to by zeros,
/// behind the end of the file only.
///
/// # Errors
///
/// What the system says.
pub(crate) fn allocate(file: &File, from: u64, to: u64) -> io::Result<()> {
    allocate_by(file, from, to, system_allocate)
}

fn allocate_by(file: &File, from: u64, to: u64, allocate: Allocate) -> io::Result<()> {
    // Past its limit a process gets a signal before it gets the error, and what a signal does is its user's to say.
    if getrlimit(Resource::Fsize).current.is_some_and(|limit| limit < to) && file.metadata()?.len() < to {
        return Err(Errno::FBIG.into());
    }
    match retried(|| allocate(file, from, to)) {
        Err(Errno::OPNOTSUPP) => write_zeros(file, from.max(file.metadata()?.len()), to),
        done => Ok(done?),
    }
}

fn write_zeros(file: &File, from: u64, to: u64) -> io::Result<()> {
    let zeros = [0; ZEROS];
    let mut at = from;
    while at < to {
        let len = (to - at).min(ZEROS as u64) as usize;
        file.write_all_at(&zeros[..len], at)?;
        at += len as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::{AtomicU64, Ordering};

    fn scratch() -> File {
        tempfile::tempfile().unwrap()
    }

    /// A file system without `fallocate` gets zeros instead, and an interrupted call is made again.
    #[test]
    #[cfg_attr(miri, ignore = "Miri knows no file mapping")]
    fn growing_without_fallocate_writes_zeros() {
        static CALLS: AtomicU64 = AtomicU64::new(0);
        let backing = FileBacking::allocating(scratch(), |_, _, _| match CALLS.fetch_add(1, Ordering::Relaxed) {
            0 => Err(Errno::INTR),
            _ => Err(Errno::OPNOTSUPP),
        });
        let region = map(&backing.file, 1 << 20).unwrap();
        backing.grow(&region, 0, 200_000 / 4096 * 4096).unwrap();
        assert_eq!(CALLS.load(Ordering::Relaxed), 2);
        assert_eq!(backing.file.metadata().unwrap().len(), 200_000 / 4096 * 4096);
        region.word(150_000).store(7, Ordering::Relaxed);
    }

    /// Zeros go behind the end of the file only: what is before it may be a message, or the page of one.
    #[test]
    #[cfg_attr(miri, ignore = "Miri knows no limit on files")]
    fn zeros_leave_what_is_there() {
        let backing = FileBacking::allocating(scratch(), |_, _, _| Err(Errno::OPNOTSUPP));
        let content = vec![7; ZEROS + 5000];
        backing.file.write_all_at(&content, 0).unwrap();
        let read = || {
            let mut bytes = vec![1; backing.file.metadata().unwrap().len() as usize];
            backing.file.read_exact_at(&mut bytes, 0).unwrap();
            bytes
        };
        // Of pages that are there, and of one that the end is in.
        for (from, to) in [(0, 4096), (ZEROS, ZEROS + 4096)] {
            backing.reserve(from, to).unwrap();
            assert!(read() == content, "changed by space for {from}..{to}");
        }
        let (from, to) = (content.len() / 4096 * 4096, ZEROS + (4 << 20));
        backing.reserve(from, to).unwrap();
        let bytes = read();
        assert_eq!(bytes.len(), to);
        assert!(bytes.starts_with(&content) && bytes[content.len()..].iter().all(|byte| *byte == 0));
    }

    /// What the system says is present of the mapping that begins at `base`, in KiB.
    #[cfg(target_os = "linux")]
    fn present(base: *mut u8) -> u64 {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let begin = format!("{:x}-", base as usize);
        let mut lines = maps.lines().skip_while(|line| !line.starts_with(&begin));
        let rss = lines.find_map(|line| line.strip_prefix("Rss:")).unwrap();
        rss.trim().trim_end_matches(" kB").parse().unwrap()
    }

    #[test]
    #[cfg(target_os = "linux")]
    #[cfg_attr(miri, ignore = "Miri knows no file mapping")]
    fn populating_makes_present_and_changes_nothing() {
        let backing = FileBacking::new(scratch());
        let region = map(&backing.file, 1 << 20).unwrap();
        backing.grow(&region, 0, 256 * 1024).unwrap();
        region.word(4096).store(7, Ordering::Relaxed);
        backing.populate(&region, 0, 256 * 1024);
        assert_eq!(present(region.mapping().as_mut_ptr()), 256);
        assert_eq!(region.word(4096).load(Ordering::Relaxed), 7);
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri knows no file mapping")]
    fn growing_without_space_changes_nothing() {
        let backing = FileBacking::allocating(scratch(), |file, _, to| {
            // As some file systems do: half of it is there when the rest fails.
            file.set_len(to - 4096).unwrap();
            Err(Errno::NOSPC)
        });
        backing.file.set_len(4096).unwrap();
        let region = map(&backing.file, 1 << 20).unwrap();
        let error = backing.grow(&region, 4096, 65536).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(backing.file.metadata().unwrap().len(), 4096);
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri knows no file mapping")]
    fn a_punched_page_reads_as_zeros_and_takes_no_space() {
        use std::os::unix::fs::MetadataExt;
        let backing = FileBacking::new(scratch());
        let region = map(&backing.file, 1 << 20).unwrap();
        backing.grow(&region, 0, 64 * 1024).unwrap();
        region.word(8192).store(7, Ordering::Relaxed);
        region.word(16384).store(7, Ordering::Relaxed);
        backing.sync(&region, 0, 64 * 1024).unwrap();
        let before = backing.file.metadata().unwrap().blocks();
        match backing.punch(&region, 4096, 12288) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => return,
            done => done.unwrap(),
        }
        assert_eq!(backing.file.metadata().unwrap().blocks(), before - 16);
        assert_eq!(region.word(8192).load(Ordering::Relaxed), 0);
        assert_eq!(region.word(16384).load(Ordering::Relaxed), 7);
    }
}
