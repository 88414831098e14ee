#!/usr/bin/env bash
# Measures the crate against its peers and prints the tables of BENCHMARKS.md.
#
#   ci/bench_compare.sh                    the full run, a few minutes on an otherwise idle machine
#   ci/bench_compare.sh --write            the same, puts the tables between the markers of BENCHMARKS.md, and draws the
#                                          picture of them; waits five minutes for a machine with nothing else to do
#   ci/bench_compare.sh --quick            whether everything works, not how fast it is
#   ci/bench_compare.sh --processes        two processes instead, by a named ring and by shared memory of iceoryx2; its
#                                          tables are put into BENCHMARKS.md by hand
#   ci/bench_compare.sh --rounds 21 --pin --only "1w 1r"   see --help
set -euo pipefail
cd "$(dirname "$0")/.."

write=false
arguments=()
for argument in "$@"; do
    if [ "$argument" = --write ]; then write=true; else arguments+=("$argument"); fi
done

if $write && [[ " ${arguments[*]-} " == *" --processes "* ]]; then
    echo "--write puts the tables of all workloads into BENCHMARKS.md; --processes has none of them" >&2
    exit 1
fi
if $write; then arguments=(--patience 300 "${arguments[@]+"${arguments[@]}"}"); fi

tables=$(mktemp)
trap 'rm -f "$tables" "$tables.page"' EXIT
cargo run --release --locked --manifest-path benches/compare/Cargo.toml -- "${arguments[@]+"${arguments[@]}"}" >"$tables"
cat "$tables"

if $write; then
    awk -v tables="$tables" '
        /<!-- end of tables -->/ { inside = 0 }
        !inside { print }
        /<!-- tables -->/ { inside = 1; print ""; while ((getline line < tables) > 0) print line; print "" }
    ' BENCHMARKS.md >"$tables.page"
    cat "$tables.page" >BENCHMARKS.md
    BLESS=1 cargo test --package rust_messenger_tools --test flagship figures
fi
