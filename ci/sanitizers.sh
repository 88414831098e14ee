#!/usr/bin/env bash
# The threads of the suite under ThreadSanitizer, with the standard library rebuilt with it. SANITIZERS="thread address"
# adds AddressSanitizer. No suppressions. The bridge on the bus under the first only: it measures its memory, of which the
# second keeps more. Without the litmus test of src/sync.rs: what the sanitizers add between store and load orders them.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/obtain.sh
source ci/obtain.sh
obtain_toolchain nightly rust-src
target=x86_64-unknown-linux-gnu
tests=(--test bus_contract --test ring --test messenger --test flood --test poller)
for sanitizer in ${SANITIZERS:-thread}; do
    case $sanitizer in
        thread) more=(-Zbuild-std --test messi_bus) ;;
        address) more=() ;;
        *) echo "no sanitizer is called $sanitizer" >&2 && exit 1 ;;
    esac
    CARGO_TARGET_DIR=target/${sanitizer}_sanitizer RUSTFLAGS="-Zsanitizer=$sanitizer" \
        cargo +nightly test --target "$target" --all-features "${tests[@]}" "${more[@]}"
done
