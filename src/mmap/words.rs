//! Words whose offsets the compiler checks, in memory whose length is checked once.

use super::{Place, Region};
use crate::sync::AtomicU64;

/// A region with at least `LEN` bytes.
#[derive(Clone, Debug)]
pub(crate) struct Front<const LEN: usize>(Region);

impl<const LEN: usize> Front<LEN> {
    /// # Panics
    ///
    /// If the region has fewer bytes: a bug of the caller.
    pub(crate) fn of(region: Region) -> Front<LEN> {
        assert!(LEN != 0 && region.len() >= LEN, "a region of {} bytes where {LEN} are needed", region.len());
        Front(region)
    }

    /// The `PART` bytes of it at `OFFSET`. A part that does not fit does not compile.
    pub(crate) fn part<const OFFSET: usize, const PART: usize>(&self) -> Front<PART> {
        const { assert!(OFFSET.is_multiple_of(8) && PART != 0 && OFFSET + PART <= LEN) };
        Front(self.0.behind(OFFSET))
    }

    /// Its first words.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(crate) fn words(&self) -> Words<'_, LEN> {
        // SAFETY: it has `LEN` bytes, not none, which was checked when this was made.
        let place = unsafe { self.0.place(0) };
        Words { place }
    }
}

/// `LEN` bytes of a region, as words that all may share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'a, const LEN: usize> {
    /// Has `LEN` bytes.
    place: Place<'a>,
}

impl<'a, const LEN: usize> Words<'a, LEN> {
    /// The word at `OFFSET` bytes. An offset that is not one of a word does not compile.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(crate) fn at<const OFFSET: usize>(self) -> &'a AtomicU64 {
        const { assert!(OFFSET.is_multiple_of(8) && OFFSET + 8 <= LEN) };
        // SAFETY: aligned and in bounds, as the compiler has checked.
        unsafe { self.place.word(OFFSET) }
    }

    /// The words of an entry.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(crate) fn entry<const SIZE: usize>(self, entry: Entry<LEN, SIZE>) -> Words<'a, SIZE> {
        // SAFETY: aligned and in bounds, as checked when the entry was named.
        let place = unsafe { self.place.behind(entry.offset) };
        Words { place }
    }
}

/// An entry of `SIZE` bytes of a table that lies somewhere in `LEN` bytes: where it is, checked once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Entry<const LEN: usize, const SIZE: usize> {
    offset: usize,
    number: usize,
}

impl<const LEN: usize, const SIZE: usize> Entry<LEN, SIZE> {
    /// Entry `number` of the table of `COUNT` entries at `TABLE` bytes.
    ///
    /// # Panics
    ///
    /// If there is no such entry: a bug of the caller. A table that does not fit does not compile.
    #[inline(always)]
    pub(crate) fn of<const TABLE: usize, const COUNT: usize>(number: usize) -> Self {
        const { assert!(TABLE.is_multiple_of(8) && SIZE.is_multiple_of(8) && TABLE + COUNT * SIZE <= LEN) };
        assert!(number < COUNT, "no entry {number} of {COUNT}");
        Entry { offset: TABLE + number * SIZE, number }
    }

    #[inline(always)]
    pub(crate) fn number(self) -> usize {
        self.number
    }
}

#[cfg(all(test, not(rust_messenger_loom)))]
mod tests {
    use super::*;

    #[test]
    fn entries_follow_each_other_and_the_last_one_fits() {
        let front = Front::<4096>::of(Region::anonymous(4096).unwrap());
        let entry = |number| front.words().entry(Entry::<4096, 64>::of::<1024, 48>(number));
        let distance = |number| entry(number).at::<0>().as_ptr().addr() - front.words().at::<0>().as_ptr().addr();
        assert_eq!([0, 1, 47].map(distance), [1024, 1024 + 64, 4096 - 64]);
        assert_eq!(Entry::<4096, 64>::of::<1024, 48>(47).number(), 47);
    }

    #[test]
    #[should_panic(expected = "a region of 4096 bytes where 8192 are needed")]
    fn a_front_is_no_longer_than_its_region() {
        let _ = Front::<8192>::of(Region::anonymous(4096).unwrap());
    }

    #[test]
    #[should_panic(expected = "no entry 48 of 48")]
    fn there_is_no_entry_behind_the_last() {
        let _ = Entry::<4096, 64>::of::<1024, 48>(48);
    }
}
