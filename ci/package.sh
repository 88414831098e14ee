#!/usr/bin/env bash
# What would be published: makes the three packages, unpacks them outside the repository, and builds each and runs its
# doctests from its own files alone. A package finds the library it depends on beside it, as on a registry. Then makes
# the library's pages as docs.rs does (nightly).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/obtain.sh
source ci/obtain.sh
obtain_toolchain nightly
complain() {
    echo "$*" >&2
    exit 1
}
cargo package --workspace --allow-dirty --no-verify --quiet
export CARGO_TARGET_DIR=$PWD/target/published
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
grep -qF "## [$version]" CHANGELOG.md || complain "CHANGELOG.md says nothing of $version"

outside=$(mktemp -d)
trap 'rm -rf "$outside"' EXIT
mkdir "$outside/.cargo"
printf '[patch.crates-io]\nrust_messenger = { path = "%s" }\n' "$outside/rust_messenger-$version" >"$outside/.cargo/config.toml"
packages="rust_messenger messi rust_messenger_tools"
for package in $packages; do
    tar -xzf "target/package/$package-$version.crate" -C "$outside"
done
for package in $packages; do
    cd "$outside/$package-$version"
    for file in README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE; do
        [ -s "$file" ] || complain "$package is without $file"
    done
    # Pages elsewhere have no files beside them.
    if grep -nP '\]\((?!https://|#)' README.md; then complain "links of $package's README that only the repository follows"; fi
    echo "$package: building from its package"
    cargo build --quiet --all-features
    if [ -e src/lib.rs ]; then cargo test --quiet --doc --all-features; fi
done

cd "$outside/rust_messenger-$version"
echo "rust_messenger: its pages on docs.rs"
RUSTDOCFLAGS="--cfg docsrs" cargo +nightly doc --quiet --all-features --no-deps
grep -q "Available on.*crate feature.*messi" "$CARGO_TARGET_DIR/doc/rust_messenger/messi/index.html" ||
    complain "the page of the module messi does not say which feature it wants"
