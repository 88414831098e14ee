//! The bytes of one message while an encoder fills them: what it leaves unfilled, nobody sees.
//!
//! Bytes that were claimed hold an earlier message, and bytes that an encoder took as [`Space::spare`] may hold nothing
//! at all. So whoever lends them learns from the space itself that all of them are filled. A space that was leaked has
//! not told that, and then its owner zeroes the bytes.

use crate::traits::EncodeError;
use std::cell::Cell;
use std::io;
use std::mem::MaybeUninit;

/// The claimed bytes of one message. An encoder fills them from front to back. Before a reader can see them, `Space`
/// zeroes what the encoder left unfilled, also when it unwinds: no reader ever sees an earlier message's bytes.
///
/// As an [`io::Write`] it takes what fits, and then nothing.
///
/// ```
/// use rust_messenger::CircularBus;
/// use rust_messenger::traits::{MessageBus, Publish, Reader};
///
/// let bus = CircularBus::new(64 * 1024)?;
/// let mut reader = bus.subscribe("example")?;
/// bus.writer()?.fill(1, 2, 12, |space| {
///     space.put(b"ab")?;
///     space.put_each(4, |i| (i as u16).to_le_bytes())
/// })?;
/// assert_eq!(reader.try_read(|_, payload| payload.to_vec())?, b"ab\0\0\x01\0\x02\0\x03\0\0\0");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Space<'a> {
    bytes: &'a mut [MaybeUninit<u8>],
    filled: usize,
    /// Where the owner learns that all are filled. `None`: it does not ask, so nothing unfilled may come to be in them.
    whole: Option<&'a Cell<bool>>,
    /// What is lent as [`spare`](Self::spare) if the owner does not ask.
    aside: Vec<MaybeUninit<u8>>,
}

impl<'a> Space<'a> {
    /// All of `bytes`, unfilled. A bus passes it to [`Payload::fill`](crate::traits::Payload::fill).
    ///
    /// ```
    /// use rust_messenger::traits::{ExtendedMessage, Space};
    ///
    /// /// The bytes of a message, as a bus of one's own takes them.
    /// fn bytes_of(message: &impl ExtendedMessage) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    ///     let mut bytes = vec![0; message.get_size()];
    ///     message.encode(&mut Space::new(&mut bytes))?;
    ///     Ok(bytes)
    /// }
    /// ```
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Space { bytes: uninit(bytes), filled: 0, whole: None, aside: Vec::new() }
    }

    /// Lends all of `bytes`, unfilled, to `fill`. Afterwards, and when that unwinds, those that it left are zeroed, or,
    /// if it leaked the space, all of them.
    #[inline]
    pub(crate) fn lend<R>(bytes: &mut [u8], fill: impl FnOnce(&mut Space<'_>) -> R) -> R {
        let owner = Owner { bytes, whole: Cell::new(false) };
        let (bytes, whole) = (uninit(&mut *owner.bytes), Some(&owner.whole));
        fill(&mut Space { bytes, filled: 0, whole, aside: Vec::new() })
    }

    /// How many bytes are unfilled.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.filled
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    ///
    /// [`EncodeError::TooLong`] if they do not fit; it then writes none of them.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.room(bytes.len())?.copy_from_slice(bytes);
        self.filled += bytes.len();
        Ok(())
    }

    /// Appends `count` values of `N` bytes, made one after the other where they will lie.
    ///
    /// # Errors
    ///
    /// [`EncodeError::TooLong`] if they do not fit; it then writes none of them.
    #[inline]
    pub fn put_each<const N: usize>(
        &mut self,
        count: usize,
        mut value: impl FnMut(usize) -> [u8; N],
    ) -> Result<(), EncodeError> {
        let len = count.checked_mul(N).ok_or(EncodeError::TooLong { claimed: self.bytes.len() })?;
        let (places, _) = self.room(len)?.as_chunks_mut::<N>();
        for (i, place) in places.iter_mut().enumerate() {
            *place = value(i);
        }
        // Last: what was written before `value` unwinds does not count.
        self.filled += len;
        Ok(())
    }

    /// Zeroes the unfilled bytes, counts them as filled, and returns them.
    #[inline]
    pub fn zeroed(&mut self) -> &mut [u8] {
        let from = std::mem::replace(&mut self.filled, self.bytes.len());
        let rest = init(&mut self.bytes[from..]);
        rest.fill(0);
        rest
    }

    /// The unfilled bytes, to be written and then [counted](Self::assume_filled). They hold anything or nothing.
    #[inline]
    pub fn spare(&mut self) -> &mut [MaybeUninit<u8>] {
        if self.whole.is_some() {
            return &mut self.bytes[self.filled..];
        }
        self.aside.resize(self.remaining(), MaybeUninit::uninit());
        &mut self.aside
    }

    /// Counts the first `count` bytes of [`spare`](Self::spare) as filled.
    ///
    /// # Safety
    ///
    /// There are as many, and since `spare` last lent them, which was the last that was done with this space, all of
    /// them were written.
    #[inline]
    #[allow(unsafe_code)]
    pub unsafe fn assume_filled(&mut self, count: usize) {
        debug_assert!(count <= self.remaining());
        if self.whole.is_none() {
            self.bytes[self.filled..][..count].copy_from_slice(&self.aside[..count]);
        }
        self.filled += count;
    }

    /// The unfilled bytes as they are: for encoders of this crate that only write.
    #[inline]
    pub(crate) fn unfilled(&mut self) -> &mut [u8] {
        init(&mut self.bytes[self.filled..])
    }

    /// Counts `len` bytes of [`unfilled`](Self::unfilled) as filled.
    #[allow(dead_code, reason = "for encoders, each of which is a feature")]
    #[inline]
    pub(crate) fn advance(&mut self, len: usize) {
        debug_assert!(len <= self.remaining());
        self.filled += len;
    }

    /// The next `len` bytes, to be written.
    #[inline]
    fn room(&mut self, len: usize) -> Result<&mut [u8], EncodeError> {
        let claimed = self.bytes.len();
        self.unfilled().get_mut(..len).ok_or(EncodeError::TooLong { claimed })
    }
}

impl io::Write for Space<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.remaining());
        self.unfilled()[..len].copy_from_slice(&bytes[..len]);
        self.filled += len;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Space<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.remaining() != 0 {
            self.zeroed();
        }
        if let Some(whole) = self.whole {
            whole.set(true);
        }
    }
}

/// Whose bytes are lent as a [`Space`].
struct Owner<'a> {
    bytes: &'a mut [u8],
    whole: Cell<bool>,
}

impl Drop for Owner<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.whole.get() {
            self.bytes.fill(0);
        }
    }
}

/// Bytes as some that may hold nothing. Whoever has them sees to it that they hold something when that ends.
#[inline]
#[allow(unsafe_code)]
fn uninit(bytes: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    // SAFETY: of the same layout. What may be put into them and is no byte comes from `spare`, which lends the bytes of
    // an owner only, and that has them zeroed before anybody reads them.
    unsafe { &mut *(std::ptr::from_mut(bytes) as *mut [MaybeUninit<u8>]) }
}

/// The same bytes, of which only those are read that were written.
#[inline]
#[allow(unsafe_code)]
fn init(bytes: &mut [MaybeUninit<u8>]) -> &mut [u8] {
    // SAFETY: of the same layout; all callers write before they read.
    unsafe { &mut *(std::ptr::from_mut(bytes) as *mut [u8]) }
}

#[cfg(all(test, not(rust_messenger_loom)))]
mod tests {
    use super::*;
    use std::io::Write;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    /// What `fill` leaves in eight bytes that held something, whichever way they were lent.
    fn left(fill: impl Fn(&mut Space<'_>)) -> [u8; 8] {
        let (mut lent, mut own) = ([0xEE; 8], [0xEE; 8]);
        Space::lend(&mut lent, &fill);
        fill(&mut Space::new(&mut own));
        assert_eq!(lent, own);
        lent
    }

    #[test]
    fn what_is_not_filled_is_zeroed() {
        assert_eq!(left(|_| {}), [0; 8]);
        assert_eq!(left(|space| space.put(b"abc").unwrap()), *b"abc\0\0\0\0\0");
        assert_eq!(left(|space| space.write_all(b"abc").unwrap()), *b"abc\0\0\0\0\0");
        assert_eq!(left(|space| space.put_each(3, |i| [b'a', i as u8]).unwrap()), *b"a\0a\x01a\x02\0\0");
        // Written, and not counted.
        assert_eq!(left(|space| space.spare().fill(MaybeUninit::new(0xAA))), [0; 8]);
        assert_eq!(left(|space| space.spare().fill(MaybeUninit::uninit())), [0; 8]);
    }

    #[test]
    fn what_does_not_fit_is_not_written() {
        let too_long = Err(EncodeError::TooLong { claimed: 8 });
        let fill = |space: &mut Space<'_>| {
            assert_eq!(space.put(&[1; 9]), too_long);
            assert_eq!(space.put_each(5, |_| [1; 2]), too_long);
            assert_eq!(space.put_each(usize::MAX, |_| [1; 2]), too_long);
            assert_eq!(space.write(&[2; 9]).unwrap(), 8);
            assert_eq!(space.write(&[3]).unwrap(), 0);
            assert_eq!(space.put_each(1, |_| [1]), too_long);
        };
        assert_eq!(left(fill), [2; 8]);
    }

    #[test]
    #[allow(unsafe_code)]
    fn what_is_written_to_spare_bytes_and_counted_is_there() {
        let fill = |space: &mut Space<'_>| {
            space.put(b"ab").unwrap();
            assert_eq!(space.spare().len(), 6);
            space.spare()[..2].fill(MaybeUninit::new(b'c'));
            // SAFETY: two were just written.
            unsafe { space.assume_filled(2) };
            assert_eq!(space.remaining(), 4);
            space.put(b"d").unwrap();
        };
        assert_eq!(left(fill), *b"abccd\0\0\0");
    }

    #[test]
    fn a_fill_that_unwinds_leaves_zeros() {
        let mut bytes = [0xEE; 8];
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            Space::lend(&mut bytes, |space| {
                space.put(b"ab").unwrap();
                space.put_each(4, |i| if i < 2 { [0xAA] } else { resume_unwind(Box::new("not now")) })
            })
        }));
        assert!(unwound.is_err());
        assert_eq!(bytes, *b"ab\0\0\0\0\0\0");
    }

    #[test]
    fn a_space_that_is_leaked_leaves_zeros() {
        let mut bytes = [0xEE; 8];
        Space::lend(&mut bytes, |space| {
            space.put(b"ab").unwrap();
            space.spare().fill(MaybeUninit::uninit());
            std::mem::forget(std::mem::replace(space, Space::new(&mut [])));
        });
        assert_eq!(bytes, [0; 8]);
    }
}
