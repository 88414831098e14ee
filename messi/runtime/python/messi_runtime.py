"""Clients and servers of the Messi protocol on asyncio: what the generated modules are made of.

A generated `PROTO_client.py` or `PROTO_server.py` adds names and types to `Client` and `Server`; all that they do is
here. From the outside in:

* `Client` and `Server` call your coroutines and hand on your messages;
* `_Link` is one connection on an asyncio transport: system calls, timers, and how it ends;
* `Connection` is the protocol as a state machine, bytes and times in, bytes and messages out, without socket or clock.

A frame is a type, a size and a payload; see `Wire`. Clients ping and servers answer. There is no handshake, no password
and nothing is hidden: across other networks than loopback use a tunnel.

Everything belongs to one event loop and is not safe to call from other threads.
"""

from __future__ import annotations

import asyncio
import contextvars
import enum
import errno
import ipaddress
import logging
import random
import re
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from google.protobuf.message import Message

LOGGER = logging.getLogger(__name__)


# ---------------------------------------------------------------------------------------------------------------- wire


class MessageType(enum.IntEnum):
    """What a frame is, with its number in `Wire.V1B` and `Wire.V2`."""

    CLIENT_TO_SERVER_USER = 1
    SERVER_TO_CLIENT_USER = 2
    PING = 3
    PONG = 4


class Side(enum.Enum):
    """One end of a connection."""

    CLIENT = "client"
    SERVER = "server"


class Wire(enum.Enum):
    """A generation of the framing. All numbers are big endian; the size is that of the payload.

    ===== ============== ================= ===================================================
    wire  Messi          header            types
    ===== ============== ================= ===================================================
    V1A   up to 0.7      u32 type, u32 size 1 user message, both ways; 2 ping; 3 pong
    V1B   0.8 to 0.11    u32 type, u32 size 1 to the server, 2 to the client, 3 ping, 4 pong
    V2    since 0.12     u8 type, u24 size  as V1B
    ===== ============== ================= ===================================================
    """

    V1A = "v1a"
    V1B = "v1b"
    V2 = "v2"

    @property
    def header_len(self) -> int:
        """The length of a header in bytes."""
        return 4 if self is Wire.V2 else 8

    @property
    def max_payload(self) -> int:
        """The largest payload in bytes that a header can announce."""
        return (1 << 24) - 1 if self is Wire.V2 else (1 << 32) - 1

    def header(self, kind: MessageType, size: int) -> bytes:
        """The header of a frame whose payload has `size` bytes, at most `max_payload`."""
        if self is Wire.V2:
            return struct.pack(">I", kind << 24 | size)
        return struct.pack(">II", _V1A_NUMBERS[kind] if self is Wire.V1A else kind, size)

    def announced(self, buffer: bytes | bytearray, at: int, sender: Side) -> tuple[int, int]:
        """The type, 0 for an unknown one, and the payload size that the header at `at` announces."""
        if self is Wire.V2:
            (word,) = struct.unpack_from(">I", buffer, at)
            number, size = word >> 24, word & 0xFFFFFF
        else:
            number, size = struct.unpack_from(">II", buffer, at)
            if self is Wire.V1A:
                number = _V1A_KINDS[sender].get(number, 0)
        return (number if number <= MessageType.PONG else 0), size


_V1A_NUMBERS = {
    MessageType.CLIENT_TO_SERVER_USER: 1,
    MessageType.SERVER_TO_CLIENT_USER: 1,
    MessageType.PING: 2,
    MessageType.PONG: 3,
}
_V1A_KINDS: dict[Side, dict[int, int]] = {
    Side.CLIENT: {1: MessageType.CLIENT_TO_SERVER_USER, 2: MessageType.PING, 3: MessageType.PONG},
    Side.SERVER: {1: MessageType.SERVER_TO_CLIENT_USER, 2: MessageType.PING, 3: MessageType.PONG},
}


class Header:
    """The header of `Wire.V2` under the names that Messi's own generated modules have for it."""

    def pack(self, message_type: int, size: int) -> bytes:
        """The four bytes. Raises `ValueError` for what they cannot say."""
        if not (0 <= message_type < 1 << 8 and 0 <= size <= Wire.V2.max_payload):
            raise ValueError(f"no header can say type {message_type} and size {size}")
        return struct.pack(">I", message_type << 24 | size)

    def unpack(self, header: bytes) -> tuple[int, int]:
        """The type and the size that the first four bytes say. Raises `ValueError` when there are fewer."""
        if len(header) < Wire.V2.header_len:
            raise ValueError(f"a header has {Wire.V2.header_len} bytes, but got {len(header)}")
        (word,) = struct.unpack_from(">I", header)
        return word >> 24, word & 0xFFFFFF


CF_HEADER = Header()

_TCP_URI = re.compile(r"tcp://(?:\[(?P<v6>[^\]]*)\]|(?P<name>[^:/?#@\[\]\s]*)):(?P<port>[0-9]{1,5})")


def parse_tcp_uri(uri: str) -> tuple[str, int]:
    """The host and port of `tcp://<host>:<port>`: a name, an IPv4 address, or an IPv6 address in brackets.

    Raises `ValueError` for anything else. The host may be empty: every address of this machine.
    """
    match = _TCP_URI.fullmatch(uri) if isinstance(uri, str) else None
    if match is not None and int(match["port"]) < 1 << 16:
        if match["v6"] is None:
            return match["name"], int(match["port"])
        try:
            return str(ipaddress.IPv6Address(match["v6"])), int(match["port"])
        except ValueError:
            pass
    raise ValueError(f"Expected URI on the form tcp://<host>:<port>, but got '{uri}'.")


# ------------------------------------------------------------------------------------------------- reasons and errors


class DisconnectReason(enum.Enum):
    """Why a connection ended. The first six are Messi's own, under their names and with their numbers; `str` of one is
    a sentence."""

    MESSAGE_ENCODE_ERROR = 0
    """Never used here: such a message is an exception of `send`."""
    MESSAGE_DECODE_ERROR = 1
    """What the peer sent is no message of the protocol."""
    CONNECTION_CLOSED = 2
    """The peer closed the connection, or the network did."""
    KEEP_ALIVE_TIMEOUT = 3
    """The peer gave no sign of life."""
    GENERAL_ERROR = 4
    """One of your coroutines raised an exception; it was logged."""
    MESSAGE_TOO_BIG = 5
    """The peer announced a larger message than is taken."""
    SLOW_CONSUMER = 6
    """The peer does not read what is sent to it."""
    LIMIT = 7
    """The peer took longer for a frame, or for its first one, than is allowed."""
    NOT_ALLOWED = 8
    """Never used here; peers in Rust have it."""
    PROTOCOL = 9
    """The peer does not keep to the protocol."""
    REQUESTED = 10
    """We ended it: `disconnect` or `stop`."""

    def __str__(self) -> str:
        return _SENTENCES[self]


_SENTENCES = {
    DisconnectReason.MESSAGE_ENCODE_ERROR: "Message encode error.",
    DisconnectReason.MESSAGE_DECODE_ERROR: "Message decode error.",
    DisconnectReason.CONNECTION_CLOSED: "Connection closed.",
    DisconnectReason.KEEP_ALIVE_TIMEOUT: "Keep alive timeout.",
    DisconnectReason.GENERAL_ERROR: "General error.",
    DisconnectReason.MESSAGE_TOO_BIG: "Message too big.",
    DisconnectReason.SLOW_CONSUMER: "Slow consumer.",
    DisconnectReason.LIMIT: "Time limit exceeded.",
    DisconnectReason.NOT_ALLOWED: "Message not allowed.",
    DisconnectReason.PROTOCOL: "Protocol error.",
    DisconnectReason.REQUESTED: "Disconnected on request.",
}


class MessiError(Exception):
    """The base of the exceptions that are made here."""


class NotPreparedError(MessiError):
    """There is no message to send. Call one of the `init_` methods first."""


class MessageTooBigError(MessiError):
    """The message is larger than a frame can say. Send it in parts."""

    def __init__(self, size: int, max_size: int) -> None:
        super().__init__(f"a message of {size} bytes; a frame has room for {max_size}")
        self.size = size
        """The size of the encoded message in bytes."""
        self.max_size = max_size
        """The largest that may be."""


class NotLoopbackError(MessiError):
    """The address is reachable from other machines. Set `allow_remote` if that is meant."""


# ------------------------------------------------------------------------------------------------------------ settings


@dataclass(frozen=True)
class Settings:
    """What can be chosen about a connection. Times are in seconds, sizes in bytes."""

    keep_alive: float | None
    """At a client: how often to ping, and how long to wait for the answer. At a server: how long a client may be
    silent. `None`: for ever."""
    max_frame: int = 1 << 20
    """The largest frame that is taken, header included."""
    max_pending: int = 1 << 20
    """How much may wait for the peer to read it; one frame may always."""
    handshake_time: float = 10
    """At a server: how long a client may take for its first frame."""
    frame_time: float = 10
    """How long a peer may take from the first byte of a frame to its last."""
    write_time: float = 10
    """How long a peer may read nothing of what waits for it."""
    linger: float = 1
    """How long a connection that we end may take to read what was queued for it."""
    any_traffic: bool = False
    """Whether any frame is a sign of life, rather than pings and pongs alone. Messi's own peers ping always."""
    strict: bool = False
    """Whether a client, too, disconnects at frames that it does not know, as a server does, rather than ignoring them;
    and both at pings and pongs with a payload."""
    wire: Wire = Wire.V2
    """The generation of the framing."""
    detect: Wire | None = None
    """At a server: `V1A` or `V1B` to speak that with clients whose first byte is 0, and `V2` with all others. Nothing
    is sent before that byte."""

    def __post_init__(self) -> None:
        for name in ("max_frame", "max_pending"):
            if getattr(self, name) < 8:
                raise ValueError(f"{name} must be 8 at least, the size of a header")
        for name in ("handshake_time", "frame_time", "write_time", "keep_alive"):
            if getattr(self, name) is not None and not getattr(self, name) > 0:
                raise ValueError(f"{name} must be more than 0 seconds")
        if not self.linger >= 0:
            raise ValueError("linger must be 0 seconds or more")
        if self.detect is Wire.V2:
            raise ValueError("detect names the older wire, V1A or V1B")


@dataclass(frozen=True)
class Backoff:
    """How long to wait before connecting again: a random part of a limit that doubles with each failure, and begins
    anew after a healthy connection ("full jitter",
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/)."""

    first: float = 0.1
    """The first limit in seconds."""
    last: float = 30
    """The last limit in seconds."""
    healthy: float = 10
    """How many seconds a connection must have lasted to count as healthy."""

    def __post_init__(self) -> None:
        if not 0 < self.first <= self.last:
            raise ValueError("first must be more than 0 seconds and last no less than it")

    def limit(self, failures: int) -> float:
        """The limit after so many failures in a row."""
        # No float is large enough for the power after a weekend of failures.
        return min(self.last, self.first * 2.0 ** min(failures, 64))


# ---------------------------------------------------------------------------------------------------- state machine

_FRAMES_PER_TURN = 256
"""How many frames of one peer are taken in before the others have their turn."""
_INBOX_LEN = 64
"""How many messages may wait for your coroutines before the peer is not read from any more."""
_UNASKED_PONG = 1.0
"""How often a server that does not read tells its client that it is there all the same, in seconds."""
_CHUNK = 1 << 18
"""How many bytes are handed to the transport at a time, so that it is seen when some are taken."""


class Connection:
    """One side of one connection: bytes and times in; messages, deadlines and bytes out.

    What a receiver does with a frame is what Messi's C code does:

    ======================================== ================= =============
    frame                                    at the server     at the client
    ======================================== ================= =============
    unknown type                             `PROTOCOL`        ignored
    user message of the wrong direction      `PROTOCOL`        ignored
    pong at the server, ping at the client   `PROTOCOL`        ignored
    header that announces too much           `MESSAGE_TOO_BIG` the same
    ping or pong with a payload              as without        as without
    ======================================== ================= =============
    """

    def __init__(self, side: Side, settings: Settings, now: float) -> None:
        self._side = side
        self._settings = settings
        self._is_client = side is Side.CLIENT
        self._peer = Side.SERVER if self._is_client else Side.CLIENT
        self._wire: Wire | None = settings.wire if settings.detect is None else None
        # What was received and is not decoded yet.
        self._buffer = bytearray()
        # Decoding stopped before all of that was looked at.
        self._more = False
        # It stopped since the inbox is full.
        self._blocked = False
        self._inbox: deque[bytes] = deque()
        self._inbox_bytes = 0
        # What is not handed out yet, and how much was handed out and is not sent yet.
        self._output = bytearray()
        self._in_flight = 0
        # How many bytes were queued, and of which frames larger than half of what may be pending not all is sent: where
        # they begin, and their lengths.
        self._queued = 0
        self._large: deque[tuple[int, int]] = deque()
        # Frames that wait for the wire to be known.
        self._early: list[tuple[MessageType, bytes]] = []
        self._early_bytes = 0
        # At a client the next ping; at a server the end of its patience.
        self._alive = None if settings.keep_alive is None else now + settings.keep_alive
        # At a client: a ping was sent, and no sign of life came since.
        self._unanswered = False
        self._handshake = None if self._is_client else now + settings.handshake_time
        self._frame: float | None = None
        self._write: float | None = None
        self._paused: float | None = None
        self._pong: float | None = None

    # Receiving.

    def receive(self, data: bytes, now: float) -> DisconnectReason | None:
        """Takes in what was received. Returns why the connection has to end, if it has to."""
        self._buffer += data
        return self.resume(now)

    def resume(self, now: float) -> DisconnectReason | None:
        """Goes on with what was received before. Returns why the connection has to end, if it has to."""
        self._blocked = False
        self._shift_clocks(now)
        detect = self._settings.detect
        if self._wire is None and detect is not None and self._buffer:
            self._speak(detect if self._buffer[0] == 0 else Wire.V2)
        reason = self._decode(now) if self._wire is not None else None
        mid_frame = bool(self._buffer) and not self._more
        if not mid_frame:
            self._frame = None
        elif self._frame is None:
            self._frame = now + self._settings.frame_time
        self._output_changed(now)
        self._look_at_pause(now)
        return reason

    def _speak(self, wire: Wire) -> None:
        self._wire = wire
        early, self._early, self._early_bytes = self._early, [], 0
        for kind, payload in early:
            self._put(wire, kind, payload)

    def _decode(self, now: float) -> DisconnectReason | None:
        wire, settings, buffer = self._wire, self._settings, self._buffer
        assert wire is not None
        header_len = wire.header_len
        mine = MessageType.SERVER_TO_CLIENT_USER if self._is_client else MessageType.CLIENT_TO_SERVER_USER
        at, end = 0, len(buffer)
        budget = _FRAMES_PER_TURN
        is_alive = False
        reason: DisconnectReason | None = None
        self._more = False
        while end - at >= header_len:
            # A peer that does not read its answers gets no further.
            if budget == 0 or self.is_choked:
                self._more = True
                break
            kind, size = wire.announced(buffer, at, self._peer)
            if size + header_len > settings.max_frame:
                reason = DisconnectReason.MESSAGE_TOO_BIG
                break
            # The payload of what is not taken is not waited for.
            if not self._takes(kind, size):
                reason = DisconnectReason.PROTOCOL
                break
            begin = at + header_len
            if end - begin < size:
                break
            # A message without a byte has no member set.
            if kind == mine and size:
                if len(self._inbox) >= _INBOX_LEN or self._inbox_bytes >= settings.max_frame:
                    self._more = self._blocked = True
                    break
                with memoryview(buffer) as view:
                    self._inbox.append(bytes(view[begin : begin + size]))
                self._inbox_bytes += size
            elif kind == MessageType.PING and not self._is_client:
                is_alive = True
                self._put(wire, MessageType.PONG, b"")
                self._pong = None
            elif kind == MessageType.PONG:
                # At a client: a server takes none.
                is_alive = True
            is_alive = is_alive or settings.any_traffic
            self._handshake = self._frame = None
            at = begin + size
            budget -= 1
        del buffer[:at]
        if is_alive:
            self._unanswered = False
            if self._is_client:
                # A server that is busy does not read, but says that it is there: that is not slow.
                self._write = None
            elif settings.keep_alive is not None:
                self._alive = now + settings.keep_alive
        return reason

    def _takes(self, kind: int, size: int) -> bool:
        strict = self._settings.strict
        if self._is_client:
            if not strict or kind == MessageType.SERVER_TO_CLIENT_USER:
                return True
            return kind == MessageType.PONG and size == 0
        return kind == MessageType.CLIENT_TO_SERVER_USER or (kind == MessageType.PING and not (strict and size))

    def take(self, now: float) -> bytes | None:
        """The next message, if there is one."""
        if not self._inbox:
            return None
        payload = self._inbox.popleft()
        self._inbox_bytes -= len(payload)
        if self._blocked and not self._inbox:
            self._blocked = False
            self._look_at_pause(now)
        return payload

    def forget_messages(self) -> None:
        """Throws away what was received and not taken."""
        self._inbox.clear()
        self._buffer.clear()
        self._inbox_bytes, self._more = 0, False

    @property
    def has_message(self) -> bool:
        """Whether `take` would return one."""
        return bool(self._inbox)

    @property
    def has_more(self) -> bool:
        """Whether something was received that is not decoded yet, the beginning of a frame aside."""
        return self._more

    @property
    def is_choked(self) -> bool:
        """Whether the peer is not read from since more than half of what may be is pending for it. One frame by itself
        is no reason, however large: if two of them met, neither would ever arrive."""
        if not self._owes_reading:
            return False
        pending = len(self._output) + self._in_flight
        begin, size = self._large[0] if self._large else (self._queued, 0)
        is_first = begin <= self._queued - pending
        return not (is_first and pending <= size)

    @property
    def wants_turn(self) -> bool:
        """Whether `resume` would find something to do now."""
        return self._more and not self._blocked and not self.is_choked

    @property
    def wants_input(self) -> bool:
        """Whether to read from the peer: nothing is left of what it sent before, and it reads what is sent to it."""
        return not self._more and not self.is_choked

    # Sending.

    def send(self, kind: MessageType, payload: bytes, now: float) -> bool:
        """Queues one frame; `False` when more would be pending than may be."""
        wire = self._wire
        # The longest header, as long as the wire is not known.
        size = len(payload) + (8 if wire is None else wire.header_len)
        pending = self.pending
        if pending and pending + size > self._settings.max_pending:
            return False
        if wire is None:
            self._early.append((kind, payload))
            self._early_bytes += size
            return True
        self._put(wire, kind, payload)
        self._output_changed(now)
        if self._owes_reading:
            # From now on nobody is late.
            self._look_at_pause(now)
        return True

    def _put(self, wire: Wire, kind: MessageType, payload: bytes) -> None:
        size = wire.header_len + len(payload)
        if size > self._settings.max_pending // 2:
            self._large.append((self._queued, size))
        self._queued += size
        self._output += wire.header(kind, len(payload))
        self._output += payload

    @property
    def pending(self) -> int:
        """How many bytes wait to be sent."""
        return len(self._output) + self._in_flight + self._early_bytes

    @property
    def has_output(self) -> bool:
        """Whether `output` would return some."""
        return bool(self._output)

    @property
    def is_drained(self) -> bool:
        """Whether no more than half of what may be is pending."""
        return self.pending <= self._settings.max_pending // 2

    def output(self, limit: int = _CHUNK) -> bytes:
        """The next bytes to send, `limit` at most. They are pending until `wrote` says otherwise."""
        if len(self._output) <= limit:
            chunk = bytes(self._output)
            self._output = bytearray()
        else:
            with memoryview(self._output) as view:
                chunk = bytes(view[:limit])
            del self._output[:limit]
        self._in_flight += len(chunk)
        return chunk

    def wrote(self, in_flight: int, now: float) -> None:
        """Of what was handed out, `in_flight` bytes are not sent yet."""
        if in_flight < self._in_flight:
            self._in_flight = in_flight
            self._write = None
            sent = self._queued - len(self._output) - in_flight
            while self._large and sum(self._large[0]) <= sent:
                self._large.popleft()
        self._output_changed(now)
        self._look_at_pause(now)

    @property
    def _owes_reading(self) -> bool:
        return len(self._output) + self._in_flight > self._settings.max_pending // 2

    def _output_changed(self, now: float) -> None:
        if not self.pending:
            self._write = None
        elif self._write is None:
            self._write = now + self._settings.write_time

    # Time.

    def _look_at_pause(self, now: float) -> None:
        """Stops the clocks that run against the peer while nothing is taken in from it, and lets them go on then."""
        is_paused = self._blocked or self._owes_reading
        if is_paused:
            if self._paused is None:
                self._paused = now
            # It runs on when the pause ends: after many short ones a ping may be as far behind as after a long one.
            if self._pong is None and not self._is_client:
                self._pong = now + _UNASKED_PONG
        elif self._paused is not None:
            self._shift_clocks(now)
            self._unanswered = False
            self._paused = None

    def _shift_clocks(self, now: float) -> None:
        """Moves the clocks that have stood still by how long they have. What is set later is not moved for that."""
        if self._paused is None:
            return
        pause, self._paused = now - self._paused, now
        if self._handshake is not None:
            self._handshake += pause
        if self._frame is not None:
            self._frame += pause
        # A client goes on pinging; only its patience for the answer stops.
        if self._alive is not None and not self._is_client:
            self._alive += pause

    def tick(self, now: float) -> DisconnectReason | None:
        """Does what is due: a client's ping, an unasked pong. Returns why the connection has to end, if somebody was
        late."""
        if _is_due(self._write, now):
            return DisconnectReason.SLOW_CONSUMER
        is_paused = self._paused is not None
        if not is_paused and (_is_due(self._handshake, now) or _is_due(self._frame, now)):
            return DisconnectReason.LIMIT
        if _is_due(self._pong, now):
            self._pong = now + _UNASKED_PONG if is_paused else None
            # One that finds no room is not needed: the peer has something else to read.
            self.send(MessageType.PONG, b"", now)
        if _is_due(self._alive, now) and not (is_paused and not self._is_client):
            if not self._is_client or (self._unanswered and not is_paused):
                return DisconnectReason.KEEP_ALIVE_TIMEOUT
            assert self._settings.keep_alive is not None
            self._alive = now + self._settings.keep_alive
            self._unanswered = True
            # One that finds no room is not missed: the peer is not read from, and nobody waits for its answer.
            self.send(MessageType.PING, b"", now)
        return None

    def next_deadline(self) -> float | None:
        """When to call `tick` next."""
        clocks = [self._write, self._pong]
        if self._is_client or self._paused is None:
            clocks.append(self._alive)
        if self._paused is None:
            clocks += (self._handshake, self._frame)
        return min((clock for clock in clocks if clock is not None), default=None)


def _is_due(clock: float | None, now: float) -> bool:
    return clock is not None and clock <= now


# ---------------------------------------------------------------------------------------------------------------- link


class _Link(asyncio.Protocol):
    """One connection on a transport."""

    def __init__(self, side: Side, settings: Settings, opened: Callable[[_Link], bool]) -> None:
        self._loop = asyncio.get_running_loop()
        self._side = side
        self._settings = settings
        self._opened = opened
        self._transport: asyncio.Transport | None = None
        self._connection = Connection(side, settings, self._loop.time())
        self._is_writable = True
        self._is_reading = True
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Handle | None = None
        self._turning: asyncio.Handle | None = None
        self._receiver: asyncio.Future[None] | None = None
        self._drainers: list[asyncio.Future[None]] = []
        self.address: Any = None
        self.reason: DisconnectReason | None = None
        # Why the connection will end, once what came before is handled.
        self._verdict: DisconnectReason | None = None
        self.closed: asyncio.Future[None] = self._loop.create_future()

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # So that the transport tells when it has sent all of what it was given, and we count the rest.
        transport.set_write_buffer_limits(high=0)
        self.address = transport.get_extra_info("peername")
        self._connection = Connection(self._side, self._settings, self._loop.time())
        # Gone before it was there, or not wanted.
        if self.reason is not None or not self._opened(self):
            self.reason = self.reason or DisconnectReason.REQUESTED
            transport.abort()
            return
        self._update()

    def data_received(self, data: bytes) -> None:
        # Of a connection that we have ended nothing is taken in any more.
        if self.reason is None and self._verdict is None:
            self._settle(self._connection.receive(data, self._loop.time()))

    def eof_received(self) -> None:
        self.end(DisconnectReason.CONNECTION_CLOSED)

    def connection_lost(self, exc: Exception | None) -> None:
        self.end(DisconnectReason.CONNECTION_CLOSED)
        _cancel(self._timer)
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        self._is_writable = False

    def resume_writing(self) -> None:
        self._is_writable = True
        if self.reason is None:
            self._flush()

    # What we do then.

    def _settle(self, reason: DisconnectReason | None) -> None:
        if reason is None:
            self._update()
        elif self._receiver is None or self._connection.has_message:
            # What came before is handled first, and may have an answer.
            self._verdict = reason
            self._pause_reading()
            self._wake_receiver()
        else:
            self.end(reason)

    def _pause_reading(self) -> None:
        if self._is_reading and self._transport is not None and not self._transport.is_closing():
            self._is_reading = False
            self._transport.pause_reading()

    def _turn(self) -> None:
        self._turning = None
        self._settle(self._connection.resume(self._loop.time()))

    def _tick(self) -> None:
        self._timer = None
        now = self._loop.time()
        self._look_at_transport(now)
        reason = self._connection.tick(now)
        if reason is None:
            self._update()
        else:
            self.end(reason)

    def _flush(self) -> None:
        _cancel(self._flushing)
        self._flushing = None
        transport, connection = self._transport, self._connection
        if transport is None or self.reason is not None:
            return
        now = self._loop.time()
        self._look_at_transport(now)
        while connection.has_output and self._is_writable and not transport.is_closing():
            transport.write(connection.output())
            self._look_at_transport(now)
        self._update()

    def _look_at_transport(self, now: float) -> None:
        if self._transport is not None:
            self._connection.wrote(self._transport.get_write_buffer_size(), now)

    def _update(self) -> None:
        """Brings everything that waits in line with the state machine."""
        transport, connection = self._transport, self._connection
        if self.reason is not None or transport is None:
            return
        if self._verdict is None:
            if connection.wants_turn and self._turning is None:
                self._turning = self._loop.call_soon(self._turn)
            if not connection.wants_input:
                self._pause_reading()
            elif not self._is_reading and not transport.is_closing():
                self._is_reading = True
                transport.resume_reading()
        if connection.has_output and self._is_writable and self._flushing is None:
            # At the end of the turn, so that many frames leave in one system call.
            self._flushing = self._loop.call_soon(self._flush)
        if connection.has_message:
            self._wake_receiver()
        if self._drainers and connection.is_drained:
            self._wake_drainers()
        deadline = connection.next_deadline()
        if self._timer is not None and (deadline is None or deadline < self._timer.when()):
            self._timer.cancel()
            self._timer = None
        if deadline is not None and self._timer is None:
            self._timer = self._loop.call_at(deadline, self._tick)

    def _wake_receiver(self) -> None:
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)

    def _wake_drainers(self) -> None:
        for drainer in self._drainers:
            if not drainer.done():
                drainer.set_result(None)
        self._drainers.clear()

    # What the endpoint asks for.

    async def receive(self) -> bytes | None:
        """The next message, or `None` at the end. What came before the end is delivered before it."""
        connection = self._connection
        while True:
            payload = connection.take(self._loop.time())
            if payload is not None:
                if connection.has_more:
                    self._update()
                return payload
            if self._verdict is not None:
                self.end(self._verdict)
                return None
            if self.reason is not None:
                if not connection.has_more:
                    return None
                # Its answers have nowhere to go: what is choked would be so for ever.
                connection.output(connection.pending)
                connection.wrote(0, self._loop.time())
                self._verdict = connection.resume(self._loop.time())
                continue
            self._receiver = self._loop.create_future()
            try:
                await self._receiver
            finally:
                self._receiver = None

    def send(self, kind: MessageType, payload: bytes) -> bool:
        """Queues a frame. For a peer that does not read it is the end."""
        if self.reason is not None:
            return False
        if not self._connection.send(kind, payload, self._loop.time()):
            self.end(DisconnectReason.SLOW_CONSUMER)
            return False
        if self._flushing is None and self._is_writable:
            self._flushing = self._loop.call_soon(self._flush)
        return True

    async def drain(self) -> None:
        """Returns when no more than half of what may be is pending, or when there is nobody to read it."""
        if self.reason is None and not self._connection.is_drained:
            drainer = self._loop.create_future()
            self._drainers.append(drainer)
            await drainer

    def end(self, reason: DisconnectReason) -> None:
        """Ends the connection, for the first reason that is given. If it is ours, what is queued is sent before and the
        peer may take its time to read it, and what it has sent is thrown away."""
        if self.reason is not None:
            return
        self.reason = reason
        for handle in (self._timer, self._flushing, self._turning):
            _cancel(handle)
        self._wake_receiver()
        self._wake_drainers()
        if reason is DisconnectReason.REQUESTED:
            self._connection.forget_messages()
        transport = self._transport
        if transport is None:
            return
        rest = self._connection.output(self._connection.pending)
        if reason is not DisconnectReason.REQUESTED or transport.is_closing():
            if reason is not DisconnectReason.CONNECTION_CLOSED:
                # Answers to what came before, as far as they can be sent without waiting.
                transport.write(rest)
            transport.abort()
            return
        transport.write(rest)
        # Closing a socket in which something is left to read takes back what was sent last. So the peer is told that it
        # was the last, and closes.
        try:
            transport.write_eof()
        except OSError:
            # It is gone already, and nobody has noticed.
            transport.abort()
            return
        transport.resume_reading()
        self._timer = self._loop.call_later(self._settings.linger, transport.abort)

    def abort(self) -> None:
        """Ends the connection, or its lingering, at once."""
        self.end(DisconnectReason.REQUESTED)
        if self._transport is not None:
            self._transport.abort()


def _cancel(handle: asyncio.Handle | None) -> None:
    if handle is not None:
        handle.cancel()


# ----------------------------------------------------------------------------------------------------------- endpoints


class RemoteClient:
    """A client as its server sees it. Attributes of your own may be added."""

    def __init__(self, link: _Link) -> None:
        self._link = link

    @property
    def address(self) -> Any:
        """Where it connected from, as `socket.getpeername` says it."""
        return self._link.address

    @property
    def is_connected(self) -> bool:
        """Whether it is connected."""
        return self._link.reason is None

    def __repr__(self) -> str:
        state = "connected" if self.is_connected else str(self._link.reason)
        return f"<{type(self).__name__} {self.address}: {state}>"


class _Scope:
    """In which of whose coroutines we are."""

    def __init__(self, owner: _Endpoint, client: RemoteClient | None = None) -> None:
        self.owner = owner
        self.client = client
        self.task = asyncio.current_task()
        self.prepared: Message | None = None


_SCOPE: contextvars.ContextVar[_Scope | None] = contextvars.ContextVar("messi_scope", default=None)


class _Stopping(Awaitable[None]):
    """The rest of a stop, which goes on whether or not anybody waits for it."""

    def __init__(self, *rest: asyncio.Future[None]) -> None:
        self._rest = rest

    def __await__(self) -> Generator[Any, None, None]:
        if self._rest:
            yield from asyncio.wait(self._rest).__await__()


_Client = TypeVar("_Client", bound="Client")
_Server = TypeVar("_Server", bound="Server")


class _Endpoint:
    """What a client and a server have in common."""

    _INPUT: ClassVar[type[Message]]

    def __init__(self) -> None:
        self._prepared: Message | None = None

    def _scope(self) -> _Scope | None:
        scope = _SCOPE.get()
        return scope if scope is not None and scope.owner is self else None

    def _is_own(self) -> bool:
        """Whether the caller is one of the coroutines that are called from here, and no other task."""
        scope = self._scope()
        return scope is not None and scope.task is asyncio.current_task()

    # A message that is prepared in one of the coroutines that serve a connection belongs to that connection, so that
    # coroutines that wait in between do not send each other's messages.
    def _prepare(self, message: Message) -> None:
        scope = self._scope()
        if scope is None:
            self._prepared = message
        else:
            scope.prepared = message

    def _encode(self, settings: Settings) -> bytes:
        scope = self._scope()
        message = scope.prepared if scope is not None and scope.prepared is not None else self._prepared
        if message is None:
            raise NotPreparedError("there is no message to send; call one of the init_ methods first")
        payload = message.SerializeToString()
        wire = settings.wire if settings.detect is None else Wire.V2
        if len(payload) > wire.max_payload:
            raise MessageTooBigError(len(payload), wire.max_payload)
        return payload

    async def _converse(
        self,
        link: _Link,
        connected: Callable[..., Awaitable[None]],
        disconnected: Callable[..., Awaitable[None]],
        *before: Any,
    ) -> None:
        """The life of one connection: `connected`, its messages, `disconnected`. What comes `before` is the first
        argument of all of them."""
        greeting = asyncio.get_running_loop().create_task(self._greet(link, connected, *before))
        try:
            # Lets it begin, whatever else happens.
            await asyncio.sleep(0)
            while True:
                payload = await link.receive()
                if payload is None:
                    break
                message = self._INPUT()
                try:
                    message.ParseFromString(payload)
                # Each implementation of the runtime has its own.
                except Exception as error:
                    LOGGER.debug("a message from %s: %r", link.address, error)
                    link.end(DisconnectReason.MESSAGE_DECODE_ERROR)
                    break
                member = message.WhichOneof("messages")
                if member is None:
                    continue
                handler: Callable[..., Awaitable[None]] = getattr(self, f"on_{member}")
                if not await self._guard(link, handler, *before, getattr(message, member)):
                    break
        finally:
            # Nothing has ended it: we are being cancelled.
            link.end(DisconnectReason.REQUESTED)
            assert link.reason is not None
            LOGGER.debug("the connection with %s: %s", link.address, link.reason)
            try:
                greeting.cancel()
                await asyncio.wait({greeting})
            finally:
                await self._guard(link, disconnected, *before, link.reason)

    async def _greet(self, link: _Link, connected: Callable[..., Awaitable[None]], *before: Any) -> None:
        _SCOPE.set(_Scope(self))
        await self._guard(link, connected, *before)

    async def _guard(self, link: _Link, coroutine: Callable[..., Awaitable[None]], *arguments: Any) -> bool:
        """Awaits a coroutine of the user's. If it fails, that ends the connection, and is logged."""
        try:
            await coroutine(*arguments)
            return True
        except asyncio.CancelledError:
            # Ours, or that of something that it waited for? Python tells since 3.11.
            task: Any = asyncio.current_task()
            cancelling = getattr(task, "cancelling", None)
            if cancelling is None or cancelling():
                raise
            LOGGER.exception("%s was cancelled from within; the connection is closed.", _name(coroutine))
        except Exception:
            LOGGER.exception("%s failed; the connection is closed.", _name(coroutine))
        link.end(DisconnectReason.GENERAL_ERROR)
        return False


def _name(coroutine: Callable[..., Any]) -> str:
    return getattr(coroutine, "__qualname__", repr(coroutine))


class _Run:
    """A client from its start to its stop."""

    def __init__(self) -> None:
        self.is_stopping = False
        # Nothing is left that would have to be cancelled.
        self.is_ending = False


class Client(_Endpoint):
    """The client of a protocol. It connects, and connects again when a connection is lost, until it is stopped.

    Override the coroutines `on_connected`, `on_disconnected`, `on_connect_failure` and one `on_` for each message of
    the server. To send, call an `init_` method, fill in the message that it returns, and call `send`. Between the two
    nothing should be awaited, except in those coroutines: they have a prepared message of their own.

    Messages are handled one after the other, in order. While a coroutine is busy, pings are sent and their answers
    noticed all the same. When 64 messages or `max_frame` bytes wait, the server is not read from until there is room
    again, and nobody is late in the meantime. If one of the coroutines raises an exception, it is logged and the
    connection is closed.

    Args:
        uri: `tcp://<host>:<port>`. Raises `ValueError` for anything else.
        keep_alive_interval: how often to ping, and how long to wait for the answer, in seconds. `None`: not at all.
        connect_timeout: how long one attempt to connect may take, in seconds.
        reconnect: how long to wait before connecting again: a `Backoff`, or always so many seconds (Messi's C client:
            1), or `None`: not at all.
        settings: fields of `Settings`.
    """

    def __init__(
        self,
        uri: str,
        keep_alive_interval: float | None = 2,
        connect_timeout: float = 5,
        *,
        reconnect: Backoff | float | None = Backoff(),
        **settings: Any,
    ) -> None:
        super().__init__()
        self._address, self._port = parse_tcp_uri(uri)
        if not self._address or not self._port:
            raise ValueError(f"A client needs a host and a port other than 0, but got '{uri}'.")
        if not connect_timeout > 0:
            raise ValueError("connect_timeout must be more than 0 seconds")
        if not isinstance(reconnect, Backoff) and reconnect is not None and not reconnect >= 0:
            raise ValueError("reconnect must be 0 seconds or more, a Backoff, or None")
        self._settings = Settings(keep_alive=keep_alive_interval, **settings)
        if self._settings.detect is not None:
            raise ValueError("a client speaks first, so it cannot detect the server's wire")
        self._connect_timeout = connect_timeout
        self._reconnect = reconnect
        self._failures = 0
        self._link: _Link | None = None
        self._run: _Run | None = None
        self._task: asyncio.Task[None] | None = None
        self._disconnect_reason: DisconnectReason | None = None

    # To call.

    def start(self) -> None:
        """Connects, and connects again when a connection is lost. Does nothing if it does so already."""
        if self._task is not None and not self._task.done() and self._run is not None and not self._run.is_stopping:
            return
        self._run = _Run()
        self._task = asyncio.get_running_loop().create_task(self._main(self._run, self._task))

    def stop(self) -> Awaitable[None]:
        """Sends what is queued, disconnects, and stays so until `start`. A coroutine that handles a message is
        cancelled, unless it is the caller. `on_disconnected` is called, if `on_connected` was.

        The stop begins at once. Await what is returned to wait until the server has read what was sent, or until
        `linger` is over; in the client's own coroutines there is nothing to wait for.
        """
        run, task = self._run, self._task
        if run is None or task is None or task.done():
            return _Stopping()
        run.is_stopping = True
        if self._link is not None:
            self._link.end(DisconnectReason.REQUESTED)
        if self._is_own():
            return _Stopping()
        if not run.is_ending:
            run.is_ending = True
            task.cancel()
        return _Stopping(task)

    def send(self) -> bool:
        """Sends the prepared message to the server. It may be sent again. `False` when there is no connection, and the
        message is lost; so it is when more than `max_pending` bytes wait for the server to read them, which is the end
        of the connection (see `drain`).

        Raises `NotPreparedError` before any `init_` method was called, and `MessageTooBigError`.
        """
        payload = self._encode(self._settings)
        return self._link is not None and self._link.send(MessageType.CLIENT_TO_SERVER_USER, payload)

    async def drain(self) -> None:
        """Waits until no more than half of `max_pending` waits for the server to read it. Await this between messages
        when there are many."""
        if self._link is not None:
            await self._link.drain()

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection."""
        return self._link is not None and self._link.reason is None

    @property
    def disconnect_reason(self) -> DisconnectReason | None:
        """Why the last connection ended: for `on_disconnected`. `None` before the first one has."""
        return self._disconnect_reason

    async def __aenter__(self: _Client) -> _Client:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # To override.

    async def on_connected(self) -> None:
        """Called when connected to the server. It begins before any message is handled, and may await messages that
        the other coroutines handle. If the connection ends before it does, it is cancelled."""

    async def on_disconnected(self) -> None:
        """Called when disconnected from the server, once for each `on_connected` and after all messages were handled;
        `disconnect_reason` says why."""

    async def on_connect_failure(self, exception: BaseException) -> float | None:
        """Called when an attempt to connect has failed; `asyncio.TimeoutError` is one that took too long. Returns how
        many seconds to wait before the next, or `None` to give up; `start` begins anew.

        As it is here, it follows `reconnect`: by default a random time of up to 0.1 seconds, doubling with each failure
        up to 30.
        """
        return self._delay()

    # Inside.

    def _delay(self) -> float | None:
        if not isinstance(self._reconnect, Backoff):
            return self._reconnect
        limit = self._reconnect.limit(self._failures)
        self._failures += 1
        return random.uniform(0, limit)

    async def _main(self, run: _Run, previous: asyncio.Task[None] | None) -> None:
        _SCOPE.set(_Scope(self))
        loop = asyncio.get_running_loop()
        if previous is not None and not previous.done():
            await asyncio.wait({previous})
        self._failures = 0
        while not run.is_stopping:
            link = await self._connect(run)
            if link is None:
                return
            began = loop.time()
            try:
                await self._converse(link, self.on_connected, self._lost)
            except asyncio.CancelledError:
                await self._see_off(link)
                raise
            if run.is_stopping:
                run.is_ending = True
                await self._see_off(link)
                return
            if isinstance(self._reconnect, Backoff) and loop.time() - began >= self._reconnect.healthy:
                self._failures = 0
            delay = self._delay()
            if delay is None:
                return
            await asyncio.sleep(delay)

    async def _lost(self, reason: DisconnectReason) -> None:
        self._disconnect_reason = reason
        await self.on_disconnected()

    async def _see_off(self, link: _Link) -> None:
        try:
            await asyncio.wait({link.closed})
        finally:
            link.abort()

    async def _connect(self, run: _Run) -> _Link | None:
        """A connection; `None` when `on_connect_failure` gives up."""
        while not run.is_stopping:
            try:
                self._link = await self._connect_once()
                return self._link
            # A name that cannot be encoded is a UnicodeError.
            except (OSError, UnicodeError, asyncio.TimeoutError) as error:
                LOGGER.info("Cannot connect to %s port %d: %r", self._address, self._port, error)
                failure = error
            try:
                delay = await self.on_connect_failure(failure)
            except Exception:
                LOGGER.exception("%s failed.", _name(self.on_connect_failure))
                delay = self._delay()
            if delay is None:
                break
            if not run.is_stopping:
                await asyncio.sleep(delay)
        return None

    async def _connect_once(self) -> _Link:
        loop = asyncio.get_running_loop()
        link = _Link(Side.CLIENT, self._settings, lambda _: True)
        attempt = loop.create_task(loop.create_connection(lambda: link, self._address, self._port))
        # Not `wait_for`, which before Python 3.12 may lose a connection, or a cancellation, that comes at the last
        # moment.
        try:
            await asyncio.wait({attempt}, timeout=self._connect_timeout)
            if attempt.done():
                attempt.result()
                return link
        except asyncio.CancelledError:
            self._abandon(link, attempt)
            raise
        self._abandon(link, attempt)
        raise asyncio.TimeoutError(f"not connected within {self._connect_timeout} seconds")

    def _abandon(self, link: _Link, attempt: asyncio.Task[Any]) -> None:
        link.abort()
        attempt.cancel()
        # How it fails now is nobody's concern, and shall not be said to be forgotten.
        attempt.add_done_callback(lambda _: attempt.cancelled() or attempt.exception())


class Server(_Endpoint):
    """The server of a protocol. It listens from `start` to `stop`.

    Override the coroutines `on_client_connected`, `on_client_disconnected` and one `on_` for each message of a client.
    To send, call an `init_` method, fill in the message that it returns, and call `reply`, `send` or `broadcast`.
    Between the two nothing should be awaited, except in those coroutines: there each client has a prepared message of
    its own.

    The messages of a client are handled one after the other, in order, and those of different clients side by side.
    While a coroutine is busy, the pings of its client are answered all the same. When 64 of its messages or `max_frame`
    bytes wait, the client is not read from until there is room again; until then it is told every second that the
    server is there, and nobody is late. If one of the coroutines raises an exception, it is logged and that client is
    disconnected.

    Args:
        uri: `tcp://<host>:<port>`. Port 0: any free one; see `addresses`. No host: all addresses of this machine.
        keep_alive_timeout: how many seconds a client may be without a ping. `None`: for ever.
        max_clients: how many there may be at a time. One more is accepted and closed at once.
        allow_remote: whether the address may be another one than loopback.
        settings: fields of `Settings`.
    """

    def __init__(
        self,
        uri: str,
        keep_alive_timeout: float | None = 3,
        max_clients: int = 100,
        *,
        allow_remote: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__()
        self._host, self._port = parse_tcp_uri(uri)
        if max_clients < 1:
            raise ValueError("max_clients must be 1 at least")
        self._uri = uri
        self._settings = Settings(keep_alive=keep_alive_timeout, **settings)
        self._max_clients = max_clients
        self._allow_remote = allow_remote
        self._listeners: list[asyncio.AbstractServer] = []
        self._addresses: list[tuple[str, int]] = []
        # In the order in which they came.
        self._clients: dict[RemoteClient, asyncio.Task[None]] = {}
        self._lingering: dict[_Link, None] = {}
        self._starting: asyncio.Lock | None = None
        self._stopped: asyncio.Future[None] | None = None

    # To call.

    async def start(self) -> None:
        """Listens. Does nothing if it does so already.

        Raises `NotLoopbackError`, and `OSError` when the host has no address or the system does not let us listen.
        """
        if self._starting is None:
            self._starting = asyncio.Lock()
        async with self._starting:
            if self._listeners:
                return
            loop = asyncio.get_running_loop()
            try:
                await self._listen(loop)
            except BaseException:
                self._close_listeners()
                raise
            self._stopped = loop.create_future()

    def stop(self) -> Awaitable[None]:
        """Does not listen any more, sends what is queued and disconnects all clients. Coroutines that handle a message
        are cancelled, except the caller. `on_client_disconnected` is called for each client. `start` begins anew.

        The stop begins at once. Await what is returned to wait until the clients have read what was sent, or until
        `linger` is over; in the server's own coroutines there is nothing to wait for.
        """
        self._close_listeners()
        if self._stopped is not None and not self._stopped.done():
            self._stopped.set_result(None)
        scope = self._scope()
        current = scope.client if scope is not None and self._is_own() else None
        rest: set[asyncio.Future[None]] = set()
        for client, task in self._clients.items():
            client._link.end(DisconnectReason.REQUESTED)
            if client is not current:
                task.cancel()
            rest.update((task, client._link.closed))
        rest.update(link.closed for link in self._lingering)
        return _Stopping() if self._is_own() else _Stopping(*rest)

    async def serve_forever(self) -> None:
        """Listens until `stop` is called. Stops when it is cancelled."""
        await self.start()
        assert self._stopped is not None
        try:
            await asyncio.wait({self._stopped})
        finally:
            await self.stop()

    def send(self, client: RemoteClient) -> bool:
        """Sends the prepared message to a client. It may be sent again. `False` when the client is not connected any
        more, and the message is lost; so it is when more than `max_pending` bytes wait for the client to read them,
        which is the end of the connection (see `drain`).

        Raises `NotPreparedError` before any `init_` method was called, and `MessageTooBigError`.
        """
        return client._link.send(MessageType.SERVER_TO_CLIENT_USER, self._encode(self._settings))

    def reply(self) -> bool:
        """Sends the prepared message to the client whose message is being handled, as `send` does. Anywhere else there
        is no such client and nothing is sent, as in C; that is logged."""
        client = self._current("reply")
        return client is not None and self.send(client)

    def broadcast(self) -> int:
        """Sends the prepared message to all clients, newest first, encoded once. Returns to how many. One that fails
        does not keep it from the others."""
        payload = self._encode(self._settings)
        clients = reversed(list(self._clients))
        return sum(client._link.send(MessageType.SERVER_TO_CLIENT_USER, payload) for client in clients)

    def disconnect(self, client: RemoteClient | None = None) -> None:
        """Sends what is queued for a client and disconnects it; without an argument the one whose message is being
        handled. What it has sent and is not handled yet is thrown away."""
        client = client or self._current("disconnect")
        if client is not None:
            client._link.end(DisconnectReason.REQUESTED)

    async def drain(self, client: RemoteClient) -> None:
        """Waits until no more than half of `max_pending` waits for a client to read it. Await this between messages
        when there are many."""
        await client._link.drain()

    @property
    def clients(self) -> list[RemoteClient]:
        """The connected clients, in the order in which they came."""
        return [client for client in self._clients if client.is_connected]

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens: hosts and ports."""
        return list(self._addresses)

    async def __aenter__(self: _Server) -> _Server:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # To override.

    def accept(self, address: Any) -> bool:
        """Whether to take a connection from this address, as `socket.getpeername` says it. If not, it is closed at
        once."""
        return True

    async def on_client_connected(self, client: RemoteClient) -> None:
        """Called when a client has connected. It begins before any message of that client is handled, and may await
        messages that the other coroutines handle. If the connection ends before it does, it is cancelled."""

    async def on_client_disconnected(self, client: RemoteClient, reason: DisconnectReason) -> None:
        """Called when a client is disconnected, once for each `on_client_connected` and after all its messages were
        handled."""

    # Inside.

    def _current(self, what: str) -> RemoteClient | None:
        scope = self._scope()
        if scope is None or scope.client is None:
            LOGGER.warning("%s without a client whose message is being handled; nothing is done.", what)
            return None
        return scope.client

    async def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._host:
            found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            hosts = list(dict.fromkeys(str(info[4][0]) for info in found))
        else:
            hosts = ["0.0.0.0", "::"]
        for host in hosts:
            if not self._allow_remote and not ipaddress.ip_address(host.partition("%")[0]).is_loopback:
                raise NotLoopbackError(f"{host} is reachable from other machines; set allow_remote if that is meant")
        port, refusal = self._port, None
        for host in hosts:
            try:
                listener = await loop.create_server(self._new_link, host, port)
            except OSError as error:
                # Names of loopback have an address of IPv6 even where there is no IPv6.
                if len(hosts) == 1 or error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                refusal = error
                continue
            self._listeners.append(listener)
            for listening in listener.sockets:
                at = listening.getsockname()
                self._addresses.append((at[0], at[1]))
                # So that all addresses have the port that the first one got.
                port = at[1]
        if not self._listeners:
            raise refusal or OSError(errno.EADDRNOTAVAIL, f"no address for {self._uri}")

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        self._addresses.clear()

    def _new_link(self) -> _Link:
        return _Link(Side.SERVER, self._settings, self._admit)

    def _admit(self, link: _Link) -> bool:
        if not self._listeners or len(self._clients) >= self._max_clients:
            return False
        try:
            if not self.accept(link.address):
                return False
        except Exception:
            LOGGER.exception("%s failed; the connection is closed.", _name(self.accept))
            return False
        client = RemoteClient(link)
        task = asyncio.get_running_loop().create_task(self._serve(client))
        self._clients[client] = task
        # Not at the end of the task, which does not even begin when it is cancelled at once.
        task.add_done_callback(lambda _: self._forget(client))
        return True

    def _forget(self, client: RemoteClient) -> None:
        del self._clients[client]
        link = client._link
        link.end(DisconnectReason.REQUESTED)
        if not link.closed.done():
            self._lingering[link] = None
            link.closed.add_done_callback(lambda _: self._lingering.pop(link, None))
            if len(self._lingering) > self._max_clients:
                next(iter(self._lingering)).abort()

    async def _serve(self, client: RemoteClient) -> None:
        _SCOPE.set(_Scope(self, client))
        await self._converse(client._link, self.on_client_connected, self.on_client_disconnected, client)
