//! `rmsg stat`, `top` and `heal` on rings that other processes use, stand still on and die on; and on what is no ring.

#![cfg(all(target_os = "linux", not(miri)))]

mod support;

use rust_messenger::message_bus::NamedStats;
use rust_messenger::traits::{BusWriter, MessageBus, Publish, Reader};
use rust_messenger::{CircularBus, NamedOptions};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::library::wait_until;
use support::{Guarded, TABLE, assert_snapshot, assert_snapshot_with, rmsg, run, told};

/// What a child is to do, and with which ring.
const TOLD: &str = "RMSG_TEST_RING";

fn options() -> NamedOptions {
    NamedOptions { capacity: Some(4096), ..NamedOptions::default() }.table(&TABLE)
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.ring");
    (directory, path)
}

/// Waits until whoever started this process lets go of it.
fn wait_for_the_end() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// Uses the ring as it is told, and waits for its end.
#[test]
fn child_uses_a_ring() {
    let Ok(told) = std::env::var(TOLD) else { return };
    let (role, path) = told.split_once(' ').unwrap();
    let bus = CircularBus::open(path, NamedOptions::default()).unwrap();
    match role {
        // Two readers that are behind, one of them with something in its outbox.
        "desk" => {
            let mut tap = bus.subscribe_evictable("tap").unwrap();
            let reader = bus.subscribe("desk").unwrap();
            let worker = bus.worker_writer(&reader).unwrap();
            (0..5).for_each(|_| worker.write_bytes(2, 2, b"total").unwrap());
            // Nobody else writes from now on.
            worker.take_ticket();
            worker.record_outbox(700);
            worker.record_outbox(300);
            tap.try_read(|_, _| ()).unwrap();
            bus.subscribe("ready").map(|_ready| wait_for_the_end()).unwrap();
        }
        "feed" => {
            let writer = bus.writer().unwrap();
            (0..9).for_each(|_| writer.write_bytes(1, 1, b"deposit").unwrap());
            let _ready = bus.subscribe_evictable("feed");
            wait_for_the_end();
        }
        // For ever, to a reader that keeps up.
        "busy" => {
            let (writer, mut reader) = (bus.writer().unwrap(), bus.subscribe("busy").unwrap());
            loop {
                writer.write_bytes(1, 1, b"deposit").unwrap();
                reader.try_read(|_, _| ()).unwrap();
            }
        }
        // As slow as that one lets it be.
        "slow" => {
            let mut reader = bus.subscribe("slow").unwrap();
            loop {
                let _ = reader
                    .try_read(|_, payload| (0..2000).fold(payload.len(), |sum, next| sum ^ std::hint::black_box(next)));
            }
        }
        role => panic!("{role}"),
    }
}

/// This program as another one, called as its role, which is ready when it has this reader.
fn start(role: &str, path: &Path, ready: &str) -> Guarded {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg0(role).args(["--exact", "child_uses_a_ring", "--nocapture", "--test-threads=1"]);
    command.env(TOLD, format!("{role} {}", path.display())).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = Guarded(command.spawn().unwrap());
    wait_until("it is ready", || {
        assert!(child.0.try_wait().unwrap().is_none(), "{role} has ended");
        NamedStats::read(path).unwrap().readers.iter().any(|reader| reader.name == ready)
    });
    child
}

fn signal(child: &Guarded, signal: Signal) {
    kill_process(Pid::from_child(&child.0), signal).unwrap();
}

/// With names for numbers that are others in every run.
fn with_names(text: &str, children: &[(&Guarded, &str)]) -> String {
    let mut text = text.to_owned();
    for (child, name) in children {
        let pid = child.0.id();
        text = text.replace(&format!("{pid:>7}"), &format!("{name:>7}"));
        text = text.replace(&format!("\"pid\":{pid},"), &format!("\"pid\":\"{name}\","));
        text = text.replace(&format!("process {pid} "), &format!("process {name} "));
    }
    text
}

#[test]
fn a_ring_that_others_use() {
    let (_directory, path) = scratch();
    drop(CircularBus::create(&path, options()).unwrap());
    let feed = start("feed", &path, "feed");
    let desk = start("desk", &path, "ready");
    let names = [(&desk, "DESK"), (&feed, "FEED")];
    let snapshot = |name: &str, words: &str| assert_snapshot_with(name, words, &path, |text| with_names(text, &names));
    let before = fs::read(&path).unwrap();
    snapshot("ring-stat.txt", "stat");
    snapshot("ring-stat.json", "stat --format json");
    snapshot("ring-top.txt", "top --once --every 0.05");
    snapshot("ring-top.json", "top --once --every 0.05 --format json");
    assert!(fs::read(&path).unwrap() == before, "changed by who only looks");
    // One of them stands still and has the lock, as a process may be stopped anywhere.
    signal(&feed, Signal::STOP);
    let place = NamedStats::read(&path).unwrap().attachments.iter().position(|it| it.pid == Some(feed.0.id())).unwrap();
    let lock = |word: u64| {
        let file = File::options().write(true).open(&path).unwrap();
        file.write_all_at(&word.to_ne_bytes(), 77824 + 512).unwrap();
    };
    let state = &before[4096 + 128 * place..][..8];
    lock(u64::from_ne_bytes(state.try_into().unwrap()));
    wait_until("it stands still", || NamedStats::read(&path).unwrap().attachments[place].paused);
    snapshot("ring-paused.txt", "stat");
    snapshot("ring-held.txt", "heal");
    lock(0);
    signal(&feed, Signal::CONT);
}

#[test]
fn what_the_dead_held_is_given_back() {
    let (_directory, path) = scratch();
    drop(CircularBus::create(&path, options()).unwrap());
    let mut feed = start("feed", &path, "feed");
    let mut desk = start("desk", &path, "ready");
    assert_snapshot("ring-nothing.txt", "heal", &path);
    for child in [&mut desk, &mut feed] {
        child.0.kill().unwrap();
        child.0.wait().unwrap();
    }
    let names = [(&desk, "DESK"), (&feed, "FEED")];
    let snapshot = |name: &str, words: &str| assert_snapshot_with(name, words, &path, |text| with_names(text, &names));
    snapshot("ring-dead.txt", "stat");
    let whole = fs::read(&path).unwrap();
    snapshot("ring-heal.txt", "heal");
    let healed = NamedStats::read(&path).unwrap();
    assert_eq!((healed.readers.len(), healed.writers.len(), healed.attachments.len()), (0, 0, 0));
    assert_snapshot("ring-nothing.txt", "heal", &path);
    fs::write(&path, whole).unwrap();
    snapshot("ring-heal.json", "heal --format json");
}

#[test]
fn the_place_of_a_dead_one_writer_is_given_back() {
    let (_directory, path) = scratch();
    drop(CircularBus::create_one_writer(&path, options()).unwrap());
    // Whoever had it is known no more.
    let file = File::options().write(true).open(&path).unwrap();
    let owner: u64 = 1 << 32 | 1;
    file.write_all_at(&owner.to_ne_bytes(), 77824 + 552).unwrap();
    assert_snapshot("ring-one-writer.txt", "heal", &path);
    assert!(CircularBus::open_one_writer(&path, NamedOptions::default()).unwrap().writer().is_ok());
}

#[test]
fn rates_are_what_two_looks_differ_by() {
    let (_directory, path) = scratch();
    drop(CircularBus::create(&path, options()).unwrap());
    let _busy = start("busy", &path, "busy");
    wait_until("it is seen to write and to read", || {
        let (code, stdout, _) = told("top --once --every 0.1 --format json", &path);
        let object: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!((code, object["kind"].as_str()), (0, Some("ring")));
        let rates = [&object["messages_per_second"], &object["bytes_per_second"], &object["readers"][0]["per_second"]];
        rates.iter().all(|rate| rate.as_f64().unwrap() > 10.0)
            && object["writers"][0]["per_second"].as_f64().unwrap() > 10.0
    });
    // Line by line, until nobody reads them.
    let mut child = Guarded(rmsg("top --every 0.01 --format json", &path).stdout(Stdio::piped()).spawn().unwrap());
    let mut said = child.0.stdout.take().unwrap();
    let mut bytes = [0; 4000];
    said.read_exact(&mut bytes).unwrap();
    drop(said);
    assert!(String::from_utf8_lossy(&bytes).lines().take(2).all(|line| line.starts_with("{\"kind\":\"ring\",")));
    let mut ended = None;
    wait_until("it ends", || {
        ended = child.0.try_wait().unwrap();
        ended.is_some()
    });
    assert!(ended.unwrap().success());
}

/// A terminal of a hundred columns, whose other end is `host`.
fn terminal() -> (File, File) {
    let host = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&host).unwrap();
    unlockpt(&host).unwrap();
    let name = ptsname(&host, Vec::new()).unwrap();
    let terminal = File::from(rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap());
    tcsetwinsize(&terminal, Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    (File::from(host), terminal)
}

#[test]
fn top_shows_a_ring_until_it_is_told_to_end() {
    let (_directory, path) = scratch();
    drop(CircularBus::create(&path, options()).unwrap());
    let _desk = start("desk", &path, "ready");
    for removed in [false, true] {
        let (mut host, end) = terminal();
        let stdio = || Stdio::from(end.try_clone().unwrap());
        let mut command = rmsg("top --every 0.02", &path);
        let mut child = Guarded(command.stdin(stdio()).stdout(stdio()).stderr(Stdio::piped()).spawn().unwrap());
        drop((command, end));
        let (mut said, mut bytes) = (String::new(), [0; 4096]);
        while !said.contains("ready") {
            let read = host.read(&mut bytes).unwrap();
            said.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
        assert!(said.contains("PROCESS") && said.contains("q ends"), "{said}");
        if removed {
            CircularBus::remove(&path).unwrap();
        } else {
            host.write_all(b"jkq").unwrap();
        }
        // What it still says is heard, or it would wait for that.
        while let Ok(read @ 1..) = host.read(&mut bytes) {
            said.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
        assert!(said.contains("\x1b[?1049l"), "the screen that was there before is back: {said}");
        let mut stderr = String::new();
        child.0.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let code = child.0.wait().unwrap().code();
        let expected =
            format!("rmsg: error: {}: there is no such ring; expected a ring; check the path\n", path.display());
        assert_eq!((code, stderr), if removed { (Some(1), expected) } else { (Some(0), String::new()) });
    }
}

// ----------------------------------------------------------------------------------------------------------- bad input

#[track_caller]
fn refused(path: &Path, expected: &str) {
    for words in ["stat", "stat --format json", "top --once", "top --format json", "heal"] {
        let (code, stdout, stderr) = told(words, path);
        assert_eq!((code, stdout.as_str()), (1, ""), "{words}: {stderr}");
        assert_eq!(stderr, format!("rmsg: error: FILE: {expected}\n"), "{words}");
    }
}

#[test]
fn what_is_no_ring_is_refused() {
    let (directory, path) = scratch();
    const CHECK: &str = "expected a ring; check the path";
    refused(&path, &format!("there is no such ring; {CHECK}"));
    refused(directory.path(), &format!("a ring is a file, and this is a directory; {CHECK}"));
    refused(Path::new("/dev/zero"), &format!("a ring is a file, and this is a device; {CHECK}"));
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    refused(&path, &format!("a ring is a file, and this is a pipe; {CHECK}"));
    fs::remove_file(&path).unwrap();
    for content in [&b""[..], b"rmsgring", &[0; 4096]] {
        fs::write(&path, content).unwrap();
        refused(&path, &format!("this file is no ring; {CHECK}"));
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    fs::remove_file(&path).unwrap();
    drop(CircularBus::create(&path, options()).unwrap());
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    refused(&link, &format!("a ring is a file, and this is a symbolic link; {CHECK}"));
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let (found, expected) = (whole.len() - 1, whole.len());
    refused(&path, &format!("a ring of {found} bytes that should have {expected}; {CHECK}"));
    let mut bytes = whole.clone();
    bytes[16] = 4;
    fs::write(&path, &bytes).unwrap();
    let end = "end its users, remove it, and start them again";
    let check = "expected a ring that this version can read; check the version of rmsg";
    refused(&path, &format!("a ring of version 4, and this program knows version 3; {end}; {check}"));
    bytes = whole;
    bytes[60] ^= 1;
    fs::write(&path, &bytes).unwrap();
    refused(&path, &format!("a damaged ring: its first page cannot be; remove it; {CHECK}"));
}

#[test]
fn a_ring_that_one_may_not_read_is_refused() {
    let (directory, path) = scratch();
    drop(CircularBus::create(&path, NamedOptions { mode: 0o000, ..options() }).unwrap());
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = rmsg("stat", &path);
    if rustix::process::geteuid().is_root() {
        // Who may read everything is no test.
        let copy = directory.path().join("rmsg");
        fs::copy(env!("CARGO_BIN_EXE_rmsg"), &copy).unwrap();
        command = Command::new(copy);
        command.arg("stat").arg(&path).uid(65534).gid(65534);
    }
    let mut output = None;
    wait_until("no other test's child has the copy open for writing", || {
        match command.output() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {}
            ended => output = Some(ended.unwrap()),
        }
        output.is_some()
    });
    let output = output.unwrap();
    let expected = "this process may not use it; expected a ring that you may use; run rmsg as its owner, or as one of \
                    its group";
    let expected = format!("rmsg: error: {}: {expected}\n", path.display());
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(1), expected));
}

/// Words that mean nothing, in every place behind the first page: numbers, and no control characters.
#[test]
fn a_ring_of_stray_words_is_shown_and_nothing_worse() {
    let (_directory, path) = scratch();
    drop(CircularBus::create(&path, options()).unwrap());
    let mut bytes = fs::read(&path).unwrap();
    let mut stray = 7_u64;
    for word in bytes[4096..].chunks_exact_mut(8) {
        stray = stray.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        word.copy_from_slice(&stray.rotate_left(24).to_ne_bytes());
    }
    fs::write(&path, bytes).unwrap();
    for words in ["stat", "stat --format json", "top --once --every 0.01", "top --once --every 0.01 --format json"] {
        let (code, stdout, stderr) = told(words, &path);
        assert_eq!((code, &*stderr), (0, ""), "{words}");
        assert!(!stdout.chars().any(|letter| letter.is_control() && letter != '\n'), "{words}: {stdout:?}");
    }
}

#[test]
fn wrong_usage_of_top_ends_with_2() {
    let (_directory, path) = scratch();
    drop(CircularBus::create(&path, options()).unwrap());
    for (words, expected) in [
        ("top", "top wants a terminal; add --once, or --format json"),
        ("top --format svg", "--format svg: a picture stands still; add --once"),
        ("top --every 0", "a number from 0.01 to 3600 is expected"),
        ("top --every soon", "a number from 0.01 to 3600 is expected"),
        ("top --format xml", "possible values: text, json, svg"),
        ("stat --format svg", "possible values: text, json"),
    ] {
        let (code, stdout, stderr) = told(words, &path);
        assert_eq!((code, stdout.as_str()), (2, ""), "{words}: {stderr}");
        assert!(stderr.contains(expected), "{words}: {stderr}");
    }
}

// ------------------------------------------------------------------------------------------------------------- picture

/// Makes the picture of the README anew.
#[test]
#[ignore = "makes a file that is kept"]
fn make_the_picture() {
    let (directory, _) = scratch();
    let path = directory.path().join("orders.ring");
    drop(CircularBus::create(&path, NamedOptions { capacity: Some(1 << 16), ..options() }).unwrap());
    let feed = start("feed", &path, "feed");
    let _slow = start("slow", &path, "slow");
    let _busy = start("busy", &path, "busy");
    signal(&feed, Signal::STOP);
    let output = run(rmsg("top --once --format svg", &path));
    fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/top.svg"), output.stdout).unwrap();
}
