#!/usr/bin/env bash
# The threads of the suite under ThreadSanitizer (standard library rebuilt with it) and AddressSanitizer. No
# suppressions. The bridge on the bus under the first only: it measures its memory, of which the second keeps more.
# Without the litmus test of src/sync.rs: what the sanitizers add between store and load orders them.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/obtain.sh
source ci/obtain.sh
obtain_toolchain nightly rust-src
target=x86_64-unknown-linux-gnu
tests=(--test bus_contract --test ring --test messenger --test flood --test poller)
CARGO_TARGET_DIR=target/tsan RUSTFLAGS="-Zsanitizer=thread" \
    cargo +nightly test -Zbuild-std --target "$target" --all-features "${tests[@]}" --test messi_bus
CARGO_TARGET_DIR=target/asan RUSTFLAGS="-Zsanitizer=address" \
    cargo +nightly test --target "$target" --all-features "${tests[@]}"
