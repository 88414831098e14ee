//! The model of a region that loom can follow: every word an atomic of loom's, every payload byte watched for races.

use crate::sync::AtomicU64;
use std::cell::UnsafeCell;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

/// The model of mapped memory: one cell for each eight bytes. A clone is the same memory.
#[derive(Clone, Debug)]
pub(crate) struct Region(Arc<Cells>);

#[derive(Debug)]
pub(crate) struct Cells {
    words: Vec<Word>,
    /// The plain bytes. Loom cannot watch raw memory, so each access is announced to the words' `watch` cells.
    bytes: Box<[UnsafeCell<u8>]>,
    /// Nobody ever waits on it: see [`Region::pace`].
    pace: loom::sync::Condvar,
}

#[derive(Debug)]
struct Word {
    atomic: AtomicU64,
    watch: loom::cell::UnsafeCell<()>,
}

#[allow(unsafe_code)]
// SAFETY: loom runs one thread at a time, and reports two accesses to a watched word that are not ordered.
unsafe impl Send for Cells {}
#[allow(unsafe_code)]
// SAFETY: as for `Send`.
unsafe impl Sync for Cells {}

impl Region {
    pub(crate) fn anonymous(len: usize) -> io::Result<Region> {
        let words = (0..len.div_ceil(8))
            .map(|_| Word { atomic: AtomicU64::new(0), watch: loom::cell::UnsafeCell::new(()) })
            .collect();
        let bytes = (0..len).map(|_| UnsafeCell::new(0)).collect();
        Ok(Region(Arc::new(Cells { words, bytes, pace: loom::sync::Condvar::new() })))
    }
}

impl Deref for Region {
    type Target = Cells;

    fn deref(&self) -> &Cells {
        &self.0
    }
}

impl Cells {
    /// The length in bytes.
    #[cfg(unix)]
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// As for mapped memory.
    #[cfg(unix)]
    pub(crate) fn snapshot(&self, offset: usize, bytes: &mut [u8]) {
        for (word, chunk) in bytes.chunks_mut(8).enumerate() {
            // SYNC POINT header.word
            let value = self.words[offset / 8 + word].atomic.load(crate::sync::Ordering::Acquire);
            chunk.copy_from_slice(&value.to_ne_bytes()[..chunk.len()]);
        }
    }

    /// A point at which loom lets any other thread go first, without an effect on memory.
    ///
    /// Loom reorders only what it sees to be in conflict, and of each atomic it remembers one latest access: a thread
    /// that loads a word and then changes it hides its change from all who loaded the word before. Notifying one and
    /// the same condition variable is always in conflict with itself, so every access to the region is reordered with
    /// every other.
    fn pace(&self) {
        self.pace.notify_one();
    }

    pub(crate) fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8));
        self.pace();
        &self.words[offset / 8].atomic
    }

    /// # Safety
    ///
    /// As for mapped memory; here a broken promise is a panic, and loom reports plain writes to the same bytes that are
    /// not ordered with this look at them.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn word_unchecked(&self, offset: usize) -> &AtomicU64 {
        // Atomic accesses may meet each other but no plain write, which is what a reader means to the watch.
        let word = self.word(offset);
        drop(self.words[offset / 8].watch.get());
        word
    }

    /// Nothing that a model could see.
    pub(crate) fn prefetch_for_writing(&self, _offset: usize) {}

    /// # Safety
    ///
    /// As for mapped memory; here loom reports a broken promise.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn with_bytes<R>(&self, offset: usize, len: usize, f: impl FnOnce(&[u8]) -> R) -> R {
        self.pace();
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
        self.pace();
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
