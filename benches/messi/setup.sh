#!/usr/bin/env bash
# Builds Messi's own C peers of the comparison, the way tests/interop/setup.sh builds those of the scenario, and with what
# that has fetched. Prints where they are.
set -euo pipefail
cd "$(dirname "$0")"
kit=${INTEROP_DIR:-/tmp/messi-interop}
[ -f "$kit/ready" ] || ../../tests/interop/setup.sh >&2
out=$kit/bench
mkdir -p "$out"
cp "$kit/rt/messi/c_source/messi.h" "$kit/rt/messi/c_source/messi.c" "$out"
PYTHONPATH=$kit/cgen "$kit/venv/bin/python" -m messi generate_c_source -o "$out" bench.proto >&2
for side in server client; do
    ${CC:-gcc} -O2 -D_GNU_SOURCE -I"$out" c/$side.c "$out/bench_$side.c" "$out/bench.c" "$out/pbtools.c" "$out/messi.c" -o "$out/$side"
done
echo "$out"
