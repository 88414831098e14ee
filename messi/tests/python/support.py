"""What the tests have in common: peers that are bare sockets, and waiting for a state."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import unittest
from typing import Any, Awaitable, Callable

import bank_pb2
from bank_client import BankClient, DisconnectReason
from bank_server import BankServer, RemoteClient

PATIENCE = 120.0
"""How many seconds anything may take on a slow machine."""


def frame(kind: int, payload: bytes = b"") -> bytes:
    """A frame of the current wire, made by hand."""
    return struct.pack(">I", kind << 24 | len(payload)) + payload


def request(**member: Any) -> bytes:
    """A frame with a message of a client."""
    return frame(1, bank_pb2.ClientToServer(**member).SerializeToString())


def answer(**member: Any) -> bytes:
    """A frame with a message of a server."""
    return frame(2, bank_pb2.ServerToClient(**member).SerializeToString())


PING = frame(3)
PONG = frame(4)
NOP_REQ = request(nop_req={})
NOP_RSP = answer(nop_rsp={})


class Peer:
    """The other end, as bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def write(self, data: bytes) -> None:
        """Sends these bytes."""
        self.writer.write(data)

    async def read_frame(self) -> tuple[int, bytes]:
        """The next frame."""
        (word,) = struct.unpack(">I", await within(self.reader.readexactly(4)))
        return word >> 24, await within(self.reader.readexactly(word & 0xFFFFFF))

    async def read_message(self) -> Any:
        """The next message, past pings and pongs."""
        while True:
            kind, payload = await self.read_frame()
            if kind in (1, 2):
                root = bank_pb2.ClientToServer if kind == 1 else bank_pb2.ServerToClient
                message = root.FromString(payload)
                return getattr(message, message.WhichOneof("messages"))

    async def read_end(self) -> bytes:
        """All that comes until the end, however it comes, to which it answers with its own."""
        data = bytearray()
        try:
            while True:
                piece = await within(self.reader.read(1 << 16))
                if not piece:
                    break
                data += piece
        except ConnectionError:
            pass
        self.close()
        return bytes(data)

    def close(self) -> None:
        """Closes the connection."""
        self.writer.close()


PEERS: list[Peer] = []
"""All that are connected: one that nobody holds would be closed."""


async def connect(port: int, host: str = "127.0.0.1") -> Peer:
    """A client that is bare, until the end of the test."""
    PEERS.append(Peer(*await within(asyncio.open_connection(host, port))))
    return PEERS[-1]


async def within(awaitable: Awaitable[Any]) -> Any:
    """Awaits something that must come."""
    return await asyncio.wait_for(awaitable, PATIENCE)


async def until(state: Callable[[], Any]) -> None:
    """Waits for a state that must come."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not state():
        assert asyncio.get_running_loop().time() < deadline, "what was waited for did not come"
        await asyncio.sleep(0.002)


def stand_still(loop: asyncio.AbstractEventLoop) -> None:
    """Lets the loop's time stand still while the process does, for longer than a quarter of a second: otherwise whoever
    was to write meanwhile would be late, and its peer has clocks."""
    real = loop.time
    now = last = real()

    def time() -> float:
        nonlocal now, last
        current = real()
        now, last = now + min(current - last, 0.25), current
        return now

    loop.time = time  # type: ignore[method-assign]


def silent_port() -> tuple[socket.socket, int]:
    """A port at which nobody listens, as long as the socket lives."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    return taken, taken.getsockname()[1]


class Customer(BankClient):
    """A client that keeps what happens to it."""

    def __init__(self, port: int, host: str = "127.0.0.1", **options: Any) -> None:
        # A bare peer does not answer pings.
        options = {"reconnect": 0.0, "keep_alive_interval": None, **options}
        super().__init__(f"tcp://{host}:{port}", **options)
        self.events: list[Any] = []

    async def on_connected(self) -> None:
        self.events.append("connected")

    async def on_disconnected(self) -> None:
        self.events.append(self.disconnect_reason)

    async def keep(self, message: Any) -> None:
        """Keeps a message."""
        self.events.append(message)

    on_open_rsp = on_join_ind = on_statement_rsp = on_upload_rsp = on_download_rsp = keep
    on_audit_req = on_audit_done_ind = on_shout_ind = on_nop_rsp = on_kick_rsp = on_close_rsp = keep

    def nop(self) -> bool:
        """Sends the smallest of messages."""
        self.init_nop_req()
        return self.send()


class Bank(BankServer):
    """A server that keeps what happens to it, and answers some."""

    def __init__(self, uri: str = "tcp://127.0.0.1:0", **options: Any) -> None:
        # A bare peer does not ping.
        super().__init__(uri, **{"keep_alive_timeout": None, **options})
        self.events: list[Any] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.addresses[0][1]

    def reasons(self) -> list[DisconnectReason]:
        """Why clients were disconnected."""
        return [event for event in self.events if isinstance(event, DisconnectReason)]

    async def on_client_connected(self, client: RemoteClient) -> None:
        self.events.append("connected")

    async def on_client_disconnected(self, client: RemoteClient, reason: DisconnectReason) -> None:
        self.events.append(reason)

    async def on_nop_req(self, client: RemoteClient, message: bank_pb2.NopReq) -> None:
        self.init_nop_rsp()
        self.reply()

    async def on_kick_req(self, client: RemoteClient, message: bank_pb2.KickReq) -> None:
        self.init_kick_rsp()
        self.reply()
        self.disconnect()

    async def on_shout_req(self, client: RemoteClient, message: bank_pb2.ShoutReq) -> None:
        self.events.append(message.text)
        self.init_shout_ind().text = message.text
        self.broadcast()

    async def on_download_req(self, client: RemoteClient, message: bank_pb2.DownloadReq) -> None:
        self.init_download_rsp().data = bytes(message.size)
        self.reply()


class AsyncTest(unittest.IsolatedAsyncioTestCase):
    """A test at whose end nothing is left, and of which nothing was logged that it did not ask for."""

    def setUp(self) -> None:
        self.errors: list[str] = []
        self.loop_errors: list[Any] = []
        handler = logging.Handler(logging.WARNING)
        handler.emit = lambda record: self.errors.append(record.getMessage())  # type: ignore[method-assign]
        logger = logging.getLogger("messi_runtime")
        logger.addHandler(handler)
        logger.propagate = False
        self.addCleanup(logger.removeHandler, handler)

    async def asyncSetUp(self) -> None:
        self.listeners: list[Any] = []
        self.ends: list[Callable[[], Awaitable[None]]] = []
        loop = asyncio.get_running_loop()
        stand_still(loop)
        # It makes every task many times slower.
        loop.set_debug(False)
        loop.set_exception_handler(lambda _, context: self.loop_errors.append(context))
        # A test that hangs says where, rather than being killed from outside.
        self.watchdog = loop.call_later(4 * PATIENCE, self.give_up, asyncio.current_task())

    def give_up(self, task: Any) -> None:
        """Ends a test that never ends."""
        task.print_stack()
        task.cancel()

    async def asyncTearDown(self) -> None:
        while PEERS:
            PEERS.pop().close()
        for end in self.ends:
            await within(end())
        for listener in self.listeners:
            listener.close()
        await until(lambda: asyncio.all_tasks() == {asyncio.current_task()} or self.only_ours())
        self.watchdog.cancel()
        self.assertEqual(self.loop_errors, [])
        self.assertEqual(self.errors, [])

    def only_ours(self) -> bool:
        """Whether the tasks that are left are those of unittest."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        return all("messi_runtime" not in repr(task.get_coro()) + repr(task.get_stack()) for task in tasks)

    def logged(self, text: str) -> None:
        """This was logged, and that is right."""
        found = [error for error in self.errors if text in error]
        self.assertEqual(len(found), 1, self.errors)
        self.errors.remove(found[0])

    def client(self, port: int, kind: type = Customer, **options: Any) -> Any:
        """A client that is stopped at the end of the test."""
        client = kind(port, **options)
        self.ends.append(client.stop)
        return client

    async def server(self, kind: type = Bank, **options: Any) -> Any:
        """A server that listens until the end of the test."""
        server = kind(**options)
        self.ends.append(server.stop)
        await within(server.start())
        return server

    async def listen(self, serve: Callable[[Peer, int], Awaitable[None]], host: str = "127.0.0.1") -> int:
        """A server that is bare: `serve` is called with each connection and its number. Returns its port."""
        count = 0
        peers: list[Peer] = []

        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal count
            count += 1
            peer = Peer(reader, writer)
            peers.append(peer)
            try:
                await serve(peer, count)
            except (asyncio.IncompleteReadError, ConnectionError):
                # What it was to do ended with the connection.
                pass
            except Exception as error:
                self.loop_errors.append(error)

        async def close() -> None:
            for peer in peers:
                peer.close()

        listener = await asyncio.start_server(accepted, host, 0)
        self.listeners.append(listener)
        self.ends.append(close)
        return int(listener.sockets[0].getsockname()[1])
