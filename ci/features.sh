#!/usr/bin/env bash
# Every feature by itself, none, and all: features add and never take away (cargo-hack).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/cargo_tools.sh
source ci/cargo_tools.sh hack
cargo hack clippy --quiet --each-feature --exclude-features default --all-targets -- -D warnings
