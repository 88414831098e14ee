"""A guest: says what is typed, and prints what it hears. `guest.py NAME [URI]`."""

from __future__ import annotations

import asyncio
import sys
import threading

import chat_pb2
from chat_client import ChatClient


def hear(text: str) -> None:
    """Prints a line. Whatever others send must not move the cursor, or worse."""
    print("".join(character for character in text if character.isprintable()), flush=True)


class Guest(ChatClient):
    """Enters again by itself when the room was closed for a while."""

    def __init__(self, name: str, uri: str) -> None:
        super().__init__(uri)
        self.name = name

    async def on_connected(self) -> None:
        self.init_enter().name = self.name
        self.send()

    async def on_disconnected(self) -> None:
        hear(f"({self.disconnect_reason})")

    async def on_welcome(self, message: chat_pb2.Welcome) -> None:
        for name in message.guests:
            hear(f"{name} is here")

    async def on_entered(self, message: chat_pb2.Entered) -> None:
        hear(f"{message.name} is here")

    async def on_said(self, message: chat_pb2.Said) -> None:
        hear(f"{message.name}: {message.text}")

    async def on_left(self, message: chat_pb2.Left) -> None:
        hear(f"{message.name} has left")

    def say(self, text: str) -> None:
        """Says something, if there is a connection."""
        self.init_say().text = text
        if not self.send():
            hear("(nobody hears you)")


def type_into(lines: asyncio.Queue[str | None], loop: asyncio.AbstractEventLoop) -> None:
    """Puts each line that is typed into the queue, then the end."""
    for line in sys.stdin:
        loop.call_soon_threadsafe(lines.put_nowait, line.rstrip("\n"))
    loop.call_soon_threadsafe(lines.put_nowait, None)


async def main(name: str, uri: str = "tcp://127.0.0.1:4000") -> None:
    """Stays until the end of what is typed."""
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    # A read of the keyboard cannot be cancelled, so it must not keep the program from its end.
    threading.Thread(target=type_into, args=(lines, asyncio.get_running_loop()), daemon=True).start()
    async with Guest(name, uri) as guest:
        while (line := await lines.get()) is not None:
            guest.say(line)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: guest.py NAME [URI]")
    try:
        asyncio.run(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        pass
