//! Files that are no journals, journals that are damaged, and command lines that make no sense: an exit code, one line
//! that says why, and never a crash or a hang.

#![cfg(all(unix, not(miri)))]

mod support;

use rust_messenger::PersistentBus;
use rust_messenger::routing::Table;
use rust_messenger::traits::{MessageBus, Publish};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use support::library::wait_until;
use support::{TABLE, battered, clock, flip, healthy, options, rmsg, run, scratch, told};

const COMMANDS: [&str; 8] = [
    "journal info",
    "journal cat",
    "journal follow",
    "journal follow --from 0 --limit 1",
    "journal verify",
    "journal cursors",
    "journal sequence",
    "graph --format svg",
];

/// Every command says this about the file, in one line, and ends with 1.
#[track_caller]
fn refused(path: &Path, expected: &str) {
    for words in COMMANDS {
        let (code, stdout, stderr) = told(words, path);
        assert_eq!((code, stdout.as_str()), (1, ""), "{words}: {stderr}");
        assert_eq!(stderr, format!("rmsg: error: FILE: {expected}\n"), "{words}");
    }
}

const CHECK: &str = "expected a journal that this version can read; check the path, and the version of rmsg";

#[test]
fn what_is_no_journal_is_refused() {
    let (directory, path) = scratch();
    for (content, found) in [
        (&b""[..], "no journal: 0 bytes, and a journal has at least 4096"),
        (b"rms", "no journal: 3 bytes, and a journal has at least 4096"),
        (b"\x1b[31mred\n....", "no journal: it begins with `\\x1b[31mred`, not with `rmsgjrnl`"),
        (b"rmsgjrnl", "half a journal's header: 8 bytes of 4096"),
    ] {
        fs::write(&path, content).unwrap();
        refused(&path, &format!("{found}; {CHECK}"));
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    refused(directory.path(), "a journal is a file, and this is a directory; expected a journal; check the path");
    fs::remove_file(&path).unwrap();
    refused(&path, "open it: No such file or directory (os error 2); expected a journal; check the path");
    refused(Path::new("/dev/null"), "a journal is a file, and this is a device; expected a journal; check the path");
}

/// Nobody writes into it, so whoever opens it in the usual way waits for ever.
#[test]
fn a_pipe_is_refused_at_once() {
    let (_directory, path) = scratch();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    refused(&path, "a journal is a file, and this is a pipe; expected a journal; check the path");
}

#[test]
fn a_journal_of_another_version_is_refused() {
    let (_directory, path) = scratch();
    healthy(&path);
    let whole = fs::read(&path).unwrap();
    let mut bytes = whole.clone();
    for at in [0, 4096] {
        bytes[at + 16] = 1;
    }
    fs::write(&path, &bytes).unwrap();
    refused(&path, &format!("a journal of version 1; this program reads version 2; {CHECK}"));
    fs::write(&path, &whole[..5000]).unwrap();
    refused(&path, &format!("half a journal's header: 5000 bytes of 16384; {CHECK}"));
}

#[test]
fn a_journal_that_one_may_not_read_is_refused() {
    let (directory, path) = scratch();
    healthy(&path);
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    let mut command = rmsg("journal cat", &path);
    if rustix::process::geteuid().is_root() {
        // Who may read everything is no test.
        let copy = directory.path().join("rmsg");
        fs::copy(env!("CARGO_BIN_EXE_rmsg"), &copy).unwrap();
        command = Command::new(copy);
        command.args(["journal", "cat"]).arg(&path).uid(65534).gid(65534);
    }
    let mut output = None;
    wait_until("no other test's child has the copy open for writing", || {
        match command.output() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {}
            ended => output = Some(ended.unwrap()),
        }
        output.is_some()
    });
    let output = output.unwrap();
    let expected = format!(
        "rmsg: error: {}: open it: Permission denied (os error 13); expected a journal that you may read; run rmsg as \
         its owner: journals are made for their owner only\n",
        path.display()
    );
    assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn an_error_stays_one_line_whatever_the_path() {
    let (directory, _) = scratch();
    let path = directory.path().join("a\nb\x1b[31m");
    let output = run(rmsg("journal cat", &path));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("a\\u{a}b\\u{1b}[31m: open it:"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1);
}

#[test]
fn a_journal_without_a_table_has_no_pictures() {
    let (_directory, path) = scratch();
    drop(PersistentBus::open(&path, options(&clock())).unwrap());
    for words in ["graph", "journal sequence"] {
        let (code, stdout, stderr) = told(words, &path);
        assert_eq!((code, stdout.as_str()), (1, ""));
        let expected = "rmsg: error: FILE: no routing table in the header; expected one; have the program open the \
                        journal with `PersistentOptions::table`\n";
        assert_eq!(stderr, expected);
    }
    assert!(told("journal info", &path).1.contains("table             none"));
}

#[test]
fn wrong_usage_ends_with_2() {
    let (_directory, path) = scratch();
    healthy(&path);
    for (words, expected) in [
        ("", "unrecognized subcommand"),
        ("journal", "unrecognized subcommand"),
        ("journal dog", "unrecognized subcommand"),
        ("journal cat --limit 0", "0 is not in 1.."),
        ("journal cat --from x", "invalid digit"),
        ("journal cat --format xml", "possible values: text, json"),
        ("graph --format png", "possible values: mermaid, dot, svg"),
        ("journal cat --dog", "unexpected argument"),
        ("journal cat --from 9 --to 9", "--from 9 --to 9: nothing is in between; give a larger --to"),
        ("journal cat --source Cat", "--source Cat: no such name; the journal has Counter, Audit<'a>, Teller, Printer"),
        ("journal follow --message 70000", "--message 70000: no such name; the journal has Deposit, Total, Page<"),
    ] {
        let (code, stdout, stderr) = told(words, &path);
        assert_eq!((code, stdout.as_str()), (2, ""), "{words}: {stderr}");
        assert!(stderr.contains(expected), "{words}: {stderr}");
    }
    assert_eq!(told("journal cat", Path::new("--version")).0, 2, "one version, that of the command");
    let (code, stdout, _) = told("", Path::new("--version"));
    assert_eq!((code, stdout.starts_with("rmsg 0.")), (0, true));
}

#[test]
fn a_file_that_was_cut_off_is_damaged() {
    let (_directory, path) = scratch();
    let cut = |to: u64| fs::File::options().write(true).open(&path).unwrap().set_len(to).unwrap();
    healthy(&path);
    // Behind the last message, as far as can be seen.
    cut(16384 + 4096);
    let (code, stdout, stderr) = told("journal cat", &path);
    assert_eq!((code, stdout.lines().count(), stderr.lines().count()), (1, 2, 1), "{stderr}");
    fs::remove_file(&path).unwrap();
    battered(&path);
    let len = fs::metadata(&path).unwrap().len();
    cut(16736);
    let (code, stdout, stderr) = told("journal cat", &path);
    assert_eq!(code, 1);
    assert!(stdout.contains("16608  damaged: 128 bytes"), "{stdout}");
    let missing = format!("{} bytes are missing at the end: the file was cut off", len - 16736);
    assert_eq!(stderr, format!("rmsg: warning: FILE: {missing}\n"));
    for words in ["journal verify", "journal info"] {
        let (code, stdout, _) = told(words, &path);
        assert!(code == 1 && stdout.contains(&missing), "{words}: {stdout}");
    }
}

/// What was synced and is zero is damage, before and after the program has opened its journal again. What was not may
/// have been claimed only: a hole, and told for ever.
#[test]
fn a_page_that_was_lost_is_told_for_ever() {
    let (directory, path) = scratch();
    let (bus, _) = PersistentBus::open(&path, options(&clock())).unwrap();
    let first = bus.tail();
    for _ in 0..4 * 64 {
        // A slot of 64 bytes, so that one begins where each page does.
        bus.writer().unwrap().write_bytes(1, 1, &[7; 28]).unwrap();
    }
    let killed = directory.path().join("killed");
    fs::copy(&path, &killed).unwrap();
    drop(bus);
    for (path, code, found) in
        [(&path, 1, "holes: 0, damaged: 1 (4096 bytes)"), (&killed, 0, "holes: 1, damaged: 0 (0 bytes)")]
    {
        fs::File::options().write(true).open(path).unwrap().write_all_at(&[0; 4096], first + 4096).unwrap();
        for opened in 0..3 {
            let (ended, stdout, stderr) = told("journal verify", path);
            assert_eq!(ended, code, "{opened}: {stdout}{stderr}");
            assert!(stdout.contains(&format!("192 messages from {first}")) && stdout.contains(found), "{stdout}");
            drop(PersistentBus::open(path, options(&clock())).unwrap());
        }
    }
}

#[test]
fn damage_in_the_header_is_said() {
    let (_directory, path) = scratch();
    healthy(&path);
    let whole = fs::read(&path).unwrap();
    for (position, words, expected) in [
        (40, "journal info", "in the header: one of the two copies of what it is as a whole"),
        (4096 + 40, "journal verify", "in the header: one of the two copies of what it is as a whole"),
        (130, "journal info", "in the header: the capacity"),
        (138, "journal verify", "in the header: where the retained messages begin"),
        (154, "journal info", "in the header: up to where everything was finished"),
        (512, "journal cursors", "the name of a cursor is damaged"),
        (560, "journal cursors", "Bank       damaged"),
        (560, "journal cursors --format json", "{\"kind\":\"cursor\",\"name\":\"Bank\",\"position\":null}"),
        (8226, "journal cat", "a routing table in the header is damaged"),
        (8226, "journal sequence", "no routing table in the header"),
        (8226, "graph", "no routing table in the header"),
    ] {
        fs::write(&path, &whole).unwrap();
        flip(&path, position);
        let (code, stdout, stderr) = told(words, &path);
        assert_eq!(code, 1, "{words}: {stdout}{stderr}");
        assert!(format!("{stdout}{stderr}").contains(expected), "{words}: {stdout}{stderr}");
    }
}

/// The table that was there before takes its place, and that is said.
#[test]
fn an_older_table_is_better_than_none() {
    static OLDER: Table = Table { name: "Older", workers: &[] };
    let (_directory, path) = scratch();
    let clock = clock();
    for table in [&OLDER, &TABLE] {
        drop(PersistentBus::open(&path, options(&clock).table(table)).unwrap());
    }
    flip(&path, 12288 + 30);
    let warning = "rmsg: warning: FILE: a routing table in the header is damaged: names may be missing or old\n";
    for words in ["graph --format dot", "journal cat", "journal sequence"] {
        let (code, _, stderr) = told(words, &path);
        assert_eq!((code, stderr.as_str()), (1, warning), "{words}");
    }
    assert!(told("graph --format dot", &path).1.starts_with("digraph \"Older\""));
}

/// A flipped bit in a slot is found wherever it is, but for those in places that mean nothing.
#[test]
fn flipped_bits_and_cut_ends_are_found_and_crash_nothing() {
    let (_directory, path) = scratch();
    healthy(&path);
    let whole = fs::read(&path).unwrap();
    for position in
        (0..160).step_by(5).chain((4096..4224).step_by(9)).chain((8192..8296).step_by(7)).chain(16384..16480)
    {
        fs::write(&path, &whole).unwrap();
        flip(&path, position);
        let (code, stdout, stderr) = told("journal verify", &path);
        // Behind the table's checksum nothing is kept.
        let is_spare = (8212..8216).contains(&position);
        assert_eq!(code, i32::from(!is_spare), "{position}: {stdout}{stderr}");
    }
    for len in (0..16496).step_by(401) {
        fs::write(&path, &whole[..len]).unwrap();
        for words in ["journal verify", "journal sequence"] {
            let (code, stdout, stderr) = told(words, &path);
            assert_eq!(code, 1, "{len}: {stdout}{stderr}");
        }
    }
}
