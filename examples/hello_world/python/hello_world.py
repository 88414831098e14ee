"""The least that can be said over the network: a client says its name, and is greeted.

Both in one program, which ends by itself; `hello_world.py server URI` and `hello_world.py client URI` are one each.
"""

from __future__ import annotations

import asyncio
import sys

import hello_world_pb2
from hello_world_client import HelloWorldClient
from hello_world_server import HelloWorldServer, RemoteClient


class Server(HelloWorldServer):
    """Greets whoever says hello."""

    async def on_hello(self, client: RemoteClient, message: hello_world_pb2.Hello) -> None:
        self.init_greeting().text = f"Hello, {message.name}!"
        self.reply()


class Client(HelloWorldClient):
    """Says hello and waits for the greeting."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self.greeted = asyncio.Event()

    async def on_connected(self) -> None:
        self.init_hello().name = "world"
        self.send()

    async def on_greeting(self, message: hello_world_pb2.Greeting) -> None:
        print(message.text)
        self.greeted.set()


async def serve(uri: str) -> None:
    """Listens until it is interrupted."""
    async with Server(uri) as server:
        print(f"listening at port {server.addresses[0][1]}", flush=True)
        await server.serve_forever()


async def visit(uri: str) -> None:
    """Is greeted once."""
    async with Client(uri) as client:
        await client.greeted.wait()


async def both() -> None:
    """A server, and a client that visits it."""
    async with Server("tcp://127.0.0.1:0") as server:
        await visit(f"tcp://127.0.0.1:{server.addresses[0][1]}")


def main(arguments: list[str]) -> None:
    """Does what the arguments say."""
    if not arguments:
        asyncio.run(both())
    elif len(arguments) == 2 and arguments[0] in ("server", "client"):
        asyncio.run(serve(arguments[1]) if arguments[0] == "server" else visit(arguments[1]))
    else:
        sys.exit("usage: hello_world.py [server URI | client URI]")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        pass
