# The types of the messages of kinds.proto. Made by messi. Do not edit.

from builtins import bool as _bool
from builtins import bytes as _bytes
from builtins import float as _float
from builtins import int as _int
from builtins import property as _property
from builtins import str as _str
from collections.abc import Iterable as _Iterable
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar
from google.protobuf.descriptor import FileDescriptor as _FileDescriptor
from google.protobuf.internal.containers import MessageMap as _MessageMap
from google.protobuf.internal.containers import RepeatedCompositeFieldContainer as _RepeatedCompositeFieldContainer
from google.protobuf.internal.containers import RepeatedScalarFieldContainer as _RepeatedScalarFieldContainer
from google.protobuf.internal.containers import ScalarMap as _ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper as _EnumTypeWrapper
from google.protobuf.message import Message as _Message
from google.protobuf import timestamp_pb2 as google_dot_protobuf_dot_timestamp__pb2
from sub import shared_types_pb2 as sub_dot_shared__types__pb2
from sub.shared_types_pb2 import Shared as Shared
from sub.shared_types_pb2 import unit as unit

DESCRIPTOR: _FileDescriptor

class _Level(_EnumTypeWrapper):
    LOW: _int
    NONE: _int
    HIGH: _int

Level: _Level
LOW: _int
NONE: _int
HIGH: _int

class Kinds(_Message):
    class Nested(_Message):
        class _Inner(_EnumTypeWrapper):
            ZERO: _int
            ONE: _int

        Inner: _Inner
        ZERO: _int
        ONE: _int

        class Deep(_Message):
            DATA_FIELD_NUMBER: _ClassVar[_int]
            data: _bytes
            def __init__(
                self,
                *,
                data: _bytes | None = ...,
            ) -> None: ...

        NUMBER_FIELD_NUMBER: _ClassVar[_int]
        DEEP_FIELD_NUMBER: _ClassVar[_int]
        INNER_FIELD_NUMBER: _ClassVar[_int]
        number: _int
        @_property
        def deep(self) -> _module_Kinds.Nested.Deep: ...
        inner: _int
        def __init__(
            self,
            *,
            number: _int | None = ...,
            deep: _module_Kinds.Nested.Deep | None = ...,
            inner: _int | None = ...,
        ) -> None: ...

    A_DOUBLE_FIELD_NUMBER: _ClassVar[_int]
    A_FLOAT_FIELD_NUMBER: _ClassVar[_int]
    AN_INT32_FIELD_NUMBER: _ClassVar[_int]
    AN_INT64_FIELD_NUMBER: _ClassVar[_int]
    A_UINT32_FIELD_NUMBER: _ClassVar[_int]
    A_UINT64_FIELD_NUMBER: _ClassVar[_int]
    A_SINT32_FIELD_NUMBER: _ClassVar[_int]
    A_SINT64_FIELD_NUMBER: _ClassVar[_int]
    A_FIXED32_FIELD_NUMBER: _ClassVar[_int]
    A_FIXED64_FIELD_NUMBER: _ClassVar[_int]
    A_SFIXED32_FIELD_NUMBER: _ClassVar[_int]
    A_SFIXED64_FIELD_NUMBER: _ClassVar[_int]
    A_BOOL_FIELD_NUMBER: _ClassVar[_int]
    A_STRING_FIELD_NUMBER: _ClassVar[_int]
    SOME_BYTES_FIELD_NUMBER: _ClassVar[_int]
    LEVEL_FIELD_NUMBER: _ClassVar[_int]
    NESTED_FIELD_NUMBER: _ClassVar[_int]
    MAYBE_FIELD_NUMBER: _ClassVar[_int]
    PACKED_FIELD_NUMBER: _ClassVar[_int]
    UNPACKED_FIELD_NUMBER: _ClassVar[_int]
    MANY_FIELD_NUMBER: _ClassVar[_int]
    COUNTS_FIELD_NUMBER: _ClassVar[_int]
    BY_NUMBER_FIELD_NUMBER: _ClassVar[_int]
    SHARED_FIELD_NUMBER: _ClassVar[_int]
    AT_FIELD_NUMBER: _ClassVar[_int]
    TEXT_FIELD_NUMBER: _ClassVar[_int]
    DEEP_FIELD_NUMBER: _ClassVar[_int]
    OLD_FIELD_NUMBER: _ClassVar[_int]
    ITSELF_FIELD_NUMBER: _ClassVar[_int]
    LEVELS_FIELD_NUMBER: _ClassVar[_int]
    a_double: _float
    a_float: _float
    an_int32: _int
    an_int64: _int
    a_uint32: _int
    a_uint64: _int
    a_sint32: _int
    a_sint64: _int
    a_fixed32: _int
    a_fixed64: _int
    a_sfixed32: _int
    a_sfixed64: _int
    a_bool: _bool
    a_string: _str
    some_bytes: _bytes
    level: _int
    @_property
    def nested(self) -> _module_Kinds.Nested: ...
    maybe: _int
    @_property
    def packed(self) -> _RepeatedScalarFieldContainer[_int]: ...
    @_property
    def unpacked(self) -> _RepeatedScalarFieldContainer[_int]: ...
    @_property
    def many(self) -> _RepeatedCompositeFieldContainer[_module_Kinds.Nested]: ...
    @_property
    def counts(self) -> _ScalarMap[_str, _int]: ...
    @_property
    def by_number(self) -> _MessageMap[_int, _module_Kinds.Nested]: ...
    @_property
    def shared(self) -> sub_dot_shared__types__pb2.Shared: ...
    @_property
    def at(self) -> google_dot_protobuf_dot_timestamp__pb2.Timestamp: ...
    text: _str
    @_property
    def deep(self) -> _module_Kinds.Nested.Deep: ...
    old: _int
    @_property
    def itself(self) -> _module_Kinds: ...
    @_property
    def levels(self) -> _RepeatedScalarFieldContainer[_int]: ...
    def __init__(
        self,
        *,
        a_double: _float | None = ...,
        a_float: _float | None = ...,
        an_int32: _int | None = ...,
        an_int64: _int | None = ...,
        a_uint32: _int | None = ...,
        a_uint64: _int | None = ...,
        a_sint32: _int | None = ...,
        a_sint64: _int | None = ...,
        a_fixed32: _int | None = ...,
        a_fixed64: _int | None = ...,
        a_sfixed32: _int | None = ...,
        a_sfixed64: _int | None = ...,
        a_bool: _bool | None = ...,
        a_string: _str | None = ...,
        some_bytes: _bytes | None = ...,
        level: _int | None = ...,
        nested: _module_Kinds.Nested | None = ...,
        maybe: _int | None = ...,
        packed: _Iterable[_int] | None = ...,
        unpacked: _Iterable[_int] | None = ...,
        many: _Iterable[_module_Kinds.Nested] | None = ...,
        counts: _Mapping[_str, _int] | None = ...,
        by_number: _Mapping[_int, _module_Kinds.Nested] | None = ...,
        shared: sub_dot_shared__types__pb2.Shared | None = ...,
        at: google_dot_protobuf_dot_timestamp__pb2.Timestamp | None = ...,
        text: _str | None = ...,
        deep: _module_Kinds.Nested.Deep | None = ...,
        old: _int | None = ...,
        itself: _module_Kinds | None = ...,
        levels: _Iterable[_int] | None = ...,
    ) -> None: ...

class Hidden(_Message):
    KINDS_FIELD_NUMBER: _ClassVar[_int]
    INT_FIELD_NUMBER: _ClassVar[_int]
    STR_FIELD_NUMBER: _ClassVar[_int]
    SELF_FIELD_NUMBER: _ClassVar[_int]
    PROPERTY_FIELD_NUMBER: _ClassVar[_int]
    __PRIVATE_FIELD_NUMBER: _ClassVar[_int]
    BARE_FIELD_NUMBER: _ClassVar[_int]
    @_property
    def Kinds(self) -> _module_Kinds: ...
    int: _int
    str: _str
    self: _int
    property: _bytes
    @_property
    def __private(self) -> _module_Bare: ...
    @_property
    def Bare(self) -> _RepeatedCompositeFieldContainer[_module_Bare]: ...
    def __init__(
        self,
        *,
        Kinds: _module_Kinds | None = ...,
        int: _int | None = ...,
        str: _str | None = ...,
        property: _bytes | None = ...,
        __private: _module_Bare | None = ...,
        Bare: _Iterable[_module_Bare] | None = ...,
    ) -> None: ...

class Bare(_Message):
    def __init__(self) -> None: ...

class ClientToServer(_Message):
    FROM_FIELD_NUMBER: _ClassVar[_int]
    KINDS_FIELD_NUMBER: _ClassVar[_int]
    CAMELCASE_FIELD_NUMBER: _ClassVar[_int]
    NESTED_DEEP_FIELD_NUMBER: _ClassVar[_int]
    SHARED_FIELD_NUMBER: _ClassVar[_int]
    TIME_FIELD_NUMBER: _ClassVar[_int]
    __BARE_FIELD_NUMBER: _ClassVar[_int]
    KEYWORD_FIELD_NUMBER: _ClassVar[_int]
    @_property
    def kinds(self) -> _module_Kinds: ...
    @_property
    def camelCase(self) -> Hidden: ...
    @_property
    def nested_deep(self) -> _module_Kinds.Nested.Deep: ...
    @_property
    def shared(self) -> sub_dot_shared__types__pb2.Shared: ...
    @_property
    def time(self) -> google_dot_protobuf_dot_timestamp__pb2.Timestamp: ...
    @_property
    def __bare(self) -> _module_Bare: ...
    @_property
    def keyword(self) -> _Message: ...
    def __init__(
        self,
        *,
        kinds: _module_Kinds | None = ...,
        camelCase: Hidden | None = ...,
        nested_deep: _module_Kinds.Nested.Deep | None = ...,
        shared: sub_dot_shared__types__pb2.Shared | None = ...,
        time: google_dot_protobuf_dot_timestamp__pb2.Timestamp | None = ...,
        __bare: _module_Bare | None = ...,
        keyword: _Message | None = ...,
    ) -> None: ...

class ServerToClient(_Message):
    KINDS_FIELD_NUMBER: _ClassVar[_int]
    NONE_FIELD_NUMBER: _ClassVar[_int]
    LAST_FIELD_NUMBER: _ClassVar[_int]
    BEFORE_LAST_FIELD_NUMBER: _ClassVar[_int]
    @_property
    def kinds(self) -> _module_Kinds: ...
    @_property
    def last(self) -> _module_Bare: ...
    @_property
    def before_last(self) -> _module_Bare: ...
    def __init__(
        self,
        *,
        kinds: _module_Kinds | None = ...,
        last: _module_Bare | None = ...,
        before_last: _module_Bare | None = ...,
    ) -> None: ...

_module_Bare = Bare
_module_Kinds = Kinds
