#!/usr/bin/env bash
# The models of tests/loom.rs and src/messenger/worker/model.rs: small scenes with the real bus, in every interleaving and with
# every outcome that the memory model allows, up to two preemptions (one scene without a bound, long ones with one).
# LOOM_MAX_PREEMPTIONS=3 looks deeper.
# Less than a minute once built. Arguments are passed on: a name runs the models like it.
set -euo pipefail
cd "$(dirname "$0")/.."
export LOOM_MAX_PREEMPTIONS=${LOOM_MAX_PREEMPTIONS:-2}
echo "Checking the bus under loom, up to $LOOM_MAX_PREEMPTIONS preemptions; each model says how many executions it took."
echo "A deadlock ends the whole run: it is a wake-up that can be lost."
export RUSTFLAGS="--cfg rust_messenger_loom"
export CARGO_TARGET_DIR=target/loom
cargo test --profile model --lib --test loom -- --nocapture "$@"
