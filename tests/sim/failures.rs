//! What a failure says, the file that runs it again, and systems that cannot be run.

use super::system::{Back, Bug, Config, Gateway, Market, Order, laws, system};
use super::{mild, ring};
use rust_messenger::prelude::*;
use rust_messenger::testing::{Faults, Sim};
use rust_messenger::traits::{Poller, Publish, WriteError};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn a_failure_says_how_little_is_enough_and_how_to_run_it_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("lost.sim");
    let sim = || laws(system(ring(), Bug::LostWhenFull)).faults(mild());
    let finding = sim().file(&file).seeds(1000).try_run().unwrap_err();
    let text = finding.to_string();
    for said in [
        "law broken: trades are numbered in order",
        &format!("seed {}, step {}", finding.seed, finding.step),
        " faults and ",
        "inputs are enough",
        "Trade of Venue at",
        &format!("SIM_SEED={} cargo test failures::a_failure_says", finding.seed),
        &format!("SIM_FILE={}", file.display()),
    ] {
        assert!(text.contains(said), "{said:?} is not in\n{text}");
    }
    let case = fs::read_to_string(&file).unwrap();
    let count = |what: &str| case.lines().filter(|line| line.starts_with(what)).count();
    // Which write is refused goes by its number, so that some have to come before it.
    assert!((1..3).contains(&count("fault ")) && (2..10).contains(&count("input ")), "{case}");
    let again = sim().seeds(1).rerun(&file).unwrap_err();
    assert_eq!(again.law, finding.law);
    fs::write(&file, case.replace("fault full", "fault fall")).unwrap();
    assert!(sim().rerun(&file).unwrap_err().to_string().contains("is no case: line"));
}

#[test]
fn the_same_seed_fails_the_same() {
    let run = || laws(system(ring(), Bug::LostWhenFull)).faults(mild()).seeds(1000).try_run().unwrap_err().to_string();
    assert_eq!(run(), run());
}

/// As whoever has a report runs it.
#[test]
#[ignore = "fails in each seed that is a seed; what_the_environment_asks_for_is_run runs it"]
fn fails() {
    let sim = Sim::new(|| CircularBus::new(4096)).node("back", Back::with_options, Config::with(Bug::None));
    let sim = sim.outside(3, order).at_end("nothing is ordered", |seen| {
        let orders = seen.iter().filter(|seen| seen.written::<Order>().is_some()).count();
        if orders == 0 { Ok(()) } else { Err(format!("{orders} orders")) }
    });
    sim.file(std::env::var("WHERE").unwrap()).run();
}

#[test]
fn what_the_environment_asks_for_is_run() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("found.sim");
    let run = |set: &[(&str, &str)]| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env_remove("SIM_SEED").env_remove("SIM_SEEDS").env_remove("SIM_FILE");
        command.args(["failures::fails", "--exact", "--ignored", "--nocapture"]).env("WHERE", &file);
        let output = command.envs(set.iter().copied()).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap()
    };
    let path = file.to_str().unwrap();
    for (set, said) in [
        (&[][..], "seed 0, step "),
        (&[("SIM_SEEDS", "3")], "seed 0, step "),
        (&[("SIM_SEED", "7"), ("SIM_SEEDS", "3")], "seed 7, step "),
        (&[("SIM_SEED", "18446744073709551615")], "seed 18446744073709551615, step "),
        (&[("SIM_SEEDS", "0")], "there is no seed to run"),
        (&[("SIM_SEED", "x")], "SIM_SEED is no number: x"),
        (&[("SIM_SEEDS", "-1")], "SIM_SEEDS is no number: -1"),
        (&[("SIM_FILE", "none.sim")], "none.sim: "),
    ] {
        let text = run(set);
        assert!(text.contains(said), "{said:?} is not in\n{text}");
    }
    // The file says seed 9 and one order: that is run, whatever else is asked for.
    let found = run(&[("SIM_SEED", "9")]);
    assert!(found.contains("SIM_SEED=9 cargo test failures::fails"), "{found}");
    assert!(found.contains(&format!("SIM_FILE={path} cargo test failures::fails")), "{found}");
    let again = run(&[("SIM_FILE", path), ("SIM_SEED", "7")]);
    assert!(again.contains("law broken: nothing is ordered\n  1 orders\nseed 9, step "), "{again}");
}

/// The text with which a run panics.
fn panic_of(run: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    *panic.downcast::<String>().unwrap()
}

#[test]
fn what_cannot_be_run_says_why() {
    let market = |name| Sim::new(|| CircularBus::new(4096)).node(name, Market::with_options, Config::with(Bug::None));
    let cases = [
        (Sim::new(|| CircularBus::new(4096)), "no node"),
        (market("one").node("two", Market::with_options, Config::with(Bug::None)), "two workers are called Trading"),
        (market("one").seeds(0), "no seed"),
        (market("one").faults(Faults { full: 1.0, ..Faults::default() }), "Faults::full is 1"),
        (market("one").faults(Faults { pause: -0.1, ..Faults::default() }), "Faults::pause is -0.1"),
        (market("one").faults(Faults { crash: f64::NAN, ..Faults::default() }), "Faults::crash is NaN"),
        (Sim::new(|| CircularBus::new(5)).node("one", Market::with_options, Config::with(Bug::None)), "capacity"),
        (market("one").outside(1, |_, _| Err(WriteError::NoSpace)), "no space"),
        (market("one").outside(1, |_, _| panic!("no more")), "input 0 panicked: no more"),
        (
            market("one").outside(1, |n, writer| {
                writer.wait_for_room(1);
                Gateway::try_send(&Order { n }, writer)
            }),
            "try_put",
        ),
        (
            market("one").outside(1, order).law("calm", (), |(), _| panic!("not calm")),
            "law broken: calm\n  the law panicked",
        ),
        (
            market("one").outside(1, order).at_end("quiet", |_| panic!("loud")),
            "law broken: quiet\n  the law panicked: loud",
        ),
    ];
    for (sim, said) in cases {
        let text = panic_of(|| sim.run());
        assert!(text.contains(said), "{said:?} is not in\n{text}");
    }
}

fn order(n: u64, writer: &impl Publish) -> Result<(), WriteError> {
    Gateway::try_send(&Order { n }, writer)
}

#[derive(Debug)]
struct Bed;

impl Poller for Bed {
    fn wait(&self, _: Option<Duration>) {}
    fn notify(&self) {}
}

struct Bridge;

impl Handler for Bridge {
    type Id = u16;
    const ID: u16 = 90;

    fn on_start<W: Writer>(&mut self, _: &W) {
        unreachable!("it would listen");
    }

    fn poller(&self) -> Option<Arc<dyn Poller>> {
        Some(Arc::new(Bed))
    }
}

impl New<()> for Bridge {
    fn new<W: Writer>(_: &(), _: &W) -> Bridge {
        Bridge
    }
}

Messenger! {
    type Bridged;
    (),
    Net: handlers: [ #[allow(unrouted)] bridge: Bridge ] routes: []
}

#[test]
fn a_handler_that_waits_in_a_poller_is_refused_before_it_starts() {
    let sim = Sim::new(|| CircularBus::new(4096)).node("edge", Bridged::with_options, ());
    let text = sim.try_run().unwrap_err().to_string();
    assert!(text.contains("handler bridge of worker Net in node edge waits in a poller"), "{text}");
    assert!(text.contains("use StandIn as Bridge"), "{text}");
}

/// Of two nodes one may run without the other.
#[test]
fn a_node_alone_rests() {
    Sim::new(|| CircularBus::new(4096)).node("back", Back::with_options, Config::with(Bug::None)).seeds(20).run();
}

/// The cure for a handler that waits in a poller.
mod stand_in {
    use super::*;

    #[derive(Default)]
    struct StandIn;
    handler!(StandIn, 90, default);

    #[cfg(test)]
    use StandIn as Bridge;

    Messenger! {
        type Bridged;
        (),
        Net: handlers: [ #[allow(unrouted)] bridge: Bridge ] routes: []
    }

    #[test]
    fn another_one_stands_in_for_a_handler_that_waits() {
        let sim = Sim::new(|| CircularBus::new(4096)).node("edge", Bridged::with_options, ());
        assert_eq!(sim.seeds(3).try_run().unwrap(), 3);
    }
}
