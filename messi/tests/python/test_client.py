"""Clients and peers that are bare sockets."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import unittest
from typing import Any
from unittest import mock

import bank_client
import bank_pb2
import messi_runtime
from bank_client import (
    Backoff,
    BankClient,
    DisconnectReason,
    MessageTooBigError,
    NotPreparedError,
    Settings,
    Wire,
    parse_tcp_uri,
)
from messi_runtime import Side
from support import (
    NOP_REQ,
    NOP_RSP,
    PATIENCE,
    PONG,
    AsyncTest,
    Customer,
    Peer,
    answer,
    frame,
    request,
    silent_port,
    until,
    within,
)

OPEN_REQ = request(open_req={"owner": "Erik"})
OPEN_RSP = answer(open_rsp={"account_id": 1})
SOON = 0.05
"""A time in seconds that stands for one that is long."""


class Opener(Customer):
    """Opens an account when it is connected."""

    async def on_connected(self) -> None:
        await super().on_connected()
        self.init_open_req().owner = "Erik"
        self.send()

    @property
    def opened(self) -> int:
        """How many accounts were opened."""
        return sum(isinstance(event, bank_pb2.OpenRsp) for event in self.events)


class LifeTest(AsyncTest):
    """Connecting, staying connected, connecting again."""

    async def test_connects_and_is_disconnected(self) -> None:
        async def serve(peer: Peer, count: int) -> None:
            self.assertEqual(await within(peer.reader.readexactly(len(OPEN_REQ))), OPEN_REQ)
            peer.write(OPEN_RSP)
            peer.close()

        client = self.client(await self.listen(serve), Opener, reconnect=None)
        client.start()
        await until(lambda: len(client.events) == 3)
        expected = ["connected", bank_pb2.OpenRsp(account_id=1), DisconnectReason.CONNECTION_CLOSED]
        self.assertEqual(client.events, expected)
        self.assertFalse(client.is_connected)
        self.assertFalse(client.nop())

    async def test_pings_and_stays(self) -> None:
        pings = 0

        async def serve(peer: Peer, count: int) -> None:
            nonlocal pings
            while pings < 3:
                self.assertEqual(await peer.read_frame(), (3, b""))
                pings += 1
                peer.write(PONG)
            peer.write(OPEN_RSP)

        # Long enough for the answer of a machine that is busy with something else.
        client = self.client(await self.listen(serve), Opener, keep_alive_interval=1)
        with mock.patch.object(Opener, "on_connected", Customer.on_connected):
            client.start()
            await until(lambda: client.opened)
        self.assertEqual(client.events[0], "connected")
        self.assertEqual(len(client.events), 2)

    async def test_connects_again_when_a_pong_is_missing(self) -> None:
        async def serve(peer: Peer, count: int) -> None:
            self.assertIsInstance(await peer.read_message(), bank_pb2.OpenReq)
            if count == 2:
                peer.write(OPEN_RSP)

        client = self.client(await self.listen(serve), Opener, keep_alive_interval=SOON)
        client.start()
        await until(lambda: client.opened)
        expected = ["connected", DisconnectReason.KEEP_ALIVE_TIMEOUT, "connected"]
        self.assertEqual(client.events[:3], expected)

    async def test_a_partial_frame_does_not_outlive_its_connection(self) -> None:
        async def serve(peer: Peer, count: int) -> None:
            if count < 20:
                peer.write(OPEN_RSP[:count % len(OPEN_RSP)])
                peer.close()
            else:
                peer.write(OPEN_RSP)

        client = self.client(await self.listen(serve))
        client.start()
        await until(lambda: client.is_connected and isinstance(client.events[-1], bank_pb2.OpenRsp))
        self.assertEqual(client.events[:-1], ["connected", DisconnectReason.CONNECTION_CLOSED] * 19 + ["connected"])

    async def test_what_it_does_with_frames(self) -> None:
        for data, expected in [
            (frame(2, b"\xff\xff"), DisconnectReason.MESSAGE_DECODE_ERROR),
            (b"\x02\x10\x00\x00", DisconnectReason.MESSAGE_TOO_BIG),
            # Unknown types, those of the wrong direction, nothing and unknown members are ignored.
            (frame(9, b"abc") + frame(1, b"abc") + frame(3) + frame(2) + frame(2, b"\xfa\x7f\x01x"), None),
        ]:
            with self.subTest(data=data):

                async def serve(peer: Peer, count: int, data: bytes = data) -> None:
                    peer.write(OPEN_RSP + data + NOP_RSP)

                client = self.client(await self.listen(serve), reconnect=None)
                client.start()
                await until(lambda client=client: len(client.events) == 3)
                self.assertEqual(client.events[1], bank_pb2.OpenRsp(account_id=1))
                self.assertEqual(client.events[2], expected or bank_pb2.NopRsp())

    async def test_backoff(self) -> None:
        self.assertEqual([Backoff().limit(n) for n in (0, 1, 2, 8, 9, 10000)], [0.1, 0.2, 0.4, 25.6, 30, 30])
        limits: list[float] = []

        def uniform(low: float, high: float) -> float:
            self.assertEqual(low, 0)
            limits.append(high)
            return 0

        async def serve(peer: Peer, count: int) -> None:
            peer.close()

        with mock.patch("random.uniform", uniform):
            client = self.client(await self.listen(serve), reconnect=Backoff(healthy=3600))
            client.start()
            await until(lambda: len(limits) >= 4)
            await client.stop()
            # A peer that takes us and closes at once is not hammered.
            self.assertEqual(limits[:4], [0.1, 0.2, 0.4, 0.8])
            limits.clear()
            client = self.client(await self.listen(serve), reconnect=Backoff(healthy=0))
            client.start()
            await until(lambda: len(limits) >= 3)
            self.assertEqual(set(limits), {0.1})

    async def test_the_clocks_begin_with_the_connection(self) -> None:
        link = messi_runtime._Link(Side.CLIENT, Settings(keep_alive=1), lambda _: True)
        await asyncio.sleep(0.1)
        transport = mock.create_autospec(asyncio.Transport, instance=True)
        transport.get_write_buffer_size.return_value = 0
        transport.is_closing.return_value = False
        connected = asyncio.get_running_loop().time()
        link.connection_made(transport)
        self.assertGreaterEqual(link._connection.next_deadline(), connected + 1)
        link.abort()
        link.connection_lost(None)

    async def test_tcp_nodelay_is_set(self) -> None:
        async def serve(peer: Peer, count: int) -> None: ...

        client = self.client(await self.listen(serve))
        client.start()
        await until(lambda: client.is_connected)
        sock = client._link._transport.get_extra_info("socket")
        self.assertTrue(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    async def test_names_and_addresses(self) -> None:
        async def serve(peer: Peer, count: int) -> None:
            peer.write(OPEN_RSP)

        client = self.client(await self.listen(serve), host="localhost")
        client.start()
        await until(lambda: len(client.events) == 2)
        try:
            port = await self.listen(serve, "::1")
        except OSError:
            self.skipTest("no IPv6 here")
        client = self.client(port, host="[::1]")
        client.start()
        await until(lambda: len(client.events) == 2)

    async def test_older_wires(self) -> None:
        async def serve(peer: Peer, count: int) -> None:
            got = await within(peer.reader.readexactly(len(OPEN_REQ) + 4))
            self.assertEqual(got, b"\0\0\0\1\0\0\0" + OPEN_REQ[3:])
            peer.write(b"\0\0\0\1\0\0\0" + OPEN_RSP[3:])

        client = self.client(await self.listen(serve), Opener, wire=Wire.V1A)
        client.start()
        await until(lambda: client.opened)


class FailureTest(AsyncTest):
    """Nobody is there."""

    async def fails(self, port: int, kind: type, delay: Any, **options: Any) -> Any:
        """What `on_connect_failure` was called with when it returned `delay`, twice if there is one."""
        failures: list[BaseException] = []

        class Failing(Customer):
            async def on_connect_failure(self, exception: BaseException) -> Any:
                failures.append(exception)
                return delay

        client = self.client(port, Failing, **options)
        client.start()
        await until(lambda: len(failures) >= (1 if delay is None else 2))
        if delay is None:
            await until(lambda: client._task.done())
            self.assertEqual(len(failures), 1)
            # It gave up, and can be asked again.
            client.start()
            await until(lambda: len(failures) == 2)
        await within(client.stop())
        self.assertEqual(client.events, [])
        for failure in failures:
            self.assertIsInstance(failure, kind)

    async def test_connection_refused(self) -> None:
        taken, port = silent_port()
        self.addCleanup(taken.close)
        for delay in (0, None):
            await self.fails(port, ConnectionRefusedError, delay)

    async def test_no_such_name(self) -> None:
        for host in ("nobody.invalid", "x" * 100):
            await self.fails(1, (OSError, UnicodeError), None, host=host)  # type: ignore[arg-type]

    async def test_connect_timeout(self) -> None:
        # A queue that is full takes no connection, and says nothing.
        listener = socket.socket()
        self.addCleanup(listener.close)
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = []
        for _ in range(8):
            filler = socket.socket()
            self.addCleanup(filler.close)
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        for delay in (0, None):
            await self.fails(port, asyncio.TimeoutError, delay, connect_timeout=SOON)

    async def test_a_connection_that_comes_too_late_is_closed(self) -> None:
        ended: list[int] = []

        async def serve(peer: Peer, count: int) -> None:
            await peer.read_end()
            ended.append(count)

        class GivingUp(Customer):
            async def on_connect_failure(self, exception: BaseException) -> None:
                self.events.append(type(exception))

        async def late(*arguments: Any) -> Any:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return await real(*arguments)

        loop = asyncio.get_running_loop()
        real = loop.create_connection
        for stops in (False, True):
            client = self.client(await self.listen(serve), GivingUp, connect_timeout=PATIENCE if stops else SOON)
            with mock.patch.object(loop, "create_connection", late):
                client.start()
                if stops:
                    await asyncio.sleep(0.01)
                    await within(client.stop())
                await until(lambda: ended)
            self.assertEqual(client.events, [] if stops else [asyncio.TimeoutError])
            ended.clear()

    async def test_connects_when_somebody_listens(self) -> None:
        taken, port = silent_port()
        refused = 0

        class Patient(Customer):
            async def on_connect_failure(self, exception: BaseException) -> float:
                nonlocal refused
                refused += 1
                return 0.01

        client = self.client(port, Patient)
        client.start()
        await until(lambda: refused)
        listener = await asyncio.start_server(lambda reader, writer: writer.close(), sock=taken)
        self.listeners.append(listener)
        await until(lambda: client.events)

    async def test_the_default_backs_off(self) -> None:
        taken, port = silent_port()
        self.addCleanup(taken.close)
        client = self.client(port, BankClientAt, reconnect=Backoff())
        delays = []
        with mock.patch("random.uniform", lambda low, high: high):
            for _ in range(3):
                delays.append(await client.on_connect_failure(OSError()))
        self.assertEqual(delays, [0.1, 0.2, 0.4])
        client = self.client(port, BankClientAt, reconnect=1)
        self.assertEqual(await client.on_connect_failure(OSError()), 1)
        client = self.client(port, BankClientAt, reconnect=None)
        self.assertIsNone(await client.on_connect_failure(OSError()))

    async def test_a_failure_that_fails_is_logged_and_does_not_end_it(self) -> None:
        taken, port = silent_port()
        self.addCleanup(taken.close)
        calls = 0

        class Broken(Customer):
            async def on_connect_failure(self, exception: BaseException) -> float:
                nonlocal calls
                calls += 1
                if calls == 1:
                    raise RuntimeError("mine")
                return 3600

        client = self.client(port, Broken)
        client.start()
        await until(lambda: calls == 2)
        self.logged("on_connect_failure failed")


class BankClientAt(BankClient):
    """The generated class itself, at a port."""

    def __init__(self, port: int, **options: Any) -> None:
        super().__init__(f"tcp://127.0.0.1:{port}", **options)


class SendTest(AsyncTest):
    """Messages on their way out."""

    async def test_before_a_message_is_prepared(self) -> None:
        with self.assertRaises(NotPreparedError):
            Customer(1).send()

    async def test_a_message_that_no_frame_can_say(self) -> None:
        client = Customer(1)
        client.init_upload_req().data = bytes(1 << 24)
        with self.assertRaises(MessageTooBigError) as raised:
            client.send()
        self.assertEqual(raised.exception.max_size, (1 << 24) - 1)

    async def test_without_a_connection_it_is_lost_and_has_no_other_effect(self) -> None:
        async def serve(peer: Peer, count: int) -> None:
            self.assertEqual(await within(peer.reader.readexactly(len(NOP_REQ))), NOP_REQ)
            peer.write(OPEN_RSP)

        client = self.client(await self.listen(serve))
        client.init_open_req().owner = "lost"
        self.assertFalse(client.send())
        client.start()
        await until(lambda: client.is_connected)
        self.assertTrue(client.nop())
        await until(lambda: len(client.events) == 2)

    async def test_a_message_may_be_sent_again(self) -> None:
        async def serve(peer: Peer, count: int) -> None:
            for _ in range(3):
                self.assertEqual((await peer.read_message()).owner, "again")
            peer.write(OPEN_RSP)

        class Again(Customer):
            async def on_connected(self) -> None:
                await super().on_connected()
                # It was prepared before the start.
                self.send()
                self.send()
                self.send()

        client = self.client(await self.listen(serve), Again)
        client.init_open_req().owner = "again"
        client.start()
        await until(lambda: len(client.events) == 2)

    async def test_coroutines_that_wait_do_not_send_each_others_messages(self) -> None:
        got: list[str] = []

        async def serve(peer: Peer, count: int) -> None:
            peer.write(OPEN_RSP)
            while len(got) < 2:
                got.append((await peer.read_message()).text)

        client: Any = None

        class Waiting(Customer):
            async def on_open_rsp(self, message: Any) -> None:
                shout = self.init_shout_req()
                await prepared.wait()
                shout.text = "handler"
                self.send()

        prepared = asyncio.Event()
        client = self.client(await self.listen(serve), Waiting)
        client.start()
        await until(lambda: client.is_connected)
        client.init_shout_req().text = "main"
        prepared.set()
        await until(lambda: len(got) == 1)
        client.send()
        await until(lambda: len(got) == 2)
        self.assertEqual(got, ["handler", "main"])

    async def test_many_messages_arrive_in_order_in_few_writes(self) -> None:
        got: list[int] = []

        async def serve(peer: Peer, count: int) -> None:
            while len(got) < 5000:
                got.append((await peer.read_message()).seq)

        client = self.client(await self.listen(serve))
        client.start()
        await until(lambda: client.is_connected)
        transport = client._link._transport
        with mock.patch.object(transport, "write", wraps=transport.write) as write:
            for seq in range(1, 5001):
                client.init_deposit_ind().seq = seq
                self.assertTrue(client.send())
            await until(lambda: len(got) == 5000)
        self.assertEqual(got, list(range(1, 5001)))
        self.assertLessEqual(write.call_count, 3)

    async def test_a_server_that_does_not_read_costs_what_may_be_pending(self) -> None:
        async def serve(peer: Peer, count: int) -> None:
            peer.writer.transport.pause_reading()

        client = self.client(await self.listen(serve), reconnect=None, max_pending=100000)
        client.start()
        await until(lambda: client.is_connected)
        client.init_upload_req().data = bytes(10000)
        sent = 0
        while client.send():
            sent += 1
            self.assertLessEqual(client._link._connection.pending, 100000)
            # So that the system takes what it takes.
            await asyncio.sleep(0)
        self.assertLess(sent, 10000)
        await until(lambda: client.events[-1] is DisconnectReason.SLOW_CONSUMER)

    async def test_drain_waits_for_a_slow_reader(self) -> None:
        total = 0

        async def serve(peer: Peer, count: int) -> None:
            nonlocal total
            while total < 300:
                await peer.read_message()
                total += 1
            peer.write(OPEN_RSP)

        client = self.client(await self.listen(serve), max_pending=200000)
        client.start()
        await until(lambda: client.is_connected)
        for _ in range(300):
            client.init_upload_req().data = bytes(90000)
            self.assertTrue(client.send())
            await within(client.drain())
        await until(lambda: len(client.events) == 2)
        self.assertEqual(total, 300)

    async def test_drain_ends_with_the_connection(self) -> None:
        gone = asyncio.Event()

        async def serve(peer: Peer, count: int) -> None:
            peer.writer.transport.pause_reading()
            await gone.wait()
            peer.writer.transport.abort()

        client = self.client(await self.listen(serve), reconnect=None)
        client.start()
        await until(lambda: client.is_connected)
        client.init_upload_req().data = bytes(15000000)
        self.assertTrue(client.send())
        drain = asyncio.ensure_future(client.drain())
        await asyncio.sleep(0)
        self.assertFalse(drain.done())
        gone.set()
        await within(drain)

    async def test_large_frames_that_meet_both_arrive(self) -> None:
        data = bytes(8000000)

        async def serve(peer: Peer, count: int) -> None:
            peer.write(answer(download_rsp={"data": data}))
            # Reads only when the client has read.
            await peer.writer.drain()
            self.assertEqual(len((await peer.read_message()).data), len(data))
            peer.write(NOP_RSP)

        client = self.client(await self.listen(serve), max_frame=1 << 24)
        client.start()
        await until(lambda: client.is_connected)
        client.init_upload_req().data = data
        self.assertTrue(client.send())
        await until(lambda: len(client.events) == 3)


class HandlerTest(AsyncTest):
    """Coroutines of the user's."""

    async def test_on_connected_may_await_an_answer(self) -> None:
        async def serve(peer: Peer, count: int) -> None:
            await peer.read_message()
            peer.write(OPEN_RSP)
            await peer.read_message()
            peer.write(NOP_RSP)

        class Asking(Customer):
            async def on_connected(self) -> None:
                await super().on_connected()
                self.opened = asyncio.get_running_loop().create_future()
                self.init_open_req().owner = "Erik"
                self.send()
                self.events.append((await self.opened).account_id)
                self.nop()

            async def on_open_rsp(self, message: Any) -> None:
                self.opened.set_result(message)

        client = self.client(await self.listen(serve), Asking)
        client.start()
        await until(lambda: len(client.events) == 3)
        self.assertEqual(client.events, ["connected", 1, bank_pb2.NopRsp()])

    async def test_on_connected_ends_with_its_connection(self) -> None:
        async def serve(peer: Peer, count: int) -> None:
            peer.close()

        class Staying(Customer):
            async def on_connected(self) -> None:
                self.events.append("begin")
                try:
                    await asyncio.Event().wait()
                finally:
                    self.events.append("end")

        client = self.client(await self.listen(serve), Staying)
        client.start()
        await until(lambda: len(client.events) >= 6)
        self.assertEqual(client.events[:6], ["begin", "end", DisconnectReason.CONNECTION_CLOSED] * 2)

    async def test_an_exception_is_logged_and_closes_the_connection(self) -> None:
        async def serve(peer: Peer, count: int) -> None:
            peer.write(OPEN_RSP + NOP_RSP)

        for name in ("on_connected", "on_open_rsp", "on_disconnected"):
            with self.subTest(name=name):
                failed = 0

                async def fail(self: Any, *_: Any) -> None:
                    nonlocal failed
                    if not failed:
                        failed = 1
                        raise RuntimeError("mine")

                kind = type("Failing", (Customer,), {name: fail})
                client = self.client(await self.listen(serve), kind)
                client.start()
                if name == "on_disconnected":
                    await until(lambda client=client: client.is_connected)
                    await within(client.stop())
                    self.assertTrue(failed)
                else:
                    # What came before it may be handled all the same. After it, the next connection is.
                    ended = DisconnectReason.GENERAL_ERROR
                    await until(lambda client=client: ended in client.events)
                    await until(lambda client=client: bank_pb2.NopRsp() in client.events[client.events.index(ended) :])
                    await within(client.stop())
                self.logged("fail")

    @unittest.skipIf(sys.version_info < (3, 11), "Python does not tell who is cancelled")
    async def test_a_cancellation_from_within_is_a_failure(self) -> None:
        async def serve(peer: Peer, count: int) -> None:
            peer.write(OPEN_RSP if count == 1 else NOP_RSP)

        class Cancelled(Customer):
            async def on_open_rsp(self, message: Any) -> None:
                raise asyncio.CancelledError

        client = self.client(await self.listen(serve), Cancelled)
        client.start()
        await until(lambda: bank_pb2.NopRsp() in client.events)
        self.assertIn(DisconnectReason.GENERAL_ERROR, client.events)
        self.logged("was cancelled from within")

    async def test_a_slow_handler_does_not_cost_the_connection(self) -> None:
        pings = 0

        async def serve(peer: Peer, count: int) -> None:
            nonlocal pings
            peer.write(OPEN_RSP)
            while True:
                self.assertEqual(await peer.read_frame(), (3, b""))
                pings += 1
                peer.write(PONG)

        class Slow(Customer):
            async def on_open_rsp(self, message: Any) -> None:
                before = pings
                await until(lambda: pings >= before + 4)
                self.events.append("slept")

        client = self.client(await self.listen(serve), Slow, keep_alive_interval=0.5)
        client.start()
        await until(lambda: len(client.events) == 2)
        self.assertEqual(client.events, ["connected", "slept"])
        await within(client.stop())

    async def test_a_handler_that_cannot_keep_up_slows_the_server_down(self) -> None:
        count = 20000
        done = False

        async def serve(peer: Peer, _: int) -> None:
            nonlocal done
            pongs = asyncio.ensure_future(answer_pings(peer))
            data = answer(shout_ind={"text": "x" * 1000})
            for _ in range(count):
                peer.write(data)
                await peer.writer.drain()
            done = True
            await pongs

        async def answer_pings(peer: Peer) -> None:
            while await peer.read_frame() == (3, b""):
                peer.write(PONG)

        resume = asyncio.Event()

        class Slow(Customer):
            shouts = 0

            async def on_shout_ind(self, message: Any) -> None:
                self.shouts += 1
                await resume.wait()

        # Pings go on and their answers are not seen, which is nobody's fault.
        client = self.client(await self.listen(serve), Slow, keep_alive_interval=0.5)
        client.start()
        await until(lambda: client.is_connected and not client._link._is_reading)
        begin = asyncio.get_running_loop().time()
        await until(lambda: asyncio.get_running_loop().time() > begin + 2)
        machine = client._link._connection
        self.assertLessEqual(len(machine._inbox), 64)
        self.assertLessEqual(len(machine._buffer), 1 << 19)
        self.assertEqual((client.shouts, done), (1, False))
        self.assertEqual(client.events, ["connected"])
        resume.set()
        await until(lambda: client.shouts == count)
        self.assertEqual(client.events, ["connected"])

    async def test_what_arrived_before_the_end_is_delivered_before_it(self) -> None:
        async def serve(peer: Peer, count: int) -> None:
            peer.write(b"".join(answer(open_rsp={"account_id": i}) for i in range(1000)))
            peer.close()

        class Slow(Customer):
            async def on_open_rsp(self, message: Any) -> None:
                await asyncio.sleep(0)
                self.events.append(message.account_id)

        client = self.client(await self.listen(serve), Slow, reconnect=None)
        client.start()
        await until(lambda: len(client.events) == 1002)
        self.assertEqual(client.events, ["connected", *range(1000), DisconnectReason.CONNECTION_CLOSED])

    async def test_what_was_received_when_the_network_failed_is_delivered(self) -> None:
        async def serve(peer: Peer, count: int) -> None:
            peer.write(OPEN_RSP * 1000)
            await peer.read_end()

        class Slow(Customer):
            received = 0

            async def on_open_rsp(self, message: Any) -> None:
                if not self.received:
                    machine = self._link._connection
                    await until(lambda: machine.has_more)
                    self.expected = 1 + len(machine._inbox) + len(machine._buffer) // len(OPEN_RSP)
                    self._link._transport.abort()
                    await until(lambda: not self.is_connected)
                self.received += 1

        client = self.client(await self.listen(serve), Slow, reconnect=None)
        client.start()
        await until(lambda: DisconnectReason.CONNECTION_CLOSED in client.events)
        self.assertGreater(client.expected, 65)
        self.assertEqual(client.received, client.expected)


class StopTest(AsyncTest):
    """Stops, wherever they come from."""

    async def test_stop_and_start(self) -> None:
        ends: list[int] = []

        async def serve(peer: Peer, count: int) -> None:
            await peer.read_end()
            ends.append(count)

        client = self.client(await self.listen(serve))
        for count in (1, 2, 3):
            client.start()
            client.start()
            await until(lambda: client.is_connected)
            await within(client.stop())
            self.assertFalse(client.is_connected)
            await until(lambda count=count: ends == list(range(1, count + 1)))
        self.assertEqual(client.events, ["connected", DisconnectReason.REQUESTED] * 3)
        await within(client.stop())

    async def test_start_right_after_stop(self) -> None:
        async def serve(peer: Peer, count: int) -> None:
            await peer.read_end()

        class Slow(Customer):
            async def on_disconnected(self) -> None:
                # Longer than connecting takes, so that one that does not wait for it is seen.
                await asyncio.sleep(4 * SOON)
                await super().on_disconnected()

        client = self.client(await self.listen(serve), Slow)
        client.start()
        await until(lambda: client.is_connected)
        client.stop()
        client.start()
        await until(lambda: len(client.events) == 3)
        self.assertEqual(client.events, ["connected", DisconnectReason.REQUESTED, "connected"])

    async def test_stop_sends_what_is_queued(self) -> None:
        got: list[bytes] = []

        async def serve(peer: Peer, count: int) -> None:
            # So that something is unread at the client, for which closing would take back what it has sent.
            peer.write(NOP_RSP * 10000)
            got.append(await peer.read_end())

        client = self.client(await self.listen(serve), reconnect=None, linger=PATIENCE)
        client.start()
        await until(lambda: client.is_connected)
        client.init_upload_req().data = bytes(900000)
        client.send()
        client.nop()
        await within(client.stop())
        # It has waited for that: a program may end here.
        self.assertTrue(client._link.closed.done())
        await until(lambda: got)
        self.assertEqual(len(got[0]), 900000 + 12 + len(NOP_REQ))

    async def test_stop_does_not_wait_for_ever(self) -> None:
        async def serve(peer: Peer, count: int) -> None:
            peer.writer.transport.pause_reading()

        client = self.client(await self.listen(serve), linger=SOON)
        client.start()
        await until(lambda: client.is_connected)
        client.init_upload_req().data = bytes(1 << 23)
        client.send()
        await within(client.stop())

    async def test_stop_from_each_coroutine(self) -> None:
        async def serve(peer: Peer, count: int) -> None:
            peer.write(OPEN_RSP + NOP_RSP)
            await peer.read_message()
            peer.close()

        for name in ("on_connected", "on_open_rsp", "on_disconnected", "on_connect_failure"):
            for awaited in (False, True):
                with self.subTest(name=name, awaited=awaited):

                    async def stop(self: Any, *_: Any, awaited: bool = awaited, name: str = name) -> Any:
                        if name == "on_connected":
                            # One that waits is cancelled then, one that is done is not.
                            self.nop()
                        rest = self.stop()
                        if awaited:
                            await rest
                        self.events.append("stopped")
                        return 3600

                    class Stopping(Customer):
                        async def on_nop_rsp(self, message: Any) -> None:
                            self.nop()

                    taken, silent = silent_port()
                    self.addCleanup(taken.close)
                    port = silent if name == "on_connect_failure" else await self.listen(serve)
                    # One that was stopped must not wait for its next attempt.
                    client = self.client(port, type("Mine", (Stopping,), {name: stop}), reconnect=3600)
                    client.start()
                    await until(lambda client=client: client._task.done())
                    self.assertEqual(client.events.count("stopped"), 1)
                    self.assertLessEqual(client.events.count("connected"), 1)

    async def test_the_handler_that_stops_is_not_cancelled(self) -> None:
        async def serve(peer: Peer, count: int) -> None:
            peer.write(OPEN_RSP * 3)
            await peer.read_end()

        class Stopping(Customer):
            async def on_open_rsp(self, message: Any) -> None:
                await self.stop()
                await asyncio.sleep(0.001)
                self.events.append("end")

        client = self.client(await self.listen(serve), Stopping)
        client.start()
        await until(lambda: client._task.done())
        # And of what came with the message nothing is handled any more.
        self.assertEqual(client.events, ["connected", "end", DisconnectReason.REQUESTED])

    async def test_stop_cancels_a_handler_that_waits(self) -> None:
        async def serve(peer: Peer, count: int) -> None:
            peer.write(OPEN_RSP)
            await peer.read_end()

        class Waiting(Customer):
            async def on_open_rsp(self, message: Any) -> None:
                self.events.append("begin")
                try:
                    await asyncio.Event().wait()
                finally:
                    self.events.append("end")

        client = self.client(await self.listen(serve), Waiting)
        client.start()
        await until(lambda: "begin" in client.events)
        await within(client.stop())
        self.assertEqual(client.events, ["connected", "begin", "end", DisconnectReason.REQUESTED])

    async def test_stop_at_any_moment_leaves_nothing(self) -> None:
        async def serve(peer: Peer, count: int) -> None:
            peer.write(OPEN_RSP)
            await peer.read_end()

        port = await self.listen(serve)
        for turns in range(40):
            client = self.client(port)
            client.start()
            for _ in range(turns):
                await asyncio.sleep(0)
            await within(client.stop())
            self.assertTrue(client._task.done())
            # Each begin has its end.
            self.assertEqual(client.events.count("connected"), client.events.count(DisconnectReason.REQUESTED))

    async def test_as_a_context(self) -> None:
        async def serve(peer: Peer, count: int) -> None:
            await peer.read_end()

        async with Customer(await self.listen(serve)) as client:
            await until(lambda: client.is_connected)
        self.assertEqual(client.events, ["connected", DisconnectReason.REQUESTED])


class ProgramTest(unittest.TestCase):
    """Whole programs end when they should, and say nothing."""

    PROGRAM = """
import asyncio, bank_client, support

async def main():
    # That the machine is slow is not to be said.
    asyncio.get_running_loop().slow_callback_duration = 3600
    async def serve(reader, writer):
        try:
            await reader.read()
        except asyncio.CancelledError:
            # Some versions of Python report that as a fault of theirs.
            pass
        finally:
            writer.close()
    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = support.Customer(listener.sockets[0].getsockname()[1])
    client.start()
    await support.until(lambda: client.is_connected)
    {end}
    listener.close()

{run}
"""

    def program(self, end: str, run: str = "asyncio.run(main())") -> None:
        """Runs the program and asserts that it says nothing."""
        command = [sys.executable, "-X", "dev", "-W", "error", "-c", self.PROGRAM.format(end=end, run=run)]
        done = subprocess.run(command, env=os.environ, capture_output=True, text=True, timeout=2 * PATIENCE)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_stop(self) -> None:
        self.program("client.stop()")

    def test_stop_awaited(self) -> None:
        self.program("await client.stop()")

    def test_never_stopped(self) -> None:
        self.program("pass")

    def test_cancelled_from_around(self) -> None:
        self.program(
            "await asyncio.sleep(3600)",
            """
async def around():
    task = asyncio.ensure_future(main())
    await asyncio.sleep(0.3)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    for listener in [o for o in __import__("gc").get_objects() if isinstance(o, asyncio.Server)]:
        listener.close()

asyncio.run(around())
""",
        )


class UriTest(unittest.TestCase):
    """What is a URI."""

    def test_good(self) -> None:
        for uri, expected in [
            ("tcp://127.0.0.1:6000", ("127.0.0.1", 6000)),
            ("tcp://:6000", ("", 6000)),
            ("tcp://my-host.example_1:0", ("my-host.example_1", 0)),
            ("tcp://[::1]:65535", ("::1", 65535)),
            ("tcp://[2001:DB8::0:1]:1", ("2001:db8::1", 1)),
        ]:
            self.assertEqual(parse_tcp_uri(uri), expected)

    def test_bad(self) -> None:
        for uri in [
            "foo://127.0.0.1:6000",
            "tcp://127.0.0.1 6000",
            "tcp://127.0.0.1",
            "tcp://",
            "tcp://a:",
            "tcp://a:65536",
            "tcp://a:-1",
            "tcp://a:+1",
            "tcp://a: 1",
            "tcp://a:1_0",
            "tcp://a:\u0661",
            "tcp://::1:80",
            "tcp://[::1:80",
            "tcp://[host]:80",
            "tcp://a/b:80",
            "tcp://a b:80",
            "tcp://a:80\n",
        ]:
            with self.subTest(uri=uri), self.assertRaises(ValueError) as raised:
                parse_tcp_uri(uri)
            self.assertEqual(
                str(raised.exception), f"Expected URI on the form tcp://<host>:<port>, but got '{uri}'."
            )

    def test_a_client_needs_somebody_to_connect_to(self) -> None:
        for uri in ("tcp://:6000", "tcp://localhost:0", "localhost:1"):
            with self.subTest(uri=uri), self.assertRaises(ValueError):
                BankClient(uri)

    def test_bad_options(self) -> None:
        for options in [
            {"connect_timeout": 0},
            {"reconnect": -1},
            {"detect": Wire.V1A},
            {"keep_alive_interval": 0},
            {"max_frame": 1},
        ]:
            with self.subTest(options=options), self.assertRaises(ValueError):
                BankClient("tcp://localhost:1", **options)
        with self.assertRaises(ValueError):
            Backoff(first=2, last=1)
        with self.assertRaises(TypeError):
            BankClient("tcp://localhost:1", no_such_option=1)


class NamesTest(unittest.TestCase):
    """What programs that were made for Messi's own generated module use of it."""

    def test_names(self) -> None:
        self.assertEqual(bank_client.CF_HEADER.pack(bank_client.MessageType.PING, 0x010203), b"\x03\x01\x02\x03")
        self.assertEqual(bank_client.CF_HEADER.unpack(b"\x04\x01\x02\x03"), (4, 0x010203))
        self.assertEqual(bank_client.MessageType.CLIENT_TO_SERVER_USER, 1)
        self.assertEqual(bank_client.MessageType.SERVER_TO_CLIENT_USER, 2)
        self.assertEqual(bank_client.MessageType.PONG, 4)
        for message_type, size in ((256, 0), (0, 1 << 24), (-1, 0), (0, -1)):
            with self.assertRaises(ValueError):
                bank_client.CF_HEADER.pack(message_type, size)
        with self.assertRaises(ValueError):
            bank_client.CF_HEADER.unpack(b"\x04\x01\x02")

    def test_reasons(self) -> None:
        self.assertEqual([reason.value for reason in DisconnectReason], list(range(11)))


if __name__ == "__main__":
    unittest.main()
