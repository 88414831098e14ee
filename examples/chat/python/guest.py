"""A guest: says what is typed, and prints what it hears. `guest.py URI NAME`."""

from __future__ import annotations

import asyncio
import sys
import threading

import chat_pb2
from chat_client import ChatClient


def printable(text: str) -> str:
    """Whatever others send must not move the cursor, or worse."""
    return "".join(character for character in text if character.isprintable())


class Guest(ChatClient):
    """Enters again by itself when the room was closed for a while."""

    def __init__(self, uri: str, name: str) -> None:
        super().__init__(uri)
        self.name = name

    def hear(self, text: str) -> None:
        """Prints a line."""
        print(self.name, "|", printable(text), flush=True)

    async def on_connected(self) -> None:
        self.init_enter().name = self.name
        self.send()

    async def on_disconnected(self) -> None:
        self.hear(f"({self.disconnect_reason} Connecting again.)")

    async def on_welcome(self, message: chat_pb2.Welcome) -> None:
        for name in message.guests:
            self.hear(f"{name} is here")

    async def on_entered(self, message: chat_pb2.Entered) -> None:
        self.hear(f"{message.name} is here")

    async def on_said(self, message: chat_pb2.Said) -> None:
        self.hear(f"{message.name}: {message.text}")

    async def on_left(self, message: chat_pb2.Left) -> None:
        self.hear(f"{message.name} has left")

    def say(self, text: str) -> None:
        """Says something, if there is a connection."""
        self.init_say().text = text
        if not self.send():
            self.hear("(nobody hears you)")


def type_into(lines: asyncio.Queue[str | None], loop: asyncio.AbstractEventLoop) -> None:
    """Puts each line that is typed into the queue, then the end."""
    for line in sys.stdin:
        loop.call_soon_threadsafe(lines.put_nowait, line.rstrip("\n"))
    loop.call_soon_threadsafe(lines.put_nowait, None)


async def main(uri: str, name: str) -> None:
    """Stays until the end of what is typed."""
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    # A read of the keyboard cannot be cancelled, so it must not keep the program from its end.
    threading.Thread(target=type_into, args=(lines, asyncio.get_running_loop()), daemon=True).start()
    async with Guest(uri, name) as guest:
        while (line := await lines.get()) is not None:
            guest.say(line)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: guest.py URI NAME")
    try:
        asyncio.run(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        pass
