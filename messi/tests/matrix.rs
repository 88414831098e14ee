//! C, Python and Rust, each with each: the bank scenario of `tests/interop/README.md` over real sockets, with clients
//! and servers of one .proto file. Both sides check all that they are told, so both must say PASS.

#![cfg(target_os = "linux")] // What the C output is for.

mod support;

use std::path::Path;
use std::process::Command;
use support::*;

/// One side of the bank in one language: the command that plays it, but for the port.
type Play = fn(&Path, &str) -> Option<Command>;

const LANGUAGES: [(&str, Play); 3] = [("C", c), ("Python", python), ("Rust", rust)];

fn bank_proto() -> String {
    repository("tests/interop/bank.proto").to_str().unwrap().to_owned()
}

fn c(directory: &Path, side: &str) -> Option<Command> {
    if !nanopb() {
        return None;
    }
    let out = directory.join("c");
    generate(directory, &["generate_c_source", "-o", out.to_str().unwrap(), &bank_proto()]);
    let program = directory.join(format!("bank_{side}"));
    let sources = files(&out).into_keys().filter(|path| path.extension().is_some_and(|extension| extension == "c"));
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1", "-g", "-I."]).current_dir(&out);
    gcc.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
    gcc.args(sources).arg(package().join("tests/bank/c").join(side).with_extension("c"));
    run(gcc.arg("-o").arg(&program).arg("-lprotobuf-nanopb"), true);
    Some(Command::new(program))
}

fn python(directory: &Path, side: &str) -> Option<Command> {
    if !tool("python3", &["-c", "import google.protobuf"]) {
        return None;
    }
    let out = directory.join("python");
    generate(directory, &["generate_py_source", "-o", out.to_str().unwrap(), &bank_proto()]);
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", out).arg(package().join("tests/bank/python").join(side).with_extension("py"));
    Some(python)
}

fn rust(_: &Path, side: &str) -> Option<Command> {
    // Whatever has to be built is built before the other side's time runs.
    let _ = process::example(&repository(""), "bank", &["messi"]).arg("no such side").output();
    let mut bank = process::example(&repository(""), "bank", &["messi"]);
    bank.arg(side);
    Some(bank)
}

/// Plays the scenario, if both languages are here.
fn play(server: (&str, Play), client: (&str, Play)) {
    let directory = tempfile::tempdir().unwrap();
    let sides = (server.1(directory.path(), "server"), client.1(directory.path(), "client"));
    let (Some(mut server_command), Some(mut client_command)) = sides else { return };
    println!("{} server, {} client", server.0, client.0);
    server_command.arg("0");
    scenario::play(server_command, |port| {
        client_command.arg(port);
        client_command
    });
}

#[test]
fn nine_pairs() {
    // Most of the time they wait, so each server has its three clients while the others have theirs.
    std::thread::scope(|scope| {
        for server in LANGUAGES {
            scope.spawn(move || LANGUAGES.into_iter().for_each(|client| play(server, client)));
        }
    });
}
