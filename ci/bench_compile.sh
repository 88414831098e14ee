#!/usr/bin/env bash
# How long `cargo check` of a routing table takes, and prints the table of BENCHMARKS.md. Each size is checked as the
# source without its table, with a table whose checks are taken out of a copy of the library, and as it is.
#
#   ci/bench_compile.sh                    ten minutes
#   ci/bench_compile.sh --assert           the same, and fails where a ratio misses its target by more than a seventh:
#                                          other work makes less, looking names up over the whole table twice as much
#   ROUNDS=1 SIZES='10 100' ci/bench_compile.sh
#
# A round checks everything once; what counts is the median over the rounds of ratios within a round. Times are those
# of the processor, which other work on the machine changes least. No incremental compilation.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${ROUNDS:-3}
read -ra sizes <<<"${SIZES:-10 100 400 1000}"
work=$PWD/target/bench_compile
export CARGO_TARGET_DIR=$work/target CARGO_INCREMENTAL=0 LC_ALL=C

# A package $1, and a copy of the library for it, so that nobody's changes are compiled meanwhile.
package() {
    rm -rf "${work:?}/$1"
    mkdir -p "$work/$1/library" "$work/$1/src"
    git ls-files -z --cached --others --exclude-standard -- \
        Cargo.toml src benches examples messi tests tools README.md |
        xargs -0 cp --parents -t "$work/$1/library"
    printf '%s\n' '[package]' 'name = "table"' 'version = "0.0.0"' 'edition = "2024"' \
        '[workspace]' 'exclude = ["library"]' '[dependencies]' 'rust_messenger = { path = "library" }' \
        'serde = { version = "1", features = ["derive"] }' >"$work/$1/Cargo.toml"
    cp Cargo.lock "$work/$1/Cargo.lock"
    echo >"$work/$1/src/lib.rs"
}

# A program of $1 messages, a handler for ten of them, and if $2 says so a table with a route for each in a worker for
# a hundred.
source_of() {
    local routes=$1 table=$2 i worker handlers workers=$((($1 + 99) / 100))
    handlers=$((routes / 10 > 2 ? routes / 10 : 2))
    echo 'use rust_messenger::traits::{Handle, Handler, New, Writer};
use serde::{Deserialize, Serialize};

pub struct Config;'
    for ((i = 0; i < handlers; i++)); do
        echo "
pub struct Handler$i;

impl Handler for Handler$i {
    type Id = u16;
    const ID: u16 = $i;
}

impl New<Config> for Handler$i {
    fn new<W: Writer>(_: &Config, _: &W) -> Self {
        Handler$i
    }
}"
    done
    for ((i = 0; i < routes; i++)); do
        echo "
#[derive(Serialize, Deserialize)]
pub struct Message$i {
    pub value: u64,
}
rust_messenger::serde_message!(Message$i, $i);

impl Handle<Message$i> for Handler$(((i + 1) % handlers)) {
    fn handle<W: Writer>(&mut self, _: &Message$i, _: &W) {}
}"
    done
    [ "$table" = table ] || return 0
    echo 'rust_messenger::Messenger! { Config,'
    for ((worker = 0; worker < workers; worker++)); do
        echo "Worker$worker: handlers: ["
        for ((i = 0; i < handlers; i++)); do
            [ $((i * workers / handlers)) -ne $worker ] || echo "handler$i: Handler$i,"
        done
        echo '] routes: ['
        for ((i = 0; i < routes; i++)); do
            [ $(((i + 1) % handlers * workers / handlers)) -ne $worker ] ||
                echo "Handler$((i % handlers)), Message$i: [ handler$(((i + 1) % handlers)) ],"
        done
        echo ']'
    done
    echo '}'
}

# Seconds of the processor for a check of package $1 with $2 routes and source $3.
seconds() {
    local TIMEFORMAT='%U %S' times
    cp "$work/$2.$3.rs" "$work/$1/src/lib.rs"
    times=$({ time cargo check --quiet --offline --manifest-path "$work/$1/Cargo.toml" >"$work/log" 2>&1; } 2>&1) ||
        { cat "$work/log" >&2 && exit 1; }
    awk '{ print $1 + $2 }' <<<"$times"
}

package checked
package unchecked
sed -i '/ checks begin here\.$/,/ checks end here\.$/d' "$work/unchecked/library/src/macro.rs"
! cmp -s "$work/checked/library/src/macro.rs" "$work/unchecked/library/src/macro.rs" ||
    { echo 'src/macro.rs has no checks' && exit 1; }
for size in "${sizes[@]}"; do
    source_of "$size" none >"$work/$size.none.rs"
    source_of "$size" table >"$work/$size.table.rs"
done
for package in checked unchecked; do
    cargo check --quiet --manifest-path "$work/$package/Cargo.toml"
done

: >"$work/times"
for ((round = 1; round <= rounds; round++)); do
    for size in "${sizes[@]}"; do
        echo "$round $size $(seconds checked "$size" none) $(seconds unchecked "$size" table)" \
            "$(seconds checked "$size" table)" >>"$work/times"
    done
done

# Targets: with checks to without 1.2, from 100 routes on; 400 routes to the same source without the table 3.2; 1000
# routes to 400 2.8.
awk -v assert="${1:-}" '
    function median(values, count,    i, j, swap) {
        for (i = 2; i <= count; i++)
            for (j = i; j > 1 && values[j - 1] > values[j]; j--) {
                swap = values[j]; values[j] = values[j - 1]; values[j - 1] = swap
            }
        return count % 2 ? values[(count + 1) / 2] : (values[count / 2] + values[count / 2 + 1]) / 2
    }
    # The median over the rounds of one column divided by another, of another size, or by nothing.
    function of(size, column, by_size, by_column,    round, values) {
        for (round = 1; round <= rounds; round++)
            values[round] = time[round, size, column] / (by_column ? time[round, by_size, by_column] : 1)
        return median(values, rounds)
    }
    function within(what, ratio, target) {
        bad += ratio > target * 8 / 7
        printf "| %s | %.2f | <= %s | %s |\n", what, ratio, target, ratio <= target ? "met" : "**missed**"
    }
    { rounds = $1; if (!seen[$2]++) sizes[++count] = $2; for (i = 3; i <= 5; i++) time[$1, $2, i] = $i }
    END {
        print "| routes | no table, s | table without checks, s | table, s | to no table | checks |"
        print "| --- | --- | --- | --- | --- | --- |"
        for (i = 1; i <= count; i++) {
            size = sizes[i]
            printf "| %d | %.2f | %.2f | %.2f | %.2f | %.2f |\n", size, of(size, 3), of(size, 4), of(size, 5),
                of(size, 5, size, 3), of(size, 5, size, 4)
        }
        print "\n| ratio | | target | |\n| --- | --- | --- | --- |"
        for (i = 1; i <= count; i++)
            if (sizes[i] >= 100)
                within(sizes[i] " routes: with checks to without", of(sizes[i], 5, sizes[i], 4), 1.2)
        if (seen[400])
            within("400 routes: to the same source without the table", of(400, 5, 400, 3), 3.2)
        if (seen[400] && seen[1000])
            within("1000 routes to 400", of(1000, 5, 400, 5), 2.8)
        exit assert == "--assert" && bad > 0
    }
' "$work/times"
