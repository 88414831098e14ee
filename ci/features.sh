#!/usr/bin/env bash
# No feature, every feature by itself, and every two of them: features add and never take away (cargo-hack). All of
# them: ci/lint.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/cargo_tools.sh
source ci/cargo_tools.sh hack
cargo hack clippy --quiet --each-feature --exclude-features default --all-targets -- -D warnings
cargo hack check --quiet --lib --feature-powerset --depth 2
