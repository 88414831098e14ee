#!/usr/bin/env bash
# The README as a newcomer meets it: a new crate beside the repository gets the lines of "Install" and the program of "Quick
# start", which runs; then every other line of its shell blocks runs, in their order. What is published nowhere yet comes
# from this checkout.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
outside=$(mktemp -d)
trap 'rm -rf "$outside"' EXIT
export PATH="$outside/bin:$PATH" CARGO_TARGET_DIR=$root/target/published

# Prints the blocks of one language, without comments at the ends of lines.
blocks() { awk -v lang="$1" '$0 == "```" lang && !(first && n++) { inside = 1; next } /^```/ { inside = 0 } inside' first="${2:-}" README.md; }

step() {
    echo "--- $1"
    case $1 in
        "cargo add rust_messenger") cargo add --quiet rust_messenger --path "$root" ;;
        "cargo add "*) eval "$1 --quiet" ;;
        "cargo install --path "*) (cd "$root" && eval "$1 --quiet --debug --locked --root $outside") ;;
        "cargo run --example persistent_replay -- "*)
            # It goes on until somebody ends it.
            local journal=$PWD/${1##* } said=
            (cd "$root" && cargo build --quiet --example persistent_replay)
            exec 3< <(exec "$CARGO_TARGET_DIR/debug/examples/persistent_replay" "$journal")
            local writer=$!
            while [[ $said != *"total 5"* ]]; do read -rt 60 said <&3; done
            kill "$writer"
            ;;
        *" follow "*) timeout 3 bash -c "$1" || [ $? -eq 124 ] ;;
        # There is no terminal here. And the name is for processes of users.
        "rmsg top /dev/shm/"*) step "rmsg top --once $outside/${1##*/}" ;;
        "rmsg "*" /dev/shm/"*) step "${1%/dev/shm/*}$outside/${1##*/}" ;;
        *) bash -o pipefail -c "$1" ;;
    esac
}

cd "$outside"
cargo new --quiet demo
cd demo
cp "$root/examples/chat/chat.proto" .
mkdir src/bin
cat >src/bin/ring.rs <<'END'
use rust_messenger::traits::{MessageBus, Publish};
use rust_messenger::{CircularBus, NamedOptions};

fn main() {
    let path = std::env::args().nth(1).unwrap();
    let bus = CircularBus::create(path, NamedOptions::default()).unwrap();
    bus.writer().unwrap().write_bytes(1, 2, b"hello").unwrap();
}
END
lines=$(cd "$root" && blocks sh | sed 's/ *#.*//; /^$/d')
[ "$(wc -l <<<"$lines")" -gt 10 ]
ran=
while IFS= read -r line; do
    case $line in
        "cargo add "*) ;;
        *)
            if [ -z "$ran" ]; then
                (cd "$root" && blocks rust first) >src/main.rs
                echo "--- cargo run, with the program of the README"
                timeout 300 cargo run --quiet --bin demo
                cargo run --quiet --bin ring "$outside/orders.ring"
                ran=yes
            fi
            ;;
    esac
    step "$line"
done <<<"$lines"
[ -s bank.svg ] && [ -s chat.rs ] && [ -s chat_client.py ] && [ -s chat_client.c ]
echo "the first minutes took $SECONDS s"
