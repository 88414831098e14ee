"""What both sides of the bank scenario compute."""

import os

from messi_runtime import Wire

WIRE = Wire(os.environ.get("WIRE", "v2"))
"""The framing, as for the other peers: `WIRE=v1a` or `WIRE=v1b` picks an older one."""


def fill(size: int, seed: int) -> bytes:
    """Bytes that begin with `seed` and go up by 31."""
    period = bytes((seed + 31 * i) % 256 for i in range(256))
    return (period * (size // 256 + 1))[:size]


def fnv(data: bytes) -> int:
    """FNV-1a of 32 bits."""
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value
