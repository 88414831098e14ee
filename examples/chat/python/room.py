"""The room: repeats to all guests what one of them says. `room.py [URI]`."""

from __future__ import annotations

import asyncio
import logging
import sys

import chat_pb2
from chat_server import ChatServer, DisconnectReason, RemoteClient


class Room(ChatServer):
    """Guests are those clients that have said who they are."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self.guests: dict[RemoteClient, str] = {}

    async def on_enter(self, client: RemoteClient, message: chat_pb2.Enter) -> None:
        self.init_welcome().guests.extend(self.guests.values())
        self.reply()
        self.guests[client] = message.name
        self.init_entered().name = message.name
        self.tell_all()

    async def on_say(self, client: RemoteClient, message: chat_pb2.Say) -> None:
        if client in self.guests:
            said = self.init_said()
            said.name = self.guests[client]
            said.text = message.text
            self.tell_all()

    async def on_client_disconnected(self, client: RemoteClient, reason: DisconnectReason) -> None:
        name = self.guests.pop(client, None)
        if name is not None:
            self.init_left().name = name
            self.tell_all()

    def tell_all(self) -> None:
        """Sends the prepared message to all who have entered: `broadcast` would reach the others, too."""
        for guest in self.guests:
            self.send(guest)


async def main(uri: str) -> None:
    """Keeps the room open until it is interrupted."""
    async with Room(uri) as room:
        print(f"the room is open at port {room.addresses[0][1]}; end it with Ctrl-C", flush=True)
        await room.serve_forever()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    try:
        asyncio.run(main(*sys.argv[1:] or ["tcp://127.0.0.1:4000"]))
    except KeyboardInterrupt:
        pass
