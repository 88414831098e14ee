//! This crate and its peers, interleaved in one process: every message checked, every run bracketed by the raw
//! cache-line ping-pong of the two cores, every comparison made between runs of one round. See BENCHMARKS.md.

mod floor;
mod harness;
mod limits;
mod ours;
mod peers;
mod processes;
mod quiet;
mod report;
mod whole_path;
mod workloads;

use harness::{Outcome, State};
use std::time::{Duration, Instant};

struct Options {
    rounds: usize,
    /// How long one run should take.
    run: Duration,
    only: Option<String>,
    who: Vec<String>,
    pinned: bool,
    /// How long to wait for a machine with nothing else to do.
    patience: Duration,
    /// Two processes instead of all else.
    processes: bool,
}

const USAGE: &str = "\
Measures rust_messenger against its peers and prints Markdown.

    --rounds N      rounds over all contestants (default 9)
    --millis N      about how long one run takes (default 40)
    --quick         3 short rounds: whether everything works, not how fast it is
    --only TEXT     workloads whose name contains TEXT
    --who A,B,C     contestants whose name contains one of these
    --pin           writer and reader on cores of their own
    --processes     two processes instead, by a named ring and by shared memory of iceoryx2
    --patience N    seconds to wait until other programs leave the cores alone (default 0)
    --list          the names of the workloads";

fn options() -> Result<Option<Options>, String> {
    let mut options = Options {
        rounds: 9,
        run: Duration::from_millis(40),
        only: None,
        who: Vec::new(),
        pinned: false,
        patience: Duration::ZERO,
        processes: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--rounds" => {
                let rounds = arguments.next().and_then(|text| text.parse().ok()).filter(|&rounds| rounds > 0);
                options.rounds = rounds.ok_or("--rounds takes a number")?;
            }
            "--millis" => {
                let millis = arguments.next().and_then(|text| text.parse().ok()).filter(|&millis: &f64| millis > 0.0);
                options.run = Duration::from_secs_f64(millis.ok_or("--millis takes a number")? / 1000.0);
            }
            "--quick" => {
                options.rounds = 3;
                options.run = Duration::from_millis(5);
            }
            "--only" => options.only = Some(arguments.next().ok_or("--only takes a part of a name")?),
            "--who" => {
                let names = arguments.next().ok_or("--who takes parts of names, separated by commas")?;
                options.who = names.split(',').map(str::to_owned).collect();
            }
            "--patience" => {
                let seconds = arguments.next().and_then(|text| text.parse().ok());
                options.patience = Duration::from_secs(seconds.ok_or("--patience takes seconds")?);
            }
            "--pin" => options.pinned = true,
            "--processes" => options.processes = true,
            "--list" => {
                workloads::all().iter().for_each(|workload| println!("{}", workload.name));
                return Ok(None);
            }
            "--help" => {
                println!("{USAGE}");
                return Ok(None);
            }
            other => return Err(format!("unknown option {other}\n\n{USAGE}")),
        }
    }
    Ok(Some(options))
}

fn main() {
    if let Ok(told) = std::env::var(processes::TOLD) {
        return processes::answer(&told);
    }
    let options = match options() {
        Ok(Some(options)) => options,
        Ok(None) => return,
        Err(text) => {
            eprintln!("{text}");
            std::process::exit(2);
        }
    };
    let mut workloads = workloads::all();
    workloads.retain(|workload| options.only.as_ref().is_none_or(|only| workload.name.contains(only.as_str())));
    if !options.patience.is_zero() && !quiet::wait(options.patience) {
        eprintln!("other programs did not leave the cores alone: these figures are taken beside them");
    }
    let (begin, ticks) = (Instant::now(), quiet::Ticks::now());
    if options.processes {
        print!("{}", processes::markdown(options.rounds, options.run));
        // Here the other process is one of ours, so what others had is not known.
        println!("\n{}", options_line(&options, begin.elapsed(), None));
        return;
    }
    for workload in &mut workloads {
        let wanted = |entry: &workloads::Entry| options.who.iter().any(|name| entry.name.contains(name.as_str()));
        workload.entries.retain(|entry| options.who.is_empty() || wanted(entry));
        for entry in &mut workload.entries {
            calibrate(entry, workload.first, &options);
        }
    }
    for round in 1..=options.rounds {
        for workload in &mut workloads {
            for entry in &mut workload.entries {
                let outcome = attempt(entry, options.pinned);
                eprintln!(
                    "round {round}  {:<28} {:<34} {:>9.1} ns  {:>9.1}  raw {:>5.0} {:>5.0} {:?}",
                    workload.name,
                    entry.name,
                    outcome.nanos,
                    outcome.high,
                    outcome.before,
                    outcome.after,
                    outcome.state()
                );
                entry.outcomes.push(outcome);
            }
        }
    }
    print!(
        "{}",
        report::markdown(&workloads, &options_line(&options, begin.elapsed(), ticks.and_then(quiet::Ticks::others)))
    );
}

fn options_line(options: &Options, took: Duration, others: Option<f64>) -> String {
    let pinned = if options.pinned { "pinned" } else { "not pinned" };
    let (run, cores) =
        (options.run.as_secs_f64() * 1000.0, std::thread::available_parallelism().map_or(0, usize::from));
    let (rounds, seconds) = (options.rounds, took.as_secs());
    let others = others.map_or("what other programs had is not known".to_owned(), |share| {
        format!("other programs had {:.0} % of the cores", share * 100.0)
    });
    format!(
        "{}, {cores} cores: {rounds} rounds, about {run} ms a run, {pinned}, {seconds} s in all; {others}",
        processor()
    )
}

/// What Linux calls the processor; elsewhere the architecture.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or(std::env::consts::ARCH, |(_, name)| name).to_owned()
}

/// Chooses how many messages make a run of the wanted length.
fn calibrate(entry: &mut workloads::Entry, first: u64, options: &Options) {
    entry.messages = first;
    let outcome = (entry.run)(first, options.pinned);
    let wanted = options.run.as_nanos() as f64 / outcome.nanos.max(0.1);
    entry.messages = (wanted as u64).clamp(first, first * 1000);
}

/// One run; a second and a third if the machine was disturbed meanwhile.
fn attempt(entry: &workloads::Entry, pinned: bool) -> Outcome {
    let mut outcome = Outcome::default();
    for _ in 0..3 {
        outcome = (entry.run)(entry.messages, pinned);
        if !entry.bracketed {
            (outcome.before, outcome.after) = (0.0, 0.0);
        }
        if outcome.state() != State::Unclear {
            break;
        }
    }
    outcome
}
