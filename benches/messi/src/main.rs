//! This crate, Messi's C peers and bare sockets over TCP on loopback, in rounds of one run. See BENCHMARKS.md.
//!
//! Each measurement is a server process and a client process. With `--pin`, which is the default, both are on one
//! processor: the comparison that does not depend on where the two run.

mod protocol;
mod roles;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// A way to measure: who serves, who sends, and what comes of it.
struct Entry {
    workload: &'static str,
    name: &'static str,
    server: &'static str,
    client: &'static [&'static str],
    results: Vec<f64>,
    medians: Vec<f64>,
    /// What the server did for an answer: system calls, and how often a thread gave its processor up.
    calls: Vec<[f64; 2]>,
}

const ONE_WAY: &str = "one way";
const WINDOW: &str = "64 under way";
const TRIP: &str = "round trip";

fn entries() -> Vec<Entry> {
    let entry = |workload, name, server, client| Entry {
        workload,
        name,
        server,
        client,
        results: Vec::new(),
        medians: Vec::new(),
        calls: Vec::new(),
    };
    vec![
        entry(ONE_WAY, "bare socket, 64 KiB at a time", "raw-server", &["raw-ticks", "1820"]),
        entry(ONE_WAY, "bare socket, a frame at a time", "raw-server", &["raw-ticks", "1"]),
        entry(ONE_WAY, "Messi C", "c", &["c"]),
        entry(ONE_WAY, "ours", "loop-server", &["loop-ticks"]),
        entry(ONE_WAY, "ours, server on a bus, one worker", "bus-server", &["loop-ticks"]),
        entry(ONE_WAY, "ours, server on a bus, two workers", "bus-server-of-two", &["loop-ticks"]),
        entry(WINDOW, "Messi C", "c", &["c", "64"]),
        entry(WINDOW, "ours", "loop-server", &["loop-asks", "64"]),
        entry(WINDOW, "ours, server on a bus, one worker", "bus-server", &["loop-asks", "64"]),
        entry(WINDOW, "ours, server on a bus, two workers", "bus-server-of-two", &["loop-asks", "64"]),
        entry(TRIP, "bare socket, blocking", "raw-server", &["raw-asks"]),
        entry(TRIP, "Messi C", "c", &["c", "1"]),
        entry(TRIP, "ours", "loop-server", &["loop-asks", "1"]),
        entry(TRIP, "ours, server on a bus, one worker", "bus-server", &["loop-asks", "1"]),
        entry(TRIP, "ours, server on a bus, two workers", "bus-server-of-two", &["loop-asks", "1"]),
    ]
}

struct Options {
    rounds: usize,
    time: Duration,
    only: String,
    pin: bool,
    calls: bool,
    /// Where Messi's C peers are; without them they are left out.
    peers: Option<PathBuf>,
}

const USAGE: &str = "\
Measures rust_messenger's Messi bridge and prints Markdown.

    --rounds N      rounds over all contestants (default 9)
    --millis N      how long one measurement takes (default 500)
    --only TEXT     contestants whose workload or name contains TEXT
    --no-pin        both processes wherever the system puts them
    --calls         counts the server's system calls instead (wants `perf` and the right to count them)
    --peers DIR     where setup.sh has built Messi's C peers";

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut options = Options {
        rounds: 9,
        time: Duration::from_millis(500),
        only: String::new(),
        pin: true,
        calls: false,
        peers: None,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| usage());
        match argument.as_str() {
            "role" => return role(&value(), &arguments.collect::<Vec<_>>()),
            "--rounds" => options.rounds = value().parse().unwrap_or_else(|_| usage()),
            "--millis" => options.time = Duration::from_millis(value().parse().unwrap_or_else(|_| usage())),
            "--only" => options.only = value(),
            "--no-pin" => options.pin = false,
            "--calls" => options.calls = true,
            "--peers" => options.peers = Some(value().into()),
            _ => usage(),
        }
    }
    if options.pin {
        // Inherited by both processes.
        let mut set = rustix::thread::CpuSet::new();
        set.set(0);
        rustix::thread::sched_setaffinity(None, &set).expect("one processor");
    }
    let mut entries = entries();
    entries.retain(|entry| {
        (entry.server != "c" || options.peers.is_some())
            && (entry.workload != ONE_WAY || !options.calls)
            && (entry.workload.contains(&options.only) || entry.name.contains(&options.only))
    });
    for round in 1..=options.rounds {
        for entry in &mut entries {
            let (rate, median, calls) = measure(entry, &options);
            eprintln!("round {round}  {:<14} {:<36} {rate:>12.0}/s  {median:>8.0} ns", entry.workload, entry.name);
            entry.results.push(rate);
            entry.medians.push(median);
            entry.calls.extend(calls);
        }
    }
    if options.calls { print_calls(&entries) } else { print(&entries, &options) }
}

fn usage() -> ! {
    eprintln!("{USAGE}");
    std::process::exit(2);
}

fn role(name: &str, arguments: &[String]) {
    let port = || arguments[0].parse().expect("a port");
    let time = || Duration::from_secs_f64(arguments[1].parse().expect("seconds"));
    let number = || arguments[2].parse::<u64>().expect("a number");
    match name {
        "raw-server" => roles::raw_server(),
        "loop-server" => roles::loop_server(),
        "bus-server" => roles::bus_server(),
        "bus-server-of-two" => roles::bus_server_of_two(),
        "raw-ticks" => roles::raw_ticks(port(), time(), number() as usize),
        "raw-asks" => roles::raw_asks(port(), time()),
        "loop-ticks" => roles::loop_ticks(port(), time()),
        "loop-asks" => roles::loop_asks(port(), time(), number()),
        other => panic!("no role {other}"),
    }
}

fn command(role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["role", role]);
    command
}

/// Messages or answers a second, the median round trip, and what the server did for an answer if that is counted.
fn measure(entry: &Entry, options: &Options) -> (f64, f64, Option<[f64; 2]>) {
    let c_port = "18763";
    let mut server = match (entry.server, &options.peers) {
        ("c", Some(peers)) => Command::new(peers.join("server")).arg(c_port).stdout(Stdio::piped()).spawn(),
        (role, _) => command(role).stdout(Stdio::piped()).spawn(),
    }
    .expect("the server");
    let mut output = BufReader::new(server.stdout.take().expect("its output"));
    let ready = line(&mut output);
    let port = ready.split_whitespace().nth(1).unwrap_or(c_port).to_owned();
    let mut client = match (entry.client[0], &options.peers) {
        ("c", Some(peers)) => Command::new(peers.join("client")),
        (role, _) => command(role),
    };
    client.arg(&port).arg(options.time.as_secs_f64().to_string()).args(&entry.client[1..]);
    let counted = std::env::temp_dir().join(format!("messi_calls.{}", std::process::id()));
    if options.calls {
        client = counting(&client, server.id(), &counted);
    }
    let client: Child = client.stdout(Stdio::piped()).spawn().expect("the client");
    let done = client.wait_with_output().expect("its end");
    assert!(done.status.success(), "{} failed", entry.name);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    // Whoever asks counts; of ticks the server counts those that came.
    let result = if said.trim().is_empty() { line(&mut output) } else { said };
    let _ = server.kill();
    let _ = server.wait();
    let numbers: Vec<f64> = result.split_whitespace().map(|word| word.parse().expect("a number")).collect();
    let calls = options.calls.then(|| counts(&counted).map(|count| count / numbers[0]));
    (numbers[0] / numbers[1], numbers.get(2).copied().unwrap_or(0.0), calls)
}

/// Runs `client` while the kernel counts what the process `server` does, into `file`.
fn counting(client: &Command, server: u32, file: &Path) -> Command {
    let mut perf = Command::new("perf");
    perf.args(["stat", "-x,", "-e", "raw_syscalls:sys_enter", "-e", "context-switches"]);
    perf.arg("-p").arg(server.to_string()).arg("-o").arg(file).arg("--").arg(client.get_program());
    perf.args(client.get_args());
    perf
}

fn counts(file: &Path) -> [f64; 2] {
    let text = std::fs::read_to_string(file).expect("what perf has counted");
    let _ = std::fs::remove_file(file);
    ["raw_syscalls:sys_enter", "context-switches"].map(|event| {
        let line = text.lines().find(|line| line.contains(event)).expect("this event");
        line.split(',').next().unwrap_or("").parse().unwrap_or_else(|_| panic!("perf may not count: {line}"))
    })
}

fn print_calls(entries: &[Entry]) {
    println!("| | system calls of the server for an answer | context switches |");
    println!("| --- | --- | --- |");
    for entry in entries {
        let [calls, switches] = [0, 1].map(|i| median(&entry.calls.iter().map(|counts| counts[i]).collect::<Vec<_>>()));
        println!("| {}: {} | {calls:.2} | {switches:.2} |", entry.workload, entry.name);
    }
}

fn line(output: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    output.read_line(&mut line).expect("a line");
    line
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn print(entries: &[Entry], options: &Options) {
    let pinned = if options.pin { "both processes on one processor" } else { "not pinned" };
    println!("{} rounds of {} ms, {pinned}; medians, ratios of one round.", options.rounds, options.time.as_millis());
    for workload in [ONE_WAY, WINDOW, TRIP] {
        let rows: Vec<&Entry> = entries.iter().filter(|entry| entry.workload == workload).collect();
        if rows.is_empty() {
            continue;
        }
        let trip = workload == TRIP;
        let columns: Vec<&Entry> = rows.iter().copied().filter(|row| !row.name.starts_with("ours")).collect();
        println!("\n| {workload} | {} |", if trip { "p50, us" } else { "frames a second" });
        println!("| --- | --- |");
        for row in &rows {
            let value = if trip { median(&row.medians) / 1000.0 } else { median(&row.results) };
            println!("| {} | {} |", row.name, if trip { format!("{value:.1}") } else { thousands(value) });
        }
        println!();
        for row in rows.iter().filter(|row| row.name.starts_with("ours")) {
            for column in &columns {
                let (ours, theirs) =
                    if trip { (&row.medians, &column.medians) } else { (&row.results, &column.results) };
                let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
                println!("* {}: {:.2}x {}", row.name, median(&ratios), column.name);
            }
        }
    }
}

fn thousands(value: f64) -> String {
    if value >= 1e6 { format!("{:.2} M", value / 1e6) } else { format!("{:.0} k", value / 1e3) }
}
