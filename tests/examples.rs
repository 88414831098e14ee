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
    output_with(example, &[])
}

/// As [`output_of`], with these arguments.
fn output_with(example: &str, arguments: &[&str]) -> String {
    let mut command = command(example);
    command.args(arguments);
    let (status, printed) = Process::start(command).end();
    let text: String = printed.into_iter().map(|line| line + "\n").collect();
    assert!(status.success(), "example {example} {arguments:?}: {status}, after it printed\n{text}");
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
#[cfg(all(feature = "serde", target_os = "linux"))]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot")]
fn two_processes() {
    let expected = "\
dish 1 comes from the kitchen: true
dish 2 comes from the kitchen: true
dish 3 comes from the kitchen: true
the kitchen is killed
the ring is healed
dish 2001 comes from the kitchen: true
another kitchen ends: true
unsent: 0
";
    assert_eq!(output_of("two_processes"), expected);
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
recovered: finished up to position 74496, 0 messages behind it
worker Bank: handler counter failed: handler Counter (source 2) does not repeat what it sent on the message at 73728: \
it sent message 2 [01], now it sends message 2 [02]
";
    assert_eq!(output_of("persistent_replay"), expected);
}

#[test]
#[cfg(all(unix, feature = "serde"))]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot")]
fn supervised() {
    let expected = "\
total 100 EUR
dead: cashier failed 2 times: no rate for SEK
total 150 EUR
total 160 EUR
2 restarts, 1 dead
the next process:
requeued before: true
total 162 EUR
0 restarts, 0 dead
";
    assert_eq!(output_of("supervised"), expected);
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

/// What the cookbook's recipes print.
#[cfg(feature = "serde")]
const RECIPES: &[(&str, &[&str], &str)] = &[
    #[cfg(feature = "async")]
    ("data_from_task", &[], "alarm: 399\nalarm: 799\n"),
    ("data_from_thread", &["1", "2", "-5"], "sum: -2\n"),
    ("data_to_main", &[], "1\n4\n9\n"),
    ("generic_handlers", &[], "Bid(99)\nAsk(101)\n"),
    ("one_thread", &[], "player 1: 3\nplayer 2: 2\nplayer 1: 1\nplayer 2: 0\nnothing to do\nleft: 0\n"),
    // So long that the reply comes in time.
    ("request_reply", &["3000"], "request 1: 8\n0 requests are open\n"),
    ("several_crates", &[], "filled: 7\n"),
    ("two_tables", &[], "archived: dear archive\n"),
];

#[test]
#[cfg(feature = "serde")]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot")]
fn cookbook() {
    for (recipe, arguments, expected) in RECIPES {
        assert_eq!(output_with("cookbook", &[&[*recipe], *arguments].concat()), *expected, "{recipe}");
    }
}

#[test]
#[cfg(all(unix, feature = "serde"))]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot")]
fn cookbook_ctrl_c() {
    use rustix::process::{Pid, Signal, kill_process};
    let mut command = command("cookbook");
    command.arg("ctrl_c");
    let mut process = Process::start(command);
    process.wait_for("running until Ctrl-C");
    kill_process(Pid::from_raw(process.id() as i32).expect("a process has an id"), Signal::INT).unwrap();
    let (status, printed) = process.end();
    assert!(status.success(), "{status}");
    assert_eq!(printed, ["running until Ctrl-C", "stopped", "left: 0"]);
}

#[cfg(all(feature = "serde", feature = "prost", feature = "zero_copy"))]
const DAY: &str = "95 readings, 1 garbled; 95 orders, 15 refused, 80 done\n";

#[test]
#[cfg(all(feature = "serde", feature = "prost", feature = "zero_copy"))]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot")]
fn greenhouse() {
    let output = output_of("greenhouse");
    assert!(output.starts_with("not understood: \"t -?\": -?: invalid digit found in string\n"), "{output}");
    assert!(output.ends_with(DAY), "{output}");
}

/// A day on a journal, and the next one; and a diary that cannot be written.
#[test]
#[cfg(all(unix, feature = "serde", feature = "prost", feature = "zero_copy"))]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot")]
fn greenhouse_keeps_a_journal() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, diary) = (directory.path().join("journal"), directory.path().join("diary"));
    for _ in 0..2 {
        output_with("greenhouse", &["--journal", journal.to_str().unwrap(), "--diary", diary.to_str().unwrap()]);
        assert!(std::fs::read_to_string(&diary).unwrap().ends_with(DAY));
    }
    let output = command("greenhouse").args(["--diary", directory.path().to_str().unwrap()]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("handler diary of worker Office cannot be made: "), "{error}");
    assert_eq!(output.status.code(), Some(1));
}

/// With visitors of its own, each of which hears the whole day.
#[test]
#[cfg(all(feature = "serde", feature = "prost", feature = "zero_copy", feature = "messi"))]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot")]
fn open_day() {
    let day = "7 readings, 1 garbled; 7 orders, 1 refused, 6 done";
    assert_eq!(output_of("open_day"), format!("ada | {day}\nbob | {day}\neve | {day}\n"));
    let output = command("open_day").arg("closed").output().unwrap();
    assert!(!output.status.success() && String::from_utf8(output.stderr).unwrap().contains("usage: open_day"));
}

#[test]
#[cfg(feature = "serde")]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot")]
fn cookbook_config_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("table.conf");
    std::fs::write(&path, "# A ring of 2 KiB.\n\nring_bytes = 2048\ngreeting = Good morning!\n").unwrap();
    assert_eq!(output_with("cookbook", &["config_file", path.to_str().unwrap()]), "Good morning!\n");
}

/// Nonsense is an error that says what is wrong, and nothing runs.
#[test]
#[cfg(feature = "serde")]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot")]
fn cookbook_given_nonsense() {
    let fails = |arguments: &[&str], expected: &str| {
        let output = command("cookbook").args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(expected) && output.stdout.is_empty(), "{output:?}");
    };
    fails(&[], "no recipe ``: there are config_file, ctrl_c,");
    fails(&["soup"], "no recipe `soup`");
    fails(&["data_from_thread", "1", "two"], "`two`: invalid digit found in string");
    fails(&["data_from_thread", "4000000000"], "`4000000000`: number too large");
    fails(&["request_reply", "soon"], "`soon` milliseconds: invalid digit found in string");
    fails(&["config_file"], "which file?");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("table.conf");
    let conf = path.to_str().unwrap();
    fails(&["config_file", conf], "table.conf: ");
    let nonsense: [(&[u8], &str); 5] = [
        (b"greeting = a\nnonsense", "line 2: `nonsense` is no `name = value`"),
        (b"ring_bytes = 2k", "line 1: `2k`: invalid digit"),
        (b"colour = red", "line 1: nobody knows `colour`"),
        (b"ring_bytes = 3000", "a capacity of 3000 bytes: it must be a power of two"),
        (b"greeting = \xFF", "stream did not contain valid UTF-8"),
    ];
    for (text, expected) in nonsense {
        std::fs::write(&path, text).unwrap();
        fails(&["config_file", conf], expected);
    }
}

/// A recipe is short, writes out nothing that a macro writes, is known to the cookbook's `main`, and run here.
#[test]
#[cfg(feature = "serde")]
#[cfg_attr(miri, ignore = "reads a directory, which Miri takes long over")]
fn every_recipe_is_short_and_has_a_test() {
    let (this, main) = (include_str!("examples.rs"), include_str!("../examples/cookbook/main.rs"));
    let mut recipes = 0;
    for entry in Path::new(ROOT).join("examples/cookbook").read_dir().unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if name == "main" {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count();
        assert!(lines < 60, "{name}: {lines} lines of code; a recipe has less than 60");
        assert!(text.contains("use rust_messenger::prelude::*;"), "{name} imports one by one what the prelude has");
        for (_, handler) in text.split("\n}").filter_map(|item| item.split_once("\nimpl Handler for ")) {
            assert!(handler.contains(" fn "), "{name}: `handler!` is shorter than `impl Handler for {handler}`");
        }
        assert!(main.contains(&format!("(\"{name}\", {name}::main)")), "nobody can run {name}");
        let is_run =
            RECIPES.iter().any(|(recipe, ..)| *recipe == name) || this.contains(&format!("fn cookbook_{name}()"));
        assert!(is_run, "no test runs the recipe {name}");
        recipes += 1;
    }
    assert!(recipes >= 10, "{recipes} recipes");
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
        let is_run = ["output_of", "output_with"].iter().any(|run| this.contains(&format!("{run}(\"{name}\"")));
        assert!(is_run, "no test runs the example {name}");
    }
}
