//! Whole systems from a seed: a system that is right in every life, on each bus, and bugs that are found.
//!
//! `ci/sim.sh` runs more lives. A failure prints its seed: `SIM_SEED=<seed>` runs that one alone.

#![cfg(all(unix, feature = "serde", not(miri), not(rust_messenger_loom)))]

#[path = "sim/failures.rs"]
mod failures;
#[path = "sim/faults.rs"]
mod faults;
#[path = "sim/first.rs"]
mod first;
#[path = "sim/handed_on.rs"]
mod handed_on;
#[path = "sim/laws.rs"]
mod laws_of_a_bus;
#[path = "sim/planted.rs"]
mod planted;
#[path = "sim/replay.rs"]
mod replay;
#[path = "sim/same.rs"]
mod same;
mod support;
#[path = "sim/system.rs"]
mod system;

use rust_messenger::CircularBus;
use rust_messenger::message_bus::{CondvarBus, Start};
use rust_messenger::testing::{Faults, Finding, Sim};
use std::time::Duration;
use system::{Bug, harsh, journal, laws, system};

/// How many lives run by default. Thousands: `ci/sim.sh`.
const FEW: u64 = 100;

fn ring() -> Sim<CircularBus> {
    Sim::new(|| CircularBus::new(4096))
}

/// Nobody is killed: a ring loses what a killed node has not read.
fn mild() -> Faults {
    Faults { full: 0.05, pause: 0.02, ..Faults::default() }
}

#[test]
fn lives_on_a_ring() {
    laws(system(ring(), Bug::None)).faults(mild()).seeds(FEW).run();
}

#[test]
fn lives_on_a_journal() {
    laws(system(Sim::on_journal(journal(Start::Rebuild)), Bug::None)).faults(harsh()).seeds(FEW / 4).run();
}

#[test]
fn lives_in_files() {
    let directory = tempfile::tempdir().unwrap();
    let theirs = directory.path().join("simulation.journal");
    std::fs::write(&theirs, "somebody else's").unwrap();
    let faults = Faults { blackout: 0.01, ..harsh() };
    let on_files = || laws(system(Sim::on_files(directory.path(), journal(Start::Rebuild)), Bug::None)).faults(faults);
    on_files().seeds(5).run();
    // Two at once, in one directory, of which one fails.
    let other = on_files().at_end("another one is there", {
        let other = on_files().seeds(1);
        move |_| other.try_run().map(drop).map_err(|finding| finding.to_string())
    });
    let finding = other.at_end("none", |_| Err("as planned".into())).seeds(1).try_run().unwrap_err();
    assert_eq!(finding.law, "none", "{finding}");
    let left: Vec<_> = directory.path().read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [theirs.as_path()], "nothing else is left");
    assert_eq!(std::fs::read(theirs).unwrap(), b"somebody else's");
}

#[test]
fn what_a_user_writes_first_is_short() {
    let lines = include_str!("sim/first.rs").lines().count();
    assert!(lines < 60, "{lines} lines");
}

/// With everything that can go wrong, the bus keeps its laws, and no worker fails but as the simulation wants it.
#[test]
fn lives_with_all_faults() {
    let faults =
        Faults { refusal: 0.02, panic: 0.005, undecodable: 0.02, crash: 0.01, blackout: 0.003, stop: 0.01, ..mild() };
    system(ring(), Bug::None).faults(faults).seeds(FEW).run();
    system(Sim::new(|| CircularBus::new(4096).map(CondvarBus::new)), Bug::None).faults(faults).seeds(FEW / 4).run();
}

/// Measures, by the time that this thread has had a processor: who else is busy makes little difference.
/// `cargo test --release --test sim speed -- --ignored --nocapture` shows it.
#[test]
#[ignore = "measures, and asserts nothing of it"]
fn speed() {
    let lives = 2000;
    let spent = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let rate = |name: &str, lives: u64, run: &dyn Fn() -> Result<u64, Finding>| {
        let start = spent();
        run().unwrap_or_else(|finding| panic!("{finding}"));
        eprintln!("{name}: {:.0} lives per second and core", lives as f64 / (spent() - start).as_secs_f64());
    };
    rate("ring", lives, &|| laws(system(ring(), Bug::None)).faults(mild()).seeds(lives).try_run());
    let on_journal = |start| laws(system(Sim::on_journal(journal(start)), Bug::None));
    rate("journal", lives, &|| on_journal(Start::Rebuild).faults(mild()).seeds(lives).try_run());
    rate("journal, rebuilds", lives, &|| on_journal(Start::Rebuild).faults(harsh()).seeds(lives).try_run());
}
