//! The reader and writer in Python of `python/stream.py`, made from docs/nats.md alone, says what this one does.

use crate::entries::entries;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use rust_messenger_nats::protocol::{Entry, Names, escape};
use std::io::Write;
use std::process::{Command, Stdio};

/// What the program answers to each line.
fn ask(lines: &[String]) -> Vec<String> {
    let mut python = Command::new("python3")
        .args(["-B", concat!(env!("CARGO_MANIFEST_DIR"), "/python/stream.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3, which these tests need");
    let mut stdin = python.stdin.take().unwrap();
    let text = lines.join("\n") + "\n";
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()).unwrap());
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn python_reads_and_writes_the_same() {
    let mut runner = TestRunner::deterministic();
    let mut values = |strategy: proptest::strategy::BoxedStrategy<String>| -> Vec<String> {
        (0..300).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
    };
    let header = |entry: Entry| {
        let (name, value) = entry.to_header();
        format!("{name} {value}")
    };
    let whole = values(entries().prop_map(header).boxed());
    assert_eq!(ask(&whole), whole.iter().map(|line| line.split_once(' ').unwrap().1).collect::<Vec<_>>());

    // Lines with a character too few, too many or another one: what the one refuses, the other does.
    let broken = (entries(), 0..400usize, "[ -~]?").prop_map(move |(entry, at, with)| {
        let line = header(entry);
        let first = line.find(' ').unwrap() + 1;
        let at = first + at % (line.len() - first);
        format!("{}{with}{}", &line[..at], &line[at + 1..])
    });
    let broken = values(broken.boxed());
    let expected = broken.iter().map(|line| {
        let (name, value) = line.split_once(' ').unwrap();
        Entry::from_headers([(name, value)]).map_or_else(|_| "error".to_owned(), |entry| entry.to_header().1)
    });
    let expected: Vec<String> = expected.collect();
    assert!(expected.iter().filter(|answer| *answer == "error").count() > 50);
    assert_eq!(ask(&broken), expected);

    let names = values("[^\\n\\r]{1,10}".boxed());
    let answers = ask(&names.iter().map(|name| format!("name {name}")).collect::<Vec<_>>());
    assert_eq!(answers, names.iter().map(|name| escape(name)).collect::<Vec<_>>());
    let subject = |name: &String| Names::new("shop", "till").unwrap().message(name, "Say").to_string();
    let subjects: Vec<String> = names.iter().map(subject).collect();
    assert_eq!(ask(&subjects.iter().map(|subject| format!("subject {subject}")).collect::<Vec<_>>()), subjects);
}
