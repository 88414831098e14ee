#!/usr/bin/env bash
# Measures the bridge against Messi's C peers and bare sockets and prints the tables of BENCHMARKS.md. Builds the peers
# first (PyPI, gcc). Arguments are passed on: --rounds, --millis, --only, --no-pin; --calls counts system calls instead,
# with `perf`.
set -euo pipefail
cd "$(dirname "$0")/.."
peers=$(benches/messi/setup.sh)
cargo run --release --locked --manifest-path benches/messi/Cargo.toml -- --peers "$peers" "$@"
