#!/usr/bin/env bash
# The longer proofs, for which a change need not wait: deeper models, more schedules, more lives, longer fuzzing, more
# kills and restarts, how long a table compiles, and the suite fifty times. Hours. Each line of the list can be run by hand.
set -euo pipefail
cd "$(dirname "$0")/.."
export NOTHING_SKIPPED=1
while read -r line; do
    echo "=== $line"
    start=$SECONDS
    bash -c "set -euo pipefail; $line" </dev/null
    echo "=== $line: passed in $((SECONDS - start)) s"
done <<'LIST'
for run in $(seq 10); do cargo test --release --all-features --test journal; done
ALL_PROTOCOLS=1 cargo test --package messi --test random
SIM_SEEDS=200000 ci/sim.sh
MSRV=1 NATS_KILLS=50 NATS_OUTAGES=50 PROPTEST_CASES=20000 ci/nats.sh
RESTART_MESSAGES=1000000 RESTART_KILLS=100 cargo test --release --all-features --test rebuild -- many
RESTART_MESSAGES=1000000 cargo test --release --all-features --test messenger -- restarts::sums_are_right
SECONDS_EACH=600 ci/fuzz.sh
EVERY_FEATURE=1 SEEDS=64 ci/miri.sh
SANITIZERS="thread address" ci/sanitizers.sh
KILLS=200 PAIRS=50 STOPS=50 ROUNDS=200 cargo test --release --all-features --test processes kills
ci/bench_compile.sh --assert
ci/mutants.sh --all
ci/soak.sh 50
LOOM_MAX_PREEMPTIONS=3 ci/loom.sh
LIST
