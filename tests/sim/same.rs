//! The same seed is the same run, whatever else the machine does, and whatever ran before.

use super::system::{Bug, harsh, journal, system};
use super::{mild, ring};
use rust_messenger::message_bus::Start;
use rust_messenger::testing::{Faults, Sim};
use rust_messenger::{MessageBus, PersistentBus};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Everything that a law sees of a life: when, who, what, why, and each byte.
type Trace = (u64, u64);

/// The traces of these seeds, each run twice, in this order.
fn traces<B: MessageBus>(sim: impl Fn() -> Sim<B>, faults: &str, seeds: impl Iterator<Item = u64>) -> Vec<Trace> {
    let directory = tempfile::tempdir().unwrap();
    seeds.flat_map(|seed| of_seed(sim(), &directory.path().join("case.sim"), &format!("{seed}\n{faults}"))).collect()
}

fn of_seed<B: MessageBus>(sim: Sim<B>, file: &Path, case: &str) -> Vec<Trace> {
    fs::write(file, format!("simulation 1\nseed {case}")).unwrap();
    let ended = Arc::new(Mutex::new(Vec::new()));
    let ends = Arc::clone(&ended);
    let sim = sim.at_end("traces are kept", move |seen| {
        let mut digest = DefaultHasher::new();
        for seen in seen {
            let header = (seen.header.source, seen.header.message, seen.header.position);
            (seen.time, seen.step, seen.node, seen.worker, header, seen.payload).hash(&mut digest);
            (seen.cause, seen.replayed, seen.began()).hash(&mut digest);
        }
        ends.lock().unwrap().push((seen.len() as u64, digest.finish()));
        Ok(())
    });
    sim.rerun(file).unwrap();
    std::mem::take(&mut *ended.lock().unwrap())
}

const SEEDS: u64 = 3;

fn on_ring(seeds: impl Iterator<Item = u64>) -> Vec<Trace> {
    traces(|| system(ring(), Bug::None), "rate full 0.05\nrate pause 0.02\nrate panic 0.005\nrate crash 0.01", seeds)
}

fn on_journal(seeds: impl Iterator<Item = u64>) -> Vec<Trace> {
    let sim = || system(Sim::on_journal(journal(Start::Rebuild)), Bug::None);
    traces(sim, "rate pause 0.02\nrate crash 0.003\nrate blackout 0.001", seeds)
}

/// Other lives, which leave this thread, its allocator and its hash keys as they like.
fn other_lives() {
    system(ring(), Bug::None).faults(Faults { undecodable: 0.02, ..mild() }).seeds(3).try_run().unwrap();
    system(Sim::on_journal(journal(Start::Resume)), Bug::None).faults(harsh()).seeds(2).try_run().unwrap();
}

#[test]
fn neither_load_nor_what_ran_before_changes_a_life() {
    let forth = (on_ring(0..SEEDS), on_journal(0..SEEDS));
    assert_eq!(forth.0.len(), 2 * SEEDS as usize, "each is run twice");
    assert!(forth.0.iter().chain(&forth.1).all(|(events, _)| *events > 100), "{forth:?}");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::black_box(vec![0_u8; 4096]);
                }
            });
        }
        let back = || {
            other_lives();
            let (mut ring, mut journal) = (on_ring((0..SEEDS).rev()), on_journal((0..SEEDS).rev()));
            ring.reverse();
            journal.reverse();
            (ring, journal)
        };
        let others: Vec<_> = (0..2).map(|_| scope.spawn(back)).collect();
        let back: Vec<_> = others.into_iter().map(|other| other.join()).collect();
        over.store(true, Ordering::Relaxed);
        for back in back {
            assert_eq!(back.unwrap(), forth);
        }
    });
}

/// The messages are the same, and who wrote them: what a journal has recorded of them is not.
#[test]
fn a_journal_that_has_another_time_is_no_same_run() {
    let by_the_system = || Ok(PersistentBus::in_memory(journal(Start::Latest)).unwrap());
    let finding = system(Sim::new(by_the_system), Bug::None).seeds(1).try_run().unwrap_err();
    let text = finding.to_string();
    assert_eq!(finding.law, "the same seed is the same run", "{text}");
    let place = text.lines().find(|line| line.starts_with("  once")).unwrap();
    assert!(place.contains("Order of Gateway at ") && place.contains("(recorded at "), "{text}");
}
