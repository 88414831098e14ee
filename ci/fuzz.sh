#!/usr/bin/env bash
# Each fuzz target for a few seconds on top of the corpus that is checked in (nightly, cargo-fuzz). SECONDS_EACH=n changes
# how many. A case has a minute, of its clock: on a machine with other work the first one of a target, which takes
# milliseconds alone, has taken ten seconds. What is found is in fuzz/artifacts, and is replayed with `cargo +nightly fuzz run TARGET FILE`.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/cargo_tools.sh
source ci/cargo_tools.sh fuzz
obtain_toolchain nightly
seconds=${SECONDS_EACH:-10}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/fuzz
targets=$(cargo +nightly fuzz list)
for target in $targets; do
    # New cases go to a place of their own: what is worth keeping is chosen by hand.
    found=$CARGO_TARGET_DIR/corpus/$target kept=$CARGO_TARGET_DIR/kept/$target
    mkdir -p "$found"
    rm -rf "$kept"
    ci/corpus.sh unpack "$target" "$kept"
    cargo +nightly fuzz run "$target" "$found" "$kept" -- \
        -max_total_time="$seconds" -max_len=4096 -rss_limit_mb=512 -timeout=60
done
