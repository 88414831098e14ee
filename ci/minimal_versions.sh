#!/usr/bin/env bash
# The oldest versions of direct dependencies that the Cargo.toml files allow have all that is used of them (nightly). In
# a copy of the sources, for Cargo.lock says something else there.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/obtain.sh
source ci/obtain.sh
obtain_toolchain nightly
export CARGO_TARGET_DIR=$PWD/target/minimal_versions
copy=$CARGO_TARGET_DIR/copy
rm -rf "$copy"
mkdir -p "$copy"
git ls-files -z --cached --others --exclude-standard -- . ':!fuzz' |
    xargs -0 cp --parents --no-dereference --preserve=timestamps -t "$copy"
cd "$copy"
cargo +nightly update -Z direct-minimal-versions
cargo +nightly check --workspace --all-features --lib --bins --examples
