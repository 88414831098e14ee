#!/usr/bin/env bash
# shellcheck disable=SC2016,SC2054 # Commas are of -Wl, backticks of Markdown.
# The size of a client in C of a protocol of two messages, ours without malloc and Messi's own: same compiler, same
# flags, all run times counted, nothing but what the program uses. Prints a table in Markdown.
#
#   NANOPB=DIR messi/benches/size.sh       DIR: the source of nanopb 0.4, as of `apt-get source nanopb`
#
# Messi's generator and run time are those of tests/interop/setup.sh.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
interop=${INTEROP_DIR:-/tmp/messi-interop}
nanopb=${NANOPB:?the directory of the source of nanopb}
messi=${MESSI:-$here/../../target/debug/messi}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags=(-Os -ffunction-sections -fdata-sections -Wl,--gc-sections -fno-asynchronous-unwind-tables)

mkdir "$work/ours" "$work/theirs"
sed 's|// IMPORT|import "nanopb.proto";|; s|; // OPTIONS| [(nanopb).max_size = 16];|' "$here/size/sensor.proto" \
    > "$work/ours/sensor.proto"
sed '/IMPORT/d; s| // OPTIONS||' "$here/size/sensor.proto" > "$work/theirs/sensor.proto"
(cd "$work/ours" && "$messi" generate_c_source -s client sensor.proto && rm -f nanopb.pb.*)
cp "$interop"/rt/messi/c_source/messi.[ch] "$work/theirs"
(cd "$work/theirs" \
    && PYTHONPATH=$interop/cgen "$interop/venv/bin/python" -m messi generate_c_source -s client sensor.proto)
echo 'int main(void) { return 0; }' > "$work/empty.c"

text() { # options, sources: bytes of code and constants beyond those of an empty program
    "${CC:-gcc}" "${flags[@]}" "$1" "$work/empty.c" -o "$work/empty"
    "${CC:-gcc}" "${flags[@]}" "$@" -o "$work/program"
    size "$work/empty" "$work/program" | awk 'NR == 2 { empty = $1 + $2 } NR == 3 { print $1 + $2 - empty }'
}

ram() { # options: bytes of the client's struct
    printf '#include "sensor_client.h"\nchar client[sizeof(struct sensor_client_t)];\n' > "$work/ram.c"
    "${CC:-gcc}" "$@" -c "$work/ram.c" -o "$work/ram.o"
    echo $((16#$(nm -S "$work/ram.o" | awk '/client/ { print $2 }')))
}

echo '| client in C, two messages, `-Os` | code and constants, bytes | struct, bytes |'
echo '| --- | --- | --- |'
for bits in -m64 -m32; do
    ours=("$bits" -DMESSI_PB_NO_MALLOC -DMESSI_NO_V1 -DMESSI_HOST_SIZE=16 "-I$work/ours" "-I$nanopb")
    theirs=("$bits" -DMESSI_OWN "-I$work/theirs")
    printf '| ours, %s bits, `MESSI_PB_NO_MALLOC` | %s | %s |\n' "${bits#-m}" \
        "$(text "${ours[@]}" "$here/size/main.c" "$work"/ours/*.c "$nanopb"/pb_{common,encode,decode}.c)" \
        "$(ram "${ours[@]}")"
    printf '| Messi, %s bits | %s | %s |\n' "${bits#-m}" \
        "$(text "${theirs[@]}" "$here/size/main.c" "$work"/theirs/*.c)" "$(ram "${theirs[@]}")"
done
