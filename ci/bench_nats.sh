#!/usr/bin/env bash
# Measures the bridge in nats/ against async-nats alone, in turns, with a real `nats-server` (`NATS_SERVER` names it), and
# prints the table of BENCHMARKS.md. Arguments are passed on: --rounds, --millis, --only out|in|trip|paced.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/cargo_tools.sh
source ci/cargo_tools.sh nats-server
"${NATS_SERVER:-nats-server}" --version
export NOTHING_SKIPPED=1
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/nats
cargo bench --locked --manifest-path nats/Cargo.toml --bench across -- "$@"
