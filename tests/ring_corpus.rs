//! What the fuzzers of named rings have found worth keeping, and as much again by chance: looking at any file, and
//! using a ring into whose file somebody writes stray words, between two steps, within one, or all the time.

#![cfg(all(target_os = "linux", not(miri), not(rust_messenger_loom)))]

#[path = "../fuzz/corpus.rs"]
mod corpus;
#[path = "../fuzz/fuzz_targets/input.rs"]
mod input;
#[path = "../fuzz/fuzz_targets/ring_bytes.rs"]
mod ring_bytes;
#[path = "../fuzz/fuzz_targets/ring_steps.rs"]
mod ring_steps;
mod support;

use proptest::prelude::*;
use ring_steps::Words;
use rust_messenger::message_bus::NamedStats;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, spawn};
use support::{mix, within};

fn each_case_of(target: &str, check: impl Fn(&[u8])) {
    let cases = corpus::cases(Path::new(env!("CARGO_MANIFEST_DIR")), target);
    assert!(!cases.is_empty());
    for (name, bytes) in cases {
        println!("{name}");
        check(&bytes);
    }
}

#[test]
fn every_kept_case_holds() {
    each_case_of("ring_look", |bytes| ring_bytes::check(&ring_bytes::ring_of(bytes)));
}

#[test]
fn every_kept_walk_ends() {
    within("a kept walk", || each_case_of("ring_walk", |bytes| _ = ring_steps::play(bytes)));
}

/// Or the others would find nothing to read.
#[test]
fn users_read_what_is_written() {
    let cases = corpus::cases(Path::new(env!("CARGO_MANIFEST_DIR")), "ring_walk");
    let (_, users) = cases.iter().find(|(name, _)| name == "users_alone").unwrap();
    assert_eq!(ring_steps::play(users), 8);
}

/// Numbers that look random, as bytes.
fn chance(seed: u64, len: usize) -> Vec<u8> {
    (0..len as u64).map(|place| mix(seed << 20 | place) as u8).collect()
}

/// Writes stray words all the time, until it is dropped.
struct Stranger {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Stranger {
    fn at(path: &Path, seed: u64) -> Stranger {
        let (words, ended) = (Words::of(path), Arc::new(AtomicBool::new(false)));
        let is_over = Arc::clone(&ended);
        let thread = spawn(move || {
            for turn in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                words.stray(&chance(seed << 16 ^ turn, 12));
            }
        });
        Stranger { ended, thread: Some(thread) }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it writes");
        }
    }
}

/// A step is where no case of a corpus can put a stray word: between two instructions.
#[test]
fn a_ring_whose_words_change_all_the_time_is_used_to_the_end() {
    within("a ring whose words change all the time", || {
        for seed in 0..40 {
            ring_steps::play_beside(&chance(seed, 2000), |path| Stranger::at(path, seed));
        }
    });
}

/// Or the others would look at nothing.
#[test]
fn most_inputs_are_rings() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ring");
    // A reader that is in use, of the attachment 3 in its 5th generation.
    let place = ((768 + 128) / 8_u16).to_le_bytes();
    let input = [&[0; 9][..], &[0, place[0], place[1], 3, 5, 1]].concat();
    std::fs::write(&path, ring_bytes::ring_of(&input)).unwrap();
    let stats = NamedStats::read(&path).unwrap();
    assert_eq!((stats.capacity, stats.readers.len(), stats.attachments.len()), (1024, 1, 1));
    assert!(stats.readers[0].evictable && !stats.attachments[0].alive);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_in_the_file_is_an_error_or_numbers(input in prop::collection::vec(any::<u8>(), 0..1000)) {
        ring_bytes::check(&ring_bytes::ring_of(&input));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_into_a_ring_its_users_go_on(input in prop::collection::vec(any::<u8>(), 0..2000)) {
        ring_steps::play(&input);
    }
}
