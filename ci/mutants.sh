#!/usr/bin/env bash
# Takes mechanisms out of a copy of the source, one at a time, and wants a test to see it. Each `ci/mutants/NAME.patch` begins
# with the command that must go red, then says what it takes out.
#   ci/mutants.sh NAME ..     these, each a name or a pattern: 'gate_*'
#   ci/mutants.sh             every patch still applies; then a day's sample, as many as three minutes take. MINUTES=n
#                             changes how long
#   ci/mutants.sh --applies   runs nothing: every patch still applies, and names a command
#   ci/mutants.sh --all       all of them: hours
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$root/target/mutants
tree=$work/tree
export CARGO_TARGET_DIR=$work/target CARGO_INCREMENTAL=1
export GIT_CEILING_DIRECTORIES=$work # So that `git apply` takes the copy for no part of the repository around it.
limit=${LIMIT:-300}                  # Seconds for one command: a mutant that hangs is seen, too.

# What git knows or would add, with its times, so that cargo builds again only what has changed.
copy() {
    rm -rf "$tree"
    mkdir -p "$tree"
    git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
        [ ! -e "$file" ] || printf '%s\0' "$file"
    done | xargs -0 cp --parents --preserve=timestamps -t "$tree"
}

apply() { (cd "$tree" && git apply "$@"); }

command_of() { head -n 1 "$root/ci/mutants/$1.patch"; }

applies() {
    local name bad=0
    for name in "$@"; do
        case $(command_of "$name") in
            *"cargo test "* | *"cargo +nightly miri test "* | "ci/instructions.sh "* | ci/public_api.sh) ;;
            *) echo "$name: its first line is no command of cargo test, nor a script that sees mutants" && bad=1 ;;
        esac
        apply --check "$root/ci/mutants/$name.patch" || { echo "$name: does not apply" && bad=1; }
    done
    return $bad
}

# Succeeds if the command goes red. What does not compile proves nothing, so it is built first.
seen() {
    local name=$1 command build log=$work/$1.log status=0 start=$SECONDS
    command=$(command_of "$name")
    build=${command/ test / test --no-run }
    build=${build/#ci\/instructions.sh /ci\/instructions.sh --no-run }
    [ "$build" != "$command" ] || build="cargo check --lib --all-features"
    apply "$root/ci/mutants/$name.patch"
    if ! (cd "$tree" && bash -c "$build") >"$log" 2>&1; then
        status=1
        echo "$name: does not compile, see $log"
    elif (cd "$tree" && timeout --kill-after=10 "$limit" bash -c "$command") >"$log" 2>&1; then
        status=1
        echo "$name: NOT SEEN by $command"
    else
        echo "$name: seen in $((SECONDS - start)) s"
    fi
    apply --reverse "$root/ci/mutants/$name.patch"
    return $status
}

names() { (cd ci/mutants && for file in ${1:-*}.patch; do [ ! -e "$file" ] || echo "${file%.patch}"; done); }

all=$(names)
copy
case ${1:-} in
    '' | --applies)
        # shellcheck disable=SC2086
        applies $all
        count=$(wc -w <<<"$all")
        echo "$count mutants apply"
        # Ten a day come round to all of them, in whatever order they are sorted.
        today=$(($(date +%s) / 86400))
        first=$((today * 10 % count))
        chosen=$(tail -n "+$((first + 1))" <<<"$all" && head -n "$first" <<<"$all")
        minutes=$([ $# -eq 0 ] && echo "${MINUTES:-3}" || echo 0)
        end=$((SECONDS + minutes * 60))
        ;;
    --all)
        chosen=$all
        end=
        ;;
    *)
        chosen=$(for pattern in "$@"; do names "$pattern"; done)
        [ -n "$chosen" ] || { echo "no mutant is called $*" && exit 1; }
        end=
        ;;
esac

if grep -q '^cd nats' <(for name in $chosen; do command_of "$name"; done); then
    # Without a server its tests would be red, whatever is taken out.
    # shellcheck source=ci/cargo_tools.sh
    source ci/cargo_tools.sh nats-server
fi
missed=() tried=0
for name in $chosen; do
    [ -z "$end" ] || [ "$SECONDS" -lt "$end" ] || break
    seen "$name" || missed+=("$name")
    tried=$((tried + 1))
done
echo "$((tried - ${#missed[@]})) of $tried mutants seen in $SECONDS s, $(date +%F)"
[ ${#missed[@]} -eq 0 ] || { printf 'not seen: %s\n' "${missed[@]}" && exit 1; }
