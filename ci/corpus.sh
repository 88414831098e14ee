#!/usr/bin/env bash
# The corpora of the fuzzers: fuzz/corpus/TARGET.hex has a case in each line, as a name, a colon, and its bytes in hex.
# `ci/corpus.sh unpack TARGET DIRECTORY` makes a file of each case, `ci/corpus.sh add TARGET FILE..` adds files to it.
set -euo pipefail
root=$(dirname "${BASH_SOURCE[0]}")/..
command=${1:-} target=${2:-}
[ "$#" -ge 3 ] || { sed -n '2,3s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2; }
shift 2
corpus=$root/fuzz/corpus/$target.hex
case $command in
    unpack)
        mkdir -p "$1"
        while IFS=': ' read -r name hex; do
            # `\xab` for each two digits.
            # shellcheck disable=SC2001 # Only bash 5.2 can put what it found into what it puts there.
            printf '%b' "$(sed 's/../\\x&/g' <<<"$hex")" >"$1/$name"
        done <"$corpus"
        ;;
    add)
        for file in "$@"; do
            hex=$(od -An -v -tx1 "$file" | tr -d ' \n')
            echo "$(basename "$file"):${hex:+ $hex}" >>"$corpus"
        done
        ;;
    *)
        echo "unpack or add, not $command" >&2
        exit 2
        ;;
esac
