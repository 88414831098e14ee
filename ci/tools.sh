#!/usr/bin/env bash
# What the tests need beside stable Rust: the compiler of ci/toolchain, gcc also for 32 bits, nanopb, valgrind, Python with
# protobuf, and Messi's own peers of all three generations of the wire, built from PyPI into INTEROP_DIR. Sourced it also
# says where they are, and that no test may be skipped for want of them. MESSI_VENV names the place of the virtual
# environment.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
missing=()
probe=$(mktemp --suffix .c)
echo '#include <pb_decode.h>' >"$probe"
command -v gcc >/dev/null && gcc -fsyntax-only "$probe" 2>/dev/null || missing+=(gcc libc6-dev libnanopb-dev)
command -v g++ >/dev/null || missing+=(g++)
echo '#include <stdio.h>' >"$probe"
gcc -m32 -fsyntax-only "$probe" 2>/dev/null || missing+=(gcc-multilib)
rm "$probe"
command -v valgrind >/dev/null || missing+=(valgrind)
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
if [ ${#missing[@]} -ne 0 ]; then
    # Where this is not possible, the tests say what they lack.
    apt-get update && apt-get install -y "${missing[@]}" || echo "could not install: ${missing[*]}"
fi
MESSI_VENV=${MESSI_VENV:-${TMPDIR:-/tmp}/messi-venv}
if ! "$MESSI_VENV/bin/python3" -c 'import google.protobuf, grpc_tools, mypy' 2>/dev/null; then
    python3 -m venv "$MESSI_VENV"
    "$MESSI_VENV/bin/pip" install --quiet protobuf grpcio-tools mypy types-protobuf
fi
# The messages of tests/ui are those of one series of compilers.
series=$(cat ci/toolchain)
has_series() {
    for name in $(rustup toolchain list | cut -d' ' -f1); do
        rustup run "$name" rustc --version 2>/dev/null | grep -qF "rustc $series." && return
    done
    return 1
}
has_series || rustup toolchain install "$series" --profile minimal || echo "could not install: rustc $series"
tests/interop/setup.sh
tests/interop/setup-v1.sh
export PATH="$MESSI_VENV/bin:$PATH"
export NOTHING_SKIPPED=1
