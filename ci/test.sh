#!/usr/bin/env bash
# Everything that stable Rust can prove: unit, contract, flood, macro and example tests, and the README's code.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/tools.sh
source ci/tools.sh
cargo test --workspace --all-features
# The tutorial needs no flag.
cargo run --quiet --example serde_bincode
