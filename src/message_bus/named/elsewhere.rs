//! Rings by their names where there are none: `file.rs` of other systems.

use super::error::NamedProblem;
use super::options::{Claims, NamedOptions};
use super::stats::NamedStats;
use crate::message_bus::ring::memory::Ring;
use crate::sync::Barrier;
use std::path::Path;

const UNSUPPORTED: NamedProblem = NamedProblem::Unsupported { what: "rings that processes share by name (Linux has)" };

pub(super) fn barrier() -> Result<Barrier, NamedProblem> {
    Err(UNSUPPORTED)
}

pub(super) fn create(_: &Path, _: Claims, _: &NamedOptions) -> Result<Ring, NamedProblem> {
    Err(UNSUPPORTED)
}

pub(super) fn open(_: &Path, _: Claims, _: &NamedOptions) -> Result<Ring, NamedProblem> {
    Err(UNSUPPORTED)
}

pub(super) fn open_or_create(_: &Path, _: Claims, _: &NamedOptions) -> Result<Ring, NamedProblem> {
    Err(UNSUPPORTED)
}

pub(super) fn remove(_: &Path) -> Result<(), NamedProblem> {
    Err(UNSUPPORTED)
}

pub(super) fn look(_: &Path) -> Result<NamedStats, NamedProblem> {
    Err(UNSUPPORTED)
}
