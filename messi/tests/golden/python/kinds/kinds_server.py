"""The server of the protocol of kinds.proto.

Made by messi. Do not edit.
"""

from __future__ import annotations

from typing import Any

import importlib as _importlib
class_dot_None__pb2 = _importlib.import_module("class.None_pb2")
from google.protobuf import timestamp_pb2 as google_dot_protobuf_dot_timestamp__pb2
import kinds_pb2
from sub import shared_types_pb2 as sub_dot_shared__types__pb2
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
    "DisconnectReason",
    "KindsServer",
    "MessageTooBigError",
    "MessageType",
    "NotPreparedError",
    "RemoteClient",
    "Settings",
    "Wire",
    "parse_tcp_uri",
]


class KindsServer(messi_runtime.Server):
    """The server. Override what it is to do in a class of your own; `messi_runtime.Server` says how."""

    _INPUT = kinds_pb2.ClientToServer

    async def on_from(self, client: RemoteClient, message: Any) -> None:
        """Called for each `from` of a client."""

    async def on_kinds(self, client: RemoteClient, message: kinds_pb2.Kinds) -> None:
        """Called for each `kinds` of a client."""

    async def on_camelCase(self, client: RemoteClient, message: kinds_pb2.Hidden) -> None:
        """Called for each `camelCase` of a client."""

    async def on_nested_deep(self, client: RemoteClient, message: kinds_pb2.Kinds.Nested.Deep) -> None:
        """Called for each `nested_deep` of a client."""

    async def on_shared(self, client: RemoteClient, message: sub_dot_shared__types__pb2.Shared) -> None:
        """Called for each `shared` of a client."""

    async def on_time(self, client: RemoteClient, message: google_dot_protobuf_dot_timestamp__pb2.Timestamp) -> None:
        """Called for each `time` of a client."""

    async def on___bare(self, client: RemoteClient, message: kinds_pb2.Bare) -> None:
        """Called for each `__bare` of a client."""

    async def on_keyword(self, client: RemoteClient, message: Any) -> None:
        """Called for each `keyword` of a client."""

    def init_kinds(self) -> kinds_pb2.Kinds:
        """Prepares a `kinds`. Fill it in, then call `reply`, `send` or `broadcast`."""
        message = kinds_pb2.ServerToClient()
        message.kinds.SetInParent()
        self._prepare(message)
        return message.kinds

    def init_None(self) -> Any:
        """Prepares a `None`. Fill it in, then call `reply`, `send` or `broadcast`."""
        message = kinds_pb2.ServerToClient()
        getattr(message, "None").SetInParent()
        self._prepare(message)
        return getattr(message, "None")

    def init_last(self) -> kinds_pb2.Bare:
        """Prepares a `last`. Fill it in, then call `reply`, `send` or `broadcast`."""
        message = kinds_pb2.ServerToClient()
        message.last.SetInParent()
        self._prepare(message)
        return message.last

    def init_before_last(self) -> kinds_pb2.Bare:
        """Prepares a `before_last`. Fill it in, then call `reply`, `send` or `broadcast`."""
        message = kinds_pb2.ServerToClient()
        message.before_last.SetInParent()
        self._prepare(message)
        return message.before_last
