"""A visitor: brings what is typed, and stays for the day. `visitor.py URI NAME`."""

from __future__ import annotations

import asyncio
import sys

import open_day_pb2
from open_day_client import OpenDayClient


class Visitor(OpenDayClient):
    """Counts what it hears, and compares that with what is said at the end."""

    def __init__(self, uri: str, name: str, lines: list[str]) -> None:
        super().__init__(uri)
        self.name = name
        self.lines = lines
        self.heard = [0, 0]
        self.over: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def on_connected(self) -> None:
        bring = self.init_bring()
        bring.name = self.name
        bring.lines.extend(self.lines)
        self.send()

    async def on_measured(self, message: open_day_pb2.Measured) -> None:
        self.heard[0] += 1

    async def on_denied(self, message: open_day_pb2.Denied) -> None:
        self.heard[1] += 1

    async def on_day(self, message: open_day_pb2.Day) -> None:
        print(
            f"{self.name} | {message.readings} readings, {message.garbled} garbled; "
            f"{message.orders} orders, {message.refused} refused, {message.done} done",
            flush=True,
        )
        self.over.set_result(self.heard == [message.readings, message.refused])


async def main(uri: str, name: str) -> int:
    """Whether it heard all that was said."""
    lines = sys.stdin.read().splitlines()
    async with Visitor(uri, name, lines) as visitor:
        return 0 if await visitor.over else 1


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: visitor.py URI NAME")
    sys.exit(asyncio.run(main(*sys.argv[1:])))
