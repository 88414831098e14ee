# The types of the messages of sub/shared-types.proto. Made by messi. Do not edit.

from builtins import float as _float
from builtins import int as _int
from typing import ClassVar as _ClassVar
from google.protobuf.descriptor import FieldDescriptor as _FieldDescriptor
from google.protobuf.descriptor import FileDescriptor as _FileDescriptor
from google.protobuf.message import Message as _Message

DESCRIPTOR: _FileDescriptor

class Shared(_Message):
    LENGTH_FIELD_NUMBER: _ClassVar[_int]
    length: _float
    def __init__(
        self,
        *,
        length: _float | None = ...,
    ) -> None: ...

UNIT_FIELD_NUMBER: _int
unit: _FieldDescriptor
