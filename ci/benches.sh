#!/usr/bin/env bash
# Benches run once each, so that they cannot rot. Figures come from `cargo bench` and ci/bench_compare.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo test --benches --all-features
