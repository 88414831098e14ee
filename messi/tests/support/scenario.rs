//! The bank scenario of `tests/interop/README.md`: two programs, each of which says PASS or FAIL at its end.

use super::process::Process;
use super::{repository, skip};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// Plays it: a server that prints `READY PORT`, and a client for that port.
#[track_caller]
pub fn play(server: Command, client: impl FnOnce(&str) -> Command) {
    let mut server = Process::start(server);
    let port = server.wait_for("READY");
    both_pass([server, Process::start(client(&port))]);
}

#[track_caller]
fn both_pass(pair: [Process; 2]) {
    let pair = pair.map(Process::end);
    let passes = |printed: &[String]| printed.last().is_some_and(|line| line.starts_with("PASS"));
    assert!(pair.iter().all(|(status, printed)| status.success() && passes(printed)), "{pair:#?}");
}

/// Plays it with the server of Messi's own. Does nothing where that is not built.
#[track_caller]
pub fn visit_messi(wire: &str, client: impl FnOnce(&str) -> Command) {
    // It takes no port 0. One that is free now may be taken a moment later: then another one.
    for _ in 0..10 {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
        let port = free.port().to_string();
        let Some(server) = messi_peer("peer-server", wire, &port) else { return };
        let mut server = Process::start(server);
        if server.line().starts_with("READY") {
            return both_pass([server, Process::start(client(&port))]);
        }
    }
    panic!("Messi's server listens nowhere");
}

/// A program of Messi's own, if they are built. With `NOTHING_SKIPPED=1`, as after `source ci/tools.sh`, they must be.
pub fn messi_peer(program: &str, wire: &str, port: &str) -> Option<Command> {
    let built = std::env::var("INTEROP_DIR").unwrap_or_else(|_| "/tmp/messi-interop".to_owned());
    let ready = if wire == "v2" { "ready" } else { "ready-v1" };
    if !Path::new(&built).join(ready).is_file() {
        let reason = format!("no {ready} in {built}; tests/interop/setup.sh and setup-v1.sh build Messi's peers");
        skip(&reason);
        return None;
    }
    let mut command = Command::new(repository("tests/interop").join(program));
    command.arg(port).env_remove("WIRE");
    if wire != "v2" {
        command.env("WIRE", wire);
    }
    Some(command)
}
