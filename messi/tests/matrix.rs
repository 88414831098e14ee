//! C, Python and Rust, each with each: the bank scenario of `tests/interop/README.md` over real sockets, with clients
//! and servers of one .proto file. Both sides check all that they are told, so both must say PASS.

#![cfg(target_os = "linux")] // What the C output is for.

mod support;

use rust_messenger::message_bus::{Entry, Journal};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use support::process::Process;
use support::*;

/// One side of the bank in one language: the command that plays it, but for the port.
type Play = fn(&Path, &str) -> Option<Command>;

const LANGUAGES: [(&str, Play); 3] = [("C", c), ("Python", python), ("Rust", rust)];

/// A program in C, of this protocol, compiled with all that is generated for it.
fn compiled(directory: &Path, proto: &str, source: &Path) -> Option<Command> {
    if !nanopb() {
        return None;
    }
    let out = directory.join("c");
    let proto = repository(proto);
    generate(directory, &["generate_c_source", "-o", out.to_str().unwrap(), proto.to_str().unwrap()]);
    let program = directory.join(source.file_stem().unwrap());
    let sources = files(&out).into_keys().filter(|path| path.extension().is_some_and(|extension| extension == "c"));
    let mut gcc = Command::new("gcc");
    gcc.args(["-Wall", "-Wextra", "-Werror", "-O1", "-g", "-I."]).current_dir(&out);
    gcc.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
    run(gcc.args(sources).arg(source).arg("-o").arg(&program).arg("-lprotobuf-nanopb"), true);
    Some(Command::new(program))
}

/// A program in Python, beside all that is generated of this protocol.
fn interpreted(directory: &Path, proto: &str, program: &Path) -> Option<Command> {
    if !tool("python3", &["-c", "import google.protobuf"]) {
        return None;
    }
    let out = directory.join("python");
    let proto = repository(proto);
    generate(directory, &["generate_py_source", "-o", out.to_str().unwrap(), proto.to_str().unwrap()]);
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", out).env("PYTHONDONTWRITEBYTECODE", "1").arg(program);
    Some(python)
}

const BANK: &str = "tests/interop/bank.proto";

fn c(directory: &Path, side: &str) -> Option<Command> {
    compiled(directory, BANK, &package().join("tests/bank/c").join(side).with_extension("c"))
}

fn python(directory: &Path, side: &str) -> Option<Command> {
    interpreted(directory, BANK, &package().join("tests/bank/python").join(side).with_extension("py"))
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

/// Who sent how many messages of which kind, by the journal at `path`, which has to be whole.
fn said(path: &Path) -> BTreeMap<(u16, u16), usize> {
    let (journal, mut said) = (Journal::open(path).unwrap(), BTreeMap::new());
    let mut entries = journal.entries();
    while let Some(entry) = entries.next().unwrap() {
        let Entry::Message { header, .. } = entry else { panic!("{}: {entry:?}", path.display()) };
        *said.entry((header.source, header.message)).or_default() += 1;
    }
    said
}

/// A routing table on a journal has clients in each language: what is kept of one says the same as of another.
#[test]
fn a_journal_keeps_what_three_languages_say() {
    let directories: Vec<_> = LANGUAGES.iter().map(|_| tempfile::tempdir().unwrap()).collect();
    let play = |((language, client), directory): ((&'static str, Play), &tempfile::TempDir)| {
        let mut client_command = client(directory.path(), "client")?;
        let journal = directory.path().join("bank.journal");
        let mut server = rust(directory.path(), "server")?;
        server.arg("0").arg("--journal").arg(&journal);
        scenario::play(server, |port| {
            client_command.arg(port);
            client_command
        });
        Some((language, said(&journal)))
    };
    // Most of the time they wait.
    let said: Vec<_> = std::thread::scope(|scope| {
        let plays = LANGUAGES.into_iter().zip(&directories).map(|pair| scope.spawn(move || play(pair)));
        let plays: Vec<_> = plays.collect();
        plays.into_iter().filter_map(|play| play.join().unwrap()).collect()
    });
    let (name, expected) = said.last().expect("Rust is always there");
    assert!(expected.values().sum::<usize>() > 100, "{name}: {expected:?}");
    for (language, said) in &said {
        assert_eq!(said, expected, "{language} and {name}");
    }
}

/// The examples: in a room of each language there is a guest of each, and all hear the same.
#[test]
fn three_languages_chat() {
    const CHAT: &str = "examples/chat/chat.proto";
    let directory = tempfile::tempdir().unwrap();
    let in_c = |name: &str| compiled(directory.path(), CHAT, &repository("examples/chat/c").join(name));
    let in_python = |name: &str| interpreted(directory.path(), CHAT, &repository("examples/chat/python").join(name));
    let in_rust = |side: &str| {
        let mut chat = process::example(&repository(""), "messi_chat", &["messi"]);
        chat.arg(side);
        Some(chat)
    };
    let rooms = [in_c("server.c"), in_python("room.py"), in_rust("--listen")];
    for mut room in rooms.into_iter().flatten() {
        room.arg("tcp://127.0.0.1:0");
        let mut room = Process::start(room);
        let opened = room.wait_for("the room is open at port ");
        let uri = format!("tcp://127.0.0.1:{}", opened.split(';').next().unwrap());
        let guests = [("ada", in_c("client.c")), ("bob", in_python("guest.py")), ("eve", in_rust("--connect"))];
        let mut inside: Vec<(&str, Process)> = Vec::new();
        for (name, guest) in guests {
            let Some(mut guest) = guest else { continue };
            guest.args([&uri, name]);
            inside.push((name, Process::start(guest)));
            for (hearer, process) in &mut inside {
                process.wait_for(&format!("{hearer} | {name} is here"));
            }
        }
        for speaker in 0..inside.len() {
            let name = inside[speaker].0;
            inside[speaker].1.type_line("hello");
            for (hearer, process) in &mut inside {
                process.wait_for(&format!("{hearer} | {name}: hello"));
            }
        }
        while let Some((name, guest)) = inside.pop() {
            assert!(guest.end().0.success());
            for (hearer, process) in &mut inside {
                process.wait_for(&format!("{hearer} | {name} has left"));
            }
        }
    }
}

/// The example: a routing table on a journal, with messages in each of the four ways, has visitors in each language,
/// and all of them hear the same day.
#[test]
fn three_languages_visit_a_greenhouse() {
    const PROTO: &str = "examples/open_day/open_day.proto";
    const DAY: &str = "7 readings, 1 garbled; 7 orders, 1 refused, 6 done";
    /// Who sent what: see `examples/greenhouse/messages.rs`.
    const SAID: [(&str, (u16, u16), usize); 5] = [
        ("readings", (2, 3), 7),
        ("garbled", (2, 4), 1),
        ("refused", (5, 7), 1),
        ("done", (7, 8), 6),
        ("the day", (8, 9), 1),
    ];
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("day.journal");
    let programs = repository("examples/open_day");
    let rust = || process::example(&repository(""), "open_day", &["serde", "prost", "zero_copy", "messi"]);
    let visitor = || {
        let mut visitor = rust();
        visitor.arg("visit");
        visitor
    };
    // Who is not here is stood in for, so that the day is the same.
    let in_c = compiled(directory.path(), PROTO, &programs.join("c/visitor.c")).unwrap_or_else(visitor);
    let in_python = interpreted(directory.path(), PROTO, &programs.join("python/visitor.py")).unwrap_or_else(visitor);
    let mut greenhouse = rust();
    greenhouse.args(["open", "tcp://127.0.0.1:0", "3"]).arg(&journal);
    let mut greenhouse = Process::start(greenhouse);
    let uri = format!("tcp://127.0.0.1:{}", greenhouse.wait_for("the door is open at port "));
    let visits = [
        ("ada", in_c, ["t 15", "m 20", "t -?"].as_slice()),
        ("bob", in_python, &["t 21", "t 6"]),
        ("eve", visitor(), &["m 45", "t 12", "m 29"]),
    ];
    std::thread::scope(|scope| {
        for (name, mut visitor, lines) in visits {
            visitor.args([&uri, name]);
            let mut visitor = Process::start(visitor);
            lines.iter().for_each(|line| visitor.type_line(line));
            scope.spawn(move || {
                let (status, printed) = visitor.end();
                assert!(status.success(), "{name}: {status}, {printed:?}");
                assert_eq!(printed, [format!("{name} | {DAY}")]);
            });
        }
    });
    let (status, printed) = greenhouse.end();
    assert!(status.success(), "{status}, {printed:?}");
    let said = said(&journal);
    for (what, row, count) in SAID {
        assert_eq!(said.get(&row), Some(&count), "{what}: {said:?}");
    }
}
