//! The thread that works for a journal in the background: how it is called, and that it ends. What it does is in
//! `keeper.rs`.

use crate::sync::{Arc, Condvar, Mutex, Thread, lock, spawn};
use std::fmt;
use std::io;

/// How the thread is called.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) wanted: Mutex<Wanted>,
    pub(crate) called: Condvar,
}

#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) grow: bool,
    pub(crate) tick: bool,
    pub(crate) save: bool,
    pub(crate) stop: bool,
}

impl Call {
    pub(crate) fn new() -> Call {
        Call { wanted: Mutex::new(Wanted::default()), called: Condvar::new() }
    }

    /// The file should grow.
    pub(crate) fn grow(&self) {
        lock(&self.wanted).grow = true;
        self.called.notify_all();
    }

    /// A snapshot is to be written.
    pub(crate) fn save(&self) {
        lock(&self.wanted).save = true;
        self.called.notify_all();
    }

    /// Somebody should keep the time.
    pub(crate) fn tick(&self) {
        let mut wanted = lock(&self.wanted);
        if !std::mem::replace(&mut wanted.tick, true) {
            drop(wanted);
            self.called.notify_all();
        }
    }

    fn stop(&self) {
        lock(&self.wanted).stop = true;
        self.called.notify_all();
    }
}

/// The thread. Dropping it ends it.
pub struct Background {
    call: Arc<Call>,
    thread: Option<Thread>,
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background").finish_non_exhaustive()
    }
}

impl Background {
    /// Starts a thread that does `work`, until it is called to stop.
    ///
    /// # Errors
    ///
    /// The system gave no thread.
    pub(crate) fn start(call: &Arc<Call>, work: impl FnOnce() + Send + 'static) -> io::Result<Background> {
        let thread = spawn("journal", work)?;
        Ok(Background { call: Arc::clone(call), thread: Some(thread) })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.call.stop();
        if let Some(thread) = self.thread.take() {
            // What is the user's is caught in it.
            let _ = thread.join();
        }
    }
}
