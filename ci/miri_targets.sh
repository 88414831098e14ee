#!/usr/bin/env bash
# The library's own tests, and those of the wires, under Miri for other machines: with pointers of 32 bits, and with the
# other byte order. One target each on a processor of its own. Without the journal as a whole, over which Miri takes many
# minutes: its pages, slots and tables, which are all that a byte order could change, have tests of their own.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/obtain.sh
source ci/obtain.sh
obtain_toolchain nightly miri rust-src
logs=$(mktemp -d)
# Tests of TLS want C; none of them is here, nothing is linked, and so it is compiled by `true` into no archive.
archiver=$PWD/target/miri_targets/ar
mkdir -p "$(dirname "$archiver")"
# shellcheck disable=SC2016 # The archiver expands that.
printf '#!/bin/sh\nfor file; do case $file in *.a) printf "!<arch>\\n" >"$file" ;; esac; done\n' >"$archiver"
chmod +x "$archiver"
declare -A running=()
set -m # Each in a process group of its own, so that all of it ends with this script.
trap 'for pid in "${!running[@]}"; do kill -- "-$pid" 2>/dev/null || true; done; rm -rf "$logs"' EXIT
for target in i686-unknown-linux-gnu s390x-unknown-linux-gnu; do
    cargo +nightly miri setup --target "$target"
    env "CC_${target//-/_}=true" "AR_${target//-/_}=$archiver" "CARGO_TARGET_DIR=target/miri_targets/$target" \
        cargo +nightly miri test --target "$target" \
        --features serde,bincode,prost,zero_copy,messi --lib --test messi_wire -- --skip persistent_bus:: >"$logs/$target" 2>&1 &
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
