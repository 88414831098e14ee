//! Anonymous memory: zeroed, private to the process, gone with it.

use memmap2::{MmapOptions, MmapRaw};
use std::io;

/// Maps `len` bytes and touches every page, so that the first lap around a ring pays for no page fault.
pub(super) fn map(len: usize) -> io::Result<MmapRaw> {
    /// The smallest page of any supported system: touching more often than needed costs nothing that matters.
    const PAGE: usize = 4096;

    let mut mapping = MmapOptions::new().len(len).map_anon()?;
    for page in mapping.chunks_mut(PAGE) {
        // A plain store of zero could be dropped as having no effect on memory that is known to be zero.
        std::hint::black_box(page)[0] = 0;
    }
    Ok(MmapRaw::from(mapping))
}
