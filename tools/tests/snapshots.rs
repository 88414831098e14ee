//! Every command in every format, on a healthy journal, on a battered one, and on one that another program has written.

#![cfg(all(unix, not(miri)))]

#[path = "messages/mod.rs"]
mod messages;
mod support;

use rust_messenger::message_bus::{PersistentBus, PersistentOptions, Retention, Start};
use rust_messenger::traits::{MessageBus, Publish};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use support::{TABLE, assert_snapshot, battered, buried, clock, flip, healthy, options, scratch, told};

const COMMANDS: [(&str, &str); 10] = [
    ("info.txt", "journal info"),
    ("info.json", "journal info --format json"),
    ("cat.txt", "journal cat --payload"),
    ("cat.json", "journal cat --payload --format json"),
    ("verify.txt", "journal verify"),
    ("verify.json", "journal verify --format json"),
    ("cursors.txt", "journal cursors"),
    ("cursors.json", "journal cursors --format json"),
    ("sequence.mmd", "journal sequence"),
    ("follow.txt", "journal follow --from 0 --limit 2"),
];

#[test]
fn a_healthy_journal() {
    let (_directory, path) = scratch();
    healthy(&path);
    for (name, words) in COMMANDS {
        assert_snapshot(&format!("healthy-{name}"), words, &path);
    }
}

#[test]
fn a_battered_journal() {
    let (_directory, path) = scratch();
    battered(&path);
    for (name, words) in COMMANDS {
        assert_snapshot(&format!("battered-{name}"), words, &path);
    }
}

/// What was dead and comes again says so.
#[test]
fn a_journal_with_dead_messages() {
    let (_directory, path) = scratch();
    buried(&path);
    for (name, words) in [
        ("cat.txt", "journal cat"),
        ("cat.json", "journal cat --format json"),
        ("sequence.mmd", "journal sequence"),
        ("dead.txt", "journal dead --payload"),
        ("dead.json", "journal dead --payload --format json"),
    ] {
        assert_snapshot(&format!("buried-{name}"), words, &path);
    }
}

#[test]
fn filters_choose_among_the_dead() {
    let (_directory, path) = scratch();
    buried(&path);
    let found = |words: &str| -> Vec<u64> {
        let (code, stdout, _) = told(&format!("journal dead --format json {words}"), &path);
        assert_eq!(code, 0, "{words}");
        let position = |line: &str| serde_json::from_str::<Value>(line).unwrap()["position"].as_u64().unwrap();
        stdout.lines().map(position).collect()
    };
    let all = found("");
    assert_eq!((all.len(), all[3]), (4, 1 << 40));
    assert_eq!(found("--source Printer"), all[1..2]);
    assert_eq!(found("--message Deposit"), [all[0], all[2], all[3]]);
    assert_eq!(found("--message Deposit --limit 2"), [all[0], all[2]]);
    assert_eq!(found(&format!("--from {} --to {}", all[1], all[2])), all[1..2]);
    assert_eq!(found("--message Total"), [0; 0]);
}

/// Where something is damaged there may have been a letter.
#[test]
fn damage_may_hide_the_dead() {
    let (_directory, path) = scratch();
    battered(&path);
    let (code, stdout, stderr) = told("journal dead", &path);
    assert_eq!((code, &*stdout), (1, ""));
    assert!(stderr.contains("there may have been other letters"), "{stderr}");
}

/// The program that wrote it knew its messages' names, and this one does not but for the journal.
#[test]
fn a_journal_of_another_program_names_its_messages() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/thermostat.journal");
    let before = fs::read(&path).unwrap();
    for (name, words) in COMMANDS {
        assert_snapshot(&format!("fixture-{name}"), words, &path);
    }
    for format in ["mermaid", "dot", "svg"] {
        assert_snapshot(&format!("fixture-graph.{format}"), &format!("graph --format {format}"), &path);
    }
    assert!(fs::read(&path).unwrap() == before, "changed by a program that only reads");
}

#[test]
fn graphs() {
    let (_directory, path) = scratch();
    healthy(&path);
    for format in ["mermaid", "dot", "svg"] {
        assert_snapshot(&format!("graph.{format}"), &format!("graph --format {format}"), &path);
    }
    // Drawn from the file as the program itself draws it.
    assert_eq!(told("graph", &path).1, TABLE.to_mermaid());
    assert_eq!(told("graph --format dot", &path).1, TABLE.to_dot());
}

#[test]
fn help_of_every_command() {
    for (name, words) in [
        ("rmsg", ""),
        ("graph", "graph"),
        ("journal", "journal"),
        ("info", "journal info"),
        ("cat", "journal cat"),
        ("follow", "journal follow"),
        ("verify", "journal verify"),
        ("cursors", "journal cursors"),
        ("dead", "journal dead"),
        ("sequence", "journal sequence"),
        ("stat", "stat"),
        ("top", "top"),
        ("heal", "heal"),
    ] {
        assert_snapshot(&format!("help-{name}.txt"), words, Path::new("--help"));
    }
}

#[test]
fn every_line_of_json_is_an_object_of_a_kind() {
    let (_directory, path) = scratch();
    battered(&path);
    for words in ["info", "cat --payload", "verify", "cursors", "follow --from 0 --limit 3"] {
        let (_, stdout, _) = told(&format!("journal {words} --format json"), &path);
        assert!(!stdout.is_empty(), "{words}");
        for line in stdout.lines() {
            let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{words}: {line}: {error}"));
            assert!(object["kind"].is_string(), "{words}: {line}");
        }
    }
}

/// The positions that a run says.
fn positions(words: &str, path: &Path) -> Vec<u64> {
    let (code, stdout, stderr) = told(words, path);
    assert!(code < 2 && stderr.is_empty(), "{words}: {stderr}");
    stdout.lines().map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect()
}

#[test]
fn filters_choose_messages_and_hide_no_damage() {
    let (_directory, path) = scratch();
    battered(&path);
    let all = positions("journal cat", &path);
    let found = |words: &str| positions(&format!("journal cat {words}"), &path);
    let parts: BTreeSet<u64> = {
        let is_part = |line: &&str| ["sealed:", "hole:", "damaged:"].iter().any(|part| line.contains(part));
        let (_, text, _) = told("journal cat", &path);
        text.lines().filter(is_part).map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect()
    };
    assert_eq!(parts.len(), 3);
    let messages = |words: &str| -> Vec<u64> {
        let found = found(words);
        assert!(parts.iter().all(|part| found.contains(part)), "{words} hides damage");
        found.into_iter().filter(|position| !parts.contains(position)).collect()
    };
    assert_eq!(messages("").len(), 5);
    assert_eq!(messages("--source Counter"), [all[1]]);
    assert_eq!(messages("--source 2"), [all[1]]);
    assert_eq!(messages("--source Counter --source Teller"), [all[0], all[1]]);
    assert_eq!(messages("--message Deposit"), [all[0], all[7]]);
    assert_eq!(messages("--message 77"), [all[3]]);
    assert_eq!(messages("--message Page<Deposit> --source Printer"), [all[5]]);
    assert_eq!(messages("--message Deposit --source Counter"), [0; 0]);
    // A range.
    assert_eq!(found(&format!("--from {}", all[3])), all[3..]);
    assert_eq!(found(&format!("--to {}", all[3])), all[..3]);
    assert_eq!(found(&format!("--from {} --to {}", all[1], all[3] + 1)), all[1..4]);
    assert_eq!(found("--limit 1"), all[..1]);
    assert_eq!(found("--message Deposit --limit 2 "), [all[0], all[2], all[4], all[6], all[7]]);
    assert_eq!(found(&format!("--from {}", u64::MAX - 1)), [0; 0]);
}

/// The middle of a slot is no damage, wherever one asks to begin.
#[test]
fn any_position_may_be_asked_for() {
    let (_directory, path) = scratch();
    battered(&path);
    let all = positions("journal cat", &path);
    let end = all[7] + 48;
    for from in (all[0]..end).step_by(8) {
        let found = positions(&format!("journal cat --from {from}"), &path);
        // A part is shown if it reaches there.
        let expected: Vec<u64> = all
            .iter()
            .enumerate()
            .filter(|&(place, &at)| at >= from || ([2, 4, 6].contains(&place) && all[place + 1] > from))
            .map(|(_, &at)| at)
            .collect();
        assert_eq!(found, expected, "from {from}");
    }
}

/// What ends where the range begins is not in it, whatever is looked at to find the beginning.
#[test]
fn a_part_that_ends_before_the_range_is_not_shown() {
    let (_directory, path) = scratch();
    battered(&path);
    let all = positions("journal cat", &path);
    // What was given up is followed by damage now, where no walk begins.
    flip(&path, all[3] + 40);
    assert_eq!(positions(&format!("journal cat --from {}", all[3] - 8), &path), all[2..]);
    assert_eq!(positions(&format!("journal cat --from {}", all[3]), &path), all[3..]);
}

#[test]
fn what_retention_gave_back_is_said_to_be_gone() {
    let (_directory, path) = scratch();
    let retention = Retention { size: Some(64 * 1024), ..Retention::default() };
    let (bus, _) =
        PersistentBus::open(&path, PersistentOptions { retention, ..options(&clock()).table(&TABLE) }).unwrap();
    for _ in 0..100 {
        bus.writer().unwrap().write_bytes(1, 1, &[7; 4000]).unwrap();
    }
    let from = bus.retain().unwrap().from;
    assert!(from > 300_000, "{from}");
    assert_eq!(positions("journal cat", &path)[0], from);
    let (code, text, _) = told("journal cat --from 16384", &path);
    let gone = format!("       16384  gone: {} bytes, given back by retention\n{from:>12}  ", from - 16384);
    assert!(code == 0 && text.starts_with(&gone), "{text}");
    assert!(told("journal info", &path).1.contains(&format!("retained from     {from}\n")));
    assert!(told("journal verify", &path).1.contains(&format!(" messages from {from} to {};", bus.tail())));
}

#[test]
fn names_that_a_program_adds_are_known() {
    let (_directory, path) = scratch();
    let clock = clock();
    let (bus, _) = PersistentBus::open(&path, options(&clock)).unwrap();
    bus.writer().unwrap().write_bytes(1, 1, b"x").unwrap();
    let (_, text, _) = told("journal cat", &path);
    assert!(text.contains("  #1 "), "{text}");
    drop(bus);
    drop(PersistentBus::open(&path, options(&clock).table(&TABLE)).unwrap());
    let (_, text, _) = told("journal cat", &path);
    assert!(text.contains("Teller") && text.contains("Deposit"), "{text}");
}

/// Writes the fixture anew. It is kept as it was once, because it stands for journals of programs that are gone.
#[test]
#[ignore = "makes a file that is kept"]
fn make_the_fixture() {
    use rust_messenger::routing::{Table, TableHandler, TableRoute, TableWorker};
    use rust_messenger::traits::{Layout, Reader};
    static OTHER: Table = Table {
        name: "Thermostat",
        workers: &[
            TableWorker {
                name: "Sense",
                handlers: &[TableHandler { name: "filter", type_name: "Filter", id: 20, allow_unrouted: false }],
                routes: &[TableRoute {
                    source: "Sensor",
                    source_id: 10,
                    message: "Reading",
                    message_id: 100,
                    layout: Layout::plain::<u32>(),
                    receivers: &["filter"],
                }],
            },
            TableWorker {
                name: "Act",
                handlers: &[TableHandler { name: "valve", type_name: "Valve", id: 30, allow_unrouted: false }],
                routes: &[TableRoute {
                    source: "Filter",
                    source_id: 20,
                    message: "Temperature",
                    message_id: 200,
                    layout: Layout::plain::<u32>(),
                    receivers: &["valve"],
                }],
            },
        ],
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/thermostat.journal");
    let clock = clock();
    let made = PersistentOptions { table: Some(&OTHER), ..options(&clock) };
    let (bus, _) = PersistentBus::open(&path, made.start_reader("Sense", Start::Resume)).unwrap();
    let mut reader = bus.subscribe("Sense").unwrap();
    let writer = bus.worker_writer(&reader).unwrap();
    for reading in 0..4_u32 {
        clock.set(u64::from(reading) * 250);
        bus.writer().unwrap().write_bytes(10, 100, &(2100 + reading).to_le_bytes()).unwrap();
        while reader.position() < bus.tail() {
            reader
                .try_read(|header, payload| match header.message {
                    100 if reading % 2 == 1 => writer.write_bytes(20, 200, payload).unwrap(),
                    _ => {}
                })
                .unwrap();
        }
    }
}
