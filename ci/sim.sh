#!/usr/bin/env bash
# Servers and clients over a faulty network in virtual time: 10 000 lives, each from a seed. SIM_SEEDS=n changes how many;
# a failure prints its seed, and SIM_SEED=<seed> runs that one alone.
set -euo pipefail
cd "$(dirname "$0")/.."
export SIM_SEEDS=${SIM_SEEDS:-10000}
# Optimized, but what it depends on is that of ci/test.sh: to optimize that, too, takes longer than all lives.
cargo --config profile.dev.package.rust_messenger.opt-level=3 test --all-features --test messi_sim -- "$@"
