#!/usr/bin/env bash
# The other systems at least compile: macOS on ARM and Windows. Without TLS, whose ring wants a C compiler for them.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/obtain.sh
source ci/obtain.sh
for target in aarch64-apple-darwin x86_64-pc-windows-gnu; do
    obtain_target "$target"
    cargo check --features serde,bincode,prost,zero_copy,messi --target "$target"
    cargo check --package rust_messenger_tools --all-targets --target "$target"
done
