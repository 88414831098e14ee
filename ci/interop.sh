#!/usr/bin/env bash
# The bank example against Messi's own programs: our server and their C and Python clients, our client and their C
# server, in all three generations of the wire. Builds the peers from PyPI, less than a minute, into INTEROP_DIR.
set -euo pipefail
cd "$(dirname "$0")/.."
missing=()
command -v "${CC:-gcc}" >/dev/null || missing+=(gcc libc6-dev)
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
if [ ${#missing[@]} -ne 0 ]; then
    # Where this is not possible, the setup below says what it lacks.
    apt-get update && apt-get install -y "${missing[@]}" || echo "could not install: ${missing[*]}"
fi
tests/interop/setup.sh
tests/interop/setup-v1.sh
INTEROP_REQUIRED=1 cargo test --features messi --test interop -- --nocapture
