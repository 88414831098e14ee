//! What a region stands on: something that grows under it, can be told to keep its bytes, and gives them back.

use super::Region;
use crate::sync::Ordering;
use std::fmt::Debug;
use std::io;

/// What lies under a region. Offsets are those of the region; whole pages of 4096 bytes.
pub(crate) trait Backing: Debug + Send + Sync {
    /// Makes the bytes from `from` to `to` usable: there is space for them, and they are zero.
    ///
    /// Precondition: nobody touches these bytes yet, and everything before `from` was grown.
    ///
    /// # Errors
    ///
    /// What the system says; nothing has changed then.
    fn grow(&self, region: &Region, from: usize, to: usize) -> io::Result<()>;

    /// Makes usable bytes present as far as the system allows, so that touching them costs no page fault. Changes none
    /// of them, whoever is using them meanwhile.
    fn populate(&self, _region: &Region, _from: usize, _to: usize) {}

    /// Copies bytes from `offset` on, a multiple of 8, as they are at some moment of the call.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn read(&self, region: &Region, offset: usize, bytes: &mut [u8]) -> io::Result<()> {
        region.snapshot(offset, bytes);
        Ok(())
    }

    /// Has space for the bytes from `from` to `to`, whatever is in them; bytes behind the end are zero.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn reserve(&self, from: usize, to: usize) -> io::Result<()>;

    /// Returns when the bytes from `from` to `to` survive a power failure.
    ///
    /// # Errors
    ///
    /// What the system says. Some of the bytes may be lost for good then: trying again proves nothing.
    fn sync(&self, region: &Region, from: usize, to: usize) -> io::Result<()>;

    /// Gives the space of the bytes from `from` to `to` back. They read as zero from now on.
    ///
    /// # Errors
    ///
    /// What the system says, [`io::ErrorKind::Unsupported`] if it cannot do such a thing.
    fn punch(&self, region: &Region, from: usize, to: usize) -> io::Result<()>;
}

/// Memory that stands in for a file: it is as large as the region from the start, and gone with it.
#[derive(Debug)]
pub(crate) struct Memory;

impl Backing for Memory {
    /// What nobody has touched yet is zeros.
    fn grow(&self, region: &Region, _: usize, to: usize) -> io::Result<()> {
        if to > region.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn reserve(&self, _: usize, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self, _: &Region, _: usize, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn punch(&self, region: &Region, from: usize, to: usize) -> io::Result<()> {
        // By words: whoever still looks at a stamp there does so atomically.
        for offset in (from..to).step_by(8) {
            region.word(offset).store(0, Ordering::Relaxed);
        }
        Ok(())
    }
}
