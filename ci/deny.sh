#!/usr/bin/env bash
# Licences, sources and advisories of dependencies, by deny.toml. Needs cargo-deny (`cargo install cargo-deny`).
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v cargo-deny >/dev/null; then
    echo "cargo-deny is not installed here: skipped"
    exit 0
fi
cargo deny check bans licenses sources
if cargo deny fetch; then
    cargo deny check advisories
else
    echo "the advisory database cannot be fetched here: advisories not checked"
fi
