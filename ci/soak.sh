#!/usr/bin/env bash
# The suite again and again, every second time beside a busy loop on each core: a test that needs luck has none sooner or
# later. `ci/soak.sh 10` runs it ten times, `ci/soak.sh` fifty. The first red run ends it and prints its log.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/tools.sh
source ci/tools.sh
runs=${1:-50}
log=$(mktemp)
busy=()
calm() {
    [ ${#busy[@]} -eq 0 ] || kill "${busy[@]}"
    wait
    busy=()
} 2>/dev/null
trap 'calm; rm -f "$log"' EXIT
cargo test --workspace --all-features --no-run
for run in $(seq "$runs"); do
    if [ $((run % 2)) -eq 0 ]; then
        for _ in $(seq "$(nproc)"); do
            while :; do :; done &
            busy+=($!)
        done
    fi
    company=$([ ${#busy[@]} -eq 0 ] || echo ", beside ${#busy[@]} busy loops")
    start=$SECONDS
    if ! cargo test --workspace --all-features >"$log" 2>&1; then
        cat "$log"
        echo "run $run is red$company; $((run - 1)) of $runs were green"
        exit 1
    fi
    calm
    echo "run $run is green in $((SECONDS - start)) s$company"
done
echo "all $runs runs are green"
