#!/usr/bin/env bash
# The public items of the library with all features, compared with docs/public-api.txt (nightly, cargo-public-api). What
# differs is printed and fails; BLESS=1 prints it, too, and then writes the file anew. Says how many types, traits, free
# functions, macros and constants there are: each costs whoever reads the documentation.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/cargo_tools.sh
source ci/cargo_tools.sh public-api
obtain_toolchain nightly
listing=docs/public-api.txt
mkdir -p target/public_api
now=target/public_api/listing.txt
cargo +nightly public-api -p rust_messenger --all-features -sss --target-dir target/public_api >"$now"

# An item stands directly in a module; what has a type before it is part of that type.
count_items() {
    awk '
        { line = $0; sub(/^(#\[[a-z_]+\] )*/, "", line) }
        line ~ /^pub mod / { split(line, words, " "); modules[words[3]] = 1 }
        line ~ /^pub (const fn|unsafe trait|struct|enum|trait|union|macro|fn|type|static|const) / {
            sub(/^pub (const (fn )?|unsafe )?([a-z]+ )?/, "", line)
            path = line
            sub(/[^A-Za-z0-9_:].*/, "", path)
            sub(/:+$/, "", path)
            module = path
            sub(/::[^:]*$/, "", module)
            if (module in modules && substr(line, length(path) + 1) !~ /^<[^=]*>::/ && !(path in seen)) {
                seen[path] = 1
                count++
            }
        }
        END { print count }
    ' "$1"
}

if diff -u "$listing" "$now"; then
    echo "$listing is up to date: $(count_items "$now") items"
elif [ "${BLESS:-}" = 1 ]; then
    cp "$now" "$listing"
    echo "$listing is written anew: $(count_items "$now") items. Read the difference above."
else
    echo "The public items are not those of $listing. If that is meant: BLESS=1 ci/public_api.sh, and a line in CHANGELOG.md."
    exit 1
fi
