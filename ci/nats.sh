#!/usr/bin/env bash
# The crate in nats/, a workspace of its own: format, lints, documentation, licences and tests. `MSRV=1`: its oldest compiler, too.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/cargo_tools.sh
source ci/cargo_tools.sh deny
command -v python3 >/dev/null || obtain_packages python3
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/nats
cd nats
cargo fmt --check
cargo clippy --locked --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
cargo deny --config ../deny.toml check bans licenses sources
cargo test --locked
if [ "${MSRV:-0}" -ne 0 ]; then
    version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    obtain_toolchain "$version"
    CARGO_TARGET_DIR=$CARGO_TARGET_DIR/msrv cargo "+$version" check --locked
fi
