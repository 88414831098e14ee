//! For tests of what processes do to each other: this program as another process that runs one test, and waiting.

#[path = "../tests/support/skip.rs"]
mod skip;

pub(crate) use skip::skip;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take before it counts as hanging: far more than it needs on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// How a process is told what to do that runs one test only.
const TOLD: &str = "RUST_MESSENGER_TOLD";

/// What this process was told; `None` if it is nobody's child, and the test that asks has nothing to do.
pub(crate) fn told() -> Option<String> {
    std::env::var(TOLD).ok()
}

/// Returns when whoever started this process lets go of it.
pub(crate) fn wait_for_the_end() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// Waits until `is_so` holds.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        crate::sync::nap(Duration::from_millis(1));
    }
}

/// A process that is ended, and waited for, with this.
#[derive(Debug)]
pub(crate) struct Process(pub(crate) Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Process {
        Process(command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}")))
    }

    /// This test program as another process that runs one test, with something to tell it.
    pub(crate) fn that_runs<T: FnOnce()>(_: T, told: &str) -> Process {
        let (_program, test) = std::any::type_name::<T>().split_once("::").unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(TOLD, told);
        Process::start(command.stdin(Stdio::piped()).stdout(Stdio::null()))
    }

    /// Waits until `is_so` holds, for which the process must live.
    #[track_caller]
    pub(crate) fn wait_until(&mut self, what: &str, mut is_so: impl FnMut() -> bool) {
        wait_until(what, || {
            let end = self.0.try_wait().unwrap();
            is_so() || end.is_some_and(|end| panic!("{end}, and it was waited until {what}"))
        });
    }

    /// Ends it at once, and leaves it to be waited for: a zombie.
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
