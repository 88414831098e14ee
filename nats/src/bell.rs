//! Where a bridge sleeps: the bus wakes it, and so does the server.

use rust_messenger::traits::Poller;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

/// A runtime of the thread that waits: what it runs goes on only during waits and calls.
pub(crate) struct Bell {
    rung: Clapper,
    runtime: Mutex<Runtime>,
}

/// What rings it. Tasks hold this one: one that held the bell would hold the runtime that holds the task.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clapper(Arc<Notify>);

impl Clapper {
    pub(crate) fn ring(&self) {
        self.0.notify_one();
    }
}

impl Bell {
    pub(crate) fn new() -> std::io::Result<Bell> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Bell { rung: Clapper::default(), runtime: Mutex::new(runtime) })
    }

    pub(crate) fn clapper(&self) -> Clapper {
        self.rung.clone()
    }

    /// Runs `future` to its end, and all else meanwhile.
    pub(crate) fn run<F: Future>(&self, future: F) -> F::Output {
        self.runtime.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).block_on(future)
    }
}

impl Poller for Bell {
    fn wait(&self, timeout: Option<Duration>) {
        let limit = timeout.unwrap_or(Duration::from_secs(60)); // It may return early.
        self.run(async {
            // Ends without a ring, too.
            let _ = tokio::time::timeout(limit, self.rung.0.notified()).await;
        });
    }

    /// Nothing runs the runtime between two looks, so none of them would hear the server.
    fn looks_first(&self) -> bool {
        false
    }

    fn notify(&self) {
        self.rung.ring();
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bell")
    }
}
