//! Outcomes become tables. Ratios are taken within a round, between runs in the same state, and then the median.

use crate::harness::State;
use crate::workloads::*;
use std::fmt::Write;

/// A bound from the project's list of targets.
struct Target {
    what: &'static str,
    ours: (&'static str, &'static str),
    /// The best of these, by median. Nobody: the bound is one of nanoseconds.
    theirs: &'static [(&'static str, &'static str)],
    at_most: f64,
}

const TARGETS: &[Target] = &[
    Target {
        what: "1w 1r 32 B, default strategy, one writer: disruptor single at its best waiting",
        ours: (PAUSING, ONE),
        theirs: &[(PAUSING, SINGLE), (SPINNING, SINGLE)],
        at_most: 1.2,
    },
    Target {
        what: "the same: the floor at its best waiting (stretch)",
        ours: (PAUSING, ONE),
        theirs: &[(PAUSING, FLOOR), (SPINNING, FLOOR)],
        at_most: 1.3,
    },
    Target {
        what: "1w 1r 32 B, default strategy, many writers: disruptor multi at its best waiting",
        ours: (PAUSING, MANY),
        theirs: &[(PAUSING, MULTI), (SPINNING, MULTI)],
        at_most: 0.6,
    },
    Target {
        what: "the same: crossbeam ArrayQueue at its best waiting (stretch)",
        ours: (PAUSING, MANY),
        theirs: &[(PAUSING, ARRAY), (SPINNING, ARRAY)],
        at_most: 1.0,
    },
    Target {
        what: "2w 1r 32 B: disruptor multi at its best waiting",
        ours: (TWO_WRITERS, MANY),
        theirs: &[(TWO_WRITERS, MULTI), (TWO_WRITERS, MULTI_SPIN)],
        at_most: 0.6,
    },
    Target {
        what: "1w 3r 32 B, one writer: disruptor single at its best waiting",
        ours: (THREE_READERS, ONE),
        theirs: &[(THREE_READERS, SINGLE), (THREE_READERS, SINGLE_SPIN)],
        at_most: 1.0,
    },
    Target {
        what: "1w 3r 32 B, many writers: disruptor multi at its best waiting",
        ours: (THREE_READERS, MANY),
        theirs: &[(THREE_READERS, MULTI), (THREE_READERS, MULTI_SPIN)],
        at_most: 0.5,
    },
    Target {
        what: "1 KiB, one writer, default strategy: disruptor single, spinning (stretch 0.5)",
        ours: (KIB, ONE),
        theirs: &[(KIB, SINGLE_SPIN)],
        at_most: 0.8,
    },
    Target {
        what: "64 KiB, one writer, default strategy: disruptor single at its best waiting",
        ours: (KIB64, ONE),
        theirs: &[(KIB64, SINGLE), (KIB64, SINGLE_SPIN)],
        at_most: 1.0,
    },
    Target {
        what: "write one, read one, one writer: disruptor single",
        ours: (ALONE, ONE),
        theirs: &[(ALONE, SINGLE)],
        at_most: 1.3,
    },
    Target {
        what: "write one, read one, many writers: disruptor multi",
        ours: (ALONE, MANY),
        theirs: &[(ALONE, MULTI)],
        at_most: 1.3,
    },
    Target {
        what: "write 64, read 64, one writer: disruptor single",
        ours: (BATCHES, ONE),
        theirs: &[(BATCHES, SINGLE)],
        at_most: 1.3,
    },
    Target {
        what: "write 64, read 64, many writers: disruptor multi",
        ours: (BATCHES, MANY),
        theirs: &[(BATCHES, MULTI)],
        at_most: 1.3,
    },
    Target {
        what: "1w 1r 32 B, both spinning, one writer: disruptor single",
        ours: (SPINNING, ONE_SPIN),
        theirs: &[(SPINNING, SINGLE)],
        at_most: 1.0,
    },
    Target {
        what: "round trip p50, spinning: raw ping-pong",
        ours: (TRIP_SPINNING, ONE_SPIN),
        theirs: &[(TRIP_SPINNING, RAW)],
        at_most: 1.5,
    },
    Target {
        what: "round trip p50, spinning: rtrb",
        ours: (TRIP_SPINNING, ONE_SPIN),
        theirs: &[(TRIP_SPINNING, RTRB)],
        at_most: 0.75,
    },
    Target {
        what: "round trip p50 while active, default strategy: crossbeam-channel's blocking call",
        ours: (TRIP_BLOCKING, ONE),
        theirs: &[(TRIP_BLOCKING, CROSSBEAM)],
        at_most: 1.0,
    },
    Target {
        what: "round trip p50, parked: park and unpark",
        ours: (TRIP_PARKED, ONE_PARK),
        theirs: &[(TRIP_PARKED, PARK)],
        at_most: 1.05,
    },
    Target {
        what: "blocking bus when nobody sleeps, one writer: the ring itself",
        ours: (ALONE, ONE_CONDVAR),
        theirs: &[(ALONE, ONE)],
        at_most: 1.1,
    },
    Target {
        what: "blocking bus when nobody sleeps, many writers: the ring itself",
        ours: (ALONE, MANY_CONDVAR),
        theirs: &[(ALONE, MANY)],
        at_most: 1.1,
    },
    Target {
        what: "there and back between two handlers of one worker, postcard, ns",
        ours: (IN_ONE, POSTCARD),
        theirs: &[],
        at_most: 80.0,
    },
    Target {
        what: "there and back between two workers, postcard: ractor",
        ours: (BETWEEN, POSTCARD),
        theirs: &[(BETWEEN, RACTOR)],
        at_most: 0.5,
    },
];

pub fn markdown(workloads: &[Workload], options: &str) -> String {
    let mut text = format!("{options}.\n\n### Targets\n\n");
    targets(&mut text, workloads);
    text.push_str(
        "\n### Throughput, ns per message\n\nMedians over the rounds of the state named in the last row.\n\n",
    );
    overview(&mut text, workloads);
    for workload in workloads {
        details(&mut text, workload);
    }
    text
}

/// The state that most runs of a workload were in.
fn state(workload: &Workload) -> State {
    let count = |state| {
        let outcomes = workload.entries.iter().flat_map(|entry| &entry.outcomes);
        outcomes.filter(|outcome| outcome.state() == state).count()
    };
    let states = [State::Near, State::Far, State::Any];
    states.into_iter().max_by_key(|&state| count(state)).unwrap_or(State::Unclear)
}

fn kept(entry: &Entry, state: State) -> Vec<f64> {
    entry.outcomes.iter().filter(|outcome| outcome.state() == state).map(|outcome| outcome.nanos).collect()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    Some((*values.get(values.len().checked_sub(1)? / 2)? + values[values.len() / 2]) / 2.0)
}

fn find<'a>(workloads: &'a [Workload], (workload, name): (&str, &str)) -> Option<(&'a Workload, &'a Entry)> {
    let workload = workloads.iter().find(|candidate| candidate.name == workload)?;
    Some((workload, workload.entries.iter().find(|entry| entry.name == name)?))
}

/// The median of the ratios of the rounds in which both ran in the same state.
fn ratio(ours: &Entry, theirs: &Entry) -> Option<f64> {
    let rounds = ours.outcomes.iter().zip(&theirs.outcomes);
    let same = rounds.filter(|(a, b)| a.state() == b.state() && a.state() != State::Unclear);
    median(same.map(|(a, b)| a.nanos / b.nanos).collect())
}

fn targets(text: &mut String, workloads: &[Workload]) {
    text.push_str(
        "| what : against | ours, ns | theirs, ns | ratio | target | |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for target in TARGETS {
        let Some((workload, ours)) = find(workloads, target.ours) else { continue };
        let theirs = target.theirs.iter().filter_map(|&name| find(workloads, name));
        let best = theirs.filter_map(|(workload, entry)| Some((median(kept(entry, state(workload)))?, entry)));
        let best = best.min_by(|a, b| a.0.total_cmp(&b.0));
        let Some(mine) = median(kept(ours, state(workload))) else { continue };
        if target.theirs.is_empty() {
            let verdict = verdict(mine, target.at_most);
            let _ = writeln!(text, "| {} | {} | | | <= {} | {verdict} |", target.what, figure(mine), target.at_most);
            continue;
        }
        let Some((nanos, theirs)) = best else { continue };
        let line = match ratio(ours, theirs) {
            Some(ratio) => {
                format!("| {ratio:.2} | <= {} | {} |", target.at_most, verdict(ratio, target.at_most))
            }
            None => format!("| | <= {} | no two runs in one state |", target.at_most),
        };
        let _ = writeln!(text, "| {} | {} | {} {line}", target.what, figure(mine), figure(nanos));
    }
}

fn verdict(figure: f64, at_most: f64) -> &'static str {
    if figure <= at_most { "met" } else { "**missed**" }
}

fn overview(text: &mut String, workloads: &[Workload]) {
    let columns: Vec<_> = workloads.iter().filter(|workload| workload.kind == Kind::Throughput).collect();
    let mut names: Vec<&str> = Vec::new();
    for entry in columns.iter().flat_map(|workload| &workload.entries) {
        if !names.contains(&entry.name) {
            names.push(entry.name);
        }
    }
    let heads: String = columns.iter().map(|workload| format!(" {} |", workload.name)).collect();
    let _ = writeln!(text, "| |{heads}\n| --- |{}", " --- |".repeat(columns.len()));
    for name in names {
        let _ = write!(text, "| {name} |");
        for workload in &columns {
            let entry = workload.entries.iter().find(|entry| entry.name == name);
            match entry.and_then(|entry| median(kept(entry, state(workload)))) {
                Some(nanos) => drop(write!(text, " {} |", figure(nanos))),
                None => text.push_str(" |"),
            }
        }
        text.push('\n');
    }
    let states: String = columns.iter().map(|workload| format!(" {:?} |", state(workload))).collect();
    let _ = writeln!(text, "| *state* |{states}");
}

fn details(text: &mut String, workload: &Workload) {
    let state = state(workload);
    let trips = workload.kind == Kind::RoundTrip;
    let _ = writeln!(text, "\n### {}, {state:?}\n", workload.name);
    let head = if trips { "p50, ns | p99.9, ns" } else { "median, ns | lowest to highest" };
    let (reference, to) = match workload.kind {
        Kind::Throughput => (REFERENCE, "x disruptor single"),
        Kind::RoundTrip => (RAW, "x raw ping-pong"),
        Kind::WholePath => (RACTOR, "x ractor"),
    };
    let reference = workload.entries.iter().find(|entry| entry.name == reference);
    let _ = writeln!(text, "| | {head} | {to} | raw ping-pong, ns | rounds |\n| --- | --- | --- | --- | --- | --- |");
    for entry in &workload.entries {
        let nanos = kept(entry, state);
        let Some(middle) = median(nanos.clone()) else {
            let _ = writeln!(text, "| {} | | | | | 0 |", entry.name);
            continue;
        };
        let runs = || entry.outcomes.iter().filter(|outcome| outcome.state() == state);
        let second = if trips {
            figure(median(runs().map(|outcome| outcome.high).collect()).unwrap_or_default())
        } else {
            let low = nanos.iter().copied().fold(f64::MAX, f64::min);
            format!("{} to {}", figure(low), figure(nanos.iter().copied().fold(0.0, f64::max)))
        };
        let ratio = reference.and_then(|reference| ratio(entry, reference));
        let ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
        let raw = median(runs().flat_map(|outcome| [outcome.before, outcome.after]).collect()).unwrap_or_default();
        let raw = if raw == 0.0 { String::new() } else { figure(raw) };
        let lost = median(runs().map(|outcome| outcome.lost).collect()).unwrap_or_default();
        let lost = if lost > 0.0 { format!(" ({:.0} % lost)", lost * 100.0) } else { String::new() };
        let rounds = nanos.len();
        let _ = writeln!(text, "| {}{lost} | {} | {second} | {ratio} | {raw} | {rounds} |", entry.name, figure(middle));
    }
}

fn figure(nanos: f64) -> String {
    if nanos < 100.0 { format!("{nanos:.1}") } else { format!("{nanos:.0}") }
}
