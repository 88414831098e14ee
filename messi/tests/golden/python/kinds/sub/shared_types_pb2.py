"""The messages of sub/shared-types.proto.

Made by messi. Do not edit.
"""

from google.protobuf import descriptor_pool as _descriptor_pool
from google.protobuf.internal import builder as _builder

# A file can be declared when those that it imports are.
from google.protobuf import descriptor_pb2 as google_dot_protobuf_dot_descriptor__pb2  # noqa: F401

DESCRIPTOR = _descriptor_pool.Default().AddSerializedFile(
    b"\n\x16sub/shared-types.proto\x12\x09kinds.sub\x1a google/protobuf/descriptor.proto\"\x1f\n"
    b"\x06Shared\x12\x15\n\x06length\x18\x01 \x01(\x01B\x05\x8a\xb5\x18\x01m:-\n\x04unit\x12\x1d.go"
    b"ogle.protobuf.FieldOptions\x18\xd1\x86\x03 \x01(\x09b\x06proto3"
)

_builder.BuildMessageAndEnumDescriptors(DESCRIPTOR, globals())
_builder.BuildTopDescriptorsAndMessages(DESCRIPTOR, "sub.shared_types_pb2", globals())
