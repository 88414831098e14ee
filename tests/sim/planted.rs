//! Bugs that were put in on purpose, each found within ten thousand lives; and without them the same lives are right.

use super::system::{Bug, ORDERS, Order, PANICS_ON_UNDECODABLE, Trade, harsh, journal, laws, system};
use super::{mild, ring};
use rust_messenger::MessageBus;
use rust_messenger::message_bus::Start;
use rust_messenger::testing::{Faults, Finding, Sim};
use std::collections::BTreeSet;

const SEEDS: u64 = 10_000;

/// Lives until the bug is found.
#[track_caller]
fn found<B: MessageBus>(sim: Sim<B>) -> Finding {
    match sim.seeds(SEEDS).try_run() {
        Err(finding) => {
            eprintln!("seed {}: {}", finding.seed, finding.law);
            finding
        }
        Ok(lives) => panic!("not found in {lives} lives"),
    }
}

#[track_caller]
fn law_of<B: MessageBus>(sim: Sim<B>) -> String {
    found(sim).law
}

fn on_ring(bug: Bug, faults: Faults) -> Sim<rust_messenger::CircularBus> {
    laws(system(ring(), bug)).faults(faults)
}

#[test]
fn an_order_taken_for_granted_between_two_sources() {
    assert_eq!(law_of(on_ring(Bug::OrderOfSources, Faults::default())), "all orders are settled");
}

#[test]
fn a_message_that_a_full_bus_loses() {
    assert_eq!(law_of(on_ring(Bug::LostWhenFull, mild())), "trades are numbered in order");
}

#[test]
fn a_time_out_and_what_it_waited_for_at_once() {
    assert_eq!(law_of(on_ring(Bug::TimerRace, mild())), "an order is settled once");
}

#[test]
fn an_encoder_that_must_not_refuse() {
    let finding = found(system(ring(), Bug::UnwrappedSend).faults(Faults { refusal: 0.01, ..Faults::default() }));
    assert_eq!(finding.law, "no worker fails");
    assert!(finding.to_string().contains("handler venue panicked"), "{finding}");
}

#[test]
fn a_decoder_that_panics() {
    let faults = Faults { undecodable: 0.01, ..Faults::default() };
    assert_eq!(system(ring(), Bug::None).faults(faults).seeds(20).try_run().unwrap(), 20);
    PANICS_ON_UNDECODABLE.set(true);
    let finding = found(system(ring(), Bug::None).faults(faults));
    PANICS_ON_UNDECODABLE.set(false);
    assert_eq!(finding.law, "no worker fails");
    assert!(finding.to_string().contains("decoding Raw panicked"), "{finding}");
}

/// What survives a restart, and what does not.
mod after_restarts {
    use super::*;

    fn on_journal(start: Start, bug: Bug) -> Sim<rust_messenger::PersistentBus> {
        laws(system(Sim::on_journal(journal(start)), bug)).faults(harsh())
    }

    /// It begins anew, and its trades are numbered from 0 again.
    #[test]
    fn what_a_handler_knew_is_gone() {
        assert_eq!(law_of(on_journal(Start::Resume, Bug::None)), "trades are numbered in order");
    }

    /// Not only the one in whose handling its node was killed: those before it, too, whose handling came to its end.
    #[test]
    fn a_message_is_handled_again_when_its_cursor_was_not_stored() {
        let kills = Faults { crash: 0.05, ..Faults::default() };
        let sim = system(Sim::on_journal(journal(Start::Resume)), Bug::None).faults(kills);
        let sim = sim.law("an order is handled once", BTreeSet::new(), |handled, seen| {
            let is_new =
                seen.worker != "Trading" || seen.handled::<Order>().is_none_or(|order| handled.insert(order.n));
            if is_new { Ok(()) } else { Err("an order is handled twice".to_owned()) }
        });
        // A kill that stores cursors is found in none of them: few lives show it soon.
        assert_eq!(sim.seeds(20).try_run().unwrap_err().law, "an order is handled once");
    }

    #[test]
    fn all_is_handled_twice() {
        assert_ne!(law_of(on_journal(Start::Oldest, Bug::None)), "nothing is lost by a restart");
    }

    #[test]
    fn what_came_meanwhile_is_lost() {
        let finding = found(on_journal(Start::Latest, Bug::None));
        assert!(["all orders are settled", "trades are numbered in order", "books are right"].contains(&&*finding.law));
    }

    #[test]
    fn what_was_kept_back_is_lost() {
        let sim = system(Sim::on_journal(journal(Start::Resume)), Bug::KeptBack).faults(harsh());
        let sim = sim.at_end("every order is traded", |seen| {
            let traded = |n| {
                let mut trades = seen.iter().filter_map(|seen| seen.written::<Trade>());
                trades.any(|trade| trade.n == n)
            };
            match (0..ORDERS).find(|n| !traded(*n)) {
                None => Ok(()),
                Some(n) => Err(format!("order {n} is not traded")),
            }
        });
        assert_eq!(law_of(sim), "every order is traded");
    }

    /// Across lives, too.
    #[test]
    fn what_is_known_outside_of_handlers_outlives_them() {
        let finding = found(on_journal(Start::Rebuild, Bug::KeptState));
        assert!(["the same seed is the same run", "books are right", "no worker fails"].contains(&&*finding.law));
    }
}

/// A handler that asks something other than its messages and its writer.
#[test]
fn what_differs_from_run_to_run_is_found_and_its_handler_named() {
    for bug in [Bug::SystemClock, Bug::RandomNumber, Bug::HashOrder] {
        let finding = found(on_ring(bug, mild()));
        assert_eq!(finding.law, "the same seed is the same run", "{bug:?}");
        let text = finding.to_string();
        assert!(text.contains("handler Risk") && text.contains("once") && text.contains("again"), "{text}");
    }
}
