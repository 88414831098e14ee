//! Bytes with an address: knows nothing of messages, slots or who may touch what when.
//!
//! A [`Region`] hands out two views of one memory. [`Region::word`] and [`Words`] give shared atomic words;
//! [`Place::bytes`] and [`Place::with_bytes_mut`] lend plain bytes, and leave it to the caller to prove that nobody
//! else touches them meanwhile. Everything in it is position independent. Under loom the same surface is made of model
//! cells (`model.rs`), because loom's atomics do not fit into mapped bytes.
//!
//! A region is mapped once and never moves. What grows under it is its [`Backing`]: a file (`file.rs`), or memory that
//! stands in for one (`growable.rs`). Bytes that the backing has not grown to must not be touched. What processes share
//! has a name instead, and is as long as it will ever be (`named.rs`).

#[cfg(not(rust_messenger_loom))]
mod anonymous;
#[cfg(all(test, unix, not(rust_messenger_loom)))]
pub(crate) mod crash;
#[cfg(all(unix, not(rust_messenger_loom)))]
pub(crate) mod draft;
#[cfg(all(unix, not(rust_messenger_loom)))]
pub(crate) mod file;
#[cfg_attr(
    not(all(target_os = "linux", not(rust_messenger_loom))),
    expect(dead_code, unused_imports, reason = "rings that processes share by name use it")
)]
pub(crate) mod fork;
pub(crate) mod futex;
#[cfg(unix)]
mod growable;
#[cfg(rust_messenger_loom)]
mod model;
#[cfg(all(target_os = "linux", not(rust_messenger_loom)))]
pub(crate) mod named;
#[allow(dead_code, reason = "rings that processes share by name use it, each system another part of it")]
pub(crate) mod refusal;
#[cfg(all(test, target_os = "linux", not(miri), not(rust_messenger_loom)))]
pub(crate) mod sandbox;
mod space;
mod words;

#[cfg(unix)]
pub(crate) use growable::{Backing, Memory};
#[cfg(not(rust_messenger_loom))]
pub(crate) use mapped::{Bytes, Place, Region};
#[cfg(rust_messenger_loom)]
pub(crate) use model::{Bytes, Place, Region};
pub use space::Space;
pub(crate) use words::{Entry, Front, Words};

#[cfg(not(rust_messenger_loom))]
#[allow(unsafe_code)]
mod mapped {
    use super::anonymous;
    use crate::sync::AtomicU64;
    use memmap2::MmapRaw;
    use std::io;
    use std::marker::PhantomData;
    use std::ops::Deref;
    use std::sync::Arc;

    /// Mapped memory of fixed address and length. Pages are aligned to at least 4096 bytes. A clone is the same memory.
    #[derive(Clone, Debug)]
    pub(crate) struct Region {
        base: *mut u8,
        len: usize,
        /// The offset of the last whole word: a bound that is checked with one comparison.
        last_word: usize,
        /// Keeps the mapping alive; all access goes through `base`.
        #[cfg_attr(not(unix), allow(dead_code, reason = "only file memory asks for it"))]
        mapping: Arc<MmapRaw>,
    }

    /// Out of line and by value: a message that is put together where it may be needed costs a store at every word.
    #[cold]
    #[inline(never)]
    fn no_word(offset: usize) -> ! {
        panic!("no word at {offset}");
    }

    // SAFETY: the mapping belongs to no thread and is only reached through `base`: either as atomic words, which may
    // be shared, or as plain bytes, for which the callers of the unsafe methods prove exclusive or read-only access.
    unsafe impl Send for Region {}
    // SAFETY: as for `Send`; no method of `&Region` touches memory non-atomically without such a proof.
    unsafe impl Sync for Region {}

    impl Region {
        /// Private zeroed memory of `len` bytes, present before the first message needs it.
        ///
        /// # Errors
        ///
        /// What the system says when it has no such memory to give.
        pub(crate) fn anonymous(len: usize) -> io::Result<Region> {
            anonymous::map(len).map(Region::of)
        }

        pub(super) fn of(mapping: MmapRaw) -> Region {
            let (base, len) = (mapping.as_mut_ptr(), mapping.len());
            // A page has many words.
            Region { base, len, last_word: len / 8 * 8 - 8, mapping: Arc::new(mapping) }
        }

        /// The same memory without its first `offset` bytes, a multiple of 8.
        ///
        /// # Panics
        ///
        /// If there are not as many and a word more: a bug of the caller.
        pub(crate) fn behind(&self, offset: usize) -> Region {
            assert!(offset.is_multiple_of(8) && offset + 8 <= self.len);
            // SAFETY: in bounds, checked above.
            let base = unsafe { self.base.add(offset) };
            let mapping = Arc::clone(&self.mapping);
            Region { base, len: self.len - offset, last_word: self.last_word - offset, mapping }
        }

        /// The length in bytes.
        pub(crate) fn len(&self) -> usize {
            self.len
        }

        /// What it is mapped by.
        #[cfg(unix)]
        pub(super) fn mapping(&self) -> &MmapRaw {
            &self.mapping
        }

        /// Copies bytes out of memory that others may be writing to, as they are at some moment of the call.
        ///
        /// # Panics
        ///
        /// If the bytes do not lie in the region at multiples of 8.
        #[cfg(unix)]
        pub(crate) fn snapshot(&self, offset: usize, bytes: &mut [u8]) {
            for (word, chunk) in bytes.chunks_mut(8).enumerate() {
                let value = self.word(offset + 8 * word).load(crate::sync::Ordering::Acquire); // SYNC POINT header.word
                chunk.copy_from_slice(&value.to_ne_bytes()[..chunk.len()]);
            }
        }

        /// The atomic word at `offset` bytes.
        ///
        /// # Panics
        ///
        /// If the word is not aligned or not inside the region: a bug of the caller, never of a user's input.
        #[inline]
        pub(crate) fn word(&self, offset: usize) -> &AtomicU64 {
            if !offset.is_multiple_of(8) || offset > self.last_word {
                no_word(offset);
            }
            // SAFETY: aligned and in bounds, checked above.
            unsafe { self.place(offset).word(0) }
        }

        /// The place at `offset` bytes, without asking.
        ///
        /// # Safety
        ///
        /// `offset` is a multiple of 8, and less than the length of the region.
        #[inline(always)]
        pub(crate) unsafe fn place(&self, offset: usize) -> Place<'_> {
            debug_assert!(offset.is_multiple_of(8) && offset < self.len);
            Place {
                // SAFETY: in bounds by the caller's promise.
                at: unsafe { self.base.add(offset) },
                #[cfg(any(debug_assertions, test))]
                region: self,
                region_lives: PhantomData,
            }
        }
    }

    /// Bytes that are lent for reading, or that nobody else has.
    #[derive(Debug)]
    pub(crate) struct Bytes<'a>(&'a [u8]);

    impl<'a> From<&'a [u8]> for Bytes<'a> {
        #[inline(always)]
        fn from(bytes: &'a [u8]) -> Self {
            Bytes(bytes)
        }
    }

    impl Deref for Bytes<'_> {
        type Target = [u8];

        #[inline(always)]
        fn deref(&self) -> &[u8] {
            self.0
        }
    }

    /// Bytes at an address inside a region: what is computed once for all that is done there. Aligned to 8.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Place<'a> {
        at: *mut u8,
        #[cfg(any(debug_assertions, test))]
        region: &'a Region,
        region_lives: PhantomData<&'a Region>,
    }

    impl<'a> Place<'a> {
        /// The place `offset` bytes behind this one.
        ///
        /// # Safety
        ///
        /// `offset` is a multiple of 8, and leads to no further than the end of the region.
        #[inline(always)]
        pub(crate) unsafe fn behind(self, offset: usize) -> Place<'a> {
            // SAFETY: in bounds by the caller's promise.
            Place { at: unsafe { self.at.add(offset) }, ..self }
        }

        /// The atomic word `offset` bytes behind this place.
        ///
        /// # Safety
        ///
        /// `offset` is a multiple of 8, and the region has 8 bytes there.
        #[inline(always)]
        pub(crate) unsafe fn word(self, offset: usize) -> &'a AtomicU64 {
            self.check(offset, 8);
            #[cfg(all(test, unix))]
            super::crash::touched(self.region);
            // SAFETY: in bounds and aligned by the caller's promise, since the base is page aligned; the mapping lives
            // as long as `'a`; every bit pattern is an `AtomicU64`, and plain access to the same bytes never runs at
            // the same time (the promise of `bytes` and `with_bytes_mut`).
            unsafe { AtomicU64::from_ptr(self.at.add(offset).cast::<u64>()) }
        }

        /// Asks the processor to fetch the cache line `OFFSET` bytes behind this place for writing, where it can be
        /// asked. Changes no byte and waits for nothing; a line outside the region is no error.
        #[inline(always)]
        pub(crate) fn prefetch_for_writing<const OFFSET: usize>(self) {
            // SAFETY: a prefetch is a hint: it accesses no memory in the sense of the language, faults at no address,
            // and leaves stack and flags alone. Processors of 64 bits without `prefetchw` take it for a no-op.
            #[cfg(all(target_arch = "x86_64", not(miri)))]
            unsafe {
                std::arch::asm!("prefetchw [{} + {}]", in(reg) self.at, const OFFSET, options(nostack, preserves_flags, readonly));
            }
            // SAFETY: as above.
            #[cfg(all(target_arch = "aarch64", not(miri)))]
            unsafe {
                std::arch::asm!("prfm pstl1keep, [{}, #{}]", in(reg) self.at, const OFFSET, options(nostack, preserves_flags, readonly));
            }
        }

        /// Lends `len` bytes from `offset` bytes behind this place on for reading.
        ///
        /// # Safety
        ///
        /// The region has these bytes, and nobody writes to them while they are lent.
        #[inline(always)]
        pub(crate) unsafe fn bytes(self, offset: usize, len: usize) -> Bytes<'a> {
            self.check(offset, len);
            // SAFETY: in bounds and free of writers by the caller's promise; mapped memory is always initialised.
            Bytes(unsafe { std::slice::from_raw_parts(self.at.add(offset), len) })
        }

        /// Lends `len` bytes from `offset` bytes behind this place on for writing.
        ///
        /// # Safety
        ///
        /// The region has these bytes, and until `f` returns nobody else reads or writes them in any way.
        #[inline(always)]
        pub(crate) unsafe fn with_bytes_mut<R>(self, offset: usize, len: usize, f: impl FnOnce(&mut [u8]) -> R) -> R {
            self.check(offset, len);
            // SAFETY: in bounds and exclusive by the caller's promise; mapped memory is always initialised.
            f(unsafe { std::slice::from_raw_parts_mut(self.at.add(offset), len) })
        }

        /// In builds that check: `len` bytes at `offset` lie in the region.
        #[inline(always)]
        fn check(self, offset: usize, len: usize) {
            #[cfg(any(debug_assertions, test))]
            {
                let from = self.at.addr() - self.region.base.addr() + offset;
                assert!(from + len <= self.region.len, "{len} bytes at {from} of {}", self.region.len);
            }
            let _ = (offset, len);
        }
    }
}
