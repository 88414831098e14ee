//! Examples as processes.

// Each test crate compiles this file for itself and uses its own part of it.
#![allow(dead_code, unused_imports)]

#[path = "process.rs"]
mod process;

pub use process::{PATIENCE, Process};
use std::path::Path;
use std::process::Command;

pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// How to run an example with the features that this test has: all of them, for then it is built already and no test
/// waits for a compiler.
pub fn command(example: &str) -> Command {
    let features = [
        ("serde", cfg!(feature = "serde")),
        ("bincode", cfg!(feature = "bincode")),
        ("prost", cfg!(feature = "prost")),
        ("zero_copy", cfg!(feature = "zero_copy")),
        ("messi", cfg!(feature = "messi")),
        ("tls", cfg!(feature = "tls")),
        ("async", cfg!(feature = "async")),
    ];
    let on: Vec<&str> = features.iter().filter(|(_, is_on)| *is_on).map(|(name, _)| *name).collect();
    process::example(Path::new(ROOT), example, &on)
}
