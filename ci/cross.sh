#!/usr/bin/env bash
# The other systems at least compile: macOS on ARM and Windows.
set -euo pipefail
cd "$(dirname "$0")/.."
for target in aarch64-apple-darwin x86_64-pc-windows-gnu; do
    rustup target add "$target"
    cargo check --all-features --target "$target"
done
