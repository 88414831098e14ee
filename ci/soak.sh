#!/usr/bin/env bash
# The suite again and again, every second time beside a busy loop on each core: a test that needs luck has none sooner or
# later. `ci/soak.sh 10` runs it ten times, `ci/soak.sh` fifty. The first red run ends it and prints its log.
#
# The first run is whole. The others leave out the doctests and `compiles` below, which take most of a run: they feed
# fixed files to a compiler and run what comes out on one thread, so there is no schedule in them that could differ.
# Whatever has a thread, a socket, another process to wait for or a limit of time stays.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/tools.sh
source ci/tools.sh
runs=${1:-50}
compiles=(
    # tests/ui.rs: rustc, and what it says.
    mistakes_are_explained
    # messi/tests/random.rs, messi/tests/rust.rs: rustc, gcc and Python on what is generated.
    all_languages_read_what_the_others_write the_same_anywhere odd_ones_compile_and_work builds_in_a_build_rs
    # messi/tests/c_runtime.rs: gcc and its warnings.
    no_warning_with_64_bits no_warning_with_32_bits no_warning_for_the_async_framework_nor_without_malloc
    headers_are_cpp_too without_malloc_there_is_no_malloc
    # messi/tests/c_messages.rs: gcc, and a codec on one thread.
    random_messages_come_back_as_they_were both_decoders_agree_on_malformed_bytes values_are_in_their_members
    one_more_than_a_limit_is_refused whatever_things_are_called_it_compiles a_machine_of_32_bits_is_no_other
    sized_messages_need_no_allocator nanopb_may_be_built_in_many_ways
)
log=$(mktemp)
busy=()
calm() {
    [ ${#busy[@]} -eq 0 ] || kill "${busy[@]}"
    wait
    busy=()
} 2>/dev/null
trap 'calm; rm -f "$log"' EXIT
cargo test --workspace --all-features --no-run
whole=(cargo test --workspace --all-features)
rest=("${whole[@]}" --tests --)
for name in "${compiles[@]}"; do rest+=(--skip "$name"); done
for run in $(seq "$runs"); do
    if [ $((run % 2)) -eq 0 ]; then
        for _ in $(seq "$(nproc)"); do
            while :; do :; done &
            busy+=($!)
        done
    fi
    company=$([ ${#busy[@]} -eq 0 ] || echo ", beside ${#busy[@]} busy loops")
    if [ "$run" -eq 1 ]; then suite=("${whole[@]}"); else suite=("${rest[@]}"); fi
    start=$SECONDS
    if ! "${suite[@]}" >"$log" 2>&1; then
        cat "$log"
        echo "run $run is red$company; $((run - 1)) of $runs were green"
        exit 1
    fi
    calm
    echo "run $run is green in $((SECONDS - start)) s$company"
    if [ "$run" -eq 1 ]; then
        for name in "${compiles[@]}"; do
            # A name that is nobody's leaves out nothing.
            grep -q "^test .*$name" "$log" || { echo "no test is called $name" && exit 1; }
        done
    fi
done
echo "all $runs runs are green in $SECONDS s"
