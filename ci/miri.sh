#!/usr/bin/env bash
# The whole suite under Miri (undefined behaviour, data races, weak memory), then the concurrency tests with many seeds,
# each of which is another schedule. SEEDS=n changes how many.
set -euo pipefail
cd "$(dirname "$0")/.."
rustup component add --toolchain nightly miri rust-src
export MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-strict-provenance"
export CARGO_TARGET_DIR=target/miri
# trybuild and the examples' runner start processes, which Miri cannot.
cargo +nightly miri test --all-features --lib --tests
export MIRIFLAGS="$MIRIFLAGS -Zmiri-preemption-rate=0.1 -Zmiri-many-seeds=0..${SEEDS:-16}"
cargo +nightly miri test --all-features --test bus_contract -- seeds
