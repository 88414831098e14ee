//! The model of a region that loom can follow: every word an atomic of loom's, every payload byte watched for races.

use crate::sync::AtomicU64;
use std::cell::UnsafeCell;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

/// The model of mapped memory: one cell for each eight bytes. A clone is the same memory.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    cells: Arc<Cells>,
    from: usize,
}

#[derive(Debug)]
struct Cells {
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

/// A place in a model's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    cells: &'a Cells,
    at: usize,
}

/// Bytes that are lent for reading: a write to them before this is dropped is reported.
#[derive(Debug)]
pub(crate) struct Bytes<'a> {
    bytes: &'a [u8],
    _watched: Vec<loom::cell::ConstPtr<()>>,
}

impl<'a> From<&'a [u8]> for Bytes<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Bytes { bytes, _watched: Vec::new() }
    }
}

impl Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes
    }
}

impl Region {
    pub(crate) fn anonymous(len: usize) -> io::Result<Region> {
        let words = (0..len.div_ceil(8))
            .map(|_| Word { atomic: AtomicU64::new(0), watch: loom::cell::UnsafeCell::new(()) })
            .collect();
        let bytes = (0..len).map(|_| UnsafeCell::new(0)).collect();
        Ok(Region { cells: Arc::new(Cells { words, bytes, pace: loom::sync::Condvar::new() }), from: 0 })
    }

    /// As for mapped memory.
    pub(crate) fn behind(&self, offset: usize) -> Region {
        Region { cells: Arc::clone(&self.cells), from: self.from + offset }
    }

    /// The length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.cells.bytes.len() - self.from
    }

    /// As for mapped memory.
    #[cfg(unix)]
    pub(crate) fn snapshot(&self, offset: usize, bytes: &mut [u8]) {
        for (word, chunk) in bytes.chunks_mut(8).enumerate() {
            // SYNC POINT header.word
            let value = self.cells.words[(self.from + offset) / 8 + word].atomic.load(crate::sync::Ordering::Acquire);
            chunk.copy_from_slice(&value.to_ne_bytes()[..chunk.len()]);
        }
    }

    #[cfg(unix)]
    pub(crate) fn word(&self, offset: usize) -> &AtomicU64 {
        self.cells.word(self.from + offset)
    }

    /// # Safety
    ///
    /// None is needed here: a broken promise is a panic.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn place(&self, offset: usize) -> Place<'_> {
        Place { cells: &self.cells, at: self.from + offset }
    }
}

impl Cells {
    /// A point at which loom lets any other thread go first, without an effect on memory.
    ///
    /// Loom reorders only what it sees to be in conflict, and of each atomic it remembers one latest access: a thread
    /// that loads a word and then changes it hides its change from all who loaded the word before. Notifying one and
    /// the same condition variable is always in conflict with itself, so every access to the region is reordered with
    /// every other.
    fn pace(&self) {
        self.pace.notify_one();
    }

    fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8));
        self.pace();
        &self.words[offset / 8].atomic
    }

    fn watched(&self, offset: usize, len: usize) -> &[Word] {
        &self.words[offset / 8..(offset + len).div_ceil(8)]
    }
}

#[allow(unsafe_code)]
impl<'a> Place<'a> {
    /// # Safety
    ///
    /// As for mapped memory; here a broken promise is a panic.
    pub(crate) unsafe fn behind(self, offset: usize) -> Place<'a> {
        Place { at: self.at + offset, ..self }
    }

    /// # Safety
    ///
    /// As for mapped memory; here a broken promise is a panic, and loom reports plain writes to the same bytes that are
    /// not ordered with this look at them.
    pub(crate) unsafe fn word(self, offset: usize) -> &'a AtomicU64 {
        // Atomic accesses may meet each other but no plain write, which is what a reader means to the watch.
        let word = self.cells.word(self.at + offset);
        drop(self.cells.words[(self.at + offset) / 8].watch.get());
        word
    }

    /// Nothing that a model could see.
    pub(crate) fn prefetch_for_writing<const OFFSET: usize>(self) {}

    /// # Safety
    ///
    /// As for mapped memory; here loom reports a broken promise.
    pub(crate) unsafe fn bytes(self, offset: usize, len: usize) -> Bytes<'a> {
        let (cells, at) = (self.cells, self.at + offset);
        cells.pace();
        let watched = cells.watched(at, len).iter().map(|word| word.watch.get()).collect();
        // SAFETY: in bounds (indexed above), no writer (loom would have reported it).
        let bytes = unsafe { std::slice::from_raw_parts(cells.bytes.as_ptr().add(at).cast::<u8>(), len) };
        Bytes { bytes, _watched: watched }
    }

    /// # Safety
    ///
    /// As for mapped memory; here loom reports a broken promise.
    pub(crate) unsafe fn with_bytes_mut<R>(self, offset: usize, len: usize, f: impl FnOnce(&mut [u8]) -> R) -> R {
        let (cells, at) = (self.cells, self.at + offset);
        cells.pace();
        let watched: Vec<_> = cells.watched(at, len).iter().map(|word| word.watch.get_mut()).collect();
        // SAFETY: in bounds (indexed above), no other access (loom would have reported it).
        let result =
            f(unsafe { std::slice::from_raw_parts_mut(cells.bytes.as_ptr().add(at).cast::<u8>().cast_mut(), len) });
        drop(watched);
        result
    }
}
