#!/usr/bin/env bash
# `source ci/obtain.sh`: what a script needs and does not find is installed where CI=true, as `.ci/run` has it. On any
# other machine its owner is told how to get it, and the script fails: nothing is installed there unasked.

# CI runs two scripts at a time, and neither rustup nor pip is made for that.
one_at_a_time() {
    mkdir -p target
    (flock 9 && "$@") 9>target/obtain.lock
}

# obtain WHAT COMMAND..: WHAT is missing, and COMMAND would install it.
obtain() {
    if [ "${CI:-}" = true ]; then
        echo "installing $1: ${*:2}"
        one_at_a_time "${@:2}"
    else
        echo "missing: $1. To install it: ${*:2}" >&2
        return 1
    fi
}

# The toolchain NAME, and components of it.
obtain_toolchain() {
    rustup run "$1" rustc --version >/dev/null 2>&1 ||
        obtain "Rust $1" rustup toolchain install "$1" --profile minimal
    local component
    for component in "${@:2}"; do
        rustup component list --toolchain "$1" --installed | grep -q "^$component\b" ||
            obtain "$component of Rust $1" rustup component add --toolchain "$1" "$component"
    done
}

# The standard library of stable Rust for TARGET.
obtain_target() {
    rustup target list --installed | grep -qx "$1" || obtain "Rust for $1" rustup target add "$1"
}

# Packages of the system.
obtain_packages() {
    local root=()
    [ "$(id -u)" -eq 0 ] || root=(sudo)
    [ "${CI:-}" != true ] || one_at_a_time "${root[@]}" apt-get update || true
    obtain "$*" "${root[@]}" apt-get install -y "$@"
}
