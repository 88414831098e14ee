//! The model of a region that loom can follow: every word an atomic of loom's, every payload byte watched for races.

use crate::sync::AtomicU64;
use std::cell::UnsafeCell;
use std::io;

/// The model of mapped memory: one cell for each eight bytes.
#[derive(Debug)]
pub(crate) struct Region {
    words: Vec<Word>,
    /// The plain bytes. Loom cannot watch raw memory, so each access is announced to the words' `watch` cells.
    bytes: Box<[UnsafeCell<u8>]>,
}

#[derive(Debug)]
struct Word {
    atomic: AtomicU64,
    watch: loom::cell::UnsafeCell<()>,
}

#[allow(unsafe_code)]
// SAFETY: loom runs one thread at a time, and reports two accesses to a watched word that are not ordered.
unsafe impl Send for Region {}
#[allow(unsafe_code)]
// SAFETY: as for `Send`.
unsafe impl Sync for Region {}

impl Region {
    pub(crate) fn anonymous(len: usize) -> io::Result<Region> {
        let words = (0..len.div_ceil(8))
            .map(|_| Word { atomic: AtomicU64::new(0), watch: loom::cell::UnsafeCell::new(()) })
            .collect();
        Ok(Region { words, bytes: (0..len).map(|_| UnsafeCell::new(0)).collect() })
    }

    pub(crate) fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(offset % 8 == 0);
        &self.words[offset / 8].atomic
    }

    /// # Safety
    ///
    /// As for mapped memory; here a broken promise is a panic.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn word_unchecked(&self, offset: usize) -> &AtomicU64 {
        self.word(offset)
    }

    /// # Safety
    ///
    /// As for mapped memory; here loom reports a broken promise.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn with_bytes<R>(&self, offset: usize, len: usize, f: impl FnOnce(&[u8]) -> R) -> R {
        let watched: Vec<_> = self.watched(offset, len).iter().map(|word| word.watch.get()).collect();
        // SAFETY: in bounds (indexed above), no writer (loom would have reported it).
        let result = f(unsafe { std::slice::from_raw_parts(self.bytes.as_ptr().add(offset).cast::<u8>(), len) });
        drop(watched);
        result
    }

    /// # Safety
    ///
    /// As for mapped memory; here loom reports a broken promise.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn with_bytes_mut<R>(&self, offset: usize, len: usize, f: impl FnOnce(&mut [u8]) -> R) -> R {
        let watched: Vec<_> = self.watched(offset, len).iter().map(|word| word.watch.get_mut()).collect();
        // SAFETY: in bounds (indexed above), no other access (loom would have reported it).
        let result =
            f(unsafe { std::slice::from_raw_parts_mut(self.bytes.as_ptr().add(offset).cast::<u8>().cast_mut(), len) });
        drop(watched);
        result
    }

    fn watched(&self, offset: usize, len: usize) -> &[Word] {
        &self.words[offset / 8..(offset + len).div_ceil(8)]
    }
}
