//! The system's random source.

use std::io;

/// A number that nobody can foretell.
///
/// # Errors
///
/// The system gives no random numbers.
pub(crate) fn number() -> io::Result<u64> {
    Ok(getrandom::u64()?)
}
