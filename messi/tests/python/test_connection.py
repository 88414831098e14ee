"""What only the connection in Python has: its inbox, its turns, and bytes that a transport holds.

All that those in Rust and in C do as well is in `messi/tests/cases`, and played by `test_cases`.
"""

from __future__ import annotations

import random
import struct
import unittest
from typing import Any

from messi_runtime import Connection, DisconnectReason, MessageType, Settings, Side, Wire

C2S, S2C, PING, PONG = MessageType


def frame(kind: int, payload: bytes = b"") -> bytes:
    """A frame of the current wire, made by hand."""
    return struct.pack(">I", kind << 24 | len(payload)) + payload


def server(now: float = 0, **settings: Any) -> Connection:
    """A server's side with Messi's time."""
    return Connection(Side.SERVER, Settings(**{"keep_alive": 3, **settings}), now)


def client(now: float = 0, **settings: Any) -> Connection:
    """A client's side with Messi's time."""
    return Connection(Side.CLIENT, Settings(**{"keep_alive": 2, **settings}), now)


def taken(connection: Connection, now: float = 0) -> list[bytes]:
    """All messages that are there."""
    return list(iter(lambda: connection.take(now), None))


def sent(connection: Connection, now: float = 0) -> bytes:
    """All bytes that wait, which are then sent."""
    data = connection.output(1 << 30)
    connection.wrote(0, now)
    return data


class ReceiverTest(unittest.TestCase):
    """Bytes that nobody expects."""

    def test_whatever_bytes_come_nothing_is_raised_and_little_is_kept(self) -> None:
        for seed in range(300):
            generator = random.Random(seed)
            connection = generator.choice([server, client])(max_frame=4096)
            for _ in range(50):
                data = generator.choice(
                    [
                        generator.randbytes(generator.randrange(1, 64)),
                        frame(generator.randrange(6), generator.randbytes(generator.randrange(64))),
                    ]
                )
                if connection.receive(data, 0) is not None:
                    break
                taken(connection)
                self.assertLessEqual(len(connection._buffer), 4096, seed)

    def test_memory_grows_with_what_arrives_not_with_what_is_announced(self) -> None:
        connection = server(max_frame=1 << 24)
        connection.receive(struct.pack(">I", C2S << 24 | 0xFFFFF0), 0)
        self.assertLess(connection._buffer.__alloc__(), 1000)


class TurnTest(unittest.TestCase):
    """A peer that sends much leaves the others their turns."""

    def test_a_turn_takes_no_more_frames_than_it_may(self) -> None:
        connection = client()
        self.assertIsNone(connection.receive(frame(PONG) * 1000, 0))
        self.assertEqual(len(connection._buffer), 4 * (1000 - 256))
        self.assertTrue(connection.wants_turn)
        self.assertFalse(connection.wants_input)
        for _ in range(3):
            self.assertIsNone(connection.resume(0))
        self.assertFalse(connection.has_more)
        self.assertTrue(connection.wants_input)


class PauseTest(unittest.TestCase):
    """Messages that wait for their handlers."""

    def test_few_messages_wait_and_none_is_lost(self) -> None:
        connection = server()
        payloads = [str(i).encode() for i in range(200)]
        self.assertIsNone(connection.receive(b"".join(frame(C2S, payload) for payload in payloads), 0))
        got = []
        for _ in range(4):
            self.assertEqual(len(connection._inbox), min(64, 200 - len(got)))
            got += taken(connection)
            self.assertIsNone(connection.resume(0))
        self.assertEqual(got, payloads)

    def test_few_bytes_wait(self) -> None:
        connection = server(max_frame=1000)
        self.assertIsNone(connection.receive(frame(C2S, bytes(600)) * 10, 0))
        self.assertEqual(len(connection._inbox), 2)
        self.assertFalse(connection.wants_input)
        self.assertFalse(connection.wants_turn)
        self.assertIsNotNone(connection.take(0))
        self.assertFalse(connection.wants_turn)
        self.assertIsNotNone(connection.take(0))
        self.assertTrue(connection.wants_turn)

    def test_a_pause_ends_when_the_inbox_is_empty(self) -> None:
        connection = server()
        self.assertIsNone(connection.receive(frame(C2S, b"x") * 65, 1))
        for second in range(2, 5):
            self.assertEqual(connection.next_deadline(), second)
            self.assertIsNone(connection.tick(second))
            self.assertEqual(sent(connection, second), frame(PONG))
        # Not before; and then the clock goes on where it stood still: 2 of 3 seconds were left.
        for _ in range(63):
            self.assertIsNotNone(connection.take(4.5))
        self.assertEqual(connection.next_deadline(), 5)
        self.assertIsNotNone(connection.take(4.5))
        self.assertIsNone(connection.tick(5))
        sent(connection, 5)
        self.assertEqual(connection.next_deadline(), 6.5)
        self.assertIs(connection.tick(6.5), DisconnectReason.KEEP_ALIVE_TIMEOUT)


class PendingTest(unittest.TestCase):
    """Bytes that wait for a peer to read them."""

    def test_what_was_handed_out_is_pending_too(self) -> None:
        connection = client(max_pending=1000)
        self.assertTrue(connection.send(C2S, bytes(496), 0))
        self.assertTrue(connection.send(C2S, bytes(496), 0))
        connection.output(400)
        self.assertEqual(connection.pending, 1000)
        self.assertFalse(connection.send(C2S, b"", 0))
        connection.wrote(0, 0)
        self.assertEqual(connection.pending, 600)
        self.assertTrue(connection.send(C2S, b"", 0))

    def test_a_large_frame_behind_a_small_one_keeps_nobody_from_being_read(self) -> None:
        connection = server(max_pending=1000)
        for _ in range(3):
            for size in (96, 796):
                self.assertTrue(connection.send(S2C, bytes(size), 0))
            connection.output(300)
            self.assertFalse(connection.wants_input)
            connection.wrote(201, 0)
            self.assertFalse(connection.wants_input)
            connection.wrote(200, 0)
            self.assertTrue(connection.wants_input)
            self.assertTrue(connection.send(S2C, bytes(16), 0))
            self.assertFalse(connection.wants_input)
            connection.wrote(180, 0)
            self.assertTrue(connection.wants_input)
            sent(connection)

    def test_what_was_handed_out_is_still_the_first_frame(self) -> None:
        connection = server(max_pending=100)
        self.assertTrue(connection.send(S2C, bytes(5000), 0))
        connection.output()
        self.assertIsNone(connection.receive(frame(PING), 0))
        self.assertFalse(connection.wants_input)
        # Of the large one some is sent, and the pong behind it is less than that.
        connection.wrote(5004 - 10, 0)
        self.assertTrue(connection.wants_input)

    def test_a_peer_that_reads_nothing_has_ten_seconds(self) -> None:
        connection = client(keep_alive=None)
        connection.send(C2S, bytes(1000), 1)
        connection.output()
        self.assertIsNone(connection.tick(10.9))
        connection.wrote(1003, 10.9)
        self.assertIsNone(connection.tick(20.8))
        connection.wrote(1003, 20.8)
        self.assertIs(connection.tick(20.9), DisconnectReason.SLOW_CONSUMER)

    def test_output_comes_in_pieces_of_a_limited_size(self) -> None:
        connection = client(max_pending=1 << 22)
        payload = random.Random(1).randbytes(1 << 20)
        connection.send(C2S, payload, 0)
        pieces = []
        while connection.has_output:
            pieces.append(connection.output())
        self.assertEqual(b"".join(pieces), frame(C2S, payload))
        self.assertEqual({len(piece) for piece in pieces[:-1]}, {1 << 18})


class SettingsTest(unittest.TestCase):
    """Settings that cannot work are refused at once."""

    def test_bad_settings(self) -> None:
        for settings in [
            {"max_frame": 7},
            {"max_pending": 0},
            {"frame_time": 0},
            {"write_time": -1},
            {"handshake_time": float("nan")},
            {"keep_alive": 0},
            {"linger": -1},
            {"detect": Wire.V2},
        ]:
            with self.subTest(settings=settings), self.assertRaises(ValueError):
                server(**settings)


if __name__ == "__main__":
    unittest.main()
