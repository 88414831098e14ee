//! What the compiler says to a table, an id or a message that is wrong: each case in `tests/ui/fail` has its message in
//! a `.stderr` file beside it.
//!
//! The words are the compiler's as much as ours, so the files belong to one series of toolchains. To write them anew,
//! run `TRYBUILD=overwrite cargo test --all-features --test ui`, and read every line of the difference: the caret is on
//! the user's own word, and the note says what to do.

use std::io::{Write, stderr};
use std::process::Command;

/// The series whose words are in the `.stderr` files.
const PINNED: &str = "rustc 1.95.";

#[test]
#[cfg_attr(miri, ignore = "starts processes, which Miri cannot")]
fn mistakes_are_explained() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().expect("a compiler").stdout;
    let version = String::from_utf8_lossy(&version);
    if !version.starts_with(PINNED) {
        // Past the test harness, which keeps what a test prints to itself unless the test fails.
        let version = version.trim();
        let _ = writeln!(stderr(), "tests/ui.rs skipped: its messages are those of {PINNED}*, this is {version}");
        return;
    }
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
