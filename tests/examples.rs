//! Every example runs to its end and prints what it promises.
//!
//! `cargo test` builds the examples next to this test and they are run from there. When only this test was asked for
//! (`--test examples`), they may be missing or old; then cargo runs them.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, SystemTime};

/// An example that takes longer than this hangs. Most of it is for building it.
const PATIENCE: Duration = Duration::from_secs(300);

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

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

/// How to run an example: as it is, if it was built after the last change of what it is made from.
fn command(example: &str) -> Command {
    let build_dir = build_dir();
    let binary = build_dir.join("examples").join(format!("{example}{}", std::env::consts::EXE_SUFFIX));
    let root = Path::new(ROOT);
    let sources = newest(&root.join("src")).max(newest(&root.join("examples").join(format!("{example}.rs"))));
    if binary.is_file() && newest(&binary) >= sources {
        return Command::new(binary);
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(ROOT).args(["run", "--quiet", "--no-default-features", "--example", example]);
    cargo.arg("--target-dir").arg(build_dir.parent().expect("a profile's directory is in another one"));
    if build_dir.ends_with("release") {
        cargo.arg("--release");
    }
    for (feature, is_on) in [
        ("serde", cfg!(feature = "serde")),
        ("bincode", cfg!(feature = "bincode")),
        ("prost", cfg!(feature = "prost")),
        ("zero_copy", cfg!(feature = "zero_copy")),
    ] {
        if is_on {
            cargo.args(["--features", feature]);
        }
    }
    cargo
}

/// Runs an example. Returns what it printed.
///
/// # Panics
///
/// When the example fails, or hangs.
fn output_of(example: &str) -> String {
    let mut child = command(example).stdout(Stdio::piped()).spawn().expect("the example starts");
    let mut stdout = child.stdout.take().expect("it is piped");
    let (done, ended) = channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = stdout.read_to_string(&mut text).map(|_| text);
        // Nobody waits any more when it took too long.
        let _ = done.send(read);
    });
    let Ok(text) = ended.recv_timeout(PATIENCE) else {
        let _ = child.kill();
        panic!("example {example} hangs");
    };
    let text = text.expect("examples print text");
    let status = child.wait().expect("it has ended");
    assert!(status.success(), "example {example}: {status}, after it printed\n{text}");
    text
}

#[test]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot")]
fn serde_bincode() {
    let expected = "\
HandlerC received MessageA { val: 1 }
HandlerC received MessageA { val: 3 }
HandlerC received MessageA { val: 5 }
HandlerC received MessageA { val: 7 }
HandlerC received MessageA { val: 9 }
flowchart LR
";
    let output = output_of("serde_bincode");
    assert!(output.starts_with(expected), "{output}");
    assert!(output.contains(r#"WorkerA_handler_b -- "MessageA" --> WorkerB_handler_c"#), "{output}");
}

#[test]
#[cfg(all(feature = "serde", feature = "zero_copy"))]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot")]
fn zero_copy() {
    assert_eq!(output_of("zero_copy"), "buy at 99: 2 less than before\nbuy at 98: 5 less than before\n");
}

#[test]
#[cfg(feature = "prost")]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot")]
fn prost() {
    assert_eq!(output_of("prost"), "alarm at 31 C: 6 too warm\nalarm at 35 C: 10 too warm\nswitched off\n");
}

#[test]
#[cfg(feature = "serde")]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot")]
fn timers() {
    let expected = "beat 1\nbeat 2\nbeat 3\nbeat 4\nbeat 5\nsilence for 200ms: stopping\nthe watch ends\n";
    // A machine that stands still for longer than the watch is patient is taken for a heart that does.
    let mut outputs = (0..3).map(|_| output_of("timers"));
    assert!(outputs.any(|output| output == expected), "{}", output_of("timers"));
}

#[test]
#[cfg(feature = "serde")]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot")]
fn backpressure() {
    let output = output_of("backpressure");
    // Two threads print; what each prints is in order.
    for line in ["the sensor had to wait: yes", "archived 2000 of 2000 readings, in order", "unsent: 0, left: 0"] {
        assert!(output.lines().any(|printed| printed == line), "no line `{line}` in\n{output}");
    }
    let lag = output.lines().find_map(|line| line.strip_prefix("the archive was up to "));
    let lag = lag.and_then(|line| line.strip_suffix(" of 8192 bytes behind")).expect("a line with the lag");
    let lag: u64 = lag.parse().expect("a number");
    assert!((4096..=8192).contains(&lag), "{lag}");
}

#[test]
#[cfg(all(unix, feature = "serde"))]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot")]
fn persistent_replay() {
    let expected = "\
first process: recovered: 0 messages
first process: total 1
first process: total 2
first process: total 3
first process: total 4
first process: total 5
first process: killed
recovered: 10 messages
total 6
total 7
total 8
a counter that counts double:
recovered: 16 messages
worker Bank: handler counter failed: handler Counter (source 2) does not repeat what it sent on the message at 69632: \
it sent message 2 [01], now it sends message 2 [02]
";
    assert_eq!(output_of("persistent_replay"), expected);
}

/// An example without a test would not be run by anybody.
#[test]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot")]
fn every_example_has_a_test() {
    let this = include_str!("examples.rs");
    for entry in Path::new(ROOT).join("examples").read_dir().unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(this.contains(&format!("output_of(\"{name}\")")), "no test runs the example {name}");
    }
}
