"""The messages of class/None.proto.

Made by messi. Do not edit.
"""

from google.protobuf import descriptor_pool as _descriptor_pool
from google.protobuf.internal import builder as _builder

DESCRIPTOR = _descriptor_pool.Default().AddSerializedFile(
    b"\n\x10class/None.proto\x12\x0dkinds.keyword\"\x17\n\x06lambda\x12\x0d\n\x05yield\x18\x01 \x01"
    b"(\x05b\x06proto3"
)

_builder.BuildMessageAndEnumDescriptors(DESCRIPTOR, globals())
_builder.BuildTopDescriptorsAndMessages(DESCRIPTOR, "class.None_pb2", globals())
