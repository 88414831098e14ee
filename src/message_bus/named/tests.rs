//! Rings that have names, as one process sees them, as children see them that are killed, and as it finds them.

use super::error::{NamedError, NamedProblem};
use super::options::NamedOptions;
use crate::message_bus::CircularBus;
use std::path::{Path, PathBuf};

mod attaching;
#[cfg(not(miri))]
mod forks;
mod looking;
mod processes;
mod refusals;
mod sharing;
mod waking;
#[cfg(not(miri))]
mod workers;

const CAPACITY: usize = 4096;

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ring");
    (directory, path)
}

fn of_capacity(capacity: usize) -> NamedOptions {
    NamedOptions { capacity: Some(capacity), ..NamedOptions::default() }
}

fn made(path: &Path) -> CircularBus {
    CircularBus::create(path, of_capacity(CAPACITY)).unwrap()
}

fn opened(path: &Path) -> CircularBus {
    CircularBus::open(path, NamedOptions::default()).unwrap()
}

fn names_in(directory: &tempfile::TempDir) -> Vec<std::ffi::OsString> {
    std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

fn problem<T: std::fmt::Debug>(result: Result<T, NamedError>) -> NamedProblem {
    result.unwrap_err().problem
}
