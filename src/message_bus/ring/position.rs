//! Positions: how many bytes of slots stand before a place, since the bus began. They are never reused, and wrap around
//! the end of u64 like everything that counts.

/// How far `position` is ahead of `other`.
#[inline(always)]
pub(crate) fn ahead(position: u64, other: u64) -> i64 {
    position.wrapping_sub(other) as i64
}

/// The one that comes first.
pub(crate) fn earlier(a: u64, b: u64) -> u64 {
    if ahead(a, b) <= 0 { a } else { b }
}

/// The one that comes last.
pub(crate) fn later(a: u64, b: u64) -> u64 {
    if ahead(a, b) >= 0 { a } else { b }
}
