//! What is known of the snapshots of a journal while it is open: which are wanted, where those stand that are there,
//! and what they keep from retention.

use super::snapshot::Saved;
use crate::message_bus::ring::control::ReaderIndex;
use crate::routing::TableWorker;
use crate::sync::{Mutex, lock};
use crate::traits::{Begin, Every, State};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Which snapshots are wanted, and what is known of them.
#[derive(Debug)]
pub(crate) struct Snapshots {
    /// How often, by the name of the worker.
    pub(crate) every: Vec<(&'static str, Every)>,
    pub(crate) state: Mutex<Keeping>,
}

#[derive(Debug, Default)]
pub(crate) struct Keeping {
    /// Where the journal is. `None`: in memory, where there are no snapshots.
    pub(crate) path: Option<PathBuf>,
    /// Where those stand that fit, in the first and the second file of each worker.
    pub(crate) standing: BTreeMap<&'static str, [Option<u64>; 2]>,
    /// The workers that run.
    pub(crate) workers: BTreeMap<ReaderIndex, Kept>,
    /// What is to be written.
    pub(crate) wanted: BTreeMap<&'static str, Saved>,
    /// What could not be written.
    pub(crate) failed: BTreeMap<&'static str, String>,
}

/// A worker whose handlers are kept.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) worker: &'static TableWorker<'static>,
    /// Where it begins, or would begin again.
    pub(crate) position: u64,
    pub(crate) begin: Begin,
    /// If it may be restarted: its newest states of this run, at `position`.
    pub(crate) newest: Option<Arc<Vec<State>>>,
}

impl Snapshots {
    pub(crate) fn new(every: Vec<(&'static str, Every)>) -> Snapshots {
        Snapshots { every, state: Mutex::new(Keeping::default()) }
    }

    /// How often this worker is kept; `None`: it is not.
    pub(crate) fn every(&self, worker: &str) -> Option<Every> {
        self.every.iter().rev().find(|(name, _)| *name == worker).map(|(_, every)| *every)
    }

    /// Where the older of a worker's two snapshots stands: with two of them no history before it is needed. `whole`:
    /// the history has its beginning, which is what there is besides a single one.
    pub(crate) fn pin(&self, worker: &str, whole: bool) -> Option<u64> {
        let standing = lock(&self.state).standing.get(worker).copied().unwrap_or_default();
        match standing {
            [Some(one), Some(other)] => Some(one.min(other)),
            [one, other] => {
                if whole {
                    None
                } else {
                    one.or(other)
                }
            }
        }
    }
}
