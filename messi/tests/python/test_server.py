"""Servers and peers that are bare sockets."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import subprocess
import sys
import unittest
from typing import Any
from unittest import mock

import bank_pb2
from bank_server import BankServer, DisconnectReason, MessageTooBigError, NotPreparedError, RemoteClient, Wire
from messi_runtime import NotLoopbackError
from support import (
    NOP_REQ,
    NOP_RSP,
    PATIENCE,
    PING,
    AsyncTest,
    Bank,
    Peer,
    connect,
    frame,
    request,
    until,
    within,
)

KICK_REQ = request(kick_req={})
SHOUT_REQ = request(shout_req={"text": "hello"})


async def greet(peer: Peer) -> Peer:
    """A peer that is known to be connected."""
    peer.write(NOP_REQ)
    assert isinstance(await peer.read_message(), bank_pb2.NopRsp)
    return peer


class LifeTest(AsyncTest):
    """Clients come and go."""

    async def test_clients_connect_and_disconnect(self) -> None:
        bank = await self.server()
        peers = [await greet(await connect(bank.port)) for _ in range(3)]
        self.assertEqual(bank.events, ["connected"] * 3)
        self.assertEqual(len(bank.clients), 3)
        addresses = [peer.writer.get_extra_info("sockname") for peer in peers]
        self.assertEqual([client.address for client in bank.clients], addresses)
        peers[0].close()
        await until(lambda: bank.reasons() == [DisconnectReason.CONNECTION_CLOSED])
        self.assertEqual(len(bank.clients), 2)
        peers[1].writer.transport.abort()
        await until(lambda: len(bank.reasons()) == 2)
        await within(bank.stop())
        self.assertEqual(bank.reasons()[2:], [DisconnectReason.REQUESTED])
        self.assertEqual(await peers[2].read_end(), b"")

    async def test_what_it_does_with_frames(self) -> None:
        bank = await self.server()
        for data, reason in [
            (frame(1, b"\xff\xff"), DisconnectReason.MESSAGE_DECODE_ERROR),
            (frame(2, b"x"), DisconnectReason.PROTOCOL),
            (frame(4), DisconnectReason.PROTOCOL),
            (frame(77), DisconnectReason.PROTOCOL),
            (b"\x01\x10\x00\x00", DisconnectReason.MESSAGE_TOO_BIG),
            (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", DisconnectReason.MESSAGE_TOO_BIG),
            (frame(1) + frame(1, b"\xfa\x7f\x01x") + NOP_REQ + PING, None),
        ]:
            with self.subTest(data=data):
                bank.events.clear()
                peer = await connect(bank.port)
                peer.write(NOP_REQ + data)
                if reason is not None:
                    # What came before it is answered.
                    self.assertIsInstance(await peer.read_message(), bank_pb2.NopRsp)
                    self.assertEqual(await peer.read_end(), b"")
                    await until(lambda: bank.reasons())
                    self.assertEqual(bank.reasons(), [reason])
                else:
                    frames = sorted([await peer.read_frame() for _ in range(3)])
                    self.assertEqual(frames, [(2, NOP_RSP[4:]), (2, NOP_RSP[4:]), (4, b"")])
                peer.close()
        # And it is as well as before.
        await greet(await connect(bank.port))

    async def test_bad_utf8_is_a_decode_error(self) -> None:
        bank = await self.server()
        peer = await connect(bank.port)
        peer.write(frame(1, b"\x42\x03\x0a\x01\xff"))
        self.assertEqual(await peer.read_end(), b"")
        await until(lambda: bank.reasons() == [DisconnectReason.MESSAGE_DECODE_ERROR])

    async def test_keep_alive(self) -> None:
        bank = await self.server(keep_alive_timeout=1)
        peer = await connect(bank.port)
        loop = asyncio.get_running_loop()
        for _ in range(8):
            peer.write(PING)
            self.assertEqual(await peer.read_frame(), (4, b""))
            await asyncio.sleep(0.2)
        last = loop.time()
        # Messages are no sign of life.
        peer.write(NOP_REQ)
        self.assertIsInstance(await peer.read_message(), bank_pb2.NopRsp)
        self.assertEqual(await peer.read_end(), b"")
        self.assertGreaterEqual(loop.time() - last, 0.5)
        await until(lambda: bank.reasons() == [DisconnectReason.KEEP_ALIVE_TIMEOUT])

    async def test_too_many_clients(self) -> None:
        bank = await self.server(max_clients=2)
        first = await greet(await connect(bank.port))
        await greet(await connect(bank.port))
        for _ in range(3):
            self.assertEqual(await (await connect(bank.port)).read_end(), b"")
        self.assertEqual(bank.events, ["connected"] * 2)
        first.close()
        await until(lambda: len(bank.clients) == 1)
        await until(lambda: len(bank._clients) == 1)
        await greet(await connect(bank.port))

    async def test_whom_the_hook_refuses_is_closed_and_never_connected(self) -> None:
        verdict: list[Any] = [False]

        class Closed(Bank):
            def accept(self, address: Any) -> bool:
                if verdict[0] is None:
                    raise RuntimeError("mine")
                return bool(verdict[0])

        bank = await self.server(Closed)
        self.assertEqual(await (await connect(bank.port)).read_end(), b"")
        verdict[0] = None
        self.assertEqual(await (await connect(bank.port)).read_end(), b"")
        self.logged("accept failed")
        self.assertEqual(bank.events, [])
        verdict[0] = True
        await greet(await connect(bank.port))

    async def test_half_frames_have_a_time_limit(self) -> None:
        bank = await self.server(frame_time=0.2)
        peer = await greet(await connect(bank.port))
        peer.write(NOP_REQ[:5])
        self.assertEqual(await peer.read_end(), b"")
        await until(lambda: bank.reasons() == [DisconnectReason.LIMIT])

    async def test_the_first_frame_has_a_time_limit(self) -> None:
        bank = await self.server(handshake_time=0.2)
        peer = await connect(bank.port)
        self.assertEqual(await peer.read_end(), b"")
        await until(lambda: bank.reasons() == [DisconnectReason.LIMIT])

    async def test_many_clients_side_by_side(self) -> None:
        bank = await self.server(max_clients=200)

        async def ask(number: int) -> None:
            peer = await connect(bank.port)
            for size in range(20):
                peer.write(request(download_req={"size": number * 20 + size}))
            for size in range(20):
                self.assertEqual(len((await peer.read_message()).data), number * 20 + size)
            peer.close()

        await asyncio.gather(*(ask(number) for number in range(150)))
        await until(lambda: not bank._clients)
        self.assertEqual(bank.reasons(), [DisconnectReason.CONNECTION_CLOSED] * 150)

    async def test_partial_messages_of_several_clients(self) -> None:
        bank = await self.server()
        peers = [await connect(bank.port) for _ in range(3)]
        data = SHOUT_REQ + NOP_REQ
        for i in range(len(data)):
            for peer in peers:
                peer.write(data[i : i + 1])
                await peer.writer.drain()
            # So that each byte comes by itself.
            await asyncio.sleep(0)
        for peer in peers:
            shouts = 0
            while isinstance(message := await peer.read_message(), bank_pb2.ShoutInd):
                shouts += 1
            self.assertIsInstance(message, bank_pb2.NopRsp)
            self.assertGreaterEqual(shouts, 1)
        self.assertEqual(bank.events.count("hello"), 3)

    async def test_older_wires_are_told_by_the_first_byte(self) -> None:
        bank = await self.server(detect=Wire.V1B)
        old = await connect(bank.port)
        old.write(b"\0\0\0\1\0\0\0" + NOP_REQ[3:] + b"\0\0\0\3\0\0\0\0")
        got = await within(old.reader.readexactly(len(NOP_RSP) + 4 + 8))
        self.assertIn(b"\0\0\0\4\0\0\0\0", got)
        self.assertIn(b"\0\0\0\2\0\0\0" + NOP_RSP[3:], got)
        await greet(await connect(bank.port))


class SendTest(AsyncTest):
    """Replies, messages, broadcasts."""

    async def test_broadcast_reaches_all_newest_first(self) -> None:
        class Counting(Bank):
            def send_order(self) -> list[Any]:
                order: list[Any] = []
                for client in self._clients:
                    link = client._link
                    real = link.send
                    link.send = lambda *a, client=client, real=real: order.append(client) or real(*a)  # type: ignore
                return order

        bank = await self.server(Counting)
        peers = [await greet(await connect(bank.port)) for _ in range(3)]
        order = bank.send_order()
        peers[1].write(SHOUT_REQ)
        for peer in peers:
            self.assertEqual((await peer.read_message()).text, "hello")
        self.assertEqual(order, list(reversed(bank.clients)))
        # It may be sent again, and by whoever likes to.
        bank.init_shout_ind().text = "again"
        self.assertEqual(bank.broadcast(), 3)
        self.assertEqual(bank.broadcast(), 3)
        for peer in peers:
            for _ in range(2):
                self.assertEqual((await peer.read_message()).text, "again")

    async def test_one_client_that_fails_does_not_keep_a_broadcast_from_others(self) -> None:
        bank = await self.server(max_pending=100000)
        first = await greet(await connect(bank.port))
        slow = await greet(await connect(bank.port))
        last = await greet(await connect(bank.port))
        slow.writer.transport.pause_reading()
        received = dict.fromkeys((first, last), 0)

        async def read(peer: Peer) -> None:
            while (await peer.read_message()).text != "end":
                received[peer] += 1

        reading = asyncio.gather(read(first), read(last))
        sent = 0
        bank.init_shout_ind().text = "x" * 30000
        while not bank.reasons():
            self.assertGreaterEqual(bank.broadcast(), 2)
            sent += 1
            for client in bank.clients:
                self.assertLessEqual(client._link._connection.pending, 100000)
            await asyncio.gather(*(bank.drain(client) for client in (bank.clients[0], bank.clients[-1])))
            await asyncio.sleep(0)
        self.assertEqual(bank.reasons(), [DisconnectReason.SLOW_CONSUMER])
        bank.init_shout_ind().text = "end"
        self.assertEqual(bank.broadcast(), 2)
        await within(reading)
        self.assertEqual(received, {first: sent, last: sent})

    async def test_send_to_one(self) -> None:
        bank = await self.server()
        first = await greet(await connect(bank.port))
        second = await greet(await connect(bank.port))
        with self.assertRaises(NotPreparedError):
            bank.send(bank.clients[0])
        one, other = bank.clients
        bank.init_shout_ind().text = "first"
        self.assertTrue(bank.send(one))
        bank.init_shout_ind().text = "second"
        self.assertTrue(bank.send(other))
        self.assertEqual((await first.read_message()).text, "first")
        self.assertEqual((await second.read_message()).text, "second")
        first.close()
        await until(lambda: not one.is_connected)
        self.assertFalse(bank.send(one))
        self.assertTrue(bank.send(other))

    async def test_reply_without_a_current_client_writes_nothing(self) -> None:
        class Eager(Bank):
            async def on_client_connected(self, client: RemoteClient) -> None:
                self.init_nop_rsp()
                assert not self.reply()

        bank = await self.server(Eager)
        peer = await connect(bank.port)
        peer.write(SHOUT_REQ)
        self.assertIsInstance(await peer.read_message(), bank_pb2.ShoutInd)
        self.logged("reply without a client")
        bank.init_nop_rsp()
        self.assertFalse(bank.reply())
        self.logged("reply without a client")
        bank.disconnect()
        self.logged("disconnect without a client")

    async def test_clients_do_not_get_each_others_answers(self) -> None:
        waiting: list[str] = []
        release = asyncio.Event()

        class Waiting(Bank):
            async def on_shout_req(self, client: RemoteClient, message: Any) -> None:
                shout = self.init_shout_ind()
                shout.text = message.text
                waiting.append(message.text)
                await release.wait()
                # In a task of its own, too.
                await asyncio.wait_for(self.later(), PATIENCE)

            async def later(self) -> None:
                self.reply()

        bank = await self.server(Waiting)
        peers = [await connect(bank.port) for _ in range(5)]
        for number, peer in enumerate(peers):
            peer.write(request(shout_req={"text": str(number)}))
        await until(lambda: len(waiting) == 5)
        release.set()
        for number, peer in enumerate(peers):
            self.assertEqual((await peer.read_message()).text, str(number))

    async def test_a_message_that_no_frame_can_say(self) -> None:
        bank = await self.server()
        await greet(await connect(bank.port))
        bank.init_download_rsp().data = bytes(1 << 24)
        with self.assertRaises(MessageTooBigError):
            bank.broadcast()
        self.assertEqual(len(bank.clients), 1)

    async def test_a_peer_that_pings_and_never_reads_is_not_read_either(self) -> None:
        bank = await self.server(max_pending=1000, write_time=1)
        peer = await greet(await connect(bank.port))
        peer.writer.transport.pause_reading()
        # So that little is enough.
        for transport, option in (
            (bank.clients[0]._link._transport, socket.SO_SNDBUF),
            (peer.writer.transport, socket.SO_RCVBUF),
        ):
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, option, 4096)
        while not bank.reasons() and not peer.writer.is_closing():
            if peer.writer.transport.get_write_buffer_size() < 1 << 20:
                peer.write(PING * 10000)
            for client in bank.clients:
                self.assertLessEqual(client._link._connection.pending, 1000)
                self.assertLessEqual(len(client._link._connection._buffer), 1 << 19)
            await asyncio.sleep(0.001)
        await until(lambda: bank.reasons())
        self.assertEqual(bank.reasons(), [DisconnectReason.SLOW_CONSUMER])
        peer.writer.transport.abort()

    async def test_a_client_that_reads_slowly_gets_all(self) -> None:
        bank = await self.server(max_pending=1 << 25)
        peer = await greet(await connect(bank.port))
        bank.init_download_rsp().data = bytes(500000)
        for _ in range(40):
            self.assertTrue(bank.send(bank.clients[0]))
        for _ in range(40):
            self.assertEqual(len((await peer.read_message()).data), 500000)


class HandlerTest(AsyncTest):
    """Coroutines of the user's."""

    async def test_an_exception_disconnects_that_client_only(self) -> None:
        class Failing(Bank):
            async def on_shout_req(self, client: RemoteClient, message: Any) -> None:
                raise RuntimeError("mine")

        bank = await self.server(Failing)
        other = await greet(await connect(bank.port))
        peer = await connect(bank.port)
        peer.write(SHOUT_REQ + NOP_REQ)
        self.assertEqual(await peer.read_end(), b"")
        await until(lambda: bank.reasons() == [DisconnectReason.GENERAL_ERROR])
        self.logged("on_shout_req failed")
        await greet(other)

    async def test_a_slow_handler_holds_up_its_own_client_only(self) -> None:
        release = asyncio.Event()

        class Slow(Bank):
            async def on_shout_req(self, client: RemoteClient, message: Any) -> None:
                self.events.append("slow")
                await release.wait()

        bank = await self.server(Slow, keep_alive_timeout=1)
        slow = await connect(bank.port)
        slow.write(SHOUT_REQ)
        await until(lambda: "slow" in bank.events)
        # Its pings are answered all the same.
        for _ in range(8):
            slow.write(PING)
            self.assertEqual(await slow.read_frame(), (4, b""))
            await asyncio.sleep(0.2)
        await greet(await connect(bank.port))
        release.set()
        await greet(slow)
        self.assertEqual(bank.reasons().count(DisconnectReason.KEEP_ALIVE_TIMEOUT), 0)

    async def test_a_client_whose_messages_wait_is_told_that_the_server_is_there(self) -> None:
        release = asyncio.Event()

        class Slow(Bank):
            async def on_shout_req(self, client: RemoteClient, message: Any) -> None:
                await release.wait()

        bank = await self.server(Slow, keep_alive_timeout=1)
        peer = await connect(bank.port)
        peer.write(SHOUT_REQ * 100 + NOP_REQ)
        for _ in range(3):
            self.assertEqual(await peer.read_frame(), (4, b""))
        self.assertEqual(bank.reasons(), [])
        release.set()
        self.assertIsInstance(await peer.read_message(), bank_pb2.NopRsp)

    async def test_a_flood_does_not_keep_the_others_waiting(self) -> None:
        bank = await self.server(max_pending=1 << 26)
        flood = await connect(bank.port)
        honest = await greet(await connect(bank.port))
        reading = asyncio.ensure_future(flood.read_end())
        turns = 0

        async def watch() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        watching = asyncio.ensure_future(watch())
        flood.write(PING * 100000)
        await until(lambda: bank.clients[0]._link._connection.has_more)
        before = turns
        await greet(honest)
        # One read has up to 65536 pings: 256 turns of the loop.
        await until(lambda: not bank.clients[0]._link._connection.has_more)
        self.assertGreater(turns - before, 100)
        watching.cancel()
        flood.close()
        await within(asyncio.wait({reading, watching}))

    async def test_on_client_connected_may_await_an_answer(self) -> None:
        class Asking(Bank):
            async def on_client_connected(self, client: RemoteClient) -> None:
                self.answered = asyncio.get_running_loop().create_future()
                self.init_audit_req().text = "who"
                self.send(client)
                self.events.append((await self.answered).text)

            async def on_audit_rsp(self, client: RemoteClient, message: Any) -> None:
                self.answered.set_result(message)

        bank = await self.server(Asking)
        peer = await connect(bank.port)
        self.assertEqual((await peer.read_message()).text, "who")
        peer.write(request(audit_rsp={"text": "me"}))
        await until(lambda: bank.events == ["me"])


class StopTest(AsyncTest):
    """Disconnects and stops, wherever they come from."""

    async def test_what_is_queued_is_sent_before_a_disconnect_and_nothing_comes_in_after_it(self) -> None:
        for _ in range(20):
            bank = await self.server()
            peer = await connect(bank.port)
            # What is unread at the server when it closes must not take back the answer.
            peer.write(KICK_REQ + SHOUT_REQ + bytes(4) * 1000)
            self.assertIsInstance(await peer.read_message(), bank_pb2.KickRsp)
            self.assertEqual(await peer.read_end(), b"")
            await until(lambda bank=bank: bank.reasons() == [DisconnectReason.REQUESTED])
            self.assertNotIn("hello", bank.events)
            await within(bank.stop())

    async def test_a_large_answer_arrives_before_a_disconnect(self) -> None:
        class Generous(Bank):
            async def on_kick_req(self, client: RemoteClient, message: Any) -> None:
                self.init_download_rsp().data = bytes(8000000)
                self.reply()
                self.disconnect()

        bank = await self.server(Generous, linger=PATIENCE)
        peer = await connect(bank.port)
        peer.write(KICK_REQ)
        self.assertEqual(len((await peer.read_message()).data), 8000000)
        self.assertEqual(await peer.read_end(), b"")

    async def test_disconnect_from_outside(self) -> None:
        bank = await self.server()
        peer = await greet(await connect(bank.port))
        client = bank.clients[0]
        bank.disconnect(client)
        bank.disconnect(client)
        self.assertFalse(client.is_connected)
        self.assertIn("on request", repr(client))
        self.assertEqual(await peer.read_end(), b"")
        await until(lambda: bank.reasons() == [DisconnectReason.REQUESTED])

    async def test_a_peer_that_is_gone_and_not_noticed(self) -> None:
        bank = await self.server(linger=10 * PATIENCE)
        peer = await greet(await connect(bank.port))
        transport = bank.clients[0]._link._transport
        with mock.patch.object(transport, "write_eof", side_effect=OSError(errno.ENOTCONN, "not connected")):
            bank.disconnect(bank.clients[0])
        self.assertEqual(await peer.read_end(), b"")
        await until(lambda: not bank._clients and not bank._lingering)
        self.assertEqual(bank.reasons(), [DisconnectReason.REQUESTED])

    async def test_those_that_linger_stay_few_and_go(self) -> None:
        bank = await self.server(max_clients=2, linger=10 * PATIENCE)
        peers = []
        for _ in range(10):
            peer = await greet(await connect(bank.port))
            peers.append(peer)
            bank.disconnect(bank.clients[0])
            await until(lambda: not bank._clients)
            await until(lambda: len(bank._lingering) <= 2)
        self.assertEqual(len(bank._lingering), 2)
        for peer in peers:
            await peer.read_end()
        await until(lambda: not bank._lingering)

    async def test_a_peer_that_does_not_see_the_end_is_forgotten_in_time(self) -> None:
        bank = await self.server(linger=0.05)
        await greet(await connect(bank.port))
        bank.disconnect(bank.clients[0])
        await until(lambda: not bank._clients and not bank._lingering)

    async def test_stop_and_start(self) -> None:
        bank = await self.server(linger=0.1)
        for _ in range(3):
            port = bank.port
            peers = [await greet(await connect(port)) for _ in range(3)]
            await within(bank.stop())
            for peer in peers:
                self.assertEqual(await peer.read_end(), b"")
            self.assertEqual((bank.clients, bank.addresses), ([], []))
            with self.assertRaises(OSError):
                await connect(port)
            await within(bank.start())
            await within(bank.start())
            self.assertEqual(len(bank.addresses), 1)
        self.assertEqual(len(bank.reasons()), 9)

    async def test_stop_from_a_handler(self) -> None:
        class Stopping(Bank):
            async def on_shout_req(self, client: RemoteClient, message: Any) -> None:
                self.init_shout_ind().text = "bye"
                self.broadcast()
                await self.stop()
                await asyncio.sleep(0.001)
                self.events.append("end")

        bank = await self.server(Stopping, linger=0.1)
        other = await greet(await connect(bank.port))
        peer = await connect(bank.port)
        peer.write(SHOUT_REQ)
        for one in (peer, other):
            self.assertEqual((await one.read_message()).text, "bye")
            self.assertEqual(await one.read_end(), b"")
        await until(lambda: len(bank.reasons()) == 2)
        self.assertIn("end", bank.events)

    async def test_stop_at_any_moment_leaves_nothing(self) -> None:
        for turns in range(30):
            bank = Bank(linger=0.05)
            await bank.start()
            peer = await connect(bank.port)
            for _ in range(turns):
                await asyncio.sleep(0)
            await within(bank.stop())
            self.assertEqual(bank._clients, {})
            self.assertEqual(bank.events.count("connected"), len(bank.reasons()))
            await peer.read_end()

    async def test_serve_forever(self) -> None:
        bank = Bank(linger=0.1)
        serving = asyncio.ensure_future(bank.serve_forever())
        await until(lambda: bank.addresses)
        await greet(await connect(bank.port))
        bank.stop()
        await within(serving)
        serving = asyncio.ensure_future(bank.serve_forever())
        await until(lambda: bank.addresses)
        peer = await greet(await connect(bank.port))
        serving.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await within(serving)
        self.assertEqual(await peer.read_end(), b"")
        self.assertEqual(bank.addresses, [])

    async def test_as_a_context(self) -> None:
        async with Bank(linger=0.1) as bank:
            peer = await greet(await connect(bank.port))
        self.assertEqual(await peer.read_end(), b"")


class ListenTest(AsyncTest):
    """Where a server listens."""

    async def test_only_loopback_unless_asked_for(self) -> None:
        for uri in ("tcp://:0", "tcp://0.0.0.0:0"):
            with self.assertRaises(NotLoopbackError):
                await Bank(uri).start()
            bank = await self.server(uri=uri, allow_remote=True)
            await greet(await connect(bank.port))

    async def test_the_same_port_at_all_addresses(self) -> None:
        loop = asyncio.get_running_loop()
        two = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 0)) for host in ("127.0.0.1", "127.0.0.2")]
        with mock.patch.object(loop, "getaddrinfo", mock.AsyncMock(return_value=two)):
            bank = Bank("tcp://localhost:0")

            async def listen(factory: Any, host: str, port: int) -> Any:
                if host == "127.0.0.2":
                    # Where there is no IPv6, names have addresses of it all the same.
                    raise OSError(errno.EADDRNOTAVAIL, "no such address")
                return await real(factory, host, port)

            real = loop.create_server
            with mock.patch.object(loop, "create_server", listen):
                await bank.start()
            self.assertEqual(len(bank.addresses), 1)
            await bank.stop()
            asked: list[tuple[str, int]] = []

            async def record(factory: Any, host: str, port: int) -> Any:
                asked.append((host, port))
                return await real(factory, "127.0.0.1", 0)

            with mock.patch.object(loop, "create_server", record):
                await bank.start()
            self.assertEqual(asked, [("127.0.0.1", 0), ("127.0.0.2", bank.addresses[0][1])])
            await bank.stop()

    async def test_a_port_that_is_taken(self) -> None:
        bank = await self.server()
        other = Bank(f"tcp://127.0.0.1:{bank.port}")
        with self.assertRaises(OSError):
            await other.start()
        self.assertEqual(other.addresses, [])
        await bank.stop()
        await other.start()
        await other.stop()

    async def test_no_such_name(self) -> None:
        with self.assertRaises(OSError):
            await Bank("tcp://nobody.invalid:0").start()

    async def test_tcp_nodelay_is_set(self) -> None:
        bank = await self.server()
        await greet(await connect(bank.port))
        sock = bank.clients[0]._link._transport.get_extra_info("socket")
        self.assertTrue(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    async def test_bad_options(self) -> None:
        for options in [{"max_clients": 0}, {"keep_alive_timeout": 0}, {"uri": "localhost:1"}, {"detect": Wire.V2}]:
            with self.subTest(options=options), self.assertRaises(ValueError):
                BankServer(**{"uri": "tcp://localhost:0", **options})


class PairTest(AsyncTest):
    """Our clients at our servers."""

    async def test_many_messages_both_ways(self) -> None:
        bank = await self.server()
        clients = [self.client(bank.port) for _ in range(5)]
        for client in clients:
            client.start()
        await until(lambda: all(client.is_connected for client in clients))
        for _ in range(50):
            for client in clients:
                for _ in range(20):
                    client.init_download_req().size = 1000
                    self.assertTrue(client.send())
                await within(client.drain())
        await until(lambda: all(len(client.events) == 1001 for client in clients))

    async def test_a_server_that_comes_back(self) -> None:
        bank = await self.server(linger=0.1)
        port = bank.port
        client = self.client(port, reconnect=0.01)
        client.start()
        for _ in range(5):
            await until(lambda: client.is_connected)
            client.nop()
            await until(lambda: isinstance(client.events[-1], bank_pb2.NopRsp))
            await within(bank.stop())
            await until(lambda: not client.is_connected)
            bank._port = port
            await within(bank.start())
        await within(client.stop())
        # They take turns, strictly.
        marks = [event for event in client.events if not isinstance(event, bank_pb2.NopRsp)]
        self.assertEqual(marks[::2], ["connected"] * (len(marks) // 2))
        self.assertNotIn("connected", marks[1::2])

    async def test_kept_alive_by_pings(self) -> None:
        bank = await self.server(keep_alive_timeout=1.5)
        client = self.client(bank.port, keep_alive_interval=0.5)
        client.start()
        begin = asyncio.get_running_loop().time()
        await until(lambda: asyncio.get_running_loop().time() > begin + 4)
        self.assertEqual((client.events, bank.events), (["connected"], ["connected"]))


class ProgramTest(unittest.TestCase):
    """Whole programs end when they should, and say nothing."""

    PROGRAM = """
import asyncio, support

async def main():
    bank = support.Bank()
    await bank.start()
    client = support.Customer(bank.port)
    client.start()
    await support.until(lambda: client.is_connected)
    await support.until(lambda: bank.clients)
    {end}

asyncio.run(main())
"""

    def test_both_stopped(self) -> None:
        for end in (
            "await bank.stop(); await client.stop()",
            "bank.stop(); client.stop()",
            "await client.stop(); bank.stop()",
            "bank.stop()",
        ):
            with self.subTest(end=end):
                command = [sys.executable, "-X", "dev", "-W", "error", "-c", self.PROGRAM.format(end=end)]
                done = subprocess.run(command, env=os.environ, capture_output=True, text=True, timeout=2 * PATIENCE)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))


if __name__ == "__main__":
    unittest.main()
