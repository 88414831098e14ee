#!/usr/bin/env bash
# Every feature by itself, none, and all: features add and never take away.
set -euo pipefail
cd "$(dirname "$0")/.."
features=$(cargo metadata --no-deps --format-version 1 |
    python3 -c 'import json,sys; print(*[f for p in json.load(sys.stdin)["packages"] if p["name"] == "rust_messenger" for f in p["features"] if f != "default"])')
check() {
    echo "features: ${*:-none}"
    cargo clippy --quiet --all-targets --no-default-features --features "$*" -- -D warnings
}
check
for feature in $features; do check "$feature"; done
check "$features"
