#!/usr/bin/env bash
# The suite under Miri (undefined behaviour, data races, weak memory): `cargo +nightly miri test` as anybody types it; then
# the tests of waking and of slots in flight with many seeds, each of which is another schedule. SEEDS=n changes how many.
# EVERY_FEATURE=1 also runs the tests of other features, which have no unsafe code of their own, and the documentation's.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/obtain.sh
source ci/obtain.sh
obtain_toolchain nightly miri rust-src
# Miri takes seconds to find the names of a backtrace, and hundreds of panics are meant.
export RUST_BACKTRACE=0
cargo +nightly miri setup
log=$(mktemp)
trap 'rm -f "$log"' EXIT

start=$SECONDS
cargo +nightly miri test
echo "cargo +nightly miri test passed in $((SECONDS - start)) s"

names="circular_many::no_wake condvar_many::no_wake circular_many::a_slot_in_flight"
flags=$(sed -n 's/^MIRIFLAGS = "\(.*\)"/\1/p' .cargo/config.toml)
# shellcheck disable=SC2086
MIRIFLAGS="$flags -Zmiri-preemption-rate=0.1 -Zmiri-many-seeds=0..${SEEDS:-2}" \
    cargo +nightly miri test --test bus_contract -- $names 2>&1 | tee "$log"
for name in $names; do
    # A name that is nobody's runs nothing, and passes.
    grep -q "$name" "$log" || { echo "no test is called $name"; exit 1; }
done

if [ "${EVERY_FEATURE:-}" = 1 ]; then
    export CARGO_TARGET_DIR=target/miri-all
    other=$(grep -l 'feature = "' tests/*.rs | sed 's|tests/\(.*\)\.rs|--test \1|')
    # shellcheck disable=SC2086
    cargo +nightly miri test --all-features $other
    cargo +nightly miri test --all-features --doc
fi
