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
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Lives of one test of tests/sim.rs: as many as are asked for, or else $2.
lives() {
    SIM_SEEDS=${asked:-$2} run --test sim -- --exact "$1" 2>&1 | tee "$log"
    # A name that is nobody's runs nothing, and passes.
    grep -q "1 passed" "$log" || { echo "no test is called $1"; exit 1; }
}

run --test messi_sim -- "$@"
lives lives_on_a_ring 10000
lives lives_on_a_journal 1000
lives lives_in_files 50
