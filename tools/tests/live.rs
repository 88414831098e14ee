//! Beside a running writer, on terminals, through pipes, and on journals that are larger than the memory there is.

#![cfg(all(unix, not(miri)))]

mod support;

use rust_messenger::message_bus::{PersistentBus, PersistentOptions};
use rust_messenger::traits::{MessageBus, Publish};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;
use support::library::{PATIENCE, wait_until};
use support::{Guarded, TABLE, battered, clock, finish, healthy, options, rmsg, run, scratch};

/// A running command, and what it says line by line.
struct Running {
    child: Guarded,
    lines: Receiver<String>,
}

fn start(words: &str, path: &Path) -> Running {
    let mut child = rmsg(words, path).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (line, lines) = channel();
    std::thread::spawn(move || stdout.lines().map_while(Result::ok).all(|said| line.send(said).is_ok()));
    Running { child: Guarded(child), lines }
}

/// Writes until something is seen, which says that following has begun. Returns the line.
fn write_until_seen(bus: &PersistentBus, running: &Running) -> String {
    let writer = bus.writer().unwrap();
    let mut seen = None;
    wait_until("it follows", || {
        writer.write_bytes(1, 1, b"first").unwrap();
        seen = running.lines.recv_timeout(Duration::from_millis(20)).ok();
        seen.is_some()
    });
    seen.unwrap()
}

/// Not even what stands behind a hole, which may be in use and where following begins therefore.
#[test]
fn what_was_there_before_is_not_followed() {
    let (_directory, path) = scratch();
    battered(&path);
    let (bus, recovered) = PersistentBus::open(&path, options(&clock())).unwrap();
    assert_eq!((recovered.hole_count, recovered.messages), (1, 5));
    let tail = bus.tail();
    let first = write_until_seen(&bus, &start("journal follow", &path));
    let position: u64 = first.split_whitespace().next().unwrap().parse().unwrap();
    assert!(position >= tail, "{first} was there at {tail}");
}

#[test]
fn messages_are_followed_as_they_are_committed() {
    let (_directory, path) = scratch();
    healthy(&path);
    let clock = clock();
    let (bus, _) = PersistentBus::open(&path, options(&clock).table(&TABLE)).unwrap();
    let running = start("journal follow --message Total --message Deposit", &path);
    write_until_seen(&bus, &running);
    let writer = bus.writer().unwrap();
    for _ in 0..50 {
        let position = bus.tail();
        // Not asked for, and not shown.
        writer.write_bytes(3, 3, b"page").unwrap();
        let asked = bus.tail();
        writer.write_bytes(2, 2, b"total").unwrap();
        let line = loop {
            let line = running.lines.recv_timeout(PATIENCE).expect("a line for each message");
            if !line.contains("Deposit") {
                break line;
            }
        };
        assert!(line.contains(&format!(" {asked} ")) && line.contains("Total"), "{line} is not at {asked}");
        assert!(position < asked);
    }
}

/// The program is started anew, and has a table now.
#[test]
fn names_that_come_later_are_known_to_a_follower() {
    let (_directory, path) = scratch();
    let clock = clock();
    let (bus, _) = PersistentBus::open(&path, options(&clock)).unwrap();
    let running = start("journal follow --from 0", &path);
    bus.writer().unwrap().write_bytes(1, 1, b"").unwrap();
    let line = running.lines.recv_timeout(PATIENCE).unwrap();
    assert!(line.contains("#1 "), "{line}");
    drop(bus);
    let (bus, _) = PersistentBus::open(&path, options(&clock).table(&TABLE)).unwrap();
    let writer = bus.writer().unwrap();
    wait_until("the name is known", || {
        writer.write_bytes(1, 1, b"").unwrap();
        running.lines.recv_timeout(PATIENCE).unwrap().contains("Deposit")
    });
}

#[test]
fn a_busy_writer_is_followed_without_a_gap() {
    const COUNT: usize = 20_000;
    let (_directory, path) = scratch();
    let clock = clock();
    let (bus, _) = PersistentBus::open(&path, options(&clock).table(&TABLE)).unwrap();
    let running = start(&format!("journal follow --from 0 --limit {COUNT} --format json --payload"), &path);
    std::thread::scope(|scope| {
        for source in [1_u16, 2] {
            let writer = bus.writer().unwrap();
            scope.spawn(move || {
                for number in 0..COUNT as u32 / 2 {
                    writer.write_bytes(source, source, &number.to_be_bytes()).unwrap();
                }
            });
        }
    });
    let mut next = [0, 0];
    for _ in 0..COUNT {
        let line = running.lines.recv_timeout(PATIENCE).expect("a line for each message");
        let source = if line.contains("\"source\":1") { 0 } else { 1 };
        assert!(line.ends_with(&format!("\"payload\":\"{:08x}\"}}", next[source])), "{line} is not {next:?}");
        next[source] += 1;
    }
    let mut running = running;
    let status = running.child.0.wait().unwrap();
    assert!(status.success() && running.lines.recv().is_err());
}

#[test]
fn a_running_writer_is_no_damage() {
    let (_directory, path) = scratch();
    let clock = clock();
    let (bus, _) = PersistentBus::open(&path, options(&clock).table(&TABLE)).unwrap();
    let writer = bus.writer().unwrap();
    let (stop, stopped) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // Bursts, so that there is always something in flight and the disk does not fill up.
            while stopped.recv_timeout(Duration::from_micros(500)) == Err(RecvTimeoutError::Timeout) {
                for size in 0..100 {
                    writer.write(1, 1, size * 3, |bytes| bytes.fill(7)).unwrap();
                }
            }
        });
        wait_until("there is something to verify", || bus.stats().messages > 100);
        let mut before = 0;
        for _ in 0..20 {
            let output = run(rmsg("journal verify", &path));
            let text = String::from_utf8(output.stdout).unwrap();
            assert_eq!(output.status.code(), Some(0), "{text}");
            assert!(text.ends_with("not damaged\n"), "{text}");
            let last = text.lines().rev().nth(1).unwrap();
            let messages: u64 = last.split(' ').next().unwrap().parse().unwrap();
            assert!(messages >= before);
            before = messages;
        }
        assert!(before > 100, "{before}");
        drop(stop);
    });
}

/// By what the system says: it has gone to sleep many times, and used hardly any time.
#[cfg(target_os = "linux")]
#[test]
fn following_does_not_spin() {
    use std::time::Instant;

    let (_directory, path) = scratch();
    healthy(&path);
    let running = start("journal follow", &path);
    let process = Path::new("/proc").join(running.child.0.id().to_string());
    let sleeps = || -> u64 {
        let status = std::fs::read_to_string(process.join("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let ticks = || -> u64 {
        let stat = std::fs::read_to_string(process.join("stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    // Some of these are of its start; after ten looks it is as slow as it becomes.
    wait_until("it has begun to wait", || sleeps() >= 20);
    let (before, begun) = ((sleeps(), ticks()), Instant::now());
    wait_until("it has waited for a while", || sleeps() >= before.0 + 10);
    let used = Duration::from_millis(10 * (ticks() - before.1));
    assert!(begun.elapsed() >= Duration::from_millis(500), "ten looks in {:?}", begun.elapsed());
    assert!(used * 5 < begun.elapsed(), "{used:?} of {:?}", begun.elapsed());
}

// --------------------------------------------------------------------------------------------------------------- pipes

/// A journal whose text is longer than any pipe.
fn long(path: &Path, messages: u32) {
    let clock = clock();
    let (bus, _) = PersistentBus::open(path, options(&clock).table(&TABLE)).unwrap();
    let writer = bus.writer().unwrap();
    for number in 0..messages {
        writer.write_bytes(1, 1, &number.to_be_bytes()).unwrap();
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let (_directory, path) = scratch();
    long(&path, 20_000);
    for words in ["journal cat", "journal cat --format json", "journal sequence", "journal follow --from 0"] {
        let mut child = rmsg(words, &path).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut String::new()).unwrap();
        drop(stdout);
        let output = finish(child);
        assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
    }
}

/// While nothing is written, so that it is not told by an attempt to print.
#[test]
fn a_follower_ends_with_its_reader() {
    let (_directory, path) = scratch();
    healthy(&path);
    let mut child =
        rmsg("journal follow --from 0", &path).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..2 {
        assert_ne!(stdout.read_line(&mut String::new()).unwrap(), 0);
    }
    drop(stdout);
    assert_eq!(finish(child).status.code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let (_directory, path) = scratch();
    healthy(&path);
    let mut command = rmsg("journal cat", &path);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let child = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let output = finish(child);
    let expected =
        "rmsg: error: (output): No space left on device (os error 28); expected to write there; check the disk";
    assert_eq!(String::from_utf8(output.stderr).unwrap().trim_end(), expected);
    assert_eq!(output.status.code(), Some(1));
}

// ----------------------------------------------------------------------------------------------------------- terminals

/// Runs a command with a terminal for its standard output, its standard error, or both. Returns what the terminal got.
fn on_terminal(mut command: Command, stdout: bool, stderr: bool) -> String {
    let host = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&host).unwrap();
    unlockpt(&host).unwrap();
    let name = ptsname(&host, Vec::new()).unwrap();
    let terminal = || File::from(rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap());
    let stdio = |is_terminal: bool| if is_terminal { Stdio::from(terminal()) } else { Stdio::null() };
    let child = command.stdout(stdio(stdout)).stderr(stdio(stderr)).spawn().unwrap();
    // Its ends of the terminal are open as long as the command is.
    drop(command);
    let reader = std::thread::spawn(move || {
        let (mut host, mut said, mut bytes) = (File::from(host), Vec::new(), [0; 4096]);
        // Ends with an error when the last one who has the terminal has closed it.
        while let Ok(read @ 1..) = host.read(&mut bytes) {
            said.extend_from_slice(&bytes[..read]);
        }
        said
    });
    finish(child);
    String::from_utf8(reader.join().unwrap()).unwrap()
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let (_directory, path) = scratch();
    battered(&path);
    for words in ["journal cat", "journal info", "journal verify"] {
        let with = |name: &str, value: &str| {
            let mut command = rmsg(words, &path);
            command.env(name, value);
            on_terminal(command, true, false)
        };
        assert!(on_terminal(rmsg(words, &path), true, false).contains("\x1b["), "{words}");
        assert!(with("NO_COLOR", "").contains("\x1b["), "{words}: NO_COLOR that says nothing");
        assert!(!with("NO_COLOR", "1").contains('\x1b'), "{words}: NO_COLOR");
        assert!(!with("TERM", "dumb").contains('\x1b'), "{words}: TERM=dumb");
        let piped = run(rmsg(words, &path)).stdout;
        assert!(!piped.is_empty() && !piped.contains(&0x1b), "{words} through a pipe");
    }
    // A terminal is no place for other people's control characters, and JSON has no colours.
    assert!(!on_terminal(rmsg("journal cat --payload", &path), true, false).contains("\x1b[31m nobody"));
    assert!(!on_terminal(rmsg("journal cat --format json", &path), true, false).contains('\x1b'));
}

/// A journal of about so many MiB.
fn large(path: &Path, mib: u64) {
    let clock = clock();
    let made = PersistentOptions { max_payload: 1 << 20, step: 16 << 20, ..options(&clock) };
    let (bus, _) = PersistentBus::open(path, made.table(&TABLE)).unwrap();
    let writer = bus.writer().unwrap();
    while bus.tail() < mib << 20 {
        writer.write(1, 1, 60_000, |bytes| bytes.fill(7)).unwrap();
    }
}

#[test]
fn long_work_shows_how_far_it_is_on_a_terminal_only() {
    let (_directory, path) = scratch();
    large(&path, 40);
    let shown = on_terminal(rmsg("journal verify", &path), false, true);
    assert!(shown.contains(" % of ") && shown.ends_with("\r\x1b[K"), "{shown:?}");
    assert!(on_terminal(rmsg("journal cat --source 9", &path), false, true).contains(" % of "));
    // In between lines of output it would be in the way.
    assert!(!on_terminal(rmsg("journal cat", &path), true, true).contains(" % of "));
    let piped = run(rmsg("journal verify", &path));
    assert!(piped.status.success() && piped.stderr.is_empty());
    let (_directory, path) = scratch();
    healthy(&path);
    assert_eq!(on_terminal(rmsg("journal verify", &path), false, true), "");
}

/// With less memory than the journal is long.
#[cfg(target_os = "linux")]
#[test]
fn a_large_journal_needs_little_memory() {
    let (_directory, path) = scratch();
    large(&path, 96);
    for words in ["verify", "cat", "sequence", "cat --from 50000000 --limit 3"] {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -v 49152 && exec \"$0\" journal $1 \"$2\""]);
        command.args([env!("CARGO_BIN_EXE_rmsg"), words]).arg(&path);
        let output = run(command);
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stdout.is_empty());
    }
}
