#!/usr/bin/env bash
# The suite under Miri (undefined behaviour, data races, weak memory): `cargo +nightly miri test` as anybody types it, and
# beside it what needs other features; then the tests of waking and of slots in flight with many seeds, each of which is
# another schedule. SEEDS=n changes how many.
set -euo pipefail
cd "$(dirname "$0")/.."
rustup component add --toolchain nightly miri rust-src
cargo +nightly miri setup
log=$(mktemp)
trap 'rm -f "$log"' EXIT

suite="cargo +nightly miri test"
echo "$suite"
start=$SECONDS
{ $suite && echo "$suite: passed in $((SECONDS - start)) s"; } >"$log" 2>&1 &
plain=$!
other=$(grep -l 'feature = "' tests/*.rs | sed 's|tests/\(.*\)\.rs|--test \1|')
CARGO_TARGET_DIR=target/miri-all cargo +nightly miri test --all-features $other
CARGO_TARGET_DIR=target/miri-all cargo +nightly miri test --all-features --doc
wait $plain || { cat "$log"; exit 1; }
grep "^test result\|passed in" "$log"

names="circular_many::no_wake condvar_many::no_wake circular_many::a_slot_in_flight"
flags=$(sed -n 's/^MIRIFLAGS = "\(.*\)"/\1/p' .cargo/config.toml)
MIRIFLAGS="$flags -Zmiri-preemption-rate=0.1 -Zmiri-many-seeds=0..${SEEDS:-8}" \
    cargo +nightly miri test --test bus_contract -- $names 2>&1 | tee "$log"
for name in $names; do
    # A name that is nobody's runs nothing, and passes.
    grep -q "^test $name" "$log" || { echo "no test is called $name"; exit 1; }
done
