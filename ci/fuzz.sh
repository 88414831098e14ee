#!/usr/bin/env bash
# Runs every fuzz target for a while (SECONDS_EACH, 30 unless told). Needs nightly and cargo-fuzz. What is worth keeping
# goes into fuzz/corpus, which `cargo test` replays.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
for target in $(cargo +nightly fuzz list --fuzz-dir .); do
    echo "fuzzing $target"
    cargo +nightly fuzz run --fuzz-dir . "$target" -- -max_total_time="${SECONDS_EACH:-30}" -max_len=600 -rss_limit_mb=1024
done
