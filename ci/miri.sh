#!/usr/bin/env bash
# The whole suite under Miri (undefined behaviour, data races, weak memory), the contract suite beside the rest, then the
# tests of waking and of slots in flight with many seeds, each of which is another schedule. SEEDS=n changes how many.
set -euo pipefail
cd "$(dirname "$0")/.."
rustup component add --toolchain nightly miri rust-src
export CARGO_TARGET_DIR=target/miri
export MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-strict-provenance"
cargo +nightly miri setup
cargo +nightly miri test --all-features --lib --tests --no-run
log=$(mktemp)
cargo +nightly miri test --all-features --test bus_contract >"$log" 2>&1 &
contract=$!
rest=$(cd tests && ls ./*.rs | sed 's|./||; s|\.rs$||' | grep -v bus_contract | sed 's/^/--test /')
cargo +nightly miri test --all-features --lib $rest
wait $contract || { cat "$log"; exit 1; }
tail -n 3 "$log"
export MIRIFLAGS="$MIRIFLAGS -Zmiri-preemption-rate=0.1 -Zmiri-many-seeds=0..${SEEDS:-8}"
cargo +nightly miri test --all-features --test bus_contract -- \
    circular_many::no_wake condvar_many::no_wake circular_many::a_slot_in_flight
