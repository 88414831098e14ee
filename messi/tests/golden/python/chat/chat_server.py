"""The server of the protocol of chat.proto.

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
    RemoteClient,
    Settings,
    Wire,
    parse_tcp_uri,
)

__all__ = [
    "CF_HEADER",
    "Backoff",
    "ChatServer",
    "DisconnectReason",
    "MessageTooBigError",
    "MessageType",
    "NotPreparedError",
    "RemoteClient",
    "Settings",
    "Wire",
    "parse_tcp_uri",
]


class ChatServer(messi_runtime.Server):
    """The server. Override what it is to do in a class of your own; `messi_runtime.Server` says how."""

    _INPUT = chat_pb2.ClientToServer

    async def on_enter(self, client: RemoteClient, message: chat_pb2.Enter) -> None:
        """Called for each `enter` of a client."""

    async def on_say(self, client: RemoteClient, message: chat_pb2.Say) -> None:
        """Called for each `say` of a client."""

    def init_welcome(self) -> chat_pb2.Welcome:
        """Prepares a `welcome`. Fill it in, then call `reply`, `send` or `broadcast`."""
        message = chat_pb2.ServerToClient()
        message.welcome.SetInParent()
        self._prepare(message)
        return message.welcome

    def init_entered(self) -> chat_pb2.Entered:
        """Prepares a `entered`. Fill it in, then call `reply`, `send` or `broadcast`."""
        message = chat_pb2.ServerToClient()
        message.entered.SetInParent()
        self._prepare(message)
        return message.entered

    def init_said(self) -> chat_pb2.Said:
        """Prepares a `said`. Fill it in, then call `reply`, `send` or `broadcast`."""
        message = chat_pb2.ServerToClient()
        message.said.SetInParent()
        self._prepare(message)
        return message.said

    def init_left(self) -> chat_pb2.Left:
        """Prepares a `left`. Fill it in, then call `reply`, `send` or `broadcast`."""
        message = chat_pb2.ServerToClient()
        message.left.SetInParent()
        self._prepare(message)
        return message.left
