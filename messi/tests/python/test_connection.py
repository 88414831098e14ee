"""The state machine of one connection, in times that are made up."""

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
    """The table of what a receiver does with a frame."""

    def test_what_a_server_does(self) -> None:
        for data, reason in [
            (frame(C2S, b"x"), None),
            (frame(PING), None),
            (frame(PING, b"payload"), None),
            (frame(C2S), None),
            (frame(S2C, b"x"), DisconnectReason.PROTOCOL),
            (frame(PONG), DisconnectReason.PROTOCOL),
            (frame(0), DisconnectReason.PROTOCOL),
            (frame(5), DisconnectReason.PROTOCOL),
            (frame(255, b"x"), DisconnectReason.PROTOCOL),
            (b"GET / HTTP/1.1\r\n\r\n", DisconnectReason.MESSAGE_TOO_BIG),
            (b"\x16\x03\x01\x02\x00", DisconnectReason.PROTOCOL),
        ]:
            with self.subTest(data=data):
                connection = server(max_frame=1 << 18)
                self.assertIs(connection.receive(data, 0), reason)
                answer = frame(PONG) if data[0] == PING else b""
                self.assertEqual(sent(connection), answer)

    def test_what_a_client_does(self) -> None:
        for data in [frame(C2S, b"x"), frame(PING), frame(0), frame(5, b"abc"), frame(PONG, b"payload"), frame(S2C)]:
            with self.subTest(data=data):
                connection = client()
                self.assertIsNone(connection.receive(data + frame(S2C, b"then"), 0))
                self.assertEqual(taken(connection), [b"then"])
                self.assertEqual(sent(connection), b"")

    def test_what_a_strict_one_does_not_take(self) -> None:
        for data in [frame(C2S, b"x"), frame(PING), frame(5), frame(PONG, b"x")]:
            with self.subTest(data=data):
                self.assertIs(client(strict=True).receive(data, 0), DisconnectReason.PROTOCOL)
        self.assertIsNone(client(strict=True).receive(frame(PONG) + frame(S2C, b"x"), 0))
        self.assertIs(server(strict=True).receive(frame(PING, b"x"), 0), DisconnectReason.PROTOCOL)
        self.assertIsNone(server(strict=True).receive(frame(PING) + frame(C2S, b"x"), 0))

    def test_the_payload_of_what_is_not_taken_is_not_waited_for(self) -> None:
        self.assertIs(server().receive(frame(S2C, b"long")[:4], 0), DisconnectReason.PROTOCOL)
        self.assertIsNone(server().receive(frame(S2C, b"long")[:3], 0))

    def test_too_big_is_said_at_the_last_byte_of_the_header(self) -> None:
        for connection in (server(max_frame=104), client(max_frame=104)):
            data = struct.pack(">I", (C2S if connection._side is Side.SERVER else S2C) << 24 | 101)
            self.assertIsNone(connection.receive(data[:3], 0))
            self.assertIs(connection.receive(data[3:], 0), DisconnectReason.MESSAGE_TOO_BIG)

    def test_a_frame_of_exactly_the_limit_is_taken(self) -> None:
        connection = server(max_frame=104)
        self.assertIsNone(connection.receive(frame(C2S, bytes(100)), 0))
        self.assertEqual(taken(connection), [bytes(100)])

    def test_what_came_before_the_end_is_there(self) -> None:
        connection = server()
        data = frame(C2S, b"one") + frame(9) + frame(C2S, b"two")
        self.assertIs(connection.receive(data, 0), DisconnectReason.PROTOCOL)
        self.assertEqual(taken(connection), [b"one"])

    def test_every_cut_of_frames_gives_the_same(self) -> None:
        data = frame(C2S, b"first") + frame(PING) + frame(C2S) + frame(C2S, bytes(300)) + frame(C2S, b"last")
        for cut in range(len(data) + 1):
            for second in (cut, (cut + len(data)) // 2):
                connection = server()
                for piece in (data[:cut], data[cut:second], data[second:]):
                    self.assertIsNone(connection.receive(piece, 0))
                self.assertEqual(taken(connection), [b"first", bytes(300), b"last"], (cut, second))
                self.assertEqual(sent(connection), frame(PONG))
        connection = server()
        for byte in data:
            self.assertIsNone(connection.receive(bytes([byte]), 0))
        self.assertEqual(taken(connection), [b"first", bytes(300), b"last"])

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


class WireTest(unittest.TestCase):
    """Three generations of the framing, byte by byte."""

    GOLDEN = [
        (Wire.V1A, C2S, "00000001 00000003 616263"),
        (Wire.V1A, S2C, "00000001 00000003 616263"),
        (Wire.V1A, PING, "00000002 00000003 616263"),
        (Wire.V1A, PONG, "00000003 00000003 616263"),
        (Wire.V1B, C2S, "00000001 00000003 616263"),
        (Wire.V1B, S2C, "00000002 00000003 616263"),
        (Wire.V1B, PING, "00000003 00000003 616263"),
        (Wire.V1B, PONG, "00000004 00000003 616263"),
        (Wire.V2, C2S, "01000003 616263"),
        (Wire.V2, S2C, "02000003 616263"),
        (Wire.V2, PING, "03000003 616263"),
        (Wire.V2, PONG, "04000003 616263"),
    ]

    def test_golden_frames(self) -> None:
        for wire, kind, golden in self.GOLDEN:
            with self.subTest(wire=wire, kind=kind):
                data = bytes.fromhex(golden)
                connection = Connection(Side.CLIENT, Settings(keep_alive=2, wire=wire), 0)
                connection.send(kind, b"abc", 0)
                self.assertEqual(sent(connection), data)
                sender = Side.CLIENT if kind in (C2S, PING) else Side.SERVER
                self.assertEqual(wire.announced(data, 0, sender), (kind, 3))

    def test_types_that_a_wire_does_not_have(self) -> None:
        for wire, header in [
            (Wire.V1A, "00000004 00000000"),
            (Wire.V1A, "00000000 00000000"),
            (Wire.V1B, "00000005 00000000"),
            (Wire.V1B, "01000000 00000000"),
            (Wire.V2, "05000000"),
        ]:
            self.assertEqual(wire.announced(bytes.fromhex(header), 0, Side.CLIENT)[0], 0, header)

    def test_the_first_byte_tells_the_wire(self) -> None:
        for detect, data, answer in [
            (Wire.V1A, "00000002 00000000", "00000003 00000000"),
            (Wire.V1B, "00000003 00000000", "00000004 00000000"),
            (Wire.V1A, "03000000", "04000000"),
        ]:
            connection = server(detect=detect)
            self.assertTrue(connection.send(S2C, b"early", 0))
            self.assertEqual(sent(connection), b"")
            self.assertEqual(connection.pending, 13)
            for byte in bytes.fromhex(data):
                self.assertIsNone(connection.receive(bytes([byte]), 0))
            output = sent(connection)
            self.assertTrue(output.endswith(bytes.fromhex(answer)))
            self.assertIn(b"early", output)
            self.assertEqual(len(output), 5 + 2 * len(bytes.fromhex(answer)))
            # What waited for the wire waits no more.
            self.assertEqual(connection.pending, 0)

    def test_what_waits_for_the_first_byte_is_bounded_too(self) -> None:
        connection = server(detect=Wire.V1B, max_pending=1000)
        self.assertTrue(connection.send(S2C, bytes(900), 0))
        self.assertFalse(connection.send(S2C, bytes(900), 0))
        self.assertEqual(connection.pending, 908)


class KeepAliveTest(unittest.TestCase):
    """Pings, pongs and patience."""

    def test_a_client_pings_every_two_seconds(self) -> None:
        connection = client()
        for at in (2.0, 4.0, 6.0):
            self.assertEqual(connection.next_deadline(), at)
            self.assertIsNone(connection.tick(at - 0.001))
            self.assertEqual(sent(connection, at), b"")
            self.assertIsNone(connection.tick(at))
            self.assertEqual(sent(connection, at), frame(PING))
            self.assertIsNone(connection.receive(frame(PONG), at + 0.5))

    def test_a_client_without_an_answer_gives_up_at_the_next_ping(self) -> None:
        connection = client()
        self.assertIsNone(connection.tick(2))
        sent(connection, 2)
        # A message is no answer.
        self.assertIsNone(connection.receive(frame(S2C, b"x"), 3))
        self.assertIsNone(connection.tick(3.999))
        self.assertIs(connection.tick(4), DisconnectReason.KEEP_ALIVE_TIMEOUT)

    def test_any_traffic_may_count(self) -> None:
        connection = client(any_traffic=True)
        self.assertIsNone(connection.tick(2))
        sent(connection, 2)
        self.assertIsNone(connection.receive(frame(S2C, b"x"), 3))
        self.assertIsNone(connection.tick(4))
        connection = server(any_traffic=True)
        self.assertIsNone(connection.receive(frame(C2S, b"x"), 2))
        self.assertIsNone(connection.tick(4.9))
        self.assertIs(connection.tick(5), DisconnectReason.KEEP_ALIVE_TIMEOUT)

    def test_a_server_drops_after_three_seconds_without_a_ping(self) -> None:
        connection = server()
        self.assertIsNone(connection.receive(frame(PING), 2))
        self.assertIsNone(connection.receive(frame(C2S, b"x"), 4))
        self.assertEqual(connection.next_deadline(), 5.0)
        self.assertIsNone(connection.tick(4.999))
        self.assertIs(connection.tick(5), DisconnectReason.KEEP_ALIVE_TIMEOUT)

    def test_nobody_pings_when_it_is_off(self) -> None:
        self.assertIsNone(client(keep_alive=None).next_deadline())
        self.assertIsNone(client(keep_alive=None).tick(1000))


class LimitTest(unittest.TestCase):
    """Time limits and turns."""

    def test_the_first_frame_has_a_time_limit(self) -> None:
        connection = server(keep_alive=None)
        self.assertIsNone(connection.tick(9.999))
        self.assertIs(connection.tick(10), DisconnectReason.LIMIT)
        connection = server(keep_alive=None)
        self.assertIsNone(connection.receive(frame(PING), 9))
        sent(connection, 9)
        self.assertIsNone(connection.tick(1000))

    def test_a_frame_has_a_time_limit_even_if_bytes_flow(self) -> None:
        connection = server(keep_alive=None)
        data = frame(PING) + frame(C2S, bytes(100))
        self.assertIsNone(connection.receive(data[:10], 1))
        for second in range(2, 11):
            self.assertIsNone(connection.receive(b"\0", second))
            sent(connection, second)
            self.assertIsNone(connection.tick(second))
        self.assertIs(connection.tick(11), DisconnectReason.LIMIT)

    def test_each_frame_has_a_time_of_its_own(self) -> None:
        connection = client(keep_alive=None)
        half = frame(S2C, b"abcdef")
        connection.receive(half[:5], 0)
        connection.receive(half[5:] + half[:5], 9)
        taken(connection, 9)
        self.assertIsNone(connection.tick(18.9))
        self.assertIs(connection.tick(19), DisconnectReason.LIMIT)

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

    def blocked_server(self) -> Connection:
        """One that takes nothing in from second 1 on."""
        connection = server()
        self.assertIsNone(connection.receive(frame(C2S, b"x") * 65, 1))
        return connection

    def test_a_paused_server_says_every_second_that_it_is_there_and_waits(self) -> None:
        connection = self.blocked_server()
        for second in range(2, 20):
            self.assertEqual(connection.next_deadline(), second)
            self.assertIsNone(connection.tick(second))
            self.assertEqual(sent(connection, second), frame(PONG))
        # The clock goes on where it stood still: 2 of 3 seconds were left.
        taken(connection, 20)
        self.assertIsNone(connection.resume(20))
        taken(connection, 20)
        self.assertIsNone(connection.tick(21.999))
        # Once more, for pings may still be behind what came before.
        self.assertEqual(sent(connection, 21), frame(PONG))
        self.assertIs(connection.tick(22), DisconnectReason.KEEP_ALIVE_TIMEOUT)

    def test_a_server_that_is_slow_says_every_second_that_it_is_there(self) -> None:
        connection = server()
        at = []
        for tenth in range(55):
            # It takes what it has, and no pause lasts.
            now = tenth / 10
            self.assertIsNone(connection.tick(now))
            if sent(connection, now):
                at.append(now)
            self.assertIsNone(connection.resume(now))
            taken(connection, now)
            self.assertIsNone(connection.resume(now))
            self.assertTrue(connection.wants_input)
            self.assertIsNone(connection.receive(frame(C2S, b"x") * 64, now))
            self.assertIsNone(connection.receive(frame(C2S, b"x"), now))
        self.assertEqual(at, [1, 2, 3, 4, 5])
        # The ping is seen and answered, and from now on nothing is said that is not asked for.
        taken(connection, now)
        self.assertIsNone(connection.receive(frame(PING), now))
        taken(connection, now)
        self.assertEqual(sent(connection, now), frame(PONG))
        self.assertIsNone(connection.tick(now + 2.9))
        self.assertEqual(sent(connection, now + 2.9), b"")

    def test_a_ping_that_waited_counts_from_when_it_is_seen(self) -> None:
        connection = self.blocked_server()
        connection.receive(frame(PING), 2)
        taken(connection, 20)
        self.assertIsNone(connection.resume(20))
        self.assertIsNone(connection.tick(22.999))
        self.assertIs(connection.tick(23), DisconnectReason.KEEP_ALIVE_TIMEOUT)

    def test_a_paused_client_goes_on_pinging_and_waits(self) -> None:
        connection = client()
        self.assertIsNone(connection.receive(frame(S2C, b"x") * 65, 1))
        for second in (2, 4, 6, 8):
            self.assertIsNone(connection.tick(second))
            self.assertEqual(sent(connection, second), frame(PING))
        taken(connection, 9)
        self.assertIsNone(connection.resume(9))
        taken(connection, 9)
        self.assertIsNone(connection.tick(10))
        self.assertIs(connection.tick(12), DisconnectReason.KEEP_ALIVE_TIMEOUT)


class PendingTest(unittest.TestCase):
    """Bytes that wait for a peer to read them."""

    def test_what_is_pending_is_bounded(self) -> None:
        connection = client(max_pending=1000)
        sizes = [connection.send(C2S, bytes(96), 0) for _ in range(11)]
        self.assertEqual(sizes, [True] * 10 + [False])
        self.assertEqual(connection.pending, 1000)
        # What was handed out is pending, too.
        connection.output(400)
        self.assertFalse(connection.send(C2S, b"", 0))
        connection.wrote(0, 0)
        self.assertEqual(connection.pending, 600)
        self.assertTrue(connection.send(C2S, b"", 0))

    def test_one_frame_may_be_larger_than_what_may_be_pending(self) -> None:
        connection = client(max_pending=1000)
        self.assertTrue(connection.send(C2S, bytes(5000), 0))
        self.assertFalse(connection.send(C2S, b"", 0))

    def test_a_peer_that_does_not_read_its_answers_gets_no_further(self) -> None:
        connection = server(max_pending=100)
        self.assertIsNone(connection.receive(frame(PING) * 200, 0))
        self.assertEqual(connection.pending, 52)
        self.assertFalse(connection.wants_input)
        self.assertFalse(connection.wants_turn)
        self.assertEqual(sent(connection), frame(PONG) * 13)
        self.assertTrue(connection.wants_turn)

    def test_a_large_frame_by_itself_keeps_nobody_from_being_read(self) -> None:
        connection = server(max_pending=100)
        self.assertTrue(connection.send(S2C, bytes(5000), 0))
        self.assertTrue(connection.wants_input)
        self.assertIsNone(connection.receive(frame(PING), 0))
        self.assertFalse(connection.wants_input)
        # As soon as the peer has read a little.
        connection.output(10)
        connection.wrote(0, 0)
        self.assertTrue(connection.wants_input)

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

    def test_a_server_that_is_busy_and_says_so_is_not_slow(self) -> None:
        connection = client(max_pending=1 << 20)
        connection.send(C2S, bytes(1000), 0)
        connection.output()
        for second in range(2, 40, 2):
            connection.receive(frame(PONG), second)
            self.assertIsNone(connection.tick(second))

    def test_a_pause_because_nobody_reads_stops_the_clocks_too(self) -> None:
        connection = server(max_pending=100, write_time=1000)
        connection.send(S2C, bytes(80), 0)
        connection.send(S2C, bytes(10), 0)
        self.assertIsNone(connection.tick(30))
        sent(connection, 30)
        self.assertIsNone(connection.tick(32.9))
        self.assertIs(connection.tick(33), DisconnectReason.KEEP_ALIVE_TIMEOUT)

    def test_the_times_of_the_first_frame_and_of_a_frame_stand_still_in_a_pause(self) -> None:
        for beginning in (b"", frame(C2S, b"abc")[:5]):
            with self.subTest(beginning=beginning):
                connection = server(keep_alive=None, max_pending=100, write_time=1000)
                self.assertIsNone(connection.receive(beginning, 0))
                connection.send(S2C, bytes(80), 4)
                for second in range(5, 30):
                    # What stays due would be a loop that never waits.
                    self.assertEqual(connection.next_deadline(), second)
                    self.assertIsNone(connection.tick(second))
                sent(connection, 30)
                self.assertIsNone(connection.tick(30))
                self.assertEqual(sent(connection, 30), frame(PONG))
                # 6 of 10 seconds were left.
                self.assertEqual(connection.next_deadline(), 36)
                self.assertIsNone(connection.tick(35.9))
                self.assertIs(connection.tick(36), DisconnectReason.LIMIT)

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
