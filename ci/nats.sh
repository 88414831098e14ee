#!/usr/bin/env bash
# The crate in nats/, a workspace of its own: format, lints, documentation, licences, tests and an example with a real server.
# `NATS_SERVER` names the server, or else it is `nats-server`, or a package of PyPI. `MSRV=1`: the oldest compiler, too.
# `NATS_KILLS=n`: how often senders and servers are killed; `NATS_OUTAGES=n`: how often one is away for three seconds, and one
# is for a minute.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/cargo_tools.sh
source ci/cargo_tools.sh deny nats-server
command -v python3 >/dev/null || obtain_packages python3
"${NATS_SERVER:-nats-server}" --version
export NOTHING_SKIPPED=1
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/nats
cd nats
cargo fmt --check
cargo deny --config ../deny.toml check bans licenses sources
# Clippy's driver compiles this crate for the tests, and rustdoc reads what it was compiled with. `cargo clippy` and `cargo doc`
# would compile all dependencies once more, which takes minutes.
export RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS="-Dwarnings__CLIPPY_HACKERY__"
compiled=$(cargo test --locked --no-run --message-format=json-render-diagnostics)
mapfile -t externs < <(python3 -B ../ci/nats/externs.py <<<"$compiled")
[ "${#externs[@]}" -gt 0 ]
rustdoc --crate-name rust_messenger_nats --edition 2024 -D warnings --out-dir "$CARGO_TARGET_DIR/doc" \
    -L "dependency=$CARGO_TARGET_DIR/debug/deps" "${externs[@]}" src/lib.rs
cargo test --locked
cargo run --locked --example two_machines | tail -n 5
unset RUSTC_WORKSPACE_WRAPPER CLIPPY_ARGS
if [ "${MSRV:-0}" -ne 0 ]; then
    version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    obtain_toolchain "$version"
    CARGO_TARGET_DIR=$CARGO_TARGET_DIR/msrv cargo "+$version" check --locked
fi
