#!/usr/bin/env bash
# Licences, sources and advisories of all that is depended on, by deny.toml (cargo-deny). Advisories come from a
# repository of their own: where that cannot be had they are not checked, which is said and fails nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/cargo_tools.sh
source ci/cargo_tools.sh deny
cargo deny --workspace check bans licenses sources
if cargo deny fetch db; then
    cargo deny --workspace check advisories
else
    echo "WARNING: ADVISORIES NOT CHECKED: the advisory database cannot be had here." >&2
fi
