#!/usr/bin/env bash
# The library's own tests, and those of the wires, under Miri for other machines: with pointers of 32 bits, and with the
# other byte order. One target each on a processor of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/obtain.sh
source ci/obtain.sh
obtain_toolchain nightly miri rust-src
logs=$(mktemp -d)
declare -A running=()
set -m # Each in a process group of its own, so that all of it ends with this script.
trap 'for pid in "${!running[@]}"; do kill -- "-$pid" 2>/dev/null || true; done; rm -rf "$logs"' EXIT
for target in i686-unknown-linux-gnu s390x-unknown-linux-gnu; do
    cargo +nightly miri setup --target "$target"
    # Tests of TLS are what wants C; none of them is here, and `true` compiles it for any machine.
    env "CC_${target//-/_}=true" "AR_${target//-/_}=true" "CARGO_TARGET_DIR=target/miri_targets/$target" \
        cargo +nightly miri test --target "$target" \
        --features serde,bincode,prost,zero_copy,messi --lib --test messi_wire >"$logs/$target" 2>&1 &
    running[$!]=$target
done
for pid in "${!running[@]}"; do
    code=0
    wait "$pid" || code=$?
    echo "${running[$pid]}:"
    cat "$logs/${running[$pid]}"
    unset "running[$pid]"
    [ "$code" -eq 0 ] || exit "$code"
done
