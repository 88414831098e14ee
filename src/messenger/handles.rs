//! The workers of a messenger in the hands of the thread that ran it: as threads, or to step.

use super::lifecycle::Ending;
use super::outcome::{Failure, RunError, StartError, Summary};
use super::worker::{Drive, Step};
use std::fmt;
use std::sync::Arc;
use std::thread;

/// The running workers of a messenger. Dropping it stops the messenger and waits for the workers.
#[must_use = "dropping the handles stops the messenger"]
pub struct JoinHandles {
    /// Or why there is nothing to join, until that is said.
    pub(super) running: Result<Running, Option<StartError>>,
}

pub(super) struct Running {
    pub(super) threads: Vec<thread::JoinHandle<()>>,
    pub(super) ending: Arc<dyn Ending>,
    pub(super) joined: bool,
}

impl fmt::Debug for JoinHandles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandles").field("started", &self.running.is_ok()).finish_non_exhaustive()
    }
}

impl JoinHandles {
    /// Waits until every worker has ended; after a [`stop`](super::Messenger::stop), at most until the deadline of
    /// [`Options::drain`].
    ///
    /// # Errors
    ///
    /// [`RunError`]: a handler panicked, failed or did not return, an outbox overflowed, or the start failed. It holds
    /// the summary, too.
    ///
    /// [`Options::drain`]: super::Options::drain
    pub fn join(mut self) -> Result<Summary, RunError> {
        match &mut self.running {
            Ok(running) => {
                running.join_threads();
                running.ending.conclude()
            }
            Err(error) => {
                let failure = error.take().map(Failure::of_start);
                Err(RunError { failures: failure.into_iter().collect(), summary: Summary::default() })
            }
        }
    }

    /// Whether every worker has ended.
    pub fn is_finished(&self) -> bool {
        self.running.as_ref().is_ok_and(|running| running.ending.is_over()) || self.running.is_err()
    }
}

impl Running {
    fn join_threads(&mut self) {
        self.joined = true;
        self.ending.wait();
        let over = self.ending.is_over();
        for thread in self.threads.drain(..) {
            // A thread whose handler does not return is left behind. Panics were caught in the worker.
            if over || thread.is_finished() {
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.joined {
            self.ending.stop();
            self.join_threads();
        }
    }
}

/// The workers of a messenger without threads. Dropping it ends them without draining.
pub struct Workers {
    pub(super) workers: Vec<Box<dyn Drive>>,
    /// How many of them had ended when they were stepped last.
    pub(super) ended: usize,
    pub(super) ending: Arc<dyn Ending>,
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("workers", &self.workers.len()).finish_non_exhaustive()
    }
}

impl Workers {
    /// The workers, in the order of the table. Step them in any order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut dyn Drive> {
        self.workers.iter_mut().map(|worker| &mut **worker as &mut dyn Drive)
    }

    /// Steps every worker once. Returns [`Step::Worked`] if one of them worked, [`Step::Finished`] if all have ended,
    /// and otherwise [`Step::Idle`].
    pub fn step(&mut self) -> Step {
        let (mut worked, mut ended) = (false, 0);
        for worker in &mut self.workers {
            match worker.step() {
                Step::Worked => worked = true,
                Step::Idle => {}
                Step::Finished => ended += 1,
            }
        }
        // Whoever ends gives back what the others may wait for.
        worked |= std::mem::replace(&mut self.ended, ended) != ended;
        if ended == self.workers.len() {
            Step::Finished
        } else if worked {
            Step::Worked
        } else {
            Step::Idle
        }
    }

    /// Ends the workers that have not ended, and returns the summary.
    ///
    /// # Errors
    ///
    /// As [`JoinHandles::join`].
    pub fn conclude(self) -> Result<Summary, RunError> {
        drop(self.workers);
        self.ending.conclude()
    }
}
