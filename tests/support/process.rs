//! Programs as processes: how one is run, and what it prints.

// Each test crate compiles this file for itself and uses its own part of it.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, SystemTime};

/// A program that is silent for longer than this hangs. Most of it is for building it.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// The directory of the build that this test is part of: `target/debug` or its like.
fn build_dir() -> PathBuf {
    let this = std::env::current_exe().expect("a test has a path");
    this.parent().and_then(Path::parent).expect("tests are built in `deps`").to_owned()
}

fn newest(path: &Path) -> SystemTime {
    let modified = path.metadata().and_then(|data| data.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let entries = path.read_dir().into_iter().flatten().flatten();
    entries.map(|entry| newest(&entry.path())).fold(modified, SystemTime::max)
}

/// How to run an example of the package in `root`: as it is, if it was built after the last change of what it is made
/// from, and else by Cargo with these features.
pub fn example(root: &Path, example: &str, features: &[&str]) -> Command {
    let build_dir = build_dir();
    let binary = build_dir.join("examples").join(format!("{example}{}", std::env::consts::EXE_SUFFIX));
    let sources = ["src", "examples"].map(|path| newest(&root.join(path)));
    if binary.is_file() && sources.iter().all(|source| newest(&binary) >= *source) {
        return Command::new(binary);
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["run", "--quiet", "--no-default-features"]);
    cargo.arg("--target-dir").arg(build_dir.parent().expect("a profile's directory is in another one"));
    if build_dir.ends_with("release") {
        cargo.arg("--release");
    }
    cargo.args(features.iter().flat_map(|feature| ["--features", feature]));
    cargo.args(["--example", example, "--"]);
    cargo
}

/// A program that runs. Dropping it ends it.
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    /// What it has printed so far.
    pub printed: Vec<String>,
}

impl Process {
    /// # Panics
    ///
    /// When there is no such program.
    pub fn start(mut command: Command) -> Process {
        let name = format!("{command:?}");
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let stdout = child.stdout.take().expect("it is piped");
        let (printed, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                // Nobody listens any more when it took too long.
                let Ok(()) = printed.send(line.expect("programs print text")) else { return };
            }
        });
        let stdin = child.stdin.take();
        Process { name, child, stdin, lines, printed: Vec::new() }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn next_line(&mut self) -> Option<&str> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                self.printed.push(line);
                self.printed.last().map(String::as_str)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("{} hangs, after it printed {:#?}", self.name, self.printed),
        }
    }

    /// The next line.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[track_caller]
    pub fn line(&mut self) -> String {
        self.wait_for("")
    }

    /// What follows `start` on the next line that begins with it.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[track_caller]
    pub fn wait_for(&mut self, start: &str) -> String {
        while let Some(line) = self.next_line() {
            if let Some(rest) = line.strip_prefix(start) {
                return rest.trim().to_owned();
            }
        }
        panic!("{} ended without a line {start:?}, after it printed {:#?}", self.name, self.printed);
    }

    /// # Panics
    ///
    /// When it does not listen.
    pub fn type_line(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("nothing was typed after the end");
        writeln!(stdin, "{text}").and_then(|()| stdin.flush()).expect("it listens");
    }

    /// Waits for its end. Nothing more will be typed.
    ///
    /// # Panics
    ///
    /// When it hangs.
    pub fn end(mut self) -> (ExitStatus, Vec<String>) {
        self.stdin = None;
        while self.next_line().is_some() {}
        let status = self.child.wait().expect("it can be waited for");
        (status, std::mem::take(&mut self.printed))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
