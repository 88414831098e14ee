#!/usr/bin/env bash
# The oldest compiler that the packages promise (`rust-version`) compiles all of them, with the dependencies of
# Cargo.lock.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/obtain.sh
source ci/obtain.sh
version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
for package in messi tools; do
    grep -qFx "rust-version = \"$version\"" "$package/Cargo.toml" || {
        echo "$package/Cargo.toml promises another compiler than $version" >&2
        exit 1
    }
done
obtain_toolchain "$version"
export CARGO_TARGET_DIR=target/msrv
cargo "+$version" check --locked --workspace --all-features --lib --bins --examples
