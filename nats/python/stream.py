"""Reads and writes what stands in a node's stream: docs/nats.md, byte by byte. No packages.

As a program it reads lines, and writes each anew from what it has understood: `subject TEXT`, `name TEXT`,
`Rm-Message VALUE` and `Rm-Hello VALUE`. What it refuses becomes `error`.
"""

import re
import sys
from typing import NamedTuple, Optional

PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
MAX_POSITION = 1 << 59


def escape(name: str) -> str:
    return "".join(chr(b) if b in PLAIN else f"={b:02X}" for b in name.encode()) or "="


def unescape(token: str) -> str:
    if token == "=":
        return ""
    name = re.sub(b"=([0-9A-F]{2})", lambda m: bytes([int(m[1], 16)]), token.encode()).decode()
    if not name or escape(name) != token:
        raise ValueError(f"{token!r} is no token")
    return name


class Origin(NamedTuple):
    journal: bool
    incarnation: int
    bridge: int

    def write(self) -> str:
        return f"1 {'j' if self.journal else 'r'} {self.incarnation:016x} {self.bridge:016x}"


class Message(NamedTuple):
    origin: Origin
    position: int
    previous: Optional[int]
    time: Optional[int]
    cause: Optional[int]
    source: int
    message: int
    little: bool
    size: int
    align: int
    shape: Optional[int]
    codec: str

    def write(self) -> str:
        order = "le" if self.little else "be"
        shape = "-" if self.shape is None else f"{self.shape:016x}"
        fields = [self.origin.write(), self.position, *map(dash, (self.previous, self.time, self.cause))]
        fields += [self.source, self.message, order, self.size, self.align, shape, escape(self.codec)]
        return " ".join(map(str, fields))


class Hello(NamedTuple):
    origin: Origin
    after: Optional[int]
    time: int
    before: Optional[tuple[int, Optional[int]]]

    def write(self) -> str:
        before = "- -" if self.before is None else f"{self.before[0]:016x} {dash(self.before[1])}"
        return f"{self.origin.write()} {dash(self.after)} {self.time} {before}"


def dash(number: Optional[int]) -> str:
    return "-" if number is None else str(number)


def number(field: str, below: int = 1 << 64) -> int:
    if not re.fullmatch("0|[1-9][0-9]*", field) or int(field) >= below:
        raise ValueError(field)
    return int(field)


def word(field: str) -> int:
    if not re.fullmatch("[0-9a-f]{16}", field):
        raise ValueError(field)
    return int(field, 16)


def position(field: str) -> int:
    if number(field, MAX_POSITION) % 16:
        raise ValueError(field)
    return int(field)


def optional(read, field: str):
    return None if field == "-" else read(field)


def read_origin(fields: list[str]) -> Origin:
    if fields[0] != "1":
        raise ValueError("another version")
    return Origin({"j": True, "r": False}[fields[1]], word(fields[2]), word(fields[3]))


def read_message(value: str) -> Message:
    fields = value.split(" ")
    at, previous, time, cause, source, message, order, size, align, shape, codec = fields[4:]
    read = Message(
        read_origin(fields), position(at), optional(position, previous), optional(number, time),
        optional(position, cause), number(source, 1 << 16), number(message, 1 << 16), {"le": True, "be": False}[order],
        number(size), number(align), optional(word, shape), unescape(codec),
    )
    if read.cause == 0 or max(read.cause or -1, -1 if read.previous is None else read.previous) >= read.position:
        raise ValueError("a cause or a message before it that comes after it")
    return read


def read_hello(value: str) -> Hello:
    fields = value.split(" ")
    after, time, incarnation, reached = fields[4:]
    before = None if (incarnation, reached) == ("-", "-") else (word(incarnation), optional(position, reached))
    return Hello(read_origin(fields), optional(position, after), number(time), before)


def again(line: str) -> str:
    kind, _, text = line.partition(" ")
    if kind == "name":
        return unescape(escape(text)) and escape(text)
    if kind == "subject":
        return ".".join(escape(unescape(token)) if token != "$hello" else token for token in text.split("."))
    return {"Rm-Message": read_message, "Rm-Hello": read_hello}[kind](text).write()


if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8", newline="\n")
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    for line in sys.stdin:
        try:
            print(again(line.removesuffix("\n")))
        except (ValueError, KeyError):
            print("error")
