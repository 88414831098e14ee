//! What a test says that ends early, because this machine lacks what it needs.

use std::io::{Write, stderr};

/// Says why a test is skipped; with `NOTHING_SKIPPED=1`, as in CI, fails it instead.
///
/// # Panics
///
/// When nothing may be skipped.
#[track_caller]
pub fn skip(reason: &str) {
    assert!(std::env::var_os("NOTHING_SKIPPED").is_none_or(|value| value != "1"), "{reason}");
    // Past the test harness, which keeps what a test prints to itself unless the test fails.
    let _ = writeln!(stderr(), "skipped: {reason}");
}
