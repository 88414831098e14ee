//! Every example runs to its end and prints what it promises.
//!
//! `cargo test` builds the examples next to this test and they are run from there. When only this test was asked for
//! (`--test examples`), they may be missing or old; then cargo runs them.

#[path = "support/example.rs"]
mod example;
mod support;

use example::{Process, ROOT, command};
use std::path::Path;

/// Runs an example. Returns what it printed.
///
/// # Panics
///
/// When the example fails, or hangs.
fn output_of(example: &str) -> String {
    let (status, printed) = Process::start(command(example)).end();
    let text: String = printed.into_iter().map(|line| line + "\n").collect();
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
    // A machine that stands still for longer than the watch is patient is taken for a heart that does. So any run may
    // see fewer beats, but all of them are as they should be, and one sees all.
    let expected = |beats| {
        let beats: String = (1..=beats).map(|number| format!("beat {number}\n")).collect();
        beats + "silence for 200ms: stopping\nthe watch ends\n"
    };
    support::wait_until("the watch saw all beats", || {
        let output = output_of("timers");
        let beats = output.matches("beat ").count();
        assert_eq!(output, expected(beats));
        beats == 5
    });
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
worker Bank: handler counter failed: handler Counter (source 2) does not repeat what it sent on the message at 73728: \
it sent message 2 [01], now it sends message 2 [02]
";
    assert_eq!(output_of("persistent_replay"), expected);
}

#[test]
#[cfg(all(unix, feature = "serde"))]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot")]
fn changed_message() {
    let output = output_of("changed_message");
    let (path, rest) = output.split_once(": message Order = 1 has changed").expect("a refusal");
    assert!(path.starts_with("last year:\norder 1: 7.00 EUR\nchanged in place:\n"), "{output}");
    let expected = ".
  in the journal:        {euros: u32}
  in the routing table:  {euros: u32, currency: str}
Give the changed message another name and another id, keep Order = 1 as it was in the routing table, and let its handler \
convert it
with a name and an id of its own:
order 1: 7.00 EUR
order 2: 7.50 CHF
";
    assert_eq!(rest, expected);
}

#[test]
#[cfg(feature = "messi")]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot")]
fn hello_world() {
    let output = output_of("hello_world");
    let lines: Vec<&str> = output.lines().collect();
    assert!(
        matches!(lines[..], [first, "Hello, world!"] if first.starts_with("listening at tcp://127.0.0.1:")),
        "{output}"
    );
}

/// Two guests talk; what each of them prints is in order, apart from who came first.
#[test]
#[cfg(feature = "messi")]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot")]
fn messi_chat() {
    let output = output_of("messi_chat");
    let heard = |name: &str| -> Vec<&str> {
        let lines = output.lines().filter_map(|line| line.split_once(" | "));
        lines.filter(|(who, text)| *who == name && !text.ends_with(" is here")).map(|(_, text)| text).collect()
    };
    let talk = [
        "ada: Hello, Bob!",
        "bob: Hello, Ada! How did you get here?",
        "ada: By bus, by socket, and by bus again.",
        "bob: That is how I go home, too.",
        "bob has left",
    ];
    assert_eq!(heard("ada"), talk);
    assert_eq!(heard("bob"), talk[..4]);
    assert_eq!(output.lines().filter(|line| line.ends_with(" is here")).count(), 4, "{output}");
}

/// The same over processes of its own, with what is typed.
#[test]
#[cfg(feature = "messi")]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot")]
fn messi_chat_over_terminals() {
    let start = |arguments: &[&str]| {
        let mut command = command("messi_chat");
        command.args(arguments);
        Process::start(command)
    };
    let mut room = start(&["--listen", "tcp://127.0.0.1:0"]);
    let open = room.wait_for("the room is open at port ");
    let port = open.split(';').next().expect("a port");
    let uri = format!("tcp://127.0.0.1:{port}");
    let mut ada = start(&["--connect", &uri, "ada"]);
    ada.wait_for("ada | ada is here");
    let mut bob = start(&["--connect", &uri, "bob"]);
    for guest in [(&mut ada, "ada | bob is here"), (&mut bob, "bob | bob is here")] {
        guest.0.wait_for(guest.1);
    }
    ada.type_line("one\u{1b}[2J");
    bob.wait_for("bob | ada: one[2J");
    bob.type_line("two");
    ada.wait_for("ada | bob: two");
    assert!(bob.end().0.success());
    ada.wait_for("ada | bob has left");
    assert!(ada.end().0.success());
}

/// Server and client of the interoperability scenario, in one process.
#[test]
#[cfg(feature = "messi")]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot")]
fn bank() {
    let output = output_of("bank");
    assert_eq!(output.lines().last(), Some("PASS bank"), "{output}");
}

/// An example without a test would not be run by anybody.
#[test]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot")]
fn every_example_has_a_test() {
    let this = include_str!("examples.rs");
    let mut names = Vec::new();
    // Those that are where Cargo looks, and those that the manifest tells it of.
    for entry in Path::new(ROOT).join("examples").read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() || path.join("main.rs").is_file() {
            names.push(path.file_stem().unwrap().to_str().unwrap().to_owned());
        }
    }
    let manifest = include_str!("../Cargo.toml");
    names.extend(
        manifest.split("[[example]]\nname = \"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()),
    );
    for name in names {
        assert!(this.contains(&format!("output_of(\"{name}\")")), "no test runs the example {name}");
    }
}
