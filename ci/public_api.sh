#!/usr/bin/env bash
# The public items of the library with all features, compared with docs/public-api.txt. What differs is printed and
# fails; BLESS=1 prints it, too, and then writes the file anew. More items than are enough fail in either case, for each
# costs whoever reads the documentation; and so does a type in a signature that has no public path.
#
# rustdoc's JSON is no stable format, so one compiler writes it, that of ci/toolchain, and the library that reads it is
# chosen in ci/public_api/Cargo.lock.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/obtain.sh
source ci/obtain.sh
# Types, traits, free functions, macros and constants.
most=179
listing=docs/public-api.txt
now=target/public_api/listing.txt
toolchain=$(cat ci/toolchain).0
obtain_toolchain "$toolchain"
mkdir -p target/public_api
RUSTC_BOOTSTRAP=rust_messenger cargo "+$toolchain" rustdoc --quiet --package rust_messenger --lib --all-features \
    --target-dir target/public_api -- -Z unstable-options --output-format json
bad=0
cargo run --quiet --locked --manifest-path ci/public_api/Cargo.toml --target-dir target/public_api/tool -- \
    target/public_api/doc/rust_messenger.json "$most" >"$now" || bad=1

if diff -u "$listing" "$now"; then
    echo "$listing is up to date"
elif [ "${BLESS:-}" = 1 ] && [ "$bad" -eq 0 ]; then
    cp "$now" "$listing"
    echo "$listing is written anew: read the difference above"
else
    echo "The public items are not those of $listing. If that is meant: BLESS=1 ci/public_api.sh, and a line in CHANGELOG.md."
    bad=1
fi
exit "$bad"
