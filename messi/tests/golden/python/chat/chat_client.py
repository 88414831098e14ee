"""The client of the protocol of chat.proto.

Made by messi. Do not edit.
"""

from __future__ import annotations

import chat_pb2
import messi_runtime
from messi_runtime import (
    CF_HEADER,
    Backoff,
    DisconnectReason,
    MessageTooBigError,
    MessageType,
    NotPreparedError,
    Settings,
    Wire,
    parse_tcp_uri,
)

__all__ = [
    "CF_HEADER",
    "Backoff",
    "ChatClient",
    "DisconnectReason",
    "MessageTooBigError",
    "MessageType",
    "NotPreparedError",
    "Settings",
    "Wire",
    "parse_tcp_uri",
]


class ChatClient(messi_runtime.Client):
    """The client. Override what it is to do in a class of your own; `messi_runtime.Client` says how."""

    _INPUT = chat_pb2.ServerToClient

    async def on_welcome(self, message: chat_pb2.Welcome) -> None:
        """Called for each `welcome` of the server."""

    async def on_entered(self, message: chat_pb2.Entered) -> None:
        """Called for each `entered` of the server."""

    async def on_said(self, message: chat_pb2.Said) -> None:
        """Called for each `said` of the server."""

    async def on_left(self, message: chat_pb2.Left) -> None:
        """Called for each `left` of the server."""

    def init_enter(self) -> chat_pb2.Enter:
        """Prepares a `enter`. Fill it in, then call `send`."""
        message = chat_pb2.ClientToServer()
        message.enter.SetInParent()
        self._prepare(message)
        return message.enter

    def init_say(self) -> chat_pb2.Say:
        """Prepares a `say`. Fill it in, then call `send`."""
        message = chat_pb2.ClientToServer()
        message.say.SetInParent()
        self._prepare(message)
        return message.say
