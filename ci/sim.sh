#!/usr/bin/env bash
# Lives in virtual time, each from a seed: 10 000 of servers and clients over a faulty network, 10 000 of two tables on a
# ring, 1000 on a journal in memory, 50 in files. SIM_SEEDS=n changes how many; a failure prints its seed, and
# SIM_SEED=<seed> runs that one alone.
set -euo pipefail
cd "$(dirname "$0")/.."
asked=${SIM_SEEDS:-}
export SIM_SEEDS=${asked:-10000}
# Optimized, but what it depends on is that of ci/test.sh: to optimize that, too, takes longer than all lives.
run() { cargo --config profile.dev.package.rust_messenger.opt-level=3 test --all-features "$@"; }
run --test messi_sim -- "$@"
run --test sim lives_on_a_ring
SIM_SEEDS=${asked:-1000} run --test sim lives_on_a_journal
SIM_SEEDS=${asked:-50} run --test sim lives_in_files
