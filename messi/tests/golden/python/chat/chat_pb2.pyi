# The types of the messages of chat.proto. Made by messi. Do not edit.

from builtins import int as _int
from builtins import property as _property
from builtins import str as _str
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar
from google.protobuf.descriptor import FileDescriptor as _FileDescriptor
from google.protobuf.internal.containers import RepeatedScalarFieldContainer as _RepeatedScalarFieldContainer
from google.protobuf.message import Message as _Message

DESCRIPTOR: _FileDescriptor

class ClientToServer(_Message):
    ENTER_FIELD_NUMBER: _ClassVar[_int]
    SAY_FIELD_NUMBER: _ClassVar[_int]
    @_property
    def enter(self) -> Enter: ...
    @_property
    def say(self) -> Say: ...
    def __init__(
        self,
        *,
        enter: Enter | None = ...,
        say: Say | None = ...,
    ) -> None: ...

class ServerToClient(_Message):
    WELCOME_FIELD_NUMBER: _ClassVar[_int]
    ENTERED_FIELD_NUMBER: _ClassVar[_int]
    SAID_FIELD_NUMBER: _ClassVar[_int]
    LEFT_FIELD_NUMBER: _ClassVar[_int]
    @_property
    def welcome(self) -> Welcome: ...
    @_property
    def entered(self) -> Entered: ...
    @_property
    def said(self) -> Said: ...
    @_property
    def left(self) -> Left: ...
    def __init__(
        self,
        *,
        welcome: Welcome | None = ...,
        entered: Entered | None = ...,
        said: Said | None = ...,
        left: Left | None = ...,
    ) -> None: ...

class Enter(_Message):
    NAME_FIELD_NUMBER: _ClassVar[_int]
    name: _str
    def __init__(
        self,
        *,
        name: _str | None = ...,
    ) -> None: ...

class Say(_Message):
    TEXT_FIELD_NUMBER: _ClassVar[_int]
    text: _str
    def __init__(
        self,
        *,
        text: _str | None = ...,
    ) -> None: ...

class Welcome(_Message):
    GUESTS_FIELD_NUMBER: _ClassVar[_int]
    @_property
    def guests(self) -> _RepeatedScalarFieldContainer[_str]: ...
    def __init__(
        self,
        *,
        guests: _Iterable[_str] | None = ...,
    ) -> None: ...

class Entered(_Message):
    NAME_FIELD_NUMBER: _ClassVar[_int]
    name: _str
    def __init__(
        self,
        *,
        name: _str | None = ...,
    ) -> None: ...

class Said(_Message):
    NAME_FIELD_NUMBER: _ClassVar[_int]
    TEXT_FIELD_NUMBER: _ClassVar[_int]
    name: _str
    text: _str
    def __init__(
        self,
        *,
        name: _str | None = ...,
        text: _str | None = ...,
    ) -> None: ...

class Left(_Message):
    NAME_FIELD_NUMBER: _ClassVar[_int]
    name: _str
    def __init__(
        self,
        *,
        name: _str | None = ...,
    ) -> None: ...
