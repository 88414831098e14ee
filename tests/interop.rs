//! The bank example against Messi's own programs, in C and in Python: the kit in `tests/interop/`, once it is built.
//!
//! Without the kit nothing is tested and the reason is printed; with `NOTHING_SKIPPED=1`, as after
//! `source ci/tools.sh`, that is a failure. Both sides of each pair check all that they are told, so both must say
//! PASS.

#![cfg(all(target_os = "linux", not(miri)))] // The peers are made for epoll.

#[path = "support/example.rs"]
mod example;
#[path = "support/skip.rs"]
mod skip;

use example::{Process, ROOT, command};
use skip::skip;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// Whether the part of the kit whose setup leaves the file `ready` is there; where not, the test says so.
fn is_built(ready: &str) -> bool {
    let built = std::env::var("INTEROP_DIR").unwrap_or_else(|_| "/tmp/messi-interop".to_owned());
    let is_built = Path::new(&built).join(ready).is_file();
    if !is_built {
        skip(&format!("no {ready} in {built}; tests/interop/setup.sh and setup-v1.sh build the peers"));
    }
    is_built
}

fn peer(program: &str, wire: &str, port: &str) -> Process {
    let mut command = Command::new(Path::new(ROOT).join("tests/interop").join(program));
    command.arg(port);
    if wire != "v2" {
        command.env("WIRE", wire);
    }
    Process::start(command)
}

fn bank(side: &str, wire: &str, port: &str) -> Process {
    let mut command = command("bank");
    command.args([side, port, "--wire", wire]);
    Process::start(command)
}

#[track_caller]
fn both_pass(pair: [Process; 2]) {
    let [(one, first), (other, second)] = pair.map(Process::end);
    let pass = |printed: &[String]| printed.last().is_some_and(|line| line.starts_with("PASS"));
    assert!(one.success() && other.success() && pass(&first) && pass(&second), "{first:#?}\n{second:#?}");
}

/// Our server and this client.
fn serves(client: &str, wire: &str) {
    let mut server = bank("server", wire, "0");
    let port = server.wait_for("READY");
    let client = peer(client, wire, &port);
    both_pass([server, client]);
}

/// The C server and our client.
fn visits(wire: &str) {
    // The C server takes no port 0. One that is free now may be taken a moment later: then another one.
    for _ in 0..10 {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
        let port = free.port().to_string();
        let mut server = peer("peer-server", wire, &port);
        if server.line().starts_with("READY") {
            return both_pass([server, bank("client", wire, &port)]);
        }
    }
    panic!("the C server listens nowhere");
}

#[test]
fn serves_the_c_client() {
    if is_built("ready") {
        serves("peer-client", "v2");
    }
}

#[test]
fn serves_the_python_client() {
    if is_built("ready") {
        serves("peer-client-py", "v2");
    }
}

#[test]
fn visits_the_c_server() {
    if is_built("ready") {
        visits("v2");
    }
}

#[test]
fn serves_the_c_client_of_messi_0_11() {
    if is_built("ready-v1") {
        serves("peer-client", "v1b");
    }
}

#[test]
fn visits_the_c_server_of_messi_0_11() {
    if is_built("ready-v1") {
        visits("v1b");
    }
}

#[test]
fn serves_the_c_client_of_messi_0_7() {
    if is_built("ready-v1") {
        serves("peer-client", "v1a");
    }
}

#[test]
fn visits_the_c_server_of_messi_0_7() {
    if is_built("ready-v1") {
        visits("v1a");
    }
}
