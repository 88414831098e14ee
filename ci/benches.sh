#!/usr/bin/env bash
# Benches run once each, so that they cannot rot. Figures come from `cargo bench`, ci/bench_compare.sh and
# ci/bench_messi.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo test --benches --all-features
cargo test --package rust_messenger_tools --bench top
cargo check --locked --manifest-path benches/messi/Cargo.toml
