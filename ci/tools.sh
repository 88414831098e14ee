#!/usr/bin/env bash
# What the tests need beside stable Rust: the compiler of ci/toolchain, gcc also for 32 bits, nanopb, valgrind, Python with
# protobuf, and Messi's own peers of all three generations of the wire, built from PyPI into INTEROP_DIR. Where CI=true
# what is missing is installed; elsewhere it is named, with the command that installs it, and the script fails. Sourced it
# also says where things are, and that no test may be skipped for want of them. MESSI_VENV names the place of the virtual
# environment.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=ci/obtain.sh
source ci/obtain.sh
MESSI_VENV=${MESSI_VENV:-${TMPDIR:-/tmp}/messi-venv}
INTEROP_DIR=${INTEROP_DIR:-/tmp/messi-interop}
lacking=0

missing=()
probe=$(mktemp --suffix .c)
echo '#include <pb_decode.h>' >"$probe"
{ command -v gcc && gcc -fsyntax-only "$probe"; } >/dev/null 2>&1 || missing+=(gcc libc6-dev libnanopb-dev)
command -v g++ >/dev/null || missing+=(g++)
echo '#include <stdio.h>' >"$probe"
gcc -m32 -fsyntax-only "$probe" 2>/dev/null || missing+=(gcc-multilib)
rm "$probe"
command -v valgrind >/dev/null || missing+=(valgrind)
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
[ ${#missing[@]} -eq 0 ] || obtain_packages "${missing[@]}" || lacking=1

has_protobuf() { "$MESSI_VENV/bin/python3" -c 'import google.protobuf, grpc_tools, mypy' 2>/dev/null; }
if ! has_protobuf; then
    [ -x "$MESSI_VENV/bin/pip" ] || obtain "a virtual environment" python3 -m venv "$MESSI_VENV" || lacking=1
    obtain "what Python needs of others" "$MESSI_VENV/bin/pip" install --quiet \
        protobuf grpcio-tools mypy types-protobuf || lacking=1
fi

# The messages of tests/ui are those of one series of compilers.
series=$(cat ci/toolchain)
has_series() {
    for name in $(rustup toolchain list | cut -d' ' -f1); do
        rustup run "$name" rustc --version 2>/dev/null | grep -qF "rustc $series." && return
    done
    return 1
}
has_series || obtain "Rust $series" rustup toolchain install "$series" --profile minimal || lacking=1

for setup in setup setup-v1; do
    ready=$INTEROP_DIR/ready${setup#setup}
    # Where that may be done it is done anew, for what it is made from may have changed.
    if [ "${CI:-}" = true ] || [ ! -f "$ready" ]; then
        obtain "Messi's peers in $INTEROP_DIR" "tests/interop/$setup.sh" "$INTEROP_DIR" || lacking=1
    fi
done

# With CI=true the tests say what could not be had.
if [ "$lacking" -ne 0 ] && [ "${CI:-}" != true ]; then
    echo "CI=true ci/tools.sh installs all that; without it, cargo test --workspace --all-features skips what lacks it." >&2
    # shellcheck disable=SC2317 # Reached where nobody has sourced it.
    return 1 2>/dev/null || exit 1
fi
export INTEROP_DIR
export PATH="$MESSI_VENV/bin:$PATH"
export NOTHING_SKIPPED=1
