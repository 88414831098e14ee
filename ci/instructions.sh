#!/usr/bin/env bash
# Counts the instructions that a message takes, by callgrind: the work of benches/instructions in two lengths, whose
# difference is what the messages took. No other program on the machine changes that, so a row that has grown by more
# than 2 % over its line in ci/instructions.txt fails. The lines belong to the compiler that the file names. With another
# one, ratios to rtrb are compared instead, and may grow by 25 %: compilers lay out and inline the same source otherwise.
#   ci/instructions.sh                 all rows
#   ci/instructions.sh ROW ..          these
#   ci/instructions.sh --no-run ROW .. builds what counts them
#   BLESS=1 ci/instructions.sh         compares, then writes the rows anew that moved by more than 2 %; the others keep
#                                      their lines, so that none creeps up. WHY="what for" is wanted if one has grown,
#                                      and stands behind it from then on
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/obtain.sh
source ci/obtain.sh
golden=ci/instructions.txt
command -v valgrind >/dev/null || obtain_packages valgrind

target=${CARGO_TARGET_DIR:-$PWD/target/instructions}
build() { CARGO_INCREMENTAL=0 cargo build --quiet --locked --manifest-path benches/instructions/Cargo.toml --target-dir "$target" "$@"; }
build --profile counted
build --release --no-default-features
if [ "${1:-}" = --no-run ]; then exit; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The rows of the program, the first of ours also as plain release makes it, and what writes and what reads each by
# itself.
rows() {
    local row
    for row in $("$target/counted/instructions"); do
        case $row in
            one_writer) printf '%s\n' "$row" "$row/release" ;;
            *_apart) printf '%s\n' "$row/write" "$row/read" ;;
            history) printf '%s\n' "$row/recorded" "$row/rebuilt" ;;
            *) echo "$row" ;;
        esac
    done
}

# collected ROW BATCHES
collected() {
    local part=${1#*/} profile=counted only=()
    case $part in
        write | read | recorded | rebuilt) only=("--toggle-collect=*${part}_apart*") ;;
        release) profile=release ;;
    esac
    valgrind --tool=callgrind --callgrind-out-file="$work/callgrind" "${only[@]}" \
        "$target/$profile/instructions" "${1%/*}" "$2" >"$work/log" 2>&1 ||
        { cat "$work/log" >&2 && return 1; }
    awk '/Collected/ { print $NF; found = 1 } END { exit !found }' "$work/log"
}

# 8 laps of a ring lie between the two, of 8192 messages each.
short=512 long=1536
if [ $# -eq 0 ]; then chosen=$(rows); else chosen=$(printf '%s\n' rtrb "$@" | awk '!seen[$0]++'); fi
for row in $chosen; do
    few=$(collected "$row" $short)
    many=$(collected "$row" $long)
    awk -v row="$row" -v few="$few" -v many="$many" -v messages=$(((long - short) * 64)) \
        'BEGIN { printf "%s %.1f\n", row, (many - few) / messages }'
done >"$work/counts"

compiler="$(rustc -V) $(rustc -vV | sed -n 's/^host: //p')"
if [ -s $golden ]; then cp $golden "$work/lines"; else echo "nobody's" >"$work/lines"; fi
red=0
awk -v compiler="$compiler" -v why="${WHY:-}" -v whole=$((1 - ($# > 0))) -v golden_out="$work/golden" '
    function grown(row) { return (counts[row] / base) / (lines[row] / golden_base) > limit }
    function shrunk(row) { return (counts[row] / base) / (lines[row] / golden_base) < 1 / limit }
    FNR == 1 { file++ }
    file == 1 && FNR == 1 { golden_compiler = $0; next }
    file == 1 { lines[$1] = $2; reasons[$1] = $0; if (!sub(/^[^#]*# /, "", reasons[$1])) delete reasons[$1]; next }
    { order[++n] = $1; counts[$1] = $2 }
    END {
        same = compiler == golden_compiler
        limit = same ? 1.02 : 1.25
        base = golden_base = 1
        if (!same && "rtrb" in lines) {
            base = counts["rtrb"]
            golden_base = lines["rtrb"]
            print "the lines are of " golden_compiler ", this is " compiler ": ratios to rtrb are compared"
        }
        print compiler >golden_out
        for (i = 1; i <= n; i++) {
            row = order[i]; note = ""; line = same && row in lines ? lines[row] : counts[row]
            if (!(row in lines)) { note = "NEW"; red = 1 }
            else if (grown(row)) { note = "GROWN"; red = 1; wanted = 1; line = counts[row]; reasons[row] = why }
            else if (shrunk(row)) { note = "shrunk"; line = counts[row]; delete reasons[row]; less = 1 }
            printf "%-28s %8.1f %8s %s\n", row, counts[row], row in lines ? sprintf("%.1f", lines[row]) : "", note
            printf "%s %.1f%s\n", row, line, reasons[row] == "" ? "" : "  # " reasons[row] >golden_out
            known[row] = 1
        }
        if (whole) for (row in lines) if (!(row in known)) { print row ": nothing counts it"; red = 1 }
        if (less) print "shrunk rows: BLESS=1 ci/instructions.sh writes them, so that they stay so"
        if (red) print "BLESS=1 ci/instructions.sh writes what is new" (wanted ? "; WHY=\"what for\" what has grown" : "")
        exit red + (wanted && why == "")
    }
' "$work/lines" "$work/counts" || red=$?

# BENCHMARKS.md with the lines as its table.
page() {
    awk -v lines=$golden '
        /<!-- end of instructions -->/ { inside = 0 }
        !inside { print }
        /<!-- instructions -->/ {
            inside = 1
            getline line <lines
            print "\n" line "\n\n| row | instructions | |\n| --- | --- | --- |"
            while ((getline line <lines) > 0) {
                split(line, word, " ")
                why = line
                if (!sub(/^[^#]*# /, "", why)) why = ""
                print "| `" word[1] "` | " word[2] " | " why " |"
            }
            print ""
        }
    ' BENCHMARKS.md
}

if [ "${BLESS:-}" = 1 ] && [ $# -eq 0 ]; then
    [ $red -le 1 ] || { echo "nothing is written: WHY is missing" && exit 1; }
    cat "$work/golden" >$golden
    page >"$work/page"
    cat "$work/page" >BENCHMARKS.md
    echo "$golden and the table of BENCHMARKS.md are written"
else
    [ $red -eq 0 ]
    page | diff BENCHMARKS.md - >&2 || { echo "BENCHMARKS.md has another table than $golden" && exit 1; }
fi
