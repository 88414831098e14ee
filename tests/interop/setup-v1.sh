#!/bin/sh
# shellcheck disable=SC2010,SC2086 # Commands and sources are lists of words, of names without spaces.
# Build real Messi peers of the first generation: the same programs on what Messi 0.7.0 (v1a) and 0.11.0 (v1b)
# generate. Needs what setup.sh has built.
#
#   ./setup-v1.sh [DIR]         default DIR: ${INTEROP_DIR:-/tmp/messi-interop}
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
DIR=${1:-${INTEROP_DIR:-/tmp/messi-interop}}
[ -f "$DIR/ready" ] || "$HERE/setup.sh" "$DIR"
DIR=$(cd "$DIR" && pwd)
rm -f "$DIR/ready-v1"
PY=$DIR/venv/bin/python

cd "$HERE"
# These releases say nothing of the pbtools they want; 0.32.1 is the last one that ships its run time.
build() {
    gen=$DIR/cgen-$1
    out=$DIR/c-$1
    [ -d "$gen/messi" ] || "$PY" -m pip install -q --disable-pip-version-check \
        --no-deps --target "$gen" "messi==$2" pbtools==0.32.1
    rm -rf "$out"
    mkdir -p "$out"
    PYTHONPATH=$gen "$PY" -m messi generate_c_source -o "$out" bank.proto
    cc="${CC:-gcc} -Wall -Wextra -O2 -g -DMESSI_V1 $3 -I$out -Isrc"
    # 0.7.0 has one more common file.
    common=$(ls "$out"/*.c | grep -v -e bank_server.c -e bank_client.c)
    $cc src/peer_server.c "$out/bank_server.c" $common -o "$DIR/bin/peer_server-$1"
    $cc src/peer_client.c "$out/bank_client.c" $common -o "$DIR/bin/peer_client-$1"
}

build v1a 0.7.0 -DMESSI_V1A
build v1b 0.11.0 ""
echo ok > "$DIR/ready-v1"
echo "PASS setup-v1: $DIR"
