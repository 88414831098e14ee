"""The client of the protocol of kinds.proto.

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
    Settings,
    Wire,
    parse_tcp_uri,
)

__all__ = [
    "CF_HEADER",
    "Backoff",
    "DisconnectReason",
    "KindsClient",
    "MessageTooBigError",
    "MessageType",
    "NotPreparedError",
    "Settings",
    "Wire",
    "parse_tcp_uri",
]


class KindsClient(messi_runtime.Client):
    """The client. Override what it is to do in a class of your own; `messi_runtime.Client` says how."""

    _INPUT = kinds_pb2.ServerToClient

    async def on_kinds(self, message: kinds_pb2.Kinds) -> None:
        """Called for each `kinds` of the server."""

    async def on_None(self, message: Any) -> None:
        """Called for each `None` of the server."""

    async def on_last(self, message: kinds_pb2.Bare) -> None:
        """Called for each `last` of the server."""

    async def on_before_last(self, message: kinds_pb2.Bare) -> None:
        """Called for each `before_last` of the server."""

    def init_from(self) -> Any:
        """Prepares a `from`. Fill it in, then call `send`."""
        message = kinds_pb2.ClientToServer()
        getattr(message, "from").SetInParent()
        self._prepare(message)
        return getattr(message, "from")

    def init_kinds(self) -> kinds_pb2.Kinds:
        """Prepares a `kinds`. Fill it in, then call `send`."""
        message = kinds_pb2.ClientToServer()
        message.kinds.SetInParent()
        self._prepare(message)
        return message.kinds

    def init_camelCase(self) -> kinds_pb2.Hidden:
        """Prepares a `camelCase`. Fill it in, then call `send`."""
        message = kinds_pb2.ClientToServer()
        message.camelCase.SetInParent()
        self._prepare(message)
        return message.camelCase

    def init_nested_deep(self) -> kinds_pb2.Kinds.Nested.Deep:
        """Prepares a `nested_deep`. Fill it in, then call `send`."""
        message = kinds_pb2.ClientToServer()
        message.nested_deep.SetInParent()
        self._prepare(message)
        return message.nested_deep

    def init_shared(self) -> sub_dot_shared__types__pb2.Shared:
        """Prepares a `shared`. Fill it in, then call `send`."""
        message = kinds_pb2.ClientToServer()
        message.shared.SetInParent()
        self._prepare(message)
        return message.shared

    def init_time(self) -> google_dot_protobuf_dot_timestamp__pb2.Timestamp:
        """Prepares a `time`. Fill it in, then call `send`."""
        message = kinds_pb2.ClientToServer()
        message.time.SetInParent()
        self._prepare(message)
        return message.time

    def init___bare(self) -> kinds_pb2.Bare:
        """Prepares a `__bare`. Fill it in, then call `send`."""
        message = kinds_pb2.ClientToServer()
        getattr(message, "__bare").SetInParent()
        self._prepare(message)
        return getattr(message, "__bare")  # type: ignore[no-any-return]

    def init_keyword(self) -> Any:
        """Prepares a `keyword`. Fill it in, then call `send`."""
        message = kinds_pb2.ClientToServer()
        message.keyword.SetInParent()
        self._prepare(message)
        return message.keyword
