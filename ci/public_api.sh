#!/usr/bin/env bash
# The public items of the library with all features, compared with docs/public-api.txt (nightly, cargo-public-api). What
# differs is printed and fails; BLESS=1 prints it, too, and then writes the file anew. Says how many types, traits, free
# functions, macros and constants there are: each costs whoever reads the documentation. A type in a signature that has
# no public path fails, too.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/cargo_tools.sh
source ci/cargo_tools.sh public-api
obtain_toolchain nightly
listing=docs/public-api.txt
mkdir -p target/public_api
now=target/public_api/listing.txt
cargo +nightly public-api -p rust_messenger --all-features -sss --target-dir target/public_api >"$now"

# The items, each as its kind and its path. An item stands directly in a module; what has a type before it is part of
# that type.
items() {
    awk '
        { line = $0; sub(/^(#\[[a-z_]+\] )*/, "", line) }
        line ~ /^pub mod / { split(line, words, " "); modules[words[3]] = 1 }
        line ~ /^pub (const fn|unsafe trait|struct|enum|trait|union|macro|fn|type|static|const) / {
            sub(/^pub (const (fn )?|unsafe )?/, "", line)
            kind = line
            sub(/ .*/, "", kind)
            sub(/^[a-z]+ /, "", line)
            path = line
            sub(/[^A-Za-z0-9_:].*/, "", path)
            sub(/:+$/, "", path)
            module = path
            sub(/::[^:]*$/, "", module)
            if (module in modules && substr(line, length(path) + 1) !~ /^<[^=]*>::/) print kind, path
        }
    ' "$1" | sort -u
}

# An item that the crate root re-exports is listed at both paths and counted once: items of one kind and one name are
# one item, for no two things have one name.
count_items() {
    echo "$(items "$1" | sed 's/ .*::/ /' | sort -u | wc -l) items at $(items "$1" | wc -l) paths"
}

# The paths in signatures that no user can write. What stands behind the colon of a trait may be such a path, and in
# its one `impl` for all types: it seals the trait. `Net` has a path in `__private`, for tests without sockets.
unnameable() {
    awk '
        function paths_of(text, seen) {
            while (match(text, /rust_messenger::[A-Za-z0-9_:]*[A-Za-z0-9_]/)) {
                seen[substr(text, RSTART, RLENGTH)] = 1
                text = substr(text, RSTART + RLENGTH)
            }
        }
        {
            if ($0 ~ /^impl<[^>]*> rust_messenger::[A-Za-z_:]* for [A-Z]$/) next
            line = $0
            sub(/^(#\[[a-z_]+\] )*/, "", line)
            if (match(line, /^pub (use |mod |unsafe |const |fn |trait |struct |enum |union |macro |type |static )*rust_messenger::[A-Za-z0-9_:]*[A-Za-z0-9_]/)) {
                paths_of(substr(line, 1, RLENGTH), listed)
            }
            if (line ~ /^pub (unsafe )?trait / && index(line, ": ")) line = substr(line, 1, index(line, ": ") - 1)
            paths_of(line, named)
        }
        END { for (path in named) if (!(path in listed) && path != "rust_messenger::messi::net::Net") print path }
    ' "$1" | sort
}

hidden=$(unnameable "$now")
if [ -n "$hidden" ]; then
    echo "These stand in public signatures, and no public path leads to them: name and seal them."
    echo "$hidden"
    exit 1
fi

if diff -u "$listing" "$now"; then
    echo "$listing is up to date: $(count_items "$now")"
elif [ "${BLESS:-}" = 1 ]; then
    cp "$now" "$listing"
    echo "$listing is written anew: $(count_items "$now"). Read the difference above."
else
    echo "The public items are not those of $listing. If that is meant: BLESS=1 ci/public_api.sh, and a line in CHANGELOG.md."
    exit 1
fi
