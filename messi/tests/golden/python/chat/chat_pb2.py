"""The messages of chat.proto.

Made by messi. Do not edit.
"""

from google.protobuf import descriptor_pool as _descriptor_pool
from google.protobuf.internal import builder as _builder

DESCRIPTOR = _descriptor_pool.Default().AddSerializedFile(
    b"\n\nchat.proto\x12\x04chat\"T\n\x0eClientToServer\x12\x1c\n\x05enter\x18\x01 \x01(\x0b2\x0b.c"
    b"hat.EnterH\x00\x12\x18\n\x03say\x18\x02 \x01(\x0b2\x09.chat.SayH\x00B\n\n\x08messages\"\x98"
    b"\x01\n\x0eServerToClient\x12 \n\x07welcome\x18\x01 \x01(\x0b2\x0d.chat.WelcomeH\x00\x12 \n"
    b"\x07entered\x18\x02 \x01(\x0b2\x0d.chat.EnteredH\x00\x12\x1a\n\x04said\x18\x03 \x01(\x0b2\n.c"
    b"hat.SaidH\x00\x12\x1a\n\x04left\x18\x04 \x01(\x0b2\n.chat.LeftH\x00B\n\n\x08messages\"\x15\n"
    b"\x05Enter\x12\x0c\n\x04name\x18\x01 \x01(\x09\"\x13\n\x03Say\x12\x0c\n\x04text\x18\x01 \x01("
    b"\x09\"\x19\n\x07Welcome\x12\x0e\n\x06guests\x18\x01 \x03(\x09\"\x17\n\x07Entered\x12\x0c\n"
    b"\x04name\x18\x01 \x01(\x09\"\"\n\x04Said\x12\x0c\n\x04name\x18\x01 \x01(\x09\x12\x0c\n\x04tex"
    b"t\x18\x02 \x01(\x09\"\x14\n\x04Left\x12\x0c\n\x04name\x18\x01 \x01(\x09b\x06proto3"
)

_builder.BuildMessageAndEnumDescriptors(DESCRIPTOR, globals())
_builder.BuildTopDescriptorsAndMessages(DESCRIPTOR, "chat_pb2", globals())
